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

#define TELL_MS	 1000 /* for a process that has no key any more to tell its drivers */
#define LEAVE_MS 10000 /* for function 0 to end what runs: an officer waits for the answer */

uint32_t board_state(struct board *board)
{
	struct board_condition condition;

	state_condition(board->state, &condition);
	if (condition.flags & BOARD_HELLO_TAMPERED || tamper_unnoted(board))
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

static bool is_leaving(const struct function *function)
{
	return function->running && function->leaving == function->starts;
}

/* The timer fires when the next one is late; a call for another one does not put that off. */
static void arm_late(struct board *board)
{
	struct itimerspec when = { 0 };
	int64_t left, next = INT64_MAX;
	unsigned int i;

	for (i = 0; i < board->options->functions; i++)
		if (is_leaving(&board->functions[i]) && board->functions[i].leave_by < next)
			next = board->functions[i].leave_by;
	if (next == INT64_MAX)
		return;
	left = next - monotonic_ms();
	if (left < 1)
		left = 1;
	when.it_value.tv_sec = left / 1000;
	when.it_value.tv_nsec = left % 1000 * 1000000;
	timerfd_settime(board->late.fd, 0, &when, NULL);
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
		if (!is_leaving(function) || function->leave_by > monotonic_ms())
			continue;
		board_log("function %u: the firmware does not end, it is killed", i);
		function_kill(function);
		function->leave_by = INT64_MAX;
	}
	arm_late(board);
}

/* Whoever was told before keeps the time that he had, unless there is less of it now. */
static void tell_to_leave(struct function *function, uint32_t state, int64_t by)
{
	if (is_leaving(function)) {
		if (by < function->leave_by)
			function->leave_by = by;
		return;
	}
	function->leaving = function->starts;
	function->leave_by = by;
	control_state(function, state);
}

/*
 * A tenant's process has keys of partitions that there are no more, and wipes them when it is told. Function 0
 * may have to answer the officer whose request it was.
 */
void restart_all(struct board *board)
{
	uint32_t state = board_state(board);
	int64_t now = monotonic_ms();
	struct function *function;
	unsigned int i;

	for (i = 0; i < board->options->functions; i++) {
		function = &board->functions[i];
		if (function->running)
			tell_to_leave(function, state,
				      now + (i || state == IHSM_STATE_TAMPERED ? TELL_MS
									       : LEAVE_MS));
	}
	arm_late(board);
}

void restart_at_once(struct board *board)
{
	struct function *function;
	unsigned int i;

	for (i = 0; i < board->options->functions; i++) {
		function = &board->functions[i];
		if (!function->running)
			continue;
		function->leaving = function->starts;
		function->leave_by = INT64_MAX;
		function_kill(function);
	}
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
