// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of a queue: commands there and back, completions that make no sense, commands
 * that nobody waits for, and the ladder for those that take too long.
 */
#include "ihsm_test.h"

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

/*
 * Aborts have all slots when the device is stopped: the next start gets them without the work that
 * frees what is left of them, for it may be that work's turn only afterwards.
 */
static void test_stop_frees_slots(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_queue *queue = fake->queue;
	unsigned int i;

	queue->qid = 0;
	fake->ihsm.queue[0] = queue;
	INIT_WORK(&fake->ihsm.orphan_work, no_work);
	for (i = 0; i < queue->slots; i++)
		KUNIT_ASSERT_EQ(test, ihsm_send_abort(&fake->ihsm, QID, i), 0);
	ihsm_queue_stop(queue);
	ihsm_queue_fail(queue, -ECANCELED);
	KUNIT_EXPECT_EQ(test, bitmap_weight(queue->free, queue->slots), queue->slots);
	ihsm_orphan_work(&fake->ihsm.orphan_work);
	KUNIT_EXPECT_TRUE(test, llist_empty(&fake->ihsm.orphans));
}

/* ---- the ladder; time is what a deadline says ---- */

static void pass_time(struct ihsm_cmd *cmd)
{
	cmd->deadline = jiffies - 1;
}

static void test_ladder(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_queue *queue = fake->queue;
	struct ihsm_cmd *cmd = fake_submit(test);
	struct ihsm_sqe *abort = fake_entry(fake, 1);

	fake->ihsm.queue[0] = queue;
	KUNIT_EXPECT_FALSE(test, ihsm_queue_overdue(queue));
	KUNIT_EXPECT_EQ(test, queue->timeouts, 0);
	pass_time(cmd);
	KUNIT_EXPECT_FALSE(test, ihsm_queue_overdue(queue));
	KUNIT_EXPECT_EQ(test, queue->timeouts, 1);
	KUNIT_EXPECT_EQ(test, abort->opcode, IHSM_ADMIN_ABORT);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(abort->arg[0]), QID);
	KUNIT_EXPECT_EQ(test, abort->arg[1], cpu_to_le32(le16_to_cpu(fake_entry(fake, 0)->cid)));
	/* It has some time to answer, and is counted once. */
	KUNIT_EXPECT_FALSE(test, ihsm_queue_overdue(queue));
	KUNIT_EXPECT_TRUE(test, time_after(cmd->deadline, jiffies));
	pass_time(cmd);
	KUNIT_EXPECT_TRUE(test, ihsm_queue_overdue(queue));
	KUNIT_EXPECT_EQ(test, queue->timeouts, 1);
	ihsm_queue_stop(queue);
	ihsm_queue_fail(queue, -ECANCELED);
	KUNIT_EXPECT_EQ(test, ihsm_command_error(cmd), -ETIMEDOUT);
	ihsm_cmd_free(cmd);
}

/* It could not be asked back, since there was no slot for that: it is not given up for it. */
static void test_no_slot_for_abort(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_queue *queue = fake->queue;
	struct ihsm_cmd *cmd = fake_submit(test);
	unsigned int i;

	fake->ihsm.queue[0] = queue;
	for (i = 1; i < queue->slots; i++)
		KUNIT_ASSERT_EQ(test, ihsm_send_abort(&fake->ihsm, QID, 0), 0);
	pass_time(cmd);
	KUNIT_EXPECT_FALSE(test, ihsm_queue_overdue(queue));
	KUNIT_EXPECT_EQ(test, queue->sq_tail, queue->slots);
	for (i = 1; i < queue->slots; i++)
		fake_post(fake, le16_to_cpu(fake_entry(fake, i)->cid), QID, queue->slots, 0,
			  IHSM_SC_SUCCESS);
	ihsm_queue_poll(queue);
	pass_time(cmd);
	KUNIT_EXPECT_FALSE(test, ihsm_queue_overdue(queue));
	KUNIT_ASSERT_EQ(test, queue->sq_tail, queue->slots + 1);
	KUNIT_EXPECT_EQ(test, fake_entry(fake, queue->slots)->opcode, IHSM_ADMIN_ABORT);
	pass_time(cmd);
	KUNIT_EXPECT_TRUE(test, ihsm_queue_overdue(queue));
	ihsm_queue_stop(queue);
	ihsm_queue_fail(queue, -ECANCELED);
	KUNIT_EXPECT_EQ(test, ihsm_command_error(cmd), -ETIMEDOUT);
	ihsm_cmd_free(cmd);
}

/* It was asked back in time: that is what its owner hears. */
static void test_asked_back(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_queue *queue = fake->queue;
	struct ihsm_cmd *cmd = fake_submit(test);

	fake->ihsm.queue[0] = queue;
	pass_time(cmd);
	KUNIT_EXPECT_FALSE(test, ihsm_queue_overdue(queue));
	fake_post(fake, le16_to_cpu(fake_entry(fake, 0)->cid), QID, 2, 0, IHSM_SC_ABORTED);
	KUNIT_EXPECT_EQ(test, ihsm_queue_poll(queue), 1);
	KUNIT_EXPECT_TRUE(test, completion_done(&cmd->done));
	KUNIT_EXPECT_EQ(test, ihsm_command_error(cmd), -ETIMEDOUT);
	ihsm_cmd_free(cmd);
}

/* The first rung: the answer is there, only nobody said so. */
static void test_missed(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_queue *queue = fake->queue;
	struct ihsm_cmd *cmd = fake_submit(test);

	ihsm_cmd_listen(cmd);
	pass_time(cmd);
	fake_post(fake, le16_to_cpu(fake_entry(fake, 0)->cid), QID, 1, 0, IHSM_SC_SUCCESS);
	KUNIT_EXPECT_FALSE(test, ihsm_queue_overdue(queue));
	KUNIT_EXPECT_EQ(test, queue->missed, 1);
	KUNIT_EXPECT_EQ(test, queue->timeouts, 0);
	KUNIT_EXPECT_EQ(test, ihsm_command_error(cmd), 0);
	ihsm_cmd_free(cmd);
}

static void test_admin_and_forever(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_queue *queue = fake->queue;
	struct ihsm_cmd *cmd = fake_submit(test);

	/* A request for events may take for ever. */
	cmd->forever = true;
	pass_time(cmd);
	KUNIT_EXPECT_FALSE(test, ihsm_queue_overdue(queue));
	/* An admin command cannot be asked back: the controller is reset. */
	cmd->forever = false;
	queue->qid = 0;
	KUNIT_EXPECT_TRUE(test, ihsm_queue_overdue(queue));
	queue->qid = QID;
	ihsm_queue_stop(queue);
	ihsm_queue_fail(queue, -ECANCELED);
	ihsm_cmd_free(cmd);
}

static void test_stopped_is_hopeless(struct kunit *test)
{
	struct fake *fake = test->priv;

	ihsm_queue_stop(fake->queue);
	KUNIT_EXPECT_TRUE(test, ihsm_queue_overdue(fake->queue));
}

/* A command's time is its class, what is before it, and some slack, up to an hour. */
static void test_time_limit(struct kunit *test)
{
	struct fake *fake = test->priv;

	atomic_set(&fake->ihsm.load_ms, 0);
	KUNIT_EXPECT_EQ(test, ihsm_time_limit(&fake->ihsm, 2000), msecs_to_jiffies(7000));
	atomic_set(&fake->ihsm.load_ms, 30000);
	KUNIT_EXPECT_EQ(test, ihsm_time_limit(&fake->ihsm, 2000), msecs_to_jiffies(37000));
	atomic_set(&fake->ihsm.load_ms, INT_MAX);
	KUNIT_EXPECT_EQ(test, ihsm_time_limit(&fake->ihsm, 2000), msecs_to_jiffies(3600 * 1000));
	atomic_set(&fake->ihsm.load_ms, 0);
}

/* ---- commands of a ring ---- */

struct landing {
	struct ihsm_queue *queue;
	unsigned int count;
	bool slot_free;
};

static void count_landing(struct ihsm_cmd *cmd)
{
	struct landing *landing = cmd->private;

	landing->count++;
	landing->slot_free = !cmd->slot &&
			     bitmap_weight(landing->queue->free, landing->queue->slots) ==
			     landing->queue->slots;
}

static struct ihsm_cmd *submit_landing(struct kunit *test, struct landing *landing, bool silent)
{
	struct fake *fake = test->priv;
	struct ihsm_cmd *cmd = ihsm_cmd_alloc(IHSM_IO_MESSAGE, 64);

	KUNIT_ASSERT_NOT_NULL(test, cmd);
	landing->queue = fake->queue;
	cmd->in = cmd->bounce;
	cmd->in_len = 32;
	cmd->out = cmd->bounce + 32;
	cmd->out_len = 32;
	cmd->landed = count_landing;
	cmd->private = landing;
	cmd->silent = silent;
	KUNIT_ASSERT_EQ(test, ihsm_cmd_try_place(fake->queue, cmd), 0);
	KUNIT_ASSERT_EQ(test, ihsm_cmd_submit(cmd), 0);
	/* Nothing is asked for until the batch is complete. */
	KUNIT_EXPECT_EQ(test, le32_to_cpu(fake->queue->host->irq_event), U32_MAX);
	ihsm_queue_poll(fake->queue);
	return cmd;
}

static void test_landed(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct landing landing = {};
	struct ihsm_cmd *cmd = submit_landing(test, &landing, false);

	/* An interrupt is wanted without anybody who listens. */
	KUNIT_EXPECT_EQ(test, le32_to_cpu(fake->queue->host->irq_event), 0);
	KUNIT_EXPECT_EQ(test, landing.count, 0);
	memset(cmd->slot->room + IHSM_ROOM, 0x77, 32);
	fake_post(fake, le16_to_cpu(fake_entry(fake, 0)->cid), QID, 1, 32, IHSM_SC_SUCCESS);
	KUNIT_EXPECT_EQ(test, ihsm_queue_poll(fake->queue), 1);
	KUNIT_EXPECT_EQ(test, landing.count, 1);
	KUNIT_EXPECT_TRUE(test, landing.slot_free);
	KUNIT_EXPECT_NULL(test, memchr_inv(cmd->out, 0x77, 32));
	KUNIT_EXPECT_EQ(test, fake->queue->waiters, 0);
	ihsm_cmd_free(cmd);
}

static void test_landed_silent(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct landing landing = {};
	struct ihsm_cmd *cmd = submit_landing(test, &landing, true);

	KUNIT_EXPECT_EQ(test, le32_to_cpu(fake->queue->host->irq_event), U32_MAX);
	ihsm_queue_stop(fake->queue);
	ihsm_queue_fail(fake->queue, -ECANCELED);
	KUNIT_EXPECT_EQ(test, landing.count, 1);
	KUNIT_EXPECT_EQ(test, ihsm_command_error(cmd), -ECANCELED);
	ihsm_cmd_free(cmd);
}

/* A ring that ends asks for it again and again: the device is asked once. */
static void test_landed_abort(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct landing landing = {};
	struct ihsm_cmd *cmd = submit_landing(test, &landing, false);

	fake->ihsm.queue[0] = fake->queue;
	ihsm_cmd_abort(cmd);
	ihsm_cmd_abort(cmd);
	KUNIT_EXPECT_EQ(test, fake->queue->sq_tail, 2);
	KUNIT_EXPECT_EQ(test, fake_entry(fake, 1)->opcode, IHSM_ADMIN_ABORT);
	fake_post(fake, le16_to_cpu(fake_entry(fake, 0)->cid), QID, 2, 0, IHSM_SC_ABORTED);
	ihsm_queue_poll(fake->queue);
	KUNIT_EXPECT_EQ(test, landing.count, 1);
	/* There is nothing left to be asked back. */
	ihsm_cmd_abort(cmd);
	KUNIT_EXPECT_EQ(test, fake->queue->sq_tail, 2);
	ihsm_cmd_free(cmd);
}

static struct ihsm_cmd *submit_brief(struct kunit *test, struct landing *landing, u64 context)
{
	struct fake *fake = test->priv;
	struct ihsm_cmd *cmd = ihsm_cmd_alloc(IHSM_IO_MESSAGE, 0);

	KUNIT_ASSERT_NOT_NULL(test, cmd);
	landing->queue = fake->queue;
	cmd->landed = count_landing;
	cmd->private = landing;
	cmd->brief = true;
	cmd->context = context;
	KUNIT_ASSERT_EQ(test, ihsm_cmd_try_place(fake->queue, cmd), 0);
	KUNIT_ASSERT_EQ(test, ihsm_cmd_submit(cmd), 0);
	ihsm_queue_poll(fake->queue);
	return cmd;
}

static void end_next(struct kunit *test)
{
	struct fake *fake = test->priv;
	u32 i = fake->posted;

	fake_post(fake, le16_to_cpu(fake_entry(fake, i)->cid), QID, i + 1, 0, IHSM_SC_SUCCESS);
	KUNIT_EXPECT_EQ(test, ihsm_queue_poll(fake->queue), 1);
}

/* Brief commands of one context share an interrupt, until anybody else waits. */
static void test_shared_interrupt(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_queue *queue = fake->queue;
	struct landing landing = {};
	struct ihsm_cmd *cmd[4];
	unsigned int i;

	for (i = 0; i < 3; i++)
		cmd[i] = submit_brief(test, &landing, 1);
	/* It was asked for with the first, when there was no other: it comes no later. */
	KUNIT_EXPECT_EQ(test, le32_to_cpu(queue->host->irq_event), 0);
	end_next(test);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(queue->host->irq_event), 1);
	ihsm_cmd_free(cmd[0]);
	cmd[0] = submit_brief(test, &landing, 1);
	cmd[3] = submit_brief(test, &landing, 1);
	end_next(test);
	/* Three are left: with the second of them */
	KUNIT_EXPECT_EQ(test, le32_to_cpu(queue->host->irq_event), 3);
	ihsm_cmd_free(cmd[1]);
	cmd[1] = submit_brief(test, &landing, 2);
	KUNIT_EXPECT_FALSE(test, cmd[1]->patient);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(queue->host->irq_event), 2);
	/* A completion that no interrupt was asked for with is not missed. */
	queue->irq_event = 3;
	fake_post(fake, le16_to_cpu(fake_entry(fake, 2)->cid), QID, 3, 0, IHSM_SC_SUCCESS);
	KUNIT_EXPECT_FALSE(test, ihsm_queue_overdue(queue));
	KUNIT_EXPECT_EQ(test, queue->missed, 0);
	for (i = 3; i < 6; i++)
		end_next(test);
	KUNIT_EXPECT_EQ(test, landing.count, 6);
	KUNIT_EXPECT_EQ(test, queue->patient, 0);
	KUNIT_EXPECT_EQ(test, queue->waiters, 0);
	for (i = 0; i < ARRAY_SIZE(cmd); i++)
		ihsm_cmd_free(cmd[i]);
}

static void test_no_slot(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_cmd *cmd[(1 << TEST_LOG2) + 1];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cmd); i++) {
		cmd[i] = ihsm_cmd_alloc(IHSM_IO_MESSAGE, 0);
		KUNIT_ASSERT_NOT_NULL(test, cmd[i]);
		KUNIT_EXPECT_EQ(test, ihsm_cmd_try_place(fake->queue, cmd[i]),
				i < 1 << TEST_LOG2 ? 0 : -EAGAIN);
	}
	for (i = 0; i < ARRAY_SIZE(cmd); i++)
		ihsm_cmd_free(cmd[i]);
	KUNIT_EXPECT_EQ(test, bitmap_weight(fake->queue->free, fake->queue->slots),
			fake->queue->slots);
}

static struct kunit_case queue_cases[] = {
	KUNIT_CASE(test_there_and_back),
	KUNIT_CASE(test_out_of_order),
	KUNIT_CASE_PARAM(test_nonsense, nonsense_gen_params),
	KUNIT_CASE(test_duplicate),
	KUNIT_CASE(test_stale),
	KUNIT_CASE(test_generations),
	KUNIT_CASE(test_abandoned),
	KUNIT_CASE(test_stop_frees_slots),
	KUNIT_CASE(test_irq_wish),
	KUNIT_CASE(test_event),
	KUNIT_CASE(test_abort_again),
	KUNIT_CASE(test_ladder),
	KUNIT_CASE(test_asked_back),
	KUNIT_CASE(test_no_slot_for_abort),
	KUNIT_CASE(test_missed),
	KUNIT_CASE(test_admin_and_forever),
	KUNIT_CASE(test_stopped_is_hopeless),
	KUNIT_CASE(test_time_limit),
	KUNIT_CASE(test_landed),
	KUNIT_CASE(test_landed_silent),
	KUNIT_CASE(test_landed_abort),
	KUNIT_CASE(test_shared_interrupt),
	KUNIT_CASE(test_no_slot),
	{}
};

static struct kunit_suite queue_suite = {
	.name = "ihsm-queue",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = queue_cases,
};

kunit_test_suite(queue_suite);
