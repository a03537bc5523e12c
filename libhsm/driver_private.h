/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the driver transport share: driver.c opens and recovers, driver_carry.c has the
 * transfers that were only submitted, driver_uring.c carries them where the kernel has io_uring.
 */
#ifndef LIBHSM_DRIVER_PRIVATE_H
#define LIBHSM_DRIVER_PRIVATE_H

#include "driver.h"

#define DRIVER_WORKERS_MAX 16

/* struct transfer.slot: who carries it */
enum {
	CARRIED_BY_WAITER = 0,
	CARRIED_BY_OTHERS = 1
};

/**
 * struct file - an open descriptor, which is a context
 * @instance: of the transport that it belongs to
 * @users: commands under way, and one for being the present file; under the driver's lock. Closed
 *	with the last: the number must not become another file's under somebody's command.
 */
struct file {
	int fd;
	uint32_t instance;
	unsigned int users;
};

/**
 * struct worker - a helper thread
 * @busy: it carries a transfer of queue @queue
 */
struct worker {
	struct driver *driver;
	pthread_t thread;
	bool busy;
	unsigned int queue;
};

struct driver_ring;

/**
 * struct driver - one open device
 * @admin: function 0 was asked for
 * @poll_us: of the driver's structure, for all commands by ioctl
 * @lock: of all below, but for @event
 * @work: for idle workers
 * @file: the present context, NULL after recovery has failed
 * @max_message: longest message that the device takes
 * @first, @last: submitted transfers that nobody carries yet, oldest first
 * @queued: of them
 * @workers: of @worker, where there is no @ring
 * @idle: workers without work
 * @stop: the end
 * @ring: carries what was submitted, or NULL
 * @ring_tried: no need to try again
 * @event: readable when a submitted transfer has ended
 */
struct driver {
	struct transport transport;
	const struct driver_calls *calls;
	struct device_name name;
	bool admin;
	uint32_t poll_us;

	pthread_mutex_t lock;
	pthread_cond_t work;
	struct file *file;
	uint32_t max_message;
	struct transfer *first;
	struct transfer **last;
	unsigned int queued;
	unsigned int workers;
	unsigned int idle;
	bool stop;
	struct worker worker[DRIVER_WORKERS_MAX];
	struct driver_ring *ring;
	bool ring_tried;

	int event;
};

/* ---- driver.c ---- */

/*
 * driver_file_get - the file that a message was made for, or NULL when that context is lost;
 * driver_file_drop() is due. The lock is held, or not.
 */
struct file *driver_file_get(struct driver *driver, uint32_t instance);
struct file *driver_file_get_locked(struct driver *driver, uint32_t instance);
void driver_file_drop(struct driver *driver, struct file *file);

/* driver_command - the driver's structure for a transfer */
struct ihsm_command driver_command(const struct transfer *transfer);

/* driver_settle - what the driver's errno means for the command: linux/ihsm.h, "Conventions" */
void driver_settle(struct driver *driver, struct file *file, struct transfer *transfer,
		   const struct ihsm_command *command, int err);

/* ---- driver_carry.c; the first two with the lock held ---- */

/* driver_queue_used - do transfers of this queue wait, or are they under way? */
bool driver_queue_used(const struct driver *driver, unsigned int queue);
/* driver_hand_over - have a transfer carried. Return: false when there is nobody to carry it */
bool driver_hand_over(struct driver *driver, struct transfer *transfer);
/* driver_take - with the lock held: the oldest transfer whose queue nobody is busy with, or NULL */
struct transfer *driver_take(struct driver *driver);
/* driver_carry - carry a transfer by this thread, to its end */
void driver_carry(struct driver *driver, struct transfer *transfer);
/* driver_end - a transfer has its result; it may be gone afterwards */
void driver_end(struct driver *driver, struct transfer *transfer);
/* driver_dismiss - nothing is carried any more; waits for what is under way */
void driver_dismiss(struct driver *driver);
/* driver_start_thread - one that takes no signals: the application's are for its own threads */
int driver_start_thread(pthread_t *thread, void *(*work)(void *), void *argument);

/* ---- driver_uring.c ---- */

/* driver_ring_start - a thread with a ring; NULL when the kernel has none for us */
struct driver_ring *driver_ring_start(struct driver *driver);
/* driver_ring_wake - with the lock held: there is something to take, or the end has come */
void driver_ring_wake(struct driver_ring *ring);
/* driver_ring_busy - with the lock held: is a transfer of this queue under way? */
bool driver_ring_busy(const struct driver_ring *ring, unsigned int queue);
/* driver_ring_join - after driver->stop: the thread's end */
void driver_ring_join(struct driver_ring *ring);
/* driver_ring_free - give the ring back; in a forked child without its thread */
void driver_ring_free(struct driver_ring *ring);

#endif /* LIBHSM_DRIVER_PRIVATE_H */
