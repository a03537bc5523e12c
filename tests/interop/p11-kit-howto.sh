#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 90
#
# The page on p11-kit; then which mechanisms pass by its server, and which do not. What a container does with
# them is in tests/packages/container.sh.

. tests/interop/howto.sh
need pkcs11-tool
need p11-kit
need p11tool

alone www-data
# p11-kit takes the home directory from the list of users.
export XDG_CONFIG_HOME="$HOME/.config"
mkdir -p .config/pkcs11/modules
page token p11-kit
servers="$servers $P11_KIT_SERVER_PID"

# mechanisms MODULE: their names, of which those that pkcs11-tool does not know are numbers
mechanisms() {
	pkcs11-tool --module "$1" --token-label web --list-mechanisms | sed -n 's/^  \([A-Za-z0-9_-]*\),.*/\1/p' | sort
}

lists() {
	mechanisms "$HSM_PKCS11_MODULE" >direct
	P11_KIT_SERVER_ADDRESS=unix:path=$PWD/socket/hsm mechanisms "$CLIENT" >through
	wc -l direct through
	echo "pass:" && cat through
	! comm -13 direct through | grep .
}

# Each line of the page on what passes, and on what does not: a newer p11-kit may make it wrong.
passes() {
	for name; do
		grep -qix -e "$name" through || { echo "no $name"; return 1; }
	done
}

passes_not() {
	for name; do
		grep -qix -e "$name" direct || { echo "$name is not here either"; return 1; }
		! grep -ix -e "$name" through || return 1
	done
}

point "nothing passes that the token has not" lists
point "RSA passes" passes RSA-PKCS-KEY-PAIR-GEN RSA-PKCS RSA-PKCS-PSS RSA-PKCS-OAEP SHA256-RSA-PKCS SHA512-RSA-PKCS-PSS
point "elliptic curves and Diffie-Hellman pass" passes ECDSA-KEY-PAIR-GEN ECDSA ECDSA-SHA256 ECDSA-SHA512 ECDH1-DERIVE \
	DH-PKCS-KEY-PAIR-GEN DH-PKCS-DERIVE
point "AES passes" passes AES-KEY-GEN AES-ECB AES-CBC AES-CBC-PAD AES-CTR AES-GCM AES-CMAC
point "hashes and HMAC pass" passes SHA-1 SHA256 SHA384 SHA512 SHA256-HMAC SHA512-HMAC GENERIC-SECRET-KEY-GEN
point "newer curves do not" passes_not EDDSA EC-EDWARDS-KEY-PAIR-GEN EC-MONTGOMERY-KEY-PAIR-GEN
point "nor SHA-3, HKDF and key wrap" passes_not SHA3-256 SHA3-512-HMAC HKDF-DERIVE AES-KEY-WRAP
point "nor ML-DSA, ML-KEM and SLH-DSA" passes_not mechtype-0x1D mechtype-0x17 mechtype-0x2E
finish
