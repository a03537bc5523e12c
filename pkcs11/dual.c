/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two operations on the same data. Each part is one command, which the device does for both or, while
 * the output does not fit, for neither.
 */
#include "internal.h"

#define SLACK 32U /* more than a block: what may come out beyond what goes in */
#define MOST  (HSM_DATA_MAX - SLACK)

static CK_RV one(struct session *session, enum hsm_operation operation, const CK_BYTE *in,
		 CK_ULONG length, CK_BYTE *out, CK_ULONG *out_length)
{
	struct call call;
	CK_RV rv = call_begin_in(&call, session, operation);

	if (rv != CKR_OK)
		return rv;
	if (length)
		hsm_put_bytes(call.writer, HSM_FIELD_DATA, in, length);
	hsm_put_u64(call.writer, HSM_FIELD_OUT_MAX, call_room_or_query(out, *out_length));
	rv = call_output(&call, call_run(&call), HSM_FIELD_DATA, out, out_length);
	call_end(&call);
	return rv;
}

/* Several commands: what the first of them took could not be given back, so the room is made sure of. */
static CK_RV many(struct session *session, enum hsm_operation operation, const CK_BYTE *in,
		  CK_ULONG length, CK_BYTE *out, CK_ULONG *out_length)
{
	CK_ULONG done = 0, size, room;
	CK_RV rv = CKR_OK;

	if (!out || *out_length < length + SLACK) {
		*out_length = length + SLACK;
		return out ? CKR_BUFFER_TOO_SMALL : CKR_OK;
	}
	while (rv == CKR_OK && length) {
		size = length < MOST ? length : MOST;
		room = *out_length - done;
		rv = one(session, operation, in, size, out + done, &room);
		done += room;
		in += size;
		length -= size;
	}
	if (rv == CKR_OK)
		*out_length = done;
	return rv;
}

static CK_RV update(CK_SESSION_HANDLE handle, enum hsm_operation operation, const CK_BYTE *in,
		    CK_ULONG length, CK_BYTE *out, CK_ULONG *out_length)
{
	struct session *session;
	CK_RV rv = session_get(handle, &session);

	if (rv != CKR_OK)
		return rv;
	if (!is_input(in, length) || !out_length || length > (CK_ULONG)-1 - SLACK)
		rv = CKR_ARGUMENTS_BAD;
	else if (length > MOST)
		rv = many(session, operation, in, length, out, out_length);
	else
		rv = one(session, operation, in, length, out, out_length);
	session_put(session);
	return rv;
}

MODULE_API CK_RV C_DigestEncryptUpdate(CK_SESSION_HANDLE session, CK_BYTE *part, CK_ULONG length,
				       CK_BYTE *out, CK_ULONG *out_length)
{
	return update(session, HSM_OP_DIGEST_ENCRYPT_UPDATE, part, length, out, out_length);
}

MODULE_API CK_RV C_DecryptDigestUpdate(CK_SESSION_HANDLE session, CK_BYTE *part, CK_ULONG length,
				       CK_BYTE *out, CK_ULONG *out_length)
{
	return update(session, HSM_OP_DECRYPT_DIGEST_UPDATE, part, length, out, out_length);
}

MODULE_API CK_RV C_SignEncryptUpdate(CK_SESSION_HANDLE session, CK_BYTE *part, CK_ULONG length,
				     CK_BYTE *out, CK_ULONG *out_length)
{
	return update(session, HSM_OP_SIGN_ENCRYPT_UPDATE, part, length, out, out_length);
}

MODULE_API CK_RV C_DecryptVerifyUpdate(CK_SESSION_HANDLE session, CK_BYTE *part, CK_ULONG length,
				       CK_BYTE *out, CK_ULONG *out_length)
{
	return update(session, HSM_OP_DECRYPT_VERIFY_UPDATE, part, length, out, out_length);
}
