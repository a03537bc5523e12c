// SPDX-License-Identifier: Apache-2.0
/*
 * Gathering what hsmctl top and hsmctl metrics show: the driver's counters from sysfs, and from each device what its
 * partitions have counted. No PIN is needed, and a board that sleeps goes on sleeping.
 */
#include <dirent.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <hsm/pkcs11.h>
#include "hsmctl-watch.h"

#define WORD(number, NAME, word, meaning) [number] = word,
static const char *const kinds[] = { HSM_STATISTICS_KINDS(WORD) };
#undef WORD

#define COUNTER(number, file, meaning) [number] = #file,
static const char *const counters[] = { WATCH_COUNTERS(COUNTER) };
#undef COUNTER

const char *watch_kind(unsigned int kind)
{
	return kinds[kind];
}

const char *watch_counter(unsigned int counter)
{
	return counters[counter];
}

/* ---- the driver ---- */

static uint64_t read_number(const struct driver_system *system, const char *directory,
			    const char *name)
{
	char value[DRIVER_VALUE_MAX];

	return driver_read(system, value, "%s/%s", directory, name) ? strtoull(value, NULL, 10) : 0;
}

static void take_queues(const struct driver_system *system, const char *directory,
			struct watch_function *function)
{
	char queue[2 * NAME_MAX], value[DRIVER_VALUE_MAX];

	for (unsigned int i = 0; i < WATCH_QUEUES_MAX; i++) {
		struct watch_queue *to = &function->queue[function->queues];

		snprintf(queue, sizeof(queue), "%s/queue%u", directory, i);
		if (!driver_read(system, value, "%s/submitted", queue))
			return;
		to->number = i;
		for (unsigned int c = 0; c < WATCH_COUNTER_COUNT; c++)
			to->counter[c] = read_number(system, queue, counters[c]);
		function->queues++;
	}
}

static void take_function(const struct driver_system *system, const char *node,
			  struct watch_function *function)
{
	char directory[NAME_MAX + 16], state[DRIVER_VALUE_MAX];

	memset(function, 0, sizeof(*function));
	snprintf(function->node, sizeof(function->node), "%.63s", node);
	snprintf(directory, sizeof(directory), "class/" DRIVER_MODULE "/%.200s", node);
	driver_read(system, state, "%s/state", directory);
	snprintf(function->state, sizeof(function->state), "%.60s", state);
	function->bogus = read_number(system, directory, "bogus");
	function->missed = read_number(system, directory, "missed");
	take_queues(system, directory, function);
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void take_functions(const char *sys, struct watch *watch)
{
	const struct driver_system system = { .sys = sys };
	struct dirent **entries;
	char path[PATH_MAX];
	int count;

	snprintf(path, sizeof(path), "%s/class/" DRIVER_MODULE, sys);
	count = scandir(path, &entries, visible, versionsort);
	if (count < 0)
		return;
	watch->function = calloc((size_t)count + 1, sizeof(*watch->function));
	for (int i = 0; i < count; i++) {
		if (watch->function)
			take_function(&system, entries[i]->d_name,
				      &watch->function[watch->functions++]);
		free(entries[i]);
	}
	free(entries);
}

/* ---- devices and partitions ---- */

static void to_host(struct hsm_statistics *s)
{
	s->since = le64toh(s->since);
	s->at = le64toh(s->at);
	s->clients = le32toh(s->clients);
	s->sessions = le32toh(s->sessions);
	s->most_sessions = le32toh(s->most_sessions);
	s->bytes = le64toh(s->bytes);
	s->most_bytes = le64toh(s->most_bytes);
	for (unsigned int k = 0; k < HSM_STATISTICS_KIND_COUNT; k++) {
		struct hsm_statistics_of *of = &s->kind[k];

		of->count = le64toh(of->count);
		of->refused = le64toh(of->refused);
		of->microseconds = le64toh(of->microseconds);
		for (unsigned int b = 0; b < HSM_STATISTICS_BUCKETS; b++)
			of->bucket[b] = le64toh(of->bucket[b]);
	}
}

static struct hsm_request *ask(struct hsm_channel *channel, enum hsm_operation operation)
{
	struct hsm_request *request = hsm_request_new(channel, operation, 0);

	if (request && !hsm_call(request, NULL) && hsm_request_rv(request) == CKR_OK)
		return request;
	hsm_request_free(request);
	return NULL;
}

static void take_answers(struct hsm_channel *channel, struct watch_partition *partition)
{
	struct hsm_request *request = ask(channel, HSM_OP_TOKEN_INFO);
	const uint8_t *bytes;
	size_t length;

	if (request)
		partition->flags = hsm_fields_u64(hsm_request_fields(request), HSM_FIELD_FLAGS, 0);
	hsm_request_free(request);
	/* A firmware of before this command refuses it: then the rest is shown. */
	request = ask(channel, HSM_OP_STATISTICS);
	if (!request)
		return;
	bytes = hsm_fields_bytes(hsm_request_fields(request), HSM_FIELD_STATISTICS, &length);
	if (bytes && length == sizeof(partition->statistics)) {
		memcpy(&partition->statistics, bytes, length);
		to_host(&partition->statistics);
		partition->known = true;
	}
	hsm_request_free(request);
}

static void take_partition(struct hsm_device *device, const struct hsm_partition_info *info,
			   struct watch_device *to)
{
	struct watch_partition *partition = &to->partition[to->count++];
	struct hsm_channel *channel = NULL;
	struct hsm_error error = { 0 };
	const uint8_t *id = info->id;

	snprintf(partition->name, sizeof(partition->name), "%s", info->name);
	for (size_t i = 0; i < HSM_PARTITION_ID_SIZE; i++)
		snprintf(partition->id + 2 * i, 3, "%02x", id[i]);
	if (hsm_connect(device, info->id, &channel, &error)) {
		snprintf(to->error, sizeof(to->error), "%s", error.text);
		return;
	}
	take_answers(channel, partition);
	hsm_disconnect(channel);
}

static void take_partitions(struct ctl *ctl, struct hsm_device *device, struct watch_device *to)
{
	struct hsm_partition_info *list = calloc(PARTITIONS_MAX, sizeof(*list));
	struct hsm_error error = { 0 };
	size_t count = PARTITIONS_MAX;

	(void)ctl;
	if (list && !hsm_partitions(device, list, &count, &error))
		to->partition = calloc(count + 1, sizeof(*to->partition));
	for (size_t i = 0; to->partition && i < count; i++)
		/* Function 0's own has no tenant's counts. */
		if (to->info.function)
			take_partition(device, &list[i], to);
	free(list);
}

static void take_device(struct ctl *ctl, const char *name, struct watch_device *to)
{
	struct hsm_device *device = NULL;
	struct hsm_error error = { 0 };

	to->name = name;
	to->up = !hsm_open(name, HSM_OPEN_NO_START, &device, &error) &&
		 !hsm_device_info(device, &to->info, &error);
	snprintf(to->error, sizeof(to->error), "%s", error.text);
	if (to->up)
		take_partitions(ctl, device, to);
	hsm_close(device);
}

static int names_of(struct ctl *ctl, struct watch *watch)
{
	struct hsm_error error = { 0 };
	int count;

	if (ctl->device) {
		watch->names = calloc(2, sizeof(*watch->names));
		if (watch->names)
			watch->names[0] = strdup(ctl->device);
		return watch->names && watch->names[0] ? 1
						       : -fail(ctl, CTL_DEVICE, "out of memory");
	}
	count = hsm_default_devices(&watch->names, &error);
	return count < 0 ? -fail_hsm(ctl, &error) : count;
}

int watch_take(struct ctl *ctl, const char *sys, struct watch *watch)
{
	int count;

	memset(watch, 0, sizeof(*watch));
	count = names_of(ctl, watch);
	if (count < 0)
		return -count;
	watch->device = calloc((size_t)count + 1, sizeof(*watch->device));
	if (!watch->device)
		return fail(ctl, CTL_DEVICE, "out of memory");
	take_functions(sys, watch);
	for (int i = 0; i < count; i++)
		take_device(ctl, watch->names[i], &watch->device[watch->devices++]);
	return CTL_OK;
}

void watch_free(struct watch *watch)
{
	for (size_t i = 0; i < watch->devices; i++)
		free(watch->device[i].partition);
	free(watch->device);
	free(watch->function);
	hsm_free_names(watch->names);
	memset(watch, 0, sizeof(*watch));
}
