// SPDX-License-Identifier: GPL-2.0-only
/*
 * States of a device as the driver sees it, in one table. Whoever wants another state
 * asks here; a transition that is not in the table does not happen.
 */
#include "ihsm.h"

static const struct {
	const char *name;
	u8 next;	/* bits of the states that may follow */
} states[] = {
	[IHSM_DRIVER_NEW] = {
		"new",
		BIT(IHSM_DRIVER_LIVE) | BIT(IHSM_DRIVER_DEAD) | BIT(IHSM_DRIVER_DELETING),
	},
	[IHSM_DRIVER_LIVE] = {
		"live",
		BIT(IHSM_DRIVER_RESETTING) | BIT(IHSM_DRIVER_DEAD) | BIT(IHSM_DRIVER_DELETING),
	},
	[IHSM_DRIVER_RESETTING] = {
		"resetting",
		BIT(IHSM_DRIVER_LIVE) | BIT(IHSM_DRIVER_DEAD) | BIT(IHSM_DRIVER_DELETING),
	},
	[IHSM_DRIVER_DEAD] = { "dead", BIT(IHSM_DRIVER_DELETING) },
	[IHSM_DRIVER_DELETING] = { "deleting", 0 },
};

/**
 * ihsm_state_may() - is this transition in the table?
 * @from: state
 * @to: state
 */
bool ihsm_state_may(enum ihsm_driver_state from, enum ihsm_driver_state to)
{
	if (from >= ARRAY_SIZE(states) || to >= ARRAY_SIZE(states))
		return false;
	return states[from].next & BIT(to);
}

/**
 * ihsm_state_name() - for sysfs and messages
 * @state: state
 */
const char *ihsm_state_name(enum ihsm_driver_state state)
{
	return state < ARRAY_SIZE(states) ? states[state].name : "unknown";
}

/**
 * ihsm_set_state() - go to another state
 * @ihsm: device
 * @to: state
 *
 * Any context. Return: false when the table does not allow it, nothing has changed then.
 */
bool ihsm_set_state(struct ihsm_device *ihsm, enum ihsm_driver_state to)
{
	unsigned long flags;
	bool may;

	spin_lock_irqsave(&ihsm->state_lock, flags);
	may = ihsm_state_may(ihsm->state, to);
	if (may)
		WRITE_ONCE(ihsm->state, to);
	spin_unlock_irqrestore(&ihsm->state_lock, flags);
	if (may)
		wake_up_all(&ihsm->state_wait);
	return may;
}
