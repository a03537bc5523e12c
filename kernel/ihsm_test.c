// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of what needs no device at all: ring arithmetic, identifiers, states, limits, what
 * programs may ask for.
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
	{}
};

static struct kunit_suite decide_suite = {
	.name = "ihsm-decide",
	.test_cases = decide_cases,
};

kunit_test_suite(decide_suite);
