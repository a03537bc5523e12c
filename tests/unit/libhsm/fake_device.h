/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device in the test's own process, below libhsm's transport seam: it runs the handshake and
 * answers a handful of commands, and it misbehaves when it is told to.
 */
#ifndef FAKE_DEVICE_H
#define FAKE_DEVICE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <openssl/x509v3.h>
#include <hsm/seal.h>
#include "channel.h"
#include "trust.h"
#include "attestation/chain_testing.h"

#define FAKE_CHANNELS 256
#define FAKE_PENDING  512

struct fake_channel {
	SSL *ssl;
	struct hsm_seal *seal;
	struct hsm_window window;
	uint32_t client; /* 0: closed */
};

/**
 * struct fake - the device
 * @hold: transfers wait until somebody polls or waits
 * @status: next sealed commands are not executed but end with this status; @times of them
 * @lose: next sealed commands are executed, and the transport is lost instead of answering
 * @spoil: next answers have a byte changed
 * @crowded: no more handshakes in this context
 * @executed: sealed commands that were executed
 * @room: for the last answer
 * @session_owner: client of each session
 */
struct fake {
	struct transport transport;
	SSL_CTX *tls;
	struct chain_fixture chain;
	OSSL_LIB_CTX *libctx;
	uint8_t partition[HSM_PARTITION_ID_SIZE];
	struct fake_channel channel[FAKE_CHANNELS];
	uint32_t channels;
	uint32_t clients;
	uint32_t session_owner[64];
	uint32_t sessions;
	uint8_t token[32];
	uint32_t offered;
	bool hold;
	unsigned int status;
	unsigned int times;
	unsigned int lose;
	unsigned int spoil;
	uint16_t flags; /* of responses */
	unsigned int executed;
	size_t room;
	unsigned int recovered;
	unsigned int handshakes;
	unsigned int resumed; /* of them */
	bool crowded;
	struct transfer *pending[FAKE_PENDING];
	unsigned int pending_count;
	pthread_mutex_t lock;
};

static inline struct fake *fake_of(struct transport *transport)
{
	return (struct fake *)((char *)transport - offsetof(struct fake, transport));
}

/* ---- identity ---- */

/*
 * An identity under the fake's board: key and chain are new, also when the partition is the same. @unit: of the
 * partition's certificate, as for hsm_dice_partition_certificate()
 */
static inline void fake_identity_of(struct fake *fake, const uint8_t partition[HSM_PARTITION_ID_SIZE],
				    const char *unit)
{
	STACK_OF(X509) *above = sk_X509_new_null();

	chain_free(&fake->chain);
	assert_true(chain_make(&fake->chain, HSM_DICE_P384, 1, &good_tcb, partition));
	X509_free(fake->chain.leaf);
	fake->chain.leaf = hsm_dice_partition_certificate(NULL, fake->chain.alias,
							  alias_key(&fake->chain),
							  fake->chain.identity_key, partition, unit);
	assert_non_null(fake->chain.leaf);
	sk_X509_push(above, fake->chain.alias);
	sk_X509_push(above, fake->chain.device);
	assert_int_equal(SSL_CTX_use_cert_and_key(fake->tls, fake->chain.leaf,
						  fake->chain.identity_key, above, 1),
			 1);
	sk_X509_free(above);
}

static inline void fake_identity(struct fake *fake, const uint8_t partition[HSM_PARTITION_ID_SIZE])
{
	fake_identity_of(fake, partition, NULL);
}

/* ---- handshake ---- */

static inline size_t fake_answer(struct transfer *t, unsigned int kind, uint32_t channel,
				 size_t length)
{
	message_header(t->out, kind, channel, 0, length);
	return sizeof(struct hsm_message_header) + length;
}

static inline unsigned int fake_handshake(struct fake *fake, struct transfer *t, uint32_t id)
{
	const size_t head = sizeof(struct hsm_message_header);
	struct hsm_fields fields;
	struct hsm_writer writer;
	struct fake_channel *channel;
	const uint8_t *records;
	size_t length;
	char *data;
	int done;

	assert_int_equal(hsm_fields_parse(&fields, t->in + head, t->in_length - head), 0);
	if (id == 0 && fake->crowded)
		return IHSM_SC_BUSY;
	if (id == 0) {
		records = hsm_fields_bytes(&fields, HSM_FIELD_PARTITION, &length);
		if (length != HSM_PARTITION_ID_SIZE || memcmp(records, fake->partition, length))
			return IHSM_SC_NO_PARTITION;
		id = ++fake->channels;
		assert_true(id < FAKE_CHANNELS);
		channel = &fake->channel[id];
		channel->ssl = SSL_new(fake->tls);
		SSL_set_bio(channel->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
		SSL_set_accept_state(channel->ssl);
	}
	channel = &fake->channel[id];
	if (!channel->ssl)
		return IHSM_SC_NO_CHANNEL;
	records = hsm_fields_bytes(&fields, HSM_FIELD_TLS, &length);
	BIO_write(SSL_get_rbio(channel->ssl), records, (int)length);
	done = SSL_do_handshake(channel->ssl);
	if (done != 1 && SSL_get_error(channel->ssl, done) != SSL_ERROR_WANT_READ) {
		SSL_free(channel->ssl);
		channel->ssl = NULL;
		return IHSM_SC_HANDSHAKE;
	}
	hsm_writer_init(&writer, t->out + head, t->out_capacity - head);
	length = (size_t)BIO_get_mem_data(SSL_get_wbio(channel->ssl), &data);
	hsm_put_bytes(&writer, HSM_FIELD_TLS, data, length);
	(void)BIO_reset(SSL_get_wbio(channel->ssl));
	hsm_put_u32(&writer, HSM_FIELD_DONE, done == 1);
	if (done == 1) {
		fake->resumed += SSL_session_reused(channel->ssl) == 1;
		channel->seal = hsm_seal_new(fake->libctx, channel->ssl, fake->partition,
					     fake->transport.epoch);
		channel->client = ++fake->clients;
		fake->handshakes++;
		SSL_free(channel->ssl);
		channel->ssl = NULL;
	}
	t->out_length = fake_answer(t, HSM_MESSAGE_HANDSHAKE, id, writer.length);
	return IHSM_SC_SUCCESS;
}

/* ---- commands ---- */

static inline void fake_close(struct fake *fake, uint32_t id)
{
	hsm_seal_free(fake->channel[id].seal);
	SSL_free(fake->channel[id].ssl);
	memset(&fake->channel[id], 0, sizeof(fake->channel[id]));
}

static inline uint64_t fake_command(struct fake *fake, uint32_t id, unsigned int operation,
				    uint32_t *session, const struct hsm_fields *fields,
				    struct hsm_writer *out, bool *close)
{
	size_t length;
	const uint8_t *data = hsm_fields_bytes(fields, HSM_FIELD_DATA, &length);

	switch (operation) {
	case HSM_OP_NOP:
		if (data)
			hsm_put_bytes(out, HSM_FIELD_DATA, data, length);
		return 0;
	case HSM_OP_SESSION_OPEN:
		*session = ++fake->sessions;
		fake->session_owner[*session] = fake->channel[id].client;
		return 0;
	case HSM_OP_SESSION_INFO:
	case HSM_OP_SEED:
		return fake->session_owner[*session % 64] == fake->channel[id].client ? 0 : 0xb3;
	case HSM_OP_CHANNEL_OFFER:
		memset(fake->token, 0x55, sizeof(fake->token));
		fake->offered = id;
		hsm_put_bytes(out, HSM_FIELD_TOKEN, fake->token, sizeof(fake->token));
		return 0;
	case HSM_OP_CHANNEL_TAKE:
		if (!fake->offered)
			return 0x54;
		fake->channel[id].client = fake->channel[fake->offered].client;
		fake_close(fake, fake->offered);
		fake->offered = 0;
		return 0;
	case HSM_OP_CHANNEL_CLOSE:
		*close = true;
		return 0;
	default:
		return 0x54;
	}
}

static inline unsigned int fake_sealed(struct fake *fake, struct transfer *t, uint32_t id,
				       uint64_t sequence)
{
	const size_t head = sizeof(struct hsm_message_header);
	uint8_t *request = malloc(t->in_length);
	struct hsm_command_header command;
	struct hsm_response_header response = { 0 };
	struct hsm_fields fields;
	struct hsm_writer out;
	uint32_t session;
	bool close = false;
	size_t length;
	int size;

	if (id >= FAKE_CHANNELS || !fake->channel[id].seal) {
		free(request);
		return IHSM_SC_NO_CHANNEL;
	}
	memcpy(request, t->in, t->in_length);
	assert_int_equal(hsm_open_message(fake->channel[id].seal, HSM_TO_DEVICE, request,
					  t->in_length, &length),
			 0);
	assert_true(hsm_window_accept(&fake->channel[id].window, sequence));
	memcpy(&command, request + head, sizeof(command));
	assert_int_equal(hsm_fields_parse(&fields, request + head + sizeof(command),
					  length - sizeof(command)),
			 0);
	assert_int_equal(
		hsm_operation_check(hsm_operation_find(le16toh(command.operation)), &fields), 0);
	hsm_writer_init(&out, t->out + head + sizeof(response),
			t->out_capacity - head - sizeof(response) - HSM_TAG_SIZE);
	session = le32toh(command.session);
	response.rv = htole64(fake_command(fake, id, le16toh(command.operation), &session, &fields,
					   &out, &close));
	response.operation = command.operation;
	response.flags = htole16(fake->flags);
	response.session = htole32(session);
	memcpy(t->out + head, &response, sizeof(response));
	size = hsm_seal_message(fake->channel[id].seal, HSM_TO_HOST, id, sequence, t->out,
				sizeof(response) + out.length);
	assert_true(size > 0);
	t->out_length = (size_t)size;
	fake->executed++;
	if (close)
		fake_close(fake, id);
	free(request);
	return IHSM_SC_SUCCESS;
}

/* ---- the transport ---- */

static inline void fake_lose(struct fake *fake)
{
	for (uint32_t i = 0; i <= fake->channels; i++)
		fake_close(fake, i);
	atomic_store(&fake->transport.lost, true);
	atomic_fetch_add(&fake->transport.instance, 1);
}

static inline void fake_sealed_or_not(struct fake *fake, struct transfer *t, uint32_t id,
				      uint64_t sequence)
{
	if (fake->times > 0) {
		fake->times--;
		t->status = fake->status;
		return;
	}
	t->status = fake_sealed(fake, t, id, sequence);
	if (fake->spoil > 0 && t->status == IHSM_SC_SUCCESS) {
		fake->spoil--;
		t->out[t->out_length - 1] ^= 1;
	}
	if (fake->lose > 0) {
		fake->lose--;
		fake_lose(fake);
		t->result = -ECONNRESET;
	}
}

static inline void fake_run(struct fake *fake, struct transfer *t)
{
	struct hsm_message_header header;

	memcpy(&header, t->in, sizeof(header));
	t->result = 0;
	t->out_length = 0;
	if (t->instance != atomic_load(&fake->transport.instance) ||
	    atomic_load(&fake->transport.lost))
		t->result = -ECONNRESET;
	else if (header.kind == HSM_MESSAGE_HANDSHAKE)
		t->status = fake_handshake(fake, t, le32toh(header.channel));
	else
		fake_sealed_or_not(fake, t, le32toh(header.channel), le64toh(header.sequence));
	transfer_end(t);
}

static inline void fake_poll(struct transport *transport)
{
	struct fake *fake = fake_of(transport);

	pthread_mutex_lock(&fake->lock);
	/* Last in, first out: answers come in another order than the questions. */
	while (fake->pending_count > 0)
		fake_run(fake, fake->pending[--fake->pending_count]);
	pthread_mutex_unlock(&fake->lock);
}

static inline int fake_submit(struct transport *transport, struct transfer *t,
			      struct hsm_error *error)
{
	struct fake *fake = fake_of(transport);
	int err = 0;

	pthread_mutex_lock(&fake->lock);
	fake->room = t->out_capacity;
	if (atomic_load(&transport->lost) || t->instance != atomic_load(&transport->instance))
		err = set_error(error, -ECONNRESET, HSM_LAYER_TRANSPORT, "lost");
	if (!err) {
		atomic_store(&t->state, TRANSFER_PENDING);
		t->timed_out = false;
		assert_true(fake->pending_count < FAKE_PENDING);
		fake->pending[fake->pending_count++] = t;
	}
	pthread_mutex_unlock(&fake->lock);
	if (!err && !fake->hold)
		fake_poll(transport);
	return err;
}

static inline void fake_wait(struct transport *transport, struct transfer *t)
{
	while (!transfer_done(t))
		fake_poll(transport);
}

static inline int fake_recover(struct transport *transport, struct hsm_error *error)
{
	struct fake *fake = fake_of(transport);

	(void)error;
	fake->recovered++;
	fake->crowded = false;
	transport->epoch++;
	atomic_store(&transport->lost, false);
	return 0;
}

static inline void fake_abandon(struct transport *transport)
{
	fake_lose(fake_of(transport));
}

static inline void fake_close_transport(struct transport *transport, bool forked)
{
	(void)transport;
	(void)forked;
}

static const struct transport_ops fake_ops = {
	.submit = fake_submit,
	.wait = fake_wait,
	.poll = fake_poll,
	.recover = fake_recover,
	.abandon = fake_abandon,
	.close = fake_close_transport,
};

/* ---- making and ending it ---- */

/* As after a start of the firmware: an identity and a TLS context that remembers nothing */
static inline void fake_restart_tls(struct fake *fake)
{
	SSL_CTX_free(fake->tls);
	fake->tls = SSL_CTX_new_ex(fake->libctx, NULL, TLS_server_method());
	SSL_CTX_set_min_proto_version(fake->tls, TLS1_3_VERSION);
	SSL_CTX_set_num_tickets(fake->tls, 0);
	SSL_CTX_set_session_id_context(fake->tls, fake->partition, HSM_PARTITION_ID_SIZE);
	fake_identity(fake, fake->partition);
}

static inline void fake_start(struct fake *fake)
{
	memset(fake, 0, sizeof(*fake));
	pthread_mutex_init(&fake->lock, NULL);
	fake->transport.ops = &fake_ops;
	fake->transport.own = true;
	fake->transport.epoch = 7;
	atomic_store(&fake->transport.instance, 1);
	memset(fake->partition, 0xa5, sizeof(fake->partition));
	fake->libctx = OSSL_LIB_CTX_new();
	fake_restart_tls(fake);
}

static inline void fake_stop(struct fake *fake)
{
	for (uint32_t i = 0; i <= fake->channels; i++)
		fake_close(fake, i);
	SSL_CTX_free(fake->tls);
	chain_free(&fake->chain);
	OSSL_LIB_CTX_free(fake->libctx);
	pthread_mutex_destroy(&fake->lock);
}

/* A device as hsm_open() would have made it */
static inline struct hsm_device *fake_device(struct fake *fake)
{
	struct hsm_device *device = calloc(1, sizeof(*device));
	struct hsm_error error;

	assert_non_null(device);
	if (!device)
		return NULL;
	pthread_mutex_init(&device->lock, NULL);
	assert_int_equal(guard_init(&device->guard), 0);
	strcpy(device->name, "vhsm:/fake");
	if (trust_new(device->name, &device->trust, &error)) {
		print_error("%s\n", error.text);
		assert_null("hsm.conf or OpenSSL");
	}
	device->transport = &fake->transport;
	return device;
}

#endif /* FAKE_DEVICE_H */
