// SPDX-License-Identifier: Apache-2.0
/*
 * One command of an I/O queue: its request is copied in, executed, its response copied out, and it is
 * completed, exactly once. The entry itself is a private copy already.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <openssl/crypto.h>

#include "transport.h"

/* Where a command's bytes are: one piece, or a list of them. */
struct buffer {
	uint64_t address;
	uint32_t length;
	uint16_t segments;
	bool listed;
};

/* The list is read once, into private memory. */
static enum ihsm_status read_segments(struct dma_map *dma, const struct buffer *buffer,
				      struct ihsm_segment *list)
{
	uint64_t total = 0;

	if (!buffer->segments || buffer->segments > IHSM_MAX_SEGMENTS)
		return IHSM_SC_INVALID_FIELD;
	if (dma_read(dma, buffer->address, list, buffer->segments * sizeof(*list)))
		return IHSM_SC_DATA_TRANSFER;
	for (unsigned int i = 0; i < buffer->segments; i++) {
		if (list[i].reserved)
			return IHSM_SC_INVALID_FIELD;
		total += le32toh(list[i].len);
	}
	return total == buffer->length ? IHSM_SC_SUCCESS : IHSM_SC_INVALID_FIELD;
}

static enum ihsm_status copy_in(struct dma_map *dma, const struct buffer *buffer, uint8_t *to)
{
	struct ihsm_segment list[IHSM_MAX_SEGMENTS];
	enum ihsm_status status;

	if (!buffer->listed)
		return dma_read(dma, buffer->address, to, buffer->length) ? IHSM_SC_DATA_TRANSFER
									  : IHSM_SC_SUCCESS;
	status = read_segments(dma, buffer, list);
	for (unsigned int i = 0; !status && i < buffer->segments; i++) {
		uint32_t length = le32toh(list[i].len);

		if (dma_read(dma, le64toh(list[i].addr), to, length))
			status = IHSM_SC_DATA_TRANSFER;
		to += length;
	}
	return status;
}

static enum ihsm_status copy_out(struct dma_map *dma, const struct buffer *buffer,
				 const uint8_t *from, size_t left)
{
	struct ihsm_segment list[IHSM_MAX_SEGMENTS];
	enum ihsm_status status;

	if (!buffer->listed)
		return dma_write(dma, buffer->address, from, left) ? IHSM_SC_DATA_TRANSFER
								   : IHSM_SC_SUCCESS;
	status = read_segments(dma, buffer, list);
	for (unsigned int i = 0; !status && i < buffer->segments && left; i++) {
		size_t length = le32toh(list[i].len) < left ? le32toh(list[i].len) : left;

		if (dma_write(dma, le64toh(list[i].addr), from, length))
			status = IHSM_SC_DATA_TRANSFER;
		from += length;
		left -= length;
	}
	return status;
}

static enum ihsm_status task_copy_in(struct task *task, const struct buffer *buffer, uint8_t *to)
{
	struct dma_map *dma = &task->queue->connection->dma;
	enum ihsm_status status = IHSM_SC_ABORTED;

	dma_enter(dma);
	if (!atomic_load(&task->queue->dead))
		status = copy_in(dma, buffer, to);
	dma_leave(dma);
	return status;
}

static enum ihsm_status task_copy_out(struct task *task, const struct buffer *buffer,
				      const uint8_t *from, size_t length)
{
	struct dma_map *dma = &task->queue->connection->dma;
	enum ihsm_status status = IHSM_SC_ABORTED;

	dma_enter(dma);
	if (!atomic_load(&task->queue->dead))
		status = copy_out(dma, buffer, from, length);
	dma_leave(dma);
	return status;
}

/* Between copying in and copying out: the private buffers only. */
static enum ihsm_status execute(struct task *task, const struct buffer *in,
				const struct buffer *out, uint32_t *result)
{
	uint8_t *request = worker_request(task->worker);
	uint8_t *response = worker_response(task->worker);
	size_t capacity = out->length < HSM_MESSAGE_MAX ? out->length : HSM_MESSAGE_MAX;
	size_t length = 0;
	enum ihsm_status status;

	if (!request || !response)
		return IHSM_SC_INTERNAL;
	status = task_copy_in(task, in, request);
	if (!status)
		status = message_execute(task, task->context->executor, request, in->length,
					 response, capacity, &length);
	/* What the message said in clear is of no use to the next command. */
	OPENSSL_cleanse(request, in->length);
	if (!status && length > capacity)
		status = IHSM_SC_INTERNAL;
	if (!status)
		status = task_copy_out(task, out, response, length);
	if (!status)
		*result = (uint32_t)length;
	if (task->overloaded)
		return IHSM_SC_BUSY;
	return status;
}

void task_wait_begin(struct task *task)
{
	worker_wait_begin(task->worker, task);
}

void task_wait_end(struct task *task)
{
	worker_wait_end(task->worker, task);
}

static bool fields_valid(const struct ihsm_sqe *sqe)
{
	return !(sqe->flags & ~IHSM_SQE_FLAGS) && !sqe->reserved && !sqe->arg[0] && !sqe->arg[1] &&
	       !sqe->arg[2] && !sqe->arg[3] && !sqe->arg[4];
}

static enum ihsm_status run_message(struct task *task, uint32_t *result)
{
	const struct ihsm_sqe *sqe = &task->sqe;
	const struct buffer in = { le64toh(sqe->in_addr), le32toh(sqe->in_len),
				   le16toh(sqe->in_segments), sqe->flags & IHSM_SQE_IN_SEGMENTS };
	const struct buffer out = { le64toh(sqe->out_addr), le32toh(sqe->out_len),
				    le16toh(sqe->out_segments),
				    sqe->flags & IHSM_SQE_OUT_SEGMENTS };
	enum ihsm_status status;

	if (in.length > HSM_MESSAGE_MAX)
		return IHSM_SC_INVALID_FIELD;
	task->context =
		context_get(&task->queue->connection->controller.contexts, le64toh(sqe->context));
	if (!task->context)
		return IHSM_SC_INVALID_CONTEXT;
	status = execute(task, &in, &out, result);
	return status;
}

static enum ihsm_status run(struct task *task, uint32_t *result)
{
	if (task->aborted_early)
		return IHSM_SC_ABORTED;
	if (!fields_valid(&task->sqe))
		return IHSM_SC_INVALID_FIELD;
	switch (task->sqe.opcode) {
	case IHSM_IO_NOP:
		return IHSM_SC_SUCCESS;
	case IHSM_IO_MESSAGE:
		return run_message(task, result);
	default:
		return IHSM_SC_INVALID_OPCODE;
	}
}

/**
 * task_run - execute a command and complete it
 * @worker: the calling thread; it may lose the socket and the polling on the way
 * @task: from queue_fetch()
 */
void task_run(struct worker *worker, struct task *task)
{
	struct context *context;
	uint32_t result = 0;
	enum ihsm_status status;

	task->worker = worker;
	task->context = NULL;
	status = run(task, &result);
	context = task->context;
	worker_task_ending(worker, task);
	queue_complete(task->queue, task, status, result);
	/* Last: closing the context may take its time, and completes its own admin command. */
	if (context)
		context_put(context);
}

int task_set_class(struct task *task, enum ihsm_time_class time_class)
{
	if (task_cancelled(task))
		return -ECANCELED;
	if (time_class <= task->time_class)
		return 0;
	return worker_set_class(task->worker, task, time_class);
}

void task_stop(struct task *task)
{
	atomic_store(&task->cancelled, true);
	pool_wake_waiters(task->queue->connection->pool);
}

bool task_cancelled(const struct task *task)
{
	return atomic_load(&task->cancelled) || atomic_load(&task->context->dead);
}
