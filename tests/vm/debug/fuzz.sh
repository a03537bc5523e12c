#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 36000
#
# One guest after the other before a device most of whose completions are wrong, most often in a way that
# is no reason for a reset, until the driver has looked at HSM_FUZZ_COMPLETIONS of them and been given
# HSM_FUZZ_IOCTLS random ioctls. Each guest has a seed of its own, from HSM_FUZZ_SEED on, and HSM_FUZZ_OPERATIONS.
# One in three has two processors, where emulated ones wait for each other half of the time. In the first one,
# a tenth as long, kmemleak keeps account, which costs as much as all other instruments together, and is asked at
# the end.

. tests/vm/lib.sh
. tests/vm/hostile-lib.sh

vm_driver
wanted=${HSM_FUZZ_COMPLETIONS:-2000}
wanted_ioctls=${HSM_FUZZ_IOCTLS:-1000}
operations=${HSM_FUZZ_OPERATIONS:-100}
seed=${HSM_FUZZ_SEED:-101}
# One completion in so many ends in a reset; of the others three quarters have another status or length.
faults=status:2,short:2,cid:24000,queue:36000,head:24000,length:24000,duplicate:36000,late:24000,order:24000,event:50,irq-extra:500
completions=0
ioctls=0
guests=0

one_guest() {
	hostile "$seed" "$faults" 1 0 || return 1
	smp=$((guests % 3 ? 1 : 2))
	leaks=no
	length=$operations
	if [ "$guests" -eq 0 ] && [ "${HSM_GUEST:-}" = debug ]; then
		leaks=leaks
		length=$((operations / 10 + 100))
	fi
	# shellcheck disable=SC2086	# options are words
	vm_test $hostile_options --smp "$smp" --limit $((500 + operations)) \
		--append "cryptomgr.notests $([ "$leaks" = leaks ] || echo kmemleak=off) ${HSM_FUZZ_APPEND:-}" \
		sh tests/vm/guest/hostile 1 "$seed" "$length" many "$leaks"
	hostile_end
	report $? "the device of seed $seed did harm"
	sed -n 's/^0000:/# 0000:/p' "$vm_log" | tee -a "$TMPDIR/figures"
	[ "$vm_status" -eq 0 ]
}

point "the guest's program is built" vm_program hostile
while [ "$completions" -lt "$wanted" ] || [ "$ioctls" -lt "$wanted_ioctls" ]; do
	one_guest || break
	guests=$((guests + 1))
	seed=$((seed + 1))
	completions=$(hostile_sum looked "$TMPDIR/figures")
	ioctls=$(hostile_sum ioctls "$TMPDIR/figures")
	echo "# $guests guests: completions that were mutated and looked at: $completions, random ioctls: $ioctls"
done
enough() {
	[ "$completions" -ge "$wanted" ] && [ "$ioctls" -ge "$wanted_ioctls" ]
}
point "as many as were wanted" enough
finish
