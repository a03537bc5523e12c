// SPDX-License-Identifier: Apache-2.0
/*
 * Commands of those who read the audit log: the device's officers and auditors over function 0, in a partition its SO and
 * users with the role auditor. Documentation/audit.rst says how a reader gets a complete export.
 */
#include <errno.h>
#include <string.h>
#include "audit_log.h"
#include "audit_sign.h"
#include "users.h"

#define RECORDS_MAX 65536 /* as in the field AUDIT_RECORDS */

/* ---- who may ---- */

static bool is_auditor(const struct command *command)
{
	const struct client *client = command->client;

	if (command->partition->device)
		return client->auditor;
	return client->login == CKU_USER && user_may(client, MAY_AUDIT);
}

/* The officer and the SO read as well, but let go of nothing that speaks of them. */
static CK_RV may_read(const struct command *command)
{
	const struct client *client = command->client;

	if (command->partition->failed)
		return command->partition->failed;
	if (is_auditor(command) || client->officer ||
	    (!command->partition->device && client->login == CKU_SO))
		return CKR_OK;
	return CKR_USER_NOT_LOGGED_IN;
}

/* ---- commands ---- */

CK_RV command_audit_status(struct command *command)
{
	const struct board_hello *hello = partitions_hello();
	struct partition *partition = command->partition;
	uint8_t bytes[HSM_AUDIT_HEAD_MAX];
	struct hsm_audit_head head = { 0 };
	size_t length;
	uint64_t used;
	CK_RV rv = may_read(command);

	if (rv != CKR_OK)
		return rv;
	pthread_mutex_lock(&partition->commit_lock);
	memcpy(head.log, partition->state.audit.log, sizeof(head.log));
	memcpy(head.base, partition->state.audit.base, sizeof(head.base));
	head.first = partition->state.audit.first;
	head.chain = partition->state.audit.chain;
	used = partition->state.audit.bytes;
	pthread_mutex_unlock(&partition->commit_lock);
	memcpy(head.board, hello->board_id, sizeof(head.board));
	memcpy(head.partition, partition->info.id, sizeof(head.partition));
	length = hsm_audit_head_encode(&head, bytes);
	hsm_put_bytes(&command->out, HSM_FIELD_AUDIT_HEAD, bytes, length);
	hsm_put_u64(&command->out, HSM_FIELD_COUNT, used);
	hsm_put_u32(&command->out, HSM_FIELD_AUDIT_BYTES,
		    policy_value(partition, HSM_POLICY_AUDIT_BYTES));
	hsm_put_u32(&command->out, HSM_FIELD_AUDIT_FULL,
		    policy_value(partition, HSM_POLICY_AUDIT_FULL));
	hsm_put_u32(&command->out, HSM_FIELD_AUDIT_KEYS,
		    policy_value(partition, HSM_POLICY_AUDIT_KEYS));
	return CKR_OK;
}

CK_RV command_audit_read(struct command *command)
{
	uint64_t from = hsm_fields_u64(&command->fields, HSM_FIELD_SEQUENCE, 1), first = 0;
	struct partition *partition = command->partition;
	struct hsm_writer *out = &command->out;
	uint8_t base[HSM_AUDIT_HASH] = { 0 };
	size_t mark, room;
	long length;
	CK_RV rv = may_read(command);

	if (rv != CKR_OK)
		return rv;
	mark = hsm_put_begin(out, HSM_FIELD_AUDIT_RECORDS);
	room = out->capacity - out->length;
	if (out->error || room < 256)
		return CKR_DEVICE_MEMORY;
	/* What follows the records needs room as well. */
	room -= 128;
	pthread_mutex_lock(&partition->commit_lock);
	length = audit_read(partition, from, out->data + out->length,
			    room < RECORDS_MAX ? room : RECORDS_MAX, &first, base);
	pthread_mutex_unlock(&partition->commit_lock);
	if (length < 0) {
		out->length = 0;
		return length == -ENOMEM     ? CKR_HOST_MEMORY
		       : length == -EMSGSIZE ? CKR_BUFFER_TOO_SMALL
					     : CKR_DEVICE_ERROR;
	}
	out->length += length;
	hsm_put_end(out, mark);
	hsm_put_u64(out, HSM_FIELD_SEQUENCE, first);
	hsm_put_bytes(out, HSM_FIELD_AUDIT_BASE, base, sizeof(base));
	return CKR_OK;
}

/* All that was counted becomes records, the reading does, and @head is the state after that. */
static CK_RV record_reading(struct command *command, struct partition_state *head,
			    const uint8_t *nonce, size_t length)
{
	char actor[AUDIT_ACTOR_MAX];
	struct hsm_audit_record record = audit_begin(command, HSM_AUDIT_LOG_READ, actor);
	struct partition *partition = command->partition;
	CK_RV rv;

	record.nonce = (struct hsm_audit_bytes){ nonce, length };
	pthread_mutex_lock(&partition->commit_lock);
	*head = partition->state;
	rv = audit_flush(partition, head);
	if (rv == CKR_OK)
		rv = audit_record(partition, head, &record);
	if (rv == CKR_OK)
		rv = store_commit(partition, head, NULL, 0, false);
	else
		audit_uses_taken(partition, false);
	pthread_mutex_unlock(&partition->commit_lock);
	return rv;
}

CK_RV command_audit_sign(struct command *command)
{
	struct partition *partition = command->partition;
	struct partition_state head;
	uint8_t *message = NULL;
	const uint8_t *nonce;
	size_t length, size = 0;
	CK_RV rv = may_read(command);

	nonce = hsm_fields_bytes(&command->fields, HSM_FIELD_AUDIT_NONCE, &length);
	if (rv == CKR_OK && length < HSM_AUDIT_NONCE_MIN)
		rv = CKR_ARGUMENTS_BAD;
	if (rv != CKR_OK)
		return rv;
	/* What the board has told nobody yet, before the end of the log is signed */
	rv = board_events_take(partition);
	if (rv != CKR_OK)
		return rv;
	rv = record_reading(command, &head, nonce, length);
	if (rv == CKR_OK && audit_sign_head(partition, &head, nonce, length, &message, &size) < 0)
		rv = CKR_DEVICE_ERROR;
	if (rv == CKR_OK)
		hsm_put_bytes(&command->out, HSM_FIELD_AUDIT_HEAD, message, size);
	audit_sign_free(message);
	OPENSSL_cleanse(&head, sizeof(head));
	return rv;
}

CK_RV command_audit_release(struct command *command)
{
	uint64_t number = hsm_fields_u64(&command->fields, HSM_FIELD_SEQUENCE, 0);
	char actor[AUDIT_ACTOR_MAX];
	struct hsm_audit_record record = audit_begin(command, HSM_AUDIT_LOG_RELEASED, actor);
	struct partition *partition = command->partition;
	struct partition_state next;
	CK_RV rv = may_read(command);

	if (rv != CKR_OK)
		return rv;
	if (!is_auditor(command))
		return CKR_USER_NOT_LOGGED_IN;
	record.number = number;
	pthread_mutex_lock(&partition->commit_lock);
	next = partition->state;
	if (number > next.audit.chain.sequence)
		rv = CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK)
		rv = audit_record(partition, &next, &record);
	if (number > next.audit.released)
		next.audit.released = number;
	if (rv == CKR_OK)
		rv = store_commit(partition, &next, NULL, 0, false);
	pthread_mutex_unlock(&partition->commit_lock);
	OPENSSL_cleanse(&next, sizeof(next));
	return rv;
}
