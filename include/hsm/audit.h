/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log as everybody sees it: the table of events, the table of fields, a record's one encoding, and
 * the hash that chains the records. Firmware writes by these tables, hsmctl and hsm-verify read by them.
 * Documentation/audit.rst is the normative text.
 */
#ifndef HSM_AUDIT_H
#define HSM_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/types.h>

#define HSM_AUDIT_HASH	     48	      /* SHA-384 */
#define HSM_AUDIT_RECORD_MAX 65536    /* bytes of one record; a checkpoint is the longest */
#define HSM_AUDIT_LOG_ID     16
#define HSM_AUDIT_ALIAS_SIZE 32	      /* as HSM_FINGERPRINT_SIZE in hsm/dice.h */
#define HSM_AUDIT_NONCE_MIN  8
#define HSM_AUDIT_NONCE_MAX  64

/* Content types of what is signed (COSE_Sign) */
#define HSM_AUDIT_CHECKPOINT_TYPE "application/vnd.ihsm.audit-checkpoint+cbor"
#define HSM_AUDIT_HEAD_TYPE	  "application/vnd.ihsm.audit-head+cbor"

/* Severities of RFC 5424 */
enum hsm_audit_severity {
	HSM_AUDIT_ALERT = 1,
	HSM_AUDIT_CRITICAL = 2,
	HSM_AUDIT_ERROR = 3,
	HSM_AUDIT_WARNING = 4,
	HSM_AUDIT_NOTICE = 5,
	HSM_AUDIT_INFO = 6,
};

/* How an event is written */
#define HSM_AUDIT_ALWAYS (1U << 0) /* also into the reserve of a log that is full and refuses */
#define HSM_AUDIT_REPEAT (1U << 1) /* can be brought about by strangers: counted, and appended when it matters */
#define HSM_AUDIT_OPEN	 (1U << 2) /* likewise, when the actor is public */

/*
 * X(number, NAME, name, severity, flags, meaning)
 * A number is never used again for something else.
 */
#define HSM_AUDIT_EVENT_TABLE(X) \
	/* the log itself */ \
	X(1, LOG_STARTED, "log-started", NOTICE, HSM_AUDIT_ALWAYS, "first record of a log: its id, board and partition") \
	X(2, ALIAS, "alias", NOTICE, HSM_AUDIT_ALWAYS, "from here on another alias key speaks for the log") \
	X(3, CHECKPOINT, "checkpoint", INFO, HSM_AUDIT_ALWAYS, "the alias key's signature over the head before this record") \
	X(4, LOG_READ, "log-read", INFO, HSM_AUDIT_ALWAYS, "an auditor took a signed head") \
	X(5, LOG_RELEASED, "log-released", NOTICE, HSM_AUDIT_ALWAYS, "an auditor let go of records that were exported") \
	X(6, LOG_FILLING, "log-filling", WARNING, HSM_AUDIT_ALWAYS, "nine tenths of the quota are in use") \
	/* logins and accounts */ \
	X(16, TOKEN_INITIALIZED, "token-initialized", NOTICE, 0, "all objects were destroyed and the SO's PIN was set") \
	X(17, LOGIN, "login", INFO, 0, "somebody logged in") \
	X(18, LOGIN_FAILED, "login-failed", WARNING, HSM_AUDIT_REPEAT, "a PIN was wrong") \
	X(19, LOCKED, "locked", ALERT, 0, "a PIN is locked after too many wrong ones") \
	X(20, LOGOUT, "logout", INFO, 0, "somebody logged out") \
	X(21, PIN_SET, "pin-set", NOTICE, 0, "a PIN was set or changed") \
	X(22, USER_CREATED, "user-created", NOTICE, 0, "a user with a name was made") \
	X(23, USER_REMOVED, "user-removed", NOTICE, 0, "a user with a name was removed") \
	X(24, USER_ROLE, "user-role", NOTICE, 0, "a user got another role") \
	X(25, USER_UNLOCKED, "user-unlocked", NOTICE, 0, "a user's wrong PINs were forgotten") \
	/* keys and other objects */ \
	X(32, OBJECT_CREATED, "object-created", INFO, HSM_AUDIT_OPEN, "a token object came into being; operation says how") \
	X(33, OBJECT_CHANGED, "object-changed", INFO, HSM_AUDIT_OPEN, "attributes of a token object were changed") \
	X(34, OBJECT_DESTROYED, "object-destroyed", NOTICE, HSM_AUDIT_OPEN, "a token object was destroyed") \
	X(35, KEY_EXPORTED, "key-exported", NOTICE, HSM_AUDIT_OPEN, "a key left the device, wrapped by the other one") \
	X(36, KEY_USES, "key-uses", INFO, 0, "so many uses of a key since its last such record; reserved: at most so many more before its next") \
	X(37, KEY_USED, "key-used", INFO, 0, "one use of a key") \
	X(39, MASK_REVOKED, "mask-revoked", NOTICE, 0, "masked keys were revoked") \
	/* the device and its partitions */ \
	X(48, CLAIMED, "claimed", NOTICE, 0, "the device got its first officer") \
	X(49, CLAIM_FAILED, "claim-failed", WARNING, HSM_AUDIT_REPEAT, "a claim code was wrong") \
	X(50, PARTITION_CREATED, "partition-created", NOTICE, 0, "a partition was created") \
	X(51, PARTITION_ASSIGNED, "partition-assigned", NOTICE, 0, "a partition was given to another function") \
	X(52, PARTITION_DESTROYED, "partition-destroyed", WARNING, 0, "a partition was destroyed with all its keys") \
	X(53, POLICY_CHANGED, "policy-changed", NOTICE, 0, "a partition's name or policy was changed; fingerprint of the policy") \
	X(54, POLICY_RELAXED, "policy-relaxed", WARNING, 0, "a partition's policy was made less strict") \
	X(55, OFFICER_ADDED, "officer-added", NOTICE, 0, "a device officer or auditor was added") \
	X(56, OFFICER_REMOVED, "officer-removed", NOTICE, 0, "a device officer or auditor was removed") \
	X(57, OFFICER_KEY, "officer-key", NOTICE, 0, "an officer's public key was enrolled") \
	X(58, QUORUM_CHANGED, "quorum-changed", WARNING, 0, "how many approvals a class of actions needs was changed") \
	X(59, APPROVED, "approved", NOTICE, 0, "an action was approved by the quorum") \
	X(60, APPROVAL_REFUSED, "approval-refused", WARNING, HSM_AUDIT_REPEAT, "approvals did not suffice") \
	/* firmware */ \
	X(64, BOOT, "boot", NOTICE, HSM_AUDIT_ALWAYS, "the board started") \
	X(65, FIRMWARE_STAGED, "firmware-staged", NOTICE, HSM_AUDIT_REPEAT, "a firmware image was taken in") \
	X(66, FIRMWARE_ACTIVATED, "firmware-activated", NOTICE, HSM_AUDIT_ALWAYS, "another firmware image runs on trial") \
	X(67, FIRMWARE_CONFIRMED, "firmware-confirmed", NOTICE, HSM_AUDIT_ALWAYS, "the firmware image is the one to start from now on") \
	X(68, FIRMWARE_FELL_BACK, "firmware-fell-back", ALERT, HSM_AUDIT_ALWAYS, "the image on trial failed; the former one runs") \
	X(69, FIRMWARE_REFUSED, "firmware-refused", ALERT, HSM_AUDIT_ALWAYS, "a firmware image did not verify") \
	X(70, FIRMWARE_DIED, "firmware-died", ERROR, HSM_AUDIT_REPEAT | HSM_AUDIT_ALWAYS, "a function's firmware process ended unasked") \
	X(71, SELF_TEST_FAILED, "self-test-failed", ALERT, HSM_AUDIT_ALWAYS, "a self-test failed; detail says which") \
	X(72, SELF_TEST, "self-test", INFO, HSM_AUDIT_REPEAT, "the self-tests were run on demand and passed") \
	X(73, FIRMWARE_MINIMUM, "firmware-minimum", WARNING, HSM_AUDIT_ALWAYS, "firmware below this security version is refused for ever") \
	/* the board */ \
	X(80, TAMPERED, "tampered", ALERT, HSM_AUDIT_ALWAYS, "a sensor was breached: keys were zeroized") \
	X(81, ZEROIZED, "zeroized", ALERT, HSM_AUDIT_ALWAYS, "all secrets were destroyed") \
	X(82, LIFECYCLE, "lifecycle", WARNING, HSM_AUDIT_ALWAYS, "the device's lifecycle moved on") \
	X(83, ROLLBACK_ACCEPTED, "rollback-accepted", ALERT, HSM_AUDIT_ALWAYS, "an officer accepted an old state") \
	X(84, DECOMMISSIONED, "decommissioned", ALERT, HSM_AUDIT_ALWAYS, "the device was erased for good") \
	X(85, CERTIFICATE_INSTALLED, "certificate-installed", NOTICE, 0, "a vendor's certificate of the device was installed") \
	X(86, RECOVERED, "recovered", WARNING, HSM_AUDIT_ALWAYS, "the device was recovered from a tampered or bricked state") \
	/* backup, migration, exit */ \
	X(96, BACKED_UP, "backed-up", NOTICE, 0, "a backup of the partition was made") \
	X(97, RESTORED, "restored", WARNING, 0, "the partition was restored from a backup") \
	X(99, MIGRATION_FROZEN, "migration-frozen", WARNING, 0, "the partition was frozen and sealed for another device") \
	X(100, MIGRATED_OUT, "migrated-out", WARNING, 0, "the partition was erased on the target's receipt") \
	X(101, MIGRATED_IN, "migrated-in", WARNING, 0, "the partition came from another device") \
	X(102, MIGRATION_CANCELLED, "migration-cancelled", WARNING, 0, "a frozen partition was taken back into use") \
	X(103, KEYS_EXPORTED, "keys-exported", WARNING, 0, "exportable keys were wrapped under a customer's key, with a receipt")

#define HSM_AUDIT_EVENT_ENUM(number, NAME, ...) HSM_AUDIT_##NAME = (number),
enum hsm_audit_event {
	HSM_AUDIT_EVENT_TABLE(HSM_AUDIT_EVENT_ENUM)
};
#undef HSM_AUDIT_EVENT_ENUM

struct hsm_audit_bytes {
	const uint8_t *data;
	size_t length;
};

/*
 * X(key, member, kind, meaning): fields of a record, by their key in its CBOR map. A field that is zero or empty
 * is left out. Kinds: NUMBER, TIME (milliseconds since 1970), TEXT, BYTES.
 */
#define HSM_AUDIT_FIELD_TABLE(X) \
	X(1, sequence, NUMBER, "number of the record, from 1 without a gap") \
	X(2, time, TIME, "when it was written, by the board's clock") \
	X(3, event, NUMBER, "number of the event") \
	X(4, actor, TEXT, "who: so, user, user:NAME, officer, officer:NAME, board, owner, public") \
	X(5, subject, TEXT, "whose account, or what, it was done to") \
	X(6, result, NUMBER, "return code (CKR) of what failed") \
	X(7, count, NUMBER, "how often, when more than once") \
	X(8, first, TIME, "the first of them") \
	X(9, last, TIME, "the last of them") \
	X(10, object, NUMBER, "number of the token object, never used again; not there: a session object") \
	X(11, object_class, NUMBER, "its CKA_CLASS, plus one") \
	X(12, key_type, NUMBER, "its CKA_KEY_TYPE, plus one") \
	X(13, mechanism, NUMBER, "CKM number, plus one") \
	X(14, use, NUMBER, "attribute that allows the use, as CKA_SIGN") \
	X(15, operation, NUMBER, "operation code of the command") \
	X(16, other, NUMBER, "number of the second object, as the wrapping key") \
	X(17, partition, BYTES, "partition id") \
	X(18, function, NUMBER, "function number") \
	X(19, fingerprint, BYTES, "of a policy or a public key: SHA-384") \
	X(20, measurement, BYTES, "of the firmware: SHA-384") \
	X(21, version, NUMBER, "the firmware's security version") \
	X(22, alias, BYTES, "SHA-256 of the alias's public key") \
	X(23, detail, TEXT, "more, for people") \
	X(24, signature, BYTES, "COSE_Sign message of a checkpoint") \
	X(25, reserved, NUMBER, "with key-uses: at most so many uses before the key's next record") \
	X(26, digest, BYTES, "SHA-384 of a request, blob or statement that the event is about") \
	X(27, number, NUMBER, "a number that the event's meaning names: lifecycle, role, sensor, slot") \
	X(28, value, TEXT, "a reading, with its unit") \
	X(29, serial, NUMBER, "the board's own number of an event that it kept for this log") \
	X(30, log, BYTES, "id of the log, drawn when it began") \
	X(31, board, BYTES, "board id") \
	X(32, nonce, BYTES, "the reader's nonce")

#define HSM_AUDIT_KIND_NUMBER uint64_t
#define HSM_AUDIT_KIND_TIME   uint64_t
#define HSM_AUDIT_KIND_TEXT   const char *
#define HSM_AUDIT_KIND_BYTES  struct hsm_audit_bytes

/**
 * struct hsm_audit_record - a record taken apart; texts end with NUL
 *
 * Zeros are fields that are not there.
 */
#define HSM_AUDIT_MEMBER(key, member, kind, meaning) HSM_AUDIT_KIND_##kind member;
struct hsm_audit_record {
	HSM_AUDIT_FIELD_TABLE(HSM_AUDIT_MEMBER)
};
#undef HSM_AUDIT_MEMBER

enum hsm_audit_kind {
	HSM_AUDIT_NUMBER = 1,
	HSM_AUDIT_TIME,
	HSM_AUDIT_TEXT,
	HSM_AUDIT_BYTES,
};

struct hsm_audit_field {
	uint8_t key;
	uint8_t kind;	/* enum hsm_audit_kind */
	uint16_t offset;	/* in struct hsm_audit_record */
	const char *name;
	const char *meaning;
};

struct hsm_audit_info {
	uint16_t number;
	uint8_t severity;
	uint8_t flags;
	const char *name;
	const char *meaning;
};

/* hsm_audit_field_at, hsm_audit_event_at - rows by index, NULL past the end */
const struct hsm_audit_field *hsm_audit_field_at(size_t index);
const struct hsm_audit_info *hsm_audit_event_at(size_t index);

/* hsm_audit_event - row of an event, NULL: unknown here */
const struct hsm_audit_info *hsm_audit_event(uint64_t number);

/**
 * hsm_audit_encode - the one encoding of a record: a CBOR map, keys ascending, each number in its shortest form
 * @out: room of @room bytes
 *
 * Return: bytes, or -EMSGSIZE.
 */
long hsm_audit_encode(const struct hsm_audit_record *record, uint8_t *out, size_t room);

/**
 * hsm_audit_decode - take a record apart
 * @bytes: one record; what else is there is not looked at
 * @used: set to the record's bytes
 * @texts: room for copies of its texts, as long as the record at least
 *
 * Only what hsm_audit_encode() could have written is taken. Byte strings point into @bytes.
 * Return: 0, or -EBADMSG.
 */
int hsm_audit_decode(const uint8_t *bytes, size_t length, size_t *used, char *texts,
		     struct hsm_audit_record *record);

/**
 * struct hsm_audit_chain - state of a log's chain: what a record's hash is made of
 * @sequence: of the last record
 * @head: hash of the last record, zeros before the first
 */
struct hsm_audit_chain {
	uint64_t sequence;
	uint8_t head[HSM_AUDIT_HASH];
};

/* hsm_audit_extend - @chain's head becomes SHA-384(head, @bytes), its number moves on. Return: 0 or -EIO. */
int hsm_audit_extend(struct hsm_audit_chain *chain, const EVP_MD *sha384, const uint8_t *bytes, size_t length);

/**
 * struct hsm_audit_head - what is signed of a log, in checkpoints and over a reader's nonce
 * @log: id of the log
 * @board, @partition: whose it is
 * @first: number of the first record that is kept
 * @base: head before it
 * @chain: the last record and its hash
 * @nonce: the reader's; none in a checkpoint
 */
struct hsm_audit_head {
	uint8_t log[HSM_AUDIT_LOG_ID];
	uint8_t board[16];
	uint8_t partition[16];
	uint64_t first;
	uint8_t base[HSM_AUDIT_HASH];
	struct hsm_audit_chain chain;
	uint64_t time;
	uint8_t nonce[HSM_AUDIT_NONCE_MAX];
	size_t nonce_length;
};

#define HSM_AUDIT_HEAD_MAX 400 /* bytes of an encoded head */

/* hsm_audit_head_encode - payload of the COSE_Sign message. Return: bytes, at most HSM_AUDIT_HEAD_MAX. */
size_t hsm_audit_head_encode(const struct hsm_audit_head *head, uint8_t out[HSM_AUDIT_HEAD_MAX]);

/* hsm_audit_head_decode - the reverse. Return: 0, or -EBADMSG. */
int hsm_audit_head_decode(const uint8_t *bytes, size_t length, struct hsm_audit_head *head);

#endif /* HSM_AUDIT_H */
