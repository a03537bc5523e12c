// SPDX-License-Identifier: Apache-2.0
/*
 * What libcrypto has: its library context, every algorithm fetched once, which rows of the table work here, random
 * numbers. All of it is made before the sandbox closes, and only read afterwards, so nothing here takes a lock.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include "mech_private.h"

static const struct mech_hash hashes[] = {
	{ CKM_SHA_1, CKG_MGF1_SHA1, CKD_SHA1_KDF, CKD_SHA1_KDF_SP800, 0, "SHA1", 0 },
	{ CKM_SHA224, CKG_MGF1_SHA224, CKD_SHA224_KDF, CKD_SHA224_KDF_SP800, CKK_SHA224_HMAC,
	  "SHA224", 4 },
	{ CKM_SHA256, CKG_MGF1_SHA256, CKD_SHA256_KDF, CKD_SHA256_KDF_SP800, CKK_SHA256_HMAC,
	  "SHA256", 1 },
	{ CKM_SHA384, CKG_MGF1_SHA384, CKD_SHA384_KDF, CKD_SHA384_KDF_SP800, CKK_SHA384_HMAC,
	  "SHA384", 2 },
	{ CKM_SHA512, CKG_MGF1_SHA512, CKD_SHA512_KDF, CKD_SHA512_KDF_SP800, CKK_SHA512_HMAC,
	  "SHA512", 3 },
	{ CKM_SHA512_224, 0, 0, 0, CKK_SHA512_224_HMAC, "SHA512-224", 5 },
	{ CKM_SHA512_256, 0, 0, 0, CKK_SHA512_256_HMAC, "SHA512-256", 6 },
	{ CKM_SHA3_224, CKG_MGF1_SHA3_224, CKD_SHA3_224_KDF, CKD_SHA3_224_KDF_SP800,
	  CKK_SHA3_224_HMAC, "SHA3-224", 7 },
	{ CKM_SHA3_256, CKG_MGF1_SHA3_256, CKD_SHA3_256_KDF, CKD_SHA3_256_KDF_SP800,
	  CKK_SHA3_256_HMAC, "SHA3-256", 8 },
	{ CKM_SHA3_384, CKG_MGF1_SHA3_384, CKD_SHA3_384_KDF, CKD_SHA3_384_KDF_SP800,
	  CKK_SHA3_384_HMAC, "SHA3-384", 9 },
	{ CKM_SHA3_512, CKG_MGF1_SHA3_512, CKD_SHA3_512_KDF, CKD_SHA3_512_KDF_SP800,
	  CKK_SHA3_512_HMAC, "SHA3-512", 10 },
};

#define HASHES	    (sizeof(hashes) / sizeof(hashes[0]))
#define AES_LENGTHS 3

static const char *const kdf_names[] = { "HKDF", "X963KDF", "SSKDF" };

#define KDFS (sizeof(kdf_names) / sizeof(kdf_names[0]))

/* One for the process: the seam (mech.h) has no place for a handle, and nothing here differs between partitions. */
static struct {
	OSSL_LIB_CTX *libctx;
	OSSL_PROVIDER *provider;
	EVP_MD *md[HASHES];
	EVP_MAC *hmac;
	EVP_MAC *cmac;
	EVP_KDF *kdf[KDFS];
	EVP_CIPHER *ecb[AES_LENGTHS];
	bool implicit_rejection;
	struct {
		bool available;
		const struct mech_hash *hash;
		EVP_CIPHER *cipher[AES_LENGTHS];
	} row[HSM_MECHANISM_ROWS];
} library;

OSSL_LIB_CTX *mech_libctx(void)
{
	return library.libctx;
}

static size_t row_of(const struct hsm_mechanism_info *info)
{
	return (size_t)(info - hsm_mechanism_at(0));
}

/* ---- look-up ---- */

const EVP_MD *mech_hash_md(const struct mech_hash *hash)
{
	return library.md[hash - hashes];
}

static const struct mech_hash *known(size_t i)
{
	return library.md[i] ? &hashes[i] : NULL;
}

const struct mech_hash *mech_hash_find(uint64_t mechanism)
{
	for (size_t i = 0; i < HASHES; i++) {
		if (hashes[i].mechanism == mechanism)
			return known(i);
	}
	return NULL;
}

const struct mech_hash *mech_hash_by_mgf(uint64_t mgf)
{
	for (size_t i = 0; i < HASHES; i++) {
		if (hashes[i].mgf == mgf && mgf)
			return known(i);
	}
	return NULL;
}

const struct mech_hash *mech_hash_by_kdf(uint64_t kdf, bool *sp800)
{
	for (size_t i = 0; i < HASHES; i++) {
		*sp800 = hashes[i].sp800 == kdf;
		if ((hashes[i].kdf == kdf || *sp800) && kdf)
			return known(i);
	}
	return NULL;
}

const struct mech_hash *mech_hash_of_row(const struct hsm_mechanism_info *info)
{
	return library.row[row_of(info)].hash;
}

static int aes_index(size_t key_length)
{
	return key_length == 16 ? 0 : key_length == 24 ? 1 : key_length == 32 ? 2 : -1;
}

const EVP_CIPHER *mech_cipher(const struct hsm_mechanism_info *info, size_t key_length)
{
	int i = aes_index(key_length);

	return i < 0 ? NULL : library.row[row_of(info)].cipher[i];
}

const EVP_CIPHER *mech_cipher_ecb(size_t key_length)
{
	int i = aes_index(key_length);

	return i < 0 ? NULL : library.ecb[i];
}

EVP_MAC *mech_mac_hmac(void)
{
	return library.hmac;
}

EVP_MAC *mech_mac_cmac(void)
{
	return library.cmac;
}

EVP_KDF *mech_kdf(const char *name)
{
	for (size_t i = 0; i < KDFS; i++) {
		if (!strcmp(kdf_names[i], name))
			return library.kdf[i];
	}
	return NULL;
}

bool mech_implicit_rejection(void)
{
	return library.implicit_rejection;
}

bool mech_available(const struct hsm_mechanism_info *info)
{
	return info && library.row[row_of(info)].available;
}

uint64_t mech_flags(const struct hsm_mechanism_info *info)
{
	if (!mech_available(info))
		return 0;
	/*
	 * OpenSSL before 3.2 tells bad padding from good. Who can ask often enough decrypts with that (Bleichenbacher), so
	 * there the mechanism does not take anything apart.
	 */
	if (info->mechanism == CKM_RSA_PKCS && !library.implicit_rejection)
		return info->flags & ~(uint64_t)(CKF_DECRYPT | CKF_UNWRAP);
	return info->flags;
}

/* ---- start ---- */

static bool fetch_ciphers(EVP_CIPHER *cipher[AES_LENGTHS], const char *mode)
{
	char name[32];

	for (int i = 0; i < AES_LENGTHS; i++) {
		snprintf(name, sizeof(name), "AES-%d-%s", 128 + 64 * i, mode);
		cipher[i] = EVP_CIPHER_fetch(library.libctx, name, NULL);
		if (!cipher[i])
			return false;
	}
	return true;
}

static bool has_keys(const char *name)
{
	EVP_KEYMGMT *keymgmt = EVP_KEYMGMT_fetch(library.libctx, name, NULL);

	EVP_KEYMGMT_free(keymgmt);
	return keymgmt;
}

static bool find_hash(size_t row, const char *name)
{
	for (size_t i = 0; i < HASHES; i++) {
		if (strcmp(hashes[i].name, name))
			continue;
		library.row[row].hash = known(i);
	}
	return library.row[row].hash;
}

/* Fetch what a row needs. Return: is it all there? */
static bool start_row(size_t row, const struct hsm_mechanism_info *info)
{
	const char *name = info->algorithm;

	switch (info->family) {
	case MECH_FAMILY_CIPHER:
	case MECH_FAMILY_AEAD:
	case MECH_FAMILY_KEY_WRAP:
		return fetch_ciphers(library.row[row].cipher, name);
	case MECH_FAMILY_CMAC:
		return library.cmac && fetch_ciphers(library.row[row].cipher, name);
	case MECH_FAMILY_HMAC:
		return library.hmac && find_hash(row, name);
	case MECH_FAMILY_DIGEST:
		return find_hash(row, name);
	case MECH_FAMILY_RSA_PKCS:
	case MECH_FAMILY_RSA_RAW:
	case MECH_FAMILY_RSA_PSS:
	case MECH_FAMILY_RSA_OAEP:
		return has_keys("RSA") && (!*name || find_hash(row, name));
	case MECH_FAMILY_ECDSA:
		return has_keys("EC") && (!*name || find_hash(row, name));
	case MECH_FAMILY_ECDH:
		return has_keys("EC") && mech_kdf("X963KDF") && mech_kdf("SSKDF");
	case MECH_FAMILY_ML_DSA:
		return has_keys("ML-DSA-44") &&
		       (!strcmp(name, "ML-DSA-44") || find_hash(row, name));
	case MECH_FAMILY_HKDF:
		return mech_kdf("HKDF");
	case MECH_FAMILY_SECRET_GENERATE:
		return true;
	default:
		return has_keys(name);
	}
}

static bool find_implicit_rejection(void)
{
	EVP_ASYM_CIPHER *rsa = EVP_ASYM_CIPHER_fetch(library.libctx, "RSA", NULL);
	const OSSL_PARAM *params = rsa ? EVP_ASYM_CIPHER_settable_ctx_params(rsa) : NULL;
	bool found = params && OSSL_PARAM_locate_const(params, "implicit-rejection");

	EVP_ASYM_CIPHER_free(rsa);
	return found;
}

/* The first random number of a thread seeds its generator, the first of all opens the sources. */
static int start_random(void)
{
	uint8_t byte;

	if (RAND_bytes_ex(library.libctx, &byte, 1, 0) <= 0 ||
	    RAND_priv_bytes_ex(library.libctx, &byte, 1, 0) <= 0)
		return -EIO;
	return 0;
}

int mech_start(void)
{
	const struct hsm_mechanism_info *info;
	size_t i;

	/* No configuration file is ever looked for, not even for libcrypto's default context. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL);
	library.libctx = OSSL_LIB_CTX_new();
	if (!library.libctx)
		return -EIO;
	library.provider = OSSL_PROVIDER_load(library.libctx, "default");
	if (!library.provider || start_random()) {
		mech_stop();
		return -EIO;
	}
	for (i = 0; i < HASHES; i++)
		library.md[i] = EVP_MD_fetch(library.libctx, hashes[i].name, NULL);
	for (i = 0; i < KDFS; i++)
		library.kdf[i] = EVP_KDF_fetch(library.libctx, kdf_names[i], NULL);
	library.hmac = EVP_MAC_fetch(library.libctx, "HMAC", NULL);
	library.cmac = EVP_MAC_fetch(library.libctx, "CMAC", NULL);
	library.implicit_rejection = find_implicit_rejection();
	if (!fetch_ciphers(library.ecb, "ECB")) {
		mech_stop();
		return -EIO;
	}
	for (i = 0; (info = hsm_mechanism_at(i)); i++)
		library.row[i].available = start_row(i, info);
	ERR_clear_error();
	if (mech_rehearse()) {
		mech_stop();
		return -EIO;
	}
	return 0;
}

void mech_stop(void)
{
	size_t i, j;

	for (i = 0; i < HASHES; i++)
		EVP_MD_free(library.md[i]);
	for (i = 0; i < KDFS; i++)
		EVP_KDF_free(library.kdf[i]);
	for (i = 0; i < AES_LENGTHS; i++)
		EVP_CIPHER_free(library.ecb[i]);
	for (i = 0; i < HSM_MECHANISM_ROWS; i++) {
		for (j = 0; j < AES_LENGTHS; j++)
			EVP_CIPHER_free(library.row[i].cipher[j]);
	}
	EVP_MAC_free(library.hmac);
	EVP_MAC_free(library.cmac);
	if (library.provider)
		OSSL_PROVIDER_unload(library.provider);
	OSSL_LIB_CTX_free(library.libctx);
	memset(&library, 0, sizeof(library));
	ERR_clear_error();
}

/* ---- random numbers ---- */

CK_RV mech_random(uint8_t *out, size_t length)
{
	/* Of the thread's own generator: no lock is shared. */
	if (RAND_priv_bytes_ex(library.libctx, out, length, 0) <= 0)
		return mech_failed(CKR_FUNCTION_FAILED);
	return CKR_OK;
}

CK_RV mech_seed(const uint8_t *in, size_t length)
{
	EVP_RAND_CTX *generator = RAND_get0_private(library.libctx);

	/* As additional input, beside fresh entropy: a caller can add to the seed, not choose it. */
	if (!generator || EVP_RAND_reseed(generator, 0, NULL, 0, in, length) <= 0)
		return mech_failed(CKR_FUNCTION_FAILED);
	return CKR_OK;
}

bool mech_digest(uint64_t hash, const void *in, size_t length, uint8_t *out)
{
	const struct mech_hash *found = mech_hash_find(hash);

	return found && EVP_Digest(in, length, out, NULL, mech_hash_md(found), NULL);
}

size_t mech_digest_size(uint64_t hash)
{
	const struct mech_hash *found = mech_hash_find(hash);

	return found ? (size_t)EVP_MD_get_size(mech_hash_md(found)) : 0;
}
