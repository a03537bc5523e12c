// SPDX-License-Identifier: Apache-2.0
/*
 * The vfio-user socket: the messages of QEMU and libhsm, malformed ones, and clients that stop half-way.
 */
#include <sys/ioctl.h>
#include "transport_harness.h"

static struct client c;

static int setup(void **state)
{
	(void)state;
	client_init(&c);
	client_hand_over(&c, 0);
	return 0;
}

static int setup_agreed(void **state)
{
	setup(state);
	return client_version(&c);
}

static int teardown(void **state)
{
	(void)state;
	client_end(&c);
	return 0;
}

static int version(uint16_t major, uint16_t minor, const char *text, uint32_t text_length,
		   char *reply)
{
	uint8_t body[512], answer[8192];
	struct vfio_user_version head = { major, minor };
	uint32_t length = 0;
	int error;

	memcpy(body, &head, sizeof(head));
	memcpy(body + sizeof(head), text, text_length);
	error = client_call(&c, VFIO_USER_VERSION, body, (uint32_t)sizeof(head) + text_length, NULL,
			    0, answer, &length);
	if (error)
		return error;
	assert_true(length > sizeof(head));
	assert_int_equal(answer[length - 1], 0);
	memcpy(&head, answer, sizeof(head));
	assert_int_equal(head.major, major);
	assert_true(head.minor <= minor && head.minor <= VFIO_USER_MINOR);
	if (reply)
		strcpy(reply, (char *)answer + sizeof(head));
	return 0;
}

static void test_version(void **state)
{
	static const char text[] =
		"{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576}}";
	char reply[512];

	(void)state;
	assert_int_equal(version(1, 0, text, sizeof(text), NULL), -EINVAL);
	assert_int_equal(version(0, 0, "", 1, NULL), -EINVAL);
	assert_int_equal(version(0, 0, text, sizeof(text) - 1, NULL), -EINVAL);
	assert_int_equal(version(0, 0, "{}\0{}", 6, NULL), -EINVAL);
	/* Nothing else is understood before. */
	assert_int_equal(client_call(&c, VFIO_USER_DEVICE_RESET, NULL, 0, NULL, 0, NULL, NULL),
			 -EPROTO);
	assert_int_equal(version(0, 0, text, sizeof(text), reply), 0);
	assert_string_equal(reply,
			    "{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":4096}}");
	assert_int_equal(version(0, 0, text, sizeof(text), NULL), -EINVAL);
}

static void test_version_newer_client(void **state)
{
	(void)state;
	assert_int_equal(version(0, 7, "{}", 3, NULL), 0);
}

static void test_info(void **state)
{
	struct vfio_user_device_info device = { .argsz = sizeof(device) };
	struct vfio_user_region_info region = { .argsz = sizeof(region), .index = 0 };
	struct vfio_user_irq_info irq = { .argsz = sizeof(irq), .index = VFIO_PCI_MSIX_IRQ_INDEX };
	uint32_t length;

	(void)state;
	assert_int_equal(client_call(&c, VFIO_USER_DEVICE_GET_INFO, &device, sizeof(device), NULL,
				     0, &device, &length),
			 0);
	assert_int_equal(device.flags, VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI);
	assert_int_equal(device.regions, VFIO_PCI_NUM_REGIONS);
	assert_int_equal(client_call(&c, VFIO_USER_GET_REGION_INFO, &region, sizeof(region), NULL,
				     0, &region, &length),
			 0);
	assert_int_equal(region.size, IHSM_BAR_REGS_SIZE);
	region.index = VFIO_PCI_ROM_REGION_INDEX;
	assert_int_equal(client_call(&c, VFIO_USER_GET_REGION_INFO, &region, sizeof(region), NULL,
				     0, &region, &length),
			 0);
	assert_int_equal(region.size, 0);
	region.index = VFIO_PCI_NUM_REGIONS;
	assert_int_equal(client_call(&c, VFIO_USER_GET_REGION_INFO, &region, sizeof(region), NULL,
				     0, NULL, NULL),
			 -EINVAL);
	assert_int_equal(client_call(&c, VFIO_USER_GET_IRQ_INFO, &irq, sizeof(irq), NULL, 0, &irq,
				     &length),
			 0);
	assert_int_equal(irq.count, IHSM_MAX_VECTORS);
	assert_int_equal(irq.flags & VFIO_IRQ_INFO_NORESIZE, 0);
	device.argsz = 4;
	assert_int_equal(client_call(&c, VFIO_USER_DEVICE_GET_INFO, &device, sizeof(device), NULL,
				     0, NULL, NULL),
			 -EINVAL);
	assert_int_equal(client_call(&c, VFIO_USER_DEVICE_GET_INFO, &device, 3, NULL, 0, NULL,
				     NULL),
			 -EINVAL);
}

static void test_unknown_commands(void **state)
{
	(void)state;
	for (uint16_t command = 0; command < 40; command++)
		if (command == 0 || command == VFIO_USER_GET_REGION_IO_FDS ||
		    command == VFIO_USER_DMA_READ || command == VFIO_USER_DMA_WRITE || command > 13)
			assert_int_equal(client_call(&c, command, "12345678", 8, NULL, 0, NULL,
						     NULL),
					 -EOPNOTSUPP);
	assert_int_equal(client_call(&c, 0xffff, NULL, 0, NULL, 0, NULL, NULL), -EOPNOTSUPP);
}

static void test_region_bounds(void **state)
{
	struct {
		struct vfio_user_region_access access;
		uint8_t data[8];
	} body = { { 0, 0, 8 }, { 0 } };
	uint8_t byte[4096];

	(void)state;
	assert_int_equal(client_region_read(&c, VFIO_PCI_CONFIG_REGION_INDEX, 0, byte, 4096), 0);
	assert_int_equal(client_region_read(&c, VFIO_PCI_CONFIG_REGION_INDEX, 1, byte, 4096),
			 -EINVAL);
	assert_int_equal(client_region_read(&c, VFIO_PCI_CONFIG_REGION_INDEX, 4095, byte, 2),
			 -EINVAL);
	assert_int_equal(client_region_read(&c, VFIO_PCI_CONFIG_REGION_INDEX, UINT64_MAX, byte, 2),
			 -EINVAL);
	assert_int_equal(client_region_read(&c, 0, IHSM_BAR_REGS_SIZE, byte, 4), -EINVAL);
	assert_int_equal(client_region_read(&c, 0, 0, byte, 0), -EINVAL);
	assert_int_equal(client_region_read(&c, 1, 0, byte, 4), -EINVAL);
	assert_int_equal(client_region_read(&c, 99, 0, byte, 4), -EINVAL);
	/* More, or less, data than was said. */
	assert_int_equal(client_call(&c, VFIO_USER_REGION_WRITE, &body, sizeof(body) - 1, NULL, 0,
				     NULL, NULL),
			 -EINVAL);
	body.access.count = 4;
	assert_int_equal(client_call(&c, VFIO_USER_REGION_WRITE, &body, sizeof(body), NULL, 0, NULL,
				     NULL),
			 -EINVAL);
}

static void test_posted_writes_are_not_answered(void **state)
{
	uint32_t value = 0;

	(void)state;
	client_command(&c, 6);
	for (uint32_t i = 0; i < 100; i++)
		client_region_write(&c, 0, IHSM_REG_ADMIN_ATTR, &i, 4, true);
	/* A wrong one neither. */
	client_region_write(&c, 77, 0, &value, 4, true);
	assert_int_equal(client_get32(&c, IHSM_REG_ADMIN_ATTR), 99);
}

static void test_pipelined(void **state)
{
	const struct vfio_user_region_access access = { IHSM_REG_VERSION, 0, 4 };
	uint8_t body[64];
	uint32_t length;

	(void)state;
	client_command(&c, 6);
	for (int i = 0; i < 20; i++)
		client_send(&c, VFIO_USER_REGION_READ, 0, &access, sizeof(access), NULL, 0);
	c.message_id = (uint16_t)(c.message_id - 20);
	for (int i = 0; i < 20; i++) {
		c.message_id++;
		assert_int_equal(client_reply(&c, VFIO_USER_REGION_READ, body, &length), 0);
	}
}

static void test_dma_messages(void **state)
{
	struct vfio_user_dma_map map = { sizeof(map), 3, 0, CLIENT_BASE, 4096 };
	int two[] = { c.memfd, c.memfd };

	(void)state;
	assert_int_equal(client_call(&c, VFIO_USER_DMA_MAP, &map, sizeof(map), two, 2, NULL, NULL),
			 -EINVAL);
	assert_int_equal(client_call(&c, VFIO_USER_DMA_MAP, &map, sizeof(map) - 8, two, 1, NULL,
				     NULL),
			 -EINVAL);
	assert_int_equal(client_map(&c, CLIENT_BASE, 4096, c.memfd), 0);
	assert_int_equal(board_side.last_kept.kind, BOARD_KEEP_DMA);
	assert_int_equal(board_side.last_kept.key, CLIENT_BASE);
	assert_int_equal(client_map(&c, CLIENT_BASE, 4096, c.memfd), -EEXIST);
	assert_int_equal(client_unmap(&c, CLIENT_BASE, 8192), -ENOENT);
	assert_int_equal(client_unmap(&c, CLIENT_BASE, 4096), 0);
	assert_int_equal(client_unmap(&c, CLIENT_BASE, 4096), -ENOENT);
	assert_int_equal(client_map(&c, CLIENT_BASE, 4096, -1), 0);
	assert_int_equal(client_unmap(&c, CLIENT_BASE, 4096), 0);
}

static int set_irqs(uint32_t flags, uint32_t index, uint32_t start, uint32_t count, const int *fds,
		    int fd_count)
{
	const struct vfio_user_irq_set set = { sizeof(set), flags, index, start, count };

	return client_call(&c, VFIO_USER_SET_IRQS, &set, sizeof(set), fds, fd_count, NULL, NULL);
}

static void test_irq_messages(void **state)
{
	const uint32_t wire = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	const uint32_t none = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER;
	const uint32_t msix = VFIO_PCI_MSIX_IRQ_INDEX;
	int fds[2] = { eventfd(0, EFD_NONBLOCK), eventfd(0, EFD_NONBLOCK) };
	uint64_t count;

	(void)state;
	assert_int_equal(set_irqs(wire, msix, 4, 2, fds, 2), 0);
	assert_int_equal(set_irqs(wire, msix, 4, 2, fds, 1), -EINVAL);
	assert_int_equal(set_irqs(wire, msix, 31, 2, fds, 2), -EINVAL);
	assert_int_equal(set_irqs(wire, msix, UINT32_MAX, 2, fds, 2), -EINVAL);
	assert_int_equal(set_irqs(wire, VFIO_PCI_INTX_IRQ_INDEX, 0, 1, fds, 1), -EINVAL);
	assert_int_equal(set_irqs(none, VFIO_PCI_INTX_IRQ_INDEX, 0, 0, NULL, 0), 0);
	assert_int_equal(set_irqs(VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK, msix, 0, 1,
				  NULL, 0),
			 -EINVAL);
	assert_int_equal(set_irqs(wire, msix, 0, 1, &c.memfd, 1), -EINVAL);
	/* The error interrupt may be connected. */
	assert_int_equal(set_irqs(wire, VFIO_PCI_ERR_IRQ_INDEX, 0, 1, fds, 1), 0);
	assert_int_equal(set_irqs(wire, VFIO_PCI_ERR_IRQ_INDEX, 1, 1, fds, 1), -EINVAL);
	/* A loop-back trigger reaches its vector alone. */
	assert_int_equal(set_irqs(none, msix, 5, 1, NULL, 0), 0);
	assert_int_equal(read(fds[1], &count, 8), 8);
	assert_int_equal(read(fds[0], &count, 8), -1);
	/* All of them off. */
	assert_int_equal(set_irqs(none, msix, 0, 0, NULL, 0), 0);
	assert_int_equal(set_irqs(none, msix, 5, 1, NULL, 0), 0);
	assert_int_equal(read(fds[1], &count, 8), -1);
	close(fds[0]);
	close(fds[1]);
}

static bool closed_by_server(struct client *client)
{
	char byte;

	return recv(client->socket, &byte, 1, 0) <= 0;
}

/* The stream cannot be trusted any more: this connection ends, the others go on. */
static void send_header(uint32_t size, uint32_t flags)
{
	const struct vfio_user_header header = { 1, VFIO_USER_REGION_READ, size, flags, 0 };

	assert_int_equal(send(c.socket, &header, sizeof(header), MSG_NOSIGNAL), sizeof(header));
}

static void test_too_long(void **state)
{
	struct client other;

	(void)state;
	client_init(&other);
	client_hand_over(&other, 0);
	assert_int_equal(client_version(&other), 0);
	send_header(UINT32_MAX, 0);
	assert_true(closed_by_server(&c));
	client_command(&other, 6);
	assert_int_equal(client_get32(&other, IHSM_REG_VERSION), IHSM_VERSION);
	client_end(&other);
}

static void test_too_short(void **state)
{
	(void)state;
	send_header(15, 0);
	assert_true(closed_by_server(&c));
}

static void test_reply_instead_of_request(void **state)
{
	(void)state;
	send_header(16, VFIO_USER_TYPE_REPLY);
	assert_true(closed_by_server(&c));
}

/* One stops in a header, one in a body, one reads no replies: others are served all the same. */
static void test_half_messages_block_nobody(void **state)
{
	const struct vfio_user_region_access access = { 0, VFIO_PCI_CONFIG_REGION_INDEX, 4096 };
	const struct vfio_user_header header = { 1, VFIO_USER_REGION_READ,
						 sizeof(header) + sizeof(access), 0, 0 };
	struct client deaf[3];
	struct iovec pieces[] = { { (void *)&header, sizeof(header) },
				  { (void *)&access, sizeof(access) } };
	const struct msghdr message = { .msg_iov = pieces, .msg_iovlen = 2 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		client_init(&deaf[i]);
		client_hand_over(&deaf[i], 0);
		assert_int_equal(client_version(&deaf[i]), 0);
	}
	assert_int_equal(send(deaf[0].socket, &header, 7, 0), 7);
	assert_int_equal(send(deaf[1].socket, &header, sizeof(header), 0), sizeof(header));
	while (sendmsg(deaf[2].socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
	client_command(&c, 6);
	assert_int_equal(client_get32(&c, IHSM_REG_VERSION), IHSM_VERSION);
	for (int i = 0; i < 3; i++)
		client_end(&deaf[i]);
}

static int open_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void test_descriptors_do_not_leak(void **state)
{
	int fds[16], before, after;

	(void)state;
	for (int i = 0; i < 16; i++)
		fds[i] = eventfd(0, 0);
	assert_int_equal(client_call(&c, 200, NULL, 0, fds, 16, NULL, NULL), -EOPNOTSUPP);
	assert_int_equal(client_call(&c, 200, NULL, 0, NULL, 0, NULL, NULL), -EOPNOTSUPP);
	before = open_descriptors();
	for (int i = 0; i < 50; i++)
		assert_int_equal(client_call(&c, 200, NULL, 0, fds, 16, NULL, NULL), -EOPNOTSUPP);
	/* The reply is sent before they are closed; the next request is read after. */
	assert_int_equal(client_call(&c, 200, NULL, 0, NULL, 0, NULL, NULL), -EOPNOTSUPP);
	after = open_descriptors();
	assert_true(after <= before);
	for (int i = 0; i < 16; i++)
		close(fds[i]);
}

/* Firmware that ends for a successor leaves the next message where it is, whole. */
static void test_left_to_a_successor(void **state)
{
	const struct vfio_user_region_access access = { IHSM_REG_VERSION, 0, 4 };
	struct connection *connection = connection_find(c.id);
	uint32_t length;
	uint8_t body[64];
	int waiting = 0;

	(void)state;
	assert_non_null(connection);
	client_command(&c, 6);
	connections_finish();
	assert_int_equal(pthread_mutex_trylock(&connection->step), EBUSY);
	client_send(&c, VFIO_USER_REGION_READ, 0, &access, sizeof(access), NULL, 0);
	assert_int_equal(ioctl(connection->socket, FIONREAD, &waiting), 0);
	assert_int_equal(waiting, sizeof(struct vfio_user_header) + sizeof(access));
	pthread_mutex_unlock(&connection->step);
	assert_int_equal(client_reply(&c, VFIO_USER_REGION_READ, body, &length), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_agreed, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_version, setup, teardown),
		cmocka_unit_test_setup_teardown(test_version_newer_client, setup, teardown),
		TEST(test_info),
		TEST(test_unknown_commands),
		TEST(test_region_bounds),
		TEST(test_posted_writes_are_not_answered),
		TEST(test_pipelined),
		TEST(test_dma_messages),
		TEST(test_irq_messages),
		TEST(test_too_long),
		TEST(test_too_short),
		TEST(test_reply_instead_of_request),
		TEST(test_half_messages_block_nobody),
		TEST(test_descriptors_do_not_leak),
		TEST(test_left_to_a_successor),
	};

	return cmocka_run_group_tests(tests, transport_start, NULL);
}
