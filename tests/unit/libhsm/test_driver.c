// SPDX-License-Identifier: Apache-2.0
/*
 * The driver transport against a kernel that the test plays: what each errno of linux/ihsm.h means
 * for the command and for the device, which thread carries what, and when a file may be closed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "driver.h"
#include "temporary.h"

#define FD_FIRST 1000
#define FILES	 64
#define ORDER	 128

/**
 * struct kernel - what the calls find
 * @epoch: of the device; a file has that of its opening
 * @open_error, @open_errors: the next so many openings fail
 * @info_error, @info_errors: likewise INFO
 * @command_error, @command_errors: likewise COMMAND
 * @hold: commands wait until it is false
 * @inside, @most_inside: commands being executed
 * @order: first byte of each command, in the order of their start
 */
struct kernel {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint32_t epoch;
	uint32_t file_epoch[FILES];
	bool closed[FILES];
	int files;
	int open_error, open_errors;
	int info_error, info_errors;
	int command_error, command_errors;
	struct ihsm_info info;
	struct ihsm_identify identify;
	bool hold;
	unsigned int inside, most_inside;
	unsigned int status;
	uint32_t written_more;
	uint8_t order[ORDER];
	unsigned int commands;
	struct ihsm_command last;
	pthread_t last_thread;
};

static struct kernel kernel;

static int fails(int *left, int error)
{
	if (*left == 0)
		return 0;
	(*left)--;
	return error;
}

static int kernel_open(const char *path)
{
	int err;

	assert_string_equal(path, "/dev/ihsm7");
	err = fails(&kernel.open_errors, kernel.open_error);
	if (err)
		return err;
	pthread_mutex_lock(&kernel.lock);
	assert_true(kernel.files < FILES);
	kernel.file_epoch[kernel.files] = kernel.epoch;
	err = FD_FIRST + kernel.files++;
	pthread_mutex_unlock(&kernel.lock);
	return err;
}

static int kernel_info(int file, struct ihsm_info *info)
{
	int err = fails(&kernel.info_errors, kernel.info_error);
	struct ihsm_info ask = *info;

	if (err)
		return err;
	assert_int_equal(ask.size, sizeof(ask));
	assert_int_equal(ask.flags | ask.reserved, 0);
	assert_int_equal(ask.identify_len, sizeof(struct ihsm_identify));
	*info = kernel.info;
	info->epoch = kernel.epoch;
	info->context = (uint64_t)kernel.file_epoch[file] << 32 | (unsigned int)file;
	memcpy((void *)(uintptr_t)ask.identify, &kernel.identify, sizeof(kernel.identify));
	return 0;
}

static int kernel_command(int file, struct ihsm_command *command)
{
	int err;

	pthread_mutex_lock(&kernel.lock);
	kernel.last = *command;
	kernel.last_thread = pthread_self();
	kernel.order[kernel.commands++ % ORDER] = *(uint8_t *)(uintptr_t)command->in;
	if (++kernel.inside > kernel.most_inside)
		kernel.most_inside = kernel.inside;
	pthread_cond_broadcast(&kernel.changed);
	while (kernel.hold)
		pthread_cond_wait(&kernel.changed, &kernel.lock);
	kernel.inside--;
	assert_false(kernel.closed[file]);
	err = fails(&kernel.command_errors, kernel.command_error);
	if (!err && kernel.file_epoch[file] != kernel.epoch)
		err = -ESTALE;
	if (!err && kernel.status == IHSM_SC_SUCCESS) {
		memcpy((void *)(uintptr_t)command->out, (void *)(uintptr_t)command->in,
		       command->in_len);
		command->written = command->in_len + kernel.written_more;
	}
	command->status = kernel.status;
	pthread_mutex_unlock(&kernel.lock);
	return err;
}

static int kernel_ioctl(int fd, unsigned long request, void *argument)
{
	int file = fd - FD_FIRST;

	assert_true(file >= 0 && file < kernel.files);
	assert_false(kernel.closed[file]);
	if (request == IHSM_IOC_INFO)
		return kernel_info(file, argument);
	assert_int_equal(request, IHSM_IOC_COMMAND);
	return kernel_command(file, argument);
}

static void kernel_close(int fd)
{
	assert_false(kernel.closed[fd - FD_FIRST]);
	kernel.closed[fd - FD_FIRST] = true;
}

static const struct driver_calls calls = {
	.open = kernel_open,
	.ioctl = kernel_ioctl,
	.close = kernel_close,
	.reset_ms = 60,
};

static const struct device_name name = { .kind = NAME_DRIVER, .path = "/dev/ihsm7" };

static void wait_for_inside(unsigned int count)
{
	pthread_mutex_lock(&kernel.lock);
	while (kernel.inside < count)
		pthread_cond_wait(&kernel.changed, &kernel.lock);
	pthread_mutex_unlock(&kernel.lock);
}

static void set_hold(bool hold)
{
	pthread_mutex_lock(&kernel.lock);
	kernel.hold = hold;
	pthread_cond_broadcast(&kernel.changed);
	pthread_mutex_unlock(&kernel.lock);
}

/* ---- set up ---- */

static void boot(void)
{
	memset(&kernel, 0, sizeof(kernel));
	pthread_mutex_init(&kernel.lock, NULL);
	pthread_cond_init(&kernel.changed, NULL);
	kernel.epoch = 5;
	kernel.info = (struct ihsm_info){
		.size = sizeof(struct ihsm_info),
		.abi = IHSM_ABI_VERSION,
		.state = IHSM_DRIVER_LIVE,
		.max_message = 4096,
		.hw_version = IHSM_VERSION,
		.queues = 2,
	};
	strcpy(kernel.identify.model, "driven\x01model");
	kernel.identify.function = htole32(1);
	kernel.identify.state = htole32(IHSM_STATE_OPERATIONAL);
	memset(kernel.identify.board_id, 0x42, sizeof(kernel.identify.board_id));
	for (unsigned int i = 0; i < IHSM_TIME_CLASSES; i++)
		kernel.identify.class_ms[i] = htole32(100 * (i + 1));
}

static int setup(void **state)
{
	struct transport *transport;
	struct hsm_error error;

	boot();
	if (driver_open_with(&name, false, &calls, &transport, &error)) {
		print_error("%s\n", error.text);
		return -1;
	}
	*state = transport;
	return 0;
}

/* Whatever a test does, each file is closed once. */
static int teardown(void **state)
{
	struct transport *transport = *state;

	transport->ops->close(transport, false);
	for (int i = 0; i < kernel.files; i++)
		assert_true(kernel.closed[i]);
	pthread_cond_destroy(&kernel.changed);
	pthread_mutex_destroy(&kernel.lock);
	return 0;
}

struct message {
	struct transfer transfer;
	uint8_t in[64];
	uint8_t out[64];
};

static void make(struct transport *transport, struct message *m, uint8_t mark, unsigned int queue)
{
	memset(m, 0, sizeof(*m));
	memset(m->in, mark, sizeof(m->in));
	m->transfer.in = m->in;
	m->transfer.in_length = sizeof(m->in);
	m->transfer.out = m->out;
	m->transfer.out_capacity = sizeof(m->out);
	m->transfer.instance = atomic_load(&transport->instance);
	m->transfer.time_class = IHSM_TIME_MEDIUM;
	m->transfer.queue = queue;
}

static void submit(struct transport *transport, struct message *m)
{
	assert_int_equal(transport->ops->submit(transport, &m->transfer, NULL), 0);
}

static void call(struct transport *transport, struct message *m, uint8_t mark)
{
	make(transport, m, mark, 0);
	submit(transport, m);
	transport->ops->wait(transport, &m->transfer);
	assert_true(transfer_done(&m->transfer));
}

static void assert_answered(const struct message *m)
{
	assert_int_equal(m->transfer.result, 0);
	assert_int_equal(m->transfer.status, IHSM_SC_SUCCESS);
	assert_int_equal(m->transfer.out_length, sizeof(m->out));
	assert_memory_equal(m->in, m->out, sizeof(m->out));
}

/* ---- opening ---- */

static void test_open(void **state)
{
	struct transport *transport = *state;
	struct hsm_device_info info = { 0 };
	struct hsm_error error;

	/* What is behind a device file is never the caller's own: nothing is pinned on first use. */
	assert_false(transport->own);
	assert_int_equal(transport->epoch, 5);
	assert_int_equal(transport->board_id[3], 0x42);
	assert_int_equal(transport->class_ms[IHSM_TIME_VERY_LONG], 400);
	assert_int_equal(transport->ops->info(transport, &info, &error), 0);
	assert_string_equal(info.model, "driven?model");
	assert_int_equal(info.function, 1);
	assert_int_equal(info.state, IHSM_STATE_OPERATIONAL);
	assert_int_equal(info.class_ms[0], 100);
}

static int try_open(bool admin, struct hsm_error *error)
{
	struct transport *transport;
	int err = driver_open_with(&name, admin, &calls, &transport, error);

	if (!err)
		transport->ops->close(transport, false);
	for (int i = 0; i < kernel.files; i++)
		assert_true(kernel.closed[i]);
	return err;
}

static void refuses(int open_error, int info_error, int expect, const char *text)
{
	struct hsm_error error = { 0 };

	boot();
	kernel.open_error = open_error;
	kernel.open_errors = open_error ? 1 : 0;
	kernel.info_error = info_error;
	kernel.info_errors = info_error ? 1 : 0;
	assert_int_equal(try_open(false, &error), expect);
	assert_int_equal(error.error, expect);
	if (!strstr(error.text, text))
		fail_msg("'%s' is not in '%s'", text, error.text);
}

static void test_open_refused(void **state)
{
	refuses(-ENOENT, 0, -ENODEV, "hsmctl driver status");
	refuses(-ENODEV, 0, -ENODEV, "is gone");
	refuses(-ENXIO, 0, -ENODEV, "is gone");
	refuses(-EACCES, 0, -EACCES, "not for this user");
	refuses(-EUSERS, 0, -EBUSY, "as often");
	refuses(-EMFILE, 0, -EMFILE, "cannot open");
	refuses(0, -ENOTTY, -ENODEV, "not a device of the HSM driver");
	refuses(0, -ENODEV, -ENODEV, "is gone");
	(void)state;
}

static void test_open_versions(void **state)
{
	struct hsm_error error;

	boot();
	kernel.info.abi = 0;
	assert_int_equal(try_open(false, &error), -EPROTO);
	assert_non_null(strstr(error.text, "driver's interface"));
	boot();
	kernel.info.hw_version = IHSM_VERSION + 0x10000;
	assert_int_equal(try_open(false, &error), -EPROTO);
	assert_non_null(strstr(error.text, "device's interface has version 2.0"));
	boot();
	kernel.info.state = IHSM_DRIVER_DEAD;
	assert_int_equal(try_open(false, &error), -ENODEV);
	(void)state;
}

static void test_open_admin(void **state)
{
	struct hsm_error error;

	boot();
	assert_int_equal(try_open(true, &error), -EINVAL);
	assert_non_null(strstr(error.text, "function 1"));
	boot();
	kernel.identify.function = 0;
	assert_int_equal(try_open(true, &error), 0);
	(void)state;
}

static void test_open_waits_for_a_reset(void **state)
{
	struct hsm_error error;

	boot();
	kernel.open_error = -EAGAIN;
	kernel.open_errors = 2;
	assert_int_equal(try_open(false, &error), 0);
	boot();
	kernel.open_error = -ECANCELED;
	kernel.open_errors = 1;
	assert_int_equal(try_open(false, &error), 0);
	boot();
	kernel.info_error = -EINTR;
	kernel.info_errors = 2;
	assert_int_equal(try_open(false, &error), 0);
	assert_int_equal(kernel.files, 1);
	/* The next file is of the new epoch. */
	boot();
	kernel.info_error = -ESTALE;
	kernel.info_errors = 1;
	assert_int_equal(try_open(false, &error), 0);
	assert_int_equal(kernel.files, 2);
	boot();
	kernel.info.state = IHSM_DRIVER_RESETTING;
	assert_int_equal(try_open(false, &error), -ETIMEDOUT);
	assert_non_null(strstr(error.text, "does not end"));
	(void)state;
}

/* ---- commands ---- */

static void test_call(void **state)
{
	struct transport *transport = *state;
	struct message m;

	call(transport, &m, 'a');
	assert_answered(&m);
	/* The caller's own thread makes the one call there is. */
	assert_true(pthread_equal(kernel.last_thread, pthread_self()));
	assert_int_equal(kernel.commands, 1);
	assert_int_equal(kernel.last.size, sizeof(kernel.last));
	assert_int_equal(kernel.last.time_class, IHSM_TIME_MEDIUM);
	assert_int_equal(kernel.last.in_len, sizeof(m.in));
	assert_int_equal(kernel.last.out_len, sizeof(m.out));
	assert_int_equal(kernel.last.flags | kernel.last.poll_us | kernel.last.status |
				 kernel.last.written,
			 0);
}

/* HSM_SPIN_US goes to the kernel with each command of a device that is opened under it. */
static void test_polling(void **state)
{
	static const struct {
		const char *setting;
		uint32_t poll_us;
	} cases[] = {
		{ "0", IHSM_POLL_NEVER },
		{ "1", 1 },
		{ "800", 800 },
		{ "99999999999", IHSM_POLL_NEVER - 1 },
		{ "", 0 },
	};
	struct transport *transport;
	struct hsm_error error;
	struct message m;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setenv("HSM_SPIN_US", cases[i].setting, 1);
		boot();
		assert_int_equal(driver_open_with(&name, false, &calls, &transport, &error), 0);
		call(transport, &m, 'a');
		assert_answered(&m);
		assert_int_equal(kernel.last.poll_us, cases[i].poll_us);
		transport->ops->close(transport, false);
	}
	unsetenv("HSM_SPIN_US");
	(void)state;
}

static void test_status(void **state)
{
	struct transport *transport = *state;
	struct message m;

	kernel.status = IHSM_SC_BUSY;
	call(transport, &m, 'a');
	assert_int_equal(m.transfer.result, 0);
	assert_int_equal(m.transfer.status, IHSM_SC_BUSY);
	assert_int_equal(m.transfer.out_length, 0);
	kernel.status = IHSM_SC_SUCCESS;
	kernel.written_more = 1;
	call(transport, &m, 'b');
	assert_int_equal(m.transfer.out_length, 0);
}

static void test_too_long(void **state)
{
	struct transport *transport = *state;
	struct hsm_error error;
	struct message m;

	make(transport, &m, 'a', 0);
	m.transfer.in_length = 4097;
	assert_int_equal(transport->ops->submit(transport, &m.transfer, &error), -EMSGSIZE);
	assert_int_equal(kernel.commands, 0);
}

/* What an errno means: is the command known not to have run, and is the context lost? */
static const struct meaning {
	int error;
	int result;
	bool unsent, timed_out, lost;
} meanings[] = {
	{ -ESTALE, -ECONNRESET, true, false, true },
	{ -EAGAIN, -ECONNRESET, true, false, true },
	{ -ENODEV, -ECONNRESET, false, false, true },
	{ -ECANCELED, -ECONNRESET, false, false, true },
	{ -EIO, -ECONNRESET, false, false, true },
	{ -ETIMEDOUT, -ETIMEDOUT, false, true, false },
	{ -EINTR, -ECONNRESET, false, false, false },
	{ -EFAULT, -ECONNRESET, false, false, false },
	{ -ENOMEM, -ENOMEM, true, false, false },
	{ -EINVAL, -EINVAL, true, false, false },
	{ -EMSGSIZE, -EMSGSIZE, true, false, false },
};

static void test_errors(void **state)
{
	struct transport *transport = *state;

	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++) {
		const struct meaning *m = &meanings[i];
		struct message message;

		assert_int_equal(transport->ops->recover(transport, NULL), 0);
		kernel.commands = 0;
		kernel.command_error = m->error;
		kernel.command_errors = 1;
		call(transport, &message, 'e');
		if (message.transfer.result != m->result || message.transfer.unsent != m->unsent ||
		    message.transfer.timed_out != m->timed_out ||
		    atomic_load(&transport->lost) != m->lost)
			fail_msg("%s: result %d unsent %d timed out %d lost %d",
				 strerrorname_np(-m->error), message.transfer.result,
				 message.transfer.unsent, message.transfer.timed_out,
				 atomic_load(&transport->lost));
		/* The transport never sends anything twice. */
		assert_int_equal(kernel.commands, 1);
	}
}

static void test_recover(void **state)
{
	struct transport *transport = *state;
	uint32_t before = atomic_load(&transport->instance);
	struct hsm_error error;
	struct message m, old;

	make(transport, &old, 'o', 0);
	kernel.epoch = 6;
	call(transport, &m, 'a');
	assert_true(m.transfer.unsent);
	assert_true(atomic_load(&transport->lost));
	assert_int_equal(transport->ops->submit(transport, &m.transfer, &error), -ECONNRESET);
	assert_int_equal(transport->ops->recover(transport, &error), 0);
	assert_true(kernel.closed[0]);
	assert_int_equal(transport->epoch, 6);
	assert_int_not_equal(atomic_load(&transport->instance), before);
	/* A message of before the reset is for nobody any more. */
	assert_int_equal(transport->ops->submit(transport, &old.transfer, &error), -ECONNRESET);
	call(transport, &m, 'b');
	assert_answered(&m);
}

static void test_gone(void **state)
{
	struct transport *transport = *state;
	struct hsm_device_info info;
	struct hsm_error error;
	struct message m;

	kernel.command_error = -ENODEV;
	kernel.command_errors = 1;
	kernel.open_error = -ENODEV;
	kernel.open_errors = 2;
	call(transport, &m, 'a');
	assert_int_equal(m.transfer.result, -ECONNRESET);
	assert_int_equal(transport->ops->recover(transport, &error), -ENODEV);
	assert_non_null(strstr(error.text, "is gone"));
	assert_int_equal(transport->ops->info(transport, &info, &error), -ENODEV);
	/* And back again, under the same name. */
	assert_int_equal(transport->ops->recover(transport, &error), 0);
	call(transport, &m, 'b');
	assert_answered(&m);
}

/* Identity is asked for after a reset that nobody has noticed. */
static void test_info_after_reset(void **state)
{
	struct transport *transport = *state;
	struct hsm_device_info info;
	struct hsm_error error;

	kernel.epoch = 9;
	assert_int_equal(transport->ops->info(transport, &info, &error), 0);
	assert_int_equal(transport->epoch, 9);
	assert_int_equal(kernel.files, 2);
}

/* ---- several threads ---- */

struct caller {
	struct transport *transport;
	struct message message;
};

static void *call_in_thread(void *argument)
{
	struct caller *caller = argument;

	call(caller->transport, &caller->message, 'a');
	return NULL;
}

static void test_file_stays_while_used(void **state)
{
	struct transport *transport = *state;
	struct caller caller = { .transport = transport };
	struct message m;
	pthread_t thread;

	kernel.hold = true;
	assert_int_equal(pthread_create(&thread, NULL, call_in_thread, &caller), 0);
	wait_for_inside(1);
	transport->ops->abandon(transport);
	assert_int_equal(transport->ops->recover(transport, NULL), 0);
	assert_int_equal(kernel.files, 2);
	assert_false(kernel.closed[0]);
	/* What the old file says does not take the new one away. */
	kernel.command_error = -ENODEV;
	kernel.command_errors = 1;
	set_hold(false);
	pthread_join(thread, NULL);
	assert_int_equal(caller.message.transfer.result, -ECONNRESET);
	assert_true(kernel.closed[0]);
	assert_false(atomic_load(&transport->lost));
	call(transport, &m, 'b');
	assert_answered(&m);
}

static bool readable(struct transport *transport, int timeout)
{
	struct pollfd fd = { .fd = transport->ops->poll_fd(transport), .events = POLLIN };

	return poll(&fd, 1, timeout) == 1;
}

static void test_event_loop(void **state)
{
	struct transport *transport = *state;
	struct message m;

	kernel.hold = true;
	make(transport, &m, 'a', 0);
	m.transfer.notify = true;
	submit(transport, &m);
	wait_for_inside(1);
	assert_false(pthread_equal(kernel.last_thread, pthread_self()));
	transport->ops->poll(transport);
	assert_false(transfer_done(&m.transfer));
	assert_int_equal(transport->ops->poll_arm(transport), 0);
	assert_false(readable(transport, 0));
	set_hold(false);
	assert_true(readable(transport, 60000));
	assert_true(transfer_done(&m.transfer));
	assert_answered(&m);
	assert_int_equal(transport->ops->poll_arm(transport), 0);
	assert_false(readable(transport, 0));
}

static void test_submitted(void **state)
{
	struct transport *transport = *state;
	static struct message m[64];

	kernel.hold = true;
	for (unsigned int i = 0; i < ARRAY_SIZE(m); i++) {
		make(transport, &m[i], (uint8_t)i, i);
		m[i].transfer.notify = true;
		submit(transport, &m[i]);
	}
	/* As many at a time as there are helpers, and no more. */
	wait_for_inside(16);
	set_hold(false);
	for (unsigned int i = 0; i < ARRAY_SIZE(m); i++) {
		transport->ops->wait(transport, &m[i].transfer);
		assert_answered(&m[i]);
	}
	assert_int_equal(kernel.most_inside, 16);
	assert_int_equal(kernel.commands, ARRAY_SIZE(m));
}

/* Commands of one queue start in their order, one after the other, and hold up no other queue. */
static void test_order(void **state)
{
	struct transport *transport = *state;
	struct message m[9], other;

	kernel.hold = true;
	for (unsigned int i = 0; i < 8; i++) {
		make(transport, &m[i], (uint8_t)i, 3);
		m[i].transfer.notify = true;
		submit(transport, &m[i]);
	}
	/* One that is waited for does not overtake what was submitted. */
	make(transport, &m[8], 8, 3);
	submit(transport, &m[8]);
	make(transport, &other, 100, 4);
	other.transfer.notify = true;
	submit(transport, &other);
	wait_for_inside(2);
	assert_int_equal(kernel.commands, 2);
	set_hold(false);
	transport->ops->wait(transport, &m[8].transfer);
	assert_answered(&m[8]);
	transport->ops->wait(transport, &other.transfer);
	for (unsigned int i = 0, next = 0; i < 10; i++)
		if (kernel.order[i] != 100)
			assert_int_equal(kernel.order[i], next++);
}

static void test_submitted_in_a_reset(void **state)
{
	struct transport *transport = *state;
	static struct message m[32];
	unsigned int unsent = 0;

	kernel.hold = true;
	kernel.command_error = -ECANCELED;
	kernel.command_errors = 16;
	for (unsigned int i = 0; i < ARRAY_SIZE(m); i++) {
		make(transport, &m[i], (uint8_t)i, i);
		m[i].transfer.notify = true;
		submit(transport, &m[i]);
	}
	wait_for_inside(16);
	set_hold(false);
	for (unsigned int i = 0; i < ARRAY_SIZE(m); i++) {
		transport->ops->wait(transport, &m[i].transfer);
		assert_int_equal(m[i].transfer.result, -ECONNRESET);
		unsent += m[i].transfer.unsent;
	}
	/* Those that were with the device may have been executed, the others have not. */
	assert_int_equal(unsent, 16);
	assert_int_equal(kernel.commands, 16);
}

static void test_fork(void **state)
{
	struct transport *transport = *state;
	struct message m;
	int status;
	pid_t child;

	make(transport, &m, 'a', 0);
	m.transfer.notify = true;
	submit(transport, &m);
	transport->ops->wait(transport, &m.transfer);
	child = fork();
	if (child == 0) {
		alarm(60);
		transport->ops->close(transport, true);
		_exit(kernel.closed[0] ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	call(transport, &m, 'b');
	assert_answered(&m);
}

/* ---- names ---- */

static void touch(const char *directory, const char *file)
{
	char path[TEMPORARY_PATH + 16];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	fd = creat(path, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static void test_names(void **state)
{
	static const char *const files[] = { "ihsm10", "ihsm2", "ihsm0", "ihsm", "ihsm1x", "ihsmx" };
	char directory[TEMPORARY_PATH];
	char **names = NULL;
	unsigned int count = 0;
	char path[TEMPORARY_PATH + 16];

	assert_non_null(mkdtemp(temporary_name(directory, "hsm-names")));
	assert_int_equal(driver_names(directory, &names, &count), 0);
	assert_int_equal(count, 0);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		touch(directory, files[i]);
	assert_int_equal(driver_names(directory, &names, &count), 0);
	assert_int_equal(count, 3);
	assert_string_equal(strrchr(names[0], '/'), "/ihsm0");
	assert_string_equal(strrchr(names[1], '/'), "/ihsm2");
	assert_string_equal(strrchr(names[2], '/'), "/ihsm10");
	hsm_free_names(names);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, files[i]);
		unlink(path);
	}
	rmdir(directory);
	(void)state;
}

/* A file that is no device of ours, through the system's own calls */
static void test_no_device(void **state)
{
	static const struct device_name null = { .kind = NAME_DRIVER, .path = "/dev/null" };
	struct transport *transport;
	struct hsm_error error;

	assert_int_equal(driver_open(&null, false, &transport, &error), -ENODEV);
	assert_non_null(strstr(error.text, "not a device of the HSM driver"));
	(void)state;
}

#define WITH_DEVICE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DEVICE(test_open),
		cmocka_unit_test(test_open_refused),
		cmocka_unit_test(test_open_versions),
		cmocka_unit_test(test_open_admin),
		cmocka_unit_test(test_open_waits_for_a_reset),
		WITH_DEVICE(test_call),
		cmocka_unit_test(test_polling),
		WITH_DEVICE(test_status),
		WITH_DEVICE(test_too_long),
		WITH_DEVICE(test_errors),
		WITH_DEVICE(test_recover),
		WITH_DEVICE(test_gone),
		WITH_DEVICE(test_info_after_reset),
		WITH_DEVICE(test_file_stays_while_used),
		WITH_DEVICE(test_event_loop),
		WITH_DEVICE(test_submitted),
		WITH_DEVICE(test_order),
		WITH_DEVICE(test_submitted_in_a_reset),
		WITH_DEVICE(test_fork),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_no_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
