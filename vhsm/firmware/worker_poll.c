// SPDX-License-Identifier: Apache-2.0
/*
 * Polling: which queues are hot, who polls them and for how long, and how that is left to others (worker.h tells the
 * whole).
 */
#include <sched.h>
#include <stdlib.h>
#include "worker.h"

#define LEADER_TURNS  8 /* commands that a socket's thread executes before it looks at the socket */
#define BACKLOG_TURNS 16 /* commands in a row with more behind them before help is called */
#define YIELD_NS      4000 /* polling alone for so long; then whoever wants the processor gets it */
#define SHARED_NS     3000 /* a yield as long as this: somebody else used the processor meanwhile */
#define SHARED_YIELDS 8 /* of them in a row before the thread looks for another processor */
#define ASIDE_NS      2000000 /* and no more often than this */
#define PREEMPTED_NS  50000 /* a gap in polling as long as this: the processor is wanted by others */

static void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#endif
}

/* ---- hot queues; with the pool's lock held ---- */

void pool_hot_add(struct pool *pool, struct queue *queue)
{
	struct queue **more;

	if (queue->hot)
		return;
	if (pool->hot_count == pool->hot_room) {
		more = realloc(pool->hot, (pool->hot_room * 2 + 8) * sizeof(struct queue *));
		if (!more)
			abort();
		pool->hot = more;
		pool->hot_room = pool->hot_room * 2 + 8;
	}
	pool->hot[pool->hot_count++] = queue_get(queue);
	queue->hot = true;
	atomic_fetch_add(&pool->generation, 1);
}

/* Returns whether the caller now owes a queue_put(). */
bool pool_hot_remove(struct pool *pool, struct queue *queue)
{
	if (!queue->hot)
		return false;
	for (unsigned int i = 0; i < pool->hot_count; i++) {
		if (pool->hot[i] != queue)
			continue;
		pool->hot[i] = pool->hot[--pool->hot_count];
		break;
	}
	queue->hot = false;
	atomic_fetch_add(&pool->generation, 1);
	return true;
}

/*
 * Make a queue cold. It leaves the list before it asks for doorbells: one that is rung in between puts
 * it back.
 */
static void cool(struct pool *pool, struct queue *queue)
{
	bool owed;

	pthread_mutex_lock(&pool->lock);
	owed = pool_hot_remove(pool, queue);
	pthread_mutex_unlock(&pool->lock);
	if (queue_arm(queue)) {
		pthread_mutex_lock(&pool->lock);
		pool_hot_add(pool, queue);
		pthread_mutex_unlock(&pool->lock);
	}
	if (owed)
		queue_put(queue);
}

/* How long to poll a queue that just became hot: not at all when that was in vain before. */
void queue_choose_window(struct pool *pool, struct queue *queue)
{
	uint64_t gap = worker_now() - atomic_load(&queue->last);

	if (queue->misses >= MISSES_MAX && gap <= 2 * pool->spin_ns)
		queue->misses = MISSES_MAX - 1;
	atomic_store(&queue->window, queue->misses >= MISSES_MAX ? 0 : pool->spin_ns);
}

/* ---- the leader ---- */

static void polled_drop(struct worker *worker)
{
	for (unsigned int i = 0; i < worker->polled_count; i++)
		queue_put(worker->polled[i]);
	worker->polled_count = 0;
	worker->seen = 0;
}

/* Takes a copy of the hot list when it has changed. */
static void polled_refresh(struct worker *worker)
{
	struct pool *pool = worker->pool;
	struct queue **more;

	if (worker->seen == atomic_load_explicit(&pool->generation, memory_order_acquire))
		return;
	polled_drop(worker);
	pthread_mutex_lock(&pool->lock);
	if (worker->polled_room < pool->hot_count) {
		more = realloc(worker->polled, pool->hot_room * sizeof(struct queue *));
		if (!more)
			abort();
		worker->polled = more;
		worker->polled_room = pool->hot_room;
	}
	for (unsigned int i = 0; i < pool->hot_count; i++)
		worker->polled[i] = queue_get(pool->hot[i]);
	worker->polled_count = pool->hot_count;
	worker->seen = atomic_load(&pool->generation);
	pthread_mutex_unlock(&pool->lock);
}

/* Let another thread poll. Returns false when there is none. */
static bool pass_leadership(struct worker *worker)
{
	struct pool *pool = worker->pool;
	struct worker *other;

	pthread_mutex_lock(&pool->lock);
	other = worker_find(pool, false);
	if (other) {
		worker->leading = false;
		worker_give(other, JOB_LEAD);
	}
	pthread_mutex_unlock(&pool->lock);
	return other;
}

/*
 * A longer command is about to run: nobody shall wait for us to poll. When as many run as may run, the queues stay
 * hot, and whoever ends first finds the next command there without a doorbell.
 */
void worker_release_leadership(struct worker *worker)
{
	struct pool *pool = worker->pool;
	bool full;

	pthread_mutex_lock(&pool->lock);
	full = !pool_may_start(pool);
	if (full) {
		worker->leading = false;
		pool->leader = false;
	}
	pthread_mutex_unlock(&pool->lock);
	if (full)
		return;
	polled_refresh(worker);
	for (unsigned int i = 0; i < worker->polled_count; i++)
		cool(pool, worker->polled[i]);
	pthread_mutex_lock(&pool->lock);
	worker->leading = false;
	pool->leader = false;
	pool_fill_vacancy(pool);
	pthread_mutex_unlock(&pool->lock);
}

/* Commands pile up although each is short: a second thread fetches from the same queue. */
static void call_help(struct worker *worker, struct queue *queue)
{
	struct pool *pool = worker->pool;
	struct worker *other;

	pthread_mutex_lock(&pool->lock);
	if (pool->busy + pool->long_running + pool->helpers + 1 < pool->cpus) {
		other = worker_find(pool, false);
		if (other) {
			pool->helpers++;
			other->help = queue_get(queue);
			worker_give(other, JOB_HELP);
		}
	}
	pthread_mutex_unlock(&pool->lock);
}

static void note_backlog(struct worker *worker, struct queue *queue, bool more)
{
	worker->backlog = more ? worker->backlog + 1 : 0;
	if (worker->backlog < BACKLOG_TURNS)
		return;
	worker->backlog = 0;
	call_help(worker, queue);
}

/* One look at each hot queue. Returns whether anything was executed. */
static bool poll_round(struct worker *worker)
{
	bool worked = false;

	polled_refresh(worker);
	for (unsigned int i = 0; i < worker->polled_count; i++) {
		struct queue *queue = worker->polled[i];
		struct task task;
		bool more;

		if (!queue_fetch(queue, &task, &more)) {
			/* Another thread took what came behind, or there is no room for its end. */
			if (worker->owes == queue)
				worker_pay(worker);
			continue;
		}
		worked = true;
		worker->turns++;
		/* The command that a doorbell announced was not found by polling. */
		if (!queue->fresh)
			queue->misses = 0;
		queue->fresh = false;
		note_backlog(worker, queue, more);
		task_run(worker, &task);
		atomic_store(&queue->last, worker_now());
		if (!worker->leading || worker->seen != atomic_load(&worker->pool->generation))
			break;
	}
	return worked;
}

/* Make cold what has been polled long enough. */
static void cool_round(struct worker *worker, bool spin, uint64_t now)
{
	for (unsigned int i = 0; i < worker->polled_count; i++) {
		struct queue *queue = worker->polled[i];

		if (spin && now - atomic_load(&queue->last) < atomic_load(&queue->window))
			continue;
		if (spin && atomic_load(&queue->window))
			queue->misses++;
		cool(worker->pool, queue);
	}
}

/* Stop being the leader when nothing is hot. Returns whether spinning goes on. */
static bool stay_leader(struct worker *worker)
{
	struct pool *pool = worker->pool;

	pthread_mutex_lock(&pool->lock);
	if (!pool->hot_count || !pool_may_start(pool)) {
		pool->leader = false;
		worker->leading = false;
	}
	pthread_mutex_unlock(&pool->lock);
	return worker->leading;
}

/* Leave this processor to whoever else wants it. Where the thread may run is as before in the end. */
static void step_aside(void)
{
	int here = sched_getcpu();
	cpu_set_t all, others;

	if (here < 0 || here >= CPU_SETSIZE || sched_getaffinity(0, sizeof(all), &all))
		return;
	others = all;
	CPU_CLR(here, &others);
	if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof(others), &others))
		return;
	sched_setaffinity(0, sizeof(all), &all);
}

/*
 * The scheduler puts whoever was woken on the processor of the waker, and a message on a socket wakes so:
 * the client that we poll for may be waiting for our processor. It gets it; and when that goes on,
 * we go elsewhere, for two that take turns on one processor look busy to the scheduler, but get
 * nothing done at a time. Return: the time.
 */
static uint64_t yield(struct worker *worker)
{
	uint64_t before = worker_now(), now;

	sched_yield();
	now = worker_now();
	worker->shared = now - before > SHARED_NS ? worker->shared + 1 : 0;
	if (worker->shared < SHARED_YIELDS || now - worker->aside < ASIDE_NS)
		return now;
	step_aside();
	worker->shared = 0;
	worker->aside = worker_now();
	return worker->aside;
}

/*
 * Nothing to do: poll on, for as long as it is worth it. A gap between two looks at the clock means that
 * others want this processor more.
 */
static void spin_or_leave(struct worker *worker)
{
	uint64_t start = worker_now(), now = start, before;
	bool spin;

	pthread_mutex_lock(&worker->pool->lock);
	spin = pool_may_spin(worker->pool);
	pthread_mutex_unlock(&worker->pool->lock);
	for (;;) {
		cool_round(worker, spin, now);
		if (!stay_leader(worker))
			return;
		/* Commands came in while queues were made cold, or others are still worth polling. */
		if (worker->seen != atomic_load(&worker->pool->generation))
			return;
		if (worker->serving && pass_leadership(worker))
			return;
		for (unsigned int i = 0; i < 16; i++) {
			for (unsigned int n = 0; n < worker->polled_count; n++)
				if (queue_pending(worker->polled[n]))
					return;
			if (worker->seen != atomic_load(&worker->pool->generation))
				return;
			relax();
		}
		before = now;
		now = now - start > YIELD_NS ? yield(worker) : worker_now();
		if (now - before > PREEMPTED_NS)
			spin = false;
	}
}

/**
 * worker_put_off - may the interrupt for a completion wait for the next one?
 * @worker: that has executed the command
 * @queue: of the command, whose lock is held
 *
 * Only the leader goes on at once. It raises the interrupt when it finds nothing more to do in this queue, when a
 * command turns out to take longer, and when it stops to be the leader. Return: true, and the thread owes it.
 */
bool worker_put_off(struct worker *worker, struct queue *queue)
{
	if (!worker->leading || (worker->owes && worker->owes != queue))
		return false;
	if (!worker->owes)
		worker->owes = queue_get(queue);
	return true;
}

void worker_pay(struct worker *worker)
{
	struct queue *queue = worker->owes;

	if (!queue)
		return;
	worker->owes = NULL;
	queue_signal(queue);
	queue_put(queue);
}

/* Poll until there is nothing to poll, or until somebody else does. */
void worker_lead(struct worker *worker)
{
	worker->turns = 0;
	/* Asked again whenever there was nothing to do; between two commands it would only delay the second. */
	stay_leader(worker);
	while (worker->leading) {
		/* A socket must not wait for as long as commands keep coming. */
		if (worker->serving && worker->turns >= LEADER_TURNS && pass_leadership(worker))
			break;
		if (poll_round(worker))
			continue;
		worker_pay(worker);
		if (worker->leading)
			spin_or_leave(worker);
	}
	worker_pay(worker);
	polled_drop(worker);
}

void worker_help(struct worker *worker)
{
	struct pool *pool = worker->pool;
	struct queue *queue = worker->help;
	struct task task;
	bool more;

	while (!worker->leading && queue_fetch(queue, &task, &more))
		task_run(worker, &task);
	pthread_mutex_lock(&pool->lock);
	pool->helpers--;
	pthread_mutex_unlock(&pool->lock);
	queue_put(queue);
	worker->help = NULL;
}
