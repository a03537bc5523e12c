#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The page on nginx; then handshakes by many connections, in workers that have forked, and after a
# reload under load.

. tests/interop/howto.sh
. tests/interop/server.sh
need nginx
need curl
need pkcs11-tool

alone www-data
page token tls nginx
servers="$servers $(cat nginx.pid)"

workers() {
	pgrep -P "$(cat nginx.pid)" -f "worker process$"
}

# The reload that the page ends with: until the workers that it replaced have gone.
settled() {
	tries=0
	until [ "$(pgrep -c -P "$(cat nginx.pid)")" -eq 2 ] && [ "$(workers | wc -l)" -eq 2 ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] || return 1
		sleep 0.05
	done
}

reload_under_load() {
	handshakes 8443 400 &
	load=$!
	for _ in 1 2 3; do
		kill -HUP "$(cat nginx.pid)" && handshakes 8443 50 || return 1
	done
	wait "$load" && settled
}

point "the workers of before the reload have gone" settled
# shellcheck disable=SC2046	# a list of numbers
point "1,000 handshakes, and nothing stays behind" no_leak 8443 $(workers)
point "reloads under load lose no connection" reload_under_load
no_errors() {
	! grep -E "\[(error|crit|alert|emerg)\]" nginx.log
}
point "and its log has no error" no_errors
finish
