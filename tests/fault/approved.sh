#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Approved mode: a state that was made with --fips uses OpenSSL's FIPS provider, offers what that approves, and
# stays so; approved algorithms in an unvalidated build.

. tests/hsm.sh

need pkcs11-tool

if [ ! -f "$HSM_BUILD/firmware/fips.so" ]; then
	hsm_new refused
	point "without the provider it is refused" says 4 "the firmware has no FIPS provider" \
		vhsm --embedded --fips --state "$dir" --idle-exit 1
	finish
fi

# Make the state; the board ends when nobody comes.
make_state() {
	vhsm --embedded --fips --state "$dir" --idle-exit 1
}

lists() {
	p11 -M >"$out" && cat "$out" && grep -q "$1" "$out"
}

lacks() {
	p11 -M >"$out" && cat "$out" && ! grep -q "$1" "$out"
}

hsm_new approved
point "a state is made for it" make_state
point "the token is initialized" hsm_init
point "the device says so" says 0 "approved_mode .*approved algorithms in an unvalidated build" hsmctl info
point "every known answer is right" says 0 "passed" hsmctl self-test
point "ECDSA is offered" lists "ECDSA-SHA256"
point "PKCS #1 encryption is not" lacks "RSA-PKCS,.*encrypt"
point "X25519 is not" lacks "EC-MONTGOMERY"
point "signing with SHA-1 is not" lacks "SHA1-RSA-PKCS,.*sign"
point "a key pair" p11 --login --pin env:PIN --keypairgen --key-type EC:prime256v1 --id 01 --label test
point "signs" works
point "a longer one" p11 --login --pin env:PIN --keypairgen --key-type RSA:2048 --id 02
point "an AES key" p11 --login --pin env:PIN --keygen --key-type AES:32 --id 03
no_curve() {
	! p11 --login --pin env:PIN --keypairgen --key-type EC:secp256k1 --id 04
}
point "a curve that is not approved is refused" no_curve
point "it is killed" hsm_kill
point "without the option it is in approved mode again" says 0 "approved_mode" hsmctl info
point "and the key is there" works
hsm_stop

hsm_new plain
point "another state, made without" hsm_init
hsm_stop
point "cannot be used in approved mode" says 1 "was made without --fips" \
	vhsm --embedded --fips --state "$dir" --idle-exit 1

finish
