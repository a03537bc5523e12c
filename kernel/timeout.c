// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looking after the device: is it there, does it need a reset, does a command take too long?
 * Also the restart, and what is left of commands that nobody waits for.
 *
 * A device that is not there any more is dead at once: nothing in it is reset or waited for.
 */
#include <linux/slab.h>

#include "ihsm.h"
#include "trace.h"

#define SLACK_MS	5000U		/* beyond what the device says that commands take */
#define MAX_LIMIT_MS	(3600U * 1000)
#define LOOK_USED	HZ		/* between two looks while there are open files */
#define LOOK_IDLE	(10 * HZ)	/* and while there are none */

/**
 * ihsm_time_limit() - how long a command may take
 * @ihsm: device
 * @weight_ms: longest time of its class
 *
 * Its own time and that of all that is outstanding before it, as if the device did one
 * after the other. Return: jiffies.
 */
unsigned long ihsm_time_limit(struct ihsm_device *ihsm, u32 weight_ms)
{
	u32 before = atomic_read(&ihsm->load_ms);

	return msecs_to_jiffies(min(SLACK_MS + weight_ms + before, MAX_LIMIT_MS));
}

/**
 * ihsm_reset_later() - the controller needs a reset
 * @ihsm: device; nothing happens unless it is live
 * @why: for the log; NULL: somebody asked for it, and there is nothing to look into
 *
 * Any context. Commands are refused from when the reset begins, a moment later, until it has ended.
 */
void ihsm_reset_later(struct ihsm_device *ihsm, const char *why)
{
	if (!ihsm_set_state(ihsm, IHSM_DRIVER_RESETTING))
		return;
	/* Read by the work that is queued here. */
	WRITE_ONCE(ihsm->why, why);
	dev_warn_ratelimited(&ihsm->dev, "controller reset: %s\n", why ?: "asked for");
	queue_work(ihsm->wq, &ihsm->reset_work);
}

/**
 * ihsm_reset_wait() - after ihsm_reset_later(): until the reset has ended
 * @ihsm: device; its structure is held
 * @state: of the task: IHSM_WAIT, or without TASK_FREEZABLE where anything else is held
 *
 * Return: 0 when it works again, -ENODEV when it does not, -ERESTARTSYS when the process is killed.
 */
int ihsm_reset_wait(struct ihsm_device *ihsm, unsigned int state)
{
	int err = wait_event_state(ihsm->state_wait,
				   READ_ONCE(ihsm->state) != IHSM_DRIVER_RESETTING, state);

	if (!err && READ_ONCE(ihsm->state) != IHSM_DRIVER_LIVE)
		err = -ENODEV;
	return err;
}

/**
 * ihsm_die() - nothing can be expected from the device any more: only unbinding follows
 * @ihsm: device; @control is held
 * @why: for the log
 */
void ihsm_die(struct ihsm_device *ihsm, const char *why)
{
	if (!ihsm_set_state(ihsm, IHSM_DRIVER_DEAD))
		return;
	dev_err(&ihsm->dev, "dead: %s\n", why);
	ihsm_stop(ihsm, -ENODEV);
	ihsm_notice(ihsm, 0);
	kobject_uevent(&ihsm->dev.kobj, KOBJ_CHANGE);
}

static void look(struct ihsm_device *ihsm)
{
	bool hopeless = false;
	unsigned int i;
	u32 status;

	if (!ihsm_present(ihsm, &status)) {
		mutex_lock(&ihsm->control);
		/* In a function reset it looks like that, too. */
		if (READ_ONCE(ihsm->state) == IHSM_DRIVER_LIVE && !ihsm_present(ihsm, &status))
			ihsm_die(ihsm, "it is gone, its registers read all ones");
		mutex_unlock(&ihsm->control);
		return;
	}
	if (status & IHSM_STATUS_FATAL || !(status & IHSM_STATUS_READY)) {
		ihsm_reset_later(ihsm, "the device shows that it needs one");
		return;
	}
	for (i = 0; i <= ihsm->queues; i++)
		hopeless = ihsm_queue_overdue(ihsm->queue[i]) || hopeless;
	if (hopeless)
		ihsm_reset_later(ihsm, "a command did not end");
}

/**
 * ihsm_watch_work() - look after the device, now and then
 * @work: @watch of the device
 */
void ihsm_watch_work(struct work_struct *work)
{
	struct ihsm_device *ihsm = container_of(work, struct ihsm_device, watch.work);

	if (READ_ONCE(ihsm->state) == IHSM_DRIVER_LIVE)
		look(ihsm);
	if (READ_ONCE(ihsm->state) < IHSM_DRIVER_DEAD)
		queue_delayed_work(ihsm->wq, &ihsm->watch,
				   atomic_read(&ihsm->contexts) ? LOOK_USED : LOOK_IDLE);
}

/**
 * ihsm_restart() - bring a stopped device up again
 * @ihsm: device in state resetting; @control is held
 */
void ihsm_restart(struct ihsm_device *ihsm)
{
	unsigned int tries = 3;
	u32 status;
	int err;

	KUNIT_STATIC_STUB_REDIRECT(ihsm_restart, ihsm);
	/*
	 * The firmware may end once more while it is started, or answer with what makes no sense:
	 * the queue that does not run any more is no proof that the device is gone.
	 */
	for (;;) {
		err = ihsm_start(ihsm);
		if (!err || !--tries || !ihsm_present(ihsm, &status))
			break;
		ihsm_stop(ihsm, -ECANCELED);
	}
	if (!err) {
		/* First: who waited for the end of the reset finds in poll() that there was one. */
		ihsm_notice(ihsm, 0);
		if (ihsm_set_state(ihsm, IHSM_DRIVER_LIVE)) {
			kobject_uevent(&ihsm->dev.kobj, KOBJ_CHANGE);
			return;
		}
	}
	ihsm_stop(ihsm, -ENODEV);
	ihsm_die(ihsm, tries ? "it is gone" : "it did not start again after a reset");
}

/**
 * ihsm_reset_work() - stop and start a device that is in state resetting
 * @work: @reset_work of the device
 */
void ihsm_reset_work(struct work_struct *work)
{
	struct ihsm_device *ihsm = container_of(work, struct ihsm_device, reset_work);

	mutex_lock(&ihsm->control);
	if (READ_ONCE(ihsm->state) == IHSM_DRIVER_RESETTING && !ihsm->held) {
		const char *why = READ_ONCE(ihsm->why);

		trace_ihsm_reset(ihsm, why ?: "asked for");
		if (why)
			ihsm_coredump(ihsm, why);
		ihsm_stop(ihsm, -ECANCELED);
		ihsm_restart(ihsm);
	}
	mutex_unlock(&ihsm->control);
}

/**
 * ihsm_orphan_work() - clean up after commands that nobody waited for
 * @work: @orphan_work of the device
 */
void ihsm_orphan_work(struct work_struct *work)
{
	struct ihsm_device *ihsm = container_of(work, struct ihsm_device, orphan_work);
	struct llist_node *list = llist_del_all(&ihsm->orphans);
	struct ihsm_cmd *cmd, *next;

	llist_for_each_entry_safe(cmd, next, list, ended_next) {
		if (cmd->ended)
			cmd->ended(cmd);
		ihsm_cmd_free(cmd);
	}
}
