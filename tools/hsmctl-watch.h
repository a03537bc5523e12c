/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What hsmctl top and hsmctl metrics show: gathered once (hsmctl-watch.c), shown by each in its way.
 */
#ifndef HSMCTL_WATCH_H
#define HSMCTL_WATCH_H

#include <hsm/statistics.h>
#include <stdio.h>
#include "hsmctl-driver.h"

#define WATCH_QUEUES_MAX 65

/* X(number, file, meaning): counters of the driver, of a function and of its queues */
#define WATCH_COUNTERS(X) \
	X(0, submitted, "Commands that the driver gave to the device") \
	X(1, completed, "Commands that the device answered") \
	X(2, errors,	"Commands whose status was not success") \
	X(3, timeouts,	"Commands that did not end in their time")

#define WATCH_COUNTER_COUNT 4

struct watch_queue {
	unsigned int number;
	uint64_t counter[WATCH_COUNTER_COUNT];
};

/* struct watch_function - what the driver says of a function in sysfs; queue 0 is the admin queue */
struct watch_function {
	char node[64];
	char state[64];
	uint64_t bogus;
	uint64_t missed;
	size_t queues;
	struct watch_queue queue[WATCH_QUEUES_MAX];
};

/**
 * struct watch_partition - a partition's own words
 * @known: it answered
 * @flags: CKF_ of its token
 * @statistics: in this machine's byte order
 */
struct watch_partition {
	char name[65];
	char id[40];
	bool known;
	uint64_t flags;
	struct hsm_statistics statistics;
};

struct watch_device {
	const char *name;
	bool up;
	char error[256];
	struct hsm_device_info info;
	size_t count;
	struct watch_partition *partition;
};

struct watch {
	char **names;
	size_t functions, devices;
	struct watch_function *function;
	struct watch_device *device;
};

/**
 * watch_take - look at everything once
 *
 * A virtual board that sleeps is not woken: it is not up. Return: enum ctl_exit; watch_free() is due in any case.
 */
int watch_take(struct ctl *ctl, const char *sys, struct watch *watch);
void watch_free(struct watch *watch);

/* watch_kind - the word of an enum hsm_statistics_kind */
const char *watch_kind(unsigned int kind);

/* watch_counter - the name of a counter */
const char *watch_counter(unsigned int counter);

/* metrics_print - all of it as OpenMetrics text */
void metrics_print(const struct watch *watch, FILE *out);

#endif /* HSMCTL_WATCH_H */
