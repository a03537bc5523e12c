#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 1500
#
# Debian's packages, in a scratch system: the quick start of howto/install.rst works with nothing but
# them, p11-kit lists the token, a program is built with the library, and what was installed goes again.

. tests/packages/lib.sh

scratch_root
all="libhsm0 libhsm-dev hsm-pkcs11 hsm-tools vhsm python3-integrated-hsm"
device=vhsm:/tmp/home/.hsm

# In a shell of its own, with the functions of the how-to's tests
quick_start() {
	inside sh tests/packages/quick-start >"$TMPDIR/start"
	status=$?
	cat "$TMPDIR/start"
	return "$status"
}

# As few commands as were promised
few_commands() {
	count=$(grep -c '^ok .*install: ' "$TMPDIR/start")
	echo "$count commands"
	[ "$count" -le 5 ]
}

listed() {
	SCRATCH_ENV=HSM_DEVICE=$device says 0 'token: first' inside p11-kit list-modules &&
		SCRATCH_ENV=HSM_DEVICE=$device says 0 'token=first' inside p11tool --list-token-urls
}

own_paths() {
	# shellcheck disable=SC2086	# words
	inside dpkg -L $all >"$out"
	grep -E '^/(usr/local|opt|home|lib|bin|sbin)/' "$out" && return 1
	inside ldd /usr/bin/hsmctl | grep 'libhsm.so.0 => /usr/lib\|libhsm.so.0 => /lib'
}

build_program() {
	cat >"$scratch/tmp/program.c" <<-EOF2
		#include <hsm/hsm.h>
		#include <hsm/mechanisms.h>
		#include <stdio.h>
		int main(void)
		{
			struct hsm_error error = { 0 };
			struct hsm_device *device;

			if (hsm_open(NULL, 0, &device, &error))
				return puts(error.text), 1;
			hsm_close(device);
			return puts(hsm_library_version()) < 0;
		}
	EOF2
	# shellcheck disable=SC2016	# expanded inside
	inside sh -c 'gcc -Wall -Werror -o /tmp/program /tmp/program.c $(pkg-config --cflags --libs libhsm)' &&
		SCRATCH_ENV=HSM_DEVICE=$device says 0 "$(cat VERSION)" inside /tmp/program
}

build_cpp() {
	# shellcheck disable=SC2016	# expanded inside
	inside sh -c 'g++ -Wall -Werror -o /tmp/binding tests/tools/binding.cc $(pkg-config --cflags --libs libhsm)' &&
		SCRATCH_ENV=HSM_DEVICE=$device says 0 "^ok 7" inside /tmp/binding
}

# The module where Python looks by itself, with the library where the loader does
python_binding() {
	cat >"$scratch/tmp/program.py" <<-EOF2
		import integrated_hsm
		assert integrated_hsm.__file__.startswith("/usr/lib/python3/dist-packages/"), integrated_hsm.__file__
		assert integrated_hsm.__cached__ and __import__("os").path.exists(integrated_hsm.__cached__)
		with integrated_hsm.Device() as device, device.connect(device.partitions()[0]) as channel:
		    session = channel.call("SESSION_OPEN", flags=4).session
		    print(len(channel.call("RANDOM", session=session, length=16)["DATA"]), integrated_hsm.library_version())
	EOF2
	SCRATCH_ENV="HSM_DEVICE=$device PYTHONDONTWRITEBYTECODE=1" says 0 "^16 $(cat VERSION)" inside python3 /tmp/program.py
}

# The same without the library at run time
build_static() {
	# shellcheck disable=SC2016	# expanded inside
	inside sh -c 'gcc -o /tmp/static $(pkg-config --cflags libhsm) /tmp/program.c -Wl,-Bstatic -lhsm -Wl,-Bdynamic -lssl -lcrypto -luring -lpthread' &&
		! inside ldd /tmp/static | grep libhsm &&
		SCRATCH_ENV=HSM_DEVICE=$device says 0 "$(cat VERSION)" inside /tmp/static
}

manuals() {
	for page in hsmctl.1 hsm-verify.1 hsm-bench.1 hsm-fw-sign.1 vhsm.1 vhsm-run.1 hsm.conf.5 libhsm.3 hsm_open.3; do
		inside dpkg -S "/usr/share/man/man${page##*.}/$page.gz" || return 1
	done
}

# Every difference is shown.
nothing_left() {
	scratch_files >"$TMPDIR/after"
	diff "$TMPDIR/before" "$TMPDIR/after"
}

changed_conf() {
	echo "# mine" >>"$scratch/etc/hsm/hsm.conf"
	# shellcheck disable=SC2086	# words
	inside dpkg --remove $all && grep -x "# mine" "$scratch/etc/hsm/hsm.conf"
}

point "the packages are made" made
scratch_files >"$TMPDIR/before"
# shellcheck disable=SC2086	# words
point "they are installed" install_packages $all
point "everything is where packages have it" own_paths
point "the quick start" quick_start
point "has five commands at most" few_commands
point "p11-kit and GnuTLS find the token" listed
point "a program is built with the library" build_program
point "also in C++" build_cpp
point "and with the static one" build_static
point "Python has the binding" python_binding
point "the manual pages are there" manuals
point "the board stops" stop_board
point "removal leaves a configuration that was changed" changed_conf
# shellcheck disable=SC2086	# words
point "purge" inside dpkg --purge $all
point "leaves nothing" nothing_left
finish
