#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# What the kernel's own frameworks show of the device in a guest: random numbers, firmware upload,
# counters, trace points, a core dump after a reset, uevents.

. tests/vm/lib.sh

vm_driver
hsm_new frameworks
point "the board starts" vm_board
point "its token" vm_init 1 test
point "its identity is known" vm_trust 1
head -c 100001 /dev/urandom >"$share/image"
vm_test --device "$(socket 0)" --device "$(socket 1)" --smp 2 --limit 240 sh tests/vm/guest/frameworks
point "the image is staged, as it was" cmp "$share/image" "$dir/firmware.staged"
finish
