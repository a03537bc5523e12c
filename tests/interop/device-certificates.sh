#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# A device's certificates as its vendor and its users see them: exported, checked and made by openssl alone,
# installed by the officer, and believed or refused by hsm.conf.

. tests/hsm.sh

need openssl
export XDG_STATE_HOME="$TMPDIR/state" HSM_CONF="$TMPDIR/hsm.conf"
: >"$HSM_CONF"
cd "$TMPDIR" || exit 1

# first FILE, rest FILE: the first certificate of a PEM file, and the others
first() {
	sed '/END CERTIFICATE/q' "$1"
}

rest() {
	awk 'n; /END CERTIFICATE/ { n = 1 }' "$1"
}

count() {
	grep -c BEGIN "$1"
}

# chain_good ROOT CHAIN: openssl builds the path, and finds nothing to complain of.
chain_good() {
	first "$2" >leaf.pem
	rest "$2" >above.pem
	openssl verify -x509_strict -CAfile "$1" -untrusted above.pem leaf.pem
}

fingerprint() {
	openssl x509 -in "$1" -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum | cut -d ' ' -f 1
}

# vendor NAME ALGORITHM...: a root of a vendor, as anybody makes one
vendor() {
	name=$1
	shift
	openssl req -x509 -new -newkey "$@" -nodes -keyout "$name.key" -out "$name.pem" -days 3650 -subj "/O=Vendor $name" \
		-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
}

cat >device.ext <<'END'
basicConstraints = critical, CA:TRUE, pathlen:1
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
END

# certify VENDOR CSR OUT [EXTENSIONS]
certify() {
	openssl x509 -req -in "$2" -CA "$1.pem" -CAkey "$1.key" -out "$3" -days 3650 -extfile "${4:-device.ext}"
}

hsm_new certificates

# --- as it comes: a device that certifies itself ---

point "the device's certificate" hsmctl device certificate device.pem
point "is one" [ "$(count device.pem)" -eq 1 ]
point "openssl believes it when told so" openssl verify -x509_strict -CAfile device.pem device.pem
point "the chain of the device partition" hsmctl device certificate chain.pem --chain
point "is good for openssl" chain_good device.pem chain.pem
point "a partition's chain" hsmctl device certificate chain.pem --chain --partition default
point "is good for openssl too" chain_good device.pem chain.pem
rest chain.pem | first /dev/stdin >alias.pem
point "the alias tells what was measured" sh -c \
	"openssl x509 -in alias.pem -noout -text | grep -A3 -e '2.23.133.5.4.1' -e 'TCG.*DICE'"

point "it is believed by that root" says 0 "" sh -c "echo 'root-certificate = $TMPDIR/device.pem' >hsm.conf; hsmctl info"
point "and says which firmware it is" says 4 "firmware security version 1 is below 99" sh -c \
	"echo 'minimum-security-version = 99' >>hsm.conf; hsmctl info"
conf() {
	printf '%s\n' "root-certificate = $TMPDIR/$1" "$2" >hsm.conf
}
conf device.pem "allow-measurement = sha384:$(printf '%096d' 0)"
point "a measurement that is not allowed" says 4 "firmware measurement sha384:" hsmctl info
allowed=$(sed -n 's/.*measurement \(sha384:[0-9a-f]*\) .*/\1/p' "$out")
conf device.pem "allow-measurement = $allowed"
point "and that is" says 0 "" hsmctl info
conf device.pem "require-lifecycle = decommissioned"
point "a lifecycle that it is not in" says 4 "lifecycle is " hsmctl info
conf device.pem "revoked-device = sha256:$(fingerprint device.pem)"
point "a revoked device" says 4 "device sha256:[0-9a-f]* is revoked" hsmctl info
conf device.pem "revoked-alias = sha256:$(fingerprint alias.pem)"
point "a revoked alias" says 4 "alias sha256:[0-9a-f]* is revoked" hsmctl info
: >hsm.conf

# --- provisioning ---

point "a request for a certificate" hsmctl device csr device.csr
point "is signed by the device's key" openssl req -in device.csr -verify -noout
point "which is that of the certificate" sh -c \
	"openssl req -in device.csr -pubkey -noout >a; openssl x509 -in device.pem -pubkey -noout | cmp - a"
point "a vendor" vendor good ec -pkeyopt ec_paramgen_curve:P-384
point "another one" vendor other ec -pkeyopt ec_paramgen_curve:P-384
point "certifies the device" certify good device.csr good-device.pem
sed 's/pathlen:1/pathlen:0/' device.ext >short.ext
sed -e 's/CA:TRUE, pathlen:1/CA:FALSE/' -e 's/keyCertSign/digitalSignature/' device.ext >leaf.ext
certify good device.csr short.pem short.ext
certify good device.csr no-ca.pem leaf.ext
sed 's/, pathlen:1//' device.ext >long.ext
certify good device.csr long.pem long.ext
# A vendor who calls it something else: nobody could compare the name with what the board says of itself.
openssl x509 -req -in device.csr -CA good.pem -CAkey good.key -out renamed.pem -days 3650 -extfile device.ext \
	-set_subject "/O=Vendor/CN=ihsm device 00000000000000000000000000000000/serialNumber=1"
for bad in short no-ca long renamed other; do
	point "$bad.pem is not taken" says 1 "not a chain for this device's key" hsmctl device install-certificate $bad.pem
done
cat good-device.pem other.pem >mixed.pem
point "nor one with a stranger above it" says 1 "not a chain" hsmctl device install-certificate mixed.pem
cat good-device.pem good.pem >whole.pem
point "the vendor's is" hsmctl device install-certificate whole.pem
hsmctl device certificate chain.pem --chain --partition default
point "the chain is longer by it" [ "$(count chain.pem)" -eq 4 ]
point "and leads to the vendor" chain_good good.pem chain.pem
hsmctl device certificate now.pem
point "the device shows the vendor's certificate" cmp good-device.pem now.pem

conf good.pem
point "hsm.conf may name the vendor" says 0 "" hsmctl info
conf other.pem
point "another vendor is no root" says 4 "no trusted root" hsmctl info
conf good.pem
point "the board ends" hsm_stop
point "what was installed is there after a start" says 0 "" hsmctl info
: >hsm.conf
point "the pinned identity is the same all along" says 0 "" hsmctl info

# --- the other chain ---

if ! hsmctl device csr device87.csr --ml-dsa 2>"$out"; then
	point "no ML-DSA here, and that is said" grep "no ML-DSA-87 key" "$out"
else
	point "an ML-DSA-87 request" openssl req -in device87.csr -verify -noout
	point "a vendor with ML-DSA-87" vendor good87 ML-DSA-87
	point "certifies the device's second key" certify good87 device87.csr good-device87.pem
	point "it is not one for the first key" says 1 "not a chain" hsmctl device install-certificate good-device87.pem
	certify good device87.csr weak-device87.pem
	cat weak-device87.pem good.pem >weak87.pem
	point "nor one under a P-384 key" says 1 "not a chain" hsmctl device install-certificate weak87.pem --ml-dsa
	point "it is installed" hsmctl device install-certificate good-device87.pem --ml-dsa
	hsmctl device certificate chain87.pem --chain --ml-dsa
	point "the chain is good for openssl" chain_good good87.pem chain87.pem
	point "and taken away again" hsmctl device install-certificate --ml-dsa
	hsmctl device certificate chain87.pem --chain --ml-dsa
	hsmctl device certificate device87.pem --ml-dsa
	point "then the device certifies itself" chain_good device87.pem chain87.pem
fi

point "the vendor's certificate is taken away" hsmctl device install-certificate
conf good.pem
point "then the vendor says nothing about it" says 4 "no trusted root" hsmctl info
conf device.pem
point "and the device's first certificate does" says 0 "" hsmctl info

finish
