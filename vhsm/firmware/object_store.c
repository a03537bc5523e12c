// SPDX-License-Identifier: Apache-2.0
/*
 * Changes to a partition's objects: adding, replacing, destroying. Token objects are on disk before they are in
 * the index, so that nobody sees what a crash would take back.
 */
#include <string.h>
#include "audit.h"
#include "commit_group.h"
#include "use_counter.h"
#include "users.h"
#include "validation.h"

#define ROW_OVERHEAD 128

CK_RV object_allowed(const struct command *command, const struct attributes *attributes)
{
	const struct client *client = command->client;

	if (attributes_bool(attributes, CKA_TOKEN, false) && !session_writes(command->session))
		return CKR_SESSION_READ_ONLY;
	if (attributes_bool(attributes, CKA_PRIVATE, false) &&
	    (!session_user(command->session) ||
	     !(user_may(client, MAY_USE) || user_may(client, MAY_WRITE))))
		return CKR_USER_NOT_LOGGED_IN;
	return CKR_OK;
}

static size_t size_of(const struct attributes *set)
{
	return ROW_OVERHEAD + set->size;
}

/* With what the other commands of the commit add. The caller holds partition->lock, for token objects commit_lock too. */
static bool within_quota(const struct partition *partition, struct object *const *objects,
			 size_t count, bool durable)
{
	uint64_t token = partition->token_bytes, session = partition->session_bytes;
	uint64_t tokens = partition->state.rows, sessions = partition->session_objects;
	size_t i;

	if (durable) {
		token += partition->group.bytes;
		tokens += partition->group.rows;
	}
	for (i = 0; i < count; i++) {
		if (objects[i]->token) {
			token += size_of(&objects[i]->attributes);
			tokens++;
		} else {
			session += size_of(&objects[i]->attributes);
			sessions++;
		}
	}
	return token <= partition->info.max_bytes && session <= partition->info.max_bytes &&
	       tokens <= partition->info.max_objects && sessions <= partition->info.max_objects;
}

static struct object *make(struct command *command, struct attributes *set)
{
	struct object *object = object_new();

	if (!object)
		return NULL;
	object->attributes = *set;
	*set = (struct attributes){ 0 };
	object->token = attributes_bool(&object->attributes, CKA_TOKEN, false);
	object->is_private = attributes_bool(&object->attributes, CKA_PRIVATE, false);
	if (!object->token)
		object->owner = command->session;
	return object;
}

/* To the objects of its session. The caller holds partition->lock. */
static void own(struct object *object)
{
	struct object **head = &object->owner->objects;

	object->mine = (struct object_link){ .next = *head, .before = head };
	if (*head)
		(*head)->mine.before = &object->mine.next;
	*head = object;
}

static void disown(struct object *object)
{
	*object->mine.before = object->mine.next;
	if (object->mine.next)
		object->mine.next->mine.before = object->mine.before;
}

/* Into the index, with its share of the accounts. The caller holds partition->lock. */
static CK_RV enter(struct partition *partition, struct object *object)
{
	/* One that a logout has overtaken is about to be locked, and needs its sealed form. */
	if (!object->is_private || partition->users)
		object_rest(object);
	if (index_insert(&partition->index, object) < 0)
		return CKR_HOST_MEMORY;
	if (object->token) {
		partition->token_bytes += object->stored_length;
	} else {
		own(object);
		object->stored_length = size_of(&object->attributes);
		partition->session_bytes += object->stored_length;
		partition->session_objects++;
	}
	return CKR_OK;
}

static void leave(struct partition *partition, struct object *object)
{
	if (object->token) {
		partition->token_bytes -= object->stored_length;
	} else {
		disown(object);
		partition->session_bytes -= object->stored_length;
		partition->session_objects--;
	}
	index_remove(&partition->index, object);
}

/* Quota, and numbers for the session objects */
static CK_RV admit(struct partition *partition, struct object **objects, size_t count, bool durable)
{
	CK_RV rv = CKR_OK;
	size_t i;

	pthread_mutex_lock(&partition->lock);
	if (!within_quota(partition, objects, count, durable))
		rv = CKR_DEVICE_MEMORY;
	for (i = 0; i < count; i++)
		if (!objects[i]->token && !objects[i]->handle)
			objects[i]->handle = HANDLE_SESSION + partition->next_session_object++;
	pthread_mutex_unlock(&partition->lock);
	return rv;
}

/* A session object's client or session may have ended while it was being made. */
static bool owner_gone(struct command *command)
{
	struct session *session = session_find(command->client, command->session->id);

	session_put(session);
	return !session || command->client->closed;
}

/* May a session object still enter? A token object is on disk and does in any case. */
static CK_RV may_enter(struct command *command, const struct object *object)
{
	if (object->token)
		return CKR_OK;
	if (owner_gone(command))
		return CKR_SESSION_HANDLE_INVALID;
	return object_allowed(command, &object->attributes);
}

static CK_RV enter_all(struct command *command, struct object **objects, size_t count)
{
	struct partition *partition = command->partition;
	CK_RV rv = CKR_OK, one;
	size_t i;

	pthread_mutex_lock(&partition->lock);
	for (i = 0; i < count && !partition->dead; i++) {
		one = may_enter(command, objects[i]);
		if (one == CKR_OK)
			one = enter(partition, objects[i]);
		if (one != CKR_OK)
			rv = one;
		if (objects[i]->is_private)
			partition_lock_objects(partition);
	}
	pthread_mutex_unlock(&partition->lock);
	return rv;
}

/**
 * struct adding - new objects on their way to the disk
 * @set: first, so that it leads here
 */
struct adding {
	struct change_set set;
	struct command *command;
	struct object **objects;
	size_t count;
};

/* One that cannot be sealed, since the last user has gone, must not hold up the others of a commit. */
static bool sealable(struct partition *partition, const struct object *object)
{
	bool users;

	if (!object->token || !object->is_private)
		return true;
	pthread_mutex_lock(&partition->lock);
	users = partition->users;
	pthread_mutex_unlock(&partition->lock);
	return users;
}

/* By which mechanism an object comes into being, plus one; 0: by none */
static uint64_t mechanism_of(const struct command *command)
{
	uint64_t mechanism = hsm_fields_u64(&command->fields, HSM_FIELD_MECHANISM, ~0ULL);

	return mechanism + 1;
}

static CK_RV record_object(const struct command *command, struct partition_state *next,
			   enum hsm_audit_event event, const struct object *object)
{
	char actor[AUDIT_ACTOR_MAX];
	struct hsm_audit_record record = audit_begin(command, event, actor);

	audit_object(&record, &object->attributes, object->handle);
	record.mechanism = mechanism_of(command);
	return audit_record(command->partition, next, &record);
}

/* Numbers for the token objects */
static CK_RV prepare_adding(struct partition *partition, struct partition_state *next,
			    struct change_set *set)
{
	struct adding *adding = (struct adding *)set;
	struct object *object;
	size_t i;
	CK_RV rv;

	for (i = 0; i < adding->count; i++)
		if (!sealable(partition, adding->objects[i]))
			return CKR_USER_NOT_LOGGED_IN;
	rv = admit(partition, adding->objects, adding->count, true);
	for (i = 0; i < adding->count && rv == CKR_OK; i++) {
		object = adding->objects[i];
		if (!object->token)
			continue;
		object->handle = next->next_id++;
		partition->group.rows++;
		partition->group.bytes += size_of(&object->attributes);
		set->changes[set->count++] = (struct store_change){ .after = object };
		rv = record_object(adding->command, next, HSM_AUDIT_OBJECT_CREATED, object);
	}
	return rv;
}

static void finish_adding(struct partition *partition, struct change_set *set)
{
	struct adding *adding = (struct adding *)set;

	(void)partition;
	set->rv = enter_all(adding->command, adding->objects, adding->count);
}

/* Session objects alone do not wait for the disk. */
static CK_RV add(struct command *command, struct object **objects, size_t count, bool durable)
{
	struct adding adding = {
		.set = { .prepare = prepare_adding, .finish = finish_adding },
		.command = command,
		.objects = objects,
		.count = count,
	};
	CK_RV rv;

	if (durable)
		return commit_together(command->task, command->partition, &adding.set);
	rv = admit(command->partition, objects, count, false);
	return rv == CKR_OK ? enter_all(command, objects, count) : rv;
}

/* A key that an approved service makes, where the board has a validation: true to it, and its copies are. */
static CK_RV set_validated(const struct command *command, struct attributes *set)
{
	if (!command->approved || !validation_attributes() ||
	    !class_is_key(attributes_ulong(set, CKA_CLASS, ~0ULL)))
		return CKR_OK;
	return attributes_set_ulong(set, CKA_OBJECT_VALIDATION_FLAGS, VALIDATION_FLAG);
}

CK_RV objects_add(struct command *command, struct attributes *sets, size_t count, uint64_t *handles)
{
	struct object *objects[OBJECTS_ADD_MAX] = { NULL };
	bool durable = false;
	CK_RV rv = CKR_OK;
	size_t i;

	for (i = 0; i < count && rv == CKR_OK; i++) {
		rv = object_allowed(command, &sets[i]);
		if (rv == CKR_OK)
			rv = policy_object(command->partition, &sets[i]);
		if (rv == CKR_OK)
			rv = set_validated(command, &sets[i]);
		if (rv == CKR_OK && !(objects[i] = make(command, &sets[i])))
			rv = CKR_HOST_MEMORY;
		durable = durable || (objects[i] && objects[i]->token);
	}
	if (rv == CKR_OK)
		rv = add(command, objects, count, durable);
	pthread_mutex_lock(&command->partition->lock);
	for (i = 0; i < count; i++)
		if (objects[i])
			handles[i] = object_handle(objects[i], command->client);
	pthread_mutex_unlock(&command->partition->lock);
	for (i = 0; i < count; i++)
		object_put(objects[i]);
	return rv;
}

/* Is it still the object that the caller found? The caller holds commit_lock. */
static bool current(struct partition *partition, const struct object *object)
{
	bool same;

	pthread_mutex_lock(&partition->lock);
	same = index_find(&partition->index, object->handle) == object;
	pthread_mutex_unlock(&partition->lock);
	return same;
}

/*
 * What stands in the index for an object that a commit has just changed. A logout may have put its sealed form there
 * meanwhile, or, since session objects are no part of commits, the end of its session taken it out: then NULL. The
 * caller holds partition->lock.
 */
static struct object *standing(struct partition *partition, const struct object *object)
{
	return index_find(&partition->index, object->handle);
}

/**
 * struct changing - an object that is replaced, or destroyed when there is no @after
 * @set: first, so that it leads here
 */
struct changing {
	struct change_set set;
	struct command *command;
	struct object *after;
};

/* What grows must fit as what is new must; what shrinks always may. Locks as for within_quota(). */
static CK_RV room_to_grow(struct partition *partition, const struct object *before,
			  const struct object *after)
{
	uint64_t from = before->attributes.size, to = after ? after->attributes.size : 0, used;
	CK_RV rv = CKR_OK;

	if (to <= from)
		return CKR_OK;
	pthread_mutex_lock(&partition->lock);
	used = before->token ? partition->token_bytes + partition->group.bytes
			     : partition->session_bytes;
	if (used + (to - from) > partition->info.max_bytes)
		rv = CKR_DEVICE_MEMORY;
	pthread_mutex_unlock(&partition->lock);
	if (rv == CKR_OK && before->token)
		partition->group.bytes += to - from;
	return rv;
}

/* What an application changes; the counters of a key are not that. */
static CK_RV record_change(const struct changing *changing, struct partition_state *next)
{
	const struct command *command = changing->command;
	const struct object *before = changing->set.before;
	CK_RV rv;

	if (changing->after && command->info->code == HSM_OP_ATTRIBUTES_SET)
		return record_object(command, next, HSM_AUDIT_OBJECT_CHANGED, before);
	if (changing->after)
		return CKR_OK;
	rv = record_object(command, next, HSM_AUDIT_OBJECT_DESTROYED, before);
	/* Last, since it takes what was counted */
	return rv == CKR_OK ? audit_uses_end(command->partition, next, before->handle) : rv;
}

static CK_RV prepare_changing(struct partition *partition, struct partition_state *next,
			      struct change_set *set)
{
	struct changing *changing = (struct changing *)set;
	CK_RV rv;

	if (!current(partition, set->before))
		return OBJECT_STALE;
	if (changing->after && !sealable(partition, changing->after))
		return CKR_USER_NOT_LOGGED_IN;
	rv = room_to_grow(partition, set->before, changing->after);
	if (rv != CKR_OK)
		return rv;
	set->advance = !changing->after;
	set->changes[set->count++] =
		(struct store_change){ .before = set->before, .after = changing->after };
	return record_change(changing, next);
}

static void finish_changing(struct partition *partition, struct change_set *set)
{
	struct object *after = ((struct changing *)set)->after, *now;

	pthread_mutex_lock(&partition->lock);
	now = standing(partition, set->before);
	if (now)
		leave(partition, now);
	if (after)
		set->rv = now ? enter(partition, after) : CKR_OBJECT_HANDLE_INVALID;
	if (after && after->is_private)
		partition_lock_objects(partition);
	pthread_mutex_unlock(&partition->lock);
}

/* A session object's change is no affair of the disk. */
static CK_RV change_now(struct partition *partition, struct change_set *set)
{
	pthread_mutex_lock(&partition->commit_lock);
	set->rv = current(partition, set->before) ? CKR_OK : OBJECT_STALE;
	if (set->rv == CKR_OK)
		set->rv = room_to_grow(partition, set->before, ((struct changing *)set)->after);
	if (set->rv == CKR_OK)
		finish_changing(partition, set);
	pthread_mutex_unlock(&partition->commit_lock);
	return set->rv;
}

static CK_RV change(struct command *command, struct object *before, struct object *after)
{
	struct changing changing = {
		.set = { .prepare = prepare_changing, .finish = finish_changing, .before = before },
		.command = command,
		.after = after,
	};

	if (!before->token)
		return change_now(command->partition, &changing.set);
	return commit_together(command->task, command->partition, &changing.set);
}

CK_RV object_replace(struct command *command, struct object *before, struct attributes *set)
{
	struct object *after = make(command, set);
	struct key *key = atomic_load(&before->key);
	CK_RV rv;

	if (!after)
		return CKR_HOST_MEMORY;
	after->handle = before->handle;
	if (!before->token)
		after->owner = before->owner;
	/* What changes is not the key. */
	if (key)
		atomic_store(&after->key, key_get(key));
	uses_share(before, after);
	rv = change(command, before, after);
	object_put(after);
	return rv;
}

CK_RV object_destroy(struct command *command, struct object *object)
{
	return change(command, object, NULL);
}

void session_objects_drop(struct partition *partition, struct session *session, bool only_private)
{
	struct object *object, *next;

	for (object = session->objects; object; object = next) {
		next = object->mine.next;
		if (!only_private || object->is_private)
			leave(partition, object);
	}
}

static void drop_masked(struct partition *partition, struct session *session, uint64_t id)
{
	struct object *object, *next;

	for (object = session->objects; object; object = next) {
		next = object->mine.next;
		if (attributes_ulong(&object->attributes, CKA_HSM_MASK_ID, 0) == id)
			leave(partition, object);
	}
}

void masked_objects_drop(struct partition *partition, uint64_t id)
{
	struct client *client;
	uint32_t i;

	pthread_mutex_lock(&partition->lock);
	for (client = partition->clients; client; client = client->next) {
		pthread_mutex_lock(&client->lock);
		for (i = 0; i < client->room; i++)
			if (client->session[i])
				drop_masked(partition, client->session[i], id);
		pthread_mutex_unlock(&client->lock);
	}
	pthread_mutex_unlock(&partition->lock);
}
