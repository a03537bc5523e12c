#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Every program, file, device and call of the library has a manual page that mandoc takes as it is.

. tests/lint/lib.sh

need mandoc
need rst2man

calls=$(sed -n 's/^\t\(hsm_[a-z0-9_]*\);$/\1/p' libhsm/libhsm.map)
pages=$TMPDIR/man3

each_call() {
	scripts/man3 "$pages" || return 1
	for call in $calls; do
		[ -s "$pages/$call.3" ] || { echo "no page of $call"; return 1; }
		# A page that stands for another one names this call, too.
		grep -q "^.B \".*[ *]$call(" "$pages/$(sed -n 's|^\.so man3/||p' "$pages/$call.3" | grep . || echo "$call.3")" ||
			{ echo "$call.3 shows another call"; return 1; }
	done
}

good_calls() {
	(cd "$TMPDIR" && grep -L '^\.so ' man3/*.3 | xargs mandoc -T lint -W warning)
}

# What docutils makes of an option list is fine for readers, and warned about.
good_pages() {
	for page in Documentation/man/*.rst; do
		rst2man --exit-status=2 "$page" "$TMPDIR/page" && mandoc -T lint -W error "$TMPDIR/page" || return 1
	done
}

each_program() {
	for page in hsmctl.1 hsm-verify.1 hsm-bench.1 hsm-fw-sign.1 vhsm.1 vhsm-run.1 libhsm.3 ihsm.4 hsm.conf.5; do
		[ -s "Documentation/man/$page.rst" ] || { echo "no $page"; return 1; }
	done
}

# Options that --help names are in the manual.
options() {
	bad=0
	for program in hsmctl hsm-verify hsm-bench hsm-fw-sign vhsm; do
		for option in $("$HSM_BUILD/$program" --help | grep -oE '^ +(-., )?--[a-z0-9-]+' | grep -oE -e '--[a-z0-9-]+'); do
			grep -qE -e "$option([^a-z0-9-]|\$)" "Documentation/man/$program.1.rst" || { echo "$program.1: no $option"; bad=1; }
		done
	done
	return "$bad"
}

# Verbs of hsmctl, likewise
verbs() {
	"$HSM_BUILD/hsmctl" --help | sed -n 's/^  \([a-z][a-z-]*\( [a-z][a-z-]*\)\{0,1\}\)  *.*/\1/p' | while read -r first second; do
		grep -qE "(^|, )$first( $second)?" Documentation/man/hsmctl.1.rst ||
			echo "hsmctl.1: no $first $second"
	done >"$TMPDIR/lacks"
	cat "$TMPDIR/lacks"
	[ ! -s "$TMPDIR/lacks" ]
}

point "a page for each call" each_call
point "mandoc takes them" good_calls
point "a page for each program and file" each_program
point "mandoc takes them" good_pages
if [ -x "$HSM_BUILD/hsmctl" ]; then
	point "options" options
	point "verbs" verbs
fi
finish
