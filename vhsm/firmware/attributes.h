/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of attributes, as objects and templates have it: sorted by type, values owned and wiped when freed.
 * Values are as on the wire: CK_ULONG 64 bits little-endian, CK_BBOOL one byte.
 */
#ifndef FIRMWARE_ATTRIBUTES_H
#define FIRMWARE_ATTRIBUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hsm/pkcs11.h>
#include <hsm/wire.h>

struct attribute {
	uint64_t type;
	uint32_t length;
	uint8_t *value;
};

struct attributes {
	struct attribute *item;
	uint32_t count;
	uint32_t room;
};

/* attributes_find - the attribute of this type, or NULL */
const struct attribute *attributes_find(const struct attributes *set, uint64_t type);

/* attributes_ulong, attributes_bool - value, or @absent when it is not there or has another size */
uint64_t attributes_ulong(const struct attributes *set, uint64_t type, uint64_t absent);
bool attributes_bool(const struct attributes *set, uint64_t type, bool absent);

/* attributes_set - add or replace; the value is copied, a replaced one wiped. Return: CKR_OK or CKR_HOST_MEMORY. */
CK_RV attributes_set(struct attributes *set, uint64_t type, const void *value, size_t length);
CK_RV attributes_set_ulong(struct attributes *set, uint64_t type, uint64_t value);
CK_RV attributes_set_bool(struct attributes *set, uint64_t type, bool value);

/* attributes_remove - remove and wipe, if it is there */
void attributes_remove(struct attributes *set, uint64_t type);

/* attributes_parse - from a checked ATTRIBUTES field; a type that comes twice is CKR_TEMPLATE_INCONSISTENT */
CK_RV attributes_parse(struct attributes *set, const uint8_t *data, size_t length);

/* attributes_copy - add copies of all of @from to @set */
CK_RV attributes_copy(struct attributes *set, const struct attributes *from);

/* attributes_free - wipe and free all values; the set is empty then */
void attributes_free(struct attributes *set);

#endif /* FIRMWARE_ATTRIBUTES_H */
