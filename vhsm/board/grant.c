// SPDX-License-Identifier: Apache-2.0
/*
 * Consent on its way: what officers approved over function 0 and a partition's function may then do once. Who approved what is
 * the firmware's business; here a digest waits for the function that owns the partition.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include "internal.h"

/* Goes on while the machine sleeps */
static uint64_t now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec;
}

static void forget_old(struct grants *grants, uint64_t now)
{
	uint32_t kept = 0, i;

	for (i = 0; i < grants->count; i++)
		if (grants->ends[i] > now) {
			grants->grant[kept] = grants->grant[i];
			grants->ends[kept++] = grants->ends[i];
		}
	grants->count = kept;
}

static void remove_at(struct grants *grants, uint32_t i)
{
	grants->count--;
	memmove(&grants->grant[i], &grants->grant[i + 1],
		(grants->count - i) * sizeof(grants->grant[0]));
	memmove(&grants->ends[i], &grants->ends[i + 1],
		(grants->count - i) * sizeof(grants->ends[0]));
}

int grant_add(struct grants *grants, const struct board_grant *grant)
{
	uint64_t now = now_seconds();

	if (!grant->seconds || grant->seconds > BOARD_GRANT_SECONDS_MAX)
		return -EINVAL;
	pthread_mutex_lock(&grants->lock);
	forget_old(grants, now);
	if (grants->count == BOARD_GRANTS_MAX)
		remove_at(grants, 0);
	grants->grant[grants->count] = *grant;
	grants->ends[grants->count++] = now + grant->seconds;
	pthread_mutex_unlock(&grants->lock);
	return 0;
}

static bool same(const struct board_grant *a, const struct board_grant *b)
{
	return !memcmp(a->partition, b->partition, sizeof(a->partition)) &&
	       !memcmp(a->digest, b->digest, sizeof(a->digest));
}

int grant_take(struct grants *grants, const struct board_grant *grant)
{
	int ret = -ENOENT;
	uint32_t i;

	pthread_mutex_lock(&grants->lock);
	forget_old(grants, now_seconds());
	for (i = 0; ret && i < grants->count; i++) {
		if (!same(&grants->grant[i], grant))
			continue;
		remove_at(grants, i);
		ret = 0;
	}
	pthread_mutex_unlock(&grants->lock);
	return ret;
}
