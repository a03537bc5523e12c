/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that the tools write (tool-file.c): there is the whole of one under its name, on the disk, or what was there
 * before.
 */
#ifndef TOOL_FILE_H
#define TOOL_FILE_H

#include <stdbool.h>
#include <stdio.h>

/**
 * struct file_draft - a file on its way
 * @stream: to write to; of a name of its own beside @path, which nobody else can have opened
 */
struct file_draft {
	FILE *stream;
	char *path;
	char *fresh;
};

/* file_begin - a new file, private to its owner. Return: 0 or a negative errno. */
int file_begin(struct file_draft *draft, const char *path);

/**
 * file_end - give it its name, or have it go
 * @keep: false: something went wrong with what it was to hold
 *
 * Return: 0: what was asked for is done, with @keep durably; or a negative errno, and then the file is gone.
 */
int file_end(struct file_draft *draft, bool keep);

#endif /* TOOL_FILE_H */
