// SPDX-License-Identifier: Apache-2.0
/*
 * How the tools print: one JSON object, as it is or as text made from it, and errors. Linked into
 * hsmctl and hsm-verify.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tool-output.h"
#include "tool-terminal.h"

#define LINE_MAX_LENGTH 8192 /* of one value as text: a public key in hexadecimal fits */

/* Length of the UTF-8 character (RFC 3629) at @text, 0 when there is none */
static size_t utf8_length(const unsigned char *text)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t value;
	size_t length;

	if (*text < 0x80)
		return 1;
	length = *text >= 0xf0 ? 4 : *text >= 0xe0 ? 3 : 2;
	if (*text < 0xc0 || *text > 0xf4)
		return 0;
	value = *text & (0x7fU >> length);
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (text[i] & 0x3f);
	}
	if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
		return 0;
	return length;
}

/* What is no UTF-8 becomes '?', in place. Return: how often */
static size_t make_utf8(unsigned char *text, size_t length)
{
	size_t lost = 0, n;

	for (size_t at = 0; at < length; at += n ?: 1) {
		n = utf8_length(text + at);
		if (n)
			continue;
		text[at] = '?';
		lost++;
	}
	return lost;
}

static struct json_object *marked(struct json_object *value, enum text_mark mark)
{
	json_object_set_userdata(value, (void *)(uintptr_t)mark, NULL);
	return value;
}

enum text_mark text_mark(struct json_object *value)
{
	return (enum text_mark)(uintptr_t)json_object_get_userdata(value);
}

/* Names and labels are the device's or another user's bytes, and JSON is UTF-8. */
void put_chars(struct json_object *object, const char *key, const void *bytes, size_t length)
{
	unsigned char *text = calloc(length + 1, 1);
	size_t lost = 0;

	if (text && length) {
		memcpy(text, bytes, length);
		lost = make_utf8(text, length);
	}
	json_object_object_add(
		object, key,
		marked(json_object_new_string_len((char *)text ?: "", text ? (int)length : 0),
		       lost || !text ? TEXT_LOST : TEXT_EXACT));
	free(text);
}

void put_string(struct json_object *object, const char *key, const char *value)
{
	put_chars(object, key, value, strlen(value));
}

void put_number(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

void put_bool(struct json_object *object, const char *key, bool value)
{
	json_object_object_add(object, key, json_object_new_boolean(value));
}

void put_hex(struct json_object *object, const char *key, const uint8_t *data, size_t length)
{
	char *text = calloc(2 * length + 1, 1);

	for (size_t i = 0; text && i < length; i++)
		snprintf(text + 2 * i, 3, "%02x", data[i]);
	json_object_object_add(object, key, marked(json_object_new_string(text ?: ""), TEXT_HEX));
	free(text);
}

void put_id(struct json_object *object, const char *key, const uint8_t id[HSM_PARTITION_ID_SIZE])
{
	char text[37];

	snprintf(text, sizeof(text),
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", id[0],
		 id[1], id[2], id[3], id[4], id[5], id[6], id[7], id[8], id[9], id[10], id[11],
		 id[12], id[13], id[14], id[15]);
	json_object_object_add(object, key, marked(json_object_new_string(text), TEXT_HEX));
}

/* ---- text ---- */

/*
 * In names and labels, control characters, also those of U+0080 to U+009f, would reach the
 * terminal.
 */
static const char *print_safe(const char *value, size_t length, char *text, size_t size)
{
	const char *end = value + length;
	size_t n = 0;

	for (const char *p = value; p && p < end && n + 1 < size; p++) {
		bool second = (unsigned char)*p == 0xc2 && (unsigned char)p[1] >= 0x80 &&
			      (unsigned char)p[1] < 0xa0;

		text[n++] = second || (unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p;
		p += second;
	}
	text[n] = '\0';
	return text;
}

static const char *printable(struct json_object *value, char *text, size_t size)
{
	bool string = json_object_is_type(value, json_type_string);
	const char *from = json_object_get_string(value);

	if (json_object_is_type(value, json_type_boolean))
		return json_object_get_boolean(value) ? "yes" : "no";
	if (!from)
		from = "";
	return print_safe(from, string ? (size_t)json_object_get_string_len(value) : strlen(from),
			  text, size);
}

static bool is_table(struct json_object *value)
{
	return json_object_is_type(value, json_type_array);
}

static bool is_list(struct json_object *array)
{
	return json_object_is_type(json_object_array_get_idx(array, 0), json_type_string);
}

/* Strings, not rows: lines as a configuration file has them. */
static void print_list(const char *key, struct json_object *list)
{
	char text[256];

	for (size_t i = 0; i < json_object_array_length(list); i++)
		printf("%s = %s\n", key,
		       printable(json_object_array_get_idx(list, i), text, sizeof(text)));
}

#define COLUMNS_MAX 16

static void widen(size_t *width, const char *text)
{
	if (strlen(text) > *width)
		*width = strlen(text);
}

static void measure(struct json_object *table, size_t width[COLUMNS_MAX])
{
	char text[256];
	size_t column;

	for (size_t i = 0; i < json_object_array_length(table); i++) {
		column = 0;
		json_object_object_foreach(json_object_array_get_idx(table, i), key, value)
		{
			if (column == COLUMNS_MAX)
				break;
			widen(&width[column], key);
			widen(&width[column++], printable(value, text, sizeof(text)));
		}
	}
}

static void print_cell(const char *text, size_t width, enum colour colour, bool last)
{
	printf("%s%-*s%s%s", colour_begin(stdout, colour), last ? 0 : (int)width, text,
	       colour_end(stdout, colour), last ? "\n" : "  ");
}

/* The keys of the rows are the columns; every row has the same ones. */
static void print_table(struct json_object *table)
{
	size_t width[COLUMNS_MAX] = { 0 };
	size_t rows = json_object_array_length(table);
	size_t column, columns;
	const char *word;
	char text[256];

	if (!rows)
		return;
	measure(table, width);
	columns = (size_t)json_object_object_length(json_object_array_get_idx(table, 0));
	column = 0;
	json_object_object_foreach(json_object_array_get_idx(table, 0), heading, unused)
	{
		(void)unused;
		print_cell(heading, width[column % COLUMNS_MAX], COLOUR_HEADING,
			   column + 1 == columns);
		column++;
	}
	for (size_t i = 0; i < rows; i++) {
		column = 0;
		json_object_object_foreach(json_object_array_get_idx(table, i), key, value)
		{
			(void)key;
			word = printable(value, text, sizeof(text));
			print_cell(word, width[column % COLUMNS_MAX], colour_of_word(word),
				   column + 1 == columns);
			column++;
		}
	}
}

static bool is_object(struct json_object *value)
{
	return json_object_is_type(value, json_type_object);
}

/* Of numbers or strings, in one line */
static void print_words(struct json_object *list)
{
	char text[256];

	for (size_t i = 0; i < json_object_array_length(list); i++)
		printf("%s%s", i ? ", " : "",
		       printable(json_object_array_get_idx(list, i), text, sizeof(text)));
	printf("\n");
}

/* An object in an object: its name, and its members further to the right */
static void print_section(const char *name, struct json_object *object, int indent)
{
	char text[LINE_MAX_LENGTH];

	printf("%*s%s\n", indent, "", name);
	indent += 2;
	json_object_object_foreach(object, key, value)
	{
		if (is_object(value)) {
			print_section(key, value, indent);
			continue;
		}
		printf("%*s%-22s ", indent, "", key);
		if (is_table(value))
			print_words(value);
		else
			printf("%s\n", printable(value, text, sizeof(text)));
	}
}

static void print_tables(struct json_object *object, bool lines)
{
	json_object_object_foreach(object, name, table)
	{
		if (!is_table(table))
			continue;
		if (is_list(table)) {
			print_list(name, table);
			continue;
		}
		if (lines && json_object_array_length(table))
			printf("\n");
		print_table(table);
	}
}

static void print_text(struct json_object *object)
{
	bool lines = false;
	char text[LINE_MAX_LENGTH];
	const char *word;
	enum colour colour;

	json_object_object_foreach(object, key, value)
	{
		if (is_table(value) || is_object(value))
			continue;
		word = printable(value, text, sizeof(text));
		colour = colour_of_word(word);
		printf("%s%-22s%s %s%s%s\n", colour_begin(stdout, COLOUR_HEADING), key,
		       colour_end(stdout, COLOUR_HEADING), colour_begin(stdout, colour), word,
		       colour_end(stdout, colour));
		lines = true;
	}
	print_tables(object, lines);
	json_object_object_foreach(object, name, section)
	{
		if (!is_object(section))
			continue;
		printf("\n");
		print_section(name, section, 0);
	}
}

static void print_json(struct json_object *object)
{
	printf("%s\n", json_object_to_json_string_ext(
			       object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
					       JSON_C_TO_STRING_NOSLASHESCAPE));
}

int output_result(const char *program, struct json_object *result, bool json)
{
	if (json)
		print_json(result);
	else
		print_text(result);
	if (!fflush(stdout) && !ferror(stdout))
		return 0;
	fprintf(stderr, "%s: cannot write the result: %s\n", program, strerror(errno));
	return -EIO;
}

/* For scripts the error is a member of the result as well. */
void output_error(const char *program, struct json_object *result, const char *layer,
		  const char *name, const char *text)
{
	struct json_object *error;
	char safe[1024];

	/* What is refused is often quoted: a device's reason, a name in evidence. */
	progress_clear();
	fprintf(stderr, "%s%s:%s %s%s%s%s%s\n", colour_begin(stderr, COLOUR_BAD), program,
		colour_end(stderr, COLOUR_BAD), layer, *layer ? ": " : "", name, *name ? ": " : "",
		print_safe(text, strlen(text), safe, sizeof(safe)));
	if (!result)
		return;
	error = json_object_new_object();
	put_string(error, "layer", *layer ? layer : program);
	if (*name)
		put_string(error, "code", name);
	put_string(error, "text", text);
	json_object_object_add(result, "error", error);
}
