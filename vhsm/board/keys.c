// SPDX-License-Identifier: Apache-2.0
/*
 * The board's key derivation and sealing, all by libcrypto in a context of its own that no
 * configuration file reaches. The scheme: platform key, ladder of security versions, root key,
 * partition keys (Documentation/board.rst, "Keys").
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include "internal.h"
#include "le.h"

#define NONCE_SIZE 12
#define TAG_SIZE   16
#define INFO_MAX   256

struct keys {
	OSSL_LIB_CTX *libctx;
	OSSL_PROVIDER *provider;
	EVP_KDF *hkdf;
	EVP_CIPHER *gcm;
	EVP_MD *sha384;
};

int keys_new(struct keys **result)
{
	struct keys *keys;

	keys = calloc(1, sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	keys->libctx = OSSL_LIB_CTX_new();
	if (!keys->libctx)
		goto fail;
	keys->provider = OSSL_PROVIDER_load(keys->libctx, "default");
	keys->hkdf = EVP_KDF_fetch(keys->libctx, "HKDF", NULL);
	keys->gcm = EVP_CIPHER_fetch(keys->libctx, "AES-256-GCM", NULL);
	keys->sha384 = EVP_MD_fetch(keys->libctx, "SHA384", NULL);
	if (!keys->provider || !keys->hkdf || !keys->gcm || !keys->sha384)
		goto fail;
	*result = keys;
	return 0;

fail:
	keys_free(keys);
	return -ENOSYS;
}

void keys_free(struct keys *keys)
{
	if (!keys)
		return;
	EVP_MD_free(keys->sha384);
	EVP_CIPHER_free(keys->gcm);
	EVP_KDF_free(keys->hkdf);
	if (keys->provider)
		OSSL_PROVIDER_unload(keys->provider);
	OSSL_LIB_CTX_free(keys->libctx);
	free(keys);
}

OSSL_LIB_CTX *keys_libctx(struct keys *keys)
{
	return keys->libctx;
}

int keys_random(struct keys *keys, void *bytes, size_t length)
{
	return RAND_bytes_ex(keys->libctx, bytes, length, 256) == 1 ? 0 : -EIO;
}

int keys_hash(struct keys *keys, const void *bytes, size_t length, uint8_t hash[BOARD_HASH_SIZE])
{
	return EVP_Digest(bytes, length, hash, NULL, keys->sha384, NULL) == 1 ? 0 : -EIO;
}

/* HKDF-SHA384; the label is the salt, so that no two uses of a key can meet. */
static int derive(struct keys *keys, const char *label, const uint8_t *secret, size_t secret_length,
		  const uint8_t *info, size_t info_length, uint8_t key[BOARD_KEY_SIZE])
{
	OSSL_PARAM params[5], *p = params;
	EVP_KDF_CTX *ctx;
	int ret;

	ctx = EVP_KDF_CTX_new(keys->hkdf);
	if (!ctx)
		return -ENOMEM;
	*p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA384", 0);
	*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret, secret_length);
	*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)label, strlen(label));
	*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, info_length);
	*p = OSSL_PARAM_construct_end();
	ret = EVP_KDF_derive(ctx, key, BOARD_KEY_SIZE, params) == 1 ? 0 : -EIO;
	EVP_KDF_CTX_free(ctx);
	return ret;
}

int keys_platform(struct keys *keys, const struct fuse_values *values, uint8_t key[BOARD_KEY_SIZE])
{
	uint8_t info[INFO_MAX], *at = info;

	put_bytes(&at, values->vendor_hash, sizeof(values->vendor_hash));
	put_u32(&at, values->lifecycle);
	put_u32(&at, values->debug);
	return derive(keys, "ihsm platform key", values->secret, sizeof(values->secret), info,
		      (size_t)(at - info), key);
}

int keys_ladder_down(struct keys *keys, uint32_t version, uint8_t key[BOARD_KEY_SIZE])
{
	uint8_t info[4], *at = info, upper[BOARD_KEY_SIZE];
	int ret;

	if (version < 2 || version > LADDER_TOP)
		return -EINVAL;
	put_u32(&at, version - 1);
	memcpy(upper, key, sizeof(upper));
	ret = derive(keys, "ihsm ladder step", upper, sizeof(upper), info, sizeof(info), key);
	OPENSSL_cleanse(upper, sizeof(upper));
	return ret;
}

int keys_ladder(struct keys *keys, const uint8_t platform[BOARD_KEY_SIZE], uint32_t version,
		uint8_t key[BOARD_KEY_SIZE])
{
	uint32_t rung;
	int ret;

	if (version < 1 || version > LADDER_TOP)
		return -EINVAL;
	ret = derive(keys, "ihsm ladder top", platform, BOARD_KEY_SIZE, NULL, 0, key);
	for (rung = LADDER_TOP; !ret && rung > version; rung--)
		ret = keys_ladder_down(keys, rung, key);
	return ret;
}

int keys_root(struct keys *keys, const uint8_t platform[BOARD_KEY_SIZE],
	      const uint8_t root[BOARD_SECRET_SIZE], uint8_t key[BOARD_KEY_SIZE])
{
	uint8_t both[BOARD_KEY_SIZE + BOARD_SECRET_SIZE];
	int ret;

	memcpy(both, platform, BOARD_KEY_SIZE);
	memcpy(both + BOARD_KEY_SIZE, root, BOARD_SECRET_SIZE);
	ret = derive(keys, "ihsm root record", both, sizeof(both), NULL, 0, key);
	OPENSSL_cleanse(both, sizeof(both));
	return ret;
}

int keys_partition(struct keys *keys, const uint8_t ladder[BOARD_KEY_SIZE],
		   const uint8_t wrapping[BOARD_SECRET_SIZE], const uint8_t id[PARTITION_ID_SIZE],
		   uint64_t generation, uint8_t key[BOARD_KEY_SIZE])
{
	uint8_t both[BOARD_KEY_SIZE + BOARD_SECRET_SIZE];
	uint8_t info[PARTITION_ID_SIZE + 8], *at = info;
	int ret;

	memcpy(both, ladder, BOARD_KEY_SIZE);
	memcpy(both + BOARD_KEY_SIZE, wrapping, BOARD_SECRET_SIZE);
	put_bytes(&at, id, PARTITION_ID_SIZE);
	put_u64(&at, generation);
	ret = derive(keys, "ihsm partition", both, sizeof(both), info, sizeof(info), key);
	OPENSSL_cleanse(both, sizeof(both));
	return ret;
}

int keys_seal(struct keys *keys, const uint8_t key[BOARD_KEY_SIZE], const void *bound,
	      size_t bound_length, const void *plain, size_t length, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx;
	int n, ret = -EIO;

	if (keys_random(keys, out, NONCE_SIZE))
		return -EIO;
	ctx = EVP_CIPHER_CTX_new();
	if (!ctx)
		return -ENOMEM;
	if (EVP_EncryptInit_ex2(ctx, keys->gcm, key, out, NULL) == 1 &&
	    EVP_EncryptUpdate(ctx, NULL, &n, bound, (int)bound_length) == 1 &&
	    EVP_EncryptUpdate(ctx, out + NONCE_SIZE, &n, plain, (int)length) == 1 &&
	    EVP_EncryptFinal_ex(ctx, out + NONCE_SIZE + length, &n) == 1 &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, out + NONCE_SIZE + length) ==
		    1)
		ret = 0;
	EVP_CIPHER_CTX_free(ctx);
	return ret;
}

int keys_unseal(struct keys *keys, const uint8_t key[BOARD_KEY_SIZE], const void *bound,
		size_t bound_length, const uint8_t *sealed, size_t length, void *plain)
{
	EVP_CIPHER_CTX *ctx;
	size_t inner;
	int n, ret = -EBADMSG;

	if (length < SEAL_OVERHEAD)
		return -EBADMSG;
	inner = length - SEAL_OVERHEAD;
	ctx = EVP_CIPHER_CTX_new();
	if (!ctx)
		return -ENOMEM;
	if (EVP_DecryptInit_ex2(ctx, keys->gcm, key, sealed, NULL) == 1 &&
	    EVP_DecryptUpdate(ctx, NULL, &n, bound, (int)bound_length) == 1 &&
	    EVP_DecryptUpdate(ctx, plain, &n, sealed + NONCE_SIZE, (int)inner) == 1 &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE,
				(void *)(sealed + NONCE_SIZE + inner)) == 1 &&
	    EVP_DecryptFinal_ex(ctx, (uint8_t *)plain + inner, &n) == 1)
		ret = 0;
	if (ret)
		OPENSSL_cleanse(plain, inner);
	EVP_CIPHER_CTX_free(ctx);
	return ret;
}
