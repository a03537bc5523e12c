// SPDX-License-Identifier: Apache-2.0
/*
 * The rows of the table of policies (hsm/policy.h) as data.
 */
#include <hsm/policy.h>

#define ROW(name_, field_, order_, least_, largest_, compatible_, strict_, legacy_, option_, \
	    meaning_)                                                                        \
	{ .tag = HSM_FIELD_##field_,                                                         \
	  .order = HSM_POLICY_##order_,                                                      \
	  .least = (least_),                                                                 \
	  .largest = (largest_),                                                             \
	  .start = { [HSM_PROFILE_COMPATIBLE] = (compatible_),                               \
		     [HSM_PROFILE_STRICT] = (strict_),                                       \
		     [HSM_PROFILE_LEGACY] = (legacy_) },                                     \
	  .option = (option_),                                                               \
	  .meaning = (meaning_) },

static const struct hsm_policy_info table[HSM_POLICY_VALUES] = { HSM_POLICY_TABLE(ROW) };

#define BLOB_ROW(name_, field_, free_, option_, meaning_) \
	{ .tag = HSM_FIELD_##field_, .free = (free_), .option = (option_), .meaning = (meaning_) },

static const struct hsm_policy_blob_info blobs[HSM_POLICY_BLOBS] = { HSM_POLICY_BLOB_TABLE(
	BLOB_ROW) };

static const char *const profiles[HSM_PROFILES] = {
	[HSM_PROFILE_COMPATIBLE] = "compatible",
	[HSM_PROFILE_STRICT] = "strict",
	[HSM_PROFILE_LEGACY] = "legacy",
};

const struct hsm_policy_info *hsm_policy_at(size_t index)
{
	return index < HSM_POLICY_VALUES ? &table[index] : NULL;
}

const struct hsm_policy_blob_info *hsm_policy_blob_at(size_t index)
{
	return index < HSM_POLICY_BLOBS ? &blobs[index] : NULL;
}

bool hsm_policy_field(unsigned int tag)
{
	size_t i;

	for (i = 0; i < HSM_POLICY_BLOBS; i++)
		if (blobs[i].tag == tag)
			return true;
	for (i = 0; i < HSM_POLICY_VALUES; i++)
		if (table[i].tag == tag)
			return true;
	return tag == HSM_FIELD_PROFILE || tag == HSM_FIELD_MECHANISMS ||
	       tag == HSM_FIELD_CLIENT_ROOTS || tag == HSM_FIELD_MIGRATION_ROOTS ||
	       tag == HSM_FIELD_MIGRATION_MEASUREMENTS;
}

bool hsm_policy_relaxes(size_t index, uint32_t now, uint32_t next)
{
	switch (table[index].order) {
	case HSM_POLICY_MORE:
		return next < now;
	case HSM_POLICY_LESS:
		return next > now;
	case HSM_POLICY_BITS:
		return now & ~next;
	default:
		return now && (!next || next > now);
	}
}

const char *hsm_profile_name(unsigned int profile)
{
	return profile < HSM_PROFILES ? profiles[profile] : NULL;
}
