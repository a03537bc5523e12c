// SPDX-License-Identifier: Apache-2.0
/*
 * The storage socket: a table of the requests in <hsm/board.h>, and a thread per running function
 * that answers them one at a time. The descriptor that a request came on is its authorization.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include "tamper.h"

/**
 * struct storage_call - a request being answered
 * @body, @length: of the request
 * @reply, @capacity: room for the reply's body
 * @reply_length: set by the handler
 */
struct storage_call {
	struct board *board;
	struct state *state;
	uint32_t function;
	const uint8_t *body;
	size_t length;
	uint8_t *reply;
	size_t capacity;
	size_t reply_length;
};

static int handle_hello(struct storage_call *call)
{
	const struct bundle *bundle = board_bundle(call->board, call->function);
	const struct board_options *options = call->board->options;
	struct board_hello hello = {
		.function = call->function,
		.functions = options->functions,
		.dma_bits = options->dma_bits,
		.max_queues = options->queues,
		.spin_us = options->spin_us,
		.incarnation = board_starts(call->board, call->function),
	};

	hello.sensors = TAMPER_SENSORS;
	state_identity(call->state, &hello);
	hello.security_version = bundle->security_version;
	if (board_trial(call->board, call->function))
		hello.flags |= BOARD_HELLO_TRIAL;
	memcpy(hello.measurement, bundle->measurement, sizeof(hello.measurement));
	_Static_assert(sizeof(hello.version) == sizeof(bundle->version), "version");
	memcpy(hello.version, bundle->version, sizeof(hello.version));
	memcpy(call->reply, &hello, sizeof(hello));
	call->reply_length = sizeof(hello);
	return 0;
}

static int handle_list(struct storage_call *call)
{
	struct board_partition *list;
	size_t count;
	int ret;

	list = calloc(BOARD_MAX_PARTITIONS, sizeof(*list));
	if (!list)
		return -ENOMEM;
	ret = state_list(call->state, call->function, list, call->capacity / sizeof(*list), &count);
	if (!ret) {
		call->reply_length = count * sizeof(*list);
		memcpy(call->reply, list, call->reply_length);
	}
	free(list);
	return ret;
}

static int handle_open(struct storage_call *call)
{
	struct board_open opened;
	int ret;

	ret = state_partition_open(call->state, call->function, call->body, &opened,
				   call->reply + sizeof(opened), call->capacity - sizeof(opened));
	if (!ret) {
		memcpy(call->reply, &opened, sizeof(opened));
		call->reply_length = sizeof(opened) + opened.header_length;
	}
	OPENSSL_cleanse(&opened, sizeof(opened));
	return ret;
}

static int handle_rows(struct storage_call *call)
{
	struct board_rows request;

	memcpy(&request, call->body, sizeof(request));
	return state_rows(call->state, call->function, &request, call->reply, call->capacity,
			  &call->reply_length);
}

static int handle_commit(struct storage_call *call)
{
	struct board_committed committed = { 0 };
	int ret;

	ret = state_commit(call->state, call->function, call->body, call->length, &committed);
	if (!ret) {
		memcpy(call->reply, &committed, sizeof(committed));
		call->reply_length = sizeof(committed);
	}
	return ret;
}

static int handle_validation(struct storage_call *call)
{
	const struct validation *validation = &call->board->validation;

	memcpy(call->reply, validation->attributes, validation->length);
	call->reply_length = validation->length;
	return 0;
}

static int handle_alias(struct storage_call *call)
{
	const struct bundle *bundle = board_bundle(call->board, call->function);

	return dice_alias(call->state, bundle, call->function, call->body, call->reply,
			  call->capacity, &call->reply_length);
}

static int handle_device_request(struct storage_call *call)
{
	struct board_device request;

	memcpy(&request, call->body, sizeof(request));
	return dice_request(call->state, request.algorithm, call->reply, call->capacity,
			    &call->reply_length);
}

/* Every partition's chain ends in other certificates now. */
static void all_partitions_changed(struct storage_call *call)
{
	struct board_partition *list = calloc(BOARD_MAX_PARTITIONS, sizeof(*list));
	size_t i, count = 0;

	if (list && state_list(call->state, 0, list, BOARD_MAX_PARTITIONS, &count) == 0)
		for (i = 0; i < count; i++)
			board_partition_changed(call->board, list[i].function, list[i].id);
	free(list);
}

static int handle_device_install(struct storage_call *call)
{
	struct board_device request;
	int ret;

	if (call->length < sizeof(request))
		return -EINVAL;
	memcpy(&request, call->body, sizeof(request));
	ret = dice_install(call->state, request.algorithm, call->body + sizeof(request),
			   call->length - sizeof(request));
	if (!ret)
		all_partitions_changed(call);
	return ret;
}

static int handle_policy(struct storage_call *call)
{
	return state_policy(call->state, call->function, call->body, call->reply, call->capacity,
			    &call->reply_length);
}

static void get_partition(const struct storage_call *call, struct board_partition *partition)
{
	memcpy(partition, call->body, sizeof(*partition));
}

/* What follows the structure */
static struct policy_bytes get_policy(const struct storage_call *call)
{
	return (struct policy_bytes){
		.data = call->body + sizeof(struct board_partition),
		.length = call->length - sizeof(struct board_partition),
	};
}

static int handle_create(struct storage_call *call)
{
	struct board_partition partition;
	int ret;

	if (call->length < sizeof(partition))
		return -EINVAL;
	get_partition(call, &partition);
	if (partition.function >= call->board->options->functions)
		return -EINVAL;
	ret = state_partition_create(call->state, &partition, get_policy(call));
	if (ret)
		return ret;
	memcpy(call->reply, &partition, sizeof(partition));
	call->reply_length = sizeof(partition);
	board_partition_changed(call->board, partition.function, partition.id);
	return 0;
}

static int handle_assign(struct storage_call *call)
{
	struct board_partition partition;
	uint32_t former = 0;
	int ret;

	get_partition(call, &partition);
	if (partition.function >= call->board->options->functions)
		return -EINVAL;
	ret = state_partition_assign(call->state, &partition, &former);
	if (ret || former == partition.function)
		return ret;
	board_partition_changed(call->board, former, partition.id);
	board_partition_changed(call->board, partition.function, partition.id);
	return 0;
}

static int handle_update(struct storage_call *call)
{
	struct board_partition partition;
	uint32_t function = 0;
	int ret;

	if (call->length < sizeof(partition))
		return -EINVAL;
	get_partition(call, &partition);
	ret = state_partition_update(call->state, &partition, get_policy(call), &function);
	if (!ret)
		board_partition_changed(call->board, function, partition.id);
	return ret;
}

static int handle_destroy(struct storage_call *call)
{
	uint32_t former = 0;
	int ret;

	ret = state_partition_destroy(call->state, call->body, &former);
	if (!ret)
		board_partition_changed(call->board, former, call->body);
	return ret;
}

/* What goes, then the document */
static int handle_retire(struct storage_call *call)
{
	struct board_retire retire;
	int ret;

	if (call->length <= sizeof(retire) || call->length > sizeof(retire) + BOARD_BLOB_MAX)
		return -EINVAL;
	memcpy(&retire, call->body, sizeof(retire));
	ret = state_retire(call->state, call->function, &retire, call->body + sizeof(retire),
			   call->length - sizeof(retire));
	if (!ret) {
		board_partition_changed(call->board, call->function, retire.partition);
		board_events_wait(call->board);
	}
	return ret;
}

static int handle_receipt(struct storage_call *call)
{
	return state_receipt(call->state, call->body, call->reply, call->capacity,
			     &call->reply_length);
}

static int handle_claim(struct storage_call *call)
{
	return claim_try(call->state, call->body, call->length);
}

static int handle_counter(struct storage_call *call)
{
	uint64_t counter;
	int ret;

	ret = state_counter(call->state, &counter);
	if (!ret) {
		memcpy(call->reply, &counter, sizeof(counter));
		call->reply_length = sizeof(counter);
	}
	return ret;
}

static int handle_sensors(struct storage_call *call)
{
	struct board_sensor list[TAMPER_SENSORS];
	size_t count = tamper_list(call->board, list);

	call->reply_length = count * sizeof(list[0]);
	memcpy(call->reply, list, call->reply_length);
	return 0;
}

static int handle_events(struct storage_call *call)
{
	return state_events(call->state, call->reply, call->capacity, &call->reply_length);
}

static int handle_events_taken(struct storage_call *call)
{
	uint64_t serial;

	memcpy(&serial, call->body, sizeof(serial));
	return state_events_taken(call->state, serial);
}

/* Only of the device's log there is a signature: function 0 has no tenant. */
static int handle_log_head(struct storage_call *call)
{
	struct board_log_head head;
	size_t length = call->length - sizeof(head);
	int ret;

	if (call->length < sizeof(head) || length > BOARD_SIGNED_HEAD_MAX)
		return -EINVAL;
	memcpy(&head, call->body, sizeof(head));
	ret = state_log_head(call->state, call->function, &head);
	if (!ret && call->function == 0 && length)
		heads_sign(&call->board->signed_head, call->body + sizeof(head), length);
	return ret;
}

/* Firmware knows itself what of its own self-tests came out; anything else is not for it to say. */
static int handle_report(struct storage_call *call)
{
	struct board_event said, event = { .function = call->function };

	memcpy(&said, call->body, sizeof(said));
	if (said.event != HSM_AUDIT_SELF_TEST && said.event != HSM_AUDIT_SELF_TEST_FAILED)
		return -EINVAL;
	event.event = said.event;
	text_printable(event.detail, said.detail, sizeof(event.detail));
	board_event(call->board, &event);
	return 0;
}

static int handle_condition(struct storage_call *call)
{
	struct board_condition condition;

	state_condition(call->state, &condition);
	memcpy(call->reply, &condition, sizeof(condition));
	call->reply_length = sizeof(condition);
	return 0;
}

static int handle_lifecycle(struct storage_call *call)
{
	uint32_t next;
	int ret;

	memcpy(&next, call->body, sizeof(next));
	/* What takes over was chosen, and its trial noted, under the present one. */
	if (update_runs(call->board))
		return -EBUSY;
	/* It would not start any more. */
	if (next == HSM_LIFECYCLE_PRODUCTION && bundle_is_development(board_bundle(call->board, 0)))
		return -EKEYREVOKED;
	ret = state_set_lifecycle(call->state, next);
	if (ret != -EINVAL)
		board_state_changed(call->board);
	return ret;
}

/* Not while what happened still goes on. */
static int handle_recover(struct storage_call *call)
{
	int ret;

	if (tamper_alarm(call->board))
		return -EBUSY;
	ret = state_recover(call->state);
	if (!ret)
		board_state_changed(call->board);
	return ret;
}

static int handle_accept(struct storage_call *call)
{
	uint32_t function = 0;
	int ret;

	ret = state_accept(call->state, call->body, &function);
	if (!ret)
		board_partition_changed(call->board, function, call->body);
	return ret;
}

static int handle_ladder(struct storage_call *call)
{
	struct board_ladder ladder = { 0 };
	int ret;

	ret = state_ladder(call->state, call->function, call->body, &ladder);
	if (!ret) {
		memcpy(call->reply, &ladder, sizeof(ladder));
		call->reply_length = sizeof(ladder);
	}
	OPENSSL_cleanse(&ladder, sizeof(ladder));
	return ret;
}

static int handle_firmware(struct storage_call *call)
{
	call->reply_length = update_describe(call->board, call->reply);
	return 0;
}

static int handle_activate(struct storage_call *call)
{
	return update_activate(call->board, call->body);
}

static int handle_minimum(struct storage_call *call)
{
	uint32_t version;
	int ret;

	memcpy(&version, call->body, sizeof(version));
	ret = state_set_minimum(call->state, version);
	if (!ret)
		board_events_wait(call->board);
	return ret;
}

#define ANY_LENGTH SIZE_MAX

static int handle_stage(struct storage_call *call)
{
	struct board_stage request;

	if (call->length < sizeof(request))
		return -EINVAL;
	memcpy(&request, call->body, sizeof(request));
	return stage_handle(call->board, &request, call->body + sizeof(request),
			    call->length - sizeof(request));
}

static int handle_grant(struct storage_call *call)
{
	struct board_grant grant;

	memcpy(&grant, call->body, sizeof(grant));
	return grant_add(&call->board->grants, &grant);
}

static int handle_grant_take(struct storage_call *call)
{
	struct board_grant grant;
	bool own;
	int ret;

	memcpy(&grant, call->body, sizeof(grant));
	ret = state_enter(call->state);
	if (ret)
		return ret;
	own = state_own_entry(call->state, call->function, grant.partition) != NULL;
	state_leave(call->state);
	return own ? grant_take(&call->board->grants, &grant) : -ENOENT;
}

/**
 * struct storage_request - a row of the table
 * @length: of the body, or ANY_LENGTH
 * @admin: for function 0 alone
 */
static const struct storage_request {
	enum board_request type;
	const char *name;
	size_t length;
	bool admin;
	int (*handle)(struct storage_call *call);
} requests[] = {
	{ BOARD_HELLO, "hello", 0, false, handle_hello },
	{ BOARD_LIST, "list", 0, false, handle_list },
	{ BOARD_OPEN, "open", PARTITION_ID_SIZE, false, handle_open },
	{ BOARD_ROWS, "rows", sizeof(struct board_rows), false, handle_rows },
	{ BOARD_COMMIT, "commit", ANY_LENGTH, false, handle_commit },
	{ BOARD_VALIDATION, "validation", 0, false, handle_validation },
	{ BOARD_POLICY, "policy", PARTITION_ID_SIZE, false, handle_policy },
	{ BOARD_ALIAS, "alias", PARTITION_ID_SIZE, false, handle_alias },
	{ BOARD_DEVICE_REQUEST, "device request", sizeof(struct board_device), true,
	  handle_device_request },
	{ BOARD_DEVICE_INSTALL, "device install", ANY_LENGTH, true, handle_device_install },
	{ BOARD_EVENTS, "events", 0, true, handle_events },
	{ BOARD_EVENTS_TAKEN, "events taken", sizeof(uint64_t), true, handle_events_taken },
	{ BOARD_LOG_HEAD, "log head", ANY_LENGTH, false, handle_log_head },
	{ BOARD_REPORT, "report", sizeof(struct board_event), false, handle_report },
	{ BOARD_SENSORS, "sensors", 0, false, handle_sensors },
	{ BOARD_CONDITION, "condition", 0, false, handle_condition },
	{ BOARD_LIFECYCLE, "lifecycle", sizeof(uint32_t), true, handle_lifecycle },
	{ BOARD_RECOVER, "recover", 0, true, handle_recover },
	{ BOARD_ACCEPT, "accept", PARTITION_ID_SIZE, true, handle_accept },
	{ BOARD_LADDER, "ladder", PARTITION_ID_SIZE, false, handle_ladder },
	{ BOARD_FIRMWARE, "firmware", 0, true, handle_firmware },
	{ BOARD_ACTIVATE, "activate", BOARD_HASH_SIZE, true, handle_activate },
	{ BOARD_MINIMUM, "minimum", sizeof(uint32_t), true, handle_minimum },
	{ BOARD_PARTITION_CREATE, "create", ANY_LENGTH, true, handle_create },
	{ BOARD_PARTITION_ASSIGN, "assign", sizeof(struct board_partition), true, handle_assign },
	{ BOARD_PARTITION_DESTROY, "destroy", PARTITION_ID_SIZE, true, handle_destroy },
	{ BOARD_CLAIM, "claim", ANY_LENGTH, true, handle_claim },
	{ BOARD_COUNTER, "counter", 0, true, handle_counter },
	{ BOARD_STAGE, "stage", ANY_LENGTH, true, handle_stage },
	{ BOARD_GRANT, "grant", sizeof(struct board_grant), true, handle_grant },
	{ BOARD_GRANT_TAKE, "take grant", sizeof(struct board_grant), false, handle_grant_take },
	{ BOARD_PARTITION_UPDATE, "update", ANY_LENGTH, true, handle_update },
	{ BOARD_RETIRE, "retire", ANY_LENGTH, false, handle_retire },
	{ BOARD_RECEIPT, "receipt", PARTITION_ID_SIZE, true, handle_receipt },
};

static const struct storage_request *find_request(uint32_t type)
{
	size_t i;

	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		if (requests[i].type == type)
			return &requests[i];
	return NULL;
}

/* Faults of the store are the operator's business as well; the rest is between the two programs. */
static void log_fault(const struct storage_call *call, const struct storage_request *request,
		      int status)
{
	const char *advice = "";

	switch (status) {
	case -ENOSPC:
		advice = "; make room, nothing was lost";
		break;
	case -EBADMSG:
		advice = "; the database is damaged there, restore the newest copy of the state or "
			 "destroy the partition";
		break;
	case -EIO:
	case -EROFS:
	case -ENOMEM:
		break;
	default:
		return;
	}
	board_log("function %u: storage request %s failed: %s%s", call->function, request->name,
		  strerror(-status), advice);
}

static int dispatch(struct storage_call *call, uint32_t type)
{
	const struct storage_request *request = find_request(type);
	int ret;

	if (!request)
		return -EOPNOTSUPP;
	if (request->admin && call->function != 0)
		return -EACCES;
	if (request->length != ANY_LENGTH && request->length != call->length)
		return -EINVAL;
	ret = request->handle(call);
	if (ret)
		log_fault(call, request, ret);
	return ret;
}

ssize_t storage_handle(struct board *board, uint32_t function, const uint8_t *request,
		       size_t length, uint8_t *reply)
{
	struct board_message head;
	struct storage_call call = {
		.board = board,
		.state = board->state,
		.function = function,
		.body = request + sizeof(head),
		.reply = reply + sizeof(head),
		.capacity = BOARD_MESSAGE_MAX - sizeof(head),
	};

	if (length < sizeof(head))
		return -EPROTO;
	memcpy(&head, request, sizeof(head));
	call.length = length - sizeof(head);
	if (head.length != call.length)
		return -EPROTO;
	head.status = dispatch(&call, head.type);
	if (head.status)
		call.reply_length = 0;
	head.length = (uint32_t)call.reply_length;
	memcpy(reply, &head, sizeof(head));
	return (ssize_t)(sizeof(head) + call.reply_length);
}

void storage_serve(struct board *board, uint32_t function, int fd)
{
	uint8_t *request, *reply;
	ssize_t got, n, sent;

	request = malloc(BOARD_MESSAGE_MAX + 1);
	reply = malloc(BOARD_MESSAGE_MAX);
	while (request && reply) {
		/* One byte more than allowed shows a message that is too long. */
		got = recv(fd, request, BOARD_MESSAGE_MAX + 1, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		n = got > BOARD_MESSAGE_MAX
			    ? -EPROTO
			    : storage_handle(board, function, request, (size_t)got, reply);
		/* That of BOARD_CLAIM has the claim code. */
		OPENSSL_cleanse(request, (size_t)got);
		if (n < 0) {
			board_log("function %u: malformed storage request", function);
			break;
		}
		sent = send(fd, reply, (size_t)n, MSG_NOSIGNAL);
		/* The replies of BOARD_OPEN and BOARD_ALIAS hold secrets. */
		OPENSSL_cleanse(reply, (size_t)n);
		if (sent != n)
			break;
	}
	/*
	 * A firmware that talks nonsense, or waits for an answer that will not come, sees the end.
	 */
	shutdown(fd, SHUT_RDWR);
	free(reply);
	free(request);
}
