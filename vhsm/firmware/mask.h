/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Masked keys: a session key sealed under a key of its partition, to be kept anywhere and loaded again, as it was. The
 * device keeps none of them, so their number has no bound; it keeps the ids of those that were destroyed. That list has
 * a bound: when it is full a new epoch begins, in which the surviving ones are masked again, and the old ones and their
 * list are forgotten. Documentation/policy.rst, "Masked keys".
 */
#ifndef FIRMWARE_MASK_H
#define FIRMWARE_MASK_H

#include "commands.h"
#include "header.h"

/**
 * struct masked - a masked key, opened
 * @epoch: in which it was masked
 * @id: CKA_HSM_MASK_ID
 * @attributes: all of the key's; mask_free() afterwards
 */
struct masked {
	uint64_t epoch;
	uint64_t id;
	struct attributes attributes;
};

#define MASK_OVERHEAD (24 + AEAD_OVERHEAD)

/**
 * mask_seal - seal a key in the partition's epoch
 * @set: attributes, with CKA_HSM_MASK_ID
 * @out: room for @room bytes, *@length is set
 *
 * A private key needs a user's login in the partition: what seals it comes out of a PIN, so that neither a copy of the
 * state nor the board opens it. Return: CKR_OK, CKR_USER_NOT_LOGGED_IN, CKR_DEVICE_MEMORY, CKR_FUNCTION_FAILED.
 */
CK_RV mask_seal(struct partition *partition, const struct attributes *set, uint8_t *out,
		size_t room, size_t *length);

/**
 * mask_open - open a masked key of this epoch or, while its grace stands, of the one before
 *
 * Return: CKR_OK, CKR_WRAPPED_KEY_INVALID (not of this partition, changed, too old, or revoked: one answer for all),
 * CKR_USER_NOT_LOGGED_IN, CKR_HOST_MEMORY.
 */
CK_RV mask_open(struct partition *partition, const uint8_t *in, size_t length,
		struct masked *masked);
void mask_free(struct masked *masked);

/* mask_is_revoked - is the id on a list of this or the last epoch? Takes partition.lock. */
bool mask_is_revoked(struct partition *partition, uint64_t id);

/* mask_revoke - put an id on the list, beginning a new epoch when it is full */
void mask_revoke(struct mask_state *masks, uint64_t id);

/* mask_void - the state after C_InitToken: everything that was masked before is refused */
void mask_void(const struct mask_state *before, struct mask_state *after);

/* Section of the header */
void mask_put_state(struct header_cursor *cursor, const struct partition *partition,
		    const struct partition_state *state);
void mask_get_state(struct header_cursor *cursor, struct partition *partition,
		    struct partition_state *state);

#endif /* FIRMWARE_MASK_H */
