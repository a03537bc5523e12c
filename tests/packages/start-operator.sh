#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 1500
#
# The page for operators, in a scratch system with Debian's packages.

. tests/packages/lib.sh

scratch_root

typed() {
	inside sh tests/packages/operator >"$TMPDIR/typed"
	status=$?
	cat "$TMPDIR/typed"
	[ "$status" -eq 0 ] && [ "$(grep -c '^ok ' "$TMPDIR/typed")" -ge 25 ]
}

point "the packages are made" made
point "they are installed" install_packages libhsm0 hsm-pkcs11 hsm-tools vhsm
point "the page" typed
point "the board stops" stop_board
finish
