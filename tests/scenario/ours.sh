# shellcheck shell=bash disable=SC2034
# The two ends of a protected path. LEFT and RIGHT say who transforms at each: `ours` or `kernel`. The scenarios are the same
# for both, so each can be run with LEFT=kernel first: then a failure with LEFT=ours is ours and not the script's.
#
# left and right are network namespaces joined by one veth pair, l0 - r0. Inner addresses sit on lo:
#       left  10.1.0.1  fd01::1  | l0 10.9.0.1  fd09::1  ===  r0 10.9.0.2  fd09::2 |  right 10.2.0.1  fd02::1
# Neighbours are permanent, so that whatever is not ESP on the wire is a leak. Captures take what LEAVES l0 and r0: a packet
# that comes in appears a second time, decrypted, to a capture at its receiver.

top=${top:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
here=$top/tests/scenario
work=${work:-$(mktemp -d)}
LEFT=${LEFT:-ours} RIGHT=${RIGHT:-kernel}
DEADLINE=${DEADLINE:-5000}
ENGINE=${ENGINE:-ipsecmb,openssl}
case $(uname -r) in *-debug) kernel_name=debug ;; *-race) kernel_name=race ;; 6.12.*) kernel_name=6.12 ;; *) kernel_name=6.1 ;; esac
module=$top/build/kmod-$kernel_name/ipsec_port.ko
export PATH=$top/build:$top/build/bin:$top/build/tools:$top/build/daemon:$PATH

say() { printf '# %s\n' "$*"; }
at() { ip netns exec "$@"; }
end_of() { [ "$1" = left ] && echo "$LEFT" || echo "$RIGHT"; }
compartment_of() { [ "$1" = left ] && echo blue || echo red; }
is_ours() { [ "$(end_of "$1")" = ours ]; }
any_ours() { [ "$LEFT" = ours ] || [ "$RIGHT" = ours ]; }

# until_true SECONDS COMMAND...: asks again and again, gives up after so many seconds of the guest's time; ten times as many
# on the kernel that watches itself
slow=1
[[ $kernel_name != @(debug|race) ]] || slow=10
until_true() {
	local end=$((SECONDS + $1 * slow)); shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

# A guest under emulation starts few programs a second: so one `ip` for each namespace, that reads what to do.
# host_up END OWN OTHER: the last numbers of its addresses and of the other end's
host_up() {
	ip -n "$1" -batch - <<-HOST
		link set lo up
		addr add 10.9.0.$2/24 dev ${1:0:1}0
		addr add fd09::$2/64 dev ${1:0:1}0 nodad
		addr add 10.$2.0.1/32 dev lo
		addr add fd0$2::1/128 dev lo nodad
		link set ${1:0:1}0 up
		neigh replace 10.9.0.$3 dev ${1:0:1}0 lladdr 02:00:00:00:00:0$3 nud permanent
		neigh replace fd09::$3 dev ${1:0:1}0 lladdr 02:00:00:00:00:0$3 nud permanent
	HOST
}
# The same, once both devices are up
host_routes() {
	ip -n "$1" -batch - <<-HOST
		route add 10.$3.0.0/24 via 10.9.0.$3 src 10.$2.0.1
		route add fd0$3::/64 via fd09::$3 src fd0$2::1
	HOST
}
hosts_up() {
	local h
	for h in left right; do
		ip netns add $h
		at $h sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0 \
			net.ipv6.conf.default.router_solicitations=0 net.ipv4.ping_group_range="0 2147483647"
	done
	ip link add l0 netns left address 02:00:00:00:00:01 type veth peer name r0 netns right address 02:00:00:00:00:02
	host_up left 1 2
	host_up right 2 1
	host_routes left 1 2
	host_routes right 2 1
}

hosts_down() {
	local h
	for h in left right; do
		ip netns pids $h 2>/dev/null | xargs -r kill -9
	done
	wait 2>/dev/null
	for h in left right; do ip netns del $h; done
}

# The kernel's ESP, and the fast ciphers that no udev loads here: without them the comparison is with generic C.
# shellcheck disable=SC2120
kernel_esp() {
	local m line wanted=()
	[ "${ESP_OFFLOAD:-1}" != 1 ] || set -- esp4_offload esp6_offload "$@"
	for m in aesni_intel ghash_clmulni_intel chacha_x86_64 poly1305_x86_64 gcm ctr chacha20poly1305 authenc echainiv seqiv \
		esp4 esp6 ah4 ah6 xfrm_user "$@"; do
		[ -d "/sys/module/$m" ] || wanted+=("$m")
	done
	[ ${#wanted[@]} = 0 ] || modprobe -a "${wanted[@]}" 2>&1 | while IFS= read -r line; do say "$line"; done
}

ctl() { # ctl END WORDS...
	local end=$1; shift
	at "$end" ipsec-portctl "$@"
}
# xf END state|policy ...: the words of `ip xfrm`, wherever they go
xf() {
	local end=$1; shift
	if is_ours "$end"; then
		ctl "$end" -c "$(compartment_of "$end")" "$@"
	else
		ip -n "$end" xfrm "$@"
	fi
}

# line WORDS...: as xf_lines takes it
line() { printf "'%s' " "$@"; echo; }
# xf_lines END: the words of `ip xfrm`, a line each, from standard input. Into a namespace is a longer way than into a program:
# it is gone once for all of them.
xf_lines() {
	if ! is_ours "$1"; then sed 's/^/xfrm /' | ip -n "$1" -batch -; return; fi
	# shellcheck disable=SC2016
	at "$1" bash -c 'while IFS= read -r line; do
		eval "ipsec-portctl -c $0 $line" < /dev/null || exit 1
	done' "$(compartment_of "$1")"
}

# QUORUM=1 (make check-quorum): each compartment has three stacks that share no code, of which two must agree. All three have
# AES-256-GCM and not AES-128-GCM, so each key of that is one of this.
quorum_words=()
[ ! "${QUORUM:-}" ] || quorum_words=(stacks 3 quorum 2 builds own,sodium,rust)

# ends_up [WORDS OF compartment add...]
ends_up() {
	local end
	[ "$LEFT" = kernel ] || [ "$RIGHT" = kernel ] && kernel_esp
	any_ours || return 0
	[ -d /sys/module/ipsec_port ] || insmod "$module" || return 1
	for end in left right; do
		is_ours $end || continue
		ctl $end compartment add "$(compartment_of $end)" engine "$ENGINE" deadline "$DEADLINE" "${quorum_words[@]}" "$@" ||
			return 1
	done
}
# Under QUORUM=1: what left was voted on, and no stack said of anything what the two others did not
agreed() { # END [COMPARTMENT]
	local name=${2:-$(compartment_of "$1")} voted released mismatches
	[ "${QUORUM:-}" ] || return 0
	voted=$(stat_of "$1" voted "$name") released=$(stat_of "$1" released "$name") mismatches=$(stat_of "$1" mismatches "$name")
	say "$1: $name: voted on $voted, released $released, mismatches $mismatches"
	[ "$mismatches" = 0 ] || { ctl "$1" quorum list "$name"; return 1; }
	[ "$voted" -gt 0 ] || [ "$released" = 0 ]
}

# stat_of END KEY [COMPARTMENT]: a counter, or a drop by its reason. Without a program for it: a guest under emulation starts
# few a second.
stat_of() {
	local text
	text=$(ctl "$1" stat "${3:-$(compartment_of "$1")}" --json)
	[[ $text =~ \"$2\":(-?[0-9]+) ]] && echo "${BASH_REMATCH[1]}"
}
# drops_of END: "reason count" of each that is not 0, on one line
drops_of() {
	ctl "$1" stat "$(compartment_of "$1")" --json |
		sed 's/.*"drops":{//; s/}.*//; y/,/\n/' | sed -n '/:0$/d; s/"\(.*\)":\(.*\)/\1 \2/p' | tr '\n' ' '
}
# Ledger of invariant 6: captured is the sum of what became of it. A packet is on its way before it is counted so.
balanced() { [ "$(stat_of "$1" balance)" = 0 ]; }
ledger_balances() {
	until_true 2 balanced "$1" || { ctl "$1" stat "$(compartment_of "$1")"; return 1; }
}

# stack_of END: pid of the compartment's stack, seen from here. The manager is the parent.
manager_of() { pgrep -f "ipsec-portd.* $(compartment_of "$1")\$" | head -n 1; }
stack_of() {
	local manager
	manager=$(manager_of "$1") && [ -n "$manager" ] && pgrep -P "$manager" | head -n 1
}

ends_down() {
	local end made
	any_ours || { ip -n left xfrm state flush; ip -n left xfrm policy flush; ip -n right xfrm state flush; ip -n right xfrm policy flush; return 0; }
	for end in left right; do
		if is_ours $end; then
			: | ctl $end rule set - || return 1
			until_true 10 settled $end || say "$end: tickets still pending"
			ledger_balances $end || return 1
			agreed $end || return 1
			say "$end: drops: $(drops_of $end)"
			ctl $end compartment del "$(compartment_of $end)" || return 1
		else
			ip -n $end xfrm state flush; ip -n $end xfrm policy flush
		fi
	done
	if [ "${KEEP_MODULE:-0}" = 0 ]; then
		until_true 10 all_freed || say "not all objects are freed"
		made=$(objects) || return 1
		say "objects made and freed: $made"
		rmmod ipsec_port || return 1
		[ "${made% *}" = "${made#* }" ]
	fi
}
all_freed() { local made; made=$(objects) && [ "${made% *}" = "${made#* }" ]; }
settled() { [ "$(stat_of "$1" pending)" = 0 ]; }
# objects the module made and freed, in this namespace; equal when no compartment is left
objects() {
	local text
	text=$(ctl left stat --json)
	[[ $text =~ \"objects-made\":([0-9]+),\"objects-freed\":([0-9]+) ]] && echo "${BASH_REMATCH[1]} ${BASH_REMATCH[2]}"
}

new_key() { # BYTES
	[ ! "${QUORUM:-}" ] || [ "$1" != 20 ] || set -- 36
	od -An -vtx1 -N "$1" /dev/urandom | tr -d ' \n' | sed 's/^/0x/'
}
spi_last=$((0x1000 + RANDOM))

# algorithm_words ALGORITHM: sets `words` to those of `state add`, with a fresh key. An AEAD, its bits, and its ICV's where
# they are not 128; or CIPHER+MAC; or a cipher alone, which is without integrity; or ah-MAC, which is AH's.
algorithm_words() {
	local bits=${1//[^0-9]/} cipher=${1%%+*} mac=${1#*+}
	case $1 in
	aes*+* | aes*ctr | aes*cbc | camellia* | null* | des*) ;;
	ah-*) mac=${1#ah-} cipher=$1 ;;
	aes*icv*) words=(aead 'rfc4106(gcm(aes))' "$(new_key $((${bits:0:3} / 8 + 4)))" $((10#${bits:3}))); return ;;
	aes*) words=(aead 'rfc4106(gcm(aes))' "$(new_key $((bits / 8 + 4)))" 128); return ;;
	chacha) words=(aead 'rfc7539esp(chacha20,poly1305)' "$(new_key 36)" 128); return ;;
	ccm*) words=(aead 'rfc4309(ccm(aes))' "$(new_key $((${bits:0:3} / 8 + 3)))" $((10#${bits:3}))); return ;;
	gmac*) words=(aead 'rfc4543(gcm(aes))' "$(new_key $((bits / 8 + 4)))" 128); return ;;
	*) say "algorithm $1?"; return 1 ;;
	esac
	bits=${cipher//[^0-9]/}
	case $cipher in
	ah-*) words=() ;;
	aes*ctr) words=(enc 'rfc3686(ctr(aes))' "$(new_key $((bits / 8 + 4)))") ;;
	aes*) words=(enc 'cbc(aes)' "$(new_key $((bits / 8)))") ;;
	camellia*) words=(enc 'cbc(camellia)' "$(new_key $((bits / 8)))") ;;
	null) words=(enc 'ecb(cipher_null)' '') ;;
	des3) words=(enc 'cbc(des3_ede)' "$(new_key 24)") ;;
	des) words=(enc 'cbc(des)' "$(new_key 8)") ;;
	esac
	case $mac in
	md5) words+=(auth-trunc 'hmac(md5)' "$(new_key 16)" 96) ;;
	sha1) words+=(auth 'hmac(sha1)' "$(new_key 20)") ;;
	sha256) words+=(auth-trunc 'hmac(sha256)' "$(new_key 32)" 128) ;;
	sha256short) words+=(auth 'hmac(sha256)' "$(new_key 32)") ;;
	sha384) words+=(auth-trunc 'hmac(sha384)' "$(new_key 48)" 192) ;;
	sha512) words+=(auth-trunc 'hmac(sha512)' "$(new_key 64)" 256) ;;
	xcbc) words+=(auth-trunc 'xcbc(aes)' "$(new_key 16)" 96) ;;
	cmac) words+=(auth-trunc 'cmac(aes)' "$(new_key 16)" 96) ;;
	"$cipher") ;;
	*) say "algorithm $1?"; return 1 ;;
	esac
}

# protect MODE FAMILIES ALGORITHM [window N] [esn] [encap PORT-LEFT PORT-RIGHT]
#   MODE tunnel or beet, FAMILIES 4in4 4in6 6in4 6in6 (INNERinOUTER); MODE transport, FAMILIES 4 or 6
# The SAs that left sends and receives with are also given the words of out_words and in_words; at right, of far_out_words and
# far_in_words.
# One SA each way with fresh keys, and its policies, at both ends; a port rule where the end is ours. Sets near_left and
# near_right (the addresses that applications use), spi_left and spi_right (of what left and right send).
out_words=() in_words=() far_out_words=() far_in_words=()
protect() {
	local proto=esp out=() in=() sel_right=() sel_left=()
	local mode=$1 families=$2 algorithm=$3 window=64 flags=() words words_l words_r outer inner
	local out_l out_r net_l net_r net_own net_other out_own out_other end other to_right=() to_left=()
	shift 3
	while [ $# -gt 0 ]; do
		case $1 in
		window) window=$2; shift 2 ;;
		esn) flags=(esn); shift ;;
		encap) to_right=(encap espinudp "$2" "$3" 0.0.0.0) to_left=(encap espinudp "$3" "$2" 0.0.0.0); shift 3 ;;
		*) say "protect: $1?"; return 1 ;;
		esac
	done
	[ "${algorithm#ah-}" = "$algorithm" ] || proto=ah
	algorithm_words "$algorithm" || return 1
	words_l=("${words[@]}")
	algorithm_words "$algorithm" || return 1
	words_r=("${words[@]}")
	inner=${families%in*} outer=${families#*in}
	[ "$mode" = tunnel ] && [ "$inner" != "$outer" ] && flags+=(af-unspec)
	if [ "$outer" = 4 ]; then out_l=10.9.0.1 out_r=10.9.0.2; else out_l=fd09::1 out_r=fd09::2; fi
	if [ "$mode" = transport ]; then
		near_left=$out_l near_right=$out_r
		if [ "$outer" = 4 ]; then net_l=$out_l/32 net_r=$out_r/32; else net_l=$out_l/128 net_r=$out_r/128; fi
	elif [ "$inner" = 4 ]; then
		near_left=10.1.0.1 near_right=10.2.0.1 net_l=10.1.0.0/24 net_r=10.2.0.0/24
	else
		near_left=fd01::1 near_right=fd02::1 net_l=fd01::/64 net_r=fd02::/64
	fi
	if [ "$mode" = beet ]; then
		net_l=$near_left/${net_l#*/} net_r=$near_right/${net_r#*/}
		net_l=${net_l/%\/24/\/32} net_r=${net_r/%\/24/\/32} net_l=${net_l/%\/64/\/128} net_r=${net_r/%\/64/\/128}
		sel_right=(sel src $net_l dst $net_r) sel_left=(sel src $net_r dst $net_l)
	fi
	spi_last=$((spi_last + 2))
	spi_left=$(printf '0x%x' $((spi_last - 1))) spi_right=$(printf '0x%x' $spi_last)
	for end in left right; do
		[ $end = right ] || { out=("${out_words[@]}"); in=("${in_words[@]}"); }
		[ $end = left ] || { out=("${far_out_words[@]}"); in=("${far_in_words[@]}"); }
		net_own=$net_l net_other=$net_r out_own=$out_l out_other=$out_r
		[ $end = left ] || { net_own=$net_r net_other=$net_l out_own=$out_r out_other=$out_l; }
		{
			line state add src $out_l dst $out_r proto $proto spi "$spi_left" reqid 1 mode "$mode" replay-window "$window" \
				${flags[0]+flag "${flags[@]}"} "${words_l[@]}" "${to_right[@]}" "${sel_right[@]}" "${out[@]}"
			line state add src $out_r dst $out_l proto $proto spi "$spi_right" reqid 1 mode "$mode" replay-window "$window" \
				${flags[0]+flag "${flags[@]}"} "${words_r[@]}" "${to_left[@]}" "${sel_left[@]}" "${in[@]}"
			policy_lines $net_own $net_other $out_own $out_other "$mode" $proto
		} | xf_lines $end || return 1
	done
	for end in left right; do
		is_ours $end || continue
		if [ $end = left ]; then other=$net_r; else other=$net_l; fi
		ctl $end rule set - <<-RULES || return 1
			out to $other -> $(compartment_of $end) protect
			in from $other -> $(compartment_of $end) protect
		RULES
	done
}
policy_lines() { # OWN-NET OTHER-NET OWN-OUTER OTHER-OUTER MODE [PROTO]
	local proto=${6:-esp}
	local tmpl_out=(tmpl proto "$proto" reqid 1 mode "$5") tmpl_in=(tmpl proto "$proto" reqid 1 mode "$5")
	if [ "$5" != transport ]; then
		tmpl_out=(tmpl src "$3" dst "$4" proto "$proto" reqid 1 mode "$5")
		tmpl_in=(tmpl src "$4" dst "$3" proto "$proto" reqid 1 mode "$5")
	fi
	line policy add src "$1" dst "$2" dir out "${tmpl_out[@]}"
	line policy add src "$2" dst "$1" dir in "${tmpl_in[@]}"
}
policy() { # END OWN-NET OTHER-NET OWN-OUTER OTHER-OUTER MODE [PROTO]
	policy_lines "${@:2}" | xf_lines "$1"
}
# Takes away what protect made. Where ours stays as it is under a protect rule, nothing passes in clear from here on.
unprotect() {
	local end
	for end in left right; do
		if is_ours $end; then : | ctl $end rule set -; fi
		xf $end policy flush
		xf $end state flush
	done
}

# What the kernel's own ESP needs on its port, and an IKE daemon has; "ike N" to FILE for each message of another kind
esp_socket() { # END PORT FILE
	ip netns exec "$1" python3 -c 'import select, socket, struct, sys
def bound(family, level, policy):
    udp = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        udp.setsockopt(level, socket.IPV6_V6ONLY, 1)
    udp.setsockopt(socket.IPPROTO_UDP, 100, 2)		# UDP_ENCAP, ESP in UDP
    for direction in (0, 1):				# XFRM_POLICY_IN, _OUT: allow
        if sys.argv[3] == "kernel":
            udp.setsockopt(level, policy, struct.pack("=40xH110xII4B4x", family, 0, 0, direction, 0, 0, 0))
    udp.bind(("", int(sys.argv[1])))
    return udp
both = [bound(socket.AF_INET, socket.IPPROTO_IP, 17), bound(socket.AF_INET6, socket.IPPROTO_IPV6, 35)]
with open(sys.argv[2], "w", buffering=1) as file:
    while True:
        for udp in select.select(both, [], [])[0]:
            file.write(f"ike {len(udp.recv(65535))}\n")' "$2" "$3" "$(end_of "$1")" & disown
	until_true 30 listens_udp "$1" "$2"
}

# ---- looking at the wire ---------------------------------------------------------------------------------------------

# capture_on NAME [SNAPLEN]: from both ends, what leaves; returns when both captures are listening
captures=
capture_on() {
	local end dev
	captures=$1
	for end in left right; do
		dev=${end:0:1}0
		ip netns exec $end tcpdump -i "$dev" -Z root -s "${2:-96}" -B 65536 -Q out -w "$work/$1.$end.pcap" 2> "$work/$1.$end.log" &
		printf '%s\n' $! > "$work/$1.$end.pid"
	done
	for end in left right; do
		until_true 20 grep -q 'listening on' "$work/$1.$end.log" || { cat "$work/$1.$end.log"; return 1; }
	done
}
# mark_capture END TEXT: a frame of a kind of its own, which wire knows
mark_capture() {
	at "$1" python3 -c 'import socket, sys
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((sys.argv[1], 0))
out.send(bytes(12) + b"\x88\xb5" + sys.argv[2].encode().ljust(46))' "${1:0:1}0" "$2"
}
# capture_off [--clear-allowed]: ends the captures and prints what wire found; its exit status is wire's. A last frame of a
# kind of its own goes out at both ends; a capture is complete when it is in the file.
capture_off() {
	local end pid
	for end in left right; do
		mark_capture $end 'end of capture'
	done
	for end in left right; do
		pid=$(cat "$work/$captures.$end.pid")
		until_true 20 complete "$pid" "$work/$captures.$end.pcap" || say "$captures.$end: incomplete"
		kill -TERM "$pid" && wait "$pid"
	done
	"$here/wire" "$@" --dropped "$work/$captures.left.log" --dropped "$work/$captures.right.log" \
		"$work/$captures.left.pcap" "$work/$captures.right.pcap" > "$work/$captures.json"
	local status=$?
	cat "$work/$captures.json"
	return $status
}
complete() { kill -USR2 "$1" && grep -qa 'end of capture' "$2"; }
json() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$1" "$2"; }

# ---- files over HTTP --------------------------------------------------------------------------------------------------

# file_server END ADDR PORT: python's http.server on $work/END.files, whose files appear by `make_file END NAME MEGABYTES`
file_server() {
	mkdir -p "$work/$1.files"
	ip netns exec "$1" python3 -m http.server --bind "$2" --directory "$work/$1.files" "$3" > "$work/$1.http.log" 2>&1 &
	until_true 60 listens "$1" "$3"
}
listens() { at "$1" ss -Hltn "sport = :$2" | grep -q .; }
listens_udp() { at "$1" ss -Hlun "sport = :$2" | grep -q .; }
make_file() {
	mkdir -p "$work/$1.files"
	head -c "$3M" /dev/urandom > "$work/$1.files/$2"
}
sum_of() { sha256sum < "$1" | cut -d ' ' -f 1; }
url() { case $1 in *:*) echo "http://[$1]:$2/$3" ;; *) echo "http://$1:$2/$3" ;; esac; }
# fetch END ADDR PORT FILE: gets it at END from the other end's server and compares SHA-256
fetch() {
	local other=right
	[ "$1" = right ] && other=left
	rm -f "$work/got.$1.$4"
	at "$1" curl -gsS --max-time "${FETCH_SECONDS:-300}" -o "$work/got.$1.$4" "$(url "$2" "$3" "$4")" || return 1
	[ "$(sum_of "$work/got.$1.$4")" = "$(sum_of "$work/$other.files/$4")" ] || { say "$4: SHA-256 differs"; return 1; }
}

# ---- KTAP ----------------------------------------------------------------------------------------------------------------

tap_count=0 tap_failed=0
check() { # check "what" COMMAND...
	local what=$1; shift
	tap_count=$((tap_count + 1))
	if "$@"; then
		echo "ok $tap_count $what"
	else
		echo "not ok $tap_count $what"
		tap_failed=$((tap_failed + 1))
		return 1
	fi
}
plan() {
	echo "1..$tap_count"
	[ $tap_failed = 0 ] && [ $tap_count -gt 0 ]
}
# What the kernel said since the scenario began: no warning, no oops, no lockdep, no hung task. (The guest also panics on them.)
kernel_log_clean() {
	! dmesg | grep -E 'WARNING|BUG|Oops|general protection|Call Trace|hung task|unregister_netdevice|refcount|UBSAN|non-static key|suspected memory leak' || return 1
}
