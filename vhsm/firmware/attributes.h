/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of attributes, as objects and templates have it: sorted by type, values owned and wiped when freed.
 * Values are as on the wire: CK_ULONG 64 bits little-endian, CK_BBOOL one byte.
 *
 * A set is one piece of memory, one attribute after the other, so that an object at rest costs little more than its
 * values, and is stored as it lies there. A pointer to an attribute is good until the set changes.
 */
#ifndef FIRMWARE_ATTRIBUTES_H
#define FIRMWARE_ATTRIBUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hsm/pkcs11.h>
#include <hsm/wire.h>

/* One attribute in its set. PKCS#11 has no type above 32 bits, and no field on the wire holds 64 KiB of value. */
struct attribute {
	uint32_t type;
	uint16_t length;
	uint8_t value[];
} __attribute__((packed));

/**
 * struct attributes - the set
 * @data: struct attribute, one behind the other, ascending by type
 * @size: bytes of @data in use; 0: the set is empty
 * @room: bytes of @data
 */
struct attributes {
	uint8_t *data;
	uint32_t size;
	uint32_t room;
};

/* attributes_find - the attribute of this type, or NULL */
const struct attribute *attributes_find(const struct attributes *set, uint64_t type);

/* attributes_next - the attribute behind @item, the first one behind NULL; NULL: the end */
const struct attribute *attributes_next(const struct attributes *set, const struct attribute *item);

/* attributes_ulong, attributes_bool - value, or @absent when it is not there or has another size */
uint64_t attributes_ulong(const struct attributes *set, uint64_t type, uint64_t absent);
bool attributes_bool(const struct attributes *set, uint64_t type, bool absent);

/**
 * attributes_set - add or replace; the value is copied, a replaced one wiped
 * @value: may lie in the set itself
 *
 * A value that takes the place of one of the same length moves nothing.
 * Return: CKR_OK, CKR_HOST_MEMORY, CKR_ATTRIBUTE_TYPE_INVALID, CKR_ATTRIBUTE_VALUE_INVALID.
 */
CK_RV attributes_set(struct attributes *set, uint64_t type, const void *value, size_t length);
CK_RV attributes_set_ulong(struct attributes *set, uint64_t type, uint64_t value);
CK_RV attributes_set_bool(struct attributes *set, uint64_t type, bool value);

/* attributes_remove - remove and wipe, if it is there */
void attributes_remove(struct attributes *set, uint64_t type);

/* attributes_parse - from a checked ATTRIBUTES field; a type that comes twice is CKR_TEMPLATE_INCONSISTENT */
CK_RV attributes_parse(struct attributes *set, const uint8_t *data, size_t length);

/* attributes_copy - add copies of all of @from to @set */
CK_RV attributes_copy(struct attributes *set, const struct attributes *from);

/* attributes_trim - give back the room that a finished set does not need, but for @spare bytes */
void attributes_trim(struct attributes *set, uint32_t spare);

/**
 * attributes_load - a set from bytes that were another's @data
 *
 * Return: CKR_OK, CKR_HOST_MEMORY, or CKR_GENERAL_ERROR when the bytes are no such set.
 */
CK_RV attributes_load(struct attributes *set, const uint8_t *data, size_t size);

/**
 * attributes_adopt - likewise, into memory that becomes the set's
 * @set: empty
 * @block: @room bytes by OPENSSL_malloc(), not less than @size; it stays the caller's unless the answer is CKR_OK
 */
CK_RV attributes_adopt(struct attributes *set, uint8_t *block, size_t room, const uint8_t *data,
		       size_t size);

/* attributes_free - wipe and free all values; the set is empty then */
void attributes_free(struct attributes *set);

#endif /* FIRMWARE_ATTRIBUTES_H */
