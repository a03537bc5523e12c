// SPDX-License-Identifier: Apache-2.0
/*
 * Wrapping: a key becomes bytes (the value of a secret key, PKCS#8 of a private one), which a mechanism with CKF_WRAP
 * encrypts, and back. Only mechanisms that authenticate what they wrap, and RSA, are offered for it (mechanisms.rst).
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/x509.h>
#include "mech_private.h"

#define WRAP_BLOCK 8
#define KW_MIN	   16

/* ---- RFC 3394 and RFC 5649 ---- */

static bool is_padded(const struct mech_operation *operation)
{
	return operation->info->mechanism != CKM_AES_KEY_WRAP;
}

static CK_RV key_wrap_begin(struct mech_operation *operation, const struct mechanism *mechanism)
{
	size_t length;
	const uint8_t *iv = hsm_fields_bytes(mechanism->fields, HSM_FIELD_IV, &length);

	if (length && length != (is_padded(operation) ? 4u : 8u))
		return CKR_MECHANISM_PARAM_INVALID;
	operation->params.iv_length = (uint32_t)length;
	if (length)
		memcpy(operation->params.iv, iv, length);
	return CKR_OK;
}

static size_t key_wrap_size(const struct mech_operation *operation, size_t in_length)
{
	if (operation->use == MECH_ENCRYPT)
		return (in_length + WRAP_BLOCK - 1) / WRAP_BLOCK * WRAP_BLOCK + WRAP_BLOCK;
	return in_length > WRAP_BLOCK ? in_length - WRAP_BLOCK : 0;
}

static CK_RV key_wrap_length(const struct mech_operation *operation, size_t length)
{
	size_t min = is_padded(operation) ? 1 : KW_MIN;

	if (operation->use == MECH_ENCRYPT)
		return length >= min && length <= MECH_HELD_MAX &&
				       (is_padded(operation) || !(length % WRAP_BLOCK))
			       ? CKR_OK
			       : CKR_DATA_LEN_RANGE;
	return length >= (is_padded(operation) ? 16u : 24u) && length <= MECH_HELD_MAX &&
			       !(length % WRAP_BLOCK)
		       ? CKR_OK
		       : CKR_ENCRYPTED_DATA_LEN_RANGE;
}

static CK_RV run(const EVP_CIPHER *cipher, const uint8_t *kek, const uint8_t *iv, bool wrap,
		 const uint8_t *in, size_t in_length, uint8_t *out, size_t *out_length)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int written = 0;
	bool ok;

	if (!ctx)
		return CKR_HOST_MEMORY;
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	ok = EVP_CipherInit_ex2(ctx, cipher, kek, iv, wrap, NULL) &&
	     EVP_CipherUpdate(ctx, out, &written, in, (int)in_length) > 0;
	EVP_CIPHER_CTX_free(ctx);
	if (!ok || written <= 0)
		return mech_failed(CKR_ENCRYPTED_DATA_INVALID);
	*out_length = (size_t)written;
	return CKR_OK;
}

static CK_RV key_wrap_finish(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			     uint8_t *out, size_t *out_length)
{
	const struct attribute *value = operation->key->value;
	const struct mech_params *params = &operation->params;
	CK_RV rv = key_wrap_length(operation, in_length);

	if (rv != CKR_OK)
		return rv;
	return run(mech_cipher(operation->info, value->length), value->value,
		   params->iv_length ? params->iv : NULL, operation->use == MECH_ENCRYPT, in,
		   in_length, out, out_length);
}

CK_RV mech_key_wrap_kwp(bool wrap, const uint8_t *kek, size_t kek_length, const uint8_t *in,
			size_t in_length, uint8_t *out, size_t *out_length)
{
	const struct hsm_mechanism_info *kwp = hsm_mechanism_find(CKM_AES_KEY_WRAP_KWP);

	if (!mech_available(kwp))
		return CKR_MECHANISM_INVALID;
	return run(mech_cipher(kwp, kek_length), kek, NULL, wrap, in, in_length, out, out_length);
}

const struct mech_ops mech_key_wrap_ops = {
	.begin = key_wrap_begin,
	.finish = key_wrap_finish,
	.size = key_wrap_size,
	.exact = true,
};

/* ---- keys as bytes ---- */

/* The bytes of @key; ends up in *der, to be freed with OPENSSL_clear_free() */
static CK_RV serialize(struct key *key, uint8_t **der, size_t *length)
{
	PKCS8_PRIV_KEY_INFO *info;
	EVP_PKEY *pkey;
	int size;

	*der = NULL;
	if (key->class == CKO_SECRET_KEY && key->value) {
		*length = key->value->length;
		*der = OPENSSL_memdup(key->value->value, *length);
		return *der ? CKR_OK : CKR_HOST_MEMORY;
	}
	if (key->class != CKO_PRIVATE_KEY)
		return CKR_KEY_NOT_WRAPPABLE;
	pkey = key_pkey(key);
	info = pkey ? EVP_PKEY2PKCS8(pkey) : NULL;
	size = info ? i2d_PKCS8_PRIV_KEY_INFO(info, der) : 0;
	PKCS8_PRIV_KEY_INFO_free(info);
	if (size <= 0)
		return mech_failed(CKR_KEY_NOT_WRAPPABLE);
	*length = (size_t)size;
	return CKR_OK;
}

/* CKK_ of a libcrypto key, CK_UNAVAILABLE_INFORMATION when it is none of ours */
static uint64_t type_of(EVP_PKEY *pkey)
{
	const struct mech_curve *curve;
	const struct mech_set *set;

	if (EVP_PKEY_is_a(pkey, "RSA"))
		return CKK_RSA;
	curve = mech_curve_of_pkey(pkey);
	if (curve)
		return curve->type;
	if (EVP_PKEY_is_a(pkey, "DH"))
		return CKK_DH;
	if (EVP_PKEY_is_a(pkey, "DHX"))
		return CKK_X9_42_DH;
	set = mech_set_of_pkey(pkey);
	return set ? set->type : CK_UNAVAILABLE_INFORMATION;
}

/* What the template says of the key and what came out of the envelope must be one and the same. */
static CK_RV deserialize_private(struct attributes *attributes, const uint8_t *der, size_t length)
{
	uint64_t type = attributes_ulong(attributes, CKA_KEY_TYPE, UINT64_MAX);
	const uint8_t *p = der;
	PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)length);
	const struct mech_curve *curve;
	EVP_PKEY *pkey = NULL;
	CK_RV rv = CKR_WRAPPED_KEY_INVALID;

	/* KW and CBC leave no padding behind, so nothing may follow the structure. */
	if (info && p == der + length)
		pkey = EVP_PKCS82PKEY_ex(info, mech_libctx(), NULL);
	PKCS8_PRIV_KEY_INFO_free(info);
	curve = pkey ? mech_curve_of_pkey(pkey) : NULL;
	if (!pkey || type_of(pkey) != type)
		rv = CKR_WRAPPED_KEY_INVALID;
	else if (curve && attributes_find(attributes, CKA_EC_PARAMS) &&
		 mech_curve_of(attributes) != curve)
		rv = CKR_TEMPLATE_INCONSISTENT;
	else
		rv = mech_pkey_fill(attributes, pkey, CKO_PRIVATE_KEY, type);
	EVP_PKEY_free(pkey);
	return rv == CKR_OK ? rv : mech_failed(rv);
}

static CK_RV deserialize(struct attributes *attributes, const uint8_t *data, size_t length)
{
	uint64_t class = attributes_ulong(attributes, CKA_CLASS, UINT64_MAX);
	CK_RV rv;

	if (class == CKO_PRIVATE_KEY)
		rv = deserialize_private(attributes, data, length);
	else if (class != CKO_SECRET_KEY)
		return CKR_TEMPLATE_INCONSISTENT;
	else if (attributes_ulong(attributes, CKA_VALUE_LEN, length) != length)
		return CKR_TEMPLATE_INCONSISTENT;
	else
		rv = attributes_set(attributes, CKA_VALUE, data, length);
	if (rv != CKR_OK)
		return rv;
	rv = mech_import(attributes);
	return rv == CKR_ATTRIBUTE_VALUE_INVALID || rv == CKR_TEMPLATE_INCOMPLETE
		       ? CKR_WRAPPED_KEY_INVALID
		       : rv;
}

/* ---- wrap and unwrap ---- */

static CK_RV wrap_error(CK_RV rv)
{
	switch (rv) {
	case CKR_DATA_LEN_RANGE:
		return CKR_KEY_SIZE_RANGE;
	case CKR_KEY_TYPE_INCONSISTENT:
		return CKR_WRAPPING_KEY_TYPE_INCONSISTENT;
	default:
		return rv;
	}
}

CK_RV mech_wrap(const struct mechanism *mechanism, struct key *wrapping, struct key *key,
		uint8_t *out, size_t *out_length)
{
	struct mech_operation *operation;
	uint8_t *plain;
	size_t length = 0;
	CK_RV rv;

	if (!(mech_flags(mechanism->info) & CKF_WRAP))
		return CKR_MECHANISM_INVALID;
	rv = mech_begin_any(&operation, MECH_ENCRYPT, mechanism, wrapping);
	if (rv == CKR_KEY_SIZE_RANGE)
		return CKR_WRAPPING_KEY_SIZE_RANGE;
	if (rv != CKR_OK)
		return wrap_error(rv);
	rv = serialize(key, &plain, &length);
	/* Of CCM the length is known here, whatever the caller says (PKCS#11 3.2, 6.13.5). */
	if (mechanism->info->family == MECH_FAMILY_AEAD)
		operation->limit = length;
	if (rv == CKR_OK)
		rv = wrap_error(mech_single(operation, plain, length, out, out_length));
	OPENSSL_clear_free(plain, length);
	mech_free(operation);
	return rv;
}

static CK_RV unwrap_error(CK_RV rv)
{
	switch (rv) {
	case CKR_ENCRYPTED_DATA_INVALID:
		return CKR_WRAPPED_KEY_INVALID;
	case CKR_ENCRYPTED_DATA_LEN_RANGE:
		return CKR_WRAPPED_KEY_LEN_RANGE;
	case CKR_KEY_TYPE_INCONSISTENT:
		return CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT;
	case CKR_KEY_SIZE_RANGE:
		return CKR_UNWRAPPING_KEY_SIZE_RANGE;
	default:
		return rv;
	}
}

CK_RV mech_unwrap(const struct mechanism *mechanism, struct key *wrapping, const uint8_t *in,
		  size_t in_length, struct attributes *attributes)
{
	struct mech_operation *operation;
	size_t room = in_length + 1024, length = room;
	uint8_t *plain;
	CK_RV rv;

	if (!(mech_flags(mechanism->info) & CKF_UNWRAP))
		return CKR_MECHANISM_INVALID;
	if (in_length > MECH_HELD_MAX)
		return CKR_WRAPPED_KEY_LEN_RANGE;
	rv = mech_begin_any(&operation, MECH_DECRYPT, mechanism, wrapping);
	if (rv != CKR_OK)
		return unwrap_error(rv);
	if (mechanism->info->family == MECH_FAMILY_AEAD)
		operation->limit = mech_output_size(operation, in_length);
	plain = malloc(room);
	rv = plain ? unwrap_error(mech_single(operation, in, in_length, plain, &length))
		   : CKR_HOST_MEMORY;
	if (rv == CKR_OK)
		rv = deserialize(attributes, plain, length);
	if (plain)
		OPENSSL_cleanse(plain, room);
	free(plain);
	mech_free(operation);
	return rv;
}
