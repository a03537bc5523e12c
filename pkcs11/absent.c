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

/*
 * State of operations: it would have to leave the device sealed, and restore into another
 * session.
 */
ABSENT(C_GetOperationState, CK_BYTE_PTR a, CK_ULONG_PTR b)
ABSENT(C_SetOperationState, CK_BYTE_PTR a, CK_ULONG b, CK_OBJECT_HANDLE c, CK_OBJECT_HANDLE d)

/* Signatures with recovery. */
ABSENT(C_SignRecoverInit, CK_MECHANISM_PTR a, CK_OBJECT_HANDLE b)
ABSENT(C_SignRecover, CK_BYTE_PTR a, CK_ULONG b, CK_BYTE_PTR c, CK_ULONG_PTR d)
ABSENT(C_VerifyRecoverInit, CK_MECHANISM_PTR a, CK_OBJECT_HANDLE b)
ABSENT(C_VerifyRecover, CK_BYTE_PTR a, CK_ULONG b, CK_BYTE_PTR c, CK_ULONG_PTR d)

/* Two operations in one call: the same as two calls. */
ABSENT(C_DigestEncryptUpdate, CK_BYTE_PTR a, CK_ULONG b, CK_BYTE_PTR c, CK_ULONG_PTR d)
ABSENT(C_DecryptDigestUpdate, CK_BYTE_PTR a, CK_ULONG b, CK_BYTE_PTR c, CK_ULONG_PTR d)
ABSENT(C_SignEncryptUpdate, CK_BYTE_PTR a, CK_ULONG b, CK_BYTE_PTR c, CK_ULONG_PTR d)
ABSENT(C_DecryptVerifyUpdate, CK_BYTE_PTR a, CK_ULONG b, CK_BYTE_PTR c, CK_ULONG_PTR d)

/* Parallel functions of version 1: the standard gives them a code of their own. */
ABSENT_PLAIN(C_GetFunctionStatus, CKR_FUNCTION_NOT_PARALLEL)
ABSENT_PLAIN(C_CancelFunction, CKR_FUNCTION_NOT_PARALLEL)

/* Named users: a partition has none yet. */
ABSENT(C_LoginUser, CK_USER_TYPE a, CK_UTF8CHAR_PTR b, CK_ULONG c, CK_UTF8CHAR_PTR d, CK_ULONG e)

/* Messages. */
ABSENT(C_MessageEncryptInit, CK_MECHANISM_PTR a, CK_OBJECT_HANDLE b)
ABSENT(C_EncryptMessage, CK_VOID_PTR a, CK_ULONG b, CK_BYTE_PTR c, CK_ULONG d, CK_BYTE_PTR e,
       CK_ULONG f, CK_BYTE_PTR g, CK_ULONG_PTR h)
ABSENT(C_EncryptMessageBegin, CK_VOID_PTR a, CK_ULONG b, CK_BYTE_PTR c, CK_ULONG d)
ABSENT(C_EncryptMessageNext, CK_VOID_PTR a, CK_ULONG b, CK_BYTE_PTR c, CK_ULONG d, CK_BYTE_PTR e,
       CK_ULONG_PTR f, CK_FLAGS g)
ABSENT_PLAIN(C_MessageEncryptFinal, CKR_FUNCTION_NOT_SUPPORTED)
ABSENT(C_MessageDecryptInit, CK_MECHANISM_PTR a, CK_OBJECT_HANDLE b)
ABSENT(C_DecryptMessage, CK_VOID_PTR a, CK_ULONG b, CK_BYTE_PTR c, CK_ULONG d, CK_BYTE_PTR e,
       CK_ULONG f, CK_BYTE_PTR g, CK_ULONG_PTR h)
ABSENT(C_DecryptMessageBegin, CK_VOID_PTR a, CK_ULONG b, CK_BYTE_PTR c, CK_ULONG d)
ABSENT(C_DecryptMessageNext, CK_VOID_PTR a, CK_ULONG b, CK_BYTE_PTR c, CK_ULONG d, CK_BYTE_PTR e,
       CK_ULONG_PTR f, CK_FLAGS g)
ABSENT_PLAIN(C_MessageDecryptFinal, CKR_FUNCTION_NOT_SUPPORTED)
ABSENT(C_MessageSignInit, CK_MECHANISM_PTR a, CK_OBJECT_HANDLE b)
ABSENT(C_SignMessage, CK_VOID_PTR a, CK_ULONG b, CK_BYTE_PTR c, CK_ULONG d, CK_BYTE_PTR e,
       CK_ULONG_PTR f)
ABSENT(C_SignMessageBegin, CK_VOID_PTR a, CK_ULONG b)
ABSENT(C_SignMessageNext, CK_VOID_PTR a, CK_ULONG b, CK_BYTE_PTR c, CK_ULONG d, CK_BYTE_PTR e,
       CK_ULONG_PTR f)
ABSENT_PLAIN(C_MessageSignFinal, CKR_FUNCTION_NOT_SUPPORTED)
ABSENT(C_MessageVerifyInit, CK_MECHANISM_PTR a, CK_OBJECT_HANDLE b)
ABSENT(C_VerifyMessage, CK_VOID_PTR a, CK_ULONG b, CK_BYTE_PTR c, CK_ULONG d, CK_BYTE_PTR e,
       CK_ULONG f)
ABSENT(C_VerifyMessageBegin, CK_VOID_PTR a, CK_ULONG b)
ABSENT(C_VerifyMessageNext, CK_VOID_PTR a, CK_ULONG b, CK_BYTE_PTR c, CK_ULONG d, CK_BYTE_PTR e,
       CK_ULONG f)
ABSENT_PLAIN(C_MessageVerifyFinal, CKR_FUNCTION_NOT_SUPPORTED)

/* Signature first, data later. */
ABSENT(C_VerifySignatureInit, CK_MECHANISM_PTR a, CK_OBJECT_HANDLE b, CK_BYTE_PTR c, CK_ULONG d)
ABSENT(C_VerifySignature, CK_BYTE_PTR a, CK_ULONG b)
ABSENT(C_VerifySignatureUpdate, CK_BYTE_PTR a, CK_ULONG b)
ABSENT_PLAIN(C_VerifySignatureFinal, CKR_FUNCTION_NOT_SUPPORTED)

/* Validation, asynchronous calls, authenticated wrapping. */
ABSENT(C_GetSessionValidationFlags, CK_SESSION_VALIDATION_FLAGS_TYPE a, CK_FLAGS_PTR b)
ABSENT(C_AsyncComplete, CK_UTF8CHAR_PTR a, CK_ASYNC_DATA_PTR b)
ABSENT(C_AsyncGetID, CK_UTF8CHAR_PTR a, CK_ULONG_PTR b)
ABSENT(C_AsyncJoin, CK_UTF8CHAR_PTR a, CK_ULONG b, CK_BYTE_PTR c, CK_ULONG d)
ABSENT(C_WrapKeyAuthenticated, CK_MECHANISM_PTR a, CK_OBJECT_HANDLE b, CK_OBJECT_HANDLE c,
       CK_BYTE_PTR d, CK_ULONG e, CK_BYTE_PTR f, CK_ULONG_PTR g)
ABSENT(C_UnwrapKeyAuthenticated, CK_MECHANISM_PTR a, CK_OBJECT_HANDLE b, CK_BYTE_PTR c, CK_ULONG d,
       CK_ATTRIBUTE_PTR e, CK_ULONG f, CK_BYTE_PTR g, CK_ULONG h, CK_OBJECT_HANDLE_PTR i)
