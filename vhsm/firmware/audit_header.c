// SPDX-License-Identifier: Apache-2.0
/*
 * Where the audit log stands, and what is counted and no record yet, in the partition's header.
 */
#include <errno.h>
#include <string.h>
#include "audit_log.h"

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
