// SPDX-License-Identifier: Apache-2.0
/*
 * Events of the board that wait for the device's log. An event that firmware was given is left as it is
 * until that has said that it is logged; its number then tells the firmware after a crash whether it
 * is. What repeats before it was asked for is counted, so that a board without officers does not
 * collect without end.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "board.h"
#include "events.h"
#include "le.h"
#include "text.h"

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- in the root record ---- */

static void encode_one(const struct root_event *entry, uint8_t **at)
{
	const struct board_event *event = &entry->event;

	put_u64(at, event->serial);
	put_u64(at, event->first);
	put_u64(at, event->last);
	put_u32(at, event->event);
	put_u32(at, event->count);
	put_u32(at, event->function);
	put_u32(at, event->number);
	put_u32(at, event->version);
	put_bytes(at, event->partition, sizeof(event->partition));
	put_bytes(at, event->measurement, sizeof(event->measurement));
	put_bytes(at, event->detail, sizeof(event->detail));
	put_u32(at, entry->handed);
}

static void decode_one(const uint8_t **at, struct root_event *entry)
{
	struct board_event *event = &entry->event;

	memset(entry, 0, sizeof(*entry));
	event->serial = get_u64(at);
	event->first = get_u64(at);
	event->last = get_u64(at);
	event->event = get_u32(at);
	event->count = get_u32(at);
	event->function = get_u32(at);
	event->number = get_u32(at);
	event->version = get_u32(at);
	get_bytes(at, event->partition, sizeof(event->partition));
	get_bytes(at, event->measurement, sizeof(event->measurement));
	get_bytes(at, event->detail, sizeof(event->detail));
	event->detail[sizeof(event->detail) - 1] = '\0';
	entry->handed = get_u32(at) != 0;
}

void events_encode(const struct root_events *events, uint8_t **at)
{
	uint32_t i;

	put_u64(at, events->serial);
	put_u32(at, events->tampers);
	put_u32(at, events->claim_failures);
	put_u32(at, events->claimed);
	put_u32(at, events->minimum);
	put_bytes(at, events->trial, sizeof(events->trial));
	put_u32(at, events->count);
	for (i = 0; i < events->count; i++)
		encode_one(&events->list[i], at);
}

int events_decode(const uint8_t **at, const uint8_t *end, struct root_events *events)
{
	uint32_t i;

	if (end - *at < EVENTS_HEAD_SIZE)
		return -EBADMSG;
	events->serial = get_u64(at);
	events->tampers = get_u32(at);
	events->claim_failures = get_u32(at);
	events->claimed = get_u32(at);
	events->minimum = get_u32(at);
	get_bytes(at, events->trial, sizeof(events->trial));
	events->count = get_u32(at);
	if (events->count > BOARD_EVENTS_MAX ||
	    (size_t)(end - *at) < (size_t)events->count * EVENTS_ENTRY_SIZE)
		return -EBADMSG;
	for (i = 0; i < events->count; i++)
		decode_one(at, &events->list[i]);
	return 0;
}

/* ---- one more ---- */

static bool alike(const struct board_event *a, const struct board_event *b)
{
	return a->function == b->function && a->number == b->number && a->version == b->version &&
	       !memcmp(a->partition, b->partition, sizeof(a->partition)) &&
	       !memcmp(a->measurement, b->measurement, sizeof(a->measurement)) &&
	       !strcmp(a->detail, b->detail);
}

/* The event to count @what with: its like, or the last of a kind that there are enough of; NULL: a new one */
static struct root_event *find_like(struct root_events *events, const struct board_event *what)
{
	struct root_event *entry, *last = NULL;
	uint32_t i, kind = 0;

	for (i = 0; i < events->count; i++) {
		entry = &events->list[i];
		if (entry->handed || entry->event.event != what->event)
			continue;
		if (alike(&entry->event, what))
			return entry;
		last = entry;
		kind++;
	}
	return kind < EVENTS_OF_A_KIND ? NULL : last;
}

static void drop(struct root_events *events, uint32_t index)
{
	events->count--;
	memmove(&events->list[index], &events->list[index + 1],
		(events->count - index) * sizeof(events->list[0]));
}

void events_add(struct root_events *events, const struct board_event *what)
{
	struct root_event *entry;
	uint32_t count = what->count ? what->count : 1;
	uint64_t now = now_ms();

	entry = find_like(events, what);
	if (entry) {
		entry->event.count += count;
		entry->event.last = now;
		return;
	}
	/* More than there are kinds: given to firmware again and again that did not say what became of them. */
	if (events->count == BOARD_EVENTS_MAX)
		drop(events, 0);
	entry = &events->list[events->count++];
	*entry = (struct root_event){ .event = *what };
	entry->event.detail[sizeof(entry->event.detail) - 1] = '\0';
	entry->event.serial = ++events->serial;
	entry->event.count = count;
	entry->event.first = entry->event.last = now;
}

void events_partition(struct root_events *events, enum hsm_audit_event event,
		      const struct board_partition *partition)
{
	struct board_event what = { .event = event, .function = partition->function };

	memcpy(what.partition, partition->id, sizeof(what.partition));
	events_add(events, &what);
}

/* A number of the fuses and what was told of it. Return: have they parted? */
static bool catch_up(struct root_events *events, uint32_t *told, uint32_t now,
		     enum hsm_audit_event kind, uint32_t number)
{
	struct board_event event = { .event = kind, .count = now - *told, .number = number };

	if (now == *told)
		return false;
	if (now > *told)
		events_add(events, &event);
	*told = now;
	return true;
}

/* The least security version is told of as firmware's is, and never goes down. */
static bool follow_minimum(struct root_events *events, uint32_t minimum)
{
	const struct board_event event = { .event = HSM_AUDIT_FIRMWARE_MINIMUM,
					   .version = minimum };

	if (minimum <= events->minimum)
		return false;
	events_add(events, &event);
	events->minimum = minimum;
	return true;
}

bool events_follow(struct root_events *events, const struct fuse_values *fuses)
{
	bool claimed = fuses->flags & FUSE_CLAIMED, parted;

	parted = catch_up(events, &events->tampers, fuses->tampers, HSM_AUDIT_TAMPERED,
			  fuses->tamper);
	parted |= catch_up(events, &events->claim_failures, fuses->claim_failures,
			   HSM_AUDIT_CLAIM_FAILED, 0);
	parted |= catch_up(events, &events->claimed, claimed, HSM_AUDIT_CLAIMED, 0);
	parted |= follow_minimum(events, fuses->minimum_version);
	return parted;
}

/* The former log went with the former database. What a new one begins with is why. */
void events_begin(struct root_events *events, const struct fuse_values *fuses)
{
	const struct board_event zeroized = { .event = HSM_AUDIT_ZEROIZED };
	const struct board_event lived = {
		.event = fuses->lifecycle == HSM_LIFECYCLE_DECOMMISSIONED ? HSM_AUDIT_DECOMMISSIONED
									  : HSM_AUDIT_LIFECYCLE,
		.number = fuses->lifecycle,
	};

	memset(events, 0, sizeof(*events));
	events->claim_failures = fuses->claim_failures;
	events->claimed = (fuses->flags & FUSE_CLAIMED) != 0;
	events->minimum = fuses->minimum_version;
	/* The last tampering has been told of in a log that is gone, or never. */
	events->tampers = fuses->tampers;
	if (fuses->flags & FUSE_TAMPERED && fuses->tampers)
		events->tampers--;
	events_follow(events, fuses);
	if (fuses->flags & FUSE_ZEROIZED)
		events_add(events, &zeroized);
	if (fuses->flags & FUSE_NEW_LIFE)
		events_add(events, &lived);
}

/* ---- in the state ---- */

int state_event(struct state *state, const struct board_event *what)
{
	int ret = state_enter(state);

	if (ret)
		return ret;
	events_add(&state_draft(state)->events, what);
	ret = state_keep(state, NULL, NULL);
	state_leave(state);
	return ret;
}

int state_events_follow(struct state *state)
{
	if (!events_follow(&state_draft(state)->events, fuses_values(state->fuses)))
		return 0;
	return state_keep(state, NULL, NULL);
}

static bool hand_out(struct root_events *events)
{
	bool changed = false;
	uint32_t i;

	for (i = 0; i < events->count; i++) {
		changed |= !events->list[i].handed;
		events->list[i].handed = true;
	}
	return changed;
}

int state_events(struct state *state, void *reply, size_t capacity, size_t *length)
{
	const struct root_events *events;
	uint8_t *at = reply;
	uint32_t i;
	int ret = state_enter(state);

	if (ret)
		return ret;
	if (hand_out(&state_draft(state)->events))
		ret = state_keep(state, NULL, NULL);
	events = &state->record->events;
	*length = events->count * sizeof(events->list[0].event);
	if (!ret && *length > capacity)
		ret = -EMSGSIZE;
	for (i = 0; !ret && i < events->count; i++) {
		memcpy(at, &events->list[i].event, sizeof(events->list[i].event));
		at += sizeof(events->list[i].event);
	}
	state_leave(state);
	return ret;
}

/* What was not handed out nobody can have logged. */
int state_events_taken(struct state *state, uint64_t serial)
{
	struct root_events *events;
	uint32_t i = 0, before;
	int ret = state_enter(state);

	if (ret)
		return ret;
	events = &state_draft(state)->events;
	before = events->count;
	while (i < events->count) {
		if (events->list[i].handed && events->list[i].event.serial <= serial)
			drop(events, i);
		else
			i++;
	}
	if (events->count != before)
		ret = state_keep(state, NULL, NULL);
	state_leave(state);
	return ret;
}

/* ---- of the running board ---- */

void board_events_wait(struct board *board)
{
	uint64_t one = 1;

	__atomic_store_n(&board->events_wait, true, __ATOMIC_RELEASE);
	/* Before the loop there is nobody to tell. */
	if (board->epoll > 0 && write(board->changes.fd, &one, sizeof(one)) != sizeof(one))
		board_log("a notice of an event was lost");
}

static void kept(struct board *board, int ret)
{
	if (ret)
		board_log("an event cannot be kept for the device's log: %s", strerror(-ret));
	else
		board_events_wait(board);
}

void board_event(struct board *board, const struct board_event *what)
{
	kept(board, state_event(board->state, what));
}

static struct board_event about(enum hsm_audit_event event, const struct bundle *bundle,
				uint32_t place, const char *detail)
{
	struct board_event what = { .event = event, .number = place };

	if (bundle) {
		what.version = bundle->security_version;
		memcpy(what.measurement, bundle->measurement, sizeof(what.measurement));
	}
	snprintf(what.detail, sizeof(what.detail), "%s", detail ? detail : "");
	return what;
}

void board_event_firmware(struct board *board, enum hsm_audit_event event,
			  const struct bundle *bundle, uint32_t place, const char *detail)
{
	const struct board_event what = about(event, bundle, place, detail);

	board_event(board, &what);
}

void board_event_trial(struct board *board, const struct bundle *bundle)
{
	const struct board_event what =
		about(HSM_AUDIT_FIRMWARE_ACTIVATED, bundle, board->update.place, bundle->version);
	struct root_events *events;
	int ret = state_enter(board->state);

	if (!ret) {
		events = &state_draft(board->state)->events;
		events_add(events, &what);
		memcpy(events->trial, bundle->measurement, sizeof(events->trial));
		ret = state_keep(board->state, NULL, NULL);
		state_leave(board->state);
	}
	kept(board, ret);
}

/* In the draft. Return: was there one on trial? */
static bool settle(struct board *board, struct root_events *events, const struct bundle *bundle,
		   const char *detail)
{
	static const uint8_t none[sizeof(events->trial)];
	struct board_event what;

	if (!memcmp(events->trial, none, sizeof(none)))
		return false;
	if (!memcmp(events->trial, bundle->measurement, sizeof(events->trial)))
		what = about(HSM_AUDIT_FIRMWARE_CONFIRMED, bundle, board->running, bundle->version);
	else
		what = about(HSM_AUDIT_FIRMWARE_FELL_BACK, bundle, board->running, detail);
	events_add(events, &what);
	memset(events->trial, 0, sizeof(events->trial));
	return true;
}

void board_event_settled(struct board *board, const struct bundle *bundle, const char *detail)
{
	int ret = state_enter(board->state);

	if (!ret) {
		if (settle(board, &state_draft(board->state)->events, bundle, detail))
			ret = state_keep(board->state, NULL, NULL);
		state_leave(board->state);
	}
	kept(board, ret);
}

void board_event_booted(struct board *board)
{
	const struct board_event what =
		about(HSM_AUDIT_BOOT, board->bundle, board->running, board->bundle->version);
	const struct board_event instead = about(HSM_AUDIT_FIRMWARE_FELL_BACK, board->bundle,
						 board->running, "the active one does not start");
	struct root_events *events;
	int ret = state_enter(board->state);

	if (!ret) {
		events = &state_draft(board->state)->events;
		settle(board, events, board->bundle, "interrupted");
		if (board->running != board->boot.active)
			events_add(events, &instead);
		events_add(events, &what);
		ret = state_keep(board->state, NULL, NULL);
		state_leave(board->state);
	}
	kept(board, ret);
}
