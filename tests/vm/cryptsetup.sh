#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 600
#
# The page on systemd-cryptenroll and cryptsetup in a guest, with all that only root can do: the kernel maps
# a volume that a key of the device opens.

. tests/vm/lib.sh

need cryptsetup
need systemd-cryptenroll
vm_driver
hsm_new cryptsetup
point "the board starts" vm_board
point "its identity is known" vm_trust 1
vm_test --device "$(socket 1)" --memory 768 --limit 540 sh tests/vm/guest/cryptsetup
finish
