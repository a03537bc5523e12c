// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzzing of messages and commands. The first byte of an input picks what is tried: a clear or sealed message as it comes
 * from the ring, or a list of opened commands of a user with a session. Long operations (PIN checks, RSA generation) are
 * refused by the transport played here, so that an input takes no time.
 */
#include "firmware/commands_testing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t request[HSM_MESSAGE_MAX], response[HSM_MESSAGE_MAX];
static struct partition *partition;

static void start(void)
{
	board_clear();
	board_add(0, 0x11, 0);
	board.hello = (struct board_hello){ .function = 1, .functions = 2 };
	assert_int_equal(commands_start(&board.hello), 0);
	partition = partition_find(board.partition[0].info.id);
	assert_non_null(partition);
}

/* A message as the transport hands it over */
static void try_message(const uint8_t *data, size_t size)
{
	const struct context_info info = { .id = 1, .epoch = 3 };
	struct firmware_context *context;
	struct task task = { 0 };
	size_t written;

	if (size > sizeof(request) || context_open(&info, &context))
		return;
	memcpy(request, data, size);
	if (message_execute(&task, context, request, size, response, sizeof(response), &written) ==
	    IHSM_SC_SUCCESS)
		assert_true(written <= sizeof(response));
	context_close(context);
}

/* What a command answered must be as well-formed as what libhsm accepts. */
static void check_response(size_t written)
{
	struct hsm_fields fields;

	assert_true(written >= sizeof(struct hsm_response_header));
	assert_int_equal(hsm_fields_parse(&fields, response + sizeof(struct hsm_response_header),
					  written - sizeof(struct hsm_response_header)),
			 0);
}

/* Commands one after the other: u16 length, then a command header whose session is filled in, and fields */
static void run_commands(struct client *client, uint32_t session, const uint8_t *data, size_t size)
{
	struct task task = { .refuse_long = true };
	size_t length, written, room;

	while (size > 2) {
		length = hsm_get_le16(data);
		data += 2;
		size -= 2;
		if (length > size)
			length = size;
		memcpy(request, data, length);
		if (length >= sizeof(struct hsm_command_header)) {
			session = htole32(session);
			memcpy(request + 4, &session, sizeof(session));
			session = le32toh(session);
		}
		room = length & 1 ? HSM_RESPONSE_MIN : sizeof(response);
		/* CHANNEL_* need a channel; libhsm's tests have them. */
		if (length < 2 || (hsm_get_le16(request) & ~7U) != 0) {
			if (command_execute(&task, NULL, client, request, length, response, room,
					    &written) == IHSM_SC_SUCCESS)
				check_response(written);
		}
		data += length;
		size -= length;
	}
}

static void try_commands(const uint8_t *data, size_t size)
{
	static const uint8_t private_key[SECRET_SIZE] = { 7 };
	struct client *client = client_new(partition, NULL, false);
	struct partition_state next;
	uint32_t session;

	assert_int_equal(session_open(client, true, &session), CKR_OK);
	pthread_mutex_lock(&partition->lock);
	assert_int_equal(partition_login(partition, client, CKU_USER, private_key), CKR_OK);
	pthread_mutex_unlock(&partition->lock);
	run_commands(client, session, data, size);
	client_close(client);
	client_put(client);
	/* The next input finds what this one found, and meets the same handles. */
	partition->next_session_object = 0;
	pthread_mutex_lock(&partition->commit_lock);
	next = partition->state;
	next.next_id = 1;
	assert_int_equal(partition_reset(partition, &next), CKR_OK);
	pthread_mutex_unlock(&partition->commit_lock);
	assert_int_equal(partition->sessions, 0);
	assert_int_equal(partition->session_objects, 0);
	assert_int_equal(partition->session_bytes, 0);
	assert_int_equal(partition->token_bytes, 0);
	assert_int_equal(partition->logins, 0);
	assert_int_equal(partition->index.count, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!partition)
		start();
	if (!size)
		return 0;
	if (*data & 1)
		try_commands(data + 1, size - 1);
	else
		try_message(data + 1, size - 1);
	return 0;
}
