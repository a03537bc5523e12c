#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 120
#
# scripts/bench-nginx runs and compares. Whether its figures are good is not asked here.

. tests/lint/lib.sh
need nginx
need pkcs11-tool

# In a network of its own, where every port is free.
figures() {
	alone=''
	if unshare --net true 2>/dev/null; then
		alone='unshare --net sh -c'
	fi
	${alone:-sh -c} 'ip link set lo up; exec scripts/bench-nginx 1 1' >"$TMPDIR/figures" || return 1
	cat "$TMPDIR/figures"
	grep -qE '^best of each: HSM [1-9][0-9]*/s, file [1-9][0-9]*/s, ratio [0-9.]+$' "$TMPDIR/figures"
}

point "figures of both servers" figures
finish
