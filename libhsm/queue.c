// SPDX-License-Identifier: Apache-2.0
/*
 * I/O queues: from a transfer to a ring entry and back, by the rules of Documentation/hardware.rst.
 * Whoever waits hands out what came, also to others. A waiter first spins; then one thread of each
 * queue, the leader, sleeps on the interrupt, and the others sleep until they are woken with
 * their result.
 */
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "vfio_user.h"

#define SLICE_MS       100 /* a sleeper looks this often whether the device is still there */
#define ABORT_GRACE_MS 3000 /* an aborted command ends within this, or the controller is reset */
#define PROBE_EVERY    16 /* waits that were not worth spinning, and then one try */
#define SPIN_LEAST_NS  1000
#define CROWDED_NS     20000 /* bound of spinning while as many threads wait as there are processors */
#define YIELD_NS       4000 /* spinning alone for so long; then whoever wants the processor gets it */
#define PREEMPTED_NS   50000 /* a gap in spinning as long as this: others want the processor */
#define SERIALS	       (1U << (16 - SQ_LOG2))

_Static_assert(sizeof(struct ihsm_sqe) == IHSM_SQE_SIZE, "ihsm_sqe");
_Static_assert(sizeof(struct ihsm_cqe) == IHSM_CQE_SIZE, "ihsm_cqe");
_Static_assert(offsetof(struct ihsm_cqe, sq_id) == 8 && offsetof(struct ihsm_cqe, status) == 14,
	       "halves");

/* ---- small things ---- */

static void futex_wake(_Atomic uint32_t *word, int count)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static void futex_wait(_Atomic uint32_t *word, uint32_t value, unsigned int ms)
{
	struct timespec limit = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &limit, NULL, 0);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static void drain(int event)
{
	uint64_t count;
	ssize_t n = read(event, &count, sizeof(count));

	(void)n;
}

static void raise_event(int event)
{
	const uint64_t one = 1;
	ssize_t n = write(event, &one, sizeof(one));

	(void)n;
}

uint32_t transfer_end(struct transfer *transfer)
{
	uint32_t before;

	if (transfer->ended)
		transfer->ended(transfer);
	/*
	 * From here on the transfer may be gone; waking an address of the past only wakes
	 * somebody for nothing.
	 */
	before = atomic_exchange(&transfer->state, TRANSFER_DONE);
	if (before == TRANSFER_SLEEPING)
		futex_wake(&transfer->state, 1);
	return before;
}

/* End a transfer that came through this queue. No lock held. */
static void end(struct vfio_user *vu, struct queue *queue, struct transfer *transfer)
{
	bool notify = transfer->notify;
	bool wake = transfer_end(transfer) == TRANSFER_POLLING;

	atomic_fetch_add(&queue->ends, 1);
	/* The leader sleeps, and somebody else has taken the completion that it sleeps for. */
	if (wake || atomic_load(&queue->leader_any))
		raise_event(queue->event);
	if (atomic_load(&queue->crowd) > 0)
		futex_wake(&queue->ends, INT32_MAX);
	if (notify && atomic_load(&vu->armed))
		raise_event(vu->notify);
}

/* ---- rings ---- */

void queue_init(struct vfio_user *vu, unsigned int index)
{
	struct queue *queue = &vu->queue[index];
	uint8_t *part = vu->shared.base + queue_offset(index);

	queue->index = index;
	queue->sq = (struct ihsm_sqe *)(part + QUEUE_SQ);
	queue->cq = (struct ihsm_cqe *)(part + QUEUE_CQ);
	queue->shadow_host =
		(struct ihsm_shadow_host *)(vu->shared.base + SHARED_SHADOW_HOST) + index + 1;
	queue->shadow_device =
		(struct ihsm_shadow_device *)(vu->shared.base + SHARED_SHADOW_DEVICE) + index + 1;
	for (unsigned int i = 0; i < SQ_ENTRIES; i++)
		queue->free[i] = (uint16_t)(SQ_ENTRIES - 1 - i);
	queue->free_count = SQ_ENTRIES;
}

void queue_start(struct vfio_user *vu, struct queue *queue)
{
	(void)vu;
	pthread_mutex_lock(&queue->lock);
	memset(queue->sq, 0, SQ_ENTRIES * sizeof(*queue->sq));
	memset(queue->cq, 0, CQ_ENTRIES * sizeof(*queue->cq));
	memset(queue->shadow_host, 0, sizeof(*queue->shadow_host));
	memset(queue->shadow_device, 0, sizeof(*queue->shadow_device));
	queue->shadow_host->irq_event = htole32(UINT32_MAX);
	queue->sq_tail = 0;
	queue->cq_told = 0;
	atomic_store(&queue->cq_head, 0);
	pthread_mutex_unlock(&queue->lock);
}

static uint64_t load_half(const struct ihsm_cqe *entry, unsigned int half, int order)
{
	const uint64_t *p = (const uint64_t *)(const void *)entry + half;

	return le64toh(__atomic_load_n(p, order));
}

/* The half with the phase is read first, and only then, in order, the rest of the entry. */
static bool entry_ready(const struct queue *queue, uint32_t head, uint64_t *tail_half)
{
	*tail_half = load_half(&queue->cq[head & (CQ_ENTRIES - 1)], 1, __ATOMIC_ACQUIRE);
	return (*tail_half >> 48 & IHSM_CQE_PHASE) == ring_phase(head, CQ_LOG2);
}

static bool maybe_ready(struct queue *queue)
{
	uint64_t half;

	return entry_ready(queue, atomic_load_explicit(&queue->cq_head, memory_order_relaxed),
			   &half);
}

static void free_slot(struct queue *queue, unsigned int slot)
{
	queue->slot[slot].transfer = NULL;
	queue->free[queue->free_count++] = (uint16_t)slot;
}

static uint16_t slot_cid(const struct queue *queue, unsigned int slot)
{
	return (uint16_t)(queue->slot[slot].serial << SQ_LOG2 | slot);
}

/*
 * Check one completion against what we know, and copy the answer out. Return: its transfer, or
 * NULL for nonsense.
 */
static struct transfer *take_completion(struct vfio_user *vu, struct queue *queue, uint64_t low,
					uint64_t high)
{
	uint32_t result = (uint32_t)low;
	uint32_t sq_head = (uint32_t)(low >> 32);
	unsigned int cid = high >> 16 & 0xffff;
	unsigned int slot = cid & (SQ_ENTRIES - 1);
	struct transfer *transfer = queue->slot[slot].transfer;

	if ((high & 0xffff) != queue->index + 1 || !transfer || slot_cid(queue, slot) != cid)
		return NULL;
	if ((uint32_t)(queue->sq_tail - sq_head) > SQ_ENTRIES)
		return NULL;
	transfer->status = (unsigned int)(high >> 48) >> IHSM_CQE_STATUS_SHIFT;
	transfer->result = 0;
	transfer->out_length = 0;
	if (transfer->status == IHSM_SC_SUCCESS) {
		if (result > transfer->out_capacity)
			return NULL;
		memcpy(transfer->out, vu->shared.base + slot_offset(queue->index, slot) + SLOT_ROOM,
		       result);
		transfer->out_length = result;
	}
	free_slot(queue, slot);
	return transfer;
}

/*
 * The completion ring has twice as many entries as commands can be outstanding, so the device need not
 * know at once what was read: it is told after a quarter of the ring. The word shares a cache line
 * with the tail, which the device polls.
 */
static void publish_cq_head(struct vfio_user *vu, struct queue *queue, uint32_t head)
{
	atomic_store_explicit(&queue->cq_head, head, memory_order_relaxed);
	if (!vu->shadow) {
		wire_post(&vu->socket, IHSM_DOORBELL_CQ(queue->index + 1), head);
		return;
	}
	if (head - queue->cq_told < CQ_ENTRIES / 4)
		return;
	queue->cq_told = head;
	__atomic_store_n(&queue->shadow_host->cq_head, htole32(head), __ATOMIC_RELEASE);
}

int queue_reap(struct vfio_user *vu, struct queue *queue)
{
	struct transfer *ended[SQ_ENTRIES];
	struct transfer *transfer = NULL;
	bool nonsense = false;
	uint64_t high;
	uint32_t head;
	int count = 0;

	pthread_mutex_lock(&queue->lock);
	head = atomic_load_explicit(&queue->cq_head, memory_order_relaxed);
	while (count < (int)SQ_ENTRIES && !atomic_load(&vu->transport.lost) &&
	       entry_ready(queue, head, &high)) {
		uint64_t low = load_half(&queue->cq[head & (CQ_ENTRIES - 1)], 0, __ATOMIC_RELAXED);

		transfer = take_completion(vu, queue, low, high);
		nonsense = !transfer;
		if (nonsense)
			break;
		ended[count++] = transfer;
		head++;
	}
	if (count > 0)
		publish_cq_head(vu, queue, head);
	pthread_mutex_unlock(&queue->lock);
	for (int i = 0; i < count; i++)
		end(vu, queue, ended[i]);
	return nonsense ? -EPROTO : count;
}

void queue_fail_all(struct vfio_user *vu, struct queue *queue, int result)
{
	struct transfer *ended[SQ_ENTRIES];
	int count = 0;

	pthread_mutex_lock(&queue->lock);
	for (unsigned int i = 0; i < SQ_ENTRIES; i++) {
		struct transfer *transfer = queue->slot[i].transfer;

		if (!transfer)
			continue;
		transfer->result = transfer->timed_out ? -ETIMEDOUT : result;
		transfer->out_length = 0;
		free_slot(queue, i);
		ended[count++] = transfer;
	}
	pthread_mutex_unlock(&queue->lock);
	for (int i = 0; i < count; i++)
		end(vu, queue, ended[i]);
	/* Leader and waiters for a slot look again. */
	raise_event(queue->event);
	futex_wake(&queue->ends, INT32_MAX);
}

/* Reap, and take the device down when it writes nonsense. */
static int reap(struct vfio_user *vu, struct queue *queue)
{
	int n = queue_reap(vu, queue);

	if (n < 0)
		vfio_user_lost(vu, -EPROTO);
	return n;
}

/* ---- sleeping ---- */

bool queue_arm(struct queue *queue)
{
	uint32_t head = atomic_load_explicit(&queue->cq_head, memory_order_relaxed);

	__atomic_store_n(&queue->shadow_host->irq_event, htole32(head), __ATOMIC_RELAXED);
	/*
	 * The wish is visible before the ring is looked at again: one of the two sides sees the
	 * other.
	 */
	atomic_thread_fence(memory_order_seq_cst);
	return maybe_ready(queue) ||
	       head != atomic_load_explicit(&queue->cq_head, memory_order_relaxed);
}

/*
 * The device has been silent for a while. Say again what was said: a tail or a doorbell that was lost
 * must not cost as long as the longest command may take.
 */
static void remind(struct vfio_user *vu, struct queue *queue)
{
	uint32_t tail;

	if (!vu->shadow)
		return;
	pthread_mutex_lock(&queue->lock);
	tail = queue->sq_tail;
	__atomic_store_n(&queue->shadow_host->sq_tail, htole32(tail), __ATOMIC_RELEASE);
	pthread_mutex_unlock(&queue->lock);
	wire_post(&vu->socket, IHSM_DOORBELL_SQ(queue->index + 1), tail);
}

static void sleep_armed(struct vfio_user *vu, struct queue *queue)
{
	struct pollfd fds[] = {
		{ .fd = queue->event, .events = POLLIN },
		{ .fd = vu->admin_event, .events = POLLIN },
		{ .fd = vu->socket.fd, .events = POLLRDHUP },
	};
	int n;

	n = poll(fds, ARRAY_SIZE(fds), SLICE_MS);
	if (n > 0 && fds[0].revents) {
		drain(queue->event);
		return;
	}
	if (n > 0 && fds[2].revents)
		vfio_user_lost(vu, -ECONNRESET);
	else if (n > 0 && fds[1].revents && controller_events(vu))
		vfio_user_lost(vu, -ECONNRESET);
	else if (n == 0 && !controller_alive(vu))
		vfio_user_lost(vu, -ECONNRESET);
	else if (n == 0)
		remind(vu, queue);
}

static bool set_state(struct transfer *transfer, uint32_t from, uint32_t to)
{
	return atomic_compare_exchange_strong(&transfer->state, &from, to);
}

/*
 * The leader sleeps until something may have come. Whoever ends @transfer meanwhile sees in its state
 * that the event has to be raised.
 */
static void sleep_for_transfer(struct vfio_user *vu, struct queue *queue, struct transfer *transfer)
{
	if (atomic_load(&vu->transport.lost) || queue_arm(queue))
		return;
	if (!set_state(transfer, TRANSFER_PENDING, TRANSFER_POLLING))
		return;
	sleep_armed(vu, queue);
	set_state(transfer, TRANSFER_POLLING, TRANSFER_PENDING);
}

/* The same for whoever waits for a slot: until more than @seen transfers have ended. */
static void sleep_for_any(struct vfio_user *vu, struct queue *queue, uint32_t seen)
{
	if (atomic_load(&vu->transport.lost) || queue_arm(queue))
		return;
	atomic_store(&queue->leader_any, true);
	if (atomic_load(&queue->ends) == seen)
		sleep_armed(vu, queue);
	atomic_store(&queue->leader_any, false);
}

static bool take_lead(struct queue *queue)
{
	return !atomic_exchange(&queue->leader, true);
}

/* Whoever stops leading makes one of those who still sleep the next. */
static void give_lead(struct queue *queue)
{
	bool found = false;

	atomic_store(&queue->leader, false);
	pthread_mutex_lock(&queue->lock);
	for (unsigned int i = 0; i < SQ_ENTRIES && !found; i++) {
		struct transfer *transfer = queue->slot[i].transfer;
		uint32_t sleeping = TRANSFER_SLEEPING;

		found = transfer &&
			atomic_compare_exchange_strong(&transfer->state, &sleeping, TRANSFER_LEAD);
		if (found)
			futex_wake(&transfer->state, 1);
	}
	pthread_mutex_unlock(&queue->lock);
	if (!found && atomic_load(&queue->crowd) > 0)
		futex_wake(&queue->ends, 1);
}

/* Sleep until woken with the result, or to lead, or to look at the clock. */
static void follow(struct queue *queue, struct transfer *transfer)
{
	set_state(transfer, TRANSFER_PENDING, TRANSFER_SLEEPING);
	/* A leader that left before it could see us asleep has left the place free. */
	if (atomic_load(&queue->leader))
		futex_wait(&transfer->state, TRANSFER_SLEEPING, SLICE_MS);
	set_state(transfer, TRANSFER_SLEEPING, TRANSFER_PENDING);
	set_state(transfer, TRANSFER_LEAD, TRANSFER_PENDING);
}

/*
 * Commands of a queue that take too long. @aborts gets the identifiers of those to be aborted now.
 * Return: true when an abort did not help one of them in time.
 */
static bool find_overdue(struct queue *queue, uint16_t aborts[SQ_ENTRIES], unsigned int *count)
{
	uint64_t now = now_ms();
	bool hopeless = false;

	*count = 0;
	pthread_mutex_lock(&queue->lock);
	for (unsigned int i = 0; i < SQ_ENTRIES; i++) {
		struct transfer *transfer = queue->slot[i].transfer;
		uint64_t age = transfer ? now - transfer->started_ms : 0;

		if (!transfer || age < transfer->limit_ms)
			continue;
		if (!transfer->timed_out)
			aborts[(*count)++] = slot_cid(queue, i);
		else if (age >= (uint64_t)transfer->limit_ms + ABORT_GRACE_MS)
			hopeless = true;
		transfer->timed_out = true;
	}
	pthread_mutex_unlock(&queue->lock);
	return hopeless;
}

void queue_enforce(struct vfio_user *vu, struct queue *queue)
{
	uint16_t aborts[SQ_ENTRIES];
	unsigned int count;
	bool lost = find_overdue(queue, aborts, &count);

	for (unsigned int i = 0; i < count && !lost; i++)
		lost = controller_abort(vu, queue->index + 1, aborts[i]) != 0;
	if (lost)
		vfio_user_lost(vu, -ECONNRESET);
}

/* A waiter looks after its whole queue once its own command is overdue. */
static void enforce_limit(struct vfio_user *vu, struct queue *queue, struct transfer *transfer)
{
	if (!transfer_done(transfer) && now_ms() - transfer->started_ms >= transfer->limit_ms)
		queue_enforce(vu, queue);
}

/* ---- waiting ---- */

/* Return: true when the transfer ended while we spun. */
static bool spin(struct vfio_user *vu, struct queue *queue, struct transfer *transfer,
		 uint32_t budget)
{
	uint64_t start = now_ns();
	uint64_t now = start;
	uint64_t before;
	bool done = false;

	/* One processor is left to the device. */
	if (atomic_fetch_add(&vu->spinners, 1) + 1 < (int)vu->cpus) {
		do {
			for (int i = 0; i < 32 && !done; i++) {
				if (maybe_ready(queue))
					reap(vu, queue);
				else
					relax();
				done = transfer_done(transfer);
			}
			/* It may be the device that waits for this processor. */
			if (!done && now - start > YIELD_NS)
				sched_yield();
			before = now;
			now = done ? now : now_ns();
		} while (!done && now - start < budget && now - before < PREEMPTED_NS);
	}
	atomic_fetch_sub(&vu->spinners, 1);
	return done;
}

static void sleep_until_done(struct vfio_user *vu, struct queue *queue, struct transfer *transfer)
{
	while (!transfer_done(transfer)) {
		if (!take_lead(queue)) {
			follow(queue, transfer);
			enforce_limit(vu, queue, transfer);
			continue;
		}
		while (!transfer_done(transfer)) {
			if (reap(vu, queue) == 0)
				sleep_for_transfer(vu, queue, transfer);
			enforce_limit(vu, queue, transfer);
		}
		give_lead(queue);
	}
}

/*
 * How long to spin for this kind of command. What took long will take long again, and spinning for it
 * only takes the processor from the device; now and then it is tried all the same.
 */
static uint32_t spin_budget(struct vfio_user *vu, struct queue *queue, struct transfer *transfer)
{
	uint32_t learnt = vu->spin_ns;

	if (transfer->spin)
		learnt = atomic_load_explicit(transfer->spin, memory_order_relaxed);
	if (learnt >= vu->spin_ns)
		return vu->spin_ns;
	if (atomic_fetch_add_explicit(&queue->waits, 1, memory_order_relaxed) % PROBE_EVERY == 0)
		return vu->spin_ns;
	return learnt;
}

static void learn(struct vfio_user *vu, struct transfer *transfer, bool quick)
{
	uint32_t learnt;

	if (!transfer->spin)
		return;
	learnt = atomic_load_explicit(transfer->spin, memory_order_relaxed);
	if (quick && learnt >= vu->spin_ns)
		return;
	if (quick || learnt > vu->spin_ns)
		learnt = vu->spin_ns;
	if (!quick)
		learnt = learnt / 2 < SPIN_LEAST_NS ? 0 : learnt / 2;
	atomic_store_explicit(transfer->spin, learnt, memory_order_relaxed);
}

/* While so many threads wait, the device has work for every processor: only a short answer is worth one. */
static uint32_t crowded(const struct vfio_user *vu, int waiters, uint32_t budget)
{
	return waiters >= (int)vu->cpus && budget > CROWDED_NS ? CROWDED_NS : budget;
}

static void wait_for(struct vfio_user *vu, struct queue *queue, struct transfer *transfer,
		     int waiters)
{
	uint32_t budget = crowded(vu, waiters, spin_budget(vu, queue, transfer));
	uint64_t start;

	if (budget > 0 && spin(vu, queue, transfer, budget)) {
		learn(vu, transfer, true);
		return;
	}
	start = now_ns();
	sleep_until_done(vu, queue, transfer);
	learn(vu, transfer, now_ns() - start < crowded(vu, waiters, vu->spin_ns));
}

void queue_wait(struct vfio_user *vu, struct transfer *transfer)
{
	struct queue *queue = &vu->queue[transfer->queue % vu->queues];

	if (transfer_done(transfer))
		return;
	wait_for(vu, queue, transfer, atomic_fetch_add(&vu->waiters, 1) + 1);
	atomic_fetch_sub(&vu->waiters, 1);
}

/* ---- submitting ---- */

/* All slots are taken: wait until one may be free. */
static void wait_for_slot(struct vfio_user *vu, struct queue *queue, uint32_t seen)
{
	if (reap(vu, queue) != 0)
		return;
	if (take_lead(queue)) {
		sleep_for_any(vu, queue, seen);
		reap(vu, queue);
		give_lead(queue);
		return;
	}
	atomic_fetch_add(&queue->crowd, 1);
	futex_wait(&queue->ends, seen, SLICE_MS);
	atomic_fetch_sub(&queue->crowd, 1);
}

static int take_slot(struct vfio_user *vu, struct queue *queue, uint32_t instance,
		     unsigned int *slot)
{
	for (;;) {
		uint32_t seen = atomic_load(&queue->ends);
		bool found = false;
		bool lost;

		pthread_mutex_lock(&queue->lock);
		lost = atomic_load(&vu->transport.lost) ||
		       atomic_load(&vu->transport.instance) != instance;
		if (!lost && queue->free_count > 0) {
			*slot = queue->free[--queue->free_count];
			found = true;
		}
		pthread_mutex_unlock(&queue->lock);
		if (lost)
			return -ECONNRESET;
		if (found)
			return 0;
		wait_for_slot(vu, queue, seen);
	}
}

/* With the lock held. Return: true when the device has to be woken. */
static bool publish(struct vfio_user *vu, struct queue *queue, struct transfer *transfer,
		    unsigned int slot)
{
	uint64_t bus = SHARED_ADDRESS + slot_offset(queue->index, slot);
	uint32_t tail = queue->sq_tail;
	struct ihsm_sqe entry = {
		.opcode = IHSM_IO_MESSAGE,
		.context = htole64(vu->context),
		.in_addr = htole64(bus),
		.out_addr = htole64(bus + SLOT_ROOM),
		.in_len = htole32((uint32_t)transfer->in_length),
		.out_len = htole32((uint32_t)transfer->out_capacity),
	};

	queue->slot[slot].serial = (queue->slot[slot].serial + 1) % SERIALS;
	queue->slot[slot].transfer = transfer;
	entry.cid = htole16(slot_cid(queue, slot));
	memcpy(&queue->sq[tail & (SQ_ENTRIES - 1)], &entry, sizeof(entry));
	queue->sq_tail = tail + 1;
	/*
	 * Without shadow doorbells the register is the tail: it must not be written out of
	 * order.
	 */
	if (!vu->shadow)
		return wire_post(&vu->socket, IHSM_DOORBELL_SQ(queue->index + 1), tail + 1) != 0;
	__atomic_store_n(&queue->shadow_host->sq_tail, htole32(tail + 1), __ATOMIC_RELEASE);
	/*
	 * The tail is visible before the device's wish is read: one of the two sides sees the
	 * other.
	 */
	atomic_thread_fence(memory_order_seq_cst);
	return ring_wants(
		le32toh(__atomic_load_n(&queue->shadow_device->sq_event, __ATOMIC_RELAXED)), tail,
		tail + 1);
}

int queue_submit(struct vfio_user *vu, struct transfer *transfer, struct hsm_error *error)
{
	struct queue *queue = &vu->queue[transfer->queue % vu->queues];
	bool ring = false;
	unsigned int slot;
	uint32_t tail;
	int err;

	err = transfer->in_length > SLOT_ROOM || transfer->out_capacity > SLOT_ROOM ? -EMSGSIZE : 0;
	if (!err)
		err = take_slot(vu, queue, transfer->instance, &slot);
	if (err)
		return set_error(error, err, HSM_LAYER_TRANSPORT,
				 "the connection to the device was lost");
	memcpy(vu->shared.base + slot_offset(queue->index, slot), transfer->in,
	       transfer->in_length);
	transfer->slot = slot;
	transfer->started_ms = now_ms();
	transfer->timed_out = false;
	transfer->result = 0;
	atomic_store(&transfer->state, TRANSFER_PENDING);

	pthread_mutex_lock(&queue->lock);
	if (atomic_load(&vu->transport.lost) ||
	    atomic_load(&vu->transport.instance) != transfer->instance) {
		free_slot(queue, slot);
		err = -ECONNRESET;
	} else {
		ring = publish(vu, queue, transfer, slot);
	}
	tail = queue->sq_tail;
	pthread_mutex_unlock(&queue->lock);
	if (err)
		return set_error(error, err, HSM_LAYER_TRANSPORT,
				 "the connection to the device was lost");
	/*
	 * From here on the command may have been executed: a device that does not hear the bell
	 * has lost it.
	 */
	if (ring && wire_post(&vu->socket, IHSM_DOORBELL_SQ(queue->index + 1), tail))
		vfio_user_lost(vu, -ECONNRESET);
	return 0;
}
