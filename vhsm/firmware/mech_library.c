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

#define NO_MECHANISM CK_UNAVAILABLE_INFORMATION /* the hash has no number of its own */

static const struct mech_hash hashes[] = {
	{ CKM_SHA_1, CKG_MGF1_SHA1, CKD_SHA1_KDF, CKD_SHA1_KDF_SP800, CKK_SHA_1_HMAC, "SHA1", 0,
	  0 },
	{ CKM_SHA224, CKG_MGF1_SHA224, CKD_SHA224_KDF, CKD_SHA224_KDF_SP800, CKK_SHA224_HMAC,
	  "SHA224", 4, 0 },
	{ CKM_SHA256, CKG_MGF1_SHA256, CKD_SHA256_KDF, CKD_SHA256_KDF_SP800, CKK_SHA256_HMAC,
	  "SHA256", 1, 0 },
	{ CKM_SHA384, CKG_MGF1_SHA384, CKD_SHA384_KDF, CKD_SHA384_KDF_SP800, CKK_SHA384_HMAC,
	  "SHA384", 2, 0 },
	{ CKM_SHA512, CKG_MGF1_SHA512, CKD_SHA512_KDF, CKD_SHA512_KDF_SP800, CKK_SHA512_HMAC,
	  "SHA512", 3, 0 },
	{ CKM_SHA512_224, 0, 0, 0, CKK_SHA512_224_HMAC, "SHA512-224", 5, 0 },
	{ CKM_SHA512_256, 0, 0, 0, CKK_SHA512_256_HMAC, "SHA512-256", 6, 0 },
	{ CKM_SHA3_224, CKG_MGF1_SHA3_224, CKD_SHA3_224_KDF, CKD_SHA3_224_KDF_SP800,
	  CKK_SHA3_224_HMAC, "SHA3-224", 7, 0 },
	{ CKM_SHA3_256, CKG_MGF1_SHA3_256, CKD_SHA3_256_KDF, CKD_SHA3_256_KDF_SP800,
	  CKK_SHA3_256_HMAC, "SHA3-256", 8, 0 },
	{ CKM_SHA3_384, CKG_MGF1_SHA3_384, CKD_SHA3_384_KDF, CKD_SHA3_384_KDF_SP800,
	  CKK_SHA3_384_HMAC, "SHA3-384", 9, 0 },
	{ CKM_SHA3_512, CKG_MGF1_SHA3_512, CKD_SHA3_512_KDF, CKD_SHA3_512_KDF_SP800,
	  CKK_SHA3_512_HMAC, "SHA3-512", 10, 0 },
	{ NO_MECHANISM, 0, 0, 0, 0, "SHAKE128", 11, 0 },
	{ NO_MECHANISM, 0, 0, 0, 0, "SHAKE256", 12, 0 },
};

#define HASHES (sizeof(hashes) / sizeof(hashes[0]))
/* Flags of CK_MECHANISM_INFO that tell no use but which curves */
#define EC_FLAGS                                                                           \
	(CKF_EC_F_P | CKF_EC_F_2M | CKF_EC_ECPARAMETERS | CKF_EC_OID | CKF_EC_UNCOMPRESS | \
	 CKF_EC_COMPRESS | CKF_EC_CURVENAME)

/*
 * BLAKE2b of other lengths: libcrypto has one algorithm, and its length is a parameter (since OpenSSL 3.2). They serve digests,
 * HMAC and derivation alone, so that no other mechanism takes one for the whole BLAKE2b-512.
 */
static const struct mech_hash sized_hashes[] = {
	{ CKM_BLAKE2B_160, 0, 0, 0, CKK_BLAKE2B_160_HMAC, "BLAKE2B-160", 0, 20 },
	{ CKM_BLAKE2B_256, 0, 0, 0, CKK_BLAKE2B_256_HMAC, "BLAKE2B-256", 0, 32 },
	{ CKM_BLAKE2B_384, 0, 0, 0, CKK_BLAKE2B_384_HMAC, "BLAKE2B-384", 0, 48 },
	{ CKM_BLAKE2B_512, 0, 0, 0, CKK_BLAKE2B_512_HMAC, "BLAKE2B-512", 0, 64 },
};

#define SIZED_HASHES (sizeof(sized_hashes) / sizeof(sized_hashes[0]))

/* Ciphers by key type: libcrypto's names, to which a row's mode is added, by the key's length */
#define CIPHER_LENGTHS 3

static const struct {
	uint64_t type;
	struct {
		uint8_t length;
		const char *name;
	} key[CIPHER_LENGTHS];
} ciphers[] = {
	{ CKK_AES, { { 16, "AES-128" }, { 24, "AES-192" }, { 32, "AES-256" } } },
	{ CKK_AES_XTS, { { 32, "AES-128" }, { 64, "AES-256" } } },
	{ CKK_CAMELLIA,
	  { { 16, "CAMELLIA-128" }, { 24, "CAMELLIA-192" }, { 32, "CAMELLIA-256" } } },
	{ CKK_ARIA, { { 16, "ARIA-128" }, { 24, "ARIA-192" }, { 32, "ARIA-256" } } },
	{ CKK_DES3, { { 16, "DES-EDE" }, { 24, "DES-EDE3" } } },
	{ CKK_CHACHA20, { { 32, "ChaCha20" } } },
};

#define CIPHERS (sizeof(ciphers) / sizeof(ciphers[0]))

static const char *const kdf_names[] = { "HKDF", "X963KDF", "SSKDF", "PBKDF2", "TLS1-PRF" };

#define KDFS (sizeof(kdf_names) / sizeof(kdf_names[0]))

/* One for the process: the seam (mech.h) has no place for a handle, and nothing here differs between partitions. */
static struct {
	OSSL_LIB_CTX *libctx;
	OSSL_PROVIDER *provider;
	EVP_MD *md[HASHES];
	EVP_MD *blake2b;
	EVP_MAC *hmac;
	EVP_MAC *cmac;
	EVP_MAC *gmac;
	EVP_MAC *poly1305;
	EVP_KDF *kdf[KDFS];
	EVP_CIPHER *block[CIPHERS][CIPHER_LENGTHS];
	bool implicit_rejection;
	struct {
		bool available;
		const struct mech_hash *hash;
		EVP_MD *xof;
		EVP_CIPHER *cipher[CIPHER_LENGTHS];
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
	return hash->size ? library.blake2b : library.md[hash - hashes];
}

static bool is_extendable(const struct mech_hash *hash)
{
	return EVP_MD_get_flags(mech_hash_md(hash)) & EVP_MD_FLAG_XOF;
}

/* FIPS 204, 5.4: of SHAKE twice its strength */
size_t mech_hash_size(const struct mech_hash *hash)
{
	if (hash->size)
		return hash->size;
	if (is_extendable(hash))
		return strcmp(hash->name, "SHAKE128") ? 64 : 32;
	return (size_t)EVP_MD_get_size(mech_hash_md(hash));
}

bool mech_hash_init(EVP_MD_CTX *ctx, const struct mech_hash *hash)
{
	bool extendable = is_extendable(hash);
	size_t size = mech_hash_size(hash);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_size_t(
			extendable ? OSSL_DIGEST_PARAM_XOFLEN : OSSL_DIGEST_PARAM_SIZE, &size),
		OSSL_PARAM_construct_end(),
	};

	return EVP_DigestInit_ex2(ctx, mech_hash_md(hash),
				  hash->size || extendable ? params : NULL) > 0;
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

const EVP_MD *mech_xof_of_row(const struct hsm_mechanism_info *info)
{
	return library.row[row_of(info)].xof;
}

const struct mech_hash *mech_hash_of_row(const struct hsm_mechanism_info *info)
{
	return library.row[row_of(info)].hash;
}

/* Index in ciphers[], CIPHERS: none; keys of two lengths of 3DES have a type each. */
static size_t cipher_of(uint64_t key_type)
{
	size_t i;

	if (key_type == CKK_DES2)
		key_type = CKK_DES3;
	for (i = 0; i < CIPHERS && ciphers[i].type != key_type; i++)
		;
	return i;
}

static const EVP_CIPHER *cipher_for(EVP_CIPHER *const cipher[CIPHER_LENGTHS], uint64_t key_type,
				    size_t key_length)
{
	size_t type = cipher_of(key_type);

	for (size_t i = 0; type < CIPHERS && i < CIPHER_LENGTHS; i++) {
		if (key_length && ciphers[type].key[i].length == key_length)
			return cipher[i];
	}
	return NULL;
}

const EVP_CIPHER *mech_cipher(const struct hsm_mechanism_info *info, size_t key_length)
{
	return cipher_for(library.row[row_of(info)].cipher, info->key_type, key_length);
}

const EVP_CIPHER *mech_cipher_ecb(uint64_t key_type, size_t key_length)
{
	size_t type = cipher_of(key_type);

	if (type == CIPHERS || key_type == CKK_AES_XTS || key_type == CKK_CHACHA20)
		return NULL;
	return cipher_for(library.block[type], key_type, key_length);
}

EVP_MAC *mech_mac_hmac(void)
{
	return library.hmac;
}

EVP_MAC *mech_mac_cmac(void)
{
	return library.cmac;
}

EVP_MAC *mech_mac_gmac(void)
{
	return library.gmac;
}

EVP_MAC *mech_mac_poly1305(void)
{
	return library.poly1305;
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

/* What signs and what seals does it message by message, too. */
static uint64_t with_messages(const struct hsm_mechanism_info *info, uint64_t flags)
{
	static const struct {
		uint64_t flag;
		uint64_t message;
	} uses[] = {
		{ CKF_ENCRYPT, CKF_MESSAGE_ENCRYPT | CKF_MULTI_MESSAGE },
		{ CKF_DECRYPT, CKF_MESSAGE_DECRYPT | CKF_MULTI_MESSAGE },
		{ CKF_SIGN, CKF_MESSAGE_SIGN | CKF_MULTI_MESSAGE },
		{ CKF_VERIFY, CKF_MESSAGE_VERIFY | CKF_MULTI_MESSAGE },
	};
	uint64_t added = 0;
	size_t i;

	/* The counter of a one-time password moves on where an operation begins, which a message does not. */
	if (info->family == MECH_FAMILY_OTP)
		return flags;
	for (i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
		if (flags & uses[i].flag)
			added |= uses[i].message;
	if (info->family != MECH_FAMILY_AEAD && !(flags & (CKF_SIGN | CKF_VERIFY)))
		return flags;
	if (info->family != MECH_FAMILY_AEAD)
		added &= ~(uint64_t)(CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT);
	return flags | added;
}

uint64_t mech_flags(const struct hsm_mechanism_info *info)
{
	uint64_t flags;

	if (!mech_available(info))
		return 0;
	flags = info->flags;
	if (mech_approved_mode())
		flags &= info->approved | EC_FLAGS;
	flags = with_messages(info, flags);
	/*
	 * OpenSSL before 3.2 tells bad padding from good. Who can ask often enough decrypts with that (Bleichenbacher), so
	 * there the mechanism does not take anything apart.
	 */
	if (info->mechanism == CKM_RSA_PKCS && !library.implicit_rejection)
		return flags & ~(uint64_t)(CKF_DECRYPT | CKF_UNWRAP);
	return flags;
}

/* ---- start ---- */

/* Fetch the ciphers of a key type, in a mode; "": the cipher has but one. Return: are they all there? */
static bool fetch_ciphers(EVP_CIPHER *cipher[CIPHER_LENGTHS], uint64_t key_type, const char *mode)
{
	size_t type = cipher_of(key_type);
	char name[32];

	for (int i = 0; type < CIPHERS && i < CIPHER_LENGTHS && ciphers[type].key[i].length; i++) {
		snprintf(name, sizeof(name), "%s%s%s", ciphers[type].key[i].name, *mode ? "-" : "",
			 mode);
		cipher[i] = EVP_CIPHER_fetch(library.libctx, name, NULL);
		if (!cipher[i])
			return false;
	}
	return type < CIPHERS;
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
	for (size_t i = 0; library.blake2b && i < SIZED_HASHES; i++) {
		if (!strcmp(sized_hashes[i].name, name))
			library.row[row].hash = &sized_hashes[i];
	}
	return library.row[row].hash;
}

/* An extendable output function, which is no hash for anything else */
static bool find_xof(size_t row, const char *name)
{
	if (strncmp(name, "SHAKE", 5))
		return false;
	library.row[row].xof = EVP_MD_fetch(library.libctx, name, NULL);
	return library.row[row].xof;
}

/* BLAKE2b, when its length can be set */
static EVP_MD *fetch_blake2b(void)
{
	EVP_MD *md = EVP_MD_fetch(library.libctx, "BLAKE2B-512", NULL);
	const OSSL_PARAM *params = md ? EVP_MD_settable_ctx_params(md) : NULL;

	if (params && OSSL_PARAM_locate_const(params, OSSL_DIGEST_PARAM_SIZE))
		return md;
	EVP_MD_free(md);
	return NULL;
}

/* The mode in which single blocks are encrypted, for check values; XTS and ChaCha20 stand in with what they have. */
static const char *block_mode(uint64_t key_type)
{
	return key_type == CKK_AES_XTS ? "XTS" : key_type == CKK_CHACHA20 ? "" : "ECB";
}

/* A kind of secret key is there when something can be done with it. */
static bool has_secret(const struct hsm_mechanism_info *info)
{
	size_t type = cipher_of(info->key_type);

	if (type < CIPHERS)
		return library.block[type][0];
	if (info->key_type == CKK_POLY1305)
		return library.poly1305;
	return strncmp(info->algorithm, "BLAKE2B", 7) || library.blake2b;
}

/* Fetch what a row needs. Return: is it all there? */
static bool start_row(size_t row, const struct hsm_mechanism_info *info)
{
	const char *name = info->algorithm;

	switch (info->family) {
	case MECH_FAMILY_CIPHER:
	case MECH_FAMILY_CIPHER_WHOLE:
	case MECH_FAMILY_CBC_MAC:
	case MECH_FAMILY_AEAD:
	case MECH_FAMILY_KEY_WRAP:
		return fetch_ciphers(library.row[row].cipher, info->key_type, name);
	case MECH_FAMILY_CMAC:
		return library.cmac && fetch_ciphers(library.row[row].cipher, info->key_type, name);
	case MECH_FAMILY_GMAC:
		return library.gmac && fetch_ciphers(library.row[row].cipher, info->key_type, name);
	case MECH_FAMILY_POLY1305:
		return library.poly1305;
	case MECH_FAMILY_HMAC:
		return library.hmac && find_hash(row, name);
	case MECH_FAMILY_DIGEST:
		return find_hash(row, name);
	case MECH_FAMILY_RSA_AES_WRAP:
	case MECH_FAMILY_RSA_PKCS:
	case MECH_FAMILY_RSA_RAW:
	case MECH_FAMILY_RSA_PSS:
	case MECH_FAMILY_RSA_OAEP:
		return has_keys("RSA") && (!*name || find_hash(row, name));
	case MECH_FAMILY_ECDSA:
		return has_keys("EC") && (!*name || find_hash(row, name));
	case MECH_FAMILY_ECDH_AES_WRAP:
	case MECH_FAMILY_ECDH:
		return has_keys("EC") && mech_kdf("X963KDF") && mech_kdf("SSKDF");
	case MECH_FAMILY_DH:
		return has_keys(name) && mech_kdf("X963KDF");
	case MECH_FAMILY_SET_SIGN:
		return has_keys(mech_set_first(info->key_type)->name) &&
		       (!*name || find_hash(row, name));
	case MECH_FAMILY_SET_GENERATE:
	case MECH_FAMILY_ML_KEM:
		return has_keys(mech_set_first(info->key_type)->name);
	case MECH_FAMILY_HKDF:
		return mech_kdf("HKDF");
	case MECH_FAMILY_DIGEST_DERIVE:
		return find_xof(row, name) || find_hash(row, name);
	case MECH_FAMILY_ENCRYPT_DERIVE:
		return fetch_ciphers(library.row[row].cipher, info->key_type, name);
	case MECH_FAMILY_PBKDF2:
	case MECH_FAMILY_TLS:
	case MECH_FAMILY_TLS_MAC:
		return mech_kdf(name);
	case MECH_FAMILY_OTP:
		return library.hmac;
	case MECH_FAMILY_KBKDF:
	case MECH_FAMILY_IKE:
		return library.hmac && library.cmac;
	case MECH_FAMILY_PIECES:
		return true;
	case MECH_FAMILY_SECRET_GENERATE:
		return has_secret(info);
	case MECH_FAMILY_PUBLIC_HALF:
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
	if (mech_load_provider(library.libctx, &library.provider) < 0 || start_random()) {
		mech_stop();
		return -EIO;
	}
	for (i = 0; i < HASHES; i++)
		library.md[i] = EVP_MD_fetch(library.libctx, hashes[i].name, NULL);
	for (i = 0; i < KDFS; i++)
		library.kdf[i] = EVP_KDF_fetch(library.libctx, kdf_names[i], NULL);
	library.hmac = EVP_MAC_fetch(library.libctx, "HMAC", NULL);
	library.cmac = EVP_MAC_fetch(library.libctx, "CMAC", NULL);
	library.gmac = EVP_MAC_fetch(library.libctx, "GMAC", NULL);
	library.poly1305 = EVP_MAC_fetch(library.libctx, "POLY1305", NULL);
	library.blake2b = fetch_blake2b();
	library.implicit_rejection = find_implicit_rejection();
	/* All but AES may be missing. */
	for (i = 0; i < CIPHERS; i++)
		fetch_ciphers(library.block[i], ciphers[i].type, block_mode(ciphers[i].type));
	if (!library.block[cipher_of(CKK_AES)][0]) {
		mech_stop();
		return -EIO;
	}
	for (i = 0; (info = hsm_mechanism_at(i)); i++)
		library.row[i].available = (!mech_approved_mode() || info->approved) &&
					   start_row(i, info);
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
	for (i = 0; i < CIPHERS; i++) {
		for (j = 0; j < CIPHER_LENGTHS; j++)
			EVP_CIPHER_free(library.block[i][j]);
	}
	for (i = 0; i < HSM_MECHANISM_ROWS; i++) {
		EVP_MD_free(library.row[i].xof);
		for (j = 0; j < CIPHER_LENGTHS; j++)
			EVP_CIPHER_free(library.row[i].cipher[j]);
	}
	EVP_MD_free(library.blake2b);
	EVP_MAC_free(library.gmac);
	EVP_MAC_free(library.poly1305);
	EVP_MAC_free(library.hmac);
	EVP_MAC_free(library.cmac);
	mech_iv_stop();
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
