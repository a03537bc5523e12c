// SPDX-License-Identifier: Apache-2.0
/*
 * A client that means no good: its messages, its rings and its shadow page are the fuzzer's. Each input is
 * a connection that has been set up in good order first, so that every part of the transport can be reached.
 *
 * Input: two bytes: length of the messages; the messages: command, length of the body, body (command 255: the
 * body goes out without a header); then 512 bytes for the I/O submission ring, 512 for the admin one, 16 for the
 * shadow page, of which any number may be missing.
 */
#define HARNESS_FUZZ
#include "../unit/firmware/transport_harness.h"

#define RING_BYTES   512U
#define SHADOW_BYTES 16U
#define HEAD	     (2 * RING_BYTES + SHADOW_BYTES)
#define INPUT_MAX    4096U

/* struct input - an input taken apart */
struct input {
	const uint8_t *messages;
	size_t length;
	uint8_t head[HEAD];
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return transport_start(NULL) ? -1 : 0;
}

static void drain(struct client *c)
{
	uint8_t ignored[8192];

	while (recv(c->socket, ignored, sizeof(ignored), MSG_DONTWAIT) > 0)
		;
}

static bool send_all(struct client *c, struct iovec *pieces, int count, int fd)
{
	char space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct msghdr message = { .msg_iov = pieces, .msg_iovlen = (size_t)count };

	if (fd >= 0) {
		struct cmsghdr *m = (struct cmsghdr *)space;

		message.msg_control = space;
		message.msg_controllen = sizeof(space);
		m->cmsg_level = SOL_SOCKET;
		m->cmsg_type = SCM_RIGHTS;
		m->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(m), &fd, sizeof(fd));
	}
	drain(c);
	return sendmsg(c->socket, &message, MSG_NOSIGNAL) > 0;
}

static bool send_one(struct client *c, uint8_t command, const uint8_t *body, size_t length,
		     int event)
{
	struct vfio_user_header header = { .message_id = 1,
					   .command = command,
					   .size = (uint32_t)(sizeof(header) + length) };
	struct iovec pieces[] = { { &header, sizeof(header) }, { (void *)body, length } };
	int fd = command == VFIO_USER_DMA_MAP	 ? c->memfd
		 : command == VFIO_USER_SET_IRQS ? event
						 : -1;

	if (command == 255)
		return length && send_all(c, pieces + 1, 1, -1);
	return send_all(c, pieces, 2, fd);
}

static void send_messages(struct client *c, const uint8_t *data, size_t size)
{
	int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	while (size >= 2) {
		size_t length = data[1] < size - 2 ? data[1] : size - 2;

		if (!send_one(c, data[0], data + 2, length, event))
			break;
		data += 2 + length;
		size -= 2 + length;
	}
	close(event);
}

/* The last word is ours: doorbells, so that what is in the rings is looked at. */
static void ring_doorbells(struct client *c)
{
	for (unsigned int qid = 0; qid < 2; qid++) {
		struct {
			struct vfio_user_header header;
			struct vfio_user_region_access access;
			uint32_t value;
		} bell = {
			{ 1, VFIO_USER_REGION_WRITE, 36, VFIO_USER_FLAG_NO_REPLY, 0 },
			{ IHSM_DOORBELL_SQ(qid), 0, 4 },
			htole32(c->tail[qid] + 5),
		};
		struct iovec piece = { &bell, 36 };

		send_all(c, &piece, 1, -1);
	}
}

static void take_apart(struct input *input, const uint8_t *data, size_t size)
{
	size_t rest;

	memset(input, 0, sizeof(*input));
	input->messages = data + 2;
	input->length = data[0] | (size_t)data[1] << 8;
	if (input->length > size - 2)
		input->length = size - 2;
	rest = size - 2 - input->length;
	memcpy(input->head, input->messages + input->length, rest < HEAD ? rest : HEAD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input;
	struct client c;
	char byte;

	if (size < 2 || size > INPUT_MAX)
		return -1;
	take_apart(&input, data, size);
	client_start(&c);
	memcpy(c.memory + IO_SQ(1), input.head, RING_BYTES);
	memcpy(c.memory + ADMIN_SQ + c.tail[0] * IHSM_SQE_SIZE, input.head + RING_BYTES,
	       RING_BYTES);
	memcpy(client_shadow_host(&c, 1), input.head + 2 * RING_BYTES, SHADOW_BYTES);
	/* Ids that no fuzzer guesses. */
	for (unsigned int i = 0; i < 4; i++)
		memcpy(c.memory + IO_SQ(1) + i * IHSM_SQE_SIZE + 8, &c.context, sizeof(c.context));
	ring_doorbells(&c);
	send_messages(&c, input.messages, input.length);
	ring_doorbells(&c);
	shutdown(c.socket, SHUT_WR);
	while (recv(c.socket, &byte, 1, 0) > 0)
		;
	client_end(&c);
	return 0;
}
