// SPDX-License-Identifier: Apache-2.0
/*
 * The stream of migrate_export.c back into a partition. Rows go to the disk as they come, while the partition's header
 * says that it serves nothing and looks at none of them; the last commit brings the header that they belong to. What a
 * power cut leaves is overwritten by the next attempt.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include "audit.h"
#include "migrate.h"
#include "migrate_chunk.h"

#define FRONT	    (SECRET_SIZE + 4) /* before the header's sections */
#define BUFFER_ROOM (HEADER_MAX + BOARD_BLOB_MAX + HSM_MIGRATION_CHUNK)

_Static_assert(sizeof(struct board_row) == sizeof(struct board_change),
	       "rows of the stream are changes of a commit");

/**
 * struct migrate_import - a stream that is coming
 * @bytes, @rows: that it will have; @done, @seen: so far
 * @next: number of the next chunk
 * @after: id of the last row
 * @header: sections, once they are there
 * @buffer: what is not yet a whole row, @used bytes
 */
struct migrate_import {
	struct migrate_chunk_key seal;
	uint64_t bytes;
	uint64_t rows;
	uint64_t done;
	uint64_t seen;
	uint64_t next;
	uint64_t after;
	uint8_t storage_key[SECRET_SIZE];
	uint8_t *header;
	size_t header_length;
	size_t used;
	uint8_t buffer[BUFFER_ROOM];
};

struct migrate_import *migrate_import_new(const uint8_t key[HSM_MIGRATION_SECRET],
					  const uint8_t hash[HSM_MIGRATION_HASH], uint64_t bytes,
					  uint64_t rows)
{
	struct migrate_import *import = OPENSSL_zalloc(sizeof(*import));

	if (!import)
		return NULL;
	import->bytes = bytes;
	import->rows = rows;
	if (!migrate_chunk_key(&import->seal, key, hash))
		return import;
	migrate_import_free(import);
	return NULL;
}

void migrate_import_free(struct migrate_import *import)
{
	if (!import)
		return;
	OPENSSL_clear_free(import->header, import->header_length);
	OPENSSL_clear_free(import, sizeof(*import));
}

/* ---- rows to the disk ---- */

/* @changes: @length bytes, @count of them. The header stays what it is. */
static CK_RV commit_rows(struct partition *partition, uint8_t *changes, size_t length,
			 uint32_t count)
{
	struct board_commit *commit = OPENSSL_malloc(sizeof(*commit) + HEADER_MAX);
	struct board_committed committed;
	struct iovec part[2];
	size_t header_length = 0, answered = 0;
	int ret;

	if (!commit)
		return CKR_HOST_MEMORY;
	ret = header_write(partition, &partition->state, (uint8_t *)(commit + 1), HEADER_MAX,
			   &header_length);
	*commit = (struct board_commit){ .header_length = header_length, .changes = count };
	memcpy(commit->partition, partition->info.id, PARTITION_ID_SIZE);
	part[0] = (struct iovec){ commit, sizeof(*commit) + header_length };
	part[1] = (struct iovec){ changes, length };
	if (!ret)
		ret = storage_call(BOARD_COMMIT, part, 2, &committed, sizeof(committed), &answered);
	OPENSSL_free(commit);
	return board_error(ret);
}

/* In place: a list of rows becomes one of changes that delete them. Return: their number. */
static uint32_t turn_to_deletions(uint8_t *reply, size_t length, size_t *left)
{
	struct board_change change = { 0 };
	struct board_row row;
	size_t from, to = 0;
	uint32_t count = 0;

	for (from = 0; from + sizeof(row) <= length; from += sizeof(row) + row.length) {
		memcpy(&row, reply + from, sizeof(row));
		if (row.length > length - from - sizeof(row))
			break;
		change.id = row.id;
		memcpy(reply + to, &change, sizeof(change));
		to += sizeof(change);
		count++;
	}
	*left = to;
	return count;
}

CK_RV migrate_import_clear(struct partition *partition)
{
	struct board_rows request = { 0 };
	uint8_t *reply = OPENSSL_malloc(BOARD_MESSAGE_MAX);
	size_t length = 0;
	uint32_t count;
	CK_RV rv = reply ? CKR_OK : CKR_HOST_MEMORY;

	memcpy(request.partition, partition->info.id, PARTITION_ID_SIZE);
	while (rv == CKR_OK) {
		rv = board_error(ask_board(BOARD_ROWS, &request, sizeof(request), reply,
					   BOARD_MESSAGE_MAX, &length));
		if (rv != CKR_OK || !length)
			break;
		count = turn_to_deletions(reply, length, &length);
		rv = count ? commit_rows(partition, reply, length, count) : CKR_DEVICE_ERROR;
	}
	OPENSSL_free(reply);
	return rv;
}

/* ---- chunks ---- */

static void drop_front(struct migrate_import *import, size_t length)
{
	memmove(import->buffer, import->buffer + length, import->used - length);
	import->used -= length;
	OPENSSL_cleanse(import->buffer + import->used, length);
}

/* Storage key and header, when they are there as a whole */
static CK_RV take_front(struct migrate_import *import)
{
	uint32_t length;

	if (import->header || import->used < FRONT)
		return CKR_OK;
	length = hsm_get_le32(import->buffer + SECRET_SIZE);
	if (!length || length > HEADER_MAX)
		return CKR_DATA_INVALID;
	if (import->used < FRONT + length)
		return CKR_OK;
	import->header = OPENSSL_memdup(import->buffer + FRONT, length);
	if (!import->header)
		return CKR_HOST_MEMORY;
	import->header_length = length;
	memcpy(import->storage_key, import->buffer, SECRET_SIZE);
	drop_front(import, FRONT + length);
	return CKR_OK;
}

/* The rows that are there as a whole become changes in their place. Return: their bytes, or -1: no list of rows */
static ssize_t whole_rows(struct migrate_import *import, uint32_t *count)
{
	struct board_change change = { 0 };
	struct board_row row;
	size_t at = 0;

	for (*count = 0; import->used - at >= sizeof(row); (*count)++) {
		row = migrate_row_get(import->buffer + at);
		if (!row.length || row.length > BOARD_BLOB_MAX || row.id <= import->after)
			return -1;
		if (import->used - at - sizeof(row) < row.length)
			break;
		import->after = row.id;
		change.id = row.id;
		change.length = row.length;
		memcpy(import->buffer + at, &change, sizeof(change));
		at += sizeof(row) + row.length;
	}
	return (ssize_t)at;
}

static CK_RV take_rows(struct partition *partition, struct migrate_import *import)
{
	uint32_t count = 0;
	ssize_t length;
	CK_RV rv;

	if (!import->header)
		return CKR_OK;
	length = whole_rows(import, &count);
	if (length < 0 || import->seen + count > import->rows)
		return CKR_DATA_INVALID;
	if (!count)
		return CKR_OK;
	rv = commit_rows(partition, import->buffer, (size_t)length, count);
	if (rv != CKR_OK)
		return rv;
	import->seen += count;
	drop_front(import, (size_t)length);
	return CKR_OK;
}

CK_RV migrate_import_chunk(struct partition *partition, struct migrate_import *import,
			   uint64_t number, const uint8_t *sealed, size_t length)
{
	uint64_t left = import->bytes - import->done;
	size_t expected = left < HSM_MIGRATION_CHUNK ? left : HSM_MIGRATION_CHUNK;
	CK_RV rv;

	if (number != import->next)
		return CKR_ARGUMENTS_BAD;
	if (!expected || length != expected + AEAD_OVERHEAD ||
	    migrate_chunk_open(&import->seal, number, sealed, length,
			       import->buffer + import->used) < 0)
		return CKR_DATA_INVALID;
	import->used += expected;
	import->done += expected;
	import->next++;
	rv = take_front(import);
	return rv == CKR_OK ? take_rows(partition, import) : rv;
}

/* ---- the end ---- */

/* What the partition will be, so far in memory alone */
static CK_RV build(const struct partition *partition, const struct migrate_import *import,
		   struct partition *fresh, uint32_t *rows)
{
	struct board_open open;
	uint8_t *reply = OPENSSL_malloc(BOARD_MESSAGE_MAX);
	size_t length = 0;
	int ret = -ENOMEM;

	memcpy(fresh->storage_key, import->storage_key, SECRET_SIZE);
	fresh->generation = partition->generation;
	if (reply)
		ret = ask_board(BOARD_OPEN, partition->info.id, PARTITION_ID_SIZE, reply,
				BOARD_MESSAGE_MAX, &length);
	if (!ret && length < sizeof(open))
		ret = -EPROTO;
	if (!ret) {
		memcpy(&open, reply, sizeof(open));
		*rows = open.rows;
		ret = header_keys(fresh);
		if (!ret)
			ret = header_wrap(fresh, open.key);
		OPENSSL_cleanse(&open, sizeof(open));
	}
	OPENSSL_clear_free(reply, BOARD_MESSAGE_MAX);
	if (ret)
		return CKR_DEVICE_ERROR;
	ret = header_body_read(fresh, import->header, import->header_length);
	return ret ? CKR_DATA_INVALID : CKR_OK;
}

static CK_RV commit_fresh(struct partition *fresh, const struct partition *partition,
			  const struct migrate_state *migrate)
{
	struct hsm_audit_record record = {
		.event = migrate->origin == HSM_MIGRATION_ORIGIN_RESTORED ? HSM_AUDIT_RESTORED
									  : HSM_AUDIT_MIGRATED_IN,
		.actor = "board",
		.digest = { migrate->package, HSM_MIGRATION_HASH },
		.board = { migrate->origin_board, BOARD_ID_SIZE },
		.number = migrate->origin_counter,
	};
	struct partition_state next;
	CK_RV rv;

	fresh->state.counter = partition->state.counter;
	fresh->state.commits = 0;
	next = fresh->state;
	next.migrate = *migrate;
	/* What was once true of it no later move makes untrue. */
	next.migrate.unsafe |= fresh->state.migrate.unsafe;
	next.migrate.restored |= fresh->state.migrate.restored;
	pthread_mutex_lock(&fresh->commit_lock);
	rv = audit_record(fresh, &next, &record);
	if (rv == CKR_OK)
		rv = store_commit(fresh, &next, NULL, 0, true);
	pthread_mutex_unlock(&fresh->commit_lock);
	OPENSSL_cleanse(&next, sizeof(next));
	return rv;
}

CK_RV migrate_import_end(struct partition *partition, struct migrate_import *import,
			 const struct migrate_state *next)
{
	struct partition *fresh;
	uint32_t rows = 0;
	CK_RV rv;

	if (!import->header || import->used || import->done != import->bytes ||
	    import->seen != import->rows)
		return CKR_DATA_INVALID;
	fresh = partition_blank(&partition->info);
	if (!fresh)
		return CKR_HOST_MEMORY;
	rv = build(partition, import, fresh, &rows);
	if (rv == CKR_OK && (rows != import->rows || policy_load(fresh) < 0))
		rv = CKR_DATA_INVALID;
	if (rv == CKR_OK && store_load_rows(fresh, rows) < 0)
		rv = CKR_DATA_INVALID;
	if (rv == CKR_OK)
		rv = commit_fresh(fresh, partition, next);
	partition_put(fresh);
	return rv;
}
