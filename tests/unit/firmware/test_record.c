// SPDX-License-Identifier: Apache-2.0
/*
 * Adoption: a connection that a predecessor served goes on, wherever the predecessor stopped, and a
 * record that it left in disorder harms nobody.
 */
#include "transport_harness.h"

static struct client c;
static struct record_page *page;

static int setup(void **state)
{
	(void)state;
	client_init(&c);
	page = record_map(c.record);
	if (!page)
		return -1;
	record_reset(page);
	page->head.version_done = 1;
	pci_config_init(page->head.config, &test_hello);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	record_unmap(page);
	client_end(&c);
	return 0;
}

static void send_keep(uint32_t kind, uint64_t key, uint64_t length, int fd)
{
	const struct board_keep keep = { kind, 3, key, length, 0 };
	struct board_message head = { .type = BOARD_ADOPT,
				      .connection = c.id,
				      .length = sizeof(keep) };

	board_send(&head, &keep, &fd, 1);
}

static void serve(void)
{
	const struct board_message head = { .type = BOARD_SERVE, .connection = c.id };

	board_send(&head, NULL, NULL, 0);
}

static void adopt(void)
{
	client_hand_over(&c, BOARD_CONNECTION_ADOPTED);
	serve();
}

static struct vfio_user_header request(uint16_t command, uint32_t body)
{
	const struct vfio_user_header header = { ++c.message_id, command,
						 (uint32_t)sizeof(header) + body, 0, 0 };

	return header;
}

/* Enabled when the predecessor died: the client sees it, resets, and goes on with all that it had wired. */
static void test_go_on_after_reset(void **state)
{
	const uint16_t command = htole16(6);
	const uint32_t enabled = htole32(IHSM_CONFIG_ENABLE), old_epoch = 0x900000;
	int fd = eventfd(0, EFD_NONBLOCK);
	struct ihsm_cqe cqe;
	struct ihsm_sqe *sqe;
	uint64_t count;

	(void)state;
	memcpy(page->head.config + 4, &command, 2);
	memcpy(page->head.registers + IHSM_REG_CONFIG, &enabled, 4);
	page->head.epoch = old_epoch;
	client_hand_over(&c, BOARD_CONNECTION_ADOPTED);
	send_keep(BOARD_KEEP_DMA, CLIENT_BASE, CLIENT_MEMORY, c.memfd);
	send_keep(BOARD_KEEP_IRQ, 3, 0, fd);
	serve();
	assert_int_equal(client_get32(&c, IHSM_REG_STATUS) & 0xff, IHSM_STATUS_FATAL);
	client_put32(&c, IHSM_REG_RESET, IHSM_RESET_MAGIC);
	assert_true(client_get32(&c, IHSM_REG_EPOCH) > old_epoch);
	client_enable(&c);
	assert_int_equal(client_set_shadow(&c), 0);
	assert_int_equal(client_create_queue(&c, 1, 3), 0);
	sqe = client_sqe(&c, 1);
	sqe->opcode = IHSM_IO_NOP;
	client_submit(&c, 1);
	assert_int_equal(client_wait(&c, 1, &cqe), 0);
	assert_int_equal(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, -1), 1);
	assert_int_equal(read(fd, &count, 8), 8);
	/* Unmapping what only the predecessor knew is no error. */
	assert_int_equal(client_unmap(&c, 0x5000, 4096), 0);
	close(fd);
}

static void test_not_enabled_is_not_fatal(void **state)
{
	const uint16_t command = htole16(6);

	(void)state;
	memcpy(page->head.config + 4, &command, 2);
	adopt();
	assert_int_equal(client_get32(&c, IHSM_REG_STATUS) & 0xff, 0);
}

static void test_died_before_the_record(void **state)
{
	(void)state;
	memset(page, 0, sizeof(*page));
	adopt();
	assert_int_equal(client_version(&c), 0);
}

/* In the middle of a header: the rest of it comes. */
static void test_half_header(void **state)
{
	const struct vfio_user_region_access access = { 0, VFIO_PCI_CONFIG_REGION_INDEX, 4 };
	struct vfio_user_header header = request(VFIO_USER_REGION_READ, sizeof(access));
	uint8_t body[64];
	uint32_t length;

	(void)state;
	record_header_part(page, &header, 5);
	adopt();
	assert_int_equal(send(c.socket, (uint8_t *)&header + 5, 11, 0), 11);
	assert_int_equal(send(c.socket, &access, sizeof(access), 0), sizeof(access));
	assert_int_equal(client_reply(&c, VFIO_USER_REGION_READ, body, &length), 0);
	assert_int_equal(body[16] | body[17] << 8, IHSM_PCI_VENDOR_ID);
}

/* The header was read, nothing of the body. */
static void test_header_only(void **state)
{
	const struct vfio_user_region_access access = { 0, VFIO_PCI_CONFIG_REGION_INDEX, 4 };
	const struct vfio_user_header header = request(VFIO_USER_REGION_READ, sizeof(access));
	uint8_t body[64];
	uint32_t length;

	(void)state;
	record_reading(page, &header);
	adopt();
	assert_int_equal(send(c.socket, &access, sizeof(access), 0), sizeof(access));
	assert_int_equal(client_reply(&c, VFIO_USER_REGION_READ, body, &length), 0);
}

/* A part of the body is lost: an error at once, and the stream stays in step. */
static void test_half_body(void **state)
{
	const struct vfio_user_region_access access = { 0, VFIO_PCI_CONFIG_REGION_INDEX, 4 };
	const struct vfio_user_header header = request(VFIO_USER_REGION_READ, sizeof(access));
	uint8_t body[64];
	uint32_t length;

	(void)state;
	record_reading(page, &header);
	record_remaining(page, 6);
	adopt();
	assert_int_equal(send(c.socket, (const uint8_t *)&access + 10, 6, 0), 6);
	assert_int_equal(client_reply(&c, VFIO_USER_REGION_READ, body, &length), -EIO);
	client_command(&c, 6);
	assert_int_equal(client_get32(&c, IHSM_REG_VERSION), IHSM_VERSION);
}

static void test_read_being_handled(void **state)
{
	const struct vfio_user_region_access access = { 0, VFIO_PCI_CONFIG_REGION_INDEX, 4096 };
	const struct vfio_user_header header = request(VFIO_USER_REGION_READ, sizeof(access));
	uint8_t body[8192];
	uint32_t length;

	(void)state;
	record_reading(page, &header);
	record_handling(page, &access, sizeof(access));
	adopt();
	assert_int_equal(client_reply(&c, VFIO_USER_REGION_READ, body, &length), 0);
	assert_int_equal(length, sizeof(access) + 4096);
}

/* Mapped, kept, but not answered; or not kept: then the client is told. */
static void test_map_being_handled(void **state)
{
	const struct vfio_user_dma_map map = { sizeof(map), 3, 0, CLIENT_BASE, CLIENT_MEMORY };
	const struct vfio_user_header header = request(VFIO_USER_DMA_MAP, sizeof(map));
	uint8_t body[64];
	uint32_t length;

	(void)state;
	record_reading(page, &header);
	record_handling(page, &map, sizeof(map));
	client_hand_over(&c, BOARD_CONNECTION_ADOPTED);
	send_keep(BOARD_KEEP_DMA, CLIENT_BASE, CLIENT_MEMORY, c.memfd);
	serve();
	assert_int_equal(client_reply(&c, VFIO_USER_DMA_MAP, body, &length), 0);
	assert_int_equal(client_map(&c, CLIENT_BASE, CLIENT_MEMORY, c.memfd), -EEXIST);
}

static void test_lost_map_being_handled(void **state)
{
	const struct vfio_user_dma_map map = { sizeof(map), 3, 0, CLIENT_BASE, CLIENT_MEMORY };
	const struct vfio_user_header header = request(VFIO_USER_DMA_MAP, sizeof(map));
	uint8_t body[64];
	uint32_t length;

	(void)state;
	record_reading(page, &header);
	record_handling(page, &map, sizeof(map));
	adopt();
	assert_int_equal(client_reply(&c, VFIO_USER_DMA_MAP, body, &length), -EIO);
	assert_int_equal(client_map(&c, CLIENT_BASE, CLIENT_MEMORY, c.memfd), 0);
}

/* The client has a part of the reply. */
static void half_reply(uint32_t count, uint32_t sent)
{
	const struct vfio_user_region_access access = { 0, VFIO_PCI_CONFIG_REGION_INDEX, count };
	const struct vfio_user_header header = request(VFIO_USER_REGION_READ, sizeof(access));
	struct vfio_reply reply = { .header = header };
	uint8_t rest[8192];
	uint32_t total = (uint32_t)(sizeof(header) + sizeof(access)) + count;

	reply.header.flags = VFIO_USER_TYPE_REPLY;
	reply.header.size = total;
	memcpy(reply.body, &access, sizeof(access));
	memcpy(reply.body + sizeof(access), page->head.config, count);
	record_reading(page, &header);
	record_handling(page, &access, sizeof(access));
	record_replying(page, &reply, total);
	record_sent(page, sent);
	adopt();
	assert_true(client_read(&c, rest, total - sent));
	assert_memory_equal(rest, (uint8_t *)&reply + sent, total - sent);
	client_command(&c, 6);
	assert_int_equal(client_get32(&c, IHSM_REG_VERSION), IHSM_VERSION);
}

static void test_half_reply(void **state)
{
	(void)state;
	half_reply(4, 20);
}

static void test_half_long_reply(void **state)
{
	(void)state;
	half_reply(4096, 1000);
}

static void test_reply_not_begun(void **state)
{
	(void)state;
	half_reply(64, 0);
}

/* Whatever is in the record, it is refused or it keeps within its bounds. */
static void test_corrupt_records(void **state)
{
	static const uint32_t values[] = { 1, 2, 3, 4, 15, 16, 17, 64, 65, 4096, 16385, UINT32_MAX };
	struct record_debt debt;
	const size_t count = sizeof(values) / sizeof(values[0]);
	uint32_t *words = (uint32_t *)page;

	(void)state;
	for (size_t word = 0; word < 10; word++) {
		for (size_t i = 0; i < count * count; i++) {
			record_reset(page);
			page->head.phase = (uint32_t)(i / count % 5);
			page->head.remaining = values[i % count];
			page->body_length = values[i / count];
			page->reply_length = values[i % count];
			page->head.sent = values[i / count];
			words[word] = values[i % count];
			if (record_take_debt(page, &debt))
				continue;
			assert_true(debt.phase <= TRANSPORT_REPLYING);
			assert_true(debt.body_length <= RECORD_BODY_MAX);
			assert_true(debt.reply_length <= RECORD_REPLY_MAX);
			assert_true(debt.header_got < sizeof(debt.header));
			assert_true(debt.phase != TRANSPORT_READING ||
				    debt.remaining <= debt.header.size - sizeof(debt.header));
			assert_true(debt.phase != TRANSPORT_REPLYING ||
				    debt.sent <= debt.reply_total);
		}
	}
	client_hand_over(&c, 0);
	assert_int_equal(client_version(&c), 0);
}

static void test_corrupt_record_closes(void **state)
{
	char byte;

	(void)state;
	page->head.phase = 77;
	adopt();
	assert_true(recv(c.socket, &byte, 1, 0) <= 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_go_on_after_reset),
		TEST(test_not_enabled_is_not_fatal),
		TEST(test_died_before_the_record),
		TEST(test_half_header),
		TEST(test_header_only),
		TEST(test_half_body),
		TEST(test_read_being_handled),
		TEST(test_map_being_handled),
		TEST(test_lost_map_being_handled),
		TEST(test_half_reply),
		TEST(test_half_long_reply),
		TEST(test_reply_not_begun),
		TEST(test_corrupt_records),
		TEST(test_corrupt_record_closes),
	};

	return cmocka_run_group_tests(tests, transport_start, NULL);
}
