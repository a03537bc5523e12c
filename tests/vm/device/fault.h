/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile device for tests of the kernel driver: the firmware's own rings with faults put between
 * them and the guest. plan.c decides which and when, mutate.c does it, echo.c is the command side
 * behind it, main.c serves the socket.
 */
#ifndef FAULT_H
#define FAULT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Faults: name, and whether it is slow: the driver can only find it by waiting, so that it happens
 * but a few times.
 */
#define FAULT_TABLE(X)                                                    \
	X(CID, "cid", 0)	 /* a completion of any id */                     \
	X(QUEUE, "queue", 0)	     /* of another queue */                       \
	X(HEAD, "head", 0)	   /* with any submission head */                 \
	X(LENGTH, "length", 0)	       /* with any length */                      \
	X(SHORT, "short", 0)	     /* with any length that there is room for */ \
	X(STATUS, "status", 0)	       /* with any status */                      \
	X(NOISE, "noise", 0)	     /* of random bytes */                        \
	X(ONES, "ones", 0)	   /* of all ones */                              \
	X(PHASE, "phase", 1)	     /* of the pass before */                     \
	X(DROP, "drop", 1)	   /* that never comes */                         \
	X(DUPLICATE, "duplicate", 0)   /* once more */                      \
	X(LATE, "late", 0)	   /* of a command that is long over */           \
	X(ORDER, "order", 0)	     /* exchanged with another one's */           \
	X(HANG, "hang", 1)	   /* only after an abort */                      \
	X(EVENT, "event", 0)	     /* doorbell wishes of any index */           \
	X(REGISTER, "register", 0)	   /* another value with each read */     \
	X(GONE, "gone", 0)	   /* all ones for a while */                     \
	X(CAPABILITY, "capability", 0) /* at its extremes */              \
	X(IDENTIFY, "identify", 0)	   /* a page of random bytes */           \
	X(CONTEXT, "context", 0)	 /* any id */                             \
	X(IRQ_EXTRA, "irq-extra", 0)   /* an interrupt without work */      \
	X(IRQ_OTHER, "irq-other", 1)   /* of another vector */              \
	X(IRQ_LOST, "irq-lost", 1)	   /* work without an interrupt */

#define FAULT_ENUM(name, text, slow) FAULT_##name,
enum fault {
	FAULT_TABLE(FAULT_ENUM) FAULTS,
};
#undef FAULT_ENUM

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

/* plan_has_rate - has it a rate of its own? */
bool plan_has_rate(enum fault fault);

/* plan_rare - the same, a sixteenth as often: for what is asked for all the time */
bool plan_rare(enum fault fault);

/* plan_often - the same, so many times as often: for what is seldom asked for */
bool plan_often(enum fault fault, unsigned int times);

/* plan_random - the next random value of this fault */
uint64_t plan_random(enum fault fault);

/* plan_bytes - fill with the next random values of this fault */
void plan_bytes(enum fault fault, void *to, unsigned int length);

/* plan_completion - counts a completion that was posted, as it should be or not */
void plan_completion(void);

/* plan_mutated - counts a completion that says something else than it should */
void plan_mutated(void);

/* plan_print - the figures */
void plan_print(FILE *to);

#endif /* FAULT_H */
