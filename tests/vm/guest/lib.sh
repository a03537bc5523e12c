# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# What tests that run in a guest share. Sourced from the top of the tree.

. tests/lint/lib.sh

out=$TMPDIR/out
module=$HSM_PKCS11_MODULE
HSM_DEVICE=${HSM_DEVICE:-/dev/ihsm0}
export HSM_DEVICE
PIN=$(cat "$VM_SHARE/user")
SO_PIN=$(cat "$VM_SHARE/so")
export PIN SO_PIN

# p11 ARGUMENT...: as the user
p11() {
	timeout 200 pkcs11-tool --module "$module" --pin env:PIN "$@"
}

# says PATTERN CMD...: CMD ends well, and says that
says() {
	pattern=$1
	shift
	"$@" >"$out" 2>&1 || { cat "$out"; return 1; }
	grep -qE -e "$pattern" "$out" || { cat "$out"; echo "no '$pattern' in the output"; return 1; }
}

silent() {
	pattern=$1
	shift
	"$@" >"$out" 2>&1 || { cat "$out"; return 1; }
	! grep -E -e "$pattern" "$out"
}

# eventually CMD...: it becomes true; looked at every tenth of a second, for half a minute
eventually() {
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ "$tries" -lt 300 ] || { echo "never: $*"; return 1; }
		sleep 0.1
	done
}

# pci N: address of the device behind /dev/ihsmN
pci() {
	basename "$(readlink -f "/sys/class/ihsm/ihsm$1/device")"
}

# ---- processes that sign all the time, tests/vm/load.c, and lose nothing but what was under way ----

load_fifo() {
	mkfifo "$TMPDIR/fifo"
	exec 7<>"$TMPDIR/fifo"
	workers=''
}

# load_start N: so many processes sign; each has begun when this ends
load_start() {
	workers=''
	for _ in $(seq "$1"); do
		"$VM_SHARE/load" "$module" "$VM_SHARE/user" load >&7 2>/dev/console &
		workers="$workers $!"
	done
	for _ in $(seq "$1"); do
		read -r line <&7
		[ "$line" = began ] || { echo "$line"; return 1; }
	done
}

# load_end: they go on signing, and end. The number of lost operations is in $lost.
load_end() {
	lost=0
	# shellcheck disable=SC2086	# a list of numbers
	kill -USR1 $workers
	for pid in $workers; do
		wait "$pid" || return 1
		read -r line <&7
		echo "$line"
		lost=$((lost + ${line##* }))
	done
}

works() {
	echo data >"$TMPDIR/data"
	p11 --sign --label load -m ECDSA-SHA256 -i "$TMPDIR/data" -o "$TMPDIR/sig"
}
