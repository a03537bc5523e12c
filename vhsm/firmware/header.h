/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sealed body of a partition's header as a list of sections, each with a type and a length. Who
 * keeps something in the header has a section of its own: a row in the table of header.c and two
 * functions, anywhere, that write and read it.
 */
#ifndef FIRMWARE_HEADER_H
#define FIRMWARE_HEADER_H

#include <stddef.h>
#include <stdint.h>

struct partition;
struct partition_state;

/* The largest header blob; the rest of a commit's message is for rows */
#define HEADER_MAX (64 * 1024)

/* Types of sections. A number is never used again for something else. */
enum header_section_type {
	HEADER_SECTION_STATE = 1,
	HEADER_SECTION_SO = 2,
	HEADER_SECTION_USER = 3,
	HEADER_SECTION_IDENTITY = 4,
	HEADER_SECTION_USERS = 5,
	HEADER_SECTION_TICKS = 16,
	HEADER_SECTION_MASKS = 20,
	HEADER_SECTION_OFFICERS = 24,
	HEADER_SECTION_AUDIT = 28,
	HEADER_SECTION_MIGRATE = 40,
};

/**
 * struct header_cursor - bounded walk through a section, the same for both directions
 * @error: 0, or the first failure, which sticks: nothing is copied from then on
 */
struct header_cursor {
	uint8_t *p;
	size_t left;
	int error;
};

void header_put(struct header_cursor *cursor, const void *value, size_t length);
void header_put32(struct header_cursor *cursor, uint32_t value);
void header_put64(struct header_cursor *cursor, uint64_t value);
void header_get(struct header_cursor *cursor, void *value, size_t length);
uint32_t header_get32(struct header_cursor *cursor);
uint64_t header_get64(struct header_cursor *cursor);

/**
 * struct header_section - one row of the table
 * @type: enum header_section_type
 * @required: a header without it does not verify
 * @write: appends the section's bytes; a section that is not required and writes none is left out
 * @read: takes them into @state and sets @cursor->error when they make no sense; bytes that it leaves make
 *	the header one that does not verify. What a section that is left out means is what zeros in @state mean
 *
 * The partition's part is for what is not part of its state, as its identity.
 */
struct header_section {
	uint32_t type;
	int required;
	void (*write)(struct header_cursor *cursor, const struct partition *partition,
		      const struct partition_state *state);
	void (*read)(struct header_cursor *cursor, struct partition *partition,
		     struct partition_state *state);
};

#endif /* FIRMWARE_HEADER_H */
