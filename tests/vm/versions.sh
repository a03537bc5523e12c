#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Devices that are not what the driver expects: interfaces newer and older than its own, and
# registers that read all ones. It says so and leaves them alone; the ones beside them work.

. tests/vm/lib.sh

need python3
vm_driver
hsm_new versions

all_ones() {
	for offset in 0x00 0x04 0x08 0x0c 0x10 0x14 0x18 0x1c 0x20 0x24 0x28 0x2c; do
		printf -- '--register %s=0xffffffff ' "$offset"
	done
}

point "the board starts" vm_board
point "a device of the next version" vm_middle newer 1 --count --register 0x08=0x00020000
point "one of a version before the first" vm_middle older 1 --count --register 0x08=0x00000009
point "one whose small changes are newer" vm_middle minor 1 --count --register 0x08=0x00010007
# shellcheck disable=SC2046	# options are words
point "one that is not there" vm_middle gone 1 --count $(all_ones)
vm_test --limit 150 --device "$TMPDIR/newer.sock" --device "$TMPDIR/older.sock" --device "$TMPDIR/gone.sock" \
	--device "$TMPDIR/minor.sock" --device "$(socket 1)" sh tests/vm/guest/versions
vm_end_middles
finish
