/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sideband in two halves. sideband_peer.c is a process of its own, begun before the board has read a
 * single secret: it has the controller's socket, reads CBOR, and asks the board by structures of fixed
 * size. sideband.c answers those in the main loop. So no key is in the memory of whoever parses what a
 * controller sends, and the board hands out nothing but what is in struct sideband_reply.
 */
#ifndef BOARD_SIDEBAND_H
#define BOARD_SIDEBAND_H

#include <hsm/sideband.h>
#include "tamper.h"

/**
 * struct sideband_request - what the board is asked
 * @command: enum hsm_sideband_command
 * @kind, @value: of INJECT
 * @number: HEADS: the first; RECOVER: enum board_place; IMAGE: offset of @length bytes @data of @size
 */
struct sideband_request {
	uint32_t command;
	uint32_t kind;
	int32_t value;
	uint32_t number;
	uint32_t size;
	uint32_t length;
	uint8_t data[HSM_SIDEBAND_PIECE];
};

#define SIDEBAND_HEADS 256

struct sideband_reply {
	uint32_t status;
	uint32_t state;
	uint32_t running;
	uint32_t starts;
	uint32_t connections;
	uint32_t functions;
	uint32_t security_version;
	uint8_t measurement[BOARD_HASH_SIZE];
	uint8_t board_id[BOARD_ID_SIZE];
	char serial[BOARD_SERIAL_SIZE];
	struct board_condition condition;
	struct board_sensor sensors[TAMPER_SENSORS];
	uint32_t total;
	uint32_t count; /* of what is in the union, in its own units */
	union {
		struct board_log_head heads[SIDEBAND_HEADS];
		struct board_firmware slots[BOARD_PLACES];
		uint8_t message[BOARD_SIGNED_HEAD_MAX];
	} extra;
};

/**
 * sideband_start - make the socket and the process; before the state is read
 * Return: the board's end, or a negative errno.
 */
int sideband_start(const char *path, struct error *error);

/* sideband_open - answer in the main loop; @fd: of sideband_start(), -1: none */
int sideband_open(struct board *board);
void sideband_close(struct board *board);

/* sideband_present - is somebody at the machine? */
bool sideband_present(const struct board *board);

/* ---- rescue.c: a board whose firmware does not start ---- */

/**
 * rescue - answer the sideband alone, until firmware starts that came or was chosen over it
 * @error: why none does
 *
 * Return: 0: rom_boot() has found it; or a negative errno: the sideband has ended, or the state is at fault.
 */
int rescue(struct board *board, struct error *error);

/* rescue_slots - what there is, for SLOTS */
void rescue_slots(struct board *board, struct sideband_reply *reply);

/* rescue_choose - the firmware of @place is the one to start from. Return: enum hsm_sideband_status */
uint32_t rescue_choose(struct board *board, uint32_t place);

#endif /* BOARD_SIDEBAND_H */
