// SPDX-License-Identifier: Apache-2.0
/*
 * A record is in the log exactly when that happened of which it tells: each commit of an action fails in turn, or the
 * process is killed after it, and log and state are compared after a restart. And uses of keys: none without a bound.
 */
#include "audit_testing.h"
#include "object_testing.h"

#define OK(call) assert_int_equal(call, CKR_OK)
#define LABELLED(label_, private_)                                                                 \
	A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY), A_NUMBER(CKA_KEY_TYPE, CKK_AES),               \
	       A_BYTES(CKA_VALUE, "0123456789abcdef", 16), A_TRUE(CKA_TOKEN), A_TRUE(CKA_ENCRYPT), \
	       private_, A_TEXT(CKA_LABEL, label_))
#define SECRET(label_) LABELLED(label_, A_TRUE(CKA_PRIVATE))
#define PUBLIC(label_) LABELLED(label_, A_FALSE(CKA_PRIVATE))

/* ---- each commit fails in turn ---- */

static int commits_left;

/* Lets that many commits pass; all after it fail, as if the machine had stopped. */
static void count_down(void)
{
	if (commits_left-- > 0)
		board.during_commit = count_down;
	else
		board.fail_commit = EIO;
}

static uint64_t victim;

static CK_RV key_create(struct peer *peer)
{
	uint64_t handle;

	return create(peer, SECRET("made"), &handle);
}

static CK_RV key_destroy(struct peer *peer)
{
	return with_key(peer, HSM_OP_OBJECT_DESTROY, victim);
}

static CK_RV key_rename(struct peer *peer)
{
	return change(peer, HSM_OP_ATTRIBUTES_SET, victim, A_LIST(A_TEXT(CKA_LABEL, "renamed")));
}

static CK_RV pin_change(struct peer *peer)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_bytes(&out, HSM_FIELD_PIN, USER_PIN, strlen(USER_PIN));
	hsm_put_bytes(&out, HSM_FIELD_NEW_PIN, "another pin", 11);
	return peer_call(peer, HSM_OP_PIN_SET, &out);
}

static bool key_created(struct peer *peer, bool logged_in)
{
	return logged_in && find(peer, A_LIST(A_TEXT(CKA_LABEL, "made"))) == 1;
}

static bool key_destroyed(struct peer *peer, bool logged_in)
{
	return logged_in && find(peer, A_LIST(A_TEXT(CKA_LABEL, "victim"))) == 0;
}

static bool key_renamed(struct peer *peer, bool logged_in)
{
	return logged_in && find(peer, A_LIST(A_TEXT(CKA_LABEL, "renamed"))) == 1;
}

static bool pin_changed(struct peer *peer, bool logged_in)
{
	return !logged_in && peer_login(peer, CKU_USER, "another pin") == CKR_OK;
}

static const struct action {
	enum hsm_audit_event event;
	CK_RV (*act)(struct peer *peer);
	bool (*happened)(struct peer *peer, bool logged_in); /* @logged_in: with the former PIN */
} actions[] = {
	{ HSM_AUDIT_OBJECT_CREATED, key_create, key_created },
	{ HSM_AUDIT_OBJECT_DESTROYED, key_destroy, key_destroyed },
	{ HSM_AUDIT_OBJECT_CHANGED, key_rename, key_renamed },
	{ HSM_AUDIT_PIN_SET, pin_change, pin_changed },
};

static size_t records_of(enum hsm_audit_event event)
{
	struct partition *partition = first_partition();
	size_t count;

	flush(partition);
	count = count_events(event);
	partition_put(partition);
	return count;
}

/* What works at the end of an action that had so many commits; whether it is told of is compared. */
static void one_action(const struct action *action, int commits)
{
	struct peer *peer = peer_user(0);
	size_t before;
	bool happened, logged_in;
	CK_RV rv;

	OK(create(peer, SECRET("victim"), &victim));
	before = records_of(action->event);
	commits_left = commits;
	board.during_commit = count_down;
	rv = action->act(peer);
	board.during_commit = NULL;
	board.fail_commit = 0;
	peer_free(peer);
	board_restart();
	before = records_of(action->event) - before;
	peer = peer_new(0);
	OK(peer_session(peer, true));
	logged_in = peer_login(peer, CKU_USER, USER_PIN) == CKR_OK;
	happened = action->happened(peer, logged_in);
	assert_int_equal(before, happened);
	if (rv == CKR_OK)
		assert_true(happened);
	peer_free(peer);
}

static void told_exactly_when_it_happened(void **state)
{
	size_t i;
	int commits;

	for (i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		for (commits = 0; commits < 4; commits++) {
			one_action(&actions[i], commits);
			commands_stop();
			assert_int_equal(board_setup_ready(state), 0);
		}
	}
}

/* ---- uses ---- */

static void set_keys(uint32_t how)
{
	board_set_value(0, HSM_POLICY_AUDIT_KEYS, how);
}

static CK_RV encrypt_once(struct peer *peer, uint64_t handle)
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

/* The last record of uses by @actor, and the sum of what they count */
static uint64_t uses_by(const char *actor, struct hsm_audit_record *last)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < all.count; i++) {
		if (all.record[i].event != HSM_AUDIT_KEY_USES || strcmp(all.record[i].actor, actor))
			continue;
		sum += all.record[i].count;
		*last = all.record[i];
	}
	return sum;
}

static void uses_are_counted(void **state)
{
	struct partition *partition;
	struct hsm_audit_record last = { 0 };
	struct peer *peer = peer_user(0);
	uint64_t handle, told;
	int i;

	(void)state;
	set_keys(1);
	OK(create(peer, SECRET("key"), &handle));
	for (i = 0; i < 1000; i++)
		OK(encrypt_once(peer, handle));
	partition = first_partition();
	flush(partition);
	assert_int_equal(uses_by("board", &last), 1000);
	assert_int_equal(last.object, handle);
	assert_int_equal(last.use, CKA_ENCRYPT);
	assert_int_equal(last.reserved, 0);
	assert_in_range(count_events(HSM_AUDIT_KEY_USES), 2, 12);
	/* Killed: what is not told of is within what was reserved. */
	for (i = 0; i < 500; i++)
		OK(encrypt_once(peer, handle));
	partition_put(partition);
	peer_free(peer);
	board_restart();
	partition = first_partition();
	read_all(partition);
	told = uses_by("board", &last);
	assert_true(told <= 1500);
	assert_true(told + last.reserved >= 1500);
	partition_put(partition);
}

static void each_use_is_told(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t handle;
	int i;

	(void)state;
	set_keys(2);
	OK(create(peer, SECRET("key"), &handle));
	for (i = 0; i < 20; i++)
		OK(encrypt_once(peer, handle));
	/* What cannot be written down is not done. */
	board.fail_commit = EIO;
	assert_int_not_equal(encrypt_once(peer, handle), CKR_OK);
	board.fail_commit = 0;
	assert_int_equal(records_of(HSM_AUDIT_KEY_USED), 20);
	peer_free(peer);
}

/* Who is not logged in: counted, all public keys together, and hardly any record for it */
static void strangers_uses(void **state)
{
	struct peer *peer = peer_user(0), *stranger;
	struct hsm_audit_record last = { 0 };
	struct partition *partition;
	uint64_t handle[2];
	uint32_t policy;
	int i;

	(void)state;
	OK(create(peer, PUBLIC("one"), &handle[0]));
	OK(create(peer, PUBLIC("two"), &handle[1]));
	peer_free(peer);
	for (policy = 1; policy <= 2; policy++) {
		set_keys(policy);
		stranger = peer_new(0);
		OK(peer_session(stranger, false));
		for (i = 0; i < 2000; i++)
			OK(encrypt_once(stranger, handle[i & 1]));
		peer_free(stranger);
		partition = first_partition();
		flush(partition);
		assert_int_equal(uses_by(AUDIT_PUBLIC, &last), policy * 2000);
		assert_int_equal(last.object, 0);
		assert_in_range(count_events(HSM_AUDIT_KEY_USES), 1, 12 * policy);
		assert_int_equal(count_events(HSM_AUDIT_KEY_USED), 0);
		partition_put(partition);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, board_setup_ready, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(told_exactly_when_it_happened),
		TEST(uses_are_counted),
		TEST(each_use_is_told),
		TEST(strangers_uses),
	};

	return cmocka_run_group_tests_name("audit, exactly", tests, board_prepare, board_finish);
}
