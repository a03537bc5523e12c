#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 400
#
# Errors of the bus in a guest: correctable, non-fatal and fatal ones, by the kernel's own injection,
# under load.

. tests/vm/lib.sh

vm_driver
hsm_new aer
point "the guest's program is built" vm_program load
point "the board starts" vm_board
point "its token" vm_init 1 test
point "its identity is known" vm_trust 1
vm_test --device "$(socket 1)" --smp 2 --limit 360 sh tests/vm/guest/aer
finish
