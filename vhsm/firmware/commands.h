/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command execution, everything above the seam of firmware.h: who is who, and who locks what.
 * A message arrives on a channel (channel.c), is opened and dispatched (dispatch.c) to a handler (*_commands.c);
 * clients, sessions, objects and partitions are what the handlers work on.
 *
 * Locks, outer before inner:
 *   1. the turn in a session (session_enter): one command at a time; not a mutex
 *	then partition.pin_lock: one PIN at a time is tried or set
 *   2. partition.commit_lock: whoever changes what is stored. Held over the board's answer
 *   3. partition.lock: index of objects, list of clients, who is logged in. Never held over the board's
 *	answer, a PIN's key derivation or a private-key operation
 *   4. client.lock: table of sessions
 *   5. session.lock: whose turn it is
 * The list of partitions has a lock before all of these, never held over the board's answer. Leaves, under
 * which nothing else is taken: context.lock, channel.lock, partition.group.lock.
 *
 * Life times are reference counts. An object's contents never change once it is in the index: a change
 * puts a new one in its place, so that whoever holds a reference reads without a lock.
 */
#ifndef FIRMWARE_COMMANDS_H
#define FIRMWARE_COMMANDS_H

#include <hsm/operations.h>
#include "session.h"

/* ---- commands ---- */

/**
 * struct command - one command on its way through a handler
 * @session: with the turn taken, or NULL
 * @answer: session number for the response header
 * @out: fields of the response
 * @crypto: a mechanism is at work; @approved: in an approved use
 */
struct command {
	struct task *task;
	struct client *client;
	struct partition *partition;
	struct session *session;
	struct channel *channel;
	const struct hsm_operation_info *info;
	uint32_t answer;
	uint8_t use;
	bool crypto;
	bool approved;
	bool again;
	struct hsm_writer out;
	struct hsm_fields fields;
};

typedef CK_RV (*command_handler)(struct command *command);

/* ---- handlers ---- */

/**
 * struct command_row - how an operation is executed
 * @use: enum mech_use, for operations with parts
 * @flags: COMMAND_*
 */
struct command_row {
	command_handler handler;
	uint8_t use;
	uint8_t flags;
};

#define COMMAND_NO_TURN (1U << 0) /* runs beside other commands of its session */
#define COMMAND_ALWAYS	(1U << 1) /* also on the device partition and on one that failed */
#define COMMAND_DEVICE	(1U << 2) /* on the device partition only */
#define COMMAND_SECRET	(1U << 3) /* the request carries PINs or keys: wipe it */
#define COMMAND_PIN	(1U << 4) /* tries or sets a PIN: one at a time in a partition */
#define COMMAND_STATUS	(1U << 5) /* also in the error state: tells or ends something, and uses no key */
#define COMMAND_MOVING	(1U << 6) /* also while the partition is on its way between boards */

/* command_row_find - row of an operation code, NULL: not implemented */
const struct command_row *command_row_find(unsigned int code);

/**
 * command_execute - run an opened request
 * @request: command header and fields
 * @response: room for the response header and fields
 * @written: bytes of the response
 *
 * Return: IHSM_SC_SUCCESS, or a status when no answer can be given.
 */
enum ihsm_status command_execute(struct task *task, struct channel *channel, struct client *client,
				 uint8_t *request, size_t length, uint8_t *response, size_t room,
				 size_t *written);

/* channel.c, for CHANNEL_* */
CK_RV channel_offer(struct command *command);
CK_RV channel_take(struct command *command);
CK_RV channel_close_command(struct command *command);

/* admin_commands.c: a request to the board, and what its answer is to an application */
int ask_board(enum board_request type, const void *body, size_t size, void *reply, size_t capacity,
	      size_t *length);
CK_RV board_error(int error);

/* partition_policy_read - any partition and its policy, as the board has them; for function 0 (partition_commands.c) */
int partition_policy_read(const uint8_t id[PARTITION_ID_SIZE], struct board_partition *info, struct policy *policy);
/* partition_put_board - ask the board for a partition with that policy, or for a change of one; @info is then the board's */
CK_RV partition_put_board(enum board_request type, struct board_partition *info, const struct policy *policy);

/* name_valid - UTF-8 of 1 to 63 bytes without control characters: it is shown on terminals and in lists */
bool name_valid(const uint8_t *name, size_t length);

CK_RV command_nop(struct command *command);
CK_RV command_self_test(struct command *command);
CK_RV command_object_mask(struct command *command);
CK_RV command_object_unmask(struct command *command);
CK_RV command_object_remask(struct command *command);
CK_RV command_mask_revoke(struct command *command);
CK_RV command_mask_state(struct command *command);
CK_RV command_statistics(struct command *command);
CK_RV command_token_info(struct command *command);
CK_RV command_mechanism_list(struct command *command);
CK_RV command_mechanism_info(struct command *command);
CK_RV command_token_init(struct command *command);
CK_RV command_pin_init(struct command *command);
CK_RV command_pin_set(struct command *command);
CK_RV command_session_open(struct command *command);
CK_RV command_session_close(struct command *command);
CK_RV command_session_close_all(struct command *command);
CK_RV command_session_info(struct command *command);
CK_RV command_login(struct command *command);
CK_RV command_logout(struct command *command);
CK_RV command_session_cancel(struct command *command);
CK_RV command_object_create(struct command *command);
CK_RV command_object_copy(struct command *command);
CK_RV command_object_destroy(struct command *command);
CK_RV command_object_size(struct command *command);
CK_RV command_attributes_get(struct command *command);
CK_RV command_attributes_set(struct command *command);
CK_RV command_find_init(struct command *command);
CK_RV command_find(struct command *command);
CK_RV command_find_final(struct command *command);
CK_RV command_cipher_init(struct command *command);
CK_RV command_digest_init(struct command *command);
CK_RV command_single(struct command *command);
CK_RV command_update(struct command *command);
CK_RV command_final(struct command *command);
CK_RV command_digest_key(struct command *command);
CK_RV command_verify(struct command *command);
CK_RV command_verify_final(struct command *command);
CK_RV command_verify_recover(struct command *command);
CK_RV command_verify_signature_init(struct command *command);
CK_RV command_verify_signature(struct command *command);
CK_RV command_verify_signature_update(struct command *command);
CK_RV command_verify_signature_final(struct command *command);
CK_RV command_digest_encrypt(struct command *command);
CK_RV command_decrypt_digest(struct command *command);
CK_RV command_sign_encrypt(struct command *command);
CK_RV command_decrypt_verify(struct command *command);
CK_RV command_message_init(struct command *command);
CK_RV command_message_cipher(struct command *command);
CK_RV command_message_sign(struct command *command);
CK_RV command_message_verify(struct command *command);
CK_RV command_message_final(struct command *command);
CK_RV command_stop(struct command *command);
CK_RV command_validation_flags(struct command *command);
CK_RV command_state_get(struct command *command);
CK_RV command_state_set(struct command *command);
CK_RV command_generate_key(struct command *command);
CK_RV command_generate_pair(struct command *command);
CK_RV command_wrap(struct command *command);
CK_RV command_unwrap(struct command *command);
CK_RV command_derive(struct command *command);
CK_RV command_encapsulate(struct command *command);
CK_RV command_decapsulate(struct command *command);
CK_RV command_random(struct command *command);
CK_RV command_seed(struct command *command);
CK_RV command_claim(struct command *command);
CK_RV command_officer_login(struct command *command);
CK_RV command_officer_pin(struct command *command);
CK_RV command_device_status(struct command *command);
CK_RV command_device_condition(struct command *command);
CK_RV command_device_statement(struct command *command);
CK_RV command_device_lifecycle(struct command *command);
CK_RV command_device_recover(struct command *command);
CK_RV command_firmware_status(struct command *command);
CK_RV command_firmware_stage(struct command *command);
CK_RV command_firmware_activate(struct command *command);
CK_RV command_firmware_minimum(struct command *command);
CK_RV command_officer_add(struct command *command);
CK_RV command_officer_remove(struct command *command);
CK_RV command_officer_list(struct command *command);
CK_RV command_officer_key(struct command *command);
CK_RV command_quorum_set(struct command *command);
CK_RV command_approval_nonce(struct command *command);
CK_RV command_approval_grant(struct command *command);
CK_RV command_certificates(struct command *command);
CK_RV command_device_request(struct command *command);
CK_RV command_device_install(struct command *command);
CK_RV command_export_receipt(struct command *command);
CK_RV command_partition_list(struct command *command);
CK_RV command_partition_create(struct command *command);
CK_RV command_partition_assign(struct command *command);
CK_RV command_partition_destroy(struct command *command);
CK_RV command_partition_update(struct command *command);
CK_RV command_partition_policy(struct command *command);
CK_RV command_policy(struct command *command);
CK_RV command_migrate_status(struct command *command);
CK_RV command_migrate_request(struct command *command);
CK_RV command_migrate_freeze(struct command *command);
CK_RV command_migrate_export(struct command *command);
CK_RV command_migrate_finish(struct command *command);
CK_RV command_migrate_resume(struct command *command);
CK_RV command_backup_begin(struct command *command);
CK_RV command_partition_import(struct command *command);
CK_RV command_partition_receipt(struct command *command);
CK_RV command_import_offer(struct command *command);
CK_RV command_import_begin(struct command *command);
CK_RV command_import_chunk(struct command *command);
CK_RV command_import_end(struct command *command);
CK_RV command_import_abandon(struct command *command);
CK_RV command_user_create(struct command *command);
CK_RV command_user_remove(struct command *command);
CK_RV command_user_list(struct command *command);
CK_RV command_user_pin(struct command *command);
CK_RV command_user_unlock(struct command *command);
CK_RV command_user_role(struct command *command);
CK_RV command_audit_status(struct command *command);
CK_RV command_audit_read(struct command *command);
CK_RV command_audit_sign(struct command *command);
CK_RV command_audit_release(struct command *command);
CK_RV command_evidence(struct command *command);
CK_RV command_key_evidence(struct command *command);

#endif /* FIRMWARE_COMMANDS_H */
