// SPDX-License-Identifier: Apache-2.0
/*
 * The control socket to a firmware process. Sending never waits: what does not fit is queued in
 * order. What comes from the firmware is checked as what comes from a stranger; nonsense ends that
 * process.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "function.h"

/* ---- to the firmware ---- */

static int send_now(int fd, const struct outgoing *out)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(out->fds))];
	} control = { 0 };
	struct iovec parts[] = {
		{ (void *)&out->head, sizeof(out->head) },
		{ (void *)&out->body, out->head.length },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	size_t bytes = (size_t)out->fd_count * sizeof(int);

	if (out->fd_count) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(bytes);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(bytes);
		memcpy(CMSG_DATA(&control.head), out->fds, bytes);
	}
	if (sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return 0;
	return errno == ETOOMANYREFS ? -EAGAIN : -errno;
}

void control_flush(struct function *function)
{
	struct outgoing *out;
	int ret = 0;

	while ((out = function->first_out)) {
		ret = send_now(function->process.control, out);
		if (ret == -EAGAIN)
			break;
		/* Any other error: the process is dying, and its successor is told anew. */
		function->first_out = out->next;
		free(out);
	}
	if (!function->first_out)
		function->last_out = &function->first_out;
	board_rewatch(function->board, &function->control,
		      EPOLLIN | (function->first_out ? EPOLLOUT : 0));
}

static void enqueue(struct function *function, const struct outgoing *message)
{
	struct outgoing *out;

	if (!function->first_out && send_now(function->process.control, message) != -EAGAIN)
		return;
	out = malloc(sizeof(*out));
	if (!out) {
		board_log("function %u: out of memory, its firmware is restarted",
			  function->number);
		shutdown(function->process.control, SHUT_RDWR);
		return;
	}
	*out = *message;
	out->next = NULL;
	*function->last_out = out;
	function->last_out = &out->next;
	control_flush(function);
}

void control_hand_over(struct function *function, struct connection *connection)
{
	struct outgoing out = {
		.head = {
			.type = BOARD_CONNECTION,
			.connection = connection->id,
			.length = sizeof(out.body.peer),
		},
		.body.peer = connection->peer,
		.fds = { connection->socket, connection->record },
		.fd_count = 2,
	};
	const struct kept *kept;

	if (connection->handed)
		out.body.peer.flags |= BOARD_CONNECTION_ADOPTED;
	enqueue(function, &out);
	for (kept = connection->kept; kept; kept = kept->next) {
		out.head.type = BOARD_ADOPT;
		out.head.length = sizeof(out.body.keep);
		out.body.keep = kept->what;
		out.fds[0] = kept->fd;
		out.fd_count = 1;
		enqueue(function, &out);
	}
	if (connection->handed) {
		out.head.type = BOARD_SERVE;
		out.head.length = 0;
		out.fd_count = 0;
		enqueue(function, &out);
	}
	connection->handed = true;
}

void control_notify(struct function *function, const uint8_t id[PARTITION_ID_SIZE])
{
	struct outgoing out = {
		.head = { .type = BOARD_PARTITION_CHANGED, .length = PARTITION_ID_SIZE },
	};

	memcpy(out.body.id, id, PARTITION_ID_SIZE);
	enqueue(function, &out);
}

void control_state(struct function *function, uint32_t state)
{
	struct outgoing out = {
		.head = { .type = BOARD_STATE, .length = sizeof(out.body.state) },
		.body.state = state,
	};

	enqueue(function, &out);
}

void control_stop(struct function *function)
{
	struct outgoing out = { .head = { .type = BOARD_STOP } };

	enqueue(function, &out);
}

void control_events(struct function *function)
{
	struct outgoing out = { .head = { .type = BOARD_EVENTS_WAIT } };

	enqueue(function, &out);
}

void control_updated(struct function *function)
{
	struct outgoing out = { .head = { .type = BOARD_UPDATED } };

	enqueue(function, &out);
}

void control_drop(struct function *function, uint32_t connection)
{
	struct outgoing **at = &function->first_out, *out;

	while ((out = *at)) {
		if (connection && out->head.connection != connection) {
			at = &out->next;
			continue;
		}
		*at = out->next;
		free(out);
	}
	function->last_out = at;
}

/* Connections are numbered from 1. */
void control_drop_all(struct function *function)
{
	control_drop(function, 0);
}

/* ---- from the firmware ---- */

/**
 * struct incoming - a message as received
 * @fds: closed by the receiver unless a handler took them, which it shows by -1
 */
struct incoming {
	struct board_message head;
	struct board_keep keep;
	int fds[BOARD_MAX_FDS];
	int fd_count;
};

static void take_fds(struct msghdr *message, struct incoming *in)
{
	struct cmsghdr *c;
	size_t n;

	for (c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (n > BOARD_MAX_FDS)
			n = BOARD_MAX_FDS;
		memcpy(in->fds, CMSG_DATA(c), n * sizeof(int));
		in->fd_count = (int)n;
	}
}

/* Return: 1 a message, 0 the end, or a negative errno. */
static int receive_one(int fd, struct incoming *in)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(BOARD_MAX_FDS * sizeof(int))];
	} control;
	struct iovec parts[] = {
		{ &in->head, sizeof(in->head) },
		{ &in->keep, sizeof(in->keep) },
	};
	struct msghdr message = {
		.msg_iov = parts,
		.msg_iovlen = 2,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;

	memset(in, 0, sizeof(*in));
	n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;
	take_fds(&message, in);
	if (n == 0)
		return 0;
	if ((size_t)n < sizeof(in->head) || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
	    in->head.length != (size_t)n - sizeof(in->head))
		return -EPROTO;
	return 1;
}

static int handle_keep(struct function *function, struct connection *connection,
		       struct incoming *in)
{
	struct outgoing kept = {
		.head = { .type = BOARD_KEPT, .connection = in->head.connection },
	};

	if (in->head.length != sizeof(in->keep) || in->fd_count != 1)
		return -EPROTO;
	if (in->keep.kind != BOARD_KEEP_DMA && in->keep.kind != BOARD_KEEP_IRQ)
		return -EPROTO;
	if (connection) {
		kept.head.status = connection_keep(connection, &in->keep, in->fds[0]);
		in->fds[0] = -1;
	} else {
		kept.head.status = -ENOENT;
	}
	enqueue(function, &kept);
	return 0;
}

static int handle(struct function *function, struct incoming *in)
{
	struct connection *connection = connection_find(function, in->head.connection);

	switch (in->head.type) {
	case BOARD_READY:
		if (in->head.length || function->ready)
			return -EPROTO;
		function_ready(function);
		return 0;
	case BOARD_KEEP:
		return handle_keep(function, connection, in);
	case BOARD_FORGET:
		if (in->head.length != sizeof(in->keep))
			return -EPROTO;
		if (connection)
			connection_forget(connection, &in->keep);
		return 0;
	case BOARD_CLOSED:
		if (in->head.length)
			return -EPROTO;
		if (connection)
			connection_close(function, connection);
		return 0;
	default:
		return -EPROTO;
	}
}

int control_receive(struct function *function)
{
	struct incoming in;
	int ret, i;

	do {
		ret = receive_one(function->process.control, &in);
		if (ret > 0 && handle(function, &in))
			ret = -EPROTO;
		for (i = 0; i < in.fd_count; i++)
			if (in.fds[i] >= 0)
				close(in.fds[i]);
	} while (ret > 0);
	return ret == -EAGAIN || ret == -EINTR ? 0 : ret ? ret : -EPIPE;
}
