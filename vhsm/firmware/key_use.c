// SPDX-License-Identifier: Apache-2.0
/*
 * Which key may be used with which mechanism for what. Every way to use a key passes here, so that no
 * path forgets CKA_ALLOWED_MECHANISMS or a usage attribute.
 */
#include <string.h>
#include "audit.h"
#include "key_use.h"
#include "use_counter.h"
#include "users.h"

bool key_use_allows(const struct attributes *key, uint64_t mechanism)
{
	const struct attribute *allowed = attributes_find(key, CKA_ALLOWED_MECHANISMS);
	uint32_t i;

	if (!allowed || !allowed->length)
		return true;
	for (i = 0; i < allowed->length / 8; i++)
		if (hsm_get_le64(allowed->value + i * 8) == mechanism)
			return true;
	return false;
}

static CK_RV check_use(const struct attributes *key, uint64_t attribute,
		       const struct mechanism *mechanism)
{
	if (!class_is_key(attributes_ulong(key, CKA_CLASS, ~0ULL)))
		return CKR_KEY_HANDLE_INVALID;
	if (attribute && !attributes_bool(key, attribute, false))
		return CKR_KEY_FUNCTION_NOT_PERMITTED;
	if (attribute && !key_use_allows(key, mechanism->info->mechanism))
		return CKR_MECHANISM_INVALID;
	return CKR_OK;
}

static CK_RV find(struct command *command, uint64_t handle, uint64_t attribute,
		  const struct mechanism *mechanism, struct object **result)
{
	struct object *object = object_find(command, handle);
	CK_RV rv;

	if (!object)
		return CKR_KEY_HANDLE_INVALID;
	/* What anybody could use, whoever is logged in can. */
	if (object->is_private && !user_may(command->client, MAY_USE))
		rv = CKR_KEY_FUNCTION_NOT_PERMITTED;
	else
		rv = check_use(&object->attributes, attribute, mechanism);
	if (rv == CKR_OK && attribute)
		rv = policy_key(command->partition, &object->attributes);
	if (rv == CKR_OK && attribute)
		rv = uses_take(command, &object);
	/* A limited key may be another than it was. */
	if (rv == CKR_OK)
		rv = check_use(&object->attributes, attribute, mechanism);
	if (rv == CKR_OK && attribute)
		rv = audit_use(command, object, attribute, mechanism->info->mechanism);
	if (rv != CKR_OK) {
		object_put(object);
		return rv;
	}
	*result = object;
	return CKR_OK;
}

/* A further secret key of a derivation, which must be one that derives, and by this mechanism: a copy in *copy */
static CK_RV take_secret(struct command *command, uint64_t handle,
			 const struct mechanism *mechanism, const struct attributes **copy)
{
	struct attributes *secret;
	struct object *object;
	CK_RV rv = find(command, handle, CKA_DERIVE, mechanism, &object);

	if (rv != CKR_OK)
		return rv;
	/* The value of a private key is a number, and no input of a derivation. */
	if (attributes_ulong(&object->attributes, CKA_CLASS, ~0ULL) != CKO_SECRET_KEY) {
		object_put(object);
		return CKR_KEY_TYPE_INCONSISTENT;
	}
	secret = OPENSSL_zalloc(sizeof(*secret));
	rv = secret ? attributes_copy(secret, &object->attributes) : CKR_HOST_MEMORY;
	*copy = secret;
	object_put(object);
	return rv;
}

/* HKDF may take its salt from a key. */
static CK_RV take_salt_key(struct command *command, struct mechanism *mechanism)
{
	if (!hsm_fields_find(&command->fields, HSM_FIELD_SALT_KEY))
		return CKR_OK;
	return take_secret(command, hsm_fields_u64(&command->fields, HSM_FIELD_SALT_KEY, 0),
			   mechanism, &mechanism->salt_key);
}

static CK_RV take_other_keys(struct command *command, struct mechanism *mechanism)
{
	uint64_t handles[MECH_OTHER_KEYS];
	unsigned int count, i;
	CK_RV rv = mech_other_handles(&command->fields, handles, &count);

	for (i = 0; i < count && rv == CKR_OK; i++) {
		rv = take_secret(command, handles[i], mechanism, &mechanism->other[i]);
		mechanism->others += mechanism->other[i] != NULL;
	}
	return rv;
}

CK_RV mechanism_take(struct command *command, uint64_t can, struct mechanism *mechanism)
{
	uint64_t type = hsm_fields_u64(&command->fields, HSM_FIELD_MECHANISM, ~0ULL);
	CK_RV rv;

	*mechanism = (struct mechanism){
		.info = hsm_mechanism_find(type),
		.fields = &command->fields,
		.task = command->task,
	};
	if (!mechanism->info || !(mech_flags(mechanism->info) & can))
		return CKR_MECHANISM_INVALID;
	rv = policy_mechanism(command->partition, mechanism->info, can, &command->fields);
	if (rv != CKR_OK)
		return rv;
	command->crypto = true;
	command->approved = mech_approved(mechanism->info, can);
	rv = take_salt_key(command, mechanism);
	return rv == CKR_OK && can == CKF_DERIVE ? take_other_keys(command, mechanism) : rv;
}

static void drop_copy(const struct attributes *copy)
{
	struct attributes *set = (struct attributes *)copy;

	if (!set)
		return;
	attributes_free(set);
	OPENSSL_free(set);
}

void mechanism_drop(struct mechanism *mechanism)
{
	drop_copy(mechanism->salt_key);
	mechanism->salt_key = NULL;
	while (mechanism->others)
		drop_copy(mechanism->other[--mechanism->others]);
}

CK_RV key_use_find(struct command *command, enum hsm_field_tag tag, uint64_t attribute,
		   const struct mechanism *mechanism, struct object **result)
{
	return find(command, hsm_fields_u64(&command->fields, tag, 0), attribute, mechanism,
		    result);
}
