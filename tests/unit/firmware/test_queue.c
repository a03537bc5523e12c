// SPDX-License-Identifier: Apache-2.0
/*
 * I/O queues: order and wrap, shadow doorbells, full completion rings, interrupts, bad heads, tails and
 * addresses, abort and deletion, and that commands of several threads run side by side.
 */
#include "transport_harness.h"

static struct client c;

static int setup(void **state)
{
	(void)state;
	client_start(&c);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	client_end(&c);
	return 0;
}

static void nop(struct client *client, unsigned int qid, uint16_t cid)
{
	struct ihsm_sqe *sqe = client_sqe(client, qid);

	sqe->opcode = IHSM_IO_NOP;
	sqe->cid = htole16(cid);
	client_submit(client, qid);
}

static void message(uint16_t cid, unsigned int slot, const char *text)
{
	client_message(&c, 1, cid, slot, text);
	client_submit(&c, 1);
}

static uint32_t abort_command(unsigned int qid, uint16_t cid)
{
	struct ihsm_sqe sqe = { 0 };
	uint32_t found = 99;

	sqe.arg[0] = htole32(qid);
	sqe.arg[1] = htole32(cid);
	assert_int_equal(client_admin(&c, IHSM_ADMIN_ABORT, &sqe, &found), 0);
	return found;
}

static void wait_entered(void)
{
	while (sem_wait(&fake_entered))
		;
}

/* Let one command go on, and wait until it does: the next one at the gate must not go in its place. */
static void let_one_go(void)
{
	int waiting = 1;

	sem_post(&fake_gate);
	while (!sem_getvalue(&fake_gate, &waiting) && waiting)
		sched_yield();
}

static bool fatal(struct client *client)
{
	return client_get32(client, IHSM_REG_STATUS) & IHSM_STATUS_FATAL;
}

static void await_fatal(struct client *client)
{
	while (!fatal(client))
		sched_yield();
}

/* Many times around the ring, as many at once as it holds. */
static void test_wrap(void **state)
{
	struct ihsm_cqe cqe;
	uint16_t cid = 0;

	(void)state;
	for (unsigned int round = 0; round < 200; round++) {
		unsigned int batch = round % RING + 1;
		uint32_t seen = 0;

		for (unsigned int i = 0; i < batch; i++)
			nop(&c, 1, (uint16_t)(cid + i));
		for (unsigned int i = 0; i < batch; i++) {
			assert_int_equal(client_wait(&c, 1, &cqe), 0);
			assert_int_equal(le16toh(cqe.sq_id), 1);
			seen |= 1U << (le16toh(cqe.cid) - cid);
		}
		/* Each exactly once. */
		assert_int_equal(seen, (1U << batch) - 1);
		cid = (uint16_t)(cid + batch);
	}
}

static void test_without_shadow(void **state)
{
	struct client plain;
	struct ihsm_cqe cqe;

	(void)state;
	client_init(&plain);
	client_hand_over(&plain, 0);
	assert_int_equal(client_version(&plain), 0);
	assert_int_equal(client_map(&plain, CLIENT_BASE, CLIENT_MEMORY, plain.memfd), 0);
	client_command(&plain, 6);
	client_enable(&plain);
	assert_int_equal(client_create_queue(&plain, 1, IHSM_NO_VECTOR), 0);
	for (uint16_t i = 0; i < 100; i++) {
		nop(&plain, 1, i);
		assert_int_equal(client_wait(&plain, 1, &cqe), 0);
		assert_int_equal(le16toh(cqe.cid), i);
	}
	client_end(&plain);
}

static void test_message(void **state)
{
	struct ihsm_cqe cqe;

	(void)state;
	message(7, 1, "echo of this");
	assert_int_equal(client_wait(&c, 1, &cqe), 0);
	assert_int_equal(le32toh(cqe.result), sizeof("echo of this"));
	assert_string_equal((char *)c.memory + DATA + 8192 + 4096, "echo of this");
}

static void test_segments(void **state)
{
	struct ihsm_segment *in = (void *)(c.memory + DATA), *out = in + 8;
	struct ihsm_cqe cqe;
	struct ihsm_sqe *sqe;

	(void)state;
	memcpy(c.memory + DATA + 0x1000, "ec", 2);
	memcpy(c.memory + DATA + 0x2000, "ho!", 4);
	in[0] = (struct ihsm_segment){ htole64(CLIENT_BASE + DATA + 0x1000), htole32(2), 0 };
	in[1] = (struct ihsm_segment){ htole64(CLIENT_BASE + DATA + 0x2000), htole32(4), 0 };
	out[0] = (struct ihsm_segment){ htole64(CLIENT_BASE + DATA + 0x3000), htole32(5), 0 };
	out[1] = (struct ihsm_segment){ htole64(CLIENT_BASE + DATA + 0x4000), htole32(5), 0 };
	for (int round = 0; round < 5; round++) {
		static const uint16_t expected[] = { IHSM_SC_SUCCESS, IHSM_SC_INVALID_FIELD,
						     IHSM_SC_INVALID_FIELD, IHSM_SC_INVALID_FIELD,
						     IHSM_SC_DATA_TRANSFER };

		sqe = client_sqe(&c, 1);
		sqe->opcode = IHSM_IO_MESSAGE;
		sqe->flags = IHSM_SQE_FLAGS;
		sqe->context = htole64(c.context);
		sqe->in_addr = htole64(CLIENT_BASE + DATA);
		sqe->in_len = htole32(round == 1 ? 7 : 6);
		sqe->in_segments = htole16(2);
		sqe->out_addr = htole64(CLIENT_BASE + DATA + 8 * sizeof(*in));
		sqe->out_len = htole32(10);
		sqe->out_segments = htole16(round == 2 ? 0 : 2);
		in[0].reserved = round == 3;
		in[1].addr = htole64(round == 4 ? 0 : CLIENT_BASE + DATA + 0x2000);
		client_submit(&c, 1);
		assert_int_equal(client_wait(&c, 1, &cqe), expected[round]);
	}
	assert_memory_equal(c.memory + DATA + 0x3000, "echo!", 5);
	assert_int_equal(c.memory[DATA + 0x4000], 0);
}

static uint16_t run_changed(void (*change)(struct ihsm_sqe *sqe))
{
	struct ihsm_cqe cqe;

	client_message(&c, 1, 9, 1, "echo");
	change(client_sqe(&c, 1));
	client_submit(&c, 1);
	return client_wait(&c, 1, &cqe);
}

/* client_sqe() clears; these fill in a whole entry with one thing wrong. */
static void fill(struct ihsm_sqe *sqe)
{
	sqe->opcode = IHSM_IO_MESSAGE;
	sqe->context = htole64(c.context);
	sqe->in_addr = htole64(CLIENT_BASE + DATA + 8192);
	sqe->in_len = htole32(5);
	sqe->out_addr = htole64(CLIENT_BASE + DATA + 8192 + 4096);
	sqe->out_len = htole32(4096);
}

static void nothing_wrong(struct ihsm_sqe *sqe)
{
	fill(sqe);
}

static void bad_opcode(struct ihsm_sqe *sqe)
{
	fill(sqe);
	sqe->opcode = 0x11;
}

static void bad_flags(struct ihsm_sqe *sqe)
{
	fill(sqe);
	sqe->flags = 0x80;
}

static void bad_reserved(struct ihsm_sqe *sqe)
{
	fill(sqe);
	sqe->reserved = htole32(1);
}

static void bad_argument(struct ihsm_sqe *sqe)
{
	fill(sqe);
	sqe->arg[4] = htole32(1);
}

static void bad_length(struct ihsm_sqe *sqe)
{
	fill(sqe);
	sqe->in_len = htole32(HSM_MESSAGE_MAX + 1);
}

static void bad_in(struct ihsm_sqe *sqe)
{
	fill(sqe);
	sqe->in_addr = htole64(CLIENT_BASE + CLIENT_MEMORY - 2);
}

static void bad_out(struct ihsm_sqe *sqe)
{
	fill(sqe);
	sqe->out_addr = htole64(UINT64_MAX - 1);
}

static void small_out(struct ihsm_sqe *sqe)
{
	fill(sqe);
	sqe->out_len = htole32(1);
}

static void test_bad_commands(void **state)
{
	(void)state;
	assert_int_equal(run_changed(nothing_wrong), IHSM_SC_SUCCESS);
	assert_int_equal(run_changed(bad_opcode), IHSM_SC_INVALID_OPCODE);
	assert_int_equal(run_changed(bad_flags), IHSM_SC_INVALID_FIELD);
	assert_int_equal(run_changed(bad_reserved), IHSM_SC_INVALID_FIELD);
	assert_int_equal(run_changed(bad_argument), IHSM_SC_INVALID_FIELD);
	assert_int_equal(run_changed(bad_length), IHSM_SC_INVALID_FIELD);
	assert_int_equal(run_changed(bad_in), IHSM_SC_DATA_TRANSFER);
	assert_int_equal(run_changed(bad_out), IHSM_SC_DATA_TRANSFER);
	assert_int_equal(run_changed(small_out), IHSM_SC_TOO_SMALL);
	assert_int_equal(run_changed(nothing_wrong), IHSM_SC_SUCCESS);
	assert_false(fatal(&c));
}

static uint32_t le_add(uint32_t value, uint32_t more)
{
	return htole32(le32toh(value) + more);
}

/* One client's bad tail stops its own controller, not another's; reset mends it. */
static void test_tail_out_of_range(void **state)
{
	struct client other;
	struct ihsm_cqe cqe;
	uint32_t bell;

	(void)state;
	client_start(&other);
	client_shadow_host(&c, 1)->sq_tail = le_add(0, RING + 1);
	bell = htole32(RING + 1);
	assert_int_equal(client_region_write(&c, 0, IHSM_DOORBELL_SQ(1), &bell, 4, true), 0);
	await_fatal(&c);
	assert_false(fatal(&other));
	nop(&other, 1, 3);
	assert_int_equal(client_wait(&other, 1, &cqe), 0);
	client_put32(&c, IHSM_REG_RESET, IHSM_RESET_MAGIC);
	client_enable(&c);
	assert_int_equal(client_set_shadow(&c), 0);
	assert_int_equal(client_create_queue(&c, 1, IHSM_NO_VECTOR), 0);
	nop(&c, 1, 4);
	assert_int_equal(client_wait(&c, 1, &cqe), 0);
	client_end(&other);
}

static void test_head_out_of_range(void **state)
{
	(void)state;
	/* Fill the completion ring, so that the device looks at the head; then claim the future. */
	for (uint16_t i = 0; i < RING; i++)
		nop(&c, 1, i);
	while (c.memory[IO_CQ(1) + (RING - 1) * sizeof(struct ihsm_cqe) + 14] == 0)
		sched_yield();
	__atomic_store_n(&client_shadow_host(&c, 1)->cq_head, htole32(RING + 5), __ATOMIC_RELEASE);
	nop(&c, 1, 99);
	await_fatal(&c);
}

static void test_ring_unmapped(void **state)
{
	(void)state;
	assert_int_equal(client_unmap(&c, CLIENT_BASE, CLIENT_MEMORY), 0);
	nop(&c, 1, 1);
	/* The event may not have asked for the doorbell: ring it all the same. */
	client_put32(&c, IHSM_DOORBELL_SQ(1), 1);
	await_fatal(&c);
}

static void test_no_bus_master_no_dma(void **state)
{
	struct ihsm_cqe cqe;

	(void)state;
	client_command(&c, 2);
	client_put32(&c, IHSM_DOORBELL_SQ(1), 0);
	nop(&c, 1, 1);
	client_put32(&c, IHSM_DOORBELL_SQ(1), 1);
	/* The register read comes after the doorbell on the same socket. */
	assert_false(fatal(&c));
	assert_false(client_poll(&c, 1, &cqe));
	client_command(&c, 6);
	assert_int_equal(client_wait(&c, 1, &cqe), 0);
}

/* With a full completion ring nothing is fetched, and nothing lost. */
static void test_full_completion_ring(void **state)
{
	struct ihsm_cqe cqe;
	uint32_t seen = 0;

	(void)state;
	for (uint16_t i = 0; i < RING; i++)
		nop(&c, 1, i);
	while (c.memory[IO_CQ(1) + (RING - 1) * sizeof(struct ihsm_cqe) + 14] == 0)
		sched_yield();
	for (uint16_t i = 0; i < RING; i++)
		nop(&c, 1, (uint16_t)(100 + i));
	for (uint16_t i = 0; i < RING; i++) {
		uint32_t old = c.head[1], event, bell;

		assert_int_equal(client_wait(&c, 1, &cqe), 0);
		assert_in_range(le16toh(cqe.cid), 0, RING - 1);
		seen |= 1U << le16toh(cqe.cid);
		atomic_thread_fence(memory_order_seq_cst);
		event = le32toh(
			__atomic_load_n(&client_shadow_device(&c, 1)->cq_event, __ATOMIC_ACQUIRE));
		bell = htole32(c.head[1]);
		if (event - old < 1)
			client_region_write(&c, 0, IHSM_DOORBELL_CQ(1), &bell, 4, true);
	}
	/* The device executes in any order, but nothing of the second ringful before the first is told. */
	assert_int_equal(seen, (1U << RING) - 1);
	for (uint16_t i = 0; i < RING; i++) {
		assert_int_equal(client_wait(&c, 1, &cqe), 0);
		assert_in_range(le16toh(cqe.cid), 100, 100 + RING - 1);
		seen &= ~(1U << (le16toh(cqe.cid) - 100));
	}
	assert_int_equal(seen, 0);
}

static int wire(struct client *client, uint32_t start, uint32_t count, const int *fds, int fd_count)
{
	const struct vfio_user_irq_set set = { sizeof(set),
					       VFIO_IRQ_SET_DATA_EVENTFD |
						       VFIO_IRQ_SET_ACTION_TRIGGER,
					       VFIO_PCI_MSIX_IRQ_INDEX, start, count };

	return client_call(client, VFIO_USER_SET_IRQS, &set, sizeof(set), fds, fd_count, NULL,
			   NULL);
}

static void test_interrupts(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct ihsm_cqe cqe;
	uint64_t count = 0;
	uint32_t pending;

	(void)state;
	assert_int_equal(wire(&c, 3, 1, &fd, 1), 0);
	assert_int_equal(client_create_queue(&c, 2, 3), 0);
	/* Asked for the first completion, which irq_event = 0 is. */
	nop(&c, 2, 1);
	assert_int_equal(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, -1), 1);
	assert_int_equal(read(fd, &count, 8), 8);
	assert_int_equal(count, 1);
	assert_int_equal(client_wait(&c, 2, &cqe), 0);
	/* Not asked for the second. */
	nop(&c, 2, 2);
	assert_int_equal(client_wait(&c, 2, &cqe), 0);
	assert_int_equal(read(fd, &count, 8), -1);
	/* Asked for the third, while the vector is disarmed: it fires when it is armed. */
	client_shadow_host(&c, 2)->irq_event = htole32(2);
	assert_int_equal(wire(&c, 3, 1, NULL, 0), 0);
	nop(&c, 2, 3);
	assert_int_equal(client_wait(&c, 2, &cqe), 0);
	do {
		assert_int_equal(client_region_read(&c, 2, IHSM_MSIX_PBA_OFFSET, &pending, 4), 0);
	} while (!(le32toh(pending) & 1U << 3));
	assert_int_equal(read(fd, &count, 8), -1);
	assert_int_equal(wire(&c, 3, 1, &fd, 1), 0);
	assert_int_equal(read(fd, &count, 8), 8);
	close(fd);
}

static void await_interrupt(int fd)
{
	uint64_t count = 0;

	assert_int_equal(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, -1), 1);
	assert_int_equal(read(fd, &count, 8), 8);
	assert_int_equal(count, 1);
}

/* Commands that came together end together; but nobody waits for a command that takes longer. */
static void test_one_interrupt_for_several(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct ihsm_sqe *sqe;
	struct ihsm_cqe cqe;
	uint64_t count;

	(void)state;
	assert_int_equal(wire(&c, 3, 1, &fd, 1), 0);
	assert_int_equal(client_create_queue(&c, 2, 3), 0);
	for (uint16_t i = 0; i < 6; i++) {
		sqe = client_sqe(&c, 2);
		sqe->opcode = IHSM_IO_NOP;
		sqe->cid = htole16(i);
		if (i < 5)
			client_next(&c, 2);
	}
	client_submit_many(&c, 2, 6);
	await_interrupt(fd);
	for (unsigned int i = 0; i < 6; i++)
		assert_true(client_poll(&c, 2, &cqe));
	assert_int_equal(read(fd, &count, 8), -1);

	client_shadow_host(&c, 2)->irq_event = htole32(6);
	sqe = client_sqe(&c, 2);
	sqe->opcode = IHSM_IO_NOP;
	client_next(&c, 2);
	client_message(&c, 2, 91, 2, "m");
	client_submit_many(&c, 2, 2);
	wait_entered();
	await_interrupt(fd);
	assert_true(client_poll(&c, 2, &cqe));
	sem_post(&fake_gate);
	assert_int_equal(client_wait(&c, 2, &cqe), 0);
	close(fd);
}

static void test_abort_running(void **state)
{
	struct ihsm_cqe cqe;

	(void)state;
	message(40, 1, "c");
	wait_entered();
	assert_int_equal(abort_command(1, 41), 0);
	assert_int_equal(abort_command(1, 40), 1);
	assert_int_equal(client_wait(&c, 1, &cqe), IHSM_SC_ABORTED);
	assert_int_equal(le16toh(cqe.cid), 40);
	assert_int_equal(abort_command(1, 40), 0);
	assert_false(client_poll(&c, 1, &cqe));
}

/* A long command in waiting for a place, and one that has one. */
static void test_abort_waiting_for_place(void **state)
{
	struct ihsm_cqe cqe;
	unsigned int aborted = 0;

	(void)state;
	for (uint16_t i = 0; i < 8; i++)
		message((uint16_t)(50 + i), i, "c");
	wait_entered();
	for (uint16_t i = 0; i < 8; i++)
		assert_int_equal(abort_command(1, (uint16_t)(50 + i)), 1);
	for (uint16_t i = 0; i < 8; i++)
		aborted += client_wait(&c, 1, &cqe) == IHSM_SC_ABORTED;
	assert_int_equal(aborted, 8);
	assert_false(client_poll(&c, 1, &cqe));
	while (!sem_trywait(&fake_entered))
		;
}

static void test_delete_queue(void **state)
{
	struct ihsm_sqe sqe = { 0 };
	struct ihsm_cqe cqe;

	(void)state;
	sqe.arg[0] = htole32(1);
	message(60, 1, "m");
	wait_entered();
	assert_int_equal(client_admin(&c, IHSM_ADMIN_DELETE_QUEUE, &sqe, NULL), 0);
	assert_int_equal(client_wait(&c, 1, &cqe), IHSM_SC_QUEUE_DELETED);
	assert_int_equal(le16toh(cqe.cid), 60);
	let_one_go();
	assert_int_equal(client_admin(&c, IHSM_ADMIN_DELETE_QUEUE, &sqe, NULL),
			 IHSM_SC_INVALID_QUEUE);
	assert_int_equal(client_create_queue(&c, 1, IHSM_NO_VECTOR), 0);
	nop(&c, 1, 61);
	assert_int_equal(client_wait(&c, 1, &cqe), 0);
	assert_int_equal(le16toh(cqe.cid), 61);
}

/* Commands that run when the controller is reset end in nothing; until then it says so. */
static void test_reset_while_running(void **state)
{
	unsigned int closed = atomic_load(&fake_closed);
	struct ihsm_cqe cqe;

	(void)state;
	message(70, 1, "m");
	wait_entered();
	client_put32(&c, IHSM_REG_RESET, IHSM_RESET_MAGIC);
	assert_true(client_get32(&c, IHSM_REG_STATUS) & IHSM_STATUS_RESETTING);
	assert_int_equal(atomic_load(&fake_closed), closed);
	sem_post(&fake_gate);
	while (client_get32(&c, IHSM_REG_STATUS) & IHSM_STATUS_RESETTING)
		sched_yield();
	assert_false(client_poll(&c, 1, &cqe));
	while (atomic_load(&fake_closed) == closed)
		sched_yield();
}

static void test_context_ends_after_its_commands(void **state)
{
	struct ihsm_sqe *sqe;
	struct ihsm_cqe cqe;
	unsigned int closed = atomic_load(&fake_closed);

	(void)state;
	message(80, 1, "c");
	wait_entered();
	sqe = client_sqe(&c, 0);
	sqe->opcode = IHSM_ADMIN_DESTROY_CONTEXT;
	sqe->cid = htole16(81);
	sqe->context = htole64(c.context);
	client_submit(&c, 0);
	assert_int_equal(client_wait(&c, 0, &cqe), 0);
	assert_int_equal(le16toh(cqe.cid), 81);
	assert_int_equal(atomic_load(&fake_closed), closed + 1);
	assert_int_equal(client_wait(&c, 1, &cqe), IHSM_SC_ABORTED);
}

/* Two commands that wait for each other's presence: they must run at one time, on one queue or two. */
static void test_side_by_side(void **state)
{
	struct ihsm_cqe cqe;

	(void)state;
	assert_int_equal(client_create_queue(&c, 2, IHSM_NO_VECTOR), 0);
	message(90, 1, "m");
	message(91, 2, "m");
	wait_entered();
	wait_entered();
	sem_post(&fake_gate);
	sem_post(&fake_gate);
	assert_int_equal(client_wait(&c, 1, &cqe), 0);
	assert_int_equal(client_wait(&c, 1, &cqe), 0);
	client_message(&c, 1, 92, 1, "m");
	client_submit(&c, 1);
	client_message(&c, 2, 93, 2, "m");
	client_submit(&c, 2);
	wait_entered();
	wait_entered();
	sem_post(&fake_gate);
	sem_post(&fake_gate);
	assert_int_equal(client_wait(&c, 1, &cqe), 0);
	assert_int_equal(client_wait(&c, 2, &cqe), 0);
}

/* More long commands than places: short ones go on, and the socket answers. */
static void test_long_does_not_starve_short(void **state)
{
	struct ihsm_cqe cqe;
	unsigned int ended = 0;

	(void)state;
	assert_int_equal(client_create_queue(&c, 2, IHSM_NO_VECTOR), 0);
	for (uint16_t i = 0; i < 6; i++)
		message((uint16_t)(100 + i), i, "l");
	wait_entered();
	for (uint16_t i = 0; i < 50; i++) {
		nop(&c, 2, i);
		assert_int_equal(client_wait(&c, 2, &cqe), 0);
		assert_int_equal(client_get32(&c, IHSM_REG_VERSION), IHSM_VERSION);
	}
	for (unsigned int i = 0; i < 6; i++)
		sem_post(&fake_gate);
	while (ended < 6)
		ended += client_wait(&c, 1, &cqe) == IHSM_SC_SUCCESS;
	for (unsigned int i = 1; i < 6; i++)
		wait_entered();
}

static void *flipper(void *stop)
{
	while (!atomic_load((atomic_bool *)stop)) {
		__atomic_fetch_xor(&c.memory[DATA + 8192], 0x10, __ATOMIC_RELAXED);
		__atomic_fetch_xor(&c.memory[IO_SQ(1) + 1], 0x40, __ATOMIC_RELAXED);
		__atomic_fetch_xor(&c.memory[IO_SQ(1) + 34], 0x01, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Another thread changes request and entry all the time: each command gets one answer, whatever it is. */
static void test_flipping_memory(void **state)
{
	atomic_bool stop = false;
	struct ihsm_cqe cqe;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, flipper, &stop), 0);
	for (uint16_t i = 0; i < 5000; i++) {
		message(i, 1, "echo");
		client_wait(&c, 1, &cqe);
		assert_int_equal(le16toh(cqe.cid), i);
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	assert_false(fatal(&c));
}

/* A client that is killed leaves nothing behind, also with commands running. */
static void test_killed_client(void **state)
{
	unsigned int opened, closed = atomic_load(&fake_closed);
	struct client other;

	(void)state;
	client_start(&other);
	opened = atomic_load(&fake_open);
	client_message(&other, 1, 1, 1, "c");
	client_submit(&other, 1);
	wait_entered();
	client_end(&other);
	while (atomic_load(&fake_closed) != closed + 1)
		sched_yield();
	assert_int_equal(atomic_load(&fake_open), opened);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_wrap),
		TEST(test_without_shadow),
		TEST(test_message),
		TEST(test_segments),
		TEST(test_bad_commands),
		TEST(test_tail_out_of_range),
		TEST(test_head_out_of_range),
		TEST(test_ring_unmapped),
		TEST(test_no_bus_master_no_dma),
		TEST(test_full_completion_ring),
		TEST(test_interrupts),
		TEST(test_one_interrupt_for_several),
		TEST(test_abort_running),
		TEST(test_abort_waiting_for_place),
		TEST(test_delete_queue),
		TEST(test_reset_while_running),
		TEST(test_context_ends_after_its_commands),
		TEST(test_side_by_side),
		TEST(test_long_does_not_starve_short),
		TEST(test_flipping_memory),
		TEST(test_killed_client),
	};

	return cmocka_run_group_tests(tests, transport_start, NULL);
}
