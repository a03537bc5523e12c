#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# OpenSC's own tests of a module, and what its users type, on a new token. The tool ends with
# success whatever its tests find, so their output is read.

. tests/lint/lib.sh
need pkcs11-tool

export HSM_DEVICE="vhsm:$TMPDIR/hsm" SO_PIN=87654321 PIN=1234567

tool() {
	pkcs11-tool --module "$HSM_PKCS11_MODULE" "$@"
}

user() {
	tool --token-label interop --login --pin env:PIN "$@"
}

# quiet OPTION...: the tool's test ends well and reports no error
quiet() {
	user "$@" >"$TMPDIR/out" 2>&1
	status=$?
	cat "$TMPDIR/out"
	[ "$status" -eq 0 ] || return 1
	! grep -qiE '(^|[^0-9a-z])(errors?:|failed|aborting)' "$TMPDIR/out" || grep -q '^No errors$' "$TMPDIR/out"
}

offers() {
	tool --help 2>&1 | grep -q -- "$1"
}

point "init-token on a directory that is not there" tool --init-token --label interop --so-pin env:SO_PIN
point "init-pin" tool --token-label interop --login --login-type so --so-pin env:SO_PIN --init-pin --new-pin env:PIN
point "slots" tool -L
point "mechanisms" tool -M

point "an RSA pair" user --keypairgen --key-type rsa:2048 --label rsa --id 01 --usage-sign --usage-decrypt
point "an EC pair" user --keypairgen --key-type EC:secp384r1 --label ec --id 02 --usage-sign --usage-derive
point "an AES key" user --keygen --key-type AES:32 --label aes --id 03
point "objects" user -O

head -c 200000 /dev/zero >"$TMPDIR/data"
echo "0123456789abcdef0123456789abcde" >"$TMPDIR/small"
point "a long file is signed" user --sign --id 02 -m ECDSA-SHA384 --signature-format openssl -i "$TMPDIR/data" -o "$TMPDIR/sig"
point "the public key is read" user --read-object --type pubkey --id 02 -o "$TMPDIR/pub.der"
point "openssl verifies" openssl dgst -sha384 -verify "$TMPDIR/pub.der" -keyform DER -signature "$TMPDIR/sig" "$TMPDIR/data"

iv=000102030405060708090a0b0c0d0e0f
point "AES encrypts" user --encrypt --id 03 -m AES-CBC-PAD --iv $iv -i "$TMPDIR/data" -o "$TMPDIR/enc"
point "AES decrypts" user --decrypt --id 03 -m AES-CBC-PAD --iv $iv -i "$TMPDIR/enc" -o "$TMPDIR/dec"
point "to the same" cmp "$TMPDIR/data" "$TMPDIR/dec"

point "the tool's tests" quiet --test
point "its tests of EC" quiet --session-rw --test-ec --id 04 --key-type EC:secp256r1
if offers --test-fork; then
	point "its test of fork" quiet --test-fork
fi
if offers --test-threads; then
	# With work of its own to do, the tool does not wait half a minute for the threads at its
	# end.
	point "its test of threads" user --test-threads IN --test-threads ILGISLT0 --test-threads ILGISLT0 --test
fi
point "objects are destroyed" user --delete-object --type secrkey --id 03
point "change of PIN" tool --token-label interop --login --pin env:PIN --change-pin --new-pin 7654321
finish
