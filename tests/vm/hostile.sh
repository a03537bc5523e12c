#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 600
#
# A hostile device before the driver, in a guest: for several seeds and choices of faults, a bounded
# number of operations on each, processes that are killed, the module unloaded and loaded. Nothing may
# be said by the kernel, nothing left that does not end. HOSTILE_COUNT is the number of operations on each
# device, HOSTILE_SEED the first seed.

. tests/vm/lib.sh
. tests/vm/hostile-lib.sh

vm_driver
count=${HOSTILE_COUNT:-300}
seed=${HOSTILE_SEED:-1}
completions=cid,queue,head,length,status,noise,ones,duplicate,late,order
registers=register,gone,capability,identify,context

point "the guest's program is built" vm_program hostile
point "a device whose completions lie" hostile $((seed + 1)) "$completions" 48 0
point "one whose registers and answers do" hostile $((seed + 2)) "$registers" 48 0
point "one that is late, or silent" hostile $((seed + 3)) phase,drop,hang,irq-lost,irq-other,irq-extra 24 2
point "one that does it all" hostile $((seed + 4)) all 96 1
# The kernel's own tests of its ciphers take long where the processors are busy.
# shellcheck disable=SC2086	# options are words
vm_test $hostile_options --smp 2 --append cryptomgr.notests --limit $((500 + count / 5)) \
	sh tests/vm/guest/hostile 4 "$seed" "$count"
hostile_end >"$out"
report $? "the devices did harm"
cat "$out"
sed -n 's/^0000:/# 0000:/p' "$vm_log"
finish
