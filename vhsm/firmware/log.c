// SPDX-License-Identifier: Apache-2.0
/*
 * The log: lines on standard error, which the board writes to its own. No payload, PIN or key is ever in
 * one.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "transport.h"

void log_line(const char *format, ...)
{
	char line[256] = "hsm-firmware: ";
	size_t used = strlen(line);
	va_list arguments;
	ssize_t written;
	int more;

	va_start(arguments, format);
	more = vsnprintf(line + used, sizeof(line) - used - 1, format, arguments);
	va_end(arguments);
	if (more < 0)
		return;
	used += (size_t)more < sizeof(line) - used - 1 ? (size_t)more : sizeof(line) - used - 2;
	line[used++] = '\n';
	/* One write, so that lines of different threads do not mix. */
	written = write(STDERR_FILENO, line, used);
	(void)written;
}
