// SPDX-License-Identifier: Apache-2.0
/*
 * A partition as a stream of bytes, cut into chunks and sealed under a key that is drawn for it:
 *
 *	storage key; u32 length of the header's sections, sections; rows, each as u64 id, u32 length, u32 zero, bytes
 *
 * Rows go as they are stored, sealed under the storage key: what only a PIN opens nobody opens on the way. Chunk n is
 * bound to its number and to the document that goes before.
 */
#include <string.h>
#include <openssl/rand.h>
#include "clock.h"
#include "migrate.h"
#include "migrate_chunk.h"

#define SNAPSHOT_MAX (256U << 20)
#define IDLE_MAX     (10 * 60 * 1000) /* milliseconds between two chunks */

/**
 * struct migrate_export - a stream that is being read
 * @buffer: @room bytes of which @length are filled and @at were read
 * @after: id of the last row in it
 * @snapshot: all of it is in the buffer
 * @bytes, @done: of the whole stream; @rows: in it
 * @next: number of the next chunk
 * @touched: when the last one was read
 */
struct migrate_export {
	uint8_t key[HSM_MIGRATION_SECRET];
	struct migrate_chunk_key seal;
	uint8_t *buffer;
	size_t room;
	size_t length;
	size_t at;
	uint64_t after;
	bool snapshot;
	uint64_t rows;
	uint64_t bytes;
	uint64_t done;
	uint64_t next;
	uint64_t touched;
};

void migrate_export_free(struct migrate_export *export)
{
	if (!export)
		return;
	OPENSSL_clear_free(export->buffer, export->room);
	OPENSSL_clear_free(export, sizeof(*export));
}

uint64_t migrate_export_bytes(const struct migrate_export *export)
{
	return export->bytes;
}

uint64_t migrate_export_rows(const struct migrate_export *export)
{
	return export->rows;
}

const uint8_t *migrate_export_key(const struct migrate_export *export)
{
	return export->key;
}

int migrate_export_head(struct migrate_export *export, const uint8_t hash[HSM_MIGRATION_HASH])
{
	return migrate_chunk_key(&export->seal, export->key, hash);
}

/* ---- filling the buffer ---- */

/* Storage key and header. What of the header is this board's own, the target puts its own in place of. */
static CK_RV fill_front(const struct partition *partition, struct migrate_export *export)
{
	uint8_t *out = export->buffer;
	uint32_t size;
	size_t length;

	memcpy(out, partition->storage_key, SECRET_SIZE);
	if (header_body_write(partition, &partition->state, out + SECRET_SIZE + sizeof(size),
			      export->room - SECRET_SIZE - sizeof(size), &length) < 0)
		return CKR_DEVICE_ERROR;
	size = htole32(length);
	memcpy(out + SECRET_SIZE, &size, sizeof(size));
	export->length = SECRET_SIZE + sizeof(size) + length;
	return CKR_OK;
}

/* Walk a reply, note the last id, and turn its heads into little-endian. */
static bool check_rows(uint8_t *reply, size_t length, uint64_t *after)
{
	struct board_row row;

	while (length) {
		if (length < sizeof(row))
			return false;
		memcpy(&row, reply, sizeof(row));
		if (row.length > length - sizeof(row) || row.length > BOARD_BLOB_MAX ||
		    row.id <= *after)
			return false;
		*after = row.id;
		length -= sizeof(row) + row.length;
		migrate_row_put(reply, row.id, row.length);
		reply += sizeof(row) + row.length;
	}
	return true;
}

/* The next rows behind what is in the buffer. Return: CKR_OK, also at the end, when nothing is added. */
static CK_RV fill_rows(struct partition *partition, struct migrate_export *export)
{
	struct board_rows request = { .after = export->after };
	uint8_t *reply = export->buffer + export->length;
	size_t length = 0;
	int ret;

	memcpy(request.partition, partition->info.id, PARTITION_ID_SIZE);
	ret = ask_board(BOARD_ROWS, &request, sizeof(request), reply, export->room - export->length,
			&length);
	if (ret < 0)
		return board_error(ret);
	if (!check_rows(reply, length, &export->after))
		return CKR_DEVICE_ERROR;
	export->length += length;
	return CKR_OK;
}

static CK_RV fill_all(struct partition *partition, struct migrate_export *export)
{
	size_t before;
	CK_RV rv;

	do {
		before = export->length;
		if (export->room - before < BOARD_MESSAGE_MAX)
			return CKR_DEVICE_MEMORY;
		rv = fill_rows(partition, export);
	} while (rv == CKR_OK && export->length > before);
	return rv;
}

/* How many rows there are, and how long they are in the stream */
static CK_RV count_rows(struct partition *partition, struct migrate_export *export)
{
	size_t before = export->length, at;
	CK_RV rv;

	export->bytes = before;
	do {
		export->length = before;
		rv = fill_rows(partition, export);
		export->bytes += export->length - before;
		for (at = before; rv == CKR_OK && at < export->length; export->rows++)
			at += sizeof(struct board_row) +
			      migrate_row_get(export->buffer + at).length;
	} while (rv == CKR_OK && export->length > before);
	export->length = before;
	export->after = 0;
	return rv;
}

/* The rest of it, in a buffer that is large enough */
static CK_RV take_snapshot(struct partition *partition, struct migrate_export *export)
{
	size_t room = export->bytes + BOARD_MESSAGE_MAX;
	uint8_t *larger = export->bytes <= SNAPSHOT_MAX ? OPENSSL_malloc(room) : NULL;
	CK_RV rv;

	if (!larger)
		return CKR_DEVICE_MEMORY;
	memcpy(larger, export->buffer, export->length);
	OPENSSL_clear_free(export->buffer, export->room);
	export->buffer = larger;
	export->room = room;
	rv = fill_all(partition, export);
	return rv == CKR_OK && export->length != export->bytes ? CKR_DEVICE_ERROR : rv;
}

static CK_RV prepare(struct partition *partition, struct migrate_export *export)
{
	CK_RV rv;

	export->room = HEADER_MAX + BOARD_MESSAGE_MAX;
	export->buffer = OPENSSL_malloc(export->room);
	if (!export->buffer)
		return CKR_HOST_MEMORY;
	if (RAND_priv_bytes_ex(mech_libctx(), export->key, sizeof(export->key), 0) != 1)
		return CKR_FUNCTION_FAILED;
	rv = fill_front(partition, export);
	if (rv == CKR_OK)
		rv = count_rows(partition, export);
	return rv == CKR_OK && export->snapshot ? take_snapshot(partition, export) : rv;
}

CK_RV migrate_export_new(struct partition *partition, bool snapshot, struct migrate_export **result)
{
	struct migrate_export *export = OPENSSL_zalloc(sizeof(*export));
	CK_RV rv;

	*result = NULL;
	if (!export)
		return CKR_HOST_MEMORY;
	export->snapshot = snapshot;
	rv = prepare(partition, export);
	if (rv == CKR_OK)
		*result = export;
	else
		migrate_export_free(export);
	return rv;
}

/* ---- reading ---- */

/* @length bytes of the stream, which has as many */
static CK_RV take(struct partition *partition, struct migrate_export *export, uint8_t *out,
		  size_t length)
{
	size_t some;
	CK_RV rv;

	while (length) {
		if (export->at == export->length && !export->snapshot) {
			export->at = export->length = 0;
			rv = fill_rows(partition, export);
			if (rv != CKR_OK)
				return rv;
		}
		some = export->length - export->at;
		if (!some)
			return CKR_DEVICE_ERROR;
		if (some > length)
			some = length;
		memcpy(out, export->buffer + export->at, some);
		export->at += some;
		out += some;
		length -= some;
	}
	return CKR_OK;
}

static CK_RV put_chunk(struct partition *partition, struct migrate_export *export, uint64_t number,
		       struct hsm_writer *out)
{
	uint64_t left = export->bytes - export->done;
	size_t length = left < HSM_MIGRATION_CHUNK ? left : HSM_MIGRATION_CHUNK;
	uint8_t *text, *sealed;
	CK_RV rv;

	if (number != export->next || !length)
		return CKR_ARGUMENTS_BAD;
	sealed = hsm_put_reserve(out, HSM_FIELD_DATA, length + AEAD_OVERHEAD);
	text = OPENSSL_malloc(HSM_MIGRATION_CHUNK);
	if (!sealed || !text) {
		OPENSSL_free(text);
		return CKR_HOST_MEMORY;
	}
	rv = take(partition, export, text, length);
	if (rv == CKR_OK && migrate_chunk_seal(&export->seal, number, text, length, sealed) < 0)
		rv = CKR_DEVICE_ERROR;
	OPENSSL_clear_free(text, HSM_MIGRATION_CHUNK);
	if (rv != CKR_OK)
		return rv;
	export->next++;
	export->done += length;
	return CKR_OK;
}

/* ---- whose it is, and how long ---- */

void migrate_export_end(struct partition *partition)
{
	partition->reader = NULL;
	migrate_export_free(partition->export);
	partition->export = NULL;
}

void migrate_export_leave(struct partition *partition, struct client *client)
{
	if (partition->reader != client)
		return;
	pthread_mutex_lock(&partition->commit_lock);
	if (partition->reader == client)
		migrate_export_end(partition);
	pthread_mutex_unlock(&partition->commit_lock);
}

void migrate_export_keep(struct partition *partition, struct client *client,
			 struct migrate_export *export)
{
	bool closed;

	migrate_export_end(partition);
	export->touched = clock_now();
	partition->export = export;
	partition->reader = client;
	/* Who has gone meanwhile has looked for a reader before there was one, or has said so by now. */
	pthread_mutex_lock(&client->lock);
	closed = client->closed;
	pthread_mutex_unlock(&client->lock);
	if (closed)
		migrate_export_end(partition);
}

/* Keys and snapshot stay no longer than they are wanted. */
CK_RV migrate_export_next(struct partition *partition, const struct client *client, uint64_t number,
			  struct hsm_writer *out)
{
	struct migrate_export *export = partition->export;
	CK_RV rv;

	if (export && clock_now() - export->touched > IDLE_MAX)
		migrate_export_end(partition);
	export = partition->export;
	if (!export || partition->reader != client)
		return CKR_OPERATION_NOT_INITIALIZED;
	rv = put_chunk(partition, export, number, out);
	export->touched = clock_now();
	if (rv != CKR_ARGUMENTS_BAD && (rv != CKR_OK || export->done == export->bytes))
		migrate_export_end(partition);
	return rv;
}
