// SPDX-License-Identifier: Apache-2.0
/*
 * Commands about the board's life: its state and its sensors, the next state, what officers decide after
 * tampering or when an old copy of the state was put back, and the signed statement of all that. The
 * board does it; here is decided who may ask, and what is written down.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <hsm/lifecycle.h>
#include <hsm/statement.h>
#include "approval.h"
#include "attest_keys.h"
#include "audit.h"
#include "clock.h"
#include "commands.h"

#define CONDITION_SENSORS 16

static int read_condition(struct board_condition *condition)
{
	size_t length;
	int ret = ask_board(BOARD_CONDITION, NULL, 0, condition, sizeof(*condition), &length);

	return !ret && length != sizeof(*condition) ? -EPROTO : ret;
}

/* ---- what it is like ---- */

static int put_sensors(struct hsm_writer *out)
{
	struct board_sensor list[CONDITION_SENSORS];
	struct hsm_sensor_status status;
	size_t mark, length, i;
	int ret = ask_board(BOARD_SENSORS, NULL, 0, list, sizeof(list), &length);

	if (ret)
		return ret;
	mark = hsm_put_begin(out, HSM_FIELD_SENSORS);
	for (i = 0; i < length / sizeof(list[0]); i++) {
		status = (struct hsm_sensor_status){
			.kind = htole32(list[i].kind),
			.flags = htole32(list[i].flags),
			.value = htole32((uint32_t)list[i].value),
			.min = htole32((uint32_t)list[i].min),
			.max = htole32((uint32_t)list[i].max),
		};
		memcpy(status.label, list[i].label, sizeof(status.label));
		hsm_put_raw(out, &status, sizeof(status));
	}
	hsm_put_end(out, mark);
	return 0;
}

CK_RV command_device_condition(struct command *command)
{
	struct board_condition condition;
	int ret = read_condition(&condition);

	if (ret)
		return board_error(ret);
	hsm_put_u32(&command->out, HSM_FIELD_LIFECYCLE, condition.lifecycle);
	hsm_put_u64(&command->out, HSM_FIELD_FLAGS, condition.flags);
	hsm_put_u32(&command->out, HSM_FIELD_TAMPERS, condition.tampers);
	hsm_put_u32(&command->out, HSM_FIELD_RECOVERIES, condition.recoveries);
	hsm_put_u64(&command->out, HSM_FIELD_ERASED, condition.erased_time);
	hsm_put_u64(&command->out, HSM_FIELD_COUNTER, condition.counter);
	return board_error(put_sensors(&command->out));
}

/* ---- statements ---- */

/* The device's own partition is none of them. */
static int count_partitions(uint64_t *count)
{
	struct board_partition *list = OPENSSL_malloc(BOARD_MESSAGE_MAX);
	size_t length = 0;
	int ret = list ? ask_board(BOARD_LIST, NULL, 0, list, BOARD_MESSAGE_MAX, &length) : -ENOMEM;

	OPENSSL_free(list);
	*count = length / sizeof(*list);
	*count -= *count > 0;
	return ret;
}

static int make_statement(const struct command *command, struct hsm_statement *statement)
{
	const struct board_hello *hello = partitions_hello();
	struct board_condition condition;
	const uint8_t *nonce;
	size_t length;
	int ret = read_condition(&condition);

	if (ret)
		return ret;
	nonce = hsm_fields_bytes(&command->fields, HSM_FIELD_NONCE, &length);
	if (nonce) {
		memcpy(statement->nonce, nonce, length);
		statement->nonce_length = length;
	}
	memcpy(statement->board, hello->board_id, sizeof(statement->board));
	memcpy(statement->serial, hello->serial, sizeof(statement->serial) - 1);
	statement->lifecycle = condition.lifecycle;
	statement->tampered = !!(condition.flags & BOARD_HELLO_TAMPERED);
	statement->tampers = condition.tampers;
	statement->recoveries = condition.recoveries;
	statement->counter = condition.counter;
	statement->erased = condition.erased;
	statement->erased_time = condition.erased_time;
	statement->erased_partitions = condition.erased_partitions;
	statement->time = clock_now() / 1000;
	return count_partitions(&statement->partitions);
}

CK_RV command_device_statement(struct command *command)
{
	struct hsm_statement statement = { 0 };
	uint8_t *payload = NULL, *message = NULL;
	size_t length, message_length;
	int ret = make_statement(command, &statement);

	if (!ret)
		ret = hsm_statement_encode(&statement, &payload, &length);
	if (!ret)
		ret = attest_sign(command->partition, HSM_STATEMENT_KIND, payload, length, NULL, 0,
				  &message, &message_length);
	if (!ret)
		hsm_put_bytes(&command->out, HSM_FIELD_STATEMENT, message, message_length);
	free(message);
	free(payload);
	return board_error(ret);
}

/* ---- what officers decide ---- */

/* Before the board does it: nothing of this happens unwritten. What then fails is written as well. */
static CK_RV write_down(struct command *command, enum hsm_audit_event event, uint64_t number,
			const uint8_t *partition, CK_RV result)
{
	char actor[AUDIT_ACTOR_MAX];
	struct hsm_audit_record record = audit_begin(command, event, actor);

	record.operation = command->info->code;
	record.number = number;
	record.result = result;
	if (partition)
		record.partition =
			(struct hsm_audit_bytes){ .data = partition, .length = PARTITION_ID_SIZE };
	return audit_commit(command->task, command->partition, &record);
}

CK_RV command_device_lifecycle(struct command *command)
{
	uint32_t next = (uint32_t)hsm_fields_u64(&command->fields, HSM_FIELD_LIFECYCLE, 0);
	enum hsm_audit_event event = next == HSM_LIFECYCLE_DECOMMISSIONED ? HSM_AUDIT_DECOMMISSIONED
									  : HSM_AUDIT_LIFECYCLE;
	size_t length;
	CK_RV rv = approval_check(command, NULL);

	if (rv == CKR_OK)
		rv = write_down(command, event, next, NULL, CKR_OK);
	if (rv != CKR_OK)
		return rv;
	rv = board_error(ask_board(BOARD_LIFECYCLE, &next, sizeof(next), NULL, 0, &length));
	if (rv != CKR_OK)
		write_down(command, event, next, NULL, rv);
	return rv;
}

static CK_RV recover(struct command *command, enum hsm_audit_event event,
		     enum board_request request, const uint8_t *id)
{
	size_t length;
	CK_RV rv = write_down(command, event, 0, id, CKR_OK);

	if (rv != CKR_OK)
		return rv;
	rv = board_error(ask_board(request, id, id ? PARTITION_ID_SIZE : 0, NULL, 0, &length));
	if (rv != CKR_OK)
		write_down(command, event, 0, id, rv);
	return rv;
}

CK_RV command_device_recover(struct command *command)
{
	struct board_condition condition;
	enum hsm_audit_event event;
	const uint8_t *id;
	size_t length;
	CK_RV rv;

	id = hsm_fields_bytes(&command->fields, HSM_FIELD_PARTITION, &length);
	if (id && length != PARTITION_ID_SIZE)
		return CKR_ARGUMENTS_BAD;
	rv = board_error(read_condition(&condition));
	if (rv == CKR_OK && !id && !(condition.flags & (BOARD_HELLO_TAMPERED | BOARD_HELLO_STALE)))
		rv = CKR_ACTION_PROHIBITED;
	if (rv == CKR_OK)
		rv = approval_check(command, NULL);
	if (rv != CKR_OK)
		return rv;
	event = id || condition.flags & BOARD_HELLO_STALE ? HSM_AUDIT_ROLLBACK_ACCEPTED
							  : HSM_AUDIT_RECOVERED;
	return recover(command, event, id ? BOARD_ACCEPT : BOARD_RECOVER, id);
}
