#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# What the kernel's own frameworks show of the device in a guest: random numbers, firmware upload,
# counters, trace points, a core dump after a reset, uevents.

# What the guest asks for: scripts/vm --host
if [ "${1:-}" = --host ]; then
	HSM_DEVICE=vhsm:$2
	export HSM_DEVICE
	case $4 in
	staged) exec cmp "$3/share/image" "$2/firmware.staged" ;;
	update) exec hsmctl firmware update "$3/next.img" ;;
	raise) exec hsmctl firmware minimum 2 --yes ;;
	esac
	exit 1
fi

. tests/vm/lib.sh

vm_driver
hsm_new frameworks
point "the board starts" vm_board
point "its token" vm_init 1 test
point "its identity is known" vm_trust 1
# Firmware of the next security version
next() {
	scripts/firmware-bundle "$HSM_BUILD/hsm-firmware" "$TMPDIR/next" "$HSM_BUILD" "$HSM_BUILD/dev-keys" 1.1 2 &&
		hsm-fw-sign image "$TMPDIR/next" "$TMPDIR/next.img"
}
point "firmware of the next version" next
head -c 100001 /dev/urandom >"$share/image"
vm_test --device "$(socket 0)" --device "$(socket 1)" --smp 2 --limit 240 \
	--host "tests/vm/frameworks.sh --host $dir $TMPDIR" sh tests/vm/guest/frameworks
finish
