#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 1800
#
# A guest whose system has Debian's packages and nothing else of this tree: DKMS has built the module, udev
# loads it by its alias and gives the device to the group hsm, p11-kit lists the token to a member of it.
# There is no systemd in the guest: udevd is started by the test, users were made when the packages were
# installed.

. tests/packages/lib.sh

scratch_root
. tests/vm/lib.sh

kernel=${vm_kernel##*/vmlinuz-}
need dkms

# The packages' own script picks kernels by what runs here; this one is for the guest's.
dkms_built() {
	module=$(inside find "/lib/modules/$kernel" -name 'ihsm.ko*' | head -n 1)
	if [ -z "$module" ]; then
		inside dkms install "ihsm/$(cat VERSION)" -k "$kernel" || return 1
		module=$(inside find "/lib/modules/$kernel" -name 'ihsm.ko*' | head -n 1)
	fi
	echo "$module" | grep "/updates/dkms/" &&
		grep -E '^alias pci:.* ihsm$' "$scratch/lib/modules/$kernel/modules.alias"
}

set_up() {
	hsm_new packages && vm_board --functions 2 && vm_init 1 first &&
		hsmctl -d "vfio-user:$(socket 1)" identity >"$scratch/etc/hsm/hsm.conf" &&
		cp "$TMPDIR/user" "$TMPDIR/so" "$share/" && chmod 644 "$scratch/etc/hsm/hsm.conf" &&
		mkdir -p "$scratch$TMPDIR" && mount --rbind "$TMPDIR" "$scratch$TMPDIR"
}

# As vm_test, from inside the scratch system
vm() {
	inside scripts/vm --share "$share" --console "$console" --module none --limit 900 "$@"
}

point "the packages are made" made
point "they are installed" install_packages libhsm0 hsm-pkcs11 hsm-tools hsm-dkms
point "there is a group" grep '^hsm:' "$scratch/etc/group"
point "DKMS has built the module for $kernel" dkms_built
point "a board with a token" set_up
vm_test --device "$(socket 1)" sh tests/vm/guest/packages
kill "$board" && gone "$board"
point "the driver's package goes again" inside dpkg --purge hsm-dkms
point "with its module" [ -z "$(find "$scratch/lib/modules" "$scratch/usr/src" "$scratch/var/lib/dkms" -name '*ihsm*')" ]
finish
