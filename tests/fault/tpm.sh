#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Fuses in a TPM: an old copy of the state directory is refused also when all of it was put back, the
# authorization is needed, and starting anew takes the indexes with it.
# timeout: 300

. tests/fault/lib.sh

need swtpm
mkdir "$TMPDIR/tpm"
swtpm socket --tpm2 --tpmstate "dir=$TMPDIR/tpm" --server "type=unixio,path=$TMPDIR/tpm.sock" \
	--ctrl "type=unixio,path=$TMPDIR/tpm.sock.ctrl" --flags not-need-init,startup-clear 2>"$TMPDIR/tpm.log" &
tpm=$!
trap 'kill "$tpm" 2>/dev/null; clean_up' EXIT
end=$(($(date +%s) + 30))
while [ ! -S "$TMPDIR/tpm.sock" ] && [ "$(date +%s)" -lt "$end" ]; do
	:
done

board_new
fuses_at=tpm:swtpm:path=$TMPDIR/tpm.sock
start() {
	board_start "$@" && return 0
	case $line in
	*"without libtss2"*)
		echo "1..0 # SKIP built without libtss2"
		exit 0
		;;
	esac
	return 1
}
board() {
	timeout 60 vhsm --state "$dir" --fuses "$fuses_at" "$@"
}

point "a name that is none" says 1 "an index from" vhsm --state "$dir" --fuses "tpm:x,index=7"
point "no TPM" says 1 "no TPM" vhsm --state "$dir" --fuses "tpm:swtpm:path=$TMPDIR/none"
point "a board with its fuses in a TPM" start
point "the authorization is private" [ "$(stat -c %a "$dir/tpm-auth")" = 600 ]
point "the state has no fuses" [ ! -e "$dir/fuses" ]
point "it is claimed" ctl0 claim --code-file "$dir/claim-code" --new-pin-file "$TMPDIR/officer"
point "old copies and the secret are provided against" says 0 "rollback_protection +fuses" ctl0 status
protected() {
	grep -E "fuse_secret +protected" "$out"
}
point "so it says" protected
point "a partition" ctl0 partition create one --function 1 --pin-file "$TMPDIR/officer"
point "the board stops" hsm_stop
rm -rf "$TMPDIR/kept" && cp -a "$dir" "$TMPDIR/kept"
point "it starts" start
point "it knows its officer" ctl0 partition create two --function 1 --pin-file "$TMPDIR/officer"
point "the board stops" hsm_stop
put_back() {
	rm -rf "$dir" && cp -a "$TMPDIR/kept" "$dir"
}
point "the whole directory of before is put back" put_back
point "it is refused" says 4 "an old copy was put back" board
point "officers can accept it" start --recover
point "they do" ctl0 device recover --pin-file "$TMPDIR/officer" --yes
point "the board stops" hsm_stop
point "it starts as it is" start
point "and stops" hsm_stop

cp "$dir/tpm-auth" "$TMPDIR/auth" && head -c 32 /dev/zero >"$dir/tpm-auth"
point "another authorization" says 1 "is not that of these fuses" board
cp "$TMPDIR/auth" "$dir/tpm-auth"
chmod 644 "$dir/tpm-auth"
point "one that others can read" says 1 "chmod 600" board
chmod 600 "$dir/tpm-auth"
point "the right one" start
point "the board stops" hsm_stop
rm -rf "$dir" && mkdir -m 700 "$dir"
point "without the directory nobody reads the TPM" says 1 "tpm-auth" board
point "all begins anew" board --zeroize
point "it starts" start
point "as nobody's" says 0 "claimed +no" ctl0 status
point "the board stops" hsm_stop

# undefine INDEX: as the TPM's owner may do who does not have the authorization
undefine() {
	python3 -c 'import socket, struct, sys
tpm = socket.socket(socket.AF_UNIX)
tpm.settimeout(60)
tpm.connect(sys.argv[1])
# TPM2_NV_UndefineSpace, authorized by the owner with an empty password
tpm.send(struct.pack(">HIIIIIIHBH", 0x8002, 31, 0x122, 0x40000001, int(sys.argv[2], 0), 9, 0x40000009, 0, 1, 0))
code = struct.unpack(">HII", tpm.recv(4096)[:10])[2]
assert code == 0, hex(code)' "$TMPDIR/tpm.sock" "$1"
}
point "one of the two indexes is removed" undefine 0x01804949
point "the other one alone is not believed" says 4 "index 0x1804949 is missing" board
point "all begins anew" board --zeroize
point "it starts" start
point "and stops" hsm_stop
finish
