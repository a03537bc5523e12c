// SPDX-License-Identifier: Apache-2.0
/*
 * The firmware slots and the boot record: two images in the state directory, and a small file that says
 * which of them starts, which has proven itself, and which is on trial. A trial that a crash ends is over:
 * the next start takes the former firmware.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "internal.h"

#define RECORD	   "firmware.boot"
#define RECORD_MAX 128
#define FORMAT	   "ihsm-boot 1\nactive %s\ntrial %s\nproven %s%s.\n"

/* What the record says, and the file in the state directory; the installed one is elsewhere */
static const struct {
	const char *word, *file;
} places[BOARD_PLACES] = {
	[BOARD_PLACE_INSTALLED] = { "installed", NULL },
	[BOARD_PLACE_A] = { "a", "firmware.a" },
	[BOARD_PLACE_B] = { "b", "firmware.b" },
	[BOARD_PLACE_STAGED] = { "staged", "firmware.staged" },
};

const char *slots_word(enum board_place place)
{
	return places[place].word;
}

const char *slots_file(enum board_place place)
{
	return places[place].file;
}

int slots_open(const struct board *board)
{
	int fd = open(board->options->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return fd;
}

/* ---- the record ---- */

static size_t format_record(const struct boot_record *record, char *text)
{
	return (size_t)snprintf(text, RECORD_MAX, FORMAT, places[record->active].word,
				record->trial ? places[record->trial].word : "none",
				record->proven & 1U << BOARD_PLACE_A ? "a" : "",
				record->proven & 1U << BOARD_PLACE_B ? "b" : "");
}

/* There are few records: the one that reads like the text is it. */
static bool parse_record(const char *text, struct boot_record *record)
{
	char other[RECORD_MAX];
	uint32_t n;

	for (n = 0; n < 3 * 3 * 4; n++) {
		*record = (struct boot_record){ .active = n % 3,
						.trial = n / 3 % 3,
						.proven = n / 9 << BOARD_PLACE_A };
		format_record(record, other);
		if (strcmp(text, other) == 0)
			return true;
	}
	*record = (struct boot_record){ 0 };
	return false;
}

int slots_read(const struct board *board, struct boot_record *record)
{
	char text[RECORD_MAX] = "";
	int dir, fd, ret = 0;
	ssize_t n;

	*record = (struct boot_record){ 0 };
	dir = slots_open(board);
	if (dir < 0)
		return dir;
	fd = openat(dir, RECORD, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		ret = errno == ENOENT ? 0 : -errno;
		close(dir);
		return ret;
	}
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		ret = -errno;
	else if (!parse_record(text, record))
		ret = -EBADMSG;
	close(fd);
	close(dir);
	return ret;
}

static int write_new(int dir, const char *text, size_t length)
{
	int fd, ret = 0;

	fd = openat(dir, RECORD ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		    0600);
	if (fd < 0)
		return -errno;
	if (write(fd, text, length) != (ssize_t)length || fsync(fd))
		ret = errno ? -errno : -EIO;
	close(fd);
	return ret;
}

int slots_write(const struct board *board, const struct boot_record *record)
{
	char text[RECORD_MAX] = "";
	int dir, ret;

	dir = slots_open(board);
	if (dir < 0)
		return dir;
	ret = write_new(dir, text, format_record(record, text));
	if (!ret && (renameat(dir, RECORD ".new", dir, RECORD) || fsync(dir)))
		ret = -errno;
	close(dir);
	return ret;
}

/* ---- the images ---- */

int slots_fill(const struct board *board, enum board_place slot)
{
	int dir, ret = 0;

	dir = slots_open(board);
	if (dir < 0)
		return dir;
	if (renameat(dir, places[BOARD_PLACE_STAGED].file, dir, places[slot].file) || fsync(dir))
		ret = -errno;
	close(dir);
	return ret;
}

static int open_image(const struct board *board, enum board_place place)
{
	int dir, fd;

	dir = slots_open(board);
	if (dir < 0)
		return dir;
	fd = openat(dir, places[place].file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		fd = -errno;
	close(dir);
	return fd;
}

static struct bundle_policy policy_of(const struct board *board)
{
	const struct fuse_values *fuses = fuses_values(board->state->fuses);

	return (struct bundle_policy){
		.vendor = fuses->vendor_hash,
		.minimum = fuses->minimum_version,
		.production = fuses->lifecycle == HSM_LIFECYCLE_PRODUCTION,
	};
}

static int from_image(const struct board *board, enum board_place place, bool whole,
		      struct bundle *bundle, struct error *error)
{
	const struct bundle_policy policy = policy_of(board);
	char text[BOARD_ERROR_MAX];
	int fd, ret;

	memset(bundle, 0, sizeof(*bundle));
	fd = open_image(board, place);
	if (fd < 0)
		return error_set(error, fd, "%s/%s: %s", board->options->state, places[place].file,
				 strerror(-fd));
	ret = (whole ? bundle_load_image : bundle_peek_image)(board->state->keys, fd, &policy,
							      bundle, error);
	close(fd);
	if (ret) {
		snprintf(text, sizeof(text), "%s", error->text);
		error_set(error, ret, "%.200s/%s: %.250s", board->options->state,
			  places[place].file, text);
	}
	return ret;
}

int slots_load(const struct board *board, enum board_place place, struct bundle *bundle,
	       struct error *error)
{
	const struct bundle_policy policy = policy_of(board);

	if (places[place].file)
		return from_image(board, place, true, bundle, error);
	return bundle_load(board->state->keys, board->options->firmware, &policy, bundle, error);
}

int slots_peek(const struct board *board, enum board_place place, struct bundle *bundle,
	       struct error *error)
{
	const struct bundle_policy policy = policy_of(board);

	if (places[place].file)
		return from_image(board, place, false, bundle, error);
	return bundle_peek(board->state->keys, board->options->firmware, &policy, bundle, error);
}
