// SPDX-License-Identifier: Apache-2.0
/*
 * DERIVE: one key from another one, or several keys, or data. What may come out follows from what goes in
 * (PKCS#11 3.2, 6.43 and the rules of each mechanism; Documentation/policy.rst, attacks 6, 7 and 9):
 *
 * - a key that nobody has read gives nothing that can be read;
 * - where the output is a piece of the input or holds it, what protects the input protects the output too.
 */
#include <string.h>
#include "key_making.h"

#define KEYS_MAX (MECH_MORE_KEYS + 1)
#define DEPTH	 4 /* of templates in templates, as hsm_fields_parse() has it for the other fields */

/* How CKA_SENSITIVE and CKA_EXTRACTABLE of the new keys follow from the base key's */
enum inheritance {
	INHERIT_NOTHING, /* a one-way function: the template says */
	INHERIT_LIMITS, /* sensitive and not extractable stay so */
	INHERIT_DEFAULT, /* the same where the template says nothing */
	INHERIT_ALL, /* the same, and the template may not say otherwise */
};

/**
 * struct deriving - a DERIVE command under way
 * @template: of each key to be; the first one is the command's
 * @key: the keys to be
 */
struct deriving {
	struct making making;
	struct attributes template[KEYS_MAX];
	struct attributes key[KEYS_MAX];
	unsigned int count;
	struct mech_derived derived;
	struct mech_tls_keys tls;
};

static const struct hsm_mechanism_info *info_of(const struct deriving *deriving)
{
	return deriving->making.mechanism.info;
}

static const struct attributes *base_of(const struct deriving *deriving)
{
	return &deriving->making.base->attributes;
}

static bool gives_tls_keys(const struct deriving *deriving)
{
	return info_of(deriving)->parameter == HSM_PARAM_TLS12_KEYS;
}

static bool gives_data(const struct deriving *deriving)
{
	return info_of(deriving)->mechanism == CKM_HKDF_DATA;
}

static enum inheritance inheritance(const struct deriving *deriving)
{
	switch (info_of(deriving)->family) {
	case MECH_FAMILY_PIECES:
		return INHERIT_LIMITS;
	case MECH_FAMILY_KBKDF:
		return INHERIT_DEFAULT;
	default:
		break;
	}
	if (gives_tls_keys(deriving))
		return INHERIT_ALL;
	if (info_of(deriving)->parameter == HSM_PARAM_TLS_KDF ||
	    info_of(deriving)->mechanism == CKM_IKE1_EXTENDED_DERIVE)
		return INHERIT_LIMITS;
	return INHERIT_NOTHING;
}

/* ---- templates ---- */

/* Template of a further key, from a record of the command */
static CK_RV take_record(struct deriving *deriving, const uint8_t *data, size_t length)
{
	struct attributes *template = &deriving->template[deriving->count];
	CK_RV rv;

	if (deriving->count == KEYS_MAX || !hsm_attributes_valid(data, length, DEPTH))
		return CKR_MECHANISM_PARAM_INVALID;
	rv = attributes_parse(template, data, length);
	deriving->count++;
	return rv == CKR_OK ? template_merge(base_of(deriving), CKA_DERIVE_TEMPLATE, template) : rv;
}

static CK_RV take_more_templates(struct command *command, struct deriving *deriving)
{
	const uint8_t *cursor, *end, *data;
	struct hsm_record record;
	CK_RV rv = CKR_OK;
	size_t length;
	int more = 1;

	cursor = hsm_fields_bytes(&command->fields, HSM_FIELD_MORE_KEYS, &length);
	end = cursor ? cursor + length : NULL;
	while (cursor && more > 0 && rv == CKR_OK) {
		more = hsm_records_next(&cursor, end, &record, &data);
		if (more < 0)
			return CKR_MECHANISM_PARAM_INVALID;
		if (more)
			rv = take_record(deriving, data, record.length);
	}
	return rv;
}

static CK_RV set_default(struct attributes *template, uint64_t type, bool value)
{
	if (attributes_find(template, type))
		return CKR_OK;
	return attributes_set_bool(template, type, value);
}

/* A MAC key's template says where it lives as the caller's does, and what a MAC key is for. */
static CK_RV mac_template(const struct deriving *deriving, const struct attributes *from,
			  struct attributes *template)
{
	static const uint64_t copied[] = { CKA_TOKEN,	    CKA_PRIVATE,     CKA_SENSITIVE,
					   CKA_EXTRACTABLE, CKA_DESTROYABLE, CKA_COPYABLE };
	const struct attribute *item;
	CK_RV rv = CKR_OK;

	for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]) && rv == CKR_OK; i++) {
		item = attributes_find(from, copied[i]);
		if (item)
			rv = attributes_set(template, copied[i], item->value, item->length);
	}
	if (rv == CKR_OK)
		rv = attributes_set_ulong(template, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
	if (rv == CKR_OK)
		rv = attributes_set_bool(template, CKA_SIGN, true);
	if (rv == CKR_OK)
		rv = attributes_set_bool(template, CKA_VERIFY, true);
	return rv == CKR_OK ? template_merge(base_of(deriving), CKA_DERIVE_TEMPLATE, template) : rv;
}

static CK_RV cipher_template(const struct attributes *from, struct attributes *template)
{
	CK_RV rv = attributes_copy(template, from);

	if (rv == CKR_OK)
		rv = set_default(template, CKA_ENCRYPT, true);
	if (rv == CKR_OK)
		rv = set_default(template, CKA_DECRYPT, true);
	return rv == CKR_OK ? set_default(template, CKA_DERIVE, true) : rv;
}

/* Client's and server's MAC key, client's and server's key: those that the parameters ask for */
static CK_RV take_tls_templates(struct deriving *deriving)
{
	const struct attributes *from = &deriving->making.template;
	CK_RV rv = mech_tls_keys(&deriving->making.mechanism, &deriving->tls);

	deriving->count = 0;
	for (int i = 0; i < 2 && deriving->tls.mac && rv == CKR_OK; i++)
		rv = mac_template(deriving, from, &deriving->template[deriving->count++]);
	for (int i = 0; i < 2 && deriving->tls.key && rv == CKR_OK; i++)
		rv = cipher_template(from, &deriving->template[deriving->count++]);
	return rv;
}

static CK_RV take_templates(struct command *command, struct deriving *deriving)
{
	CK_RV rv;

	if (gives_tls_keys(deriving))
		return take_tls_templates(deriving);
	rv = attributes_copy(&deriving->template[0], &deriving->making.template);
	deriving->count = 1;
	return rv == CKR_OK ? take_more_templates(command, deriving) : rv;
}

/* ---- what goes in limits what comes out ---- */

static CK_RV inherit_bool(const struct deriving *deriving, uint64_t type, bool absent,
			  struct attributes *template)
{
	bool value = attributes_bool(base_of(deriving), type, absent);

	if (inheritance(deriving) == INHERIT_ALL && attributes_bool(template, type, value) != value)
		return CKR_TEMPLATE_INCONSISTENT;
	return set_default(template, type, value);
}

static CK_RV inherit(const struct deriving *deriving, struct attributes *template)
{
	bool trusted = attributes_bool(base_of(deriving), CKA_WRAP_WITH_TRUSTED, false);
	enum inheritance how = inheritance(deriving);
	CK_RV rv = CKR_OK;

	if (how == INHERIT_DEFAULT || how == INHERIT_ALL) {
		rv = inherit_bool(deriving, CKA_SENSITIVE, true, template);
		if (rv == CKR_OK)
			rv = inherit_bool(deriving, CKA_EXTRACTABLE, false, template);
	}
	/* A piece of a key that leaves under trusted keys alone does not leave otherwise either. */
	if (rv == CKR_OK && how == INHERIT_LIMITS && trusted)
		rv = set_default(template, CKA_WRAP_WITH_TRUSTED, true);
	return rv;
}

/* The base key, the salt of HKDF and the other keys that go in, one after the other; NULL: no more */
static const struct attributes *input(const struct deriving *deriving, unsigned int index)
{
	const struct mechanism *mechanism = &deriving->making.mechanism;
	unsigned int first = mechanism->salt_key ? 2 : 1;

	if (index == 0)
		return base_of(deriving);
	if (index < first)
		return mechanism->salt_key;
	return index - first < mechanism->others ? mechanism->other[index - first] : NULL;
}

/* Reading data that a key gives: only when the key has said, when it was made, that it gives data and no keys by HKDF */
static bool may_give_data(const struct attributes *key)
{
	return attributes_find(key, CKA_ALLOWED_MECHANISMS) &&
	       attributes_find(key, CKA_ALLOWED_MECHANISMS)->length &&
	       key_use_allows(key, CKM_HKDF_DATA) && !key_use_allows(key, CKM_HKDF_DERIVE);
}

static bool keeps_limits(const struct attributes *from, const struct attributes *key)
{
	if (!attributes_bool(from, CKA_EXTRACTABLE, false) &&
	    attributes_bool(key, CKA_EXTRACTABLE, false))
		return false;
	return !attributes_bool(from, CKA_WRAP_WITH_TRUSTED, false) ||
	       attributes_bool(key, CKA_WRAP_WITH_TRUSTED, false);
}

/* Key agreement is the exception that protocols live from; the strict profile does not make it (attribute_rules.c). */
static bool is_agreement(const struct deriving *deriving)
{
	uint8_t family = info_of(deriving)->family;

	return family == MECH_FAMILY_ECDH || family == MECH_FAMILY_DH;
}

static CK_RV check_output(const struct deriving *deriving, const struct attributes *key)
{
	const struct attributes *from;
	unsigned int i;

	for (i = 0; (from = input(deriving, i)); i++) {
		if (gives_data(deriving) && key_hidden(from) && !may_give_data(from))
			return CKR_KEY_FUNCTION_NOT_PERMITTED;
		if (!gives_data(deriving) && !is_agreement(deriving) && key_hidden(from) &&
		    !attributes_bool(key, CKA_SENSITIVE, true))
			return CKR_TEMPLATE_INCONSISTENT;
		if (inheritance(deriving) == INHERIT_LIMITS && !keeps_limits(from, key))
			return CKR_TEMPLATE_INCONSISTENT;
		/* Pieces of a key whose uses are counted would be used uncounted. */
		if (inheritance(deriving) == INHERIT_LIMITS &&
		    attributes_find(from, CKA_HSM_USE_LIMIT))
			return CKR_KEY_FUNCTION_NOT_PERMITTED;
	}
	return CKR_OK;
}

/* ---- settle, derive, end ---- */

static uint64_t key_type(const struct command *command, const struct deriving *deriving,
			 const struct attributes *template)
{
	uint64_t type = CKK_GENERIC_SECRET;

	if (info_of(deriving)->mechanism == CKM_IKE_PRF_DERIVE)
		type = mech_prf_key_type(hsm_fields_u64(&command->fields, HSM_FIELD_PRF, 0));
	return attributes_ulong(template, CKA_KEY_TYPE, type);
}

/* Data has no length in its template's attributes but for this mechanism, which takes it away again. */
static CK_RV settle_data(const struct command *command, struct deriving *deriving)
{
	struct attributes *template = &deriving->template[0];
	uint64_t length = attributes_ulong(template, CKA_VALUE_LEN, 0);
	bool given = attributes_find(template, CKA_VALUE_LEN);
	CK_RV rv;

	attributes_remove(template, CKA_VALUE_LEN);
	rv = set_default(template, CKA_PRIVATE,
			 attributes_bool(base_of(deriving), CKA_PRIVATE, true));
	if (rv == CKR_OK)
		rv = key_settle(command, TEMPLATE_DERIVE, CKO_DATA, 0, template, &deriving->key[0]);
	if (rv == CKR_OK && given)
		rv = attributes_set_ulong(&deriving->key[0], CKA_VALUE_LEN, length);
	return rv;
}

static CK_RV settle_key(const struct command *command, struct deriving *deriving, unsigned int i)
{
	struct attributes *template = &deriving->template[i];
	CK_RV rv;

	if (gives_data(deriving))
		return settle_data(command, deriving);
	rv = inherit(deriving, template);
	if (rv == CKR_OK)
		rv = key_settle(command, TEMPLATE_DERIVE, CKO_SECRET_KEY,
				key_type(command, deriving, template), template, &deriving->key[i]);
	return rv;
}

static CK_RV settle_all(const struct command *command, struct deriving *deriving)
{
	CK_RV rv = CKR_OK;

	for (unsigned int i = 0; i < deriving->count && rv == CKR_OK; i++) {
		rv = settle_key(command, deriving, i);
		if (rv == CKR_OK)
			rv = check_output(deriving, &deriving->key[i]);
	}
	return rv;
}

/* With pieces of several keys, each of them must always have been sensitive, and never extractable. */
static CK_RV join_history(const struct deriving *deriving, struct attributes *key)
{
	static const uint64_t history[] = { CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE };
	const struct mechanism *mechanism = &deriving->making.mechanism;
	CK_RV rv = CKR_OK;

	if (info_of(deriving)->family != MECH_FAMILY_PIECES)
		return rv;
	for (unsigned int i = 0; i < mechanism->others; i++) {
		for (int k = 0; k < 2 && rv == CKR_OK; k++) {
			if (!attributes_bool(mechanism->other[i], history[k], false))
				rv = attributes_set_bool(key, history[k], false);
		}
	}
	return rv;
}

static CK_RV finish_all(struct deriving *deriving)
{
	CK_RV rv = CKR_OK;

	for (unsigned int i = 0; i < deriving->count && rv == CKR_OK; i++) {
		struct attributes *key = &deriving->key[i];

		rv = template_check_value(&deriving->template[i], key);
		if (rv == CKR_OK)
			rv = template_finish(TEMPLATE_DERIVE, CK_UNAVAILABLE_INFORMATION,
					     base_of(deriving), key);
		if (rv == CKR_OK)
			rv = join_history(deriving, key);
	}
	return rv;
}

/* Of TLS the four handles in their order, 0 where there is none; else the first key, and the further ones */
static void put_handles(struct command *command, const struct deriving *deriving,
			const uint64_t handles[KEYS_MAX])
{
	uint64_t four[4] = { 0 };
	unsigned int n = 0;

	if (!gives_tls_keys(deriving)) {
		hsm_put_u64(&command->out, HSM_FIELD_HANDLE, handles[0]);
		if (deriving->count > 1)
			hsm_put_list(&command->out, HSM_FIELD_HANDLES, handles + 1,
				     deriving->count - 1);
		return;
	}
	for (unsigned int i = 0; i < 4; i++) {
		if (i < 2 ? deriving->tls.mac : deriving->tls.key)
			four[i] = handles[n++];
	}
	hsm_put_list(&command->out, HSM_FIELD_HANDLES, four, 4);
}

static CK_RV end(struct command *command, struct deriving *deriving)
{
	const struct mech_derived *derived = &deriving->derived;
	uint64_t handles[KEYS_MAX];
	CK_RV rv = finish_all(deriving);

	if (rv == CKR_OK)
		rv = objects_add(command, deriving->key, deriving->count, handles);
	if (rv != CKR_OK)
		return rv;
	put_handles(command, deriving, handles);
	if (derived->iv_length)
		hsm_put_bytes(&command->out, HSM_FIELD_IV, derived->iv, derived->iv_length);
	if (derived->version[0])
		hsm_put_bytes(&command->out, HSM_FIELD_VERSION, derived->version,
			      sizeof(derived->version));
	return CKR_OK;
}

static CK_RV derive(struct command *command, struct deriving *deriving)
{
	CK_RV rv = making_begin(command, &deriving->making, HSM_FIELD_KEY, CKF_DERIVE, CKA_DERIVE,
				CKA_DERIVE_TEMPLATE);

	if (rv == CKR_OK)
		rv = take_templates(command, deriving);
	if (rv == CKR_OK)
		rv = settle_all(command, deriving);
	if (rv != CKR_OK)
		return rv;
	deriving->derived.keys = deriving->key;
	deriving->derived.count = deriving->count;
	rv = mech_derive_all(&deriving->making.mechanism, deriving->making.key, &deriving->derived);
	return rv == CKR_OK ? end(command, deriving) : rv;
}

CK_RV command_derive(struct command *command)
{
	struct deriving deriving = { .making = { .use = TEMPLATE_DERIVE } };
	CK_RV rv;

	if (hsm_fields_u64(&command->fields, HSM_FIELD_MECHANISM, 0) == CKM_PUB_KEY_FROM_PRIV_KEY)
		return command_public_key(command);
	rv = derive(command, &deriving);

	for (unsigned int i = 0; i < KEYS_MAX; i++) {
		attributes_free(&deriving.template[i]);
		attributes_free(&deriving.key[i]);
	}
	OPENSSL_cleanse(&deriving.derived, sizeof(deriving.derived));
	making_free(&deriving.making);
	return rv;
}
