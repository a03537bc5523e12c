// SPDX-License-Identifier: Apache-2.0
/*
 * Keys that may be used so many times: never once more, whatever happens to the device.
 */
#include "object_testing.h"

#define LIMITED(n)                                                                         \
	A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY), A_NUMBER(CKA_KEY_TYPE, CKK_AES),       \
	       A_BYTES(CKA_VALUE, "0123456789abcdef", 16), A_NUMBER(CKA_HSM_USE_LIMIT, n), \
	       A_TRUE(CKA_TOKEN), A_TRUE(CKA_ENCRYPT), A_TEXT(CKA_LABEL, "limited"))
#define OK(call) assert_int_equal(call, CKR_OK)
#define SET(...) change(peer, HSM_OP_ATTRIBUTES_SET, handle, A_LIST(__VA_ARGS__))

/* One encryption, from its beginning to its end */
static CK_RV use(struct peer *peer, uint64_t handle)
{
	struct hsm_writer out = peer_fields(peer);
	CK_RV rv;

	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_AES_ECB);
	hsm_put_u64(&out, HSM_FIELD_KEY, handle);
	rv = peer_call(peer, HSM_OP_ENCRYPT_INIT, &out);
	if (rv != CKR_OK)
		return rv;
	out = peer_fields(peer);
	hsm_put_bytes(&out, HSM_FIELD_DATA, "sixteen bytes of", 16);
	hsm_put_u64(&out, HSM_FIELD_OUT_MAX, 64);
	return peer_call(peer, HSM_OP_ENCRYPT, &out);
}

static unsigned int use_up(struct peer *peer, uint64_t handle)
{
	unsigned int uses = 0;
	CK_RV rv;

	while ((rv = use(peer, handle)) == CKR_OK)
		uses++;
	assert_int_equal(rv, CKR_KEY_EXHAUSTED);
	return uses;
}

static void used_up(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t handle;

	(void)state;
	assert_int_equal(create(peer, LIMITED(5), &handle), CKR_OK);
	assert_int_equal(get_ulong(peer, handle, CKA_HSM_USE_COUNT), 0);
	assert_int_equal(use(peer, handle), CKR_OK);
	assert_int_equal(get_ulong(peer, handle, CKA_HSM_USE_COUNT), 1);
	assert_int_equal(use_up(peer, handle), 4);
	assert_int_equal(get_ulong(peer, handle, CKA_HSM_USE_COUNT), 5);
	assert_int_equal(use(peer, handle), CKR_KEY_EXHAUSTED);
	/* A limit of none is one of no use; a session's key has one as well. */
	assert_int_equal(create(peer, LIMITED(0), &handle), CKR_OK);
	assert_int_equal(use(peer, handle), CKR_KEY_EXHAUSTED);
	assert_int_equal(generate_aes(peer,
				      A_LIST(A_NUMBER(CKA_VALUE_LEN, 16), A_TRUE(CKA_ENCRYPT),
					     A_NUMBER(CKA_HSM_USE_LIMIT, 20)),
				      &handle),
			 CKR_OK);
	assert_int_equal(use_up(peer, handle), 20);
	peer_free(peer);
}

/* The same with the key's other ways out: a limit would mean nothing on a copy. */
static void no_second_life(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t handle;

	(void)state;
	assert_int_equal(create(peer, LIMITED(5), &handle), CKR_OK);
	assert_int_equal(change(peer, HSM_OP_OBJECT_COPY, handle, A_LIST(A_FALSE(CKA_TOKEN))),
			 CKR_ACTION_PROHIBITED);
	assert_false(get_bool(peer, handle, CKA_COPYABLE));
	assert_int_equal(SET(A_TRUE(CKA_COPYABLE)), CKR_ATTRIBUTE_READ_ONLY);
	assert_int_equal(SET(A_NUMBER(CKA_HSM_USE_LIMIT, 6)), CKR_ATTRIBUTE_READ_ONLY);
	assert_int_equal(SET(A_NUMBER(CKA_HSM_USE_COUNT, 0)), CKR_ATTRIBUTE_READ_ONLY);
	assert_int_equal(SET(A_NUMBER(CKA_HSM_USE_LIMIT, 3)), CKR_OK);
	assert_int_equal(use_up(peer, handle), 3);
#define REFUSED(...)                                                                       \
	assert_int_equal(generate_aes(peer,                                                \
				      A_LIST(A_NUMBER(CKA_VALUE_LEN, 16),                  \
					     A_NUMBER(CKA_HSM_USE_LIMIT, 6), __VA_ARGS__), \
				      &handle),                                            \
			 CKR_TEMPLATE_INCONSISTENT)
	REFUSED(A_TRUE(CKA_COPYABLE));
	REFUSED(A_TRUE(CKA_EXTRACTABLE));
	assert_int_equal(
		generate_aes(peer,
			     A_LIST(A_NUMBER(CKA_VALUE_LEN, 16), A_NUMBER(CKA_HSM_USE_COUNT, 6)),
			     &handle),
		CKR_ATTRIBUTE_READ_ONLY);
	/* A key without a limit does not get one: there may be copies. */
	assert_int_equal(generate_aes(peer, A_LIST(A_NUMBER(CKA_VALUE_LEN, 16)), &handle), CKR_OK);
	assert_int_equal(SET(A_NUMBER(CKA_HSM_USE_LIMIT, 3)), CKR_ATTRIBUTE_READ_ONLY);
	peer_free(peer);
}

/* Killed after each few uses, the key gives no use more than its limit, and wastes few. */
static void killed_again_and_again(void **state)
{
	struct peer *peer = peer_user(0);
	unsigned int uses = 0, runs = 0, i;
	CK_RV rv = CKR_OK;
	uint64_t handle;

	(void)state;
	assert_int_equal(create(peer, LIMITED(300), &handle), CKR_OK);
	while (rv == CKR_OK) {
		handle = found_one(peer, "limited");
		for (i = 0; i < 70 && rv == CKR_OK; i++) {
			rv = use(peer, handle);
			uses += rv == CKR_OK;
		}
		peer_free(peer);
		board_restart();
		peer = peer_user(0);
		runs++;
	}
	assert_int_equal(rv, CKR_KEY_EXHAUSTED);
	assert_in_range(uses, 300 - 300 / 8, 300);
	assert_int_equal(get_ulong(peer, found_one(peer, "limited"), CKA_HSM_USE_COUNT), 300);
	assert_in_range(runs, 4, 6);
	peer_free(peer);
}

/* A use that is not on disk is not granted. */
static void nothing_without_the_disk(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t handle;

	(void)state;
	assert_int_equal(create(peer, LIMITED(3), &handle), CKR_OK);
	board.fail_commit = EIO;
	assert_int_not_equal(use(peer, handle), CKR_OK);
	board.fail_commit = 0;
	assert_int_equal(use_up(peer, handle), 3);
	peer_free(peer);
}

/* Not each use is a commit; a logout loses none; other changes of the key take the count along. */
static void uses_are_reserved_ahead(void **state)
{
	struct peer *peer = peer_user(0);
	unsigned int commits, i;
	uint64_t handle;

	(void)state;
	assert_int_equal(create(peer, LIMITED(100000), &handle), CKR_OK);
	commits = board.commits;
	for (i = 0; i < 2000; i++)
		assert_int_equal(use(peer, handle), CKR_OK);
	assert_in_range(board.commits - commits, 10, 80);
	assert_int_equal(peer_call(peer, HSM_OP_LOGOUT, NULL), CKR_OK);
	assert_int_equal(peer_login(peer, CKU_USER, USER_PIN), CKR_OK);
	handle = found_one(peer, "limited");
	assert_int_equal(get_ulong(peer, handle, CKA_HSM_USE_COUNT), 2000);
	assert_int_equal(SET(A_NUMBER(CKA_HSM_USE_LIMIT, 2010)), CKR_OK);
	assert_int_equal(use_up(peer, handle), 10);
	peer_free(peer);
}

/* A process of messages is no way around the count. */
static void each_message_counts(void **state)
{
	struct peer *peer = peer_user(0);
	struct hsm_writer out;
	unsigned int uses = 0;
	uint64_t handle;
	CK_RV rv;

	(void)state;
	OK(generate_aes(peer,
			A_LIST(A_NUMBER(CKA_VALUE_LEN, 32), A_TRUE(CKA_ENCRYPT),
			       A_NUMBER(CKA_HSM_USE_LIMIT, 10)),
			&handle));
	OK(begin_by(peer, HSM_OP_MESSAGE_ENCRYPT_INIT, (struct test_mechanism){ CKM_AES_GCM, NULL },
		    handle));
	do {
		out = peer_fields(peer);
		hsm_put_u64(&out, HSM_FIELD_FLAGS, HSM_PART_FIRST | HSM_PART_LAST);
		hsm_put_bytes(&out, HSM_FIELD_DATA, "text", 4);
		hsm_put_u64(&out, HSM_FIELD_OUT_MAX, 64);
		hsm_put_u64(&out, HSM_FIELD_GENERATOR, CKG_GENERATE_RANDOM);
		hsm_put_bytes(&out, HSM_FIELD_IV, "twelve bytes", 12);
		hsm_put_u64(&out, HSM_FIELD_TAG_BITS, 128);
		rv = peer_call(peer, HSM_OP_MESSAGE_ENCRYPT, &out);
		uses += rv == CKR_OK;
	} while (rv == CKR_OK);
	assert_int_equal(rv, CKR_KEY_EXHAUSTED);
	assert_int_equal(uses, 9);
	peer_free(peer);
}

static CK_RV sign_message(struct peer *peer, uint64_t room)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_FLAGS, HSM_PART_FIRST | HSM_PART_LAST);
	hsm_put_bytes(&out, HSM_FIELD_DATA, "text", 4);
	hsm_put_u64(&out, HSM_FIELD_OUT_MAX, room);
	return peer_call(peer, HSM_OP_MESSAGE_SIGN, &out);
}

/* Who asks how long a signature will be has not made one. */
static void asking_for_the_length_is_free(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t handle;

	(void)state;
	OK(create(peer,
		  A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY),
			 A_NUMBER(CKA_KEY_TYPE, CKK_GENERIC_SECRET),
			 A_BYTES(CKA_VALUE, "a key of twenty bytes", 20), A_TRUE(CKA_SIGN),
			 A_NUMBER(CKA_HSM_USE_LIMIT, 3)),
		  &handle));
	OK(begin_by(peer, HSM_OP_MESSAGE_SIGN_INIT,
		    (struct test_mechanism){ CKM_SHA256_HMAC, NULL }, handle));
	for (int i = 0; i < 5; i++) {
		assert_int_equal(sign_message(peer, HSM_OUT_QUERY), CKR_BUFFER_TOO_SMALL);
		assert_int_equal(sign_message(peer, 31), CKR_BUFFER_TOO_SMALL);
	}
	OK(sign_message(peer, 32));
	OK(sign_message(peer, 32));
	assert_int_equal(sign_message(peer, 32), CKR_KEY_EXHAUSTED);
	peer_free(peer);
}

struct worker {
	pthread_t thread;
	struct peer *peer;
	uint64_t handle;
	unsigned int uses;
	CK_RV last;
};

static void *work(void *data)
{
	struct worker *worker = data;

	while ((worker->last = use(worker->peer, worker->handle)) == CKR_OK)
		worker->uses++;
	return NULL;
}

/* Several applications at one key, one that changes it all the while */
static void shared_by_threads(void **state)
{
	struct peer *peer = peer_user(0);
	struct worker worker[3] = { 0 };
	unsigned int i, uses = 0;
	uint64_t handle;

	(void)state;
	assert_int_equal(create(peer, LIMITED(2000), &handle), CKR_OK);
	for (i = 0; i < 3; i++) {
		worker[i].peer = peer_user(0);
		worker[i].handle = handle;
		assert_int_equal(pthread_create(&worker[i].thread, NULL, work, &worker[i]), 0);
	}
	for (i = 0; i < 50; i++)
		assert_int_equal(SET(A_TEXT(CKA_ID, i & 1 ? "odd" : "even")), CKR_OK);
	for (i = 0; i < 3; i++) {
		pthread_join(worker[i].thread, NULL);
		assert_int_equal(worker[i].last, CKR_KEY_EXHAUSTED);
		uses += worker[i].uses;
		peer_free(worker[i].peer);
	}
	assert_int_equal(uses, 2000);
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_DESTROY, handle), CKR_OK);
	peer_free(peer);
}

#define READY(test) cmocka_unit_test_setup_teardown(test, board_setup_ready, board_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		READY(used_up),
		READY(no_second_life),
		READY(killed_again_and_again),
		READY(nothing_without_the_disk),
		READY(uses_are_reserved_ahead),
		READY(each_message_counts),
		READY(asking_for_the_length_is_free),
		READY(shared_by_threads),
	};

	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
