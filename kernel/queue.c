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

#define SHARE_MOST	16U	/* completions that one interrupt tells of */
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
 * @bounce: bytes at its @bounce, for what goes in and what is answered; anything may be there
 *
 * Return: the command, for ihsm_cmd_free(), or NULL.
 */
struct ihsm_cmd *ihsm_cmd_alloc(u8 opcode, size_t bounce)
{
	struct ihsm_cmd *cmd = kmalloc(struct_size(cmd, bounce, bounce), GFP_KERNEL_ACCOUNT);

	if (!cmd)
		return NULL;
	*cmd = (struct ihsm_cmd){ .opcode = opcode };
	init_completion(&cmd->done);
	return cmd;
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
	ihsm_payload_free(cmd->large_in);
	ihsm_payload_free(cmd->large_out);
	if (cmd->in)
		memzero_explicit(cmd->in, cmd->in_len);
	if (cmd->out)
		memzero_explicit(cmd->out, cmd->answered);
	kfree(cmd);
}

/* 0 when a queue runs, and still for the start of the device that a command is for */
static int refusal(const struct ihsm_queue *queue, const struct ihsm_cmd *cmd)
{
	u32 wanted = cmd->generation;

	if (READ_ONCE(queue->running) && (!wanted || wanted == READ_ONCE(queue->generation)))
		return 0;
	return wanted ? -ESTALE : -ENODEV;
}

/**
 * ihsm_cmd_try_place() - get a slot for a command, if there is one
 * @queue: where it is to run
 * @cmd: without a slot
 *
 * Does not sleep. Return: 0, -EAGAIN when there is none, -ESTALE when the device was restarted
 * since the command's context was made, -ENODEV when it does not run.
 */
int ihsm_cmd_try_place(struct ihsm_queue *queue, struct ihsm_cmd *cmd)
{
	/* Without the lock: it is asked again when the command is submitted. */
	int err = refusal(queue, cmd);
	unsigned int slot;

	if (err)
		return err;
	do {
		slot = find_first_bit(queue->free, queue->slots);
		if (slot >= queue->slots)
			return -EAGAIN;
	} while (!test_and_clear_bit(slot, queue->free));
	cmd->queue = queue;
	/* With the load in mark(): who sees the slot sees the queue. */
	smp_store_release(&cmd->slot, &queue->slot[slot]);
	return 0;
}

/**
 * ihsm_cmd_place() - get a slot for a command
 * @queue: the admin queue
 * @cmd: without a slot
 *
 * Sleeps until there is one, also when the process is killed, so that what it owns is given back;
 * it is bounded, since an admin command that is lost leads to a reset.
 * Return: as ihsm_cmd_try_place().
 */
int ihsm_cmd_place(struct ihsm_queue *queue, struct ihsm_cmd *cmd)
{
	int err;

	wait_event(queue->slot_wait, (err = ihsm_cmd_try_place(queue, cmd)) != -EAGAIN);
	return err;
}

/**
 * ihsm_queue_wait() - until there may be a slot, or no commands are taken any more
 * @queue: an I/O queue; its device's structure is held, nothing else: this may be frozen
 *
 * Return: 0, or -ERESTARTSYS when the process is killed.
 */
int ihsm_queue_wait(struct ihsm_queue *queue)
{
	return wait_event_state(queue->slot_wait,
				!READ_ONCE(queue->running) ||
				!bitmap_empty(queue->free, queue->slots), IHSM_WAIT);
}

/* How much of a half of the slot's buffer a command has used: its bytes, or its list */
static size_t room_used(const struct ihsm_payload *large, u32 len)
{
	return large ? IHSM_MAX_SEGMENTS * sizeof(struct ihsm_segment) : min(len, IHSM_ROOM);
}

/**
 * ihsm_cmd_finish() - take the answer out of the slot, and give the slot back, wiped
 * @cmd: has ended, or was never submitted. Nothing happens without a slot.
 */
void ihsm_cmd_finish(struct ihsm_cmd *cmd)
{
	struct ihsm_queue *queue = cmd->queue;
	struct ihsm_slot *slot = cmd->slot;

	if (!slot)
		return;
	/* An admin command's result is something else than a length. */
	if (cmd->out && !cmd->error && cmd->status == IHSM_SC_SUCCESS)
		cmd->answered = queue->qid ? min(cmd->result, cmd->out_len) : cmd->out_len;
	memcpy(cmd->out, slot->room + IHSM_ROOM, cmd->answered);
	memzero_explicit(slot->room, room_used(cmd->large_in, cmd->in_len));
	/* All that it could write: how much it wrote is only what the device says. */
	memzero_explicit(slot->room + IHSM_ROOM, room_used(cmd->large_out, cmd->out_len));
	ihsm_payload_unmap(queue->ihsm, cmd->large_in);
	ihsm_payload_unmap(queue->ihsm, cmd->large_out);

	WRITE_ONCE(cmd->slot, NULL);
	/* Whoever gets it finds it wiped, and the command without it. */
	smp_mb__before_atomic();
	set_bit(slot - queue->slot, queue->free);
	/* With the barrier in it: who waits sees the slot, or is seen here. */
	if (wq_has_sleeper(&queue->slot_wait))
		wake_up(&queue->slot_wait);
}

/* ---- completion; with the lock held ---- */

/* The command has ended, and its slot has none any more; deliver() is due. */
static void end_command(struct ihsm_queue *queue, struct ihsm_slot *slot, struct llist_head *ended)
{
	struct ihsm_cmd *cmd = slot->cmd;

	slot->cmd = NULL;
	atomic_sub(cmd->weight_ms, &queue->ihsm->load_ms);
	if (cmd->waited)
		queue->waiters--;
	if (cmd->patient)
		queue->patient--;
	__llist_add(&cmd->ended_next, ended);
}

/*
 * Commands that have ended give back what they have of the device, and go to whoever is to have
 * them. With the lock still held, so that nobody's answer is left with who is preempted.
 */
static void deliver(struct ihsm_queue *queue, struct llist_head *ended)
{
	struct llist_node *list = llist_reverse_order(__llist_del_all(ended));
	struct ihsm_cmd *cmd, *next;

	llist_for_each_entry_safe(cmd, next, list, ended_next) {
		ihsm_cmd_finish(cmd);
		if (cmd->abandoned) {
			llist_add(&cmd->ended_next, &queue->ihsm->orphans);
			queue_work(queue->ihsm->wq, &queue->ihsm->orphan_work);
		} else if (cmd->landed) {
			cmd->landed(cmd);
		} else {
			complete(&cmd->done);
		}
	}
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
	LLIST_HEAD(ended);

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
		end_command(queue, slot, &ended);
	}
	/* First: the device has room again while answers are copied. */
	if (queue->cq_head != old)
		publish_head(queue, old);
	deliver(queue, &ended);
	return queue->cq_head - old;
}

/*
 * The completion to ask for an interrupt with: the next one; or, when all who wait are brief
 * commands of one context, the one amid theirs, so that an interrupt tells of several.
 */
static u32 next_wish(const struct ihsm_queue *queue)
{
	u32 ahead = 0;

	if (queue->patient == queue->waiters)
		ahead = min((queue->patient - 1) / 2, SHARE_MOST - 1);
	/* What was asked for comes as soon. */
	return queue->irq_event - queue->cq_head <= ahead ? queue->irq_event :
							     queue->cq_head + ahead;
}

/* Ask for an interrupt, if one is waited for, and look once more. */
static unsigned int reap_and_arm(struct ihsm_queue *queue)
{
	unsigned int total = 0, count;
	u32 wish;

	do {
		count = reap(queue);
		total += count;
		if (!queue->host || !queue->waiters || !queue->running)
			break;
		wish = next_wish(queue);
		if (wish == queue->irq_event)
			break;
		queue->irq_event = wish;
		WRITE_ONCE(queue->host->irq_event, cpu_to_le32(wish));
		/* Our wish is visible before the ring is looked at again. */
		mb();
		count = reap(queue);
		total += count;
	} while (count);
	return total;
}

/* ---- submission ---- */

/* What goes in, or the lists of where it is: into the slot. Return: 0 or -EMSGSIZE. */
static int fill(struct ihsm_cmd *cmd)
{
	void *room = cmd->slot->room;

	if (cmd->in)
		memcpy(room, cmd->in, cmd->in_len);
	if (cmd->large_in)
		cmd->in_segments = ihsm_payload_segments(cmd->large_in, room);
	if (cmd->large_out)
		cmd->out_segments = ihsm_payload_segments(cmd->large_out, room + IHSM_ROOM);
	if ((cmd->large_in && !cmd->in_segments) || (cmd->large_out && !cmd->out_segments))
		return -EMSGSIZE;
	return 0;
}

/* The device uses the slot itself, or follows the lists in it, or uses what the command names. */
static void write_entry(const struct ihsm_cmd *cmd, u16 tag, struct ihsm_sqe *sqe)
{
	dma_addr_t room = cmd->slot->dma;
	unsigned int i;

	sqe->opcode = cmd->opcode;
	sqe->flags = (cmd->large_in ? IHSM_SQE_IN_SEGMENTS : 0) |
		     (cmd->large_out ? IHSM_SQE_OUT_SEGMENTS : 0);
	sqe->cid = cpu_to_le16(tag);
	sqe->reserved = 0;
	sqe->context = cpu_to_le64(cmd->context);
	sqe->in_addr = cpu_to_le64(cmd->in || cmd->large_in ? room : cmd->in_addr);
	room += IHSM_ROOM;
	sqe->out_addr = cpu_to_le64(cmd->out || cmd->large_out ? room : cmd->out_addr);
	sqe->in_len = cpu_to_le32(cmd->in_len);
	sqe->out_len = cpu_to_le32(cmd->out_len);
	sqe->in_segments = cpu_to_le16(cmd->in_segments);
	sqe->out_segments = cpu_to_le16(cmd->out_segments);
	for (i = 0; i < ARRAY_SIZE(sqe->arg); i++)
		sqe->arg[i] = cpu_to_le32(cmd->arg[i]);
}

/* With the lock held. No register is read, and written only when the device asked. */
static void publish(struct ihsm_queue *queue, const struct ihsm_cmd *cmd, u16 tag)
{
	u32 tail = queue->sq_tail++;

	write_entry(cmd, tag, &queue->sq[tail & ((1U << queue->sq_log2) - 1)]);
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

/* With the lock held: nobody waits for it by itself. */
static void join_waiters(struct ihsm_queue *queue, struct ihsm_cmd *cmd)
{
	cmd->waited = true;
	queue->waiters++;
	/* Nobody is to wait for another's commands. */
	cmd->patient = cmd->brief && (!queue->patient || queue->patient_context == cmd->context);
	if (!cmd->patient)
		return;
	queue->patient++;
	queue->patient_context = cmd->context;
}

/**
 * ihsm_cmd_submit() - give a command to the device
 * @cmd: with a slot; its payloads mapped
 *
 * Does not sleep. From success on @cmd is the queue's, until its @done is complete, its @landed is
 * called, or, abandoned, for good. With @landed ihsm_queue_poll() is due, once for all that were
 * submitted: it asks for an interrupt.
 * Return: 0, -ESTALE or -ENODEV as ihsm_cmd_place(); the slot is still the caller's then.
 */
int ihsm_cmd_submit(struct ihsm_cmd *cmd)
{
	struct ihsm_queue *queue = cmd->queue;
	struct ihsm_slot *slot = cmd->slot;
	unsigned long flags;
	int err = fill(cmd);
	u16 tag;

	if (err)
		return err;
	cmd->deadline = jiffies + ihsm_time_limit(queue->ihsm, cmd->weight_ms);

	spin_lock_irqsave(&queue->lock, flags);
	err = refusal(queue, cmd);
	if (!err) {
		cmd->generation = queue->generation;
		slot->generation++;
		slot->cmd = cmd;
		tag = ihsm_tag(slot - queue->slot, slot->generation);
		queue->submitted++;
		atomic_add(cmd->weight_ms, &queue->ihsm->load_ms);
		trace_ihsm_submit(queue, cmd, tag);
		publish(queue, cmd, tag);
		if (cmd->landed && !cmd->silent)
			join_waiters(queue, cmd);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
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
	int err = ihsm_cmd_try_place(queue, cmd);

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
	struct ihsm_cqe *next = &queue->cq[head & ((1U << queue->cq_log2) - 1)];
	u16 status = le16_to_cpu(READ_ONCE(next->status));

	KUNIT_STATIC_STUB_REDIRECT(ihsm_queue_ready, queue);
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
	return count;
}

/**
 * ihsm_cmd_listen() - somebody is going to sleep until this command ends
 * @cmd: submitted by the caller
 */
void ihsm_cmd_listen(struct ihsm_cmd *cmd)
{
	struct ihsm_slot *slot = READ_ONCE(cmd->slot);
	struct ihsm_queue *queue = cmd->queue;
	unsigned long flags;

	KUNIT_STATIC_STUB_REDIRECT(ihsm_cmd_listen, cmd);
	spin_lock_irqsave(&queue->lock, flags);
	if (slot && slot->cmd == cmd && !cmd->waited) {
		cmd->waited = true;
		queue->waiters++;
		reap_and_arm(queue);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
}

/* Set a command's mark, if the device has it and it has none. Return: whether, and its tag. */
static bool mark(struct ihsm_cmd *cmd, bool *it, u16 *tag)
{
	/* With the store in ihsm_cmd_try_place() */
	struct ihsm_slot *slot = smp_load_acquire(&cmd->slot);
	struct ihsm_queue *queue = cmd->queue;
	unsigned long flags;
	bool done;

	if (!slot)
		return false;
	spin_lock_irqsave(&queue->lock, flags);
	done = slot->cmd == cmd && !*it;
	if (done) {
		*tag = ihsm_tag(slot - queue->slot, slot->generation);
		*it = true;
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	return done;
}

/**
 * ihsm_cmd_abandon() - nobody will wait for this command any more
 * @cmd: submitted by the caller, and allocated by kmalloc()
 * @abort: the device is asked to drop it
 *
 * Its deadline stays: a command that is past the point where it can be called back runs to its end,
 * and nobody else's work is to suffer for that.
 * Return: true when the command is not the caller's any more; false when it has ended meanwhile:
 * its @done comes at once.
 */
bool ihsm_cmd_abandon(struct ihsm_cmd *cmd, bool abort)
{
	struct ihsm_queue *queue = cmd->queue;
	u16 tag;

	if (!mark(cmd, &cmd->abandoned, &tag))
		return false;
	if (abort)
		ihsm_send_abort(queue->ihsm, queue->qid, tag);
	return true;
}

/**
 * ihsm_cmd_abort() - the device is asked to drop a command
 * @cmd: one with @landed, which has not been called; its device is there
 *
 * The command ends as ever, only sooner. Nothing happens when it is not with the device yet, or
 * was asked for before.
 */
void ihsm_cmd_abort(struct ihsm_cmd *cmd)
{
	u16 tag;

	if (mark(cmd, &cmd->aborted, &tag) &&
	    ihsm_send_abort(cmd->queue->ihsm, cmd->queue->qid, tag))
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

/* It could not be asked back: this is done when it is overdue the next time. */
static void ask_again(struct ihsm_queue *queue, u16 tag)
{
	struct ihsm_slot *slot = &queue->slot[ihsm_tag_slot(tag)];

	spin_lock_irq(&queue->lock);
	if (slot->cmd && ihsm_tag(ihsm_tag_slot(tag), slot->generation) == tag) {
		slot->cmd->timed_out = false;
		queue->timeouts--;
	}
	spin_unlock_irq(&queue->lock);
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
	unsigned int wanted, missed, i;
	u32 awaited;

	spin_lock_irq(&queue->lock);
	/* Those who poll may be late: only a missing interrupt is a sign. */
	awaited = queue->irq_event - queue->cq_head;
	wanted = queue->waiters;
	missed = reap_and_arm(queue);
	if (wanted && (!queue->host || awaited < missed))
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
	for (i = 0; i < count && !hopeless; i++) {
		if (ihsm_send_abort(queue->ihsm, queue->qid, tags[i]))
			ask_again(queue, tags[i]);
	}
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
	queue->irq_event = U32_MAX;
	queue->patient = 0;
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
	LLIST_HEAD(ended);
	unsigned int i;

	spin_lock_irq(&queue->lock);
	for (i = 0; i < queue->slots; i++) {
		struct ihsm_slot *slot = &queue->slot[i];

		if (!slot->cmd)
			continue;
		slot->cmd->error = slot->cmd->timed_out ? -ETIMEDOUT : error;
		end_command(queue, slot, &ended);
	}
	deliver(queue, &ended);
	spin_unlock_irq(&queue->lock);
}

/**
 * ihsm_queue_init() - memory for a queue pair
 * @ihsm: device; its limits are known
 * @queue: zeroed
 * @qid: number
 * @vector: index of its vector
 *
 * It goes with the driver's hold on the function. Return: 0 or -ENOMEM.
 */
int ihsm_queue_init(struct ihsm_device *ihsm, struct ihsm_queue *queue, u16 qid, u16 vector)
{
	struct device *dev = &ihsm->pdev->dev;
	unsigned int i;

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
	queue->sq = dmam_alloc_coherent(dev, sq_bytes(queue), &queue->sq_dma, GFP_KERNEL);
	queue->cq = dmam_alloc_coherent(dev, cq_bytes(queue), &queue->cq_dma, GFP_KERNEL);
	if (!queue->sq || !queue->cq)
		return -ENOMEM;
	for (i = 0; i < queue->slots; i++) {
		struct ihsm_slot *slot = &queue->slot[i];

		slot->room = dmam_alloc_coherent(dev, 2 * IHSM_ROOM, &slot->dma, GFP_KERNEL);
		if (!slot->room)
			return -ENOMEM;
		__set_bit(i, queue->free);
	}
	return 0;
}
