// SPDX-License-Identifier: Apache-2.0
/*
 * The board that a partition leaves: it asks for room elsewhere, freezes the partition for a target that satisfies its
 * policy, seals it, and erases it when the target says that it has it, or goes on when the target says that it never
 * will. From the freeze on nothing but a document of that target moves the partition out of its phase.
 */
#include <stdlib.h>
#include <string.h>
#include <openssl/rand.h>
#include "approval.h"
#include "audit.h"
#include "clock.h"
#include "migrate.h"

/* ---- what a document says of the partition ---- */

static bool wants_rollback(const struct partition *partition)
{
	return policy_value(partition, HSM_POLICY_MIGRATION_ROLLBACK);
}

/* The policy as fields, in @room of BOARD_POLICY_MAX bytes, and its fingerprint */
static CK_RV describe_policy(const struct partition *partition, uint8_t *room,
			     struct hsm_migration_document *document)
{
	const struct policy *policy = policy_of(partition);
	struct hsm_writer out;

	hsm_writer_init(&out, room, BOARD_POLICY_MAX);
	policy_put(&out, policy);
	if (out.error || policy_fingerprint(policy, document->fingerprint) < 0)
		return CKR_DEVICE_ERROR;
	document->policy = (struct hsm_migration_bytes){ room, out.length };
	return CKR_OK;
}

static void describe(const struct partition *partition, struct hsm_migration_document *document)
{
	const char *name = partition->info.name;

	document->name = (struct hsm_migration_bytes){ (const uint8_t *)name, strlen(name) };
	document->rollback = migrate_rollback_safe();
	document->rows = partition->state.rows;
	document->bytes = partition->token_bytes;
	document->time = clock_now() / 1000;
	document->counter = partition->state.counter;
}

/* ---- MIGRATE_STATUS ---- */

CK_RV command_migrate_status(struct command *command)
{
	const struct migrate_state *state = &command->partition->state.migrate;

	pthread_mutex_lock(&command->partition->lock);
	hsm_put_u32(&command->out, HSM_FIELD_PHASE, migrate_phase(command->partition));
	if (state->origin) {
		hsm_put_u64(&command->out, HSM_FIELD_FLAGS,
			    state->origin | (state->unsafe ? HSM_ORIGIN_UNSAFE : 0) |
				    (state->restored ? HSM_ORIGIN_RESTORED : 0));
		hsm_put_u64(&command->out, HSM_FIELD_COUNTER, state->origin_counter);
		hsm_put_u64(&command->out, HSM_FIELD_COUNT, state->origin_time);
	}
	pthread_mutex_unlock(&command->partition->lock);
	return CKR_OK;
}

/* ---- MIGRATE_REQUEST ---- */

static CK_RV may_move(struct command *command)
{
	struct partition *partition = command->partition;

	if (hsm_hybrid_available(mech_libctx()))
		return migrate_refuse(command, CKR_FUNCTION_NOT_SUPPORTED,
				      "libcrypto here has no HPKE (3.2) or no ML-KEM (3.5)");
	if (!policy_of(partition)->roots.count)
		return migrate_refuse(command, CKR_ACTION_PROHIBITED,
				      "the policy names no root (--migration-roots)");
	if (wants_rollback(partition) && !migrate_rollback_safe())
		return migrate_refuse(
			command, CKR_ACTION_PROHIBITED,
			"this board has no rollback protection, and the policy demands it");
	return CKR_OK;
}

static CK_RV request(struct command *command, uint8_t *room)
{
	struct partition *partition = command->partition;
	struct migrate_state next = partition->state.migrate;
	struct hsm_migration_document document = { 0 };
	uint8_t *payload = NULL;
	size_t length = 0;
	CK_RV rv;

	if (RAND_bytes_ex(mech_libctx(), next.nonce, sizeof(next.nonce), 0) != 1)
		return CKR_FUNCTION_FAILED;
	memcpy(document.nonce, next.nonce, sizeof(document.nonce));
	describe(partition, &document);
	rv = describe_policy(partition, room, &document);
	if (rv == CKR_OK)
		rv = migrate_payload(partition, HSM_MIGRATION_REQUEST, &document, &payload, &length,
				     next.source);
	next.phase = HSM_MIGRATION_PHASE_REQUESTED;
	if (rv == CKR_OK)
		rv = migrate_commit(partition, &next, NULL);
	if (rv == CKR_OK)
		rv = migrate_answer(command, HSM_MIGRATION_REQUEST, payload, length);
	free(payload);
	return rv;
}

CK_RV command_migrate_request(struct command *command)
{
	struct partition *partition = command->partition;
	uint8_t *room = OPENSSL_malloc(BOARD_POLICY_MAX);
	CK_RV rv = room ? may_move(command) : CKR_HOST_MEMORY;

	if (rv == CKR_OK) {
		pthread_mutex_lock(&partition->commit_lock);
		rv = request(command, room);
		pthread_mutex_unlock(&partition->commit_lock);
	}
	OPENSSL_free(room);
	return rv;
}

/* ---- MIGRATE_FREEZE ---- */

/* Is the offer an answer to our last request, for the partition as it is? */
static CK_RV check_offer(struct command *command, const struct migrate_letter *letter)
{
	const struct hsm_migration_document *offer = &letter->document;
	const struct migrate_state *state = &command->partition->state.migrate;
	uint8_t fingerprint[POLICY_FINGERPRINT];
	struct hsm_hybrid key;

	if (state->phase != HSM_MIGRATION_PHASE_REQUESTED)
		return migrate_refuse(command, CKR_OPERATION_NOT_INITIALIZED,
				      "no request for a migration is out");
	if (memcmp(offer->nonce, state->nonce, sizeof(state->nonce)) ||
	    memcmp(offer->source, state->source, sizeof(state->source)))
		return migrate_refuse(command, CKR_DATA_INVALID,
				      "the offer answers another request than the last one");
	if (policy_fingerprint(policy_of(command->partition), fingerprint) < 0)
		return CKR_DEVICE_ERROR;
	if (memcmp(fingerprint, offer->fingerprint, sizeof(fingerprint)))
		return migrate_refuse(command, CKR_DATA_INVALID,
				      "the offer is for another policy than the partition has");
	if (hsm_hybrid_from_public(mech_libctx(), offer->import_key, &key))
		return migrate_refuse(command, CKR_DATA_INVALID, "the import key is no key");
	hsm_hybrid_free(&key);
	return CKR_OK;
}

static CK_RV freeze(struct command *command, const struct migrate_letter *letter)
{
	struct partition *partition = command->partition;
	struct migrate_state next = partition->state.migrate;
	char actor[AUDIT_ACTOR_MAX];
	struct hsm_audit_record record = audit_begin(command, HSM_AUDIT_MIGRATION_FROZEN, actor);

	next.phase = HSM_MIGRATION_PHASE_FROZEN;
	memcpy(next.offer, letter->hash, sizeof(next.offer));
	memcpy(next.peer, letter->device, sizeof(next.peer));
	memcpy(next.key, letter->document.import_key, sizeof(next.key));
	next.rollback = letter->document.rollback;
	record.digest = (struct hsm_audit_bytes){ next.offer, sizeof(next.offer) };
	record.board =
		(struct hsm_audit_bytes){ letter->document.board, sizeof(letter->document.board) };
	return migrate_commit(partition, &next, &record);
}

CK_RV command_migrate_freeze(struct command *command)
{
	struct partition *partition = command->partition;
	const struct migrate_trust trust = { .policy = policy_of(partition) };
	struct migrate_letter letter;
	CK_RV rv = may_move(command);

	memset(&letter, 0, sizeof(letter));
	if (rv == CKR_OK)
		rv = migrate_read(command, HSM_MIGRATION_OFFER, partition->info.id, &trust,
				  &letter);
	if (rv == CKR_OK)
		rv = check_offer(command, &letter);
	if (rv == CKR_OK)
		rv = approval_check(command, policy_of(partition));
	/* What keys were used for goes along in the audit log. */
	if (rv == CKR_OK)
		audit_close(partition);
	if (rv == CKR_OK) {
		pthread_mutex_lock(&partition->commit_lock);
		/* Another command may have come between. */
		rv = check_offer(command, &letter);
		if (rv == CKR_OK)
			rv = freeze(command, &letter);
		pthread_mutex_unlock(&partition->commit_lock);
	}
	migrate_letter_free(&letter);
	if (rv == CKR_OK)
		partition_evict(partition, command->client);
	return rv;
}

/* ---- MIGRATE_EXPORT ---- */

/* The package key, sealed to the import key that the partition was frozen for */
static CK_RV seal_key(const struct migrate_state *state, const uint8_t *key,
		      struct hsm_migration_document *document)
{
	uint8_t info[HSM_MIGRATION_INFO_MAX];
	struct hsm_hybrid target;
	size_t length;
	int ret;

	length = hsm_migration_info(HSM_MIGRATION_INFO_PACKAGE, state->offer, NULL, info);
	ret = hsm_hybrid_from_public(mech_libctx(), state->key, &target);
	if (!ret)
		ret = hsm_hybrid_seal(mech_libctx(), &target, info, length, key,
				      HSM_MIGRATION_SECRET, document->key);
	hsm_hybrid_free(&target);
	return ret < 0 ? CKR_DEVICE_ERROR : CKR_OK;
}

/* In place of a former one, when its beginning went well */
static void keep_export(struct command *command, struct migrate_export *export, CK_RV rv)
{
	if (rv == CKR_OK)
		migrate_export_keep(command->partition, command->client, export);
	else
		migrate_export_free(export);
}

static CK_RV export_head(struct command *command)
{
	struct partition *partition = command->partition;
	const struct migrate_state *state = &partition->state.migrate;
	struct hsm_migration_document document = { 0 };
	uint8_t *payload = NULL, hash[HSM_MIGRATION_HASH];
	struct migrate_export *export = NULL;
	size_t length = 0;
	CK_RV rv;

	if (state->phase != HSM_MIGRATION_PHASE_FROZEN)
		return migrate_refuse(command, CKR_OPERATION_NOT_INITIALIZED,
				      "the partition has not been frozen for a target");
	rv = migrate_export_new(partition, false, &export);
	if (rv != CKR_OK)
		return rv;
	describe(partition, &document);
	memcpy(document.offer, state->offer, sizeof(document.offer));
	document.rows = migrate_export_rows(export);
	document.bytes = migrate_export_bytes(export);
	rv = seal_key(state, migrate_export_key(export), &document);
	if (rv == CKR_OK && policy_fingerprint(policy_of(partition), document.fingerprint) < 0)
		rv = CKR_DEVICE_ERROR;
	if (rv == CKR_OK)
		rv = migrate_payload(partition, HSM_MIGRATION_PACKAGE, &document, &payload, &length,
				     hash);
	if (rv == CKR_OK && migrate_export_head(export, hash) < 0)
		rv = CKR_DEVICE_ERROR;
	if (rv == CKR_OK)
		rv = migrate_answer(command, HSM_MIGRATION_PACKAGE, payload, length);
	free(payload);
	keep_export(command, export, rv);
	return rv;
}

CK_RV command_migrate_export(struct command *command)
{
	const struct hsm_field *chunk = hsm_fields_find(&command->fields, HSM_FIELD_CHUNK);
	uint64_t number = hsm_fields_u64(&command->fields, HSM_FIELD_CHUNK, 0);
	struct partition *partition = command->partition;
	CK_RV rv;

	pthread_mutex_lock(&partition->commit_lock);
	if (!chunk)
		rv = export_head(command);
	else
		rv = migrate_export_next(partition, command->client, number, &command->out);
	pthread_mutex_unlock(&partition->commit_lock);
	return rv;
}

/* ---- BACKUP_BEGIN ---- */

static CK_RV may_copy(struct command *command)
{
	if (hsm_hybrid_available(mech_libctx()))
		return migrate_refuse(command, CKR_FUNCTION_NOT_SUPPORTED,
				      "libcrypto here has no HPKE (3.2) or no ML-KEM (3.5)");
	if (!policy_value(command->partition, HSM_POLICY_BACKUP))
		return migrate_refuse(command, CKR_ACTION_PROHIBITED,
				      "the policy allows one copy of the partition (--backup 0)");
	return CKR_OK;
}

static CK_RV record_backup(struct command *command, uint8_t hash[HSM_MIGRATION_HASH])
{
	char actor[AUDIT_ACTOR_MAX];
	struct hsm_audit_record record = audit_begin(command, HSM_AUDIT_BACKED_UP, actor);

	record.digest = (struct hsm_audit_bytes){ hash, HSM_MIGRATION_HASH };
	return migrate_commit(command->partition, &command->partition->state.migrate, &record);
}

static CK_RV backup(struct command *command, uint8_t *room)
{
	struct partition *partition = command->partition;
	struct hsm_migration_document document = { 0 };
	uint8_t *payload = NULL, hash[HSM_MIGRATION_HASH];
	struct migrate_export *export = NULL;
	size_t length = 0;
	CK_RV rv;

	rv = migrate_export_new(partition, true, &export);
	if (rv != CKR_OK)
		return rv;
	describe(partition, &document);
	document.rows = migrate_export_rows(export);
	document.bytes = migrate_export_bytes(export);
	rv = describe_policy(partition, room, &document);
	if (rv == CKR_OK)
		rv = backup_seal(command, document.fingerprint, migrate_export_key(export),
				 &document);
	if (rv == CKR_OK)
		rv = migrate_payload(partition, HSM_MIGRATION_BACKUP, &document, &payload, &length,
				     hash);
	backup_seal_free(&document);
	if (rv == CKR_OK && migrate_export_head(export, hash) < 0)
		rv = CKR_DEVICE_ERROR;
	if (rv == CKR_OK)
		rv = record_backup(command, hash);
	if (rv == CKR_OK)
		rv = migrate_answer(command, HSM_MIGRATION_BACKUP, payload, length);
	free(payload);
	keep_export(command, export, rv);
	return rv;
}

CK_RV command_backup_begin(struct command *command)
{
	struct partition *partition = command->partition;
	uint8_t *room = OPENSSL_malloc(BOARD_POLICY_MAX);
	CK_RV rv = room ? may_copy(command) : CKR_HOST_MEMORY;

	if (rv == CKR_OK)
		rv = approval_check(command, policy_of(partition));
	if (rv == CKR_OK) {
		pthread_mutex_lock(&partition->commit_lock);
		rv = backup(command, room);
		pthread_mutex_unlock(&partition->commit_lock);
	}
	OPENSSL_free(room);
	return rv;
}

/* ---- MIGRATE_FINISH, MIGRATE_RESUME ---- */

/*
 * A document of the target about the offer that the partition was frozen for. Only firmware that would have got the
 * partition is believed that it has it, or has not: another one, on the same board, could say that it has what it never
 * took, or that it has not what serves there.
 */
static CK_RV read_answer(struct command *command, enum hsm_migration_kind kind,
			 struct migrate_letter *letter)
{
	const struct partition *partition = command->partition;
	const struct migrate_trust trust = {
		.peer = partition->state.migrate.peer,
		.rules = policy_of(partition),
	};
	CK_RV rv;

	memset(letter, 0, sizeof(*letter));
	if (partition->state.migrate.phase != HSM_MIGRATION_PHASE_FROZEN)
		return migrate_refuse(command, CKR_OPERATION_NOT_INITIALIZED,
				      "the partition has not been frozen for a target");
	rv = migrate_read(command, kind, partition->info.id, &trust, letter);
	if (rv == CKR_OK && memcmp(letter->document.offer, partition->state.migrate.offer,
				   sizeof(letter->document.offer)))
		rv = migrate_refuse(command, CKR_DATA_INVALID,
				    "it is about another offer than the partition was frozen for");
	return rv;
}

CK_RV command_migrate_finish(struct command *command)
{
	struct partition *partition = command->partition;
	struct migrate_letter letter;
	const uint8_t *document;
	size_t length;
	CK_RV rv;

	document = hsm_fields_bytes(&command->fields, HSM_FIELD_DOCUMENT, &length);
	pthread_mutex_lock(&partition->commit_lock);
	rv = read_answer(command, HSM_MIGRATION_RECEIPT, &letter);
	if (rv == CKR_OK)
		rv = migrate_retire(partition, HSM_AUDIT_MIGRATED_OUT, document, length);
	if (rv == CKR_OK) {
		partition->dead = true;
		migrate_export_end(partition);
	}
	pthread_mutex_unlock(&partition->commit_lock);
	migrate_letter_free(&letter);
	return rv;
}

static CK_RV resume(struct command *command, struct migrate_letter *letter)
{
	struct partition *partition = command->partition;
	struct migrate_state next = partition->state.migrate;
	char actor[AUDIT_ACTOR_MAX];
	struct hsm_audit_record record = audit_begin(command, HSM_AUDIT_MIGRATION_CANCELLED, actor);
	CK_RV rv;

	memset(letter, 0, sizeof(*letter));
	if (next.phase == HSM_MIGRATION_PHASE_REQUESTED) {
		/* Nothing has left the board. */
		if (command->client->login != CKU_SO)
			return CKR_USER_NOT_LOGGED_IN;
	} else {
		rv = read_answer(command, HSM_MIGRATION_ABANDONED, letter);
		if (rv != CKR_OK)
			return rv;
	}
	next.phase = migrate_rest(&next);
	memset(next.key, 0, sizeof(next.key));
	memset(next.nonce, 0, sizeof(next.nonce));
	record.digest = (struct hsm_audit_bytes){ next.offer, sizeof(next.offer) };
	rv = migrate_commit(partition, &next, &record);
	if (rv == CKR_OK)
		migrate_export_end(partition);
	return rv;
}

CK_RV command_migrate_resume(struct command *command)
{
	struct partition *partition = command->partition;
	struct migrate_letter letter;
	CK_RV rv;

	pthread_mutex_lock(&partition->commit_lock);
	rv = resume(command, &letter);
	pthread_mutex_unlock(&partition->commit_lock);
	migrate_letter_free(&letter);
	return rv;
}
