// SPDX-License-Identifier: Apache-2.0
/*
 * vhsm-fault --socket PATH [--seed N] [--faults LIST] [--rate N] [--slow N]
 *
 * A device for QEMU that does what a hostile one may: see fault.h for the names of the faults, which
 * are separated by commas. One in --rate occasions is taken (NAME:N: one in N), and of those that cost the guest seconds
 * --slow in all. Prints "ready", and at its end, by SIGTERM, what it did. Never installed.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fault.h"
#include "transport.h"

static const struct option options[] = {
	{ "socket", required_argument, NULL, 's' }, { "seed", required_argument, NULL, 'n' },
	{ "faults", required_argument, NULL, 'f' }, { "rate", required_argument, NULL, 'r' },
	{ "slow", required_argument, NULL, 'w' },   { 0 },
};

static const struct board_hello hello = {
	.flags = BOARD_HELLO_EMBEDDED,
	.function = 1,
	.functions = 2,
	.security_version = 1,
	.serial = "hostile",
	.dma_bits = 64,
	.max_queues = 4,
	.incarnation = 1,
	.spin_us = 50,
};

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
		return -1;
	strcpy(address.sun_path, path);
	unlink(path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 4)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int serve(int fd, uint32_t id)
{
	const struct board_connection who = { .flags = BOARD_CONNECTION_OWNER };
	int record = memfd_create("record", MFD_CLOEXEC);
	struct connection *connection = NULL;

	if (record >= 0 && !ftruncate(record, BOARD_RECORD_SIZE))
		connection = connection_create(id, &who, fd, record);
	if (record >= 0)
		close(record);
	if (!connection) {
		close(fd);
		return -ENOMEM;
	}
	if (!pool_serve(connections_pool(), connection))
		return 0;
	connection_abandon(connection);
	return -ENOMEM;
}

static void *accept_all(void *arg)
{
	int listener = *(int *)arg;

	for (uint32_t id = 1;; id++) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0)
			serve(fd, id);
	}
	return NULL;
}

/* Threads serve sockets for good; the first one waits for the end. */
static int run(int listener)
{
	pthread_t thread;
	sigset_t set;
	int got;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (connections_start(&hello) || pthread_create(&thread, NULL, accept_all, &listener))
		return 1;
	puts("ready");
	fflush(stdout);
	sigwait(&set, &got);
	plan_print(stdout);
	_exit(0);
}

int main(int argc, char **argv)
{
	unsigned long rate = 64, slow = 0;
	const char *path = NULL;
	uint64_t seed = 1;
	int c, listener;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's')
			path = optarg;
		else if (c == 'n')
			seed = strtoull(optarg, NULL, 0);
		else if (c == 'r')
			rate = strtoul(optarg, NULL, 0);
		else if (c == 'w')
			slow = strtoul(optarg, NULL, 0);
		else if (c != 'f' || plan_parse(optarg))
			return 2;
	}
	if (!path)
		return 2;
	/* It does not outlive the test. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	plan_set(seed, (unsigned int)rate, (unsigned int)slow);
	listener = listen_at(path);
	if (listener < 0) {
		perror(path);
		return 1;
	}
	return run(listener);
}
