// SPDX-License-Identifier: Apache-2.0
/*
 * DICE secrets and the keys that come from them, all by libcrypto: HKDF from layer to layer, and key
 * pairs that the same secret gives again at each start.
 */
#include <errno.h>
#include <string.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <hsm/dice.h>

#define SCALAR_MATERIAL 56 /* 64 bits more than the order has (FIPS 186-5, A.2.1) */
#define SEED_SIZE	32 /* FIPS 204, algorithm 1 */
#define POINT_MAX	97

const char *hsm_dice_algorithm_name(enum hsm_dice_algorithm algorithm)
{
	return algorithm == HSM_DICE_P384 ? "P-384" : "ML-DSA-87";
}

static int expand(OSSL_LIB_CTX *libctx, const uint8_t secret[HSM_CDI_SIZE], const char *label,
		  const void *info, size_t info_length, uint8_t *out, size_t length)
{
	EVP_KDF *hkdf = EVP_KDF_fetch(libctx, "HKDF", NULL);
	EVP_KDF_CTX *ctx = hkdf ? EVP_KDF_CTX_new(hkdf) : NULL;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA384", 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret, HSM_CDI_SIZE),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)label,
						  strlen(label)),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, info_length),
		OSSL_PARAM_construct_end(),
	};
	int ret = ctx && EVP_KDF_derive(ctx, out, length, params) == 1 ? 0 : -EIO;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(hkdf);
	return ret;
}

int hsm_dice_derive(OSSL_LIB_CTX *libctx, const uint8_t secret[HSM_CDI_SIZE], const char *label,
		    const void *info, size_t length, uint8_t next[HSM_CDI_SIZE])
{
	return expand(libctx, secret, label, info ? info : "", length, next, HSM_CDI_SIZE);
}

/* ---- P-384 ---- */

/* d = (c mod (n - 1)) + 1 (FIPS 186-5, A.2.1) */
static int scalar(const EC_GROUP *group, const uint8_t material[SCALAR_MATERIAL], BIGNUM *d,
		  BN_CTX *ctx)
{
	BIGNUM *c = BN_secure_new(), *bound = BN_new();
	int ret = -EIO;

	if (!c || !bound || !BN_bin2bn(material, SCALAR_MATERIAL, c))
		goto out;
	BN_set_flags(c, BN_FLG_CONSTTIME);
	if (BN_sub(bound, EC_GROUP_get0_order(group), BN_value_one()) && BN_mod(d, c, bound, ctx) &&
	    BN_add_word(d, 1))
		ret = 0;
out:
	BN_clear_free(c);
	BN_free(bound);
	return ret;
}

/* libcrypto's import computes no public key from the private one. */
static int point(const EC_GROUP *group, const BIGNUM *d, uint8_t *bytes, size_t *length,
		 BN_CTX *ctx)
{
	EC_POINT *public = EC_POINT_new(group);

	*length = 0;
	if (public && EC_POINT_mul(group, public, d, NULL, NULL, ctx))
		*length = EC_POINT_point2oct(group, public, POINT_CONVERSION_UNCOMPRESSED, bytes,
					     POINT_MAX, ctx);
	EC_POINT_free(public);
	return *length ? 0 : -EIO;
}

static EVP_PKEY *import(OSSL_LIB_CTX *libctx, const char *type, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(libctx, type, NULL);
	EVP_PKEY *key = NULL;

	if (!ctx || !params || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static EVP_PKEY *import_p384(OSSL_LIB_CTX *libctx, const BIGNUM *d, const uint8_t *public,
			     size_t length)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;

	if (build &&
	    OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-384", 0) &&
	    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, public, length) &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, d))
		params = OSSL_PARAM_BLD_to_param(build);
	if (params)
		key = import(libctx, "EC", params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	return key;
}

static int p384(OSSL_LIB_CTX *libctx, const uint8_t cdi[HSM_CDI_SIZE], EVP_PKEY **key)
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name_ex(libctx, NULL, NID_secp384r1);
	BN_CTX *ctx = BN_CTX_secure_new_ex(libctx);
	BIGNUM *d = BN_secure_new();
	uint8_t material[SCALAR_MATERIAL], public[POINT_MAX];
	size_t length;
	int ret = -EIO;

	if (group && ctx && d) {
		BN_set_flags(d, BN_FLG_CONSTTIME);
		ret = expand(libctx, cdi, "ihsm dice P-384", "", 0, material, sizeof(material));
	}
	if (!ret)
		ret = scalar(group, material, d, ctx);
	if (!ret)
		ret = point(group, d, public, &length, ctx);
	if (!ret) {
		*key = import_p384(libctx, d, public, length);
		ret = *key ? 0 : -EIO;
	}
	OPENSSL_cleanse(material, sizeof(material));
	BN_clear_free(d);
	BN_CTX_free(ctx);
	EC_GROUP_free(group);
	return ret;
}

/* ---- ML-DSA-87 ---- */

static bool has_ml_dsa(OSSL_LIB_CTX *libctx)
{
	EVP_SIGNATURE *signature = EVP_SIGNATURE_fetch(libctx, "ML-DSA-87", NULL);
	bool has = signature != NULL;

	ERR_clear_error();
	EVP_SIGNATURE_free(signature);
	return has;
}

static int ml_dsa(OSSL_LIB_CTX *libctx, const uint8_t cdi[HSM_CDI_SIZE], EVP_PKEY **key)
{
	uint8_t seed[SEED_SIZE];
	OSSL_PARAM params[] = {
		/* OSSL_PKEY_PARAM_ML_DSA_SEED, which older headers do not have */
		OSSL_PARAM_construct_octet_string("seed", seed, sizeof(seed)),
		OSSL_PARAM_construct_end(),
	};
	int ret;

	if (!has_ml_dsa(libctx))
		return 0;
	ret = expand(libctx, cdi, "ihsm dice ML-DSA-87", "", 0, seed, sizeof(seed));
	if (!ret) {
		*key = import(libctx, "ML-DSA-87", params);
		ret = *key ? 0 : -EIO;
	}
	OPENSSL_cleanse(seed, sizeof(seed));
	return ret;
}

/* ---- both ---- */

int hsm_dice_keys_derive(OSSL_LIB_CTX *libctx, const uint8_t cdi[HSM_CDI_SIZE],
			 struct hsm_dice_keys *keys)
{
	int ret;

	*keys = (struct hsm_dice_keys){ 0 };
	ret = p384(libctx, cdi, &keys->key[HSM_DICE_P384]);
	if (!ret)
		ret = ml_dsa(libctx, cdi, &keys->key[HSM_DICE_ML_DSA_87]);
	if (ret)
		hsm_dice_keys_free(keys);
	return ret;
}

void hsm_dice_keys_free(struct hsm_dice_keys *keys)
{
	for (unsigned int i = 0; i < HSM_DICE_ALGORITHMS; i++)
		EVP_PKEY_free(keys->key[i]);
	*keys = (struct hsm_dice_keys){ 0 };
}

int hsm_dice_fingerprint(OSSL_LIB_CTX *libctx, EVP_PKEY *key,
			 uint8_t fingerprint[HSM_FINGERPRINT_SIZE])
{
	EVP_MD *sha256 = EVP_MD_fetch(libctx, "SHA256", NULL);
	uint8_t *der = NULL;
	int length = key ? i2d_PUBKEY(key, &der) : -1;
	int ret = -EIO;

	if (sha256 && length > 0 &&
	    EVP_Digest(der, (size_t)length, fingerprint, NULL, sha256, NULL) == 1)
		ret = 0;
	OPENSSL_free(der);
	EVP_MD_free(sha256);
	return ret;
}
