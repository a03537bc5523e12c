// SPDX-License-Identifier: Apache-2.0
/*
 * Uses of keys in the audit log. Counted ones cost a commit now and then: a record says how often a key was used since
 * its last one, and how often at most it will be before its next, so that a crash leaves no use
 * without a bound that is on disk. What those do who are not logged in, with keys that are public, is counted for all
 * such keys together, and what is allowed until the next record doubles without an end: they cannot fill the log.
 */
#include <string.h>
#include "audit_log.h"
#include "clock.h"
#include "commit_group.h"

#define BUCKETS	    256
#define RESERVE_MIN 16
#define RESERVE_MAX 8192
#define RESERVE_END (1U << 30) /* of strangers */

enum keys_policy {
	KEYS_NONE = 0,
	KEYS_COUNT = 1,
	KEYS_EACH = 2,
};

/* Uses that were made and uses that may be made, changed together */
#define USES_MADE(word)	    ((uint32_t)(word))
#define USES_ALLOWED(word)  ((uint32_t)((word) >> 32))
#define USES(made, allowed) ((uint64_t)(allowed) << 32 | (uint32_t)(made))

/**
 * struct key_uses - one key, for one kind of use. Lives as long as the table
 * @stranger: of all who are not logged in, and all public keys
 * @lock: one refill at a time; outer to commit_lock
 * @word: USES()
 * @last: how much was allowed by the last record
 * @taken, @next_taken: uses that a record of the commit at hand has; under commit_lock
 */
struct key_uses {
	struct key_uses *next;
	uint64_t handle;
	uint64_t use;
	bool stranger;
	struct hsm_audit_record what;
	pthread_mutex_t lock;
	_Atomic uint64_t word;
	uint32_t last;
	uint32_t taken;
	bool listed;
	struct key_uses *next_taken;
};

/**
 * struct audit_uses - all of a partition's
 * @lock: of the buckets; a leaf
 * @taken: keys with a record in the commit at hand, under commit_lock
 */
struct audit_uses {
	pthread_mutex_t lock;
	struct key_uses *bucket[BUCKETS];
	struct key_uses *taken;
};

static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

static struct audit_uses *uses_of(struct partition *partition)
{
	struct audit_uses *uses;

	pthread_mutex_lock(&making);
	uses = partition->uses;
	if (!uses) {
		uses = OPENSSL_zalloc(sizeof(*uses));
		if (uses)
			pthread_mutex_init(&uses->lock, NULL);
		partition->uses = uses;
	}
	pthread_mutex_unlock(&making);
	return uses;
}

void audit_uses_free(struct partition *partition)
{
	struct audit_uses *uses = partition->uses;
	struct key_uses *key, *next;
	size_t i;

	for (i = 0; uses && i < BUCKETS; i++) {
		for (key = uses->bucket[i]; key; key = next) {
			next = key->next;
			pthread_mutex_destroy(&key->lock);
			OPENSSL_free(key);
		}
	}
	if (uses)
		pthread_mutex_destroy(&uses->lock);
	OPENSSL_free(uses);
	partition->uses = NULL;
}

static struct key_uses **bucket_of(struct audit_uses *uses, uint64_t handle)
{
	return &uses->bucket[handle % BUCKETS];
}

static struct key_uses *uses_new(const struct object *object, uint64_t handle, uint64_t use,
				 bool stranger)
{
	struct key_uses *key = OPENSSL_zalloc(sizeof(*key));

	if (!key)
		return NULL;
	key->handle = handle;
	key->use = use;
	key->stranger = stranger;
	if (handle)
		audit_object(&key->what, &object->attributes, handle);
	pthread_mutex_init(&key->lock, NULL);
	return key;
}

/* Session keys are counted together: their numbers mean nothing after their session. */
static struct key_uses *find_key(struct audit_uses *uses, const struct object *object, uint64_t use,
				 bool stranger)
{
	uint64_t handle = object->token && !stranger ? object->handle : 0;
	struct key_uses **bucket = bucket_of(uses, handle), *key;

	pthread_mutex_lock(&uses->lock);
	for (key = *bucket; key; key = key->next)
		if (key->handle == handle && key->use == use && key->stranger == stranger)
			break;
	if (!key) {
		key = uses_new(object, handle, use, stranger);
		if (key) {
			key->next = *bucket;
			*bucket = key;
		}
	}
	pthread_mutex_unlock(&uses->lock);
	return key;
}

/* ---- counting ---- */

/* One of the uses that are allowed; false: there is none */
static bool take(struct key_uses *key)
{
	uint64_t word = atomic_load_explicit(&key->word, memory_order_relaxed);

	do {
		if (!USES_ALLOWED(word))
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&key->word, &word, USES(USES_MADE(word) + 1, USES_ALLOWED(word) - 1),
		memory_order_relaxed, memory_order_relaxed));
	return true;
}

static void list_taken(struct audit_uses *uses, struct key_uses *key)
{
	if (key->listed)
		return;
	key->listed = true;
	key->next_taken = uses->taken;
	uses->taken = key;
}

/* A record of what was made; @allowed: from now on. No use is taken while the commit is on its way. */
static CK_RV put_count(struct partition *partition, struct partition_state *next,
		       struct key_uses *key, uint32_t allowed)
{
	struct hsm_audit_record record = key->what;
	uint32_t made = USES_MADE(atomic_exchange(&key->word, 0));
	CK_RV rv;

	record.event = HSM_AUDIT_KEY_USES;
	record.actor = key->stranger ? AUDIT_PUBLIC : "board";
	record.use = key->use;
	record.count = key->taken + made;
	record.reserved = allowed;
	rv = audit_record(partition, next, &record);
	if (rv != CKR_OK) {
		atomic_fetch_add(&key->word, USES(made, 0));
		return rv;
	}
	key->taken += made;
	list_taken(partition->uses, key);
	return CKR_OK;
}

void audit_uses_taken(struct partition *partition, bool done)
{
	struct audit_uses *uses = partition->uses;
	struct key_uses *key;

	while (uses && uses->taken) {
		key = uses->taken;
		uses->taken = key->next_taken;
		if (!done)
			atomic_fetch_add(&key->word, USES(key->taken, 0));
		key->taken = 0;
		key->listed = false;
	}
}

/**
 * struct refill - more uses of a key, on their way to the disk
 * @set: first, so that it leads here
 */
struct refill {
	struct change_set set;
	struct key_uses *key;
	uint32_t allowed;
};

static CK_RV prepare_refill(struct partition *partition, struct partition_state *next,
			    struct change_set *set)
{
	struct refill *refill = (struct refill *)set;

	return put_count(partition, next, refill->key, refill->allowed);
}

/* The first of the new uses is the caller's. */
static void finish_refill(struct partition *partition, struct change_set *set)
{
	struct refill *refill = (struct refill *)set;

	(void)partition;
	atomic_fetch_add(&refill->key->word, USES(1, refill->allowed - 1));
}

static CK_RV count_use(struct command *command, struct key_uses *key)
{
	struct refill refill = {
		.set = { .prepare = prepare_refill, .finish = finish_refill },
		.key = key,
	};
	struct partition *partition = command->partition;
	uint32_t most = key->stranger ? RESERVE_END : RESERVE_MAX;
	CK_RV rv = CKR_OK;

	if (take(key))
		return CKR_OK;
	pthread_mutex_lock(&key->lock);
	if (!take(key)) {
		refill.allowed = key->last ? 2 * key->last : RESERVE_MIN;
		if (refill.allowed > most)
			refill.allowed = most;
		rv = commit_together(command->task, partition, &refill.set);
		if (rv == CKR_OK)
			key->last = refill.allowed;
	}
	pthread_mutex_unlock(&key->lock);
	return rv;
}

static CK_RV record_use(struct command *command, const struct object *object, uint64_t use,
			uint64_t mechanism)
{
	char actor[AUDIT_ACTOR_MAX];
	struct hsm_audit_record record = audit_begin(command, HSM_AUDIT_KEY_USED, actor);

	audit_object(&record, &object->attributes, object->handle);
	record.use = use;
	record.mechanism = mechanism + 1;
	return audit_commit(command->task, command->partition, &record);
}

CK_RV audit_use(struct command *command, const struct object *object, uint64_t use,
		uint64_t mechanism)
{
	struct partition *partition = command->partition;
	uint32_t policy = policy_value(partition, HSM_POLICY_AUDIT_KEYS);
	bool stranger = !object->is_private && command->client->login == NOT_LOGGED_IN;
	struct audit_uses *uses;
	struct key_uses *key;

	if (policy == KEYS_NONE)
		return CKR_OK;
	if (policy == KEYS_EACH && !stranger)
		return record_use(command, object, use, mechanism);
	uses = uses_of(partition);
	key = uses ? find_key(uses, object, use, stranger) : NULL;
	return key ? count_use(command, key) : CKR_HOST_MEMORY;
}

/* ---- what was counted becomes records; with commit_lock held ---- */

static CK_RV flush_key(struct partition *partition, struct partition_state *next,
		       struct key_uses *key)
{
	return atomic_load(&key->word) ? put_count(partition, next, key, 0) : CKR_OK;
}

/* Keys are only ever added at the front. */
static struct key_uses *first_of(struct audit_uses *uses, size_t bucket)
{
	struct key_uses *key;

	pthread_mutex_lock(&uses->lock);
	key = uses->bucket[bucket];
	pthread_mutex_unlock(&uses->lock);
	return key;
}

CK_RV audit_uses_flush(struct partition *partition, struct partition_state *next)
{
	struct audit_uses *uses = partition->uses;
	struct key_uses *key;
	CK_RV rv = CKR_OK;
	size_t i;

	for (i = 0; uses && i < BUCKETS && rv == CKR_OK; i++)
		for (key = first_of(uses, i); key && rv == CKR_OK; key = key->next)
			rv = flush_key(partition, next, key);
	return rv;
}

/* The destruction does not happen, and other changes of the commit do. */
static void give_back(struct audit_uses *uses, uint64_t handle)
{
	struct key_uses *key;

	for (key = uses->taken; key; key = key->next_taken) {
		if (key->handle != handle)
			continue;
		atomic_fetch_add(&key->word, USES(key->taken, 0));
		key->taken = 0;
	}
}

CK_RV audit_uses_end(struct partition *partition, struct partition_state *next, uint64_t handle)
{
	struct audit_uses *uses = partition->uses;
	struct key_uses *key = uses ? first_of(uses, handle % BUCKETS) : NULL;
	CK_RV rv = CKR_OK;

	for (; key && rv == CKR_OK; key = key->next)
		if (key->handle == handle)
			rv = flush_key(partition, next, key);
	if (rv != CKR_OK)
		give_back(partition->uses, handle);
	return rv;
}
