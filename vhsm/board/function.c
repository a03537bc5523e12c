// SPDX-License-Identifier: Apache-2.0
/*
 * The life of a function's firmware process: started on the first connection, watched by a pidfd,
 * followed by a successor when it dies with connections open, and given up for a while when it dies
 * again and again.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "function.h"
#include "service.h"

#define QUICK_MS	5000 /* a life shorter than this counts as quick */
#define MAX_NEVER_READY 5 /* quick deaths before BOARD_READY, then it is given up */
#define MAX_QUICK	20 /* quick deaths after BOARD_READY likewise */
#define GIVEN_UP_MS	30000 /* until a connection may try again */
#define BACKOFF_MS	20 /* doubled with each quick death but the first */
#define STOP_MS		3000 /* for the firmware to end when told so */

void function_kill(struct function *function)
{
	process_kill(&function->process);
}

static void *storage_thread(void *data)
{
	struct function *function = data;

	storage_serve(function->board, function->number, function->process.storage);
	/*
	 * Without storage a firmware process is good for nothing; when it is dead already no harm
	 * is done.
	 */
	process_kill(&function->process);
	return NULL;
}

static void start(struct function *function);

/*
 * One look at the events of several descriptors may show a process's end before its last words:
 * what is left of that look then finds closed descriptors, whose numbers may be others' by now.
 */
static bool is_over(const struct function *function)
{
	return !function->running;
}

/* ---- its log ---- */

/* Pass lines on with the function's number; control characters are no part of a log. */
static void log_lines(struct function *function)
{
	char text[1024];
	char *line, *save;
	ssize_t n, i;

	while ((n = read(function->process.log, text, sizeof(text) - 1)) > 0) {
		text[n] = '\0';
		for (i = 0; i < n; i++)
			if (text[i] != '\n' && (text[i] < 0x20 || text[i] == 0x7f))
				text[i] = '?';
		for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
			board_log("fn%u: %.400s", function->number, line);
	}
	log_bound(function->board->options->log);
}

static void log_ready(struct watch *watch, uint32_t events)
{
	struct function *function = function_of(watch, log);

	if (is_over(function))
		return;
	log_lines(function);
	if (events & (EPOLLHUP | EPOLLERR))
		board_unwatch(watch->board, watch);
}

/* ---- its end ---- */

static void give_up(struct function *function)
{
	board_log(
		"function %u: its firmware died %u times within seconds, given up for %d s; see the lines above",
		function->number, function->quick_deaths, GIVEN_UP_MS / 1000);
	function->failed = monotonic_ms() + GIVEN_UP_MS;
	function->quick_deaths = 0;
	function->never_ready = 0;
	while (function->connections)
		connection_close(function, function->connections);
}

static void start_later(struct function *function)
{
	long ms = BACKOFF_MS;
	struct itimerspec when = { 0 };
	unsigned int i;

	for (i = 2; i < function->quick_deaths && ms < 1000; i++)
		ms *= 2;
	when.it_value.tv_sec = ms / 1000;
	when.it_value.tv_nsec = ms % 1000 * 1000000;
	timerfd_settime(function->backoff.fd, 0, &when, NULL);
}

static void backoff_ready(struct watch *watch, uint32_t events)
{
	struct function *function = function_of(watch, backoff);
	uint64_t count;

	(void)events;
	if (read(watch->fd, &count, sizeof(count)) != sizeof(count))
		return;
	if (!function->running && function->connections)
		start(function);
}

/*
 * While another firmware takes over: who was told to end has a successor, and who ends without ends the
 * update.
 */
static void after_update(struct function *function)
{
	struct board *board = function->board;
	bool died = function->trial && !function->replaced;

	function->replaced = false;
	function->trial = false;
	function->ready = false;
	if (board->stopping)
		return;
	if (died && board->update.switching)
		update_failed(board, "it ended");
	if (function->connections && !function->running)
		start(function);
	update_progress(board);
}

/* After the death of a process, or a failed attempt to start one. */
static void after_death(struct function *function)
{
	bool told = function->leaving == function->starts && function->starts;
	bool quick = !told && monotonic_ms() - function->started < QUICK_MS;

	if (function->replaced || function->trial) {
		after_update(function);
		return;
	}
	function->quick_deaths = quick ? function->quick_deaths + 1 : 0;
	function->never_ready = quick && !function->ready ? function->never_ready + 1 : 0;
	function->ready = false;
	if (function->never_ready >= MAX_NEVER_READY || function->quick_deaths >= MAX_QUICK)
		give_up(function);
	else if (!function->connections || function->board->stopping)
		return;
	else if (function->quick_deaths > 1)
		start_later(function);
	else
		start(function);
}

static void release(struct function *function)
{
	struct process *process = &function->process;

	shutdown(process->storage, SHUT_RDWR);
	pthread_join(function->storage, NULL);
	board_unwatch(function->board, &function->control);
	board_unwatch(function->board, &function->pidfd);
	board_unwatch(function->board, &function->log);
	control_drop_all(function);
	close(process->control);
	close(process->storage);
	close(process->log);
	close(process->pidfd);
	function->running = false;
}

static void describe_end(const siginfo_t *info, char *text, size_t capacity)
{
	if (info->si_code == CLD_EXITED)
		snprintf(text, capacity, "exit status %d", info->si_status);
	else
		snprintf(text, capacity, "signal %d (%s)", info->si_status,
			 strsignal(info->si_status));
}

static void tell_death(struct function *function, const char *text)
{
	struct board_event event = {
		.event = HSM_AUDIT_FIRMWARE_DIED,
		.function = function->number,
		.version = function->bundle->security_version,
	};

	memcpy(event.measurement, function->bundle->measurement, sizeof(event.measurement));
	snprintf(event.detail, sizeof(event.detail), "%s", text);
	board_event(function->board, &event);
}

static void pidfd_ready(struct watch *watch, uint32_t events)
{
	struct function *function = function_of(watch, pidfd);
	siginfo_t info = { 0 };
	char text[64];

	(void)events;
	if (is_over(function))
		return;
	if (waitid(P_PIDFD, (id_t)watch->fd, &info, WEXITED | WNOHANG) || !info.si_pid)
		return;
	/* What it said before it died counts. */
	control_receive(function);
	log_lines(function);
	release(function);
	if (!function->board->stopping && !function->replaced) {
		describe_end(&info, text, sizeof(text));
		board_log("function %u: the firmware ended: %s; %u connections open",
			  function->number, text, function->connection_count);
		if (function->leaving != function->starts)
			tell_death(function, text);
	}
	after_death(function);
}

static void control_ready(struct watch *watch, uint32_t events)
{
	struct function *function = function_of(watch, control);
	int ret;

	if (is_over(function))
		return;
	if (events & EPOLLOUT)
		control_flush(function);
	ret = control_receive(function);
	if (!ret)
		return;
	if (ret == -EPROTO)
		board_log("function %u: the firmware sent a malformed control message, it is ended",
			  function->number);
	board_unwatch(watch->board, watch);
	process_kill(&function->process);
}

/* ---- its start ---- */

void function_ready(struct function *function)
{
	struct connection *connection;

	function->ready = true;
	for (connection = function->connections; connection; connection = connection->next)
		control_hand_over(function, connection);
	update_progress(function->board);
}

static int watch_process(struct function *function)
{
	struct board *board = function->board;
	int ret;

	function->control.fd = function->process.control;
	function->pidfd.fd = function->process.pidfd;
	function->log.fd = function->process.log;
	ret = board_watch(board, &function->control, EPOLLIN);
	if (!ret)
		ret = board_watch(board, &function->pidfd, EPOLLIN);
	if (!ret)
		ret = board_watch(board, &function->log, EPOLLIN);
	return ret;
}

static void start(struct function *function)
{
	int ret;

	function->started = monotonic_ms();
	function->ready = false;
	function->bundle = function->board->bundle;
	function->trial = function->board->update.switching;
	ret = launch(function->bundle, &function->process);
	if (ret) {
		board_log("function %u: the firmware cannot be started: %s", function->number,
			  strerror(-ret));
		after_death(function);
		return;
	}
	__atomic_add_fetch(&function->starts, 1, __ATOMIC_RELEASE);
	function->running = true;
	function->last_out = &function->first_out;
	ret = -pthread_create(&function->storage, NULL, storage_thread, function);
	if (!ret)
		ret = watch_process(function);
	if (ret) {
		/*
		 * Memory for a thread or a watch: nothing that the rest of the board could live
		 * with.
		 */
		board_log("function %u: %s; the board ends", function->number, strerror(-ret));
		process_kill(&function->process);
		exit(EXIT_BOARD_FAILED);
	}
}

/* ---- connections ---- */

static void admit(struct function *function, struct connection *connection)
{
	if (function->failed && monotonic_ms() < function->failed) {
		connection_close(function, connection);
		return;
	}
	function->failed = 0;
	if (function->ready)
		control_hand_over(function, connection);
	else if (!function->running && !function->quick_deaths)
		start(function);
	else if (!function->running)
		start_later(function);
}

static void listen_ready(struct watch *watch, uint32_t events)
{
	struct function *function = function_of(watch, listen);
	struct connection *connection;
	int ret;

	(void)events;
	do {
		ret = connection_accept(function, &connection);
		if (!ret)
			admit(function, connection);
	} while (ret >= 0);
}

/*
 * Who connects between the last look and the close would be cut off without a word. So the names go
 * first, then the backlogs are emptied; from then on a peer finds no socket and starts a board of
 * its own. A service manager's sockets stay: it starts the next board for who waits there.
 */
bool functions_retire(struct board *board)
{
	unsigned int i;

	for (i = 0; i < board->options->functions; i++)
		if (!board->functions[i].handed)
			directory_hide(board->run, i, true);
	for (i = 0; i < board->options->functions; i++)
		listen_ready(&board->functions[i].listen, EPOLLIN);
	if (!board->connections)
		return true;
	for (i = 0; i < board->options->functions; i++)
		if (!board->functions[i].handed)
			directory_hide(board->run, i, false);
	return false;
}

void function_notify(struct board *board, uint32_t number, const uint8_t id[PARTITION_ID_SIZE])
{
	struct function *function = &board->functions[number];

	if (function->running)
		control_notify(function, id);
}

uint32_t board_starts(const struct board *board, uint32_t number)
{
	return __atomic_load_n(&board->functions[number].starts, __ATOMIC_ACQUIRE);
}

/* ---- another firmware ---- */

const struct bundle *board_bundle(const struct board *board, uint32_t number)
{
	return board->functions[number].bundle;
}

bool board_trial(const struct board *board, uint32_t number)
{
	return board->functions[number].trial;
}

uint32_t functions_probe(struct board *board, const struct bundle *bundle)
{
	uint32_t number = board->options->functions;

	board->functions[number] = (struct function){
		.board = board, .number = number, .bundle = bundle, .starts = 1, .trial = true
	};
	return number;
}

void functions_replace(struct board *board)
{
	struct function *function;
	unsigned int i;

	for (i = 0; i < board->options->functions; i++) {
		function = &board->functions[i];
		if (!function->running || function->bundle == board->bundle || function->replaced)
			continue;
		function->replaced = true;
		/* One that is not ready yet has nothing to finish, and would not listen. */
		if (function->ready)
			control_stop(function);
		else
			process_kill(&function->process);
	}
}

void functions_kill_old(struct board *board)
{
	unsigned int i;

	for (i = 0; i < board->options->functions; i++)
		if (board->functions[i].running && board->functions[i].replaced)
			process_kill(&board->functions[i].process);
}

bool functions_settled(const struct board *board)
{
	const struct function *function;
	unsigned int i;

	for (i = 0; i < board->options->functions; i++) {
		function = &board->functions[i];
		if (function->replaced || (function->running && !function->ready))
			return false;
	}
	return true;
}

void functions_updated(struct board *board)
{
	struct function *function;
	unsigned int i;

	for (i = 0; i < board->options->functions; i++) {
		function = &board->functions[i];
		function->trial = false;
		if (function->running)
			control_updated(function);
		else if (i == 0)
			start(function);
	}
}

/* One that starts later asks by itself. */
void functions_tell_events(struct board *board)
{
	if (board->functions[0].running && board->functions[0].ready)
		control_events(&board->functions[0]);
}

bool functions_run(const struct board *board, const struct bundle *bundle)
{
	unsigned int i;

	for (i = 0; i < board->options->functions; i++)
		if (board->functions[i].running && board->functions[i].bundle == bundle)
			return true;
	return false;
}

/* ---- all of them ---- */

static int function_open(struct board *board, uint32_t number, gid_t gid, struct error *error)
{
	struct function *function = &board->functions[number];
	int ret;

	function->board = board;
	function->number = number;
	function->last_out = &function->first_out;
	function->listen = (struct watch){ listen_ready, board, -1 };
	function->pidfd = (struct watch){ pidfd_ready, board, -1 };
	function->control = (struct watch){ control_ready, board, -1 };
	function->log = (struct watch){ log_ready, board, -1 };
	function->backoff = (struct watch){ backoff_ready, board, -1 };
	function->listen.fd = service_socket(board->options->run, number);
	function->handed = function->listen.fd >= 0;
	if (!function->handed)
		function->listen.fd = directory_listen(board->options->run, number,
						       board->options->mode, gid, error);
	if (function->listen.fd < 0)
		return function->listen.fd;
	function->backoff.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (function->backoff.fd < 0)
		return error_set(error, -errno, "function %u: %s", number, strerror(errno));
	ret = board_watch(board, &function->listen, EPOLLIN);
	if (!ret)
		ret = board_watch(board, &function->backoff, EPOLLIN);
	return ret ? error_set(error, ret, "function %u: %s", number, strerror(-ret)) : 0;
}

int functions_open(struct board *board, gid_t gid, struct error *error)
{
	unsigned int i;
	int ret = 0;

	/* One more for the firmware that is tried before it takes over */
	board->functions = calloc(board->options->functions + 1, sizeof(*board->functions));
	if (!board->functions)
		return error_set(error, -ENOMEM, "functions: out of memory");
	for (i = 0; i < board->options->functions; i++) {
		board->functions[i].listen.fd = -1;
		board->functions[i].backoff.fd = -1;
	}
	for (i = 0; !ret && i < board->options->functions; i++)
		ret = function_open(board, i, gid, error);
	return ret;
}

/* Wait for the end that BOARD_STOP asks for, and when it does not come bring it about. */
static void stop_process(struct function *function, int64_t until)
{
	struct pollfd poll_fd = { .fd = function->process.pidfd, .events = POLLIN };
	int64_t left = until - monotonic_ms();

	if (poll(&poll_fd, 1, left > 0 ? (int)left : 0) != 1) {
		board_log("function %u: the firmware does not end, it is killed", function->number);
		process_kill(&function->process);
	}
	waitid(P_PIDFD, (id_t)function->process.pidfd, &(siginfo_t){ 0 }, WEXITED);
	log_lines(function);
	release(function);
}

void functions_close(struct board *board)
{
	unsigned int i, count = board->functions ? board->options->functions : 0;
	struct function *function;
	int64_t until;

	for (i = 0; i < count; i++) {
		if (board->functions[i].listen.fd >= 0) {
			if (!board->functions[i].handed)
				directory_unlisten(board->run, i);
			close(board->functions[i].listen.fd);
		}
		if (board->functions[i].running)
			control_stop(&board->functions[i]);
	}
	until = monotonic_ms() + STOP_MS;
	for (i = 0; i < count; i++) {
		function = &board->functions[i];
		if (function->running)
			stop_process(function, until);
		while (function->connections)
			connection_close(function, function->connections);
		if (function->backoff.fd >= 0)
			close(function->backoff.fd);
	}
	free(board->functions);
	board->functions = NULL;
}
