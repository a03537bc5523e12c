/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Approvals: what needs the consent of several officers or of a partition's owner, and the exact bytes
 * that they sign. Firmware and hsmctl build those bytes from a command's fields with the same code.
 * Normative text: Documentation/policy.rst, "Approvals".
 */
#ifndef HSM_APPROVAL_H
#define HSM_APPROVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hsm/operations.h>

#define HSM_APPROVAL_TYPE	"application/vnd.ihsm.approval+cbor"
#define HSM_APPROVAL_NONCE_SIZE 32
#define HSM_APPROVAL_SECONDS	86400 /* that a nonce is good for */
#define HSM_APPROVAL_KEY_MAX	4096 /* bytes of a public key, DER */
#define HSM_APPROVAL_ID_SIZE	48 /* of a key: SHA-384 of its DER form; header kid of a signature */
#define HSM_APPROVAL_FIELD_MAX	1024 /* bytes of a field that is signed as it is; a longer one is signed as its SHA-384 */
#define HSM_APPROVALS_MAX	16 /* signatures in one command */
#define HSM_PIN_OPENING_SIZE	32

/*
 * Classes of actions, each with a quorum of its own: X(number, name, word, owner, meaning)
 *   owner	a partition's owner can demand to be asked: 1 << (number - 1) in the policy's OWNER_APPROVES
 */
#define HSM_ACTION_TABLE(X) \
	X(1, DESTROY,	"destroy",	true,	"destroy a partition") \
	X(2, RELAX,	"relax",	true,	"make a partition's policy less strict, or change its owner") \
	X(3, EXPORT,	"export",	true,	"back a partition up, or move it to another device") \
	X(4, FIRMWARE,	"firmware",	false,	"run another firmware, or raise the least security version") \
	X(5, LIFECYCLE,	"lifecycle",	false,	"move the device to another state of its life, or erase it") \
	X(6, RECOVERY,	"recovery",	false,	"go on with a state that may be an older copy, or after tampering") \
	X(7, ROLES,	"roles",	false,	"officers, their keys, lower quorums")

#define HSM_ACTION_ENUM(number, name, ...) HSM_ACTION_##name = (number),
enum hsm_action {
	HSM_ACTION_NONE,
	HSM_ACTION_TABLE(HSM_ACTION_ENUM)
	HSM_ACTIONS
};
#undef HSM_ACTION_ENUM

/*
 * Operations that can need approvals: X(operation, action). Whether a command does is its handler's to
 * say, which then calls approval_check(). An operation of the device takes the fields APPROVALS and
 * APPROVAL_NONCE itself; for one of a partition function 0 grants it with APPROVAL_GRANT.
 */
#define HSM_GUARDED_TABLE(X) \
	X(PARTITION_DESTROY, DESTROY) \
	X(PARTITION_UPDATE, RELAX) \
	X(DEVICE_LIFECYCLE, LIFECYCLE) \
	X(DEVICE_RECOVER, RECOVERY) \
	X(OFFICER_ADD, ROLES) \
	X(OFFICER_REMOVE, ROLES) \
	X(OFFICER_KEY, ROLES) \
	X(QUORUM_SET, ROLES) \
	X(MIGRATE_FREEZE, EXPORT) \
	X(BACKUP_BEGIN, EXPORT) \
	X(PARTITION_IMPORT, EXPORT) \
	X(FIRMWARE_ACTIVATE, FIRMWARE) \
	X(FIRMWARE_MINIMUM, FIRMWARE)

/* hsm_guarded - enum hsm_action of an operation, HSM_ACTION_NONE: it needs no approvals */
enum hsm_action hsm_guarded(unsigned int operation);

/* hsm_action_word, hsm_action_meaning - for people, NULL: there is no such action */
const char *hsm_action_word(unsigned int action);
const char *hsm_action_meaning(unsigned int action);

/* hsm_action_owner - the owner's bit, 0: none of the owner's business */
uint32_t hsm_action_owner(unsigned int action);

/**
 * struct hsm_approval - what is signed, taken apart
 * @board: the board's id
 * @partition: that runs the command; zeros: the device
 * @nonce: the device's, NULL: none (in what APPROVAL_GRANT carries)
 * @operation: enum hsm_operation
 * @fields: of the command, in the order of their tags, as on the wire
 * @hashed: those that were too long, each with the hash in place of its bytes; from hsm_approval_parse() alone
 */
struct hsm_approval {
	uint8_t board[16];
	uint8_t partition[HSM_PARTITION_ID_SIZE];
	uint8_t nonce[HSM_APPROVAL_NONCE_SIZE];
	bool has_nonce;
	unsigned int operation;
	struct hsm_fields fields;
	struct hsm_fields hashed;
};

/**
 * hsm_approval_build - the bytes to sign for a command
 * @approval: with the command's fields in any order. Approvals, the nonce's field and secrets (PINs, codes) are left out
 * @bytes: to be freed with free()
 *
 * Return: 0, -ENOMEM, or -EINVAL for an operation that needs no approvals.
 */
int hsm_approval_build(const struct hsm_approval *approval, uint8_t **bytes, size_t *length);

/**
 * hsm_pin_commitment - what is approved of a PIN: SHA-384 of the opening and the PIN
 * @opening: random and known to the PIN's holder alone: without it a commitment tells nothing, however short the PIN
 *
 * Return: 0 or -EIO.
 */
int hsm_pin_commitment(const uint8_t opening[HSM_PIN_OPENING_SIZE], const uint8_t *pin, size_t length,
		       uint8_t commitment[HSM_APPROVAL_ID_SIZE]);

/**
 * hsm_approval_parse - take such bytes apart
 * @approval: filled in; its fields point into *@kept
 * @kept: to be freed with free()
 *
 * Only what hsm_approval_build() gives is taken: building it anew gives the same bytes.
 * Return: 0, -EBADMSG, -ENOMEM.
 */
int hsm_approval_parse(const uint8_t *bytes, size_t length, struct hsm_approval *approval, uint8_t **kept);

/* ---- on the wire ---- */

/* Why an approval did not count */
enum hsm_verdict {
	HSM_VERDICT_GOOD = 0,
	HSM_VERDICT_FORM = 1,	/* no message of this kind */
	HSM_VERDICT_REQUEST = 2, /* signed another request */
	HSM_VERDICT_KEY = 3,	/* by nobody whose key the device knows */
	HSM_VERDICT_SIGNATURE = 4, /* the signature is wrong */
	HSM_VERDICT_TWICE = 5,	/* this officer's is there already */
	HSM_VERDICT_NONCE = 6,	/* the nonce is not one of the device's: used, expired, or from before a restart */
	HSM_VERDICTS
};

/* hsm_verdict_text - for people */
const char *hsm_verdict_text(unsigned int verdict);

#define HSM_QUORUM_OWNER	(1U << 0) /* the owner's consent is asked for as well */
#define HSM_QUORUM_OWNER_GIVEN	(1U << 1) /* and was there */

/*
 * struct hsm_quorum_status - field QUORUM: a list of these from OFFICER_LIST, or one with CKR_ACTION_PROHIBITED for want
 * of approvals, after which the verdict on each signature follows, 32 bits each
 * @needed: officers' approvals, @given: those that counted, or officers with a key in the list
 */
struct hsm_quorum_status {
	uint32_t action;
	uint32_t needed;
	uint32_t given;
	uint32_t flags;
};
_Static_assert(sizeof(struct hsm_quorum_status) == 16, "hsm_quorum_status");

#define HSM_OFFICER_FIRST	(1U << 2) /* the one who claimed the device: has no name */
#define HSM_OFFICER_KEY		(1U << 3) /* has a key */

/* struct hsm_officer_status - one of field OFFICERS; flags: also HSM_USER_LOCKED; role as in USER_ROLE */
struct hsm_officer_status {
	char name[64];
	uint32_t role;
	uint32_t flags;
	uint32_t failures;
	uint32_t reserved;
	uint8_t key[HSM_APPROVAL_ID_SIZE];
};
_Static_assert(sizeof(struct hsm_officer_status) == 128, "hsm_officer_status");

#endif /* HSM_APPROVAL_H */
