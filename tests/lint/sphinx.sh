#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# Sphinx makes pages of Documentation/ without a warning; every name of a page is a link that leads
# somewhere, and the list of documents has them all.

. tests/lint/lib.sh

need sphinx-build
html=$TMPDIR/html

built() {
	scripts/docs "$html"
}

# What conf.py makes of "hsmctl(1)" and "howto/nginx.rst"
linked() {
	grep -q 'href="man/hsmctl.1.html"' "$html/index.html" && grep -q 'href="../pkcs11.html"\|href="token.html"' "$html/howto/nginx.html"
}

calls() {
	sed -n 's/^\t\(hsm_[a-z0-9_]*\);$/\1/p' libhsm/libhsm.map >"$TMPDIR/calls"
	[ -s "$TMPDIR/calls" ] || return 1
	while read -r call; do
		grep -q "<h3>.*$call" "$html/libhsm-calls.html" || { echo "no $call"; return 1; }
	done <"$TMPDIR/calls"
}

# A name that leads nowhere ends the build: tried on a copy.
wrong_name() {
	mkdir -p "$TMPDIR/tree/libhsm" && cp -r Documentation include scripts VERSION "$TMPDIR/tree" &&
		cp libhsm/libhsm.map "$TMPDIR/tree/libhsm" || return 1
	(cd "$TMPDIR/tree" && echo "See nowhere.rst." >>Documentation/policy.rst && ! scripts/docs "$TMPDIR/bad" >"$TMPDIR/said" 2>&1) || return 1
	grep -q 'there is no nowhere.rst' "$TMPDIR/said"
}

in_the_list() {
	bad=0
	for page in $(cd Documentation && find . -name '*.rst' ! -name index.rst | sed 's|^\./||'); do
		grep -qx "$page" Documentation/index.rst || { echo "index.rst lacks $page"; bad=1; }
	done
	return "$bad"
}

point "the pages are made" built
point "names of pages are links" linked
point "the library's calls are all there" calls
point "a name that leads nowhere is noticed" wrong_name
point "the list of documents is whole" in_the_list
finish
