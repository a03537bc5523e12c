#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 1500
#
# The driver's KUnit suites under user-mode Linux with KASAN, lockdep and UBSAN, each case a point. The
# kernel is built once (some minutes) and kept in the user's cache.

log=$(mktemp)
trap 'rm -f "$log"' EXIT

if [ ! -e /usr/src/linux-source-6.12.tar.xz ]; then
	echo "1..0 # SKIP no linux-source-6.12"
	exit 0
fi

scripts/kunit 'ihsm-*' >"$log" 2>&1
status=$?
n=0

# Cases are indented once; parameters of a case twice, and counted in it.
points=$(sed -n -E 's/^    ((not )?ok) [0-9]+ (.*)/\1 \3/p' "$log")
while read -r line; do
	[ -n "$line" ] || continue
	n=$((n + 1))
	case $line in
	"not ok "*) echo "not ok $n - ${line#not ok }" ;;
	*) echo "ok $n - ${line#ok }" ;;
	esac
done <<END
$points
END

# An empty run is no success.
n=$((n + 1))
if [ "$status" -eq 0 ] && [ "$n" -ge 20 ]; then
	echo "ok $n - all suites ran, and no checker reported anything"
else
	echo "not ok $n - all suites ran, and no checker reported anything"
	cat "$log" >&2
fi
echo "1..$n"
[ "$status" -eq 0 ]
