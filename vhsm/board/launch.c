// SPDX-License-Identifier: Apache-2.0
/*
 * Starting a firmware process from the bundle's sealed memfds: the loader's memfd is executed with
 * the libraries preloaded from theirs, an empty environment and no descriptor but those that
 * <hsm/board.h> names. Standard input and output are /dev/null, so that their numbers are taken.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "internal.h"

#define CONTROL_BUFFER (512 * 1024)
#define SCRATCH_FD     64 /* above every target, see arrange() */

_Static_assert(BOARD_FIRST_FREE_FD + BUNDLE_MAX_FILES < SCRATCH_FD, "targets lie below");

/**
 * struct plan - all that the child needs, made before the fork: between fork and exec of a program
 * with threads only system calls are safe
 * @sources: descriptors that become 0, 1, 2, ... in this order
 */
struct plan {
	int loader;
	int sources[BOARD_FIRST_FREE_FD + BUNDLE_MAX_FILES];
	int count;
	char preload[BUNDLE_MAX_FILES * 24];
	char program[24];
	char module[8], config[8]; /* numbers of descriptors, empty outside of approved mode */
	char *argv[12];
};

/*
 * Empty, but in builds with a sanitizer: its runtime is preloaded under a name that it does not
 * know itself by, and the sandbox leaves the leak checker nothing to look with.
 */
static char *const environment[] = {
#ifdef HSM_SANITIZED
	(char *)"ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0",
#endif
	NULL
};

/* A sanitizer's runtime has to come before all else. */
static bool goes_first(const struct bundle_file *file)
{
	return strncmp(file->name, "libasan", 7) == 0 || strncmp(file->name, "libtsan", 7) == 0;
}

static void plan_library(struct plan *plan, const struct bundle_file *file)
{
	size_t length = strlen(plan->preload);

	snprintf(plan->preload + length, sizeof(plan->preload) - length, "%s/proc/self/fd/%d",
		 length ? " " : "", plan->count);
	plan->sources[plan->count++] = file->memfd;
}

static void plan_files(struct plan *plan, const struct bundle *bundle)
{
	const struct bundle_file *file;
	unsigned int i;
	int pass;

	for (pass = 0; pass < 2; pass++)
		for (i = 0; i < bundle->count; i++) {
			file = &bundle->files[i];
			if (strcmp(file->role, "library") == 0 && goes_first(file) == (pass == 0))
				plan_library(plan, file);
		}
	for (i = 0; i < bundle->count; i++) {
		file = &bundle->files[i];
		if (strcmp(file->role, "loader") == 0) {
			plan->loader = file->memfd;
		} else if (strcmp(file->role, "firmware") == 0) {
			snprintf(plan->program, sizeof(plan->program), "/proc/self/fd/%d",
				 plan->count);
			plan->sources[plan->count++] = file->memfd;
		}
	}
}

static void plan_number(struct plan *plan, const struct bundle_file *file, char number[8])
{
	snprintf(number, 8, "%d", plan->count);
	plan->sources[plan->count++] = file->memfd;
}

/* Only approved mode is given the provider: a process that does not load it needs no descriptor of it. */
static void plan_approved(struct plan *plan, const struct bundle *bundle)
{
	if (!bundle->approved)
		return;
	plan_number(plan, bundle_find(bundle, "fips-module"), plan->module);
	plan_number(plan, bundle_find(bundle, "fips-config"), plan->config);
}

static void plan_arguments(struct plan *plan)
{
	char **arg = plan->argv;

	*arg++ = (char *)"hsm-firmware";
	*arg++ = (char *)"--inhibit-cache";
	*arg++ = (char *)"--library-path";
	*arg++ = (char *)"/nonexistent";
	if (plan->preload[0]) {
		*arg++ = (char *)"--preload";
		*arg++ = plan->preload;
	}
	*arg++ = plan->program;
	if (plan->module[0]) {
		*arg++ = (char *)"approved";
		*arg++ = plan->module;
		*arg++ = plan->config;
	}
	*arg = NULL;
}

/*
 * In the child: put every source in its place. First all out of the way, then each to its target.
 */
static bool arrange(struct plan *plan)
{
	int i;

	for (i = 0; i < plan->count; i++) {
		plan->sources[i] = fcntl(plan->sources[i], F_DUPFD_CLOEXEC, SCRATCH_FD);
		if (plan->sources[i] < 0)
			return false;
	}
	plan->loader = fcntl(plan->loader, F_DUPFD_CLOEXEC, SCRATCH_FD);
	if (plan->loader < 0)
		return false;
	for (i = 0; i < plan->count; i++)
		if (dup2(plan->sources[i], i) < 0)
			return false;
	return close_range((unsigned int)plan->count, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
}

static void __attribute__((noreturn)) child(struct plan *plan)
{
	static const char failed[] = "the firmware could not be executed\n";
	sigset_t none;

	/* The board's end is the firmware's: nothing would answer its requests. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (arrange(plan))
		fexecve(plan->loader, plan->argv, environment);
	if (write(STDERR_FILENO, failed, sizeof(failed) - 1) < 0)
		_exit(126);
	_exit(127);
}

static void close_pair(int pair[2])
{
	if (pair[0] >= 0)
		close(pair[0]);
	if (pair[1] >= 0)
		close(pair[1]);
}

static int make_pair(int pair[2])
{
	int size = CONTROL_BUFFER, i;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	/*
	 * The largest message must fit whatever the system's default is; beyond the limit it is
	 * cut.
	 */
	for (i = 0; i < 2; i++)
		setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return 0;
}

static int start(struct plan *plan, struct process *process)
{
	process->pid = fork();
	if (process->pid < 0)
		return -errno;
	if (process->pid == 0)
		child(plan);
	process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
	return process->pidfd < 0 ? -errno : 0;
}

void process_kill(const struct process *process)
{
	syscall(SYS_pidfd_send_signal, process->pidfd, SIGKILL, NULL, 0);
}

int launch(const struct bundle *bundle, struct process *process)
{
	int control[2] = { -1, -1 }, storage[2] = { -1, -1 }, log[2] = { -1, -1 };
	struct plan plan = { .count = BOARD_FIRST_FREE_FD };
	int null, ret;

	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return -errno;
	ret = make_pair(control);
	if (!ret)
		ret = make_pair(storage);
	if (!ret && pipe2(log, O_CLOEXEC))
		ret = -errno;
	if (ret)
		goto fail;
	fcntl(control[0], F_SETFL, O_NONBLOCK);
	fcntl(log[0], F_SETFL, O_NONBLOCK);

	plan.sources[STDIN_FILENO] = null;
	plan.sources[STDOUT_FILENO] = null;
	plan.sources[STDERR_FILENO] = log[1];
	plan.sources[BOARD_CONTROL_FD] = control[1];
	plan.sources[BOARD_STORAGE_FD] = storage[1];
	plan_files(&plan, bundle);
	plan_approved(&plan, bundle);
	plan_arguments(&plan);
	ret = start(&plan, process);
	if (ret)
		goto fail;
	close(control[1]);
	close(storage[1]);
	close(log[1]);
	close(null);
	process->control = control[0];
	process->storage = storage[0];
	process->log = log[0];
	return 0;

fail:
	close_pair(control);
	close_pair(storage);
	close_pair(log);
	close(null);
	return ret;
}
