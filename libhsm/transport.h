/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What carries messages between libhsm and a device. Everything above this header is the same for
 * all transports; a transport knows nothing of channels, and sees sealed bytes.
 */
#ifndef LIBHSM_TRANSPORT_H
#define LIBHSM_TRANSPORT_H

#include <stdatomic.h>
#include "internal.h"

struct transport;

/* struct transfer.state; waiters sleep on it with futex(2) */
enum transfer_state {
	TRANSFER_IDLE		= 0,
	TRANSFER_PENDING	= 1,	/* in the device */
	TRANSFER_SLEEPING	= 2,	/* likewise, and its waiter sleeps */
	TRANSFER_LEAD		= 3,	/* likewise, and its waiter was woken to lead */
	TRANSFER_DONE		= 4,
	TRANSFER_POLLING	= 5,	/* in the device, its waiter sleeps on the transport's event */
};

/**
 * struct transfer - one message on its way
 * @in: message, private memory, not touched until the transfer has ended
 * @out: room for the answer, private memory
 * @instance: of the transport that the message was made for; on another it is not sent
 * @limit_ms: a transfer that takes longer is aborted
 * @time_class: enum ihsm_time_class that the limit follows from, for a transport that leaves it to
 *	the kernel
 * @spin: adaptive spin budget of this kind of command in nanoseconds, or NULL; shared by threads
 * @notify: an event loop waits: whoever finds the end wakes it
 * @ended: called once, by whatever thread finds the end, before @state says so; may be NULL. It
 * 	must not block.
 * @state: enum transfer_state
 * @result: 0: the device answered, see @status; or a negative errno
 * @status: enum ihsm_status
 * @out_length: bytes at @out
 * @timed_out: it was ended by force
 * @unsent: with a @result: the device has never seen it
 * @queue: which of the device's queues to prefer, any number
 * @slot, @started_ms, @next: the transport's
 */
struct transfer {
	const uint8_t *in;
	size_t in_length;
	uint8_t *out;
	size_t out_capacity;
	uint32_t instance;
	unsigned int limit_ms;
	unsigned int time_class;
	_Atomic uint32_t *spin;
	bool notify;
	void (*ended)(struct transfer *transfer);

	_Atomic uint32_t state;
	int result;
	unsigned int status;
	size_t out_length;
	bool timed_out;
	bool unsent;

	unsigned int queue;
	unsigned int slot;
	uint64_t started_ms;
	struct transfer *next;
};

#define TRANSPORT_EVENT_FDS 3

/**
 * struct transport_ops - a handful of operations
 * @submit: hand a transfer to the device. Waits while the rings are full. Return: 0, or -ECONNRESET
 *	and the like when nothing was handed over
 * @wait: until the transfer has ended, by itself or by force. Never fails.
 * @poll: hand out what has ended. Does not block.
 * @poll_fd: descriptor for event loops
 * @poll_arm: from now on the descriptor becomes readable
 * @event_fds: descriptors that become readable when the device has an event to tell; at most
 *	TRANSPORT_EVENT_FDS. Return: their number
 * @event_take: after that: has something happened to the partitions, or was the device lost? Does not
 *	block.
 * @recover: after @lost was seen: reset or connect again, with a new context. The caller holds
 * 	the device's lock.
 * @abandon: the context is of no use any more; what is on its way ends, and @recover makes another
 * @info: identity and state; the caller holds the device's lock
 * @close: end and free. @forked: in a child, leave everything alone that the parent shares
 */
struct transport_ops {
	int (*submit)(struct transport *transport, struct transfer *transfer,
		      struct hsm_error *error);
	void (*wait)(struct transport *transport, struct transfer *transfer);
	void (*poll)(struct transport *transport);
	int (*poll_fd)(struct transport *transport);
	int (*poll_arm)(struct transport *transport);
	unsigned int (*event_fds)(struct transport *transport, int *fds);
	bool (*event_take)(struct transport *transport);
	int (*recover)(struct transport *transport, struct hsm_error *error);
	void (*abandon)(struct transport *transport);
	int (*info)(struct transport *transport, struct hsm_device_info *info,
		    struct hsm_error *error);
	void (*close)(struct transport *transport, bool forked);
};

/**
 * struct transport - common part of every transport
 * @instance: number of the present context of the device; moves on when it is lost
 * @lost: nothing can be submitted until @recover
 * @epoch: of the context, part of a channel's keys
 * @own: the peer is the caller's own process: pinning on first use is allowed
 * @class_ms: longest time of each time class
 * @board_id: of the board, as it says
 */
struct transport {
	const struct transport_ops *ops;
	_Atomic uint32_t instance;
	atomic_bool lost;
	uint32_t epoch;
	bool own;
	uint32_t class_ms[IHSM_TIME_CLASSES];
	uint8_t board_id[16];
};

/**
 * vfio_user_open - connect to a device's socket and bring it up
 * @name: NAME_VFIO_USER, or NAME_EMBEDDED, whose board is started when @start
 *
 * Return: 0, -ENODEV when nobody listens, -EACCES, -EPROTO, -ENOMEM, -ETIMEDOUT.
 */
int vfio_user_open(const struct device_name *name, bool start, struct transport **transport,
		   struct hsm_error *error);

/**
 * driver_open - open a device of the kernel driver
 * @name: NAME_DRIVER
 * @admin: only function 0 of a board will do
 *
 * Its peer may be anybody's board: nothing is believed on first use (trust.h).
 * Return: 0, -ENODEV, -EACCES, -EINVAL when it is not function 0, -EPROTO, -EBUSY, -ETIMEDOUT when
 * a reset does not end, -ENOMEM.
 */
int driver_open(const struct device_name *name, bool admin, struct transport **transport,
		struct hsm_error *error);

/*
 * transport_spin_us - for how many microseconds a waiter may look for its answer before it sleeps, as
 * HSM_SPIN_US says, or @otherwise
 */
unsigned long transport_spin_us(unsigned long otherwise);

/* identify_to_info - what a device says of itself, as callers are told; text is made printable */
void identify_to_info(const struct ihsm_identify *identify, struct hsm_device_info *info);

/**
 * embedded_connect - socket connected to an embedded board's function
 * @start: start the board when it does not run
 *
 * Return: the socket, or -ENODEV, -EACCES, -ENAMETOOLONG, -ETIMEDOUT; the sentence names the
 * board's log.
 */
int embedded_connect(const struct device_name *name, bool start, struct hsm_error *error);

/*
 * socket_connect - connected stream socket, or a negative errno; @path may be longer than
 * sun_path
 */
int socket_connect(const char *path);

/*
 * transfer_end - publish a transfer's end and wake its waiter. The fields beside state are set
 * already. Return: the state before; to wake a waiter that was TRANSFER_POLLING is the transport's.
 */
uint32_t transfer_end(struct transfer *transfer);

static inline bool transfer_done(struct transfer *transfer)
{
	return atomic_load_explicit(&transfer->state, memory_order_acquire) == TRANSFER_DONE;
}

#endif /* LIBHSM_TRANSPORT_H */
