// SPDX-License-Identifier: Apache-2.0
/*
 * Connections, as the board keeps them: the peer's socket, the transport record, and the memory and
 * interrupt descriptors that the firmware asked to keep for its successor.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "function.h"

/* Fixed in size, so that neither process can take the pages from under the other. */
static int make_record(void)
{
	int fd, ret;

	fd = memfd_create("transport-record", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, BOARD_RECORD_SIZE) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW)) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

/* Who connected; the owner of the state directory is the officer of an embedded board. */
static int identify(const struct board *board, int fd, struct board_connection *peer)
{
	struct ucred credentials;
	socklen_t length = sizeof(credentials);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length))
		return -errno;
	peer->uid = credentials.uid;
	peer->pid = (uint32_t)credentials.pid;
	peer->flags = credentials.uid == board->owner ? BOARD_CONNECTION_OWNER : 0;
	return 0;
}

/*
 * Out of descriptors: give up the spare one to take the peer and close it. Left in the backlog it
 * would keep the loop awake and itself waiting.
 */
static void turn_away(struct function *function)
{
	struct board *board = function->board;
	int fd;

	close(board->spare_fd);
	fd = accept4(function->listen.fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	board->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	board_log(
		"function %u: connection refused, no descriptors left; raise the limit (ulimit -n)",
		function->number);
}

static int connection_new(struct function *function, int fd, struct connection **result)
{
	struct connection *connection;
	int ret;

	connection = calloc(1, sizeof(*connection));
	if (!connection)
		return -ENOMEM;
	ret = identify(function->board, fd, &connection->peer);
	if (!ret) {
		connection->record = make_record();
		ret = connection->record < 0 ? connection->record : 0;
	}
	if (ret) {
		free(connection);
		return ret;
	}
	connection->id = ++function->board->next_connection;
	connection->socket = fd;
	connection->next = function->connections;
	function->connections = connection;
	function->connection_count++;
	board_count_connections(function->board, 1);
	*result = connection;
	return 0;
}

int connection_accept(struct function *function, struct connection **connection)
{
	int fd, ret;

	fd = accept4(function->listen.fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
		turn_away(function);
		return 1;
	}
	if (fd < 0)
		return -errno;
	if (function->connection_count >= FUNCTION_MAX_CONNECTIONS) {
		board_log("function %u: connection refused, %u are open", function->number,
			  function->connection_count);
		ret = -EUSERS;
	} else {
		ret = connection_new(function, fd, connection);
	}
	if (!ret)
		return 0;
	close(fd);
	return 1;
}

struct connection *connection_find(struct function *function, uint32_t id)
{
	struct connection *connection;

	for (connection = function->connections; connection; connection = connection->next)
		if (connection->id == id)
			return connection;
	return NULL;
}

/* Where the descriptor with this kind and key is, or where the list ends. */
static struct kept **find_kept(struct connection *connection, const struct board_keep *what)
{
	struct kept **at;

	for (at = &connection->kept; *at; at = &(*at)->next)
		if ((*at)->what.kind == what->kind && (*at)->what.key == what->key)
			break;
	return at;
}

static void remove_kept(struct connection *connection, struct kept **at)
{
	struct kept *kept = *at;

	*at = kept->next;
	close(kept->fd);
	free(kept);
	connection->kept_count--;
}

int connection_keep(struct connection *connection, const struct board_keep *what, int fd)
{
	struct kept **at = find_kept(connection, what);
	struct kept *kept = *at;

	if (kept) {
		close(kept->fd);
	} else if (connection->kept_count == CONNECTION_MAX_KEPT ||
		   !(kept = calloc(1, sizeof(*kept)))) {
		close(fd);
		return -ENOMEM;
	} else {
		*at = kept;
		connection->kept_count++;
	}
	kept->what = *what;
	kept->fd = fd;
	return 0;
}

void connection_forget(struct connection *connection, const struct board_keep *what)
{
	struct kept **at = find_kept(connection, what);

	if (*at)
		remove_kept(connection, at);
}

void connection_close(struct function *function, struct connection *connection)
{
	struct connection **at;

	control_drop(function, connection->id);
	for (at = &function->connections; *at != connection; at = &(*at)->next)
		;
	*at = connection->next;
	while (connection->kept)
		remove_kept(connection, &connection->kept);
	/* The firmware may still hold a duplicate: say the end to the peer all the same. */
	shutdown(connection->socket, SHUT_RDWR);
	close(connection->socket);
	close(connection->record);
	free(connection);
	function->connection_count--;
	board_count_connections(function->board, -1);
}
