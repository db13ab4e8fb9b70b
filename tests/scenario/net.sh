# shellcheck shell=bash disable=SC2034,SC2154
# The network around: every scenario that sources this runs the same checks twice, first with the kernel's ESP at both ends
# (the reference: what fails there is the script's fault), then with ipsec-port at left. Numbers that both must share go
# through `alike`. HALVES="kernel" or "ours" runs one half.
#
#   near 10.1.0.2 --h0-- left 10.1.0.1 ==l0 r0== right 10.2.0.1 --h0-- far 10.2.0.2        (fd01::2, fd01::1, fd02::1, fd02::2)
# near and far are made by `behind`; left and right, with their outer addresses 10.9.0.1/2 and fd09::1/2, by ours.sh.

# shellcheck source=tests/scenario/ours.sh
. "$(dirname "${BASH_SOURCE[0]}")/ours.sh"

halves() { # COMMAND...: once for each half
	for LEFT in ${HALVES:-kernel ours}; do "$@"; done
}
with_ends() { # COMMAND...: between ends_up and ends_down
	that "the ends come up" ends_up || return
	"$@"
	that "the ends go; the ledger balances, what was made is freed" ends_down
}
that() { local what=$1; shift; check "$LEFT: $what" "$@"; }
fails() { ! "$@"; }
# alike WHAT VALUE: the reference half sets it, the other one must have the same
declare -A reference=()
alike() {
	case $LEFT in
	kernel) reference[$1]=$2; say "kernel: $1: $2" ;;
	*)
		[ -n "${reference[$1]+set}" ] || { say "$LEFT: $1: $2 (no reference)"; return 0; }
		[ "$2" = "${reference[$1]}" ] || say "$LEFT: $1: '$2', the kernel's: '${reference[$1]}'"
		that "$1, as the kernel's" test "$2" = "${reference[$1]}" ;;
	esac
}
finish() {
	hosts_gone
	check "the kernel's log is clean" kernel_log_clean
	plan
}
hosts_gone() {
	local h
	for h in near far middle; do
		ip netns pids $h 2>/dev/null | xargs -r kill -9
		ip netns del $h 2>/dev/null
	done
	hosts_down
}

# behind GATEWAY HOST: HOST on a link of its own behind GATEWAY, which forwards
behind() {
	local net=1
	[ "$1" = right ] && net=2
	ip netns add "$2"
	at "$2" sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0 net.ipv4.ping_group_range="0 2147483647"
	ip link add h0 netns "$1" type veth peer name h0 netns "$2"
	ip -n "$1" -batch - <<-GATEWAY
		addr add 10.$net.0.254/24 dev h0
		addr add fd0$net::fe/64 dev h0 nodad
		link set h0 up
	GATEWAY
	ip -n "$2" -batch - <<-HOST
		link set lo up
		addr add 10.$net.0.2/24 dev h0
		addr add fd0$net::2/64 dev h0 nodad
		link set h0 up
		route add default via 10.$net.0.254
		route add default via fd0$net::fe
	HOST
	at "$1" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

# Tunnels of both families, AES-128-GCM, with fwd policies and the rules that protect all of it. Reqid is the family.
# Policies have priority 100, so that a scenario can put one before them.
tunnels() {
	local f key_l=() key_r=() end
	for f in 4 6; do key_l[f]=$(new_key 20) key_r[f]=$(new_key 20); done
	spi_last=$((spi_last + 4))
	for end in left right; do tunnel_lines $end | xf_lines $end || return 1; done
	rules <<-RULES
		out to 10.2.0.0/24 -> blue protect
		out to fd02::/64 -> blue protect
		in from 10.2.0.0/24 -> blue protect
		in from fd02::/64 -> blue protect
		fwd from 10.2.0.0/24 -> blue protect
		fwd from fd02::/64 -> blue protect
	RULES
}
tunnel_lines() { # END
	local f out_l out_r net_l net_r spi add
	for f in 4 6; do
		if [ $f = 4 ]; then out_l=10.9.0.1 out_r=10.9.0.2 net_l=10.1.0.0/24 net_r=10.2.0.0/24
		else out_l=fd09::1 out_r=fd09::2 net_l=fd01::/64 net_r=fd02::/64; fi
		spi=$((spi_last - 7 + f)) add="reqid $f mode tunnel replay-window 1024 aead 'rfc4106(gcm(aes))'"
		echo "state add src $out_l dst $out_r proto esp spi $spi $add ${key_l[f]} 128"
		echo "state add src $out_r dst $out_l proto esp spi $((spi + 1)) $add ${key_r[f]} 128"
		if [ "$1" = left ]; then tunnel_policy_lines $f $net_l $net_r $out_l $out_r
		else tunnel_policy_lines $f $net_r $net_l $out_r $out_l; fi
	done
}
tunnel_policy_lines() { # FAMILY OWN-NET OTHER-NET OWN-OUTER OTHER-OUTER
	local direction
	echo "policy add src $2 dst $3 dir out priority 100 tmpl src $4 dst $5 proto esp reqid $1 mode tunnel"
	for direction in in fwd; do
		echo "policy add src $3 dst $2 dir $direction priority 100 tmpl src $5 dst $4 proto esp reqid $1 mode tunnel"
	done
}
# The rule table of left, from standard input; the kernel's ESP needs none
rules() {
	if is_ours left; then ctl left rule set -; else cat > /dev/null; fi
}
# Without `protect`, the policies decide: a flow whose name none of them knows goes in clear
loose_rules() {
	rules <<-RULES
		out to 10.2.0.0/24 -> blue
		out to fd02::/64 -> blue
		in from 10.2.0.0/24 -> blue
		in from fd02::/64 -> blue
		fwd from 10.2.0.0/24 -> blue
		fwd from fd02::/64 -> blue
	RULES
}

# ---- the wire, by counters at egress: they miss nothing ---------------------------------------------------------------

# watch END DEVICE...: counts what leaves, as esp or clear (neighbour discovery and ARP are neither)
watch() {
	local end=$1 dev
	shift
	for dev in "$@"; do
		at "$end" nft -f - <<-NFT || return 1
			table netdev wire {
				counter ${dev}_esp {}
				counter ${dev}_clear {}
				chain $dev {
					type filter hook egress device $dev priority 0;
					meta protocol arp accept
					icmpv6 type { 130, 131, 132, 133, 134, 135, 136, 143 } accept
					meta l4proto esp counter name ${dev}_esp accept
					meta protocol { ip, ip6 } counter name ${dev}_clear
				}
			}
		NFT
	done
}
counter() { # END FAMILY TABLE NAME: packets of a named counter
	local text
	text=$(at "$1" nft list counter "$2" "$3" "$4")
	[[ $text =~ packets\ ([0-9]+) ]] && echo "${BASH_REMATCH[1]}"
}
left_wire=l0	# devices of left that are watched
wire_now() {
	local dev text kind
	esp=0 clear=0 left_esp=0 left_clear=0
	for dev in $left_wire r0; do
		if [ "$dev" = r0 ]; then text=$(at right nft list counters table netdev wire)
		else text=$(at left nft list counters table netdev wire); fi
		for kind in esp clear; do
			[[ $text =~ counter\ ${dev}_$kind\ \{[[:space:]]*packets\ ([0-9]+) ]] || return 1
			printf -v $kind %d $((${!kind} + BASH_REMATCH[1]))
			[ "$dev" = r0 ] || printf -v left_$kind %d $((left_$kind + BASH_REMATCH[1]))
		done
	done
}
wire_mark() { wire_now && esp_mark=$esp clear_mark=$clear left_clear_mark=$left_clear; }
# since wire_mark: ESP and nothing clear
only_esp() {
	wire_now || return 1
	[ $((clear - clear_mark)) = 0 ] && [ $((esp - esp_mark)) -gt 0 ] && return
	say "wire: ESP $((esp - esp_mark)), clear $((clear - clear_mark))"
	return 1
}
left_sends_nothing_clear() { wire_now && [ $((left_clear - left_clear_mark)) = 0 ]; }
some_clear() { wire_now && [ $((clear - clear_mark)) -gt 0 ]; }
# Positive control of every only_esp: a ping of each family in clear is counted, both ways
watch_wire() {
	watch left l0 && watch right r0 && wire_mark || return 1
	ping_to left 10.2.0.1 && ping_to left fd02::1 && wire_now || return 1
	[ $((clear - clear_mark)) = 4 ] && [ "$esp" = "$esp_mark" ]
}

# ---- traffic ----------------------------------------------------------------------------------------------------------

ping_to() { # HOST ADDR [WORDS OF ping]
	at "$1" ping -nq -c 1 -W 5 "${@:3}" "$2" > "$work/ping.log" 2>&1
}
# who HOST ADDR [SOURCE]: the address that a server at ADDR sees of HOST, by TCP or UDP; nothing without an answer
who() { at "$1" timeout 8 nc -n ${3+-s "$3"} -w 6 "$2" 70 < /dev/null 2> /dev/null; }
who_udp() {
	# head takes the whole datagram at once; bash would read the first byte and lose the rest
	# shellcheck disable=SC2016
	at "$1" bash -c 'exec 3<> "/dev/udp/$1/70" && echo >&3 && timeout 5 head -n 1 <&3' - "$2" 2> /dev/null
}
is() { # WANTED COMMAND...: its output
	local got
	got=$("${@:2}")
	[ "$got" = "$1" ] || { say "${*:2}: '$got', not '$1'"; return 1; }
}
# servers HOST...: who at port 70, echo at port 7, by TCP and UDP, both families
servers() {
	local h
	cat > "$work/server.py" <<'PYTHON'
import selectors, socket
def mapped(peer): return peer[0].replace("::ffff:", "").encode() + b"\n"
waits, open_sockets = selectors.DefaultSelector(), {}
for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
    for port in 7, 70:
        s = socket.socket(socket.AF_INET6, kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        s.bind(("::", port))
        if kind == socket.SOCK_STREAM: s.listen()
        waits.register(s, selectors.EVENT_READ, (kind, port))
while True:
    for key, _ in waits.select():
        s, (kind, port) = key.fileobj, key.data
        try:
            if kind == socket.SOCK_DGRAM:
                data, peer = s.recvfrom(65535)
                s.sendto(mapped(peer) if port == 70 else data, peer)
            elif kind == "connection":
                data = s.recv(65535)
                if data: s.sendall(data)
                else: waits.unregister(s); s.close()
            else:
                c, peer = s.accept()
                if port == 70: c.sendall(mapped(peer)); c.close()
                else: waits.register(c, selectors.EVENT_READ, ("connection", 7))
        except OSError:
            if kind == "connection": waits.unregister(s); s.close()
PYTHON
	for h in "$@"; do
		ip netns exec "$h" python3 "$work/server.py" 2> "$work/$h.server.log" & disown
	done
	for h in "$@"; do until_true 60 listens_udp "$h" 70 && until_true 60 listens "$h" 70 || return 1; done
}
# dialogue HOST ADDR: one TCP connection to an echo, a numbered line at a time, until dialogue_end; spoken: how many came back
dialogue() {
	rm -f "$work/dialogue.end"; echo 0 > "$work/dialogue"
	cat > "$work/dialogue.py" <<'PYTHON'
import os, socket, sys, time
host, path = sys.argv[1:]
s = socket.create_connection((host, 7), 20)
s.settimeout(40)
lines = s.makefile("r")
n = 0
while not os.path.exists(path + ".end"):
    n += 1
    s.sendall(b"%d\n" % n)
    if lines.readline() != "%d\n" % n: sys.exit(1)
    with open(path + ".new", "w") as f: f.write("%d\n" % n)
    os.rename(path + ".new", path)
    time.sleep(0.02)
PYTHON
	ip netns exec "$1" python3 "$work/dialogue.py" "$2" "$work/dialogue" & dialogue_pid=$!
}
spoken() { [ "$(cat "$work/dialogue")" -gt "$1" ]; }
goes_on() { until_true 40 spoken $(($(cat "$work/dialogue") + ${1:-20})); }
dialogue_end() { touch "$work/dialogue.end"; wait "$dialogue_pid"; }
