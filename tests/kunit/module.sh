#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# The module builds against the installed headers without a warning, with W=1 and sparse.

if ! dir=$(scripts/kernel-headers 2>/dev/null); then
	echo "1..0 # SKIP no kernel headers"
	exit 0
fi

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

if scripts/kernel-build "$out" KDIR="$dir" C=2 CF=-D__CHECK_ENDIAN__ >&2; then
	echo "ok 1 - ihsm.ko builds with W=1 and sparse, without a warning"
else
	echo "not ok 1 - ihsm.ko builds with W=1 and sparse, without a warning"
fi
alias=$(modinfo -F alias "$out/ihsm.ko" 2>/dev/null | sort | paste -sd' ')
if [ "$alias" = "pci:v00001AF4d000010F0sv*sd*bc*sc*i* pci:v00001AF4d000010F1sv*sd*bc*sc*i*" ]; then
	echo "ok 2 - it is loaded for both kinds of function"
else
	echo "not ok 2 - it is loaded for both kinds of function"
	echo "$alias" >&2
fi
echo 1..2
