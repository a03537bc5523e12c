/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls about slots and tokens. What a token is and can do is asked of the device each time.
 */
#include <stdio.h>
#include <string.h>
#include "internal.h"

/* "1.2.3" -> 1.2 */
static CK_VERSION version_of(const char *text)
{
	unsigned int major = 0, minor = 0;
	CK_VERSION version;

	sscanf(text, "%3u.%3u", &major, &minor);
	version.major = major;
	version.minor = minor;
	return version;
}

/* Version of the hardware interface: major << 16 | minor */
static CK_VERSION interface_version(uint32_t version)
{
	CK_VERSION v = { version >> 16, version & 0xff };

	return v;
}

MODULE_API CK_RV C_GetSlotList(CK_BBOOL present, CK_SLOT_ID *list, CK_ULONG *count)
{
	CK_RV rv = module_enter();
	CK_ULONG room;

	/* A partition's token cannot be taken out of its slot. */
	(void)present;
	if (rv != CKR_OK)
		return rv;
	if (!count) {
		module_leave();
		return CKR_ARGUMENTS_BAD;
	}
	if (!list)
		slots_refresh();
	room = list ? *count : 0;
	*count = slots_list(list, room);
	events_begin();
	module_leave();
	return list && *count > room ? CKR_BUFFER_TOO_SMALL : CKR_OK;
}

static void fill_slot_info(const struct slot *slot, CK_SLOT_INFO *info)
{
	const struct hsm_device_info *device = slot_device(slot);
	char text[192];

	memset(info, 0, sizeof(*info));
	snprintf(text, sizeof(text), "%s %s: %s", device->model, device->serial,
		 slot_partition(slot)->name);
	pad_text(info->slotDescription, sizeof(info->slotDescription), text);
	pad_text(info->manufacturerID, sizeof(info->manufacturerID), "Integrated HSM");
	info->flags = CKF_TOKEN_PRESENT;
	if (!(device->flags & IHSM_IDENTIFY_VIRTUAL))
		info->flags |= CKF_HW_SLOT;
	info->hardwareVersion = interface_version(device->version);
	info->firmwareVersion = version_of(device->firmware);
}

MODULE_API CK_RV C_GetSlotInfo(CK_SLOT_ID id, CK_SLOT_INFO *info)
{
	struct slot *slot;
	CK_RV rv = module_enter();

	if (rv != CKR_OK)
		return rv;
	rv = info ? slot_find(id, &slot) : CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK) {
		fill_slot_info(slot, info);
		slot_put(slot);
	}
	module_leave();
	return rv;
}

/* ---- commands of a slot: each has these steps around it ---- */

static CK_RV begin(struct call *call, const void *result, CK_SLOT_ID id,
		   enum hsm_operation operation)
{
	CK_RV rv = module_enter();

	if (rv != CKR_OK)
		return rv;
	rv = result ? call_begin_slot(call, id, operation) : CKR_ARGUMENTS_BAD;
	if (rv != CKR_OK)
		module_leave();
	return rv;
}

static void end(struct call *call)
{
	call_end(call);
	slot_put(call->slot);
	module_leave();
}

static CK_ULONG number(const struct hsm_fields *fields, enum hsm_field_tag tag)
{
	return hsm_fields_u64(fields, tag, CK_UNAVAILABLE_INFORMATION);
}

static void fill_token_info(const struct call *call, CK_TOKEN_INFO *info)
{
	const struct hsm_fields *fields = hsm_request_fields(call->request);
	const struct hsm_device_info *device = slot_device(call->slot);
	const uint8_t *bytes;
	size_t length;

	memset(info, 0, sizeof(*info));
	memset(info->label, ' ', sizeof(info->label));
	bytes = hsm_fields_bytes(fields, HSM_FIELD_LABEL, &length);
	if (length && length <= sizeof(info->label))
		memcpy(info->label, bytes, length);
	memset(info->serialNumber, ' ', sizeof(info->serialNumber));
	bytes = hsm_fields_bytes(fields, HSM_FIELD_SERIAL, &length);
	if (length && length <= sizeof(info->serialNumber))
		memcpy(info->serialNumber, bytes, length);
	pad_text(info->manufacturerID, sizeof(info->manufacturerID), "Integrated HSM");
	pad_text(info->model, sizeof(info->model), device->model);
	info->flags = hsm_fields_u64(fields, HSM_FIELD_FLAGS, 0);
	info->ulMaxSessionCount = number(fields, HSM_FIELD_MAX_SESSIONS);
	info->ulMaxRwSessionCount = info->ulMaxSessionCount;
	info->ulSessionCount = number(fields, HSM_FIELD_SESSIONS);
	info->ulRwSessionCount = number(fields, HSM_FIELD_RW_SESSIONS);
	info->ulMaxPinLen = number(fields, HSM_FIELD_MAX);
	info->ulMinPinLen = number(fields, HSM_FIELD_MIN);
	/* One store for public and private objects. */
	info->ulTotalPublicMemory = number(fields, HSM_FIELD_TOTAL_MEMORY);
	info->ulFreePublicMemory = number(fields, HSM_FIELD_FREE_MEMORY);
	info->ulTotalPrivateMemory = info->ulTotalPublicMemory;
	info->ulFreePrivateMemory = info->ulFreePublicMemory;
	info->hardwareVersion = interface_version(device->version);
	info->firmwareVersion = version_of(device->firmware);
	memset(info->utcTime, ' ', sizeof(info->utcTime));
	bytes = hsm_fields_bytes(fields, HSM_FIELD_TIME, &length);
	if (length && length <= sizeof(info->utcTime))
		memcpy(info->utcTime, bytes, length);
}

MODULE_API CK_RV C_GetTokenInfo(CK_SLOT_ID id, CK_TOKEN_INFO *info)
{
	struct call call;
	CK_RV rv = begin(&call, info, id, HSM_OP_TOKEN_INFO);

	if (rv != CKR_OK)
		return rv;
	rv = call_run(&call);
	if (rv == CKR_OK)
		fill_token_info(&call, info);
	end(&call);
	return rv;
}

static CK_RV give_types(const struct call *call, CK_MECHANISM_TYPE *list, CK_ULONG *count)
{
	size_t length, i;
	const uint8_t *bytes =
		hsm_fields_bytes(hsm_request_fields(call->request), HSM_FIELD_TYPES, &length);
	CK_ULONG room = *count;

	*count = length / sizeof(uint64_t);
	if (!list)
		return CKR_OK;
	if (*count > room)
		return CKR_BUFFER_TOO_SMALL;
	for (i = 0; i < *count; i++)
		list[i] = hsm_get_le64(bytes + i * sizeof(uint64_t));
	return CKR_OK;
}

MODULE_API CK_RV C_GetMechanismList(CK_SLOT_ID id, CK_MECHANISM_TYPE *list, CK_ULONG *count)
{
	struct call call;
	CK_RV rv = begin(&call, count, id, HSM_OP_MECHANISM_LIST);

	if (rv != CKR_OK)
		return rv;
	rv = call_run(&call);
	if (rv == CKR_OK)
		rv = give_types(&call, list, count);
	end(&call);
	return rv;
}

#define LABEL_SIZE 32

MODULE_API CK_RV C_InitToken(CK_SLOT_ID id, CK_UTF8CHAR *pin, CK_ULONG length, CK_UTF8CHAR *label)
{
	struct call call;
	CK_RV rv = begin(&call, pin && label ? pin : NULL, id, HSM_OP_TOKEN_INIT);

	if (rv != CKR_OK)
		return rv;
	if (length <= PIN_FIELD_MAX) {
		hsm_put_bytes(call.writer, HSM_FIELD_PIN, pin, length);
		hsm_put_bytes(call.writer, HSM_FIELD_LABEL, label, LABEL_SIZE);
		rv = call_run(&call);
	} else {
		rv = CKR_PIN_LEN_RANGE;
	}
	end(&call);
	return rv;
}
