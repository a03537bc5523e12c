/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Beginnings of signatures. A signature is two or three calls, and where each is a command of its own, an application
 * and its device wake each other as often. When the device has accepted a beginning a moment ago and says that the same
 * one would go well again (HSM_RESPONSE_AGAIN), the next one is answered here, and goes to the device in the command
 * that ends the signature. Every other command that could tell the difference sends it first: for the application
 * all is as if it had been sent at once. What others may change meanwhile shows as an operation that
 * has ended.
 */
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include "internal.h"

/* ---- life; with the session's lock held, or nobody else there ---- */

static void wipe_data(struct beginning *begin)
{
	if (begin->data_length)
		OPENSSL_cleanse(begin->data, begin->data_length);
	begin->data_length = 0;
	begin->parts = false;
	begin->lost = false;
}

static void stop_waiting(struct session *session)
{
	atomic_store(&session->begin.waiting, false);
	atomic_fetch_sub(slot_beginnings(session->slot), 1);
	wipe_data(&session->begin);
}

void begin_new(struct session *session)
{
	session->begin.idle = true;
	session->begin.recent.at_ns = 0;
	session->info.recent.at_ns = 0;
}

void begin_end(struct session *session)
{
	if (atomic_load(&session->begin.waiting))
		stop_waiting(session);
	free(session->begin.data);
	session->begin.data = NULL;
}

void begin_child(struct session *session)
{
	pthread_mutex_init(&session->begin.lock, NULL);
	pthread_mutex_init(&session->info.lock, NULL);
	atomic_store(&session->begin.waiting, false);
	wipe_data(&session->begin);
}

/* ---- telling the device ---- */

static void put_beginning(struct call *call, const struct beginning *begin)
{
	hsm_put_u64(call->writer, HSM_FIELD_KEY, begin->key);
	hsm_put_raw(call->writer, begin->fields, begin->fields_length);
}

static CK_RV send_beginning(struct session *session)
{
	struct call call;
	CK_RV rv = call_begin_now(&call, session, HSM_OP_SIGN_INIT);

	if (rv != CKR_OK)
		return rv;
	put_beginning(&call, &session->begin);
	return call_finish(&call);
}

static CK_RV send_parts(struct session *session)
{
	struct call call;
	CK_RV rv = call_begin_now(&call, session, HSM_OP_SIGN_UPDATE);

	if (rv != CKR_OK)
		return rv;
	hsm_put_bytes(call.writer, HSM_FIELD_DATA, session->begin.data, session->begin.data_length);
	return call_finish(&call);
}

static CK_RV cancel(struct session *session)
{
	struct call call;
	CK_RV rv = call_begin_now(&call, session, HSM_OP_SESSION_CANCEL);

	if (rv != CKR_OK)
		return rv;
	hsm_put_u64(call.writer, HSM_FIELD_FLAGS, CKF_SIGN);
	return call_finish(&call);
}

/* Parts go with their beginning or end it: one whose answer was lost may have begun all the same. */
static bool send_all(struct session *session)
{
	bool begun = send_beginning(session) == CKR_OK;

	return !session->begin.parts || (begun && send_parts(session) == CKR_OK);
}

/* Return: an error when the device may have an operation that lacks its first part, which must not go on. */
static CK_RV settle(struct session *session)
{
	struct beginning *begin = &session->begin;
	CK_RV rv = CKR_OK;

	begin->idle = false;
	if (!begin->lost)
		begin->lost = !send_all(session);
	if (begin->lost)
		rv = cancel(session);
	if (rv == CKR_OK)
		stop_waiting(session);
	return rv;
}

CK_RV begin_settle(struct session *session)
{
	struct beginning *begin = &session->begin;
	CK_RV rv = CKR_OK;

	pthread_mutex_lock(&begin->lock);
	if (atomic_load(&begin->waiting))
		rv = settle(session);
	pthread_mutex_unlock(&begin->lock);
	return rv;
}

/* One that fails is tried again before the session's next command. */
static void settle_one(struct session *session)
{
	begin_settle(session);
}

void begin_settle_all(struct slot *slot)
{
	if (atomic_load(slot_beginnings(slot)))
		sessions_each(slot, settle_one);
}

/* ---- C_SignInit ---- */

/* Is it what the device has accepted a moment ago? */
static bool is_known(struct session *session, CK_OBJECT_HANDLE key, const struct hsm_writer *fields)
{
	const struct beginning *begin = &session->begin;

	return !session->async && begin->idle && recent_holds(session->slot, &begin->recent) &&
	       begin->key == key && begin->fields_length == fields->length &&
	       !memcmp(begin->fields, fields->data, fields->length) &&
	       call_check(session, HSM_OP_SIGN_INIT) == CKR_OK;
}

/* Return: whether the beginning waits from now on */
static bool wait_for_data(struct session *session, CK_OBJECT_HANDLE key,
			  const struct hsm_writer *fields)
{
	struct beginning *begin = &session->begin;
	bool known;

	pthread_mutex_lock(&begin->lock);
	/* Counted first: whoever is about to change something either sees it, or is seen by recent_holds(). */
	atomic_fetch_add(slot_beginnings(session->slot), 1);
	known = !atomic_load(&begin->waiting) && is_known(session, key, fields);
	if (known) {
		begin->turn++;
		atomic_store(&begin->waiting, true);
	} else {
		atomic_fetch_sub(slot_beginnings(session->slot), 1);
	}
	pthread_mutex_unlock(&begin->lock);
	return known;
}

static void remember(struct session *session, CK_OBJECT_HANDLE key, const struct hsm_writer *fields,
		     struct recent recent)
{
	struct beginning *begin = &session->begin;

	pthread_mutex_lock(&begin->lock);
	begin->recent = recent;
	begin->key = key;
	begin->fields_length = fields->length;
	memcpy(begin->fields, fields->data, fields->length);
	pthread_mutex_unlock(&begin->lock);
}

/* What is remembered is the last beginning or none: the session's stream hint is of the last. */
static void next_turn(struct session *session)
{
	struct beginning *begin = &session->begin;

	pthread_mutex_lock(&begin->lock);
	begin->idle = false;
	begin->recent.at_ns = 0;
	begin->turn++;
	pthread_mutex_unlock(&begin->lock);
}

static CK_RV begin_at_once(struct session *session, const CK_MECHANISM *mechanism,
			   CK_OBJECT_HANDLE key, const struct hsm_writer *fields)
{
	struct recent recent;
	struct call call;
	CK_RV rv = call_begin_in(&call, session, HSM_OP_SIGN_INIT);

	if (rv != CKR_OK)
		return rv;
	next_turn(session);
	recent = recent_now(session->slot);
	hsm_put_u64(call.writer, HSM_FIELD_KEY, key);
	rv = mechanism_put(call.writer, mechanism);
	if (rv == CKR_OK)
		rv = call_run(&call);
	if (rv == CKR_OK) {
		atomic_store_explicit(&session->stream[STREAM_SIGN], stream_hint(mechanism),
				      memory_order_relaxed);
		if (hsm_request_again(call.request) && !fields->error)
			remember(session, key, fields, recent);
	}
	call_end(&call);
	return rv;
}

CK_RV begin_sign(struct session *session, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	uint8_t bytes[BEGIN_FIELDS];
	struct hsm_writer fields;
	CK_RV rv;

	/* A parameter too long for it is not remembered, and one that is wrong is judged below. */
	hsm_writer_init(&fields, bytes, sizeof(bytes));
	rv = mechanism_put(&fields, mechanism);
	if (rv == CKR_OK && !fields.error && wait_for_data(session, key, &fields))
		return CKR_OK;
	return begin_at_once(session, mechanism, key, &fields);
}

/* ---- parts, and the end ---- */

bool begin_keep(struct session *session, const CK_BYTE *part, CK_ULONG length)
{
	struct beginning *begin = &session->begin;
	bool kept;

	pthread_mutex_lock(&begin->lock);
	if (!begin->data)
		begin->data = malloc(BEGIN_DATA);
	kept = atomic_load(&begin->waiting) && !begin->lost && begin->data &&
	       length <= BEGIN_DATA - begin->data_length;
	if (kept && length)
		memcpy(begin->data + begin->data_length, part, length);
	if (kept) {
		begin->data_length += length;
		begin->parts = true;
	}
	pthread_mutex_unlock(&begin->lock);
	return kept;
}

bool begin_take(struct session *session, struct call *call, enum hsm_operation end)
{
	struct beginning *begin = &session->begin;

	pthread_mutex_lock(&begin->lock);
	if (!atomic_load(&begin->waiting) || begin->lost || (end == HSM_OP_SIGN && begin->parts) ||
	    call_begin_now(call, session, end) != CKR_OK) {
		pthread_mutex_unlock(&begin->lock);
		return false;
	}
	begin->recent = recent_now(session->slot);
	put_beginning(call, begin);
	if (begin->data_length)
		hsm_put_bytes(call->writer, HSM_FIELD_DATA, begin->data, begin->data_length);
	return true;
}

/* What only a beginning is answered with: the operation that C_SignInit began is not there any more. */
static CK_RV not_there(CK_RV rv)
{
	switch (rv) {
	case CKR_KEY_HANDLE_INVALID:
	case CKR_KEY_TYPE_INCONSISTENT:
	case CKR_KEY_FUNCTION_NOT_PERMITTED:
	case CKR_KEY_SIZE_RANGE:
	case CKR_MECHANISM_INVALID:
	case CKR_MECHANISM_PARAM_INVALID:
	case CKR_OPERATION_ACTIVE:
		return CKR_OPERATION_NOT_INITIALIZED;
	default:
		return rv;
	}
}

CK_RV begin_taken(struct session *session, const struct call *call, CK_RV rv)
{
	struct beginning *begin = &session->begin;

	begin->idle = rv == CKR_OK;
	if (rv != CKR_OK || !hsm_request_again(call->request))
		begin->recent.at_ns = 0;
	stop_waiting(session);
	pthread_mutex_unlock(&begin->lock);
	return not_there(rv);
}

/* ---- the end of what the device knows of ---- */

uint64_t begin_turn(struct session *session)
{
	uint64_t turn;

	pthread_mutex_lock(&session->begin.lock);
	turn = session->begin.turn;
	pthread_mutex_unlock(&session->begin.lock);
	return turn;
}

void begin_ended(struct session *session, uint64_t turn)
{
	struct beginning *begin = &session->begin;

	pthread_mutex_lock(&begin->lock);
	if (begin->turn == turn)
		begin->idle = true;
	pthread_mutex_unlock(&begin->lock);
}
