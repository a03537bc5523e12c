// SPDX-License-Identifier: Apache-2.0
/*
 * The root record: what the board knows about every partition, among it the wrapping secret without
 * which the partition's rows are noise, and the counters that tell the newest state from a copy.
 * It is stored sealed; here is its plaintext's layout.
 */
#include <errno.h>
#include <string.h>
#include "internal.h"
#include "le.h"

#define ROOT_MAGIC   0x544f4f52U /* "ROOT" */
#define ROOT_VERSION 4
#define HEAD_SIZE    (4 + 4 + 8 + 4 + 4)
#define ENTRY_SIZE                                                                    \
	(PARTITION_ID_SIZE + BOARD_NAME_MAX + 6 * 4 + BOARD_SECRET_SIZE + 8 + 8 + 4 + \
	 BOARD_HASH_SIZE)

_Static_assert(HEAD_SIZE + EVENTS_SIZE_MAX + BOARD_MAX_PARTITIONS * ENTRY_SIZE + SEAL_OVERHEAD <=
		       ROOT_BLOB_MAX,
	       "a full root record fits its buffer");

struct root_entry *root_find(struct root_record *record, const uint8_t id[PARTITION_ID_SIZE])
{
	uint32_t i;

	for (i = 0; i < record->count; i++)
		if (memcmp(record->entries[i].partition.id, id, PARTITION_ID_SIZE) == 0)
			return &record->entries[i];
	return NULL;
}

static void encode_entry(uint8_t **at, const struct root_entry *entry)
{
	const struct board_partition *p = &entry->partition;

	put_bytes(at, p->id, sizeof(p->id));
	put_bytes(at, p->name, sizeof(p->name));
	put_u32(at, p->function);
	put_u32(at, p->flags);
	put_u32(at, p->slot);
	put_u32(at, p->max_objects);
	put_u32(at, p->max_sessions);
	put_u32(at, p->max_bytes);
	put_bytes(at, entry->wrapping, sizeof(entry->wrapping));
	put_u64(at, entry->generation);
	put_u64(at, entry->counter);
	put_u32(at, entry->security_version);
	put_bytes(at, entry->policy, sizeof(entry->policy));
}

static void decode_entry(const uint8_t **at, struct root_entry *entry)
{
	struct board_partition *p = &entry->partition;

	memset(entry, 0, sizeof(*entry));
	get_bytes(at, p->id, sizeof(p->id));
	get_bytes(at, p->name, sizeof(p->name));
	p->name[sizeof(p->name) - 1] = '\0';
	p->function = get_u32(at);
	p->flags = get_u32(at);
	p->slot = get_u32(at);
	p->max_objects = get_u32(at);
	p->max_sessions = get_u32(at);
	p->max_bytes = get_u32(at);
	get_bytes(at, entry->wrapping, sizeof(entry->wrapping));
	entry->generation = get_u64(at);
	entry->counter = get_u64(at);
	entry->security_version = get_u32(at);
	get_bytes(at, entry->policy, sizeof(entry->policy));
}

size_t root_encode(const struct root_record *record, uint8_t *bytes)
{
	uint8_t *at = bytes;
	uint32_t i;

	put_u32(&at, ROOT_MAGIC);
	put_u32(&at, ROOT_VERSION);
	put_u64(&at, record->counter);
	put_u32(&at, record->next_slot);
	put_u32(&at, record->count);
	events_encode(&record->events, &at);
	for (i = 0; i < record->count; i++)
		encode_entry(&at, &record->entries[i]);
	return (size_t)(at - bytes);
}

int root_decode(const uint8_t *bytes, size_t length, struct root_record *record)
{
	const uint8_t *at = bytes, *end = bytes + length;
	uint32_t i;

	if (length < HEAD_SIZE || get_u32(&at) != ROOT_MAGIC || get_u32(&at) != ROOT_VERSION)
		return -EBADMSG;
	record->counter = get_u64(&at);
	record->next_slot = get_u32(&at);
	record->count = get_u32(&at);
	if (record->count > BOARD_MAX_PARTITIONS || events_decode(&at, end, &record->events) ||
	    (size_t)(end - at) != (size_t)record->count * ENTRY_SIZE)
		return -EBADMSG;
	for (i = 0; i < record->count; i++)
		decode_entry(&at, &record->entries[i]);
	return 0;
}
