#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Documentation/ is good rst, man pages are good mdoc or man, links in the Markdown files
# lead somewhere, and the spelling is checked.

. tests/lint/lib.sh

need codespell
need mandoc

# Relative links only: what lies outside of the tree is not looked up.
links() {
	bad=0
	targets=$(grep -oE '\]\([^)#: ]+' "$1" | sed 's/^](//')
	for target in $targets; do
		[ -e "$(dirname "$1")/$target" ] || { echo "$1: no $target"; bad=1; }
	done
	return "$bad"
}

for f in $(project_files | grep '\.rst$'); do
	point "$f: rst" python3 tests/lint/rst.py "$f"
done
for f in $(project_files | grep -E '^tools/.*\.[1-8]$'); do
	point "$f: mandoc" mandoc -T lint -W warning "$f"
done
for f in $(project_files | grep '\.md$'); do
	point "$f: links" links "$f"
done
# Commands that nobody runs do not stay right for long.
is_run() {
	page=${1#Documentation/}
	page=${page%.rst}
	grep -rqE "^page (.* )?${page#howto/}( |\$)" tests/interop tests/packages tests/kunit tests/vm
}
for f in Documentation/howto/*.rst Documentation/start/*.rst; do
	! grep -q 'code-block:: console' "$f" || point "$f: a test runs its commands" is_run "$f"
done
# shellcheck disable=SC2046	# names of our files hold no blanks
point "spelling" codespell --ignore-words tests/lint/words \
	$(project_files | grep -vE '^LICENSES/|/corpus/|/data/|^tests/abi/|^tests/lint/words$')
finish
