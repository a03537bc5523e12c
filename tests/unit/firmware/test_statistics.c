// SPDX-License-Identifier: Apache-2.0
/*
 * STATISTICS: each command is counted once, with its kind, its time and whether it was refused; an answer stands for a
 * second; and nobody is told of another partition.
 */
#include "commands_testing.h"
#include <hsm/statistics.h>

static CK_RV call_empty(struct peer *peer, unsigned int operation)
{
	struct hsm_writer out = peer_fields(peer);

	return peer_call(peer, operation, &out);
}

static struct hsm_statistics ask(struct peer *peer)
{
	struct hsm_statistics answer;
	const uint8_t *bytes;
	size_t length;

	assert_int_equal(call_empty(peer, HSM_OP_STATISTICS), CKR_OK);
	bytes = hsm_fields_bytes(&peer->fields, HSM_FIELD_STATISTICS, &length);
	assert_int_equal(length, sizeof(answer));
	memcpy(&answer, bytes, sizeof(answer));
	return answer;
}

static struct hsm_statistics later(struct peer *peer)
{
	test_time += HSM_STATISTICS_FRESH_MS;
	return ask(peer);
}

static CK_RV random_bytes(struct peer *peer, uint64_t length)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_LENGTH, length);
	return peer_call(peer, HSM_OP_RANDOM, &out);
}

static uint64_t sum(const struct hsm_statistics_of *of)
{
	uint64_t all = 0;

	for (unsigned int i = 0; i < HSM_STATISTICS_BUCKETS; i++)
		all += le64toh(of->bucket[i]);
	return all;
}

static void test_counts(void **state)
{
	struct peer *peer = peer_user(0);
	struct hsm_statistics before = later(peer), after;

	for (int i = 0; i < 5; i++)
		assert_int_equal(random_bytes(peer, 16), CKR_OK);
	assert_int_not_equal(call_empty(peer, HSM_OP_SIGN_FINAL), CKR_OK);
	after = later(peer);
	assert_int_equal(after.kind[HSM_STATISTICS_RANDOM].count -
				 before.kind[HSM_STATISTICS_RANDOM].count,
			 5);
	assert_int_equal(after.kind[HSM_STATISTICS_RANDOM].refused,
			 before.kind[HSM_STATISTICS_RANDOM].refused);
	assert_int_equal(
		after.kind[HSM_STATISTICS_SIGN].count - before.kind[HSM_STATISTICS_SIGN].count, 1);
	assert_int_equal(after.kind[HSM_STATISTICS_SIGN].refused -
				 before.kind[HSM_STATISTICS_SIGN].refused,
			 1);
	/* The asking itself is counted in the next answer. */
	assert_int_equal(after.kind[HSM_STATISTICS_OTHER].count -
				 before.kind[HSM_STATISTICS_OTHER].count,
			 1);
	for (unsigned int i = 0; i < HSM_STATISTICS_KIND_COUNT; i++)
		assert_int_equal(sum(&after.kind[i]), le64toh(after.kind[i].count));
	assert_int_equal(after.at - before.at, HSM_STATISTICS_FRESH_MS);
	assert_int_equal(after.since, clock_start());
	assert_int_equal(after.clients, 1);
	assert_int_equal(after.sessions, 1);
	peer_free(peer);
	(void)state;
}

/* Nobody follows single commands of others. */
static void test_stands(void **state)
{
	struct peer *peer = peer_user(0);
	struct hsm_statistics first = later(peer), second;

	assert_int_equal(random_bytes(peer, 16), CKR_OK);
	test_time += HSM_STATISTICS_FRESH_MS - 1;
	second = ask(peer);
	assert_memory_equal(&first, &second, sizeof(first));
	test_time += 1;
	second = ask(peer);
	assert_int_equal(second.kind[HSM_STATISTICS_RANDOM].count -
				 first.kind[HSM_STATISTICS_RANDOM].count,
			 1);
	peer_free(peer);
	(void)state;
}

static void test_others(void **state)
{
	struct peer *peer = peer_user(0), *other = peer_user(1);
	struct hsm_statistics before = later(other);

	for (int i = 0; i < 3; i++)
		assert_int_equal(random_bytes(peer, 16), CKR_OK);
	assert_int_equal(later(other).kind[HSM_STATISTICS_RANDOM].count,
			 before.kind[HSM_STATISTICS_RANDOM].count);
	peer_free(other);
	peer_free(peer);
	(void)state;
}

static void test_buckets(void **state)
{
	static const struct {
		uint64_t microseconds;
		unsigned int bucket;
	} cases[] = {
		{ 0, 0 },
		{ 64, 0 },
		{ 65, 1 },
		{ 128, 1 },
		{ 129, 2 },
		{ 64ULL << 16, 16 },
		{ (64ULL << 16) + 1, 17 },
		{ 1ULL << 40, 17 },
	};
	struct statistics *statistics = calloc(1, sizeof(*statistics));

	statistics_init(statistics);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_Atomic uint64_t *bucket =
			&statistics->kind[HSM_STATISTICS_SIGN].bucket[cases[i].bucket];
		uint64_t before = *bucket;

		statistics_note(statistics, HSM_OP_SIGN, CKR_OK, cases[i].microseconds * 1000);
		assert_int_equal(*bucket, before + 1);
	}
	assert_int_equal(statistics->kind[HSM_STATISTICS_SIGN].refused, 0);
	statistics_note(statistics, HSM_OP_SIGN, CKR_BUFFER_TOO_SMALL, 0);
	assert_int_equal(statistics->kind[HSM_STATISTICS_SIGN].refused, 0);
	/* A number that is no operation's is not written elsewhere. */
	statistics_note(statistics, 0xffff, CKR_OK, 0);
	assert_int_equal(statistics->kind[HSM_STATISTICS_OTHER].bucket[0], 1);
	statistics_destroy(statistics);
	free(statistics);
	(void)state;
}

#define READY(test) cmocka_unit_test_setup_teardown(test, board_setup_ready, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		READY(test_counts),
		READY(test_stands),
		READY(test_others),
		cmocka_unit_test(test_buckets),
	};

	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
