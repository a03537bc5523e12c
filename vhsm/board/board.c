// SPDX-License-Identifier: Apache-2.0
/*
 * The main loop: one thread and one epoll descriptor for sockets, firmware processes, signals, the
 * idle timer, and the changes that storage threads report.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "sideband.h"

#define EVENTS_AT_ONCE 32

/* A partition's change on its way from a storage thread to the main loop */
struct notice {
	struct notice *next;
	uint32_t function;
	uint8_t id[PARTITION_ID_SIZE];
};

int board_watch(struct board *board, struct watch *watch, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	return epoll_ctl(board->epoll, EPOLL_CTL_ADD, watch->fd, &event) ? -errno : 0;
}

void board_unwatch(struct board *board, struct watch *watch)
{
	epoll_ctl(board->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
}

void board_rewatch(struct board *board, struct watch *watch, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	epoll_ctl(board->epoll, EPOLL_CTL_MOD, watch->fd, &event);
}

/* ---- idle ---- */

static void arm_idle(struct board *board)
{
	struct itimerspec when = { 0 };

	if (!board->connections)
		when.it_value.tv_sec = board->options->idle_exit;
	if (board->options->idle_exit)
		timerfd_settime(board->idle.fd, 0, &when, NULL);
}

void board_count_connections(struct board *board, int change)
{
	board->connections += (unsigned int)change;
	if (board->connections == 0 || (change > 0 && board->connections == 1))
		arm_idle(board);
}

static void idle_ready(struct watch *watch, uint32_t events)
{
	uint64_t count;

	(void)events;
	if (read(watch->fd, &count, sizeof(count)) != sizeof(count) || watch->board->connections)
		return;
	if (!functions_retire(watch->board))
		return;
	board_log("idle for %ld s, ending", watch->board->options->idle_exit);
	watch->board->stopping = true;
}

/* ---- signals ---- */

static void signals_ready(struct watch *watch, uint32_t events)
{
	struct signalfd_siginfo info;

	(void)events;
	if (read(watch->fd, &info, sizeof(info)) != sizeof(info))
		return;
	board_log("signal %u, ending", info.ssi_signo);
	watch->board->stopping = true;
}

static int open_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	/* Blocked before any thread starts, so that none of them takes one. */
	if (pthread_sigmask(SIG_BLOCK, &set, NULL))
		return -EINVAL;
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* ---- changes of partitions ---- */

void board_partition_changed(struct board *board, uint32_t function,
			     const uint8_t id[PARTITION_ID_SIZE])
{
	struct notice *notice;
	uint64_t one = 1;

	/* 0: assigned to none; function 0 itself asked for the change. */
	if (function == 0 || function >= board->options->functions)
		return;
	notice = calloc(1, sizeof(*notice));
	if (!notice) {
		board_log("function %u: out of memory, it learns of a change at its next request",
			  function);
		return;
	}
	notice->function = function;
	memcpy(notice->id, id, PARTITION_ID_SIZE);
	pthread_mutex_lock(&board->changed_lock);
	notice->next = board->changed;
	board->changed = notice;
	pthread_mutex_unlock(&board->changed_lock);
	if (write(board->changes.fd, &one, sizeof(one)) != sizeof(one))
		board_log("function %u: a notice was lost", function);
}

void board_drop_changes(struct board *board)
{
	struct notice *notice;

	while ((notice = board->changed)) {
		board->changed = notice->next;
		free(notice);
	}
}

static void changes_ready(struct watch *watch, uint32_t events)
{
	struct board *board = watch->board;
	struct notice *notice, *next;
	uint64_t count;

	(void)events;
	if (read(watch->fd, &count, sizeof(count)) != sizeof(count))
		return;
	if (__atomic_exchange_n(&board->state_changed, false, __ATOMIC_ACQ_REL))
		restart_all(board);
	if (__atomic_exchange_n(&board->events_wait, false, __ATOMIC_ACQ_REL))
		functions_tell_events(board);
	pthread_mutex_lock(&board->changed_lock);
	notice = board->changed;
	board->changed = NULL;
	pthread_mutex_unlock(&board->changed_lock);
	for (; notice; notice = next) {
		next = notice->next;
		function_notify(board, notice->function, notice->id);
		free(notice);
	}
}

/* ---- the loop ---- */

static int open_watches(struct board *board)
{
	int ret;

	board->signals = (struct watch){ signals_ready, board, open_signals() };
	board->idle = (struct watch){ idle_ready, board,
				      timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK) };
	board->changes =
		(struct watch){ changes_ready, board, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	board->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ret = board_watch(board, &board->signals, EPOLLIN);
	if (!ret)
		ret = board_watch(board, &board->idle, EPOLLIN);
	if (!ret)
		ret = board_watch(board, &board->changes, EPOLLIN);
	if (!ret)
		ret = restart_open(board);
	if (!ret)
		ret = tamper_open(board);
	if (!ret)
		ret = sideband_open(board);
	if (!ret)
		ret = update_open(board);
	return ret;
}

int board_open(struct board *board, gid_t gid, struct error *error)
{
	int ret;

	pthread_mutex_init(&board->changed_lock, NULL);
	pthread_mutex_init(&board->grants.lock, NULL);
	pthread_mutex_init(&board->signed_head.lock, NULL);
	board->epoll = epoll_create1(EPOLL_CLOEXEC);
	ret = board->epoll < 0 ? -errno : open_watches(board);
	if (ret)
		return error_set(error, ret, "main loop: %s", strerror(-ret));
	board->run = directory_hold(board->options->run, error);
	return board->run < 0 ? board->run : functions_open(board, gid, error);
}

void board_close(struct board *board)
{
	functions_close(board);
	board_drop_changes(board);
	sideband_close(board);
	tamper_close(board);
	restart_close(board);
	update_close(board);
	close(board->changes.fd);
	close(board->idle.fd);
	close(board->signals.fd);
	close(board->spare_fd);
	if (board->run >= 0)
		close(board->run);
	close(board->epoll);
	pthread_mutex_destroy(&board->signed_head.lock);
	pthread_mutex_destroy(&board->grants.lock);
	pthread_mutex_destroy(&board->changed_lock);
}

int board_run(struct board *board)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	struct watch *watch;
	int n, i;

	arm_idle(board);
	while (!board->stopping) {
		n = epoll_wait(board->epoll, events, EVENTS_AT_ONCE, -1);
		if (n < 0 && errno != EINTR)
			return -errno;
		for (i = 0; i < n; i++) {
			watch = events[i].data.ptr;
			watch->ready(watch, events[i].events);
		}
		log_bound(board->options->log);
	}
	return 0;
}
