/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sensors of the board and what follows when one leaves its limits. tamper.c has them, restart.c
 * ends the firmware that was started under another state of the board.
 */
#ifndef BOARD_TAMPER_H
#define BOARD_TAMPER_H

#include "internal.h"

/**
 * tamper_option - `KIND=FILE` of --sensor: where a sensor's value is read, or `KIND=LEAST:LARGEST` of --limits
 * Return: 0 or -EINVAL.
 */
int tamper_source(struct tamper *tamper, const char *text);
int tamper_limits(struct tamper *tamper, const char *text);

/* tamper_init - before options are read: all sensors at their usual values */
void tamper_init(struct tamper *tamper);

/* tamper_open - begin to look; what tripped before is known from the fuses. 0 or a negative errno */
int tamper_open(struct board *board);
void tamper_close(struct board *board);

/* tamper_list - any thread: the sensors as they are; their number */
size_t tamper_list(struct board *board, struct board_sensor list[TAMPER_SENSORS]);

/* tamper_alarm - any thread: is one outside of its limits? */
bool tamper_alarm(struct board *board);

/* tamper_unnoted - any thread: something tripped that the fuses could not be told */
bool tamper_unnoted(struct board *board);

/**
 * tamper_inject - main loop: a value in place of the sensor's own, for tests of what follows
 * Return: 0, -EACCES unless the board was started for it, -EINVAL when there is no such sensor.
 */
int tamper_inject(struct board *board, uint32_t kind, int32_t value);

/* tamper_kind - number of a sensor's name, or 0 */
uint32_t tamper_kind(const char *name);

/* ---- restart.c ---- */

/* board_state - enum ihsm_device_state that the board is in, before self-tests */
uint32_t board_state(struct board *board);

/* board_state_changed - any thread: all firmware begins anew, having told its drivers */
void board_state_changed(struct board *board);

/* restart_open, restart_close - the timer for those that do not end */
int restart_open(struct board *board);
void restart_close(struct board *board);

/* restart_all - main loop: have every firmware process end, and see to it that it does */
void restart_all(struct board *board);

/* restart_at_once - likewise, but none of them gets to do anything any more */
void restart_at_once(struct board *board);

#endif /* BOARD_TAMPER_H */
