/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile device for tests of the kernel driver: the firmware's own rings with faults put between
 * them and the guest. plan.c decides which and when, by the plan that the KUnit suites have as well,
 * mutate.c does it, echo.c is the command side behind it, main.c serves the socket.
 */
#ifndef FAULT_H
#define FAULT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "../../../kernel/ihsm_test_plan.h"

/**
 * plan_parse - which faults there are
 * @list: names, with commas between them; "all"; "NAME:N" has a rate of its own, one in N
 *
 * Return: 0 or -EINVAL.
 */
int plan_parse(const char *list);

/* plan_set - the seed, one fault in @rate occasions, and how many slow ones in all */
void plan_set(uint64_t seed, unsigned int rate, unsigned int slow);

/* plan_now - does this fault happen on this occasion? If so it is counted. */
bool plan_now(enum fault fault);

/* plan_rare - the same, a sixteenth as often: for what is asked for all the time */
bool plan_rare(enum fault fault);

/* plan_often - the same, so many times as often: for what is seldom asked for */
bool plan_often(enum fault fault, unsigned int times);

/* plan_random - the next random value of this fault */
uint64_t plan_random(enum fault fault);

/* plan_bytes - fill with the next random values of this fault */
void plan_bytes(enum fault fault, void *to, unsigned int length);

/**
 * plan_completion - what a completion is to say; counts it
 * @entry: as it should be
 * @message: the answer to a message, not to an admin command
 */
void plan_completion(struct plan_entry *entry, bool message);

/* plan_extra - counts a completion that was made up as a whole */
void plan_extra(void);

/* plan_print - the figures */
void plan_print(FILE *to);

#endif /* FAULT_H */
