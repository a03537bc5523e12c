#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# p11-kit serves the module to others (a process of its own for each client), and its client module
# uses it.

. tests/lint/lib.sh
need p11-kit
need pkcs11-tool

export HSM_DEVICE="vhsm:$TMPDIR/hsm" SO_PIN=87654321 PIN=1234567
root=$PWD
cd "$TMPDIR" || exit 1
client=$(find /usr/lib -name p11-kit-client.so | head -n 1)
[ -n "$client" ] || {
	echo "1..0 # SKIP p11-kit's client module is not installed"
	exit 0
}

tool() {
	pkcs11-tool --module "$client" "$@"
}

user() {
	tool --token-label kit --login --pin env:PIN "$@"
}

listed() {
	tool -L | grep "token label *: kit"
}

point "a token" pkcs11-tool --module "$HSM_PKCS11_MODULE" --init-token --label kit --so-pin env:SO_PIN
point "its PIN" pkcs11-tool --module "$HSM_PKCS11_MODULE" --token-label kit --login --login-type so --so-pin env:SO_PIN \
	--init-pin --new-pin env:PIN
eval "$(p11-kit server --provider "$HSM_PKCS11_MODULE" -n "$PWD/socket" "pkcs11:token=kit")"
export P11_KIT_SERVER_ADDRESS
point "the client sees it" listed
point "a pair" user --keypairgen --key-type EC:prime256v1 --label ec --id 01
echo "a page" >page
point "a signature" user --sign --id 01 -m ECDSA-SHA256 --signature-format openssl -i page -o page.sig
point "the public key" pkcs11-tool --module "$HSM_PKCS11_MODULE" --token-label kit --read-object --type pubkey --id 01 -o pub
point "openssl verifies" openssl dgst -sha256 -verify pub -keyform DER -signature page.sig page
kill "$P11_KIT_SERVER_PID"
cd "$root" || exit 1
finish
