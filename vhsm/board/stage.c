// SPDX-License-Identifier: Apache-2.0
/*
 * A firmware image on its way in, by the kernel's firmware upload for example: kept beside the state as
 * firmware.staged once it is whole. Nobody looks into it here, and it does not run: that takes the
 * officers' approval.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <linux/ihsm_hw.h>
#include "internal.h"

#define STAGED	 "firmware.staged"
#define INCOMING "firmware.staged.new"

static int open_state(const struct board *board)
{
	int fd = open(board->options->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return fd;
}

static void forget(struct board *board, int dir)
{
	if (board->stage.fd < 0)
		return;
	close(board->stage.fd);
	unlinkat(dir, INCOMING, 0);
	board->stage = (struct stage){ .fd = -1 };
}

static int begin(struct board *board, int dir, uint32_t size)
{
	int fd;

	forget(board, dir);
	if (!size || size > IHSM_IMAGE_MAX)
		return -EINVAL;
	fd = openat(dir, INCOMING, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	board->stage = (struct stage){ .fd = fd, .size = size };
	return 0;
}

static int add(struct board *board, uint32_t offset, const uint8_t *bytes, size_t length)
{
	struct stage *stage = &board->stage;
	size_t done = 0;
	ssize_t n;

	if (stage->fd < 0 || offset != stage->got || !length || length > stage->size - stage->got)
		return -EINVAL;
	while (done < length) {
		n = write(stage->fd, bytes + done, length - done);
		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	stage->got += (uint32_t)length;
	return 0;
}

/* On disk under its name, or not there at all */
static int finish(struct board *board, int dir)
{
	struct stage *stage = &board->stage;

	if (stage->fd < 0 || stage->got != stage->size)
		return -EINVAL;
	if (fsync(stage->fd) || renameat(dir, INCOMING, dir, STAGED) || fsync(dir))
		return -errno;
	board_log("a firmware image of %u bytes is staged", stage->size);
	close(stage->fd);
	*stage = (struct stage){ .fd = -1 };
	return 0;
}

int stage_put(struct board *board, const struct board_stage *request, const uint8_t *bytes,
	      size_t length)
{
	int dir, ret;

	if (length && request->step != IHSM_STAGE_WRITE)
		return -EINVAL;
	dir = open_state(board);
	if (dir < 0)
		return dir;
	switch (request->step) {
	case IHSM_STAGE_BEGIN:
		ret = begin(board, dir, request->number);
		break;
	case IHSM_STAGE_WRITE:
		ret = add(board, request->number, bytes, length);
		break;
	case IHSM_STAGE_END:
		ret = finish(board, dir);
		break;
	case IHSM_STAGE_ABORT:
		forget(board, dir);
		ret = 0;
		break;
	default:
		ret = -EINVAL;
	}
	/* What went wrong once does not become right by going on. */
	if (ret)
		forget(board, dir);
	close(dir);
	return ret;
}

/* What it says it is: whether it is taken is found out when it is to run. */
static void tell_staged(struct board *board)
{
	struct bundle bundle;
	struct error error;
	int ret = slots_peek(board, BOARD_PLACE_STAGED, &bundle, &error);

	board_event_firmware(board, HSM_AUDIT_FIRMWARE_STAGED, ret ? NULL : &bundle,
			     BOARD_PLACE_STAGED, ret ? "does not verify" : bundle.version);
}

int stage_handle(struct board *board, const struct board_stage *request, const uint8_t *bytes,
		 size_t length)
{
	int ret = stage_put(board, request, bytes, length);

	if (!ret && request->step == IHSM_STAGE_END)
		tell_staged(board);
	return ret;
}
