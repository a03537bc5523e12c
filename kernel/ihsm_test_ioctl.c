// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the ioctls as a program makes them, with one fault at a time: each branch that
 * refuses has a row. What is right but for that fault reaches a device that is gone, and hears so.
 */
#include <linux/fs.h>
#include <linux/mman.h>
#include <linux/uaccess.h>

#include "ihsm_test.h"

#define NOWHERE	((u64)PAGE_SIZE / 2)	/* nothing is mapped there */

/**
 * struct caller - a program with an open file
 * @file: as much of it as the driver looks at
 * @context: of it
 * @user: two pages of its memory
 */
struct caller {
	struct file file;
	struct ihsm_context context;
	unsigned long user;
};

static struct caller *make_caller(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct caller *caller = kunit_kzalloc(test, sizeof(*caller), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, caller);
	init_rwsem(&fake->ihsm.gate);
	fake->ihsm.gone = true;
	caller->context.ihsm = &fake->ihsm;
	caller->context.max_message = 5000;
	caller->file.private_data = &caller->context;
	caller->file.f_mode = FMODE_READ | FMODE_WRITE;
	caller->user = kunit_vm_mmap(test, NULL, 0, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE,
				     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	if (!caller->user || caller->user >= (unsigned long)TASK_SIZE)
		kunit_skip(test, "no memory of a program");
	return caller;
}

/* The structure goes to the program's memory, and to the driver by its address. */
static long call(struct kunit *test, struct caller *caller, unsigned int cmd, const void *from,
		 size_t len)
{
	KUNIT_EXPECT_EQ(test, copy_to_user((void __user *)caller->user, from, len), 0);
	return ihsm_fops.unlocked_ioctl(&caller->file, cmd, caller->user);
}

struct fault {
	const char *name;
	unsigned int cmd;
	unsigned int offset;	/* of the field that is wrong */
	unsigned int width;
	u64 value;
	int answer;
};

#define FAULT(command, type, member, bad, result)						\
	{ #type "." #member " " #bad, command, offsetof(struct type, member),			\
	  sizeof_field(struct type, member), bad, result }

static const struct fault faults[] = {
	FAULT(IHSM_IOC_COMMAND, ihsm_command, size, 0, -EINVAL),
	FAULT(IHSM_IOC_COMMAND, ihsm_command, size, sizeof(struct ihsm_command) - 1, -EINVAL),
	FAULT(IHSM_IOC_COMMAND, ihsm_command, size, PAGE_SIZE + 1, -E2BIG),
	FAULT(IHSM_IOC_COMMAND, ihsm_command, size, U32_MAX, -E2BIG),
	FAULT(IHSM_IOC_COMMAND, ihsm_command, flags, 1, -EINVAL),
	FAULT(IHSM_IOC_COMMAND, ihsm_command, flags, BIT(31), -EINVAL),
	FAULT(IHSM_IOC_COMMAND, ihsm_command, time_class, IHSM_TIME_CLASSES, -EINVAL),
	FAULT(IHSM_IOC_COMMAND, ihsm_command, time_class, U32_MAX, -EINVAL),
	FAULT(IHSM_IOC_COMMAND, ihsm_command, in_len, 0, -EINVAL),
	FAULT(IHSM_IOC_COMMAND, ihsm_command, out_len, 0, -EINVAL),
	FAULT(IHSM_IOC_COMMAND, ihsm_command, in_len, 5001, -EMSGSIZE),
	FAULT(IHSM_IOC_COMMAND, ihsm_command, in_len, U32_MAX, -EMSGSIZE),
	FAULT(IHSM_IOC_COMMAND, ihsm_command, in, NOWHERE, -EFAULT),
	FAULT(IHSM_IOC_COMMAND, ihsm_command, in, U64_MAX, -EFAULT),
	/* What is right reaches the device, which is gone. */
	FAULT(IHSM_IOC_COMMAND, ihsm_command, status, 1, -ENODEV),
	FAULT(IHSM_IOC_COMMAND, ihsm_command, written, 1, -ENODEV),
	FAULT(IHSM_IOC_COMMAND, ihsm_command, poll_us, IHSM_POLL_NEVER, -ENODEV),
	FAULT(IHSM_IOC_COMMAND, ihsm_command, out_len, U32_MAX, -ENODEV),
	FAULT(IHSM_IOC_INFO, ihsm_info, size, 0, -EINVAL),
	FAULT(IHSM_IOC_INFO, ihsm_info, size, U32_MAX, -E2BIG),
	FAULT(IHSM_IOC_INFO, ihsm_info, flags, 1, -EINVAL),
	FAULT(IHSM_IOC_INFO, ihsm_info, reserved, 1, -EINVAL),
	FAULT(IHSM_IOC_INFO, ihsm_info, identify, 1, -EINVAL),
	FAULT(IHSM_IOC_INFO, ihsm_info, identify_len, 1, -EINVAL),
	FAULT(IHSM_IOC_INFO, ihsm_info, state, 1, -ENODEV),
	FAULT(IHSM_IOC_RESET, ihsm_reset, size, 0, -EINVAL),
	FAULT(IHSM_IOC_RESET, ihsm_reset, size, U32_MAX, -E2BIG),
	FAULT(IHSM_IOC_RESET, ihsm_reset, flags, 1, -EINVAL),
	FAULT(IHSM_IOC_EVENTS, ihsm_events, size, 0, -EINVAL),
	FAULT(IHSM_IOC_EVENTS, ihsm_events, size, U32_MAX, -E2BIG),
	FAULT(IHSM_IOC_EVENTS, ihsm_events, flags, 1, -EINVAL),
	FAULT(IHSM_IOC_EVENTS, ihsm_events, reserved, 1, -EINVAL),
	FAULT(IHSM_IOC_EVENTS, ihsm_events, events, U64_MAX, 0),
	{ "no such ioctl", _IO(IHSM_IOC_TYPE, 99), 0, 4, 4, -ENOTTY },
};

static void fault_name(const struct fault *fault, char *name)
{
	strscpy(name, fault->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(fault, faults, fault_name);

static u32 size_of(unsigned int cmd)
{
	switch (cmd) {
	case IHSM_IOC_COMMAND: return sizeof(struct ihsm_command);
	case IHSM_IOC_INFO: return sizeof(struct ihsm_info);
	case IHSM_IOC_RESET: return sizeof(struct ihsm_reset);
	default: return sizeof(struct ihsm_events);
	}
}

/* A right structure, in which one field is wrong */
static void test_fault(struct kunit *test)
{
	const struct fault *fault = test->param_value;
	struct caller *caller = make_caller(test);
	u8 bytes[sizeof(struct ihsm_command) + sizeof(struct ihsm_info)] = {};
	u64 value = fault->value;
	u32 size = size_of(fault->cmd);

	if (fault->cmd == IHSM_IOC_COMMAND) {
		struct ihsm_command *command = (struct ihsm_command *)bytes;

		command->in = caller->user;
		command->out = caller->user;
		command->in_len = 32;
		command->out_len = 32;
	}
	memcpy(bytes, &size, sizeof(size));
	memcpy(bytes + fault->offset, (u8 *)&value, fault->width);
	KUNIT_EXPECT_EQ(test, call(test, caller, fault->cmd, bytes, sizeof(bytes)), fault->answer);
}

/* A program from a newer header: what is not known must be zero. */
static void test_newer(struct kunit *test)
{
	struct caller *caller = make_caller(test);
	struct {
		struct ihsm_events events;
		u64 more;
	} newer = { .events.size = sizeof(newer) };

	KUNIT_EXPECT_EQ(test, call(test, caller, IHSM_IOC_EVENTS, &newer, sizeof(newer)), 0);
	newer.more = 1;
	KUNIT_EXPECT_EQ(test, call(test, caller, IHSM_IOC_EVENTS, &newer, sizeof(newer)), -E2BIG);
}

static void test_rights(struct kunit *test)
{
	struct caller *caller = make_caller(test);
	struct ihsm_events events = { .size = sizeof(events) };
	struct ihsm_command command = { .size = sizeof(command) };
	struct ihsm_reset reset = { .size = sizeof(reset) };

	caller->file.f_mode = FMODE_READ;
	KUNIT_EXPECT_EQ(test, call(test, caller, IHSM_IOC_COMMAND, &command, sizeof(command)),
			-EBADF);
	KUNIT_EXPECT_EQ(test, call(test, caller, IHSM_IOC_RESET, &reset, sizeof(reset)), -EBADF);
	KUNIT_EXPECT_EQ(test, call(test, caller, IHSM_IOC_EVENTS, &events, sizeof(events)), 0);
}

static void test_no_memory_there(struct kunit *test)
{
	struct caller *caller = make_caller(test);
	unsigned int commands[] = { IHSM_IOC_COMMAND, IHSM_IOC_INFO, IHSM_IOC_RESET,
				    IHSM_IOC_EVENTS };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		KUNIT_EXPECT_EQ(test, ihsm_fops.unlocked_ioctl(&caller->file, commands[i], NOWHERE),
				-EFAULT);
}

static struct kunit_case ioctl_cases[] = {
	KUNIT_CASE_PARAM(test_fault, fault_gen_params),
	KUNIT_CASE(test_newer),
	KUNIT_CASE(test_rights),
	KUNIT_CASE(test_no_memory_there),
	{}
};

static struct kunit_suite ioctl_suite = {
	.name = "ihsm-ioctl",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = ioctl_cases,
};

kunit_test_suite(ioctl_suite);
