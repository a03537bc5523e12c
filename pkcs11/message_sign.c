/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages that are signed or verified, many with one key. See message.c for those that are encrypted.
 */
#include <string.h>
#include "internal.h"

static CK_RV begin(CK_SESSION_HANDLE handle, enum hsm_operation operation, CK_FLAGS cancel,
		   bool verify, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	struct call call;
	CK_RV rv;

	if (!mechanism)
		return C_SessionCancel(handle, cancel);
	rv = call_begin(&call, handle, operation);
	if (rv != CKR_OK)
		return rv;
	hsm_put_u64(call.writer, HSM_FIELD_KEY, key);
	/* Without parameters here, each message brings its own. */
	if (mechanism->pParameter || mechanism->ulParameterLen)
		rv = mechanism_put(call.writer, mechanism);
	else
		hsm_put_u64(call.writer, HSM_FIELD_MECHANISM, mechanism->mechanism);
	if (rv == CKR_OK)
		rv = call_run(&call);
	if (rv == CKR_OK)
		atomic_store(&call.session->message[verify], mechanism->mechanism);
	call_end(&call);
	return rv;
}

static CK_RV end(CK_SESSION_HANDLE handle, CK_FLAGS flag)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_MESSAGE_FINAL);

	if (rv != CKR_OK)
		return rv;
	hsm_put_u64(call.writer, HSM_FIELD_FLAGS, flag);
	return call_finish(&call);
}

/**
 * struct message - a call with a message or a part of it
 * @flags: HSM_PART_ of the call as a whole
 * @parameter: of the first part, in place of the process's; NULL: none
 */
struct message {
	struct session *session;
	enum hsm_operation operation;
	unsigned int flags;
	void *parameter;
	CK_ULONG parameter_length;
	const CK_BYTE *data;
	CK_ULONG length;
};

#define CHUNK (HSM_DATA_MAX - 1024U)

/* Begin the command of a part: its flags, parameters and data */
static CK_RV begin_part(const struct message *m, struct call *call, unsigned int flags,
			const CK_BYTE *data, CK_ULONG length)
{
	bool verify = m->operation == HSM_OP_MESSAGE_VERIFY;
	CK_MECHANISM mechanism = { atomic_load(&m->session->message[verify]), m->parameter,
				   m->parameter_length };
	CK_RV rv = call_begin_in(call, m->session, m->operation);

	if (rv != CKR_OK)
		return rv;
	hsm_put_u64(call->writer, HSM_FIELD_FLAGS, flags);
	if (length)
		hsm_put_bytes(call->writer, HSM_FIELD_DATA, data, length);
	if (flags & HSM_PART_FIRST && (m->parameter || m->parameter_length))
		rv = mechanism_parameters_put(call->writer, &mechanism);
	if (rv != CKR_OK)
		call_end(call);
	return rv;
}

/* A part without an answer */
static CK_RV send_part(const struct message *m, unsigned int flags, const CK_BYTE *data,
		       CK_ULONG length)
{
	struct call call;
	CK_RV rv = begin_part(m, &call, flags, data, length);

	if (rv != CKR_OK)
		return rv;
	if (m->operation == HSM_OP_MESSAGE_SIGN)
		hsm_put_u64(call.writer, HSM_FIELD_OUT_MAX, 0);
	return call_finish(&call);
}

/* All but the last piece of what is too long for one command; @m becomes the rest */
static CK_RV send_ahead(struct message *m, CK_ULONG most)
{
	CK_RV rv = CKR_OK;
	CK_ULONG size;

	while (rv == CKR_OK && m->length > most) {
		size = m->length < CHUNK ? m->length : CHUNK;
		rv = send_part(m, m->flags & HSM_PART_FIRST, m->data, size);
		m->flags &= ~HSM_PART_FIRST;
		m->data += size;
		m->length -= size;
	}
	return rv;
}

static CK_RV sign_last(const struct message *m, CK_BYTE *out, CK_ULONG *out_length)
{
	struct call call;
	CK_RV rv = begin_part(m, &call, m->flags, out ? m->data : NULL, out ? m->length : 0);

	if (rv != CKR_OK)
		return rv;
	hsm_put_u64(call.writer, HSM_FIELD_OUT_MAX, call_room_or_query(out, *out_length));
	rv = call_output(&call, call_run(&call), HSM_FIELD_SIGNATURE, out, out_length);
	call_end(&call);
	return rv;
}

static CK_RV sign(struct message *m, CK_BYTE *out, CK_ULONG *out_length)
{
	CK_ULONG needed = 0;
	CK_RV rv = CKR_OK;

	if (out && m->length > CHUNK) {
		/* What the first parts took could not be given back. */
		rv = sign_last(m, NULL, &needed);
		if (rv == CKR_OK && *out_length < needed) {
			*out_length = needed;
			return CKR_BUFFER_TOO_SMALL;
		}
		if (rv == CKR_OK)
			rv = send_ahead(m, CHUNK);
	}
	return rv == CKR_OK ? sign_last(m, out, out_length) : rv;
}

static CK_RV verify_last(const struct message *m, const CK_BYTE *signature, CK_ULONG length)
{
	struct call call;
	CK_RV rv = begin_part(m, &call, m->flags, m->data, m->length);

	if (rv != CKR_OK)
		return rv;
	hsm_put_bytes(call.writer, HSM_FIELD_SIGNATURE, signature, length);
	return call_finish(&call);
}

/* Data and signature share a command. */
static CK_RV verify(struct message *m, const CK_BYTE *signature, CK_ULONG length)
{
	CK_RV rv;

	if (length > HSM_DATA_MAX)
		return CKR_SIGNATURE_LEN_RANGE;
	rv = send_ahead(m, length < CHUNK ? CHUNK - length : 0);
	return rv == CKR_OK ? verify_last(m, signature, length) : rv;
}

static CK_RV enter(struct message *m, CK_SESSION_HANDLE handle)
{
	CK_RV rv = session_get(handle, &m->session);

	if (rv != CKR_OK)
		return rv;
	if (!is_input(m->data, m->length)) {
		session_put(m->session);
		return CKR_ARGUMENTS_BAD;
	}
	return CKR_OK;
}

MODULE_API CK_RV C_MessageSignInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
				   CK_OBJECT_HANDLE key)
{
	return begin(session, HSM_OP_MESSAGE_SIGN_INIT, CKF_MESSAGE_SIGN, false, mechanism, key);
}

MODULE_API CK_RV C_SignMessage(CK_SESSION_HANDLE session, void *parameter,
			       CK_ULONG parameter_length, CK_BYTE *data, CK_ULONG length,
			       CK_BYTE *signature, CK_ULONG *signature_length)
{
	struct message m = { NULL,	HSM_OP_MESSAGE_SIGN, HSM_PART_FIRST | HSM_PART_LAST,
			     parameter, parameter_length,    data,
			     length };
	CK_RV rv = enter(&m, session);

	if (rv != CKR_OK)
		return rv;
	rv = signature_length ? sign(&m, signature, signature_length) : CKR_ARGUMENTS_BAD;
	session_put(m.session);
	return rv;
}

/* A first part, or one in the middle: nothing comes back */
static CK_RV part(CK_SESSION_HANDLE session, enum hsm_operation operation, unsigned int flags,
		  void *parameter, CK_ULONG parameter_length, const CK_BYTE *data, CK_ULONG length)
{
	struct message m = { NULL, operation, flags, parameter, parameter_length, data, length };
	CK_RV rv = enter(&m, session);

	if (rv != CKR_OK)
		return rv;
	rv = send_ahead(&m, CHUNK);
	if (rv == CKR_OK)
		rv = send_part(&m, m.flags, m.data, m.length);
	session_put(m.session);
	return rv;
}

MODULE_API CK_RV C_SignMessageBegin(CK_SESSION_HANDLE session, void *parameter,
				    CK_ULONG parameter_length)
{
	return part(session, HSM_OP_MESSAGE_SIGN, HSM_PART_FIRST, parameter, parameter_length, NULL,
		    0);
}

MODULE_API CK_RV C_SignMessageNext(CK_SESSION_HANDLE session, void *parameter,
				   CK_ULONG parameter_length, CK_BYTE *data, CK_ULONG length,
				   CK_BYTE *signature, CK_ULONG *signature_length)
{
	struct message m = { NULL, HSM_OP_MESSAGE_SIGN, HSM_PART_LAST, NULL, 0, data, length };
	CK_RV rv;

	(void)parameter;
	(void)parameter_length;
	/* Where no length is asked for, more is to follow. */
	if (!signature_length)
		return part(session, HSM_OP_MESSAGE_SIGN, 0, NULL, 0, data, length);
	rv = enter(&m, session);
	if (rv != CKR_OK)
		return rv;
	rv = sign(&m, signature, signature_length);
	session_put(m.session);
	return rv;
}

MODULE_API CK_RV C_MessageSignFinal(CK_SESSION_HANDLE session)
{
	return end(session, CKF_MESSAGE_SIGN);
}

MODULE_API CK_RV C_MessageVerifyInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
				     CK_OBJECT_HANDLE key)
{
	return begin(session, HSM_OP_MESSAGE_VERIFY_INIT, CKF_MESSAGE_VERIFY, true, mechanism, key);
}

static CK_RV verify_call(CK_SESSION_HANDLE session, struct message *m, const CK_BYTE *signature,
			 CK_ULONG length)
{
	CK_RV rv = enter(m, session);

	if (rv != CKR_OK)
		return rv;
	rv = signature ? verify(m, signature, length) : CKR_ARGUMENTS_BAD;
	session_put(m->session);
	return rv;
}

MODULE_API CK_RV C_VerifyMessage(CK_SESSION_HANDLE session, void *parameter,
				 CK_ULONG parameter_length, CK_BYTE *data, CK_ULONG length,
				 CK_BYTE *signature, CK_ULONG signature_length)
{
	struct message m = { NULL,	HSM_OP_MESSAGE_VERIFY, HSM_PART_FIRST | HSM_PART_LAST,
			     parameter, parameter_length,      data,
			     length };

	return verify_call(session, &m, signature, signature_length);
}

MODULE_API CK_RV C_VerifyMessageBegin(CK_SESSION_HANDLE session, void *parameter,
				      CK_ULONG parameter_length)
{
	return part(session, HSM_OP_MESSAGE_VERIFY, HSM_PART_FIRST, parameter, parameter_length,
		    NULL, 0);
}

MODULE_API CK_RV C_VerifyMessageNext(CK_SESSION_HANDLE session, void *parameter,
				     CK_ULONG parameter_length, CK_BYTE *data, CK_ULONG length,
				     CK_BYTE *signature, CK_ULONG signature_length)
{
	struct message m = { NULL, HSM_OP_MESSAGE_VERIFY, HSM_PART_LAST, NULL, 0, data, length };

	(void)parameter;
	(void)parameter_length;
	if (!signature)
		return part(session, HSM_OP_MESSAGE_VERIFY, 0, NULL, 0, data, length);
	return verify_call(session, &m, signature, signature_length);
}

MODULE_API CK_RV C_MessageVerifyFinal(CK_SESSION_HANDLE session)
{
	return end(session, CKF_MESSAGE_VERIFY);
}
