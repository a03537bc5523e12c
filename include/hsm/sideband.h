/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sideband: messages between a baseboard management controller and the board. One CBOR map for each
 * message on a SOCK_SEQPACKET socket; its keys are here, for both sides. Documentation/sideband.rst is the
 * normative text.
 */
#ifndef HSM_SIDEBAND_H
#define HSM_SIDEBAND_H

#define HSM_SIDEBAND_VERSION 1
#define HSM_SIDEBAND_MAX     2048 /* bytes of a message */

/* X(number, NAME, word, meaning) */
#define HSM_SIDEBAND_COMMANDS(X) \
	X(1, INVENTORY,	"inventory",	"what the board is") \
	X(2, HEALTH,	"health",	"what state it is in") \
	X(3, SENSORS,	"sensors",	"readings and limits") \
	X(4, ZEROIZE,	"zeroize",	"destroy all keys; only while somebody at the machine says so") \
	X(5, INJECT,	"inject",	"a value for a sensor; only in development and where the board was started for it")

#define HSM_SIDEBAND_ENUM(number, NAME, ...) HSM_SIDEBAND_##NAME = (number),
enum hsm_sideband_command {
	HSM_SIDEBAND_COMMANDS(HSM_SIDEBAND_ENUM)
};
#undef HSM_SIDEBAND_ENUM

enum hsm_sideband_status {
	HSM_SIDEBAND_OK = 0,
	HSM_SIDEBAND_MALFORMED = 1,	/* no message of this protocol */
	HSM_SIDEBAND_UNKNOWN = 2,	/* no such command */
	HSM_SIDEBAND_REFUSED = 3,	/* nobody is at the machine, or it is not that kind of board */
	HSM_SIDEBAND_INVALID = 4,	/* no such sensor */
	HSM_SIDEBAND_FAILED = 5,	/* the board's log says why */
};

/* Keys */
enum hsm_sideband_key {
	HSM_SIDEBAND_KEY_COMMAND = 1,
	HSM_SIDEBAND_KEY_ID = 2,	/* the caller's number, which the answer has as well */
	HSM_SIDEBAND_KEY_STATUS = 3,	/* in answers */
	HSM_SIDEBAND_KEY_KIND = 4,	/* INJECT: kind of the sensor */
	HSM_SIDEBAND_KEY_VALUE = 5,	/* INJECT: its value */
	/* answers */
	HSM_SIDEBAND_KEY_VERSION = 16,	/* of the protocol */
	HSM_SIDEBAND_KEY_MODEL = 17,
	HSM_SIDEBAND_KEY_SERIAL = 18,
	HSM_SIDEBAND_KEY_BOARD = 19,
	HSM_SIDEBAND_KEY_FIRMWARE = 20,	/* version */
	HSM_SIDEBAND_KEY_SECURITY_VERSION = 21,
	HSM_SIDEBAND_KEY_MEASUREMENT = 22,
	HSM_SIDEBAND_KEY_FUNCTIONS = 23,
	HSM_SIDEBAND_KEY_STATE = 24,	/* enum ihsm_device_state */
	HSM_SIDEBAND_KEY_LIFECYCLE = 25,
	HSM_SIDEBAND_KEY_TAMPERS = 26,
	HSM_SIDEBAND_KEY_RECOVERIES = 27,
	HSM_SIDEBAND_KEY_COUNTER = 28,
	HSM_SIDEBAND_KEY_RUNNING = 29,	/* functions whose firmware runs */
	HSM_SIDEBAND_KEY_STARTS = 30,	/* firmware processes started since the board was */
	HSM_SIDEBAND_KEY_CONNECTIONS = 31,
	HSM_SIDEBAND_KEY_SENSORS = 32,	/* array of arrays: kind, label, value, least, largest, flags */
};

#endif /* HSM_SIDEBAND_H */
