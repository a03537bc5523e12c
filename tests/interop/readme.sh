#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The commands of README.md, as its first reader types them.

. tests/interop/howto.sh
need pkcs11-tool
need ssh-keygen

alone www-data
page README
signed() {
	pkcs11-tool --module "$HSM_PKCS11_MODULE" --read-object --type pubkey --id 01 --output-file signer.pub &&
		openssl dgst -sha256 -verify signer.pub -keyform DER -signature message.sig message
}
point "the signature is good" signed
finish
