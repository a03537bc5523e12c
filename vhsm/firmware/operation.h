/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Active operations of a session: what the handlers of ciphers, digests, signatures, messages and
 * saved states have in common.
 */
#ifndef FIRMWARE_OPERATION_H
#define FIRMWARE_OPERATION_H

#include "key_use.h"

/* operation_of - the slot that the command's row names, active or not */
static inline struct operation *operation_of(struct command *command)
{
	return &command->session->operation[command->use];
}

/**
 * operation_begin - start the command's use with a mechanism and the key of @object
 *
 * Return: CKR_OK, or as mech_begin(); the slot is then empty.
 */
CK_RV operation_begin(struct command *command, const struct mechanism *mechanism,
		      struct object *object);

/**
 * operation_ready - the active operation, ready to go on
 * @slow: its end is at hand, which may take longer
 *
 * Return: CKR_OK, CKR_OPERATION_NOT_INITIALIZED, CKR_USER_NOT_LOGGED_IN (CKA_ALWAYS_AUTHENTICATE; the
 * operation has ended), CKR_FUNCTION_CANCELED.
 */
CK_RV operation_ready(struct command *command, bool slow, struct operation **operation);

/* operation_slow - raise the time class when a private key is at work */
CK_RV operation_slow(struct command *command, const struct mech_operation *mech);

/* operation_room - room for output: what the caller has, and what the response has beside other fields */
size_t operation_room(const struct command *command);

/* operation_asked - does the caller only ask for the length? NEEDED is then set to @size. */
bool operation_asked(struct command *command, size_t size);

/* operation_multi_part - the operation has taken @data; it counts the part and remembers it for a saved state */
void operation_multi_part(struct operation *operation, const uint8_t *data, size_t length);

/* operation_rest - the next piece of what was too long for one response, and in NEEDED what is left then */
CK_RV operation_rest(struct command *command, struct operation *operation);

/* parameters_copy - a copy of the parameter fields of a command, to be parsed again. NULL: out of memory. */
uint8_t *parameters_copy(const struct hsm_fields *fields, size_t *length);

#endif /* FIRMWARE_OPERATION_H */
