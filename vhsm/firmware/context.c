// SPDX-License-Identifier: Apache-2.0
/*
 * Contexts of a connection. An id is the controller's epoch and a number that is used once in it, so
 * that no command reaches a context made after it was written. A context that is destroyed lives on,
 * unreachable, until its last command has ended; only then does command execution close it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "transport.h"

void contexts_init(struct context_table *table)
{
	memset(table, 0, sizeof(*table));
	pthread_mutex_init(&table->lock, NULL);
}

void contexts_destroy(struct context_table *table)
{
	contexts_clear(table);
	pthread_mutex_destroy(&table->lock);
}

/* context_put - give a reference back; the last one closes the context */
void context_put(struct context *context)
{
	if (atomic_fetch_sub(&context->references, 1) != 1)
		return;
	context_close(context->executor);
	if (context->admin) {
		queue_complete_cid(context->admin, context->admin_cid, IHSM_SC_SUCCESS, 0);
		queue_put(context->admin);
	}
	free(context);
}

/* Takes a free slot; the number in it has not been used in this epoch. Called with the lock held. */
static bool table_insert(struct context_table *table, struct context *context, uint32_t epoch)
{
	for (uint32_t i = 0; i < CONTEXTS_MAX; i++) {
		if (table->slot[i] || table->round[i] == UINT32_MAX / CONTEXTS_MAX)
			continue;
		context->id = (uint64_t)epoch << 32 | (table->round[i]++ * CONTEXTS_MAX + i);
		table->slot[i] = context;
		return true;
	}
	return false;
}

static void table_forget(struct context_table *table, const struct context *context)
{
	uint32_t at = (uint32_t)context->id % CONTEXTS_MAX;

	pthread_mutex_lock(&table->lock);
	if (table->slot[at] == context)
		table->slot[at] = NULL;
	pthread_mutex_unlock(&table->lock);
}

/**
 * contexts_create - open a context
 * @table: of the connection
 * @connection: who asks
 * @epoch: of the controller
 * @id: set to the new id
 *
 * Return: IHSM_SC_SUCCESS, IHSM_SC_NO_CONTEXT or IHSM_SC_INTERNAL.
 */
enum ihsm_status contexts_create(struct context_table *table, const struct connection *connection,
				 uint32_t epoch, uint64_t *id)
{
	struct context *context = calloc(1, sizeof(*context));
	struct context_info info = { .epoch = epoch,
				     .owner = connection->owner,
				     .uid = connection->uid };
	bool inserted;
	int error;

	if (!context)
		return IHSM_SC_INTERNAL;
	atomic_init(&context->references, 1);
	/* Until its executor is there the context is held back by the dead mark. */
	atomic_init(&context->dead, true);
	pthread_mutex_lock(&table->lock);
	inserted = table_insert(table, context, epoch);
	pthread_mutex_unlock(&table->lock);
	if (!inserted) {
		free(context);
		return IHSM_SC_NO_CONTEXT;
	}
	info.id = context->id;
	error = context_open(&info, &context->executor);
	if (error) {
		table_forget(table, context);
		free(context);
		return error == -EUSERS ? IHSM_SC_NO_CONTEXT : IHSM_SC_INTERNAL;
	}
	atomic_store(&context->dead, false);
	*id = context->id;
	return IHSM_SC_SUCCESS;
}

static struct context *table_take(struct context_table *table, uint64_t id)
{
	struct context *context;
	uint32_t at = (uint32_t)id % CONTEXTS_MAX;

	pthread_mutex_lock(&table->lock);
	context = table->slot[at];
	if (context && context->id == id && !atomic_load(&context->dead)) {
		table->slot[at] = NULL;
		atomic_store(&context->dead, true);
	} else {
		context = NULL;
	}
	pthread_mutex_unlock(&table->lock);
	return context;
}

/**
 * contexts_remove - destroy a context
 * @table: of the connection
 * @id: as the command has it
 * @admin: queue whose command @cid is completed when the context is closed; NULL: none
 * @cid: of that command
 *
 * Return: false when there is no such context; then nothing is completed.
 */
bool contexts_remove(struct context_table *table, uint64_t id, struct queue *admin, uint16_t cid)
{
	struct context *context = table_take(table, id);

	if (!context)
		return false;
	if (admin)
		context->admin = queue_get(admin);
	context->admin_cid = cid;
	context_put(context);
	return true;
}

/* contexts_clear - destroy all of them and start the numbers anew, for a new epoch */
void contexts_clear(struct context_table *table)
{
	for (uint32_t i = 0; i < CONTEXTS_MAX; i++) {
		struct context *context;

		pthread_mutex_lock(&table->lock);
		context = table->slot[i];
		table->slot[i] = NULL;
		table->round[i] = 0;
		if (context)
			atomic_store(&context->dead, true);
		pthread_mutex_unlock(&table->lock);
		if (context)
			context_put(context);
	}
}

/* context_get - the live context of that id, referenced; NULL: none */
struct context *context_get(struct context_table *table, uint64_t id)
{
	struct context *context;

	pthread_mutex_lock(&table->lock);
	context = table->slot[(uint32_t)id % CONTEXTS_MAX];
	if (context && context->id == id && !atomic_load(&context->dead))
		atomic_fetch_add(&context->references, 1);
	else
		context = NULL;
	pthread_mutex_unlock(&table->lock);
	return context;
}
