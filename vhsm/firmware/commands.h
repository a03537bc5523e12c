/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command execution, everything above the seam of firmware.h: who is who, and who locks what.
 * A message arrives on a channel (channel.c), is opened and dispatched (dispatch.c) to a handler (*_commands.c);
 * clients, sessions, objects and partitions are what the handlers work on.
 *
 * Locks, outer before inner:
 *   1. the turn in a session (session_enter): one command at a time; not a mutex
 *	then partition.pin_lock: one PIN at a time is tried or set
 *   2. partition.commit_lock: whoever changes what is stored. Held over the board's answer
 *   3. partition.lock: index of objects, list of clients, who is logged in. Never held over the board's
 *	answer, a PIN's key derivation or a private-key operation
 *   4. client.lock: table of sessions
 *   5. session.lock: whose turn it is
 * The list of partitions has a lock before all of these, never held over the board's answer. Leaves, under
 * which nothing else is taken: context.lock, channel.lock, partition.group.lock.
 *
 * Life times are reference counts. An object's contents never change once it is in the index: a change
 * puts a new one in its place, so that whoever holds a reference reads without a lock.
 */
#ifndef FIRMWARE_COMMANDS_H
#define FIRMWARE_COMMANDS_H

#include <pthread.h>
#include <stdatomic.h>
#include <hsm/operations.h>
#include <hsm/pkcs11.h>
#include <hsm/seal.h>
#include "attribute_rules.h"
#include "attributes.h"
#include "audit_state.h"
#include "firmware.h"
#include "mask_state.h"
#include "migrate_state.h"
#include "header.h"
#include "mech.h"
#include "policy.h"

#define SECRET_SIZE	32
#define LABEL_SIZE	32
#define SALT_SIZE	16
#define AEAD_NONCE_SIZE 12
#define AEAD_TAG_SIZE	16
#define AEAD_OVERHEAD	(AEAD_NONCE_SIZE + AEAD_TAG_SIZE)
#define PIN_MAX		255 /* as in the fields PIN and NEW_PIN */
#define SESSIONS_MAX	16384 /* of one client */
#define NOT_LOGGED_IN	(-1)

struct client;
struct message;
struct object;
struct partition;
struct session;
struct user_table;
struct officer_table;
struct hsm_receipt;

/* ---- credentials and the state of a partition ---- */

enum pin_kdf {
	PIN_KDF_PBKDF2 = 1, /* HMAC-SHA-512 */
	PIN_KDF_ARGON2ID = 2,
};

/**
 * struct stretch - how a PIN becomes a key
 * @kdf: enum pin_kdf
 * @memory: KiB, with Argon2id
 */
struct stretch {
	uint32_t kdf;
	uint32_t iterations;
	uint32_t memory;
	uint8_t salt[SALT_SIZE];
};

#define PIN_HISTORY_MAX 8 /* as in hsm/policy.h */

/**
 * struct credential - a PIN as it is stored: never the PIN, but a key wrapped under it
 * @set: there is a PIN
 * @failures: wrong PINs since the last right one
 * @failed_at: of the last one, clock_now()
 * @changed_at: when the PIN was set
 * @wrapped: nonce, AES-256-GCM of the partition's private key, tag
 * @past: how PINs become what is in @history; another salt than the key's
 * @history: keys of the last PINs, the present one first; as hard to guess from as @wrapped
 */
struct credential {
	uint32_t set;
	uint32_t failures;
	uint64_t failed_at;
	uint64_t changed_at;
	struct stretch stretch;
	uint8_t wrapped[SECRET_SIZE + AEAD_OVERHEAD];
	struct stretch past;
	uint32_t history_count;
	uint8_t history[PIN_HISTORY_MAX][SECRET_SIZE];
};

#define STATE_INITIALIZED (1U << 0) /* the token has a label and an SO */
#define STATE_WIPING	  (1U << 1) /* rows are being deleted; goes on at the next start */
#define STATE_CLAIM_PENDING \
	(1U << 2) /* device partition: officer's PIN set, claim not yet proven */

/**
 * struct partition_state - contents of a partition's header that change with commits
 * @so: the security officer; the device officer on the device partition
 * @user: the user without a name
 * @users: those with names (users.h), NULL: none. Never changed in place, and owned by the partition whose state it is
 * @officers: of the device partition (officers.h), likewise
 * @next_id: next object's id; never goes back
 * @counter: what the board's root record vouches for
 * @commits: since the counter moved
 * @rows: number of rows
 * @ticks: no value of the monotonic counter above this has been given away
 * @hash: keyed multiset hash over the rows
 * @masks: of keys that live outside
 * @audit: where the audit log stands
 * @migrate: on its way to or from another board
 */
struct partition_state {
	uint32_t flags;
	uint8_t label[LABEL_SIZE];
	struct credential so;
	struct credential user;
	struct user_table *users;
	struct officer_table *officers;
	uint64_t next_id;
	uint64_t counter;
	uint32_t commits;
	uint32_t rows;
	uint64_t ticks;
	uint8_t hash[32];
	struct mask_state masks;
	struct audit_state audit;
	struct migrate_state migrate;
};

/* ---- objects ---- */

/* struct object_link - place in a list that can be left from the middle; @before NULL: in none */
struct object_link {
	struct object *next;
	struct object **before;
};

/**
 * struct object - a token or session object
 * @handle: unique in the partition, never used again; of a token object its row's id
 * @stored_length: bytes that count for the quota
 * @generation: of the row, counts changes
 * @tag: of the sealed row: what the multiset hash takes of it
 * @sealed: of a private object that is locked or on its way to the disk: attributes under the private key
 * @owner: the session that made it, valid while the object is in the index; no reference
 * @mine: link of the owner's objects
 * @attributes: empty while the object is private and nobody is logged in
 * @key: made when first needed
 * @uses: of a key whose uses are limited; made when first needed, shared with what replaces the object
 * @next: link of the index by handle
 * @named: links of the index by label and by id. All links are under partition.lock.
 */
struct object {
	atomic_uint refs;
	uint32_t token : 1;
	uint32_t is_private : 1;
	uint32_t locked : 1;
	uint32_t stored_length : 29;
	uint64_t handle;
	union {
		struct { /* token objects */
			uint64_t generation;
			uint8_t tag[AEAD_TAG_SIZE];
			uint8_t *sealed;
		};
		struct { /* session objects */
			struct session *owner;
			struct object_link mine;
		};
	};
	struct attributes attributes;
	_Atomic(struct key *) key;
	_Atomic(struct use_counter *) uses;
	struct object *next;
	struct object_link named[2];
};

struct object_index {
	struct object **handles;
	struct object **names[2]; /* by label, by id */
	size_t buckets;
	size_t count;
};

/* ---- partitions ---- */

struct change_set;

/**
 * struct commit_group - commands whose changes wait for the next commit (commit_group.c)
 * @lock: of the list; a leaf
 * @led: some command is committing, and will see to the next one
 * @rows, @bytes: what the sets of the commit at hand add, under commit_lock
 */
struct commit_group {
	pthread_mutex_t lock;
	struct change_set *first;
	struct change_set **last;
	bool led;
	uint64_t rows;
	uint64_t bytes;
};

void commit_group_init(struct commit_group *group);
void commit_group_destroy(struct commit_group *group);

/* struct migrate_package - what the document at the head of a package says of it, while the package is coming */
struct migrate_package {
	uint8_t hash[HSM_MIGRATION_HASH];
	uint64_t time;
	uint64_t counter;
	bool unsafe;
	uint8_t board[BOARD_ID_SIZE];
};

struct migrate_export;
struct migrate_import;

/**
 * struct partition - one tenant's objects and credentials, or the device partition (id 0)
 * @failed: CKR_OK, or what every command is answered with; set under @lock
 * @dead: destroyed or given to another function
 * @policy: in force; NULL until it has been read
 * @bucket_full: of policy_rate()
 * @storage_key: and what is derived from it; wiped with the partition
 * @private_key: what PINs unwrap, while @logins is above 0
 * @export, @import, @package: of migrate.h, under commit_lock
 * @reader: whose @export it is, NULL: nobody's; written under commit_lock
 */
struct partition {
	atomic_uint refs;
	struct partition *next;
	struct board_partition info;
	uint64_t generation;
	bool device;
	atomic_bool dead;
	_Atomic(CK_RV) failed;
	_Atomic uint32_t changes; /* how often it was initialized since the firmware started */
	_Atomic(struct policy *) policy;
	_Atomic(uint64_t) bucket_full;
	struct audit_log *audit; /* under commit_lock; NULL: nothing was recorded yet */
	struct audit_uses *uses;
	atomic_uint client_rules; /* moves on when other applications may connect than before: channels end */
	SSL_CTX *tls; /* made with the first handshake; identity_tls() */
	struct attest_chains *chains; /* of attest_keys.c */
	uint8_t *identity;
	uint32_t identity_length;
	uint8_t storage_key[SECRET_SIZE];
	uint8_t wrapped_key[SECRET_SIZE + AEAD_OVERHEAD];
	uint32_t ladder; /* security version that @wrapped_key is for in the commit at hand, 0: as before */
	uint8_t header_key[SECRET_SIZE];
	uint8_t row_key[SECRET_SIZE];
	uint8_t hash_key[SECRET_SIZE];

	pthread_mutex_t pin_lock;
	atomic_bool trying; /* a PIN, under pin_lock: whether it is wrong nobody can say yet */
	struct commit_group group;
	pthread_mutex_t commit_lock;
	uint8_t *message; /* of the commit at hand, under commit_lock */
	uint8_t commit_key[SECRET_SIZE]; /* private_row_key for the commit at hand */
	struct migrate_export *export;
	_Atomic(const struct client *) reader;
	struct migrate_import *import;
	struct migrate_package package;

	pthread_mutex_t lock;
	struct partition_state state; /* written under both locks */
	struct object_index index;
	uint64_t token_bytes;
	uint64_t session_bytes;
	uint32_t session_objects;
	uint64_t next_session_object;
	uint64_t ticks; /* last value of the monotonic counter, 0: none since the start; under commit_lock */
	struct client *clients;
	unsigned int sessions;
	bool resetting; /* C_InitToken is at work: no session opens */
	unsigned int logins;
	unsigned int users;
	uint8_t private_key[SECRET_SIZE];
	uint8_t private_row_key[SECRET_SIZE];
};

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

/* ---- commands ---- */

/**
 * struct command - one command on its way through a handler
 * @session: with the turn taken, or NULL
 * @answer: session number for the response header
 * @out: fields of the response
 * @crypto: a mechanism is at work; @approved: in an approved use
 */
struct command {
	struct task *task;
	struct client *client;
	struct partition *partition;
	struct session *session;
	struct channel *channel;
	const struct hsm_operation_info *info;
	uint32_t answer;
	uint8_t use;
	bool crypto;
	bool approved;
	struct hsm_writer out;
	struct hsm_fields fields;
};

typedef CK_RV (*command_handler)(struct command *command);

/* ---- aead.c ---- */

int aead_start(void);
void aead_stop(void);

/* aead_seal - @out gets nonce, ciphertext and tag, AEAD_OVERHEAD more than @length. Return: 0 or -EIO. */
int aead_seal(const uint8_t key[SECRET_SIZE], const void *aad, size_t aad_length, const void *in,
	      size_t length, uint8_t *out);

/* aead_open - the reverse; @out gets @length - AEAD_OVERHEAD bytes. Return: 0 or -EBADMSG, @out wiped. */
int aead_open(const uint8_t key[SECRET_SIZE], const void *aad, size_t aad_length, const void *in,
	      size_t length, uint8_t *out);

/* derive_key - HKDF-SHA-256 of @secret with @salt and a label. Return: 0 or -EIO. */
int derive_key(const uint8_t secret[SECRET_SIZE], const uint8_t *salt, size_t salt_length,
	       const char *label, uint8_t key[SECRET_SIZE]);

/* Many openings under one key, whose schedule is made once. For one thread at a time. NULL: out of memory. */
struct aead_opener *aead_opener_new(const uint8_t key[SECRET_SIZE]);
int aead_opener_run(struct aead_opener *opener, const void *aad, size_t aad_length, const void *in,
		    size_t length, uint8_t *out);
void aead_opener_free(struct aead_opener *opener);
/* Likewise for sealing */
struct aead_sealer *aead_sealer_new(const uint8_t key[SECRET_SIZE]);
int aead_sealer_run(struct aead_sealer *sealer, const void *aad, size_t aad_length, const void *in,
		    size_t length, uint8_t *out);
void aead_sealer_free(struct aead_sealer *sealer);

/* hash_row - share of one row in the multiset hash (HMAC-SHA-256). Return: 0 or -EIO. */
int hash_row(const uint8_t key[SECRET_SIZE], uint64_t id, uint64_t generation, const uint8_t *tag,
	     uint8_t digest[32]);
/* The same for many rows */
struct row_hasher *row_hasher_new(const uint8_t key[SECRET_SIZE]);
int row_hasher_run(struct row_hasher *hasher, uint64_t id, uint64_t generation, const uint8_t *tag,
		   uint8_t digest[32]);
void row_hasher_free(struct row_hasher *hasher);
void hash_add(uint8_t sum[32], const uint8_t digest[32]);
void hash_subtract(uint8_t sum[32], const uint8_t digest[32]);

/* ---- rows.c: objects as they are stored ---- */

/**
 * row_write - seal an object
 * @object: its generation is set; its tag, stored length and sealed form are filled in
 * @text: room of BOARD_BLOB_MAX, wiped by the caller
 * @row: gets @object's stored length of bytes
 *
 * A private one is sealed under partition.commit_key as well.
 * Return: 0, -E2BIG when @room is too small, -EMSGSIZE when no row can be as large, -ENOMEM, -EIO.
 */
int row_write(const struct partition *partition, struct object *object, uint8_t *text, uint8_t *row,
	      size_t room);

/* row_reader_new - for the reading of many rows, NULL: out of memory */
struct row_reader *row_reader_new(const struct partition *partition);
void row_reader_free(struct row_reader *reader);
/* row_digest - an object's share of its partition's multiset hash. Return: 0 or -EIO. */
int row_digest(const struct partition *partition, const struct object *object, uint8_t digest[32]);

/* row_read - verify and open a row, add it to the multiset hash; a private object stays locked. Return: 0, -EBADMSG, -ENOMEM, -EIO. */
int row_read(struct row_reader *reader, uint64_t id, const uint8_t *row, size_t length,
	     uint8_t sum[32], struct object **object);

/* object_rest - give back what an object needs no more once it is stored and open. Before it is in the index. */
void object_rest(struct object *object);

/* object_locker_new - for objects to be opened under partition.private_row_key, or sealed; NULL: out of memory */
struct object_locker *object_locker_new(const struct partition *partition);
void object_locker_free(struct object_locker *locker);

/**
 * object_unlock - open a private object that nobody can see yet
 *
 * The caller holds partition.lock and puts it into the index by its names. Return: CKR_OK, or CKR_DEVICE_ERROR when it
 * does not open.
 */
CK_RV object_unlock(struct object_locker *locker, struct object *object);

/**
 * object_lock - the sealed form of a private object that nobody may see any more
 * @locked: set to the object itself, which is emptied, or when others use it to a new one that must take its place
 *
 * The caller holds partition.lock. Return: 0, or a negative errno: then nothing has changed.
 */
int object_lock(struct object_locker *locker, struct object *object, struct object **locked);

/* ---- store.c: what the board keeps for a partition ---- */

/* store_complain - a line on standard error that names the partition */
void store_complain(const struct partition *partition, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* One row of a commit: @before NULL: new; @after NULL: deleted */
struct store_change {
	struct object *before;
	struct object *after;
};

#define STORE_CHANGES_MAX 2048

/**
 * store_open - read the partition's header and rows; make them when the partition is new
 *
 * Return: 0; -EBADMSG when something does not verify: then the partition's @failed is set, and what could be
 * read is there; another negative errno when the board refuses.
 */
int store_open(struct partition *partition);

/**
 * store_commit - put a new state and changed rows on disk, in one transaction
 * @next: becomes the partition's state, with counter, rows and hash moved on
 * @changes: rows; the new objects' generation, tag and sealed form are filled in
 * @advance: move the fuse counter on, so that no older copy is accepted
 *
 * The caller holds commit_lock, and changes the index only after success. On failure nothing has changed.
 * Return: CKR_OK, CKR_DEVICE_MEMORY, CKR_HOST_MEMORY, CKR_DEVICE_ERROR.
 */
CK_RV store_commit(struct partition *partition, struct partition_state *next,
		   struct store_change *changes, size_t count, bool advance);

/* store_load_rows - read and verify all rows of a partition, of which the board says that there are so many */
int store_load_rows(struct partition *partition, uint32_t rows);

/* ladder.c: ladder_climb - have the storage key wrapped for the security version that runs; no lock is held */
void ladder_climb(struct partition *partition);

/* header.c: the header as bytes */
int header_write(const struct partition *partition, const struct partition_state *state,
		 uint8_t *out, size_t room, size_t *length);
int header_read(struct partition *partition, const uint8_t *key, const uint8_t *in, size_t length);
int header_create(struct partition *partition, const uint8_t *key);
/* header_keys - what is derived from the storage key; header_wrap - seal the storage key under the board's @key */
int header_keys(struct partition *partition);
int header_wrap(struct partition *partition, const uint8_t *key);

/*
 * header_body_write, header_body_read - the sections alone, which no key of this board seals. Return: 0, -EMSGSIZE,
 * -EBADMSG, -EPROTONOSUPPORT.
 */
int header_body_write(const struct partition *partition, const struct partition_state *state, uint8_t *out,
		      size_t room, size_t *length);
int header_body_read(struct partition *partition, uint8_t *body, size_t length);

/* ---- identity.c ---- */

/* identity_create - a new P-384 key, as bytes. Return: 0 or -EIO. */
int identity_create(uint8_t **identity, uint32_t *length);

/*
 * identity_tls - a TLS server context with the partition's identity and chain, one reference for the caller; NULL on
 * failure. Made when first asked for; that asks the board, so under no lock that must not be held then.
 */
SSL_CTX *identity_tls(struct partition *partition);

/* client_demand - have a TLS context demand a certificate, where the partition's policy says so (client_cert.c) */
void client_demand(struct partition *partition, SSL_CTX *tls);

/* identity_reset - what outlived a handshake is void: sessions cannot be resumed */
void identity_reset(struct partition *partition);

/* ---- partition.c ---- */

int partitions_start(const struct board_hello *hello);
void partitions_stop(void);

/* partitions_wipe - forget all keys at once, also under those who use them; the process ends then */
void partitions_wipe(void);
const struct board_hello *partitions_hello(void);
/* partition_find - a reference to the partition of this id, NULL: none here */
struct partition *partition_find(const uint8_t id[PARTITION_ID_SIZE]);
void partition_put(struct partition *partition);

/* partition_blank - one that nothing has been read of, in no list; NULL: out of memory */
struct partition *partition_blank(const struct board_partition *info);

/*
 * partition_reload - open the partition anew from what is stored, in place of this one, whose clients are closed. Returns a
 * reference, or NULL when it is not ours any more. The caller holds no lock.
 */
struct partition *partition_reload(struct partition *partition);

/* partition_evict - log everybody out and close all sessions; @but: a client whose channel stays. Takes partition.lock. */
void partition_evict(struct partition *partition, struct client *but);
/* partition_records - list for discovery; returns the number of bytes written */
size_t partition_records(uint8_t *out, size_t room);

/**
 * partition_reset - delete all token objects and start with a new state, as C_InitToken does
 * @next: flags, label and credentials; becomes the partition's state
 *
 * More objects than fit one commit go in several; STATE_WIPING stands in the header until the last is gone. The caller
 * holds commit_lock. Return: as store_commit().
 */
CK_RV partition_reset(struct partition *partition, struct partition_state *next);

/* partition_login - what a right PIN opens. The caller holds partition.lock. */
CK_RV partition_login(struct partition *partition, struct client *client, int user,
		      const uint8_t private_key[SECRET_SIZE]);
void partition_logout(struct partition *partition, struct client *client);
/* partition_lock_objects - private token objects back to their sealed form, if no user is logged in. Holds partition.lock. */
void partition_lock_objects(struct partition *partition);

/* ---- pin.c ---- */

/**
 * pin_make - a credential for a new PIN: new salt, @private_key wrapped under it. Takes some 0.1 s, with a history twice that
 * @old: the credential that it follows, for the history; NULL: none
 *
 * Return: CKR_OK, CKR_PIN_LEN_RANGE, CKR_PIN_INVALID (one of the last ones), CKR_DEVICE_ERROR.
 */
CK_RV pin_make(const struct partition *partition, const struct credential *old,
	       struct credential *credential, const uint8_t *pin, size_t length,
	       const uint8_t private_key[SECRET_SIZE]);

/**
 * pin_check - is this the PIN?
 * @account: CKU_USER, CKU_SO or a named user's number
 * @private_key: set when it is
 *
 * The failure is on disk before the PIN is tried, and taken back when it was right: no moment to kill the process
 * gives a free guess. The caller holds no lock. With CKR_PIN_LOCKED that passes, RETRY_AFTER goes into the response.
 * Return: CKR_OK, CKR_PIN_INCORRECT, CKR_PIN_LOCKED, CKR_USER_PIN_NOT_INITIALIZED ...
 */
CK_RV pin_check(struct command *command, uint32_t account, const uint8_t *pin, size_t length,
		uint8_t private_key[SECRET_SIZE]);

/* pin_length - may a new PIN have that length? CKR_OK or CKR_PIN_LEN_RANGE */
CK_RV pin_length(const struct partition *partition, size_t length);

/* pin_expired, pin_wait - has it expired; milliseconds until it may be tried, 0: now or, when it is locked, never */
bool pin_expired(const struct partition *partition, const struct credential *credential);
uint64_t pin_wait(const struct partition *partition, const struct credential *credential);

/* credential_of - the credential of an account in a state, NULL: there is no such user */
const struct credential *credential_of(const struct partition_state *state, uint32_t account);

/* credential_write, credential_read - in a section of the header */
struct header_cursor;
void credential_write(struct header_cursor *cursor, const struct credential *credential);
void credential_read(struct header_cursor *cursor, struct credential *credential);

/* credential_store - put a credential on disk, in a commit that no older copy outlives */
CK_RV credential_store(struct command *command, uint32_t account,
		       const struct credential *credential);

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

/* ---- object.c ---- */

struct object *object_new(void);
struct object *object_get(struct object *object);
void object_put(struct object *object);
/* object_key - a reference to the object's key, NULL when out of memory */
struct key *object_key(struct object *object);
/*
 * Handles as applications see them: a token object's row, a number with HANDLE_SESSION, or what builtin_objects.c makes of
 * HANDLE_BUILTIN. A private token object's also says after how many logouts of the application it was found: it is void
 * after the next one, and stays so when the user logs in again (PKCS#11 3.2, C_Logout).
 */
#define HANDLE_SESSION	     (1ULL << 62)
#define HANDLE_BUILTIN	     (1ULL << 61)
#define HANDLE_LOGOUTS_SHIFT 40
#define HANDLE_LOGOUTS_MASK  0xfffffU

/* object_handle - the object's handle for this application. The caller holds partition.lock. */
uint64_t object_handle(const struct object *object, const struct client *client);

bool object_visible(const struct object *object, const struct client *client);
/* object_find - a reference to a visible object, NULL: none. Takes partition.lock. */
struct object *object_find(struct command *command, uint64_t handle);

/* ---- index.c, all under partition.lock ---- */

/* index_reserve - make the tables large enough for so many objects. Return: 0 or -ENOMEM. */
int index_reserve(struct object_index *index, size_t count);
/* object_matches - has the object all attributes of a template, as far as it lets them be read? */
bool object_matches(const struct object *object, const struct attributes *template);

int index_insert(struct object_index *index, struct object *object);
/* index_name, index_unname - into and out of the tables of labels and ids, when attributes come or go */
void index_name(struct object_index *index, struct object *object);
void index_unname(struct object *object);
void index_remove(struct object_index *index, struct object *object);
struct object *index_find(const struct object_index *index, uint64_t handle);
void index_clear(struct object_index *index);
/* index_each - calls @visit for each object; it may replace the object it is given */
void index_each(struct object_index *index, void (*visit)(struct object *object, void *data),
		void *data);
/**
 * index_match - handles of the visible objects that match a template, ascending
 * Return: CKR_OK or CKR_HOST_MEMORY. *@handles is freed by the caller with OPENSSL_free().
 */
CK_RV index_match(const struct object_index *index, const struct attributes *template,
		  const struct client *client, uint64_t **handles, size_t *count);

/* object_store.c: changes to the set of objects */

/* object_settle - a new object from a template of C_CreateObject: rules, policy, checks of its values, history */
CK_RV object_settle(const struct command *command, const struct attributes *template, struct attributes *object);

/* object_settle_pair - may these two be halves of a pair here? CKR_OK or CKR_TEMPLATE_INCONSISTENT. */
CK_RV object_settle_pair(const struct command *command, const struct attributes *public_key,
			 const struct attributes *private_key);

/* object_allowed - may this session make such an object? CKR_OK, CKR_SESSION_READ_ONLY, CKR_USER_NOT_LOGGED_IN */
CK_RV object_allowed(const struct command *command, const struct attributes *attributes);

#define OBJECTS_ADD_MAX (MECH_MORE_KEYS + 1)

/**
 * objects_add - check role and quota, store and index new objects, in one commit
 * @sets: complete attributes of each; taken over, empty afterwards
 * @count: 1 to OBJECTS_ADD_MAX
 * @handles: set to the new handles
 */
CK_RV objects_add(struct command *command, struct attributes *sets, size_t count,
		  uint64_t *handles);
/* The object was replaced since it was found: look again. Never leaves the device. */
#define OBJECT_STALE (CKR_VENDOR_DEFINED | 0x4f53UL)

/* object_replace - @set, taken over, becomes the object's attributes. Return: CKR_OK, OBJECT_STALE ... */
CK_RV object_replace(struct command *command, struct object *before, struct attributes *set);
/* object_destroy - Return: CKR_OK, OBJECT_STALE ... */
CK_RV object_destroy(struct command *command, struct object *object);
/* session_objects_drop - destroy a session's objects; @only_private: at logout. The caller holds partition.lock. */
void session_objects_drop(struct partition *partition, struct session *session, bool only_private);

/* masked_objects_drop - take out all session objects of the partition with this CKA_HSM_MASK_ID. Takes partition.lock. */
void masked_objects_drop(struct partition *partition, uint64_t id);

/* ---- handlers ---- */

/**
 * struct command_row - how an operation is executed
 * @use: enum mech_use, for operations with parts
 * @flags: COMMAND_*
 */
struct command_row {
	command_handler handler;
	uint8_t use;
	uint8_t flags;
};

#define COMMAND_NO_TURN (1U << 0) /* runs beside other commands of its session */
#define COMMAND_ALWAYS	(1U << 1) /* also on the device partition and on one that failed */
#define COMMAND_DEVICE	(1U << 2) /* on the device partition only */
#define COMMAND_SECRET	(1U << 3) /* the request carries PINs or keys: wipe it */
#define COMMAND_PIN	(1U << 4) /* tries or sets a PIN: one at a time in a partition */
#define COMMAND_STATUS	(1U << 5) /* also in the error state: tells or ends something, and uses no key */
#define COMMAND_MOVING	(1U << 6) /* also while the partition is on its way between boards */

/* command_row_find - row of an operation code, NULL: not implemented */
const struct command_row *command_row_find(unsigned int code);

/**
 * command_execute - run an opened request
 * @request: command header and fields
 * @response: room for the response header and fields
 * @written: bytes of the response
 *
 * Return: IHSM_SC_SUCCESS, or a status when no answer can be given.
 */
enum ihsm_status command_execute(struct task *task, struct channel *channel, struct client *client,
				 uint8_t *request, size_t length, uint8_t *response, size_t room,
				 size_t *written);

/* channel.c, for CHANNEL_* */
CK_RV channel_offer(struct command *command);
CK_RV channel_take(struct command *command);
CK_RV channel_close_command(struct command *command);

/* admin_commands.c: a request to the board, and what its answer is to an application */
int ask_board(enum board_request type, const void *body, size_t size, void *reply, size_t capacity,
	      size_t *length);
CK_RV board_error(int error);

/* partition_policy_read - any partition and its policy, as the board has them; for function 0 (partition_commands.c) */
int partition_policy_read(const uint8_t id[PARTITION_ID_SIZE], struct board_partition *info, struct policy *policy);
/* partition_put_board - ask the board for a partition with that policy, or for a change of one; @info is then the board's */
CK_RV partition_put_board(enum board_request type, struct board_partition *info, const struct policy *policy);

/* name_valid - UTF-8 of 1 to 63 bytes without control characters: it is shown on terminals and in lists */
bool name_valid(const uint8_t *name, size_t length);

CK_RV command_nop(struct command *command);
CK_RV command_self_test(struct command *command);
CK_RV command_object_mask(struct command *command);
CK_RV command_object_unmask(struct command *command);
CK_RV command_object_remask(struct command *command);
CK_RV command_mask_revoke(struct command *command);
CK_RV command_mask_state(struct command *command);
CK_RV command_token_info(struct command *command);
CK_RV command_mechanism_list(struct command *command);
CK_RV command_mechanism_info(struct command *command);
CK_RV command_token_init(struct command *command);
CK_RV command_pin_init(struct command *command);
CK_RV command_pin_set(struct command *command);
CK_RV command_session_open(struct command *command);
CK_RV command_session_close(struct command *command);
CK_RV command_session_close_all(struct command *command);
CK_RV command_session_info(struct command *command);
CK_RV command_login(struct command *command);
CK_RV command_logout(struct command *command);
CK_RV command_session_cancel(struct command *command);
CK_RV command_object_create(struct command *command);
CK_RV command_object_copy(struct command *command);
CK_RV command_object_destroy(struct command *command);
CK_RV command_object_size(struct command *command);
CK_RV command_attributes_get(struct command *command);
CK_RV command_attributes_set(struct command *command);
CK_RV command_find_init(struct command *command);
CK_RV command_find(struct command *command);
CK_RV command_find_final(struct command *command);
CK_RV command_cipher_init(struct command *command);
CK_RV command_digest_init(struct command *command);
CK_RV command_single(struct command *command);
CK_RV command_update(struct command *command);
CK_RV command_final(struct command *command);
CK_RV command_digest_key(struct command *command);
CK_RV command_verify(struct command *command);
CK_RV command_verify_final(struct command *command);
CK_RV command_verify_recover(struct command *command);
CK_RV command_verify_signature_init(struct command *command);
CK_RV command_verify_signature(struct command *command);
CK_RV command_verify_signature_update(struct command *command);
CK_RV command_verify_signature_final(struct command *command);
CK_RV command_digest_encrypt(struct command *command);
CK_RV command_decrypt_digest(struct command *command);
CK_RV command_sign_encrypt(struct command *command);
CK_RV command_decrypt_verify(struct command *command);
CK_RV command_message_init(struct command *command);
CK_RV command_message_cipher(struct command *command);
CK_RV command_message_sign(struct command *command);
CK_RV command_message_verify(struct command *command);
CK_RV command_message_final(struct command *command);
CK_RV command_stop(struct command *command);
CK_RV command_validation_flags(struct command *command);
CK_RV command_state_get(struct command *command);
CK_RV command_state_set(struct command *command);
CK_RV command_generate_key(struct command *command);
CK_RV command_generate_pair(struct command *command);
CK_RV command_wrap(struct command *command);
CK_RV command_unwrap(struct command *command);
CK_RV command_derive(struct command *command);
CK_RV command_encapsulate(struct command *command);
CK_RV command_decapsulate(struct command *command);
CK_RV command_random(struct command *command);
CK_RV command_seed(struct command *command);
CK_RV command_claim(struct command *command);
CK_RV command_officer_login(struct command *command);
CK_RV command_officer_pin(struct command *command);
CK_RV command_device_status(struct command *command);
CK_RV command_device_condition(struct command *command);
CK_RV command_device_statement(struct command *command);
CK_RV command_device_lifecycle(struct command *command);
CK_RV command_device_recover(struct command *command);
CK_RV command_firmware_status(struct command *command);
CK_RV command_firmware_stage(struct command *command);
CK_RV command_firmware_activate(struct command *command);
CK_RV command_firmware_minimum(struct command *command);
CK_RV command_officer_add(struct command *command);
CK_RV command_officer_remove(struct command *command);
CK_RV command_officer_list(struct command *command);
CK_RV command_officer_key(struct command *command);
CK_RV command_quorum_set(struct command *command);
CK_RV command_approval_nonce(struct command *command);
CK_RV command_approval_grant(struct command *command);
CK_RV command_certificates(struct command *command);
CK_RV command_device_request(struct command *command);
CK_RV command_device_install(struct command *command);
CK_RV command_export_receipt(struct command *command);
CK_RV command_partition_list(struct command *command);
CK_RV command_partition_create(struct command *command);
CK_RV command_partition_assign(struct command *command);
CK_RV command_partition_destroy(struct command *command);
CK_RV command_partition_update(struct command *command);
CK_RV command_partition_policy(struct command *command);
CK_RV command_policy(struct command *command);
CK_RV command_migrate_status(struct command *command);
CK_RV command_migrate_request(struct command *command);
CK_RV command_migrate_freeze(struct command *command);
CK_RV command_migrate_export(struct command *command);
CK_RV command_migrate_finish(struct command *command);
CK_RV command_migrate_resume(struct command *command);
CK_RV command_backup_begin(struct command *command);
CK_RV command_partition_import(struct command *command);
CK_RV command_partition_receipt(struct command *command);
CK_RV command_import_offer(struct command *command);
CK_RV command_import_begin(struct command *command);
CK_RV command_import_chunk(struct command *command);
CK_RV command_import_end(struct command *command);
CK_RV command_import_abandon(struct command *command);
CK_RV command_user_create(struct command *command);
CK_RV command_user_remove(struct command *command);
CK_RV command_user_list(struct command *command);
CK_RV command_user_pin(struct command *command);
CK_RV command_user_unlock(struct command *command);
CK_RV command_user_role(struct command *command);
CK_RV command_audit_status(struct command *command);
CK_RV command_audit_read(struct command *command);
CK_RV command_audit_sign(struct command *command);
CK_RV command_audit_release(struct command *command);
CK_RV command_evidence(struct command *command);
CK_RV command_key_evidence(struct command *command);

#endif /* FIRMWARE_COMMANDS_H */
