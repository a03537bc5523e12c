// SPDX-License-Identifier: Apache-2.0
/*
 * What happened to the board, on its way into the device's log. The board keeps it until it is told that the log has it;
 * the log's state has the number of the last one, in the commit of its record: whatever stops in between, each is in
 * the log once.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include "audit_sign.h"
#include "selftest.h"

static const uint8_t device_id[PARTITION_ID_SIZE] = BOARD_DEVICE_PARTITION;

struct told {
	char subject[AUDIT_ACTOR_MAX];
	char detail[BOARD_EVENT_TEXT + 1];
};

/* What is only counted tells by its subject what it is about. */
static void name_subject(const struct board_event *event, struct told *told)
{
	switch (event->event) {
	case HSM_AUDIT_FIRMWARE_DIED:
	case HSM_AUDIT_SELF_TEST:
	case HSM_AUDIT_SELF_TEST_FAILED:
		snprintf(told->subject, sizeof(told->subject), "function %u", event->function);
		break;
	case HSM_AUDIT_FIRMWARE_STAGED:
		snprintf(told->subject, sizeof(told->subject), "firmware %s", told->detail);
		break;
	default:
		told->subject[0] = '\0';
	}
}

static const char *actor_of(const struct board_event *event)
{
	if (event->event == HSM_AUDIT_CLAIMED)
		return "owner";
	return event->event == HSM_AUDIT_CLAIM_FAILED ? AUDIT_PUBLIC : "board";
}

static struct hsm_audit_record record_of(const struct board_event *event, struct told *told)
{
	static const uint8_t none[sizeof(event->measurement)];
	bool partition = memcmp(event->partition, none, sizeof(event->partition)) != 0;

	snprintf(told->detail, sizeof(told->detail), "%.*s", BOARD_EVENT_TEXT, event->detail);
	name_subject(event, told);
	return (struct hsm_audit_record){
		.event = event->event,
		.actor = actor_of(event),
		.subject = told->subject,
		.detail = told->detail,
		.count = event->count > 1 ? event->count : 0,
		.first = event->first,
		.last = event->last,
		.function = event->function,
		.number = event->number,
		.version = event->version,
		.serial = event->serial,
		.partition = { event->partition, partition ? sizeof(event->partition) : 0 },
		.measurement = { event->measurement, memcmp(event->measurement, none, sizeof(none))
							     ? sizeof(event->measurement)
							     : 0 },
	};
}

static CK_RV record_event(struct partition *partition, struct partition_state *next,
			  const struct board_event *event)
{
	struct told told;
	struct hsm_audit_record record = record_of(event, &told);
	CK_RV rv;

	/* A number that the log knows is of an event that it has: the machine stopped before the board was told. */
	if (event->serial <= next->audit.serial)
		return CKR_OK;
	/* An event of another version of the board; it is one all the same. */
	if (!hsm_audit_event(event->event))
		return CKR_GENERAL_ERROR;
	rv = audit_record_reserve(partition, next, &record);
	if (rv == CKR_OK)
		next->audit.serial = event->serial;
	return rv;
}

/* All that can be recorded, in one commit. @taken: up to this one the board need not keep them. */
static CK_RV record_events(struct partition *partition, const struct board_event *list,
			   size_t count, uint64_t *taken)
{
	struct partition_state next;
	CK_RV rv = CKR_OK;
	size_t i;

	pthread_mutex_lock(&partition->commit_lock);
	next = partition->state;
	for (i = 0; rv == CKR_OK && i < count; i++)
		rv = record_event(partition, &next, &list[i]);
	if (next.audit.serial != partition->state.audit.serial)
		rv = store_commit(partition, &next, NULL, 0, false);
	*taken = partition->state.audit.serial;
	pthread_mutex_unlock(&partition->commit_lock);
	OPENSSL_cleanse(&next, sizeof(next));
	return rv;
}

CK_RV board_events_take(struct partition *partition)
{
	struct board_event list[BOARD_EVENTS_MAX];
	uint64_t taken = 0;
	size_t length = 0;
	CK_RV rv;
	int ret;

	/* Firmware in the error state records nothing; its successor will. */
	if (!partition->device || partition->failed || selftest_failed())
		return CKR_OK;
	ret = ask_board(BOARD_EVENTS, NULL, 0, list, sizeof(list), &length);
	if (ret || !length)
		return ret == -EOPNOTSUPP ? CKR_OK : board_error(ret);
	if (length % sizeof(list[0]))
		return CKR_DEVICE_ERROR;
	rv = record_events(partition, list, length / sizeof(list[0]), &taken);
	/* When this does not arrive they come once more, with numbers that the log knows. */
	ask_board(BOARD_EVENTS_TAKEN, &taken, sizeof(taken), NULL, 0, &length);
	return rv;
}

void board_log_head(struct partition *partition)
{
	struct board_log_head head;
	struct iovec parts[2] = { { &head, sizeof(head) } };
	struct partition_state state;
	uint8_t *message = NULL;
	size_t length = 0, answered;

	pthread_mutex_lock(&partition->commit_lock);
	state = partition->state;
	pthread_mutex_unlock(&partition->commit_lock);
	if (partition->failed || !state.audit.chain.sequence)
		return;
	head.sequence = state.audit.chain.sequence;
	memcpy(head.partition, partition->info.id, sizeof(head.partition));
	memcpy(head.head, state.audit.chain.head, sizeof(head.head));
	/* Who has no alias key says it without. */
	if (partition->device && audit_sign_head(partition, &state, NULL, 0, &message, &length) < 0)
		length = 0;
	parts[1] = (struct iovec){ message, length };
	(void)storage_call(BOARD_LOG_HEAD, parts, length ? 2 : 1, NULL, 0, &answered);
	audit_sign_free(message);
	OPENSSL_cleanse(&state, sizeof(state));
}

void commands_board_events(void)
{
	struct partition *partition = partition_find(device_id);

	if (!partition)
		return;
	if (board_events_take(partition) != CKR_OK)
		fprintf(stderr, "events of the board are not in the log yet\n");
	board_log_head(partition);
	partition_put(partition);
}

void board_report(enum hsm_audit_event event, const char *detail)
{
	struct board_event report = { .event = event };
	size_t length;

	snprintf(report.detail, sizeof(report.detail), "%s", detail ? detail : "");
	ask_board(BOARD_REPORT, &report, sizeof(report), NULL, 0, &length);
}
