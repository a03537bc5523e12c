#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 600
#
# cppcheck over all C sources. It keeps what it learned in build/, so that only what
# changed is looked at again.

. tests/lint/lib.sh

need cppcheck

mkdir -p build/cppcheck

check() {
	# invalidFunctionArg: its table of POSIX forbids mmap's descriptor -1. unknownMacro: it does not read other
	# people's headers. readdirCalled: each of our streams has one thread.
	cppcheck --suppress=invalidFunctionArg --suppress=unknownMacro --suppress=readdirCalled \
		--enable=warning,performance,portability --inline-suppr --quiet --error-exitcode=1 \
		--std=c11 --language=c --library=posix --suppress=missingIncludeSystem \
		--suppress=normalCheckLevelMaxBranches --suppress=unmatchedSuppression \
		--cppcheck-build-dir=build/cppcheck -j 2 -D__x86_64__=1 -D__linux__=1 \
		-DHSM_VERSION='"0"' -Iinclude -Iinclude/uapi "$@"
}

# shellcheck disable=SC2046	# names of our files hold no blanks
set -- $(c_files | grep '\.c$' | grep -v '^kernel/')
if [ $# -eq 0 ]; then
	echo "1..0 # SKIP no C sources"
	exit 0
fi
point "cppcheck" check "$@"
finish
