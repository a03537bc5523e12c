// SPDX-License-Identifier: Apache-2.0
/*
 * What is stored: nothing is acknowledged that is not on disk, no changed byte and no old copy is accepted, and one
 * partition's damage is no other's.
 */
#include "commands_testing.h"

static CK_RV create(struct peer *peer, const char *label, bool is_private)
{
	struct hsm_writer out = peer_fields(peer);

	put_template(&out, HSM_FIELD_TEMPLATE,
		     A_LIST(A_NUMBER(CKA_CLASS, CKO_DATA), A_TRUE(CKA_TOKEN),
			    A_TEXT(CKA_LABEL, label),
			    A_BYTES(CKA_PRIVATE, is_private ? "\1" : "\0", 1),
			    A_TEXT(CKA_VALUE, "known plaintext")));
	return peer_call(peer, HSM_OP_OBJECT_CREATE, &out);
}

static size_t count_objects(struct peer *peer)
{
	struct hsm_writer out = peer_fields(peer);
	size_t length;

	put_template(&out, HSM_FIELD_TEMPLATE, A_LIST(A_NUMBER(CKA_CLASS, CKO_DATA)));
	assert_int_equal(peer_call(peer, HSM_OP_FIND_INIT, &out), CKR_OK);
	out = peer_fields(peer);
	hsm_put_u64(&out, HSM_FIELD_COUNT, 100);
	assert_int_equal(peer_call(peer, HSM_OP_FIND, &out), CKR_OK);
	hsm_fields_bytes(&peer->fields, HSM_FIELD_HANDLES, &length);
	assert_int_equal(peer_call(peer, HSM_OP_FIND_FINAL, NULL), CKR_OK);
	return length / 8;
}

/* Does partition 0 work? Partition 1 must, whatever happened to its neighbour. */
static bool works(void)
{
	struct peer *peer, *other = peer_new(1);
	const struct context_info info = { .id = 1, .epoch = 3 };
	bool ok = false;

	assert_int_equal(peer_call(other, HSM_OP_TOKEN_INFO, NULL), CKR_OK);
	peer_free(other);
	peer = peer_alloc();
	assert_int_equal(context_open(&info, &peer->context), 0);
	if (peer_connect(peer, board.partition[0].info.id) == IHSM_SC_SUCCESS)
		ok = peer_call(peer, HSM_OP_TOKEN_INFO, NULL) == CKR_OK;
	peer_free(peer);
	return ok;
}

static void a_failed_commit_changes_nothing(void **state)
{
	struct peer *peer = peer_user(0);

	(void)state;
	assert_int_equal(create(peer, "one", false), CKR_OK);
	board.fail_commit = ENOSPC;
	assert_int_equal(create(peer, "two", true), CKR_DEVICE_MEMORY);
	assert_int_equal(count_objects(peer), 1);
	board.fail_commit = EIO;
	assert_int_equal(create(peer, "two", true), CKR_DEVICE_ERROR);
	assert_int_equal(count_objects(peer), 1);
	board.fail_commit = 0;
	assert_int_equal(create(peer, "two", true), CKR_OK);
	assert_int_equal(count_objects(peer), 2);
	peer_free(peer);
	board_restart();
	peer = peer_user(0);
	assert_int_equal(count_objects(peer), 2);
	peer_free(peer);
}

static bool stored_in_clear(const char *text)
{
	struct test_partition *p = &board.partition[0];
	uint32_t i;

	for (i = 0; i < p->rows; i++)
		if (memmem(p->row[i].blob, p->row[i].length, text, strlen(text)))
			return true;
	return memmem(p->header, p->header_length, text, strlen(text)) != NULL;
}

static void nothing_is_stored_in_clear(void **state)
{
	struct peer *peer = peer_user(0);

	(void)state;
	assert_int_equal(create(peer, "a label", false), CKR_OK);
	assert_int_equal(board_objects(&board.partition[0]), 1);
	assert_false(stored_in_clear("a label"));
	assert_false(stored_in_clear("known plaintext"));
	assert_false(stored_in_clear(USER_PIN));
	peer_free(peer);
}

static void every_changed_byte_of_a_row_is_seen(void **state)
{
	struct peer *peer = peer_user(0);
	struct test_row *row = &board.partition[0].row[0];
	uint32_t i;

	(void)state;
	assert_int_equal(create(peer, "one", true), CKR_OK);
	peer_free(peer);
	for (i = 0; i < row->length; i += 7) {
		row->blob[i] ^= 0x10;
		board_restart();
		assert_false(works());
		row->blob[i] ^= 0x10;
	}
	board_restart();
	assert_true(works());
}

static void every_changed_byte_of_a_header_is_seen(void **state)
{
	struct test_partition *p = &board.partition[0];
	uint32_t i;

	(void)state;
	for (i = 0; i < p->header_length; i += 13) {
		p->header[i] ^= 1;
		board_restart();
		assert_false(works());
		p->header[i] ^= 1;
	}
	p->header_length -= 1;
	board_restart();
	assert_false(works());
	p->header_length += 1;
	board_restart();
	assert_true(works());
}

static void rows_cannot_be_dropped_swapped_or_put_back(void **state)
{
	struct test_partition *p = &board.partition[0];
	struct peer *peer = peer_user(0);
	struct test_partition before = { 0 };
	struct test_row row;

	(void)state;
	assert_int_equal(create(peer, "one", false), CKR_OK);
	assert_int_equal(create(peer, "two", false), CKR_OK);
	peer_free(peer);
	partition_copy(&before, p);
	/* dropped */
	p->rows--;
	board_restart();
	assert_false(works());
	p->rows++;
	/* swapped */
	row = p->row[0];
	p->row[0].blob = p->row[1].blob;
	p->row[0].length = p->row[1].length;
	p->row[1].blob = row.blob;
	p->row[1].length = row.length;
	board_restart();
	assert_false(works());
	partition_copy(p, &before);
	board_restart();
	assert_true(works());
	partition_empty(&before);
}

static void an_old_copy_is_seen_once_the_counter_moved(void **state)
{
	struct test_partition old = { 0 };
	uint64_t counter;
	struct peer *peer;

	(void)state;
	partition_copy(&old, &board.partition[0]);
	peer = peer_new(0);
	assert_int_equal(peer_session(peer, true), CKR_OK);
	assert_int_equal(peer_login(peer, CKU_USER, "wrong pin"), CKR_PIN_INCORRECT);
	assert_int_equal(peer_login(peer, CKU_USER, "wrong pin"), CKR_PIN_INCORRECT);
	peer_free(peer);
	counter = board.partition[0].counter;
	partition_copy(&board.partition[0], &old);
	board.partition[0].counter = counter;
	board_restart();
	assert_false(works());
	/* A header one step ahead of the board's counter is an interrupted commit. */
	board.partition[0].counter = old.counter - 1;
	board_restart();
	assert_true(works());
	board.partition[0].counter = old.counter - 2;
	board_restart();
	assert_false(works());
	partition_empty(&old);
}

static void a_foreign_header_does_not_open(void **state)
{
	struct test_partition *a = &board.partition[0], *b = &board.partition[1];

	(void)state;
	memcpy(a->header, b->header, sizeof(a->header));
	a->header_length = b->header_length;
	a->counter = b->counter;
	board_restart();
	assert_false(works());
}

static void unknown_version_is_named(void **state)
{
	uint8_t *version = &board.partition[0].header[8];

	(void)state;
	++*version;
	board_restart();
	assert_false(works());
	--*version;
	board_restart();
	assert_true(works());
}

static void destruction_moves_the_counter(void **state)
{
	struct peer *peer = peer_user(0);
	struct hsm_writer out;
	unsigned int advances;
	uint64_t handle;

	(void)state;
	assert_int_equal(create(peer, "one", false), CKR_OK);
	handle = peer_u64(peer, HSM_FIELD_HANDLE);
	advances = board.advances;
	out = peer_fields(peer);
	hsm_put_u64(&out, HSM_FIELD_KEY, handle);
	assert_int_equal(peer_call(peer, HSM_OP_OBJECT_DESTROY, &out), CKR_OK);
	assert_int_equal(board.advances, advances + 1);
	assert_int_equal(board_objects(&board.partition[0]), 0);
	peer_free(peer);
}

static void hash_is_a_sum(void **state)
{
	uint8_t sum[32] = { 0 }, a[32], b[32], zero[32] = { 0 };

	(void)state;
	memset(a, 0xff, sizeof(a));
	memset(b, 0x01, sizeof(b));
	hash_add(sum, a);
	hash_add(sum, b);
	hash_add(sum, b);
	hash_subtract(sum, b);
	hash_subtract(sum, a);
	assert_memory_equal(sum, b, 32);
	hash_subtract(sum, b);
	assert_memory_equal(sum, zero, 32);
	hash_subtract(sum, b);
	hash_add(sum, b);
	assert_memory_equal(sum, zero, 32);
}

/* ---- function 0 ---- */

static struct peer *officer_peer(bool owner)
{
	static const uint8_t device[16] = BOARD_DEVICE_PARTITION;
	const struct context_info info = { .id = 1, .epoch = 3, .owner = owner };
	struct peer *peer = peer_alloc();

	assert_int_equal(context_open(&info, &peer->context), 0);
	assert_int_equal(peer_connect(peer, device), IHSM_SC_SUCCESS);
	return peer;
}

static int device_setup(void **state)
{
	(void)state;
	board_clear();
	board.partition[0].exists = true;
	board.hello = (struct board_hello){ .function = 0, .functions = 2 };
	memcpy(board.code, "the code", 8);
	return commands_start(&board.hello);
}

static CK_RV claim(struct peer *peer, const char *code)
{
	struct hsm_writer out = peer_fields(peer);

	if (code)
		hsm_put_bytes(&out, HSM_FIELD_CODE, code, strlen(code));
	hsm_put_bytes(&out, HSM_FIELD_NEW_PIN, "officer pin", 11);
	return peer_call(peer, HSM_OP_CLAIM, &out);
}

static CK_RV officer_login(struct peer *peer, const char *pin)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_bytes(&out, HSM_FIELD_PIN, pin, strlen(pin));
	return peer_call(peer, HSM_OP_OFFICER_LOGIN, &out);
}

/* Number of records in the answer to PARTITION_LIST from a slot number on; @rest: where it goes on, 0: nowhere */
static size_t listed(struct peer *peer, uint32_t from, uint32_t *first, uint64_t *rest)
{
	struct hsm_writer out = peer_fields(peer);
	struct hsm_partition_status status;
	const uint8_t *data;
	size_t length;

	hsm_put_u32(&out, HSM_FIELD_SLOT, from);
	assert_int_equal(peer_call(peer, HSM_OP_PARTITION_LIST, &out), CKR_OK);
	data = hsm_fields_bytes(&peer->fields, HSM_FIELD_RECORDS, &length);
	*rest = hsm_fields_u64(&peer->fields, HSM_FIELD_SLOT, 0);
	if (length) {
		memcpy(&status, data, sizeof(status));
		*first = le32toh(status.slot);
	}
	return length / sizeof(status);
}

/* More partitions than one answer holds, in no order: the list comes in pieces, by slot number, each once. */
static void a_long_list_comes_in_pieces(void **state)
{
	struct peer *peer = officer_peer(true);
	uint32_t first;
	uint64_t rest;

	(void)state;
	assert_int_equal(claim(peer, "the code"), CKR_OK);
	board.crowd = 1000;
	assert_int_equal(listed(peer, 0, &first, &rest), 500);
	assert_int_equal(first, 0);
	assert_int_equal(rest, 500);
	assert_int_equal(listed(peer, rest, &first, &rest), 500);
	assert_int_equal(first, 500);
	assert_int_equal(rest, 0);
	assert_int_equal(listed(peer, 998, &first, &rest), 2);
	assert_int_equal(rest, 0);
	assert_int_equal(listed(peer, 1000, &first, &rest), 0);
	board.crowd = 0;
	peer_free(peer);
}

static void the_device_is_claimed_by_code(void **state)
{
	struct peer *peer = officer_peer(true), *other;
	struct hsm_writer out;

	(void)state;
	assert_int_equal(peer_call(peer, HSM_OP_PARTITION_LIST, NULL), CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(claim(peer, NULL), CKR_ARGUMENTS_BAD);
	assert_int_equal(claim(peer, "bad code"), CKR_PIN_INCORRECT);
	assert_int_equal(officer_login(peer, "officer pin"), CKR_USER_PIN_NOT_INITIALIZED);
	assert_int_equal(claim(peer, "the code"), CKR_OK);
	assert_int_equal(peer_call(peer, HSM_OP_PARTITION_LIST, NULL), CKR_OK);
	peer_free(peer);
	board_restart();
	other = officer_peer(false);
	assert_int_equal(claim(other, "the code"), CKR_USER_ALREADY_LOGGED_IN);
	assert_int_equal(officer_login(other, "wrong pin"), CKR_PIN_INCORRECT);
	assert_int_equal(peer_call(other, HSM_OP_PARTITION_LIST, NULL), CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(officer_login(other, "officer pin"), CKR_OK);
	out = peer_fields(other);
	hsm_put_bytes(&out, HSM_FIELD_NAME, "web", 3);
	assert_int_equal(peer_call(other, HSM_OP_PARTITION_CREATE, &out), CKR_OK);
	assert_int_equal(peer_session(other, true), CKR_FUNCTION_NOT_SUPPORTED);
	peer_free(other);
}

/* Names are shown to people: no broken UTF-8, nothing that steers a terminal. */
static void names_of_partitions_are_text(void **state)
{
	static const struct {
		const char *name;
		size_t length;
		CK_RV rv;
	} cases[] = {
		{ "na\xc3\xafve", 6, CKR_OK },	      { "na\xc3", 3, CKR_ARGUMENTS_BAD },
		{ "\xc0\xaf", 2, CKR_ARGUMENTS_BAD }, { "a\0b", 3, CKR_ARGUMENTS_BAD },
		{ "a\033[2J", 5, CKR_ARGUMENTS_BAD }, { "\xc2\x9b", 2, CKR_ARGUMENTS_BAD },
		{ "", 0, CKR_ARGUMENTS_BAD },
	};
	struct hsm_writer out;
	struct peer *owner;
	size_t i;

	(void)state;
	board.hello.flags = BOARD_HELLO_EMBEDDED;
	board_restart();
	owner = officer_peer(true);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		out = peer_fields(owner);
		hsm_put_bytes(&out, HSM_FIELD_NAME, cases[i].name, cases[i].length);
		assert_int_equal(peer_call(owner, HSM_OP_PARTITION_CREATE, &out), cases[i].rv);
	}
	peer_free(owner);
}

static void the_owner_of_an_embedded_board_is_its_officer(void **state)
{
	struct peer *owner, *other;

	(void)state;
	board.hello.flags = BOARD_HELLO_EMBEDDED;
	board_restart();
	owner = officer_peer(true);
	other = officer_peer(false);
	assert_int_equal(peer_call(owner, HSM_OP_PARTITION_LIST, NULL), CKR_OK);
	assert_int_equal(peer_call(other, HSM_OP_PARTITION_LIST, NULL), CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(claim(other, NULL), CKR_ARGUMENTS_BAD);
	peer_free(owner);
	peer_free(other);
}

#define READY(name)  cmocka_unit_test_setup_teardown(name, board_setup_ready, board_teardown)
#define DEVICE(name) cmocka_unit_test_setup_teardown(name, device_setup, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		READY(a_failed_commit_changes_nothing),
		READY(nothing_is_stored_in_clear),
		READY(every_changed_byte_of_a_row_is_seen),
		READY(every_changed_byte_of_a_header_is_seen),
		READY(rows_cannot_be_dropped_swapped_or_put_back),
		READY(an_old_copy_is_seen_once_the_counter_moved),
		READY(a_foreign_header_does_not_open),
		READY(unknown_version_is_named),
		READY(destruction_moves_the_counter),
		cmocka_unit_test(hash_is_a_sum),
		DEVICE(the_device_is_claimed_by_code),
		DEVICE(a_long_list_comes_in_pieces),
		DEVICE(names_of_partitions_are_text),
		DEVICE(the_owner_of_an_embedded_board_is_its_officer),
	};

	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
