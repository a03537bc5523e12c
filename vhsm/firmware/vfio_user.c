// SPDX-License-Identifier: Apache-2.0
/*
 * Messages on a client's socket: reading a request, answering it, and going on where a predecessor
 * stopped. The thread may wait here for as long as the client likes; it serves nobody else.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport.h"

#define HEADER_SIZE ((uint32_t)sizeof(struct vfio_user_header))

/* ---- reading ---- */

/* vfio_request_done - close the descriptors that nobody took */
void vfio_request_done(struct vfio_request *request)
{
	for (unsigned int i = 0; i < request->fd_count; i++)
		if (request->fds[i] >= 0)
			close(request->fds[i]);
	request->fd_count = 0;
}

static void take_fds(struct vfio_request *request, struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		size_t count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (request->fd_count < VFIO_USER_MAX_FDS)
				request->fds[request->fd_count++] = fd;
			else
				close(fd);
		}
	}
}

/* Return: bytes read, at least 1, or a negative errno; -EPIPE at the end of the stream. */
static int receive(struct connection *connection, struct vfio_request *request, void *to,
		   uint32_t length)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(VFIO_USER_MAX_FDS * sizeof(int))];
	} control;
	struct iovec piece = { to, length };
	struct msghdr message = { .msg_iov = &piece,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	ssize_t got;

	do {
		got = recvmsg(connection->socket, &message, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	take_fds(request, &message);
	return got ? (int)got : -EPIPE;
}

static int read_header(struct connection *connection, struct vfio_request *request, uint32_t got)
{
	uint8_t *bytes = (uint8_t *)&request->header;

	while (got < HEADER_SIZE) {
		int more = receive(connection, request, bytes + got, HEADER_SIZE - got);

		if (more < 0)
			return more;
		got += (uint32_t)more;
		if (got < HEADER_SIZE)
			record_header_part(connection->record, bytes, got);
	}
	record_reading(connection->record, &request->header);
	return 0;
}

/* Without a trusted length and direction, the rest of the stream means nothing. */
static int check_header(const struct vfio_user_header *header)
{
	if (header->size < HEADER_SIZE || header->size > VFIO_USER_MAX_MESSAGE)
		return -EMSGSIZE;
	if ((header->flags & VFIO_USER_TYPE_MASK) != VFIO_USER_TYPE_COMMAND)
		return -EPROTO;
	return 0;
}

static int read_body(struct connection *connection, struct vfio_request *request,
		     uint32_t remaining)
{
	uint32_t length = request->header.size - HEADER_SIZE;

	while (remaining) {
		int more = receive(connection, request, request->body + (length - remaining),
				   remaining);

		if (more < 0)
			return more;
		remaining -= (uint32_t)more;
		record_remaining(connection->record, remaining);
	}
	request->body[length] = 0;
	request->length = length;
	return 0;
}

static int complain(const struct connection *connection, int error)
{
	if (error == -EMSGSIZE)
		log_line("connection %u: closed: message size out of range", connection->id);
	else if (error == -EPROTO)
		log_line("connection %u: closed: a reply where a request should be",
			 connection->id);
	return error;
}

static int read_rest(struct connection *connection, struct vfio_request *request)
{
	int error = check_header(&request->header);

	if (!error)
		error = read_body(connection, request, request->header.size - HEADER_SIZE);
	if (error)
		return complain(connection, error);
	record_handling(connection->record, request->body, request->length);
	return 0;
}

/**
 * vfio_user_wait - wait until there is something to read, and leave it there
 * @connection: whose socket the caller serves
 *
 * What has been read and not yet written to the record is lost when the process ends there, and a thread that was
 * woken on a busy machine may be kept there for long.
 *
 * Return: 0, or a negative errno when the connection is at its end.
 */
int vfio_user_wait(struct connection *connection)
{
	ssize_t got;
	char byte;

	do {
		got = recv(connection->socket, &byte, 1, MSG_PEEK);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	return got ? 0 : -EPIPE;
}

/**
 * vfio_user_read - read a request
 * @connection: whose socket the caller serves
 * @request: filled in; vfio_request_done() when it has been handled
 *
 * Return: 0, or a negative errno when the connection is at its end.
 */
int vfio_user_read(struct connection *connection, struct vfio_request *request)
{
	int error;

	request->fd_count = 0;
	request->replay = false;
	error = read_header(connection, request, 0);
	return error ? error : read_rest(connection, request);
}

/* ---- answering ---- */

static int send_reply(struct connection *connection, const void *reply, uint32_t length,
		      uint32_t sent)
{
	while (sent < length) {
		ssize_t more = send(connection->socket, (const uint8_t *)reply + sent,
				    length - sent, MSG_NOSIGNAL);

		if (more < 0 && errno == EINTR)
			continue;
		if (more < 0)
			return -errno;
		sent += (uint32_t)more;
		record_sent(connection->record, sent);
	}
	record_idle(connection->record);
	return 0;
}

/* Executes the request; @reply becomes its answer, an error's being a header alone. */
static void answer(struct connection *connection, struct vfio_request *request,
		   struct vfio_reply *reply)
{
	int error;

	reply->length = 0;
	error = vfio_device_handle(connection, request, reply);
	reply->header = (struct vfio_user_header){
		.message_id = request->header.message_id,
		.command = request->header.command,
		.flags = VFIO_USER_TYPE_REPLY,
	};
	if (error) {
		reply->header.flags |= VFIO_USER_FLAG_ERROR;
		reply->header.error = (uint32_t)-error;
		reply->length = 0;
	}
	reply->header.size = HEADER_SIZE + reply->length;
}

/**
 * vfio_user_handle - execute a request and answer it
 * @connection: it came on
 * @request: as read
 *
 * Return: 0, or a negative errno when the connection is at its end.
 */
int vfio_user_handle(struct connection *connection, struct vfio_request *request)
{
	struct vfio_reply reply;

	answer(connection, request, &reply);
	if (request->header.flags & VFIO_USER_FLAG_NO_REPLY) {
		record_idle(connection->record);
		return 0;
	}
	record_replying(connection->record, &reply, reply.header.size);
	return send_reply(connection, &reply, reply.header.size, 0);
}

/* ---- going on for a predecessor ---- */

/* Not enough is known of the request: whoever waits gets an error, soon. */
static int refuse(struct connection *connection, const struct vfio_user_header *header)
{
	struct vfio_user_header reply = {
		.message_id = header->message_id,
		.command = header->command,
		.size = HEADER_SIZE,
		.flags = VFIO_USER_TYPE_REPLY | VFIO_USER_FLAG_ERROR,
		.error = EIO,
	};

	if (header->flags & VFIO_USER_FLAG_NO_REPLY) {
		record_idle(connection->record);
		return 0;
	}
	record_replying(connection->record, &reply, reply.size);
	return send_reply(connection, &reply, reply.size, 0);
}

/* The beginning of the body was lost with the predecessor. */
static int resume_reading(struct connection *connection, struct vfio_request *request,
			  const struct record_debt *debt)
{
	uint32_t length = debt->header.size - HEADER_SIZE;
	int error = read_body(connection, request, debt->remaining);

	if (error)
		return error;
	if (debt->remaining < length)
		return refuse(connection, &debt->header);
	record_handling(connection->record, request->body, request->length);
	return vfio_user_handle(connection, request);
}

static int resume_handling(struct connection *connection, struct vfio_request *request,
			   const struct record_debt *debt)
{
	if (debt->body_length != debt->header.size - HEADER_SIZE)
		return refuse(connection, &debt->header);
	memcpy(request->body, debt->body, debt->body_length);
	request->body[debt->body_length] = 0;
	request->length = debt->body_length;
	return vfio_user_handle(connection, request);
}

/* A reply that was too long to be kept is made once more; it was a read's. */
static int resume_replying(struct connection *connection, struct vfio_request *request,
			   const struct record_debt *debt)
{
	struct vfio_reply reply;

	if (debt->reply_length)
		return send_reply(connection, debt->reply, debt->reply_length, debt->sent);
	if (debt->body_length != debt->header.size - HEADER_SIZE)
		return -EBADMSG;
	memcpy(request->body, debt->body, debt->body_length);
	request->body[debt->body_length] = 0;
	request->length = debt->body_length;
	answer(connection, request, &reply);
	if (reply.header.size != debt->reply_total)
		return -EBADMSG;
	return send_reply(connection, &reply, reply.header.size, debt->sent);
}

/**
 * vfio_user_resume - pay what a predecessor owed its client
 * @connection: adopted, its record as the predecessor left it
 * @request: room for a message
 *
 * Return: 0, or a negative errno when the connection is at its end.
 */
int vfio_user_resume(struct connection *connection, struct vfio_request *request)
{
	struct record_debt debt;
	int error = record_take_debt(connection->record, &debt);

	if (error) {
		log_line("connection %u: closed: its record cannot be continued", connection->id);
		return error;
	}
	request->fd_count = 0;
	request->replay = true;
	request->header = debt.header;
	switch (debt.phase) {
	case TRANSPORT_IDLE:
		if (!debt.header_got)
			return 0;
		request->replay = false;
		error = read_header(connection, request, debt.header_got);
		if (!error)
			error = read_rest(connection, request);
		return error ? error : vfio_user_handle(connection, request);
	case TRANSPORT_READING:
		return resume_reading(connection, request, &debt);
	case TRANSPORT_HANDLING:
		return resume_handling(connection, request, &debt);
	default:
		return resume_replying(connection, request, &debt);
	}
}
