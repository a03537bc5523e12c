// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decisions that need nothing but their arguments; see check.h.
 */
#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/mm.h>

#include "check.h"
#include "ring.h"

#define CQ_LOG2			(IHSM_SLOT_BITS + 1)	/* twice as many: never full */
#define MIN_MESSAGE		64U
#define MIN_CLASS_MS		100U
#define MAX_CLASS_MS		600000U
#define MAX_TIMEOUT_MS		30000U	/* unbinding waits so long at worst */

static unsigned int cap_field(u64 cap, unsigned int shift, u64 mask)
{
	return (cap >> shift) & mask;
}

int ihsm_check_cap(u64 cap, struct ihsm_limits *limits)
{
	unsigned int entries = cap_field(cap, IHSM_CAP_MAX_ENTRIES_SHIFT,
					 IHSM_CAP_MAX_ENTRIES_MASK);
	unsigned int queues = cap_field(cap, IHSM_CAP_MAX_QUEUES_SHIFT, IHSM_CAP_MAX_QUEUES_MASK);
	unsigned int vectors = cap_field(cap, IHSM_CAP_VECTORS_SHIFT, IHSM_CAP_VECTORS_MASK);
	unsigned int bits = cap_field(cap, IHSM_CAP_DMA_BITS_SHIFT, IHSM_CAP_DMA_BITS_MASK);
	unsigned int timeout = cap_field(cap, IHSM_CAP_TIMEOUT_SHIFT, IHSM_CAP_TIMEOUT_MASK);

	if (cap == U64_MAX)
		return -ENODEV;
	if (entries < IHSM_MIN_ENTRIES_LOG2 || entries > IHSM_MAX_ENTRIES_LOG2)
		return -EPROTO;
	if (!queues || queues > IHSM_MAX_QUEUES || !vectors)
		return -EPROTO;
	if (bits < 32 || bits > 64)
		return -EPROTO;

	limits->cq_log2 = min_t(unsigned int, entries, CQ_LOG2);
	limits->sq_log2 = min_t(unsigned int, limits->cq_log2, IHSM_SLOT_BITS);
	limits->queues = queues;
	limits->vectors = min_t(unsigned int, vectors, IHSM_MAX_VECTORS);
	limits->dma_bits = bits;
	limits->timeout_ms = min((timeout + 1) * 500, MAX_TIMEOUT_MS);
	limits->shadow = cap & IHSM_CAP_SHADOW;
	return 0;
}

int ihsm_check_command(const struct ihsm_command *command, u32 max_message)
{
	if (command->flags)
		return -EINVAL;
	if (command->time_class >= IHSM_TIME_CLASSES)
		return -EINVAL;
	if (!command->in_len || !command->out_len)
		return -EINVAL;
	if (command->in_len > max_message)
		return -EMSGSIZE;
	if (!ihsm_addressable(command->in) || !ihsm_addressable(command->out))
		return -EFAULT;
	return 0;
}

int ihsm_check_info(const struct ihsm_info *info)
{
	if (info->flags || info->reserved)
		return -EINVAL;
	if (!info->identify != !info->identify_len)
		return -EINVAL;
	if (!ihsm_addressable(info->identify))
		return -EFAULT;
	return 0;
}

u32 ihsm_class_limit(u32 ms)
{
	return clamp(ms, MIN_CLASS_MS, MAX_CLASS_MS);
}

u32 ihsm_max_message(u32 claimed)
{
	/* Single pages are the worst case, and the first byte may be amid one. */
	if (claimed < MIN_MESSAGE)
		return 0;
	return min_t(u32, claimed, (IHSM_MAX_SEGMENTS - 1) * PAGE_SIZE);
}

void ihsm_copy_text(char *to, const char *from, size_t size)
{
	size_t i;

	for (i = 0; i < size && from[i]; i++)
		to[i] = isascii(from[i]) && isprint(from[i]) ? from[i] : '?';
	to[i] = '\0';
}
