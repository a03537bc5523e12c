// SPDX-License-Identifier: Apache-2.0
/*
 * Administration of partitions, asked for by function 0 alone (storage.c sees to that): create,
 * assign, change, destroy. Each moves the root record and the fuse counter on.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>
#include "internal.h"

static bool is_device(const uint8_t id[PARTITION_ID_SIZE])
{
	static const uint8_t device[PARTITION_ID_SIZE] = BOARD_DEVICE_PARTITION;

	return memcmp(id, device, PARTITION_ID_SIZE) == 0;
}

static void fill_quotas(struct board_partition *partition)
{
	if (!partition->max_objects)
		partition->max_objects = BOARD_DEFAULT_OBJECTS;
	if (!partition->max_sessions)
		partition->max_sessions = BOARD_DEFAULT_SESSIONS;
	if (!partition->max_bytes)
		partition->max_bytes = BOARD_DEFAULT_BYTES;
}

/* At most one profile */
static bool flags_valid(uint32_t flags)
{
	return flags == 0 || flags == BOARD_PARTITION_STRICT || flags == BOARD_PARTITION_LEGACY;
}

static int create_locked(struct state *state, struct board_partition *partition,
			 struct policy_bytes policy)
{
	struct policy_change change = { .id = partition->id, .policy = policy };

	struct root_record *draft;
	struct root_entry *entry;
	int ret;

	if (!state_serves(state))
		return -EKEYREVOKED;
	if (state->record->count == BOARD_MAX_PARTITIONS)
		return -ENOSPC;
	if (is_device(partition->id)) {
		ret = keys_random(state->keys, partition->id, sizeof(partition->id));
		if (ret)
			return ret;
	}
	if (root_find(state->record, partition->id))
		return -EEXIST;
	draft = state_draft(state);
	if (draft->next_slot == UINT32_MAX)
		return -ENOSPC;
	partition->slot = draft->next_slot++;
	entry = &draft->entries[draft->count++];
	memset(entry, 0, sizeof(*entry));
	entry->partition = *partition;
	entry->generation = 1;
	entry->security_version = state->security_version;
	ret = keys_random(state->keys, entry->wrapping, sizeof(entry->wrapping));
	if (!ret)
		ret = policy_draft(state, entry, policy);
	events_partition(&state->draft->events, HSM_AUDIT_PARTITION_CREATED, partition);
	return ret ? ret : state_apply(state, policy_write, &change);
}

int state_partition_create(struct state *state, struct board_partition *partition,
			   struct policy_bytes policy)
{
	int ret;

	if (!flags_valid(partition->flags))
		return -EINVAL;
	partition->name[sizeof(partition->name) - 1] = '\0';
	fill_quotas(partition);
	ret = state_enter(state);
	if (ret)
		return ret;
	ret = create_locked(state, partition, policy);
	state_leave(state);
	return ret;
}

int state_partition_assign(struct state *state, const struct board_partition *partition,
			   uint32_t *former)
{
	struct root_entry *entry;
	int ret;

	if (is_device(partition->id))
		return -EINVAL;
	ret = state_enter(state);
	if (ret)
		return ret;
	entry = root_find(state_draft(state), partition->id);
	if (!state_serves(state)) {
		ret = -EKEYREVOKED;
	} else if (!entry) {
		ret = -ENOENT;
	} else {
		*former = entry->partition.function;
		entry->partition.function = partition->function;
		events_partition(&state->draft->events, HSM_AUDIT_PARTITION_ASSIGNED, partition);
		if (*former != partition->function)
			ret = state_apply(state, NULL, NULL);
	}
	state_leave(state);
	return ret;
}

int state_partition_update(struct state *state, const struct board_partition *partition,
			   struct policy_bytes policy, uint32_t *function)
{
	struct policy_change change = { .id = partition->id, .policy = policy };
	struct board_partition *target;
	struct root_entry *entry;
	int ret;

	if (is_device(partition->id) || !flags_valid(partition->flags))
		return -EINVAL;
	ret = state_enter(state);
	if (ret)
		return ret;
	entry = root_find(state_draft(state), partition->id);
	if (!state_serves(state)) {
		ret = -EKEYREVOKED;
	} else if (!entry) {
		ret = -ENOENT;
	} else {
		target = &entry->partition;
		memcpy(target->name, partition->name, sizeof(target->name));
		target->name[sizeof(target->name) - 1] = '\0';
		target->flags = partition->flags;
		target->max_objects = partition->max_objects;
		target->max_sessions = partition->max_sessions;
		target->max_bytes = partition->max_bytes;
		fill_quotas(target);
		*function = target->function;
		ret = policy_draft(state, entry, policy);
		events_partition(&state->draft->events, HSM_AUDIT_POLICY_CHANGED, target);
		if (!ret)
			ret = state_apply(state, policy_write, &change);
	}
	state_leave(state);
	return ret;
}

#define RECEIPT_NAME (sizeof("receipt-") + 2 * PARTITION_ID_SIZE)

static const char *receipt_name(const uint8_t id[PARTITION_ID_SIZE], char name[RECEIPT_NAME])
{
	int used = snprintf(name, RECEIPT_NAME, "receipt-"), i;

	for (i = 0; i < PARTITION_ID_SIZE; i++)
		used += snprintf(name + used, RECEIPT_NAME - used, "%02x", id[i]);
	return name;
}

/* struct erasure - a partition that goes, and the document and event that it leaves; @length 0: none */
struct erasure {
	uint8_t id[PARTITION_ID_SIZE];
	enum hsm_audit_event event;
	const void *document;
	size_t length;
};

static int delete_rows(struct nvm *nvm, void *data)
{
	const struct erasure *erasure = data;
	char name[RECEIPT_NAME];
	int ret = nvm_policy_set(nvm, erasure->id, NULL, 0);

	if (!ret && erasure->length)
		ret = nvm_item_set(nvm, receipt_name(erasure->id, name), erasure->document,
				   erasure->length);
	return ret ? ret : nvm_partition_delete(nvm, erasure->id);
}

static void remove_entry(struct root_record *record, struct root_entry *entry)
{
	struct root_entry *last = &record->entries[record->count - 1];

	/* Order carries no meaning: slots do. */
	if (entry != last)
		*entry = *last;
	OPENSSL_cleanse(last, sizeof(*last));
	record->count--;
}

/*
 * The crypto-erase: without the wrapping secret the rows are noise, and the former root record, of
 * which a copy may be anywhere, is noise without the former storage root.
 */
static int erase(struct state *state, struct erasure *erasure, uint32_t *former)
{
	struct root_record *draft = state_draft(state);
	struct root_entry *entry = root_find(draft, erasure->id);

	if (!state_serves(state))
		return -EKEYREVOKED;
	if (!entry)
		return -ENOENT;
	*former = entry->partition.function;
	events_partition(&draft->events,
			 erasure->length ? erasure->event : HSM_AUDIT_PARTITION_DESTROYED,
			 &entry->partition);
	remove_entry(draft, entry);
	return state_rotate(state, delete_rows, erasure);
}

int state_partition_destroy(struct state *state, const uint8_t id[PARTITION_ID_SIZE],
			    uint32_t *former)
{
	struct erasure erasure = { 0 };
	int ret;

	if (is_device(id))
		return -EINVAL;
	memcpy(erasure.id, id, sizeof(erasure.id));
	ret = state_enter(state);
	if (ret)
		return ret;
	ret = erase(state, &erasure, former);
	state_leave(state);
	return ret;
}

int state_retire(struct state *state, uint32_t function, const struct board_retire *retire,
		 const void *document, size_t length)
{
	struct erasure erasure = { .event = retire->event, .document = document, .length = length };
	uint32_t former;
	int ret;

	if (is_device(retire->partition) || !length ||
	    (retire->event != HSM_AUDIT_MIGRATED_OUT &&
	     retire->event != HSM_AUDIT_MIGRATION_CANCELLED))
		return -EINVAL;
	memcpy(erasure.id, retire->partition, sizeof(erasure.id));
	ret = state_enter(state);
	if (ret)
		return ret;
	if (state_own_entry(state, function, erasure.id))
		ret = erase(state, &erasure, &former);
	else
		ret = -ENOENT;
	state_leave(state);
	return ret;
}

int state_receipt(struct state *state, const uint8_t id[PARTITION_ID_SIZE], void *bytes,
		  size_t capacity, size_t *length)
{
	char name[RECEIPT_NAME];
	int ret;

	*length = 0;
	ret = state_enter(state);
	if (ret)
		return ret;
	ret = nvm_item_get(state->nvm, receipt_name(id, name), bytes, capacity, length);
	state_leave(state);
	return !ret && !*length ? -ENOENT : ret;
}
