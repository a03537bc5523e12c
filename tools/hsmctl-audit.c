// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl's verbs about audit logs: status, show, export, release. The device's log is named device; every other
 * name is a partition's. An export begins with a signed head over a nonce, so that it cannot end too early.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <hsm/cose.h>
#include <hsm/pkcs11.h>
#include "hsmctl.h"
#include "tool-audit.h"
#include "tool-file.h"

#define DEVICE_LOG "device"

/* ---- the way to a log ---- */

static int open_log(struct ctl *ctl, const char *name, struct link *link)
{
	if (name && !strcmp(name, DEVICE_LOG))
		return link_officer(ctl, link);
	ctl->partition = name ?: ctl->partition;
	return link_open_as(ctl, link, NULL);
}

/* ---- requests ---- */

static const uint8_t *answer_bytes(struct hsm_request *request, enum hsm_field_tag tag,
				   size_t *length)
{
	return hsm_fields_bytes(hsm_request_fields(request), tag, length);
}

/**
 * struct export - an export on its way out
 * @head, @signed_head: where the log stands, and the message that says so
 * @next: number of the record to come
 * @put: writes one record
 */
struct export
{
	struct hsm_audit_head head;
	uint8_t *signed_head;
	size_t signed_length;
	uint64_t next;
	FILE *out;
	int (*put)(struct ctl *ctl, struct export *export, const struct audit_item *item);
	struct json_object *rows;
	bool begun;
};

static int nonce_of(struct ctl *ctl, uint8_t nonce[HSM_AUDIT_NONCE_MAX], size_t *length)
{
	*length = 32;
	if (ctl->nonce)
		return take_hex(ctl, "nonce", ctl->nonce, nonce, HSM_AUDIT_NONCE_MIN, length);
	return getrandom(nonce, 32, 0) == 32 ? CTL_OK : CTL_DEVICE;
}

/* The head that a message says; whether that is true is for hsm-verify to say. */
static int read_head(struct ctl *ctl, const uint8_t *bytes, size_t length,
		     struct hsm_audit_head *head)
{
	struct hsm_cose *message = NULL;
	const uint8_t *payload;
	size_t size;
	int ret = hsm_cose_read(bytes, length, HSM_AUDIT_HEAD_TYPE, &message);

	if (!ret) {
		payload = hsm_cose_payload(message, &size);
		ret = hsm_audit_head_decode(payload, size, head);
	}
	hsm_cose_free(message);
	return ret ? fail(ctl, CTL_DEVICE, "the device's answer is no head of a log") : CTL_OK;
}

static int sign(struct ctl *ctl, struct link *link, struct export *export)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_AUDIT_SIGN);
	uint8_t nonce[HSM_AUDIT_NONCE_MAX];
	const uint8_t *bytes;
	size_t length;
	int code = request ? nonce_of(ctl, nonce, &length) : CTL_DEVICE;

	if (!code)
		hsm_put_bytes(hsm_request_writer(request), HSM_FIELD_AUDIT_NONCE, nonce, length);
	code = code ?: link_call(ctl, request);
	if (!code) {
		bytes = answer_bytes(request, HSM_FIELD_AUDIT_HEAD, &length);
		code = read_head(ctl, bytes, length, &export->head);
	}
	if (!code) {
		export->signed_head = malloc(length);
		export->signed_length = length;
		if (export->signed_head)
			memcpy(export->signed_head, bytes, length);
		else
			code = fail(ctl, CTL_DEVICE, "out of memory");
	}
	hsm_request_free(request);
	return code;
}

static int put_records(struct ctl *ctl, struct export *export, const uint8_t *bytes, size_t length)
{
	struct audit_item item;
	int code = CTL_OK;

	while (!code && length && export->next <= export->head.chain.sequence) {
		if (audit_item_next(&bytes, &length, &item) || item.record.sequence != export->next)
			code = fail(ctl, CTL_DEVICE, "the device's answer is no list of records");
		else
			code = export->put(ctl, export, &item);
		export->next++;
		audit_item_free(&item);
	}
	return code;
}

/* The first line of an export, and its last */
static int put_end(struct ctl *ctl, struct export *export, const uint8_t *base)
{
	struct json_object *line = json_object_new_object();

	if (base) {
		put_string(line, "audit", "ihsm");
		put_number(line, "first", export->next);
		put_hex(line, "base", base, HSM_AUDIT_HASH);
	} else {
		put_hex(line, "head", export->signed_head, export->signed_length);
	}
	fprintf(export->out, "%s\n", json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN));
	json_object_put(line);
	return ferror(export->out) ? fail(ctl, CTL_DEVICE, "cannot be written: %s", strerror(errno))
				   : CTL_OK;
}

static int put_json(struct ctl *ctl, struct export *export, const struct audit_item *item);

static int read_some(struct ctl *ctl, struct link *link, struct export *export)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_AUDIT_READ);
	const uint8_t *bytes, *base;
	uint64_t first;
	size_t length, size;
	int code;

	if (!request)
		return CTL_DEVICE;
	hsm_put_u64(hsm_request_writer(request), HSM_FIELD_SEQUENCE, export->next);
	code = link_call(ctl, request);
	if (!code) {
		first = hsm_fields_u64(hsm_request_fields(request), HSM_FIELD_SEQUENCE, 0);
		base = answer_bytes(request, HSM_FIELD_AUDIT_BASE, &size);
		bytes = answer_bytes(request, HSM_FIELD_AUDIT_RECORDS, &length);
		if (!length || size != HSM_AUDIT_HASH || (export->begun && first != export->next))
			code = fail(ctl, CTL_DEVICE,
				    "the log has lost records that were to be read; begin again");
		export->next = first;
		if (!code && !export->begun && export->put == put_json)
			code = put_end(ctl, export, base);
		export->begun = true;
		code = code ?: put_records(ctl, export, bytes, length);
	}
	hsm_request_free(request);
	return code;
}

static int read_log(struct ctl *ctl, const char *name, struct export *export)
{
	struct link link = { 0 };
	uint64_t from = 0;
	int code = CTL_OK;

	if (ctl->from && parse_u64(ctl->from, &from))
		return fail(ctl, CTL_USAGE, "--from: '%s' is no number", ctl->from);
	code = open_log(ctl, name, &link) ?: sign(ctl, &link, export);
	export->next = from ?: export->head.first;
	while (!code && export->next <= export->head.chain.sequence)
		code = read_some(ctl, &link, export);
	link_close(&link);
	return code;
}

/* ---- formats ---- */

static int put_text(struct ctl *ctl, struct export *export, char *text, const char *end)
{
	int ret = text ? fprintf(export->out, "%s%s", text, end) : -1;

	free(text);
	return ret < 0 ? fail(ctl, CTL_DEVICE, "cannot be written: %s", strerror(errno)) : CTL_OK;
}

static int put_json(struct ctl *ctl, struct export *export, const struct audit_item *item)
{
	struct json_object *line = audit_json(item, true);
	char *text = line ? strdup(json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN))
			  : NULL;

	json_object_put(line);
	return put_text(ctl, export, text, "\n");
}

static int put_syslog(struct ctl *ctl, struct export *export, const struct audit_item *item)
{
	return put_text(ctl, export, audit_syslog(item), "\n");
}

static int put_journal(struct ctl *ctl, struct export *export, const struct audit_item *item)
{
	return put_text(ctl, export, audit_journal(item), "\n");
}

static const struct {
	const char *name;
	int (*put)(struct ctl *ctl, struct export *export, const struct audit_item *item);
} formats[] = {
	{ "json", put_json },
	{ "syslog", put_syslog },
	{ "journald", put_journal },
};

static int find_format(struct ctl *ctl, struct export *export)
{
	const char *name = ctl->format ?: formats[0].name;

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (!strcmp(formats[i].name, name))
			export->put = formats[i].put;
	return export->put ? CTL_OK
			   : fail(ctl, CTL_USAGE,
				  "--format: '%s' is neither json, syslog nor journald", name);
}

/* ---- verbs ---- */

int verb_audit_export(struct ctl *ctl, char **args)
{
	struct export export = { 0 };
	bool standard = !strcmp(args[0], "-");
	struct file_draft draft;
	int ret, code = find_format(ctl, &export);

	if (code)
		return code;
	ret = standard ? 0 : file_begin(&draft, args[0]);
	if (ret)
		return fail(ctl, CTL_USAGE, "%s: %s", args[0], strerror(-ret));
	export.out = standard ? stdout : draft.stream;
	code = read_log(ctl, args[1], &export);
	if (!code && export.put == put_json)
		code = put_end(ctl, &export, NULL);
	if (!standard)
		ret = file_end(&draft, !code);
	else if (fflush(stdout))
		ret = -errno;
	if (ret && !code)
		code = fail(ctl, CTL_DEVICE, "%s: %s", args[0], strerror(-ret));
	free(export.signed_head);
	return code;
}

static int put_row(struct ctl *ctl, struct export *export, const struct audit_item *item)
{
	struct json_object *all = audit_json(item, false), *row = json_object_new_object();
	static const char *const columns[] = { "sequence", "time", "event", "actor" };
	struct json_object *value;

	(void)ctl;
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		if (json_object_object_get_ex(all, columns[i], &value))
			json_object_object_add(row, columns[i], json_object_get(value));
		else
			put_string(row, columns[i], "");
		json_object_object_del(all, columns[i]);
	}
	json_object_object_del(all, "severity");
	put_string(row, "more",
		   json_object_object_length(all)
			   ? json_object_to_json_string_ext(all, JSON_C_TO_STRING_PLAIN)
			   : "");
	json_object_array_add(export->rows, row);
	json_object_put(all);
	return CTL_OK;
}

int verb_audit_show(struct ctl *ctl, char **args)
{
	struct export export = { .put = put_row, .rows = json_object_new_array() };
	int code = read_log(ctl, args[0], &export);

	if (code)
		json_object_put(export.rows);
	else
		json_object_object_add(ctl->result, "records", export.rows);
	free(export.signed_head);
	return code;
}

int verb_audit_status(struct ctl *ctl, char **args)
{
	struct hsm_audit_head head;
	struct hsm_request *request = NULL;
	struct link link = { 0 };
	const struct hsm_fields *fields;
	const uint8_t *bytes;
	size_t length;
	int code = open_log(ctl, args[0], &link);

	if (!code)
		request = link_request(ctl, &link, HSM_OP_AUDIT_STATUS);
	code = code ?: !request ? CTL_DEVICE : link_call(ctl, request);
	if (!code) {
		fields = hsm_request_fields(request);
		bytes = hsm_fields_bytes(fields, HSM_FIELD_AUDIT_HEAD, &length);
		if (hsm_audit_head_decode(bytes, length, &head))
			code = fail(ctl, CTL_DEVICE, "the device's answer is no head of a log");
	}
	if (!code) {
		put_hex(ctl->result, "log", head.log, sizeof(head.log));
		put_number(ctl->result, "first", head.first);
		put_number(ctl->result, "last", head.chain.sequence);
		put_hex(ctl->result, "head", head.chain.head, sizeof(head.chain.head));
		put_number(ctl->result, "bytes", hsm_fields_u64(fields, HSM_FIELD_COUNT, 0));
		put_number(ctl->result, "quota", hsm_fields_u64(fields, HSM_FIELD_AUDIT_BYTES, 0));
		put_string(ctl->result, "when_full",
			   hsm_fields_u64(fields, HSM_FIELD_AUDIT_FULL, 0) ? "refuse"
									   : "overwrite");
		put_number(ctl->result, "key_uses",
			   hsm_fields_u64(fields, HSM_FIELD_AUDIT_KEYS, 0));
	}
	hsm_request_free(request);
	link_close(&link);
	return code;
}

int verb_audit_release(struct ctl *ctl, char **args)
{
	struct hsm_request *request = NULL;
	struct link link = { 0 };
	uint64_t number;
	int code;

	if (parse_u64(args[0], &number))
		return fail(ctl, CTL_USAGE, "'%s' is no number of a record", args[0]);
	code = open_log(ctl, args[1], &link);
	if (!code)
		request = link_request(ctl, &link, HSM_OP_AUDIT_RELEASE);
	if (request)
		hsm_put_u64(hsm_request_writer(request), HSM_FIELD_SEQUENCE, number);
	code = code ?: !request ? CTL_DEVICE : link_call(ctl, request);
	hsm_request_free(request);
	link_close(&link);
	return code;
}
