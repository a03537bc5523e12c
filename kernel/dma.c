// SPDX-License-Identifier: GPL-2.0-only
/*
 * Large messages: the program's own pages, pinned, which the device reads or writes by a
 * list of segments. Small ones go through the buffer of a slot (queue.c).
 *
 * A mapping, and with it the pins, last as long as the device may use the pages: until the command
 * has ended, or the device was stopped.
 */
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "ihsm.h"

/* Pinned pages count against RLIMIT_MEMLOCK of the process, in a counter of their own. */
static int charge(struct ihsm_payload *payload, unsigned int pages)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	struct mm_struct *mm = current->mm;

	if (atomic64_add_return(pages, &mm->pinned_vm) > limit && !capable(CAP_IPC_LOCK)) {
		atomic64_sub(pages, &mm->pinned_vm);
		return -ENOMEM;
	}
	/* It may outlive the process. */
	mmgrab(mm);
	payload->mm = mm;
	return 0;
}

static void discharge(struct ihsm_payload *payload, unsigned int pages)
{
	atomic64_sub(pages, &payload->mm->pinned_vm);
	mmdrop(payload->mm);
	payload->mm = NULL;
}

/**
 * ihsm_payload_pin() - keep a program's pages where they are, for the device
 * @user: address of the first byte
 * @len: bytes, at most what ihsm_max_message() gives
 * @dir: DMA_TO_DEVICE or DMA_FROM_DEVICE
 *
 * The program may write the pages while the device reads them, and read them at any time: what they
 * hold is sealed, and the device copies before it opens. Return: the payload, for
 * ihsm_payload_free(), or an error pointer: -EFAULT when the program may not use all of it so,
 * -ENOMEM also when it would be more locked memory than the process may have, or -EMSGSIZE.
 */
struct ihsm_payload *ihsm_payload_pin(unsigned long user, u32 len, enum dma_data_direction dir)
{
	unsigned int offset = offset_in_page(user);
	unsigned int pages = DIV_ROUND_UP(offset + len, PAGE_SIZE);
	struct ihsm_payload *payload;
	int got, err;

	if (!len || len > IHSM_MAX_SEGMENTS * PAGE_SIZE || pages > IHSM_MAX_SEGMENTS)
		return ERR_PTR(-EMSGSIZE);
	payload = kzalloc(struct_size(payload, page, pages), GFP_KERNEL_ACCOUNT);
	if (!payload)
		return ERR_PTR(-ENOMEM);
	err = charge(payload, pages);
	if (err)
		goto free;
	got = pin_user_pages_fast(user & PAGE_MASK, pages,
				  FOLL_LONGTERM | (dir == DMA_FROM_DEVICE ? FOLL_WRITE : 0),
				  payload->page);
	if (got != pages) {
		err = got < 0 && got != -EOPNOTSUPP ? got : -EFAULT;
		goto unpin;
	}
	payload->pages = pages;
	payload->offset = offset;
	payload->len = len;
	payload->dir = dir;
	return payload;
unpin:
	if (got > 0)
		unpin_user_pages(payload->page, got);
	discharge(payload, pages);
free:
	kfree(payload);
	return ERR_PTR(err);
}

/**
 * ihsm_payload_map() - let the device reach the pages
 * @ihsm: device
 * @payload: not mapped
 *
 * No piece is longer than what the bounce buffers of an encrypted guest can take.
 * Return: 0 or a negative errno.
 */
int ihsm_payload_map(struct ihsm_device *ihsm, struct ihsm_payload *payload)
{
	struct device *dev = &ihsm->pdev->dev;
	size_t piece = min_t(size_t, dma_max_mapping_size(dev), dma_get_max_seg_size(dev));
	int err;

	piece = max_t(size_t, round_down(piece, PAGE_SIZE), PAGE_SIZE);
	err = sg_alloc_table_from_pages_segment(&payload->sgt, payload->page, payload->pages,
						payload->offset, payload->len,
						min_t(size_t, piece, SZ_1M),
						GFP_KERNEL);
	if (err)
		return err;
	err = dma_map_sgtable(dev, &payload->sgt, payload->dir, 0);
	if (err) {
		sg_free_table(&payload->sgt);
		return err;
	}
	payload->mapped = true;
	return 0;
}

/**
 * ihsm_payload_segments() - write the list for the device
 * @payload: mapped
 * @list: IHSM_MAX_SEGMENTS entries, shared with the device
 *
 * Return: how many there are, or 0 when the mapping has more pieces than a list.
 */
unsigned int ihsm_payload_segments(const struct ihsm_payload *payload, struct ihsm_segment *list)
{
	struct scatterlist *sg;
	unsigned int i;

	if (payload->sgt.nents > IHSM_MAX_SEGMENTS)
		return 0;
	for_each_sgtable_dma_sg(&payload->sgt, sg, i) {
		list[i].addr = cpu_to_le64(sg_dma_address(sg));
		list[i].len = cpu_to_le32(sg_dma_len(sg));
		list[i].reserved = 0;
	}
	return i;
}

/**
 * ihsm_payload_unmap() - the device has no use for the pages any more
 * @ihsm: device
 * @payload: mapped or not, or NULL
 */
void ihsm_payload_unmap(struct ihsm_device *ihsm, struct ihsm_payload *payload)
{
	if (!payload || !payload->mapped)
		return;
	dma_unmap_sgtable(&ihsm->pdev->dev, &payload->sgt, payload->dir, 0);
	sg_free_table(&payload->sgt);
	payload->mapped = false;
}

/**
 * ihsm_payload_free() - let the program's pages go
 * @payload: not mapped, or NULL
 *
 * Process context. Those that the device wrote are dirty.
 */
void ihsm_payload_free(struct ihsm_payload *payload)
{
	if (!payload)
		return;
	unpin_user_pages_dirty_lock(payload->page, payload->pages,
				    payload->dir == DMA_FROM_DEVICE);
	discharge(payload, payload->pages);
	kfree(payload);
}
