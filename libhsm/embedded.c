// SPDX-License-Identifier: Apache-2.0
/*
 * The embedded default: `vhsm:DIR` is a board of the user's own, started when it is needed. It is
 * started as if nobody had: no environment, descriptor, signal state or child of the application
 * is shared.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "hsm-paths.h"
#include "heap.h"
#include "transport.h"

#define READY_FD   3
#define READY_MS   30000 /* a board that takes longer to start has failed */
#define BUSY_TRIES 200 /* of 25 ms: another starter was faster, its board comes up */
#define LINE_SIZE  256

/* ---- the program ---- */

static bool is_program(const char *path)
{
	struct stat st;

	return path[0] == '/' && stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       access(path, X_OK) == 0;
}

/* Beside this library as in the build tree, or ../bin of where it is installed */
static bool beside_library(char path[PATH_MAX])
{
	static const char *const places[] = { "vhsm", "../bin/vhsm", "../../bin/vhsm" };
	char own[PATH_MAX];
	Dl_info info;
	char *slash;

	if (!dladdr((void *)(uintptr_t)beside_library, &info) || !info.dli_fname ||
	    !realpath(info.dli_fname, own))
		return false;
	slash = strrchr(own, '/');
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		int n = snprintf(path, PATH_MAX, "%.*s/%s", (int)(slash - own), own, places[i]);

		if (n < PATH_MAX && is_program(path))
			return true;
	}
	return false;
}

static int find_program(char path[PATH_MAX], struct hsm_error *error)
{
	const char *named = secure_getenv("HSM_VHSM");

	if (named && *named) {
		if (strlen(named) < PATH_MAX && is_program(named)) {
			strcpy(path, named);
			return 0;
		}
		return set_error(error, -EINVAL, HSM_LAYER_CONFIG,
				 "HSM_VHSM is not the absolute path of a program: %.150s", named);
	}
	if (beside_library(path))
		return 0;
	strcpy(path, HSM_BINDIR "/vhsm");
	if (is_program(path))
		return 0;
	return set_error(error, -ENODEV, HSM_LAYER_CONFIG,
			 "the program vhsm is not installed; set HSM_VHSM to its path");
}

/* ---- starting it ---- */

/*
 * Everything that the new process needs is made before it exists: after that only system calls
 * are safe.
 */
struct launch {
	char program[PATH_MAX];
	char state[NAME_PATH_MAX];
	char *argv[8];
	char *envp[6];
	int ready;
	int null;
};

static void pass_variable(struct launch *launch, unsigned int *count, const char *name)
{
	const char *value = secure_getenv(name);

	size_t size = value ? strlen(name) + strlen(value) + 2 : 0;
	char *line = value ? malloc(size) : NULL;

	if (!line)
		return;
	snprintf(line, size, "%s=%s", name, value);
	launch->envp[(*count)++] = line;
}

static void prepare(struct launch *launch, const struct device_name *name)
{
	static char embedded[] = "--embedded", state[] = "--state", ready[] = "--ready-fd",
		    fd[] = "3";
	unsigned int i = 0;

	strcpy(launch->state, name->path);
	launch->argv[i++] = launch->program;
	launch->argv[i++] = embedded;
	launch->argv[i++] = state;
	launch->argv[i++] = launch->state;
	launch->argv[i++] = ready;
	launch->argv[i++] = fd;
	launch->argv[i] = NULL;
	i = 0;
	launch->envp[i] = heap_string("PATH=/usr/bin:/bin");
	if (launch->envp[i])
		i++;
#ifdef HSM_SANITIZED
	pass_variable(launch, &i, "ASAN_OPTIONS");
	pass_variable(launch, &i, "UBSAN_OPTIONS");
	pass_variable(launch, &i, "LSAN_OPTIONS");
#else
	(void)pass_variable;
#endif
	launch->envp[i] = NULL;
}

static void release(struct launch *launch)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(launch->envp); i++)
		free(launch->envp[i]);
	if (launch->ready >= 0)
		close(launch->ready);
	if (launch->null >= 0)
		close(launch->null);
}

/*
 * In the new process, which has this process's memory but only one of its threads. A clone
 * without a termination signal: the application sees no SIGCHLD, and its waitpid(-1) does not
 * meet this child.
 */
static pid_t bare_fork(void)
{
	return (pid_t)syscall(SYS_clone, 0UL, NULL, NULL, NULL, 0UL);
}

static void reset_signals(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		sigaction(i, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void become_board(struct launch *launch)
{
	reset_signals();
	dup2(launch->null, STDIN_FILENO);
	dup2(launch->null, STDOUT_FILENO);
	dup2(launch->null, STDERR_FILENO);
	dup2(launch->ready, READY_FD);
	syscall(SYS_close_range, READY_FD + 1, ~0U, 0);
	if (chdir("/") == 0)
		execve(launch->program, launch->argv, launch->envp);
	_exit(127);
}

/*
 * Out of the way of the numbers that the board's own descriptors get: an application may have
 * closed its 0 to 2.
 */
static int move_up(int *fd)
{
	int up = fcntl(*fd, F_DUPFD_CLOEXEC, READY_FD + 1);

	if (up < 0)
		return -errno;
	close(*fd);
	*fd = up;
	return 0;
}

static int spawn(struct launch *launch)
{
	pid_t pid = bare_fork();

	if (pid == 0) {
		setsid();
		pid = bare_fork();
		if (pid == 0)
			become_board(launch);
		_exit(pid < 0 ? 1 : 0);
	}
	if (pid < 0)
		return -errno;
	while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	return 0;
}

/* ---- waiting for it ---- */

static uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/*
 * Read the line that the board says when it is ready, or why it is not. Return: 0, -ETIMEDOUT,
 * -EPIPE for none.
 */
static int read_line(int fd, char line[LINE_SIZE])
{
	uint64_t end = clock_ms() + READY_MS;
	size_t length = 0;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		uint64_t now = clock_ms();
		ssize_t n;

		if (now >= end)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)(end - now)) <= 0)
			continue;
		n = read(fd, line + length, LINE_SIZE - 1 - length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 && length == 0)
			return -EPIPE;
		length += n > 0 ? (size_t)n : 0;
		line[length] = '\0';
		if (n <= 0 || strchr(line, '\n') || length == LINE_SIZE - 1)
			break;
	}
	line[strcspn(line, "\n")] = '\0';
	return 0;
}

static int explain(const struct device_name *name, int err, const char *line,
		   struct hsm_error *error)
{
	if (err == -ETIMEDOUT)
		return set_error(error, -ETIMEDOUT, HSM_LAYER_TRANSPORT,
				 "the virtual HSM did not start within %u s; see %.150s/vhsm.log",
				 READY_MS / 1000, name->path);
	if (err)
		return set_error(error, -ENODEV, HSM_LAYER_TRANSPORT,
				 "the virtual HSM ended while starting; see %.150s/vhsm.log",
				 name->path);
	return set_error(error, -ENODEV, HSM_LAYER_TRANSPORT, "the virtual HSM cannot start: %s",
			 strncmp(line, "error: ", 7) ? line : line + 7);
}

/* Return: 0 when a board runs now, -EBUSY when another starter was faster, or an error. */
static int start_board(const struct device_name *name, struct hsm_error *error)
{
	struct launch launch = { .ready = -1, .null = -1 };
	int pipe_fd[2] = { -1, -1 };
	char line[LINE_SIZE] = "";
	int err;

	err = find_program(launch.program, error);
	if (err)
		return err;
	prepare(&launch, name);
	launch.null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (launch.null < 0 || pipe2(pipe_fd, O_CLOEXEC) != 0) {
		err = set_errno_error(error, HSM_LAYER_SYSTEM, "starting the virtual HSM");
		goto out;
	}
	launch.ready = pipe_fd[1];
	err = move_up(&launch.ready);
	if (!err)
		err = move_up(&launch.null);
	if (!err)
		err = spawn(&launch);
	if (err) {
		errno = -err;
		set_errno_error(error, HSM_LAYER_SYSTEM, "starting the virtual HSM");
		goto out;
	}
	close(launch.ready);
	launch.ready = -1;
	err = read_line(pipe_fd[0], line);
	if (!err && strncmp(line, "busy: ", 6) == 0)
		err = -EBUSY;
	else if (err || strcmp(line, "ready"))
		err = explain(name, err, line, error);
out:
	if (pipe_fd[0] >= 0)
		close(pipe_fd[0]);
	release(&launch);
	return err;
}

/* ---- connecting ---- */

/* Only a directory that is the caller's alone is an embedded board's. */
static int check_directory(const struct device_name *name, struct hsm_error *error)
{
	struct stat st;

	if (stat(name->path, &st) != 0) {
		if (errno == ENOENT)
			return -ENOENT;
		return set_error(error, -errno, HSM_LAYER_SYSTEM, "%.150s: %s", name->path,
				 strerrordesc_np(errno));
	}
	if (!S_ISDIR(st.st_mode))
		return set_error(error, -EINVAL, HSM_LAYER_CONFIG, "%.150s is not a directory",
				 name->path);
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return set_error(
			error, -EACCES, HSM_LAYER_CONFIG,
			"%.150s must belong to the user and to nobody else (chmod 700), since keys live there",
			name->path);
	return 0;
}

static int try_connect(const struct device_name *name)
{
	char path[NAME_PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/run/fn%u.sock", name->path, name->function);
	return socket_connect(path);
}

static bool nobody_there(int err)
{
	return err == -ENOENT || err == -ECONNREFUSED;
}

/* The lock says that a board is there or comes: wait for its socket. */
static int connect_to_other(const struct device_name *name)
{
	struct timespec pause = { .tv_nsec = 25000000 };
	int fd = -ECONNREFUSED;

	for (int i = 0; i < BUSY_TRIES && nobody_there(fd); i++) {
		fd = try_connect(name);
		if (nobody_there(fd))
			nanosleep(&pause, NULL);
	}
	return fd;
}

int embedded_connect(const struct device_name *name, bool start, struct hsm_error *error)
{
	int err = check_directory(name, error);
	int fd;

	if (err && err != -ENOENT)
		return err;
	fd = err ? err : try_connect(name);
	if (nobody_there(fd) && start) {
		err = start_board(name, error);
		if (err && err != -EBUSY)
			return err;
		fd = err ? connect_to_other(name) : try_connect(name);
	}
	if (fd >= 0)
		return fd;
	if (nobody_there(fd) && start)
		return set_error(
			error, -ENODEV, HSM_LAYER_TRANSPORT,
			"the virtual HSM of %.120s runs but has no function %u; see vhsm.log there",
			name->path, name->function);
	if (nobody_there(fd))
		return set_error(error, -ENODEV, HSM_LAYER_TRANSPORT,
				 "no virtual HSM runs for %.150s", name->path);
	return set_error(error, fd, HSM_LAYER_TRANSPORT,
			 "cannot connect to the virtual HSM of %.120s: %s", name->path,
			 strerrordesc_np(-fd));
}
