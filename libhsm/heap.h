/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of strings and arrays on the heap, without those functions of libc that allocate on their
 * own account.
 *
 * A program that brings an allocator of its own (BIND does, jemalloc) may load the PKCS#11 module
 * with RTLD_DEEPBIND (pkcs11-provider does). Then malloc() and free() called from here are libc's, but
 * the malloc() inside of libc's strdup() is the program's, and one cannot free what the other
 * gave. tests/pkcs11/allocator.sh looks that the libraries import no such function.
 */
#ifndef LIBHSM_HEAP_H
#define LIBHSM_HEAP_H

#include <stdlib.h>
#include <string.h>

static inline char *heap_copy(const char *text, size_t length)
{
	char *copy = malloc(length + 1);

	if (!copy)
		return NULL;
	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

static inline char *heap_string(const char *text)
{
	return heap_copy(text, strlen(text));
}

static inline void *heap_array(void *array, size_t count, size_t size)
{
	size_t bytes;

	return __builtin_mul_overflow(count, size, &bytes) ? NULL : realloc(array, bytes);
}

#endif
