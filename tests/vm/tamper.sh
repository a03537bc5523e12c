#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 400
#
# A sensor of the board leaves its limits while a guest watches: the event by poll(), the uevent, hwmon's
# alarm, and the state of the device, from outside to inside.

if [ "${1:-}" = --host ]; then
	# What the guest asks for: scripts/vm --host
	echo "$3" >"$2"
	exit 0
fi

. tests/vm/lib.sh

vm_driver
hsm_new tamper
temperature=$TMPDIR/temperature
echo 35000 >"$temperature"
point "the board starts" vm_board --sensor "temperature=$temperature" --limits temperature=0:60000
vm_test --device "$(socket 0)" --device "$(socket 1)" --limit 300 \
	--host "tests/vm/tamper.sh --host $temperature" python3 tests/vm/guest/tamper.py
finish
