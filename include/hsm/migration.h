/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The documents of migration and backup: what boards sign for each other when a partition moves, and for its
 * custodians when it is backed up. Each is the payload of a COSE_Sign message with a content type of its own
 * (hsm/cose.h), a CBOR map whose fields stand in one table. Documentation/migration.rst is the normative text.
 */
#ifndef HSM_MIGRATION_H
#define HSM_MIGRATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hsm/hybrid.h>

#define HSM_MIGRATION_VERSION	1
#define HSM_MIGRATION_HASH	48	/* SHA-384 */
#define HSM_MIGRATION_SECRET	32	/* package key, backup key, a custodian's share */
#define HSM_MIGRATION_CHUNK	60000	/* bytes of a package's content in one chunk; the last one has what is left */
#define HSM_MIGRATION_FILE_MAGIC "IHSMPKG1" /* of a package's file; then document and chunks, each after its length (u32) */
#define HSM_MIGRATION_SEALED	(HSM_MIGRATION_SECRET + HSM_HYBRID_OVERHEAD)

/*
 * X(key in the map, name, kind of value, bytes, meaning)
 * Kinds: UINT; FIXED, so many bytes; BYTES, at most so many; TEXT likewise, UTF-8.
 */
#define HSM_MIGRATION_FIELDS(X) \
	X(1, version,		UINT,	0,	"of the document's form") \
	X(2, partition,		FIXED,	16,	"partition id") \
	X(3, name,		TEXT,	63,	"the officer's name for it") \
	X(4, nonce,		FIXED,	32,	"drawn by the source") \
	X(5, source,		FIXED,	48,	"SHA-384 of the request's or backup's payload") \
	X(6, offer,		FIXED,	48,	"SHA-384 of the offer's payload") \
	X(7, package,		FIXED,	48,	"SHA-384 of the package's or backup's payload") \
	X(8, import_key,	FIXED,	HSM_HYBRID_PUBLIC, "one-time public key: P-384, then ML-KEM-1024") \
	X(9, policy,		BYTES,	16384,	"the partition's policy, as fields") \
	X(10, fingerprint,	FIXED,	48,	"of that policy") \
	X(11, key,		FIXED,	HSM_MIGRATION_SEALED, "package key, sealed to the import key") \
	X(12, rollback,		UINT,	0,	"1: the board has rollback protection") \
	X(13, rows,		UINT,	0,	"objects") \
	X(14, bytes,		UINT,	0,	"bytes of the package's content") \
	X(15, time,		UINT,	0,	"the board's time in seconds since 1970") \
	X(16, counter,		UINT,	0,	"of the partition's header") \
	X(17, threshold,	UINT,	0,	"shares that it takes to restore") \
	X(18, custodians,	BYTES,	16384,	"list of struct hsm_backup_custodian") \
	X(19, wraps,		BYTES,	4096,	"the package key, wrapped once for each set of so many shares") \
	X(20, board,		FIXED,	16,	"id of the board that signs")

enum hsm_migration_key {
#define HSM_MIGRATION_ENUM(key, name, kind, size, meaning) HSM_MIGRATION_KEY_##name = (key),
	HSM_MIGRATION_FIELDS(HSM_MIGRATION_ENUM)
#undef HSM_MIGRATION_ENUM
};

#define HSM_MIGRATION_BIT(name) (1U << HSM_MIGRATION_KEY_##name)

/* X(kind, content type's word, fields, who signs what) */
#define HSM_MIGRATION_KINDS(X) \
	X(REQUEST, "migration-request", \
	  HSM_MIGRATION_BIT(partition) | HSM_MIGRATION_BIT(name) | HSM_MIGRATION_BIT(nonce) | \
	  HSM_MIGRATION_BIT(policy) | HSM_MIGRATION_BIT(fingerprint) | HSM_MIGRATION_BIT(rollback) | \
	  HSM_MIGRATION_BIT(rows) | HSM_MIGRATION_BIT(bytes) | HSM_MIGRATION_BIT(board), \
	  "source: make room for this partition") \
	X(OFFER, "migration-offer", \
	  HSM_MIGRATION_BIT(partition) | HSM_MIGRATION_BIT(nonce) | HSM_MIGRATION_BIT(source) | \
	  HSM_MIGRATION_BIT(import_key) | HSM_MIGRATION_BIT(fingerprint) | HSM_MIGRATION_BIT(rollback) | \
	  HSM_MIGRATION_BIT(board), \
	  "target: seal it to this key, which is nobody's but mine") \
	X(PACKAGE, "migration-package", \
	  HSM_MIGRATION_BIT(partition) | HSM_MIGRATION_BIT(offer) | HSM_MIGRATION_BIT(fingerprint) | \
	  HSM_MIGRATION_BIT(key) | HSM_MIGRATION_BIT(rollback) | HSM_MIGRATION_BIT(rows) | \
	  HSM_MIGRATION_BIT(bytes) | HSM_MIGRATION_BIT(time) | HSM_MIGRATION_BIT(counter) | \
	  HSM_MIGRATION_BIT(board), \
	  "source: this is the partition, and I serve it no more") \
	X(BACKUP, "backup", \
	  HSM_MIGRATION_BIT(partition) | HSM_MIGRATION_BIT(name) | HSM_MIGRATION_BIT(policy) | \
	  HSM_MIGRATION_BIT(fingerprint) | HSM_MIGRATION_BIT(rollback) | HSM_MIGRATION_BIT(rows) | \
	  HSM_MIGRATION_BIT(bytes) | HSM_MIGRATION_BIT(time) | HSM_MIGRATION_BIT(counter) | \
	  HSM_MIGRATION_BIT(threshold) | HSM_MIGRATION_BIT(custodians) | HSM_MIGRATION_BIT(wraps) | \
	  HSM_MIGRATION_BIT(board), \
	  "source: this is a copy of the partition, for these custodians") \
	X(RECEIPT, "migration-receipt", \
	  HSM_MIGRATION_BIT(partition) | HSM_MIGRATION_BIT(offer) | HSM_MIGRATION_BIT(package) | \
	  HSM_MIGRATION_BIT(rollback) | HSM_MIGRATION_BIT(rows) | HSM_MIGRATION_BIT(time) | \
	  HSM_MIGRATION_BIT(board), \
	  "target: I have it, and the import key is gone") \
	X(ABANDONED, "migration-abandoned", \
	  HSM_MIGRATION_BIT(partition) | HSM_MIGRATION_BIT(offer) | HSM_MIGRATION_BIT(time) | \
	  HSM_MIGRATION_BIT(board), \
	  "target: I have destroyed the import key, and nothing was ever imported with it")

enum hsm_migration_kind {
#define HSM_MIGRATION_ENUM(kind, word, fields, meaning) HSM_MIGRATION_##kind,
	HSM_MIGRATION_KINDS(HSM_MIGRATION_ENUM)
#undef HSM_MIGRATION_ENUM
	HSM_MIGRATION_KIND_COUNT
};

/* struct hsm_migration_bytes - borrowed from the document */
struct hsm_migration_bytes {
	const uint8_t *data;
	size_t length;
};

/* struct hsm_migration_document - fields of one document; which ones count is its kind's */
struct hsm_migration_document {
#define HSM_MIGRATION_TYPE_UINT(name, size) uint64_t name;
#define HSM_MIGRATION_TYPE_FIXED(name, size) uint8_t name[size];
#define HSM_MIGRATION_TYPE_BYTES(name, size) struct hsm_migration_bytes name;
#define HSM_MIGRATION_TYPE_TEXT(name, size) struct hsm_migration_bytes name;
#define HSM_MIGRATION_MEMBER(key, name, kind, size, meaning) HSM_MIGRATION_TYPE_##kind(name, size)
	HSM_MIGRATION_FIELDS(HSM_MIGRATION_MEMBER)
#undef HSM_MIGRATION_MEMBER
	void *owner;	/* of what is borrowed */
};

/* hsm_migration_type - the kind's content type */
const char *hsm_migration_type(enum hsm_migration_kind kind);

/* hsm_migration_word - what is between application/vnd.ihsm. and +cbor in it */
const char *hsm_migration_word(enum hsm_migration_kind kind);

/* hsm_migration_has - have documents of the kind this field? */
bool hsm_migration_has(enum hsm_migration_kind kind, enum hsm_migration_key key);

/* hsm_migration_meaning - what a document of the kind says, for people */
const char *hsm_migration_meaning(enum hsm_migration_kind kind);

/* hsm_migration_write - the payload; bytes for free(). Return: 0, -EINVAL or -ENOMEM. */
int hsm_migration_write(enum hsm_migration_kind kind, const struct hsm_migration_document *document,
			uint8_t **bytes, size_t *length);

/**
 * hsm_migration_read - take a payload apart
 *
 * All fields of its kind and no others, each of its size, in ascending order of keys.
 * Return: 0 and hsm_migration_free() is due, or -EBADMSG.
 */
int hsm_migration_read(enum hsm_migration_kind kind, const uint8_t *bytes, size_t length,
		       struct hsm_migration_document *document);
void hsm_migration_free(struct hsm_migration_document *document);

/* ---- backup to M of N custodians ---- */

#define HSM_CUSTODIANS_MAX	7

/* struct hsm_backup_custodian - one in a backup: SHA-384 of the public key, and the share, sealed to it */
struct hsm_backup_custodian {
	uint8_t key[HSM_MIGRATION_HASH];
	uint8_t share[HSM_MIGRATION_SEALED];
};

/* struct hsm_backup_share - one on its way to the restoring device, sealed by the custodian to the import key */
struct hsm_backup_share {
	uint8_t index;	/* of the custodian in the backup, from 0 */
	uint8_t share[HSM_MIGRATION_SEALED];
};

/**
 * hsm_backup_reshare - a custodian's part in restoring: the share out of the backup, sealed to the offer's import key
 * @custodian: private key
 * @backup, @backup_hash: payload of the backup, and its SHA-384
 * @offer, @offer_hash: likewise of the restoring device
 *
 * Return: 0, -ENOENT when the backup has no share for this key, -EBADMSG when the share does not open, or what
 * hsm/hybrid.h says.
 */
int hsm_backup_reshare(OSSL_LIB_CTX *libctx, const struct hsm_hybrid *custodian,
		       const struct hsm_migration_document *backup, const uint8_t backup_hash[HSM_MIGRATION_HASH],
		       const struct hsm_migration_document *offer, const uint8_t offer_hash[HSM_MIGRATION_HASH],
		       struct hsm_backup_share *share);

/*
 * What HPKE binds each sealing to, label and hashes. The package key: the offer. A share for its custodian: the
 * partition's policy and the custodian's public key. A share for a restoring device: the backup and the offer.
 */
#define HSM_MIGRATION_INFO_PACKAGE	"ihsm migration package"
#define HSM_MIGRATION_INFO_CUSTODIAN	"ihsm backup custodian"
#define HSM_MIGRATION_INFO_SHARE	"ihsm backup share"

#define HSM_MIGRATION_INFO_MAX	(32 + 2 * HSM_MIGRATION_HASH)

/* hsm_migration_info - label and one or two hashes (NULL: none) as HPKE's info; returns its length */
size_t hsm_migration_info(const char *label, const uint8_t *first, const uint8_t *second,
			  uint8_t info[HSM_MIGRATION_INFO_MAX]);

/* ---- phases ---- */

/* X(number, name, what the partition does in it) */
#define HSM_MIGRATION_PHASES(X) \
	X(0, NONE,	"serves") \
	X(1, REQUESTED,	"serves; a request for its migration is out") \
	X(2, FROZEN,	"has been sealed to another board and serves nothing") \
	X(3, WAITING,	"is to be filled from elsewhere and serves nothing yet") \
	X(4, IMPORTING,	"has an import key and serves nothing yet") \
	X(5, IMPORTED,	"serves; it came from elsewhere")

enum hsm_migration_phase {
#define HSM_MIGRATION_ENUM(number, name, meaning) HSM_MIGRATION_PHASE_##name = (number),
	HSM_MIGRATION_PHASES(HSM_MIGRATION_ENUM)
#undef HSM_MIGRATION_ENUM
};

/* How a partition came to its board; in MIGRATE_STATUS's FLAGS, in evidence, in the partition's header */
enum hsm_migration_origin {
	HSM_MIGRATION_ORIGIN_HERE	= 0,
	HSM_MIGRATION_ORIGIN_MOVED	= 1,
	HSM_MIGRATION_ORIGIN_RESTORED	= 2,	/* from a backup: others may exist */
};

/* hsm_migration_phase_name - as in the table; NULL past the end */
const char *hsm_migration_phase_name(unsigned int phase);

#endif /* HSM_MIGRATION_H */
