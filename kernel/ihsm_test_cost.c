// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: what a command costs the driver where the device costs nothing. There is no limit: what
 * a build with instruments takes says nothing. scripts/bench-driver-cpu runs this on one without.
 */
#include <kunit/static_stub.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/mman.h>
#include <linux/uaccess.h>

#include "ihsm_test.h"

#define BATCHES		20
#define COMMANDS	2000	/* in each */
#define LENGTH		64
#define ANSWER		32

static struct fake *at_work;

/* The device has answered all there is by the time that somebody looks. */
static bool device_has_answered(struct ihsm_queue *queue)
{
	while (at_work->posted != queue->sq_tail) {
		u32 index = at_work->posted;

		fake_post(at_work, le16_to_cpu(fake_entry(at_work, index)->cid), QID, index + 1,
			  ANSWER, IHSM_SC_SUCCESS);
	}
	return true;
}

/* The caller is to sleep, its processor being wanted: it finds the answer. */
static void no_need_to_sleep(struct ihsm_cmd *cmd)
{
	device_has_answered(cmd->queue);
	ihsm_queue_poll(cmd->queue);
}

/* The least time of several batches: what else the machine did does not count. */
static u64 least_ns(struct kunit *test, bool (*once)(struct kunit *test, void *argument),
		    void *argument)
{
	u64 least = U64_MAX;
	unsigned int batch, i;

	for (batch = 0; batch < BATCHES; batch++) {
		u64 begin = ktime_get_ns();

		for (i = 0; i < COMMANDS; i++) {
			if (!once(test, argument))
				return 0;
		}
		least = min(least, ktime_get_ns() - begin);
	}
	return div_u64(least, COMMANDS);
}

static bool once_in_queue(struct kunit *test, void *argument)
{
	struct fake *fake = argument;
	struct ihsm_cmd *cmd = fake_submit(test);
	bool done;

	device_has_answered(fake->queue);
	ihsm_queue_poll(fake->queue);
	done = completion_done(&cmd->done);
	ihsm_cmd_free(cmd);
	return done;
}

static void test_cost(struct kunit *test)
{
	struct fake *fake = test->priv;
	u64 ns;

	at_work = fake;
	ns = least_ns(test, once_in_queue, fake);
	KUNIT_EXPECT_EQ(test, fake->queue->completed, BATCHES * COMMANDS);
	kunit_info(test, "a command costs %llu ns in its queue", ns);
}

/* struct program - as much of a program as an ioctl needs */
struct program {
	struct file file;
	struct ihsm_context context;
	u8 cpu_queue[NR_CPUS];
	unsigned long user;
};

static bool once_by_ioctl(struct kunit *test, void *argument)
{
	struct program *program = argument;

	return !ihsm_fops.unlocked_ioctl(&program->file, IHSM_IOC_COMMAND, program->user);
}

static void test_cost_ioctl(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct program *program = kunit_kzalloc(test, sizeof(*program), GFP_KERNEL);
	struct ihsm_command command = {
		.size = sizeof(command), .in_len = LENGTH, .out_len = 2 * LENGTH,
	};
	u64 ns;

	KUNIT_ASSERT_NOT_NULL(test, program);
	at_work = fake;
	init_rwsem(&fake->ihsm.gate);
	fake->ihsm.cpu_queue = program->cpu_queue;
	fake->ihsm.queue[0] = fake->queue;
	program->context.ihsm = &fake->ihsm;
	program->context.generation = fake->queue->generation;
	program->context.max_message = PAGE_SIZE;
	program->file.private_data = &program->context;
	program->file.f_mode = FMODE_READ | FMODE_WRITE;
	program->user = kunit_vm_mmap(test, NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
				      MAP_ANONYMOUS | MAP_PRIVATE, 0);
	if (!program->user || program->user >= (unsigned long)TASK_SIZE)
		kunit_skip(test, "no memory of a program");
	command.in = program->user + sizeof(command);
	command.out = command.in + LENGTH;
	KUNIT_ASSERT_EQ(test, copy_to_user((void __user *)program->user, &command,
					   sizeof(command)), 0);
	kunit_activate_static_stub(test, ihsm_queue_ready, device_has_answered);
	kunit_activate_static_stub(test, ihsm_cmd_listen, no_need_to_sleep);
	ns = least_ns(test, once_by_ioctl, program);
	KUNIT_EXPECT_EQ(test, fake->queue->completed, BATCHES * COMMANDS);
	KUNIT_EXPECT_EQ(test, copy_from_user(&command, (void __user *)program->user,
					     sizeof(command)), 0);
	KUNIT_EXPECT_EQ(test, command.written, ANSWER);
	kunit_info(test, "a command costs %llu ns by ioctl, there and back", ns);
}

static struct kunit_case cost_cases[] = {
	KUNIT_CASE_SLOW(test_cost),
	KUNIT_CASE_SLOW(test_cost_ioctl),
	{}
};

static struct kunit_suite cost_suite = {
	.name = "ihsm-cost",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = cost_cases,
};

kunit_test_suite(cost_suite);
