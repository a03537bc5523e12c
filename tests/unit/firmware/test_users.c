// SPDX-License-Identifier: Apache-2.0
/*
 * Users with names at the device command: who makes and removes whom, what each role may do, and that each has a PIN and
 * a counter of its own.
 */
#include "commands_testing.h"
#include "users.h"

#define PIN_OF "named secret"

static struct peer *peer_open(void)
{
	struct peer *peer = peer_new(0);

	assert_int_equal(peer_session(peer, true), CKR_OK);
	return peer;
}

static struct peer *peer_so(void)
{
	struct peer *peer = peer_open();

	assert_int_equal(peer_login(peer, CKU_SO, SO_PIN), CKR_OK);
	return peer;
}

static CK_RV login_as(struct peer *peer, uint64_t user, const char *name, const char *pin)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_USER, user);
	hsm_put_bytes(&out, HSM_FIELD_PIN, pin, strlen(pin));
	hsm_put_bytes(&out, HSM_FIELD_NAME, name, strlen(name));
	return peer_call(peer, HSM_OP_LOGIN, &out);
}

static CK_RV log_out(struct peer *peer)
{
	return peer_call(peer, HSM_OP_LOGOUT, NULL);
}

static CK_RV user_command(struct peer *peer, unsigned int operation, const char *name,
			  uint32_t role, const char *pin)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_bytes(&out, HSM_FIELD_NAME, name, strlen(name));
	if (role != ROLES)
		hsm_put_u32(&out, HSM_FIELD_USER_ROLE, role);
	if (pin)
		hsm_put_bytes(&out, HSM_FIELD_NEW_PIN, pin, strlen(pin));
	return peer_call(peer, operation, &out);
}

static CK_RV add_user(struct peer *peer, const char *name, uint32_t role)
{
	return user_command(peer, HSM_OP_USER_CREATE, name, role, PIN_OF);
}

/* One user of each role, made by the SO; a peer who has logged out */
static struct peer *with_users(void)
{
	struct peer *peer = peer_so();

	assert_int_equal(add_user(peer, "ulla", ROLE_USER), CKR_OK);
	assert_int_equal(add_user(peer, "max", ROLE_MANAGER), CKR_OK);
	assert_int_equal(add_user(peer, "rita", ROLE_READ_ONLY), CKR_OK);
	assert_int_equal(log_out(peer), CKR_OK);
	return peer;
}

static CK_RV create_key(struct peer *peer, bool token, bool is_private, uint64_t *handle)
{
	struct hsm_writer out = peer_fields(peer);
	CK_RV rv;

	put_template(&out, HSM_FIELD_TEMPLATE,
		     A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY), A_NUMBER(CKA_KEY_TYPE, CKK_AES),
			    A_BYTES(CKA_TOKEN, token ? "\1" : "\0", 1),
			    A_BYTES(CKA_PRIVATE, is_private ? "\1" : "\0", 1), A_TRUE(CKA_ENCRYPT),
			    A_TEXT(CKA_VALUE, "0123456789abcdef")));
	rv = peer_call(peer, HSM_OP_OBJECT_CREATE, &out);
	if (rv == CKR_OK)
		*handle = peer_u64(peer, HSM_FIELD_HANDLE);
	return rv;
}

/* Handles of private objects are each application's own, and another one after each login. */
static uint64_t find_private(struct peer *peer)
{
	struct hsm_writer out = peer_fields(peer);
	const uint8_t *list;
	uint64_t handle;
	size_t length;

	put_template(&out, HSM_FIELD_TEMPLATE,
		     A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY), A_TRUE(CKA_TOKEN),
			    A_TRUE(CKA_PRIVATE)));
	assert_int_equal(peer_call(peer, HSM_OP_FIND_INIT, &out), CKR_OK);
	out = peer_fields(peer);
	hsm_put_u64(&out, HSM_FIELD_COUNT, 1);
	assert_int_equal(peer_call(peer, HSM_OP_FIND, &out), CKR_OK);
	list = hsm_fields_bytes(&peer->fields, HSM_FIELD_HANDLES, &length);
	assert_int_equal(length, 8);
	handle = hsm_get_le64(list);
	assert_int_equal(peer_call(peer, HSM_OP_FIND_FINAL, NULL), CKR_OK);
	return handle;
}

static CK_RV use_key(struct peer *peer, uint64_t key)
{
	struct hsm_writer out = peer_fields(peer);
	CK_RV rv;

	hsm_put_u64(&out, HSM_FIELD_KEY, key);
	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_AES_ECB);
	rv = peer_call(peer, HSM_OP_ENCRYPT_INIT, &out);
	if (rv == CKR_OK) {
		out = peer_fields(peer);
		hsm_put_u64(&out, HSM_FIELD_FLAGS, CKF_ENCRYPT);
		assert_int_equal(peer_call(peer, HSM_OP_SESSION_CANCEL, &out), CKR_OK);
	}
	return rv;
}

static CK_RV read_label(struct peer *peer, uint64_t key)
{
	const uint64_t type = CKA_LABEL;
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_KEY, key);
	hsm_put_list(&out, HSM_FIELD_TYPES, &type, 1);
	return peer_call(peer, HSM_OP_ATTRIBUTES_GET, &out);
}

static CK_RV set_label(struct peer *peer, uint64_t key)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_KEY, key);
	put_template(&out, HSM_FIELD_TEMPLATE, A_LIST(A_TEXT(CKA_LABEL, "x")));
	return peer_call(peer, HSM_OP_ATTRIBUTES_SET, &out);
}

static CK_RV destroy(struct peer *peer, uint64_t key)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_KEY, key);
	return peer_call(peer, HSM_OP_OBJECT_DESTROY, &out);
}

static uint64_t session_state(struct peer *peer)
{
	assert_int_equal(peer_call(peer, HSM_OP_SESSION_INFO, NULL), CKR_OK);
	return peer_u64(peer, HSM_FIELD_STATE);
}

/* The table of Documentation/policy.rst, row by row */
static void each_role_does_what_its_row_says(void **state)
{
	static const struct {
		const char *name; /* NULL: the user without one */
		uint64_t session;
		CK_RV token_key, session_key, use, change, user;
	} rows[] = {
		{ NULL, CKS_RW_USER_FUNCTIONS, CKR_OK, CKR_OK, CKR_OK, CKR_OK,
		  CKR_USER_NOT_LOGGED_IN },
		{ "ulla", CKS_RO_USER_FUNCTIONS, CKR_SESSION_READ_ONLY, CKR_OK, CKR_OK,
		  CKR_SESSION_READ_ONLY, CKR_USER_NOT_LOGGED_IN },
		{ "max", CKS_RW_USER_FUNCTIONS, CKR_OK, CKR_OK, CKR_KEY_FUNCTION_NOT_PERMITTED,
		  CKR_OK, CKR_OK },
		{ "rita", CKS_RO_USER_FUNCTIONS, CKR_SESSION_READ_ONLY, CKR_USER_NOT_LOGGED_IN,
		  CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_SESSION_READ_ONLY, CKR_USER_NOT_LOGGED_IN },
	};
	struct peer *owner, *peer = with_users();
	uint64_t private_key, public_key, made;
	size_t i;

	(void)state;
	owner = peer_user(0);
	assert_int_equal(create_key(owner, true, false, &public_key), CKR_OK);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(create_key(owner, true, true, &private_key), CKR_OK);
		assert_int_equal(rows[i].name ? login_as(peer, CKU_USER, rows[i].name, PIN_OF)
					      : peer_login(peer, CKU_USER, USER_PIN),
				 CKR_OK);
		assert_int_equal(session_state(peer), rows[i].session);
		private_key = find_private(peer);
		assert_int_equal(create_key(peer, true, true, &made), rows[i].token_key);
		assert_int_equal(create_key(peer, false, true, &made), rows[i].session_key);
		assert_int_equal(read_label(peer, private_key), CKR_OK);
		assert_int_equal(use_key(peer, private_key), rows[i].use);
		/* What needs no login every role can do. */
		assert_int_equal(use_key(peer, public_key), CKR_OK);
		assert_int_equal(set_label(peer, private_key), rows[i].change);
		assert_int_equal(destroy(peer, private_key), rows[i].change);
		assert_int_equal(add_user(peer, "new", ROLE_READ_ONLY), rows[i].user);
		assert_int_equal(add_user(peer, "new manager", ROLE_MANAGER),
				 CKR_USER_NOT_LOGGED_IN);
		assert_int_equal(peer_call(peer, HSM_OP_USER_LIST, NULL), CKR_OK);
		assert_int_equal(log_out(peer), CKR_OK);
	}
	peer_free(peer);
	peer_free(owner);
}

static void a_manager_manages_those_below(void **state)
{
	struct peer *peer = with_users(), *so = peer_so();

	(void)state;
	assert_int_equal(add_user(so, "moritz", ROLE_MANAGER), CKR_OK);
	assert_int_equal(login_as(peer, CKU_USER, "max", PIN_OF), CKR_OK);
	assert_int_equal(user_command(peer, HSM_OP_USER_REMOVE, "moritz", ROLES, NULL),
			 CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(user_command(peer, HSM_OP_USER_PIN, "moritz", ROLES, "stolen"),
			 CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(user_command(peer, HSM_OP_USER_UNLOCK, "moritz", ROLES, NULL),
			 CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(user_command(peer, HSM_OP_USER_ROLE, "moritz", ROLE_USER, NULL),
			 CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(user_command(peer, HSM_OP_USER_ROLE, "ulla", ROLE_MANAGER, NULL),
			 CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(user_command(peer, HSM_OP_USER_ROLE, "ulla", ROLE_READ_ONLY, NULL),
			 CKR_OK);
	assert_int_equal(user_command(peer, HSM_OP_USER_PIN, "ulla", ROLES, "another"), CKR_OK);
	assert_int_equal(user_command(peer, HSM_OP_USER_REMOVE, "rita", ROLES, NULL), CKR_OK);
	assert_int_equal(log_out(peer), CKR_OK);
	assert_int_equal(login_as(peer, CKU_USER, "rita", PIN_OF), CKR_PIN_INCORRECT);
	assert_int_equal(login_as(peer, CKU_USER, "ulla", PIN_OF), CKR_PIN_INCORRECT);
	assert_int_equal(login_as(peer, CKU_USER, "ulla", "another"), CKR_OK);
	assert_int_equal(session_state(peer), CKS_RO_USER_FUNCTIONS);
	peer_free(peer);
	peer_free(so);
}

static void requests_that_make_no_sense(void **state)
{
	struct peer *so = peer_so();
	char name[70];
	int i;

	(void)state;
	memset(name, 'x', sizeof(name));
	name[63] = 0;
	assert_int_equal(add_user(so, name, ROLE_USER), CKR_OK);
	assert_int_equal(add_user(so, name, ROLE_USER), CKR_ARGUMENTS_BAD);
	assert_int_equal(add_user(so, "", ROLE_USER), CKR_ARGUMENTS_BAD);
	assert_int_equal(add_user(so, "a\nb", ROLE_USER), CKR_ARGUMENTS_BAD);
	assert_int_equal(add_user(so, "\xff", ROLE_USER), CKR_ARGUMENTS_BAD);
	assert_int_equal(add_user(so, "nobody", ROLE_OWNER), CKR_ARGUMENTS_BAD);
	assert_int_equal(add_user(so, "nobody", ROLES + 1), CKR_ARGUMENTS_BAD);
	assert_int_equal(add_user(so, "nobody", ROLES), CKR_ARGUMENTS_BAD);
	assert_int_equal(user_command(so, HSM_OP_USER_CREATE, "short", ROLE_USER, "123"),
			 CKR_PIN_LEN_RANGE);
	for (i = 0; i < 4; i++)
		assert_int_equal(
			user_command(so,
				     (const unsigned int[]){ HSM_OP_USER_REMOVE, HSM_OP_USER_UNLOCK,
							     HSM_OP_USER_PIN, HSM_OP_USER_ROLE }[i],
				     "nobody", i == 3 ? ROLE_USER : ROLES, i == 2 ? PIN_OF : NULL),
			CKR_USER_TYPE_INVALID);
	assert_int_equal(log_out(so), CKR_OK);
	assert_int_equal(login_as(so, CKU_SO, name, SO_PIN), CKR_PIN_INCORRECT);
	assert_int_equal(login_as(so, CKU_USER, "nobody", PIN_OF), CKR_PIN_INCORRECT);
	assert_int_equal(login_as(so, 17, name, PIN_OF), CKR_USER_TYPE_INVALID);
	assert_int_equal(peer_call(so, HSM_OP_USER_LIST, NULL), CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(add_user(so, "x", ROLE_USER), CKR_USER_NOT_LOGGED_IN);
	peer_free(so);
}

static void who_is_logged_in_is_told_apart(void **state)
{
	struct peer *peer = with_users();

	(void)state;
	assert_int_equal(login_as(peer, CKU_USER, "ulla", PIN_OF), CKR_OK);
	assert_int_equal(login_as(peer, CKU_USER, "ulla", PIN_OF), CKR_USER_ALREADY_LOGGED_IN);
	assert_int_equal(login_as(peer, CKU_USER, "max", PIN_OF),
			 CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
	assert_int_equal(peer_login(peer, CKU_USER, USER_PIN), CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
	assert_int_equal(peer_login(peer, CKU_SO, SO_PIN), CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
	assert_int_equal(log_out(peer), CKR_OK);
	/* An empty name is no name. */
	assert_int_equal(login_as(peer, CKU_USER, "", USER_PIN), CKR_OK);
	peer_free(peer);
}

static void each_has_a_counter_of_its_own(void **state)
{
	struct peer *peer = with_users(), *so;
	int i;

	(void)state;
	board_set_value(0, HSM_POLICY_PIN_TRIES, 3);
	for (i = 0; i < 3; i++)
		assert_int_equal(login_as(peer, CKU_USER, "ulla", "wrong"), CKR_PIN_INCORRECT);
	assert_int_equal(login_as(peer, CKU_USER, "ulla", PIN_OF), CKR_PIN_LOCKED);
	board_restart();
	peer_free(peer);
	peer = peer_open();
	assert_int_equal(login_as(peer, CKU_USER, "ulla", PIN_OF), CKR_PIN_LOCKED);
	assert_int_equal(login_as(peer, CKU_USER, "rita", PIN_OF), CKR_OK);
	assert_int_equal(log_out(peer), CKR_OK);
	so = peer_so();
	assert_int_equal(user_command(so, HSM_OP_USER_UNLOCK, "ulla", ROLES, NULL), CKR_OK);
	assert_int_equal(login_as(peer, CKU_USER, "ulla", PIN_OF), CKR_OK);
	peer_free(peer);
	peer_free(so);
}

static void the_list_tells(void **state)
{
	struct peer *peer = with_users();
	struct hsm_user_status status;
	const uint8_t *list;
	size_t length;
	int i;

	(void)state;
	board_set_value(0, HSM_POLICY_PIN_TRIES, 2);
	for (i = 0; i < 2; i++)
		assert_int_equal(login_as(peer, CKU_USER, "max", "wrong"), CKR_PIN_INCORRECT);
	assert_int_equal(login_as(peer, CKU_USER, "rita", PIN_OF), CKR_OK);
	assert_int_equal(peer_call(peer, HSM_OP_USER_LIST, NULL), CKR_OK);
	list = hsm_fields_bytes(&peer->fields, HSM_FIELD_USERS, &length);
	assert_int_equal(length, 3 * sizeof(status));
	memcpy(&status, list + sizeof(status), sizeof(status));
	assert_string_equal(status.name, "max");
	assert_int_equal(le32toh(status.role), ROLE_MANAGER);
	assert_int_equal(le32toh(status.failures), 2);
	assert_int_equal(le32toh(status.flags), HSM_USER_LOCKED);
	assert_int_equal(le64toh(status.changed), test_time / 1000);
	peer_free(peer);
}

static void a_removed_user_is_logged_out(void **state)
{
	struct peer *peer = with_users(), *other = peer_user(0), *so = peer_so();
	uint64_t key;

	(void)state;
	assert_int_equal(create_key(other, true, true, &key), CKR_OK);
	assert_int_equal(login_as(peer, CKU_USER, "ulla", PIN_OF), CKR_OK);
	key = find_private(peer);
	assert_int_equal(use_key(peer, key), CKR_OK);
	assert_int_equal(user_command(so, HSM_OP_USER_REMOVE, "ulla", ROLES, NULL), CKR_OK);
	assert_int_equal(session_state(peer), CKS_RW_PUBLIC_SESSION);
	assert_int_equal(use_key(peer, key), CKR_KEY_HANDLE_INVALID);
	assert_int_equal(use_key(other, find_private(other)), CKR_OK);
	/* A new user of that name is somebody else. */
	assert_int_equal(user_command(so, HSM_OP_USER_CREATE, "ulla", ROLE_USER, "different"),
			 CKR_OK);
	assert_int_equal(login_as(peer, CKU_USER, "ulla", PIN_OF), CKR_PIN_INCORRECT);
	/* Another role takes the rights of the old one away at once. */
	assert_int_equal(login_as(peer, CKU_USER, "max", PIN_OF), CKR_OK);
	assert_int_equal(user_command(so, HSM_OP_USER_ROLE, "max", ROLE_READ_ONLY, NULL), CKR_OK);
	assert_int_equal(add_user(peer, "late", ROLE_USER), CKR_USER_NOT_LOGGED_IN);
	peer_free(peer);
	peer_free(other);
	peer_free(so);
}

static void a_user_changes_its_pin(void **state)
{
	struct peer *peer = with_users();
	struct hsm_writer out;

	(void)state;
	assert_int_equal(login_as(peer, CKU_USER, "rita", PIN_OF), CKR_OK);
	out = peer_fields(peer);
	hsm_put_bytes(&out, HSM_FIELD_PIN, PIN_OF, strlen(PIN_OF));
	hsm_put_bytes(&out, HSM_FIELD_NEW_PIN, "rita's own", 10);
	assert_int_equal(peer_call(peer, HSM_OP_PIN_SET, &out), CKR_OK);
	assert_int_equal(log_out(peer), CKR_OK);
	board_restart();
	peer_free(peer);
	peer = peer_open();
	assert_int_equal(login_as(peer, CKU_USER, "rita", PIN_OF), CKR_PIN_INCORRECT);
	assert_int_equal(login_as(peer, CKU_USER, "rita", "rita's own"), CKR_OK);
	assert_int_equal(log_out(peer), CKR_OK);
	/* An expired one, by name and without a login */
	board_set_value(0, HSM_POLICY_PIN_DAYS, 1);
	test_time += 2 * 86400000ULL;
	assert_int_equal(login_as(peer, CKU_USER, "rita", "rita's own"), CKR_PIN_EXPIRED);
	out = peer_fields(peer);
	hsm_put_bytes(&out, HSM_FIELD_NAME, "rita", 4);
	hsm_put_bytes(&out, HSM_FIELD_PIN, "rita's own", 10);
	hsm_put_bytes(&out, HSM_FIELD_NEW_PIN, "rita's next", 11);
	assert_int_equal(peer_call(peer, HSM_OP_PIN_SET, &out), CKR_OK);
	assert_int_equal(login_as(peer, CKU_USER, "rita", "rita's next"), CKR_OK);
	peer_free(peer);
}

static void users_go_with_the_token(void **state)
{
	struct peer *peer = with_users();

	(void)state;
	assert_int_equal(peer_call(peer, HSM_OP_SESSION_CLOSE_ALL, NULL), CKR_OK);
	peer->session = 0;
	assert_int_equal(peer_token_init(peer, SO_PIN), CKR_OK);
	assert_int_equal(peer_session(peer, true), CKR_OK);
	assert_int_equal(login_as(peer, CKU_USER, "ulla", PIN_OF), CKR_PIN_INCORRECT);
	peer_free(peer);
}

static void a_failed_commit_adds_nobody(void **state)
{
	struct peer *so = peer_so();

	(void)state;
	board.fail_commit = ENOSPC;
	assert_int_equal(add_user(so, "ulla", ROLE_USER), CKR_DEVICE_MEMORY);
	board.fail_commit = 0;
	assert_int_equal(add_user(so, "ulla", ROLE_USER), CKR_OK);
	board.fail_commit = ENOSPC;
	assert_int_equal(user_command(so, HSM_OP_USER_REMOVE, "ulla", ROLES, NULL),
			 CKR_DEVICE_MEMORY);
	board.fail_commit = 0;
	assert_int_equal(log_out(so), CKR_OK);
	assert_int_equal(login_as(so, CKU_USER, "ulla", PIN_OF), CKR_OK);
	peer_free(so);
}

static void there_is_room_for_so_many(void **state)
{
	struct partition *partition = partition_find(board.partition[0].info.id);
	struct partition_state next;
	struct peer *so = peer_so();

	(void)state;
	/* Making all of them would take half a minute of key derivations: fill the table with one user's. */
	assert_int_equal(add_user(so, "the last", ROLE_USER), CKR_OK);
	pthread_mutex_lock(&partition->commit_lock);
	next = partition->state;
	while (next.users->count < USERS_MAX) {
		next = partition->state;
		next.users = users_copy(next.users);
		next.users->user[next.users->count] = next.users->user[0];
		next.users->user[next.users->count].account = next.users->next++;
		next.users->user[next.users->count].name[0] = (char)('A' + next.users->count);
		next.users->count++;
		assert_int_equal(users_commit(partition, &next, false), CKR_OK);
	}
	pthread_mutex_unlock(&partition->commit_lock);
	assert_int_equal(add_user(so, "one more", ROLE_USER), CKR_DEVICE_MEMORY);
	partition_put(partition);
	peer_free(so);
	board_restart();
	so = peer_open();
	assert_int_equal(login_as(so, CKU_USER, "the last", PIN_OF), CKR_OK);
	peer_free(so);
}

#define READY(name) cmocka_unit_test_setup_teardown(name, board_setup_ready, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		READY(each_role_does_what_its_row_says), READY(a_manager_manages_those_below),
		READY(requests_that_make_no_sense),	 READY(who_is_logged_in_is_told_apart),
		READY(each_has_a_counter_of_its_own),	 READY(the_list_tells),
		READY(a_removed_user_is_logged_out),	 READY(a_user_changes_its_pin),
		READY(users_go_with_the_token),		 READY(a_failed_commit_adds_nobody),
		READY(there_is_room_for_so_many),
	};

	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
