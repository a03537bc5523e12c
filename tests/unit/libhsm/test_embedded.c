// SPDX-License-Identifier: Apache-2.0
/*
 * The embedded default with the real board and its firmware: starting it, sharing it, and going on
 * after either was killed. Skipped where the board is not built.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "temporary.h"
#include "vfio_user.h"

struct fixture {
	char directory[TEMPORARY_PATH];
	char name[TEMPORARY_FILE];
	struct hsm_device *device;
	struct hsm_channel *channel;
	uint8_t partition[HSM_PARTITION_ID_SIZE];
};

static bool have_board(void)
{
	const char *program = getenv("HSM_VHSM");

	return program && access(program, X_OK) == 0;
}

static int show(int err, const struct hsm_error *error)
{
	if (err)
		print_error("%s: %s\n", hsm_layer_name(error->layer), error->text);
	return err;
}

static int connect_all(struct fixture *f)
{
	struct hsm_partition_info info[4];
	size_t count = 4;
	struct hsm_error error;
	int err;

	err = show(hsm_open(f->name, 0, &f->device, &error), &error);
	if (!err)
		err = show(hsm_partitions(f->device, info, &count, &error), &error);
	if (err)
		return err;
	assert_int_equal(count, 1);
	memcpy(f->partition, info[0].id, sizeof(f->partition));
	return show(hsm_connect(f->device, f->partition, &f->channel, &error), &error);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	*state = f;
	if (!have_board())
		return 0;
	if (!mkdtemp(temporary_name(f->directory, "hsm-embedded")))
		return -1;
	snprintf(f->name, sizeof(f->name), "vhsm:%s/hsm", f->directory);
	setenv("XDG_STATE_HOME", f->directory, 1);
	return connect_all(f);
}

/* The lock of a state directory names its board. */
static pid_t pid_of(const struct fixture *f, const char *board)
{
	char path[TEMPORARY_FILE];
	int pid = 0;
	FILE *lock;

	snprintf(path, sizeof(path), "%s/%s/lock", f->directory, board);
	lock = fopen(path, "re");
	if (lock && fscanf(lock, "%d", &pid) != 1)
		pid = 0;
	if (lock)
		fclose(lock);
	return pid;
}

static pid_t board_pid(const struct fixture *f)
{
	return pid_of(f, "hsm");
}

/* End a board and wait until it is gone. */
static void end_board(const struct fixture *f, const char *board)
{
	pid_t pid = pid_of(f, board);
	struct pollfd fd = { .events = POLLIN };

	if (pid <= 1)
		return;
	fd.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd.fd < 0)
		return;
	kill(pid, SIGTERM);
	poll(&fd, 1, 30000);
	close(fd.fd);
}

static int teardown(void **state)
{
	static const char *const boards[] = { "hsm", "hs2", "race" };
	struct fixture *f = *state;
	char command[TEMPORARY_FILE];
	int err = 0;

	hsm_disconnect(f->channel);
	hsm_close(f->device);
	if (f->directory[0]) {
		for (size_t i = 0; i < ARRAY_SIZE(boards); i++)
			end_board(f, boards[i]);
		snprintf(command, sizeof(command), "rm -rf %s", f->directory);
		err = system(command);
	}
	free(f);
	return err;
}

/* Firmware processes are the board's children. */
static int kill_firmware(const struct fixture *f, int number)
{
	char path[128];
	int pid, killed = 0;
	FILE *children;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", board_pid(f), board_pid(f));
	children = fopen(path, "re");
	assert_non_null(children);
	while (fscanf(children, "%d", &pid) == 1)
		killed += kill(pid, number) == 0;
	fclose(children);
	return killed;
}

static int nop(struct fixture *f, struct hsm_error *error)
{
	struct hsm_request *request = hsm_request_new(f->channel, HSM_OP_NOP, 0);
	int err = hsm_call(request, error);

	hsm_request_free(request);
	return err;
}

static void assert_works(struct fixture *f)
{
	struct hsm_error error;

	assert_int_equal(show(nop(f, &error), &error), 0);
}

static uint32_t open_session(struct fixture *f)
{
	struct hsm_request *request = hsm_request_new(f->channel, HSM_OP_SESSION_OPEN, 0);
	struct hsm_error error;
	uint32_t session;

	hsm_put_u64(hsm_request_writer(request), HSM_FIELD_FLAGS, 4);
	assert_int_equal(show(hsm_call(request, &error), &error), 0);
	assert_int_equal(hsm_request_rv(request), 0);
	session = hsm_request_session(request);
	hsm_request_free(request);
	return session;
}

static int session_info(struct fixture *f, uint32_t session, uint64_t *rv)
{
	struct hsm_request *request = hsm_request_new(f->channel, HSM_OP_SESSION_INFO, session);
	int err = hsm_call(request, NULL);

	*rv = hsm_request_rv(request);
	hsm_request_free(request);
	return err;
}

#define NEEDS_BOARD()              \
	do {                       \
		if (!have_board()) \
			skip();    \
	} while (0)

/* ---- starting ---- */

static void test_works(void **state)
{
	struct hsm_device_info info;
	struct hsm_error error;
	struct stat st;
	char path[TEMPORARY_FILE];

	NEEDS_BOARD();
	assert_works(*state);
	assert_int_equal(hsm_device_info(((struct fixture *)*state)->device, &info, &error), 0);
	assert_int_equal(info.function, 1);
	assert_true(info.flags & IHSM_IDENTIFY_VIRTUAL);
	snprintf(path, sizeof(path), "%s/hsm", ((struct fixture *)*state)->directory);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

static atomic_int children_seen;

static void on_child(int number)
{
	(void)number;
	atomic_fetch_add(&children_seen, 1);
}

/* The application's child handling sees nothing of the board, which has none of its descriptors. */
static void test_no_trace(void **state)
{
	struct fixture *f = *state;
	struct fixture other = { 0 };
	char path[160], target[64];
	ssize_t length;
	struct stat st;
	int marker;

	NEEDS_BOARD();
	marker = memfd_create("marker", 0);
	signal(SIGCHLD, on_child);
	signal(SIGUSR1, SIG_IGN);
	atomic_store(&children_seen, 0);
	snprintf(other.name, sizeof(other.name), "vhsm:%s/hs2", f->directory);
	assert_int_equal(connect_all(&other), 0);
	assert_works(&other);
	assert_int_equal(atomic_load(&children_seen), 0);
	assert_int_equal(waitpid(-1, NULL, 0), -1);
	assert_int_equal(errno, ECHILD);
	assert_int_equal(fstat(marker, &st), 0);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid_of(f, "hs2"), marker);
	length = readlink(path, target, sizeof(target) - 1);
	if (length > 0) {
		target[length] = '\0';
		assert_null(strstr(target, "marker"));
	}
	hsm_disconnect(other.channel);
	hsm_close(other.device);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGUSR1, SIG_DFL);
	close(marker);
}

/* Many that start it at once get one board. */
static void test_race(void **state)
{
	struct fixture *f = *state;
	int status, failures = 0;

	NEEDS_BOARD();
	for (int i = 0; i < 6; i++) {
		if (fork() == 0) {
			struct fixture mine = { 0 };
			struct hsm_error error;

			snprintf(mine.name, sizeof(mine.name), "vhsm:%s/race", f->directory);
			if (connect_all(&mine) || nop(&mine, &error))
				_exit(1);
			hsm_disconnect(mine.channel);
			hsm_close(mine.device);
			_exit(0);
		}
	}
	for (int i = 0; i < 6; i++) {
		assert_true(wait(&status) > 0);
		failures += status != 0;
	}
	assert_int_equal(failures, 0);
}

static void test_no_start(void **state)
{
	struct fixture *f = *state;
	struct hsm_device *device;
	struct hsm_error error;
	char name[TEMPORARY_FILE + 8];

	NEEDS_BOARD();
	snprintf(name, sizeof(name), "%s-none", f->name);
	assert_int_equal(hsm_open(name, HSM_OPEN_NO_START, &device, &error), -ENODEV);
	assert_int_equal(hsm_open(f->name, HSM_OPEN_NO_START, &device, &error), 0);
	hsm_close(device);
}

static void test_admin(void **state)
{
	static const uint8_t device_partition[HSM_PARTITION_ID_SIZE];
	struct fixture *f = *state;
	struct hsm_request *request;
	struct hsm_channel *channel;
	struct hsm_device *device;
	struct hsm_error error;

	NEEDS_BOARD();
	assert_int_equal(show(hsm_open(f->name, HSM_OPEN_ADMIN, &device, &error), &error), 0);
	assert_int_equal(show(hsm_connect(device, device_partition, &channel, &error), &error), 0);
	request = hsm_request_new(channel, HSM_OP_PARTITION_LIST, 0);
	assert_int_equal(hsm_call(request, &error), 0);
	assert_int_equal(hsm_request_rv(request), 0);
	hsm_request_free(request);
	hsm_disconnect(channel);
	hsm_close(device);
}

/* ---- going on ---- */

static void test_firmware_killed(void **state)
{
	struct fixture *f = *state;
	uint32_t session;
	uint64_t rv;

	NEEDS_BOARD();
	session = open_session(f);
	assert_int_equal(session_info(f, session, &rv), 0);
	assert_int_equal(rv, 0);
	for (unsigned int i = 1; i <= 2; i++) {
		assert_true(kill_firmware(f, SIGKILL) > 0);
		assert_int_equal(session_info(f, session, &rv), -ECONNRESET);
		assert_works(f);
		assert_int_equal(hsm_channel_generation(f->channel), i);
		session = open_session(f);
		assert_int_equal(session_info(f, session, &rv), 0);
		assert_int_equal(rv, 0);
	}
}

static void test_board_killed(void **state)
{
	struct fixture *f = *state;
	pid_t first;

	NEEDS_BOARD();
	first = board_pid(f);
	assert_int_equal(kill(first, SIGKILL), 0);
	/* The firmware may answer until it notices that its board is gone. */
	while (hsm_channel_generation(f->channel) == 0)
		assert_works(f);
	assert_works(f);
	assert_true(board_pid(f) != first);
}

struct caller {
	struct fixture *f;
	atomic_bool *stop;
	int calls;
	int failures;
};

static void *call_until(void *arg)
{
	struct caller *c = arg;
	struct hsm_error error;

	while (!atomic_load(c->stop)) {
		c->failures += show(nop(c->f, &error), &error) != 0;
		c->calls++;
	}
	return NULL;
}

/* Repeatable commands of several threads notice nothing of a firmware that dies again and again. */
static void test_killed_under_threads(void **state)
{
	struct fixture *f = *state;
	struct caller caller[3];
	pthread_t thread[3];
	atomic_bool stop = false;
	unsigned int before;

	NEEDS_BOARD();
	for (int i = 0; i < 3; i++) {
		caller[i] = (struct caller){ .f = f, .stop = &stop };
		assert_int_equal(pthread_create(&thread[i], NULL, call_until, &caller[i]), 0);
	}
	for (int i = 0; i < 3; i++) {
		before = hsm_channel_generation(f->channel);
		assert_true(kill_firmware(f, SIGKILL) > 0);
		while (hsm_channel_generation(f->channel) == before)
			sched_yield();
		assert_works(f);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 3; i++) {
		pthread_join(thread[i], NULL);
		assert_true(caller[i].calls > 0);
		assert_int_equal(caller[i].failures, 0);
	}
}

/* Keys that wear out are replaced under way; sessions go with them. */
static void test_planned_replacement(void **state)
{
	struct fixture *f = *state;
	struct hsm_channel *channel;
	struct hsm_error error;
	uint32_t session;
	uint64_t rv;

	NEEDS_BOARD();
	setenv("HSM_CHANNEL_MESSAGES", "64", 1);
	assert_int_equal(hsm_connect(f->device, f->partition, &channel, &error), 0);
	unsetenv("HSM_CHANNEL_MESSAGES");
	hsm_disconnect(f->channel);
	f->channel = channel;
	session = open_session(f);
	for (int i = 0; i < 400; i++) {
		assert_works(f);
		assert_int_equal(session_info(f, session, &rv), 0);
		assert_int_equal(rv, 0);
	}
	assert_int_equal(hsm_channel_generation(f->channel), 0);
}

static void test_event_loop(void **state)
{
	struct fixture *f = *state;
	struct hsm_request *request[20];
	struct pollfd fd = { .events = POLLIN };
	struct hsm_error error;

	NEEDS_BOARD();
	fd.fd = hsm_poll_fd(f->device);
	for (int i = 0; i < 20; i++) {
		request[i] = hsm_request_new(f->channel, HSM_OP_NOP, 0);
		assert_int_equal(hsm_submit(request[i], &error), 0);
	}
	for (int i = 0; i < 20; i++) {
		for (;;) {
			assert_int_equal(hsm_poll_arm(f->device), 0);
			if (hsm_poll(request[i]))
				break;
			assert_int_equal(poll(&fd, 1, 30000), 1);
		}
		assert_int_equal(hsm_wait(request[i], &error), 0);
		hsm_request_free(request[i]);
	}
}

/* ---- hostile memory ---- */

struct flipper {
	struct vfio_user *vu;
	atomic_bool *stop;
};

/* Changes a bit here and there in the buffers that both sides see, as somebody between them could. */
static void *flip(void *arg)
{
	struct flipper *flipper = arg;
	unsigned int seed = 1;

	while (!atomic_load(flipper->stop)) {
		unsigned int queue = (unsigned int)rand_r(&seed) % flipper->vu->queues;
		uint8_t *slot = flipper->vu->shared.base + slot_offset(queue, 0);
		size_t place =
			(size_t)(rand_r(&seed) % 2) * SLOT_ROOM + (size_t)rand_r(&seed) % 600;

		__atomic_fetch_xor(&slot[place], 1U << (rand_r(&seed) % 8), __ATOMIC_RELAXED);
	}
	return NULL;
}

/* An answer is right or there is none, whatever happens to the memory on the way. */
static void test_flipped_memory(void **state)
{
	struct fixture *f = *state;
	atomic_bool stop = false;
	struct flipper flipper = { .stop = &stop };
	int good = 0, bad = 0;
	pthread_t thread;
	uint8_t data[512];
	size_t length;

	NEEDS_BOARD();
	flipper.vu = to_vfio_user(f->device->transport);
	assert_int_equal(pthread_create(&thread, NULL, flip, &flipper), 0);
	for (int i = 0; i < 3000 || ((good == 0 || bad == 0) && i < 300000); i++) {
		struct hsm_request *request = hsm_request_new(f->channel, HSM_OP_NOP, 0);
		const uint8_t *back;

		memset(data, i, sizeof(data));
		hsm_put_bytes(hsm_request_writer(request), HSM_FIELD_DATA, data, sizeof(data));
		if (hsm_call(request, NULL) == 0 && hsm_request_rv(request) == 0) {
			back = hsm_fields_bytes(hsm_request_fields(request), HSM_FIELD_DATA,
						&length);
			assert_int_equal(length, sizeof(data));
			assert_memory_equal(back, data, length);
			good++;
		} else {
			bad++;
		}
		hsm_request_free(request);
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	assert_true(good > 0);
	assert_true(bad > 0);
	assert_works(f);
}

/* A child has nothing of its parent's, opens its own, and leaves the parent's alone. */
static void test_fork(void **state)
{
	struct fixture *f = *state;
	struct fixture mine = *f;
	uint32_t session;
	uint64_t rv;
	int status;
	pid_t pid;

	NEEDS_BOARD();
	session = open_session(f);
	pid = fork();
	if (pid == 0) {
		struct hsm_error error;

		if (hsm_request_new(f->channel, HSM_OP_NOP, 0))
			_exit(1);
		hsm_disconnect(f->channel);
		hsm_close(f->device);
		if (connect_all(&mine) || nop(&mine, &error))
			_exit(2);
		hsm_disconnect(mine.channel);
		hsm_close(mine.device);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(session_info(f, session, &rv), 0);
	assert_int_equal(rv, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_works),
		T(test_no_trace),
		T(test_race),
		T(test_no_start),
		T(test_admin),
		T(test_firmware_killed),
		T(test_board_killed),
		T(test_killed_under_threads),
		T(test_planned_replacement),
		T(test_event_loop),
		T(test_flipped_memory),
		T(test_fork),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
