#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 2400
#
# On the debug kernel: every allocation of the driver fails once, at each of its places that have one, by the
# module's own list of calls.
# Function 0 also takes firmware; function 1 is told when something happens to its partition; behind an IOMMU
# to map pages takes memory. HSM_FAILNTH: only these operations. Of an operation with many allocations one in
# HSM_FAILNTH_STRIDE fails, 8 unless it says; 1 is all of them, and takes a good deal longer.

if [ "${1:-}" = --host ]; then
	[ "$3" = event ] || exit 1
	HSM_DEVICE=vfio-user:$2/failnth/run/fn1.sock exec hsmctl partition init --label event --pin-file "$2/so" \
		--new-pin-file "$2/user" --yes
fi

. tests/vm/lib.sh

# What no guest can reach, and why
cat >"$TMPDIR/beyond" <<END
ihsm_sriov_configure pci_enable_sriov: under QEMU no function has virtual ones; KUnit has it fail
ihsm_probe ida_alloc_range: the first 60 numbers of devices take no memory
ihsm_probe pci_enable_device_mem: a function without an interrupt pin takes no memory to be enabled
END

# Where the first guest's device is not the one to fail: FUNCTION CALLEE
cat >"$TMPDIR/elsewhere" <<END
ihsm_event_work kobject_uevent
ihsm_payload_map dma_map_sgtable
END

# places LIST: the lines "FUNCTION+OFFSET CALLEE" of standard input whose function and callee begin a line of LIST
places() {
	while read -r site callee; do
		! grep -qE "^${site%%[.+]*} $callee(:|\$)" "$1" || echo "$site $callee"
	done
}

# guest SOCKET LIMIT ARGUMENT...: and the places that failed
guest() {
	at=$1 limit=$2
	shift 2
	vm_test --device "$at" --limit "$limit" --host "tests/vm/debug/failnth.sh --host $TMPDIR" $options \
		sh tests/vm/guest/debug "$@"
	sed -n 's/^# site //p' "$vm_log" >>"$TMPDIR/sites"
}

vm_driver
hsm_new failnth
options=''
point "the guest's program is built" vm_program failnth
point "the board starts" vm_board
scripts/alloc-sites "$(scripts/vm --print-module)" | sort >"$TMPDIR/all"
places "$TMPDIR/beyond" <"$TMPDIR/all" >"$TMPDIR/unreachable"
places "$TMPDIR/elsewhere" <"$TMPDIR/all" >"$TMPDIR/others"
grep -vxFf "$TMPDIR/unreachable" "$TMPDIR/all" | grep -vxFf "$TMPDIR/others" >"$share/places"
# shellcheck disable=SC2086	# words
guest "$(socket 0)" 2300 "${HSM_FAILNTH_STRIDE:-8}" ${HSM_FAILNTH:-}
if [ -z "${HSM_FAILNTH:-}" ]; then
	grep '^ihsm_event_work' "$TMPDIR/others" >"$share/places"
	guest "$(socket 1)" 600 places event
	grep '^ihsm_payload_map' "$TMPDIR/others" >"$share/places"
	options=--iommu
	guest "$(socket 1)" 600 places large-command
fi

sort -u "$TMPDIR/sites" >"$TMPDIR/met"
grep -vwFf "$TMPDIR/met" "$TMPDIR/all" >"$TMPDIR/missed" || true
echo "# of $(wc -l <"$TMPDIR/all") places in the driver that may lack memory," \
	"$(($(wc -l <"$TMPDIR/all") - $(wc -l <"$TMPDIR/missed"))) failed"
while read -r site callee; do
	why=$(grep "^${site%+*} $callee: " "$TMPDIR/beyond") || why=": did not fail"
	echo "# not $site $callee: ${why#*: }"
done <"$TMPDIR/missed"
finish
