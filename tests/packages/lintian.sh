#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 1500
#
# lintian finds nothing in the packages, and each thing that it is told not to report has its reason
# beside it.

. tests/packages/lib.sh
need lintian

quiet() {
	lintian --allow-root --tag-display-limit 0 --info --display-info "$debs"/*.changes >"$out" 2>&1
	status=$?
	cat "$out"
	[ "$status" -eq 0 ] && ! grep -E '^[EWI]:' "$out"
}

# A comment stands above each group of overrides.
reasons() {
	for file in debian/*.lintian-overrides; do
		awk 'FNR == 1 && !/^#/ { exit 1 } !/^#/ && !/^[a-z0-9-]+: [a-z0-9-]+/ { exit 1 }' "$file" || return 1
	done
}

same_version() {
	[ "$(dpkg-parsechangelog -S Version)" = "$(cat VERSION)" ]
}

# The symbols file of the package names what the library exports.
same_symbols() {
	sed -n 's/^\t\(hsm_[a-z0-9_]*\);$/\1/p' libhsm/libhsm.map | LC_ALL=C sort >"$TMPDIR/exported"
	sed -n 's/^ \(hsm_[a-z0-9_]*\)@.*/\1/p' debian/libhsm0.symbols | LC_ALL=C sort >"$TMPDIR/named"
	diff "$TMPDIR/exported" "$TMPDIR/named"
}

point "the packages are made" made
point "lintian has nothing to say" quiet
point "what it does not say has reasons" reasons
point "they have the tree's version" same_version
point "the symbols file is whole" same_symbols
finish
