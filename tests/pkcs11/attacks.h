/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of attacks share: keys with any attributes, wrapping and unwrapping them, and the SO's word for a key. Each
 * answers with what the module answered.
 */
#ifndef TESTS_PKCS11_ATTACKS_H
#define TESTS_PKCS11_ATTACKS_H

#include "fixture.h"

#define LIST(...)  ((CK_ATTRIBUTE[]){ __VA_ARGS__ })
#define SIZE(...)  COUNT(LIST(__VA_ARGS__))
#define ATTRS(...) LIST(__VA_ARGS__), SIZE(__VA_ARGS__)
#define REFUSED(call) assert_int_not_equal((call), CKR_OK)

/* @more is added to what is in @to */
static inline CK_ULONG append(CK_ATTRIBUTE *to, CK_ULONG count, const CK_ATTRIBUTE *more,
			      CK_ULONG extra)
{
	assert_true(count + extra <= 16);
	memcpy(to + count, more, extra * sizeof(*more));
	return count + extra;
}

/* generate - an AES key of @length bytes */
static inline CK_RV generate(CK_SESSION_HANDLE s, CK_ULONG length, const CK_ATTRIBUTE *more,
			     CK_ULONG extra, CK_OBJECT_HANDLE *key)
{
	CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ATTRIBUTE attributes[16] = { A(CKA_VALUE_LEN, length) };
	CK_ULONG count = append(attributes, 1, more, extra);

	return p->C_GenerateKey(s, &mechanism, attributes, count, key);
}

/* import - an AES key with a value that everybody knows */
static inline CK_RV import(CK_SESSION_HANDLE s, const CK_ATTRIBUTE *more, CK_ULONG extra,
			   CK_OBJECT_HANDLE *key)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_ATTRIBUTE attributes[16] = { A(CKA_CLASS, class), A(CKA_KEY_TYPE, type),
					STRING(CKA_VALUE, "0123456789abcdef0123456789abcdef") };
	CK_ULONG count = append(attributes, 3, more, extra);

	return p->C_CreateObject(s, attributes, count, key);
}

struct blob {
	CK_BYTE data[1024];
	CK_ULONG length;
};

static inline CK_RV wrap(CK_SESSION_HANDLE s, CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE kek,
			 CK_OBJECT_HANDLE key, struct blob *blob)
{
	CK_BYTE iv[16] = { 0 };
	CK_GCM_PARAMS gcm = { .pIv = iv, .ulIvLen = 12, .ulIvBits = 96, .ulTagBits = 128 };
	CK_CCM_PARAMS ccm = { .ulDataLen = 32, .pNonce = iv, .ulNonceLen = 12, .ulMACLen = 16 };
	CK_AES_CTR_PARAMS ctr = { .ulCounterBits = 32 };
	CK_RSA_PKCS_OAEP_PARAMS oaep = { CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0 };
	CK_MECHANISM mechanism = { type, NULL, 0 };

	if (type == CKM_AES_GCM)
		mechanism = (CK_MECHANISM){ type, &gcm, sizeof(gcm) };
	if (type == CKM_AES_CCM)
		mechanism = (CK_MECHANISM){ type, &ccm, sizeof(ccm) };
	if (type == CKM_AES_CTR)
		mechanism = (CK_MECHANISM){ type, &ctr, sizeof(ctr) };
	if (type == CKM_RSA_PKCS_OAEP)
		mechanism = (CK_MECHANISM){ type, &oaep, sizeof(oaep) };
	if (type == CKM_AES_CBC || type == CKM_AES_CBC_PAD)
		mechanism = (CK_MECHANISM){ type, iv, sizeof(iv) };
	blob->length = sizeof(blob->data);
	return p->C_WrapKey(s, &mechanism, kek, key, blob->data, &blob->length);
}

/* unwrap_as - by AES-KW, as a secret key of this type */
static inline CK_RV unwrap_as(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE kek, struct blob *blob,
			      CK_KEY_TYPE type, const CK_ATTRIBUTE *more, CK_ULONG extra,
			      CK_OBJECT_HANDLE *key)
{
	CK_MECHANISM mechanism = { CKM_AES_KEY_WRAP, NULL, 0 };
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_ATTRIBUTE attributes[16] = { A(CKA_CLASS, class), A(CKA_KEY_TYPE, type) };
	CK_ULONG count = append(attributes, 2, more, extra);

	return p->C_UnwrapKey(s, &mechanism, kek, blob->data, blob->length, attributes, count,
			      key);
}

static inline CK_RV set(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE object, const CK_ATTRIBUTE *more,
			CK_ULONG count)
{
	return p->C_SetAttributeValue(s, object, (CK_ATTRIBUTE *)more, count);
}

static inline CK_RV copy(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE object, const CK_ATTRIBUTE *more,
			 CK_ULONG count, CK_OBJECT_HANDLE *key)
{
	return p->C_CopyObject(s, object, (CK_ATTRIBUTE *)more, count, key);
}

/* labelled - the one object of a label, since handles of private objects end with the login */
static inline CK_OBJECT_HANDLE labelled(CK_SESSION_HANDLE s, const char *label)
{
	CK_ATTRIBUTE wanted = { CKA_LABEL, (void *)label, strlen(label) };
	CK_OBJECT_HANDLE found[2];

	assert_int_equal(find(s, &wanted, 1, found, 2), 1);
	return found[0];
}

/* so_trusts - the SO marks a public token object as trusted; the user is logged in before and after */
static inline void so_trusts(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key)
{
	OK(p->C_Logout(s));
	OK(p->C_Login(s, CKU_SO, PIN(SO_PIN)));
	OK(set(s, key, ATTRS(YES(CKA_TRUSTED))));
	OK(p->C_Logout(s));
	OK(p->C_Login(s, CKU_USER, PIN(USER_PIN)));
}

/* derive - by ECDH of a pair with itself, in CKD_NULL form */
static inline CK_RV derive_ecdh(CK_SESSION_HANDLE s, struct pair pair, CK_ULONG length,
				const CK_ATTRIBUTE *more, CK_ULONG extra, CK_OBJECT_HANDLE *key)
{
	CK_BYTE point[160];
	CK_ECDH1_DERIVE_PARAMS params = { CKD_NULL, 0, NULL, 0, point };
	CK_MECHANISM mechanism = { CKM_ECDH1_DERIVE, &params, sizeof(params) };
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_ATTRIBUTE attributes[16] = { A(CKA_CLASS, class), A(CKA_KEY_TYPE, type),
					A(CKA_VALUE_LEN, length) };
	CK_ULONG count = append(attributes, 3, more, extra);

	params.ulPublicDataLen = get(s, pair.public_key, CKA_EC_POINT, point, sizeof(point));
	return p->C_DeriveKey(s, &mechanism, pair.private_key, attributes, count, key);
}

#endif /* TESTS_PKCS11_ATTACKS_H */
