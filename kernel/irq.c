// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupt vectors: one for the admin queue, one for each queue pair on its own
 * processors, fewer when there are fewer. With a single one all queues share it.
 */
#include <linux/interrupt.h>

#include "ihsm.h"

/*
 * Always handled: a completion may have been taken by somebody who polled. On the admin vector an
 * interrupt without a completion is the device's way to say that it cannot speak.
 */
static irqreturn_t queue_irq(int irq, void *data)
{
	struct ihsm_queue *queue = data;

	/* On a vector of its own. On one that all queues share this is the rule, not a sign. */
	if (!ihsm_queue_poll(queue) && !queue->qid && queue->ihsm->vectors > 1)
		ihsm_look_now(queue->ihsm);
	return IRQ_HANDLED;
}

static void spread_queues(struct ihsm_device *ihsm)
{
	unsigned int cpu, q;

	for_each_possible_cpu(cpu)
		ihsm->cpu_queue[cpu] = 1 + cpu % ihsm->queues;
	/* With a single vector there is none to ask about. */
	for (q = 1; q < ihsm->vectors; q++) {
		const struct cpumask *mask = pci_irq_get_affinity(ihsm->pdev, q);

		if (!mask)
			continue;
		for_each_cpu(cpu, mask)
			ihsm->cpu_queue[cpu] = q;
	}
}

/**
 * ihsm_irq_vectors() - decide how many queues there are
 * @ihsm: device; its limits are known
 *
 * Return: 0 or a negative errno.
 */
int ihsm_irq_vectors(struct ihsm_device *ihsm)
{
	struct irq_affinity spread = { .pre_vectors = 1 };
	unsigned int queues = min_t(unsigned int, ihsm->limits.queues, num_possible_cpus());
	unsigned int most = min_t(unsigned int, ihsm->limits.vectors, 1 + queues);
	int vectors;

	vectors = pci_alloc_irq_vectors_affinity(ihsm->pdev, 1, most,
						 PCI_IRQ_MSIX | PCI_IRQ_AFFINITY, &spread);
	if (vectors < 0)
		return vectors;
	ihsm->vectors = vectors;
	ihsm->queues = vectors > 1 ? vectors - 1 : 1;
	spread_queues(ihsm);
	return 0;
}

/**
 * ihsm_irq_request() - install the handler of a queue
 * @queue: initialized
 */
int ihsm_irq_request(struct ihsm_queue *queue)
{
	struct ihsm_device *ihsm = queue->ihsm;
	int err;

	err = pci_request_irq(ihsm->pdev, queue->vector, queue_irq, NULL, queue, "%s-%u",
			      dev_name(&ihsm->dev), queue->qid);
	queue->irq_set = !err;
	return err;
}

/**
 * ihsm_irq_free() - the handler has run for the last time when this returns
 * @queue: any
 */
void ihsm_irq_free(struct ihsm_queue *queue)
{
	if (queue->irq_set)
		pci_free_irq(queue->ihsm->pdev, queue->vector, queue);
	queue->irq_set = false;
}
