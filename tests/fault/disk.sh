#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# A full disk: what needs room is refused with the reason, what needs none goes on, a wrong PIN is
# counted, what was acknowledged stays, and with room again all goes on. In a mount namespace with a
# small file system.

. tests/hsm.sh
own_mounts

hsm_new disk
if ! mount -t tmpfs -o size=2m,mode=0700 tmpfs "$dir"; then
	echo "1..0 # SKIP no small file system can be mounted here"
	exit 0
fi

point "the token is initialized" hsm_init
point "a key pair" p11 --token-label test --pin env:PIN --keypairgen --key-type EC:prime256v1 --id 01 --label key

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
point "the first key signs without room" works
point "a wrong PIN is refused" says 1 "CKR_PIN_INCORRECT" \
	hsmctl pin set --pin-file "$TMPDIR/wrong" --new-pin-file "$TMPDIR/user"
point "and counted" says 0 '"user_pin": "wrong tries"' hsmctl info --json
rm "$dir/fill"
point "what was acknowledged is there" [ "$(count)" -eq "$made" ]
point "with room again, a new key" p11 --token-label test --pin env:PIN --keypairgen --key-type EC:prime256v1 --id 03
point "the first key signs" works
point "kill -9 of everything" hsm_kill
point "nothing was lost" [ "$(count)" -eq "$((made + 1))" ]

finish
