// SPDX-License-Identifier: Apache-2.0
/*
 * One command: its fields, sealing and opening, and what may be done when it goes wrong. The fast
 * path is here: it allocates nothing and makes no system call.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <openssl/crypto.h>
#include "channel.h"

#define HEAD	   sizeof(struct hsm_message_header)
#define COMMAND	   sizeof(struct hsm_command_header)
#define ANSWER	   sizeof(struct hsm_response_header)
#define FIELDS_MAX (HSM_MESSAGE_MAX - HEAD - COMMAND - HSM_TAG_SIZE)
#define BUFFERS	   (2 * (size_t)HSM_MESSAGE_MAX)
#define RETRIES	   3

/* Output that surely fits HSM_RESPONSE_MIN with the headers, the tag and the fields beside it */
#define OUTPUT_SMALL (HSM_RESPONSE_MIN - 512)

/*
 * A message may run ahead of the oldest one that the device has not opened by this much, within the
 * device's window. What was answered was opened. What was sent and has been unanswered for
 * OPENED_MS is a long operation, was opened too, and holds up nobody. What was not sent yet, because
 * its thread lost the processor after it drew the number, is waited for.
 */
#define WINDOW_AHEAD (HSM_SEQUENCE_WINDOW - 128)
#define OPENED_MS    250

/* A queue behind a device that is busy delays even the shortest command. */
#define LIMIT_SLACK_MS 5000

/* ---- the pool ---- */

static struct hsm_request *pool_take(struct hsm_channel *channel)
{
	struct hsm_request *request;

	pthread_mutex_lock(&channel->pool_lock);
	request = channel->pool;
	if (request)
		channel->pool = request->next;
	pthread_mutex_unlock(&channel->pool_lock);
	return request;
}

/*
 * As many requests as are in use at a time, each with a queue of its own as far as there are so
 * many.
 */
static struct hsm_request *make_request(struct hsm_channel *channel)
{
	struct hsm_request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	request->message = hsm_secret_alloc(BUFFERS);
	if (!request->message) {
		free(request);
		return NULL;
	}
	request->response = request->message + HSM_MESSAGE_MAX;
	request->channel = channel;
	pthread_mutex_lock(&channel->pool_lock);
	request->queue = channel->requests++;
	pthread_mutex_unlock(&channel->pool_lock);
	return request;
}

void request_pool_free(struct hsm_channel *channel)
{
	struct hsm_request *next;

	for (struct hsm_request *request = channel->pool; request; request = next) {
		next = request->next;
		hsm_secret_free(request->message, BUFFERS);
		free(request);
	}
	channel->pool = NULL;
}

static void wipe(struct hsm_request *request)
{
	OPENSSL_cleanse(request->message + HEAD, COMMAND + request->writer.length);
	OPENSSL_cleanse(request->response, request->transfer.out_length);
	request->transfer.out_length = 0;
}

/* ---- limits ---- */

/* Can the handler raise the time class of the table? */
static bool may_take_long(unsigned int operation)
{
	switch (operation) {
	case HSM_OP_SIGN:
	case HSM_OP_SIGN_FINAL:
	case HSM_OP_VERIFY:
	case HSM_OP_VERIFY_FINAL:
	case HSM_OP_ENCRYPT:
	case HSM_OP_DECRYPT:
	case HSM_OP_GENERATE_KEY:
	case HSM_OP_GENERATE_PAIR:
	case HSM_OP_WRAP:
	case HSM_OP_UNWRAP:
	case HSM_OP_DERIVE:
	case HSM_OP_ENCAPSULATE:
	case HSM_OP_DECAPSULATE:
	case HSM_OP_TOKEN_INIT:
	case HSM_OP_PARTITION_DESTROY:
		return true;
	default:
		return false;
	}
}

/*
 * Commands of a session run one after the other, so each of them may have to wait for a long
 * one.
 */
static unsigned int time_class(const struct hsm_request *request)
{
	if (request->session || may_take_long(request->info->code))
		return IHSM_TIME_VERY_LONG;
	return request->info->time_class;
}

/* ---- making one ---- */

struct hsm_request *request_get(struct hsm_channel *channel, const struct hsm_operation_info *info,
				uint32_t session)
{
	struct hsm_request *request = pool_take(channel);

	if (!request)
		request = make_request(channel);
	if (!request)
		return NULL;
	request->info = info;
	request->session = session;
	request->generation = atomic_load(&channel->generation);
	request->state = REQUEST_NEW;
	request->rv = 0;
	request->approved = false;
	request->again = false;
	request->answered_session = 0;
	request->fields.count = 0;
	request->transfer.notify = false;
	hsm_writer_init(&request->writer, request->message + HEAD + COMMAND, FIELDS_MAX);
	return request;
}

struct hsm_request *hsm_request_new(struct hsm_channel *channel, enum hsm_operation operation,
				    uint32_t session)
{
	const struct hsm_operation_info *info = hsm_operation_find(operation);

	if (!info || guard_forked(&channel->device->guard))
		return NULL;
	return request_get(channel, info, session);
}

void hsm_request_free(struct hsm_request *request)
{
	struct hsm_channel *channel;

	if (!request)
		return;
	channel = request->channel;
	if (guard_forked(&channel->device->guard)) {
		link_put(request->link);
		hsm_secret_free(request->message, BUFFERS);
		free(request);
		return;
	}
	if (request->state == REQUEST_SENT)
		request_finish(request, NULL);
	link_put(request->link);
	request->link = NULL;
	wipe(request);
	pthread_mutex_lock(&channel->pool_lock);
	request->next = channel->pool;
	channel->pool = request;
	pthread_mutex_unlock(&channel->pool_lock);
}

struct hsm_writer *hsm_request_writer(struct hsm_request *request)
{
	return &request->writer;
}

/* ---- sending ---- */

/* Stages of a message; in link->stage with the sequence number above them */
enum {
	STAGE_SENT = 1,
	STAGE_ENDED = 2,
	STAGE_BITS = 2
};

static bool has_reached(struct link *link, uint64_t sequence, unsigned int stage)
{
	return atomic_load_explicit(&link->stage[sequence % HSM_SEQUENCE_WINDOW],
				    memory_order_acquire) >= (sequence << STAGE_BITS | stage);
}

/* Stages only go up: the end may be marked before the thread that sent comes to mark that. */
static void set_stage(struct link *link, uint64_t sequence, unsigned int stage)
{
	_Atomic uint64_t *at = &link->stage[sequence % HSM_SEQUENCE_WINDOW];
	uint64_t word = sequence << STAGE_BITS | stage;
	uint64_t old = atomic_load_explicit(at, memory_order_relaxed);

	while (old < word && !atomic_compare_exchange_weak_explicit(
				     at, &old, word, memory_order_release, memory_order_relaxed))
		;
}

static void message_ended(struct link *link, uint64_t sequence)
{
	set_stage(link, sequence, STAGE_ENDED);
	atomic_fetch_sub(&link->inside, 1);
}

static void transfer_ended(struct transfer *transfer)
{
	struct hsm_request *request =
		(struct hsm_request *)((char *)transfer - offsetof(struct hsm_request, transfer));

	message_ended(request->link, request->sequence);
}

static bool in_window(struct link *link, uint64_t sequence)
{
	uint64_t floor = atomic_load(&link->floor);

	while (sequence >= floor + WINDOW_AHEAD && has_reached(link, floor, STAGE_ENDED))
		if (atomic_compare_exchange_weak(&link->floor, &floor, floor + 1))
			floor++;
	return sequence < floor + WINDOW_AHEAD;
}

static void wait_for_window(struct transport *transport, struct link *link, uint64_t sequence)
{
	struct timespec pause = { .tv_nsec = 1000000 };
	uint64_t oldest = atomic_load(&link->floor), floor;
	unsigned int waited = 0;

	while (!in_window(link, sequence) && !atomic_load(&link->dead) &&
	       !atomic_load(&transport->lost)) {
		transport->ops->poll(transport);
		if (in_window(link, sequence))
			break;
		nanosleep(&pause, NULL);
		floor = atomic_load(&link->floor);
		waited = floor == oldest ? waited + 1 : 0;
		oldest = floor;
		if (waited >= OPENED_MS && has_reached(link, floor, STAGE_SENT))
			atomic_compare_exchange_strong(&link->floor, &floor, floor + 1);
	}
}

/* A number is drawn once, and used for one message only. */
static uint64_t draw_sequence(struct transport *transport, struct link *link)
{
	uint64_t sequence = atomic_fetch_add(&link->sequence, 1);

	if (!in_window(link, sequence))
		wait_for_window(transport, link, sequence);
	return sequence;
}

static void put_command_header(struct hsm_request *request)
{
	struct hsm_command_header command = {
		.operation = htole16(request->info->code),
		.session = htole32(request->session),
	};

	memcpy(request->message + HEAD, &command, sizeof(command));
}

/* Bytes of output that the fields of a request allow its answer */
static uint64_t output_most(const struct hsm_request *request)
{
	struct hsm_fields fields;
	uint64_t most;

	if (request->info->code == HSM_OP_NOP)
		return request->writer.length;
	if (hsm_fields_parse(&fields, request->writer.data, request->writer.length))
		return HSM_MESSAGE_MAX;
	most = hsm_fields_u64(&fields, HSM_FIELD_LENGTH, HSM_MESSAGE_MAX);
	most = hsm_fields_u64(&fields, HSM_FIELD_OUT_MAX, most);
	return most == HSM_OUT_QUERY ? 0 : most;
}

/*
 * Room for the answer: a device may write small ones to memory that is there already, where large ones
 * cost memory and mapping for each command. What is not sure to be small gets all there is.
 */
static size_t answer_room(const struct hsm_request *request)
{
	uint64_t most = 0;

	for (const uint16_t *tag = request->info->response; *tag; tag++) {
		switch (*tag & ~HSM_FIELD_REQUIRED) {
		case HSM_FIELD_HANDLE:
		case HSM_FIELD_OTHER_HANDLE:
		case HSM_FIELD_NEEDED:
		case HSM_FIELD_LENGTH:
		case HSM_FIELD_STATE:
		case HSM_FIELD_FLAGS:
		case HSM_FIELD_MIN:
		case HSM_FIELD_MAX:
		case HSM_FIELD_IV:
		case HSM_FIELD_TAG:
			break;
		case HSM_FIELD_DATA:
		case HSM_FIELD_SIGNATURE:
		case HSM_FIELD_CIPHERTEXT:
			most = output_most(request);
			break;
		default:
			return HSM_MESSAGE_MAX;
		}
	}
	return most <= OUTPUT_SMALL ? HSM_RESPONSE_MIN : HSM_MESSAGE_MAX;
}

static void fill_transfer(struct hsm_request *request, size_t length)
{
	const struct transport *transport = request->channel->device->transport;
	struct transfer *transfer = &request->transfer;

	transfer->in = request->message;
	transfer->in_length = length;
	transfer->out = request->response;
	transfer->out_capacity = request->room;
	transfer->out_length = 0;
	transfer->instance = request->link->instance;
	/* A session's commands run in order: on one queue no part overtakes the one before it. */
	transfer->queue = request->session ? request->session : request->queue;
	transfer->time_class = time_class(request);
	transfer->limit_ms = transport->class_ms[transfer->time_class] + LIMIT_SLACK_MS;
	transfer->spin = &request->channel->spin[request->info->code & 0xff];
	transfer->ended = transfer_ended;
}

int request_start(struct hsm_request *request, struct link *link, struct hsm_error *error)
{
	struct transport *transport = request->channel->device->transport;
	int length, err;

	request->link = link;
	request->fate = FATE_FINAL;
	request->sequence = draw_sequence(transport, link);
	put_command_header(request);
	request->room = answer_room(request);
	length = hsm_seal_message(link->seal, HSM_TO_DEVICE, link->id, request->sequence,
				  request->message, COMMAND + request->writer.length);
	if (length < 0) {
		message_ended(link, request->sequence);
		request->link = NULL;
		link_put(link);
		return set_error(error, length, HSM_LAYER_CHANNEL, "the command cannot be sealed");
	}
	request->length = (size_t)length;
	atomic_fetch_add_explicit(&link->bytes, (uint64_t)length, memory_order_relaxed);
	fill_transfer(request, (size_t)length);
	err = transport->ops->submit(transport, &request->transfer, error);
	if (!err) {
		set_stage(link, request->sequence, STAGE_SENT);
		request->state = REQUEST_SENT;
		return 0;
	}
	message_ended(link, request->sequence);
	request->fate = FATE_NOT_SENT;
	request->state = REQUEST_ENDED;
	return err;
}

int request_reopen(struct hsm_request *request)
{
	size_t length;
	int err = hsm_open_message(request->link->seal, HSM_TO_DEVICE, request->message,
				   request->length, &length);

	link_put(request->link);
	request->link = NULL;
	return err;
}

/* ---- the answer ---- */

static int parse_answer(struct hsm_request *request, size_t length)
{
	struct hsm_response_header header;
	const uint8_t *body = request->response + HEAD;

	if (length < sizeof(header))
		return -EBADMSG;
	memcpy(&header, body, sizeof(header));
	if (le16toh(header.operation) != request->info->code ||
	    le16toh(header.flags) & ~(HSM_RESPONSE_APPROVED | HSM_RESPONSE_AGAIN))
		return -EBADMSG;
	if (hsm_fields_parse(&request->fields, body + ANSWER, length - ANSWER))
		return -EBADMSG;
	request->rv = le64toh(header.rv);
	request->approved = le16toh(header.flags) & HSM_RESPONSE_APPROVED;
	request->again = le16toh(header.flags) & HSM_RESPONSE_AGAIN;
	request->answered_session = le32toh(header.session);
	return 0;
}

static int open_answer(struct hsm_request *request)
{
	size_t size = request->transfer.out_length;
	struct hsm_message_header header;
	size_t length;

	if (size < HEAD)
		return -EBADMSG;
	atomic_fetch_add_explicit(&request->link->bytes, size, memory_order_relaxed);
	memcpy(&header, request->response, HEAD);
	if (le32toh(header.channel) != request->link->id ||
	    le64toh(header.sequence) != request->sequence)
		return -EBADMSG;
	if (hsm_open_message(request->link->seal, HSM_TO_HOST, request->response, size, &length))
		return -EBADMSG;
	return parse_answer(request, length);
}

static int unsent(struct hsm_request *request, struct hsm_error *error)
{
	request->fate = FATE_NOT_SENT;
	return set_error(error, request->transfer.result, HSM_LAYER_TRANSPORT,
			 "%s was not sent: %s", request->info->name,
			 strerrordesc_np(-request->transfer.result));
}

static int lost(struct hsm_request *request, int err, struct hsm_error *error)
{
	atomic_store(&request->link->dead, true);
	request->fate = FATE_LOST;
	if (request->transfer.timed_out)
		return set_error(error, -ETIMEDOUT, HSM_LAYER_TRANSPORT,
				 "%s took longer than the device allows and was given up",
				 request->info->name);
	return set_error(
		error, err, HSM_LAYER_TRANSPORT,
		"the channel was lost while %s was executed; it may or may not have taken effect",
		request->info->name);
}

/*
 * A completion that carries no answer. Its status is not authenticated: it proves nothing about
 * the command.
 */
static int refused(struct hsm_request *request, struct hsm_error *error)
{
	switch (request->transfer.status) {
	case IHSM_SC_ABORTED:
	case IHSM_SC_QUEUE_DELETED:
		return lost(request, -ECONNRESET, error);
	case IHSM_SC_NO_CHANNEL:
	case IHSM_SC_INVALID_CONTEXT:
		set_status_error(error, request->transfer.status, request->info->name);
		if (error)
			error->error = -ECONNRESET;
		atomic_store(&request->link->dead, true);
		request->fate = FATE_LOST;
		return -ECONNRESET;
	case IHSM_SC_AUTHENTICATION:
	case IHSM_SC_REPLAYED:
	case IHSM_SC_INVALID_MESSAGE:
	case IHSM_SC_DATA_TRANSFER:
		request->fate = FATE_GARBLED;
		set_status_error(error, request->transfer.status, request->info->name);
		if (error)
			error->error = -EIO;
		return -EIO;
	default:
		return set_status_error(error, request->transfer.status, request->info->name);
	}
}

int request_finish(struct hsm_request *request, struct hsm_error *error)
{
	struct transport *transport = request->channel->device->transport;
	struct transfer *transfer = &request->transfer;

	if (request->state == REQUEST_SENT)
		transport->ops->wait(transport, transfer);
	request->state = REQUEST_ENDED;
	request->fate = FATE_FINAL;
	if (transfer->result)
		return transfer->unsent ? unsent(request, error)
					: lost(request, -ECONNRESET, error);
	if (transfer->status != IHSM_SC_SUCCESS)
		return refused(request, error);
	if (open_answer(request) == 0)
		return 0;
	request->fate = FATE_GARBLED;
	return set_error(error, -EIO, HSM_LAYER_CHANNEL,
			 "the answer to %s was damaged or forged on the way", request->info->name);
}

/* ---- calls ---- */

static int check_request(struct hsm_request *request, struct hsm_error *error)
{
	clear_error(error);
	if (guard_forked(&request->channel->device->guard))
		return set_error(
			error, -ECHILD, HSM_LAYER_SYSTEM,
			"this process is a fork of the one that opened the channel; open it anew");
	if (request->state == REQUEST_SENT)
		return set_error(error, -EBUSY, HSM_LAYER_CONFIG, "the request was sent already");
	if (request->writer.error)
		return set_error(error, request->writer.error, HSM_LAYER_CONFIG,
				 "%s: the arguments do not fit one command", request->info->name);
	return 0;
}

/* Put the request back to where its fields were written, so that it can be sent once more. */
static int rewind_request(struct hsm_request *request, struct hsm_error *error)
{
	if (!request->link || request_reopen(request) == 0)
		return 0;
	return set_error(error, -EIO, HSM_LAYER_CHANNEL, "%s cannot be sent again",
			 request->info->name);
}

/* The table says what may be repeated; a message that the device never saw is always free to go. */
static bool may_repeat(const struct hsm_request *request)
{
	switch (request->fate) {
	case FATE_NOT_SENT:
		return request->session == 0;
	case FATE_LOST:
		return request->info->repeat && request->session == 0 &&
		       !request->transfer.timed_out;
	case FATE_GARBLED:
		return request->info->repeat;
	default:
		return false;
	}
}

static int start(struct hsm_request *request, struct hsm_error *error)
{
	struct link *link;
	int err;

	/* A request that is sent once more after its end was sealed in place. */
	if (request->state == REQUEST_ENDED) {
		err = rewind_request(request, error);
		if (err)
			return err;
	}
	request->fate = FATE_FINAL;
	request->state = REQUEST_NEW;
	err = channel_enter(request->channel, request, &link, error);
	return err ? err : request_start(request, link, error);
}

static int answered(struct hsm_request *request, struct hsm_error *error)
{
	if (request->rv && error) {
		error->layer = HSM_LAYER_COMMAND;
		error->rv = request->rv;
	}
	return 0;
}

int hsm_call(struct hsm_request *request, struct hsm_error *error)
{
	int err = check_request(request, error);

	if (err)
		return err;
	for (int tries = 0;; tries++) {
		err = start(request, error);
		if (!err)
			err = request_finish(request, error);
		if (!err)
			break;
		if (tries == RETRIES || !may_repeat(request))
			return err;
	}
	clear_error(error);
	return answered(request, error);
}

int hsm_submit(struct hsm_request *request, struct hsm_error *error)
{
	int err = check_request(request, error);

	if (err)
		return err;
	request->transfer.notify = true;
	for (int tries = 0;; tries++) {
		err = start(request, error);
		if (!err || tries == RETRIES || !may_repeat(request))
			return err;
	}
}

int hsm_wait(struct hsm_request *request, struct hsm_error *error)
{
	int err;

	clear_error(error);
	if (guard_forked(&request->channel->device->guard))
		return set_error(error, -ECHILD, HSM_LAYER_SYSTEM,
				 "this process is a fork of the one that sent the request");
	if (request->state != REQUEST_SENT)
		return set_error(error, -EINVAL, HSM_LAYER_CONFIG, "the request was not submitted");
	err = request_finish(request, error);
	return err ? err : answered(request, error);
}

int hsm_poll(struct hsm_request *request)
{
	struct transport *transport = request->channel->device->transport;

	if (guard_forked(&request->channel->device->guard))
		return -ECHILD;
	if (request->state != REQUEST_SENT)
		return -EINVAL;
	if (transfer_done(&request->transfer))
		return 1;
	transport->ops->poll(transport);
	return transfer_done(&request->transfer);
}

/* ---- results ---- */

uint64_t hsm_request_rv(const struct hsm_request *request)
{
	return request->rv;
}

bool hsm_request_approved(const struct hsm_request *request)
{
	return request->approved;
}

bool hsm_request_again(const struct hsm_request *request)
{
	return request->again;
}

uint32_t hsm_request_session(const struct hsm_request *request)
{
	return request->answered_session;
}

const struct hsm_fields *hsm_request_fields(const struct hsm_request *request)
{
	return &request->fields;
}
