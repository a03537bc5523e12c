#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The sideband's part in trust and recovery: where the logs stand, and a board none of whose firmware starts, which
# takes another image over it from somebody at the machine, and goes on with the state it had.
# timeout: 300

. tests/hsm.sh

dir=$TMPDIR/state
fuses=$TMPDIR/fuses
socket=$TMPDIR/bmc
mkdir -m 700 "$fuses"
echo 0 >"$TMPDIR/jumper"
printf 'officer-pin\n' >"$TMPDIR/officer"
version=$(sed -n 1p VERSION)

# bundle NAME VERSION SECURITY-VERSION
bundle() {
	scripts/firmware-bundle "$HSM_BUILD/hsm-firmware" "$TMPDIR/$1" "$HSM_BUILD" "$HSM_BUILD/dev-keys" "$2" "$3" &&
		hsm-fw-sign image "$TMPDIR/$1" "$TMPDIR/$1.img"
}
start() {
	rm -f "$TMPDIR/ready" && mkfifo "$TMPDIR/ready"
	vhsm --state "$dir" --fuses "$fuses/board" --functions 3 --ready-fd 5 --sideband "$socket" \
		--presence "$TMPDIR/jumper" --firmware "$TMPDIR/installed" 5>"$TMPDIR/ready" 2>>"$TMPDIR/log" &
	read -r line <"$TMPDIR/ready"
	echo "$line"
}
bmc() {
	hsmctl --sideband "$socket" bmc "$@"
}
ctl0() {
	hsmctl -d "vfio-user:$dir/run/fn0.sock" "$@"
}
until_says() {
	pattern=$1
	shift
	end=$(($(date +%s) + 60))
	while ! "$@" >"$out" 2>&1 || ! grep -qE -e "$pattern" "$out"; do
		[ "$(date +%s)" -lt "$end" ] || { cat "$out"; return 1; }
	done
}

point "firmware" bundle installed "$version" 2
point "older one" bundle older 0.0.9 1
point "a board" says 0 ready start
point "no log has begun" says 1 "no such" bmc signed-head
point "it is claimed" ctl0 claim --code-file "$fuses/claim-code" --new-pin-file "$TMPDIR/officer"
point "a tenant" ctl0 partition create tenant --function 1 --pin-file "$TMPDIR/officer"
point "the log's end, as its reader sees it" ctl0 audit export "$TMPDIR/export" device --pin-file "$TMPDIR/officer"

# The last record of the export is what the sideband tells of.
same_head() {
	bmc heads --json >"$out" || return 1
	cat "$out"
	python3 -c 'import json, sys, hashlib
heads = json.load(open(sys.argv[1]))["heads"]
lines = [json.loads(line) for line in open(sys.argv[2])]
chain = bytes(48)
for line in lines[1:-1]:
    chain = hashlib.sha384(chain + bytes.fromhex(line["cbor"])).digest()
head = [h for h in heads if set(h["partition"]) == {"0"}][0]
assert head["sequence"] == lines[-2]["sequence"] and head["hash"] == chain.hex(), (head, chain.hex())' "$out" "$TMPDIR/export"
}
point "is the sideband's" same_head
point "there is a signed one" says 0 '"signed": "d8' bmc signed-head --json
no_name() {
	! bmc heads --json | grep -i tenant
}
point "no name is told" no_name
point "its firmware" says 0 "installed +$version" bmc slots
point "an image is not for a board that runs" says 1 "refuses" bmc image "$TMPDIR/older.img"
point "nor is a choice without somebody there" says 1 "refuses" bmc recover installed --yes
point "it stops" hsm_stop

# --- bricked ---

spoil() {
	for file in "$TMPDIR/installed"/*; do
		[ ! -f "$file" ] || printf 'x' >>"$file"
	done
}
point "its firmware is spoilt" spoil
point "it does not serve, and says so" says 0 "^error: .*" start
point "the sideband does" says 0 "state +recovery" bmc health
point "it tells what it is" says 0 "serial" bmc inventory
point "and what does not verify" says 0 "installed .*no" bmc slots
point "there is no socket of a function" [ ! -e "$dir/run/fn0.sock" ]
point "nothing is zeroized" says 1 "refuses" bmc zeroize --yes
bundle next "$version" 2 >"$out" 2>&1
point "an image, and nobody at the machine" says 1 "refuses" bmc image "$TMPDIR/next.img"
echo 1 >"$TMPDIR/jumper"
point "with somebody there" bmc image "$TMPDIR/next.img"
point "a choice that is none" says 1 "failed" bmc recover installed --yes
flip() {
	python3 -c 'import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[len(data) // 2] ^= 1
open(sys.argv[1] + ".flipped", "wb").write(data)' "$TMPDIR/next.img" && bmc image "$TMPDIR/next.img.flipped"
}
point "an image that was changed" flip
point "is taken, and not started" says 1 "failed" bmc recover staged --yes
point "an older one" bmc image "$TMPDIR/older.img"
point "is not for this state" says 1 "failed" bmc recover staged --yes
point "the right one" bmc image "$TMPDIR/next.img"
point "starts" bmc recover staged --yes
point "the board is back" until_says "claimed +yes" ctl0 status
point "with its tenant" says 0 "tenant" ctl0 partition list --pin-file "$TMPDIR/officer"
ctl0 audit export "$TMPDIR/export" device --pin-file "$TMPDIR/officer" >/dev/null
point "and the log says how" says 0 "recovered" grep '"event":"recovered"' "$TMPDIR/export"
echo 0 >"$TMPDIR/jumper"
point "it stops" hsm_stop
point "and starts by itself" says 0 ready start
point "it stops for good" hsm_stop
finish
