#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# The page on containers, as far as it goes without an engine for images: a root of its own, without
# network, processes, home or module of the host, into which only p11-kit's socket is mounted.

. tests/interop/howto.sh
. tests/packages/scratch.sh
need p11-kit
need p11tool
need pkcs11-tool

scratch_layer
module=$(find /usr/lib -name p11-kit-client.so | head -n 1)
[ -n "$module" ] || {
	echo "1..0 # SKIP p11-kit's client module is not installed"
	exit 0
}
alone root
page token container
servers="$servers $P11_KIT_SERVER_PID"
p11 --keypairgen --key-type rsa:2048 --label rsa --id 20 --usage-sign --usage-decrypt >&2 || exit 1
p11 --keygen --key-type AES:32 --label aes --id 21 --usage-decrypt >&2 || exit 1
pin=$(cat "$HOME/.pin")

# The recipe's own lines: packages are here already, files and variables are as it has them.
recipe() {
	name=$(sed -n "s/.*printf 'module: \(.*\)\\\\n' .*/\1/p" "$top/system/Containerfile")
	address=$(sed -n 's/^ENV P11_KIT_SERVER_ADDRESS=//p' "$top/system/Containerfile")
	rm -f "$scratch"/usr/share/p11-kit/modules/* && mkdir -p "$scratch/etc/pkcs11/modules" "$scratch/run/p11-kit" &&
		echo "module: $name" >"$scratch/etc/pkcs11/modules/host.module" &&
		mount --bind "$HOME/socket" "$scratch/run/p11-kit" && [ "$address" = unix:path=/run/p11-kit/hsm ]
}

# container CMD...: in namespaces of its own
container() {
	env -i PATH=/usr/sbin:/usr/bin:/bin HOME=/nonexistent P11_KIT_SERVER_ADDRESS="$address" GNUTLS_PIN="$pin" PIN="$pin" \
		unshare --net --ipc --uts --pid --fork --mount-proc="$scratch/proc" --propagation unchanged chroot "$scratch" "$@"
}

nothing_of_the_host() {
	container sh -c "[ ! -e $HSM_PKCS11_MODULE ] && [ ! -e $HOME ] && [ ! -e /dev/ihsm0 ] && ! ls /proc | grep -qx $P11_KIT_SERVER_PID"
}

listed() {
	container p11tool --list-token-urls >"$TMPDIR/out" 2>&1
	cat "$TMPDIR/out"
	[ "$(grep -c token= "$TMPDIR/out")" -eq 1 ] && grep 'token=web' "$TMPDIR/out"
}

signs() {
	container p11tool --login --test-sign 'pkcs11:token=web;id=%01;type=private' >"$TMPDIR/out" 2>&1
	cat "$TMPDIR/out"
	grep "Verifying against public key in the token... ok" "$TMPDIR/out"
}

# tool ARGUMENT...: pkcs11-tool in the container, whose files are in its /tmp
tool() {
	container pkcs11-tool --module "$module" --token-label web --login --pin env:PIN "$@"
}

# Public keys come by the socket too, and openssl outside checks.
public_key() {
	tool --read-object --type pubkey --id "$1" --output-file "/tmp/$1.pub"
}

# signs_with ID MECHANISM OPENSSL-OPTION...
signs_with() {
	id=$1
	mechanism=$2
	shift 2
	tool --sign --id "$id" --mechanism "$mechanism" --signature-format openssl --input-file /tmp/page --output-file /tmp/sig &&
		public_key "$id" && openssl dgst -sha256 "$@" -verify "$scratch/tmp/$id.pub" -keyform DER \
		-signature "$scratch/tmp/sig" "$scratch/tmp/page"
}

decrypts_rsa() {
	public_key 20 && openssl pkeyutl -encrypt -pubin -keyform DER -inkey "$scratch/tmp/20.pub" -in "$scratch/tmp/page" \
		-out "$scratch/tmp/page.rsa" -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 &&
		tool --decrypt --id 20 --mechanism RSA-PKCS-OAEP --hash-algorithm SHA256 --mgf MGF1-SHA256 \
			--input-file /tmp/page.rsa --output-file /tmp/page.back && cmp "$scratch/tmp/page" "$scratch/tmp/page.back"
}

# aes MECHANISM IV OPTION...: there and back, and not the same in between
aes() {
	mechanism=$1
	iv=$2
	shift 2
	tool --encrypt --id 21 --mechanism "$mechanism" --iv "$iv" "$@" --input-file /tmp/page --output-file /tmp/page.aes &&
		! cmp "$scratch/tmp/page" "$scratch/tmp/page.aes" &&
		tool --decrypt --id 21 --mechanism "$mechanism" --iv "$iv" "$@" --input-file /tmp/page.aes \
			--output-file /tmp/page.back && cmp "$scratch/tmp/page" "$scratch/tmp/page.back"
}

makes_a_key() {
	tool --keypairgen --key-type EC:secp384r1 --label made --id 22 && signs_with 22 ECDSA-SHA256
}

point "the recipe's files" recipe
point "the container has nothing of the host" nothing_of_the_host
point "it lists the token, and no other" listed
point "and signs" signs
echo "pay 100 euros" >"$scratch/tmp/page"
chmod 777 "$scratch/tmp" && chmod 644 "$scratch/tmp/page"
point "by ECDSA" signs_with 01 ECDSA-SHA256
point "by RSA" signs_with 20 SHA256-RSA-PKCS
point "by RSA-PSS" signs_with 20 SHA256-RSA-PKCS-PSS -sigopt rsa_padding_mode:pss
point "it decrypts by RSA-OAEP" decrypts_rsa
point "by AES-CBC" aes AES-CBC-PAD 000102030405060708090a0b0c0d0e0f
point "by AES-GCM" aes AES-GCM 000102030405060708090a0b --tag-bits-len 128
point "and a key that it makes signs" makes_a_key
finish
