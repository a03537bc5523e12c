/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages between an application's libhsm and a partition: framing, fields, and the one reader and
 * writer that both sides use. Normative text: Documentation/commands.rst. Little-endian throughout.
 */
#ifndef HSM_WIRE_H
#define HSM_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <endian.h>
#include <string.h>

#define HSM_PROTOCOL_VERSION	1
#define HSM_DATA_MAX		(64 * 1024)	/* data bytes in one command */
#define HSM_MESSAGE_MAX		(68 * 1024)	/* a whole request or response */
#define HSM_RESPONSE_MIN	4096		/* room that every request leaves for its response */
#define HSM_TAG_SIZE		16		/* AES-GCM tag at the end of a sealed message */
#define HSM_IV_MAX		256	/* as the field IV */
#define HSM_SEQUENCE_WINDOW	1024
#define HSM_PARTITION_ID_SIZE	16

/* What a message is; the body's form depends on it. */
enum hsm_message_kind {
	HSM_MESSAGE_DISCOVER	= 1,	/* clear: which partitions does this function have? */
	HSM_MESSAGE_HANDSHAKE	= 2,	/* clear: TLS records of the channel's handshake */
	HSM_MESSAGE_SEALED	= 3,	/* a command or a response, AES-256-GCM */
};

/**
 * struct hsm_message_header - clear head of every message, authenticated when it is sealed
 * @version: HSM_PROTOCOL_VERSION
 * @kind: enum hsm_message_kind
 * @reserved: zero
 * @channel: channel id; 0 in a first handshake message and in discovery
 * @sequence: of a sealed request, and again in its response; 0 elsewhere
 * @length: bytes that follow, the tag included
 * @reserved2: zero
 */
struct hsm_message_header {
	uint8_t version;
	uint8_t kind;
	uint16_t reserved;
	uint32_t channel;
	uint64_t sequence;
	uint32_t length;
	uint32_t reserved2;
};

/**
 * struct hsm_command_header - first bytes of an opened request
 * @operation: enum hsm_operation
 * @flags: zero
 * @session: device session, 0 where the operation takes none
 */
struct hsm_command_header {
	uint16_t operation;
	uint16_t flags;
	uint32_t session;
};

/**
 * struct hsm_response_header - first bytes of an opened response
 * @operation: as in the request
 * @flags: HSM_RESPONSE_*; the others are zero
 * @session: as in the request; the new session of SESSION_OPEN
 * @rv: PKCS#11 return value
 */
struct hsm_response_header {
	uint16_t operation;
	uint16_t flags;
	uint32_t session;
	uint64_t rv;
};

/* The command was an approved service: the device is in approved mode, and so are mechanism and use */
#define HSM_RESPONSE_APPROVED	(1U << 0)

/*
 * A signature was begun, and beginning another one alike will go as well until something about the key, the
 * login or the policy changes: nothing was used up by it.
 */
#define HSM_RESPONSE_AGAIN	(1U << 1)

/* struct hsm_field_header - type-length-value, no padding */
struct hsm_field_header {
	uint16_t tag;
	uint16_t reserved;
	uint32_t length;
};

/*
 * One attribute in a field of type ATTRIBUTES. CK_ULONG values are 64 bits, CK_BBOOL 8 bits, arrays
 * of mechanisms 64 bits each, nested templates again a list of these. With ATTRIBUTES_GET @length
 * may be HSM_ATTRIBUTE_UNAVAILABLE, and no value follows.
 */
struct hsm_attribute_header {
	uint64_t type;
	uint32_t length;
	uint32_t status;	/* in answers: 0, or the CKR_ that this attribute ran into; zero in requests */
};
#define HSM_ATTRIBUTE_UNAVAILABLE	0xffffffffU

/* Head of a record in fields that are lists of them; @length bytes follow, then the next one */
struct hsm_record {
	uint32_t type;
	uint32_t length;
};

/* Records of PRF_DATA: a counter's or a length's form; other records hold bytes or a handle (64 bits) */
struct hsm_number_form {
	uint32_t method;	/* CK_SP800_108_DKM_LENGTH_*; 0: a counter */
	uint32_t little_endian;
	uint32_t bits;
};

#define HSM_IKE_DATA_AS_KEY	1	/* NUMBER of CKM_IKE_PRF_DERIVE: flags */
#define HSM_IKE_REKEY		2

#define HSM_PARTITION_FAILED	(1U << 0)	/* its storage does not verify; commands answer CKR_DEVICE_ERROR */

/* One partition in the answer to discovery; flags HSM_PARTITION_* */
struct hsm_partition_record {
	uint8_t id[HSM_PARTITION_ID_SIZE];
	uint32_t slot;		/* stable PKCS#11 slot number */
	uint32_t flags;
	uint32_t changes;	/* how often it was initialized or zeroized since its firmware started */
	uint32_t reserved;
	char name[64];
};

_Static_assert(sizeof(struct hsm_message_header) == 24, "hsm_message_header");
_Static_assert(sizeof(struct hsm_command_header) == 8, "hsm_command_header");
_Static_assert(sizeof(struct hsm_response_header) == 16, "hsm_response_header");
_Static_assert(sizeof(struct hsm_field_header) == 8, "hsm_field_header");
_Static_assert(sizeof(struct hsm_attribute_header) == 16, "hsm_attribute_header");
_Static_assert(sizeof(struct hsm_record) == 8, "hsm_record");
_Static_assert(sizeof(struct hsm_number_form) == 12, "hsm_number_form");
_Static_assert(sizeof(struct hsm_partition_record) == 96, "hsm_partition_record");

/*
 * Fields: X(tag, name, type, longest value in bytes, meaning).
 * Types: U32, U64, BYTES, LIST (of u64), ATTRIBUTES.
 */
#define HSM_FIELD_TABLE(X) \
	X(0x01, PARTITION,	BYTES,	16,	"partition id") \
	X(0x02, TLS,		BYTES,	65536,	"TLS records") \
	X(0x03, DONE,		U32,	4,	"1 when the sender's side of the handshake is complete") \
	X(0x04, PARTITIONS,	BYTES,	65536,	"list of struct hsm_partition_record") \
	X(0x05, TOKEN,		BYTES,	32,	"secret that moves sessions to a successor channel") \
	X(0x08, LABEL,		BYTES,	32,	"token label, UTF-8, padded with blanks") \
	X(0x09, PIN,		BYTES,	255,	"PIN") \
	X(0x0a, NEW_PIN,	BYTES,	255,	"new PIN") \
	X(0x0b, USER,		U64,	8,	"CKU_ number") \
	X(0x0c, FLAGS,		U64,	8,	"CKF_ flags") \
	X(0x0d, STATE,		U64,	8,	"CKS_ number") \
	X(0x0e, COUNT,		U64,	8,	"a number of things") \
	X(0x0f, MIN,		U64,	8,	"least value") \
	X(0x10, MAX,		U64,	8,	"largest value") \
	X(0x11, SERIAL,		BYTES,	16,	"token serial number, printable") \
	X(0x12, SESSIONS,	U64,	8,	"open sessions of this application") \
	X(0x13, RW_SESSIONS,	U64,	8,	"open read-write sessions of this application") \
	X(0x14, MAX_SESSIONS,	U64,	8,	"largest number of sessions") \
	X(0x15, TOTAL_MEMORY,	U64,	8,	"bytes") \
	X(0x16, FREE_MEMORY,	U64,	8,	"bytes") \
	X(0x18, MECHANISM,	U64,	8,	"CKM_ number") \
	X(0x19, KEY,		U64,	8,	"object handle") \
	X(0x1a, OTHER_KEY,	U64,	8,	"object handle of the wrapping or second key") \
	X(0x1b, TEMPLATE,	ATTRIBUTES, 65536, "attributes of the object") \
	X(0x1c, PRIVATE_TEMPLATE, ATTRIBUTES, 65536, "attributes of the private key of a pair") \
	X(0x1d, HANDLE,		U64,	8,	"new object's handle") \
	X(0x1e, OTHER_HANDLE,	U64,	8,	"new private key's handle") \
	X(0x1f, HANDLES,	LIST,	65536,	"object handles") \
	X(0x20, TYPES,		LIST,	65536,	"CKA_ or CKM_ numbers") \
	X(0x21, ATTRIBUTES,	ATTRIBUTES, 65536, "attributes with their values") \
	X(0x22, DATA,		BYTES,	65536,	"input or output bytes") \
	X(0x23, SIGNATURE,	BYTES,	65536,	"signature or MAC") \
	X(0x24, OUT_MAX,	U64,	8,	"bytes that the caller has room for") \
	X(0x25, NEEDED,		U64,	8,	"bytes that the output needs, with CKR_BUFFER_TOO_SMALL") \
	X(0x26, PART,		U64,	8,	"number of this part of a multi-part operation, from 1; parts run in this order") \
	X(0x27, CIPHERTEXT,	BYTES,	65536,	"encapsulated key") \
	X(0x28, TAG,		BYTES,	16,	"authentication tag of a message") \
	X(0x30, TIME,		BYTES,	16,	"the board's time, UTC, YYYYMMDDhhmmss00") \
	/* parameters of mechanisms */ \
	X(0x40, IV,		BYTES,	256,	"initialization vector, nonce or counter block") \
	X(0x41, AAD,		BYTES,	65536,	"additional authenticated data") \
	X(0x42, TAG_BITS,	U64,	8,	"length of the authentication tag in bits") \
	X(0x43, COUNTER_BITS,	U64,	8,	"width of the counter in bits") \
	X(0x44, HASH,		U64,	8,	"CKM_ of the hash") \
	X(0x45, MGF,		U64,	8,	"CKG_ number") \
	X(0x46, SALT_LENGTH,	U64,	8,	"bytes of salt") \
	X(0x47, SOURCE,		BYTES,	65536,	"OAEP label") \
	X(0x48, KDF,		U64,	8,	"CKD_ number") \
	X(0x49, SHARED,		BYTES,	65536,	"shared data") \
	X(0x4a, PUBLIC,		BYTES,	65536,	"other party's public value") \
	X(0x4b, CONTEXT,	BYTES,	255,	"context string") \
	X(0x4c, HEDGE,		U64,	8,	"CKH_ number") \
	X(0x4d, LENGTH,		U64,	8,	"length in bytes") \
	X(0x4e, PREHASH,	U64,	8,	"0: pure, 1: prehashed") \
	X(0x4f, SALT,		BYTES,	65536,	"salt") \
	X(0x50, INFO,		BYTES,	65536,	"application information") \
	X(0x51, EXTRACT,	U64,	8,	"HKDF: 1 to extract") \
	X(0x52, EXPAND,		U64,	8,	"HKDF: 1 to expand") \
	X(0x53, SALT_KEY,	U64,	8,	"handle of the key that is the salt") \
	X(0x54, SECOND_KEY,	U64,	8,	"handle of a second key that goes into a derivation") \
	X(0x55, THIRD_KEY,	U64,	8,	"handle of a third one") \
	X(0x56, PRF,		U64,	8,	"CKM_ of the MAC or hash that is the pseudo-random function, CKP_ with PBKDF2") \
	X(0x57, PRF_DATA,	BYTES,	65536,	"what the pseudo-random function is applied to: list of struct hsm_record") \
	X(0x58, MORE_KEYS,	BYTES,	65536,	"templates of further keys: list of struct hsm_record, type 0") \
	X(0x59, SEED,		BYTES,	65536,	"initiator's or client's random bytes, or the hash of a session") \
	X(0x5a, OTHER_SEED,	BYTES,	65536,	"responder's or server's random bytes") \
	X(0x5b, NUMBER,		U64,	8,	"number or flags that the mechanism defines") \
	X(0x5c, MAC_BITS,	U64,	8,	"length of a MAC key in bits") \
	X(0x5d, KEY_BITS,	U64,	8,	"length of a key in bits") \
	X(0x5e, IV_BITS,	U64,	8,	"length of an IV in bits") \
	X(0x5f, FIRST_BIT,	U64,	8,	"number of a bit, 0 the highest of the first byte") \
	X(0x60, ITERATIONS,	U64,	8,	"how often a function is applied") \
	X(0x61, PASSWORD,	BYTES,	4096,	"password") \
	X(0x62, PRF_LABEL,	BYTES,	255,	"label of a derivation") \
	X(0x63, VERSION,	BYTES,	2,	"protocol version, major and minor") \
	X(0x64, OTP_DATA,	BYTES,	4096,	"parameters or results of a one-time password: list of struct hsm_record") \
	/* self-tests and masked objects */ \
	X(0xa0, TESTS,		U64,	8,	"self-tests that passed") \
	X(0xa1, FAILED_TEST,	BYTES,	64,	"name of the self-test that failed") \
	X(0xa2, MASKED,		BYTES,	65536,	"masked key, sealed") \
	X(0xa3, EPOCH,		U64,	8,	"number of the epoch in which keys are masked now") \
	X(0xa4, GRACE,		U64,	8,	"1: keys of the epoch before can be masked again") \
	X(0x68, AES_BITS,	U64,	8,	"length of the AES key in between, in bits") \
	/* administration */ \
	X(0x80, NAME,		BYTES,	63,	"name of a partition or of a user, UTF-8") \
	X(0x81, FUNCTION,	U32,	4,	"function number, 0: none") \
	X(0x82, MAX_OBJECTS,	U32,	4,	"quota") \
	X(0x83, MAX_BYTES,	U32,	4,	"quota") \
	X(0x84, PROFILE,	U32,	4,	"0 compatible, 1 strict, 2 legacy") \
	X(0x85, CODE,		BYTES,	64,	"claim code") \
	X(0x86, SLOT,		U32,	4,	"PKCS#11 slot number") \
	X(0x87, RECORDS,	BYTES,	65536,	"list of struct hsm_partition_status") \
	X(0x88, COUNTER,	U64,	8,	"fuse counter") \
	X(0x89, MAX_RATE,	U32,	4,	"operations in a second") \
	X(0x8a, MIN_RSA,	U32,	4,	"least bits of RSA keys") \
	X(0x8b, MIN_EC,		U32,	4,	"least bits of keys on elliptic curves") \
	X(0x8c, MIN_DH,		U32,	4,	"least bits of Diffie-Hellman primes") \
	X(0x8d, MIN_AES,	U32,	4,	"least bits of AES keys") \
	X(0x8e, MIN_SECRET,	U32,	4,	"least bits of all other secret keys") \
	X(0x8f, MECHANISMS,	LIST,	4096,	"CKM_ numbers that are allowed; empty: all") \
	X(0x98, PIN_HISTORY,	U32,	4,	"last PINs that are not taken again") \
	X(0x99, PIN_DAYS,	U32,	4,	"days after which a PIN expires") \
	X(0x9a, PIN_TRIES,	U32,	4,	"wrong PINs in a row that lock it") \
	X(0x9b, PIN_DELAY,	U32,	4,	"seconds of delay after wrong PINs") \
	X(0x9c, RETRY_AFTER,	U64,	8,	"milliseconds until the command may succeed") \
	X(0x9d, FINGERPRINT,	BYTES,	48,	"SHA-384 of a policy") \
	X(0x9e, USER_ROLE,	U32,	4,	"role of a user: 1 user, 2 manager, 3 read-only, 4 auditor; of the device: 4 auditor, 5 officer") \
	X(0x9f, USERS,		BYTES,	65536,	"list of struct hsm_user_status") \
	/* migration and backup of partitions */ \
	X(0xd8, DOCUMENT,	BYTES,	65536,	"signed document of a migration or a backup") \
	X(0xd9, CHUNK,		U64,	8,	"number of a chunk of a package, from 0") \
	X(0xda, CUSTODIANS,	BYTES,	16384,	"list of public keys of custodians") \
	X(0xdb, THRESHOLD,	U32,	4,	"custodians that it takes to restore a backup") \
	X(0xdc, SHARES,		BYTES,	16384,	"list of struct hsm_backup_share") \
	X(0xdd, PHASE,		U32,	4,	"phase of a migration, enum hsm_migration_phase") \
	X(0xde, MIGRATION_ROOTS, BYTES,	768,	"SHA-384 of the public keys of roots whose boards a partition may move to") \
	X(0xdf, MIGRATION_MEASUREMENTS, BYTES, 768, "SHA-384 measurements of the firmware that it may move to; none: any") \
	X(0xe0, MIGRATION_VERSION, U32,	4,	"least security version that it may move to") \
	X(0xe1, MIGRATION_ROLLBACK, U32, 4,	"1: moves only between boards with rollback protection") \
	X(0xe2, MIGRATION_PRODUCTION, U32, 4,	"1: moves only to boards in production") \
	X(0xe3, BACKUP,		U32,	4,	"1: backups are allowed") \
	X(0xe4, MIGRATION_SOURCE, BYTES, 48,	"SHA-384 of the document that a partition is to be filled from") \
	X(0xe5, REASON,		BYTES,	255,	"why a command was refused, for people") \
	X(0xe6, MORE_CERTIFICATES, BYTES,	32768,	"certificates (DER), one after the other") \
	/* the board's life */ \
	X(0xc8, LIFECYCLE,	U32,	4,	"state of life: 1 development, 2 production, 3 returned, 4 decommissioned") \
	X(0xc9, TAMPERS,	U32,	4,	"how often the board was tampered with") \
	X(0xca, RECOVERIES,	U32,	4,	"how often officers accepted an old copy of the state") \
	X(0xcb, ERASED,		U64,	8,	"when all partitions were erased last, seconds since 1970; 0: never") \
	X(0xcc, STATEMENT,	BYTES,	65536,	"signed statement of the board (hsm/statement.h)") \
	X(0xcd, SENSORS,	BYTES,	4096,	"list of struct hsm_sensor_status") \
	/* approvals */ \
	X(0xd0, APPROVALS,	BYTES,	65536,	"signed approvals: list of struct hsm_record, type 0, each a COSE_Sign message") \
	X(0xd1, APPROVAL_NONCE,	BYTES,	32,	"the device's nonce that approvals are bound to") \
	X(0xd2, ACTION,		U32,	4,	"number of a class of actions (hsm/approval.h)") \
	X(0xd3, QUORUM,		BYTES,	4096,	"list of struct hsm_quorum_status, or one and verdicts on approvals") \
	X(0xd4, OFFICERS,	BYTES,	65536,	"list of struct hsm_officer_status") \
	X(0xd5, PUBLIC_KEY,	BYTES,	4096,	"public key, DER SubjectPublicKeyInfo; empty: none") \
	X(0xd6, OWNER_APPROVES,	U32,	4,	"what needs the owner's approval: 1 destruction, 2 a weaker policy, 4 export") \
	X(0xd7, OWNER_KEY,	BYTES,	4096,	"public key of the partition's owner, DER SubjectPublicKeyInfo; empty: none") \
	X(0xac, PIN_COMMITMENT,	BYTES,	48,	"SHA-384 of an opening and a PIN: what is approved of a PIN that nobody is shown") \
	X(0xad, PIN_OPENING,	BYTES,	32,	"random bytes that open a commitment to a PIN") \
	/* certificates of the device */ \
	X(0xb0, KEY_ALGORITHM,	U32,	4,	"enum hsm_dice_algorithm: 0 P-384, 1 ML-DSA-87") \
	X(0xb1, CERTIFICATES,	BYTES,	65536,	"certificates, DER, one behind the other, each certified by the next") \
	X(0xb2, CLIENT_ROOTS,	BYTES,	768,	"SHA-384 of the public keys of certificates that applications' certificates must lead to") \
	/* evidence */ \
	X(0xb4, NONCE,		BYTES,	64,	"a verifier's nonce, 8 bytes or more") \
	X(0xb5, BINDING,	BYTES,	64,	"bytes to be bound to evidence") \
	X(0xb6, EVIDENCE,	BYTES,	65536,	"evidence: a COSE_Sign message, see attestation.rst") \
	X(0xb7, KIND,		U32,	4,	"what evidence is about: 1 device, 2 partition, 3 key") \
	/* audit log (hsm/audit.h) */ \
	X(0xc0, AUDIT_BYTES,	U32,	4,	"quota of the audit log") \
	X(0xc1, AUDIT_FULL,	U32,	4,	"full audit log: 0 overwrite the oldest records, 1 refuse what would be recorded") \
	X(0xc2, AUDIT_KEYS,	U32,	4,	"uses of keys in the audit log: 0 none, 1 counted, 2 each") \
	X(0xc3, AUDIT_NONCE,	BYTES,	64,	"the reader's nonce, 8 bytes at least") \
	X(0xc4, AUDIT_RECORDS,	BYTES,	65536,	"records of the audit log, one after the other") \
	X(0xc5, SEQUENCE,	U64,	8,	"number of a record of the audit log") \
	X(0xc6, AUDIT_HEAD,	BYTES,	65536,	"head of the audit log; signed, where the operation says so") \
	X(0xc7, AUDIT_BASE,	BYTES,	48,	"hash of the record before the first one that is here") \
	/* how the nonce of a message is made: no parameters, as no mechanism reads them */ \
	X(0x90, GENERATOR,	U64,	8,	"CKG_ number; absent: the caller's nonce is the nonce") \
	X(0x91, FIXED_BITS,	U64,	8,	"leading bits of IV that the caller gives") \
	/* firmware */ \
	X(0xe8, MEASUREMENT,	BYTES,	48,	"SHA-384 of what a vendor signed of a firmware") \
	X(0xe9, FIRMWARES,	BYTES,	4096,	"list of struct hsm_firmware_status") \
	X(0xea, SECURITY_VERSION, U32,	4,	"security version of a firmware") \
	/* statistics */ \
	X(0xf0, STATISTICS,	BYTES,	2048,	"struct hsm_statistics, of hsm/statistics.h")

/*
 * OUT_MAX of a caller that asks for the length of an encryption, decryption, digest or signature,
 * or of its end: the answer is CKR_BUFFER_TOO_SMALL with NEEDED, which is an upper bound, and
 * nothing has happened.
 */
#define HSM_OUT_QUERY	UINT64_MAX

/* FLAGS of a part of a message; both: all of it */
#define HSM_PART_FIRST	(1U << 0)
#define HSM_PART_LAST	(1U << 1)

/* KIND: what evidence is about; each kind says all that the one before says */
enum hsm_evidence_kind {
	HSM_EVIDENCE_DEVICE	= 1,
	HSM_EVIDENCE_PARTITION	= 2,
	HSM_EVIDENCE_KEY	= 3,
};

#define HSM_FIELD_ENUM(tag, name, type, max, doc) HSM_FIELD_##name = (tag),
enum hsm_field_tag {
	HSM_FIELD_TABLE(HSM_FIELD_ENUM)
};
#undef HSM_FIELD_ENUM

enum hsm_field_type {
	HSM_TYPE_U32 = 1, HSM_TYPE_U64, HSM_TYPE_BYTES, HSM_TYPE_LIST, HSM_TYPE_ATTRIBUTES,
};

/* Tags from here to HSM_FIELD_PARAMETER_LAST are parameters of mechanisms */
#define HSM_FIELD_PARAMETER_FIRST	0x40
#define HSM_FIELD_PARAMETER_LAST	0x7f

/* One partition in the answer to PARTITION_LIST (administration) */
struct hsm_partition_status {
	uint8_t id[HSM_PARTITION_ID_SIZE];
	char name[64];
	uint32_t function;
	uint32_t slot;
	uint32_t profile;
	uint32_t max_objects;
	uint32_t max_sessions;
	uint32_t max_bytes;
};
_Static_assert(sizeof(struct hsm_partition_status) == 104, "hsm_partition_status");

/* One sensor in the answer to DEVICE_CONDITION; kind, flags and units as struct ihsm_sensor */
struct hsm_sensor_status {
	uint32_t kind;
	uint32_t flags;
	uint32_t value;		/* signed, as the limits */
	uint32_t min;
	uint32_t max;
	char label[16];
};
_Static_assert(sizeof(struct hsm_sensor_status) == 36, "hsm_sensor_status");

/* Firmware in the answer to FIRMWARE_STATUS: enum board_place, BOARD_FIRMWARE_ flags (hsm/board.h) */
struct hsm_firmware_status {
	uint32_t place;
	uint32_t flags;
	uint32_t security_version;
	uint32_t reserved;
	char version[32];
	uint8_t measurement[48];
};
_Static_assert(sizeof(struct hsm_firmware_status) == 96, "hsm_firmware_status");

#define HSM_USER_LOCKED		(1U << 0)	/* too many wrong PINs */
#define HSM_USER_EXPIRED	(1U << 1)	/* the PIN must be changed before it logs in again */

/* One user in the answer to USER_LIST; flags HSM_USER_*, @changed in seconds since 1970 */
struct hsm_user_status {
	char name[64];
	uint32_t role;
	uint32_t flags;
	uint32_t failures;
	uint32_t reserved;
	uint64_t changed;
};
_Static_assert(sizeof(struct hsm_user_status) == 88, "hsm_user_status");

/* Exported by libhsm, see hsm/hsm.h */
#pragma GCC visibility push(default)

#ifdef __cplusplus
extern "C" {
#endif

/* ---- reader ---- */

#define HSM_FIELDS_MAX	64	/* fields in one command */

struct hsm_field {
	uint16_t tag;
	uint32_t length;
	const uint8_t *data;
};

/**
 * struct hsm_fields - the fields of a message, checked against the field table
 * @count: of @field
 * @field: pointers into the message
 */
struct hsm_fields {
	unsigned int count;
	struct hsm_field field[HSM_FIELDS_MAX];
};

/**
 * hsm_fields_parse - take a message apart
 * @fields: filled in
 * @data: private memory, never a page that another side can write
 * @length: bytes of @data
 *
 * Every tag must be in the table, no tag may come twice, each length must suit its type, and the
 * last field must end where the message ends. Attribute lists are checked with their nesting.
 * Return: 0 or -EBADMSG.
 */
int hsm_fields_parse(struct hsm_fields *fields, const uint8_t *data, size_t length);

/* hsm_fields_find - the field with this tag, or NULL */
const struct hsm_field *hsm_fields_find(const struct hsm_fields *fields, enum hsm_field_tag tag);

/* hsm_fields_u64 - value of a U32 or U64 field, or @absent */
uint64_t hsm_fields_u64(const struct hsm_fields *fields, enum hsm_field_tag tag, uint64_t absent);

/* hsm_fields_bytes - a field's bytes, *length 0 and NULL when absent */
const uint8_t *hsm_fields_bytes(const struct hsm_fields *fields, enum hsm_field_tag tag, size_t *length);

/**
 * struct hsm_attribute_view - one attribute of a list, pointing into the message
 */
struct hsm_attribute_view {
	uint64_t type;
	uint32_t status;
	uint32_t length;	/* HSM_ATTRIBUTE_UNAVAILABLE: no value */
	const uint8_t *value;
};

/**
 * hsm_attributes_next - walk through an attribute list that hsm_fields_parse() has checked
 * @cursor: start of the rest, moved on
 * @end: end of the list
 * Return: false at the end.
 */
bool hsm_attributes_next(const uint8_t **cursor, const uint8_t *end, struct hsm_attribute_view *view);

/*
 * hsm_attributes_valid - is this a well-formed attribute list? @depth: nesting that is still
 * allowed
 */
bool hsm_attributes_valid(const uint8_t *data, size_t length, unsigned int depth);

/*
 * hsm_attribute_is_template - is the attribute's value a nested template (CKF_ARRAY_ATTRIBUTE, but
 * CKA_ALLOWED_MECHANISMS)?
 */
bool hsm_attribute_is_template(uint64_t type);

/**
 * hsm_records_next - walk through a field that is a list of struct hsm_record
 * @cursor: start of the rest, moved on
 * @end: end of the list
 * @data: set to the record's bytes
 * Return: 1, 0 at the end, -EBADMSG when a record is cut off.
 */
int hsm_records_next(const uint8_t **cursor, const uint8_t *end, struct hsm_record *record, const uint8_t **data);

/* hsm_field_name - name of a tag for messages, "unknown" when there is none */
const char *hsm_field_name(unsigned int tag);

/* hsm_field_number - is the field a U32 or U64? */
bool hsm_field_number(unsigned int tag);

/* hsm_get_le64 and friends - unaligned little-endian access */
static inline uint64_t hsm_get_le64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static inline uint32_t hsm_get_le32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static inline uint16_t hsm_get_le16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

/* ---- writer ---- */

/**
 * struct hsm_writer - appends fields to a buffer; the first failure sticks
 * @data: buffer
 * @length: bytes written
 * @capacity: size of @data
 * @error: 0, -EMSGSIZE, or -EINVAL for a number that does not suit its field
 */
struct hsm_writer {
	uint8_t *data;
	size_t length;
	size_t capacity;
	int error;
};

/*
 * hsm_writer_init, hsm_put_raw, hsm_put_u32, hsm_put_u64 - write fields one after the other. The first
 * failure sticks in the writer, and nothing is written after it.
 */
void hsm_writer_init(struct hsm_writer *writer, void *data, size_t capacity);
void hsm_put_raw(struct hsm_writer *writer, const void *data, size_t length);
void hsm_put_u32(struct hsm_writer *writer, enum hsm_field_tag tag, uint32_t value);
void hsm_put_u64(struct hsm_writer *writer, enum hsm_field_tag tag, uint64_t value);
/* hsm_put_number - as U32 or U64, as the table says; a value that a U32 cannot hold is an error */
void hsm_put_number(struct hsm_writer *writer, enum hsm_field_tag tag, uint64_t value);
/* hsm_put_bytes - a field of bytes */
void hsm_put_bytes(struct hsm_writer *writer, enum hsm_field_tag tag, const void *data, size_t length);
/* hsm_put_list - @values in the machine's own byte order */
void hsm_put_list(struct hsm_writer *writer, enum hsm_field_tag tag, const uint64_t *values, size_t count);
/*
 * hsm_put_reserve - a field of @length bytes to be filled in by the caller; NULL when there is no
 * room
 */
uint8_t *hsm_put_reserve(struct hsm_writer *writer, enum hsm_field_tag tag, size_t length);
/* hsm_put_begin, hsm_put_end - a field whose length is known at its end; @mark from begin */
size_t hsm_put_begin(struct hsm_writer *writer, enum hsm_field_tag tag);
void hsm_put_end(struct hsm_writer *writer, size_t mark);
/*
 * hsm_put_attribute - inside begin and end of an ATTRIBUTES field; @value NULL: unavailable, with
 * @status
 */
void hsm_put_attribute(struct hsm_writer *writer, uint64_t type, uint32_t status, const void *value, size_t length);

#ifdef __cplusplus
}
#endif

#pragma GCC visibility pop

#endif /* HSM_WIRE_H */
