/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices, the slots that their partitions are, and the channel of each slot, opened at first
 * need. A slot's id is the partition's own slot number, with the device's number above it: the
 * same in every process and after a restart.
 */
#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "internal.h"

#define DEVICE_SHIFT   16
#define PARTITIONS_MAX 1024

/**
 * struct device - a device that is configured
 * @number: upper part of its slots' ids
 * @handle: NULL while it could not be opened. Changes under the refresh lock, and only
 *	while no slot of it is in use
 * @lost: a command found it gone
 */
struct device {
	struct device *next;
	char *name;
	uint32_t number;
	struct hsm_device *handle;
	struct hsm_device_info info;
	_Atomic bool lost;
};

/**
 * struct slot - a partition
 * @present: seen at the last look, module lock
 * @users: sessions, and calls under way
 * @lock: for opening the channel
 * @changes, @changing, @beginnings, @mechanisms: of slot_changes() and its like
 */
struct slot {
	struct slot *next;
	struct device *device;
	CK_SLOT_ID id;
	struct hsm_partition_info partition;
	bool present;
	_Atomic unsigned int users;
	pthread_mutex_t lock;
	struct hsm_channel *_Atomic channel;
	_Atomic uint64_t changes;
	_Atomic unsigned int changing;
	_Atomic unsigned int beginnings;
	struct recent_mechanisms mechanisms;
};

static pthread_mutex_t refresh_lock = PTHREAD_MUTEX_INITIALIZER;
static struct device *devices;
static struct slot *slots;  /* sorted by id; the list under the module lock */
static bool looked;

CK_SLOT_ID slot_id(const struct slot *slot)
{
	return slot->id;
}

struct hsm_channel *slot_channel(const struct slot *slot)
{
	return atomic_load_explicit(&slot->channel, memory_order_acquire);
}

const struct hsm_device_info *slot_device(const struct slot *slot)
{
	return &slot->device->info;
}

const struct hsm_partition_info *slot_partition(const struct slot *slot)
{
	return &slot->partition;
}

void slot_lost(struct slot *slot)
{
	atomic_store(&slot->device->lost, true);
}

bool slot_is_lost(const struct slot *slot)
{
	return atomic_load_explicit(&slot->device->lost, memory_order_relaxed);
}

uint64_t slot_changes(const struct slot *slot)
{
	return atomic_load(&slot->changes);
}

void slot_surprised(struct slot *slot)
{
	atomic_fetch_add(&slot->changes, 1);
}

void slot_change_begin(struct slot *slot)
{
	atomic_fetch_add(&slot->changing, 1);
}

/* First what was remembered before is void, then something may be remembered again. */
void slot_change_end(struct slot *slot)
{
	slot_surprised(slot);
	atomic_fetch_sub(&slot->changing, 1);
}

bool slot_is_changing(const struct slot *slot)
{
	return atomic_load(&slot->changing) != 0;
}

_Atomic unsigned int *slot_beginnings(struct slot *slot)
{
	return &slot->beginnings;
}

struct recent_mechanisms *slot_mechanisms(struct slot *slot)
{
	return &slot->mechanisms;
}

void slot_put(struct slot *slot)
{
	atomic_fetch_sub(&slot->users, 1);
}

/* ---- looking for devices and partitions, under the refresh lock ---- */

/* A number that stays with the name: N of /dev/ihsmN, else the place in the configuration. */
static uint32_t device_number(const char *name, uint32_t place)
{
	static const char prefix[] = "/dev/ihsm";
	const struct device *d;
	uint32_t number = place;

	if (!strncmp(name, prefix, sizeof(prefix) - 1) &&
	    isdigit((unsigned char)name[sizeof(prefix) - 1]))
		number = strtoul(name + sizeof(prefix) - 1, NULL, 10) & 0x7fff;
	for (d = devices; d;)
		if (d->number == number) {
			number++;
			d = devices;
		} else {
			d = d->next;
		}
	return number;
}

/* Not strdup(), whose memory may be another allocator's than free()'s: see libhsm/heap.h. */
static char *copy_name(const char *name)
{
	size_t size = strlen(name) + 1;
	char *copy = malloc(size);

	return copy ? memcpy(copy, name, size) : NULL;
}

static void device_add(const char *name, uint32_t place)
{
	struct device *d;

	for (d = devices; d; d = d->next)
		if (!strcmp(d->name, name))
			return;
	d = calloc(1, sizeof(*d));
	if (!d)
		return;
	d->name = copy_name(name);
	if (!d->name) {
		free(d);
		return;
	}
	d->number = device_number(name, place);
	d->next = devices;
	devices = d;
}

static void devices_look(void)
{
	struct hsm_error error = { 0 };
	char **names = NULL;
	int count, i;

	count = hsm_default_devices(&names, &error);
	if (count < 0) {
		error_rv(&error, count);
		return;
	}
	for (i = 0; i < count; i++)
		device_add(names[i], i);
	hsm_free_names(names);
}

static void device_open(struct device *d)
{
	struct hsm_error error = { 0 };
	struct hsm_device *handle;
	int ret;

	ret = hsm_open(d->name, 0, &handle, &error);
	if (ret < 0) {
		error_rv(&error, ret);
		return;
	}
	ret = hsm_device_info(handle, &d->info, &error);
	if (ret < 0) {
		error_rv(&error, ret);
		hsm_close(handle);
		return;
	}
	d->handle = handle;
	atomic_store(&d->lost, false);
}

static void channel_close(struct slot *slot)
{
	hsm_disconnect(atomic_exchange(&slot->channel, NULL));
}

/*
 * A device that was lost: its sessions are void, and when the last call that used one has ended,
 * the device is closed, so that it can be opened anew. Nobody can begin to use a slot meanwhile,
 * as none of them is present.
 */
static void device_drop(struct device *d)
{
	bool busy = false;
	struct slot *slot;

	module_lock();
	for (slot = slots; slot; slot = slot->next)
		if (slot->device == d)
			slot->present = false;
	module_unlock();
	for (slot = slots; slot; slot = slot->next)
		if (slot->device == d) {
			sessions_close(slot);
			busy |= atomic_load(&slot->users) != 0;
		}
	if (busy)
		return;
	for (slot = slots; slot; slot = slot->next)
		if (slot->device == d)
			channel_close(slot);
	hsm_close(d->handle);
	d->handle = NULL;
}

static void slot_insert(struct slot *slot)
{
	struct slot **at;

	for (at = &slots; *at && (*at)->id < slot->id; at = &(*at)->next)
		;
	slot->next = *at;
	*at = slot;
}

/* Function 0's first partition is the device itself: no token (commands.rst, discovery). */
static bool is_device_itself(const struct hsm_partition_info *partition)
{
	static const uint8_t none[HSM_PARTITION_ID_SIZE];

	return !memcmp(partition->id, none, sizeof(none));
}

/* Under the module lock. */
static void partition_seen(struct device *d, const struct hsm_partition_info *partition)
{
	struct slot *slot;

	for (slot = slots; slot; slot = slot->next) {
		if (slot->device != d ||
		    memcmp(slot->partition.id, partition->id, sizeof(partition->id)))
			continue;
		slot->present = true;
		slot->partition.changes = partition->changes;
		return;
	}
	slot = calloc(1, sizeof(*slot));
	if (!slot)
		return;
	slot->device = d;
	slot->id = (CK_SLOT_ID)d->number << DEVICE_SHIFT | partition->slot;
	slot->partition = *partition;
	slot->present = true;
	pthread_mutex_init(&slot->lock, NULL);
	pthread_mutex_init(&slot->mechanisms.lock, NULL);
	slot_insert(slot);
}

static void partitions_look(struct device *d)
{
	struct hsm_partition_info *list;
	struct hsm_error error = { 0 };
	size_t count = PARTITIONS_MAX, i;
	struct slot *slot;
	int ret;

	list = calloc(count, sizeof(*list));
	if (!list)
		return;
	ret = hsm_partitions(d->handle, list, &count, &error);
	if (ret < 0 && error_is_loss(&error, ret))
		atomic_store(&d->lost, true);
	if (ret < 0) {
		error_rv(&error, ret);
		count = 0;
	}
	module_lock();
	for (slot = slots; slot; slot = slot->next)
		if (slot->device == d)
			slot->present = false;
	for (i = 0; i < count; i++)
		if (!is_device_itself(&list[i]))
			partition_seen(d, &list[i]);
	module_unlock();
	free(list);
}

static void refresh(void)
{
	struct device *d;
	int tries;

	devices_look();
	for (d = devices; d; d = d->next)
		/*
		 * A device that died since the last look is noticed by the look, and opened anew
		 * in the second try.
		 */
		for (tries = 0; tries < 2; tries++) {
			if (d->handle && atomic_load(&d->lost))
				device_drop(d);
			if (!d->handle)
				device_open(d);
			if (d->handle && !atomic_load(&d->lost))
				partitions_look(d);
			if (!atomic_load(&d->lost))
				break;
		}
	looked = true;
}

void slots_refresh(void)
{
	pthread_mutex_lock(&refresh_lock);
	refresh();
	pthread_mutex_unlock(&refresh_lock);
}

/*
 * A lost device is looked for by whoever asks for one of its slots, else once in the life of the
 * module.
 */
static void look_once(CK_SLOT_ID id)
{
	struct device *d;
	bool again;

	pthread_mutex_lock(&refresh_lock);
	again = !looked;
	for (d = devices; d; d = d->next)
		again |= d->number == id >> DEVICE_SHIFT && atomic_load(&d->lost);
	if (again)
		refresh();
	pthread_mutex_unlock(&refresh_lock);
}

/* ---- slots ---- */

CK_ULONG slots_list(CK_SLOT_ID *ids, CK_ULONG room)
{
	const struct slot *slot;
	CK_ULONG count = 0;

	pthread_mutex_lock(&refresh_lock);
	if (!looked)
		refresh();
	pthread_mutex_unlock(&refresh_lock);
	module_lock();
	for (slot = slots; slot; slot = slot->next) {
		if (!slot->present)
			continue;
		if (count < room)
			ids[count] = slot->id;
		count++;
	}
	module_unlock();
	return count;
}

CK_RV slot_find(CK_SLOT_ID id, struct slot **slot)
{
	struct slot *s;

	look_once(id);
	module_lock();
	for (s = slots; s; s = s->next)
		if (s->id == id && s->present)
			break;
	if (s)
		atomic_fetch_add(&s->users, 1);
	module_unlock();
	*slot = s;
	return s ? CKR_OK : CKR_SLOT_ID_INVALID;
}

bool slot_known(CK_SLOT_ID id)
{
	struct slot *slot;

	if (slot_find(id, &slot) != CKR_OK)
		return false;
	slot_put(slot);
	return true;
}

static CK_RV channel_open(struct slot *slot)
{
	struct hsm_error error = { 0 };
	struct hsm_channel *channel;
	CK_RV rv = CKR_OK;
	int ret;

	pthread_mutex_lock(&slot->lock);
	if (!slot_channel(slot)) {
		ret = hsm_connect(slot->device->handle, slot->partition.id, &channel, &error);
		if (!ret)
			atomic_store_explicit(&slot->channel, channel, memory_order_release);
		else
			rv = error_rv(&error, ret);
		if (ret && error_is_loss(&error, ret))
			slot_lost(slot);
	}
	pthread_mutex_unlock(&slot->lock);
	return rv;
}

CK_RV slot_get(CK_SLOT_ID id, struct slot **slot)
{
	CK_RV rv = slot_find(id, slot);

	if (rv != CKR_OK || slot_channel(*slot))
		return rv;
	rv = channel_open(*slot);
	if (rv != CKR_OK)
		slot_put(*slot);
	return rv;
}

void slots_free(bool child)
{
	struct device *d;
	struct slot *slot;

	if (child)
		pthread_mutex_init(&refresh_lock, NULL);
	while ((slot = slots)) {
		slots = slot->next;
		channel_close(slot);
		if (!child)
			pthread_mutex_destroy(&slot->lock);
		free(slot);
	}
	while ((d = devices)) {
		devices = d->next;
		hsm_close(d->handle);
		free(d->name);
		free(d);
	}
	looked = false;
}

/* ---- events ---- */

#define EVENT_DEVICES 64

/*
 * The handles are read under the refresh lock, and used after it: a device is closed by a refresh alone, and the one
 * thread that waits is the one that refreshes then, but for a C_GetSlotList of another. That one finds the device in
 * use: it is counted as a user of its slots.
 */
void devices_wait(int wake, int timeout_ms)
{
	struct hsm_device *handles[EVENT_DEVICES] = { 0 };
	struct slot *held[EVENT_DEVICES], *slot;
	struct device *d;
	size_t count = 0, i;

	pthread_mutex_lock(&refresh_lock);
	for (d = devices; d && count < EVENT_DEVICES; d = d->next) {
		for (slot = slots; slot && slot->device != d; slot = slot->next)
			;
		if (!d->handle || !slot || atomic_load(&d->lost))
			continue;
		atomic_fetch_add(&slot->users, 1);
		held[count] = slot;
		handles[count++] = d->handle;
	}
	pthread_mutex_unlock(&refresh_lock);
	hsm_wait_events(handles, count, wake, timeout_ms);
	for (i = 0; i < count; i++)
		slot_put(held[i]);
}
