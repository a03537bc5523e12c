/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What survives the board: fuses, keys and database as one thing that can be trusted, and who changes
 * it: commit.c, partition.c, policy.c, condition.c, claim.c. What it attests with is dice.c.
 */
#ifndef BOARD_STATE_H
#define BOARD_STATE_H

#include <pthread.h>
#include "events.h"
#include "fuses.h"
#include "keys.h"
#include "nvm.h"

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
 * @sequence, @head: where its audit log stands, 0: nobody has said so yet (memory only)
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
	uint64_t sequence;
	uint8_t head[BOARD_HASH_SIZE];
};

struct root_record {
	uint64_t counter;
	uint32_t next_slot;
	uint32_t count;
	struct root_events events;
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
	STEP_ROTATE_BACK, /* a start put an old copy from the drawn root back under the present one */
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

/* state_retire - as state_partition_destroy(), of a function's own partition, keeping a document in its place and an event */
int state_retire(struct state *state, uint32_t function, const struct board_retire *retire,
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

/* state_log_head - own; where the partition's log stands. Return: 0 or -ENOENT. */
int state_log_head(struct state *state, uint32_t function, const struct board_log_head *head);

/* state_log_heads - those that are known, from number @from on, at most @room. Return: how many; *total: of all */
uint32_t state_log_heads(struct state *state, uint32_t from, struct board_log_head *heads,
			 uint32_t room, uint32_t *total);

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

/*
 * state_keep - likewise, without a step of the counter: for what does not make a former record one that must not come
 * back. The fuses are not written.
 */
int state_keep(struct state *state, state_write write, void *data);

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

#endif /* BOARD_STATE_H */
