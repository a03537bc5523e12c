// SPDX-License-Identifier: Apache-2.0
/*
 * Sets of attributes: what an object consists of, and what a template asks for. Sorted by type, so
 * that a set can be searched by halves and compared in one pass.
 */
#include <openssl/crypto.h>
#include <string.h>
#include "attributes.h"

#define ROOM_FIRST 16

/* Index of the first attribute whose type is not below @type */
static uint32_t lower_bound(const struct attributes *set, uint64_t type)
{
	uint32_t low = 0, high = set->count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (set->item[middle].type < type)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct attribute *attributes_find(const struct attributes *set, uint64_t type)
{
	uint32_t i = lower_bound(set, type);

	return i < set->count && set->item[i].type == type ? &set->item[i] : NULL;
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

static bool grow(struct attributes *set)
{
	uint32_t room = set->room ? set->room * 2 : ROOM_FIRST;
	struct attribute *item;

	item = OPENSSL_realloc(set->item, room * sizeof(*item));
	if (!item)
		return false;
	set->item = item;
	set->room = room;
	return true;
}

CK_RV attributes_set(struct attributes *set, uint64_t type, const void *value, size_t length)
{
	uint32_t i = lower_bound(set, type);
	uint8_t *copy;

	if (length >= HSM_ATTRIBUTE_UNAVAILABLE)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	/* One byte more, so that an empty value is still a value. */
	copy = OPENSSL_malloc(length + 1);
	if (!copy)
		return CKR_HOST_MEMORY;
	if (length)
		memcpy(copy, value, length);
	if (i < set->count && set->item[i].type == type) {
		OPENSSL_clear_free(set->item[i].value, set->item[i].length);
	} else {
		if (set->count == set->room && !grow(set)) {
			OPENSSL_clear_free(copy, length);
			return CKR_HOST_MEMORY;
		}
		memmove(&set->item[i + 1], &set->item[i], (set->count - i) * sizeof(*set->item));
		set->count++;
	}
	set->item[i] = (struct attribute){ .type = type, .length = length, .value = copy };
	return CKR_OK;
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
	uint32_t i = lower_bound(set, type);

	if (i == set->count || set->item[i].type != type)
		return;
	OPENSSL_clear_free(set->item[i].value, set->item[i].length);
	set->count--;
	memmove(&set->item[i], &set->item[i + 1], (set->count - i) * sizeof(*set->item));
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
	CK_RV rv = CKR_OK;
	uint32_t i;

	for (i = 0; i < from->count && rv == CKR_OK; i++)
		rv = attributes_set(set, from->item[i].type, from->item[i].value,
				    from->item[i].length);
	return rv;
}

void attributes_free(struct attributes *set)
{
	uint32_t i;

	for (i = 0; i < set->count; i++)
		OPENSSL_clear_free(set->item[i].value, set->item[i].length);
	OPENSSL_free(set->item);
	*set = (struct attributes){ 0 };
}
