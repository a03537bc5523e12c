# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# For tests whose programs run in a guest: a board with partitions here, scripts/vm with its
# functions, and the guest's TAP points as points of the test. Sourced from the top of the tree.

. tests/hsm.sh

for program in qemu-system-x86_64 busybox cpio modprobe; do
	need "$program"
done

share=$TMPDIR/share
console=$TMPDIR/console
vm_log=$TMPDIR/vm.log
board=
mkdir -p "$share"

vm_kernel=$(find /boot -maxdepth 1 -name 'vmlinuz-*' | sort -V | tail -n 1)
[ -n "$vm_kernel" ] || {
	echo "1..0 # SKIP no kernel in /boot"
	exit 0
}

# vm_driver: the test is of no use without ihsm.ko for the guest's kernel.
vm_driver() {
	[ -n "$(scripts/vm --print-module)" ] || {
		echo "1..0 # SKIP no ihsm.ko for ${vm_kernel##*/}: make kernel"
		exit 0
	}
}

# vm_board [OPTION...]: a board on the directory of hsm_new, which ends with this script.
vm_board() {
	chmod 700 "$dir"
	rm -f "$TMPDIR/ready"
	mkfifo "$TMPDIR/ready"
	"${HSM_VHSM:-vhsm}" --state "$dir" --embedded --idle-exit 0 --log "$TMPDIR/board" --ready-fd 3 "$@" \
		3>"$TMPDIR/ready" &
	# shellcheck disable=SC2034	# for the tests
	board=$!
	grep -qx ready "$TMPDIR/ready"
}

# socket N: of function N
socket() {
	echo "$dir/run/fn$1.sock"
}

# vm_partition NAME N: one more, for function N; pkcs11-tool wants keys for all uses.
vm_partition() {
	hsmctl partition create "$1" --function "$2" --profile compatible
}

# vm_init N LABEL: the token of function N is made from here; PINs as hsm_new made them.
vm_init() {
	HSM_DEVICE=vfio-user:$(socket "$1") hsmctl partition init --label "$2" --pin-file "$TMPDIR/so" \
		--new-pin-file "$TMPDIR/user" --yes
}

# vm_trust N...: hsm.conf of guests, with the identities of these functions' partitions.
vm_trust() {
	for n; do
		hsmctl -d "vfio-user:$(socket "$n")" identity || return 1
	done >"$share/hsm.conf"
	cp "$TMPDIR/user" "$TMPDIR/so" "$share/"
	[ -s "$share/hsm.conf" ]
}

# vm OPTION... CMD...: a guest, to its end; what it says comes on standard output.
vm() {
	scripts/vm --share "$share" --console "$console" "$@"
}

# Points of a guest, from standard input; all of them came when as many as its plan says.
vm_points() {
	came=0
	plan=none
	while IFS= read -r line; do
		case $line in
		"ok "*) report 0 "guest: ${line#ok * - }" ;;
		"not ok "*) report 1 "guest: ${line#not ok * - }" ;;
		1..*) plan=${line#1..}; continue ;;
		*) echo "$line" >&2; continue ;;
		esac
		came=$((came + 1))
	done
	[ "$came" = "$plan" ]
}

# vm_test OPTION... CMD...: a guest whose output is TAP, its points, and one for its end.
vm_test() {
	vm_status=0
	vm "$@" >"$vm_log" || vm_status=$?
	vm_points <"$vm_log" || vm_status=1
	report "$vm_status" "the guest came to its end"
	tail -n 80 "$console" >&2
	vm_clean_log
}

# Of a kernel with instruments also what those say
vm_complaints='BUG:|WARNING:|Oops|KASAN|UBSAN|refcount_t|general protection|blocked for more than|hung task'
vm_complaints="$vm_complaints|possible (circular|recursive)|inconsistent lock|suspicious RCU|DMA-API:|ODEBUG:|kmemleak: [0-9]"
vm_complaints="$vm_complaints|sleeping function|(list_add|list_del) corruption"

# What a kernel must not have said, whatever the tests found. That it got no processor for a while is not
# its own fault.
vm_clean_log() {
	! grep -aE "$vm_complaints" "$console" | grep -avE 'KernelAddressSanitizer initialized|remove_proc_entry' >&2
	report $? "the guest's kernel complained of nothing"
}

# vm_program NAME: tests/vm/NAME.c for the guest, which finds it in its share
vm_program() {
	# shellcheck disable=SC2046	# flags are words
	"${CC:-gcc}" -std=gnu11 -O2 -Wall -Wextra -D_GNU_SOURCE -Iinclude -Iinclude/uapi \
		$(pkg-config --cflags p11-kit-1) -o "$share/$1" "tests/vm/$1.c" -ldl -luring
}

# vm_middle NAME N [OPTION...]: capture.py before function N, at $TMPDIR/NAME.sock; its process is
# $middle, what it says comes by $TMPDIR/NAME.says
vm_middle() {
	vm_name=$1
	vm_function=$2
	shift 2
	mkfifo "$TMPDIR/$vm_name.says"
	python3 tests/vm/capture.py "$@" "$TMPDIR/$vm_name.sock" "$(socket "$vm_function")" "$TMPDIR/$vm_name.capture" \
		>"$TMPDIR/$vm_name.says" &
	# shellcheck disable=SC2034	# for the tests
	middle=$!
	vm_middles="${vm_middles:-} $!"
	head -n 1 "$TMPDIR/$vm_name.says" | grep -qx ready
}

vm_end_middles() {
	# shellcheck disable=SC2086	# a list of numbers
	[ -z "${vm_middles:-}" ] || kill $vm_middles
}
