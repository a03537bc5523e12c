// SPDX-License-Identifier: Apache-2.0
/*
 * The command side and the board of the hostile device: a message comes back as it went, and there is
 * nothing to be stored.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fault.h"
#include "transport.h"

#define HANG_MS 30000 /* the guest has given up long before */

struct firmware_context {
	char unused;
};

uint32_t commands_partitions(void)
{
	return 0;
}

unsigned int commands_partition_list(struct ihsm_partition_entry *list, unsigned int room)
{
	(void)list;
	(void)room;
	return 0;
}

enum ihsm_self_test commands_self_test(void)
{
	return IHSM_SELF_TEST_NONE;
}

uint32_t commands_minimum_version(void)
{
	return 0;
}

void commands_wipe(void)
{
}

int commands_random(uint8_t *out, size_t length)
{
	memset(out, 0x5a, length);
	return 0;
}

void commands_partition_changed(const uint8_t id[PARTITION_ID_SIZE])
{
	(void)id;
}

int context_open(const struct context_info *info, struct firmware_context **context)
{
	(void)info;
	*context = calloc(1, sizeof(**context));
	return *context ? 0 : -ENOMEM;
}

void context_close(struct firmware_context *context)
{
	free(context);
}

/* A command that ends when it is aborted, and not before */
static void hang(struct task *task)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	for (unsigned int ms = 0; ms < HANG_MS && !task_cancelled(task); ms++)
		nanosleep(&pause, NULL);
}

enum ihsm_status message_execute(struct task *task, struct firmware_context *context,
				 uint8_t *request, size_t request_length, uint8_t *response,
				 size_t capacity, size_t *response_length)
{
	(void)context;
	if (plan_now(FAULT_HANG) && !task_set_class(task, IHSM_TIME_LONG))
		hang(task);
	if (request_length > capacity)
		return IHSM_SC_TOO_SMALL;
	memcpy(response, request, request_length);
	*response_length = request_length;
	return IHSM_SC_SUCCESS;
}

/* ---- the board ---- */

int storage_call(enum board_request type, const struct iovec *parts, int count, void *reply,
		 size_t capacity, size_t *length)
{
	(void)type;
	(void)parts;
	(void)count;
	(void)reply;
	(void)capacity;
	*length = 0;
	return -EIO;
}

int board_keep(uint32_t connection, const struct board_keep *keep, int fd)
{
	(void)connection;
	(void)keep;
	(void)fd;
	return 0;
}

void board_forget(uint32_t connection, const struct board_keep *keep)
{
	(void)connection;
	(void)keep;
}

void board_closed(uint32_t connection)
{
	(void)connection;
}
