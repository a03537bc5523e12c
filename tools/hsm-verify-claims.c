// SPDX-License-Identifier: Apache-2.0
/*
 * Evidence as JSON: numbers by their names where they have some, a policy as hsmctl shows it, and
 * attributes by theirs.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <hsm/mechanisms.h>
#include "hsm-verify-claims.h"

/* ---- attributes ---- */

static struct json_object *attributes_result(const cbor_item_t *map);

/* Numbers that PKCS#11 has names for, and we have the names */
static struct json_object *number_result(uint64_t attribute, uint64_t number)
{
	const char *name = hsm_attribute_number_name(attribute, number);

	if (name)
		return json_object_new_string(name);
	return json_object_new_uint64(number);
}

static struct json_object *list_result(uint64_t attribute, const cbor_item_t *list)
{
	struct json_object *array = json_object_new_array();
	cbor_item_t **element = cbor_array_handle(list);
	uint64_t number;

	for (size_t i = 0; i < cbor_array_size(list); i++)
		if (hsm_cbor_as_uint(element[i], &number))
			json_object_array_add(array, number_result(attribute, number));
	return array;
}

static void put_bytes(struct json_object *object, const char *key, uint64_t attribute,
		      const cbor_item_t *item)
{
	const uint8_t *bytes;
	size_t length;

	if (!hsm_cbor_as_bytes(item, &bytes, &length))
		return;
	if (hsm_attribute_is_text(attribute))
		put_chars(object, key, bytes, length);
	else
		put_hex(object, key, bytes, length);
}

static void put_attribute(struct json_object *object, uint64_t attribute, const cbor_item_t *item)
{
	const char *name = hsm_attribute_name(attribute);
	char number[24];

	if (!name) {
		snprintf(number, sizeof(number), "0x%08" PRIx64, attribute);
		name = number;
	}
	switch (cbor_typeof(item)) {
	case CBOR_TYPE_UINT:
		json_object_object_add(object, name, number_result(attribute, cbor_get_int(item)));
		break;
	case CBOR_TYPE_FLOAT_CTRL:
		put_bool(object, name, cbor_get_bool(item));
		break;
	case CBOR_TYPE_ARRAY:
		json_object_object_add(object, name, list_result(attribute, item));
		break;
	case CBOR_TYPE_MAP:
		json_object_object_add(object, name, attributes_result(item));
		break;
	default:
		put_bytes(object, name, attribute, item);
	}
}

/* The decoder has seen that it is a map of attributes. */
static struct json_object *attributes_result(const cbor_item_t *map)
{
	struct json_object *object = json_object_new_object();
	const struct cbor_pair *pair = cbor_map_handle(map);
	uint64_t attribute;

	for (size_t i = 0; i < cbor_map_size(map); i++)
		if (hsm_cbor_as_uint(pair[i].key, &attribute))
			put_attribute(object, attribute, pair[i].value);
	return object;
}

/* ---- claims ---- */

static struct json_object *policy_object(const struct hsm_claim_value *value)
{
	struct json_object *object = json_object_new_object();
	struct hsm_fields fields;

	if (hsm_fields_parse(&fields, value->bytes, value->length) == 0)
		policy_result(object, &fields, 0);
	/* A claim of its own */
	json_object_object_del(object, "fingerprint");
	return object;
}

static void put_number_claim(struct json_object *object, size_t claim, uint64_t number)
{
	const char *name = hsm_claim_name(claim, number);

	if (name)
		put_string(object, hsm_claim_at(claim)->name, name);
	else
		put_number(object, hsm_claim_at(claim)->name, number);
}

static void put_claim(struct json_object *object, const struct hsm_evidence *evidence, size_t claim)
{
	const struct hsm_claim_value *value = &evidence->claim[claim];
	const struct hsm_claim_info *info = hsm_claim_at(claim);

	switch (info->type) {
	case HSM_CLAIM_TYPE_UINT:
		put_number_claim(object, claim, value->number);
		break;
	case HSM_CLAIM_TYPE_BOOL:
		put_bool(object, info->name, value->number);
		break;
	case HSM_CLAIM_TYPE_TEXT:
	case HSM_CLAIM_TYPE_VERSION:
		put_chars(object, info->name, value->bytes, value->length);
		break;
	case HSM_CLAIM_TYPE_ATTRIBUTES:
		json_object_object_add(object, info->name, attributes_result(evidence->attributes));
		break;
	default:
		put_hex(object, info->name, value->bytes, value->length);
	}
}

struct json_object *claims_result(const struct hsm_evidence *evidence)
{
	struct json_object *object = json_object_new_object();
	const struct hsm_claim_value *value;

	for (size_t i = 0; i < HSM_CLAIMS; i++) {
		value = &evidence->claim[i];
		if (!value->present)
			continue;
		if (i == HSM_CLAIM_PARTITION)
			put_id(object, hsm_claim_at(i)->name, value->bytes);
		else if (i == HSM_CLAIM_MODEL)
			put_chars(object, hsm_claim_at(i)->name, value->bytes, value->length);
		else if (i == HSM_CLAIM_POLICY)
			json_object_object_add(object, hsm_claim_at(i)->name, policy_object(value));
		else
			put_claim(object, evidence, i);
	}
	return object;
}
