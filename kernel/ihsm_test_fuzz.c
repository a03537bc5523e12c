// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: a queue before a device whose completions are changed at random, from a fixed seed, and
 * what a command costs where the device costs nothing.
 */
#include <linux/ktime.h>
#include <linux/prandom.h>

#include "ihsm_test.h"

#define ROUNDS		4000
#define COST_ROUNDS	4000

/* One completion: right, or with one of its fields near the right value, or anywhere. */
static bool post_some(struct fake *fake, struct rnd_state *rnd, u32 index, u32 head)
{
	u32 values[4] = { le16_to_cpu(fake_entry(fake, index)->cid), QID, head, 8 };
	u32 which = prandom_u32_state(rnd) % 16;
	u32 any = prandom_u32_state(rnd);

	if (which < 4)
		values[which] = any & 1 ? any >> 1 : values[which] + (any >> 1) % 5 - 2;
	fake_post(fake, values[0], values[1], values[2], values[3],
		  which == 4 ? any & 0x7fff : IHSM_SC_SUCCESS);
	return which < 5;
}

static void start_again(struct fake *fake)
{
	ihsm_queue_stop(fake->queue);
	ihsm_queue_fail(fake->queue, -ECANCELED);
	fake->posted = 0;
	fake->ihsm.state = IHSM_DRIVER_LIVE;
	ihsm_queue_start(fake->queue, fake->queue->generation + 1);
	fake->queue->device->sq_event = cpu_to_le32(U32_MAX - 1);
	fake->queue->device->cq_event = cpu_to_le32(U32_MAX - 1);
}

/*
 * Whatever comes: a command ends once, with no more than it asked for, and a queue that has seen
 * nonsense takes nothing more.
 */
static void test_fuzz(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_queue *queue = fake->queue;
	struct ihsm_cmd *cmd[1 << TEST_LOG2];
	unsigned int mutated = 0, restarts = 0;
	struct rnd_state rnd;
	u32 i, round;

	prandom_seed_state(&rnd, 20260101);
	for (round = 0; round < ROUNDS; round++) {
		u32 first = queue->sq_tail;

		for (i = 0; i < ARRAY_SIZE(cmd); i++)
			cmd[i] = fake_submit(test);
		for (i = 0; i < ARRAY_SIZE(cmd); i++)
			mutated += post_some(fake, &rnd, first + i, first + i + 1);
		ihsm_queue_poll(queue);
		for (i = 0; i < ARRAY_SIZE(cmd); i++) {
			if (cmd[i]->slot->cmd == cmd[i])
				continue;
			KUNIT_ASSERT_TRUE(test, completion_done(&cmd[i]->done));
			KUNIT_ASSERT_LE(test, cmd[i]->result, cmd[i]->out_len);
		}
		if (!queue->running || queue->cq_head != fake->posted) {
			KUNIT_ASSERT_FALSE(test, queue->running);
			start_again(fake);
			restarts++;
		}
		for (i = 0; i < ARRAY_SIZE(cmd); i++) {
			KUNIT_ASSERT_TRUE(test, completion_done(&cmd[i]->done));
			ihsm_cmd_free(cmd[i]);
		}
		KUNIT_ASSERT_EQ(test, bitmap_weight(queue->free, queue->slots), queue->slots);
		KUNIT_ASSERT_EQ(test, atomic_read(&fake->ihsm.load_ms), 0);
	}
	flush_workqueue(fake->ihsm.wq);
	kunit_info(test, "%u completions mutated, %u restarts", mutated, restarts);
	KUNIT_EXPECT_GT(test, restarts, 0);
}

/* No limit: what a build with instruments takes says nothing. */
static void test_cost(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_queue *queue = fake->queue;
	u64 begin = ktime_get_ns();
	u32 i;

	for (i = 0; i < COST_ROUNDS; i++) {
		u32 index = queue->sq_tail;
		struct ihsm_cmd *cmd = fake_submit(test);

		fake_post(fake, le16_to_cpu(fake_entry(fake, index)->cid), QID, index + 1, 32,
			  IHSM_SC_SUCCESS);
		ihsm_queue_poll(queue);
		KUNIT_ASSERT_TRUE(test, completion_done(&cmd->done));
		ihsm_cmd_free(cmd);
	}
	kunit_info(test, "a command costs the driver %llu ns",
		   div_u64(ktime_get_ns() - begin, COST_ROUNDS));
	KUNIT_EXPECT_EQ(test, queue->completed, COST_ROUNDS);
}

static struct kunit_case fuzz_cases[] = {
	KUNIT_CASE_SLOW(test_fuzz),
	KUNIT_CASE_SLOW(test_cost),
	{}
};

static struct kunit_suite fuzz_suite = {
	.name = "ihsm-fuzz",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = fuzz_cases,
};

kunit_test_suite(fuzz_suite);
