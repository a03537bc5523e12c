// SPDX-License-Identifier: Apache-2.0
/*
 * Faults between the rings and the guest. The linker puts these functions in place of the firmware's
 * (--wrap): completions, shadow doorbells, registers, answers and interrupts pass here on their way
 * out. Replies on the socket are never late: QEMU is not what is tried.
 */
#include <endian.h>
#include <stdatomic.h>
#include <string.h>

#include "fault.h"
#include "transport.h"

#define LATE_KEPT   64 /* ids that were completed, for faults that bring one back */
#define GONE_READS  64 /* at most, before a device that was gone is there again */
#define CONFIG_KEPT 4  /* vendor and device: what tells that a function is there */

int __real_dma_store64(struct dma_map *map, uint64_t address, uint64_t value);
int __wrap_dma_store64(struct dma_map *map, uint64_t address, uint64_t value);
int __real_dma_store32(struct dma_map *map, uint64_t address, uint32_t value);
int __wrap_dma_store32(struct dma_map *map, uint64_t address, uint32_t value);
int __real_dma_write(struct dma_map *map, uint64_t address, const void *from, size_t length);
int __wrap_dma_write(struct dma_map *map, uint64_t address, const void *from, size_t length);
void __real_irq_raise(struct irq_set *irq, unsigned int vector);
void __wrap_irq_raise(struct irq_set *irq, unsigned int vector);
void __real_queue_complete(struct queue *queue, struct task *task, enum ihsm_status status,
			   uint32_t result);
void __wrap_queue_complete(struct queue *queue, struct task *task, enum ihsm_status status,
			   uint32_t result);
void __real_admin_queue_work(struct connection *connection);
void __wrap_admin_queue_work(struct connection *connection);
void __real_controller_read(struct connection *connection, uint64_t offset, uint8_t *data,
			    uint32_t length);
void __wrap_controller_read(struct connection *connection, uint64_t offset, uint8_t *data,
			    uint32_t length);

/* ---- completions: what they say ---- */

/* A completion is written in two halves by one thread, the one with the phase last. */
static __thread uint64_t first_half;
static __thread bool dropping;

static _Atomic uint16_t over[LATE_KEPT];
static atomic_uint over_next;

static struct plan_entry from_ring(const struct ihsm_cqe *entry)
{
	return (struct plan_entry){
		.cid = le16toh(entry->cid),
		.queue = le16toh(entry->sq_id),
		.head = le32toh(entry->sq_head),
		.length = le32toh(entry->result),
		.status = le16toh(entry->status) >> IHSM_CQE_STATUS_SHIFT,
	};
}

static void to_ring(struct ihsm_cqe *ring, const struct plan_entry *entry)
{
	uint16_t phase = (le16toh(ring->status) & IHSM_CQE_PHASE) ^
			 (entry->stale ? IHSM_CQE_PHASE : 0);

	ring->cid = htole16(entry->cid);
	ring->sq_id = htole16(entry->queue);
	ring->sq_head = htole32(entry->head);
	ring->result = htole32(entry->length);
	ring->status = htole16((uint16_t)(entry->status << IHSM_CQE_STATUS_SHIFT) | phase);
}

int __wrap_dma_store64(struct dma_map *map, uint64_t address, uint64_t value)
{
	struct plan_entry entry;
	struct ihsm_cqe ring;
	uint64_t half[2];

	if (!(address & 8)) {
		first_half = value;
		return 0;
	}
	if (dropping)
		return 0;
	half[0] = first_half;
	half[1] = value;
	memcpy(&ring, half, sizeof(ring));
	entry = from_ring(&ring);
	plan_completion(&entry, entry.queue);
	to_ring(&ring, &entry);
	memcpy(half, &ring, sizeof(half));
	if (__real_dma_store64(map, address - 8, half[0]))
		return -1;
	return __real_dma_store64(map, address, half[1]);
}

/* ---- completions: which and how often ---- */

/* Two commands end as each other. */
static void exchange(struct queue *queue, struct task *task)
{
	struct task *other;
	uint16_t cid;

	pthread_mutex_lock(&queue->lock);
	other = queue->tasks;
	if (other == task)
		other = task->next;
	if (queue->id && other && plan_often(FAULT_ORDER, 8)) {
		cid = other->sqe.cid;
		other->sqe.cid = task->sqe.cid;
		task->sqe.cid = cid;
	}
	pthread_mutex_unlock(&queue->lock);
}

static void post_more(struct queue *queue, uint16_t cid)
{
	plan_extra();
	pthread_mutex_lock(&queue->lock);
	queue->running++;
	pthread_mutex_unlock(&queue->lock);
	queue_complete_cid(queue, cid, IHSM_SC_SUCCESS, 0);
}

void __wrap_queue_complete(struct queue *queue, struct task *task, enum ihsm_status status,
			   uint32_t result)
{
	uint16_t cid = le16toh(task->sqe.cid);

	exchange(queue, task);
	queue_get(queue);
	dropping = plan_now(FAULT_DROP);
	__real_queue_complete(queue, task, status, result);
	dropping = false;
	if (plan_now(FAULT_DUPLICATE))
		post_more(queue, cid);
	if (plan_now(FAULT_LATE))
		post_more(queue, over[plan_random(FAULT_LATE) % LATE_KEPT]);
	over[atomic_fetch_add(&over_next, 1) % LATE_KEPT] = cid;
	queue_put(queue);
}

/* ---- doorbells, interrupts ---- */

int __wrap_dma_store32(struct dma_map *map, uint64_t address, uint32_t value)
{
	/* More wishes than are needed: one too few would be a device that sleeps. */
	if (plan_now(FAULT_EVENT))
		__real_dma_store32(map, address, (uint32_t)plan_random(FAULT_EVENT));
	return __real_dma_store32(map, address, value);
}

void __wrap_irq_raise(struct irq_set *irq, unsigned int vector)
{
	if (plan_now(FAULT_IRQ_EXTRA))
		for (uint64_t n = plan_random(FAULT_IRQ_EXTRA) % 64; n; n--)
			__real_irq_raise(irq, (unsigned int)(plan_random(FAULT_IRQ_EXTRA) %
							     IHSM_MAX_VECTORS));
	if (plan_now(FAULT_IRQ_LOST))
		return;
	if (plan_now(FAULT_IRQ_OTHER))
		vector = (unsigned int)(plan_random(FAULT_IRQ_OTHER) % IHSM_MAX_VECTORS);
	__real_irq_raise(irq, vector);
}

/* ---- answers of admin commands, known by their lengths ---- */

static __thread bool in_admin;

void __wrap_admin_queue_work(struct connection *connection)
{
	in_admin = true;
	__real_admin_queue_work(connection);
	in_admin = false;
}

static bool mutate_answer(size_t length, uint8_t *answer)
{
	enum fault fault;

	if (length == sizeof(struct ihsm_identify))
		fault = FAULT_IDENTIFY;
	else if (length == sizeof(uint64_t))
		fault = FAULT_CONTEXT;
	else
		return false;
	if (!plan_often(fault, 4))
		return false;
	plan_bytes(fault, answer, (unsigned int)length);
	return true;
}

int __wrap_dma_write(struct dma_map *map, uint64_t address, const void *from, size_t length)
{
	uint8_t answer[sizeof(struct ihsm_identify)];

	/* What answers to messages is left alone: the guest looks for bytes that are not its own. */
	if (in_admin && mutate_answer(length, answer))
		from = answer;
	return __real_dma_write(map, address, from, length);
}

/* ---- registers; only the thread that serves the socket is here ---- */

/* Each field at its ends, one after the other and all together */
static uint64_t extreme(void)
{
	static const uint64_t fields[] = {
		IHSM_CAP_MAX_ENTRIES_MASK << IHSM_CAP_MAX_ENTRIES_SHIFT,
		IHSM_CAP_MAX_QUEUES_MASK << IHSM_CAP_MAX_QUEUES_SHIFT,
		IHSM_CAP_TIMEOUT_MASK << IHSM_CAP_TIMEOUT_SHIFT,
		IHSM_CAP_DMA_BITS_MASK << IHSM_CAP_DMA_BITS_SHIFT,
		IHSM_CAP_VECTORS_MASK << IHSM_CAP_VECTORS_SHIFT,
		IHSM_CAP_SHADOW,
		IHSM_CAP_VF,
		~0ULL,
	};

	return fields[plan_random(FAULT_CAPABILITY) % (sizeof(fields) / sizeof(fields[0]))];
}

static uint32_t mutate_register(uint64_t offset, uint32_t value)
{
	static uint64_t field;

	/* The capabilities are read as two words: both have the same fault. */
	if (offset == IHSM_REG_CAP)
		field = plan_often(FAULT_CAPABILITY, 16) ? extreme() : 0;
	if (offset == IHSM_REG_CAP || offset == IHSM_REG_CAP + 4) {
		uint32_t mask = (uint32_t)(field >> 8 * (offset - IHSM_REG_CAP));

		return field >> 63 || plan_random(FAULT_CAPABILITY) & 1 ? value | mask
									: value & ~mask;
	}
	if (plan_often(FAULT_REGISTER, 4))
		value ^= plan_random(FAULT_REGISTER) & 1 ? 1U << plan_random(FAULT_REGISTER) % 32
							 : (uint32_t)plan_random(FAULT_REGISTER);
	return value;
}

/* struct absence - a device that reads all ones, also its configuration, for so many reads */
static struct absence {
	unsigned int reads;
	uint8_t config[CONFIG_KEPT];
} absence;

static bool gone(struct connection *connection)
{
	if (absence.reads && !--absence.reads)
		memcpy(connection->config, absence.config, CONFIG_KEPT);
	if (!absence.reads && plan_rare(FAULT_GONE)) {
		absence.reads = 1 + (unsigned int)(plan_random(FAULT_GONE) % GONE_READS);
		memcpy(absence.config, connection->config, CONFIG_KEPT);
		memset(connection->config, 0xff, CONFIG_KEPT);
	}
	return absence.reads;
}

void __wrap_controller_read(struct connection *connection, uint64_t offset, uint8_t *data,
			    uint32_t length)
{
	__real_controller_read(connection, offset, data, length);
	if (gone(connection)) {
		memset(data, 0xff, length);
		return;
	}
	for (uint32_t i = 0; i + 4 <= length; i += 4) {
		uint32_t value;

		memcpy(&value, data + i, sizeof(value));
		value = htole32(mutate_register(offset + i, le32toh(value)));
		memcpy(data + i, &value, sizeof(value));
	}
}
