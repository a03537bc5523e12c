#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# The demo with a guest, as a test: it ends well, and each of its chapters showed what it is about.

. tests/vm/lib.sh

vm_driver
out=$TMPDIR/demo.out

shows() {
	grep -qE -e "$1" "$out"
}

run_demo() {
	scripts/demo-vm >"$out" 2>&1
	status=$?
	cat "$out"
	return "$status"
}

point "the demo runs to its end" run_demo
point "the driver has two devices" shows "/dev/ihsm1  live"
point "a signature by the first verifies" shows "Verified OK"
point "a request signed by ML-DSA verifies" shows "verify OK"
point "SSH gets the key" shows "^ecdsa-sha2-nistp256 "
point "there is a second tenant" shows "token label *: other"
point "it leaves nothing behind" [ -z "$(pgrep -f "vhsm .*/tmp/hsm-demo-vm")" ]
finish
