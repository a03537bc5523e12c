// SPDX-License-Identifier: Apache-2.0
/*
 * Transfers over /dev/ihsmN that were only submitted: they wait here, in order, until a ring
 * (driver_uring.c) or, where the kernel has none for us, one of a few helper threads carries them.
 */
#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include "driver_private.h"

#define STACK_SIZE (128 * 1024)

/* ---- one command ---- */

void driver_end(struct driver *driver, struct transfer *transfer)
{
	bool notify = transfer->notify;

	/* From here on the transfer may be gone. */
	transfer_end(transfer);
	if (notify)
		eventfd_write(driver->event, 1);
}

void driver_carry(struct driver *driver, struct transfer *transfer)
{
	struct file *file = driver_file_get(driver, transfer->instance);
	struct ihsm_command command = driver_command(transfer);
	int err;

	command.poll_us = driver->poll_us;
	if (file) {
		err = driver->calls->ioctl(file->fd, IHSM_IOC_COMMAND, &command);
		driver_settle(driver, file, transfer, &command, err);
		driver_file_drop(driver, file);
	} else {
		transfer->result = -ECONNRESET;
		transfer->unsent = true;
	}
	driver_end(driver, transfer);
}

/* ---- the transfers that wait ---- */

/* With the lock held: parts of a session's operation must not overtake each other. */
static bool queue_is_busy(const struct driver *driver, unsigned int queue)
{
	if (driver->ring && driver_ring_busy(driver->ring, queue))
		return true;
	for (unsigned int i = 0; i < driver->workers; i++)
		if (driver->worker[i].busy && driver->worker[i].queue == queue)
			return true;
	return false;
}

bool driver_queue_used(const struct driver *driver, unsigned int queue)
{
	for (const struct transfer *t = driver->first; t; t = t->next)
		if (t->queue == queue)
			return true;
	return queue_is_busy(driver, queue);
}

static void append(struct driver *driver, struct transfer *transfer)
{
	transfer->next = NULL;
	*driver->last = transfer;
	driver->last = &transfer->next;
	driver->queued++;
}

static void unlink_at(struct driver *driver, struct transfer **at)
{
	struct transfer *transfer = *at;

	*at = transfer->next;
	if (!*at)
		driver->last = at;
	driver->queued--;
}

struct transfer *driver_take(struct driver *driver)
{
	for (struct transfer **at = &driver->first; *at; at = &(*at)->next) {
		struct transfer *transfer = *at;

		if (queue_is_busy(driver, transfer->queue))
			continue;
		unlink_at(driver, at);
		return transfer;
	}
	return NULL;
}

/* ---- helper threads ---- */

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct driver *driver = worker->driver;
	struct transfer *transfer;

	pthread_mutex_lock(&driver->lock);
	while (!driver->stop) {
		transfer = driver_take(driver);
		if (!transfer) {
			driver->idle++;
			pthread_cond_wait(&driver->work, &driver->lock);
			driver->idle--;
			continue;
		}
		worker->queue = transfer->queue;
		worker->busy = true;
		pthread_mutex_unlock(&driver->lock);
		driver_carry(driver, transfer);
		pthread_mutex_lock(&driver->lock);
		worker->busy = false;
	}
	pthread_mutex_unlock(&driver->lock);
	return NULL;
}

int driver_start_thread(pthread_t *thread, void *(*function)(void *), void *argument)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int err;

	if (pthread_attr_init(&attr))
		return -ENOMEM;
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(thread, &attr, function, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -err;
}

/* With the lock held: as many workers as there is work, within the limit */
static void employ(struct driver *driver)
{
	struct worker *worker = &driver->worker[driver->workers];

	if (driver->queued <= driver->idle || driver->workers == DRIVER_WORKERS_MAX) {
		pthread_cond_signal(&driver->work);
		return;
	}
	*worker = (struct worker){ .driver = driver };
	if (driver_start_thread(&worker->thread, work, worker) == 0)
		driver->workers++;
	else
		pthread_cond_signal(&driver->work);
}

bool driver_hand_over(struct driver *driver, struct transfer *transfer)
{
	append(driver, transfer);
	if (driver->calls->uring && !driver->ring_tried) {
		driver->ring_tried = true;
		driver->ring = driver_ring_start(driver);
	}
	if (driver->ring) {
		driver_ring_wake(driver->ring);
		return true;
	}
	employ(driver);
	if (driver->workers > 0)
		return true;
	unlink_at(driver, &driver->first);
	return false;
}

void driver_dismiss(struct driver *driver)
{
	struct transfer *next;

	pthread_mutex_lock(&driver->lock);
	driver->stop = true;
	pthread_cond_broadcast(&driver->work);
	if (driver->ring)
		driver_ring_wake(driver->ring);
	pthread_mutex_unlock(&driver->lock);
	if (driver->ring)
		driver_ring_join(driver->ring);
	for (unsigned int i = 0; i < driver->workers; i++)
		pthread_join(driver->worker[i].thread, NULL);
	for (struct transfer *t = driver->first; t; t = next) {
		next = t->next;
		t->result = -ECONNRESET;
		t->unsent = true;
		transfer_end(t);
	}
}
