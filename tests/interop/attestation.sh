#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# Evidence from a board to a stranger: hsmctl fetches it, openssl(1) and a few lines of Python verify it,
# hsm-verify does, and neither believes another board's, an old one, or one that is not what was asked for.

. tests/hsm.sh

cd "$TMPDIR" || exit 1
export HSM_DEVICE="vhsm:$TMPDIR/hsm"
cose=$OLDPWD/tests/interop/cose.py
NONCE=00112233445566778899aabbccddeeff
(umask 077 && echo 87654321 >so && echo 1234567 >pin)

# evidence WHAT FILE [OPTION]...
evidence() {
	what=$1 file=$2
	shift 2
	hsmctl attest "$what" "$file" --nonce "$NONCE" "$@"
}

# verify STATUS FILE [OPTION]...: the exit status of hsm-verify with the board's roots
verify() {
	want=$1
	shift
	hsm-verify evidence --root roots.pem "$@"
	[ $? -eq "$want" ]
}

# condition STATUS FILE TEXT: with a policy file
condition() {
	echo "$3" >policy.json
	verify "$1" "$2" --policy policy.json
}

token() {
	hsmctl partition init --label t --pin-file so --new-pin-file pin &&
		pkcs11-tool --module "$HSM_PKCS11_MODULE" --login --pin 1234567 --keypairgen \
			--key-type EC:prime256v1 --label web --id 01
}

other_board() {
	HSM_DEVICE="vhsm:$TMPDIR/other" hsmctl attest device other.ev --nonce "$NONCE" &&
		python3 "$cose" roots other.ev other.pem
}

# The public key in evidence of a pair is the one that the module shows.
same_key() {
	verify 0 key.ev --public-key key.pem &&
		pkcs11-tool --module "$HSM_PKCS11_MODULE" --read-object --type pubkey --id 01 -o key.der &&
		openssl pkey -pubin -inform DER -in key.der -out shown.pem &&
		openssl pkey -pubin -in key.pem -out told.pem && cmp shown.pem told.pem
}

# ... and the identity in evidence of a partition is the one that a channel proves.
same_identity() {
	identity=$(hsm-verify evidence --root roots.pem partition.ev | sed -n 's/^  identity *//p')
	[ -n "$identity" ] && hsmctl identity | grep -q "sha256:$identity"
}

changed_byte() {
	python3 -c '
import sys
data = bytearray(open("key.ev", "rb").read())
data[data.index(b"web")] ^= 1
open("changed.ev", "wb").write(data)' && verify 1 changed.ev
}

point "a token with a key pair" token
point "evidence of the device" evidence device device.ev
point "evidence of the partition" evidence partition partition.ev
point "evidence of the key" evidence key key.ev --key-label web --pin-file pin --binding b1b2
point "a private key is not seen without login" sh -c '! hsmctl attest key no.ev --key-label web --key-class private'
point "the public half is" evidence key public.ev --key-id 01 --key-class public
point "the device's certificates" python3 "$cose" roots device.ev roots.pem
for kind in device partition key; do
	point "$kind: openssl verifies it" python3 "$cose" verify $kind.ev "$TMPDIR"
	point "$kind: hsm-verify does" verify 0 $kind.ev --nonce "$NONCE"
done
point "the report says what it is" sh -c 'hsm-verify evidence --root roots.pem key.ev | grep -q "^  origin  *generated"'
point "JSON as well" sh -c 'hsm-verify evidence --json --root roots.pem key.ev | python3 -c "
import json, sys
report = json.load(sys.stdin)
assert report[\"verdict\"] == \"genuine\" and report[\"claims\"][\"attributes\"][\"CKA_LABEL\"] == \"web\""'
point "from standard input" sh -c 'hsm-verify evidence --root roots.pem - <key.ev'
point "the key is the one that the module shows" same_key
point "the identity is that of the channel" same_identity
point "another nonce: replayed" verify 1 key.ev --nonce 00112233445566778899aabbccddee00
point "what was bound" verify 0 key.ev --binding b1b2
point "something else was bound" verify 1 key.ev --binding b1b3
point "one byte changed" changed_byte
point "another board" other_board
point "its evidence under this board's roots" verify 1 other.ev
point "this board's evidence under its roots" sh -c '! hsm-verify evidence --root other.pem key.ev'
point "a condition that holds" condition 0 key.ev '{ "claims": { "kind": "key", "origin": "generated" } }'
point "evidence of a partition is none of a key" condition 4 partition.ev '{ "claims": { "kind": "key" } }'
point "a development board is none in production" condition 4 key.ev '{ "lifecycle": "production" }'
point "state beside the fuses is not protected" condition 4 key.ev '{ "rollback_protection": true }'
point "a condition that nobody knows" condition 2 key.ev '{ "colour": "blue" }'
point "no root" sh -c 'hsm-verify evidence key.ev; [ $? -eq 2 ]'
point "no file" verify 3 none.ev
finish
