/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures that carry their data, and verification whose signature comes first.
 */
#include "internal.h"

/* Both directions: bytes in, bytes out */
static CK_RV run(CK_SESSION_HANDLE handle, enum hsm_operation operation, enum hsm_field_tag in_tag,
		 enum hsm_field_tag out_tag, const CK_BYTE *in, CK_ULONG length, CK_BYTE *out,
		 CK_ULONG *out_length)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, operation);

	if (rv != CKR_OK)
		return rv;
	if ((!in && length) || !out_length)
		rv = CKR_ARGUMENTS_BAD;
	else if (length > HSM_DATA_MAX)
		rv = in_tag == HSM_FIELD_DATA ? CKR_DATA_LEN_RANGE : CKR_SIGNATURE_LEN_RANGE;
	if (rv == CKR_OK) {
		hsm_put_bytes(call.writer, in_tag, length ? in : (const CK_BYTE *)"", length);
		hsm_put_u64(call.writer, HSM_FIELD_OUT_MAX, call_room_or_query(out, *out_length));
		rv = call_output(&call, call_run(&call), out_tag, out, out_length);
	}
	call_end(&call);
	return rv;
}

MODULE_API CK_RV C_SignRecoverInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
				   CK_OBJECT_HANDLE key)
{
	return stream_begin(session, HSM_OP_SIGN_RECOVER_INIT, CKF_SIGN_RECOVER, STREAM_USES,
			    mechanism, key);
}

MODULE_API CK_RV C_SignRecover(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length,
			       CK_BYTE *signature, CK_ULONG *signature_length)
{
	return run(session, HSM_OP_SIGN_RECOVER, HSM_FIELD_DATA, HSM_FIELD_SIGNATURE, data, length,
		   signature, signature_length);
}

MODULE_API CK_RV C_VerifyRecoverInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
				     CK_OBJECT_HANDLE key)
{
	return stream_begin(session, HSM_OP_VERIFY_RECOVER_INIT, CKF_VERIFY_RECOVER, STREAM_USES,
			    mechanism, key);
}

MODULE_API CK_RV C_VerifyRecover(CK_SESSION_HANDLE session, CK_BYTE *signature, CK_ULONG length,
				 CK_BYTE *data, CK_ULONG *data_length)
{
	return run(session, HSM_OP_VERIFY_RECOVER, HSM_FIELD_SIGNATURE, HSM_FIELD_DATA, signature,
		   length, data, data_length);
}

/* ---- signature first ---- */

MODULE_API CK_RV C_VerifySignatureInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism,
				       CK_OBJECT_HANDLE key, CK_BYTE *signature, CK_ULONG length)
{
	struct call call;
	CK_RV rv;

	if (!mechanism)
		return C_SessionCancel(handle, CKF_VERIFY);
	rv = call_begin(&call, handle, HSM_OP_VERIFY_SIGNATURE_INIT);
	if (rv != CKR_OK)
		return rv;
	if (!signature)
		rv = CKR_ARGUMENTS_BAD;
	else if (length > HSM_DATA_MAX)
		rv = CKR_SIGNATURE_LEN_RANGE;
	else
		rv = mechanism_put(call.writer, mechanism);
	if (rv == CKR_OK) {
		hsm_put_u64(call.writer, HSM_FIELD_KEY, key);
		hsm_put_bytes(call.writer, HSM_FIELD_SIGNATURE, signature, length);
		rv = call_run(&call);
	}
	if (rv == CKR_OK)
		atomic_store_explicit(&call.session->stream[STREAM_VERIFY], stream_hint(mechanism),
				      memory_order_relaxed);
	call_end(&call);
	return rv;
}

static const struct stream verify = {
	.single = HSM_OP_VERIFY_SIGNATURE,
	.update = HSM_OP_VERIFY_SIGNATURE_UPDATE,
	.final = HSM_OP_VERIFY_SIGNATURE_FINAL,
	.known = true,
};

static CK_RV in_one_command(struct session *session, const CK_BYTE *data, CK_ULONG length)
{
	struct call call;
	CK_RV rv = call_begin_in(&call, session, HSM_OP_VERIFY_SIGNATURE);

	if (rv != CKR_OK)
		return rv;
	if (length)
		hsm_put_bytes(call.writer, HSM_FIELD_DATA, data, length);
	return call_finish(&call);
}

MODULE_API CK_RV C_VerifySignature(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG length)
{
	struct session *session;
	CK_ULONG none = 0;
	uint32_t hint;
	CK_RV rv = session_get(handle, &session);

	if (rv != CKR_OK)
		return rv;
	hint = atomic_load_explicit(&session->stream[STREAM_VERIFY], memory_order_relaxed);
	if (!is_input(data, length))
		rv = CKR_ARGUMENTS_BAD;
	else if (stream_wanted(&verify, hint, length))
		rv = stream_run(session, &verify, data, length, NULL, &none);
	else
		rv = in_one_command(session, data, length);
	session_put(session);
	return rv;
}

MODULE_API CK_RV C_VerifySignatureUpdate(CK_SESSION_HANDLE handle, CK_BYTE *part, CK_ULONG length)
{
	struct session *session;
	CK_RV rv = session_get(handle, &session);

	if (rv != CKR_OK)
		return rv;
	if (!is_input(part, length))
		rv = CKR_ARGUMENTS_BAD;
	else
		rv = stream_parts(session, &verify, part, length, NULL, NULL);
	session_put(session);
	return rv;
}

MODULE_API CK_RV C_VerifySignatureFinal(CK_SESSION_HANDLE handle)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_VERIFY_SIGNATURE_FINAL);

	return rv == CKR_OK ? call_finish(&call) : rv;
}
