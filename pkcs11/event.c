/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C_WaitForSlotEvent: slots that come, go, or get another token. The device says when there may be something
 * new; what it is, is found by comparing the slots with those that the application was told of.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "internal.h"

#define LOOK_MS 1000 /* a device that is not there yet cannot say that it has come */

/**
 * struct known - a slot as it was last told of
 * @changes: how often its token had been initialized
 */
struct known {
	CK_SLOT_ID id;
	uint32_t changes;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct known *known;
static CK_ULONG known_count;
static bool listed;
static _Atomic int wake = -1;

/* The slots there are, sorted by id; to be freed. NULL: no memory, or none. */
static struct known *slots_now(CK_ULONG *count)
{
	CK_SLOT_ID *ids;
	struct known *now;
	struct slot *slot;
	CK_ULONG i, room = slots_list(NULL, 0);

	*count = 0;
	ids = calloc(room + 1, sizeof(*ids));
	now = calloc(room + 1, sizeof(*now));
	if (ids && now)
		*count = slots_list(ids, room);
	if (*count > room)
		*count = room;
	for (i = 0; i < *count; i++) {
		now[i].id = ids[i];
		if (slot_find(ids[i], &slot) != CKR_OK)
			continue;
		now[i].changes = slot_partition(slot)->changes;
		slot_put(slot);
	}
	free(ids);
	return now;
}

/* Take over one difference. The caller holds the lock. Return: is there one? */
static bool next_difference(const struct known *now, CK_ULONG count, CK_SLOT_ID *id)
{
	CK_ULONG i = 0, k, at;
	struct known *more;

	while (i < count && i < known_count && known[i].id == now[i].id &&
	       known[i].changes == now[i].changes)
		i++;
	if (i == count && i == known_count)
		return false;
	if (i < known_count && (i == count || known[i].id < now[i].id)) {
		*id = known[i].id;
		for (k = i + 1; k < known_count; k++)
			known[k - 1] = known[k];
		known_count--;
		return true;
	}
	*id = now[i].id;
	if (i < known_count && known[i].id == now[i].id) {
		known[i] = now[i];
		return true;
	}
	more = realloc(known, (known_count + 1) * sizeof(*known));
	if (!more)
		return false;
	known = more;
	at = known_count++;
	for (; at > i; at--)
		known[at] = known[at - 1];
	known[i] = now[i];
	return true;
}

/* What is there at the first look is no event. */
void events_begin(void)
{
	pthread_mutex_lock(&lock);
	if (!listed) {
		free(known);
		known = slots_now(&known_count);
		listed = known;
	}
	pthread_mutex_unlock(&lock);
}

static bool look(CK_SLOT_ID *id)
{
	struct known *now;
	CK_ULONG count;
	bool found;

	slots_refresh();
	pthread_mutex_lock(&lock);
	now = slots_now(&count);
	found = now && next_difference(now, count, id);
	pthread_mutex_unlock(&lock);
	free(now);
	return found;
}

static CK_RV wait_for(CK_FLAGS flags, CK_SLOT_ID *id)
{
	int none = -1, fd;

	if (atomic_load(&wake) < 0) {
		fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (fd < 0)
			return CKR_HOST_MEMORY;
		if (!atomic_compare_exchange_strong(&wake, &none, fd))
			close(fd);
	}
	events_begin();
	while (!look(id)) {
		if (flags & CKF_DONT_BLOCK)
			return CKR_NO_EVENT;
		devices_wait(atomic_load(&wake), LOOK_MS);
		if (!module_running())
			return CKR_CRYPTOKI_NOT_INITIALIZED;
	}
	return CKR_OK;
}

MODULE_API CK_RV C_WaitForSlotEvent(CK_FLAGS flags, CK_SLOT_ID *slot, void *reserved)
{
	CK_RV rv = module_enter();

	if (rv != CKR_OK)
		return rv;
	rv = slot && !reserved ? wait_for(flags, slot) : CKR_ARGUMENTS_BAD;
	module_leave();
	return rv;
}

void events_wake(void)
{
	if (atomic_load(&wake) >= 0)
		eventfd_write(atomic_load(&wake), 1);
}

/* Nobody waits any more; in a child of fork nobody ever did. */
void events_end(bool child)
{
	int fd = atomic_exchange(&wake, -1);

	if (child)
		pthread_mutex_init(&lock, NULL);
	/* The number may be the child's own by now, but a copy of the parent's is closed with no harm. */
	if (fd >= 0 && !child)
		close(fd);
	free(known);
	known = NULL;
	known_count = 0;
	listed = false;
}
