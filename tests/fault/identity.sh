#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# A device that is not the one it was: the identity is pinned on first use or named in hsm.conf, and
# another one is refused before any PIN is sent.

. tests/hsm.sh

export XDG_STATE_HOME="$TMPDIR/state" HSM_CONF="$TMPDIR/hsm.conf"
pins=$XDG_STATE_HOME/hsm/known-partitions
: >"$HSM_CONF"

hsm_new identity
point "the token is initialized" hsm_init
id=$(hsmctl list --json | sed -n 's/.*"id": *"\(.*\)".*/\1/p')

login() {
	hsmctl pin set --pin-file "$TMPDIR/user" --new-pin-file "$TMPDIR/user"
}

tries() {
	hsmctl info --json | sed -n 's/.*"user_pin": *"\(.*\)".*/\1/p'
}

point "its identity is remembered" grep "^$id sha256:" "$pins"
right=$(sed -n "s/^$id //p" "$pins")
wrong=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef

cp "$pins" "$TMPDIR/pins"
sed -i "s/^$id .*/$id $wrong/" "$pins"
point "another identity than before" says 4 "$id has another identity than before.*known-partitions" login
no_token() {
	p11 -L >"$out" 2>&1
	cat "$out"
	! grep -q "token label" "$out"
}
point "pkcs11-tool does not use it" no_token
cp "$TMPDIR/pins" "$pins"
point "the old identity again" says 0 "" login
point "no PIN was tried in between" [ "$(tries)" = set ]

echo "pin = $id $wrong" >"$HSM_CONF"
point "another identity than hsm.conf says" says 4 "another identity than .*hsm.conf says" login
echo "pin = $id $right" >"$HSM_CONF"
rm "$pins"
point "the one that it says" says 0 "" login
# Each partition has a pin of its own: this one did not need to be remembered.
not_remembered() {
	! grep "^$id" "$pins"
}
point "is not remembered besides" not_remembered
: >"$HSM_CONF"

# --- nowhere to remember ---

# A file, or nothing, where a directory is wanted; as root nothing is ever forbidden.
nowhere() {
	XDG_STATE_HOME=$1 login
}
touch "$TMPDIR/file"
point "no place to remember in" says 0 "" nowhere "$TMPDIR/file"
point "nor one that could be made" says 0 "" nowhere /proc/nowhere
point "nothing came of it" [ ! -s "$TMPDIR/file" ]
mkdir -p "$XDG_STATE_HOME/hsm"
echo "$id $wrong" >"$pins"
point "what is there to be read counts" says 4 "another identity than before" login
rm "$pins" && mkdir "$pins"
point "what fails is no place that is not there" says 4 "cannot remember the identity" login
rmdir "$pins"

# --- a socket of somebody else ---

if [ "$(id -u)" -ne 0 ]; then
	echo "ok $((points += 1)) - somebody else's socket # SKIP needs root"
	finish
fi

# Another user reaches neither the tree, where it lies in a home, nor our directory: copies for him.
mkdir "$TMPDIR/bin"
cp "$(command -v hsmctl)" "$(dirname "$(command -v hsmctl)")/libhsm.so.0" "$TMPDIR/bin/"
chmod -R a+rX "$TMPDIR/bin"

other() {
	(unset XDG_STATE_HOME; PATH="$TMPDIR/bin:$PATH"; HOME=/nonexistent setpriv --reuid 65534 --regid 65534 --clear-groups "$@")
}

hsm_stop
chmod 711 "$TMPDIR" "$(dirname "$TMPDIR")" "$dir"
mkfifo "$TMPDIR/ready"
vhsm --state "$TMPDIR/board" --run "$dir/run" --mode 0666 --log "$TMPDIR/log" --ready-fd 3 3>"$TMPDIR/ready" &
board=$!
read -r answer <"$TMPDIR/ready"
chmod 711 "$dir/run"
point "a board for others" [ "$answer" = ready ]
chmod 644 "$HSM_CONF"
point "is not believed without being named" says 4 "hsm.conf" other hsmctl -d "vfio-user:$dir/run/fn1.sock" status
kill "$board" && wait "$board"
finish
