#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# GnuTLS's p11tool and certtool, in the steps that GnuTLS's own tests of a module take: a token,
# its PINs, keys of each kind, certificates, objects imported, exported, marked and deleted.

. tests/lint/lib.sh
need p11tool
need certtool
need openssl

export HSM_DEVICE="vhsm:$TMPDIR/hsm" GNUTLS_SO_PIN=87654321 GNUTLS_PIN=1234567
cd "$TMPDIR" || exit 1

tool() {
	timeout 60 p11tool --provider "$HSM_PKCS11_MODULE" --batch "$@"
}

user() {
	tool --login "$@"
}

# The URL of the token with a label
url_of() {
	tool --list-tokens | sed -n 's/^[[:space:]]*URL: //p' | grep "token=$1" | head -n 1
}

# shows PATTERN COMMAND...: its output has a line of the pattern
shows() {
	pattern=$1
	shift
	"$@" >out 2>&1 || { cat out; return 1; }
	cat out
	grep -qE -e "$pattern" out
}

# lacks PATTERN COMMAND...: and here it has none
lacks() {
	! shows "$@"
}

# signs LABEL OPTION...: the key's test of a signature, against the token's public key too
signs() {
	label=$1
	shift
	shows 'public key in the token... ok' user "$@" --test-sign "$url;object=$label;type=private"
}

certificate() {
	printf 'cn = "%s"\nca\nserial = 7\nexpiration_days = 10\n' "$1" >template
	certtool --provider "$HSM_PKCS11_MODULE" --generate-self-signed --load-privkey "$url;object=$1;type=private" \
		--load-pubkey "$1.pem" --template template --outfile "$1-cert.pem" &&
		certtool --verify --load-ca-certificate "$1-cert.pem" --infile "$1-cert.pem" &&
		openssl verify -CAfile "$1-cert.pem" "$1-cert.pem"
}

point "a token" tool --initialize --label interop --set-so-pin 87654321 "$(url_of '')"
url=$(url_of interop)
point "is listed" test -n "$url"
point "its PIN" tool --initialize-pin --set-pin 1234567 --so-login "$url"
point "mechanisms" shows 'CKM_ECDSA ' user --list-mechanisms "$url"

point "an RSA key" user --generate-rsa --bits 2048 --label rsa --outfile rsa.pem "$url"
point "an EC key" user --generate-privkey ecdsa --curve secp384r1 --label ec --outfile ec.pem "$url"
point "an Ed25519 key" user --generate-privkey ed25519 --label ed --outfile ed.pem "$url"
point "private keys are listed" shows 'Private key \(EC/ECDSA-SECP384R1\)' user --list-privkeys "$url"
point "and are sensitive" shows 'CKA_NEVER_EXTRACTABLE; CKA_SENSITIVE' user --list-privkeys "$url"
point "without a login there are none" lacks 'Private key' tool --list-all "$url"
point "RSA signs" signs rsa
point "RSA signs by PSS" signs rsa --sign-params rsa-pss
point "EC signs" signs ec
point "a public key is exported" user --export-pubkey --outfile again.pem "$url;object=ec;type=private"
point "as it was made" cmp ec.pem again.pem

for key in rsa ec ed; do
	point "$key signs a certificate, and others verify it" certificate "$key"
	point "the certificate of $key is stored" user --write --load-certificate "$key-cert.pem" --label "$key" "$url"
done
point "certificates are listed without a login" shows 'X.509 Certificate \(RSA-2048\)' tool --list-all-certs "$url"
point "one is exported" tool --export --outfile out.pem "$url;object=rsa;type=cert"
openssl x509 -in rsa-cert.pem -out rsa-cert.der -outform DER
openssl x509 -in out.pem -out out.der -outform DER
point "as it came" cmp rsa-cert.der out.der
point "the SO stores a trusted one" tool --so-login --write --load-certificate ec-cert.pem --mark-trusted --mark-ca --label root "$url"
point "it is listed as such" shows 'Label: root' tool --list-all-trusted "$url"

openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048 -out import.pem
openssl pkey -in import.pem -pubout -out import-pub.pem
point "a private key is imported" user --write --load-privkey import.pem --label import "$url"
point "and its public one" user --write --load-pubkey import-pub.pem --label import "$url"
point "it signs" signs import
point "a secret key" user --write --secret-key 00112233445566778899aabbccddeeff --label secret "$url"
point "is given another label" user --set-label other "$url;object=secret;type=secret-key"
point "and found by it" shows 'Label: other' user --list-all "$url"
point "random bytes" tool --generate-random 64 --outfile random "$url"
point "are 64" test "$(wc -c <random)" -eq 64
point "objects are deleted" shows '[1-9] objects deleted' user --delete "$url;object=import"
point "and gone" lacks 'Label: import' user --list-all "$url"
point "another PIN" user --initialize-pin --set-pin 7654321 "$url"
export GNUTLS_PIN=7654321
point "opens the token" shows 'Private key' user --list-privkeys "$url"
finish
