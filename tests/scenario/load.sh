# shellcheck shell=bash disable=SC2034,SC2154
# Load for storms: numbered UDP flows, files by TCP again and again, and what to ask of both afterwards. After ours.sh.

fails() { ! "$@"; }
# `list` asks only the kernel; `show` would wait for a stopped manager
attached() { [[ $(ctl left compartment list --json) =~ \"blue\"[^}]*\"stacks-attached\":1 ]]; }
# no packet but ESP, no number twice, nothing lost by the capture; and it did see the peer's ESP
wire_closed() { capture_off > "$work/wire.json" || { cat "$work/wire.json"; return 1; }; cat "$work/wire.json"; }

has_died() { [ "$(stat_of left stacks-died)" -ge "$1" ]; }
busy() { [ "$(stat_of left released)" -ge "$1" ]; }
declare -A receiver=()
receiver_on() { # FILE [END]: writes the numbers that arrive at END (right) to FILE, until receiver_off
	local end=${2:-right} addr=$near_right
	[ "$end" = right ] || addr=$near_left
	ip netns exec "$end" "$here/flow" receive "$addr" 9 "$1" &
	receiver[$end]=$!
	until_true 30 listens_udp "$end" 9
}
drained() { # [END]: two looks in a row at an empty receive queue and nothing pending
	local queue
	for _ in 1 2; do
		read -r _ queue _ <<< "$(at "${1:-right}" ss -Hlun sport = :9)"
		[ "$queue" = 0 ] || return 1
		if is_ours left; then settled left || return 1; fi
		sleep 0.2
	done
}
receiver_off() { # [END]
	until_true 20 drained "${1:-right}" || say "datagrams are left in the receiver's queue"
	kill -TERM "${receiver[${1:-right}]}"; wait "${receiver[${1:-right}]}"
}
endless() { # END ADDR: fetches the other end's big file again and again, comparing SHA-256, until $work/stop
	local times=0 bad=0
	until [ -e "$work/stop" ] && [ $times -gt 0 ]; do
		fetch "$1" "$2" 80 big || bad=$((bad + 1))
		times=$((times + 1))
	done
	echo "$times $bad" > "$work/endless.$1"
}
all_right() { # END: every transfer of the storm had the right SHA-256
	read -r times bad < "$work/endless.$1"
	say "$1: $times transfers, $bad wrong"
	[ "$bad" = 0 ] && [ "$times" -gt 0 ]
}
other_drops() { drops_of left | sed 's/\bno-stack [0-9]*//; s/ *$//'; }
# of a flow that was received; and no datagram of it was altered
sum_says() {
	python3 -c 'import json,sys; s=json.load(open(sys.argv[1])); sys.exit(s["altered"] or not eval(sys.argv[2], {}, s))' "$work/sum" "$1"
}
# Bytes the kernel holds for itself: slab, vmalloc, percpu, kernel stacks, page tables. Caches that empty on demand are not
# counted: reclaimable slab is dropped first.
kernel_memory() {
	echo 3 > /proc/sys/vm/drop_caches
	awk '/^(SUnreclaim|VmallocUsed|Percpu|KernelStack|PageTables):/ { sum += $2 } END { print sum * 1024 }' /proc/meminfo
}
