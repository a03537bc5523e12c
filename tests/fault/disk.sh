#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# A full disk: what needs room is refused with the reason (a login does, since a wrong PIN must be counted), what
# was acknowledged stays, and with room again all goes on. In a mount namespace with a small file system.

if [ -z "${HSM_SMALL_DISK:-}" ]; then
	HSM_SMALL_DISK=1
	export HSM_SMALL_DISK
	# In a chroot the root is no mount, whose propagation could be changed.
	for how in "--mount" "--mount --propagation unchanged" "--user --map-root-user --mount"; do
		# shellcheck disable=SC2086	# a list of words
		if unshare $how true 2>/dev/null; then
			exec unshare $how -- "$0"
		fi
	done
	echo "1..0 # SKIP no mount namespaces here"
	exit 0
fi

. tests/hsm.sh

hsm_new disk
if ! mount -t tmpfs -o size=2m,mode=0700 tmpfs "$dir"; then
	echo "1..0 # SKIP no small file system can be mounted here"
	exit 0
fi

point "the token is initialized" hsm_init
point "a key pair" p11 --token-label test --pin env:PIN --keypairgen --key-type EC:prime256v1 --id 01 --label key

works() {
	echo "data" >"$TMPDIR/data"
	p11 --token-label test --pin env:PIN --sign --id 01 -m ECDSA-SHA256 -i "$TMPDIR/data" -o "$TMPDIR/sig" &&
		p11 --token-label test --verify --id 01 -m ECDSA-SHA256 -i "$TMPDIR/data" \
			--signature-file "$TMPDIR/sig" | grep "Signature is valid"
}

fill() {
	! dd if=/dev/zero of="$dir/fill" bs=4k 2>/dev/null
}

count() {
	p11 --token-label test --pin env:PIN -O --type privkey | grep -c "Private Key Object"
}

# Pages that are there already take some: until one is refused.
until_refused() {
	made=1
	while p11 --token-label test --pin env:PIN --keypairgen --key-type EC:prime256v1 --id 02 >"$out" 2>&1; do
		made=$((made + 1))
		[ "$made" -lt 2000 ] || return 1
	done
	cat "$out"
	grep -q "CKR_DEVICE_MEMORY" "$out"
}

point "it signs" works
point "the disk is filled" fill
point "a new key is refused, with the reason" until_refused
rm "$dir/fill"
point "what was acknowledged is there" [ "$(count)" -eq "$made" ]
point "with room again, a new key" p11 --token-label test --pin env:PIN --keypairgen --key-type EC:prime256v1 --id 03
point "the first key signs" works
point "kill -9 of everything" hsm_kill
point "nothing was lost" [ "$(count)" -eq "$((made + 1))" ]

finish
