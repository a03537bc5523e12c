#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Firmware processes that die or hang: the board starts successors, one function's trouble is not
# another's, and the board ends when it is told to.

. tests/fault/lib.sh

# The firmware of the function that was started last.
firmware() {
	pgrep -n -P "$(hsm_board)"
}

kill_firmware() {
	old=$(firmware) && kill "-$1" "$old" && gone "$old"
}

hsm_new firmware
point "the token is initialized" hsm_init
point "a key pair" p11 --token-label test --pin env:PIN --keypairgen --key-type EC:prime256v1 --id 01 --label key

board=$(hsm_board)
for signal in KILL SEGV ABRT; do
	point "the firmware ends by SIG$signal" kill_firmware "$signal"
	point "the next client is served" works
done
same_board() {
	[ "$(hsm_board)" = "$board" ]
}
point "by the same board" same_board
point "the log tells how it ended" grep "the firmware ended: signal 9" "$dir/vhsm.log"

# --- with a client in the middle of its work ---

point "a client is at work" busy 2
point "the firmware dies under it" kill_firmware KILL
point "another client is served" works
ends() {
	# With its work done or refused, as long as it does not wait for ever.
	gone "$client" && cat "$TMPDIR/bench"
}
point "the first one comes to its end" ends
dropped() {
	tries=0
	until [ "$(connections)" -eq 0 ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 5000 ] || return 1
	done
}
point "nothing of either is kept" dropped

# --- hanging ---

stopped=$(firmware)
point "the firmware hangs" kill -STOP "$stopped"
point "function 0 is served all the same" says 0 "embedded" hsmctl status
point "the board ends when told" hsm_stop
point "and nothing of it stays" gone "$stopped"
point "all is there" works

finish
