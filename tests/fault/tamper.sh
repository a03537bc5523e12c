#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The life of a board: a sensor that leaves its limits, what is gone then and what remains, officers who
# recover the board, and the states of its life to the end, whose erase is certified.
# timeout: 300

. tests/fault/lib.sh

board_new
temperature=$TMPDIR/temperature
echo 35000 >"$temperature"

start() {
	board_start --sensor "temperature=$temperature" --limits temperature=0:60000 "$@"
}
tenant() {
	ctl0 partition create tenant --function 1 --pin-file "$TMPDIR/officer" &&
		ctl1 partition init --label tenant --pin-file "$TMPDIR/so" --new-pin-file "$TMPDIR/user" --yes
}

point "limits that are none" says 2 "--limits warmth=1:2" vhsm --state "$dir" --limits warmth=1:2
point "a board begins in development" start
point "it is claimed" claim
point "it has a tenant" tenant
point "its condition is told" says 0 '"lifecycle": "development"' ctl0 device show --json
point "its sensors as well" says 0 "temperature +35000 +0 +60000" ctl0 device show
point "nothing is to be recovered from" says 1 CKR_ACTION_PROHIBITED \
	ctl0 device recover --pin-file "$TMPDIR/officer" --yes

# --- a sensor leaves its limits ---

echo 70000 >"$temperature"
point "the board is tampered with" until_says '"tampered": true' ctl0 device show --json
point "its state says so" says 0 "tampered" ctl0 status
point "the tenant's partition is gone" says 0 '"partition": null' ctl1 list --json
point "no partition can be made" says 1 CKR_ACTION_PROHIBITED \
	ctl0 partition create other --function 1 --pin-file "$TMPDIR/officer"
point "nor is it recovered while the sensor is outside" says 1 CKR_ACTION_PROHIBITED \
	ctl0 device recover --pin-file "$TMPDIR/officer" --yes
echo 35000 >"$temperature"
point "the board is stopped" hsm_stop
point "and starts" start
point "it still is tampered with" says 0 '"tampered": true' ctl0 device show --json
point "which sensor it was is known" says 0 "temperature.* yes$" ctl0 device show
point "a wrong PIN recovers nothing" says 1 CKR_PIN_INCORRECT \
	ctl0 device recover --pin-file "$TMPDIR/user" --yes
point "the officer recovers it" ctl0 device recover --pin-file "$TMPDIR/officer" --yes
point "it goes on" until_says '"tampered": false' ctl0 device show --json
point "what happened is not forgotten" says 0 '"tampers": 1' ctl0 device show --json
point "a tenant can come again" tenant

# --- the end of its life ---

point "firmware of development is none for production" says 1 CKR_ACTION_PROHIBITED \
	ctl0 device lifecycle production --pin-file "$TMPDIR/officer" --yes
point "a state that is none" says 2 "no state" ctl0 device lifecycle broken --pin-file "$TMPDIR/officer" --yes
point "the board is returned" ctl0 device lifecycle returned --pin-file "$TMPDIR/officer" --yes
# The device's own partition is another one now: who has pinned it says so.
rm -f "$HOME/.local/state/hsm/known-partitions"
point "it is" until_says '"lifecycle": "returned"' ctl0 device show --json
point "and retired" says 0 "retired" ctl0 status
point "it has no tenant" says 0 '"partition": null' ctl1 list --json
point "and no officer" says 1 CKR_USER_PIN_NOT_INITIALIZED \
	ctl0 partition create other --function 1 --pin-file "$TMPDIR/officer"
point "it is claimed again" claim
point "there is no way back" says 1 CKR_ARGUMENTS_BAD \
	ctl0 device lifecycle development --pin-file "$TMPDIR/officer" --yes
point "it has no tenants any more" says 1 CKR_ACTION_PROHIBITED \
	ctl0 partition create other --function 1 --pin-file "$TMPDIR/officer"
point "it is decommissioned" ctl0 device lifecycle decommissioned --pin-file "$TMPDIR/officer" --yes
rm -f "$HOME/.local/state/hsm/known-partitions"
point "that is so" until_says '"lifecycle": "decommissioned"' ctl0 device show --json
point "there is no claim code" [ ! -e "$fuses/claim-code" ]
point "it is stopped" hsm_stop
point "it starts" start
nonce=00112233445566778899
point "it certifies its erase" ctl0 device statement "$TMPDIR/statement" --nonce "$nonce"

# No vendor has certified the board: its certificates are their own roots, and stand at the chains' ends.
roots() {
	python3 -c 'import subprocess, sys
data = open(sys.argv[1], "rb").read()
at = data.find(b"\x30\x82")
while at >= 0:
    der = data[at:at + 4 + int.from_bytes(data[at + 2:at + 4], "big")]
    cert = subprocess.run(["openssl", "x509", "-inform", "DER", "-subject", "-issuer"],
                          input=der, capture_output=True)
    lines = cert.stdout.decode().splitlines()
    if cert.returncode == 0 and lines[0].split("=", 1)[1] == lines[1].split("=", 1)[1]:
        print("\n".join(lines[2:]))
    at = data.find(b"\x30\x82", at + 1)' "$TMPDIR/statement" >"$TMPDIR/root.pem" && grep BEGIN "$TMPDIR/root.pem"
}
point "its certificates" roots
verify() {
	hsm-verify statement "$TMPDIR/statement" --root "$TMPDIR/root.pem" "$@"
}
point "the statement is genuine" says 0 "lifecycle +decommissioned" verify --nonce "$nonce"
point "with another nonce it is not" says 1 "nonce is another one" verify --nonce 0000000000000000
flip_statement() {
	python3 -c 'import sys
data = bytearray(open(sys.argv[1], "rb").read())
at = data.index(b"tcb") if b"tcb" in data else 120
data[at] ^= 1
open(sys.argv[1] + ".flipped", "wb").write(data)' "$TMPDIR/statement"
	hsm-verify statement "$TMPDIR/statement.flipped" --root "$TMPDIR/root.pem"
}
point "a byte that was changed" says 1 "" flip_statement

point "the board is stopped for good" hsm_stop
finish
