// SPDX-License-Identifier: Apache-2.0
/*
 * The operations that hsm-bench knows, by name.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "hsm-bench.h"

struct operation_row {
	const char *name;
	enum bench_kind kind;
	bool sized;
	size_t size; /* when none is given */
	const char *help;
};

static const struct operation_row rows[] = {
	{ "nop", BENCH_NOP, true, 0, "empty sealed command with SIZE bytes there and back" },
	{ "aes-gcm", BENCH_AES_GCM, true, 1024, "AES-256-GCM encryption of SIZE bytes" },
	{ "p256-sign", BENCH_P256_SIGN, false, 0, "ECDSA over P-256 of a 32-byte digest" },
	{ "rsa2048-sign", BENCH_RSA2048_SIGN, false, 0, "RSA-2048 PKCS#1 v1.5 signature" },
	{ "digest", BENCH_DIGEST, true, 1024, "SHA-256 of SIZE bytes" },
	{ "random", BENCH_RANDOM, true, 32, "SIZE random bytes" },
	{ "p256-keygen", BENCH_P256_KEYGEN, false, 0, "P-256 token key pair, durable" },
	{ "find", BENCH_FIND, true, 100, "find one of SIZE keys by its label" },
	{ "data-create", BENCH_DATA_CREATE, false, 0,
	  "create a private token data object, durable" },
	{ "key-find", BENCH_KEY_FIND, true, 1000,
	  "find one of SIZE token keys by label or id; they stay on the token" },
	{ "fdatasync", BENCH_FDATASYNC, true, 4096, "append SIZE bytes to a file and sync it" },
	{ "ping", BENCH_PING, false, 0, "to a spinning thread and back, by shared memory" },
	{ "connect", BENCH_CONNECT, false, 0, "open a channel with a whole handshake" },
	{ "resume", BENCH_RESUME, false, 0, "open a channel that resumes a session" },
	{ "wake", BENCH_WAKE, false, 0, "to a sleeping thread and back, by eventfd" },
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

/* Return: 0 or -EINVAL */
static int parse_size(const char *text, size_t *size)
{
	unsigned long value;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || value > BENCH_LARGEST)
		return -EINVAL;
	if (*end == 'k')
		value <<= 10;
	else if (*end == 'm')
		value <<= 20;
	if (*end && end[1])
		return -EINVAL;
	if ((*end && *end != 'k' && *end != 'm') || value > BENCH_LARGEST)
		return -EINVAL;
	*size = value;
	return 0;
}

int operation_parse(const char *text, struct operation *operation)
{
	size_t length = strcspn(text, ":");

	for (size_t i = 0; i < N_ROWS; i++) {
		const struct operation_row *row = &rows[i];

		if (strlen(row->name) != length || strncmp(text, row->name, length))
			continue;
		*operation = (struct operation){ row->kind, row->name, row->sized, row->size };
		if (!text[length])
			return 0;
		return row->sized ? parse_size(text + length + 1, &operation->size) : -EINVAL;
	}
	return -EINVAL;
}

void operation_list(void)
{
	char left[32];

	for (size_t i = 0; i < N_ROWS; i++) {
		snprintf(left, sizeof(left), "%s%s", rows[i].name, rows[i].sized ? ":SIZE" : "");
		printf("  %-18s %s", left, rows[i].help);
		if (rows[i].sized)
			printf(" (default %zu)", rows[i].size);
		printf("\n");
	}
}
