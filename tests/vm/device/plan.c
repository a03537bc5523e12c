// SPDX-License-Identifier: Apache-2.0
/*
 * The fault plan of a device that many threads serve, and its figures. Its decisions are those of
 * kernel/ihsm_test_plan.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"

static struct plan plan = { .seed = 1, .one_in = 64 };

/*
 * struct figures - what was done
 * @completions: that were posted
 * @mutated: that said something else than they should
 * @looked: those of them that the driver cannot but have looked at. Behind one that makes no sense it looks
 *	at nothing, until it has started the device again, which begins with an admin command.
 * @others: other faults
 */
static struct {
	uint64_t completions, mutated, looked;
} figures;
static bool blind;

static int switch_on(const char *name, size_t word)
{
	const char *rate = memchr(name, ':', word);
	size_t length = rate ? (size_t)(rate - name) : word;
	bool all = length == 3 && !memcmp(name, "all", 3);
	int error = -EINVAL;

	for (unsigned int i = 0; i < FAULTS; i++) {
		if (!all && (strlen(plan_faults[i].name) != length ||
			     memcmp(plan_faults[i].name, name, length)))
			continue;
		plan.of[i].on = true;
		plan.of[i].one_in = rate ? (uint32_t)strtoul(rate + 1, NULL, 10) : 0;
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
	plan.seed = seed;
	plan.one_in = rate ? rate : 1;
	plan.slow = (int)slow;
}

uint64_t plan_random(enum fault fault)
{
	return plan_draw(&plan, fault);
}

void plan_bytes(enum fault fault, void *to, unsigned int length)
{
	uint8_t *bytes = to;

	for (unsigned int i = 0; i < length; i++)
		bytes[i] = (uint8_t)plan_random(fault);
}

bool plan_now(enum fault fault)
{
	return plan_happens(&plan, fault);
}

bool plan_rare(enum fault fault)
{
	return plan_decide(&plan, fault, 16 * plan.one_in);
}

bool plan_often(enum fault fault, unsigned int times)
{
	return plan_decide(&plan, fault, 1 + plan.one_in / times);
}

static void count_mutated(bool nonsense)
{
	plan_add(&figures.mutated, 1);
	if (!__atomic_load_n(&blind, __ATOMIC_RELAXED))
		plan_add(&figures.looked, 1);
	if (nonsense)
		__atomic_store_n(&blind, true, __ATOMIC_RELAXED);
}

void plan_completion(struct plan_entry *entry, bool message)
{
	const struct plan_entry right = *entry;

	plan_add(&figures.completions, 1);
	if (!message)
		__atomic_store_n(&blind, false, __ATOMIC_RELAXED);
	plan_entry_mutate(&plan, entry, message);
	if (!plan_entry_same(entry, &right))
		count_mutated(entry->cid != right.cid || entry->queue != right.queue ||
			      entry->head != right.head || entry->length > right.length ||
			      entry->stale);
}

void plan_extra(void)
{
	count_mutated(true);
}

/* Those that mutate a completion, and those that are counted as completions */
static bool of_completion(unsigned int fault)
{
	return fault <= FAULT_HANG && fault != FAULT_DROP && fault != FAULT_ORDER &&
	       fault != FAULT_HANG;
}

void plan_print(FILE *to)
{
	uint64_t others = 0;

	for (unsigned int i = 0; i < FAULTS; i++) {
		if (!of_completion(i))
			others += plan.of[i].done;
		if (plan.of[i].done)
			fprintf(to, "%s=%" PRIu64 " ", plan_faults[i].name,
				(uint64_t)plan.of[i].done);
	}
	fprintf(to,
		"completions=%" PRIu64 " mutated=%" PRIu64 " looked=%" PRIu64 " others=%" PRIu64
		"\n",
		figures.completions, figures.mutated, figures.looked, others);
	fflush(to);
}
