#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# In a program with an allocator of its own, the libraries may be bound to libc's free() while libc's
# strdup() calls the program's malloc() (libhsm/heap.h): they import no function of libc that gives
# memory which the caller frees.

. tests/lint/lib.sh
need nm

# getcwd() and realpath() are given a buffer, and glob() frees by a function of its own.
gives_memory='strdup|strndup|(v?asprintf|__v?asprintf_chk)|reallocarray|getline|getdelim|open_memstream|scandir|get_current_dir_name|canonicalize_file_name|tempnam'

imports_none() {
	! nm -D --undefined-only "$HSM_BUILD/$1" | grep -wE "U ($gives_memory)(@.*)?"
}

for library in hsm-pkcs11.so libhsm.so.0; do
	point "$library imports malloc" sh -c "nm -D --undefined-only '$HSM_BUILD/$library' | grep -q 'U malloc'"
	point "$library imports no other function that gives memory" imports_none "$library"
done
finish
