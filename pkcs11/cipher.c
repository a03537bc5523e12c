/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encryption and decryption: two columns of one table.
 */
#include "internal.h"

static const struct cipher {
	enum hsm_operation init;
	enum stream_use use;
	CK_FLAGS cancel;
	struct stream stream;
} encrypt = {
	.init = HSM_OP_ENCRYPT_INIT,
	.use = STREAM_ENCRYPT,
	.cancel = CKF_ENCRYPT,
	.stream = {
		.function = "C_Encrypt", .cancel = CKF_ENCRYPT,
		.single = HSM_OP_ENCRYPT, .update = HSM_OP_ENCRYPT_UPDATE, .final = HSM_OP_ENCRYPT_FINAL,
		.output = HSM_FIELD_DATA, .parts_output = true,
	},
}, decrypt = {
	.init = HSM_OP_DECRYPT_INIT,
	.use = STREAM_DECRYPT,
	.cancel = CKF_DECRYPT,
	.stream = {
		.function = "C_Decrypt", .cancel = CKF_DECRYPT,
		.single = HSM_OP_DECRYPT, .update = HSM_OP_DECRYPT_UPDATE, .final = HSM_OP_DECRYPT_FINAL,
		.output = HSM_FIELD_DATA, .parts_output = true,
	},
};

static CK_RV begin(const struct cipher *cipher, CK_SESSION_HANDLE handle,
		   const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	return stream_begin(handle, cipher->init, cipher->cancel, cipher->use, mechanism, key);
}

static CK_RV in_one_command(const struct cipher *cipher, struct session *session, const CK_BYTE *in,
			    CK_ULONG length, CK_BYTE *out, CK_ULONG *out_length)
{
	CK_ULONG needed = 0;
	struct call call;
	CK_RV rv;

	if (length > HSM_DATA_MAX)
		return cipher->use == STREAM_ENCRYPT ? CKR_DATA_LEN_RANGE
						     : CKR_ENCRYPTED_DATA_LEN_RANGE;
	if (session->async && out) {
		/* What is answered later must not turn out to have too little room then. */
		rv = in_one_command(cipher, session, in, length, NULL, &needed);
		if (rv == CKR_OK && needed > *out_length) {
			*out_length = needed;
			rv = CKR_BUFFER_TOO_SMALL;
		}
		if (rv != CKR_OK)
			return rv;
	}
	rv = call_begin_in(&call, session, cipher->stream.single);
	if (rv != CKR_OK)
		return rv;
	if (length)
		hsm_put_bytes(call.writer, HSM_FIELD_DATA, in, length);
	hsm_put_u64(call.writer, HSM_FIELD_OUT_MAX, call_room_or_query(out, *out_length));
	rv = call_answer(session, &call,
			 &(struct answer){ .function = cipher->stream.function,
					   .cancel = cipher->stream.cancel,
					   .output = HSM_FIELD_DATA,
					   .out = out,
					   .out_length = out_length });
	call_end(&call);
	return rv;
}

static CK_RV in_parts(const struct cipher *cipher, struct session *session, uint32_t hint,
		      const CK_BYTE *in, CK_ULONG length, CK_BYTE *out, CK_ULONG *out_length)
{
	CK_ULONG bound = stream_bound(cipher->use, hint, length);

	if (!out || *out_length < bound) {
		/*
		 * The bound may be a block too much for a padded text: the device knows, if it
		 * can be asked in one go.
		 */
		if (out && length <= HSM_DATA_MAX)
			return in_one_command(cipher, session, in, length, out, out_length);
		*out_length = bound;
		return out ? CKR_BUFFER_TOO_SMALL : CKR_OK;
	}
	return stream_run(session, &cipher->stream, in, length, out, out_length);
}

static CK_RV single(const struct cipher *cipher, CK_SESSION_HANDLE handle, const CK_BYTE *in,
		    CK_ULONG length, CK_BYTE *out, CK_ULONG *out_length)
{
	struct session *session;
	uint32_t hint;
	CK_RV rv = session_get(handle, &session);

	if (rv != CKR_OK)
		return rv;
	hint = atomic_load_explicit(&session->stream[cipher->use], memory_order_relaxed);
	if (!is_input(in, length) || !out_length)
		rv = CKR_ARGUMENTS_BAD;
	else if (stream_wanted(&cipher->stream, hint, length))
		rv = in_parts(cipher, session, hint, in, length, out, out_length);
	else
		rv = in_one_command(cipher, session, in, length, out, out_length);
	session_put(session);
	return rv;
}

#define UPDATE_SLACK 32U /* more than a block: what may come out beyond what goes in */

static CK_RV update(const struct cipher *cipher, CK_SESSION_HANDLE handle, const CK_BYTE *in,
		    CK_ULONG length, CK_BYTE *out, CK_ULONG *out_length)
{
	struct session *session;
	CK_RV rv = session_get(handle, &session);

	if (rv != CKR_OK)
		return rv;
	if (!is_input(in, length) || !out_length || length > (CK_ULONG)-1 - UPDATE_SLACK) {
		rv = CKR_ARGUMENTS_BAD;
	} else if (!out) {
		/*
		 * Answered here, a little too high as 5.2 allows: a part that gives nothing would
		 * be taken for a real one.
		 */
		*out_length = length + UPDATE_SLACK;
	} else if (length > HSM_DATA_MAX - UPDATE_SLACK && *out_length < length + UPDATE_SLACK) {
		/* Several commands: what the first of them took could not be given back. */
		*out_length = length + UPDATE_SLACK;
		rv = CKR_BUFFER_TOO_SMALL;
	} else {
		rv = stream_parts(session, &cipher->stream, in, length, out, out_length);
	}
	session_put(session);
	return rv;
}

static CK_RV final(const struct cipher *cipher, CK_SESSION_HANDLE handle, CK_BYTE *out,
		   CK_ULONG *out_length)
{
	struct session *session;
	CK_ULONG done = 0;
	CK_RV rv = session_get(handle, &session);

	if (rv != CKR_OK)
		return rv;
	if (out_length) {
		rv = stream_final(session, &cipher->stream, out, *out_length, &done);
		if (rv == CKR_OK || rv == CKR_BUFFER_TOO_SMALL)
			*out_length = done;
	} else {
		rv = CKR_ARGUMENTS_BAD;
	}
	session_put(session);
	return rv;
}

MODULE_API CK_RV C_EncryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
			       CK_OBJECT_HANDLE key)
{
	return begin(&encrypt, session, mechanism, key);
}

MODULE_API CK_RV C_Encrypt(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length, CK_BYTE *out,
			   CK_ULONG *out_length)
{
	return single(&encrypt, session, data, length, out, out_length);
}

MODULE_API CK_RV C_EncryptUpdate(CK_SESSION_HANDLE session, CK_BYTE *part, CK_ULONG length,
				 CK_BYTE *out, CK_ULONG *out_length)
{
	return update(&encrypt, session, part, length, out, out_length);
}

MODULE_API CK_RV C_EncryptFinal(CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG *out_length)
{
	return final(&encrypt, session, out, out_length);
}

MODULE_API CK_RV C_DecryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
			       CK_OBJECT_HANDLE key)
{
	return begin(&decrypt, session, mechanism, key);
}

MODULE_API CK_RV C_Decrypt(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length, CK_BYTE *out,
			   CK_ULONG *out_length)
{
	return single(&decrypt, session, data, length, out, out_length);
}

MODULE_API CK_RV C_DecryptUpdate(CK_SESSION_HANDLE session, CK_BYTE *part, CK_ULONG length,
				 CK_BYTE *out, CK_ULONG *out_length)
{
	return update(&decrypt, session, part, length, out, out_length);
}

MODULE_API CK_RV C_DecryptFinal(CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG *out_length)
{
	return final(&decrypt, session, out, out_length);
}
