// SPDX-License-Identifier: Apache-2.0
/*
 * One-line messages of the board: error texts that callers hand upwards, and the log, which is
 * standard error. The log is bounded, private, and never given a secret.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "internal.h"

#define LOG_LIMIT (1024 * 1024)

int64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

int error_set(struct error *error, int code, const char *format, ...)
{
	va_list args;

	if (!error)
		return code;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return code;
}

void board_log(const char *format, ...)
{
	char line[BOARD_ERROR_MAX + 64];
	struct tm parts;
	size_t length;
	va_list args;
	time_t now;
	int n;

	now = time(NULL);
	gmtime_r(&now, &parts);
	length = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%SZ vhsm: ", &parts);
	va_start(args, format);
	n = vsnprintf(line + length, sizeof(line) - length - 1, format, args);
	va_end(args);
	if (n < 0)
		return;
	length += (size_t)n;
	if (length > sizeof(line) - 2)
		length = sizeof(line) - 2;
	line[length++] = '\n';
	/*
	 * One write per line keeps lines of several threads apart; a full log is no reason to stop.
	 */
	if (write(STDERR_FILENO, line, length) < 0)
		return;
}

void text_printable(char *out, const char *text, size_t size)
{
	size_t i;

	for (i = 0; i + 1 < size && text[i]; i++)
		out[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
	memset(out + i, 0, size - i);
}

int log_open(const char *path, struct error *error)
{
	int fd;

	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_set(error, -errno, "log %s: %s; choose another with --log", path,
				 strerror(errno));
	if (dup2(fd, STDERR_FILENO) < 0) {
		close(fd);
		return error_set(error, -errno, "log %s: %s", path, strerror(errno));
	}
	if (fd != STDERR_FILENO)
		close(fd);
	return 0;
}

void log_bound(const char *path)
{
	char old[4096];
	struct stat st;

	if (!path || fstat(STDERR_FILENO, &st) || !S_ISREG(st.st_mode) || st.st_size < LOG_LIMIT)
		return;
	if ((size_t)snprintf(old, sizeof(old), "%s.1", path) >= sizeof(old))
		return;
	if (rename(path, old) == 0)
		log_open(path, NULL);
}
