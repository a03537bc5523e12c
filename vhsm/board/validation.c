// SPDX-License-Identifier: Apache-2.0
/*
 * A validation certificate that somebody has for the board: what --validation names, read into the attributes of the
 * object that the tokens show (PKCS#11 3.2, 4.15). Without the option no validation is claimed.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <hsm/pkcs11.h>
#include <hsm/wire.h>
#include "internal.h"

#define LINE_MAX_BYTES 1024

enum form {
	FORM_TEXT,
	FORM_NUMBER,
	FORM_VERSION,
	FORM_TYPE,
	FORM_AUTHORITY,
};

static const char *const types[] = { "unspecified", "software", "hardware", "firmware", "hybrid" };
static const char *const authorities[] = { "unspecified", "nist-cmvp", "common-criteria" };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Names in the file; those that are needed come first. */
static const struct {
	const char *name;
	uint64_t attribute;
	enum form form;
} keys[] = {
	{ "type", CKA_VALIDATION_TYPE, FORM_TYPE },
	{ "version", CKA_VALIDATION_VERSION, FORM_VERSION },
	{ "level", CKA_VALIDATION_LEVEL, FORM_NUMBER },
	{ "module", CKA_VALIDATION_MODULE_ID, FORM_TEXT },
	{ "authority", CKA_VALIDATION_AUTHORITY_TYPE, FORM_AUTHORITY },
	{ "country", CKA_VALIDATION_COUNTRY, FORM_TEXT },
	{ "certificate", CKA_VALIDATION_CERTIFICATE_IDENTIFIER, FORM_TEXT },
	{ "certificate-uri", CKA_VALIDATION_CERTIFICATE_URI, FORM_TEXT },
	{ "vendor-uri", CKA_VALIDATION_VENDOR_URI, FORM_TEXT },
	{ "profile", CKA_VALIDATION_PROFILE, FORM_TEXT },
};

#define NEEDED 5

static int put_number(struct hsm_writer *out, uint64_t attribute, uint64_t value)
{
	value = htole64(value);
	hsm_put_attribute(out, attribute, 0, &value, sizeof(value));
	return 0;
}

static int put_word(struct hsm_writer *out, uint64_t attribute, const char *value,
		    const char *const *words, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!strcmp(words[i], value))
			return put_number(out, attribute, i);
	return -EINVAL;
}

static int put_version(struct hsm_writer *out, uint64_t attribute, const char *value)
{
	unsigned int major, minor;
	uint8_t version[2];
	char end;

	if (sscanf(value, "%3u.%3u%c", &major, &minor, &end) != 2 || major > 255 || minor > 255)
		return -EINVAL;
	version[0] = major;
	version[1] = minor;
	hsm_put_attribute(out, attribute, 0, version, sizeof(version));
	return 0;
}

static int put_value(struct hsm_writer *out, size_t key, const char *value)
{
	uint64_t attribute = keys[key].attribute;
	unsigned long number;
	char *end;

	switch (keys[key].form) {
	case FORM_TYPE:
		return put_word(out, attribute, value, types, COUNT(types));
	case FORM_AUTHORITY:
		return put_word(out, attribute, value, authorities, COUNT(authorities));
	case FORM_VERSION:
		return put_version(out, attribute, value);
	case FORM_NUMBER:
		number = strtoul(value, &end, 10);
		if (!isdigit((unsigned char)*value) || *end)
			return -EINVAL;
		return put_number(out, attribute, number);
	default:
		hsm_put_attribute(out, attribute, 0, value, strlen(value));
		return *value ? 0 : -EINVAL;
	}
}

static char *trimmed(char *text)
{
	char *end = text + strlen(text);

	while (end > text && isspace((unsigned char)end[-1]))
		*--end = 0;
	while (isspace((unsigned char)*text))
		text++;
	return text;
}

/* One `name = value`. Return: 0, 1 for a line that says nothing, -EINVAL. @seen: names that had their line */
static int take_line(char *line, struct hsm_writer *out, unsigned int *seen)
{
	char *value, *name = trimmed(line);
	size_t i;

	if (!*name || *name == '#')
		return 1;
	value = strchr(name, '=');
	if (!value)
		return -EINVAL;
	*value++ = 0;
	name = trimmed(name);
	for (i = 0; i < COUNT(keys); i++)
		if (!strcmp(keys[i].name, name))
			break;
	if (i == COUNT(keys) || *seen >> i & 1)
		return -EINVAL;
	*seen |= 1U << i;
	return put_value(out, i, trimmed(value));
}

static int take_file(FILE *file, const char *path, struct validation *validation,
		     struct error *error)
{
	unsigned int seen = 0, number = 0;
	char line[LINE_MAX_BYTES];
	struct hsm_writer out;
	size_t i;

	hsm_writer_init(&out, validation->attributes, sizeof(validation->attributes));
	while (fgets(line, sizeof(line), file)) {
		number++;
		if (!strchr(line, '\n') && !feof(file))
			return error_set(error, -EINVAL, "%s:%u: the line is too long", path,
					 number);
		if (take_line(line, &out, &seen) < 0)
			return error_set(error, -EINVAL,
					 "%s:%u: not a line of a validation; see vhsm(1)", path,
					 number);
	}
	for (i = 0; i < NEEDED; i++)
		if (!(seen >> i & 1))
			return error_set(error, -EINVAL, "%s: there is no line `%s = ...`", path,
					 keys[i].name);
	if (out.error)
		return error_set(error, -EINVAL, "%s: more than %zu bytes", path,
				 sizeof(validation->attributes));
	validation->length = out.length;
	return 0;
}

int validation_read(const char *path, struct validation *validation, struct error *error)
{
	FILE *file = fopen(path, "re");
	int ret;

	validation->length = 0;
	if (!file)
		return error_set(error, -errno, "--validation %s: %s", path, strerror(errno));
	ret = take_file(file, path, validation, error);
	fclose(file);
	return ret;
}
