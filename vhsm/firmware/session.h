/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients, their sessions, and the operations of these. commands.h tells the locks.
 */
#ifndef FIRMWARE_SESSION_H
#define FIRMWARE_SESSION_H

#include "partition.h"

#define SESSIONS_MAX  16384 /* of one client */
#define NOT_LOGGED_IN (-1)

struct hsm_receipt;
struct message;

/* ---- clients and sessions ---- */

/**
 * struct client - one application at one partition: its sessions and its login. Outlives its channel
 * when a successor takes it over.
 */
struct client {
	atomic_uint refs;
	struct partition *partition;
	struct firmware_context *context;
	bool owner;
	atomic_bool officer;
	atomic_bool auditor; /* of the device */
	atomic_int login; /* CKU_ or NOT_LOGGED_IN; written under partition.lock */
	uint32_t logouts; /* part of the handles of private token objects; under partition.lock */
	_Atomic(uint32_t) account; /* whose PIN it was: CKU_ or a named user's number; good while logged in */
	_Atomic(uint32_t) role; /* enum user_role of a user */
	struct client *next; /* under partition.lock */
	bool listed;

	pthread_mutex_t lock;
	bool closed;
	bool offered;
	uint8_t offer[SECRET_SIZE];
	struct session **session;
	uint32_t *serial;
	uint32_t room;
	uint32_t vacant; /* no place below this one is free */
	uint32_t count;
	uint32_t rw_count;
};

/**
 * struct operation - an active cryptographic operation of a session
 * @needs_private: its key is private, so it ends with the login
 * @needs_pin: CKA_ALWAYS_AUTHENTICATE: a CKU_CONTEXT_SPECIFIC login must come first
 * @unsaveable: something went in that a saved state must not hold, or more than it holds
 * @rest: what an ended operation gave, when it was too long for one response; fetched by further such commands
 * @signature: that the data to come is verified against (VERIFY_SIGNATURE_INIT)
 * @message: of a process of many messages (message_commands.c); @mech is then the message at hand
 * @key: handle of the key, 0: none
 * @parameters: parameter fields that it was begun with, for a saved state
 * @input: what has gone in so far, likewise
 */
struct operation {
	struct mech_operation *mech;
	bool needs_private;
	bool needs_pin;
	bool multi;
	bool unsaveable;
	uint64_t next_part;
	uint8_t *rest;
	size_t rest_length;
	size_t rest_done;
	uint8_t *signature;
	size_t signature_length;
	struct message *message;
	uint64_t key;
	uint8_t *parameters;
	size_t parameters_length;
	uint8_t *input;
	size_t input_length;
};

/* Slots of a session: one for each enum mech_use, and the processes of many messages */
enum operation_slot {
	OPERATION_MESSAGE_ENCRYPT = MECH_USES,
	OPERATION_MESSAGE_DECRYPT,
	OPERATION_MESSAGE_SIGN,
	OPERATION_MESSAGE_VERIFY,
	OPERATIONS,
};

struct session {
	atomic_uint refs;
	uint32_t id;
	bool rw;
	struct client *client;

	pthread_mutex_t lock;
	pthread_cond_t turn;
	bool busy;
	bool closed;
	bool drop_private; /* a logout came while a command ran */
	struct task *running; /* while busy: the command that has the turn */
	unsigned int waiting;
	struct object *objects; /* session objects made here, under partition.lock */

	/* whoever has the turn */
	struct hsm_receipt *receipt; /* of what is wrapped; NULL: none is open */
	bool last_approved; /* the last cryptographic command was an approved service */
	struct operation operation[OPERATIONS];
	bool finding;
	uint64_t *found;
	size_t found_count;
	size_t found_next;
};

/* ---- session.c ---- */

struct client *client_new(struct partition *partition, struct firmware_context *context,
			  bool owner);
void client_put(struct client *client);
struct client *client_get(struct client *client);
/* client_close - end its sessions and its login; later commands fail */
void client_close(struct client *client);
CK_RV session_open(struct client *client, bool rw, uint32_t *id);
/* session_find - a reference, or NULL */
struct session *session_find(struct client *client, uint32_t id);
void session_put(struct session *session);
CK_RV session_close(struct client *client, uint32_t id);
void sessions_close(struct client *client);

/**
 * session_enter - wait for the turn in a session
 * @use: enum mech_use of a part, with @part its number, else 0
 *
 * Return: CKR_OK, CKR_SESSION_HANDLE_INVALID when it was closed, CKR_FUNCTION_CANCELED, CKR_OPERATION_NOT_INITIALIZED.
 */
CK_RV session_enter(struct session *session, struct task *task, unsigned int use, uint64_t part);
void session_leave(struct session *session);
/* session_stop - ask the command that has the turn, if there is one, to end */
void session_stop(struct session *session);
/*
 * sessions_drop_private - logout: end operations with private keys, and private session objects, in all sessions of a
 * client. The caller holds partition.lock.
 */
void sessions_drop_private(struct client *client);
void operation_end(struct operation *operation);
/* message_end - end a process of many messages; its slot is emptied by operation_end() */
void message_end(struct message *message);
void find_end(struct session *session);
/* session_user - is the user logged in? */
bool session_user(const struct session *session);
bool session_so(const struct session *session);
/* session_writes - may it change token objects: is it read-write, and does the user's role allow it? */
bool session_writes(const struct session *session);

#endif /* FIRMWARE_SESSION_H */
