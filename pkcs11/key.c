/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that come from keys or from nothing: generation, derivation, encapsulation; and
 * random bytes.
 */
#include <string.h>
#include "internal.h"

MODULE_API CK_RV C_GenerateKey(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism,
			       CK_ATTRIBUTE *attributes, CK_ULONG count, CK_OBJECT_HANDLE *key)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_GENERATE_KEY);

	if (rv != CKR_OK)
		return rv;
	rv = key ? mechanism_put(call.writer, mechanism) : CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK)
		rv = template_put(call.writer, HSM_FIELD_TEMPLATE, attributes, count);
	if (rv == CKR_OK)
		rv = call_answer(call.session, &call,
				 &(struct answer){ .function = "C_GenerateKey",
						   .cancel = CKF_GENERATE,
						   .handle = key });
	call_end(&call);
	return rv;
}

MODULE_API CK_RV C_GenerateKeyPair(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism,
				   CK_ATTRIBUTE *public_attributes, CK_ULONG public_count,
				   CK_ATTRIBUTE *private_attributes, CK_ULONG private_count,
				   CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_GENERATE_PAIR);

	if (rv != CKR_OK)
		return rv;
	rv = public_key && private_key ? mechanism_put(call.writer, mechanism) : CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK)
		rv = template_put(call.writer, HSM_FIELD_TEMPLATE, public_attributes, public_count);
	if (rv == CKR_OK)
		rv = template_put(call.writer, HSM_FIELD_PRIVATE_TEMPLATE, private_attributes,
				  private_count);
	if (rv == CKR_OK)
		rv = call_answer(call.session, &call,
				 &(struct answer){ .function = "C_GenerateKeyPair",
						   .cancel = CKF_GENERATE_KEY_PAIR,
						   .handle = public_key,
						   .other = private_key });
	call_end(&call);
	return rv;
}

/* Some derivations give more than one key, or none by the handle (TLS key blocks). */
static CK_RV derived(struct call *call, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE *key)
{
	CK_RV rv = call_run(call);

	if (rv == CKR_OK && !derive_gives_no_key(mechanism))
		rv = call_handle(call, rv, HSM_FIELD_HANDLE, key);
	return rv == CKR_OK ? derive_give(hsm_request_fields(call->request), mechanism) : rv;
}

MODULE_API CK_RV C_DeriveKey(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism,
			     CK_OBJECT_HANDLE base, CK_ATTRIBUTE *attributes, CK_ULONG count,
			     CK_OBJECT_HANDLE *key)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_DERIVE);

	if (rv != CKR_OK)
		return rv;
	rv = key || derive_gives_no_key(mechanism) ? mechanism_put(call.writer, mechanism)
						   : CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK)
		rv = derive_check(mechanism);
	if (rv == CKR_OK)
		rv = template_put(call.writer, HSM_FIELD_TEMPLATE, attributes, count);
	if (rv == CKR_OK) {
		hsm_put_u64(call.writer, HSM_FIELD_KEY, base);
		rv = derived(&call, mechanism, key);
	}
	call_end(&call);
	return rv;
}

/* The key exists only when the ciphertext fitted: asking for the length makes none. */
static CK_RV encapsulated(struct call *call, CK_BYTE *out, CK_ULONG *out_length,
			  CK_OBJECT_HANDLE *key)
{
	CK_RV rv = call_run(call);

	if (rv == CKR_OK)
		rv = call_handle(call, rv, HSM_FIELD_HANDLE, key);
	return call_output(call, rv, HSM_FIELD_CIPHERTEXT, out, out_length);
}

MODULE_API CK_RV C_EncapsulateKey(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism,
				  CK_OBJECT_HANDLE public_key, CK_ATTRIBUTE *attributes,
				  CK_ULONG count, CK_BYTE *out, CK_ULONG *out_length,
				  CK_OBJECT_HANDLE *key)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_ENCAPSULATE);

	if (rv != CKR_OK)
		return rv;
	rv = out_length && (key || !out) ? mechanism_put(call.writer, mechanism)
					 : CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK)
		rv = template_put(call.writer, HSM_FIELD_TEMPLATE, attributes, count);
	if (rv == CKR_OK) {
		hsm_put_u64(call.writer, HSM_FIELD_KEY, public_key);
		hsm_put_u64(call.writer, HSM_FIELD_OUT_MAX, call_room(out, *out_length));
		rv = encapsulated(&call, out, out_length, key);
	}
	call_end(&call);
	return rv;
}

MODULE_API CK_RV C_DecapsulateKey(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism,
				  CK_OBJECT_HANDLE private_key, CK_ATTRIBUTE *attributes,
				  CK_ULONG count, CK_BYTE *ciphertext, CK_ULONG length,
				  CK_OBJECT_HANDLE *key)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_DECAPSULATE);

	if (rv != CKR_OK)
		return rv;
	if (!ciphertext || !key)
		rv = CKR_ARGUMENTS_BAD;
	else if (length > HSM_DATA_MAX)
		rv = CKR_WRAPPED_KEY_LEN_RANGE;
	else
		rv = mechanism_put(call.writer, mechanism);
	if (rv == CKR_OK)
		rv = template_put(call.writer, HSM_FIELD_TEMPLATE, attributes, count);
	if (rv == CKR_OK) {
		hsm_put_u64(call.writer, HSM_FIELD_KEY, private_key);
		hsm_put_bytes(call.writer, HSM_FIELD_CIPHERTEXT, ciphertext, length);
		rv = call_handle(&call, call_run(&call), HSM_FIELD_HANDLE, key);
	}
	call_end(&call);
	return rv;
}

MODULE_API CK_RV C_SeedRandom(CK_SESSION_HANDLE handle, CK_BYTE *seed, CK_ULONG length)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_SEED);

	if (rv != CKR_OK)
		return rv;
	if (!is_input(seed, length) || length > HSM_DATA_MAX) {
		call_end(&call);
		return CKR_ARGUMENTS_BAD;
	}
	hsm_put_bytes(call.writer, HSM_FIELD_DATA, length ? seed : (CK_BYTE *)"", length);
	return call_finish(&call);
}

static CK_RV random_part(struct session *session, CK_BYTE *out, CK_ULONG length)
{
	CK_ULONG got = length;
	struct call call;
	CK_RV rv = call_begin_in(&call, session, HSM_OP_RANDOM);

	if (rv != CKR_OK)
		return rv;
	hsm_put_u64(call.writer, HSM_FIELD_LENGTH, length);
	rv = call_output(&call, call_run(&call), HSM_FIELD_DATA, out, &got);
	call_end(&call);
	return rv == CKR_OK && got != length ? CKR_DEVICE_ERROR : rv;
}

MODULE_API CK_RV C_GenerateRandom(CK_SESSION_HANDLE handle, CK_BYTE *out, CK_ULONG length)
{
	struct session *session;
	CK_ULONG part;
	CK_RV rv = session_get(handle, &session);

	if (rv != CKR_OK)
		return rv;
	if (!is_input(out, length))
		rv = CKR_ARGUMENTS_BAD;
	while (rv == CKR_OK && length) {
		part = length < HSM_DATA_MAX ? length : HSM_DATA_MAX;
		rv = random_part(session, out, part);
		out += part;
		length -= part;
	}
	session_put(session);
	return rv;
}
