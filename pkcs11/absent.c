/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions that every list must have and that no command stands behind. Each answers
 * CKR_FUNCTION_NOT_SUPPORTED, after the codes that a wrong handle or a missing C_Initialize have;
 * the reasons are in Documentation/pkcs11.rst.
 */
#include "internal.h"

static CK_RV absent(CK_SESSION_HANDLE handle, CK_RV answer)
{
	struct session *session;
	CK_RV rv = session_get(handle, &session);

	if (rv != CKR_OK)
		return rv;
	session_put(session);
	return answer;
}

/* ABSENT(name, parameters after the session): nothing of them is looked at */
#define ABSENT(name, ...)                                             \
	MODULE_API CK_RV name(CK_SESSION_HANDLE session, __VA_ARGS__) \
	{                                                             \
		return absent(session, CKR_FUNCTION_NOT_SUPPORTED);   \
	}

#define ABSENT_PLAIN(name, answer)                       \
	MODULE_API CK_RV name(CK_SESSION_HANDLE session) \
	{                                                \
		return absent(session, answer);          \
	}

#pragma GCC diagnostic ignored "-Wunused-parameter"

/* Parallel functions of version 1: the standard gives them a code of their own. */
ABSENT_PLAIN(C_GetFunctionStatus, CKR_FUNCTION_NOT_PARALLEL)
ABSENT_PLAIN(C_CancelFunction, CKR_FUNCTION_NOT_PARALLEL)

/* Validation. */
ABSENT(C_GetSessionValidationFlags, CK_SESSION_VALIDATION_FLAGS_TYPE a, CK_FLAGS_PTR b)
