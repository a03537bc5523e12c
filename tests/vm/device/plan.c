// SPDX-License-Identifier: Apache-2.0
/*
 * The fault plan. Each fault draws from a sequence of its own that follows from the seed, so that the
 * n-th occasion for it is decided alike in each run.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"

struct sequence {
	const char *name;
	bool slow;
	bool on;
	unsigned int one_in; /* of its own; 0: everybody's */
	_Atomic uint64_t drawn;
	_Atomic uint64_t done;
};

#define FAULT_ROW(id, text, slowness) [FAULT_##id] = { .name = text, .slow = slowness },
static struct sequence sequences[FAULTS] = { FAULT_TABLE(FAULT_ROW) };

static uint64_t seed_value;
static unsigned int one_in = 64;
static atomic_int slow_left;
static _Atomic uint64_t completions, changed;

static int switch_on(const char *name, size_t word)
{
	const char *rate = memchr(name, ':', word);
	size_t length = rate ? (size_t)(rate - name) : word;
	bool all = length == 3 && !memcmp(name, "all", 3);
	int error = -EINVAL;

	for (unsigned int i = 0; i < FAULTS; i++) {
		struct sequence *s = &sequences[i];

		if (!all && (strlen(s->name) != length || memcmp(s->name, name, length)))
			continue;
		s->on = true;
		s->one_in = rate ? (unsigned int)strtoul(rate + 1, NULL, 10) : 0;
		error = 0;
	}
	return error;
}

int plan_parse(const char *list)
{
	while (*list) {
		size_t length = strcspn(list, ",");
		int error = switch_on(list, length);

		if (error)
			return error;
		list += length;
		list += *list == ',';
	}
	return 0;
}

void plan_set(uint64_t seed, unsigned int rate, unsigned int slow)
{
	seed_value = seed;
	one_in = rate ? rate : 1;
	atomic_store(&slow_left, (int)slow);
}

/* The finalizer of SplitMix64: any two inputs differ in about half of the output's bits. */
static uint64_t mix(uint64_t value)
{
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ULL;
	value = (value ^ value >> 27) * 0x94d049bb133111ebULL;
	return value ^ value >> 31;
}

uint64_t plan_random(enum fault fault)
{
	uint64_t n = atomic_fetch_add(&sequences[fault].drawn, 1) + 1;

	return mix(mix(seed_value * FAULTS + fault) + n * 0x9e3779b97f4a7c15ULL);
}

void plan_bytes(enum fault fault, void *to, unsigned int length)
{
	uint8_t *bytes = to;

	for (unsigned int i = 0; i < length; i++)
		bytes[i] = (uint8_t)plan_random(fault);
}

static bool decide(enum fault fault, unsigned int rate)
{
	struct sequence *s = &sequences[fault];

	if (s->one_in)
		rate = s->one_in;
	if (!s->on || plan_random(fault) % rate)
		return false;
	if (s->slow && atomic_fetch_sub(&slow_left, 1) <= 0) {
		atomic_store(&slow_left, 0);
		return false;
	}
	atomic_fetch_add(&s->done, 1);
	return true;
}

bool plan_now(enum fault fault)
{
	return decide(fault, one_in);
}

bool plan_has_rate(enum fault fault)
{
	return sequences[fault].one_in;
}

bool plan_rare(enum fault fault)
{
	return decide(fault, 16 * one_in);
}

bool plan_often(enum fault fault, unsigned int times)
{
	return decide(fault, 1 + one_in / times);
}

void plan_completion(void)
{
	atomic_fetch_add(&completions, 1);
}

void plan_mutated(void)
{
	atomic_fetch_add(&changed, 1);
}

/* Those of whole completions: whether, when and how often they come */
static bool of_completion(unsigned int fault)
{
	return fault >= FAULT_DROP && fault <= FAULT_HANG;
}

/* Those of what a completion says: they are counted as completions that say something else. */
static bool of_content(unsigned int fault)
{
	return fault < FAULT_DROP;
}

void plan_print(FILE *to)
{
	uint64_t mutated = atomic_load(&changed), others = 0;

	for (unsigned int i = 0; i < FAULTS; i++) {
		uint64_t done = atomic_load(&sequences[i].done);

		if (of_completion(i))
			mutated += done;
		else if (!of_content(i))
			others += done;
		if (done)
			fprintf(to, "%s=%" PRIu64 " ", sequences[i].name, done);
	}
	fprintf(to, "completions=%" PRIu64 " mutated=%" PRIu64 " others=%" PRIu64 "\n",
		atomic_load(&completions), mutated, others);
	fflush(to);
}
