// SPDX-License-Identifier: Apache-2.0
/*
 * Records that wait for a commit become rows of the audit log: the last row is filled up and written anew, others follow it,
 * and as many of the oldest go as the quota asks for.
 */
#include <errno.h>
#include <string.h>
#include "audit_rows.h"

/* ---- rows ---- */

static int enter_hash(const struct partition *partition, struct partition_state *next,
		      const struct audit_row *row)
{
	uint8_t digest[32];

	if (audit_row_digest(partition, row, digest) < 0)
		return -EIO;
	hash_add(next->hash, digest);
	return 0;
}

static int leave_hash(const struct partition *partition, struct partition_state *next,
		      const struct audit_row *row)
{
	uint8_t digest[32];

	if (audit_row_digest(partition, row, digest) < 0)
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
	size_t length = audit_padded(packing->text_used);
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
	audit_row_aad(packing->partition, row, aad);
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
		if (!audit_fits(packing->text_used, pending[i].length)) {
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
	return audit_padded(longest);
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
	audit_draft_free(&partition->audit->draft);
	ret = build(&packing);
	OPENSSL_free(packing.text);
	next->audit.pending = 0;
	*changes = packing.changes;
	return ret < 0 ? ret : (long)packing.used;
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
		if (draft->fresh_count && audit_rows_reserve(log, draft->fresh_count) < 0) {
			/* What is stored is right; what is in memory would not be. */
			partition->failed = CKR_DEVICE_ERROR;
		} else if (draft->fresh_count) {
			memcpy(log->rows + log->start + log->count, draft->fresh,
			       draft->fresh_count * sizeof(*draft->fresh));
			log->count += draft->fresh_count;
		}
		if (draft->tail.data) {
			audit_text_free(&log->tail);
			log->tail = draft->tail;
			draft->tail = (struct audit_text){ 0 };
		}
	}
	audit_draft_free(draft);
}
