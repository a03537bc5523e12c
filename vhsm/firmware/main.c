// SPDX-License-Identifier: Apache-2.0
/*
 * hsm-firmware: what runs on the board, one process for each function. It is started by the board with
 * two sockets and a log, and has nothing else.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mech.h"
#include "selftest.h"
#include "transport.h"

static int fail(const char *what, int error)
{
	log_line("%s: %s", what, strerror(-error));
	return 1;
}

static int start(struct board_hello *hello)
{
	int error = board_link_start(hello);

	if (error)
		return fail("no board on descriptors 3 and 4", error);
	error = connections_start(hello);
	if (error)
		return fail("the board's greeting makes no sense", error);
	error = commands_start(hello);
	if (error)
		return fail("command execution does not start", error);
	error = sandbox_warm_up();
	if (error)
		return fail("libcrypto does not start", error);
	error = sandbox_enter();
	if (error)
		return fail("the sandbox cannot be closed", error);
	/* What is on trial does not get to serve with a failure; the one before it is still there. */
	if (hello->flags & BOARD_HELLO_TRIAL && selftest_failed())
		return 1;
	error = board_link_ready();
	return error ? fail("the board does not listen", error) : 0;
}

/*
 * Threads still serve sockets: the normal way out would take libraries' memory from under them. Only
 * instruments, which report at exit, are worth that.
 */
static void end(int status)
{
#if defined(HSM_SANITIZED) || defined(HSM_COVERAGE)
	exit(status);
#else
	_exit(status);
#endif
}

/* In approved mode the board names the descriptors of the FIPS provider's module and configuration. */
static int take_arguments(int argc, char **argv)
{
	int module, config;

	if (argc == 1)
		return 0;
	if (argc != 4 || strcmp(argv[1], "approved"))
		return fail("no such arguments", -EINVAL);
	module = atoi(argv[2]);
	config = atoi(argv[3]);
	if (module < BOARD_FIRST_FREE_FD || config < BOARD_FIRST_FREE_FD)
		return fail("no such descriptors", -EBADF);
	mech_approve(module, config);
	return 0;
}

int main(int argc, char **argv)
{
	struct board_hello hello;
	int error;

	if (take_arguments(argc, argv) || start(&hello))
		return 1;
	error = board_link_run();
	if (error < 0)
		end(fail("the board is gone", error));
	if (error != BOARD_LINK_AT_ONCE)
		connections_finish();
	end(0);
	return 0;
}
