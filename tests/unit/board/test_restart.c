// SPDX-License-Identifier: Apache-2.0
/*
 * Tampering as the main loop sees it, with fuses that cannot be written and a process that does not listen: it
 * is told once, and killed when its time is over, however often the sensors are looked at.
 */
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/ihsm_hw.h>
#include "fixture.h"
#include "function.h"
#include "tamper.h"

#define FUNCTIONS 2
#define WAIT_MS	  60000

/* struct bench - a board; each function has a process that does nothing, and @told is its end of the control socket */
struct bench {
	struct fixture *f;
	struct board_options options;
	struct board board;
	struct function functions[FUNCTIONS];
	int told[FUNCTIONS];
};

static void start_process(struct bench *b, unsigned int number)
{
	struct function *function = &b->functions[number];
	int pair[2];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	assert_true(pid > 0);
	function->board = &b->board;
	function->number = number;
	function->last_out = &function->first_out;
	function->running = true;
	function->starts = 1;
	function->bundle = &b->board.bundles[0];
	function->process.pid = pid;
	function->process.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	function->process.control = pair[0];
	b->told[number] = pair[1];
	assert_true(function->process.pidfd >= 0);
}

static int setup(void **test)
{
	struct bench *b = calloc(1, sizeof(*b));
	unsigned int i;

	if (!b || fixture_setup((void **)&b->f) || fixture_open(b->f))
		return -1;
	b->options = (struct board_options){ .functions = FUNCTIONS, .inject = true };
	b->board.options = &b->options;
	b->board.functions = b->functions;
	b->board.state = b->f->state;
	b->board.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (restart_open(&b->board) || tamper_open(&b->board))
		return -1;
	for (i = 0; i < FUNCTIONS; i++)
		start_process(b, i);
	*test = b;
	return 0;
}

static int teardown(void **test)
{
	struct bench *b = *test;
	unsigned int i;

	for (i = 0; i < FUNCTIONS; i++) {
		process_kill(&b->functions[i].process);
		waitpid(b->functions[i].process.pid, NULL, 0);
		close(b->functions[i].process.pidfd);
		close(b->functions[i].process.control);
		close(b->told[i]);
	}
	tamper_close(&b->board);
	restart_close(&b->board);
	close(b->board.epoll);
	fixture_teardown((void **)&b->f);
	free(b);
	return 0;
}

/* No file can grow or be written to, as on a store that has failed. */
static void set_writable(bool writable)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = writable ? limit.rlim_max : 0;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The state that a process is told, or -1 when it is told none */
static int64_t next_state(struct bench *b, unsigned int number)
{
	struct {
		struct board_message head;
		uint32_t state;
	} message;
	ssize_t n = recv(b->told[number], &message, sizeof(message), MSG_DONTWAIT);

	if (n < 0)
		return -1;
	assert_int_equal(n, sizeof(message.head) + sizeof(message.state));
	assert_int_equal(message.head.type, BOARD_STATE);
	return message.state;
}

static bool has_ended(struct bench *b, unsigned int number, int patience)
{
	struct pollfd fd = { .fd = b->functions[number].process.pidfd, .events = POLLIN };

	return poll(&fd, 1, patience) == 1;
}

/* What the timer does at its time */
static void fire(struct watch *watch)
{
	struct pollfd fd = { .fd = watch->fd, .events = POLLIN };

	assert_int_equal(poll(&fd, 1, WAIT_MS), 1);
	watch->ready(watch, EPOLLIN);
}

static struct board_condition condition(struct bench *b)
{
	struct board_condition value;

	state_condition(b->f->state, &value);
	return value;
}

static void test_cannot_note(void **test)
{
	struct bench *b = *test;
	int64_t by;
	int i;

	set_writable(false);
	assert_int_equal(tamper_inject(&b->board, IHSM_SENSOR_ENCLOSURE, 1), 0);
	assert_false(condition(b).flags & BOARD_HELLO_TAMPERED);
	/* What the fuses do not know the board does, and its drivers are told. */
	assert_int_equal(board_state(&b->board), IHSM_STATE_TAMPERED);
	assert_int_equal(next_state(b, 0), IHSM_STATE_TAMPERED);
	assert_int_equal(next_state(b, 1), IHSM_STATE_TAMPERED);
	by = b->functions[1].leave_by;
	for (i = 0; i < 3; i++)
		fire(&b->board.tamper.look);
	assert_int_equal(next_state(b, 1), -1);
	assert_true(b->functions[1].leave_by <= by);
	fire(&b->board.late);
	assert_true(has_ended(b, 0, WAIT_MS));
	assert_true(has_ended(b, 1, WAIT_MS));
	/* As soon as something can be written it is made good. */
	assert_int_equal(board_state(&b->board), IHSM_STATE_TAMPERED);
	set_writable(true);
	fire(&b->board.tamper.look);
	assert_true(condition(b).flags & BOARD_HELLO_TAMPERED);
	assert_int_equal(condition(b).tampers, 1);
	assert_int_equal(condition(b).erased_partitions, 1);
	assert_int_equal(board_state(&b->board), IHSM_STATE_TAMPERED);
}

/* A second call does not put off when the first one's time is over. */
static void test_late(void **test)
{
	struct bench *b = *test;
	int64_t by;

	restart_all(&b->board);
	assert_int_equal(next_state(b, 0), IHSM_STATE_OPERATIONAL);
	by = b->functions[0].leave_by;
	assert_true(b->functions[1].leave_by < by);
	b->functions[0].leave_by = monotonic_ms() - 1;
	restart_all(&b->board);
	assert_int_equal(next_state(b, 0), -1);
	assert_true(b->functions[0].leave_by < by);
	fire(&b->board.late);
	assert_true(has_ended(b, 0, WAIT_MS));
}

static void test_at_once(void **test)
{
	struct bench *b = *test;

	assert_false(has_ended(b, 0, 0));
	restart_at_once(&b->board);
	assert_true(has_ended(b, 0, WAIT_MS));
	assert_true(has_ended(b, 1, WAIT_MS));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_cannot_note),
		TEST(test_late),
		TEST(test_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
