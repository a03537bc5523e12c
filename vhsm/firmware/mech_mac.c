// SPDX-License-Identifier: Apache-2.0
/*
 * MACs: HMAC, CMAC, GMAC, Poly1305, CBC-MAC; and plain digests. A parked MAC keeps its key; the next one starts by setting
 * the context back.
 */
#include <string.h>
#include "mech_private.h"

#define MAC_LENGTH_MIN 4 /* a shorter MAC is found by trying */
#define DES_BLOCK      8
#define HMAC_BLOCK_MAX 256
#define GMAC_IV_MAX    128

static size_t mac_full_length(const struct mech_operation *operation)
{
	const struct mech_hash *hash = mech_hash_of_row(operation->info);

	if (hash)
		return mech_hash_size(hash);
	return operation->info->key_type == CKK_DES3 ? DES_BLOCK : MECH_AES_BLOCK;
}

static CK_RV mac_length(struct mech_operation *operation, const struct mechanism *mechanism)
{
	uint64_t full = mac_full_length(operation);
	uint64_t length = full;

	/* PKCS#11 has MACs by CBC half a block long where no length is given. */
	if (mechanism->info->family == MECH_FAMILY_CBC_MAC)
		length = full / 2;
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

/*
 * libcrypto's HMAC cannot tell BLAKE2b how long its output is to be, so that one is put together here (RFC 2104). Start a
 * digest with the key, as the inner or the outer half has it.
 */
static CK_RV pad_begin(const struct mech_operation *operation, EVP_MD_CTX *ctx, uint8_t pad)
{
	const struct attribute *value = operation->key->value;
	const struct mech_hash *hash = mech_hash_of_row(operation->info);
	size_t block = (size_t)EVP_MD_get_block_size(mech_hash_md(hash));
	uint8_t key[HMAC_BLOCK_MAX] = { 0 };
	bool ok = block <= sizeof(key);

	if (value->length <= block)
		memcpy(key, value->value, value->length);
	else
		ok = ok && mech_hash_init(ctx, hash) &&
		     EVP_DigestUpdate(ctx, value->value, value->length) &&
		     EVP_DigestFinal_ex(ctx, key, NULL);
	for (size_t i = 0; i < block && i < sizeof(key); i++)
		key[i] ^= pad;
	ok = ok && mech_hash_init(ctx, hash) && EVP_DigestUpdate(ctx, key, block);
	OPENSSL_cleanse(key, sizeof(key));
	return ok ? CKR_OK : mech_failed(CKR_FUNCTION_FAILED);
}

static CK_RV composed_begin(struct mech_operation *operation, const struct mechanism *mechanism)
{
	CK_RV rv = mac_length(operation, mechanism);

	if (rv != CKR_OK)
		return rv;
	if (!operation->md_ctx)
		operation->md_ctx = EVP_MD_CTX_new();
	if (!operation->md_ctx)
		return CKR_HOST_MEMORY;
	operation->prepared = true;
	return pad_begin(operation, operation->md_ctx, 0x36);
}

static CK_RV composed_final(struct mech_operation *operation, uint8_t mac[EVP_MAX_MD_SIZE])
{
	size_t size = mech_hash_size(mech_hash_of_row(operation->info));
	EVP_MD_CTX *outer = EVP_MD_CTX_new();
	CK_RV rv = outer ? pad_begin(operation, outer, 0x5c) : CKR_HOST_MEMORY;

	if (rv == CKR_OK &&
	    (!EVP_DigestFinal_ex(operation->md_ctx, mac, NULL) ||
	     !EVP_DigestUpdate(outer, mac, size) || !EVP_DigestFinal_ex(outer, mac, NULL)))
		rv = mech_failed(CKR_FUNCTION_FAILED);
	EVP_MD_CTX_free(outer);
	return rv;
}

static CK_RV hmac_begin(struct mech_operation *operation, const struct mechanism *mechanism)
{
	const struct mech_hash *hash = mech_hash_of_row(mechanism->info);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)hash->name, 0),
		OSSL_PARAM_construct_end(),
	};

	if (hash->size)
		return composed_begin(operation, mechanism);
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

/* The tag's length and the IV come as with GCM; what is authenticated is the data of the operation. */
static CK_RV gmac_begin(struct mech_operation *operation, const struct mechanism *mechanism)
{
	const struct attribute *value = operation->key->value;
	const EVP_CIPHER *cipher = mech_cipher(mechanism->info, value->length);
	uint64_t bits = hsm_fields_u64(mechanism->fields, HSM_FIELD_TAG_BITS, 0);
	size_t iv_length, aad_length;
	const uint8_t *iv = hsm_fields_bytes(mechanism->fields, HSM_FIELD_IV, &iv_length);
	OSSL_PARAM params[3] = { OSSL_PARAM_construct_end(), OSSL_PARAM_construct_end(),
				 OSSL_PARAM_construct_end() };

	hsm_fields_bytes(mechanism->fields, HSM_FIELD_AAD, &aad_length);
	if (!cipher)
		return CKR_KEY_SIZE_RANGE;
	if (!iv_length || iv_length > GMAC_IV_MAX || aad_length || !mech_gcm_tag(bits))
		return CKR_MECHANISM_PARAM_INVALID;
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER,
						     (char *)EVP_CIPHER_get0_name(cipher), 0);
	params[1] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_IV, (void *)iv, iv_length);
	if (!operation->mac_ctx)
		operation->mac_ctx = EVP_MAC_CTX_new(mech_mac_gmac());
	if (!operation->mac_ctx)
		return CKR_HOST_MEMORY;
	if (!EVP_MAC_init(operation->mac_ctx, value->value, value->length, params))
		return mech_failed(CKR_FUNCTION_FAILED);
	operation->params.length = (uint32_t)bits / 8;
	operation->prepared = true;
	return CKR_OK;
}

/* A key of Poly1305 is for one message; that nobody uses it for two is the caller's to see to (RFC 8439, 2.5). */
static CK_RV poly1305_begin(struct mech_operation *operation, const struct mechanism *mechanism)
{
	const struct attribute *value = operation->key->value;
	CK_RV rv = mac_length(operation, mechanism);

	if (rv != CKR_OK)
		return rv;
	if (!operation->mac_ctx)
		operation->mac_ctx = EVP_MAC_CTX_new(mech_mac_poly1305());
	if (!operation->mac_ctx)
		return CKR_HOST_MEMORY;
	if (!EVP_MAC_init(operation->mac_ctx, value->value, value->length, NULL))
		return mech_failed(CKR_FUNCTION_FAILED);
	operation->prepared = true;
	return CKR_OK;
}

static CK_RV mac_absorb(struct mech_operation *operation, const uint8_t *in, size_t in_length)
{
	const struct mech_hash *hash = mech_hash_of_row(operation->info);
	bool ok = true;

	if (in_length && hash && hash->size)
		ok = EVP_DigestUpdate(operation->md_ctx, in, in_length);
	else if (in_length)
		ok = EVP_MAC_update(operation->mac_ctx, in, in_length);
	return ok ? CKR_OK : mech_failed(CKR_FUNCTION_FAILED);
}

static CK_RV mac_update(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			uint8_t *out, size_t *out_length)
{
	(void)out;
	*out_length = 0;
	return mac_absorb(operation, in, in_length);
}

static CK_RV mac_compute(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			 uint8_t mac[EVP_MAX_MD_SIZE])
{
	const struct mech_hash *hash = mech_hash_of_row(operation->info);
	size_t length = EVP_MAX_MD_SIZE;
	CK_RV rv = mac_absorb(operation, in, in_length);

	if (rv != CKR_OK)
		return rv;
	if (hash && hash->size)
		return composed_final(operation, mac);
	if (!EVP_MAC_final(operation->mac_ctx, mac, &length, EVP_MAX_MD_SIZE))
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

const struct mech_ops mech_gmac_ops = {
	.begin = gmac_begin,
	.update = mac_update,
	.finish = mac_finish,
	.verify = mac_verify,
	.size = mac_size,
	.exact = true,
};

const struct mech_ops mech_poly1305_ops = {
	.begin = poly1305_begin,
	.update = mac_update,
	.finish = mac_finish,
	.verify = mac_verify,
	.size = mac_size,
	.exact = true,
};

/* ---- CBC-MAC (FIPS 113 with a larger cipher): the last block of CBC from an IV of zeroes, the data filled up with zeroes ---- */

static CK_RV cbc_mac_begin(struct mech_operation *operation, const struct mechanism *mechanism)
{
	static const uint8_t iv[MECH_AES_BLOCK];
	const struct attribute *value = operation->key->value;
	const EVP_CIPHER *cipher = mech_cipher(mechanism->info, value->length);
	CK_RV rv = mac_length(operation, mechanism);

	if (rv != CKR_OK)
		return rv;
	if (!cipher)
		return CKR_KEY_SIZE_RANGE;
	operation->block = (uint8_t)mac_full_length(operation);
	if (!operation->cipher_ctx)
		operation->cipher_ctx = EVP_CIPHER_CTX_new();
	if (!operation->cipher_ctx)
		return CKR_HOST_MEMORY;
	if (!EVP_EncryptInit_ex2(operation->cipher_ctx, operation->prepared ? NULL : cipher,
				 operation->prepared ? NULL : value->value, iv, NULL) ||
	    !EVP_CIPHER_CTX_set_padding(operation->cipher_ctx, 0))
		return mech_failed(CKR_FUNCTION_FAILED);
	operation->prepared = true;
	return CKR_OK;
}

/* What the cipher puts out goes by; its last block is kept. */
static CK_RV cbc_mac_absorb(struct mech_operation *operation, const uint8_t *in, size_t in_length)
{
	uint8_t out[512 + MECH_AES_BLOCK];
	int part, written;

	while (in_length) {
		part = in_length < 512 ? (int)in_length : 512;
		if (!EVP_EncryptUpdate(operation->cipher_ctx, out, &written, in, part))
			return mech_failed(CKR_FUNCTION_FAILED);
		if (written >= operation->block)
			memcpy(operation->tail, out + written - operation->block, operation->block);
		operation->count += (uint64_t)part;
		in += part;
		in_length -= (size_t)part;
	}
	OPENSSL_cleanse(out, sizeof(out));
	return CKR_OK;
}

static CK_RV cbc_mac_update(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			    uint8_t *out, size_t *out_length)
{
	(void)out;
	*out_length = 0;
	return cbc_mac_absorb(operation, in, in_length);
}

static CK_RV cbc_mac_end(struct mech_operation *operation, const uint8_t *in, size_t in_length)
{
	static const uint8_t zero[MECH_AES_BLOCK];
	CK_RV rv = cbc_mac_absorb(operation, in, in_length);
	size_t over = operation->count % operation->block;

	if (rv == CKR_OK && (over || !operation->count))
		rv = cbc_mac_absorb(operation, zero, operation->block - over);
	return rv;
}

static CK_RV cbc_mac_finish(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			    uint8_t *out, size_t *out_length)
{
	CK_RV rv = cbc_mac_end(operation, in, in_length);

	if (rv == CKR_OK) {
		memcpy(out, operation->tail, operation->params.length);
		*out_length = operation->params.length;
	}
	return rv;
}

static CK_RV cbc_mac_verify(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			    const uint8_t *signature, size_t length)
{
	CK_RV rv;

	if (length != operation->params.length)
		return CKR_SIGNATURE_LEN_RANGE;
	rv = cbc_mac_end(operation, in, in_length);
	if (rv == CKR_OK && CRYPTO_memcmp(operation->tail, signature, length))
		rv = CKR_SIGNATURE_INVALID;
	return rv;
}

const struct mech_ops mech_cbc_mac_ops = {
	.begin = cbc_mac_begin,
	.update = cbc_mac_update,
	.finish = cbc_mac_finish,
	.verify = cbc_mac_verify,
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
