// SPDX-License-Identifier: Apache-2.0
/*
 * Messages and channels: discovery, the TLS handshake over messages, and sealed messages. Rules:
 * Documentation/commands.rst, "Channel". Nothing of a request is looked at before its tag has verified,
 * and each sequence number is executed and answered at most once.
 */
#include <errno.h>
#include <string.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include "commands.h"

#define CHANNELS_MAX	 64 /* of one context */
#define HANDSHAKES_MAX	 4  /* half done, of one context */
#define BAD_TAGS_MAX	 1000
#define MESSAGES_MAX	 (1ULL << 24)
#define BYTES_MAX	 (64ULL << 30)
#define HANDSHAKE_IN_MAX (32 * 1024) /* bytes of TLS records that one handshake may take */
#define HEADER_SIZE	 sizeof(struct hsm_message_header)

/**
 * struct channel - one secure channel
 * @ssl: while the handshake goes on
 * @seal: when it is done
 * @client_rules: of the partition, when the handshake began
 * @client: what it speaks for; moves to a successor. Under context.lock
 * @lock: of @window and, during the handshake, of @ssl
 */
struct channel {
	atomic_uint refs;
	uint32_t id;
	unsigned int client_rules;
	struct partition *partition;
	struct client *client;
	SSL *ssl;
	struct hsm_seal *seal;
	size_t handshake_bytes;
	pthread_mutex_t lock;
	struct hsm_window window;
	atomic_uint bad_tags;
	atomic_ullong bytes;
};

struct firmware_context {
	struct context_info info;
	pthread_mutex_t lock;
	struct channel *channel[CHANNELS_MAX];
	uint32_t serial;
	unsigned int handshakes;
};

/* ---- channels of a context ---- */

static void channel_put(struct channel *channel)
{
	if (!channel || atomic_fetch_sub(&channel->refs, 1) != 1)
		return;
	SSL_free(channel->ssl);
	hsm_seal_free(channel->seal);
	client_put(channel->client);
	partition_put(channel->partition);
	pthread_mutex_destroy(&channel->lock);
	OPENSSL_free(channel);
}

/* A reference to the channel and its client; the client is NULL during the handshake */
static struct channel *channel_find(struct firmware_context *context, uint32_t id,
				    struct client **client)
{
	struct channel *channel;

	pthread_mutex_lock(&context->lock);
	channel = context->channel[id % CHANNELS_MAX];
	if (channel && channel->id == id) {
		atomic_fetch_add_explicit(&channel->refs, 1, memory_order_relaxed);
		*client = channel->client ? client_get(channel->client) : NULL;
	} else {
		channel = NULL;
	}
	pthread_mutex_unlock(&context->lock);
	return channel;
}

/* Take the channel out of its context; its client ends unless a successor has it. */
static void channel_close(struct firmware_context *context, struct channel *channel)
{
	struct client *client = NULL;
	bool found;

	pthread_mutex_lock(&context->lock);
	found = context->channel[channel->id % CHANNELS_MAX] == channel;
	if (found) {
		context->channel[channel->id % CHANNELS_MAX] = NULL;
		client = channel->client;
		channel->client = NULL;
		if (channel->ssl)
			context->handshakes--;
	}
	pthread_mutex_unlock(&context->lock);
	if (client) {
		client_close(client);
		client_put(client);
	}
	if (found)
		channel_put(channel);
}

int context_open(const struct context_info *info, struct firmware_context **context)
{
	struct firmware_context *new = OPENSSL_zalloc(sizeof(*new));

	if (!new)
		return -ENOMEM;
	new->info = *info;
	pthread_mutex_init(&new->lock, NULL);
	*context = new;
	return 0;
}

void context_close(struct firmware_context *context)
{
	unsigned int i;

	if (!context)
		return;
	for (i = 0; i < CHANNELS_MAX; i++)
		if (context->channel[i])
			channel_close(context, context->channel[i]);
	pthread_mutex_destroy(&context->lock);
	OPENSSL_free(context);
}

/* ---- clear messages ---- */

static size_t put_header(uint8_t *response, enum hsm_message_kind kind, uint32_t channel,
			 size_t length)
{
	struct hsm_message_header header = {
		.version = HSM_PROTOCOL_VERSION,
		.kind = kind,
		.channel = htole32(channel),
		.length = htole32(length),
	};

	memcpy(response, &header, sizeof(header));
	return sizeof(header) + length;
}

static enum ihsm_status discover(size_t length, uint8_t *response, size_t capacity,
				 size_t *response_length)
{
	struct hsm_writer out;
	size_t mark, n;

	if (length)
		return IHSM_SC_INVALID_MESSAGE;
	hsm_writer_init(&out, response + HEADER_SIZE, capacity - HEADER_SIZE);
	mark = hsm_put_begin(&out, HSM_FIELD_PARTITIONS);
	n = partition_records(out.data + out.length, out.capacity - out.length);
	out.length += n;
	hsm_put_end(&out, mark);
	*response_length = put_header(response, HSM_MESSAGE_DISCOVER, 0, out.length);
	return IHSM_SC_SUCCESS;
}

/* ---- handshake ---- */

static int start_tls(struct channel *channel)
{
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	SSL_CTX *tls;

	channel->client_rules = atomic_load(&channel->partition->client_rules);
	tls = identity_tls(channel->partition);
	channel->ssl = tls ? SSL_new(tls) : NULL;
	SSL_CTX_free(tls);
	if (!channel->ssl || !in || !out) {
		BIO_free(in);
		BIO_free(out);
		SSL_free(channel->ssl);
		channel->ssl = NULL;
		return -ENOMEM;
	}
	SSL_set_bio(channel->ssl, in, out);
	SSL_set_accept_state(channel->ssl);
	return 0;
}

/* The half-done handshake that was begun first. The caller holds context->lock. */
static struct channel *oldest_handshake(struct firmware_context *context)
{
	struct channel *oldest = NULL, *channel;
	unsigned int i;

	for (i = 0; i < CHANNELS_MAX; i++) {
		channel = context->channel[i];
		if (channel && channel->ssl && (!oldest || (int32_t)(channel->id - oldest->id) < 0))
			oldest = channel;
	}
	return oldest;
}

/*
 * Make room for one more handshake: one whose messages were lost or damaged on the way never ends, and must not keep a
 * later one out. Its peer, should it still be there, finds no channel.
 */
static void evict_handshake(struct firmware_context *context)
{
	struct channel *channel = NULL;

	pthread_mutex_lock(&context->lock);
	if (context->handshakes >= HANDSHAKES_MAX)
		channel = oldest_handshake(context);
	if (channel) {
		context->channel[channel->id % CHANNELS_MAX] = NULL;
		context->handshakes--;
	}
	pthread_mutex_unlock(&context->lock);
	channel_put(channel);
}

/* Find a place for the channel, give it a number */
static enum ihsm_status channel_place(struct firmware_context *context, struct channel *channel)
{
	enum ihsm_status status = IHSM_SC_BUSY;
	unsigned int i;

	evict_handshake(context);
	pthread_mutex_lock(&context->lock);
	for (i = 0; context->handshakes < HANDSHAKES_MAX && i < CHANNELS_MAX; i++) {
		context->serial++;
		if (!context->serial) /* 0 means: a new channel */
			context->serial = CHANNELS_MAX;
		if (context->channel[context->serial % CHANNELS_MAX])
			continue;
		channel->id = context->serial;
		context->channel[channel->id % CHANNELS_MAX] = channel;
		context->handshakes++;
		status = IHSM_SC_SUCCESS;
		break;
	}
	pthread_mutex_unlock(&context->lock);
	return status;
}

/* Two references: the context's and the caller's */
static enum ihsm_status channel_new(struct firmware_context *context, const uint8_t *partition,
				    struct channel **result)
{
	struct channel *channel = OPENSSL_zalloc(sizeof(*channel));
	enum ihsm_status status;

	if (!channel)
		return IHSM_SC_INTERNAL;
	atomic_init(&channel->refs, 1);
	pthread_mutex_init(&channel->lock, NULL);
	channel->partition = partition_find(partition);
	if (!channel->partition)
		status = IHSM_SC_NO_PARTITION;
	else if (start_tls(channel) < 0)
		status = IHSM_SC_INTERNAL;
	else
		status = channel_place(context, channel);
	if (status != IHSM_SC_SUCCESS) {
		channel_put(channel);
		return status;
	}
	atomic_fetch_add(&channel->refs, 1);
	*result = channel;
	return IHSM_SC_SUCCESS;
}

/* The handshake is complete: keys from the exporter, and somebody to speak for */
static enum ihsm_status finish(struct firmware_context *context, struct channel *channel)
{
	struct client *client;
	struct hsm_seal *seal;

	seal = hsm_seal_new(mech_libctx(), channel->ssl, channel->partition->info.id,
			    context->info.epoch);
	client = seal ? client_new(channel->partition, context, context->info.owner) : NULL;
	if (!client) {
		hsm_seal_free(seal);
		return IHSM_SC_INTERNAL;
	}
	/* On a user's own board that user is the device's officer. */
	client->officer = channel->partition->device && context->info.owner &&
			  (partitions_hello()->flags & BOARD_HELLO_EMBEDDED);
	pthread_mutex_lock(&context->lock);
	if (context->channel[channel->id % CHANNELS_MAX] == channel) {
		SSL_free(channel->ssl);
		channel->ssl = NULL;
		channel->seal = seal;
		channel->client = client;
		context->handshakes--;
		client = NULL;
	}
	pthread_mutex_unlock(&context->lock);
	if (!client)
		return IHSM_SC_SUCCESS;
	/* Another message closed the channel meanwhile. */
	hsm_seal_free(seal);
	client_close(client);
	client_put(client);
	return IHSM_SC_HANDSHAKE;
}

/* Feed the peer's records, take ours. @done: the handshake is complete. */
static enum ihsm_status handshake_step(struct channel *channel, const uint8_t *records,
				       size_t length, struct hsm_writer *out, bool *done)
{
	BIO *in = SSL_get_rbio(channel->ssl), *reply = SSL_get_wbio(channel->ssl);
	uint8_t *room;
	size_t n;
	int ret;

	channel->handshake_bytes += length;
	if (channel->handshake_bytes > HANDSHAKE_IN_MAX ||
	    (length && BIO_write(in, records, length) != (int)length))
		return IHSM_SC_HANDSHAKE;
	ERR_clear_error();
	ret = SSL_do_handshake(channel->ssl);
	if (ret != 1 && SSL_get_error(channel->ssl, ret) != SSL_ERROR_WANT_READ) {
		ERR_clear_error();
		return IHSM_SC_HANDSHAKE;
	}
	*done = ret == 1;
	n = BIO_ctrl_pending(reply);
	room = hsm_put_reserve(out, HSM_FIELD_TLS, n);
	if (!room)
		return IHSM_SC_TOO_SMALL;
	if (n && BIO_read(reply, room, n) != (int)n)
		return IHSM_SC_INTERNAL;
	hsm_put_u32(out, HSM_FIELD_DONE, *done);
	return out->error ? IHSM_SC_TOO_SMALL : IHSM_SC_SUCCESS;
}

static enum ihsm_status handshake_run(struct firmware_context *context, struct channel *channel,
				      const struct hsm_fields *fields, struct hsm_writer *out)
{
	enum ihsm_status status;
	const uint8_t *records;
	bool done = false;
	size_t length;

	records = hsm_fields_bytes(fields, HSM_FIELD_TLS, &length);
	pthread_mutex_lock(&channel->lock);
	if (!channel->ssl)
		status = IHSM_SC_HANDSHAKE;
	else
		status = handshake_step(channel, records, length, out, &done);
	if (status == IHSM_SC_SUCCESS && done)
		status = finish(context, channel);
	pthread_mutex_unlock(&channel->lock);
	return status;
}

static enum ihsm_status handshake(struct task *task, struct firmware_context *context, uint32_t id,
				  const uint8_t *body, size_t length, uint8_t *response,
				  size_t capacity, size_t *response_length)
{
	struct channel *channel = NULL;
	struct client *client = NULL;
	struct hsm_fields fields;
	struct hsm_writer out;
	enum ihsm_status status = IHSM_SC_SUCCESS;
	const uint8_t *partition;
	size_t n;

	if (hsm_fields_parse(&fields, body, length) < 0)
		return IHSM_SC_INVALID_MESSAGE;
	partition = hsm_fields_bytes(&fields, HSM_FIELD_PARTITION, &n);
	if (!id && n != PARTITION_ID_SIZE)
		return IHSM_SC_INVALID_MESSAGE;
	if (task_set_class(task, IHSM_TIME_MEDIUM) < 0)
		return IHSM_SC_ABORTED;
	if (id)
		channel = channel_find(context, id, &client);
	else
		status = channel_new(context, partition, &channel);
	client_put(client);
	if (!channel)
		return id ? IHSM_SC_NO_CHANNEL : status;
	hsm_writer_init(&out, response + HEADER_SIZE, capacity - HEADER_SIZE);
	status = handshake_run(context, channel, &fields, &out);
	if (status == IHSM_SC_SUCCESS)
		*response_length =
			put_header(response, HSM_MESSAGE_HANDSHAKE, channel->id, out.length);
	else if (!client)
		channel_close(context, channel);
	channel_put(channel);
	return status;
}

/* ---- sealed messages ---- */

static enum ihsm_status open_request(struct firmware_context *context, struct channel *channel,
				     uint64_t sequence, uint8_t *request, size_t size,
				     size_t *length)
{
	bool fresh;

	if (channel->partition->dead ||
	    channel->client_rules != atomic_load(&channel->partition->client_rules)) {
		channel_close(context, channel);
		return IHSM_SC_NO_CHANNEL;
	}
	if (hsm_open_message(channel->seal, HSM_TO_DEVICE, request, size, length) < 0) {
		if (atomic_fetch_add(&channel->bad_tags, 1) + 1 >= BAD_TAGS_MAX)
			channel_close(context, channel);
		return IHSM_SC_AUTHENTICATION;
	}
	if (sequence >= MESSAGES_MAX ||
	    atomic_fetch_add_explicit(&channel->bytes, size, memory_order_relaxed) > BYTES_MAX) {
		channel_close(context, channel);
		return IHSM_SC_NO_CHANNEL;
	}
	pthread_mutex_lock(&channel->lock);
	fresh = hsm_window_accept(&channel->window, sequence);
	pthread_mutex_unlock(&channel->lock);
	return fresh ? IHSM_SC_SUCCESS : IHSM_SC_REPLAYED;
}

static enum ihsm_status sealed(struct task *task, struct firmware_context *context, uint32_t id,
			       uint64_t sequence, uint8_t *request, size_t size, uint8_t *response,
			       size_t capacity, size_t *response_length)
{
	struct client *client = NULL;
	struct channel *channel = channel_find(context, id, &client);
	enum ihsm_status status = IHSM_SC_NO_CHANNEL;
	size_t length, written = 0;
	int ret;

	if (channel && client)
		status = open_request(context, channel, sequence, request, size, &length);
	if (status == IHSM_SC_SUCCESS)
		status = command_execute(task, channel, client, request + HEADER_SIZE, length,
					 response + HEADER_SIZE,
					 capacity - HEADER_SIZE - HSM_TAG_SIZE, &written);
	if (status == IHSM_SC_SUCCESS) {
		ret = hsm_seal_message(channel->seal, HSM_TO_HOST, channel->id, sequence, response,
				       written);
		if (ret < 0)
			status = IHSM_SC_INTERNAL;
		else
			*response_length = ret;
		atomic_fetch_add_explicit(&channel->bytes, written, memory_order_relaxed);
	}
	client_put(client);
	channel_put(channel);
	return status;
}

enum ihsm_status message_execute(struct task *task, struct firmware_context *context,
				 uint8_t *request, size_t request_length, uint8_t *response,
				 size_t capacity, size_t *response_length)
{
	struct hsm_message_header header;
	uint8_t *body = request + HEADER_SIZE;
	size_t length;
	uint32_t id;

	*response_length = 0;
	if (request_length < HEADER_SIZE || request_length > HSM_MESSAGE_MAX)
		return IHSM_SC_INVALID_MESSAGE;
	if (capacity < HSM_RESPONSE_MIN)
		return IHSM_SC_TOO_SMALL;
	if (capacity > HSM_MESSAGE_MAX)
		capacity = HSM_MESSAGE_MAX;
	memcpy(&header, request, sizeof(header));
	length = le32toh(header.length);
	id = le32toh(header.channel);
	if (header.version != HSM_PROTOCOL_VERSION || header.reserved || header.reserved2 ||
	    length != request_length - HEADER_SIZE)
		return IHSM_SC_INVALID_MESSAGE;
	if (header.kind == HSM_MESSAGE_SEALED)
		return sealed(task, context, id, le64toh(header.sequence), request, request_length,
			      response, capacity, response_length);
	if (header.sequence)
		return IHSM_SC_INVALID_MESSAGE;
	if (header.kind == HSM_MESSAGE_DISCOVER && !id)
		return discover(length, response, capacity, response_length);
	if (header.kind == HSM_MESSAGE_HANDSHAKE)
		return handshake(task, context, id, body, length, response, capacity,
				 response_length);
	return IHSM_SC_INVALID_MESSAGE;
}

/* ---- CHANNEL_CLOSE, CHANNEL_OFFER, CHANNEL_TAKE ---- */

CK_RV channel_close_command(struct command *command)
{
	channel_close(command->client->context, command->channel);
	return CKR_OK;
}

CK_RV channel_offer(struct command *command)
{
	struct client *client = command->client;
	uint8_t token[SECRET_SIZE];

	if (RAND_priv_bytes_ex(mech_libctx(), token, sizeof(token), 0) != 1)
		return CKR_FUNCTION_FAILED;
	pthread_mutex_lock(&client->context->lock);
	memcpy(client->offer, token, sizeof(token));
	client->offered = true;
	pthread_mutex_unlock(&client->context->lock);
	hsm_put_bytes(&command->out, HSM_FIELD_TOKEN, token, sizeof(token));
	OPENSSL_cleanse(token, sizeof(token));
	return CKR_OK;
}

/* The channel that made the offer, with a reference. The caller holds context->lock. */
static struct channel *offering(struct firmware_context *context, const struct command *command,
				const uint8_t token[SECRET_SIZE])
{
	struct channel *channel;
	unsigned int i;

	for (i = 0; i < CHANNELS_MAX; i++) {
		channel = context->channel[i];
		if (!channel || !channel->client || channel == command->channel ||
		    channel->partition != command->partition || !channel->client->offered)
			continue;
		if (!CRYPTO_memcmp(channel->client->offer, token, SECRET_SIZE)) {
			atomic_fetch_add(&channel->refs, 1);
			return channel;
		}
	}
	return NULL;
}

CK_RV channel_take(struct command *command)
{
	struct firmware_context *context = command->client->context;
	struct channel *from = NULL;
	struct client *former = NULL;
	const uint8_t *token;
	size_t length;

	token = hsm_fields_bytes(&command->fields, HSM_FIELD_TOKEN, &length);
	if (length != SECRET_SIZE)
		return CKR_ARGUMENTS_BAD;
	pthread_mutex_lock(&context->lock);
	if (command->channel->client == command->client && !command->client->count)
		from = offering(context, command, token);
	if (from) {
		former = command->channel->client;
		command->channel->client = from->client;
		from->client = NULL;
		command->channel->client->offered = false;
		OPENSSL_cleanse(command->channel->client->offer, SECRET_SIZE);
	}
	pthread_mutex_unlock(&context->lock);
	if (!from)
		return CKR_ARGUMENTS_BAD;
	channel_close(context, from);
	channel_put(from);
	client_close(former);
	client_put(former);
	return CKR_OK;
}
