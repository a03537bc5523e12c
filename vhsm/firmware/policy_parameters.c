// SPDX-License-Identifier: Apache-2.0
/*
 * The policy of a partition on what the parameters of a mechanism name: hashes, MACs and key derivations must be allowed
 * as mechanisms of their own, and tags have a least length where only approved uses are (Documentation/policy.rst).
 */
#include "mech_private.h"
#include "policy.h"

/* SP 800-38D, 5.2.1.2 and appendix C; SP 800-38C, appendix B.2: fewer bits only for uses that limit the tries */
#define GCM_TAG_BITS 96
#define CCM_TAG_BITS 64

static CK_RV allow(const struct policy *policy, const struct hsm_mechanism_info *named,
		   uint64_t use)
{
	return policy_uses(policy, named) & use ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
}

/* What is no hash and no MAC the mechanism itself has an answer for. */
static CK_RV allow_number(const struct policy *policy, uint64_t number)
{
	const struct hsm_mechanism_info *named = hsm_mechanism_find(number);

	if (named && named->flags & CKF_DIGEST)
		return allow(policy, named, CKF_DIGEST);
	if (named && (named->family == MECH_FAMILY_HMAC || named->family == MECH_FAMILY_CMAC))
		return allow(policy, named, CKF_SIGN);
	return CKR_OK;
}

/*
 * A mechanism with the hash in its name says for which uses the two together are approved: with SHA-1 to
 * verify a signature and not to make one.
 */
static CK_RV allow_together(const struct policy *policy, const struct hsm_mechanism_info *info,
			    uint64_t number, uint64_t can)
{
	const struct mech_hash *hash = mech_hash_find(number);
	const struct hsm_mechanism_info *named;
	size_t i;

	if (!hash || policy->profile != HSM_PROFILE_STRICT)
		return CKR_OK;
	for (i = 0; (named = hsm_mechanism_at(i)); i++)
		if (named->family == info->family && named->key_type == info->key_type &&
		    mech_hash_of_row(named) == hash && named->flags & can)
			return named->approved & can ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
	return CKR_OK;
}

static CK_RV allow_hmac(const struct policy *policy, const struct mech_hash *hash)
{
	const struct hsm_mechanism_info *named;
	size_t i;

	for (i = 0; hash && (named = hsm_mechanism_at(i)); i++)
		if (named->family == MECH_FAMILY_HMAC && named->parameter == HSM_PARAM_NONE &&
		    mech_hash_of_row(named) == hash)
			return allow(policy, named, CKF_SIGN);
	return CKR_OK;
}

static CK_RV check_prf(const struct policy *policy, const struct hsm_mechanism_info *info,
		       const struct hsm_fields *fields)
{
	uint64_t prf = hsm_fields_u64(fields, HSM_FIELD_PRF, ~0ULL);

	if (info->parameter == HSM_PARAM_PBKD2)
		return allow_hmac(policy, mech_hash_by_pbkd2(prf));
	return allow_number(policy, prf);
}

static CK_RV check_kdf(const struct policy *policy, const struct hsm_mechanism_info *info,
		       const struct hsm_fields *fields)
{
	const struct mechanism mechanism = { .info = info, .fields = fields };
	struct mech_agree_kdf kdf;

	if (!hsm_fields_find(fields, HSM_FIELD_KDF) ||
	    mech_agree_kdf_take(&mechanism, &kdf) != CKR_OK || !kdf.hash)
		return CKR_OK;
	return allow_number(policy, kdf.hash->mechanism);
}

static CK_RV check_tag(const struct policy *policy, const struct hsm_mechanism_info *info,
		       const struct hsm_fields *fields)
{
	uint64_t bits = hsm_fields_u64(fields, HSM_FIELD_TAG_BITS, ~0ULL);
	uint64_t least = info->parameter == HSM_PARAM_CCM ? CCM_TAG_BITS : GCM_TAG_BITS;

	if (policy->profile != HSM_PROFILE_STRICT && !mech_approved_mode())
		return CKR_OK;
	return bits < least ? CKR_MECHANISM_PARAM_INVALID : CKR_OK;
}

CK_RV policy_parameters(const struct policy *policy, const struct hsm_mechanism_info *info,
			uint64_t can, const struct hsm_fields *fields)
{
	uint64_t hash = hsm_fields_u64(fields, HSM_FIELD_HASH, ~0ULL);
	uint64_t mgf = hsm_fields_u64(fields, HSM_FIELD_MGF, 0);
	const struct mech_hash *mask = mgf ? mech_hash_by_mgf(mgf) : NULL;
	CK_RV rv = allow_number(policy, hash);

	if (rv == CKR_OK)
		rv = allow_together(policy, info, hash, can);
	if (rv == CKR_OK && mask)
		rv = allow_number(policy, mask->mechanism);
	if (rv == CKR_OK)
		rv = check_prf(policy, info, fields);
	if (rv == CKR_OK)
		rv = check_kdf(policy, info, fields);
	return rv == CKR_OK ? check_tag(policy, info, fields) : rv;
}
