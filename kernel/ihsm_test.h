/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A queue without hardware, for the KUnit suites: the device that it talks to is a few lines of the
 * test, honest or not. Time is what the test makes of a command's deadline.
 */
#ifndef IHSM_TEST_H
#define IHSM_TEST_H

#include <kunit/test.h>
#include <linux/slab.h>

#include "ihsm.h"

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
static inline void no_work(struct work_struct *work)
{
}

static inline int fake_init(struct kunit *test)
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
	mutex_init(&fake->ihsm.identify_lock);
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

static inline void fake_exit(struct kunit *test)
{
	struct fake *fake = test->priv;

	if (!fake)
		return;
	ihsm_queue_stop(fake->queue);
	ihsm_queue_fail(fake->queue, -ENODEV);
	destroy_workqueue(fake->ihsm.wq);
}

static inline struct ihsm_cmd *fake_submit(struct kunit *test)
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
static inline struct ihsm_sqe *fake_entry(struct fake *fake, u32 index)
{
	return &fake->queue->sq[index & ((1 << TEST_LOG2) - 1)];
}

static inline void fake_post(struct fake *fake, u16 cid, u16 qid, u32 head, u32 result, u16 status)
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

#endif /* IHSM_TEST_H */
