#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Each header in include/ stands alone, in C and in C++.

. tests/lint/lib.sh

need g++

# C++ has the assertion under another name.
flags="-Wall -Wextra -Werror -fsyntax-only -Iinclude -Iinclude/uapi $(pkg-config --cflags p11-kit-1)"

compiles() {
	# shellcheck disable=SC2086	# a list of words
	echo "#include \"$3\"" | $1 $2 $flags -
}

for f in $(cd include && find . -name '*.h' | sed 's|^\./||' | sort); do
	point "include/$f: C" compiles "gcc" "-xc -std=gnu11" "$f"
	point "include/$f: C++" compiles "g++" "-xc++ -std=gnu++20 -D_Static_assert=static_assert" "$f"
done
[ "$points" -gt 0 ] || { echo "1..0 # SKIP no headers"; exit 0; }
finish
