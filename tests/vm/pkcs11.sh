#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 900
#
# The PKCS#11 tests in a guest, by the kernel's driver: the same programs that run without it.

. tests/vm/lib.sh

vm_driver
hsm_new p11
point "the board starts" vm_board
point "a strict partition" hsmctl partition create strict --function 2
point "their identities are known" vm_trust 1 2
vm_test --device "$(socket 1)" --device "$(socket 2)" --memory 768 --limit 840 sh tests/vm/guest/pkcs11
finish
