// SPDX-License-Identifier: GPL-2.0-only
/*
 * What happened, for programs that wait in poll(): a counter for each event, and for
 * each open file how far its program has been told.
 */
#include <linux/nospec.h>

#include "ihsm.h"

/**
 * ihsm_notice() - something happened
 * @ihsm: device
 * @event: enum ihsm_event as the device has it, or 0 for a reset; others are ignored
 *
 * Any context.
 */
void ihsm_notice(struct ihsm_device *ihsm, unsigned int event)
{
	static const u8 notices[] = {
		[0] = IHSM_NOTICE_RESET,
		[IHSM_EVENT_PARTITIONS] = IHSM_NOTICE_PARTITIONS,
		[IHSM_EVENT_TAMPER] = IHSM_NOTICE_TAMPER,
		[IHSM_EVENT_FIRMWARE] = IHSM_NOTICE_FIRMWARE,
		[IHSM_EVENT_STATE] = IHSM_NOTICE_STATE,
	};
	unsigned long flags;

	if (event >= ARRAY_SIZE(notices) || event == IHSM_EVENT_RESET_NEEDED)
		return;
	spin_lock_irqsave(&ihsm->state_lock, flags);
	ihsm->notice[notices[array_index_nospec(event, ARRAY_SIZE(notices))]]++;
	spin_unlock_irqrestore(&ihsm->state_lock, flags);
	wake_up_all(&ihsm->state_wait);
}

/**
 * ihsm_notices() - what a program has not been told yet
 * @context: of its open file
 * @take: it is told now
 *
 * Return: bits of enum ihsm_notice.
 */
u32 ihsm_notices(struct ihsm_context *context, bool take)
{
	struct ihsm_device *ihsm = context->ihsm;
	u32 bits = 0;
	unsigned int i;

	spin_lock_irq(&ihsm->state_lock);
	for (i = 0; i < IHSM_NOTICES; i++) {
		if (context->seen[i] == ihsm->notice[i])
			continue;
		bits |= BIT(i);
		if (take)
			context->seen[i] = ihsm->notice[i];
	}
	spin_unlock_irq(&ihsm->state_lock);
	return bits;
}
