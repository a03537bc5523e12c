// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of admin commands and of open files, with a device that answers each command as soon
 * as somebody waits for it; and of what sysfs shows.
 */
#include <kunit/static_stub.h>

#include "ihsm_test.h"

#define CONTEXT_ID	0x700000005ULL

static struct fake *answering;
static u16 answer_status;

/* The answer is what the command asks for, all of it the same byte, but for a context's id. */
static void answer(struct ihsm_cmd *cmd)
{
	struct fake *fake = answering;
	void *room = cmd->slot->room + IHSM_ROOM;
	u32 index = fake->posted;

	memset(room, 0x41, cmd->out_len);
	if (cmd->opcode == IHSM_ADMIN_CREATE_CONTEXT)
		*(__le64 *)room = cpu_to_le64(CONTEXT_ID);
	fake_post(fake, le16_to_cpu(fake_entry(fake, index)->cid), 0, index + 1, 0, answer_status);
	ihsm_queue_poll(cmd->queue);
}

static int admin_init(struct kunit *test)
{
	struct fake *fake;
	int err = fake_init(test);

	if (err)
		return err;
	fake = test->priv;
	fake->queue->qid = 0;
	fake->ihsm.queue[0] = fake->queue;
	fake->ihsm.generation = fake->queue->generation;
	init_rwsem(&fake->ihsm.gate);
	INIT_DELAYED_WORK(&fake->ihsm.watch, no_work);
	device_initialize(&fake->ihsm.dev);
	answering = fake;
	answer_status = IHSM_SC_SUCCESS;
	kunit_activate_static_stub(test, ihsm_cmd_listen, answer);
	return 0;
}

/* What the device was asked for last */
static struct ihsm_sqe *asked(struct fake *fake)
{
	return fake_entry(fake, fake->queue->sq_tail - 1);
}

static void test_commands(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_device *ihsm = &fake->ihsm;
	struct ihsm_sensors *sensors = kunit_kzalloc(test, sizeof(*sensors), GFP_KERNEL);
	u8 bytes[40] = {};

	KUNIT_ASSERT_NOT_NULL(test, sensors);
	KUNIT_EXPECT_EQ(test, ihsm_random(ihsm, bytes, 32), 0);
	KUNIT_EXPECT_EQ(test, bytes[31], 0x41);
	KUNIT_EXPECT_EQ(test, bytes[32], 0);
	KUNIT_EXPECT_EQ(test, asked(fake)->opcode, IHSM_ADMIN_RANDOM);
	KUNIT_EXPECT_EQ(test, ihsm_sensors(ihsm, sensors), 0);
	KUNIT_EXPECT_EQ(test, sensors->sensor[IHSM_MAX_SENSORS - 1].kind, 0x41);
	KUNIT_EXPECT_EQ(test, ihsm_identify(ihsm), 0);
	KUNIT_EXPECT_EQ(test, ihsm->identify.serial[0], 0x41);
	KUNIT_EXPECT_EQ(test, ihsm_stage(ihsm, IHSM_STAGE_WRITE, 77, bytes, 32), 0);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(asked(fake)->arg[0]), IHSM_STAGE_WRITE);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(asked(fake)->arg[1]), 77);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(asked(fake)->in_len), 32);
	KUNIT_EXPECT_EQ(test, ihsm_vf_share(ihsm, 3, 8), 0);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(asked(fake)->arg[1]), 8);
	ihsm->shadow_dma = 0x10000;
	KUNIT_EXPECT_EQ(test, ihsm_set_shadow(ihsm), 0);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(asked(fake)->in_addr), 0x10000);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(asked(fake)->out_addr), 0x10000 + IHSM_SHADOW_PAGE_SIZE);
	fake->queue->vector = 2;
	KUNIT_EXPECT_EQ(test, ihsm_create_queue(fake->queue), 0);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(asked(fake)->arg[2]), 2);
	answer_status = IHSM_SC_INTERNAL;
	KUNIT_EXPECT_EQ(test, ihsm_random(ihsm, bytes, 32), -EIO);
	KUNIT_EXPECT_EQ(test, bitmap_weight(fake->queue->free, fake->queue->slots),
			fake->queue->slots);
}

static void test_open(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_device *ihsm = &fake->ihsm;
	struct ihsm_context *context = ihsm_context_open(ihsm);

	KUNIT_ASSERT_FALSE(test, IS_ERR(context));
	KUNIT_EXPECT_EQ(test, context->id, CONTEXT_ID);
	KUNIT_EXPECT_EQ(test, context->generation, fake->queue->generation);
	KUNIT_EXPECT_EQ(test, atomic_read(&ihsm->contexts), 1);
	ihsm_context_close(context);
	KUNIT_EXPECT_EQ(test, asked(fake)->opcode, IHSM_ADMIN_DESTROY_CONTEXT);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(asked(fake)->context), CONTEXT_ID);
	KUNIT_EXPECT_EQ(test, atomic_read(&ihsm->contexts), 0);
	/* The device has none left; the device is gone. */
	answer_status = IHSM_SC_NO_CONTEXT;
	KUNIT_EXPECT_EQ(test, PTR_ERR(ihsm_context_open(ihsm)), -EUSERS);
	ihsm->state = IHSM_DRIVER_DEAD;
	KUNIT_EXPECT_EQ(test, PTR_ERR(ihsm_context_open(ihsm)), -ENODEV);
	ihsm->gone = true;
	KUNIT_EXPECT_EQ(test, PTR_ERR(ihsm_context_open(ihsm)), -ENODEV);
	KUNIT_EXPECT_EQ(test, ihsm_enter(ihsm, false), -ENODEV);
	cancel_delayed_work_sync(&ihsm->watch);
}

/* Closed after a reset, and after the driver has gone: nothing is asked of the device. */
static void test_close_late(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_device *ihsm = &fake->ihsm;
	struct ihsm_context *first = ihsm_context_open(ihsm);
	struct ihsm_context *second = ihsm_context_open(ihsm);
	u32 tail = fake->queue->sq_tail;

	KUNIT_ASSERT_FALSE(test, IS_ERR(first) || IS_ERR(second));
	fake->queue->generation++;
	ihsm_context_close(first);
	ihsm->gone = true;
	ihsm_context_close(second);
	KUNIT_EXPECT_EQ(test, fake->queue->sq_tail, tail);
	cancel_delayed_work_sync(&ihsm->watch);
}

/* Every attribute of a device that says nothing good of itself shows one printable line at most. */
static void test_attributes(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ihsm_device *ihsm = &fake->ihsm;
	char *page = (char *)__get_free_page(GFP_KERNEL);
	struct attribute **attr;
	unsigned int seen = 0;

	KUNIT_ASSERT_NOT_NULL(test, page);
	memset(&ihsm->identify, 0xff, sizeof(ihsm->identify));
	ihsm->identify.partitions = 0;
	for (attr = ihsm_groups[0]->attrs; *attr; attr++) {
		struct device_attribute *own = container_of(*attr, struct device_attribute, attr);
		ssize_t len, i;

		KUNIT_EXPECT_EQ(test, ihsm_groups[0]->is_visible(&ihsm->dev.kobj, *attr, 0),
				(*attr)->mode);
		if (!own->show)
			continue;
		seen++;
		len = own->show(&ihsm->dev, own, page);
		KUNIT_EXPECT_GE(test, len, 0);
		for (i = 0; i < len - 1; i++)
			KUNIT_EXPECT_TRUE(test, page[i] >= ' ' && page[i] <= '~');
	}
	KUNIT_EXPECT_GE(test, seen, 20);
	/* What it does not know of itself is not there. */
	memset(&ihsm->identify, 0, sizeof(ihsm->identify));
	for (seen = 0, attr = ihsm_groups[0]->attrs; *attr; attr++)
		seen += !ihsm_groups[0]->is_visible(&ihsm->dev.kobj, *attr, 0);
	KUNIT_EXPECT_EQ(test, seen, 2);
	free_page((unsigned long)page);
}

static struct kunit_case admin_cases[] = {
	KUNIT_CASE(test_commands),
	KUNIT_CASE(test_open),
	KUNIT_CASE(test_close_late),
	KUNIT_CASE(test_attributes),
	{}
};

static struct kunit_suite admin_suite = {
	.name = "ihsm-admin",
	.init = admin_init,
	.exit = fake_exit,
	.test_cases = admin_cases,
};

kunit_test_suite(admin_suite);
