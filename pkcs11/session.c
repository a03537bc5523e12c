/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of sessions, and the calls about sessions, PINs and login. A handle is a number of
 * use and an index; finding its session is one compare-and-swap on the session's own cache line,
 * so that threads with sessions of their own do not meet.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "internal.h"

#define SESSION_OPEN	0x80000000U /* in the low half of the word; the rest of it counts users */
#define CHUNK		256U
#define CHUNKS		256U
#define INDEX_BITS	20
#define GENERATION_MASK ((uint32_t)(ULONG_MAX >> INDEX_BITS))

/* Chunks are made as they are needed and stay: a late thread may look at a session at any time. */
static struct session *_Atomic chunks[CHUNKS];
static struct session *free_sessions;
static uint32_t made;   /* chunks */
static _Atomic unsigned int open_count;

static CK_SESSION_HANDLE handle_of(const struct session *session, uint64_t word)
{
	return ((CK_SESSION_HANDLE)(word >> 32) & GENERATION_MASK) << INDEX_BITS |
	       (session->index + 1);
}

static struct session *find(CK_SESSION_HANDLE handle)
{
	uint32_t index = (handle & ((1U << INDEX_BITS) - 1)) - 1;
	struct session *chunk;

	if (index >= CHUNK * CHUNKS)
		return NULL;
	chunk = atomic_load_explicit(&chunks[index / CHUNK], memory_order_acquire);
	return chunk ? &chunk[index % CHUNK] : NULL;
}

CK_RV session_get(CK_SESSION_HANDLE handle, struct session **session)
{
	struct session *s;
	uint64_t word;

	if (!module_running())
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	s = find(handle);
	if (!s)
		return CKR_SESSION_HANDLE_INVALID;
	word = atomic_load_explicit(&s->word, memory_order_relaxed);
	do {
		if (!(word & SESSION_OPEN) || handle_of(s, word) != handle)
			return CKR_SESSION_HANDLE_INVALID;
	} while (!atomic_compare_exchange_weak_explicit(
		&s->word, &word, word + 1, memory_order_acquire, memory_order_relaxed));
	*session = s;
	return CKR_OK;
}

/* Under the module lock. */
static void give_back(struct session *session)
{
	session->next = free_sessions;
	free_sessions = session;
}

/* Nobody has the session any more: the device may forget it too. */
static void session_end(struct session *session)
{
	struct slot *slot = session->slot;
	struct call call;

	async_end(session);
	begin_end(session);
	if (module_running() && call_begin_in(&call, session, HSM_OP_SESSION_CLOSE) == CKR_OK)
		call_finish(&call);
	module_lock();
	give_back(session);
	module_unlock();
	slot_put(slot);
	atomic_fetch_sub(&open_count, 1);
	module_left();
}

void session_put(struct session *session)
{
	uint64_t word = atomic_fetch_sub_explicit(&session->word, 1, memory_order_acq_rel) - 1;

	if (!(uint32_t)word)
		session_end(session);
}

/* No new user from here on. The caller counts itself as one. */
static bool session_shut(struct session *session)
{
	return atomic_fetch_and(&session->word, ~(uint64_t)SESSION_OPEN) & SESSION_OPEN;
}

static bool chunk_make(void)
{
	struct session *chunk;
	uint32_t i;

	if (made == CHUNKS)
		return false;
	chunk = aligned_alloc(64, CHUNK * sizeof(*chunk));
	if (!chunk)
		return false;
	memset(chunk, 0, CHUNK * sizeof(*chunk));
	for (i = CHUNK; i-- > 0;) {
		chunk[i].index = made * CHUNK + i;
		pthread_mutex_init(&chunk[i].async_lock, NULL);
		pthread_mutex_init(&chunk[i].begin.lock, NULL);
		pthread_mutex_init(&chunk[i].info.lock, NULL);
		give_back(&chunk[i]);
	}
	atomic_store_explicit(&chunks[made++], chunk, memory_order_release);
	return true;
}

static struct session *session_take(void)
{
	struct session *session = NULL;

	module_lock();
	if (free_sessions || chunk_make()) {
		session = free_sessions;
		free_sessions = session->next;
	}
	module_unlock();
	return session;
}

/* The count on @slot goes over to the session. */
static CK_RV session_make(struct slot *slot, uint32_t device_session, unsigned int generation,
			  bool async, CK_SESSION_HANDLE *handle)
{
	struct session *session = session_take();
	uint64_t word;
	int i;

	if (!session)
		return CKR_HOST_MEMORY;
	session->slot = slot;
	session->device_session = device_session;
	session->generation = generation;
	session->async = async;
	begin_new(session);
	for (i = 0; i < STREAM_USES; i++)
		atomic_store_explicit(&session->stream[i], 0, memory_order_relaxed);
	word = ((atomic_load(&session->word) >> 32) + 1) << 32 | SESSION_OPEN;
	atomic_fetch_add(&open_count, 1);
	*handle = handle_of(session, word);
	atomic_store_explicit(&session->word, word, memory_order_release);
	return CKR_OK;
}

static void shut_one(struct session *session)
{
	session_shut(session);
}

void sessions_each(const struct slot *slot, void (*each)(struct session *session))
{
	struct session *session;
	uint64_t word;
	uint32_t i;

	for (i = 0; i < CHUNK * CHUNKS; i++) {
		session = find(i + 1);
		if (!session)
			break;
		word = atomic_load(&session->word);
		do {
			if (!(word & SESSION_OPEN))
				break;
		} while (!atomic_compare_exchange_weak(&session->word, &word, word + 1));
		if (!(word & SESSION_OPEN))
			continue;
		if (!slot || session->slot == slot)
			each(session);
		session_put(session);
	}
}

void sessions_close(const struct slot *slot)
{
	sessions_each(slot, shut_one);
}

unsigned int sessions_open(void)
{
	return atomic_load(&open_count);
}

void sessions_forget(void)
{
	struct session *session;
	uint32_t i;

	free_sessions = NULL;
	for (i = made * CHUNK; i-- > 0;) {
		session = find(i + 1);
		pthread_mutex_init(&session->async_lock, NULL);
		atomic_store(&session->pending, NULL);
		begin_child(session);
		/* The number of use goes on, so that a handle of the parent is none here. */
		atomic_store(&session->word, atomic_load(&session->word) >> 32 << 32);
		give_back(session);
	}
	atomic_store(&open_count, 0);
}

/*
 * A channel that was lost is replaced by the command that finds it lost, so the generation may
 * move on while the session is opened: then it is not known to which of the two channels the
 * session belongs.
 */
static CK_RV open_once(struct slot *slot, struct call *call, CK_FLAGS flags,
		       unsigned int *generation)
{
	unsigned int before = hsm_channel_generation(slot_channel(slot));
	CK_RV rv;

	hsm_put_u64(call->writer, HSM_FIELD_FLAGS, flags & ~CKF_ASYNC_SESSION);
	rv = call_run(call);
	*generation = hsm_channel_generation(slot_channel(slot));
	if (rv == CKR_OK && *generation != before)
		rv = CKR_DEVICE_ERROR;
	return rv;
}

#define OPEN_TRIES 3

static CK_RV open_on(CK_SLOT_ID id, CK_FLAGS flags, CK_SESSION_HANDLE *handle)
{
	unsigned int generation = 0, tries = 0;
	struct call call;
	CK_RV rv;

	do {
		rv = call_begin_slot(&call, id, HSM_OP_SESSION_OPEN);
		if (rv != CKR_OK)
			return rv;
		rv = open_once(call.slot, &call, flags, &generation);
		if (rv == CKR_OK)
			rv = session_make(call.slot, hsm_request_session(call.request), generation,
					  flags & CKF_ASYNC_SESSION, handle);
		call_end(&call);
		if (rv != CKR_OK)
			slot_put(call.slot);
	} while ((rv == CKR_DEVICE_ERROR || rv == CKR_DEVICE_REMOVED) && ++tries < OPEN_TRIES);
	return rv;
}

MODULE_API CK_RV C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify,
			       CK_SESSION_HANDLE *handle)
{
	CK_RV rv = module_enter();

	/* Nothing ever calls back: no device here has a button. */
	(void)application;
	(void)notify;
	if (rv != CKR_OK)
		return rv;
	if (!handle)
		rv = CKR_ARGUMENTS_BAD;
	else if (!slot_known(slot))
		rv = CKR_SLOT_ID_INVALID;
	else if (!(flags & CKF_SERIAL_SESSION))
		rv = CKR_SESSION_PARALLEL_NOT_SUPPORTED;
	else
		rv = open_on(slot, flags, handle);
	module_leave();
	return rv;
}

MODULE_API CK_RV C_CloseSession(CK_SESSION_HANDLE handle)
{
	struct session *session;
	CK_RV rv = session_get(handle, &session);

	if (rv != CKR_OK)
		return rv;
	/* Of two threads that close at a time one is the first. */
	if (!session_shut(session))
		rv = CKR_SESSION_HANDLE_INVALID;
	session_put(session);
	return rv;
}

MODULE_API CK_RV C_CloseAllSessions(CK_SLOT_ID id)
{
	struct slot *slot;
	CK_RV rv = module_enter();

	if (rv != CKR_OK)
		return rv;
	rv = slot_find(id, &slot);
	if (rv == CKR_OK) {
		sessions_close(slot);
		slot_put(slot);
	}
	module_leave();
	return rv;
}

/* There is no protected way to enter a PIN, so a PIN that is not there is a mistake. */
static bool pin_given(const CK_UTF8CHAR *pin, CK_ULONG length)
{
	return pin || !length;
}

static void put_pin(struct call *call, enum hsm_field_tag tag, const CK_UTF8CHAR *pin,
		    CK_ULONG length)
{
	hsm_put_bytes(call->writer, tag, pin ? pin : (const CK_UTF8CHAR *)"", length);
}

MODULE_API CK_RV C_InitPIN(CK_SESSION_HANDLE handle, CK_UTF8CHAR *pin, CK_ULONG length)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_PIN_INIT);

	if (rv != CKR_OK)
		return rv;
	if (!pin_given(pin, length) || length > PIN_FIELD_MAX) {
		call_end(&call);
		return pin ? CKR_PIN_LEN_RANGE : CKR_ARGUMENTS_BAD;
	}
	put_pin(&call, HSM_FIELD_NEW_PIN, pin, length);
	rv = call_answer(call.session, &call, &(struct answer){ .function = "C_InitPIN" });
	call_end(&call);
	return rv;
}

MODULE_API CK_RV C_SetPIN(CK_SESSION_HANDLE handle, CK_UTF8CHAR *old_pin, CK_ULONG old_length,
			  CK_UTF8CHAR *new_pin, CK_ULONG new_length)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_PIN_SET);

	if (rv != CKR_OK)
		return rv;
	if (!pin_given(old_pin, old_length) || !pin_given(new_pin, new_length))
		rv = CKR_ARGUMENTS_BAD;
	else if (old_length > PIN_FIELD_MAX)
		rv = CKR_PIN_INCORRECT;
	else if (new_length > PIN_FIELD_MAX)
		rv = CKR_PIN_LEN_RANGE;
	if (rv != CKR_OK) {
		call_end(&call);
		return rv;
	}
	put_pin(&call, HSM_FIELD_PIN, old_pin, old_length);
	put_pin(&call, HSM_FIELD_NEW_PIN, new_pin, new_length);
	rv = call_answer(call.session, &call, &(struct answer){ .function = "C_SetPIN" });
	call_end(&call);
	return rv;
}

/* @name_length 0: the user without a name */
static CK_RV login(CK_SESSION_HANDLE handle, CK_USER_TYPE user, const CK_UTF8CHAR *pin,
		   CK_ULONG length, const CK_UTF8CHAR *name, CK_ULONG name_length)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_LOGIN);

	if (rv != CKR_OK)
		return rv;
	if (!pin_given(pin, length) || (!name && name_length))
		rv = CKR_ARGUMENTS_BAD;
	else if (length > PIN_FIELD_MAX || name_length > NAME_FIELD_MAX)
		rv = CKR_PIN_INCORRECT;
	if (rv != CKR_OK) {
		call_end(&call);
		return rv;
	}
	hsm_put_u64(call.writer, HSM_FIELD_USER, user);
	put_pin(&call, HSM_FIELD_PIN, pin, length);
	if (name_length)
		hsm_put_bytes(call.writer, HSM_FIELD_NAME, name, name_length);
	rv = call_answer(call.session, &call,
			 &(struct answer){ .function = name_length ? "C_LoginUser" : "C_Login" });
	call_end(&call);
	return rv;
}

MODULE_API CK_RV C_Login(CK_SESSION_HANDLE handle, CK_USER_TYPE user, CK_UTF8CHAR *pin,
			 CK_ULONG length)
{
	return login(handle, user, pin, length, NULL, 0);
}

MODULE_API CK_RV C_LoginUser(CK_SESSION_HANDLE handle, CK_USER_TYPE user, CK_UTF8CHAR *pin,
			     CK_ULONG length, CK_UTF8CHAR *name, CK_ULONG name_length)
{
	return login(handle, user, pin, length, name, name_length);
}

MODULE_API CK_RV C_Logout(CK_SESSION_HANDLE handle)
{
	struct call call;
	CK_RV rv = call_begin(&call, handle, HSM_OP_LOGOUT);

	return rv == CKR_OK ? call_finish(&call) : rv;
}

MODULE_API CK_RV C_SessionCancel(CK_SESSION_HANDLE handle, CK_FLAGS flags)
{
	struct session *session;
	struct call call;
	CK_RV rv = session_get(handle, &session);

	if (rv != CKR_OK)
		return rv;
	async_cancel(session, flags);
	session_put(session);
	rv = call_begin(&call, handle, HSM_OP_SESSION_CANCEL);
	if (rv != CKR_OK)
		return rv;
	hsm_put_u64(call.writer, HSM_FIELD_FLAGS, flags);
	return call_finish(&call);
}
