// SPDX-License-Identifier: Apache-2.0
/*
 * Values of attributes, and templates that are values of attributes: their form, and what the nested templates of
 * wrapping, unwrapping and base keys demand of other keys. PKCS#11 3.2, 4.8 and 5.18.
 */
#include <stdlib.h>
#include <string.h>
#include "attribute_table.h"

/* ---- values ---- */

bool value_same(const struct attribute *a, const struct attribute *b)
{
	return a && b && a->length == b->length && !memcmp(a->value, b->value, a->length);
}

bool value_valid(const struct rule *rule, const struct attribute *item)
{
	switch (rule->kind) {
	case KIND_BOOL:
		return item->length == 1 && *item->value <= 1;
	case KIND_ULONG:
		return item->length == 8;
	case KIND_DATE:
		return item->length == 0 || item->length == 8;
	case KIND_LIST:
		return item->length % 8 == 0;
	case KIND_TEMPLATE:
		return hsm_attributes_valid(item->value, item->length, NESTING);
	default:
		return true;
	}
}

static CK_RV nested_canonical(struct attributes *set, uint64_t type, const uint8_t *value,
			      size_t length, unsigned int depth);

/* Serialize a nested template, sorted, so that equal ones are equal as bytes */
static CK_RV nested_set(struct attributes *set, uint64_t type, const struct attributes *nested)
{
	const struct attribute *item = NULL;
	struct hsm_writer out;
	size_t room = 0;
	uint8_t *bytes;
	CK_RV rv;

	while ((item = attributes_next(nested, item)))
		room += sizeof(struct hsm_attribute_header) + item->length;
	bytes = malloc(room + 1);
	if (!bytes)
		return CKR_HOST_MEMORY;
	hsm_writer_init(&out, bytes, room);
	while ((item = attributes_next(nested, item)))
		hsm_put_attribute(&out, item->type, 0, item->value, item->length);
	rv = out.error ? CKR_GENERAL_ERROR : attributes_set(set, type, bytes, out.length);
	free(bytes);
	return rv;
}

static CK_RV nested_sort(struct attributes *nested, unsigned int depth)
{
	const struct attribute *item = NULL;
	CK_RV rv = CKR_OK;
	uint32_t type;

	while (rv == CKR_OK && (item = attributes_next(nested, item))) {
		type = item->type;
		if (!hsm_attribute_is_template(type))
			continue;
		rv = nested_canonical(nested, type, item->value, item->length, depth);
		item = attributes_find(nested, type);
	}
	return rv;
}

static CK_RV nested_canonical(struct attributes *set, uint64_t type, const uint8_t *value,
			      size_t length, unsigned int depth)
{
	struct attributes nested = { 0 };
	CK_RV rv;

	if (!depth)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	rv = attributes_parse(&nested, value, length);
	if (rv == CKR_OK)
		rv = nested_sort(&nested, depth - 1);
	if (rv == CKR_OK)
		rv = nested_set(set, type, &nested);
	attributes_free(&nested);
	return rv;
}

CK_RV value_store(struct attributes *object, const struct rule *rule, const struct attribute *item)
{
	if (!value_valid(rule, item))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	if (rule->kind == KIND_TEMPLATE)
		return nested_canonical(object, item->type, item->value, item->length, NESTING);
	return attributes_set(object, item->type, item->value, item->length);
}

/* ---- nested templates of wrapping, unwrapping and base keys ---- */

/* A caller's template, before it is settled: its nested templates may be in another order. */
static CK_RV canonical_copy(const struct attributes *from, uint64_t type, struct attributes *to)
{
	const struct attribute *item = attributes_find(from, type);

	if (!item)
		return CKR_OK;
	if (!hsm_attribute_is_template(type))
		return attributes_set(to, type, item->value, item->length);
	return nested_canonical(to, type, item->value, item->length, NESTING);
}

static CK_RV merge_one(const struct attribute *demand, struct attributes *template)
{
	struct attributes given = { 0 };
	CK_RV rv = canonical_copy(template, demand->type, &given);

	if (rv == CKR_OK && given.size && !value_same(attributes_next(&given, NULL), demand))
		rv = CKR_TEMPLATE_INCONSISTENT;
	if (rv == CKR_OK && !given.size)
		rv = attributes_set(template, demand->type, demand->value, demand->length);
	attributes_free(&given);
	return rv;
}

CK_RV template_merge(const struct attributes *object, uint64_t type, struct attributes *template)
{
	const struct attribute *nested = attributes_find(object, type), *demand = NULL;
	struct attributes demands = { 0 };
	CK_RV rv = CKR_OK;

	if (!nested)
		return CKR_OK;
	rv = attributes_parse(&demands, nested->value, nested->length);
	while (rv == CKR_OK && (demand = attributes_next(&demands, demand)))
		rv = merge_one(demand, template);
	attributes_free(&demands);
	return rv;
}

bool template_satisfied(const struct attributes *object, uint64_t type,
			const struct attributes *key)
{
	const struct attribute *nested = attributes_find(object, type), *demand = NULL;
	struct attributes demands = { 0 };
	bool ok = true;

	if (!nested)
		return true;
	ok = attributes_parse(&demands, nested->value, nested->length) == CKR_OK;
	while (ok && (demand = attributes_next(&demands, demand)))
		ok = value_same(demand, attributes_find(key, demand->type)) &&
		     !attribute_is_secret(key, demand->type);
	attributes_free(&demands);
	return ok;
}
