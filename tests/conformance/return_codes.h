/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each function of PKCS#11 3.2 answers in the situations that every caller can bring about:
 * the standard's first choice, from the function's own section and from the section on return
 * values (5.1: CKR_SESSION_HANDLE_INVALID before anything about arguments, and so on).
 *
 * FUNCTION(name, arguments, material, started, what it answers: see the columns below)
 *   arguments	of the call; c is the struct call of test_return_codes.c
 *   material	which mechanism, keys and texts c has
 *   started	the operation that runs in the session when the function is called properly
 *
 *   columns	before  the library is not initialized
 *		session	of a handle that no session has, and of a closed session
 *		nulls	an input is missing although its length is not 0, or the place for a length or a handle is
 *		huge	an input's length, or a template's count, is the largest CK_ULONG
 *		idle	nothing has been started
 *		twice	it has been started already
 *		handle	of a key or object that is not there
 *		mechanism	that nobody has
 *		logout	a private object, or what needs a login, when nobody is logged in
 *		ro	a token object in a read-only session, or what needs a read-write session
 *
 * NA: the situation is none for this function. C_InitPIN answers CKR_USER_NOT_LOGGED_IN in every state but that of the
 * SO in a read-write session: its own section says so.
 */
#ifndef TESTS_CONFORMANCE_RETURN_CODES_H
#define TESTS_CONFORMANCE_RETURN_CODES_H

#define NA  (~(CK_RV)0)
#define NI  CKR_CRYPTOKI_NOT_INITIALIZED
#define SH  CKR_SESSION_HANDLE_INVALID
#define SL  CKR_SLOT_ID_INVALID
#define AB  CKR_ARGUMENTS_BAD
#define NOI CKR_OPERATION_NOT_INITIALIZED
#define ACT CKR_OPERATION_ACTIVE
#define KH  CKR_KEY_HANDLE_INVALID
#define OH  CKR_OBJECT_HANDLE_INVALID
#define MI  CKR_MECHANISM_INVALID
#define NLI CKR_USER_NOT_LOGGED_IN
#define SRO CKR_SESSION_READ_ONLY

/*
 * A text that says it is as long as the address space cannot be, which is a bad argument; where a mechanism or a PIN has
 * a limit, the code for that comes first.
 */
#define FUNCTION_TABLE(FUNCTION) \
	/*                                                                    before session nulls huge idle twice handle mechanism logout ro */ \
	FUNCTION(C_Finalize, (c->reserved), NOTHING, NONE,                        NI, NA, AB, NA, NA, NA, NA, NA, NA, NA) \
	FUNCTION(C_GetInfo, (c->place), NOTHING, NONE,                            NI, NA, AB, NA, NA, NA, NA, NA, NA, NA) \
	FUNCTION(C_GetSlotList, (CK_TRUE, NULL, c->room), NOTHING, NONE,          NI, NA, AB, NA, NA, NA, NA, NA, NA, NA) \
	FUNCTION(C_GetSlotInfo, (c->slot, c->place), NOTHING, NONE,               NI, SL, AB, NA, NA, NA, NA, NA, NA, NA) \
	FUNCTION(C_GetTokenInfo, (c->slot, c->place), NOTHING, NONE,              NI, SL, AB, NA, NA, NA, NA, NA, NA, NA) \
	FUNCTION(C_WaitForSlotEvent, (CKF_DONT_BLOCK, c->place, c->reserved), NOTHING, NONE, NI, NA, AB, NA, NA, NA, NA, NA, NA, NA) \
	FUNCTION(C_GetMechanismList, (c->slot, NULL, c->room), NOTHING, NONE,     NI, SL, AB, NA, NA, NA, NA, NA, NA, NA) \
	FUNCTION(C_GetMechanismInfo, (c->slot, c->m->mechanism, c->place), CIPHER, NONE, NI, SL, AB, NA, NA, NA, NA, MI, NA, NA) \
	FUNCTION(C_InitToken, (c->slot, c->in, c->n, c->label), NOTHING, NONE,    NI, SL, AB, CKR_PIN_LEN_RANGE, NA, NA, NA, NA, NA, NA) \
	FUNCTION(C_InitPIN, (c->s, c->in, c->n), NOTHING, NONE,                   NI, SH, AB, NA, NA, NA, NA, NA, NLI, NLI) \
	FUNCTION(C_SetPIN, (c->s, c->in, c->n, c->in, c->n), NOTHING, NONE,       NI, SH, AB, NA, NA, NA, NA, NA, NA, SRO) \
	FUNCTION(C_OpenSession, (c->slot, CKF_SERIAL_SESSION, NULL, NULL, c->h), NOTHING, NONE, NI, SL, AB, NA, NA, NA, NA, NA, NA, NA) \
	FUNCTION(C_CloseSession, (c->s), NOTHING, NONE,                           NI, SH, NA, NA, NA, NA, NA, NA, NA, NA) \
	FUNCTION(C_CloseAllSessions, (c->slot), NOTHING, NONE,                    NI, SL, NA, NA, NA, NA, NA, NA, NA, NA) \
	FUNCTION(C_GetSessionInfo, (c->s, c->place), NOTHING, NONE,               NI, SH, AB, NA, NA, NA, NA, NA, NA, NA) \
	FUNCTION(C_SessionCancel, (c->s, CKF_ENCRYPT), NOTHING, NONE,             NI, SH, NA, NA, CKR_OK, NA, NA, NA, NA, NA) \
	FUNCTION(C_GetOperationState, (c->s, NULL, c->room), DIGEST, DIGEST,      NI, SH, AB, NA, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_SetOperationState, (c->s, c->in, c->n, 0, 0), NOTHING, NONE,   NI, SH, AB, NA, CKR_SAVED_STATE_INVALID, NA, NA, NA, NA, NA) \
	FUNCTION(C_GetSessionValidationFlags, (c->s, CKS_LAST_VALIDATION_OK, c->place), NOTHING, NONE, NI, SH, AB, NA, NA, NA, NA, NA, NA, NA) \
	FUNCTION(C_Login, (c->s, CKU_USER, c->in, c->n), NOTHING, NONE,           NI, SH, AB, NA, NA, CKR_USER_ALREADY_LOGGED_IN, NA, NA, NA, NA) \
	FUNCTION(C_LoginUser, (c->s, CKU_USER, c->in, c->n, c->in, c->n), NOTHING, NONE, NI, SH, AB, NA, NA, NA, NA, NA, NA, NA) \
	FUNCTION(C_Logout, (c->s), NOTHING, NONE,                                 NI, SH, NA, NA, NA, NA, NA, NA, NLI, NA) \
	\
	FUNCTION(C_CreateObject, (c->s, c->a, c->count, c->h), OBJECT, NONE,      NI, SH, AB, AB, NA, NA, NA, NA, NLI, SRO) \
	FUNCTION(C_CopyObject, (c->s, c->k, c->a, c->count, c->h), COPY, NONE,    NI, SH, AB, AB, NA, NA, OH, NA, OH, SRO) \
	FUNCTION(C_DestroyObject, (c->s, c->k), TOKEN_OBJECT, NONE,               NI, SH, NA, NA, NA, NA, OH, NA, OH, SRO) \
	FUNCTION(C_GetObjectSize, (c->s, c->k, c->room), OBJECT, NONE,            NI, SH, AB, NA, NA, NA, OH, NA, OH, NA) \
	FUNCTION(C_GetAttributeValue, (c->s, c->k, c->a, c->count), OBJECT, NONE, NI, SH, AB, AB, NA, NA, OH, NA, OH, NA) \
	FUNCTION(C_SetAttributeValue, (c->s, c->k, c->a, c->count), TOKEN_OBJECT, NONE, NI, SH, AB, AB, NA, NA, OH, NA, OH, SRO) \
	FUNCTION(C_FindObjectsInit, (c->s, c->a, c->count), OBJECT, NONE,         NI, SH, AB, AB, NA, ACT, NA, NA, NA, NA) \
	FUNCTION(C_FindObjects, (c->s, c->h, 1, c->room), NOTHING, FIND,          NI, SH, AB, NA, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_FindObjectsFinal, (c->s), NOTHING, FIND,                       NI, SH, NA, NA, NOI, NA, NA, NA, NA, NA) \
	\
	FUNCTION(C_EncryptInit, (c->s, c->m, c->k), CIPHER, NONE,                 NI, SH, NA, NA, NA, ACT, KH, MI, KH, NA) \
	FUNCTION(C_Encrypt, (c->s, c->in, c->n, c->out, c->room), CIPHER, ENCRYPT, NI, SH, AB, AB, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_EncryptUpdate, (c->s, c->in, c->n, c->out, c->room), CIPHER, ENCRYPT, NI, SH, AB, AB, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_EncryptFinal, (c->s, c->out, c->room), CIPHER, ENCRYPT,        NI, SH, AB, NA, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_DecryptInit, (c->s, c->m, c->k), CIPHER, NONE,                 NI, SH, NA, NA, NA, ACT, KH, MI, KH, NA) \
	FUNCTION(C_Decrypt, (c->s, c->in, c->n, c->out, c->room), CIPHER, DECRYPT, NI, SH, AB, AB, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_DecryptUpdate, (c->s, c->in, c->n, c->out, c->room), CIPHER, DECRYPT, NI, SH, AB, AB, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_DecryptFinal, (c->s, c->out, c->room), CIPHER, DECRYPT,        NI, SH, AB, NA, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_DigestInit, (c->s, c->m), DIGEST, NONE,                        NI, SH, NA, NA, NA, ACT, NA, MI, NA, NA) \
	FUNCTION(C_Digest, (c->s, c->in, c->n, c->out, c->room), DIGEST, DIGEST,  NI, SH, AB, AB, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_DigestUpdate, (c->s, c->in, c->n), DIGEST, DIGEST,             NI, SH, AB, AB, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_DigestKey, (c->s, c->k), MAC, DIGEST,                          NI, SH, NA, NA, NOI, NA, KH, NA, NA, NA) \
	FUNCTION(C_DigestFinal, (c->s, c->out, c->room), DIGEST, DIGEST,          NI, SH, AB, NA, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_SignInit, (c->s, c->m, c->k), MAC, NONE,                       NI, SH, NA, NA, NA, ACT, KH, MI, KH, NA) \
	FUNCTION(C_Sign, (c->s, c->in, c->n, c->out, c->room), MAC, SIGN,         NI, SH, AB, AB, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_SignUpdate, (c->s, c->in, c->n), MAC, SIGN,                    NI, SH, AB, AB, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_SignFinal, (c->s, c->out, c->room), MAC, SIGN,                 NI, SH, AB, NA, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_SignRecoverInit, (c->s, c->m, c->k), RECOVER, NONE,            NI, SH, NA, NA, NA, ACT, KH, MI, KH, NA) \
	FUNCTION(C_SignRecover, (c->s, c->in, c->n, c->out, c->room), RECOVER, SIGN_RECOVER, NI, SH, AB, CKR_DATA_LEN_RANGE, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_VerifyInit, (c->s, c->m, c->k), MAC, NONE,                     NI, SH, NA, NA, NA, ACT, KH, MI, KH, NA) \
	FUNCTION(C_Verify, (c->s, c->in, c->n, c->in, 32), MAC, VERIFY,           NI, SH, AB, AB, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_VerifyUpdate, (c->s, c->in, c->n), MAC, VERIFY,                NI, SH, AB, AB, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_VerifyFinal, (c->s, c->in, c->n), MAC, VERIFY,                 NI, SH, AB, CKR_SIGNATURE_LEN_RANGE, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_VerifyRecoverInit, (c->s, c->m, c->k2), RECOVER, NONE,         NI, SH, NA, NA, NA, ACT, KH, MI, NA, NA) \
	FUNCTION(C_VerifyRecover, (c->s, c->in, c->n, c->out, c->room), RECOVER, VERIFY_RECOVER, NI, SH, AB, CKR_SIGNATURE_LEN_RANGE, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_VerifySignatureInit, (c->s, c->m, c->k, c->in, 32), MAC, NONE, NI, SH, AB, NA, NA, ACT, KH, MI, KH, NA) \
	FUNCTION(C_VerifySignature, (c->s, c->in, c->n), MAC, VERIFY_SIGNATURE,   NI, SH, AB, AB, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_VerifySignatureUpdate, (c->s, c->in, c->n), MAC, VERIFY_SIGNATURE, NI, SH, AB, AB, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_VerifySignatureFinal, (c->s), MAC, VERIFY_SIGNATURE,           NI, SH, NA, NA, NOI, NA, NA, NA, NA, NA) \
	\
	FUNCTION(C_DigestEncryptUpdate, (c->s, c->in, c->n, c->out, c->room), CIPHER, DIGEST_ENCRYPT, NI, SH, AB, AB, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_DecryptDigestUpdate, (c->s, c->in, c->n, c->out, c->room), CIPHER, DECRYPT_DIGEST, NI, SH, AB, AB, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_SignEncryptUpdate, (c->s, c->in, c->n, c->out, c->room), CIPHER, SIGN_ENCRYPT, NI, SH, AB, AB, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_DecryptVerifyUpdate, (c->s, c->in, c->n, c->out, c->room), CIPHER, DECRYPT_VERIFY, NI, SH, AB, AB, NOI, NA, NA, NA, NA, NA) \
	\
	FUNCTION(C_GenerateKey, (c->s, c->m, c->a, c->count, c->h), GENERATE, NONE, NI, SH, AB, AB, NA, NA, NA, MI, NLI, SRO) \
	FUNCTION(C_GenerateKeyPair, (c->s, c->m, c->a, c->count, c->a2, 1, c->h, c->h2), PAIR, NONE, NI, SH, AB, AB, NA, NA, NA, MI, NLI, SRO) \
	FUNCTION(C_WrapKey, (c->s, c->m, c->k, c->k2, NULL, c->room), WRAP, NONE, NI, SH, AB, NA, NA, NA, CKR_WRAPPING_KEY_HANDLE_INVALID, MI, CKR_WRAPPING_KEY_HANDLE_INVALID, NA) \
	FUNCTION(C_UnwrapKey, (c->s, c->m, c->k, c->in, c->n, c->a, c->count, c->h), WRAP, NONE, NI, SH, AB, CKR_WRAPPED_KEY_LEN_RANGE, NA, NA, CKR_UNWRAPPING_KEY_HANDLE_INVALID, MI, CKR_UNWRAPPING_KEY_HANDLE_INVALID, SRO) \
	FUNCTION(C_DeriveKey, (c->s, c->m, c->k, c->a, c->count, c->h), DERIVE, NONE, NI, SH, AB, AB, NA, NA, KH, MI, KH, SRO) \
	FUNCTION(C_EncapsulateKey, (c->s, c->m, c->k2, c->a, c->count, c->out, c->room, c->h), KEM, NONE, NI, SH, AB, AB, NA, NA, KH, MI, NLI, SRO) \
	FUNCTION(C_DecapsulateKey, (c->s, c->m, c->k, c->a, c->count, c->in, c->n, c->h), KEM, NONE, NI, SH, AB, CKR_WRAPPED_KEY_LEN_RANGE, NA, NA, CKR_UNWRAPPING_KEY_HANDLE_INVALID, MI, CKR_UNWRAPPING_KEY_HANDLE_INVALID, SRO) \
	FUNCTION(C_WrapKeyAuthenticated, (c->s, c->m, c->k, c->k2, c->in, c->n, c->out, c->room), WRAP_GCM, NONE, NI, SH, AB, AB, NA, NA, CKR_WRAPPING_KEY_HANDLE_INVALID, MI, CKR_WRAPPING_KEY_HANDLE_INVALID, NA) \
	FUNCTION(C_UnwrapKeyAuthenticated, (c->s, c->m, c->k, c->in, c->n, c->a, c->count, c->in, c->n, c->h), WRAP_GCM, NONE, NI, SH, AB, AB, NA, NA, CKR_UNWRAPPING_KEY_HANDLE_INVALID, MI, CKR_UNWRAPPING_KEY_HANDLE_INVALID, SRO) \
	FUNCTION(C_SeedRandom, (c->s, c->in, c->n), NOTHING, NONE,                NI, SH, AB, AB, NA, NA, NA, NA, NA, NA) \
	FUNCTION(C_GenerateRandom, (c->s, c->in, c->n), NOTHING, NONE,            NI, SH, AB, AB, NA, NA, NA, NA, NA, NA) \
	FUNCTION(C_GetFunctionStatus, (c->s), NOTHING, NONE,                      NI, SH, NA, NA, CKR_FUNCTION_NOT_PARALLEL, NA, NA, NA, NA, NA) \
	FUNCTION(C_CancelFunction, (c->s), NOTHING, NONE,                         NI, SH, NA, NA, CKR_FUNCTION_NOT_PARALLEL, NA, NA, NA, NA, NA) \
	\
	FUNCTION(C_MessageEncryptInit, (c->s, c->m, c->k), MESSAGE, NONE,         NI, SH, NA, NA, NA, ACT, KH, MI, KH, NA) \
	FUNCTION(C_EncryptMessage, (c->s, c->p, c->pn, NULL, 0, c->in, c->n, c->out, c->room), MESSAGE, MESSAGE_ENCRYPT, NI, SH, AB, AB, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_EncryptMessageBegin, (c->s, c->p, c->pn, c->in, c->n), MESSAGE, MESSAGE_ENCRYPT, NI, SH, AB, AB, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_EncryptMessageNext, (c->s, c->p, c->pn, c->in, c->n, c->out, c->room, 0), MESSAGE, ENCRYPT_BEGUN, NI, SH, AB, AB, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_MessageEncryptFinal, (c->s), MESSAGE, MESSAGE_ENCRYPT,         NI, SH, NA, NA, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_MessageDecryptInit, (c->s, c->m, c->k), MESSAGE, NONE,         NI, SH, NA, NA, NA, ACT, KH, MI, KH, NA) \
	FUNCTION(C_DecryptMessage, (c->s, c->p, c->pn, NULL, 0, c->in, c->n, c->out, c->room), MESSAGE, MESSAGE_DECRYPT, NI, SH, AB, AB, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_DecryptMessageBegin, (c->s, c->p, c->pn, c->in, c->n), MESSAGE, MESSAGE_DECRYPT, NI, SH, AB, AB, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_DecryptMessageNext, (c->s, c->p, c->pn, c->in, c->n, c->out, c->room, 0), MESSAGE, DECRYPT_BEGUN, NI, SH, AB, AB, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_MessageDecryptFinal, (c->s), MESSAGE, MESSAGE_DECRYPT,         NI, SH, NA, NA, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_MessageSignInit, (c->s, c->m, c->k), MAC, NONE,                NI, SH, NA, NA, NA, ACT, KH, MI, KH, NA) \
	FUNCTION(C_SignMessage, (c->s, NULL, 0, c->in, c->n, c->out, c->room), MAC, MESSAGE_SIGN, NI, SH, AB, AB, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_SignMessageBegin, (c->s, NULL, 0), MAC, MESSAGE_SIGN,          NI, SH, NA, NA, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_SignMessageNext, (c->s, NULL, 0, c->in, c->n, c->out, c->room), MAC, SIGN_BEGUN, NI, SH, AB, AB, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_MessageSignFinal, (c->s), MAC, MESSAGE_SIGN,                   NI, SH, NA, NA, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_MessageVerifyInit, (c->s, c->m, c->k), MAC, NONE,              NI, SH, NA, NA, NA, ACT, KH, MI, KH, NA) \
	FUNCTION(C_VerifyMessage, (c->s, NULL, 0, c->in, c->n, c->in, 32), MAC, MESSAGE_VERIFY, NI, SH, AB, AB, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_VerifyMessageBegin, (c->s, NULL, 0), MAC, MESSAGE_VERIFY,      NI, SH, NA, NA, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_VerifyMessageNext, (c->s, NULL, 0, c->in, c->n, NULL, 0), MAC, VERIFY_BEGUN, NI, SH, AB, AB, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_MessageVerifyFinal, (c->s), MAC, MESSAGE_VERIFY,               NI, SH, NA, NA, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_AsyncComplete, (c->s, TEXT("C_Sign"), c->place), NOTHING, NONE, NI, SH, NA, NA, NOI, NA, NA, NA, NA, NA) \
	FUNCTION(C_AsyncGetID, (c->s, TEXT("C_Sign"), c->place), NOTHING, NONE,   NI, SH, AB, NA, NA, NA, NA, NA, NA, NA) \
	FUNCTION(C_AsyncJoin, (c->s, TEXT("C_Sign"), 1, c->in, c->n), NOTHING, NONE, NI, SH, NA, NA, CKR_SAVED_STATE_INVALID, NA, NA, NA, NA, NA)

#endif
