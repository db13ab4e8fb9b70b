# shellcheck shell=bash disable=SC2034,SC2154
# One of a pair of guests (tests/vm/run --pair): left tells right what to do, so that a scenario is one list of checks.
# Left: ours, the kernel's IPsec modules kept out. Right: the kernel's own XFRM. PAIR_DIR is a folder that both see.

[ "$PAIR" = left ] && LEFT=ours RIGHT=none || LEFT=none RIGHT=kernel
# shellcheck source=tests/scenario/keying.sh
. "$(dirname "${BASH_SOURCE[0]}")/keying.sh"

# there COMMAND...: at right, whose shell knows the same words; its output and status
there() {
	local job
	job=$(mktemp "$PAIR_DIR/XXXXXX") && printf '%q ' "$@" > "$job" && mv "$job" "$job.job"
	until_true 200 test -e "$job.status" || { say "no answer: $*"; return 1; }
	cat "$job.out"
	return "$(cat "$job.status")"
}
# What left has to say to right, until it says `over`
serve() {
	local job
	until [ -e "$PAIR_DIR/over" ]; do
		for job in "$PAIR_DIR"/*.job; do
			[ ! -e "$job" ] || serve_one "${job%.job}"
		done
		sleep 0.05
	done
}
serve_one() {
	mv "$1.job" "$1.run"
	eval "$(cat "$1.run")" > "$1.out" 2>&1
	echo $? > "$1.new"
	mv "$1.new" "$1.status"
}
host_up() { # OWN INNER: the wire is called as net.sh calls its own
	local device wire=${PAIR:0:1}0
	modprobe virtio_net && until_true 20 device_there || return 1
	device=$(ls -d /sys/bus/virtio/drivers/virtio_net/*/net/*)
	ip netns add "$PAIR" && ip link set "${device##*/}" netns "$PAIR" name "$wire" || return 1
	at "$PAIR" sysctl -qw net.ipv4.ping_group_range="0 2147483647" net.ipv4.conf.all.promote_secondaries=1
	ip -n "$PAIR" link set lo up && ip -n "$PAIR" addr add "$1/24" dev "$wire" && ip -n "$PAIR" link set "$wire" up &&
		ip -n "$PAIR" addr add "$2/32" dev lo
}
device_there() { ls -d /sys/bus/virtio/drivers/virtio_net/*/net/* > /dev/null 2>&1; }
# The rules of left, from standard input
ours_up() {
	kernel_modules_out && insmod "$module" && ctl left compartment add blue engine "$ENGINE" deadline "$DEADLINE" &&
		ctl left relay enable && keyd left && ctl left rule set -
}
ours_down() { : | ctl left rule set - && until_true 10 settled left && ledger_balances left && ctl left compartment del blue && rmmod ipsec_port; }
stop() { pkill -TERM -x charon; until_true 20 no_charon; }
no_charon() { ! pgrep -x charon > /dev/null; }
gone() { [ -z "$(ipx "$PAIR" state list)$(ipx "$PAIR" policy list nosock)" ]; } # the kernel tells those of sockets, too
