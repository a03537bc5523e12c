// SPDX-License-Identifier: Apache-2.0
/*
 * Mechanisms against libcrypto: what the token makes libcrypto accepts, and the other way round.
 */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include "fixture.h"

static CK_BYTE text[100];
static CK_ULONG text_length = sizeof(text);

static CK_SESSION_HANDLE begin(void)
{
	size_t i;

	for (i = 0; i < sizeof(text); i++)
		text[i] = 3 * i + 1;
	return user_session();
}

/* ---- public keys to libcrypto ---- */

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *build)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	assert_non_null(params);
	assert_non_null(ctx);
	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	return key;
}

static EVP_PKEY *rsa_public(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	CK_BYTE n[512], e[8];
	CK_ULONG n_length = get(s, key, CKA_MODULUS, n, sizeof(n));
	CK_ULONG e_length = get(s, key, CKA_PUBLIC_EXPONENT, e, sizeof(e));
	BIGNUM *modulus = BN_bin2bn(n, n_length, NULL), *exponent = BN_bin2bn(e, e_length, NULL);
	EVP_PKEY *pkey;

	OSSL_PARAM_BLD_push_BN(build, "n", modulus);
	OSSL_PARAM_BLD_push_BN(build, "e", exponent);
	pkey = from_params("RSA", build);
	BN_free(modulus);
	BN_free(exponent);
	return pkey;
}

static EVP_PKEY *ec_public(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, const char *group)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	CK_BYTE point[256];
	CK_ULONG length = get(s, key, CKA_EC_POINT, point, sizeof(point)),
		 skip = point[1] & 0x80 ? 3 : 2;

	assert_int_equal(point[0], 4);
	OSSL_PARAM_BLD_push_utf8_string(build, "group", group, 0);
	OSSL_PARAM_BLD_push_octet_string(build, "pub", point + skip, length - skip);
	return from_params("EC", build);
}

/* ---- sign here, verify here and there ---- */

static CK_ULONG sign(CK_SESSION_HANDLE s, CK_MECHANISM *mechanism, struct pair pair,
		     const CK_BYTE *data, CK_ULONG length, CK_BYTE *signature, CK_ULONG room)
{
	CK_ULONG asked = 0, got = room;

	OK(p->C_SignInit(s, mechanism, pair.private_key));
	OK(p->C_Sign(s, (CK_BYTE *)data, length, NULL, &asked));
	assert_true(asked > 0 && asked <= room);
	OK(p->C_Sign(s, (CK_BYTE *)data, length, signature, &got));
	assert_true(got <= asked);
	OK(p->C_VerifyInit(s, mechanism, pair.public_key));
	OK(p->C_Verify(s, (CK_BYTE *)data, length, signature, got));
	signature[got / 2] ^= 1;
	OK(p->C_VerifyInit(s, mechanism, pair.public_key));
	RV(p->C_Verify(s, (CK_BYTE *)data, length, signature, got), CKR_SIGNATURE_INVALID);
	signature[got / 2] ^= 1;
	OK(p->C_VerifyInit(s, mechanism, pair.public_key));
	assert_int_not_equal(p->C_Verify(s, (CK_BYTE *)data, length, signature, got - 1), CKR_OK);
	return got;
}

static int verifies(EVP_PKEY *key, const char *digest, int padding, const CK_BYTE *data,
		    size_t length, const CK_BYTE *signature, size_t signature_length)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;
	int ret;

	assert_int_equal(EVP_DigestVerifyInit_ex(ctx, &pctx, digest, NULL, NULL, key, NULL), 1);
	if (padding)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pctx, padding), 1);
	ret = EVP_DigestVerify(ctx, signature, signature_length, data, length);
	EVP_MD_CTX_free(ctx);
	return ret;
}

static void rsa_signatures(void **state)
{
	static const struct {
		CK_MECHANISM_TYPE type;
		const char *digest;
	} rows[] = {
		{ CKM_SHA256_RSA_PKCS, "SHA256" },
		{ CKM_SHA384_RSA_PKCS, "SHA384" },
		{ CKM_SHA512_RSA_PKCS, "SHA512" },
	};
	CK_RSA_PKCS_PSS_PARAMS pss = { CKM_SHA256, CKG_MGF1_SHA256, 32 };
	CK_MECHANISM pss_mechanism = { CKM_SHA256_RSA_PKCS_PSS, &pss, sizeof(pss) };
	CK_SESSION_HANDLE s = begin();
	struct pair pair = rsa_pair(s, 2048, CK_FALSE, "rsa");
	EVP_PKEY *key = rsa_public(s, pair.public_key);
	CK_MECHANISM raw = { CKM_RSA_PKCS, NULL, 0 };
	CK_BYTE signature[512];
	CK_ULONG length;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		CK_MECHANISM mechanism = { rows[i].type, NULL, 0 };

		length = sign(s, &mechanism, pair, text, text_length, signature, sizeof(signature));
		assert_int_equal(length, 256);
		assert_int_equal(
			verifies(key, rows[i].digest, 0, text, text_length, signature, length), 1);
	}
	length = sign(s, &pss_mechanism, pair, text, text_length, signature, sizeof(signature));
	assert_int_equal(verifies(key, "SHA256", RSA_PKCS1_PSS_PADDING, text, text_length,
				  signature, length),
			 1);
	assert_int_equal(sign(s, &raw, pair, text, 51, signature, sizeof(signature)), 256);
	OK(p->C_SignInit(s, &raw, pair.private_key));
	length = sizeof(signature);
	RV(p->C_Sign(s, signature, 256, signature, &length), CKR_DATA_LEN_RANGE);
	EVP_PKEY_free(key);
}

static CK_ULONG libcrypto_encrypt(EVP_PKEY *key, int padding, const char *hash, CK_BYTE *out,
				  size_t room)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);

	assert_int_equal(EVP_PKEY_encrypt_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, padding), 1);
	if (hash)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_oaep_md_name(ctx, hash, NULL), 1);
	assert_int_equal(EVP_PKEY_encrypt(ctx, out, &room, text, text_length), 1);
	EVP_PKEY_CTX_free(ctx);
	return room;
}

static void rsa_encryption(void **state)
{
	CK_RSA_PKCS_OAEP_PARAMS oaep = { CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0 };
	CK_MECHANISM mechanisms[] = { { CKM_RSA_PKCS_OAEP, &oaep, sizeof(oaep) },
				      { CKM_RSA_PKCS, NULL, 0 } };
	CK_SESSION_HANDLE s = begin();
	struct pair pair = rsa_pair(s, 2048, CK_FALSE, "rsa");
	EVP_PKEY *key = rsa_public(s, pair.public_key);
	CK_BYTE secret[512], plain[512];
	CK_ULONG length, plain_length;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(mechanisms); i++) {
		/* PKCS#1 v1.5 is there only with implicit rejection. */
		if (!has(mechanisms[i].mechanism, CKF_DECRYPT))
			continue;
		length = libcrypto_encrypt(key, i ? RSA_PKCS1_PADDING : RSA_PKCS1_OAEP_PADDING,
					   i ? NULL : "SHA256", secret, sizeof(secret));
		OK(p->C_DecryptInit(s, &mechanisms[i], pair.private_key));
		plain_length = sizeof(plain);
		OK(p->C_Decrypt(s, secret, length, plain, &plain_length));
		assert_int_equal(plain_length, text_length);
		assert_memory_equal(plain, text, text_length);
		OK(p->C_EncryptInit(s, &mechanisms[i], pair.public_key));
		length = sizeof(secret);
		OK(p->C_Encrypt(s, text, text_length, secret, &length));
		OK(p->C_DecryptInit(s, &mechanisms[i], pair.private_key));
		plain_length = sizeof(plain);
		OK(p->C_Decrypt(s, secret, length, plain, &plain_length));
		assert_memory_equal(plain, text, text_length);
	}
	EVP_PKEY_free(key);
}

/* PKCS#11 has r and s side by side, libcrypto an ASN.1 sequence. */
static size_t to_der(const CK_BYTE *signature, CK_ULONG length, CK_BYTE *der)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	unsigned char *out = der;
	int size;

	ECDSA_SIG_set0(sig, BN_bin2bn(signature, length / 2, NULL),
		       BN_bin2bn(signature + length / 2, length / 2, NULL));
	size = i2d_ECDSA_SIG(sig, &out);
	ECDSA_SIG_free(sig);
	assert_true(size > 0);
	return size;
}

static void ecdsa(void **state)
{
	static const struct {
		const CK_BYTE *oid;
		CK_ULONG oid_length;
		const char *group;
		CK_MECHANISM_TYPE type;
		const char *digest;
		CK_ULONG length;
	} rows[] = {
		{ oid_p256, sizeof(oid_p256), "P-256", CKM_ECDSA_SHA256, "SHA256", 64 },
		{ oid_p384, sizeof(oid_p384), "P-384", CKM_ECDSA_SHA384, "SHA384", 96 },
		{ oid_p521, sizeof(oid_p521), "P-521", CKM_ECDSA_SHA512, "SHA512", 132 },
	};
	CK_SESSION_HANDLE s = begin();
	CK_MECHANISM raw = { CKM_ECDSA, NULL, 0 };
	CK_BYTE signature[256], der[256] = { 0 };
	struct pair pair;
	EVP_PKEY *key;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		CK_MECHANISM mechanism = { rows[i].type, NULL, 0 };

		pair = ec_pair(s, CKM_EC_KEY_PAIR_GEN, rows[i].oid, rows[i].oid_length, CK_FALSE,
			       "ec");
		key = ec_public(s, pair.public_key, rows[i].group);
		assert_int_equal(sign(s, &mechanism, pair, text, text_length, signature,
				      sizeof(signature)),
				 rows[i].length);
		assert_int_equal(verifies(key, rows[i].digest, 0, text, text_length, der,
					  to_der(signature, rows[i].length, der)),
				 1);
		assert_int_equal(sign(s, &raw, pair, text, 32, signature, sizeof(signature)),
				 rows[i].length);
		EVP_PKEY_free(key);
	}
}

static void eddsa(void **state)
{
	CK_SESSION_HANDLE s = begin();
	CK_MECHANISM mechanism = { CKM_EDDSA, NULL, 0 };
	CK_BYTE signature[128], point[64];
	CK_ULONG length;
	struct pair pair;
	EVP_PKEY *key;

	(void)state;
	NEED(CKM_EDDSA, CKF_SIGN);
	pair = ec_pair(s, CKM_EC_EDWARDS_KEY_PAIR_GEN, oid_ed25519, sizeof(oid_ed25519), CK_FALSE,
		       "ed");
	length = get(s, pair.public_key, CKA_EC_POINT, point, sizeof(point));
	assert_true(length == 32 || length == 34);
	key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, point + length - 32, 32);
	assert_non_null(key);
	assert_int_equal(sign(s, &mechanism, pair, text, text_length, signature, sizeof(signature)),
			 64);
	assert_int_equal(verifies(key, NULL, 0, text, text_length, signature, 64), 1);
	EVP_PKEY_free(key);
}

static void ecdh(void **state)
{
	CK_SESSION_HANDLE s = begin();
	struct pair one = p256_pair(s, CK_FALSE, "one"), two = p256_pair(s, CK_FALSE, "two");
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_ULONG size = 32, length;
	CK_ATTRIBUTE attributes[] = {
		A(CKA_CLASS, class), A(CKA_KEY_TYPE, type), A(CKA_VALUE_LEN, size),
		NO(CKA_SENSITIVE),   YES(CKA_EXTRACTABLE),
	};
	CK_BYTE point[128], a[32], b[32];
	CK_ECDH1_DERIVE_PARAMS params = { CKD_NULL, 0, NULL, 0, point };
	CK_MECHANISM mechanism = { CKM_ECDH1_DERIVE, &params, sizeof(params) };
	CK_OBJECT_HANDLE key;

	(void)state;
	params.ulPublicDataLen = get(s, two.public_key, CKA_EC_POINT, point, sizeof(point));
	OK(p->C_DeriveKey(s, &mechanism, one.private_key, attributes, COUNT(attributes), &key));
	assert_int_equal(get(s, key, CKA_VALUE, a, sizeof(a)), 32);
	/* The raw point is as good as the one in an OCTET STRING. */
	length = get(s, one.public_key, CKA_EC_POINT, point, sizeof(point));
	params.pPublicData = point + 2;
	params.ulPublicDataLen = length - 2;
	OK(p->C_DeriveKey(s, &mechanism, two.private_key, attributes, COUNT(attributes), &key));
	get(s, key, CKA_VALUE, b, sizeof(b));
	assert_memory_equal(a, b, sizeof(a));
	/* A point off the curve */
	point[40] ^= 1;
	assert_int_not_equal(p->C_DeriveKey(s, &mechanism, two.private_key, attributes,
					    COUNT(attributes), &key),
			     CKR_OK);
}

/* ---- AES ---- */

static const CK_BYTE aes_value[] = "0123456789abcdefFEDCBA9876543210";

static int libcrypto_cipher(const char *name, const CK_BYTE *iv, CK_ULONG length, CK_BYTE *out)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	bool pad = !(length % 16) ? false : !strstr(name, "CTR");
	int size, more;

	assert_int_equal(EVP_EncryptInit_ex2(ctx, cipher, aes_value, iv, NULL), 1);
	EVP_CIPHER_CTX_set_padding(ctx, pad);
	assert_int_equal(EVP_EncryptUpdate(ctx, out, &size, text, length), 1);
	assert_int_equal(EVP_EncryptFinal_ex(ctx, out + size, &more), 1);
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(cipher);
	return size + more;
}

static void aes_modes(void **state)
{
	CK_BYTE iv[16] = "an iv of 16 byte", out[256], expected[256], back[256];
	CK_AES_CTR_PARAMS ctr = { .ulCounterBits = 128 };
	struct {
		CK_MECHANISM mechanism;
		const char *name;
		CK_ULONG length;
	} rows[] = {
		{ { CKM_AES_CBC, iv, sizeof(iv) }, "AES-256-CBC", 96 },
		{ { CKM_AES_CBC_PAD, iv, sizeof(iv) }, "AES-256-CBC", 99 },
		{ { CKM_AES_CTR, &ctr, sizeof(ctr) }, "AES-256-CTR", 77 },
	};
	CK_SESSION_HANDLE s = begin();
	CK_OBJECT_HANDLE key = secret_key(s, CKK_AES, aes_value, 32);
	CK_ULONG length, asked;
	size_t i;

	(void)state;
	memcpy(ctr.cb, iv, sizeof(iv));
	for (i = 0; i < COUNT(rows); i++) {
		OK(p->C_EncryptInit(s, &rows[i].mechanism, key));
		OK(p->C_Encrypt(s, text, rows[i].length, NULL, &asked));
		length = 3;
		RV(p->C_Encrypt(s, text, rows[i].length, out, &length), CKR_BUFFER_TOO_SMALL);
		length = sizeof(out);
		OK(p->C_Encrypt(s, text, rows[i].length, out, &length));
		assert_true(asked >= length);
		assert_int_equal(length,
				 libcrypto_cipher(rows[i].name, iv, rows[i].length, expected));
		assert_memory_equal(out, expected, length);
		OK(p->C_DecryptInit(s, &rows[i].mechanism, key));
		asked = sizeof(back);
		OK(p->C_Decrypt(s, out, length, back, &asked));
		assert_int_equal(asked, rows[i].length);
		assert_memory_equal(back, text, asked);
	}
	OK(p->C_EncryptInit(s, &rows[0].mechanism, key));
	length = sizeof(out);
	RV(p->C_Encrypt(s, text, 17, out, &length), CKR_DATA_LEN_RANGE);
}

static void aes_gcm(void **state)
{
	CK_BYTE iv[12] = "twelve bytes", out[256], back[256];
	CK_GCM_PARAMS params = { iv, 12, 96, (CK_BYTE *)"header", 6, 128 };
	CK_MECHANISM mechanism = { CKM_AES_GCM, &params, sizeof(params) };
	CK_SESSION_HANDLE s = begin();
	CK_OBJECT_HANDLE key = secret_key(s, CKK_AES, aes_value, 32);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	CK_ULONG length = sizeof(out);
	int size;

	(void)state;
	OK(p->C_EncryptInit(s, &mechanism, key));
	OK(p->C_Encrypt(s, text, text_length, out, &length));
	assert_int_equal(length, text_length + 16);
	assert_int_equal(EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, aes_value, iv), 1);
	assert_int_equal(EVP_DecryptUpdate(ctx, NULL, &size, (CK_BYTE *)"header", 6), 1);
	assert_int_equal(EVP_DecryptUpdate(ctx, back, &size, out, text_length), 1);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, 16, out + text_length), 1);
	assert_int_equal(EVP_DecryptFinal_ex(ctx, back + size, &size), 1);
	assert_memory_equal(back, text, text_length);
	EVP_CIPHER_CTX_free(ctx);
	OK(p->C_DecryptInit(s, &mechanism, key));
	length = sizeof(back);
	OK(p->C_Decrypt(s, out, text_length + 16, back, &length));
	assert_int_equal(length, text_length);
	out[3] ^= 1;
	memset(back, 0x5a, sizeof(back));
	OK(p->C_DecryptInit(s, &mechanism, key));
	length = sizeof(back);
	RV(p->C_Decrypt(s, out, text_length + 16, back, &length), CKR_ENCRYPTED_DATA_INVALID);
	assert_int_equal(back[0], 0x5a);
}

/* ---- digests and MACs ---- */

static void digests(void **state)
{
	static const struct {
		CK_MECHANISM_TYPE type;
		const char *name;
	} rows[] = {
		{ CKM_SHA224, "SHA224" },     { CKM_SHA256, "SHA256" },
		{ CKM_SHA384, "SHA384" },     { CKM_SHA512, "SHA512" },
		{ CKM_SHA3_224, "SHA3-224" }, { CKM_SHA3_256, "SHA3-256" },
		{ CKM_SHA3_384, "SHA3-384" }, { CKM_SHA3_512, "SHA3-512" },
	};
	CK_SESSION_HANDLE s = begin();
	CK_BYTE out[64], expected[64];
	CK_ULONG length, asked;
	size_t i, size;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		CK_MECHANISM mechanism = { rows[i].type, NULL, 0 };

		OK(p->C_DigestInit(s, &mechanism));
		OK(p->C_Digest(s, text, text_length, NULL, &asked));
		length = 5;
		RV(p->C_Digest(s, text, text_length, out, &length), CKR_BUFFER_TOO_SMALL);
		assert_int_equal(length, asked);
		OK(p->C_Digest(s, text, text_length, out, &length));
		assert_int_equal(EVP_Q_digest(NULL, rows[i].name, NULL, text, text_length, expected,
					      &size),
				 1);
		assert_int_equal(length, size);
		assert_memory_equal(out, expected, size);
	}
}

static void hmac(void **state)
{
	CK_SESSION_HANDLE s = begin();
	CK_OBJECT_HANDLE key = secret_key(s, CKK_GENERIC_SECRET, aes_value, 32);
	CK_MECHANISM mechanism = { CKM_SHA256_HMAC, NULL, 0 };
	CK_BYTE out[64], expected[64];
	unsigned int size;

	(void)state;
	assert_int_equal(sign(s, &mechanism, (struct pair){ key, key }, text, text_length, out,
			      sizeof(out)),
			 32);
	HMAC(EVP_sha256(), aes_value, 32, text, text_length, expected, &size);
	assert_memory_equal(out, expected, 32);
}

/* ---- wrapping ---- */

static CK_OBJECT_HANDLE wrapping_key(CK_SESSION_HANDLE s, CK_BBOOL sensitive)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_ATTRIBUTE attributes[] = {
		A(CKA_CLASS, class), A(CKA_KEY_TYPE, type), { CKA_VALUE, (void *)aes_value, 32 },
		YES(CKA_WRAP),	     YES(CKA_UNWRAP),	    A(CKA_SENSITIVE, sensitive),
	};
	CK_OBJECT_HANDLE key;

	OK(p->C_CreateObject(s, attributes, COUNT(attributes), &key));
	return key;
}

static void key_wrap(void **state)
{
	CK_MECHANISM mechanisms[] = { { CKM_AES_KEY_WRAP, NULL, 0 },
				      { CKM_AES_KEY_WRAP_KWP, NULL, 0 } };
	CK_SESSION_HANDLE s = begin();
	CK_OBJECT_HANDLE wrapping = wrapping_key(s, CK_FALSE),
			 key = secret_key(s, CKK_AES, "a key of 16 byte", 16), back;
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_ATTRIBUTE attributes[] = {
		A(CKA_CLASS, class),  A(CKA_KEY_TYPE, type), NO(CKA_SENSITIVE),
		YES(CKA_EXTRACTABLE), NO(CKA_TOKEN),
	};
	CK_BYTE wrapped[64], value[32];
	CK_ULONG length, asked;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(mechanisms); i++) {
		OK(p->C_WrapKey(s, &mechanisms[i], wrapping, key, NULL, &asked));
		length = 1;
		RV(p->C_WrapKey(s, &mechanisms[i], wrapping, key, wrapped, &length),
		   CKR_BUFFER_TOO_SMALL);
		length = sizeof(wrapped);
		OK(p->C_WrapKey(s, &mechanisms[i], wrapping, key, wrapped, &length));
		assert_int_equal(length, 24);
		assert_true(asked >= length);
		OK(p->C_UnwrapKey(s, &mechanisms[i], wrapping, wrapped, length, attributes,
				  COUNT(attributes), &back));
		assert_int_equal(get(s, back, CKA_VALUE, value, sizeof(value)), 16);
		assert_memory_equal(value, "a key of 16 byte", 16);
		/* What a sensitive key unwraps is not for reading. */
		RV(p->C_UnwrapKey(s, &mechanisms[i], wrapping_key(s, CK_TRUE), wrapped, length,
				  attributes, COUNT(attributes), &back),
		   CKR_TEMPLATE_INCONSISTENT);
		wrapped[7] ^= 1;
		RV(p->C_UnwrapKey(s, &mechanisms[i], wrapping, wrapped, length, attributes,
				  COUNT(attributes), &back),
		   CKR_WRAPPED_KEY_INVALID);
	}
	RV(p->C_WrapKey(s, &mechanisms[0], wrapping, aes_key(s, 16), wrapped, &length),
	   CKR_KEY_UNEXTRACTABLE);
}

static void private_key_wrap(void **state)
{
	CK_MECHANISM kwp = { CKM_AES_KEY_WRAP_KWP, NULL, 0 },
		     generate = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	CK_MECHANISM ecdsa_sha256 = { CKM_ECDSA_SHA256, NULL, 0 };
	CK_SESSION_HANDLE s = begin();
	CK_OBJECT_HANDLE wrapping = wrapping_key(s, CK_TRUE);
	CK_ATTRIBUTE public_key[] = { { CKA_EC_PARAMS, (void *)oid_p256, sizeof(oid_p256) },
				      YES(CKA_VERIFY) };
	CK_ATTRIBUTE private_key[] = { YES(CKA_SIGN), YES(CKA_EXTRACTABLE), YES(CKA_SENSITIVE) };
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_KEY_TYPE type = CKK_EC;
	CK_ATTRIBUTE attributes[] = { A(CKA_CLASS, class), A(CKA_KEY_TYPE, type), YES(CKA_SIGN),
				      YES(CKA_SENSITIVE) };
	CK_BYTE wrapped[512], signature[64];
	CK_ULONG length = sizeof(wrapped);
	struct pair pair;

	(void)state;
	OK(p->C_GenerateKeyPair(s, &generate, public_key, COUNT(public_key), private_key,
				COUNT(private_key), &pair.public_key, &pair.private_key));
	OK(p->C_WrapKey(s, &kwp, wrapping, pair.private_key, wrapped, &length));
	OK(p->C_UnwrapKey(s, &kwp, wrapping, wrapped, length, attributes, COUNT(attributes),
			  &pair.private_key));
	assert_false(get_bool(s, pair.private_key, CKA_ALWAYS_SENSITIVE));
	assert_int_equal(
		sign(s, &ecdsa_sha256, pair, text, text_length, signature, sizeof(signature)), 64);
}

/* ---- post-quantum, where libcrypto has it ---- */

static void ml_dsa(void **state)
{
	CK_MECHANISM generate = { CKM_ML_DSA_KEY_PAIR_GEN, NULL, 0 };
	CK_SIGN_ADDITIONAL_CONTEXT context = { CKH_HEDGE_PREFERRED, (CK_BYTE *)"context", 7 };
	CK_MECHANISM pure = { CKM_ML_DSA, NULL, 0 },
		     with_context = { CKM_ML_DSA, &context, sizeof(context) };
	CK_ULONG set = CKP_ML_DSA_65;
	CK_ATTRIBUTE public_key[] = { A(CKA_PARAMETER_SET, set), YES(CKA_VERIFY) };
	CK_ATTRIBUTE private_key[] = { YES(CKA_SIGN) };
	static CK_BYTE signature[8192];
	CK_SESSION_HANDLE s = begin();
	struct pair pair;

	(void)state;
	NEED(CKM_ML_DSA, CKF_SIGN | CKF_VERIFY);
	OK(p->C_GenerateKeyPair(s, &generate, public_key, COUNT(public_key), private_key,
				COUNT(private_key), &pair.public_key, &pair.private_key));
	assert_int_equal(sign(s, &pure, pair, text, text_length, signature, sizeof(signature)),
			 3309);
	assert_int_equal(sign(s, &with_context, pair, text, text_length, signature,
			      sizeof(signature)),
			 3309);
	OK(p->C_VerifyInit(s, &pure, pair.public_key));
	RV(p->C_Verify(s, text, text_length, signature, 3309), CKR_SIGNATURE_INVALID);
}

static void ml_kem(void **state)
{
	CK_MECHANISM generate = { CKM_ML_KEM_KEY_PAIR_GEN, NULL, 0 }, kem = { CKM_ML_KEM, NULL, 0 };
	CK_ULONG set = CKP_ML_KEM_768, asked = 0, length;
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_ATTRIBUTE public_key[] = { A(CKA_PARAMETER_SET, set), YES(CKA_ENCAPSULATE) };
	CK_ATTRIBUTE private_key[] = { YES(CKA_DECAPSULATE) };
	CK_ATTRIBUTE secret[] = {
		A(CKA_CLASS, class),  A(CKA_KEY_TYPE, type),	   NO(CKA_SENSITIVE),
		YES(CKA_EXTRACTABLE), STRING(CKA_LABEL, "shared"),
	};
	CK_BYTE ciphertext[2048], a[64], b[64];
	CK_SESSION_HANDLE s = begin();
	CK_OBJECT_HANDLE one, two;
	struct pair pair;

	(void)state;
	NEED(CKM_ML_KEM, CKF_ENCAPSULATE | CKF_DECAPSULATE);
	OK(p->C_GenerateKeyPair(s, &generate, public_key, COUNT(public_key), private_key,
				COUNT(private_key), &pair.public_key, &pair.private_key));
	OK(p->C_EncapsulateKey(s, &kem, pair.public_key, secret, COUNT(secret), NULL, &asked,
			       &one));
	assert_int_equal(asked, 1088);
	assert_int_equal(find_label(s, "shared"), 0);
	length = sizeof(ciphertext);
	OK(p->C_EncapsulateKey(s, &kem, pair.public_key, secret, COUNT(secret), ciphertext, &length,
			       &one));
	assert_int_equal(length, 1088);
	OK(p->C_DecapsulateKey(s, &kem, pair.private_key, secret, COUNT(secret), ciphertext, length,
			       &two));
	assert_int_equal(get(s, one, CKA_VALUE, a, sizeof(a)), 32);
	assert_int_equal(get(s, two, CKA_VALUE, b, sizeof(b)), 32);
	assert_memory_equal(a, b, 32);
}

static void random_bytes(void **state)
{
	static CK_BYTE a[200000], b[200000];
	CK_SESSION_HANDLE s = begin();

	(void)state;
	OK(p->C_GenerateRandom(s, a, sizeof(a)));
	OK(p->C_SeedRandom(s, a, 32));
	OK(p->C_GenerateRandom(s, b, sizeof(b)));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_memory_not_equal(a + sizeof(a) - 32, (CK_BYTE[32]){ 0 }, 32);
	OK(p->C_GenerateRandom(s, NULL, 0));
}

#define TEST(f) cmocka_unit_test_teardown(f, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rsa_signatures),
		TEST(rsa_encryption),
		TEST(ecdsa),
		TEST(eddsa),
		TEST(ecdh),
		TEST(aes_modes),
		TEST(aes_gcm),
		TEST(digests),
		TEST(hmac),
		TEST(key_wrap),
		TEST(private_key_wrap),
		TEST(ml_dsa),
		TEST(ml_kem),
		TEST(random_bytes),
	};

	return cmocka_run_group_tests(tests, setup_token, teardown);
}
