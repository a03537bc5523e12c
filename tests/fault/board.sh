#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The board's program by itself: its arguments, whom it lets in, what it says when it cannot start,
# and what it leaves behind. The firmware never runs here, so any program stands in for it.

. tests/hsm.sh

# A board that a failure leaves running ends with the test.
trap 'status=$?; kill "${pid:-}" 2>/dev/null; exit $status' EXIT

bundle=$TMPDIR/bundle
state=$TMPDIR/state
point "a bundle is made" scripts/firmware-bundle /bin/true "$bundle"

board() {
	vhsm --firmware "$bundle" "$@"
}

# start ARGUMENT...: a board in the background; $line is what it said on --ready-fd.
start() {
	rm -f "$TMPDIR/ready" && mkfifo "$TMPDIR/ready"
	vhsm --firmware "$bundle" --ready-fd 5 "$@" 5>"$TMPDIR/ready" 2>>"$TMPDIR/log" &
	pid=$!
	read -r line <"$TMPDIR/ready"
	echo "$line"
	[ "$line" = ready ]
}

stop() {
	kill "$pid" && wait "$pid"
}

# --- arguments ---

point "no state directory" says 2 "--state" board
point "an unknown option" says 2 "--help" board --nonsense
point "a number that is none" says 2 "--functions many: a number from 2 to" board --state x --functions many
point "a number too large" says 2 "--dma-bits 65: .*32 to 64" board --state x --dma-bits 65
point "a mode that is none" says 2 "--mode 9: an octal number" board --state x --mode 9
point "one argument too many" says 2 "unexpected argument y" board --state x y
point "fuses elsewhere and embedded" says 2 "--embedded" board --embedded --state x --fuses y
point "an unknown group" says 1 "no-such-group" board --state "$state" --group no-such-group
point "the version" says 0 "^vhsm [0-9]" vhsm --version
point "help names every option" says 0 "--zeroize" vhsm --help

# --- directories ---

mkdir -m 755 "$TMPDIR/open"
point "a directory that others can reach" says 1 "chmod 700" board --embedded --state "$TMPDIR/open"
point "nothing was written there" rmdir "$TMPDIR/open"
: >"$TMPDIR/file"
point "a file instead of a directory" says 1 "$TMPDIR/file" board --embedded --state "$TMPDIR/file"
point "a parent that is not there" says 1 "none/state" board --embedded --state "$TMPDIR/none/state"

# --- an embedded board ---

point "an embedded board starts" start --embedded --state "$state"
modes() {
	stat -c '%a %n' "$state" "$state/fuses" "$state/nvm.db" "$state/vhsm.log" "$state/run/fn1.sock" | tee "$out"
	[ "$(grep -c '^[67]00 ' "$out")" -eq 5 ]
}
point "all of it is private" modes
point "a second one is refused by pid" says 3 "another board runs on it \(pid $pid\)" \
	board --embedded --state "$state" --log -
two() {
	rm -f "$TMPDIR/two" && mkfifo "$TMPDIR/two"
	board --embedded --state "$state" --ready-fd 6 6>"$TMPDIR/two" 2>/dev/null &
	read -r answer <"$TMPDIR/two"
	wait $! || true
	echo "$answer"
	[ "${answer#busy: }" != "$answer" ]
}
point "who waits for the second one is told" two
confined() {
	grep -E '^(NoNewPrivs|CapEff|CapPrm):' "/proc/$pid/status" | tee "$out"
	grep -q 'NoNewPrivs:.*1' "$out" && [ "$(grep -c '0000000000000000' "$out")" -eq 2 ] &&
		grep -E '^Max core file size +0 +0 ' "/proc/$pid/limits"
}
point "it has no privileges and dumps no core" confined
point "it ends when told" stop
left() {
	find "$state" | sort
	[ -z "$(find "$state/run" -name '*.sock')" ] && [ ! -e "$state/nvm.db-wal" ]
}
point "no socket and no log of the database are left" left
point "an embedded state is not started otherwise" says 1 "--embedded" board --state "$state"

# --- long paths ---

long=$TMPDIR/$(printf '%0120d' 0)
reach() {
	python3 -c 'import os, socket, sys
fd = os.open(sys.argv[1], os.O_PATH)
socket.socket(socket.AF_UNIX).connect("/proc/self/fd/%d/fn1.sock" % fd)' "$long/run"
}
point "a path longer than a socket address" start --embedded --state "$long"
point "its socket can be reached" reach
point "it ends as well" stop

# --- a board of its own ---

shared=$TMPDIR/shared
mkdir -m 700 "$TMPDIR/fuses"
fuses=$TMPDIR/fuses/board
point "fuses elsewhere" start --state "$shared" --fuses "$fuses" --mode 0660 --functions 3
sockets() {
	stat -c '%a %n' "$shared"/run/* | tee "$out"
	[ "$(grep -c '^660 .*fn[012].sock$' "$out")" -eq 3 ] && [ "$(wc -l <"$out")" -eq 3 ]
}
point "its sockets have the mode that was asked for" sockets
code() {
	stat -c '%a' "$TMPDIR/fuses/claim-code" | grep -x 600 &&
		grep -qxE '([A-Z2-9]{5}-){3}[A-Z2-9]{5}' "$TMPDIR/fuses/claim-code"
}
point "a claim code lies beside the fuses" code
said() {
	grep -F "$TMPDIR/fuses/claim-code" "$TMPDIR/log" && ! grep -F "$(cat "$TMPDIR/fuses/claim-code")" "$TMPDIR/log"
}
point "the log says where, and not what" said
point "it ends" stop
mv "$fuses" "$fuses.away"
point "fuses that went away" says 1 "fuses $fuses: are missing" board --state "$shared" --fuses "$fuses"
mv "$fuses.away" "$fuses"
mv "$shared/nvm.db" "$shared/away"
point "a database that went away" says 1 "nvm.db: is missing" board --state "$shared" --fuses "$fuses"
mv "$shared/away" "$shared/nvm.db"
chmod 640 "$fuses"
point "fuses that others can read" says 1 "chmod 600" board --state "$shared" --fuses "$fuses"
chmod 600 "$fuses"
: >"$shared/nvm.db"
point "an empty database" says 4 "nvm.db.*--zeroize" board --state "$shared" --fuses "$fuses"
point "zeroize" board --state "$shared" --fuses "$fuses" --zeroize
point "starts anew" start --state "$shared" --fuses "$fuses"
point "and ends" stop

# --- the firmware's bytes ---

point "no bundle" says 1 "--firmware" vhsm --firmware "$TMPDIR/none" --state "$TMPDIR/other"
printf 'x' >>"$bundle/hsm-firmware"
point "a firmware that does not match its manifest" says 4 "hsm-firmware does not match" \
	board --state "$TMPDIR/other"
rm "$bundle/hsm-firmware"
point "a firmware that is missing" says 4 "hsm-firmware of the manifest is missing" \
	board --state "$TMPDIR/other"
: >"$bundle/manifest"
point "an empty manifest" says 4 "manifest" board --state "$TMPDIR/other"

finish
