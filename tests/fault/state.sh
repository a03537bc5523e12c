#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# A state directory that is not what the board left there: another version, a byte
# changed, an old copy put back, a second board. What a user is told, and that what is sound goes
# on.

. tests/fault/lib.sh

hsm_new state
point "the token is initialized" hsm_init
point "a key pair" p11 --token-label test --pin env:PIN --keypairgen --key-type EC:prime256v1 --id 01 --label key

point "it signs" works

second_board() {
	vhsm --embedded --state "$dir" --log -
}

point "a second board on the directory" says 3 "another board runs on it \(pid $(hsm_board)\)" second_board
point "the first one goes on" works

# --- the same directory, changed while no board runs ---

keep() {
	rm -rf "$TMPDIR/kept" && cp -a "$dir" "$TMPDIR/kept"
}

restore() {
	hsm_stop && rm -rf "$dir" && cp -a "$TMPDIR/kept" "$dir"
}

set_version() {
	python3 -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("PRAGMA user_version = %d" % int(sys.argv[2]))
db.commit()
db.execute("PRAGMA wal_checkpoint(TRUNCATE)")' "$dir/nvm.db" "$1"
}

# flip_blob TABLE COLUMN: the same in the middle of a stored blob, which the database itself takes
# for sound.
flip_blob() {
	python3 -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
key, blob = db.execute("SELECT %s, %s FROM %s ORDER BY length(%s) DESC" % (sys.argv[4], sys.argv[3], sys.argv[2], sys.argv[3])).fetchone()
blob = bytearray(blob)
blob[len(blob) // 2] ^= 1
db.execute("UPDATE %s SET %s = ? WHERE %s = ?" % (sys.argv[2], sys.argv[3], sys.argv[4]), (bytes(blob), key))
db.commit()
db.execute("PRAGMA wal_checkpoint(TRUNCATE)")' "$dir/nvm.db" "$1" "$2" "$3"
}

point "the board stops" hsm_stop
keep

point "an unknown version is written" set_version 99
point "it is refused by name and version" says 3 "nvm.db.*99" hsmctl list
restore

point "a byte of the root record is changed" flip_blob root blob id
point "the root record does not verify" says 3 "does not verify" hsmctl list
restore

point "a byte of an object is changed" flip_blob rows blob id
point "the token is not served" says 1 "CKR_" hsmctl pin set --pin-file "$TMPDIR/user" --new-pin-file "$TMPDIR/user"
point "the board is" says 0 "embedded" hsmctl status
restore
point "the sound state works again" works

# Each half of the fuses is written in turn: a damaged half is noticed by its checksum.
hsm_stop
both_halves() {
	for at in 100 4196; do
		flip "$dir/fuses" "$at" || return 1
	done
}
point "both copies in the fuses are changed" both_halves
point "the fuses are refused" says 3 "fuses" hsmctl list
restore

# --- an old copy of the database under newer fuses ---

hsm_stop
keep
point "a wrong PIN is counted" says 1 CKR_PIN_INCORRECT \
	hsmctl pin set --pin-file "$TMPDIR/wrong" --new-pin-file "$TMPDIR/user"
hsm_stop
old_database() {
	rm -f "$dir"/nvm.db* && cp -a "$TMPDIR"/kept/nvm.db* "$dir"
}
point "the database of before is put back" old_database
point "it is recognized" says 3 "an old copy was put back" hsmctl list

zeroize() {
	hsm_stop
	vhsm --embedded --state "$dir" --zeroize --log -
}
point "starting anew is possible" zeroize
point "the device is empty" says 0 '"initialized": false' hsmctl info --json

finish
