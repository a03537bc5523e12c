// SPDX-License-Identifier: Apache-2.0
/*
 * Records of the audit log as text: lines of JSON, of syslog (RFC 5424), entries of the journal's export format. All of
 * them from one JSON object, whose members follow the table of fields in hsm/audit.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <hsm/mechanisms.h>
#include "tool-audit.h"
#include "tool-output.h"

#define SYSLOG_FACILITY 13 /* log audit */
#define SYSLOG_SDID \
	"ihsm@32473" /* the number that RFC 5612 sets aside for examples and private use */

/* ---- records ---- */

int audit_item_next(const uint8_t **bytes, size_t *left, struct audit_item *item)
{
	size_t used;
	int ret;

	memset(item, 0, sizeof(*item));
	item->texts = malloc(*left + 1);
	if (!item->texts)
		return -ENOMEM;
	ret = hsm_audit_decode(*bytes, *left, &used, item->texts, &item->record);
	if (ret)
		return ret;
	item->bytes = *bytes;
	item->length = used;
	*bytes += used;
	*left -= used;
	return 0;
}

void audit_item_free(struct audit_item *item)
{
	free(item->texts);
	memset(item, 0, sizeof(*item));
}

/* ---- JSON ---- */

void audit_time(uint64_t time, char text[32])
{
	time_t seconds = time / 1000;
	struct tm tm = { 0 };
	size_t length;

	gmtime_r(&seconds, &tm);
	length = strftime(text, 24, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + length, 32 - length, ".%03uZ", (unsigned int)(time % 1000));
}

/* Of these zero is a value, so that the record has it plus one. */
static bool is_shifted(const struct hsm_audit_field *field)
{
	return field->offset == offsetof(struct hsm_audit_record, object_class) ||
	       field->offset == offsetof(struct hsm_audit_record, key_type) ||
	       field->offset == offsetof(struct hsm_audit_record, mechanism);
}

static void put_event(struct json_object *object, uint64_t number)
{
	const struct hsm_audit_info *info = hsm_audit_event(number);

	if (!info) {
		put_number(object, "event", number);
		return;
	}
	put_string(object, "event", info->name);
	put_number(object, "severity", info->severity);
}

static void put_mechanism(struct json_object *object, uint64_t number)
{
	const struct hsm_mechanism_info *info = hsm_mechanism_find(number);

	if (info)
		put_string(object, "mechanism", info->name);
	else
		put_number(object, "mechanism", number);
}

static void put_field(struct json_object *object, const struct hsm_audit_record *record,
		      const struct hsm_audit_field *field)
{
	const void *value = (const uint8_t *)record + field->offset;
	const struct hsm_audit_bytes *bytes = value;
	const char *text = field->kind == HSM_AUDIT_TEXT ? *(const char *const *)value : NULL;
	uint64_t number = field->kind == HSM_AUDIT_NUMBER || field->kind == HSM_AUDIT_TIME
				  ? *(const uint64_t *)value
				  : 0;
	char time[32];

	if (text && *text)
		put_string(object, field->name, text);
	else if (field->kind == HSM_AUDIT_BYTES && bytes->length)
		put_hex(object, field->name, bytes->data, bytes->length);
	if (!number)
		return;
	if (field->kind == HSM_AUDIT_TIME) {
		audit_time(number, time);
		put_string(object, field->name, time);
	} else if (field->offset == offsetof(struct hsm_audit_record, event)) {
		put_event(object, number);
	} else if (field->offset == offsetof(struct hsm_audit_record, mechanism)) {
		put_mechanism(object, number - 1);
	} else {
		put_number(object, field->name, number - is_shifted(field));
	}
}

struct json_object *audit_json(const struct audit_item *item, bool cbor)
{
	struct json_object *object = json_object_new_object();
	const struct hsm_audit_field *field;

	for (size_t i = 0; object && (field = hsm_audit_field_at(i)); i++)
		if (cbor || field->offset != offsetof(struct hsm_audit_record, signature))
			put_field(object, &item->record, field);
	if (object && cbor)
		put_hex(object, "cbor", item->bytes, item->length);
	return object;
}

/* ---- lines ---- */

static const char *event_name(const struct audit_item *item)
{
	const struct hsm_audit_info *info = hsm_audit_event(item->record.event);

	return info ? info->name : "unknown";
}

static unsigned int severity_of(const struct audit_item *item)
{
	const struct hsm_audit_info *info = hsm_audit_event(item->record.event);

	return info ? info->severity : HSM_AUDIT_NOTICE;
}

static const char *meaning_of(const struct audit_item *item)
{
	const struct hsm_audit_info *info = hsm_audit_event(item->record.event);

	return info ? info->meaning : "an event that this version does not know";
}

/* RFC 5424, 6.3.3: quotation mark, backslash and bracket are escaped. */
static void put_parameter(FILE *out, const char *name, const char *value)
{
	fprintf(out, " %s=\"", name);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\' || *value == ']')
			fputc('\\', out);
		fputc((unsigned char)*value < ' ' ? '?' : *value, out);
	}
	fputc('"', out);
}

char *audit_syslog(const struct audit_item *item)
{
	struct json_object *object = audit_json(item, true);
	char *text = NULL, time[32];
	size_t size;
	FILE *out = object ? open_memstream(&text, &size) : NULL;

	if (!out) {
		json_object_put(object);
		return NULL;
	}
	audit_time(item->record.time, time);
	fprintf(out, "<%u>1 %s - ihsm - %s [%s", SYSLOG_FACILITY * 8 + severity_of(item), time,
		event_name(item), SYSLOG_SDID);
	json_object_object_foreach(object, key, value)
		put_parameter(out, key, json_object_get_string(value));
	fprintf(out, "] %s", meaning_of(item));
	json_object_put(object);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

/* Names of the journal's fields are upper case. */
static void put_entry(FILE *out, const char *name, const char *value)
{
	fputs("IHSM_", out);
	for (; *name; name++)
		fputc(*name >= 'a' && *name <= 'z' ? *name - 'a' + 'A' : *name, out);
	fputc('=', out);
	for (; *value; value++)
		fputc((unsigned char)*value < ' ' ? '?' : *value, out);
	fputc('\n', out);
}

char *audit_journal(const struct audit_item *item)
{
	struct json_object *object = audit_json(item, true);
	char *text = NULL;
	size_t size;
	FILE *out = object ? open_memstream(&text, &size) : NULL;

	if (!out) {
		json_object_put(object);
		return NULL;
	}
	fprintf(out, "__REALTIME_TIMESTAMP=%llu\nMESSAGE=%s: %s\nPRIORITY=%u\n",
		(unsigned long long)item->record.time * 1000, event_name(item), meaning_of(item),
		severity_of(item));
	fprintf(out, "SYSLOG_FACILITY=%u\nSYSLOG_IDENTIFIER=ihsm\n", SYSLOG_FACILITY);
	json_object_object_foreach(object, key, value)
		put_entry(out, key, json_object_get_string(value));
	json_object_put(object);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}
