/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a partition's audit log stands: the part of a partition's state that audit.c and audit_log.c keep in its
 * header. Included by commands.h.
 */
#ifndef FIRMWARE_AUDIT_STATE_H
#define FIRMWARE_AUDIT_STATE_H

#include <hsm/audit.h>

#define AUDIT_REPEATS_MAX 8
#define AUDIT_NAME_MAX	  80 /* of an actor or a subject, NUL included */

/**
 * struct audit_repeat - something that strangers can bring about: counted here until it becomes a record
 * @event: HSM_AUDIT_*, 0: the place is free
 */
struct audit_repeat {
	uint64_t event;
	uint64_t result;
	uint64_t count;
	uint64_t first;
	uint64_t last;
	char actor[AUDIT_NAME_MAX];
	char subject[AUDIT_NAME_MAX];
};

/* Kinds of events that are counted at most: there is a place for each, so that nothing needs one that is not there */
#define AUDIT_KIND_COUNTS(number, NAME, name, severity, flags, meaning) \
	+(((flags) & (HSM_AUDIT_REPEAT | HSM_AUDIT_OPEN)) != 0)
enum {
	AUDIT_OTHERS_MAX = 0 HSM_AUDIT_EVENT_TABLE(AUDIT_KIND_COUNTS)
};

/**
 * struct audit_other - counts of an event by all those who have no place of their own
 * @event: HSM_AUDIT_*, 0: the place is free
 */
struct audit_other {
	uint64_t event;
	uint64_t count;
	uint64_t first;
	uint64_t last;
};

/**
 * struct audit_try - a PIN that was tried, and did not prove right so far
 * @time: when, 0: there is none
 * @subject: whose
 */
struct audit_try {
	uint64_t time;
	uint64_t account;
	char subject[AUDIT_NAME_MAX];
};

/**
 * struct audit_state - one log
 * @log: its id; zeros: it has not begun
 * @chain: last record
 * @first, @base: first record that is kept, and the head before it
 * @first_row, @next_row: its rows, ids from BOARD_AUDIT_ROWS on
 * @bytes: stored, with what is pending
 * @released: records up to here were let go of by an auditor
 * @checkpoint: number of the last checkpoint
 * @alias: fingerprint of the alias key that speaks for the log
 * @serial: the board's events up to here are in the log (device partition)
 * @filling: HSM_AUDIT_LOG_FILLING is in the log
 * @tried: the last PIN; wrong, unless its check is under way
 * @repeat, @other: what strangers brought about: whose it was, and of all the others
 * @pending, @fill: records that wait for the commit, and bytes used of the last row with them. Not stored
 */
struct audit_state {
	uint8_t log[HSM_AUDIT_LOG_ID];
	struct hsm_audit_chain chain;
	uint64_t first;
	uint8_t base[HSM_AUDIT_HASH];
	uint64_t first_row;
	uint64_t next_row;
	uint64_t bytes;
	uint64_t released;
	uint64_t checkpoint;
	uint8_t alias[HSM_AUDIT_ALIAS_SIZE];
	uint64_t serial;
	uint32_t filling;
	struct audit_try tried;
	struct audit_repeat repeat[AUDIT_REPEATS_MAX];
	struct audit_other other[AUDIT_OTHERS_MAX];

	size_t pending;
	size_t fill;
};

#endif /* FIRMWARE_AUDIT_STATE_H */
