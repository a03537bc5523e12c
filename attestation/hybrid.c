// SPDX-License-Identifier: Apache-2.0
/*
 * Sealing to P-384 and ML-KEM-1024 together, see hsm/hybrid.h. Both primitives and what joins them are
 * libcrypto's: HPKE mixes the pre-shared key into its key schedule (RFC 9180, 5.1), so that the result
 * is as strong as the stronger one of the two.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/opensslv.h>
#include <openssl/params.h>
#include <hsm/hybrid.h>

#if OPENSSL_VERSION_NUMBER >= 0x30200000L
#include <openssl/hpke.h>
#define HAVE_HPKE 1
#endif

#define KEM	    "ML-KEM-1024"
#define CURVE	    "P-384"
#define KEM_SECRET  32
#define PSK_ID_SIZE 65 /* SHA-256 as text: OSSL_HPKE takes a string of at most 66 bytes */

void hsm_hybrid_free(struct hsm_hybrid *key)
{
	EVP_PKEY_free(key->ec);
	EVP_PKEY_free(key->kem);
	key->ec = key->kem = NULL;
}

int hsm_hybrid_available(OSSL_LIB_CTX *libctx)
{
#ifdef HAVE_HPKE
	EVP_KEM *kem = EVP_KEM_fetch(libctx, KEM, NULL), *dhkem = EVP_KEM_fetch(libctx, "EC", NULL);
	int ret = kem && dhkem ? 0 : -EOPNOTSUPP;

	EVP_KEM_free(kem);
	EVP_KEM_free(dhkem);
	return ret;
#else
	(void)libctx;
	return -EOPNOTSUPP;
#endif
}

/* ---- keys ---- */

/* @ret: what making the key came to */
static int settle(struct hsm_hybrid *key, int ret)
{
	if (!ret && key->ec && key->kem)
		return 0;
	hsm_hybrid_free(key);
	return ret ? ret : -EINVAL;
}

int hsm_hybrid_generate(OSSL_LIB_CTX *libctx, struct hsm_hybrid *key)
{
	int ret = hsm_hybrid_available(libctx);

	memset(key, 0, sizeof(*key));
	if (ret)
		return ret;
	key->ec = EVP_PKEY_Q_keygen(libctx, NULL, "EC", CURVE);
	key->kem = EVP_PKEY_Q_keygen(libctx, NULL, KEM);
	return settle(key, 0);
}

static EVP_PKEY *from_params(OSSL_LIB_CTX *libctx, const char *name, int selection,
			     OSSL_PARAM *params)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(libctx, name, NULL);
	EVP_PKEY *key = NULL;

	if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, selection, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static EVP_PKEY *ec_from_public(OSSL_LIB_CTX *libctx, const uint8_t *point)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)CURVE, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)point,
						  HSM_HYBRID_EC_PUBLIC),
		OSSL_PARAM_construct_end(),
	};

	return from_params(libctx, "EC", EVP_PKEY_PUBLIC_KEY, params);
}

int hsm_hybrid_from_public(OSSL_LIB_CTX *libctx, const uint8_t bytes[HSM_HYBRID_PUBLIC],
			   struct hsm_hybrid *key)
{
	int ret = hsm_hybrid_available(libctx);

	memset(key, 0, sizeof(*key));
	if (ret)
		return ret;
	key->ec = ec_from_public(libctx, bytes);
	key->kem = EVP_PKEY_new_raw_public_key_ex(libctx, KEM, NULL, bytes + HSM_HYBRID_EC_PUBLIC,
						  HSM_HYBRID_KEM_PUBLIC);
	return settle(key, 0);
}

/* The point that belongs to a scalar */
static int point_of(OSSL_LIB_CTX *libctx, const BIGNUM *scalar, uint8_t point[HSM_HYBRID_EC_PUBLIC])
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name_ex(libctx, NULL, NID_secp384r1);
	EC_POINT *product = group ? EC_POINT_new(group) : NULL;
	BN_CTX *ctx = BN_CTX_secure_new_ex(libctx);
	int ret = -EIO;

	if (product && ctx && EC_POINT_mul(group, product, scalar, NULL, NULL, ctx) == 1 &&
	    EC_POINT_point2oct(group, product, POINT_CONVERSION_UNCOMPRESSED, point,
			       HSM_HYBRID_EC_PUBLIC, ctx) == HSM_HYBRID_EC_PUBLIC)
		ret = 0;
	BN_CTX_free(ctx);
	EC_POINT_free(product);
	EC_GROUP_free(group);
	return ret;
}

/* In the machine's own byte order, as libcrypto's parameters of numbers are */
static EVP_PKEY *ec_from_scalar(OSSL_LIB_CTX *libctx, const BIGNUM *scalar)
{
	uint8_t native[HSM_HYBRID_EC_PRIVATE], point[HSM_HYBRID_EC_PUBLIC];
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)CURVE, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
		OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, native, sizeof(native)),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY *key = NULL;

	if (BN_bn2nativepad(scalar, native, sizeof(native)) == sizeof(native) &&
	    !point_of(libctx, scalar, point))
		key = from_params(libctx, "EC", EVP_PKEY_KEYPAIR, params);
	OPENSSL_cleanse(native, sizeof(native));
	return key;
}

int hsm_hybrid_from_private(OSSL_LIB_CTX *libctx, const uint8_t bytes[HSM_HYBRID_PRIVATE],
			    struct hsm_hybrid *key)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string("seed", (void *)(bytes + HSM_HYBRID_EC_PRIVATE),
						  HSM_HYBRID_KEM_SEED),
		OSSL_PARAM_construct_end(),
	};
	int ret = hsm_hybrid_available(libctx);
	BIGNUM *scalar;

	memset(key, 0, sizeof(*key));
	if (ret)
		return ret;
	scalar = BN_bin2bn(bytes, HSM_HYBRID_EC_PRIVATE, NULL);
	if (!scalar)
		return -ENOMEM;
	BN_set_flags(scalar, BN_FLG_CONSTTIME);
	key->ec = ec_from_scalar(libctx, scalar);
	key->kem = from_params(libctx, KEM, EVP_PKEY_KEYPAIR, params);
	BN_clear_free(scalar);
	return settle(key, 0);
}

/* Exactly @size bytes of a key's parameter */
static int octets(const EVP_PKEY *key, const char *name, uint8_t *out, size_t size)
{
	size_t length = 0;

	if (!key || EVP_PKEY_get_octet_string_param(key, name, out, size, &length) != 1)
		return -EINVAL;
	return length == size ? 0 : -EINVAL;
}

int hsm_hybrid_public(const struct hsm_hybrid *key, uint8_t bytes[HSM_HYBRID_PUBLIC])
{
	if (!key->ec || !key->kem || !EVP_PKEY_is_a(key->ec, "EC") || !EVP_PKEY_is_a(key->kem, KEM))
		return -EINVAL;
	if (octets(key->ec, OSSL_PKEY_PARAM_PUB_KEY, bytes, HSM_HYBRID_EC_PUBLIC))
		return -EINVAL;
	return octets(key->kem, OSSL_PKEY_PARAM_PUB_KEY, bytes + HSM_HYBRID_EC_PUBLIC,
		      HSM_HYBRID_KEM_PUBLIC);
}

int hsm_hybrid_private(const struct hsm_hybrid *key, uint8_t bytes[HSM_HYBRID_PRIVATE])
{
	BIGNUM *scalar = NULL;
	int ret = -EINVAL;

	if (EVP_PKEY_get_bn_param(key->ec, OSSL_PKEY_PARAM_PRIV_KEY, &scalar) == 1 &&
	    BN_bn2binpad(scalar, bytes, HSM_HYBRID_EC_PRIVATE) == HSM_HYBRID_EC_PRIVATE)
		ret = octets(key->kem, "seed", bytes + HSM_HYBRID_EC_PRIVATE, HSM_HYBRID_KEM_SEED);
	BN_clear_free(scalar);
	return ret;
}

/* ---- sealing ---- */

#ifdef HAVE_HPKE

static const OSSL_HPKE_SUITE suite = {
	.kem_id = OSSL_HPKE_KEM_ID_P384,
	.kdf_id = OSSL_HPKE_KDF_ID_HKDF_SHA384,
	.aead_id = OSSL_HPKE_AEAD_ID_AES_GCM_256,
};

static int encapsulate(OSSL_LIB_CTX *libctx, EVP_PKEY *key, uint8_t *ciphertext,
		       uint8_t secret[KEM_SECRET])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(libctx, key, NULL);
	size_t length = HSM_HYBRID_KEM_PUBLIC, secret_length = KEM_SECRET;
	int ret = -EIO;

	if (ctx && EVP_PKEY_encapsulate_init(ctx, NULL) == 1 &&
	    EVP_PKEY_encapsulate(ctx, ciphertext, &length, secret, &secret_length) == 1 &&
	    length == HSM_HYBRID_KEM_PUBLIC && secret_length == KEM_SECRET)
		ret = 0;
	EVP_PKEY_CTX_free(ctx);
	return ret;
}

static int decapsulate(OSSL_LIB_CTX *libctx, EVP_PKEY *key, const uint8_t *ciphertext,
		       uint8_t secret[KEM_SECRET])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(libctx, key, NULL);
	size_t length = KEM_SECRET;
	int ret = -EIO;

	if (ctx && EVP_PKEY_decapsulate_init(ctx, NULL) == 1 &&
	    EVP_PKEY_decapsulate(ctx, secret, &length, ciphertext, HSM_HYBRID_KEM_PUBLIC) == 1 &&
	    length == KEM_SECRET)
		ret = 0;
	EVP_PKEY_CTX_free(ctx);
	return ret;
}

/* A context with the pre-shared key set, whose name is the hash of the ciphertext that it came in */
static OSSL_HPKE_CTX *context(OSSL_LIB_CTX *libctx, int role, const uint8_t *ciphertext,
			      const uint8_t secret[KEM_SECRET])
{
	OSSL_HPKE_CTX *ctx = OSSL_HPKE_CTX_new(OSSL_HPKE_MODE_PSK, suite, role, libctx, NULL);
	EVP_MD *sha256 = EVP_MD_fetch(libctx, "SHA256", NULL);
	char name[PSK_ID_SIZE];
	uint8_t hash[32];
	size_t i;
	int good = 0;

	if (ctx && sha256 &&
	    EVP_Digest(ciphertext, HSM_HYBRID_KEM_PUBLIC, hash, NULL, sha256, NULL) == 1) {
		for (i = 0; i < sizeof(hash); i++)
			snprintf(name + 2 * i, 3, "%02x", hash[i]);
		good = OSSL_HPKE_CTX_set1_psk(ctx, name, secret, KEM_SECRET);
	}
	EVP_MD_free(sha256);
	if (good == 1)
		return ctx;
	OSSL_HPKE_CTX_free(ctx);
	return NULL;
}

int hsm_hybrid_seal(OSSL_LIB_CTX *libctx, const struct hsm_hybrid *key, const uint8_t *info,
		    size_t info_length, const uint8_t *plain, size_t length, uint8_t *out)
{
	uint8_t *ciphertext = out + HSM_HYBRID_EC_PUBLIC;
	uint8_t *sealed = ciphertext + HSM_HYBRID_KEM_PUBLIC;
	uint8_t public[HSM_HYBRID_PUBLIC], secret[KEM_SECRET];
	size_t enc_length = HSM_HYBRID_EC_PUBLIC, sealed_length = length + 16;
	OSSL_HPKE_CTX *ctx = NULL;
	int ret = hsm_hybrid_public(key, public);

	if (!ret)
		ret = encapsulate(libctx, key->kem, ciphertext, secret);
	if (!ret)
		ctx = context(libctx, OSSL_HPKE_ROLE_SENDER, ciphertext, secret);
	if (!ret && (!ctx ||
		     OSSL_HPKE_encap(ctx, out, &enc_length, public, HSM_HYBRID_EC_PUBLIC, info,
				     info_length) != 1 ||
		     enc_length != HSM_HYBRID_EC_PUBLIC ||
		     OSSL_HPKE_seal(ctx, sealed, &sealed_length, NULL, 0, plain, length) != 1 ||
		     sealed_length != length + 16))
		ret = -EIO;
	OSSL_HPKE_CTX_free(ctx);
	OPENSSL_cleanse(secret, sizeof(secret));
	return ret;
}

int hsm_hybrid_open(OSSL_LIB_CTX *libctx, const struct hsm_hybrid *key, const uint8_t *info,
		    size_t info_length, const uint8_t *sealed, size_t length, uint8_t *plain)
{
	const uint8_t *ciphertext = sealed + HSM_HYBRID_EC_PUBLIC;
	const uint8_t *text = ciphertext + HSM_HYBRID_KEM_PUBLIC;
	size_t inner = length - HSM_HYBRID_OVERHEAD, got = inner;
	uint8_t secret[KEM_SECRET];
	OSSL_HPKE_CTX *ctx = NULL;
	int ret;

	if (length <= HSM_HYBRID_OVERHEAD || !key->ec || !key->kem)
		return -EBADMSG;
	ret = decapsulate(libctx, key->kem, ciphertext, secret);
	if (!ret)
		ctx = context(libctx, OSSL_HPKE_ROLE_RECEIVER, ciphertext, secret);
	if (!ret &&
	    (!ctx ||
	     OSSL_HPKE_decap(ctx, sealed, HSM_HYBRID_EC_PUBLIC, key->ec, info, info_length) != 1 ||
	     OSSL_HPKE_open(ctx, plain, &got, NULL, 0, text, inner + 16) != 1 || got != inner))
		ret = -EBADMSG;
	OSSL_HPKE_CTX_free(ctx);
	OPENSSL_cleanse(secret, sizeof(secret));
	if (ret)
		OPENSSL_cleanse(plain, inner);
	return ret;
}

#else /* no HPKE */

int hsm_hybrid_seal(OSSL_LIB_CTX *libctx, const struct hsm_hybrid *key, const uint8_t *info,
		    size_t info_length, const uint8_t *plain, size_t length, uint8_t *out)
{
	(void)libctx, (void)key, (void)info, (void)info_length, (void)plain, (void)length,
		(void)out;
	return -EOPNOTSUPP;
}

int hsm_hybrid_open(OSSL_LIB_CTX *libctx, const struct hsm_hybrid *key, const uint8_t *info,
		    size_t info_length, const uint8_t *sealed, size_t length, uint8_t *plain)
{
	(void)libctx, (void)key, (void)info, (void)info_length, (void)sealed, (void)length,
		(void)plain;
	return -EOPNOTSUPP;
}

#endif
