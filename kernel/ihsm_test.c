// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of what needs no hardware: ring arithmetic, identifiers, states, limits, what
 * programs may ask for; and a queue against a device that is a few lines of this file,
 * honest or not.
 */
#include <kunit/test.h>
#include <linux/slab.h>

#include "ihsm.h"

/* ---- rings and identifiers ---- */

static void test_wants(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, ihsm_ring_wants(0, 0, 1));
	KUNIT_EXPECT_FALSE(test, ihsm_ring_wants(1, 0, 1));
	KUNIT_EXPECT_TRUE(test, ihsm_ring_wants(4, 2, 5));
	KUNIT_EXPECT_FALSE(test, ihsm_ring_wants(5, 2, 5));
	KUNIT_EXPECT_FALSE(test, ihsm_ring_wants(1, 2, 5));
	KUNIT_EXPECT_FALSE(test, ihsm_ring_wants(7, 7, 7));
	/* Counters wrap. */
	KUNIT_EXPECT_TRUE(test, ihsm_ring_wants(U32_MAX, U32_MAX, 0));
	KUNIT_EXPECT_TRUE(test, ihsm_ring_wants(0, U32_MAX, 1));
	KUNIT_EXPECT_FALSE(test, ihsm_ring_wants(1, U32_MAX, 1));
}

static void test_phase(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, ihsm_ring_phase(0, 3), 1);
	KUNIT_EXPECT_EQ(test, ihsm_ring_phase(7, 3), 1);
	KUNIT_EXPECT_EQ(test, ihsm_ring_phase(8, 3), 0);
	KUNIT_EXPECT_EQ(test, ihsm_ring_phase(15, 3), 0);
	KUNIT_EXPECT_EQ(test, ihsm_ring_phase(16, 3), 1);
	KUNIT_EXPECT_EQ(test, ihsm_ring_phase(U32_MAX, 3), 0);
}

static void test_head(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, ihsm_ring_head_valid(5, 5, 9));
	KUNIT_EXPECT_TRUE(test, ihsm_ring_head_valid(5, 9, 9));
	KUNIT_EXPECT_FALSE(test, ihsm_ring_head_valid(5, 4, 9));
	KUNIT_EXPECT_FALSE(test, ihsm_ring_head_valid(5, 10, 9));
	KUNIT_EXPECT_TRUE(test, ihsm_ring_head_valid(U32_MAX, 0, 1));
	KUNIT_EXPECT_FALSE(test, ihsm_ring_head_valid(U32_MAX, 2, 1));
}

static void test_tag(struct kunit *test)
{
	unsigned int slot;

	for (slot = 0; slot < IHSM_SLOTS; slot++) {
		KUNIT_EXPECT_EQ(test, ihsm_tag_slot(ihsm_tag(slot, 0)), slot);
		KUNIT_EXPECT_EQ(test, ihsm_tag_slot(ihsm_tag(slot, U16_MAX)), slot);
	}
	KUNIT_EXPECT_NE(test, ihsm_tag(3, 1), ihsm_tag(3, 2));
	KUNIT_EXPECT_NE(test, ihsm_tag(3, 1), ihsm_tag(4, 1));
	/* The generation wraps within its bits. */
	KUNIT_EXPECT_EQ(test, ihsm_tag(3, 1), ihsm_tag(3, 1 + (1 << (16 - IHSM_SLOT_BITS))));
}

/* ---- states ---- */

static void test_states(struct kunit *test)
{
	/* From new, live, resetting, dead, deleting; to the same. */
	static const bool may[5][5] = {
		{ 0, 1, 0, 1, 1 },
		{ 0, 0, 1, 1, 1 },
		{ 0, 1, 0, 1, 1 },
		{ 0, 0, 0, 0, 1 },
		{ 0, 0, 0, 0, 0 },
	};
	unsigned int from, to;

	for (from = 0; from < 5; from++)
		for (to = 0; to < 5; to++)
			KUNIT_EXPECT_EQ_MSG(test, ihsm_state_may(from, to), may[from][to],
					    "%u to %u", from, to);
	KUNIT_EXPECT_FALSE(test, ihsm_state_may(5, 0));
	KUNIT_EXPECT_FALSE(test, ihsm_state_may(0, 5));
	KUNIT_EXPECT_STREQ(test, ihsm_state_name(IHSM_DRIVER_DEAD), "dead");
	KUNIT_EXPECT_STREQ(test, ihsm_state_name(5), "unknown");
}

/* ---- what the device claims ---- */

static u64 cap(u64 entries, u64 queues, u64 timeout, u64 bits, u64 vectors)
{
	return entries << IHSM_CAP_MAX_ENTRIES_SHIFT | queues << IHSM_CAP_MAX_QUEUES_SHIFT |
	       timeout << IHSM_CAP_TIMEOUT_SHIFT | bits << IHSM_CAP_DMA_BITS_SHIFT |
	       vectors << IHSM_CAP_VECTORS_SHIFT;
}

static void test_cap(struct kunit *test)
{
	struct ihsm_limits limits;

	KUNIT_ASSERT_EQ(test, ihsm_check_cap(cap(12, 63, 10, 64, 200), &limits), 0);
	KUNIT_EXPECT_EQ(test, limits.sq_log2, IHSM_SLOT_BITS);
	KUNIT_EXPECT_EQ(test, limits.cq_log2, IHSM_SLOT_BITS + 1);
	KUNIT_EXPECT_EQ(test, limits.queues, 63);
	KUNIT_EXPECT_EQ(test, limits.vectors, IHSM_MAX_VECTORS);
	KUNIT_EXPECT_EQ(test, limits.dma_bits, 64);
	KUNIT_EXPECT_EQ(test, limits.timeout_ms, 5500);
	KUNIT_EXPECT_EQ(test, ihsm_check_cap(cap(12, 63, 59, 64, 200), &limits), 0);
	KUNIT_EXPECT_EQ(test, limits.timeout_ms, 30000);
	KUNIT_EXPECT_EQ(test, ihsm_check_cap(cap(12, 63, 255, 64, 200), &limits), 0);
	KUNIT_EXPECT_EQ(test, limits.timeout_ms, 30000);
	KUNIT_EXPECT_FALSE(test, limits.shadow);
	KUNIT_ASSERT_EQ(test, ihsm_check_cap(cap(1, 1, 0, 32, 1) | IHSM_CAP_SHADOW, &limits), 0);
	KUNIT_EXPECT_EQ(test, limits.sq_log2, 1);
	KUNIT_EXPECT_EQ(test, limits.cq_log2, 1);
	KUNIT_EXPECT_TRUE(test, limits.shadow);

	KUNIT_EXPECT_EQ(test, ihsm_check_cap(U64_MAX, &limits), -ENODEV);
	KUNIT_EXPECT_EQ(test, ihsm_check_cap(0, &limits), -EPROTO);
	KUNIT_EXPECT_EQ(test, ihsm_check_cap(cap(0, 1, 0, 32, 1), &limits), -EPROTO);
	KUNIT_EXPECT_EQ(test, ihsm_check_cap(cap(13, 1, 0, 32, 1), &limits), -EPROTO);
	KUNIT_EXPECT_EQ(test, ihsm_check_cap(cap(1, 0, 0, 32, 1), &limits), -EPROTO);
	KUNIT_EXPECT_EQ(test, ihsm_check_cap(cap(1, 64, 0, 32, 1), &limits), -EPROTO);
	KUNIT_EXPECT_EQ(test, ihsm_check_cap(cap(1, 1, 0, 31, 1), &limits), -EPROTO);
	KUNIT_EXPECT_EQ(test, ihsm_check_cap(cap(1, 1, 0, 65, 1), &limits), -EPROTO);
	KUNIT_EXPECT_EQ(test, ihsm_check_cap(cap(1, 1, 0, 32, 0), &limits), -EPROTO);
}

static void test_limits(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, ihsm_class_limit(0), 100);
	KUNIT_EXPECT_EQ(test, ihsm_class_limit(5000), 5000);
	KUNIT_EXPECT_EQ(test, ihsm_class_limit(U32_MAX), 600000);
	KUNIT_EXPECT_EQ(test, ihsm_max_message(63), 0);
	KUNIT_EXPECT_EQ(test, ihsm_max_message(64), 64);
	KUNIT_EXPECT_EQ(test, ihsm_max_message(U32_MAX), (IHSM_MAX_SEGMENTS - 1) * PAGE_SIZE);
}

static void test_text(struct kunit *test)
{
	static const char hostile[8] = { 'a', '\n', '\x7f', '\xff', '%', 's', ' ', 'z' };
	char text[9];

	ihsm_copy_text(text, hostile, sizeof(hostile));
	KUNIT_EXPECT_STREQ(test, text, "a???%s z");
	ihsm_copy_text(text, "ab\0cdefg", 8);
	KUNIT_EXPECT_STREQ(test, text, "ab");
}

/* ---- what programs ask for: one fault at a time ---- */

static void test_command(struct kunit *test)
{
	const struct ihsm_command good = { .in_len = 1000, .out_len = 1, .time_class = 3 };
	struct ihsm_command c = good;

	KUNIT_EXPECT_EQ(test, ihsm_check_command(&c, 1000), 0);
	c.out_len = U32_MAX;
	KUNIT_EXPECT_EQ(test, ihsm_check_command(&c, 1000), 0);
	KUNIT_EXPECT_EQ(test, ihsm_check_command(&good, 999), -EMSGSIZE);
	c = good;
	c.flags = 1;
	KUNIT_EXPECT_EQ(test, ihsm_check_command(&c, 1000), -EINVAL);
	c = good;
	c.reserved = 1;
	KUNIT_EXPECT_EQ(test, ihsm_check_command(&c, 1000), -EINVAL);
	c = good;
	c.time_class = IHSM_TIME_CLASSES;
	KUNIT_EXPECT_EQ(test, ihsm_check_command(&c, 1000), -EINVAL);
	c = good;
	c.in_len = 0;
	KUNIT_EXPECT_EQ(test, ihsm_check_command(&c, 1000), -EINVAL);
	c = good;
	c.out_len = 0;
	KUNIT_EXPECT_EQ(test, ihsm_check_command(&c, 1000), -EINVAL);
}

static void test_info(struct kunit *test)
{
	struct ihsm_info info = {};

	KUNIT_EXPECT_EQ(test, ihsm_check_info(&info), 0);
	info.identify = 1;
	KUNIT_EXPECT_EQ(test, ihsm_check_info(&info), -EINVAL);
	info.identify_len = 1;
	KUNIT_EXPECT_EQ(test, ihsm_check_info(&info), 0);
	info.identify = 0;
	KUNIT_EXPECT_EQ(test, ihsm_check_info(&info), -EINVAL);
	info.identify_len = 0;
	info.flags = 1;
	KUNIT_EXPECT_EQ(test, ihsm_check_info(&info), -EINVAL);
	info.flags = 0;
	info.reserved = 1;
	KUNIT_EXPECT_EQ(test, ihsm_check_info(&info), -EINVAL);
}

static void test_reset(struct kunit *test)
{
	struct ihsm_reset reset = {};

	KUNIT_EXPECT_EQ(test, ihsm_check_reset(&reset), 0);
	reset.flags = 1;
	KUNIT_EXPECT_EQ(test, ihsm_check_reset(&reset), -EINVAL);
}

/* ---- a queue, and the device that it talks to ---- */

#define QID		3
#define TEST_LOG2	2	/* commands at a time: 4 */

/**
 * struct fake - a queue without hardware
 * @ihsm: as much of a device as a queue needs
 * @queue: the queue
 * @posted: completions that the device has written
 */
struct fake {
	struct ihsm_device ihsm;
	struct ihsm_queue *queue;
	u32 posted;
};

/* The reset that nonsense leads to is looked at by its state: no work is to run. */
static void no_work(struct work_struct *work)
{
}

static int fake_init(struct kunit *test)
{
	struct fake *fake = kunit_kzalloc(test, sizeof(*fake), GFP_KERNEL);
	struct ihsm_queue *queue;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, fake);
	fake->queue = kunit_kzalloc(test, sizeof(*queue), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fake->queue);
	queue = fake->queue;
	spin_lock_init(&fake->ihsm.state_lock);
	init_waitqueue_head(&fake->ihsm.state_wait);
	init_llist_head(&fake->ihsm.orphans);
	INIT_WORK(&fake->ihsm.orphan_work, ihsm_orphan_work);
	INIT_WORK(&fake->ihsm.reset_work, no_work);
	INIT_DELAYED_WORK(&fake->ihsm.event_work, no_work);
	fake->ihsm.wq = alloc_ordered_workqueue("ihsm-test", 0);
	KUNIT_ASSERT_NOT_NULL(test, fake->ihsm.wq);
	fake->ihsm.state = IHSM_DRIVER_LIVE;

	queue->ihsm = &fake->ihsm;
	queue->qid = QID;
	queue->sq_log2 = TEST_LOG2;
	queue->cq_log2 = TEST_LOG2 + 1;
	queue->slots = 1 << TEST_LOG2;
	spin_lock_init(&queue->lock);
	init_waitqueue_head(&queue->slot_wait);
	queue->sq = kunit_kzalloc(test, IHSM_RING_ALIGN, GFP_KERNEL);
	queue->cq = kunit_kzalloc(test, IHSM_RING_ALIGN, GFP_KERNEL);
	queue->host = kunit_kzalloc(test, sizeof(*queue->host), GFP_KERNEL);
	queue->device = kunit_kzalloc(test, sizeof(*queue->device), GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, queue->sq && queue->cq && queue->host && queue->device);
	for (i = 0; i < queue->slots; i++) {
		queue->slot[i].room = kunit_kzalloc(test, 2 * IHSM_ROOM, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, queue->slot[i].room);
		__set_bit(i, queue->free);
	}
	ihsm_queue_start(queue, 7);
	/* It looks by itself: no doorbell is rung, there is none. */
	queue->device->sq_event = cpu_to_le32(U32_MAX - 1);
	queue->device->cq_event = cpu_to_le32(U32_MAX - 1);
	test->priv = fake;
	return 0;
}

static void fake_exit(struct kunit *test)
{
	struct fake *fake = test->priv;

	if (!fake)
		return;
	ihsm_queue_stop(fake->queue);
	ihsm_queue_fail(fake->queue, -ENODEV);
	destroy_workqueue(fake->ihsm.wq);
}

static struct ihsm_cmd *fake_submit(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_cmd *cmd = ihsm_cmd_alloc(IHSM_IO_MESSAGE, 64);

	KUNIT_ASSERT_NOT_NULL(test, cmd);
	cmd->in = cmd->bounce;
	cmd->in_len = 32;
	cmd->out = cmd->bounce + 32;
	cmd->out_len = 32;
	memset(cmd->in, 0xa5, cmd->in_len);
	KUNIT_ASSERT_EQ(test, ihsm_cmd_place(fake->queue, cmd), 0);
	KUNIT_ASSERT_EQ(test, ihsm_cmd_submit(cmd), 0);
	return cmd;
}

/* The device's side of a command: its entry, as the device would fetch it */
static struct ihsm_sqe *fake_entry(struct fake *fake, u32 index)
{
	return &fake->queue->sq[index & ((1 << TEST_LOG2) - 1)];
}

static void fake_post(struct fake *fake, u16 cid, u16 qid, u32 head, u32 result, u16 status)
{
	u32 index = fake->posted++;
	struct ihsm_cqe *cqe = &fake->queue->cq[index & ((2 << TEST_LOG2) - 1)];

	cqe->cid = cpu_to_le16(cid);
	cqe->sq_id = cpu_to_le16(qid);
	cqe->sq_head = cpu_to_le32(head);
	cqe->result = cpu_to_le32(result);
	cqe->status = cpu_to_le16(status << IHSM_CQE_STATUS_SHIFT |
				  ihsm_ring_phase(index, TEST_LOG2 + 1));
}

static void test_there_and_back(struct kunit *test)
{
	struct fake *fake = test->priv;
	u32 i;

	/* Often enough that the phase turns and the slots' generations move on. */
	for (i = 0; i < 100; i++) {
		struct ihsm_cmd *cmd = fake_submit(test);
		struct ihsm_sqe *sqe = fake_entry(fake, i);
		struct ihsm_slot *slot = cmd->slot;

		KUNIT_EXPECT_EQ(test, le32_to_cpu(READ_ONCE(fake->queue->host->sq_tail)), i + 1);
		KUNIT_EXPECT_EQ(test, sqe->opcode, IHSM_IO_MESSAGE);
		KUNIT_EXPECT_NULL(test, memchr_inv(slot->room, 0xa5, 32));
		KUNIT_EXPECT_EQ(test, ihsm_queue_poll(fake->queue), 0);
		memset(slot->room + IHSM_ROOM, i, 20);
		fake_post(fake, le16_to_cpu(sqe->cid), QID, i + 1, 20, IHSM_SC_SUCCESS);
		KUNIT_EXPECT_EQ(test, ihsm_queue_poll(fake->queue), 1);
		KUNIT_ASSERT_TRUE(test, completion_done(&cmd->done));
		ihsm_cmd_finish(cmd);
		KUNIT_EXPECT_EQ(test, cmd->error, 0);
		KUNIT_EXPECT_EQ(test, cmd->result, 20);
		KUNIT_EXPECT_NULL(test, memchr_inv(cmd->out, i, 20));
		/* Beyond the answer nothing came out, and nothing stays in the slot. */
		KUNIT_EXPECT_NULL(test, memchr_inv(cmd->out + 20, 0, 12));
		KUNIT_EXPECT_NULL(test, memchr_inv(slot->room, 0, 2 * IHSM_ROOM));
		ihsm_cmd_free(cmd);
	}
	KUNIT_EXPECT_EQ(test, fake->ihsm.state, IHSM_DRIVER_LIVE);
	KUNIT_EXPECT_EQ(test, atomic_read(&fake->ihsm.load_ms), 0);
}

static void test_out_of_order(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_cmd *cmd[1 << TEST_LOG2];
	int i;

	for (i = 0; i < 1 << TEST_LOG2; i++)
		cmd[i] = fake_submit(test);
	for (i = (1 << TEST_LOG2) - 1; i >= 0; i--)
		fake_post(fake, le16_to_cpu(fake_entry(fake, i)->cid), QID, 1 << TEST_LOG2, i,
			  IHSM_SC_SUCCESS);
	KUNIT_EXPECT_EQ(test, ihsm_queue_poll(fake->queue), 1 << TEST_LOG2);
	for (i = 0; i < 1 << TEST_LOG2; i++) {
		KUNIT_EXPECT_EQ(test, cmd[i]->result, i);
		ihsm_cmd_free(cmd[i]);
	}
}

/* What each of these is about is the only thing wrong with the completion. */
struct nonsense {
	const char *name;
	u16 cid;	/* to be added to the right one, as the others */
	u16 qid;
	u32 head;
	u32 result;
};

static const struct nonsense nonsense[] = {
	{ "another slot", .cid = 1 },
	{ "a slot that is not there", .cid = 1 << TEST_LOG2 },
	{ "another generation", .cid = 1 << IHSM_SLOT_BITS },
	{ "another queue", .qid = 1 },
	{ "a head beyond the tail", .head = 1 },
	{ "a head before the last one", .head = -2 },
	{ "more than there is room for", .result = 33 },
};

static void nonsense_name(const struct nonsense *n, char *name)
{
	strscpy(name, n->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(nonsense, nonsense, nonsense_name);

static void test_nonsense(struct kunit *test)
{
	const struct nonsense *n = test->param_value;
	struct fake *fake = test->priv;
	struct ihsm_cmd *cmd = fake_submit(test);

	fake_post(fake, le16_to_cpu(fake_entry(fake, 0)->cid) + n->cid, QID + n->qid, 1 + n->head,
		  n->result, IHSM_SC_SUCCESS);
	KUNIT_EXPECT_EQ(test, ihsm_queue_poll(fake->queue), 0);
	KUNIT_EXPECT_FALSE(test, completion_done(&cmd->done));
	KUNIT_EXPECT_EQ(test, fake->queue->bogus, 1);
	KUNIT_EXPECT_EQ(test, fake->ihsm.state, IHSM_DRIVER_RESETTING);
	/* Nothing more is believed, and nothing more is sent. */
	fake_post(fake, le16_to_cpu(fake_entry(fake, 0)->cid), QID, 1, 0, IHSM_SC_SUCCESS);
	KUNIT_EXPECT_EQ(test, ihsm_queue_poll(fake->queue), 0);
	/* Who looks after the queue sees it, too: the reset may have been refused. */
	KUNIT_EXPECT_TRUE(test, ihsm_queue_overdue(fake->queue));
	ihsm_queue_stop(fake->queue);
	ihsm_queue_fail(fake->queue, -ECANCELED);
	KUNIT_EXPECT_TRUE(test, completion_done(&cmd->done));
	KUNIT_EXPECT_EQ(test, cmd->error, -ECANCELED);
	ihsm_cmd_free(cmd);
}

static void test_duplicate(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_cmd *cmd = fake_submit(test);
	u16 cid = le16_to_cpu(fake_entry(fake, 0)->cid);

	fake_post(fake, cid, QID, 1, 0, IHSM_SC_SUCCESS);
	fake_post(fake, cid, QID, 1, 0, IHSM_SC_SUCCESS);
	KUNIT_EXPECT_EQ(test, ihsm_queue_poll(fake->queue), 1);
	KUNIT_EXPECT_EQ(test, fake->queue->bogus, 1);
	KUNIT_EXPECT_EQ(test, fake->ihsm.state, IHSM_DRIVER_RESETTING);
	ihsm_cmd_free(cmd);
}

/* The slot of a command that has ended goes to another one; a late second answer is not its. */
static void test_stale(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_cmd *first = fake_submit(test);
	u16 cid = le16_to_cpu(fake_entry(fake, 0)->cid);
	struct ihsm_cmd *second;

	fake_post(fake, cid, QID, 1, 0, IHSM_SC_SUCCESS);
	ihsm_queue_poll(fake->queue);
	ihsm_cmd_free(first);
	second = fake_submit(test);
	KUNIT_EXPECT_EQ(test, ihsm_tag_slot(cid), second->slot - fake->queue->slot);
	fake_post(fake, cid, QID, 2, 0, IHSM_SC_SUCCESS);
	KUNIT_EXPECT_EQ(test, ihsm_queue_poll(fake->queue), 0);
	KUNIT_EXPECT_FALSE(test, completion_done(&second->done));
	ihsm_queue_stop(fake->queue);
	ihsm_queue_fail(fake->queue, -ECANCELED);
	ihsm_cmd_free(second);
}

static void test_generations(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_cmd *cmd = ihsm_cmd_alloc(IHSM_IO_MESSAGE, 0);

	KUNIT_ASSERT_NOT_NULL(test, cmd);
	cmd->generation = 6;
	KUNIT_EXPECT_EQ(test, ihsm_cmd_place(fake->queue, cmd), -ESTALE);
	cmd->generation = 7;
	KUNIT_ASSERT_EQ(test, ihsm_cmd_place(fake->queue, cmd), 0);
	/* A restart between getting a slot and submitting */
	ihsm_queue_stop(fake->queue);
	KUNIT_EXPECT_EQ(test, ihsm_cmd_submit(cmd), -ESTALE);
	ihsm_queue_start(fake->queue, 8);
	KUNIT_EXPECT_EQ(test, ihsm_cmd_submit(cmd), -ESTALE);
	KUNIT_EXPECT_EQ(test, fake->queue->sq_tail, 0);
	ihsm_cmd_free(cmd);
}

static void test_abandoned(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_cmd *cmd = fake_submit(test);
	struct ihsm_slot *slot = cmd->slot;

	KUNIT_EXPECT_TRUE(test, ihsm_cmd_abandon(cmd, false));
	flush_workqueue(fake->ihsm.wq);
	/* The device may still write there. */
	KUNIT_EXPECT_PTR_EQ(test, slot->cmd, cmd);
	KUNIT_EXPECT_FALSE(test, test_bit(slot - fake->queue->slot, fake->queue->free));
	fake_post(fake, le16_to_cpu(fake_entry(fake, 0)->cid), QID, 1, 0, IHSM_SC_ABORTED);
	KUNIT_EXPECT_EQ(test, ihsm_queue_poll(fake->queue), 1);
	flush_workqueue(fake->ihsm.wq);
	KUNIT_EXPECT_NULL(test, slot->cmd);
	KUNIT_EXPECT_TRUE(test, test_bit(slot - fake->queue->slot, fake->queue->free));
	KUNIT_EXPECT_NULL(test, memchr_inv(slot->room, 0, 2 * IHSM_ROOM));
}

static void test_irq_wish(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_cmd *first = fake_submit(test);
	struct ihsm_cmd *second = fake_submit(test);

	KUNIT_EXPECT_EQ(test, le32_to_cpu(fake->queue->host->irq_event), U32_MAX);
	ihsm_cmd_listen(first);
	ihsm_cmd_listen(second);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(fake->queue->host->irq_event), 0);
	fake_post(fake, le16_to_cpu(fake_entry(fake, 1)->cid), QID, 2, 0, IHSM_SC_SUCCESS);
	ihsm_queue_poll(fake->queue);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(fake->queue->host->irq_event), 1);
	fake_post(fake, le16_to_cpu(fake_entry(fake, 0)->cid), QID, 2, 0, IHSM_SC_SUCCESS);
	ihsm_queue_poll(fake->queue);
	/* Nobody waits: the wish stays behind. */
	KUNIT_EXPECT_EQ(test, le32_to_cpu(fake->queue->host->irq_event), 1);
	KUNIT_EXPECT_EQ(test, fake->queue->waiters, 0);
	ihsm_cmd_free(first);
	ihsm_cmd_free(second);
}

/* An event's follow-up needs a slot; those that aborts had come back without waiting for it. */
static void test_event(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_queue *queue = fake->queue;
	u32 i;

	queue->qid = 0;
	fake->ihsm.queue[0] = queue;
	KUNIT_ASSERT_EQ(test, ihsm_ask_events(&fake->ihsm), 0);
	for (i = 1; i < queue->slots; i++)
		KUNIT_ASSERT_EQ(test, ihsm_send_abort(&fake->ihsm, QID, i), 0);
	KUNIT_EXPECT_EQ(test, ihsm_send_abort(&fake->ihsm, QID, i), -EBUSY);
	for (i = 0; i < queue->slots; i++)
		fake_post(fake, le16_to_cpu(fake_entry(fake, i)->cid), 0, queue->slots,
			  i ? 0 : IHSM_EVENT_PARTITIONS, IHSM_SC_SUCCESS);
	KUNIT_EXPECT_EQ(test, ihsm_queue_poll(queue), queue->slots);
	flush_workqueue(fake->ihsm.wq);
	flush_delayed_work(&fake->ihsm.event_work);
	KUNIT_EXPECT_EQ(test, bitmap_weight(queue->free, queue->slots), queue->slots);
	KUNIT_EXPECT_EQ(test, fake->ihsm.state, IHSM_DRIVER_LIVE);
}

/* There was no slot to ask a killed process's command back: it is done when it is overdue. */
static void test_abort_again(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_queue *queue = fake->queue;
	struct ihsm_cmd *cmd = fake_submit(test);
	u16 cid = le16_to_cpu(fake_entry(fake, 0)->cid);
	u32 i;

	fake->ihsm.queue[0] = queue;
	for (i = 1; i < queue->slots; i++)
		KUNIT_ASSERT_EQ(test, ihsm_send_abort(&fake->ihsm, QID, 0), 0);
	KUNIT_EXPECT_TRUE(test, ihsm_cmd_abandon(cmd, true));
	KUNIT_EXPECT_EQ(test, queue->sq_tail, queue->slots);
	for (i = 1; i < queue->slots; i++)
		fake_post(fake, le16_to_cpu(fake_entry(fake, i)->cid), QID, queue->slots, 0,
			  IHSM_SC_SUCCESS);
	ihsm_queue_poll(queue);
	flush_workqueue(fake->ihsm.wq);
	cmd->deadline = jiffies - 1;
	KUNIT_EXPECT_FALSE(test, ihsm_queue_overdue(queue));
	KUNIT_ASSERT_EQ(test, queue->sq_tail, queue->slots + 1);
	KUNIT_EXPECT_EQ(test, fake_entry(fake, queue->slots)->opcode, IHSM_ADMIN_ABORT);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(fake_entry(fake, queue->slots)->arg[1]), cid);
}

static struct kunit_case decide_cases[] = {
	KUNIT_CASE(test_wants),
	KUNIT_CASE(test_phase),
	KUNIT_CASE(test_head),
	KUNIT_CASE(test_tag),
	KUNIT_CASE(test_states),
	KUNIT_CASE(test_cap),
	KUNIT_CASE(test_limits),
	KUNIT_CASE(test_text),
	KUNIT_CASE(test_command),
	KUNIT_CASE(test_info),
	KUNIT_CASE(test_reset),
	{}
};

static struct kunit_case queue_cases[] = {
	KUNIT_CASE(test_there_and_back),
	KUNIT_CASE(test_out_of_order),
	KUNIT_CASE_PARAM(test_nonsense, nonsense_gen_params),
	KUNIT_CASE(test_duplicate),
	KUNIT_CASE(test_stale),
	KUNIT_CASE(test_generations),
	KUNIT_CASE(test_abandoned),
	KUNIT_CASE(test_irq_wish),
	KUNIT_CASE(test_event),
	KUNIT_CASE(test_abort_again),
	{}
};

static struct kunit_suite decide_suite = {
	.name = "ihsm-decide",
	.test_cases = decide_cases,
};

static struct kunit_suite queue_suite = {
	.name = "ihsm-queue",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = queue_cases,
};

kunit_test_suites(&decide_suite, &queue_suite);
