#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 480
#
# A hostile device before the driver, in a guest of the stock kernel: for several seeds and choices
# of faults, a bounded number of operations on each, processes that are killed, the module unloaded
# and loaded. Nothing may be said by the kernel, nothing left that does not end. HOSTILE_COUNT is the
# number of operations on each device, HOSTILE_SEED the first seed. HOSTILE_MANY is the number of those on
# one more device, most of whose completions are wrong, which most often is no reason for a reset.

. tests/vm/lib.sh

device=${HSM_BUILD:-build}/vhsm-fault
[ -x "$device" ] || {
	echo "1..0 # SKIP no vhsm-fault: make check-vm builds it"
	exit 0
}
vm_driver
count=${HOSTILE_COUNT:-300}
seed=${HOSTILE_SEED:-1}
many=${HOSTILE_MANY:-0}
devices=4
completions=cid,queue,head,length,status,noise,ones,duplicate,late,order
registers=register,gone,capability,identify,context
pids=''
options=''

# hostile N FAULTS RATE SLOW: device N, with seed + N
hostile() {
	mkfifo "$TMPDIR/says$1"
	"$device" --socket "$TMPDIR/hostile$1.sock" --seed $((seed + $1)) --faults "$2" --rate "$3" --slow "$4" \
		>"$TMPDIR/says$1" 2>"$TMPDIR/log$1" &
	pids="$pids $!"
	eval "exec $((4 + $1))<\"\$TMPDIR/says$1\""
	read_line "$1" && [ "$line" = ready ] || return 1
	options="$options --device $TMPDIR/hostile$1.sock"
}

read_line() {
	eval "IFS= read -r line <&$((4 + $1))"
}

# Each tells at its end what it did.
figures() {
	# shellcheck disable=SC2086	# a list of numbers
	kill $pids
	for n in $(seq "$devices"); do
		read_line "$n" || return 1
		echo "# seed $((seed + n)): $line" | tee -a "$TMPDIR/figures"
	done
	awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^(completions|mutated|others)=/) {
		split($i, word, "="); sum[word[1]] += word[2] } }
		END { print "# in all: completions=" sum["completions"] " mutated=" sum["mutated"] " others=" sum["others"] }' \
		"$TMPDIR/figures"
	! grep -E ' (mutated=0 others=0|completions=0)' "$TMPDIR/figures"
}

point "the guest's program is built" vm_program hostile
point "a device whose completions lie" hostile 1 "$completions" 48 0
point "one whose registers and answers do" hostile 2 "$registers" 48 0
point "one that is late, or silent" hostile 3 phase,drop,hang,irq-lost,irq-other,irq-extra 24 2
point "one that does it all" hostile 4 all 96 1
if [ "$many" -gt 0 ]; then
	devices=5
	point "one that lies most of the time" hostile 5 status:2,short:2,cid:6000,queue:9000,head:6000,length:6000,duplicate:9000,late:6000,order:6000,event:50,irq-extra:500 1 0
fi
# The kernel's own tests of its ciphers take long where the processors are busy.
# shellcheck disable=SC2086	# options are words
vm_test $options --smp 2 --append cryptomgr.notests --limit $((420 + count / 5 + many / 10)) \
	sh tests/vm/guest/hostile "$devices" "$seed" "$count" "$many"
figures >"$out"
report $? "the devices did harm"
cat "$out"
sed -n 's/^0000:/# 0000:/p' "$vm_log"
finish
