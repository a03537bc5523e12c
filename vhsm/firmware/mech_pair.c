// SPDX-License-Identifier: Apache-2.0
/*
 * Key pairs: generation, and the checks of what comes in from outside. How their attributes become libcrypto's object and
 * the other way round is in mech_pkey.c.
 */
#include "mech_private.h"
#include "selftest.h"

#define RSA_EXPONENT_MIN_BITS 17 /* 65537: smaller ones, e = 3 above all, have known attacks */

/* ---- generation ---- */

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

static CK_RV generate(const struct mechanism *mechanism, const struct attributes *public_key,
		      const struct attributes *private_key, EVP_PKEY **pkey)
{
	switch (mechanism->info->family) {
	case MECH_FAMILY_RSA_GENERATE:
		return mech_rsa_generate(mechanism, public_key, pkey);
	case MECH_FAMILY_EC_GENERATE:
		return mech_ec_generate(mechanism, public_key, pkey);
	case MECH_FAMILY_SET_GENERATE:
		return mech_set_generate(mechanism, public_key, pkey);
	case MECH_FAMILY_DH_GENERATE:
		return mech_dh_generate(mechanism, public_key, private_key, pkey);
	default:
		return CKR_MECHANISM_INVALID;
	}
}

/* The private half keeps the form in which the template named the curve. */
static CK_RV keep_params(const struct attributes *public_key, struct attributes *private_key)
{
	const struct attribute *params = attributes_find(public_key, CKA_EC_PARAMS);

	return params ? attributes_set(private_key, CKA_EC_PARAMS, params->value, params->length)
		      : CKR_OK;
}

CK_RV mech_generate_pair(const struct mechanism *mechanism, struct attributes *public_key,
			 struct attributes *private_key)
{
	uint64_t type = mechanism->info->key_type;
	EVP_PKEY *pkey = NULL;
	CK_RV rv = mech_check_parameters(mechanism);

	if (rv != CKR_OK)
		return rv;
	if (!mech_available(mechanism->info))
		return CKR_MECHANISM_INVALID;
	rv = generate(mechanism, public_key, private_key, &pkey);
	if (rv != CKR_OK)
		return rv;
	rv = selftest_pairwise(pkey);
	if (rv == CKR_OK)
		rv = keep_params(public_key, private_key);
	if (rv == CKR_OK)
		rv = mech_pkey_fill(public_key, pkey, CKO_PUBLIC_KEY, type);
	if (rv == CKR_OK)
		rv = mech_pkey_fill(private_key, pkey, CKO_PRIVATE_KEY, type);
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
	bool is_field = type == CKK_DH || type == CKK_X9_42_DH;
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
	/* Keys of parameter sets are checked while they are decoded, Edwards and Montgomery ones have nothing to check in public. */
	if (type == CKK_RSA || type == CKK_EC || is_field)
		ok = EVP_PKEY_public_check(ctx);
	/* The public half of a Diffie-Hellman key was computed from the private one just now. */
	if (ok > 0 && class == CKO_PRIVATE_KEY && !mech_set_type(type) && !is_field)
		ok = EVP_PKEY_pairwise_check(ctx);
	EVP_PKEY_CTX_free(ctx);
	return ok > 0 ? CKR_OK : mech_failed(CKR_ATTRIBUTE_VALUE_INVALID);
}

static bool has_all(const struct attributes *attributes, const uint64_t *types, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!attributes_find(attributes, types[i]))
			return false;
	}
	return true;
}

/* What C_CreateObject must bring; a key of ML-DSA or ML-KEM may come as its seed alone. */
static bool is_complete(const struct attributes *attributes, uint64_t class, uint64_t type)
{
	static const uint64_t rsa[] = {
		CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT, CKA_PRIME_1,
		CKA_PRIME_2, CKA_EXPONENT_1,	  CKA_EXPONENT_2,	CKA_COEFFICIENT,
	};
	static const uint64_t field[] = { CKA_PRIME, CKA_BASE, CKA_VALUE, CKA_SUBPRIME };

	switch (type) {
	case CKK_RSA:
		return has_all(attributes, rsa,
			       class == CKO_PUBLIC_KEY ? 2 : sizeof(rsa) / sizeof(rsa[0]));
	case CKK_DH:
	case CKK_X9_42_DH:
		return has_all(attributes, field, type == CKK_DH ? 3 : 4);
	case CKK_ML_DSA:
	case CKK_ML_KEM:
	case CKK_SLH_DSA:
		return attributes_find(attributes, CKA_PARAMETER_SET) &&
		       (attributes_find(attributes, CKA_VALUE) ||
			(class == CKO_PRIVATE_KEY && attributes_find(attributes, CKA_SEED)));
	default:
		return attributes_find(attributes, CKA_EC_PARAMS) &&
		       attributes_find(attributes,
				       class == CKO_PUBLIC_KEY ? CKA_EC_POINT : CKA_VALUE);
	}
}

/* Is it a type of pair, and are its curve, group or parameter set among those that are offered? */
static CK_RV check_domain(const struct attributes *attributes, uint64_t type)
{
	const struct attribute *params = attributes_find(attributes, CKA_EC_PARAMS);

	switch (type) {
	case CKK_RSA:
		return CKR_OK;
	case CKK_EC:
	case CKK_EC_EDWARDS:
	case CKK_EC_MONTGOMERY:
		return params ? mech_curve_check(type, params->value, params->length)
			      : CKR_TEMPLATE_INCOMPLETE;
	case CKK_DH:
	case CKK_X9_42_DH:
		if (!attributes_find(attributes, CKA_PRIME))
			return CKR_TEMPLATE_INCOMPLETE;
		return mech_dh_check(attributes, type);
	case CKK_ML_DSA:
	case CKK_ML_KEM:
	case CKK_SLH_DSA:
		return mech_set_check(attributes);
	default:
		return CKR_ATTRIBUTE_VALUE_INVALID;
	}
}

CK_RV mech_import_pair(struct attributes *attributes, uint64_t class, uint64_t type)
{
	EVP_PKEY *pkey;
	CK_RV rv;

	rv = check_domain(attributes, type);
	if (rv != CKR_OK)
		return rv;
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

/* ---- the public half ---- */

/* What C_CreateObject takes of the public key; the rest follows from that. */
CK_RV mech_public_half(struct key *private_key, struct attributes *attributes)
{
	EVP_PKEY *pkey = key_pkey(private_key);
	CK_RV rv;

	if (!pkey)
		return CKR_FUNCTION_FAILED;
	rv = keep_params(&private_key->attributes, attributes);
	if (rv == CKR_OK)
		rv = attributes_set_ulong(attributes, CKA_CLASS, CKO_PUBLIC_KEY);
	if (rv == CKR_OK)
		rv = attributes_set_ulong(attributes, CKA_KEY_TYPE, private_key->type);
	if (rv == CKR_OK)
		rv = mech_pkey_fill(attributes, pkey, CKO_PUBLIC_KEY, private_key->type);
	attributes_remove(attributes, CKA_MODULUS_BITS);
	return rv;
}
