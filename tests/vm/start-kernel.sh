#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 1500
#
# The page for kernel engineers, typed in the tree.

. tests/interop/howto.sh

for program in qemu-system-x86_64 busybox cpio modprobe vhsm; do
	need "$program"
done
if [ ! -e /usr/src/linux-source-6.12.tar.xz ] || ! scripts/kernel-headers >/dev/null 2>&1; then
	echo "1..0 # SKIP no kernel headers, or no linux-source-6.12"
	exit 0
fi
# The make that runs this test is none of the page's business.
unset MAKEFLAGS MAKELEVEL MFLAGS
HOWTO_EDIT="s|build/debian-13|$HSM_BUILD|g"
page start/kernel
finish
