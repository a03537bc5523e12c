#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Bad input to the driver: its ioctls in a guest with two processors, and a module without a device.

. tests/vm/lib.sh

vm_driver
hsm_new ioctl
point "the guest's program is built" vm_program ioctl
point "the board starts" vm_board
vm_test --device "$(socket 1)" --smp 2 --limit 120 /run/share/ioctl
vm_test --limit 60 sh tests/vm/guest/no-device
finish
