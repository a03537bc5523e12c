#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 400
#
# A guest that sleeps, resets the function, and removes and finds the device again, under load.

. tests/vm/lib.sh

vm_driver
hsm_new power
point "the guest's program is built" vm_program load
point "the board starts" vm_board
point "its token" vm_init 1 test
point "its identity is known" vm_trust 1
vm_test --device "$(socket 1)" --smp 2 --limit 360 --append suspend.pm_test_delay=1 \
	sh tests/vm/guest/power
finish
