/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wrapping and unwrapping of keys. The forms of GCM and CCM differ only on this side: with or without
 * associated data in the structure, the tag behind the wrapped key or in a place of its own, the nonce the
 * caller's or the token's. To the device they are one command.
 */
#include <stdlib.h>
#include <string.h>
#include "internal.h"

/**
 * struct wrapping - what the two structures CK_GCM_WRAP_PARAMS and CK_CCM_WRAP_PARAMS say
 * @tag_bits: of the tag
 * @ccm: there is a length of the text, which the device does not look at
 */
struct wrapping {
	CK_BYTE *iv;
	CK_ULONG iv_length;
	CK_ULONG fixed_bits;
	CK_ULONG generator;
	CK_BYTE *aad;
	CK_ULONG aad_length;
	CK_ULONG tag_bits;
	bool ccm;
};

static bool is_aead(const CK_MECHANISM *mechanism)
{
	const struct hsm_mechanism_info *info = hsm_mechanism_find(mechanism->mechanism);

	return info && info->family == MECH_FAMILY_AEAD;
}

/* Is the parameter such a structure? They differ in size from those of encryption. */
static bool take_wrapping(const CK_MECHANISM *mechanism, struct wrapping *to)
{
	CK_GCM_WRAP_PARAMS gcm;
	CK_CCM_WRAP_PARAMS ccm;

	if (!mechanism || !mechanism->pParameter || !is_aead(mechanism))
		return false;
	if (mechanism->ulParameterLen == sizeof(gcm)) {
		memcpy(&gcm, mechanism->pParameter, sizeof(gcm));
		*to = (struct wrapping){ gcm.pIv,  gcm.ulIvLen,	 gcm.ulIvFixedBits, gcm.ivGenerator,
					 gcm.pAAD, gcm.ulAADLen, gcm.ulTagBits,	    false };
		return true;
	}
	if (mechanism->ulParameterLen != sizeof(ccm))
		return false;
	memcpy(&ccm, mechanism->pParameter, sizeof(ccm));
	*to = (struct wrapping){
		ccm.pNonce, ccm.ulNonceLen, ccm.ulNonceFixedBits, ccm.nonceGenerator,
		ccm.pAAD,   ccm.ulAADLen,   ccm.ulMACLen * 8,	  true
	};
	return true;
}

static CK_RV put_wrapping(struct hsm_writer *writer, const CK_MECHANISM *mechanism,
			  const struct wrapping *w, bool generates)
{
	if (!w->iv || w->iv_length > HSM_IV_MAX || (!w->aad && w->aad_length) ||
	    w->aad_length > HSM_DATA_MAX)
		return CKR_MECHANISM_PARAM_INVALID;
	hsm_put_u64(writer, HSM_FIELD_MECHANISM, mechanism->mechanism);
	hsm_put_bytes(writer, HSM_FIELD_IV, w->iv, w->iv_length);
	hsm_put_bytes(writer, HSM_FIELD_AAD, w->aad_length ? w->aad : (CK_BYTE *)"", w->aad_length);
	hsm_put_u64(writer, HSM_FIELD_TAG_BITS, w->tag_bits);
	if (w->ccm)
		hsm_put_u64(writer, HSM_FIELD_LENGTH, 0);
	if (generates && w->generator != CKG_NO_GENERATE) {
		hsm_put_u64(writer, HSM_FIELD_GENERATOR, w->generator);
		hsm_put_u64(writer, HSM_FIELD_FIXED_BITS, w->fixed_bits);
	}
	return CKR_OK;
}

/* The token's nonce into the caller's structure */
static CK_RV give_nonce(const struct call *call, const struct wrapping *w)
{
	size_t size;
	const uint8_t *iv =
		hsm_fields_bytes(hsm_request_fields(call->request), HSM_FIELD_IV, &size);

	if (w->generator == CKG_NO_GENERATE)
		return CKR_OK;
	if (size != w->iv_length)
		return CKR_DEVICE_ERROR;
	memcpy(w->iv, iv, size);
	return CKR_OK;
}

MODULE_API CK_RV C_WrapKey(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism,
			   CK_OBJECT_HANDLE wrapping, CK_OBJECT_HANDLE key, CK_BYTE *out,
			   CK_ULONG *out_length)
{
	struct wrapping w;
	bool form = take_wrapping(mechanism, &w);
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_WRAP);

	if (rv != CKR_OK)
		return rv;
	if (!out_length)
		rv = CKR_ARGUMENTS_BAD;
	else if (form)
		rv = put_wrapping(call.writer, mechanism, &w, true);
	else
		rv = mechanism_put(call.writer, mechanism);
	if (rv == CKR_OK) {
		hsm_put_u64(call.writer, HSM_FIELD_OTHER_KEY, wrapping);
		hsm_put_u64(call.writer, HSM_FIELD_KEY, key);
		hsm_put_u64(call.writer, HSM_FIELD_OUT_MAX, call_room(out, *out_length));
		rv = call_run(&call);
		if (rv == CKR_OK && form)
			rv = give_nonce(&call, &w);
		rv = call_output(&call, rv, HSM_FIELD_DATA, out, out_length);
	}
	call_end(&call);
	return rv;
}

static CK_RV unwrap(struct call *call, const char *function, CK_OBJECT_HANDLE unwrapping,
		    const CK_BYTE *wrapped, CK_ULONG length, const CK_ATTRIBUTE *attributes,
		    CK_ULONG count, CK_OBJECT_HANDLE *key)
{
	CK_RV rv = template_put(call->writer, HSM_FIELD_TEMPLATE, attributes, count);

	if (rv != CKR_OK)
		return rv;
	hsm_put_u64(call->writer, HSM_FIELD_OTHER_KEY, unwrapping);
	hsm_put_bytes(call->writer, HSM_FIELD_DATA, wrapped, length);
	return call_answer(
		call->session, call,
		&(struct answer){ .function = function, .cancel = CKF_UNWRAP, .handle = key });
}

MODULE_API CK_RV C_UnwrapKey(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism,
			     CK_OBJECT_HANDLE unwrapping, CK_BYTE *wrapped, CK_ULONG length,
			     CK_ATTRIBUTE *attributes, CK_ULONG count, CK_OBJECT_HANDLE *key)
{
	struct wrapping w;
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_UNWRAP);

	if (rv != CKR_OK)
		return rv;
	if (!wrapped || !key)
		rv = CKR_ARGUMENTS_BAD;
	else if (length > HSM_DATA_MAX)
		rv = CKR_WRAPPED_KEY_LEN_RANGE;
	else if (take_wrapping(mechanism, &w))
		rv = put_wrapping(call.writer, mechanism, &w, false);
	else
		rv = mechanism_put(call.writer, mechanism);
	if (rv == CKR_OK)
		rv = unwrap(&call, "C_UnwrapKey", unwrapping, wrapped, length, attributes, count,
			    key);
	call_end(&call);
	return rv;
}

/* ---- authenticated: the tag beside the wrapped key ---- */

/* Begin a command with a structure of a message; *tag is where its tag is, *tag_length long */
static CK_RV begin_authenticated(struct call *call, CK_SESSION_HANDLE handle,
				 enum hsm_operation operation, const CK_MECHANISM *mechanism,
				 const CK_BYTE *aad, CK_ULONG aad_length, CK_BYTE **tag,
				 CK_ULONG *tag_length)
{
	CK_RV rv = call_begin(call, handle, operation);

	if (rv != CKR_OK)
		return rv;
	if (!mechanism || !is_input(aad, aad_length))
		rv = CKR_ARGUMENTS_BAD;
	else if (!is_aead(mechanism))
		rv = CKR_MECHANISM_INVALID;
	else
		rv = message_parameter_put(call->writer, mechanism->pParameter,
					   mechanism->ulParameterLen, operation == HSM_OP_WRAP);
	if (rv == CKR_OK) {
		hsm_put_u64(call->writer, HSM_FIELD_MECHANISM, mechanism->mechanism);
		hsm_put_bytes(call->writer, HSM_FIELD_AAD, aad_length ? aad : (const CK_BYTE *)"",
			      aad_length);
		*tag = message_parameter_place(mechanism->pParameter, mechanism->ulParameterLen,
					       tag_length);
		return CKR_OK;
	}
	call_end(call);
	return rv;
}

/* The device's answer is the wrapped key and the tag behind it. */
static CK_RV split(const struct call *call, CK_BYTE *tag, CK_ULONG tag_length, CK_BYTE *out,
		   CK_ULONG *out_length)
{
	size_t size;
	const uint8_t *data =
		hsm_fields_bytes(hsm_request_fields(call->request), HSM_FIELD_DATA, &size);

	if (size < tag_length || size - tag_length > *out_length)
		return CKR_DEVICE_ERROR;
	memcpy(out, data, size - tag_length);
	memcpy(tag, data + size - tag_length, tag_length);
	*out_length = size - tag_length;
	return CKR_OK;
}

MODULE_API CK_RV C_WrapKeyAuthenticated(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism,
					CK_OBJECT_HANDLE wrapping, CK_OBJECT_HANDLE key,
					CK_BYTE *aad, CK_ULONG aad_length, CK_BYTE *out,
					CK_ULONG *out_length)
{
	CK_ULONG tag_length = 0, room;
	struct call call;
	CK_BYTE *tag;
	CK_RV rv;

	rv = begin_authenticated(&call, handle, HSM_OP_WRAP, mechanism, aad, aad_length, &tag,
				 &tag_length);
	if (rv != CKR_OK)
		return rv;
	if (!out_length) {
		call_end(&call);
		return CKR_ARGUMENTS_BAD;
	}
	/* More than any key: not taken for the number that asks for the length */
	room = *out_length < HSM_DATA_MAX ? *out_length : HSM_DATA_MAX;
	hsm_put_u64(call.writer, HSM_FIELD_OTHER_KEY, wrapping);
	hsm_put_u64(call.writer, HSM_FIELD_KEY, key);
	hsm_put_u64(call.writer, HSM_FIELD_OUT_MAX, out ? room + tag_length : 0);
	rv = call_run(&call);
	if (rv == CKR_BUFFER_TOO_SMALL) {
		*out_length = call_left(&call) - tag_length;
		rv = out ? rv : CKR_OK;
	} else if (rv == CKR_OK) {
		rv = message_parameter_give(&call, mechanism->pParameter, mechanism->ulParameterLen,
					    true, false);
		if (rv == CKR_OK)
			rv = split(&call, tag, tag_length, out, out_length);
	}
	call_end(&call);
	return rv;
}

MODULE_API CK_RV C_UnwrapKeyAuthenticated(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism,
					  CK_OBJECT_HANDLE unwrapping, CK_BYTE *wrapped,
					  CK_ULONG length, CK_ATTRIBUTE *attributes, CK_ULONG count,
					  CK_BYTE *aad, CK_ULONG aad_length, CK_OBJECT_HANDLE *key)
{
	CK_ULONG tag_length = 0;
	CK_BYTE *tag, *both;
	struct call call;
	CK_RV rv;

	rv = begin_authenticated(&call, handle, HSM_OP_UNWRAP, mechanism, aad, aad_length, &tag,
				 &tag_length);
	if (rv != CKR_OK)
		return rv;
	if (!wrapped || !key || length > HSM_DATA_MAX - tag_length) {
		call_end(&call);
		return wrapped && key ? CKR_WRAPPED_KEY_LEN_RANGE : CKR_ARGUMENTS_BAD;
	}
	both = malloc(length + tag_length + 1);
	if (both) {
		memcpy(both, wrapped, length);
		memcpy(both + length, tag, tag_length);
		rv = unwrap(&call, "C_UnwrapKeyAuthenticated", unwrapping, both,
			    length + tag_length, attributes, count, key);
		free(both);
	} else {
		rv = CKR_HOST_MEMORY;
	}
	call_end(&call);
	return rv;
}
