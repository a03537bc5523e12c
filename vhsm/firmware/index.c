// SPDX-License-Identifier: Apache-2.0
/*
 * The index of a partition's objects: hash tables by handle, label and id, so that a search that names
 * one of these looks at few objects, and none is decrypted to be found. All under partition->lock.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "commands.h"

enum {
	BY_LABEL,
	BY_ID,
	NAMES
};

_Static_assert(NAMES == sizeof(((struct object *)0)->named) / sizeof(struct object_link), "names");

#define BUCKETS_FIRST 64

static const uint32_t name_type[NAMES] = { [BY_LABEL] = CKA_LABEL, [BY_ID] = CKA_ID };

/* FNV-1a, followed by a mix: spread matters, not secrecy; a tenant can only slow itself down */
static size_t hash_bytes(const uint8_t *data, size_t length)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	while (length--)
		hash = (hash ^ *data++) * 0x100000001b3ULL;
	return hash ^ (hash >> 32);
}

static struct object **by_handle(const struct object_index *index, uint64_t handle)
{
	return &index->handles[handle & (index->buckets - 1)];
}

static struct object **by_name(const struct object_index *index, unsigned int table,
			       const struct attribute *name)
{
	return &index->names[table][hash_bytes(name->value, name->length) & (index->buckets - 1)];
}

/*
 * One without a label or id is not in that table: nobody looks for it there, and sealed objects, which have neither,
 * would all share one chain. Many may have the same label: a chain is linked both ways, so that to leave it takes as
 * long however many there are.
 */
static void link_name(struct object_index *index, struct object *object, unsigned int table)
{
	const struct attribute *name = attributes_find(&object->attributes, name_type[table]);
	struct object_link *link = &object->named[table];
	struct object **head;

	if (!name || !name->length)
		return;
	head = by_name(index, table, name);
	link->next = *head;
	link->before = head;
	if (*head)
		(*head)->named[table].before = &link->next;
	*head = object;
}

static void unlink_name(struct object *object, unsigned int table)
{
	struct object_link *link = &object->named[table];

	if (!link->before)
		return;
	*link->before = link->next;
	if (link->next)
		link->next->named[table].before = link->before;
	*link = (struct object_link){ 0 };
}

void index_name(struct object_index *index, struct object *object)
{
	unsigned int table;

	for (table = 0; table < NAMES; table++)
		link_name(index, object, table);
}

void index_unname(struct object *object)
{
	unsigned int table;

	for (table = 0; table < NAMES; table++)
		unlink_name(object, table);
}

static void link_object(struct object_index *index, struct object *object)
{
	struct object **head = by_handle(index, object->handle);

	object->next = *head;
	*head = object;
	index_name(index, object);
}

static void tables_free(struct object_index *index)
{
	unsigned int table;

	OPENSSL_free(index->handles);
	index->handles = NULL;
	for (table = 0; table < NAMES; table++) {
		OPENSSL_free(index->names[table]);
		index->names[table] = NULL;
	}
	index->buckets = 0;
}

static int tables_make(struct object_index *index, size_t buckets)
{
	*index = (struct object_index){
		.buckets = buckets,
		.handles = OPENSSL_zalloc(buckets * sizeof(struct object *)),
		.names = { OPENSSL_zalloc(buckets * sizeof(struct object *)),
			   OPENSSL_zalloc(buckets * sizeof(struct object *)) },
	};
	if (index->handles && index->names[BY_LABEL] && index->names[BY_ID])
		return 0;
	tables_free(index);
	return -ENOMEM;
}

static int resize(struct object_index *index, size_t buckets)
{
	struct object_index larger;
	struct object *object, *next;
	size_t i;

	if (tables_make(&larger, buckets) < 0)
		return -ENOMEM;
	for (i = 0; i < index->buckets; i++) {
		for (object = index->handles[i]; object; object = next) {
			next = object->next;
			link_object(&larger, object);
		}
	}
	larger.count = index->count;
	tables_free(index);
	*index = larger;
	return 0;
}

int index_reserve(struct object_index *index, size_t count)
{
	size_t buckets = BUCKETS_FIRST;

	while (buckets < count)
		buckets *= 2;
	return buckets > index->buckets ? resize(index, buckets) : 0;
}

int index_insert(struct object_index *index, struct object *object)
{
	/* Without memory for larger tables the present ones go on, slower. */
	if (index->count >= index->buckets && index_reserve(index, 2 * index->count) < 0 &&
	    !index->buckets)
		return -ENOMEM;
	link_object(index, object_get(object));
	index->count++;
	return 0;
}

void index_remove(struct object_index *index, struct object *object)
{
	struct object **link = by_handle(index, object->handle);

	while (*link && *link != object)
		link = &(*link)->next;
	if (!*link)
		return;
	*link = object->next;
	index_unname(object);
	index->count--;
	object_put(object);
}

struct object *index_find(const struct object_index *index, uint64_t handle)
{
	struct object *object;

	if (!index->buckets)
		return NULL;
	for (object = *by_handle(index, handle); object; object = object->next)
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
		for (object = index->handles[i]; object; object = next) {
			next = object->next;
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

bool object_matches(const struct object *object, const struct attributes *template)
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

	if (!object_visible(object, match->client) || !object_matches(object, match->template))
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
	match->handles[match->count++] = object_handle(object, match->client);
}

static int compare_handles(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Of two chains the one that ends first is looked at; finding out takes no longer than that. */
static unsigned int shorter(struct object *const heads[NAMES])
{
	const struct object *label = heads[BY_LABEL], *id = heads[BY_ID];

	while (label && id) {
		label = label->named[BY_LABEL].next;
		id = id->named[BY_ID].next;
	}
	return label ? BY_ID : BY_LABEL;
}

/* Return: false when the template has neither label nor id, or an empty one, which no table has. */
static bool collect_named(const struct object_index *index, struct match *match)
{
	const struct attribute *name[NAMES];
	struct object *heads[NAMES] = { NULL, NULL }, *object;
	unsigned int table;

	for (table = 0; table < NAMES; table++) {
		name[table] = attributes_find(match->template, name_type[table]);
		if (name[table] && name[table]->length)
			heads[table] = *by_name(index, table, name[table]);
		else
			name[table] = NULL;
	}
	if (!name[BY_LABEL] && !name[BY_ID])
		return false;
	if (name[BY_LABEL] && name[BY_ID])
		table = shorter(heads);
	else
		table = name[BY_ID] ? BY_ID : BY_LABEL;
	for (object = heads[table]; object; object = object->named[table].next)
		collect(object, match);
	return true;
}

CK_RV index_match(const struct object_index *index, const struct attributes *template,
		  const struct client *client, uint64_t **handles, size_t *count)
{
	struct match match = { .template = template, .client = client };

	if (index->buckets && !collect_named(index, &match))
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
