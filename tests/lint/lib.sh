# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# What the checks share: TAP points, and the lists of files. Sourced from the top of the tree.

points=0
failed=0

# report STATUS NAME: one TAP point.
report() {
	points=$((points + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $points - $2"
	else
		echo "not ok $points - $2"
		failed=1
	fi
}

# point NAME CMD...: one TAP point, good when CMD is; CMD's output goes to the log.
point() {
	name=$1
	shift
	"$@" >&2
	report $? "$name"
}

finish() {
	echo "1..$points"
	exit "$failed"
}

# need PROGRAM: without it the whole check is skipped, and says so.
need() {
	command -v "$1" >/dev/null || {
		echo "1..0 # SKIP $1 is not installed"
		exit 0
	}
}

# Files of the project, one a line: not what was built, nor an editor's or git's own.
project_files() {
	find . \( -path ./.git -o -path ./build -o -path './.*.swp' -o -name __pycache__ \
		-o -name compile_commands.json \) -prune -o -type f -print | sed 's|^\./||' | sort
}

c_files() {
	project_files | grep '\.[ch]$'
}

# Shell scripts by their first line; those that are only sourced by their name.
shell_files() {
	project_files | while read -r f; do
		case $f in
		*.sh) echo "$f" ;;
		*) head -n 1 "$f" | grep -qE '^#!/bin/(ba)?sh' && echo "$f" ;;
		esac
	done
}
