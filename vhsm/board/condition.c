// SPDX-License-Identifier: Apache-2.0
/*
 * What the board is good for: the states of its life, what follows when a sensor trips, and how
 * officers make a state the present one that the fuses do not vouch for. Whatever destroys begins in
 * the fuses: after that instant the keys are out of reach, and the rest is finished at the next start
 * when it is interrupted.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <openssl/crypto.h>
#include "internal.h"

/*
 * Steps of the counter that the officers' own partition may take while the state is an old copy: each
 * wrong PIN is one, and putting the copy back once more must not give more tries.
 */
#define RECOVERY_MAX_TRIES 10

/* Ways from one state of life to another: bit N of a row, to state N */
static const uint32_t ways[] = {
	[HSM_LIFECYCLE_DEVELOPMENT] = 1U << HSM_LIFECYCLE_PRODUCTION |
				      1U << HSM_LIFECYCLE_RETURNED |
				      1U << HSM_LIFECYCLE_DECOMMISSIONED,
	[HSM_LIFECYCLE_PRODUCTION] = 1U << HSM_LIFECYCLE_RETURNED |
				     1U << HSM_LIFECYCLE_DECOMMISSIONED,
	[HSM_LIFECYCLE_RETURNED] = 1U << HSM_LIFECYCLE_DECOMMISSIONED,
	[HSM_LIFECYCLE_DECOMMISSIONED] = 0,
};

bool state_lifecycle_next(uint32_t from, uint32_t to)
{
	return from < sizeof(ways) / sizeof(ways[0]) && to < 32 && ways[from] >> to & 1;
}

bool state_serves(const struct state *state)
{
	const struct fuse_values *values = fuses_values(state->fuses);

	return !state->stale && !(values->flags & FUSE_TAMPERED) &&
	       values->lifecycle <= HSM_LIFECYCLE_PRODUCTION;
}

/* ---- erasing all of it ---- */

static uint32_t tenants(const struct state *state)
{
	return state->record->count ? state->record->count - 1 : 0;
}

static void note_erase(struct fuse_values *values, uint32_t partitions)
{
	values->erased = values->counter;
	values->erased_time = (uint64_t)time(NULL);
	values->erased_partitions = partitions;
}

/*
 * New storage root, no database: noise is what was there. The device secret stays, so that the board
 * is still the one that its certificates name. @flags say why, in the write that erases.
 */
static int erase_locked(struct state *state, uint32_t lifecycle, uint32_t flags)
{
	struct fuse_values values = *fuses_values(state->fuses);
	struct error error = { "" };
	int ret;

	values.lifecycle = lifecycle;
	values.flags &= FUSE_EMBEDDED | FUSE_APPROVED | FUSE_RECOVERED;
	values.flags |= flags | FUSE_ZEROIZED;
	if (values.flags & FUSE_EMBEDDED)
		values.flags |= FUSE_CLAIMED;
	values.counter++;
	values.claim_failures = 0;
	values.recovery_tries = 0;
	note_erase(&values, tenants(state));
	memset(values.next_root, 0, sizeof(values.next_root));
	ret = keys_random(state->keys, values.root, sizeof(values.root));
	if (!ret)
		ret = state_fuses(state, &values, true);
	OPENSSL_cleanse(&values, sizeof(values));
	if (ret)
		return ret;
	OPENSSL_cleanse(state->record, sizeof(*state->record));
	OPENSSL_cleanse(state->draft, sizeof(*state->draft));
	OPENSSL_cleanse(state->platform, sizeof(state->platform));
	ret = state_step(state, STEP_ERASE_FUSES);
	if (!ret)
		ret = keys_platform(state->keys, fuses_values(state->fuses), state->platform);
	if (!ret)
		ret = state_begin_database(state, &error);
	if (!ret && !state->config.embedded)
		ret = claim_prepare(state, &error);
	if (ret) {
		state->failed = -EIO;
		board_log("erased; %s; no request is served until the board is restarted",
			  error.text[0] ? error.text : strerror(-ret));
		return ret;
	}
	state->stale = false;
	return 0;
}

int state_erase(struct state *state)
{
	int ret;

	/* Also when the fuses could not follow the database: what is to go does not depend on it. */
	pthread_mutex_lock(&state->lock);
	ret = erase_locked(state, fuses_values(state->fuses)->lifecycle, 0);
	pthread_mutex_unlock(&state->lock);
	return ret;
}

int state_set_lifecycle(struct state *state, uint32_t lifecycle)
{
	int ret;

	ret = state_enter(state);
	if (ret)
		return ret;
	if (!state_lifecycle_next(fuses_values(state->fuses)->lifecycle, lifecycle))
		ret = -EINVAL;
	else
		ret = erase_locked(state, lifecycle, FUSE_NEW_LIFE);
	state_leave(state);
	return ret;
}

/* ---- tampering ---- */

static int delete_tenants(struct nvm *nvm, void *data)
{
	const struct root_record *record = data;
	const uint8_t *id;
	uint32_t i;
	int ret = 0;

	/* The first entry is the device's own, where the log and the officers are. */
	for (i = 1; !ret && i < record->count; i++) {
		id = record->entries[i].partition.id;
		ret = nvm_policy_set(nvm, id, NULL, 0);
		if (!ret)
			ret = nvm_partition_delete(nvm, id);
	}
	return ret;
}

/* Everything of the tenants goes, and the storage root under which it was vouched for. */
static int erase_tenants(struct state *state)
{
	static const uint8_t device[PARTITION_ID_SIZE] = BOARD_DEVICE_PARTITION;
	struct fuse_values values;
	struct root_record *draft;
	uint32_t partitions = tenants(state);
	int ret;

	if (!state->record->count ||
	    memcmp(state->record->entries[0].partition.id, device, sizeof(device)))
		return -EBADMSG;
	draft = state_draft(state);
	OPENSSL_cleanse(&draft->entries[1], (BOARD_MAX_PARTITIONS - 1) * sizeof(draft->entries[0]));
	draft->count = 1;
	events_follow(&draft->events, fuses_values(state->fuses));
	ret = state_first_partition(state);
	if (!ret)
		ret = state_rotate(state, delete_tenants, state->record);
	if (ret)
		return ret;
	values = *fuses_values(state->fuses);
	values.flags |= FUSE_ERASED;
	note_erase(&values, partitions);
	ret = state_fuses(state, &values, false);
	OPENSSL_cleanse(&values, sizeof(values));
	return ret;
}

/* When the database cannot be written the fuses can: then the officers and the log go as well. */
static int erase_somehow(struct state *state)
{
	int ret;

	ret = state->failed ? state->failed : erase_tenants(state);
	if (!ret || ret == -EINTR)
		return ret;
	board_log("the partitions cannot be taken out of the database (%s): all of it is erased",
		  strerror(-ret));
	return erase_locked(state, fuses_values(state->fuses)->lifecycle,
			    FUSE_TAMPERED | FUSE_ERASED);
}

int state_tamper(struct state *state, uint32_t sensors)
{
	struct fuse_values values;
	bool before;
	int ret;

	/* Not state_enter(): a board that serves nothing any more has keys on its disk all the same. */
	pthread_mutex_lock(&state->lock);
	values = *fuses_values(state->fuses);
	before = values.flags & FUSE_TAMPERED;
	values.tamper = (before ? values.tamper : 0) | sensors;
	values.tampers += !before;
	values.flags |= FUSE_TAMPERED;
	ret = state_fuses(state, &values, false);
	if (!ret)
		ret = state_step(state, STEP_TAMPER_NOTED);
	if (ret != -EINTR && !(values.flags & FUSE_ERASED))
		ret = erase_somehow(state);
	if (ret)
		state->failed = ret;
	OPENSSL_cleanse(&values, sizeof(values));
	pthread_mutex_unlock(&state->lock);
	return ret;
}

int state_tamper_resume(struct state *state)
{
	uint32_t flags = fuses_values(state->fuses)->flags;

	if (!(flags & FUSE_TAMPERED) || flags & FUSE_ERASED)
		return 0;
	board_log("the board was tampered with: its partitions are being erased");
	return erase_somehow(state);
}

/* ---- recovery ---- */

int state_recovery_try(struct state *state)
{
	struct fuse_values values = *fuses_values(state->fuses);
	int ret = -EKEYREVOKED;

	if (values.recovery_tries < RECOVERY_MAX_TRIES) {
		values.recovery_tries++;
		ret = state_fuses(state, &values, false);
	} else {
		board_log(
			"too many tries on an old copy of the state; put the newest one back, or start "
			"anew with --zeroize");
	}
	OPENSSL_cleanse(&values, sizeof(values));
	return ret;
}

/* The old copy goes on where the fuses are: nothing older will be taken for it. */
static int accept_copy(struct state *state)
{
	uint64_t fuse = fuses_values(state->fuses)->counter;
	int ret;

	ret = state_step(state, STEP_RECOVER_NOTED);
	if (ret)
		return ret;
	if (state->record->counter < fuse)
		state->record->counter = fuse;
	state->stale = false;
	state_draft(state);
	ret = state_apply(state, NULL, NULL);
	state->stale = ret != 0;
	return ret;
}

static int recover_locked(struct state *state)
{
	struct fuse_values values = *fuses_values(state->fuses);
	bool tampered = values.flags & FUSE_TAMPERED;
	int ret;

	if (!tampered && !state->stale)
		return -EALREADY;
	values.flags &= ~(uint32_t)(FUSE_TAMPERED | FUSE_ERASED);
	values.recovery_tries = 0;
	if (state->stale) {
		values.recoveries++;
		values.flags |= FUSE_RECOVERED;
	}
	ret = state_fuses(state, &values, false);
	OPENSSL_cleanse(&values, sizeof(values));
	return ret || !state->stale ? ret : accept_copy(state);
}

int state_recover(struct state *state)
{
	int ret;

	ret = state_enter(state);
	if (ret)
		return ret;
	ret = recover_locked(state);
	state_leave(state);
	return ret;
}

int state_accept(struct state *state, const uint8_t id[PARTITION_ID_SIZE], uint32_t *function)
{
	struct fuse_values values;
	struct root_entry *entry;
	int ret;

	ret = state_enter(state);
	if (ret)
		return ret;
	entry = root_find(state->record, id);
	if (!state_serves(state)) {
		ret = -EKEYREVOKED;
	} else if (!entry || !entry->partition.function) {
		ret = -ENOENT;
	} else {
		values = *fuses_values(state->fuses);
		values.recoveries++;
		values.flags |= FUSE_RECOVERED;
		ret = state_fuses(state, &values, false);
		OPENSSL_cleanse(&values, sizeof(values));
		entry->accept = !ret;
		*function = entry->partition.function;
	}
	state_leave(state);
	return ret;
}

void state_condition(struct state *state, struct board_condition *condition)
{
	const struct fuse_values *values;
	struct board_hello hello = { 0 };

	state_identity(state, &hello);
	pthread_mutex_lock(&state->lock);
	values = fuses_values(state->fuses);
	*condition = (struct board_condition){
		.lifecycle = values->lifecycle,
		.flags = hello.flags,
		.tamper = values->tamper,
		.tampers = values->tampers,
		.recoveries = values->recoveries,
		.erased_partitions = values->erased_partitions,
		.erased = values->erased,
		.erased_time = values->erased_time,
		.counter = values->counter,
	};
	pthread_mutex_unlock(&state->lock);
}
