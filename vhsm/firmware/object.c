// SPDX-License-Identifier: Apache-2.0
/*
 * Objects in memory and their index: hash tables by handle, label and id, so that a search that names
 * one of these looks at few objects, and none is decrypted to be found.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "commands.h"

enum {
	BY_HANDLE,
	BY_LABEL,
	BY_ID,
	TABLES
};

#define BUCKETS_FIRST 64

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
	attributes_free(&object->attributes);
	OPENSSL_clear_free(object->sealed, object->sealed_length);
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
	if (object->locked || (!object->token && object->client != client))
		return false;
	return !object->is_private || client->login == CKU_USER;
}

struct object *object_find(struct command *command, uint64_t handle)
{
	struct partition *partition = command->partition;
	struct object *object;

	pthread_mutex_lock(&partition->lock);
	object = index_find(&partition->index, handle);
	if (object && !object_visible(object, command->client))
		object = NULL;
	if (object)
		object_get(object);
	pthread_mutex_unlock(&partition->lock);
	return object;
}

/* ---- index ---- */

/* FNV-1a, followed by a mix: spread matters, not secrecy; a tenant can only slow itself down */
static size_t hash_bytes(const uint8_t *data, size_t length)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	while (length--)
		hash = (hash ^ *data++) * 0x100000001b3ULL;
	return hash ^ (hash >> 32);
}

/*
 * Is the object in this table, and where? One without a label or id is not in that table: nobody looks for it
 * there, and sealed objects, which have neither, would all share one chain.
 */
static bool object_hash(const struct object *object, unsigned int table, size_t *hash)
{
	const struct attribute *item;

	if (table == BY_HANDLE) {
		*hash = object->handle;
		return true;
	}
	item = attributes_find(&object->attributes, table == BY_LABEL ? CKA_LABEL : CKA_ID);
	if (!item || !item->length)
		return false;
	*hash = hash_bytes(item->value, item->length);
	return true;
}

static struct object **chain(const struct object_index *index, unsigned int table, size_t hash)
{
	return &index->bucket[table][hash & (index->buckets - 1)];
}

static void link_object(struct object_index *index, struct object *object)
{
	struct object **head;
	unsigned int table;
	size_t hash;

	for (table = 0; table < TABLES; table++) {
		if (!object_hash(object, table, &hash))
			continue;
		head = chain(index, table, hash);
		object->next[table] = *head;
		*head = object;
	}
}

static void tables_free(struct object_index *index)
{
	unsigned int table;

	for (table = 0; table < TABLES; table++) {
		OPENSSL_free(index->bucket[table]);
		index->bucket[table] = NULL;
	}
	index->buckets = 0;
}

static int grow(struct object_index *index)
{
	struct object_index larger = { .buckets = index->buckets * 2 };
	struct object *object, *next;
	unsigned int table;
	size_t i;

	if (!larger.buckets)
		larger.buckets = BUCKETS_FIRST;
	for (table = 0; table < TABLES; table++)
		larger.bucket[table] = OPENSSL_zalloc(larger.buckets * sizeof(object));
	if (!larger.bucket[BY_HANDLE] || !larger.bucket[BY_LABEL] || !larger.bucket[BY_ID]) {
		tables_free(&larger);
		return -ENOMEM;
	}
	for (i = 0; i < index->buckets; i++) {
		for (object = index->bucket[BY_HANDLE][i]; object; object = next) {
			next = object->next[BY_HANDLE];
			link_object(&larger, object);
		}
	}
	larger.count = index->count;
	tables_free(index);
	*index = larger;
	return 0;
}

int index_insert(struct object_index *index, struct object *object)
{
	if (index->count >= index->buckets && grow(index) < 0 && !index->buckets)
		return -ENOMEM;
	link_object(index, object_get(object));
	index->count++;
	return 0;
}

void index_remove(struct object_index *index, struct object *object)
{
	struct object **link;
	unsigned int table;
	size_t hash;

	for (table = 0; table < TABLES; table++) {
		if (!object_hash(object, table, &hash))
			continue;
		link = chain(index, table, hash);
		while (*link && *link != object)
			link = &(*link)->next[table];
		if (!*link)
			return;
		*link = object->next[table];
	}
	index->count--;
	object_put(object);
}

struct object *index_find(const struct object_index *index, uint64_t handle)
{
	struct object *object;

	if (!index->buckets)
		return NULL;
	for (object = *chain(index, BY_HANDLE, handle); object; object = object->next[BY_HANDLE])
		if (object->handle == handle)
			return object;
	return NULL;
}

void index_each(struct object_index *index, void (*visit)(struct object *object, void *data),
		void *data)
{
	struct object *object, *next;
	size_t i;

	for (i = 0; i < index->buckets; i++) {
		for (object = index->bucket[BY_HANDLE][i]; object; object = next) {
			next = object->next[BY_HANDLE];
			visit(object, data);
		}
	}
}

static void put_visited(struct object *object, void *data)
{
	(void)data;
	object_put(object);
}

void index_clear(struct object_index *index)
{
	index_each(index, put_visited, NULL);
	tables_free(index);
	index->count = 0;
}

/* ---- search ---- */

struct match {
	const struct attributes *template;
	const struct client *client;
	uint64_t *handles;
	size_t count;
	size_t room;
	bool failed;
};

/* Values that may not be read may not be found out by searching either. */
static bool searchable(const struct object *object, uint64_t type)
{
	return !attribute_is_secret(&object->attributes, type);
}

static bool matches(const struct object *object, const struct attributes *template)
{
	const struct attribute *wanted = NULL, *item;

	while ((wanted = attributes_next(template, wanted))) {
		item = attributes_find(&object->attributes, wanted->type);
		if (!item || item->length != wanted->length ||
		    CRYPTO_memcmp(item->value, wanted->value, item->length) ||
		    !searchable(object, item->type))
			return false;
	}
	return true;
}

static void collect(struct object *object, void *data)
{
	struct match *match = data;
	uint64_t *larger;

	if (!object_visible(object, match->client) || !matches(object, match->template))
		return;
	if (match->count == match->room) {
		larger = OPENSSL_realloc(match->handles, (match->room + 64) * 2 * sizeof(*larger));
		if (!larger) {
			match->failed = true;
			return;
		}
		match->handles = larger;
		match->room = (match->room + 64) * 2;
	}
	match->handles[match->count++] = object->handle;
}

static int compare_handles(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void collect_chain(const struct object_index *index, unsigned int table,
			  const struct attribute *item, struct match *match)
{
	struct object *object = *chain(index, table, hash_bytes(item->value, item->length));

	for (; object; object = object->next[table])
		collect(object, match);
}

CK_RV index_match(const struct object_index *index, const struct attributes *template,
		  const struct client *client, uint64_t **handles, size_t *count)
{
	struct match match = { .template = template, .client = client };
	const struct attribute *id = attributes_find(template, CKA_ID);
	const struct attribute *label = attributes_find(template, CKA_LABEL);

	if (index->buckets && id && id->length)
		collect_chain(index, BY_ID, id, &match);
	else if (index->buckets && label && label->length)
		collect_chain(index, BY_LABEL, label, &match);
	else
		index_each((struct object_index *)index, collect, &match);
	if (match.failed) {
		OPENSSL_free(match.handles);
		return CKR_HOST_MEMORY;
	}
	if (match.count)
		qsort(match.handles, match.count, sizeof(*match.handles), compare_handles);
	*handles = match.handles;
	*count = match.count;
	return CKR_OK;
}
