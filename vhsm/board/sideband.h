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
 */
struct sideband_request {
	uint32_t command;
	uint32_t kind;
	int32_t value;
};

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
};

/**
 * sideband_start - make the socket and the process; before the state is read
 * Return: the board's end, or a negative errno.
 */
int sideband_start(const char *path, struct error *error);

/* sideband_open - answer in the main loop; @fd: of sideband_start(), -1: none */
int sideband_open(struct board *board);
void sideband_close(struct board *board);

#endif /* BOARD_SIDEBAND_H */
