/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an officer sets for a partition, one row each: the field that carries it, which direction is the stricter one, its
 * range, what the profiles begin with, hsmctl's option. Firmware, tools and Documentation/policy.rst follow from it.
 */
#ifndef HSM_POLICY_H
#define HSM_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hsm/wire.h>

enum hsm_profile {
	HSM_PROFILE_COMPATIBLE,
	HSM_PROFILE_STRICT,
	HSM_PROFILE_LEGACY,
	HSM_PROFILES
};

/* Which of two values is the stricter one */
enum hsm_policy_order {
	HSM_POLICY_MORE,	/* the larger */
	HSM_POLICY_LESS,	/* the smaller */
	HSM_POLICY_LESS_OR_NONE,	/* the smaller, but 0 sets no limit */
	HSM_POLICY_BITS,	/* the one with more bits set */
};

/*
 * X(name, field, order, least, largest, compatible, strict, legacy, option, meaning)
 *   option	hsmctl's, and with underscores its name in JSON
 * The first three are kept by the board itself and are not in what it keeps for the firmware (board.h); 0 asks for the
 * board's default.
 */
#define HSM_POLICY_TABLE(X) \
	X(MAX_OBJECTS,	MAX_OBJECTS,	LESS, 0, UINT32_MAX, 0, 0, 0, "max-objects", \
	  "token objects, and as many session objects") \
	X(MAX_BYTES,	MAX_BYTES,	LESS, 0, UINT32_MAX, 0, 0, 0, "max-bytes", \
	  "bytes of token objects, and as many of session objects") \
	X(MAX_SESSIONS,	MAX_SESSIONS,	LESS, 0, UINT32_MAX, 0, 0, 0, "max-sessions", \
	  "open sessions of all applications") \
	X(MAX_RATE,	MAX_RATE,	LESS_OR_NONE, 0, 10000000, 0, 0, 0, "max-rate", \
	  "operations in a second, 0: no limit") \
	X(MIN_RSA,	MIN_RSA,	MORE, 0, 16384, 0, 2048, 0, "min-rsa", "bits of RSA keys") \
	X(MIN_EC,	MIN_EC,		MORE, 0, 1024, 0, 224, 0, "min-ec", "bits of keys on elliptic curves") \
	X(MIN_DH,	MIN_DH,		MORE, 0, 16384, 0, 2048, 0, "min-dh", "bits of Diffie-Hellman keys' primes") \
	X(MIN_AES,	MIN_AES,	MORE, 0, 256, 0, 128, 0, "min-aes", "bits of AES keys") \
	X(MIN_SECRET,	MIN_SECRET,	MORE, 0, 4096, 0, 112, 0, "min-secret", "bits of all other secret keys") \
	X(PIN_MIN,	MIN,		MORE, 4, 255, 4, 6, 4, "pin-min", "shortest PIN in bytes") \
	X(PIN_MAX,	MAX,		LESS, 4, 255, 255, 255, 255, "pin-max", "longest PIN in bytes") \
	X(PIN_HISTORY,	PIN_HISTORY,	MORE, 0, 8, 0, 0, 0, "pin-history", \
	  "last PINs, the present one among them, that are not taken again") \
	X(PIN_DAYS,	PIN_DAYS,	LESS_OR_NONE, 0, 36500, 0, 0, 0, "pin-days", "days after which a PIN expires, 0: never") \
	X(PIN_TRIES,	PIN_TRIES,	LESS, 1, 100, 10, 10, 10, "pin-tries", "wrong PINs in a row that lock it") \
	X(PIN_DELAY,	PIN_DELAY,	MORE, 0, 3600, 0, 1, 0, "pin-delay", \
	  "seconds to wait after the second wrong PIN in a row, doubled with each further one") \
	X(AUDIT_BYTES,	AUDIT_BYTES,	MORE, 131072, 16777216, 1048576, 1048576, 1048576, "audit-bytes", \
	  "bytes of the audit log") \
	X(AUDIT_FULL,	AUDIT_FULL,	MORE, 0, 1, 0, 0, 0, "audit-full", \
	  "when the audit log is full: 0 the oldest records go, 1 what would be recorded is refused") \
	X(AUDIT_KEYS,	AUDIT_KEYS,	MORE, 0, 2, 0, 1, 0, "audit-keys", \
	  "uses of keys in the audit log: 0 none, 1 counted, 2 each one") \
	X(MIGRATION_VERSION, MIGRATION_VERSION, MORE, 0, 255, 0, 0, 0, "migration-version", \
	  "least security version of a board that it may move to") \
	X(MIGRATION_ROLLBACK, MIGRATION_ROLLBACK, MORE, 0, 1, 0, 1, 0, "migration-rollback", \
	  "1: moves only between boards with rollback protection") \
	X(MIGRATION_PRODUCTION, MIGRATION_PRODUCTION, MORE, 0, 1, 0, 1, 0, "migration-production", \
	  "1: moves only to boards in lifecycle production") \
	X(BACKUP,	BACKUP,		LESS, 0, 1, 0, 0, 0, "backup", \
	  "1: backups may be made; each one that is restored is one more copy") \
	X(OWNER_APPROVES, OWNER_APPROVES, BITS, 0, 7, 0, 0, 0, "owner-approves", \
	  "what the owner must approve: 1 destruction, 2 a less strict policy, 4 backup and migration, added up")

#define HSM_POLICY_ENUM(name, ...) HSM_POLICY_##name,
enum hsm_policy_value {
	HSM_POLICY_TABLE(HSM_POLICY_ENUM)
	HSM_POLICY_VALUES
};
#undef HSM_POLICY_ENUM

/* Values before this one are the board's */
#define HSM_POLICY_KEPT	HSM_POLICY_MAX_RATE

/*
 * What a policy has that is no number: X(name, field, free, option, meaning). Up to HSM_POLICY_BLOB_MAX bytes each, none in
 * the beginning.
 *   free	setting one that was not there is no relaxation; every other change is
 */
#define HSM_POLICY_BLOB_MAX	4096
#define HSM_POLICY_BLOB_TABLE(X) \
	X(OWNER_KEY,	OWNER_KEY,	false, "owner-key", "public key of the owner, a PEM file; none: takes it away")

/*
 * Lists of hashes: X(name, stricter, argument, option, meaning). MECHANISMS, which are numbers, is none of them. Fields are
 * HSM_FIELD_name.
 */
#define HSM_POLICY_LIST_TABLE(X) \
	X(MIGRATION_ROOTS, "fewer", "FILE,...", "migration-roots", "root certificates whose boards it may move to; none: it does not move") \
	X(MIGRATION_MEASUREMENTS, "fewer, but not 0", "HEX,...", "migration-measurements", "firmware that it may move to; any") \
	X(CLIENT_ROOTS, "fewer, but not 0", "FILE,...", "client-roots", "certificates that an application's must lead to; none: it needs no certificate")

#define HSM_POLICY_BLOB_ENUM(name, ...) HSM_POLICY_BLOB_##name,
enum hsm_policy_blob {
	HSM_POLICY_BLOB_TABLE(HSM_POLICY_BLOB_ENUM)
	HSM_POLICY_BLOBS
};
#undef HSM_POLICY_BLOB_ENUM

struct hsm_policy_blob_info {
	uint16_t tag;	/* enum hsm_field_tag */
	bool free;
	const char *option;
	const char *meaning;
};

/* hsm_policy_blob_at - row by enum hsm_policy_blob; NULL past the end */
const struct hsm_policy_blob_info *hsm_policy_blob_at(size_t index);

struct hsm_policy_info {
	uint16_t tag;	/* enum hsm_field_tag */
	uint8_t order;	/* enum hsm_policy_order */
	uint32_t least, largest;
	uint32_t start[HSM_PROFILES];
	const char *option;
	const char *meaning;
};

/* hsm_policy_at - row by enum hsm_policy_value; NULL past the end */
const struct hsm_policy_info *hsm_policy_at(size_t index);

/* Hashes in one list of HSM_POLICY_LIST_TABLE */
#define HSM_POLICY_HASH		48	/* SHA-384 */
#define HSM_POLICY_HASHES	16

/* hsm_policy_field - does a partition's policy consist of this field, among others? */
bool hsm_policy_field(unsigned int tag);

/* hsm_policy_relaxes - is @next less strict than @now? */
bool hsm_policy_relaxes(size_t index, uint32_t now, uint32_t next);

/* hsm_profile_name - "strict" and so on, NULL past the end */
const char *hsm_profile_name(unsigned int profile);

/* PARTITION_UPDATE, in FLAGS: the policy may become less strict */
#define HSM_UPDATE_RELAX	(1U << 0)

#endif /* HSM_POLICY_H */
