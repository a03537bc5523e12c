// SPDX-License-Identifier: Apache-2.0
/*
 * Names of digests and curves: as the vectors write them, as libcrypto does, and the mechanisms
 * that PKCS#11 has with them.
 */
#include "vectors.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/objects.h>

#define NONE ABSENT_MECHANISM

/* clang-format off */
static const struct hash hashes[] = {
#define SHA(name, evp, word, mgf, pbkd2, size) \
	{ name, evp, CKM_##word, CKM_##word##_HMAC_GENERAL, CKK_##word##_HMAC, CKM_##word##_RSA_PKCS, \
	  CKM_##word##_RSA_PKCS_PSS, CKM_ECDSA_##word, mgf, pbkd2, size }
	{ "SHA-1", "SHA1", CKM_SHA_1, CKM_SHA_1_HMAC_GENERAL, CKK_SHA_1_HMAC, CKM_SHA1_RSA_PKCS,
	  CKM_SHA1_RSA_PKCS_PSS, CKM_ECDSA_SHA1, CKG_MGF1_SHA1, CKP_PKCS5_PBKD2_HMAC_SHA1, 20 },
	SHA("SHA-224", "SHA224", SHA224, CKG_MGF1_SHA224, CKP_PKCS5_PBKD2_HMAC_SHA224, 28),
	SHA("SHA-256", "SHA256", SHA256, CKG_MGF1_SHA256, CKP_PKCS5_PBKD2_HMAC_SHA256, 32),
	SHA("SHA-384", "SHA384", SHA384, CKG_MGF1_SHA384, CKP_PKCS5_PBKD2_HMAC_SHA384, 48),
	SHA("SHA-512", "SHA512", SHA512, CKG_MGF1_SHA512, CKP_PKCS5_PBKD2_HMAC_SHA512, 64),
	SHA("SHA3-224", "SHA3-224", SHA3_224, CKG_MGF1_SHA3_224, 0, 28),
	SHA("SHA3-256", "SHA3-256", SHA3_256, CKG_MGF1_SHA3_256, 0, 32),
	SHA("SHA3-384", "SHA3-384", SHA3_384, CKG_MGF1_SHA3_384, 0, 48),
	SHA("SHA3-512", "SHA3-512", SHA3_512, CKG_MGF1_SHA3_512, 0, 64),
	{ "SHA-512/224", "SHA512-224", CKM_SHA512_224, CKM_SHA512_224_HMAC_GENERAL, CKK_SHA512_224_HMAC,
	  NONE, NONE, NONE, 0, CKP_PKCS5_PBKD2_HMAC_SHA512_224, 28 },
	{ "SHA-512/256", "SHA512-256", CKM_SHA512_256, CKM_SHA512_256_HMAC_GENERAL, CKK_SHA512_256_HMAC,
	  NONE, NONE, NONE, 0, CKP_PKCS5_PBKD2_HMAC_SHA512_256, 32 },
	/* As a digest of ECDSA these have a fixed length, and no mechanism. */
	{ "SHAKE128", "SHAKE128", NONE, NONE, 0, NONE, NONE, NONE, 0, 0, 32 },
	{ "SHAKE256", "SHAKE256", NONE, NONE, 0, NONE, NONE, NONE, 0, 0, 64 },
};

static const struct curve curves[] = {
	{ "secp224r1", "P-224", "secp224r1", 224, true },
	{ "secp256r1", "P-256", "prime256v1", 256, true },
	{ "secp384r1", "P-384", "secp384r1", 384, true },
	{ "secp521r1", "P-521", "secp521r1", 521, true },
	{ "secp256k1", "P-256K", "secp256k1", 256, true },
	{ "brainpoolP224r1", NULL, "brainpoolP224r1", 224, true },
	{ "brainpoolP256r1", NULL, "brainpoolP256r1", 256, true },
	{ "brainpoolP320r1", NULL, "brainpoolP320r1", 320, true },
	{ "brainpoolP384r1", NULL, "brainpoolP384r1", 384, true },
	{ "brainpoolP512r1", NULL, "brainpoolP512r1", 512, true },
	{ "edwards25519", NULL, "ED25519", 255, false },
	{ "edwards448", NULL, "ED448", 448, false },
	{ "curve25519", NULL, "X25519", 255, false },
	{ "curve448", NULL, "X448", 448, false },
};
/* clang-format on */

/* Letters and digits of two names are the same. "SHA-3" and "SHA3" are; so are "SHA512/224" and "SHA512_224". */
static bool alike(const char *a, const char *b)
{
	for (;; a++, b++) {
		while (*a && !isalnum((unsigned char)*a))
			a++;
		while (*b && !isalnum((unsigned char)*b))
			b++;
		if (toupper((unsigned char)*a) != toupper((unsigned char)*b))
			return false;
		if (!*a)
			return true;
	}
}

const struct hash *hash_named(const char *name)
{
	size_t i;

	for (i = 0; name && i < COUNT(hashes); i++) {
		if (alike(hashes[i].name, name))
			return &hashes[i];
	}
	return NULL;
}

bool hash_compute(const char *name, struct bytes in, struct buffer *out)
{
	const struct hash *hash = hash_named(name);
	EVP_MD *md = hash ? EVP_MD_fetch(NULL, hash->evp, NULL) : NULL;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool xof = md && (EVP_MD_get_flags(md) & EVP_MD_FLAG_XOF);
	bool good = md && ctx && EVP_DigestInit_ex2(ctx, md, NULL) == 1 &&
		    EVP_DigestUpdate(ctx, in.data, in.length) == 1;

	if (good)
		good = xof ? EVP_DigestFinalXOF(ctx, out->data, hash->size) == 1
			   : EVP_DigestFinal_ex(ctx, out->data, NULL) == 1;
	out->length = good ? hash->size : 0;
	EVP_MD_CTX_free(ctx);
	EVP_MD_free(md);
	return good;
}

const struct curve *curve_named(const char *name)
{
	size_t i;

	for (i = 0; name && i < COUNT(curves); i++) {
		if (!strcmp(curves[i].name, name) ||
		    (curves[i].other && !strcmp(curves[i].other, name)))
			return &curves[i];
	}
	return NULL;
}

/*
 * What the token is meant to offer is said here and not asked of it: a curve that has vanished is a
 * failure of its vectors.
 */
const struct curve *curve_offered(const char *name)
{
	const struct curve *curve = curve_named(name);

	return curve && curve->offered ? curve : NULL;
}

struct bytes curve_oid(const struct curve *curve)
{
	static uint8_t room[COUNT(curves)][16];
	uint8_t *start = room[curve - curves], *end = start;
	ASN1_OBJECT *object = OBJ_txt2obj(curve->evp, 0);
	int length = object ? i2d_ASN1_OBJECT(object, NULL) : 0;

	if (length > 0 && (size_t)length <= sizeof(room[0]))
		i2d_ASN1_OBJECT(object, &end);
	ASN1_OBJECT_free(object);
	return (struct bytes){ start, (size_t)(end - start) };
}
