// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl's verbs about the device's firmware: status, stage, activate, update, minimum.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <hsm/board.h>
#include <hsm/fw_manifest.h>
#include <hsm/pkcs11.h>
#include "hsmctl-approval.h"
#include "tool-terminal.h"

#define CHUNK	     49152U /* bytes of an image in one command */
#define WAIT_SECONDS 120

static const char *const places[BOARD_PLACES] = {
	[BOARD_PLACE_INSTALLED] = "installed",
	[BOARD_PLACE_A] = "a",
	[BOARD_PLACE_B] = "b",
	[BOARD_PLACE_STAGED] = "staged",
};

static const char *const phases[] = { "none", "under way", "done", "failed" };

static const struct {
	uint32_t flag;
	const char *word;
} flag_words[] = {
	{ BOARD_FIRMWARE_ACTIVE, "active" },	       { BOARD_FIRMWARE_RUNNING, "running" },
	{ BOARD_FIRMWARE_PROVEN, "proven" },	       { BOARD_FIRMWARE_BAD, "does not verify" },
	{ BOARD_FIRMWARE_DEVELOPMENT, "development" }, { BOARD_FIRMWARE_REFUSED, "refused" },
};

/* ---- what there is ---- */

/* struct report - the answer to FIRMWARE_STATUS */
struct report {
	uint64_t phase;
	uint64_t minimum;
	uint32_t rung;
	char reason[256];
	unsigned int count;
	struct hsm_firmware_status firmware[BOARD_PLACES];
};

static void take_records(const struct hsm_fields *fields, struct report *report)
{
	const uint8_t *bytes;
	size_t length;

	bytes = hsm_fields_bytes(fields, HSM_FIELD_FIRMWARES, &length);
	while (length >= sizeof(report->firmware[0]) && report->count < BOARD_PLACES) {
		memcpy(&report->firmware[report->count++], bytes, sizeof(report->firmware[0]));
		bytes += sizeof(report->firmware[0]);
		length -= sizeof(report->firmware[0]);
	}
}

static void take_reason(const struct hsm_fields *fields, char *text, size_t capacity)
{
	const uint8_t *bytes;
	size_t length;

	bytes = hsm_fields_bytes(fields, HSM_FIELD_REASON, &length);
	snprintf(text, capacity, "%.*s", (int)length, bytes ? (const char *)bytes : "");
}

static int ask(struct ctl *ctl, struct link *link, struct report *report)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_FIRMWARE_STATUS);
	const struct hsm_fields *fields;
	int code = request ? link_call(ctl, request) : CTL_DEVICE;

	memset(report, 0, sizeof(*report));
	if (!code) {
		fields = hsm_request_fields(request);
		report->phase = hsm_fields_u64(fields, HSM_FIELD_STATE, 0);
		report->minimum = hsm_fields_u64(fields, HSM_FIELD_MIN, 0);
		report->rung = (uint32_t)hsm_fields_u64(fields, HSM_FIELD_SECURITY_VERSION, 0);
		take_reason(fields, report->reason, sizeof(report->reason));
		take_records(fields, report);
	}
	hsm_request_free(request);
	return code;
}

static const char *place_word(const struct hsm_firmware_status *status)
{
	uint32_t place = le32toh(status->place);

	return place < BOARD_PLACES ? places[place] : "unknown";
}

static void put_firmware(struct json_object *rows, const struct hsm_firmware_status *status)
{
	struct json_object *row = json_object_new_object();
	uint32_t flags = le32toh(status->flags);
	char text[128] = "", version[sizeof(status->version) + 1];
	size_t i, used = 0;

	for (i = 0; i < sizeof(flag_words) / sizeof(flag_words[0]); i++)
		if (flags & flag_words[i].flag)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s",
						 used ? ", " : "", flag_words[i].word);
	put_string(row, "place", place_word(status));
	if (flags & BOARD_FIRMWARE_BAD) {
		json_object_object_add(row, "version", NULL);
		json_object_object_add(row, "security_version", NULL);
	} else {
		snprintf(version, sizeof(version), "%.*s", (int)sizeof(status->version),
			 status->version);
		put_string(row, "version", version);
		put_number(row, "security_version", le32toh(status->security_version));
	}
	put_string(row, "state", text);
	if (flags & BOARD_FIRMWARE_BAD)
		json_object_object_add(row, "measurement", NULL);
	else
		put_hex(row, "measurement", status->measurement, sizeof(status->measurement));
	json_object_array_add(rows, row);
}

static void put_report(struct ctl *ctl, const struct report *report)
{
	struct json_object *rows = json_object_new_array();
	unsigned int i;

	put_number(ctl->result, "minimum_security_version", report->minimum);
	put_number(ctl->result, "used_security_version", report->rung);
	put_string(ctl->result, "last_update",
		   report->phase < sizeof(phases) / sizeof(phases[0]) ? phases[report->phase]
								      : "unknown");
	if (report->reason[0])
		put_string(ctl->result, "reason", report->reason);
	json_object_object_add(ctl->result, "firmware", rows);
	for (i = 0; i < report->count; i++)
		put_firmware(rows, &report->firmware[i]);
}

int verb_firmware_status(struct ctl *ctl, char **args)
{
	struct link link = { 0 };
	struct report report;
	int code = link_admin(ctl, &link);

	(void)args;
	if (!code)
		code = ask(ctl, &link, &report);
	if (!code)
		put_report(ctl, &report);
	link_close(&link);
	return code;
}

/* ---- taking it in ---- */

/**
 * struct image - a file, mapped
 * @measurement: of its manifest, whoever signed that: the device decides whom it believes
 */
struct image {
	uint8_t *bytes;
	size_t length;
	char version[HSM_FW_VERSION_MAX];
	uint8_t measurement[HSM_FW_HASH_SIZE];
};

static int read_manifest(struct ctl *ctl, const char *path, struct image *image)
{
	struct hsm_fw_manifest manifest;
	const char *reason = "it is no firmware image";
	uint32_t length = 0;
	int ret = -EBADMSG;

	if (image->length > HSM_FW_IMAGE_HEAD && !memcmp(image->bytes, HSM_FW_IMAGE_MAGIC, 8))
		length = hsm_get_le32(image->bytes + 8);
	if (length && length <= image->length - HSM_FW_IMAGE_HEAD)
		ret = hsm_fw_verify(NULL, image->bytes + HSM_FW_IMAGE_HEAD, length, NULL, &manifest,
				    &reason);
	if (ret)
		return fail(ctl, CTL_USAGE, "%s: %s", path, reason);
	memcpy(image->measurement, manifest.measurement, sizeof(image->measurement));
	memcpy(image->version, manifest.version, sizeof(image->version));
	return CTL_OK;
}

static int map_image(struct ctl *ctl, const char *path, struct image *image)
{
	struct stat st;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) || !st.st_size) {
		fail(ctl, CTL_USAGE, "%s: %s", path,
		     fd < 0 ? strerror(errno) : "is no firmware image");
		if (fd >= 0)
			close(fd);
		return CTL_USAGE;
	}
	image->length = (size_t)st.st_size;
	image->bytes = mmap(NULL, image->length, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (image->bytes == MAP_FAILED) {
		image->bytes = NULL;
		return fail(ctl, CTL_USAGE, "%s: %s", path, strerror(errno));
	}
	return read_manifest(ctl, path, image);
}

static int step(struct ctl *ctl, struct link *link, uint32_t step, size_t number,
		const uint8_t *bytes, size_t length)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_FIRMWARE_STAGE);
	struct hsm_writer *out;
	int code;

	if (!request)
		return CTL_DEVICE;
	out = hsm_request_writer(request);
	hsm_put_u64(out, HSM_FIELD_FLAGS, step);
	hsm_put_u64(out, HSM_FIELD_COUNT, number);
	if (length)
		hsm_put_bytes(out, HSM_FIELD_DATA, bytes, length);
	code = link_call(ctl, request);
	hsm_request_free(request);
	return code;
}

static int stage(struct ctl *ctl, struct link *link, const struct image *image)
{
	size_t at, length;
	int code;

	code = step(ctl, link, IHSM_STAGE_BEGIN, image->length, NULL, 0);
	for (at = 0; !code && at < image->length; at += length) {
		length = image->length - at < CHUNK ? image->length - at : CHUNK;
		code = step(ctl, link, IHSM_STAGE_WRITE, at, image->bytes + at, length);
		if (!code && !ctl->json)
			progress_show("image", at, at + length, image->length);
	}
	return code ? code : step(ctl, link, IHSM_STAGE_END, 0, NULL, 0);
}

static int stage_file(struct ctl *ctl, struct link *link, const char *path, struct image *image)
{
	int code = map_image(ctl, path, image);

	if (!code)
		code = link_officer(ctl, link);
	if (!code)
		code = stage(ctl, link, image);
	if (!code) {
		put_string(ctl->result, "version", image->version);
		put_hex(ctl->result, "measurement", image->measurement, sizeof(image->measurement));
	}
	return code;
}

static void unmap_image(struct image *image)
{
	if (image->bytes)
		munmap(image->bytes, image->length);
}

int verb_firmware_stage(struct ctl *ctl, char **args)
{
	struct image image = { 0 };
	struct link link = { 0 };
	int code = stage_file(ctl, &link, args[0], &image);

	unmap_image(&image);
	link_close(&link);
	return code;
}

/* ---- activating it ---- */

static void pause_briefly(void)
{
	const struct timespec brief = { .tv_nsec = 50000000 };

	nanosleep(&brief, NULL);
}

/* The new firmware answers as soon as it has the connection; until it is the board's the update is under way. */
static int wait_for_end(struct ctl *ctl, struct link *link)
{
	struct report report;
	time_t end = time(NULL) + WAIT_SECONDS;
	int code;

	do {
		code = ask(ctl, link, &report);
		if (code)
			return code;
		if (report.phase != BOARD_UPDATE_RUNS)
			break;
		pause_briefly();
	} while (time(NULL) < end);
	if (report.phase == BOARD_UPDATE_DONE)
		return CTL_OK;
	return fail(ctl, CTL_REFUSED, "%s",
		    report.reason[0] ? report.reason
				     : "how it ended is not known; see hsmctl firmware status");
}

static int send_activate(struct ctl *ctl, struct link *link, const uint8_t *measurement)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_FIRMWARE_ACTIVATE);
	char reason[256];
	int code;

	if (!request)
		return CTL_DEVICE;
	hsm_put_bytes(hsm_request_writer(request), HSM_FIELD_MEASUREMENT, measurement,
		      HSM_FW_HASH_SIZE);
	code = approval_try(ctl, link, request, HSM_OP_FIRMWARE_ACTIVATE);
	if (!code && !approval_is_asked(ctl)) {
		take_reason(hsm_request_fields(request), reason, sizeof(reason));
		code = reason[0] ? fail(ctl, CTL_REFUSED, "%s", reason)
				 : approval_answer(ctl, request);
	}
	hsm_request_free(request);
	return code || approval_is_asked(ctl) ? code : wait_for_end(ctl, link);
}

/* By place, or by the first digits of the measurement when they are of one alone */
static int find(struct ctl *ctl, const struct report *report, const char *which,
		const struct hsm_firmware_status **found)
{
	char digits[2 * HSM_FW_HASH_SIZE + 1];
	unsigned int i, j, matches = 0;

	for (i = 0; i < report->count; i++) {
		for (j = 0; j < HSM_FW_HASH_SIZE; j++)
			sprintf(digits + 2 * j, "%02x", report->firmware[i].measurement[j]);
		if (strcmp(which, place_word(&report->firmware[i])) &&
		    (strlen(which) < 8 || strncmp(which, digits, strlen(which))))
			continue;
		if (matches && !memcmp((*found)->measurement, report->firmware[i].measurement,
				       HSM_FW_HASH_SIZE))
			continue;
		*found = &report->firmware[i];
		matches++;
	}
	if (matches == 1)
		return CTL_OK;
	return fail(ctl, CTL_USAGE, "%s: %s", which,
		    matches ? "more than one firmware" : "no firmware; see hsmctl firmware status");
}

int verb_firmware_activate(struct ctl *ctl, char **args)
{
	const struct hsm_firmware_status *found = NULL;
	struct link link = { 0 };
	struct report report;
	int code = link_officer(ctl, &link);

	if (!code)
		code = ask(ctl, &link, &report);
	if (!code)
		code = find(ctl, &report, args[0] ? args[0] : "staged", &found);
	if (!code)
		code = send_activate(ctl, &link, found->measurement);
	link_close(&link);
	return code;
}

int verb_firmware_update(struct ctl *ctl, char **args)
{
	struct image image = { 0 };
	struct link link = { 0 };
	int code = stage_file(ctl, &link, args[0], &image);

	if (!code)
		code = send_activate(ctl, &link, image.measurement);
	unmap_image(&image);
	link_close(&link);
	return code;
}

/* ---- the least security version ---- */

int verb_firmware_minimum(struct ctl *ctl, char **args)
{
	struct link link = { 0 };
	struct hsm_request *request;
	unsigned long version;
	char *end;
	int code;

	version = strtoul(args[0], &end, 10);
	if (*end || version < 1 || version > HSM_FW_SECURITY_MAX)
		return fail(ctl, CTL_USAGE, "%s: a security version is 1 to %d", args[0],
			    HSM_FW_SECURITY_MAX);
	code = link_officer(ctl, &link);
	if (!code)
		code = confirm(ctl,
			       "Firmware below security version %lu will never run on this device "
			       "again.",
			       version);
	if (!code) {
		request = link_request(ctl, &link, HSM_OP_FIRMWARE_MINIMUM);
		code = CTL_DEVICE;
		if (request) {
			hsm_put_u32(hsm_request_writer(request), HSM_FIELD_SECURITY_VERSION,
				    (uint32_t)version);
			code = approval_call(ctl, &link, request, HSM_OP_FIRMWARE_MINIMUM);
		}
		hsm_request_free(request);
	}
	link_close(&link);
	return code;
}
