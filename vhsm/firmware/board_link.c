// SPDX-License-Identifier: Apache-2.0
/*
 * The two sockets to the board: storage, one request and its reply at a time, and control, which brings
 * connections and keeps what a successor would need.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "transport.h"

#define PARTS_MAX 32

/**
 * struct keep_wait - a thread that waits for BOARD_KEPT; the board answers in order
 * @next: younger
 * @done: the answer is there
 * @status: of the answer
 */
struct keep_wait {
	struct keep_wait *next;
	bool done;
	int status;
};

static pthread_mutex_t storage_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t control_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t kept = PTHREAD_COND_INITIALIZER;
static struct keep_wait *oldest_wait;
static struct keep_wait **newest_wait = &oldest_wait;

/* ---- storage ---- */

static int receive_reply(enum board_request type, void *reply, size_t capacity, size_t *length)
{
	struct board_message head;
	struct iovec pieces[] = { { &head, sizeof(head) }, { reply, capacity } };
	struct msghdr message = { .msg_iov = pieces, .msg_iovlen = 2 };
	ssize_t got;

	do {
		got = recvmsg(BOARD_STORAGE_FD, &message, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got <= 0)
		return -EPIPE;
	if (got < (ssize_t)sizeof(head) || message.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ||
	    head.type != (uint32_t)type || head.length != (size_t)got - sizeof(head))
		return -EPROTO;
	*length = head.length;
	return head.status > 0 ? -EPROTO : head.status;
}

int storage_begin(enum board_request type, const struct iovec *parts, int count)
{
	struct board_message head = { .type = type };
	struct iovec pieces[PARTS_MAX + 1] = { { &head, sizeof(head) } };
	struct msghdr message = { .msg_iov = pieces };
	size_t total = 0;
	ssize_t sent;

	if (count < 0 || count > PARTS_MAX)
		return -EINVAL;
	for (int i = 0; i < count; i++) {
		pieces[i + 1] = parts[i];
		total += parts[i].iov_len;
	}
	if (total > BOARD_MESSAGE_MAX - sizeof(head))
		return -EMSGSIZE;
	head.length = (uint32_t)total;
	message.msg_iovlen = (size_t)count + 1;
	pthread_mutex_lock(&storage_lock);
	do {
		sent = sendmsg(BOARD_STORAGE_FD, &message, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0)
		pthread_mutex_unlock(&storage_lock);
	return sent < 0 ? -EPIPE : 0;
}

int storage_finish(enum board_request type, void *reply, size_t capacity, size_t *length)
{
	int error;

	*length = 0;
	error = receive_reply(type, reply, capacity, length);
	pthread_mutex_unlock(&storage_lock);
	return error;
}

int storage_call(enum board_request type, const struct iovec *parts, int count, void *reply,
		 size_t capacity, size_t *length)
{
	int error = storage_begin(type, parts, count);

	*length = 0;
	return error ? error : storage_finish(type, reply, capacity, length);
}

/**
 * board_link_start - greet the board
 * @hello: set to its answer
 *
 * Return: 0 or a negative errno.
 */
int board_link_start(struct board_hello *hello)
{
	size_t length;
	int error = storage_call(BOARD_HELLO, NULL, 0, hello, sizeof(*hello), &length);

	if (!error && length != sizeof(*hello))
		error = -EPROTO;
	return error;
}

/* ---- control, to the board ---- */

/* With the control lock held, so that BOARD_KEEP and its waiters are in one order. */
static int control_send(enum board_control type, uint32_t connection, const struct board_keep *keep,
			int fd)
{
	struct board_message head = { .type = type,
				      .connection = connection,
				      .length = keep ? sizeof(*keep) : 0 };
	struct iovec pieces[] = { { &head, sizeof(head) }, { (void *)keep, head.length } };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr message = { .msg_iov = pieces, .msg_iovlen = keep ? 2 : 1 };
	ssize_t sent;

	if (fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	}
	do {
		sent = sendmsg(BOARD_CONTROL_FD, &message, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

static int send_plain(enum board_control type, uint32_t connection, const struct board_keep *keep)
{
	int error;

	pthread_mutex_lock(&control_lock);
	error = control_send(type, connection, keep, -1);
	pthread_mutex_unlock(&control_lock);
	return error;
}

/**
 * board_keep - have the board keep a descriptor for a successor
 * @connection: it belongs to
 * @keep: what it is
 * @fd: stays the caller's
 *
 * Waits for the board. Not to be called by the thread in board_link_run().
 * Return: 0 or a negative errno.
 */
int board_keep(uint32_t connection, const struct board_keep *keep, int fd)
{
	struct keep_wait wait = { 0 };
	int error;

	pthread_mutex_lock(&control_lock);
	error = control_send(BOARD_KEEP, connection, keep, fd);
	if (!error) {
		*newest_wait = &wait;
		newest_wait = &wait.next;
		while (!wait.done)
			pthread_cond_wait(&kept, &control_lock);
		error = wait.status;
	}
	pthread_mutex_unlock(&control_lock);
	return error;
}

/* board_forget - the board need not keep it any more */
void board_forget(uint32_t connection, const struct board_keep *keep)
{
	send_plain(BOARD_FORGET, connection, keep);
}

/* board_closed - the connection is at its end */
void board_closed(uint32_t connection)
{
	send_plain(BOARD_CLOSED, connection, NULL);
}

/* board_link_ready - connections may come */
int board_link_ready(void)
{
	return send_plain(BOARD_READY, 0, NULL);
}

/* ---- control, from the board ---- */

/**
 * struct incoming - one control message
 * @head: of it
 * @body: what follows
 * @fds: that came with it; a handler that takes one sets it to -1
 * @fd_count: of @fds
 */
struct incoming {
	struct board_message head;
	union {
		struct board_connection connection;
		struct board_keep keep;
		uint8_t partition[PARTITION_ID_SIZE];
		uint32_t state;
	} body;
	int fds[BOARD_MAX_FDS];
	unsigned int fd_count;
};

static void serve(struct connection *connection)
{
	if (!pool_serve(connection->pool, connection))
		return;
	log_line("connection %u: closed: no thread for it", connection->id);
	connection_abandon(connection);
}

static void on_connection(struct incoming *in)
{
	struct connection *connection;

	if (in->head.length != sizeof(in->body.connection) || in->fd_count != 2)
		return;
	connection = connection_create(in->head.connection, &in->body.connection, in->fds[0],
				       in->fds[1]);
	if (!connection) {
		log_line("connection %u: refused: out of memory", in->head.connection);
		board_closed(in->head.connection);
		return;
	}
	in->fds[0] = -1;
	if (!(in->body.connection.flags & BOARD_CONNECTION_ADOPTED))
		serve(connection);
}

static void on_adopt(struct incoming *in)
{
	struct connection *connection = connection_find(in->head.connection);
	int error;

	if (!connection || in->head.length != sizeof(in->body.keep) || in->fd_count != 1)
		return;
	error = connection_adopt(connection, &in->body.keep, in->fds[0]);
	in->fds[0] = -1;
	if (error)
		log_line("connection %u: something kept for it is lost: %s", connection->id,
			 strerrorname_np(-error));
}

static void on_serve(struct incoming *in)
{
	struct connection *connection = connection_find(in->head.connection);

	if (connection)
		serve(connection);
}

static void on_kept(const struct incoming *in)
{
	struct keep_wait *wait;

	pthread_mutex_lock(&control_lock);
	wait = oldest_wait;
	if (wait) {
		oldest_wait = wait->next;
		if (!oldest_wait)
			newest_wait = &oldest_wait;
		wait->status = in->head.status > 0 ? -EPROTO : in->head.status;
		wait->done = true;
		pthread_cond_broadcast(&kept);
	}
	pthread_mutex_unlock(&control_lock);
}

static void on_partition(const struct incoming *in)
{
	if (in->head.length != sizeof(in->body.partition))
		return;
	commands_partition_changed(in->body.partition);
	firmware_event(IHSM_EVENT_PARTITIONS, 0);
}

/*
 * The board is in another state, for which a successor begins. What a tenant's process has keys of there is no more, and
 * after tampering neither function 0. Return: BOARD_LINK_AT_ONCE; then no key is left here.
 */
static int on_state(const struct incoming *in)
{
	bool tampered = in->body.state == IHSM_STATE_TAMPERED;
	bool at_once = tampered || connections_hello()->function;

	if (in->head.length != sizeof(in->body.state))
		return -EPROTO;
	if (at_once)
		commands_wipe();
	if (tampered)
		firmware_event(IHSM_EVENT_TAMPER, 0);
	firmware_event(IHSM_EVENT_STATE, in->body.state);
	return at_once ? BOARD_LINK_AT_ONCE : 0;
}

static void take_fds(struct incoming *in, struct msghdr *message)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(message);
	size_t count;

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return;
	count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	if (count > BOARD_MAX_FDS)
		count = BOARD_MAX_FDS;
	memcpy(in->fds, CMSG_DATA(c), count * sizeof(int));
	in->fd_count = (unsigned int)count;
}

static int receive(struct incoming *in)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(BOARD_MAX_FDS * sizeof(int))];
	} control;
	struct iovec pieces[] = { { &in->head, sizeof(in->head) },
				  { &in->body, sizeof(in->body) } };
	struct msghdr message = { .msg_iov = pieces,
				  .msg_iovlen = 2,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	ssize_t got;

	memset(in, 0, sizeof(*in));
	do {
		got = recvmsg(BOARD_CONTROL_FD, &message, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got <= 0)
		return -EPIPE;
	take_fds(in, &message);
	if (got < (ssize_t)sizeof(in->head) || in->head.length != (size_t)got - sizeof(in->head))
		return -EPROTO;
	return 0;
}

static void handle(struct incoming *in)
{
	switch (in->head.type) {
	case BOARD_CONNECTION:
		on_connection(in);
		break;
	case BOARD_ADOPT:
		on_adopt(in);
		break;
	case BOARD_SERVE:
		on_serve(in);
		break;
	case BOARD_KEPT:
		on_kept(in);
		break;
	case BOARD_PARTITION_CHANGED:
		on_partition(in);
		break;
	case BOARD_EVENTS_WAIT:
		commands_board_events();
		break;
	case BOARD_UPDATED:
		commands_updated();
		break;
	default:
		log_line("unknown message %u from the board", in->head.type);
		break;
	}
}

/**
 * board_link_run - do what the board says until it says that this process ends, or is gone
 *
 * Return: 0: after what runs; BOARD_LINK_AT_ONCE; or a negative errno.
 */
int board_link_run(void)
{
	for (;;) {
		struct incoming in;
		int error = receive(&in);

		if (error == -EPIPE)
			return error;
		if (!error && in.head.type == BOARD_STOP)
			return 0;
		if (!error && in.head.type == BOARD_STATE)
			return on_state(&in);
		if (!error)
			handle(&in);
		else
			log_line("malformed message from the board");
		for (unsigned int i = 0; i < in.fd_count; i++)
			if (in.fds[i] >= 0)
				close(in.fds[i]);
	}
}
