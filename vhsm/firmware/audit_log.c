// SPDX-License-Identifier: Apache-2.0
/*
 * The audit log in memory: its rows without their records, what waits for a commit, and the opening of what is stored. A row's
 * text begins with the number of its first record and the head before that, so that the log can lose its oldest rows;
 * records follow, each behind its length. Rows are padded: appending to one takes no more room on the disk. The form is
 * described in Documentation/audit.rst.
 */
#include <errno.h>
#include <string.h>
#include "audit_rows.h"
#include "audit_sign.h"
#include "clock.h"

static EVP_MD *sha384;
static pthread_once_t sha384_once = PTHREAD_ONCE_INIT;

static void fetch_sha384(void)
{
	sha384 = EVP_MD_fetch(mech_libctx(), "SHA384", NULL);
}

const EVP_MD *audit_sha384(void)
{
	pthread_once(&sha384_once, fetch_sha384);
	return sha384;
}

struct audit_log *audit_log_of(struct partition *partition)
{
	if (!partition->audit)
		partition->audit = OPENSSL_zalloc(sizeof(*partition->audit));
	return partition->audit;
}

const uint8_t *audit_alias(struct partition *partition)
{
	struct audit_log *log = audit_log_of(partition);

	if (log && !log->has_alias)
		log->has_alias = audit_sign_alias(partition, log->alias) == 0;
	return log && log->has_alias ? log->alias : NULL;
}

void audit_log_free(struct partition *partition)
{
	struct audit_log *log = partition->audit;

	if (!log)
		return;
	audit_draft_free(&log->draft);
	audit_text_free(&log->tail);
	OPENSSL_free(log->rows);
	OPENSSL_free(log->pending);
	OPENSSL_free(log->bytes);
	OPENSSL_free(log);
	partition->audit = NULL;
}

uint32_t audit_rows(const struct partition_state *state)
{
	return state->audit.next_row - state->audit.first_row;
}

void audit_text_free(struct audit_text *text)
{
	OPENSSL_free(text->data);
	*text = (struct audit_text){ 0 };
}

void audit_draft_free(struct audit_draft *draft)
{
	OPENSSL_free(draft->fresh);
	audit_text_free(&draft->tail);
	*draft = (struct audit_draft){ 0 };
}

/* ---- sizes ---- */

size_t audit_padded(size_t text)
{
	return (text + AUDIT_BLOCK - 1) / AUDIT_BLOCK * AUDIT_BLOCK;
}

size_t audit_row_bytes(size_t text)
{
	return ROW_CLEAR + AEAD_OVERHEAD + audit_padded(text);
}

/* Does a record of this length go into a row of which so much is used? */
bool audit_fits(size_t used, size_t length)
{
	return used && used + RECORD_LENGTH + length <= AUDIT_BLOCK;
}

/* ---- appending ---- */

/* Room for one more entry and so many more bytes. Return: 0 or -ENOMEM. */
static int make_room(struct audit_log *log, size_t entries, size_t bytes)
{
	struct audit_pending *pending;
	uint8_t *more;
	size_t room;

	if (entries > log->pending_room) {
		room = 2 * entries + 8;
		pending = OPENSSL_realloc(log->pending, room * sizeof(*pending));
		if (!pending)
			return -ENOMEM;
		log->pending = pending;
		log->pending_room = room;
	}
	if (bytes > log->bytes_room) {
		room = 2 * bytes;
		more = OPENSSL_realloc(log->bytes, room);
		if (!more)
			return -ENOMEM;
		log->bytes = more;
		log->bytes_room = room;
	}
	return 0;
}

static size_t pending_end(const struct audit_log *log, size_t pending)
{
	const struct audit_pending *last = pending ? &log->pending[pending - 1] : NULL;

	return last ? last->offset + last->length : 0;
}

static size_t text_bytes(const struct hsm_audit_record *record)
{
	const char *const texts[] = { record->actor, record->subject, record->detail,
				      record->value };
	size_t i, sum = 0;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		sum += texts[i] ? strlen(texts[i]) : 0;
	return sum;
}

/* At most so long is the encoding of a record. */
static size_t encoded_bound(const struct hsm_audit_record *record)
{
	return 1024 + text_bytes(record) + record->signature.length;
}

CK_RV audit_append(struct partition *partition, struct partition_state *next,
		   struct hsm_audit_record *record)
{
	struct audit_state *audit = &next->audit;
	struct audit_log *log = audit_log_of(partition);
	struct audit_pending *entry;
	size_t offset, bound = encoded_bound(record);
	long length;

	if (!log)
		return CKR_HOST_MEMORY;
	offset = pending_end(log, audit->pending);
	if (make_room(log, audit->pending + 1, offset + bound) < 0)
		return CKR_HOST_MEMORY;
	record->sequence = audit->chain.sequence + 1;
	record->time = clock_now();
	length = hsm_audit_encode(record, log->bytes + offset, bound);
	if (length < 0 || length > HSM_AUDIT_RECORD_MAX)
		return CKR_DEVICE_ERROR;
	entry = &log->pending[audit->pending];
	*entry = (struct audit_pending){ .sequence = record->sequence,
					 .offset = offset,
					 .length = length };
	memcpy(entry->before, audit->chain.head, HSM_AUDIT_HASH);
	if (hsm_audit_extend(&audit->chain, audit_sha384(), log->bytes + offset, length) < 0)
		return CKR_DEVICE_ERROR;
	if (audit_fits(audit->fill, length)) {
		audit->fill += RECORD_LENGTH + length;
	} else {
		audit->fill = AUDIT_BLOCK_HEAD + RECORD_LENGTH + length;
		audit->bytes += audit_row_bytes(audit->fill);
	}
	audit->pending++;
	return CKR_OK;
}

/* ---- rows ---- */

void audit_row_aad(const struct partition *partition, const struct audit_row *row,
		   uint8_t aad[ROW_AAD])
{
	uint64_t id = htole64(row->id), generation = htole64(row->generation);
	uint32_t version = htole32(ROW_VERSION);

	memcpy(aad, partition->info.id, PARTITION_ID_SIZE);
	memcpy(aad + PARTITION_ID_SIZE, &id, 8);
	memcpy(aad + PARTITION_ID_SIZE + 8, &generation, 8);
	memcpy(aad + PARTITION_ID_SIZE + 16, &version, 4);
}

int audit_row_digest(const struct partition *partition, const struct audit_row *row,
		     uint8_t digest[32])
{
	return hash_row(partition->hash_key, row->id, row->generation, row->tag, digest);
}

/* Room for more rows; those that are gone make place first. */
int audit_rows_reserve(struct audit_log *log, size_t more)
{
	struct audit_row *rows;
	size_t room;

	if (log->start + log->count + more <= log->room)
		return 0;
	room = 2 * (log->count + more) + 8;
	rows = OPENSSL_malloc(room * sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	if (log->count)
		memcpy(rows, log->rows + log->start, log->count * sizeof(*rows));
	OPENSSL_free(log->rows);
	log->rows = rows;
	log->start = 0;
	log->room = room;
	return 0;
}

/* ---- opening ---- */

/* Open a sealed row. @text: room of BOARD_BLOB_MAX. Return: bytes used of the text, or a negative errno. */
long audit_row_open(const struct partition *partition, struct audit_row *row, const uint8_t *blob,
		    size_t length, uint8_t *text)
{
	uint8_t aad[ROW_AAD];
	size_t room, used;

	if (length < ROW_CLEAR + AEAD_OVERHEAD + AUDIT_BLOCK_HEAD || length > BOARD_BLOB_MAX)
		return -EBADMSG;
	room = length - ROW_CLEAR - AEAD_OVERHEAD;
	row->generation = hsm_get_le64(blob);
	audit_row_aad(partition, row, aad);
	if (aead_open(partition->row_key, aad, sizeof(aad), blob + ROW_CLEAR, length - ROW_CLEAR,
		      text) < 0)
		return -EBADMSG;
	used = hsm_get_le32(text + 8 + HSM_AUDIT_HASH);
	if (used < AUDIT_BLOCK_HEAD || used > room)
		return -EBADMSG;
	row->stored = length;
	row->first = hsm_get_le64(text);
	memcpy(row->before, text + 8, HSM_AUDIT_HASH);
	memcpy(row->tag, blob + length - AEAD_TAG_SIZE, AEAD_TAG_SIZE);
	return used;
}

static int keep_row(struct audit_log *log, const struct audit_row *row, const uint8_t *text,
		    size_t used)
{
	uint8_t *tail = OPENSSL_memdup(text, used);

	if (!tail || audit_rows_reserve(log, 1) < 0) {
		OPENSSL_free(tail);
		return -ENOMEM;
	}
	log->rows[log->start + log->count++] = *row;
	audit_text_free(&log->tail);
	log->tail = (struct audit_text){ .data = tail, .used = used };
	return 0;
}

int audit_take_row(struct partition *partition, uint64_t id, const uint8_t *blob, size_t length,
		   uint8_t sum[32])
{
	struct audit_log *log = audit_log_of(partition);
	struct audit_row row = { .id = id };
	uint8_t *text = OPENSSL_malloc(BOARD_BLOB_MAX), digest[32];
	long used;
	int ret;

	if (!log || !text) {
		OPENSSL_free(text);
		return -ENOMEM;
	}
	used = audit_row_open(partition, &row, blob, length, text);
	ret = used < 0 ? (int)used : audit_row_digest(partition, &row, digest);
	if (!ret) {
		hash_add(sum, digest);
		ret = keep_row(log, &row, text, used);
	}
	if (!ret)
		partition->state.audit.fill = used;
	OPENSSL_free(text);
	return ret;
}

int audit_verify(const struct partition *partition)
{
	const struct audit_state *audit = &partition->state.audit;
	const struct audit_log *log = partition->audit;
	size_t i, count = log ? log->count : 0;

	if (count != audit_rows(&partition->state))
		return -EBADMSG;
	for (i = 0; i < count; i++)
		if (log->rows[log->start + i].id != audit->first_row + i)
			return -EBADMSG;
	return count && log->rows[log->start].first != audit->first ? -EBADMSG : 0;
}

/* The number of the last record in the last row */
static uint64_t last_record(const struct audit_log *log)
{
	uint64_t number = log->rows[log->start + log->count - 1].first - 1;
	size_t at;

	for (at = AUDIT_BLOCK_HEAD; at + RECORD_LENGTH <= log->tail.used; number++)
		at += RECORD_LENGTH + hsm_get_le32(log->tail.data + at);
	return number;
}

int audit_accept(struct partition *partition, struct partition_state *next)
{
	const struct audit_log *log = partition->audit;
	struct audit_state *audit = &next->audit;
	const struct audit_row *row;
	size_t i;

	if (!log || !log->count)
		return audit_rows(next) ? -EBADMSG : 0;
	row = &log->rows[log->start];
	audit->first = row->first;
	memcpy(audit->base, row->before, HSM_AUDIT_HASH);
	audit->first_row = row->id;
	audit->next_row = row->id + log->count;
	audit->bytes = 0;
	for (i = 0; i < log->count; i++) {
		if (row[i].id != row->id + i)
			return -EBADMSG;
		audit->bytes += row[i].stored;
	}
	/* What comes now begins a row of its own, with the head that the header knows. */
	if (last_record(log) > audit->chain.sequence)
		audit->chain.sequence = last_record(log);
	audit->fill = 0;
	partition->audit->closed = true;
	return 0;
}
