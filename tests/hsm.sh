# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# For tests that use a virtual HSM in a directory as a user does: start, stop and kill its
# board, and compare what commands say. Sourced from the top of the tree.

. tests/lint/lib.sh

umask 077
out=$TMPDIR/out

# hsm_new NAME: a directory of its own for a virtual HSM, which becomes the default device.
hsm_new() {
	dir=$TMPDIR/$1
	mkdir -p "$dir"
	HSM_DEVICE=vhsm:$dir
	export HSM_DEVICE
	printf '%s\n' "so-pin-$1" >"$TMPDIR/so"
	printf '%s\n' "user-pin-$1" >"$TMPDIR/user"
	printf '%s\n' "wrong-pin" >"$TMPDIR/wrong"
}

# hsm_init: its token gets label, SO PIN and user PIN.
hsm_init() {
	hsmctl partition init --label test --pin-file "$TMPDIR/so" --new-pin-file "$TMPDIR/user" --yes >"$out" 2>&1
}

# hsm_board: process number of the board that serves the directory, if one runs.
hsm_board() {
	pgrep -f -x "[^ ]*vhsm .*$dir( .*)?" || true
}

gone() {
	timeout 20 tail -s 0.05 --pid="$1" -f /dev/null
}

# hsm_stop: end the board in good order, so that another test can look at its files.
hsm_stop() {
	for pid in $(hsm_board); do
		kill "$pid" && gone "$pid" || return 1
	done
}

# hsm_kill: kill -9 of the board and of all firmware, at once.
hsm_kill() {
	pids=$(for pid in $(hsm_board); do echo "$pid"; pgrep -P "$pid"; done)
	[ -n "$pids" ] || return 1
	# shellcheck disable=SC2086	# a list of numbers
	kill -9 $pids
	for pid in $pids; do
		gone "$pid" || return 1
	done
}

# says STATUS PATTERN CMD...: CMD ends with STATUS, and PATTERN, if there is one, is in its output.
says() {
	want=$1
	pattern=$2
	shift 2
	have=0
	"$@" >"$out" 2>&1 || have=$?
	cat "$out"
	[ "$have" -eq "$want" ] || { echo "exit status $have, not $want"; return 1; }
	[ -z "$pattern" ] || grep -qE -e "$pattern" "$out" || { echo "no '$pattern' in the output"; return 1; }
}

# p11 ARGUMENT...: pkcs11-tool with our module and, by environment, the user's PIN.
p11() {
	PIN=$(cat "$TMPDIR/user") pkcs11-tool --module "$HSM_PKCS11_MODULE" "$@"
}

# Whatever happens, no board stays behind.
clean_up() {
	status=$?
	trap - EXIT
	[ -z "${dir:-}" ] || hsm_stop
	exit "$status"
}
trap clean_up EXIT
