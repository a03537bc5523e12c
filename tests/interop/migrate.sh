#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# A partition moves from one board to another, by hsmctl and files alone, with kill -9 of either board between the
# steps; another is taken back; and a backup is restored with the shares of two of three custodians.
# timeout: 600

. tests/hsm.sh
need pkcs11-tool
need openssl

hsm_new target
b=$dir
B=$HSM_DEVICE
hsm_new source
a=$dir
A=$HSM_DEVICE

stop_both() {
	status=$?
	trap - EXIT
	for dir in "$a" "$b"; do
		hsm_stop
	done
	exit "$status"
}
trap stop_both EXIT

on() {
	dir=$1
	HSM_DEVICE=vhsm:$1
	export HSM_DEVICE
}

point "the source is initialized" hsm_init
openssl genpkey -algorithm ML-KEM-1024 -out "$TMPDIR/kem.pem" 2>/dev/null || {
	point "without ML-KEM nothing moves" says 1 "libcrypto here has no" \
		hsmctl partition migrate-request --pin-file "$TMPDIR/so" --output "$TMPDIR/none"
	finish
	exit
}
point "a key pair" p11 --token-label test --pin env:PIN --keypairgen --key-type EC:prime256v1 --id 01 --label key
point "it signs" works
id=$(hsmctl list --json | sed -n 's/.*"id": *"\([0-9a-f-]*\)".*/\1/p' | head -1)

# --- the policy ---

on "$b"
point "the target's certificate" hsmctl device certificate "$TMPDIR/b.pem"
point "its other one" hsmctl device certificate --ml-dsa "$TMPDIR/b-ml.pem"
on "$a"
request() {
	hsmctl partition migrate-request --pin-file "$TMPDIR/so" --output "$1"
}
point "nowhere to go" says 1 "no root" request "$TMPDIR/request"
point "the policy allows that board" hsmctl partition update default --relax \
	--migration-roots "$TMPDIR/b.pem,$TMPDIR/b-ml.pem" --backup 1
point "a request" request "$TMPDIR/request"
point "no file is overwritten" says 2 "File exists" request "$TMPDIR/request"

# --- the target ---

on "$b"
point "room on the target" says 0 "$id" hsmctl partition import "$TMPDIR/request" --function 2
target() {
	hsmctl -d "$B,function=2" partition "$@"
}
# Until a partition has come, its place has an identity of its own, which nobody remembers: to who knows the
# partition from the source it is a stranger, to somebody else each one is a first one.
passing() {
	XDG_STATE_HOME=$TMPDIR/passing "$@"
}
point "it waits" passing says 0 WAITING target migrate-status
point "an offer" passing target migrate-prepare "$TMPDIR/request" --output "$TMPDIR/offer"
point "kill -9 of the target" hsm_kill
point "the same offer" passing target migrate-prepare "$TMPDIR/request" --output "$TMPDIR/offer2"
point "it has an import key" passing says 0 IMPORTING target migrate-status

# --- the source freezes and seals ---

on "$a"
export_it() {
	hsmctl partition migrate-export "$TMPDIR/offer2" --pin-file "$TMPDIR/so" --yes --output "$1"
}
point "not without an officer" says 1 "CKR_ACTION_PROHIBITED" export_it "$TMPDIR/package"
point "an officer allows it" hsmctl partition migrate-allow "$TMPDIR/offer2" default
point "exported" export_it "$TMPDIR/package"
point "it serves nothing" says 1 "CKR_TOKEN_NOT_PRESENT" \
	hsmctl pin set --pin-file "$TMPDIR/user" --new-pin-file "$TMPDIR/user"
point "kill -9 of the source" hsm_kill
point "it is frozen" says 0 FROZEN hsmctl partition migrate-status
point "the same again, without a PIN" export_it "$TMPDIR/package2"

# --- the target takes it ---

on "$b"
head -c 70000 "$TMPDIR/package" >"$TMPDIR/cut"
printf 'IHSMPKG1' >"$TMPDIR/empty"
point "a cut package" passing says 2 "cut off" target migrate-import "$TMPDIR/empty" --output "$TMPDIR/no"
point "a changed one" python3 -c 'import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[-100] ^= 1
open(sys.argv[2], "wb").write(data)' "$TMPDIR/package" "$TMPDIR/changed"
point "is refused" passing says 1 "refused: the package" target migrate-import "$TMPDIR/changed" --output "$TMPDIR/no"
point "kill -9 of the target, again" hsm_kill
point "imported" passing target migrate-import "$TMPDIR/package2" --output "$TMPDIR/receipt"
point "kill -9 of the target, once more" hsm_kill
point "it has come" says 0 "other_copies_possible.*(yes|true)" target migrate-status
point "the receipt again" target migrate-import "$TMPDIR/package" --output "$TMPDIR/receipt2"
cat "$TMPDIR/b.pem" "$TMPDIR/b-ml.pem" >"$TMPDIR/b-roots"
verify() {
	hsm-verify "$@" --root "$TMPDIR/b-roots"
}
point "a stranger believes the receipt" says 0 genuine verify migration "$TMPDIR/receipt2"
point "it is for that package" says 0 "compared_with *migration-package" verify migration "$TMPDIR/receipt2" "$TMPDIR/package2"
point "and not for another" says 1 "another migration-package" verify migration "$TMPDIR/receipt2" "$TMPDIR/package"
point "it answers no request" says 2 "names none" verify migration "$TMPDIR/receipt2" "$TMPDIR/request"
point "nor does it come from the source" says 1 "no trusted root" verify migration "$TMPDIR/package2"
arrival() {
	hsmctl -d "$1" attest partition "$TMPDIR/evidence" && verify evidence "$TMPDIR/evidence"
}
point "evidence says that it came" says 0 "arrival *moved" arrival "$B,function=2"
there() {
	HSM_DEVICE="$B,function=2" works
}
point "the key signs there" there
point "a request is no receipt" says 1 "refused" hsmctl -d "$A" partition migrate-finish --yes "$TMPDIR/request"
point "the offer neither" says 1 "refused" hsmctl -d "$A" partition migrate-finish --yes "$TMPDIR/offer"
on "$a"
point "finished" hsmctl partition migrate-finish --yes "$TMPDIR/receipt2"
point "it is gone" says 0 '"partitions": \[ *\]' hsmctl partition list --json
point "its receipt is kept" hsmctl partition receipt "$id" --output "$TMPDIR/kept"
point "as it was" cmp "$TMPDIR/kept" "$TMPDIR/receipt2"

# --- a backup of it, from there ---

for n in 1 2 3; do
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 >"$TMPDIR/c$n.pem" 2>/dev/null
	openssl pkey -in "$TMPDIR/c$n.pem" -pubout >"$TMPDIR/c$n.pub" 2>/dev/null
	openssl genpkey -algorithm ML-KEM-1024 >"$TMPDIR/kem.pem" 2>/dev/null
	openssl pkey -in "$TMPDIR/kem.pem" -pubout >>"$TMPDIR/c$n.pub" 2>/dev/null
	cat "$TMPDIR/kem.pem" >>"$TMPDIR/c$n.pem"
	chmod 600 "$TMPDIR/c$n.pem"
done
on "$b"
custodians="$TMPDIR/c1.pub $TMPDIR/c2.pub $TMPDIR/c3.pub"
backup() {
	# shellcheck disable=SC2086	# a list of files
	target backup "$1" $custodians --threshold 2 --pin-file "$TMPDIR/so" --output "$2"
}
point "no backup without an officer" says 1 "CKR_ACTION_PROHIBITED" backup "$id" "$TMPDIR/backup"
# shellcheck disable=SC2086	# a list of files
point "an officer allows it" hsmctl backup allow "$id" $custodians --threshold 2
point "a backup" backup "$id" "$TMPDIR/backup"
on "$a"
point "room for it" says 0 "$id" hsmctl partition import "$TMPDIR/backup" --function 1
point "an offer for it" passing hsmctl partition migrate-prepare "$TMPDIR/backup" --output "$TMPDIR/restore"
point "the restoring board's certificate" hsmctl device certificate "$TMPDIR/a.pem"
point "its other one" hsmctl device certificate --ml-dsa "$TMPDIR/a-ml.pem"
share() {
	hsmctl backup share "$TMPDIR/backup" "$TMPDIR/restore" --key "$TMPDIR/c$1.pem" --yes \
		--root "$2" --output "$TMPDIR/share$1"
}
point "no share for a board of unknown root" says 2 "not to be believed" share 1 "$TMPDIR/b.pem,$TMPDIR/b-ml.pem"
point "the offer without its last signature" python3 tests/interop/cose.py first "$TMPDIR/restore" "$TMPDIR/stripped"
point "no share for it" says 2 "one by ML-DSA-87" hsmctl backup share "$TMPDIR/backup" "$TMPDIR/stripped" \
	--key "$TMPDIR/c1.pem" --yes --root "$TMPDIR/a.pem,$TMPDIR/a-ml.pem" --output "$TMPDIR/share-stripped"
chmod 640 "$TMPDIR/c1.pem"
point "none from a key that others can read" says 2 "chmod 600" share 1 "$TMPDIR/a.pem,$TMPDIR/a-ml.pem"
chmod 600 "$TMPDIR/c1.pem"
point "a share, and for what" says 0 "partition_id +$id" share 1 "$TMPDIR/a.pem,$TMPDIR/a-ml.pem"
point "another" share 3 "$TMPDIR/a.pem,$TMPDIR/a-ml.pem"
restore() {
	hsmctl partition restore "$TMPDIR/backup" "$@" --output "$TMPDIR/restored"
}
point "one is not enough" passing says 1 "needs 2 shares" restore "$TMPDIR/share1"
point "the same twice neither" passing says 1 "twice" restore "$TMPDIR/share1" "$TMPDIR/share1"
point "two are" passing restore "$TMPDIR/share3" "$TMPDIR/share1"
point "the key signs" works
point "it says where it is from" says 0 "restored from a backup" hsmctl partition migrate-status
cat "$TMPDIR/a.pem" "$TMPDIR/a-ml.pem" >>"$TMPDIR/b-roots"
point "to strangers too" says 0 "the partition was restored from a backup" arrival "$A"
point "the restoring board's receipt" says 0 "compared_with *backup" \
	verify migration "$TMPDIR/restored" "$TMPDIR/backup"

# --- taken back ---

point "the policy allows the other board" hsmctl partition update "$id" --relax \
	--migration-roots "$TMPDIR/b.pem,$TMPDIR/b-ml.pem"
point "a request of the copy" request "$TMPDIR/request3"
on "$b"
point "where there is one already" says 1 "CKR_ARGUMENTS_BAD" hsmctl partition import "$TMPDIR/request3" --function 3
point "it is destroyed there" hsmctl partition destroy "$id" --yes
point "now there is room" hsmctl partition import "$TMPDIR/request3" --function 3
third() {
	hsmctl -d "$B,function=3" partition "$@"
}
point "an offer to the copy" passing third migrate-prepare "$TMPDIR/request3" --output "$TMPDIR/offer3"
on "$a"
more="$TMPDIR/b.pem,$TMPDIR/b-ml.pem"
point "an officer allows that, with certificates" hsmctl partition migrate-allow "$TMPDIR/offer3" "$id" --certificates "$more"
point "not without them" says 1 "CKR_ACTION_PROHIBITED" hsmctl partition migrate-export "$TMPDIR/offer3" \
	--pin-file "$TMPDIR/so" --yes --output "$TMPDIR/package3"
point "frozen" hsmctl partition migrate-export "$TMPDIR/offer3" --certificates "$more" --pin-file "$TMPDIR/so" --yes --output "$TMPDIR/package3"
point "not taken back on a receipt" says 1 "refused" hsmctl partition migrate-resume "$TMPDIR/receipt"
on "$b"
point "the target abandons it" passing third migrate-abort --yes --output "$TMPDIR/statement"
point "who checks that believes it" says 0 "destroyed the import key" \
	verify migration "$TMPDIR/statement" "$TMPDIR/offer3"
gone_there() {
	! hsmctl partition list --json | grep "$id"
}
point "it is gone there" gone_there
on "$a"
point "taken back" hsmctl partition migrate-resume "$TMPDIR/statement"
point "the key signs again" works
finish
