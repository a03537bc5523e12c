#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 600
#
# Firmware updates, and everything that is not one: images that were changed, signed by somebody else, for
# development on a board in production, older than what ran before; an update that does not work, one
# that ends in a power cut; and a client that works through all of it.

. tests/fault/lib.sh
need pkcs11-tool

keys=$HSM_BUILD/dev-keys

# bundle NAME KEYS VERSION SECURITY-VERSION [PROGRAM]: a bundle, and an image of it
bundle() {
	scripts/firmware-bundle "${5:-$HSM_BUILD/hsm-firmware}" "$TMPDIR/$1" "$HSM_BUILD" "$2" "$3" "$4" &&
		hsm-fw-sign image "$TMPDIR/$1" "$TMPDIR/$1.img"
}

update() {
	hsmctl firmware update "$TMPDIR/$1.img"
}

# runs VERSION: that one is the board's.
runs() {
	hsmctl firmware status --json >"$out" || return 1
	cat "$out"
	python3 -c 'import json, sys
rows = json.load(open(sys.argv[1]))["firmware"]
print([r for r in rows if "running" in r["state"] and "active" in r["state"]][0]["version"])' "$out" >"$out.version" &&
		grep -xF "$1" "$out.version"
}

first=$(sed -n 1p VERSION)
hsm_new update
point "the token is initialized" hsm_init
point "a key pair" p11 --token-label test --pin env:PIN --keypairgen --key-type EC:prime256v1 --id 01 --label key
point "it signs" works
point "what was installed runs" runs "$first"

# --- vendor's tools ---

point "a vendor makes keys" hsm-fw-sign keygen "$TMPDIR/vendor"
private_keys() {
	[ "$(stat -c %a "$TMPDIR/vendor/es384.pem")" = 600 ] && [ "$(stat -c %a "$TMPDIR/vendor")" = 700 ]
}
point "which nobody else can read" private_keys
point "images of the next version" bundle next "$keys" 1.1 1
point "verify" says 0 "verified" hsm-fw-sign verify --keys "$keys" "$TMPDIR/next.img"
point "show what they are" says 0 "^version +1.1" hsm-fw-sign inspect "$TMPDIR/next.img"
point "are not the vendor's" says 1 "another vendor" hsm-fw-sign verify --keys "$TMPDIR/vendor" "$TMPDIR/next.img"

# --- what is no update ---

# changed OFFSET: the image with a bit changed, 0: the last byte
changed() {
	cp "$TMPDIR/next.img" "$TMPDIR/changed.img"
	flip "$TMPDIR/changed.img" "$1"
}
size=$(stat -c %s "$TMPDIR/next.img")
refused() {
	changed "$1" && says "$2" "$3" update changed && runs "$first"
}
signature=$(signature_of "$TMPDIR/next.img")
point "a bit of the manifest's signature" refused "$signature" 2 "signature is wrong"
point "a bit of the firmware" refused 300000 1 "hsm-firmware does not match"
point "a bit of the last library" refused $((size - 100)) 1 "does not match"
cut() {
	head -c $((size - 4096)) "$TMPDIR/next.img" >"$TMPDIR/changed.img"
	says 1 "cut off" update changed && runs "$first"
}
point "an image that is cut off" cut
longer() {
	cp "$TMPDIR/next.img" "$TMPDIR/changed.img"
	echo more >>"$TMPDIR/changed.img"
	says 1 "longer than its manifest" update changed && runs "$first"
}
point "one that is longer" longer
point "another vendor's image" bundle stranger "$TMPDIR/vendor" 6.6 6
point "is refused" says 1 "another vendor" update stranger
point "no image at all" says 2 "no firmware image" hsmctl firmware update VERSION
point "all is as it was" runs "$first"
point "and works" works

# Staged past hsmctl, as the kernel's firmware upload does: bytes that nobody has looked at
staged_only() {
	changed "$signature"
	cp "$TMPDIR/changed.img" "$dir/firmware.staged"
	says 0 "staged .*does not verify" hsmctl firmware status && says 1 "" hsmctl firmware activate
}
point "a staged image that does not verify is not run" staged_only
point "but what verifies can be had beside it" hsmctl firmware activate installed
point "and runs" runs "$first"

# --- what does not work ---

point "firmware that is none" bundle dead "$keys" 1.2 1 /bin/true
point "is tried and refused" says 1 "1.2 does not work" update dead
point "the former one runs" runs "$first"
point "and works" works
broken_answer() {
	cp "$HSM_BUILD/hsm-firmware" "$TMPDIR/broken"
	python3 -c 'import sys
# SHA-256 of "abc" as the known answers have it: one digit of it becomes another one.
data = bytearray(open(sys.argv[1], "rb").read())
at = data.find(b"ba7816bf8f01cfea414140de5dae2223")
assert at > 0
data[at] ^= 1
open(sys.argv[1], "wb").write(data)' "$TMPDIR/broken" && bundle broken "$keys" 1.3 1 "$TMPDIR/broken"
}
point "firmware whose known answers are wrong" broken_answer
point "is tried and refused" says 1 "self-test failed" update broken
point "the former one runs on" runs "$first"
point "and works" works

# --- an update, with a client at work ---

point "a client is at work" busy 600
board=$(hsm_board)
point "an update" update next
point "runs" runs 1.1
same_board() {
	[ "$(hsm_board)" = "$board" ]
}
point "by the same board" same_board
point "the client is told, with an error" gone "$client"
point "which it reports" grep "^hsm-bench: " "$TMPDIR/bench"
point "new clients work" works
restart() {
	hsm_stop && runs "$1"
}
point "it is what starts from now on" restart 1.1
point "the token works" works
point "the installed one can be had back" hsmctl firmware activate installed
point "and runs" runs "$first"
point "a slot likewise" hsmctl firmware activate a
point "and runs" runs 1.1

# --- up the ladder ---

point "an image with a higher security version" bundle higher "$keys" 2.0 2
point "is an update" update higher
point "and runs" runs 2.0
point "the token's keys are still there" works
point "it has used the state" says 0 "used_security_version +2" hsmctl firmware status
point "the former version cannot follow" says 1 "security version 1, but the state has been used by version 2" \
	hsmctl firmware activate a
lost_record() {
	hsm_stop && mv "$dir/firmware.boot" "$TMPDIR/boot" && mv "$dir/firmware.b" "$TMPDIR/b"
}
point "the boot record and the slot are taken away" lost_record
point "older firmware does not start on it" says 3 "used by version 2" hsmctl list
put_back() {
	mv "$TMPDIR/boot" "$dir/firmware.boot" && mv "$TMPDIR/b" "$dir/firmware.b"
}
point "they are put back" put_back
point "and all is well" works

# --- the minimum in the fuses ---

point "the minimum cannot be higher than what runs" says 1 "CKR_ACTION_PROHIBITED" hsmctl firmware minimum 3 --yes
point "it can be what runs" hsmctl firmware minimum 2 --yes
happened() {
	hsmctl audit export "$TMPDIR/export" device >"$out" 2>&1 &&
		[ "$(grep -c '"event": *"firmware-minimum"' "$TMPDIR/export")" -eq 1 ]
}
point "the log has it" happened
point "and is for ever" says 1 "CKR_ACTION_PROHIBITED" hsmctl firmware minimum 1 --yes
point "what is older is shown as refused" says 0 "installed .* refused" hsmctl firmware status
point "older images are not even looked at" says 1 "the fuses demand 2" update next
point "the state's own firmware starts" restart 2.0

# --- damage in the slots ---

damage() {
	hsm_stop && flip "$dir/firmware.b" 400000
}
point "the active slot is damaged" damage
point "there is no other that may start" says 3 "does not match the manifest" hsmctl list
repair() {
	flip "$dir/firmware.b" 400000
}
point "it is repaired" repair
point "one more image" bundle third "$keys" 2.1 2
point "is an update" update third
damage_a() {
	hsm_stop && flip "$dir/firmware.a" 400000
}
point "its slot is damaged" damage_a
point "the slot of before takes its place" says 0 "default" hsmctl list
point "and works" works
point "the log says so" grep "firmware.a: .*does not match" "$dir/vhsm.log"
point "firmware that is none" bundle useless "$keys" 2.2 2 /bin/true
kept_slot() {
	cp "$dir/firmware.a" "$TMPDIR/a" && cp "$dir/firmware.boot" "$TMPDIR/boot" || return 1
	says 1 "2.2 does not work" update useless && restart 2.0
}
point "does not take the slot that is all that is left" kept_slot
point "and works" works
hsm_stop && mv "$TMPDIR/boot" "$dir/firmware.boot" && mv "$TMPDIR/a" "$dir/firmware.a"
flip "$dir/firmware.a" 400000

# --- power cuts at every step ---

# kill_at LINE: an update during which the board is killed, when its log says so much. Whatever comes of
# it, the token works, and what runs is one of the two.
kill_at() {
	hsm_stop
	: >"$dir/vhsm.log"
	hsmctl list >"$out" || return 1
	hsmctl firmware update "$TMPDIR/$2.img" >"$TMPDIR/said" 2>&1 &
	updater=$!
	until grep -q "$1" "$dir/vhsm.log"; do
		kill -0 "$updater" 2>/dev/null || break
	done
	hsm_kill
	wait "$updater"
	hsm_kill
	cat "$TMPDIR/said" "$dir/vhsm.log"
	works && hsmctl firmware status
}
one_of() {
	runs "$1" || runs "$2"
}
point "firmware for it" bundle fourth "$keys" 2.2 3
point "killed when the image is staged" kill_at "is staged" fourth
point "one of the two runs" one_of 2.1 2.2
point "more firmware for it" bundle fifth "$keys" 2.3 4
point "killed when it takes over" kill_at "takes over" fifth
whole() {
	runs 2.1 || runs 2.2 || runs 2.3
}
point "one that was whole runs" whole
point "killed when it is the board's" kill_at "is the board's" fifth
point "it is" runs 2.3

random_kills() {
	for n in 1 2 3 4 5 6; do
		bundle random "$keys" "3.$n" 4 || return 1
		hsmctl list >"$out" || return 1
		hsmctl firmware update "$TMPDIR/random.img" >"$TMPDIR/said" 2>&1 &
		updater=$!
		python3 -c 'import random, time; time.sleep(random.random() * 1.5)'
		hsm_kill
		wait "$updater"
		works >"$out" 2>&1 || { cat "$out" "$TMPDIR/said" "$dir/vhsm.log"; return 1; }
	done
	hsmctl firmware status
}
point "killed at any time, the token is there" random_kills
point "and an update works" update fifth
point "and runs" runs 2.3
hsm_stop

# --- a board in production ---

prod=$TMPDIR/production
start_production() {
	mkdir -p "$prod"
	vendor=$(hsm-fw-sign vendor-hash --keys "$TMPDIR/vendor") || return 1
	vhsm --state "$prod" --lifecycle production --vendor-hash "${vendor%% *}" --firmware "$1" \
		--log - --idle-exit 1
}
point "development keys" hsm-fw-sign keygen --development "$TMPDIR/dev"
point "firmware signed with them" bundle devfirmware "$TMPDIR/dev" 1.0 1
own_hash() {
	vendor=$(hsm-fw-sign vendor-hash --keys "$TMPDIR/dev") || return 1
	vhsm --state "$TMPDIR/prod2" --lifecycle production --vendor-hash "${vendor%% *}" \
		--firmware "$TMPDIR/devfirmware" --log - --idle-exit 1
}
point "is refused in production" says 4 "development keys" own_hash
point "so is this build's" says 4 "development keys" vhsm --state "$TMPDIR/prod3" --lifecycle production --log - --idle-exit 1
point "a vendor's runs" says 0 "" start_production "$TMPDIR/stranger"
point "another vendor's does not" says 4 "another vendor" start_production "$HSM_BUILD/firmware"

finish
