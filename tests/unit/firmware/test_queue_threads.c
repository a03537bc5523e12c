// SPDX-License-Identifier: Apache-2.0
/*
 * Several clients at a time, each on two queues, that sleep and wake at all moments relative to the device:
 * no doorbell, interrupt or completion gets lost. One that did would leave its client asleep, and the test
 * would be ended by its runner.
 */
#include "transport_harness.h"

#include <time.h>

#define CLIENTS 4
#define ROUNDS	1500

/**
 * struct sleeper - a client with two queues
 * @client: it
 * @fd: interrupts of queues 2 and 3
 * @seed: of its own random numbers
 * @good: nothing went wrong; cmocka's own checks belong to the main thread
 */
struct sleeper {
	struct client client;
	int fd[2];
	unsigned int seed;
	bool good;
};

static struct sleeper sleepers[CLIENTS];

static void wire(struct client *c, uint32_t vector, int fd)
{
	const struct vfio_user_irq_set set = { sizeof(set),
					       VFIO_IRQ_SET_DATA_EVENTFD |
						       VFIO_IRQ_SET_ACTION_TRIGGER,
					       VFIO_PCI_MSIX_IRQ_INDEX, vector, 1 };

	assert_int_equal(client_call(c, VFIO_USER_SET_IRQS, &set, sizeof(set), &fd, 1, NULL, NULL),
			 0);
}

static void set_up(struct sleeper *sleeper, unsigned int seed)
{
	struct client *c = &sleeper->client;

	client_start(c);
	sleeper->seed = seed;
	sleeper->good = true;
	for (unsigned int i = 0; i < 2; i++) {
		sleeper->fd[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		wire(c, i + 2, sleeper->fd[i]);
		assert_int_equal(client_create_queue(c, i + 2, i + 2), 0);
	}
}

/* Polls for a while, then says that it sleeps, looks once more, and sleeps. */
static void wait_for_one(struct sleeper *sleeper, unsigned int qid, struct ihsm_cqe *cqe)
{
	struct client *c = &sleeper->client;
	struct pollfd asleep = { .fd = sleeper->fd[qid - 2], .events = POLLIN };
	uint64_t count;

	for (int spin = rand_r(&sleeper->seed) % 4000; spin; spin--)
		if (client_poll(c, qid, cqe))
			return;
	for (;;) {
		__atomic_store_n(&client_shadow_host(c, qid)->irq_event, htole32(c->head[qid]),
				 __ATOMIC_RELEASE);
		atomic_thread_fence(memory_order_seq_cst);
		if (client_poll(c, qid, cqe))
			return;
		poll(&asleep, 1, -1);
		sleeper->good &= read(asleep.fd, &count, sizeof(count)) == sizeof(count);
	}
}

static void one_round(struct sleeper *sleeper, uint16_t cid)
{
	static const char *const texts[] = { "echo", "M" };
	unsigned int qid = 2 + (unsigned int)rand_r(&sleeper->seed) % 2;
	unsigned int count = 1 + (unsigned int)rand_r(&sleeper->seed) % 3;
	struct ihsm_cqe cqe;

	for (unsigned int i = 0; i < count; i++) {
		client_message(&sleeper->client, qid, (uint16_t)(cid + i), i,
			       texts[rand_r(&sleeper->seed) % 2]);
		client_submit(&sleeper->client, qid);
	}
	for (unsigned int i = 0; i < count; i++) {
		wait_for_one(sleeper, qid, &cqe);
		sleeper->good &= le16toh(cqe.status) >> IHSM_CQE_STATUS_SHIFT == IHSM_SC_SUCCESS;
	}
}

static void *run(void *argument)
{
	struct sleeper *sleeper = argument;

	for (uint16_t round = 0; round < ROUNDS; round++) {
		/* As long as the device may poll, more or less. */
		const struct timespec pause = { .tv_nsec = rand_r(&sleeper->seed) % 200000 };

		one_round(sleeper, (uint16_t)(round * 4));
		if (rand_r(&sleeper->seed) % 2)
			nanosleep(&pause, NULL);
	}
	return NULL;
}

static void test_nothing_is_lost(void **state)
{
	pthread_t threads[CLIENTS];

	(void)state;
	for (unsigned int i = 0; i < CLIENTS; i++)
		set_up(&sleepers[i], i + 1);
	for (unsigned int i = 0; i < CLIENTS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run, &sleepers[i]), 0);
	for (unsigned int i = 0; i < CLIENTS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned int i = 0; i < CLIENTS; i++) {
		assert_true(sleepers[i].good);
		client_end(&sleepers[i].client);
		close(sleepers[i].fd[0]);
		close(sleepers[i].fd[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_lost),
	};

	return cmocka_run_group_tests(tests, transport_start, NULL);
}
