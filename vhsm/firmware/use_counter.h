/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often a key has been used, where CKA_HSM_USE_LIMIT says how often it may be.
 */
#ifndef FIRMWARE_USE_COUNTER_H
#define FIRMWARE_USE_COUNTER_H

#include "commands.h"

/**
 * uses_take - count one use of a key before it happens
 * @object: of a limited key or another; replaced by the one that stands for the key now
 *
 * No use is lost to a crash: the stored count is moved on, with some uses in reserve, before any of them is granted.
 * Return: CKR_OK, CKR_KEY_EXHAUSTED, CKR_KEY_HANDLE_INVALID when the key has gone meanwhile, or why it was not stored.
 */
CK_RV uses_take(struct command *command, struct object **object);

/* uses_count - uses so far, as CKA_HSM_USE_COUNT has it; false: the key has no limit */
bool uses_count(struct object *object, uint64_t *count);

/* uses_share - let @to count with @from: both stand for one key, the older and the newer, the sealed and the open */
void uses_share(struct object *from, struct object *to);
void uses_put(struct use_counter *uses);

/* uses_look_again - after OBJECT_STALE: the object that stands for the key now, in the place of @object */
CK_RV uses_look_again(struct command *command, struct object **object);

#endif /* FIRMWARE_USE_COUNTER_H */
