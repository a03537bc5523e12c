// SPDX-License-Identifier: Apache-2.0
/*
 * Admin commands: identification, queues, contexts, abort, events. The thread that serves the socket
 * executes them, in order.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>

#include "transport.h"

_Static_assert(sizeof(struct ihsm_identify) == 4096, "ihsm_identify");
_Static_assert(sizeof(struct ihsm_shadow_host) == 64, "ihsm_shadow_host");
_Static_assert(sizeof(struct ihsm_shadow_device) == 64, "ihsm_shadow_device");

/* Longest time of a command of each class, alone on the device, milliseconds. */
static const uint32_t class_ms[IHSM_TIME_CLASSES] = { 2000, 5000, 30000, 300000 };

/* A command was answered by its handler, or will be, by its cid. */
#define PUT_OFF ((enum ihsm_status) - 1)

/**
 * struct admin - an admin command being executed
 * @connection: it came on
 * @queue: the admin queue
 * @sqe: private copy
 * @cid: of the command
 * @arg: in the machine's byte order
 * @result: for the completion
 */
struct admin {
	struct connection *connection;
	struct queue *queue;
	const struct ihsm_sqe *sqe;
	uint16_t cid;
	uint32_t arg[5];
	uint32_t result;
};

static enum ihsm_status write_out(const struct admin *admin, const void *from, uint32_t length)
{
	struct dma_map *dma = &admin->connection->dma;
	int error;

	if (le32toh(admin->sqe->out_len) < length)
		return IHSM_SC_INVALID_FIELD;
	dma_enter(dma);
	error = dma_write(dma, le64toh(admin->sqe->out_addr), from, length);
	dma_leave(dma);
	return error ? IHSM_SC_DATA_TRANSFER : IHSM_SC_SUCCESS;
}

static enum ihsm_status do_identify(struct admin *admin)
{
	const struct board_hello *hello = connections_hello();
	const struct controller *controller = &admin->connection->controller;
	struct ihsm_identify identify = {
		.version = htole32(IHSM_VERSION),
		.epoch = htole32(controller->epoch),
		.security_version = htole32(hello->security_version),
		.function = htole32(hello->function),
		.functions = htole32(hello->functions),
		.max_message = htole32(HSM_MESSAGE_MAX),
		.max_contexts = htole32(CONTEXTS_MAX),
		.partitions = htole32(commands_partitions()),
		.state = htole32(controller->state),
		.flags = htole32(IHSM_IDENTIFY_VIRTUAL),
	};

	identify.self_test = htole32(commands_self_test());
	identify.min_security_version = htole32(commands_minimum_version());
	identify.sensors = htole32(hello->sensors);
	identify.flags |= htole32(IHSM_IDENTIFY_RANDOM);
	/* Images are the board's business, and so function 0's. */
	if (!hello->function)
		identify.flags |= htole32(IHSM_IDENTIFY_STAGE);
	commands_partition_list(identify.partition, IHSM_IDENTIFY_PARTITIONS);
	if (hello->flags & BOARD_HELLO_ROLLBACK_SAFE)
		identify.flags |= htole32(IHSM_IDENTIFY_ROLLBACK_SAFE);
	if (hello->flags & BOARD_HELLO_APPROVED)
		identify.flags |= htole32(IHSM_IDENTIFY_APPROVED);
	memcpy(identify.board_id, hello->board_id, sizeof(identify.board_id));
	memcpy(identify.measurement, hello->measurement, sizeof(identify.measurement));
	snprintf(identify.serial, sizeof(identify.serial), "%.31s", hello->serial);
	snprintf(identify.model, sizeof(identify.model), "Virtual HSM");
	/* What was verified and runs, which need not be what this file was built as. */
	snprintf(identify.firmware, sizeof(identify.firmware), "%.31s", hello->version);
	for (unsigned int i = 0; i < IHSM_TIME_CLASSES; i++)
		identify.class_ms[i] = htole32(class_ms[i]);
	return write_out(admin, &identify, sizeof(identify));
}

/* ---- queues ---- */

static struct queue **queue_slot(struct admin *admin, uint32_t id)
{
	if (!id || id > connections_hello()->max_queues || id > IHSM_MAX_QUEUES)
		return NULL;
	return &admin->connection->controller.queues[id];
}

static bool log2_valid(unsigned int log2)
{
	return log2 >= IHSM_MIN_ENTRIES_LOG2 && log2 <= IHSM_MAX_ENTRIES_LOG2;
}

/* The first command shall ring the doorbell. */
static enum ihsm_status prepare_shadow(struct admin *admin, struct queue *queue)
{
	const struct controller *controller = &admin->connection->controller;
	struct dma_map *dma = &admin->connection->dma;
	int error;

	if (!controller->shadow_set)
		return IHSM_SC_SUCCESS;
	queue_set_shadow(queue, controller->shadow_host, controller->shadow_device);
	dma_enter(dma);
	error = dma_store32(dma,
			    queue->shadow_device + offsetof(struct ihsm_shadow_device, sq_event),
			    htole32(0));
	if (!error)
		error = dma_store32(
			dma, queue->shadow_device + offsetof(struct ihsm_shadow_device, cq_event),
			htole32(UINT32_MAX));
	dma_leave(dma);
	return error ? IHSM_SC_DATA_TRANSFER : IHSM_SC_SUCCESS;
}

static enum ihsm_status do_create_queue(struct admin *admin)
{
	struct queue **slot = queue_slot(admin, admin->arg[0]);
	const struct queue_setup setup = {
		.id = (uint16_t)admin->arg[0],
		.vector = (uint16_t)admin->arg[2],
		.sq_address = le64toh(admin->sqe->in_addr),
		.cq_address = le64toh(admin->sqe->out_addr),
		.sq_log2 = admin->arg[1] & 0xf,
		.cq_log2 = admin->arg[1] >> 8 & 0xf,
	};
	struct queue *queue;
	enum ihsm_status status;

	if (!slot || *slot)
		return IHSM_SC_INVALID_QUEUE;
	if (admin->arg[1] & ~0xf0fU || !log2_valid(setup.sq_log2) || !log2_valid(setup.cq_log2) ||
	    (setup.sq_address | setup.cq_address) & (IHSM_RING_ALIGN - 1))
		return IHSM_SC_INVALID_FIELD;
	if (admin->arg[2] >= IHSM_MAX_VECTORS && admin->arg[2] != IHSM_NO_VECTOR)
		return IHSM_SC_INVALID_VECTOR;
	queue = queue_create(admin->connection, &setup);
	if (!queue)
		return IHSM_SC_INTERNAL;
	status = prepare_shadow(admin, queue);
	if (status) {
		queue_put(queue);
		return status;
	}
	pthread_mutex_lock(&admin->connection->controller.lock);
	*slot = queue;
	pthread_mutex_unlock(&admin->connection->controller.lock);
	return IHSM_SC_SUCCESS;
}

static enum ihsm_status do_delete_queue(struct admin *admin)
{
	struct queue **slot = queue_slot(admin, admin->arg[0]);
	struct connection *connection = admin->connection;
	struct queue *queue;

	if (!slot || !*slot)
		return IHSM_SC_INVALID_QUEUE;
	pthread_mutex_lock(&connection->controller.lock);
	queue = *slot;
	*slot = NULL;
	pthread_mutex_unlock(&connection->controller.lock);
	queue_kill(queue, true);
	dma_quiesce(&connection->dma);
	pool_wake_waiters(connection->pool);
	pool_forget(connection->pool, queue);
	queue_put(queue);
	return IHSM_SC_SUCCESS;
}

static enum ihsm_status do_set_shadow(struct admin *admin)
{
	struct controller *controller = &admin->connection->controller;
	uint64_t host = le64toh(admin->sqe->in_addr), device = le64toh(admin->sqe->out_addr);

	if ((host | device) & (IHSM_SHADOW_PAGE_SIZE - 1))
		return IHSM_SC_INVALID_FIELD;
	for (unsigned int i = 1; i <= IHSM_MAX_QUEUES; i++)
		if (controller->queues[i])
			return IHSM_SC_INVALID_FIELD;
	controller->shadow_host = host;
	controller->shadow_device = device;
	controller->shadow_set = true;
	return IHSM_SC_SUCCESS;
}

/* ---- abort and events ---- */

/* An event request that waits can be aborted too. */
static bool abort_event(struct admin *admin, uint16_t cid)
{
	struct controller *controller = &admin->connection->controller;
	bool found = false;

	pthread_mutex_lock(&controller->lock);
	for (unsigned int i = 0; i < controller->event_waiting && !found; i++) {
		found = controller->event_cids[i] == cid;
		if (found)
			controller->event_cids[i] =
				controller->event_cids[--controller->event_waiting];
	}
	pthread_mutex_unlock(&controller->lock);
	if (found)
		queue_complete_cid(admin->queue, cid, IHSM_SC_ABORTED, 0);
	return found;
}

static enum ihsm_status do_abort(struct admin *admin)
{
	struct queue **slot = queue_slot(admin, admin->arg[0]);

	if (admin->arg[1] > UINT16_MAX)
		return IHSM_SC_INVALID_FIELD;
	if (!admin->arg[0]) {
		admin->result = abort_event(admin, (uint16_t)admin->arg[1]);
		return IHSM_SC_SUCCESS;
	}
	if (!slot || !*slot)
		return IHSM_SC_INVALID_QUEUE;
	admin->result = queue_abort(*slot, (uint16_t)admin->arg[1]);
	if (admin->result)
		pool_wake_waiters(admin->connection->pool);
	return IHSM_SC_SUCCESS;
}

/**
 * admin_post_events - complete event requests, as many as there are events
 * @connection: with its controller's lock held
 */
void admin_post_events(struct connection *connection)
{
	struct controller *controller = &connection->controller;

	while (controller->queues[0] && controller->events && controller->event_waiting) {
		unsigned int event = (unsigned int)__builtin_ctz(controller->events);
		uint16_t cid = controller->event_cids[--controller->event_waiting];

		controller->events &= ~(1U << event);
		queue_complete_cid(controller->queues[0], cid, IHSM_SC_SUCCESS,
				   event | controller->event_detail[event] << 8);
	}
}

static enum ihsm_status do_async_event(struct admin *admin)
{
	struct controller *controller = &admin->connection->controller;
	enum ihsm_status status = PUT_OFF;

	pthread_mutex_lock(&controller->lock);
	if (controller->event_waiting >= IHSM_MAX_ASYNC_EVENTS) {
		status = IHSM_SC_EVENT_LIMIT;
	} else {
		controller->event_cids[controller->event_waiting++] = admin->cid;
		admin_post_events(admin->connection);
	}
	pthread_mutex_unlock(&controller->lock);
	return status;
}

/* ---- contexts ---- */

static enum ihsm_status do_create_context(struct admin *admin)
{
	struct controller *controller = &admin->connection->controller;
	enum ihsm_status status;
	uint64_t id, wire;

	if (le32toh(admin->sqe->out_len) < sizeof(wire))
		return IHSM_SC_INVALID_FIELD;
	status = contexts_create(&controller->contexts, admin->connection, controller->epoch, &id);
	if (status)
		return status;
	wire = htole64(id);
	status = write_out(admin, &wire, sizeof(wire));
	if (status)
		contexts_remove(&controller->contexts, id, NULL, 0);
	return status;
}

static enum ihsm_status do_destroy_context(struct admin *admin)
{
	struct controller *controller = &admin->connection->controller;

	if (!contexts_remove(&controller->contexts, le64toh(admin->sqe->context), admin->queue,
			     admin->cid))
		return IHSM_SC_INVALID_CONTEXT;
	pool_wake_waiters(admin->connection->pool);
	return PUT_OFF;
}

/* ---- random numbers, sensors, firmware images ---- */

static enum ihsm_status do_random(struct admin *admin)
{
	uint32_t length = le32toh(admin->sqe->out_len);
	uint8_t bytes[IHSM_RANDOM_MAX];
	enum ihsm_status status;

	if (!length || length > sizeof(bytes))
		return IHSM_SC_INVALID_FIELD;
	if (commands_random(bytes, length))
		return IHSM_SC_INTERNAL;
	status = write_out(admin, bytes, length);
	OPENSSL_cleanse(bytes, length);
	if (!status)
		admin->result = length;
	return status;
}

static void put_sensor(struct ihsm_sensor *sensor, const struct board_sensor *from)
{
	sensor->kind = (uint8_t)from->kind;
	sensor->flags = (uint8_t)from->flags;
	memcpy(sensor->label, from->label, sizeof(sensor->label));
	sensor->value = htole32((uint32_t)from->value);
	sensor->min = htole32((uint32_t)from->min);
	sensor->max = htole32((uint32_t)from->max);
}

/* The board has them. */
static enum ihsm_status do_sensors(struct admin *admin)
{
	struct board_sensor from[IHSM_MAX_SENSORS];
	struct ihsm_sensors sensors = { 0 };
	size_t length = 0, count, i;

	if (connections_hello()->sensors &&
	    storage_call(BOARD_SENSORS, NULL, 0, from, sizeof(from), &length))
		return IHSM_SC_INTERNAL;
	count = length / sizeof(from[0]);
	for (i = 0; i < count; i++)
		put_sensor(&sensors.sensor[i], &from[i]);
	sensors.count = htole32((uint32_t)count);
	return write_out(admin, &sensors, sizeof(sensors));
}

static enum ihsm_status stage_status(int error)
{
	switch (error) {
	case 0:
		return IHSM_SC_SUCCESS;
	case -EINVAL:
		return IHSM_SC_INVALID_FIELD;
	default:
		return IHSM_SC_INTERNAL;
	}
}

static enum ihsm_status do_stage(struct admin *admin)
{
	struct dma_map *dma = &admin->connection->dma;
	const struct board_stage head = { .step = admin->arg[0], .number = admin->arg[1] };
	uint32_t length = le32toh(admin->sqe->in_len);
	uint8_t bytes[IHSM_STAGE_MAX];
	const struct iovec parts[] = { { (void *)&head, sizeof(head) }, { bytes, length } };
	size_t answered;
	int error = 0;

	if (connections_hello()->function)
		return IHSM_SC_INVALID_OPCODE;
	if (length > sizeof(bytes))
		return IHSM_SC_INVALID_FIELD;
	if (length) {
		dma_enter(dma);
		error = dma_read(dma, le64toh(admin->sqe->in_addr), bytes, length);
		dma_leave(dma);
	}
	if (error)
		return IHSM_SC_DATA_TRANSFER;
	return stage_status(storage_call(BOARD_STAGE, parts, 2, NULL, 0, &answered));
}

/* ---- dispatch ---- */

/* struct admin_operation - an admin command; @context: it names one */
struct admin_operation {
	enum ihsm_status (*execute)(struct admin *admin);
	bool context;
};

static const struct admin_operation operations[] = {
	[IHSM_ADMIN_IDENTIFY] = { do_identify, false },
	[IHSM_ADMIN_CREATE_QUEUE] = { do_create_queue, false },
	[IHSM_ADMIN_DELETE_QUEUE] = { do_delete_queue, false },
	[IHSM_ADMIN_SET_SHADOW] = { do_set_shadow, false },
	[IHSM_ADMIN_ABORT] = { do_abort, false },
	[IHSM_ADMIN_ASYNC_EVENT] = { do_async_event, false },
	[IHSM_ADMIN_CREATE_CONTEXT] = { do_create_context, false },
	[IHSM_ADMIN_DESTROY_CONTEXT] = { do_destroy_context, true },
	[IHSM_ADMIN_RANDOM] = { do_random, false },
	[IHSM_ADMIN_SENSORS] = { do_sensors, false },
	[IHSM_ADMIN_STAGE] = { do_stage, false },
};

static enum ihsm_status execute(struct admin *admin)
{
	const struct ihsm_sqe *sqe = admin->sqe;
	const struct admin_operation *operation;

	if (sqe->opcode >= sizeof(operations) / sizeof(operations[0]))
		return IHSM_SC_INVALID_OPCODE;
	operation = &operations[sqe->opcode];
	if (!operation->execute)
		return IHSM_SC_INVALID_OPCODE;
	if (sqe->flags || sqe->reserved || sqe->in_segments || sqe->out_segments ||
	    (sqe->context && !operation->context))
		return IHSM_SC_INVALID_FIELD;
	return operation->execute(admin);
}

/**
 * admin_queue_work - execute what is in the admin queue
 * @connection: called by the thread that serves its socket
 */
void admin_queue_work(struct connection *connection)
{
	struct queue *queue = connection->controller.queues[0];
	struct task task;
	bool more;

	while (queue && queue_fetch(queue, &task, &more)) {
		struct admin admin = { .connection = connection,
				       .queue = queue,
				       .sqe = &task.sqe,
				       .cid = le16toh(task.sqe.cid) };
		enum ihsm_status status;

		for (unsigned int i = 0; i < 5; i++)
			admin.arg[i] = le32toh(task.sqe.arg[i]);
		status = execute(&admin);
		if (status == PUT_OFF)
			queue_put(queue);
		else
			queue_complete(queue, &task, status, admin.result);
	}
}
