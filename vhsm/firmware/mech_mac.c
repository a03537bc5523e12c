// SPDX-License-Identifier: Apache-2.0
/*
 * HMAC, CMAC and plain digests. A parked MAC keeps its key; the next one starts by setting the context back.
 */
#include <string.h>
#include "mech_private.h"

#define MAC_LENGTH_MIN 4 /* a shorter MAC is found by trying */

static size_t mac_full_length(const struct mech_operation *operation)
{
	const struct mech_hash *hash = mech_hash_of_row(operation->info);

	return hash ? (size_t)EVP_MD_get_size(mech_hash_md(hash)) : MECH_AES_BLOCK;
}

static CK_RV mac_length(struct mech_operation *operation, const struct mechanism *mechanism)
{
	uint64_t full = mac_full_length(operation);
	uint64_t length = full;

	if (mechanism->info->parameter == HSM_PARAM_MAC_LENGTH)
		length = hsm_fields_u64(mechanism->fields, HSM_FIELD_LENGTH, 0);
	if (length < MAC_LENGTH_MIN || length > full)
		return CKR_MECHANISM_PARAM_INVALID;
	operation->params.length = (uint32_t)length;
	return CKR_OK;
}

static CK_RV mac_begin(struct mech_operation *operation, const struct mechanism *mechanism,
		       EVP_MAC *mac, const OSSL_PARAM *params)
{
	const struct attribute *value = operation->key->value;
	CK_RV rv = mac_length(operation, mechanism);

	if (rv != CKR_OK)
		return rv;
	if (operation->prepared) {
		if (!EVP_MAC_init(operation->mac_ctx, NULL, 0, NULL))
			return mech_failed(CKR_FUNCTION_FAILED);
		return CKR_OK;
	}
	operation->mac_ctx = EVP_MAC_CTX_new(mac);
	if (!operation->mac_ctx)
		return CKR_HOST_MEMORY;
	if (!EVP_MAC_init(operation->mac_ctx, value->value, value->length, params))
		return mech_failed(CKR_FUNCTION_FAILED);
	operation->prepared = true;
	return CKR_OK;
}

static CK_RV hmac_begin(struct mech_operation *operation, const struct mechanism *mechanism)
{
	const struct mech_hash *hash = mech_hash_of_row(mechanism->info);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)hash->name, 0),
		OSSL_PARAM_construct_end(),
	};

	return mac_begin(operation, mechanism, mech_mac_hmac(), params);
}

static CK_RV cmac_begin(struct mech_operation *operation, const struct mechanism *mechanism)
{
	const EVP_CIPHER *cipher = mech_cipher(mechanism->info, operation->key->value->length);
	OSSL_PARAM params[2] = { OSSL_PARAM_construct_end(), OSSL_PARAM_construct_end() };

	if (!cipher)
		return CKR_KEY_SIZE_RANGE;
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER,
						     (char *)EVP_CIPHER_get0_name(cipher), 0);
	return mac_begin(operation, mechanism, mech_mac_cmac(), params);
}

static CK_RV mac_update(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			uint8_t *out, size_t *out_length)
{
	(void)out;
	*out_length = 0;
	if (in_length && !EVP_MAC_update(operation->mac_ctx, in, in_length))
		return mech_failed(CKR_FUNCTION_FAILED);
	return CKR_OK;
}

static CK_RV mac_compute(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			 uint8_t mac[EVP_MAX_MD_SIZE])
{
	size_t length = EVP_MAX_MD_SIZE;

	if ((in_length && !EVP_MAC_update(operation->mac_ctx, in, in_length)) ||
	    !EVP_MAC_final(operation->mac_ctx, mac, &length, EVP_MAX_MD_SIZE))
		return mech_failed(CKR_FUNCTION_FAILED);
	return CKR_OK;
}

static CK_RV mac_finish(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			uint8_t *out, size_t *out_length)
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	CK_RV rv = mac_compute(operation, in, in_length, mac);

	if (rv == CKR_OK) {
		memcpy(out, mac, operation->params.length);
		*out_length = operation->params.length;
	}
	OPENSSL_cleanse(mac, sizeof(mac));
	return rv;
}

static CK_RV mac_verify(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			const uint8_t *signature, size_t length)
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	CK_RV rv;

	if (length != operation->params.length)
		return CKR_SIGNATURE_LEN_RANGE;
	rv = mac_compute(operation, in, in_length, mac);
	if (rv == CKR_OK && CRYPTO_memcmp(mac, signature, length))
		rv = CKR_SIGNATURE_INVALID;
	OPENSSL_cleanse(mac, sizeof(mac));
	return rv;
}

static size_t mac_size(const struct mech_operation *operation, size_t in_length)
{
	(void)in_length;
	return operation->use == MECH_SIGN ? operation->params.length : 0;
}

const struct mech_ops mech_hmac_ops = {
	.begin = hmac_begin,
	.update = mac_update,
	.finish = mac_finish,
	.verify = mac_verify,
	.size = mac_size,
	.exact = true,
};

const struct mech_ops mech_cmac_ops = {
	.begin = cmac_begin,
	.update = mac_update,
	.finish = mac_finish,
	.verify = mac_verify,
	.size = mac_size,
	.exact = true,
};

/* ---- digests: mech.c runs the row's hash, and what is left to do here is to hand it out ---- */

static CK_RV digest_begin(struct mech_operation *operation, const struct mechanism *mechanism)
{
	(void)operation;
	(void)mechanism;
	return CKR_OK;
}

static CK_RV digest_finish(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			   uint8_t *out, size_t *out_length)
{
	(void)operation;
	memcpy(out, in, in_length);
	*out_length = in_length;
	return CKR_OK;
}

static size_t digest_size(const struct mech_operation *operation, size_t in_length)
{
	(void)in_length;
	return mac_full_length(operation);
}

const struct mech_ops mech_digest_ops = {
	.begin = digest_begin,
	.finish = digest_finish,
	.size = digest_size,
	.exact = true,
	.digest = true,
};
