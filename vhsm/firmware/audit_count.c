// SPDX-License-Identifier: Apache-2.0
/*
 * What strangers can bring about is only counted, in the header, so that nobody who has no PIN fills the log: by whom and
 * what as long as there are places, and all the rest by the event alone, for which there always is one. It becomes
 * records when an auditor reads, and what is an account's when that logs in. A PIN that is tried is written down before
 * it is looked at, and counts as wrong unless the commit that finds it right says so: no moment to stop the process
 * hides a wrong one, and nothing that others do meanwhile makes a right one wrong.
 */
#include <stdio.h>
#include <string.h>
#include "audit_log.h"
#include "clock.h"
#include "users.h"

/* ---- places ---- */

bool audit_counts(const struct hsm_audit_info *info, const struct hsm_audit_record *record)
{
	if (info->flags & HSM_AUDIT_REPEAT)
		return true;
	return (info->flags & HSM_AUDIT_OPEN) && record->actor &&
	       !strcmp(record->actor, AUDIT_PUBLIC);
}

static void copy_name(char to[AUDIT_NAME_MAX], const char *from)
{
	snprintf(to, AUDIT_NAME_MAX, "%s", from ? from : "");
}

static struct audit_repeat *find_repeat(struct audit_state *audit,
					const struct hsm_audit_record *record)
{
	struct audit_repeat *repeat, wanted;
	size_t i;

	copy_name(wanted.actor, record->actor);
	copy_name(wanted.subject, record->subject);
	for (i = 0; i < AUDIT_REPEATS_MAX; i++) {
		repeat = &audit->repeat[i];
		if (repeat->event == record->event && repeat->result == record->result &&
		    !strcmp(repeat->actor, wanted.actor) &&
		    !strcmp(repeat->subject, wanted.subject))
			return repeat;
	}
	return NULL;
}

/* NULL: all are taken */
static struct audit_repeat *take_repeat(struct audit_state *audit,
					const struct hsm_audit_record *record)
{
	struct audit_repeat *repeat;
	size_t i;

	for (i = 0; i < AUDIT_REPEATS_MAX; i++) {
		repeat = &audit->repeat[i];
		if (repeat->event)
			continue;
		*repeat = (struct audit_repeat){ .event = record->event, .result = record->result };
		copy_name(repeat->actor, record->actor);
		copy_name(repeat->subject, record->subject);
		return repeat;
	}
	return NULL;
}

/* There is one for each event that is counted. */
static struct audit_other *find_other(struct audit_state *audit, uint64_t event)
{
	size_t i;

	for (i = 0; i < AUDIT_OTHERS_MAX; i++)
		if (!audit->other[i].event || audit->other[i].event == event)
			return &audit->other[i];
	return NULL;
}

static void add(uint64_t *count, uint64_t *first, uint64_t *last,
		const struct hsm_audit_record *record)
{
	uint64_t now = clock_now();

	if (!*count)
		*first = record->first ? record->first : now;
	*count += record->count ? record->count : 1;
	*last = record->last ? record->last : now;
}

CK_RV audit_count(struct partition *partition, struct partition_state *next,
		  const struct hsm_audit_record *record)
{
	struct audit_repeat *repeat;
	struct audit_other *other;
	CK_RV rv = audit_started(partition, next);

	if (rv != CKR_OK)
		return rv;
	repeat = find_repeat(&next->audit, record);
	if (!repeat)
		repeat = take_repeat(&next->audit, record);
	if (repeat) {
		add(&repeat->count, &repeat->first, &repeat->last, record);
		return CKR_OK;
	}
	other = find_other(&next->audit, record->event);
	if (!other)
		return CKR_GENERAL_ERROR;
	other->event = record->event;
	add(&other->count, &other->first, &other->last, record);
	return CKR_OK;
}

/* ---- counts become records ---- */

static CK_RV settle(struct partition *partition, struct partition_state *next,
		    struct audit_repeat *repeat)
{
	struct audit_repeat counted = *repeat;
	struct hsm_audit_record record = {
		.event = counted.event,
		.actor = counted.actor,
		.subject = counted.subject,
		.result = counted.result,
		.count = counted.count,
		.first = counted.first,
		.last = counted.last,
	};
	CK_RV rv;

	memset(repeat, 0, sizeof(*repeat));
	rv = audit_put(partition, next, &record, AUDIT_RESERVE);
	if (rv != CKR_OK)
		*repeat = counted;
	return rv;
}

static CK_RV settle_other(struct partition *partition, struct partition_state *next,
			  struct audit_other *other)
{
	struct audit_other counted = *other;
	struct hsm_audit_record record = {
		.event = counted.event,
		.actor = AUDIT_PUBLIC,
		.detail = "by more than there was room to tell apart",
		.count = counted.count,
		.first = counted.first,
		.last = counted.last,
	};
	CK_RV rv;

	memset(other, 0, sizeof(*other));
	rv = audit_put(partition, next, &record, AUDIT_RESERVE);
	if (rv != CKR_OK)
		*other = counted;
	return rv;
}

/* ---- PINs ---- */

/* A wrong PIN of an account with that name */
static struct hsm_audit_record wrong_pin(const char *subject)
{
	return (struct hsm_audit_record){
		.event = HSM_AUDIT_LOGIN_FAILED,
		.actor = AUDIT_PUBLIC,
		.subject = subject,
		.result = CKR_PIN_INCORRECT,
	};
}

static CK_RV settle_account(struct partition *partition, struct partition_state *next,
			    const char *subject)
{
	struct hsm_audit_record record = wrong_pin(subject);
	struct audit_repeat *repeat = find_repeat(&next->audit, &record);

	return repeat ? settle(partition, next, repeat) : CKR_OK;
}

/* Was it the last one that there may be? */
static bool is_locked(const struct partition *partition, const struct partition_state *next,
		      uint32_t account)
{
	const struct credential *credential = credential_of(next, account);

	return credential && credential->set &&
	       credential->failures >= policy_value(partition, HSM_POLICY_PIN_TRIES);
}

/* The last PIN was wrong. Here and nowhere else it is that one is said to be locked, once for each time. */
static CK_RV resolve(struct partition *partition, struct partition_state *next)
{
	const struct audit_try tried = next->audit.tried;
	struct hsm_audit_record record = wrong_pin(tried.subject);
	struct hsm_audit_record locked = { .event = HSM_AUDIT_LOCKED,
					   .actor = AUDIT_PUBLIC,
					   .subject = tried.subject };
	CK_RV rv;

	if (!tried.time)
		return CKR_OK;
	next->audit.tried = (struct audit_try){ 0 };
	record.first = record.last = tried.time;
	rv = audit_count(partition, next, &record);
	if (rv != CKR_OK || !is_locked(partition, next, (uint32_t)tried.account))
		return rv;
	rv = settle_account(partition, next, tried.subject);
	return rv == CKR_OK ? audit_record_reserve(partition, next, &locked) : rv;
}

CK_RV audit_try(struct partition *partition, struct partition_state *next, uint32_t account)
{
	CK_RV rv = audit_started(partition, next);

	if (rv == CKR_OK)
		rv = resolve(partition, next);
	if (rv != CKR_OK)
		return rv;
	next->audit.tried = (struct audit_try){ .time = clock_now(), .account = account };
	audit_account(partition, next, account, next->audit.tried.subject);
	return CKR_OK;
}

/* Who can make room must get in when there is none. */
static bool may_use_reserve(const struct partition_state *state, uint32_t account)
{
	const struct named_user *user = user_by_account(state->users, account);

	return account == CKU_SO || (user && user->role == ROLE_AUDITOR);
}

CK_RV audit_right(const struct command *command, struct partition_state *next, uint32_t account)
{
	struct partition *partition = command->partition;
	unsigned int code = command->info ? command->info->code : 0;
	char actor[AUDIT_ACTOR_MAX];
	struct hsm_audit_record record = { .event = HSM_AUDIT_LOGIN, .actor = actor };
	CK_RV rv;

	audit_account(partition, next, account, actor);
	next->audit.tried = (struct audit_try){ 0 };
	rv = settle_account(partition, next, actor);
	if (rv != CKR_OK || (code != HSM_OP_LOGIN && code != HSM_OP_OFFICER_LOGIN))
		return rv;
	if (command->client->login != NOT_LOGGED_IN)
		record.detail = "for one operation";
	return audit_record_within(partition, next, &record,
				   may_use_reserve(next, account) ? AUDIT_RESERVE : 0);
}

CK_RV audit_wrong(struct partition *partition)
{
	struct partition_state next;
	CK_RV rv;

	pthread_mutex_lock(&partition->commit_lock);
	next = partition->state;
	rv = resolve(partition, &next);
	if (rv == CKR_OK && next.audit.pending)
		rv = store_commit(partition, &next, NULL, 0, false);
	pthread_mutex_unlock(&partition->commit_lock);
	OPENSSL_cleanse(&next, sizeof(next));
	return rv;
}

/* ---- all of it ---- */

CK_RV audit_flush(struct partition *partition, struct partition_state *next)
{
	CK_RV rv = CKR_OK;
	size_t i;

	/* One that is being looked at right now is not wrong yet. */
	if (!atomic_load(&partition->trying))
		rv = resolve(partition, next);
	for (i = 0; i < AUDIT_REPEATS_MAX && rv == CKR_OK; i++)
		if (next->audit.repeat[i].event)
			rv = settle(partition, next, &next->audit.repeat[i]);
	for (i = 0; i < AUDIT_OTHERS_MAX && rv == CKR_OK; i++)
		if (next->audit.other[i].event)
			rv = settle_other(partition, next, &next->audit.other[i]);
	return rv == CKR_OK ? audit_uses_flush(partition, next) : rv;
}
