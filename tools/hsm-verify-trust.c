// SPDX-License-Identifier: Apache-2.0
/*
 * Whom hsm-verify believes: root certificates of --root and of the policy file, and what the policy
 * file says of devices and their firmware. Form of that file: hsm-verify(1).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include "hsm-verify.h"

/* ---- roots ---- */

/* Certificates of one PEM file into the store. Return: how many, -1: one cannot be read */
static int add_certificates(OSSL_LIB_CTX *libctx, BIO *file, X509_STORE *store)
{
	X509 *cert;
	int count = 0, ok;

	for (;;) {
		cert = X509_new_ex(libctx, NULL);
		if (!cert || !PEM_read_bio_X509(file, &cert, NULL, NULL)) {
			ok = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
			X509_free(cert);
			ERR_clear_error();
			return ok ? count : -1;
		}
		ok = X509_STORE_add_cert(store, cert);
		X509_free(cert);
		if (!ok)
			return -1;
		count++;
	}
}

static int add_roots(struct verify *verify, const char *path)
{
	BIO *file = BIO_new_file(path, "r");
	int count;

	if (!file)
		return fail(verify, VERIFY_SYSTEM, "%s: %s", path, strerror(errno));
	count = add_certificates(verify->libctx, file, verify->trust.all.roots);
	BIO_free(file);
	if (count <= 0)
		return fail(verify, VERIFY_USAGE, "%s: no certificates", path);
	verify->trust.certificates += count;
	return VERIFY_OK;
}

/* A file that the policy file names is beside it, unless its name begins at the root. */
static int add_named_roots(struct verify *verify, const char *name)
{
	const char *slash = strrchr(verify->policy, '/');
	char *path = NULL;
	int code;

	if (*name == '/' || !slash)
		return add_roots(verify, name);
	if (asprintf(&path, "%.*s%s", (int)(slash + 1 - verify->policy), verify->policy, name) < 0)
		return fail(verify, VERIFY_SYSTEM, "out of memory");
	code = add_roots(verify, path);
	free(path);
	return code;
}

/* ---- members of the policy file ---- */

static int bad_member(struct verify *verify, const char *key, const char *wanted)
{
	return fail(verify, VERIFY_USAGE, "%s: %s: not %s", verify->policy, key, wanted);
}

static int take_roots(struct verify *verify, const char *key, struct json_object *value)
{
	int code = VERIFY_OK;

	if (!json_object_is_type(value, json_type_array))
		return bad_member(verify, key, "a list of files");
	for (size_t i = 0; !code && i < json_object_array_length(value); i++) {
		struct json_object *name = json_object_array_get_idx(value, i);

		code = json_object_is_type(name, json_type_string)
			       ? add_named_roots(verify, json_object_get_string(name))
			       : bad_member(verify, key, "a list of files");
	}
	return code;
}

static int take_hex(struct verify *verify, const char *key, struct json_object *value, size_t size,
		    uint8_t **list, size_t *count)
{
	size_t length =
		json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 0;
	struct json_object *item;
	size_t bytes;

	if (!length)
		return bad_member(verify, key, "a list of hashes");
	*list = calloc(length, size);
	if (!*list)
		return fail(verify, VERIFY_SYSTEM, "out of memory");
	for (*count = 0; *count < length; (*count)++) {
		item = json_object_array_get_idx(value, *count);
		if (!json_object_is_type(item, json_type_string) ||
		    OPENSSL_hexstr2buf_ex(*list + *count * size, size, &bytes,
					  json_object_get_string(item), '\0') != 1 ||
		    bytes != size)
			return bad_member(verify, key, "a list of hashes in hexadecimal");
	}
	return VERIFY_OK;
}

static int take_measurements(struct verify *verify, const char *key, struct json_object *value)
{
	struct verify_trust *trust = &verify->trust;
	int code = take_hex(verify, key, value, HSM_MEASUREMENT_SIZE, &trust->measurements,
			    &trust->all.measurement_count);

	trust->all.measurements = (const void *)trust->measurements;
	return code;
}

static int take_fingerprints(struct verify *verify, const char *key, struct json_object *value,
			     uint8_t **bytes, struct hsm_fingerprints *list)
{
	int code = take_hex(verify, key, value, HSM_FINGERPRINT_SIZE, bytes, &list->count);

	list->list = (const void *)*bytes;
	return code;
}

static int take_devices(struct verify *verify, const char *key, struct json_object *value)
{
	return take_fingerprints(verify, key, value, &verify->trust.devices,
				 &verify->trust.all.revoked_devices);
}

static int take_aliases(struct verify *verify, const char *key, struct json_object *value)
{
	return take_fingerprints(verify, key, value, &verify->trust.aliases,
				 &verify->trust.all.revoked_aliases);
}

static int take_version(struct verify *verify, const char *key, struct json_object *value)
{
	int64_t version = json_object_get_int64(value);

	if (!json_object_is_type(value, json_type_int) || version < 0 || version > UINT32_MAX)
		return bad_member(verify, key, "a number");
	verify->trust.all.minimum_version = (uint32_t)version;
	return VERIFY_OK;
}

static int take_lifecycle(struct verify *verify, const char *key, struct json_object *value)
{
	if (json_object_is_type(value, json_type_string))
		verify->trust.all.lifecycle = hsm_lifecycle_parse(json_object_get_string(value));
	if (!verify->trust.all.lifecycle)
		return bad_member(verify, key, "a state of life");
	return VERIFY_OK;
}

static int take_bool(struct verify *verify, const char *key, struct json_object *value, bool *flag)
{
	if (!json_object_is_type(value, json_type_boolean))
		return bad_member(verify, key, "true or false");
	*flag = json_object_get_boolean(value);
	return VERIFY_OK;
}

static int take_approved(struct verify *verify, const char *key, struct json_object *value)
{
	return take_bool(verify, key, value, &verify->trust.all.approved);
}

static int take_rollback(struct verify *verify, const char *key, struct json_object *value)
{
	return take_bool(verify, key, value, &verify->trust.all.rollback_protected);
}

static int take_signatures(struct verify *verify, const char *key, struct json_object *value)
{
	bool one = json_object_is_type(value, json_type_array) &&
		   json_object_array_length(value) == 1 &&
		   json_object_is_type(json_object_array_get_idx(value, 0), json_type_string) &&
		   !strcmp(json_object_get_string(json_object_array_get_idx(value, 0)),
			   hsm_cose_algorithm_name(HSM_COSE_ES384));

	if (!one)
		return bad_member(verify, key, "[\"ES384\"], which asks for no second signature");
	verify->trust.one_signature = true;
	return VERIFY_OK;
}

static int take_claims(struct verify *verify, const char *key, struct json_object *value)
{
	if (!json_object_is_type(value, json_type_object))
		return bad_member(verify, key, "an object");
	verify->trust.claims = value;
	return VERIFY_OK;
}

static const struct {
	const char *key;
	int (*take)(struct verify *verify, const char *key, struct json_object *value);
} members[] = {
	{ "roots", take_roots },
	{ "signatures", take_signatures },
	{ "minimum_security_version", take_version },
	{ "measurements", take_measurements },
	{ "lifecycle", take_lifecycle },
	{ "approved_mode", take_approved },
	{ "rollback_protection", take_rollback },
	{ "revoked_devices", take_devices },
	{ "revoked_aliases", take_aliases },
	{ "claims", take_claims },
};

/* A member that is not known would be a condition that nobody looks at. */
static int take_member(struct verify *verify, const char *key, struct json_object *value)
{
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (!strcmp(members[i].key, key))
			return members[i].take(verify, key, value);
	return fail(verify, VERIFY_USAGE, "%s: there is no condition '%s'", verify->policy, key);
}

static int parse_policy(struct verify *verify, const uint8_t *bytes, size_t length)
{
	struct json_tokener *tokener = json_tokener_new_ex(16);
	struct json_object *policy = NULL;
	int code = VERIFY_OK;

	if (!tokener)
		return fail(verify, VERIFY_SYSTEM, "out of memory");
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	policy = json_tokener_parse_ex(tokener, (const char *)bytes, (int)length);
	if (json_tokener_get_error(tokener) != json_tokener_success ||
	    !json_object_is_type(policy, json_type_object)) {
		code = fail(verify, VERIFY_USAGE, "%s: no JSON object: %s", verify->policy,
			    json_tokener_error_desc(json_tokener_get_error(tokener)));
	}
	json_tokener_free(tokener);
	verify->trust.policy = policy;
	if (code)
		return code;
	json_object_object_foreach(policy, key, value)
	{
		if (!code)
			code = take_member(verify, key, value);
	}
	return code;
}

static int read_policy(struct verify *verify)
{
	uint8_t *bytes = NULL;
	size_t length;
	int code = read_file(verify, verify->policy, &bytes, &length);

	if (!code)
		code = parse_policy(verify, bytes, length);
	free(bytes);
	return code;
}

int trust_load(struct verify *verify)
{
	struct verify_trust *trust = &verify->trust;
	int code = VERIFY_OK;

	trust->all.roots = hsm_dice_store();
	if (!trust->all.roots)
		return fail(verify, VERIFY_SYSTEM, "out of memory");
	for (size_t i = 0; !code && i < verify->roots; i++)
		code = add_roots(verify, verify->root[i]);
	if (!code && verify->policy)
		code = read_policy(verify);
	if (!code && !trust->certificates)
		code = fail(verify, VERIFY_USAGE, "which root certificate? --root FILE");
	return code;
}

void trust_free(struct verify *verify)
{
	struct verify_trust *trust = &verify->trust;

	X509_STORE_free(trust->all.roots);
	json_object_put(trust->policy);
	free(trust->measurements);
	free(trust->devices);
	free(trust->aliases);
}
