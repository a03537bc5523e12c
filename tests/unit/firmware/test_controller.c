// SPDX-License-Identifier: Apache-2.0
/*
 * Registers and admin commands: enabling, identification, queues, contexts and their epochs, events,
 * the three kinds of reset.
 */
#include <linux/pci_regs.h>

#include "selftest.h"
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

static uint16_t admin_args(uint8_t opcode, uint32_t arg0, uint32_t arg1, uint32_t *result)
{
	struct ihsm_sqe sqe = { 0 };

	sqe.arg[0] = htole32(arg0);
	sqe.arg[1] = htole32(arg1);
	return client_admin(&c, opcode, &sqe, result);
}

static uint16_t destroy_context(uint64_t id)
{
	const struct ihsm_sqe sqe = { .context = htole64(id) };

	return client_admin(&c, IHSM_ADMIN_DESTROY_CONTEXT, &sqe, NULL);
}

static uint16_t message(const char *text)
{
	struct ihsm_cqe cqe;

	client_message(&c, 1, 5, 1, text);
	client_submit(&c, 1);
	return client_wait(&c, 1, &cqe);
}

static void test_registers(void **state)
{
	uint64_t cap = 0;
	uint16_t half;

	(void)state;
	assert_int_equal(client_region_read(&c, 0, IHSM_REG_CAP, &cap, 8), 0);
	cap = le64toh(cap);
	assert_int_equal(cap >> IHSM_CAP_MAX_QUEUES_SHIFT & IHSM_CAP_MAX_QUEUES_MASK, 8);
	assert_int_equal(cap >> IHSM_CAP_DMA_BITS_SHIFT & IHSM_CAP_DMA_BITS_MASK, 48);
	assert_int_equal(cap >> IHSM_CAP_VECTORS_SHIFT & IHSM_CAP_VECTORS_MASK, IHSM_MAX_VECTORS);
	assert_true(cap & IHSM_CAP_SHADOW && cap & IHSM_CAP_VF && cap & IHSM_CAP_VIRTUAL);
	assert_int_equal(client_get32(&c, IHSM_REG_VERSION), IHSM_VERSION);
	assert_int_equal(client_get32(&c, IHSM_REG_STATUS) >> IHSM_STATUS_STATE_SHIFT &
				 IHSM_STATUS_STATE_MASK,
			 IHSM_STATE_OPERATIONAL);
	/* Other widths mean nothing; what is not there reads as zero. */
	assert_int_equal(client_region_read(&c, 0, IHSM_REG_VERSION, &half, 2), 0);
	assert_int_equal(half, 0xffff);
	assert_int_equal(client_get32(&c, IHSM_REG_END), 0);
	/* The admin queue's registers are locked while the controller is enabled. */
	client_put32(&c, IHSM_REG_ADMIN_ATTR, 0x0202);
	assert_int_equal(client_get32(&c, IHSM_REG_ADMIN_ATTR), RING_LOG2 | RING_LOG2 << 8);
	/* Without memory space, nothing answers. */
	client_command(&c, 0);
	assert_int_equal(client_get32(&c, IHSM_REG_VERSION), UINT32_MAX);
	client_command(&c, 6);
	assert_int_equal(client_get32(&c, IHSM_REG_VERSION), IHSM_VERSION);
}

static void test_identify(void **state)
{
	const struct ihsm_sqe sqe = { .out_addr = htole64(CLIENT_BASE + DATA),
				      .out_len = htole32(4096) };
	const struct ihsm_sqe small = { .out_addr = htole64(CLIENT_BASE + DATA),
					.out_len = htole32(4095) };
	const struct ihsm_sqe lost = { .out_addr = htole64(0x1000), .out_len = htole32(4096) };
	struct ihsm_identify id;

	(void)state;
	fake_minimum = 6;
	assert_int_equal(client_admin(&c, IHSM_ADMIN_IDENTIFY, &sqe, NULL), 0);
	memcpy(&id, c.memory + DATA, sizeof(id));
	assert_int_equal(le32toh(id.version), IHSM_VERSION);
	assert_int_equal(le32toh(id.function), 1);
	assert_int_equal(le32toh(id.partitions), 3);
	assert_int_equal(le32toh(id.max_message), HSM_MESSAGE_MAX);
	assert_string_equal(id.serial, "TEST-1");
	assert_string_equal(id.firmware, test_hello.version);
	assert_int_equal(le32toh(id.security_version), test_hello.security_version);
	assert_int_equal(le32toh(id.min_security_version), 6);
	assert_int_equal(le32toh(id.self_test), IHSM_SELF_TEST_PASSED);
	assert_int_equal(le32toh(id.sensors), 0);
	assert_int_equal(le32toh(id.partition[2].slot), 9);
	assert_int_equal(id.partition[2].id[15], 0xa2);
	assert_int_equal(le32toh(id.partition[3].slot), 0);
	assert_true(le32toh(id.flags) & IHSM_IDENTIFY_RANDOM);
	assert_false(le32toh(id.flags) & (IHSM_IDENTIFY_STAGE | IHSM_IDENTIFY_VF_SHARE));
	assert_int_equal(le32toh(id.epoch), client_get32(&c, IHSM_REG_EPOCH));
	assert_int_equal(client_admin(&c, IHSM_ADMIN_IDENTIFY, &small, NULL),
			 IHSM_SC_INVALID_FIELD);
	assert_int_equal(client_admin(&c, IHSM_ADMIN_IDENTIFY, &lost, NULL), IHSM_SC_DATA_TRANSFER);
	assert_int_equal(client_admin(&c, 0x55, NULL, NULL), IHSM_SC_INVALID_OPCODE);
	assert_int_equal(client_admin(&c, 0, NULL, NULL), IHSM_SC_INVALID_OPCODE);
}

static void test_random(void **state)
{
	struct ihsm_sqe sqe = { .out_addr = htole64(CLIENT_BASE + DATA),
				.out_len = htole32(IHSM_RANDOM_MAX) };
	uint32_t result = 0;

	(void)state;
	memset(c.memory + DATA, 0, IHSM_RANDOM_MAX + 1);
	assert_int_equal(client_admin(&c, IHSM_ADMIN_RANDOM, &sqe, &result), 0);
	assert_int_equal(result, IHSM_RANDOM_MAX);
	assert_int_equal(c.memory[DATA], 0x5a);
	assert_int_equal(c.memory[DATA + IHSM_RANDOM_MAX - 1], 0x5a);
	assert_int_equal(c.memory[DATA + IHSM_RANDOM_MAX], 0);
	sqe.out_len = htole32(IHSM_RANDOM_MAX + 1);
	assert_int_equal(client_admin(&c, IHSM_ADMIN_RANDOM, &sqe, NULL), IHSM_SC_INVALID_FIELD);
	sqe.out_len = 0;
	assert_int_equal(client_admin(&c, IHSM_ADMIN_RANDOM, &sqe, NULL), IHSM_SC_INVALID_FIELD);
	sqe.out_len = htole32(16);
	sqe.out_addr = htole64(0x1000);
	assert_int_equal(client_admin(&c, IHSM_ADMIN_RANDOM, &sqe, NULL), IHSM_SC_DATA_TRANSFER);
}

static void test_sensors_and_images(void **state)
{
	struct ihsm_sqe sqe = { .out_addr = htole64(CLIENT_BASE + DATA),
				.out_len = htole32(sizeof(struct ihsm_sensors)) };

	(void)state;
	memset(c.memory + DATA, 0xff, sizeof(struct ihsm_sensors));
	assert_int_equal(client_admin(&c, IHSM_ADMIN_SENSORS, &sqe, NULL), 0);
	assert_int_equal(((struct ihsm_sensors *)(c.memory + DATA))->count, 0);
	sqe.out_len = htole32(sizeof(struct ihsm_sensors) - 1);
	assert_int_equal(client_admin(&c, IHSM_ADMIN_SENSORS, &sqe, NULL), IHSM_SC_INVALID_FIELD);
	/* A tenant's function takes no firmware, and shares nothing out. */
	assert_int_equal(admin_args(IHSM_ADMIN_STAGE, IHSM_STAGE_BEGIN, 100, NULL),
			 IHSM_SC_INVALID_OPCODE);
	assert_int_equal(admin_args(IHSM_ADMIN_VF_SHARE, 0, 2, NULL), IHSM_SC_INVALID_OPCODE);
}

static void test_bad_queues(void **state)
{
	struct ihsm_sqe sqe = { .in_addr = htole64(CLIENT_BASE + 8),
				.out_addr = htole64(CLIENT_BASE) };

	(void)state;
	assert_int_equal(client_create_queue(&c, 1, IHSM_NO_VECTOR), IHSM_SC_INVALID_QUEUE);
	assert_int_equal(client_create_queue(&c, 8, IHSM_MAX_VECTORS), IHSM_SC_INVALID_VECTOR);
	sqe.arg[0] = htole32(9);
	assert_int_equal(client_admin(&c, IHSM_ADMIN_CREATE_QUEUE, &sqe, NULL),
			 IHSM_SC_INVALID_QUEUE);
	sqe.arg[0] = htole32(2);
	sqe.arg[1] = htole32(0x0404);
	assert_int_equal(client_admin(&c, IHSM_ADMIN_CREATE_QUEUE, &sqe, NULL),
			 IHSM_SC_INVALID_FIELD);
	sqe.in_addr = htole64(CLIENT_BASE);
	sqe.arg[1] = htole32(0x040d);
	assert_int_equal(client_admin(&c, IHSM_ADMIN_CREATE_QUEUE, &sqe, NULL),
			 IHSM_SC_INVALID_FIELD);
	assert_int_equal(admin_args(IHSM_ADMIN_DELETE_QUEUE, 0, 0, NULL), IHSM_SC_INVALID_QUEUE);
	assert_int_equal(admin_args(IHSM_ADMIN_DELETE_QUEUE, 3, 0, NULL), IHSM_SC_INVALID_QUEUE);
	/* Shadow pages cannot be moved under queues. */
	assert_int_equal(client_set_shadow(&c), IHSM_SC_INVALID_FIELD);
}

static void test_contexts(void **state)
{
	uint64_t first = c.context, other;

	(void)state;
	assert_int_equal(first >> 32, client_get32(&c, IHSM_REG_EPOCH));
	assert_int_equal(client_create_context(&c, &other), 0);
	assert_int_not_equal(first, other);
	assert_int_equal(message("echo"), 0);
	assert_int_equal(destroy_context(first), 0);
	assert_int_equal(message("echo"), IHSM_SC_INVALID_CONTEXT);
	assert_int_equal(destroy_context(first), IHSM_SC_INVALID_CONTEXT);
	/* The slot is used again, the id is not. */
	assert_int_equal(client_create_context(&c, &c.context), 0);
	assert_int_not_equal(c.context, first);
	assert_int_equal(message("echo"), 0);
	c.context = 0;
	assert_int_equal(message("echo"), IHSM_SC_INVALID_CONTEXT);
}

static void test_context_limit(void **state)
{
	unsigned int before = atomic_load(&fake_open) - atomic_load(&fake_closed);
	uint64_t id, count = 1;
	uint16_t status;

	(void)state;
	while (!(status = client_create_context(&c, &id)))
		count++;
	assert_int_equal(status, IHSM_SC_NO_CONTEXT);
	assert_int_equal(count, CONTEXTS_MAX);
	client_put32(&c, IHSM_REG_RESET, IHSM_RESET_MAGIC);
	assert_int_equal(atomic_load(&fake_open) - atomic_load(&fake_closed), before - 1);
}

/* Contexts of one connection are nothing to another. */
static void test_contexts_are_private(void **state)
{
	struct client other;
	uint64_t own = c.context;

	(void)state;
	client_start(&other);
	assert_int_equal(other.context, own);
	assert_int_equal(destroy_context(own), 0);
	c.context = other.context;
	assert_int_equal(message("echo"), IHSM_SC_INVALID_CONTEXT);
	client_end(&other);
}

static void restart(void)
{
	client_enable(&c);
	assert_int_equal(client_set_shadow(&c), 0);
	assert_int_equal(client_create_queue(&c, 1, IHSM_NO_VECTOR), 0);
}

static void check_after_reset(uint32_t epoch)
{
	uint64_t old = c.context;

	assert_int_not_equal(client_get32(&c, IHSM_REG_EPOCH), epoch);
	restart();
	assert_int_equal(message("echo"), IHSM_SC_INVALID_CONTEXT);
	assert_int_equal(client_create_context(&c, &c.context), 0);
	assert_int_not_equal(c.context, old);
	assert_int_equal(message("echo"), 0);
}

static void test_controller_reset(void **state)
{
	uint32_t epoch = client_get32(&c, IHSM_REG_EPOCH);

	(void)state;
	client_put32(&c, IHSM_REG_RESET, 1);
	assert_int_equal(client_get32(&c, IHSM_REG_STATUS) & 0xff, IHSM_STATUS_READY);
	client_put32(&c, IHSM_REG_RESET, IHSM_RESET_MAGIC);
	assert_int_equal(client_get32(&c, IHSM_REG_STATUS) & 0xff, 0);
	assert_int_equal(client_get32(&c, IHSM_REG_ADMIN_ATTR), 0);
	check_after_reset(epoch);
}

static void test_disable(void **state)
{
	uint32_t epoch = client_get32(&c, IHSM_REG_EPOCH);

	(void)state;
	client_put32(&c, IHSM_REG_CONFIG, 0);
	assert_int_equal(client_get32(&c, IHSM_REG_STATUS) & 0xff, 0);
	assert_int_equal(client_get32(&c, IHSM_REG_ADMIN_ATTR), RING_LOG2 | RING_LOG2 << 8);
	check_after_reset(epoch);
}

static void test_function_level_reset(void **state)
{
	uint32_t epoch = client_get32(&c, IHSM_REG_EPOCH);
	const uint16_t flr = htole16(PCI_EXP_DEVCTL_BCR_FLR);

	(void)state;
	assert_int_equal(client_region_write(&c, VFIO_PCI_CONFIG_REGION_INDEX,
					     0x50 + PCI_EXP_DEVCTL, &flr, 2, false),
			 0);
	assert_int_equal(client_get32(&c, IHSM_REG_VERSION), UINT32_MAX);
	client_command(&c, 6);
	check_after_reset(epoch);
}

static void test_device_reset(void **state)
{
	uint32_t epoch = client_get32(&c, IHSM_REG_EPOCH);

	(void)state;
	assert_int_equal(client_call(&c, VFIO_USER_DEVICE_RESET, NULL, 0, NULL, 0, NULL, NULL), 0);
	client_command(&c, 6);
	check_after_reset(epoch);
}

static void test_bad_enable(void **state)
{
	(void)state;
	client_put32(&c, IHSM_REG_CONFIG, 0);
	client_put64(&c, IHSM_REG_ADMIN_SQ, CLIENT_BASE + 16);
	client_put32(&c, IHSM_REG_CONFIG, IHSM_CONFIG_ENABLE);
	assert_int_equal(client_get32(&c, IHSM_REG_STATUS) & 0xff, IHSM_STATUS_FATAL);
	client_put32(&c, IHSM_REG_CONFIG, 0);
	assert_int_equal(client_get32(&c, IHSM_REG_STATUS) & 0xff, 0);
	client_put32(&c, IHSM_REG_ADMIN_ATTR, 0);
	client_put64(&c, IHSM_REG_ADMIN_SQ, CLIENT_BASE);
	client_put32(&c, IHSM_REG_CONFIG, IHSM_CONFIG_ENABLE);
	assert_int_equal(client_get32(&c, IHSM_REG_STATUS) & 0xff, IHSM_STATUS_FATAL);
}

static void submit_event(uint16_t cid)
{
	struct ihsm_sqe *sqe = client_sqe(&c, 0);

	sqe->opcode = IHSM_ADMIN_ASYNC_EVENT;
	sqe->cid = htole16(cid);
	client_submit(&c, 0);
}

/* A connection that is made in the error state shows it from the start. */
static void test_error_state(void **state)
{
	struct client other;

	(void)state;
	assert_int_equal(client_get32(&c, IHSM_REG_STATUS) >> IHSM_STATUS_STATE_SHIFT,
			 IHSM_STATE_OPERATIONAL);
	selftest_fail("a test");
	client_start(&other);
	assert_int_equal(client_get32(&other, IHSM_REG_STATUS) >> IHSM_STATUS_STATE_SHIFT,
			 IHSM_STATE_ERROR);
	selftest_reset();
	client_end(&other);
}

static void test_events(void **state)
{
	struct ihsm_cqe cqe;
	uint32_t found;

	(void)state;
	/* One that came before anybody asked is not lost. */
	firmware_event(IHSM_EVENT_FIRMWARE, 5);
	submit_event(1);
	assert_int_equal(client_wait(&c, 0, &cqe), 0);
	assert_int_equal(le32toh(cqe.result), IHSM_EVENT_FIRMWARE | 5 << 8);
	for (uint16_t i = 0; i < IHSM_MAX_ASYNC_EVENTS; i++)
		submit_event((uint16_t)(10 + i));
	submit_event(20);
	assert_int_equal(client_wait(&c, 0, &cqe), IHSM_SC_EVENT_LIMIT);
	assert_int_equal(le16toh(cqe.cid), 20);
	firmware_event(IHSM_EVENT_STATE, IHSM_STATE_TAMPERED);
	assert_int_equal(client_wait(&c, 0, &cqe), 0);
	assert_int_equal(le32toh(cqe.result), IHSM_EVENT_STATE | IHSM_STATE_TAMPERED << 8);
	assert_int_equal(client_get32(&c, IHSM_REG_STATUS) >> IHSM_STATUS_STATE_SHIFT,
			 IHSM_STATE_TAMPERED);
	/* An event request that waits can be aborted: its own completion comes first. */
	{
		struct ihsm_sqe *sqe = client_sqe(&c, 0);

		sqe->opcode = IHSM_ADMIN_ABORT;
		sqe->cid = htole16(30);
		sqe->arg[1] = htole32(10);
		client_submit(&c, 0);
	}
	assert_int_equal(client_wait(&c, 0, &cqe), IHSM_SC_ABORTED);
	assert_int_equal(le16toh(cqe.cid), 10);
	assert_int_equal(client_wait(&c, 0, &cqe), 0);
	assert_int_equal(le16toh(cqe.cid), 30);
	assert_int_equal(le32toh(cqe.result), 1);
	assert_int_equal(admin_args(IHSM_ADMIN_ABORT, 0, 10, &found), 0);
	assert_int_equal(found, 0);
}

static void test_shutdown(void **state)
{
	(void)state;
	client_put32(&c, IHSM_REG_CONFIG, IHSM_CONFIG_ENABLE | IHSM_CONFIG_SHUTDOWN);
	assert_true(client_get32(&c, IHSM_REG_STATUS) & IHSM_STATUS_SHUTDOWN_DONE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_registers),
		TEST(test_identify),
		TEST(test_random),
		TEST(test_sensors_and_images),
		TEST(test_bad_queues),
		TEST(test_contexts),
		TEST(test_context_limit),
		TEST(test_contexts_are_private),
		TEST(test_controller_reset),
		TEST(test_disable),
		TEST(test_function_level_reset),
		TEST(test_device_reset),
		TEST(test_bad_enable),
		TEST(test_error_state),
		TEST(test_events),
		TEST(test_shutdown),
	};

	return cmocka_run_group_tests(tests, transport_start, NULL);
}
