#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The table of Documentation/howto/index.rst: each test that it names is there, each version is the one that the
# tests here run with, and each page that a test runs a program for is in it.

. tests/lint/lib.sh

# A row's cells are as wide as the line above them says.
rows() {
	awk '/^=====*  =/ { if (bars++ == 1) { n = NF; for (i = 1; i <= n; i++) width[i] = length($i) } next }
		bars == 2 { at = 1; row = ""; for (i = 1; i <= n; i++) {
			cell = substr($0, at, width[i]); sub(/ +$/, "", cell); row = row cell "|"; at += width[i] + 2 }
			print row }' Documentation/howto/index.rst
}

tests_exist() {
	for name in $1; do
		[ -x "tests/interop/$name.sh" ] || [ -x "tests/interop/$name.py" ] || { echo "no tests/interop/$name"; return 1; }
	done
	for name in $2; do
		[ -x "tests/vm/$name.sh" ] || { echo "no tests/vm/$name.sh"; return 1; }
	done
}

# 1:10.0p1-7 is a 10.0, and 2.10 no 2.1.
version_is() {
	have=$(dpkg-query -W -f '${Version}' "$1" 2>/dev/null | sed 's/^[0-9]*://')
	case $have in
	"$2" | "$2"[!0-9]*) ;;
	*)
		echo "$1 is $have"
		return 1
		;;
	esac
}

# Pages on programs are all those that begin with a token of one's own.
page_listed() {
	script=$(grep -lE "^page (.* )?$1( |\$)" tests/interop/*.sh | sed 's|.*/||; s|\.sh$||')
	for name in $script; do
		! rows | cut -d '|' -f 5 | tr ' ' '\n' | grep -qx "$name" || return 0
	done
	return 1
}

point "the table has rows" [ "$(rows | wc -l)" -ge 20 ]
while IFS='|' read -r program package version _ tests guest _; do
	point "$program: its tests" tests_exist "$tests" "$guest"
	if command -v "dpkg-query" >/dev/null && dpkg-query -W "$package" >/dev/null 2>&1; then
		point "$program: $package $version" version_is "$package" "$version"
	else
		report 0 "$program: $package # SKIP not installed"
	fi
done <<END
$(rows)
END
for page in Documentation/howto/*.rst; do
	name=$(basename "$page" .rst)
	case $name in
	# Of ours alone, and of machines
	index | token | tls | install | container | unattended | client-certificate | guest* | libvirt | approvals | leaving | monitoring) ;;
	*) point "$name.rst is in the table" page_listed "$name" ;;
	esac
done
finish
