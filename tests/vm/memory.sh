#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 400
#
# Where a tenant's keys are: in the firmware process of its function and nowhere else. Two keys whose bytes are known
# are imported from outside into a partition; then a guest uses them, beside another tenant's function. A debugger reads
# all memory of the board, of both functions' processes, and of the machine that the guest is, with its kernel, its
# programs and what they left behind.

. tests/vm/lib.sh

# The guest asks for it, scripts/vm --host, and waits: what of the secrets is where?
search() {
	# shellcheck disable=SC2086	# an option or nothing
	python3 tests/vm/search.py $3 "$2" "$TMPDIR/aes" "$TMPDIR/scalar" "$TMPDIR/pin" "$TMPDIR/text" >"$to/$1.found"
}

if [ "${1:-}" = --host ]; then
	TMPDIR=$2
	to=$2/$5
	mkdir "$to"
	n=0
	for pid in $(pgrep -P "$3"); do
		n=$((n + 1))
		search "firmware$n" "$pid" --own || exit 1
	done
	search board "$3" "" && search guest "$(pgrep -f -n "qemu-system-x86_64 .*$4")" ""
	exit
fi

need python3
need openssl
vm_driver
hsm_new memory

import() {
	HSM_DEVICE=vfio-user:$(socket 1) p11 --login --pin env:PIN "$@"
}

make_keys() {
	head -c 32 /dev/urandom >"$TMPDIR/aes"
	openssl ecparam -name prime256v1 -genkey -noout -outform DER -out "$TMPDIR/ec.der"
	# SEC 1, C.4: version, then the octets of the private key
	tail -c +8 "$TMPDIR/ec.der" | head -c 32 >"$TMPDIR/scalar"
	[ "$(wc -c <"$TMPDIR/scalar")" -eq 32 ]
}

# hits WHEN WHERE WHAT: how often
hits() {
	sed -n "s/^$3 //p" "$TMPDIR/$1/$2.found"
}

none() {
	[ "$(hits "$@")" = 0 ]
}

# holders WHEN WHAT: how many of the firmware's processes have it
holders() {
	for file in "$TMPDIR/$1"/firmware*.found; do
		none "$1" "$(basename "$file" .found)" "$2" || echo one
	done | wc -l
}

point "keys whose bytes are known" make_keys
printf 'a text that only the guest has, and that is found in it\n' >"$share/text"
cp "$share/text" "$TMPDIR/text"
tr -d '\n' <"$TMPDIR/user" >"$TMPDIR/pin"
point "the board starts" vm_board
point "a second tenant" vm_partition second 2
point "the first token" vm_init 1 first
point "the second token" vm_init 2 second
point "an AES key goes into the first" import --write-object "$TMPDIR/aes" --type secrkey --key-type AES:32 --label aes --id 01 \
	--usage-decrypt --sensitive
point "and an EC key, a private object" import --write-object "$TMPDIR/ec.der" --type privkey --label load --id 02 --usage-sign
point "their identities are known" vm_trust 1 2
point "the guest's program is built" vm_program load
vm_test --limit 300 --memory 512 --device "$(socket 1)" --device "$(socket 2)" \
	--host "tests/vm/memory.sh --host $TMPDIR $board $(socket 1)" sh tests/vm/guest/memory
for when in busy idle; do
	tail "$TMPDIR/$when"/*.found
	point "$when: three firmware processes at least" [ "$(find "$TMPDIR/$when" -name 'firmware*' | wc -l)" -ge 3 ]
	point "$when: what the guest alone has is found in it" [ "$(hits "$when" guest text)" -ge 1 ]
	point "$when: the AES key is in one of them" [ "$(holders "$when" aes)" -eq 1 ]
	point "$when: the user's PIN in none" [ "$(holders "$when" pin)" -eq 0 ]
	point "$when: nor in the board" none "$when" board pin
	for secret in aes scalar; do
		point "$when: $secret is not in the board" none "$when" board "$secret"
		point "$when: $secret is not in the guest, its kernel and its programs" none "$when" guest "$secret"
	done
done
point "the private key is in one of them while somebody is logged in" [ "$(holders busy scalar)" -eq 1 ]
point "and in none when all have gone" [ "$(holders idle scalar)" -eq 0 ]
finish
