/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the device partition keeps about its officers beside their PINs, which are those of its named users (users.h):
 * public keys, quorums, and the nonces that approvals are bound to.
 */
#ifndef FIRMWARE_OFFICERS_H
#define FIRMWARE_OFFICERS_H

#include <hsm/approval.h>
#include "users.h"

#define OFFICERS_MAX	   16 /* with a key, the first one among them */
#define OFFICER_NONCES_MAX 16 /* that wait for approvals */

/**
 * struct officer_key - the key with which an officer approves
 * @account: CKU_SO is the first officer, who has no name
 * @id: SHA-384 of @key
 * @key: DER SubjectPublicKeyInfo
 */
struct officer_key {
	uint32_t account;
	uint32_t length;
	uint8_t id[HSM_APPROVAL_ID_SIZE];
	uint8_t key[HSM_APPROVAL_KEY_MAX];
};

/* struct officer_nonce - @expires by clock_now() */
struct officer_nonce {
	uint8_t value[HSM_APPROVAL_NONCE_SIZE];
	uint64_t expires;
};

/**
 * struct officer_table - never changed in place; a change is a copy that a commit puts in its stead
 * @quorum: approvals that a class of actions needs, by enum hsm_action
 */
struct officer_table {
	uint32_t quorum[HSM_ACTIONS];
	uint32_t nonces;
	struct officer_nonce nonce[OFFICER_NONCES_MAX];
	uint32_t count;
	struct officer_key key[OFFICERS_MAX];
};

/* officers_copy - a copy to be changed; NULL: out of memory. @table may be NULL. */
struct officer_table *officers_copy(const struct officer_table *table);
void officers_free(struct officer_table *table);

/**
 * officers_commit - commit a state whose tables of users and officers may be others
 * @next: tables that are not the partition's own are taken over, also on failure
 *
 * The caller holds commit_lock. No older copy outlives it. Return: as store_commit().
 */
CK_RV officers_commit(struct partition *partition, struct partition_state *next);

/* officers_drop - free the tables of a state that is not committed after all */
void officers_drop(const struct partition *partition, struct partition_state *next);

/* officers_needed - approvals for an action: its quorum; for ROLES the largest of all. @table may be NULL. */
uint32_t officers_needed(const struct officer_table *table, enum hsm_action action);

/* officers_enough - are there as many keys as the largest quorum asks for? */
bool officers_enough(const struct officer_table *table);

const struct officer_key *officer_key_of(const struct officer_table *table, uint32_t account);
const struct officer_key *officer_key_by_id(const struct officer_table *table, const uint8_t *id, size_t length);

/* officer_set_key - @length 0: take it away. Return: CKR_OK, CKR_ARGUMENTS_BAD (no key to sign with, or another's), CKR_DEVICE_MEMORY. */
CK_RV officer_set_key(struct officer_table *table, uint32_t account, const uint8_t *key, size_t length);

/* officer_public_key - the key as libcrypto has it, NULL: it is none that COSE signs with here */
EVP_PKEY *officer_public_key(const uint8_t *key, size_t length);

/* officer_key_id - SHA-384. Return: 0 or -EIO. */
int officer_key_id(const uint8_t *key, size_t length, uint8_t id[HSM_APPROVAL_ID_SIZE]);

/* officer_add_nonce - those that have expired go, and the oldest if there is no room. Return: 0 or -EIO. */
int officer_add_nonce(struct officer_table *table, uint8_t nonce[HSM_APPROVAL_NONCE_SIZE]);

/* officer_has_nonce - is it there, and has it not expired? officer_take_nonce - the same, and it is used up. */
bool officer_has_nonce(const struct officer_table *table, const uint8_t *nonce, size_t length);
bool officer_take_nonce(struct officer_table *table, const uint8_t *nonce, size_t length);

/* officers_write, officers_read - the header's section */
void officers_write(struct header_cursor *cursor, const struct partition *partition,
		    const struct partition_state *state);
void officers_read(struct header_cursor *cursor, struct partition *partition, struct partition_state *state);

#endif /* FIRMWARE_OFFICERS_H */
