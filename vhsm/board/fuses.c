// SPDX-License-Identifier: Apache-2.0
/*
 * The fuses: a small file with two slots that are written in turn, each with its sequence number
 * and digest. A write that a power cut tears spoils the older slot only, so the counter moves on
 * at the price of one fdatasync. The digest finds damage, not malice: who can write this file can
 * be the board (Documentation/board.rst).
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include "internal.h"
#include "le.h"

#define FUSES_MAGIC   "IHSMFUSE"
#define FUSES_VERSION 1
#define FUSES_SLOTS   2
#define SLOT_DISTANCE 4096 /* so that the two never share a block of the disk */
#define SLOT_USED                                                                          \
	(8 + 4 + 4 + 8 + 8 + 5 * 4 + BOARD_ID_SIZE + BOARD_SERIAL_SIZE + BOARD_HASH_SIZE + \
	 3 * BOARD_SECRET_SIZE)
#define SLOT_SIZE \
	SLOT_DISTANCE /* zeros up to the digest, so that it covers every byte of the file */
#define SLOT_BODY (SLOT_SIZE - SHA256_DIGEST_LENGTH)

_Static_assert(SLOT_USED <= SLOT_BODY, "the values fit");

struct fuses {
	int fd;
	unsigned int slot; /* that holds the values in force */
	uint64_t sequence;
	struct fuse_values values;
};

static void digest(const uint8_t *body, uint8_t *out)
{
	SHA256(body, SLOT_BODY, out);
}

static void slot_encode(const struct fuse_values *values, uint64_t sequence, uint8_t *slot)
{
	uint8_t *at = slot;

	memset(slot, 0, SLOT_SIZE);
	put_bytes(&at, FUSES_MAGIC, 8);
	put_u32(&at, FUSES_VERSION);
	put_u32(&at, SLOT_SIZE);
	put_u64(&at, sequence);
	put_u64(&at, values->counter);
	put_u32(&at, values->flags);
	put_u32(&at, values->lifecycle);
	put_u32(&at, values->debug);
	put_u32(&at, values->minimum_version);
	put_u32(&at, values->claim_failures);
	put_bytes(&at, values->board_id, sizeof(values->board_id));
	put_bytes(&at, values->serial, sizeof(values->serial));
	put_bytes(&at, values->vendor_hash, sizeof(values->vendor_hash));
	put_bytes(&at, values->secret, sizeof(values->secret));
	put_bytes(&at, values->root, sizeof(values->root));
	put_bytes(&at, values->next_root, sizeof(values->next_root));
	digest(slot, slot + SLOT_BODY);
}

/* Return: 0, -EBADMSG, or -EPROTONOSUPPORT for a slot of another version. */
static int slot_decode(const uint8_t *slot, struct fuse_values *values, uint64_t *sequence)
{
	uint8_t expected[SHA256_DIGEST_LENGTH];
	const uint8_t *at = slot + 8;
	uint32_t version, size;

	if (memcmp(slot, FUSES_MAGIC, 8) != 0)
		return -EBADMSG;
	version = get_u32(&at);
	size = get_u32(&at);
	digest(slot, expected);
	if (CRYPTO_memcmp(expected, slot + SLOT_BODY, sizeof(expected)) != 0)
		return version == FUSES_VERSION ? -EBADMSG : -EPROTONOSUPPORT;
	if (version != FUSES_VERSION || size != SLOT_SIZE)
		return -EPROTONOSUPPORT;

	*sequence = get_u64(&at);
	values->counter = get_u64(&at);
	values->flags = get_u32(&at);
	values->lifecycle = get_u32(&at);
	values->debug = get_u32(&at);
	values->minimum_version = get_u32(&at);
	values->claim_failures = get_u32(&at);
	get_bytes(&at, values->board_id, sizeof(values->board_id));
	get_bytes(&at, values->serial, sizeof(values->serial));
	get_bytes(&at, values->vendor_hash, sizeof(values->vendor_hash));
	get_bytes(&at, values->secret, sizeof(values->secret));
	get_bytes(&at, values->root, sizeof(values->root));
	get_bytes(&at, values->next_root, sizeof(values->next_root));
	values->serial[sizeof(values->serial) - 1] = '\0';
	return 0;
}

static int slot_write(int fd, unsigned int slot, const struct fuse_values *values,
		      uint64_t sequence)
{
	uint8_t bytes[SLOT_SIZE];
	ssize_t n;

	slot_encode(values, sequence, bytes);
	n = pwrite(fd, bytes, sizeof(bytes), (off_t)slot * SLOT_DISTANCE);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	if (n < 0)
		return -errno;
	return n == SLOT_SIZE ? 0 : -ENOSPC;
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

static int write_new(int fd, const struct fuse_values *values)
{
	unsigned int slot;
	int ret;

	/* Room for both slots now: moving the counter on must not need any later. */
	ret = -posix_fallocate(fd, 0, FUSES_SLOTS * SLOT_DISTANCE);
	for (slot = 0; !ret && slot < FUSES_SLOTS; slot++)
		ret = slot_write(fd, slot, values, slot);
	if (!ret && fsync(fd))
		ret = -errno;
	return ret;
}

int fuses_create(const char *path, const struct fuse_values *values, struct error *error)
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
	ret = write_new(fd, values);
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

/* Read both slots and take the newer one that verifies. */
static int fuses_load(struct fuses *fuses, const char *path, struct error *error)
{
	struct fuse_values values;
	uint8_t bytes[SLOT_SIZE];
	uint64_t sequence;
	unsigned int slot, good = 0;
	int ret, worst = -EBADMSG;

	for (slot = 0; slot < FUSES_SLOTS; slot++) {
		if (pread(fuses->fd, bytes, sizeof(bytes), (off_t)slot * SLOT_DISTANCE) !=
		    (ssize_t)sizeof(bytes))
			continue;
		ret = slot_decode(bytes, &values, &sequence);
		if (ret == -EPROTONOSUPPORT)
			worst = ret;
		if (ret)
			continue;
		if (!good || sequence > fuses->sequence) {
			fuses->slot = slot;
			fuses->sequence = sequence;
			fuses->values = values;
		}
		good++;
	}
	OPENSSL_cleanse(bytes, sizeof(bytes));
	OPENSSL_cleanse(&values, sizeof(values));
	/* A flipped version byte of one slot is damage; in both it is another format. */
	if (!good && worst == -EPROTONOSUPPORT)
		return error_set(error, worst,
				 "fuses %s: unknown format version; this vhsm knows "
				 "version %u, use the one that made them",
				 path, FUSES_VERSION);
	if (!good)
		return error_set(error, -EBADMSG,
				 "fuses %s: damaged, no slot verifies; restore "
				 "the file, or start anew with --zeroize",
				 path);
	if (good < FUSES_SLOTS)
		board_log(
			"fuses %s: slot %u does not verify (an interrupted write?), going on with slot %u",
			path, !fuses->slot, fuses->slot);
	return 0;
}

int fuses_open(const char *path, struct fuses **result, struct error *error)
{
	struct fuses *fuses;
	struct stat st;
	int ret;

	fuses = calloc(1, sizeof(*fuses));
	if (!fuses)
		return error_set(error, -ENOMEM, "fuses %s: out of memory", path);
	fuses->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fuses->fd < 0) {
		ret = error_set(error, -errno, "fuses %s: %s", path, strerror(errno));
		goto free_fuses;
	}
	if (fstat(fuses->fd, &st) || !S_ISREG(st.st_mode) || (st.st_mode & 077)) {
		ret = error_set(error, -EPERM,
				"fuses %s: must be a file that only its owner can "
				"read (chmod 600)",
				path);
		goto close_file;
	}
	ret = fuses_load(fuses, path, error);
	if (ret)
		goto close_file;
	*result = fuses;
	return 0;

close_file:
	close(fuses->fd);
free_fuses:
	OPENSSL_cleanse(fuses, sizeof(*fuses));
	free(fuses);
	return ret;
}

void fuses_close(struct fuses *fuses)
{
	if (!fuses)
		return;
	close(fuses->fd);
	OPENSSL_cleanse(fuses, sizeof(*fuses));
	free(fuses);
}

const struct fuse_values *fuses_values(const struct fuses *fuses)
{
	return &fuses->values;
}

int fuses_store(struct fuses *fuses, const struct fuse_values *values, bool both)
{
	struct fuse_values copy = *values;
	int writes = both ? FUSES_SLOTS : 1;
	int ret = 0;

	while (!ret && writes--) {
		ret = slot_write(fuses->fd, !fuses->slot, &copy, fuses->sequence + 1);
		if (!ret && fdatasync(fuses->fd))
			ret = -errno;
		if (ret)
			break;
		fuses->slot = !fuses->slot;
		fuses->sequence++;
		fuses->values = copy;
	}
	OPENSSL_cleanse(&copy, sizeof(copy));
	return ret;
}
