// SPDX-License-Identifier: Apache-2.0
/*
 * Parameter sets: ML-DSA (FIPS 204), ML-KEM (FIPS 203) and SLH-DSA (FIPS 205), where libcrypto has them (3.5 on). Names are
 * strings asked for at run time, so that this also builds with an older libcrypto, which then does not find them.
 */
#include "mech_private.h"

static const struct mech_set sets[] = {
	{ CKK_ML_DSA, CKP_ML_DSA_44, "ML-DSA-44", 1312, 2420, false },
	{ CKK_ML_DSA, CKP_ML_DSA_65, "ML-DSA-65", 1952, 3309, false },
	{ CKK_ML_DSA, CKP_ML_DSA_87, "ML-DSA-87", 2592, 4627, false },
	{ CKK_ML_KEM, CKP_ML_KEM_512, "ML-KEM-512", 800, 768, false },
	{ CKK_ML_KEM, CKP_ML_KEM_768, "ML-KEM-768", 1184, 1088, false },
	{ CKK_ML_KEM, CKP_ML_KEM_1024, "ML-KEM-1024", 1568, 1568, false },
	{ CKK_SLH_DSA, CKP_SLH_DSA_SHA2_128S, "SLH-DSA-SHA2-128s", 32, 7856, true },
	{ CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_128S, "SLH-DSA-SHAKE-128s", 32, 7856, true },
	{ CKK_SLH_DSA, CKP_SLH_DSA_SHA2_128F, "SLH-DSA-SHA2-128f", 32, 17088, false },
	{ CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_128F, "SLH-DSA-SHAKE-128f", 32, 17088, true },
	{ CKK_SLH_DSA, CKP_SLH_DSA_SHA2_192S, "SLH-DSA-SHA2-192s", 48, 16224, true },
	{ CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_192S, "SLH-DSA-SHAKE-192s", 48, 16224, true },
	{ CKK_SLH_DSA, CKP_SLH_DSA_SHA2_192F, "SLH-DSA-SHA2-192f", 48, 35664, true },
	{ CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_192F, "SLH-DSA-SHAKE-192f", 48, 35664, true },
	{ CKK_SLH_DSA, CKP_SLH_DSA_SHA2_256S, "SLH-DSA-SHA2-256s", 64, 29792, true },
	{ CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_256S, "SLH-DSA-SHAKE-256s", 64, 29792, true },
	{ CKK_SLH_DSA, CKP_SLH_DSA_SHA2_256F, "SLH-DSA-SHA2-256f", 64, 49856, true },
	{ CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_256F, "SLH-DSA-SHAKE-256f", 64, 49856, true },
};

#define SETS (sizeof(sets) / sizeof(sets[0]))

bool mech_set_type(uint64_t type)
{
	return mech_set_first(type);
}

const struct mech_set *mech_set_first(uint64_t type)
{
	for (size_t i = 0; i < SETS; i++) {
		if (sets[i].type == type)
			return &sets[i];
	}
	return NULL;
}

const struct mech_set *mech_set_of(const struct attributes *attributes)
{
	uint64_t type = attributes_ulong(attributes, CKA_KEY_TYPE, UINT64_MAX);
	uint64_t set = attributes_ulong(attributes, CKA_PARAMETER_SET, 0);

	for (size_t i = 0; i < SETS; i++) {
		if (sets[i].type == type && sets[i].set == set)
			return &sets[i];
	}
	return NULL;
}

const struct mech_set *mech_set_of_pkey(const EVP_PKEY *pkey)
{
	for (size_t i = 0; i < SETS; i++) {
		if (EVP_PKEY_is_a(pkey, sets[i].name))
			return &sets[i];
	}
	return NULL;
}

CK_RV mech_set_check(const struct attributes *attributes)
{
	if (!attributes_find(attributes, CKA_PARAMETER_SET))
		return CKR_TEMPLATE_INCOMPLETE;
	return mech_set_of(attributes) ? CKR_OK : CKR_PARAMETER_SET_NOT_SUPPORTED;
}

CK_RV mech_set_generate(const struct mechanism *mechanism, const struct attributes *public_key,
			EVP_PKEY **pkey)
{
	CK_RV rv = mech_set_check(public_key);
	EVP_PKEY_CTX *ctx;

	if (rv != CKR_OK)
		return rv;
	ctx = EVP_PKEY_CTX_new_from_name(mech_libctx(), mech_set_of(public_key)->name, NULL);
	if (!ctx || EVP_PKEY_keygen_init(ctx) <= 0) {
		EVP_PKEY_CTX_free(ctx);
		return mech_failed(CKR_FUNCTION_FAILED);
	}
	return mech_generate_run(mechanism, ctx, pkey);
}
