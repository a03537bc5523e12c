// SPDX-License-Identifier: Apache-2.0
/*
 * vhsm: from the command line to a serving board. What can be refused is refused before the sockets
 * are there, with one line that says which part, what, and what to do.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cap-ng.h>
#include "service.h"
#include "sideband.h"

/* Paths that the options leave to the board */
struct paths {
	char state[PATH_MAX];
	char fuses[PATH_MAX];
	char run[PATH_MAX];
	char log[PATH_MAX];
};

static int exit_status(int error)
{
	switch (error) {
	case 0:
		return EXIT_BOARD_OK;
	case -EBUSY:
		return EXIT_BOARD_BUSY;
	case -ESTALE:
	case -EBADMSG:
	case -EPROTONOSUPPORT:
	case -EKEYREJECTED:
		return EXIT_BOARD_RECOVERY;
	default:
		return EXIT_BOARD_FAILED;
	}
}

/* One line to whoever waits for the board: `ready`, `busy: why` or `error: why`. */
static void tell(const struct board_options *options, int code, const char *text)
{
	char line[BOARD_ERROR_MAX + 16];
	int n;

	if (code)
		n = snprintf(line, sizeof(line), "%s: %s\n", code == -EBUSY ? "busy" : "error",
			     text);
	else
		n = snprintf(line, sizeof(line), "ready\n");
	if (options->ready_fd < 0)
		return;
	/* Nobody has to read it. */
	if (write(options->ready_fd, line, (size_t)n) != n)
		board_log("--ready-fd %d: %s", options->ready_fd, strerror(errno));
	close(options->ready_fd);
}

/*
 * No core dump, no debugger, no file that others can read, and as many descriptors as there may be.
 */
static void harden(void)
{
	struct rlimit limit = { 0, 0 };

	setrlimit(RLIMIT_CORE, &limit);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	umask(077);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Sockets and files are open: from here on the owner's plain rights suffice. */
static void drop_capabilities(void)
{
	if (capng_have_capabilities(CAPNG_SELECT_CAPS) <= CAPNG_NONE)
		return;
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_apply(CAPNG_SELECT_BOTH))
		board_log("capabilities could not be dropped, going on");
}

static int resolve_paths(struct board_options *options, struct paths *paths, struct error *error)
{
	int n;

	/* Absolute, because the log, the sockets and the lock are named by it later on. */
	if (!realpath(options->state, paths->state))
		return error_set(error, -errno, "state %s: %s", options->state, strerror(errno));
	options->state = paths->state;
	n = snprintf(paths->fuses, sizeof(paths->fuses), "%s/fuses", paths->state);
	if (n < PATH_MAX)
		n = snprintf(paths->run, sizeof(paths->run), "%s/run", paths->state);
	if (n < PATH_MAX)
		n = snprintf(paths->log, sizeof(paths->log), "%s/vhsm.log", paths->state);
	if (n >= PATH_MAX)
		return error_set(error, -ENAMETOOLONG, "state %s: the path is too long",
				 options->state);
	if (options->fuses && !fuses_in_file(options->fuses) && !strstr(options->fuses, ",auth=")) {
		if (snprintf(paths->fuses, sizeof(paths->fuses), "%s,auth=%s/tpm-auth",
			     options->fuses, paths->state) >= PATH_MAX)
			return error_set(error, -ENAMETOOLONG, "fuses %s: the name is too long",
					 options->fuses);
		options->fuses = NULL;
	}
	if (!options->fuses)
		options->fuses = paths->fuses;
	if (!options->run)
		options->run = paths->run;
	if (!options->log && options->embedded)
		options->log = paths->log;
	if (options->log && strcmp(options->log, "-") == 0)
		options->log = NULL;
	return 0;
}

/* The lock comes before everything that reads or writes the state. */
static int take_directory(struct board_options *options, struct paths *paths, struct error *error)
{
	int ret;

	ret = directory_prepare(options->state, options->embedded, error);
	if (!ret)
		ret = resolve_paths(options, paths, error);
	if (!ret)
		ret = directory_lock(paths->state, error);
	if (ret < 0)
		return ret;
	return directory_prepare(options->run, false, error);
}

static int find_group(const char *name, gid_t *gid, struct error *error)
{
	const struct group *group;

	*gid = (gid_t)-1;
	if (!name)
		return 0;
	/* Before there is a second thread */
	/* cppcheck-suppress getgrnamCalled */
	group = getgrnam(name);
	if (!group)
		return error_set(error, -EINVAL, "--group %s: no such group", name);
	*gid = group->gr_gid;
	return 0;
}

static int open_state(struct board *board, const struct state_config *config, struct error *error)
{
	struct stat st;
	int ret;

	if (stat(config->directory, &st))
		return error_set(error, -errno, "state %s: %s", config->directory, strerror(errno));
	board->owner = st.st_uid;
	ret = state_begin(config, &board->state, error);
	if (!ret && board->options->validation)
		ret = validation_read(board->options->validation, &board->validation, error);
	return ret ? ret : rom_boot(board, error);
}

/*
 * A user's own board outlives the program that started it: a session of its own, nothing of the
 * starter's terminal. The descriptors that it inherited beyond the standard ones are the starter's
 * business.
 */
static void detach(void)
{
	int null;

	setsid();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (null > STDOUT_FILENO)
		close(null);
}

static int serve(struct board *board, gid_t gid, struct error *error)
{
	int ret;

	ret = board_open(board, gid, error);
	if (!ret) {
		drop_capabilities();
		if (board->options->embedded)
			detach();
		tell(board->options, 0, NULL);
		service_tell("READY=1\nSTATUS=Serving its functions");
		ret = board_run(board);
		service_tell("STOPPING=1");
	}
	board_close(board);
	return ret;
}

static int run(struct board_options *options, struct paths *paths, struct error *error)
{
	struct state_config config = { .embedded = options->embedded, .approved = options->fips };
	struct board board = {
		.options = options, .run = -1, .spare_fd = -1, .stage.fd = -1, .sideband.fd = -1
	};
	gid_t gid;
	int ret;

	board.bundle = &board.bundles[0];
	ret = find_group(options->group, &gid, error);
	if (!ret)
		ret = take_directory(options, paths, error);
	if (ret)
		return ret;
	config.directory = paths->state;
	config.fuses = options->fuses;
	config.vendor = options->vendor_given ? options->vendor : NULL;
	config.lifecycle = options->lifecycle;
	config.recover = options->recover;
	if (options->zeroize)
		return state_zeroize(&config, error);

	/* Before anything is read that its process must not have */
	if (options->sideband)
		board.sideband.fd = sideband_start(options->sideband, error);
	if (options->sideband && board.sideband.fd < 0)
		return board.sideband.fd;
	ret = open_state(&board, &config, error);
	if (ret && board.bricked && board.sideband.fd >= 0) {
		/* Whoever waits for a board that serves need not any more. */
		tell(options, ret, error->text);
		options->ready_fd = -1;
		ret = rescue(&board, error);
	}
	if (!ret && !config.embedded)
		ret = claim_prepare(board.state, error);
	if (!ret && options->log)
		ret = log_open(options->log, error);
	if (!ret) {
		rom_report(&board);
		board_event_booted(&board);
		if (board.rescued)
			board_event_firmware(&board, HSM_AUDIT_RECOVERED, board.bundle,
					     board.running, "over the sideband");
		ret = serve(&board, gid, error);
	}
	state_close(board.state);
	bundle_close(&board.bundles[0]);
	bundle_close(&board.bundles[1]);
	return ret;
}

int main(int argc, char **argv)
{
	struct tamper tamper;
	struct board_options options = { .tamper = &tamper };
	struct error error = { "" };
	struct paths paths = { 0 };
	int ret;

	ret = options_parse(argc, argv, &options);
	if (ret)
		return ret < 0 ? EXIT_BOARD_OK : ret;
	harden();
	ret = run(&options, &paths, &error);
	if (ret) {
		if (!error.text[0])
			error_set(&error, ret, "%s", strerror(-ret));
		fprintf(stderr, "vhsm: %s\n", error.text);
		tell(&options, ret, error.text);
	}
	return exit_status(ret);
}
