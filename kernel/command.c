// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program's message on its way to the device and back.
 *
 * The program's memory is only touched while nothing of the device is held: a page fault may take
 * as long as somebody likes. A message is sent once. A process that is killed leaves its
 * command to the queue, which cleans up when the device has ended it.
 */
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ihsm.h"

#define POLL_MOST_US	1000U

static unsigned int poll_us = 20;
module_param(poll_us, uint, 0644);
MODULE_PARM_DESC(poll_us, "look for the answer to a short command for so long before sleeping (microseconds)");

static int pin(struct ihsm_payload **large, u64 user, u32 len, enum dma_data_direction dir)
{
	struct ihsm_payload *payload = ihsm_payload_pin(user, len, dir);

	if (IS_ERR(payload))
		return PTR_ERR(payload);
	*large = payload;
	return 0;
}

static int copy_in(struct ihsm_cmd *cmd, const struct ihsm_command *command, void *room)
{
	const void __user *from = u64_to_user_ptr(command->in);

	if (command->in_len > IHSM_ROOM)
		return pin(&cmd->large_in, command->in, command->in_len, DMA_TO_DEVICE);
	cmd->in = room;
	return copy_from_user(cmd->in, from, command->in_len) ? -EFAULT : 0;
}

static int make_room(struct ihsm_cmd *cmd, u64 user, void *room)
{
	if (cmd->out_len > IHSM_ROOM)
		return pin(&cmd->large_out, user, cmd->out_len, DMA_FROM_DEVICE);
	cmd->out = room;
	return 0;
}

/* Unless the program says, only short commands are worth it. */
static u32 polling(const struct ihsm_command *command)
{
	u32 us = command->poll_us;

	if (us == IHSM_POLL_NEVER)
		return 0;
	if (!us && command->time_class == IHSM_TIME_SHORT)
		us = READ_ONCE(poll_us);
	return min(us, POLL_MOST_US);
}

static size_t small(u32 len)
{
	return len <= IHSM_ROOM ? len : 0;
}

/**
 * ihsm_command_prepare() - the command with all that it needs, but nothing of the device yet
 * @context: of the open file
 * @command: what the program asks for, in the driver's memory
 * @own: bytes for the caller at @private of the command
 *
 * Return: the command, for ihsm_cmd_free(), or an error pointer.
 */
struct ihsm_cmd *ihsm_command_prepare(struct ihsm_context *context,
				      const struct ihsm_command *command, size_t own)
{
	u32 out_len = min(command->out_len, context->max_message);
	size_t in_room = small(command->in_len);
	struct ihsm_cmd *cmd;
	u32 time_class;
	int err;

	err = ihsm_check_command(command, context->max_message);
	if (err)
		return ERR_PTR(err);
	cmd = ihsm_cmd_alloc(IHSM_IO_MESSAGE, own + in_room + small(out_len));
	if (!cmd)
		return ERR_PTR(-ENOMEM);
	cmd->private = cmd->bounce;
	cmd->context = context->id;
	cmd->generation = context->generation;
	cmd->in_len = command->in_len;
	cmd->out_len = out_len;
	time_class = array_index_nospec(command->time_class, IHSM_TIME_CLASSES);
	cmd->weight_ms = READ_ONCE(context->ihsm->class_ms[time_class]);
	cmd->brief = time_class == IHSM_TIME_SHORT;
	cmd->poll_us = polling(command);
	err = copy_in(cmd, command, cmd->bounce + own);
	if (!err)
		err = make_room(cmd, command->out, cmd->bounce + own + in_room);
	if (!err)
		return cmd;
	ihsm_cmd_free(cmd);
	return ERR_PTR(err);
}

/* A queue takes no commands: was it stopped for good, or for a restart? */
static int stopped(struct ihsm_device *ihsm, int err)
{
	return err == -ESTALE && READ_ONCE(ihsm->state) >= IHSM_DRIVER_DEAD ? -ENODEV : err;
}

/**
 * ihsm_command_enter() - begin to use the device, with a slot on the queue of this processor
 * @ihsm: device
 * @cmd: prepared
 * @wait: until there is one; else -EAGAIN
 *
 * Return: 0, then ihsm_command_submit() and ihsm_leave() are due; as ihsm_enter(),
 * ihsm_cmd_try_place() and ihsm_queue_wait(), with nothing held.
 */
int ihsm_command_enter(struct ihsm_device *ihsm, struct ihsm_cmd *cmd, bool wait)
{
	struct ihsm_queue *queue;
	int err;

	do {
		err = ihsm_enter(ihsm, wait);
		if (err)
			return err;
		queue = ihsm->queue[ihsm->cpu_queue[raw_smp_processor_id()]];
		err = ihsm_cmd_try_place(queue, cmd);
		if (!err)
			return 0;
		ihsm_leave(ihsm);
		if (!wait || err != -EAGAIN)
			return stopped(ihsm, err);
		err = ihsm_queue_wait(queue);
	} while (!err);
	return err;
}

/**
 * ihsm_command_submit() - give a command that has a slot to the device
 * @ihsm: device; the gate is held
 * @cmd: placed
 *
 * Return: 0, or a negative errno; then nothing of the device is held.
 */
int ihsm_command_submit(struct ihsm_device *ihsm, struct ihsm_cmd *cmd)
{
	int err = 0;

	if (cmd->large_in)
		err = ihsm_payload_map(ihsm, cmd->large_in);
	if (!err && cmd->large_out)
		err = ihsm_payload_map(ihsm, cmd->large_out);
	if (!err)
		err = ihsm_cmd_submit(cmd);
	if (err)
		ihsm_cmd_finish(cmd);
	return stopped(ihsm, err);
}

/* Look for the answer while nobody else wants the processor. */
static bool poll_answer(struct ihsm_cmd *cmd)
{
	u64 end = local_clock() + cmd->poll_us * NSEC_PER_USEC;

	while (!completion_done(&cmd->done)) {
		if (!cmd->poll_us || need_resched() || local_clock() >= end)
			return false;
		if (ihsm_queue_ready(cmd->queue))
			ihsm_queue_poll(cmd->queue);
		else
			cpu_relax();
	}
	return true;
}

/**
 * ihsm_command_error() - how a command ended
 * @cmd: has ended
 *
 * Return: 0 when the device answered, else a negative errno.
 */
int ihsm_command_error(const struct ihsm_cmd *cmd)
{
	if (!cmd->error && cmd->timed_out && cmd->status == IHSM_SC_ABORTED)
		return -ETIMEDOUT;
	return cmd->error;
}

/* The process was killed. While somebody closes the gate all commands end by themselves. */
static bool give_up(struct ihsm_device *ihsm, struct ihsm_cmd *cmd)
{
	bool gone = false;

	if (!ihsm_enter(ihsm, false)) {
		gone = ihsm_cmd_abandon(cmd, true);
		ihsm_leave(ihsm);
	}
	if (!gone)
		wait_for_completion(&cmd->done);
	return gone;
}

/* Give it to the device, and look for its answer if that is wanted. */
static int send(struct ihsm_device *ihsm, struct ihsm_cmd *cmd)
{
	int err = ihsm_command_enter(ihsm, cmd, true);

	if (err)
		return err;
	err = ihsm_command_submit(ihsm, cmd);
	if (!err && !poll_answer(cmd))
		ihsm_cmd_listen(cmd);
	ihsm_leave(ihsm);
	return err;
}

/**
 * ihsm_command_copy_out() - the device's answer for the program
 * @cmd: was answered
 * @user: where the answer goes, if there is one; a large one is there already
 *
 * Return: 0 or -EFAULT.
 */
int ihsm_command_copy_out(const struct ihsm_cmd *cmd, u64 user)
{
	if (cmd->status != IHSM_SC_SUCCESS || !cmd->out)
		return 0;
	return copy_to_user(u64_to_user_ptr(user), cmd->out, cmd->result) ? -EFAULT : 0;
}

/**
 * ihsm_command() - carry a program's message
 * @context: of the open file
 * @command: request; its output fields are filled in on success
 *
 * Return: 0 when the device answered, whatever it answered, else a negative errno as
 * linux/ihsm.h lists them.
 */
int ihsm_command(struct ihsm_context *context, struct ihsm_command *command)
{
	struct ihsm_cmd *cmd;
	int err;

	cmd = ihsm_command_prepare(context, command, 0);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);
	err = send(context->ihsm, cmd);
	if (!err) {
		if (wait_for_completion_state(&cmd->done, IHSM_WAIT) &&
		    give_up(context->ihsm, cmd))
			return -EINTR;
		err = ihsm_command_error(cmd);
	}
	if (!err)
		err = ihsm_command_copy_out(cmd, command->out);
	command->status = cmd->status;
	command->written = cmd->status == IHSM_SC_SUCCESS ? cmd->result : 0;
	ihsm_cmd_free(cmd);
	return err;
}
