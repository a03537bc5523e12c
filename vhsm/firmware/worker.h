/* SPDX-License-Identifier: Apache-2.0 */
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
#ifndef FIRMWARE_WORKER_H
#define FIRMWARE_WORKER_H

#include <time.h>
#include "transport.h"

#define MISSES_MAX 4 /* polling in vain, in a row, before it is given up */

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
 * @owes: queue with an interrupt that this thread put off, referenced, or NULL
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
	struct queue *owes;
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

static inline uint64_t worker_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* ---- worker.c; with the pool's lock held ---- */

/* worker_find - an idle thread, or a new one; NULL: there are enough, unless one @must be had */
struct worker *worker_find(struct pool *pool, bool must);
void worker_give(struct worker *worker, enum job job);
/* pool_may_start - is there a processor for one more longer command? */
bool pool_may_start(const struct pool *pool);
/* pool_may_spin - is there one left for whoever submits? */
bool pool_may_spin(const struct pool *pool);
/* pool_vacant - queues are hot, nobody polls them, and somebody should */
bool pool_vacant(const struct pool *pool);
void pool_fill_vacancy(struct pool *pool);

/* ---- worker_poll.c ---- */

/* With the pool's lock held. pool_hot_remove() returns whether the caller now owes a queue_put(). */
void pool_hot_add(struct pool *pool, struct queue *queue);
bool pool_hot_remove(struct pool *pool, struct queue *queue);
/* queue_choose_window - how long to poll a queue that becomes hot */
void queue_choose_window(struct pool *pool, struct queue *queue);
/* worker_lead - poll until there is nothing to poll, or until somebody else does */
void worker_lead(struct worker *worker);
/* worker_pay - raise the interrupt that this thread put off */
void worker_pay(struct worker *worker);
/* worker_help - fetch from a queue whose commands pile up */
void worker_help(struct worker *worker);
/* worker_release_leadership - a longer command is about to run */
void worker_release_leadership(struct worker *worker);

/* ---- worker_socket.c; with the pool's lock held, but for the last ---- */

void worker_keeper_remove(struct pool *pool, struct worker *worker);
/* worker_keep_or_pass_socket - a command that is not short begins on the thread that serves the socket */
void worker_keep_or_pass_socket(struct pool *pool, struct worker *worker,
				enum ihsm_time_class time_class);
/* worker_look_at_socket - did messages have to wait for the command that ends now? */
void worker_look_at_socket(const struct worker *worker);

#endif /* FIRMWARE_WORKER_H */
