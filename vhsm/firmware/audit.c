// SPDX-License-Identifier: Apache-2.0
/*
 * What becomes a record of the audit log, and when: its usual fields, the beginning of the log, the quota, checkpoints and
 * the alias that speaks for it. What strangers can bring about is audit_count.c's.
 */
#include <stdio.h>
#include <string.h>
#include <openssl/rand.h>
#include "audit_log.h"
#include "audit_sign.h"
#include "clock.h"
#include "commit_group.h"
#include "users.h"

#define CHECKPOINT_EVERY  2048 /* records */
#define CHECKPOINT_LATEST (2 * CHECKPOINT_EVERY)

/* ---- names ---- */

/* What a user with a name is called before the name */
static const char *role_word(const struct partition *partition, const struct named_user *user)
{
	if (user->role == ROLE_AUDITOR)
		return "auditor";
	return partition->device ? "officer" : "user";
}

void audit_account(const struct partition *partition, const struct partition_state *state,
		   uint32_t account, char name[AUDIT_ACTOR_MAX])
{
	const struct named_user *user = user_by_account(state->users, account);

	if (account == CKU_SO)
		snprintf(name, AUDIT_ACTOR_MAX, "%s", partition->device ? "officer" : "so");
	else if (user)
		snprintf(name, AUDIT_ACTOR_MAX, "%s:%s", role_word(partition, user), user->name);
	else
		snprintf(name, AUDIT_ACTOR_MAX, "user");
}

static bool logged_in(const struct client *client)
{
	return client->login != NOT_LOGGED_IN || client->officer || client->auditor;
}

static void name_actor(const struct command *command, char actor[AUDIT_ACTOR_MAX])
{
	struct partition *partition = command->partition;
	const struct client *client = command->client;

	snprintf(actor, AUDIT_ACTOR_MAX, AUDIT_PUBLIC);
	pthread_mutex_lock(&partition->lock);
	if (logged_in(client))
		audit_account(partition, &partition->state, client->account, actor);
	pthread_mutex_unlock(&partition->lock);
}

struct hsm_audit_record audit_begin(const struct command *command, enum hsm_audit_event event,
				    char actor[AUDIT_ACTOR_MAX])
{
	name_actor(command, actor);
	return (struct hsm_audit_record){
		.event = event,
		.actor = actor,
		.operation = command->info ? command->info->code : 0,
	};
}

void audit_object(struct hsm_audit_record *record, const struct attributes *attributes,
		  uint64_t handle)
{
	uint64_t class = attributes_ulong(attributes, CKA_CLASS, ~0ULL);

	/* A session object's number means nothing after its session. */
	record->object = handle < HANDLE_BUILTIN ? handle : 0;
	record->object_class = class + 1;
	record->key_type =
		class_is_key(class) ? attributes_ulong(attributes, CKA_KEY_TYPE, ~0ULL) + 1 : 0;
}

/* ---- the log begins ---- */

static bool begun(const struct audit_state *audit)
{
	static const uint8_t none[HSM_AUDIT_LOG_ID];

	return memcmp(audit->log, none, sizeof(none)) != 0;
}

static CK_RV begin(struct partition *partition, struct partition_state *next)
{
	const struct board_hello *hello = partitions_hello();
	struct audit_state *audit = &next->audit;
	struct hsm_audit_record record = {
		.event = HSM_AUDIT_LOG_STARTED,
		.actor = "board",
		.partition = { partition->info.id, PARTITION_ID_SIZE },
		.board = { hello->board_id, BOARD_ID_SIZE },
		.log = { audit->log, sizeof(audit->log) },
	};

	if (RAND_bytes_ex(mech_libctx(), audit->log, sizeof(audit->log), 0) != 1)
		return CKR_FUNCTION_FAILED;
	audit->first = 1;
	audit->first_row = audit->next_row = BOARD_AUDIT_ROWS;
	return audit_append(partition, next, &record);
}

CK_RV audit_started(struct partition *partition, struct partition_state *next)
{
	return begun(&next->audit) ? CKR_OK : begin(partition, next);
}

/* ---- appending with the quota in mind ---- */

static CK_RV warn(struct partition *partition, struct partition_state *next)
{
	uint64_t quota = policy_value(partition, HSM_POLICY_AUDIT_BYTES);
	struct hsm_audit_record record = { .event = HSM_AUDIT_LOG_FILLING, .actor = "board" };

	if (next->audit.filling || next->audit.bytes < quota / 10 * 9)
		return CKR_OK;
	next->audit.filling = 1;
	return audit_append(partition, next, &record);
}

/* May the log be as large as it is in @next? */
static bool within_quota(const struct partition *partition, const struct partition_state *next,
			 uint64_t before, uint64_t reserve)
{
	uint64_t quota = policy_value(partition, HSM_POLICY_AUDIT_BYTES);

	return !policy_value(partition, HSM_POLICY_AUDIT_FULL) || next->audit.bytes <= before ||
	       next->audit.bytes <= quota + reserve;
}

CK_RV audit_put(struct partition *partition, struct partition_state *next,
		const struct hsm_audit_record *record, uint64_t reserve)
{
	const struct audit_state before = next->audit;
	struct hsm_audit_record copy = *record;
	CK_RV rv = audit_started(partition, next);

	if (rv == CKR_OK)
		rv = audit_append(partition, next, &copy);
	if (rv == CKR_OK && !within_quota(partition, next, before.bytes, reserve))
		rv = CKR_DEVICE_MEMORY;
	if (rv == CKR_OK)
		rv = warn(partition, next);
	if (rv != CKR_OK)
		next->audit = before;
	return rv;
}

/* ---- records ---- */

/* So that a reader has a signature over old records even when the end of the log is not to be had. */
static CK_RV write_checkpoint(struct partition *partition, struct partition_state *next)
{
	struct hsm_audit_record record = { .event = HSM_AUDIT_CHECKPOINT, .actor = "board" };
	uint8_t *message;
	size_t length;
	CK_RV rv;

	if (audit_sign_head(partition, next, NULL, 0, &message, &length) < 0)
		return CKR_DEVICE_ERROR;
	record.signature = (struct hsm_audit_bytes){ message, length };
	record.alias = (struct hsm_audit_bytes){ next->audit.alias, HSM_AUDIT_ALIAS_SIZE };
	rv = audit_put(partition, next, &record, AUDIT_RESERVE);
	if (rv == CKR_OK)
		next->audit.checkpoint = next->audit.chain.sequence;
	audit_sign_free(message);
	return rv;
}

/* One that fails is tried again with the next record, but not for ever: then nothing is recorded, and nothing done. */
static CK_RV checkpoint(struct partition *partition, struct partition_state *next)
{
	uint64_t since = next->audit.chain.sequence - next->audit.checkpoint;
	CK_RV rv;

	if (since < CHECKPOINT_EVERY)
		return CKR_OK;
	rv = write_checkpoint(partition, next);
	return since < CHECKPOINT_LATEST ? CKR_OK : rv;
}

/* Another firmware, or another device: it says so, and vouches for what it found. */
static CK_RV record_alias(struct partition *partition, struct partition_state *next,
			  const uint8_t alias[HSM_AUDIT_ALIAS_SIZE])
{
	const struct board_hello *hello = partitions_hello();
	struct hsm_audit_record record = {
		.event = HSM_AUDIT_ALIAS,
		.actor = "board",
		.alias = { alias, HSM_AUDIT_ALIAS_SIZE },
		.board = { hello->board_id, BOARD_ID_SIZE },
		.measurement = { hello->measurement, sizeof(hello->measurement) },
		.version = hello->security_version,
	};
	bool old = begun(&next->audit);
	CK_RV rv = audit_put(partition, next, &record, AUDIT_RESERVE);

	if (rv != CKR_OK)
		return rv;
	memcpy(next->audit.alias, alias, HSM_AUDIT_ALIAS_SIZE);
	/* Only this one can say what it found. */
	return old ? write_checkpoint(partition, next) : CKR_OK;
}

/* Whose log is it from here on? Asked with each record, since one that failed took its answer with it. */
static CK_RV speak(struct partition *partition, struct partition_state *next)
{
	const uint8_t *alias = audit_alias(partition);

	if (!alias || !CRYPTO_memcmp(alias, next->audit.alias, HSM_AUDIT_ALIAS_SIZE))
		return CKR_OK;
	return record_alias(partition, next, alias);
}

CK_RV audit_record_within(struct partition *partition, struct partition_state *next,
			  const struct hsm_audit_record *record, uint64_t reserve)
{
	const struct hsm_audit_info *info = hsm_audit_event(record->event);
	const struct audit_state before = next->audit;
	CK_RV rv;

	if (!info)
		return CKR_GENERAL_ERROR;
	if (audit_counts(info, record))
		return audit_count(partition, next, record);
	rv = speak(partition, next);
	if (rv == CKR_OK)
		rv = audit_put(partition, next, record,
			       info->flags & HSM_AUDIT_ALWAYS ? AUDIT_RESERVE : reserve);
	if (rv == CKR_OK)
		rv = checkpoint(partition, next);
	if (rv != CKR_OK)
		next->audit = before;
	return rv;
}

CK_RV audit_record(struct partition *partition, struct partition_state *next,
		   const struct hsm_audit_record *record)
{
	return audit_record_within(partition, next, record, 0);
}

CK_RV audit_record_reserve(struct partition *partition, struct partition_state *next,
			   const struct hsm_audit_record *record)
{
	return audit_record_within(partition, next, record, AUDIT_RESERVE);
}

/**
 * struct recording - a record on its way to the disk by itself
 * @set: first, so that it leads here
 */
struct recording {
	struct change_set set;
	const struct hsm_audit_record *record;
};

static CK_RV prepare_recording(struct partition *partition, struct partition_state *next,
			       struct change_set *set)
{
	return audit_record(partition, next, ((struct recording *)set)->record);
}

static void finish_recording(struct partition *partition, struct change_set *set)
{
	(void)partition;
	(void)set;
}

CK_RV audit_commit(struct task *task, struct partition *partition,
		   const struct hsm_audit_record *record)
{
	struct recording recording = {
		.set = { .prepare = prepare_recording, .finish = finish_recording },
		.record = record,
	};
	struct partition_state next;
	CK_RV rv;

	if (task)
		return commit_together(task, partition, &recording.set);
	pthread_mutex_lock(&partition->commit_lock);
	next = partition->state;
	rv = audit_record(partition, &next, record);
	if (rv == CKR_OK)
		rv = store_commit(partition, &next, NULL, 0, false);
	pthread_mutex_unlock(&partition->commit_lock);
	OPENSSL_cleanse(&next, sizeof(next));
	return rv;
}

CK_RV audit_asked(struct command *command, const struct hsm_audit_record *record)
{
	struct hsm_audit_record asked = *record;

	asked.detail = "asked for";
	return audit_commit(command->task, command->partition, &asked);
}

CK_RV audit_answered(struct command *command, const struct hsm_audit_record *record, CK_RV rv)
{
	struct hsm_audit_record answered = *record;

	/* That it has happened the board has kept in the same step: that is the record of it. */
	if (rv == CKR_OK) {
		(void)board_events_take(command->partition);
		return rv;
	}
	answered.result = rv;
	/* Nothing has happened, and what could be said against it was said before: a log that is full says no more. */
	(void)audit_commit(command->task, command->partition, &answered);
	return rv;
}

/* ---- the end ---- */

void audit_close(struct partition *partition)
{
	struct partition_state next;

	if (partition->failed || partition->dead)
		return;
	pthread_mutex_lock(&partition->commit_lock);
	next = partition->state;
	if (audit_uses_flush(partition, &next) == CKR_OK && next.audit.pending)
		store_commit(partition, &next, NULL, 0, false);
	else
		audit_uses_taken(partition, false);
	pthread_mutex_unlock(&partition->commit_lock);
	OPENSSL_cleanse(&next, sizeof(next));
}
