#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# An old copy of the state put back, one old row, a row of another partition, the state of another board:
# each is refused, and an old copy or row can be accepted by the officers, which is not forgotten.
# timeout: 300

. tests/fault/lib.sh

board_new
printf 'wrong-pin-1234\n' >"$TMPDIR/wrong"

start() {
	fuses_at=${store:-$fuses/board}
	board_start "$@"
}
refused() {
	says 4 "$1" timeout 60 vhsm --state "$dir" --fuses "${store:-$fuses/board}"
}
ctl1() {
	HSM_DEVICE=vfio-user:$dir/run/fn1.sock hsmctl "$@"
}
HSM_DEVICE=vfio-user:$dir/run/fn1.sock
export HSM_DEVICE
claim() {
	ctl0 claim --code-file "${code:-$fuses/claim-code}" --new-pin-file "$TMPDIR/officer"
}
tenant() {
	ctl0 partition create "$1" --function 1 --profile compatible --pin-file "$TMPDIR/officer" &&
		ctl1 partition init "$1" --label "$1" --pin-file "$TMPDIR/so" --new-pin-file "$TMPDIR/user" --yes
}
id_of() {
	ctl0 partition list --json --pin-file "$TMPDIR/officer" |
		python3 -c 'import json, sys
print([p["id"] for p in json.load(sys.stdin)["partitions"] if p["partition"] == sys.argv[1] or p.get("name") == sys.argv[1]][0])' "$1"
}
key() {
	p11 --token-label "$1" --login --pin env:PIN --keygen --key-type AES:32 --id "$2" --label "key $2"
}
keys() {
	p11 --token-label "$1" --login --pin env:PIN --list-objects --type secrkey
}
keep() {
	rm -rf "$TMPDIR/kept" && mkdir "$TMPDIR/kept" && cp -a "$dir"/nvm.db* "$TMPDIR/kept"
}
put_back() {
	rm -f "$dir"/nvm.db* && cp -a "$TMPDIR"/kept/nvm.db* "$dir"
}
count_failure() {
	says 1 CKR_PIN_INCORRECT ctl1 pin set --partition "$1" --pin-file "$TMPDIR/wrong" --new-pin-file "$TMPDIR/user"
}

point "a board" start
point "it is claimed" claim
point "a partition" tenant first
point "another one" tenant second
point "a key in one" key first 01
point "a key in the other" key second 01
point "the board stops" hsm_stop

# --- an old copy of the state ---

keep
point "the board starts" start
point "a wrong PIN moves the counter" count_failure first
point "and again" count_failure first
point "the board stops" hsm_stop
point "the copy of before is put back" put_back
point "it is refused, and what to do is said" refused "an old copy was put back.*--recover"
point "for officers it starts" start --recover
point "it says what it is" says 0 "recovery" ctl0 status
point "no partition is served" says 0 '"partition": null' hsmctl list --json
point "none is made" says 1 CKR_ACTION_PROHIBITED \
	ctl0 partition create third --function 1 --pin-file "$TMPDIR/officer"
tries() {
	for _ in 1 2 3; do
		says 1 CKR_ ctl0 device recover --pin-file "$TMPDIR/wrong" --yes || return 1
	done
}
point "wrong PINs" tries
point "the officer accepts it" ctl0 device recover --pin-file "$TMPDIR/officer" --yes
point "that is known" until_says "recoveries +1" ctl0 device show
point "the partitions are served" until_says "key 01" keys first
point "the board stops" hsm_stop
point "it is the newest now" start
point "and stops" hsm_stop
point "the copy is put back once more" put_back
point "it is refused again" refused "an old copy was put back"

# Tries with the officer's PIN on an old copy are counted where the copy does not reach.
point "for officers it starts" start --recover
point "three more wrong PINs" tries
point "the board stops" hsm_stop
point "the copy is put back" put_back
point "it starts" start --recover
point "and three" tries
point "it stops" hsm_stop
point "it is put back" put_back
point "it starts" start --recover
point "and three" tries
point "the board stops" hsm_stop
point "it is put back" put_back
point "it starts" start --recover
point "and three" tries
point "nobody's PIN is taken any more" says 1 CKR_ ctl0 device recover --pin-file "$TMPDIR/officer" --yes
point "the board stops" hsm_stop

# --- rows ---

zeroize() {
	vhsm --state "$dir" --fuses "$fuses/board" --zeroize
}
point "all begins anew" zeroize
rm -f "$HOME/.local/state/hsm/known-partitions"
point "a board" start
point "it is claimed" claim
point "a partition" tenant first
point "another one" tenant second
point "a key in one" key first 01
point "a key in the other" key second 01
first=$(id_of first)
point "the board stops" hsm_stop
keep
point "the board starts" start
point "a key is relabelled" p11 --token-label first --login --pin env:PIN --delete-object --type secrkey --id 01
point "another one comes" key first 02
point "the board stops" hsm_stop
# An older row of the same partition, with the header as it is now
one_row() {
	python3 -c 'import sqlite3, sys
now, old = (sqlite3.connect(p) for p in sys.argv[1:3])
pid = {n: i for n, i in now.execute("SELECT hex(id), pid FROM partitions")}[sys.argv[3].replace("-", "").upper()]
rows = old.execute("SELECT id, blob FROM rows WHERE pid = ? AND id < 0", (pid,)).fetchall()
assert rows
for row in rows:
    now.execute("INSERT OR REPLACE INTO rows (pid, id, blob) VALUES (?, ?, ?)", (pid, row[0], row[1]))
now.commit()
now.execute("PRAGMA wal_checkpoint(TRUNCATE)")' "$dir/nvm.db" "$TMPDIR/kept/nvm.db" "$first"
}
point "an old row is put back" one_row
point "the board starts" start
point "the partition is refused" says 1 CKR_DEVICE_ERROR ctl1 pin set --partition first --pin-file "$TMPDIR/user" --new-pin-file "$TMPDIR/user"
point "the log says why" grep "its objects are not those of its header" "$TMPDIR/log"
point "the other one is served" says 0 "key 01" keys second
point "the officer accepts its rows" ctl0 device recover "$first" --pin-file "$TMPDIR/officer" --yes
point "it is served" until_says "key 02" keys first
point "with the old key" says 0 "key 01" keys first
point "that is known, and the copy of before is not forgotten" says 0 "recoveries +2" ctl0 device show
point "the board stops" hsm_stop
point "the board starts" start
point "it still is" until_says "key 02" keys first
point "the board stops" hsm_stop

# A row of one partition in another one's place
keep
swap_rows() {
	python3 -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
rows = db.execute("SELECT pid, id, blob FROM rows WHERE id < 0 ORDER BY pid, id").fetchall()
one = rows[0]
other = [r for r in rows if r[0] != one[0]][0]
db.execute("UPDATE rows SET blob = ? WHERE pid = ? AND id = ?", (other[2], one[0], one[1]))
db.execute("UPDATE rows SET blob = ? WHERE pid = ? AND id = ?", (one[2], other[0], other[1]))
db.commit()
db.execute("PRAGMA wal_checkpoint(TRUNCATE)")' "$dir/nvm.db"
}
point "rows of two partitions change places" swap_rows
point "the board starts" start
point "neither is served" says 1 CKR_DEVICE_ERROR ctl1 pin set --partition first --pin-file "$TMPDIR/user" --new-pin-file "$TMPDIR/user"
point "nor can that be accepted" ctl0 device recover "$first" --pin-file "$TMPDIR/officer" --yes
point "it is refused as before" says 1 CKR_DEVICE_ERROR ctl1 pin set --partition first --pin-file "$TMPDIR/user" --new-pin-file "$TMPDIR/user"
point "the board stops" hsm_stop
point "the rows are put back" put_back

# The whole state under another board's fuses
another() {
	mkdir -m 700 "$TMPDIR/other" "$TMPDIR/other/fuses" &&
		rm -f "$TMPDIR/ready" && mkfifo "$TMPDIR/ready"
	vhsm --state "$TMPDIR/other/state" --fuses "$TMPDIR/other/fuses/board" --functions 3 --ready-fd 5 \
		5>"$TMPDIR/ready" 2>>"$TMPDIR/log" &
	other=$!
	read -r line <"$TMPDIR/ready"
	kill "$other" && wait "$other"
}
point "another board" another
store=$TMPDIR/other/fuses/board
point "the state does not move to it" refused "does not verify under the fuses"
finish
