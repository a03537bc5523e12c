// SPDX-License-Identifier: Apache-2.0
/*
 * Two short derivations: a key is the digest of another one, or what another one encrypts.
 */
#include "mech_private.h"

/* ---- digests ---- */

/* PKCS#11 3.2, table 142: so much of SHAKE's output there is */
static size_t xof_length(const struct hsm_mechanism_info *info)
{
	return info->mechanism == CKM_SHAKE_128_KEY_DERIVATION ? 32 : 64;
}

static bool digest(const struct hsm_mechanism_info *info, const struct attribute *value,
		   uint8_t out[EVP_MAX_MD_SIZE])
{
	const EVP_MD *xof = mech_xof_of_row(info);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok;

	ok = ctx &&
	     (xof ? EVP_DigestInit_ex2(ctx, xof, NULL) > 0
		  : mech_hash_init(ctx, mech_hash_of_row(info))) &&
	     EVP_DigestUpdate(ctx, value->value, value->length) &&
	     (xof ? EVP_DigestFinalXOF(ctx, out, xof_length(info))
		  : EVP_DigestFinal_ex(ctx, out, NULL));
	EVP_MD_CTX_free(ctx);
	return ok;
}

CK_RV mech_derive_digest(const struct mechanism *mechanism, struct key *base,
			 struct mech_derived *derived)
{
	const struct hsm_mechanism_info *info = mechanism->info;
	struct attributes *key = &derived->keys[0];
	size_t size = mech_xof_of_row(info) ? xof_length(info)
					    : mech_hash_size(mech_hash_of_row(info));
	bool open = attributes_ulong(key, CKA_KEY_TYPE, CKK_GENERIC_SECRET) == CKK_GENERIC_SECRET;
	uint8_t out[EVP_MAX_MD_SIZE];
	size_t length;
	CK_RV rv = mech_derived_length(key, open ? size : 0, &length);

	if (rv == CKR_OK && length > size)
		rv = CKR_ATTRIBUTE_VALUE_INVALID;
	if (rv == CKR_OK && !digest(info, base->value, out))
		rv = mech_failed(CKR_FUNCTION_FAILED);
	if (rv == CKR_OK)
		rv = mech_secret_leading(key, out, length);
	OPENSSL_cleanse(out, sizeof(out));
	return rv;
}

/* ---- encryption: from the end of the ciphertext is discarded what the key does not need ---- */

static bool encrypt(const EVP_CIPHER *cipher, const struct attribute *value,
		    const struct mech_part *iv, const struct mech_part *data, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int written = 0;
	bool ok;

	ok = ctx && EVP_EncryptInit_ex2(ctx, cipher, value->value, iv->data, NULL) &&
	     EVP_CIPHER_CTX_set_padding(ctx, 0) &&
	     EVP_EncryptUpdate(ctx, out, &written, data->data, (int)data->length) &&
	     (size_t)written == data->length;
	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

CK_RV mech_derive_encrypt(const struct mechanism *mechanism, struct key *base,
			  struct mech_derived *derived)
{
	const EVP_CIPHER *cipher = mech_cipher(mechanism->info, base->value->length);
	struct mech_part data = mech_field(mechanism, HSM_FIELD_SHARED);
	struct mech_part iv = mech_field(mechanism, HSM_FIELD_IV);
	struct attributes *key = &derived->keys[0];
	bool open = attributes_ulong(key, CKA_KEY_TYPE, CKK_GENERIC_SECRET) == CKK_GENERIC_SECRET;
	uint8_t out[MECH_DERIVED_MAX];
	size_t length;
	CK_RV rv;

	if (!cipher)
		return CKR_KEY_SIZE_RANGE;
	if (iv.length != (size_t)EVP_CIPHER_get_iv_length(cipher) || !data.length ||
	    data.length > sizeof(out) || data.length % (size_t)EVP_CIPHER_get_block_size(cipher))
		return CKR_MECHANISM_PARAM_INVALID;
	rv = mech_derived_length(key, open ? data.length : 0, &length);
	if (rv == CKR_OK && length > data.length)
		rv = CKR_DATA_LEN_RANGE;
	if (rv == CKR_OK && !encrypt(cipher, base->value, &iv, &data, out))
		rv = mech_failed(CKR_FUNCTION_FAILED);
	if (rv == CKR_OK)
		rv = mech_secret_leading(key, out, length);
	OPENSSL_cleanse(out, sizeof(out));
	return rv;
}
