# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# What the tests of servers share: many handshakes, and what they leave behind in the server and in
# the device. Sourced after howto.sh.

# handshakes PORT COUNT: full ones, by 16 connections at a time; $certificate is whom they believe
handshakes() {
	timeout 240 python3 "${top:?}/tests/interop/tls-clients.py" "$1" "${certificate:-$HOME/tls.crt}" "$2" 16
}

# Boards of this home, and the firmware that they have started.
device_processes() {
	for pid in $(howto_boards); do
		pgrep -P "$pid"
	done
}

# weigh FILE PID...: kilobytes and open files of these processes. The firmware lets nobody look at its
# files; the token tells what memory it has left for objects and sessions.
weigh() {
	file=$1
	shift
	for pid in "$@" $(device_processes); do
		echo "$pid $(awk '/^RssAnon:/ { print $2 }' "/proc/$pid/status") $(find "/proc/$pid/fd" -type l 2>/dev/null | wc -l)"
	done >"$file"
	hsmctl info | awk 'last == "slot" { print "token", $NF, 0 } { last = $1 }' >>"$file"
	cat "$file" >&2
}

# leaked BEFORE AFTER: more than 2 KB for each of 1,000 handshakes, or more files than idle connections;
# of processes that were there before and after, which some of the server's must be
leaked() {
	awk 'FNR == NR { memory[$1] = $2; files[$1] = $3; next }
		!($1 in memory) { next }
		$1 == "token" { token = 1; if ($2 != memory[$1]) bad = 1; next }
		{ both++; if ($2 > memory[$1] + 2048 || $3 > files[$1] + 2) bad = 1 }
		END { exit !(bad || !token || both < 2) }' "$1" "$2"
}

# no_leak PORT PID...: 1,000 handshakes leave nothing behind, once the first have filled what is kept
no_leak() {
	port=$1
	shift
	handshakes "$port" 300 && weigh "$TMPDIR/before" "$@" &&
		handshakes "$port" 1000 && weigh "$TMPDIR/after" "$@" && ! leaked "$TMPDIR/before" "$TMPDIR/after"
}

# ---- nginx as its page has set it up ----

nginx_workers() {
	pgrep -P "$(cat nginx.pid)" -f "worker process$"
}

# The reload that the page ends with: until the workers that it replaced have gone.
nginx_settled() {
	tries=0
	until [ "$(pgrep -c -P "$(cat nginx.pid)")" -eq 2 ] && [ "$(nginx_workers | wc -l)" -eq 2 ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] || return 1
		sleep 0.05
	done
}

nginx_reload_under_load() {
	handshakes 8443 400 &
	load=$!
	for _ in 1 2 3; do
		kill -HUP "$(cat nginx.pid)" && handshakes 8443 50 || return 1
	done
	wait "$load" && nginx_settled
}

nginx_no_errors() {
	! grep -E "\[(error|crit|alert|emerg)\]" nginx.log
}

nginx_points() {
	point "the workers of before the reload have gone" nginx_settled
	# shellcheck disable=SC2046	# a list of numbers
	point "1,000 handshakes, and nothing stays behind" no_leak 8443 $(nginx_workers)
	point "reloads under load lose no connection" nginx_reload_under_load
	point "and its log has no error" nginx_no_errors
}
