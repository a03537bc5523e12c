#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Ed25519 by pkcs11-tool: CKA_EC_POINT is the bytes themselves, as PKCS#11 3.2 says, and curves go
# by name or OID. What is left out is pkcs11-tool's --read-object of such a public key, which takes
# only the older form.

. tests/lint/lib.sh
need openssl
need pkcs11-tool

export HSM_DEVICE="vhsm:$TMPDIR/hsm" SO_PIN=87654321 PIN=1234567
cd "$TMPDIR" || exit 1

tool() {
	pkcs11-tool --module "$HSM_PKCS11_MODULE" "$@"
}

user() {
	tool --token-label ed --login --pin env:PIN "$@"
}

# Is it the number of bytes that @file has?
bytes() {
	[ "$(wc -c <"$2")" -eq "$1" ]
}

lists() {
	user -O --type pubkey | grep -E "$1"
}

echo "to be signed" >page
openssl genpkey -algorithm ed25519 -outform DER -out key.der
openssl pkey -inform DER -in key.der -pubout -outform DER -out pub.der
point "a token" tool --init-token --label ed --so-pin env:SO_PIN
point "its PIN" tool --token-label ed --login --login-type so --so-pin env:SO_PIN --init-pin --new-pin env:PIN
point "a key by the curve's name" user --keypairgen --key-type EC:edwards25519 --label named --id 01
point "a key by OID" user --keypairgen --key-type EC:Ed25519 --label oid --id 02
point "both are listed, with 32 bytes of point" lists '^ *EC_POINT: *[0-9a-f]{64}$'
for id in 01 02; do
	point "$id signs" user --sign -m EDDSA --id $id -i page -o $id.sig
	point "64 bytes" bytes 64 $id.sig
	point "and verifies" user --verify -m EDDSA --id $id -i page --signature-file $id.sig
done
point "an imported private key" user --write-object key.der --type privkey --id 05 --label imported --usage-sign
point "its public half" user --write-object pub.der --type pubkey --id 05 --label imported
point "signs" user --sign -m EDDSA --id 05 -i page -o 05.sig
point "for openssl" openssl pkeyutl -verify -pubin -inkey pub.der -keyform DER -rawin -in page -sigfile 05.sig
finish
