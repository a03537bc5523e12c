// SPDX-License-Identifier: Apache-2.0
/*
 * Updates of a whole board whose firmware is this very program, signed twice under two versions: a power cut at
 * each step, after which the next start runs one of the two and an update works, and a successor that dies
 * while it takes over, after which the former firmware serves the connections that it had.
 */
#include <dirent.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include "firmware_double.h"

#define STAGED "firmware.staged"

/* ---- the firmware's side ---- */

static struct board_hello hello;

/* Works by itself, and dies when it is to take over function 1. Versions are chosen to make it so or not. */
static bool is_bad(const uint8_t measurement[BOARD_HASH_SIZE])
{
	return measurement[0] & 1;
}

static void activate(int peer)
{
	uint8_t measurement[BOARD_HASH_SIZE];
	int32_t status = -EPROTO;

	if (recv(peer, measurement, sizeof(measurement), MSG_WAITALL) == sizeof(measurement))
		status = ask_board(BOARD_ACTIVATE, measurement, sizeof(measurement), NULL, 0);
	send(peer, &status, sizeof(status), MSG_NOSIGNAL);
}

static void tell_phase(int peer)
{
	uint8_t reply[4096];
	struct board_update state = { .phase = UINT32_MAX };

	if (!ask_board(BOARD_FIRMWARE, NULL, 0, reply, sizeof(reply)))
		memcpy(&state, reply, sizeof(state));
	send(peer, &state.phase, sizeof(state.phase), MSG_NOSIGNAL);
}

/* One letter is one order: report the measurement, activate another, say how the update goes. Return: false at the end. */
static bool obey(int peer)
{
	char order;

	if (recv(peer, &order, 1, 0) != 1)
		return false;
	if (order == 'r')
		send(peer, hello.measurement, sizeof(hello.measurement), MSG_NOSIGNAL);
	else if (order == 'a')
		activate(peer);
	else if (order == 'p')
		tell_phase(peer);
	return true;
}

/* Return: -1, or what the process ends with. */
static int hear(struct pollfd *peer, uint32_t *connection)
{
	struct told told;

	if (!listen_to_board(&told) || told.head.type == BOARD_STOP)
		return 0;
	if (told.head.type == BOARD_CONNECTION) {
		peer->fd = told.fds[0];
		*connection = told.head.connection;
		close(told.fds[1]);
	}
	return -1;
}

/* The board's word comes first, so that an order that is waited with is the successor's. */
static int act_as_firmware(void)
{
	struct pollfd fds[] = { { .fd = BOARD_CONTROL_FD, .events = POLLIN },
				{ .fd = -1, .events = POLLIN } };
	uint32_t connection = 0;
	int ret = -1;

	ask_board(BOARD_HELLO, NULL, 0, &hello, sizeof(hello));
	if (hello.flags & BOARD_HELLO_TRIAL && hello.function == 1 && is_bad(hello.measurement))
		return 9;
	tell_board(BOARD_READY, 0, NULL, -1);
	while (ret < 0) {
		if (poll(fds, 2, -1) < 0)
			return 3;
		if (fds[0].revents) {
			ret = hear(&fds[1], &connection);
		} else if (fds[1].revents && !obey(fds[1].fd)) {
			close(fds[1].fd);
			fds[1].fd = -1;
			tell_board(BOARD_CLOSED, connection, NULL, -1);
		}
	}
	return ret;
}

/* ---- signed firmware ---- */

/* struct bench - a board; @measurement: of what is installed and of the next one, which lies beside it as @image */
struct bench {
	struct fixture *f;
	struct board_options options;
	struct board board;
	EVP_PKEY *vendor[HSM_FW_KEYS];
	uint8_t hash[BOARD_HASH_SIZE];
	uint8_t measurement[2][BOARD_HASH_SIZE];
	char run[FIXTURE_PATH], installed[FIXTURE_PATH];
	struct hsm_fw_manifest manifest;
	uint8_t *message;
	size_t length;
	pid_t pid;
};

static void copy_bytes(const char *from, int to)
{
	char bytes[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	assert_true(in >= 0 && to >= 0);
	while ((n = read(in, bytes, sizeof(bytes))) > 0)
		assert_int_equal(write(to, bytes, (size_t)n), n);
	close(in);
}

static void hash_of(const char *path, struct hsm_fw_file *file)
{
	struct keys *keys;
	struct stat st;
	uint8_t *bytes;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	bytes = malloc((size_t)st.st_size);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
	assert_int_equal(keys_new(&keys), 0);
	assert_int_equal(keys_hash(keys, bytes, (size_t)st.st_size, file->hash), 0);
	file->size = (uint64_t)st.st_size;
	keys_free(keys);
	free(bytes);
	close(fd);
}

static void add_file(struct bench *b, const char *role, const char *from, const char *name)
{
	struct hsm_fw_file *file = &b->manifest.files[b->manifest.count++];
	char path[FIXTURE_PATH + 80];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", b->installed, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	copy_bytes(from, fd);
	close(fd);
	snprintf(file->role, sizeof(file->role), "%s", role);
	snprintf(file->name, sizeof(file->name), "%s", name);
	hash_of(path, file);
}

static int add_mapped(struct dl_phdr_info *info, size_t size, void *data)
{
	const char *path = info->dlpi_name;

	(void)size;
	if (path && path[0] == '/')
		add_file(data, strstr(path, "/ld-linux") ? "loader" : "library", path,
			 strrchr(path, '/') + 1);
	return 0;
}

static void sign(struct bench *b, unsigned int version, bool bad, uint8_t *measurement)
{
	unsigned int n = 0;

	b->manifest.security_version = 1;
	do {
		free(b->message);
		snprintf(b->manifest.version, sizeof(b->manifest.version), "%u.%u", version, n++);
		assert_int_equal(
			hsm_fw_sign(NULL, &b->manifest, b->vendor, &b->message, &b->length), 0);
		memcpy(measurement, b->manifest.measurement, BOARD_HASH_SIZE);
	} while (is_bad(measurement) != bad);
}

static void install(struct bench *b)
{
	char path[FIXTURE_PATH + 16];
	int fd;

	assert_int_equal(mkdir(b->installed, 0700), 0);
	add_file(b, "firmware", "/proc/self/exe", "program");
	dl_iterate_phdr(add_mapped, b);
	sign(b, 1, false, b->measurement[0]);
	snprintf(path, sizeof(path), "%s/manifest", b->installed);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, b->message, b->length), b->length);
	close(fd);
	sign(b, 2, false, b->measurement[1]);
}

/* The same files under the other version, as an upload leaves them */
static void stage(struct bench *b)
{
	char path[FIXTURE_PATH + 80];
	uint32_t length = htole32((uint32_t)b->length);
	unsigned int i;
	int fd;

	fixture_path(b->f, STAGED, "", path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, HSM_FW_IMAGE_MAGIC, 8), 8);
	assert_int_equal(write(fd, &length, sizeof(length)), sizeof(length));
	assert_int_equal(write(fd, b->message, b->length), b->length);
	for (i = 0; i < b->manifest.count; i++) {
		snprintf(path, sizeof(path), "%s/%s", b->installed, b->manifest.files[i].name);
		copy_bytes(path, fd);
	}
	close(fd);
}

/* ---- the board's side ---- */

/* A power cut */
static int cut(void *data, enum state_step step)
{
	const struct fixture *f = data;

	if (f->fail_at == (int)step)
		raise(SIGKILL);
	return 0;
}

static int boot(struct bench *b)
{
	int ret = state_begin(&b->f->config, &b->board.state, &b->f->error);

	b->f->state = b->board.state;
	if (!ret)
		ret = rom_boot(&b->board, &b->f->error);
	if (!ret)
		ret = board_open(&b->board, (gid_t)-1, &b->f->error);
	if (ret)
		fprintf(stderr, "%s\n", b->f->error.text);
	return ret;
}

static void run_board(struct bench *b)
{
	int ret = boot(b);

	if (!ret && write(b->options.ready_fd, "r", 1) == 1)
		ret = board_run(&b->board);
	board_close(&b->board);
	fixture_close(b->f);
	bundle_close(&b->board.bundles[0]);
	bundle_close(&b->board.bundles[1]);
	exit(ret ? 1 : 0);
}

static void start_board(struct bench *b, int cut_at)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	b->options.ready_fd = ready[1];
	b->f->fail_at = cut_at;
	b->pid = fork();
	if (b->pid == 0)
		run_board(b);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
}

static int end_board(struct bench *b, int signal)
{
	int status;

	if (signal)
		kill(b->pid, signal);
	assert_int_equal(waitpid(b->pid, &status, 0), b->pid);
	b->pid = 0;
	return status;
}

static int setup(void **test)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	assert_int_equal(fixture_setup((void **)&b->f), 0);
	fixture_path(b->f, "run", "", b->run);
	fixture_path(b->f, "installed", "", b->installed);
	assert_int_equal(mkdir(b->run, 0700), 0);
	b->options.functions = 2;
	b->options.run = b->run;
	b->options.mode = 0600;
	b->options.state = b->f->directory;
	b->options.firmware = b->installed;
	b->board.options = &b->options;
	b->board.bundle = &b->board.bundles[0];
	b->board.owner = geteuid();
	b->board.sideband.fd = b->board.stage.fd = b->board.run = b->board.spare_fd = -1;
	b->vendor[0] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
	if (hsm_fw_has_ml_dsa(NULL))
		b->vendor[1] = EVP_PKEY_Q_keygen(NULL, NULL, "ML-DSA-87");
	if (hsm_fw_vendor(NULL, b->vendor, b->hash))
		return -1;
	b->f->config.vendor = b->hash;
	b->f->config.step = cut;
	install(b);
	*test = b;
	return 0;
}

static void remove_all(const char *path)
{
	char name[FIXTURE_PATH + 300];
	struct dirent *entry;
	DIR *dir = opendir(path);

	while (dir && (entry = readdir(dir))) {
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(name);
	}
	if (dir)
		closedir(dir);
}

static int teardown(void **test)
{
	struct bench *b = *test;

	if (b->pid > 0)
		end_board(b, SIGKILL);
	free(b->message);
	EVP_PKEY_free(b->vendor[0]);
	EVP_PKEY_free(b->vendor[1]);
	remove_all(b->installed);
	rmdir(b->installed);
	remove_all(b->run);
	rmdir(b->run);
	remove_all(b->f->directory);
	fixture_teardown((void **)&b->f);
	free(b);
	return 0;
}

/* Which of the two reports on the connection */
static int runs(struct bench *b, int fd)
{
	uint8_t measurement[BOARD_HASH_SIZE];

	assert_int_equal(send(fd, "r", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(recv(fd, measurement, sizeof(measurement), MSG_WAITALL),
			 sizeof(measurement));
	if (!memcmp(measurement, b->measurement[0], sizeof(measurement)))
		return 0;
	assert_memory_equal(measurement, b->measurement[1], sizeof(measurement));
	return 1;
}

/* Ask for the other firmware. Return: the board's answer, or 1 when it is gone. */
static int32_t update(struct bench *b, int fd)
{
	int32_t status;

	assert_int_equal(send(fd, "a", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(send(fd, b->measurement[1], BOARD_HASH_SIZE, MSG_NOSIGNAL),
			 BOARD_HASH_SIZE);
	return recv(fd, &status, sizeof(status), MSG_WAITALL) == sizeof(status) ? status : 1;
}

/* From now on or in a moment the other one answers: each of its answers is one of the two. */
static void wait_for(struct bench *b, int fd, int which)
{
	while (runs(b, fd) != which)
		poll(NULL, 0, 1);
}

static void test_power_cut(void **test)
{
	static const struct {
		enum state_step step;
		int then;
	} cuts[] = {
		{ STEP_UPDATE_NOTED, 0 },
		{ STEP_UPDATE_FILLED, 0 },
		{ STEP_UPDATE_TESTED, 0 },
		{ STEP_UPDATE_COMMITTED, 1 },
	};
	struct bench *b = *test;
	int zero, one, status;
	size_t i;

	for (i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		stage(b);
		start_board(b, (int)cuts[i].step);
		zero = connect_to(b->run, 0);
		one = connect_to(b->run, 1);
		assert_int_equal(runs(b, one), 0);
		update(b, zero);
		status = end_board(b, 0);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		close(zero);
		close(one);
		start_board(b, -1);
		one = connect_to(b->run, 1);
		assert_int_equal(runs(b, one), cuts[i].then);
		close(one);
		end_board(b, SIGTERM);
	}
}

static uint32_t phase(int fd)
{
	uint32_t value;

	assert_int_equal(send(fd, "p", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(recv(fd, &value, sizeof(value), MSG_WAITALL), sizeof(value));
	return value;
}

/* After a cut in the middle the update is made, with a connection that lives through it, and is there after a restart. */
static void test_again(void **test)
{
	struct bench *b = *test;
	int zero, one;

	stage(b);
	start_board(b, STEP_UPDATE_FILLED);
	zero = connect_to(b->run, 0);
	update(b, zero);
	end_board(b, 0);
	close(zero);
	stage(b);
	start_board(b, -1);
	zero = connect_to(b->run, 0);
	one = connect_to(b->run, 1);
	assert_int_equal(runs(b, one), 0);
	assert_int_equal(update(b, zero), 0);
	wait_for(b, one, 1);
	/* It is the board's when it has taken over all functions. */
	while (phase(zero) == BOARD_UPDATE_RUNS)
		poll(NULL, 0, 1);
	assert_int_equal(phase(zero), BOARD_UPDATE_DONE);
	close(zero);
	close(one);
	end_board(b, SIGTERM);
	start_board(b, -1);
	one = connect_to(b->run, 1);
	assert_int_equal(runs(b, one), 1);
	close(one);
	end_board(b, SIGTERM);
}

/* The successor of function 1 dies before it is ready: all go back, and stay there. */
static void test_dies_in_take_over(void **test)
{
	struct bench *b = *test;
	int zero, one;

	sign(b, 3, true, b->measurement[1]);
	stage(b);
	start_board(b, -1);
	zero = connect_to(b->run, 0);
	one = connect_to(b->run, 1);
	assert_int_equal(runs(b, one), 0);
	assert_int_equal(update(b, zero), 0);
	while (phase(zero) == BOARD_UPDATE_RUNS)
		poll(NULL, 0, 1);
	assert_int_equal(phase(zero), BOARD_UPDATE_FAILED);
	assert_int_equal(runs(b, one), 0);
	wait_for(b, zero, 0);
	close(zero);
	close(one);
	end_board(b, SIGTERM);
	start_board(b, -1);
	one = connect_to(b->run, 1);
	assert_int_equal(runs(b, one), 0);
	close(one);
	end_board(b, SIGTERM);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_power_cut),
		TEST(test_again),
		TEST(test_dies_in_take_over),
	};

	if (!getenv("PATH"))
		return act_as_firmware();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
