# shellcheck shell=bash disable=SC2034,SC2154
# libreswan at left, unmodified: its programs lie in the guest's root, beside strongSwan's.

libreswan=/usr/libexec/ipsec

# pluto_files OWN OTHER OWN-NET OTHER-NET OWN-INNER: one connection, IKEv2 with a shared secret (blanks begin its lines: they count)
pluto_files() {
	mkdir -p "$work/nss" "$work/pluto"
	[ -e /etc/resolv.conf ] || : > /etc/resolv.conf # it is read in any case
	certutil -N -d "sql:$work/nss" --empty-password || return 1
	printf '@left.example %s : PSK 0shared1secret2of3both\n' "$2" > "$work/ipsec.secrets"
	cat > "$work/ipsec.conf" <<-CONF
		config setup
		  dnssec-enable=no
		conn test
		  left=$1
		  right=$2
		  leftid=@left.example
		  leftsubnet=$3
		  rightsubnet=$4
		  leftsourceip=$5
		  leftupdown=$libreswan/_updown
		  authby=secret
		  ikev2=insist
		  ike=aes128-sha2_256-dh31
		  esp=aes_gcm128
		  pfs=no
		  mobike=yes
		  auto=add
	CONF
}
pluto() {
	ip netns exec left $libreswan/pluto --config "$work/ipsec.conf" --nssdir "$work/nss" --rundir "$work/pluto" \
		--secretsfile "$work/ipsec.secrets" --logfile "$work/pluto.log" --nofork > "$work/pluto.out" 2>&1 &
	pluto_pid=$!
	until_true 60 pluto_knows test || { tail -n 40 "$work/pluto.log" "$work/pluto.out"; return 1; }
}
pluto_knows() { whack --status | grep -q "\"$1\""; }
whack() { at left timeout 60 $libreswan/whack --ctlsocket "$work/pluto/pluto.ctl" "$@" 2>&1; }
pluto_up() { whack --name test --initiate > "$work/whack.log" && grep -q 'established Child SA' "$work/whack.log" || { tail -n 40 "$work/whack.log" "$work/pluto.log"; return 1; }; }
# traffic in|out: bytes, as pluto tells them
traffic() { whack --trafficstatus | sed -n "s/.*${1}Bytes=\([0-9]*\).*/\1/p" | tail -n 1; }
pluto_end() { whack --shutdown > "$work/whack.log"; wait "$pluto_pid"; }
