#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The sideband: what a management controller is told, what it may do and when, that nonsense on its socket
# harms nobody, and that no key is in the process that reads it.
# timeout: 300

. tests/fault/lib.sh

board_new
socket=$TMPDIR/bmc
echo 0 >"$TMPDIR/jumper"

# shellcheck disable=SC2120	# they come through point
start() {
	board_start --sideband "$socket" --presence "$TMPDIR/jumper" "$@"
}
bmc() {
	hsmctl --sideband "$socket" bmc "$@"
}

point "a board with a sideband" start
point "only its user gets in" [ "$(stat -c %a "$socket")" = 600 ]
point "it is claimed" claim
point "what it is" says 0 "model +Virtual HSM" bmc inventory
point "its health" says 0 "state +operational" bmc health
point "its sensors" says 0 "enclosure +0" bmc sensors
point "no such command" says 2 "inventory" bmc keys

# nonsense MESSAGE...: each message in hexadecimal is answered by a status that is not 0, or not at all.
nonsense() {
	python3 -c 'import socket, sys
for text in sys.argv[2:]:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(30)
    s.connect(sys.argv[1])
    s.send(bytes.fromhex(text))
    answer = s.recv(4096)
    print(text, answer.hex())
    # a map, key 3 (status) is not 0
    at = answer.index(b"\x03", 1)
    assert answer[at + 1] != 0, answer' "$socket" "$@"
}
point "what is no message is answered as such" nonsense ff a0 a101 a1016161 a10100 a1010b a10118ff 80 \
	a101050405 bf0101ff "$(printf "a1%074000d" 1)"
flood() {
	python3 -c 'import socket, sys, random
random.seed(7)
for i in range(300):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(sys.argv[1])
    s.send(bytes(random.randrange(256) for _ in range(random.randrange(1, 3000))))
    s.close()' "$socket"
}
point "300 messages of random bytes" flood
point "it goes on" says 0 "serial" bmc inventory

# The process that reads the socket has no file of the state, and none of the board's memory.
apart() {
	for pid in $(hsm_board); do
		grep -qx vhsm-sideband "/proc/$pid/comm" || continue
		! find "/proc/$pid/fd" -lname "$dir/*" | grep . || return 1
		# Beside its two sockets it has nothing.
		[ "$(find "/proc/$pid/fd" -lname /dev/null | wc -l)" = 3 ] || return 1
		[ "$(find "/proc/$pid/fd" -type l | wc -l)" = 5 ] || return 1
		grep -E 'Seccomp:.*2' "/proc/$pid/status" || return 1
		echo found
	done | grep found
}
point "its process has no file of the state, and is shut in" apart

point "no injection on a board that was not started for it" says 1 "refuses" bmc inject enclosure 1
point "no zeroize without somebody at the machine" says 1 "refuses" bmc zeroize --yes
point "the officer is there as before" says 0 "claimed +yes" ctl0 status
echo 1 >"$TMPDIR/jumper"
point "with somebody there" bmc zeroize --yes
echo 0 >"$TMPDIR/jumper"
rm -f "$HOME/.local/state/hsm/known-partitions"
point "the board is nobody's" until_says "claimed +no" ctl0 status
point "the board stops" hsm_stop
point "its socket is gone" [ ! -e "$socket" ]

# shellcheck disable=SC2119
not_ours() {
	echo mine >"$socket"
	! start && grep "no socket of this user" "$TMPDIR/log" && grep -x mine "$socket" && rm "$socket"
}
point "a file in the socket's place is left alone" not_ours
# shellcheck disable=SC2119
dead_socket() {
	python3 -c 'import socket, sys
socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).bind(sys.argv[1])' "$socket"
	start && bmc inventory && hsm_stop
}
point "what a killed board left there is not in the way" dead_socket
# shellcheck disable=SC2119
another_board() {
	python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind(sys.argv[1])
s.listen()
print("ready", flush=True)
sys.stdin.read()' "$socket" <"$TMPDIR/hold" >"$TMPDIR/holds" &
	exec 6>"$TMPDIR/hold"
	until [ -s "$TMPDIR/holds" ]; do :; done
	! start && grep "Address already in use" "$TMPDIR/log"
	result=$?
	exec 6>&-
	wait $!
	rm -f "$socket"
	return "$result"
}
mkfifo "$TMPDIR/hold"
point "one that somebody listens on is not taken" another_board

point "a board for tests" start --inject-sensors
point "an opened enclosure" bmc inject enclosure 1
point "is tampering" says 0 "state +tampered" bmc health
point "that is seen at the sensor" says 0 "enclosure +1 .*yes +yes" bmc sensors
point "and by drivers" until_says "tampered" ctl0 status
point "the board stops" hsm_stop
finish
