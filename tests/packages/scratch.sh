# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# A scratch system: this one's files, with a layer in memory above them that takes all changes. Sourced from
# the top of the tree.

scratch=$TMPDIR/scratch

# scratch_layer: only root can have one; in a mount namespace of its own, with which it goes.
scratch_layer() {
	if [ "$(id -u)" -ne 0 ] || awk '$3 >= 65536 { exit 1 }' /proc/self/uid_map; then
		echo "1..0 # SKIP only root can have a scratch system"
		exit 0
	fi
	if [ -z "${SCRATCH_MOUNTS:-}" ]; then
		export SCRATCH_MOUNTS=1
		# In a chroot the root is no mount, whose propagation could be changed.
		exec unshare --mount --propagation unchanged -- "$0"
	fi
	upper=$TMPDIR/upper
	mkdir "$upper" "$scratch"
	mount -t tmpfs -o mode=0755 tmpfs "$upper"
	mkdir -m 755 "$upper/files" "$upper/work"
	if ! mount -t overlay -o "lowerdir=/,upperdir=$upper/files,workdir=$upper/work" overlay "$scratch"; then
		echo "1..0 # SKIP no overlay file system here"
		exit 0
	fi
	for place in tmp run; do
		mount -t tmpfs -o mode=1777 tmpfs "$scratch/$place"
	done
}
