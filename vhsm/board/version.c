// SPDX-License-Identifier: Apache-2.0
/*
 * Security versions: the least one that the fuses take, and that of whoever used the state last. Firmware below
 * either does not start on the state.
 */
#include <errno.h>
#include <string.h>
#include <openssl/crypto.h>
#include "events.h"
#include "internal.h"

static uint32_t highest_rung(const struct state *state)
{
	uint32_t highest = 0, i;

	for (i = 0; i < state->record->count; i++)
		if (state->record->entries[i].security_version > highest)
			highest = state->record->entries[i].security_version;
	return highest;
}

/*
 * Whoever used the state last left keys on the rung of the ladder that was his: firmware of a lower
 * version cannot have them.
 */
static int check_rungs(const struct state *state, uint32_t version, struct error *error)
{
	uint32_t minimum = fuses_values(state->fuses)->minimum_version;
	uint32_t rung = highest_rung(state);

	if (version < minimum)
		return error_set(error, -EKEYREJECTED,
				 "firmware: security version %u, the fuses "
				 "demand %u; install a newer one",
				 version, minimum);
	if (version >= rung)
		return 0;
	return error_set(error, -EKEYREJECTED,
			 "firmware: security version %u, but the state has been used by version "
			 "%u; install that one or a newer one",
			 version, rung);
}

int state_version(struct state *state, uint32_t security_version, struct error *error)
{
	int ret;

	ret = state_enter(state);
	if (ret)
		return error_set(error, ret, "state %s: %s", state->config.directory,
				 strerror(-ret));
	ret = check_rungs(state, security_version, error);
	if (!ret)
		state->security_version = security_version;
	state_leave(state);
	return ret;
}

int state_set_minimum(struct state *state, uint32_t version)
{
	struct fuse_values values;
	int ret;

	ret = state_enter(state);
	if (ret)
		return ret;
	values = *fuses_values(state->fuses);
	if (version < values.minimum_version || version > state->security_version) {
		ret = -ERANGE;
	} else if (version > values.minimum_version) {
		values.minimum_version = version;
		ret = state_fuses(state, &values, false);
		if (!ret && state_events_follow(state))
			board_log(
				"what the fuses tell cannot be kept for the log; the next start does it");
	}
	state_leave(state);
	OPENSSL_cleanse(&values, sizeof(values));
	return ret;
}

uint32_t state_rung(struct state *state)
{
	uint32_t rung = 0;

	if (!state_enter(state)) {
		rung = highest_rung(state);
		state_leave(state);
	}
	return rung;
}
