# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Hostile devices for a guest, tests/vm/device/. Sourced after tests/vm/lib.sh.

hostile_program=${HSM_BUILD:-build}/vhsm-fault
[ -x "$hostile_program" ] || {
	echo "1..0 # SKIP no vhsm-fault: make check-vm builds it"
	exit 0
}
hostile_pids=''
hostile_options=''
hostile_count=0
: >"$TMPDIR/figures"

# hostile SEED FAULTS RATE SLOW: one more device
hostile() {
	hostile_count=$((hostile_count + 1))
	rm -f "$TMPDIR/says$hostile_count"
	mkfifo "$TMPDIR/says$hostile_count"
	"$hostile_program" --socket "$TMPDIR/hostile$hostile_count.sock" --seed "$1" --faults "$2" --rate "$3" --slow "$4" \
		>"$TMPDIR/says$hostile_count" 2>"$TMPDIR/log$hostile_count" &
	hostile_pids="$hostile_pids $!"
	# A descriptor of the shell has one digit, and 3 is taken.
	eval "exec $((3 + hostile_count))<\"\$TMPDIR/says$hostile_count\""
	line=''
	read_line "$hostile_count" && [ "$line" = ready ] || return 1
	hostile_options="$hostile_options --device $TMPDIR/hostile$hostile_count.sock"
	eval "hostile_seed$hostile_count=$1"
}

read_line() {
	eval "IFS= read -r line <&$((3 + $1))"
}

# hostile_end: the devices go; each tells what it did. All of them did harm.
hostile_end() {
	hostile_harm=0
	# shellcheck disable=SC2086	# a list of numbers
	kill $hostile_pids
	for n in $(seq "$hostile_count"); do
		read_line "$n" || return 1
		hostile_seed=''
		eval "hostile_seed=\$hostile_seed$n"
		echo "# seed $hostile_seed: $line" | tee -a "$TMPDIR/figures"
		case $line in
		*completions=0* | *"mutated=0 looked=0 others=0"*) hostile_harm=1 ;;
		esac
	done
	# shellcheck disable=SC2086	# a list of numbers
	wait $hostile_pids
	hostile_pids=''
	hostile_options=''
	hostile_count=0
	return "$hostile_harm"
}

# hostile_sum WORD FILE: of all lines that have WORD=number
hostile_sum() {
	tr ' ' '\n' <"$2" | awk -F= -v word="$1" '$1 == word { sum += $2 } END { print sum + 0 }'
}
