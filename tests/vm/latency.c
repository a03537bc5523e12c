// SPDX-License-Identifier: Apache-2.0
/*
 * How long one synchronous command takes, there and back, in a guest: a message of 64 bytes by the
 * driver's ioctl, or a flush by NVMe's passthrough ioctl.
 *
 * latency COUNT DEVICE      prints the median and the 95th percentile in microseconds
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <hsm/wire.h>
#include <linux/ihsm.h>
#include <linux/nvme_ioctl.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* For a channel that does not exist: the device looks at it and answers with a status. */
static int hsm_once(int fd)
{
	static unsigned char message[64], response[128];
	struct hsm_message_header header = {
		.version = HSM_PROTOCOL_VERSION,
		.kind = HSM_MESSAGE_SEALED,
		.channel = 0x7fffffff,
		.length = sizeof(message) - sizeof(header),
	};
	struct ihsm_command command = {
		.size = sizeof(command),
		.in = (uintptr_t)message,
		.in_len = sizeof(message),
		.out = (uintptr_t)response,
		.out_len = sizeof(response),
	};

	memcpy(message, &header, sizeof(header));
	return ioctl(fd, IHSM_IOC_COMMAND, &command);
}

static int nvme_once(int fd)
{
	struct nvme_passthru_cmd command = { .opcode = 0x00, .nsid = 1 };

	return ioctl(fd, NVME_IOCTL_IO_CMD, &command);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	int count = argc == 3 ? atoi(argv[1]) : 0;
	double *times = calloc((size_t)count + 1, sizeof(*times));
	int fd = count > 0 ? open(argv[2], O_RDWR) : -1;
	int (*once)(int) = argc == 3 && strstr(argv[2], "nvme") ? nvme_once : hsm_once;

	if (!times || fd < 0) {
		perror("latency COUNT DEVICE");
		return 2;
	}
	for (int i = -count / 10; i < count; i++) {
		double start = now();

		if (once(fd)) {
			perror(argv[2]);
			return 1;
		}
		if (i >= 0)
			times[i] = now() - start;
	}
	qsort(times, (size_t)count, sizeof(*times), compare);
	printf("%.1f %.1f\n", times[count / 2], times[count * 95 / 100]);
	return 0;
}
