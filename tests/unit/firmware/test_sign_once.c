// SPDX-License-Identifier: Apache-2.0
/*
 * Signatures whose end brings their beginning: the same bytes, the same rules and the same answers as in several
 * commands, and what the device says of beginning another one.
 */
#include "object_testing.h"

#define MAC_KEY(...)                                                                            \
	A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY), A_NUMBER(CKA_KEY_TYPE, CKK_GENERIC_SECRET), \
	       A_BYTES(CKA_VALUE, "0123456789abcdef", 16), ##__VA_ARGS__)

static uint64_t mac_key(struct peer *peer)
{
	uint64_t handle = 0;

	assert_int_equal(create(peer, MAC_KEY(A_TRUE(CKA_SIGN)), &handle), CKR_OK);
	return handle;
}

/* The command @operation with a beginning in it; @room: of the caller's buffer */
static CK_RV once(struct peer *peer, unsigned int operation, uint64_t key, uint64_t mechanism,
		  const char *data, uint64_t room)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_KEY, key);
	hsm_put_u64(&out, HSM_FIELD_MECHANISM, mechanism);
	if (data)
		hsm_put_bytes(&out, HSM_FIELD_DATA, data, strlen(data));
	hsm_put_u64(&out, HSM_FIELD_OUT_MAX, room);
	return peer_call(peer, operation, &out);
}

static CK_RV step(struct peer *peer, unsigned int operation, const char *data)
{
	struct hsm_writer out = peer_fields(peer);

	if (data)
		hsm_put_bytes(&out, HSM_FIELD_DATA, data, strlen(data));
	if (operation != HSM_OP_SIGN_UPDATE)
		hsm_put_u64(&out, HSM_FIELD_OUT_MAX, 1024);
	return peer_call(peer, operation, &out);
}

static CK_RV begin(struct peer *peer, uint64_t key, uint64_t mechanism)
{
	return begin_by(peer, HSM_OP_SIGN_INIT, (struct test_mechanism){ .type = mechanism }, key);
}

/* Does the last response say that another beginning would go as well? */
static bool again(const struct peer *peer)
{
	return hsm_get_le16(peer->response + 24 + 2) & HSM_RESPONSE_AGAIN;
}

static void the_same_bytes(void **state)
{
	struct peer *peer = peer_user(0);
	uint8_t apart[64], at_once[64];
	uint64_t key = mac_key(peer);
	size_t length;

	(void)state;
	assert_int_equal(begin(peer, key, CKM_SHA256_HMAC), CKR_OK);
	assert_int_equal(step(peer, HSM_OP_SIGN, "message"), CKR_OK);
	take_bytes(peer, HSM_FIELD_SIGNATURE, apart, &length);
	assert_int_equal(length, 32);
	assert_int_equal(once(peer, HSM_OP_SIGN, key, CKM_SHA256_HMAC, "message", 64), CKR_OK);
	take_bytes(peer, HSM_FIELD_SIGNATURE, at_once, &length);
	assert_int_equal(length, 32);
	assert_memory_equal(apart, at_once, 32);
	memset(at_once, 0, sizeof(at_once));
	assert_int_equal(once(peer, HSM_OP_SIGN_FINAL, key, CKM_SHA256_HMAC, "message", 64),
			 CKR_OK);
	take_bytes(peer, HSM_FIELD_SIGNATURE, at_once, &length);
	assert_memory_equal(apart, at_once, 32);
	/* Both have ended. */
	assert_int_equal(step(peer, HSM_OP_SIGN, "message"), CKR_OPERATION_NOT_INITIALIZED);
	peer_free(peer);
}

static void no_room(void **state)
{
	struct peer *peer = peer_user(0);
	uint8_t apart[64], at_once[64];
	uint64_t key = mac_key(peer);
	size_t length;

	(void)state;
	assert_int_equal(once(peer, HSM_OP_SIGN, key, CKM_SHA256_HMAC, "message", 64), CKR_OK);
	take_bytes(peer, HSM_FIELD_SIGNATURE, apart, &length);
	/* The operation is there and goes on, with what it was given. */
	assert_int_equal(once(peer, HSM_OP_SIGN, key, CKM_SHA256_HMAC, "message", 31),
			 CKR_BUFFER_TOO_SMALL);
	assert_int_equal(peer_u64(peer, HSM_FIELD_NEEDED), 32);
	assert_int_equal(step(peer, HSM_OP_SIGN, "message"), CKR_OK);
	assert_int_equal(once(peer, HSM_OP_SIGN_FINAL, key, CKM_SHA256_HMAC, "message", 31),
			 CKR_BUFFER_TOO_SMALL);
	assert_int_equal(step(peer, HSM_OP_SIGN_FINAL, NULL), CKR_OK);
	take_bytes(peer, HSM_FIELD_SIGNATURE, at_once, &length);
	assert_memory_equal(apart, at_once, 32);
	peer_free(peer);
}

static void every_rule_of_a_beginning(void **state)
{
	static const unsigned int ends[] = { HSM_OP_SIGN, HSM_OP_SIGN_FINAL };
	struct peer *peer = peer_user(0);
	uint64_t key = mac_key(peer), other = 0;
	struct hsm_writer out;
	size_t i;

	(void)state;
	assert_int_equal(create(peer, MAC_KEY(A_FALSE(CKA_SIGN)), &other), CKR_OK);
	for (i = 0; i < 2; i++) {
		assert_int_equal(once(peer, ends[i], 99999, CKM_SHA256_HMAC, "m", 64),
				 CKR_KEY_HANDLE_INVALID);
		assert_int_equal(once(peer, ends[i], key, CKM_SHA256, "m", 64),
				 CKR_MECHANISM_INVALID);
		assert_int_equal(once(peer, ends[i], other, CKM_SHA256_HMAC, "m", 64),
				 CKR_KEY_FUNCTION_NOT_PERMITTED);
		assert_false(again(peer));
		assert_int_equal(step(peer, ends[i], NULL), CKR_OPERATION_NOT_INITIALIZED);
		/* What is active stays so. */
		assert_int_equal(begin(peer, key, CKM_SHA256_HMAC), CKR_OK);
		assert_int_equal(once(peer, ends[i], key, CKM_SHA256_HMAC, "m", 64),
				 CKR_OPERATION_ACTIVE);
		assert_int_equal(step(peer, HSM_OP_SIGN, "m"), CKR_OK);
	}
	/* Data with an end that brings no beginning, and a place among parts for one that does */
	assert_int_equal(begin(peer, key, CKM_SHA256_HMAC), CKR_OK);
	assert_int_equal(step(peer, HSM_OP_SIGN_FINAL, "m"), CKR_ARGUMENTS_BAD);
	assert_int_equal(step(peer, HSM_OP_SIGN_FINAL, NULL), CKR_OK);
	out = peer_fields(peer);
	hsm_put_u64(&out, HSM_FIELD_KEY, key);
	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_SHA256_HMAC);
	hsm_put_u64(&out, HSM_FIELD_OUT_MAX, 64);
	hsm_put_u64(&out, HSM_FIELD_PART, 1);
	assert_int_equal(peer_call(peer, HSM_OP_SIGN_FINAL, &out), CKR_OPERATION_NOT_INITIALIZED);
	peer_free(peer);
}

/* Nothing but signatures takes a key with its end. */
static void no_other_end(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t key = mac_key(peer);

	(void)state;
	assert_int_equal(once(peer, HSM_OP_ENCRYPT, key, CKM_AES_ECB, "m", 64), CKR_ARGUMENTS_BAD);
	assert_int_equal(once(peer, HSM_OP_DIGEST_FINAL, key, CKM_SHA256, NULL, 64),
			 CKR_ARGUMENTS_BAD);
	peer_free(peer);
}

static void a_beginning_counts_as_one(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t key = mac_key(peer), limited = 0;
	unsigned int i;

	(void)state;
	assert_int_equal(create(peer, MAC_KEY(A_TRUE(CKA_SIGN), A_NUMBER(CKA_HSM_USE_LIMIT, 2)),
				&limited),
			 CKR_OK);
	for (i = 0; i < 2; i++) {
		assert_int_equal(once(peer, HSM_OP_SIGN, limited, CKM_SHA256_HMAC, "m", 64),
				 CKR_OK);
		/* The next one may be one too many. */
		assert_false(again(peer));
	}
	assert_int_equal(once(peer, HSM_OP_SIGN, limited, CKM_SHA256_HMAC, "m", 64),
			 CKR_KEY_EXHAUSTED);
	board_set_value(0, HSM_POLICY_MAX_RATE, 1);
	assert_int_equal(once(peer, HSM_OP_SIGN, key, CKM_SHA256_HMAC, "m", 64), CKR_OK);
	assert_int_equal(once(peer, HSM_OP_SIGN, key, CKM_SHA256_HMAC, "m", 64), CKR_DEVICE_MEMORY);
	peer_free(peer);
}

static void what_would_go_again(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t key = mac_key(peer), pair[2] = { 0, 0 };

	(void)state;
	assert_int_equal(begin(peer, key, CKM_SHA256_HMAC), CKR_OK);
	assert_true(again(peer));
	assert_int_equal(step(peer, HSM_OP_SIGN, "m"), CKR_OK);
	assert_false(again(peer));
	assert_int_equal(once(peer, HSM_OP_SIGN, key, CKM_SHA256_HMAC, "m", 64), CKR_OK);
	assert_true(again(peer));
	assert_int_equal(once(peer, HSM_OP_SIGN_FINAL, key, CKM_SHA256_HMAC, "m", 64), CKR_OK);
	assert_true(again(peer));
	/* A key that asks for the PIN each time */
	assert_int_equal(generate_ec(peer, false,
				     A_LIST(A_TRUE(CKA_SIGN), A_TRUE(CKA_ALWAYS_AUTHENTICATE)),
				     pair),
			 CKR_OK);
	assert_int_equal(begin(peer, pair[1], CKM_ECDSA_SHA256), CKR_OK);
	assert_false(again(peer));
	assert_int_equal(step(peer, HSM_OP_SIGN, "m"), CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(once(peer, HSM_OP_SIGN, pair[1], CKM_ECDSA_SHA256, "m", 64),
			 CKR_USER_NOT_LOGGED_IN);
	peer_free(peer);
}

/* An end that is not let begin its work ends the operation all the same: the next beginning finds none. */
static void an_end_that_was_aborted(void **state)
{
	static const char p384[] = "\x06\x05\x2b\x81\x04\x00\x22";
	static const unsigned int ends[] = { HSM_OP_SIGN, HSM_OP_SIGN_FINAL };
	struct peer *peer = peer_user(0);
	struct hsm_writer out = peer_fields(peer);
	uint64_t key;
	size_t i;

	(void)state;
	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_EC_KEY_PAIR_GEN);
	put_template(&out, HSM_FIELD_TEMPLATE,
		     A_LIST(A_BYTES(CKA_EC_PARAMS, p384, sizeof(p384) - 1)));
	put_template(&out, HSM_FIELD_PRIVATE_TEMPLATE, A_LIST(A_TRUE(CKA_SIGN)));
	assert_int_equal(peer_call(peer, HSM_OP_GENERATE_PAIR, &out), CKR_OK);
	key = peer_u64(peer, HSM_FIELD_OTHER_HANDLE);
	for (i = 0; i < 2; i++) {
		assert_int_equal(begin(peer, key, CKM_ECDSA_SHA384), CKR_OK);
		peer->task.cancelled = true;
		assert_int_equal(step(peer, ends[i], NULL), CKR_FUNCTION_CANCELED);
		assert_int_equal(once(peer, ends[i], key, CKM_ECDSA_SHA384, "m", 256),
				 CKR_FUNCTION_CANCELED);
		peer->task.cancelled = false;
		assert_int_equal(once(peer, ends[i], key, CKM_ECDSA_SHA384, "m", 256), CKR_OK);
	}
	peer_free(peer);
}

#define READY(test) cmocka_unit_test_setup_teardown(test, board_setup_ready, board_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		READY(the_same_bytes),
		READY(no_room),
		READY(every_rule_of_a_beginning),
		READY(no_other_end),
		READY(a_beginning_counts_as_one),
		READY(what_would_go_again),
		READY(an_end_that_was_aborted),
	};

	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
