#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# What `make install` put somewhere works from there: the programs find each other and the firmware,
# wherever the whole was moved to, and another program can be built with the headers and the
# library.

. tests/hsm.sh
need pkcs11-tool

top=$TMPDIR/top
to=$top/usr/local

# The make that runs this test is none of this one's business.
install_there() {
	env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u PREFIX make install DESTDIR="$top"
}

point "make install" install_there

unset HSM_VHSM HSM_PKCS11_MODULE
PATH=$to/bin:$PATH
module=$to/lib/pkcs11/hsm-pkcs11.so
hsm_new installed

installed_board() {
	readlink "/proc/$(hsm_board)/exe" | grep -x "$to/bin/vhsm"
}

point "hsmctl starts a board" says 0 "default" hsmctl list
point "which is the installed one" installed_board
point "it stops" hsm_stop
point "the module starts one" says 0 "uninitialized" pkcs11-tool --module "$module" -L
point "which is the installed one" installed_board

named_module() {
	name=$(sed -n 's/^module: //p' "$to/share/p11-kit/modules/hsm.module")
	echo "$name" && cmp "$top$name" "$module"
}

point "p11-kit is told where the module is" named_module

build_program() {
	cat >"$TMPDIR/program.c" <<-EOF
		#include <hsm/hsm.h>
		#include <stdio.h>
		int main(void)
		{
			struct hsm_device_info info;
			struct hsm_device *device;
			struct hsm_error error = { 0 };

			if (hsm_open(NULL, 0, &device, &error) || hsm_device_info(device, &info, &error))
				return puts(error.text), 1;
			puts(info.model);
			hsm_close(device);
			return 0;
		}
	EOF
	flags=$(PKG_CONFIG_PATH=$to/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$top pkg-config --cflags --libs libhsm) || return 1
	echo "$flags"
	# shellcheck disable=SC2086	# a list of words
	gcc -o "$TMPDIR/program" "$TMPDIR/program.c" $flags
}

point "a program is built with headers and library" build_program
point "and runs" says 0 "Virtual HSM" env LD_LIBRARY_PATH="$to/lib" "$TMPDIR/program"

if command -v rst2man >/dev/null; then
	point "manual pages" test -s "$to/share/man/man1/hsmctl.1" -a -s "$to/share/man/man5/hsm.conf.5"
else
	point "manual pages # SKIP rst2man is not installed" true
fi

finish
