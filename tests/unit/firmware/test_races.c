// SPDX-License-Identifier: Apache-2.0
/*
 * What one thread of a client does while the commit of another is on its way to the board: logouts, ends of sessions. The
 * other one begins within the test's board, so that each run is the same.
 */
#include <sched.h>
#include "commands_testing.h"

static struct peer *first; /* whose commit is under way */

/* second_call - a command in another session of the same client */
static CK_RV second_call(uint32_t session, unsigned int operation)
{
	struct peer *second = peer_alloc();
	CK_RV rv;

	*second = *first;
	second->session = session;
	second->sequence++;
	rv = peer_call(second, operation, NULL);
	/* The command under way adds one for itself. */
	first->sequence = second->sequence - 1;
	free(second);
	return rv;
}

static uint32_t second_session;

/* A logout is recorded, and so waits for the commit that is under way. */
static pthread_t logging_out;
static struct peer *leaver;

static void *logout_thread(void *unused)
{
	(void)unused;
	return peer_call(leaver, HSM_OP_LOGOUT, NULL) == CKR_OK ? leaver : NULL;
}

static bool logout_waits(void)
{
	struct partition *partition = partition_find(board.partition[0].info.id);
	bool waits;

	pthread_mutex_lock(&partition->group.lock);
	waits = partition->group.first != NULL;
	pthread_mutex_unlock(&partition->group.lock);
	partition_put(partition);
	return waits;
}

static void logout(void)
{
	leaver = peer_alloc();
	*leaver = *first;
	leaver->session = second_session;
	leaver->sequence++;
	assert_int_equal(pthread_create(&logging_out, NULL, logout_thread, NULL), 0);
	while (!logout_waits())
		sched_yield();
}

static void logged_out(void)
{
	void *done = NULL;

	assert_non_null(leaver);
	assert_int_equal(pthread_join(logging_out, &done), 0);
	assert_non_null(done);
	first->sequence = leaver->sequence;
	free(leaver);
	leaver = NULL;
}

static void end_session(void)
{
	assert_int_equal(second_call(second_session, HSM_OP_SESSION_CLOSE), CKR_OK);
}

static void two_sessions(void)
{
	uint32_t session;

	first = peer_user(0);
	session = first->session;
	assert_int_equal(peer_session(first, true), CKR_OK);
	second_session = first->session;
	first->session = session;
}

/* A data object made in a session */
static uint64_t object(uint32_t session, const char *token, const char *private, const char *label)
{
	struct hsm_writer out = peer_fields(first);
	uint32_t own = first->session;

	put_template(&out, HSM_FIELD_TEMPLATE,
		     A_LIST(A_NUMBER(CKA_CLASS, CKO_DATA), A_BYTES(CKA_TOKEN, token, 1),
			    A_BYTES(CKA_PRIVATE, private, 1), A_TEXT(CKA_LABEL, label)));
	first->session = session;
	assert_int_equal(peer_call(first, HSM_OP_OBJECT_CREATE, &out), CKR_OK);
	first->session = own;
	return peer_u64(first, HSM_FIELD_HANDLE);
}

static CK_RV destroy(uint64_t handle)
{
	struct hsm_writer out = peer_fields(first);

	hsm_put_u64(&out, HSM_FIELD_KEY, handle);
	return peer_call(first, HSM_OP_OBJECT_DESTROY, &out);
}

static CK_RV relabel(uint64_t handle, const char *label)
{
	struct hsm_writer out = peer_fields(first);

	hsm_put_u64(&out, HSM_FIELD_KEY, handle);
	put_template(&out, HSM_FIELD_TEMPLATE, A_LIST(A_TEXT(CKA_LABEL, label)));
	return peer_call(first, HSM_OP_ATTRIBUTES_SET, &out);
}

static uint64_t found_handle; /* the last one that a search has found */

static size_t found(const char *label)
{
	const uint8_t *list;
	struct hsm_writer out = peer_fields(first);
	size_t length;

	put_template(&out, HSM_FIELD_TEMPLATE, A_LIST(A_TEXT(CKA_LABEL, label)));
	assert_int_equal(peer_call(first, HSM_OP_FIND_INIT, &out), CKR_OK);
	out = peer_fields(first);
	hsm_put_u64(&out, HSM_FIELD_COUNT, 1000);
	assert_int_equal(peer_call(first, HSM_OP_FIND, &out), CKR_OK);
	list = hsm_fields_bytes(&first->fields, HSM_FIELD_HANDLES, &length);
	if (length)
		found_handle = hsm_get_le64(list + length - 8);
	assert_int_equal(peer_call(first, HSM_OP_FIND_FINAL, NULL), CKR_OK);
	return length / 8;
}

/* The logout seals private objects again: the one that is being destroyed must not stay in that form. */
static void destroyed_while_logging_out(void **state)
{
	uint64_t handle;

	(void)state;
	two_sessions();
	handle = object(first->session, "\1", "\1", "gone");
	board.during_commit = logout;
	assert_int_equal(destroy(handle), CKR_OK);
	logged_out();
	assert_int_equal(peer_login(first, CKU_USER, USER_PIN), CKR_OK);
	assert_int_equal(found("gone"), 0);
	assert_int_equal(destroy(handle), CKR_OBJECT_HANDLE_INVALID);
	object(first->session, "\1", "\1", "next");
	peer_free(first);
	board_restart();
	first = peer_user(0);
	assert_int_equal(found("gone"), 0);
	assert_int_equal(found("next"), 1);
	peer_free(first);
}

static void changed_while_logging_out(void **state)
{
	uint64_t handle;

	(void)state;
	two_sessions();
	handle = object(first->session, "\1", "\1", "old");
	board.during_commit = logout;
	assert_int_equal(relabel(handle, "new"), CKR_OK);
	logged_out();
	assert_int_equal(found("new"), 0);
	assert_int_equal(peer_login(first, CKU_USER, USER_PIN), CKR_OK);
	assert_int_equal(found("old"), 0);
	assert_int_equal(found("new"), 1);
	assert_int_equal(destroy(found_handle), CKR_OK);
	assert_int_equal(found("new"), 0);
	peer_free(first);
}

/* Session objects are no part of commits: they go with their session at any time. */
static void session_ends_while_another_commits(void **state)
{
	uint64_t fleeting;
	int i;

	(void)state;
	two_sessions();
	fleeting = object(second_session, "\0", "\0", "fleeting");
	board.during_commit = end_session;
	object(first->session, "\1", "\0", "lasting");
	assert_int_equal(relabel(fleeting, "back"), CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(found("fleeting") + found("back"), 0);
	/* The account of session objects is right: as many fit as the quota says. */
	for (i = 0; i < 200; i++)
		object(first->session, "\0", "\0", "many");
	assert_int_equal(found("many"), 200);
	peer_free(first);
}

/* It is made, since the user had asked for it, and is hidden like the others. */
static void private_object_made_while_logging_out(void **state)
{
	struct hsm_writer out;

	(void)state;
	two_sessions();
	board.during_commit = logout;
	object(first->session, "\1", "\1", "late");
	logged_out();
	assert_int_equal(found("late"), 0);
	out = peer_fields(first);
	put_template(&out, HSM_FIELD_TEMPLATE,
		     A_LIST(A_NUMBER(CKA_CLASS, CKO_DATA), A_TRUE(CKA_PRIVATE)));
	assert_int_equal(peer_call(first, HSM_OP_OBJECT_CREATE, &out), CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(peer_login(first, CKU_USER, USER_PIN), CKR_OK);
	assert_int_equal(found("late"), 1);
	peer_free(first);
}

#define READY(name) cmocka_unit_test_setup_teardown(name, board_setup_ready, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		READY(destroyed_while_logging_out),
		READY(changed_while_logging_out),
		READY(session_ends_while_another_commits),
		READY(private_object_made_while_logging_out),
	};

	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
