// SPDX-License-Identifier: Apache-2.0
/*
 * Commands of the driver by io_uring, and poll() for events, in a guest: many at a time, polled,
 * more than there are slots, bad entries, memory that goes away, a reset and an end of the ring in
 * the middle. Runs as root and speaks TAP. The answers are those of linux/ihsm.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <hsm/wire.h>
#include <linux/ihsm.h>
#include <linux/ihsm_hw.h>

#define DEPTH 256
#define ROOM  4096
#define LARGE 60000

static unsigned int points, failed;
static const char *device = "/dev/ihsm0";

static void point(bool ok, const char *name, const char *detail)
{
	printf("%sok %u - %s%s%s\n", ok ? "" : "not ", ++points, name, ok ? "" : ": ",
	       ok ? "" : detail);
	fflush(stdout);
	failed += !ok;
}

/* is - a value and what it should be, both as errno */
static void is(const char *name, int have, int expected)
{
	char detail[128];

	snprintf(detail, sizeof(detail), "%d (%s)", have, strerror(abs(have)));
	point(have == expected, name, detail);
}

static const struct hsm_message_header discover = {
	.version = HSM_PROTOCOL_VERSION,
	.kind = HSM_MESSAGE_DISCOVER,
};

static struct ihsm_command commands[DEPTH];
static unsigned char responses[DEPTH][ROOM];

static void good_command(unsigned int i)
{
	memset(responses[i], 0, ROOM);
	commands[i] = (struct ihsm_command){
		.size = sizeof(commands[i]),
		.in = (uintptr_t)&discover,
		.in_len = sizeof(discover),
		.out = (uintptr_t)responses[i],
		.out_len = ROOM,
	};
}

static struct io_uring_sqe *put(struct io_uring *ring, int fd, const struct ihsm_command *command,
				unsigned int tag)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (!sqe)
		return NULL;
	memset(sqe, 0, 2 * sizeof(*sqe));
	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, fd, NULL, 0, 0);
	sqe->cmd_op = IHSM_IOC_COMMAND;
	memcpy(sqe->cmd, command, sizeof(*command));
	sqe->user_data = tag;
	return sqe;
}

/* take - wait for @count completions; results by tag. Return: how many came. */
static unsigned int take(struct io_uring *ring, unsigned int count, int *result)
{
	struct io_uring_cqe *cqe;
	unsigned int came = 0;

	while (came < count && io_uring_wait_cqe(ring, &cqe) == 0) {
		result[cqe->user_data] = cqe->res;
		io_uring_cqe_seen(ring, cqe);
		came++;
	}
	return came;
}

static bool answered(unsigned int i, int result)
{
	return result > (int)sizeof(discover) && IHSM_URING_STATUS(result) == IHSM_SC_SUCCESS &&
	       responses[i][0] == HSM_PROTOCOL_VERSION && !responses[i][IHSM_URING_WRITTEN(result)];
}

/* run - @count commands at once. Return: how many were answered as they should be. */
static unsigned int run(struct io_uring *ring, int fd, unsigned int count)
{
	static int result[DEPTH];
	unsigned int good = 0, i;

	for (i = 0; i < count; i++) {
		result[i] = 1;
		good_command(i);
		put(ring, fd, &commands[i], i);
	}
	io_uring_submit(ring);
	if (take(ring, count, result) != count)
		return 0;
	for (i = 0; i < count; i++)
		good += answered(i, result[i]);
	return good;
}

static int one(struct io_uring *ring, int fd, const struct ihsm_command *command)
{
	int result[1] = { 1 };

	put(ring, fd, command, 0);
	io_uring_submit(ring);
	take(ring, 1, result);
	return result[0];
}

static void test_many(struct io_uring *ring, int fd)
{
	is("one command", (int)run(ring, fd, 1), 1);
	is("32 at a time", (int)run(ring, fd, 32), 32);
	is("more than there are slots", (int)run(ring, fd, DEPTH), DEPTH);
}

static void test_large(struct io_uring *ring, int fd)
{
	static unsigned char in[LARGE], out[LARGE];
	int ret;

	memcpy(in, &discover, sizeof(discover));
	good_command(0);
	commands[0].in = (uintptr_t)in;
	commands[0].in_len = sizeof(in);
	commands[0].out = (uintptr_t)out;
	commands[0].out_len = sizeof(out);
	ret = one(ring, fd, &commands[0]);
	is("a long message: the device says that it makes no sense",
	   ret < 0 ? ret : (int)IHSM_URING_STATUS(ret), IHSM_SC_INVALID_MESSAGE);
	good_command(0);
	commands[0].out = (uintptr_t)out;
	commands[0].out_len = sizeof(out);
	ret = one(ring, fd, &commands[0]);
	point(ret > 0 && IHSM_URING_STATUS(ret) == 0 && out[0] == HSM_PROTOCOL_VERSION,
	      "room for a long answer", "no answer");
}

static void test_polled(int fd)
{
	struct io_uring ring;
	int err = io_uring_queue_init(DEPTH, &ring, IORING_SETUP_IOPOLL | IORING_SETUP_SQE128);

	is("a polled ring", err, 0);
	if (err)
		return;
	is("polled: one command", (int)run(&ring, fd, 1), 1);
	is("polled: 32 at a time", (int)run(&ring, fd, 32), 32);
	io_uring_queue_exit(&ring);
}

/* In a child: wait for an answer that is its parent's. Return: whether this memory stayed as it was. */
static bool foreign(struct io_uring *ring, int ready)
{
	struct io_uring_cqe *cqe;
	char byte;

	if (read(ready, &byte, 1) != 1 || io_uring_wait_cqe(ring, &cqe))
		return false;
	return !responses[0][0];
}

/* A polled ring that two processes have: what one asked for is not written into the other. */
static void test_polled_by_another(int fd)
{
	unsigned int rounds, kept = 0;
	int result[1], status, ready[2];
	struct io_uring ring;
	pid_t child;

	if (io_uring_queue_init(DEPTH, &ring, IORING_SETUP_IOPOLL | IORING_SETUP_SQE128) ||
	    pipe(ready)) {
		point(false, "a polled ring for two", strerror(errno));
		return;
	}
	for (rounds = 0; rounds < 16; rounds++) {
		good_command(0);
		child = fork();
		if (child == 0)
			_exit(foreign(&ring, ready[0]) ? 0 : 1);
		put(&ring, fd, &commands[0], 0);
		io_uring_submit(&ring);
		kept += write(ready[1], "", 1) == 1 && waitpid(child, &status, 0) == child &&
			status == 0 && take(&ring, 1, result) == 1 &&
			(result[0] == -ECANCELED || answered(0, result[0]));
	}
	point(kept == rounds, "an answer is not written into another process that polls", "it was");
	close(ready[0]);
	close(ready[1]);
	io_uring_queue_exit(&ring);
}

/* A command does not fit into the entries of a common ring, and what lies behind is another entry. */
static void test_small_entry(int fd)
{
	struct io_uring ring;
	struct io_uring_sqe *sqe;
	int result[1] = { 1 };

	if (io_uring_queue_init(DEPTH, &ring, 0)) {
		is("a common ring", errno, 0);
		return;
	}
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, fd, NULL, 0, 0);
	sqe->cmd_op = IHSM_IOC_COMMAND;
	sqe->user_data = 0;
	io_uring_submit(&ring);
	take(&ring, 1, result);
	is("a ring with small entries", result[0], -EINVAL);
	io_uring_queue_exit(&ring);
}

static void test_bad(struct io_uring *ring, int fd)
{
	struct io_uring_sqe *sqe;
	int result[1];
	int ro = open(device, O_RDONLY | O_CLOEXEC);

	good_command(0);
	is("no such command",
	   (sqe = put(ring, fd, &commands[0], 0), sqe->cmd_op = 0xed0f, io_uring_submit(ring),
	    take(ring, 1, result), result[0]),
	   -ENOTTY);
	is("an ioctl that does not come this way",
	   (sqe = put(ring, fd, &commands[0], 0), sqe->cmd_op = IHSM_IOC_RESET,
	    io_uring_submit(ring), take(ring, 1, result), result[0]),
	   -ENOTTY);
	is("something behind the command in its entry",
	   (sqe = put(ring, fd, &commands[0], 0), sqe->cmd[sizeof(commands[0])] = 1,
	    io_uring_submit(ring), take(ring, 1, result), result[0]),
	   -E2BIG);
	is("something at the entry's end",
	   (sqe = put(ring, fd, &commands[0], 0), sqe->cmd[79] = 1, io_uring_submit(ring),
	    take(ring, 1, result), result[0]),
	   -E2BIG);
	commands[0].size = ~0U;
	is("a command too long", one(ring, fd, &commands[0]), -E2BIG);
	good_command(0);
	commands[0].size = 8;
	is("a command too short", one(ring, fd, &commands[0]), -EINVAL);
	good_command(0);
	commands[0].flags = 1;
	is("flags of the command", one(ring, fd, &commands[0]), -EINVAL);
	good_command(0);
	commands[0].poll_us = 1;
	is("how long to poll, which is the ring's matter", one(ring, fd, &commands[0]), -EINVAL);
	good_command(0);
	commands[0].time_class = IHSM_TIME_CLASSES;
	is("its class", one(ring, fd, &commands[0]), -EINVAL);
	good_command(0);
	commands[0].in = 0xffff888000000000;
	is("a message in the kernel", one(ring, fd, &commands[0]), -EFAULT);
	good_command(0);
	commands[0].in = 0;
	is("a message that is nowhere", one(ring, fd, &commands[0]), -EFAULT);
	good_command(0);
	commands[0].in_len = 1 << 24;
	is("a message too long", one(ring, fd, &commands[0]), -EMSGSIZE);
	good_command(0);
	commands[0].out = 0;
	is("an answer to nowhere", one(ring, fd, &commands[0]), -EFAULT);
	good_command(0);
	is("a file that is open for reading", one(ring, ro, &commands[0]), -EBADF);
	test_small_entry(fd);
	close(ro);
	is("the device answers after that", (int)run(ring, fd, 4), 4);
}

/* Memory of the answers goes while the commands are with the device. */
static void test_unmapped(struct io_uring *ring, int fd)
{
	static int result[32];
	unsigned char *room =
		mmap(NULL, 32 * ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int bad = 0, i;

	if (!room || room == MAP_FAILED) {
		is("memory for the answers", errno, 0);
		return;
	}
	for (i = 0; i < 32; i++) {
		good_command(i);
		commands[i].out = (uintptr_t)(room + i * ROOM);
		put(ring, fd, &commands[i], i);
	}
	io_uring_submit(ring);
	munmap(room, 32 * ROOM);
	take(ring, 32, result);
	for (i = 0; i < 32; i++)
		bad += result[i] <= 0 && result[i] != -EFAULT;
	is("answers whose memory went away: written or EFAULT", (int)bad, 0);
	is("the device answers after that", (int)run(ring, fd, 4), 4);
}

static void test_end_of_ring(void)
{
	struct io_uring ring;
	pid_t child;
	int status = -1;
	int round;

	for (round = 0; round < 8; round++) {
		child = fork();
		if (child == 0) {
			int fd = open(device, O_RDWR | O_CLOEXEC);
			unsigned int i;

			if (fd < 0 || io_uring_queue_init(DEPTH, &ring, IORING_SETUP_SQE128))
				_exit(1);
			for (i = 0; i < DEPTH; i++) {
				good_command(i);
				/* Longer ones the device is asked to drop. */
				commands[i].time_class = round & 2 ? IHSM_TIME_SHORT
								   : IHSM_TIME_LONG;
				put(&ring, fd, &commands[i], i);
			}
			io_uring_submit(&ring);
			if (round & 1)
				raise(SIGKILL);
			_exit(0);
		}
		waitpid(child, &status, 0);
	}
	point(round == 8 && WIFSIGNALED(status), "processes that end with commands under way",
	      "they could not begin");
}

static int events(int fd, unsigned int *bits)
{
	struct ihsm_events e = { .size = sizeof(e) };
	int ret = ioctl(fd, IHSM_IOC_EVENTS, &e);

	*bits = e.events;
	return ret < 0 ? -errno : ret;
}

static int polled(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	poll(&p, 1, 0);
	return p.revents;
}

static void test_reset(struct io_uring *ring, int fd)
{
	static int result[64];
	struct ihsm_reset reset = { .size = sizeof(reset) };
	unsigned int bad = 0, bits = 0, i;
	int other;

	is("nothing to tell at first", polled(fd), 0);
	for (i = 0; i < 64; i++) {
		good_command(i);
		put(ring, fd, &commands[i], i);
	}
	io_uring_submit(ring);
	is("a reset", ioctl(fd, IHSM_IOC_RESET, &reset), 0);
	take(ring, 64, result);
	for (i = 0; i < 64; i++)
		bad += result[i] <= 0 && result[i] != -ECANCELED && result[i] != -ESTALE;
	is("commands that it met: answered, ECANCELED or ESTALE", (int)bad, 0);
	good_command(0);
	is("a file of before: ESTALE", one(ring, fd, &commands[0]), -ESTALE);
	point(polled(fd) & POLLIN, "poll() tells of the reset", "it does not");
	is("its event is asked for", events(fd, &bits), 0);
	point(bits & 1 << IHSM_NOTICE_RESET, "it is the reset", "it is not");
	is("and told once", events(fd, &bits) ? -1 : (int)bits, 0);
	is("poll() has nothing more", polled(fd), 0);
	other = open(device, O_RDWR | O_CLOEXEC);
	is("a new file knows of nothing", polled(other), 0);
	is("and works", (int)run(ring, other, 32), 32);
	close(other);
}

static void test_bad_events(int fd)
{
	struct ihsm_events e = { .size = sizeof(e), .flags = 1 };

	is("flags of IHSM_IOC_EVENTS", ioctl(fd, IHSM_IOC_EVENTS, &e) ? -errno : 0, -EINVAL);
	e = (struct ihsm_events){ .size = sizeof(e), .reserved = 1 };
	is("its reserved field", ioctl(fd, IHSM_IOC_EVENTS, &e) ? -errno : 0, -EINVAL);
	e = (struct ihsm_events){ .size = 8 };
	is("its size", ioctl(fd, IHSM_IOC_EVENTS, &e) ? -errno : 0, -EINVAL);
}

int main(int argc, char **argv)
{
	struct io_uring ring;
	int fd;

	if (argc > 1)
		device = argv[1];
	fd = open(device, O_RDWR | O_CLOEXEC);
	if (fd < 0 || io_uring_queue_init(DEPTH, &ring, IORING_SETUP_SQE128)) {
		perror(device);
		return 1;
	}
	test_many(&ring, fd);
	test_large(&ring, fd);
	test_polled(fd);
	test_polled_by_another(fd);
	test_bad(&ring, fd);
	test_unmapped(&ring, fd);
	test_end_of_ring();
	is("the device answers after that", (int)run(&ring, fd, 32), 32);
	test_bad_events(fd);
	test_reset(&ring, fd);
	io_uring_queue_exit(&ring);
	close(fd);
	printf("1..%u\n", points);
	return failed > 0;
}
