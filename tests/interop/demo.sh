#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The demo, as a test: it ends well, and each of its chapters showed what it is about.

. tests/lint/lib.sh

out=$TMPDIR/demo.out

shows() {
	grep -qE -e "$1" "$out"
}

run_demo() {
	scripts/demo >"$out" 2>&1
	status=$?
	cat "$out"
	return "$status"
}

point "the demo runs to its end" run_demo
point "a token is listed" shows "token label *: web"
point "an RSA signature is valid" shows "Signature is valid"
point "two ECDSA signatures are, to openssl" [ "$(grep -c "Verified OK" "$out")" -eq 2 ]
point "a request signed by ML-DSA verifies" shows "verify OK"
point "a TLS server answers" shows "hello from a server"
point "its signature is ML-DSA" shows "^Signature type: mldsa65"
point "SSH gets the keys" shows "^ecdsa-sha2-nistp256 "
point "there is a second tenant" shows "token label *: other"
point "it leaves nothing behind" [ -z "$(pgrep -f "vhsm .*/tmp/hsm-demo")" ]
finish
