#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# The worked example of howto/guest-binding.rst, with a stand-in for configfs-tsm: evidence goes into the
# report of a guest, and what does not belong together is refused.

. tests/hsm.sh

script=$PWD/scripts/guest-binding
standin=$PWD/tests/interop/tsm-standin.py
cose=$PWD/tests/interop/cose.py
cd "$TMPDIR" || exit 1
export HSM_DEVICE="vhsm:$TMPDIR/hsm" TSM="$TMPDIR/tsm" TSM_ENTRY=guest
NONCE=00112233445566778899aabbccddeeff OTHER=ff112233445566778899aabbccddeeff

mkdir -p tsm/guest first second
echo 0 >tsm/guest/generation
mkfifo tsm/guest/inblob tsm/guest/outblob
for name in tee other-tee guest other-guest; do
	openssl ecparam -name secp384r1 -genkey -noout -out $name.key
	openssl pkey -in $name.key -pubout -out $name.pub
done
python3 "$standin" serve tsm/guest tee.key &
server=$!
trap 'kill "$server"' EXIT

check() {
	nonce=$1 key=$2 dir=$3 tee=$4
	"$script" check "$nonce" "$key" "$dir" "python3 $standin check $tee" --root roots.pem
}

refused() {
	! check "$@"
}

# The report of one collection beside the evidence of another
mixed() {
	mkdir mixed && cp first/partition.ev mixed/ && cp second/report mixed/ && refused "$NONCE" guest.pub mixed tee.pub
}

changed_report() {
	mkdir changed && cp first/* changed/ &&
		python3 -c 'data = bytearray(open("changed/report", "rb").read()); data[50] ^= 1; open("changed/report", "wb").write(data)' &&
		refused "$NONCE" guest.pub changed tee.pub
}

# The generation that follows is not the next one: somebody else has written in between.
disturbed() {
	mkdir third && echo 7 >tsm/guest/generation && ! "$script" collect "$NONCE" guest.pub third
}

point "a guest collects evidence and report" "$script" collect "$NONCE" guest.pub first
point "the board's certificates" python3 "$cose" roots first/partition.ev roots.pem
point "guest, key and partition belong together" check "$NONCE" guest.pub first tee.pub
point "a second time" "$script" collect "$NONCE" guest.pub second
point "another challenge" refused "$OTHER" guest.pub first tee.pub
point "another guest's key" refused "$NONCE" other-guest.pub first tee.pub
point "a report of another processor" refused "$NONCE" guest.pub first other-tee.pub
point "evidence beside the report of other evidence" mixed
point "a report with one bit changed" changed_report
point "an entry that somebody else uses" disturbed
finish
