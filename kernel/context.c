// SPDX-License-Identifier: GPL-2.0-only
/*
 * Open files. Each is a context of the device, made at open and ended at the last release, however
 * that comes about: by close, by exit, by whoever the descriptor was passed to.
 *
 * The driver may be unbound while files are open. Whoever uses the device holds the gate
 * for reading and looks whether it is gone; remove closes the gate when all have left.
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "ihsm.h"

/**
 * ihsm_enter() - begin to use a device on behalf of an open file
 * @ihsm: device
 * @wait: as long as the gate is being closed; else -EAGAIN
 *
 * Return: 0, then ihsm_leave() is due; -ENODEV when it is gone; -EINTR when the process is killed.
 */
int ihsm_enter(struct ihsm_device *ihsm, bool wait)
{
	int err = wait ? down_read_killable(&ihsm->gate) :
			 down_read_trylock(&ihsm->gate) ? 0 : -EAGAIN;

	if (err || !ihsm->gone)
		return err;
	ihsm_leave(ihsm);
	return -ENODEV;
}

static bool reset_since(struct ihsm_device *ihsm, u32 generation)
{
	return READ_ONCE(ihsm->state) == IHSM_DRIVER_RESETTING ||
	       READ_ONCE(ihsm->generation) != generation;
}

/*
 * A reset that is under way is waited for: it ends soon, one way or the other. One that came
 * in between took what we asked for with it; then we ask again, unless the process is killed: a
 * device may have itself reset again and again.
 */
static int create(struct ihsm_context *context)
{
	struct ihsm_device *ihsm = context->ihsm;
	u32 generation;
	int err;

	do {
		err = wait_event_state(ihsm->state_wait,
				       READ_ONCE(ihsm->state) != IHSM_DRIVER_RESETTING,
				       IHSM_WAIT);
		if (!err)
			err = ihsm_enter(ihsm, true);
		if (err)
			return err;
		generation = READ_ONCE(ihsm->generation);
		context->max_message = READ_ONCE(ihsm->max_message);
		err = READ_ONCE(ihsm->state) >= IHSM_DRIVER_DEAD ? -ENODEV :
			ihsm_create_context(ihsm, &context->id, &context->generation);
		/* Not later: who opens often would put it off for ever. */
		if (!err && atomic_inc_return(&ihsm->contexts) == 1)
			ihsm_look_now(ihsm);
		ihsm_leave(ihsm);
	} while (err && reset_since(ihsm, generation) && !fatal_signal_pending(current));
	return err;
}

/**
 * ihsm_context_open() - a context for a new open file
 * @ihsm: device
 *
 * Return: the context, or an error pointer.
 */
struct ihsm_context *ihsm_context_open(struct ihsm_device *ihsm)
{
	struct ihsm_context *context;
	int err;

	context = kzalloc_obj(*context, GFP_KERNEL_ACCOUNT);
	if (!context)
		return ERR_PTR(-ENOMEM);
	context->ihsm = ihsm;
	context->end = ihsm_cmd_alloc(IHSM_ADMIN_DESTROY_CONTEXT, 0);
	err = context->end ? create(context) : -ENOMEM;
	if (err)
		goto free;
	get_device(&ihsm->dev);
	/* What happened before is no news. */
	ihsm_notices(context, true);
	return context;
free:
	ihsm_cmd_free(context->end);
	kfree(context);
	return ERR_PTR(err);
}

/**
 * ihsm_context_close() - the last descriptor is gone
 * @context: freed
 *
 * Waits until the device has dropped what belongs to the context, in bounded time, and also
 * when the process is being killed.
 */
void ihsm_context_close(struct ihsm_context *context)
{
	struct ihsm_device *ihsm = context->ihsm;

	down_read(&ihsm->gate);
	if (!ihsm->gone) {
		ihsm_destroy_context(ihsm, context->end, context->id, context->generation);
		atomic_dec(&ihsm->contexts);
	} else {
		ihsm_cmd_free(context->end);
	}
	up_read(&ihsm->gate);
	put_device(&ihsm->dev);
	kfree(context);
}
