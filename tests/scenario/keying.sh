# shellcheck shell=bash disable=SC2034,SC2154
# Keying through the relay: xfrm_user and the rest are kept out, a keying agent serves each end that is ours.

# shellcheck source=tests/scenario/ours.sh
. "$(dirname "${BASH_SOURCE[0]}")/ours.sh"

blacklist=/etc/modprobe.d/ipsec-port-test.conf
kernel_modules_out() {
	local m
	for m in esp4 esp6 ah4 ah6 ipcomp ipcomp6 xfrm_user af_key; do
		echo "install $m /bin/false"
	done > $blacklist
	until_true 60 removed || { head -n 30 /proc/modules; return 1; }
}
# Another test of the same guest may have loaded them; states of a namespace that is still on its way out hold them a moment
removed() {
	local m
	for m in esp4_offload esp6_offload esp4 esp6 ah4 ah6 ipcomp ipcomp6 xfrm_user af_key; do
		rmmod $m 2> /dev/null
	done
	none_loaded
}
kernel_modules_in() { rm -f $blacklist; }
none_loaded() { ! grep -qE '^(esp4|esp6|ah4|ah6|ipcomp|ipcomp6|xfrm_user|af_key) ' /proc/modules; }

# keyd END [OPTIONS]: an agent for END's namespace and compartment; ready when it is attached
declare -A keyd_pid=()
keyd() {
	ip netns exec "$1" ipsec-port-keyd --compartment "$(compartment_of "$1")" "${@:2}" 2>> "$work/keyd.$1.log" &
	keyd_pid[$1]=$!
	until_true 20 has_agent "$1" || { cat "$work/keyd.$1.log"; return 1; }
}
has_agent() { [[ $(ctl "$1" relay show --json) == *'"agent":true'* ]]; }
no_agent() { ! has_agent "$1"; }
keyd_end() { # END SIGNAL: both of its processes
	local child
	child=$(pgrep -P "${keyd_pid[$1]}")
	# shellcheck disable=SC2086
	kill "-$2" $child
	wait "${keyd_pid[$1]}" 2> /dev/null
	until_true 20 no_agent "$1"
}
# listening PID: it has joined groups of left's XFRM
listening() { at left cat /proc/net/netlink | awk -v pid="$1" '$2 == 6 && $3 == pid && $4 != "00000000" { found = 1 } END { exit !found }'; }
ipx() { local end=$1; shift; ip -n "$end" xfrm "$@"; }

# ---- strongSwan ------------------------------------------------------------------------------------------------------

# AES-256 under QUORUM=1, see ours.sh
esp_usual=aes128gcm16
[ ! "${QUORUM:-}" ] || esp_usual=aes256gcm16

# charon_daemon END: the daemon's own file, with more `plugins`, and so many `tries` of three seconds each where they are given
charon_daemon() {
	cat > "$work/$1.strongswan.conf" <<-CONF
		charon {
			load = random nonce drbg openssl aes sha1 sha2 hmac kdf curve25519 gmp pem pkcs1 pkcs8 x509 pubkey constraints kernel-netlink socket-default vici ${plugins:-}
			retransmit_tries = ${tries:-3}
			${tries:+retransmit_timeout = 3}
			${tries:+retransmit_base = 1}
			keep_alive = 0
			filelog { log { path = $work/$1.charon.log
				flush_line = yes
				default = 1
				knl = 2
			} }
			plugins { vici { socket = unix://$work/$1.vici } }
		}
	CONF
}
# charon_files END OWN OTHER OWN-NET OTHER-NET: configuration of one connection, IKEv2 with a shared secret
charon_files() {
	charon_daemon "$1"
	cat > "$work/$1.swanctl.conf" <<-CONF
		connections { test {
			version = 2
			local_addrs = $2
			remote_addrs = $3
			proposals = aes128-sha256-x25519
			${mobike:+mobike = $mobike}
			${encap:+encap = $encap}
			local { auth = psk
				id = $2
			}
			remote { auth = psk
				id = $3
			}
			children { test {
				local_ts = $4
				remote_ts = $5
				esp_proposals = ${esp:-$esp_usual}
				mode = ${mode:-tunnel}
				${start:+start_action = $start}
			} }
		} }
		secrets { ike { secret = "0shared1secret2of3both" } }
	CONF
}
# charon END [COMMAND that enters END's namespace...]: unmodified, with a /run of its own
charon() {
	local end=$1
	shift
	# shellcheck disable=SC2016
	"$@" unshare -m bash -c 'mount -t tmpfs run /run && STRONGSWAN_CONF=$1 exec /usr/lib/ipsec/charon' - "$work/$end.strongswan.conf" \
		> "$work/$end.charon.out" 2>&1 &
	until_true 60 test -S "$work/$end.vici" && swan "$end" --load-all --file "$work/$end.swanctl.conf" > "$work/$end.load" 2>&1 && return
	cat "$work/$end.charon.out" "$work/$end.load"
	return 1
}
swan() { # END WORDS OF swanctl...
	local end=$1 verb=$2
	shift 2
	timeout 60 swanctl "$verb" --uri "unix://$work/$end.vici" "$@"
}
initiate() { swan "$1" --initiate --child test > "$work/initiate" 2>&1 || { tail -n 30 "$work/initiate" "$work/$1.charon.log"; return 1; }; }
# sa_count END in|out bytes|packets: as swanctl tells it; beside that it names each plugin that it has not
sa_count() { swan "$1" --list-sas 2> /dev/null | sed -nE "s/^ *$2 .* ([0-9]+) $3.*/\1/p" | head -n 1; }
