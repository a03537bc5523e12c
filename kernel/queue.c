// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queue pairs: slots, entries in, completions out. The admin queue is one like the others,
 * without shadow doorbells.
 *
 * What the device writes is read once, checked against what we know, and only then
 * used. A slot belongs to its command until the device has answered or was stopped; whatever
 * happens to the program meanwhile, the device never writes into memory of somebody else.
 */
#include <linux/dma-mapping.h>
#include <linux/nospec.h>
#include <linux/slab.h>

#include "ihsm.h"
#include "trace.h"

#define ABORT_GRACE	(3 * HZ)	/* an aborted command ends within this, or never */

static_assert(sizeof(struct ihsm_sqe) == IHSM_SQE_SIZE);
static_assert(sizeof(struct ihsm_cqe) == IHSM_CQE_SIZE);
static_assert(sizeof(struct ihsm_shadow_host) == 64);
static_assert(sizeof(struct ihsm_shadow_device) == 64);
static_assert(IHSM_MAX_SEGMENTS * sizeof(struct ihsm_segment) <= IHSM_ROOM);

static size_t sq_bytes(const struct ihsm_queue *queue)
{
	return max_t(size_t, sizeof(struct ihsm_sqe) << queue->sq_log2, IHSM_RING_ALIGN);
}

static size_t cq_bytes(const struct ihsm_queue *queue)
{
	return max_t(size_t, sizeof(struct ihsm_cqe) << queue->cq_log2, IHSM_RING_ALIGN);
}

/* ---- commands and slots ---- */

/**
 * ihsm_cmd_alloc() - a command
 * @opcode: of the entry
 * @bounce: bytes at its @bounce, zero
 *
 * Return: the command, for ihsm_cmd_free(), or NULL.
 */
struct ihsm_cmd *ihsm_cmd_alloc(u8 opcode, size_t bounce)
{
	struct ihsm_cmd *cmd = kzalloc_obj(*cmd, GFP_KERNEL_ACCOUNT);

	if (!cmd)
		return NULL;
	cmd->opcode = opcode;
	init_completion(&cmd->done);
	if (!bounce)
		return cmd;
	cmd->bounce = kzalloc(bounce, GFP_KERNEL_ACCOUNT);
	if (cmd->bounce)
		return cmd;
	kfree(cmd);
	return NULL;
}

/**
 * ihsm_cmd_free() - give back a command with all it has, wiped
 * @cmd: not with the device; may be NULL
 */
void ihsm_cmd_free(struct ihsm_cmd *cmd)
{
	if (!cmd)
		return;
	ihsm_cmd_finish(cmd);
	ihsm_payload_free(&cmd->large_in);
	ihsm_payload_free(&cmd->large_out);
	kfree_sensitive(cmd->bounce);
	kfree(cmd);
}

static bool try_slot(struct ihsm_queue *queue, struct ihsm_cmd *cmd, int *err)
{
	unsigned long flags;
	unsigned int slot;

	spin_lock_irqsave(&queue->lock, flags);
	slot = find_first_bit(queue->free, queue->slots);
	*err = 0;
	if (!queue->running || (cmd->generation && cmd->generation != queue->generation)) {
		*err = cmd->generation ? -ESTALE : -ENODEV;
	} else if (slot < queue->slots) {
		__clear_bit(slot, queue->free);
		cmd->queue = queue;
		cmd->slot = &queue->slot[slot];
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	return *err || cmd->slot;
}

/**
 * ihsm_cmd_place() - get a slot for a command
 * @queue: where it is to run
 * @cmd: without a slot
 *
 * Sleeps until there is one. On an I/O queue the wait ends with the process. On the admin queue it
 * does not, so that what a dying process owns is given back; it is bounded there, since a command
 * that is lost leads to a reset.
 * Return: 0, -ERESTARTSYS when the process is killed, -ESTALE when the device was restarted since
 * the command's context was made, -ENODEV when it does not run.
 */
int ihsm_cmd_place(struct ihsm_queue *queue, struct ihsm_cmd *cmd)
{
	int killed = 0;
	int err = 0;

	if (queue->qid)
		killed = wait_event_state(queue->slot_wait, try_slot(queue, cmd, &err),
					  IHSM_WAIT);
	else
		wait_event(queue->slot_wait, try_slot(queue, cmd, &err));
	return killed ? killed : err;
}

/**
 * ihsm_cmd_try_place() - get a slot for a command, if there is one
 * @queue: where it is to run
 * @cmd: without a slot
 *
 * Does not sleep. Return: 0, -EAGAIN when there is none, else as ihsm_cmd_place().
 */
int ihsm_cmd_try_place(struct ihsm_queue *queue, struct ihsm_cmd *cmd)
{
	int err;

	return try_slot(queue, cmd, &err) ? err : -EAGAIN;
}

/* How much of a half of the slot's buffer a command has used: its bytes, or its list */
static size_t room_used(const struct ihsm_payload *large, u32 len)
{
	return large->pages ? IHSM_MAX_SEGMENTS * sizeof(struct ihsm_segment) : min(len, IHSM_ROOM);
}

/**
 * ihsm_cmd_finish() - take the answer out of the slot, and give the slot back, wiped
 * @cmd: has ended, or was never submitted; not abandoned. Nothing happens without a slot.
 */
void ihsm_cmd_finish(struct ihsm_cmd *cmd)
{
	struct ihsm_queue *queue = cmd->queue;
	struct ihsm_slot *slot = cmd->slot;
	unsigned long flags;

	if (!slot)
		return;
	/* An admin command's result is something else than a length. */
	if (cmd->out && !cmd->error && cmd->status == IHSM_SC_SUCCESS)
		memcpy(cmd->out, slot->room + IHSM_ROOM,
		       queue->qid ? min(cmd->result, cmd->out_len) : cmd->out_len);
	memzero_explicit(slot->room, room_used(&cmd->large_in, cmd->in_len));
	memzero_explicit(slot->room + IHSM_ROOM, room_used(&cmd->large_out, cmd->out_len));
	ihsm_payload_unmap(queue->ihsm, &cmd->large_in);
	ihsm_payload_unmap(queue->ihsm, &cmd->large_out);

	spin_lock_irqsave(&queue->lock, flags);
	cmd->slot = NULL;
	__set_bit(slot - queue->slot, queue->free);
	spin_unlock_irqrestore(&queue->lock, flags);
	wake_up(&queue->slot_wait);
}

/* ---- completion; with the lock held ---- */

/* The command has ended: it is its owner's again, or nobody's. */
static void end_command(struct ihsm_queue *queue, struct ihsm_slot *slot)
{
	struct ihsm_cmd *cmd = slot->cmd;

	slot->cmd = NULL;
	atomic_sub(cmd->weight_ms, &queue->ihsm->load_ms);
	if (cmd->waited)
		queue->waiters--;
	if (cmd->abandoned) {
		llist_add(&cmd->orphan, &queue->ihsm->orphans);
		queue_work(queue->ihsm->wq, &queue->ihsm->orphan_work);
		return;
	}
	if (cmd->landed)
		llist_add(&cmd->orphan, &queue->landed);
	else
		complete(&cmd->done);
}

/*
 * Check a completion against what we know. Nothing of it is used before. Return: the slot of its
 * command, or NULL when it makes no sense.
 */
static struct ihsm_slot *check_completion(struct ihsm_queue *queue, const struct ihsm_cqe *cqe)
{
	u16 tag = le16_to_cpu(cqe->cid);
	unsigned int index = ihsm_tag_slot(tag);
	struct ihsm_slot *slot;

	if (index >= queue->slots)
		return NULL;
	slot = &queue->slot[array_index_nospec(index, IHSM_SLOTS)];
	if (le16_to_cpu(cqe->sq_id) != queue->qid || !slot->cmd ||
	    ihsm_tag(index, slot->generation) != tag)
		return NULL;
	if (!ihsm_ring_head_valid(queue->sq_head, le32_to_cpu(cqe->sq_head), queue->sq_tail))
		return NULL;
	if (queue->qid && le32_to_cpu(cqe->result) > slot->cmd->out_len)
		return NULL;
	return slot;
}

/* Read an entry, each field once: the one with the phase first. Return: false: not there yet. */
static bool read_completion(struct ihsm_queue *queue, struct ihsm_cqe *cqe)
{
	struct ihsm_cqe *shared = &queue->cq[queue->cq_head & ((1U << queue->cq_log2) - 1)];

	cqe->status = READ_ONCE(shared->status);
	if ((le16_to_cpu(cqe->status) & IHSM_CQE_PHASE) !=
	    ihsm_ring_phase(queue->cq_head, queue->cq_log2))
		return false;
	dma_rmb();
	cqe->result = READ_ONCE(shared->result);
	cqe->sq_head = READ_ONCE(shared->sq_head);
	cqe->sq_id = READ_ONCE(shared->sq_id);
	cqe->cid = READ_ONCE(shared->cid);
	return true;
}

static void publish_head(struct ihsm_queue *queue, u32 old)
{
	if (!queue->host) {
		ihsm_ring_bell(queue->ihsm, IHSM_DOORBELL_CQ(queue->qid), queue->cq_head);
		return;
	}
	WRITE_ONCE(queue->host->cq_head, cpu_to_le32(queue->cq_head));
	/* The head is visible before the wish is read, as in publish(). */
	mb();
	if (ihsm_ring_wants(le32_to_cpu(READ_ONCE(queue->device->cq_event)), old, queue->cq_head))
		ihsm_ring_bell(queue->ihsm, IHSM_DOORBELL_CQ(queue->qid), queue->cq_head);
}

/* Take what there is. It is bounded: each completion needs a command of its own. */
static unsigned int reap(struct ihsm_queue *queue)
{
	u32 old = queue->cq_head;
	struct ihsm_cqe cqe;

	while (queue->running && read_completion(queue, &cqe)) {
		struct ihsm_slot *slot = check_completion(queue, &cqe);

		if (!slot) {
			queue->bogus++;
			queue->running = false;
			ihsm_reset_later(queue->ihsm, "a completion makes no sense");
			break;
		}
		queue->sq_head = le32_to_cpu(cqe.sq_head);
		WRITE_ONCE(queue->cq_head, queue->cq_head + 1);
		queue->completed++;
		trace_ihsm_complete(queue, &cqe);
		slot->cmd->error = 0;
		slot->cmd->status = le16_to_cpu(cqe.status) >> IHSM_CQE_STATUS_SHIFT;
		queue->errors += slot->cmd->status != IHSM_SC_SUCCESS;
		slot->cmd->result = le32_to_cpu(cqe.result);
		end_command(queue, slot);
	}
	if (queue->cq_head != old)
		publish_head(queue, old);
	return queue->cq_head - old;
}

/* Ask for an interrupt with the next completion, if one is waited for, and look once more. */
static unsigned int reap_and_arm(struct ihsm_queue *queue)
{
	unsigned int total = 0;
	unsigned int count;

	do {
		count = reap(queue);
		total += count;
		if (!queue->host || !queue->waiters || !queue->running)
			break;
		WRITE_ONCE(queue->host->irq_event, cpu_to_le32(queue->cq_head));
		/* Our wish is visible before the ring is looked at again. */
		mb();
		count = reap(queue);
		total += count;
	} while (count);
	return total;
}

/*
 * Without the lock: commands that have ended and that nobody waits for go on. Whoever may end
 * commands comes here afterwards; each command is taken by one of them.
 */
static void land(struct ihsm_queue *queue)
{
	struct llist_node *list = llist_reverse_order(llist_del_all(&queue->landed));
	struct ihsm_cmd *cmd, *next;

	llist_for_each_entry_safe(cmd, next, list, orphan) {
		ihsm_cmd_finish(cmd);
		cmd->landed(cmd);
	}
}

/* ---- submission ---- */

/* Where the device reads: the slot, a list of segments in it, or what an admin command names */
static void set_input(struct ihsm_cmd *cmd, struct ihsm_sqe *sqe)
{
	struct ihsm_slot *slot = cmd->slot;

	sqe->in_len = cpu_to_le32(cmd->in_len);
	if (cmd->large_in.mapped) {
		sqe->flags |= IHSM_SQE_IN_SEGMENTS;
		sqe->in_segments = cpu_to_le16(ihsm_payload_segments(&cmd->large_in, slot->room));
		sqe->in_addr = cpu_to_le64(slot->dma);
	} else if (cmd->in) {
		memcpy(slot->room, cmd->in, cmd->in_len);
		sqe->in_addr = cpu_to_le64(slot->dma);
	} else {
		sqe->in_addr = cpu_to_le64(cmd->in_addr);
	}
}

static void set_output(struct ihsm_cmd *cmd, struct ihsm_sqe *sqe)
{
	struct ihsm_slot *slot = cmd->slot;

	sqe->out_len = cpu_to_le32(cmd->out_len);
	if (cmd->large_out.mapped) {
		sqe->flags |= IHSM_SQE_OUT_SEGMENTS;
		sqe->out_segments = cpu_to_le16(ihsm_payload_segments(&cmd->large_out,
								      slot->room + IHSM_ROOM));
		sqe->out_addr = cpu_to_le64(slot->dma + IHSM_ROOM);
	} else if (cmd->out) {
		sqe->out_addr = cpu_to_le64(slot->dma + IHSM_ROOM);
	} else {
		sqe->out_addr = cpu_to_le64(cmd->out_addr);
	}
}

static void build_entry(struct ihsm_cmd *cmd, struct ihsm_sqe *sqe)
{
	unsigned int i;

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = cmd->opcode;
	sqe->context = cpu_to_le64(cmd->context);
	set_input(cmd, sqe);
	set_output(cmd, sqe);
	for (i = 0; i < ARRAY_SIZE(sqe->arg); i++)
		sqe->arg[i] = cpu_to_le32(cmd->arg[i]);
}

/* With the lock held. No register is read, and written only when the device asked. */
static void publish(struct ihsm_queue *queue, const struct ihsm_sqe *sqe)
{
	u32 tail = queue->sq_tail++;

	queue->sq[tail & ((1U << queue->sq_log2) - 1)] = *sqe;
	if (!queue->host) {
		/* writel() orders the entry before the doorbell. */
		ihsm_ring_bell(queue->ihsm, IHSM_DOORBELL_SQ(queue->qid), tail + 1);
		return;
	}
	dma_wmb();
	WRITE_ONCE(queue->host->sq_tail, cpu_to_le32(tail + 1));
	/* The tail is visible before the wish is read: one side sees the other. */
	mb();
	if (ihsm_ring_wants(le32_to_cpu(READ_ONCE(queue->device->sq_event)), tail, tail + 1))
		ihsm_ring_bell(queue->ihsm, IHSM_DOORBELL_SQ(queue->qid), tail + 1);
}

/**
 * ihsm_cmd_submit() - give a command to the device
 * @cmd: with a slot; its payloads mapped
 *
 * Does not sleep. From success on @cmd is the queue's, until its @done is complete, its @landed is
 * called, or, abandoned, for good.
 * Return: 0, -ESTALE or -ENODEV as ihsm_cmd_place(); the slot is still the caller's then.
 */
int ihsm_cmd_submit(struct ihsm_cmd *cmd)
{
	struct ihsm_queue *queue = cmd->queue;
	struct ihsm_slot *slot = cmd->slot;
	struct ihsm_sqe sqe;
	unsigned long flags;
	int err = 0;

	build_entry(cmd, &sqe);
	if (cmd->large_in.mapped && !sqe.in_segments)
		return -EMSGSIZE;
	if (cmd->large_out.mapped && !sqe.out_segments)
		return -EMSGSIZE;
	cmd->deadline = jiffies + ihsm_time_limit(queue->ihsm, cmd->weight_ms);

	spin_lock_irqsave(&queue->lock, flags);
	if (!queue->running) {
		err = cmd->generation ? -ESTALE : -ENODEV;
	} else if (cmd->generation && cmd->generation != queue->generation) {
		err = -ESTALE;
	} else {
		cmd->generation = queue->generation;
		slot->generation++;
		slot->cmd = cmd;
		sqe.cid = cpu_to_le16(ihsm_tag(slot - queue->slot, slot->generation));
		queue->submitted++;
		atomic_add(cmd->weight_ms, &queue->ihsm->load_ms);
		trace_ihsm_submit(queue, &sqe);
		publish(queue, &sqe);
		if (cmd->landed && !cmd->silent) {
			cmd->waited = true;
			queue->waiters++;
			reap_and_arm(queue);
		}
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	land(queue);
	return err;
}

/**
 * ihsm_cmd_send() - give a command to the device that nobody waits for
 * @queue: where it is to run
 * @cmd: its @ended is called when it has ended; it is freed then, and at once on failure
 *
 * Does not sleep. Return: 0, -EBUSY when there is no slot, else as ihsm_cmd_submit().
 */
int ihsm_cmd_send(struct ihsm_queue *queue, struct ihsm_cmd *cmd)
{
	int err;

	err = ihsm_cmd_try_place(queue, cmd);
	cmd->abandoned = true;
	if (!err)
		err = ihsm_cmd_submit(cmd);
	if (err == -EAGAIN)
		err = -EBUSY;
	if (err)
		ihsm_cmd_free(cmd);
	return err;
}

/**
 * ihsm_queue_ready() - may there be a completion?
 * @queue: any
 *
 * For those who poll: without the lock, and only worth a look with it.
 */
bool ihsm_queue_ready(struct ihsm_queue *queue)
{
	u32 head = READ_ONCE(queue->cq_head);
	u16 status = le16_to_cpu(READ_ONCE(queue->cq[head & ((1U << queue->cq_log2) - 1)].status));

	return (status & IHSM_CQE_PHASE) == ihsm_ring_phase(head, queue->cq_log2);
}

/**
 * ihsm_queue_poll() - take the completions that are there
 * @queue: any
 *
 * Any context. Return: how many there were.
 */
unsigned int ihsm_queue_poll(struct ihsm_queue *queue)
{
	unsigned long flags;
	unsigned int count;

	spin_lock_irqsave(&queue->lock, flags);
	count = reap_and_arm(queue);
	spin_unlock_irqrestore(&queue->lock, flags);
	land(queue);
	return count;
}

/**
 * ihsm_cmd_listen() - somebody is going to sleep until this command ends
 * @cmd: submitted by the caller
 */
void ihsm_cmd_listen(struct ihsm_cmd *cmd)
{
	struct ihsm_queue *queue = cmd->queue;
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	if (cmd->slot->cmd == cmd && !cmd->waited) {
		cmd->waited = true;
		queue->waiters++;
		reap_and_arm(queue);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	land(queue);
}

/**
 * ihsm_cmd_abandon() - nobody will wait for this command any more
 * @cmd: submitted by the caller, and allocated by kmalloc()
 * @abort: the device is asked to drop it
 *
 * Its deadline stays: a command that is past the point where it can be called back runs to its end,
 * and nobody else's work is to suffer for that.
 * Return: true when the command is not the caller's any more; false when it has ended meanwhile.
 */
bool ihsm_cmd_abandon(struct ihsm_cmd *cmd, bool abort)
{
	struct ihsm_queue *queue = cmd->queue;
	struct ihsm_slot *slot = cmd->slot;
	unsigned long flags;
	bool with_device;
	u16 tag = 0;

	spin_lock_irqsave(&queue->lock, flags);
	with_device = slot->cmd == cmd;
	if (with_device) {
		tag = ihsm_tag(slot - queue->slot, slot->generation);
		cmd->abandoned = true;
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	if (with_device && abort)
		ihsm_send_abort(queue->ihsm, queue->qid, tag);
	return with_device;
}

/**
 * ihsm_cmd_abort() - the device is asked to drop a command
 * @cmd: one with @landed, which has not been called; its queue is there
 *
 * The command ends as ever, only sooner. A second request does nothing.
 */
void ihsm_cmd_abort(struct ihsm_cmd *cmd)
{
	struct ihsm_queue *queue = cmd->queue;
	unsigned long flags;
	bool ask;
	u16 tag = 0;

	spin_lock_irqsave(&queue->lock, flags);
	ask = cmd->slot && cmd->slot->cmd == cmd && !cmd->aborted;
	if (ask) {
		tag = ihsm_tag(cmd->slot - queue->slot, cmd->slot->generation);
		cmd->aborted = true;
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	if (ask && ihsm_send_abort(queue->ihsm, queue->qid, tag))
		cmd->aborted = false;
}

/*
 * One step up the ladder for a command that is overdue: first it is asked back, and when that does
 * not help in time, there is no hope. One that was abandoned may be asked back twice: there may
 * have been no slot for it at first. Return: true: ask it back now.
 */
static bool overdue(struct ihsm_queue *queue, struct ihsm_cmd *cmd, bool *hopeless)
{
	bool first = !cmd->timed_out;

	if (cmd->forever || time_before(jiffies, cmd->deadline))
		return false;
	if (!first || !queue->qid)
		*hopeless = true;
	if (first)
		queue->timeouts++;
	cmd->timed_out = true;
	cmd->deadline = jiffies + ABORT_GRACE;
	return first;
}

/**
 * ihsm_queue_overdue() - look after commands that take too long
 * @queue: any
 *
 * The ladder: look whether an interrupt was missed, then abort. Return: true when neither
 * helped and the controller must be reset.
 */
bool ihsm_queue_overdue(struct ihsm_queue *queue)
{
	u16 tags[IHSM_SLOTS];
	unsigned int count = 0;
	bool hopeless = false;
	unsigned int waiters, missed;
	unsigned int i;

	spin_lock_irq(&queue->lock);
	/* Those who poll may be late: only a missing interrupt is a sign. */
	waiters = queue->waiters;
	missed = reap_and_arm(queue);
	if (waiters)
		queue->missed += missed;
	/* Nonsense while the device was started: nobody could ask for a reset then. */
	hopeless = !queue->running;
	for (i = 0; i < queue->slots; i++) {
		struct ihsm_slot *slot = &queue->slot[i];

		if (slot->cmd && overdue(queue, slot->cmd, &hopeless)) {
			tags[count] = ihsm_tag(i, slot->generation);
			trace_ihsm_timeout(queue, tags[count++], hopeless);
		}
	}
	spin_unlock_irq(&queue->lock);
	land(queue);
	for (i = 0; i < count && !hopeless; i++)
		ihsm_send_abort(queue->ihsm, queue->qid, tags[i]);
	return hopeless;
}

/* ---- the life of a queue ---- */

/**
 * ihsm_queue_start() - empty rings, and commands are taken
 * @queue: stopped, nothing outstanding
 * @generation: of the device's start
 */
void ihsm_queue_start(struct ihsm_queue *queue, u32 generation)
{
	spin_lock_irq(&queue->lock);
	memset(queue->sq, 0, sq_bytes(queue));
	memset(queue->cq, 0, cq_bytes(queue));
	if (queue->host) {
		memset(queue->host, 0, sizeof(*queue->host));
		memset(queue->device, 0, sizeof(*queue->device));
		/* Behind the device's tail: nobody waits yet. */
		queue->host->irq_event = cpu_to_le32(U32_MAX);
	}
	queue->sq_tail = 0;
	queue->sq_head = 0;
	queue->cq_head = 0;
	queue->waiters = 0;
	queue->generation = generation;
	queue->running = true;
	spin_unlock_irq(&queue->lock);
}

/**
 * ihsm_queue_stop() - no more commands are taken, and no more completions
 * @queue: any state
 */
void ihsm_queue_stop(struct ihsm_queue *queue)
{
	spin_lock_irq(&queue->lock);
	queue->running = false;
	spin_unlock_irq(&queue->lock);
	wake_up_all(&queue->slot_wait);
}

/**
 * ihsm_queue_fail() - end all that is outstanding
 * @queue: stopped; the device does not touch its buffers any more
 * @error: what the commands end with
 */
void ihsm_queue_fail(struct ihsm_queue *queue, int error)
{
	unsigned int i;

	spin_lock_irq(&queue->lock);
	for (i = 0; i < queue->slots; i++) {
		struct ihsm_slot *slot = &queue->slot[i];

		if (!slot->cmd)
			continue;
		slot->cmd->error = slot->cmd->timed_out ? -ETIMEDOUT : error;
		end_command(queue, slot);
	}
	spin_unlock_irq(&queue->lock);
	land(queue);
}

static int alloc_rooms(struct device *dev, struct ihsm_queue *queue)
{
	unsigned int i;

	for (i = 0; i < queue->slots; i++) {
		struct ihsm_slot *slot = &queue->slot[i];

		slot->room = dma_alloc_coherent(dev, 2 * IHSM_ROOM, &slot->dma, GFP_KERNEL);
		if (!slot->room)
			return -ENOMEM;
		__set_bit(i, queue->free);
	}
	return 0;
}

/**
 * ihsm_queue_init() - memory for a queue pair
 * @ihsm: device; its limits are known
 * @queue: zeroed
 * @qid: number
 * @vector: index of its vector
 *
 * Return: 0 or -ENOMEM; ihsm_queue_free() in both cases.
 */
int ihsm_queue_init(struct ihsm_device *ihsm, struct ihsm_queue *queue, u16 qid, u16 vector)
{
	struct device *dev = &ihsm->pdev->dev;

	queue->ihsm = ihsm;
	queue->qid = qid;
	queue->vector = vector;
	queue->sq_log2 = ihsm->limits.sq_log2;
	queue->cq_log2 = ihsm->limits.cq_log2;
	queue->slots = 1U << queue->sq_log2;
	if (!qid)
		queue->slots = min(queue->slots, 16U);
	spin_lock_init(&queue->lock);
	init_waitqueue_head(&queue->slot_wait);
	queue->sq = dma_alloc_coherent(dev, sq_bytes(queue), &queue->sq_dma, GFP_KERNEL);
	queue->cq = dma_alloc_coherent(dev, cq_bytes(queue), &queue->cq_dma, GFP_KERNEL);
	if (!queue->sq || !queue->cq)
		return -ENOMEM;
	return alloc_rooms(dev, queue);
}

/**
 * ihsm_queue_free() - give a queue's memory back
 * @queue: stopped, nothing outstanding, no interrupt; or what ihsm_queue_init() left
 */
void ihsm_queue_free(struct ihsm_queue *queue)
{
	struct device *dev = &queue->ihsm->pdev->dev;
	unsigned int i;

	for (i = 0; i < queue->slots; i++) {
		if (queue->slot[i].room)
			dma_free_coherent(dev, 2 * IHSM_ROOM, queue->slot[i].room,
					  queue->slot[i].dma);
	}
	if (queue->cq)
		dma_free_coherent(dev, cq_bytes(queue), queue->cq, queue->cq_dma);
	if (queue->sq)
		dma_free_coherent(dev, sq_bytes(queue), queue->sq, queue->sq_dma);
	kfree(queue);
}
