#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What `make bench-scale` does, with few objects: every figure is there, and sessions and partitions in numbers that take
# no time. Whether a figure is good is not asked here.

set -eu

: "${HSM_BUILD:?run this by make check}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "1..2"
if "${0%/*}/../../scripts/bench-scale" --objects 300 --rounds 1 --seconds 0.02 --capacity --sessions 300 \
	--partitions 3 --output "$work" >"$work/table" 2>"$work/err" &&
	[ "$(grep -c '^| .* | -\{0,1\}[0-9].* |' "$work/table")" -eq 7 ] && cmp -s "$work/table" "$work/scale.md"; then
	echo "ok 1 - figures of a partition with 300 objects"
else
	sed 's/^/# /' "$work/err" "$work/table"
	echo "not ok 1 - figures of a partition with 300 objects"
fi
if grep -q '^- 300 of 300 sessions' "$work/table" && grep -q '^- 3 of 3 partitions' "$work/table" &&
	grep -q '^- 5 partitions in the list' "$work/table"; then
	echo "ok 2 - sessions and partitions"
else
	sed 's/^/# /' "$work/table"
	echo "not ok 2 - sessions and partitions"
fi
