/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of the audit log as lines of text (tool-audit.c): what hsmctl writes and hsm-verify reads back.
 */
#ifndef TOOL_AUDIT_H
#define TOOL_AUDIT_H

#include <json-c/json.h>
#include <hsm/audit.h>

/* struct audit_item - a record of an export with its bytes; the record points into both buffers */
struct audit_item {
	struct hsm_audit_record record;
	const uint8_t *bytes;
	size_t length;
	char *texts;
};

/* audit_item_next - take the next record off @bytes. Return: 0, -EBADMSG, -ENOMEM. audit_item_free() in any case. */
int audit_item_next(const uint8_t **bytes, size_t *left, struct audit_item *item);
void audit_item_free(struct audit_item *item);

/* audit_json - a record as JSON object; with @cbor its bytes as well; NULL when out of memory */
struct json_object *audit_json(const struct audit_item *item, bool cbor);

/* audit_syslog - as a line of RFC 5424 without its end; audit_journal - as an entry of the journal's export format */
char *audit_syslog(const struct audit_item *item);
char *audit_journal(const struct audit_item *item);

/* audit_time - RFC 3339 with milliseconds, UTC */
void audit_time(uint64_t time, char text[32]);

#endif /* TOOL_AUDIT_H */
