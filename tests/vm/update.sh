#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 480
#
# Firmware is updated on the host while a guest has its device open and works with it: to another version,
# to firmware that is none, and back. What was under way ends with an error that says so or with its answer, the
# guest goes on with the same key, and is told.

# What the guest asks for: scripts/vm --host
if [ "${1:-}" = --host ]; then
	HSM_DEVICE=vhsm:$2
	export HSM_DEVICE
	case $4 in
	update) exec hsmctl firmware update "$3/$5.img" ;;
	# Which firmware runs
	runs) hsmctl firmware status --json | python3 -c 'import json, sys
sys.exit(not any(r["version"] == sys.argv[1] and "running" in r["state"] for r in json.load(sys.stdin)["firmware"]))' "$5" && exit ;;
	activate) exec hsmctl firmware activate "$5" ;;
	esac
	exit 1
fi

. tests/vm/lib.sh

need python3
vm_driver

# bundle NAME VERSION [PROGRAM]: an image of a bundle
bundle() {
	scripts/firmware-bundle "${3:-$HSM_BUILD/hsm-firmware}" "$TMPDIR/$1" "$HSM_BUILD" "$HSM_BUILD/dev-keys" "$2" 1 &&
		hsm-fw-sign image "$TMPDIR/$1" "$TMPDIR/$1.img"
}

hsm_new update
point "the guest's program is built" vm_program load
point "firmware of the next version" bundle next 1.1
point "firmware that is none" bundle dead 1.2 /bin/true
point "the board starts" vm_board
point "its token" vm_init 1 test
point "its identity is known" vm_trust 1
vm_test --device "$(socket 1)" --smp 2 --limit 420 --host "tests/vm/update.sh --host $dir $TMPDIR" \
	sh tests/vm/guest/update "$(sed -n 1p VERSION)"
same_board() {
	[ "$(hsm_board)" = "$board" ]
}
point "it is the same board" same_board
finish
