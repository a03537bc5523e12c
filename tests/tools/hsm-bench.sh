#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# hsm-bench measures what it is told to, says what it cannot do, and takes a PIN from a file and from a
# descriptor. Whether a figure is good is not asked here.

set -eu

bench=${HSM_BUILD:?run this by make check}/hsm-bench
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
count=0

# point NAME CMD...: one line of TAP
point() {
	name=$1
	shift
	count=$((count + 1))
	if "$@" >"$work/log" 2>&1; then
		echo "ok $count - $name"
	else
		sed 's/^/# /' "$work/log"
		echo "not ok $count - $name"
	fi
}

# status N CMD...: CMD ends with this status
status() {
	wanted=$1
	shift
	got=0
	"$@" || got=$?
	[ "$got" -eq "$wanted" ] || { echo "status $got"; return 1; }
}

short() {
	"$bench" "$@" --seconds 0.01 --warmup 0
}

# Every figure is there and they are in order.
sound_json() {
	python3 - "$1" "$2" <<-'END'
	import json, sys
	report = json.load(open(sys.argv[1]))
	results = report["results"]
	assert len(results) == int(sys.argv[2]), len(results)
	for r in results:
	    assert r["samples"] >= 1 and r["per_second"] > 0, r
	    assert r["min_ns"] <= r["p50_ns"] <= r["p90_ns"] <= r["p99_ns"] <= r["max_ns"], r
	    assert r["min_ns"] <= r["mean_ns"] <= r["max_ns"], r
	END
}

raw_json() {
	(cd "$work" && short --raw --json --threads 1,3 \
		--op aes-gcm:16,p256-sign,rsa2048-sign,digest,random,p256-keygen,fdatasync,ping,wake) >"$work/raw.json"
	sound_json "$work/raw.json" 18
}

pause_counts_not() {
	short --raw --json --op digest:0 --pause-us 2000 >"$work/pause.json"
	sound_json "$work/pause.json" 1
}

no_nop() {
	status 1 short --raw --op nop 2>"$work/nop.err" && grep -q "libcrypto has no nop" "$work/nop.err"
}

softhsm() {
	short --module "$module" --token-label bench --json "$@" --threads 1,2 \
		--op aes-gcm,p256-sign,rsa2048-sign,digest,random,p256-keygen,find:3,data-create >"$work/soft.json"
	sound_json "$work/soft.json" 16
}

from_descriptor() {
	softhsm --pin-fd 3 3<"$work/pin"
}

# Token objects that a run made are gone after it.
leaves_nothing() {
	[ -z "$(pkcs11-tool --module "$module" --token-label bench --pin env:PIN -O 2>/dev/null)" ]
}

# run FILE FACTOR SPREAD [ROUNDS]: a saved run as scripts/bench writes it, its rates so many times those of others
run() {
	python3 - "$@" <<-'END'
	import json, sys
	factor, spread = float(sys.argv[2]), float(sys.argv[3])
	rounds = [1 - spread, 1, 1 + spread][:int(sys.argv[4]) if len(sys.argv) > 4 else 3]
	rows = [{"operation": name, "threads": 4, "pause_us": 0, "target": "ours",
	         "rounds": [{"per_second": 1000 * (factor if name == "moves" else 1) * r} for r in rounds]}
	        for name in ("moves", "stays")]
	json.dump({"machine": {"processor": "P", "cpus": 2, "kernel": "6"}, "results": rows}, open(sys.argv[1], "w"))
	END
}

# verdict WORD: of the row that moves; the other one is the same
verdict() {
	"$bench" compare --json "$work/old" "$work/new" >"$work/rows" || true
	python3 - "$work/rows" "$1" <<-'END'
	import json, sys
	rows = {row["row"]: row for row in json.load(open(sys.argv[1]))}
	assert set(rows) == {"ours moves, 4 threads", "ours stays, 4 threads"}, rows
	assert rows["ours moves, 4 threads"]["verdict"] == sys.argv[2], rows
	assert rows["ours stays, 4 threads"]["verdict"] == "same", rows
	END
}

# compared FACTOR SPREAD WORD STATUS [ROUNDS]
compared() {
	run "$work/old" 1 "$2" "${5:-3}" && run "$work/new" "$1" "$2" "${5:-3}" && verdict "$3" &&
		status "$4" "$bench" compare "$work/old" "$work/new"
}

of_its_own_rounds() {
	short --raw --json --rounds 3 --op random:32,digest --threads 1,2 >"$work/rounds" &&
		sound_json "$work/rounds" 12 &&
		"$bench" compare --threshold 99 "$work/rounds" "$work/rounds" >"$work/table" &&
		[ "$(grep -c '^| libcrypto .* | 1.000 |' "$work/table")" -eq 4 ]
}

# The same operation of another target
nothing_in_common() {
	short --raw --json --op random:32 >"$work/one" &&
		sed 's/"target": *"libcrypto"/"target": "other"/' "$work/one" >"$work/other" &&
		status 1 "$bench" compare "$work/one" "$work/other"
}

point "rounds, and a run compared with itself" of_its_own_rounds
point "slower beyond noise" compared 0.8 0.05 slower 4
point "faster beyond noise" compared 1.3 0.05 faster 0
point "a difference within the noise" compared 0.8 0.2 same 0
point "one below the threshold" compared 0.97 0.001 same 0
point "one round each" compared 0.8 0 slower 4 1
point "nothing to compare" nothing_in_common
point "another threshold" status 0 "$bench" compare --threshold 30 "$work/old" "$work/new"
point "no percentage" status 2 "$bench" compare --threshold x "$work/old" "$work/new"
point "one file" status 2 "$bench" compare "$work/old"
point "a file that is not there" status 3 "$bench" compare "$work/old" /nonexistent
echo '{"results": [{"operation": "x"}]}' >"$work/strange"
point "a file that is no run" status 3 "$bench" compare "$work/old" "$work/strange"
point "figures of libcrypto" raw_json
point "with a pause" pause_counts_not
point "an operation that a target lacks is named" no_nop
point "help" "$bench" --help
point "no target" status 2 "$bench" --op random
point "two targets" status 2 short --raw --libhsm vhsm:/nonexistent --op nop
point "no such operation" status 2 short --raw --op randon
point "a size that is none" status 2 short --raw --op random:x
point "no thread" status 2 short --raw --op random --threads 0
point "no module" status 3 short --module /nonexistent.so --op random
point "no device" status 3 short --libhsm vfio-user:/nonexistent.sock --op nop
point "no PIN file" status 2 short --module /nonexistent.so --pin-file /nonexistent --op random

module=/usr/lib/softhsm/libsofthsm2.so
if [ -e "$module" ]; then
	PIN=12345678
	SOFTHSM2_CONF=$work/softhsm2.conf
	export PIN SOFTHSM2_CONF
	mkdir "$work/tokens"
	printf 'directories.tokendir = %s\nlog.level = ERROR\n' "$work/tokens" >"$SOFTHSM2_CONF"
	echo "$PIN" >"$work/pin"
	echo 87654321 >"$work/wrong"
	pkcs11-tool --module "$module" --init-token --label bench --so-pin env:PIN >"$work/log" 2>&1
	pkcs11-tool --module "$module" --token-label bench --login --login-type so --so-pin env:PIN \
		--init-pin --new-pin env:PIN >"$work/log" 2>&1
	point "figures of a module" softhsm --pin-file "$work/pin"
	point "PIN from a descriptor" from_descriptor
	point "nothing is left in the token" leaves_nothing
	point "wrong PIN" status 3 short --module "$module" --token-label bench \
		--pin-file "$work/wrong" --op random
	point "no such token" status 3 short --module "$module" --token-label other --op random
	point "no login: no private key" status 1 short --module "$module" --token-label bench --op aes-gcm
else
	count=$((count + 1))
	echo "ok $count # SKIP softhsm2 is not installed"
fi
echo "1..$count"
