// SPDX-License-Identifier: Apache-2.0
/*
 * Submitted transfers by io_uring: one thread puts them into a ring and takes the answers, where
 * helper threads would each sleep in an ioctl. The ring is that thread's own, for a command is answered
 * in the thread that submitted it, and dies with it.
 */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "driver_private.h"

#define DEPTH 64
#define WAKE  UINT64_MAX /* user_data of the read of @wake */

/**
 * struct flight - a transfer in the ring
 * @file: in use until it ends
 */
struct flight {
	struct transfer *transfer;
	struct file *file;
	unsigned int queue;
};

/**
 * struct driver_ring - the thread and its ring
 * @wake: eventfd: there is something to take
 * @woken: what the read of @wake wrote
 * @flight: what is in the ring; @transfer is NULL where nothing is. The lock protects @transfer and @queue
 * @flying: how many of them
 */
struct driver_ring {
	struct driver *driver;
	pthread_t thread;
	struct io_uring ring;
	int wake;
	uint64_t woken;
	struct flight flight[DEPTH];
	unsigned int flying;
};

bool driver_ring_busy(const struct driver_ring *ring, unsigned int queue)
{
	for (unsigned int i = 0; i < DEPTH; i++)
		if (ring->flight[i].transfer && ring->flight[i].queue == queue)
			return true;
	return false;
}

void driver_ring_wake(struct driver_ring *ring)
{
	eventfd_write(ring->wake, 1);
}

/* There is always an entry: the ring has more than can fly, and all are submitted in each turn. */
static void watch(struct driver_ring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->ring);

	io_uring_prep_read(sqe, ring->wake, &ring->woken, sizeof(ring->woken), 0);
	sqe->user_data = WAKE;
}

static void put(struct driver_ring *ring, unsigned int slot)
{
	struct flight *flight = &ring->flight[slot];
	const struct ihsm_command command = driver_command(flight->transfer);
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->ring);

	memset(sqe, 0, 2 * sizeof(*sqe));
	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, flight->file->fd, NULL, 0, 0);
	sqe->cmd_op = IHSM_IOC_COMMAND;
	memcpy(sqe->cmd, &command, sizeof(command));
	sqe->user_data = slot;
}

/* Without the lock, since ends are told to the program. */
static void end_unsent(struct driver *driver, struct transfer *transfer)
{
	transfer->result = -ECONNRESET;
	transfer->unsent = true;
	driver_end(driver, transfer);
}

/* With the lock held, which is given back for a while. Return: whether there was one to take. */
static bool launch(struct driver_ring *ring)
{
	struct driver *driver = ring->driver;
	struct transfer *transfer;
	struct file *file;
	unsigned int slot;

	for (slot = 0; slot < DEPTH && ring->flight[slot].transfer; slot++)
		;
	transfer = slot < DEPTH && !driver->stop ? driver_take(driver) : NULL;
	if (!transfer)
		return false;
	file = driver_file_get_locked(driver, transfer->instance);
	if (file) {
		ring->flight[slot] = (struct flight){
			.transfer = transfer,
			.file = file,
			.queue = transfer->queue,
		};
		ring->flying++;
		put(ring, slot);
		return true;
	}
	pthread_mutex_unlock(&driver->lock);
	end_unsent(driver, transfer);
	pthread_mutex_lock(&driver->lock);
	return true;
}

static void land(struct driver_ring *ring, struct flight *flight, int result)
{
	struct driver *driver = ring->driver;
	struct transfer *transfer = flight->transfer;
	const struct ihsm_command answer = {
		.status = IHSM_URING_STATUS(result),
		.written = IHSM_URING_WRITTEN(result),
	};

	driver_settle(driver, flight->file, transfer, &answer, result < 0 ? result : 0);
	driver_file_drop(driver, flight->file);
	pthread_mutex_lock(&driver->lock);
	flight->transfer = NULL;
	pthread_mutex_unlock(&driver->lock);
	ring->flying--;
	driver_end(driver, transfer);
}

static void take_answers(struct driver_ring *ring)
{
	struct io_uring_cqe *cqe;
	uint64_t who;
	int result;

	while (io_uring_peek_cqe(&ring->ring, &cqe) == 0) {
		who = cqe->user_data;
		result = cqe->res;
		io_uring_cqe_seen(&ring->ring, cqe);
		if (who == WAKE)
			watch(ring);
		else
			land(ring, &ring->flight[who], result);
	}
}

/* Return: 0, or a negative errno when the kernel is short of something */
static int turn(struct driver_ring *ring)
{
	int ret = io_uring_submit_and_wait(&ring->ring, 1);

	take_answers(ring);
	return ret < 0 && ret != -EINTR ? ret : 0;
}

static void nap(void)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	nanosleep(&pause, NULL);
}

/* What was not taken by the kernel stays in the ring, and is offered again in the next turn. */
static void *fly(void *argument)
{
	struct driver_ring *ring = argument;
	struct driver *driver = ring->driver;
	bool on;

	/* The ring belongs to the thread that enables it. (Debian 12's liburing does not export the call.) */
	syscall(SYS_io_uring_register, ring->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
	watch(ring);
	do {
		pthread_mutex_lock(&driver->lock);
		while (launch(ring))
			;
		on = !driver->stop || ring->flying;
		pthread_mutex_unlock(&driver->lock);
		if (on && turn(ring))
			nap();
	} while (on);
	return NULL;
}

/* Older kernels, and those whose owner has switched it off, have no ring for us. */
static int ring_init(struct io_uring *ring)
{
	return io_uring_queue_init(2 * DEPTH, ring,
				   IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER |
					   IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SQE128);
}

struct driver_ring *driver_ring_start(struct driver *driver)
{
	struct driver_ring *ring = calloc(1, sizeof(*ring));

	if (!ring)
		return NULL;
	ring->driver = driver;
	ring->wake = eventfd(0, EFD_CLOEXEC);
	if (ring->wake < 0)
		goto free;
	if (ring_init(&ring->ring))
		goto close;
	if (driver_start_thread(&ring->thread, fly, ring))
		goto exit;
	return ring;
exit:
	io_uring_queue_exit(&ring->ring);
close:
	close(ring->wake);
free:
	free(ring);
	return NULL;
}

void driver_ring_join(struct driver_ring *ring)
{
	pthread_join(ring->thread, NULL);
}

void driver_ring_free(struct driver_ring *ring)
{
	if (!ring)
		return;
	io_uring_queue_exit(&ring->ring);
	close(ring->wake);
	free(ring);
}
