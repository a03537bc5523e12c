/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting what a partition does (statistics.c).
 */
#ifndef FIRMWARE_STATISTICS_H
#define FIRMWARE_STATISTICS_H

#include <pthread.h>
#include <stdatomic.h>
#include <hsm/pkcs11.h>
#include <hsm/statistics.h>

/* Of one kind; each number is added to alone, so that together they may be one command apart */
struct statistics_of {
	_Atomic uint64_t refused;
	_Atomic uint64_t nanoseconds;
	_Atomic uint64_t bucket[HSM_STATISTICS_BUCKETS];
};

/**
 * struct statistics - a partition's
 * @taken_at: clock_ticks() when @answer was made, 0: never
 * @answer: what everybody is told until the next one is due, under @lock
 */
struct statistics {
	struct statistics_of kind[HSM_STATISTICS_KIND_COUNT];
	pthread_mutex_t lock;
	uint64_t taken_at;
	struct hsm_statistics answer;
};

void statistics_init(struct statistics *statistics);
void statistics_destroy(struct statistics *statistics);

/* statistics_note - a command was executed; it took that long */
void statistics_note(struct statistics *statistics, unsigned int operation, CK_RV rv, uint64_t nanoseconds);

#endif /* FIRMWARE_STATISTICS_H */
