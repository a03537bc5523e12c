#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Each file opens with the SPDX line that its place asks for, and each licence
# that is named is in LICENSES/.

. tests/lint/lib.sh

# What needs none: texts for people that say it once, data, and the licences themselves.
listed() {
	project_files | grep -vE '^LICENSES/|^Documentation/ABI/|^debian/(changelog|copyright|README.*|source/.*|.*\.(install|symbols|lintian-overrides|manpages|maintscript))$|\.md$|^VERSION$|^\.gitignore$|/corpus/|/data/|\.json$|\.abi$|/py\.typed$|\.pem$|\.der$|\.in$|^scripts/help\.txt$|^tests/lint/words$'
}

expected() {
	case $1 in
	include/uapi/*) echo "GPL-2.0-only WITH Linux-syscall-note OR Apache-2.0" ;;
	# Part of a program of ours as well
	kernel/ihsm_test_plan.h) echo "GPL-2.0-only OR Apache-2.0" ;;
	kernel/*) echo "GPL-2.0-only" ;;
	*) echo "Apache-2.0" ;;
	esac
}

# Nothing but the identifier and a closing mark of a comment may stand in the line.
licensed() {
	bad=0
	for f in $(listed); do
		want=$(expected "$f")
		have=$(head -n 4 "$f" | sed -n 's/.*SPDX-License-Identifier: //p' | head -n 1 | sed 's/ *\*\/$//; s/ *-->$//')
		[ "$have" = "$want" ] && continue
		echo "$f: has '$have', should have '$want'"
		bad=1
	done
	return "$bad"
}

texts() {
	bad=0
	for id in Apache-2.0 GPL-2.0-only Linux-syscall-note; do
		[ -s "LICENSES/$id.txt" ] || { echo "LICENSES/$id.txt is missing"; bad=1; }
	done
	return "$bad"
}

point "SPDX lines" licensed
point "licence texts" texts
finish
