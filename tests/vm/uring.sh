#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The driver's commands by io_uring, and poll(), in guests with one and with two processors.

. tests/vm/lib.sh

vm_driver
hsm_new uring
point "the guest's program is built" vm_program uring
point "the board starts" vm_board
vm_test --device "$(socket 1)" --smp 2 --limit 120 /run/share/uring
vm_test --device "$(socket 1)" --limit 120 /run/share/uring
finish
