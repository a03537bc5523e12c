// SPDX-License-Identifier: Apache-2.0
/*
 * Signatures with a context string, over the message or over its hash: ML-DSA (FIPS 204) and SLH-DSA (FIPS 205), which say
 * it in the same words.
 */
#include <string.h>
#include "mech_private.h"

#define CONTEXT_MAX 255

static bool is_prehashed(const struct hsm_mechanism_info *info)
{
	return info->mechanism != CKM_ML_DSA && info->mechanism != CKM_SLH_DSA;
}

/*
 * HashML-DSA and HashSLH-DSA, which libcrypto does not offer under a name: what is signed is made here as FIPS 204, algorithm
 * 4, and FIPS 205, algorithm 23, say, 1, length of the context, context, OID of the hash, hash; and signed without
 * libcrypto's own encoding of messages.
 */
static CK_RV prehash_begin(struct mech_operation *operation, const uint8_t *context, size_t length)
{
	const struct mech_hash *hash = operation->params.hash;
	uint8_t oid[] = { 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, hash->oid };
	uint8_t head[2] = { 1, (uint8_t)length };
	CK_RV rv = mech_hold(&operation->extra, head, sizeof(head));

	if (rv == CKR_OK)
		rv = mech_hold(&operation->extra, context, length);
	if (rv == CKR_OK)
		rv = mech_hold(&operation->extra, oid, sizeof(oid));
	return rv;
}

static CK_RV find_hash(struct mech_operation *operation, const struct mechanism *mechanism)
{
	const struct mech_hash *hash = mech_hash_of_row(mechanism->info);

	if (!is_prehashed(mechanism->info))
		return CKR_OK;
	if (!hash)
		hash = mech_hash_find(
			hsm_fields_u64(mechanism->fields, HSM_FIELD_HASH, UINT64_MAX));
	if (!hash || !hash->oid)
		return CKR_MECHANISM_PARAM_INVALID;
	operation->params.hash = hash;
	return CKR_OK;
}

static CK_RV init(struct mech_operation *operation, const OSSL_PARAM *params)
{
	EVP_PKEY *pkey = key_pkey(operation->key);
	int ok;

	if (!pkey)
		return CKR_FUNCTION_FAILED;
	operation->sign_ctx = EVP_MD_CTX_new();
	if (!operation->sign_ctx)
		return CKR_HOST_MEMORY;
	if (operation->use == MECH_SIGN)
		ok = EVP_DigestSignInit_ex(operation->sign_ctx, NULL, NULL, mech_libctx(), NULL,
					   pkey, params);
	else
		ok = EVP_DigestVerifyInit_ex(operation->sign_ctx, NULL, NULL, mech_libctx(), NULL,
					     pkey, params);
	return ok > 0 ? CKR_OK : mech_failed(CKR_FUNCTION_FAILED);
}

static CK_RV set_sign_begin(struct mech_operation *operation, const struct mechanism *mechanism)
{
	uint64_t hedge = hsm_fields_u64(mechanism->fields, HSM_FIELD_HEDGE, CKH_HEDGE_PREFERRED);
	size_t length;
	const uint8_t *context = hsm_fields_bytes(mechanism->fields, HSM_FIELD_CONTEXT, &length);
	int deterministic = hedge == CKH_DETERMINISTIC_REQUIRED, no_encoding = 0;
	OSSL_PARAM params[4];
	unsigned int n = 0;
	CK_RV rv = find_hash(operation, mechanism);

	if (rv != CKR_OK)
		return rv;
	if (length > CONTEXT_MAX || hedge > CKH_DETERMINISTIC_REQUIRED)
		return CKR_MECHANISM_PARAM_INVALID;
	if (operation->use == MECH_SIGN)
		params[n++] = OSSL_PARAM_construct_int("deterministic", &deterministic);
	if (is_prehashed(mechanism->info)) {
		params[n++] = OSSL_PARAM_construct_int("message-encoding", &no_encoding);
		rv = prehash_begin(operation, context, length);
	} else if (length) {
		params[n++] = OSSL_PARAM_construct_octet_string("context-string", (void *)context,
								length);
	}
	params[n] = OSSL_PARAM_construct_end();
	return rv == CKR_OK ? init(operation, params) : rv;
}

/* The message as it is signed */
static CK_RV representative(struct mech_operation *operation, const uint8_t **in, size_t *in_length)
{
	CK_RV rv;

	if (!is_prehashed(operation->info))
		return CKR_OK;
	if (*in_length != mech_hash_size(operation->params.hash))
		return CKR_DATA_LEN_RANGE;
	rv = mech_hold(&operation->extra, *in, *in_length);
	*in = operation->extra.data;
	*in_length = operation->extra.length;
	return rv;
}

static size_t signature_size(const struct mech_operation *operation)
{
	const struct mech_set *set = mech_set_of(&operation->key->attributes);

	return set ? set->output : 0;
}

static size_t set_sign_size(const struct mech_operation *operation, size_t in_length)
{
	(void)in_length;
	return operation->use == MECH_SIGN ? signature_size(operation) : 0;
}

static CK_RV set_sign_finish(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			     uint8_t *out, size_t *out_length)
{
	CK_RV rv = representative(operation, &in, &in_length);

	if (rv != CKR_OK)
		return rv;
	if (EVP_DigestSign(operation->sign_ctx, out, out_length, in, in_length) <= 0)
		return mech_failed(CKR_FUNCTION_FAILED);
	return CKR_OK;
}

static CK_RV set_sign_verify(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			     const uint8_t *signature, size_t length)
{
	CK_RV rv = representative(operation, &in, &in_length);

	if (rv != CKR_OK)
		return rv;
	if (!length || length != signature_size(operation))
		return CKR_SIGNATURE_LEN_RANGE;
	if (EVP_DigestVerify(operation->sign_ctx, signature, length, in, in_length) <= 0)
		return mech_failed(CKR_SIGNATURE_INVALID);
	return CKR_OK;
}

const struct mech_ops mech_set_sign_ops = {
	.begin = set_sign_begin,
	.finish = set_sign_finish,
	.verify = set_sign_verify,
	.size = set_sign_size,
	.exact = true,
	.digest = true,
};
