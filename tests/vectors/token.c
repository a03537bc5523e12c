// SPDX-License-Identifier: Apache-2.0
/*
 * The token that vectors are run on: a new virtual HSM, one session of its user, session objects
 * that go after each vector.
 */
#include "../pkcs11/fixture.h"
#undef COUNT
#include "vectors.h"

static CK_SESSION_HANDLE s;

void token_open(void)
{
	setup_token(NULL);
	s = user_session();
}

void token_close(void)
{
	OK(p->C_CloseSession(s));
	teardown(NULL);
}

bool token_has(CK_MECHANISM_TYPE type, CK_FLAGS use)
{
	return type != ABSENT_MECHANISM && has(type, use);
}

CK_ULONG token_min_key(CK_MECHANISM_TYPE type)
{
	CK_MECHANISM_INFO info = { 0, 0, 0 };

	p->C_GetMechanismInfo(slot, type, &info);
	return info.ulMinKeySize;
}

CK_ULONG token_max_key(CK_MECHANISM_TYPE type)
{
	CK_MECHANISM_INFO info = { 0, 0, 0 };

	p->C_GetMechanismInfo(slot, type, &info);
	return info.ulMaxKeySize;
}

CK_RV token_object(CK_ATTRIBUTE *attributes, CK_ULONG count, CK_OBJECT_HANDLE *object)
{
	return p->C_CreateObject(s, attributes, count, object);
}

void token_destroy(CK_OBJECT_HANDLE object)
{
	if (object)
		p->C_DestroyObject(s, object);
}

/* For every use that a vector may make of it */
CK_RV token_secret(CK_KEY_TYPE type, struct bytes value, CK_OBJECT_HANDLE *key)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_ATTRIBUTE attributes[] = {
		A(CKA_CLASS, class),
		A(CKA_KEY_TYPE, type),
		{ CKA_VALUE, (void *)value.data, value.length },
		NO(CKA_TOKEN),
		YES(CKA_ENCRYPT),
		YES(CKA_DECRYPT),
		YES(CKA_SIGN),
		YES(CKA_VERIFY),
		YES(CKA_WRAP),
		YES(CKA_UNWRAP),
		YES(CKA_DERIVE),
		NO(CKA_SENSITIVE),
		YES(CKA_EXTRACTABLE),
	};

	*key = 0;
	return token_object(attributes, COUNT(attributes), key);
}

/* The key of one-time passwords, whose counter the caller gives */
CK_RV token_otp(CK_KEY_TYPE type, struct bytes value, CK_OBJECT_HANDLE *key)
{
	CK_OBJECT_CLASS class = CKO_OTP_KEY;
	CK_ULONG given = CK_OTP_PARAM_MANDATORY;
	CK_ATTRIBUTE attributes[] = {
		A(CKA_CLASS, class),
		A(CKA_KEY_TYPE, type),
		{ CKA_VALUE, (void *)value.data, value.length },
		A(CKA_OTP_COUNTER_REQUIREMENT, given),
		NO(CKA_TOKEN),
		YES(CKA_SIGN),
		YES(CKA_VERIFY),
	};

	*key = 0;
	return token_object(attributes, COUNT(attributes), key);
}

/* One text through an operation: INIT, then the call that takes all of it */
#define ONE(name, init, single)                                                                \
	CK_RV name(CK_MECHANISM *m, CK_OBJECT_HANDLE key, struct bytes in, struct buffer *out) \
	{                                                                                      \
		CK_ULONG length = sizeof(out->data);                                           \
		CK_RV rv = p->init(s, m, key);                                                 \
                                                                                               \
		if (rv == CKR_OK)                                                              \
			rv = p->single(s, (CK_BYTE *)in.data, in.length, out->data, &length);  \
		out->length = rv == CKR_OK ? length : 0;                                       \
		return rv;                                                                     \
	}

ONE(token_encrypt, C_EncryptInit, C_Encrypt)
ONE(token_decrypt, C_DecryptInit, C_Decrypt)
ONE(token_sign, C_SignInit, C_Sign)

CK_RV token_verify(CK_MECHANISM *m, CK_OBJECT_HANDLE key, struct bytes in, struct bytes signature)
{
	CK_RV rv = p->C_VerifyInit(s, m, key);

	if (rv != CKR_OK)
		return rv;
	return p->C_Verify(s, (CK_BYTE *)in.data, in.length, (CK_BYTE *)signature.data,
			   signature.length);
}

CK_RV token_digest(CK_MECHANISM *m, struct bytes in, struct buffer *out)
{
	CK_ULONG length = sizeof(out->data);
	CK_RV rv = p->C_DigestInit(s, m);

	if (rv == CKR_OK)
		rv = p->C_Digest(s, (CK_BYTE *)in.data, in.length, out->data, &length);
	out->length = rv == CKR_OK ? length : 0;
	return rv;
}

/* Value of a new key, which then goes */
static CK_RV take(CK_OBJECT_HANDLE key, struct buffer *out)
{
	CK_ATTRIBUTE value = { CKA_VALUE, out->data, sizeof(out->data) };
	CK_RV rv = p->C_GetAttributeValue(s, key, &value, 1);

	out->length = rv == CKR_OK ? value.ulValueLen : 0;
	token_destroy(key);
	return rv;
}

static CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY;
static CK_KEY_TYPE generic = CKK_GENERIC_SECRET;

#define READABLE                                                                                \
	A(CKA_CLASS, secret_class), A(CKA_KEY_TYPE, generic), NO(CKA_TOKEN), NO(CKA_SENSITIVE), \
		YES(CKA_EXTRACTABLE)

CK_RV token_derive(CK_MECHANISM *m, CK_OBJECT_HANDLE base, CK_ULONG length, struct buffer *out)
{
	CK_ATTRIBUTE attributes[] = { READABLE, A(CKA_VALUE_LEN, length) };
	CK_OBJECT_HANDLE key = 0;
	CK_RV rv = p->C_DeriveKey(s, m, base, attributes, COUNT(attributes), &key);

	out->length = 0;
	return rv == CKR_OK ? take(key, out) : rv;
}

CK_RV token_generate(CK_MECHANISM *m, CK_ULONG length, struct buffer *out)
{
	CK_ATTRIBUTE attributes[] = { READABLE, A(CKA_VALUE_LEN, length) };
	CK_OBJECT_HANDLE key = 0;
	CK_RV rv = p->C_GenerateKey(s, m, attributes, COUNT(attributes), &key);

	out->length = 0;
	return rv == CKR_OK ? take(key, out) : rv;
}

CK_RV token_wrap(CK_MECHANISM *m, CK_OBJECT_HANDLE by, CK_OBJECT_HANDLE key, struct buffer *out)
{
	CK_ULONG length = sizeof(out->data);
	CK_RV rv = p->C_WrapKey(s, m, by, key, out->data, &length);

	out->length = rv == CKR_OK ? length : 0;
	return rv;
}

CK_RV token_unwrap(CK_MECHANISM *m, CK_OBJECT_HANDLE by, struct bytes in, struct buffer *out)
{
	CK_ATTRIBUTE attributes[] = { READABLE };
	CK_OBJECT_HANDLE key = 0;
	CK_RV rv = p->C_UnwrapKey(s, m, by, (CK_BYTE *)in.data, in.length, attributes,
				  COUNT(attributes), &key);

	out->length = 0;
	return rv == CKR_OK ? take(key, out) : rv;
}
