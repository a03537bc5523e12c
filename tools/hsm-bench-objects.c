// SPDX-License-Identifier: Apache-2.0
/*
 * hsm-bench on many token objects of a PKCS#11 module: creating small ones, each durable, and finding one among
 * many by its label or id. The many stay on the token, so that the next run has them; four threads make them.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "hsm-bench-pkcs11.h"

#define FILLERS	   4U
#define VALUE_SIZE 32

static CK_BBOOL yes = CK_TRUE;

/* Labels and ids are alike. */
static CK_ULONG name_of(char name[32], size_t number)
{
	return (CK_ULONG)snprintf(name, 32, "hsm-bench-%zu", number);
}

CK_RV objects_create_data(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session,
			  CK_OBJECT_HANDLE *object)
{
	static CK_OBJECT_CLASS class = CKO_DATA;
	unsigned char value[VALUE_SIZE] = { 0 };
	char label[] = "hsm-bench-data";
	CK_ATTRIBUTE template[] = {
		{ CKA_CLASS, &class, sizeof(class) }, { CKA_TOKEN, &yes, sizeof(yes) },
		{ CKA_PRIVATE, &yes, sizeof(yes) },   { CKA_LABEL, label, sizeof(label) - 1 },
		{ CKA_VALUE, value, sizeof(value) },
	};

	return p11->C_CreateObject(session, template, sizeof(template) / sizeof(template[0]),
				   object);
}

/* ---- many keys ---- */

static CK_RV create_key(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session, size_t number)
{
	static CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	static CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	unsigned char value[VALUE_SIZE] = { 0 };
	CK_OBJECT_HANDLE object;
	char name[32];
	CK_ULONG length = name_of(name, number);
	CK_ATTRIBUTE template[] = {
		{ CKA_CLASS, &class, sizeof(class) }, { CKA_KEY_TYPE, &type, sizeof(type) },
		{ CKA_TOKEN, &yes, sizeof(yes) },     { CKA_PRIVATE, &yes, sizeof(yes) },
		{ CKA_SENSITIVE, &yes, sizeof(yes) }, { CKA_SIGN, &yes, sizeof(yes) },
		{ CKA_LABEL, name, length },	      { CKA_ID, name, length },
		{ CKA_VALUE, value, sizeof(value) },
	};

	memcpy(value, &number, sizeof(number));
	return p11->C_CreateObject(session, template, sizeof(template) / sizeof(template[0]),
				   &object);
}

CK_RV objects_find(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session, size_t number, bool by_id,
		   CK_ULONG *count)
{
	char name[32];
	CK_ATTRIBUTE template = { by_id ? CKA_ID : CKA_LABEL, name, name_of(name, number) };
	CK_OBJECT_HANDLE found[2];
	CK_RV rv = p11->C_FindObjectsInit(session, &template, 1);

	*count = 0;
	if (rv == CKR_OK)
		rv = p11->C_FindObjects(session, found, 2, count);
	if (rv == CKR_OK)
		rv = p11->C_FindObjectsFinal(session);
	return rv;
}

struct filling {
	CK_FUNCTION_LIST *p11;
	CK_SLOT_ID slot;
	size_t size;
	atomic_size_t next;
	atomic_ulong rv;
};

static void *fill(void *argument)
{
	struct filling *filling = argument;
	CK_SESSION_HANDLE session;
	CK_ULONG count;
	size_t number;
	CK_RV rv;

	rv = filling->p11->C_OpenSession(filling->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL,
					 NULL, &session);
	while (rv == CKR_OK && atomic_load(&filling->rv) == CKR_OK) {
		number = atomic_fetch_add(&filling->next, 1);
		if (number >= filling->size)
			break;
		/* What an earlier run has made need not be made. */
		rv = objects_find(filling->p11, session, number, true, &count);
		if (rv == CKR_OK && !count)
			rv = create_key(filling->p11, session, number);
	}
	if (rv != CKR_OK)
		atomic_store(&filling->rv, rv);
	return NULL;
}

CK_RV objects_fill(CK_FUNCTION_LIST *p11, CK_SLOT_ID slot, size_t size)
{
	struct filling filling = { .p11 = p11, .slot = slot, .size = size };
	pthread_t threads[FILLERS];
	unsigned int i, started = 0;

	atomic_init(&filling.rv, CKR_OK);
	for (i = 0; i < FILLERS; i++)
		if (!pthread_create(&threads[started], NULL, fill, &filling))
			started++;
	for (i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	return started ? atomic_load(&filling.rv) : CKR_HOST_MEMORY;
}
