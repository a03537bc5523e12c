// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of a program's way to the device and back, with a card that is made up
 * (ihsm_test_card.h): open files, messages of all sizes, rights, limits, processes that are killed.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/mman.h>
#include <linux/poll.h>
#include <linux/resource.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "ihsm.h"
#include "ihsm_test_card.h"

#define PATIENCE (60 * HZ)
#define MEMORY	 (64 * PAGE_SIZE) /* of the program */
#define NOWHERE	 ((u64)PAGE_SIZE / 2) /* nothing is mapped there */

/**
 * struct program - a program that has the device open
 * @card: behind it
 * @ihsm: the device
 * @inode: as much of the device's node as the driver looks at
 * @file: likewise of the open file
 * @user: MEMORY bytes of its own
 */
struct program {
	struct card *card;
	struct ihsm_device *ihsm;
	struct inode inode;
	struct file file;
	unsigned long user;
};

static int program_init(struct kunit *test)
{
	struct program *program = kunit_kzalloc(test, sizeof(*program), GFP_KERNEL);

	if (!program)
		return -ENOMEM;
	program->card = card_new(test);
	test->priv = program;
	return program->card ? 0 : -ENOMEM;
}

static int open_again(struct program *program)
{
	program->file = (struct file){ .f_mode = FMODE_READ | FMODE_WRITE };
	return ihsm_fops.open(&program->inode, &program->file);
}

static void close(struct program *program)
{
	if (program->file.private_data)
		ihsm_fops.release(&program->inode, &program->file);
	program->file.private_data = NULL;
}

static void program_exit(struct kunit *test)
{
	struct program *program = test->priv;

	if (!program || !program->card)
		return;
	close(program);
	card_unplug(program->card);
}

static struct program *start(struct kunit *test)
{
	struct program *program = test->priv;

	KUNIT_ASSERT_EQ(test, card_plug(program->card), 0);
	program->ihsm = card_driven(program->card);
	KUNIT_ASSERT_NOT_NULL(test, program->ihsm);
	program->inode.i_cdev = &program->ihsm->cdev;
	KUNIT_ASSERT_EQ(test, open_again(program), 0);
	program->user = kunit_vm_mmap(test, NULL, 0, MEMORY, PROT_READ | PROT_WRITE,
				      MAP_ANONYMOUS | MAP_PRIVATE, 0);
	if (!program->user || program->user >= (unsigned long)TASK_SIZE)
		kunit_skip(test, "no memory of a program");
	return program;
}

static struct ihsm_context *context_of(struct program *program)
{
	return program->file.private_data;
}

/* From the middle of its memory to the end, so that both ends are amid pages */
static struct ihsm_command message(struct program *program, u32 in_len, u32 out_len)
{
	return (struct ihsm_command){
		.size = sizeof(struct ihsm_command),
		.in = program->user + 100,
		.in_len = in_len,
		.out = program->user + MEMORY / 2 + 300,
		.out_len = out_len,
	};
}

/* The answer is the message: whatever went in came out, and nothing was written beyond it. */
static void there_and_back(struct kunit *test, struct program *program, u32 in_len, u32 out_len)
{
	struct ihsm_command command = message(program, in_len, out_len);
	u32 len = min(in_len, out_len);
	u8 *bytes = kunit_kmalloc(test, in_len + 1, GFP_KERNEL);
	u8 *back = kunit_kmalloc(test, in_len + 1, GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_TRUE(test, bytes && back);
	for (i = 0; i < in_len; i++)
		bytes[i] = i * 7 + i / 251;
	KUNIT_ASSERT_EQ(test, clear_user((void __user *)command.out, in_len + 1), 0);
	KUNIT_ASSERT_EQ(test, copy_to_user((void __user *)command.in, bytes, in_len), 0);
	KUNIT_EXPECT_EQ(test, ihsm_command(context_of(program), &command), 0);
	KUNIT_EXPECT_EQ(test, command.status, IHSM_SC_SUCCESS);
	KUNIT_EXPECT_EQ(test, command.written, len);
	KUNIT_ASSERT_EQ(test, copy_from_user(back, (void __user *)command.out, in_len + 1), 0);
	KUNIT_EXPECT_MEMEQ(test, back, bytes, len);
	KUNIT_EXPECT_EQ(test, back[len], 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&current->mm->pinned_vm), 0);
}

static void test_messages(struct kunit *test)
{
	struct program *program = start(test);

	KUNIT_EXPECT_EQ(test, context_of(program)->id, CARD_CONTEXT);
	there_and_back(test, program, 64, 64);
	there_and_back(test, program, 64, 63);
	there_and_back(test, program, IHSM_ROOM, IHSM_ROOM);
	KUNIT_EXPECT_EQ(test, program->card->large, 0);
	there_and_back(test, program, IHSM_ROOM + 1, 10);
	KUNIT_EXPECT_EQ(test, program->card->large, 1);
	there_and_back(test, program, 10, IHSM_ROOM + 1);
	there_and_back(test, program, CARD_MESSAGE, CARD_MESSAGE);
	KUNIT_EXPECT_EQ(test, program->card->large, 4);
	KUNIT_EXPECT_EQ(test, atomic_read(&program->ihsm->load_ms), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&program->ihsm->contexts), 1);
	close(program);
	KUNIT_EXPECT_EQ(test, atomic_read(&program->ihsm->contexts), 0);
	KUNIT_EXPECT_EQ(test, program->card->contexts, 0);
}

/* What the device refuses is an answer: nothing comes out, and its status is told. */
static void test_refused(struct kunit *test)
{
	struct program *program = start(test);
	struct ihsm_command command = message(program, 64, 64);

	program->card->faults.refuses = IHSM_IO_MESSAGE;
	program->card->faults.status = IHSM_SC_NO_CHANNEL;
	KUNIT_EXPECT_EQ(test, ihsm_command(context_of(program), &command), 0);
	KUNIT_EXPECT_EQ(test, command.status, IHSM_SC_NO_CHANNEL);
	KUNIT_EXPECT_EQ(test, command.written, 0);
	KUNIT_EXPECT_EQ(test, program->ihsm->queue[1]->errors, 1);
}

/* How long somebody looks for an answer: what the program says, or the parameter for short ones */
static void test_polling(struct kunit *test)
{
	static const struct {
		u32 time_class;
		u32 asked;
		u32 poll_us;
	} cases[] = {
		{ IHSM_TIME_SHORT, 0, 20 },
		{ IHSM_TIME_MEDIUM, 0, 0 },
		{ IHSM_TIME_SHORT, IHSM_POLL_NEVER, 0 },
		{ IHSM_TIME_SHORT, 1, 1 },
		{ IHSM_TIME_VERY_LONG, 300, 300 },
		{ IHSM_TIME_SHORT, IHSM_POLL_NEVER - 1, 1000 },
	};
	struct program *program = start(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ihsm_command command = message(program, 64, 64);
		struct ihsm_cmd *cmd;

		command.time_class = cases[i].time_class;
		command.poll_us = cases[i].asked;
		cmd = ihsm_command_prepare(context_of(program), &command, 0);
		KUNIT_ASSERT_FALSE(test, IS_ERR(cmd));
		KUNIT_EXPECT_EQ(test, cmd->poll_us, cases[i].poll_us);
		ihsm_cmd_free(cmd);
		KUNIT_EXPECT_EQ(test, ihsm_command(context_of(program), &command), 0);
		KUNIT_EXPECT_EQ(test, command.status, IHSM_SC_SUCCESS);
	}
}

/* What the program's addresses do not hold; nothing stays pinned or with the device. */
static void test_addresses(struct kunit *test)
{
	struct program *program = start(test);
	struct ihsm_context *context = context_of(program);
	struct ihsm_command command;
	u64 submitted = program->ihsm->queue[1]->submitted;

	command = message(program, SZ_8K, 64);
	command.in = NOWHERE;
	KUNIT_EXPECT_EQ(test, ihsm_command(context, &command), -EFAULT);
	command = message(program, 64, SZ_8K);
	command.out = NOWHERE;
	KUNIT_EXPECT_EQ(test, ihsm_command(context, &command), -EFAULT);
	/* The first page is there, the last one is not. */
	command = message(program, SZ_8K, 64);
	command.in = program->user + MEMORY - PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, ihsm_command(context, &command), -EFAULT);
	command = message(program, CARD_MESSAGE + 1, 64);
	KUNIT_EXPECT_EQ(test, ihsm_command(context, &command), -EMSGSIZE);
	KUNIT_EXPECT_EQ(test, program->ihsm->queue[1]->submitted, submitted);
	/* Where a small answer goes is seen when it is there. */
	command = message(program, 64, 64);
	command.out = NOWHERE;
	KUNIT_EXPECT_EQ(test, ihsm_command(context, &command), -EFAULT);
	KUNIT_EXPECT_EQ(test, atomic64_read(&current->mm->pinned_vm), 0);
	KUNIT_EXPECT_EQ(test, bitmap_weight(program->ihsm->queue[1]->free, IHSM_SLOTS),
			program->ihsm->queue[1]->slots);
}

static void test_payload_sizes(struct kunit *test)
{
	struct program *program = start(test);
	u32 most = (IHSM_MAX_SEGMENTS - 1) * PAGE_SIZE;
	struct ihsm_payload *payload;

	KUNIT_EXPECT_EQ(test, PTR_ERR(ihsm_payload_pin(program->user, 0, DMA_TO_DEVICE)),
			-EMSGSIZE);
	KUNIT_EXPECT_EQ(test, PTR_ERR(ihsm_payload_pin(program->user, U32_MAX, DMA_TO_DEVICE)),
			-EMSGSIZE);
	/* A page more than a list has segments, since it begins amid one */
	payload = ihsm_payload_pin(program->user + 1, most + PAGE_SIZE, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, PTR_ERR(payload), -EMSGSIZE);
	payload = ihsm_payload_pin(program->user + 1, most, DMA_TO_DEVICE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(payload));
	KUNIT_EXPECT_EQ(test, atomic64_read(&current->mm->pinned_vm), IHSM_MAX_SEGMENTS);
	ihsm_payload_unmap(program->ihsm, payload);
	ihsm_payload_free(payload);
	KUNIT_EXPECT_EQ(test, atomic64_read(&current->mm->pinned_vm), 0);
}

/* ---- rights and limits of a program that is nobody ---- */

static const struct cred *become_nobody(struct kunit *test)
{
	struct cred *cred = prepare_creds();

	KUNIT_ASSERT_NOT_NULL(test, cred);
	cap_clear(cred->cap_effective);
	return override_creds(cred);
}

static void become_root(const struct cred *root)
{
	const struct cred *nobody = current_cred();

	revert_creds(root);
	put_cred(nobody);
}

static void test_locked_memory(struct kunit *test)
{
	struct program *program = start(test);
	struct rlimit *limit = &current->signal->rlim[RLIMIT_MEMLOCK];
	unsigned long before = limit->rlim_cur;
	struct ihsm_command command = message(program, SZ_8K, 64);
	const struct cred *root = become_nobody(test);

	/* It needs three pages. */
	limit->rlim_cur = 2 * PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, ihsm_command(context_of(program), &command), -ENOMEM);
	KUNIT_EXPECT_EQ(test, atomic64_read(&current->mm->pinned_vm), 0);
	limit->rlim_cur = 3 * PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, ihsm_command(context_of(program), &command), 0);
	limit->rlim_cur = 0;
	become_root(root);
	KUNIT_EXPECT_EQ(test, ihsm_command(context_of(program), &command), 0);
	limit->rlim_cur = before;
}

static long ioctl(struct program *program, unsigned int cmd, void *argument, size_t size)
{
	long ret;

	if (copy_to_user((void __user *)program->user, argument, size))
		return -EIO;
	ret = ihsm_fops.unlocked_ioctl(&program->file, cmd, program->user);
	return copy_from_user(argument, (void __user *)program->user, size) ? -EIO : ret;
}

static struct device_attribute *attribute(const char *name)
{
	struct attribute **attr;

	for (attr = ihsm_groups[0]->attrs; *attr; attr++) {
		if (!strcmp((*attr)->name, name))
			return container_of(*attr, struct device_attribute, attr);
	}
	return NULL;
}

/* A reset takes all contexts with it: that is for the administrator, each way. */
static void test_who_may_reset(struct kunit *test)
{
	struct program *program = start(test);
	struct ihsm_device *ihsm = program->ihsm;
	struct ihsm_reset reset = { .size = sizeof(reset) };
	struct device_attribute *store = attribute("reset");
	const struct cred *root = become_nobody(test);

	KUNIT_EXPECT_EQ(test, ioctl(program, IHSM_IOC_RESET, &reset, sizeof(reset)), -EPERM);
	KUNIT_EXPECT_EQ(test, store->store(&ihsm->dev, store, "1", 1), -EPERM);
	KUNIT_EXPECT_EQ(test, program->card->resets, 0);
	become_root(root);
	KUNIT_EXPECT_EQ(test, store->store(&ihsm->dev, store, "0", 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, store->store(&ihsm->dev, store, "x", 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, program->card->resets, 0);
	KUNIT_EXPECT_EQ(test, store->store(&ihsm->dev, store, "1\n", 2), 2);
	KUNIT_EXPECT_EQ(test, program->card->resets, 1);
	KUNIT_EXPECT_EQ(test, ioctl(program, IHSM_IOC_RESET, &reset, sizeof(reset)), 0);
	KUNIT_EXPECT_EQ(test, program->card->resets, 2);
	/* What the device had for the file went with it; opened again, it is as new. */
	reset.flags = 1;
	KUNIT_EXPECT_EQ(test, ioctl(program, IHSM_IOC_RESET, &reset, sizeof(reset)), -EINVAL);
}

/* ---- what a file tells ---- */

static void test_info(struct kunit *test)
{
	struct program *program = start(test);
	struct ihsm_identify *identify = kunit_kzalloc(test, sizeof(*identify), GFP_KERNEL);
	struct ihsm_info info = { .size = sizeof(info) };

	KUNIT_ASSERT_NOT_NULL(test, identify);
	KUNIT_EXPECT_EQ(test, ioctl(program, IHSM_IOC_INFO, &info, sizeof(info)), 0);
	KUNIT_EXPECT_EQ(test, info.abi, IHSM_ABI_VERSION);
	KUNIT_EXPECT_EQ(test, info.state, IHSM_DRIVER_LIVE);
	KUNIT_EXPECT_EQ(test, info.context, CARD_CONTEXT);
	KUNIT_EXPECT_EQ(test, info.epoch, program->card->epoch);
	KUNIT_EXPECT_EQ(test, info.max_message, CARD_MESSAGE);
	KUNIT_EXPECT_EQ(test, info.cap, program->card->cap);
	KUNIT_EXPECT_EQ(test, info.queues, 1);
	info.identify = program->user + PAGE_SIZE;
	info.identify_len = 100;
	KUNIT_EXPECT_EQ(test, ioctl(program, IHSM_IOC_INFO, &info, sizeof(info)), 0);
	KUNIT_EXPECT_EQ(test, copy_from_user(identify, (void __user *)info.identify, 200), 0);
	KUNIT_EXPECT_STREQ(test, identify->model, CARD_TEXT);
	/* No more than it has asked for */
	KUNIT_EXPECT_NULL(test, memchr_inv((u8 *)identify + 100, 0, 100));
	info.identify_len = U32_MAX;
	KUNIT_EXPECT_EQ(test, ioctl(program, IHSM_IOC_INFO, &info, sizeof(info)), 0);
	info.identify = NOWHERE;
	KUNIT_EXPECT_EQ(test, ioctl(program, IHSM_IOC_INFO, &info, sizeof(info)), -EFAULT);
}

static void test_poll(struct kunit *test)
{
	struct program *program = start(test);
	struct ihsm_device *ihsm = program->ihsm;
	struct ihsm_events events = { .size = sizeof(events) };

	KUNIT_EXPECT_EQ(test, ihsm_fops.poll(&program->file, NULL), 0);
	KUNIT_EXPECT_EQ(test, reset_now(ihsm), 0);
	KUNIT_EXPECT_EQ(test, ihsm_fops.poll(&program->file, NULL), EPOLLIN | EPOLLRDNORM);
	KUNIT_EXPECT_EQ(test, ioctl(program, IHSM_IOC_EVENTS, &events, sizeof(events)), 0);
	KUNIT_EXPECT_EQ(test, events.events, BIT(IHSM_NOTICE_RESET));
	KUNIT_EXPECT_EQ(test, ihsm_fops.poll(&program->file, NULL), 0);
	program->card->faults.gone = true;
	ihsm_look_now(ihsm);
	KUNIT_EXPECT_TRUE(test,
			  wait_event_timeout(ihsm->state_wait,
					     READ_ONCE(ihsm->state) == IHSM_DRIVER_DEAD, PATIENCE));
	/* All that is left is to be told of it. */
	flush_workqueue(ihsm->wq);
	KUNIT_EXPECT_EQ(test, ihsm_fops.poll(&program->file, NULL),
			EPOLLIN | EPOLLRDNORM | EPOLLHUP | EPOLLERR);
}

/* ---- what ends under a program ---- */

/* After a reset the file's context is nobody's: not that of who has its number now. */
static void test_epochs(struct kunit *test)
{
	struct program *program = start(test);
	struct ihsm_command command = message(program, 64, 64);
	u64 submitted;

	KUNIT_EXPECT_EQ(test, reset_now(program->ihsm), 0);
	submitted = program->ihsm->queue[1]->submitted;
	KUNIT_EXPECT_EQ(test, ihsm_command(context_of(program), &command), -ESTALE);
	KUNIT_EXPECT_EQ(test, program->ihsm->queue[1]->submitted, submitted);
	close(program);
	KUNIT_ASSERT_EQ(test, open_again(program), 0);
	there_and_back(test, program, 64, 64);
	/* Dead is dead, for what is asked and for who opens. */
	program->card->faults.bad_starts = UINT_MAX;
	KUNIT_EXPECT_EQ(test, reset_now(program->ihsm), -ENODEV);
	KUNIT_EXPECT_EQ(test, ihsm_command(context_of(program), &command), -ENODEV);
	close(program);
	KUNIT_EXPECT_EQ(test, open_again(program), -ENODEV);
}

/* The driver goes while the file is open: the file stays, and has nothing behind it. */
static void test_unbound(struct kunit *test)
{
	struct program *program = start(test);
	struct ihsm_command command = message(program, 64, 64);
	struct ihsm_info info = { .size = sizeof(info) };
	struct ihsm_reset reset = { .size = sizeof(reset) };

	device_release_driver(&program->card->pdev->dev);
	KUNIT_EXPECT_EQ(test, ihsm_command(context_of(program), &command), -ENODEV);
	KUNIT_EXPECT_EQ(test, ioctl(program, IHSM_IOC_INFO, &info, sizeof(info)), -ENODEV);
	KUNIT_EXPECT_EQ(test, ioctl(program, IHSM_IOC_RESET, &reset, sizeof(reset)), -ENODEV);
	KUNIT_EXPECT_EQ(test, ihsm_fops.poll(&program->file, NULL), EPOLLHUP | EPOLLERR);
	close(program);
}

static bool eventually_idle(struct ihsm_queue *queue)
{
	return wait_event_timeout(queue->slot_wait,
				  bitmap_weight(queue->free, IHSM_SLOTS) == queue->slots, PATIENCE);
}

/* Killed while it waits: the command is called back, and what it had is given back. */
static void test_killed(struct kunit *test)
{
	struct program *program = start(test);
	struct ihsm_queue *queue = program->ihsm->queue[1];
	struct ihsm_command command = message(program, SZ_8K, SZ_8K);

	program->card->faults.holds = true;
	command.time_class = IHSM_TIME_LONG;
	allow_signal(SIGKILL);
	send_sig(SIGKILL, current, 1);
	KUNIT_EXPECT_EQ(test, ihsm_command(context_of(program), &command), -EINTR);
	flush_signals(current);
	KUNIT_EXPECT_TRUE(test, eventually_idle(queue));
	flush_workqueue(program->ihsm->wq);
	KUNIT_EXPECT_FALSE(test, program->card->held);
	KUNIT_EXPECT_EQ(test, atomic64_read(&current->mm->pinned_vm), 0);
	KUNIT_EXPECT_EQ(test, program->ihsm->state, IHSM_DRIVER_LIVE);
	KUNIT_EXPECT_EQ(test, atomic_read(&program->ihsm->load_ms), 0);
	program->card->faults.holds = false;
	there_and_back(test, program, 64, 64);
}

/*
 * The end of a context takes as long as its commands do. Who closes does not wait for ever, others
 * are not reset for that, and if it never comes there is the ladder.
 */
static void test_ends_late(struct kunit *test)
{
	struct program *program = start(test);
	struct ihsm_queue *queue = program->ihsm->queue[0];
	u32 generation = program->ihsm->generation;
	unsigned int idle = bitmap_weight(queue->free, queue->slots);
	unsigned int i;

	program->card->faults.drops = IHSM_ADMIN_DESTROY_CONTEXT;
	close(program);
	flush_workqueue(program->ihsm->wq);
	KUNIT_EXPECT_EQ(test, program->ihsm->generation, generation);
	KUNIT_EXPECT_EQ(test, program->ihsm->state, IHSM_DRIVER_LIVE);
	KUNIT_EXPECT_EQ(test, bitmap_weight(queue->free, queue->slots), idle - 1);
	KUNIT_ASSERT_EQ(test, open_again(program), 0);
	there_and_back(test, program, 64, 64);
	for (i = 0; i < queue->slots; i++) {
		struct ihsm_cmd *cmd = queue->slot[i].cmd;

		if (!cmd || cmd->opcode != IHSM_ADMIN_DESTROY_CONTEXT)
			continue;
		KUNIT_EXPECT_TRUE(test, time_after(cmd->deadline, jiffies));
		cmd->deadline = jiffies - 1;
	}
	KUNIT_EXPECT_TRUE(test, ihsm_queue_overdue(queue));
	program->card->faults.drops = 0;
}

/* ---- what happens while a command is under way; the card says when it is ---- */

static struct program *acted_on;
static bool locked_out;

static void reset_it(struct work_struct *work)
{
	ihsm_reset_later(acted_on->ihsm, NULL);
}

static void unbind_it(struct work_struct *work)
{
	device_release_driver(&acted_on->card->pdev->dev);
}

static void unplug_it(struct work_struct *work)
{
	acted_on->card->faults.gone = true;
	ihsm_look_now(acted_on->ihsm);
}

static void answer_it(struct work_struct *work)
{
	card_answer(acted_on->card);
}

/* A large message that is not answered before @act has run. Return: what the program hears. */
static int meanwhile(struct kunit *test, struct program *program, work_func_t act)
{
	struct ihsm_command command = message(program, SZ_8K, SZ_8K);
	struct work_struct work;
	int err;

	INIT_WORK_ONSTACK(&work, act);
	acted_on = program;
	program->card->faults.holds = true;
	program->card->then = &work;
	err = ihsm_command(context_of(program), &command);
	flush_work(&work);
	destroy_work_on_stack(&work);
	program->card->then = NULL;
	program->card->faults.holds = false;
	/* However it ended, nothing of the program is the device's any more. */
	KUNIT_EXPECT_EQ(test, atomic64_read(&current->mm->pinned_vm), 0);
	return err;
}

static void test_answered_late(struct kunit *test)
{
	struct program *program = start(test);

	KUNIT_EXPECT_EQ(test, meanwhile(test, program, answer_it), 0);
}

/* Who waits for an answer may be frozen: it keeps nobody out who wants the device to himself. */
static void lock_out(struct work_struct *work)
{
	struct ihsm_device *ihsm = acted_on->ihsm;

	/* The program comes in by the card's leave: it may not have left yet. */
	down_write(&ihsm->gate);
	locked_out = true;
	card_answer(acted_on->card);
	up_write(&ihsm->gate);
}

static void test_waits_outside(struct kunit *test)
{
	struct program *program = start(test);

	locked_out = false;
	KUNIT_EXPECT_EQ(test, meanwhile(test, program, lock_out), 0);
	KUNIT_EXPECT_TRUE(test, locked_out);
}

static void test_reset_meanwhile(struct kunit *test)
{
	struct program *program = start(test);

	KUNIT_EXPECT_EQ(test, meanwhile(test, program, reset_it), -ECANCELED);
	KUNIT_EXPECT_TRUE(test,
			  wait_event_timeout(program->ihsm->state_wait,
					     READ_ONCE(program->ihsm->state) == IHSM_DRIVER_LIVE,
					     PATIENCE));
	close(program);
	KUNIT_ASSERT_EQ(test, open_again(program), 0);
	there_and_back(test, program, 64, 64);
}

/* One that does not stop: before the program's pages are its own again, it cannot reach them. */
static void test_no_stop_meanwhile(struct kunit *test)
{
	struct program *program = start(test);
	u16 command = 0;

	program->card->faults.never_resets = true;
	KUNIT_EXPECT_EQ(test, meanwhile(test, program, reset_it), -ECANCELED);
	pci_read_config_word(program->card->pdev, PCI_COMMAND, &command);
	KUNIT_EXPECT_EQ(test, command & PCI_COMMAND_MASTER, 0);
}

static void test_unbound_meanwhile(struct kunit *test)
{
	struct program *program = start(test);

	KUNIT_EXPECT_EQ(test, meanwhile(test, program, unbind_it), -ENODEV);
	KUNIT_EXPECT_EQ(test, program->card->contexts, 0);
	close(program);
}

static void test_unplugged_meanwhile(struct kunit *test)
{
	struct program *program = start(test);

	KUNIT_EXPECT_EQ(test, meanwhile(test, program, unplug_it), -ENODEV);
	KUNIT_EXPECT_EQ(test, program->ihsm->state, IHSM_DRIVER_DEAD);
}

/* ---- how many there can be ---- */

/* Each open file is a context of its own, and ends when it is closed, in any order. */
static void test_many_files(struct kunit *test)
{
	struct program *program = start(test);
	struct file *files = kunit_kcalloc(test, 40, sizeof(*files), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, files);
	for (i = 0; i < 40; i++) {
		struct ihsm_context *context;

		files[i].f_mode = FMODE_READ | FMODE_WRITE;
		KUNIT_ASSERT_EQ(test, ihsm_fops.open(&program->inode, &files[i]), 0);
		context = files[i].private_data;
		KUNIT_EXPECT_EQ(test, context->id, CARD_CONTEXT + 1 + i);
	}
	KUNIT_EXPECT_EQ(test, program->card->contexts, 41);
	for (i = 0; i < 40; i++)
		ihsm_fops.release(&program->inode, &files[i * 7 % 40]);
	KUNIT_EXPECT_EQ(test, program->card->contexts, 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&program->ihsm->contexts), 1);
	/* The device may have no more: that is told, and nothing is left of it. */
	program->card->faults.refuses = IHSM_ADMIN_CREATE_CONTEXT;
	program->card->faults.status = IHSM_SC_NO_CONTEXT;
	KUNIT_EXPECT_EQ(test, ihsm_fops.open(&program->inode, &files[0]), -EUSERS);
	KUNIT_EXPECT_EQ(test, atomic_read(&program->ihsm->contexts), 1);
}

static struct kunit_case program_cases[] = {
	KUNIT_CASE(test_messages),
	KUNIT_CASE(test_refused),
	KUNIT_CASE(test_polling),
	KUNIT_CASE(test_addresses),
	KUNIT_CASE(test_payload_sizes),
	KUNIT_CASE(test_locked_memory),
	KUNIT_CASE(test_who_may_reset),
	KUNIT_CASE(test_info),
	KUNIT_CASE(test_poll),
	KUNIT_CASE(test_epochs),
	KUNIT_CASE(test_unbound),
	KUNIT_CASE(test_killed),
	KUNIT_CASE_SLOW(test_ends_late),
	KUNIT_CASE(test_answered_late),
	KUNIT_CASE(test_waits_outside),
	KUNIT_CASE(test_reset_meanwhile),
	KUNIT_CASE(test_no_stop_meanwhile),
	KUNIT_CASE(test_unbound_meanwhile),
	KUNIT_CASE(test_unplugged_meanwhile),
	KUNIT_CASE(test_many_files),
	{}
};

static struct kunit_suite program_suite = {
	.name = "ihsm-program",
	.init = program_init,
	.exit = program_exit,
	.test_cases = program_cases,
};

kunit_test_suite(program_suite);
