// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl's verbs about the board's life: its condition and sensors, the signed statement of them, the
 * next state of its life, and what officers decide after tampering or about an old copy.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <hsm/board.h>
#include <hsm/lifecycle.h>
#include "hsmctl.h"
#include "hsmctl-approval.h"

/* ---- device show ---- */

/* Units of struct ihsm_sensor, by kind */
static const char *const units[] = {
	[IHSM_SENSOR_TEMPERATURE] = "m\302\260C",
	[IHSM_SENSOR_VOLTAGE] = "mV",
	[IHSM_SENSOR_CLOCK] = "ppm",
	[IHSM_SENSOR_ENCLOSURE] = "",
};

static void put_reading(struct json_object *row, const char *key, uint32_t wire)
{
	json_object_object_add(row, key, json_object_new_int((int32_t)le32toh(wire)));
}

static void put_sensor(struct json_object *rows, const struct hsm_sensor_status *sensor)
{
	struct json_object *row = json_object_new_object();
	uint32_t kind = le32toh(sensor->kind), flags = le32toh(sensor->flags);
	char label[sizeof(sensor->label) + 1];

	snprintf(label, sizeof(label), "%.*s", (int)sizeof(sensor->label), sensor->label);
	put_string(row, "sensor", label);
	put_reading(row, "value", sensor->value);
	put_reading(row, "least", sensor->min);
	put_reading(row, "largest", sensor->max);
	put_string(row, "unit", kind < sizeof(units) / sizeof(units[0]) ? units[kind] ?: "" : "");
	put_bool(row, "alarm", flags & IHSM_SENSOR_ALARM);
	put_bool(row, "tripped", flags & IHSM_SENSOR_TRIPPED);
	json_object_array_add(rows, row);
}

static void put_time(struct json_object *object, const char *key, uint64_t seconds)
{
	time_t when = (time_t)seconds;
	char text[32];
	struct tm utc;

	if (!seconds || !gmtime_r(&when, &utc) ||
	    !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc))
		json_object_object_add(object, key, NULL);
	else
		put_string(object, key, text);
}

static void put_condition(struct json_object *result, const struct hsm_fields *fields)
{
	uint64_t flags = hsm_fields_u64(fields, HSM_FIELD_FLAGS, 0);
	struct json_object *rows = json_object_new_array();
	struct hsm_sensor_status sensor;
	const uint8_t *list;
	size_t length;

	put_string(result, "lifecycle",
		   hsm_lifecycle_name((uint32_t)hsm_fields_u64(fields, HSM_FIELD_LIFECYCLE, 0)));
	put_bool(result, "tampered", flags & BOARD_HELLO_TAMPERED);
	put_number(result, "tampers", hsm_fields_u64(fields, HSM_FIELD_TAMPERS, 0));
	put_bool(result, "old_copy", flags & BOARD_HELLO_STALE);
	put_number(result, "recoveries", hsm_fields_u64(fields, HSM_FIELD_RECOVERIES, 0));
	put_time(result, "erased", hsm_fields_u64(fields, HSM_FIELD_ERASED, 0));
	put_number(result, "fuse_counter", hsm_fields_u64(fields, HSM_FIELD_COUNTER, 0));
	list = hsm_fields_bytes(fields, HSM_FIELD_SENSORS, &length);
	for (; list && length >= sizeof(sensor); list += sizeof(sensor), length -= sizeof(sensor)) {
		memcpy(&sensor, list, sizeof(sensor));
		put_sensor(rows, &sensor);
	}
	json_object_object_add(result, "sensors", rows);
}

int verb_device_show(struct ctl *ctl, char **args)
{
	struct hsm_request *request;
	struct link link = { 0 };
	int code = link_admin(ctl, &link);

	(void)args;
	if (!code) {
		request = link_request(ctl, &link, HSM_OP_DEVICE_CONDITION);
		code = request ? link_call(ctl, request) : CTL_DEVICE;
		if (!code)
			put_condition(ctl->result, hsm_request_fields(request));
		hsm_request_free(request);
	}
	link_close(&link);
	return code;
}

/* ---- device statement ---- */

static int get_statement(struct ctl *ctl, struct link *link, const uint8_t *nonce,
			 size_t nonce_length, const char *path)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_DEVICE_STATEMENT);
	const uint8_t *statement;
	size_t length;
	int code;

	if (!request)
		return CTL_DEVICE;
	if (nonce_length)
		hsm_put_bytes(hsm_request_writer(request), HSM_FIELD_NONCE, nonce, nonce_length);
	code = link_call(ctl, request);
	if (!code) {
		statement =
			hsm_fields_bytes(hsm_request_fields(request), HSM_FIELD_STATEMENT, &length);
		code = write_file(ctl, path, statement, length);
	}
	hsm_request_free(request);
	if (!code)
		put_string(ctl->result, "statement", path);
	return code;
}

int verb_device_statement(struct ctl *ctl, char **args)
{
	uint8_t nonce[NONCE_MAX];
	struct link link = { 0 };
	size_t length = 0;
	int code = CTL_OK;

	if (ctl->nonce)
		code = take_hex(ctl, "nonce", ctl->nonce, nonce, 8, &length);
	if (!code)
		code = link_admin(ctl, &link);
	if (!code)
		code = get_statement(ctl, &link, nonce, length, args[0]);
	link_close(&link);
	return code;
}

/* ---- device lifecycle ---- */

static int send_lifecycle(struct ctl *ctl, struct link *link, uint32_t next)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_DEVICE_LIFECYCLE);
	int code;

	if (!request)
		return CTL_DEVICE;
	hsm_put_u32(hsm_request_writer(request), HSM_FIELD_LIFECYCLE, next);
	code = approval_call(ctl, link, request, HSM_OP_DEVICE_LIFECYCLE);
	hsm_request_free(request);
	return code;
}

int verb_device_lifecycle(struct ctl *ctl, char **args)
{
	uint32_t next = hsm_lifecycle_parse(args[0]);
	struct link link = { 0 };
	int code;

	if (!next)
		return fail(ctl, CTL_USAGE,
			    "'%s' is no state: production, returned or decommissioned", args[0]);
	code = link_officer(ctl, &link);
	if (!code)
		code = confirm(
			ctl,
			"All partitions, keys and officers of the device will be gone for good, "
			"and there is no way back from %s.",
			args[0]);
	if (!code)
		code = send_lifecycle(ctl, &link, next);
	if (!code)
		put_string(ctl->result, "lifecycle", args[0]);
	link_close(&link);
	return code;
}

/* ---- device recover ---- */

/* @id: of a partition, NULL: all of the state */
static int send_recover(struct ctl *ctl, struct link *link, const uint8_t *id)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_DEVICE_RECOVER);
	int code;

	if (!request)
		return CTL_DEVICE;
	if (id)
		hsm_put_bytes(hsm_request_writer(request), HSM_FIELD_PARTITION, id,
			      HSM_PARTITION_ID_SIZE);
	code = approval_call(ctl, link, request, HSM_OP_DEVICE_RECOVER);
	hsm_request_free(request);
	return code;
}

int verb_device_recover(struct ctl *ctl, char **args)
{
	uint8_t id[HSM_PARTITION_ID_SIZE];
	struct link link = { 0 };
	int code;

	if (args[0] && parse_id(args[0], id))
		return fail(ctl, CTL_USAGE, "'%s' is no id of a partition", args[0]);
	code = link_officer(ctl, &link);
	if (!code)
		code = confirm(
			ctl, "What the device holds now will be taken for the present state, also "
			     "where it is an older one.");
	if (!code)
		code = send_recover(ctl, &link, args[0] ? id : NULL);
	link_close(&link);
	return code;
}
