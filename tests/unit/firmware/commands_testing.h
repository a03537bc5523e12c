/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of command execution: a client with a channel of its own, before a board that is made up.
 * Included by one file of each test program.
 */
#ifndef COMMANDS_TESTING_H
#define COMMANDS_TESTING_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <cmocka.h>
#include <openssl/bio.h>
#include "board_testing.h"

/* ---- client ---- */

/**
 * struct peer - an application with one channel
 * @fields, @response: of the last answer, good until the next call
 */
struct peer {
	struct firmware_context *context;
	struct hsm_seal *seal;
	uint32_t channel;
	uint64_t sequence;
	uint32_t session;
	struct task task;
	enum ihsm_status status;
	uint32_t answered_session;
	struct hsm_fields fields;
	uint8_t request[HSM_MESSAGE_MAX];
	uint8_t response[HSM_MESSAGE_MAX];
	size_t response_length;
};

MAYBE static struct peer *peer_alloc(void)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		abort();
	return peer;
}

MAYBE static enum ihsm_status peer_clear(struct peer *peer, enum hsm_message_kind kind,
					 uint32_t channel, size_t length)
{
	struct hsm_message_header header = { .version = HSM_PROTOCOL_VERSION,
					     .kind = kind,
					     .channel = htole32(channel),
					     .length = htole32(length) };

	memcpy(peer->request, &header, sizeof(header));
	peer->status = message_execute(&peer->task, peer->context, peer->request,
				       sizeof(header) + length, peer->response,
				       sizeof(peer->response), &peer->response_length);
	if (peer->status == IHSM_SC_SUCCESS)
		assert_int_equal(hsm_fields_parse(&peer->fields, peer->response + sizeof(header),
						  peer->response_length - sizeof(header)),
				 0);
	return peer->status;
}

static SSL *peer_tls(SSL_CTX **tls)
{
	SSL *ssl;

	*tls = SSL_CTX_new_ex(mech_libctx(), NULL, TLS_client_method());
	SSL_CTX_set_min_proto_version(*tls, TLS1_3_VERSION);
	ssl = SSL_new(*tls);
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(ssl);
	return ssl;
}

/* Send what TLS has to say, take what comes back. Return: is the device done? */
static bool peer_exchange(struct peer *peer, SSL *ssl, const uint8_t *partition)
{
	uint8_t records[8192];
	const uint8_t *answer;
	struct hsm_writer out;
	size_t n;

	n = BIO_ctrl_pending(SSL_get_wbio(ssl));
	assert_true(n <= sizeof(records));
	if (n)
		BIO_read(SSL_get_wbio(ssl), records, n);
	hsm_writer_init(&out, peer->request + 24, sizeof(peer->request) - 24);
	if (!peer->channel)
		hsm_put_bytes(&out, HSM_FIELD_PARTITION, partition, 16);
	hsm_put_bytes(&out, HSM_FIELD_TLS, records, n);
	if (peer_clear(peer, HSM_MESSAGE_HANDSHAKE, peer->channel, out.length) != IHSM_SC_SUCCESS)
		return false;
	peer->channel = hsm_get_le32(peer->response + 4);
	answer = hsm_fields_bytes(&peer->fields, HSM_FIELD_TLS, &n);
	if (n)
		BIO_write(SSL_get_rbio(ssl), answer, n);
	return hsm_fields_u64(&peer->fields, HSM_FIELD_DONE, 0);
}

MAYBE static enum ihsm_status peer_connect(struct peer *peer, const uint8_t *partition)
{
	SSL_CTX *tls;
	SSL *ssl = peer_tls(&tls);
	bool done = false;
	int i;

	peer->channel = 0;
	peer->sequence = 0;
	for (i = 0; i < 4 && !done; i++) {
		SSL_do_handshake(ssl);
		done = peer_exchange(peer, ssl, partition);
		if (peer->status != IHSM_SC_SUCCESS)
			break;
	}
	if (done) {
		assert_int_equal(SSL_do_handshake(ssl), 1);
		peer->seal = hsm_seal_new(mech_libctx(), ssl, partition, 3);
		assert_non_null(peer->seal);
	}
	SSL_free(ssl);
	SSL_CTX_free(tls);
	return peer->status;
}

MAYBE static struct peer *peer_new(int partition)
{
	const struct context_info info = { .id = 1, .epoch = 3, .owner = true };
	struct peer *peer = peer_alloc();

	assert_int_equal(context_open(&info, &peer->context), 0);
	assert_int_equal(peer_connect(peer, board.partition[partition].info.id), IHSM_SC_SUCCESS);
	return peer;
}

MAYBE static void peer_free(struct peer *peer)
{
	context_close(peer->context);
	hsm_seal_free(peer->seal);
	free(peer);
}

/* Where the fields of the next command go */
static struct hsm_writer peer_fields(struct peer *peer)
{
	struct hsm_writer out;

	hsm_writer_init(&out, peer->request + 24 + 8, 66 * 1024);
	return out;
}

/* Send a command as it stands in peer->request. Return: rv, or ~0 when it was not answered. */
static CK_RV peer_send(struct peer *peer, unsigned int operation, const struct hsm_writer *out,
		       size_t capacity)
{
	struct hsm_command_header header = { .operation = htole16(operation),
					     .session = htole32(peer->session) };
	size_t length;
	int size;

	assert_int_equal(out->error, 0);
	memcpy(peer->request + 24, &header, sizeof(header));
	size = hsm_seal_message(peer->seal, HSM_TO_DEVICE, peer->channel, peer->sequence,
				peer->request, sizeof(header) + out->length);
	assert_true(size > 0);
	peer->status = message_execute(&peer->task, peer->context, peer->request, size,
				       peer->response, capacity, &peer->response_length);
	peer->sequence++;
	if (peer->status != IHSM_SC_SUCCESS)
		return ~0UL;
	assert_int_equal(hsm_open_message(peer->seal, HSM_TO_HOST, peer->response,
					  peer->response_length, &length),
			 0);
	assert_true(length >= 16);
	assert_int_equal(hsm_get_le16(peer->response + 24), operation);
	peer->answered_session = hsm_get_le32(peer->response + 24 + 4);
	assert_int_equal(hsm_fields_parse(&peer->fields, peer->response + 24 + 16, length - 16), 0);
	return hsm_get_le64(peer->response + 24 + 8);
}

MAYBE static CK_RV peer_call(struct peer *peer, unsigned int operation,
			     const struct hsm_writer *out)
{
	struct hsm_writer none = peer_fields(peer);

	return peer_send(peer, operation, out ? out : &none, sizeof(peer->response));
}

MAYBE static uint64_t peer_u64(struct peer *peer, enum hsm_field_tag tag)
{
	assert_non_null(hsm_fields_find(&peer->fields, tag));
	return hsm_fields_u64(&peer->fields, tag, 0);
}

/* ---- what most tests begin with ---- */

#define SO_PIN	 "so secret"
#define USER_PIN "user secret"

MAYBE static CK_RV peer_token_init(struct peer *peer, const char *pin)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_bytes(&out, HSM_FIELD_PIN, pin, strlen(pin));
	hsm_put_bytes(&out, HSM_FIELD_LABEL, "test                            ", 32);
	return peer_call(peer, HSM_OP_TOKEN_INIT, &out);
}

MAYBE static CK_RV peer_session(struct peer *peer, bool rw)
{
	struct hsm_writer out = peer_fields(peer);
	CK_RV rv;

	hsm_put_u64(&out, HSM_FIELD_FLAGS, CKF_SERIAL_SESSION | (rw ? CKF_RW_SESSION : 0));
	rv = peer_call(peer, HSM_OP_SESSION_OPEN, &out);
	if (rv == CKR_OK)
		peer->session = peer->answered_session;
	return rv;
}

MAYBE static CK_RV peer_login(struct peer *peer, uint64_t user, const char *pin)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_USER, user);
	hsm_put_bytes(&out, HSM_FIELD_PIN, pin, strlen(pin));
	return peer_call(peer, HSM_OP_LOGIN, &out);
}

MAYBE static CK_RV peer_pin_init(struct peer *peer, const char *pin)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_bytes(&out, HSM_FIELD_NEW_PIN, pin, strlen(pin));
	return peer_call(peer, HSM_OP_PIN_INIT, &out);
}

/* ---- templates ---- */

struct test_attribute {
	uint64_t type;
	const void *value;
	size_t length;
	bool number;
	uint64_t u64;
};

#define A_BYTES(t, v, n) ((struct test_attribute){ .type = (t), .value = (v), .length = (n) })
#define A_TEXT(t, v)	 A_BYTES(t, v, strlen(v))
#define A_TRUE(t)	 A_BYTES(t, "\1", 1)
#define A_FALSE(t)	 A_BYTES(t, "\0", 1)
#define A_NUMBER(t, v)	 ((struct test_attribute){ .type = (t), .number = true, .u64 = (v) })
#define A_END		 ((struct test_attribute){ .type = ~0ULL })

MAYBE static void put_template(struct hsm_writer *out, enum hsm_field_tag tag,
			       const struct test_attribute *item)
{
	size_t mark = hsm_put_begin(out, tag);
	uint64_t value;

	for (; item->type != ~0ULL; item++) {
		value = htole64(item->u64);
		if (item->number)
			hsm_put_attribute(out, item->type, 0, &value, 8);
		else
			hsm_put_attribute(out, item->type, 0, item->value, item->length);
	}
	hsm_put_end(out, mark);
}

/* A_LIST(...) - a template in place */
#define A_LIST(...) ((const struct test_attribute[]){ __VA_ARGS__, A_END })

/* A token with both PINs, and a session of the user in it */
MAYBE static void peer_setup(struct peer *peer)
{
	assert_int_equal(peer_token_init(peer, SO_PIN), CKR_OK);
	assert_int_equal(peer_session(peer, true), CKR_OK);
	assert_int_equal(peer_login(peer, CKU_SO, SO_PIN), CKR_OK);
	assert_int_equal(peer_pin_init(peer, USER_PIN), CKR_OK);
	assert_int_equal(peer_call(peer, HSM_OP_LOGOUT, NULL), CKR_OK);
	assert_int_equal(peer_login(peer, CKU_USER, USER_PIN), CKR_OK);
}

MAYBE static int board_setup(void **state)
{
	(void)state;
	board_clear();
	board_add(0, 0x11, 0);
	board_add(1, 0x22, BOARD_PARTITION_STRICT);
	board.hello = (struct board_hello){ .function = 1, .functions = 2 };
	return commands_start(&board.hello);
}

MAYBE static int board_teardown(void **state)
{
	(void)state;
	commands_stop();
	board_clear();
	return 0;
}

/* As after kill -9: nothing in memory stays, the board's state does */
MAYBE static void board_restart(void)
{
	commands_stop();
	test_start = test_time;
	assert_int_equal(commands_start(&board.hello), 0);
}

/* Another policy for a partition, as fields: what they do not name is as its flags have it */
MAYBE static void board_set_policy(int partition, const struct hsm_writer *fields)
{
	struct test_partition *p = &board.partition[partition];

	memcpy(p->policy, fields->data, fields->length);
	p->policy_length = fields->length;
	commands_partition_changed(p->info.id);
}

/* One number of it alone */
MAYBE static void board_set_value(int partition, enum hsm_policy_value value, uint64_t number)
{
	uint8_t bytes[64];
	struct hsm_writer out;

	hsm_writer_init(&out, bytes, sizeof(bytes));
	hsm_put_number(&out, hsm_policy_at(value)->tag, number);
	board_set_policy(partition, &out);
}

/*
 * Tokens with PINs take four key derivations to make: made once for a program, and put back before each test.
 */
static struct test_partition board_ready[2];

MAYBE static int board_prepare(void **state)
{
	struct peer *peer;
	int i;

	if (board_setup(state))
		return -1;
	for (i = 0; i < 2; i++) {
		peer = peer_new(i);
		peer_setup(peer);
		peer_free(peer);
		partition_copy(&board_ready[i], &board.partition[i]);
	}
	commands_stop();
	board_clear();
	return 0;
}

MAYBE static int board_finish(void **state)
{
	(void)state;
	partition_empty(&board_ready[0]);
	partition_empty(&board_ready[1]);
	return 0;
}

MAYBE static int board_setup_ready(void **state)
{
	(void)state;
	partition_copy(&board.partition[0], &board_ready[0]);
	partition_copy(&board.partition[1], &board_ready[1]);
	board.hello = (struct board_hello){ .function = 1, .functions = 2 };
	return commands_start(&board.hello);
}

/* A client of a ready token, with a session and the user logged in */
MAYBE static struct peer *peer_user(int partition)
{
	struct peer *peer = peer_new(partition);

	assert_int_equal(peer_session(peer, true), CKR_OK);
	assert_int_equal(peer_login(peer, CKU_USER, USER_PIN), CKR_OK);
	return peer;
}

#endif /* COMMANDS_TESTING_H */
