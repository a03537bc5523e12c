/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects and searches. Object handles are the device's own.
 */
#include "internal.h"

#define FIND_MAX 8000U /* handles asked for in one command */

MODULE_API CK_RV C_CreateObject(CK_SESSION_HANDLE handle, CK_ATTRIBUTE *attributes, CK_ULONG count,
				CK_OBJECT_HANDLE *object)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_OBJECT_CREATE);

	if (rv != CKR_OK)
		return rv;
	rv = attributes && object ? template_put(call.writer, HSM_FIELD_TEMPLATE, attributes, count)
				  : CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK)
		rv = call_answer(call.session, &call,
				 &(struct answer){ .function = "C_CreateObject",
						   .handle = object });
	call_end(&call);
	return rv;
}

MODULE_API CK_RV C_CopyObject(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object,
			      CK_ATTRIBUTE *attributes, CK_ULONG count, CK_OBJECT_HANDLE *copy)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_OBJECT_COPY);

	if (rv != CKR_OK)
		return rv;
	hsm_put_u64(call.writer, HSM_FIELD_KEY, object);
	rv = copy ? template_put(call.writer, HSM_FIELD_TEMPLATE, attributes, count)
		  : CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK)
		rv = call_answer(call.session, &call,
				 &(struct answer){ .function = "C_CopyObject", .handle = copy });
	call_end(&call);
	return rv;
}

MODULE_API CK_RV C_DestroyObject(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_OBJECT_DESTROY);

	if (rv != CKR_OK)
		return rv;
	hsm_put_u64(call.writer, HSM_FIELD_KEY, object);
	rv = call_answer(call.session, &call, &(struct answer){ .function = "C_DestroyObject" });
	call_end(&call);
	return rv;
}

MODULE_API CK_RV C_GetObjectSize(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object, CK_ULONG *size)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_OBJECT_SIZE);

	if (rv != CKR_OK)
		return rv;
	hsm_put_u64(call.writer, HSM_FIELD_KEY, object);
	rv = size ? call_run(&call) : CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK)
		*size = hsm_fields_u64(hsm_request_fields(call.request), HSM_FIELD_LENGTH,
				       CK_UNAVAILABLE_INFORMATION);
	call_end(&call);
	return rv;
}

static void put_types(struct hsm_writer *writer, const CK_ATTRIBUTE *attributes, CK_ULONG count)
{
	size_t mark = hsm_put_begin(writer, HSM_FIELD_TYPES);
	uint64_t type;
	CK_ULONG i;

	for (i = 0; i < count; i++) {
		type = htole64(attributes[i].type);
		hsm_put_raw(writer, &type, sizeof(type));
	}
	hsm_put_end(writer, mark);
}

/* With these the answer still has all attributes that can be read (5.7.5). */
static bool attributes_come(CK_RV rv)
{
	return rv == CKR_OK || rv == CKR_ATTRIBUTE_SENSITIVE || rv == CKR_ATTRIBUTE_TYPE_INVALID;
}

MODULE_API CK_RV C_GetAttributeValue(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object,
				     CK_ATTRIBUTE *attributes, CK_ULONG count)
{
	const uint8_t *data;
	struct call call;
	size_t length;
	CK_RV rv = call_begin(&call, handle, HSM_OP_ATTRIBUTES_GET);

	if (rv != CKR_OK)
		return rv;
	if (!attributes || !count || count > TEMPLATE_MAX) {
		call_end(&call);
		return CKR_ARGUMENTS_BAD;
	}
	hsm_put_u64(call.writer, HSM_FIELD_KEY, object);
	put_types(call.writer, attributes, count);
	rv = call_run(&call);
	if (attributes_come(rv)) {
		data = hsm_fields_bytes(hsm_request_fields(call.request), HSM_FIELD_ATTRIBUTES,
					&length);
		rv = template_fill(rv, data, length, attributes, count);
	}
	call_end(&call);
	return rv;
}

MODULE_API CK_RV C_SetAttributeValue(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object,
				     CK_ATTRIBUTE *attributes, CK_ULONG count)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_ATTRIBUTES_SET);

	if (rv != CKR_OK)
		return rv;
	hsm_put_u64(call.writer, HSM_FIELD_KEY, object);
	rv = attributes ? template_put(call.writer, HSM_FIELD_TEMPLATE, attributes, count)
			: CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK)
		rv = call_run(&call);
	call_end(&call);
	return rv;
}

MODULE_API CK_RV C_FindObjectsInit(CK_SESSION_HANDLE handle, CK_ATTRIBUTE *attributes,
				   CK_ULONG count)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_FIND_INIT);

	if (rv != CKR_OK)
		return rv;
	rv = template_put(call.writer, HSM_FIELD_TEMPLATE, attributes, count);
	if (rv == CKR_OK)
		rv = call_run(&call);
	call_end(&call);
	return rv;
}

static CK_RV give_handles(const struct call *call, CK_OBJECT_HANDLE *objects, CK_ULONG max,
			  CK_ULONG *count)
{
	size_t length, i;
	const uint8_t *list =
		hsm_fields_bytes(hsm_request_fields(call->request), HSM_FIELD_HANDLES, &length);

	length /= sizeof(uint64_t);
	if (length > max)
		return CKR_DEVICE_ERROR;
	for (i = 0; i < length; i++)
		objects[i] = hsm_get_le64(list + i * sizeof(uint64_t));
	*count = length;
	return CKR_OK;
}

MODULE_API CK_RV C_FindObjects(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE *objects, CK_ULONG max,
			       CK_ULONG *count)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_FIND);

	if (rv != CKR_OK)
		return rv;
	/* Fewer than asked for is not the end of a search; none is. */
	if (max > FIND_MAX)
		max = FIND_MAX;
	hsm_put_u64(call.writer, HSM_FIELD_COUNT, max);
	rv = count && (objects || !max) ? call_run(&call) : CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK)
		rv = give_handles(&call, objects, max, count);
	call_end(&call);
	return rv;
}

MODULE_API CK_RV C_FindObjectsFinal(CK_SESSION_HANDLE handle)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_FIND_FINAL);

	return rv == CKR_OK ? call_finish(&call) : rv;
}
