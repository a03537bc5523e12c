// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands by io_uring: submitted and left to the queue, answered in the program's own
 * context, where its memory can be written. On a polled ring whoever polls takes the answer.
 *
 * What belongs to the device is given back where the command ends (ihsm_cmd_finish()), so that a
 * program that is stopped does not hold up a device that goes.
 */
#include <linux/blkdev.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ihsm.h"
#include "uring.h"

static_assert(IHSM_MAX_SEGMENTS * PAGE_SIZE < 1U << IHSM_URING_STATUS_SHIFT);

/**
 * struct uring_request - a command that a ring waits for; at @private of it
 * @ioucmd: the ring's
 * @cmd: with the device, until @ended
 * @ihsm: the device; the ring holds the open file, and so the device
 * @out: where the program wants the answer
 * @mm: memory that this and the message's address are in; only compared
 * @polled: the ring polls
 * @ended: the device is done with it
 */
struct uring_request {
	struct io_uring_cmd *ioucmd;
	struct ihsm_cmd *cmd;
	struct ihsm_device *ihsm;
	u64 out;
	struct mm_struct *mm;
	bool polled;
	bool ended;
};

static struct uring_request **to_request(struct io_uring_cmd *ioucmd)
{
	return (struct uring_request **)ioucmd->pdu;
}

/* Nobody waits for answers any more: the task ends, or the kernel clears up after it. */
static bool going(void)
{
	return current->flags & (PF_EXITING | PF_KTHREAD);
}

static void free_request(struct uring_request *request)
{
	mmdrop(request->mm);
	/* With the request in it */
	ihsm_cmd_free(request->cmd);
}

/* The result for the ring, after the answer was written to the program's memory */
static int deliver(struct uring_request *request)
{
	const struct ihsm_cmd *cmd = request->cmd;
	int err = ihsm_command_error(cmd);

	/* The program is going, or another polls its ring: this may be somebody else's memory. */
	if (going() || current->mm != request->mm)
		return -ECANCELED;
	if (!err)
		err = ihsm_command_copy_out(cmd, request->out);
	if (err || cmd->status == IHSM_SC_SUCCESS)
		return err ? err : (int)cmd->result;
	return min_t(u16, cmd->status, IHSM_URING_STATUS_MOST) << IHSM_URING_STATUS_SHIFT;
}

/* In this order: a cancel may look at the request until the ring is told. */
static void complete_request(struct uring_request *request, unsigned int issue_flags)
{
	ihsm_uring_done(request->ioucmd, deliver(request), issue_flags);
	free_request(request);
}

static IHSM_URING_CALLBACK(finish_request)
{
	complete_request(*to_request(IHSM_URING_CALLED()), IHSM_URING_CALLED_FLAGS());
}

/* The device is done with the command. */
static void landed(struct ihsm_cmd *cmd)
{
	struct uring_request *request = cmd->private;

	if (!request->polled) {
		io_uring_cmd_do_in_task_lazy(request->ioucmd, finish_request);
		return;
	}
	/* With the load in ihsm_uring_poll(): who sees it ended sees the answer. */
	smp_store_release(&request->ended, true);
}

static struct uring_request *new_request(struct io_uring_cmd *ioucmd, struct ihsm_context *context,
					 const struct ihsm_command *command)
{
	struct ihsm_cmd *cmd = ihsm_command_prepare(context, command, sizeof(struct uring_request));
	struct uring_request *request;

	if (IS_ERR(cmd))
		return ERR_CAST(cmd);
	cmd->landed = landed;
	request = cmd->private;
	request->ioucmd = ioucmd;
	request->cmd = cmd;
	request->ihsm = context->ihsm;
	request->out = command->out;
	request->ended = false;
	/* Not the memory is kept, only that nobody else's has this address. */
	mmgrab(current->mm);
	request->mm = current->mm;
	return request;
}

struct uring_plug {
	struct blk_plug_cb cb;
	struct ihsm_device *ihsm;
};

/*
 * The ring's batch has been submitted, or its task goes to sleep amid it. Its commands hold the
 * open file, and so the device: this task tells their ends to the ring, and later.
 */
static void unplug(struct blk_plug_cb *cb, bool from_schedule)
{
	struct uring_plug *plug = container_of(cb, struct uring_plug, cb);

	/* While somebody closes the gate all commands end by themselves. */
	if (!ihsm_enter(plug->ihsm, false)) {
		ihsm_queue_poll(cb->data);
		ihsm_leave(plug->ihsm);
	}
	kfree(plug);
}

/* Take the answers and ask for an interrupt: once for a batch. Most have come by its end. */
static void listen(struct ihsm_device *ihsm, struct ihsm_queue *queue)
{
	struct blk_plug_cb *cb = blk_check_plugged(unplug, queue, sizeof(struct uring_plug));

	if (cb)
		container_of(cb, struct uring_plug, cb)->ihsm = ihsm;
	else
		ihsm_queue_poll(queue);
}

/* From success on the request is the queue's, and may have gone already. */
static int submit(struct uring_request *request)
{
	struct ihsm_queue *queue = request->cmd->queue;
	struct ihsm_device *ihsm = request->ihsm;
	bool polled = request->polled;
	int err = ihsm_command_submit(ihsm, request->cmd);

	if (!err && !polled)
		listen(ihsm, queue);
	return err;
}

/* A brief command ends by itself before it could be cancelled. */
static void be_cancelable(struct uring_request *request, unsigned int issue_flags)
{
	if (!request->polled && !request->cmd->brief)
		io_uring_cmd_mark_cancelable(request->ioucmd, issue_flags);
}

/**
 * ihsm_uring_command() - carry a program's message, for a ring
 * @ioucmd: the ring's command
 * @context: of the open file
 * @command: the program's request, taken over
 * @issue_flags: the ring's
 *
 * Return: -EIOCBQUEUED; -EAGAIN when it would have to wait and must not; another negative errno.
 */
int ihsm_uring_command(struct io_uring_cmd *ioucmd, struct ihsm_context *context,
		       const struct ihsm_command *command, unsigned int issue_flags)
{
	bool wait = !(issue_flags & IO_URING_F_NONBLOCK);
	struct ihsm_device *ihsm = context->ihsm;
	struct uring_request *request;
	int err;

	request = new_request(ioucmd, context, command);
	if (IS_ERR(request))
		return PTR_ERR(request);
	request->polled = issue_flags & IO_URING_F_IOPOLL;
	request->cmd->silent = request->polled;
	*to_request(ioucmd) = request;
	/*
	 * Who may wait takes the ring's lock for this, and for telling the ring of an error. Its
	 * task may hold that while it waits for a program's memory: so neither with the gate held.
	 * Who must not wait has the lock, and goes back to the ring with nothing done instead.
	 */
	if (wait)
		be_cancelable(request, issue_flags);
	err = ihsm_command_enter(ihsm, request->cmd, wait);
	if (err && !wait) {
		free_request(request);
		return err;
	}
	if (!err) {
		if (!wait)
			be_cancelable(request, issue_flags);
		err = submit(request);
		ihsm_leave(ihsm);
	}
	if (err) {
		ihsm_uring_done(ioucmd, err, issue_flags);
		free_request(request);
	}
	return -EIOCBQUEUED;
}

/**
 * ihsm_uring_cancel() - the ring ends, or its process: the device is asked to drop a command
 * @ioucmd: the ring's command, not told of as done yet; it need not be with the device yet
 *
 * It is done when the device says so, or when its time is over.
 */
int ihsm_uring_cancel(struct io_uring_cmd *ioucmd)
{
	struct uring_request *request = *to_request(ioucmd);

	/* While somebody closes the gate all commands end by themselves. */
	if (!ihsm_enter(request->ihsm, false)) {
		ihsm_cmd_abort(request->cmd);
		ihsm_leave(request->ihsm);
	}
	return 0;
}

/**
 * ihsm_uring_poll() - a polled ring looks for an answer
 * @ioucmd: the ring's command
 * @batch: not used
 * @poll_flags: not used: a look is all there is
 *
 * Return: 1 when the ring was told, 0 when there is nothing yet.
 */
int ihsm_uring_poll(struct io_uring_cmd *ioucmd, struct io_comp_batch *batch,
		    unsigned int poll_flags)
{
	struct uring_request *request = *to_request(ioucmd);
	struct ihsm_device *ihsm = request->ihsm;

	/* The device is there, and so is the command's queue; or all has ended. */
	if (!READ_ONCE(request->ended) && !ihsm_enter(ihsm, false)) {
		if (ihsm_queue_ready(request->cmd->queue))
			ihsm_queue_poll(request->cmd->queue);
		/* Nobody cancels what is polled, and who clears up does nothing but poll. */
		if (going() && !READ_ONCE(request->ended))
			ihsm_cmd_abort(request->cmd);
		ihsm_leave(ihsm);
	}
	/* With the store in landed() */
	if (!smp_load_acquire(&request->ended))
		return 0;
	complete_request(request, 0);
	return 1;
}
