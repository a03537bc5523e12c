// SPDX-License-Identifier: Apache-2.0
/*
 * A partition's policy in a tool's result. Which values there are, and what they are called, is in the tables of
 * hsm/policy.h.
 */
#include <stdio.h>
#include <openssl/evp.h>
#include <hsm/mechanisms.h>
#include <hsm/policy.h>
#include "tool-output.h"

#define NAME_MAX_LENGTH 80 /* of a mechanism, and of a key in JSON */

static void put_names(struct json_object *object, const struct hsm_fields *fields)
{
	struct json_object *names = json_object_new_array();
	const struct hsm_mechanism_info *info;
	char number[NAME_MAX_LENGTH];
	const uint8_t *list;
	size_t length;

	list = hsm_fields_bytes(fields, HSM_FIELD_MECHANISMS, &length);
	for (size_t i = 0; i < length / 8; i++) {
		info = hsm_mechanism_find(hsm_get_le64(list + i * 8));
		snprintf(number, sizeof(number), "0x%08llx",
			 (unsigned long long)hsm_get_le64(list + i * 8));
		json_object_array_add(names, json_object_new_string(info ? info->name : number));
	}
	json_object_object_add(object, "mechanisms", names);
}

static void put_hashes(struct json_object *object, const char *key, const struct hsm_fields *fields,
		       enum hsm_field_tag tag)
{
	struct json_object *list = json_object_new_array();
	char text[2 * HSM_POLICY_HASH + 1];
	size_t length;
	const uint8_t *bytes = hsm_fields_bytes(fields, tag, &length);

	for (size_t i = 0; i + HSM_POLICY_HASH <= length; i += HSM_POLICY_HASH) {
		for (size_t j = 0; j < HSM_POLICY_HASH; j++)
			snprintf(text + 2 * j, 3, "%02x", bytes[i + j]);
		json_object_array_add(list, json_object_new_string(text));
	}
	json_object_object_add(object, key, list);
}

static void migration_result(struct json_object *object, const struct hsm_fields *fields)
{
	put_hashes(object, "migration_roots", fields, HSM_FIELD_MIGRATION_ROOTS);
	put_hashes(object, "migration_measurements", fields, HSM_FIELD_MIGRATION_MEASUREMENTS);
	put_hashes(object, "client_roots", fields, HSM_FIELD_CLIENT_ROOTS);
}

/* A key is named by its hash, as the device and its evidence do. */
static void put_owner(struct json_object *object, const struct hsm_fields *fields)
{
	uint8_t hash[HSM_POLICY_HASH];
	size_t length;
	const uint8_t *key = hsm_fields_bytes(fields, HSM_FIELD_OWNER_KEY, &length);

	if (length && EVP_Digest(key, length, hash, NULL, EVP_sha384(), NULL) == 1)
		put_hex(object, "owner_key", hash, sizeof(hash));
	else
		put_string(object, "owner_key", "none");
}

void policy_result(struct json_object *object, const struct hsm_fields *fields, size_t first)
{
	const struct hsm_policy_info *info;
	char key[NAME_MAX_LENGTH];
	const uint8_t *fingerprint;
	size_t length;

	for (size_t i = first; (info = hsm_policy_at(i)); i++) {
		snprintf(key, sizeof(key), "%s", info->option);
		for (char *p = key; *p; p++)
			if (*p == '-')
				*p = '_';
		put_number(object, key, hsm_fields_u64(fields, info->tag, 0));
	}
	put_names(object, fields);
	migration_result(object, fields);
	put_owner(object, fields);
	fingerprint = hsm_fields_bytes(fields, HSM_FIELD_FINGERPRINT, &length);
	put_hex(object, "fingerprint", fingerprint, length);
}
