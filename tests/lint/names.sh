#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# No file names a host of a package archive: the machine's apt knows its own. And
# none carries a mark of unfinished work.

. tests/lint/lib.sh

hosts=$(scripts/apt-sources | sed -n 's|^[a-z+]*://\([^/:]*\).*|\1|p' | sort -u)

no_hosts() {
	[ -n "$hosts" ] || { echo "apt names no archive"; return 1; }
	! project_files | xargs grep -nIFe "$hosts"
}

# The brackets keep this file from finding itself.
no_marks() {
	! project_files | xargs grep -nIwE 'TOD[O]|FIXM[E]|XX[X]'
}

point "no archive's host is named" no_hosts
point "no mark of unfinished work" no_marks
finish
