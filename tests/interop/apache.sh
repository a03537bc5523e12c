#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The page on Apache; then handshakes by many connections, in children that have forked.

. tests/interop/howto.sh
. tests/interop/server.sh
need apache2
need curl
need pkcs11-tool

alone www-data
page token tls apache
servers="$servers $(cat httpd.pid)"

children() {
	pgrep -P "$(cat httpd.pid)"
}

no_errors() {
	! grep -E ":(error|crit|alert|emerg)\]" httpd.log
}

restart_under_load() {
	handshakes 8444 200 &
	load=$!
	kill -USR1 "$(cat httpd.pid)" && handshakes 8444 50 && wait "$load"
}

# shellcheck disable=SC2046	# a list of numbers
point "1,000 handshakes, and nothing stays behind" no_leak 8444 $(children)
point "a graceful restart under load loses no connection" restart_under_load
point "and its log has no error" no_errors
finish
