/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence: what a device says of itself, of a partition or of a key, as an entity attestation token
 * (EAT, RFC 9711) for COSE_Sign (hsm/cose.h). One table of claims; the firmware's encoder, the
 * verifier's decoder and rules, and the CDDL in Documentation/attestation.rst follow from it.
 */
#ifndef HSM_EVIDENCE_H
#define HSM_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hsm/cose.h>
#include <hsm/dice.h>
#include <hsm/migration.h>
#include <hsm/pkcs11.h>
#include <hsm/policy.h>

#define HSM_EVIDENCE_TYPE "application/vnd.ihsm.evidence+cbor"

/* eat_profile: this table of claims. Whoever adds a claim draws another one. */
#define HSM_EVIDENCE_PROFILE "urn:uuid:df28c58e-80aa-4d80-bbf6-54911c9d8fcf"

/* oemid of RFC 9711, 4.2.3.1: random, for this design of a device */
#define HSM_EVIDENCE_OEM { 0x73, 0x4d, 0x19, 0xcd, 0x18, 0xcd, 0x09, 0x11, \
			   0xf8, 0x79, 0xc8, 0x57, 0x44, 0x26, 0x09, 0xa1 }

#define HSM_EVIDENCE_NONCE_MIN 8
#define HSM_EVIDENCE_NONCE_MAX 64
#define HSM_EVIDENCE_BINDING_MAX 64
#define HSM_UEID_RANDOM 0x01 /* first byte of a ueid: RFC 9711, 4.2.1.1, type RAND */

enum hsm_claim_type {
	HSM_CLAIM_TYPE_UINT,
	HSM_CLAIM_TYPE_BOOL,
	HSM_CLAIM_TYPE_BYTES,
	HSM_CLAIM_TYPE_TEXT,
	HSM_CLAIM_TYPE_VERSION,	/* an array of one text: sw-version-type */
	HSM_CLAIM_TYPE_ATTRIBUTES,	/* a map from CKA_ numbers to values */
};

/*
 * X(NAME, key, type, least, most, kind, need, name, meaning), in the order of the encoded keys
 *   least, most	of a number its values, of bytes and text their length
 *   kind		the first kind of evidence that has it
 *   need		MUST or MAY be there
 *   name		in reports and policy files
 */
#define HSM_CLAIM_TABLE(X) \
	X(NONCE,	10,	BYTES,	HSM_EVIDENCE_NONCE_MIN, HSM_EVIDENCE_NONCE_MAX, DEVICE, MAY, "nonce", \
	  "eat_nonce: the verifier's; without it nothing shows when the evidence was made") \
	X(UEID,		256,	BYTES,	17, 17,		DEVICE, MUST, "ueid", "type RAND, then the board id") \
	X(OEM,		258,	BYTES,	16, 16,		DEVICE, MUST, "oemid", "who designed the device, a random number") \
	X(MODEL,	259,	BYTES,	1, 32,		DEVICE, MUST, "hwmodel", "model of the device, characters") \
	X(DEBUG,	263,	UINT,	0, 4,		DEVICE, MUST, "dbgstat", "state of debugging") \
	X(PROFILE,	265,	TEXT,	1, 64,		DEVICE, MUST, "eat_profile", "names this table") \
	X(FIRMWARE,	270,	TEXT,	1, 64,		DEVICE, MUST, "swname", "name of the firmware") \
	X(VERSION,	271,	VERSION, 1, 32,		DEVICE, MUST, "swversion", "version of the firmware") \
	X(KIND,		-70001,	UINT,	1, 3,		DEVICE, MUST, "kind", "what the evidence is about") \
	X(SERIAL,	-70002,	TEXT,	0, 32,		DEVICE, MUST, "serial", "serial number of the board") \
	X(HARDWARE,	-70003,	UINT,	0, 1,		DEVICE, MUST, "hardware", \
	  "a virtual board is software on a host whose administrator can read all of it") \
	X(MEASUREMENT,	-70004,	BYTES,	HSM_MEASUREMENT_SIZE, HSM_MEASUREMENT_SIZE, DEVICE, MUST, "measurement", \
	  "SHA-384 over the payload of the signed firmware bundle, which has the hash of every file that runs") \
	X(SECURITY_VERSION, -70005, UINT, 0, UINT32_MAX, DEVICE, MUST, "security_version", "of the firmware") \
	X(LIFECYCLE,	-70006,	UINT,	HSM_LIFECYCLE_DEVELOPMENT, HSM_LIFECYCLE_DECOMMISSIONED, DEVICE, MUST, "lifecycle", "of the board, from its fuses") \
	X(TAMPERED,	-70007,	BOOL,	0, 1,		DEVICE, MUST, "tampered", "a sensor has seen a breach; keys are gone") \
	X(ROLLBACK,	-70008,	UINT,	0, 1,		DEVICE, MUST, "rollback_protection", \
	  "what shows that the stored state is no old copy") \
	X(APPROVED,	-70009,	BOOL,	0, 1,		DEVICE, MUST, "approved_mode", \
	  "approved algorithms alone, in a build that nobody has validated") \
	X(FUNCTION,	-70010,	UINT,	0, 65535,	DEVICE, MUST, "function", "number of the function that answers") \
	X(BINDING,	-70011,	BYTES,	1, HSM_EVIDENCE_BINDING_MAX, DEVICE, MAY, "binding", \
	  "bytes of the caller's, for whatever they bind the evidence to") \
	X(PARTITION,	-70012,	BYTES,	16, 16,		DEVICE, MUST, "partition", \
	  "id of the partition that was asked, which its signers' certificates name; zeros: the device's own") \
	X(RECOVERED,	-70013,	BOOL,	0, 1,		DEVICE, MUST, "recovered", \
	  "at some time an old copy of the stored state was put in, and an officer has accepted it") \
	X(NAME,		-70021,	TEXT,	0, 63,		PARTITION, MUST, "name", "the officer's name for the partition") \
	X(POLICY_PROFILE, -70022, UINT,	0, 2,		PARTITION, MUST, "profile", "profile of its policy") \
	X(FINGERPRINT,	-70023,	BYTES,	48, 48,		PARTITION, MUST, "fingerprint", "SHA-384 of policy") \
	X(POLICY,	-70024,	BYTES,	1, 16384,	PARTITION, MUST, "policy", \
	  "the policy: fields of commands.rst, in the order of their tags") \
	X(IDENTITY,	-70025,	BYTES,	32, 32,		PARTITION, MUST, "identity", \
	  "SHA-256 of the public key in the partition's certificate, as pins in hsm.conf have it") \
	X(OWNER,	-70026,	BYTES,	32, 32,		PARTITION, MAY, "owner", \
	  "SHA-256 of the owner's public key (SubjectPublicKeyInfo), where the partition has an owner with one") \
	X(ARRIVAL,	-70027,	UINT,	HSM_MIGRATION_ORIGIN_HERE, HSM_MIGRATION_ORIGIN_RESTORED, PARTITION, MUST, "arrival", \
	  "how the partition came to this board") \
	X(COPIES,	-70028,	BOOL,	0, 1,		PARTITION, MUST, "copies_possible", \
	  "another board may have the partition: it is from a backup, or came over a board without rollback protection") \
	X(ARRIVED,	-70029,	UINT,	0, UINT32_MAX,	PARTITION, MAY, "arrival_time", \
	  "seconds since 1970 by the former board's clock when the package or backup was made; of what did not begin here") \
	X(ORIGIN,	-70030,	UINT,	CK_HSM_ORIGIN_GENERATED, CK_HSM_ORIGIN_ENCAPSULATED, KEY, MUST, "origin", "how the key came into the partition") \
	X(UNMASKED,	-70031,	BOOL,	0, 1,		KEY, MUST, "unmasked", "the key has been outside, sealed, and was loaded again") \
	X(UNIQUE_ID,	-70032,	TEXT,	1, 64,		KEY, MUST, "unique_id", "CKA_UNIQUE_ID") \
	X(PUBLIC,	-70033,	BYTES,	1, 16384,	KEY, MAY, "public_key", \
	  "public part of a public or private key: SubjectPublicKeyInfo, DER") \
	X(ATTRIBUTES,	-70034,	ATTRIBUTES, 1, 256,	KEY, MUST, "attributes", "all attributes but key material")

/* X(claim, number, name): claims whose numbers have names */
#define HSM_CLAIM_NAMES(X) \
	X(DEBUG, 0, "enabled") \
	X(DEBUG, 1, "disabled") \
	X(DEBUG, 2, "disabled-since-boot") \
	X(DEBUG, 3, "disabled-permanently") \
	X(DEBUG, 4, "disabled-fully-and-permanently") \
	X(KIND, HSM_EVIDENCE_DEVICE, "device") \
	X(KIND, HSM_EVIDENCE_PARTITION, "partition") \
	X(KIND, HSM_EVIDENCE_KEY, "key") \
	X(HARDWARE, 0, "virtual") \
	X(HARDWARE, 1, "card") \
	X(LIFECYCLE, HSM_LIFECYCLE_DEVELOPMENT, "development") \
	X(LIFECYCLE, HSM_LIFECYCLE_PRODUCTION, "production") \
	X(LIFECYCLE, HSM_LIFECYCLE_RETURNED, "returned") \
	X(LIFECYCLE, HSM_LIFECYCLE_DECOMMISSIONED, "decommissioned") \
	X(ROLLBACK, 0, "none") \
	X(ROLLBACK, 1, "fuses") \
	X(POLICY_PROFILE, HSM_PROFILE_COMPATIBLE, "compatible") \
	X(POLICY_PROFILE, HSM_PROFILE_STRICT, "strict") \
	X(POLICY_PROFILE, HSM_PROFILE_LEGACY, "legacy") \
	X(ARRIVAL, HSM_MIGRATION_ORIGIN_HERE, "made here") \
	X(ARRIVAL, HSM_MIGRATION_ORIGIN_MOVED, "moved") \
	X(ARRIVAL, HSM_MIGRATION_ORIGIN_RESTORED, "restored from a backup") \
	X(ORIGIN, CK_HSM_ORIGIN_GENERATED, "generated") \
	X(ORIGIN, CK_HSM_ORIGIN_IMPORTED, "imported") \
	X(ORIGIN, CK_HSM_ORIGIN_UNWRAPPED, "unwrapped") \
	X(ORIGIN, CK_HSM_ORIGIN_DERIVED, "derived") \
	X(ORIGIN, CK_HSM_ORIGIN_ENCAPSULATED, "encapsulated")

#define HSM_CLAIM_ENUM(name, ...) HSM_CLAIM_##name,
enum hsm_claim {
	HSM_CLAIM_TABLE(HSM_CLAIM_ENUM)
	HSM_CLAIMS
};
#undef HSM_CLAIM_ENUM

struct hsm_claim_info {
	int32_t key;
	uint8_t type;	/* enum hsm_claim_type */
	uint8_t kind;	/* enum hsm_evidence_kind, the first one that has it */
	bool must;
	uint32_t least, most;
	const char *name;
	const char *meaning;
};

/**
 * struct hsm_claim_value - one claim
 * @number: of numbers; 0 and 1 of booleans
 * @bytes: of bytes, text (no NUL behind it) and versions, @length of them; not owned
 */
struct hsm_claim_value {
	bool present;
	uint64_t number;
	const uint8_t *bytes;
	size_t length;
};

/**
 * struct hsm_evidence - the claims of one token; zero it first
 * @attributes: the map of HSM_CLAIM_ATTRIBUTES; owned with a reference of its own
 * @item: what claims of decoded evidence point into
 */
struct hsm_evidence {
	struct hsm_claim_value claim[HSM_CLAIMS];
	cbor_item_t *attributes;
	cbor_item_t *item;
};

/* hsm_claim_at - row by enum hsm_claim; NULL past the end */
const struct hsm_claim_info *hsm_claim_at(size_t claim);

/* hsm_claim_name - name of a number, NULL: it has none */
const char *hsm_claim_name(size_t claim, uint64_t number);

/* Set a claim; bytes stay the caller's until the evidence is encoded */
void hsm_evidence_number(struct hsm_evidence *evidence, enum hsm_claim claim, uint64_t number);
void hsm_evidence_bytes(struct hsm_evidence *evidence, enum hsm_claim claim, const void *bytes, size_t length);
void hsm_evidence_text(struct hsm_evidence *evidence, enum hsm_claim claim, const char *text);

/**
 * hsm_evidence_encode - as bytes to be signed
 * @bytes: for free()
 *
 * Return: 0, -EINVAL when a claim is missing, is not one of the evidence's kind, or has a value that it cannot have,
 * -ENOMEM.
 */
int hsm_evidence_encode(const struct hsm_evidence *evidence, uint8_t **bytes, size_t *length);

/**
 * hsm_evidence_decode - take a signed payload apart
 * @evidence: filled in; hsm_evidence_free() in any case
 * @wrong: set to the name of the claim that does not hold what it should, or what is wrong elsewhere
 *
 * Exactly the claims of its kind must be there, each with a value within its bounds, and the profile must be this
 * one. Return: 0, -EBADMSG.
 */
int hsm_evidence_decode(const uint8_t *bytes, size_t length, struct hsm_evidence *evidence, const char **wrong);

void hsm_evidence_free(struct hsm_evidence *evidence);

/* hsm_attribute_name - "CKA_LABEL", NULL: not known */
const char *hsm_attribute_name(uint64_t attribute);

/* hsm_attribute_number_name - of a number that an attribute holds: "CKO_PRIVATE_KEY"; NULL: it has no name */
const char *hsm_attribute_number_name(uint64_t attribute, uint64_t number);

/* hsm_attribute_is_text - are the attribute's bytes characters? */
bool hsm_attribute_is_text(uint64_t attribute);

#endif /* HSM_EVIDENCE_H */
