// SPDX-License-Identifier: Apache-2.0
/*
 * Values of secret keys: which lengths a key type has, what else must hold, their check values; keys that are generated,
 * and values that a derivation gives.
 */
#include <string.h>
#include "mech_private.h"

#define CHECK_LENGTH 3
#define DES_KEY	     8 /* bytes of one of the keys in a 3DES key */

/**
 * struct secret_type - a key type whose values have certain lengths
 * @length: in bytes, 0: no more
 * @parity: each byte has odd parity, and no two keys of the triple that stand side by side are alike
 * @halves: two keys that must differ
 */
static const struct secret_type {
	uint64_t type;
	uint8_t length[3];
	bool parity;
	bool halves;
} secret_types[] = {
	{ CKK_AES, { 16, 24, 32 }, false, false },
	{ CKK_AES_XTS, { 32, 64 }, false, true },
	{ CKK_CAMELLIA, { 16, 24, 32 }, false, false },
	{ CKK_ARIA, { 16, 24, 32 }, false, false },
	{ CKK_DES2, { 16 }, true, false },
	{ CKK_DES3, { 24 }, true, false },
	{ CKK_CHACHA20, { 32 }, false, false },
	{ CKK_POLY1305, { 32 }, false, false },
};

/* NULL: any length up to the largest */
static const struct secret_type *secret_type(uint64_t type)
{
	for (size_t i = 0; i < sizeof(secret_types) / sizeof(secret_types[0]); i++) {
		if (secret_types[i].type == type)
			return &secret_types[i];
	}
	return NULL;
}

static bool length_valid(uint64_t key_type, size_t length)
{
	const struct secret_type *type = secret_type(key_type);

	if (!type)
		return length >= 1 && length <= MECH_SECRET_MAX;
	for (int i = 0; i < 3 && type->length[i]; i++) {
		if (type->length[i] == length)
			return true;
	}
	return false;
}

size_t mech_secret_fixed(uint64_t key_type)
{
	const struct secret_type *type = secret_type(key_type);

	return type && !type->length[1] ? type->length[0] : 0;
}

/* ---- what else must hold ---- */

/* A byte of a DES key with its lowest bit set so that the number of ones is odd */
static uint8_t odd(uint8_t byte)
{
	uint8_t ones = byte & 0xfe;

	ones ^= ones >> 4;
	ones ^= ones >> 2;
	ones ^= ones >> 1;
	return (byte & 0xfe) | (~ones & 1);
}

/* Two like keys side by side undo each other, and what remains is DES. */
static bool triple_valid(const uint8_t *value, size_t length)
{
	unsigned int wrong = 0;
	size_t i;

	for (i = 0; i < length; i++)
		wrong |= value[i] ^ odd(value[i]);
	for (i = DES_KEY; i < length; i += DES_KEY) {
		if (!CRYPTO_memcmp(value + i, value + i - DES_KEY, DES_KEY))
			return false;
	}
	return !wrong;
}

bool mech_secret_valid(uint64_t key_type, const uint8_t *value, size_t length)
{
	const struct secret_type *type = secret_type(key_type);

	if (!length_valid(key_type, length))
		return false;
	if (type && type->parity)
		return triple_valid(value, length);
	return !type || !type->halves || CRYPTO_memcmp(value, value + length / 2, length / 2);
}

/* Made here, not given by a caller: parity is put right. */
static void set_parity(uint64_t key_type, uint8_t *value, size_t length)
{
	const struct secret_type *type = secret_type(key_type);

	for (size_t i = 0; type && type->parity && i < length; i++)
		value[i] = odd(value[i]);
}

/* ---- check values ---- */

/* The first bytes of a block of zeroes encrypted, of the SHA-1 of a secret that is no block cipher's (PKCS#11, CKA_CHECK_VALUE) */
static CK_RV check_value(uint64_t type, const uint8_t *value, size_t length,
			 uint8_t check[EVP_MAX_MD_SIZE])
{
	const EVP_CIPHER *cipher = mech_cipher_ecb(type, length);
	const struct mech_hash *sha1 = mech_hash_find(CKM_SHA_1);
	uint8_t zero[MECH_AES_BLOCK] = { 0 };
	EVP_CIPHER_CTX *ctx;
	int written = 0;
	bool ok;

	if (!cipher) {
		ok = sha1 && EVP_Digest(value, length, check, NULL, mech_hash_md(sha1), NULL);
		return ok ? CKR_OK : mech_failed(CKR_FUNCTION_FAILED);
	}
	ctx = EVP_CIPHER_CTX_new();
	if (!ctx)
		return CKR_HOST_MEMORY;
	ok = EVP_EncryptInit_ex2(ctx, cipher, value, NULL, NULL) &&
	     EVP_CIPHER_CTX_set_padding(ctx, 0) &&
	     EVP_EncryptUpdate(ctx, check, &written, zero, EVP_CIPHER_get_block_size(cipher));
	EVP_CIPHER_CTX_free(ctx);
	return ok ? CKR_OK : mech_failed(CKR_FUNCTION_FAILED);
}

/* A check value in a template must be right; an empty one says that none is wanted. */
static CK_RV set_check_value(struct attributes *attributes, uint64_t type, const uint8_t *value,
			     size_t length)
{
	const struct attribute *given = attributes_find(attributes, CKA_CHECK_VALUE);
	uint8_t check[EVP_MAX_MD_SIZE];
	CK_RV rv;

	if (given && !given->length)
		return CKR_OK;
	rv = check_value(type, value, length, check);
	if (rv != CKR_OK)
		return rv;
	if (!given)
		return attributes_set(attributes, CKA_CHECK_VALUE, check, CHECK_LENGTH);
	if (given->length != CHECK_LENGTH || CRYPTO_memcmp(given->value, check, CHECK_LENGTH))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	return CKR_OK;
}

/* ---- values that become attributes ---- */

CK_RV mech_secret_fill(struct attributes *attributes, const uint8_t *value, size_t length)
{
	uint64_t type = attributes_ulong(attributes, CKA_KEY_TYPE, UINT64_MAX);
	CK_RV rv;

	if (!length_valid(type, length))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	rv = attributes_set(attributes, CKA_VALUE, value, length);
	if (rv == CKR_OK)
		rv = attributes_set_ulong(attributes, CKA_VALUE_LEN, length);
	if (rv == CKR_OK)
		rv = set_check_value(attributes, type, value, length);
	return rv;
}

CK_RV mech_secret_length(const struct attributes *attributes, size_t *length)
{
	uint64_t type = attributes_ulong(attributes, CKA_KEY_TYPE, UINT64_MAX);
	uint64_t asked = attributes_ulong(attributes, CKA_VALUE_LEN, 0);

	*length = mech_secret_fixed(type);
	if (!attributes_find(attributes, CKA_VALUE_LEN))
		return CKR_OK;
	if (asked > MECH_SECRET_MAX || !length_valid(type, asked))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	*length = asked;
	return CKR_OK;
}

/* A value that was made here; a bad one (two halves alike) comes up as often as it is guessed. */
static CK_RV made(struct attributes *attributes, const uint8_t *secret, size_t length)
{
	uint64_t type = attributes_ulong(attributes, CKA_KEY_TYPE, UINT64_MAX);
	uint8_t value[MECH_SECRET_MAX];
	CK_RV rv = CKR_ATTRIBUTE_VALUE_INVALID;

	if (length > sizeof(value))
		return rv;
	memcpy(value, secret, length);
	set_parity(type, value, length);
	if (mech_secret_valid(type, value, length))
		rv = mech_secret_fill(attributes, value, length);
	OPENSSL_cleanse(value, length);
	return rv;
}

/* How long is the derived key to be, when there are @length bytes of it? */
static CK_RV derived_length(const struct attributes *attributes, size_t length, size_t *asked)
{
	CK_RV rv = mech_secret_length(attributes, asked);

	if (rv != CKR_OK)
		return rv;
	if (attributes_ulong(attributes, CKA_CLASS, CKO_SECRET_KEY) != CKO_SECRET_KEY)
		return CKR_TEMPLATE_INCONSISTENT;
	if (!*asked)
		*asked = length;
	/* Lessons of others: short outputs of one base, each searched for, give it away piece by piece. */
	return *asked < MECH_DERIVED_MIN || *asked > length ? CKR_ATTRIBUTE_VALUE_INVALID : CKR_OK;
}

CK_RV mech_secret_derived(struct attributes *attributes, const uint8_t *secret, size_t length)
{
	size_t asked;
	CK_RV rv = derived_length(attributes, length, &asked);

	return rv == CKR_OK ? made(attributes, secret + length - asked, asked) : rv;
}

CK_RV mech_secret_leading(struct attributes *attributes, const uint8_t *secret, size_t length)
{
	size_t asked;
	CK_RV rv = derived_length(attributes, length, &asked);

	return rv == CKR_OK ? made(attributes, secret, asked) : rv;
}

CK_RV mech_generate_key(const struct mechanism *mechanism, struct attributes *attributes)
{
	const struct hsm_mechanism_info *info = mechanism->info;
	uint8_t value[MECH_SECRET_MAX];
	size_t length;
	CK_RV rv;

	if (!mech_available(info))
		return CKR_MECHANISM_INVALID;
	rv = mech_check_parameters(mechanism);
	if (rv == CKR_OK && info->family == MECH_FAMILY_DH_PARAMETERS)
		return mech_dh_parameters(mechanism, attributes);
	if (rv == CKR_OK && info->family == MECH_FAMILY_PBKDF2)
		return mech_generate_pbkdf2(mechanism, attributes);
	if (info->family != MECH_FAMILY_SECRET_GENERATE)
		return CKR_MECHANISM_INVALID;
	if (rv == CKR_OK)
		rv = mech_secret_length(attributes, &length);
	if (rv != CKR_OK)
		return rv;
	if (!length)
		return CKR_TEMPLATE_INCOMPLETE;
	if (length < info->min || length > info->max)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	rv = mech_random(value, length);
	if (rv == CKR_OK)
		rv = made(attributes, value, length);
	OPENSSL_cleanse(value, sizeof(value));
	return rv;
}
