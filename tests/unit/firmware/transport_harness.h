/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of the firmware's transport: plays the board on descriptors 3 and 4, plays command execution,
 * and is a client with memory and rings of its own. To be included by one source file of a program. With
 * HARNESS_FUZZ it does without cmocka, and commands never wait.
 */
#ifndef TRANSPORT_HARNESS_H
#define TRANSPORT_HARNESS_H

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifdef HARNESS_FUZZ
#define assert_true(what) ((what) ? (void)0 : abort())
#define assert_int_equal(a, b) assert_true((a) == (b))
#else
#include <cmocka.h>
#endif

#include "transport.h"

/* ---- command execution, played ---- */

/*
 * The first byte of a message says what happens: 'e' it comes back; 'M' the same, after saying that it takes
 * longer; 'm', 'l' it says so and waits for fake_gate; 'c' it is long and waits until it is cancelled.
 */
static sem_t fake_entered, fake_gate;
static atomic_uint fake_open, fake_closed, fake_running, fake_most;

struct firmware_context {
	struct context_info info;
};

int commands_start(const struct board_hello *hello)
{
	(void)hello;
	return 0;
}

void commands_stop(void)
{
}

uint32_t commands_partitions(void)
{
	return 3;
}

unsigned int commands_partition_list(struct ihsm_partition_entry *list, unsigned int room)
{
	assert_true(room >= 3);
	for (unsigned int i = 0; i < 3; i++) {
		memset(list[i].id, 0xa0 + (int)i, sizeof(list[i].id));
		list[i].slot = htole32(7 + i);
	}
	return 3;
}

enum ihsm_self_test commands_self_test(void)
{
	return IHSM_SELF_TEST_PASSED;
}

/* As raised meanwhile */
static uint32_t fake_minimum;

uint32_t commands_minimum_version(void)
{
	return fake_minimum;
}

void commands_wipe(void)
{
}

int commands_random(uint8_t *out, size_t length)
{
	memset(out, 0x5a, length);
	return 0;
}

void commands_updated(void)
{
}

void commands_board_events(void)
{
}

void commands_partition_changed(const uint8_t id[PARTITION_ID_SIZE])
{
	(void)id;
}

int context_open(const struct context_info *info, struct firmware_context **context)
{
	*context = calloc(1, sizeof(**context));
	if (!*context)
		return -ENOMEM;
	(*context)->info = *info;
	atomic_fetch_add(&fake_open, 1);
	return 0;
}

void context_close(struct firmware_context *context)
{
	atomic_fetch_add(&fake_closed, 1);
	free(context);
}

static inline enum ihsm_status fake_wait(struct task *task, enum ihsm_time_class time_class)
{
	unsigned int running;

	if (task_set_class(task, time_class))
		return IHSM_SC_ABORTED;
	running = atomic_fetch_add(&fake_running, 1) + 1;
	if (running > atomic_load(&fake_most))
		atomic_store(&fake_most, running);
	sem_post(&fake_entered);
	while (sem_wait(&fake_gate))
		;
	atomic_fetch_sub(&fake_running, 1);
	return IHSM_SC_SUCCESS;
}

static inline enum ihsm_status fake_until_cancelled(struct task *task)
{
	if (task_set_class(task, IHSM_TIME_VERY_LONG))
		return IHSM_SC_ABORTED;
	sem_post(&fake_entered);
	while (!task_cancelled(task))
		sched_yield();
	return IHSM_SC_ABORTED;
}

enum ihsm_status message_execute(struct task *task, struct firmware_context *context, uint8_t *request,
				 size_t request_length, uint8_t *response, size_t capacity,
				 size_t *response_length)
{
	enum ihsm_status status = IHSM_SC_SUCCESS;

	(void)context;
	if (!request_length)
		return IHSM_SC_INVALID_MESSAGE;
#ifdef HARNESS_FUZZ
	request[0] = 'e';
#endif
	if (request[0] == 'M' && task_set_class(task, IHSM_TIME_MEDIUM))
		status = IHSM_SC_ABORTED;
	if (request[0] == 'm')
		status = fake_wait(task, IHSM_TIME_MEDIUM);
	if (request[0] == 'l')
		status = fake_wait(task, IHSM_TIME_LONG);
	if (request[0] == 'c')
		status = fake_until_cancelled(task);
	if (status)
		return status;
	if (request_length > capacity)
		return IHSM_SC_TOO_SMALL;
	memcpy(response, request, request_length);
	*response_length = request_length;
	return IHSM_SC_SUCCESS;
}

/* ---- the board, played ---- */

struct board_side {
	int control;
	int storage;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned int kept;
	unsigned int forgotten;
	bool closed[1024];
	struct board_keep last_kept;
	int last_fd;
};

static struct board_side board_side = { .lock = PTHREAD_MUTEX_INITIALIZER,
					.changed = PTHREAD_COND_INITIALIZER, .last_fd = -1 };

static const struct board_hello test_hello = {
	.flags = BOARD_HELLO_EMBEDDED, .function = 1, .functions = 2, .security_version = 1,
	.board_id = { 1, 2, 3, 4, 5, 6, 7, 8 }, .serial = "TEST-1", .version = "7.3-test", .dma_bits = 48, .max_queues = 8,
	.incarnation = 7, .spin_us = 50,
};

static inline void board_send(const struct board_message *head, const void *body, const int *fds, int count)
{
	struct iovec pieces[] = { { (void *)head, sizeof(*head) }, { (void *)body, head->length } };
	char space[CMSG_SPACE(4 * sizeof(int))] = { 0 };
	struct msghdr message = { .msg_iov = pieces, .msg_iovlen = body ? 2 : 1 };

	if (count) {
		struct cmsghdr *c = (struct cmsghdr *)space;

		message.msg_control = space;
		message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, (size_t)count * sizeof(int));
	}
	if (sendmsg(board_side.control, &message, MSG_NOSIGNAL) < 0)
		abort();
}

static inline int board_take_fd(struct msghdr *message)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(message);
	int fd = -1;

	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static inline void *board_control_thread(void *argument)
{
	struct { struct board_message head; struct board_keep keep; } in;

	(void)argument;
	for (;;) {
		char space[CMSG_SPACE(sizeof(int))];
		struct iovec piece = { &in, sizeof(in) };
		struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = space,
					  .msg_controllen = sizeof(space) };
		struct board_message kept = { .type = BOARD_KEPT };

		if (recvmsg(board_side.control, &message, 0) <= 0)
			return NULL;
		pthread_mutex_lock(&board_side.lock);
		if (in.head.type == BOARD_KEEP) {
			board_side.kept++;
			board_side.last_kept = in.keep;
			if (board_side.last_fd >= 0)
				close(board_side.last_fd);
			board_side.last_fd = board_take_fd(&message);
			kept.connection = in.head.connection;
			board_send(&kept, NULL, NULL, 0);
		}
		board_side.forgotten += in.head.type == BOARD_FORGET;
		if (in.head.type == BOARD_CLOSED)
			board_side.closed[in.head.connection % 1024] = true;
		pthread_cond_broadcast(&board_side.changed);
		pthread_mutex_unlock(&board_side.lock);
	}
}

static inline void *board_storage_thread(void *argument)
{
	struct { struct board_message head; struct board_hello hello; } out = { .hello = test_hello };
	struct board_message in;

	(void)argument;
	out.head.type = BOARD_HELLO;
	out.head.length = sizeof(out.hello);
	while (recv(board_side.storage, &in, sizeof(in), 0) > 0)
		if (send(board_side.storage, &out, sizeof(out), MSG_NOSIGNAL) < 0)
			break;
	return NULL;
}

static inline void *board_link_thread(void *argument)
{
	(void)argument;
	board_link_run();
	return NULL;
}

static inline void start_thread(void *(*run)(void *), void *argument)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run, argument))
		abort();
	pthread_detach(thread);
}

/* Starts board and firmware in this process; a group's setup function. */
static inline int transport_start(void **state)
{
	struct board_hello hello;
	int control[2], storage[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, control) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, storage))
		return -1;
	board_side.control = fcntl(control[1], F_DUPFD, 20);
	board_side.storage = fcntl(storage[1], F_DUPFD, 20);
	/* The pairs may themselves lie where the firmware's ends must be. */
	control[0] = fcntl(control[0], F_DUPFD, 20);
	storage[0] = fcntl(storage[0], F_DUPFD, 20);
	dup2(control[0], BOARD_CONTROL_FD);
	dup2(storage[0], BOARD_STORAGE_FD);
	close(control[0]);
	close(storage[0]);
	sem_init(&fake_entered, 0, 0);
	sem_init(&fake_gate, 0, 0);
	start_thread(board_control_thread, NULL);
	start_thread(board_storage_thread, NULL);
	if (board_link_start(&hello) || memcmp(&hello, &test_hello, sizeof(hello)))
		return -1;
	if (connections_start(&hello))
		return -1;
	start_thread(board_link_thread, NULL);
	return 0;
}

/* Waits until the board has been told that the connection has ended. */
static inline void board_wait_closed(uint32_t id)
{
	pthread_mutex_lock(&board_side.lock);
	while (!board_side.closed[id % 1024])
		pthread_cond_wait(&board_side.changed, &board_side.lock);
	pthread_mutex_unlock(&board_side.lock);
}

/* ---- the client ---- */

#define CLIENT_BASE	0x100000000ULL
#define CLIENT_MEMORY	(4U * 1024 * 1024)
#define ADMIN_SQ	0x0000
#define ADMIN_CQ	0x1000
#define SHADOW_HOST	0x2000
#define SHADOW_DEVICE	0x3000
#define IO_SQ(qid)	(0x10000U + (qid) * 0x2000)
#define IO_CQ(qid)	(0x11000U + (qid) * 0x2000)
#define DATA		0x100000U
#define RING_LOG2	4
#define RING		(1U << RING_LOG2)

struct client {
	uint32_t id;
	int socket;
	int memfd;
	int record;
	uint8_t *memory;
	uint32_t tail[9];
	uint32_t head[9];
	bool shadow;
	uint16_t message_id;
	uint64_t context;
};

static uint32_t client_next_id;

static inline int client_memfd(unsigned int seals)
{
	int fd = memfd_create("client", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, CLIENT_MEMORY) || (seals && fcntl(fd, F_ADD_SEALS, seals)))
		abort();
	return fd;
}

/* A connection is handed to the firmware as the board does it. */
static inline void client_hand_over(struct client *c, uint32_t flags)
{
	const struct board_connection who = { .flags = flags | BOARD_CONNECTION_OWNER, .uid = 42 };
	struct board_message head = { .type = BOARD_CONNECTION, .connection = c->id,
				      .length = sizeof(who) };
	int pair[2], fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		abort();
	c->socket = pair[0];
	fds[0] = pair[1];
	fds[1] = c->record;
	board_send(&head, &who, fds, 2);
	close(pair[1]);
}

static inline void client_init(struct client *c)
{
	memset(c, 0, sizeof(*c));
	c->id = ++client_next_id;
	pthread_mutex_lock(&board_side.lock);
	board_side.closed[c->id % 1024] = false;
	pthread_mutex_unlock(&board_side.lock);
	c->record = memfd_create("record", MFD_CLOEXEC);
	if (c->record < 0 || ftruncate(c->record, BOARD_RECORD_SIZE))
		abort();
	c->memfd = client_memfd(F_SEAL_SHRINK);
	c->memory = mmap(NULL, CLIENT_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, c->memfd, 0);
	if (c->memory == MAP_FAILED)
		abort();
}

static inline void client_send(struct client *c, uint16_t command, uint32_t flags, const void *body,
			uint32_t length, const int *fds, int count)
{
	struct vfio_user_header header = { .message_id = ++c->message_id, .command = command,
					   .size = sizeof(header) + length, .flags = flags };
	struct iovec pieces[] = { { &header, sizeof(header) }, { (void *)body, length } };
	char space[CMSG_SPACE(16 * sizeof(int))] = { 0 };
	struct msghdr message = { .msg_iov = pieces, .msg_iovlen = 2 };

	if (count) {
		struct cmsghdr *m = (struct cmsghdr *)space;

		message.msg_control = space;
		message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
		m->cmsg_level = SOL_SOCKET;
		m->cmsg_type = SCM_RIGHTS;
		m->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
		memcpy(CMSG_DATA(m), fds, (size_t)count * sizeof(int));
	}
	assert_int_equal(TEMP_FAILURE_RETRY(sendmsg(c->socket, &message, MSG_NOSIGNAL)),
			 sizeof(header) + length);
}

static inline bool client_read(struct client *c, void *to, size_t length)
{
	size_t got = 0;
	ssize_t n;

	/* The fuzzer's clock interrupts. */
	while (got < length) {
		n = recv(c->socket, (uint8_t *)to + got, length - got, MSG_WAITALL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		got += (size_t)n;
	}
	return true;
}

/* Returns the reply's error, 0, or -EPIPE when there is no reply any more. */
static inline int client_reply(struct client *c, uint16_t command, void *body, uint32_t *length)
{
	struct vfio_user_header header;

	if (!client_read(c, &header, sizeof(header)))
		return -EPIPE;
	assert_int_equal(header.command, command);
	assert_int_equal(header.message_id, c->message_id);
	assert_int_equal(header.flags & VFIO_USER_TYPE_MASK, VFIO_USER_TYPE_REPLY);
	if (header.flags & VFIO_USER_FLAG_ERROR) {
		assert_int_equal(header.size, sizeof(header));
		return -(int)header.error;
	}
	*length = header.size - (uint32_t)sizeof(header);
	assert_true(client_read(c, body, *length));
	return 0;
}

static inline int client_call(struct client *c, uint16_t command, const void *body, uint32_t length,
		       const int *fds, int count, void *reply, uint32_t *reply_length)
{
	uint8_t ignored[8192];
	uint32_t ignored_length;

	client_send(c, command, 0, body, length, fds, count);
	return client_reply(c, command, reply ? reply : ignored,
			    reply_length ? reply_length : &ignored_length);
}

static inline int client_version(struct client *c)
{
	static const char body[] = "\0\0\1\0{\"capabilities\":{\"max_msg_fds\":16}}";

	return client_call(c, VFIO_USER_VERSION, body, sizeof(body), NULL, 0, NULL, NULL);
}

static inline int client_map(struct client *c, uint64_t address, uint64_t size, int fd)
{
	const struct vfio_user_dma_map map = { sizeof(map), 3, 0, address, size };

	return client_call(c, VFIO_USER_DMA_MAP, &map, sizeof(map), &fd, fd >= 0, NULL, NULL);
}

static inline int client_unmap(struct client *c, uint64_t address, uint64_t size)
{
	const struct vfio_user_dma_unmap unmap = { sizeof(unmap), 0, address, size };

	return client_call(c, VFIO_USER_DMA_UNMAP, &unmap, sizeof(unmap), NULL, 0, NULL, NULL);
}

static inline int client_region_read(struct client *c, uint32_t region, uint64_t offset, void *to,
			      uint32_t count)
{
	const struct vfio_user_region_access access = { offset, region, count };
	uint8_t reply[8192];
	uint32_t length;
	int error = client_call(c, VFIO_USER_REGION_READ, &access, sizeof(access), NULL, 0, reply,
				&length);

	if (error)
		return error;
	assert_int_equal(length, sizeof(access) + count);
	memcpy(to, reply + sizeof(access), count);
	return 0;
}

static inline int client_region_write(struct client *c, uint32_t region, uint64_t offset, const void *from,
			       uint32_t count, bool posted)
{
	uint8_t body[8192];
	const struct vfio_user_region_access access = { offset, region, count };
	uint32_t length;

	memcpy(body, &access, sizeof(access));
	memcpy(body + sizeof(access), from, count);
	client_send(c, VFIO_USER_REGION_WRITE, posted ? VFIO_USER_FLAG_NO_REPLY : 0, body,
		    (uint32_t)sizeof(access) + count, NULL, 0);
	return posted ? 0 : client_reply(c, VFIO_USER_REGION_WRITE, body, &length);
}

static inline uint32_t client_get32(struct client *c, uint64_t offset)
{
	uint32_t value = 0;

	assert_int_equal(client_region_read(c, 0, offset, &value, 4), 0);
	return le32toh(value);
}

static inline void client_put32(struct client *c, uint64_t offset, uint32_t value)
{
	value = htole32(value);
	assert_int_equal(client_region_write(c, 0, offset, &value, 4, false), 0);
}

static inline void client_put64(struct client *c, uint64_t offset, uint64_t value)
{
	value = htole64(value);
	assert_int_equal(client_region_write(c, 0, offset, &value, 8, false), 0);
}

/* Memory space and bus master on. */
static inline void client_command(struct client *c, uint16_t bits)
{
	bits = htole16(bits);
	assert_int_equal(client_region_write(c, VFIO_PCI_CONFIG_REGION_INDEX, 4, &bits, 2, false), 0);
}

/* ---- rings ---- */

static inline struct ihsm_sqe *client_sqe(struct client *c, unsigned int qid)
{
	struct ihsm_sqe *ring = (void *)(c->memory + (qid ? IO_SQ(qid) : ADMIN_SQ));
	struct ihsm_sqe *sqe = &ring[c->tail[qid] % RING];

	memset(sqe, 0, sizeof(*sqe));
	return sqe;
}

static inline struct ihsm_shadow_host *client_shadow_host(struct client *c, unsigned int qid)
{
	return (struct ihsm_shadow_host *)(c->memory + SHADOW_HOST) + qid;
}

static inline struct ihsm_shadow_device *client_shadow_device(struct client *c, unsigned int qid)
{
	return (struct ihsm_shadow_device *)(c->memory + SHADOW_DEVICE) + qid;
}

/* Go on to the next entry; the filled one is submitted with it. */
static inline void client_next(struct client *c, unsigned int qid)
{
	c->tail[qid]++;
}

/* Submits the last @count entries filled in, and rings as the document says. */
static inline void client_submit_many(struct client *c, unsigned int qid, uint32_t count)
{
	uint32_t tail = ++c->tail[qid];
	uint32_t value = htole32(tail), event;

	if (c->shadow && qid) {
		__atomic_store_n(&client_shadow_host(c, qid)->sq_tail, value, __ATOMIC_RELEASE);
		atomic_thread_fence(memory_order_seq_cst);
		event = le32toh(__atomic_load_n(&client_shadow_device(c, qid)->sq_event, __ATOMIC_ACQUIRE));
		if (tail - event - 1 >= count)
			return;
	}
	assert_int_equal(client_region_write(c, 0, IHSM_DOORBELL_SQ(qid), &value, 4, true), 0);
}

static inline void client_submit(struct client *c, unsigned int qid)
{
	client_submit_many(c, qid, 1);
}

static inline bool client_poll(struct client *c, unsigned int qid, struct ihsm_cqe *cqe)
{
	struct ihsm_cqe *ring = (void *)(c->memory + (qid ? IO_CQ(qid) : ADMIN_CQ));
	const struct ihsm_cqe *entry = &ring[c->head[qid] % RING];
	uint16_t phase = c->head[qid] & RING ? 0 : 1;
	uint16_t status = le16toh(__atomic_load_n(&entry->status, __ATOMIC_ACQUIRE));
	uint32_t value;

	if ((status & IHSM_CQE_PHASE) != phase)
		return false;
	*cqe = *entry;
	value = htole32(++c->head[qid]);
	if (c->shadow && qid)
		__atomic_store_n(&client_shadow_host(c, qid)->cq_head, value, __ATOMIC_RELEASE);
	else
		assert_int_equal(client_region_write(c, 0, IHSM_DOORBELL_CQ(qid), &value, 4, true), 0);
	return true;
}

static inline uint16_t client_wait(struct client *c, unsigned int qid, struct ihsm_cqe *cqe)
{
	while (!client_poll(c, qid, cqe))
		sched_yield();
	return le16toh(cqe->status) >> IHSM_CQE_STATUS_SHIFT;
}

static inline uint16_t client_admin(struct client *c, uint8_t opcode, const struct ihsm_sqe *what,
			     uint32_t *result)
{
	struct ihsm_sqe *sqe = client_sqe(c, 0);
	struct ihsm_cqe cqe;
	uint16_t status;

	if (what)
		*sqe = *what;
	sqe->opcode = opcode;
	sqe->cid = htole16(77);
	client_submit(c, 0);
	status = client_wait(c, 0, &cqe);
	assert_int_equal(le16toh(cqe.cid), 77);
	if (result)
		*result = le32toh(cqe.result);
	return status;
}

static inline uint16_t client_create_queue(struct client *c, unsigned int qid, uint32_t vector)
{
	struct ihsm_sqe sqe = { .in_addr = htole64(CLIENT_BASE + IO_SQ(qid)),
				.out_addr = htole64(CLIENT_BASE + IO_CQ(qid)) };

	sqe.arg[0] = htole32(qid);
	sqe.arg[1] = htole32(RING_LOG2 | RING_LOG2 << 8);
	sqe.arg[2] = htole32(vector);
	c->tail[qid] = 0;
	c->head[qid] = 0;
	memset(c->memory + IO_CQ(qid), 0, RING * sizeof(struct ihsm_cqe));
	memset(client_shadow_host(c, qid), 0, sizeof(struct ihsm_shadow_host));
	return client_admin(c, IHSM_ADMIN_CREATE_QUEUE, &sqe, NULL);
}

static inline uint16_t client_set_shadow(struct client *c)
{
	const struct ihsm_sqe sqe = { .in_addr = htole64(CLIENT_BASE + SHADOW_HOST),
				      .out_addr = htole64(CLIENT_BASE + SHADOW_DEVICE) };
	uint16_t status = client_admin(c, IHSM_ADMIN_SET_SHADOW, &sqe, NULL);

	c->shadow = !status;
	return status;
}

static inline uint16_t client_create_context(struct client *c, uint64_t *id)
{
	const struct ihsm_sqe sqe = { .out_addr = htole64(CLIENT_BASE + DATA), .out_len = htole32(8) };
	uint16_t status = client_admin(c, IHSM_ADMIN_CREATE_CONTEXT, &sqe, NULL);

	memcpy(id, c->memory + DATA, sizeof(*id));
	*id = le64toh(*id);
	return status;
}

/* From the state after reset to enabled. */
static inline void client_enable(struct client *c)
{
	memset(c->memory + ADMIN_CQ, 0, 4096);
	c->tail[0] = 0;
	c->head[0] = 0;
	c->shadow = false;
	client_put32(c, IHSM_REG_ADMIN_ATTR, RING_LOG2 | RING_LOG2 << 8);
	client_put64(c, IHSM_REG_ADMIN_SQ, CLIENT_BASE + ADMIN_SQ);
	client_put64(c, IHSM_REG_ADMIN_CQ, CLIENT_BASE + ADMIN_CQ);
	client_put32(c, IHSM_REG_CONFIG, IHSM_CONFIG_ENABLE);
	assert_int_equal(client_get32(c, IHSM_REG_STATUS) & 0xff, IHSM_STATUS_READY);
}

/* A client with shadow doorbells, one I/O queue and a context. */
static inline void client_start(struct client *c)
{
	client_init(c);
	client_hand_over(c, 0);
	assert_int_equal(client_version(c), 0);
	assert_int_equal(client_map(c, CLIENT_BASE, CLIENT_MEMORY, c->memfd), 0);
	client_command(c, 6);
	client_enable(c);
	assert_int_equal(client_set_shadow(c), 0);
	assert_int_equal(client_create_queue(c, 1, IHSM_NO_VECTOR), 0);
	assert_int_equal(client_create_context(c, &c->context), 0);
}

static inline void client_end(struct client *c)
{
	close(c->socket);
	board_wait_closed(c->id);
	munmap(c->memory, CLIENT_MEMORY);
	close(c->memfd);
	close(c->record);
}

/* Fills in a message: @slot is a page of data for the request, the next one for the response. */
static inline void client_message(struct client *c, unsigned int qid, uint16_t cid, unsigned int slot,
			   const char *text)
{
	struct ihsm_sqe *sqe = client_sqe(c, qid);

	strcpy((char *)c->memory + DATA + slot * 8192, text);
	sqe->opcode = IHSM_IO_MESSAGE;
	sqe->cid = htole16(cid);
	sqe->context = htole64(c->context);
	sqe->in_addr = htole64(CLIENT_BASE + DATA + slot * 8192);
	sqe->in_len = htole32((uint32_t)strlen(text) + 1);
	sqe->out_addr = htole64(CLIENT_BASE + DATA + slot * 8192 + 4096);
	sqe->out_len = htole32(4096);
}

#endif /* TRANSPORT_HARNESS_H */
