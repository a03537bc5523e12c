// SPDX-License-Identifier: Apache-2.0
/*
 * Counted keys. CKA_HSM_USE_COUNT as stored is a bound that the true count has never passed: each commit moves it on by a
 * reserve, and uses within the reserve cost no commit. What is left of it when the process ends is lost to the
 * key, so the reserve grows with the uses since the start and shrinks with those that are left.
 */
#include "use_counter.h"

#define RESERVE_MAX   1024
#define RESERVE_SHARE 8 /* an eighth of the uses since the start */
#define RESERVE_LEFT  16 /* no more than a sixteenth of those that are left */

/**
 * struct use_counter - one key's uses in this process, shared by the objects that stand for it one after another
 * @lock: outside commit_lock: held while a reserve is put on disk
 * @count: uses so far, or what a former process may have made of them
 * @stored: uses that are on disk as made; @count never passes it
 * @since: uses granted by this process
 */
struct use_counter {
	atomic_uint refs;
	pthread_mutex_t lock;
	uint64_t count;
	uint64_t stored;
	uint64_t since;
};

static struct use_counter *uses_new(const struct attributes *key)
{
	struct use_counter *uses;

	if (!attributes_find(key, CKA_HSM_USE_LIMIT))
		return NULL;
	uses = OPENSSL_zalloc(sizeof(*uses));
	if (!uses)
		return NULL;
	atomic_init(&uses->refs, 1);
	pthread_mutex_init(&uses->lock, NULL);
	uses->count = uses->stored = attributes_ulong(key, CKA_HSM_USE_COUNT, 0);
	return uses;
}

static struct use_counter *uses_get(struct use_counter *uses)
{
	atomic_fetch_add(&uses->refs, 1);
	return uses;
}

void uses_put(struct use_counter *uses)
{
	if (!uses || atomic_fetch_sub(&uses->refs, 1) != 1)
		return;
	pthread_mutex_destroy(&uses->lock);
	OPENSSL_free(uses);
}

/* The object's counter, made when it is first asked for. NULL: no limit, or no memory. */
static struct use_counter *uses_of(struct object *object)
{
	struct use_counter *uses = atomic_load(&object->uses), *none = NULL;

	if (uses)
		return uses;
	uses = uses_new(&object->attributes);
	if (uses && !atomic_compare_exchange_strong(&object->uses, &none, uses)) {
		uses_put(uses);
		uses = none;
	}
	return uses;
}

/* A sealed object has no attributes to make a counter from; it hands on the one that it was given. */
void uses_share(struct object *from, struct object *to)
{
	struct use_counter *uses = uses_of(from);

	if (uses)
		atomic_store(&to->uses, uses_get(uses));
}

bool uses_count(struct object *object, uint64_t *count)
{
	struct use_counter *uses = uses_of(object);

	if (!uses)
		return false;
	pthread_mutex_lock(&uses->lock);
	*count = uses->count;
	pthread_mutex_unlock(&uses->lock);
	return true;
}

static uint64_t reserve(const struct use_counter *uses, uint64_t left)
{
	uint64_t size = 1 + uses->since / RESERVE_SHARE;

	if (size > left / RESERVE_LEFT)
		size = left / RESERVE_LEFT;
	if (size > RESERVE_MAX)
		size = RESERVE_MAX;
	return size ? size : 1;
}

/* Put a reserve on disk. The caller holds uses->lock. Return: also OBJECT_STALE. */
static CK_RV refill(struct command *command, struct object *object, struct use_counter *uses,
		    uint64_t left)
{
	uint64_t stored = uses->stored + reserve(uses, left);
	struct attributes set = { 0 };
	CK_RV rv;

	rv = attributes_copy(&set, &object->attributes);
	if (rv == CKR_OK)
		rv = attributes_set_ulong(&set, CKA_HSM_USE_COUNT, stored);
	if (rv == CKR_OK)
		rv = object_replace(command, object, &set);
	if (rv == CKR_OK)
		uses->stored = stored;
	attributes_free(&set);
	return rv;
}

static CK_RV take(struct command *command, struct object *object, struct use_counter *uses)
{
	uint64_t limit = attributes_ulong(&object->attributes, CKA_HSM_USE_LIMIT, 0);
	CK_RV rv = CKR_OK;

	pthread_mutex_lock(&uses->lock);
	if (uses->count >= limit)
		rv = CKR_KEY_EXHAUSTED;
	else if (uses->count == uses->stored)
		rv = refill(command, object, uses, limit - uses->count);
	if (rv == CKR_OK) {
		uses->count++;
		uses->since++;
	}
	pthread_mutex_unlock(&uses->lock);
	return rv;
}

/* The object that stands for the key now, in the place of @object */
CK_RV uses_look_again(struct command *command, struct object **object)
{
	struct object *now;
	uint64_t handle;

	pthread_mutex_lock(&command->partition->lock);
	handle = object_handle(*object, command->client);
	pthread_mutex_unlock(&command->partition->lock);
	now = object_find(command, handle);
	if (!now)
		return CKR_KEY_HANDLE_INVALID;
	object_put(*object);
	*object = now;
	return CKR_OK;
}

CK_RV uses_take(struct command *command, struct object **object)
{
	struct use_counter *uses;
	CK_RV rv;

	do {
		if (!attributes_find(&(*object)->attributes, CKA_HSM_USE_LIMIT))
			return CKR_OK;
		uses = uses_of(*object);
		rv = uses ? take(command, *object, uses) : CKR_HOST_MEMORY;
		if (rv == OBJECT_STALE && uses_look_again(command, object) != CKR_OK)
			return CKR_KEY_HANDLE_INVALID;
	} while (rv == OBJECT_STALE);
	return rv;
}
