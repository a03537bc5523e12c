/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages: many of them under one key, encrypted, decrypted, signed or verified. Which message is at
 * hand is the device's to know; here parameter structures become fields, long messages become parts, and
 * nonces and tags go back into the caller's structures.
 */
#include <string.h>
#include "internal.h"

/* ---- parameters of a message that is encrypted or decrypted ---- */

/**
 * struct message_parameter - what all the structures say
 * @fixed_bits, @generator: how the nonce is made; of decryption not looked at
 * @length: of the text, with CCM
 * @tag_bits: there is such a field for the device: not with ChaCha20-Poly1305
 */
struct message_parameter {
	CK_BYTE *iv;
	CK_ULONG iv_length;
	CK_ULONG fixed_bits;
	CK_ULONG generator;
	CK_BYTE *tag;
	CK_ULONG tag_length;
	CK_ULONG length;
	bool has_length;
	bool has_tag_bits;
};

/* CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS, whose members p11-kit names otherwise than the standard */
struct poly1305_message {
	CK_BYTE *nonce;
	CK_ULONG nonce_bits;
	CK_BYTE *tag;
};

#define POLY1305_TAG 16U
#define TAG_MAX	     16U

static bool from_gcm(const void *from, struct message_parameter *to)
{
	CK_GCM_MESSAGE_PARAMS gcm;

	memcpy(&gcm, from, sizeof(gcm));
	*to = (struct message_parameter){
		.iv = gcm.pIv,
		.iv_length = gcm.ulIvLen,
		.fixed_bits = gcm.ulIvFixedBits,
		.generator = gcm.ivGenerator,
		.tag = gcm.pTag,
		.tag_length = gcm.ulTagBits / 8,
		.has_tag_bits = true,
	};
	return gcm.ulTagBits % 8 == 0;
}

static bool from_ccm(const void *from, struct message_parameter *to)
{
	CK_CCM_MESSAGE_PARAMS ccm;

	memcpy(&ccm, from, sizeof(ccm));
	*to = (struct message_parameter){
		.iv = ccm.pNonce,
		.iv_length = ccm.ulNonceLen,
		.fixed_bits = ccm.ulNonceFixedBits,
		.generator = ccm.nonceGenerator,
		.tag = ccm.pMAC,
		.tag_length = ccm.ulMACLen,
		.length = ccm.ulDataLen,
		.has_length = true,
		.has_tag_bits = true,
	};
	return true;
}

static bool from_poly1305(const void *from, struct message_parameter *to)
{
	struct poly1305_message poly;

	memcpy(&poly, from, sizeof(poly));
	*to = (struct message_parameter){
		.iv = poly.nonce,
		.iv_length = poly.nonce_bits / 8,
		.generator = CKG_NO_GENERATE,
		.tag = poly.tag,
		.tag_length = POLY1305_TAG,
	};
	return poly.nonce_bits % 8 == 0;
}

/* The structures differ in size, so that the mechanism of the process need not be known here. */
static const struct {
	size_t size;
	bool (*from)(const void *from, struct message_parameter *to);
} forms[] = {
	{ sizeof(CK_GCM_MESSAGE_PARAMS), from_gcm },
	{ sizeof(CK_CCM_MESSAGE_PARAMS), from_ccm },
	{ sizeof(struct poly1305_message), from_poly1305 },
};

static CK_RV take_parameter(const void *parameter, CK_ULONG length, struct message_parameter *to)
{
	size_t i;

	for (i = 0; parameter && i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (length != forms[i].size)
			continue;
		if (!forms[i].from(parameter, to) || !to->iv || !to->tag ||
		    to->iv_length > HSM_IV_MAX || to->tag_length > TAG_MAX)
			return CKR_MECHANISM_PARAM_INVALID;
		return CKR_OK;
	}
	return CKR_MECHANISM_PARAM_INVALID;
}

CK_RV message_parameter_put(struct hsm_writer *writer, const void *parameter, CK_ULONG length,
			    bool generates)
{
	struct message_parameter p;
	CK_RV rv = take_parameter(parameter, length, &p);

	if (rv != CKR_OK)
		return rv;
	hsm_put_bytes(writer, HSM_FIELD_IV, p.iv, p.iv_length);
	if (p.has_tag_bits)
		hsm_put_u64(writer, HSM_FIELD_TAG_BITS, (uint64_t)p.tag_length * 8);
	if (p.has_length)
		hsm_put_u64(writer, HSM_FIELD_LENGTH, p.length);
	if (generates && p.generator != CKG_NO_GENERATE) {
		hsm_put_u64(writer, HSM_FIELD_GENERATOR, p.generator);
		hsm_put_u64(writer, HSM_FIELD_FIXED_BITS, p.fixed_bits);
	}
	return CKR_OK;
}

CK_RV message_parameter_tag(struct hsm_writer *writer, const void *parameter, CK_ULONG length)
{
	struct message_parameter p;
	CK_RV rv = take_parameter(parameter, length, &p);

	if (rv == CKR_OK)
		hsm_put_bytes(writer, HSM_FIELD_TAG, p.tag, p.tag_length);
	return rv;
}

CK_BYTE *message_parameter_place(const void *parameter, CK_ULONG length, CK_ULONG *tag_length)
{
	struct message_parameter p;

	if (take_parameter(parameter, length, &p) != CKR_OK)
		return NULL;
	*tag_length = p.tag_length;
	return p.tag;
}

/* A field of the answer into a place of the caller's that is as long */
static CK_RV give_field(const struct call *call, enum hsm_field_tag tag, CK_BYTE *to,
			CK_ULONG length)
{
	size_t size;
	const uint8_t *data = hsm_fields_bytes(hsm_request_fields(call->request), tag, &size);

	if (!data || size != length)
		return CKR_DEVICE_ERROR;
	if (size)
		memcpy(to, data, size);
	return CKR_OK;
}

CK_RV message_parameter_give(const struct call *call, const void *parameter, CK_ULONG length,
			     bool nonce, bool tag)
{
	struct message_parameter p;
	CK_RV rv = take_parameter(parameter, length, &p);

	if (rv == CKR_OK && nonce && p.generator != CKG_NO_GENERATE)
		rv = give_field(call, HSM_FIELD_IV, p.iv, p.iv_length);
	if (rv == CKR_OK && tag)
		rv = give_field(call, HSM_FIELD_TAG, p.tag, p.tag_length);
	return rv;
}

/* ---- processes ---- */

static CK_RV begin(CK_SESSION_HANDLE handle, enum hsm_operation operation, CK_FLAGS cancel,
		   const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	struct message_parameter ignored;
	struct call call;
	CK_RV rv;

	if (!mechanism)
		return C_SessionCancel(handle, cancel);
	rv = call_begin(&call, handle, operation);
	if (rv != CKR_OK)
		return rv;
	hsm_put_u64(call.writer, HSM_FIELD_KEY, key);
	/* The structure is for the messages; one that none of them could have is a mistake. */
	if (mechanism->pParameter || mechanism->ulParameterLen)
		rv = take_parameter(mechanism->pParameter, mechanism->ulParameterLen, &ignored);
	hsm_put_u64(call.writer, HSM_FIELD_MECHANISM, mechanism->mechanism);
	if (rv == CKR_OK)
		rv = call_run(&call);
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

/* ---- a message, as the public functions give it ---- */

/**
 * struct message - a call with a message or a part of it
 * @operation: command for each part
 * @flags: HSM_PART_ of the call as a whole; long data is sent in several parts
 * @parameter, @aad: of the first part; the tag's place in @parameter also of the last
 * @out: buffer of the caller, NULL: only the length is wanted
 * @room: its size
 * @done: bytes of it that are filled
 */
struct message {
	struct session *session;
	enum hsm_operation operation;
	unsigned int flags;
	const void *parameter;
	CK_ULONG parameter_length;
	const CK_BYTE *aad;
	CK_ULONG aad_length;
	const CK_BYTE *data;
	CK_ULONG length;
	CK_BYTE *out;
	CK_ULONG room;
	CK_ULONG done;
};

#define CHUNK (HSM_DATA_MAX - 1024U)

static bool encrypts(const struct message *m)
{
	return m->operation == HSM_OP_MESSAGE_ENCRYPT;
}

static CK_RV put_part(const struct message *m, struct call *call, unsigned int flags,
		      const CK_BYTE *data, CK_ULONG length)
{
	CK_RV rv = CKR_OK;

	hsm_put_u64(call->writer, HSM_FIELD_FLAGS, flags);
	if (length)
		hsm_put_bytes(call->writer, HSM_FIELD_DATA, data, length);
	if (flags & HSM_PART_FIRST) {
		rv = message_parameter_put(call->writer, m->parameter, m->parameter_length,
					   encrypts(m));
		if (rv == CKR_OK && m->aad_length)
			hsm_put_bytes(call->writer, HSM_FIELD_AAD, m->aad, m->aad_length);
	}
	if (rv == CKR_OK && flags & HSM_PART_LAST && !encrypts(m))
		rv = message_parameter_tag(call->writer, m->parameter, m->parameter_length);
	return rv;
}

/* Text of an answer behind what the caller has of it already. *left: bytes that the next one brings */
static CK_RV take_text(struct message *m, struct call *call, CK_RV rv, CK_ULONG *left)
{
	CK_ULONG size = m->room - m->done;

	rv = call_output(call, rv, HSM_FIELD_DATA, m->out ? m->out + m->done : NULL, &size);
	*left = m->out && rv == CKR_OK ? call_left(call) : 0;
	/* A rest that does not get shorter would be asked for without end. */
	if (*left && !size)
		return CKR_DEVICE_ERROR;
	m->done += size;
	return rv;
}

/* What is left of a text that was too long for one answer */
static CK_RV fetch_rest(struct message *m, CK_ULONG left)
{
	struct call call;
	CK_RV rv = CKR_OK;

	while (rv == CKR_OK && left) {
		rv = call_begin_in(&call, m->session, m->operation);
		if (rv != CKR_OK)
			return rv;
		hsm_put_u64(call.writer, HSM_FIELD_FLAGS, HSM_PART_LAST);
		hsm_put_u64(call.writer, HSM_FIELD_OUT_MAX, m->room - m->done);
		rv = take_text(m, &call, call_run(&call), &left);
		call_end(&call);
	}
	return rv;
}

static CK_RV send_part(struct message *m, unsigned int flags, const CK_BYTE *data, CK_ULONG length)
{
	CK_ULONG left = 0;
	struct call call;
	CK_RV rv = call_begin_in(&call, m->session, m->operation);

	if (rv != CKR_OK)
		return rv;
	rv = put_part(m, &call, flags, data, length);
	hsm_put_u64(call.writer, HSM_FIELD_OUT_MAX, call_room_or_query(m->out, m->room - m->done));
	if (rv == CKR_OK)
		rv = call_run(&call);
	if (rv == CKR_OK && encrypts(m))
		rv = message_parameter_give(&call, m->parameter, m->parameter_length,
					    flags & HSM_PART_FIRST, flags & HSM_PART_LAST);
	rv = take_text(m, &call, rv, &left);
	call_end(&call);
	return rv == CKR_OK ? fetch_rest(m, left) : rv;
}

/* What the text of the call needs when it goes in several parts: asked for without the data */
static CK_RV ask_length(struct message *m, CK_ULONG *needed)
{
	struct message question = *m;
	CK_RV rv;

	question.out = NULL;
	question.done = 0;
	/* A message that has not begun gives as much as goes in. */
	if (!(m->flags & HSM_PART_FIRST)) {
		rv = send_part(&question, m->flags, NULL, 0);
		if (rv != CKR_OK)
			return rv;
	}
	*needed = question.done + (encrypts(m) || m->flags & HSM_PART_LAST ? m->length : 0);
	return CKR_OK;
}

static CK_RV in_parts(struct message *m)
{
	unsigned int first = m->flags & HSM_PART_FIRST;
	CK_ULONG needed = 0, sent = 0, size;
	CK_RV rv = ask_length(m, &needed);

	if (rv != CKR_OK)
		return rv;
	if (!m->out || m->room < needed) {
		m->done = needed;
		return m->out ? CKR_BUFFER_TOO_SMALL : CKR_OK;
	}
	if (first)
		rv = send_part(m, HSM_PART_FIRST, NULL, 0);
	while (rv == CKR_OK && m->length - sent > CHUNK) {
		rv = send_part(m, 0, m->data + sent, CHUNK);
		sent += CHUNK;
	}
	size = m->length - sent;
	if (rv == CKR_OK)
		rv = send_part(m, m->flags & HSM_PART_LAST, m->data + sent, size);
	return rv;
}

static CK_RV check_pointers(const struct message *m, const CK_ULONG *out_length)
{
	if (!is_input(m->data, m->length) || !is_input(m->aad, m->aad_length))
		return CKR_ARGUMENTS_BAD;
	return out_length ? CKR_OK : CKR_ARGUMENTS_BAD;
}

static CK_RV run(struct message *m, CK_SESSION_HANDLE handle, CK_ULONG *out_length)
{
	CK_RV rv = session_get(handle, &m->session);

	if (rv != CKR_OK)
		return rv;
	rv = check_pointers(m, out_length);
	if (rv == CKR_OK) {
		m->room = m->out ? *out_length : 0;
		if (m->length > CHUNK || m->aad_length > CHUNK - m->length)
			rv = in_parts(m);
		else
			rv = send_part(m, m->flags, m->data, m->length);
	}
	if (rv == CKR_OK || rv == CKR_BUFFER_TOO_SMALL)
		*out_length = m->done;
	session_put(m->session);
	return rv;
}

static CK_RV start(CK_SESSION_HANDLE handle, enum hsm_operation operation, const void *parameter,
		   CK_ULONG parameter_length, const CK_BYTE *aad, CK_ULONG aad_length)
{
	CK_ULONG none = 0;
	CK_BYTE nothing;
	struct message m = {
		.operation = operation,
		.flags = HSM_PART_FIRST,
		.parameter = parameter,
		.parameter_length = parameter_length,
		.aad = aad,
		.aad_length = aad_length,
		.out = &nothing,
	};

	return run(&m, handle, &none);
}

static CK_RV whole(CK_SESSION_HANDLE session, enum hsm_operation operation, const void *parameter,
		   CK_ULONG parameter_length, const CK_BYTE *aad, CK_ULONG aad_length,
		   const CK_BYTE *data, CK_ULONG length, CK_BYTE *out, CK_ULONG *out_length)
{
	struct message m = {
		.operation = operation,
		.flags = HSM_PART_FIRST | HSM_PART_LAST,
		.parameter = parameter,
		.parameter_length = parameter_length,
		.aad = aad,
		.aad_length = aad_length,
		.data = data,
		.length = length,
		.out = out,
	};

	return run(&m, session, out_length);
}

static CK_RV next(CK_SESSION_HANDLE session, enum hsm_operation operation, const void *parameter,
		  CK_ULONG parameter_length, const CK_BYTE *part, CK_ULONG length, CK_BYTE *out,
		  CK_ULONG *out_length, CK_FLAGS flags)
{
	struct message m = {
		.operation = operation,
		.flags = flags & CKF_END_OF_MESSAGE ? HSM_PART_LAST : 0,
		.parameter = parameter,
		.parameter_length = parameter_length,
		.data = part,
		.length = length,
		.out = out,
	};

	return run(&m, session, out_length);
}

/* ---- encryption ---- */

MODULE_API CK_RV C_MessageEncryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
				      CK_OBJECT_HANDLE key)
{
	return begin(session, HSM_OP_MESSAGE_ENCRYPT_INIT, CKF_MESSAGE_ENCRYPT, mechanism, key);
}

MODULE_API CK_RV C_EncryptMessage(CK_SESSION_HANDLE session, void *parameter,
				  CK_ULONG parameter_length, CK_BYTE *aad, CK_ULONG aad_length,
				  CK_BYTE *data, CK_ULONG length, CK_BYTE *out,
				  CK_ULONG *out_length)
{
	return whole(session, HSM_OP_MESSAGE_ENCRYPT, parameter, parameter_length, aad, aad_length,
		     data, length, out, out_length);
}

MODULE_API CK_RV C_EncryptMessageBegin(CK_SESSION_HANDLE session, void *parameter,
				       CK_ULONG parameter_length, CK_BYTE *aad, CK_ULONG aad_length)
{
	return start(session, HSM_OP_MESSAGE_ENCRYPT, parameter, parameter_length, aad, aad_length);
}

MODULE_API CK_RV C_EncryptMessageNext(CK_SESSION_HANDLE session, void *parameter,
				      CK_ULONG parameter_length, CK_BYTE *part, CK_ULONG length,
				      CK_BYTE *out, CK_ULONG *out_length, CK_FLAGS flags)
{
	return next(session, HSM_OP_MESSAGE_ENCRYPT, parameter, parameter_length, part, length, out,
		    out_length, flags);
}

MODULE_API CK_RV C_MessageEncryptFinal(CK_SESSION_HANDLE session)
{
	return end(session, CKF_MESSAGE_ENCRYPT);
}

/* ---- decryption ---- */

MODULE_API CK_RV C_MessageDecryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
				      CK_OBJECT_HANDLE key)
{
	return begin(session, HSM_OP_MESSAGE_DECRYPT_INIT, CKF_MESSAGE_DECRYPT, mechanism, key);
}

MODULE_API CK_RV C_DecryptMessage(CK_SESSION_HANDLE session, void *parameter,
				  CK_ULONG parameter_length, CK_BYTE *aad, CK_ULONG aad_length,
				  CK_BYTE *data, CK_ULONG length, CK_BYTE *out,
				  CK_ULONG *out_length)
{
	return whole(session, HSM_OP_MESSAGE_DECRYPT, parameter, parameter_length, aad, aad_length,
		     data, length, out, out_length);
}

MODULE_API CK_RV C_DecryptMessageBegin(CK_SESSION_HANDLE session, void *parameter,
				       CK_ULONG parameter_length, CK_BYTE *aad, CK_ULONG aad_length)
{
	return start(session, HSM_OP_MESSAGE_DECRYPT, parameter, parameter_length, aad, aad_length);
}

MODULE_API CK_RV C_DecryptMessageNext(CK_SESSION_HANDLE session, void *parameter,
				      CK_ULONG parameter_length, CK_BYTE *part, CK_ULONG length,
				      CK_BYTE *out, CK_ULONG *out_length, CK_FLAGS flags)
{
	return next(session, HSM_OP_MESSAGE_DECRYPT, parameter, parameter_length, part, length, out,
		    out_length, flags);
}

MODULE_API CK_RV C_MessageDecryptFinal(CK_SESSION_HANDLE session)
{
	return end(session, CKF_MESSAGE_DECRYPT);
}
