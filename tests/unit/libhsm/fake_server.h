/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vfio-user server in a thread of the test, with rings: it echoes messages, and is as wrong as
 * a test asks it to be. It is no model of a device: what it does not check, the firmware does.
 */
#ifndef FAKE_SERVER_H
#define FAKE_SERVER_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "vfio_user.h"

enum mischief {
	WELL_BEHAVED,
	WRONG_CID,  /* of no command */
	TWICE,   /* a second completion for the same command */
	TOO_LONG,  /* more bytes than there was room for */
	WRONG_HEAD,  /* submission head out of range */
	WRONG_QUEUE,
	SILENT, /* no completion; an abort ends it */
	DEAF,   /* no completion, and an abort finds nothing */
	FATAL,   /* fatal status, and an event */
	HANG_UP,	 /* the connection is closed */
	REFUSE, /* a status that is an error */
};

struct server_queue {
	bool live;
	uint64_t sq, cq;
	unsigned int sq_log2, cq_log2, vector;
	uint32_t head, tail; /* of submission, of completion */
	uint16_t silent[64];
	unsigned int silent_count;
};

/**
 * struct server - what the thread and the test share
 * @mischief: what to do with the next I/O commands; @times of them, then WELL_BEHAVED
 * @spin: never ask for doorbells
 * @doorbells, @resets, @connections: counted
 */
struct server {
	char path[108];
	int listener;
	int fd;
	int stop[2];
	pthread_t thread;
	_Atomic unsigned int mischief;
	_Atomic int times;
	atomic_bool spin;
	atomic_bool no_shadow;
	atomic_bool refuse_version;
	_Atomic unsigned int doorbells, resets, connections, aborts;
	uint8_t *memory;
	size_t memory_size;
	int event[33];
	uint32_t config, status, admin_attr;
	uint64_t admin_sq, admin_cq;
	struct server_queue queue[64];
	uint64_t shadow_host, shadow_device;
	uint32_t contexts;
	uint16_t event_cid;
	bool event_asked;
	uint32_t epoch;
};

/* ---- memory and completions ---- */

static inline void *server_at(struct server *s, uint64_t bus)
{
	if (!s->memory || bus < SHARED_ADDRESS || bus - SHARED_ADDRESS >= s->memory_size)
		return NULL;
	return s->memory + (bus - SHARED_ADDRESS);
}

static inline void server_post_as(struct server *s, unsigned int qid, struct ihsm_cqe *entry)
{
	struct server_queue *q = &s->queue[qid];
	struct ihsm_cqe *ring = server_at(s, q->cq);
	struct ihsm_shadow_host *host = s->shadow_host ? server_at(s, s->shadow_host) : NULL;
	uint64_t half[2];
	uint64_t *slot = (uint64_t *)(void *)&ring[q->tail & ((1U << q->cq_log2) - 1)];

	entry->status = (uint16_t)(entry->status << IHSM_CQE_STATUS_SHIFT |
				   ring_phase(q->tail, q->cq_log2));
	memcpy(half, entry, sizeof(half));
	__atomic_store_n(&slot[0], half[0], __ATOMIC_RELAXED);
	__atomic_store_n(&slot[1], half[1], __ATOMIC_RELEASE);
	q->tail++;
	atomic_thread_fence(memory_order_seq_cst);
	if (qid == 0 || !host ||
	    __atomic_load_n(&host[qid].irq_event, __ATOMIC_RELAXED) == q->tail - 1)
		eventfd_write(s->event[q->vector], 1);
}

static inline void server_post(struct server *s, unsigned int qid, uint16_t cid,
			       unsigned int status, uint32_t result)
{
	struct ihsm_cqe entry = {
		.result = result,
		.sq_head = s->queue[qid].head,
		.sq_id = (uint16_t)qid,
		.cid = cid,
		.status = (uint16_t)status,
	};

	server_post_as(s, qid, &entry);
}

/* ---- commands ---- */

static inline void server_admin(struct server *s, struct ihsm_sqe *c)
{
	struct server_queue *q;
	uint32_t qid = c->arg[0];
	uint64_t id;

	switch (c->opcode) {
	case IHSM_ADMIN_IDENTIFY: {
		struct ihsm_identify *identify = server_at(s, c->out_addr);

		assert_non_null(identify);
		if (!identify)
			return;
		memset(identify, 0, sizeof(*identify));
		strcpy(identify->model, "fake\x01model");
		identify->class_ms[0] = 1000;
		server_post(s, 0, c->cid, IHSM_SC_SUCCESS, sizeof(*identify));
		return;
	}
	case IHSM_ADMIN_CREATE_QUEUE:
		q = &s->queue[qid];
		memset(q, 0, sizeof(*q));
		*q = (struct server_queue){ .live = true,
					    .sq = c->in_addr,
					    .cq = c->out_addr,
					    .sq_log2 = c->arg[1] & 15,
					    .cq_log2 = c->arg[1] >> 8 & 15,
					    .vector = c->arg[2] };
		break;
	case IHSM_ADMIN_SET_SHADOW:
		s->shadow_host = c->in_addr;
		s->shadow_device = c->out_addr;
		break;
	case IHSM_ADMIN_ABORT:
		atomic_fetch_add(&s->aborts, 1);
		for (unsigned int i = 0; i < s->queue[qid].silent_count; i++) {
			if (s->queue[qid].silent[i] != c->arg[1])
				continue;
			server_post(s, 0, c->cid, IHSM_SC_SUCCESS, 1);
			server_post(s, qid, (uint16_t)c->arg[1], IHSM_SC_ABORTED, 0);
			return;
		}
		break;
	case IHSM_ADMIN_ASYNC_EVENT:
		s->event_cid = c->cid;
		s->event_asked = true;
		return;
	case IHSM_ADMIN_CREATE_CONTEXT:
		id = (uint64_t)s->epoch << 32 | ++s->contexts;
		memcpy(server_at(s, c->out_addr), &id, sizeof(id));
		server_post(s, 0, c->cid, IHSM_SC_SUCCESS, sizeof(id));
		return;
	default:
		server_post(s, 0, c->cid, IHSM_SC_INVALID_OPCODE, 0);
		return;
	}
	server_post(s, 0, c->cid, IHSM_SC_SUCCESS, 0);
}

static inline void server_misbehave(struct server *s, unsigned int qid, struct ihsm_sqe *c,
				    enum mischief what)
{
	struct ihsm_cqe entry = { .result = c->in_len,
				  .sq_head = s->queue[qid].head,
				  .sq_id = (uint16_t)qid,
				  .cid = c->cid };

	switch (what) {
	case WRONG_CID:
		entry.cid ^= 1U << 12;
		break;
	case TWICE:
		server_post_as(s, qid, &entry);
		entry.status = 0;
		break;
	case TOO_LONG:
		entry.result = c->out_len + 1;
		break;
	case WRONG_HEAD:
		entry.sq_head += 1;
		break;
	case WRONG_QUEUE:
		entry.sq_id += 1;
		break;
	case SILENT:
		s->queue[qid].silent[s->queue[qid].silent_count++ % 64] = c->cid;
		return;
	case DEAF:
		return;
	case FATAL:
		s->status |= IHSM_STATUS_FATAL;
		if (s->event_asked)
			server_post(s, 0, s->event_cid, IHSM_SC_SUCCESS, IHSM_EVENT_RESET_NEEDED);
		s->event_asked = false;
		return;
	case HANG_UP:
		shutdown(s->fd, SHUT_RDWR);
		return;
	case REFUSE:
		entry.status = IHSM_SC_BUSY;
		break;
	default:
		break;
	}
	server_post_as(s, qid, &entry);
}

static inline void server_io(struct server *s, unsigned int qid, struct ihsm_sqe *c)
{
	const uint8_t *in = server_at(s, c->in_addr);
	uint8_t *out = server_at(s, c->out_addr);

	assert_true(c->opcode == IHSM_IO_MESSAGE && in && out &&
		    (uint32_t)c->context == s->contexts);
	if (atomic_load(&s->times) > 0) {
		atomic_fetch_sub(&s->times, 1);
		server_misbehave(s, qid, c, atomic_load(&s->mischief));
		return;
	}
	memcpy(out, in, c->in_len);
	server_post(s, qid, c->cid, IHSM_SC_SUCCESS, c->in_len);
}

/* Run what a queue holds up to @tail. */
static inline bool server_queue_run(struct server *s, unsigned int qid, uint32_t tail)
{
	struct server_queue *q = &s->queue[qid];
	struct ihsm_sqe *ring = server_at(s, q->sq);
	bool any = false;

	if (!q->live || !ring)
		return false;
	assert_true(tail - q->head <= 1U << q->sq_log2);
	while (q->live && q->head != tail) {
		struct ihsm_sqe entry;

		memcpy(&entry, &ring[q->head & ((1U << q->sq_log2) - 1)], sizeof(entry));
		q->head++;
		if (qid == 0)
			server_admin(s, &entry);
		else
			server_io(s, qid, &entry);
		any = true;
	}
	return any;
}

static inline bool server_run_shadow(struct server *s)
{
	struct ihsm_shadow_host *host = s->shadow_host ? server_at(s, s->shadow_host) : NULL;
	bool any = false;

	for (unsigned int qid = 1; host && qid < 64; qid++) {
		if (s->queue[qid].live)
			any = server_queue_run(s, qid,
					       __atomic_load_n(&host[qid].sq_tail,
							       __ATOMIC_ACQUIRE)) ||
			      any;
	}
	return any;
}

static inline void server_arm(struct server *s, bool wanted)
{
	struct ihsm_shadow_device *device = s->shadow_device ? server_at(s, s->shadow_device)
							     : NULL;

	for (unsigned int qid = 1; device && qid < 64; qid++) {
		if (s->queue[qid].live)
			__atomic_store_n(&device[qid].sq_event, s->queue[qid].head - !wanted,
					 __ATOMIC_RELAXED);
	}
	atomic_thread_fence(memory_order_seq_cst);
}

/* ---- registers ---- */

static inline void server_off(struct server *s)
{
	memset(s->queue, 0, sizeof(s->queue));
	s->shadow_host = 0;
	s->shadow_device = 0;
	s->status = 0;
	s->config = 0;
	s->event_asked = false;
	s->epoch++;
}

static inline uint64_t server_register(struct server *s, uint64_t offset)
{
	switch (offset) {
	case IHSM_REG_CAP:
		return 12 | 4 << IHSM_CAP_MAX_QUEUES_SHIFT | 10 << IHSM_CAP_TIMEOUT_SHIFT |
		       64 << IHSM_CAP_DMA_BITS_SHIFT | 8ULL << IHSM_CAP_VECTORS_SHIFT |
		       (atomic_load(&s->no_shadow) ? 0 : IHSM_CAP_SHADOW);
	case IHSM_REG_VERSION:
		return IHSM_VERSION;
	case IHSM_REG_STATUS:
		return s->status;
	default:
		return 0;
	}
}

static inline void server_write_register(struct server *s, uint64_t offset, uint64_t value)
{
	if (offset >= IHSM_DOORBELL_OFFSET) {
		unsigned int index = (unsigned int)(offset - IHSM_DOORBELL_OFFSET) / 4;

		if (index % 2)
			return;
		atomic_fetch_add(&s->doorbells, index != 0);
		if (index == 0 || !s->shadow_host)
			server_queue_run(s, index / 2, (uint32_t)value);
		return;
	}
	if (offset == IHSM_REG_ADMIN_ATTR)
		s->admin_attr = (uint32_t)value;
	else if (offset == IHSM_REG_ADMIN_SQ)
		s->admin_sq = value;
	else if (offset == IHSM_REG_ADMIN_CQ)
		s->admin_cq = value;
	else if (offset == IHSM_REG_RESET && value == IHSM_RESET_MAGIC) {
		atomic_fetch_add(&s->resets, 1);
		server_off(s);
	} else if (offset == IHSM_REG_CONFIG && value & IHSM_CONFIG_ENABLE) {
		s->queue[0] = (struct server_queue){ .live = true,
						     .sq = s->admin_sq,
						     .cq = s->admin_cq,
						     .sq_log2 = s->admin_attr & 15,
						     .cq_log2 = s->admin_attr >> 8 & 15 };
		s->status = IHSM_STATUS_READY;
	}
}

/* ---- messages ---- */

static inline void server_reply(struct server *s, struct vfio_user_header *h, const void *body,
				size_t length)
{
	uint8_t message[4096];

	h->size = (uint32_t)(sizeof(*h) + length);
	h->flags = VFIO_USER_TYPE_REPLY;
	memcpy(message, h, sizeof(*h));
	if (length)
		memcpy(message + sizeof(*h), body, length);
	if (send(s->fd, message, h->size, MSG_NOSIGNAL) < 0)
		return;
}

static inline void server_access(struct server *s, struct vfio_user_header *h, uint8_t *body)
{
	struct vfio_user_region_access access;
	uint64_t value = 0;

	memcpy(&access, body, sizeof(access));
	if (h->command == VFIO_USER_REGION_WRITE) {
		memcpy(&value, body + sizeof(access), access.count);
		if (access.region == VFIO_PCI_BAR0_REGION_INDEX)
			server_write_register(s, access.offset, value);
		if (!(h->flags & VFIO_USER_FLAG_NO_REPLY))
			server_reply(s, h, &access, sizeof(access));
		return;
	}
	value = access.region == VFIO_PCI_BAR0_REGION_INDEX
			? server_register(s, access.offset)
			: IHSM_PCI_VENDOR_ID | IHSM_PCI_DEVICE_ID_VF << 16;
	memcpy(body + sizeof(access), &value, access.count);
	server_reply(s, h, body, sizeof(access) + access.count);
}

static inline void server_handle(struct server *s, struct vfio_user_header *h, uint8_t *body,
				 const int *fds, unsigned int fd_count)
{
	struct vfio_user_version version = { .major = atomic_load(&s->refuse_version) ? 9 : 0,
					     .minor = 1 };
	struct vfio_user_dma_map map;
	uint64_t size = IHSM_BAR_REGS_SIZE;

	switch (h->command) {
	case VFIO_USER_VERSION:
		server_reply(s, h, &version, sizeof(version));
		return;
	case VFIO_USER_DMA_MAP:
		memcpy(&map, body, sizeof(map));
		assert_int_equal(fd_count, 1);
		s->memory_size = map.size;
		s->memory = mmap(NULL, map.size, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0],
				 (off_t)map.offset);
		close(fds[0]);
		break;
	case VFIO_USER_SET_IRQS:
		for (unsigned int i = 0; i < fd_count; i++)
			s->event[i] = fds[i];
		break;
	case VFIO_USER_DEVICE_GET_INFO:
		((struct vfio_user_device_info *)(void *)body)->regions = 9;
		server_reply(s, h, body, sizeof(struct vfio_user_device_info));
		return;
	case VFIO_USER_GET_REGION_INFO:
		memcpy(body + offsetof(struct vfio_user_region_info, size), &size, sizeof(size));
		server_reply(s, h, body, sizeof(struct vfio_user_region_info));
		return;
	case VFIO_USER_REGION_READ:
	case VFIO_USER_REGION_WRITE:
		server_access(s, h, body);
		return;
	default:
		break;
	}
	server_reply(s, h, NULL, 0);
}

/* One message. Return: false when the client has gone. */
static inline bool server_message(struct server *s)
{
	union {
		char room[CMSG_SPACE(16 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct vfio_user_header h = { 0 };
	struct iovec iov = { .iov_base = &h, .iov_len = sizeof(h) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.room,
			      .msg_controllen = sizeof(control) };
	uint8_t body[4096] __attribute__((aligned(8)));
	unsigned int count = 0;
	int fds[16];

	if (recvmsg(s->fd, &msg, MSG_WAITALL | MSG_CMSG_CLOEXEC) != sizeof(h))
		return false;
	if (CMSG_FIRSTHDR(&msg)) {
		count = (unsigned int)((CMSG_FIRSTHDR(&msg)->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&msg)), count * sizeof(int));
	}
	if (h.size > sizeof(h) &&
	    recv(s->fd, body, h.size - sizeof(h), MSG_WAITALL) != (ssize_t)(h.size - sizeof(h)))
		return false;
	server_handle(s, &h, body, fds, count);
	return true;
}

static inline void server_drop(struct server *s)
{
	close(s->fd);
	s->fd = -1;
	if (s->memory)
		munmap(s->memory, s->memory_size);
	s->memory = NULL;
	for (unsigned int i = 0; i < ARRAY_SIZE(s->event); i++) {
		if (s->event[i] >= 0)
			close(s->event[i]);
		s->event[i] = -1;
	}
	server_off(s);
}

static inline void *server_main(void *arg)
{
	struct server *s = arg;

	for (;;) {
		struct pollfd fds[] = {
			{ .fd = s->stop[0], .events = POLLIN },
			{ .fd = s->fd >= 0 ? s->fd : s->listener, .events = POLLIN },
		};
		bool spin = atomic_load(&s->spin);

		server_arm(s, !spin);
		poll(fds, 2, server_run_shadow(s) || (spin && s->fd >= 0) ? 0 : -1);
		if (fds[0].revents)
			break;
		if (!fds[1].revents)
			continue;
		if (s->fd < 0) {
			s->fd = accept(s->listener, NULL, NULL);
			atomic_fetch_add(&s->connections, 1);
		} else if (!server_message(s)) {
			server_drop(s);
		}
	}
	if (s->fd >= 0)
		server_drop(s);
	return NULL;
}

static inline struct server *server_start(void)
{
	struct server *s = calloc(1, sizeof(*s));
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	static int count;

	assert_non_null(s);
	if (!s)
		return NULL;
	snprintf(s->path, sizeof(s->path), "%s/fake-%d-%d.sock",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", getpid(), ++count);
	strcpy(address.sun_path, s->path);
	s->fd = -1;
	for (unsigned int i = 0; i < ARRAY_SIZE(s->event); i++)
		s->event[i] = -1;
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(s->listener, 8), 0);
	assert_int_equal(pipe(s->stop), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, server_main, s), 0);
	return s;
}

static inline void server_stop(struct server *s)
{
	close(s->stop[1]);
	pthread_join(s->thread, NULL);
	close(s->stop[0]);
	close(s->listener);
	unlink(s->path);
	free(s);
}

#endif /* FAKE_SERVER_H */
