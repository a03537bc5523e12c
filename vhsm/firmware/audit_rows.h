/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log's rows from inside, for the files that make them: audit_log.c appends and opens, audit_pack.c makes rows
 * of what waits for a commit, audit_read.c gives them out. What others call is in audit_log.h.
 */
#ifndef FIRMWARE_AUDIT_ROWS_H
#define FIRMWARE_AUDIT_ROWS_H

#include "audit_log.h"

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

/* ---- audit_log.c ---- */

/* audit_log_of - the partition's log in memory, made when it is first asked for; NULL: no memory */
struct audit_log *audit_log_of(struct partition *partition);

void audit_text_free(struct audit_text *text);
void audit_draft_free(struct audit_draft *draft);

/* audit_padded - bytes of a text with its padding; audit_fits - does a record go into a row of which so much is used? */
size_t audit_padded(size_t text);
bool audit_fits(size_t used, size_t length);

void audit_row_aad(const struct partition *partition, const struct audit_row *row,
		   uint8_t aad[ROW_AAD]);

/* audit_row_digest - its share of the multiset hash. Return: 0 or -EIO. */
int audit_row_digest(const struct partition *partition, const struct audit_row *row,
		     uint8_t digest[32]);

/* audit_rows_reserve - room for more rows; those that are gone make place first. Return: 0 or -ENOMEM. */
int audit_rows_reserve(struct audit_log *log, size_t more);

/* audit_row_open - open a sealed row. @text: room of BOARD_BLOB_MAX. Return: bytes used of it, or a negative errno. */
long audit_row_open(const struct partition *partition, struct audit_row *row, const uint8_t *blob,
		    size_t length, uint8_t *text);

#endif /* FIRMWARE_AUDIT_ROWS_H */
