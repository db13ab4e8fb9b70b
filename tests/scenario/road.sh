# shellcheck shell=bash disable=SC2034,SC2154
# A road warrior and its gateway: certificates of a CA made here, a virtual address, the stock updown script.

# A CA, and a certificate for each end, all Ed25519; into DIRECTORY
cat > "$work/ca.py" <<'PYTHON'
import datetime, sys
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import NameOID
now = datetime.datetime.utcnow()
def write(path, data):
    with open(sys.argv[1] + "/" + path, "wb") as f: f.write(data)
def make(name, issuer, issuer_key):
    key = ed25519.Ed25519PrivateKey.generate()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer or subject)
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
               .add_extension(x509.BasicConstraints(ca=not issuer, path_length=None), critical=True))
    if issuer: builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    write(name + ".pem", builder.sign(issuer_key or key, None).public_bytes(serialization.Encoding.PEM))
    write(name + ".key", key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()))
    return subject, key
ca, ca_key = make("ca", None, None)
for end in "left", "right": make(end + ".example", ca, ca_key)
PYTHON
# credentials END DIRECTORY-OF-THE-CA: where swanctl looks for them, beside its file
credentials() {
	mkdir -p "$work"/{x509,x509ca,private} && cp "$2/ca.pem" "$work/x509ca" &&
		cp "$2/$1.example.pem" "$work/x509" && cp "$2/$1.example.key" "$work/private"
}
# The warrior asks for an address, looks after its peer, and takes another key after so many bytes
warrior_files() { # GATEWAY OTHER-NET
	plugins=updown tries=4 charon_daemon left
	cat > "$work/left.swanctl.conf" <<-CONF
		connections { test {
			version = 2
			remote_addrs = $1
			proposals = aes128-sha256-x25519
			vips = 0.0.0.0
			dpd_delay = 4s
			local { auth = pubkey
				certs = left.example.pem
				id = left.example
			}
			remote { auth = pubkey
				id = right.example
			}
			children { test {
				remote_ts = $2
				esp_proposals = aes128gcm16
				updown = /usr/lib/ipsec/_updown iptables
				hostaccess = yes
				dpd_action = clear
				rekey_bytes = 1000000
				life_bytes = 100000000
				rand_bytes = 0
			} }
		} }
	CONF
}
gateway_files() { # OWN OWN-NET POOL
	plugins=updown charon_daemon right
	cat > "$work/right.swanctl.conf" <<-CONF
		connections { test {
			version = 2
			local_addrs = $1
			proposals = aes128-sha256-x25519
			pools = road
			unique = replace
			local { auth = pubkey
				certs = right.example.pem
				id = right.example
			}
			remote { auth = pubkey
				id = left.example
			}
			children { test {
				local_ts = $2
				esp_proposals = aes128gcm16
			} }
		} }
		pools { road { addrs = $3 } }
	CONF
}
