// SPDX-License-Identifier: Apache-2.0
/*
 * What seals the state of a partition: AES-256-GCM with random nonces, HKDF, and the keyed multiset hash
 * over rows (MSet-Add-Hash of Clarke et al., 2003: the sum modulo 2^256 of HMAC-SHA-256). All by libcrypto;
 * tenants' keys are the mechanisms' affair (mech.h), not this file's.
 */
#include <errno.h>
#include <string.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include "commands.h"

/* Fetched before the sandbox closes */
static struct {
	EVP_CIPHER *gcm;
	EVP_KDF *hkdf;
	EVP_MAC *hmac;
} algorithms;

int aead_start(void)
{
	algorithms.gcm = EVP_CIPHER_fetch(mech_libctx(), "AES-256-GCM", NULL);
	algorithms.hkdf = EVP_KDF_fetch(mech_libctx(), "HKDF", NULL);
	algorithms.hmac = EVP_MAC_fetch(mech_libctx(), "HMAC", NULL);
	if (algorithms.gcm && algorithms.hkdf && algorithms.hmac)
		return 0;
	aead_stop();
	return -EIO;
}

void aead_stop(void)
{
	EVP_CIPHER_free(algorithms.gcm);
	EVP_KDF_free(algorithms.hkdf);
	EVP_MAC_free(algorithms.hmac);
	memset(&algorithms, 0, sizeof(algorithms));
}

/* @key NULL: the context has it */
static int seal_in(EVP_CIPHER_CTX *ctx, const uint8_t *key, const void *aad, size_t aad_length,
		   const void *in, size_t length, uint8_t *out)
{
	uint8_t *text = out + AEAD_NONCE_SIZE;
	int n;

	if (length <= BOARD_BLOB_MAX &&
	    RAND_bytes_ex(mech_libctx(), out, AEAD_NONCE_SIZE, 0) == 1 &&
	    EVP_EncryptInit_ex2(ctx, key ? algorithms.gcm : NULL, key, out, NULL) == 1 &&
	    EVP_EncryptUpdate(ctx, NULL, &n, aad, aad_length) == 1 &&
	    EVP_EncryptUpdate(ctx, text, &n, in, length) == 1 &&
	    EVP_EncryptFinal_ex(ctx, text + n, &n) == 1 &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_SIZE, text + length) == 1)
		return 0;
	return -EIO;
}

int aead_seal(const uint8_t key[SECRET_SIZE], const void *aad, size_t aad_length, const void *in,
	      size_t length, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int ret = -EIO;

	if (ctx)
		ret = seal_in(ctx, key, aad, aad_length, in, length, out);
	EVP_CIPHER_CTX_free(ctx);
	return ret;
}

/* @key NULL: the context has it */
static int open_in(EVP_CIPHER_CTX *ctx, const uint8_t *key, const void *aad, size_t aad_length,
		   const void *in, size_t length, uint8_t *out)
{
	const uint8_t *nonce = in;
	const uint8_t *text = nonce + AEAD_NONCE_SIZE;
	int n, ret = -EBADMSG;
	uint8_t tag[AEAD_TAG_SIZE];

	if (length < AEAD_OVERHEAD || length > BOARD_BLOB_MAX)
		return -EBADMSG;
	length -= AEAD_OVERHEAD;
	memcpy(tag, text + length, sizeof(tag));
	if (EVP_DecryptInit_ex2(ctx, key ? algorithms.gcm : NULL, key, nonce, NULL) == 1 &&
	    EVP_DecryptUpdate(ctx, NULL, &n, aad, aad_length) == 1 &&
	    EVP_DecryptUpdate(ctx, out, &n, text, length) == 1 &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) == 1 &&
	    EVP_DecryptFinal_ex(ctx, out + n, &n) == 1)
		ret = 0;
	if (ret < 0)
		OPENSSL_cleanse(out, length);
	return ret;
}

int aead_open(const uint8_t key[SECRET_SIZE], const void *aad, size_t aad_length, const void *in,
	      size_t length, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int ret;

	if (!ctx)
		return -EBADMSG;
	ret = open_in(ctx, key, aad, aad_length, in, length, out);
	EVP_CIPHER_CTX_free(ctx);
	return ret;
}

/* ---- many under one key ---- */

struct aead_opener {
	EVP_CIPHER_CTX *ctx;
};

struct aead_opener *aead_opener_new(const uint8_t key[SECRET_SIZE])
{
	struct aead_opener *opener = OPENSSL_zalloc(sizeof(*opener));

	if (!opener)
		return NULL;
	opener->ctx = EVP_CIPHER_CTX_new();
	if (opener->ctx && EVP_DecryptInit_ex2(opener->ctx, algorithms.gcm, key, NULL, NULL) == 1)
		return opener;
	aead_opener_free(opener);
	return NULL;
}

void aead_opener_free(struct aead_opener *opener)
{
	if (opener)
		EVP_CIPHER_CTX_free(opener->ctx);
	OPENSSL_free(opener);
}

int aead_opener_run(struct aead_opener *opener, const void *aad, size_t aad_length, const void *in,
		    size_t length, uint8_t *out)
{
	return open_in(opener->ctx, NULL, aad, aad_length, in, length, out);
}

struct aead_sealer {
	EVP_CIPHER_CTX *ctx;
};

struct aead_sealer *aead_sealer_new(const uint8_t key[SECRET_SIZE])
{
	struct aead_sealer *sealer = OPENSSL_zalloc(sizeof(*sealer));

	if (!sealer)
		return NULL;
	sealer->ctx = EVP_CIPHER_CTX_new();
	if (sealer->ctx && EVP_EncryptInit_ex2(sealer->ctx, algorithms.gcm, key, NULL, NULL) == 1)
		return sealer;
	aead_sealer_free(sealer);
	return NULL;
}

void aead_sealer_free(struct aead_sealer *sealer)
{
	if (sealer)
		EVP_CIPHER_CTX_free(sealer->ctx);
	OPENSSL_free(sealer);
}

int aead_sealer_run(struct aead_sealer *sealer, const void *aad, size_t aad_length, const void *in,
		    size_t length, uint8_t *out)
{
	return seal_in(sealer->ctx, NULL, aad, aad_length, in, length, out);
}

int derive_key(const uint8_t secret[SECRET_SIZE], const uint8_t *salt, size_t salt_length,
	       const char *label, uint8_t key[SECRET_SIZE])
{
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(algorithms.hkdf);
	OSSL_PARAM params[5], *p = params;
	char digest[] = "SHA256";
	int ret = -EIO;

	*p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
	*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret, SECRET_SIZE);
	*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)label, strlen(label));
	if (salt_length)
		*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt,
							 salt_length);
	*p = OSSL_PARAM_construct_end();
	if (ctx && EVP_KDF_derive(ctx, key, SECRET_SIZE, params) == 1)
		ret = 0;
	EVP_KDF_CTX_free(ctx);
	return ret;
}

struct row_hasher {
	EVP_MAC_CTX *ctx;
};

struct row_hasher *row_hasher_new(const uint8_t key[SECRET_SIZE])
{
	struct row_hasher *hasher = OPENSSL_zalloc(sizeof(*hasher));
	OSSL_PARAM params[2];
	char name[] = "SHA256";

	if (!hasher)
		return NULL;
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0);
	params[1] = OSSL_PARAM_construct_end();
	hasher->ctx = EVP_MAC_CTX_new(algorithms.hmac);
	if (hasher->ctx && EVP_MAC_init(hasher->ctx, key, SECRET_SIZE, params) == 1)
		return hasher;
	row_hasher_free(hasher);
	return NULL;
}

void row_hasher_free(struct row_hasher *hasher)
{
	if (hasher)
		EVP_MAC_CTX_free(hasher->ctx);
	OPENSSL_free(hasher);
}

int row_hasher_run(struct row_hasher *hasher, uint64_t id, uint64_t generation, const uint8_t *tag,
		   uint8_t digest[32])
{
	uint8_t row[16 + AEAD_TAG_SIZE];
	size_t n;

	id = htole64(id);
	generation = htole64(generation);
	memcpy(row, &id, 8);
	memcpy(row + 8, &generation, 8);
	memcpy(row + 16, tag, AEAD_TAG_SIZE);
	/* Without a key it starts again with the one it has. */
	if (EVP_MAC_init(hasher->ctx, NULL, 0, NULL) == 1 &&
	    EVP_MAC_update(hasher->ctx, row, sizeof(row)) == 1 &&
	    EVP_MAC_final(hasher->ctx, digest, &n, 32) == 1)
		return 0;
	return -EIO;
}

int hash_row(const uint8_t key[SECRET_SIZE], uint64_t id, uint64_t generation, const uint8_t *tag,
	     uint8_t digest[32])
{
	struct row_hasher *hasher = row_hasher_new(key);
	int ret = -EIO;

	if (hasher)
		ret = row_hasher_run(hasher, id, generation, tag, digest);
	row_hasher_free(hasher);
	return ret;
}

void hash_add(uint8_t sum[32], const uint8_t digest[32])
{
	unsigned int i, carry = 0;

	for (i = 0; i < 32; i++) {
		carry += (unsigned int)sum[i] + digest[i];
		sum[i] = carry;
		carry >>= 8;
	}
}

void hash_subtract(uint8_t sum[32], const uint8_t digest[32])
{
	unsigned int i, borrow = 0, difference;

	for (i = 0; i < 32; i++) {
		difference = (unsigned int)sum[i] - digest[i] - borrow;
		sum[i] = difference;
		borrow = (difference >> 8) & 1;
	}
}
