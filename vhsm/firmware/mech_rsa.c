// SPDX-License-Identifier: Apache-2.0
/*
 * RSA: PKCS#1 v1.5, PSS, OAEP and X.509 (no padding at all), and key generation. A prepared EVP_PKEY_CTX stays with the parked operation, so a
 * signature costs what libcrypto's own costs. Blinding is libcrypto's and on.
 */
#include <string.h>
#include <openssl/bn.h>
#include <openssl/rsa.h>
#include "mech_private.h"

#define PKCS1_OVERHEAD 11
#define MODULUS_MAX    1024 /* bytes: RSA-8192 */

static size_t modulus_bytes(const struct mech_operation *operation)
{
	return (operation->key->size + 7) / 8;
}

/* A context for the operation's use, its padding still to be set */
static CK_RV context_init(struct mech_operation *operation)
{
	EVP_PKEY *pkey = key_pkey(operation->key);
	int ok = 0;

	if (!pkey)
		return CKR_FUNCTION_FAILED;
	if (!operation->pkey_ctx)
		operation->pkey_ctx = EVP_PKEY_CTX_new_from_pkey(mech_libctx(), pkey, NULL);
	if (!operation->pkey_ctx)
		return mech_failed(CKR_HOST_MEMORY);
	switch (operation->use) {
	case MECH_SIGN:
	case MECH_SIGN_RECOVER:
		ok = EVP_PKEY_sign_init(operation->pkey_ctx);
		break;
	case MECH_VERIFY:
		ok = EVP_PKEY_verify_init(operation->pkey_ctx);
		break;
	case MECH_VERIFY_RECOVER:
		ok = EVP_PKEY_verify_recover_init(operation->pkey_ctx);
		break;
	case MECH_ENCRYPT:
		ok = EVP_PKEY_encrypt_init(operation->pkey_ctx);
		break;
	case MECH_DECRYPT:
		ok = EVP_PKEY_decrypt_init(operation->pkey_ctx);
		break;
	default:
		break;
	}
	return ok > 0 ? CKR_OK : mech_failed(CKR_FUNCTION_FAILED);
}

/* ---- PKCS#1 v1.5 ---- */

static CK_RV pkcs_begin(struct mech_operation *operation, const struct mechanism *mechanism)
{
	const struct mech_hash *hash = mech_hash_of_row(mechanism->info);
	CK_RV rv;

	if (operation->prepared)
		return CKR_OK;
	rv = context_init(operation);
	if (rv != CKR_OK)
		return rv;
	if (EVP_PKEY_CTX_set_rsa_padding(operation->pkey_ctx, RSA_PKCS1_PADDING) <= 0 ||
	    (hash && EVP_PKEY_CTX_set_signature_md(operation->pkey_ctx, mech_hash_md(hash)) <= 0))
		return mech_failed(CKR_FUNCTION_FAILED);
	operation->prepared = true;
	return CKR_OK;
}

static CK_RV sign(struct mech_operation *operation, const uint8_t *in, size_t in_length,
		  uint8_t *out, size_t *out_length)
{
	if (EVP_PKEY_sign(operation->pkey_ctx, out, out_length, in, in_length) <= 0)
		return mech_failed(CKR_FUNCTION_FAILED);
	return CKR_OK;
}

static CK_RV encrypt(struct mech_operation *operation, const uint8_t *in, size_t in_length,
		     uint8_t *out, size_t *out_length)
{
	if (EVP_PKEY_encrypt(operation->pkey_ctx, out, out_length, in, in_length) <= 0)
		return mech_failed(CKR_FUNCTION_FAILED);
	return CKR_OK;
}

/* libcrypto's function that takes padding off, by the private or the public key */
typedef int (*open_step)(EVP_PKEY_CTX *ctx, uint8_t *out, size_t *out_length, const uint8_t *in,
			 size_t in_length);

/* The length of what comes out is known only afterwards, and libcrypto wants room for the longest. */
static CK_RV take_apart(struct mech_operation *operation, open_step step, CK_RV invalid,
			const uint8_t *in, size_t in_length, uint8_t *out, size_t *out_length)
{
	uint8_t plain[MODULUS_MAX];
	size_t length = sizeof(plain);
	CK_RV rv = CKR_OK;

	if (step(operation->pkey_ctx, plain, &length, in, in_length) <= 0)
		rv = mech_failed(invalid);
	else if (length > *out_length)
		rv = CKR_BUFFER_TOO_SMALL;
	else
		memcpy(out, plain, length);
	if (rv != invalid)
		*out_length = length;
	OPENSSL_cleanse(plain, sizeof(plain));
	return rv;
}

static CK_RV decrypt(struct mech_operation *operation, const uint8_t *in, size_t in_length,
		     uint8_t *out, size_t *out_length)
{
	if (in_length != modulus_bytes(operation))
		return CKR_ENCRYPTED_DATA_LEN_RANGE;
	return take_apart(operation, EVP_PKEY_decrypt, CKR_ENCRYPTED_DATA_INVALID, in, in_length,
			  out, out_length);
}

static CK_RV recover(struct mech_operation *operation, const uint8_t *in, size_t in_length,
		     uint8_t *out, size_t *out_length)
{
	if (in_length != modulus_bytes(operation))
		return CKR_SIGNATURE_LEN_RANGE;
	return take_apart(operation, EVP_PKEY_verify_recover, CKR_SIGNATURE_INVALID, in, in_length,
			  out, out_length);
}

static CK_RV pkcs_finish(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			 uint8_t *out, size_t *out_length)
{
	if (operation->use == MECH_DECRYPT)
		return decrypt(operation, in, in_length, out, out_length);
	if (operation->use == MECH_VERIFY_RECOVER)
		return recover(operation, in, in_length, out, out_length);
	if (*out_length < modulus_bytes(operation)) {
		*out_length = modulus_bytes(operation);
		return CKR_BUFFER_TOO_SMALL;
	}
	if (!operation->hash && in_length > modulus_bytes(operation) - PKCS1_OVERHEAD)
		return CKR_DATA_LEN_RANGE;
	if (mech_is_private_use(operation->use))
		return sign(operation, in, in_length, out, out_length);
	return encrypt(operation, in, in_length, out, out_length);
}

static CK_RV verify(struct mech_operation *operation, const uint8_t *in, size_t in_length,
		    const uint8_t *signature, size_t length)
{
	if (length != modulus_bytes(operation))
		return CKR_SIGNATURE_LEN_RANGE;
	if (EVP_PKEY_verify(operation->pkey_ctx, signature, length, in, in_length) <= 0)
		return mech_failed(CKR_SIGNATURE_INVALID);
	return CKR_OK;
}

static CK_RV pkcs_verify(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			 const uint8_t *signature, size_t length)
{
	if (!operation->hash && in_length > modulus_bytes(operation) - PKCS1_OVERHEAD)
		return CKR_DATA_LEN_RANGE;
	return verify(operation, in, in_length, signature, length);
}

static size_t rsa_size(const struct mech_operation *operation, size_t in_length)
{
	(void)in_length;
	return operation->use == MECH_VERIFY ? 0 : modulus_bytes(operation);
}

const struct mech_ops mech_rsa_pkcs_ops = {
	.begin = pkcs_begin,
	.finish = pkcs_finish,
	.verify = pkcs_verify,
	.size = rsa_size,
	.hold_max = MECH_RAW_MAX,
	.digest = true,
};

/* ---- X.509: no padding but zero bytes in front ---- */

static CK_RV raw_begin(struct mech_operation *operation, const struct mechanism *mechanism)
{
	CK_RV rv;

	(void)mechanism;
	if (operation->prepared)
		return CKR_OK;
	rv = context_init(operation);
	if (rv != CKR_OK)
		return rv;
	if (EVP_PKEY_CTX_set_rsa_padding(operation->pkey_ctx, RSA_NO_PADDING) <= 0)
		return mech_failed(CKR_FUNCTION_FAILED);
	operation->prepared = true;
	return CKR_OK;
}

/* @in as a number of the modulus' length; one that is not below the modulus is no input (PKCS#11 3.2, 6.1.9). */
static CK_RV raw_pad(const struct mech_operation *operation, const uint8_t *in, size_t in_length,
		     uint8_t padded[MODULUS_MAX])
{
	const struct attribute *modulus = attributes_find(&operation->key->attributes, CKA_MODULUS);
	size_t size = modulus_bytes(operation);

	if (in_length > size)
		return CKR_DATA_LEN_RANGE;
	memset(padded, 0, size - in_length);
	memcpy(padded + size - in_length, in, in_length);
	if (memcmp(padded, modulus->value + modulus->length - size, size) >= 0)
		return CKR_DATA_INVALID;
	return CKR_OK;
}

static CK_RV raw_finish(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			uint8_t *out, size_t *out_length)
{
	uint8_t padded[MODULUS_MAX];
	CK_RV rv;

	if (operation->use == MECH_DECRYPT)
		return decrypt(operation, in, in_length, out, out_length);
	if (operation->use == MECH_VERIFY_RECOVER)
		return recover(operation, in, in_length, out, out_length);
	rv = raw_pad(operation, in, in_length, padded);
	if (rv == CKR_OK && mech_is_private_use(operation->use))
		rv = sign(operation, padded, modulus_bytes(operation), out, out_length);
	else if (rv == CKR_OK)
		rv = encrypt(operation, padded, modulus_bytes(operation), out, out_length);
	OPENSSL_cleanse(padded, sizeof(padded));
	return rv;
}

static CK_RV raw_verify(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			const uint8_t *signature, size_t length)
{
	uint8_t padded[MODULUS_MAX];
	CK_RV rv = raw_pad(operation, in, in_length, padded);

	return rv == CKR_OK ? verify(operation, padded, modulus_bytes(operation), signature, length)
			    : rv;
}

const struct mech_ops mech_rsa_raw_ops = {
	.begin = raw_begin,
	.finish = raw_finish,
	.verify = raw_verify,
	.size = rsa_size,
	.hold_max = MECH_RAW_MAX,
	.exact = true,
};

/* ---- PSS ---- */

/* With a hash in the mechanism's name the parameters must name the same one. */
static CK_RV pss_parameters(const struct mechanism *mechanism, struct mech_params *params)
{
	const struct mech_hash *named = mech_hash_of_row(mechanism->info);
	uint64_t salt = hsm_fields_u64(mechanism->fields, HSM_FIELD_SALT_LENGTH, UINT64_MAX);

	params->hash =
		mech_hash_find(hsm_fields_u64(mechanism->fields, HSM_FIELD_HASH, UINT64_MAX));
	params->mgf = mech_hash_by_mgf(hsm_fields_u64(mechanism->fields, HSM_FIELD_MGF, 0));
	if (!params->hash || !params->mgf || (named && named != params->hash) || salt > MODULUS_MAX)
		return CKR_MECHANISM_PARAM_INVALID;
	params->length = (uint32_t)salt;
	return CKR_OK;
}

static bool same_params(const struct mech_params *a, const struct mech_params *b)
{
	return a->hash == b->hash && a->mgf == b->mgf && a->length == b->length;
}

static CK_RV pss_begin(struct mech_operation *operation, const struct mechanism *mechanism)
{
	struct mech_params params = { 0 };
	size_t digest, encoded = (operation->key->size - 1 + 7) / 8;
	EVP_PKEY_CTX *ctx;
	CK_RV rv = pss_parameters(mechanism, &params);

	if (rv != CKR_OK)
		return rv;
	/* Signing with SHA-1 shows in the mechanism's name, by which profiles refuse it. */
	if (operation->use == MECH_SIGN && params.hash->mechanism == CKM_SHA_1 &&
	    !mech_hash_of_row(mechanism->info))
		return CKR_MECHANISM_PARAM_INVALID;
	digest = (size_t)EVP_MD_get_size(mech_hash_md(params.hash));
	if (digest + params.length + 2 > encoded)
		return CKR_MECHANISM_PARAM_INVALID;
	if (operation->prepared && same_params(&params, &operation->params))
		return CKR_OK;
	rv = context_init(operation);
	if (rv != CKR_OK)
		return rv;
	ctx = operation->pkey_ctx;
	if (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) <= 0 ||
	    EVP_PKEY_CTX_set_signature_md(ctx, mech_hash_md(params.hash)) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, mech_hash_md(params.mgf)) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, (int)params.length) <= 0)
		return mech_failed(CKR_MECHANISM_PARAM_INVALID);
	operation->params = params;
	operation->prepared = true;
	return CKR_OK;
}

static bool pss_input_fits(const struct mech_operation *operation, size_t in_length)
{
	return in_length == (size_t)EVP_MD_get_size(mech_hash_md(operation->params.hash));
}

static CK_RV pss_finish(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			uint8_t *out, size_t *out_length)
{
	if (!pss_input_fits(operation, in_length))
		return CKR_DATA_LEN_RANGE;
	return sign(operation, in, in_length, out, out_length);
}

static CK_RV pss_verify(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			const uint8_t *signature, size_t length)
{
	if (!pss_input_fits(operation, in_length))
		return CKR_DATA_LEN_RANGE;
	return verify(operation, in, in_length, signature, length);
}

const struct mech_ops mech_rsa_pss_ops = {
	.begin = pss_begin,
	.finish = pss_finish,
	.verify = pss_verify,
	.size = rsa_size,
	.hold_max = MECH_RAW_MAX,
	.exact = true,
	.digest = true,
};

/* ---- OAEP ---- */

static CK_RV oaep_begin(struct mech_operation *operation, const struct mechanism *mechanism)
{
	struct mech_params params = { 0 };
	size_t length;
	const uint8_t *label = hsm_fields_bytes(mechanism->fields, HSM_FIELD_SOURCE, &length);
	uint8_t *copy;
	CK_RV rv;

	params.hash = mech_hash_find(hsm_fields_u64(mechanism->fields, HSM_FIELD_HASH, UINT64_MAX));
	params.mgf = mech_hash_by_mgf(hsm_fields_u64(mechanism->fields, HSM_FIELD_MGF, 0));
	if (!params.hash || !params.mgf)
		return CKR_MECHANISM_PARAM_INVALID;
	/* Parked contexts have no label. */
	if (operation->prepared && !length && same_params(&params, &operation->params))
		return CKR_OK;
	operation->prepared = false;
	rv = context_init(operation);
	if (rv != CKR_OK)
		return rv;
	if (EVP_PKEY_CTX_set_rsa_padding(operation->pkey_ctx, RSA_PKCS1_OAEP_PADDING) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_oaep_md(operation->pkey_ctx, mech_hash_md(params.hash)) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_mgf1_md(operation->pkey_ctx, mech_hash_md(params.mgf)) <= 0)
		return mech_failed(CKR_MECHANISM_PARAM_INVALID);
	operation->params = params;
	operation->prepared = !length;
	if (!length)
		return CKR_OK;
	copy = OPENSSL_memdup(label, length);
	if (copy && EVP_PKEY_CTX_set0_rsa_oaep_label(operation->pkey_ctx, copy, (int)length) > 0)
		return CKR_OK;
	OPENSSL_free(copy);
	return mech_failed(CKR_HOST_MEMORY);
}

static CK_RV oaep_finish(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			 uint8_t *out, size_t *out_length)
{
	size_t overhead = 2 * (size_t)EVP_MD_get_size(mech_hash_md(operation->params.hash)) + 2;

	if (operation->use == MECH_DECRYPT)
		return decrypt(operation, in, in_length, out, out_length);
	if (*out_length < modulus_bytes(operation)) {
		*out_length = modulus_bytes(operation);
		return CKR_BUFFER_TOO_SMALL;
	}
	if (in_length + overhead > modulus_bytes(operation))
		return CKR_DATA_LEN_RANGE;
	return encrypt(operation, in, in_length, out, out_length);
}

const struct mech_ops mech_rsa_oaep_ops = {
	.begin = oaep_begin,
	.finish = oaep_finish,
	.size = rsa_size,
	.hold_max = MECH_RAW_MAX,
};

/* ---- generation ---- */

static int generation_goes_on(EVP_PKEY_CTX *ctx)
{
	const struct task *task = EVP_PKEY_CTX_get_app_data(ctx);

	return !task || !task_cancelled(task);
}

/* CKA_PUBLIC_EXPONENT of the template, 65537 without one; NULL: out of memory */
static BIGNUM *exponent_of(const struct attributes *public_key)
{
	const struct attribute *given = attributes_find(public_key, CKA_PUBLIC_EXPONENT);
	BIGNUM *e;

	if (given && given->length && given->length <= 32)
		return BN_bin2bn(given->value, (int)given->length, NULL);
	e = BN_new();
	if (e)
		BN_set_word(e, given && given->length ? 0 : RSA_F4);
	return e;
}

CK_RV mech_rsa_generate(const struct mechanism *mechanism, const struct attributes *public_key,
			EVP_PKEY **pkey)
{
	uint64_t bits = attributes_ulong(public_key, CKA_MODULUS_BITS, 0);
	EVP_PKEY_CTX *ctx;
	BIGNUM *e;
	bool ok;

	if (!bits)
		return CKR_TEMPLATE_INCOMPLETE;
	if (bits < mechanism->info->min || bits > mechanism->info->max || bits % 8)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	e = exponent_of(public_key);
	if (!e)
		return CKR_HOST_MEMORY;
	if (!BN_is_odd(e) || BN_num_bits(e) < 17) {
		BN_free(e);
		return CKR_ATTRIBUTE_VALUE_INVALID;
	}
	ctx = EVP_PKEY_CTX_new_from_name(mech_libctx(), "RSA", NULL);
	ok = ctx && EVP_PKEY_keygen_init(ctx) > 0 &&
	     EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)bits) > 0 &&
	     EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, e) > 0;
	BN_free(e);
	if (!ok) {
		EVP_PKEY_CTX_free(ctx);
		return mech_failed(CKR_FUNCTION_FAILED);
	}
	EVP_PKEY_CTX_set_app_data(ctx, mechanism->task);
	EVP_PKEY_CTX_set_cb(ctx, generation_goes_on);
	return mech_generate_run(mechanism, ctx, pkey);
}
