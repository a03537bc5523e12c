// SPDX-License-Identifier: GPL-2.0-only
/*
 * The card that is made up (ihsm_test_card.h). User-mode Linux lets functions answer for a range of
 * bus addresses (logic_iomem); bus addresses of memory are its physical ones.
 */
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/logic_iomem.h>
#include <linux/slab.h>
#include <linux/unaligned.h>

#include "ihsm.h"
#include "ihsm_test_card.h"

#define BUS_NUMBER 0x40
#define MSIX_CAP   0x40 /* the only capability */

static struct card *plugged;

/* ---- interrupts: their handler takes locks that are held where a doorbell rings ---- */

static void card_irq_work(struct work_struct *work)
{
	struct card *card = container_of(work, struct card, irq_work);
	unsigned int vector;

	for (vector = 0; vector <= CARD_QUEUES; vector++) {
		const u8 *entry = card->msix + vector * PCI_MSIX_ENTRY_SIZE;
		/* What user-mode Linux has as a message is the number of its interrupt. */
		u32 irq = get_unaligned_le32(entry + PCI_MSIX_ENTRY_DATA);

		if (test_and_clear_bit(vector, &card->irqs) && irq &&
		    !(entry[PCI_MSIX_ENTRY_VECTOR_CTRL] & PCI_MSIX_ENTRY_CTRL_MASKBIT))
			generic_handle_irq_safe(irq);
	}
}

static void raise(struct card *card, u16 vector)
{
	if (card->faults.no_irq)
		return;
	set_bit(vector, &card->irqs);
	schedule_work(&card->irq_work);
}

/* ---- rings, with the lock held ---- */

static void complete_entry(struct card *card, unsigned int qid, u16 cid, u16 status, u32 result)
{
	struct card_ring *ring = &card->ring[qid];
	struct ihsm_cqe *cqe = phys_to_virt(ring->cq);
	u32 index = ring->cq_tail++;

	cqe += index & ((1U << ring->cq_log2) - 1);
	cqe->result = cpu_to_le32(result);
	cqe->sq_head = cpu_to_le32(ring->sq_head);
	cqe->sq_id = cpu_to_le16(qid);
	cqe->cid = cpu_to_le16(cid);
	dma_wmb();
	WRITE_ONCE(cqe->status, cpu_to_le16(status << IHSM_CQE_STATUS_SHIFT |
					    ihsm_ring_phase(index, ring->cq_log2)));
	/* The entry is visible before the driver's wish is read, as in its publish(). */
	mb();
	if (qid && card->shadow_host &&
	    le32_to_cpu(READ_ONCE(card->shadow_host[qid].irq_event)) != index)
		return;
	raise(card, ring->vector);
}

/* Bytes of a message, one way or the other */
static void move(struct card *card, const struct ihsm_sqe *sqe, bool in, u8 *bytes, u32 len)
{
	u64 at = le64_to_cpu(in ? sqe->in_addr : sqe->out_addr);
	const struct ihsm_segment *segment = phys_to_virt(at);
	struct ihsm_segment whole = { .addr = cpu_to_le64(at), .len = cpu_to_le32(len) };

	if (sqe->flags & (in ? IHSM_SQE_IN_SEGMENTS : IHSM_SQE_OUT_SEGMENTS))
		card->large++;
	else
		segment = &whole;
	for (; len; segment++) {
		u32 piece = min(len, le32_to_cpu(segment->len));
		void *there = phys_to_virt(le64_to_cpu(segment->addr));

		memcpy(in ? bytes : there, in ? there : bytes, piece);
		bytes += piece;
		len -= piece;
	}
}

/* A message is its own answer. */
static void answer_message(struct card *card, const struct ihsm_sqe *sqe)
{
	u32 len = min(le32_to_cpu(sqe->in_len), le32_to_cpu(sqe->out_len));
	u8 *bytes = kmalloc(len, GFP_ATOMIC);
	u16 cid = le16_to_cpu(sqe->cid);

	if (!bytes) {
		complete_entry(card, 1, cid, IHSM_SC_INTERNAL, 0);
		return;
	}
	move(card, sqe, true, bytes, len);
	move(card, sqe, false, bytes, len);
	kfree(bytes);
	complete_entry(card, 1, cid, IHSM_SC_SUCCESS, len);
}

static void add_ring(struct card *card, const struct ihsm_sqe *sqe)
{
	u32 log2 = le32_to_cpu(sqe->arg[1]);

	card->ring[1] = (struct card_ring){
		.there = true,
		.sq = le64_to_cpu(sqe->in_addr),
		.cq = le64_to_cpu(sqe->out_addr),
		.sq_log2 = log2 & 0xf,
		.cq_log2 = log2 >> 8 & 0xf,
		.vector = le32_to_cpu(sqe->arg[2]),
	};
}

static void abort_message(struct card *card, const struct ihsm_sqe *sqe)
{
	u16 cid = le32_to_cpu(sqe->arg[1]);
	bool mine = card->held && le32_to_cpu(sqe->arg[0]) == 1 && cid == card->held_cid;

	complete_entry(card, 0, le16_to_cpu(sqe->cid), IHSM_SC_SUCCESS, mine);
	if (!mine)
		return;
	card->held = false;
	complete_entry(card, 1, cid, IHSM_SC_ABORTED, 0);
}

static void admin(struct card *card, const struct ihsm_sqe *sqe)
{
	void *out = phys_to_virt(le64_to_cpu(sqe->out_addr));

	switch (sqe->opcode) {
	case IHSM_ADMIN_IDENTIFY:
		memcpy(out, &card->identify, sizeof(card->identify));
		break;
	case IHSM_ADMIN_CREATE_QUEUE:
		add_ring(card, sqe);
		break;
	case IHSM_ADMIN_SET_SHADOW:
		card->shadow_host = phys_to_virt(le64_to_cpu(sqe->in_addr));
		card->shadow_device = out;
		break;
	case IHSM_ADMIN_ABORT:
		abort_message(card, sqe);
		return;
	case IHSM_ADMIN_ASYNC_EVENT:
		if (card->event_count < ARRAY_SIZE(card->events))
			card->events[card->event_count++] = le16_to_cpu(sqe->cid);
		return;
	case IHSM_ADMIN_CREATE_CONTEXT:
		*(__le64 *)out = cpu_to_le64(CARD_CONTEXT + card->contexts++);
		break;
	case IHSM_ADMIN_DESTROY_CONTEXT:
		card->contexts--;
		break;
	case IHSM_ADMIN_RANDOM:
		memset(out, 0x5c, le32_to_cpu(sqe->out_len));
		card->random++;
		break;
	case IHSM_ADMIN_SENSORS:
		memcpy(out, &card->sensors, sizeof(card->sensors));
		break;
	case IHSM_ADMIN_STAGE:
		card->staged += le32_to_cpu(sqe->in_len);
		break;
	}
	complete_entry(card, 0, le16_to_cpu(sqe->cid), IHSM_SC_SUCCESS, 0);
}

static void late_work(struct work_struct *work)
{
	struct card *card = container_of(work, struct card, late_work);

	spin_lock_irq(&card->lock);
	admin(card, &card->late);
	spin_unlock_irq(&card->lock);
}

static void execute(struct card *card, unsigned int qid, const struct ihsm_sqe *sqe)
{
	u16 cid = le16_to_cpu(sqe->cid);

	if (sqe->opcode == card->faults.drops)
		return;
	if (sqe->opcode == card->faults.refuses) {
		complete_entry(card, qid, cid, card->faults.status, 0);
	} else if (!qid && card->faults.late) {
		card->late = *sqe;
		schedule_work(&card->late_work);
	} else if (!qid) {
		admin(card, sqe);
	} else if (card->faults.holds) {
		card->held = true;
		card->held_cid = cid;
		if (card->then)
			schedule_work(card->then);
	} else {
		answer_message(card, sqe);
	}
}

static void ring_doorbell(struct card *card, unsigned int qid, u32 tail)
{
	struct card_ring *ring = &card->ring[qid];

	while (ring->there && ring->sq_head != tail) {
		struct ihsm_sqe *sqe = phys_to_virt(ring->sq);

		sqe += ring->sq_head++ & ((1U << ring->sq_log2) - 1);
		execute(card, qid, sqe);
	}
	/* The next one rings again. */
	if (qid && card->shadow_device)
		WRITE_ONCE(card->shadow_device[qid].sq_event, cpu_to_le32(ring->sq_head));
}

/* ---- registers ---- */

static void enable(struct card *card, u32 value)
{
	card->enabled = value;
	if (!(value & IHSM_CONFIG_ENABLE) || card->faults.never_ready)
		return;
	if (card->faults.bad_starts) {
		card->faults.bad_starts--;
		card->status |= IHSM_STATUS_FATAL;
		return;
	}
	card->status |= IHSM_STATUS_READY;
	card->ring[0] = (struct card_ring){
		.there = true,
		.sq = card->admin_sq,
		.cq = card->admin_cq,
		.sq_log2 = card->attr >> IHSM_ADMIN_ATTR_SQ_SHIFT & IHSM_ADMIN_ATTR_MASK,
		.cq_log2 = card->attr >> IHSM_ADMIN_ATTR_CQ_SHIFT & IHSM_ADMIN_ATTR_MASK,
	};
}

static void reset(struct card *card)
{
	card->resets++;
	if (card->faults.never_resets)
		return;
	memset(card->ring, 0, sizeof(card->ring));
	card->shadow_host = NULL;
	card->shadow_device = NULL;
	card->status = CARD_STATE;
	card->enabled = 0;
	card->contexts = 0;
	card->event_count = 0;
	card->held = false;
	card->epoch++;
}

static unsigned long regs_read(void *priv, unsigned int offset, int size)
{
	struct card *card = plugged;

	if (card->faults.gone)
		return ULONG_MAX;
	switch (offset) {
	case IHSM_REG_CAP:
		return card->cap;
	case IHSM_REG_VERSION:
		return card->version;
	case IHSM_REG_STATUS:
		return card->status;
	case IHSM_REG_CONFIG:
		return card->enabled;
	case IHSM_REG_EPOCH:
		return card->epoch;
	default:
		return 0;
	}
}

static void regs_write(void *priv, unsigned int offset, int size, unsigned long value)
{
	struct card *card = plugged;
	unsigned long flags;

	if (card->faults.gone)
		return;
	spin_lock_irqsave(&card->lock, flags);
	switch (offset) {
	case IHSM_REG_CONFIG:
		enable(card, value);
		break;
	case IHSM_REG_ADMIN_ATTR:
		card->attr = value;
		break;
	case IHSM_REG_ADMIN_SQ:
		card->admin_sq = value;
		break;
	case IHSM_REG_ADMIN_CQ:
		card->admin_cq = value;
		break;
	case IHSM_REG_RESET:
		if (value == IHSM_RESET_MAGIC)
			reset(card);
		break;
	case IHSM_DOORBELL_SQ(0):
		ring_doorbell(card, 0, value);
		break;
	case IHSM_DOORBELL_SQ(1):
		ring_doorbell(card, 1, value);
		break;
	}
	spin_unlock_irqrestore(&card->lock, flags);
}

static const struct logic_iomem_ops regs_ops = { .read = regs_read, .write = regs_write };

static unsigned long msix_read(void *priv, unsigned int offset, int size)
{
	return plugged->faults.gone ? U32_MAX : get_unaligned_le32(plugged->msix + offset);
}

static void msix_write(void *priv, unsigned int offset, int size, unsigned long value)
{
	put_unaligned_le32(value, plugged->msix + offset);
}

static const struct logic_iomem_ops msix_ops = { .read = msix_read, .write = msix_write };

static struct resource window = DEFINE_RES_MEM_NAMED(0xd0000000, SZ_16M, "ihsm test card");
static struct resource bus_number = {
	.name = "ihsm test bus",
	.start = BUS_NUMBER,
	.end = BUS_NUMBER,
	.flags = IORESOURCE_BUS,
};

/* Which of its BARs is it? */
static long map_bar(unsigned long offset, size_t size, const struct logic_iomem_ops **ops,
		    void **priv)
{
	unsigned long at = window.start + offset;
	unsigned int bar;

	if (!plugged)
		return -ENODEV;
	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
		u32 base = get_unaligned_le32(plugged->config + PCI_BASE_ADDRESS_0 + 4 * bar) &
			   PCI_BASE_ADDRESS_MEM_MASK;

		if (!plugged->bar_size[bar] || at < base || at - base >= plugged->bar_size[bar])
			continue;
		*ops = bar == IHSM_BAR_REGS ? &regs_ops : &msix_ops;
		return at - base;
	}
	return -ENODEV;
}

static const struct logic_iomem_region_ops window_ops = { .map = map_bar };

/* ---- configuration space ---- */

static int config_read(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *value)
{
	*value = U32_MAX;
	if (devfn || !plugged || plugged->faults.gone)
		return PCIBIOS_DEVICE_NOT_FOUND;
	*value = 0;
	memcpy(value, plugged->config + where, size);
	return PCIBIOS_SUCCESSFUL;
}

static int config_write(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 value)
{
	bool bar = where >= PCI_BASE_ADDRESS_0 && where <= PCI_BASE_ADDRESS_5;
	struct card *card = plugged;

	if (devfn || !card || card->faults.gone)
		return PCIBIOS_DEVICE_NOT_FOUND;
	/* All else is as it is. */
	if (!bar && where != PCI_COMMAND && where != MSIX_CAP + PCI_MSIX_FLAGS)
		return PCIBIOS_SUCCESSFUL;
	if (bar)
		value &= -card->bar_size[(where - PCI_BASE_ADDRESS_0) / 4];
	else
		size = 2;
	/* The size of the table stays. */
	if (where == MSIX_CAP + PCI_MSIX_FLAGS)
		value = (value & ~PCI_MSIX_FLAGS_QSIZE) | CARD_QUEUES;
	memcpy(card->config + where, &value, size);
	return PCIBIOS_SUCCESSFUL;
}

static struct pci_ops config_ops = { .read = config_read, .write = config_write };

static void fill_config(struct card *card)
{
	u8 *config = card->config;

	put_unaligned_le16(IHSM_PCI_VENDOR_ID, config + PCI_VENDOR_ID);
	put_unaligned_le16(IHSM_PCI_DEVICE_ID_PF, config + PCI_DEVICE_ID);
	put_unaligned_le16(PCI_STATUS_CAP_LIST, config + PCI_STATUS);
	config[PCI_CLASS_DEVICE] = 0x80;
	config[PCI_CLASS_DEVICE + 1] = 0x10;
	config[PCI_CAPABILITY_LIST] = MSIX_CAP;
	config[MSIX_CAP] = PCI_CAP_ID_MSIX;
	put_unaligned_le16(CARD_QUEUES, config + MSIX_CAP + PCI_MSIX_FLAGS);
	put_unaligned_le32(IHSM_BAR_MSIX, config + MSIX_CAP + PCI_MSIX_TABLE);
	put_unaligned_le32(IHSM_BAR_MSIX | IHSM_MSIX_PBA_OFFSET, config + MSIX_CAP + PCI_MSIX_PBA);
}

/* ---- what tests do with it ---- */

/**
 * card_new() - a card without a fault
 * @test: whose memory it is
 */
struct card *card_new(struct kunit *test)
{
	struct card *card = kunit_kzalloc(test, sizeof(*card), GFP_KERNEL);
	unsigned int i;

	if (!card)
		return NULL;
	spin_lock_init(&card->lock);
	INIT_WORK(&card->irq_work, card_irq_work);
	INIT_WORK(&card->late_work, late_work);
	fill_config(card);
	card->bar_size[IHSM_BAR_REGS] = IHSM_BAR_REGS_SIZE;
	card->bar_size[IHSM_BAR_MSIX] = IHSM_BAR_MSIX_SIZE;
	card->cap = 4ULL << IHSM_CAP_MAX_ENTRIES_SHIFT | 1ULL << IHSM_CAP_MAX_QUEUES_SHIFT |
		    48ULL << IHSM_CAP_DMA_BITS_SHIFT | 2ULL << IHSM_CAP_VECTORS_SHIFT |
		    IHSM_CAP_SHADOW | IHSM_CAP_VIRTUAL;
	card->version = IHSM_VERSION;
	card->status = CARD_STATE;
	card->epoch = 1;
	card->identify.max_message = cpu_to_le32(CARD_MESSAGE);
	for (i = 0; i < IHSM_TIME_CLASSES; i++)
		card->identify.class_ms[i] = cpu_to_le32(60000);
	strscpy(card->identify.model, CARD_TEXT, sizeof(card->identify.model));
	return card;
}

/**
 * card_plug() - a bus with the card in it; a driver that wants it has it when this returns
 * @card: not plugged in
 */
int card_plug(struct card *card)
{
	static bool answered;
	struct pci_host_bridge *bridge;
	int err;

	/* There is no way to take it back. */
	if (!answered) {
		err = logic_iomem_add_region(&window, &window_ops);
		if (err)
			return err;
		answered = true;
	}
	bridge = pci_alloc_host_bridge(0);
	if (!bridge)
		return -ENOMEM;
	plugged = card;
	pci_add_resource(&bridge->windows, &window);
	pci_add_resource(&bridge->windows, &bus_number);
	bridge->ops = &config_ops;
	err = pci_host_probe(bridge);
	if (err) {
		plugged = NULL;
		pci_free_host_bridge(bridge);
		return err;
	}
	card->bridge = bridge;
	card->pdev = pci_get_slot(bridge->bus, 0);
	return card->pdev ? 0 : -ENODEV;
}

/**
 * card_unplug() - bus and card go, as the kernel takes them away
 * @card: plugged in or not
 */
void card_unplug(struct card *card)
{
	if (!card->bridge)
		return;
	pci_dev_put(card->pdev);
	card->pdev = NULL;
	pci_lock_rescan_remove();
	pci_stop_root_bus(card->bridge->bus);
	pci_remove_root_bus(card->bridge->bus);
	pci_unlock_rescan_remove();
	cancel_work_sync(&card->late_work);
	cancel_work_sync(&card->irq_work);
	pci_free_host_bridge(card->bridge);
	card->bridge = NULL;
	plugged = NULL;
}

/**
 * card_driven() - the driver's device for the card
 * @card: plugged in
 *
 * Return: it, or NULL when the driver has refused it.
 */
struct ihsm_device *card_driven(struct card *card)
{
	return card->pdev->dev.driver ? pci_get_drvdata(card->pdev) : NULL;
}

/**
 * card_event() - something happens that the card was asked to tell of
 * @card: started
 * @event: enum ihsm_event, and its detail
 */
void card_event(struct card *card, u32 event)
{
	spin_lock_irq(&card->lock);
	if (card->event_count)
		complete_entry(card, 0, card->events[--card->event_count], IHSM_SC_SUCCESS, event);
	spin_unlock_irq(&card->lock);
}

/**
 * card_answer() - the message that was held is answered after all
 * @card: started
 */
void card_answer(struct card *card)
{
	spin_lock_irq(&card->lock);
	if (card->held)
		complete_entry(card, 1, card->held_cid, IHSM_SC_SUCCESS, 0);
	card->held = false;
	spin_unlock_irq(&card->lock);
}

/* As by sysfs: somebody wants it, and waits for its end. */
int reset_now(struct ihsm_device *ihsm)
{
	ihsm_reset_later(ihsm, NULL);
	return ihsm_reset_wait(ihsm, TASK_KILLABLE);
}
