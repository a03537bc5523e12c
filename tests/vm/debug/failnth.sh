#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 2400
#
# On the debug kernel: every allocation of the driver fails once, and which of its places that have
# one were met, by the module's own list of calls. Function 0 also takes firmware.

. tests/vm/lib.sh

vm_driver
hsm_new failnth
point "the guest's program is built" vm_program failnth
point "the board starts" vm_board
# shellcheck disable=SC2086	# words
vm_test --device "$(socket 0)" --limit 2300 sh tests/vm/guest/debug ${HSM_FAILNTH:-}
sed -n 's/^# site //p' "$vm_log" | sort -u >"$TMPDIR/met"
scripts/alloc-sites "$(scripts/vm --print-module)" >"$TMPDIR/all"
echo "# of $(wc -l <"$TMPDIR/all") places in the driver that allocate, $(cut -d' ' -f1 "$TMPDIR/all" |
	grep -cxFf "$TMPDIR/met") failed; not:"
grep -vFf "$TMPDIR/met" "$TMPDIR/all" | sed 's/^/# /'
finish
