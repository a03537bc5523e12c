#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 600
#
# What crosses between a guest and the device, kept by tests/vm/capture.py in the middle while PINs
# are set, a user logs in and a key is imported: neither PINs nor key are in it. The guest runs with
# swiotlb=force, as one with encrypted memory.

. tests/vm/lib.sh

need python3
vm_driver
hsm_new confidential
capture=$TMPDIR/capture
middle=''

start_capture() {
	mkfifo "$TMPDIR/capture.ready"
	python3 tests/vm/capture.py "$TMPDIR/middle.sock" "$(socket 1)" "$capture" >"$TMPDIR/capture.ready" &
	middle=$!
	grep -qx ready "$TMPDIR/capture.ready"
}

# within FILE: its bytes are somewhere in the capture
within() {
	python3 -c 'import sys; needle, hay = [open(f, "rb").read() for f in sys.argv[1:]]
assert len(needle) >= 8; sys.exit(needle not in hay)' "$1" "$capture"
}

not_within() {
	! within "$1"
}

# The bytes of the partition's id: they cross in the clear when a channel is made.
known_bytes() {
	sed -n 's/^pin = \([0-9a-f-]*\) .*/\1/p' "$share/hsm.conf" | tr -d '\n-' |
		python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))' >"$1"
}

point "the board starts" vm_board
point "its identity is known" vm_trust 1
point "the capture begins" start_capture
head -c 32 /dev/urandom >"$share/key"
printf 'a text that is long enough to be found again, if it is there\n' >"$share/text"
vm_test --limit 540 --memory 768 --append swiotlb=force --middle "$TMPDIR/middle.sock" sh tests/vm/guest/confidential
kill "$middle"
wait "$middle"

for name in user so; do
	tr -d '\n' <"$share/$name" >"$TMPDIR/$name.bytes"
done
od -An -v -tx1 "$share/key" | tr -d ' \n' >"$TMPDIR/key.hex"
known_bytes "$TMPDIR/id"
point "the capture has the bulk data's size" [ "$(wc -c <"$capture")" -gt 3000000 ]
point "it has what crosses in the clear" within "$TMPDIR/id"
point "it has answers, with the partition's name" grep -aq default "$capture"
point "it has not the user's PIN" not_within "$TMPDIR/user.bytes"
point "nor the SO's" not_within "$TMPDIR/so.bytes"
point "nor the imported key" not_within "$share/key"
point "nor that in hex" not_within "$TMPDIR/key.hex"
point "nor the text" not_within "$share/text"
finish
