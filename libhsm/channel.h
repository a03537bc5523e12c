/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels and requests inside. A channel is what the application holds; a link is what it
 * consists of now: the keys of one handshake in one context. A link that is lost or worn out is
 * replaced by another.
 */
#ifndef LIBHSM_CHANNEL_H
#define LIBHSM_CHANNEL_H

#include <hsm/seal.h>
#include "transport.h"

#define LINK_MESSAGES_MAX	(1ULL << 24)	/* RFC 8446, 5.5, with room to spare */
#define LINK_BYTES_MAX		(64ULL << 30)

/**
 * struct link - keys of one handshake
 * @device: whose link it is
 * @refs: the channel's, and one for each request that was sealed with it
 * @id: channel id in the device
 * @instance: of the transport; in another the keys are of no use
 * @identity: that was proven, SHA-256 of the key in the certificate
 * @dead: the device does not know it any more, or it must not be used
 * @sequence: next number; drawn once and used once
 * @bytes: sealed so far
 * @inside: requests between drawing a number and their end
 * @floor: every message below it has been opened by the device
 * @stage: by sequence modulo the window: how far that message has come, see request.c
 */
struct link {
	struct hsm_device *device;
	atomic_uint refs;
	struct hsm_seal *seal;
	uint32_t id;
	uint32_t instance;
	uint8_t identity[HSM_IDENTITY_SIZE];
	atomic_bool dead;
	_Atomic uint64_t sequence;
	_Atomic uint64_t bytes;
	atomic_int inside;
	_Atomic uint64_t floor;
	_Atomic uint64_t stage[HSM_SEQUENCE_WINDOW];
};

/**
 * link_new - run the handshake of a new channel
 * @device: ready
 *
 * Return: 0 with one reference in @link, or -EKEYREJECTED, -ECONNRESET, -EPROTO, -ENODEV ...
 */
int link_new(struct hsm_device *device, const uint8_t partition[HSM_PARTITION_ID_SIZE],
	     struct link **link, struct hsm_error *error);
void link_put(struct link *link);

/**
 * struct hsm_channel - what an application holds
 * @lock: of @link, @replacing and @generation
 * @changed: @replacing has ended
 * @link: NULL: lost, and made anew with the next command that needs no session
 * @stale: the link before, when the device may still have it; closed there before the next is made
 * @replacing: one thread makes a new link; the others wait
 * @generation: counts links that were lost with their sessions
 * @pool_lock, @pool, @requests: requests that are free, and how many were made
 * @spin: how long to spin for each operation, by its code's low byte
 * @max_messages, @max_bytes: limits of one link
 */
struct hsm_channel {
	struct hsm_device *device;
	uint8_t partition[HSM_PARTITION_ID_SIZE];
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct link *link;
	struct link *stale;
	bool replacing;
	atomic_uint generation;
	pthread_mutex_t pool_lock;
	struct hsm_request *pool;
	unsigned int requests;
	uint64_t max_messages;
	uint64_t max_bytes;
	_Atomic uint32_t spin[256];
};

enum request_state {
	REQUEST_NEW	= 0,	/* fields are being written */
	REQUEST_SENT	= 1,
	REQUEST_ENDED	= 2,
};

/* What became of a request that did not succeed, as far as it matters for sending it again */
enum request_fate {
	FATE_FINAL	= 0,	/* the error stands */
	FATE_NOT_SENT	= 1,	/* the device never saw it */
	FATE_LOST	= 2,	/* it went with the link; whether it was executed is not known */
	FATE_GARBLED	= 3,	/* message or answer were damaged on the way; the link is fine */
};

/**
 * struct hsm_request - one command
 * @generation: of the channel when it was made; a session is of no use in a later one
 * @message: header, command header, fields, tag; sealed in place when it is sent
 * @response: likewise for the answer
 * @length: of @message once sealed
 * @room: of @response, that the device is told
 * @failed: error of the preparation, reported when it is sent
 */
struct hsm_request {
	struct transfer transfer;
	struct hsm_channel *channel;
	const struct hsm_operation_info *info;
	struct link *link;
	uint32_t session;
	unsigned int queue; /* for commands without a session */
	unsigned int generation;
	enum request_state state;
	enum request_fate fate;
	struct hsm_writer writer;
	uint8_t *message;
	uint8_t *response;
	size_t length;
	size_t room;
	uint64_t sequence;
	uint64_t rv;
	bool approved;
	bool again;
	uint32_t answered_session;
	struct hsm_fields fields;
	struct hsm_request *next;
};

/* ---- request.c ---- */

/* request_get - hsm_request_new() by table row */
struct hsm_request *request_get(struct hsm_channel *channel, const struct hsm_operation_info *info,
				uint32_t session);

/**
 * request_start - seal a request with a link and submit it
 * @link: with a reference and one count of @inside for this request; both are given back when it
 * 	ends
 */
int request_start(struct hsm_request *request, struct link *link, struct hsm_error *error);

/* request_finish - wait for the answer and open it. request->fate says what an error means. */
int request_finish(struct hsm_request *request, struct hsm_error *error);

/* request_reopen - make a request that was sealed ready to be sent once more */
int request_reopen(struct hsm_request *request);

/* request_pool_free - free all requests of a channel */
void request_pool_free(struct hsm_channel *channel);

/* ---- channel.c ---- */

/**
 * channel_enter - get the link for a request, replacing it when it has to be
 *
 * Return: 0 with a reference and a count of @inside; -ECONNRESET when the request's session is
 * gone; or why there is no link.
 */
int channel_enter(struct hsm_channel *channel, struct hsm_request *request, struct link **link,
		  struct hsm_error *error);

#endif /* LIBHSM_CHANNEL_H */
