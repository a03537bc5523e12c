#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 600
#
# How the driver comes to others: the series for the kernel's own tree, and the sources that DKMS
# builds.

. tests/lint/lib.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$(cat VERSION)
source=/usr/src/ihsm-$version
cache=${HSM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hsm}

# The series, without a word of checkpatch
write_series() {
	scripts/kernel-patch --installed "$work/series" >"$work/said" || { cat "$work/said"; return 1; }
	[ "$(grep -c . "$work/said")" -eq 4 ]
}

# Each patch onto the one before, from the files that the kernel has
apply_series() {
	mkdir "$work/tree"
	cp -r "$cache/source-linux-source-$1/." "$work/tree" || return 1
	for patch in "$work"/series/*.patch; do
		patch -d "$work/tree" -p1 --fuzz=0 -s <"$patch" || return 1
	done
}

# All of the driver is there, and as it is here; nothing of old kernels is.
same_driver() {
	for f in kernel/*.[ch]; do
		[ "$f" != kernel/compat.h ] || continue
		cmp "$f" "$work/tree/drivers/misc/ihsm/${f##*/}" || return 1
	done
	[ ! -e "$work/tree/drivers/misc/ihsm/compat.h" ]
	! grep -rn 'LINUX_VERSION_CODE\|compat\.h"' "$work/tree/drivers/misc/ihsm"
}

in_its_place() {
	grep -qx 'source "drivers/misc/ihsm/Kconfig"' "$work/tree/drivers/misc/Kconfig" &&
		grep -q '+= ihsm/$' "$work/tree/drivers/misc/Makefile" &&
		grep -q '^F:	drivers/misc/ihsm/$' "$work/tree/MAINTAINERS" &&
		grep -q '^0xED .*ihsm\.h$' "$work/tree/Documentation/userspace-api/ioctl/ioctl-number.rst"
}

install_sources() {
	make -s install-kernel DESTDIR="$work/root"
}

# What the Makefile names and what is included, without tests
complete_sources() {
	sed -n 's/^ihsm-y [:+]= //p' kernel/Makefile | tr ' ' '\n' | while read -r object; do
		[ -e "$work/root$source/kernel/${object%.o}.c" ] || return 1
	done || return 1
	[ -e "$work/root$source/include/uapi/linux/ihsm_hw.h" ] || return 1
	[ -z "$(find "$work/root$source" -name '*test*')" ]
}

names_version() {
	# shellcheck disable=SC2016	# for the other shell
	said=$(dkms_tree=/tree kernel_source_dir=/headers bash -c '. "$1" && echo "$PACKAGE_NAME/$PACKAGE_VERSION"' \
		bash "$work/root$source/dkms.conf")
	[ "$said" = "ihsm/$version" ]
}

# With trees of its own: nothing of the machine's DKMS is touched.
dkms_builds() {
	mkdir "$work/dkms"
	release=$(make -s -C "$headers" kernelrelease) || return 1
	dkms build --dkmstree "$work/dkms" --sourcetree "$work/root/usr/src" --kernelsourcedir "$headers" \
		-k "$release" --no-depmod -m ihsm -v "$version" || {
		find "$work/dkms" -name make.log -exec cat {} +
		return 1
	}
	find "$work/dkms" -name 'ihsm.ko*' | grep -q .
}

if [ -e /usr/src/linux-source-6.12.tar.xz ]; then
	point "the series for the kernel's tree is written, and its checkpatch says nothing" write_series
	point "it applies" apply_series "$(dpkg-query -W -f '${Version}' linux-source-6.12)"
	point "it brings this driver" same_driver
	point "and its lines for Kconfig, Makefile, MAINTAINERS and ioctl-number" in_its_place
fi
point "make install-kernel installs" install_sources
point "what the module is built of" complete_sources
point "dkms.conf says which version it is" names_version
headers=$(scripts/kernel-headers 2>/dev/null) || headers=''
if [ "$headers" ] && command -v dkms >/dev/null; then
	point "DKMS builds it" dkms_builds
fi
finish
