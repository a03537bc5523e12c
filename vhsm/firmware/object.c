// SPDX-License-Identifier: Apache-2.0
/*
 * Objects in memory: their life, their key, and who sees them. index.c finds them.
 */
#include "builtin_objects.h"
#include "commands.h"
#include "use_counter.h"
#include "users.h"

struct object *object_new(void)
{
	struct object *object = OPENSSL_zalloc(sizeof(*object));

	if (object)
		atomic_init(&object->refs, 1);
	return object;
}

struct object *object_get(struct object *object)
{
	atomic_fetch_add_explicit(&object->refs, 1, memory_order_relaxed);
	return object;
}

void object_put(struct object *object)
{
	if (!object || atomic_fetch_sub(&object->refs, 1) != 1)
		return;
	if (object->key)
		key_put(object->key);
	uses_put(atomic_load(&object->uses));
	attributes_free(&object->attributes);
	if (object->token)
		OPENSSL_free(object->sealed);
	OPENSSL_clear_free(object, sizeof(*object));
}

struct key *object_key(struct object *object)
{
	struct key *key = atomic_load(&object->key), *none = NULL;

	if (key)
		return key_get(key);
	key = key_new(&object->attributes);
	if (!key)
		return NULL;
	/* Two threads may have made one each; the first stays. */
	if (!atomic_compare_exchange_strong(&object->key, &none, key)) {
		key_put(key);
		key = none;
	}
	return key_get(key);
}

bool object_visible(const struct object *object, const struct client *client)
{
	if (object->locked || (!object->token && object->owner->client != client))
		return false;
	return !object->is_private || (client->login == CKU_USER && user_may(client, MAY_SEE));
}

uint64_t object_handle(const struct object *object, const struct client *client)
{
	uint64_t logouts = client->logouts & HANDLE_LOGOUTS_MASK;

	if (!object->token || !object->is_private)
		return object->handle;
	return object->handle | logouts << HANDLE_LOGOUTS_SHIFT;
}

struct object *object_find(struct command *command, uint64_t handle)
{
	const uint64_t logouts = (uint64_t)HANDLE_LOGOUTS_MASK << HANDLE_LOGOUTS_SHIFT;
	struct partition *partition = command->partition;
	struct object *object;

	if (handle & HANDLE_BUILTIN)
		return builtin_make(partition, handle);
	pthread_mutex_lock(&partition->lock);
	object =
		index_find(&partition->index, handle & HANDLE_SESSION ? handle : handle & ~logouts);
	if (object && (!object_visible(object, command->client) ||
		       object_handle(object, command->client) != handle))
		object = NULL;
	if (object)
		object_get(object);
	pthread_mutex_unlock(&partition->lock);
	return object;
}
