// SPDX-License-Identifier: Apache-2.0
/*
 * Sets of attributes: what an object consists of, and what a template asks for. Sorted by type and
 * without gaps, so that a set can be searched, compared and stored in one pass.
 */
#include <openssl/crypto.h>
#include <string.h>
#include "attributes.h"

#define ROOM_FIRST 256U
#define SIZE_MOST  (16U << 20) /* far above what a command can carry; sums stay within 32 bits */

/* Bytes that an attribute with a value of this length takes */
static uint32_t space_of(uint32_t length)
{
	return sizeof(struct attribute) + length;
}

static struct attribute *at(const struct attributes *set, uint32_t offset)
{
	return (struct attribute *)(set->data + offset);
}

/* Offset of the first attribute whose type is not below @type */
static uint32_t lower_bound(const struct attributes *set, uint64_t type)
{
	uint32_t offset = 0;

	while (offset < set->size && at(set, offset)->type < type)
		offset += space_of(at(set, offset)->length);
	return offset;
}

const struct attribute *attributes_find(const struct attributes *set, uint64_t type)
{
	uint32_t offset = lower_bound(set, type);

	return offset < set->size && at(set, offset)->type == type ? at(set, offset) : NULL;
}

const struct attribute *attributes_next(const struct attributes *set, const struct attribute *item)
{
	uint32_t offset = 0;

	if (item)
		offset = (const uint8_t *)item - set->data + space_of(item->length);
	return offset < set->size ? at(set, offset) : NULL;
}

uint64_t attributes_ulong(const struct attributes *set, uint64_t type, uint64_t absent)
{
	const struct attribute *item = attributes_find(set, type);

	return item && item->length == 8 ? hsm_get_le64(item->value) : absent;
}

bool attributes_bool(const struct attributes *set, uint64_t type, bool absent)
{
	const struct attribute *item = attributes_find(set, type);

	return item && item->length == 1 ? *item->value != 0 : absent;
}

/*
 * Make the attribute at @offset, which takes @old bytes (0: there is none), one that takes @space. What follows moves;
 * what it leaves is wiped.
 */
static bool make_space(struct attributes *set, uint32_t offset, uint32_t old, uint32_t space)
{
	uint32_t size = set->size - old + space, room = set->room ? set->room : ROOM_FIRST;
	uint8_t *data;

	while (room < size)
		room *= 2;
	if (room != set->room) {
		data = OPENSSL_clear_realloc(set->data, set->room, room);
		if (!data)
			return false;
		set->data = data;
		set->room = room;
	}
	memmove(set->data + offset + space, set->data + offset + old, set->size - offset - old);
	if (size < set->size)
		OPENSSL_cleanse(set->data + size, set->size - size);
	set->size = size;
	return true;
}

static bool lies_in(const struct attributes *set, const void *value)
{
	return set->data && (const uint8_t *)value >= set->data &&
	       (const uint8_t *)value < set->data + set->size;
}

static CK_RV put(struct attributes *set, uint32_t type, const void *value, uint32_t length)
{
	uint32_t offset = lower_bound(set, type), space = space_of(length), old = 0;
	struct attribute *item;

	if (offset < set->size && at(set, offset)->type == type)
		old = space_of(at(set, offset)->length);
	if (set->size - old > SIZE_MOST - space)
		return CKR_HOST_MEMORY;
	if (space != old && !make_space(set, offset, old, space))
		return CKR_HOST_MEMORY;
	item = at(set, offset);
	if (length)
		memmove(item->value, value, length);
	item->type = type;
	item->length = length;
	return CKR_OK;
}

CK_RV attributes_set(struct attributes *set, uint64_t type, const void *value, size_t length)
{
	const struct attribute *now;
	uint8_t *copy;
	CK_RV rv;

	if (type > UINT32_MAX)
		return CKR_ATTRIBUTE_TYPE_INVALID;
	if (length > UINT16_MAX)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	if (!length || !lies_in(set, value))
		return put(set, type, value, length);
	now = attributes_find(set, type);
	if (now && now->value == value && now->length == length)
		return CKR_OK;
	copy = OPENSSL_memdup(value, length);
	if (!copy)
		return CKR_HOST_MEMORY;
	rv = put(set, type, copy, length);
	OPENSSL_clear_free(copy, length);
	return rv;
}

CK_RV attributes_set_ulong(struct attributes *set, uint64_t type, uint64_t value)
{
	value = htole64(value);
	return attributes_set(set, type, &value, sizeof(value));
}

CK_RV attributes_set_bool(struct attributes *set, uint64_t type, bool value)
{
	uint8_t byte = value ? CK_TRUE : CK_FALSE;

	return attributes_set(set, type, &byte, 1);
}

void attributes_remove(struct attributes *set, uint64_t type)
{
	uint32_t offset = lower_bound(set, type);

	if (offset == set->size || at(set, offset)->type != type)
		return;
	make_space(set, offset, space_of(at(set, offset)->length), 0);
}

CK_RV attributes_parse(struct attributes *set, const uint8_t *data, size_t length)
{
	const uint8_t *end = data + length;
	struct hsm_attribute_view view;
	CK_RV rv;

	while (hsm_attributes_next(&data, end, &view)) {
		if (!view.value || view.status)
			return CKR_ATTRIBUTE_VALUE_INVALID;
		if (attributes_find(set, view.type))
			return CKR_TEMPLATE_INCONSISTENT;
		rv = attributes_set(set, view.type, view.value, view.length);
		if (rv != CKR_OK)
			return rv;
	}
	return CKR_OK;
}

CK_RV attributes_copy(struct attributes *set, const struct attributes *from)
{
	const struct attribute *item = NULL;
	CK_RV rv = CKR_OK;

	if (!set->size && from->size)
		return attributes_load(set, from->data, from->size);
	while (rv == CKR_OK && (item = attributes_next(from, item)))
		rv = attributes_set(set, item->type, item->value, item->length);
	return rv;
}

void attributes_trim(struct attributes *set, uint32_t spare)
{
	uint8_t *data;

	if (!set->size || set->room == set->size + spare)
		return;
	data = OPENSSL_malloc(set->size + spare);
	if (!data)
		return;
	memcpy(data, set->data, set->size);
	OPENSSL_clear_free(set->data, set->room);
	set->data = data;
	set->room = set->size + spare;
}

/* Do the bytes follow the rules of a set? */
static bool well_formed(const uint8_t *data, size_t size)
{
	struct attribute item;
	int64_t before = -1;

	if (size > SIZE_MOST)
		return false;
	while (size) {
		if (size < sizeof(item))
			return false;
		memcpy(&item, data, sizeof(item));
		if (item.type <= before || item.length > size - sizeof(item))
			return false;
		before = item.type;
		data += space_of(item.length);
		size -= space_of(item.length);
	}
	return true;
}

CK_RV attributes_load(struct attributes *set, const uint8_t *data, size_t size)
{
	struct attributes loaded = { .size = size, .room = size };

	if (!well_formed(data, size))
		return CKR_GENERAL_ERROR;
	loaded.data = size ? OPENSSL_memdup(data, size) : NULL;
	if (size && !loaded.data)
		return CKR_HOST_MEMORY;
	attributes_free(set);
	*set = loaded;
	return CKR_OK;
}

CK_RV attributes_adopt(struct attributes *set, uint8_t *block, size_t room, const uint8_t *data,
		       size_t size)
{
	if (size > room || !well_formed(data, size))
		return CKR_GENERAL_ERROR;
	memcpy(block, data, size);
	OPENSSL_cleanse(block + size, room - size);
	*set = (struct attributes){ .data = block, .size = size, .room = room };
	return CKR_OK;
}

void attributes_free(struct attributes *set)
{
	OPENSSL_clear_free(set->data, set->room);
	*set = (struct attributes){ 0 };
}
