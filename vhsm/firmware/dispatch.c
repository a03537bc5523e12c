// SPDX-License-Identifier: Apache-2.0
/*
 * From an opened request to its handler and back: the operation's row, its fields, role, session, turn and
 * time class are settled here, so that a handler only does its work.
 */
#include <errno.h>
#include <string.h>
#include "clock.h"
#include "commands.h"
#include "migrate.h"
#include "selftest.h"

#define WIPE_ALWAYS 1024 /* requests up to here are wiped whatever they carried */

#define ROW(name, fn)	       [HSM_OP_##name] = { .handler = command_##fn }
#define ROW_FLAGS(name, fn, f) [HSM_OP_##name] = { .handler = command_##fn, .flags = (f) }
#define ROW_USE(name, fn, u)   [HSM_OP_##name] = { .handler = command_##fn, .use = MECH_##u }
#define ROW_SLOT(name, fn, u)  [HSM_OP_##name] = { .handler = command_##fn, .use = OPERATION_##u }
#define ALWAYS		       (COMMAND_NO_TURN | COMMAND_ALWAYS | COMMAND_STATUS)
#define SECRET		       COMMAND_SECRET
#define PIN		       (COMMAND_SECRET | COMMAND_PIN)
#define DEVICE		       COMMAND_DEVICE
#define STATUS		       COMMAND_STATUS
#define MOVING		       COMMAND_MOVING

static const struct command_row rows[] = {
	ROW_FLAGS(NOP, nop, ALWAYS),
	[HSM_OP_CHANNEL_CLOSE] = { .handler = channel_close_command, .flags = ALWAYS },
	[HSM_OP_CHANNEL_OFFER] = { .handler = channel_offer, .flags = ALWAYS },
	[HSM_OP_CHANNEL_TAKE] = { .handler = channel_take, .flags = ALWAYS },
	ROW_FLAGS(SELF_TEST, self_test, ALWAYS),
	ROW(OBJECT_MASK, object_mask),
	ROW(OBJECT_UNMASK, object_unmask),
	ROW(OBJECT_REMASK, object_remask),
	ROW(MASK_REVOKE, mask_revoke),
	ROW(MASK_STATE, mask_state),
	ROW_FLAGS(TOKEN_INFO, token_info, STATUS),
	ROW(MECHANISM_LIST, mechanism_list),
	ROW(MECHANISM_INFO, mechanism_info),
	ROW_FLAGS(TOKEN_INIT, token_init, PIN),
	ROW_FLAGS(PIN_INIT, pin_init, PIN),
	ROW_FLAGS(PIN_SET, pin_set, PIN),
	ROW(SESSION_OPEN, session_open),
	ROW_FLAGS(SESSION_CLOSE, session_close, COMMAND_NO_TURN | STATUS),
	ROW_FLAGS(SESSION_CLOSE_ALL, session_close_all, STATUS),
	ROW_FLAGS(SESSION_INFO, session_info, COMMAND_NO_TURN),
	ROW_FLAGS(LOGIN, login, PIN),
	ROW_FLAGS(LOGOUT, logout, STATUS),
	ROW(SESSION_CANCEL, session_cancel),
	ROW_FLAGS(OBJECT_CREATE, object_create, SECRET),
	ROW(OBJECT_COPY, object_copy),
	ROW(OBJECT_DESTROY, object_destroy),
	ROW(OBJECT_SIZE, object_size),
	ROW(ATTRIBUTES_GET, attributes_get),
	ROW(ATTRIBUTES_SET, attributes_set),
	ROW(FIND_INIT, find_init),
	ROW(FIND, find),
	ROW(FIND_FINAL, find_final),
	ROW_USE(ENCRYPT_INIT, cipher_init, ENCRYPT),
	ROW_USE(ENCRYPT, single, ENCRYPT),
	ROW_USE(ENCRYPT_UPDATE, update, ENCRYPT),
	ROW_USE(ENCRYPT_FINAL, final, ENCRYPT),
	ROW_USE(DECRYPT_INIT, cipher_init, DECRYPT),
	ROW_USE(DECRYPT, single, DECRYPT),
	ROW_USE(DECRYPT_UPDATE, update, DECRYPT),
	ROW_USE(DECRYPT_FINAL, final, DECRYPT),
	ROW_USE(DIGEST_INIT, digest_init, DIGEST),
	ROW_USE(DIGEST, single, DIGEST),
	ROW_USE(DIGEST_UPDATE, update, DIGEST),
	ROW_USE(DIGEST_KEY, digest_key, DIGEST),
	ROW_USE(DIGEST_FINAL, final, DIGEST),
	ROW_USE(SIGN_INIT, cipher_init, SIGN),
	ROW_USE(SIGN, single, SIGN),
	ROW_USE(SIGN_UPDATE, update, SIGN),
	ROW_USE(SIGN_FINAL, final, SIGN),
	ROW_USE(VERIFY_INIT, cipher_init, VERIFY),
	ROW_USE(VERIFY, verify, VERIFY),
	ROW_USE(VERIFY_UPDATE, update, VERIFY),
	ROW_USE(VERIFY_FINAL, verify_final, VERIFY),
	ROW_USE(SIGN_RECOVER_INIT, cipher_init, SIGN_RECOVER),
	ROW_USE(SIGN_RECOVER, single, SIGN_RECOVER),
	ROW_USE(VERIFY_RECOVER_INIT, cipher_init, VERIFY_RECOVER),
	ROW_USE(VERIFY_RECOVER, verify_recover, VERIFY_RECOVER),
	ROW_USE(VERIFY_SIGNATURE_INIT, verify_signature_init, VERIFY),
	ROW_USE(VERIFY_SIGNATURE, verify_signature, VERIFY),
	ROW_USE(VERIFY_SIGNATURE_UPDATE, verify_signature_update, VERIFY),
	ROW_USE(VERIFY_SIGNATURE_FINAL, verify_signature_final, VERIFY),
	ROW(DIGEST_ENCRYPT_UPDATE, digest_encrypt),
	ROW(DECRYPT_DIGEST_UPDATE, decrypt_digest),
	ROW(SIGN_ENCRYPT_UPDATE, sign_encrypt),
	ROW(DECRYPT_VERIFY_UPDATE, decrypt_verify),
	ROW_SLOT(MESSAGE_ENCRYPT_INIT, message_init, MESSAGE_ENCRYPT),
	ROW_SLOT(MESSAGE_ENCRYPT, message_cipher, MESSAGE_ENCRYPT),
	ROW_SLOT(MESSAGE_DECRYPT_INIT, message_init, MESSAGE_DECRYPT),
	ROW_SLOT(MESSAGE_DECRYPT, message_cipher, MESSAGE_DECRYPT),
	ROW_SLOT(MESSAGE_SIGN_INIT, message_init, MESSAGE_SIGN),
	ROW_SLOT(MESSAGE_SIGN, message_sign, MESSAGE_SIGN),
	ROW_SLOT(MESSAGE_VERIFY_INIT, message_init, MESSAGE_VERIFY),
	ROW_SLOT(MESSAGE_VERIFY, message_verify, MESSAGE_VERIFY),
	ROW(MESSAGE_FINAL, message_final),
	ROW_FLAGS(COMMAND_STOP, stop, COMMAND_NO_TURN),
	ROW(VALIDATION_FLAGS, validation_flags),
	ROW(STATE_GET, state_get),
	ROW(STATE_SET, state_set),
	ROW(GENERATE_KEY, generate_key),
	ROW(GENERATE_PAIR, generate_pair),
	ROW(WRAP, wrap),
	ROW(UNWRAP, unwrap),
	ROW(DERIVE, derive),
	ROW(ENCAPSULATE, encapsulate),
	ROW(DECAPSULATE, decapsulate),
	ROW(RANDOM, random),
	ROW_FLAGS(SEED, seed, SECRET),
	ROW_FLAGS(CLAIM, claim, DEVICE | PIN),
	ROW_FLAGS(OFFICER_LOGIN, officer_login, DEVICE | PIN),
	ROW_FLAGS(OFFICER_PIN, officer_pin, DEVICE | PIN),
	ROW_FLAGS(DEVICE_STATUS, device_status, DEVICE | STATUS),
	ROW_FLAGS(OFFICER_ADD, officer_add, DEVICE | PIN),
	ROW_FLAGS(OFFICER_REMOVE, officer_remove, DEVICE),
	ROW_FLAGS(OFFICER_LIST, officer_list, DEVICE),
	ROW_FLAGS(OFFICER_KEY, officer_key, DEVICE),
	ROW_FLAGS(QUORUM_SET, quorum_set, DEVICE),
	ROW_FLAGS(APPROVAL_NONCE, approval_nonce, DEVICE),
	ROW_FLAGS(APPROVAL_GRANT, approval_grant, DEVICE),
	ROW_FLAGS(DEVICE_CONDITION, device_condition, DEVICE | STATUS),
	ROW_FLAGS(DEVICE_STATEMENT, device_statement, DEVICE),
	ROW_FLAGS(DEVICE_LIFECYCLE, device_lifecycle, DEVICE),
	ROW_FLAGS(DEVICE_RECOVER, device_recover, DEVICE),
	ROW(EXPORT_RECEIPT, export_receipt),
	ROW_FLAGS(FIRMWARE_STATUS, firmware_status, DEVICE | STATUS),
	ROW_FLAGS(FIRMWARE_STAGE, firmware_stage, DEVICE),
	ROW_FLAGS(FIRMWARE_ACTIVATE, firmware_activate, DEVICE),
	ROW_FLAGS(FIRMWARE_MINIMUM, firmware_minimum, DEVICE),
	ROW_FLAGS(PARTITION_LIST, partition_list, DEVICE),
	ROW_FLAGS(PARTITION_CREATE, partition_create, DEVICE),
	ROW_FLAGS(PARTITION_ASSIGN, partition_assign, DEVICE),
	ROW_FLAGS(PARTITION_DESTROY, partition_destroy, DEVICE),
	ROW_FLAGS(PARTITION_UPDATE, partition_update, DEVICE),
	ROW_FLAGS(PARTITION_POLICY, partition_policy, DEVICE),
	ROW(POLICY, policy),
	ROW_FLAGS(MIGRATE_STATUS, migrate_status, MOVING),
	ROW(MIGRATE_REQUEST, migrate_request),
	ROW(MIGRATE_FREEZE, migrate_freeze),
	ROW_FLAGS(MIGRATE_EXPORT, migrate_export, MOVING),
	ROW_FLAGS(MIGRATE_FINISH, migrate_finish, MOVING),
	ROW_FLAGS(MIGRATE_RESUME, migrate_resume, MOVING),
	ROW_FLAGS(IMPORT_OFFER, import_offer, MOVING),
	ROW_FLAGS(IMPORT_BEGIN, import_begin, MOVING),
	ROW_FLAGS(IMPORT_CHUNK, import_chunk, MOVING),
	ROW_FLAGS(IMPORT_END, import_end, MOVING),
	ROW_FLAGS(IMPORT_ABANDON, import_abandon, MOVING),
	ROW(BACKUP_BEGIN, backup_begin),
	ROW_FLAGS(PARTITION_IMPORT, partition_import, DEVICE),
	ROW_FLAGS(PARTITION_RECEIPT, partition_receipt, DEVICE),
	ROW_FLAGS(USER_CREATE, user_create, PIN),
	ROW(USER_REMOVE, user_remove),
	ROW(USER_LIST, user_list),
	ROW_FLAGS(USER_PIN, user_pin, PIN),
	ROW_FLAGS(USER_UNLOCK, user_unlock, COMMAND_PIN),
	ROW(USER_ROLE, user_role),
	ROW_FLAGS(CERTIFICATES, certificates, COMMAND_ALWAYS),
	ROW_FLAGS(DEVICE_REQUEST, device_request, DEVICE),
	ROW_FLAGS(DEVICE_INSTALL, device_install, DEVICE),
	ROW_FLAGS(AUDIT_STATUS, audit_status, COMMAND_ALWAYS),
	ROW_FLAGS(AUDIT_READ, audit_read, COMMAND_ALWAYS),
	ROW_FLAGS(AUDIT_SIGN, audit_sign, COMMAND_ALWAYS),
	ROW_FLAGS(AUDIT_RELEASE, audit_release, COMMAND_ALWAYS),
	ROW_FLAGS(EVIDENCE, evidence, COMMAND_ALWAYS),
	ROW(KEY_EVIDENCE, key_evidence),
	ROW_FLAGS(STATISTICS, statistics, MOVING),
};

const struct command_row *command_row_find(unsigned int code)
{
	if (code >= sizeof(rows) / sizeof(rows[0]) || !rows[code].handler)
		return NULL;
	return &rows[code];
}

/* Is this a place and a peer for the operation? */
static CK_RV check_place(const struct command *command, const struct command_row *row)
{
	const struct partition *partition = command->partition;

	if (!(row->flags & COMMAND_STATUS) && selftest_gate() != CKR_OK)
		return selftest_gate();
	if (row->flags & COMMAND_ALWAYS)
		return CKR_OK;
	if (partition->device != !!(row->flags & COMMAND_DEVICE))
		return CKR_FUNCTION_NOT_SUPPORTED;
	if (partition->failed != CKR_OK || (row->flags & (COMMAND_MOVING | COMMAND_STATUS)))
		return partition->failed;
	return migrate_gate(partition);
}

static CK_RV check_role(const struct command *command)
{
	switch (command->info->role) {
	case HSM_ROLE_OFFICER:
		return command->client->officer ? CKR_OK : CKR_USER_NOT_LOGGED_IN;
	case HSM_ROLE_SO:
		return command->client->login == CKU_SO ? CKR_OK : CKR_USER_NOT_LOGGED_IN;
	case HSM_ROLE_USER:
		return command->client->login == CKU_USER ? CKR_OK : CKR_USER_NOT_LOGGED_IN;
	default:
		return CKR_OK;
	}
}

/*
 * PINs take their turns: a try counts as a failure until it has proved right, so that many right ones at once would lock
 * the PIN; a PIN that is being set must not outlive a C_InitToken that came between; and each takes much memory.
 */
static CK_RV handle(struct command *command, const struct command_row *row)
{
	struct partition *partition = command->partition;
	CK_RV rv;

	if (!(row->flags & COMMAND_PIN))
		return row->handler(command);
	pthread_mutex_lock(&partition->pin_lock);
	rv = check_role(command);
	if (rv == CKR_OK)
		rv = row->handler(command);
	pthread_mutex_unlock(&partition->pin_lock);
	return rv;
}

/* Of a part or an end, before the handler frees its operation; beginnings say it in mechanism_take(). */
static void note_service(struct command *command, const struct command_row *row)
{
	const struct mech_operation *mech = command->session->operation[row->use].mech;

	if (!row->use || !mech)
		return;
	command->crypto = true;
	command->approved = mech_is_approved(mech);
}

/* With the turn in the session */
static CK_RV run_turn(struct command *command, const struct command_row *row)
{
	CK_RV rv = check_role(command);

	if (rv != CKR_OK)
		return rv;
	note_service(command, row);
	rv = handle(command, row);
	if (command->crypto)
		command->session->last_approved = rv == CKR_OK && command->approved;
	return rv;
}

static CK_RV run_in_session(struct command *command, const struct command_row *row, uint32_t id)
{
	struct session *session = session_find(command->client, id);
	uint64_t part = 0;
	CK_RV rv;

	if (!session)
		return CKR_SESSION_HANDLE_INVALID;
	command->session = session;
	if (row->flags & COMMAND_NO_TURN) {
		rv = row->handler(command);
	} else {
		if (row->use)
			part = hsm_fields_u64(&command->fields, HSM_FIELD_PART, 0);
		rv = session_enter(session, command->task, row->use, part);
		if (rv == CKR_OK) {
			rv = run_turn(command, row);
			session_leave(session);
		}
	}
	session_put(session);
	return rv;
}

/* Before it takes its turn, and before it could change anything */
static CK_RV check_rate(struct command *command)
{
	/* What brings its beginning counts as one, and nothing else has a key beside it. */
	bool begins = command->use == MECH_SIGN && hsm_fields_find(&command->fields, HSM_FIELD_KEY);
	unsigned int code = begins ? HSM_OP_SIGN_INIT : command->info->code;
	uint64_t wait = 0;
	CK_RV rv = policy_rate(command->partition, code, &wait);

	if (rv != CKR_OK)
		hsm_put_u64(&command->out, HSM_FIELD_RETRY_AFTER, wait);
	return rv;
}

static CK_RV run(struct command *command, const struct command_row *row, uint32_t session)
{
	CK_RV rv;

	if (hsm_operation_check(command->info, &command->fields) < 0)
		return CKR_ARGUMENTS_BAD;
	rv = check_place(command, row);
	if (rv == CKR_OK)
		rv = check_rate(command);
	if (rv != CKR_OK)
		return rv;
	if (command->info->session)
		return run_in_session(command, row, session);
	rv = check_role(command);
	return rv == CKR_OK ? handle(command, row) : rv;
}

static void put_response_header(uint8_t *response, unsigned int operation,
				const struct command *command, CK_RV rv)
{
	unsigned int approved = command->approved ? HSM_RESPONSE_APPROVED : 0;
	unsigned int again = command->again ? HSM_RESPONSE_AGAIN : 0;
	struct hsm_response_header header = {
		.operation = htole16(operation),
		.flags = htole16(rv == CKR_OK ? approved | again : 0),
		.session = htole32(command->answer),
		.rv = htole64(rv),
	};

	memcpy(response, &header, sizeof(header));
}

enum ihsm_status command_execute(struct task *task, struct channel *channel, struct client *client,
				 uint8_t *request, size_t length, uint8_t *response, size_t room,
				 size_t *written)
{
	struct command command = { .task = task, .channel = channel, .client = client };
	struct hsm_command_header header;
	const struct command_row *row;
	uint8_t *fields = request + sizeof(header);
	unsigned int operation;
	uint64_t begin;
	CK_RV rv;

	if (length < sizeof(header) || room < sizeof(struct hsm_response_header))
		return IHSM_SC_INVALID_MESSAGE;
	memcpy(&header, request, sizeof(header));
	operation = le16toh(header.operation);
	command.partition = client->partition;
	command.answer = le32toh(header.session);
	command.info = hsm_operation_find(operation);
	row = command_row_find(operation);
	hsm_writer_init(&command.out, response + sizeof(struct hsm_response_header),
			room - sizeof(struct hsm_response_header));
	if (!row || !command.info) {
		rv = CKR_FUNCTION_NOT_SUPPORTED;
	} else if (header.flags ||
		   hsm_fields_parse(&command.fields, fields, length - sizeof(header)) < 0) {
		rv = CKR_ARGUMENTS_BAD;
	} else if (command.info->time_class != IHSM_TIME_SHORT &&
		   task_set_class(task, command.info->time_class) < 0) {
		return IHSM_SC_ABORTED;
	} else {
		command.use = row->use;
		begin = clock_ticks();
		rv = run(&command, row, command.answer);
		statistics_note(&client->partition->statistics, operation, rv,
				clock_ticks() - begin);
	}
	if (command.out.error) {
		command.out.length = 0;
		rv = CKR_DEVICE_MEMORY;
	}
	put_response_header(response, operation, &command, rv);
	*written = sizeof(struct hsm_response_header) + command.out.length;
	if (length <= WIPE_ALWAYS || (row && (row->flags & COMMAND_SECRET)))
		OPENSSL_cleanse(request, length);
	return IHSM_SC_SUCCESS;
}
