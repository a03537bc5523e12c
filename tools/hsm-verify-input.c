// SPDX-License-Identifier: Apache-2.0
/*
 * What hsm-verify's subcommands read and how they say what is wrong: files, bytes in hexadecimal,
 * errors.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include "hsm-verify.h"

int fail(struct verify *verify, enum verify_exit code, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	output_error("hsm-verify", verify->json ? verify->result : NULL, "", "", text);
	return code;
}

/* Read to the end, which a pipe does not tell beforehand. */
static int read_stream(struct verify *verify, const char *path, FILE *file, uint8_t **bytes,
		       size_t *length)
{
	size_t room = 0, used = 0;
	uint8_t *data = NULL, *more;

	do {
		if (used == room) {
			room = room ? 2 * room : 65536;
			more = room <= VERIFY_FILE_MAX ? realloc(data, room) : NULL;
			if (!more) {
				free(data);
				return fail(verify, VERIFY_SYSTEM, "%s: too long", path);
			}
			data = more;
		}
		used += fread(data + used, 1, room - used, file);
	} while (!feof(file) && !ferror(file));
	if (ferror(file)) {
		free(data);
		return fail(verify, VERIFY_SYSTEM, "%s: %s", path, strerror(errno));
	}
	*bytes = data;
	*length = used;
	return VERIFY_OK;
}

int read_file(struct verify *verify, const char *path, uint8_t **bytes, size_t *length)
{
	FILE *file = strcmp(path, "-") ? fopen(path, "re") : stdin;
	int code;

	if (!file)
		return fail(verify, VERIFY_SYSTEM, "%s: %s", path, strerror(errno));
	code = read_stream(verify, path, file, bytes, length);
	if (file != stdin)
		fclose(file);
	return code;
}

int read_hex(struct verify *verify, const char *what, const char *text, uint8_t *bytes, size_t room,
	     size_t *length)
{
	if (!*text || OPENSSL_hexstr2buf_ex(bytes, room, length, text, '\0') != 1)
		return fail(verify, VERIFY_USAGE, "%s: not 1 to %zu bytes in hexadecimal: %s", what,
			    room, text);
	return VERIFY_OK;
}
