# shellcheck shell=bash disable=SC2154
# Peers that are not the kernel's ESP, between the same hosts and addresses; each in its best configuration. Sourced by guest.

# ---- WireGuard: in the kernel, or wireguard-go ---------------------------------------------------------------------------

# wireguard_link HOST kernel|go
wireguard_link() {
	if [ "$2" = kernel ]; then
		ip -n "$1" link add wg0 type wireguard
	else
		ip netns exec "$1" env WG_PROCESS_FOREGROUND=1 WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD=1 \
			unshare -m bash -c 'mkdir -p /run/wireguard && mount -t tmpfs sockets /run/wireguard && exec wireguard-go -f wg0' \
			> "$work/wireguard-go.$1" 2>&1 &
		until_true 60 ip -n "$1" link show wg0 > /dev/null 2>&1 && until_true 60 wireguard_of "$1" show wg0 > /dev/null 2>&1
	fi
}
# the program's socket lies in a directory of its own, one for each host: both call their device wg0
wireguard_of() {
	local host=$1 pid
	shift
	pid=$(pgrep -x wireguard-go | while read -r p; do [ "$(ip netns identify "$p")" != "$host" ] || echo "$p"; done | head -n 1)
	if [ "$pid" ]; then nsenter -t "$pid" -m -n wg "$@"; else at "$host" wg "$@"; fi
}
wireguard_up() { # kernel|go
	local h other net end
	modprobe wireguard && modprobe tun || return 1
	for h in left right; do (umask 077; wg genkey > "$work/$h.key"); done
	for h in left right; do
		if [ $h = left ]; then other=right net=10.2.0.0/24 end=10.9.0.2; else other=left net=10.1.0.0/24 end=10.9.0.1; fi
		wireguard_link $h "$1" || { cat "$work/wireguard-go.$h"; return 1; }
		wireguard_of $h set wg0 private-key "$work/$h.key" listen-port 51820 peer "$(wg pubkey < "$work/$other.key")" \
			endpoint $end:51820 allowed-ips $net || return 1
		ip -n $h link set wg0 up mtu 1420
		ip -n $h route replace $net dev wg0 src "$(inner_of $h)" || return 1
	done
}
inner_of() { [ "$1" = left ] && echo 10.1.0.1 || echo 10.2.0.1; }
wireguard_down() {
	local h
	pkill -x wireguard-go
	for h in left right; do ip -n $h link del wg0 2> /dev/null; done
	ip -n left route replace 10.2.0.0/24 via 10.9.0.2 src 10.1.0.1
	ip -n right route replace 10.1.0.0/24 via 10.9.0.1 src 10.2.0.1
}
