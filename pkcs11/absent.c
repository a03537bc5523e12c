/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions that every list must have and that no token can stand behind: the parallel functions of
 * version 1, which the standard gives a code of their own, after those of a wrong handle or a missing
 * C_Initialize.
 */
#include "internal.h"

static CK_RV absent(CK_SESSION_HANDLE handle)
{
	struct session *session;
	CK_RV rv = session_get(handle, &session);

	if (rv != CKR_OK)
		return rv;
	session_put(session);
	return CKR_FUNCTION_NOT_PARALLEL;
}

MODULE_API CK_RV C_GetFunctionStatus(CK_SESSION_HANDLE session)
{
	return absent(session);
}

MODULE_API CK_RV C_CancelFunction(CK_SESSION_HANDLE session)
{
	return absent(session);
}
