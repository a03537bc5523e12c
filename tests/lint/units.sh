#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# systemd takes its unit, users and directory files as they are, and rates the service's sandbox.

. tests/lint/lib.sh

need systemd-analyze

units=$TMPDIR/units
limit=10	# of 100

make_units() {
	mkdir "$units" &&
		sed 's|@BINDIR@/vhsm|/bin/true|' "system/vhsm@.service" >"$units/vhsm@main.service" &&
		cp "system/vhsm@.socket" "$units/vhsm@main.socket" &&
		sed 's|@BINDIR@/hsmctl|/bin/true|' "system/hsm-metrics@.service" >"$units/hsm-metrics@1.service" &&
		cp "$units/hsm-metrics@1.service" "$units/hsm-metrics@.service" &&
		cp system/hsm-metrics.socket "$units/"
}

# What it says of units that are not ours is not ours.
verified() {
	SYSTEMD_UNIT_PATH=$units: systemd-analyze verify --man=no --recursive-errors=no "$units/vhsm@main.service" \
		"$units/vhsm@main.socket" "$units/hsm-metrics@1.service" "$units/hsm-metrics.socket" >"$TMPDIR/out" 2>&1
	status=$?
	cat "$TMPDIR/out"
	[ "$status" -eq 0 ] && ! grep "vhsm@\|hsm-metrics" "$TMPDIR/out"
}

sandboxed() {
	systemd-analyze security --offline=yes --no-pager --threshold="$limit" "$units/$1" >"$TMPDIR/out" 2>&1
	status=$?
	grep -aE '✗|Overall' "$TMPDIR/out"
	return "$status"
}

users() {
	mkdir "$TMPDIR/root" &&
		systemd-sysusers --root="$TMPDIR/root" "$PWD/system/hsm.sysusers" "$PWD/system/vhsm.sysusers" &&
		grep '^hsm:' "$TMPDIR/root/etc/group" && grep '^vhsm:' "$TMPDIR/root/etc/passwd"
}

directories() {
	systemd-tmpfiles --root="$TMPDIR/root" --create "$PWD/system/vhsm.tmpfiles" && [ -d "$TMPDIR/root/run/vhsm" ]
}

# The units name as many functions as a board has when nobody says otherwise.
functions() {
	count=$(grep -c '^ListenStream=' "system/vhsm@.socket")
	grep "options->functions = $count;" vhsm/board/options.c
}

point "the units" make_units
point "systemd-analyze verify" verified
point "systemd-analyze security: at most $limit" sandboxed vhsm@main.service
point "likewise the metrics'" sandboxed hsm-metrics@1.service
point "sysusers" users
point "tmpfiles" directories
point "a socket for each function" functions
finish
