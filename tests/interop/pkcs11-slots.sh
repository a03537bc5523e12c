#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Slots as programs see them: one for each partition of each device, ids that stay, and devices that
# are not there.

. tests/lint/lib.sh
need pkcs11-tool

one="vhsm:$TMPDIR/one"
two="vhsm:$TMPDIR/two"

slots() {
	HSM_DEVICE=$1 pkcs11-tool --module "$HSM_PKCS11_MODULE" --list-slots 2>&1
}

ids() {
	slots "$1" | sed -n 's/^Slot [0-9]* (\(0x[0-9a-f]*\)).*/\1/p' | tr '\n' ' '
}

ids_are() {
	got=$(ids "$1")
	echo "$1: $got"
	[ "$got" = "$2" ]
}

same_twice() {
	first=$(ids "$1")
	[ -n "$first" ] && ids_are "$1" "$first"
}

silent() {
	HSM_DEVICE=$1 pkcs11-tool --module "$HSM_PKCS11_MODULE" --list-slots >"$TMPDIR/out" 2>"$TMPDIR/err"
	! grep -i hsm "$TMPDIR/err"
}

explained() {
	HSM_DEBUG=1 HSM_DEVICE=$1 pkcs11-tool --module "$HSM_PKCS11_MODULE" --list-slots 2>&1 | grep "hsm-pkcs11: $2:"
}

point "a new directory has one slot" ids_are "$one" "0x0 "
point "another partition of the function" env HSM_DEVICE="$one" hsmctl partition create second --function 1
point "has a slot of its own" ids_are "$one" "0x0 0x1 "
point "which stays" same_twice "$one"
point "a partition of another function" env HSM_DEVICE="$one" hsmctl partition create third --function 2
point "is not seen by the first" ids_are "$one" "0x0 0x1 "
point "and is by the second" ids_are "$one,function=2" "0x2 "
point "the second of two devices counts from 65536" ids_are "$one,$two" "0x0 0x1 0x10000 "
point "a function and another device" ids_are "$one,function=2,$two" "0x2 0x10000 "
point "function 0, which has no token, has no slot" ids_are "$one,function=0" ""
point "a device that is not there: no slot" ids_are "vfio-user:$TMPDIR/none.sock" ""
point "and no message" silent "vfio-user:$TMPDIR/none.sock"
point "but when asked for" explained "vfio-user:$TMPDIR/none.sock" transport
point "a name that is none" explained "nonsense" configuration
finish
