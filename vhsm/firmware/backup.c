// SPDX-License-Identifier: Apache-2.0
/*
 * Backups to M of N custodians, without a scheme of secret sharing: each custodian has a random share, sealed to his or
 * her public key, and the package key is wrapped once for each set of M custodians under a key that is derived from
 * their M shares. With at most seven custodians there are at most 35 sets.
 */
#include <string.h>
#include <openssl/rand.h>
#include "migrate.h"

#define WRAP (HSM_MIGRATION_SECRET + AEAD_OVERHEAD)

/* struct share_set - shares by custodian; @mask: bit of those that are there */
struct share_set {
	unsigned int mask;
	uint8_t share[HSM_CUSTODIANS_MAX][HSM_MIGRATION_SECRET];
};

/* The number of sets of @threshold out of @count; *@rank: how many of them come before @mask */
static size_t sets(unsigned int count, unsigned int threshold, unsigned int mask, size_t *rank)
{
	unsigned int set;
	size_t total = 0;

	for (set = 0; set < 1U << count; set++) {
		if ((unsigned int)__builtin_popcount(set) != threshold)
			continue;
		if (set == mask)
			*rank = total;
		total++;
	}
	return total;
}

/* HKDF, with what the shares before gave as the salt of each: whoever lacks one of them knows nothing. */
static int set_key(const struct share_set *set, unsigned int mask, uint8_t key[SECRET_SIZE])
{
	uint8_t salt[SECRET_SIZE] = { 0 };
	unsigned int i;
	int ret = 0;

	for (i = 0; i < HSM_CUSTODIANS_MAX && !ret; i++) {
		if (!(mask & 1U << i))
			continue;
		ret = derive_key(set->share[i], salt, sizeof(salt), "backup share", key);
		memcpy(salt, key, sizeof(salt));
	}
	OPENSSL_cleanse(salt, sizeof(salt));
	return ret;
}

static int wrap(const struct share_set *set, unsigned int mask, const uint8_t *key, uint8_t *out)
{
	uint8_t kek[SECRET_SIZE], bound = (uint8_t)mask;
	int ret = set_key(set, mask, kek);

	if (!ret)
		ret = aead_seal(kek, &bound, 1, key, HSM_MIGRATION_SECRET, out);
	OPENSSL_cleanse(kek, sizeof(kek));
	return ret;
}

/* ---- making one ---- */

struct custodians {
	unsigned int count;
	unsigned int threshold;
	const uint8_t *keys;
};

static CK_RV take_custodians(struct command *command, struct custodians *custodians)
{
	size_t length, i, j;

	custodians->keys = hsm_fields_bytes(&command->fields, HSM_FIELD_CUSTODIANS, &length);
	custodians->count = length / HSM_HYBRID_PUBLIC;
	custodians->threshold = hsm_fields_u64(&command->fields, HSM_FIELD_THRESHOLD, 0);
	if (!length || length % HSM_HYBRID_PUBLIC || custodians->count > HSM_CUSTODIANS_MAX ||
	    !custodians->threshold || custodians->threshold > custodians->count)
		return CKR_ARGUMENTS_BAD;
	for (i = 0; i < length; i += HSM_HYBRID_PUBLIC)
		for (j = 0; j < i; j += HSM_HYBRID_PUBLIC)
			if (!memcmp(custodians->keys + i, custodians->keys + j, HSM_HYBRID_PUBLIC))
				return migrate_refuse(command, CKR_ARGUMENTS_BAD,
						      "two custodians have the same key");
	return CKR_OK;
}

static CK_RV seal_share(const uint8_t *public, const uint8_t fingerprint[HSM_MIGRATION_HASH],
			const uint8_t *share, struct hsm_backup_custodian *out)
{
	uint8_t info[HSM_MIGRATION_INFO_MAX];
	struct hsm_hybrid key;
	size_t length;
	int ret;

	if (migrate_hash(public, HSM_HYBRID_PUBLIC, out->key))
		return CKR_DEVICE_ERROR;
	length = hsm_migration_info(HSM_MIGRATION_INFO_CUSTODIAN, fingerprint, out->key, info);
	ret = hsm_hybrid_from_public(mech_libctx(), public, &key);
	if (ret)
		return CKR_ARGUMENTS_BAD;
	ret = hsm_hybrid_seal(mech_libctx(), &key, info, length, share, HSM_MIGRATION_SECRET,
			      out->share);
	hsm_hybrid_free(&key);
	return ret < 0 ? CKR_DEVICE_ERROR : CKR_OK;
}

static CK_RV seal_shares(struct command *command, const struct custodians *custodians,
			 const uint8_t *fingerprint, struct share_set *set,
			 struct hsm_backup_custodian *out)
{
	unsigned int i;
	CK_RV rv = CKR_OK;

	if (RAND_priv_bytes_ex(mech_libctx(), (uint8_t *)set->share, sizeof(set->share), 0) != 1)
		return CKR_FUNCTION_FAILED;
	for (i = 0; i < custodians->count && rv == CKR_OK; i++) {
		rv = seal_share(custodians->keys + i * HSM_HYBRID_PUBLIC, fingerprint,
				set->share[i], &out[i]);
		if (rv == CKR_ARGUMENTS_BAD)
			rv = migrate_refuse(command, rv, "the key of custodian %u is none", i + 1);
	}
	return rv;
}

static CK_RV wrap_all(const struct custodians *custodians, const struct share_set *set,
		      const uint8_t *key, uint8_t *out)
{
	unsigned int mask;

	for (mask = 0; mask < 1U << custodians->count; mask++) {
		if ((unsigned int)__builtin_popcount(mask) != custodians->threshold)
			continue;
		if (wrap(set, mask, key, out) < 0)
			return CKR_DEVICE_ERROR;
		out += WRAP;
	}
	return CKR_OK;
}

CK_RV backup_seal(struct command *command, const uint8_t fingerprint[HSM_MIGRATION_HASH],
		  const uint8_t key[HSM_MIGRATION_SECRET], struct hsm_migration_document *document)
{
	struct custodians custodians;
	struct hsm_backup_custodian *sealed;
	struct share_set set;
	size_t rank = 0, wraps;
	uint8_t *wrapped;
	CK_RV rv = take_custodians(command, &custodians);

	if (rv != CKR_OK)
		return rv;
	wraps = sets(custodians.count, custodians.threshold, 0, &rank) * WRAP;
	sealed = OPENSSL_zalloc(custodians.count * sizeof(*sealed));
	wrapped = OPENSSL_malloc(wraps);
	document->threshold = custodians.threshold;
	document->custodians = (struct hsm_migration_bytes){ (uint8_t *)sealed,
							     custodians.count * sizeof(*sealed) };
	document->wraps = (struct hsm_migration_bytes){ wrapped, wraps };
	rv = sealed && wrapped ? CKR_OK : CKR_HOST_MEMORY;
	if (rv == CKR_OK)
		rv = seal_shares(command, &custodians, fingerprint, &set, sealed);
	if (rv == CKR_OK)
		rv = wrap_all(&custodians, &set, key, wrapped);
	OPENSSL_cleanse(&set, sizeof(set));
	return rv;
}

void backup_seal_free(struct hsm_migration_document *document)
{
	OPENSSL_free((void *)document->custodians.data);
	OPENSSL_free((void *)document->wraps.data);
	document->custodians.data = document->wraps.data = NULL;
}

/* ---- restoring from one ---- */

/* The shares that custodians have sealed to our import key for this backup */
static CK_RV open_shares(struct command *command, const struct migrate_letter *backup,
			 const struct migrate_state *state, const struct hsm_hybrid *import_key,
			 struct share_set *set)
{
	uint8_t info[HSM_MIGRATION_INFO_MAX];
	const struct hsm_backup_share *share;
	const uint8_t *bytes;
	size_t length, info_length, i;
	unsigned int bit;

	bytes = hsm_fields_bytes(&command->fields, HSM_FIELD_SHARES, &length);
	if (length % sizeof(*share))
		return CKR_ARGUMENTS_BAD;
	info_length =
		hsm_migration_info(HSM_MIGRATION_INFO_SHARE, backup->hash, state->offer, info);
	for (i = 0; i < length; i += sizeof(*share)) {
		share = (const struct hsm_backup_share *)(bytes + i);
		bit = share->index < HSM_CUSTODIANS_MAX ? 1U << share->index : 0;
		if (!bit || (set->mask & bit))
			return migrate_refuse(command, CKR_ARGUMENTS_BAD,
					      "the same custodian's share twice, or nobody's");
		if (hsm_hybrid_open(mech_libctx(), import_key, info, info_length, share->share,
				    sizeof(share->share), set->share[share->index]))
			return migrate_refuse(
				command, CKR_DATA_INVALID,
				"the share of custodian %u is not for this backup and offer",
				share->index + 1U);
		set->mask |= bit;
	}
	return CKR_OK;
}

static CK_RV unwrap(struct command *command, const struct hsm_migration_document *backup,
		    const struct share_set *set, uint8_t key[HSM_MIGRATION_SECRET])
{
	size_t count = backup->custodians.length / sizeof(struct hsm_backup_custodian), rank = 0;
	unsigned int given = (unsigned int)__builtin_popcount(set->mask);
	uint8_t kek[SECRET_SIZE], bound = (uint8_t)set->mask;
	int ret;

	if (!count || count > HSM_CUSTODIANS_MAX || set->mask >= 1U << count ||
	    given != backup->threshold)
		return migrate_refuse(command, CKR_ARGUMENTS_BAD,
				      "the backup needs %u shares, and %u were given",
				      (unsigned int)backup->threshold, given);
	if (sets((unsigned int)count, given, set->mask, &rank) * WRAP != backup->wraps.length)
		return CKR_DATA_INVALID;
	ret = set_key(set, set->mask, kek);
	if (!ret)
		ret = aead_open(kek, &bound, 1, backup->wraps.data + rank * WRAP, WRAP, key);
	OPENSSL_cleanse(kek, sizeof(kek));
	if (ret)
		return migrate_refuse(command, CKR_DATA_INVALID,
				      "the shares are not this backup's");
	return CKR_OK;
}

CK_RV backup_open(struct command *command, const struct migrate_letter *backup,
		  const struct migrate_state *state, uint8_t key[HSM_MIGRATION_SECRET])
{
	struct share_set set = { 0 };
	struct hsm_hybrid import_key;
	CK_RV rv = CKR_DEVICE_ERROR;

	if (!hsm_hybrid_from_private(mech_libctx(), state->key, &import_key))
		rv = open_shares(command, backup, state, &import_key, &set);
	if (rv == CKR_OK)
		rv = unwrap(command, &backup->document, &set, key);
	hsm_hybrid_free(&import_key);
	OPENSSL_cleanse(&set, sizeof(set));
	return rv;
}
