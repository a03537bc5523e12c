#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# A system that forbids executable memfds, from which the firmware runs: one line says so and how to
# allow it. The setting belongs to a process namespace.

. tests/hsm.sh

# In a chroot the root is no mount, whose propagation could be changed.
namespace() {
	unshare --pid --fork --mount --propagation unchanged --mount-proc -- "$@"
}

# shellcheck disable=SC2016	# expanded by the shell inside
if ! namespace sh -c 'echo 2 >/proc/sys/vm/memfd_noexec && grep -q 2 /proc/sys/vm/memfd_noexec' 2>/dev/null; then
	echo "1..0 # SKIP vm.memfd_noexec cannot be set here (not root, or a kernel before 6.3)"
	exit 0
fi

with_setting() {
	# shellcheck disable=SC2016
	namespace sh -c 'echo "$0" >/proc/sys/vm/memfd_noexec && exec "$@"' "$@"
}

hsm_new noexec
point "forbidden: one line says so" says 3 "forbids executable memfds; set sysctl vm.memfd_noexec to 0 or 1" \
	with_setting 2 hsmctl list
point "and it is one" [ "$(wc -l <"$out")" -eq 1 ]
point "not executable unless asked for: it starts" says 0 "default" with_setting 1 hsmctl list

finish
