// SPDX-License-Identifier: Apache-2.0
/*
 * The threads that execute commands. All of a function's connections share them.
 *
 * A queue is cold: its doorbell will be rung; or hot: somebody polls it. One thread at a time polls all
 * hot queues, the leader. It takes a command and executes it on the spot. When the command turns out to
 * take longer, the leader first makes the queues cold, which costs two stores, and whoever comes next
 * rings; when commands wait already, another thread takes over. With one longer command running for each
 * processor they stay hot without a leader. A thread that ends such a command becomes the leader again if
 * there is none.
 *
 * A cold queue's doorbell is a message on a socket. The thread that reads it becomes the leader itself,
 * so that a wake-up is one hop; before it spins another thread takes over the polling. It executes
 * IHSM_TIME_MEDIUM commands too, since threads that take turns at a socket wake up on the wrong processor;
 * but a connection on which more messages wait meanwhile gets another thread for its socket at once, for
 * the next EAGER_TURNS commands, and a deputy sees to it that no socket waits much longer than DEPUTY_NS.
 *
 * Whoever leaves polling behind keeps this true: while a queue is hot there is a leader, or as many
 * commands run as may run, and the first of them to end becomes the leader.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "transport.h"

#define THREADS_MAX	 96 /* beyond those that only serve sockets */
#define LONG_WAITERS_MAX 32 /* threads that wait for a place for a long command */
#define LEADER_TURNS	 8 /* commands that a socket's thread executes before it looks at the socket */
#define BACKLOG_TURNS	 16 /* commands in a row with more behind them before help is called */
#define IDLE_KEEP	 4 /* idle threads kept beyond one for each processor */
#define MISSES_MAX	 4 /* polling in vain, in a row, before it is given up */
#define YIELD_NS	 4000 /* polling alone for so long; then whoever wants the processor gets it */
#define SHARED_NS	 3000 /* a yield as long as this: somebody else used the processor meanwhile */
#define SHARED_YIELDS	 8 /* of them in a row before the thread looks for another processor */
#define ASIDE_NS	 2000000 /* and no more often than this */
#define PREEMPTED_NS	 50000 /* a gap in polling as long as this: the processor is wanted by others */
#define EAGER_TURNS \
	64 /* commands before which the socket is passed on, after messages had to wait */
#define DEPUTY_NS    1000000 /* longest wait of a socket for a command, and the deputy's tick */
#define DEPUTY_TICKS 16 /* ticks without need after which the deputy sleeps */
#define STACK_SIZE   (1024 * 1024)

enum job {
	JOB_NONE,
	JOB_LEAD,
	JOB_SERVE,
	JOB_HELP
};

/**
 * struct worker - a thread
 * @pool: it belongs to
 * @next: in the list of idle workers
 * @wake: signalled when @job was set
 * @job: what to do next
 * @serving: the connection whose socket it reads; while it is in the pool's list of keepers, under the lock
 * @kept: since when the socket waits for a command
 * @next_keeper: in the list of keepers
 * @help: with JOB_HELP the queue, referenced
 * @leading: it is the leader
 * @seen: generation of the hot list that @polled is a copy of
 * @polled: the queues that it polls, referenced
 * @polled_count: of @polled
 * @polled_room: for @polled
 * @backlog: commands in a row that had others behind them
 * @turns: commands executed since it became the leader
 * @shared: yields in a row in which others used the processor
 * @aside: when it last looked for another processor
 * @request: private buffer of HSM_MESSAGE_MAX bytes, made when first used
 * @response: likewise
 */
struct worker {
	struct pool *pool;
	struct worker *next;
	pthread_cond_t wake;
	enum job job;
	struct connection *serving;
	uint64_t kept;
	struct worker *next_keeper;
	struct queue *help;
	bool leading;
	unsigned int seen;
	struct queue **polled;
	unsigned int polled_count;
	unsigned int polled_room;
	unsigned int backlog;
	unsigned int turns;
	unsigned int shared;
	uint64_t aside;
	uint8_t *request;
	uint8_t *response;
};

/**
 * struct pool - the threads of a function
 * @lock: of all but @generation
 * @long_place: signalled when a long command has ended or was cancelled
 * @idle: threads without a job
 * @idle_count: of them
 * @threads: all of them
 * @serving: sockets, each of which takes a thread
 * @cpus: processors that we may run on
 * @spin_ns: bound of polling after the last command
 * @leader: there is a leader
 * @hot: queues that are polled, referenced
 * @hot_count: of @hot
 * @hot_room: for @hot
 * @generation: counts changes of @hot
 * @busy: IHSM_TIME_MEDIUM commands that run
 * @helpers: threads that help with a backlog
 * @keepers: threads that execute a command while they hold a socket
 * @deputy: the deputy has been started
 * @deputy_asleep: it waits for @deputy_wake
 * @deputy_wake: there are keepers again
 * @long_running: IHSM_TIME_LONG and longer commands that run
 * @long_waiting: of those that wait for a place
 */
struct pool {
	pthread_mutex_t lock;
	pthread_cond_t long_place;
	struct worker *idle;
	unsigned int idle_count;
	unsigned int threads;
	unsigned int serving;
	unsigned int cpus;
	uint64_t spin_ns;
	bool leader;
	struct queue **hot;
	unsigned int hot_count;
	unsigned int hot_room;
	atomic_uint generation;
	unsigned int busy;
	unsigned int helpers;
	struct worker *keepers;
	bool deputy;
	bool deputy_asleep;
	pthread_cond_t deputy_wake;
	unsigned int long_running;
	unsigned int long_waiting;
};

static void *worker_main(void *argument);

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#endif
}

/* ---- threads and jobs; with the pool's lock held ---- */

static struct worker *worker_spawn(struct pool *pool)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	pthread_attr_t attributes;
	pthread_t thread;
	int error;

	if (!worker)
		return NULL;
	worker->pool = pool;
	pthread_cond_init(&worker->wake, NULL);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	/* The new thread begins by taking the pool's lock, and so finds the job that it gets below. */
	error = pthread_create(&thread, &attributes, worker_main, worker);
	pthread_attr_destroy(&attributes);
	if (error) {
		pthread_cond_destroy(&worker->wake);
		free(worker);
		return NULL;
	}
	pool->threads++;
	return worker;
}

static struct worker *worker_find(struct pool *pool, bool must)
{
	struct worker *worker = pool->idle;

	if (worker) {
		pool->idle = worker->next;
		pool->idle_count--;
		return worker;
	}
	if (!must && pool->threads >= THREADS_MAX + pool->serving)
		return NULL;
	return worker_spawn(pool);
}

static void worker_give(struct worker *worker, enum job job)
{
	worker->job = job;
	pthread_cond_signal(&worker->wake);
}

/* Beyond one for each processor, longer commands only take time from one another. */
static bool may_start(const struct pool *pool)
{
	return pool->busy < pool->cpus;
}

/* Spin only where a processor is left for whoever submits. */
static bool may_spin(const struct pool *pool)
{
	return pool->spin_ns && pool->busy + pool->helpers + pool->long_running + 2 <= pool->cpus;
}

static bool vacant(const struct pool *pool)
{
	return pool->hot_count && !pool->leader && may_start(pool);
}

static void fill_vacancy(struct pool *pool)
{
	struct worker *other;

	if (!vacant(pool))
		return;
	other = worker_find(pool, false);
	if (!other)
		return;
	pool->leader = true;
	worker_give(other, JOB_LEAD);
}

/* ---- hot queues; with the pool's lock held ---- */

static void hot_add(struct pool *pool, struct queue *queue)
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
static bool hot_remove(struct pool *pool, struct queue *queue)
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
	owed = hot_remove(pool, queue);
	pthread_mutex_unlock(&pool->lock);
	if (queue_arm(queue)) {
		pthread_mutex_lock(&pool->lock);
		hot_add(pool, queue);
		pthread_mutex_unlock(&pool->lock);
	}
	if (owed)
		queue_put(queue);
}

/* How long to poll a queue that just became hot: not at all when that was in vain before. */
static void choose_window(struct pool *pool, struct queue *queue)
{
	uint64_t gap = now_ns() - atomic_load(&queue->last);

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
static void release_leadership(struct worker *worker)
{
	struct pool *pool = worker->pool;
	bool full;

	pthread_mutex_lock(&pool->lock);
	full = !may_start(pool);
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
	fill_vacancy(pool);
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

		if (!queue_fetch(queue, &task, &more))
			continue;
		worked = true;
		worker->turns++;
		/* The command that a doorbell announced was not found by polling. */
		if (!queue->fresh)
			queue->misses = 0;
		queue->fresh = false;
		note_backlog(worker, queue, more);
		task_run(worker, &task);
		atomic_store(&queue->last, now_ns());
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
	if (!pool->hot_count || !may_start(pool)) {
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
	uint64_t before = now_ns(), now;

	sched_yield();
	now = now_ns();
	worker->shared = now - before > SHARED_NS ? worker->shared + 1 : 0;
	if (worker->shared < SHARED_YIELDS || now - worker->aside < ASIDE_NS)
		return now;
	step_aside();
	worker->shared = 0;
	worker->aside = now_ns();
	return worker->aside;
}

/*
 * Nothing to do: poll on, for as long as it is worth it. A gap between two looks at the clock means that
 * others want this processor more.
 */
static void spin_or_leave(struct worker *worker)
{
	uint64_t start = now_ns(), now = start, before;
	bool spin;

	pthread_mutex_lock(&worker->pool->lock);
	spin = may_spin(worker->pool);
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
		now = now - start > YIELD_NS ? yield(worker) : now_ns();
		if (now - before > PREEMPTED_NS)
			spin = false;
	}
}

/* Poll until there is nothing to poll, or until somebody else does. */
static void lead(struct worker *worker)
{
	worker->turns = 0;
	/* Asked again whenever there was nothing to do; between two commands it would only delay the second. */
	stay_leader(worker);
	while (worker->leading) {
		/* A socket must not wait for as long as commands keep coming. */
		if (worker->serving && worker->turns >= LEADER_TURNS && pass_leadership(worker))
			break;
		if (!poll_round(worker) && worker->leading)
			spin_or_leave(worker);
	}
	polled_drop(worker);
}

static void help(struct worker *worker)
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

/* ---- sockets whose thread executes a command; with the pool's lock held ---- */

static void keeper_remove(struct pool *pool, struct worker *worker)
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
	uint64_t now = now_ns();
	struct worker *next;
	bool any = false;

	for (struct worker *worker = pool->keepers; worker; worker = next) {
		next = worker->next_keeper;
		any = true;
		if (now - worker->kept < DEPUTY_NS)
			continue;
		pass_socket(pool, worker);
		if (!worker->serving)
			keeper_remove(pool, worker);
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
static void keep_or_pass_socket(struct pool *pool, struct worker *worker,
				enum ihsm_time_class time_class)
{
	struct connection *connection = worker->serving;

	if (time_class == IHSM_TIME_MEDIUM && !connection->eager && deputy_call(pool)) {
		worker->kept = now_ns();
		worker->next_keeper = pool->keepers;
		pool->keepers = worker;
		return;
	}
	if (connection->eager)
		connection->eager--;
	pass_socket(pool, worker);
}

/* Did messages have to wait for the command that ends now? */
static void look_at_socket(const struct worker *worker)
{
	char byte;

	if (recv(worker->serving->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
		worker->serving->eager = EAGER_TURNS;
}

/* ---- what the life of a command asks for ---- */

/* A bounded number of long commands run at a time; the others wait their turn, cancellable. */
static int wait_long_place(struct pool *pool, struct task *task)
{
	unsigned int places = pool->cpus > 2 ? pool->cpus / 2 : 1;
	int error = 0;

	if (pool->long_waiting >= LONG_WAITERS_MAX) {
		task->overloaded = true;
		return -ECANCELED;
	}
	pool->long_waiting++;
	while (pool->long_running >= places && !error) {
		if (task_cancelled(task))
			error = -ECANCELED;
		else
			pthread_cond_wait(&pool->long_place, &pool->lock);
	}
	pool->long_waiting--;
	if (!error)
		pool->long_running++;
	return error;
}

/**
 * worker_set_class - a command will take longer than was thought
 * @worker: that executes it
 * @task: the command
 * @time_class: above its present one
 *
 * Return: 0 or -ECANCELED.
 */
int worker_set_class(struct worker *worker, struct task *task, enum ihsm_time_class time_class)
{
	struct pool *pool = worker->pool;
	enum ihsm_time_class before = task->time_class;
	int error = 0;

	/* Counted first: whoever polls next must not spin against us. */
	pthread_mutex_lock(&pool->lock);
	if (before == IHSM_TIME_SHORT && time_class == IHSM_TIME_MEDIUM)
		pool->busy++;
	if (before == IHSM_TIME_MEDIUM) {
		pool->busy--;
		fill_vacancy(pool);
	}
	pthread_mutex_unlock(&pool->lock);
	if (worker->leading)
		release_leadership(worker);
	pthread_mutex_lock(&pool->lock);
	keeper_remove(pool, worker);
	if (worker->serving)
		keep_or_pass_socket(pool, worker, time_class);
	if (time_class >= IHSM_TIME_LONG && before < IHSM_TIME_LONG)
		error = wait_long_place(pool, task);
	pthread_mutex_unlock(&pool->lock);
	task->time_class = error ? IHSM_TIME_SHORT : time_class;
	return error;
}

/**
 * worker_wait_begin, worker_wait_end - a command waits for the disk
 *
 * It takes no processor meanwhile, so that another one may run in its place; the commands of many threads come
 * together in one commit only if all of them are started.
 */
void worker_wait_begin(struct worker *worker, struct task *task)
{
	struct pool *pool = worker->pool;

	if (task->time_class != IHSM_TIME_MEDIUM)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->busy--;
	fill_vacancy(pool);
	pthread_mutex_unlock(&pool->lock);
}

void worker_wait_end(struct worker *worker, struct task *task)
{
	if (task->time_class != IHSM_TIME_MEDIUM)
		return;
	pthread_mutex_lock(&worker->pool->lock);
	worker->pool->busy++;
	pthread_mutex_unlock(&worker->pool->lock);
}

/**
 * worker_task_ending - a command has been executed and is about to be completed
 * @worker: that executed it
 * @task: the command
 *
 * After a longer command the thread becomes the leader if there is none. It says so in the queue before
 * the completion is seen, so that the next command comes without a doorbell.
 */
void worker_task_ending(struct worker *worker, struct task *task)
{
	struct pool *pool = worker->pool;
	bool lead_again;

	if (worker->leading && task->time_class == IHSM_TIME_SHORT)
		return;
	pthread_mutex_lock(&pool->lock);
	keeper_remove(pool, worker);
	if (task->time_class == IHSM_TIME_MEDIUM)
		pool->busy--;
	if (task->time_class >= IHSM_TIME_LONG) {
		pool->long_running--;
		pthread_cond_broadcast(&pool->long_place);
	}
	lead_again = !worker->help && !pool->leader && may_start(pool) &&
		     (pool->hot_count || may_spin(pool)) && !atomic_load(&task->queue->dead);
	if (lead_again) {
		pool->leader = true;
		worker->leading = true;
		hot_add(pool, task->queue);
		atomic_store(&task->queue->window,
			     task->queue->misses >= MISSES_MAX ? 0 : pool->spin_ns);
		atomic_store(&task->queue->last, now_ns());
	} else {
		fill_vacancy(pool);
	}
	pthread_mutex_unlock(&pool->lock);
	if (worker->serving && task->time_class == IHSM_TIME_MEDIUM)
		look_at_socket(worker);
	if (lead_again)
		queue_disarm(task->queue);
}

/**
 * worker_doorbell - a doorbell was rung
 * @worker: the thread that read it from the socket
 * @queue: whose doorbell it was
 *
 * May execute commands. On return the worker may have lost the socket: see worker_serving().
 */
void worker_doorbell(struct worker *worker, struct queue *queue)
{
	struct pool *pool = worker->pool;

	pthread_mutex_lock(&pool->lock);
	if (!queue->hot && !atomic_load(&queue->dead)) {
		choose_window(pool, queue);
		hot_add(pool, queue);
		queue->fresh = true;
	}
	if (vacant(pool)) {
		pool->leader = true;
		worker->leading = true;
	}
	pthread_mutex_unlock(&pool->lock);
	if (worker->leading)
		lead(worker);
}

struct connection *worker_serving(const struct worker *worker)
{
	return worker->serving;
}

static uint8_t *buffer(uint8_t **at)
{
	if (!*at)
		*at = malloc(HSM_MESSAGE_MAX);
	return *at;
}

/* worker_request - the thread's private buffer for requests; NULL: no memory */
uint8_t *worker_request(struct worker *worker)
{
	return buffer(&worker->request);
}

/* worker_response - likewise for responses */
uint8_t *worker_response(struct worker *worker)
{
	return buffer(&worker->response);
}

/* ---- the life of a thread ---- */

static void serve(struct worker *worker)
{
	struct connection *connection = worker->serving;

	while (worker->serving) {
		if (connection_serve(connection)) {
			worker->serving = NULL;
			pthread_mutex_lock(&worker->pool->lock);
			worker->pool->serving--;
			pthread_mutex_unlock(&worker->pool->lock);
			connection_abandon(connection);
			return;
		}
		connection_work(worker, connection);
	}
}

static void do_job(struct worker *worker, enum job job)
{
	if (job == JOB_LEAD)
		worker->leading = true;
	if (job == JOB_SERVE)
		serve(worker);
	if (job == JOB_HELP)
		help(worker);
	if (worker->leading)
		lead(worker);
}

/* Waits for a job. JOB_NONE: there are idle threads enough. With the pool's lock held. */
static enum job next_job(struct worker *worker)
{
	struct pool *pool = worker->pool;
	enum job job;

	if (worker->job == JOB_NONE && vacant(pool)) {
		pool->leader = true;
		return JOB_LEAD;
	}
	if (worker->job == JOB_NONE && pool->idle_count >= pool->cpus + IDLE_KEEP)
		return JOB_NONE;
	if (worker->job == JOB_NONE) {
		worker->next = pool->idle;
		pool->idle = worker;
		pool->idle_count++;
	}
	while (worker->job == JOB_NONE)
		pthread_cond_wait(&worker->wake, &pool->lock);
	job = worker->job;
	worker->job = JOB_NONE;
	return job;
}

static void *worker_main(void *argument)
{
	struct worker *worker = argument;
	struct pool *pool = worker->pool;

	for (;;) {
		enum job job;

		pthread_mutex_lock(&pool->lock);
		job = next_job(worker);
		if (job == JOB_NONE)
			pool->threads--;
		pthread_mutex_unlock(&pool->lock);
		if (job == JOB_NONE)
			break;
		do_job(worker, job);
	}
	pthread_cond_destroy(&worker->wake);
	free(worker->polled);
	free(worker->request);
	free(worker->response);
	free(worker);
	return NULL;
}

/**
 * pool_create - make the pool of a function; its threads are made when they are needed
 * @spin_us: bound of polling after the last command; 0: never
 *
 * Return: the pool, which lives as long as the process, or NULL.
 */
struct pool *pool_create(unsigned int spin_us)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	pthread_condattr_t clock;
	cpu_set_t set;

	if (!pool)
		return NULL;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->long_place, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->deputy_wake, &clock);
	pthread_condattr_destroy(&clock);
	atomic_init(&pool->generation, 1);
	pool->cpus = sched_getaffinity(0, sizeof(set), &set) ? 1 : (unsigned int)CPU_COUNT(&set);
	pool->spin_ns = pool->cpus > 1 ? spin_us * 1000ULL : 0;
	return pool;
}

/**
 * pool_serve - give a connection's socket to a thread
 * @pool: of the function
 * @connection: the thread ends with connection_abandon() when the socket ends
 *
 * Return: 0 or -EAGAIN.
 */
int pool_serve(struct pool *pool, struct connection *connection)
{
	struct worker *worker;

	pthread_mutex_lock(&pool->lock);
	worker = worker_find(pool, true);
	if (worker) {
		pool->serving++;
		worker->serving = connection;
		worker_give(worker, JOB_SERVE);
	}
	pthread_mutex_unlock(&pool->lock);
	return worker ? 0 : -EAGAIN;
}

/* pool_forget - a queue is dead: poll it no more */
void pool_forget(struct pool *pool, struct queue *queue)
{
	bool owed;

	pthread_mutex_lock(&pool->lock);
	owed = hot_remove(pool, queue);
	pthread_mutex_unlock(&pool->lock);
	if (owed)
		queue_put(queue);
}

/* pool_wake_waiters - commands were cancelled: those that wait for a place shall notice */
void pool_wake_waiters(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	pthread_cond_broadcast(&pool->long_place);
	pthread_mutex_unlock(&pool->lock);
}
