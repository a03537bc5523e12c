// SPDX-License-Identifier: Apache-2.0
/*
 * A board whose firmware does not start: neither the active one nor one that has run before verifies. The state is not
 * open then and no key is derived; what is left is the sideband, which tells what there is, takes an image and
 * chooses what to start from. Whatever comes so is verified as at every start, against the fuses.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/ihsm_hw.h>
#include "sideband.h"

/* ---- choosing ---- */

/* What is staged goes into the slot that is not the active one. */
static int into_slot(struct board *board, struct boot_record *record, enum board_place *place)
{
	if (*place != BOARD_PLACE_STAGED)
		return 0;
	*place = record->active == BOARD_PLACE_A ? BOARD_PLACE_B : BOARD_PLACE_A;
	record->proven &= ~(1U << *place);
	return slots_fill(board, *place);
}

uint32_t rescue_choose(struct board *board, uint32_t number)
{
	struct boot_record record = board->boot;
	enum board_place place = number;
	struct bundle bundle;
	struct error error = { "" };
	int ret;

	if (number >= BOARD_PLACES)
		return HSM_SIDEBAND_INVALID;
	/* All of it is looked at, not the manifest alone: what is chosen is to start. */
	ret = slots_load(board, place, &bundle, &error);
	if (ret) {
		board_log("sideband: the firmware that was chosen does not verify: %s", error.text);
		return ret == -ENOENT ? HSM_SIDEBAND_INVALID : HSM_SIDEBAND_FAILED;
	}
	bundle_close(&bundle);
	ret = into_slot(board, &record, &place);
	record.active = place;
	record.trial = 0;
	if (!ret)
		ret = slots_write(board, &record);
	if (ret) {
		board_log("sideband: the boot record cannot be written: %s", strerror(-ret));
		return HSM_SIDEBAND_FAILED;
	}
	board->boot = record;
	board_log("sideband: %s is what to start from", slots_word(place));
	return HSM_SIDEBAND_OK;
}

/* ---- an image ---- */

static int step(struct board *board, uint32_t what, uint32_t number, const uint8_t *bytes,
		size_t length)
{
	const struct board_stage request = { .step = what, .number = number };

	return stage_put(board, &request, bytes, length);
}

static uint32_t take_piece(struct board *board, const struct sideband_request *request)
{
	int ret = 0;

	if (!sideband_present(board))
		return HSM_SIDEBAND_REFUSED;
	/* The process that reads the controller's messages is not to be trusted with it. */
	if (request->length > sizeof(request->data))
		return HSM_SIDEBAND_INVALID;
	if (!request->number)
		ret = step(board, IHSM_STAGE_BEGIN, request->size, NULL, 0);
	if (!ret)
		ret = step(board, IHSM_STAGE_WRITE, request->number, request->data,
			   request->length);
	if (!ret && (uint64_t)request->number + request->length == request->size)
		ret = step(board, IHSM_STAGE_END, 0, NULL, 0);
	return ret == -EINVAL ? HSM_SIDEBAND_INVALID : ret ? HSM_SIDEBAND_FAILED : HSM_SIDEBAND_OK;
}

/* ---- answering ---- */

void rescue_slots(struct board *board, struct sideband_reply *reply)
{
	struct board_firmware *slot = reply->extra.slots;
	enum board_place place;
	struct bundle bundle;
	struct error error;
	int ret;

	for (place = 0; place < BOARD_PLACES; place++) {
		ret = slots_peek(board, place, &bundle, &error);
		if (ret == -ENOENT)
			continue;
		*slot = (struct board_firmware){ .place = place };
		if (ret)
			slot->flags = BOARD_FIRMWARE_BAD;
		if (place == board->boot.active)
			slot->flags |= BOARD_FIRMWARE_ACTIVE;
		if (board->boot.proven & 1U << place)
			slot->flags |= BOARD_FIRMWARE_PROVEN;
		if (!ret) {
			slot->security_version = bundle.security_version;
			memcpy(slot->version, bundle.version, sizeof(slot->version));
			memcpy(slot->measurement, bundle.measurement, sizeof(slot->measurement));
			if (place == board->running && board->started &&
			    !memcmp(bundle.measurement, board->bundle->measurement,
				    sizeof(bundle.measurement)))
				slot->flags |= BOARD_FIRMWARE_RUNNING;
		}
		slot++;
	}
	reply->count = (uint32_t)(slot - reply->extra.slots);
}

/* Chosen, and started: else it was the wrong choice, and there may be another one. */
static uint32_t recover(struct board *board, uint32_t place, struct error *error, int *ret)
{
	uint32_t status;

	if (!sideband_present(board))
		return HSM_SIDEBAND_REFUSED;
	status = rescue_choose(board, place);
	if (status)
		return status;
	*ret = rom_boot(board, error);
	board->rescued = !*ret;
	return *ret ? HSM_SIDEBAND_FAILED : HSM_SIDEBAND_OK;
}

static uint32_t execute(struct board *board, const struct sideband_request *request,
			struct sideband_reply *reply, struct error *error, int *ret)
{
	switch (request->command) {
	case HSM_SIDEBAND_INVENTORY:
	case HSM_SIDEBAND_HEALTH:
		return HSM_SIDEBAND_OK;
	case HSM_SIDEBAND_SLOTS:
		rescue_slots(board, reply);
		return HSM_SIDEBAND_OK;
	case HSM_SIDEBAND_IMAGE:
		return take_piece(board, request);
	case HSM_SIDEBAND_RECOVER:
		return recover(board, request->number, error, ret);
	case HSM_SIDEBAND_SENSORS:
	case HSM_SIDEBAND_ZEROIZE:
	case HSM_SIDEBAND_INJECT:
	case HSM_SIDEBAND_HEADS:
	case HSM_SIDEBAND_SIGNED_HEAD:
		return HSM_SIDEBAND_REFUSED;
	default:
		return HSM_SIDEBAND_UNKNOWN;
	}
}

static void fill(struct board *board, struct sideband_reply *reply)
{
	struct board_hello hello = { 0 };

	state_identity(board->state, &hello);
	state_condition(board->state, &reply->condition);
	memcpy(reply->board_id, hello.board_id, sizeof(reply->board_id));
	memcpy(reply->serial, hello.serial, sizeof(reply->serial));
	reply->functions = board->options->functions;
	reply->state = IHSM_STATE_RECOVERY;
}

int rescue(struct board *board, struct error *error)
{
	struct sideband_request request;
	struct sideband_reply reply;
	int ret = -ENOEXEC;

	board_log("%s", error->text);
	board_log("no firmware starts: the sideband alone is served, until there is another one");
	while (recv(board->sideband.fd, &request, sizeof(request), 0) == sizeof(request)) {
		memset(&reply, 0, sizeof(reply));
		reply.status = execute(board, &request, &reply, error, &ret);
		fill(board, &reply);
		if (send(board->sideband.fd, &reply, sizeof(reply), MSG_NOSIGNAL) != sizeof(reply))
			break;
		/* What is wrong with the state no firmware mends. */
		if (!ret || (ret != -ENOEXEC && !board->bricked))
			return ret;
	}
	return ret;
}
