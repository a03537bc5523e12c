// SPDX-License-Identifier: Apache-2.0
/*
 * Diffie-Hellman in prime fields: groups, keys between attributes and libcrypto's form, generation. Only groups that are
 * published and known to libcrypto: nobody checks a prime of a stranger well enough (small subgroups, hidden structure).
 */
#include <string.h>
#include <openssl/bn.h>
#include <openssl/dh.h>
#include <openssl/param_build.h>
#include "mech_private.h"

#define PRIVATE_MIN_BITS 224 /* twice the strength of the weakest group */

/* RFC 7919, RFC 3526, and for X9.42 those of RFC 5114 that SP 800-56A had; @generated: what parameter generation gives */
static const struct group {
	const char *name;
	uint16_t bits;
	uint16_t subprime; /* bits; 0: a safe prime */
	bool generated;
} groups[] = {
	{ "ffdhe2048", 2048, 0, true },	    { "ffdhe3072", 3072, 0, true },
	{ "ffdhe4096", 4096, 0, true },	    { "ffdhe6144", 6144, 0, true },
	{ "ffdhe8192", 8192, 0, true },	    { "modp_2048", 2048, 0, false },
	{ "modp_3072", 3072, 0, false },    { "modp_4096", 4096, 0, false },
	{ "modp_6144", 6144, 0, false },    { "modp_8192", 8192, 0, false },
	{ "dh_2048_224", 2048, 224, true }, { "dh_2048_256", 2048, 256, true },
};

#define GROUPS (sizeof(groups) / sizeof(groups[0]))

static const char *algorithm(uint64_t type)
{
	return type == CKK_X9_42_DH ? "DHX" : "DH";
}

static const struct group *group_of_pkey(EVP_PKEY *pkey)
{
	char name[32];

	if (!EVP_PKEY_get_group_name(pkey, name, sizeof(name), NULL))
		return NULL;
	for (size_t i = 0; i < GROUPS; i++) {
		if (!strcmp(groups[i].name, name))
			return EVP_PKEY_is_a(pkey, "DHX") || !groups[i].subprime ? &groups[i]
										 : NULL;
	}
	return NULL;
}

/* ---- attributes to libcrypto's form ---- */

struct number {
	uint64_t type;
	const char *param;
};

static const struct number domain[] = {
	{ CKA_PRIME, OSSL_PKEY_PARAM_FFC_P },
	{ CKA_BASE, OSSL_PKEY_PARAM_FFC_G },
	{ CKA_SUBPRIME, OSSL_PKEY_PARAM_FFC_Q }, /* of X9.42 alone */
};

#define DOMAIN_NUMBERS 3

static size_t domain_numbers(uint64_t type)
{
	return type == CKK_X9_42_DH ? DOMAIN_NUMBERS : DOMAIN_NUMBERS - 1;
}

static BIGNUM *number_of(const struct attributes *attributes, uint64_t type)
{
	const struct attribute *item = attributes_find(attributes, type);

	if (!item || !item->length || item->length > MECH_SHARED_MAX)
		return NULL;
	return BN_bin2bn(item->value, (int)item->length, BN_secure_new());
}

static EVP_PKEY *from_params(uint64_t type, OSSL_PARAM *params, int selection)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(mech_libctx(), algorithm(type), NULL);
	EVP_PKEY *pkey = NULL;

	if (ctx && (EVP_PKEY_fromdata_init(ctx) <= 0 ||
		    EVP_PKEY_fromdata(ctx, &pkey, selection, params) <= 0))
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

/* The domain parameters of @attributes as a key without values. NULL: not there, or of no known group. */
static EVP_PKEY *domain_from(const struct attributes *attributes, uint64_t type)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *numbers[DOMAIN_NUMBERS] = { NULL };
	OSSL_PARAM *params = NULL;
	EVP_PKEY *pkey = NULL;
	bool ok = build;
	size_t i;

	for (i = 0; ok && i < domain_numbers(type); i++) {
		numbers[i] = number_of(attributes, domain[i].type);
		ok = numbers[i] && OSSL_PARAM_BLD_push_BN(build, domain[i].param, numbers[i]);
	}
	if (ok)
		params = OSSL_PARAM_BLD_to_param(build);
	if (params)
		pkey = from_params(type, params, EVP_PKEY_KEY_PARAMETERS);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	for (i = 0; i < DOMAIN_NUMBERS; i++)
		BN_free(numbers[i]);
	if (pkey && !group_of_pkey(pkey)) {
		EVP_PKEY_free(pkey);
		pkey = NULL;
	}
	return pkey;
}

CK_RV mech_dh_check(const struct attributes *attributes, uint64_t type)
{
	EVP_PKEY *pkey = domain_from(attributes, type);

	EVP_PKEY_free(pkey);
	return pkey ? CKR_OK : mech_failed(CKR_DOMAIN_PARAMS_INVALID);
}

static CK_RV set_bits(struct attributes *attributes, const struct group *group, uint64_t type)
{
	CK_RV rv = attributes_set_ulong(attributes, CKA_PRIME_BITS, group->bits);

	if (rv == CKR_OK && type == CKK_X9_42_DH)
		rv = attributes_set_ulong(attributes, CKA_SUBPRIME_BITS,
					  group->subprime ? group->subprime : group->bits - 1u);
	return rv;
}

CK_RV mech_dh_import(struct attributes *attributes, uint64_t type)
{
	EVP_PKEY *pkey = domain_from(attributes, type);
	CK_RV rv = pkey ? set_bits(attributes, group_of_pkey(pkey), type)
			: mech_failed(CKR_DOMAIN_PARAMS_INVALID);

	EVP_PKEY_free(pkey);
	return rv;
}

/* Base to the power of @secret; NULL when that is no private value of the group */
static BIGNUM *public_of(EVP_PKEY *group, BIGNUM *secret)
{
	BN_CTX *ctx = BN_CTX_secure_new_ex(mech_libctx());
	BIGNUM *p = NULL, *g = NULL, *q = NULL, *value = BN_new();
	bool ok = ctx && value;

	BN_set_flags(secret, BN_FLG_CONSTTIME);
	ok = ok && EVP_PKEY_get_bn_param(group, OSSL_PKEY_PARAM_FFC_P, &p) > 0 &&
	     EVP_PKEY_get_bn_param(group, OSSL_PKEY_PARAM_FFC_G, &g) > 0 &&
	     EVP_PKEY_get_bn_param(group, OSSL_PKEY_PARAM_FFC_Q, &q) > 0 &&
	     BN_num_bits(secret) > 1 && BN_cmp(secret, q) < 0 &&
	     BN_mod_exp(value, g, secret, p, ctx) > 0;
	BN_free(p);
	BN_free(g);
	BN_free(q);
	BN_CTX_free(ctx);
	if (!ok) {
		BN_free(value);
		return NULL;
	}
	return value;
}

static EVP_PKEY *with_values(EVP_PKEY *group, uint64_t type, const BIGNUM *public,
			     const BIGNUM *secret)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *pkey = NULL;

	if (build &&
	    OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME,
					    group_of_pkey(group)->name, 0) &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PUB_KEY, public) &&
	    (!secret || OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, secret)))
		params = OSSL_PARAM_BLD_to_param(build);
	if (params)
		pkey = from_params(type, params, secret ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY);
	for (OSSL_PARAM *p = params; p && p->key; p++)
		OPENSSL_cleanse(p->data, p->data_size);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	return pkey;
}

EVP_PKEY *mech_dh_from(const struct attributes *attributes, uint64_t class, uint64_t type)
{
	EVP_PKEY *group = domain_from(attributes, type), *pkey = NULL;
	BIGNUM *value = group ? number_of(attributes, CKA_VALUE) : NULL, *public = NULL;

	if (value && class == CKO_PRIVATE_KEY) {
		public = public_of(group, value);
		if (public)
			pkey = with_values(group, type, public, value);
	} else if (value) {
		pkey = with_values(group, type, value, NULL);
	}
	BN_clear_free(value);
	BN_free(public);
	EVP_PKEY_free(group);
	return pkey;
}

/* ---- libcrypto's form to attributes ---- */

static CK_RV fill_domain(struct attributes *attributes, EVP_PKEY *pkey, uint64_t type)
{
	CK_RV rv = CKR_OK;

	if (!group_of_pkey(pkey))
		return mech_failed(CKR_DOMAIN_PARAMS_INVALID);
	for (size_t i = 0; rv == CKR_OK && i < domain_numbers(type); i++)
		rv = mech_set_number(attributes, domain[i].type, pkey, domain[i].param, 0);
	return rv;
}

static CK_RV set_value_bits(struct attributes *attributes, EVP_PKEY *pkey)
{
	BIGNUM *value = NULL;
	CK_RV rv = CKR_FUNCTION_FAILED;

	if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_PRIV_KEY, &value) > 0)
		rv = attributes_set_ulong(attributes, CKA_VALUE_BITS, (uint64_t)BN_num_bits(value));
	BN_clear_free(value);
	return rv;
}

CK_RV mech_dh_fill(struct attributes *attributes, EVP_PKEY *pkey, uint64_t class, uint64_t type)
{
	CK_RV rv = fill_domain(attributes, pkey, type);

	if (rv == CKR_OK)
		rv = mech_set_number(attributes, CKA_VALUE, pkey,
				     class == CKO_PRIVATE_KEY ? OSSL_PKEY_PARAM_PRIV_KEY
							      : OSSL_PKEY_PARAM_PUB_KEY,
				     0);
	if (rv == CKR_OK && class == CKO_PRIVATE_KEY && type == CKK_DH &&
	    !attributes_find(attributes, CKA_VALUE_BITS))
		rv = set_value_bits(attributes, pkey);
	return rv;
}

/* ---- generation ---- */

/* CKA_VALUE_BITS of the private template: how long the private value may be at most */
static CK_RV private_length(const struct attributes *private_key, const struct group *group,
			    int *bits)
{
	uint64_t wanted = attributes_ulong(private_key, CKA_VALUE_BITS, 0);

	*bits = 0;
	if (!attributes_find(private_key, CKA_VALUE_BITS))
		return CKR_OK;
	if (wanted < PRIVATE_MIN_BITS || wanted >= group->bits)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	*bits = (int)wanted;
	return CKR_OK;
}

static CK_RV generate_in(const struct mechanism *mechanism, const struct group *group, int bits,
			 EVP_PKEY **pkey)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(mech_libctx(),
						       algorithm(mechanism->info->key_type), NULL);
	OSSL_PARAM params[3];
	unsigned int n = 0;

	params[n++] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
						       (char *)group->name, 0);
	if (bits)
		params[n++] = OSSL_PARAM_construct_int(OSSL_PKEY_PARAM_DH_PRIV_LEN, &bits);
	params[n] = OSSL_PARAM_construct_end();
	if (!ctx || EVP_PKEY_keygen_init(ctx) <= 0 || EVP_PKEY_CTX_set_params(ctx, params) <= 0) {
		EVP_PKEY_CTX_free(ctx);
		return mech_failed(CKR_FUNCTION_FAILED);
	}
	return mech_generate_run(mechanism, ctx, pkey);
}

CK_RV mech_dh_generate(const struct mechanism *mechanism, const struct attributes *public_key,
		       const struct attributes *private_key, EVP_PKEY **pkey)
{
	uint64_t type = mechanism->info->key_type;
	EVP_PKEY *given;
	int bits;
	CK_RV rv;

	for (size_t i = 0; i < domain_numbers(type); i++) {
		if (!attributes_find(public_key, domain[i].type))
			return CKR_TEMPLATE_INCOMPLETE;
	}
	given = domain_from(public_key, type);
	if (!given)
		return mech_failed(CKR_DOMAIN_PARAMS_INVALID);
	rv = private_length(private_key, group_of_pkey(given), &bits);
	if (rv == CKR_OK)
		rv = generate_in(mechanism, group_of_pkey(given), bits, pkey);
	EVP_PKEY_free(given);
	return rv;
}

/* A published group of the wanted size: better than any prime that could be found here and now */
static const struct group *group_wanted(const struct attributes *attributes, uint64_t type)
{
	uint64_t bits = attributes_ulong(attributes, CKA_PRIME_BITS, 0);
	uint64_t subprime = attributes_ulong(attributes, CKA_SUBPRIME_BITS, bits - 1);

	if (type == CKK_DH || subprime == bits - 1)
		subprime = 0;
	for (size_t i = 0; i < GROUPS; i++) {
		if (groups[i].generated && groups[i].bits == bits && groups[i].subprime == subprime)
			return &groups[i];
	}
	return NULL;
}

CK_RV mech_dh_parameters(const struct mechanism *mechanism, struct attributes *attributes)
{
	uint64_t type = mechanism->info->key_type;
	const struct group *group = group_wanted(attributes, type);
	EVP_PKEY *pkey = NULL;
	CK_RV rv;

	if (!attributes_find(attributes, CKA_PRIME_BITS))
		return CKR_TEMPLATE_INCOMPLETE;
	if (!group)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	/* libcrypto gives the numbers of a group with a key in it. */
	rv = generate_in(mechanism, group, 0, &pkey);
	if (rv == CKR_OK)
		rv = fill_domain(attributes, pkey, type);
	if (rv == CKR_OK)
		rv = set_bits(attributes, group, type);
	EVP_PKEY_free(pkey);
	return rv;
}
