// SPDX-License-Identifier: Apache-2.0
/*
 * The partitions of this function: opening and dropping them, and what a login opens in one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include "attest_keys.h"
#include "audit_log.h"
#include "mask.h"
#include "migrate.h"
#include "use_counter.h"
#include "officers.h"
#include "users.h"

static const uint8_t device_id[PARTITION_ID_SIZE] = BOARD_DEVICE_PARTITION;

/* One process serves one function, so there is one list. @lock is a leaf. */
static struct {
	pthread_mutex_t lock;
	struct partition *first;
	struct board_hello hello;
	atomic_uint minimum; /* security version, which may have been raised since */
} function = { .lock = PTHREAD_MUTEX_INITIALIZER };

const struct board_hello *partitions_hello(void)
{
	return &function.hello;
}

uint32_t commands_minimum_version(void)
{
	return atomic_load(&function.minimum);
}

/* Of two who raise it at a time the board has taken both; the higher one stays, as in its fuses. */
void partitions_raise_minimum(uint32_t version)
{
	unsigned int before = atomic_load(&function.minimum);

	while (before < version)
		if (atomic_compare_exchange_weak(&function.minimum, &before, version)) {
			firmware_event(IHSM_EVENT_FIRMWARE, 0);
			return;
		}
}

/* ---- life of a partition ---- */

static void wipe_keys(struct partition *partition)
{
	OPENSSL_cleanse(partition->storage_key, SECRET_SIZE);
	OPENSSL_cleanse(partition->header_key, SECRET_SIZE);
	OPENSSL_cleanse(partition->row_key, SECRET_SIZE);
	OPENSSL_cleanse(partition->hash_key, SECRET_SIZE);
	OPENSSL_cleanse(partition->private_key, SECRET_SIZE);
	OPENSSL_cleanse(partition->private_row_key, SECRET_SIZE);
}

void partition_put(struct partition *partition)
{
	if (!partition || atomic_fetch_sub(&partition->refs, 1) != 1)
		return;
	index_clear(&partition->index);
	policy_unload(partition);
	users_free(partition->state.users);
	officers_free(partition->state.officers);
	audit_log_free(partition);
	audit_uses_free(partition);
	migrate_export_free(partition->export);
	migrate_import_free(partition->import);
	SSL_CTX_free(partition->tls);
	attest_forget(partition->chains);
	OPENSSL_clear_free(partition->identity, partition->identity_length);
	OPENSSL_clear_free(partition->message, partition->message ? BOARD_MESSAGE_MAX : 0);
	pthread_mutex_destroy(&partition->lock);
	pthread_mutex_destroy(&partition->commit_lock);
	commit_group_destroy(&partition->group);
	pthread_mutex_destroy(&partition->pin_lock);
	statistics_destroy(&partition->statistics);
	OPENSSL_clear_free(partition, sizeof(*partition));
}

/* Rows that a C_InitToken left when the machine stopped in the middle of it */
static void finish_wiping(struct partition *partition)
{
	struct partition_state next = partition->state;

	if (partition->failed || !(next.flags & STATE_WIPING))
		return;
	pthread_mutex_lock(&partition->commit_lock);
	partition->failed = partition_reset(partition, &next);
	pthread_mutex_unlock(&partition->commit_lock);
}

/* Nothing is done under a policy that nobody knows. */
static void load_policy(struct partition *partition)
{
	int ret = partition->device ? 0 : policy_load(partition);

	if (ret < 0) {
		fprintf(stderr, "partition \"%s\": no policy: %s\n", partition->info.name,
			strerror(-ret));
		partition->failed = CKR_DEVICE_ERROR;
	}
}

struct partition *partition_blank(const struct board_partition *info)
{
	struct partition *partition = OPENSSL_zalloc(sizeof(*partition));

	if (!partition)
		return NULL;
	atomic_init(&partition->refs, 1);
	atomic_init(&partition->failed, CKR_OK);
	partition->info = *info;
	partition->info.name[BOARD_NAME_MAX - 1] = 0;
	partition->device = !memcmp(info->id, device_id, PARTITION_ID_SIZE);
	pthread_mutex_init(&partition->lock, NULL);
	pthread_mutex_init(&partition->commit_lock, NULL);
	commit_group_init(&partition->group);
	pthread_mutex_init(&partition->pin_lock, NULL);
	statistics_init(&partition->statistics);
	return partition;
}

static struct partition *partition_open(const struct board_partition *info)
{
	struct partition *partition = partition_blank(info);

	if (!partition)
		return NULL;
	if (store_open(partition) == -ENOENT) {
		partition_put(partition);
		return NULL;
	}
	load_policy(partition);
	finish_wiping(partition);
	ladder_climb(partition);
	if (!partition->device)
		board_log_head(partition);
	if (!partition->identity)
		fprintf(stderr, "partition \"%s\": no identity, it cannot be reached\n",
			partition->info.name);
	return partition;
}

/* Some client of the partition but @but, with a reference; NULL: there is none */
static struct client *other_client(struct partition *partition, const struct client *but)
{
	struct client *client;

	pthread_mutex_lock(&partition->lock);
	for (client = partition->clients; client && client == but; client = client->next)
		;
	if (client)
		client_get(client);
	pthread_mutex_unlock(&partition->lock);
	return client;
}

void partition_evict(struct partition *partition, struct client *but)
{
	struct client *client;

	while ((client = other_client(partition, but))) {
		client_close(client);
		client_put(client);
	}
	if (but)
		sessions_close(but);
}

/* Its process has lost the partition: nothing of it stays but what running commands hold. */
static void partition_drop(struct partition *partition)
{
	audit_close(partition);
	partition->dead = true;
	partition_evict(partition, NULL);
	pthread_mutex_lock(&partition->commit_lock);
	pthread_mutex_lock(&partition->lock);
	index_clear(&partition->index);
	wipe_keys(partition);
	pthread_mutex_unlock(&partition->lock);
	pthread_mutex_unlock(&partition->commit_lock);
	partition_put(partition);
}

/* ---- the list ---- */

struct partition *partition_find(const uint8_t id[PARTITION_ID_SIZE])
{
	struct partition *partition;

	pthread_mutex_lock(&function.lock);
	for (partition = function.first; partition; partition = partition->next) {
		if (!memcmp(partition->info.id, id, PARTITION_ID_SIZE)) {
			atomic_fetch_add(&partition->refs, 1);
			break;
		}
	}
	pthread_mutex_unlock(&function.lock);
	return partition;
}

static void list_add(struct partition *partition)
{
	struct partition **link = &function.first;

	pthread_mutex_lock(&function.lock);
	while (*link && (*link)->info.slot < partition->info.slot)
		link = &(*link)->next;
	partition->next = *link;
	*link = partition;
	pthread_mutex_unlock(&function.lock);
}

/* Take the list's reference out */
static bool list_remove(struct partition *partition)
{
	struct partition **link;
	bool found;

	pthread_mutex_lock(&function.lock);
	for (link = &function.first; *link && *link != partition; link = &(*link)->next)
		;
	found = *link != NULL;
	if (found)
		*link = partition->next;
	pthread_mutex_unlock(&function.lock);
	return found;
}

size_t partition_records(uint8_t *out, size_t room)
{
	struct hsm_partition_record record;
	struct partition *partition;
	size_t used = 0;

	pthread_mutex_lock(&function.lock);
	for (partition = function.first; partition; partition = partition->next) {
		if (room - used < sizeof(record))
			break;
		memset(&record, 0, sizeof(record));
		memcpy(record.id, partition->info.id, sizeof(record.id));
		record.slot = htole32(partition->info.slot);
		if (partition->failed || !partition->identity)
			record.flags = htole32(HSM_PARTITION_FAILED);
		record.changes = htole32(atomic_load(&partition->changes));
		memcpy(record.name, partition->info.name, sizeof(record.name) - 1);
		memcpy(out + used, &record, sizeof(record));
		used += sizeof(record);
	}
	pthread_mutex_unlock(&function.lock);
	return used;
}

uint32_t commands_partitions(void)
{
	struct partition *partition;
	uint32_t count = 0;

	pthread_mutex_lock(&function.lock);
	for (partition = function.first; partition; partition = partition->next)
		count++;
	pthread_mutex_unlock(&function.lock);
	return count;
}

static int by_slot(const void *a, const void *b)
{
	uint32_t x = le32toh(((const struct ihsm_partition_entry *)a)->slot);
	uint32_t y = le32toh(((const struct ihsm_partition_entry *)b)->slot);

	return (x > y) - (x < y);
}

unsigned int commands_partition_list(struct ihsm_partition_entry *list, unsigned int room)
{
	struct partition *partition;
	unsigned int count = 0;

	pthread_mutex_lock(&function.lock);
	for (partition = function.first; partition && count < room; partition = partition->next) {
		list[count].slot = htole32(partition->info.slot);
		list[count].flags = 0;
		memcpy(list[count++].id, partition->info.id, sizeof(list->id));
	}
	pthread_mutex_unlock(&function.lock);
	qsort(list, count, sizeof(*list), by_slot);
	return count;
}

/* ---- what the board says is ours ---- */

/* The partitions of this function. Return: their number, @list freed by the caller, or a negative errno. */
static int own_partitions(struct board_partition **list)
{
	struct board_partition *all = OPENSSL_malloc(BOARD_MESSAGE_MAX);
	size_t length = 0, i;
	int ret, count = 0;

	*list = all;
	if (!all)
		return -ENOMEM;
	ret = storage_call(BOARD_LIST, NULL, 0, all, BOARD_MESSAGE_MAX, &length);
	if (ret < 0)
		return ret;
	if (length % sizeof(*all))
		return -EPROTO;
	/* Function 0 sees all of the board's; none but the device partition is its own. */
	for (i = 0; i < length / sizeof(*all); i++)
		if (function.hello.function && all[i].function == function.hello.function)
			all[count++] = all[i];
	return count;
}

int partitions_start(const struct board_hello *hello)
{
	const struct board_partition device = { .id = BOARD_DEVICE_PARTITION, .name = "device" };
	struct board_partition *list;
	struct partition *partition;
	int count, i;

	function.hello = *hello;
	atomic_store(&function.minimum, hello->min_security_version);
	if (!hello->function) {
		partition = partition_open(&device);
		if (!partition)
			return -EIO;
		list_add(partition);
		return 0;
	}
	count = own_partitions(&list);
	for (i = 0; i < count; i++) {
		partition = partition_open(&list[i]);
		if (partition)
			list_add(partition);
	}
	OPENSSL_free(list);
	return count < 0 ? count : 0;
}

void partitions_stop(void)
{
	struct partition *partition;

	while ((partition = function.first)) {
		list_remove(partition);
		partition_drop(partition);
	}
}

/*
 * Commands that run may still read the keys, and find zeros: nothing that they make of them is kept, since the board takes
 * no commit any more, and the process ends.
 */
void partitions_wipe(void)
{
	struct partition *partition;

	pthread_mutex_lock(&function.lock);
	for (partition = function.first; partition; partition = partition->next)
		wipe_keys(partition);
	pthread_mutex_unlock(&function.lock);
}

struct partition *partition_reload(struct partition *partition)
{
	struct board_partition info = partition->info;
	struct partition *fresh = NULL;

	if (!list_remove(partition))
		return NULL;
	partition_drop(partition);
	fresh = partition_open(&info);
	if (fresh) {
		atomic_fetch_add(&fresh->refs, 1);
		list_add(fresh);
	}
	firmware_event(IHSM_EVENT_PARTITIONS, 0);
	return fresh;
}

/* May other applications connect than before? Both policies stay readable until the partition's end. */
static bool other_clients(const struct policy *before, const struct policy *now)
{
	static const struct policy_hashes none;
	const struct policy_hashes *a = before ? &before->clients : &none;
	const struct policy_hashes *b = now ? &now->clients : &none;

	return a->count != b->count || memcmp(a->hash, b->hash, a->count * HSM_POLICY_HASH);
}

static void refresh(struct partition *partition, const struct board_partition *info)
{
	const struct policy *before;

	pthread_mutex_lock(&function.lock);
	pthread_mutex_lock(&partition->lock);
	memcpy(partition->info.name, info->name, BOARD_NAME_MAX - 1);
	partition->info.flags = info->flags;
	partition->info.max_objects = info->max_objects;
	partition->info.max_sessions = info->max_sessions;
	partition->info.max_bytes = info->max_bytes;
	pthread_mutex_unlock(&partition->lock);
	pthread_mutex_unlock(&function.lock);
	before = atomic_load(&partition->policy);
	load_policy(partition);
	attest_renew(partition);
	identity_reset(partition);
	/* Whoever is connected came by the former rules. */
	if (other_clients(before, atomic_load(&partition->policy)))
		atomic_fetch_add(&partition->client_rules, 1);
}

/* Without the list's lock: climbing waits for the board. */
void commands_updated(void)
{
	struct partition *partition, *next = NULL;

	pthread_mutex_lock(&function.lock);
	partition = function.first;
	if (partition)
		atomic_fetch_add(&partition->refs, 1);
	pthread_mutex_unlock(&function.lock);
	for (; partition; partition = next) {
		ladder_climb(partition);
		pthread_mutex_lock(&function.lock);
		next = partition->next;
		if (next)
			atomic_fetch_add(&next->refs, 1);
		pthread_mutex_unlock(&function.lock);
		partition_put(partition);
	}
	firmware_event(IHSM_EVENT_FIRMWARE, 0);
}

void commands_partition_changed(const uint8_t id[PARTITION_ID_SIZE])
{
	struct board_partition *list, *info = NULL;
	struct partition *partition, *fresh;
	int count, i;
	bool failed;

	count = own_partitions(&list);
	for (i = 0; i < count; i++)
		if (!memcmp(list[i].id, id, PARTITION_ID_SIZE))
			info = &list[i];
	partition = partition_find(id);
	failed = partition && partition->failed;
	if (count < 0) {
		fprintf(stderr, "the board does not list this function's partitions: %s\n",
			strerror(-count));
	} else if (partition && info && !failed) {
		refresh(partition, info);
	} else if (partition && !partition->device) {
		if (list_remove(partition))
			partition_drop(partition);
	}
	/* One that failed may have been made good: an officer has accepted its rows. */
	if (info && (!partition || failed)) {
		fresh = partition_open(info);
		if (fresh)
			list_add(fresh);
	}
	partition_put(partition);
	OPENSSL_free(list);
	firmware_event(IHSM_EVENT_PARTITIONS, 0);
}

/* ---- logins ---- */

/* All private objects are about to be opened, or sealed. */
struct locking {
	struct partition *partition;
	struct object_locker *locker;
	CK_RV rv;
};

static void unlock_object(struct object *object, void *data)
{
	struct locking *locking = data;
	struct partition *partition = locking->partition;

	if (!object->locked || locking->rv != CKR_OK)
		return;
	locking->rv = object_unlock(locking->locker, object);
	if (locking->rv == CKR_OK)
		index_name(&partition->index, object);
	else
		store_complain(
			partition,
			"object %llu does not open with the user's key; put the newest state back",
			(unsigned long long)object->handle);
}

static void lock_object(struct object *object, void *data)
{
	struct locking *locking = data;
	struct partition *partition = locking->partition;
	struct object *locked;

	if (!object->token || !object->is_private || object->locked)
		return;
	/* Otherwise it stays open in memory, where nobody who is not logged in sees it. */
	if (object_lock(locking->locker, object, &locked) < 0)
		return;
	if (locked == object) {
		index_unname(object);
		return;
	}
	index_remove(&partition->index, object);
	index_insert(&partition->index, locked);
	object_put(locked);
}

void partition_lock_objects(struct partition *partition)
{
	struct locking locking = { .partition = partition };

	if (partition->users)
		return;
	locking.locker = object_locker_new(partition);
	if (locking.locker)
		index_each(&partition->index, lock_object, &locking);
	object_locker_free(locking.locker);
}

static CK_RV open_private(struct partition *partition)
{
	struct locking locking = { .partition = partition };

	if (partition->users)
		return CKR_OK;
	locking.locker = object_locker_new(partition);
	if (!locking.locker)
		return CKR_HOST_MEMORY;
	index_each(&partition->index, unlock_object, &locking);
	object_locker_free(locking.locker);
	if (locking.rv != CKR_OK)
		partition_lock_objects(partition);
	return locking.rv;
}

CK_RV partition_login(struct partition *partition, struct client *client, int user,
		      const uint8_t private_key[SECRET_SIZE])
{
	CK_RV rv = CKR_OK;

	if (!partition->logins) {
		memcpy(partition->private_key, private_key, SECRET_SIZE);
		if (derive_key(partition->storage_key, private_key, SECRET_SIZE, "private row",
			       partition->private_row_key) < 0)
			rv = CKR_DEVICE_ERROR;
	}
	if (rv == CKR_OK && user == CKU_USER)
		rv = open_private(partition);
	if (rv == CKR_OK) {
		partition->logins++;
		partition->users += user == CKU_USER;
		client->login = user;
	} else if (!partition->logins) {
		OPENSSL_cleanse(partition->private_key, SECRET_SIZE);
		OPENSSL_cleanse(partition->private_row_key, SECRET_SIZE);
	}
	return rv;
}

void partition_logout(struct partition *partition, struct client *client)
{
	int login = client->login;

	if (login == NOT_LOGGED_IN)
		return;
	client->login = NOT_LOGGED_IN;
	client->logouts++;
	sessions_drop_private(client);
	partition->logins--;
	partition->users -= login == CKU_USER;
	partition_lock_objects(partition);
	if (!partition->logins) {
		OPENSSL_cleanse(partition->private_key, SECRET_SIZE);
		OPENSSL_cleanse(partition->private_row_key, SECRET_SIZE);
	}
}

/* ---- C_InitToken ---- */

struct gathering {
	struct store_change *changes;
	size_t count;
};

static void gather(struct object *object, void *data)
{
	struct gathering *gathering = data;

	if (object->token && gathering->count < STORE_CHANGES_MAX)
		gathering->changes[gathering->count++].before = object_get(object);
}

static void forget(struct partition *partition, struct gathering *gathering, bool deleted)
{
	struct object *object;
	size_t i;

	pthread_mutex_lock(&partition->lock);
	for (i = 0; i < gathering->count; i++) {
		object = gathering->changes[i].before;
		if (deleted) {
			partition->token_bytes -= object->stored_length;
			index_remove(&partition->index, object);
		}
		object_put(object);
	}
	pthread_mutex_unlock(&partition->lock);
	gathering->count = 0;
}

CK_RV partition_reset(struct partition *partition, struct partition_state *next)
{
	struct gathering gathering = { 0 };
	CK_RV rv;

	gathering.changes = OPENSSL_zalloc(STORE_CHANGES_MAX * sizeof(*gathering.changes));
	if (!gathering.changes)
		return CKR_HOST_MEMORY;
	mask_void(&partition->state.masks, &next->masks);
	do {
		pthread_mutex_lock(&partition->lock);
		index_each(&partition->index, gather, &gathering);
		pthread_mutex_unlock(&partition->lock);
		next->flags |= STATE_WIPING;
		if (gathering.count == next->rows)
			next->flags &= ~STATE_WIPING;
		rv = store_commit(partition, next, gathering.changes, gathering.count, true);
		forget(partition, &gathering, rv == CKR_OK);
	} while (rv == CKR_OK && next->rows);
	OPENSSL_free(gathering.changes);
	return rv;
}
