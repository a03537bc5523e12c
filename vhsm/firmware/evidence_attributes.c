// SPDX-License-Identifier: Apache-2.0
/*
 * A key's attributes in evidence: each by its number, with its value as CBOR has such values, and
 * never one whose row in the table says that it is key material, whoever may read it.
 */
#include <stdlib.h>
#include "attribute_table.h"
#include "evidence.h"

#define TYPES_MAX 256 /* as the claim's most */

/* Kind of an attribute's value: the same in all classes. NULL: not in the table */
static const struct rule *any_rule(uint64_t type)
{
	const struct rule *rule;
	size_t i;

	for (i = 0; (rule = rule_at(i)); i++)
		if (rule->type == type)
			return rule;
	return NULL;
}

/* Inside a template nothing says whose attribute it is: material of any class stays out. */
static bool any_secret(uint64_t type)
{
	const struct rule *rule;
	size_t i;

	for (i = 0; (rule = rule_at(i)); i++)
		if (rule->type == type && (rule->flags & F_SECRET))
			return true;
	return false;
}

static cbor_item_t *list_item(const uint8_t *value, size_t length)
{
	cbor_item_t *array = cbor_new_definite_array(length / 8);

	for (size_t i = 0; array && i < length / 8; i++) {
		if (hsm_cbor_push(array, hsm_cbor_uint(hsm_get_le64(value + 8 * i))))
			continue;
		cbor_decref(&array);
		return NULL;
	}
	return array;
}

static cbor_item_t *value_item(uint64_t type, const uint8_t *value, size_t length,
			       unsigned int depth);

static bool put_nested(cbor_item_t *map, const uint8_t *value, size_t length, unsigned int depth)
{
	const uint8_t *end = value + length;
	struct hsm_attribute_view view;

	while (hsm_attributes_next(&value, end, &view)) {
		if (any_secret(view.type))
			continue;
		if (!hsm_cbor_put(map, (int64_t)view.type,
				  value_item(view.type, view.value, view.value ? view.length : 0,
					     depth)))
			return false;
	}
	return true;
}

/* Stored in the order of their numbers (value_store()), which is that of the map */
static cbor_item_t *template_item(const uint8_t *value, size_t length, unsigned int depth)
{
	const uint8_t *cursor = value, *end = value + length;
	struct hsm_attribute_view view;
	cbor_item_t *map;
	size_t count = 0;

	while (hsm_attributes_next(&cursor, end, &view))
		count += !any_secret(view.type);
	map = cbor_new_definite_map(count);
	if (map && !put_nested(map, value, length, depth)) {
		cbor_decref(&map);
		return NULL;
	}
	return map;
}

/* Values were checked by kind when they were set; one that is not as its kind has it is shown as bytes. */
static cbor_item_t *value_item(uint64_t type, const uint8_t *value, size_t length,
			       unsigned int depth)
{
	const struct rule *rule = any_rule(type);
	unsigned int kind = rule ? rule->kind : KIND_BYTES;

	if (kind == KIND_BOOL && length == 1)
		return cbor_build_bool(*value);
	if (kind == KIND_ULONG && length == 8)
		return hsm_cbor_uint(hsm_get_le64(value));
	if (kind == KIND_LIST)
		return list_item(value, length);
	if (kind == KIND_TEMPLATE && depth)
		return template_item(value, length, depth - 1);
	return cbor_build_bytestring(length ? value : (const uint8_t *)"", length);
}

static int by_number(const void *a, const void *b)
{
	uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

	return one < other ? -1 : one > other;
}

/* Numbers of the attributes that are shown, ascending: those that are stored and those that are only answered */
static size_t shown(struct object *object, uint64_t types[TYPES_MAX])
{
	const struct attributes *set = &object->attributes;
	const struct attribute *item = NULL;
	const struct rule *rule;
	size_t count = 0, i;

	while ((item = attributes_next(set, item)) && count < TYPES_MAX) {
		rule = rule_of(set, item->type);
		if (rule && !(rule->flags & F_SECRET))
			types[count++] = item->type;
	}
	for (i = 0; (rule = rule_at(i)) && count < TYPES_MAX; i++)
		if ((rule->flags & F_VIRTUAL) && attribute_virtual(set, rule->type) &&
		    !attributes_find(set, rule->type))
			types[count++] = rule->type;
	qsort(types, count, sizeof(types[0]), by_number);
	return count;
}

cbor_item_t *evidence_attributes(struct object *object)
{
	uint64_t types[TYPES_MAX], number;
	size_t count = shown(object, types), length;
	cbor_item_t *map = cbor_new_definite_map(count);
	const uint8_t *value;

	for (size_t i = 0; map && i < count; i++) {
		value = attribute_value(object, types[i], &number, &length);
		if (value && hsm_cbor_put(map, (int64_t)types[i],
					  value_item(types[i], value, length, NESTING)))
			continue;
		cbor_decref(&map);
		return NULL;
	}
	return map;
}
