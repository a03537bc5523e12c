// SPDX-License-Identifier: Apache-2.0
/*
 * A whole board with a firmware that is this very program: started from memfds, handed connections,
 * killed, succeeded. What the firmware finds in its process it reports on the connection.
 */
#include <dirent.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "firmware_double.h"

/* Only a sanitizer's options are ever in the firmware's environment. */
static bool is_clean(char *const *environment)
{
#ifdef HSM_SANITIZED
	return !environment || !environment[0] || !environment[1];
#else
	return !environment || !environment[0];
#endif
}

/* ---- the firmware's side ---- */

static struct {
	int socket;
	uint32_t connection;
	bool adopted;
	bool served;
	unsigned int kept;
	bool changed;
} firmware;

static bool is_mapped_well(const char *line)
{
	const char *name = strpbrk(line, "/[");

	return !name || name[0] == '[' || strncmp(name, "/memfd:", 7) == 0;
}

/* Mappings of files that are no memfd */
static unsigned int foreign_mappings(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	char line[4096];
	unsigned int n = 0;

	if (!file)
		return 999;
	while (fgets(line, sizeof(line), file))
		n += !is_mapped_well(line);
	fclose(file);
	return n;
}

/* Descriptors that are neither in <hsm/board.h> nor memfds nor this connection's */
static unsigned int foreign_descriptors(void)
{
	char path[300], target[300];
	unsigned int n = 0;
	ssize_t length;
	int fd;

	for (fd = BOARD_FIRST_FREE_FD; fd < 200; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		length = readlink(path, target, sizeof(target) - 1);
		if (length < 0 || fd == firmware.socket)
			continue;
		target[length] = '\0';
		n += strncmp(target, "/memfd:", 7) != 0;
	}
	return n;
}

static void report(void)
{
	struct board_hello hello = { 0 };
	char text[256];
	int n;

	ask_board(BOARD_HELLO, NULL, 0, &hello, sizeof(hello));
	n = snprintf(text, sizeof(text),
		     "function %u incarnation %u adopted %d served %d kept %u changed %d "
		     "mappings %u descriptors %u environment %d",
		     hello.function, hello.incarnation, firmware.adopted, firmware.served,
		     firmware.kept, firmware.changed, foreign_mappings(), foreign_descriptors(),
		     !is_clean(environ));
	send(firmware.socket, text, (size_t)n, MSG_NOSIGNAL);
}

static void keep_something(void)
{
	struct board_keep keep = { .kind = BOARD_KEEP_IRQ, .key = 3 };
	struct told told;
	int fd = eventfd(7, EFD_NONBLOCK); /* the first who reads finds the 7 */

	tell_board(BOARD_KEEP, firmware.connection, &keep, fd);
	close(fd);
	if (listen_to_board(&told) && told.head.type == BOARD_KEPT && told.head.status == 0)
		send(firmware.socket, "kept", 4, MSG_NOSIGNAL);
}

static void move_partition(void)
{
	struct board_partition partition = { .name = "moved", .function = 2 };

	if (ask_board(BOARD_PARTITION_CREATE, &partition, sizeof(partition), &partition,
		      sizeof(partition)) == 0)
		send(firmware.socket, "moved", 5, MSG_NOSIGNAL);
}

/* A word of the board while a connection is served. Return: false when it is to stop. */
static bool notice(void)
{
	struct told told;

	if (!listen_to_board(&told) || told.head.type != BOARD_PARTITION_CHANGED)
		return false;
	firmware.changed = true;
	return true;
}

/* One letter is one order. Return: false when the connection is at its end. */
static bool obey(char order)
{
	switch (order) {
	case 'r':
		report();
		return true;
	case 'k':
		keep_something();
		return true;
	case 'm':
		move_partition();
		return true;
	case 'w':
		if (firmware.changed || notice())
			report();
		return true;
	case 'n':
		tell_board(1234, firmware.connection, NULL, -1);
		pause();
		return true;
	case 's':
		send(BOARD_STORAGE_FD, "x", 1, MSG_NOSIGNAL);
		pause();
		return true;
	case 'x':
		_exit(9);
	default:
		return false;
	}
}

/* Wait for an order; the board's word to stop, or its end, ends the wait as well. */
static bool next_order(char *order)
{
	struct pollfd fds[] = {
		{ .fd = firmware.socket, .events = POLLIN },
		{ .fd = BOARD_CONTROL_FD, .events = POLLIN },
	};

	do {
		if (poll(fds, 2, -1) < 0)
			return false;
		if (fds[1].revents && !notice())
			return false;
	} while (!fds[0].revents);
	return recv(firmware.socket, order, 1, 0) == 1;
}

static void serve_connection(void)
{
	char order;

	while (next_order(&order) && obey(order))
		;
	close(firmware.socket);
	firmware.socket = -1;
	tell_board(BOARD_CLOSED, firmware.connection, NULL, -1);
}

static int act_as_firmware(void)
{
	struct told told;
	uint64_t value;

	firmware.socket = -1;
	tell_board(BOARD_READY, 0, NULL, -1);
	while (listen_to_board(&told)) {
		switch (told.head.type) {
		case BOARD_CONNECTION:
			firmware.socket = told.fds[0];
			firmware.connection = told.head.connection;
			firmware.adopted = told.body[0] & BOARD_CONNECTION_ADOPTED;
			close(told.fds[1]);
			if (!firmware.adopted)
				serve_connection();
			break;
		case BOARD_ADOPT:
			firmware.kept += told.fd_count == 1 && read(told.fds[0], &value, 8) == 8 &&
					 value == 7;
			close(told.fds[0]);
			break;
		case BOARD_SERVE:
			firmware.served = true;
			serve_connection();
			break;
		case BOARD_PARTITION_CHANGED:
			firmware.changed = true;
			break;
		case BOARD_STOP:
			return 0;
		default:
			return 3;
		}
	}
	return 4;
}

/* ---- the board's side ---- */

struct bench {
	struct fixture *f;
	struct board_options options;
	struct board board;
	char run[FIXTURE_PATH];
	pid_t pid;
};

static int add_file(struct bundle *bundle, const char *role, const char *path)
{
	struct bundle_file *file = &bundle->files[bundle->count++];
	char bytes[65536];
	ssize_t n;
	int in;

	snprintf(file->role, sizeof(file->role), "%s", role);
	snprintf(file->name, sizeof(file->name), "%.60s", strrchr(path, '/') + 1);
	file->memfd = memfd_create(file->name, MFD_CLOEXEC);
	in = open(path, O_RDONLY | O_CLOEXEC);
	if (in < 0 || file->memfd < 0)
		return -1;
	while ((n = read(in, bytes, sizeof(bytes))) > 0)
		if (write(file->memfd, bytes, (size_t)n) != n)
			return -1;
	close(in);
	return 0;
}

/* What this process has mapped is what its double needs. */
static int add_mapped(struct dl_phdr_info *info, size_t size, void *data)
{
	const char *path = info->dlpi_name;

	(void)size;
	if (!path || path[0] != '/')
		return 0;
	return add_file(data, strstr(path, "/ld-linux") ? "loader" : "library", path);
}

static int make_bundle(struct bundle *bundle)
{
	memset(bundle, 0, sizeof(*bundle));
	return add_file(bundle, "firmware", "/proc/self/exe") ||
	       dl_iterate_phdr(add_mapped, bundle);
}

static void run_board(struct bench *b)
{
	int ret = 1;

	if (fixture_open(b->f) == 0) {
		b->board.state = b->f->state;
		b->board.owner = geteuid();
		ret = board_open(&b->board, (gid_t)-1, &b->f->error);
		if (ret)
			fprintf(stderr, "%s\n", b->f->error.text);
		if (!ret)
			ret = write(b->options.ready_fd, "r", 1) != 1;
		if (!ret)
			ret = board_run(&b->board);
		board_close(&b->board);
		fixture_close(b->f);
	}
	bundle_close(&b->board.bundles[0]);
	exit(ret ? 1 : 0);
}

static int start_board(struct bench *b)
{
	int ready[2];
	char byte;

	if (pipe2(ready, O_CLOEXEC))
		return -1;
	b->options.ready_fd = ready[1];
	b->pid = fork();
	if (b->pid == 0)
		run_board(b);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		return -1;
	return close(ready[0]);
}

static int prepare(struct bench *b)
{
	b->board.bundle = &b->board.bundles[0];
	if (fixture_setup((void **)&b->f) || make_bundle(&b->board.bundles[0]))
		return -1;
	fixture_path(b->f, "run", "", b->run);
	if (mkdir(b->run, 0700))
		return -1;
	b->options.functions = 3;
	b->options.run = b->run;
	b->options.mode = 0600;
	b->board.options = &b->options;
	b->board.sideband.fd = b->board.stage.fd = b->board.run = b->board.spare_fd = -1;
	return 0;
}

static int setup(void **test)
{
	*test = calloc(1, sizeof(struct bench));
	return *test ? prepare(*test) : -1;
}

static int teardown(void **test)
{
	struct bench *b = *test;
	int status = -1, ret;

	if (b->pid > 0) {
		kill(b->pid, SIGTERM);
		waitpid(b->pid, &status, 0);
	}
	bundle_close(&b->board.bundles[0]);
	/* The sockets are gone, or the directory would not be empty. */
	ret = rmdir(b->run);
	fixture_teardown((void **)&b->f);
	free(b);
	return ret || !WIFEXITED(status) || WEXITSTATUS(status);
}

/* Give an order and assert what comes back; NULL: the end of the connection. */
static void expect(int fd, const char *order, const char *answer)
{
	char text[256];
	ssize_t n;

	assert_int_equal(send(fd, order, strlen(order), MSG_NOSIGNAL), strlen(order));
	n = recv(fd, text, sizeof(text) - 1, 0);
	if (!answer) {
		assert_true(n <= 0);
		return;
	}
	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, answer);
}

#define CLEAN "mappings 0 descriptors 0 environment 0"

static void test_start(void **test)
{
	struct bench *b = *test;
	int one, two;

	assert_int_equal(start_board(b), 0);
	one = connect_to(b->run, 1);
	two = connect_to(b->run, 2);
	expect(one, "r", "function 1 incarnation 1 adopted 0 served 0 kept 0 changed 0 " CLEAN);
	expect(two, "r", "function 2 incarnation 1 adopted 0 served 0 kept 0 changed 0 " CLEAN);
	expect(one, "q", NULL);
	close(one);
	one = connect_to(b->run, 1);
	expect(one, "r", "function 1 incarnation 1 adopted 0 served 0 kept 0 changed 0 " CLEAN);
	close(one);
	close(two);
}

static void test_successor(void **test)
{
	struct bench *b = *test;
	int fd, i;

	assert_int_equal(start_board(b), 0);
	fd = connect_to(b->run, 1);
	expect(fd, "k", "kept");
	/* Dead in the middle: the next order is the successor's. */
	for (i = 0; i < 3; i++)
		assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
	expect(fd, "r", "function 1 incarnation 4 adopted 1 served 1 kept 0 changed 0 " CLEAN);
	close(fd);
	fd = connect_to(b->run, 2);
	expect(fd, "k", "kept");
	expect(fd, "xr", "function 2 incarnation 2 adopted 1 served 1 kept 1 changed 0 " CLEAN);
	close(fd);
}

/* Nonsense on either socket ends that process and no other. */
static void test_nonsense(void **test)
{
	struct bench *b = *test;
	int one, two;

	assert_int_equal(start_board(b), 0);
	one = connect_to(b->run, 1);
	two = connect_to(b->run, 2);
	expect(two, "r", "function 2 incarnation 1 adopted 0 served 0 kept 0 changed 0 " CLEAN);
	expect(one, "nr", "function 1 incarnation 2 adopted 1 served 1 kept 0 changed 0 " CLEAN);
	expect(one, "sr", "function 1 incarnation 3 adopted 1 served 1 kept 0 changed 0 " CLEAN);
	expect(two, "r", "function 2 incarnation 1 adopted 0 served 0 kept 0 changed 0 " CLEAN);
	close(one);
	close(two);
}

static void test_notice(void **test)
{
	struct bench *b = *test;
	int zero, two;

	assert_int_equal(start_board(b), 0);
	two = connect_to(b->run, 2);
	zero = connect_to(b->run, 0);
	expect(two, "r", "function 2 incarnation 1 adopted 0 served 0 kept 0 changed 0 " CLEAN);
	expect(zero, "m", "moved");
	expect(two, "w", "function 2 incarnation 1 adopted 0 served 0 kept 0 changed 1 " CLEAN);
	close(zero);
	close(two);
}

/* A firmware that never gets ready is given up, and its peers are told by the end of their sockets. */
static void test_never_ready(void **test)
{
	struct bench *b = *test;
	char byte;
	int fd;

	assert_int_equal(ftruncate(b->board.bundles[0].files[0].memfd, 100), 0);
	assert_int_equal(start_board(b), 0);
	fd = connect_to(b->run, 1);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	close(fd);
	fd = connect_to(b->run, 1);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	close(fd);
}

static void test_idle(void **test)
{
	struct bench *b = *test;
	int status;

	b->options.idle_exit = 1;
	assert_int_equal(start_board(b), 0);
	assert_int_equal(waitpid(b->pid, &status, 0), b->pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	/* Another one, for the teardown to stop */
	b->options.idle_exit = 0;
	assert_int_equal(start_board(b), 0);
}

/* A peer that connects at the moment when an idle board ends is served, not cut off. */
static void test_retire(void **test)
{
	struct bench *b = *test;
	char path[FIXTURE_PATH];
	int one, two;

	assert_int_equal(fixture_open(b->f), 0);
	b->board.state = b->f->state;
	assert_int_equal(board_open(&b->board, (gid_t)-1, &b->f->error), 0);
	one = connect_to(b->run, 1);
	assert_false(functions_retire(&b->board));
	assert_int_equal(b->board.connections, 1);
	two = connect_to(b->run, 1);
	assert_false(functions_retire(&b->board));
	assert_int_equal(b->board.connections, 2);
	board_close(&b->board);
	assert_int_equal(b->board.connections, 0);
	close(one);
	close(two);

	b->board.stopping = false;
	assert_int_equal(board_open(&b->board, (gid_t)-1, &b->f->error), 0);
	assert_true(functions_retire(&b->board));
	assert_true(snprintf(path, sizeof(path), "%.400s/fn1.sock", b->run) > 0);
	assert_int_equal(access(path, F_OK), -1);
	board_close(&b->board);
	fixture_close(b->f);
	assert_int_equal(start_board(b), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_start),  TEST(test_successor),   TEST(test_nonsense),
		TEST(test_notice), TEST(test_never_ready), TEST(test_idle),
		TEST(test_retire),
	};

	if (!getenv("PATH"))
		return act_as_firmware();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
