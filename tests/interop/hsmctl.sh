#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# hsmctl's verbs on an embedded board, and its JSON: the keys are those of the manual.

. tests/hsm.sh

hsm_new ctl

# --- usage ---

point "help lists the verbs" says 0 "partition create NAME" hsmctl --help
point "help of a verb has its options" says 0 "--max-objects" hsmctl partition create --help
point "the version" says 0 "^hsmctl $(cat VERSION)$" hsmctl --version
point "no verb" says 2 "usage" hsmctl
point "an unknown verb" says 2 "no verb 'nonsense'" hsmctl nonsense
point "half a verb" says 2 "which 'partition'\? create, update, list, show, assign, destroy, init" hsmctl partition
point "a wrong second half" says 2 "which 'pin'\? set, init" hsmctl pin guess
point "an option of another verb" says 2 "takes no option like --label" hsmctl list --label x
point "an unknown option" says 2 "nonsense" hsmctl list --nonsense
point "a missing argument" says 2 "usage: hsmctl partition create NAME" hsmctl partition create
point "a PIN as an argument is no option" says 2 "--pin" hsmctl pin set --pin 1234

# --- JSON: keys PATH... : the object, or each entry of the array, has exactly these keys ---

keys() {
	python3 -c 'import json, sys
value = json.load(open(sys.argv[1]))
for step in filter(None, sys.argv[2].split("/")):
    value = value[step]
rows = value if isinstance(value, list) else [value]
want = set(sys.argv[3:])
bad = [sorted(set(row) ^ want) for row in rows if set(row) != want]
print(json.dumps(value, indent=1), bad)
sys.exit(not rows or bool(bad))' "$out" "$@"
}

point "list" says 0 "default" hsmctl list
point "list as JSON" says 0 "partitions" hsmctl list --json
point "its keys" keys partitions device function state slot partition id
point "partition init" says 0 "label *hello" hsmctl partition init --label hello --pin-file "$TMPDIR/so" --new-pin-file "$TMPDIR/user"
point "again, with nobody to ask" says 2 "no terminal" \
	setsid -w hsmctl partition init --pin-file "$TMPDIR/so" --new-pin-file "$TMPDIR/user"
point "again, with the wrong SO PIN" says 1 "CKR_PIN_INCORRECT" \
	hsmctl partition init --yes --pin-file "$TMPDIR/wrong" --new-pin-file "$TMPDIR/user"
point "again, with the right one" says 0 "label *again" \
	hsmctl partition init --yes --label again --pin-file "$TMPDIR/so" --new-pin-file "$TMPDIR/user"
printf 'abc\n' >"$TMPDIR/short"
point "again, with a user PIN that is too short" says 2 "New user PIN: it must have 4 to 255 bytes" \
	hsmctl partition init --yes --label short --pin-file "$TMPDIR/so" --new-pin-file "$TMPDIR/short"
point "nothing was changed" says 0 '"label": "again"' hsmctl info --json
point "info" says 0 "virtual" hsmctl info --json
point "its keys" keys "" device model serial board_id hardware state firmware security_version minimum_security_version measurement \
	rollback_protection function functions tokens
point "the tokens' keys" keys tokens slot partition label serial profile initialized so_pin user_pin pin_min pin_max \
	memory free
point "status" says 0 '"rollback_protection": "none"' hsmctl status --json
point "its keys" keys "" device state claimed embedded officer rollback_protection fuse_secret fuse_counter functions
point "an error as JSON" says 1 '"code": "CKR_PIN_INCORRECT"' \
	hsmctl pin set --json --pin-file "$TMPDIR/wrong" --new-pin-file "$TMPDIR/user"

# --- partitions ---

point "partition create" says 0 '"partition": "second"' \
	hsmctl partition create second --function 2 --profile compatible --max-objects 7 --json
point "its keys" keys "" partition slot id
id=$(sed -n 's/.*"id": *"\(.*\)".*/\1/p' "$out")
slot=$(sed -n 's/.*"slot": *\([0-9]*\).*/\1/p' "$out")
point "partition list" says 0 '"second"' hsmctl partition list --json
point "its keys" keys partitions slot partition function profile max_objects max_sessions max_bytes id
point "partition show by name" says 0 "max_objects *7$" hsmctl partition show second
point "by slot" says 0 "partition *second" hsmctl partition show "$slot"
point "by id" says 0 "partition *second" hsmctl partition show "$id"
point "none of that name" says 1 "no partition 'third'" hsmctl partition show third
point "it is on function 2" says 0 "second" hsmctl -d "$HSM_DEVICE,function=2" list
point "its token" says 0 "label *other" \
	hsmctl -d "$HSM_DEVICE,function=2" partition init second --label other --pin-file "$TMPDIR/so" --new-pin-file "$TMPDIR/user"
point "not on function 1" says 3 "no partition 'second'" hsmctl pin init --partition second --pin-file "$TMPDIR/so"
point "partition assign" says 0 "function *3" hsmctl partition assign second 3
point "it is on function 3" says 0 "second" hsmctl -d "$HSM_DEVICE,function=3" list
point "its PINs moved with it" says 0 "" \
	hsmctl -d "$HSM_DEVICE,function=3" pin set --pin-file "$TMPDIR/user" --new-pin-file "$TMPDIR/user"
point "a function that is not there" says 1 "no function 99: the device has 1 to 7" hsmctl partition assign second 99
point "nor for a new partition" says 1 "no function 8" hsmctl partition create third --function 8
point "function 0 has no partition of its own" says 0 '"slot": null' hsmctl -d "$HSM_DEVICE,function=0" list --json
point "and no token" says 0 '"tokens": \[' hsmctl -d "$HSM_DEVICE,function=0" info --json
point "the owner is the officer" says 1 "CKR_USER_ALREADY_LOGGED_IN.*without a PIN" \
	hsmctl pin set --role officer --pin-file "$TMPDIR/so" --new-pin-file "$TMPDIR/so"
point "destroy asks" says 2 "no terminal" setsid -w hsmctl partition destroy second
point "destroy" says 0 "" hsmctl partition destroy second --yes
point "it is gone" says 1 "no partition 'second'" hsmctl partition show second
point "a number that is none" says 2 "no number" hsmctl partition create x --max-objects many
point "a profile that is none" says 2 "neither strict, compatible nor legacy" hsmctl partition create x --profile lax


# --- names that are no text ---

point "bytes that are no UTF-8" says 1 "CKR_ARGUMENTS_BAD" hsmctl partition create "$(printf 'a\377b')"
point "an escape" says 1 "CKR_ARGUMENTS_BAD" hsmctl partition create "$(printf 'b\033[1m')"
point "UTF-8" says 0 "" hsmctl partition create "$(printf 'na\303\257ve')"
point "JSON is UTF-8" says 0 "" hsmctl partition list --json
point "and can be read" keys partitions slot partition function profile max_objects max_sessions max_bytes id

finish
