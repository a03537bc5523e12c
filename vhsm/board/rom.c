// SPDX-License-Identifier: Apache-2.0
/*
 * The boot ROM: which firmware starts. The boot record names it; where that one does not verify, or is
 * older than what has used the state, one that has run before takes its place.
 */
#include <errno.h>
#include <string.h>
#include "internal.h"

/* An update that was not finished is none: nothing was committed, so the former firmware goes on. */
static void end_trial(struct board *board)
{
	struct boot_record *record = &board->boot;
	int ret;

	if (!record->trial)
		return;
	board_log(
		"the update to the firmware in slot %s was interrupted; the former one is started",
		slots_word(record->trial));
	record->trial = 0;
	ret = slots_write(board, record);
	if (ret)
		board_log("the boot record cannot be written: %s", strerror(-ret));
}

/* The places to try, the best first; the installed firmware is always one. */
static unsigned int candidates(const struct boot_record *record, enum board_place order[3])
{
	unsigned int count = 0;
	enum board_place place;

	order[count++] = record->active;
	for (place = BOARD_PLACE_A; place <= BOARD_PLACE_B; place++)
		if (place != record->active && record->proven & 1U << place)
			order[count++] = place;
	if (record->active != BOARD_PLACE_INSTALLED)
		order[count++] = BOARD_PLACE_INSTALLED;
	return count;
}

/* Return: 0, or a negative errno; @state_fault: it is the state that is at fault, whatever runs on it. */
static int try_place(struct board *board, enum board_place place, bool *state_fault,
		     struct error *error)
{
	int ret;

	ret = slots_load(board, place, board->bundle, error);
	if (ret)
		return ret;
	if (!board->started) {
		ret = state_start(board->state, board->bundle->security_version, error);
		*state_fault = ret != 0;
		board->started = !ret;
	}
	if (!ret)
		ret = state_version(board->state, board->bundle->security_version, error);
	if (!ret && fuses_values(board->state->fuses)->flags & FUSE_APPROVED)
		ret = bundle_approve(board->bundle, error);
	if (ret)
		bundle_close(board->bundle);
	else
		board->running = place;
	return ret;
}

void rom_report(const struct board *board)
{
	const struct bundle *bundle = board->bundle;

	if (board->note.text[0])
		board_log("%s", board->note.text);
	if (board->running != BOARD_PLACE_INSTALLED)
		board_log("firmware %s, security version %u, from slot %s", bundle->version,
			  bundle->security_version, slots_word(board->running));
	if (!bundle->post_quantum)
		board_log(
			"libcrypto has no ML-DSA: of the firmware's two signatures only ES384 was "
			"verified");
}

int rom_boot(struct board *board, struct error *error)
{
	enum board_place order[3];
	unsigned int count, i;
	bool state_fault = false;
	int ret, result = 0;

	board->bricked = false;
	ret = slots_read(board, &board->boot);
	if (ret)
		error_set(&board->note, 0,
			  "the boot record does not read (%s): the installed firmware is started",
			  strerror(-ret));
	end_trial(board);
	count = candidates(&board->boot, order);
	for (i = 0; i < count; i++) {
		ret = try_place(board, order[i], &state_fault, error);
		if (!ret || state_fault)
			return ret;
		if (!i) {
			board->note = *error;
			result = ret;
		}
	}
	*error = board->note;
	board->bricked = true;
	return result;
}
