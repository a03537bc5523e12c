// SPDX-License-Identifier: Apache-2.0
/*
 * The custodian's part in restoring a backup, on the custodian's own machine: a share is taken out of the
 * backup and sealed to the import key of the device that asks for it. Nobody but that device has enough
 * shares in one place.
 */
#include <errno.h>
#include <string.h>
#include <openssl/crypto.h>
#include <hsm/migration.h>

/* The custodian's place in the backup */
static const struct hsm_backup_custodian *find(const struct hsm_migration_document *backup,
					       const uint8_t hash[HSM_MIGRATION_HASH],
					       uint8_t *index)
{
	const struct hsm_backup_custodian *list =
		(const struct hsm_backup_custodian *)backup->custodians.data;
	size_t count = backup->custodians.length / sizeof(*list), i;

	for (i = 0; i < count && i < HSM_CUSTODIANS_MAX; i++) {
		if (memcmp(list[i].key, hash, HSM_MIGRATION_HASH))
			continue;
		*index = (uint8_t)i;
		return &list[i];
	}
	return NULL;
}

static int reseal(OSSL_LIB_CTX *libctx, const uint8_t *import_key, const uint8_t *info,
		  size_t info_length, const uint8_t *plain, struct hsm_backup_share *share)
{
	struct hsm_hybrid target;
	int ret = hsm_hybrid_from_public(libctx, import_key, &target);

	if (!ret)
		ret = hsm_hybrid_seal(libctx, &target, info, info_length, plain,
				      HSM_MIGRATION_SECRET, share->share);
	hsm_hybrid_free(&target);
	return ret;
}

int hsm_backup_reshare(OSSL_LIB_CTX *libctx, const struct hsm_hybrid *custodian,
		       const struct hsm_migration_document *backup,
		       const uint8_t backup_hash[HSM_MIGRATION_HASH],
		       const struct hsm_migration_document *offer,
		       const uint8_t offer_hash[HSM_MIGRATION_HASH], struct hsm_backup_share *share)
{
	uint8_t public[HSM_HYBRID_PUBLIC], hash[HSM_MIGRATION_HASH], info[HSM_MIGRATION_INFO_MAX];
	uint8_t plain[HSM_MIGRATION_SECRET];
	const struct hsm_backup_custodian *own;
	size_t length;
	int ret = hsm_hybrid_public(custodian, public);

	if (ret)
		return ret;
	if (!EVP_Q_digest(libctx, "SHA384", NULL, public, sizeof(public), hash, NULL))
		return -EIO;
	own = find(backup, hash, &share->index);
	if (!own)
		return -ENOENT;
	length = hsm_migration_info(HSM_MIGRATION_INFO_CUSTODIAN, backup->fingerprint, hash, info);
	ret = hsm_hybrid_open(libctx, custodian, info, length, own->share, sizeof(own->share),
			      plain);
	if (ret)
		return ret;
	length = hsm_migration_info(HSM_MIGRATION_INFO_SHARE, backup_hash, offer_hash, info);
	ret = reseal(libctx, offer->import_key, info, length, plain, share);
	OPENSSL_cleanse(plain, sizeof(plain));
	return ret;
}
