#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Clients killed with sessions open, logged in, in the middle of an operation: the device keeps
# nothing of them, and whoever comes next finds everything as it was.

. tests/hsm.sh

hsm_new killed
point "the token is initialized" hsm_init
point "a key pair" p11 --token-label test --pin env:PIN --keypairgen --key-type EC:prime256v1 --id 01 --label key

# A client that waits for its data in a pipe has logged in and opened its session: opening the
# pipe's other end returns when it has come that far.
kill_one() {
	rm -f "$TMPDIR/pipe"
	mkfifo "$TMPDIR/pipe"
	PIN=$(cat "$TMPDIR/user") pkcs11-tool --module "$HSM_PKCS11_MODULE" --token-label test --pin env:PIN --sign --id 01 \
		-m ECDSA-SHA256 -i "$TMPDIR/pipe" -o "$TMPDIR/sig" >"$out" 2>&1 &
	client=$!
	# shellcheck disable=SC2016	# expanded by the inner shell
	timeout 30 sh -c 'exec 3>"$1" && kill -9 "$2"' - "$TMPDIR/pipe" "$client" && wait "$client"
	[ $? -eq 137 ] || { cat "$out"; return 1; }
}

kill_many() {
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		kill_one || return 1
	done
}

# A token with sessions cannot be initialized. The device hears of a client's end a moment later
# than we do.
no_sessions() {
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		hsm_init && return 0
		cat "$out"
		grep -q CKR_SESSION_EXISTS "$out" || return 1
	done
	return 1
}

point "twenty clients are killed" kill_many
point "the next one signs" works
point "no session is left" no_sessions
finish
