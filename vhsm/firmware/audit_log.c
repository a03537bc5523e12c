// SPDX-License-Identifier: Apache-2.0
/*
 * The audit log's rows. A row's text begins with the number of its first record and the head before that, so that the
 * log can lose its oldest rows; records follow, each behind its length. Rows are padded: appending
 * to one takes no more room on the disk. The form is described in Documentation/audit.rst.
 */
#include <errno.h>
#include <string.h>
#include <openssl/rand.h>
#include "audit_log.h"
#include "audit_sign.h"
#include "clock.h"

#define ROW_CLEAR     8 /* generation */
#define ROW_AAD	      (PARTITION_ID_SIZE + 20)
#define ROW_VERSION   0x41554401U /* no other row has it */
#define RECORD_LENGTH 4

/**
 * struct audit_row - one row as it is stored
 * @first, @before: number of its first record, and the head before it
 * @stored: bytes of the row
 */
struct audit_row {
	uint64_t id;
	uint64_t generation;
	uint64_t first;
	size_t stored;
	uint8_t before[HSM_AUDIT_HASH];
	uint8_t tag[AEAD_TAG_SIZE];
};

/* A record that waits for the commit: bytes in audit_log.bytes, and the head before it */
struct audit_pending {
	uint64_t sequence;
	size_t offset;
	size_t length;
	uint8_t before[HSM_AUDIT_HASH];
};

struct audit_text {
	uint8_t *data;
	size_t used;
};

/**
 * struct audit_draft - what a commit on its way makes of the log
 * @drop: rows that go from the front
 * @last: the last row, rewritten, when @rewritten
 * @fresh: new rows behind it
 * @tail: text of the last row then; no data: as it was
 */
struct audit_draft {
	size_t drop;
	bool rewritten;
	struct audit_row last;
	struct audit_row *fresh;
	size_t fresh_count;
	struct audit_text tail;
};

/**
 * struct audit_log - a log in memory, without its records but those in the last row
 * @rows: @count of them from @start on
 * @closed: nothing more goes into the last row
 * @alias: of this process, when @has_alias
 * @tight: bytes that the log may not grow beyond in this commit, 0: as the policy says
 */
struct audit_log {
	struct audit_row *rows;
	size_t start;
	size_t count;
	size_t room;
	struct audit_text tail;
	struct audit_pending *pending;
	size_t pending_room;
	uint8_t *bytes;
	size_t bytes_room;
	uint64_t tight;
	bool closed;
	bool has_alias;
	uint8_t alias[HSM_AUDIT_ALIAS_SIZE];
	struct audit_draft draft;
};

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

static struct audit_log *log_of(struct partition *partition)
{
	if (!partition->audit)
		partition->audit = OPENSSL_zalloc(sizeof(*partition->audit));
	return partition->audit;
}

const uint8_t *audit_alias(struct partition *partition)
{
	struct audit_log *log = log_of(partition);

	if (log && !log->has_alias)
		log->has_alias = audit_sign_alias(partition, log->alias) == 0;
	return log && log->has_alias ? log->alias : NULL;
}

static void text_free(struct audit_text *text)
{
	OPENSSL_free(text->data);
	*text = (struct audit_text){ 0 };
}

static void draft_free(struct audit_draft *draft)
{
	OPENSSL_free(draft->fresh);
	text_free(&draft->tail);
	*draft = (struct audit_draft){ 0 };
}

void audit_log_free(struct partition *partition)
{
	struct audit_log *log = partition->audit;

	if (!log)
		return;
	draft_free(&log->draft);
	text_free(&log->tail);
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

/* ---- sizes ---- */

static size_t padded(size_t text)
{
	return (text + AUDIT_BLOCK - 1) / AUDIT_BLOCK * AUDIT_BLOCK;
}

size_t audit_row_bytes(size_t text)
{
	return ROW_CLEAR + AEAD_OVERHEAD + padded(text);
}

/* Does a record of this length go into a row of which so much is used? */
static bool fits(size_t used, size_t length)
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
	struct audit_log *log = log_of(partition);
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
	if (fits(audit->fill, length)) {
		audit->fill += RECORD_LENGTH + length;
	} else {
		audit->fill = AUDIT_BLOCK_HEAD + RECORD_LENGTH + length;
		audit->bytes += audit_row_bytes(audit->fill);
	}
	audit->pending++;
	return CKR_OK;
}

/* ---- rows ---- */

static void row_aad(const struct partition *partition, const struct audit_row *row,
		    uint8_t aad[ROW_AAD])
{
	uint64_t id = htole64(row->id), generation = htole64(row->generation);
	uint32_t version = htole32(ROW_VERSION);

	memcpy(aad, partition->info.id, PARTITION_ID_SIZE);
	memcpy(aad + PARTITION_ID_SIZE, &id, 8);
	memcpy(aad + PARTITION_ID_SIZE + 8, &generation, 8);
	memcpy(aad + PARTITION_ID_SIZE + 16, &version, 4);
}

static int digest_of(const struct partition *partition, const struct audit_row *row,
		     uint8_t digest[32])
{
	return hash_row(partition->hash_key, row->id, row->generation, row->tag, digest);
}

static int enter_hash(const struct partition *partition, struct partition_state *next,
		      const struct audit_row *row)
{
	uint8_t digest[32];

	if (digest_of(partition, row, digest) < 0)
		return -EIO;
	hash_add(next->hash, digest);
	return 0;
}

static int leave_hash(const struct partition *partition, struct partition_state *next,
		      const struct audit_row *row)
{
	uint8_t digest[32];

	if (digest_of(partition, row, digest) < 0)
		return -EIO;
	hash_subtract(next->hash, digest);
	return 0;
}

/**
 * struct packing - pending records on their way into rows
 * @row, @text: the row at hand; @text has room for the longest one
 * @old: it is the last row, and this is what it was; NULL: it is new
 */
struct packing {
	struct partition *partition;
	struct partition_state *next;
	uint8_t *out;
	size_t room;
	size_t used;
	uint32_t changes;
	struct audit_row row;
	const struct audit_row *old;
	uint8_t *text;
	size_t text_used;
	bool dirty;
};

static uint8_t *reserve(struct packing *packing, const struct audit_row *row, size_t length)
{
	struct board_change change = { .id = row->id, .length = length };
	uint8_t *at = packing->out + packing->used;

	if (packing->room - packing->used < sizeof(change) + length)
		return NULL;
	memcpy(at, &change, sizeof(change));
	packing->used += sizeof(change) + length;
	packing->changes++;
	return at + sizeof(change);
}

/* The row at hand is complete: seal it. */
static int write_row(struct packing *packing)
{
	struct audit_log *log = packing->partition->audit;
	struct audit_row *row = &packing->row;
	size_t length = padded(packing->text_used);
	uint64_t generation;
	uint8_t aad[ROW_AAD], *out;
	uint32_t used = htole32(packing->text_used);

	row->generation++;
	row->stored = audit_row_bytes(packing->text_used);
	out = reserve(packing, row, row->stored);
	if (!out)
		return -E2BIG;
	memset(packing->text + packing->text_used, 0, length - packing->text_used);
	memcpy(packing->text + 8 + HSM_AUDIT_HASH, &used, 4);
	generation = htole64(row->generation);
	memcpy(out, &generation, ROW_CLEAR);
	row_aad(packing->partition, row, aad);
	if (aead_seal(packing->partition->row_key, aad, sizeof(aad), packing->text, length,
		      out + ROW_CLEAR) < 0)
		return -EIO;
	memcpy(row->tag, out + row->stored - AEAD_TAG_SIZE, AEAD_TAG_SIZE);
	if (packing->old && leave_hash(packing->partition, packing->next, packing->old) < 0)
		return -EIO;
	if (packing->old) {
		log->draft.last = *row;
		log->draft.rewritten = true;
	} else {
		log->draft.fresh[log->draft.fresh_count++] = *row;
	}
	return enter_hash(packing->partition, packing->next, row);
}

static void begin_row(struct packing *packing, const struct audit_pending *pending)
{
	uint64_t first = htole64(pending->sequence);

	packing->old = NULL;
	packing->row = (struct audit_row){ .id = packing->next->audit.next_row++,
					   .first = pending->sequence };
	memcpy(packing->row.before, pending->before, HSM_AUDIT_HASH);
	memcpy(packing->text, &first, 8);
	memcpy(packing->text + 8, pending->before, HSM_AUDIT_HASH);
	packing->text_used = AUDIT_BLOCK_HEAD;
}

static void put_record(struct packing *packing, const struct audit_pending *pending)
{
	uint32_t length = htole32(pending->length);
	uint8_t *at = packing->text + packing->text_used;

	memcpy(at, &length, RECORD_LENGTH);
	memcpy(at + RECORD_LENGTH, packing->partition->audit->bytes + pending->offset,
	       pending->length);
	packing->text_used += RECORD_LENGTH + pending->length;
	packing->dirty = true;
}

static int pack(struct packing *packing)
{
	struct audit_log *log = packing->partition->audit;
	const struct audit_pending *pending = log->pending;
	size_t i, count = packing->next->audit.pending;
	int ret = 0;

	if (log->count) {
		packing->old = &log->rows[log->start + log->count - 1];
		packing->row = *packing->old;
		memcpy(packing->text, log->tail.data, log->tail.used);
		packing->text_used = log->closed ? AUDIT_BLOCK : log->tail.used;
	}
	for (i = 0; i < count && !ret; i++) {
		if (!fits(packing->text_used, pending[i].length)) {
			ret = packing->dirty ? write_row(packing) : 0;
			begin_row(packing, &pending[i]);
		}
		put_record(packing, &pending[i]);
	}
	return ret || !packing->dirty ? ret : write_row(packing);
}

/* ---- dropping ---- */

/* The oldest row goes, of those that were there before this commit and are not its last. */
static int drop_row(struct packing *packing)
{
	struct audit_log *log = packing->partition->audit;
	struct audit_state *audit = &packing->next->audit;
	const struct audit_row *row = &log->rows[log->start + log->draft.drop];

	if (!reserve(packing, row, 0))
		return -E2BIG;
	if (leave_hash(packing->partition, packing->next, row) < 0)
		return -EIO;
	log->draft.drop++;
	audit->first = row[1].first;
	memcpy(audit->base, row[1].before, HSM_AUDIT_HASH);
	audit->first_row++;
	audit->bytes -= row->stored;
	return 0;
}

static bool may_drop(const struct audit_log *log)
{
	return log->draft.drop + 1 < log->count;
}

static bool refuses(const struct partition *partition)
{
	return policy_value(partition, HSM_POLICY_AUDIT_FULL) != 0;
}

/* Have all records of the oldest row been let go of? */
static bool released(const struct audit_log *log, const struct audit_state *audit)
{
	return log->rows[log->start + log->draft.drop + 1].first <= audit->released + 1;
}

static int drop_rows(struct packing *packing)
{
	const struct partition *partition = packing->partition;
	struct audit_state *audit = &packing->next->audit;
	struct audit_log *log = partition->audit;
	uint64_t quota = policy_value(partition, HSM_POLICY_AUDIT_BYTES);
	int ret = 0;

	while (!ret && may_drop(log) && released(log, audit))
		ret = drop_row(packing);
	if (log->tight && log->tight < quota)
		quota = log->tight;
	while (!ret && may_drop(log) && audit->bytes > quota && !refuses(partition))
		ret = drop_row(packing);
	if (audit->bytes < quota / 4 * 3)
		audit->filling = 0;
	return ret;
}

bool audit_tighten(struct partition *partition, const struct partition_state *next)
{
	if (!partition->audit || refuses(partition) ||
	    next->audit.bytes <= partition->state.audit.bytes)
		return false;
	partition->audit->tight = partition->state.audit.bytes;
	return true;
}

/* ---- with a commit ---- */

static size_t longest_text(const struct audit_log *log, size_t pending)
{
	size_t longest = AUDIT_BLOCK > log->tail.used ? AUDIT_BLOCK : log->tail.used, i, text;

	for (i = 0; i < pending; i++) {
		text = AUDIT_BLOCK_HEAD + RECORD_LENGTH + log->pending[i].length;
		if (text > longest)
			longest = text;
	}
	return padded(longest);
}

static int build(struct packing *packing)
{
	struct audit_log *log = packing->partition->audit;
	struct audit_draft *draft = &log->draft;
	size_t pending = packing->next->audit.pending;
	int ret;

	draft->fresh = OPENSSL_zalloc((pending + 1) * sizeof(*draft->fresh));
	packing->text = OPENSSL_zalloc(longest_text(log, pending));
	if (!draft->fresh || !packing->text)
		return -ENOMEM;
	ret = pack(packing);
	if (!ret && packing->dirty) {
		draft->tail.data = OPENSSL_memdup(packing->text, packing->text_used);
		draft->tail.used = packing->text_used;
		ret = draft->tail.data ? 0 : -ENOMEM;
	}
	return ret ? ret : drop_rows(packing);
}

long audit_build(struct partition *partition, struct partition_state *next, uint8_t *out,
		 size_t room, uint32_t *changes)
{
	struct packing packing = { .partition = partition, .next = next, .out = out, .room = room };
	int ret;

	*changes = 0;
	if (!partition->audit || !next->audit.pending)
		return 0;
	draft_free(&partition->audit->draft);
	ret = build(&packing);
	OPENSSL_free(packing.text);
	next->audit.pending = 0;
	*changes = packing.changes;
	return ret < 0 ? ret : (long)packing.used;
}

/* Room for more rows; those that are gone make place first. */
static int rows_reserve(struct audit_log *log, size_t more)
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

void audit_built(struct partition *partition, bool done)
{
	struct audit_log *log = partition->audit;
	struct audit_draft *draft = log ? &log->draft : NULL;

	audit_uses_taken(partition, done);
	if (!log)
		return;
	log->tight = 0;
	if (done) {
		log->closed = log->closed && !draft->fresh_count;
		if (draft->rewritten)
			log->rows[log->start + log->count - 1] = draft->last;
		log->start += draft->drop;
		log->count -= draft->drop;
		if (draft->fresh_count && rows_reserve(log, draft->fresh_count) < 0) {
			/* What is stored is right; what is in memory would not be. */
			partition->failed = CKR_DEVICE_ERROR;
		} else if (draft->fresh_count) {
			memcpy(log->rows + log->start + log->count, draft->fresh,
			       draft->fresh_count * sizeof(*draft->fresh));
			log->count += draft->fresh_count;
		}
		if (draft->tail.data) {
			text_free(&log->tail);
			log->tail = draft->tail;
			draft->tail = (struct audit_text){ 0 };
		}
	}
	draft_free(draft);
}

/* ---- opening ---- */

/* Open a sealed row. @text: room of BOARD_BLOB_MAX. Return: bytes used of the text, or a negative errno. */
static long open_row(const struct partition *partition, struct audit_row *row, const uint8_t *blob,
		     size_t length, uint8_t *text)
{
	uint8_t aad[ROW_AAD];
	size_t room, used;

	if (length < ROW_CLEAR + AEAD_OVERHEAD + AUDIT_BLOCK_HEAD || length > BOARD_BLOB_MAX)
		return -EBADMSG;
	room = length - ROW_CLEAR - AEAD_OVERHEAD;
	row->generation = hsm_get_le64(blob);
	row_aad(partition, row, aad);
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

	if (!tail || rows_reserve(log, 1) < 0) {
		OPENSSL_free(tail);
		return -ENOMEM;
	}
	log->rows[log->start + log->count++] = *row;
	text_free(&log->tail);
	log->tail = (struct audit_text){ .data = tail, .used = used };
	return 0;
}

int audit_take_row(struct partition *partition, uint64_t id, const uint8_t *blob, size_t length,
		   uint8_t sum[32])
{
	struct audit_log *log = log_of(partition);
	struct audit_row row = { .id = id };
	uint8_t *text = OPENSSL_malloc(BOARD_BLOB_MAX), digest[32];
	long used;
	int ret;

	if (!log || !text) {
		OPENSSL_free(text);
		return -ENOMEM;
	}
	used = open_row(partition, &row, blob, length, text);
	ret = used < 0 ? (int)used : digest_of(partition, &row, digest);
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

/* ---- reading ---- */

/**
 * struct reading - records on their way out
 * @chain: as it is before the next record of the rows
 */
struct reading {
	struct partition *partition;
	uint64_t from;
	uint8_t *out;
	size_t room;
	size_t used;
	bool full;
	struct hsm_audit_chain chain;
	uint64_t *first;
	uint8_t *base;
};

static int give_record(struct reading *reading, const uint8_t *record, size_t length)
{
	if (reading->chain.sequence + 1 >= reading->from) {
		if (length > reading->room - reading->used) {
			reading->full = true;
			return reading->used ? 0 : -EMSGSIZE;
		}
		if (!reading->used) {
			*reading->first = reading->chain.sequence + 1;
			memcpy(reading->base, reading->chain.head, HSM_AUDIT_HASH);
		}
		memcpy(reading->out + reading->used, record, length);
		reading->used += length;
	}
	return hsm_audit_extend(&reading->chain, audit_sha384(), record, length);
}

static int give_text(struct reading *reading, const struct audit_row *row, const uint8_t *text,
		     size_t used)
{
	size_t at = AUDIT_BLOCK_HEAD, length;
	int ret = 0;

	reading->chain.sequence = row->first - 1;
	memcpy(reading->chain.head, row->before, HSM_AUDIT_HASH);
	while (at < used && !ret && !reading->full) {
		if (used - at < RECORD_LENGTH)
			return -EBADMSG;
		length = hsm_get_le32(text + at);
		at += RECORD_LENGTH;
		if (length > used - at)
			return -EBADMSG;
		ret = give_record(reading, text + at, length);
		at += length;
	}
	return ret;
}

/* Is what the board gave the row that we know? */
static int give_row(struct reading *reading, const struct audit_row *known, const uint8_t *blob,
		    size_t length, uint8_t *text)
{
	struct audit_row row = { .id = known->id };
	long used = open_row(reading->partition, &row, blob, length, text);

	if (used < 0)
		return (int)used;
	if (row.generation != known->generation ||
	    CRYPTO_memcmp(row.tag, known->tag, AEAD_TAG_SIZE))
		return -EBADMSG;
	return give_text(reading, known, text, used);
}

/* One answer of the board, from row @index on. Return: rows that it held, or a negative errno. */
static long give_answer(struct reading *reading, size_t index, uint8_t *reply, uint8_t *text)
{
	const struct audit_log *log = reading->partition->audit;
	struct board_rows request = { .after = log->rows[log->start + index].id - 1 };
	const uint8_t *at = reply;
	struct board_row row;
	size_t length;
	long count = 0;
	int ret;

	memcpy(request.partition, reading->partition->info.id, PARTITION_ID_SIZE);
	ret = ask_board(BOARD_ROWS, &request, sizeof(request), reply, BOARD_MESSAGE_MAX, &length);
	while (!ret && length && !reading->full && index + count < log->count) {
		if (length < sizeof(row))
			return -EPROTO;
		memcpy(&row, at, sizeof(row));
		length -= sizeof(row);
		if (row.length > length || row.id != log->rows[log->start + index + count].id)
			return -EBADMSG;
		ret = give_row(reading, &log->rows[log->start + index + count], at + sizeof(row),
			       row.length, text);
		at += sizeof(row) + row.length;
		length -= row.length;
		count++;
	}
	return ret < 0 ? ret : count;
}

/* The row that holds record @from, or the first one */
static size_t find_row(const struct audit_log *log, uint64_t from)
{
	size_t low = 0, high = log->count, middle;

	while (high - low > 1) {
		middle = low + (high - low) / 2;
		if (log->rows[log->start + middle].first <= from)
			low = middle;
		else
			high = middle;
	}
	return low;
}

long audit_read(struct partition *partition, uint64_t from, uint8_t *out, size_t room,
		uint64_t *first, uint8_t base[HSM_AUDIT_HASH])
{
	struct reading reading = { .partition = partition,
				   .from = from,
				   .out = out,
				   .room = room,
				   .first = first,
				   .base = base };
	const struct audit_log *log = partition->audit;
	uint8_t *reply, *text;
	size_t index;
	long rows = 1;

	*first = partition->state.audit.chain.sequence + 1;
	memcpy(base, partition->state.audit.chain.head, HSM_AUDIT_HASH);
	if (!log || !log->count || from > partition->state.audit.chain.sequence)
		return 0;
	reply = OPENSSL_malloc(BOARD_MESSAGE_MAX);
	text = OPENSSL_malloc(BOARD_BLOB_MAX);
	if (!reply || !text)
		rows = -ENOMEM;
	for (index = find_row(log, from); rows > 0 && index < log->count && !reading.full;
	     index += rows)
		rows = give_answer(&reading, index, reply, text);
	OPENSSL_free(reply);
	OPENSSL_free(text);
	if (!rows)
		rows = -EBADMSG; /* the board has fewer rows than we know */
	return rows < 0 ? rows : (long)reading.used;
}

/* ---- the header's section ---- */

static void put_repeat(struct header_cursor *cursor, const struct audit_repeat *repeat)
{
	header_put64(cursor, repeat->event);
	header_put64(cursor, repeat->result);
	header_put64(cursor, repeat->count);
	header_put64(cursor, repeat->first);
	header_put64(cursor, repeat->last);
	header_put(cursor, repeat->actor, sizeof(repeat->actor));
	header_put(cursor, repeat->subject, sizeof(repeat->subject));
}

static void get_repeat(struct header_cursor *cursor, struct audit_repeat *repeat)
{
	repeat->event = header_get64(cursor);
	repeat->result = header_get64(cursor);
	repeat->count = header_get64(cursor);
	repeat->first = header_get64(cursor);
	repeat->last = header_get64(cursor);
	header_get(cursor, repeat->actor, sizeof(repeat->actor));
	header_get(cursor, repeat->subject, sizeof(repeat->subject));
	repeat->actor[sizeof(repeat->actor) - 1] = 0;
	repeat->subject[sizeof(repeat->subject) - 1] = 0;
}

/* They fill up from the first on. */
static void put_others(struct header_cursor *cursor, const struct audit_state *audit)
{
	uint32_t used = 0, i;

	while (used < AUDIT_OTHERS_MAX && audit->other[used].event)
		used++;
	header_put32(cursor, used);
	for (i = 0; i < used; i++) {
		header_put64(cursor, audit->other[i].event);
		header_put64(cursor, audit->other[i].count);
		header_put64(cursor, audit->other[i].first);
		header_put64(cursor, audit->other[i].last);
	}
}

static void get_others(struct header_cursor *cursor, struct audit_state *audit)
{
	uint32_t used = header_get32(cursor), i;

	if (used > AUDIT_OTHERS_MAX) {
		cursor->error = cursor->error ? cursor->error : -EBADMSG;
		return;
	}
	for (i = 0; i < used; i++) {
		audit->other[i].event = header_get64(cursor);
		audit->other[i].count = header_get64(cursor);
		audit->other[i].first = header_get64(cursor);
		audit->other[i].last = header_get64(cursor);
	}
}

void audit_put_state(struct header_cursor *cursor, const struct partition *partition,
		     const struct partition_state *state)
{
	static const uint8_t none[HSM_AUDIT_LOG_ID];
	const struct audit_state *audit = &state->audit;
	uint32_t used = 0, i;

	(void)partition;
	if (!memcmp(audit->log, none, sizeof(none)))
		return;
	header_put(cursor, audit->log, sizeof(audit->log));
	header_put64(cursor, audit->chain.sequence);
	header_put(cursor, audit->chain.head, HSM_AUDIT_HASH);
	header_put64(cursor, audit->first);
	header_put(cursor, audit->base, HSM_AUDIT_HASH);
	header_put64(cursor, audit->first_row);
	header_put64(cursor, audit->next_row);
	header_put64(cursor, audit->bytes);
	header_put64(cursor, audit->released);
	header_put64(cursor, audit->checkpoint);
	header_put(cursor, audit->alias, sizeof(audit->alias));
	header_put64(cursor, audit->serial);
	header_put32(cursor, audit->filling);
	for (i = 0; i < AUDIT_REPEATS_MAX; i++)
		used += audit->repeat[i].event != 0;
	header_put32(cursor, used);
	for (i = 0; i < AUDIT_REPEATS_MAX; i++)
		if (audit->repeat[i].event)
			put_repeat(cursor, &audit->repeat[i]);
	header_put64(cursor, audit->tried.time);
	header_put64(cursor, audit->tried.account);
	header_put(cursor, audit->tried.subject, sizeof(audit->tried.subject));
	put_others(cursor, audit);
}

void audit_get_state(struct header_cursor *cursor, struct partition *partition,
		     struct partition_state *state)
{
	struct audit_state *audit = &state->audit;
	uint32_t used, i;

	(void)partition;
	header_get(cursor, audit->log, sizeof(audit->log));
	audit->chain.sequence = header_get64(cursor);
	header_get(cursor, audit->chain.head, HSM_AUDIT_HASH);
	audit->first = header_get64(cursor);
	header_get(cursor, audit->base, HSM_AUDIT_HASH);
	audit->first_row = header_get64(cursor);
	audit->next_row = header_get64(cursor);
	audit->bytes = header_get64(cursor);
	audit->released = header_get64(cursor);
	audit->checkpoint = header_get64(cursor);
	header_get(cursor, audit->alias, sizeof(audit->alias));
	audit->serial = header_get64(cursor);
	audit->filling = header_get32(cursor);
	used = header_get32(cursor);
	if (used > AUDIT_REPEATS_MAX) {
		cursor->error = cursor->error ? cursor->error : -EBADMSG;
		return;
	}
	for (i = 0; i < used; i++)
		get_repeat(cursor, &audit->repeat[i]);
	audit->tried.time = header_get64(cursor);
	audit->tried.account = header_get64(cursor);
	header_get(cursor, audit->tried.subject, sizeof(audit->tried.subject));
	audit->tried.subject[sizeof(audit->tried.subject) - 1] = 0;
	get_others(cursor, audit);
}
