#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The audit log by hsmctl and hsm-verify: what an auditor reads, and what somebody who changes an export is
# caught at.

. tests/hsm.sh

hsm_new audit
printf 'pin-of-carl\n' >"$TMPDIR/carl"
nonce=00112233445566778899aabbccddeeff

point "the token is initialized" hsm_init
point "an auditor" says 0 "" hsmctl user add carl --role auditor --pin-file "$TMPDIR/so" --new-pin-file "$TMPDIR/carl"
for _ in 1 2 3; do
	says 1 "" hsmctl user list --as carl --pin-file "$TMPDIR/wrong" >/dev/null
done
point "the log's state" says 0 "when_full +overwrite" hsmctl audit status --as carl --pin-file "$TMPDIR/carl"
point "wrong PINs are one record" says 0 'login-failed +public .*"subject":"auditor:carl".*"count":3' \
	hsmctl audit show --as carl --pin-file "$TMPDIR/carl"
point "the SO reads as well" says 0 "user-created" hsmctl audit show --pin-file "$TMPDIR/so"
point "and lets go of nothing" says 1 "CKR_USER_NOT_LOGGED_IN" hsmctl audit release 3 --pin-file "$TMPDIR/so"
point "the device has a log" says 0 "log-started" hsmctl audit show device
no_pin() {
	! grep -qF -e "$(cat "$TMPDIR/so")" -e "$(cat "$TMPDIR/carl")" -e "$(cat "$TMPDIR/wrong")" "$TMPDIR/log"
}
point "an export" says 0 "" hsmctl audit export "$TMPDIR/log" --as carl --pin-file "$TMPDIR/carl" --nonce $nonce
point "has no PIN" no_pin
point "the device's certificate" says 0 "" hsmctl device certificate "$TMPDIR/root"
# Of its other key, where libcrypto has ML-DSA
hsmctl device certificate --ml-dsa "$TMPDIR/root-ml" 2>/dev/null && cat "$TMPDIR/root-ml" >>"$TMPDIR/root"

verify() {
	hsm-verify audit "$1" --root "$TMPDIR/root" --nonce "${2:-$nonce}"
}
point "is genuine" says 0 "complete +yes" verify "$TMPDIR/log"
point "is not of another question" says 1 "another nonce" verify "$TMPDIR/log" 0011223344556677
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout /dev/null -subj /CN=other \
	-out "$TMPDIR/other" 2>/dev/null
point "is not of another vendor's device" says 1 "certificates" hsm-verify audit "$TMPDIR/log" --root "$TMPDIR/other"

# forge PATTERN SCRIPT: an export that sed has changed is refused
forge() {
	sed "$2" "$TMPDIR/log" >"$TMPDIR/forged"
	cmp -s "$TMPDIR/log" "$TMPDIR/forged" && return 1
	says 1 "$1" verify "$TMPDIR/forged"
}
point "a record is removed" forge "removed or moved" 5d
point "the first is removed" forge "removed or moved" 2d
point "the first is removed, and the beginning says so" forge "records are not those|head before" \
	'2d;1s/"first":1/"first":2/'
point "records change places" forge "removed or moved" '5{h;d};6G'
point "a record comes twice" forge "removed or moved" '5p'
# shellcheck disable=SC2016	# sed's
point "the end is cut" forge "cut off" '$d'
point "the text is changed" forge "text of the record" '5s/"actor":"[a-z]*"/"actor":"eve"/'
point "a text is added before the true one" forge "text of the record" '5s/"actor":/"actor":"eve",&/'
point "a text is added behind the record" forge "no JSON object" '5s/$/{"actor":"eve"}/'
# shellcheck disable=SC2016	# sed's
point "a text is added behind the head" forge "no JSON object" '$s/$/ eve/'
point "the bytes are changed" forge "text of the record|no record" '5s/\("cbor":".*\)\(..\)"}/\100"}/'
# shellcheck disable=SC2016	# sed's
point "more comes after the head" forge "more after" '$p'
point "what an error quotes cannot move the terminal's cursor" says 3 'no\?\[2Ksuch' verify "$(printf 'no\033[2Ksuch')"
point "as syslog" says 0 '^<109>1 .* ihsm - user-created \[ihsm@32473 sequence=' \
	hsmctl audit export - --as carl --pin-file "$TMPDIR/carl" --format syslog
point "for the journal" says 0 '^IHSM_EVENT=user-created$' \
	hsmctl audit export - --as carl --pin-file "$TMPDIR/carl" --format journald

# --- the board is killed: what was answered is there ---

point "killed" hsm_kill
point "the log goes on, and holds" says 0 "" \
	hsmctl audit export "$TMPDIR/log" --as carl --pin-file "$TMPDIR/carl" --nonce $nonce
point "is genuine" says 0 "complete +yes" verify "$TMPDIR/log"
point "lets go of records" says 0 "" hsmctl audit release 3 --as carl --pin-file "$TMPDIR/carl"
point "that is recorded" says 0 "log-released +auditor:carl" hsmctl audit show --as carl --pin-file "$TMPDIR/carl"

finish
