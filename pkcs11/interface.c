/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The function lists and the interfaces by which they are found. All versions share the same
 * functions.
 */
#include <string.h>
#include "internal.h"

/* In the order of the standard's lists */
#define FUNCTIONS_2_40                                                                           \
	C_Initialize, C_Finalize, C_GetInfo, C_GetFunctionList, C_GetSlotList, C_GetSlotInfo,    \
		C_GetTokenInfo, C_GetMechanismList, C_GetMechanismInfo, C_InitToken, C_InitPIN,  \
		C_SetPIN, C_OpenSession, C_CloseSession, C_CloseAllSessions, C_GetSessionInfo,   \
		C_GetOperationState, C_SetOperationState, C_Login, C_Logout, C_CreateObject,     \
		C_CopyObject, C_DestroyObject, C_GetObjectSize, C_GetAttributeValue,             \
		C_SetAttributeValue, C_FindObjectsInit, C_FindObjects, C_FindObjectsFinal,       \
		C_EncryptInit, C_Encrypt, C_EncryptUpdate, C_EncryptFinal, C_DecryptInit,        \
		C_Decrypt, C_DecryptUpdate, C_DecryptFinal, C_DigestInit, C_Digest,              \
		C_DigestUpdate, C_DigestKey, C_DigestFinal, C_SignInit, C_Sign, C_SignUpdate,    \
		C_SignFinal, C_SignRecoverInit, C_SignRecover, C_VerifyInit, C_Verify,           \
		C_VerifyUpdate, C_VerifyFinal, C_VerifyRecoverInit, C_VerifyRecover,             \
		C_DigestEncryptUpdate, C_DecryptDigestUpdate, C_SignEncryptUpdate,               \
		C_DecryptVerifyUpdate, C_GenerateKey, C_GenerateKeyPair, C_WrapKey, C_UnwrapKey, \
		C_DeriveKey, C_SeedRandom, C_GenerateRandom, C_GetFunctionStatus,                \
		C_CancelFunction, C_WaitForSlotEvent

#define FUNCTIONS_3_0                                                                           \
	C_GetInterfaceList, C_GetInterface, C_LoginUser, C_SessionCancel, C_MessageEncryptInit, \
		C_EncryptMessage, C_EncryptMessageBegin, C_EncryptMessageNext,                  \
		C_MessageEncryptFinal, C_MessageDecryptInit, C_DecryptMessage,                  \
		C_DecryptMessageBegin, C_DecryptMessageNext, C_MessageDecryptFinal,             \
		C_MessageSignInit, C_SignMessage, C_SignMessageBegin, C_SignMessageNext,        \
		C_MessageSignFinal, C_MessageVerifyInit, C_VerifyMessage, C_VerifyMessageBegin, \
		C_VerifyMessageNext, C_MessageVerifyFinal

#define FUNCTIONS_3_2                                                                         \
	C_EncapsulateKey, C_DecapsulateKey, C_VerifySignatureInit, C_VerifySignature,         \
		C_VerifySignatureUpdate, C_VerifySignatureFinal, C_GetSessionValidationFlags, \
		C_AsyncComplete, C_AsyncGetID, C_AsyncJoin, C_WrapKeyAuthenticated,           \
		C_UnwrapKeyAuthenticated

static CK_FUNCTION_LIST list_2_40 = { { 2, 40 }, FUNCTIONS_2_40 };
static CK_FUNCTION_LIST_3_0 list_3_0 = { { 3, 0 }, FUNCTIONS_2_40, FUNCTIONS_3_0 };
/* 3.1 added mechanisms and no function: its list is that of 3.0 under its own version. */
static CK_FUNCTION_LIST_3_0 list_3_1 = { { 3, 1 }, FUNCTIONS_2_40, FUNCTIONS_3_0 };
static CK_FUNCTION_LIST_3_2 list_3_2 = { { 3, 2 }, FUNCTIONS_2_40, FUNCTIONS_3_0, FUNCTIONS_3_2 };

/*
 * The first is the default. No CKF_INTERFACE_FORK_SAFE: a child has to initialize anew, and only
 * that is promised.
 */
static CK_INTERFACE interfaces[] = {
	{ (char *)"PKCS 11", &list_3_2, 0 },
	{ (char *)"PKCS 11", &list_3_1, 0 },
	{ (char *)"PKCS 11", &list_3_0, 0 },
	{ (char *)"PKCS 11", &list_2_40, 0 },
	{ (char *)CK_HSM_INTERFACE, (void *)&vendor_functions, 0 },
};

#define INTERFACES (sizeof(interfaces) / sizeof(interfaces[0]))

MODULE_API CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	if (!list)
		return CKR_ARGUMENTS_BAD;
	*list = &list_2_40;
	return CKR_OK;
}

MODULE_API CK_RV C_GetInterfaceList(CK_INTERFACE *list, CK_ULONG *count)
{
	CK_ULONG room;

	if (!count)
		return CKR_ARGUMENTS_BAD;
	room = *count;
	*count = INTERFACES;
	if (!list)
		return CKR_OK;
	if (room < INTERFACES)
		return CKR_BUFFER_TOO_SMALL;
	memcpy(list, interfaces, sizeof(interfaces));
	return CKR_OK;
}

static bool matches(const CK_INTERFACE *interface, const CK_UTF8CHAR *name,
		    const CK_VERSION *version, CK_FLAGS flags)
{
	const CK_VERSION *has = interface->pFunctionList;

	if (name && strcmp((const char *)name, interface->pInterfaceName) != 0)
		return false;
	if (version && (version->major != has->major || version->minor != has->minor))
		return false;
	return !(flags & ~interface->flags);
}

MODULE_API CK_RV C_GetInterface(CK_UTF8CHAR *name, CK_VERSION *version, CK_INTERFACE **interface,
				CK_FLAGS flags)
{
	size_t i;

	if (!interface)
		return CKR_ARGUMENTS_BAD;
	for (i = 0; i < INTERFACES; i++) {
		if (!matches(&interfaces[i], name, version, flags))
			continue;
		*interface = &interfaces[i];
		return CKR_OK;
	}
	return CKR_FUNCTION_FAILED;
}
