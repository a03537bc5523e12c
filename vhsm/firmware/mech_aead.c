// SPDX-License-Identifier: Apache-2.0
/*
 * AES-GCM, AES-CCM and ChaCha20-Poly1305. The tag follows the ciphertext. Nothing of a plaintext leaves before its tag was right: parts of a
 * decryption are held back, within a quota, and what a wrong tag left in the output is wiped.
 */
#include <limits.h>
#include <string.h>
#include "mech_private.h"

#define GCM_IV_MAX   128
#define CCM_TAG_MIN  4 /* SP 800-38C, appendix A.1 */
#define TAG_MAX	     16
#define CHACHA_NONCE 12

static bool is_ccm(const struct mech_operation *operation)
{
	return operation->info->mechanism == CKM_AES_CCM;
}

static bool is_encryption(const struct mech_operation *operation)
{
	return operation->use == MECH_ENCRYPT;
}

/* CCM has its length in the first block, so its encryption waits for all of the input too. */
static bool holds_back(const struct mech_operation *operation)
{
	return is_ccm(operation) || !is_encryption(operation);
}

/* ---- begin ---- */

static CK_RV gcm_init(struct mech_operation *operation, const uint8_t *iv, size_t iv_length)
{
	const struct attribute *value = operation->key->value;
	EVP_CIPHER_CTX *ctx = operation->cipher_ctx;
	bool fresh = !operation->prepared;

	if (fresh) {
		operation->params.iv_length = 12;
		if (!ctx)
			ctx = operation->cipher_ctx = EVP_CIPHER_CTX_new();
		if (!ctx)
			return CKR_HOST_MEMORY;
		if (!EVP_CipherInit_ex2(ctx, mech_cipher(operation->info, value->length),
					value->value, NULL, is_encryption(operation), NULL))
			return mech_failed(CKR_FUNCTION_FAILED);
	}
	if (iv_length != operation->params.iv_length &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)iv_length, NULL) <= 0)
		return mech_failed(CKR_MECHANISM_PARAM_INVALID);
	operation->params.iv_length = (uint32_t)iv_length;
	if (!EVP_CipherInit_ex2(ctx, NULL, NULL, iv, -1, NULL))
		return mech_failed(CKR_FUNCTION_FAILED);
	operation->prepared = true;
	return CKR_OK;
}

static CK_RV gcm_begin(struct mech_operation *operation, const uint8_t *iv, size_t iv_length,
		       const uint8_t *aad, size_t aad_length)
{
	CK_RV rv;
	int written;

	if (iv_length < 1 || iv_length > GCM_IV_MAX || !mech_gcm_tag(8 * operation->params.length))
		return CKR_MECHANISM_PARAM_INVALID;
	rv = gcm_init(operation, iv, iv_length);
	if (rv != CKR_OK)
		return rv;
	if (aad_length &&
	    !EVP_CipherUpdate(operation->cipher_ctx, NULL, &written, aad, (int)aad_length))
		return mech_failed(CKR_FUNCTION_FAILED);
	return CKR_OK;
}

/* Everything that CCM takes has to be there at once: kept for the end. */
static CK_RV ccm_begin(struct mech_operation *operation, const struct mechanism *mechanism,
		       const uint8_t *iv, size_t iv_length, const uint8_t *aad, size_t aad_length)
{
	struct mech_params *params = &operation->params;
	uint64_t length = hsm_fields_u64(mechanism->fields, HSM_FIELD_LENGTH, UINT64_MAX);

	if (iv_length < 7 || iv_length > 13 || params->length < CCM_TAG_MIN || params->length % 2 ||
	    length > MECH_HELD_MAX)
		return CKR_MECHANISM_PARAM_INVALID;
	/* The length must fit its field, which has what the nonce leaves of 15 bytes. */
	if (15 - iv_length < 4 && length >> (8 * (15 - iv_length)))
		return CKR_MECHANISM_PARAM_INVALID;
	memcpy(params->iv, iv, iv_length);
	params->iv_length = (uint32_t)iv_length;
	operation->limit = length;
	return mech_hold(&operation->extra, aad, aad_length);
}

static CK_RV aead_begin(struct mech_operation *operation, const struct mechanism *mechanism)
{
	size_t iv_length, aad_length;
	const uint8_t *iv = hsm_fields_bytes(mechanism->fields, HSM_FIELD_IV, &iv_length);
	const uint8_t *aad = hsm_fields_bytes(mechanism->fields, HSM_FIELD_AAD, &aad_length);
	uint64_t bits = hsm_fields_u64(mechanism->fields, HSM_FIELD_TAG_BITS, 0);

	/* RFC 8439: one length of the nonce, one of the tag. Other nonces libcrypto does not have. */
	if (mechanism->info->parameter == HSM_PARAM_NONCE_AAD) {
		if (iv_length != CHACHA_NONCE)
			return CKR_MECHANISM_PARAM_INVALID;
		bits = 8 * TAG_MAX;
	}
	if (bits % 8 || bits > 8 * TAG_MAX)
		return CKR_MECHANISM_PARAM_INVALID;
	operation->params.length = (uint32_t)bits / 8;
	if (is_ccm(operation))
		return ccm_begin(operation, mechanism, iv, iv_length, aad, aad_length);
	return gcm_begin(operation, iv, iv_length, aad, aad_length);
}

/* ---- parts ---- */

static CK_RV aead_update(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			 uint8_t *out, size_t *out_length)
{
	int written = 0;

	if (holds_back(operation)) {
		*out_length = 0;
		return mech_hold(&operation->held, in, in_length);
	}
	if (in_length > INT_MAX)
		return CKR_DATA_LEN_RANGE;
	if (*out_length < in_length) {
		*out_length = in_length;
		return CKR_BUFFER_TOO_SMALL;
	}
	if (in_length &&
	    !EVP_CipherUpdate(operation->cipher_ctx, out, &written, in, (int)in_length))
		return mech_failed(CKR_DATA_LEN_RANGE);
	*out_length = (size_t)written;
	return CKR_OK;
}

/* ---- end ---- */

static CK_RV gcm_encrypt(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			 uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = operation->cipher_ctx;
	int written = 0, none;

	if (in_length && !EVP_CipherUpdate(ctx, out, &written, in, (int)in_length))
		return mech_failed(CKR_DATA_LEN_RANGE);
	if (!EVP_CipherFinal_ex(ctx, out + written, &none) ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, (int)operation->params.length,
				out + in_length) <= 0)
		return mech_failed(CKR_FUNCTION_FAILED);
	return CKR_OK;
}

static CK_RV gcm_decrypt(struct mech_operation *operation, const uint8_t *in, size_t length,
			 uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = operation->cipher_ctx;
	uint8_t tag[TAG_MAX];
	int written = 0, none;

	memcpy(tag, in + length, operation->params.length);
	if (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)operation->params.length, tag) >
		    0 &&
	    (!length || EVP_CipherUpdate(ctx, out, &written, in, (int)length)) &&
	    EVP_CipherFinal_ex(ctx, tag, &none) > 0)
		return CKR_OK;
	OPENSSL_cleanse(out, length);
	return mech_failed(CKR_ENCRYPTED_DATA_INVALID);
}

/* A context that knows lengths, key and nonce, and has taken the length and the associated data */
static bool ccm_setup(const struct mech_operation *operation, EVP_CIPHER_CTX *ctx,
		      const uint8_t *tag, size_t length)
{
	const struct attribute *value = operation->key->value;
	const struct mech_params *params = &operation->params;
	int encrypt = is_encryption(operation);
	int none;

	return EVP_CipherInit_ex2(ctx, mech_cipher(operation->info, value->length), NULL, NULL,
				  encrypt, NULL) &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)params->iv_length, NULL) >
		       0 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)params->length, (void *)tag) >
		       0 &&
	       EVP_CipherInit_ex2(ctx, NULL, value->value, params->iv, -1, NULL) &&
	       EVP_CipherUpdate(ctx, NULL, &none, NULL, (int)length) &&
	       (!operation->extra.length ||
		EVP_CipherUpdate(ctx, NULL, &none, operation->extra.data,
				 (int)operation->extra.length));
}

static CK_RV ccm_run(struct mech_operation *operation, const uint8_t *in, size_t length,
		     uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	size_t tag_length = operation->params.length;
	bool encrypt = is_encryption(operation), ok;
	uint8_t empty = 0, unused;
	uint8_t tag[TAG_MAX];
	int written;

	if (!ctx)
		return CKR_HOST_MEMORY;
	if (!encrypt)
		memcpy(tag, in + length, tag_length);
	ok = ccm_setup(operation, ctx, encrypt ? NULL : tag, length) &&
	     EVP_CipherUpdate(ctx, length ? out : &unused, &written, length ? in : &empty,
			      (int)length) > 0;
	if (ok && encrypt)
		ok = EVP_CipherFinal_ex(ctx, out + length, &written) &&
		     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, (int)tag_length,
					 out + length) > 0;
	EVP_CIPHER_CTX_free(ctx);
	if (ok)
		return CKR_OK;
	OPENSSL_cleanse(out, length);
	return mech_failed(encrypt ? CKR_FUNCTION_FAILED : CKR_ENCRYPTED_DATA_INVALID);
}

static CK_RV aead_finish(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			 uint8_t *out, size_t *out_length)
{
	size_t tag = operation->params.length;
	size_t length;
	CK_RV rv;

	if (operation->held.length) {
		rv = mech_hold(&operation->held, in, in_length);
		if (rv != CKR_OK)
			return rv;
		in = operation->held.data;
		in_length = operation->held.length;
	}
	if (!is_encryption(operation) && in_length < tag)
		return CKR_ENCRYPTED_DATA_LEN_RANGE;
	if (in_length > INT_MAX)
		return CKR_DATA_LEN_RANGE;
	length = is_encryption(operation) ? in_length : in_length - tag;
	if (is_ccm(operation) && length != operation->limit)
		return is_encryption(operation) ? CKR_DATA_LEN_RANGE : CKR_ENCRYPTED_DATA_LEN_RANGE;
	*out_length = is_encryption(operation) ? length + tag : length;
	if (is_ccm(operation))
		return ccm_run(operation, in, length, out);
	return is_encryption(operation) ? gcm_encrypt(operation, in, length, out)
					: gcm_decrypt(operation, in, length, out);
}

static size_t aead_size(const struct mech_operation *operation, size_t in_length)
{
	size_t tag = operation->params.length;

	if (is_encryption(operation))
		return in_length + tag;
	return in_length > tag ? in_length - tag : 0;
}

const struct mech_ops mech_aead_ops = {
	.begin = aead_begin,
	.update = aead_update,
	.finish = aead_finish,
	.size = aead_size,
	.exact = true,
};
