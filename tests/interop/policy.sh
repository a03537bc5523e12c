#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# An officer's policies and a partition's named users, by hsmctl on an embedded board.

. tests/hsm.sh

hsm_new policy
point "the token is initialized" hsm_init
printf 'CKM_SHA256 # remark\nAES_GCM\n\n' >"$TMPDIR/list"
printf 'named-pin\n' >"$TMPDIR/named"
printf 'other-pin\n' >"$TMPDIR/other"

# member KEY VALUE: the last answer's JSON has that
member() {
	python3 -c 'import json, sys
value = json.load(open(sys.argv[1]))
for step in sys.argv[2].split("/"):
    value = value[int(step)] if isinstance(value, list) else value[step]
print(value)
sys.exit(str(value) != sys.argv[3])' "$out" "$1" "$2"
}

# --- policies ---

point "a strict partition" says 0 "" \
	hsmctl partition create tenant --function 2 --min-rsa 3072 --max-rate 5 --mechanisms-file "$TMPDIR/list"
point "what was set" says 0 "" hsmctl partition show tenant --json
point "profile" member profile strict
point "least RSA" member min_rsa 3072
point "least EC of the profile" member min_ec 224
point "a mechanism" member mechanisms/0 CKM_SHA256
point "the other" member mechanisms/1 CKM_AES_GCM
fingerprint=$(sed -n 's/.*"fingerprint": *"\([0-9a-f]*\)".*/\1/p' "$out")
point "a fingerprint" test ${#fingerprint} -eq 96
point "the tenant sees the same" says 0 "$fingerprint" hsmctl -d "$HSM_DEVICE,function=2" policy
point "stricter" says 0 "" hsmctl partition update tenant --min-rsa 4096 --pin-days 90
point "less strict" says 1 "CKR_ACTION_PROHIBITED.*--relax" hsmctl partition update tenant --min-rsa 3072
point "on purpose" says 0 "" hsmctl partition update tenant --min-rsa 3072 --pin-days 0 --relax
point "the fingerprint is the former one" says 0 "$fingerprint" hsmctl partition show tenant
point "another name and all mechanisms" says 0 "" hsmctl partition update tenant --name renamed --mechanisms all --relax
point "it has them" says 0 '"mechanisms": \[ *\]' hsmctl partition show renamed --json
point "a number out of range" says 2 "from 0 to 16384" hsmctl partition update renamed --min-rsa 99999
point "no such mechanism" says 2 "no mechanism 'CKM_NONSENSE'" hsmctl partition update renamed --mechanisms SHA256,CKM_NONSENSE
point "no mechanism at all" says 2 "no mechanism was named" hsmctl partition update renamed --mechanisms ""
point "no such profile" says 2 "neither strict" hsmctl partition create x --profile lax
point "no such partition" says 1 "no partition 'nobody'" hsmctl partition update nobody --min-rsa 3072

# The policy of a partition that is in use, over a kill of everything
point "three tries" says 0 "" hsmctl partition update default --pin-tries 4 --pin-delay 3600
try() {
	hsmctl pin set --pin-file "$1" --new-pin-file "$TMPDIR/user"
}
point "a wrong PIN" says 1 "CKR_PIN_INCORRECT" try "$TMPDIR/wrong"
point "another" says 1 "CKR_PIN_INCORRECT" try "$TMPDIR/wrong"
point "the right one has to wait" says 1 "CKR_PIN_LOCKED.*try again in 3[56][0-9][0-9] s" try "$TMPDIR/user"
point "kill -9 of everything" hsm_kill
point "it still has to" says 1 "CKR_PIN_LOCKED.*try again in 3[56][0-9][0-9] s" try "$TMPDIR/user"
point "the officer lifts the delay" says 0 "" hsmctl partition update default --pin-delay 0 --relax
point "the right one is right" says 0 "" try "$TMPDIR/user"
point "a history" says 0 "" hsmctl partition update default --pin-history 2
point "the same PIN" says 1 "CKR_PIN_INVALID" try "$TMPDIR/user"
point "none" says 0 "" hsmctl partition update default --pin-history 0 --relax

# --- users ---

so() {
	hsmctl "$@" --pin-file "$TMPDIR/so"
}

point "a manager" says 0 "" so user add max --role manager --new-pin-file "$TMPDIR/named"
point "a user, made by the manager" says 0 "" \
	hsmctl user add ulla --as max --pin-file "$TMPDIR/named" --new-pin-file "$TMPDIR/other"
point "no manager by a manager" says 1 "CKR_USER_NOT_LOGGED_IN" \
	hsmctl user add moritz --role manager --as max --pin-file "$TMPDIR/named" --new-pin-file "$TMPDIR/other"
point "a role that is none" says 2 "no role of a user" so user add x --role king --new-pin-file "$TMPDIR/named"
point "the list" says 0 "" so user list --json
point "its second" member users/1/user ulla
point "whose role" member users/1/role user
change() {
	hsmctl pin set --user ulla --pin-file "$1" --new-pin-file "$TMPDIR/other"
}
point "a PIN of its own" says 0 "" change "$TMPDIR/other"
for try in 1 2 3 4; do
	point "wrong, $try" says 1 "CKR_PIN_INCORRECT" change "$TMPDIR/wrong"
done
point "locked" says 1 "CKR_PIN_LOCKED" change "$TMPDIR/other"
point "the list has it" says 0 "locked" so user list
point "the manager unlocks it" says 0 "" hsmctl user unlock ulla --as max --pin-file "$TMPDIR/named"
point "it works again" says 0 "" change "$TMPDIR/other"
point "another role" says 0 "" so user role ulla read-only
point "a new PIN by the SO" says 0 "" so user pin ulla --new-pin-file "$TMPDIR/named"
point "the old one is gone" says 1 "CKR_PIN_INCORRECT" change "$TMPDIR/other"
point "removed" says 0 "" so user remove ulla
point "twice" says 1 "no such user" so user remove ulla
point "kill -9 of everything, again" hsm_kill
point "one is left" says 0 "manager" so user list
finish
