/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A partition: its state and credentials, what the board keeps of it, who it is. commands.h tells the locks.
 */
#ifndef FIRMWARE_PARTITION_H
#define FIRMWARE_PARTITION_H

#include <pthread.h>
#include <stdatomic.h>
#include <hsm/pkcs11.h>
#include <hsm/seal.h>
#include "audit_state.h"
#include "firmware.h"
#include "header.h"
#include "mask_state.h"
#include "migrate_state.h"
#include "objects.h"
#include "policy.h"
#include "statistics.h"

#define LABEL_SIZE 32
#define PIN_MAX	   255 /* as in the fields PIN and NEW_PIN */

struct client;
struct officer_table;
struct user_table;

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
	struct statistics statistics;
};

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

/* partitions_raise_minimum - the board has taken a higher least security version: it is told from now on */
void partitions_raise_minimum(uint32_t version);

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

#endif /* FIRMWARE_PARTITION_H */
