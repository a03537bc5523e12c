#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# hsmctl doctor: each planted fault is named, with its layer and its check, and a good system has none. The faults
# of PCI bus, driver and device are in tests/unit/hsmctl/test_hsmctl_doctor.c.

. tests/hsm.sh
need openssl
need pkcs11-tool
own_mounts

hsm_new doctor
known=$HOME/.local/state/hsm/known-partitions

# verdict CHECK-OF-LAYER: what `hsmctl doctor --json` in $out says of layer/check
field() {
	python3 -c 'import json, sys
print(json.load(open(sys.argv[1])).get(sys.argv[2], ""))' "$out" "$1"
}

verdict() {
	python3 -c 'import json, sys
for row in json.load(open(sys.argv[1]))["checks"]:
    if [row["layer"], row["check"]] == sys.argv[2].split("/"):
        print(row["verdict"], row["finding"])' "$out" "$1"
}

advised() {
	python3 -c 'import json, sys
sys.exit(not any([row["layer"], row["check"]] == sys.argv[2].split("/") and row["what_to_do"]
                 for row in json.load(open(sys.argv[1]))["advice"]))' "$out" "$1"
}

# broken LAYER/CHECK PATTERN CMD...: the doctor says so, and what to do
broken() {
	where=$1
	pattern=$2
	shift 2
	status=0
	"$@" >"$out" 2>"$TMPDIR/err" || status=$?
	cat "$out" "$TMPDIR/err"
	[ "$status" -eq 3 ] && [ "$(field broken_layer)/$(field broken_check)" = "$where" ] &&
		field result | grep -qE -e "^broken: ${where%/*}: .*$pattern" && advised "$where"
}

# warns LAYER/CHECK PATTERN CMD...: likewise, but it works
warns() {
	where=$1
	pattern=$2
	shift 2
	"$@" >"$out" 2>"$TMPDIR/err" || return 1
	cat "$out"
	verdict "$where" | grep -qE -e "^warning .*$pattern" && advised "$where"
}

doctor() {
	hsmctl doctor --json "$@"
}

healthy() {
	says 0 "^result *healthy$" hsmctl doctor "$@"
}

# --- what is not there yet is not made ---

rm -rf "$dir"
point "a directory that is not there: said" warns board/directory "is not there" doctor
point "and not made" test ! -e "$dir"
mkdir "$dir"
point "an empty one: said" warns board/directory "is empty" doctor
point "nothing is put into it" test -z "$(ls -A "$dir")"

# --- a token that is not ready ---

point "a board" hsmctl list
point "a token that is not initialized" broken partition/token "has not been initialized" doctor
pkcs11-tool --module "$HSM_PKCS11_MODULE" --init-token --label test --so-pin "$(cat "$TMPDIR/so")" >/dev/null 2>&1
point "a token without user PIN" broken partition/pins "no user PIN is set" doctor
point "pin init" hsmctl pin init --pin-file "$TMPDIR/so" --new-pin-file "$TMPDIR/user"

# --- a good system ---

point "a good system" healthy
point "with a signature" healthy --deep
point "with one after a login" healthy --deep --pin-file "$TMPDIR/user"
point "by another name" healthy -d "$HSM_DEVICE,function=1"
rm -f "$known"
point "somebody who was never seen" healthy
point "and is not remembered" test ! -e "$known"
point "nothing of its own stays" test -z "$(find "$TMPDIR" -name 'hsmctl-*')"
point "no temporary directory" broken channel/identity "no temporary directory" env TMPDIR=/nonexistent hsmctl doctor --json
point "nor is anybody remembered then" test ! -e "$known"
point "remembered by a program" hsmctl info

# --- PINs ---

wrong_pins() {
	for _ in $(seq "$1"); do
		hsmctl pin set --pin-file "$TMPDIR/wrong" --new-pin-file "$TMPDIR/user" >/dev/null 2>&1
	done
	true
}

wrong_pins 1
point "a wrong PIN: a warning" warns partition/pins "wrong user PIN|locks it" doctor
wrong_pins 20
point "a locked PIN" broken partition/pins "locked after wrong tries" doctor
point "the SO unlocks it" hsmctl pin init --pin-file "$TMPDIR/so" --new-pin-file "$TMPDIR/user"
point "repaired" healthy

# --- configuration ---

conf=$TMPDIR/hsm.conf
in_conf() {
	printf '%s\n' "$@" >"$conf"
}

in_conf "devise = x"
point "a wrong line in hsm.conf" broken configuration/file "line 1|hsm.conf:1" env HSM_CONF="$conf" hsmctl doctor --json
in_conf "root-certificate = /nonexistent/root.pem"
point "a root certificate that is missing" broken configuration/file "root.pem" env HSM_CONF="$conf" hsmctl doctor --json
in_conf "# nothing"
point "no device at all" broken configuration/devices "no device" env -u HSM_DEVICE HSM_CONF="$conf" hsmctl doctor --json
in_conf "root-certificate = $TMPDIR/other.pem"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout /dev/null -subj /CN=other \
	-out "$TMPDIR/other.pem" 2>/dev/null
point "somebody else's root" broken channel/identity "" env HSM_CONF="$conf" hsmctl doctor --json
sed 's/sha256:.*/sha256:0000000000000000000000000000000000000000000000000000000000000000/' "$known" >"$TMPDIR/pins"
cp "$known" "$TMPDIR/known" && cp "$TMPDIR/pins" "$known"
point "another identity than before" broken channel/identity "another identity.*$known" doctor
cp "$TMPDIR/known" "$known"
point "repaired" healthy

# --- the board ---

point "the board's program is missing" broken board/program "HSM_VHSM" env HSM_VHSM=/nonexistent hsmctl doctor --json
cp -r "$HSM_BUILD/vhsm" "$HSM_BUILD/firmware" "$TMPDIR/"
moved() {
	env HSM_VHSM="$TMPDIR/vhsm" "$@"
}
point "a copy of the firmware" moved hsmctl doctor
flip "$TMPDIR/firmware/hsm-firmware" 5000
point "a changed file of the firmware" broken board/firmware "hsm-firmware is not what was signed" moved hsmctl doctor --json
flip "$TMPDIR/firmware/hsm-firmware" 5000
flip "$TMPDIR/firmware/manifest" 200
point "a changed manifest" broken board/firmware "does not verify" moved hsmctl doctor --json
rm "$TMPDIR/firmware/manifest"
point "no manifest" broken board/firmware "no manifest" moved hsmctl doctor --json

point "the board ends" hsm_stop
chmod 755 "$dir"
point "a directory that is open to others" broken board/directory "mode 755" doctor
chmod 700 "$dir"
[ "$(id -u)" -ne 0 ] || {
	chown 1 "$dir"
	point "somebody else's directory" broken board/directory "user 1's" doctor
	chown 0 "$dir"
}
mv "$dir/fuses" "$TMPDIR/kept"
point "no fuses" broken board/files "fuses: No such file" doctor
mv "$TMPDIR/kept" "$dir/fuses"
chmod 644 "$dir/nvm.db"
point "a database that others can read" broken board/files "user's alone" doctor
chmod 600 "$dir/nvm.db"
cp "$dir/nvm.db" "$TMPDIR/kept"
flip "$dir/nvm.db" 3
point "a database that is none" broken board/files "damaged" doctor
cp "$TMPDIR/kept" "$dir/nvm.db"
cp "$dir/fuses" "$TMPDIR/kept"
for at in $(seq 16 512 8000); do
	flip "$dir/fuses" "$at"
done
point "damaged fuses" broken board/answers "fuses" doctor
cp "$TMPDIR/kept" "$dir/fuses"

flock "$dir/lock" sleep 600 &
holder=$!
while flock -n "$dir/lock" true; do :; done
point "a lock that no board holds" broken board/lock "holds the lock.*no board answers" doctor
pkill -P "$holder"
wait "$holder"
point "repaired" healthy
point "the board ends" hsm_stop

# --- a file system whose files have another device number than its locks ---

overlay() {
	layers=$TMPDIR/layers
	mkdir -p "$layers" "$TMPDIR/below" "$TMPDIR/merged" && mount -t tmpfs tmpfs "$layers" || return 1
	mkdir "$layers/files" "$layers/work"
	mount -t overlay -o "lowerdir=$TMPDIR/below,upperdir=$layers/files,workdir=$layers/work,xino=off" \
		overlay "$TMPDIR/merged"
}
if overlay 2>/dev/null; then
	cp -a "$dir" "$TMPDIR/merged/doctor"
	flock "$TMPDIR/merged/doctor/lock" sleep 600 &
	holder=$!
	while flock -n "$TMPDIR/merged/doctor/lock" true; do :; done
	point "a lock of such a file" broken board/lock "holds the lock.*no board answers" doctor -d "vhsm:$TMPDIR/merged/doctor"
	pkill -P "$holder"
	wait "$holder"
	umount "$TMPDIR/merged" "$TMPDIR/layers"
else
	point "a lock of such a file # SKIP no overlay can be mounted here" true
fi

# --- ended amid its work ---

mute() {
	python3 -c 'import os, signal, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(8)
signal.pause()' "$TMPDIR/mute.sock" &
	mute=$!
	until [ -S "$TMPDIR/mute.sock" ]; do sleep 0.05; done
}
borrowed() {
	find "$TMPDIR" -maxdepth 1 -name 'hsmctl-*' | grep .
}
ended() {
	mute
	hsmctl doctor -d "vfio-user:$TMPDIR/mute.sock" >"$out" 2>&1 &
	doctor=$!
	while kill -0 "$doctor" && ! borrowed; do sleep 0.05; done
	kill -TERM "$doctor"
	status=0
	wait "$doctor" || status=$?
	kill "$mute"
	wait "$mute"
	[ "$status" -eq 143 ] || { cat "$out"; echo "exit status $status"; return 1; }
	! borrowed
}
point "a doctor who is ended leaves nothing behind" ended

full() {
	mount -t tmpfs -o size=6m,mode=700 none "$TMPDIR/small" && cp -a "$dir/." "$TMPDIR/small/" &&
		dd if=/dev/zero of="$TMPDIR/small/fill" bs=64k 2>/dev/null
	broken board/space "full" doctor -d "vhsm:$TMPDIR/small"
}
mkdir "$TMPDIR/small"
point "a full disk" full
read_only() {
	rm -f "$TMPDIR/small/fill" && mount -o remount,ro "$TMPDIR/small"
	broken board/space "cannot be written" doctor -d "vhsm:$TMPDIR/small"
}
point "a disk that cannot be written" read_only
umount "$TMPDIR/small"

# --- sockets ---

point "a socket that is not there" broken board/socket "no socket" doctor -d "vfio-user:$TMPDIR/fn1.sock"
: >"$TMPDIR/fn1.sock"
point "a file that is none" broken board/socket "is no socket" doctor -d "vfio-user:$TMPDIR/fn1.sock"
rm "$TMPDIR/fn1.sock"
python3 -c 'import socket, sys
socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$TMPDIR/fn1.sock"
point "a socket where nobody listens" broken board/socket "nobody listens" doctor -d "vfio-user:$TMPDIR/fn1.sock"
point "a device that is none" broken pci/function "no function" doctor -d /dev/ihsm250
point "a function without a partition" broken libhsm/partitions "no partition is assigned to function 3" \
	doctor -d "$HSM_DEVICE,function=3"
point "a function that the board has not" broken board/answers "function 99" doctor -d "$HSM_DEVICE,function=99"

# --- PKCS#11 and what uses it ---

module() {
	env HSM_PKCS11_MODULE="$1" hsmctl doctor --json
}
point "no module" broken pkcs11/module "No such file" module /nonexistent/hsm-pkcs11.so
libz=$(find /usr/lib -name 'libz.so.1' | head -n 1)
point "another library" broken pkcs11/load "no PKCS#11 module" module "$libz"
echo "no library" >"$TMPDIR/none.so"
point "a file that is no library" broken pkcs11/load "none.so" module "$TMPDIR/none.so"
# A library with this in its place has a constructor that ends the process.
echo 'void dies(void) __attribute__((constructor)); void dies(void) { __builtin_trap(); }' >"$TMPDIR/dies.c"
if gcc -shared -fPIC -o "$TMPDIR/dies.so" "$TMPDIR/dies.c" 2>/dev/null; then
	point "one that crashes" broken pkcs11/load "took its process down" module "$TMPDIR/dies.so"
	# And this one speaks in the doctor's place: in every pipe that is the process's own, and not inherited.
	cat >"$TMPDIR/lies.c" <<-'END'
		#include <fcntl.h>
		#include <string.h>
		#include <sys/stat.h>
		#include <unistd.h>
		void lies(void) __attribute__((constructor));
		void lies(void)
		{
			char bytes[4096];
			struct stat st;

			memset(bytes, 0x7e, sizeof(bytes));
			for (int fd = 3; fd < 64; fd++)
				if (!fstat(fd, &st) && S_ISFIFO(st.st_mode) && (fcntl(fd, F_GETFD) & FD_CLOEXEC) &&
				    write(fd, bytes, sizeof(bytes)) < 0)
					continue;
			_exit(0);
		}
	END
	gcc -shared -fPIC -o "$TMPDIR/lies.so" "$TMPDIR/lies.c"
	point "one that writes to the doctor" broken pkcs11/load "does not come back" module "$TMPDIR/lies.so"
fi
mkdir -p "$HOME/.config/pkcs11/modules"
echo "module: /nonexistent/hsm-pkcs11.so" >"$HOME/.config/pkcs11/modules/hsm.module"
point "p11-kit is told of another file" broken use/p11-kit "names /nonexistent" doctor
echo "priority: 1" >"$HOME/.config/pkcs11/modules/hsm.module"
point "p11-kit is told of none" broken use/p11-kit "names no module" doctor
echo "module: $HSM_PKCS11_MODULE" >"$HOME/.config/pkcs11/modules/hsm.module"
point "p11-kit is told right" healthy

openssl_conf() {
	cat >"$TMPDIR/openssl.cnf" <<-END
		openssl_conf = init
		[init]
		providers = providers
		[providers]
		pkcs11 = pkcs11_provider
		[pkcs11_provider]
		pkcs11-module-path = $1
		module = $2
		pkcs11-module-token-pin = $3
		activate = $4
	END
}
with_openssl() {
	env OPENSSL_CONF="$TMPDIR/openssl.cnf" hsmctl doctor --json
}
printf %s "$(cat "$TMPDIR/user")" >"$TMPDIR/pin"
openssl_conf "$HSM_PKCS11_MODULE" "$libz" "file:$TMPDIR/pin" 1
point "OpenSSL is told right" with_openssl
openssl_conf /nonexistent/hsm-pkcs11.so "$libz" "file:$TMPDIR/pin" 1
point "OpenSSL is told of another module" broken use/openssl "names the module /nonexistent" with_openssl
openssl_conf "$HSM_PKCS11_MODULE" /nonexistent/pkcs11.so "file:$TMPDIR/pin" 1
point "the provider is not installed" broken use/openssl "names the provider /nonexistent" with_openssl
openssl_conf "$HSM_PKCS11_MODULE" "$libz" "file:$TMPDIR/no-pin" 1
point "the PIN's file is missing" broken use/openssl "PIN's file.*No such file" with_openssl
openssl_conf "$HSM_PKCS11_MODULE" "$libz" "file:$TMPDIR/pin" 0
point "the provider is not activated" warns use/openssl "does not activate" with_openssl
openssl_conf "$HSM_PKCS11_MODULE" "$libz" "file:$TMPDIR/pin" 1
chmod 644 "$TMPDIR/pin"
point "others can read the PIN" warns use/openssl "others can read" with_openssl
echo "[init" >"$TMPDIR/openssl.cnf"
point "a configuration that cannot be read" broken use/openssl "cannot be read" with_openssl
: >"$TMPDIR/empty"
point "an empty PIN file" broken use/pin-file "is empty" doctor --pin-file "$TMPDIR/empty"

# --- a policy that allows nothing, and a partition that moves ---

hsmctl partition create bare --function 2 --mechanisms sha256 >/dev/null &&
	hsmctl -d "$HSM_DEVICE,function=2" partition init bare --pin-file "$TMPDIR/so" --new-pin-file "$TMPDIR/user" >/dev/null
point "a signature that the policy does not allow" broken pkcs11/sign "C_GenerateKeyPair" \
	doctor -d "$HSM_DEVICE,function=2" --deep --pin-file "$TMPDIR/user"
point "text says what to do" says 3 "what_to_do" hsmctl doctor -d "$HSM_DEVICE,function=3"

finish
