#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 700
#
# One board, three tenants: two functions in one guest, the third in another guest at the same time.

# What the guests ask for, scripts/vm --host: a guest waits until the other has come as far.
if [ "${1:-}" = --host ]; then
	case $4 in
	together)
		echo "$3" >"$2/$3.in"
		cat "$2/$3.out" >/dev/null
		;;
	*) exit 1 ;;
	esac
	exit
fi

. tests/vm/lib.sh

vm_driver
hsm_new tenants
for name in a b; do
	mkfifo "$TMPDIR/$name.in" "$TMPDIR/$name.out"
done

point "the guests' program is built" vm_program load
point "the board starts" vm_board
point "a second partition" vm_partition second 2
point "a third" vm_partition third 3
point "the first token" vm_init 1 one
point "the second" vm_init 2 two
point "the third" vm_init 3 three
point "their identities are known" vm_trust 1 2 3

# Both have come: both go on.
# shellcheck disable=SC2016	# expanded by the shell inside
timeout 380 sh -c 'for way in in out; do for name in a b; do
	if [ $way = in ]; then read -r _ <"$0/$name.in"; else echo go >"$0/$name.out"; fi || exit 1
done; done' "$TMPDIR" &
meeting=$!
scripts/vm --share "$share" --console "$console.b" --limit 640 --device "$(socket 3)" \
	--host "tests/vm/tenants.sh --host $TMPDIR b" sh tests/vm/guest/tenants three >"$vm_log.b" 2>"$vm_log.b.err" &
other=$!
vm_test --limit 640 --device "$(socket 1)" --device "$(socket 2)" \
	--host "tests/vm/tenants.sh --host $TMPDIR a" sh tests/vm/guest/tenants one two
status=0
wait "$other" || status=$?
cat "$vm_log.b.err" >&2
vm_points <"$vm_log.b" || status=1
report "$status" "the other guest came to its end"
point "the guests met" wait "$meeting"
finish
