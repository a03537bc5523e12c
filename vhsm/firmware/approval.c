// SPDX-License-Identifier: Apache-2.0
/*
 * The consent of officers and owners (approval.h): signatures over the command as it came, under a nonce of this device that is
 * used up in the same commit as the record of it. Documentation/policy.rst, "Approvals".
 */
#include <stdlib.h>
#include <string.h>
#include <hsm/cose.h>
#include "approval.h"
#include "audit.h"
#include "officers.h"

/**
 * struct tally - what is asked for and what is there
 * @payload: what must have been signed
 * @owner: the owner's key, where the owner is asked; else NULL
 * @account: of the officers who have approved
 * @verdict: on each signature, in the order of the messages
 */
struct tally {
	const struct officer_table *table;
	uint8_t *payload;
	size_t length;
	uint32_t needed;
	uint32_t given;
	const struct policy_blob *owner;
	uint8_t owner_id[HSM_APPROVAL_ID_SIZE];
	bool owner_given;
	uint32_t account[HSM_APPROVALS_MAX];
	uint32_t verdict[HSM_APPROVALS_MAX];
	uint32_t count;
};

static bool enough(const struct tally *tally)
{
	return tally->given >= tally->needed && (!tally->owner || tally->owner_given);
}

/* ---- one signature ---- */

static bool has_approved(const struct tally *tally, uint32_t account)
{
	uint32_t i;

	for (i = 0; i < tally->given; i++)
		if (tally->account[i] == account)
			return true;
	return false;
}

/* A key may be an officer's and the owner's: the same person speaks for both then. */
static enum hsm_verdict count_signature(struct tally *tally, const struct officer_key *officer,
					bool owner)
{
	bool counted = false;

	if (owner && !tally->owner_given)
		counted = tally->owner_given = true;
	if (officer && !has_approved(tally, officer->account)) {
		tally->account[tally->given++] = officer->account;
		counted = true;
	}
	return counted ? HSM_VERDICT_GOOD : HSM_VERDICT_TWICE;
}

static enum hsm_verdict judge_signature(struct tally *tally, const struct hsm_cose *message,
					size_t index)
{
	const struct officer_key *officer;
	EVP_PKEY *key = NULL;
	const uint8_t *kid;
	size_t length;
	bool owner;
	int ret;

	kid = hsm_cose_signer_kid(message, index, &length);
	if (!kid || length != HSM_APPROVAL_ID_SIZE)
		return HSM_VERDICT_KEY;
	officer = officer_key_by_id(tally->table, kid, length);
	owner = tally->owner && !memcmp(kid, tally->owner_id, length);
	if (owner)
		key = officer_public_key(tally->owner->data, tally->owner->length);
	else if (officer)
		key = officer_public_key(officer->key, officer->length);
	if (!key)
		return HSM_VERDICT_KEY;
	ret = hsm_cose_verify(message, index, mech_libctx(), key, NULL, 0);
	EVP_PKEY_free(key);
	return ret ? HSM_VERDICT_SIGNATURE : count_signature(tally, officer, owner);
}

/* ---- all of them ---- */

static bool has_room(const struct tally *tally)
{
	return tally->count < HSM_APPROVALS_MAX;
}

static void put_verdict(struct tally *tally, enum hsm_verdict verdict)
{
	tally->verdict[tally->count++] = verdict;
}

static bool judge_message(struct tally *tally, const uint8_t *bytes, size_t size)
{
	struct hsm_cose *message;
	const uint8_t *payload;
	size_t length, i;
	bool same;

	if (!has_room(tally))
		return false;
	if (hsm_cose_read(bytes, size, HSM_APPROVAL_TYPE, &message)) {
		put_verdict(tally, HSM_VERDICT_FORM);
		return true;
	}
	payload = hsm_cose_payload(message, &length);
	same = length == tally->length && !memcmp(payload, tally->payload, length);
	for (i = 0; has_room(tally) && i < hsm_cose_signatures(message); i++)
		put_verdict(tally, same ? judge_signature(tally, message, i) : HSM_VERDICT_REQUEST);
	length = hsm_cose_signatures(message);
	hsm_cose_free(message);
	return i == length;
}

/* Return: CKR_OK, or CKR_ARGUMENTS_BAD for a field that is no list, or too long a one */
static CK_RV judge_all(struct tally *tally, const struct hsm_fields *fields)
{
	const struct hsm_field *field = hsm_fields_find(fields, HSM_FIELD_APPROVALS);
	const uint8_t *at, *data;
	struct hsm_record record;
	int more;

	if (!field)
		return CKR_OK;
	at = field->data;
	while ((more = hsm_records_next(&at, field->data + field->length, &record, &data)) > 0)
		if (record.type || !judge_message(tally, data, record.length))
			return CKR_ARGUMENTS_BAD;
	return more ? CKR_ARGUMENTS_BAD : CKR_OK;
}

static void void_all(struct tally *tally)
{
	uint32_t i;

	for (i = 0; i < tally->count; i++)
		if (tally->verdict[i] == HSM_VERDICT_GOOD)
			tally->verdict[i] = HSM_VERDICT_NONCE;
	tally->given = 0;
	tally->owner_given = false;
}

/* ---- the answer ---- */

static void put_missing(struct command *command, enum hsm_action action, const struct tally *tally)
{
	struct hsm_quorum_status status = {
		.action = htole32(action),
		.needed = htole32(tally->needed),
		.given = htole32(tally->given),
	};
	size_t mark = hsm_put_begin(&command->out, HSM_FIELD_QUORUM);
	uint32_t i, verdict;

	if (tally->owner)
		status.flags = htole32(HSM_QUORUM_OWNER |
				       (tally->owner_given ? HSM_QUORUM_OWNER_GIVEN : 0));
	hsm_put_raw(&command->out, &status, sizeof(status));
	for (i = 0; i < tally->count; i++) {
		verdict = htole32(tally->verdict[i]);
		hsm_put_raw(&command->out, &verdict, sizeof(verdict));
	}
	hsm_put_end(&command->out, mark);
}

static struct hsm_audit_record record_of(const struct command *command, enum hsm_audit_event event,
					 const struct hsm_approval *what,
					 char actor[AUDIT_ACTOR_MAX])
{
	static const uint8_t device[PARTITION_ID_SIZE] = BOARD_DEVICE_PARTITION;
	struct hsm_audit_record record = audit_begin(command, event, actor);
	const uint8_t *id = what->partition;
	size_t length = sizeof(what->partition);

	record.operation = what->operation;
	record.subject = hsm_action_word(hsm_guarded(what->operation));
	if (!memcmp(id, device, sizeof(device)))
		id = hsm_fields_bytes(&what->fields, HSM_FIELD_PARTITION, &length);
	record.partition.data = id;
	record.partition.length = length;
	return record;
}

/* The nonce goes, with a record of what it was used for. The caller holds commit_lock. */
static CK_RV use_nonce(struct command *command, const struct hsm_approval *what,
		       const struct tally *tally)
{
	struct partition *partition = command->partition;
	struct partition_state next = partition->state;
	uint8_t digest[HSM_APPROVAL_ID_SIZE];
	char actor[AUDIT_ACTOR_MAX];
	struct hsm_audit_record record;
	CK_RV rv;

	next.officers = officers_copy(next.officers);
	if (!next.officers)
		return CKR_HOST_MEMORY;
	officer_take_nonce(next.officers, what->nonce, sizeof(what->nonce));
	record = record_of(command, HSM_AUDIT_APPROVED, what, actor);
	record.number = tally->given;
	if (officer_key_id(tally->payload, tally->length, digest) == 0)
		record.digest = (struct hsm_audit_bytes){ digest, sizeof(digest) };
	rv = audit_record(partition, &next, &record);
	if (rv == CKR_OK)
		rv = officers_commit(partition, &next);
	else
		officers_drop(partition, &next);
	OPENSSL_cleanse(&next, sizeof(next));
	return rv;
}

static CK_RV note_refusal(struct command *command, const struct hsm_approval *what)
{
	char actor[AUDIT_ACTOR_MAX];
	struct hsm_audit_record record =
		record_of(command, HSM_AUDIT_APPROVAL_REFUSED, what, actor);

	record.result = CKR_ACTION_PROHIBITED;
	/* Counted, also in a log that is full; what the disk says is the answer then, and the action is refused all the same. */
	return audit_commit(command->task, command->partition, &record);
}

/* ---- the decision ---- */

/* The caller holds commit_lock. @what has the nonce that came with the command. */
static CK_RV decide(struct command *command, struct hsm_approval *what, struct tally *tally)
{
	CK_RV rv;

	if (hsm_approval_build(what, &tally->payload, &tally->length) < 0)
		return CKR_HOST_MEMORY;
	rv = judge_all(tally, &command->fields);
	if (rv != CKR_OK)
		return rv;
	if (!officer_has_nonce(tally->table, what->nonce, sizeof(what->nonce)))
		void_all(tally);
	return enough(tally) ? use_nonce(command, what, tally) : CKR_ACTION_PROHIBITED;
}

/* An owner who is asked for anything is asked for a less strict policy: it could say that no owner is asked. */
static bool owner_is_asked(const struct policy *policy, enum hsm_action action)
{
	uint32_t asked = policy ? policy->value[HSM_POLICY_OWNER_APPROVES] : 0;

	if (!asked || !policy->blob[HSM_POLICY_BLOB_OWNER_KEY].length)
		return false;
	return action == HSM_ACTION_RELAX || (asked & hsm_action_owner(action));
}

CK_RV approval_decide(struct command *command, struct hsm_approval *what,
		      const struct policy *policy)
{
	enum hsm_action action = hsm_guarded(what->operation);
	struct partition *partition = command->partition;
	struct tally tally = { 0 };
	const uint8_t *nonce;
	size_t length;
	CK_RV rv = CKR_OK;

	nonce = hsm_fields_bytes(&command->fields, HSM_FIELD_APPROVAL_NONCE, &length);
	what->has_nonce = true;
	if (length == sizeof(what->nonce))
		memcpy(what->nonce, nonce, length);
	if (owner_is_asked(policy, action) && approval_owner_id(policy, tally.owner_id))
		tally.owner = &policy->blob[HSM_POLICY_BLOB_OWNER_KEY];
	else if (owner_is_asked(policy, action))
		return CKR_FUNCTION_FAILED;
	pthread_mutex_lock(&partition->commit_lock);
	tally.table = partition->state.officers;
	tally.needed = officers_needed(tally.table, action);
	if (!enough(&tally))
		rv = decide(command, what, &tally);
	pthread_mutex_unlock(&partition->commit_lock);
	if (rv == CKR_ACTION_PROHIBITED) {
		put_missing(command, action, &tally);
		if (note_refusal(command, what) != CKR_OK)
			rv = CKR_DEVICE_ERROR;
	}
	free(tally.payload);
	return rv;
}

/* ---- a partition's command: function 0 has granted it, or not ---- */

int approval_digest(const struct hsm_approval *what, uint8_t digest[HSM_APPROVAL_ID_SIZE])
{
	struct hsm_approval plain = *what;
	uint8_t *bytes;
	size_t length;
	int ret;

	plain.has_nonce = false;
	ret = hsm_approval_build(&plain, &bytes, &length);
	if (ret)
		return ret;
	ret = officer_key_id(bytes, length, digest);
	free(bytes);
	return ret;
}

static CK_RV take_grant(const struct hsm_approval *what)
{
	struct board_grant grant = { 0 };
	size_t length;

	memcpy(grant.partition, what->partition, sizeof(grant.partition));
	if (approval_digest(what, grant.digest) < 0)
		return CKR_FUNCTION_FAILED;
	return ask_board(BOARD_GRANT_TAKE, &grant, sizeof(grant), NULL, 0, &length) == 0
		       ? CKR_OK
		       : CKR_ACTION_PROHIBITED;
}

CK_RV approval_check(struct command *command, const struct policy *policy)
{
	const struct partition *partition = command->partition;
	struct hsm_approval what = { .operation = command->info->code };

	memcpy(what.board, partitions_hello()->board_id, sizeof(what.board));
	memcpy(what.partition, partition->info.id, sizeof(what.partition));
	what.fields = command->fields;
	if (hsm_guarded(what.operation) == HSM_ACTION_NONE)
		return CKR_FUNCTION_FAILED;
	if (!partition->device)
		return take_grant(&what);
	if (!command->client->officer)
		return CKR_USER_NOT_LOGGED_IN;
	return approval_decide(command, &what, policy);
}

bool approval_owner_id(const struct policy *policy, uint8_t id[HSM_APPROVAL_ID_SIZE])
{
	const struct policy_blob *key = &policy->blob[HSM_POLICY_BLOB_OWNER_KEY];

	return key->length && officer_key_id(key->data, key->length, id) == 0;
}
