// SPDX-License-Identifier: Apache-2.0
/*
 * A policy as fields: from an officer's request, to and from what the board keeps, and in the one form that is
 * fingerprinted. What the fields are is in the table of hsm/policy.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include "mech.h"
#include "policy.h"

void policy_begin(struct policy *policy, unsigned int profile)
{
	size_t i;

	memset(policy, 0, sizeof(*policy));
	policy->profile = profile;
	for (i = 0; i < HSM_POLICY_VALUES; i++)
		policy->value[i] = hsm_policy_at(i)->start[profile];
}

/* ---- numbers and mechanisms from fields ---- */

static int by_number(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static CK_RV take_mechanisms(struct policy *policy, const struct hsm_field *field)
{
	size_t count = field->length / 8, kept = 0, i;
	uint64_t *list = policy->mechanism;

	if (count > HSM_MECHANISM_ROWS)
		return CKR_ARGUMENTS_BAD;
	for (i = 0; i < count; i++) {
		list[i] = hsm_get_le64(field->data + i * 8);
		if (!hsm_mechanism_find(list[i]))
			return CKR_MECHANISM_INVALID;
	}
	qsort(list, count, sizeof(*list), by_number);
	for (i = 0; i < count; i++)
		if (!i || list[i] != list[i - 1])
			list[kept++] = list[i];
	policy->mechanisms = kept;
	return CKR_OK;
}

static CK_RV take_values(struct policy *policy, const struct hsm_fields *fields, size_t first)
{
	const struct hsm_policy_info *info;
	uint64_t value;
	size_t i;

	for (i = first; (info = hsm_policy_at(i)); i++) {
		value = hsm_fields_u64(fields, info->tag, policy->value[i]);
		if (value < info->least || value > info->largest)
			return CKR_ARGUMENTS_BAD;
		policy->value[i] = value;
	}
	if (policy->value[HSM_POLICY_PIN_MIN] > policy->value[HSM_POLICY_PIN_MAX])
		return CKR_ARGUMENTS_BAD;
	return CKR_OK;
}

static int by_hash(const void *a, const void *b)
{
	return memcmp(a, b, HSM_POLICY_HASH);
}

/* A list of hashes in the request takes the place of the one that is there. */
static CK_RV take_hashes(struct policy_hashes *hashes, const struct hsm_fields *fields,
			 enum hsm_field_tag tag)
{
	const struct hsm_field *field = hsm_fields_find(fields, tag);

	if (!field)
		return CKR_OK;
	if (field->length % HSM_POLICY_HASH || field->length > sizeof(hashes->hash))
		return CKR_ARGUMENTS_BAD;
	hashes->count = field->length / HSM_POLICY_HASH;
	if (hashes->count)
		memcpy(hashes->hash, field->data, field->length);
	qsort(hashes->hash, hashes->count, HSM_POLICY_HASH, by_hash);
	return CKR_OK;
}

static CK_RV take_blobs(struct policy *policy, const struct hsm_fields *fields)
{
	const struct hsm_field *field;
	size_t i;

	for (i = 0; i < HSM_POLICY_BLOBS; i++) {
		field = hsm_fields_find(fields, hsm_policy_blob_at(i)->tag);
		if (!field)
			continue;
		if (field->length > HSM_POLICY_BLOB_MAX)
			return CKR_ARGUMENTS_BAD;
		memset(&policy->blob[i], 0, sizeof(policy->blob[i]));
		policy->blob[i].length = field->length;
		memcpy(policy->blob[i].data, field->data, field->length);
	}
	return CKR_OK;
}

static CK_RV take_lists(struct policy *policy, const struct hsm_fields *fields)
{
	const struct hsm_field *mechanisms = hsm_fields_find(fields, HSM_FIELD_MECHANISMS);
	CK_RV rv = mechanisms ? take_mechanisms(policy, mechanisms) : CKR_OK;

	if (rv == CKR_OK)
		rv = take_hashes(&policy->roots, fields, HSM_FIELD_MIGRATION_ROOTS);
	if (rv == CKR_OK)
		rv = take_hashes(&policy->measurements, fields, HSM_FIELD_MIGRATION_MEASUREMENTS);
	if (rv == CKR_OK)
		rv = take_hashes(&policy->clients, fields, HSM_FIELD_CLIENT_ROOTS);
	return rv == CKR_OK ? take_blobs(policy, fields) : rv;
}

CK_RV policy_change(struct policy *policy, const struct hsm_fields *fields)
{
	uint64_t profile = hsm_fields_u64(fields, HSM_FIELD_PROFILE, policy->profile);
	CK_RV rv;

	if (profile >= HSM_PROFILES)
		return CKR_ARGUMENTS_BAD;
	policy->profile = profile;
	rv = take_values(policy, fields, 0);
	return rv == CKR_OK ? take_lists(policy, fields) : rv;
}

/* ---- comparing ---- */

static bool allows(const struct policy *policy, uint64_t mechanism)
{
	return !policy->mechanisms || bsearch(&mechanism, policy->mechanism, policy->mechanisms,
					      sizeof(mechanism), by_number);
}

bool policy_hash_listed(const struct policy_hashes *hashes, const uint8_t hash[HSM_POLICY_HASH])
{
	return bsearch(hash, hashes->hash, hashes->count, HSM_POLICY_HASH, by_hash);
}

/* Is everything in @next in @now as well? */
static bool hashes_within(const struct policy_hashes *now, const struct policy_hashes *next)
{
	size_t i;

	for (i = 0; i < next->count; i++)
		if (!policy_hash_listed(now, next->hash[i]))
			return false;
	return true;
}

/* No roots: nowhere. No measurements: to any firmware. */
static bool moves_further(const struct policy *now, const struct policy *next)
{
	if (!hashes_within(&now->roots, &next->roots))
		return true;
	if (!now->measurements.count)
		return false;
	return !next->measurements.count || !hashes_within(&now->measurements, &next->measurements);
}

/* None: applications without a certificate are served as well. */
static bool serves_more(const struct policy *now, const struct policy *next)
{
	return now->clients.count &&
	       (!next->clients.count || !hashes_within(&now->clients, &next->clients));
}

/* From the strictest */
static const uint8_t rank[HSM_PROFILES] = {
	[HSM_PROFILE_STRICT] = 0,
	[HSM_PROFILE_COMPATIBLE] = 1,
	[HSM_PROFILE_LEGACY] = 2,
};

bool policy_relaxes(const struct policy *now, const struct policy *next)
{
	size_t i;

	if (rank[next->profile] > rank[now->profile])
		return true;
	for (i = 0; i < HSM_POLICY_VALUES; i++)
		if (hsm_policy_relaxes(i, now->value[i], next->value[i]))
			return true;
	for (i = 0; i < HSM_POLICY_BLOBS; i++)
		if (memcmp(&now->blob[i], &next->blob[i], sizeof(now->blob[i])) &&
		    (now->blob[i].length || !hsm_policy_blob_at(i)->free))
			return true;
	if (now->mechanisms && !next->mechanisms)
		return true;
	for (i = 0; i < next->mechanisms; i++)
		if (!allows(now, next->mechanism[i]))
			return true;
	return moves_further(now, next) || serves_more(now, next);
}

/* ---- to and from bytes ---- */

static void put_mechanisms(struct hsm_writer *out, const struct policy *policy)
{
	if (policy->mechanisms)
		hsm_put_list(out, HSM_FIELD_MECHANISMS, policy->mechanism, policy->mechanisms);
}

static void put_hashes(struct hsm_writer *out, enum hsm_field_tag tag,
		       const struct policy_hashes *hashes)
{
	if (hashes->count)
		hsm_put_bytes(out, tag, hashes->hash, hashes->count * HSM_POLICY_HASH);
}

/* Value of a field; false: the policy has none there */
static bool value_of(const struct policy *policy, unsigned int tag, uint32_t *value)
{
	size_t i;

	*value = policy->profile;
	if (tag == HSM_FIELD_PROFILE)
		return true;
	for (i = 0; i < HSM_POLICY_VALUES; i++) {
		*value = policy->value[i];
		if (hsm_policy_at(i)->tag == tag)
			return true;
	}
	return false;
}

/* The one that has this tag, or all, which is 0. One that is empty is not there. */
static void put_blobs(struct hsm_writer *out, const struct policy *policy, unsigned int tag)
{
	unsigned int own;
	size_t i;

	for (i = 0; i < HSM_POLICY_BLOBS; i++) {
		own = hsm_policy_blob_at(i)->tag;
		if (policy->blob[i].length && (!tag || own == tag))
			hsm_put_bytes(out, own, policy->blob[i].data, policy->blob[i].length);
	}
}

void policy_put(struct hsm_writer *out, const struct policy *policy)
{
	unsigned int tag;
	uint32_t value;

	for (tag = 1; tag <= UINT8_MAX; tag++) {
		put_blobs(out, policy, tag);
		if (tag == HSM_FIELD_MECHANISMS)
			put_mechanisms(out, policy);
		else if (tag == HSM_FIELD_MIGRATION_ROOTS)
			put_hashes(out, tag, &policy->roots);
		else if (tag == HSM_FIELD_MIGRATION_MEASUREMENTS)
			put_hashes(out, tag, &policy->measurements);
		else if (tag == HSM_FIELD_CLIENT_ROOTS)
			put_hashes(out, tag, &policy->clients);
		else if (value_of(policy, tag, &value))
			hsm_put_number(out, tag, value);
	}
}

int policy_fingerprint(const struct policy *policy, uint8_t fingerprint[POLICY_FINGERPRINT])
{
	EVP_MD *md = EVP_MD_fetch(mech_libctx(), "SHA384", NULL);
	uint8_t *bytes = OPENSSL_malloc(BOARD_POLICY_MAX);
	struct hsm_writer out;
	int ret = -EIO;

	hsm_writer_init(&out, bytes, bytes ? BOARD_POLICY_MAX : 0);
	policy_put(&out, policy);
	if (md && !out.error && EVP_Digest(bytes, out.length, fingerprint, NULL, md, NULL) == 1)
		ret = 0;
	OPENSSL_free(bytes);
	EVP_MD_free(md);
	return ret;
}

unsigned int policy_profile(const struct board_partition *info)
{
	if (info->flags & BOARD_PARTITION_STRICT)
		return HSM_PROFILE_STRICT;
	return info->flags & BOARD_PARTITION_LEGACY ? HSM_PROFILE_LEGACY : HSM_PROFILE_COMPATIBLE;
}

int policy_to_board(const struct policy *policy, struct board_partition *info,
		    struct hsm_writer *out)
{
	size_t i;

	info->flags &= ~(uint32_t)(BOARD_PARTITION_STRICT | BOARD_PARTITION_LEGACY);
	if (policy->profile == HSM_PROFILE_STRICT)
		info->flags |= BOARD_PARTITION_STRICT;
	if (policy->profile == HSM_PROFILE_LEGACY)
		info->flags |= BOARD_PARTITION_LEGACY;
	info->max_objects = policy->value[HSM_POLICY_MAX_OBJECTS];
	info->max_bytes = policy->value[HSM_POLICY_MAX_BYTES];
	info->max_sessions = policy->value[HSM_POLICY_MAX_SESSIONS];
	for (i = HSM_POLICY_KEPT; i < HSM_POLICY_VALUES; i++)
		hsm_put_number(out, hsm_policy_at(i)->tag, policy->value[i]);
	put_mechanisms(out, policy);
	put_hashes(out, HSM_FIELD_MIGRATION_ROOTS, &policy->roots);
	put_hashes(out, HSM_FIELD_MIGRATION_MEASUREMENTS, &policy->measurements);
	put_hashes(out, HSM_FIELD_CLIENT_ROOTS, &policy->clients);
	if (policy->has_source)
		hsm_put_bytes(out, HSM_FIELD_MIGRATION_SOURCE, policy->source,
			      sizeof(policy->source));
	put_blobs(out, policy, 0);
	return out->error;
}

int policy_from_board(struct policy *policy, const struct board_partition *info,
		      const uint8_t *bytes, size_t length)
{
	const struct hsm_field *source;
	struct hsm_fields fields;

	policy_begin(policy, policy_profile(info));
	policy->value[HSM_POLICY_MAX_OBJECTS] = info->max_objects;
	policy->value[HSM_POLICY_MAX_BYTES] = info->max_bytes;
	policy->value[HSM_POLICY_MAX_SESSIONS] = info->max_sessions;
	if (hsm_fields_parse(&fields, bytes, length) < 0 ||
	    take_values(policy, &fields, HSM_POLICY_KEPT) != CKR_OK)
		return -EBADMSG;
	if (take_lists(policy, &fields) != CKR_OK)
		return -EBADMSG;
	source = hsm_fields_find(&fields, HSM_FIELD_MIGRATION_SOURCE);
	if (source && source->length != sizeof(policy->source))
		return -EBADMSG;
	policy->has_source = source != NULL;
	if (source)
		memcpy(policy->source, source->data, sizeof(policy->source));
	return 0;
}
