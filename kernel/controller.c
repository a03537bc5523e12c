// SPDX-License-Identifier: GPL-2.0-only
/*
 * The controller: its registers, how it is started and how it is stopped, in the order that
 * Documentation/hardware.rst gives.
 *
 * There is one way down, ihsm_stop(), for remove, shutdown, reset and death. It may be
 * taken from any state and more than once.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/slab.h>

#include "ihsm.h"

/**
 * ihsm_present() - is the device there?
 * @ihsm: device
 * @status: its status register, read once
 *
 * All ones are read of a device that is gone, and now and then in place of an answer that got
 * lost; configuration space tells one from the other.
 */
bool ihsm_present(struct ihsm_device *ihsm, u32 *status)
{
	KUNIT_STATIC_STUB_REDIRECT(ihsm_present, ihsm, status);
	*status = readl(ihsm->regs + IHSM_REG_STATUS);
	if (*status != U32_MAX)
		return true;
	if (!pci_device_is_present(ihsm->pdev))
		return false;
	*status = readl(ihsm->regs + IHSM_REG_STATUS);
	return *status != U32_MAX;
}

/* Wait until the bits of @mask are @value, as long as the device says that it may take. */
static int wait_status(struct ihsm_device *ihsm, u32 mask, u32 value)
{
	unsigned long limit = jiffies + msecs_to_jiffies(ihsm->limits.timeout_ms);
	unsigned int us = 50;
	u32 status;

	for (;;) {
		bool last = time_after(jiffies, limit);

		if (!ihsm_present(ihsm, &status))
			return -ENODEV;
		if ((status & mask) == value)
			return 0;
		if (value & IHSM_STATUS_READY && status & IHSM_STATUS_FATAL)
			return -EIO;
		if (last)
			return -ETIMEDOUT;
		usleep_range(us, 2 * us);
		us = min(2 * us, 5000U);
	}
}

/*
 * Controller reset. When the read that follows the write has returned, the device touches no ring
 * and no buffer of before.
 */
static int reset(struct ihsm_device *ihsm)
{
	u32 status;

	if (!ihsm_present(ihsm, &status))
		return -ENODEV;
	writel(IHSM_RESET_MAGIC, ihsm->regs + IHSM_REG_RESET);
	return wait_status(ihsm, IHSM_STATUS_RESETTING | IHSM_STATUS_READY | IHSM_STATUS_FATAL, 0);
}

static int enable(struct ihsm_device *ihsm)
{
	struct ihsm_queue *admin = ihsm->queue[0];

	writel(admin->sq_log2 << IHSM_ADMIN_ATTR_SQ_SHIFT |
	       admin->cq_log2 << IHSM_ADMIN_ATTR_CQ_SHIFT, ihsm->regs + IHSM_REG_ADMIN_ATTR);
	writeq(admin->sq_dma, ihsm->regs + IHSM_REG_ADMIN_SQ);
	writeq(admin->cq_dma, ihsm->regs + IHSM_REG_ADMIN_CQ);
	writel(IHSM_CONFIG_ENABLE, ihsm->regs + IHSM_REG_CONFIG);
	return wait_status(ihsm, IHSM_STATUS_READY, IHSM_STATUS_READY);
}

/* Take over what the device says about itself, cut to what can be. */
static int take_identity(struct ihsm_device *ihsm)
{
	unsigned int i;

	mutex_lock(&ihsm->identify_lock);
	WRITE_ONCE(ihsm->max_message, ihsm_max_message(le32_to_cpu(ihsm->identify.max_message)));
	for (i = 0; i < IHSM_TIME_CLASSES; i++)
		WRITE_ONCE(ihsm->class_ms[i],
			   ihsm_class_limit(le32_to_cpu(ihsm->identify.class_ms[i])));
	mutex_unlock(&ihsm->identify_lock);
	WRITE_ONCE(ihsm->epoch, readl(ihsm->regs + IHSM_REG_EPOCH));
	return ihsm->max_message ? 0 : -EPROTO;
}

static int start_queues(struct ihsm_device *ihsm)
{
	unsigned int i;
	int err = 0;

	if (ihsm->shadow)
		err = ihsm_set_shadow(ihsm);
	for (i = 1; i <= ihsm->queues && !err; i++) {
		ihsm_queue_start(ihsm->queue[i], ihsm->generation);
		err = ihsm_create_queue(ihsm->queue[i]);
	}
	return err;
}

/**
 * ihsm_start() - from a device that is stopped to one that runs
 * @ihsm: device; @control is held, or nobody else knows it yet
 *
 * Return: 0 or a negative errno; then ihsm_stop() is due.
 */
int ihsm_start(struct ihsm_device *ihsm)
{
	u32 status;
	int err;

	if (!ihsm_present(ihsm, &status))
		return -ENODEV;
	if (status & (IHSM_STATUS_READY | IHSM_STATUS_FATAL | IHSM_STATUS_RESETTING)) {
		err = reset(ihsm);
		if (err)
			return err;
	}
	/* Not before it was seen to stop: what it had from us may be somebody else's by now. */
	pci_set_master(ihsm->pdev);
	/* Zero is nobody's. */
	WRITE_ONCE(ihsm->generation, ihsm->generation == U32_MAX ? 1 : ihsm->generation + 1);
	/* Ready first: a command of before would have its slot, and no end. */
	err = enable(ihsm);
	ihsm_queue_start(ihsm->queue[0], ihsm->generation);
	if (!err)
		err = ihsm_identify(ihsm);
	if (!err)
		err = take_identity(ihsm);
	if (!err)
		err = start_queues(ihsm);
	if (!err)
		err = ihsm_ask_events(ihsm);
	return err;
}

/**
 * ihsm_stop() - the one way down
 * @ihsm: device; @control is held, or nobody else knows it
 * @error: what outstanding commands end with
 *
 * Memory that the device may use is given back to its owners only after the device was
 * seen to stop, or cannot reach memory any more. What is not there is not reset.
 */
void ihsm_stop(struct ihsm_device *ihsm, int error)
{
	unsigned int i;

	KUNIT_STATIC_STUB_REDIRECT(ihsm_stop, ihsm, error);
	for (i = 0; i <= ihsm->queues; i++)
		ihsm_queue_stop(ihsm->queue[i]);
	if (reset(ihsm))
		pci_clear_master(ihsm->pdev);
	for (i = 0; i <= ihsm->queues; i++)
		ihsm_queue_fail(ihsm->queue[i], error);
}

/**
 * ihsm_controller_probe() - read what does not change
 * @ihsm: device; registers are mapped
 *
 * Return: 0, or a negative errno with a message.
 */
int ihsm_controller_probe(struct ihsm_device *ihsm)
{
	struct device *dev = &ihsm->pdev->dev;
	int err;

	ihsm->cap = readq(ihsm->regs + IHSM_REG_CAP);
	ihsm->hw_version = readl(ihsm->regs + IHSM_REG_VERSION);
	err = ihsm_check_cap(ihsm->cap, &ihsm->limits);
	if (err == -ENODEV)
		return dev_err_probe(dev, err, "not there: registers read all ones\n");
	if (ihsm->hw_version >> 16 != IHSM_VERSION >> 16)
		return dev_err_probe(dev, -EPROTO,
				     "device interface %u, this driver knows %u: update the %s\n",
				     ihsm->hw_version >> 16, IHSM_VERSION >> 16,
				     ihsm->hw_version > IHSM_VERSION ? "driver" : "firmware");
	if (err)
		return dev_err_probe(dev, err, "capabilities out of range: 0x%llx\n", ihsm->cap);
	err = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(ihsm->limits.dma_bits));
	if (err)
		return dev_err_probe(dev, err, "no memory within %u bits\n", ihsm->limits.dma_bits);
	dma_set_max_seg_size(dev, SZ_1M);
	return 0;
}

static int alloc_shadow(struct ihsm_device *ihsm)
{
	if (!ihsm->limits.shadow)
		return 0;
	ihsm->shadow = dmam_alloc_coherent(&ihsm->pdev->dev, 2 * IHSM_SHADOW_PAGE_SIZE,
					   &ihsm->shadow_dma, GFP_KERNEL);
	return ihsm->shadow ? 0 : -ENOMEM;
}

static void set_shadow_parts(struct ihsm_device *ihsm, struct ihsm_queue *queue)
{
	if (!ihsm->shadow || !queue->qid)
		return;
	queue->host = (struct ihsm_shadow_host *)ihsm->shadow + queue->qid;
	queue->device = (struct ihsm_shadow_device *)(ihsm->shadow + IHSM_SHADOW_PAGE_SIZE) +
			queue->qid;
}

/**
 * ihsm_controller_alloc() - memory and interrupt handlers of all queues
 * @ihsm: device; vectors are there
 *
 * What the device uses goes with the driver's hold on the function, after all that uses it, the
 * queues' structures with the device's. The handlers are ihsm_irq_free()'s.
 * Return: 0 or a negative errno.
 */
int ihsm_controller_alloc(struct ihsm_device *ihsm)
{
	int err = alloc_shadow(ihsm);
	unsigned int i;

	for (i = 0; i <= ihsm->queues && !err; i++) {
		u16 vector = ihsm->vectors > 1 ? i : 0;

		ihsm->queue[i] = kzalloc_obj(*ihsm->queue[i], GFP_KERNEL);
		if (!ihsm->queue[i])
			return -ENOMEM;
		err = ihsm_queue_init(ihsm, ihsm->queue[i], i, vector);
		set_shadow_parts(ihsm, ihsm->queue[i]);
		if (!err)
			err = ihsm_irq_request(ihsm->queue[i]);
	}
	return err;
}
