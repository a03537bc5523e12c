// SPDX-License-Identifier: Apache-2.0
/*
 * Sockets whose thread executes a command meanwhile: who keeps one, and the deputy that sees to it that no message
 * waits for long (worker.h tells the whole).
 */
#include <sys/socket.h>
#include "worker.h"

#define EAGER_TURNS \
	64 /* commands before which the socket is passed on, after messages had to wait */
#define DEPUTY_NS    1000000 /* longest wait of a socket for a command, and the deputy's tick */
#define DEPUTY_TICKS 16 /* ticks without need after which the deputy sleeps */

/* ---- sockets whose thread executes a command; with the pool's lock held ---- */

void worker_keeper_remove(struct pool *pool, struct worker *worker)
{
	for (struct worker **at = &pool->keepers; *at; at = &(*at)->next_keeper) {
		if (*at != worker)
			continue;
		*at = worker->next_keeper;
		return;
	}
}

/* The socket goes to another thread; its messages must not wait for a command to end. */
static void pass_socket(struct pool *pool, struct worker *worker)
{
	struct worker *other = worker_find(pool, true);

	if (!other)
		return;
	other->serving = worker->serving;
	worker->serving = NULL;
	worker_give(other, JOB_SERVE);
}

static bool deputy_round(struct pool *pool)
{
	uint64_t now = worker_now();
	struct worker *next;
	bool any = false;

	for (struct worker *worker = pool->keepers; worker; worker = next) {
		next = worker->next_keeper;
		any = true;
		if (now - worker->kept < DEPUTY_NS)
			continue;
		pass_socket(pool, worker);
		if (!worker->serving)
			worker_keeper_remove(pool, worker);
	}
	return any;
}

static void *deputy_main(void *argument)
{
	struct pool *pool = argument;
	unsigned int quiet = 0;
	struct timespec until;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		quiet = deputy_round(pool) ? 0 : quiet + 1;
		if (quiet > DEPUTY_TICKS) {
			pool->deputy_asleep = true;
			while (pool->deputy_asleep)
				pthread_cond_wait(&pool->deputy_wake, &pool->lock);
			quiet = 0;
		}
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += DEPUTY_NS;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&pool->deputy_wake, &pool->lock, &until);
	}
	return NULL;
}

/* Returns whether there is a deputy to rely on. */
static bool deputy_call(struct pool *pool)
{
	pthread_t thread;

	if (!pool->deputy) {
		if (pthread_create(&thread, NULL, deputy_main, pool))
			return false;
		pthread_detach(thread);
		pool->deputy = true;
	} else if (pool->deputy_asleep) {
		pool->deputy_asleep = false;
		pthread_cond_signal(&pool->deputy_wake);
	}
	return true;
}

/* A command that is not short begins on the thread that serves the socket. */
void worker_keep_or_pass_socket(struct pool *pool, struct worker *worker,
				enum ihsm_time_class time_class)
{
	struct connection *connection = worker->serving;

	if (time_class == IHSM_TIME_MEDIUM && !connection->eager && deputy_call(pool)) {
		worker->kept = worker_now();
		worker->next_keeper = pool->keepers;
		pool->keepers = worker;
		return;
	}
	if (connection->eager)
		connection->eager--;
	pass_socket(pool, worker);
}

/* Did messages have to wait for the command that ends now? */
void worker_look_at_socket(const struct worker *worker)
{
	char byte;

	if (recv(worker->serving->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
		worker->serving->eager = EAGER_TURNS;
}
