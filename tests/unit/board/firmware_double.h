/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For programs that a board starts as its firmware, which are the tests themselves: words to the board and from
 * it, and a peer's way to a function's socket.
 */
#ifndef BOARD_FIRMWARE_DOUBLE_H
#define BOARD_FIRMWARE_DOUBLE_H

#include <sys/socket.h>
#include <sys/un.h>
#include "fixture.h"

struct told {
	struct board_message head;
	uint8_t body[64];
	int fds[2];
	int fd_count;
};

static inline bool listen_to_board(struct told *told)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct iovec parts[] = { { &told->head, sizeof(told->head) }, { told->body, 64 } };
	struct msghdr message = { .msg_iov = parts,
				  .msg_iovlen = 2,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *c;

	memset(told, 0, sizeof(*told));
	if (recvmsg(BOARD_CONTROL_FD, &message, 0) <= 0)
		return false;
	c = CMSG_FIRSTHDR(&message);
	if (c) {
		told->fd_count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(told->fds, CMSG_DATA(c), (size_t)told->fd_count * sizeof(int));
	}
	return true;
}

static inline void tell_board(uint32_t type, uint32_t connection, const struct board_keep *keep,
				      int fd)
{
	struct board_message head = { .type = type,
				      .connection = connection,
				      .length = keep ? sizeof(*keep) : 0 };
	struct iovec parts[] = { { &head, sizeof(head) }, { (void *)keep, head.length } };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS,
				.cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
	}
	sendmsg(BOARD_CONTROL_FD, &message, MSG_NOSIGNAL);
}

static inline int32_t ask_board(uint32_t type, const void *body, size_t length, void *reply,
				size_t capacity)
{
	struct board_message head = { .type = type, .length = (uint32_t)length };
	struct iovec out[] = { { &head, sizeof(head) }, { (void *)body, length } };
	struct iovec in[] = { { &head, sizeof(head) }, { reply, capacity } };
	struct msghdr message = { .msg_iov = out, .msg_iovlen = 2 };

	sendmsg(BOARD_STORAGE_FD, &message, MSG_NOSIGNAL);
	message.msg_iov = in;
	if (recvmsg(BOARD_STORAGE_FD, &message, 0) < (ssize_t)sizeof(head))
		return -EPIPE;
	return head.status;
}

static inline int connect_to(const char *run, unsigned int function)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_in_range(snprintf(address.sun_path, sizeof(address.sun_path), "%.80s/fn%u.sock",
				 run, function),
			1, sizeof(address.sun_path) - 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

#endif /* BOARD_FIRMWARE_DOUBLE_H */
