// SPDX-License-Identifier: Apache-2.0
/*
 * The handshake of a channel: TLS 1.3 by libssl, its records carried in messages
 * (Documentation/commands.rst, "Channel"). What comes out is a link with the keys of both
 * directions.
 */
#include <errno.h>
#include <stdlib.h>
#include <openssl/err.h>
#include "channel.h"
#include "trust.h"

#define FLIGHTS_MAX 8

/**
 * struct handshake - one in progress
 * @wire_in, @wire_out: libssl's ends
 * @buffer: for request and response, HSM_MESSAGE_MAX bytes each
 * @channel: id that the device gave
 * @finished: the device says that its side is complete
 * @resumed: identity of the session that was offered
 */
struct handshake {
	struct hsm_device *device;
	const uint8_t *partition;
	uint32_t instance;
	SSL *ssl;
	BIO *wire_in;
	BIO *wire_out;
	uint8_t *buffer;
	uint32_t channel;
	bool finished;
	uint8_t resumed[IDENTITY_HASH_SIZE];
	struct identity_check check;
	struct hsm_error *error;
};

static int setup(struct handshake *hs)
{
	hs->buffer = malloc(2 * HSM_MESSAGE_MAX);
	hs->ssl = SSL_new(hs->device->trust->tls);
	hs->wire_in = BIO_new(BIO_s_mem());
	hs->wire_out = BIO_new(BIO_s_mem());
	if (!hs->buffer || !hs->ssl || !hs->wire_in || !hs->wire_out ||
	    trust_attach(hs->ssl, &hs->check)) {
		BIO_free(hs->wire_in);
		BIO_free(hs->wire_out);
		return set_error(hs->error, -ENOMEM, HSM_LAYER_SYSTEM, "out of memory");
	}
	SSL_set_bio(hs->ssl, hs->wire_in, hs->wire_out);
	SSL_set_connect_state(hs->ssl);
	resume_offer(&hs->check, hs->ssl, hs->resumed);
	return 0;
}

/*
 * Let libssl go as far as it can with what came. Return: 1 when its side is complete, 0 when it
 * wants more.
 */
static int step(struct handshake *hs)
{
	unsigned long code;
	int n, reason;

	ERR_clear_error();
	n = SSL_do_handshake(hs->ssl);
	if (n == 1) {
		/* No certificates then: who it is was proven when the session began. */
		if (SSL_session_reused(hs->ssl))
			memcpy(hs->check.hash, hs->resumed, IDENTITY_HASH_SIZE);
		return 1;
	}
	reason = SSL_get_error(hs->ssl, n);
	if (reason == SSL_ERROR_WANT_READ)
		return 0;
	code = ERR_get_error();
	ERR_clear_error();
	if (hs->check.failed)
		return hs->check.failed;
	return set_error(hs->error, -EPROTO, HSM_LAYER_CHANNEL,
			 "the channel's handshake failed: %s",
			 code ? ERR_reason_error_string(code) : "no reason given");
}

static void put_records(struct handshake *hs, struct hsm_writer *writer)
{
	char *data;
	long length = BIO_get_mem_data(hs->wire_out, &data);

	if (length > 0)
		hsm_put_bytes(writer, HSM_FIELD_TLS, data, (size_t)length);
	(void)BIO_reset(hs->wire_out);
}

/* Send what libssl has written, and feed it with the answer. */
static int exchange(struct handshake *hs, bool done)
{
	const size_t head = sizeof(struct hsm_message_header);
	uint8_t *response = hs->buffer + HSM_MESSAGE_MAX;
	struct hsm_writer writer;
	struct hsm_fields fields;
	const uint8_t *records;
	uint32_t channel;
	size_t length;
	int n;

	hsm_writer_init(&writer, hs->buffer + head, HSM_MESSAGE_MAX - head);
	if (hs->channel == 0)
		hsm_put_bytes(&writer, HSM_FIELD_PARTITION, hs->partition, HSM_PARTITION_ID_SIZE);
	put_records(hs, &writer);
	if (done)
		hsm_put_u32(&writer, HSM_FIELD_DONE, 1);
	if (writer.error)
		return set_error(hs->error, writer.error, HSM_LAYER_CHANNEL,
				 "the handshake does not fit a message");
	message_header(hs->buffer, HSM_MESSAGE_HANDSHAKE, hs->channel, 0, writer.length);
	n = device_exchange(hs->device, hs->instance, hs->buffer, head + writer.length, response,
			    "opening the channel", hs->error);
	if (n < 0)
		return n;
	channel = hsm_get_le32(response + offsetof(struct hsm_message_header, channel));
	if (channel == 0 || (hs->channel && channel != hs->channel) ||
	    hsm_fields_parse(&fields, response + head, (size_t)n - head))
		return set_error(hs->error, -EPROTO, HSM_LAYER_CHANNEL,
				 "opening the channel: the answer is malformed");
	hs->channel = channel;
	hs->finished = hsm_fields_u64(&fields, HSM_FIELD_DONE, 0) == 1;
	records = hsm_fields_bytes(&fields, HSM_FIELD_TLS, &length);
	if (length > 0 && BIO_write(hs->wire_in, records, (int)length) != (int)length)
		return set_error(hs->error, -ENOMEM, HSM_LAYER_SYSTEM, "out of memory");
	return 0;
}

/*
 * libssl has written an alert, with which the device ends its side too. What it answers changes
 * nothing.
 */
static void give_up(struct handshake *hs)
{
	struct hsm_error *error = hs->error;

	hs->error = NULL;
	if (hs->channel)
		exchange(hs, false);
	hs->error = error;
}

/* With its last records the device has sent a ticket, for another time. */
static void take_ticket(struct handshake *hs)
{
	char nothing;

	ERR_clear_error();
	if (SSL_read(hs->ssl, &nothing, sizeof(nothing)) <= 0)
		ERR_clear_error();
	/* Its connection ends here, as it should: else libssl takes the session for a broken one. */
	SSL_set_shutdown(hs->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

static int run(struct handshake *hs)
{
	int done = 0;

	for (unsigned int i = 0; i < FLIGHTS_MAX; i++) {
		int err;

		if (!done)
			done = step(hs);
		if (done < 0) {
			give_up(hs);
			return done;
		}
		if (done && hs->finished) {
			take_ticket(hs);
			return 0;
		}
		err = exchange(hs, done);
		if (err)
			return err;
	}
	return set_error(hs->error, -EPROTO, HSM_LAYER_CHANNEL,
			 "the channel's handshake does not come to an end");
}

static int make_link(struct handshake *hs, uint32_t epoch, struct link **link)
{
	struct link *new = calloc(1, sizeof(*new));

	if (new)
		new->seal = hsm_seal_new(hs->device->trust->libctx, hs->ssl, hs->partition, epoch);
	if (!new || !new->seal) {
		free(new);
		return set_error(hs->error, -ENOMEM, HSM_LAYER_CHANNEL,
				 "the channel's keys cannot be derived");
	}
	atomic_store(&new->refs, 1);
	new->device = hs->device;
	atomic_fetch_add(&hs->device->links, 1);
	new->id = hs->channel;
	new->instance = hs->instance;
	memcpy(new->identity, hs->check.hash, sizeof(new->identity));
	*link = new;
	return 0;
}

int link_new(struct hsm_device *device, const uint8_t partition[HSM_PARTITION_ID_SIZE],
	     struct link **link, struct hsm_error *error)
{
	struct transport *transport = device->transport;
	struct handshake hs = {
		.device = device,
		.partition = partition,
		.instance = atomic_load(&transport->instance),
		.error = error,
		.check = {
			.trust = device->trust,
			.partition = partition,
			.board_id = transport->board_id,
			.may_pin = transport->own,
			.error = error,
		},
	};
	uint32_t epoch = transport->epoch;
	int err = setup(&hs);

	if (!err)
		err = run(&hs);
	if (!err)
		err = make_link(&hs, epoch, link);
	SSL_free(hs.ssl);
	free(hs.buffer);
	return err;
}

void link_put(struct link *link)
{
	if (!link || atomic_fetch_sub(&link->refs, 1) != 1)
		return;
	/*
	 * In a child the keys' pages are empty: there is nothing to wipe, and freeing them is
	 * harmless.
	 */
	atomic_fetch_sub(&link->device->links, 1);
	hsm_seal_free(link->seal);
	free(link);
}
