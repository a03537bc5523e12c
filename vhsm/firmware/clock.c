// SPDX-License-Identifier: Apache-2.0
/*
 * The board's clock. A virtual board has none but its machine's, which its operator sets: it must not be worse than no
 * clock. So it is read once, and time since then is counted by what nobody sets.
 */
#include <pthread.h>
#include <time.h>
#include "clock.h"

#define NANOSECONDS 1000000000ULL

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint64_t first, first_ticks;

static uint64_t read_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec < 0 ? 0 : (uint64_t)now.tv_sec * NANOSECONDS + (uint64_t)now.tv_nsec;
}

uint64_t clock_ticks(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

static void begin(void)
{
	first = read_clock(CLOCK_REALTIME) / 1000000;
	first_ticks = clock_ticks();
}

uint64_t clock_start(void)
{
	pthread_once(&once, begin);
	return first;
}

uint64_t clock_now(void)
{
	return clock_start() + (clock_ticks() - first_ticks) / 1000000;
}
