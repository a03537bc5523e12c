/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which key may be used with which mechanism for what: the checks that every handler of keys
 * makes, in one place.
 */
#ifndef FIRMWARE_KEY_USE_H
#define FIRMWARE_KEY_USE_H

#include "commands.h"

/**
 * mechanism_take - the mechanism that the command names
 * @can: CKF_ flag of CK_MECHANISM_INFO that it must have
 * @mechanism: filled in; mechanism_drop() afterwards, in any case
 *
 * Return: CKR_OK, CKR_MECHANISM_INVALID, CKR_KEY_HANDLE_INVALID (of the salt key).
 */
CK_RV mechanism_take(struct command *command, uint64_t can, struct mechanism *mechanism);
void mechanism_drop(struct mechanism *mechanism);

/**
 * key_use_find - a key that may be used
 * @tag: field with the handle
 * @attribute: CKA_ENCRYPT and so on: the use; 0: none is asked for
 * @object: set to a reference on success
 *
 * With a use, one of the key's uses is taken: call it once for each operation that starts.
 * Return: CKR_OK, CKR_KEY_HANDLE_INVALID, CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_MECHANISM_INVALID
 * (CKA_ALLOWED_MECHANISMS), CKR_KEY_EXHAUSTED.
 */
CK_RV key_use_find(struct command *command, enum hsm_field_tag tag, uint64_t attribute,
		   const struct mechanism *mechanism, struct object **object);

/* key_use_allows - is the mechanism among the key's CKA_ALLOWED_MECHANISMS, if it has any? */
bool key_use_allows(const struct attributes *key, uint64_t mechanism);

/* command_public_key - DERIVE with CKM_PUB_KEY_FROM_PRIV_KEY (public_key.c) */
CK_RV command_public_key(struct command *command);

/* otp_counter_take - for one-time passwords: take the key's counter for @mechanism, and move it on (otp_counter.c) */
CK_RV otp_counter_take(struct command *command, struct mechanism *mechanism, struct object **object);

#endif /* FIRMWARE_KEY_USE_H */
