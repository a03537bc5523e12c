#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# A board that is nobody's own: claimed by its code, then administered by an officer's PIN.

. tests/hsm.sh

board=
fuses=$TMPDIR/safe/fuses
code=$TMPDIR/safe/claim-code
run=$TMPDIR/run
mkdir "$run" "$TMPDIR/safe"

stop() {
	[ -z "$board" ] || { kill "$board" && wait "$board"; }
	board=
}
trap 'stop' EXIT

# The board writes a line when its sockets listen: no other way to know.
start() {
	mkfifo "$TMPDIR/ready"
	vhsm --state "$TMPDIR/board" --fuses "$fuses" --run "$run" --log "$TMPDIR/log" --ready-fd 3 3>"$TMPDIR/ready" &
	board=$!
	read -r answer <"$TMPDIR/ready"
	rm "$TMPDIR/ready"
	[ "$answer" = ready ] || { echo "$answer"; return 1; }
}

point "the board starts" start
HSM_DEVICE=vfio-user:$run/fn1.sock
export HSM_DEVICE
printf 'officer-pin\n' >"$TMPDIR/officer"
printf 'officer-pin-2\n' >"$TMPDIR/officer2"
printf 'wrong-pin\n' >"$TMPDIR/wrong"
printf 'AAAA-BBBB-CCCC-DDDD\n' >"$TMPDIR/guess"

point "it is unclaimed" says 0 '"claimed": false' hsmctl status --json
point "its fuses are apart" says 0 '"rollback_protection": "fuses"' hsmctl status --json
point "nobody is officer" says 1 "CKR_" hsmctl partition list --pin-file "$TMPDIR/officer"
point "a wrong code" says 1 "CKR_" hsmctl claim --code-file "$TMPDIR/guess" --new-pin-file "$TMPDIR/officer"

point "the code is in a file beside the fuses" [ "$(stat -c %a "$code")" = 600 ]
point "claim" says 0 "" hsmctl claim --code-file "$code" --new-pin-file "$TMPDIR/officer"
point "it is claimed" says 0 '"claimed": true' hsmctl status --json
point "the code's file is gone" [ ! -e "$code" ]
point "a second claim" says 1 "has an officer" hsmctl claim --code-file "$TMPDIR/guess" --new-pin-file "$TMPDIR/officer"
point "the officer's PIN is asked for" says 1 "CKR_PIN_INCORRECT" hsmctl partition list --pin-file "$TMPDIR/wrong"
point "the officer creates a partition" says 0 "first" \
	hsmctl partition create first --function 1 --pin-file "$TMPDIR/officer"
point "it is strict" says 0 "profile *strict" hsmctl partition show first --pin-file "$TMPDIR/officer"
point "the officer's PIN is changed" says 0 "" \
	hsmctl pin set --role officer --pin-file "$TMPDIR/officer" --new-pin-file "$TMPDIR/officer2"
point "the old one is no longer good" says 1 "CKR_PIN_INCORRECT" hsmctl partition list --pin-file "$TMPDIR/officer"
stop
point "the board starts again" start
point "the new one is good" says 0 "first" hsmctl partition list --pin-file "$TMPDIR/officer2"
point "an officer with a name" says 0 "" \
	hsmctl officer add anna --pin-file "$TMPDIR/officer2" --new-pin-file "$TMPDIR/officer"
point "an auditor" says 0 "" \
	hsmctl officer add arno --role auditor --pin-file "$TMPDIR/officer2" --new-pin-file "$TMPDIR/officer"
point "she logs in" says 0 "first" hsmctl partition list --as anna --pin-file "$TMPDIR/officer"
point "by her own PIN alone" says 1 "CKR_PIN_INCORRECT" hsmctl partition list --as anna --pin-file "$TMPDIR/officer2"
point "an auditor administers nothing" says 1 "CKR_USER_NOT_LOGGED_IN" \
	hsmctl partition list --as arno --pin-file "$TMPDIR/officer"
point "she is removed" says 0 "" hsmctl officer remove anna --pin-file "$TMPDIR/officer2"
point "and no officer any more" says 1 "CKR_PIN_INCORRECT" hsmctl partition list --as anna --pin-file "$TMPDIR/officer"
point "the partition's token" says 0 "label" \
	hsmctl partition init --pin-file "$TMPDIR/officer" --new-pin-file "$TMPDIR/officer2"
stop
finish
