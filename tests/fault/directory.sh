#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Directories that cannot hold a virtual HSM, or can in spite of their names. What is refused is
# refused with the reason and what to do, by hsmctl and, when asked by HSM_DEBUG, by the module.

. tests/hsm.sh
own_mounts

base=$TMPDIR/base
mkdir "$base"
# Every board below it ends with the test.
dir="$base/.*"

# refused NAME PATTERN: hsmctl and the module both say PATTERN.
refused() {
	HSM_DEVICE=$1 hsmctl list >"$out" 2>&1 && return 1
	cat "$out"
	grep -qE -e "$2" "$out" || return 1
	command -v pkcs11-tool >/dev/null || return 0
	HSM_DEBUG=1 HSM_DEVICE=$1 pkcs11-tool --module "$HSM_PKCS11_MODULE" -L >"$out" 2>&1
	cat "$out"
	grep -qE -e "hsm-pkcs11: .*$2" "$out"
}

starts() {
	says 0 " default " env HSM_DEVICE="vhsm:$1" hsmctl list
}

point "the parent is missing" refused "vhsm:$base/none/hsm" "$base/none/hsm.*make the directory above it first"
: >"$base/file"
point "a file" refused "vhsm:$base/file" "is not a directory"
point "below a file" refused "vhsm:$base/file/hsm" "Not a directory"
ln -s nowhere "$base/dangling"
point "a link to nowhere" refused "vhsm:$base/dangling" "dangling: No such file"
mkdir -m 750 "$base/group"
point "others can read it" refused "vhsm:$base/group" "chmod 700"
mkdir -m 1777 "$base/sticky"
point "anybody's directory" refused "vhsm:$base/sticky" "chmod 700"
point "one's own below anybody's" starts "$base/sticky/hsm"

mkdir -m 700 "$base/other"
if chown 1 "$base/other" 2>/dev/null; then
	point "another user's" refused "vhsm:$base/other" "must belong to the user"
else
	point "another user's # SKIP not root" true
fi

mkdir -m 700 "$base/fixed" "$base/small"
if mount -t tmpfs -o ro,mode=0700 tmpfs "$base/fixed" && mount -t tmpfs -o size=8k,mode=0700 tmpfs "$base/small"; then
	point "a read-only file system" refused "vhsm:$base/fixed" "Read-only file system"
	point "a new directory on it" refused "vhsm:$base/fixed/hsm" "cannot be created: Read-only file system"
	point "no room from the start" refused "vhsm:$base/small" "No space left on device"
	mount -o remount,size=4m "$base/small"
	point "with room it starts" starts "$base/small"
else
	point "file systems that are read-only or full # SKIP none can be mounted here" true
fi

deep=$base/$(printf 'a%.0s' $(seq 110))
mkdir -m 700 "$deep"
point "a path longer than a socket's address" starts "$deep/hsm"
point "a name longer than a device's may be" refused "vhsm:$deep/$(printf 'b%.0s' $(seq 200))" "longer than 255 bytes"
point "a blank in the name" starts "$base/with blank"
mkdir -m 700 "$base/real"
ln -s real "$base/link"
point "a link" starts "$base/link"
point "is the directory itself" [ -f "$base/real/nvm.db" ]

finish
