// SPDX-License-Identifier: Apache-2.0
/*
 * hostile ADDRESS SEED COUNT [many]: operations on a device that means harm, in a guest: commands by ioctl
 * and by io_uring, polled and not, random ioctls, resets, and processes that are killed. What an operation answers is
 * the device's affair; it has to end, to write nothing beyond the caller's room, and to put nothing
 * there but what went out. A device that is dead is bound again. With "many" an operation is mostly a
 * full ring of short commands, or as many random ioctls: for figures. The work is bounded by its
 * count; the alarm only ends what would never end.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <liburing.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/ihsm.h>
#include <linux/ihsm_hw.h>

#define WORKERS	 2
#define KILLED	 16
#define LARGEST	 60000
#define DEPTH	 64
#define FEW	 8  /* of them at a time, when there are long ones */
#define GUARD	 64 /* bytes behind the room that nobody may touch */
#define TRIES	 500
#define PATIENCE 600 /* seconds for one device: a task that is stuck */

#define OURS  0xe5 /* all bytes of all requests */
#define BLANK 0x5e /* where answers go, before */

/* struct tally - what happened, of all processes */
struct tally {
	unsigned long operations, answered, failed, opened, bound, leaks, ioctls;
};

static struct tally *tally;
static const char *address;
static uint64_t state;
static bool many;

static unsigned char request[LARGEST];
static unsigned char rooms[DEPTH][LARGEST + GUARD];
static struct ihsm_command commands[DEPTH];

static void count(unsigned long *what)
{
	__atomic_fetch_add(what, 1, __ATOMIC_RELAXED);
}

/* xorshift64 */
static uint64_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* ---- the device's file ---- */

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		errno = 0; /* what it says is not asked for */
	close(fd);
}

/* Return: the number behind /dev/ihsm, or -1. */
static int device_number(void)
{
	char pattern[128];
	glob_t found;
	int number = -1;

	snprintf(pattern, sizeof(pattern), "/sys/bus/pci/devices/%s/ihsm/ihsm*", address);
	if (!glob(pattern, 0, NULL, &found))
		number = atoi(strrchr(found.gl_pathv[0], '/') + 5);
	globfree(&found);
	return number;
}

static int try_open(void)
{
	char path[64];
	int number = device_number();

	if (number < 0)
		return -1;
	snprintf(path, sizeof(path), "/dev/ihsm%d", number);
	return open(path, O_RDWR | O_CLOEXEC);
}

/* A device that lies while it is probed is refused, and may be taken the next time. */
static int open_device(void)
{
	for (int i = 0; i < TRIES; i++) {
		int fd = try_open();

		if (fd >= 0) {
			count(&tally->opened);
			return fd;
		}
		put("/sys/bus/pci/drivers/ihsm/unbind", address);
		put("/sys/bus/pci/drivers/ihsm/bind", address);
		count(&tally->bound);
	}
	return -1;
}

/* ---- commands ---- */

static void prepare(unsigned int i)
{
	/* Half of them fit into a slot, the others have pages of their own. */
	uint32_t most = many ? 256 : draw() & 1 ? 4096 : LARGEST;

	commands[i] = (struct ihsm_command){
		.size = sizeof(commands[i]),
		.time_class = IHSM_TIME_SHORT,
		.in = (uintptr_t)request,
		.in_len = 1 + (uint32_t)(draw() % most),
		.out = (uintptr_t)rooms[i],
		.out_len = 1 + (uint32_t)(draw() % most),
	};
	memset(rooms[i], BLANK, commands[i].out_len + GUARD);
}

/* What lies in the room is ours, zero, or was there before. */
static void check_room(unsigned int i, int error)
{
	const unsigned char *room = rooms[i];
	bool good = error || commands[i].written <= commands[i].out_len;

	for (unsigned int at = 0; at < commands[i].out_len + GUARD && good; at++) {
		if (at < commands[i].out_len)
			good = room[at] == OURS || !room[at] || room[at] == BLANK;
		else
			good = room[at] == BLANK;
	}
	if (!good)
		count(&tally->leaks);
	count(error ? &tally->failed : &tally->answered);
}

/* Return: whether the file is of no use any more. */
static bool over(int error)
{
	return error == ESTALE || error == ENODEV || error == EBADFD;
}

static bool one_command(int fd)
{
	int error;

	prepare(0);
	error = ioctl(fd, IHSM_IOC_COMMAND, &commands[0]) ? errno : 0;
	check_room(0, error);
	return over(error);
}

/*
 * A ring is dear where the kernel has instruments: a process keeps its own, one that is told of
 * answers and one that looks for them.
 */
static struct io_uring *own_ring(bool polled)
{
	static struct io_uring rings[2];
	static bool there[2];
	unsigned int flags = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SQE128 |
			     (polled ? IORING_SETUP_IOPOLL : 0);

	there[polled] = there[polled] || !io_uring_queue_init(DEPTH, &rings[polled], flags);
	return there[polled] ? &rings[polled] : NULL;
}

static void queue_command(struct io_uring *ring, int fd, unsigned int i)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	prepare(i);
	if (!sqe)
		return;
	memset(sqe, 0, 2 * sizeof(*sqe));
	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, fd, NULL, 0, 0);
	sqe->cmd_op = IHSM_IOC_COMMAND;
	memcpy(sqe->cmd, &commands[i], sizeof(commands[i]));
	sqe->user_data = i;
}

static bool batch(int fd)
{
	struct io_uring *ring = own_ring(draw() & 1);
	struct io_uring_cqe *cqe;
	unsigned int depth = many ? DEPTH : FEW;
	bool end = false;

	if (!ring)
		return false;
	for (unsigned int i = 0; i < depth; i++)
		queue_command(ring, fd, i);
	/* One way into the kernel for all of them, there and back */
	io_uring_submit_and_wait(ring, depth);
	for (unsigned int i = 0; i < depth && !io_uring_wait_cqe(ring, &cqe); i++) {
		unsigned int room = (unsigned int)cqe->user_data;
		int error = cqe->res < 0 ? -cqe->res : 0;

		commands[room].written = IHSM_URING_WRITTEN(cqe->res);
		check_room(room, error);
		end |= over(error);
		io_uring_cqe_seen(ring, cqe);
	}
	return end;
}

/* ---- other operations ---- */

static bool random_ioctl(int fd)
{
	uint64_t words[16];

	for (unsigned int i = 0; i < 16; i++)
		words[i] = draw() & 1 ? 0 : draw();
	/* A size that is right lets the other fields be looked at. */
	if (draw() & 1)
		words[0] = (words[0] & ~0xffffffffULL) | 8 * (1 + draw() % 15);
	ioctl(fd, _IO(IHSM_IOC_TYPE, (draw() & 3) == 2 ? 7 : draw() & 3), words);
	count(&tally->ioctls);
	return false;
}

static bool look(int fd)
{
	struct ihsm_info info = { .size = sizeof(info) };
	struct ihsm_events events = { .size = sizeof(events) };
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	ioctl(fd, IHSM_IOC_EVENTS, &events);
	poll(&wait, 1, 0);
	return ioctl(fd, IHSM_IOC_INFO, &info) || info.state == IHSM_DRIVER_DEAD ||
	       wait.revents & POLLERR;
}

static bool reset(int fd)
{
	char path[128];
	int number = device_number();

	(void)fd;
	snprintf(path, sizeof(path), "/sys/class/ihsm/ihsm%d/reset", number);
	put(path, "1");
	return true;
}

static bool operation(int fd)
{
	/* What costs a restart is rarer where many completions are wanted. */
	unsigned int which = draw() % (many ? 512 : 128);

	count(&tally->operations);
	if (which == 0)
		return reset(fd);
	if (which < 4)
		return true;
	if (which < 12)
		return look(fd);
	if (which < 44) {
		for (unsigned int i = 1; many && i < DEPTH; i++)
			random_ioctl(fd);
		return random_ioctl(fd);
	}
	if (which < 60 || many)
		return batch(fd);
	return one_command(fd);
}

/* ---- processes ---- */

static int work(uint64_t seed, unsigned long operations)
{
	int fd = -1;

	state = seed * 0x9e3779b97f4a7c15ULL | 1;
	for (unsigned long i = 0; i < operations; i++) {
		if (fd < 0)
			fd = open_device();
		if (fd < 0)
			return 1;
		if (!operation(fd))
			continue;
		close(fd);
		fd = -1;
	}
	return 0;
}

static int workers(uint64_t seed, unsigned long operations)
{
	int failed = 0, status;

	for (unsigned int i = 0; i < WORKERS; i++)
		if (!fork())
			_exit(work(seed * WORKERS + i, operations / WORKERS));
	while (wait(&status) > 0)
		failed |= status;
	return failed;
}

/* A process that is in the middle of something, somewhere, ends when it is killed. */
static int killed(uint64_t seed)
{
	for (unsigned int i = 0; i < KILLED; i++) {
		unsigned long before = __atomic_load_n(&tally->operations, __ATOMIC_RELAXED);
		pid_t pid = fork();
		int status;

		if (!pid)
			_exit(work(seed + 1000 + i, ~0UL));
		while (__atomic_load_n(&tally->operations, __ATOMIC_RELAXED) < before + 1 + i &&
		       !waitpid(pid, &status, WNOHANG))
			sched_yield();
		kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	return 0;
}

static void stuck(int signal)
{
	static const char text[] = "a task did not end\n";

	(void)signal;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(4);
	_exit(3);
}

/* HSM_SLOWER: how many times as long all takes here */
static unsigned int slower(void)
{
	const char *text = getenv("HSM_SLOWER");
	int times = text ? atoi(text) : 1;

	return times > 1 ? (unsigned int)times : 1;
}

int main(int argc, char **argv)
{
	uint64_t seed;
	int failed;

	if (argc < 4)
		return 2;
	many = argc > 4 && !strcmp(argv[4], "many");
	address = argv[1];
	seed = strtoull(argv[2], NULL, 0);
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (tally == MAP_FAILED)
		return 2;
	memset(request, OURS, sizeof(request));
	signal(SIGALRM, stuck);
	alarm(slower() * (PATIENCE + (unsigned int)(strtoul(argv[3], NULL, 0) / 10)));
	failed = workers(seed, strtoul(argv[3], NULL, 0));
	failed |= killed(seed);
	printf("%s: operations=%lu answered=%lu failed=%lu opened=%lu bound=%lu leaks=%lu "
	       "ioctls=%lu\n",
	       address, tally->operations, tally->answered, tally->failed, tally->opened,
	       tally->bound, tally->leaks, tally->ioctls);
	return failed || tally->leaks || !tally->answered;
}
