# shellcheck shell=bash disable=SC2154
# Several compartments at left, each with addresses of its own, a tunnel and rules; the kernel's ESP at right. Behind ours.sh;
# `names` are theirs, by index.
own() { echo "10.1.0.$(($1 + 1))"; }
peer() { echo "10.2.0.$(($1 + 1))"; }
reaches() { at right ping -nq -c 1 -W 2 -I "$(peer "$1")" "$(own "$1")" > /dev/null; }
# The first of each is there: near_left and near_right.
second_addresses() {
	ip -n left addr add "$(own 1)/32" dev lo
	ip -n right addr add "$(peer 1)/32" dev lo
	ip -n left route replace "$(peer 0)/32" via 10.9.0.2 src "$(own 0)"
	ip -n left route replace "$(peer 1)/32" via 10.9.0.2 src "$(own 1)"
	ip -n right route replace "$(own 0)/32" via 10.9.0.1 src "$(peer 0)"
	ip -n right route replace "$(own 1)/32" via 10.9.0.1 src "$(peer 1)"
}
# join INDEX WORDS...: a compartment with these words of `compartment add`, and its tunnel: SPIs 0x2000 + 2 * INDEX and the next
join() {
	local k=$1 name=${names[$1]} id=$(($1 + 1)) out=(10.9.0.1 10.9.0.2) spi words
	shift
	ctl left compartment add "$name" engine "$ENGINE" deadline "$DEADLINE" "$@" || return 1
	for spi in $((0x2000 + 2 * k)) $((0x2001 + 2 * k)); do
		algorithm_words "$CIPHER"
		words=(src "${out[0]}" dst "${out[1]}" proto esp spi "$spi" reqid "$id" mode tunnel replay-window 64 "${words[@]}")
		ctl left -c "$name" state add "${words[@]}" && ip -n right xfrm state add "${words[@]}" || return 1
		out=(10.9.0.2 10.9.0.1)
	done
	policies "$(own "$k")" "$(peer "$k")" 10.9.0.1 10.9.0.2 $id ctl left -c "$name" policy add &&
		policies "$(peer "$k")" "$(own "$k")" 10.9.0.2 10.9.0.1 $id ip -n right xfrm policy add
}
policies() { # OWN OTHER OUTER-OWN OUTER-OTHER REQID COMMAND...
	"${@:6}" src "$1" dst "$2" dir out tmpl src "$3" dst "$4" proto esp reqid "$5" mode tunnel &&
		"${@:6}" src "$2" dst "$1" dir in tmpl src "$4" dst "$3" proto esp reqid "$5" mode tunnel
}
rules() { # INDEX...
	local k
	for k in "$@"; do
		echo "out from $(own "$k") to $(peer "$k") -> ${names[$k]} protect"
		echo "in from $(peer "$k") to $(own "$k") -> ${names[$k]} protect"
	done
}
median() { printf '%s\n' "$@" | sort -n | awk '{ r[NR] = $1 } END { print r[int((NR + 1) / 2)] }'; }
