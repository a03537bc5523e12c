#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# A device that is missing, or a name that stands for none: what a user is told.

. tests/hsm.sh

export HSM_CONF="$TMPDIR/hsm.conf"
: >"$HSM_CONF"

printf '1234\n' >"$TMPDIR/user"

no_slots() {
	p11 -L >"$out" 2>&1
	cat "$out"
	! grep -q "token label" "$out"
}

unset HSM_DEVICE
point "no device is configured" says 3 "HSM_DEVICE" hsmctl list
point "pkcs11-tool then has no token" no_slots

export HSM_DEVICE=nonsense:/x
point "a name of no known kind" says 2 "nonsense:/x" hsmctl list
point "pkcs11-tool goes on with such a name" no_slots

export HSM_DEVICE="vfio-user:$TMPDIR/none.sock"
point "a socket that is not there" says 3 "none.sock" hsmctl list
point "pkcs11-tool goes on without the socket" no_slots

point "a driver's device that is not there" says 3 "/dev/ihsm99" hsmctl -d /dev/ihsm99 list

printf 'nonsense\n' >"$HSM_CONF"
unset HSM_DEVICE
point "a line of hsm.conf that means nothing" says 2 "hsm.conf:1" hsmctl list
: >"$HSM_CONF"

# The directory must be the user's own and closed to others.
hsm_new open
chmod 755 "$dir"
point "a directory that others can read" says 2 "$dir" hsmctl list
chmod 700 "$dir"
point "the same one, closed" says 0 "operational|unclaimed" hsmctl list
hsm_stop

if [ "$(id -u)" -eq 0 ] && chown 65534 "$dir"; then
	point "somebody else's directory" says 2 "$dir" hsmctl list
	chown 0 "$dir"
fi

: >"$TMPDIR/file"
point "a file instead of a directory" says 2 "$TMPDIR/file" hsmctl -d "vhsm:$TMPDIR/file" list

HSM_VHSM=$TMPDIR/no-vhsm
export HSM_VHSM
hsm_new noboard
point "a board program that is not there" says 2 "no-vhsm" hsmctl list

finish
