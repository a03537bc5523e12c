#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# hsmctl driver with a real kernel: status, load, unload, and what it says when the kernel refuses.

. tests/vm/lib.sh

vm_driver
hsm_new driver
point "the board starts" vm_board
vm_test --no-load --limit 120 --device "$(socket 1)" sh tests/vm/guest/hsmctl-driver
finish
