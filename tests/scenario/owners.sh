# shellcheck shell=bash disable=SC2034,SC2154
# Rules by owner: what one owner's sockets send leaves by their compartment and no other, and what comes out of a compartment
# enters only sockets that the rules give to it. One peer, one pair of addresses, two compartments at left, blue and green;
# right answers from port 70 by blue's SA and from port 7 by green's. Who the owners are, the scenario says: of_blue, of_green
# and of_nobody run a command as such, rules_are sets the rules.
LEFT=ours

# `ip netns exec` has a /sys of its own, in which no control group is
left() { nsenter --net=/run/netns/left "$@"; }
of() { # COMPARTMENT COUNTER
	local text
	text=$(left ipsec-portctl stat "$1" --json)
	[[ $text =~ \"$2\":(-?[0-9]+) ]] && echo "${BASH_REMATCH[1]}"
}

# ---- the world -------------------------------------------------------------------------------------------------------------

# states COMPARTMENT REQID: a pair for each family, at both ends
states() {
	local f out_l out_r key_l key_r
	for f in 4 6; do
		if [ $f = 4 ]; then out_l=10.9.0.1 out_r=10.9.0.2; else out_l=fd09::1 out_r=fd09::2; fi
		spi_last=$((spi_last + 2)) key_l=$(new_key 20) key_r=$(new_key 20)
		for xfrm in "left ipsec-portctl -c $1" "ip -n right xfrm"; do
			$xfrm state add src $out_l dst $out_r proto esp spi $((spi_last - 1)) reqid "$2" mode tunnel replay-window 64 \
				aead 'rfc4106(gcm(aes))' "$key_l" 128 || return 1
			$xfrm state add src $out_r dst $out_l proto esp spi $spi_last reqid "$2" mode tunnel replay-window 64 \
				aead 'rfc4106(gcm(aes))' "$key_r" 128 || return 1
		done
		policy_pair "left ipsec-portctl -c $1" $f "$2" || return 1
	done
}
policy_pair() { # XFRM FAMILY REQID: left's
	if [ "$2" = 4 ]; then set -- "$1" "$3" 10.1.0.1/32 10.2.0.1/32 10.9.0.1 10.9.0.2
	else set -- "$1" "$3" fd01::1/128 fd02::1/128 fd09::1 fd09::2; fi
	$1 policy add src "$3" dst "$4" dir out tmpl src "$5" dst "$6" proto esp reqid "$2" mode tunnel &&
		$1 policy add src "$4" dst "$3" dir in tmpl src "$6" dst "$5" proto esp reqid "$2" mode tunnel
}
# right takes from both; its port says by which SA it answers
policies_of_right() {
	local words
	while read -r words; do
		# shellcheck disable=SC2086
		ip -n right xfrm policy add $words || return 1
	done <<-POLICIES
		src 10.1.0.1/32 dst 10.2.0.1/32 dir in tmpl src 10.9.0.1 dst 10.9.0.2 proto esp mode tunnel
		src fd01::1/128 dst fd02::1/128 dir in tmpl src fd09::1 dst fd09::2 proto esp mode tunnel
		$(for port in 70,1 7,2; do for proto in udp tcp; do
			echo "src 10.2.0.1/32 dst 10.1.0.1/32 proto $proto sport ${port%,*} dir out" \
				"tmpl src 10.9.0.2 dst 10.9.0.1 proto esp reqid ${port#*,} mode tunnel"
			echo "src fd02::1/128 dst fd01::1/128 proto $proto sport ${port%,*} dir out" \
				"tmpl src fd09::2 dst fd09::1 proto esp reqid ${port#*,} mode tunnel"
		done; done)
	POLICIES
}
world() {
	hosts_up && kernel_esp && insmod "$module" || return 1
	for c in blue green; do
		left ipsec-portctl compartment add $c engine "$ENGINE" deadline "$DEADLINE" "${quorum_words[@]}" || return 1
	done
	servers right && states blue 1 && states green 2 && policies_of_right && rules_are && watch left l0 && watch right r0 && wire_mark
}

# ---- out -------------------------------------------------------------------------------------------------------------------

# asks WHO ADDR PORT: a line to the echo, or the line of port 70, by TCP
asks() {
	local who=$1 line
	line=$(echo hello | $who timeout 6 nc -n -N -w 3 "$2" "$3" 2> /dev/null)
	[ "$line" ]
}
# leaves_by COMPARTMENT OTHER COMMAND...: it succeeds, and only COMPARTMENT has sent
leaves_by() {
	local mine other
	mine=$(of "$1" out-packets) other=$(of "$2" out-packets)
	until_true 20 "${@:3}" || { say "no answer; blue: $(of blue clear-for-protected) green: $(of green clear-for-protected)"; return 1; }
	[ "$(of "$1" out-packets)" -gt "$mine" ] && [ "$(of "$2" out-packets)" = "$other" ]
}
nothing_leaves() {
	local blue green
	blue=$(of blue out-packets) green=$(of green out-packets)
	fails "$@" && [ "$(of blue out-packets)" = "$blue" ] && [ "$(of green out-packets)" = "$green" ]
}
# refused COMPARTMENT REASON COMMAND...: it fails, and that is counted there
refused() {
	local before
	before=$(of "$1" "$2")
	if "${@:3}"; then say "it was answered"; return 1; fi
	[ "$(of "$1" "$2")" -gt "$before" ] || { say "$1 $2: $(of "$1" "$2"), before $before"; return 1; }
}

# ---- in --------------------------------------------------------------------------------------------------------------------

# hears WHO ADDR PORT [SECONDS]: a datagram from right's PORT gets to a socket of WHO's that is not connected, so many seconds
# after it was sent at most
hears() {
	cat > "$work/hear.py" <<'PYTHON'
import os, socket, sys, time
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 9000))
open(sys.argv[2], "w").close()
s.settimeout(0.1)
sent, end = False, time.monotonic() + 60
while time.monotonic() < end:
    try: sys.exit(not s.recv(100))
    except TimeoutError: pass
    if not sent and os.path.exists(sys.argv[2] + ".sent"):
        sent, end = True, time.monotonic() + float(sys.argv[3])
sys.exit(1)
PYTHON
	local waits=$work/hears.$RANDOM from=10.2.0.1
	[[ $2 != *:* ]] || from=fd02::1
	chmod 1777 "$work"	# blue's user may be another
	$1 python3 "$work/hear.py" "$2" "$waits" "${4:-20}" & local pid=$!
	until_true 20 test -e "$waits" || return 1
	at right python3 -c 'import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], int(sys.argv[3])))
s.sendto(b"hello", (sys.argv[2], 9000))' "$from" "$2" "$3"
	touch "$waits.sent"
	wait $pid
}

both_ways() { # FAMILY NEAR FAR
	check "$1: blue's packets leave by blue" leaves_by blue green asks of_blue "$3" 70
	check "$1: green's by green" leaves_by green blue asks of_green "$3" 7
	check "$1: those of nobody known by none" nothing_leaves asks of_nobody "$3" 70
	check "$1: a connection of blue's: what green's stack brings does not get in" refused blue clear-for-protected \
		asks of_blue "$3" 7
	check "$1: nor what blue's brings to one of green's" refused green clear-for-protected asks of_green "$3" 70
	pkill -f server.py; until_true 20 fails listens_udp right 7
	check "$1: a socket that waits: blue's hears what blue brings" hears of_blue "$2" 70
	check "$1: and not what green brings" refused blue clear-for-protected hears of_blue "$2" 7 3
	check "$1: green's hears what green brings" hears of_green "$2" 7
	check "$1: and not what blue brings" refused green clear-for-protected hears of_green "$2" 70 3
	check "$1: nobody's hears neither: blue" refused blue inner-address hears of_nobody "$2" 70 3
	check "$1: nor green" refused green inner-address hears of_nobody "$2" 7 3
	servers right
}

compartments_go() {
	: | left ipsec-portctl rule set -
	for c in blue green; do
		check "$c: the ledger balances" until_true 5 eval "[ \"\$(of $c balance)\" = 0 ]"
		check "$c: its stacks agreed" agreed left $c
		check "$c goes" left ipsec-portctl compartment del $c
	done
	check "what was made is freed" until_true 20 all_freed
	hosts_down
	check "the module goes" rmmod ipsec_port
	check "the kernel's log is clean" kernel_log_clean
}
