// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl's verbs about a whole device: list, info, identity, status, claim.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <hsm/board.h>
#include <hsm/pkcs11.h>
#include "hsmctl.h"

static const char *const state_names[] = {
	[IHSM_STATE_UNCLAIMED] = "unclaimed", [IHSM_STATE_OPERATIONAL] = "operational",
	[IHSM_STATE_TAMPERED] = "tampered",   [IHSM_STATE_RECOVERY] = "recovery",
	[IHSM_STATE_ERROR] = "error",	      [IHSM_STATE_RETIRED] = "retired",
};

/* No text of ours says less or more of approved mode. */
#define APPROVED "approved algorithms in an unvalidated build"

const char *state_name(uint32_t state)
{
	if (state >= sizeof(state_names) / sizeof(state_names[0]))
		return "unknown";
	return state_names[state];
}

/* An array member of the result. */
static struct json_object *put_array(struct json_object *object, const char *key)
{
	struct json_object *array = json_object_new_array();

	json_object_object_add(object, key, array);
	return array;
}

/* ---- list ---- */

/* A device without partitions has one row too, with nothing in these columns. */
static void list_partition(struct json_object *rows, const char *device,
			   const struct hsm_device_info *info,
			   const struct hsm_partition_info *partition)
{
	struct json_object *row = json_object_new_object();

	put_string(row, "device", device);
	put_number(row, "function", info->function);
	put_string(row, "state", state_name(info->state));
	if (partition) {
		put_number(row, "slot", partition->slot);
		put_string(row, "partition", partition->name);
		put_id(row, "id", partition->id);
	} else {
		json_object_object_add(row, "slot", NULL);
		json_object_object_add(row, "partition", NULL);
		json_object_object_add(row, "id", NULL);
	}
	json_object_array_add(rows, row);
}

static int list_open_device(struct ctl *ctl, struct hsm_device *device, const char *name,
			    struct json_object *rows)
{
	struct hsm_partition_info list[PARTITIONS_MAX];
	struct hsm_device_info info;
	struct hsm_error error = { 0 };
	size_t count;
	int code;

	if (hsm_device_info(device, &info, &error))
		return fail_hsm(ctl, &error);
	code = link_partitions(ctl, device, list, &count);
	for (size_t i = 0; i < count; i++)
		list_partition(rows, name, &info, &list[i]);
	if (!code && !count)
		list_partition(rows, name, &info, NULL);
	return code;
}

static int list_device(struct ctl *ctl, const char *name, struct json_object *rows)
{
	struct hsm_device *device = NULL;
	struct hsm_error error = { 0 };
	int code;

	if (hsm_open(name, 0, &device, &error))
		return fail_hsm(ctl, &error);
	code = list_open_device(ctl, device, name, rows);
	hsm_close(device);
	return code;
}

/* One device that cannot be reached does not hide the others; the exit code tells. */
static int list_all(struct ctl *ctl, struct json_object *rows)
{
	struct hsm_error error = { 0 };
	char **names = NULL;
	int count = hsm_default_devices(&names, &error);
	int code = CTL_OK;

	if (count < 0)
		return fail_hsm(ctl, &error);
	if (!count)
		code = fail(
			ctl, CTL_DEVICE,
			"no device: set HSM_DEVICE=vhsm:DIR, name one with -d, or see hsm.conf(5)");
	for (int i = 0; i < count; i++)
		code = list_device(ctl, names[i], rows) ?: code;
	hsm_free_names(names);
	return code;
}

int verb_list(struct ctl *ctl, char **args)
{
	struct json_object *rows = put_array(ctl->result, "partitions");

	(void)args;
	return ctl->device ? list_device(ctl, ctl->device, rows) : list_all(ctl, rows);
}

/* ---- info ---- */

static void put_device_info(struct json_object *result, const struct hsm_device_info *info)
{
	put_string(result, "device", info->name);
	put_string(result, "model", info->model);
	put_string(result, "serial", info->serial);
	put_hex(result, "board_id", info->board_id, sizeof(info->board_id));
	put_string(result, "hardware", info->flags & IHSM_IDENTIFY_VIRTUAL ? "virtual" : "card");
	put_string(result, "state", state_name(info->state));
	if (info->flags & IHSM_IDENTIFY_APPROVED)
		put_string(result, "approved_mode", APPROVED);
	put_string(result, "firmware", info->firmware);
	put_number(result, "security_version", info->security_version);
	if (info->min_security_version)
		put_number(result, "minimum_security_version", info->min_security_version);
	put_hex(result, "measurement", info->measurement, sizeof(info->measurement));
	put_string(result, "rollback_protection",
		   info->flags & IHSM_IDENTIFY_ROLLBACK_SAFE ? "fuses" : "none");
	put_number(result, "function", info->function);
	put_number(result, "functions", info->functions);
}

/* Labels and serial numbers are padded with blanks. */
static void put_padded(struct json_object *object, const char *key, const struct hsm_fields *fields,
		       enum hsm_field_tag tag)
{
	size_t length;
	const uint8_t *text = hsm_fields_bytes(fields, tag, &length);
	char copy[64];

	while (length && (text[length - 1] == ' ' || !text[length - 1]))
		length--;
	snprintf(copy, sizeof(copy), "%.*s", (int)length, (const char *)text ?: "");
	put_string(object, key, copy);
}

static const char *pin_state(uint64_t flags, uint64_t set, uint64_t low, uint64_t final,
			     uint64_t locked, uint64_t expired)
{
	if (!(flags & set))
		return "not set";
	if (flags & locked)
		return "locked";
	if (flags & final)
		return "last try";
	if (flags & expired)
		return "expired";
	return flags & low ? "wrong tries" : "set";
}

static void put_token_info(struct json_object *row, const struct hsm_fields *fields)
{
	uint64_t flags = hsm_fields_u64(fields, HSM_FIELD_FLAGS, 0);

	put_padded(row, "label", fields, HSM_FIELD_LABEL);
	put_padded(row, "serial", fields, HSM_FIELD_SERIAL);
	put_string(row, "profile",
		   hsm_profile_name(hsm_fields_u64(fields, HSM_FIELD_PROFILE, 0)) ?: "unknown");
	put_bool(row, "initialized", flags & CKF_TOKEN_INITIALIZED);
	put_string(row, "so_pin",
		   pin_state(flags, CKF_TOKEN_INITIALIZED, CKF_SO_PIN_COUNT_LOW,
			     CKF_SO_PIN_FINAL_TRY, CKF_SO_PIN_LOCKED, CKF_SO_PIN_TO_BE_CHANGED));
	put_string(row, "user_pin",
		   pin_state(flags, CKF_USER_PIN_INITIALIZED, CKF_USER_PIN_COUNT_LOW,
			     CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_LOCKED,
			     CKF_USER_PIN_TO_BE_CHANGED));
	put_number(row, "pin_min", hsm_fields_u64(fields, HSM_FIELD_MIN, 0));
	put_number(row, "pin_max", hsm_fields_u64(fields, HSM_FIELD_MAX, 0));
	put_number(row, "memory", hsm_fields_u64(fields, HSM_FIELD_TOTAL_MEMORY, 0));
	put_number(row, "free", hsm_fields_u64(fields, HSM_FIELD_FREE_MEMORY, 0));
}

static int info_token(struct ctl *ctl, struct link *link, struct json_object *rows)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_TOKEN_INFO);
	struct json_object *row;
	int code;

	if (!request)
		return CTL_DEVICE;
	code = link_call(ctl, request);
	if (!code) {
		row = json_object_new_object();
		put_number(row, "slot", link->partition.slot);
		put_string(row, "partition", link->partition.name);
		put_token_info(row, hsm_request_fields(request));
		json_object_array_add(rows, row);
	}
	hsm_request_free(request);
	return code;
}

static int info_partition(struct ctl *ctl, struct link *link,
			  const struct hsm_partition_info *partition, struct json_object *rows)
{
	struct hsm_error error = { 0 };
	int code;

	link->partition = *partition;
	if (hsm_connect(link->device, partition->id, &link->channel, &error))
		return fail_hsm(ctl, &error);
	code = info_token(ctl, link, rows);
	hsm_disconnect(link->channel);
	link->channel = NULL;
	return code;
}

static int info_open_device(struct ctl *ctl, struct link *link)
{
	struct hsm_partition_info list[PARTITIONS_MAX];
	struct hsm_device_info info;
	struct hsm_error error = { 0 };
	struct json_object *rows;
	size_t count;
	int code;

	if (hsm_device_info(link->device, &info, &error))
		return fail_hsm(ctl, &error);
	code = link_partitions(ctl, link->device, list, &count);
	if (code)
		return code;
	put_device_info(ctl->result, &info);
	rows = put_array(ctl->result, "tokens");
	for (size_t i = 0; i < count; i++)
		code = info_partition(ctl, link, &list[i], rows) ?: code;
	return code;
}

int verb_info(struct ctl *ctl, char **args)
{
	struct link link = { 0 };
	int code = link_open(ctl, 0, &link);

	(void)args;
	if (!code)
		code = info_open_device(ctl, &link);
	link_close(&link);
	return code;
}

/* ---- identity ---- */

static int identity_partition(struct ctl *ctl, struct link *link,
			      const struct hsm_partition_info *partition, struct json_object *list)
{
	uint8_t hash[HSM_IDENTITY_SIZE];
	struct hsm_error error = { 0 };
	struct json_object *text;
	char line[128];
	int err;

	if (hsm_connect(link->device, partition->id, &link->channel, &error))
		return fail_hsm(ctl, &error);
	err = hsm_channel_identity(link->channel, hash);
	hsm_disconnect(link->channel);
	link->channel = NULL;
	if (err)
		return fail(ctl, CTL_CHANNEL, "the channel to %s was lost", partition->name);
	text = json_object_new_object();
	put_id(text, "id", partition->id);
	put_hex(text, "hash", hash, sizeof(hash));
	snprintf(line, sizeof(line), "%s sha256:%s",
		 json_object_get_string(json_object_object_get(text, "id")),
		 json_object_get_string(json_object_object_get(text, "hash")));
	json_object_put(text);
	json_object_array_add(list, json_object_new_string(line));
	return CTL_OK;
}

static int identity_open_device(struct ctl *ctl, struct link *link)
{
	struct hsm_partition_info list[PARTITIONS_MAX];
	struct hsm_error error = { 0 };
	struct json_object *pins;
	size_t count = PARTITIONS_MAX;
	int code = CTL_OK;

	if (hsm_partitions(link->device, list, &count, &error))
		return fail_hsm(ctl, &error);
	pins = put_array(ctl->result, "pin");
	for (size_t i = 0; i < count; i++)
		code = identity_partition(ctl, link, &list[i], pins) ?: code;
	return code;
}

int verb_identity(struct ctl *ctl, char **args)
{
	struct link link = { 0 };
	int code = link_open(ctl, 0, &link);

	(void)args;
	if (!code)
		code = identity_open_device(ctl, &link);
	link_close(&link);
	return code;
}

/* ---- status ---- */

static int board_status(struct ctl *ctl, struct link *link, struct json_object *result,
			uint64_t *flags)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_DEVICE_STATUS);
	const struct hsm_fields *fields;
	int code = request ? link_call(ctl, request) : CTL_DEVICE;

	if (code)
		goto out;
	fields = hsm_request_fields(request);
	*flags = hsm_fields_u64(fields, HSM_FIELD_FLAGS, 0);
	if (!result)
		goto out;
	put_bool(result, "claimed", *flags & BOARD_HELLO_CLAIMED);
	put_bool(result, "embedded", *flags & BOARD_HELLO_EMBEDDED);
	put_bool(result, "officer", hsm_fields_u64(fields, HSM_FIELD_STATE, 0) == 1);
	if (*flags & BOARD_HELLO_APPROVED)
		put_string(result, "approved_mode", APPROVED);
	put_string(result, "rollback_protection",
		   *flags & BOARD_HELLO_ROLLBACK_SAFE ? "fuses" : "none");
	put_string(result, "fuse_secret", *flags & BOARD_HELLO_SECRET_SAFE ? "protected" : "file");
	put_number(result, "fuse_counter", hsm_fields_u64(fields, HSM_FIELD_COUNTER, 0));
	put_number(result, "functions", hsm_fields_u64(fields, HSM_FIELD_COUNT, 0));
out:
	hsm_request_free(request);
	return code;
}

int verb_status(struct ctl *ctl, char **args)
{
	struct hsm_device_info info;
	struct hsm_error error = { 0 };
	struct link link = { 0 };
	uint64_t flags;
	int code = link_admin(ctl, &link);

	(void)args;
	if (!code && hsm_device_info(link.device, &info, &error))
		code = fail_hsm(ctl, &error);
	if (!code) {
		put_string(ctl->result, "device", info.name);
		put_string(ctl->result, "state", state_name(info.state));
		code = board_status(ctl, &link, ctl->result, &flags);
	}
	link_close(&link);
	return code;
}

/* ---- self-test ---- */

static int put_self_test(struct ctl *ctl, struct hsm_request *request)
{
	const struct hsm_fields *fields = hsm_request_fields(request);
	struct hsm_error error = { 0 };
	const uint8_t *name;
	char copy[65];
	size_t length;

	if (hsm_call(request, &error))
		return fail_hsm(ctl, &error);
	put_string(ctl->result, "self_test", hsm_request_rv(request) ? "failed" : "passed");
	put_number(ctl->result, "tests", hsm_fields_u64(fields, HSM_FIELD_TESTS, 0));
	name = hsm_fields_bytes(fields, HSM_FIELD_FAILED_TEST, &length);
	if (name) {
		snprintf(copy, sizeof(copy), "%.*s", (int)length, (const char *)name);
		put_string(ctl->result, "failed_test", copy);
	}
	return hsm_request_rv(request) ? fail_rv(ctl, hsm_request_rv(request)) : CTL_OK;
}

int verb_self_test(struct ctl *ctl, char **args)
{
	struct link link = { 0 };
	struct hsm_request *request;
	int code = link_partition(ctl, ctl->partition, &link);

	(void)args;
	if (!code) {
		request = link_request(ctl, &link, HSM_OP_SELF_TEST);
		code = request ? put_self_test(ctl, request) : CTL_DEVICE;
		hsm_request_free(request);
	}
	link_close(&link);
	return code;
}

/* ---- claim ---- */

static int send_claim(struct ctl *ctl, struct link *link, const struct secret *claim,
		      const struct secret *pin)
{
	const struct field fields[] = {
		SECRET_FIELD(HSM_FIELD_NEW_PIN, pin),
		SECRET_FIELD(claim->length ? HSM_FIELD_CODE : 0, claim),
		{ 0 },
	};

	return link_send(ctl, link, HSM_OP_CLAIM, fields);
}

/* The owner of an embedded board needs no code, every other board has one. */
int verb_claim(struct ctl *ctl, char **args)
{
	struct secret claim = { 0 }, pin = { 0 };
	struct link link = { 0 };
	uint64_t flags = 0;
	bool given = ctl->code.file || ctl->code.fd || ctl->code.credential;
	int code = link_admin(ctl, &link);

	(void)args;
	ctl->new_pin.prompt = "New officer PIN";
	if (!code)
		code = board_status(ctl, &link, NULL, &flags);
	if (!code && (flags & BOARD_HELLO_CLAIMED))
		code = fail(ctl, CTL_REFUSED, "the device has an officer already");
	if (!code && (given || !(flags & BOARD_HELLO_EMBEDDED)))
		code = secret_read(ctl, &ctl->code, &claim);
	if (!code)
		code = secret_read(ctl, &ctl->new_pin, &pin);
	if (!code)
		code = send_claim(ctl, &link, &claim, &pin);
	link_close(&link);
	secret_clear(&claim);
	secret_clear(&pin);
	return code;
}
