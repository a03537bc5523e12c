#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 400
#
# The guests' own starter, without a device: output, status, requests to the outside, what the
# guest may write and what not, and the end of one that hangs or whose kernel panics.

. tests/vm/lib.sh

# One guest for all that a good one shows
good() {
	status=0
	# shellcheck disable=SC2016	# expanded in the guest
	vm --module none --smp 2 --memory 384 --append hsm.test=1 --limit 60 --host "echo asked:" sh -c '
		echo "first line"
		host some words && echo "was answered"
		nproc
		grep -o hsm.test=1 /proc/cmdline
		echo kept >/run/share/file
		touch /etc/file "$PWD/file" 2>/dev/null || echo "read-only"
		exit 7' >"$TMPDIR/good" 2>"$TMPDIR/good.err" || status=$?
	cat "$TMPDIR/good"
	[ "$status" -eq 7 ]
}

line() {
	grep -qx -e "$1" "$TMPDIR/good"
}

# ends STATUS PATTERN CMD...: a guest without device ends so, with that in what is shown
ends() {
	want=$1
	pattern=$2
	shift 2
	have=0
	vm --module none --limit 60 "$@" >"$out" 2>&1 || have=$?
	cat "$out"
	[ "$have" -eq "$want" ] && grep -qE -e "$pattern" "$out"
}

point "its command's status is the guest's" good
point "its output comes" line "first line"
point "the outside is asked" grep -qx "asked: some words" "$TMPDIR/good.err"
point "and answers" line "was answered"
point "processors as asked for" line 2
point "the kernel's command line as well" line "hsm.test=1"
point "what it writes into its share is here" grep -qx kept "$share/file"
point "the machine's own files cannot be written" line "read-only"
point "a guest that hangs is ended, and its console shown" ends 124 "going nowhere" \
	sh -c 'echo "going nowhere" >/dev/console; sleep 1000'
point "so is one whose kernel panics" ends 1 "sysrq triggered crash|Kernel panic" \
	sh -c 'echo c >/proc/sysrq-trigger; sleep 1000'
finish
