/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log's rows: records that wait for a commit are packed into them, and what is stored is read back. What
 * becomes a record, and when, is audit.c's affair.
 */
#ifndef FIRMWARE_AUDIT_LOG_H
#define FIRMWARE_AUDIT_LOG_H

#include "audit.h"

#define AUDIT_BLOCK	 2048  /* text of a row, padded, unless one record is longer */
#define AUDIT_BLOCK_HEAD (8 + HSM_AUDIT_HASH + 4)
#define AUDIT_RESERVE	 (64 * 1024) /* beyond the quota, for HSM_AUDIT_ALWAYS */

/* ---- the header's section ---- */

struct header_cursor;
void audit_put_state(struct header_cursor *cursor, const struct partition *partition,
		     const struct partition_state *state);
void audit_get_state(struct header_cursor *cursor, struct partition *partition,
		     struct partition_state *state);

/* ---- appending ---- */

/* audit_row_bytes - what a row takes on the disk whose text is so long */
size_t audit_row_bytes(size_t text);

/**
 * audit_append - one more record in @next, without a question
 * @record: sequence and time are filled in
 *
 * Return: CKR_OK, CKR_HOST_MEMORY, CKR_DEVICE_ERROR. Then @next is as before.
 */
CK_RV audit_append(struct partition *partition, struct partition_state *next,
		   struct hsm_audit_record *record);

/* ---- with a commit (store.c) ---- */

/**
 * audit_build - the rows of @next's pending records, and what has to go for them
 * @out: gets struct board_change and sealed row each, as in BOARD_COMMIT
 * @changes: set to how many there are
 *
 * @next's hash, first record and row numbers move on. The caller holds commit_lock.
 * Return: bytes, or a negative errno.
 */
long audit_build(struct partition *partition, struct partition_state *next, uint8_t *out,
		 size_t room, uint32_t *changes);

/* audit_built - the commit is on disk, or not: what audit_build() prepared comes into force or goes */
void audit_built(struct partition *partition, bool done);

/*
 * audit_tighten - the disk is full: from the next audit_build() on until audit_built(), let the log not grow. Return: false:
 * the policy does not let old records go.
 */
bool audit_tighten(struct partition *partition, const struct partition_state *next);

/* audit_rows - how many rows the log has */
uint32_t audit_rows(const struct partition_state *state);

/**
 * audit_take_row - one row, when the partition is opened
 * @sum: its share is added
 *
 * Return: 0, -EBADMSG, -ENOMEM, -EIO.
 */
int audit_take_row(struct partition *partition, uint64_t id, const uint8_t *blob, size_t length,
		   uint8_t sum[32]);

/* audit_verify - are the rows that were taken those of the header? After the last one. Return: 0 or -EBADMSG. */
int audit_verify(const struct partition *partition);

/**
 * audit_accept - an officer has accepted the rows as they are, whatever the header says of them
 * @next: gets them; its last record's number does not go back, so that none is given twice
 *
 * Return: 0, or -EBADMSG: a row in between is missing.
 */
int audit_accept(struct partition *partition, struct partition_state *next);

void audit_log_free(struct partition *partition);

/* ---- reading ---- */

/**
 * audit_read - records from number @from on, one after the other, as many whole ones as fit
 * @first: set to the number of the first one, above @from when older ones are gone
 * @base: head before it
 *
 * The caller holds commit_lock. Return: bytes, 0: there are none; -EMSGSIZE when not even one fits; another negative errno.
 */
long audit_read(struct partition *partition, uint64_t from, uint8_t *out, size_t room,
		uint64_t *first, uint8_t base[HSM_AUDIT_HASH]);

/* audit_alias - fingerprint of the public key of this process's alias, NULL: it has none */
const uint8_t *audit_alias(struct partition *partition);

/* audit_sha384 - for the chain */
const EVP_MD *audit_sha384(void);

/* ---- between audit.c and its like ---- */

/* audit_started - the log begins in @next, where it has not yet */
CK_RV audit_started(struct partition *partition, struct partition_state *next);

/* audit_put - a record as it is, with the quota in mind; @reserve: so much beyond it. As audit_record(). */
CK_RV audit_put(struct partition *partition, struct partition_state *next,
		const struct hsm_audit_record *record, uint64_t reserve);

/* audit_record_within - audit_record() with so much of the reserve */
CK_RV audit_record_within(struct partition *partition, struct partition_state *next,
			  const struct hsm_audit_record *record, uint64_t reserve);

/* audit_counts - is it only counted? audit_count - count it in @next. As audit_record(). */
bool audit_counts(const struct hsm_audit_info *info, const struct hsm_audit_record *record);
CK_RV audit_count(struct partition *partition, struct partition_state *next,
		  const struct hsm_audit_record *record);

/* audit_flush - what was only counted becomes records in @next. Return: as audit_append(). */
CK_RV audit_flush(struct partition *partition, struct partition_state *next);

#endif /* FIRMWARE_AUDIT_LOG_H */
