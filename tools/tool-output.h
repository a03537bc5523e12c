/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tools' output has in common (tool-output.c): members of a result, the result itself,
 * and errors.
 */
#ifndef TOOL_OUTPUT_H
#define TOOL_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <json-c/json.h>
#include <hsm/wire.h>

/* Members of a result. put_string, put_chars: what is not UTF-8 becomes '?'; a NUL stays what it is */
void put_chars(struct json_object *object, const char *key, const void *bytes, size_t length);
void put_string(struct json_object *object, const char *key, const char *value);
void put_number(struct json_object *object, const char *key, uint64_t value);
void put_bool(struct json_object *object, const char *key, bool value);
void put_hex(struct json_object *object, const char *key, const uint8_t *data, size_t length);
void put_id(struct json_object *object, const char *key, const uint8_t id[HSM_PARTITION_ID_SIZE]);

/* What a string in a result is, for whoever compares it with something */
enum text_mark {
	TEXT_EXACT,	/* the text itself */
	TEXT_HEX,	/* bytes, or an id: digits in either case mean the same */
	TEXT_LOST,	/* what was put is not all there: equal to nothing */
};

/* text_mark - of a value that the functions above have put; TEXT_EXACT of all others */
enum text_mark text_mark(struct json_object *value);

/**
 * output_result - print a result on standard output
 * @result: an object; its arrays become tables, whose rows are objects with the same keys, or lists of strings
 * @json: as it is, otherwise as text
 *
 * Return: 0, or -EIO (reported) when standard output cannot be written.
 */
int output_result(const char *program, struct json_object *result, bool json);

/**
 * output_error - report an error on standard error
 * @result: gets it as well, as member `error`; NULL: nowhere else
 * @layer, @name: where it comes from and what it is called, or ""
 */
void output_error(const char *program, struct json_object *result, const char *layer, const char *name,
		  const char *text);

/* ---- tool-policy.c ---- */

/* policy_result - a policy's fields into a result, from value number @first on */
void policy_result(struct json_object *object, const struct hsm_fields *fields, size_t first);

#endif /* TOOL_OUTPUT_H */
