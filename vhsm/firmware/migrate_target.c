// SPDX-License-Identifier: Apache-2.0
/*
 * The board that a partition comes to. An officer makes the partition, empty, with the id and the policy of the document
 * that it is to be filled from; its function makes a one-time import key, takes the package, and signs the receipt, or
 * signs that the key is destroyed. Until the import is complete the partition holds nothing of its own: whoever reaches
 * its function may go on with the import or abandon it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/rand.h>
#include "approval.h"
#include "clock.h"
#include "migrate.h"

/* ---- PARTITION_IMPORT, over function 0 ---- */

/* The policy in the document, as a partition of this board can have it */
static CK_RV take_policy(struct command *command, const struct migrate_letter *letter,
			 struct policy *policy)
{
	const struct hsm_migration_document *document = &letter->document;
	uint8_t fingerprint[POLICY_FINGERPRINT];
	struct hsm_fields fields;
	uint64_t profile;

	if (hsm_fields_parse(&fields, document->policy.data, document->policy.length) < 0)
		return CKR_DATA_INVALID;
	profile = hsm_fields_u64(&fields, HSM_FIELD_PROFILE, HSM_PROFILES);
	if (profile >= HSM_PROFILES)
		return CKR_DATA_INVALID;
	policy_begin(policy, profile);
	if (policy_change(policy, &fields) != CKR_OK ||
	    policy_fingerprint(policy, fingerprint) < 0 ||
	    memcmp(fingerprint, document->fingerprint, sizeof(fingerprint)))
		return migrate_refuse(command, CKR_DATA_INVALID,
				      "this firmware does not know all of the partition's policy");
	policy->has_source = true;
	memcpy(policy->source, letter->hash, sizeof(policy->source));
	return CKR_OK;
}

/* Does either board's want of rollback protection stand against it? */
static CK_RV check_rollback(struct command *command, const struct policy *policy,
			    const struct hsm_migration_document *document)
{
	if (!policy->value[HSM_POLICY_MIGRATION_ROLLBACK])
		return CKR_OK;
	if (!migrate_rollback_safe())
		return migrate_refuse(
			command, CKR_ACTION_PROHIBITED,
			"this board has no rollback protection, and the policy demands it");
	if (!document->rollback)
		return migrate_refuse(command, CKR_ACTION_PROHIBITED,
				      "the board that it comes from has no rollback protection, "
				      "and the policy demands it");
	return CKR_OK;
}

static CK_RV take_info(struct command *command, const struct hsm_migration_document *document,
		       struct board_partition *info)
{
	struct hsm_migration_bytes name = document->name;
	uint64_t function = hsm_fields_u64(&command->fields, HSM_FIELD_FUNCTION, 0);
	size_t length;
	const uint8_t *given = hsm_fields_bytes(&command->fields, HSM_FIELD_NAME, &length);

	if (given)
		name = (struct hsm_migration_bytes){ given, length };
	if (!name_valid(name.data, name.length))
		return CKR_ARGUMENTS_BAD;
	memset(info, 0, sizeof(*info));
	memcpy(info->name, name.data, name.length);
	memcpy(info->id, document->partition, sizeof(info->id));
	info->function = (uint32_t)function;
	return CKR_OK;
}

static CK_RV import(struct command *command, struct migrate_letter *letter, struct policy *policy)
{
	static const uint8_t device[PARTITION_ID_SIZE] = BOARD_DEVICE_PARTITION;
	const struct migrate_trust anybody = { 0 };
	struct board_partition info;
	CK_RV rv;

	rv = migrate_read(command,
			  migrate_kind(command, HSM_MIGRATION_REQUEST, HSM_MIGRATION_BACKUP), NULL,
			  &anybody, letter);
	if (rv == CKR_OK && !memcmp(letter->document.partition, device, sizeof(device)))
		rv = CKR_DATA_INVALID;
	if (rv == CKR_OK)
		rv = take_policy(command, letter, policy);
	if (rv == CKR_OK)
		rv = check_rollback(command, policy, &letter->document);
	if (rv == CKR_OK)
		rv = take_info(command, &letter->document, &info);
	/* Its owner has consented to a move where it comes from; a backup makes one more copy. */
	if (rv == CKR_OK)
		rv = approval_check(command, letter->kind == HSM_MIGRATION_BACKUP ? policy : NULL);
	if (rv == CKR_OK)
		rv = partition_put_board(BOARD_PARTITION_CREATE, &info, policy);
	if (rv == CKR_OK && memcmp(info.id, letter->document.partition, sizeof(info.id)))
		rv = CKR_DEVICE_ERROR;
	if (rv != CKR_OK)
		return rv;
	hsm_put_bytes(&command->out, HSM_FIELD_PARTITION, info.id, PARTITION_ID_SIZE);
	hsm_put_u32(&command->out, HSM_FIELD_SLOT, info.slot);
	return CKR_OK;
}

CK_RV command_partition_import(struct command *command)
{
	struct policy *policy = OPENSSL_zalloc(sizeof(*policy));
	struct migrate_letter letter;
	CK_RV rv = CKR_HOST_MEMORY;

	memset(&letter, 0, sizeof(letter));
	if (policy)
		rv = import(command, &letter, policy);
	migrate_letter_free(&letter);
	OPENSSL_free(policy);
	return rv;
}

/* What a partition that has gone has left: the receipt, or the statement that its import was abandoned */
CK_RV command_partition_receipt(struct command *command)
{
	uint8_t *reply = OPENSSL_malloc(BOARD_MESSAGE_MAX);
	const uint8_t *id;
	size_t length;
	int ret = -EINVAL;

	if (!reply)
		return CKR_HOST_MEMORY;
	id = hsm_fields_bytes(&command->fields, HSM_FIELD_PARTITION, &length);
	if (length == PARTITION_ID_SIZE)
		ret = ask_board(BOARD_RECEIPT, id, length, reply, BOARD_MESSAGE_MAX, &length);
	if (!ret)
		hsm_put_bytes(&command->out, HSM_FIELD_DOCUMENT, reply, length);
	OPENSSL_free(reply);
	return board_error(ret);
}

/*
 * A command may have waited for commit_lock while another one completed or abandoned the import. What it has then is no
 * more the partition that is on the disk, and would overwrite or destroy that one. The caller holds commit_lock.
 */
static CK_RV still_there(const struct partition *partition)
{
	return partition->dead ? CKR_TOKEN_NOT_PRESENT : CKR_OK;
}

/* ---- IMPORT_OFFER ---- */

/* The offer's payload follows from the state alone, so that its hash names it for good. */
static CK_RV make_offer(const struct partition *partition, const struct migrate_state *state,
			uint8_t **payload, size_t *length, uint8_t hash[HSM_MIGRATION_HASH])
{
	struct hsm_migration_document document = { .rollback = state->rollback };
	struct hsm_hybrid key;
	int ret;

	memcpy(document.nonce, state->nonce, sizeof(document.nonce));
	memcpy(document.source, state->source, sizeof(document.source));
	if (policy_fingerprint(policy_of(partition), document.fingerprint) < 0)
		return CKR_DEVICE_ERROR;
	ret = hsm_hybrid_from_private(mech_libctx(), state->key, &key);
	if (!ret)
		ret = hsm_hybrid_public(&key, document.import_key);
	hsm_hybrid_free(&key);
	if (ret < 0)
		return CKR_DEVICE_ERROR;
	return migrate_payload(partition, HSM_MIGRATION_OFFER, &document, payload, length, hash);
}

static int draw_key(struct migrate_state *state)
{
	struct hsm_hybrid key;
	int ret = hsm_hybrid_generate(mech_libctx(), &key);

	if (!ret)
		ret = hsm_hybrid_private(&key, state->key);
	hsm_hybrid_free(&key);
	return ret;
}

static CK_RV begin_import(struct command *command, const struct migrate_letter *letter)
{
	struct partition *partition = command->partition;
	struct migrate_state next = { .phase = HSM_MIGRATION_PHASE_IMPORTING };
	uint8_t *payload = NULL;
	size_t length = 0;
	CK_RV rv;

	next.restoring = letter->kind == HSM_MIGRATION_BACKUP;
	next.rollback = migrate_rollback_safe();
	memcpy(next.source, letter->hash, sizeof(next.source));
	memcpy(next.peer, letter->device, sizeof(next.peer));
	memcpy(next.nonce, letter->document.nonce, sizeof(next.nonce));
	if (next.restoring && RAND_bytes_ex(mech_libctx(), next.nonce, sizeof(next.nonce), 0) != 1)
		return CKR_FUNCTION_FAILED;
	rv = draw_key(&next) < 0 ? CKR_FUNCTION_FAILED : CKR_OK;
	if (rv == CKR_OK)
		rv = make_offer(partition, &next, &payload, &length, next.offer);
	if (rv == CKR_OK)
		rv = migrate_commit(partition, &next, NULL);
	free(payload);
	OPENSSL_cleanse(&next, sizeof(next));
	return rv;
}

static CK_RV check_source(struct command *command, const struct migrate_letter *letter)
{
	const struct policy *policy = policy_of(command->partition);
	uint8_t fingerprint[POLICY_FINGERPRINT];

	if (!policy->has_source || memcmp(policy->source, letter->hash, sizeof(policy->source)))
		return migrate_refuse(command, CKR_DATA_INVALID,
				      "the officer has made the partition for another document");
	if (policy_fingerprint(policy, fingerprint) < 0)
		return CKR_DEVICE_ERROR;
	if (memcmp(fingerprint, letter->document.fingerprint, sizeof(fingerprint)))
		return migrate_refuse(command, CKR_DATA_INVALID,
				      "the partition's policy was changed since it was made");
	return check_rollback(command, policy, &letter->document);
}

static CK_RV offer(struct command *command, struct migrate_letter *letter)
{
	struct partition *partition = command->partition;
	const struct migrate_trust anybody = { 0 };
	enum hsm_migration_phase phase = migrate_phase(partition);
	uint8_t *payload = NULL, hash[HSM_MIGRATION_HASH];
	size_t length = 0;
	CK_RV rv;

	if (phase != HSM_MIGRATION_PHASE_WAITING && phase != HSM_MIGRATION_PHASE_IMPORTING)
		return migrate_refuse(command, CKR_OPERATION_NOT_INITIALIZED,
				      "the partition waits for nothing");
	if (hsm_hybrid_available(mech_libctx()))
		return migrate_refuse(command, CKR_FUNCTION_NOT_SUPPORTED,
				      "libcrypto here has no HPKE (3.2) or no ML-KEM (3.5)");
	rv = migrate_read(command,
			  migrate_kind(command, HSM_MIGRATION_REQUEST, HSM_MIGRATION_BACKUP),
			  partition->info.id, &anybody, letter);
	if (rv == CKR_OK)
		rv = check_source(command, letter);
	if (rv == CKR_OK && phase == HSM_MIGRATION_PHASE_WAITING)
		rv = begin_import(command, letter);
	if (rv == CKR_OK)
		rv = make_offer(partition, &partition->state.migrate, &payload, &length, hash);
	if (rv == CKR_OK && memcmp(hash, partition->state.migrate.offer, sizeof(hash)))
		rv = migrate_refuse(command, CKR_DATA_INVALID,
				    "the partition's policy was changed since the first offer");
	if (rv == CKR_OK)
		rv = migrate_answer(command, HSM_MIGRATION_OFFER, payload, length);
	free(payload);
	return rv;
}

CK_RV command_import_offer(struct command *command)
{
	struct partition *partition = command->partition;
	struct migrate_letter letter;
	CK_RV rv;

	memset(&letter, 0, sizeof(letter));
	pthread_mutex_lock(&partition->commit_lock);
	rv = still_there(partition);
	if (rv == CKR_OK)
		rv = offer(command, &letter);
	pthread_mutex_unlock(&partition->commit_lock);
	migrate_letter_free(&letter);
	return rv;
}

/* ---- IMPORT_BEGIN, IMPORT_CHUNK ---- */

static CK_RV open_package(struct command *command, const struct migrate_letter *letter,
			  uint8_t key[HSM_MIGRATION_SECRET])
{
	const struct migrate_state *state = &command->partition->state.migrate;
	uint8_t info[HSM_MIGRATION_INFO_MAX];
	struct hsm_hybrid import_key;
	size_t length;
	int ret;

	if (memcmp(letter->document.offer, state->offer, sizeof(state->offer)))
		return migrate_refuse(command, CKR_DATA_INVALID,
				      "the package is for another offer");
	length = hsm_migration_info(HSM_MIGRATION_INFO_PACKAGE, state->offer, NULL, info);
	ret = hsm_hybrid_from_private(mech_libctx(), state->key, &import_key);
	if (!ret)
		ret = hsm_hybrid_open(mech_libctx(), &import_key, info, length,
				      letter->document.key, sizeof(letter->document.key), key);
	hsm_hybrid_free(&import_key);
	if (ret)
		return migrate_refuse(command, CKR_DATA_INVALID,
				      "the package does not open with the import key");
	return CKR_OK;
}

/* The officer may have changed it since the offer. */
static CK_RV check_fingerprint(struct command *command, const struct migrate_letter *letter)
{
	uint8_t fingerprint[POLICY_FINGERPRINT];

	if (policy_fingerprint(policy_of(command->partition), fingerprint) < 0)
		return CKR_DEVICE_ERROR;
	if (memcmp(fingerprint, letter->document.fingerprint, sizeof(fingerprint)))
		return migrate_refuse(command, CKR_DATA_INVALID,
				      "the partition's policy was changed since the offer");
	return CKR_OK;
}

static CK_RV begin(struct command *command, struct migrate_letter *letter)
{
	struct partition *partition = command->partition;
	const struct migrate_state *state = &partition->state.migrate;
	const struct migrate_trust trust = { .peer = state->peer };
	uint8_t key[HSM_MIGRATION_SECRET];
	CK_RV rv;

	if (state->phase != HSM_MIGRATION_PHASE_IMPORTING)
		return migrate_refuse(command, CKR_OPERATION_NOT_INITIALIZED,
				      "the partition has no import key");
	rv = migrate_read(command, state->restoring ? HSM_MIGRATION_BACKUP : HSM_MIGRATION_PACKAGE,
			  partition->info.id, &trust, letter);
	if (rv == CKR_OK)
		rv = check_fingerprint(command, letter);
	if (rv == CKR_OK)
		rv = check_rollback(command, policy_of(partition), &letter->document);
	if (rv != CKR_OK)
		return rv;
	if (!state->restoring)
		rv = open_package(command, letter, key);
	else if (memcmp(letter->hash, state->source, sizeof(state->source)))
		rv = CKR_DATA_INVALID;
	else
		rv = backup_open(command, letter, state, key);
	if (rv == CKR_OK)
		rv = migrate_import_clear(partition);
	if (rv == CKR_OK) {
		migrate_import_free(partition->import);
		partition->import = migrate_import_new(key, letter->hash, letter->document.bytes,
						       letter->document.rows);
		rv = partition->import ? CKR_OK : CKR_HOST_MEMORY;
	}
	if (rv == CKR_OK) {
		memcpy(partition->package.hash, letter->hash, sizeof(partition->package.hash));
		partition->package.time = letter->document.time;
		partition->package.counter = letter->document.counter;
		partition->package.unsafe = !letter->document.rollback || !state->rollback;
		memcpy(partition->package.board, letter->document.board, BOARD_ID_SIZE);
	}
	OPENSSL_cleanse(key, sizeof(key));
	return rv;
}

CK_RV command_import_begin(struct command *command)
{
	struct partition *partition = command->partition;
	struct migrate_letter letter;
	CK_RV rv;

	memset(&letter, 0, sizeof(letter));
	pthread_mutex_lock(&partition->commit_lock);
	rv = still_there(partition);
	if (rv == CKR_OK)
		rv = begin(command, &letter);
	pthread_mutex_unlock(&partition->commit_lock);
	migrate_letter_free(&letter);
	return rv;
}

CK_RV command_import_chunk(struct command *command)
{
	struct partition *partition = command->partition;
	uint64_t number = hsm_fields_u64(&command->fields, HSM_FIELD_CHUNK, 0);
	CK_RV rv = CKR_OPERATION_NOT_INITIALIZED;
	const uint8_t *data;
	size_t length;

	data = hsm_fields_bytes(&command->fields, HSM_FIELD_DATA, &length);
	pthread_mutex_lock(&partition->commit_lock);
	if (partition->import && still_there(partition) == CKR_OK)
		rv = migrate_import_chunk(partition, partition->import, number, data, length);
	if (rv == CKR_DATA_INVALID)
		migrate_refuse(command, rv,
			       "the package is damaged, or its chunks are out of order");
	/* What has failed in the middle can only begin again. */
	if (rv != CKR_OK && rv != CKR_ARGUMENTS_BAD) {
		migrate_import_free(partition->import);
		partition->import = NULL;
	}
	pthread_mutex_unlock(&partition->commit_lock);
	return rv;
}

/* ---- IMPORT_END ---- */

static void arrive(const struct partition *partition, struct migrate_state *next)
{
	*next = partition->state.migrate;
	next->phase = HSM_MIGRATION_PHASE_IMPORTED;
	memset(next->key, 0, sizeof(next->key));
	memcpy(next->package, partition->package.hash, sizeof(next->package));
	next->origin = next->restoring ? HSM_MIGRATION_ORIGIN_RESTORED : HSM_MIGRATION_ORIGIN_MOVED;
	next->restored = next->restoring;
	next->unsafe = partition->package.unsafe;
	next->origin_time = partition->package.time;
	next->origin_counter = partition->package.counter;
	memcpy(next->origin_board, partition->package.board, BOARD_ID_SIZE);
}

static CK_RV receipt(struct command *command, const struct partition *partition)
{
	const struct migrate_state *state = &partition->state.migrate;
	struct hsm_migration_document document = {
		.rollback = state->rollback,
		.rows = partition->state.rows,
		.time = clock_now() / 1000,
	};
	uint8_t *payload = NULL;
	size_t length = 0;
	CK_RV rv;

	memcpy(document.offer, state->offer, sizeof(document.offer));
	memcpy(document.package, state->package, sizeof(document.package));
	rv = migrate_payload(partition, HSM_MIGRATION_RECEIPT, &document, &payload, &length, NULL);
	if (rv == CKR_OK)
		rv = migrate_answer(command, HSM_MIGRATION_RECEIPT, payload, length);
	free(payload);
	return rv;
}

/* The partition as it is on the disk now takes the place of the empty one. */
static CK_RV finish(struct command *command)
{
	struct partition *fresh = partition_reload(command->partition);
	CK_RV rv = fresh && fresh->failed == CKR_OK ? CKR_OK : CKR_DEVICE_ERROR;

	if (rv == CKR_OK) {
		pthread_mutex_lock(&fresh->commit_lock);
		rv = receipt(command, fresh);
		pthread_mutex_unlock(&fresh->commit_lock);
	}
	partition_put(fresh);
	return rv;
}

CK_RV command_import_end(struct command *command)
{
	struct partition *partition = command->partition;
	struct migrate_state next;
	bool arrived = false;
	CK_RV rv;

	pthread_mutex_lock(&partition->commit_lock);
	rv = still_there(partition);
	if (rv != CKR_OK) {
		pthread_mutex_unlock(&partition->commit_lock);
		return rv;
	}
	rv = CKR_OPERATION_NOT_INITIALIZED;
	if (partition->state.migrate.phase == HSM_MIGRATION_PHASE_IMPORTED) {
		rv = receipt(command, partition);
	} else if (partition->import) {
		arrive(partition, &next);
		rv = migrate_import_end(partition, partition->import, &next);
		arrived = rv == CKR_OK;
		partition->dead = arrived;
		migrate_import_free(partition->import);
		partition->import = NULL;
	}
	pthread_mutex_unlock(&partition->commit_lock);
	return arrived ? finish(command) : rv;
}

/* ---- IMPORT_ABANDON ---- */

static CK_RV abandon(struct command *command)
{
	struct partition *partition = command->partition;
	const struct migrate_state *state = &partition->state.migrate;
	struct hsm_migration_document document = { .time = clock_now() / 1000 };
	uint8_t *payload = NULL, *message = NULL;
	size_t length = 0, message_length = 0;
	CK_RV rv;

	if (state->phase != HSM_MIGRATION_PHASE_IMPORTING)
		return migrate_refuse(command, CKR_OPERATION_NOT_INITIALIZED,
				      "the partition has no import key");
	memcpy(document.offer, state->offer, sizeof(document.offer));
	rv = migrate_payload(partition, HSM_MIGRATION_ABANDONED, &document, &payload, &length,
			     NULL);
	if (rv == CKR_OK)
		rv = migrate_sign(partition, HSM_MIGRATION_ABANDONED, payload, length, &message,
				  &message_length);
	/* The statement is out when the key is gone, and not before. */
	if (rv == CKR_OK)
		rv = migrate_retire(partition, HSM_AUDIT_MIGRATION_CANCELLED, message,
				    message_length);
	if (rv == CKR_OK) {
		partition->dead = true;
		hsm_put_bytes(&command->out, HSM_FIELD_DOCUMENT, message, message_length);
	}
	free(payload);
	free(message);
	return rv;
}

CK_RV command_import_abandon(struct command *command)
{
	struct partition *partition = command->partition;
	CK_RV rv;

	pthread_mutex_lock(&partition->commit_lock);
	rv = still_there(partition);
	if (rv == CKR_OK)
		rv = abandon(command);
	pthread_mutex_unlock(&partition->commit_lock);
	return rv;
}
