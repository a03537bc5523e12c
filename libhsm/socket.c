// SPDX-License-Identifier: Apache-2.0
/*
 * The vfio-user protocol on its socket, as a client. One request at a time waits for its reply;
 * doorbells are posted past it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>
#include "vfio_user.h"

/*
 * A firmware that is replaced under the connection answers within 5 s
 * (Documentation/hardware.rst).
 */
#define REPLY_SECONDS 15
#define BODY_MAX      256

void wire_init(struct wire_socket *socket)
{
	socket->fd = -1;
	socket->next_id = 1;
	pthread_mutex_init(&socket->transaction, NULL);
	pthread_mutex_init(&socket->send, NULL);
}

void wire_destroy(struct wire_socket *socket)
{
	if (socket->fd >= 0)
		close(socket->fd);
	socket->fd = -1;
	pthread_mutex_destroy(&socket->transaction);
	pthread_mutex_destroy(&socket->send);
}

void wire_attach(struct wire_socket *socket, int fd)
{
	struct timeval limit = { .tv_sec = REPLY_SECONDS };

	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	}
	pthread_mutex_lock(&socket->transaction);
	pthread_mutex_lock(&socket->send);
	if (socket->fd >= 0)
		close(socket->fd);
	socket->fd = fd;
	pthread_mutex_unlock(&socket->send);
	pthread_mutex_unlock(&socket->transaction);
}

/*
 * After half a message nobody can tell where the next begins: such a stream is of no use any
 * more.
 */
static int broken(struct wire_socket *socket)
{
	if (socket->fd >= 0)
		shutdown(socket->fd, SHUT_RDWR);
	return -ENODEV;
}

static void attach_fds(struct msghdr *msg, void *control, const int *fds, unsigned int count)
{
	struct cmsghdr *cmsg;

	if (count == 0)
		return;
	msg->msg_control = control;
	msg->msg_controllen = CMSG_SPACE(count * sizeof(int));
	cmsg = CMSG_FIRSTHDR(msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, count * sizeof(int));
}

static int send_message(struct wire_socket *socket, uint8_t *message, size_t size, const int *fds,
			unsigned int fd_count)
{
	union {
		char room[CMSG_SPACE(VFIO_USER_MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control = { .room = { 0 } };
	int err = 0;

	pthread_mutex_lock(&socket->send);
	while (size > 0 && !err) {
		struct iovec iov = { .iov_base = message, .iov_len = size };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t n;

		attach_fds(&msg, control.room, fds, fd_count);
		n = sendmsg(socket->fd, &msg, MSG_NOSIGNAL);
		if (n > 0) {
			message += n;
			size -= (size_t)n;
			fd_count = 0;
		} else if (errno != EINTR) {
			err = broken(socket);
		}
	}
	pthread_mutex_unlock(&socket->send);
	return err;
}

static int receive(struct wire_socket *socket, void *data, size_t size)
{
	uint8_t *p = data;

	while (size > 0) {
		ssize_t n = recv(socket->fd, p, size, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			broken(socket);
			return -ETIMEDOUT;
		}
		if (n <= 0)
			return broken(socket);
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

/* Read the reply to @sent: its body is *@length bytes, or with @exact that many and no others. */
static int receive_reply(struct wire_socket *socket, const struct vfio_user_header *sent,
			 void *body, size_t *length, bool exact)
{
	struct vfio_user_header header;
	size_t size;
	int err;

	err = receive(socket, &header, sizeof(header));
	if (err)
		return err;
	if ((header.flags & VFIO_USER_TYPE_MASK) != VFIO_USER_TYPE_REPLY ||
	    header.message_id != sent->message_id || header.command != sent->command ||
	    header.size < sizeof(header) || header.size > VFIO_USER_MAX_MESSAGE)
		return broken(socket);
	size = header.size - sizeof(header);
	if (header.flags & VFIO_USER_FLAG_ERROR) {
		if (size != 0)
			return broken(socket);
		return header.error > 0 && header.error < 4096 ? -(int)header.error : -EIO;
	}
	if (size > *length || (exact && size != *length))
		return broken(socket);
	*length = size;
	return receive(socket, body, size);
}

static int call(struct wire_socket *socket, unsigned int command, const void *body, size_t length,
		const int *fds, unsigned int fd_count, void *reply, size_t *reply_length,
		bool exact)
{
	uint8_t message[sizeof(struct vfio_user_header) + BODY_MAX];
	struct vfio_user_header header = {
		.command = (uint16_t)command,
		.size = (uint32_t)(sizeof(header) + length),
		.flags = VFIO_USER_TYPE_COMMAND,
	};
	int err = -ENODEV;

	if (length > BODY_MAX)
		return -EMSGSIZE;
	pthread_mutex_lock(&socket->transaction);
	header.message_id = socket->next_id++;
	memcpy(message, &header, sizeof(header));
	memcpy(message + sizeof(header), body, length);
	if (socket->fd >= 0)
		err = send_message(socket, message, header.size, fds, fd_count);
	if (!err)
		err = receive_reply(socket, &header, reply, reply_length, exact);
	pthread_mutex_unlock(&socket->transaction);
	return err;
}

int wire_call(struct wire_socket *socket, unsigned int command, const void *body, size_t length,
	      const int *fds, unsigned int fd_count, void *reply, size_t reply_length)
{
	return call(socket, command, body, length, fds, fd_count, reply, &reply_length, true);
}

int wire_version(struct wire_socket *socket, struct hsm_error *error)
{
	static const char capabilities[] =
		"{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":4096}}";
	struct vfio_user_version version = { .major = VFIO_USER_MAJOR, .minor = VFIO_USER_MINOR };
	uint8_t body[sizeof(version) + sizeof(capabilities)];
	uint8_t reply[4096];
	size_t length = sizeof(reply);
	int err;

	memcpy(body, &version, sizeof(version));
	memcpy(body + sizeof(version), capabilities, sizeof(capabilities));
	err = call(socket, VFIO_USER_VERSION, body, sizeof(body), NULL, 0, reply, &length, false);
	if (err == -ETIMEDOUT)
		return set_error(error, err, HSM_LAYER_TRANSPORT,
				 "the device does not answer within %u s", REPLY_SECONDS);
	if (err == -ENODEV)
		return set_error(error, err, HSM_LAYER_TRANSPORT,
				 "the device closed the connection at once");
	if (err)
		return set_error(error, -EPROTO, HSM_LAYER_TRANSPORT,
				 "the device refused protocol version %u.%u: %s", VFIO_USER_MAJOR,
				 VFIO_USER_MINOR, strerrordesc_np(-err));
	if (length < sizeof(version))
		return set_error(error, -EPROTO, HSM_LAYER_TRANSPORT,
				 "the device's version reply is too short");
	memcpy(&version, reply, sizeof(version));
	if (version.major != VFIO_USER_MAJOR || version.minor > VFIO_USER_MINOR)
		return set_error(error, -EPROTO, HSM_LAYER_TRANSPORT,
				 "the device speaks vfio-user %u.%u, this library %u.%u",
				 version.major, version.minor, VFIO_USER_MAJOR, VFIO_USER_MINOR);
	return 0;
}

int wire_read(struct wire_socket *socket, unsigned int region, uint64_t offset, void *data,
	      uint32_t size)
{
	struct vfio_user_region_access access = { .offset = offset,
						  .region = region,
						  .count = size };
	uint8_t reply[sizeof(access) + 64];
	int err;

	if (size > 64)
		return -EMSGSIZE;
	err = wire_call(socket, VFIO_USER_REGION_READ, &access, sizeof(access), NULL, 0, reply,
			sizeof(access) + size);
	if (err)
		return err;
	memcpy(data, reply + sizeof(access), size);
	return 0;
}

static size_t write_body(uint8_t *body, unsigned int region, uint64_t offset, const void *data,
			 uint32_t size)
{
	struct vfio_user_region_access access = { .offset = offset,
						  .region = region,
						  .count = size };

	memcpy(body, &access, sizeof(access));
	memcpy(body + sizeof(access), data, size);
	return sizeof(access) + size;
}

int wire_write(struct wire_socket *socket, unsigned int region, uint64_t offset, const void *data,
	       uint32_t size)
{
	uint8_t body[sizeof(struct vfio_user_region_access) + 64];
	struct vfio_user_region_access reply;
	size_t length;

	if (size > 64)
		return -EMSGSIZE;
	length = write_body(body, region, offset, data, size);
	return wire_call(socket, VFIO_USER_REGION_WRITE, body, length, NULL, 0, &reply,
			 sizeof(reply));
}

int wire_post(struct wire_socket *socket, uint64_t offset, uint32_t value)
{
	uint8_t message[sizeof(struct vfio_user_header) + sizeof(struct vfio_user_region_access) +
			sizeof(value)];
	struct vfio_user_header header = {
		.command = VFIO_USER_REGION_WRITE,
		.size = sizeof(message),
		.flags = VFIO_USER_TYPE_COMMAND | VFIO_USER_FLAG_NO_REPLY,
	};

	value = htole32(value);
	memcpy(message, &header, sizeof(header));
	write_body(message + sizeof(header), VFIO_PCI_BAR0_REGION_INDEX, offset, &value,
		   sizeof(value));
	return send_message(socket, message, sizeof(message), NULL, 0);
}
