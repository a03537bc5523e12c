#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Every shell script passes shellcheck; Perl and Python at least compile.

. tests/lint/lib.sh

need shellcheck

# SC2317: functions that are only called by name, through point or a trap, look unreachable.
for f in $(shell_files); do
	point "$f: shellcheck" shellcheck -x -e SC1091,SC2317 "$f"
done
for f in $(project_files | grep '\.py$') scripts/compile-commands; do
	point "$f: compiles" python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' "$f"
done
point "tests/run: compiles" perl -wc tests/run
finish
