// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: a queue before a device that lies by the plan which guests meet as well
 * (ihsm_test_plan.h), from fixed seeds.
 *
 * Each plan goes on until so many completions were mutated and looked at: parameter "fuzz", by
 * default a moment's worth. Another "fuzz_seed" is another run.
 */
#include <linux/module.h>

#include "ihsm_test.h"
#include "ihsm_test_plan.h"

#define AT_ONCE		BIT(TEST_LOG2)
#define KEPT		16	/* identifiers of commands that are over */
#define MOST_POSTED	32	/* completions in a round */
#define MESSAGE		64
#define FILL		0xa5

static unsigned int fuzz = 1000;
module_param(fuzz, uint, 0444);
MODULE_PARM_DESC(fuzz, "KUnit: mutated completions of each plan");

static ulong fuzz_seed;
module_param(fuzz_seed, ulong, 0444);
MODULE_PARM_DESC(fuzz_seed, "KUnit: added to the seeds of the plans");

/* ---- plans ---- */

/**
 * struct fuzz_plan - what a case is given
 * @name: its name
 * @seed: of the plan
 * @one_in: a fault in so many occasions
 * @mild: a rate of their own for answers that are wrong but may be
 */
struct fuzz_plan {
	const char *name;
	u64 seed;
	u32 one_in;
	u32 mild;
};

static const struct fuzz_plan fuzz_plans[] = {
	{ "seed 1: nearly all is wrong", 1, 2, 0 },
	{ "seed 2: much is wrong", 2, 8, 0 },
	{ "seed 3: some is wrong", 3, 32, 0 },
	{ "seed 4: little is wrong", 4, 128, 0 },
	{ "seed 5: answers are, now and then all", 5, 8, 2 },
	{ "seed 6: answers are, seldom all", 6, 64, 2 },
	{ "seed 7: answers are, all hardly ever", 7, 1000, 2 },
	{ "seed 8: answers are, most of them", 8, 3000, 1 },
};

static void fuzz_name(const struct fuzz_plan *plan, char *name)
{
	strscpy(name, plan->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(fuzz, fuzz_plans, fuzz_name);

/* What a device can do to a completion; it has no registers here, and doorbells are not rung. */
static const enum fault fuzz_faults[] = {
	FAULT_CID, FAULT_QUEUE, FAULT_HEAD, FAULT_LENGTH, FAULT_SHORT, FAULT_STATUS, FAULT_NOISE,
	FAULT_ONES, FAULT_PHASE, FAULT_DROP, FAULT_DUPLICATE, FAULT_LATE, FAULT_ORDER,
};

static void set_plan(struct plan *plan, const struct fuzz_plan *from)
{
	unsigned int i;

	plan->seed = from->seed + fuzz_seed;
	plan->one_in = from->one_in;
	plan->slow = S32_MAX;
	for (i = 0; i < ARRAY_SIZE(fuzz_faults); i++)
		plan->of[fuzz_faults[i]].on = true;
	plan->of[FAULT_SHORT].one_in = from->mild;
	plan->of[FAULT_STATUS].one_in = from->mild;
}

/* ---- commands ---- */

/* How somebody waits for a command */
enum manner {
	WAITS,		/* looks for itself */
	LISTENS,	/* sleeps until an interrupt */
	LANDS,		/* is called, as for a ring */
	POLLS,		/* is called, and looks for itself */
	LEAVES,		/* went away */
	MANNERS,
};

/**
 * struct shot - a command of a round
 * @cmd: the command
 * @manner: how it is waited for
 * @cid: its identifier, as the device was told
 * @room: for the answer, likewise
 * @ended: how often it ended
 */
struct shot {
	struct ihsm_cmd *cmd;
	enum manner manner;
	u16 cid;
	u32 room;
	atomic_t ended;
};

/**
 * struct fuzz_state - one case
 * @test: the case
 * @fake: the queue
 * @plan: decides what the device does
 * @shot: commands of this round
 * @first: index of the round's first completion
 * @mutated: by the completion's index from there
 * @over: identifiers of commands that are over
 * @next_over: the next to be forgotten
 * @looked: mutated completions that the driver has looked at
 * @restarts: how often the queue was started again
 */
struct fuzz_state {
	struct kunit *test;
	struct fake *fake;
	struct plan plan;
	struct shot shot[AT_ONCE];
	u32 first;
	bool mutated[MOST_POSTED];
	u16 over[KEPT];
	unsigned int next_over;
	unsigned int looked;
	unsigned int restarts;
};

static void landed(struct ihsm_cmd *cmd)
{
	struct shot *shot = cmd->private;

	atomic_inc(&shot->ended);
}

static void submit(struct fuzz_state *state, struct shot *shot)
{
	struct ihsm_queue *queue = state->fake->queue;
	struct ihsm_cmd *cmd = ihsm_cmd_alloc(IHSM_IO_MESSAGE, 2 * MESSAGE);
	struct kunit *test = state->test;

	KUNIT_ASSERT_NOT_NULL(test, cmd);
	memset(cmd->bounce, 0, 2 * MESSAGE);
	shot->cmd = cmd;
	shot->manner = plan_below(&state->plan, FAULT_ORDER, MANNERS);
	atomic_set(&shot->ended, 0);
	cmd->private = shot;
	cmd->weight_ms = 100;
	cmd->in = cmd->bounce;
	cmd->in_len = 1 + plan_below(&state->plan, FAULT_SHORT, MESSAGE);
	cmd->out = cmd->bounce + MESSAGE;
	cmd->out_len = 1 + plan_below(&state->plan, FAULT_SHORT, MESSAGE);
	if (shot->manner == LANDS || shot->manner == POLLS)
		cmd->landed = landed;
	cmd->silent = shot->manner == POLLS;
	KUNIT_ASSERT_EQ(test, ihsm_cmd_place(queue, cmd), 0);
	KUNIT_ASSERT_EQ(test, ihsm_cmd_submit(cmd), 0);
	shot->room = cmd->out_len;
	shot->cid = le16_to_cpu(fake_entry(state->fake, queue->sq_tail - 1)->cid);
	/* The device writes all of the room, whatever it will say. */
	memset(cmd->slot->room + IHSM_ROOM, FILL, IHSM_ROOM);
	if (shot->manner == LISTENS)
		ihsm_cmd_listen(cmd);
	if (shot->manner == LEAVES) {
		cmd->ended = landed;
		KUNIT_ASSERT_TRUE(test, ihsm_cmd_abandon(cmd, false));
	}
}

static void check_answer(struct fuzz_state *state, struct ihsm_cmd *cmd)
{
	bool good = !cmd->error && cmd->status == IHSM_SC_SUCCESS;
	struct kunit *test = state->test;
	const u8 *room = cmd->slot ? cmd->slot->room : NULL;
	const u8 *out = cmd->out;
	u32 has;

	KUNIT_ASSERT_LE(test, cmd->error ? 0 : cmd->result, cmd->out_len);
	has = good ? cmd->result : 0;
	ihsm_cmd_finish(cmd);
	KUNIT_ASSERT_TRUE(test, !memchr_inv(out, FILL, has));
	KUNIT_ASSERT_TRUE(test, !memchr_inv(out + has, 0, MESSAGE - has));
	/* All that it could write is wiped, whatever it said. */
	if (room)
		KUNIT_ASSERT_TRUE(test, !memchr_inv(room + IHSM_ROOM, 0, cmd->out_len));
}

static bool has_ended(struct shot *shot)
{
	if (shot->manner == WAITS || shot->manner == LISTENS)
		return completion_done(&shot->cmd->done);
	return atomic_read(&shot->ended);
}

/* ---- the device ---- */

static void post(struct fuzz_state *state, struct plan_entry entry, bool made_up)
{
	const struct plan_entry right = entry;
	struct fake *fake = state->fake;
	u32 at = fake->posted - state->first;
	struct ihsm_cqe *cqe;

	if (at >= MOST_POSTED)
		return;
	plan_entry_mutate(&state->plan, &entry, true);
	state->mutated[at] = made_up || !plan_entry_same(&entry, &right);
	cqe = &fake->queue->cq[fake->posted & ((2 << TEST_LOG2) - 1)];
	fake_post(fake, entry.cid, entry.queue, entry.head, entry.length, entry.status);
	if (entry.stale)
		cqe->status ^= cpu_to_le16(IHSM_CQE_PHASE);
}

static void answer(struct fuzz_state *state, u32 i)
{
	struct fake *fake = state->fake;
	struct plan *plan = &state->plan;
	struct plan_entry entry = {
		.cid = state->shot[i].cid,
		.queue = QID,
		.head = fake->queue->sq_tail,
		.length = state->shot[i].room,
		.status = IHSM_SC_SUCCESS,
	};

	if (!plan_happens(plan, FAULT_DROP))
		post(state, entry, false);
	if (plan_happens(plan, FAULT_DUPLICATE))
		post(state, entry, true);
	if (plan_happens(plan, FAULT_LATE)) {
		entry.cid = state->over[plan_below(plan, FAULT_LATE, KEPT)];
		post(state, entry, true);
	}
}

/* Those that the driver has looked at: up to the one that it stopped at */
static void count_looked(struct fuzz_state *state)
{
	struct ihsm_queue *queue = state->fake->queue;
	u32 end = queue->cq_head - state->first + !queue->running;
	u32 i;

	for (i = 0; i < min(end, state->fake->posted - state->first); i++)
		state->looked += state->mutated[i];
}

static void start_again(struct fuzz_state *state)
{
	struct fake *fake = state->fake;
	struct ihsm_queue *queue = fake->queue;

	ihsm_queue_stop(queue);
	ihsm_queue_fail(queue, -ECANCELED);
	fake->posted = 0;
	fake->ihsm.state = IHSM_DRIVER_LIVE;
	ihsm_queue_start(queue, queue->generation + 1);
	queue->device->sq_event = cpu_to_le32(U32_MAX - 1);
	queue->device->cq_event = cpu_to_le32(U32_MAX - 1);
	state->restarts++;
}

/* ---- rounds ---- */

static void play(struct fuzz_state *state)
{
	struct ihsm_queue *queue = state->fake->queue;
	u32 order = plan_below(&state->plan, FAULT_ORDER, AT_ONCE);
	u32 i;

	for (i = 0; i < AT_ONCE; i++) {
		/* In any order, and seen one by one or together */
		answer(state, i ^ order);
		if (plan_below(&state->plan, FAULT_ORDER, 2))
			ihsm_queue_poll(queue);
	}
	ihsm_queue_poll(queue);
}

/* Whatever came: a command ends once, with no more than it asked for, and its slot is free. */
static void check_round(struct fuzz_state *state)
{
	struct ihsm_queue *queue = state->fake->queue;
	struct kunit *test = state->test;
	bool left = false;
	u32 i;

	count_looked(state);
	flush_work(&state->fake->ihsm.orphan_work);
	for (i = 0; i < AT_ONCE; i++)
		left |= !has_ended(&state->shot[i]);
	/* A queue that has seen nonsense takes nothing more; one that lacks answers waits. */
	if (!queue->running || left || queue->cq_head != state->fake->posted)
		start_again(state);
	flush_work(&state->fake->ihsm.orphan_work);
	for (i = 0; i < AT_ONCE; i++) {
		struct shot *shot = &state->shot[i];

		state->over[state->next_over++ % KEPT] = shot->cid;
		KUNIT_ASSERT_TRUE(test, has_ended(shot));
		if (shot->manner > LISTENS)
			KUNIT_ASSERT_EQ(test, atomic_read(&shot->ended), 1);
		if (shot->manner == LEAVES)
			continue;
		check_answer(state, shot->cmd);
		ihsm_cmd_free(shot->cmd);
	}
	KUNIT_ASSERT_EQ(test, bitmap_weight(queue->free, queue->slots), queue->slots);
	KUNIT_ASSERT_EQ(test, atomic_read(&state->fake->ihsm.load_ms), 0);
	KUNIT_ASSERT_EQ(test, queue->waiters, 0);
}

static void test_fuzz(struct kunit *test)
{
	struct fuzz_state *state = kunit_kzalloc(test, sizeof(*state), GFP_KERNEL);
	const struct fuzz_plan *from = test->param_value;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, state);
	state->test = test;
	state->fake = test->priv;
	set_plan(&state->plan, from);
	while (state->looked < fuzz) {
		state->first = state->fake->posted;
		for (i = 0; i < AT_ONCE; i++)
			submit(state, &state->shot[i]);
		play(state);
		check_round(state);
		cond_resched();
	}
	kunit_info(test, "fuzz: %llu completions, %u mutated and looked at, %u restarts",
		   state->fake->queue->completed + state->fake->queue->bogus, state->looked,
		   state->restarts);
	KUNIT_EXPECT_GT(test, state->restarts, 0);
	KUNIT_EXPECT_GT(test, state->fake->queue->bogus, 0);
}

static struct kunit_case fuzz_cases[] = {
	KUNIT_CASE_PARAM_ATTR(test_fuzz, fuzz_gen_params, { .speed = KUNIT_SPEED_SLOW }),
	{}
};

static struct kunit_suite fuzz_suite = {
	.name = "ihsm-fuzz",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = fuzz_cases,
};

kunit_test_suite(fuzz_suite);
