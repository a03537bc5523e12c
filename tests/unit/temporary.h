/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of temporary files and directories: in $TMPDIR, which tests/run gives each program for itself.
 */
#ifndef TESTS_TEMPORARY_H
#define TESTS_TEMPORARY_H

#include <stdio.h>
#include <stdlib.h>

#define TEMPORARY_PATH 512
#define TEMPORARY_FILE (TEMPORARY_PATH + 96) /* a file in a temporary directory */

/* temporary_name - for mkstemp() or mkdtemp(); one that does not fit ends the test */
static inline char *temporary_name(char path[TEMPORARY_PATH], const char *name)
{
	const char *base = getenv("TMPDIR");
	int length = snprintf(path, TEMPORARY_PATH, "%s/%s-XXXXXX", base ? base : "/tmp", name);

	if (length < 0 || length >= TEMPORARY_PATH)
		abort();
	return path;
}

#endif /* TESTS_TEMPORARY_H */
