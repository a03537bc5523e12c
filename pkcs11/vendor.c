// SPDX-License-Identifier: Apache-2.0
/*
 * The interface beside the standard's: masked keys, self-tests and evidence (hsm/pkcs11.h, Documentation/pkcs11.rst).
 */
#include <string.h>
#include "internal.h"

/* Send, and give a field to the caller by the conventions of 5.2. The device is not told what room there is. */
static CK_RV run_bytes(struct call *call, enum hsm_field_tag tag, CK_BYTE *out, CK_ULONG *length)
{
	CK_RV rv = length ? call_run(call) : CKR_ARGUMENTS_BAD;
	const uint8_t *data;
	CK_ULONG room;
	size_t size;

	if (rv != CKR_OK)
		return rv;
	data = hsm_fields_bytes(hsm_request_fields(call->request), tag, &size);
	room = *length;
	*length = size;
	if (!out)
		return CKR_OK;
	if (size > room)
		return CKR_BUFFER_TOO_SMALL;
	if (size)
		memcpy(out, data, size);
	return CKR_OK;
}

static CK_RV mask_key(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE key, CK_BYTE *masked,
		      CK_ULONG *length)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_OBJECT_MASK);

	if (rv != CKR_OK)
		return rv;
	hsm_put_u64(call.writer, HSM_FIELD_KEY, key);
	rv = run_bytes(&call, HSM_FIELD_MASKED, masked, length);
	call_end(&call);
	return rv;
}

/* Begin a command about a masked key */
static CK_RV begin_masked(struct call *call, CK_SESSION_HANDLE handle, enum hsm_operation operation,
			  const CK_BYTE *masked, CK_ULONG length)
{
	CK_RV rv = call_begin(call, handle, operation);

	if (rv != CKR_OK)
		return rv;
	if (!masked)
		rv = CKR_ARGUMENTS_BAD;
	else if (length > HSM_DATA_MAX)
		rv = CKR_WRAPPED_KEY_INVALID;
	else
		hsm_put_bytes(call->writer, HSM_FIELD_MASKED, masked, length);
	if (rv != CKR_OK)
		call_end(call);
	return rv;
}

static CK_RV unmask_key(CK_SESSION_HANDLE handle, CK_BYTE *masked, CK_ULONG length,
			CK_OBJECT_HANDLE *key)
{
	struct call call;
	CK_RV rv = begin_masked(&call, handle, HSM_OP_OBJECT_UNMASK, masked, length);

	if (rv != CKR_OK)
		return rv;
	rv = key ? call_handle(&call, call_run(&call), HSM_FIELD_HANDLE, key) : CKR_ARGUMENTS_BAD;
	call_end(&call);
	return rv;
}

static CK_RV remask_key(CK_SESSION_HANDLE handle, CK_BYTE *masked, CK_ULONG length, CK_BYTE *fresh,
			CK_ULONG *fresh_length)
{
	struct call call;
	CK_RV rv = begin_masked(&call, handle, HSM_OP_OBJECT_REMASK, masked, length);

	if (rv != CKR_OK)
		return rv;
	rv = run_bytes(&call, HSM_FIELD_MASKED, fresh, fresh_length);
	call_end(&call);
	return rv;
}

static CK_RV revoke_key(CK_SESSION_HANDLE handle, CK_BYTE *masked, CK_ULONG length)
{
	struct call call;
	CK_RV rv = begin_masked(&call, handle, HSM_OP_MASK_REVOKE, masked, length);

	return rv == CKR_OK ? call_finish(&call) : rv;
}

static void take_info(const struct hsm_fields *fields, CK_HSM_MASK_INFO *info)
{
	info->ulEpoch = hsm_fields_u64(fields, HSM_FIELD_EPOCH, 0);
	info->ulRevoked = hsm_fields_u64(fields, HSM_FIELD_COUNT, 0);
	info->ulMaxRevoked = hsm_fields_u64(fields, HSM_FIELD_MAX, 0);
	info->bGrace = hsm_fields_u64(fields, HSM_FIELD_GRACE, 0) ? CK_TRUE : CK_FALSE;
}

static CK_RV mask_info(CK_SESSION_HANDLE handle, CK_BBOOL end_grace, CK_HSM_MASK_INFO *info)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_MASK_STATE);

	if (rv != CKR_OK)
		return rv;
	if (end_grace)
		hsm_put_u64(call.writer, HSM_FIELD_FLAGS, 1);
	rv = info ? call_run(&call) : CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK)
		take_info(hsm_request_fields(call.request), info);
	call_end(&call);
	return rv;
}

static CK_RV self_test(CK_SLOT_ID id, CK_ULONG *tests)
{
	struct call call = { 0 };
	CK_RV rv = module_enter();

	if (rv != CKR_OK)
		return rv;
	rv = tests ? call_begin_slot(&call, id, HSM_OP_SELF_TEST) : CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK) {
		rv = call_run(&call);
		*tests = hsm_fields_u64(hsm_request_fields(call.request), HSM_FIELD_TESTS, 0);
		call_end(&call);
	}
	module_leave();
	return rv;
}

static bool put_given(struct hsm_writer *writer, enum hsm_field_tag tag, const CK_BYTE *bytes,
		      CK_ULONG length)
{
	if (bytes && length)
		hsm_put_bytes(writer, tag, bytes, length);
	return bytes || !length;
}

static CK_RV attest_key(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE key, CK_BYTE *nonce,
			CK_ULONG nonce_length, CK_BYTE *binding, CK_ULONG binding_length,
			CK_BYTE *evidence, CK_ULONG *length)
{
	struct call call;
	CK_RV rv;

	if (nonce_length > HSM_DATA_MAX || binding_length > HSM_DATA_MAX)
		return CKR_ARGUMENTS_BAD;
	rv = call_begin(&call, handle, HSM_OP_KEY_EVIDENCE);
	if (rv != CKR_OK)
		return rv;
	hsm_put_u64(call.writer, HSM_FIELD_KEY, key);
	if (put_given(call.writer, HSM_FIELD_NONCE, nonce, nonce_length) &&
	    put_given(call.writer, HSM_FIELD_BINDING, binding, binding_length))
		rv = run_bytes(&call, HSM_FIELD_EVIDENCE, evidence, length);
	else
		rv = CKR_ARGUMENTS_BAD;
	call_end(&call);
	return rv;
}

const CK_HSM_FUNCTION_LIST vendor_functions = {
	{ 1, 1 }, mask_key, unmask_key, remask_key, revoke_key, mask_info, self_test, attest_key,
};
