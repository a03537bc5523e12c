#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Programs that were built with the library as tests/abi/ has it go on with the one of this tree.

. tests/lint/lib.sh

need abidiff
library=$HSM_BUILD/libhsm.so.0
[ -f "$library" ] || { echo "1..0 # SKIP the library is not built"; exit 0; }

same() {
	scripts/abi "$HSM_BUILD" || { echo "scripts/abi BUILD --update writes it down, if that is meant"; return 1; }
}

# The same library less one call
broken() {
	mkdir -p "$TMPDIR/build"
	sed -e "s/hsm_close;/hsm_closed;/" libhsm/libhsm.map >"$TMPDIR/map"
	objects=$(find "$HSM_BUILD/obj/libhsm" -name '*.o')
	# shellcheck disable=SC2086	# lists of words
	gcc -shared -o "$TMPDIR/build/libhsm.so.0" -Wl,-soname,libhsm.so.0 -Wl,--version-script="$TMPDIR/map" $objects \
		"$HSM_BUILD/obj/common/codec.o" "$HSM_BUILD/obj/common/operations.o" &&
		! scripts/abi "$TMPDIR/build"
}

point "programs go on as they are" same
point "a call that went would be seen" broken
finish
