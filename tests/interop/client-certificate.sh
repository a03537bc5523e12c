#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# The page on certificates of applications, and those who should not get in: another authority's certificate, the
# right one without its key, one that is no client's; and what was open when the list changed.

. tests/interop/howto.sh
need pkcs11-tool
need openssl

alone root
page token client-certificate

# listed CONF: the module over this configuration shows the key.
listed() {
	HSM_CONF=$PWD/$1 pkcs11-tool --module "$HSM_PKCS11_MODULE" --token-label web --login --pin "env:PIN" --list-objects | grep shop
}

refused() {
	! listed "$1"
}

conf() {
	printf 'client-certificate = %s\nclient-key = %s\n' "$PWD/$2" "$PWD/$3" >"$1"
}

# certificate NAME AUTHORITY [EXTENSIONS]: a certificate with all above it, and its key
certificate() {
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" &&
		openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -out "$1.pem" -days 365 -extfile "${3:-shop.ext}" &&
		cat "$2.pem" >>"$1.pem" && chmod 600 "$1.key" && conf "$1.conf" "$1.pem" "$1.key"
}

point "another authority" openssl req -x509 -new -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout other.key \
	-out other.pem -days 3650 -subj "/CN=Applications of web" -addext keyUsage=critical,keyCertSign
point "its certificate" certificate stranger other
sed 's/clientAuth/serverAuth/' shop.ext >server.ext
point "a server's certificate" certificate server authority server.ext
point "another application's" certificate second authority
cat shop.pem >alone.pem
sed '/END CERTIFICATE/q' shop.pem >alone.pem
conf alone.conf alone.pem shop.key
conf mixed.conf shop.pem second.key

point "the list is there again" hsmctl partition update default --client-roots authority.pem
point "the application is served" listed hsm.conf
point "the other one of the authority too" listed second.conf
point "no certificate" refused none.conf
point "an authority with the same name" refused stranger.conf
point "a certificate that is for servers" refused server.conf
point "the certificate without the one above it" refused alone.conf
point "a certificate with another's key" refused mixed.conf

# A program that has a channel open when the list changes: its session is gone, and it gets in no more.
cat >holds.py <<'END'
import os
import subprocess
import sys
import pkcs11

token = pkcs11.lib(os.environ["HSM_PKCS11_MODULE"]).get_token(token_label="web")
session = token.open(user_pin=os.environ["PIN"])
assert session.generate_random(64)
subprocess.run(["hsmctl", "partition", "update", "default", "--client-roots", "other.pem", "--relax"], check=True)
try:
    session.generate_random(64)
except Exception as error:
    print(type(error).__name__)
else:
    sys.exit("the session goes on")
END
if python3 -c 'import pkcs11' 2>/dev/null; then
	point "a channel of the former list ends" python3 holds.py
else
	point "the list changes" hsmctl partition update default --client-roots other.pem --relax
fi
point "who was served is refused" refused hsm.conf
point "and the other authority's is served" listed stranger.conf
# One application by its own certificate
sed '/END CERTIFICATE/q' second.pem >one.pem
point "an application by name" hsmctl partition update default --client-roots one.pem --relax
conf one.conf one.pem second.key
point "is served" listed one.conf
point "and no other" refused hsm.conf
finish
