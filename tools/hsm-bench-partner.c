// SPDX-License-Identifier: Apache-2.0
/*
 * Two threads that hand a word over and back: what the machine itself needs for the empty command,
 * spinning and sleeping, without any device.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "hsm-bench.h"

#define STOP UINT64_MAX

/* @ask and @answer are on cache lines of their own: each has one writer. */
struct partner {
	_Alignas(64) atomic_uint_fast64_t ask;
	_Alignas(64) atomic_uint_fast64_t answer;
	_Alignas(64) uint64_t count;
	bool spinning;
	int there, back; /* eventfds */
	pthread_t thread;
	cpu_set_t allowed; /* where the caller could run before */
};

static void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#endif
}

static int ring(int fd)
{
	return eventfd_write(fd, 1) ? -errno : 0;
}

static int hear(int fd)
{
	eventfd_t value;

	while (eventfd_read(fd, &value))
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* The next word that differs from @last */
static uint64_t next_word(struct partner *partner, uint64_t last)
{
	uint64_t word;

	if (!partner->spinning && hear(partner->there))
		return STOP;
	do {
		word = atomic_load_explicit(&partner->ask, memory_order_acquire);
		if (word == last)
			relax();
	} while (word == last);
	return word;
}

static void *answer_all(void *arg)
{
	struct partner *partner = arg;
	uint64_t word = 0;

	while ((word = next_word(partner, word)) != STOP) {
		atomic_store_explicit(&partner->answer, word, memory_order_release);
		if (!partner->spinning && ring(partner->back))
			break;
	}
	return NULL;
}

static void free_partner(struct partner *partner)
{
	if (partner->there >= 0)
		close(partner->there);
	if (partner->back >= 0)
		close(partner->back);
	free(partner);
}

/*
 * Two that spin belong on two processors, and stay there: on one, or while the scheduler moves them about, the figure is
 * the scheduler's. With one processor alone they are left to it.
 */
static void pin_apart(struct partner *partner)
{
	int here = sched_getcpu(), other;
	cpu_set_t set;

	CPU_ZERO(&partner->allowed);
	if (sched_getaffinity(0, sizeof(partner->allowed), &partner->allowed) || here < 0 ||
	    CPU_COUNT(&partner->allowed) < 2)
		return;
	other = here;
	do
		other = (other + 1) % CPU_SETSIZE;
	while (!CPU_ISSET(other, &partner->allowed));
	CPU_ZERO(&set);
	CPU_SET(other, &set);
	pthread_setaffinity_np(partner->thread, sizeof(set), &set);
	CPU_ZERO(&set);
	CPU_SET(here, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

struct partner *partner_start(bool spinning)
{
	struct partner *partner = aligned_alloc(64, sizeof(*partner));

	if (!partner)
		return NULL;
	*partner = (struct partner){ .spinning = spinning };
	partner->there = eventfd(0, EFD_CLOEXEC);
	partner->back = eventfd(0, EFD_CLOEXEC);
	if (partner->there >= 0 && partner->back >= 0 &&
	    !pthread_create(&partner->thread, NULL, answer_all, partner)) {
		if (spinning)
			pin_apart(partner);
		return partner;
	}
	free_partner(partner);
	return NULL;
}

int partner_run(struct partner *partner)
{
	uint64_t word = ++partner->count;
	int ret;

	atomic_store_explicit(&partner->ask, word, memory_order_release);
	if (!partner->spinning) {
		ret = ring(partner->there);
		return ret ? ret : hear(partner->back);
	}
	while (atomic_load_explicit(&partner->answer, memory_order_acquire) != word)
		relax();
	return 0;
}

void partner_stop(struct partner *partner)
{
	if (!partner)
		return;
	atomic_store(&partner->ask, STOP);
	ring(partner->there);
	pthread_join(partner->thread, NULL);
	if (partner->spinning && CPU_COUNT(&partner->allowed))
		sched_setaffinity(0, sizeof(partner->allowed), &partner->allowed);
	free_partner(partner);
}
