#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 480
#
# Processes killed in commands, unbind and bind, firmware killed and board killed, all under load in
# a guest.

if [ "${1:-}" = --host ]; then
	# What the guest asks for: scripts/vm --host
	case $3 in
	kill_firmware) pkill -9 -P "$2" ;;
	kill_board)
		# The firmware goes first: the board would start another.
		kill -STOP "$2"
		pkill -9 -P "$2"
		kill -9 "$2"
		;;
	*) exit 1 ;;
	esac
	exit
fi

. tests/vm/lib.sh

vm_driver
hsm_new life
point "the guest's program is built" vm_program load
point "the board starts" vm_board
point "its token" vm_init 1 test
point "its identity is known" vm_trust 1
vm_test --device "$(socket 1)" --smp 2 --limit 420 --host "tests/vm/lifecycle.sh --host $board" \
	sh tests/vm/guest/lifecycle
finish
