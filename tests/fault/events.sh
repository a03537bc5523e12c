#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Events of the board in the device's log: what happened is in there once, also when board and firmware were killed
# before anybody read it, and what erased the log is what the next one begins with.
# timeout: 300

. tests/hsm.sh

dir=$TMPDIR/state
fuses=$TMPDIR/fuses
socket=$TMPDIR/bmc
mkdir -m 700 "$fuses"
echo 1 >"$TMPDIR/jumper"
printf 'officer-pin\n' >"$TMPDIR/officer"
printf 'AAAAA-BBBBB-CCCCC-DDDDD\n' >"$TMPDIR/guess"

start() {
	rm -f "$TMPDIR/ready" && mkfifo "$TMPDIR/ready"
	vhsm --state "$dir" --fuses "$fuses/board" --functions 3 --ready-fd 5 --sideband "$socket" \
		--presence "$TMPDIR/jumper" --inject-sensors 5>"$TMPDIR/ready" 2>>"$TMPDIR/log" &
	read -r line <"$TMPDIR/ready"
	echo "$line"
	[ "$line" = ready ]
}
ctl0() {
	hsmctl -d "vfio-user:$dir/run/fn0.sock" "$@"
}
claim() {
	ctl0 claim --code-file "$1" --new-pin-file "$TMPDIR/officer"
}
# happened EVENT COUNT: so often it is in the device's log, records that count more than one included.
happened() {
	ctl0 audit export "$TMPDIR/export" device --pin-file "$TMPDIR/officer" >"$out" 2>&1 || { cat "$out"; return 1; }
	python3 -c 'import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
found = [line for line in lines if line.get("event") == sys.argv[2]]
print(found)
assert sum(line.get("count", 1) for line in found) == int(sys.argv[3])' "$TMPDIR/export" "$@"
}
firmware() {
	pgrep -P "$(hsm_board | while read -r pid; do
		grep -qx vhsm-sideband "/proc/$pid/comm" || echo "$pid"
	done)"
}
until_says() {
	pattern=$1
	shift
	end=$(($(date +%s) + 30))
	while ! "$@" >"$out" 2>&1 || ! grep -qE -e "$pattern" "$out"; do
		[ "$(date +%s)" -lt "$end" ] || { cat "$out"; return 1; }
	done
}

point "a board" start
point "a code that is wrong" says 1 CKR claim "$TMPDIR/guess"
point "and again" says 1 CKR claim "$TMPDIR/guess"
point "it is claimed" claim "$fuses/claim-code"
point "it has started" happened boot 1
point "wrong codes are counted" happened claim-failed 2
point "the right one is not" happened claimed 1

for _ in 1 2 3; do
	hsm_kill >/dev/null
	start >/dev/null
done
point "each start is told of, also one that was killed before anybody asked" happened boot 4
point "and none twice" happened boot 4

kill_firmware() {
	ctl0 status >/dev/null
	for pid in $(firmware); do
		grep -qx vhsm-sideband "/proc/$pid/comm" || kill -9 "$pid"
	done
	until_says "function 0: the firmware ended" cat "$TMPDIR/log"
}
point "function 0's firmware is killed" kill_firmware
point "that is told of by its successor" happened firmware-died 1
point "a tenant" ctl0 partition create tenant --function 1 --pin-file "$TMPDIR/officer"
point "runs the self-tests" hsmctl -d "vfio-user:$dir/run/fn1.sock" self-test
point "the device's log has that" happened self-test 1

inject() {
	hsmctl --sideband "$socket" bmc inject enclosure 1
}
point "the enclosure is opened" inject
point "the board is tampered with" until_says "tampered" ctl0 status
point "at once killed" hsm_kill
point "and started" start
point "the log says so" happened tampered 1
point "which sensor it was" says 0 '"event":"tampered".*"number":8' cat "$TMPDIR/export"
point "the officer recovers it" ctl0 device recover --pin-file "$TMPDIR/officer" --yes
point "the log of before is there" happened boot 5

erase() {
	hsmctl --sideband "$socket" bmc zeroize --yes
}
point "it is zeroized by hand" erase
rm -f "$HOME/.local/state/hsm/known-partitions"
point "the board is nobody's" until_says "claimed +no" ctl0 status
point "it is claimed" claim "$fuses/claim-code"
point "the new log begins with why" happened zeroized 1
point "no old record is in it" happened tampered 0

point "the board stops" hsm_stop
finish
