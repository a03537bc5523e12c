// SPDX-License-Identifier: Apache-2.0
/*
 * failnth [OPERATION...]: in a guest of the debug kernel, every allocation and every copy from or to a
 * program's memory that the driver makes fails once. For each operation the n-th fails, n = 1, 2, ...
 * until one runs without a failure (/proc/self/fail-nth); what runs in the kernel's own threads meets
 * failures by chance. Each operation ends well or with an error that it may have, the device works
 * afterwards, and kmemleak finds nothing. Runs as root and speaks TAP; lines "site" name the places in
 * the driver that were met.
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

#define LARGE	  60000
#define MOST	  4000 /* no operation has as many places */
#define LEAK_AGE  6 /* seconds: kmemleak looks at nothing younger than five */
#define BY_CHANCE 60 /* rounds of what fails by chance */
#define PATIENCE  300 /* tenths of a second until something that was started has ended */

#define DEBUG	 "/sys/kernel/debug/"
#define DRIVER	 "/sys/bus/pci/drivers/ihsm/"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static unsigned int points, failed;
static char address[32]; /* of the PCI function */
static char node[64];  /* /dev/ihsmN */
static char class_dir[64]; /* /sys/class/ihsm/ihsmN */
static int fail_fd, kmsg_fd;

static void point(bool ok, const char *name)
{
	printf("%sok %u - %s\n", ok ? "" : "not ", ++points, name);
	fflush(stdout);
	failed += !ok;
}

/* ---- files ---- */

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		error = errno;
	close(fd);
	return error;
}

static ssize_t get(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = read(fd, text, room - 1);
	if (len < 0)
		len = -errno;
	text[len > 0 ? len : 0] = 0;
	close(fd);
	return len;
}

static void pause_ms(unsigned int ms)
{
	usleep(ms * 1000);
}

/* ---- where failures are wanted: in what the driver calls ---- */

static const char *const attributes[] = { "failslab", "fail_page_alloc", "fail_usercopy" };

static void set_all(const char *name, const char *value)
{
	char path[128];

	for (unsigned int i = 0; i < COUNT(attributes); i++) {
		snprintf(path, sizeof(path), DEBUG "%s/%s", attributes[i], name);
		put(path, value);
	}
}

static void set_range(const char *what, unsigned long from, unsigned long to)
{
	char name[32], value[32];

	snprintf(name, sizeof(name), "%s-start", what);
	snprintf(value, sizeof(value), "%#lx", from);
	set_all(name, value);
	snprintf(name, sizeof(name), "%s-end", what);
	snprintf(value, sizeof(value), "%#lx", to);
	set_all(name, value);
}

/*
 * Only calls with a function of the driver on the stack count. Checks of DMA switch themselves off
 * when they have no memory, so theirs do not.
 */
static void aim(void)
{
	unsigned long first = ~0UL, last = 0, checks = ~0UL, checks_end = 0, at;
	char line[512], name[128];
	FILE *symbols = fopen("/proc/kallsyms", "re");
	char type;

	while (symbols && fgets(line, sizeof(line), symbols)) {
		if (sscanf(line, "%lx %c %127s", &at, &type, name) != 3 || (type | 32) != 't')
			continue;
		if (strstr(line, "[ihsm]")) {
			first = at < first ? at : first;
			last = at > last ? at : last;
		}
		/* Parts that the compiler has put elsewhere have a dot. */
		if (!strchr(name, '.') && !strncmp(name, "debug_dma_", 10)) {
			checks = at < checks ? at : checks;
			checks_end = at > checks_end ? at : checks_end;
		}
	}
	if (symbols)
		fclose(symbols);
	set_range("require", first, last + 4096);
	set_range("reject", checks, checks_end + 1);
}

/* While the module is loaded its addresses are not known, but who calls it is. */
static void aim_at_loading(void)
{
	unsigned long start = 0, end = ~0UL, at;
	char line[512], name[128];
	FILE *symbols = fopen("/proc/kallsyms", "re");
	char type;

	while (symbols && fgets(line, sizeof(line), symbols)) {
		if (sscanf(line, "%lx %c %127s", &at, &type, name) != 3)
			continue;
		if (!strcmp(name, "do_one_initcall"))
			start = at;
		else if (start && at > start && at < end)
			end = at;
	}
	if (symbols)
		fclose(symbols);
	set_range("require", start, end);
}

static void prepare_injection(void)
{
	put(DEBUG "failslab/ignore-gfp-wait", "N");
	put(DEBUG "fail_page_alloc/ignore-gfp-wait", "N");
	put(DEBUG "fail_page_alloc/ignore-gfp-highmem", "N");
	put(DEBUG "fail_page_alloc/min-order", "0");
	set_all("stacktrace-depth", "32");
	set_all("verbose", "2");
	set_all("verbose_ratelimit_interval_ms", "0");
	set_all("probability", "0");
	set_all("times", "-1");
	aim();
}

static void fail_nth(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(fail_fd, text, (size_t)len, 0) != len)
		perror("fail-nth");
}

/* Return: whether the failure came to pass; none is wanted any more. */
static bool failure_came(void)
{
	char text[16] = "";

	if (pread(fail_fd, text, sizeof(text) - 1, 0) < 0)
		perror("fail-nth");
	fail_nth(0);
	return atoi(text) == 0;
}

/* ---- which places of the driver were met ---- */

static char sites[512][96];
static unsigned int site_count, complaints;

/* What no failure is an excuse for */
static bool complaint(const char *text)
{
	static const char *const words[] = {
		"BUG:",	      "WARNING:",	    "KASAN",
		"UBSAN",      "possible circular",  "DMA-API:",
		"ODEBUG:",    "recursive",	    "inconsistent lock",
		"refcount_t", "general protection", "blocked for more than",
		"corruption",
	};

	/* The kernel's own: files of an interrupt in /proc that could not be made are removed as well. */
	if (strstr(text, "remove_proc_entry"))
		return false;
	for (unsigned int i = 0; i < COUNT(words); i++)
		if (strstr(text, words[i]))
			return true;
	return false;
}

static void note_site(const char *site)
{
	for (unsigned int i = 0; i < site_count; i++)
		if (!strcmp(sites[i], site))
			return;
	if (site_count < COUNT(sites))
		snprintf(sites[site_count++], sizeof(sites[0]), "%s", site);
}

/* A trace's first line of the driver is the place. */
static void read_sites(void)
{
	static bool wanted;
	char line[8192], name[96];
	ssize_t len;

	while ((len = read(kmsg_fd, line, sizeof(line) - 1)) > 0 || errno == EPIPE) {
		char *text;

		if (len < 0)
			continue;
		line[len] = 0;
		text = strchr(line, ';');
		if (!text)
			continue;
		if (complaint(text)) {
			fprintf(stderr, "%s", text + 1);
			complaints++;
		}
		if (strstr(text, "FAULT_INJECTION"))
			wanted = true;
		if (!wanted || !strstr(text, "[ihsm]") || strstr(text, " ? "))
			continue;
		if (sscanf(text + 1, " %95[^ /]", name) == 1)
			note_site(name);
		wanted = false;
	}
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

static unsigned char request[LARGE], response[LARGE];

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
	return open_fd() && !io_uring_queue_init(8, &ring, 0);
}

static void close_ring(void)
{
	io_uring_queue_exit(&ring);
	close_fd();
}

static int by_ring(struct ihsm_command *command)
{
	struct ihsm_uring entry = { .command = (uintptr_t)command };
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	struct io_uring_cqe *cqe;
	int error;

	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, fd, NULL, 0, 0);
	sqe->cmd_op = IHSM_IOC_COMMAND;
	memcpy(sqe->cmd, &entry, sizeof(entry));
	error = -io_uring_submit_and_wait(&ring, 1);
	if (error > 0)
		return error;
	if (io_uring_wait_cqe(&ring, &cqe))
		return EIO;
	error = -cqe->res;
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

/* ---- one operation after the other ---- */

struct operation {
	const char *name;
	bool (*before)(void);
	int (*run)(void);
	void (*after)(void);
	int errors[6]; /* that it may have, beside ENOMEM */
	enum {
		EACH,
		NONE,
		CHANCE
	} how; /* NONE: there is nothing that could fail */
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
	{ "reset-work", bound, reset_by_work, NULL, { ENODEV }, CHANCE },
	{ "upload-work", bound, upload, NULL, { EFAULT, ENODEV, ENOENT, EBUSY }, CHANCE },
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

/* Return: whether a failure came. */
static bool once(const struct operation *op, unsigned int n, int *error)
{
	char left[16] = "";
	bool came;

	if (op->how == CHANCE) {
		set_all("times", "1");
		set_all("probability", "20");
		*error = op->run();
		set_all("probability", "0");
		came = get(DEBUG "failslab/times", left, sizeof(left)) > 0 && atoi(left) == 0;
		set_all("times", "-1");
	} else {
		fail_nth(n);
		*error = op->run();
		came = failure_came();
	}
	read_sites();
	if (op->after)
		op->after();
	return came;
}

static void try(const struct operation *op)
{
	unsigned int most = op->how == CHANCE ? BY_CHANCE : MOST;
	unsigned int wrong = 0, errors = 0, failures = 0, n, before = site_count;
	char name[128];
	bool came = true;
	int error;

	for (n = 1; n <= most && (came || op->how == CHANCE); n++) {
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
	point(!wrong && (op->how == CHANCE || !came) && (failures || op->how == NONE), name);
	snprintf(name, sizeof(name), "%s: the device works afterwards", op->name);
	point(bound() && answers(), name);
	snprintf(name, sizeof(name), "%s: nothing leaks", op->name);
	point(clean_of_leaks(op->name), name);
}

static bool wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc < 2;
}

int main(int argc, char **argv)
{
	char link[256] = "";

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
	for (unsigned int i = 0; i < COUNT(operations); i++)
		if (wanted(operations[i].name, argc, argv))
			try(&operations[i]);
	point(!complaints, "the kernel complained of nothing");
	for (unsigned int i = 0; i < site_count; i++)
		printf("# site %s\n", sites[i]);
	printf("1..%u\n", points);
	return failed != 0;
}
