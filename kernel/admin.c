// SPDX-License-Identifier: GPL-2.0-only
/*
 * Admin commands: what the device is, its queues and contexts, aborts and events.
 *
 * Those that are waited for end in bounded time: a device that does not answer is reset, and
 * one that is not there is not waited for.
 */
#include <linux/cleanup.h>
#include <linux/slab.h>

#include "ihsm.h"

#define SLICE	(HZ / 20)	/* how often a waiter looks whether the device is still there */
#define EVENT_PAUSE	(HZ / 20)	/* between two events of the device */
#define EVENT_RETRY	HZ		/* when there was no memory or no slot for the next */

/* Is it of use to go on waiting? A missed interrupt is made good here. */
static int keep_waiting(struct ihsm_device *ihsm, unsigned long limit)
{
	u32 status;

	ihsm_queue_poll(ihsm->queue[0]);
	if (!ihsm_present(ihsm, &status))
		return -ENODEV;
	/* Nothing is taken any more from a queue whose completions made no sense. */
	if (!(status & IHSM_STATUS_READY) || !READ_ONCE(ihsm->queue[0]->running))
		return -ECANCELED;
	return time_after(jiffies, limit) ? -ETIMEDOUT : 0;
}

/*
 * Run a command. @cmd is freed when this fails; else its answer is in it and the caller frees
 * it. Return: 0 when the device said success, else a negative errno.
 */
static int run(struct ihsm_device *ihsm, struct ihsm_cmd *cmd, const char *what)
{
	bool bounded = cmd->opcode != IHSM_ADMIN_DESTROY_CONTEXT; /* which ends with its commands */
	unsigned long limit;
	int err;

	cmd->weight_ms = IHSM_ADMIN_MS;
	err = ihsm_cmd_place(ihsm->queue[0], cmd);
	if (!err)
		err = ihsm_cmd_submit(cmd);
	if (err)
		goto free;
	/* The wait for a slot was others' time. */
	limit = jiffies + msecs_to_jiffies(IHSM_ADMIN_MS);
	ihsm_cmd_listen(cmd);
	while (!wait_for_completion_timeout(&cmd->done, SLICE)) {
		err = keep_waiting(ihsm, limit);
		if (!err || !ihsm_cmd_abandon(cmd, false))
			continue;
		dev_warn_ratelimited(&ihsm->dev, "%s: no answer (%d)\n", what, err);
		if (err == -ETIMEDOUT && bounded)
			ihsm_reset_later(ihsm, "an admin command was lost");
		ihsm_look_now(ihsm);
		return err;
	}
	err = cmd->error;
	if (!err && cmd->status) {
		dev_warn_ratelimited(&ihsm->dev, "%s: device status 0x%02x\n", what, cmd->status);
		err = cmd->status == IHSM_SC_NO_CONTEXT ? -EUSERS : -EIO;
	}
	if (!err)
		return 0;
free:
	ihsm_cmd_free(cmd);
	return err;
}

/* An admin command with what goes in and what comes out. Bytes are copied, both ways. */
struct request {
	const char *what;	/* it is about, for the log */
	u8 opcode;
	u32 arg[3];
	dma_addr_t in_addr;	/* where the entry names a ring or a page */
	dma_addr_t out_addr;
	const void *in;
	u32 in_len;
	void *out;
	u32 out_len;		/* the device gives all of them */
	u32 *generation;	/* the device's start that answered; or NULL */
};

static int ask(struct ihsm_device *ihsm, const struct request *request)
{
	struct ihsm_cmd *cmd = ihsm_cmd_alloc(request->opcode, request->in_len + request->out_len);
	int err;

	if (!cmd)
		return -ENOMEM;
	memcpy(cmd->arg, request->arg, sizeof(request->arg));
	cmd->in_addr = request->in_addr;
	cmd->out_addr = request->out_addr;
	cmd->in_len = request->in_len;
	cmd->out_len = request->out_len;
	if (request->in_len)
		cmd->in = memcpy(cmd->bounce, request->in, request->in_len);
	if (request->out_len)
		cmd->out = cmd->bounce + request->in_len;
	err = run(ihsm, cmd, request->what);
	if (err)
		return err;
	if (request->out_len)
		memcpy(request->out, cmd->out, request->out_len);
	if (request->generation)
		*request->generation = cmd->generation;
	ihsm_cmd_free(cmd);
	return 0;
}

/**
 * ihsm_identify() - ask the device what it is
 * @ihsm: device; its admin queue works
 *
 * What it says is kept for sysfs and programs; nothing of it is trusted. Return: 0 or a
 * negative errno.
 */
int ihsm_identify(struct ihsm_device *ihsm)
{
	struct ihsm_identify *identify __free(kfree) = kmalloc(sizeof(*identify), GFP_KERNEL);
	const struct request request = {
		.what = "identify",
		.opcode = IHSM_ADMIN_IDENTIFY,
		.out = identify,
		.out_len = sizeof(*identify),
	};
	int err;

	if (!identify)
		return -ENOMEM;
	err = ask(ihsm, &request);
	if (err)
		return err;
	mutex_lock(&ihsm->identify_lock);
	ihsm->identify = *identify;
	mutex_unlock(&ihsm->identify_lock);
	return 0;
}

/**
 * ihsm_set_shadow() - hand over the shadow pages
 * @ihsm: device that has them, without I/O queues
 */
int ihsm_set_shadow(struct ihsm_device *ihsm)
{
	return ask(ihsm, &(struct request){
		.what = "shadow doorbells",
		.opcode = IHSM_ADMIN_SET_SHADOW,
		.in_addr = ihsm->shadow_dma,
		.out_addr = ihsm->shadow_dma + IHSM_SHADOW_PAGE_SIZE,
	});
}

/**
 * ihsm_create_queue() - make the device know a queue pair
 * @queue: started
 */
int ihsm_create_queue(struct ihsm_queue *queue)
{
	return ask(queue->ihsm, &(struct request){
		.what = "a queue",
		.opcode = IHSM_ADMIN_CREATE_QUEUE,
		.arg = { queue->qid, queue->sq_log2 | queue->cq_log2 << 8, queue->vector },
		.in_addr = queue->sq_dma,
		.out_addr = queue->cq_dma,
	});
}

/**
 * ihsm_create_context() - a context for a new opener
 * @ihsm: live device
 * @id: the device's id for it
 * @generation: the start of the device that it belongs to
 *
 * Return: 0, -EUSERS when the device has no more, or another negative errno.
 */
int ihsm_create_context(struct ihsm_device *ihsm, u64 *id, u32 *generation)
{
	__le64 answer = 0;
	int err = ask(ihsm, &(struct request){
		.what = "a context",
		.opcode = IHSM_ADMIN_CREATE_CONTEXT,
		.out = &answer,
		.out_len = sizeof(answer),
		.generation = generation,
	});

	*id = le64_to_cpu(answer);
	return err;
}

/**
 * ihsm_destroy_context() - end an opener's context, and with it all that belongs to it
 * @ihsm: device
 * @cmd: IHSM_ADMIN_DESTROY_CONTEXT, of when the context was made: its end needs no memory; freed
 * @id: the device's id
 * @generation: the start of the device that it belongs to
 *
 * Return: 0, -ESTALE when a reset has done it already, or another negative errno.
 */
int ihsm_destroy_context(struct ihsm_device *ihsm, struct ihsm_cmd *cmd, u64 id, u32 generation)
{
	int err;

	cmd->context = id;
	cmd->generation = generation;
	err = run(ihsm, cmd, "the end of a context");
	if (!err)
		ihsm_cmd_free(cmd);
	return err;
}

/**
 * ihsm_send_abort() - ask a command back
 * @ihsm: device
 * @qid: its queue
 * @tag: its identifier
 *
 * Does not wait: the command's own completion says how it ended. Return: 0 or a negative errno.
 */
int ihsm_send_abort(struct ihsm_device *ihsm, u16 qid, u16 tag)
{
	struct ihsm_cmd *cmd = ihsm_cmd_alloc(IHSM_ADMIN_ABORT, 0);

	if (!cmd)
		return -ENOMEM;
	cmd->weight_ms = IHSM_ADMIN_MS;
	cmd->arg[0] = qid;
	cmd->arg[1] = tag;
	return ihsm_cmd_send(ihsm->queue[0], cmd);
}

/**
 * ihsm_random() - random bytes of the device; they are not sealed on their way
 * @ihsm: device
 * @to: where they go
 * @len: how many, at most IHSM_RANDOM_MAX
 *
 * Return: 0 or a negative errno.
 */
int ihsm_random(struct ihsm_device *ihsm, void *to, u32 len)
{
	KUNIT_STATIC_STUB_REDIRECT(ihsm_random, ihsm, to, len);
	return ask(ihsm, &(struct request){
		.what = "random bytes",
		.opcode = IHSM_ADMIN_RANDOM,
		.out = to,
		.out_len = len,
	});
}

/**
 * ihsm_sensors() - read the device's sensors
 * @ihsm: device
 * @sensors: filled in; nothing of it is trusted
 *
 * Return: 0 or a negative errno.
 */
int ihsm_sensors(struct ihsm_device *ihsm, struct ihsm_sensors *sensors)
{
	KUNIT_STATIC_STUB_REDIRECT(ihsm_sensors, ihsm, sensors);
	return ask(ihsm, &(struct request){
		.what = "the sensors",
		.opcode = IHSM_ADMIN_SENSORS,
		.out = sensors,
		.out_len = sizeof(*sensors),
	});
}

/**
 * ihsm_stage() - a step in handing over a firmware image
 * @ihsm: device
 * @step: enum ihsm_stage
 * @number: size or offset, as the step has it
 * @from: bytes, with IHSM_STAGE_WRITE
 * @len: how many, at most IHSM_STAGE_MAX
 *
 * Return: 0 or a negative errno.
 */
int ihsm_stage(struct ihsm_device *ihsm, u32 step, u32 number, const void *from, u32 len)
{
	KUNIT_STATIC_STUB_REDIRECT(ihsm_stage, ihsm, step, number, from, len);
	return ask(ihsm, &(struct request){
		.what = "a firmware image",
		.opcode = IHSM_ADMIN_STAGE,
		.arg = { step, number },
		.in = from,
		.in_len = len,
	});
}

/**
 * ihsm_vf_share() - how many vectors a virtual function has
 * @ihsm: device of the physical function
 * @vf: number of the virtual function
 * @vectors: its vectors, 0: the device's own choice
 *
 * Return: 0 or a negative errno.
 */
int ihsm_vf_share(struct ihsm_device *ihsm, u32 vf, u32 vectors)
{
	KUNIT_STATIC_STUB_REDIRECT(ihsm_vf_share, ihsm, vf, vectors);
	return ask(ihsm, &(struct request){
		.what = "a virtual function's share",
		.opcode = IHSM_ADMIN_VF_SHARE,
		.arg = { vf, vectors },
	});
}

/**
 * ihsm_identify_flag() - does the device say this of itself?
 * @ihsm: device that was identified
 * @flag: IHSM_IDENTIFY_*
 *
 * Return: whether it does.
 */
bool ihsm_identify_flag(struct ihsm_device *ihsm, u32 flag)
{
	bool set;

	mutex_lock(&ihsm->identify_lock);
	set = le32_to_cpu(ihsm->identify.flags) & flag;
	mutex_unlock(&ihsm->identify_lock);
	return set;
}

static void event_ended(struct ihsm_cmd *cmd)
{
	struct ihsm_device *ihsm = cmd->queue->ihsm;
	unsigned int event = cmd->result & 0xff;

	if (cmd->error || cmd->status)
		return;
	if (event == IHSM_EVENT_RESET_NEEDED) {
		ihsm_reset_later(ihsm, "the device asks for it");
		return;
	}
	/* That a reset was done, zero, is not the device's to say. */
	if (event)
		ihsm_notice(ihsm, event);
	/* A device that has a lot to tell is not heard more often than this. */
	schedule_delayed_work(&ihsm->event_work, EVENT_PAUSE);
}

/**
 * ihsm_event_work() - something happened: note it, tell user space, and wait for the next
 * @work: @event_work of the device
 *
 * It waits for the device, and maybe for a slot: whoever gives slots back must not do this.
 */
void ihsm_event_work(struct work_struct *work)
{
	struct ihsm_device *ihsm = container_of(work, struct ihsm_device, event_work.work);
	int err;

	if (!ihsm_identify(ihsm))
		kobject_uevent(&ihsm->dev.kobj, KOBJ_CHANGE);
	err = ihsm_ask_events(ihsm);
	if (err == -ENOMEM || err == -EBUSY)
		schedule_delayed_work(&ihsm->event_work, EVENT_RETRY);
}

/**
 * ihsm_ask_events() - leave a request for events with the device
 * @ihsm: device; its admin queue works
 *
 * Return: 0 or a negative errno.
 */
int ihsm_ask_events(struct ihsm_device *ihsm)
{
	struct ihsm_cmd *cmd = ihsm_cmd_alloc(IHSM_ADMIN_ASYNC_EVENT, 0);

	if (!cmd)
		return -ENOMEM;
	cmd->forever = true;
	cmd->ended = event_ended;
	/* Interrupts of the admin queue come anyway. */
	return ihsm_cmd_send(ihsm->queue[0], cmd);
}
