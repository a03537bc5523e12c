/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The board's own parts, from the lowest to the highest: error texts, fuses, keys, non-volatile
 * memory, the state made of these three, storage requests, the firmware bundle and the functions
 * that run it. Documentation/board.rst explains what each protects.
 */
#ifndef BOARD_INTERNAL_H
#define BOARD_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <hsm/board.h>
#include <hsm/fw_manifest.h>

#define BOARD_ERROR_MAX	     512
#define BOARD_MAX_FUNCTIONS  64
#define BOARD_MAX_PARTITIONS 1024
#define BOARD_SECRET_SIZE    32
#define BOARD_HASH_SIZE	     48 /* SHA-384 */
#define BOARD_SERIAL_SIZE    32

/* Quotas of a partition that was created without any */
#define BOARD_DEFAULT_OBJECTS  16384
#define BOARD_DEFAULT_SESSIONS 16384
#define BOARD_DEFAULT_BYTES    (64U << 20)

/* ---- text.c: one-line messages ---- */

/**
 * struct error - why something failed: which part, what, what to do; one line without its end
 */
struct error {
	char text[BOARD_ERROR_MAX];
};

/* error_set - format @error (may be NULL) and return @code, so that failing is one statement */
int error_set(struct error *error, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* board_log - one line with the time to standard error; never a secret */
void board_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/**
 * log_open - make the file standard error, appended to and private
 * Return: 0 or a negative errno.
 */
int log_open(const char *path, struct error *error);

/* log_bound - when the log has grown above its limit, keep it as FILE.1 and begin anew */
void log_bound(const char *path);

/* ---- fuses.c: the board's one-time and monotonic values ---- */

enum fuse_flag {
	FUSE_INITIALIZED = 1U << 0, /* the database belongs to these fuses */
	FUSE_CLAIMED = 1U << 1,
	FUSE_NEXT_ROOT = 1U << 2, /* a rotation of the storage root is under way */
	FUSE_EMBEDDED = 1U << 3, /* made as a user's own directory */
	FUSE_APPROVED = 1U << 4, /* made for approved mode, and never used in another */
	FUSE_TAMPERED =
		1U << 7, /* a sensor tripped; no partition is served before an officer's word */
	FUSE_RECOVERED = 1U << 8, /* an old copy was accepted once, see @recoveries */
	FUSE_ERASED = 1U << 9, /* with FUSE_TAMPERED: the erase that it asks for is done */
};

/**
 * struct fuse_values - what the fuses hold
 * @counter: monotonic; what the root record is compared with
 * @flags: enum fuse_flag
 * @lifecycle: enum hsm_lifecycle; with @debug an input of the platform key
 * @debug: debug state, 0: closed
 * @minimum_version: older firmware is refused
 * @claim_failures: wrong claim codes since the code was drawn
 * @root: storage root: the root record is sealed under it
 * @next_root: its successor while FUSE_NEXT_ROOT is set
 * @tamper: sensors that tripped, 1 << place in the list; kept until the next time
 * @tampers: how often the board was tampered with in its life
 * @recoveries: old copies that officers accepted as the present state
 * @recovery_tries: counter steps that the partition of the officers took without the counter
 * @erased_partitions: partitions of tenants that the last erase of the whole board destroyed
 * @erased: counter after it, 0: never
 * @erased_time: of it, seconds since 1970
 */
struct fuse_values {
	uint64_t counter;
	uint32_t flags;
	uint32_t lifecycle;
	uint32_t debug;
	uint32_t minimum_version;
	uint32_t claim_failures;
	uint8_t board_id[BOARD_ID_SIZE];
	char serial[BOARD_SERIAL_SIZE];
	uint8_t vendor_hash[BOARD_HASH_SIZE];
	uint8_t secret[BOARD_SECRET_SIZE];
	uint8_t root[BOARD_SECRET_SIZE];
	uint8_t next_root[BOARD_SECRET_SIZE];
	uint32_t tamper;
	uint32_t tampers;
	uint32_t recoveries;
	uint32_t recovery_tries;
	uint32_t erased_partitions;
	uint64_t erased;
	uint64_t erased_time;
};

struct fuses;

/* fuses_in_file - is @where a path? Otherwise the fuses are in a TPM: fuses_tpm.c */
bool fuses_in_file(const char *where);

/**
 * fuses_create - make new fuses, complete or not at all
 * @where: path of a file, or tpm:...; there must be none
 *
 * Return: 0, -EEXIST or another negative errno.
 */
int fuses_create(const char *where, const struct fuse_values *values, struct error *error);

/* fuses_remove - make them go; 0 also when there were none, or a negative errno */
int fuses_remove(const char *where, struct error *error);

/**
 * fuses_open - open and check fuses
 * @fuses: set to the open fuses; fuses_close() frees them
 *
 * Return: 0, -ENOENT, -EBADMSG when no slot verifies, -EPROTONOSUPPORT for an unknown version,
 * or another negative errno.
 */
int fuses_open(const char *where, struct fuses **fuses, struct error *error);
void fuses_close(struct fuses *fuses);

/* fuses_values - the values in force, valid until the next fuses_store() */
const struct fuse_values *fuses_values(const struct fuses *fuses);

/**
 * fuses_store - put new values in force
 * @both: also overwrite the former values, because a secret in them has to go
 *
 * Return: 0: durable; or a negative errno: the former values are in force, here and most likely on
 * the disk.
 */
int fuses_store(struct fuses *fuses, const struct fuse_values *values, bool both);

/* ---- keys.c: derivation and sealing ---- */

#define SEAL_OVERHEAD 28 /* nonce and tag */
#define LADDER_TOP    255 /* highest security version that there will ever be */

struct keys;

/* The library context that all of the board's cryptography happens in */
struct ossl_lib_ctx_st *keys_libctx(struct keys *keys);

/**
 * keys_new - an own libcrypto context without configuration
 * Return: 0 or a negative errno.
 */
int keys_new(struct keys **keys);
void keys_free(struct keys *keys);

/* keys_libctx - the context, for what else the board asks of libcrypto */
OSSL_LIB_CTX *keys_libctx(struct keys *keys);

int keys_random(struct keys *keys, void *bytes, size_t length);

/* keys_hash - SHA-384 */
int keys_hash(struct keys *keys, const void *bytes, size_t length, uint8_t hash[BOARD_HASH_SIZE]);

/* keys_platform - KDF(device secret, vendor key hash, lifecycle, debug state) */
int keys_platform(struct keys *keys, const struct fuse_values *values, uint8_t key[BOARD_KEY_SIZE]);

/* keys_ladder - the platform key's derivate for firmware of @version: 1 .. LADDER_TOP */
int keys_ladder(struct keys *keys, const uint8_t platform[BOARD_KEY_SIZE], uint32_t version,
		uint8_t key[BOARD_KEY_SIZE]);

/* keys_ladder_down - from the key of @version to the key of the version below it */
int keys_ladder_down(struct keys *keys, uint32_t version, uint8_t key[BOARD_KEY_SIZE]);

/* keys_root - the key that seals the root record */
int keys_root(struct keys *keys, const uint8_t platform[BOARD_KEY_SIZE],
	      const uint8_t root[BOARD_SECRET_SIZE], uint8_t key[BOARD_KEY_SIZE]);

/* keys_partition - what BOARD_OPEN hands out */
int keys_partition(struct keys *keys, const uint8_t ladder[BOARD_KEY_SIZE],
		   const uint8_t wrapping[BOARD_SECRET_SIZE], const uint8_t id[PARTITION_ID_SIZE],
		   uint64_t generation, uint8_t key[BOARD_KEY_SIZE]);

/**
 * keys_seal - AES-256-GCM under a random nonce
 * @out: @length + SEAL_OVERHEAD bytes
 */
int keys_seal(struct keys *keys, const uint8_t key[BOARD_KEY_SIZE], const void *bound,
	      size_t bound_length, const void *plain, size_t length, uint8_t *out);

/**
 * keys_unseal - undo keys_seal()
 * @plain: @length - SEAL_OVERHEAD bytes; wiped when the tag is wrong
 *
 * Return: 0, -EBADMSG when it does not verify, or another negative errno.
 */
int keys_unseal(struct keys *keys, const uint8_t key[BOARD_KEY_SIZE], const void *bound,
		size_t bound_length, const uint8_t *sealed, size_t length, void *plain);

/* ---- nvm.c: the database; the caller serializes ---- */

struct nvm;

/**
 * nvm_open - open the database, or create it
 * @create: remove what is there and make an empty one
 *
 * Return: 0, -ENOENT, -EPROTONOSUPPORT for an unknown format version, -EBADMSG when it is damaged
 * or not ours, or another negative errno.
 */
int nvm_open(const char *path, bool create, struct nvm **nvm, struct error *error);
void nvm_close(struct nvm *nvm);

/* nvm_remove - unlink the database and what SQLite keeps beside it */
void nvm_remove(const char *path);

/*
 * All writes happen between nvm_begin() and nvm_commit(). Errors: -ENOSPC, -EBADMSG (damaged),
 * -EIO.
 */
int nvm_begin(struct nvm *nvm);
int nvm_commit(struct nvm *nvm);
void nvm_rollback(struct nvm *nvm);

/*
 * nvm_root_get, nvm_header_get - *length is 0 when there is none; -EMSGSIZE when @capacity is too
 * small
 */
int nvm_root_get(struct nvm *nvm, void *blob, size_t capacity, size_t *length);
int nvm_root_set(struct nvm *nvm, const void *blob, size_t length);
int nvm_header_get(struct nvm *nvm, const uint8_t id[PARTITION_ID_SIZE], void *blob,
		   size_t capacity, size_t *length);
int nvm_header_set(struct nvm *nvm, const uint8_t id[PARTITION_ID_SIZE], const void *blob,
		   size_t length);

/* nvm_policy_get, nvm_policy_set - length 0: there is none */
int nvm_policy_get(struct nvm *nvm, const uint8_t id[PARTITION_ID_SIZE], void *blob,
		   size_t capacity, size_t *length);
int nvm_policy_set(struct nvm *nvm, const uint8_t id[PARTITION_ID_SIZE], const void *blob,
		   size_t length);

/* nvm_item_get, nvm_item_set - the board's own, by name; length 0: there is none */
int nvm_item_get(struct nvm *nvm, const char *name, void *blob, size_t capacity, size_t *length);
int nvm_item_set(struct nvm *nvm, const char *name, const void *blob, size_t length);

/* nvm_row_set - @length 0 deletes. *old is set to the bytes that the row had. */
int nvm_row_set(struct nvm *nvm, const uint8_t id[PARTITION_ID_SIZE], uint64_t row,
		const void *blob, size_t length, bool *existed, size_t *old);

/* nvm_rows - rows above @after in ascending order, struct board_row + blob each, as many as fit */
int nvm_rows(struct nvm *nvm, const uint8_t id[PARTITION_ID_SIZE], uint64_t after, void *buffer,
	     size_t capacity, size_t *length);

/* nvm_usage - rows of a partition, the bytes in them, and how many of these are the audit log's */
int nvm_usage(struct nvm *nvm, const uint8_t id[PARTITION_ID_SIZE], uint32_t *rows, uint64_t *bytes,
	      uint64_t *audit);
int nvm_partition_delete(struct nvm *nvm, const uint8_t id[PARTITION_ID_SIZE]);

/**
 * nvm_room - in a transaction that adds so many bytes: take the room that it needs, and leave a
 * reserve
 * Return: 0 or -ENOSPC, or another negative errno.
 */
int nvm_room(struct nvm *nvm, uint64_t bytes);

/* nvm_checkpoint - empty the write-ahead log, so that no former page is left in it */
int nvm_checkpoint(struct nvm *nvm);

/* ---- root.c: the root record ---- */

/**
 * struct root_entry - one partition in the root record
 * @wrapping: random; without it the partition's rows are noise
 * @generation: of @wrapping
 * @counter: of the partition's header
 * @security_version: rung of the ladder that its key comes from
 * @policy: SHA-384 of the policy's bytes; zeros: it has none
 * @measured: @rows, @bytes and of these @audit are valid (memory only, not in the record)
 * @accept: an officer has accepted its rows as they are (memory only)
 */
struct root_entry {
	struct board_partition partition;
	uint8_t wrapping[BOARD_SECRET_SIZE];
	uint64_t generation;
	uint64_t counter;
	uint32_t security_version;
	uint8_t policy[BOARD_HASH_SIZE];
	bool measured;
	bool accept;
	uint32_t rows;
	uint64_t bytes;
	uint64_t audit;
};

struct root_record {
	uint64_t counter;
	uint32_t next_slot;
	uint32_t count;
	struct root_entry entries[BOARD_MAX_PARTITIONS];
};

#define ROOT_BLOB_MAX (256 * 1024)

struct root_entry *root_find(struct root_record *record, const uint8_t id[PARTITION_ID_SIZE]);

/* root_encode, root_decode - the record's plaintext; -EBADMSG when it cannot be one of ours */
size_t root_encode(const struct root_record *record, uint8_t *bytes);
int root_decode(const uint8_t *bytes, size_t length, struct root_record *record);

/* ---- state.c: fuses, keys and database as one thing that can be trusted ---- */

/* Instants between two durable steps, for tests that fail there */
enum state_step {
	STEP_COMMIT_STORED, /* the database has it, the fuses not yet */
	STEP_ROTATE_DRAWN, /* the fuses hold both storage roots */
	STEP_ROTATE_STORED, /* the database is under the new root */
	STEP_ROTATE_DONE, /* the fuses hold the new one alone */
	STEP_CREATE_FUSES, /* fuses written, no database yet */
	STEP_CREATE_DATABASE, /* both there, FUSE_INITIALIZED not set */
	STEP_TAMPER_NOTED, /* the fuses say that the board was tampered with, nothing is erased yet */
	STEP_ERASE_FUSES, /* the fuses have new secrets, the database is still there */
	STEP_RECOVER_NOTED, /* the fuses count a recovery, the record is still the old one */
	STEP_UPDATE_NOTED, /* the boot record names the slot on trial, whose image is the former one */
	STEP_UPDATE_FILLED, /* the slot has the new image */
	STEP_UPDATE_TESTED, /* it has passed its self-tests */
	STEP_UPDATE_COMMITTED, /* the boot record names it, the partitions are where they were */
	STEP_COUNT,
};

/**
 * struct state_config - where the state is and how it is made when there is none
 * @directory: of the database
 * @fuses: where the fuses are, see fuses_create()
 * @lifecycle: enum hsm_lifecycle that new fuses begin with
 * @recover: start with an old copy as well, for officers to accept it
 * @vendor: hash of the keys whose firmware new fuses take; NULL: this build's
 * @embedded: a user's own: claimed, with a first partition on function 1
 * @approved: to be used in approved mode alone; a state that was made without is refused then
 * @step: called at each enum state_step; a negative return stops the operation there as a crash
 *	would
 */
struct state_config {
	const char *directory;
	const char *fuses;
	uint32_t lifecycle;
	bool recover;
	const uint8_t *vendor;
	bool embedded;
	bool approved;
	int (*step)(void *data, enum state_step step);
	void *step_data;
};

/**
 * struct state - all that survives the board
 * @lock: held by the functions below, which any thread may call
 * @dice: the device's keys and certificates
 * @apart: the fuses lie outside of the state directory
 * @stale: the state is an old copy, which only an officer can make the present one
 * @failed: the fuses could not follow the database: nothing is served until a restart
 */
struct state {
	pthread_mutex_t lock;
	struct state_config config;
	struct keys *keys;
	struct dice *dice;
	struct fuses *fuses;
	struct nvm *nvm;
	uint8_t platform[BOARD_KEY_SIZE];
	uint32_t security_version;
	struct root_record *record;
	struct root_record *draft;
	uint8_t *scratch;
	bool apart;
	bool stale;
	int failed;
};

/**
 * state_begin - open the fuses, or make them when there is neither fuse nor database
 *
 * The ROM needs what they say to choose the firmware; state_start() follows. Return: as state_open().
 */
int state_begin(const struct state_config *config, struct state **state, struct error *error);

/**
 * state_start - open the database, or make it
 * @security_version: of the firmware that will run
 *
 * Finishes what a crash interrupted. Return: as state_open(); the state is still to be closed.
 */
int state_start(struct state *state, uint32_t security_version, struct error *error);

/**
 * state_open - both in one
 *
 * Return: 0; -ESTALE when an old copy was put back, -EBADMSG when something does not verify,
 * -EPROTONOSUPPORT for an unknown version, -EKEYREJECTED when the firmware is older than what has
 * used the state or than the fuses demand, or another negative errno.
 */
int state_open(const struct state_config *config, uint32_t security_version, struct state **state,
	       struct error *error);
void state_close(struct state *state);

/**
 * state_version - the board's firmware has this security version from now on
 * Return: 0, or -EKEYREJECTED when the fuses or a partition demand a higher one.
 */
int state_version(struct state *state, uint32_t security_version, struct error *error);

/* state_set_minimum - in the fuses; 0, -ERANGE when it is lower than it was or higher than what runs */
int state_set_minimum(struct state *state, uint32_t version);

/* state_rung - the highest security version that has used a partition */
uint32_t state_rung(struct state *state);

/*
 * state_zeroize - new secrets in the fuses, then the database goes. Works on any state of the two.
 */
int state_zeroize(const struct state_config *config, struct error *error);

/* All return 0 or a negative errno. @function authorizes: see enum board_request. */
int state_list(struct state *state, uint32_t function, struct board_partition *list,
	       size_t capacity, size_t *count);
int state_partition_open(struct state *state, uint32_t function,
			 const uint8_t id[PARTITION_ID_SIZE], struct board_open *opened,
			 void *header, size_t capacity);
/* state_ladder - the key for the present rung; -EALREADY when the partition is there */
int state_ladder(struct state *state, uint32_t function, const uint8_t id[PARTITION_ID_SIZE],
		 struct board_ladder *ladder);
int state_rows(struct state *state, uint32_t function, const struct board_rows *request,
	       void *buffer, size_t capacity, size_t *length);
int state_commit(struct state *state, uint32_t function, const uint8_t *request, size_t length,
		 struct board_committed *committed);

/* struct policy_bytes - a policy's bytes, of which the board understands none; length 0: there is none */
struct policy_bytes {
	const void *data;
	size_t length;
};

int state_partition_create(struct state *state, struct board_partition *partition,
			   struct policy_bytes policy);

/* state_partition_assign, state_partition_destroy - *former is set to the function that had it */
int state_partition_assign(struct state *state, const struct board_partition *partition,
			   uint32_t *former);
/* state_partition_update - *function is set to the partition's */
int state_partition_update(struct state *state, const struct board_partition *partition,
			   struct policy_bytes policy, uint32_t *function);
int state_partition_destroy(struct state *state, const uint8_t id[PARTITION_ID_SIZE],
			    uint32_t *former);

/* state_retire - as state_partition_destroy(), of a function's own partition, keeping a document in its place */
int state_retire(struct state *state, uint32_t function, const uint8_t id[PARTITION_ID_SIZE],
		 const void *document, size_t length);

/* state_receipt - that document; -ENOENT */
int state_receipt(struct state *state, const uint8_t id[PARTITION_ID_SIZE], void *bytes,
		  size_t capacity, size_t *length);

/* state_policy - -EBADMSG when the bytes are not those that the root record vouches for */
int state_policy(struct state *state, uint32_t function, const uint8_t id[PARTITION_ID_SIZE],
		 void *bytes, size_t capacity, size_t *length);
int state_counter(struct state *state, uint64_t *counter);

/* state_identity - board id, serial and flags of struct board_hello that the state decides */
void state_identity(struct state *state, struct board_hello *hello);

/* ---- between state.c and those who change the root record (commit.c, partition.c, claim.c) ---- */

/* state_enter - take the lock; 0, or what made the state unusable, and then the lock is not held */
int state_enter(struct state *state);
void state_leave(struct state *state);

/* state_draft - copy the record, to be changed and given to state_apply() or state_rotate() */
struct root_record *state_draft(struct state *state);

/* A change of the database that goes into the root record's transaction */
typedef int (*state_write)(struct nvm *nvm, void *data);

/**
 * state_apply - make the draft the record
 * @write: may be NULL
 *
 * One transaction stores what @write writes and the draft, sealed, with the counter moved on; then
 * the fuses follow. Return: 0: durable, or a negative errno: not done.
 */
int state_apply(struct state *state, state_write write, void *data);

/* state_rotate - likewise, under a new storage root; the former one is gone when it returns 0 */
int state_rotate(struct state *state, state_write write, void *data);

/* state_own_entry - the entry, if that function may ask for it; NULL. Under state_enter(). */
struct root_entry *state_own_entry(struct state *state, uint32_t function,
				   const uint8_t id[PARTITION_ID_SIZE]);

/*
 * policy.c: policy_draft() puts the hash into the entry of the draft, and policy_write() as state_write the
 * struct policy_change
 */
struct policy_change {
	const uint8_t *id;
	struct policy_bytes policy;
};

int policy_draft(struct state *state, struct root_entry *entry, struct policy_bytes policy);
int policy_write(struct nvm *nvm, void *data);

/* state_step - a place where a test may stop */
int state_step(struct state *state, enum state_step step);

/* state_fuses - put values in force; when that fails nothing is served any more */
int state_fuses(struct state *state, const struct fuse_values *values, bool both);

/* state_begin_database - an empty database for fuses that have none: the device's own partition alone, or with the first */
int state_begin_database(struct state *state, struct error *error);

/* state_first_partition - put the first partition of an embedded board into the draft */
int state_first_partition(struct state *state);

/* ---- condition.c: what the board is good for: lifecycle, tampering, old copies ---- */

/* state_lifecycle_next - may a board go from one state of its life to the other? */
bool state_lifecycle_next(uint32_t from, uint32_t to);

/* state_serves - are tenants' partitions served at all? Under state_enter(). */
bool state_serves(const struct state *state);

/**
 * state_tamper - sensors have tripped: all partitions of tenants are destroyed, and the board says so until an officer
 * has recovered it
 * @sensors: 1 << place in the list
 *
 * Return: 0: durable; or a negative errno, and then nothing is served any more.
 */
int state_tamper(struct state *state, uint32_t sensors);

/* state_tamper_resume - at a start: finish the erase that a crash interrupted */
int state_tamper_resume(struct state *state);

/**
 * state_set_lifecycle - the next state of its life: everything is erased, and the board is unclaimed
 * Return: 0, -EINVAL when there is no such way, or another negative errno.
 */
int state_set_lifecycle(struct state *state, uint32_t lifecycle);

/* state_erase - the same without another state of life: by whoever has the board in hand */
int state_erase(struct state *state);

/**
 * state_recover - officers have decided that what is here is the present state
 *
 * After tampering: service begins anew. With an old copy: the counter moves on from where it is.
 * Return: 0, -EALREADY when there is nothing to recover from, or another negative errno.
 */
int state_recover(struct state *state);

/**
 * state_accept - likewise for the rows of one partition: the function may take them as they are, once
 * @function: set to the partition's
 */
int state_accept(struct state *state, const uint8_t id[PARTITION_ID_SIZE], uint32_t *function);

/* state_condition - for BOARD_CONDITION and the sideband */
void state_condition(struct state *state, struct board_condition *condition);

/* state_recovery_try - the officers' partition wants to move its counter on an old copy. 0 or -EKEYREVOKED */
int state_recovery_try(struct state *state);

/* ---- dice.c: what the board attests with ---- */

struct bundle;
struct dice;

struct dice *dice_new(void);
void dice_free(struct dice *dice);

/**
 * dice_alias - answer BOARD_ALIAS
 * @bundle: what runs
 * @reply: struct board_alias and what follows
 *
 * -ENOENT: the partition is not the function's.
 */
int dice_alias(struct state *state, const struct bundle *bundle, uint32_t function,
	       const uint8_t id[PARTITION_ID_SIZE], uint8_t *reply, size_t capacity,
	       size_t *length);

/* dice_request - a request for a certificate of the device's key, DER. -EOPNOTSUPP: no such algorithm here. */
int dice_request(struct state *state, uint32_t algorithm, uint8_t *der, size_t capacity,
		 size_t *length);

/* dice_install - take the vendor's certificate, durably; see BOARD_DEVICE_INSTALL */
int dice_install(struct state *state, uint32_t algorithm, const uint8_t *der, size_t length);

/* ---- claim.c: who becomes the first officer ---- */

#define CLAIM_MAX_FAILURES 10

/*
 * claim_prepare - for an unclaimed board: a code in a private file beside the fuses; draws one if
 * needed
 */
int claim_prepare(struct state *state, struct error *error);

/**
 * claim_try - compare a code with the one in the file
 *
 * Return: 0: the board is claimed and the file gone; -EACCES: wrong; -EALREADY: claimed before;
 * -EPERM: too many failures, the next start of the board draws another code.
 */
int claim_try(struct state *state, const uint8_t *code, size_t length);

/* ---- directory.c: directories, the lock, sockets ---- */

/* directory_prepare - make @path when missing; @private: it must be the caller's and 0700 */
int directory_prepare(const char *path, bool private, struct error *error);

/**
 * directory_lock - only one board runs on a directory
 * Return: a descriptor that holds the lock, -EBUSY when another board has it (@error names its
 * pid).
 */
int directory_lock(const char *path, struct error *error);

/**
 * directory_listen - a function's socket
 * @run: directory of the sockets
 * @gid: group of the socket, or (gid_t)-1
 *
 * A path too long for a socket address is reached through a descriptor of the directory.
 * Return: the listening descriptor, non-blocking, or a negative errno.
 */
int directory_listen(const char *run, unsigned int function, mode_t mode, gid_t gid,
		     struct error *error);

/*
 * directory_hold - a descriptor of the sockets' directory. By it, and not by the path, the names go
 * when the board ends: another directory may be at the path then, with another board's sockets.
 */
int directory_hold(const char *run, struct error *error);
void directory_unlisten(int run, unsigned int function);

/* directory_hide - give the socket a name that no peer looks for, or its own one back */
void directory_hide(int run, unsigned int function, bool hidden);

/* ---- bundle.c: the firmware's verified bytes ---- */

#define BUNDLE_MAX_FILES HSM_FW_FILES_MAX

struct bundle_file {
	char role[12];
	char name[64];
	uint8_t hash[BOARD_HASH_SIZE];
	uint64_t size;
	int memfd;
};

/**
 * struct bundle - the firmware, its loader and its libraries, each in a sealed memfd
 * @version: for people
 * @measurement: SHA-384 over what the vendor signed, which has the hash of every byte that will run
 * @vendor: hash of the keys that signed it
 * @development: with keys that a build made for itself
 * @post_quantum: the ML-DSA-87 signature was verified as well
 * @approved: processes start in approved mode, with the FIPS provider
 */
struct bundle {
	unsigned int count;
	uint32_t security_version;
	char version[HSM_FW_VERSION_MAX];
	uint8_t measurement[BOARD_HASH_SIZE];
	uint8_t vendor[BOARD_HASH_SIZE];
	bool development;
	bool post_quantum;
	bool approved;
	struct bundle_file files[BUNDLE_MAX_FILES];
};

/**
 * struct bundle_policy - what the fuses say about firmware
 * @vendor: hash of the vendor's keys
 * @minimum: least security version
 * @production: no development keys
 */
struct bundle_policy {
	const uint8_t *vendor;
	uint32_t minimum;
	bool production;
};

/* vendor.c: hash of the keys that this build signs firmware with, and whether it made them itself */
extern const uint8_t vendor_hash[BOARD_HASH_SIZE];
extern const bool vendor_development;

/**
 * bundle_verify - is this a manifest that the fuses take?
 * @bundle: filled in, without any memfd
 *
 * Return: 0, -EKEYREJECTED for a vendor, keys or a security version that the fuses refuse, -EBADMSG
 * when it does not verify.
 */
int bundle_verify(struct keys *keys, const uint8_t *message, size_t length,
		  const struct bundle_policy *policy, struct bundle *bundle, struct error *error);

/**
 * bundle_load - find, verify and seal the firmware
 * @directory: of the manifest, or NULL: beside the executable, else the installed one
 *
 * Return: 0 or a negative errno, as bundle_verify() or -EBADMSG when a file does not match the
 * manifest.
 */
int bundle_load(struct keys *keys, const char *directory, const struct bundle_policy *policy,
		struct bundle *bundle, struct error *error);

/* bundle_load_image - the same from one file that has all of it */
int bundle_load_image(struct keys *keys, int fd, const struct bundle_policy *policy,
		      struct bundle *bundle, struct error *error);

/* bundle_peek, bundle_peek_image - the manifest alone is read and verified; nothing is to be closed */
int bundle_peek(struct keys *keys, const char *directory, const struct bundle_policy *policy,
		struct bundle *bundle, struct error *error);
int bundle_peek_image(struct keys *keys, int fd, const struct bundle_policy *policy,
		      struct bundle *bundle, struct error *error);
void bundle_close(struct bundle *bundle);

/* bundle_is_development - signed with keys that a build made for itself, this one or another */
bool bundle_is_development(const struct bundle *bundle);

/* bundle_find - the first file of a role, or NULL */
const struct bundle_file *bundle_find(const struct bundle *bundle, const char *role);

/* bundle_approve - have processes start in approved mode. Return: 0, or -ENOENT: it has no FIPS provider. */
int bundle_approve(struct bundle *bundle, struct error *error);

/* ---- slots.c: where firmware lies, and the boot record ---- */

struct board;

/**
 * struct boot_record - what the board starts
 * @active: enum board_place
 * @trial: slot of an update that is under way, 0: none
 * @proven: slots that have been active, 1 << place
 */
struct boot_record {
	uint32_t active;
	uint32_t trial;
	uint32_t proven;
};

/* slots_word - a place for people; slots_file - in the state directory, NULL: elsewhere */
const char *slots_word(enum board_place place);
const char *slots_file(enum board_place place);

/* slots_open - the state directory; a descriptor or a negative errno */
int slots_open(const struct board *board);

/* slots_read - 0, also when there is none yet; -EBADMSG when it is none; slots_write - durable or not at all */
int slots_read(const struct board *board, struct boot_record *record);
int slots_write(const struct board *board, const struct boot_record *record);

/* slots_fill - the staged image is in the slot, and no longer staged */
int slots_fill(const struct board *board, enum board_place slot);

/* slots_load, slots_peek - bundle_load() and bundle_peek() from a place, under the policy of the fuses */
int slots_load(const struct board *board, enum board_place place, struct bundle *bundle,
	       struct error *error);
int slots_peek(const struct board *board, enum board_place place, struct bundle *bundle,
	       struct error *error);

/* ---- rom.c: what starts ---- */

/* rom_report - a line or two about what rom_boot() found, once there is a log */
void rom_report(const struct board *board);

/* rom_boot - choose, verify and load the firmware, and start the state for it; 0 or a negative errno */
int rom_boot(struct board *board, struct error *error);

/* ---- launch.c: a firmware process ---- */

/**
 * struct process - a running firmware
 * @control, @storage: the board's ends, @control non-blocking; @log: read end of its standard error
 */
struct process {
	pid_t pid;
	int pidfd;
	int control;
	int storage;
	int log;
};

/* process_kill - at once */
void process_kill(const struct process *process);

/* launch - start the firmware; 0 or a negative errno */
int launch(const struct bundle *bundle, struct process *process);

/* ---- storage.c: storage requests of one function ---- */

/**
 * storage_handle - answer one request
 * @request: a whole message
 * @reply: room for BOARD_MESSAGE_MAX bytes
 *
 * Return: bytes of the reply, or -EPROTO: the request is not even a message, its sender is broken.
 */
ssize_t storage_handle(struct board *board, uint32_t function, const uint8_t *request,
		       size_t length, uint8_t *reply);

/* storage_serve - answer requests on @fd until its other end has gone */
void storage_serve(struct board *board, uint32_t function, int fd);

/* ---- validation.c ---- */

/* Attributes of a validation object as BOARD_VALIDATION gives them; @length 0: none */
struct validation {
	size_t length;
	uint8_t attributes[BOARD_VALIDATION_MAX];
};

/* validation_read - the file of --validation. Return: 0 or a negative errno with @error set. */
int validation_read(const char *path, struct validation *validation, struct error *error);

/* ---- board.c, function.c, connection.c: the running board ---- */

struct function;

#define TAMPER_SENSORS 4

/**
 * struct tamper_sensor - a sensor
 * @source: file with its value, NULL: it has its usual one
 * @injected: its value is a test's
 */
struct tamper_sensor {
	struct board_sensor now;
	const char *source;
	bool injected;
};

/**
 * struct watch - what an epoll event is about
 * @ready: called with the events
 */
struct watch {
	void (*ready)(struct watch *watch, uint32_t events);
	struct board *board;
	int fd;
};

/* struct tamper - the sensors; @lock guards them. See tamper.h. */
struct tamper {
	pthread_mutex_t lock;
	struct tamper_sensor sensors[TAMPER_SENSORS];
	struct watch look;
};

/**
 * struct board_options - the command line
 * @sideband: path of the socket for a management controller, NULL: none
 * @presence: file that stands for the jumper of somebody at the machine, NULL: none
 * @inject: sensors take values of tests, in development
 * @lifecycle: enum hsm_lifecycle of a new board, 0: not said
 */
struct board_options {
	const char *state;
	const char *fuses;
	const char *run;
	const char *firmware;
	const char *log;
	const char *group;
	const char *validation;
	unsigned int functions;
	unsigned int dma_bits;
	unsigned int queues;
	unsigned int spin_us;
	long idle_exit; /* seconds, 0: never */
	int ready_fd;
	mode_t mode;
	uint8_t vendor[BOARD_HASH_SIZE];
	bool vendor_given;
	bool embedded;
	bool fips;
	bool zeroize;
	bool recover;
	bool inject;
	uint32_t lifecycle;
	const char *sideband;
	const char *presence;
	struct tamper *tamper;
};

/* Exit statuses, documented in vhsm(1) */
enum board_exit {
	EXIT_BOARD_OK = 0,
	EXIT_BOARD_FAILED = 1,
	EXIT_BOARD_USAGE = 2,
	EXIT_BOARD_BUSY = 3, /* another board runs on the directory */
	EXIT_BOARD_RECOVERY = 4, /* state or firmware does not verify */
};

/*
 * options_parse - 0, EXIT_BOARD_USAGE after a line on standard error, or -1: help or version was
 * printed
 */
int options_parse(int argc, char **argv, struct board_options *options);

/**
 * struct stage - a firmware image that is being taken in; function 0's storage thread alone
 * @fd: where to, -1: none
 * @size: bytes that were announced
 * @got: bytes that came
 */
struct stage {
	int fd;
	uint32_t size;
	uint32_t got;
};

/**
 * struct update - another firmware on its way to be the board's
 * @lock: guards @phase and @text, which function 0's storage thread and the main loop write
 * @place: where it lies, once it is decided
 * @go: an eventfd: it has passed its self-tests, the main loop replaces what runs
 * @patience: a timer, each second of the replacement
 * @waited: of these seconds
 * @due: it is about to be replaced
 * @switching: the main loop is at it
 */
struct update {
	pthread_mutex_t lock;
	enum board_update_phase phase;
	struct error text;
	enum board_place place;
	struct watch go;
	struct watch patience;
	unsigned int waited;
	bool due;
	bool switching;
};

/* ---- activate.c: the next firmware is chosen and tried; update.c: it takes over ---- */

/**
 * update_activate - for function 0's storage thread: have known firmware follow the one that runs
 * @measurement: of it
 *
 * Return: 0: it has passed its self-tests and takes over now; -ENOENT: none has that measurement; -EBUSY:
 * another update is under way; -EKEYREJECTED: fuses or partitions refuse it; -EBADMSG: it does not
 * verify; -ENOEXEC: it does not work. Then the update's text says more, and nothing else has changed.
 */
int update_activate(struct board *board, const uint8_t measurement[BOARD_HASH_SIZE]);

/* update_describe - struct board_update and the list of struct board_firmware. Return: bytes */
size_t update_describe(struct board *board, uint8_t *reply);

/* update_end - the phase and its text, NULL: none */
void update_end(struct board *board, enum board_update_phase phase, const char *text);

/* update_open, update_close - what the main loop watches */
int update_open(struct board *board);
void update_close(struct board *board);

/* update_progress - a process has come or gone: is the replacement complete? */
void update_progress(struct board *board);

/* update_failed - a process of the next firmware died: the former one comes back */
void update_failed(struct board *board, const char *why);

/**
 * struct board - all that runs
 * @owner: uid that the state directory belongs to
 * @bundles: the firmware, and room for another one that is about to follow it
 * @bundle: of these, what new processes are started from; the main loop's
 * @boot: as it is on disk; written by update_activate() and then, while that is over, by the main loop
 * @running: where @bundle lies
 * @started: the state's database is open
 * @note: what rom_boot() has to tell, while there is no log yet
 * @run: descriptor of the sockets' directory, -1: not open
 * @spare_fd: given up for a moment to turn a peer away when descriptors have run out
 * @connections: open now, on all functions
 * @changed: partitions that functions have to be told about; @changed_lock guards it
 * @late: when it fires, firmware that was told to end is killed
 * @state_changed: firmware has to be told of another state of the board
 */
#define BOARD_GRANTS_MAX	64
#define BOARD_GRANT_SECONDS_MAX 86400

/* struct grants - consent that waits to be used, the oldest first; @ends by CLOCK_BOOTTIME */
struct grants {
	pthread_mutex_t lock;
	uint32_t count;
	struct board_grant grant[BOARD_GRANTS_MAX];
	uint64_t ends[BOARD_GRANTS_MAX];
};

/**
 * grant_add - the oldest goes when there is no room. Return: 0, -EINVAL.
 * grant_take - use one up. Return: 0, -ENOENT.
 */
int grant_add(struct grants *grants, const struct board_grant *grant);
int grant_take(struct grants *grants, const struct board_grant *grant);

struct board {
	const struct board_options *options;
	struct state *state;
	uid_t owner;
	struct bundle bundles[2];
	struct bundle *bundle;
	struct boot_record boot;
	enum board_place running;
	bool started;
	struct error note;
	struct update update;
	struct validation validation;
	int epoll;
	struct watch signals;
	struct watch idle;
	struct watch changes;
	int run;
	int spare_fd;
	uint32_t next_connection;
	unsigned int connections;
	bool stopping;
	struct function *functions;
	pthread_mutex_t changed_lock;
	struct notice *changed;
	struct watch late;
	struct watch sideband;
	bool state_changed;
	struct tamper tamper;
	struct stage stage;
	struct grants grants;
};

/**
 * stage_handle - a step in taking a firmware image
 * @board: locked by nobody: only function 0's storage thread comes here
 * @request: step
 * @bytes: of the image, with IHSM_STAGE_WRITE
 * @length: how many
 *
 * Return: 0, -EINVAL when the step is out of order, or what the file system says; then nothing is left
 * of what was not ended.
 */
int stage_handle(struct board *board, const struct board_stage *request, const uint8_t *bytes,
		 size_t length);

/* board_partition_changed - any thread: tell function @function about partition @id */
void board_partition_changed(struct board *board, uint32_t function,
			     const uint8_t id[PARTITION_ID_SIZE]);

/* board_drop_changes - forget those that nobody was told of; no storage thread runs any more */
void board_drop_changes(struct board *board);

/* board_starts - how often the function's firmware has been started */
uint32_t board_starts(const struct board *board, uint32_t function);

/*
 * board_bundle - what the function's present process was started from. For its storage thread: while
 * that runs the bundle stays.
 */
const struct bundle *board_bundle(const struct board *board, uint32_t function);

/* board_watch - add @watch to the loop; board_unwatch - remove it */
int board_watch(struct board *board, struct watch *watch, uint32_t events);
void board_unwatch(struct board *board, struct watch *watch);
void board_rewatch(struct board *board, struct watch *watch, uint32_t events);

/* board_count_connections - @change is +1 or -1; arms or disarms the idle timer */
void board_count_connections(struct board *board, int change);

/* board_open - the loop and what it watches, sockets included; board_close - undo it */
int board_open(struct board *board, gid_t gid, struct error *error);
void board_close(struct board *board);

/* board_run - serve until told to stop or idle for long enough; 0 or a negative errno */
int board_run(struct board *board);

/*
 * functions_open - listen; functions_close - end the firmware, close what is open, remove the
 * sockets
 */
int functions_open(struct board *board, gid_t gid, struct error *error);
void functions_close(struct board *board);

/**
 * functions_retire - make sure that no peer is left in a backlog
 *
 * Return: true: nobody can connect any more and nobody has; false: somebody had, and all goes on.
 */
bool functions_retire(struct board *board);
void function_notify(struct board *board, uint32_t function, const uint8_t id[PARTITION_ID_SIZE]);

/* functions_replace - end the processes that are not of the board's bundle; what has connections follows at once */
void functions_replace(struct board *board);

/* functions_kill_old - those of them that have not ended */
void functions_kill_old(struct board *board);

/* functions_settled - has every process been replaced, and is each one ready? */
bool functions_settled(const struct board *board);

/* functions_updated - tell all of them BOARD_UPDATED; function 0 is started for it */
void functions_updated(struct board *board);

/* functions_run - does any process run this bundle? */
bool functions_run(const struct board *board, const struct bundle *bundle);

/* board_trial - is the function's process on trial? For its storage thread. */
bool board_trial(const struct board *board, uint32_t function);

/* functions_probe - the entry behind the last function, for a process that serves nobody; its number */
uint32_t functions_probe(struct board *board, const struct bundle *bundle);

#endif /* BOARD_INTERNAL_H */
