/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that come from other keys: what key_commands.c (generate, wrap, unwrap, encapsulate) and derive_commands.c share.
 */
#ifndef FIRMWARE_KEY_MAKING_H
#define FIRMWARE_KEY_MAKING_H

#include "key_use.h"

/**
 * struct making - a new key in the making, from a base key
 * @use: TEMPLATE_UNWRAP or TEMPLATE_DERIVE
 * @base: with a reference, and its key
 * @template: the caller's, with what the base key's nested template demands
 * @object: the key to be
 */
struct making {
	enum template_use use;
	struct mechanism mechanism;
	struct object *base;
	struct key *key;
	struct attributes template;
	struct attributes object;
};

/**
 * making_begin - take mechanism, base key and template from the command
 * @tag: field with the base key's handle
 * @can: CKF_ that the mechanism must have, @attribute: CKA_ that the base key must have
 * @nested: CKA_ of the base key's template for what is made with it
 *
 * making_free() afterwards, in any case.
 */
CK_RV making_begin(struct command *command, struct making *making, enum hsm_field_tag tag, uint64_t can, uint64_t attribute,
		   uint64_t nested);
void making_free(struct making *making);

/* key_settle - template_settle(), and whether this session may make such an object */
CK_RV key_settle(const struct command *command, enum template_use use, uint64_t class, uint64_t key_type,
		 const struct attributes *template, struct attributes *object);

/* key_hidden - has nobody read the key? */
bool key_hidden(const struct attributes *key);

#endif /* FIRMWARE_KEY_MAKING_H */
