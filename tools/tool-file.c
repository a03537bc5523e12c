// SPDX-License-Identifier: Apache-2.0
/*
 * Writing a file so that a name never stands for half of it: into a new one beside it, to the disk, and then in its
 * place.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tool-file.h"

static void forget(struct file_draft *draft)
{
	free(draft->path);
	free(draft->fresh);
	*draft = (struct file_draft){ 0 };
}

int file_begin(struct file_draft *draft, const char *path)
{
	int fd, ret = -ENOMEM;

	*draft = (struct file_draft){ .path = strdup(path) };
	if (!draft->path || asprintf(&draft->fresh, "%s.XXXXXX", path) < 0) {
		draft->fresh = NULL;
		forget(draft);
		return ret;
	}
	/* 0600 and O_EXCL */
	fd = mkostemp(draft->fresh, O_CLOEXEC);
	draft->stream = fd < 0 ? NULL : fdopen(fd, "w");
	if (draft->stream)
		return 0;
	ret = -errno;
	if (fd >= 0) {
		/* cppcheck-suppress doubleFree ; a stream that there is not has not taken it */
		close(fd);
		unlink(draft->fresh);
	}
	forget(draft);
	return ret;
}

/* The name as well is to survive; not every file system lets a directory be opened for that. */
static void sync_directory(char *path)
{
	int fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

int file_end(struct file_draft *draft, bool keep)
{
	int ret = 0;

	if (keep && (fflush(draft->stream) || fsync(fileno(draft->stream))))
		ret = -errno;
	if (fclose(draft->stream) && keep && !ret)
		ret = -errno;
	if (keep && !ret && rename(draft->fresh, draft->path))
		ret = -errno;
	if (!keep || ret)
		unlink(draft->fresh);
	else
		sync_directory(draft->path);
	forget(draft);
	return ret;
}
