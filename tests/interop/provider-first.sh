#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Applications whose OpenSSL configuration names our module as a provider, first of all and for
# everything: neither they nor the module within them recurse or hang, since the module has a
# libcrypto context of its own that reads no configuration.

. tests/hsm.sh
need_provider

export HSM_DEVICE="vhsm:$TMPDIR/hsm" SO_PIN=87654321 PIN=1234567
cd "$TMPDIR" || exit 1
(umask 077 && echo "$PIN" >pin.txt)
cat >first.cnf <<END
openssl_conf = init
[init]
providers = providers
alg_section = algorithms
[algorithms]
default_properties = ?provider=pkcs11
[providers]
pkcs11 = pkcs11_provider
default = default_provider
[pkcs11_provider]
module = pkcs11.so
pkcs11-module-path = $HSM_PKCS11_MODULE
pkcs11-module-token-pin = file:$PWD/pin.txt
pkcs11-module-load-behavior = early
activate = 1
[default_provider]
activate = 1
END

# Every program below has this limit: a hang is a failure of its point, not of the whole test.
first() {
	OPENSSL_CONF=$PWD/first.cnf timeout 20 "$@"
}

tool() {
	first pkcs11-tool --module "$HSM_PKCS11_MODULE" "$@"
}

echo "to be signed" >page
point "a token, by a program that is configured so" tool --init-token --label first --so-pin env:SO_PIN
# Here the provider's read-only sessions of the same module would be in the SO's way.
point "its PIN" pkcs11-tool --module "$HSM_PKCS11_MODULE" --token-label first --login --login-type so --so-pin env:SO_PIN \
	--init-pin --new-pin env:PIN
point "a key" tool --token-label first --pin env:PIN --keypairgen --key-type EC:prime256v1 --label key --id 01
point "providers are listed" first openssl list -providers
point "digests and random numbers" first openssl rand -hex 8
point "a signature by the token's key" first openssl pkeyutl -sign -rawin -digest sha256 -in page -out page.sig \
	-inkey "pkcs11:token=first;object=key;type=private"
point "its public half" first openssl pkey -in "pkcs11:token=first;object=key;type=private" -pubout -out key.pub
point "verifies without the token" openssl pkeyutl -verify -rawin -digest sha256 -in page -sigfile page.sig -pubin -inkey key.pub
point "a signature by pkcs11-tool" tool --token-label first --pin env:PIN --sign -m ECDSA-SHA256 --signature-format openssl \
	--id 01 -i page -o tool.sig
point "verifies too" openssl pkeyutl -verify -rawin -digest sha256 -in page -sigfile tool.sig -pubin -inkey key.pub
point "hsmctl" first hsmctl status
point "a board that is started so" first env HSM_DEVICE="vhsm:$TMPDIR/another" pkcs11-tool --module "$HSM_PKCS11_MODULE" -L
finish
