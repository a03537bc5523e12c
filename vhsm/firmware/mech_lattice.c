// SPDX-License-Identifier: Apache-2.0
/*
 * ML-DSA (FIPS 204) and ML-KEM (FIPS 203), where libcrypto has them (3.5 on). Names of algorithms and parameters are
 * strings asked for at run time, so that this also builds with an older libcrypto, which then does not find them.
 */
#include <string.h>
#include "mech_private.h"

#define CONTEXT_MAX 255
#define KEM_SECRET  32

/* ---- parameter sets ---- */

static const struct lattice {
	uint64_t type;
	uint64_t set;
	const char *name;
	uint16_t public_size;
	uint16_t output; /* bytes of a signature or a ciphertext */
} sets[] = {
	{ CKK_ML_DSA, CKP_ML_DSA_44, "ML-DSA-44", 1312, 2420 },
	{ CKK_ML_DSA, CKP_ML_DSA_65, "ML-DSA-65", 1952, 3309 },
	{ CKK_ML_DSA, CKP_ML_DSA_87, "ML-DSA-87", 2592, 4627 },
	{ CKK_ML_KEM, CKP_ML_KEM_512, "ML-KEM-512", 800, 768 },
	{ CKK_ML_KEM, CKP_ML_KEM_768, "ML-KEM-768", 1184, 1088 },
	{ CKK_ML_KEM, CKP_ML_KEM_1024, "ML-KEM-1024", 1568, 1568 },
};

#define SETS (sizeof(sets) / sizeof(sets[0]))

static const struct lattice *find(uint64_t type, uint64_t set)
{
	for (size_t i = 0; i < SETS; i++) {
		if (sets[i].type == type && sets[i].set == set)
			return &sets[i];
	}
	return NULL;
}

/* The sizes of public keys tell the sets of one type apart. */
static const struct lattice *of_key(const struct key *key)
{
	for (size_t i = 0; i < SETS; i++) {
		if (sets[i].type == key->type && sets[i].public_size == key->size)
			return &sets[i];
	}
	return NULL;
}

const char *mech_lattice_name(uint64_t type, uint64_t set)
{
	const struct lattice *lattice = find(type, set);

	return lattice ? lattice->name : NULL;
}

size_t mech_lattice_size(uint64_t type, uint64_t set)
{
	const struct lattice *lattice = find(type, set);

	return lattice ? lattice->public_size : 0;
}

uint64_t mech_lattice_set(const EVP_PKEY *pkey, uint64_t *type)
{
	for (size_t i = 0; i < SETS; i++) {
		if (EVP_PKEY_is_a(pkey, sets[i].name)) {
			*type = sets[i].type;
			return sets[i].set;
		}
	}
	return 0;
}

/* ---- ML-DSA ---- */

static bool is_prehashed(const struct hsm_mechanism_info *info)
{
	return info->mechanism != CKM_ML_DSA;
}

/*
 * HashML-DSA, which libcrypto does not offer under a name: the message representative is made here as FIPS 204, algorithm 4,
 * says, 1, length of the context, context, OID of the hash, hash; and signed without libcrypto's own encoding of messages.
 */
static CK_RV prehash_begin(struct mech_operation *operation, const uint8_t *context, size_t length)
{
	const struct mech_hash *hash = operation->params.hash;
	uint8_t oid[] = { 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, hash->oid };
	uint8_t head[2] = { 1, (uint8_t)length };
	CK_RV rv = mech_hold(&operation->extra, head, sizeof(head));

	if (rv == CKR_OK)
		rv = mech_hold(&operation->extra, context, length);
	if (rv == CKR_OK)
		rv = mech_hold(&operation->extra, oid, sizeof(oid));
	return rv;
}

static CK_RV ml_dsa_hash(struct mech_operation *operation, const struct mechanism *mechanism)
{
	const struct mech_hash *hash = mech_hash_of_row(mechanism->info);

	if (!is_prehashed(mechanism->info))
		return CKR_OK;
	if (!hash)
		hash = mech_hash_find(
			hsm_fields_u64(mechanism->fields, HSM_FIELD_HASH, UINT64_MAX));
	if (!hash || !hash->oid)
		return CKR_MECHANISM_PARAM_INVALID;
	operation->params.hash = hash;
	return CKR_OK;
}

static CK_RV ml_dsa_init(struct mech_operation *operation, const OSSL_PARAM *params)
{
	EVP_PKEY *pkey = key_pkey(operation->key);
	int ok;

	if (!pkey)
		return CKR_FUNCTION_FAILED;
	operation->sign_ctx = EVP_MD_CTX_new();
	if (!operation->sign_ctx)
		return CKR_HOST_MEMORY;
	if (operation->use == MECH_SIGN)
		ok = EVP_DigestSignInit_ex(operation->sign_ctx, NULL, NULL, mech_libctx(), NULL,
					   pkey, params);
	else
		ok = EVP_DigestVerifyInit_ex(operation->sign_ctx, NULL, NULL, mech_libctx(), NULL,
					     pkey, params);
	return ok > 0 ? CKR_OK : mech_failed(CKR_FUNCTION_FAILED);
}

static CK_RV ml_dsa_begin(struct mech_operation *operation, const struct mechanism *mechanism)
{
	uint64_t hedge = hsm_fields_u64(mechanism->fields, HSM_FIELD_HEDGE, CKH_HEDGE_PREFERRED);
	size_t length;
	const uint8_t *context = hsm_fields_bytes(mechanism->fields, HSM_FIELD_CONTEXT, &length);
	int deterministic = hedge == CKH_DETERMINISTIC_REQUIRED, no_encoding = 0;
	OSSL_PARAM params[4];
	unsigned int n = 0;
	CK_RV rv = ml_dsa_hash(operation, mechanism);

	if (rv != CKR_OK)
		return rv;
	if (length > CONTEXT_MAX || hedge > CKH_DETERMINISTIC_REQUIRED)
		return CKR_MECHANISM_PARAM_INVALID;
	if (operation->use == MECH_SIGN)
		params[n++] = OSSL_PARAM_construct_int("deterministic", &deterministic);
	if (is_prehashed(mechanism->info)) {
		params[n++] = OSSL_PARAM_construct_int("message-encoding", &no_encoding);
		rv = prehash_begin(operation, context, length);
	} else if (length) {
		params[n++] = OSSL_PARAM_construct_octet_string("context-string", (void *)context,
								length);
	}
	params[n] = OSSL_PARAM_construct_end();
	return rv == CKR_OK ? ml_dsa_init(operation, params) : rv;
}

/* The message as it is signed */
static CK_RV representative(struct mech_operation *operation, const uint8_t **in, size_t *in_length)
{
	CK_RV rv;

	if (!is_prehashed(operation->info))
		return CKR_OK;
	if (*in_length != (size_t)EVP_MD_get_size(mech_hash_md(operation->params.hash)))
		return CKR_DATA_LEN_RANGE;
	rv = mech_hold(&operation->extra, *in, *in_length);
	*in = operation->extra.data;
	*in_length = operation->extra.length;
	return rv;
}

static size_t ml_dsa_size(const struct mech_operation *operation, size_t in_length)
{
	const struct lattice *lattice = of_key(operation->key);

	(void)in_length;
	return lattice && operation->use == MECH_SIGN ? lattice->output : 0;
}

static CK_RV ml_dsa_finish(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			   uint8_t *out, size_t *out_length)
{
	CK_RV rv = representative(operation, &in, &in_length);

	if (rv != CKR_OK)
		return rv;
	if (EVP_DigestSign(operation->sign_ctx, out, out_length, in, in_length) <= 0)
		return mech_failed(CKR_FUNCTION_FAILED);
	return CKR_OK;
}

static CK_RV ml_dsa_verify(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			   const uint8_t *signature, size_t length)
{
	const struct lattice *lattice = of_key(operation->key);
	CK_RV rv = representative(operation, &in, &in_length);

	if (rv != CKR_OK)
		return rv;
	if (!lattice || length != lattice->output)
		return CKR_SIGNATURE_LEN_RANGE;
	if (EVP_DigestVerify(operation->sign_ctx, signature, length, in, in_length) <= 0)
		return mech_failed(CKR_SIGNATURE_INVALID);
	return CKR_OK;
}

const struct mech_ops mech_ml_dsa_ops = {
	.begin = ml_dsa_begin,
	.finish = ml_dsa_finish,
	.verify = ml_dsa_verify,
	.size = ml_dsa_size,
	.exact = true,
	.digest = true,
};

/* ---- ML-KEM ---- */

static CK_RV kem_check(const struct mechanism *mechanism, const struct key *key, uint64_t class)
{
	CK_RV rv = mech_check_parameters(mechanism);

	if (!mech_available(mechanism->info) || mechanism->info->family != MECH_FAMILY_ML_KEM)
		return CKR_MECHANISM_INVALID;
	if (rv != CKR_OK)
		return rv;
	if (key->class != class)
		return CKR_KEY_TYPE_INCONSISTENT;
	rv = mech_check_key(mechanism->info, key);
	if (rv == CKR_OK && !of_key(key))
		rv = CKR_KEY_SIZE_RANGE;
	return rv;
}

CK_RV mech_encapsulate(const struct mechanism *mechanism, struct key *public_key,
		       uint8_t *ciphertext, size_t *length, struct attributes *attributes)
{
	uint8_t secret[KEM_SECRET];
	size_t secret_length = sizeof(secret);
	EVP_PKEY_CTX *ctx = NULL;
	EVP_PKEY *pkey;
	CK_RV rv = kem_check(mechanism, public_key, CKO_PUBLIC_KEY);

	if (rv != CKR_OK)
		return rv;
	if (*length < of_key(public_key)->output) {
		*length = of_key(public_key)->output;
		return CKR_BUFFER_TOO_SMALL;
	}
	pkey = key_pkey(public_key);
	if (pkey)
		ctx = EVP_PKEY_CTX_new_from_pkey(mech_libctx(), pkey, NULL);
	if (!ctx || EVP_PKEY_encapsulate_init(ctx, NULL) <= 0 ||
	    EVP_PKEY_encapsulate(ctx, ciphertext, length, secret, &secret_length) <= 0)
		rv = mech_failed(CKR_FUNCTION_FAILED);
	else
		rv = mech_secret_derived(attributes, secret, secret_length);
	EVP_PKEY_CTX_free(ctx);
	OPENSSL_cleanse(secret, sizeof(secret));
	return rv;
}

CK_RV mech_decapsulate(const struct mechanism *mechanism, struct key *private_key,
		       const uint8_t *ciphertext, size_t length, struct attributes *attributes)
{
	uint8_t secret[KEM_SECRET];
	size_t secret_length = sizeof(secret);
	EVP_PKEY_CTX *ctx = NULL;
	EVP_PKEY *pkey;
	CK_RV rv = kem_check(mechanism, private_key, CKO_PRIVATE_KEY);

	if (rv != CKR_OK)
		return rv;
	if (length != of_key(private_key)->output)
		return CKR_ENCRYPTED_DATA_LEN_RANGE;
	pkey = key_pkey(private_key);
	if (pkey)
		ctx = EVP_PKEY_CTX_new_from_pkey(mech_libctx(), pkey, NULL);
	if (!ctx || EVP_PKEY_decapsulate_init(ctx, NULL) <= 0 ||
	    EVP_PKEY_decapsulate(ctx, secret, &secret_length, ciphertext, length) <= 0)
		rv = mech_failed(CKR_FUNCTION_FAILED);
	else
		rv = mech_secret_derived(attributes, secret, secret_length);
	EVP_PKEY_CTX_free(ctx);
	OPENSSL_cleanse(secret, sizeof(secret));
	return rv;
}

/* ---- generation ---- */

CK_RV mech_lattice_generate(const struct mechanism *mechanism, const struct attributes *public_key,
			    EVP_PKEY **pkey)
{
	uint64_t set = attributes_ulong(public_key, CKA_PARAMETER_SET, 0);
	const char *name = mech_lattice_name(mechanism->info->key_type, set);
	EVP_PKEY_CTX *ctx;

	if (!attributes_find(public_key, CKA_PARAMETER_SET))
		return CKR_TEMPLATE_INCOMPLETE;
	if (!name)
		return CKR_PARAMETER_SET_NOT_SUPPORTED;
	ctx = EVP_PKEY_CTX_new_from_name(mech_libctx(), name, NULL);
	if (!ctx || EVP_PKEY_keygen_init(ctx) <= 0) {
		EVP_PKEY_CTX_free(ctx);
		return mech_failed(CKR_FUNCTION_FAILED);
	}
	return mech_generate_run(mechanism, ctx, pkey);
}
