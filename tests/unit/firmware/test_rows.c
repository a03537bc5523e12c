// SPDX-License-Identifier: Apache-2.0
/*
 * Private objects in the device's memory: open or sealed, never both, and in the same memory if nobody else uses them.
 */
#include "commands_testing.h"

static const char plain[] = "what nobody may see";

static struct peer *peer;
static struct partition *partition;

/* A private data object on the token, as it stands in the index */
static struct object *make(const char *label)
{
	const uint64_t logouts = (uint64_t)HANDLE_LOGOUTS_MASK << HANDLE_LOGOUTS_SHIFT;
	struct hsm_writer out = peer_fields(peer);
	struct object *object;

	put_template(&out, HSM_FIELD_TEMPLATE,
		     A_LIST(A_NUMBER(CKA_CLASS, CKO_DATA), A_TRUE(CKA_TOKEN), A_TRUE(CKA_PRIVATE),
			    A_TEXT(CKA_LABEL, label), A_TEXT(CKA_VALUE, plain)));
	assert_int_equal(peer_call(peer, HSM_OP_OBJECT_CREATE, &out), CKR_OK);
	object = index_find(&partition->index, peer_u64(peer, HSM_FIELD_HANDLE) & ~logouts);
	assert_non_null(object);
	return object;
}

static void ready(void)
{
	peer = peer_user(0);
	partition = partition_find(board.partition[0].info.id);
	assert_non_null(partition);
}

static void done(void)
{
	partition_put(partition);
	peer_free(peer);
}

static void assert_open(const struct object *object)
{
	const struct attribute *value = attributes_find(&object->attributes, CKA_VALUE);

	assert_false(object->locked);
	assert_null(object->sealed);
	assert_non_null(value);
	assert_int_equal(value->length, strlen(plain));
	assert_memory_equal(value->value, plain, value->length);
}

static void assert_locked(const struct object *object)
{
	size_t length = object->stored_length - 40, i; /* what every row has besides */

	assert_true(object->locked);
	assert_null(object->attributes.data);
	assert_null(object->key);
	assert_non_null(object->sealed);
	for (i = 0; i + sizeof(plain) - 1 <= length; i++)
		assert_memory_not_equal(object->sealed + i, plain, sizeof(plain) - 1);
}

static void sealed_and_opened_in_place(void **state)
{
	struct object *object;
	const uint8_t *memory;
	int i;

	(void)state;
	ready();
	object = make("one");
	memory = object->attributes.data;
	for (i = 0; i < 3; i++) {
		assert_open(object);
		assert_ptr_equal(object->attributes.data, memory);
		assert_int_equal(peer_call(peer, HSM_OP_LOGOUT, NULL), CKR_OK);
		assert_locked(object);
		assert_ptr_equal(object->sealed, memory);
		assert_int_equal(peer_login(peer, CKU_USER, USER_PIN), CKR_OK);
		assert_ptr_equal(index_find(&partition->index, object->handle), object);
	}
	done();
}

/* Who works with the object goes on with it as it was; in the index stands another that is sealed. */
static void a_user_keeps_what_it_has(void **state)
{
	struct object *object, *other;

	(void)state;
	ready();
	object = object_get(make("used"));
	assert_int_equal(peer_call(peer, HSM_OP_LOGOUT, NULL), CKR_OK);
	other = index_find(&partition->index, object->handle);
	assert_non_null(other);
	assert_ptr_not_equal(other, object);
	assert_locked(other);
	assert_open(object);
	object_put(object);
	assert_int_equal(peer_login(peer, CKU_USER, USER_PIN), CKR_OK);
	assert_open(other);
	done();
}

/* What a restart reads is locked until a login, and the same then. */
static void read_locked(void **state)
{
	struct object *object;
	uint64_t handle;

	(void)state;
	ready();
	handle = make("lasting")->handle;
	done();
	board_restart();
	partition = partition_find(board.partition[0].info.id);
	object = index_find(&partition->index, handle);
	assert_non_null(object);
	assert_locked(object);
	partition_put(partition);
	ready();
	assert_open(object);
	done();
}

/* A sealed form that was tampered with in memory or on its way opens nothing, and the login fails. */
static void damage_shows_at_the_login(void **state)
{
	struct object *object;

	(void)state;
	ready();
	object = make("damaged");
	assert_int_equal(peer_call(peer, HSM_OP_LOGOUT, NULL), CKR_OK);
	object->sealed[20] ^= 1;
	assert_int_equal(peer_login(peer, CKU_USER, USER_PIN), CKR_DEVICE_ERROR);
	assert_locked(object);
	object->sealed[20] ^= 1;
	assert_int_equal(peer_login(peer, CKU_USER, USER_PIN), CKR_OK);
	assert_open(object);
	done();
}

#define READY(name) cmocka_unit_test_setup_teardown(name, board_setup_ready, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		READY(sealed_and_opened_in_place),
		READY(a_user_keeps_what_it_has),
		READY(read_locked),
		READY(damage_shows_at_the_login),
	};

	return cmocka_run_group_tests_name("rows", tests, board_prepare, board_finish);
}
