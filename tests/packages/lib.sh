# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# For tests of Debian's packages: makes them where they are not there yet, and a scratch system to
# install them in, this one's files with a layer in memory above them. Sourced from the top of the tree.

. tests/hsm.sh
. tests/packages/scratch.sh

need dpkg-buildpackage
need dh

top=$PWD
debs=$top/build/deb

# made: the packages are those of this tree. Whoever tests them waits for whoever builds them.
made() {
	scripts/deb "$HSM_BUILD"
}

# scratch_root: the scratch system, with the tree in it
scratch_root() {
	need dpkg
	scratch_layer
	for place in proc sys dev; do
		mount --rbind "/$place" "$scratch/$place"
	done
	mkdir -p "$scratch$top" "$scratch/tmp/home"
	mount --bind "$top" "$scratch$top"
}

# inside CMD...: in the scratch system, by somebody who has just logged in
inside() {
	# shellcheck disable=SC2016,SC2086	# expanded inside; a list of words
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp/home TMPDIR=/tmp LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
		${SCRATCH_ENV:-} chroot "$scratch" /bin/sh -c 'cd "$0" && exec "$@"' "$top" "$@"
}

# packages NAME...: the files of these packages
packages() {
	for name; do
		ls "$debs/${name}"_[0-9]*.deb
	done
}

# install_packages NAME...
install_packages() {
	# shellcheck disable=SC2046	# names of ours hold no blanks
	inside dpkg --install $(packages "$@")
}

# stop_board: those of the scratch system end in good order; there has to be one.
stop_board() {
	pids=$(for pid in $(pgrep -x vhsm); do
		[ "$(readlink "/proc/$pid/root")" != "$scratch" ] || echo "$pid"
	done)
	for pid in $pids; do
		kill "$pid" && gone "$pid" || return 1
	done
	[ -n "$pids" ]
}

# Every file of the scratch system itself, but for what dpkg and its triggers write about any package
scratch_files() {
	(cd "$scratch" && find . -xdev \( -path ./var/lib/dpkg -o -path ./var/log -o -path ./var/cache -o -path ./root \
		-o -path "./${top#/}" -o -path './etc/*-' \) -prune -o -print) | LC_ALL=C sort
}
