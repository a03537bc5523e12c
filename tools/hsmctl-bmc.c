// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl bmc: what a baseboard management controller does over the board's sideband. It is no way to a
 * device: no channel, no login, no keys.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <hsm/board.h>
#include <hsm/cose.h>
#include <hsm/lifecycle.h>
#include <hsm/sideband.h>
#include "hsmctl.h"
#include "tool-nearest.h"

#define ROW(number, NAME, word, meaning) { number, word },
static const struct {
	uint64_t number;
	const char *word;
} commands[] = { HSM_SIDEBAND_COMMANDS(ROW) };
#undef ROW

static const char bmc_usage[] = "inventory, health, sensors, zeroize, inject SENSOR VALUE, heads, "
				"signed-head, slots, image FILE, or recover SLOT";

static const char *const sensors[] = {
	[IHSM_SENSOR_TEMPERATURE] = "temperature",
	[IHSM_SENSOR_VOLTAGE] = "voltage",
	[IHSM_SENSOR_CLOCK] = "clock",
	[IHSM_SENSOR_ENCLOSURE] = "enclosure",
};

static const char *const refusals[] = {
	[HSM_SIDEBAND_MALFORMED] = "the board cannot read the message",
	[HSM_SIDEBAND_UNKNOWN] = "the board knows no such command",
	[HSM_SIDEBAND_REFUSED] =
		"the board refuses: nobody is at the machine, or it is not the kind of board or the moment for that",
	[HSM_SIDEBAND_INVALID] =
		"there is no such sensor, firmware or head, or the piece is out of order",
	[HSM_SIDEBAND_FAILED] = "the board failed; its log says why",
};

/* ---- the message and its way ---- */

static int connect_to(struct ctl *ctl, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		fail(ctl, CTL_USAGE, "--sideband %s: the path is too long", path);
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		return fd;
	fail(ctl, CTL_DEVICE, "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* struct request - what is asked; what the command does not have is not looked at */
struct request {
	uint64_t command;
	uint64_t kind;
	int64_t value;
	uint64_t number; /* HEADS: the first; RECOVER: the place; IMAGE: offset */
	uint64_t size;
	const uint8_t *data;
	size_t length;
};

static bool put_number_of(cbor_item_t *map, enum hsm_sideband_key key, uint64_t value)
{
	return hsm_cbor_put(map, key, hsm_cbor_uint(value));
}

static bool put_arguments(cbor_item_t *map, const struct request *request)
{
	switch (request->command) {
	case HSM_SIDEBAND_INJECT:
		return put_number_of(map, HSM_SIDEBAND_KEY_KIND, request->kind) &&
		       hsm_cbor_put(map, HSM_SIDEBAND_KEY_VALUE, hsm_cbor_int(request->value));
	case HSM_SIDEBAND_HEADS:
		return put_number_of(map, HSM_SIDEBAND_KEY_FROM, request->number);
	case HSM_SIDEBAND_RECOVER:
		return put_number_of(map, HSM_SIDEBAND_KEY_PLACE, request->number);
	case HSM_SIDEBAND_IMAGE:
		return put_number_of(map, HSM_SIDEBAND_KEY_OFFSET, request->number) &&
		       put_number_of(map, HSM_SIDEBAND_KEY_SIZE, request->size) &&
		       hsm_cbor_put(map, HSM_SIDEBAND_KEY_DATA,
				    cbor_build_bytestring(request->data, request->length));
	default:
		return true;
	}
}

static size_t arguments_of(uint64_t command)
{
	switch (command) {
	case HSM_SIDEBAND_INJECT:
		return 2;
	case HSM_SIDEBAND_IMAGE:
		return 3;
	default:
		return command == HSM_SIDEBAND_HEADS || command == HSM_SIDEBAND_RECOVER;
	}
}

static bool build(const struct request *request, uint8_t **bytes, size_t *length)
{
	cbor_item_t *map = cbor_new_definite_map(1 + arguments_of(request->command));
	bool ok = map && put_number_of(map, HSM_SIDEBAND_KEY_COMMAND, request->command) &&
		  put_arguments(map, request);

	ok = ok && hsm_cbor_write(map, bytes, length) == 0;
	if (map)
		cbor_decref(&map);
	return ok;
}

static cbor_item_t *exchange(struct ctl *ctl, const uint8_t *bytes, size_t length)
{
	uint8_t answer[HSM_SIDEBAND_ANSWER];
	int fd = connect_to(ctl, ctl->sideband);
	ssize_t n = -1;

	if (fd < 0)
		return NULL;
	if (send(fd, bytes, length, MSG_NOSIGNAL) == (ssize_t)length)
		n = recv(fd, answer, sizeof(answer), 0);
	close(fd);
	if (n <= 0) {
		fail(ctl, CTL_DEVICE, "%s: no answer", ctl->sideband);
		return NULL;
	}
	return hsm_cbor_read(answer, (size_t)n);
}

/* ---- what comes back ---- */

static void put_text(struct json_object *result, const char *key, const cbor_item_t *item)
{
	const char *text;
	char copy[64];
	size_t length;

	if (!hsm_cbor_as_text(item, &text, &length))
		return;
	snprintf(copy, sizeof(copy), "%.*s", (int)length, text);
	put_string(result, key, copy);
}

static void put_bytes(struct json_object *result, const char *key, const cbor_item_t *item)
{
	const uint8_t *bytes;
	size_t length;

	if (hsm_cbor_as_bytes(item, &bytes, &length))
		put_hex(result, key, bytes, length);
}

static const struct {
	int key;
	const char *name;
} numbers[] = {
	{ HSM_SIDEBAND_KEY_SECURITY_VERSION, "security_version" },
	{ HSM_SIDEBAND_KEY_FUNCTIONS, "functions" },
	{ HSM_SIDEBAND_KEY_TAMPERS, "tampers" },
	{ HSM_SIDEBAND_KEY_RECOVERIES, "recoveries" },
	{ HSM_SIDEBAND_KEY_COUNTER, "fuse_counter" },
	{ HSM_SIDEBAND_KEY_RUNNING, "running" },
	{ HSM_SIDEBAND_KEY_STARTS, "starts" },
	{ HSM_SIDEBAND_KEY_CONNECTIONS, "connections" },
};

static void put_sensor(struct json_object *rows, const cbor_item_t *item)
{
	static const char *const names[] = { "value", "least", "largest" };
	struct json_object *row = json_object_new_object();
	cbor_item_t **part = cbor_array_handle(item);
	uint64_t flags = 0;
	int64_t value = 0;

	put_text(row, "sensor", part[1]);
	for (size_t i = 0; i < 3; i++) {
		hsm_cbor_as_int(part[2 + i], &value);
		json_object_object_add(row, names[i], json_object_new_int64(value));
	}
	hsm_cbor_as_uint(part[5], &flags);
	put_bool(row, "alarm", flags & IHSM_SENSOR_ALARM);
	put_bool(row, "tripped", flags & IHSM_SENSOR_TRIPPED);
	json_object_array_add(rows, row);
}

static void put_sensors(struct json_object *result, const cbor_item_t *list)
{
	struct json_object *rows;

	if (!list || !cbor_isa_array(list))
		return;
	rows = json_object_new_array();
	for (size_t i = 0; i < cbor_array_size(list); i++) {
		cbor_item_t *item = cbor_array_handle(list)[i];

		if (cbor_isa_array(item) && cbor_array_size(item) == 6)
			put_sensor(rows, item);
	}
	json_object_object_add(result, "sensors", rows);
}

static void put_heads(struct json_object *result, const cbor_item_t *list)
{
	struct json_object *rows, *row;
	uint64_t sequence = 0;

	if (!list || !cbor_isa_array(list))
		return;
	rows = json_object_new_array();
	for (size_t i = 0; i < cbor_array_size(list); i++) {
		cbor_item_t *item = cbor_array_handle(list)[i];

		if (!cbor_isa_array(item) || cbor_array_size(item) != 3)
			continue;
		row = json_object_new_object();
		put_bytes(row, "partition", cbor_array_handle(item)[0]);
		hsm_cbor_as_uint(cbor_array_handle(item)[1], &sequence);
		put_number(row, "sequence", sequence);
		put_bytes(row, "hash", cbor_array_handle(item)[2]);
		json_object_array_add(rows, row);
	}
	json_object_object_add(result, "heads", rows);
}

static const char *const places[] = { "installed", "a", "b", "staged" };

static void put_slot(struct json_object *rows, cbor_item_t *const *part)
{
	struct json_object *row = json_object_new_object();
	uint64_t place = 0, flags = 0, version = 0;

	hsm_cbor_as_uint(part[0], &place);
	hsm_cbor_as_uint(part[1], &flags);
	hsm_cbor_as_uint(part[2], &version);
	put_string(row, "place", place < sizeof(places) / sizeof(places[0]) ? places[place] : "?");
	put_text(row, "version", part[3]);
	put_number(row, "security_version", version);
	put_bool(row, "active", flags & BOARD_FIRMWARE_ACTIVE);
	put_bool(row, "running", flags & BOARD_FIRMWARE_RUNNING);
	put_bool(row, "verifies", !(flags & BOARD_FIRMWARE_BAD));
	put_bytes(row, "measurement", part[4]);
	json_object_array_add(rows, row);
}

static void put_slots(struct json_object *result, const cbor_item_t *list)
{
	struct json_object *rows;

	if (!list || !cbor_isa_array(list))
		return;
	rows = json_object_new_array();
	for (size_t i = 0; i < cbor_array_size(list); i++) {
		cbor_item_t *item = cbor_array_handle(list)[i];

		if (cbor_isa_array(item) && cbor_array_size(item) == 5)
			put_slot(rows, cbor_array_handle(item));
	}
	json_object_object_add(result, "slots", rows);
}

static int report(struct ctl *ctl, const cbor_item_t *map)
{
	uint64_t status = UINT64_MAX, value;

	if (!hsm_cbor_as_uint(hsm_cbor_get(map, HSM_SIDEBAND_KEY_STATUS), &status) ||
	    status >= sizeof(refusals) / sizeof(refusals[0]))
		return fail(ctl, CTL_DEVICE, "%s: the answer makes no sense", ctl->sideband);
	if (status)
		return fail(ctl, CTL_REFUSED, "%s", refusals[status]);
	put_text(ctl->result, "model", hsm_cbor_get(map, HSM_SIDEBAND_KEY_MODEL));
	put_text(ctl->result, "serial", hsm_cbor_get(map, HSM_SIDEBAND_KEY_SERIAL));
	put_bytes(ctl->result, "board_id", hsm_cbor_get(map, HSM_SIDEBAND_KEY_BOARD));
	put_text(ctl->result, "firmware", hsm_cbor_get(map, HSM_SIDEBAND_KEY_FIRMWARE));
	put_bytes(ctl->result, "measurement", hsm_cbor_get(map, HSM_SIDEBAND_KEY_MEASUREMENT));
	if (hsm_cbor_as_uint(hsm_cbor_get(map, HSM_SIDEBAND_KEY_STATE), &value))
		put_string(ctl->result, "state", state_name((uint32_t)value));
	if (hsm_cbor_as_uint(hsm_cbor_get(map, HSM_SIDEBAND_KEY_LIFECYCLE), &value))
		put_string(ctl->result, "lifecycle", hsm_lifecycle_name((uint32_t)value));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (hsm_cbor_as_uint(hsm_cbor_get(map, numbers[i].key), &value))
			put_number(ctl->result, numbers[i].name, value);
	put_sensors(ctl->result, hsm_cbor_get(map, HSM_SIDEBAND_KEY_SENSORS));
	put_heads(ctl->result, hsm_cbor_get(map, HSM_SIDEBAND_KEY_HEADS));
	if (hsm_cbor_as_uint(hsm_cbor_get(map, HSM_SIDEBAND_KEY_TOTAL), &value))
		put_number(ctl->result, "logs", value);
	put_bytes(ctl->result, "signed", hsm_cbor_get(map, HSM_SIDEBAND_KEY_SIGNED));
	put_slots(ctl->result, hsm_cbor_get(map, HSM_SIDEBAND_KEY_SLOTS));
	return CTL_OK;
}

/* ---- the verb ---- */

static uint64_t command_of(const char *word)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(commands[i].word, word))
			return commands[i].number;
	return 0;
}

static uint64_t sensor_of(const char *word)
{
	for (size_t i = 1; i < sizeof(sensors) / sizeof(sensors[0]); i++)
		if (!strcmp(sensors[i], word))
			return i;
	return 0;
}

static int place_of(const char *word)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (!strcmp(places[i], word))
			return (int)i;
	return -1;
}

static int run(struct ctl *ctl, const struct request *request)
{
	cbor_item_t *map;
	uint8_t *bytes;
	size_t length;
	int code;

	if (!build(request, &bytes, &length))
		return fail(ctl, CTL_DEVICE, "out of memory");
	map = exchange(ctl, bytes, length);
	free(bytes);
	code = map ? report(ctl, map) : CTL_DEVICE;
	if (map)
		cbor_decref(&map);
	return code;
}

/* The whole file, piece by piece; the board says no to the first that it does not take. */
static int send_image(struct ctl *ctl, const char *path)
{
	struct request request = { .command = HSM_SIDEBAND_IMAGE };
	uint8_t piece[HSM_SIDEBAND_PIECE];
	FILE *file = fopen(path, "rb");
	int code = CTL_OK;

	if (!file)
		return fail(ctl, CTL_USAGE, "%s: %s", path, strerror(errno));
	if (!fseek(file, 0, SEEK_END) && ftell(file) > 0)
		request.size = (uint64_t)ftell(file);
	rewind(file);
	request.data = piece;
	while (!code && request.number < request.size) {
		request.length = fread(piece, 1, sizeof(piece), file);
		if (!request.length)
			code = fail(ctl, CTL_USAGE, "%s: it cannot be read", path);
		else
			code = run(ctl, &request);
		request.number += request.length;
	}
	fclose(file);
	return code || request.size ? code : fail(ctl, CTL_USAGE, "%s: it is empty", path);
}

static int take_injection(struct ctl *ctl, char **args, struct request *request)
{
	char *end;

	request->kind = sensor_of(args[1]);
	request->value = strtol(args[2], &end, 10);
	if (!request->kind || end == args[2] || *end)
		return fail(ctl, CTL_USAGE, "inject SENSOR VALUE, as inject enclosure 1");
	return CTL_OK;
}

static int take_place(struct ctl *ctl, const char *word, struct request *request)
{
	int place = place_of(word);

	if (place < 0)
		return fail(ctl, CTL_USAGE, "recover installed, a, b or staged");
	request->number = (uint64_t)place;
	return confirm(ctl, "The device will start from that firmware.");
}

static size_t words_of(uint64_t command)
{
	switch (command) {
	case HSM_SIDEBAND_INJECT:
		return 2;
	case HSM_SIDEBAND_IMAGE:
	case HSM_SIDEBAND_RECOVER:
		return 1;
	default:
		return 0;
	}
}

static int no_command(struct ctl *ctl, const char *word)
{
	struct nearest nearest;
	char hint[2 * NEAREST_MAX];

	nearest_begin(&nearest, word);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		nearest_try(&nearest, commands[i].word);
	return fail(ctl, CTL_USAGE, "bmc has no command '%s'%s there are %s", word,
		    nearest_hint(&nearest, hint, sizeof(hint)), bmc_usage);
}

int verb_bmc(struct ctl *ctl, char **args)
{
	struct request request = { .command = command_of(args[0]) };
	size_t words = args[1] ? 1 + (args[2] != NULL) : 0;
	int code = CTL_OK;

	if (!ctl->sideband)
		return fail(ctl, CTL_USAGE, "--sideband SOCKET names the board's socket");
	if (!request.command)
		return no_command(ctl, args[0]);
	if (words != words_of(request.command))
		return fail(ctl, CTL_USAGE, "%s", bmc_usage);
	if (request.command == HSM_SIDEBAND_IMAGE)
		return send_image(ctl, args[1]);
	if (request.command == HSM_SIDEBAND_INJECT)
		code = take_injection(ctl, args, &request);
	if (request.command == HSM_SIDEBAND_RECOVER)
		code = take_place(ctl, args[1], &request);
	if (request.command == HSM_SIDEBAND_ZEROIZE)
		code = confirm(ctl, "All keys and officers of the device will be gone for good.");
	return code ?: run(ctl, &request);
}
