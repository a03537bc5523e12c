// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is known of a device that had to be reset, as text for devcoredump: registers, heads and
 * tails, what was outstanding for how long. Nothing of what a message holds, and no address.
 */
#include <linux/devcoredump.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/vmalloc.h>

#include "ihsm.h"

#define HEAD_ROOM	1024
#define QUEUE_ROOM	(256 + IHSM_SLOTS * 96)

struct text {
	char *at;
	size_t len;
	size_t room;
};

static __printf(2, 3) void add(struct text *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text->len += vscnprintf(text->at + text->len, text->room - text->len, format, args);
	va_end(args);
}

static void add_registers(struct text *text, struct ihsm_device *ihsm, const char *why)
{
	u32 status;

	add(text, "reason: %s\nstate: %s\nstart: %u\n", why, ihsm_state_name(ihsm->state),
	    ihsm->generation);
	add(text, "cap: 0x%016llx\nversion: 0x%08x\nepoch: %u\n", ihsm->cap, ihsm->hw_version,
	    ihsm->epoch);
	if (!ihsm_present(ihsm, &status)) {
		add(text, "status: not there\n");
		return;
	}
	add(text, "status: 0x%08x\nconfig: 0x%08x\n", status,
	    readl(ihsm->regs + IHSM_REG_CONFIG));
}

static void add_queue(struct text *text, struct ihsm_queue *queue)
{
	unsigned int i;

	spin_lock_irq(&queue->lock);
	add(text, "queue %u: running %u sq_tail %u sq_head %u cq_head %u waiters %u\n", queue->qid,
	    queue->running, queue->sq_tail, queue->sq_head, queue->cq_head, queue->waiters);
	if (queue->host)
		add(text, "queue %u: sq_event %u cq_event %u irq_event %u\n", queue->qid,
		    le32_to_cpu(READ_ONCE(queue->device->sq_event)),
		    le32_to_cpu(READ_ONCE(queue->device->cq_event)),
		    le32_to_cpu(queue->host->irq_event));
	for (i = 0; i < queue->slots; i++) {
		const struct ihsm_cmd *cmd = queue->slot[i].cmd;

		if (!cmd)
			continue;
		add(text, "queue %u: cid 0x%04x opcode 0x%02x in %u out %u due in %d ms%s\n",
		    queue->qid, ihsm_tag(i, queue->slot[i].generation), cmd->opcode, cmd->in_len,
		    cmd->out_len,
		    cmd->forever ? 0 : jiffies_to_msecs(1) * (int)(cmd->deadline - jiffies),
		    cmd->timed_out ? ", asked back" : "");
	}
	spin_unlock_irq(&queue->lock);
}

/**
 * ihsm_coredump() - keep what is known before a reset
 * @ihsm: device; @control is held, its queues have not been stopped
 * @why: reason of the reset
 *
 * devcoredump keeps one at a time for some minutes, and frees it.
 */
void ihsm_coredump(struct ihsm_device *ihsm, const char *why)
{
	struct text text = { .room = HEAD_ROOM + (1 + ihsm->queues) * QUEUE_ROOM };
	unsigned int i;

	if (!IS_ENABLED(CONFIG_DEV_COREDUMP))
		return;
	text.at = vzalloc(text.room);
	if (!text.at)
		return;
	add_registers(&text, ihsm, why);
	for (i = 0; i <= ihsm->queues; i++)
		add_queue(&text, ihsm->queue[i]);
	dev_coredumpv(&ihsm->pdev->dev, text.at, text.len, GFP_KERNEL);
}
