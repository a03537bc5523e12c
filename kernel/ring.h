/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ring arithmetic and command identifiers, as Documentation/hardware.rst has
 * them: free-running counters, compared by subtraction modulo 2^32.
 */
#ifndef IHSM_RING_H
#define IHSM_RING_H

#include <linux/bits.h>
#include <linux/types.h>
#include <linux/ihsm_hw.h>

#define IHSM_SLOT_BITS	6
#define IHSM_SLOTS	BIT(IHSM_SLOT_BITS)	/* commands outstanding on a queue */

/* Is the entry with index @event among those from @from up to, not including, @to? */
static inline bool ihsm_ring_wants(u32 event, u32 from, u32 to)
{
	return (u32)(event - from) < (u32)(to - from);
}

/* Phase of a completion ring's entry @index on the pass that it belongs to */
static inline u16 ihsm_ring_phase(u32 index, unsigned int log2)
{
	return (index >> log2) & 1 ? 0 : IHSM_CQE_PHASE;
}

/* May the device's submission head have moved from @last to @head, with the tail at @tail? */
static inline bool ihsm_ring_head_valid(u32 last, u32 head, u32 tail)
{
	return (u32)(head - last) <= (u32)(tail - last);
}

/*
 * A command's identifier: its slot, and above it how often the slot was used, so that a stale
 * or forged completion does not pass for that of the slot's present command.
 */
static inline u16 ihsm_tag(unsigned int slot, u16 generation)
{
	return (u16)(generation << IHSM_SLOT_BITS) | (slot & (IHSM_SLOTS - 1));
}

static inline unsigned int ihsm_tag_slot(u16 tag)
{
	return tag & (IHSM_SLOTS - 1);
}

#endif /* IHSM_RING_H */
