// SPDX-License-Identifier: Apache-2.0
/*
 * CKM_PUB_KEY_FROM_PRIV_KEY: the public half of a private key, as an object. A derivation by name; what it does is to create
 * an object, with the checks of one (PKCS#11 3.2, 6.43.7).
 */
#include <string.h>
#include "key_use.h"

/* What the public key takes from the private one when the template does not say */
static const struct {
	uint64_t type;
	uint64_t from;
} inherited[] = {
	{ CKA_ENCRYPT, CKA_DECRYPT },
	{ CKA_VERIFY, CKA_SIGN },
	{ CKA_VERIFY_RECOVER, CKA_SIGN_RECOVER },
	{ CKA_WRAP, CKA_UNWRAP },
	{ CKA_ENCAPSULATE, CKA_DECAPSULATE },
	{ CKA_DERIVE, CKA_DERIVE },
	{ CKA_ID, CKA_ID },
	{ CKA_START_DATE, CKA_START_DATE },
	{ CKA_END_DATE, CKA_END_DATE },
	{ CKA_SUBJECT, CKA_SUBJECT },
	{ CKA_ALLOWED_MECHANISMS, CKA_ALLOWED_MECHANISMS },
};

static CK_RV inherit(const struct attributes *private_key, struct attributes *template)
{
	const struct attribute *item;
	CK_RV rv = CKR_OK;

	for (size_t i = 0; rv == CKR_OK && i < sizeof(inherited) / sizeof(inherited[0]); i++) {
		item = attributes_find(private_key, inherited[i].from);
		if (item && item->length && !attributes_find(template, inherited[i].type))
			rv = attributes_set(template, inherited[i].type, item->value, item->length);
	}
	return rv;
}

/* The key itself is not the template's to say: what it says must be so. */
static CK_RV add_material(const struct attributes *material, struct attributes *template)
{
	const struct attribute *item = NULL, *given;
	CK_RV rv = CKR_OK;

	while (rv == CKR_OK && (item = attributes_next(material, item))) {
		given = attributes_find(template, item->type);
		if (given && (given->length != item->length ||
			      memcmp(given->value, item->value, item->length)))
			return CKR_TEMPLATE_INCONSISTENT;
		if (!given)
			rv = attributes_set(template, item->type, item->value, item->length);
	}
	return rv;
}

static CK_RV complete(struct object *private_key, struct attributes *template)
{
	struct key *key = object_key(private_key);
	struct attributes material = { 0 };
	CK_RV rv;

	if (!key)
		return CKR_HOST_MEMORY;
	rv = mech_public_half(key, &material);
	if (rv == CKR_OK)
		rv = add_material(&material, template);
	if (rv == CKR_OK)
		rv = inherit(&private_key->attributes, template);
	attributes_free(&material);
	key_put(key);
	return rv;
}

static CK_RV make(struct command *command, struct object *private_key, struct attributes *object)
{
	const struct attributes *from = &private_key->attributes;
	struct attributes template = { 0 };
	const uint8_t *data;
	size_t length;
	CK_RV rv = CKR_OK;

	data = hsm_fields_bytes(&command->fields, HSM_FIELD_TEMPLATE, &length);
	if (data)
		rv = attributes_parse(&template, data, length);
	if (rv == CKR_OK)
		rv = complete(private_key, &template);
	if (rv == CKR_OK)
		rv = object_settle(command, &template, object);
	if (rv == CKR_OK)
		rv = object_settle_pair(command, object, from);
	if (rv == CKR_OK)
		rv = attributes_set_ulong(object, CKA_KEY_GEN_MECHANISM,
					  attributes_ulong(from, CKA_KEY_GEN_MECHANISM,
							   CK_UNAVAILABLE_INFORMATION));
	if (rv == CKR_OK)
		rv = attributes_set_ulong(object, CKA_HSM_ORIGIN,
					  attributes_ulong(from, CKA_HSM_ORIGIN,
							   CK_HSM_ORIGIN_IMPORTED));
	attributes_free(&template);
	return rv;
}

CK_RV command_public_key(struct command *command)
{
	struct attributes object = { 0 };
	struct mechanism mechanism;
	struct object *private_key;
	uint64_t handle;
	CK_RV rv = mechanism_take(command, CKF_DERIVE, &mechanism);

	/* Whatever its CKA_DERIVE: what is public is nobody's secret. */
	if (rv == CKR_OK)
		rv = key_use_find(command, HSM_FIELD_KEY, 0, &mechanism, &private_key);
	mechanism_drop(&mechanism);
	if (rv != CKR_OK)
		return rv;
	if (attributes_ulong(&private_key->attributes, CKA_CLASS, ~0ULL) != CKO_PRIVATE_KEY)
		rv = CKR_KEY_TYPE_INCONSISTENT;
	else if (!key_use_allows(&private_key->attributes, CKM_PUB_KEY_FROM_PRIV_KEY))
		rv = CKR_MECHANISM_INVALID;
	else
		rv = make(command, private_key, &object);
	object_put(private_key);
	if (rv == CKR_OK)
		rv = objects_add(command, &object, 1, &handle);
	if (rv == CKR_OK)
		hsm_put_u64(&command->out, HSM_FIELD_HANDLE, handle);
	attributes_free(&object);
	return rv;
}
