# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# For tests of the board itself: one with fuses outside of its directory, started in the foreground of the
# test, and images of firmware. Sourced from the top of the tree.

. tests/hsm.sh

# board_new: directories, and PINs in files. $fuses_at is what --fuses gets.
board_new() {
	dir=$TMPDIR/state
	fuses=$TMPDIR/fuses
	fuses_at=$fuses/board
	mkdir -m 700 "$fuses"
	printf 'officer-pin\n' >"$TMPDIR/officer"
	printf 'so-pin-1234\n' >"$TMPDIR/so"
	printf 'user-pin-1234\n' >"$TMPDIR/user"
}

# board_start OPTION...: the board is ready, and its log goes on in $TMPDIR/log; else what it said is in $line.
board_start() {
	rm -f "$TMPDIR/ready" && mkfifo "$TMPDIR/ready"
	vhsm --state "$dir" --fuses "$fuses_at" --functions 3 --ready-fd 5 "$@" 5>"$TMPDIR/ready" 2>>"$TMPDIR/log" &
	read -r line <"$TMPDIR/ready"
	echo "$line"
	[ "$line" = ready ]
}

ctl0() {
	hsmctl -d "vfio-user:$dir/run/fn0.sock" "$@"
}

ctl1() {
	hsmctl -d "vfio-user:$dir/run/fn1.sock" "$@"
}

claim() {
	ctl0 claim --code-file "$fuses/claim-code" --new-pin-file "$TMPDIR/officer"
}

# until_says PATTERN CMD...: within half a minute CMD's output has it.
until_says() {
	pattern=$1
	shift
	end=$(($(date +%s) + 30))
	while ! "$@" >"$out" 2>&1 || ! grep -qE -e "$pattern" "$out"; do
		[ "$(date +%s)" -lt "$end" ] || { cat "$out"; return 1; }
	done
}

# connections: how many are open at function 1, as the kernel lists them: state 03 and the board's path.
connections() {
	grep -c " 03 [0-9 ]*$dir/run/fn1.sock\$" /proc/net/unix
}

# busy SECONDS: a client, whose process is $client, is connected and signs.
busy() {
	hsm-bench --module "$HSM_PKCS11_MODULE" --token-label test --pin-file "$TMPDIR/user" \
		-o p256-sign -s "$1" >"$TMPDIR/bench" 2>&1 &
	client=$!
	until [ "$(connections)" -gt 0 ]; do
		kill -0 "$client" || return 1
	done
}

# signature_of IMAGE: where the last byte of its manifest is, which is its last signature's.
signature_of() {
	python3 -c 'import struct, sys
print(11 + struct.unpack("<I", open(sys.argv[1], "rb").read(12)[8:])[0])' "$1"
}
