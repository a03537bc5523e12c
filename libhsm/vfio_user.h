/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vfio-user transport inside: socket.c speaks the protocol, memory.c lays out what is shared,
 * queue.c moves entries, controller.c brings the device up and resets it, vfio_user.c is the
 * transport.
 *
 * Locks, outer first: admin, transaction, send; queue.lock is taken alone, or inside admin when a
 * lost device is taken down. Nobody holds queue.lock over a system call that can block, unless
 * the device lacks shadow doorbells: then the doorbell is rung inside.
 */
#ifndef LIBHSM_VFIO_USER_H
#define LIBHSM_VFIO_USER_H

#include <hsm/vfio_user.h>
#include "transport.h"

#define QUEUES_MAX	8		/* I/O queue pairs that this library uses */
#define SQ_LOG2		6
#define SQ_ENTRIES	(1U << SQ_LOG2)
#define CQ_LOG2		7		/* twice as many: the completion ring is never full */
#define CQ_ENTRIES	(1U << CQ_LOG2)
#define SLOT_ROOM	(72 * 1024)	/* HSM_MESSAGE_MAX in whole pages */
#define ADMIN_LOG2	4
#define ADMIN_ENTRIES	(1U << ADMIN_LOG2)
#define SHARED_ADDRESS	0x10000000ULL	/* bus address; below 4 GiB for devices of 32 bits */

_Static_assert(SLOT_ROOM >= HSM_MESSAGE_MAX, "a slot takes any message");

/* ---- socket.c ---- */

/**
 * struct wire_socket - a connection
 * @fd: -1 when it is closed. Replaced only by @recover, with both locks held.
 * @transaction: a request and its reply
 * @send: one whole message
 */
struct wire_socket {
	int fd;
	uint16_t next_id;
	pthread_mutex_t transaction;
	pthread_mutex_t send;
};

void wire_init(struct wire_socket *socket);
void wire_destroy(struct wire_socket *socket);

/* wire_attach - use this connection from now on, closing the former one. @fd -1: only close. */
void wire_attach(struct wire_socket *socket, int fd);

/*
 * wire_version - agree on the protocol's version. Return: 0, -EPROTO, -ENODEV when the peer
 * closed.
 */
int wire_version(struct wire_socket *socket, struct hsm_error *error);

/**
 * wire_call - send a command and wait for its reply
 * @body: request, @length bytes, its descriptors in @fds
 * @reply: the reply's body, exactly @reply_length bytes
 *
 * Return: 0, the peer's error as negative errno, -ENODEV when the peer is
 * gone, -ETIMEDOUT when it is silent; the connection is of no use then.
 */
int wire_call(struct wire_socket *socket, unsigned int command, const void *body, size_t length,
	      const int *fds, unsigned int fd_count, void *reply, size_t reply_length);

int wire_read(struct wire_socket *socket, unsigned int region, uint64_t offset, void *data,
	      uint32_t size);
int wire_write(struct wire_socket *socket, unsigned int region, uint64_t offset, const void *data,
	       uint32_t size);

/* wire_post - a register write that is not answered. Any thread. Return: 0 or -ENODEV. */
int wire_post(struct wire_socket *socket, uint64_t offset, uint32_t value);

/* ---- memory.c ---- */

/**
 * struct shared - one sealed memfd, mapped by us and by the device
 *
 * Untrusted: the device may write any of it at any time. It keeps its place for the life of the
 * transport, so that a thread may always copy into its slot, whatever becomes of the device.
 */
struct shared {
	int fd;
	uint8_t *base;
	size_t size;
};

int shared_init(struct shared *shared, unsigned int queues);

/*
 * shared_destroy - @forked: the mapping is not this process's, its place may be somebody else's
 * by now
 */
void shared_destroy(struct shared *shared, bool forked);

/* Where things are in it, as offsets; the bus address is SHARED_ADDRESS further on. */
enum {
	SHARED_ADMIN_SQ		= 0x0000,
	SHARED_ADMIN_CQ		= 0x1000,
	SHARED_ADMIN_DATA	= 0x2000,
	SHARED_SHADOW_HOST	= 0x3000,
	SHARED_SHADOW_DEVICE	= 0x4000,
	SHARED_QUEUES		= 0x5000,
};

/* In each queue's part */
enum {
	QUEUE_SQ		= 0x0000,
	QUEUE_CQ		= 0x1000,
	QUEUE_SLOTS		= 0x2000,
	QUEUE_STRIDE		= QUEUE_SLOTS + SQ_ENTRIES * 2 * SLOT_ROOM,
};

static inline size_t queue_offset(unsigned int index)
{
	return SHARED_QUEUES + (size_t)index * QUEUE_STRIDE;
}

static inline size_t slot_offset(unsigned int index, unsigned int slot)
{
	return queue_offset(index) + QUEUE_SLOTS + (size_t)slot * 2 * SLOT_ROOM;
}

/* ---- queue.c ---- */

/**
 * struct slot - an entry's buffers, and whose they are
 * @transfer: of the command in the device, or NULL
 * @serial: in the cid's upper bits, so that a stale completion is not taken for a new one
 */
struct slot {
	struct transfer *transfer;
	uint16_t serial;
	bool in_device;
};

/**
 * struct queue - an I/O queue pair
 * @lock: of everything below down to @free
 * @cq_head: also read without the lock, to look whether a completion may be there
 * @cq_told: the head that the device was told last
 * @free, @free_count: stack of free slots; the last used is the warmest
 * @waits: for which spinning was not expected to be worth it
 * @leader: a thread sleeps on @event and will hand out what comes
 * @leader_any: the leader waits for any end, not for that of a command of its own
 * @event: eventfd of the queue's vector
 * @ends: counts transfers that ended; threads that wait for a free slot sleep on it
 * @crowd: how many they are
 */
struct queue {
	pthread_mutex_t lock;
	unsigned int index;
	struct ihsm_sqe *sq;
	struct ihsm_cqe *cq;
	struct ihsm_shadow_host *shadow_host;
	struct ihsm_shadow_device *shadow_device;
	uint32_t sq_tail;
	_Atomic uint32_t cq_head;
	uint32_t cq_told;
	struct slot slot[SQ_ENTRIES];
	uint16_t free[SQ_ENTRIES];
	unsigned int free_count;
	_Atomic uint32_t waits;
	atomic_bool leader;
	atomic_bool leader_any;
	int event;
	_Atomic uint32_t ends;
	atomic_int crowd;
} __attribute__((aligned(64)));

struct vfio_user;

void queue_init(struct vfio_user *vu, unsigned int index);

/*
 * queue_start - empty rings, for a device that has just been brought up. All slots are free
 * then.
 */
void queue_start(struct vfio_user *vu, struct queue *queue);

int queue_submit(struct vfio_user *vu, struct transfer *transfer, struct hsm_error *error);

/*
 * queue_reap - hand out completions. Return: how many, or -EPROTO when the device wrote
 * nonsense.
 */
int queue_reap(struct vfio_user *vu, struct queue *queue);

void queue_wait(struct vfio_user *vu, struct transfer *transfer);

/* queue_fail_all - end everything in the queue with @result; the device is not there any more */
void queue_fail_all(struct vfio_user *vu, struct queue *queue, int result);

/* queue_enforce - abort what takes too long; when that does not help, the device is lost */
void queue_enforce(struct vfio_user *vu, struct queue *queue);

/* queue_arm - raise the event with the next completion. Return: true when one is there already. */
bool queue_arm(struct queue *queue);

/*
 * ring_wants - is the entry with index @event among those from @from up to, not including, @to?
 * Free-running.
 */
static inline bool ring_wants(uint32_t event, uint32_t from, uint32_t to)
{
	return (uint32_t)(event - from) < (uint32_t)(to - from);
}

/* ring_phase - phase of a completion ring's entry @index on the pass that it belongs to */
static inline unsigned int ring_phase(uint32_t index, unsigned int log2)
{
	return (index >> log2 & 1) ? 0 : IHSM_CQE_PHASE;
}

/* ---- controller.c ---- */

/* controller_connect - agree with a newly connected device on memory and interrupts */
int controller_connect(struct vfio_user *vu, struct hsm_error *error);

/* controller_start - from a device that is off to one that runs, with a new context */
int controller_start(struct vfio_user *vu, struct hsm_error *error);

/* controller_reset - stop everything in the device; its memory is not touched afterwards */
int controller_reset(struct vfio_user *vu, struct hsm_error *error);

/* controller_abort - ask for the end of a command. Return: 0 or a negative errno. */
int controller_abort(struct vfio_user *vu, unsigned int queue, unsigned int cid);

/* controller_alive - one look at the status register */
bool controller_alive(struct vfio_user *vu);

/* controller_events - take up events that came. Return: true when the device asks for a reset. */
bool controller_events(struct vfio_user *vu);

/* ---- vfio_user.c ---- */

/**
 * struct vfio_user - the transport
 * @name: to connect again
 * @admin: lock of the admin queue and of bringing the device up and down
 * @waiters: threads that wait now, over all queues
 * @spinners: those of them that spin
 * @spin_ns: longest spin; 0: never
 * @armed: an event loop waits on @loop
 * @notify: eventfd that tells the event loop what another thread found
 * @changed: eventfd: an event about partitions has come
 * @tick: timer that has the event loop look after the device while commands are on their way
 * @loop: epoll descriptor of @notify, @tick and all queues' events
 * @looked_ms: when the event loop did so last
 */
struct vfio_user {
	struct transport transport;
	struct device_name name;
	bool start;
	struct wire_socket socket;
	struct shared shared;

	pthread_mutex_t admin;
	uint32_t admin_tail;
	uint32_t admin_head;
	uint16_t admin_cid;
	bool event_asked;
	int admin_event;
	uint64_t cap;
	uint64_t context;
	bool shadow;
	struct ihsm_identify identify;

	unsigned int cpus;
	atomic_int waiters;
	atomic_int spinners;
	uint32_t spin_ns;
	atomic_bool armed;
	int notify;
	int changed;
	int tick;
	int loop;
	_Atomic uint64_t looked_ms;

	unsigned int queues;
	struct queue queue[QUEUES_MAX];
};

/*
 * vfio_user_lost - the device cannot be used as it is: end everything, once. Any thread, no
 * lock held.
 */
void vfio_user_lost(struct vfio_user *vu, int result);

static inline struct vfio_user *to_vfio_user(struct transport *transport)
{
	return (struct vfio_user *)((char *)transport - offsetof(struct vfio_user, transport));
}

#endif /* LIBHSM_VFIO_USER_H */
