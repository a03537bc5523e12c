/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests, signatures and MACs, and their verification.
 */
#include <stddef.h>
#include <string.h>
#include "internal.h"

static const struct stream digest = {
	.function = "C_Digest",
	.cancel = CKF_DIGEST,
	.single = HSM_OP_DIGEST,
	.update = HSM_OP_DIGEST_UPDATE,
	.final = HSM_OP_DIGEST_FINAL,
	.output = HSM_FIELD_DATA,
};

static const struct stream sign = {
	.function = "C_Sign",
	.cancel = CKF_SIGN,
	.single = HSM_OP_SIGN,
	.update = HSM_OP_SIGN_UPDATE,
	.final = HSM_OP_SIGN_FINAL,
	.output = HSM_FIELD_SIGNATURE,
};

static const struct stream verify = {
	.function = "C_Verify",
	.cancel = CKF_VERIFY,
	.single = HSM_OP_VERIFY,
	.update = HSM_OP_VERIFY_UPDATE,
	.final = HSM_OP_VERIFY_FINAL,
};

/* The hint that stream.c takes for the digest itself: any digest can be had in parts. */
static uint32_t digest_hint(void)
{
	static const CK_MECHANISM sha256 = { CKM_SHA256, NULL, 0 };

	return stream_hint(&sha256);
}

static CK_RV in_one_command(struct session *session, const struct stream *stream, const CK_BYTE *in,
			    CK_ULONG length, CK_BYTE *out, CK_ULONG *out_length);

/* What is answered later must not turn out to have too little room then. */
static CK_RV room_suffices(struct session *session, const struct stream *stream, CK_ULONG room,
			   CK_ULONG *needed)
{
	CK_ULONG size = 0;
	CK_RV rv = in_one_command(session, stream, NULL, 0, NULL, &size);

	if (rv != CKR_OK || size <= room)
		return rv;
	*needed = size;
	return CKR_BUFFER_TOO_SMALL;
}

static CK_RV in_one_command(struct session *session, const struct stream *stream, const CK_BYTE *in,
			    CK_ULONG length, CK_BYTE *out, CK_ULONG *out_length)
{
	struct call call;
	CK_RV rv;

	if (length > HSM_DATA_MAX)
		return CKR_DATA_LEN_RANGE;
	if (session->async && out) {
		rv = room_suffices(session, stream, *out_length, out_length);
		if (rv != CKR_OK)
			return rv;
	}
	rv = call_begin_in(&call, session, stream->single);
	if (rv != CKR_OK)
		return rv;
	if (length)
		hsm_put_bytes(call.writer, HSM_FIELD_DATA, in, length);
	hsm_put_u64(call.writer, HSM_FIELD_OUT_MAX, call_room_or_query(out, *out_length));
	rv = call_answer(session, &call,
			 &(struct answer){ .function = stream->function,
					   .cancel = stream->cancel,
					   .output = stream->output,
					   .out = out,
					   .out_length = out_length });
	call_end(&call);
	return rv;
}

/* The length of a digest or signature does not depend on the data, so it is asked for without. */
static CK_RV in_parts(struct session *session, const struct stream *stream, const CK_BYTE *in,
		      CK_ULONG length, CK_BYTE *out, CK_ULONG *out_length)
{
	CK_ULONG needed = 0;
	CK_RV rv = in_one_command(session, stream, NULL, 0, NULL, &needed);

	if (rv != CKR_OK)
		return rv;
	if (*out_length < needed) {
		*out_length = needed;
		return CKR_BUFFER_TOO_SMALL;
	}
	return stream_run(session, stream, in, length, out, out_length);
}

static CK_RV single(struct session *session, const struct stream *stream, uint32_t hint,
		    const CK_BYTE *in, CK_ULONG length, CK_BYTE *out, CK_ULONG *out_length)
{
	if (!is_input(in, length) || !out_length)
		return CKR_ARGUMENTS_BAD;
	if (!out)
		return in_one_command(session, stream, NULL, 0, NULL, out_length);
	if (stream_wanted(stream, hint, length))
		return in_parts(session, stream, in, length, out, out_length);
	return in_one_command(session, stream, in, length, out, out_length);
}

static CK_RV update(CK_SESSION_HANDLE handle, const struct stream *stream, const CK_BYTE *part,
		    CK_ULONG length)
{
	struct session *session;
	CK_RV rv = session_get(handle, &session);

	if (rv != CKR_OK)
		return rv;
	if (!is_input(part, length))
		rv = CKR_ARGUMENTS_BAD;
	else
		rv = stream_parts(session, stream, part, length, NULL, NULL);
	session_put(session);
	return rv;
}

static CK_RV final(CK_SESSION_HANDLE handle, const struct stream *stream, CK_BYTE *out,
		   CK_ULONG *out_length)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, stream->final);

	if (rv != CKR_OK)
		return rv;
	if (!out_length) {
		call_end(&call);
		return CKR_ARGUMENTS_BAD;
	}
	hsm_put_u64(call.writer, HSM_FIELD_OUT_MAX, call_room_or_query(out, *out_length));
	rv = call_output(&call, call_run(&call), stream->output, out, out_length);
	call_end(&call);
	return rv;
}

MODULE_API CK_RV C_DigestInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism)
{
	struct call call;
	CK_RV rv;

	if (!mechanism)
		return C_SessionCancel(handle, CKF_DIGEST);
	rv = call_begin(&call, handle, HSM_OP_DIGEST_INIT);
	if (rv != CKR_OK)
		return rv;
	rv = mechanism_put(call.writer, mechanism);
	if (rv == CKR_OK)
		rv = call_run(&call);
	call_end(&call);
	return rv;
}

MODULE_API CK_RV C_Digest(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG length, CK_BYTE *out,
			  CK_ULONG *out_length)
{
	struct session *session;
	CK_RV rv = session_get(handle, &session);

	if (rv != CKR_OK)
		return rv;
	rv = single(session, &digest, digest_hint(), data, length, out, out_length);
	session_put(session);
	return rv;
}

MODULE_API CK_RV C_DigestUpdate(CK_SESSION_HANDLE handle, CK_BYTE *part, CK_ULONG length)
{
	return update(handle, &digest, part, length);
}

MODULE_API CK_RV C_DigestKey(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE key)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_DIGEST_KEY);

	if (rv != CKR_OK)
		return rv;
	hsm_put_u64(call.writer, HSM_FIELD_KEY, key);
	return call_finish(&call);
}

MODULE_API CK_RV C_DigestFinal(CK_SESSION_HANDLE handle, CK_BYTE *out, CK_ULONG *out_length)
{
	return final(handle, &digest, out, out_length);
}

MODULE_API CK_RV C_SignInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	struct session *session;
	CK_RV rv;

	if (!mechanism)
		return C_SessionCancel(handle, CKF_SIGN);
	rv = session_get(handle, &session);
	if (rv != CKR_OK)
		return rv;
	rv = begin_sign(session, mechanism, key);
	session_put(session);
	return rv;
}

/* What points to the digits, whose number is known only when they are there */
void otp_lay_out(CK_BYTE *out, CK_ULONG digits)
{
	struct otp_signature made = {
		.info.ulCount = 1,
		.info.pParams =
			(CK_OTP_PARAM *)(void *)(out + offsetof(struct otp_signature, param)),
		.param.type = CK_OTP_VALUE,
		.param.pValue = out + offsetof(struct otp_signature, digits),
		.param.ulValueLen = digits,
	};

	memcpy(out, &made, offsetof(struct otp_signature, digits));
}

/* C_Sign, and with @last C_SignFinal */
static CK_RV otp_sign(struct session *session, bool last, const CK_BYTE *data, CK_ULONG length,
		      CK_BYTE *out, CK_ULONG *out_length)
{
	CK_ULONG room = *out_length, digits = sizeof(((struct otp_signature *)NULL)->digits);
	CK_BYTE *at = out ? out + offsetof(struct otp_signature, digits) : NULL;
	struct answer answer = { .function = sign.function,
				 .cancel = sign.cancel,
				 .output = sign.output,
				 .out = at,
				 .out_length = &digits,
				 .otp = out };
	struct call call;
	CK_RV rv;

	if (!is_input(data, length))
		return CKR_ARGUMENTS_BAD;
	if (length > HSM_DATA_MAX)
		return CKR_DATA_LEN_RANGE;
	*out_length = sizeof(struct otp_signature);
	if (out && room < sizeof(struct otp_signature))
		return CKR_BUFFER_TOO_SMALL;
	rv = call_begin_in(&call, session, last ? sign.final : sign.single);
	if (rv != CKR_OK)
		return rv;
	if (length)
		hsm_put_bytes(call.writer, HSM_FIELD_DATA, data, length);
	hsm_put_u64(call.writer, HSM_FIELD_OUT_MAX, call_room_or_query(at, digits));
	if (last)
		rv = call_output(&call, call_run(&call), sign.output, at, &digits);
	else
		rv = call_answer(session, &call, &answer);
	if (rv == CKR_OK && out)
		otp_lay_out(out, digits);
	call_end(&call);
	return rv;
}

/* The end of a signature whose beginning waits, in one command with it. Return: false when none waits. */
static bool sign_at_once(struct session *session, enum hsm_operation operation, const CK_BYTE *data,
			 CK_ULONG length, CK_BYTE *out, CK_ULONG *out_length, CK_RV *rv)
{
	struct call call;

	if (!atomic_load_explicit(&session->begin.waiting, memory_order_relaxed) || !out ||
	    !out_length || !is_input(data, length) || length > BEGIN_DATA ||
	    !begin_take(session, &call, operation))
		return false;
	if (length)
		hsm_put_bytes(call.writer, HSM_FIELD_DATA, data, length);
	hsm_put_u64(call.writer, HSM_FIELD_OUT_MAX, call_room(out, *out_length));
	*rv = call_output(&call, call_run(&call), sign.output, out, out_length);
	*rv = begin_taken(session, &call, *rv);
	call_end(&call);
	return true;
}

static CK_RV sign_alone(struct session *session, uint32_t hint, const CK_BYTE *data,
			CK_ULONG length, CK_BYTE *out, CK_ULONG *out_length)
{
	uint64_t turn = begin_turn(session);
	CK_RV rv = single(session, &sign, hint, data, length, out, out_length);

	if (out && rv == CKR_OK)
		begin_ended(session, turn);
	return rv;
}

MODULE_API CK_RV C_Sign(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG length, CK_BYTE *out,
			CK_ULONG *out_length)
{
	struct session *session;
	uint32_t hint;
	CK_RV rv = session_get(handle, &session);

	if (rv != CKR_OK)
		return rv;
	hint = atomic_load_explicit(&session->stream[STREAM_SIGN], memory_order_relaxed);
	if (stream_is_otp(hint) && out_length)
		rv = otp_sign(session, false, data, length, out, out_length);
	else if (!sign_at_once(session, HSM_OP_SIGN, data, length, out, out_length, &rv))
		rv = sign_alone(session, hint, data, length, out, out_length);
	session_put(session);
	return rv;
}

MODULE_API CK_RV C_SignUpdate(CK_SESSION_HANDLE handle, CK_BYTE *part, CK_ULONG length)
{
	struct session *session;
	bool kept;
	CK_RV rv = session_get(handle, &session);

	if (rv != CKR_OK)
		return rv;
	kept = atomic_load_explicit(&session->begin.waiting, memory_order_relaxed) &&
	       stream_has_parts(atomic_load(&session->stream[STREAM_SIGN])) &&
	       is_input(part, length) && begin_keep(session, part, length);
	session_put(session);
	return kept ? CKR_OK : update(handle, &sign, part, length);
}

static CK_RV sign_final(CK_SESSION_HANDLE handle, struct session *session, CK_BYTE *out,
			CK_ULONG *out_length)
{
	uint64_t turn = begin_turn(session);
	CK_RV rv;

	if (stream_has_parts(atomic_load(&session->stream[STREAM_SIGN])) &&
	    sign_at_once(session, HSM_OP_SIGN_FINAL, NULL, 0, out, out_length, &rv))
		return rv;
	rv = final(handle, &sign, out, out_length);
	if (out && rv == CKR_OK)
		begin_ended(session, turn);
	return rv;
}

MODULE_API CK_RV C_SignFinal(CK_SESSION_HANDLE handle, CK_BYTE *out, CK_ULONG *out_length)
{
	struct session *session;
	CK_RV rv = session_get(handle, &session);

	if (rv != CKR_OK)
		return rv;
	if (stream_is_otp(atomic_load(&session->stream[STREAM_SIGN])) && out_length)
		rv = otp_sign(session, true, NULL, 0, out, out_length);
	else
		rv = sign_final(handle, session, out, out_length);
	session_put(session);
	return rv;
}

MODULE_API CK_RV C_VerifyInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism,
			      CK_OBJECT_HANDLE key)
{
	return stream_begin(handle, HSM_OP_VERIFY_INIT, CKF_VERIFY, STREAM_VERIFY, mechanism, key);
}

static CK_RV verify_in_one_command(struct session *session, const CK_BYTE *data, CK_ULONG length,
				   const CK_BYTE *signature, CK_ULONG signature_length)
{
	struct call call;
	CK_RV rv;

	if (length > HSM_DATA_MAX)
		return CKR_DATA_LEN_RANGE;
	rv = call_begin_in(&call, session, HSM_OP_VERIFY);
	if (rv != CKR_OK)
		return rv;
	if (length)
		hsm_put_bytes(call.writer, HSM_FIELD_DATA, data, length);
	hsm_put_bytes(call.writer, HSM_FIELD_SIGNATURE, signature, signature_length);
	rv = call_answer(session, &call,
			 &(struct answer){ .function = verify.function, .cancel = verify.cancel });
	call_end(&call);
	return rv;
}

/* Data and signature share a command. Where both are long, as with SLH-DSA, the data goes ahead in parts. */
static bool shares_no_command(CK_ULONG length, CK_ULONG signature_length)
{
	return length > HSM_MESSAGE_MAX - 1024 - signature_length;
}

MODULE_API CK_RV C_Verify(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG length,
			  CK_BYTE *signature, CK_ULONG signature_length)
{
	struct session *session;
	uint32_t hint;
	CK_RV rv = session_get(handle, &session);

	if (rv != CKR_OK)
		return rv;
	hint = atomic_load_explicit(&session->stream[STREAM_VERIFY], memory_order_relaxed);
	if (!is_input(data, length) || !signature)
		rv = CKR_ARGUMENTS_BAD;
	else if (signature_length > HSM_DATA_MAX)
		rv = CKR_SIGNATURE_LEN_RANGE;
	else if (stream_wanted(&verify, hint, length) ||
		 shares_no_command(length, signature_length))
		rv = stream_run(session, &verify, data, length, signature, &signature_length);
	else
		rv = verify_in_one_command(session, data, length, signature, signature_length);
	session_put(session);
	return rv;
}

MODULE_API CK_RV C_VerifyUpdate(CK_SESSION_HANDLE handle, CK_BYTE *part, CK_ULONG length)
{
	return update(handle, &verify, part, length);
}

MODULE_API CK_RV C_VerifyFinal(CK_SESSION_HANDLE handle, CK_BYTE *signature, CK_ULONG length)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_VERIFY_FINAL);

	if (rv != CKR_OK)
		return rv;
	if (!signature || length > HSM_DATA_MAX) {
		call_end(&call);
		return signature ? CKR_SIGNATURE_LEN_RANGE : CKR_ARGUMENTS_BAD;
	}
	hsm_put_bytes(call.writer, HSM_FIELD_SIGNATURE, signature, length);
	return call_finish(&call);
}
