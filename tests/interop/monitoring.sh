#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 180
#
# The page on monitoring; then what the parser of Prometheus' own client makes of the metrics, whether they count what
# was done, whether dashboard and rules name metrics that there are, and hsmctl top on a terminal.

. tests/interop/howto.sh
need pkcs11-tool
python3 -c 'import prometheus_client.openmetrics.parser' 2>/dev/null || {
	echo "1..0 # SKIP python3-prometheus-client is not installed"
	exit 0
}

cd "$HOME" || exit 1
page token monitoring

# sample NAME LABEL=VALUE...: its value, as the parser reads the text
cat >"$TMPDIR/sample" <<'END'
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families

want = dict(word.split("=", 1) for word in sys.argv[3:])
for family in text_string_to_metric_families(open(sys.argv[1], encoding="utf-8").read()):
    for sample in family.samples:
        if sample.name == sys.argv[2] and want.items() <= sample.labels.items():
            print(f"{sample.value:g}")
END
sample() {
	python3 "$TMPDIR/sample" "$TMPDIR/metrics" "$@"
}

look() {
	hsmctl metrics "$@" >"$TMPDIR/metrics" && [ -n "$(sample ihsm_up)" ]
}

# Until the next second's numbers have so many more signatures
counted() {
	tries=0
	until look && [ "$(sample ihsm_command_seconds_count kind=sign)" -ge "$1" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 300 ] || return 1
	done
	cat "$TMPDIR/metrics"
	[ "$(sample ihsm_command_seconds_count kind=sign)" -eq "$1" ] &&
		[ "$(sample ihsm_command_seconds_bucket kind=sign le=+Inf)" -eq "$1" ]
}

sign() {
	for _ in $(seq "$1"); do
		p11 --sign --id 01 -m ECDSA-SHA256 -i order -o order.sig || return 1
	done
}

echo "pay" >order
point "the parser reads it" look
before=$(sample ihsm_command_seconds_count kind=sign)
point "five signatures" sign 5
point "five more are counted" counted "$((before + 5))"
point "nothing of them was refused" [ "$(sample ihsm_commands_refused_total kind=sign)" -eq 0 ]
point "the device is operational" [ "$(sample ihsm_device_state ihsm_device_state=operational)" -eq 1 ]
refused() {
	before=$(sample ihsm_commands_refused_total kind=login)
	! PIN=00000000 pkcs11-tool --module "$HSM_PKCS11_MODULE" --token-label web --login --pin env:PIN -O
	tries=0
	until look && [ "$(sample ihsm_commands_refused_total kind=login)" -gt "$before" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 300 ] || return 1
	done
}
point "a wrong PIN is counted" refused

asleep() {
	mkdir -m 700 "$TMPDIR/none" && look -d "vhsm:$TMPDIR/none" && [ "$(sample ihsm_up)" -eq 0 ] && [ -z "$(ls -A "$TMPDIR/none")" ]
}
point "a board that sleeps is not woken" asleep

# A name with what would end a label or a line
named() {
	hsmctl partition create 'a"b\c' --function 2 && hsmctl -d "$HSM_DEVICE,function=2" list &&
		look -d "$HSM_DEVICE,function=2" && [ "$(sample ihsm_sessions 'partition=a"b\c')" -eq 0 ]
}
point "quotes in a name stay in it" named

# --- what names metrics ---

look
cat >"$TMPDIR/names" <<'END'
import re
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families

known = set()
for family in text_string_to_metric_families(open(sys.argv[1], encoding="utf-8").read()):
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"], "info": ["_info"]}
    known |= {family.name + suffix for suffix in suffixes.get(family.type, [""])}
text = open(sys.argv[2], encoding="utf-8").read()
used = set(re.findall(r"\b(ihsm_[a-z_]+)\b", re.sub(r"\{[^{}]*\}", "", re.sub(r"\\\"", "", text))))
print(sorted(used))
sys.exit(sorted(used - known) or not used)
END
names() {
	python3 "$TMPDIR/names" "$TMPDIR/metrics" "$1"
}
point "the dashboard is JSON" python3 -m json.tool "$top/system/grafana/hsm.json" "$TMPDIR/dashboard"
point "each metric of the dashboard is there" names "$top/system/grafana/hsm.json"
point "and each of the rules" names hsm-alerts.yml
wrong() {
	sed 's/ihsm_sessions_limit/ihsm_sessions_most/' hsm-alerts.yml >"$TMPDIR/wrong.yml"
	! names "$TMPDIR/wrong.yml"
}
point "one that is not would be seen" wrong

# --- HTTP ---

http() {
	printf '%s\r\nHost: x\r\n\r\n' "$1" | hsmctl metrics --http >"$TMPDIR/answer" 2>"$TMPDIR/err"
	head -n 1 "$TMPDIR/answer"
	grep -q "^HTTP/1.1 $2" "$TMPDIR/answer"
}
body() {
	http "GET /metrics HTTP/1.1" 200 && sed '1,/^.$/d' "$TMPDIR/answer" >"$TMPDIR/metrics" && [ "$(sample ihsm_up)" -eq 1 ] &&
		[ "$(wc -c <"$TMPDIR/metrics")" -eq "$(sed -n 's/^Content-Length: \([0-9]*\).*/\1/p' "$TMPDIR/answer")" ]
}
point "a request is answered" body
point "another page is not there" http "GET /etc/passwd HTTP/1.1" 404
point "another method is not allowed" http "POST /metrics HTTP/1.1" 405
long() {
	head -c 20000 /dev/zero | tr '\0' 'a' | hsmctl metrics --http >"$TMPDIR/answer" 2>"$TMPDIR/err"
	grep "^HTTP/1.1 400" "$TMPDIR/answer"
}
point "a head without end is refused" long
point "metrics take no option of top's" [ "$(hsmctl metrics --once >/dev/null 2>&1; echo $?)" -eq 2 ]

# --- top ---

point "top as JSON" sh -c 'hsmctl top --once --json | python3 -c "
import json, sys
rows = json.load(sys.stdin)[\"partitions\"]
sys.exit(not rows or \"p99_ms\" not in rows[0])"'
two() {
	[ "$(hsmctl top --batch 2 --interval 1 | grep -c "^device *partition")" -eq 2 ]
}
point "two looks" two
point "no such interval" [ "$(hsmctl top --interval 0 2>/dev/null; echo $?)" -eq 2 ]

cat >"$TMPDIR/terminal" <<'END'
"""hsmctl top on a terminal of its own: it draws, ends by KEY, and leaves the terminal as it was."""
import os
import pty
import sys
import termios

pid, fd = pty.fork()
if pid == 0:
    os.execvp("hsmctl", ["hsmctl", "top", "--interval", "1"])
before = termios.tcgetattr(fd)
seen = b""
while b"partition" not in seen:
    seen += os.read(fd, 4096)
os.write(fd, sys.argv[1].encode().decode("unicode_escape").encode())
try:
    while True:
        more = os.read(fd, 4096)
        if not more:
            break
        seen += more
        if seen.endswith(b"\x1b[?25h\x1b[?1049l"):
            break
except OSError:
    pass
_, status = os.waitpid(pid, 0)
after = termios.tcgetattr(fd)
print(seen)
sys.exit(not (os.waitstatus_to_exitcode(status) == 0 and b"\x1b[?1049h" in seen and b"\x1b[?1049l" in seen
              and before[3] == after[3]))
END
point "on a terminal, ended by q" timeout 60 python3 "$TMPDIR/terminal" q
point "and by ^C" timeout 60 python3 "$TMPDIR/terminal" '\x03'

finish
