// SPDX-License-Identifier: Apache-2.0
/*
 * The second half of an update, in the main loop: the processes of the former firmware are told to end,
 * and those of the next one adopt their connections. When all are ready the boot record is written, and
 * that is the instant from which the next firmware is the board's. If one of them is not, the former
 * firmware comes back in the same way.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "internal.h"

#define END_SECONDS   7 /* for the former firmware to finish what runs, as <hsm/board.h> has it end */
#define READY_SECONDS 60
#define ANSWER_MS     100 /* for who asked for it to see the answer, before the device resets */

/* Each second; the first time after so many milliseconds, 0: never again. */
static void set_patience(struct board *board, long first_ms)
{
	const struct itimerspec when = {
		.it_interval.tv_sec = 1, .it_value = { first_ms / 1000, first_ms % 1000 * 1000000 }
	};

	timerfd_settime(board->update.patience.fd, 0, &when, NULL);
}

static struct bundle *other(struct board *board)
{
	return &board->bundles[board->bundle == &board->bundles[0]];
}

/* Make the other bundle the one that processes start from, and replace those of the first. */
static void swap(struct board *board)
{
	board->bundle = other(board);
	functions_replace(board);
}

static void go_ready(struct watch *watch, uint32_t events)
{
	struct board *board = watch->board;
	uint64_t count;

	(void)events;
	if (read(watch->fd, &count, sizeof(count)) != sizeof(count))
		return;
	board->update.due = true;
	set_patience(board, ANSWER_MS);
}

static void take_over(struct board *board)
{
	board_log("firmware %s takes over", other(board)->version);
	board_event_trial(board, other(board));
	board->update.due = false;
	board->update.switching = true;
	board->update.waited = 0;
	set_patience(board, 1000);
	swap(board);
	update_progress(board);
}

static void patience_ready(struct watch *watch, uint32_t events)
{
	struct board *board = watch->board;
	uint64_t count;

	(void)events;
	if (read(watch->fd, &count, sizeof(count)) != sizeof(count))
		return;
	if (board->update.due) {
		take_over(board);
		return;
	}
	board->update.waited++;
	if (board->update.waited == END_SECONDS)
		functions_kill_old(board);
	if (board->update.waited >= READY_SECONDS && board->update.switching)
		update_failed(board, "it was not ready in time");
	else if (board->update.waited > END_SECONDS && !board->update.switching)
		set_patience(board, 0);
}

void update_failed(struct board *board, const char *why)
{
	struct boot_view view = update_boot(board);
	struct error error;

	board->update.switching = false;
	board->update.waited = 0;
	error_set(&error, 0, "firmware %s did not take over: %s; the former one is back",
		  board->bundle->version, why);
	board_log("%s", error.text);
	view.record.trial = 0;
	update_set_boot(board, &view.record, view.running);
	if (slots_write(board, &view.record))
		board_log("the boot record cannot be written; the next start ends the trial");
	board_event_settled(board, other(board), why);
	swap(board);
	/* Its memfds go; what a process still needs of it is the numbers. */
	bundle_close(other(board));
	update_end(board, BOARD_UPDATE_FAILED, error.text);
}

static int commit(struct board *board, struct error *error)
{
	struct boot_record record = update_boot(board).record;
	int ret;

	record.active = board->update.place;
	record.trial = 0;
	if (record.active != BOARD_PLACE_INSTALLED)
		record.proven |= 1U << record.active;
	ret = slots_write(board, &record);
	if (ret)
		return error_set(error, ret, "the boot record cannot be written: %s",
				 strerror(-ret));
	update_set_boot(board, &record, record.active);
	ret = state_step(board->state, STEP_UPDATE_COMMITTED);
	return ret ? ret : state_version(board->state, board->bundle->security_version, error);
}

void update_progress(struct board *board)
{
	struct error error = { "" };
	int ret;

	if (!board->update.switching || !functions_settled(board))
		return;
	ret = commit(board, &error);
	if (ret && board->running != board->update.place) {
		update_failed(board, error.text);
		return;
	}
	board->update.switching = false;
	set_patience(board, 0);
	bundle_close(other(board));
	board_log("firmware %s, security version %u, is the board's", board->bundle->version,
		  board->bundle->security_version);
	board_event_settled(board, board->bundle, NULL);
	update_end(board, BOARD_UPDATE_DONE, error.text);
	functions_updated(board);
}

int update_open(struct board *board)
{
	struct update *update = &board->update;
	int ret;

	pthread_mutex_init(&update->lock, NULL);
	update->go = (struct watch){ go_ready, board, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	update->patience =
		(struct watch){ patience_ready, board,
				timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK) };
	ret = board_watch(board, &update->go, EPOLLIN);
	return ret ? ret : board_watch(board, &update->patience, EPOLLIN);
}

void update_close(struct board *board)
{
	close(board->update.go.fd);
	close(board->update.patience.fd);
	pthread_mutex_destroy(&board->update.lock);
}
