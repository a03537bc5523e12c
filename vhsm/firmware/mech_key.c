// SPDX-License-Identifier: Apache-2.0
/*
 * Keys: their life, and the checks of what comes in from outside. Secret values: mech_secret.c. How the attributes of a key pair become
 * libcrypto's object and the other way round is in mech_pkey.c.
 */
#include <stdlib.h>
#include <string.h>
#include <openssl/x509.h>
#include "mech_private.h"
#include "selftest.h"

#define RSA_EXPONENT_MIN_BITS 17 /* 65537: smaller ones, e = 3 above all, have known attacks */

/* ---- life ---- */

static size_t key_size(const struct key *key)
{
	const struct mech_curve *curve;
	const struct attribute *modulus;
	size_t skip = 0;
	unsigned int top;

	if (key->value)
		return key->value->length;
	switch (key->type) {
	case CKK_RSA:
		modulus = attributes_find(&key->attributes, CKA_MODULUS);
		while (modulus && skip < modulus->length && !modulus->value[skip])
			skip++;
		if (!modulus || skip == modulus->length)
			return 0;
		for (top = 8; !(modulus->value[skip] >> (top - 1)); top--)
			;
		return (modulus->length - skip - 1) * 8 + top;
	case CKK_ML_DSA:
	case CKK_ML_KEM:
		return mech_lattice_size(key->type,
					 attributes_ulong(&key->attributes, CKA_PARAMETER_SET, 0));
	default:
		curve = mech_curve_of(&key->attributes);
		return curve ? curve->bits : 0;
	}
}

struct key *key_new(const struct attributes *attributes)
{
	struct key *key = calloc(1, sizeof(*key));

	if (!key)
		return NULL;
	if (attributes_copy(&key->attributes, attributes) != CKR_OK) {
		attributes_free(&key->attributes);
		free(key);
		return NULL;
	}
	atomic_init(&key->references, 1);
	pthread_mutex_init(&key->lock, NULL);
	key->class = attributes_ulong(attributes, CKA_CLASS, UINT64_MAX);
	key->type = attributes_ulong(attributes, CKA_KEY_TYPE, UINT64_MAX);
	if (key->class == CKO_SECRET_KEY || key->class == CKO_OTP_KEY)
		key->value = attributes_find(&key->attributes, CKA_VALUE);
	key->size = key_size(key);
	return key;
}

struct key *key_get(struct key *key)
{
	atomic_fetch_add_explicit(&key->references, 1, memory_order_relaxed);
	return key;
}

void key_put(struct key *key)
{
	if (!key || atomic_fetch_sub_explicit(&key->references, 1, memory_order_acq_rel) != 1)
		return;
	key_drop_parked(key);
	EVP_PKEY_free(atomic_load(&key->pkey));
	attributes_free(&key->attributes);
	pthread_mutex_destroy(&key->lock);
	free(key);
}

EVP_PKEY *key_pkey(struct key *key)
{
	EVP_PKEY *pkey = atomic_load_explicit(&key->pkey, memory_order_acquire);

	if (pkey)
		return pkey;
	pthread_mutex_lock(&key->lock);
	pkey = atomic_load_explicit(&key->pkey, memory_order_relaxed);
	if (!pkey) {
		pkey = mech_pkey_from(&key->attributes);
		atomic_store_explicit(&key->pkey, pkey, memory_order_release);
	}
	pthread_mutex_unlock(&key->lock);
	return pkey;
}

/* ---- pairs ---- */

CK_RV mech_generate_run(const struct mechanism *mechanism, EVP_PKEY_CTX *ctx, EVP_PKEY **pkey)
{
	int ok = EVP_PKEY_generate(ctx, pkey);

	EVP_PKEY_CTX_free(ctx);
	if (ok > 0)
		return CKR_OK;
	if (mechanism->task && task_cancelled(mechanism->task))
		return mech_failed(CKR_FUNCTION_CANCELED);
	return mech_failed(CKR_FUNCTION_FAILED);
}

CK_RV mech_generate_pair(const struct mechanism *mechanism, struct attributes *public_key,
			 struct attributes *private_key)
{
	const struct hsm_mechanism_info *info = mechanism->info;
	EVP_PKEY *pkey = NULL;
	CK_RV rv = mech_check_parameters(mechanism);

	if (rv != CKR_OK)
		return rv;
	if (!mech_available(info))
		return CKR_MECHANISM_INVALID;
	switch (info->family) {
	case MECH_FAMILY_RSA_GENERATE:
		rv = mech_rsa_generate(mechanism, public_key, &pkey);
		break;
	case MECH_FAMILY_EC_GENERATE:
		rv = mech_ec_generate(mechanism, public_key, &pkey);
		break;
	case MECH_FAMILY_ML_DSA_GENERATE:
	case MECH_FAMILY_ML_KEM_GENERATE:
		rv = mech_lattice_generate(mechanism, public_key, &pkey);
		break;
	default:
		return CKR_MECHANISM_INVALID;
	}
	if (rv != CKR_OK)
		return rv;
	rv = selftest_pairwise(pkey);
	if (rv != CKR_OK) {
		EVP_PKEY_free(pkey);
		return rv;
	}
	/* The private half keeps the form in which the template named the curve. */
	if (info->family == MECH_FAMILY_EC_GENERATE) {
		const struct attribute *params = attributes_find(public_key, CKA_EC_PARAMS);

		rv = attributes_set(private_key, CKA_EC_PARAMS, params->value, params->length);
	}
	if (rv == CKR_OK)
		rv = mech_pkey_fill(public_key, pkey, CKO_PUBLIC_KEY, info->key_type);
	if (rv == CKR_OK)
		rv = mech_pkey_fill(private_key, pkey, CKO_PRIVATE_KEY, info->key_type);
	EVP_PKEY_free(pkey);
	return rv;
}

/* ---- import ---- */

static CK_RV check_rsa(EVP_PKEY *pkey)
{
	BIGNUM *e = NULL;
	bool bad;

	if (EVP_PKEY_get_bits(pkey) < 2048 || EVP_PKEY_get_bits(pkey) > 8192)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	if (!EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e))
		return mech_failed(CKR_ATTRIBUTE_VALUE_INVALID);
	bad = !BN_is_odd(e) || BN_num_bits(e) < RSA_EXPONENT_MIN_BITS || BN_num_bits(e) > 256;
	BN_free(e);
	return bad ? CKR_ATTRIBUTE_VALUE_INVALID : CKR_OK;
}

/*
 * Are these numbers a key? For the public half: the point lies on the curve and is not its identity, the modulus is not
 * a prime or even. For the private half also: does it belong to the public one, are the primes prime.
 */
static CK_RV check_pair(EVP_PKEY *pkey, uint64_t class, uint64_t type)
{
	EVP_PKEY_CTX *ctx;
	int ok = 1;

	if (type == CKK_RSA) {
		CK_RV rv = check_rsa(pkey);

		if (rv != CKR_OK)
			return rv;
	}
	ctx = EVP_PKEY_CTX_new_from_pkey(mech_libctx(), pkey, NULL);
	if (!ctx)
		return mech_failed(CKR_HOST_MEMORY);
	/* Lattice keys are checked while they are decoded, Edwards and Montgomery ones have nothing to check in public. */
	if (type == CKK_RSA || type == CKK_EC)
		ok = EVP_PKEY_public_check(ctx);
	if (ok > 0 && class == CKO_PRIVATE_KEY && type != CKK_ML_DSA && type != CKK_ML_KEM)
		ok = EVP_PKEY_pairwise_check(ctx);
	EVP_PKEY_CTX_free(ctx);
	return ok > 0 ? CKR_OK : mech_failed(CKR_ATTRIBUTE_VALUE_INVALID);
}

/* What C_CreateObject must bring; a lattice key may come as its seed alone. */
static bool is_complete(const struct attributes *attributes, uint64_t class, uint64_t type)
{
	static const uint64_t rsa[] = {
		CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT, CKA_PRIME_1,
		CKA_PRIME_2, CKA_EXPONENT_1,	  CKA_EXPONENT_2,	CKA_COEFFICIENT,
	};
	unsigned int i;

	switch (type) {
	case CKK_RSA:
		for (i = 0; i < (class == CKO_PUBLIC_KEY ? 2 : sizeof(rsa) / sizeof(rsa[0])); i++) {
			if (!attributes_find(attributes, rsa[i]))
				return false;
		}
		return true;
	case CKK_ML_DSA:
	case CKK_ML_KEM:
		return attributes_find(attributes, CKA_PARAMETER_SET) &&
		       (attributes_find(attributes, CKA_VALUE) ||
			(class == CKO_PRIVATE_KEY && attributes_find(attributes, CKA_SEED)));
	default:
		return attributes_find(attributes, CKA_EC_PARAMS) &&
		       attributes_find(attributes,
				       class == CKO_PUBLIC_KEY ? CKA_EC_POINT : CKA_VALUE);
	}
}

static bool is_pair_type(uint64_t type)
{
	return type == CKK_RSA || type == CKK_EC || type == CKK_EC_EDWARDS ||
	       type == CKK_EC_MONTGOMERY || type == CKK_ML_DSA || type == CKK_ML_KEM;
}

static CK_RV import_pair(struct attributes *attributes, uint64_t class, uint64_t type)
{
	EVP_PKEY *pkey;
	CK_RV rv;

	if (!is_pair_type(type))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	if (!is_complete(attributes, class, type))
		return CKR_TEMPLATE_INCOMPLETE;
	pkey = mech_pkey_from(attributes);
	if (!pkey)
		return mech_failed(CKR_ATTRIBUTE_VALUE_INVALID);
	rv = check_pair(pkey, class, type);
	if (rv == CKR_OK)
		rv = mech_pkey_fill(attributes, pkey, class, type);
	EVP_PKEY_free(pkey);
	return rv;
}

CK_RV mech_import(struct attributes *attributes)
{
	const struct attribute *value = attributes_find(attributes, CKA_VALUE);
	uint64_t class = attributes_ulong(attributes, CKA_CLASS, UINT64_MAX);
	uint64_t type = attributes_ulong(attributes, CKA_KEY_TYPE, UINT64_MAX);
	uint8_t copy[MECH_SECRET_MAX];
	size_t length;
	CK_RV rv;

	if (class == CKO_PUBLIC_KEY || class == CKO_PRIVATE_KEY)
		return import_pair(attributes, class, type);
	if (class != CKO_SECRET_KEY)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	if (!value)
		return CKR_TEMPLATE_INCOMPLETE;
	length = value->length;
	if (!mech_secret_valid(type, value->value, length) ||
	    length != attributes_ulong(attributes, CKA_VALUE_LEN, length))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	/* Setting an attribute may move the others. */
	memcpy(copy, value->value, length);
	rv = mech_secret_fill(attributes, copy, length);
	OPENSSL_cleanse(copy, sizeof(copy));
	return rv;
}
