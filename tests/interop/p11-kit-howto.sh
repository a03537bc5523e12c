#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 90
#
# The page on p11-kit; then a container: a mount namespace that has the socket, and neither state nor
# PINs, in which the token still offers what a classical one does.

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

mechanisms() {
	pkcs11-tool --module "$1" --token-label web --list-mechanisms | sed -n 's/^  \([A-Za-z0-9_-]*\),.*/\1/p' | sort
}

classical() {
	P11_KIT_SERVER_ADDRESS=unix:path=$PWD/socket/hsm mechanisms "$CLIENT" >through
	wc -l <through
	for name in RSA-PKCS RSA-PKCS-PSS RSA-PKCS-OAEP SHA256-RSA-PKCS ECDSA ECDSA-SHA256 ECDH1-DERIVE AES-CBC AES-CTR AES-GCM \
		SHA256-HMAC SHA256 AES-KEY-GEN; do
		grep -qix -e "$name" through || { echo "no $name"; return 1; }
	done
}

point "the classical mechanisms pass" classical
finish
