// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl doctor from the configuration to the partitions: what hsm.conf says, does the device answer, do its
 * partitions prove who they are, and can their tokens be used. What libhsm says is the finding.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <hsm/migration.h>
#include <hsm/pkcs11.h>
#include "hsmctl-doctor.h"

#define NEARLY_FULL 16 /* less than one part in so many is free */

/* ---- configuration ---- */

int doctor_config_file(struct doctor *doctor, struct doctor_finding *finding)
{
	/* Its text names the file. */
	if (doctor->config_error.error == -EACCES)
		doctor_advise(finding, "let this user (%u) read it: it holds no secrets",
			      (unsigned int)geteuid());
	if (*doctor->config_error.text)
		return doctor_say(finding, DOCTOR_FAILED, "%s", doctor->config_error.text);
	if (!*doctor->config_path)
		return doctor_say(finding, DOCTOR_OK, "no hsm.conf, which is not needed");
	return doctor_say(finding, DOCTOR_OK, "%.250s is right", doctor->config_path);
}

int doctor_config_devices(struct doctor *doctor, struct doctor_finding *finding)
{
	if (doctor->names_count)
		return doctor_say(finding, DOCTOR_OK, "%d, the first is %.200s",
				  doctor->names_count, doctor->names[0]);
	return doctor_say(finding, DOCTOR_FAILED, "no device is named, and there is no /dev/ihsm*");
}

/* ---- the device ---- */

void doctor_device_open(struct doctor *doctor, const char *name)
{
	static const struct {
		const char *prefix;
		size_t skip;
		unsigned int way;
	} forms[] = {
		{ "/dev/", 0, DOCTOR_DRIVER },
		{ "vfio-user:", 10, DOCTOR_SOCKET },
		{ "vhsm:", 5, DOCTOR_EMBEDDED },
	};
	struct doctor_device *device = &doctor->device;
	char *option;

	memset(device, 0, sizeof(*device));
	device->name = name;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (strncmp(name, forms[i].prefix, strlen(forms[i].prefix)))
			continue;
		device->way = forms[i].way;
		snprintf(device->path, sizeof(device->path), "%s", name + forms[i].skip);
	}
	option = device->way == DOCTOR_EMBEDDED ? strstr(device->path, ",function=") : NULL;
	if (option)
		*option = '\0';
}

void doctor_device_close(struct doctor *doctor)
{
	struct doctor_device *device = &doctor->device;

	for (size_t i = 0; i < device->count; i++)
		hsm_disconnect(device->channels[i]);
	hsm_close(device->device);
	device->device = NULL;
	device->count = 0;
}

/* What was remembered while looking is not where the user's own is, and the text has to name that. */
static int say_error(struct doctor *doctor, struct doctor_finding *finding,
		     const struct hsm_error *error)
{
	const char *text = *error->text ? error->text : strerror(-error->error);
	const char *at = *doctor->memory ? strstr(text, doctor->memory) : NULL;

	if (!at)
		return doctor_say(finding, DOCTOR_FAILED, "%s", text);
	return doctor_say(finding, DOCTOR_FAILED, "%.*s%.150s", (int)(at - text), text,
			  doctor->remembered);
}

int doctor_device_answers(struct doctor *doctor, struct doctor_finding *finding)
{
	struct doctor_device *device = &doctor->device;
	struct hsm_error error = { 0 };

	if (device->asleep)
		return DOCTOR_SKIPPED;
	if (hsm_open(device->name, 0, &device->device, &error) ||
	    hsm_device_info(device->device, &device->info, &error))
		return say_error(doctor, finding, &error);
	return doctor_say(finding, DOCTOR_OK, "%s %s, function %u", device->info.model,
			  device->info.serial, device->info.function);
}

int doctor_device_version(struct doctor *doctor, struct doctor_finding *finding)
{
	const char *firmware = doctor->device.info.firmware;

	if (strcmp(hsm_library_version(), HSM_VERSION))
		return doctor_say(finding, DOCTOR_WARNING, "libhsm is version %s, and hsmctl %s",
				  hsm_library_version(), HSM_VERSION);
	if (strcmp(firmware, HSM_VERSION))
		return doctor_say(finding, DOCTOR_OK, "firmware %s, libhsm %s", firmware,
				  hsm_library_version());
	return doctor_say(finding, DOCTOR_OK, "%s everywhere", firmware);
}

int doctor_device_partitions(struct doctor *doctor, struct doctor_finding *finding)
{
	static const uint8_t device_itself[HSM_PARTITION_ID_SIZE];
	struct doctor_device *device = &doctor->device;
	struct hsm_error error = { 0 };
	size_t all = PARTITIONS_MAX;

	if (hsm_partitions(device->device, device->list, &all, &error))
		return say_error(doctor, finding, &error);
	for (size_t i = 0; i < all; i++)
		if (memcmp(device->list[i].id, device_itself, sizeof(device_itself)))
			device->list[device->count++] = device->list[i];
	if (!device->count && !device->info.function)
		return doctor_say(finding, DOCTOR_OK, "none: function 0 administers the device");
	if (!device->count)
		return doctor_say(finding, DOCTOR_FAILED, "no partition is assigned to function %u",
				  device->info.function);
	return doctor_say(finding, DOCTOR_OK, "%zu, the first is %s", device->count,
			  device->list[0].name);
}

int doctor_partition_storage(struct doctor *doctor, struct doctor_finding *finding)
{
	const struct doctor_device *device = &doctor->device;

	for (size_t i = 0; i < device->count; i++)
		if (device->list[i].flags & HSM_PARTITION_FAILED)
			return doctor_say(finding, DOCTOR_FAILED,
					  "the storage of partition %s does not verify",
					  device->list[i].name);
	return device->count ? doctor_say(finding, DOCTOR_OK, "verifies") : DOCTOR_NOTHING;
}

int doctor_channel(struct doctor *doctor, struct doctor_finding *finding)
{
	struct doctor_device *device = &doctor->device;
	struct hsm_error error = { 0 };

	/* With the user's own it would remember whom it sees, and without channels nothing above can be asked. */
	if (!*doctor->memory) {
		doctor_advise(finding, "export TMPDIR=DIRECTORY, one that can be written");
		return doctor_say(finding, DOCTOR_FAILED,
				  "no temporary directory to remember identities in");
	}
	for (size_t i = 0; i < device->count; i++)
		if (hsm_connect(device->device, device->list[i].id, &device->channels[i], &error))
			return say_error(doctor, finding, &error);
	return device->count
		       ? doctor_say(finding, DOCTOR_OK, "opened, and the other end is believed")
		       : DOCTOR_NOTHING;
}

/* ---- partitions ---- */

/* A request without fields; NULL, and @finding, when it was not answered with CKR_OK. */
static struct hsm_request *ask(struct doctor *doctor, size_t partition,
			       enum hsm_operation operation, struct doctor_finding *finding)
{
	struct hsm_error error = { 0 };
	struct hsm_request *request =
		hsm_request_new(doctor->device.channels[partition], operation, 0);

	if (!request) {
		doctor_say(finding, DOCTOR_FAILED, "out of memory");
		return NULL;
	}
	if (hsm_call(request, &error))
		say_error(doctor, finding, &error);
	else if (hsm_request_rv(request))
		doctor_say(finding, DOCTOR_FAILED, "partition %s answers with CKR 0x%lx",
			   doctor->device.list[partition].name,
			   (unsigned long)hsm_request_rv(request));
	else
		return request;
	hsm_request_free(request);
	return NULL;
}

struct token {
	uint64_t flags, memory, free, sessions, most;
};

static bool ask_token(struct doctor *doctor, size_t partition, struct token *token,
		      struct doctor_finding *finding)
{
	struct hsm_request *request = ask(doctor, partition, HSM_OP_TOKEN_INFO, finding);
	const struct hsm_fields *fields;

	if (!request)
		return false;
	fields = hsm_request_fields(request);
	token->flags = hsm_fields_u64(fields, HSM_FIELD_FLAGS, 0);
	token->memory = hsm_fields_u64(fields, HSM_FIELD_TOTAL_MEMORY, 0);
	token->free = hsm_fields_u64(fields, HSM_FIELD_FREE_MEMORY, 0);
	token->sessions = hsm_fields_u64(fields, HSM_FIELD_SESSIONS, 0);
	token->most = hsm_fields_u64(fields, HSM_FIELD_MAX_SESSIONS, 0);
	hsm_request_free(request);
	return true;
}

/* One that can be used is enough; one that cannot beside it may be meant so. */
static enum doctor_verdict by_number(size_t good)
{
	return good ? DOCTOR_WARNING : DOCTOR_FAILED;
}

int doctor_partition_token(struct doctor *doctor, struct doctor_finding *finding)
{
	const struct doctor_device *device = &doctor->device;
	const char *empty = NULL;
	struct token token;
	size_t good = 0;

	for (size_t i = 0; i < device->count; i++) {
		if (!ask_token(doctor, i, &token, finding))
			return DOCTOR_FAILED;
		if (token.flags & CKF_TOKEN_INITIALIZED)
			good++;
		else
			empty = device->list[i].name;
	}
	if (!device->count)
		return DOCTOR_NOTHING;
	if (!empty)
		return doctor_say(finding, DOCTOR_OK, "%zu, with label and SO PIN", good);
	doctor_advise(finding, "hsmctl -d %s partition init %s", device->name, empty);
	return doctor_say(finding, by_number(good),
			  "the token of partition %s has not been initialized", empty);
}

static const struct {
	uint64_t flag;
	bool when; /* it is a finding when the flag is so */
	enum doctor_verdict verdict;
	const char *text;
	const char *advice;
} pins[] = {
	{ CKF_USER_PIN_INITIALIZED, false, DOCTOR_FAILED, "no user PIN is set", "hsmctl pin init" },
	{ CKF_USER_PIN_LOCKED, true, DOCTOR_FAILED, "the user PIN is locked after wrong tries",
	  "hsmctl pin init, by the SO, sets a new one" },
	{ CKF_USER_PIN_FINAL_TRY, true, DOCTOR_WARNING, "one more wrong user PIN locks it",
	  "log in with the right one, which begins the count anew" },
	{ CKF_USER_PIN_TO_BE_CHANGED, true, DOCTOR_WARNING, "the user PIN has to be changed",
	  "hsmctl pin set" },
	{ CKF_SO_PIN_LOCKED, true, DOCTOR_WARNING, "the SO PIN is locked after wrong tries",
	  "nobody can unlock it; users go on, and partition init makes an empty token" },
	{ CKF_USER_PIN_COUNT_LOW, true, DOCTOR_WARNING, "somebody has tried a wrong user PIN",
	  "look for a program with an old PIN; the right one begins the count anew" },
};

static int look_at_pins(const char *name, uint64_t flags, struct doctor_finding *finding)
{
	for (size_t i = 0; i < sizeof(pins) / sizeof(pins[0]); i++) {
		if (!!(flags & pins[i].flag) != pins[i].when)
			continue;
		doctor_advise(finding, "%s", pins[i].advice);
		return doctor_say(finding, pins[i].verdict, "partition %s: %s", name, pins[i].text);
	}
	return DOCTOR_OK;
}

int doctor_partition_pins(struct doctor *doctor, struct doctor_finding *finding)
{
	const struct doctor_device *device = &doctor->device;
	struct doctor_finding one = { 0 };
	struct token token;
	size_t good = 0;
	int verdict;

	for (size_t i = 0; i < device->count; i++) {
		if (!ask_token(doctor, i, &token, finding))
			return DOCTOR_FAILED;
		if (!(token.flags & CKF_TOKEN_INITIALIZED))
			continue;
		verdict = look_at_pins(device->list[i].name, token.flags, &one);
		good += verdict != DOCTOR_FAILED;
		if (verdict > finding->verdict) {
			*finding = one;
			finding->verdict = verdict;
		}
	}
	if (finding->verdict <= DOCTOR_OK)
		return doctor_say(finding, DOCTOR_OK, "set, and not locked");
	return finding->verdict == DOCTOR_FAILED ? (int)by_number(good) : finding->verdict;
}

int doctor_partition_room(struct doctor *doctor, struct doctor_finding *finding)
{
	const struct doctor_device *device = &doctor->device;
	struct token token;

	for (size_t i = 0; i < device->count; i++) {
		const char *name = device->list[i].name;

		if (!ask_token(doctor, i, &token, finding))
			return DOCTOR_FAILED;
		if (token.memory && token.free < token.memory / NEARLY_FULL)
			return doctor_say(finding, DOCTOR_WARNING,
					  "partition %s is nearly full: %lu of %lu bytes are free",
					  name, (unsigned long)token.free,
					  (unsigned long)token.memory);
		if (token.most && token.sessions >= token.most) {
			doctor_advise(
				finding,
				"end programs, or raise its --max-sessions: hsmctl partition update");
			return doctor_say(finding, DOCTOR_WARNING,
					  "partition %s: all %lu sessions are in use", name,
					  (unsigned long)token.most);
		}
	}
	return device->count ? doctor_say(finding, DOCTOR_OK, "for keys and sessions")
			     : DOCTOR_NOTHING;
}

static bool serves(uint64_t phase)
{
	return phase == HSM_MIGRATION_PHASE_NONE || phase == HSM_MIGRATION_PHASE_REQUESTED ||
	       phase == HSM_MIGRATION_PHASE_IMPORTED;
}

int doctor_partition_moving(struct doctor *doctor, struct doctor_finding *finding)
{
	const struct doctor_device *device = &doctor->device;
	struct hsm_request *request;
	uint64_t phase;

	for (size_t i = 0; i < device->count; i++) {
		request = ask(doctor, i, HSM_OP_MIGRATE_STATUS, finding);
		if (!request)
			return DOCTOR_FAILED;
		phase = hsm_fields_u64(hsm_request_fields(request), HSM_FIELD_PHASE, 0);
		hsm_request_free(request);
		if (!serves(phase))
			return doctor_say(
				finding, by_number(device->count - 1),
				"partition %s serves nothing: it is %s", device->list[i].name,
				hsm_migration_phase_name((unsigned int)phase) ?: "moving");
	}
	return device->count ? doctor_say(finding, DOCTOR_OK, "served here") : DOCTOR_NOTHING;
}
