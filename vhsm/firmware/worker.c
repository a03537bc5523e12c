// SPDX-License-Identifier: Apache-2.0
/*
 * The threads that execute commands: their life, the jobs they get, and what a command asks of them from its beginning
 * to its end (worker.h tells the whole).
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include "worker.h"

#define THREADS_MAX	 96 /* beyond those that only serve sockets */
#define LONG_WAITERS_MAX 32 /* threads that wait for a place for a long command */
#define IDLE_KEEP	 4 /* idle threads kept beyond one for each processor */
#define STACK_SIZE	 (1024 * 1024)

static void *worker_main(void *argument);

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

struct worker *worker_find(struct pool *pool, bool must)
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

void worker_give(struct worker *worker, enum job job)
{
	worker->job = job;
	pthread_cond_signal(&worker->wake);
}

/* Beyond one for each processor, longer commands only take time from one another. */
bool pool_may_start(const struct pool *pool)
{
	return pool->busy < pool->cpus;
}

/* Spin only where a processor is left for whoever submits. */
bool pool_may_spin(const struct pool *pool)
{
	return pool->spin_ns && pool->busy + pool->helpers + pool->long_running + 2 <= pool->cpus;
}

bool pool_vacant(const struct pool *pool)
{
	return pool->hot_count && !pool->leader && pool_may_start(pool);
}

void pool_fill_vacancy(struct pool *pool)
{
	struct worker *other;

	if (!pool_vacant(pool))
		return;
	other = worker_find(pool, false);
	if (!other)
		return;
	pool->leader = true;
	worker_give(other, JOB_LEAD);
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

	worker_pay(worker);
	/* Counted first: whoever polls next must not spin against us. */
	pthread_mutex_lock(&pool->lock);
	if (before == IHSM_TIME_SHORT && time_class == IHSM_TIME_MEDIUM)
		pool->busy++;
	if (before == IHSM_TIME_MEDIUM) {
		pool->busy--;
		pool_fill_vacancy(pool);
	}
	pthread_mutex_unlock(&pool->lock);
	if (worker->leading)
		worker_release_leadership(worker);
	pthread_mutex_lock(&pool->lock);
	worker_keeper_remove(pool, worker);
	if (worker->serving)
		worker_keep_or_pass_socket(pool, worker, time_class);
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
	pool_fill_vacancy(pool);
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
	worker_keeper_remove(pool, worker);
	if (task->time_class == IHSM_TIME_MEDIUM)
		pool->busy--;
	if (task->time_class >= IHSM_TIME_LONG) {
		pool->long_running--;
		pthread_cond_broadcast(&pool->long_place);
	}
	lead_again = !worker->help && !pool->leader && pool_may_start(pool) &&
		     (pool->hot_count || pool_may_spin(pool)) && !atomic_load(&task->queue->dead);
	if (lead_again) {
		pool->leader = true;
		worker->leading = true;
		pool_hot_add(pool, task->queue);
		atomic_store(&task->queue->window,
			     task->queue->misses >= MISSES_MAX ? 0 : pool->spin_ns);
		atomic_store(&task->queue->last, worker_now());
	} else {
		pool_fill_vacancy(pool);
	}
	pthread_mutex_unlock(&pool->lock);
	if (worker->serving && task->time_class == IHSM_TIME_MEDIUM)
		worker_look_at_socket(worker);
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
		queue_choose_window(pool, queue);
		pool_hot_add(pool, queue);
		queue->fresh = true;
	}
	if (pool_vacant(pool)) {
		pool->leader = true;
		worker->leading = true;
	}
	pthread_mutex_unlock(&pool->lock);
	if (worker->leading)
		worker_lead(worker);
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
		worker_help(worker);
	if (worker->leading)
		worker_lead(worker);
}

/* Waits for a job. JOB_NONE: there are idle threads enough. With the pool's lock held. */
static enum job next_job(struct worker *worker)
{
	struct pool *pool = worker->pool;
	enum job job;

	if (worker->job == JOB_NONE && pool_vacant(pool)) {
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
	owed = pool_hot_remove(pool, queue);
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
