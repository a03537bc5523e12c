/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sideband: messages between a baseboard management controller and the board. One CBOR map for each
 * message on a SOCK_SEQPACKET socket; its keys are here, for both sides. Documentation/sideband.rst is the
 * normative text.
 */
#ifndef HSM_SIDEBAND_H
#define HSM_SIDEBAND_H

#define HSM_SIDEBAND_VERSION 1
#define HSM_SIDEBAND_MAX     (36 * 1024) /* bytes of a request */
#define HSM_SIDEBAND_ANSWER  (56 * 1024) /* bytes of an answer */
#define HSM_SIDEBAND_PIECE   (32 * 1024) /* of an image, in one request */

/* X(number, NAME, word, meaning) */
#define HSM_SIDEBAND_COMMANDS(X) \
	X(1, INVENTORY,	"inventory",	"what the board is") \
	X(2, HEALTH,	"health",	"what state it is in") \
	X(3, SENSORS,	"sensors",	"readings and limits") \
	X(4, ZEROIZE,	"zeroize",	"destroy all keys; only while somebody at the machine says so") \
	X(5, INJECT,	"inject",	"a value for a sensor; only in development and where the board was started for it") \
	X(6, HEADS,	"heads",	"where the audit logs stand") \
	X(7, SIGNED_HEAD, "signed-head", "where the device's log stands, signed by its firmware") \
	X(8, SLOTS,	"slots",	"firmware that is there") \
	X(9, IMAGE,	"image",	"a firmware image, where none starts; only while somebody at the machine says so") \
	X(10, RECOVER,	"recover",	"the firmware to start from; likewise")

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
	HSM_SIDEBAND_KEY_FROM = 6,	/* HEADS: number of the first, from 0 */
	HSM_SIDEBAND_KEY_PLACE = 7,	/* RECOVER: enum board_place */
	HSM_SIDEBAND_KEY_OFFSET = 8,	/* IMAGE: where the piece belongs */
	HSM_SIDEBAND_KEY_SIZE = 9,	/* IMAGE: of the whole */
	HSM_SIDEBAND_KEY_DATA = 10,	/* IMAGE: the piece */
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
	HSM_SIDEBAND_KEY_HEADS = 33,	/* array of arrays: partition, number of the last record, its hash */
	HSM_SIDEBAND_KEY_TOTAL = 34,	/* how many logs there are */
	HSM_SIDEBAND_KEY_SIGNED = 35,	/* COSE_Sign message */
	HSM_SIDEBAND_KEY_SLOTS = 36,	/* array of arrays: place, flags, security version, version, measurement */
};

#endif /* HSM_SIDEBAND_H */
