# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# For tests that use a virtual HSM in a directory as a user does: start, stop and kill its
# board, and compare what commands say. Sourced from the top of the tree.

. tests/lint/lib.sh

umask 077
# Without the test runner it would all be at the top of the file system.
: "${TMPDIR:?is not set: see tests/run}"
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

# works: the key 01 of the token signs, and the signature is good.
works() {
	echo "data" >"$TMPDIR/data"
	p11 --token-label test --pin env:PIN --sign --id 01 -m ECDSA-SHA256 -i "$TMPDIR/data" -o "$TMPDIR/sig" &&
		p11 --token-label test --verify --id 01 -m ECDSA-SHA256 -i "$TMPDIR/data" \
			--signature-file "$TMPDIR/sig" | grep "Signature is valid"
}

# own_mounts: the script runs again in a mount namespace of its own; without one it is skipped.
own_mounts() {
	[ -z "${HSM_OWN_MOUNTS:-}" ] || return 0
	HSM_OWN_MOUNTS=1
	export HSM_OWN_MOUNTS
	# In a chroot the root is no mount, whose propagation could be changed.
	for how in "--mount" "--mount --propagation unchanged" "--user --map-root-user --mount"; do
		# shellcheck disable=SC2086	# a list of words
		if unshare $how true 2>/dev/null; then
			exec unshare $how -- "$0"
		fi
	done
	echo "1..0 # SKIP no mount namespaces here"
	exit 0
}

# flip FILE OFFSET: change one bit.
flip() {
	python3 -c 'import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2]))
    byte = f.read(1)[0]
    f.seek(int(sys.argv[2]))
    f.write(bytes([byte ^ 4]))' "$1" "$2"
}

# need_provider: without OpenSSL's pkcs11-provider and pkcs11-tool the script is skipped.
need_provider() {
	need openssl
	need pkcs11-tool
	modules=$(openssl version -m | sed -n 's/^MODULESDIR: "\(.*\)"$/\1/p')
	[ -f "$modules/pkcs11.so" ] || {
		echo "1..0 # SKIP pkcs11-provider is not installed"
		exit 0
	}
}
