#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The pictures in the documents are those of the figures beside them.

. tests/hsm.sh
need gnuplot

figures=Documentation/figures/bench
mkdir "$TMPDIR/plots"

drawn() {
	scripts/bench-plots "$figures/bench.json" "$TMPDIR/plots"
}

# Another gnuplot may draw a line elsewhere.
comparable() {
	grep -h -o 'GNUPLOT [0-9.]* patchlevel [0-9]*' "$figures/$1.svg" "$TMPDIR/plots/$1.svg" | sort -u | wc -l | grep -qx 1
}

same() {
	cmp "$figures/$1.svg" "$TMPDIR/plots/$1.svg"
}

# A figure that is in no picture, or another bar's, would be seen.
moves() {
	sed 's/"per_second": \([0-9]\)/"per_second": 1\1/' "$figures/bench.json" >"$TMPDIR/other.json"
	scripts/bench-plots "$TMPDIR/other.json" "$TMPDIR/plots" && ! cmp "$figures/rates.svg" "$TMPDIR/plots/rates.svg"
}

point "drawn" drawn
for name in rates latency; do
	if comparable "$name"; then
		point "$name.svg is what bench.json says" same "$name"
	else
		points=$((points + 1))
		echo "ok $points - $name.svg # SKIP drawn by another gnuplot"
	fi
done
point "other figures are another picture" moves
finish
