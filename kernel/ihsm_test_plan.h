/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What a hostile device does, and when: one plan for the made-up device of the KUnit suites and
 * for the one that a guest's driver meets (tests/vm/device/). All of it follows from a seed: each
 * fault draws from a sequence of its own, so that the n-th occasion for it is decided alike in each
 * run.
 */
#ifndef IHSM_TEST_PLAN_H
#define IHSM_TEST_PLAN_H

#include <linux/types.h>
#ifndef __KERNEL__
#include <stdbool.h>
#endif

/* What may be wrong */
enum fault {
	FAULT_CID,		/* a completion of any id */
	FAULT_QUEUE,		/* of another queue */
	FAULT_HEAD,		/* with any submission head */
	FAULT_LENGTH,		/* with any length */
	FAULT_SHORT,		/* with any length that there is room for */
	FAULT_STATUS,		/* with any status */
	FAULT_NOISE,		/* of random bytes */
	FAULT_ONES,		/* of all ones */
	FAULT_PHASE,		/* of the pass before */
	FAULT_DROP,		/* that never comes */
	FAULT_DUPLICATE,	/* once more */
	FAULT_LATE,		/* of a command that is long over */
	FAULT_ORDER,		/* exchanged with another one's */
	FAULT_HANG,		/* only after an abort */
	FAULT_EVENT,		/* doorbell wishes of any index */
	FAULT_REGISTER,		/* another value with each read */
	FAULT_GONE,		/* all ones for a while */
	FAULT_CAPABILITY,	/* at its extremes */
	FAULT_IDENTIFY,		/* a page of random bytes */
	FAULT_CONTEXT,		/* any id */
	FAULT_IRQ_EXTRA,	/* an interrupt without work */
	FAULT_IRQ_OTHER,	/* of another vector */
	FAULT_IRQ_LOST,		/* work without an interrupt */
	FAULTS
};

/**
 * struct plan_fault - what there is to say of a fault
 * @name: its name
 * @slow: the driver can only find it by waiting, so that it happens but a few times
 */
struct plan_fault {
	const char *name;
	bool slow;
};

static const struct plan_fault plan_faults[FAULTS] = {
	[FAULT_CID] = { "cid" },
	[FAULT_QUEUE] = { "queue" },
	[FAULT_HEAD] = { "head" },
	[FAULT_LENGTH] = { "length" },
	[FAULT_SHORT] = { "short" },
	[FAULT_STATUS] = { "status" },
	[FAULT_NOISE] = { "noise" },
	[FAULT_ONES] = { "ones" },
	[FAULT_PHASE] = { "phase", true },
	[FAULT_DROP] = { "drop", true },
	[FAULT_DUPLICATE] = { "duplicate" },
	[FAULT_LATE] = { "late" },
	[FAULT_ORDER] = { "order" },
	[FAULT_HANG] = { "hang", true },
	[FAULT_EVENT] = { "event" },
	[FAULT_REGISTER] = { "register" },
	[FAULT_GONE] = { "gone" },
	[FAULT_CAPABILITY] = { "capability" },
	[FAULT_IDENTIFY] = { "identify" },
	[FAULT_CONTEXT] = { "context" },
	[FAULT_IRQ_EXTRA] = { "irq-extra" },
	[FAULT_IRQ_OTHER] = { "irq-other", true },
	[FAULT_IRQ_LOST] = { "irq-lost", true },
};

/**
 * struct plan_sequence - one fault
 * @on: it happens at all
 * @one_in: how often, if it has a rate of its own; 0: as the others
 * @drawn: values that were drawn
 * @done: how often it happened
 */
struct plan_sequence {
	bool on;
	__u32 one_in;
	__u64 drawn;
	__u64 done;
};

/**
 * struct plan - all of them
 * @seed: what everything follows from
 * @one_in: one fault in so many occasions, not zero
 * @slow: how many slow ones are left
 * @of: the faults
 */
struct plan {
	__u64 seed;
	__u32 one_in;
	__s32 slow;
	struct plan_sequence of[FAULTS];
};

/**
 * struct plan_entry - what a completion says
 * @cid: which command
 * @queue: which queue
 * @head: how far the submission ring was read
 * @length: of the answer
 * @status: without the phase
 * @stale: its phase is that of the pass before
 */
struct plan_entry {
	__u16 cid;
	__u16 queue;
	__u32 head;
	__u32 length;
	__u16 status;
	bool stale;
};

/* In the kernel one thread has the plan for itself; in the other device each queue has one. */
#ifdef __KERNEL__
#define plan_add(what, much) (*(what) += (much))
#else
#define plan_add(what, much) __atomic_add_fetch(what, much, __ATOMIC_RELAXED)
#endif

/* The finalizer of SplitMix64: any two inputs differ in about half of the output's bits. */
static inline __u64 plan_mix(__u64 value)
{
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ULL;
	value = (value ^ value >> 27) * 0x94d049bb133111ebULL;
	return value ^ value >> 31;
}

/* plan_draw - the next random value of this fault */
static inline __u64 plan_draw(struct plan *plan, enum fault fault)
{
	__u64 n = plan_add(&plan->of[fault].drawn, 1);

	return plan_mix(plan_mix(plan->seed * FAULTS + fault) + n * 0x9e3779b97f4a7c15ULL);
}

/* plan_below - a value below @end, which is not zero */
static inline __u32 plan_below(struct plan *plan, enum fault fault, __u32 end)
{
	return (__u32)(plan_draw(plan, fault) >> 32) % end;
}

/* plan_decide - does it happen, with one in so many occasions unless it has a rate of its own? */
static inline bool plan_decide(struct plan *plan, enum fault fault, __u32 one_in)
{
	struct plan_sequence *of = &plan->of[fault];

	if (of->one_in)
		one_in = of->one_in;
	if (!of->on || plan_below(plan, fault, one_in))
		return false;
	if (plan_faults[fault].slow && plan_add(&plan->slow, -1) < 0) {
		plan_add(&plan->slow, 1);
		return false;
	}
	plan_add(&of->done, 1);
	return true;
}

static inline bool plan_happens(struct plan *plan, enum fault fault)
{
	return plan_decide(plan, fault, plan->one_in);
}

/* Values near the right one are what finds a limit that is off by one. */
static inline __u32 plan_near(struct plan *plan, enum fault fault, __u32 right)
{
	__u64 value = plan_draw(plan, fault);

	return value & 1 ? (__u32)(value >> 32) : right + (__u32)(value >> 32) % 9 - 4;
}

static inline void plan_noise(struct plan *plan, struct plan_entry *entry)
{
	__u64 low, high;

	if (plan_happens(plan, FAULT_NOISE)) {
		low = plan_draw(plan, FAULT_NOISE);
		high = plan_draw(plan, FAULT_NOISE);
		entry->cid = (__u16)low;
		entry->queue = (__u16)(low >> 16);
		entry->head = (__u32)(low >> 32);
		entry->length = (__u32)high;
		entry->status = (__u16)(high >> 32) >> 1;
	}
	if (plan_happens(plan, FAULT_ONES)) {
		entry->cid = 0xffff;
		entry->queue = 0xffff;
		entry->head = 0xffffffff;
		entry->length = 0xffffffff;
		entry->status = 0x7fff;
	}
}

/*
 * Only of messages, where it has a rate of its own: a device most of whose admin commands fail
 * never starts.
 */
static inline bool plan_of_message(struct plan *plan, enum fault fault, bool message)
{
	return (message || !plan->of[fault].one_in) && plan_happens(plan, fault);
}

/**
 * plan_entry_mutate() - what the completion says instead
 * @plan: decides
 * @entry: as it should be, and then as it is
 * @message: it is the answer to a message, not to an admin command
 */
static inline void plan_entry_mutate(struct plan *plan, struct plan_entry *entry, bool message)
{
	if (plan_happens(plan, FAULT_CID))
		entry->cid = (__u16)plan_near(plan, FAULT_CID, entry->cid);
	if (plan_happens(plan, FAULT_QUEUE))
		entry->queue = (__u16)plan_near(plan, FAULT_QUEUE, entry->queue);
	if (plan_happens(plan, FAULT_HEAD))
		entry->head = plan_near(plan, FAULT_HEAD, entry->head);
	if (plan_happens(plan, FAULT_LENGTH))
		entry->length = plan_near(plan, FAULT_LENGTH, entry->length);
	/* What was asked for is not known here: lengths stay below what is right. */
	if (plan_of_message(plan, FAULT_SHORT, message) && entry->length < 0xffffffff)
		entry->length = plan_below(plan, FAULT_SHORT, entry->length + 1);
	if (plan_of_message(plan, FAULT_STATUS, message))
		entry->status = (__u16)plan_draw(plan, FAULT_STATUS) >> 1;
	plan_noise(plan, entry);
	if (plan_happens(plan, FAULT_PHASE))
		entry->stale = !entry->stale;
}

/* plan_entry_same - do two completions say the same? */
static inline bool plan_entry_same(const struct plan_entry *a, const struct plan_entry *b)
{
	return a->cid == b->cid && a->queue == b->queue && a->head == b->head &&
	       a->length == b->length && a->status == b->status && a->stale == b->stale;
}

#endif /* IHSM_TEST_PLAN_H */
