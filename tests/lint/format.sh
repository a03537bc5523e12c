#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The C sources are as `make format` leaves them, and no line ends in blanks. Headers are
# tables and prose, which the formatter cannot set: they are aligned by hand.

. tests/lint/lib.sh

need clang-format

blanks() {
	! project_files | grep -vE '\.(md|patch|bin|pem|der)$|/corpus/|/data/' |
		xargs grep -nIE '[[:space:]]+$'
}

for dir in $(c_files | grep -v '^kernel/' | grep '\.c$' | xargs -r -n 1 dirname | sort -u); do
	point "$dir: formatted" clang-format --dry-run -Werror --ferror-limit=3 "$dir"/*.c
done
point "no blanks at the end of a line" blanks
finish
