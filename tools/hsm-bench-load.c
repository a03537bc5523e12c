// SPDX-License-Identifier: Apache-2.0
/*
 * The load of hsm-bench: threads that start together, run one operation until the time is over,
 * and keep the latency of each. The same loop for every target, so that they can be compared.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "hsm-bench.h"

/**
 * struct crew - all threads of one run
 * @gate: passed by all once each has started its worker
 * @failed: some thread failed; the others then stop
 */
struct crew {
	const struct target_ops *ops;
	struct target *target;
	const struct load *load;
	pthread_barrier_t gate;
	atomic_int failed;
};

struct hand {
	struct crew *crew;
	pthread_t thread;
	unsigned int number;
	uint64_t busy; /* nanoseconds of the measured part that count as time */
	struct histogram latency;
};

uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static void sleep_us(unsigned long us)
{
	struct timespec time = { .tv_sec = (time_t)(us / 1000000),
				 .tv_nsec = (long)(us % 1000000) * 1000 };

	while (nanosleep(&time, &time) && errno == EINTR)
		;
}

/*
 * At least one sample is taken, however short the time. The clock is read twice an operation only
 * when something untimed lies between two of them: otherwise the end of one is the start of the
 * next.
 */
static int work(struct hand *hand, void *worker)
{
	const struct target_ops *ops = hand->crew->ops;
	const struct load *load = hand->crew->load;
	uint64_t start = now_ns();
	uint64_t measured = start + (uint64_t)(load->warmup * 1e9);
	uint64_t end = measured + (uint64_t)(load->seconds * 1e9);
	uint64_t before = start, after;
	int ret;

	do {
		if (load->pause_us) {
			sleep_us(load->pause_us);
			before = now_ns();
		}
		ret = ops->run(worker);
		if (ret)
			return ret;
		after = now_ns();
		if (before >= measured) {
			histogram_add(&hand->latency, after - before);
			hand->busy += after - before;
		}
		before = after;
		if (ops->rest) {
			ret = ops->rest(worker);
			if (ret)
				return ret;
			before = now_ns();
		}
	} while ((after < end || !hand->latency.count) &&
		 !atomic_load_explicit(&hand->crew->failed, memory_order_relaxed));
	return 0;
}

static void *hand_main(void *arg)
{
	struct hand *hand = arg;
	struct crew *crew = hand->crew;
	void *worker = crew->ops->start(crew->target, hand->number);

	if (!worker)
		atomic_store(&crew->failed, 1);
	pthread_barrier_wait(&crew->gate);
	if (worker && !atomic_load(&crew->failed) && work(hand, worker))
		atomic_store(&crew->failed, 1);
	if (worker)
		crew->ops->stop(worker);
	return NULL;
}

/* A thread that cannot be started leaves the others at the gate: nothing to go on with. */
static void start_all(struct crew *crew, struct hand *hands)
{
	for (unsigned int i = 0; i < crew->load->threads; i++) {
		hands[i].crew = crew;
		hands[i].number = i;
		if (pthread_create(&hands[i].thread, NULL, hand_main, &hands[i])) {
			complain("cannot start %u threads", crew->load->threads);
			exit(BENCH_FAILED);
		}
	}
}

static int run_crew(struct crew *crew, struct result *result)
{
	struct hand *hands = calloc(crew->load->threads, sizeof(*hands));

	if (!hands)
		return -ENOMEM;
	if (pthread_barrier_init(&crew->gate, NULL, crew->load->threads)) {
		free(hands);
		return -ENOMEM;
	}
	start_all(crew, hands);
	for (unsigned int i = 0; i < crew->load->threads; i++) {
		pthread_join(hands[i].thread, NULL);
		histogram_merge(&result->latency, &hands[i].latency);
		if (hands[i].busy)
			result->rate +=
				(double)hands[i].latency.count * 1e9 / (double)hands[i].busy;
	}
	pthread_barrier_destroy(&crew->gate);
	free(hands);
	return atomic_load(&crew->failed) ? -EIO : 0;
}

int load_run(const struct target_ops *ops, struct target *target, const struct operation *operation,
	     const struct load *load, struct result *result)
{
	struct crew crew = { .ops = ops, .target = target, .load = load };
	int ret;

	memset(result, 0, sizeof(*result));
	result->operation = *operation;
	result->load = *load;
	ret = ops->prepare(target, operation);
	if (ret)
		return ret;
	ret = run_crew(&crew, result);
	ops->finish(target);
	return ret;
}
