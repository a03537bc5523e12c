// SPDX-License-Identifier: Apache-2.0
/*
 * The board is in another state: tampered with, recovered, in another state of its life. Firmware was
 * started under the former one, with secrets of it. Each process is told, tells its drivers, and ends;
 * one that has connections is followed by a successor. Who does not end is killed.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <linux/ihsm_hw.h>
#include "function.h"
#include "tamper.h"

#define AT_ONCE_SECONDS 1 /* for a process to pass on that the board was tampered with */
#define LEAVE_SECONDS	10 /* to end what runs */

uint32_t board_state(struct board *board)
{
	struct board_condition condition;

	state_condition(board->state, &condition);
	if (condition.flags & BOARD_HELLO_TAMPERED)
		return IHSM_STATE_TAMPERED;
	if (condition.flags & BOARD_HELLO_STALE)
		return IHSM_STATE_RECOVERY;
	if (condition.lifecycle > HSM_LIFECYCLE_PRODUCTION)
		return IHSM_STATE_RETIRED;
	return condition.flags & (BOARD_HELLO_EMBEDDED | BOARD_HELLO_CLAIMED)
		       ? IHSM_STATE_OPERATIONAL
		       : IHSM_STATE_UNCLAIMED;
}

void board_state_changed(struct board *board)
{
	uint64_t one = 1;

	__atomic_store_n(&board->state_changed, true, __ATOMIC_RELEASE);
	if (write(board->changes.fd, &one, sizeof(one)) != sizeof(one))
		board_log("a notice of another state was lost");
}

static void late_ready(struct watch *watch, uint32_t events)
{
	struct board *board = watch->board;
	struct function *function;
	uint64_t count;
	unsigned int i;

	(void)events;
	if (read(watch->fd, &count, sizeof(count)) != sizeof(count))
		return;
	for (i = 0; i < board->options->functions; i++) {
		function = &board->functions[i];
		if (!function->running || function->leaving != function->starts)
			continue;
		board_log("function %u: the firmware does not end, it is killed", i);
		function_kill(function);
	}
}

void restart_all(struct board *board)
{
	uint32_t state = board_state(board);
	struct itimerspec when = { 0 };
	struct function *function;
	unsigned int i;

	when.it_value.tv_sec = state == IHSM_STATE_TAMPERED ? AT_ONCE_SECONDS : LEAVE_SECONDS;
	for (i = 0; i < board->options->functions; i++) {
		function = &board->functions[i];
		if (!function->running)
			continue;
		function->leaving = function->starts;
		control_state(function, state);
	}
	timerfd_settime(board->late.fd, 0, &when, NULL);
}

int restart_open(struct board *board)
{
	board->late = (struct watch){ late_ready, board,
				      timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK) };
	return board_watch(board, &board->late, EPOLLIN);
}

void restart_close(struct board *board)
{
	close(board->late.fd);
}
