// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl's verbs of a device officer about partitions: create, update, list, show, assign,
 * destroy.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <hsm/pkcs11.h>
#include "hsmctl-approval.h"
#include "tool-nearest.h"

/* One record with its numbers in the machine's byte order and its name ended */
struct record {
	struct hsm_partition_status status;
	char name[sizeof(((struct hsm_partition_status *)0)->name) + 1];
};

static void read_record(struct record *record, const uint8_t *data)
{
	struct hsm_partition_status *status = &record->status;

	memcpy(status, data, sizeof(*status));
	status->function = le32toh(status->function);
	status->slot = le32toh(status->slot);
	status->profile = le32toh(status->profile);
	status->max_objects = le32toh(status->max_objects);
	status->max_sessions = le32toh(status->max_sessions);
	status->max_bytes = le32toh(status->max_bytes);
	memcpy(record->name, status->name, sizeof(status->name));
	record->name[sizeof(status->name)] = '\0';
}

static void put_record(struct json_object *object, const struct record *record)
{
	const struct hsm_partition_status *status = &record->status;

	put_number(object, "slot", status->slot);
	put_string(object, "partition", record->name);
	put_number(object, "function", status->function);
	put_string(object, "profile", hsm_profile_name(status->profile) ?: "unknown");
	put_number(object, "max_objects", status->max_objects);
	put_number(object, "max_sessions", status->max_sessions);
	put_number(object, "max_bytes", status->max_bytes);
	put_id(object, "id", status->id);
}

static struct json_object *record_row(const struct record *record)
{
	struct json_object *row = json_object_new_object();

	put_record(row, record);
	return row;
}

/* ---- the list, and one of it ---- */

/* All records as they came, in as many answers as it took */
struct records {
	uint8_t *data;
	size_t count;
};

static int add_records(struct ctl *ctl, struct records *records, const struct hsm_fields *fields)
{
	const size_t size = sizeof(struct hsm_partition_status);
	size_t length;
	const uint8_t *data = hsm_fields_bytes(fields, HSM_FIELD_RECORDS, &length);
	uint8_t *more = realloc(records->data, records->count * size + length + 1);

	if (!more)
		return fail(ctl, CTL_DEVICE, "out of memory");
	records->data = more;
	if (length)
		memcpy(more + records->count * size, data, length);
	records->count += length / size;
	return CTL_OK;
}

/* The records from slot number *@from on. *@from becomes the next one, or 0: these were the last. */
static int fetch_some(struct ctl *ctl, struct link *link, struct records *records, uint32_t *from)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_PARTITION_LIST);
	uint32_t next = 0;
	int code = CTL_DEVICE;

	if (request) {
		hsm_put_u32(hsm_request_writer(request), HSM_FIELD_SLOT, *from);
		code = link_call(ctl, request);
	}
	if (!code) {
		next = hsm_fields_u64(hsm_request_fields(request), HSM_FIELD_SLOT, 0);
		code = add_records(ctl, records, hsm_request_fields(request));
	}
	/* A device that goes round in circles is no reason to do so as well. */
	*from = next > *from ? next : 0;
	hsm_request_free(request);
	return code;
}

/* @records: to be freed by the caller in any case */
static int fetch_records(struct ctl *ctl, struct link *link, struct records *records)
{
	uint32_t from = 0;
	int code;

	do
		code = fetch_some(ctl, link, records, &from);
	while (!code && from);
	return code;
}

static bool record_is(const struct record *record, const char *which)
{
	uint8_t id[HSM_PARTITION_ID_SIZE];
	uint32_t slot;

	if (!parse_u32(which, &slot) && record->status.slot == slot)
		return true;
	return !parse_id(which, id) && !memcmp(record->status.id, id, sizeof(id));
}

static int no_partition(struct ctl *ctl, const struct records *records, const char *which)
{
	struct nearest nearest;
	struct record record;
	char hint[2 * NEAREST_MAX];

	nearest_begin(&nearest, which);
	for (size_t i = 0; i < records->count; i++) {
		read_record(&record, records->data + i * sizeof(record.status));
		nearest_try(&nearest, record.name);
	}
	return fail(ctl, CTL_REFUSED,
		    "the device has no partition '%s'%s hsmctl partition list shows all", which,
		    nearest_hint(&nearest, hint, sizeof(hint)));
}

/* A name that fits goes before a slot number or id that looks the same. */
static int search(struct ctl *ctl, const struct records *records, const char *which,
		  struct record *found)
{
	const uint8_t *data = records->data;
	size_t count = records->count, hits = 0;
	struct record record;

	for (size_t i = 0; i < count; i++) {
		read_record(&record, data + i * sizeof(record.status));
		if (!strcmp(record.name, which)) {
			*found = record;
			hits++;
		}
	}
	for (size_t i = 0; !hits && i < count; i++) {
		read_record(found, data + i * sizeof(record.status));
		hits = record_is(found, which);
	}
	if (!hits)
		return no_partition(ctl, records, which);
	if (hits > 1)
		return fail(ctl, CTL_USAGE, "%zu partitions are named '%s'; use the slot number",
			    hits, which);
	return CTL_OK;
}

/* Open the way to the officer's partition and find the record of @which. */
static int find_record(struct ctl *ctl, struct link *link, const char *which, struct record *found)
{
	struct records records = { 0 };
	int code = link_officer(ctl, link);

	if (!code)
		code = fetch_records(ctl, link, &records);
	if (!code)
		code = search(ctl, &records, which, found);
	free(records.data);
	return code;
}

int partition_id(struct ctl *ctl, struct link *link, const char *which,
		 uint8_t id[HSM_PARTITION_ID_SIZE])
{
	struct records records = { 0 };
	struct record record;
	int code = fetch_records(ctl, link, &records);

	if (!code)
		code = search(ctl, &records, which, &record);
	if (!code)
		memcpy(id, record.status.id, HSM_PARTITION_ID_SIZE);
	free(records.data);
	return code;
}

static void list_records(struct ctl *ctl, const struct records *records)
{
	struct json_object *rows = json_object_new_array();
	struct record record;

	for (size_t i = 0; i < records->count; i++) {
		read_record(&record, records->data + i * sizeof(record.status));
		json_object_array_add(rows, record_row(&record));
	}
	json_object_object_add(ctl->result, "partitions", rows);
}

int verb_partition_list(struct ctl *ctl, char **args)
{
	struct records records = { 0 };
	struct link link = { 0 };
	int code = link_officer(ctl, &link);

	(void)args;
	if (!code)
		code = fetch_records(ctl, &link, &records);
	if (!code)
		list_records(ctl, &records);
	free(records.data);
	link_close(&link);
	return code;
}

static int show_policy(struct ctl *ctl, struct link *link, const struct record *record)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_PARTITION_POLICY);
	int code;

	if (!request)
		return CTL_DEVICE;
	hsm_put_bytes(hsm_request_writer(request), HSM_FIELD_PARTITION, record->status.id,
		      HSM_PARTITION_ID_SIZE);
	code = link_call(ctl, request);
	if (!code)
		policy_result(ctl->result, hsm_request_fields(request), HSM_POLICY_KEPT);
	hsm_request_free(request);
	return code;
}

int verb_partition_show(struct ctl *ctl, char **args)
{
	struct record record;
	struct link link = { 0 };
	int code = find_record(ctl, &link, args[0], &record);

	if (!code) {
		put_record(ctl->result, &record);
		code = show_policy(ctl, &link, &record);
	}
	link_close(&link);
	return code;
}

/* ---- create ---- */

/* The device would say no more than that a value is wrong. */
static int check_function(struct ctl *ctl, struct link *link, uint32_t function)
{
	struct hsm_device_info info;
	struct hsm_error error = { 0 };

	if (hsm_device_info(link->device, &info, &error))
		return fail_hsm(ctl, &error);
	if (function < info.functions)
		return CTL_OK;
	return fail(ctl, CTL_REFUSED,
		    "there is no function %u: the device has 1 to %u for partitions", function,
		    info.functions - 1);
}

static int put_function(struct ctl *ctl, struct link *link, struct hsm_writer *writer)
{
	uint32_t function;
	int code;

	if (!ctl->function)
		return CTL_OK;
	if (parse_u32(ctl->function, &function))
		return fail(ctl, CTL_USAGE, "--function: '%s' is no number", ctl->function);
	code = check_function(ctl, link, function);
	if (!code)
		hsm_put_u32(writer, HSM_FIELD_FUNCTION, function);
	return code;
}

static int send_create(struct ctl *ctl, struct link *link, struct hsm_request *request,
		       const char *name)
{
	struct hsm_writer *writer = hsm_request_writer(request);
	const struct hsm_fields *fields;
	const uint8_t *id;
	size_t length;
	int code;

	hsm_put_bytes(writer, HSM_FIELD_NAME, name, strlen(name));
	code = put_function(ctl, link, writer) ?: policy_options(ctl, writer) ?: link_call(ctl, request);
	if (code)
		return code;
	fields = hsm_request_fields(request);
	id = hsm_fields_bytes(fields, HSM_FIELD_PARTITION, &length);
	put_string(ctl->result, "partition", name);
	put_number(ctl->result, "slot", hsm_fields_u64(fields, HSM_FIELD_SLOT, 0));
	if (length == HSM_PARTITION_ID_SIZE)
		put_id(ctl->result, "id", id);
	return CTL_OK;
}

static int check_name(struct ctl *ctl, const char *name)
{
	if (*name && strlen(name) < sizeof(((struct hsm_partition_status *)0)->name))
		return CTL_OK;
	return fail(ctl, CTL_USAGE, "a partition's name has 1 to 63 bytes");
}

int verb_partition_create(struct ctl *ctl, char **args)
{
	struct hsm_request *request;
	struct link link = { 0 };
	int code;

	code = check_name(ctl, args[0]) ?: link_officer(ctl, &link);
	if (!code) {
		request = link_request(ctl, &link, HSM_OP_PARTITION_CREATE);
		code = request ? send_create(ctl, &link, request, args[0]) : CTL_DEVICE;
		hsm_request_free(request);
	}
	link_close(&link);
	return code;
}

/* ---- update ---- */

static int send_update(struct ctl *ctl, struct link *link, const struct record *record)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_PARTITION_UPDATE);
	struct hsm_writer *writer;
	int code;

	if (!request)
		return CTL_DEVICE;
	writer = hsm_request_writer(request);
	hsm_put_bytes(writer, HSM_FIELD_PARTITION, record->status.id, HSM_PARTITION_ID_SIZE);
	if (ctl->name)
		hsm_put_bytes(writer, HSM_FIELD_NAME, ctl->name, strlen(ctl->name));
	if (ctl->relax)
		hsm_put_u64(writer, HSM_FIELD_FLAGS, HSM_UPDATE_RELAX);
	code = policy_options(ctl, writer);
	if (!code)
		code = approval_try(ctl, link, request, HSM_OP_PARTITION_UPDATE);
	if (code || approval_is_asked(ctl))
		;
	else if (hsm_request_rv(request) == CKR_ACTION_PROHIBITED && !ctl->relax)
		code = fail(ctl, CTL_REFUSED,
			    "CKR_ACTION_PROHIBITED: that would make the policy less strict; "
			    "say --relax if it is meant");
	else
		code = approval_answer(ctl, request);
	hsm_request_free(request);
	return code;
}

int verb_partition_update(struct ctl *ctl, char **args)
{
	struct record record;
	struct link link = { 0 };
	int code = ctl->name ? check_name(ctl, ctl->name) : CTL_OK;

	code = code ?: find_record(ctl, &link, args[0], &record) ?: send_update(ctl, &link, &record);
	link_close(&link);
	return code;
}

/* ---- assign and destroy ---- */

static int send_assign(struct ctl *ctl, struct link *link, const struct record *record,
		       uint32_t function)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_PARTITION_ASSIGN);
	struct hsm_writer *writer;
	int code;

	if (!request)
		return CTL_DEVICE;
	writer = hsm_request_writer(request);
	hsm_put_bytes(writer, HSM_FIELD_PARTITION, record->status.id, HSM_PARTITION_ID_SIZE);
	hsm_put_u32(writer, HSM_FIELD_FUNCTION, function);
	code = link_call(ctl, request);
	hsm_request_free(request);
	return code;
}

int verb_partition_assign(struct ctl *ctl, char **args)
{
	struct record record;
	struct link link = { 0 };
	uint32_t function;
	int code;

	if (parse_u32(args[1], &function))
		return fail(ctl, CTL_USAGE,
			    "'%s' is no function number; 0 takes the partition from its function",
			    args[1]);
	code = find_record(ctl, &link, args[0], &record) ?: check_function(ctl, &link, function);
	if (!code)
		code = send_assign(ctl, &link, &record, function);
	if (!code) {
		record.status.function = function;
		put_record(ctl->result, &record);
	}
	link_close(&link);
	return code;
}

static int send_destroy(struct ctl *ctl, struct link *link, const struct record *record)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_PARTITION_DESTROY);
	int code;

	if (!request)
		return CTL_DEVICE;
	hsm_put_bytes(hsm_request_writer(request), HSM_FIELD_PARTITION, record->status.id,
		      HSM_PARTITION_ID_SIZE);
	code = approval_call(ctl, link, request, HSM_OP_PARTITION_DESTROY);
	hsm_request_free(request);
	return code;
}

int verb_partition_destroy(struct ctl *ctl, char **args)
{
	struct record record;
	struct link link = { 0 };
	int code = find_record(ctl, &link, args[0], &record);

	if (!code && !approval_is_asked(ctl))
		code = confirm(ctl,
			       "Partition %s (slot %u) and all its keys will be gone for good.",
			       record.name, record.status.slot);
	if (!code)
		code = send_destroy(ctl, &link, &record);
	link_close(&link);
	return code;
}
