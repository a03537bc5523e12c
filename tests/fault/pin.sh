#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Wrong PINs as a user sees them: refused, counted over kill -9, locked, unlocked by the SO;
# and where PINs may come from.

. tests/hsm.sh

hsm_new pin
point "the token is initialized" hsm_init

change() {
	hsmctl pin set --pin-file "$1" --new-pin-file "$2"
}

user_state() {
	hsmctl info --json >"$out" && cat "$out" && grep -q "\"user_pin\": \"$1\"" "$out"
}

point "a wrong PIN" says 1 "CKR_PIN_INCORRECT" change "$TMPDIR/wrong" "$TMPDIR/user"
point "the token shows it" user_state "wrong tries"
point "kill -9 of everything" hsm_kill
point "the token still shows it" user_state "wrong tries"
point "the right PIN" says 0 "" change "$TMPDIR/user" "$TMPDIR/user"
point "the count starts anew" user_state "set"

# A kill after each wrong PIN must not give one more try than there are.
lock() {
	for try in 1 2 3 4 5 6 7 8 9 10; do
		change "$TMPDIR/wrong" "$TMPDIR/user" 2>&1 || true
		[ $((try % 3)) -ne 0 ] || hsm_kill || return 1
	done
}

point "ten wrong PINs, with kill -9 in between" lock
point "the PIN is locked" user_state "locked"
point "the right PIN does not help" says 1 "CKR_PIN_LOCKED" change "$TMPDIR/user" "$TMPDIR/user"
point "the SO sets a new one" says 0 "" hsmctl pin init --pin-file "$TMPDIR/so" --new-pin-file "$TMPDIR/user"
point "which works" says 0 "" change "$TMPDIR/user" "$TMPDIR/user"

printf '123\n' >"$TMPDIR/short"
point "a PIN that is too short" says 1 "CKR_PIN_LEN_RANGE" change "$TMPDIR/user" "$TMPDIR/short"

# --- where PINs come from ---

by_descriptor() {
	cat "$TMPDIR/user" "$TMPDIR/user" >"$TMPDIR/both"
	hsmctl pin set --pin-fd 5 --new-pin-fd 5 5<"$TMPDIR/both"
}

by_credential() {
	CREDENTIALS_DIRECTORY=$TMPDIR hsmctl pin set --pin-credential user --new-pin-credential "$1"
}

point "two lines on one descriptor" says 0 "" by_descriptor
point "systemd credentials" says 0 "" by_credential user
point "a credential's name with a path in it" says 2 "no name of a credential" by_credential ../user
point "no PIN file" says 2 "none" change "$TMPDIR/none" "$TMPDIR/user"
: >"$TMPDIR/empty"
point "an empty PIN file" says 2 "1 to 255 bytes" change "$TMPDIR/empty" "$TMPDIR/user"
head -c 300 /dev/zero | tr '\0' 1 >"$TMPDIR/long"
point "a PIN that is too long to be sent" says 2 "1 to 255 bytes" change "$TMPDIR/long" "$TMPDIR/user"
point "no terminal to ask on" says 2 "no terminal" setsid -w hsmctl pin set
chmod 644 "$TMPDIR/user"
point "a PIN file that others can read" says 0 "others can read" change "$TMPDIR/user" "$TMPDIR/user"
point "two sources for one PIN" says 2 "only one" hsmctl pin set --pin-fd 3 --pin-file "$TMPDIR/user"

finish
