// SPDX-License-Identifier: GPL-2.0-only
/*
 * Large messages: pages of our own, into which a program's bytes are copied and
 * which the device reads or writes by a list of segments. Small ones go through the
 * buffer of a slot (queue.c).
 *
 * Pages are wiped before they go back. A mapping lasts as long as the device may use it: until
 * the command has ended, or the device was stopped.
 */
#include <linux/dma-mapping.h>
#include <linux/highmem.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ihsm.h"

static u32 chunk(const struct ihsm_payload *payload, unsigned int i)
{
	return min_t(u32, payload->len - i * PAGE_SIZE, PAGE_SIZE);
}

/**
 * ihsm_payload_alloc() - pages for a large message, all zero
 * @payload: filled in; to be freed by ihsm_payload_free()
 * @len: bytes, at most IHSM_MAX_SEGMENTS pages
 * @dir: DMA_TO_DEVICE or DMA_FROM_DEVICE
 *
 * Zero, so that a device which claims to have written more than it did shows nothing of the
 * kernel's memory. Return: 0, -ENOMEM or -EMSGSIZE.
 */
int ihsm_payload_alloc(struct ihsm_payload *payload, u32 len, enum dma_data_direction dir)
{
	unsigned int pages = DIV_ROUND_UP(len, PAGE_SIZE);

	if (!pages || pages > IHSM_MAX_SEGMENTS)
		return -EMSGSIZE;
	payload->page = kcalloc(pages, sizeof(*payload->page), GFP_KERNEL_ACCOUNT);
	if (!payload->page)
		return -ENOMEM;
	payload->len = len;
	payload->dir = dir;
	while (payload->pages < pages) {
		struct page *page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);

		if (!page) {
			ihsm_payload_free(payload);
			return -ENOMEM;
		}
		payload->page[payload->pages++] = page;
	}
	return 0;
}

/**
 * ihsm_payload_from_user() - fill a payload
 * @payload: not mapped
 * @from: as many bytes as the payload has
 *
 * Return: 0 or -EFAULT.
 */
int ihsm_payload_from_user(struct ihsm_payload *payload, const void __user *from)
{
	unsigned int i;

	for (i = 0; i < payload->pages; i++) {
		if (copy_from_user(page_address(payload->page[i]), from + i * PAGE_SIZE,
				   chunk(payload, i)))
			return -EFAULT;
	}
	return 0;
}

/**
 * ihsm_payload_to_user() - give out the beginning of a payload
 * @payload: not mapped
 * @to: where it goes
 * @len: bytes, at most what the payload has
 *
 * Return: 0 or -EFAULT.
 */
int ihsm_payload_to_user(struct ihsm_payload *payload, void __user *to, u32 len)
{
	unsigned int i;

	for (i = 0; i < payload->pages && len > i * PAGE_SIZE; i++) {
		u32 part = min_t(u32, len - i * PAGE_SIZE, PAGE_SIZE);

		if (copy_to_user(to + i * PAGE_SIZE, page_address(payload->page[i]), part))
			return -EFAULT;
	}
	return 0;
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
	err = sg_alloc_table_from_pages_segment(&payload->sgt, payload->page, payload->pages, 0,
						payload->len, min_t(size_t, piece, SZ_1M),
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
 * @payload: mapped or not
 */
void ihsm_payload_unmap(struct ihsm_device *ihsm, struct ihsm_payload *payload)
{
	if (!payload->mapped)
		return;
	dma_unmap_sgtable(&ihsm->pdev->dev, &payload->sgt, payload->dir, 0);
	sg_free_table(&payload->sgt);
	payload->mapped = false;
}

/**
 * ihsm_payload_free() - wipe and free the pages
 * @payload: not mapped; may be empty
 */
void ihsm_payload_free(struct ihsm_payload *payload)
{
	while (payload->pages) {
		struct page *page = payload->page[--payload->pages];

		memzero_explicit(page_address(page), PAGE_SIZE);
		__free_page(page);
	}
	kfree(payload->page);
	payload->page = NULL;
}
