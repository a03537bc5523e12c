// SPDX-License-Identifier: Apache-2.0
/*
 * failnth [STRIDE] [OPERATION...] or failnth places OPERATION...: in a guest of the debug kernel, every
 * allocation and every copy from or to a program's memory that the driver makes fails once. For each
 * operation the n-th fails, n = 1, 2, ... until one runs without a failure (/proc/self/fail-nth); with a
 * stride only one in so many of what comes after the first FIRST. Of what runs in the kernel's own threads
 * one of so many fails. What is counted is not the same each time, so that in the end each place that
 * was not met is aimed at by itself, through one operation after the other; with "places" only
 * that is done. Each operation ends well or with an error that it may have, the device works afterwards,
 * and kmemleak finds nothing. Runs as root and speaks TAP; lines "site" name the places in the driver that
 * were met.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <liburing.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <hsm/wire.h>
#include <linux/ihsm.h>
#include <linux/ihsm_hw.h>
#include <linux/pci_regs.h>

#include "inject.h"

#define LARGE	 60000
#define FIRST	 40
#define MOST	 4000 /* no operation has as many places */
#define ROUNDS	 16   /* of what runs in threads of the kernel */
#define LEAK_AGE 6 /* seconds: kmemleak looks at nothing younger than five */
#define PATIENCE 300 /* tenths of a second until something that was started has ended */
#define LATE	 20 /* tenths of a second that a thread of the kernel may still be at it */

#define DRIVER "/sys/bus/pci/drivers/ihsm/"

static unsigned int points, failed, stride = 1;
static char address[32]; /* of the PCI function */
static char node[64];  /* /dev/ihsmN */
static char class_dir[64]; /* /sys/class/ihsm/ihsmN */

static void point(bool ok, const char *name)
{
	printf("%sok %u - %s\n", ok ? "" : "not ", ++points, name);
	fflush(stdout);
	failed += !ok;
}

/* ---- the device ---- */

static bool find_device(void)
{
	char pattern[128];
	glob_t found;
	bool there;

	snprintf(pattern, sizeof(pattern), "/sys/bus/pci/devices/%s/ihsm/ihsm*", address);
	there = !glob(pattern, 0, NULL, &found);
	if (there) {
		const char *name = strrchr(found.gl_pathv[0], '/') + 1;

		snprintf(node, sizeof(node), "/dev/%.32s", name);
		snprintf(class_dir, sizeof(class_dir), "/sys/class/ihsm/%.32s", name);
	}
	globfree(&found);
	return there;
}

static const struct hsm_message_header discover = {
	.version = HSM_PROTOCOL_VERSION,
	.kind = HSM_MESSAGE_DISCOVER,
};

static unsigned char request[LARGE] __attribute__((aligned(4096)));
static unsigned char response[LARGE] __attribute__((aligned(4096)));

static struct ihsm_command small_command(void)
{
	memcpy(request, &discover, sizeof(discover));
	return (struct ihsm_command){
		.size = sizeof(struct ihsm_command),
		.in = (uintptr_t)request,
		.in_len = sizeof(discover),
		.out = (uintptr_t)response,
		.out_len = 4096,
	};
}

/* The answer to a message of that length is that it makes no sense, which is an answer. */
static struct ihsm_command large_command(void)
{
	struct ihsm_command command = small_command();

	/* To pin pages that are not there yet takes memory. */
	madvise(response, LARGE - LARGE % 4096, MADV_DONTNEED);
	command.in_len = LARGE;
	command.out_len = LARGE;
	return command;
}

static bool answers(void)
{
	struct ihsm_command command = small_command();
	int fd = find_device() ? open(node, O_RDWR | O_CLOEXEC) : -1;
	bool good = fd >= 0 && !ioctl(fd, IHSM_IOC_COMMAND, &command) &&
		    command.status == IHSM_SC_SUCCESS;

	if (fd >= 0)
		close(fd);
	return good;
}

static bool bind_device(void)
{
	if (!find_device())
		put(DRIVER "bind", address);
	return find_device();
}

/* ---- operations; each returns 0 or an errno ---- */

static int fd = -1;
static struct io_uring ring;

static bool open_fd(void)
{
	if (fd < 0 && find_device())
		fd = open(node, O_RDWR | O_CLOEXEC);
	return fd >= 0;
}

static void close_fd(void)
{
	if (fd >= 0)
		close(fd);
	fd = -1;
}

static int do_open(void)
{
	fd = open(node, O_RDWR | O_CLOEXEC);
	return fd < 0 ? errno : 0;
}

static int do_close(void)
{
	int error = close(fd) ? errno : 0;

	fd = -1;
	return error;
}

static int do_info(void)
{
	struct ihsm_info info = {
		.size = sizeof(info),
		.identify = (uintptr_t)response,
		.identify_len = 4096,
	};

	return ioctl(fd, IHSM_IOC_INFO, &info) ? errno : 0;
}

static int do_small(void)
{
	struct ihsm_command command = small_command();

	return ioctl(fd, IHSM_IOC_COMMAND, &command) ? errno : 0;
}

static int do_large(void)
{
	struct ihsm_command command = large_command();

	return ioctl(fd, IHSM_IOC_COMMAND, &command) ? errno : 0;
}

static int do_events(void)
{
	struct ihsm_events events = { .size = sizeof(events) };

	return ioctl(fd, IHSM_IOC_EVENTS, &events) ? errno : 0;
}

static int do_reset(void)
{
	struct ihsm_reset reset = { .size = sizeof(reset) };

	return ioctl(fd, IHSM_IOC_RESET, &reset) ? errno : 0;
}

/* What the file does not have */
static int do_others(void)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	void *map;
	char byte;

	if (poll(&wait, 1, 0) < 0)
		return errno;
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED)
		/* cppcheck-suppress nullPointerOutOfMemory */
		return munmap(map, 4096) ? errno : EEXIST;
	return errno == ENODEV && read(fd, &byte, 1) < 0 ? 0 : EEXIST;
}

static bool open_ring(void)
{
	return open_fd() && !io_uring_queue_init(8, &ring, IORING_SETUP_SQE128);
}

static void close_ring(void)
{
	io_uring_queue_exit(&ring);
	close_fd();
}

static int by_ring(const struct ihsm_command *command)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	struct io_uring_cqe *cqe;
	int error;

	if (!sqe)
		return EIO;
	memset(sqe, 0, 2 * sizeof(*sqe));
	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, fd, NULL, 0, 0);
	sqe->cmd_op = IHSM_IOC_COMMAND;
	memcpy(sqe->cmd, command, sizeof(*command));
	error = -io_uring_submit_and_wait(&ring, 1);
	if (error > 0)
		return error;
	if (io_uring_wait_cqe(&ring, &cqe))
		return EIO;
	error = cqe->res < 0 ? -cqe->res : 0;
	io_uring_cqe_seen(&ring, cqe);
	return error;
}

static int do_ring_small(void)
{
	struct ihsm_command command = small_command();

	return by_ring(&command);
}

static int do_ring_large(void)
{
	struct ihsm_command command = large_command();

	return by_ring(&command);
}

static int do_sysfs(void)
{
	char pattern[128], text[4096];
	ssize_t len = 0;
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/*", class_dir);
	if (glob(pattern, 0, NULL, &found))
		return ENOENT;
	for (size_t i = 0; i < found.gl_pathc && len >= 0; i++) {
		len = get(found.gl_pathv[i], text, sizeof(text));
		/* A directory, and what is only written */
		if (len == -EISDIR || len == -EIO || len == -EACCES)
			len = 0;
	}
	globfree(&found);
	return len < 0 ? (int)-len : 0;
}

static int do_sysfs_reset(void)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/reset", class_dir);
	return put(path, "1");
}

static int do_function_reset(void)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/reset", address);
	return put(path, "1");
}

static int do_random(void)
{
	char bytes[64];
	ssize_t len = get("/dev/hwrng", bytes, sizeof(bytes));

	return len < 0 ? (int)-len : 0;
}

static int do_bind(void)
{
	return put(DRIVER "bind", address);
}

static int do_unbind(void)
{
	return put(DRIVER "unbind", address);
}

static bool unbound(void)
{
	if (find_device())
		put(DRIVER "unbind", address);
	return !find_device();
}

static bool wait_live(void)
{
	char path[96], text[64] = "";

	snprintf(path, sizeof(path), "%s/state", class_dir);
	for (unsigned int i = 0; i < PATIENCE && strcmp(text, "live\n"); i++) {
		if (i)
			pause_ms(100);
		if (!find_device() || get(path, text, sizeof(text)) < 0)
			return false;
		if (!strcmp(text, "dead\n"))
			return false;
	}
	return !strcmp(text, "live\n");
}

/* One that died of a failure is bound again. */
static bool bound(void)
{
	if (bind_device() && wait_live())
		return true;
	unbound();
	return bind_device() && wait_live();
}

static bool bound_and_open(void)
{
	return bound() && open_fd();
}

/* ---- the module itself; no device is probed with it ---- */

static bool unloaded(void)
{
	put("/sys/bus/pci/drivers_autoprobe", "0");
	/* Where images are taken, a bound device keeps the module. */
	unbound();
	syscall(SYS_delete_module, "ihsm", 0);
	aim_at_loading();
	return access("/sys/module/ihsm", F_OK);
}

static int do_load(void)
{
	int file = open(getenv("VM_MODULE"), O_RDONLY | O_CLOEXEC);
	int error = syscall(SYS_finit_module, file, "", 0) ? errno : 0;

	close(file);
	return error;
}

static void loaded(void)
{
	do_load();
	put("/sys/bus/pci/drivers_autoprobe", "1");
	aim();
}

/* ---- what runs in threads of the kernel ---- */

static int upload(void)
{
	static const char *const names[] = { "loading", "data", "loading" };
	char dir[96], path[128], text[64];
	int error = 0;

	snprintf(dir, sizeof(dir), "/sys/class/firmware/%s", strrchr(node, '/') + 1);
	for (unsigned int i = 0; i < COUNT(names) && !error; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		error = put(path, i == 0 ? "1" : i == 1 ? "not an image" : "0");
	}
	if (error)
		return error;
	snprintf(path, sizeof(path), "%s/status", dir);
	for (unsigned int i = 0; i < PATIENCE; i++) {
		if (get(path, text, sizeof(text)) < 0 || !strcmp(text, "idle\n"))
			return 0;
		pause_ms(100);
	}
	return ETIMEDOUT;
}

static int reset_by_work(void)
{
	int error = do_sysfs_reset();

	wait_live();
	return error;
}

static unsigned long epoch(void)
{
	char path[96], text[32] = "";

	snprintf(path, sizeof(path), "%s/epoch", class_dir);
	get(path, text, sizeof(text));
	return strtoul(text, NULL, 10);
}

/* A doorbell that cannot be is fatal to the controller; the driver finds out and starts it again. */
static int crash(void)
{
	unsigned long before = epoch();
	volatile uint32_t *bell;
	char path[96];
	uint8_t *map;
	int file;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource0", address);
	file = open(path, O_RDWR | O_CLOEXEC);
	map = mmap(NULL, IHSM_DOORBELL_OFFSET + 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	close(file);
	if (!map || map == MAP_FAILED)
		return errno;
	bell = (volatile uint32_t *)(map + IHSM_DOORBELL_SQ(0));
	*bell = 0x7fffffff;
	munmap(map, IHSM_DOORBELL_OFFSET + 4096);
	for (unsigned int i = 0; i < PATIENCE && epoch() == before && find_device(); i++)
		pause_ms(100);
	wait_live();
	return 0;
}

/* devcoredump keeps one of a device, and makes no other meanwhile. */
static bool without_dump(void)
{
	glob_t found;

	if (!glob("/sys/class/devcoredump/devcd*/data", 0, NULL, &found))
		for (size_t i = 0; i < found.gl_pathc; i++)
			put(found.gl_pathv[i], "1");
	globfree(&found);
	return bound_and_open();
}

/* Nothing that the driver wants is there, as often as it tries. */
static int die(void)
{
	int error;

	set_all("probability", "100");
	error = do_sysfs_reset();
	set_all("probability", "0");
	return error;
}

/* Registers read all ones from now on: somebody has switched them off. Binding switches them on. */
static int vanish(void)
{
	static const uint16_t off;
	char path[96];
	int file, error = 0;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", address);
	file = open(path, O_RDWR | O_CLOEXEC);
	if (file < 0 || pwrite(file, &off, sizeof(off), PCI_COMMAND) != sizeof(off))
		error = EIO;
	close(file);
	return error ? error : do_sysfs_reset();
}

/* Something happens to the partition, and the driver is told. */
static int event(void)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	do_events();
	fflush(stdout);
	if (system("host event") || poll(&wait, 1, PATIENCE * 100) < 0)
		return EIO;
	return 0;
}

/* ---- one operation after the other ---- */

struct operation {
	const char *name;
	bool (*before)(void);
	int (*run)(void);
	void (*after)(void);
	int errors[6]; /* that it may have, beside ENOMEM */
	enum {
		EACH,
		NONE, /* there is nothing that could fail */
		WORKERS, /* it fails in threads of the kernel */
		ALL, /* all fails at a time, once */
		AIMED, /* only for places that were not met */
		ASKED, /* the same, and only when it is named: somebody outside must help */
	} how;
};

static const struct operation operations[] = {
	{ "open", bound, do_open, close_fd, { EFAULT }, EACH },
	{ "close", bound_and_open, do_close, close_fd, { 0 }, NONE },
	{ "info", bound_and_open, do_info, NULL, { EFAULT }, EACH },
	{ "command", bound_and_open, do_small, NULL, { EFAULT }, EACH },
	{ "large-command", bound_and_open, do_large, NULL, { EFAULT }, EACH },
	{ "events", bound_and_open, do_events, NULL, { EFAULT }, EACH },
	{ "others", bound_and_open, do_others, NULL, { 0 }, NONE },
	{ "reset", bound_and_open, do_reset, close_fd, { EFAULT, ENODEV }, EACH },
	{ "ring-command", open_ring, do_ring_small, close_ring, { EFAULT }, EACH },
	{ "ring-large-command", open_ring, do_ring_large, close_ring, { EFAULT }, EACH },
	{ "sysfs-read", bound, do_sysfs, NULL, { 0 }, NONE },
	{ "sysfs-reset", bound, do_sysfs_reset, NULL, { ENODEV }, NONE },
	{ "random", bound, do_random, NULL, { ENODEV, EIO }, EACH },
	{ "function-reset", bound, do_function_reset, NULL, { ENOTTY, EAGAIN }, EACH },
	{ "unbind", bound, do_unbind, NULL, { 0 }, EACH },
	{ "bind", unbound, do_bind, NULL, { ENODEV, ENOSPC, EIO, EBUSY }, EACH },
	{ "load", unloaded, do_load, loaded, { EINVAL }, EACH },
	{ "upload", bound, upload, NULL, { EFAULT, ENODEV, ENOENT, EBUSY }, NONE },
	{ "reset-work", bound, reset_by_work, NULL, { ENODEV }, WORKERS },
	{ "crash-work", without_dump, crash, close_fd, { ENODEV }, WORKERS },
	{ "upload-work", bound, upload, NULL, { EFAULT, ENODEV, ENOENT, EBUSY }, WORKERS },
	{ "death", bound, die, NULL, { ENODEV }, ALL },
	{ "vanish", bound, vanish, NULL, { ENODEV }, AIMED },
	{ "event", bound_and_open, event, close_fd, { 0 }, ASKED },
};

static bool may(const struct operation *op, int error)
{
	if (!error || error == ENOMEM)
		return true;
	for (unsigned int i = 0; i < COUNT(op->errors); i++)
		if (op->errors[i] == error)
			return true;
	return false;
}

static bool clean_of_leaks(const char *name)
{
	char text[4096] = "";

	/* The first look only takes note of what there is. */
	sleep(LEAK_AGE);
	put(DEBUG "kmemleak", "scan");
	put(DEBUG "kmemleak", "scan");
	if (get(DEBUG "kmemleak", text, sizeof(text)) <= 0)
		return true;
	fprintf(stderr, "%s: %s\n", name, text);
	put(DEBUG "kmemleak", "clear");
	return false;
}

static void end_of(const struct operation *op)
{
	char name[128];

	snprintf(name, sizeof(name), "%s: the device works afterwards", op->name);
	point(bound() && answers(), name);
	snprintf(name, sizeof(name), "%s: nothing leaks", op->name);
	point(clean_of_leaks(op->name), name);
}

static bool in_workers(const struct operation *op)
{
	return op->how == WORKERS;
}

/* Return: whether a failure came. */
static bool once(const struct operation *op, unsigned int n, int *error)
{
	bool came = true;

	if (in_workers(op))
		one_in_calls(n);
	else if (op->how != ALL)
		fail_nth(n);
	*error = op->run();
	if (in_workers(op))
		no_calls();
	else if (op->how != ALL)
		came = failure_came();
	if (!read_sites() && in_workers(op))
		came = false;
	if (op->after)
		op->after();
	return came;
}

static void try(const struct operation *op)
{
	unsigned int most = op->how == ALL ? 1 : in_workers(op) ? ROUNDS : MOST;
	unsigned int wrong = 0, errors = 0, failures = 0, n, before = site_count;
	char name[128];
	bool came = true;
	int error;

	for (n = 1; n <= most && (came || in_workers(op)); n += n < FIRST ? 1 : stride) {
		if (op->before && !op->before()) {
			printf("# %s, %u: the device is not there\n", op->name, n);
			wrong++;
			break;
		}
		came = once(op, n, &error);
		failures += came;
		errors += !!error;
		if (may(op, error))
			continue;
		printf("# %s, %u: %s\n", op->name, n, strerror(error));
		wrong++;
	}
	close_fd();
	snprintf(name, sizeof(name), "%s: %u failures, %u errors, %u new places", op->name,
		 failures, errors, site_count - before);
	point(!wrong && (op->how == ALL || in_workers(op) || !came) &&
		      (failures || op->how == NONE),
	      name);
	end_of(op);
}

/* What fails in a thread of the kernel may come after all that the operation waits for. */
static void wait_spent(const struct operation *op)
{
	unsigned int tenths = op->how == EACH ? 0 : LATE;

	for (unsigned int i = 0; i < tenths && !spent(); i++)
		pause_ms(100);
}

/* Return: whether the place was met by this operation, and its error is one that it may have. */
static bool try_at(const struct operation *op, const char *site)
{
	int error;

	if (op->before && !op->before())
		return false;
	if (!aim_at(site)) {
		aim();
		return false;
	}
	one_in_calls(1);
	error = op->run();
	wait_spent(op);
	/* Not every failure leaves a trace in the log: who asked for memory may not want that. */
	if (spent())
		note_site(site);
	no_calls();
	read_sites();
	aim();
	if (op->after)
		op->after();
	if (!may(op, error))
		printf("# %s at %s: %s\n", op->name, site, strerror(error));
	return met(site) && may(op, error);
}

static bool wanted(const struct operation *op, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], op->name))
			return true;
	return argc < 2 && op->how != ASKED;
}

/* The places, as the module has them, come from outside. */
static void sweep(int argc, char **argv)
{
	char path[128], line[128], site[96], name[128];
	FILE *list;

	snprintf(path, sizeof(path), "%s/places", getenv("VM_SHARE"));
	list = fopen(path, "re");
	if (!list)
		point(false, "the list of places is there");
	while (list && fgets(line, sizeof(line), list)) {
		if (sscanf(line, "%95s", site) != 1)
			continue;
		for (unsigned int i = 0; i < COUNT(operations) && !met(site); i++) {
			const struct operation *op = &operations[i];

			if (wanted(op, argc, argv) && op->run != do_load && op->how != ALL &&
			    try_at(op, site))
				printf("# aimed at %s in %s\n", site, op->name);
		}
		snprintf(name, sizeof(name), "%s has failed", site);
		point(met(site), name);
	}
	if (list)
		fclose(list);
	point(bound() && answers(), "the device works after all of them");
	point(clean_of_leaks("places"), "nothing of them leaks");
}

int main(int argc, char **argv)
{
	bool each = true, places;
	char link[256] = "";

	if (argc > 1 && (atoi(argv[1]) > 0 || !strcmp(argv[1], "places"))) {
		stride = (unsigned int)atoi(argv[1]);
		each = stride;
		argc--;
		argv++;
	}
	places = !each || argc < 2;
	if (readlink("/sys/class/ihsm/ihsm0/device", link, sizeof(link) - 1) < 0)
		return 2;
	snprintf(address, sizeof(address), "%.31s", strrchr(link, '/') + 1);
	fail_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	kmsg_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fail_fd < 0 || kmsg_fd < 0) {
		perror("fail-nth");
		return 2;
	}
	lseek(kmsg_fd, 0, SEEK_END);
	prepare_injection();
	put(DEBUG "kmemleak", "clear");
	for (unsigned int i = 0; each && i < COUNT(operations); i++)
		if (operations[i].how < AIMED && wanted(&operations[i], argc, argv))
			try(&operations[i]);
	if (places)
		sweep(argc, argv);
	point(!complaints, "the kernel complained of nothing");
	for (unsigned int i = 0; i < site_count; i++)
		printf("# site %s\n", sites[i]);
	printf("1..%u\n", points);
	return failed != 0;
}
