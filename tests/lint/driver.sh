#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The driver stays small: fewer than 5,000 lines without its tests, and no function of more than 80.

. tests/lint/lib.sh

lines_most=4999
function_most=80

sources() {
	find kernel -name '*.[ch]' ! -name 'ihsm_test*' | sort
}

few_lines() {
	lines=$(sources | xargs cat | wc -l)
	echo "$lines lines"
	[ "$lines" -le "$lines_most" ]
}

# A function begins with its brace in the first column, and ends with it.
short_functions() {
	# shellcheck disable=SC2016	# awk's
	sources | grep '\.c$' | xargs awk -v most="$function_most" '
		FNR == 1 { begin = 0 }
		/^[a-z].*\(/ { name = $0 }
		/^{/ { begin = FNR }
		/^}/ && begin {
			seen++
			if (FNR - begin - 1 > most) {
				print FILENAME ":" begin ": " FNR - begin - 1 " lines: " name
				bad = 1
			}
			begin = 0
		}
		END { print seen " functions"; exit bad || seen < 100 }'
}

point "kernel/ has at most $lines_most lines without its tests" few_lines
point "no function of it has more than $function_most" short_functions
finish
