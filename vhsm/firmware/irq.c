// SPDX-License-Identifier: Apache-2.0
/*
 * Interrupts: MSI-X vectors, each an eventfd of the client. One that is raised while its vector has no
 * eventfd stays pending and fires when it gets one (QEMU disarms all vectors to arm one more).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transport.h"

void irq_init(struct irq_set *irq)
{
	pthread_mutex_init(&irq->lock, NULL);
	for (unsigned int i = 0; i < IHSM_MAX_VECTORS; i++)
		irq->fd[i] = -1;
	irq->pending = 0;
}

void irq_destroy(struct irq_set *irq)
{
	for (unsigned int i = 0; i < IHSM_MAX_VECTORS; i++)
		if (irq->fd[i] >= 0)
			close(irq->fd[i]);
	pthread_mutex_destroy(&irq->lock);
}

/* A full eventfd means that the client has been told and did not look yet. */
static void signal_fd(int fd)
{
	const uint64_t one = 1;
	ssize_t written = write(fd, &one, sizeof(one));

	(void)written;
}

/*
 * The write must not block a worker: no pipe and no socket, and not a blocking eventfd. (The client
 * shares the file's flags with us; one that plays with them holds up commands of its own function.)
 */
static int check_fd(int fd)
{
	struct stat info;
	int flags;

	if (fstat(fd, &info))
		return -errno;
	if (info.st_mode & S_IFMT)
		return -EINVAL;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	return 0;
}

/**
 * irq_wire - connect a vector to an eventfd, or disarm it
 * @irq: of the connection
 * @vector: below IHSM_MAX_VECTORS
 * @fd: taken over on success; -1: disarm
 *
 * Return: 0 or -EINVAL when it is no eventfd.
 */
int irq_wire(struct irq_set *irq, unsigned int vector, int fd)
{
	int old, error;

	if (vector >= IHSM_MAX_VECTORS)
		return -EINVAL;
	if (fd >= 0) {
		error = check_fd(fd);
		if (error)
			return error;
	}
	pthread_mutex_lock(&irq->lock);
	old = irq->fd[vector];
	irq->fd[vector] = fd;
	if (fd >= 0 && irq->pending & (1U << vector)) {
		irq->pending &= ~(1U << vector);
		signal_fd(fd);
	}
	pthread_mutex_unlock(&irq->lock);
	if (old >= 0)
		close(old);
	return 0;
}

/* irq_raise - raise a vector; IHSM_NO_VECTOR and others out of range are nothing */
void irq_raise(struct irq_set *irq, unsigned int vector)
{
	if (vector >= IHSM_MAX_VECTORS)
		return;
	pthread_mutex_lock(&irq->lock);
	if (irq->fd[vector] >= 0)
		signal_fd(irq->fd[vector]);
	else
		irq->pending |= 1U << vector;
	pthread_mutex_unlock(&irq->lock);
}

/* irq_pending - the pending-bit array */
uint32_t irq_pending(struct irq_set *irq)
{
	uint32_t pending;

	pthread_mutex_lock(&irq->lock);
	pending = irq->pending;
	pthread_mutex_unlock(&irq->lock);
	return pending;
}
