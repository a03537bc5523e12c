// SPDX-License-Identifier: Apache-2.0
/*
 * What a hostile or careless program can do to /dev/ihsmN by its ioctls: every field out of range,
 * memory that is not there, is read-only, goes away or changes during the call, another one's
 * context. Runs in a guest, as root, and speaks TAP. The answers are those of linux/ihsm.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
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

#define ROOM	 70000
#define PAGE	 4096
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static unsigned int points, failed;
static const char *device = "/dev/ihsm0";

static void point(bool ok, const char *name, const char *detail)
{
	printf("%sok %u - %s%s%s\n", ok ? "" : "not ", ++points, name, ok ? "" : ": ",
	       ok ? "" : detail);
	failed += !ok;
}

/* answers - an ioctl's return value is 0 and 0 is expected, or its errno is the expected one */
static void answers(const char *name, int ret, int expected)
{
	int have = ret < 0 ? errno : ret;

	point(have == expected, name, strerror(have));
}

/* The shortest request that a device answers: which partitions are there? */
static const struct hsm_message_header discover = {
	.version = HSM_PROTOCOL_VERSION,
	.kind = HSM_MESSAGE_DISCOVER,
};

static unsigned char response[ROOM];

static struct ihsm_command good_command(void)
{
	return (struct ihsm_command){
		.size = sizeof(struct ihsm_command),
		.in = (uintptr_t)&discover,
		.in_len = sizeof(discover),
		.out = (uintptr_t)response,
		.out_len = sizeof(response),
	};
}

static int command(int fd, struct ihsm_command *c)
{
	return ioctl(fd, IHSM_IOC_COMMAND, c);
}

/* The device still answers: after each attack */
static void works(int fd, const char *after)
{
	struct ihsm_command c = good_command();
	char name[128];
	int ret = command(fd, &c);

	snprintf(name, sizeof(name), "the device answers after %s", after);
	point(!ret && c.status == IHSM_SC_SUCCESS && c.written >= sizeof(discover), name,
	      ret ? strerror(errno) : "status");
}

/* ---- structures ---- */

struct field_case {
	const char *name;
	size_t offset, width;
	uint64_t value;
	int expected;
};

#define FIELD(struct_, field, value, expected)                               \
	{ #struct_ "." #field " = " #value, offsetof(struct struct_, field), \
	  sizeof(((struct struct_ *)0)->field), (uint64_t)(value), expected }

static const struct field_case command_cases[] = {
	FIELD(ihsm_command, size, 0, EINVAL),
	FIELD(ihsm_command, size, sizeof(struct ihsm_command) - 1, EINVAL),
	FIELD(ihsm_command, size, PAGE + 8, E2BIG),
	FIELD(ihsm_command, size, ~0U, E2BIG),
	FIELD(ihsm_command, flags, 1, EINVAL),
	FIELD(ihsm_command, flags, 1U << 31, EINVAL),
	FIELD(ihsm_command, time_class, IHSM_TIME_CLASSES, EINVAL),
	FIELD(ihsm_command, time_class, ~0U, EINVAL),
	FIELD(ihsm_command, in_len, 0, EINVAL),
	FIELD(ihsm_command, out_len, 0, EINVAL),
	FIELD(ihsm_command, in_len, 1U << 24, EMSGSIZE),
	FIELD(ihsm_command, in_len, ~0U, EMSGSIZE),
	FIELD(ihsm_command, in, 0, EFAULT),
	FIELD(ihsm_command, in, -PAGE, EFAULT),
	FIELD(ihsm_command, in, 0xffff888000000000, EFAULT),
	FIELD(ihsm_command, out, 0, EFAULT),
	FIELD(ihsm_command, out, 0xffff888000000000, EFAULT),
	FIELD(ihsm_command, out, 0x8000000000000000, EFAULT),
};

static const struct field_case info_cases[] = {
	FIELD(ihsm_info, size, 0, EINVAL),
	FIELD(ihsm_info, size, sizeof(struct ihsm_info) - 4, EINVAL),
	FIELD(ihsm_info, size, ~0U, E2BIG),
	FIELD(ihsm_info, flags, 1, EINVAL),
	FIELD(ihsm_info, reserved, 1, EINVAL),
	FIELD(ihsm_info, identify, 8, EINVAL),
	FIELD(ihsm_info, identify_len, 8, EINVAL),
};

static const struct field_case reset_cases[] = {
	FIELD(ihsm_reset, size, 0, EINVAL),
	FIELD(ihsm_reset, size, ~0U, E2BIG),
	FIELD(ihsm_reset, flags, 1, EINVAL),
};

static void put(void *buffer, const struct field_case *field)
{
	memcpy((char *)buffer + field->offset, &field->value, field->width);
}

static void fields_out_of_range(int fd)
{
	for (size_t i = 0; i < COUNT(command_cases); i++) {
		struct ihsm_command c = good_command();

		put(&c, &command_cases[i]);
		answers(command_cases[i].name, command(fd, &c), command_cases[i].expected);
	}
	for (size_t i = 0; i < COUNT(info_cases); i++) {
		struct ihsm_info info = { .size = sizeof(info) };

		put(&info, &info_cases[i]);
		answers(info_cases[i].name, ioctl(fd, IHSM_IOC_INFO, &info),
			info_cases[i].expected);
	}
	for (size_t i = 0; i < COUNT(reset_cases); i++) {
		struct ihsm_reset reset = { .size = sizeof(reset) };

		put(&reset, &reset_cases[i]);
		answers(reset_cases[i].name, ioctl(fd, IHSM_IOC_RESET, &reset),
			reset_cases[i].expected);
	}
	works(fd, "fields out of range");
}

/* A longer structure is a newer header's: fine as long as what is new is zero. */
static void longer_structures(int fd)
{
	struct {
		struct ihsm_command c;
		unsigned char more[64];
	} longer = { .c = good_command() };

	longer.c.size = sizeof(longer);
	answers("a longer structure with zeros", command(fd, &longer.c), 0);
	longer.c = good_command();
	longer.c.size = sizeof(longer);
	longer.more[63] = 1;
	answers("a longer structure with something unknown", command(fd, &longer.c), E2BIG);
}

/* It changes when the program wakes up, and nothing else. */
static void polling(int fd)
{
	static const uint32_t times[] = { 0, 1, 1000, IHSM_POLL_NEVER - 1, IHSM_POLL_NEVER };

	for (unsigned int class = 0; class < IHSM_TIME_CLASSES; class ++) {
		for (size_t i = 0; i < COUNT(times); i++) {
			struct ihsm_command c = good_command();
			char name[64];

			c.time_class = class;
			c.poll_us = times[i];
			snprintf(name, sizeof(name), "class %u, poll_us %u", class, times[i]);
			answers(name, command(fd, &c), 0);
		}
	}
}

static void numbers(int fd)
{
	struct ihsm_command c = good_command();

	answers("no structure", ioctl(fd, IHSM_IOC_COMMAND, NULL), EFAULT);
	answers("an unknown number of ours", ioctl(fd, _IO(IHSM_IOC_TYPE, 0x0f), &c), ENOTTY);
	answers("the last number of ours", ioctl(fd, _IO(IHSM_IOC_TYPE, 0xff), &c), ENOTTY);
	answers("our number with a size",
		ioctl(fd, _IOWR(IHSM_IOC_TYPE, 0x01, struct ihsm_command), &c), ENOTTY);
	answers("somebody else's number", ioctl(fd, _IO('N', 0x01), &c), ENOTTY);
}

static void rights(int fd)
{
	struct ihsm_command c = good_command();
	struct ihsm_reset reset = { .size = sizeof(reset) };
	int reader = open(device, O_RDONLY | O_CLOEXEC);
	int status;
	pid_t pid;

	point(reader >= 0, "open for reading", strerror(errno));
	answers("a command on a file that is open for reading", command(reader, &c), EBADF);
	answers("a reset there", ioctl(reader, IHSM_IOC_RESET, &reset), EBADF);
	close(reader);
	pid = fork();
	if (pid == 0) {
		if (setuid(65534))
			_exit(255);
		_exit(ioctl(fd, IHSM_IOC_RESET, &reset) ? errno : 0);
	}
	waitpid(pid, &status, 0);
	answers("a reset by somebody without rights", WEXITSTATUS(status), EPERM);
}

/* ---- memory ---- */

static unsigned char *pages(size_t count)
{
	void *map = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);

	if (map == MAP_FAILED || !map) {
		perror("mmap");
		exit(1);
	}
	return map;
}

static void memory(int fd)
{
	unsigned char *map = pages(32);
	struct ihsm_command c = good_command();

	memset(map, 0, 32 * PAGE);
	munmap(map + PAGE, PAGE);
	mprotect(map + 2 * PAGE, 20 * PAGE, PROT_READ);
	memcpy(map + PAGE - 8, &discover, 8);
	c.in = (uintptr_t)map + PAGE - 8;
	answers("a request that ends in nothing", command(fd, &c), EFAULT);
	c.in_len = 40000;
	answers("a large request that ends in nothing", command(fd, &c), EFAULT);
	c = good_command();
	c.out = (uintptr_t)map + 2 * PAGE;
	answers("room that is read-only", command(fd, &c), EFAULT);
	c.out_len = PAGE;
	answers("small room that is read-only", command(fd, &c), EFAULT);
	c = good_command();
	c.out = (uintptr_t)map + PAGE - 4;
	answers("room that ends in nothing", command(fd, &c), EFAULT);
	answers("a structure in read-only memory", ioctl(fd, IHSM_IOC_COMMAND, map + 2 * PAGE),
		EINVAL);
	munmap(map, 32 * PAGE);
	works(fd, "memory that is not there");
}

/* What is in a message is the device's affair: rubbish is answered with a status. */
static void rubbish(int fd)
{
	static unsigned char request[60000];
	struct ihsm_command c = good_command();
	unsigned int lengths[] = { 1, 23, 24, 25, 4000, 4096, 4097, 60000 };
	bool ok = true;

	memset(request, 0xa5, sizeof(request));
	for (size_t i = 0; i < COUNT(lengths); i++) {
		c = good_command();
		c.in = (uintptr_t)request;
		c.in_len = lengths[i];
		ok &= command(fd, &c) == 0 && c.status >= IHSM_SC_INVALID_MESSAGE && c.written == 0;
	}
	point(ok, "rubbish of any length is answered with a status", "another");
	c = good_command();
	c.out_len = 8;
	answers("too little room for the response", command(fd, &c), 0);
	point(c.status == IHSM_SC_TOO_SMALL && !c.written, "... and the device says so",
	      "another status");
	works(fd, "rubbish");
}

/* ---- memory that changes during the call ---- */

static volatile bool stop;

static void *flip(void *arg)
{
	struct ihsm_command *c = arg;

	while (!stop) {
		c->in_len ^= 0x7fffff00;
		c->out ^= 0xffff000000000000;
		c->size ^= 0xfffff000;
		c->time_class ^= 0xff;
	}
	return NULL;
}

static void *remap(void *map)
{
	void *again = map;

	while (!stop && again == map) {
		munmap(map, 8 * PAGE);
		again = mmap(map, 8 * PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	}
	return NULL;
}

/* Each call ends with an answer or an error that the interface knows. */
static bool known(int ret)
{
	return !ret || errno == EINVAL || errno == EFAULT || errno == EMSGSIZE || errno == E2BIG;
}

static void changing(int fd)
{
	struct ihsm_command c = good_command();
	pthread_t thread;
	bool ok = true;

	stop = false;
	pthread_create(&thread, NULL, flip, &c);
	for (int i = 0; i < 3000; i++)
		ok &= known(command(fd, &c));
	stop = true;
	pthread_join(thread, NULL);
	point(ok, "a structure that changes during the call", strerror(errno));
	works(fd, "that");
}

static void vanishing(int fd)
{
	void *map = pages(8);
	pthread_t thread;
	bool ok = true;

	stop = false;
	pthread_create(&thread, NULL, remap, map);
	for (int i = 0; i < 1000; i++) {
		struct ihsm_command c = good_command();

		c.in = (uintptr_t)map;
		c.in_len = 8 * PAGE;
		c.out = (uintptr_t)map;
		c.out_len = 8 * PAGE;
		ok &= known(command(fd, &c));
	}
	stop = true;
	pthread_join(thread, NULL);
	munmap(map, 8 * PAGE);
	point(ok, "buffers that are unmapped during the call", strerror(errno));
	works(fd, "that");
}

/* ---- contexts ---- */

static struct ihsm_info info_of(int fd)
{
	struct ihsm_info info = { .size = sizeof(info) };

	if (ioctl(fd, IHSM_IOC_INFO, &info))
		memset(&info, 0, sizeof(info));
	return info;
}

static void contexts(int fd)
{
	struct ihsm_reset reset = { .size = sizeof(reset) };
	struct ihsm_command c = good_command();
	int other = open(device, O_RDWR | O_CLOEXEC), later;
	struct ihsm_info mine = info_of(fd), others = info_of(other), after;

	point(mine.context && others.context && mine.context != others.context,
	      "each opener has a context of its own", "the same");
	point(mine.abi >= 1 && mine.state == IHSM_DRIVER_LIVE && mine.max_message > PAGE,
	      "the driver's figures", "odd");
	answers("a reset", ioctl(other, IHSM_IOC_RESET, &reset), 0);
	answers("a command in a context of before the reset", command(fd, &c), ESTALE);
	answers("also of who asked for it", command(other, &c), ESTALE);
	later = open(device, O_RDWR | O_CLOEXEC);
	after = info_of(later);
	point(after.epoch != mine.epoch && after.context != mine.context &&
		      after.context != others.context,
	      "there is another epoch, and no context comes back", "the same");
	works(later, "a reset");
	close(later);
	close(other);
}

/* Far more openers than the device has contexts for, one after the other and at a time */
static void openers(void)
{
	static int fds[4096];
	int count = 0, error = 0;
	bool ok = true;

	for (int i = 0; i < 300; i++) {
		int fd = open(device, O_RDWR | O_CLOEXEC);

		ok &= fd >= 0;
		close(fd);
	}
	point(ok, "hundreds of openers, one after the other", strerror(errno));
	while (count < (int)COUNT(fds) && (fds[count] = open(device, O_RDWR | O_CLOEXEC)) >= 0)
		count++;
	error = errno;
	point(count >= 16, "many at a time", strerror(error));
	point(count == (int)COUNT(fds) || error == EMFILE || error == ENFILE || error == EBUSY ||
		      error == ENOSPC || error == EAGAIN || error == EUSERS,
	      "one too many is told so", strerror(error));
	works(fds[0], "that");
	while (count--)
		close(fds[count]);
}

/* A descriptor that another process still has is the same context; with the last, it goes. */
static void passed_on(void)
{
	int fd = open(device, O_RDWR | O_CLOEXEC), status;
	struct ihsm_command c = good_command();
	pid_t pid = fork();

	if (pid == 0) {
		struct ihsm_command own = good_command();

		_exit(command(fd, &own) || own.status ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	point(WIFEXITED(status) && !WEXITSTATUS(status), "a child uses its parent's descriptor",
	      "it cannot");
	answers("the parent goes on after the child's end", command(fd, &c), 0);
	close(fd);
}

int main(void)
{
	int fd = open(device, O_RDWR | O_CLOEXEC);

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (fd < 0) {
		perror(device);
		return 1;
	}
	works(fd, "opening");
	fields_out_of_range(fd);
	longer_structures(fd);
	polling(fd);
	numbers(fd);
	rights(fd);
	memory(fd);
	rubbish(fd);
	changing(fd);
	vanishing(fd);
	passed_on();
	contexts(fd);
	close(fd);
	openers();
	printf("1..%u\n", points);
	return failed != 0;
}
