// SPDX-License-Identifier: Apache-2.0
/*
 * The board as a service: listening sockets that a service manager hands over (sd_listen_fds(3)), and what
 * it is told in return (sd_notify(3)). Both protocols are a few lines, and systemd has promised to keep
 * them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "service.h"

#define FIRST_FD 3 /* sd_listen_fds(3) */

/* Whole and decimal, else 0 */
static long number(const char *name)
{
	const char *text = secure_getenv(name);
	char *end;
	long value;

	if (!text || *text < '0' || *text > '9')
		return 0;
	value = strtol(text, &end, 10);
	return *end ? 0 : value;
}

static int passed_count(void)
{
	long count = number("LISTEN_FDS");

	return number("LISTEN_PID") == getpid() && count > 0 && count <= 1024 ? (int)count : 0;
}

/* Does the descriptor listen at @path? */
static bool listens_at(int fd, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNSPEC };
	socklen_t length = sizeof(address);
	int value = 0;
	socklen_t size = sizeof(value);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) || !value ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size) || value != SOCK_STREAM ||
	    getsockname(fd, (struct sockaddr *)&address, &length) || address.sun_family != AF_UNIX)
		return false;
	length -= (socklen_t)offsetof(struct sockaddr_un, sun_path);
	return strnlen(address.sun_path, length) == strlen(path) &&
	       !strncmp(address.sun_path, path, length);
}

int service_socket(const char *run, unsigned int function)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
	int n = snprintf(path, sizeof(path), "%s/fn%u.sock", run, function);

	if (n < 0 || (size_t)n >= sizeof(path))
		return -1;
	for (int fd = FIRST_FD; fd < FIRST_FD + passed_count(); fd++) {
		if (!listens_at(fd, path))
			continue;
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) || fcntl(fd, F_SETFL, O_NONBLOCK))
			return -1;
		return fd;
	}
	return -1;
}

void service_tell(const char *text)
{
	const char *path = secure_getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = path ? strlen(path) : 0;
	int fd;

	if (!length || length >= sizeof(address.sun_path) || (*path != '/' && *path != '@'))
		return;
	memcpy(address.sun_path, path, length);
	if (*path == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
		board_log("NOTIFY_SOCKET %s: %s", path, strerror(errno));
	close(fd);
}
