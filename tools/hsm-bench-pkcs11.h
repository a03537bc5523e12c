/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hsm-bench: what its PKCS#11 target and the runs on many objects share.
 */
#ifndef HSM_BENCH_PKCS11_H
#define HSM_BENCH_PKCS11_H

#include <stdbool.h>
#include <stddef.h>
#include <hsm/pkcs11.h>

/* objects_create_data - a private token data object of some bytes */
CK_RV objects_create_data(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session,
			  CK_OBJECT_HANDLE *object);

/**
 * objects_fill - see to it that the token has this many keys, numbered from 0
 * @size: how many; those that are there already are left alone
 */
CK_RV objects_fill(CK_FUNCTION_LIST *p11, CK_SLOT_ID slot, size_t size);

/* objects_find - search for the key with this number; @count: 1 when it is there */
CK_RV objects_find(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session, size_t number, bool by_id,
		   CK_ULONG *count);

#endif /* HSM_BENCH_PKCS11_H */
