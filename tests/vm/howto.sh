#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 900
#
# The pages on OpenSSL, OpenSSH and nginx in a guest, by the kernel's driver, and nginx under many connections.

. tests/vm/lib.sh

vm_driver
hsm_new howto
point "the board starts" vm_board
point "its identity is known" vm_trust 1
vm_test --device "$(socket 1)" --memory 768 --limit 840 sh tests/vm/guest/howto
finish
