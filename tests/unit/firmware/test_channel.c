// SPDX-License-Identifier: Apache-2.0
/*
 * Channels: discovery, handshake, sealed messages, and what must not pass.
 */
#include "commands_testing.h"

static void discovery_lists_partitions(void **state)
{
	struct firmware_context *context;
	struct peer *peer = peer_alloc();
	const struct context_info info = { .id = 1, .epoch = 3 };
	size_t length;

	(void)state;
	assert_int_equal(context_open(&info, &context), 0);
	peer->context = context;
	assert_int_equal(peer_clear(peer, HSM_MESSAGE_DISCOVER, 0, 0), IHSM_SC_SUCCESS);
	assert_non_null(hsm_fields_bytes(&peer->fields, HSM_FIELD_PARTITIONS, &length));
	assert_int_equal(length, 2 * sizeof(struct hsm_partition_record));
	assert_int_equal(commands_partitions(), 2);
	peer_free(peer);
}

static void nop_echoes(void **state)
{
	struct peer *peer = peer_new(0);
	struct hsm_writer out = peer_fields(peer);
	const uint8_t *data;
	size_t length;

	(void)state;
	hsm_put_bytes(&out, HSM_FIELD_DATA, "hello", 5);
	assert_int_equal(peer_call(peer, HSM_OP_NOP, &out), CKR_OK);
	data = hsm_fields_bytes(&peer->fields, HSM_FIELD_DATA, &length);
	assert_int_equal(length, 5);
	assert_memory_equal(data, "hello", 5);
	peer_free(peer);
}

static void unknown_partition(void **state)
{
	struct peer *peer = peer_new(0);
	uint8_t id[16] = { 9 };

	(void)state;
	hsm_seal_free(peer->seal);
	peer->seal = NULL;
	assert_int_equal(peer_connect(peer, id), IHSM_SC_NO_PARTITION);
	peer_free(peer);
}

static void replay_is_refused(void **state)
{
	struct peer *peer = peer_new(0);

	(void)state;
	assert_int_equal(peer_call(peer, HSM_OP_NOP, NULL), CKR_OK);
	peer->sequence = 0;
	peer_call(peer, HSM_OP_NOP, NULL);
	assert_int_equal(peer->status, IHSM_SC_REPLAYED);
	/* Out of order is well within the window. */
	peer->sequence = 900;
	assert_int_equal(peer_call(peer, HSM_OP_NOP, NULL), CKR_OK);
	peer->sequence = 5;
	assert_int_equal(peer_call(peer, HSM_OP_NOP, NULL), CKR_OK);
	peer_free(peer);
}

static enum ihsm_status send_flipped(struct peer *peer, size_t at)
{
	size_t n;
	int size;

	memset(peer->request + 24, 0, 8);
	peer->request[24] = HSM_OP_NOP;
	size = hsm_seal_message(peer->seal, HSM_TO_DEVICE, peer->channel, peer->sequence++,
				peer->request, 8);
	peer->request[at] ^= 1;
	return message_execute(&peer->task, peer->context, peer->request, size, peer->response,
			       sizeof(peer->response), &n);
}

static void changed_messages_are_refused(void **state)
{
	struct peer *peer = peer_new(0);
	size_t i;

	(void)state;
	for (i = 0; i < 24 + 8 + 16; i++)
		assert_int_not_equal(send_flipped(peer, i), IHSM_SC_SUCCESS);
	assert_int_equal(peer_call(peer, HSM_OP_NOP, NULL), CKR_OK);
	peer_free(peer);
}

static void thousand_bad_tags_close(void **state)
{
	struct peer *peer = peer_new(0);
	int i;

	(void)state;
	for (i = 0; i < 999; i++)
		assert_int_equal(send_flipped(peer, 30), IHSM_SC_AUTHENTICATION);
	assert_int_equal(peer_call(peer, HSM_OP_NOP, NULL), CKR_OK);
	assert_int_equal(send_flipped(peer, 30), IHSM_SC_AUTHENTICATION);
	peer_call(peer, HSM_OP_NOP, NULL);
	assert_int_equal(peer->status, IHSM_SC_NO_CHANNEL);
	peer_free(peer);
}

static void other_context_has_no_channel(void **state)
{
	struct peer *one = peer_new(0), *two = peer_new(1);
	struct firmware_context *own = one->context;

	(void)state;
	one->context = two->context;
	/* Same channel number, other keys: it does not authenticate. Other numbers do not exist. */
	peer_call(one, HSM_OP_NOP, NULL);
	assert_int_equal(one->status, IHSM_SC_AUTHENTICATION);
	one->channel += 1;
	peer_call(one, HSM_OP_NOP, NULL);
	assert_int_equal(one->status, IHSM_SC_NO_CHANNEL);
	one->context = own;
	peer_free(one);
	peer_free(two);
}

static void small_response_is_refused_before_execution(void **state)
{
	struct peer *peer = peer_new(0);
	struct hsm_writer out = peer_fields(peer);

	(void)state;
	hsm_put_u64(&out, HSM_FIELD_FLAGS, CKF_SERIAL_SESSION);
	peer_send(peer, HSM_OP_SESSION_OPEN, &out, HSM_RESPONSE_MIN - 1);
	assert_int_equal(peer->status, IHSM_SC_TOO_SMALL);
	assert_int_equal(peer_call(peer, HSM_OP_TOKEN_INFO, NULL), CKR_OK);
	assert_int_equal(peer_u64(peer, HSM_FIELD_SESSIONS), 0);
	peer_free(peer);
}

/* The fifth ends the first, and the first alone. */
static void half_done_handshakes_are_bounded(void **state)
{
	const struct context_info info = { .id = 1, .epoch = 3 };
	struct peer *peer = peer_alloc();
	SSL_CTX *tls[5];
	SSL *ssl[5];
	uint32_t channel[5];
	int i;

	(void)state;
	assert_int_equal(context_open(&info, &peer->context), 0);
	for (i = 0; i < 5; i++) {
		ssl[i] = peer_tls(&tls[i]);
		SSL_do_handshake(ssl[i]);
		peer->channel = 0;
		peer_exchange(peer, ssl[i], board.partition[0].info.id);
		assert_int_equal(peer->status, IHSM_SC_SUCCESS);
		channel[i] = peer->channel;
	}
	for (i = 0; i < 5; i++) {
		SSL_do_handshake(ssl[i]);
		peer->channel = channel[i];
		peer_exchange(peer, ssl[i], NULL);
		assert_int_equal(peer->status, i ? IHSM_SC_SUCCESS : IHSM_SC_NO_CHANNEL);
		SSL_free(ssl[i]);
		SSL_CTX_free(tls[i]);
	}
	peer_free(peer);
}

static void garbage_handshake_is_refused(void **state)
{
	const struct context_info info = { .id = 1, .epoch = 3 };
	struct peer *peer = peer_alloc();
	struct hsm_writer out;
	uint8_t garbage[300];
	int i;

	(void)state;
	memset(garbage, 0xa5, sizeof(garbage));
	assert_int_equal(context_open(&info, &peer->context), 0);
	for (i = 0; i < 20; i++) {
		hsm_writer_init(&out, peer->request + 24, 1024);
		hsm_put_bytes(&out, HSM_FIELD_PARTITION, board.partition[0].info.id, 16);
		hsm_put_bytes(&out, HSM_FIELD_TLS, garbage, sizeof(garbage));
		assert_int_equal(peer_clear(peer, HSM_MESSAGE_HANDSHAKE, 0, out.length),
				 IHSM_SC_HANDSHAKE);
	}
	peer_free(peer);
}

static void sessions_move_to_a_successor(void **state)
{
	struct peer *peer = peer_new(0);
	struct hsm_seal *old = peer->seal, *new;
	struct hsm_writer out;
	uint8_t token[32];
	const uint8_t *field;
	uint32_t channel = peer->channel, old_channel;
	uint64_t sequence;
	size_t length;

	(void)state;
	peer_setup(peer);
	assert_int_equal(peer_call(peer, HSM_OP_CHANNEL_OFFER, NULL), CKR_OK);
	field = hsm_fields_bytes(&peer->fields, HSM_FIELD_TOKEN, &length);
	assert_int_equal(length, sizeof(token));
	memcpy(token, field, sizeof(token));
	sequence = peer->sequence;
	assert_int_equal(peer_connect(peer, board.partition[0].info.id), IHSM_SC_SUCCESS);
	assert_int_not_equal(peer->channel, channel);
	token[3] ^= 1;
	out = peer_fields(peer);
	hsm_put_bytes(&out, HSM_FIELD_TOKEN, token, sizeof(token));
	assert_int_equal(peer_call(peer, HSM_OP_CHANNEL_TAKE, &out), CKR_ARGUMENTS_BAD);
	token[3] ^= 1;
	out = peer_fields(peer);
	hsm_put_bytes(&out, HSM_FIELD_TOKEN, token, sizeof(token));
	assert_int_equal(peer_call(peer, HSM_OP_CHANNEL_TAKE, &out), CKR_OK);
	assert_int_equal(peer_call(peer, HSM_OP_SESSION_INFO, NULL), CKR_OK);
	assert_int_equal(peer_u64(peer, HSM_FIELD_STATE), CKS_RW_USER_FUNCTIONS);
	/* The old channel has gone. */
	old_channel = peer->channel;
	peer->channel = channel;
	peer->sequence = sequence;
	new = peer->seal;
	peer->seal = old;
	peer_call(peer, HSM_OP_NOP, NULL);
	assert_int_equal(peer->status, IHSM_SC_NO_CHANNEL);
	peer->seal = new;
	peer->channel = old_channel;
	hsm_seal_free(old);
	peer_free(peer);
}

static void lost_partition_closes_channels(void **state)
{
	struct peer *peer = peer_new(0), *other = peer_new(1);
	unsigned int events = test_events;

	(void)state;
	peer_setup(peer);
	assert_int_equal(test_events, events + 1);
	events = test_events;
	board.partition[0].exists = false;
	commands_partition_changed(board.partition[0].info.id);
	assert_int_equal(test_events, events + 1);
	peer_call(peer, HSM_OP_NOP, NULL);
	assert_int_equal(peer->status, IHSM_SC_NO_CHANNEL);
	assert_int_equal(peer_call(other, HSM_OP_NOP, NULL), CKR_OK);
	assert_int_equal(commands_partitions(), 1);
	peer_free(peer);
	peer_free(other);
}

static void malformed_commands_are_answered(void **state)
{
	struct peer *peer = peer_new(0);
	struct hsm_writer out;

	(void)state;
	assert_int_equal(peer_call(peer, 0x7777, NULL), CKR_FUNCTION_NOT_SUPPORTED);
	assert_int_equal(peer_call(peer, HSM_OP_SESSION_OPEN, NULL), CKR_ARGUMENTS_BAD);
	out = peer_fields(peer);
	hsm_put_u64(&out, HSM_FIELD_KEY, 1);
	assert_int_equal(peer_call(peer, HSM_OP_NOP, &out), CKR_ARGUMENTS_BAD);
	out = peer_fields(peer);
	hsm_put_raw(&out, "xyz", 3);
	assert_int_equal(peer_call(peer, HSM_OP_NOP, &out), CKR_ARGUMENTS_BAD);
	peer->session = 12345;
	assert_int_equal(peer_call(peer, HSM_OP_SESSION_INFO, NULL), CKR_SESSION_HANDLE_INVALID);
	assert_int_equal(peer_call(peer, HSM_OP_PARTITION_LIST, NULL), CKR_FUNCTION_NOT_SUPPORTED);
	peer_free(peer);
}

static void cancelled_commands_do_nothing(void **state)
{
	struct peer *peer = peer_new(0);

	(void)state;
	peer->task.cancelled = true;
	peer_token_init(peer, SO_PIN);
	assert_int_equal(peer->status, IHSM_SC_ABORTED);
	peer->task.cancelled = false;
	assert_int_equal(peer_call(peer, HSM_OP_TOKEN_INFO, NULL), CKR_OK);
	assert_false(peer_u64(peer, HSM_FIELD_FLAGS) & CKF_TOKEN_INITIALIZED);
	peer_free(peer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, board_setup, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(discovery_lists_partitions),
		TEST(nop_echoes),
		TEST(unknown_partition),
		TEST(replay_is_refused),
		TEST(changed_messages_are_refused),
		TEST(thousand_bad_tags_close),
		TEST(other_context_has_no_channel),
		TEST(small_response_is_refused_before_execution),
		TEST(half_done_handshakes_are_bounded),
		TEST(garbage_handshake_is_refused),
		TEST(sessions_move_to_a_successor),
		TEST(lost_partition_closes_channels),
		TEST(malformed_commands_are_answered),
		TEST(cancelled_commands_do_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
