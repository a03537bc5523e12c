// SPDX-License-Identifier: Apache-2.0
/*
 * The registers of BAR 0: enabling, status, reset, doorbells. The thread that serves the socket is the
 * only one that changes what is here; others report faults and events.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "selftest.h"
#include "transport.h"

#define RESET_TIMEOUT_UNITS 20 /* of 500 ms: the longest that a command takes to notice its end */

static uint32_t register_get(const struct connection *connection, unsigned int offset)
{
	uint32_t value;

	memcpy(&value, connection->record->head.registers + offset, sizeof(value));
	return le32toh(value);
}

static uint64_t register_get64(const struct connection *connection, unsigned int offset)
{
	return register_get(connection, offset) | (uint64_t)register_get(connection, offset + 4)
							  << 32;
}

static void register_put(struct connection *connection, unsigned int offset, uint32_t value)
{
	value = htole32(value);
	memcpy(connection->record->head.registers + offset, &value, sizeof(value));
}

/* ---- epochs ---- */

/* An epoch is never used twice on a connection; when none is left the controller stays fatal. */
static void next_epoch(struct connection *connection)
{
	struct controller *controller = &connection->controller;

	if (controller->epoch == UINT32_MAX) {
		controller->exhausted = true;
		return;
	}
	connection->record->head.epoch = ++controller->epoch;
}

/* The first epoch of this process: above all of its predecessors' that counted less than 65,536 resets. */
static uint32_t first_epoch(void)
{
	return (connections_hello()->incarnation & 0xffff) << 16;
}

static uint32_t state_at_start(void)
{
	const uint32_t known = BOARD_HELLO_EMBEDDED | BOARD_HELLO_CLAIMED;
	const struct board_hello *hello = connections_hello();

	if (selftest_failed())
		return IHSM_STATE_ERROR;
	if (hello->flags & BOARD_HELLO_TAMPERED)
		return IHSM_STATE_TAMPERED;
	if (hello->flags & BOARD_HELLO_STALE)
		return IHSM_STATE_RECOVERY;
	if (hello->lifecycle > HSM_LIFECYCLE_PRODUCTION)
		return IHSM_STATE_RETIRED;
	return hello->flags & known ? IHSM_STATE_OPERATIONAL : IHSM_STATE_UNCLAIMED;
}

/**
 * controller_init - the controller of a new connection, as it is after reset
 * @connection: its record is blank
 */
void controller_init(struct connection *connection)
{
	struct controller *controller = &connection->controller;

	memset(controller, 0, sizeof(*controller));
	pthread_mutex_init(&controller->lock, NULL);
	contexts_init(&controller->contexts);
	controller->state = state_at_start();
	controller->epoch = first_epoch();
	next_epoch(connection);
}

/**
 * controller_adopt - the controller of a connection that a predecessor served
 * @connection: its record is the predecessor's, untrusted
 *
 * What was in its rings is lost. If it was enabled it shows IHSM_STATUS_FATAL until the driver resets it.
 */
void controller_adopt(struct connection *connection)
{
	struct controller *controller = &connection->controller;
	uint32_t epoch = connection->record->head.epoch;
	bool enabled = register_get(connection, IHSM_REG_CONFIG) & IHSM_CONFIG_ENABLE;

	controller_init(connection);
	if (epoch > controller->epoch)
		controller->epoch = epoch;
	next_epoch(connection);
	controller->config = enabled ? IHSM_CONFIG_ENABLE : 0;
	atomic_store(&controller->fatal, enabled);
	atomic_store(&controller->halted, enabled);
}

/* ---- reset ---- */

/* Ends every queue and context. Commands that still run are orphans and end in nothing. */
static void tear_down(struct connection *connection)
{
	struct controller *controller = &connection->controller;
	struct queue *queues[IHSM_MAX_QUEUES + 1];

	pthread_mutex_lock(&controller->lock);
	memcpy(queues, controller->queues, sizeof(queues));
	memset(controller->queues, 0, sizeof(controller->queues));
	controller->shadow_set = false;
	controller->event_waiting = 0;
	/* A reset is what follows another firmware: who resets is still told of it. */
	controller->events &= 1U << IHSM_EVENT_FIRMWARE;
	controller->config = 0;
	pthread_mutex_unlock(&controller->lock);
	for (unsigned int i = 0; i <= IHSM_MAX_QUEUES; i++)
		if (queues[i])
			queue_kill(queues[i], false);
	/* From here on no command of before touches the client's memory. */
	dma_quiesce(&connection->dma);
	contexts_clear(&controller->contexts);
	pool_wake_waiters(connection->pool);
	for (unsigned int i = 0; i <= IHSM_MAX_QUEUES; i++) {
		if (!queues[i])
			continue;
		pool_forget(connection->pool, queues[i]);
		queue_put(queues[i]);
	}
}

/**
 * controller_reset - back to the state after power-on, but for the epoch
 * @connection: called by the thread that serves its socket
 */
void controller_reset(struct connection *connection)
{
	struct controller *controller = &connection->controller;

	tear_down(connection);
	next_epoch(connection);
	atomic_store(&controller->fatal, controller->exhausted);
	atomic_store(&controller->halted, controller->exhausted);
	memset(connection->record->head.registers, 0, sizeof(connection->record->head.registers));
}

/* controller_end - the connection ends */
void controller_end(struct connection *connection)
{
	tear_down(connection);
}

/**
 * controller_fatal - nothing goes on before the driver resets the controller
 * @connection: any thread
 * @why: for the log
 */
void controller_fatal(struct connection *connection, const char *why)
{
	struct controller *controller = &connection->controller;

	atomic_store(&controller->halted, true);
	if (!atomic_exchange(&controller->fatal, true))
		log_line("connection %u: controller fatal: %s", connection->id, why);
}

/**
 * controller_event - an asynchronous event for the driver
 * @connection: any thread that does not hold the controller's lock
 * @event: enum ihsm_event; one that is reported again before it was fetched is told once
 * @detail: 24 bits
 */
void controller_event(struct connection *connection, enum ihsm_event event, uint32_t detail)
{
	struct controller *controller = &connection->controller;

	pthread_mutex_lock(&controller->lock);
	if (event == IHSM_EVENT_STATE)
		controller->state = detail & IHSM_STATUS_STATE_MASK;
	controller->events |= 1U << event;
	controller->event_detail[event] = detail & 0xffffff;
	admin_post_events(connection);
	pthread_mutex_unlock(&controller->lock);
}

/* ---- enabling ---- */

static bool log2_valid(uint32_t log2)
{
	return log2 >= IHSM_MIN_ENTRIES_LOG2 && log2 <= IHSM_MAX_ENTRIES_LOG2;
}

static const char *enable(struct connection *connection)
{
	struct controller *controller = &connection->controller;
	uint32_t attributes = register_get(connection, IHSM_REG_ADMIN_ATTR);
	const struct queue_setup setup = {
		.vector = 0,
		.sq_address = register_get64(connection, IHSM_REG_ADMIN_SQ),
		.cq_address = register_get64(connection, IHSM_REG_ADMIN_CQ),
		.sq_log2 = attributes >> IHSM_ADMIN_ATTR_SQ_SHIFT & IHSM_ADMIN_ATTR_MASK,
		.cq_log2 = attributes >> IHSM_ADMIN_ATTR_CQ_SHIFT & IHSM_ADMIN_ATTR_MASK,
	};
	struct queue *queue;

	if (atomic_load(&controller->orphans))
		return "enabled while resetting";
	if (!log2_valid(setup.sq_log2) || !log2_valid(setup.cq_log2))
		return "admin queue size out of range";
	if ((setup.sq_address | setup.cq_address) & (IHSM_RING_ALIGN - 1))
		return "admin queue not aligned";
	queue = queue_create(connection, &setup);
	if (!queue)
		return "out of memory";
	pthread_mutex_lock(&controller->lock);
	controller->queues[0] = queue;
	pthread_mutex_unlock(&controller->lock);
	return NULL;
}

static void write_config(struct connection *connection, uint32_t value)
{
	struct controller *controller = &connection->controller;
	uint8_t saved[sizeof(connection->record->head.registers)];
	uint32_t changed = (value ^ controller->config) & IHSM_CONFIG_ENABLE;
	const char *fault = NULL;

	if (changed && !(value & IHSM_CONFIG_ENABLE)) {
		/* The admin queue's registers stay as they are. */
		memcpy(saved, connection->record->head.registers, sizeof(saved));
		controller_reset(connection);
		memcpy(connection->record->head.registers, saved, sizeof(saved));
	}
	value &= IHSM_CONFIG_ENABLE | IHSM_CONFIG_SHUTDOWN;
	register_put(connection, IHSM_REG_CONFIG, value);
	controller->config = value;
	if (changed && value & IHSM_CONFIG_ENABLE && !atomic_load(&controller->fatal))
		fault = enable(connection);
	if (fault)
		controller_fatal(connection, fault);
	if (value & IHSM_CONFIG_SHUTDOWN)
		atomic_store(&controller->halted, true);
}

/* ---- reading ---- */

static uint64_t capabilities(void)
{
	const struct board_hello *hello = connections_hello();
	uint64_t value = IHSM_CAP_SHADOW | IHSM_CAP_VIRTUAL;

	value |= (uint64_t)IHSM_MAX_ENTRIES_LOG2 << IHSM_CAP_MAX_ENTRIES_SHIFT;
	value |= (uint64_t)hello->max_queues << IHSM_CAP_MAX_QUEUES_SHIFT;
	value |= (uint64_t)RESET_TIMEOUT_UNITS << IHSM_CAP_TIMEOUT_SHIFT;
	value |= (uint64_t)hello->dma_bits << IHSM_CAP_DMA_BITS_SHIFT;
	value |= (uint64_t)IHSM_MAX_VECTORS << IHSM_CAP_VECTORS_SHIFT;
	if (hello->function)
		value |= IHSM_CAP_VF;
	return value;
}

/* controller_quiet - has every command that was fetched ended? */
bool controller_quiet(struct connection *connection)
{
	struct controller *controller = &connection->controller;
	bool quiet = true;

	pthread_mutex_lock(&controller->lock);
	for (unsigned int i = 1; i <= IHSM_MAX_QUEUES && quiet; i++) {
		struct queue *queue = controller->queues[i];

		if (!queue)
			continue;
		pthread_mutex_lock(&queue->lock);
		quiet = !queue->running;
		pthread_mutex_unlock(&queue->lock);
	}
	pthread_mutex_unlock(&controller->lock);
	return quiet;
}

static uint32_t status(struct connection *connection)
{
	struct controller *controller = &connection->controller;
	uint32_t value = controller->state << IHSM_STATUS_STATE_SHIFT;

	if (atomic_load(&controller->fatal))
		value |= IHSM_STATUS_FATAL;
	else if (controller->config & IHSM_CONFIG_ENABLE)
		value |= IHSM_STATUS_READY;
	if (controller->config & IHSM_CONFIG_SHUTDOWN && controller_quiet(connection))
		value |= IHSM_STATUS_SHUTDOWN_DONE;
	if (!(controller->config & IHSM_CONFIG_ENABLE) && atomic_load(&controller->orphans))
		value |= IHSM_STATUS_RESETTING;
	return value;
}

static uint32_t register_read(struct connection *connection, uint64_t offset)
{
	switch (offset) {
	case IHSM_REG_CAP:
		return (uint32_t)capabilities();
	case IHSM_REG_CAP + 4:
		return (uint32_t)(capabilities() >> 32);
	case IHSM_REG_VERSION:
		return IHSM_VERSION;
	case IHSM_REG_CONFIG:
		return connection->controller.config;
	case IHSM_REG_STATUS:
		return status(connection);
	case IHSM_REG_EPOCH:
		return connection->controller.epoch;
	case IHSM_REG_ADMIN_ATTR:
	case IHSM_REG_ADMIN_SQ:
	case IHSM_REG_ADMIN_SQ + 4:
	case IHSM_REG_ADMIN_CQ:
	case IHSM_REG_ADMIN_CQ + 4:
		return register_get(connection, (unsigned int)offset);
	default:
		return 0;
	}
}

/* Words and aligned pairs of words; others have no meaning and no effect. */
static bool access_valid(uint64_t offset, uint32_t length)
{
	return (length == 4 || length == 8) && !(offset & (length - 1));
}

/**
 * controller_read - read from BAR 0
 * @connection: called by the thread that serves its socket
 * @offset: into the BAR
 * @data: set to what is read; all ones for an access that has no meaning
 * @length: bytes, within the BAR
 */
void controller_read(struct connection *connection, uint64_t offset, uint8_t *data, uint32_t length)
{
	memset(data, 0xff, length);
	if (!access_valid(offset, length))
		return;
	for (uint32_t i = 0; i < length; i += 4) {
		uint32_t value = htole32(register_read(connection, offset + i));

		memcpy(data + i, &value, sizeof(value));
	}
}

/* ---- writing ---- */

/* The value is only kept here; connection_work() acts on it when the message has been answered. */
static void write_doorbell(struct connection *connection, uint64_t offset, uint32_t value)
{
	uint64_t at = offset - IHSM_DOORBELL_OFFSET;
	struct queue *queue;

	if (at / 8 > IHSM_MAX_QUEUES)
		return;
	queue = connection->controller.queues[at / 8];
	if (!queue)
		return;
	if (at & 4)
		atomic_store(&queue->doorbell_head, value);
	else
		atomic_store(&queue->doorbell_tail, value);
	connection->rung |= 1ULL << (at / 8);
}

static void register_write(struct connection *connection, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case IHSM_REG_CONFIG:
		write_config(connection, value);
		break;
	case IHSM_REG_RESET:
		if (value == IHSM_RESET_MAGIC)
			controller_reset(connection);
		break;
	case IHSM_REG_ADMIN_ATTR:
	case IHSM_REG_ADMIN_SQ:
	case IHSM_REG_ADMIN_SQ + 4:
	case IHSM_REG_ADMIN_CQ:
	case IHSM_REG_ADMIN_CQ + 4:
		if (!(connection->controller.config & IHSM_CONFIG_ENABLE))
			register_put(connection, (unsigned int)offset, value);
		break;
	default:
		break;
	}
}

/**
 * controller_write - write to BAR 0
 * @connection: called by the thread that serves its socket
 * @offset: into the BAR
 * @data: what is written
 * @length: bytes, within the BAR
 */
void controller_write(struct connection *connection, uint64_t offset, const uint8_t *data,
		      uint32_t length)
{
	if (!access_valid(offset, length))
		return;
	for (uint32_t i = 0; i < length; i += 4) {
		uint32_t value;

		memcpy(&value, data + i, sizeof(value));
		value = le32toh(value);
		if (offset < IHSM_DOORBELL_OFFSET)
			register_write(connection, offset + i, value);
		else if (length == 4)
			write_doorbell(connection, offset, value);
	}
}
