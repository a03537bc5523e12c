#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 240
#
# The bindings of libhsm: the header for C++, and Python's module with its types.

. tests/hsm.sh
need g++

# What is missing in a program's points is one that failed.
points_of() {
	"$@" >"$TMPDIR/points"
	status=$?
	while IFS= read -r line; do
		case $line in
		"ok "*) report 0 "${line#ok * - }" ;;
		"not ok "*) report 1 "${line#not ok * - }" ;;
		*) echo "$line" >&2 ;;
		esac
	done <"$TMPDIR/points"
	report "$status" "$1: to its end"
}

build() {
	mkdir -p "$TMPDIR/include/hsm" && cp bindings/cpp/hsm.hpp "$TMPDIR/include/hsm" &&
		g++ "$1" -Wall -Wextra -Werror -Iinclude -Iinclude/uapi -I"$TMPDIR/include" -o "$TMPDIR/binding" \
			tests/tools/binding.cc "$HSM_BUILD/libhsm.so.0" -Wl,-rpath,"$HSM_BUILD"
}

# Sizes and offsets of the structures that the module has a copy of
layouts() {
	python3 - >"$TMPDIR/layouts.c" <<-EOF2
		import sys
		sys.path.insert(0, "bindings/python")
		import integrated_hsm as hsm
		kinds = {"hsm_error": hsm._Error, "hsm_device_info": hsm._DeviceInfo, "hsm_partition_info": hsm._Partition,
		         "hsm_field": hsm._Field, "hsm_fields": hsm._Fields, "hsm_attest_request": hsm._Attest}
		print("#include <stdio.h>\n#include <hsm/hsm.h>\nint main(void)\n{")
		for name, kind in kinds.items():
		    print(f'\tprintf("{name} %zu\\\\n", sizeof(struct {name}));')
		    for member, *_ in kind._fields_:
		        print(f'\tprintf("{name}.{member} %zu\\\\n", offsetof(struct {name}, {member}));')
		for member, *_ in hsm._Operation._fields_:
		    print(f'\tprintf("hsm_operation_info.{member} %zu\\\\n", offsetof(struct hsm_operation_info, {member}));')
		print("\treturn 0;\n}")
	EOF2
	gcc -Iinclude -Iinclude/uapi -o "$TMPDIR/layouts" "$TMPDIR/layouts.c" && "$TMPDIR/layouts" >"$TMPDIR/layouts.txt" &&
		[ "$(wc -l <"$TMPDIR/layouts.txt")" -gt 40 ]
}

hsm_new bindings
PYTHONPATH=bindings/python PYTHONDONTWRITEBYTECODE=1 HSM_LIBRARY=$HSM_BUILD/libhsm.so.0
export PYTHONPATH PYTHONDONTWRITEBYTECODE HSM_LIBRARY

point "C++20 takes the header" build -std=c++20
point "and C++17" build -std=c++17
points_of "$TMPDIR/binding"
point "layouts of structures" layouts
points_of python3 tests/tools/binding.py "$TMPDIR/layouts.txt"
if command -v mypy >/dev/null; then
	point "types: mypy --strict" mypy --strict --no-error-summary --cache-dir="$TMPDIR/mypy" \
		bindings/python/integrated_hsm tests/tools/binding.py
else
	point "types # SKIP mypy is not installed" true
fi
finish
