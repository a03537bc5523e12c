// SPDX-License-Identifier: Apache-2.0
/*
 * How many commands a second go through io_uring, 32 at a time, in a guest: messages of 64 bytes by the
 * driver, or flushes by NVMe's passthrough.
 *
 * rate COUNT DEVICE      /dev/ihsmN, or /dev/ng0n1; prints commands per second
 */
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <hsm/wire.h>
#include <linux/ihsm.h>
#include <linux/nvme_ioctl.h>

#define DEPTH 32

static unsigned char messages[DEPTH][64], responses[DEPTH][128];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* For a channel that does not exist: the device looks at it and answers with a status. */
static void put_hsm(struct io_uring_sqe *sqe, unsigned int i)
{
	const struct hsm_message_header header = {
		.version = HSM_PROTOCOL_VERSION,
		.kind = HSM_MESSAGE_SEALED,
		.channel = 0x7fffffff,
		.length = sizeof(messages[0]) - sizeof(header),
	};
	const struct ihsm_command command = {
		.size = sizeof(command),
		.in = (uintptr_t)messages[i],
		.in_len = sizeof(messages[i]),
		.out = (uintptr_t)responses[i],
		.out_len = sizeof(responses[i]),
	};
	memcpy(messages[i], &header, sizeof(header));
	sqe->cmd_op = IHSM_IOC_COMMAND;
	memcpy(sqe->cmd, &command, sizeof(command));
}

static void put_nvme(struct io_uring_sqe *sqe)
{
	const struct nvme_uring_cmd command = { .opcode = 0x00, .nsid = 1 };

	sqe->cmd_op = NVME_URING_CMD_IO;
	memcpy(sqe->cmd, &command, sizeof(command));
}

static int put(struct io_uring *ring, int fd, int nvme, unsigned int i)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (!sqe)
		return -1;
	memset(sqe, 0, 2 * sizeof(*sqe));
	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, fd, NULL, 0, 0);
	sqe->user_data = i;
	if (nvme)
		put_nvme(sqe);
	else
		put_hsm(sqe, i);
	return 0;
}

static int run(struct io_uring *ring, int fd, int nvme, unsigned int count)
{
	unsigned int sent = 0, came = 0, failed = 0;
	struct io_uring_cqe *cqe;

	for (; sent < DEPTH && sent < count; sent++)
		put(ring, fd, nvme, sent);
	while (came < count) {
		if (io_uring_submit_and_wait(ring, 1) < 0 || io_uring_peek_cqe(ring, &cqe))
			return -1;
		do {
			unsigned int i = (unsigned int)cqe->user_data;

			failed += cqe->res < 0;
			came++;
			io_uring_cqe_seen(ring, cqe);
			if (sent < count && put(ring, fd, nvme, i) == 0)
				sent++;
		} while (io_uring_peek_cqe(ring, &cqe) == 0);
	}
	return failed ? -1 : 0;
}

int main(int argc, char **argv)
{
	unsigned int count = argc == 3 ? (unsigned int)atoi(argv[1]) : 0;
	int nvme = argc == 3 && strstr(argv[2], "/ng") != NULL;
	int fd = count ? open(argv[2], O_RDWR) : -1;
	/* What a program does that wants the most: one thread, which takes answers when it waits */
	const unsigned int flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
				   IORING_SETUP_SQE128 | IORING_SETUP_CQE32;
	struct io_uring ring;
	double start;

	if (fd < 0 || io_uring_queue_init(2 * DEPTH, &ring, flags)) {
		perror("rate COUNT DEVICE");
		return 2;
	}
	if (run(&ring, fd, nvme, count / 10 + DEPTH))
		return 1;
	start = now();
	if (run(&ring, fd, nvme, count))
		return 1;
	printf("%.0f\n", count / (now() - start));
	return 0;
}
