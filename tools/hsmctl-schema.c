// SPDX-License-Identifier: Apache-2.0
/*
 * What hsmctl's verbs print with --json: one table, from which `hsmctl schema` makes a JSON Schema and scripts/json-doc
 * the table of Documentation/json.rst. A member that a verb prints and that is not here is found by
 * tests/tools/hsmctl-json.py.
 */
#include <stdio.h>
#include <string.h>
#include <hsm/policy.h>
#include "hsmctl-schema.h"

/**
 * struct member - of a verb's object
 * @verbs: with commas
 * @name: "a.b": of the rows of the table a
 * @form: s text, h hexadecimal digits, u a UUID, i a number, z one that may be negative, b a boolean, l a list of texts, t a table,
 *	* any more members; then ? when it may be missing, 0 when it may be null
 */
struct member {
	const char *verbs;
	const char *name;
	const char *form;
	const char *meaning;
};

/* clang-format off */
static const struct member members[] = {
	{ "list", "partitions", "t", "one for each partition, and one for a device without" },
	{ "list", "partitions.device", "s", "name to open it by" },
	{ "list", "partitions.function", "i?0", "of the board" },
	{ "list", "partitions.state", "s?0", "as of status" },
	{ "list", "partitions.slot", "i0", "PKCS#11 slot" },
	{ "list", "partitions.partition", "s0", "its name" },
	{ "list", "partitions.id", "u0", "" },
	{ "list", "partitions.error", "s?", "why nothing more is known" },

	{ "info, status", "device", "s", "name to open it by" },
	{ "info", "model", "s", "" },
	{ "info", "serial", "s", "" },
	{ "info", "board_id", "h", "" },
	{ "info", "hardware", "s", "virtual or card" },
	{ "info, status", "state", "s", "unclaimed, operational, tampered, recovery, error or retired" },
	{ "info, status", "approved_mode", "s?", "only in approved mode" },
	{ "info", "firmware", "s", "version" },
	{ "info", "security_version", "i", "of the firmware" },
	{ "info", "minimum_security_version", "i?", "by the fuses, if it is told" },
	{ "info", "measurement", "h", "of the firmware" },
	{ "info, status", "rollback_protection", "s", "fuses or none" },
	{ "info", "function", "i", "of the board" },
	{ "info, status", "functions", "i", "that the board has" },
	{ "info", "tokens", "t", "of the function's partitions" },
	{ "info", "tokens.slot", "i", "" },
	{ "info", "tokens.partition", "s", "" },
	{ "info", "tokens.label", "s", "" },
	{ "info", "tokens.serial", "s", "" },
	{ "info", "tokens.profile", "s", "strict, compatible or legacy" },
	{ "info", "tokens.initialized", "b", "" },
	{ "info", "tokens.so_pin", "s", "not set, set, wrong tries, last try, locked or expired" },
	{ "info", "tokens.user_pin", "s", "likewise" },
	{ "info", "tokens.pin_min", "i", "bytes" },
	{ "info", "tokens.pin_max", "i", "bytes" },
	{ "info", "tokens.memory", "i", "bytes" },
	{ "info", "tokens.free", "i", "bytes" },

	{ "identity", "pin", "l", "lines for hsm.conf: a partition's id, and sha256: with its identity" },
	{ "config check", "file", "s", "hsm.conf, or none" },
	{ "config check", "sections", "i", "" },
	{ "config check", "devices", "t", "" },
	{ "config check", "devices.name", "s", "" },

	{ "status", "claimed", "b", "" },
	{ "status", "embedded", "b", "" },
	{ "status", "officer", "b", "the caller is one without login" },
	{ "status", "fuse_secret", "s", "protected or file" },
	{ "status", "fuse_counter", "i", "" },

	{ "self-test", "self_test", "s", "passed or failed" },
	{ "self-test", "tests", "i?", "number that passed" },
	{ "self-test", "failed_test", "s?", "" },

	{ "doctor", "result", "s", "in a sentence" },
	{ "doctor", "broken_layer", "s?", "the first one" },
	{ "doctor", "broken_check", "s?", "" },
	{ "doctor", "checks", "t", "" },
	{ "doctor", "checks.verdict", "s", "" },
	{ "doctor", "checks.layer", "s", "" },
	{ "doctor", "checks.check", "s", "" },
	{ "doctor", "checks.device", "s", "" },
	{ "doctor", "checks.finding", "s", "" },
	{ "doctor", "advice", "t", "" },
	{ "doctor", "advice.layer", "s", "" },
	{ "doctor", "advice.check", "s", "" },
	{ "doctor", "advice.what_to_do", "s", "" },

	{ "top", "devices", "t", "" },
	{ "top", "devices.device", "s", "" },
	{ "top", "devices.state", "s", "" },
	{ "top", "devices.function", "i", "" },
	{ "top", "devices.firmware", "s", "" },
	{ "top", "devices.error", "s", "" },
	{ "top", "partitions", "t", "rates are in a second" },
	{ "top", "partitions.device", "s", "" },
	{ "top", "partitions.partition", "s", "" },
	{ "top", "partitions.connections", "i", "" },
	{ "top", "partitions.sessions", "i", "" },
	{ "top", "partitions.*", "*", "rates by kind of operation, latencies p50_ms and p99_ms" },
	{ "top", "queues", "t", "of the driver" },
	{ "top", "queues.function", "s", "" },
	{ "top", "queues.state", "s", "" },
	{ "top", "queues.queue", "i", "" },
	{ "top", "queues.unanswered", "i",
	  "in flight, or lost at a reset; queue 0 keeps a request for events" },
	{ "top", "queues.errors", "i", "" },
	{ "top", "queues.timeouts", "i", "" },
	{ "top", "queues.*", "*", "commands/s" },
	{ "metrics", "text", "s", "OpenMetrics" },

	{ "partition list", "partitions", "t", "" },
	{ "partition list", "partitions.slot", "i", "" },
	{ "partition list", "partitions.partition", "s", "" },
	{ "partition list", "partitions.function", "i", "0: none" },
	{ "partition list", "partitions.profile", "s", "" },
	{ "partition list", "partitions.max_objects", "i", "" },
	{ "partition list", "partitions.max_sessions", "i", "" },
	{ "partition list", "partitions.max_bytes", "i", "" },
	{ "partition list", "partitions.id", "u", "" },
	{ "partition create, partition import", "id", "u", "" },
	{ "partition create, partition import", "slot", "i", "" },
	{ "partition create", "partition", "s", "its name" },
	{ "partition show, partition assign", "slot", "i", "" },
	{ "partition show, partition assign", "partition", "s", "" },
	{ "partition show, partition assign", "function", "i", "0: none" },
	{ "partition show, partition assign, policy", "profile", "s", "strict, compatible or legacy" },
	{ "partition assign", "max_objects", "i", "" },
	{ "partition assign", "max_sessions", "i", "" },
	{ "partition assign", "max_bytes", "i", "" },
	{ "partition show, partition assign", "id", "u", "" },
	{ "policy", "partition", "s", "" },
	{ "partition show, policy", "mechanisms", "l", "allowed; empty: all of the profile" },
	{ "partition show, policy", "migration_roots", "l", "SHA-384 of certificates" },
	{ "partition show, policy", "migration_measurements", "l", "of firmware" },
	{ "partition show, policy", "client_roots", "l", "SHA-384 of certificates" },
	{ "partition show, policy", "owner_key", "s", "SHA-384, or none" },
	{ "partition show, policy", "fingerprint", "h", "of the policy" },
	{ "partition init", "partition", "s", "" },
	{ "partition init", "slot", "i", "" },
	{ "partition init", "label", "s", "" },

	{ "partition migrate-status", "partition", "s", "" },
	{ "partition migrate-status", "phase", "s", "NONE, REQUESTED, FROZEN, WAITING, IMPORTING or IMPORTED" },
	{ "partition migrate-status", "origin", "s", "made here, moved or restored from a backup" },
	{ "partition migrate-status", "other_copies_possible", "b", "" },
	{ "partition migrate-status", "origin_counter", "i?", "fuse counter where it comes from" },
	{ "partition migrate-status", "origin_time", "i?", "seconds since 1970" },
	{ "partition migrate-request, partition migrate-prepare, partition migrate-import, partition migrate-abort, "
	  "partition restore, partition receipt, partition migrate-export, partition backup, backup share",
	  "output", "s", "the file" },
	{ "partition migrate-export, partition backup", "chunks", "i", "" },
	{ "partition migrate-export, partition backup", "bytes", "i", "" },
	{ "backup share", "partition", "s", "in the backup" },
	{ "backup share", "partition_id", "u", "" },
	{ "backup share", "backup_time", "i", "seconds since 1970" },
	{ "backup share", "backup_counter", "i", "fuse counter when it was made" },
	{ "backup share", "threshold", "i", "shares that it takes" },
	{ "backup share", "board", "h", "that asks; this and what follows is what its certificates say" },
	{ "backup share", "serial", "s", "" },
	{ "backup share", "device", "h", "identity" },
	{ "backup share", "device_ml_dsa", "h", "identity" },
	{ "backup share", "security_version", "i", "" },
	{ "backup share", "lifecycle", "s", "" },
	{ "backup share", "measurement", "h", "" },
	{ "backup share", "rollback_protection", "b", "" },

	{ "user list", "users", "t", "" },
	{ "user list", "users.user", "s", "name" },
	{ "user list", "users.role", "s", "user, manager, read-only or auditor" },
	{ "user list", "users.pin", "s", "set, wrong tries, locked or expired" },
	{ "user list", "users.wrong_tries", "i", "" },
	{ "user list", "users.pin_set_at", "i", "seconds since 1970" },
	{ "schema", "*", "*", "a JSON Schema, in which #/$defs/VERB is what VERB prints" },

	{ "officer list", "officers", "t", "" },
	{ "officer list", "officers.name", "s", "" },
	{ "officer list", "officers.role", "s", "officer or auditor" },
	{ "officer list", "officers.pin", "s", "set, wrong tries or locked" },
	{ "officer list", "officers.key", "s", "SHA-384, or none" },
	{ "quorum show", "quorums", "t", "" },
	{ "quorum show", "quorums.class", "s", "of actions" },
	{ "quorum show", "quorums.approvals", "i", "that it takes" },
	{ "quorum show", "quorums.officers_with_a_key", "i", "" },
	{ "quorum show", "quorums.meaning", "s", "" },
	{ "approve, request", "board_id", "h", "" },
	{ "approve, request", "in_partition", "u?", "of a partition's own command" },
	{ "approve, request", "command", "s", "" },
	{ "approve, request", "meaning", "s", "" },
	{ "approve, request", "class", "s", "of actions" },
	{ "approve, request", "nonce", "h", "" },
	{ "approve, request", "*", "*", "the command's fields, by their names" },
	{ "approve", "key", "h", "SHA-384 of the public key" },
	{ "approve", "approval", "s", "the file" },
	{ "request", "request", "s", "the file" },
	{ "request", "good_for_seconds", "i", "" },

	{ "audit status", "log", "h", "id" },
	{ "audit status", "first", "i", "record" },
	{ "audit status", "last", "i", "record" },
	{ "audit status", "head", "h", "of the chain" },
	{ "audit status", "bytes", "i", "" },
	{ "audit status", "quota", "i", "bytes" },
	{ "audit status", "when_full", "s", "" },
	{ "audit status", "key_uses", "i", "0 none, 1 counted, 2 each one" },
	{ "audit show", "records", "t", "" },
	{ "audit show", "records.*", "*", "as texts: what the record has, audit.rst" },
	{ "audit export", "*", "*", "audit.rst" },

	{ "attest device, attest partition, attest key", "evidence", "s", "the file" },
	{ "attest device, attest partition, attest key", "bytes", "i", "" },
	{ "device certificate, device csr", "file", "s", "" },
	{ "device statement", "statement", "s", "the file" },
	{ "device show", "tampered", "b", "" },
	{ "device show", "tampers", "i", "number" },
	{ "device show", "old_copy", "b", "of the state was found" },
	{ "device show", "recoveries", "i", "number" },
	{ "device show", "erased", "s0", "when" },
	{ "device show", "fuse_counter", "i", "" },
	{ "device show, device lifecycle, bmc", "lifecycle", "s?", "" },
	{ "device show, bmc", "sensors", "t?", "" },
	{ "device show, bmc", "sensors.sensor", "s", "" },
	{ "device show, bmc", "sensors.value", "z", "" },
	{ "device show, bmc", "sensors.least", "z", "without alarm" },
	{ "device show, bmc", "sensors.largest", "z", "likewise" },
	{ "device show, bmc", "sensors.unit", "s?", "" },
	{ "device show, bmc", "sensors.alarm", "b", "" },
	{ "device show, bmc", "sensors.tripped", "b", "" },
	{ "bmc", "*", "*", "by the command: sideband.rst" },

	{ "export keys", "nonce", "h", "that the receipts are bound to" },
	{ "export keys", "keys", "i", "number" },
	{ "export keys", "exported", "t", "" },
	{ "export keys", "exported.file", "s", "" },
	{ "export keys", "exported.label", "s", "" },
	{ "export keys", "exported.id", "h", "" },
	{ "export keys", "exported.class", "i", "number of CKO" },
	{ "export keys", "exported.key_type", "i", "number of CKK" },
	{ "export keys", "exported.receipt", "s", "file" },
	{ "export keys", "left", "t", "" },
	{ "export keys", "left.handle", "i", "" },
	{ "export keys", "left.reason", "s", "" },

	{ "migrate-softhsm", "token", "s", "label" },
	{ "migrate-softhsm", "serial", "s", "" },
	{ "migrate-softhsm", "partition", "s", "" },
	{ "migrate-softhsm", "imported", "i", "number of objects" },
	{ "migrate-softhsm", "to_import", "i", "number, with --dry-run" },
	{ "migrate-softhsm", "present", "i", "number" },
	{ "migrate-softhsm", "not_imported", "i", "number" },
	{ "migrate-softhsm", "objects", "t", "" },
	{ "migrate-softhsm", "objects.kind", "s", "private key, secret key, public key, certificate, data or unknown" },
	{ "migrate-softhsm", "objects.type", "s", "RSA, EC ..." },
	{ "migrate-softhsm", "objects.label", "s", "" },
	{ "migrate-softhsm", "objects.id", "h", "" },
	{ "migrate-softhsm", "objects.state", "s", "imported, would be imported, there already, refused or damaged" },
	{ "migrate-softhsm", "objects.file", "s", "" },
	{ "migrate-softhsm", "objects.note", "s", "why" },

	{ "firmware status", "minimum_security_version", "i", "by the fuses" },
	{ "firmware status", "used_security_version", "i", "highest that has used a partition" },
	{ "firmware status", "last_update", "s", "how it ended" },
	{ "firmware status", "reason", "s?", "" },
	{ "firmware status", "firmware", "t", "" },
	{ "firmware status", "firmware.place", "s", "installed, a, b or staged" },
	{ "firmware status", "firmware.version", "s0", "" },
	{ "firmware status", "firmware.security_version", "i0", "" },
	{ "firmware status", "firmware.state", "s", "words: running, active ..." },
	{ "firmware status", "firmware.measurement", "h0", "" },
	{ "firmware stage, firmware update", "version", "s?", "" },
	{ "firmware stage, firmware update", "measurement", "h?", "" },

	{ "driver status, driver load", "kernel", "s?", "release" },
	{ "driver status, driver load", "loaded", "b?", "" },
	{ "driver status, driver load", "builtin", "b?", "" },
	{ "driver status, driver load", "module_state", "s?", "" },
	{ "driver status, driver load", "loaded_version", "s?", "" },
	{ "driver status, driver load", "users", "i?", "" },
	{ "driver status, driver load", "module", "s?", "its file" },
	{ "driver status, driver load", "version", "s?", "" },
	{ "driver status, driver load", "vermagic", "s?", "" },
	{ "driver status, driver load", "fits_kernel", "b?", "" },
	{ "driver status, driver load", "signature", "s?", "a hash's name or none" },
	{ "driver status, driver load", "signer", "s?", "" },
	{ "driver status, driver load", "signature_needed", "b?", "" },
	{ "driver status, driver load", "lockdown", "s?", "" },
	{ "driver status, driver load", "functions", "t?", "" },
	{ "driver status, driver load", "functions.address", "s", "" },
	{ "driver status, driver load", "functions.driver", "s", "or none" },
	{ "driver status, driver load", "functions.*", "*", "device, state, function, firmware: null when not known" },
};
/* clang-format on */

#define N_MEMBERS (sizeof(members) / sizeof(members[0]))

/* ---- the table ---- */

/* Is @verb one of those between the commas? */
static bool is_of(const char *verbs, const char *verb)
{
	size_t length = strlen(verb);

	for (const char *at = verbs; at; at = strchr(at, ',')) {
		at += strspn(at, ", ");
		if (!strncmp(at, verb, length) && (!at[length] || at[length] == ','))
			return true;
	}
	return false;
}

/* ---- JSON Schema ---- */

static struct json_object *text(const char *value)
{
	return json_object_new_string(value);
}

static const char *type_of(char form)
{
	switch (form) {
	case 'i':
	case 'z':
		return "integer";
	case 'b':
		return "boolean";
	case 'l':
	case 't':
		return "array";
	default:
		return "string";
	}
}

static struct json_object *new_object(void)
{
	struct json_object *schema = json_object_new_object();

	json_object_object_add(schema, "type", text("object"));
	json_object_object_add(schema, "properties", json_object_new_object());
	json_object_object_add(schema, "required", json_object_new_array());
	json_object_object_add(schema, "additionalProperties", json_object_new_boolean(false));
	return schema;
}

static void put_details(struct json_object *schema, const struct member *member)
{
	struct json_object *items;

	if (*member->form == 'h')
		json_object_object_add(schema, "pattern", text("^([0-9a-f][0-9a-f])*$"));
	if (*member->form == 'u')
		json_object_object_add(schema, "pattern",
				       text("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"));
	if (*member->form == 'i')
		json_object_object_add(schema, "minimum", json_object_new_int(0));
	if (*member->form == 't')
		json_object_object_add(schema, "items", new_object());
	if (*member->form == 'l') {
		items = json_object_new_object();
		json_object_object_add(items, "type", text("string"));
		json_object_object_add(schema, "items", items);
	}
	if (*member->meaning)
		json_object_object_add(schema, "description", text(member->meaning));
}

static struct json_object *value_schema(const struct member *member)
{
	struct json_object *schema = json_object_new_object(), *types;

	if (strchr(member->form, '0')) {
		types = json_object_new_array();
		json_object_array_add(types, text(type_of(*member->form)));
		json_object_array_add(types, text("null"));
		json_object_object_add(schema, "type", types);
	} else {
		json_object_object_add(schema, "type", text(type_of(*member->form)));
	}
	put_details(schema, member);
	return schema;
}

/* The object that the member belongs to, and the last word of its name */
static struct json_object *owner_of(struct json_object *object, const char *name, const char **last)
{
	const char *dot = strchr(name, '.');
	struct json_object *table;
	char first[64];

	*last = dot ? dot + 1 : name;
	if (!dot)
		return object;
	snprintf(first, sizeof(first), "%.*s", (int)(dot - name), name);
	table = json_object_object_get(json_object_object_get(object, "properties"), first);
	return json_object_object_get(table, "items");
}

static void put_member(struct json_object *object, const struct member *member)
{
	const char *last;
	struct json_object *owner = owner_of(object, member->name, &last);

	if (*member->form == '*') {
		json_object_object_add(owner, "additionalProperties",
				       json_object_new_boolean(true));
		return;
	}
	json_object_object_add(json_object_object_get(owner, "properties"), last,
			       value_schema(member));
	if (!strchr(member->form, '?'))
		json_object_array_add(json_object_object_get(owner, "required"), text(last));
}

/* A partition's policy has its names from its own table. */
static void put_policy(struct json_object *object)
{
	const struct hsm_policy_info *info;
	char name[64];

	for (size_t i = 0; (info = hsm_policy_at(i)); i++) {
		snprintf(name, sizeof(name), "%s", info->option);
		for (char *p = name; *p; p++)
			if (*p == '-')
				*p = '_';
		put_member(object, &(struct member){ "", name, "i", "" });
	}
}

static struct json_object *object_of(const char *verb)
{
	struct json_object *object = new_object();

	if (!strcmp(verb, "policy") || !strcmp(verb, "partition show"))
		put_policy(object);
	for (size_t i = 0; i < N_MEMBERS; i++)
		if (is_of(members[i].verbs, verb))
			put_member(object, &members[i]);
	return object;
}

static struct json_object *reference(const char *name)
{
	struct json_object *object = json_object_new_object();
	char path[64];

	snprintf(path, sizeof(path), "#/$defs/%s", name);
	json_object_object_add(object, "$ref", text(path));
	return object;
}

/* What a verb has done, what it asks to be approved, or an error, with what it had found out before */
struct json_object *schema_of_verb(const char *verb, bool approved)
{
	struct json_object *schema = json_object_new_object(), *any = json_object_new_array();

	json_object_array_add(any, object_of(verb));
	if (approved)
		json_object_array_add(any, object_of("request"));
	json_object_array_add(any, reference("error"));
	json_object_object_add(schema, "anyOf", any);
	return schema;
}

static const struct member error_members[] = {
	{ "", "layer", "s", "transport, device, channel, ... or hsmctl" },
	{ "", "code", "s?", "of PKCS#11, when the device refused" },
	{ "", "text", "s", "" },
	{ "", "exit", "i", "exit status" },
};

struct json_object *schema_of_error(void)
{
	struct json_object *schema = new_object(), *error = new_object();

	for (size_t i = 0; i < sizeof(error_members) / sizeof(error_members[0]); i++)
		put_member(error, &error_members[i]);
	json_object_object_add(json_object_object_get(schema, "properties"), "error", error);
	json_object_array_add(json_object_object_get(schema, "required"), text("error"));
	json_object_object_add(schema, "additionalProperties", json_object_new_boolean(true));
	return schema;
}
