// SPDX-License-Identifier: Apache-2.0
/*
 * Clients and their sessions: opening, closing, and whose turn it is. A session runs one command at a
 * time; parts of a multi-part operation, which may arrive on several queues at once, wait here for
 * their predecessors.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "migrate.h"
#include "users.h"

#define INDEX_BITS    14
#define SERIAL_MASK   ((1U << (32 - INDEX_BITS)) - 1)
#define ROOM_FIRST    8
#define WAIT_SLICE_MS 20
#define PART_SLICES   500 /* a part waits 10 s for its predecessor */

_Static_assert(SESSIONS_MAX == 1 << INDEX_BITS, "session numbers");

/* ---- operations ---- */

void operation_end(struct operation *operation)
{
	mech_free(operation->mech);
	message_end(operation->message);
	OPENSSL_clear_free(operation->rest, operation->rest_length);
	OPENSSL_clear_free(operation->input, operation->input_length);
	OPENSSL_clear_free(operation->parameters, operation->parameters_length);
	OPENSSL_free(operation->signature);
	memset(operation, 0, sizeof(*operation));
}

void find_end(struct session *session)
{
	OPENSSL_free(session->found);
	session->found = NULL;
	session->found_count = session->found_next = 0;
	session->finding = false;
}

static void end_operations(struct session *session, bool only_private)
{
	unsigned int use;

	for (use = 0; use < OPERATIONS; use++)
		if (!only_private || session->operation[use].needs_private)
			operation_end(&session->operation[use]);
	if (!only_private)
		find_end(session);
}

/* ---- sessions ---- */

static void session_get(struct session *session)
{
	atomic_fetch_add_explicit(&session->refs, 1, memory_order_relaxed);
}

void session_put(struct session *session)
{
	if (!session || atomic_fetch_sub(&session->refs, 1) != 1)
		return;
	end_operations(session, false);
	free(session->receipt);
	pthread_cond_destroy(&session->turn);
	pthread_mutex_destroy(&session->lock);
	OPENSSL_free(session);
}

static struct session *session_new(struct client *client, bool rw)
{
	struct session *session = OPENSSL_zalloc(sizeof(*session));
	pthread_condattr_t attr;

	if (!session)
		return NULL;
	atomic_init(&session->refs, 1);
	session->client = client;
	session->rw = rw;
	pthread_mutex_init(&session->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&session->turn, &attr);
	pthread_condattr_destroy(&attr);
	return session;
}

static bool grow(struct client *client)
{
	uint32_t room = client->room ? client->room * 2 : ROOM_FIRST;
	struct session **session;
	uint32_t *serial;

	if (room > SESSIONS_MAX)
		return false;
	session = OPENSSL_realloc(client->session, room * sizeof(*session));
	if (!session)
		return false;
	client->session = session;
	serial = OPENSSL_realloc(client->serial, room * sizeof(*serial));
	if (!serial)
		return false;
	client->serial = serial;
	memset(session + client->room, 0, (room - client->room) * sizeof(*session));
	memset(serial + client->room, 0, (room - client->room) * sizeof(*serial));
	client->room = room;
	return true;
}

/* Give the session a number. The caller holds client->lock. */
static bool place(struct client *client, struct session *session)
{
	uint32_t i;

	for (i = client->vacant; i < client->room && client->session[i]; i++)
		;
	if (i == client->room && !grow(client))
		return false;
	client->serial[i] = (client->serial[i] + 1) & SERIAL_MASK;
	if (!client->serial[i])
		client->serial[i] = 1;
	session->id = client->serial[i] << INDEX_BITS | i;
	client->session[i] = session;
	client->vacant = i + 1;
	client->count++;
	client->rw_count += session->rw;
	return true;
}

/* The session at its place, or NULL. The caller holds client->lock. */
static struct session *at(const struct client *client, uint32_t id)
{
	uint32_t i = id & (SESSIONS_MAX - 1);

	if (i >= client->room || !client->session[i] || client->session[i]->id != id)
		return NULL;
	return client->session[i];
}

CK_RV session_open(struct client *client, bool rw, uint32_t *id)
{
	struct partition *partition = client->partition;
	struct session *session = session_new(client, rw);
	CK_RV rv = CKR_OK;

	if (!session)
		return CKR_HOST_MEMORY;
	pthread_mutex_lock(&partition->lock);
	pthread_mutex_lock(&client->lock);
	if (client->closed || partition->resetting)
		rv = CKR_FUNCTION_FAILED;
	else if (!rw && client->login == CKU_SO)
		rv = CKR_SESSION_READ_WRITE_SO_EXISTS;
	else if (partition->sessions >= partition->info.max_sessions || !place(client, session))
		rv = CKR_SESSION_COUNT;
	else
		partition->sessions++;
	*id = session->id;
	pthread_mutex_unlock(&client->lock);
	pthread_mutex_unlock(&partition->lock);
	if (rv != CKR_OK)
		session_put(session);
	return rv;
}

struct session *session_find(struct client *client, uint32_t id)
{
	struct session *session;

	pthread_mutex_lock(&client->lock);
	session = at(client, id);
	if (session)
		session_get(session);
	pthread_mutex_unlock(&client->lock);
	return session;
}

/* No command starts any more; what runs in it ends by itself */
static void shut(struct session *session)
{
	pthread_mutex_lock(&session->lock);
	session->closed = true;
	if (!session->busy)
		end_operations(session, false);
	pthread_cond_broadcast(&session->turn);
	pthread_mutex_unlock(&session->lock);
	session_put(session);
}

/* Take a session out of the table. The caller holds partition->lock and client->lock. */
static struct session *unplace(struct client *client, uint32_t id)
{
	struct session *session = at(client, id);
	uint32_t i;

	if (!session)
		return NULL;
	i = id & (SESSIONS_MAX - 1);
	client->session[i] = NULL;
	if (i < client->vacant)
		client->vacant = i;
	client->count--;
	client->rw_count -= session->rw;
	client->partition->sessions--;
	return session;
}

CK_RV session_close(struct client *client, uint32_t id)
{
	struct partition *partition = client->partition;
	struct session *session;

	pthread_mutex_lock(&partition->lock);
	pthread_mutex_lock(&client->lock);
	session = unplace(client, id);
	pthread_mutex_unlock(&client->lock);
	if (session) {
		session_objects_drop(partition, session, false);
		if (!client->count)
			partition_logout(partition, client);
	}
	pthread_mutex_unlock(&partition->lock);
	if (!session)
		return CKR_SESSION_HANDLE_INVALID;
	shut(session);
	return CKR_OK;
}

void sessions_close(struct client *client)
{
	struct partition *partition = client->partition;
	struct session *session;
	uint32_t i;

	pthread_mutex_lock(&partition->lock);
	pthread_mutex_lock(&client->lock);
	for (i = 0; i < client->room; i++) {
		session = client->session[i];
		if (!session)
			continue;
		unplace(client, session->id);
		session_objects_drop(partition, session, false);
		shut(session);
	}
	pthread_mutex_unlock(&client->lock);
	partition_logout(partition, client);
	pthread_mutex_unlock(&partition->lock);
}

/* ---- turns ---- */

/* May the command go on? CKR_PENDING: not yet. The caller holds session->lock. */
static CK_RV may_run(const struct session *session, unsigned int use, uint64_t part)
{
	const struct operation *operation = &session->operation[use];

	if (session->closed)
		return CKR_SESSION_HANDLE_INVALID;
	if (session->busy)
		return CKR_PENDING;
	if (!part)
		return CKR_OK;
	if (!operation->mech)
		return CKR_OPERATION_NOT_INITIALIZED;
	if (part < operation->next_part)
		return CKR_ARGUMENTS_BAD;
	return part == operation->next_part ? CKR_OK : CKR_PENDING;
}

static void wait_slice(struct session *session)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += WAIT_SLICE_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_cond_timedwait(&session->turn, &session->lock, &until);
}

/* The slow way of session_enter(): others can poll meanwhile, and the wait can be cancelled. */
static CK_RV wait_turn(struct session *session, struct task *task, unsigned int use, uint64_t part)
{
	unsigned int slices = 0;
	CK_RV rv;

	pthread_mutex_unlock(&session->lock);
	if (task_set_class(task, IHSM_TIME_MEDIUM) < 0) {
		pthread_mutex_lock(&session->lock);
		return CKR_FUNCTION_CANCELED;
	}
	pthread_mutex_lock(&session->lock);
	session->waiting++;
	while ((rv = may_run(session, use, part)) == CKR_PENDING) {
		if (task_cancelled(task))
			rv = CKR_FUNCTION_CANCELED;
		else if (part && !session->busy && slices++ >= PART_SLICES)
			rv = CKR_FUNCTION_FAILED;
		if (rv != CKR_PENDING)
			break;
		wait_slice(session);
	}
	session->waiting--;
	return rv;
}

CK_RV session_enter(struct session *session, struct task *task, unsigned int use, uint64_t part)
{
	CK_RV rv;

	pthread_mutex_lock(&session->lock);
	rv = may_run(session, use, part);
	if (rv == CKR_PENDING)
		rv = wait_turn(session, task, use, part);
	if (rv == CKR_OK) {
		session->busy = true;
		session->running = task;
	}
	pthread_mutex_unlock(&session->lock);
	return rv;
}

void session_leave(struct session *session)
{
	pthread_mutex_lock(&session->lock);
	if (session->closed || session->drop_private)
		end_operations(session, !session->closed);
	session->drop_private = false;
	session->busy = false;
	session->running = NULL;
	if (session->waiting)
		pthread_cond_broadcast(&session->turn);
	pthread_mutex_unlock(&session->lock);
}

void session_stop(struct session *session)
{
	pthread_mutex_lock(&session->lock);
	if (session->running)
		task_stop(session->running);
	pthread_mutex_unlock(&session->lock);
}

void sessions_drop_private(struct client *client)
{
	struct session *session;
	uint32_t i;

	pthread_mutex_lock(&client->lock);
	for (i = 0; i < client->room; i++) {
		session = client->session[i];
		if (!session)
			continue;
		session_objects_drop(client->partition, session, true);
		pthread_mutex_lock(&session->lock);
		if (session->busy)
			session->drop_private = true;
		else
			end_operations(session, true);
		pthread_mutex_unlock(&session->lock);
	}
	pthread_mutex_unlock(&client->lock);
}

bool session_user(const struct session *session)
{
	return session->client->login == CKU_USER;
}

bool session_so(const struct session *session)
{
	return session->client->login == CKU_SO;
}

bool session_writes(const struct session *session)
{
	return session->rw && user_may(session->client, MAY_WRITE);
}

/* ---- clients ---- */

struct client *client_new(struct partition *partition, struct firmware_context *context, bool owner)
{
	struct client *client = OPENSSL_zalloc(sizeof(*client));

	if (!client)
		return NULL;
	atomic_init(&client->refs, 1);
	atomic_init(&client->login, NOT_LOGGED_IN);
	atomic_fetch_add(&partition->refs, 1);
	client->partition = partition;
	client->context = context;
	client->owner = owner;
	pthread_mutex_init(&client->lock, NULL);
	pthread_mutex_lock(&partition->lock);
	client->next = partition->clients;
	partition->clients = client;
	client->listed = true;
	pthread_mutex_unlock(&partition->lock);
	return client;
}

struct client *client_get(struct client *client)
{
	atomic_fetch_add_explicit(&client->refs, 1, memory_order_relaxed);
	return client;
}

void client_put(struct client *client)
{
	if (!client || atomic_fetch_sub(&client->refs, 1) != 1)
		return;
	OPENSSL_free(client->session);
	OPENSSL_free(client->serial);
	pthread_mutex_destroy(&client->lock);
	partition_put(client->partition);
	OPENSSL_clear_free(client, sizeof(*client));
}

void client_close(struct client *client)
{
	struct partition *partition = client->partition;
	struct client **link;

	pthread_mutex_lock(&partition->lock);
	for (link = &partition->clients; *link && *link != client; link = &(*link)->next)
		;
	if (*link)
		*link = client->next;
	client->listed = false;
	pthread_mutex_lock(&client->lock);
	client->closed = true;
	pthread_mutex_unlock(&client->lock);
	pthread_mutex_unlock(&partition->lock);
	migrate_export_leave(partition, client);
	sessions_close(client);
}
