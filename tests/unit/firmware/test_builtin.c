// SPDX-License-Identifier: Apache-2.0
/*
 * What the token says of itself: profiles, mechanisms, counter and clock; and the life of handles of private objects.
 */
#include <time.h>
#include "object_testing.h"

/* Handles of what matches, at most @room of them. Return: how many */
static size_t search(struct peer *peer, const struct test_attribute *template, uint64_t *handles,
		     size_t room)
{
	struct hsm_writer out = peer_fields(peer);
	const uint8_t *list;
	size_t length, i;

	put_template(&out, HSM_FIELD_TEMPLATE, template);
	assert_int_equal(peer_call(peer, HSM_OP_FIND_INIT, &out), CKR_OK);
	out = peer_fields(peer);
	hsm_put_u64(&out, HSM_FIELD_COUNT, room);
	assert_int_equal(peer_call(peer, HSM_OP_FIND, &out), CKR_OK);
	list = hsm_fields_bytes(&peer->fields, HSM_FIELD_HANDLES, &length);
	for (i = 0; i < length / 8; i++)
		handles[i] = hsm_get_le64(list + 8 * i);
	assert_int_equal(peer_call(peer, HSM_OP_FIND_FINAL, NULL), CKR_OK);
	return length / 8;
}

#define SEARCH(peer, ...) search(peer, A_LIST(__VA_ARGS__), handles, 1000)

static void profiles(void **state)
{
	struct peer *peer = peer_new(0);
	uint64_t handles[1000], id, seen = 0;
	size_t count, i;

	(void)state;
	assert_int_equal(peer_session(peer, false), CKR_OK);
	count = SEARCH(peer, A_NUMBER(CKA_CLASS, CKO_PROFILE), A_TRUE(CKA_TOKEN));
	assert_int_equal(count, 4);
	for (i = 0; i < count; i++) {
		id = get_ulong(peer, handles[i], CKA_PROFILE_ID);
		assert_in_range(id, CKP_BASELINE_PROVIDER, CKP_PUBLIC_CERTIFICATES_TOKEN);
		seen |= 1U << id;
	}
	assert_int_equal(seen, 0x1e);
	assert_int_equal(SEARCH(peer, A_NUMBER(CKA_PROFILE_ID, CKP_EXTENDED_PROVIDER)), 1);
	assert_int_equal(SEARCH(peer, A_TEXT(CKA_UNIQUE_ID, "profile-1")), 1);
	/* They are found like other objects; features and mechanisms by those who name them. */
	assert_int_equal(SEARCH(peer, A_TRUE(CKA_TOKEN)), 4);
	assert_int_equal(SEARCH(peer, A_TEXT(CKA_LABEL, "")), 0);
	peer_free(peer);
}

static void built_in_objects_stay_as_they_are(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t handles[1000], handle;
	size_t i, count;

	(void)state;
	count = SEARCH(peer, A_NUMBER(CKA_CLASS, CKO_PROFILE));
	count += search(peer, A_LIST(A_NUMBER(CKA_CLASS, CKO_HW_FEATURE)), handles + count, 10);
	assert_int_equal(count, 6);
	for (i = 0; i < count; i++) {
		assert_int_equal(with_key(peer, HSM_OP_OBJECT_DESTROY, handles[i]),
				 CKR_ACTION_PROHIBITED);
		assert_int_equal(change(peer, HSM_OP_OBJECT_COPY, handles[i],
					A_LIST(A_FALSE(CKA_TOKEN))),
				 CKR_ACTION_PROHIBITED);
		assert_int_equal(change(peer, HSM_OP_ATTRIBUTES_SET, handles[i],
					A_LIST(A_TEXT(CKA_VALUE, "2026"))),
				 CKR_ACTION_PROHIBITED);
		assert_int_equal(with_key(peer, HSM_OP_OBJECT_SIZE, handles[i]), CKR_OK);
		assert_int_not_equal(peer_u64(peer, HSM_FIELD_LENGTH), 0);
	}
	/* No handle near by is an object. */
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_SIZE, handles[count - 1] + 1),
			 CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_SIZE, HANDLE_BUILTIN),
			 CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_SIZE, HANDLE_BUILTIN | HANDLE_SESSION | 1),
			 CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(create(peer,
				A_LIST(A_NUMBER(CKA_CLASS, CKO_HW_FEATURE),
				       A_NUMBER(CKA_HW_FEATURE_TYPE, CKH_CLOCK)),
				&handle),
			 CKR_TEMPLATE_INCONSISTENT);
	assert_int_equal(create(peer, A_LIST(A_NUMBER(CKA_CLASS, CKO_PROFILE)), &handle),
			 CKR_TEMPLATE_INCONSISTENT);
	peer_free(peer);
}

static void mechanisms(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t handles[1000];
	struct hsm_writer out;
	size_t listed;

	(void)state;
	assert_int_equal(peer_call(peer, HSM_OP_MECHANISM_LIST, NULL), CKR_OK);
	hsm_fields_bytes(&peer->fields, HSM_FIELD_TYPES, &listed);
	assert_int_equal(SEARCH(peer, A_NUMBER(CKA_CLASS, CKO_MECHANISM)), listed / 8);
	assert_int_equal(SEARCH(peer, A_NUMBER(CKA_CLASS, CKO_MECHANISM),
				A_NUMBER(CKA_MECHANISM_TYPE, CKM_AES_GCM)),
			 1);
	assert_int_equal(get_ulong(peer, handles[0], CKA_MECHANISM_TYPE), CKM_AES_GCM);
	assert_int_equal(SEARCH(peer, A_NUMBER(CKA_MECHANISM_TYPE, CKM_AES_GCM)), 0);
	/* Not a key, whatever it is called */
	out = peer_fields(peer);
	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_AES_GCM);
	hsm_put_u64(&out, HSM_FIELD_KEY, handles[0]);
	assert_int_equal(peer_call(peer, HSM_OP_ENCRYPT_INIT, &out), CKR_KEY_HANDLE_INVALID);
	peer_free(peer);
}

static uint64_t feature(struct peer *peer, uint64_t type)
{
	uint64_t handles[1000];

	assert_int_equal(SEARCH(peer, A_NUMBER(CKA_CLASS, CKO_HW_FEATURE),
				A_NUMBER(CKA_HW_FEATURE_TYPE, type)),
			 1);
	return handles[0];
}

static uint64_t read_counter(struct peer *peer)
{
	uint64_t value = 0;
	struct hsm_attribute_view view;
	unsigned int i;

	assert_int_equal(read_one(peer, feature(peer, CKH_MONOTONIC_COUNTER), CKA_VALUE, &view),
			 CKR_OK);
	assert_int_equal(view.length, 8);
	for (i = 0; i < 8; i++)
		value = value << 8 | view.value[i];
	return value;
}

/* It goes up with each look, over a crash and C_InitToken, and costs no commit each */
static void counter_only_goes_up(void **state)
{
	struct peer *peer = peer_new(0);
	unsigned int commits = board.commits, i;
	uint64_t last, now;

	(void)state;
	assert_int_equal(peer_session(peer, false), CKR_OK);
	last = read_counter(peer);
	assert_int_equal(board.commits, commits + 1);
	for (i = 0; i < 3000; i++) {
		now = read_counter(peer);
		assert_true(now > last);
		last = now;
	}
	assert_in_range(board.commits, commits + 3, commits + 10);
	peer_free(peer);
	board_restart();
	peer = peer_new(0);
	assert_int_equal(peer_session(peer, false), CKR_OK);
	now = read_counter(peer);
	assert_true(now > last);
	last = now;
	assert_false(get_bool(peer, feature(peer, CKH_MONOTONIC_COUNTER), CKA_HAS_RESET));
	assert_int_equal(peer_call(peer, HSM_OP_SESSION_CLOSE_ALL, NULL), CKR_OK);
	assert_int_equal(peer_token_init(peer, SO_PIN), CKR_OK);
	assert_int_equal(peer_session(peer, false), CKR_OK);
	assert_true(read_counter(peer) > last);
	/* What cannot be made durable is not given away. */
	peer_free(peer);
	board_restart();
	board.fail_commit = EIO;
	peer = peer_new(0);
	assert_int_equal(peer_session(peer, false), CKR_OK);
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_SIZE, feature(peer, CKH_MONOTONIC_COUNTER)),
			 CKR_OBJECT_HANDLE_INVALID);
	peer_free(peer);
}

/* The C library's calendar is the yardstick. */
static void clock_tells_the_time(void **state)
{
	struct peer *peer = peer_new(0);
	struct hsm_attribute_view view;
	char before[17], after[17];
	struct tm tm;
	time_t now;

	(void)state;
	assert_int_equal(peer_session(peer, false), CKR_OK);
	now = time(NULL);
	strftime(before, sizeof(before), "%Y%m%d%H%M%S00", gmtime_r(&now, &tm));
	assert_int_equal(read_one(peer, feature(peer, CKH_CLOCK), CKA_VALUE, &view), CKR_OK);
	assert_int_equal(view.length, 16);
	now = time(NULL);
	strftime(after, sizeof(after), "%Y%m%d%H%M%S00", gmtime_r(&now, &tm));
	assert_true(memcmp(view.value, before, 16) >= 0);
	assert_true(memcmp(view.value, after, 16) <= 0);
	assert_int_equal(peer_call(peer, HSM_OP_TOKEN_INFO, NULL), CKR_OK);
	assert_true(peer_u64(peer, HSM_FIELD_FLAGS) & CKF_CLOCK_ON_TOKEN);
	peer_free(peer);
}

/* A validation is shown where the board was told of one, as it was told, and nowhere else. */
static void validation(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t handles[1000], level = htole64(1);
	struct hsm_attribute_view view;
	struct hsm_writer out;

	(void)state;
	assert_int_equal(SEARCH(peer, A_NUMBER(CKA_CLASS, CKO_VALIDATION)), 0);
	peer_free(peer);
	hsm_writer_init(&out, board.validation, sizeof(board.validation));
	hsm_put_attribute(&out, CKA_VALIDATION_LEVEL, 0, &level, 8);
	hsm_put_attribute(&out, CKA_VALIDATION_MODULE_ID, 0, "a module", 8);
	board.validation_length = out.length;
	board_restart();
	peer = peer_user(0);
	assert_int_equal(SEARCH(peer, A_NUMBER(CKA_CLASS, CKO_VALIDATION)), 1);
	assert_int_equal(get_ulong(peer, handles[0], CKA_VALIDATION_LEVEL), 1);
	assert_int_equal(get_ulong(peer, handles[0], CKA_VALIDATION_FLAG), 1);
	assert_int_equal(read_one(peer, handles[0], CKA_VALIDATION_MODULE_ID, &view), CKR_OK);
	assert_memory_equal(view.value, "a module", 8);
	assert_int_equal(SEARCH(peer, A_TRUE(CKA_TOKEN)), 5);
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_DESTROY, handles[4]), CKR_ACTION_PROHIBITED);
	peer_free(peer);
	/* Another attribute is none of a validation. */
	hsm_put_attribute(&out, CKA_LABEL, 0, "x", 1);
	board.validation_length = out.length;
	board_restart();
	peer = peer_user(0);
	assert_int_equal(SEARCH(peer, A_NUMBER(CKA_CLASS, CKO_VALIDATION)), 0);
	peer_free(peer);
}

/* PKCS#11 3.2, C_Logout: handles of private objects stay void, also when the user is back. */
static void private_handles_end_with_the_login(void **state)
{
	struct peer *peer = peer_user(0), *other = peer_user(0);
	uint64_t pair[2] = { 0 }, handles[1000], public_data;

	(void)state;
	assert_int_equal(generate_ec(peer, true, A_LIST(A_TRUE(CKA_TOKEN), A_TRUE(CKA_SIGN)), pair),
			 CKR_OK);
	assert_int_equal(create(peer, DATA(A_TRUE(CKA_TOKEN)), &public_data), CKR_OK);
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_SIZE, pair[1]), CKR_OK);
	assert_int_equal(peer_call(peer, HSM_OP_LOGOUT, NULL), CKR_OK);
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_SIZE, pair[1]), CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(peer_login(peer, CKU_USER, USER_PIN), CKR_OK);
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_SIZE, pair[1]), CKR_OBJECT_HANDLE_INVALID);
	/* Another application's are its own business, and so are public objects. */
	assert_int_equal(with_key(other, HSM_OP_OBJECT_SIZE, pair[1]), CKR_OK);
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_SIZE, pair[0]), CKR_OK);
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_SIZE, public_data), CKR_OK);
	assert_int_equal(SEARCH(peer, A_NUMBER(CKA_CLASS, CKO_PRIVATE_KEY)), 1);
	assert_int_not_equal(handles[0], pair[1]);
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_SIZE, handles[0]), CKR_OK);
	/* Nor does a handle that was found before reach what is private by guessing. */
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_SIZE, pair[0] | 1ULL << HANDLE_LOGOUTS_SHIFT),
			 CKR_OBJECT_HANDLE_INVALID);
	peer_free(peer);
	peer_free(other);
}

#define READY(test) cmocka_unit_test_setup_teardown(test, board_setup_ready, board_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		READY(profiles),
		READY(built_in_objects_stay_as_they_are),
		READY(mechanisms),
		READY(counter_only_goes_up),
		READY(clock_tells_the_time),
		READY(validation),
		READY(private_handles_end_with_the_login),
	};

	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
