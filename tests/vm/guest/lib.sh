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
	timeout 60 pkcs11-tool --module "$module" --pin env:PIN "$@"
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
