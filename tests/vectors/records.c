// SPDX-License-Identifier: Apache-2.0
/*
 * Text files of vectors: lines NAME = VALUE, sections in brackets, empty lines between records.
 * A value stays until it is set anew; it is fresh in the record that sets it.
 */
#define _POSIX_C_SOURCE 200809L
#include "vectors.h"

#include <ctype.h>

static char *trimmed(char *text)
{
	char *end;

	while (isspace((unsigned char)*text))
		text++;
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return text;
}

static int place(const struct record *record, const char *name)
{
	unsigned int i;

	for (i = 0; i < record->values; i++) {
		if (!strcmp(record->value[i].name, name))
			return (int)i;
	}
	return -1;
}

static void set(struct record *record, const char *name, const char *text)
{
	int i = place(record, name);

	if (i < 0) {
		if (record->values == VALUES)
			return;
		i = (int)record->values++;
		snprintf(record->value[i].name, sizeof(record->value[i].name), "%s", name);
	}
	free(record->value[i].text);
	record->value[i].text = strdup(text);
	record->value[i].fresh = true;
}

static void append(struct record *record, const char *name, const char *text)
{
	const char *before = record_text(record, name);
	char *all = malloc(strlen(before) + strlen(text) + 1);

	if (!all)
		return;
	strcpy(all, before);
	strcat(all, text);
	set(record, name, all);
	free(all);
}

struct reader {
	struct record record;
	bool any; /* a value is fresh */
	char heading[48];
	void (*use)(struct record *record, void *context);
	void *context;
};

static void fire(struct reader *reader)
{
	unsigned int i;

	if (reader->any)
		reader->use(&reader->record, reader->context);
	reader->any = false;
	reader->record.used = 0;
	for (i = 0; i < reader->record.values; i++)
		reader->record.value[i].fresh = false;
}

static void assign(struct reader *reader, const char *name, const char *text)
{
	if (record_fresh(&reader->record, name))
		fire(reader);
	set(&reader->record, name, text);
	reader->any = true;
}

/* NAME = VALUE or NAME : VALUE; names of the form "K No.001" lose their number. */
static void pair(struct reader *reader, char *line)
{
	char *sign = strpbrk(line, "=:"), *name, *number_sign;

	if (!sign) {
		assign(reader, line, "");
		return;
	}
	*sign = '\0';
	name = trimmed(line);
	number_sign = strstr(name, " No.");
	if (number_sign)
		*number_sign = '\0';
	assign(reader, name, trimmed(sign + 1));
}

/* [A = 1, B = 2] assigns; anything else in brackets names a section. */
static void section(struct reader *reader, char *line)
{
	char *end = strrchr(line, ']'), *part, *rest = NULL, *sign;

	fire(reader);
	if (end)
		*end = '\0';
	snprintf(reader->record.section, sizeof(reader->record.section), "%s", trimmed(line + 1));
	for (part = strtok_r(line + 1, ",", &rest); part; part = strtok_r(NULL, ",", &rest)) {
		sign = strpbrk(part, "=");
		if (!sign)
			continue;
		*sign = '\0';
		set(&reader->record, trimmed(part), trimmed(sign + 1));
	}
}

static void plain_line(struct reader *reader, char *line)
{
	if (!*line)
		fire(reader);
	else if (*line == '[')
		section(reader, line);
	else if (!strncmp(line, "# Salt len:", 11))
		set(&reader->record, "# Salt len", trimmed(line + 11));
	else if (*line != '#')
		pair(reader, line);
}

/* "# Modulus:" and below it lines of hex */
static void heading_line(struct reader *reader, char *line)
{
	char *colon;

	if (*line == '#') {
		line = trimmed(line + 1);
		colon = strchr(line, ':');
		reader->heading[0] = '\0';
		if (!colon || colon[1])
			return;
		*colon = '\0';
		snprintf(reader->heading, sizeof(reader->heading), "%s", line);
		/* The first of a new key's: what came before belongs to the old one. */
		if (!strcmp(line, "Modulus"))
			fire(reader);
		assign(reader, reader->heading, "");
	} else if (*line && reader->heading[0]) {
		append(&reader->record, reader->heading, line);
	}
}

int records_read(const char *path, const struct record_style *style,
		 void (*use)(struct record *record, void *context), void *context)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t room = 0;
	unsigned int i;

	if (!reader || !file) {
		free(reader);
		if (file)
			fclose(file);
		return -1;
	}
	reader->use = use;
	reader->context = context;
	reader->record.scratch = malloc(sizeof(struct buffer));
	while (reader->record.scratch && getline(&line, &room, file) > 0) {
		if (style && style->headings)
			heading_line(reader, trimmed(line));
		else
			plain_line(reader, trimmed(line));
	}
	fire(reader);
	for (i = 0; i < reader->record.values; i++)
		free(reader->record.value[i].text);
	free(reader->record.scratch);
	free(reader);
	free(line);
	fclose(file);
	return 0;
}

const char *record_text(const struct record *record, const char *name)
{
	int i = place(record, name);

	return i < 0 ? NULL : record->value[i].text;
}

bool record_fresh(const struct record *record, const char *name)
{
	int i = place(record, name);

	return i >= 0 && record->value[i].fresh;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A number of an odd count of digits has a zero before it. */
struct bytes record_decode(struct record *record, const char *text)
{
	uint8_t *start = record->scratch->data + record->used, *to = start;
	size_t digits = 0, i = 0;
	const char *c;
	int value = 0;

	for (c = text; *c; c++)
		digits += digit(*c) >= 0;
	if (record->used + digits / 2 + 1 > sizeof(record->scratch->data))
		return (struct bytes){ NULL, 0 };
	i = digits & 1;
	for (c = text; *c; c++) {
		if (digit(*c) < 0)
			continue;
		value = value << 4 | digit(*c);
		if (i++ & 1) {
			*to++ = (uint8_t)value;
			value = 0;
		}
	}
	record->used += (size_t)(to - start);
	return (struct bytes){ start, (size_t)(to - start) };
}

struct bytes record_hex(struct record *record, const char *name)
{
	const char *text = record_text(record, name);

	return text ? record_decode(record, text) : (struct bytes){ NULL, 0 };
}

struct bytes record_string(const struct record *record, const char *name)
{
	const char *text = record_text(record, name);

	return (struct bytes){ (const uint8_t *)text, text ? strlen(text) : 0 };
}

unsigned long record_number(const struct record *record, const char *name)
{
	const char *text = record_text(record, name);

	return text ? strtoul(text, NULL, 10) : 0;
}
