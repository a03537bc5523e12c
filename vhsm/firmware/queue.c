// SPDX-License-Identifier: Apache-2.0
/*
 * Rings. A queue fetches commands from its submission ring in order, and posts completions in the
 * order in which they end. A command is fetched only when its completion has room, so posting never
 * waits. Heads and tails are free-running; what the host says about them is checked before use.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "transport.h"

#define PUT_OFF_MAX 8 /* completions that one interrupt announces */

_Static_assert(sizeof(struct ihsm_sqe) == IHSM_SQE_SIZE, "ihsm_sqe");
_Static_assert(sizeof(struct ihsm_cqe) == IHSM_CQE_SIZE, "ihsm_cqe");

/**
 * queue_create - make a queue, referenced once
 * @connection: it belongs to; gets a reference
 * @setup: checked by the caller
 *
 * Return: the queue or NULL.
 */
struct queue *queue_create(struct connection *connection, const struct queue_setup *setup)
{
	struct queue *queue = calloc(1, sizeof(*queue));

	if (!queue)
		return NULL;
	pthread_mutex_init(&queue->lock, NULL);
	atomic_init(&queue->references, 1);
	queue->connection = connection_get(connection);
	queue->id = setup->id;
	queue->vector = setup->vector;
	queue->sq_address = setup->sq_address;
	queue->cq_address = setup->cq_address;
	queue->sq_entries = 1U << setup->sq_log2;
	queue->cq_entries = 1U << setup->cq_log2;
	return queue;
}

struct queue *queue_get(struct queue *queue)
{
	atomic_fetch_add(&queue->references, 1);
	return queue;
}

void queue_put(struct queue *queue)
{
	if (atomic_fetch_sub(&queue->references, 1) != 1)
		return;
	connection_put(queue->connection);
	pthread_mutex_destroy(&queue->lock);
	free(queue);
}

static struct dma_map *queue_dma(struct queue *queue)
{
	return &queue->connection->dma;
}

static bool queue_stopped(struct queue *queue)
{
	return atomic_load_explicit(&queue->dead, memory_order_relaxed) ||
	       atomic_load_explicit(&queue->connection->controller.halted, memory_order_relaxed);
}

/* ---- what the host says; called between dma_enter() and dma_leave() ---- */

static int load_tail(struct queue *queue, uint32_t *tail)
{
	if (!queue->shadow_host) {
		*tail = atomic_load_explicit(&queue->doorbell_tail, memory_order_acquire);
		return 0;
	}
	if (dma_load32(queue_dma(queue),
		       queue->shadow_host + offsetof(struct ihsm_shadow_host, sq_tail), tail))
		return -EFAULT;
	*tail = le32toh(*tail);
	return 0;
}

static int load_cq_head(struct queue *queue, uint32_t *head)
{
	if (!queue->shadow_host) {
		*head = atomic_load_explicit(&queue->doorbell_head, memory_order_acquire);
		return 0;
	}
	if (dma_load32(queue_dma(queue),
		       queue->shadow_host + offsetof(struct ihsm_shadow_host, cq_head), head))
		return -EFAULT;
	*head = le32toh(*head);
	return 0;
}

static int store_event(struct queue *queue, size_t offset, uint32_t event)
{
	return dma_store32(queue_dma(queue), queue->shadow_device + offset, htole32(event));
}

static bool has_room(const struct queue *queue)
{
	return queue->cq_tail - queue->cq_head + queue->running < queue->cq_entries;
}

/* Looks at the host's head again only when the ring seems full. Returns what is wrong, or NULL. */
static const char *refresh_room(struct queue *queue)
{
	uint32_t head;

	if (has_room(queue))
		return NULL;
	if (load_cq_head(queue, &head))
		return "shadow doorbells cannot be read";
	if (queue->cq_tail - head > queue->cq_tail - queue->cq_head)
		return "completion head out of range";
	queue->cq_head = head;
	return NULL;
}

/* Commands that could be fetched now. Returns what is wrong, or NULL. */
static const char *count_pending(struct queue *queue, uint32_t *pending)
{
	uint32_t tail;
	const char *fault;

	*pending = 0;
	/* With bus mastering off nothing is read, and that is no fault. */
	if (!queue_dma(queue)->enabled)
		return NULL;
	if (load_tail(queue, &tail))
		return "shadow doorbells cannot be read";
	if (tail - queue->head > queue->sq_entries)
		return "submission tail out of range";
	if (tail == queue->head)
		return NULL;
	fault = refresh_room(queue);
	if (!fault && has_room(queue))
		*pending = tail - queue->head;
	return fault;
}

static void report_fault(struct queue *queue, const char *fault)
{
	if (fault)
		controller_fatal(queue->connection, fault);
	/* The admin queue's own faults cannot be told over the admin queue. */
	if (fault && queue->id)
		controller_event(queue->connection, IHSM_EVENT_RESET_NEEDED, 0);
}

/* ---- fetching ---- */

static void task_link(struct queue *queue, struct task *task)
{
	task->previous = NULL;
	task->next = queue->tasks;
	if (task->next)
		task->next->previous = task;
	queue->tasks = task;
}

static void task_unlink(struct queue *queue, struct task *task)
{
	if (task->previous)
		task->previous->next = task->next;
	else
		queue->tasks = task->next;
	if (task->next)
		task->next->previous = task->previous;
}

static bool take_abort(struct queue *queue, uint32_t slot)
{
	uint64_t bit = 1ULL << (slot % 64);
	bool set = queue->aborted[slot / 64] & bit;

	queue->aborted[slot / 64] &= ~bit;
	return set;
}

/* With the lock held and between dma_enter() and dma_leave(). */
static const char *fetch_one(struct queue *queue, struct task *task, uint32_t *pending)
{
	uint32_t slot = queue->head & (queue->sq_entries - 1);
	const char *fault = count_pending(queue, pending);

	if (fault || !*pending)
		return fault;
	if (dma_read(queue_dma(queue), queue->sq_address + (uint64_t)slot * IHSM_SQE_SIZE,
		     &task->sqe, sizeof(task->sqe)))
		return "submission ring cannot be read";
	task->queue = queue_get(queue);
	task->aborted_early = take_abort(queue, slot);
	queue->head++;
	queue->running++;
	if (queue->id)
		task_link(queue, task);
	return NULL;
}

/* queue_pending - a cheap look, without the lock: might there be a command to fetch? */
bool queue_pending(struct queue *queue)
{
	uint32_t tail;
	bool pending = false;

	if (queue_stopped(queue))
		return false;
	dma_enter(queue_dma(queue));
	if (!atomic_load_explicit(&queue->dead, memory_order_relaxed) && queue_dma(queue)->enabled)
		pending = load_tail(queue, &tail) ||
			  tail != atomic_load_explicit(&queue->head, memory_order_relaxed);
	dma_leave(queue_dma(queue));
	return pending;
}

/**
 * queue_fetch - take the next command
 * @queue: to take it from
 * @task: filled in; queue_complete() ends it
 * @more: set when more commands wait behind it
 *
 * A ring that cannot be read or a tail out of range is fatal to the controller, and to it alone.
 * Return: true when there was a command.
 */
bool queue_fetch(struct queue *queue, struct task *task, bool *more)
{
	const char *fault = NULL;
	uint32_t pending = 0;

	if (!queue_pending(queue))
		return false;
	memset(task, 0, offsetof(struct task, sqe));
	task->time_class = IHSM_TIME_SHORT;
	atomic_init(&task->cancelled, false);
	task->overloaded = false;
	task->more = false;
	pthread_mutex_lock(&queue->lock);
	if (!queue_stopped(queue)) {
		dma_enter(queue_dma(queue));
		fault = fetch_one(queue, task, &pending);
		dma_leave(queue_dma(queue));
	}
	pthread_mutex_unlock(&queue->lock);
	report_fault(queue, fault);
	*more = pending > 1;
	task->more = *more;
	return !fault && pending;
}

/* ---- completing ---- */

/* Does whoever waits for the completion just posted want an interrupt? */
static bool wants_interrupt(struct queue *queue)
{
	uint32_t event;

	if (!queue->shadow_host)
		return true;
	/* The entry is visible before the host's wish is read: one of the two sides sees the other. */
	atomic_thread_fence(memory_order_seq_cst);
	if (dma_load32(queue_dma(queue),
		       queue->shadow_host + offsetof(struct ihsm_shadow_host, irq_event), &event))
		return true;
	return le32toh(event) == queue->cq_tail - 1;
}

/* With the lock held and between dma_enter() and dma_leave(). */
static int post(struct queue *queue, uint16_t cid, enum ihsm_status status, uint32_t result)
{
	uint32_t slot = queue->cq_tail & (queue->cq_entries - 1);
	uint16_t phase = queue->cq_tail & queue->cq_entries ? 0 : IHSM_CQE_PHASE;
	uint64_t address = queue->cq_address + (uint64_t)slot * IHSM_CQE_SIZE;
	struct ihsm_cqe entry = {
		.result = htole32(result),
		.sq_head = htole32(queue->head),
		.sq_id = htole16(queue->id),
		.cid = htole16(cid),
		.status = htole16((uint16_t)(status << IHSM_CQE_STATUS_SHIFT | phase)),
	};
	uint64_t half[2];

	memcpy(half, &entry, sizeof(half));
	if (dma_store64(queue_dma(queue), address, half[0]) ||
	    dma_store64(queue_dma(queue), address + 8, half[1]))
		return -EFAULT;
	queue->cq_tail++;
	return 0;
}

static const char *post_and_signal(struct queue *queue, uint16_t cid, enum ihsm_status status,
				   uint32_t result, bool *interrupt)
{
	const char *fault = NULL;

	if (atomic_load_explicit(&queue->dead, memory_order_relaxed))
		return NULL;
	dma_enter(queue_dma(queue));
	if (!queue_dma(queue)->enabled || post(queue, cid, status, result))
		fault = "completion ring cannot be written";
	else
		*interrupt = wants_interrupt(queue);
	dma_leave(queue_dma(queue));
	return fault;
}

static void finish(struct queue *queue, const char *fault, bool interrupt)
{
	if (interrupt)
		irq_raise(&queue->connection->irq, queue->vector);
	report_fault(queue, fault);
}

/*
 * One interrupt for several completions: it waits while the thread that polls goes on with short commands
 * that it has seen behind this one, and no longer (worker_put_off()). With the lock held. Return: raise it now.
 */
static bool interrupt_now(struct queue *queue, struct task *task, bool wanted)
{
	if (!wanted && !queue->put_off)
		return false;
	if (queue->put_off + 1 < PUT_OFF_MAX && task->more && task->worker &&
	    task->time_class == IHSM_TIME_SHORT && worker_put_off(task->worker, queue)) {
		queue->put_off++;
		return false;
	}
	queue->put_off = 0;
	return true;
}

/* queue_signal - raise the interrupt that was put off, if it still is */
void queue_signal(struct queue *queue)
{
	bool owed;

	pthread_mutex_lock(&queue->lock);
	owed = queue->put_off && !atomic_load(&queue->dead);
	queue->put_off = 0;
	pthread_mutex_unlock(&queue->lock);
	if (owed)
		irq_raise(&queue->connection->irq, queue->vector);
}

/**
 * queue_complete - end a command that queue_fetch() took; its only completion
 * @queue: it came from
 * @task: of the command; its reference to the queue is given back
 * @status: of the completion
 * @result: of the completion
 */
void queue_complete(struct queue *queue, struct task *task, enum ihsm_status status,
		    uint32_t result)
{
	bool interrupt = false;
	const char *fault;

	pthread_mutex_lock(&queue->lock);
	if (queue->id)
		task_unlink(queue, task);
	queue->running--;
	fault = post_and_signal(queue, le16toh(task->sqe.cid), status, result, &interrupt);
	interrupt = interrupt_now(queue, task, interrupt);
	if (queue->id && atomic_load(&queue->dead))
		atomic_fetch_sub(&queue->connection->controller.orphans, 1);
	pthread_mutex_unlock(&queue->lock);
	finish(queue, fault, interrupt);
	queue_put(queue);
}

/* queue_complete_cid - end an admin command that was put off; its task is long gone */
void queue_complete_cid(struct queue *queue, uint16_t cid, enum ihsm_status status, uint32_t result)
{
	bool interrupt = false;
	const char *fault;

	pthread_mutex_lock(&queue->lock);
	queue->running--;
	fault = post_and_signal(queue, cid, status, result, &interrupt);
	pthread_mutex_unlock(&queue->lock);
	finish(queue, fault, interrupt);
}

/* ---- abort and end ---- */

/* Looks among the entries that have been submitted but not fetched. With the lock held. */
static bool abort_unfetched(struct queue *queue, uint16_t cid)
{
	uint32_t tail, pending;
	bool found = false;

	dma_enter(queue_dma(queue));
	pending = !load_tail(queue, &tail) && tail - queue->head <= queue->sq_entries
			  ? tail - queue->head
			  : 0;
	for (uint32_t i = 0; i < pending && !found; i++) {
		uint32_t slot = (queue->head + i) & (queue->sq_entries - 1);
		struct ihsm_sqe sqe;

		if (dma_read(queue_dma(queue), queue->sq_address + (uint64_t)slot * IHSM_SQE_SIZE,
			     &sqe, sizeof(sqe)))
			break;
		found = le16toh(sqe.cid) == cid;
		if (found)
			queue->aborted[slot / 64] |= 1ULL << (slot % 64);
	}
	dma_leave(queue_dma(queue));
	return found;
}

/**
 * queue_abort - ask for the end of a command
 * @queue: an I/O queue
 * @cid: of the command
 *
 * Return: true when there is such a command; it will end with exactly one completion.
 */
bool queue_abort(struct queue *queue, uint16_t cid)
{
	bool found = false;

	pthread_mutex_lock(&queue->lock);
	for (struct task *task = queue->tasks; task && !found; task = task->next) {
		found = le16toh(task->sqe.cid) == cid;
		if (found)
			atomic_store(&task->cancelled, true);
	}
	if (!found && !queue_stopped(queue))
		found = abort_unfetched(queue, cid);
	pthread_mutex_unlock(&queue->lock);
	return found;
}

/**
 * queue_kill - the queue's end: nothing is fetched or posted any more, running commands are cancelled
 * @queue: may still be referenced by its commands
 * @complete: complete them now, with IHSM_SC_QUEUE_DELETED
 *
 * Return: how many commands still run; they are counted as the controller's orphans.
 */
uint32_t queue_kill(struct queue *queue, bool complete)
{
	uint32_t orphans = 0;
	bool interrupt = false;

	pthread_mutex_lock(&queue->lock);
	interrupt = complete && queue->put_off;
	for (struct task *task = queue->tasks; task; task = task->next) {
		atomic_store(&task->cancelled, true);
		if (complete)
			post_and_signal(queue, le16toh(task->sqe.cid), IHSM_SC_QUEUE_DELETED, 0,
					&interrupt);
		orphans++;
	}
	atomic_fetch_add(&queue->connection->controller.orphans, orphans);
	atomic_store(&queue->dead, true);
	pthread_mutex_unlock(&queue->lock);
	if (interrupt)
		irq_raise(&queue->connection->irq, queue->vector);
	return orphans;
}

/* ---- shadow doorbells ---- */

/**
 * queue_set_shadow - the queue's doorbells are in memory
 * @queue: an I/O queue that nobody else knows yet
 * @host_page: bus address of the page that the host writes
 * @device_page: bus address of the page that the device writes
 */
void queue_set_shadow(struct queue *queue, uint64_t host_page, uint64_t device_page)
{
	queue->shadow_host = host_page + queue->id * sizeof(struct ihsm_shadow_host);
	queue->shadow_device = device_page + queue->id * sizeof(struct ihsm_shadow_device);
}

/* queue_disarm - the queue is polled: no doorbell is wanted */
void queue_disarm(struct queue *queue)
{
	if (!queue->shadow_host || queue_stopped(queue))
		return;
	dma_enter(queue_dma(queue));
	if (!atomic_load(&queue->dead) && queue_dma(queue)->enabled)
		store_event(queue, offsetof(struct ihsm_shadow_device, sq_event),
			    atomic_load(&queue->head) - 1);
	dma_leave(queue_dma(queue));
}

/* With the lock held and between dma_enter() and dma_leave(). */
static const char *arm(struct queue *queue, uint32_t *pending)
{
	uint32_t cq_event;

	*pending = 0;
	if (!queue_dma(queue)->enabled)
		return NULL;
	if (!queue->shadow_host)
		return count_pending(queue, pending);
	cq_event = has_room(queue) ? queue->cq_head - 1 : queue->cq_head;
	if (store_event(queue, offsetof(struct ihsm_shadow_device, sq_event), queue->head) ||
	    store_event(queue, offsetof(struct ihsm_shadow_device, cq_event), cq_event))
		return "shadow doorbells cannot be written";
	/* The wish is visible before the tail is read: one of the two sides sees the other. */
	atomic_thread_fence(memory_order_seq_cst);
	return count_pending(queue, pending);
}

/**
 * queue_arm - ask for a doorbell with the next command, since nobody polls any more
 * @queue: not polled by the time of the call
 *
 * Return: true when a command came in meanwhile, for which no doorbell will be rung.
 */
bool queue_arm(struct queue *queue)
{
	const char *fault = NULL;
	uint32_t pending = 0;

	pthread_mutex_lock(&queue->lock);
	if (!queue_stopped(queue)) {
		dma_enter(queue_dma(queue));
		fault = arm(queue, &pending);
		dma_leave(queue_dma(queue));
	}
	pthread_mutex_unlock(&queue->lock);
	report_fault(queue, fault);
	return pending;
}
