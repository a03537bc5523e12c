// SPDX-License-Identifier: Apache-2.0
/*
 * Reading the audit log: rows come from the board, and each must be the one that is known here.
 */
#include <errno.h>
#include <string.h>
#include "audit_rows.h"

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
	long used = audit_row_open(reading->partition, &row, blob, length, text);

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
