#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Leaving: keys wrapped by hsmctl under a customer's key are opened with openssl alone, and the device's receipt tells
# which ones they are.

. tests/hsm.sh

need openssl
need pkcs11-tool

hsm_new export
point "the token is initialized" hsm_init
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out "$TMPDIR/customer.key" 2>/dev/null
openssl pkey -in "$TMPDIR/customer.key" -pubout -out "$TMPDIR/customer.pub"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$TMPDIR/ec.key" 2>/dev/null

user() {
	p11 --token-label test --login --pin env:PIN "$@"
}
generate() {
	user --keypairgen --key-type EC:prime256v1 --id "$1" --label "$2" --extractable
}
point "a pair that may leave" generate 01 leaves
point "a secret key that may" user --keygen --key-type AES:32 --id 02 --label secret --extractable
point "a pair that may not" user --keypairgen --key-type EC:prime256v1 --id 03 --label stays
point "the public half" user --read-object --type pubkey --id 01 -o "$TMPDIR/leaves.der"

export_keys() {
	hsmctl export keys "$TMPDIR/$1" --to "$2" --pin-file "$TMPDIR/user"
}
point "they leave" says 0 "keys +2" export_keys exit "$TMPDIR/customer.pub"
nonce=$(sed -n 's/^nonce *\([0-9a-f]*\)$/\1/p' "$out")
point "with names" grep -q "key-0001.wrapped *leaves *01 " "$out"
point "two files and a receipt" [ "$(cd "$TMPDIR/exit" && echo *)" = "key-0001.wrapped key-0002.wrapped receipt-1.cose" ]
point "not over others" says 2 "File exists" export_keys exit "$TMPDIR/customer.pub"
point "not under a key of another type" says 2 "not an RSA public key" export_keys other "$TMPDIR/ec.key"
point "not by a wrong PIN" says 1 "CKR_PIN_INCORRECT" \
	hsmctl export keys "$TMPDIR/other" --to "$TMPDIR/customer.pub" --pin-file "$TMPDIR/wrong"

# unwrap FILE: as howto/leaving.rst says, with openssl alone
unwrap() {
	head -c 384 "$1" >"$TMPDIR/aes.enc" && tail -c +385 "$1" >"$TMPDIR/key.enc" &&
		openssl pkeyutl -decrypt -inkey "$TMPDIR/customer.key" -in "$TMPDIR/aes.enc" -out "$TMPDIR/aes" \
			-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256 &&
		openssl enc -d -id-aes256-wrap-pad -iv A65959A6 -K "$(od -An -v -tx1 "$TMPDIR/aes" | tr -d ' \n')" \
			-in "$TMPDIR/key.enc" -out "$TMPDIR/opened"
}
same_pair() {
	openssl pkey -inform DER -in "$TMPDIR/opened" -pubout -outform DER -out "$TMPDIR/public.der" &&
		openssl pkey -pubin -inform DER -in "$TMPDIR/leaves.der" -pubout -outform DER -out "$TMPDIR/leaves2.der" &&
		cmp "$TMPDIR/public.der" "$TMPDIR/leaves2.der"
}
point "the private key opens" unwrap "$TMPDIR/exit/key-0001.wrapped"
point "it is the one" same_pair
point "the secret key opens" unwrap "$TMPDIR/exit/key-0002.wrapped"
point "it has 32 bytes" [ "$(stat -c %s "$TMPDIR/opened")" = 32 ]

# A device that no vendor has certified is its own root.
roots() {
	hsmctl device certificate "$TMPDIR/root.pem" >"$out" 2>&1 || return 1
	if hsmctl device certificate "$TMPDIR/ml-dsa.pem" --ml-dsa >>"$out" 2>&1; then
		cat "$TMPDIR/ml-dsa.pem" >>"$TMPDIR/root.pem"
	fi
}
point "the device's certificates" roots
verify() {
	hsm-verify receipt --root "$TMPDIR/root.pem" "$@"
}
point "the receipt is genuine" says 0 "verdict +genuine" verify "$TMPDIR/exit/receipt-1.cose" "$TMPDIR/exit" --nonce "$nonce"
point "it names the files" says 0 "key-0002.wrapped *secret" verify "$TMPDIR/exit/receipt-1.cose" "$TMPDIR/exit"
wrapping=$(openssl pkey -pubin -in "$TMPDIR/customer.pub" -outform DER | openssl dgst -sha384 -r | cut -d' ' -f1)
point "and the customer's key" says 0 "$wrapping" verify "$TMPDIR/exit/receipt-1.cose"
point "another nonce is told" says 1 "the nonce is another one" \
	verify "$TMPDIR/exit/receipt-1.cose" --nonce "$(printf '%s' "$nonce" | tr 0123456789abcdef 123456789abcdef0)"
cp -r "$TMPDIR/exit" "$TMPDIR/changed"
printf 'x' | dd of="$TMPDIR/changed/key-0002.wrapped" bs=1 seek=400 conv=notrunc 2>/dev/null
point "a changed file is told" says 1 "no file in it is key 2" verify "$TMPDIR/exit/receipt-1.cose" "$TMPDIR/changed"
flip() {
	python3 -c 'import sys
data = bytearray(open(sys.argv[1], "rb").read())
at = data.find(b"leaves")
data[at] ^= 1
open(sys.argv[2], "wb").write(data)
sys.exit(at < 0)' "$TMPDIR/exit/receipt-1.cose" "$TMPDIR/flipped.cose"
}
point "a changed receipt" flip
point "is told" says 1 "the signature is wrong" verify "$TMPDIR/flipped.cose"

# --- a strict partition: under trusted keys alone ---

point "a strict partition" says 0 "" hsmctl partition create strict --function 2
HSM_DEVICE="$HSM_DEVICE,function=2"
printf 'so-pin-2\n' >"$TMPDIR/so2"
printf 'user-pin-2\n' >"$TMPDIR/user2"
point "its token" says 0 "" hsmctl partition init --label strict --pin-file "$TMPDIR/so2" --new-pin-file "$TMPDIR/user2" --yes
strict() {
	PIN=$(cat "$TMPDIR/user2") pkcs11-tool --module "$HSM_PKCS11_MODULE" --token-label strict --login --pin env:PIN "$@"
}
export_strict() {
	hsmctl export keys "$TMPDIR/$1" --to "$TMPDIR/customer.pub" --pin-file "$TMPDIR/user2"
}
point "a pair" strict --keypairgen --key-type EC:prime256v1 --id 01 --label one --extractable --usage-sign
point "does not leave under a stranger's key" says 1 "1 keys that could leave did not" export_strict strict-1
point "the SO trusts the customer's" says 0 "" hsmctl export trust "$TMPDIR/customer.pub" --pin-file "$TMPDIR/so2"
point "then it does" says 0 "keys +1" export_strict strict-2
point "and opens" unwrap "$TMPDIR/strict-2/key-0001.wrapped"
HSM_DEVICE=${HSM_DEVICE%,*}

finish
