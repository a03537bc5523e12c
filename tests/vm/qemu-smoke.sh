#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# Stock QEMU with a function of a virtual HSM behind a root port, and Debian's own kernel: what the
# guest sees of configuration space, BARs and registers is what the hardware document says, rings
# work by DMA, and a function-level reset by the kernel does what it should.
# The guest's only program is tests/vm/guest.c, which compares and reports.

. tests/hsm.sh

need qemu-system-x86_64
need gcc
need cpio

kernel=$(find /boot -maxdepth 1 -name 'vmlinuz-*' | sort | tail -n 1)
[ -n "$kernel" ] || {
	echo "1..0 # SKIP no kernel in /boot"
	exit 0
}

hsm_new vm
root=$TMPDIR/root
console=$TMPDIR/console
: >"$console"

make_guest() {
	mkdir -p "$root"
	"${CC:-gcc}" -std=gnu11 -O2 -Wall -D_GNU_SOURCE -Iinclude/uapi -static -o "$root/init" tests/vm/guest.c &&
		(cd "$root" && find . | cpio --quiet -o -H newc) >"$TMPDIR/initramfs"
}

# The board is started as a guest's owner does it: no guest process may outlive this script.
start_board() {
	chmod 700 "$dir"
	mkfifo "$TMPDIR/ready"
	"${HSM_VHSM:-vhsm}" --state "$dir" --embedded --idle-exit 0 --log "$TMPDIR/board" --ready-fd 3 \
		3>"$TMPDIR/ready" &
	grep -qx ready "$TMPDIR/ready"
}

# TCG: a /dev/kvm that is there may still hang a guest.
run_guest() {
	timeout -k 5 240 qemu-system-x86_64 -nodefaults -no-user-config -no-reboot -display none \
		-accel tcg -machine q35,memory-backend=ram -smp 1 -m 256 \
		-object memory-backend-memfd,id=ram,size=256M,share=on \
		-device pcie-root-port,id=rp1,hotplug=off \
		-device "{\"driver\":\"vfio-user-pci\",\"bus\":\"rp1\",\"socket\":{\"type\":\"unix\",\"path\":\"$dir/run/fn1.sock\"}}" \
		-serial file:"$console" -kernel "$kernel" -initrd "$TMPDIR/initramfs" \
		-append "console=ttyS0 quiet panic=-1"
}

# What the guest said, as points of our own; the kernel's messages may stand before a line's own text.
guest_points() {
	tr -d '\r' <"$console" | grep -aoE '(not )?ok [0-9]+ - .*' >"$TMPDIR/points"
	while read -r line; do
		case $line in
		not*) status=1 ;;
		*) status=0 ;;
		esac
		report "$status" "guest: ${line#*ok * - }"
	done <"$TMPDIR/points"
}

# All of its points have come: it says how many.
guest_finished() {
	plan=$(tr -d '\r' <"$console" | sed -n 's/.*1\.\.\([0-9]*\)$/\1/p' | tail -n 1)
	[ -n "$plan" ] && [ "$plan" -eq "$(wc -l <"$TMPDIR/points")" ]
}

still_serves() {
	HSM_DEVICE=vfio-user:$dir/run/fn1.sock hsmctl status
}

point "the guest's program is built" make_guest
point "the board starts" start_board
point "the guest runs and powers off" run_guest
guest_points
point "the guest came to its end" guest_finished
point "the function serves others afterwards" still_serves
cat "$console" "$TMPDIR/board" >&2
finish
