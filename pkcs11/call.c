/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One command to the device: from the session to libhsm's request and back, and the one table
 * that says which CKR_ number an error of libhsm becomes. Which call answers with what is the
 * device's decision wherever it was reached.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "internal.h"

/* First match counts; status -1: any. */
static const struct {
	unsigned int layer;
	int status;
	int error;
	CK_RV rv;
} errors[] = {
	{ HSM_LAYER_DEVICE, IHSM_SC_NO_PARTITION, 0, CKR_TOKEN_NOT_PRESENT },
	{ HSM_LAYER_DEVICE, IHSM_SC_ABORTED, 0, CKR_FUNCTION_CANCELED },
	{ HSM_LAYER_DEVICE, IHSM_SC_QUEUE_DELETED, 0, CKR_FUNCTION_CANCELED },
	{ HSM_LAYER_DEVICE, IHSM_SC_NO_CONTEXT, 0, CKR_DEVICE_MEMORY },
	{ HSM_LAYER_DEVICE, IHSM_SC_BUSY, 0, CKR_DEVICE_MEMORY },
	{ HSM_LAYER_DEVICE, IHSM_SC_TOO_SMALL, 0, CKR_DATA_LEN_RANGE },
	{ HSM_LAYER_DEVICE, -1, 0, CKR_DEVICE_ERROR },
	{ 0, -1, -EKEYREJECTED, CKR_TOKEN_NOT_RECOGNIZED },
	{ 0, -1, -ENODEV, CKR_DEVICE_REMOVED },
	{ 0, -1, -ENOENT, CKR_DEVICE_REMOVED },
	{ 0, -1, -ECHILD, CKR_CRYPTOKI_NOT_INITIALIZED },
	{ 0, -1, -ENOMEM, CKR_HOST_MEMORY },
	{ 0, -1, -EMFILE, CKR_HOST_MEMORY },
	{ 0, -1, -ENFILE, CKR_HOST_MEMORY },
	{ 0, -1, -EMSGSIZE, CKR_DATA_LEN_RANGE },
	{ 0, -1, -ENOSPC, CKR_DEVICE_MEMORY },
	{ 0, -1, -ECANCELED, CKR_FUNCTION_CANCELED },
	{ 0, -1, 0, CKR_DEVICE_ERROR },
};

static void show(const struct hsm_error *error, int result)
{
	const char *debug = getenv("HSM_DEBUG");

	if (debug && *debug && strcmp(debug, "0") != 0)
		fprintf(stderr, "hsm-pkcs11: %s: %s\n", hsm_layer_name(error->layer),
			error->text[0] ? error->text : strerror(-result));
}

bool error_is_loss(const struct hsm_error *error, int result)
{
	return (result == -ENODEV || result == -EPIPE) && error->layer != HSM_LAYER_DEVICE;
}

CK_RV error_rv(const struct hsm_error *error, int result)
{
	size_t i;

	show(error, result);
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]) - 1; i++) {
		if (errors[i].layer && errors[i].layer != error->layer)
			continue;
		if (errors[i].layer && errors[i].status >= 0 &&
		    (unsigned int)errors[i].status != error->device_status)
			continue;
		if (errors[i].error && errors[i].error != result)
			continue;
		break;
	}
	return errors[i].rv;
}

/*
 * Can the command change who is logged in, a key that is there, or what is allowed? In doubt it can. With a session
 * go the objects that it made, which others may use.
 */
static bool may_change(enum hsm_operation operation)
{
	switch (operation) {
	case HSM_OP_NOP:
	case HSM_OP_TOKEN_INFO:
	case HSM_OP_MECHANISM_LIST:
	case HSM_OP_MECHANISM_INFO:
	case HSM_OP_SESSION_OPEN:
	case HSM_OP_SESSION_INFO:
	case HSM_OP_OBJECT_CREATE:
	case HSM_OP_OBJECT_COPY:
	case HSM_OP_OBJECT_SIZE:
	case HSM_OP_ATTRIBUTES_GET:
	case HSM_OP_GENERATE_KEY:
	case HSM_OP_GENERATE_PAIR:
	case HSM_OP_DERIVE:
	case HSM_OP_COMMAND_STOP:
	case HSM_OP_SESSION_CANCEL:
	case HSM_OP_RANDOM:
		return false;
	default:
		return (operation < HSM_OP_FIND_INIT || operation > HSM_OP_FIND_FINAL) &&
		       (operation < HSM_OP_ENCRYPT_INIT || operation > HSM_OP_VERIFY_FINAL);
	}
}

/* Has the command nothing to do with a signature that was begun in its session? */
static bool leaves_signature(enum hsm_operation operation)
{
	return operation == HSM_OP_SESSION_INFO || operation == HSM_OP_SESSION_CLOSE ||
	       operation == HSM_OP_ATTRIBUTES_GET || operation == HSM_OP_OBJECT_SIZE ||
	       (operation >= HSM_OP_FIND_INIT && operation <= HSM_OP_FIND_FINAL);
}

static CK_RV call_request(struct call *call, enum hsm_operation operation, uint32_t device_session)
{
	call->changes = false;
	call->request = hsm_request_new(slot_channel(call->slot), operation, device_session);
	if (!call->request)
		return CKR_HOST_MEMORY;
	call->changes = may_change(operation);
	if (call->changes) {
		slot_change_begin(call->slot);
		begin_settle_all(call->slot);
	}
	call->writer = hsm_request_writer(call->request);
	return CKR_OK;
}

CK_RV call_check(const struct session *session, enum hsm_operation operation)
{
	/* A function is under way: what ends it and what only looks are let through. */
	if (atomic_load_explicit(&session->pending, memory_order_relaxed) &&
	    operation != HSM_OP_COMMAND_STOP && operation != HSM_OP_OBJECT_DESTROY &&
	    operation != HSM_OP_SESSION_INFO)
		return CKR_OPERATION_ACTIVE;
	if (slot_is_lost(session->slot))
		return CKR_DEVICE_REMOVED;
	/* The device forgot all sessions of the channel when it was replaced. */
	if (hsm_channel_generation(slot_channel(session->slot)) != session->generation)
		return CKR_SESSION_HANDLE_INVALID;
	return CKR_OK;
}

CK_RV call_begin_now(struct call *call, struct session *session, enum hsm_operation operation)
{
	CK_RV rv = call_check(session, operation);

	call->session = NULL;
	call->slot = session->slot;
	call->changes = false;
	call->request = NULL;
	return rv == CKR_OK ? call_request(call, operation, session->device_session) : rv;
}

CK_RV call_begin_in(struct call *call, struct session *session, enum hsm_operation operation)
{
	CK_RV rv = CKR_OK;

	if (atomic_load_explicit(&session->begin.waiting, memory_order_relaxed) &&
	    !leaves_signature(operation))
		rv = begin_settle(session);
	if (rv == CKR_OK)
		return call_begin_now(call, session, operation);
	*call = (struct call){ .slot = session->slot };
	return rv;
}

CK_RV call_begin(struct call *call, CK_SESSION_HANDLE handle, enum hsm_operation operation)
{
	struct session *session;
	CK_RV rv = session_get(handle, &session);

	if (rv != CKR_OK)
		return rv;
	rv = call_begin_in(call, session, operation);
	if (rv != CKR_OK)
		session_put(session);
	else
		call->session = session;
	return rv;
}

CK_RV call_begin_slot(struct call *call, CK_SLOT_ID id, enum hsm_operation operation)
{
	CK_RV rv = slot_get(id, &call->slot);

	call->session = NULL;
	if (rv != CKR_OK)
		return rv;
	rv = call_request(call, operation, 0);
	if (rv != CKR_OK)
		slot_put(call->slot);
	return rv;
}

static CK_RV call_result(struct call *call, int result, const struct hsm_error *error)
{
	CK_RV rv = result ? CKR_DEVICE_ERROR : hsm_request_rv(call->request);

	/* What was refused may tell of something that others have changed. */
	if (rv != CKR_OK && rv != CKR_BUFFER_TOO_SMALL)
		slot_surprised(call->slot);
	if (!result)
		return rv;
	if (error_is_loss(error, result))
		slot_lost(call->slot);
	return error_rv(error, result);
}

CK_RV call_run(struct call *call)
{
	struct hsm_error error;

	error.layer = 0;
	error.device_status = 0;
	error.text[0] = '\0';
	return call_result(call, hsm_call(call->request, &error), &error);
}

CK_RV call_submit(struct call *call)
{
	struct hsm_error error = { 0 };
	int result = hsm_submit(call->request, &error);

	return result ? call_result(call, result, &error) : CKR_OK;
}

CK_RV call_wait(struct call *call)
{
	struct hsm_error error = { 0 };

	return call_result(call, hsm_wait(call->request, &error), &error);
}

void call_end(struct call *call)
{
	hsm_request_free(call->request);
	call->request = NULL;
	if (call->changes)
		slot_change_end(call->slot);
	call->changes = false;
	if (call->session)
		session_put(call->session);
	call->session = NULL;
}

CK_RV call_finish(struct call *call)
{
	CK_RV rv = call_run(call);

	call_end(call);
	return rv;
}

uint64_t call_room(const CK_BYTE *out, CK_ULONG length)
{
	return out ? length : 0;
}

uint64_t call_room_or_query(const CK_BYTE *out, CK_ULONG length)
{
	return out ? length : HSM_OUT_QUERY;
}

CK_RV call_output(struct call *call, CK_RV rv, enum hsm_field_tag tag, CK_BYTE *out,
		  CK_ULONG *length)
{
	const struct hsm_fields *fields;
	const uint8_t *data;
	size_t size;

	if (rv == CKR_BUFFER_TOO_SMALL) {
		*length = hsm_fields_u64(hsm_request_fields(call->request), HSM_FIELD_NEEDED, 0);
		return out ? rv : CKR_OK;
	}
	if (rv != CKR_OK)
		return rv;
	fields = hsm_request_fields(call->request);
	data = hsm_fields_bytes(fields, tag, &size);
	if (size > call_room(out, *length))
		return CKR_DEVICE_ERROR;
	if (size)
		memcpy(out, data, size);
	*length = size;
	return CKR_OK;
}

CK_ULONG call_left(const struct call *call)
{
	return hsm_fields_u64(hsm_request_fields(call->request), HSM_FIELD_NEEDED, 0);
}

CK_RV call_handle(struct call *call, CK_RV rv, enum hsm_field_tag tag, CK_OBJECT_HANDLE *handle)
{
	if (rv != CKR_OK)
		return rv;
	*handle = hsm_fields_u64(hsm_request_fields(call->request), tag, CK_INVALID_HANDLE);
	return *handle == CK_INVALID_HANDLE ? CKR_DEVICE_ERROR : CKR_OK;
}
