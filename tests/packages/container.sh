#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# The page on containers, as far as it goes without an engine for images: a root of its own, without
# network, processes, home or module of the host, into which only p11-kit's socket is mounted.

. tests/interop/howto.sh
. tests/packages/scratch.sh
need p11-kit
need p11tool
need pkcs11-tool

scratch_layer
module=$(find /usr/lib -name p11-kit-client.so | head -n 1)
[ -n "$module" ] || {
	echo "1..0 # SKIP p11-kit's client module is not installed"
	exit 0
}
alone root
page token container
servers="$servers $P11_KIT_SERVER_PID"
pin=$(cat "$HOME/.pin")

# The recipe's own lines: packages are here already, files and variables are as it has them.
recipe() {
	name=$(sed -n "s/.*printf 'module: \(.*\)\\\\n' .*/\1/p" "$top/system/Containerfile")
	address=$(sed -n 's/^ENV P11_KIT_SERVER_ADDRESS=//p' "$top/system/Containerfile")
	rm -f "$scratch"/usr/share/p11-kit/modules/* && mkdir -p "$scratch/etc/pkcs11/modules" "$scratch/run/p11-kit" &&
		echo "module: $name" >"$scratch/etc/pkcs11/modules/host.module" &&
		mount --bind "$HOME/socket" "$scratch/run/p11-kit" && [ "$address" = unix:path=/run/p11-kit/hsm ]
}

# container CMD...: in namespaces of its own
container() {
	env -i PATH=/usr/sbin:/usr/bin:/bin HOME=/nonexistent P11_KIT_SERVER_ADDRESS="$address" GNUTLS_PIN="$pin" PIN="$pin" \
		unshare --net --ipc --uts --pid --fork --mount-proc="$scratch/proc" --propagation unchanged chroot "$scratch" "$@"
}

nothing_of_the_host() {
	container sh -c "[ ! -e $HSM_PKCS11_MODULE ] && [ ! -e $HOME ] && [ ! -e /dev/ihsm0 ] && ! ls /proc | grep -qx $P11_KIT_SERVER_PID"
}

listed() {
	container p11tool --list-token-urls >"$TMPDIR/out" 2>&1
	cat "$TMPDIR/out"
	[ "$(grep -c token= "$TMPDIR/out")" -eq 1 ] && grep 'token=web' "$TMPDIR/out"
}

signs() {
	container p11tool --login --test-sign 'pkcs11:token=web;id=%01;type=private' >"$TMPDIR/out" 2>&1
	cat "$TMPDIR/out"
	grep "Verifying against public key in the token... ok" "$TMPDIR/out"
}

point "the recipe's files" recipe
point "the container has nothing of the host" nothing_of_the_host
point "it lists the token, and no other" listed
point "and signs" signs
finish
