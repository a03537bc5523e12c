/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects that a token has by itself: what it says of its profiles, mechanisms, counter and clock. They stand in no index
 * and take no memory: each is made when it is asked for, from its handle.
 */
#ifndef FIRMWARE_BUILTIN_OBJECTS_H
#define FIRMWARE_BUILTIN_OBJECTS_H

#include "commands.h"

#define CLOCK_TEXT_SIZE 16 /* YYYYMMDDhhmmss00 */

/* builtin_make - a reference to the object of a handle, NULL: there is none. Not under partition.lock. */
struct object *builtin_make(struct partition *partition, uint64_t handle);

/**
 * builtin_match - the built-in objects that match a template, behind the @count handles of a search
 * @handles: may move; freed by the caller with OPENSSL_free()
 *
 * Mechanisms and hardware features are found by those alone who name the class.
 */
CK_RV builtin_match(struct partition *partition, const struct attributes *template,
		    uint64_t **handles, size_t *count);

/* clock_text - the board's time, UTC, without a terminating zero */
void clock_text(char text[CLOCK_TEXT_SIZE]);

#endif /* FIRMWARE_BUILTIN_OBJECTS_H */
