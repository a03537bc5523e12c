// SPDX-License-Identifier: Apache-2.0
/*
 * Firmware updates by the device's officers: what there is, taking an image in, having it follow the one
 * that runs, and raising the least security version. The board does it; here is decided who may ask.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <linux/ihsm_hw.h>
#include "approval.h"
#include "commands.h"

static CK_RV update_error(int error)
{
	switch (error) {
	case 0:
		return CKR_OK;
	case -EBADMSG:
		return CKR_SIGNATURE_INVALID;
	case -EKEYREJECTED:
	case -ERANGE:
		return CKR_ACTION_PROHIBITED;
	case -EBUSY:
		return CKR_OPERATION_ACTIVE;
	case -ENOENT:
		return CKR_ARGUMENTS_BAD;
	default:
		return board_error(error);
	}
}

/* ---- what there is ---- */

/* The board's answer. Return: number of records in it, which @firmware points to, or a negative errno. */
static int ask_update(uint8_t reply[BOARD_MESSAGE_MAX], struct board_update *update,
		      const uint8_t **firmware)
{
	size_t length;
	int ret;

	ret = ask_board(BOARD_FIRMWARE, NULL, 0, reply, BOARD_MESSAGE_MAX, &length);
	if (ret)
		return ret;
	if (length < sizeof(*update) || (length - sizeof(*update)) % sizeof(struct board_firmware))
		return -EPROTO;
	memcpy(update, reply, sizeof(*update));
	update->text[sizeof(update->text) - 1] = '\0';
	*firmware = reply + sizeof(*update);
	return (int)((length - sizeof(*update)) / sizeof(struct board_firmware));
}

static void put_records(struct hsm_writer *out, const uint8_t *list, int count)
{
	size_t mark = hsm_put_begin(out, HSM_FIELD_FIRMWARES);
	struct hsm_firmware_status status;
	struct board_firmware firmware;
	int i;

	for (i = 0; i < count; i++) {
		memcpy(&firmware, list + (size_t)i * sizeof(firmware), sizeof(firmware));
		memset(&status, 0, sizeof(status));
		status.place = htole32(firmware.place);
		status.flags = htole32(firmware.flags);
		status.security_version = htole32(firmware.security_version);
		memcpy(status.version, firmware.version, sizeof(status.version) - 1);
		memcpy(status.measurement, firmware.measurement, sizeof(status.measurement));
		hsm_put_raw(out, &status, sizeof(status));
	}
	hsm_put_end(out, mark);
}

static void put_reason(struct hsm_writer *out, const struct board_update *update)
{
	if (update->text[0])
		hsm_put_bytes(out, HSM_FIELD_REASON, (const uint8_t *)update->text,
			      strlen(update->text));
}

CK_RV command_firmware_status(struct command *command)
{
	uint8_t *reply = OPENSSL_malloc(BOARD_MESSAGE_MAX);
	struct board_update update;
	const uint8_t *list;
	int count;

	if (!reply)
		return CKR_HOST_MEMORY;
	count = ask_update(reply, &update, &list);
	if (count >= 0) {
		put_records(&command->out, list, count);
		hsm_put_u64(&command->out, HSM_FIELD_STATE, update.phase);
		hsm_put_u64(&command->out, HSM_FIELD_MIN, update.minimum);
		hsm_put_u32(&command->out, HSM_FIELD_SECURITY_VERSION, update.rung);
		put_reason(&command->out, &update);
	}
	OPENSSL_free(reply);
	return count < 0 ? board_error(count) : CKR_OK;
}

/* ---- changing it ---- */

CK_RV command_firmware_stage(struct command *command)
{
	uint64_t step = hsm_fields_u64(&command->fields, HSM_FIELD_FLAGS, 0);
	uint64_t number = hsm_fields_u64(&command->fields, HSM_FIELD_COUNT, 0);
	struct board_stage head = { .step = (uint32_t)step, .number = (uint32_t)number };
	struct iovec parts[2] = { { &head, sizeof(head) }, { NULL, 0 } };
	const uint8_t *bytes;
	size_t length, answered;

	if (step > IHSM_STAGE_ABORT || number > IHSM_IMAGE_MAX)
		return CKR_ARGUMENTS_BAD;
	bytes = hsm_fields_bytes(&command->fields, HSM_FIELD_DATA, &length);
	parts[1] = (struct iovec){ .iov_base = (void *)bytes, .iov_len = length };
	return board_error(storage_call(BOARD_STAGE, parts, length ? 2 : 1, NULL, 0, &answered));
}

/* The board has said no: its words go into the answer. */
static void explain(struct command *command)
{
	uint8_t *reply = OPENSSL_malloc(BOARD_MESSAGE_MAX);
	struct board_update update;
	const uint8_t *list;

	if (reply && ask_update(reply, &update, &list) >= 0)
		put_reason(&command->out, &update);
	OPENSSL_free(reply);
}

CK_RV command_firmware_activate(struct command *command)
{
	const uint8_t *measurement;
	size_t length, answered;
	CK_RV rv;
	int ret;

	measurement = hsm_fields_bytes(&command->fields, HSM_FIELD_MEASUREMENT, &length);
	if (length != sizeof(((struct board_firmware *)0)->measurement))
		return CKR_ARGUMENTS_BAD;
	rv = approval_check(command, NULL);
	if (rv != CKR_OK)
		return rv;
	ret = ask_board(BOARD_ACTIVATE, measurement, length, NULL, 0, &answered);
	if (ret)
		explain(command);
	return update_error(ret);
}

CK_RV command_firmware_minimum(struct command *command)
{
	uint32_t version =
		(uint32_t)hsm_fields_u64(&command->fields, HSM_FIELD_SECURITY_VERSION, 0);
	size_t answered;
	CK_RV rv = approval_check(command, NULL);
	int ret;

	if (rv != CKR_OK)
		return rv;
	ret = ask_board(BOARD_MINIMUM, &version, sizeof(version), NULL, 0, &answered);
	if (!ret)
		partitions_raise_minimum(version);
	return update_error(ret);
}
