#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 480
#
# hsmctl doctor, metrics and top in a guest with the driver and a board behind it: nothing is wrong, faults of driver,
# device file, bus, device and board are named with what to do, and the driver's counters count what was done.

. tests/vm/lib.sh

vm_driver
hsm_new doctor
point "the guest's program is built" vm_program load
point "the board starts" vm_board
point "its token" vm_init 1 test
point "its identity is known" vm_trust 1
chmod 755 "$share"
chmod 644 "$share/hsm.conf"
vm_test --no-load --device "$(socket 1)" --limit 420 --host "tests/vm/lifecycle.sh --host $board" \
	sh tests/vm/guest/doctor
finish
