// SPDX-License-Identifier: Apache-2.0
/*
 * Fuses in a file: two slots, far enough apart never to share a block of the disk. A write that a
 * power cut tears spoils the older slot only, so the counter moves on at the price of one fdatasync.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "fuse_store.h"

#define SLOT_DISTANCE 4096

_Static_assert(FUSE_RECORD_SIZE <= SLOT_DISTANCE, "a record fits its slot");

struct fuse_store {
	int fd;
};

static int slot_write(int fd, unsigned int slot, const uint8_t *record)
{
	ssize_t n = pwrite(fd, record, FUSE_RECORD_SIZE, (off_t)slot * SLOT_DISTANCE);

	if (n < 0)
		return -errno;
	return n == FUSE_RECORD_SIZE ? 0 : -ENOSPC;
}

static int sync_directory(const char *path)
{
	char copy[PATH_MAX];
	int fd, ret;

	if ((size_t)snprintf(copy, sizeof(copy), "%s", path) >= sizeof(copy))
		return -ENAMETOOLONG;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = fsync(fd) ? -errno : 0;
	close(fd);
	return ret;
}

static int write_new(int fd, uint8_t records[FUSE_SLOTS][FUSE_RECORD_SIZE])
{
	unsigned int slot;
	int ret;

	/* Room for both slots now: moving the counter on must not need any later. */
	ret = -posix_fallocate(fd, 0, FUSE_SLOTS * SLOT_DISTANCE);
	for (slot = 0; !ret && slot < FUSE_SLOTS; slot++)
		ret = slot_write(fd, slot, records[slot]);
	if (!ret && fsync(fd))
		ret = -errno;
	return ret;
}

static int file_create(const char *path, uint8_t records[FUSE_SLOTS][FUSE_RECORD_SIZE],
		       struct error *error)
{
	char temporary[PATH_MAX];
	int fd, ret;

	if ((size_t)snprintf(temporary, sizeof(temporary), "%s.new", path) >= sizeof(temporary))
		return error_set(error, -ENAMETOOLONG, "fuses %s: the path is too long", path);
	if (unlink(temporary) && errno != ENOENT)
		return error_set(error, -errno, "fuses %s: %s", temporary, strerror(errno));
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_set(error, -errno, "fuses %s: cannot be created: %s", temporary,
				 strerror(errno));
	ret = write_new(fd, records);
	close(fd);
	/* link() unlike rename() never replaces fuses that are there. */
	if (!ret && link(temporary, path))
		ret = -errno;
	unlink(temporary);
	if (!ret)
		ret = sync_directory(path);
	if (ret)
		error_set(error, ret, "fuses %s: cannot be created: %s", path, strerror(-ret));
	return ret;
}

static int open_private(const char *path, struct error *error)
{
	struct stat st;
	int fd;

	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_set(error, -errno, "fuses %s: %s", path, strerror(errno));
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && !(st.st_mode & 077))
		return fd;
	close(fd);
	return error_set(error, -EPERM,
			 "fuses %s: must be a file that only its owner can read (chmod 600)", path);
}

static int file_open(const char *path, struct fuse_store **result, struct error *error)
{
	struct fuse_store *store;
	int fd;

	fd = open_private(path, error);
	if (fd < 0)
		return fd;
	store = calloc(1, sizeof(*store));
	if (!store) {
		close(fd);
		return error_set(error, -ENOMEM, "fuses %s: out of memory", path);
	}
	store->fd = fd;
	*result = store;
	return 0;
}

static void file_close(struct fuse_store *store)
{
	close(store->fd);
	free(store);
}

static int file_read(struct fuse_store *store, unsigned int slot, uint8_t record[FUSE_RECORD_SIZE])
{
	ssize_t n = pread(store->fd, record, FUSE_RECORD_SIZE, (off_t)slot * SLOT_DISTANCE);

	if (n < 0)
		return -errno;
	return n == FUSE_RECORD_SIZE ? 0 : -EBADMSG;
}

static int file_write(struct fuse_store *store, unsigned int slot,
		      const uint8_t record[FUSE_RECORD_SIZE])
{
	int ret = slot_write(store->fd, slot, record);

	if (!ret && fdatasync(store->fd))
		ret = -errno;
	return ret;
}

static int file_remove(const char *path, struct error *error)
{
	if (unlink(path) && errno != ENOENT)
		return error_set(error, -errno, "fuses %s: %s", path, strerror(errno));
	return 0;
}

const struct fuse_backend fuse_backend_file = {
	.scheme = "",
	.create = file_create,
	.open = file_open,
	.close = file_close,
	.read = file_read,
	.write = file_write,
	.remove = file_remove,
};
