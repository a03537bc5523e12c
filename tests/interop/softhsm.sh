#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 180
#
# The page on SoftHSM's keys, then all kinds of them: made there, used here, with what the old token has
# signed, encrypted or agreed on; and tokens that are not as they should be.

. tests/interop/howto.sh
need pkcs11-tool
need softhsm2-util
need openssl
old_module=/usr/lib/softhsm/libsofthsm2.so
[ -f "$old_module" ] || { echo "1..0 # SKIP no $old_module"; exit 0; }

alone www-data
page token softhsm

# says STATUS PATTERN CMD...
says() {
	want=$1 pattern=$2 have=0
	shift 2
	"$@" >out 2>&1 || have=$?
	cat out
	[ "$have" -eq "$want" ] || { echo "exit status $have, not $want"; return 1; }
	[ -z "$pattern" ] || grep -qE -e "$pattern" out || { echo "no '$pattern'"; return 1; }
}
counts() {
	status=$1 imported=$2 present=$3 not=$4
	shift 4
	says "$status" "^imported +$imported\$" "$@" && grep -qE "^present +$present\$" out &&
		grep -qE "^not_imported +$not\$" out
}
there() {
	OLD=$(cat .old-pin) pkcs11-tool --module "$old_module" --token-label two --login --pin env:OLD "$@"
}
here() {
	pkcs11-tool --module "$HSM_PKCS11_MODULE" --token-label web --login --pin env:PIN "$@"
}
migrate() {
	hsmctl migrate-softhsm two --pin-file .pin --token-pin-file .old-pin "$@"
}

point "another token" softhsm2-util --init-token --free --label two --so-pin "$(cat .old-so-pin)" --pin "$(cat .old-pin)"
point "RSA" there --keypairgen --key-type rsa:2048 --id 11 --label rsa
point "Ed25519" there --keypairgen --key-type EC:edwards25519 --id 12 --label ed
point "ECDH" there --keypairgen --key-type EC:secp384r1 --id 13 --label dh --usage-derive
point "AES" there --keygen --key-type AES:32 --id 14 --label aes
point "HMAC, may leave" there --keygen --key-type GENERIC:32 --id 15 --label mac --extractable
echo "what it says" >note
point "private data" there --write-object note --type data --label note --application-label app --private
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=old -days 30 2>/dev/null
openssl x509 -in cert.pem -outform der -out cert.der
openssl pkey -in key.pem -outform der -out key.der
point "a certificate" there --write-object cert.der --type cert --id 16 --label cert
point "a key of a file" there --write-object key.der --type privkey --id 16 --label cert

# What the old token has made
head -c 4096 /dev/zero | tr '\0' x >long
there --read-object --type pubkey --id 11 -o rsa.pub >/dev/null
there --read-object --type pubkey --id 13 -o dh.pub >/dev/null
iv=000102030405060708090a0b0c0d0e0f
point "SoftHSM encrypts" there --encrypt --id 14 -m AES-CBC-PAD --iv $iv -i long -o long.enc
point "SoftHSM authenticates" there --sign --id 15 -m SHA256-HMAC -i note -o mac.old
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp384r1 -out peer.key 2>/dev/null
openssl pkey -in peer.key -pubout -outform der -out peer.der
openssl pkey -pubin -inform DER -in dh.pub -out dh.pem
openssl pkeyutl -derive -inkey peer.key -peerkey dh.pem -out agreed

point "a wrong PIN of the old token" says 1 "wrong PIN of the SoftHSM token 'two'" \
	hsmctl migrate-softhsm two --pin-file .pin --token-pin-file .so-pin
point "a wrong PIN of the new one" says 1 "CKR_PIN_INCORRECT" \
	hsmctl migrate-softhsm two --pin-file .so-pin --token-pin-file .old-pin
point "no such token: those there are" says 2 "no token 'tow'; there are: .*two" \
	hsmctl migrate-softhsm tow --pin-file .pin --token-pin-file .old-pin
point "no such directory" says 2 "No such file" hsmctl migrate-softhsm ./tow --pin-file .pin --token-pin-file .old-pin

point "told beforehand" says 0 "^to_import +11\$" migrate --dry-run
here -O >objects 2>/dev/null
point "and nothing done" sh -c '! grep -q "label: *rsa" objects'
point "all of it" counts 0 11 0 0 migrate
point "once" counts 0 0 11 0 migrate

here -O >objects 2>/dev/null
access() {
	awk -v label="$1" '/ Object;/ { kind = $0 } $1 == "label:" { mine = $2 == label }
		$1 == "Access:" && mine && kind ~ /Private|Secret/ { sub(/ *Access: */, ""); print }' objects
}
point "sensitive, imported" test "$(access rsa)" = "sensitive"
point "one that may leave" test "$(access mac)" = "extractable"
point "RSA signs" here --sign --id 11 -m SHA256-RSA-PKCS -i long -o long.sig
point "the old public key verifies" openssl dgst -sha256 -verify rsa.pub -keyform DER -signature long.sig long
point "Ed25519 signs" here --sign --id 12 -m EDDSA -i note -o note.sig
point "and SoftHSM verifies" there --verify --id 12 -m EDDSA -i note --signature-file note.sig
point "ECDH" here --derive --id 13 -m ECDH1-COFACTOR-DERIVE -i peer.der -o agreed.here
point "agrees on the same" cmp agreed agreed.here
point "AES decrypts what SoftHSM encrypted" here --decrypt --id 14 -m AES-CBC-PAD --iv $iv -i long.enc -o long.dec
point "to the same" cmp long long.dec
point "HMAC" here --sign --id 15 -m SHA256-HMAC -i note -o mac.here
point "is the same" cmp mac.old mac.here
point "data" here --read-object --type data --label note -o note.here
point "are the same" cmp note note.here
point "the certificate" here --read-object --type cert --id 16 -o cert.here
point "is the same" cmp cert.der cert.here

# --- what is not as it should be ---

# patch LABEL CLASS COMMAND: python on the bytes `data` of the file of that object; COMMAND may say `at(type)`, where a value begins
cat >patch.py <<'END'
import json, os, sys
rows = json.load(open("rows.json"))["objects"]
row = next(r for r in rows if r["label"] == sys.argv[1] and r["kind"] == sys.argv[2])
top = os.path.realpath("tokens")
path = next(os.path.join(d, row["file"]) for d, _, names in os.walk(top) if row["file"] in names)
data = bytearray(open(path, "rb").read())
def at(attribute):
    return data.index(attribute.to_bytes(8, "big"), 8) + 24
exec(sys.argv[3])
open(path, "wb").write(data)
END
migrate --json >rows.json
patch() {
	python3 patch.py "$@"
}
VALUE=0x11 PRIVATE_EXPONENT=0x123 WRAP_TEMPLATE=0x40000211
point "a file that ends early" patch ed "private key" "data = data[:-3]"
point "is told" says 1 "damaged .*cannot be read" migrate
point "a length that lies" patch ed "public key" "data[at(0x180) - 8:at(0x180)] = b'\\xff' * 8"
point "is told" counts 1 0 9 2 migrate
cp -r tokens whole
point "ciphertext that is no blocks" patch aes "secret key" "p = at($VALUE); data[p - 1] -= 1; del data[p]"
point "is told" counts 1 0 8 3 migrate
rm -r tokens; cp -r whole tokens
# A changed IV changes the first bytes of what comes out, and no padding shows it.
point "another secret key" patch aes "secret key" "data[at($VALUE)] ^= 1"
point "is no longer the one of its check value" says 1 "refused .*CKR_ATTRIBUTE_VALUE_INVALID" migrate
rm -r tokens; cp -r whole tokens
point "another private key" patch dh "private key" "data[at($VALUE) + 8] ^= 1"
point "is no longer the one of its public key" says 1 "damaged .*the public key with the same id is another" migrate
rm -r tokens; cp -r whole tokens
point "another RSA key" patch rsa "private key" "data[at($PRIVATE_EXPONENT) + 8] ^= 1"
point "is none" says 1 "private key +RSA +rsa .*refused" migrate
rm -r tokens; cp -r whole tokens
point "a template in a key" patch mac "secret key" "p = at($WRAP_TEMPLATE)
data[p - 8:p] = b''.join(n.to_bytes(8, 'big') for n in (17, 0x103, 1)) + b'\\xff'"
point "would be lost" says 1 "template would be lost" migrate
rm -r tokens; cp -r whole tokens

# They are encrypted all the same, and what the device takes for granted of data is that everybody may read them.
point "data that do not say they are private" patch note data "p = data.index(b''.join(n.to_bytes(8, 'big') for n in (2, 1)), 8)
del data[p:p + 17]
data[at(3)] ^= 1"
point "are taken for private" counts 1 1 8 2 migrate
here -O >objects 2>/dev/null
point "are there" grep -q "label: .*oote" objects
pkcs11-tool --module "$HSM_PKCS11_MODULE" --token-label web -O >public 2>/dev/null
point "but not for everybody" sh -c 'grep -q "Public Key Object" public && ! grep -q oote public'
rm -r tokens; cp -r whole tokens

# --- a strict partition ---

point "a strict partition" hsmctl partition create strict --function 2
HSM_DEVICE=$HSM_DEVICE,function=2
point "its token" hsmctl partition init --label strict --pin-file .so-pin --new-pin-file .pin --yes
point "no keys that wrap and decrypt" says 1 "refused .*--no-wrap" migrate
point "without wrapping" says 1 "^imported +[1-9]" migrate --no-wrap
strict() {
	pkcs11-tool --module "$HSM_PKCS11_MODULE" --token-label strict --login --pin env:PIN "$@"
}
point "they work" strict --sign --id 11 -m SHA256-RSA-PKCS -i long -o strict.sig
point "as before" openssl dgst -sha256 -verify rsa.pub -keyform DER -signature strict.sig long
HSM_DEVICE=${HSM_DEVICE%,*}
finish
