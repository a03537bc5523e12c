// SPDX-License-Identifier: Apache-2.0
/*
 * Owners of partitions, who are asked beside the officers, and what officers grant to a partition's own process.
 */
#include "approval_testing.h"

/* ---- owners ---- */

static void an_owner_is_asked(void **state)
{
	struct peer *officer = officer_new();
	uint8_t id[PARTITION_ID_SIZE];
	static struct request request;

	(void)state;
	create(officer, id, keys[OWNER], 1);
	begin_destroy(officer, &request, id);
	assert_refused(officer, &request, 0, 0, HSM_QUORUM_OWNER, NO_VERDICTS);
	approve(&request, STRANGER);
	assert_refused(officer, &request, 0, 0, HSM_QUORUM_OWNER, VERDICTS(HSM_VERDICT_KEY));
	approve(&request, OWNER);
	assert_int_equal(send_request(officer, &request), CKR_OK);
	peer_free(officer);
}

static void officers_and_owner_are_both_asked(void **state)
{
	struct peer *officer = device_with_officers();
	uint8_t id[PARTITION_ID_SIZE];
	static struct request request;

	(void)state;
	create(officer, id, keys[OWNER], 1);
	begin_destroy(officer, &request, id);
	approve(&request, OWNER);
	approve(&request, OWNER);
	approve(&request, BERT);
	assert_refused(officer, &request, 2, 1, HSM_QUORUM_OWNER | HSM_QUORUM_OWNER_GIVEN,
		       VERDICTS(HSM_VERDICT_GOOD, HSM_VERDICT_TWICE, HSM_VERDICT_GOOD));
	begin_destroy(officer, &request, id);
	approve(&request, ANNA);
	approve(&request, BERT);
	assert_refused(officer, &request, 2, 2, HSM_QUORUM_OWNER,
		       VERDICTS(HSM_VERDICT_GOOD, HSM_VERDICT_GOOD));
	approve(&request, OWNER);
	assert_int_equal(send_request(officer, &request), CKR_OK);
	peer_free(officer);
}

/* Who could change the owner, or what the owner is asked, would need no owner. */
static void an_owner_is_not_talked_away(void **state)
{
	struct peer *officer = officer_new();
	uint8_t id[PARTITION_ID_SIZE];
	static struct request request;
	struct hsm_writer out;
	struct der der;
	int i;

	(void)state;
	create(officer, id, keys[OWNER], 1);
	der = public_der(keys[STRANGER]);
	for (i = 0; i < 4; i++) {
		out = named(officer, id);
		hsm_put_u64(&out, HSM_FIELD_FLAGS, HSM_UPDATE_RELAX);
		if (i == 0)
			hsm_put_bytes(&out, HSM_FIELD_OWNER_KEY, NULL, 0);
		else if (i == 1)
			hsm_put_bytes(&out, HSM_FIELD_OWNER_KEY, der.bytes, der.length);
		else if (i == 2)
			hsm_put_u32(&out, HSM_FIELD_OWNER_APPROVES, 0);
		else
			hsm_put_u32(&out, HSM_FIELD_OWNER_APPROVES, 6);
		begin(&request, HSM_OP_PARTITION_UPDATE, &out);
		take_nonce(officer, &request);
		assert_int_equal(send_request(officer, &request), CKR_ACTION_PROHIBITED);
		assert_missing(officer, 0, 0, HSM_QUORUM_OWNER, NO_VERDICTS);
	}
	/* More to be asked for is nobody's loss. */
	out = named(officer, id);
	hsm_put_u32(&out, HSM_FIELD_OWNER_APPROVES, 5);
	assert_int_equal(peer_call(officer, HSM_OP_PARTITION_UPDATE, &out), CKR_OK);
	/* With the owner's word there is another one. */
	out = named(officer, id);
	hsm_put_u64(&out, HSM_FIELD_FLAGS, HSM_UPDATE_RELAX);
	hsm_put_bytes(&out, HSM_FIELD_OWNER_KEY, der.bytes, der.length);
	begin(&request, HSM_OP_PARTITION_UPDATE, &out);
	take_nonce(officer, &request);
	approve(&request, OWNER);
	assert_int_equal(send_request(officer, &request), CKR_OK);
	begin_destroy(officer, &request, id);
	approve(&request, OWNER);
	assert_int_equal(send_request(officer, &request), CKR_ACTION_PROHIBITED);
	approve(&request, STRANGER);
	assert_int_equal(send_request(officer, &request), CKR_OK);
	OPENSSL_free(der.bytes);
	peer_free(officer);
}

static void an_owner_s_key_is_one(void **state)
{
	struct peer *officer = officer_new();
	uint8_t id[PARTITION_ID_SIZE];
	struct hsm_writer out = peer_fields(officer);
	struct der der;

	(void)state;
	hsm_put_bytes(&out, HSM_FIELD_NAME, "tenant", 6);
	hsm_put_bytes(&out, HSM_FIELD_OWNER_KEY, "rubbish", 7);
	assert_int_equal(peer_call(officer, HSM_OP_PARTITION_CREATE, &out), CKR_ARGUMENTS_BAD);
	/* An owner comes later only on purpose: it is one more who can say no. */
	create(officer, id, NULL, 0);
	out = named(officer, id);
	der = public_der(keys[OWNER]);
	hsm_put_bytes(&out, HSM_FIELD_OWNER_KEY, der.bytes, der.length);
	OPENSSL_free(der.bytes);
	assert_int_equal(peer_call(officer, HSM_OP_PARTITION_UPDATE, &out), CKR_ACTION_PROHIBITED);
	assert_null(hsm_fields_find(&officer->fields, HSM_FIELD_QUORUM));
	peer_free(officer);
}

/* ---- grants ---- */

/* A partition's own process has no officers: it is told by the board what they have granted. */
static CK_RV check_in_partition(const uint8_t *id, uint64_t flags)
{
	struct partition partition = { 0 };
	struct task task = { 0 };
	struct client client = { 0 };
	struct command command = { .task = &task, .client = &client, .partition = &partition };
	uint8_t text[64];
	struct hsm_writer out;

	memcpy(partition.info.id, id, PARTITION_ID_SIZE);
	command.info = hsm_operation_find(HSM_OP_PARTITION_UPDATE);
	hsm_writer_init(&out, text, sizeof(text));
	hsm_put_u64(&out, HSM_FIELD_FLAGS, flags);
	assert_int_equal(hsm_fields_parse(&command.fields, text, out.length), 0);
	return approval_check(&command, NULL);
}

static void begin_grant(struct peer *officer, struct request *request, const uint8_t *id)
{
	struct hsm_writer out = peer_fields(officer);

	hsm_put_u64(&out, HSM_FIELD_FLAGS, 1);
	begin(request, HSM_OP_PARTITION_UPDATE, &out);
	memcpy(request->what.partition, id, PARTITION_ID_SIZE);
	take_nonce(officer, request);
}

static CK_RV send_grant(struct peer *officer, struct request *request)
{
	struct hsm_approval plain = request->what;
	struct hsm_writer out = peer_fields(officer);
	uint8_t *bytes;
	size_t length;

	plain.has_nonce = false;
	assert_int_equal(hsm_approval_build(&plain, &bytes, &length), 0);
	hsm_put_bytes(&out, HSM_FIELD_DATA, bytes, length);
	hsm_put_bytes(&out, HSM_FIELD_APPROVALS, request->approvals, request->list.length);
	hsm_put_bytes(&out, HSM_FIELD_APPROVAL_NONCE, request->what.nonce, 32);
	free(bytes);
	return peer_call(officer, HSM_OP_APPROVAL_GRANT, &out);
}

static void a_partition_does_what_was_granted_once(void **state)
{
	struct peer *officer = device_with_officers();
	uint8_t id[PARTITION_ID_SIZE], other[PARTITION_ID_SIZE];
	static struct request request;

	(void)state;
	create(officer, id, NULL, 0);
	create(officer, other, NULL, 0);
	assert_int_equal(check_in_partition(id, 1), CKR_ACTION_PROHIBITED);
	begin_grant(officer, &request, id);
	approve(&request, ANNA);
	assert_int_equal(send_grant(officer, &request), CKR_ACTION_PROHIBITED);
	assert_int_equal(check_in_partition(id, 1), CKR_ACTION_PROHIBITED);
	approve(&request, CARL);
	assert_int_equal(send_grant(officer, &request), CKR_OK);
	assert_int_equal(check_in_partition(other, 1), CKR_ACTION_PROHIBITED);
	assert_int_equal(check_in_partition(id, 0), CKR_ACTION_PROHIBITED);
	assert_int_equal(check_in_partition(id, 1), CKR_OK);
	assert_int_equal(check_in_partition(id, 1), CKR_ACTION_PROHIBITED);
	assert_int_equal(send_grant(officer, &request), CKR_ACTION_PROHIBITED);
	peer_free(officer);
}

static void what_cannot_be_granted(void **state)
{
	struct peer *officer = officer_new();
	uint8_t id[PARTITION_ID_SIZE];
	static const uint8_t device[PARTITION_ID_SIZE], nobody[PARTITION_ID_SIZE] = { 9 };
	static struct request request;

	(void)state;
	create(officer, id, NULL, 0);
	begin_grant(officer, &request, device);
	assert_int_equal(send_grant(officer, &request), CKR_ARGUMENTS_BAD);
	begin_grant(officer, &request, nobody);
	assert_int_equal(send_grant(officer, &request), CKR_OBJECT_HANDLE_INVALID);
	begin_grant(officer, &request, id);
	request.what.board[0] ^= 1;
	assert_int_equal(send_grant(officer, &request), CKR_ARGUMENTS_BAD);
	request.what.board[0] ^= 1;
	assert_int_equal(send_grant(officer, &request), CKR_OK);
	peer_free(officer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OFFICER(an_owner_is_asked),
		OFFICER(officers_and_owner_are_both_asked),
		OFFICER(an_owner_is_not_talked_away),
		OFFICER(an_owner_s_key_is_one),
		OFFICER(a_partition_does_what_was_granted_once),
		OFFICER(what_cannot_be_granted),
	};

	return cmocka_run_group_tests(tests, approval_prepare, approval_finish);
}
