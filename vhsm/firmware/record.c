// SPDX-License-Identifier: Apache-2.0
/*
 * The transport record: a page that outlives this process, from which its successor learns how far the
 * message at hand had come. Every step on the socket is written here before the next is taken. Taking
 * over treats it as the enemy's: each number is checked against what this firmware could have written.
 *
 *   TRANSPORT_IDLE		waiting for a header; remaining: bytes of it that are missing, 0: all
 *   TRANSPORT_READING		the header is there; remaining: bytes of the body that are missing
 *   TRANSPORT_HANDLING		the request is complete, and may have had its effect
 *   TRANSPORT_REPLYING		sent of reply_length bytes of the reply have gone out
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "transport.h"

_Static_assert(sizeof(struct record_page) <= BOARD_RECORD_SIZE, "record_page");

/**
 * record_map - map a connection's record
 * @fd: memfd from the board
 *
 * Return: the record, or NULL.
 */
struct record_page *record_map(int fd)
{
	struct stat info;
	void *page;

	if (fstat(fd, &info) || info.st_size < BOARD_RECORD_SIZE)
		return NULL;
	page = mmap(NULL, BOARD_RECORD_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return NULL;
	return page;
}

void record_unmap(struct record_page *record)
{
	munmap(record, BOARD_RECORD_SIZE);
}

/* record_reset - a blank record, of a new connection */
void record_reset(struct record_page *record)
{
	memset(record, 0, sizeof(*record));
	record->head.magic = TRANSPORT_RECORD_MAGIC;
}

/*
 * The kernel keeps the page when the process dies; what matters is the order of the stores in the
 * program, which the fence keeps the compiler from changing.
 */
static void set_phase(struct record_page *record, enum transport_phase phase)
{
	atomic_signal_fence(memory_order_seq_cst);
	record->head.phase = phase;
	atomic_signal_fence(memory_order_seq_cst);
}

/* record_header_part - a header has begun to arrive */
void record_header_part(struct record_page *record, const void *bytes, uint32_t got)
{
	memcpy(record->head.header, bytes, got);
	record->head.remaining = (uint32_t)sizeof(record->head.header) - got;
}

/* record_reading - the header is there */
void record_reading(struct record_page *record, const struct vfio_user_header *header)
{
	memcpy(record->head.header, header, sizeof(record->head.header));
	record->body_length = 0;
	record->reply_length = 0;
	record->head.remaining = header->size - (uint32_t)sizeof(*header);
	set_phase(record, TRANSPORT_READING);
}

void record_remaining(struct record_page *record, uint32_t remaining)
{
	record->head.remaining = remaining;
}

/* record_handling - the request is complete */
void record_handling(struct record_page *record, const void *body, uint32_t length)
{
	if (length <= RECORD_BODY_MAX) {
		memcpy(record->body, body, length);
		record->body_length = length;
	}
	set_phase(record, TRANSPORT_HANDLING);
}

/* record_replying - what was asked is done and this is the answer, header included */
void record_replying(struct record_page *record, const void *reply, uint32_t length)
{
	record->head.sent = 0;
	record->head.reply_length = length;
	record->reply_length = 0;
	if (length <= RECORD_REPLY_MAX) {
		memcpy(record->reply, reply, length);
		record->reply_length = length;
	}
	set_phase(record, TRANSPORT_REPLYING);
}

void record_sent(struct record_page *record, uint32_t sent)
{
	record->head.sent = sent;
}

/* record_idle - nothing is owed */
void record_idle(struct record_page *record)
{
	record->head.remaining = 0;
	set_phase(record, TRANSPORT_IDLE);
}

/* ---- taking over ---- */

static bool header_valid(const struct vfio_user_header *header)
{
	return header->size >= sizeof(*header) && header->size <= VFIO_USER_MAX_MESSAGE;
}

static int take_idle(struct record_debt *debt)
{
	if (debt->remaining >= sizeof(debt->header))
		return -EBADMSG;
	debt->header_got = debt->remaining ? (uint32_t)sizeof(debt->header) - debt->remaining : 0;
	return 0;
}

static int take_reading(struct record_debt *debt)
{
	if (!header_valid(&debt->header) ||
	    debt->remaining > debt->header.size - sizeof(debt->header))
		return -EBADMSG;
	return 0;
}

static int take_handling(const struct record_page *record, struct record_debt *debt)
{
	uint32_t length = record->body_length;

	if (!header_valid(&debt->header))
		return -EBADMSG;
	/* A body that does not match its header was too long to be kept. */
	if (length > RECORD_BODY_MAX || length != debt->header.size - sizeof(debt->header))
		return 0;
	memcpy(debt->body, record->body, length);
	debt->body_length = length;
	return 0;
}

static int take_replying(const struct record_page *record, struct record_debt *debt)
{
	uint32_t length = record->reply_length;

	if (take_handling(record, debt))
		return -EBADMSG;
	debt->reply_total = record->head.reply_length;
	debt->sent = record->head.sent;
	if (debt->reply_total < sizeof(debt->header) ||
	    debt->reply_total > sizeof(struct vfio_reply) || debt->sent > debt->reply_total)
		return -EBADMSG;
	if (length > RECORD_REPLY_MAX || length != debt->reply_total)
		return 0;
	memcpy(debt->reply, record->reply, length);
	debt->reply_length = length;
	return 0;
}

/**
 * record_take_debt - what is still owed on the socket
 * @record: the predecessor's, untrusted
 * @debt: filled in from one reading of the record
 *
 * Return: 0, or -EBADMSG: the stream cannot be continued.
 */
int record_take_debt(const struct record_page *record, struct record_debt *debt)
{
	memset(debt, 0, sizeof(*debt));
	if (record->head.magic != TRANSPORT_RECORD_MAGIC)
		return -EBADMSG;
	debt->phase = record->head.phase;
	debt->remaining = record->head.remaining;
	memcpy(&debt->header, record->head.header, sizeof(debt->header));
	switch (debt->phase) {
	case TRANSPORT_IDLE:
		return take_idle(debt);
	case TRANSPORT_READING:
		return take_reading(debt);
	case TRANSPORT_HANDLING:
		return take_handling(record, debt);
	case TRANSPORT_REPLYING:
		return take_replying(record, debt);
	default:
		return -EBADMSG;
	}
}
