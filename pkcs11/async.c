/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asynchronous sessions (PKCS#11 3.2, 5.21): a function whose work may take long sends its command and
 * answers CKR_PENDING; C_AsyncComplete asks whether the answer has come. A session has one such function
 * under way at a time; several sessions have theirs in the device's queues side by side.
 *
 * The command belongs to the session, not to a caller: closing the session, its channel or the module
 * ends it. Only the caller's output buffer has to stay where it is, as the standard says.
 */
#include <stdlib.h>
#include <string.h>
#include "internal.h"

/**
 * struct pending - a function under way
 * @answer: what to do with the response; its pointers to results are not used
 * @room: size of the output buffer
 * @call: submitted; its session is not counted
 */
struct pending {
	struct answer answer;
	CK_ULONG room;
	struct call call;
};

static CK_RV give_handles(struct call *call, const struct answer *answer, CK_RV rv)
{
	if (rv == CKR_OK && answer->handle)
		rv = call_handle(call, rv, HSM_FIELD_HANDLE, answer->handle);
	if (rv == CKR_OK && answer->other)
		rv = call_handle(call, rv, HSM_FIELD_OTHER_HANDLE, answer->other);
	return rv;
}

static CK_RV answer_now(struct call *call, const struct answer *answer)
{
	CK_RV rv = give_handles(call, answer, call_run(call));

	return answer->output
		       ? call_output(call, rv, answer->output, answer->out, answer->out_length)
		       : rv;
}

static CK_RV answer_later(struct session *session, struct call *call, const struct answer *answer)
{
	struct pending *pending = calloc(1, sizeof(*pending));
	CK_RV rv = CKR_OPERATION_ACTIVE;

	if (!pending)
		return CKR_HOST_MEMORY;
	pending->answer = *answer;
	pending->room = answer->output ? *answer->out_length : 0;
	pthread_mutex_lock(&session->async_lock);
	if (!atomic_load(&session->pending)) {
		pending->call = *call;
		pending->call.session = NULL;
		rv = call_submit(&pending->call);
		if (rv == CKR_OK)
			atomic_store(&session->pending, pending);
	}
	pthread_mutex_unlock(&session->async_lock);
	if (rv != CKR_OK) {
		free(pending);
		return rv;
	}
	/* The request is the pending one's now, and so is the change that it makes. */
	call->request = NULL;
	call->changes = false;
	return CKR_PENDING;
}

CK_RV call_answer(struct session *session, struct call *call, const struct answer *answer)
{
	/* Asking for a length never takes long. */
	if (!session->async || (answer->output && !answer->out))
		return answer_now(call, answer);
	return answer_later(session, call, answer);
}

/* ---- the end of it ---- */

/* Take the ended command off the session. The caller holds the lock. */
static void forget(struct session *session, struct pending *pending)
{
	atomic_store(&session->pending, NULL);
	call_end(&pending->call);
	free(pending);
}

static bool answered(struct pending *pending)
{
	return hsm_poll(pending->call.request) != 0;
}

static CK_RV fill_result(struct pending *pending, CK_RV rv, CK_ASYNC_DATA *result)
{
	struct answer answer = pending->answer;
	CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE, other = CK_INVALID_HANDLE;
	CK_ULONG length = pending->room;

	if (answer.handle)
		answer.handle = &handle;
	if (answer.other)
		answer.other = &other;
	rv = give_handles(&pending->call, &answer, rv);
	if (answer.output)
		rv = call_output(&pending->call, rv, answer.output, answer.out, &length);
	if (!result)
		return rv;
	if (answer.otp && rv == CKR_OK) {
		otp_lay_out(answer.otp, length);
		length = sizeof(struct otp_signature);
	}
	result->pValue = answer.otp ? answer.otp : answer.out;
	result->ulValue = answer.output && rv == CKR_OK ? length : 0;
	result->hObject = handle;
	result->hAdditionalObject = other;
	return rv;
}

/* The function of that name, if it is the one under way. The caller holds the lock. */
static struct pending *find(struct session *session, const CK_UTF8CHAR *name)
{
	struct pending *pending = atomic_load(&session->pending);

	return pending && !strcmp((const char *)name, pending->answer.function) ? pending : NULL;
}

static CK_RV complete(struct session *session, const CK_UTF8CHAR *name, CK_ASYNC_DATA *result)
{
	struct pending *pending = find(session, name);
	CK_RV rv;

	if (!pending)
		return CKR_OPERATION_NOT_INITIALIZED;
	if (!result && (pending->answer.output || pending->answer.handle))
		return CKR_ARGUMENTS_BAD;
	if (!answered(pending))
		return CKR_PENDING;
	rv = fill_result(pending, call_wait(&pending->call), result);
	forget(session, pending);
	return rv;
}

MODULE_API CK_RV C_AsyncComplete(CK_SESSION_HANDLE handle, CK_UTF8CHAR *name, CK_ASYNC_DATA *result)
{
	struct session *session;
	CK_RV rv = session_get(handle, &session);

	if (rv != CKR_OK)
		return rv;
	pthread_mutex_lock(&session->async_lock);
	rv = name && (!result || !result->ulVersion) ? complete(session, name, result)
						     : CKR_ARGUMENTS_BAD;
	pthread_mutex_unlock(&session->async_lock);
	session_put(session);
	return rv;
}

/* Nothing of a session outlives its client: there is no identifier to be had. */
MODULE_API CK_RV C_AsyncGetID(CK_SESSION_HANDLE handle, CK_UTF8CHAR *name, CK_ULONG *id)
{
	struct session *session;
	CK_RV rv = session_get(handle, &session);

	if (rv != CKR_OK)
		return rv;
	pthread_mutex_lock(&session->async_lock);
	if (!name || !id)
		rv = CKR_ARGUMENTS_BAD;
	else
		rv = find(session, name) ? CKR_STATE_UNSAVEABLE : CKR_OPERATION_NOT_INITIALIZED;
	pthread_mutex_unlock(&session->async_lock);
	session_put(session);
	return rv;
}

/* No identifier was ever given away, so none is right. */
MODULE_API CK_RV C_AsyncJoin(CK_SESSION_HANDLE handle, CK_UTF8CHAR *name, CK_ULONG id,
			     CK_BYTE *data, CK_ULONG length)
{
	struct session *session;
	CK_RV rv = session_get(handle, &session);

	(void)id;
	(void)data;
	(void)length;
	if (rv != CKR_OK)
		return rv;
	session_put(session);
	return name ? CKR_SAVED_STATE_INVALID : CKR_ARGUMENTS_BAD;
}

/* ---- ending it early ---- */

/* Ask the device to end the command, which answers then, with an error or because it was done already */
static void stop(struct session *session)
{
	struct call call;

	if (call_begin_in(&call, session, HSM_OP_COMMAND_STOP) == CKR_OK)
		call_finish(&call);
}

/* An object that nobody was told of must not stay. */
static void destroy(struct session *session, CK_OBJECT_HANDLE handle)
{
	struct call call;

	if (handle == CK_INVALID_HANDLE ||
	    call_begin_in(&call, session, HSM_OP_OBJECT_DESTROY) != CKR_OK)
		return;
	hsm_put_u64(call.writer, HSM_FIELD_KEY, handle);
	call_finish(&call);
}

/* The caller's buffer is not touched any more. The caller holds the lock. */
static void end_early(struct session *session, struct pending *pending)
{
	const struct hsm_fields *fields;

	stop(session);
	if (call_wait(&pending->call) == CKR_OK && pending->answer.handle) {
		fields = hsm_request_fields(pending->call.request);
		destroy(session, hsm_fields_u64(fields, HSM_FIELD_HANDLE, CK_INVALID_HANDLE));
		destroy(session, hsm_fields_u64(fields, HSM_FIELD_OTHER_HANDLE, CK_INVALID_HANDLE));
	}
	forget(session, pending);
}

void async_cancel(struct session *session, CK_FLAGS flags)
{
	struct pending *pending;

	if (!session->async)
		return;
	pthread_mutex_lock(&session->async_lock);
	pending = atomic_load(&session->pending);
	if (pending && flags & pending->answer.cancel)
		end_early(session, pending);
	pthread_mutex_unlock(&session->async_lock);
}

/* Nobody else has the session any more. */
void async_end(struct session *session)
{
	struct pending *pending = atomic_load(&session->pending);

	if (pending)
		end_early(session, pending);
}
