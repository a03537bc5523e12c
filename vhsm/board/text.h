/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sizes that the whole board uses, and text.c: one-line messages, for whoever started it and for the log.
 */
#ifndef BOARD_TEXT_H
#define BOARD_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hsm/board.h>

#define BOARD_ERROR_MAX	     512
#define BOARD_MAX_FUNCTIONS  64
#define BOARD_MAX_PARTITIONS 1024
#define BOARD_SECRET_SIZE    32
#define BOARD_HASH_SIZE	     48 /* SHA-384 */
#define BOARD_SERIAL_SIZE    32

/* Quotas of a partition that was created without any */
#define BOARD_DEFAULT_OBJECTS  16384
#define BOARD_DEFAULT_SESSIONS 16384
#define BOARD_DEFAULT_BYTES    (64U << 20)

/**
 * struct error - why something failed: which part, what, what to do; one line without its end
 */
struct error {
	char text[BOARD_ERROR_MAX];
};

/* error_set - format @error (may be NULL) and return @code, so that failing is one statement */
int error_set(struct error *error, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* board_log - one line with the time to standard error; never a secret */
void board_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* text_printable - at most @size - 1 characters of @text, which may have no end, those that cannot be printed as `?` */
void text_printable(char *out, const char *text, size_t size);

/* monotonic_ms - milliseconds of the clock that nobody sets */
int64_t monotonic_ms(void);

/**
 * log_open - make the file standard error, appended to and private
 * Return: 0 or a negative errno.
 */
int log_open(const char *path, struct error *error);

/* log_bound - when the log has grown above its limit, keep it as FILE.1 and begin anew */
void log_bound(const char *path);

#endif /* BOARD_TEXT_H */
