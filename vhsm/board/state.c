// SPDX-License-Identifier: Apache-2.0
/*
 * The board's state: fuses, keys and database made into one thing that is either the newest or
 * refused. Here are opening, first creation, the end of what a crash interrupted, and the two ways
 * in which the root record moves on; what moves it is in commit.c, partition.c and claim.c.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include "internal.h"

#define DATABASE     "nvm.db"
#define START_ANEW   "restore the newest copy of the state, or start anew with --zeroize"
#define ACCEPT_IT    "; officers can accept it: --recover"
#define SCRATCH_SIZE (2 * ROOT_BLOB_MAX)

static const uint8_t device_partition[PARTITION_ID_SIZE] = BOARD_DEVICE_PARTITION;

int state_enter(struct state *state)
{
	pthread_mutex_lock(&state->lock);
	if (!state->failed)
		return 0;
	pthread_mutex_unlock(&state->lock);
	return state->failed;
}

void state_leave(struct state *state)
{
	pthread_mutex_unlock(&state->lock);
}

int state_step(struct state *state, enum state_step step)
{
	int ret = 0;

	if (state->config.step)
		ret = state->config.step(state->config.step_data, step);
	if (ret)
		state->failed = ret;
	return ret;
}

int state_fuses(struct state *state, const struct fuse_values *values, bool both)
{
	int ret;

	ret = fuses_store(state->fuses, values, both);
	if (ret) {
		/*
		 * The database may be one step ahead; a restart finds out. Going on might make it
		 * two.
		 */
		if (!state->failed)
			board_log("fuses %s: cannot be written: %s; no request is served until the "
				  "board is restarted",
				  state->config.fuses, strerror(-ret));
		state->failed = -EIO;
	}
	return ret;
}

struct root_record *state_draft(struct state *state)
{
	*state->draft = *state->record;
	return state->draft;
}

static void adopt_draft(struct state *state)
{
	struct root_record *former = state->record;

	state->record = state->draft;
	state->draft = former;
	OPENSSL_cleanse(former, sizeof(*former));
}

static size_t root_binding(const struct state *state, uint8_t *bytes)
{
	static const char label[] = "ihsm root record";

	memcpy(bytes, label, sizeof(label));
	memcpy(bytes + sizeof(label), fuses_values(state->fuses)->board_id, BOARD_ID_SIZE);
	return sizeof(label) + BOARD_ID_SIZE;
}

static int store_root(struct state *state, const uint8_t root[BOARD_SECRET_SIZE])
{
	uint8_t key[BOARD_KEY_SIZE], binding[64];
	uint8_t *plain = state->scratch, *sealed = state->scratch + ROOT_BLOB_MAX;
	size_t length, bound;
	int ret;

	bound = root_binding(state, binding);
	length = root_encode(state->draft, plain);
	ret = keys_root(state->keys, state->platform, root, key);
	if (!ret)
		ret = keys_seal(state->keys, key, binding, bound, plain, length, sealed);
	if (!ret)
		ret = nvm_root_set(state->nvm, sealed, length + SEAL_OVERHEAD);
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(plain, length);
	return ret;
}

/* One transaction with the draft under @root. */
static int transact(struct state *state, const uint8_t root[BOARD_SECRET_SIZE], state_write write,
		    void *data)
{
	int ret;

	ret = nvm_begin(state->nvm);
	if (ret)
		return ret;
	if (write)
		ret = write(state->nvm, data);
	if (!ret)
		ret = store_root(state, root);
	if (ret) {
		nvm_rollback(state->nvm);
		return ret;
	}
	return nvm_commit(state->nvm);
}

/* The database's half of a step of the counter */
static int store_draft(struct state *state, const uint8_t root[BOARD_SECRET_SIZE],
		       state_write write, void *data)
{
	/* An old copy that counted on would one day look like the newest. */
	state->draft->counter = state->record->counter + !state->stale;
	return transact(state, root, write, data);
}

int state_keep(struct state *state, state_write write, void *data)
{
	int ret;

	state->draft->counter = state->record->counter;
	ret = transact(state, fuses_values(state->fuses)->root, write, data);
	if (!ret)
		adopt_draft(state);
	return ret;
}

int state_apply(struct state *state, state_write write, void *data)
{
	struct fuse_values values = *fuses_values(state->fuses);
	int ret;

	ret = store_draft(state, values.root, write, data);
	if (!ret)
		ret = state_step(state, STEP_COMMIT_STORED);
	if (!ret && !state->stale) {
		values.counter = state->draft->counter;
		ret = state_fuses(state, &values, false);
	}
	if (!ret)
		adopt_draft(state);
	OPENSSL_cleanse(&values, sizeof(values));
	return ret;
}

/*
 * After the database is under the next root: make that the only one. The counter of an old copy is not
 * the fuses': it would make the copy look like the newest, and nobody has accepted it yet.
 */
static int rotate_finish(struct state *state, struct fuse_values *values, uint64_t counter)
{
	if (!state->stale)
		values->counter = counter;
	values->flags &= ~(uint32_t)FUSE_NEXT_ROOT;
	memcpy(values->root, values->next_root, sizeof(values->root));
	memset(values->next_root, 0, sizeof(values->next_root));
	return state_fuses(state, values, true);
}

/* At a start the database was found under the present root: the drawn one was never used. */
static int rotate_undo(struct state *state, struct fuse_values *values)
{
	values->flags &= ~(uint32_t)FUSE_NEXT_ROOT;
	memset(values->next_root, 0, sizeof(values->next_root));
	return state_fuses(state, values, true);
}

/* The draft as it is, under @root, and nothing else */
static int store_as_is(struct state *state, const uint8_t root[BOARD_SECRET_SIZE])
{
	int ret;

	ret = nvm_begin(state->nvm);
	if (ret)
		return ret;
	ret = store_root(state, root);
	if (!ret)
		return nvm_commit(state->nvm);
	nvm_rollback(state->nvm);
	return ret;
}

/*
 * At a start an old copy was found under the drawn root. Nobody has accepted the copy yet, so the newest state, under the
 * present root, must stay readable, and the copy as well: it comes under the present root. What the rotation was to
 * erase is erased by another one (state_tamper_resume()).
 */
static int rotate_back(struct state *state, struct fuse_values *values)
{
	int ret;

	ret = store_as_is(state, values->root);
	if (!ret)
		ret = state_step(state, STEP_ROTATE_BACK);
	return ret ? ret : rotate_undo(state, values);
}

/*
 * A rotation failed before, and its transaction may or may not be in the log. One more transaction
 * decides that it is not; then its storage root may be drawn anew.
 */
static int rotate_settle(struct state *state, const uint8_t root[BOARD_SECRET_SIZE])
{
	struct root_record *saved;
	int ret;

	saved = malloc(sizeof(*saved));
	if (!saved)
		return -ENOMEM;
	*saved = *state->draft;
	*state->draft = *state->record;
	ret = store_as_is(state, root);
	*state->draft = *saved;
	OPENSSL_cleanse(saved, sizeof(*saved));
	free(saved);
	return ret;
}

int state_rotate(struct state *state, state_write write, void *data)
{
	struct fuse_values values = *fuses_values(state->fuses);
	int ret = 0;

	if (values.flags & FUSE_NEXT_ROOT)
		ret = rotate_settle(state, values.root);
	if (!ret)
		ret = keys_random(state->keys, values.next_root, sizeof(values.next_root));
	if (ret)
		goto wipe;
	values.flags |= FUSE_NEXT_ROOT;
	ret = state_fuses(state, &values, false);
	if (!ret)
		ret = state_step(state, STEP_ROTATE_DRAWN);
	if (ret)
		goto wipe;
	ret = store_draft(state, values.next_root, write, data);
	if (ret)
		goto wipe; /* the fuses keep both: after an I/O error nobody knows which it is */
	ret = state_step(state, STEP_ROTATE_STORED);
	if (!ret)
		ret = rotate_finish(state, &values, state->draft->counter);
	if (!ret)
		ret = state_step(state, STEP_ROTATE_DONE);
	if (ret)
		goto wipe;
	adopt_draft(state);
	/*
	 * Former pages in the log are noise now; that they go as well is tidiness, not the erase.
	 */
	nvm_checkpoint(state->nvm);
wipe:
	OPENSSL_cleanse(&values, sizeof(values));
	return ret;
}

/* ---- creation ---- */

static int draw_fuses(struct state *state, struct fuse_values *values)
{
	const uint8_t *vendor = state->config.vendor ? state->config.vendor : vendor_hash;
	int ret;

	memset(values, 0, sizeof(*values));
	values->lifecycle = state->config.lifecycle ?: HSM_LIFECYCLE_DEVELOPMENT;
	values->minimum_version = 1;
	if (state->config.embedded)
		values->flags = FUSE_EMBEDDED | FUSE_CLAIMED;
	if (state->config.approved)
		values->flags |= FUSE_APPROVED;
	memcpy(values->vendor_hash, vendor, sizeof(values->vendor_hash));
	ret = keys_random(state->keys, values->board_id, sizeof(values->board_id));
	if (!ret)
		ret = keys_random(state->keys, values->secret, sizeof(values->secret));
	if (!ret)
		ret = keys_random(state->keys, values->root, sizeof(values->root));
	snprintf(values->serial, sizeof(values->serial), "%02X%02X%02X%02X%02X%02X%02X%02X",
		 values->board_id[0], values->board_id[1], values->board_id[2], values->board_id[3],
		 values->board_id[4], values->board_id[5], values->board_id[6],
		 values->board_id[7]);
	return ret;
}

static int create_fuses(struct state *state, struct error *error)
{
	struct fuse_values values;
	int ret;

	ret = draw_fuses(state, &values);
	if (ret)
		error_set(error, ret, "fuses %s: no random numbers", state->config.fuses);
	else
		ret = fuses_create(state->config.fuses, &values, error);
	OPENSSL_cleanse(&values, sizeof(values));
	return ret;
}

static int first_entry(struct state *state, const uint8_t *id, const char *name, uint32_t function,
		       uint32_t slot)
{
	struct root_entry *entry = &state->draft->entries[state->draft->count++];

	memcpy(entry->partition.id, id, PARTITION_ID_SIZE);
	snprintf(entry->partition.name, sizeof(entry->partition.name), "%s", name);
	entry->partition.function = function;
	entry->partition.slot = slot;
	entry->partition.max_objects = BOARD_DEFAULT_OBJECTS;
	entry->partition.max_sessions = BOARD_DEFAULT_SESSIONS;
	entry->partition.max_bytes = BOARD_DEFAULT_BYTES;
	entry->generation = 1;
	entry->security_version = state->security_version;
	return keys_random(state->keys, entry->wrapping, sizeof(entry->wrapping));
}

int state_first_partition(struct state *state)
{
	uint8_t id[PARTITION_ID_SIZE];
	int ret;

	if (!state->config.embedded ||
	    fuses_values(state->fuses)->lifecycle > HSM_LIFECYCLE_PRODUCTION)
		return 0;
	ret = keys_random(state->keys, id, sizeof(id));
	if (!ret)
		ret = first_entry(state, id, "default", 1, state->draft->next_slot++);
	return ret;
}

/* The first root record: the device's own partition and, embedded, the user's first one. */
static int draft_first_record(struct state *state)
{
	int ret;

	memset(state->draft, 0, sizeof(*state->draft));
	state->record->counter = fuses_values(state->fuses)->counter;
	events_begin(&state->draft->events, fuses_values(state->fuses));
	ret = first_entry(state, device_partition, "device", 0, UINT32_MAX);
	return ret ? ret : state_first_partition(state);
}

/* With fuses that no database belongs to yet. Nothing was ever acknowledged: begin from nothing. */
static int create_database(struct state *state, const char *path, struct error *error)
{
	struct fuse_values values = *fuses_values(state->fuses);
	int ret;

	ret = nvm_open(path, true, &state->nvm, error);
	if (ret)
		return ret;
	ret = draft_first_record(state);
	if (!ret)
		ret = store_draft(state, values.root, NULL, NULL);
	if (!ret)
		ret = state_step(state, STEP_CREATE_DATABASE);
	if (!ret) {
		values.counter = state->draft->counter;
		values.flags |= FUSE_INITIALIZED;
		ret = state_fuses(state, &values, true);
	}
	if (!ret)
		adopt_draft(state);
	else
		error_set(error, ret, "database %s: cannot be created: %s", path, strerror(-ret));
	OPENSSL_cleanse(&values, sizeof(values));
	return ret;
}

int state_begin_database(struct state *state, struct error *error)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" DATABASE, state->config.directory);
	nvm_close(state->nvm);
	state->nvm = NULL;
	nvm_remove(path);
	return create_database(state, path, error);
}

/* ---- opening ---- */

/* Unseal the stored record into the draft. */
static int load_root(struct state *state, const uint8_t root[BOARD_SECRET_SIZE])
{
	uint8_t key[BOARD_KEY_SIZE], binding[64];
	uint8_t *plain = state->scratch, *sealed = state->scratch + ROOT_BLOB_MAX;
	size_t length, bound;
	int ret;

	ret = nvm_root_get(state->nvm, sealed, ROOT_BLOB_MAX, &length);
	if (!ret && length < SEAL_OVERHEAD)
		ret = -EBADMSG;
	if (ret)
		return ret == -EMSGSIZE ? -EBADMSG : ret;
	bound = root_binding(state, binding);
	ret = keys_root(state->keys, state->platform, root, key);
	if (!ret)
		ret = keys_unseal(state->keys, key, binding, bound, sealed, length, plain);
	if (!ret)
		ret = root_decode(plain, length - SEAL_OVERHEAD, state->draft);
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(plain, ROOT_BLOB_MAX);
	return ret;
}

static int check_counter(struct state *state, uint64_t fuse, struct error *error)
{
	uint64_t stored = state->draft->counter;

	if (stored == fuse || stored == fuse + 1)
		return 0;
	if (state->config.recover) {
		state->stale = true;
		return 0;
	}
	if (stored < fuse)
		return error_set(error, -ESTALE,
				 "state %s: an old copy was put back (it is at %llu, "
				 "the fuses at %llu); " START_ANEW ACCEPT_IT,
				 state->config.directory, (unsigned long long)stored,
				 (unsigned long long)fuse);
	return error_set(error, -ESTALE,
			 "fuses %s: an old copy was put back (they are at %llu, the "
			 "state at %llu); put the newest one in place, or start anew with "
			 "--zeroize" ACCEPT_IT,
			 state->config.fuses, (unsigned long long)fuse, (unsigned long long)stored);
}

/* Read the record, find out what a crash interrupted, and finish it. */
static int recover(struct state *state, struct error *error)
{
	struct fuse_values values = *fuses_values(state->fuses);
	bool rotating = values.flags & FUSE_NEXT_ROOT, rotated = false;
	int ret;

	ret = load_root(state, values.root);
	if (ret == -EBADMSG && rotating) {
		ret = load_root(state, values.next_root);
		rotated = !ret;
	}
	if (ret) {
		error_set(error, ret,
			  "state %s: the root record does not verify under the fuses %s "
			  "(%s); " START_ANEW,
			  state->config.directory, state->config.fuses, strerror(-ret));
		goto wipe;
	}
	ret = check_counter(state, values.counter, error);
	if (ret)
		goto wipe;
	if (rotated && !state->stale) {
		ret = rotate_finish(state, &values, state->draft->counter);
	} else if (rotated) {
		ret = rotate_back(state, &values);
	} else if (rotating) {
		ret = rotate_undo(state, &values);
	} else if (!state->stale && state->draft->counter != values.counter) {
		values.counter = state->draft->counter;
		ret = state_fuses(state, &values, false);
	}
	if (ret)
		error_set(error, ret, "fuses %s: cannot be written: %s", state->config.fuses,
			  strerror(-ret));
	else
		adopt_draft(state);
wipe:
	OPENSSL_cleanse(&values, sizeof(values));
	return ret;
}

static int check_fuses(const struct state *state, struct error *error)
{
	const struct fuse_values *values = fuses_values(state->fuses);
	bool embedded = values->flags & FUSE_EMBEDDED;

	if (embedded != state->config.embedded)
		return error_set(error, -EINVAL, "state %s: was made %s --embedded; start it so",
				 state->config.directory, embedded ? "with" : "without");
	/* Keys that other algorithms have used are none for approved mode, and the other way round. */
	if (state->config.approved && !(values->flags & FUSE_APPROVED))
		return error_set(
			error, -EINVAL,
			"state %s: was made without --fips; make another one for approved mode",
			state->config.directory);
	if (state->config.lifecycle && state->config.lifecycle != values->lifecycle)
		return error_set(
			error, -EINVAL,
			"state %s: --lifecycle is for a new board; hsmctl device lifecycle "
			"takes one to its next state",
			state->config.directory);
	return 0;
}

static int open_database(struct state *state, struct error *error)
{
	char path[PATH_MAX];
	int ret;

	snprintf(path, sizeof(path), "%s/" DATABASE, state->config.directory);
	if (!(fuses_values(state->fuses)->flags & FUSE_INITIALIZED))
		return create_database(state, path, error);
	ret = nvm_open(path, false, &state->nvm, error);
	if (ret == -ENOENT)
		return error_set(error, ret,
				 "database %s: is missing, though the fuses %s belong to "
				 "one; " START_ANEW,
				 path, state->config.fuses);
	if (!ret)
		ret = recover(state, error);
	if (!ret && state_tamper_resume(state))
		ret = error_set(
			error, -EIO,
			"state %s: the board was tampered with, and its partitions cannot be "
			"erased; start anew with --zeroize",
			state->config.directory);
	return ret;
}

/* Open the fuses; make them when there is neither fuse nor database. */
static int open_fuses(struct state *state, struct error *error)
{
	char path[PATH_MAX];
	int ret;

	if ((size_t)snprintf(path, sizeof(path), "%s/" DATABASE, state->config.directory) >=
	    sizeof(path))
		return error_set(error, -ENAMETOOLONG, "state %s: the path is too long",
				 state->config.directory);
	ret = fuses_open(state->config.fuses, &state->fuses, error);
	if (ret != -ENOENT)
		return ret;
	if (access(path, F_OK) == 0)
		return error_set(error, -ENOENT,
				 "fuses %s: are missing, though there is a "
				 "database %s; name them with --fuses, or start anew with "
				 "--zeroize",
				 state->config.fuses, path);
	ret = create_fuses(state, error);
	if (!ret)
		ret = state_step(state, STEP_CREATE_FUSES);
	return ret ? ret : fuses_open(state->config.fuses, &state->fuses, error);
}

/* Fuses within the state directory go wherever a copy of that goes, and protect from none. */
static bool fuses_apart(const struct state_config *config)
{
	char fuses[PATH_MAX], directory[PATH_MAX], state[PATH_MAX];
	size_t length;

	if (!fuses_in_file(config->fuses))
		return true;
	if ((size_t)snprintf(fuses, sizeof(fuses), "%s", config->fuses) >= sizeof(fuses) ||
	    !realpath(dirname(fuses), directory) || !realpath(config->directory, state))
		return false;
	length = strlen(state);
	return strncmp(directory, state, length) != 0 ||
	       (directory[length] != '/' && directory[length] != '\0');
}

static struct state *state_new(const struct state_config *config)
{
	struct state *state;

	state = calloc(1, sizeof(*state));
	if (!state)
		return NULL;
	pthread_mutex_init(&state->lock, NULL);
	state->config = *config;
	state->record = calloc(1, sizeof(*state->record));
	state->draft = calloc(1, sizeof(*state->draft));
	state->scratch = malloc(SCRATCH_SIZE);
	state->dice = dice_new();
	if (state->record && state->draft && state->scratch && state->dice &&
	    !keys_new(&state->keys))
		return state;
	state_close(state);
	return NULL;
}

int state_begin(const struct state_config *config, struct state **result, struct error *error)
{
	struct state *state;
	int ret;

	state = state_new(config);
	if (!state)
		return error_set(error, -ENOMEM, "state %s: libcrypto or memory failed",
				 config->directory);
	state->apart = fuses_apart(config);
	ret = open_fuses(state, error);
	if (!ret)
		ret = check_fuses(state, error);
	if (ret) {
		state_close(state);
		return ret;
	}
	*result = state;
	return 0;
}

int state_start(struct state *state, uint32_t security_version, struct error *error)
{
	int ret;

	state->security_version = security_version;
	ret = keys_platform(state->keys, fuses_values(state->fuses), state->platform);
	if (!ret)
		ret = open_database(state, error);
	if (!ret && state_events_follow(state))
		ret = error_set(error, -EIO, "state %s: events cannot be kept",
				state->config.directory);
	return ret;
}

int state_open(const struct state_config *config, uint32_t security_version, struct state **result,
	       struct error *error)
{
	struct state *state;
	int ret;

	ret = state_begin(config, &state, error);
	if (!ret) {
		ret = state_start(state, security_version, error);
		if (!ret)
			ret = state_version(state, security_version, error);
		if (ret)
			state_close(state);
		else
			*result = state;
	}
	return ret;
}

static void wipe_free(void *bytes, size_t length)
{
	if (bytes)
		OPENSSL_cleanse(bytes, length);
	free(bytes);
}

void state_close(struct state *state)
{
	if (!state)
		return;
	nvm_close(state->nvm);
	fuses_close(state->fuses);
	dice_free(state->dice);
	keys_free(state->keys);
	wipe_free(state->record, sizeof(*state->record));
	wipe_free(state->draft, sizeof(*state->draft));
	wipe_free(state->scratch, SCRATCH_SIZE);
	pthread_mutex_destroy(&state->lock);
	wipe_free(state, sizeof(*state));
}

/* ---- zeroize ---- */

/* New secrets; the board keeps its name, its counter, its minimum version and the history of its life. */
static int renew_fuses(struct state *state, struct error *error)
{
	const struct fuse_values *former = fuses_values(state->fuses);
	struct fuse_values values;
	int ret;

	ret = draw_fuses(state, &values);
	if (!ret) {
		values.counter = former->counter + 1;
		values.minimum_version = former->minimum_version;
		values.lifecycle = former->lifecycle;
		values.tamper = former->tamper;
		values.tampers = former->tampers;
		values.recoveries = former->recoveries;
		values.erased = former->erased;
		values.erased_time = former->erased_time;
		values.erased_partitions = former->erased_partitions;
		values.flags |= former->flags & FUSE_RECOVERED;
		values.flags |= former->flags & FUSE_APPROVED;
		values.flags |= FUSE_ZEROIZED;
		/* Who may sign its firmware is for ever, but on a board that nobody relies on. */
		if (former->lifecycle != HSM_LIFECYCLE_DEVELOPMENT)
			memcpy(values.vendor_hash, former->vendor_hash, sizeof(values.vendor_hash));
		memcpy(values.board_id, former->board_id, sizeof(values.board_id));
		memcpy(values.serial, former->serial, sizeof(values.serial));
		ret = fuses_store(state->fuses, &values, true);
	}
	if (ret)
		error_set(error, ret, "fuses %s: cannot be written: %s", state->config.fuses,
			  strerror(-ret));
	OPENSSL_cleanse(&values, sizeof(values));
	return ret;
}

int state_zeroize(const struct state_config *config, struct error *error)
{
	struct state *state;
	char path[PATH_MAX];
	int ret;

	state = state_new(config);
	if (!state)
		return error_set(error, -ENOMEM, "state %s: libcrypto or memory failed",
				 config->directory);
	/* The fuses first: from then on the database is noise, whatever happens to it. */
	ret = fuses_open(config->fuses, &state->fuses, error);
	if (!ret) {
		ret = renew_fuses(state, error);
	} else if (ret == -EBADMSG || ret == -ENOENT || ret == -EACCES) {
		ret = fuses_remove(config->fuses, error);
		if (!ret)
			ret = create_fuses(state, error);
		if (!ret)
			ret = fuses_open(config->fuses, &state->fuses, error);
	}
	if (!ret) {
		/* The fuses say that no database belongs to them: the next start makes one. */
		snprintf(path, sizeof(path), "%s/" DATABASE, config->directory);
		nvm_remove(path);
	}
	state_close(state);
	return ret;
}
