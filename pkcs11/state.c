/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saved states of operations. They are made, sealed and read in the device. And the flags of the last operation's
 * validation.
 */
#include "internal.h"

MODULE_API CK_RV C_GetOperationState(CK_SESSION_HANDLE handle, CK_BYTE *state, CK_ULONG *length)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_STATE_GET);

	if (rv != CKR_OK)
		return rv;
	if (length) {
		hsm_put_u64(call.writer, HSM_FIELD_OUT_MAX, call_room_or_query(state, *length));
		rv = call_output(&call, call_run(&call), HSM_FIELD_DATA, state, length);
	} else {
		rv = CKR_ARGUMENTS_BAD;
	}
	call_end(&call);
	return rv;
}

MODULE_API CK_RV C_SetOperationState(CK_SESSION_HANDLE handle, CK_BYTE *state, CK_ULONG length,
				     CK_OBJECT_HANDLE cipher_key, CK_OBJECT_HANDLE signature_key)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_STATE_SET);

	if (rv != CKR_OK)
		return rv;
	/* Which mechanisms there are is in the state: long data goes in one command from here on. */
	for (int i = 0; i < STREAM_USES; i++)
		atomic_store_explicit(&call.session->stream[i], 0, memory_order_relaxed);
	if (!state) {
		rv = CKR_ARGUMENTS_BAD;
	} else if (length > HSM_DATA_MAX) {
		rv = CKR_SAVED_STATE_INVALID;
	} else {
		hsm_put_bytes(call.writer, HSM_FIELD_DATA, state, length);
		hsm_put_u64(call.writer, HSM_FIELD_KEY, cipher_key);
		hsm_put_u64(call.writer, HSM_FIELD_OTHER_KEY, signature_key);
		rv = call_run(&call);
	}
	call_end(&call);
	return rv;
}

MODULE_API CK_RV C_GetSessionValidationFlags(CK_SESSION_HANDLE handle,
					     CK_SESSION_VALIDATION_FLAGS_TYPE type, CK_FLAGS *flags)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_VALIDATION_FLAGS);

	if (rv != CKR_OK)
		return rv;
	rv = flags && type == CKS_LAST_VALIDATION_OK ? call_run(&call) : CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK)
		*flags = hsm_fields_u64(hsm_request_fields(call.request), HSM_FIELD_FLAGS, 0);
	call_end(&call);
	return rv;
}
