/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happened to the board, on its way into the device's log: kept in the root record, and so as
 * durable and as hard to take back as that, until function 0's firmware has said that it is logged.
 */
#ifndef BOARD_EVENTS_H
#define BOARD_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hsm/audit.h>
#include <hsm/board.h>

#define EVENTS_OF_A_KIND \
	4 /* that nobody has asked for yet; what comes then is added to the last of them */

/**
 * struct root_event - an event that waits
 * @handed: firmware may have logged it already: it is not changed any more
 */
struct root_event {
	struct board_event event;
	bool handed;
};

/**
 * struct root_events - those that wait, and of the fuses' history what they tell of already
 * @serial: of the last one that there was
 * @tampers, @claim_failures, @claimed, @minimum: as in the fuses
 * @trial: measurement of firmware whose activation is told of, and not yet what came of it; zeros: none
 */
struct root_events {
	uint64_t serial;
	uint32_t tampers;
	uint32_t claim_failures;
	uint32_t claimed;
	uint32_t minimum;
	uint8_t trial[48];
	uint32_t count;
	struct root_event list[BOARD_EVENTS_MAX];
};

#define EVENTS_HEAD_SIZE  (8 + 4 + 4 + 4 + 4 + 48 + 4)
#define EVENTS_ENTRY_SIZE (8 + 8 + 8 + 5 * 4 + PARTITION_ID_SIZE + 48 + BOARD_EVENT_TEXT + 4)
#define EVENTS_SIZE_MAX	  (EVENTS_HEAD_SIZE + BOARD_EVENTS_MAX * EVENTS_ENTRY_SIZE)

/* events_encode, events_decode - their part of the root record; -EBADMSG when it cannot be one of ours */
void events_encode(const struct root_events *events, uint8_t **at);
int events_decode(const uint8_t **at, const uint8_t *end, struct root_events *events);

/**
 * events_add - one more, or one more of a kind that is there
 * @what: serial and times are filled in here; @count 0 stands for 1
 */
void events_add(struct root_events *events, const struct board_event *what);

/* events_partition - in the draft of what happens to a partition */
void events_partition(struct root_events *events, enum hsm_audit_event event,
		      const struct board_partition *partition);

struct fuse_values;

/* events_follow - what the fuses' history has that was not told of. Return: was there any? */
bool events_follow(struct root_events *events, const struct fuse_values *fuses);

/* events_begin - of a database that is made anew: why there is none, by the fuses */
void events_begin(struct root_events *events, const struct fuse_values *fuses);

struct state;

/*
 * All durable when they return 0; the fuses are not written and no counter moves.
 * state_event - keep one
 * state_events_follow - under state_enter(): keep what events_follow() finds
 * state_events - those that wait, struct board_event each, which stay as they are until state_events_taken()
 * state_events_taken - the log has them up to @serial
 */
int state_event(struct state *state, const struct board_event *what);
int state_events_follow(struct state *state);
int state_events(struct state *state, void *reply, size_t capacity, size_t *length);
int state_events_taken(struct state *state, uint64_t serial);

struct board;
struct bundle;

/* board_events_wait - any thread: there may be some in the record, function 0's firmware is told if it runs */
void board_events_wait(struct board *board);

/* board_event - any thread: keep one, and tell function 0's firmware, if it runs */
void board_event(struct board *board, const struct board_event *what);

/* board_event_firmware - likewise about firmware; @detail: for people, or NULL */
void board_event_firmware(struct board *board, enum hsm_audit_event event,
			  const struct bundle *bundle, uint32_t place, const char *detail);

/* board_event_booted - at the start: what runs, and what came of an update that a crash ended */
void board_event_booted(struct board *board);

/* board_event_trial - the firmware is about to take over: what comes of it is told by board_event_settled() */
void board_event_trial(struct board *board, const struct bundle *bundle);

/* board_event_settled - @bundle is the one that runs; @detail: why the one on trial does not, or NULL */
void board_event_settled(struct board *board, const struct bundle *bundle, const char *detail);

#endif /* BOARD_EVENTS_H */
