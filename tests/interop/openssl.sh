#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# openssl with pkcs11-provider loaded by its configuration: keys are made, used, and serve TLS. The
# module must not pick up that configuration itself.

. tests/hsm.sh
need_provider

export HSM_DEVICE="vhsm:$TMPDIR/hsm" SO_PIN=87654321 PIN=1234567
cd "$TMPDIR" || exit 1
(umask 077 && echo "$PIN" >pin.txt)
cat >hsm.cnf <<END
openssl_conf = init
[init]
providers = providers
[providers]
default = default_provider
pkcs11 = pkcs11_provider
[default_provider]
activate = 1
[pkcs11_provider]
module = pkcs11.so
pkcs11-module-path = $HSM_PKCS11_MODULE
pkcs11-module-token-pin = file:$PWD/pin.txt
pkcs11-module-encode-provider-uri-to-pem = true
activate = 1
END

# key NAME: how openssl is told of it. The provider's decoder for files with a name in them does not
# know ML-DSA.
key() {
	case $1 in
	pq) echo "pkcs11:token=interop;object=pq;type=private" ;;
	*) echo "$1.pem" ;;
	esac
}

# hsm CMD...: openssl with the provider
hsm() {
	OPENSSL_CONF=$PWD/hsm.cnf openssl "$@"
}

tool() {
	pkcs11-tool --module "$HSM_PKCS11_MODULE" "$@"
}

generate() {
	hsm genpkey -propquery '?provider=pkcs11' -algorithm "$2" ${3:+-pkeyopt "$3"} \
		-pkeyopt "pkcs11_uri:pkcs11:token=interop;object=$1;id=%$4" -out "$1.pem"
}

tls() {
	hsm req -x509 -key "$(key "$1")" -subj /CN=localhost -addext subjectAltName=DNS:localhost -days 2 -out "$1.crt" || return 1
	rm -f "$1.sock"
	hsm s_server -unix "$1.sock" -cert "$1.crt" -key "$(key "$1")" -WWW -naccept 1 >"$1.log" 2>&1 &
	server=$!
	tries=0
	until [ -S "$1.sock" ]; do
		tries=$((tries + 1))
		[ "$tries" -le 200 ] && kill -0 "$server" || return 1
		sleep 0.05
	done
	printf 'GET /page HTTP/1.0\r\n\r\n' | openssl s_client -unix "$1.sock" -CAfile "$1.crt" -verify_hostname localhost \
		-verify_return_error -ign_eof 2>&1 | grep "served by a key in the HSM"
	got=$?
	wait "$server"
	return "$got"
}

sign_and_verify() {
	hsm pkeyutl -sign -inkey "$(key "$1")" -rawin ${2:+-digest "$2"} -in page -out "$1.sig" &&
		hsm pkey -in "$(key "$1")" -pubout -out "$1.pub" &&
		openssl pkeyutl -verify -pubin -inkey "$1.pub" -rawin ${2:+-digest "$2"} -in page -sigfile "$1.sig"
}

echo "served by a key in the HSM" >page
point "a token" tool --init-token --label interop --so-pin env:SO_PIN
point "its PIN" tool --token-label interop --login --login-type so --so-pin env:SO_PIN --init-pin --new-pin env:PIN

point "an EC key is made" generate ec EC group:P-256 01
point "an RSA key is made" generate rsa RSA rsa_keygen_bits:2048 02
point "an Ed25519 key is made" generate ed ED25519 "" 03
point "EC signs" sign_and_verify ec sha256
point "RSA signs" sign_and_verify rsa sha256
point "Ed25519 signs" sign_and_verify ed ""
point "a request is signed" hsm req -new -key ec.pem -subj /CN=localhost -out ec.csr
point "and verifies" openssl req -in ec.csr -noout -verify
point "TLS by EC" tls ec
point "TLS by RSA" tls rsa
if openssl list -signature-algorithms | grep -q ML-DSA-65; then
	point "an ML-DSA key is made" generate pq ML-DSA-65 "" 04
	point "ML-DSA signs" sign_and_verify pq ""
	point "TLS by ML-DSA" tls pq
fi
finish
