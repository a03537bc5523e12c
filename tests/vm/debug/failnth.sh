#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 2400
#
# On the debug kernel: every allocation of the driver fails once, and which of its places that have
# one were not met, by the module's own list of calls.
# Function 0 also takes firmware; function 1 is told when something happens to its partition. HSM_FAILNTH:
# only these operations. HSM_FAILNTH_STRIDE: not each allocation of a long operation but one in so many, and
# each place still.

if [ "${1:-}" = --host ]; then
	[ "$3" = event ] || exit 1
	HSM_DEVICE=vfio-user:$2/failnth/run/fn1.sock exec hsmctl partition init --label event --pin-file "$2/so" \
		--new-pin-file "$2/user" --yes
fi

. tests/vm/lib.sh

vm_driver
hsm_new failnth
point "the guest's program is built" vm_program failnth
point "the board starts" vm_board
scripts/alloc-sites "$(scripts/vm --print-module)" | sort >"$TMPDIR/all"
cp "$TMPDIR/all" "$share/places"
# shellcheck disable=SC2086	# words
vm_test --device "$(socket 0)" --limit 2300 sh tests/vm/guest/debug "${HSM_FAILNTH_STRIDE:-1}" ${HSM_FAILNTH:-}
sed -n 's/^# site //p' "$vm_log" >"$TMPDIR/sites"
if [ -z "${HSM_FAILNTH:-}" ]; then
	vm_test --device "$(socket 1)" --limit 600 --host "tests/vm/debug/failnth.sh --host $TMPDIR" \
		sh tests/vm/guest/debug ihsm_event_work
	sed -n 's/^# site //p' "$vm_log" >>"$TMPDIR/sites"
fi

# What no guest can reach, and why
cat >"$TMPDIR/beyond" <<END
ihsm_sriov_configure pci_enable_sriov: under QEMU no function has virtual ones; KUnit has it fail
END

sort -u "$TMPDIR/sites" >"$TMPDIR/met"
grep -vwFf "$TMPDIR/met" "$TMPDIR/all" >"$TMPDIR/missed" || true
echo "# of $(wc -l <"$TMPDIR/all") places in the driver that may lack memory," \
	"$(($(wc -l <"$TMPDIR/all") - $(wc -l <"$TMPDIR/missed"))) failed"
while read -r site callee; do
	why=$(grep "^${site%+*} $callee: " "$TMPDIR/beyond") || why=": did not fail"
	echo "# not $site $callee: ${why#*: }"
done <"$TMPDIR/missed"
finish
