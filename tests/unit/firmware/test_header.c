// SPDX-License-Identifier: Apache-2.0
/*
 * The sections of a partition's header: written and read back, and refused when one is missing, comes twice, is longer
 * than what is in it, or is not known.
 */
#include "commands_testing.h"

#define CLEAR (8 + 4 + SECRET_SIZE + AEAD_OVERHEAD)

static const uint8_t board_key[SECRET_SIZE] = { 7 };

static struct partition *partition_new(void)
{
	struct partition *partition = OPENSSL_zalloc(sizeof(*partition));

	assert_non_null(partition);
	partition->info.id[0] = 1;
	partition->generation = 5;
	return partition;
}

static void partition_free(struct partition *partition)
{
	OPENSSL_free(partition->identity);
	OPENSSL_free(partition);
}

/* One header, taken apart: what tests change in it */
struct sample {
	struct partition *partition;
	uint8_t blob[HEADER_MAX];
	size_t length;
	uint8_t body[HEADER_MAX];
	size_t body_length;
	uint8_t aad[PARTITION_ID_SIZE + 12];
};

static struct sample *sample_new(void)
{
	struct sample *sample = calloc(1, sizeof(*sample));
	struct partition *partition = partition_new();

	assert_non_null(sample);
	sample->partition = partition;
	assert_int_equal(header_create(partition, board_key), 0);
	partition->identity = (uint8_t *)OPENSSL_strdup("identity");
	partition->identity_length = 8;
	partition->state.next_id = 77;
	partition->state.so.failures = 3;
	partition->state.user.stretch.iterations = 9;
	assert_int_equal(header_write(partition, &partition->state, sample->blob,
				      sizeof(sample->blob), &sample->length),
			 0);
	memcpy(sample->aad, partition->info.id, PARTITION_ID_SIZE);
	sample->aad[PARTITION_ID_SIZE] = 5;
	memcpy(sample->aad + PARTITION_ID_SIZE + 8, sample->blob + 8, 4);
	assert_int_equal(aead_open(partition->header_key, sample->aad, sizeof(sample->aad),
				   sample->blob + CLEAR, sample->length - CLEAR, sample->body),
			 0);
	sample->body_length = sample->length - CLEAR - AEAD_OVERHEAD;
	return sample;
}

static void sample_free(struct sample *sample)
{
	partition_free(sample->partition);
	free(sample);
}

/* Start of the section of a type in the body */
static size_t section_at(const struct sample *sample, uint32_t type)
{
	size_t at = 0;

	while (at < sample->body_length && hsm_get_le32(sample->body + at) != type)
		at += 8 + hsm_get_le32(sample->body + at + 4);
	assert_true(at < sample->body_length);
	return at;
}

static size_t section_size(const struct sample *sample, size_t at)
{
	return 8 + hsm_get_le32(sample->body + at + 4);
}

static void cut(struct sample *sample, size_t at, size_t length)
{
	memmove(sample->body + at, sample->body + at + length, sample->body_length - at - length);
	sample->body_length -= length;
}

/* Seal the changed body and read it */
static int read_again(struct sample *sample, struct partition *partition)
{
	assert_int_equal(aead_seal(sample->partition->header_key, sample->aad, sizeof(sample->aad),
				   sample->body, sample->body_length, sample->blob + CLEAR),
			 0);
	return header_read(partition, board_key, sample->blob,
			   CLEAR + sample->body_length + AEAD_OVERHEAD);
}

static int reads(struct sample *sample)
{
	struct partition *partition = partition_new();
	int ret = read_again(sample, partition);

	partition_free(partition);
	return ret;
}

static void what_was_written_is_read(void **state)
{
	struct sample *sample = sample_new();
	struct partition *partition = partition_new();

	(void)state;
	assert_int_equal(read_again(sample, partition), 0);
	assert_int_equal(partition->state.next_id, 77);
	assert_int_equal(partition->state.so.failures, 3);
	assert_int_equal(partition->state.user.stretch.iterations, 9);
	assert_int_equal(partition->identity_length, 8);
	assert_memory_equal(partition->identity, "identity", 8);
	assert_memory_equal(partition->storage_key, sample->partition->storage_key, SECRET_SIZE);
	partition_free(partition);
	sample_free(sample);
}

static void a_required_section_must_be_there(void **state)
{
	static const uint32_t types[] = { HEADER_SECTION_STATE, HEADER_SECTION_SO,
					  HEADER_SECTION_USER, HEADER_SECTION_IDENTITY };
	struct sample *sample;
	size_t i, at;

	(void)state;
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		sample = sample_new();
		at = section_at(sample, types[i]);
		cut(sample, at, section_size(sample, at));
		assert_int_equal(reads(sample), -EBADMSG);
		sample_free(sample);
	}
}

static void a_section_comes_once(void **state)
{
	struct sample *sample = sample_new();
	size_t at = section_at(sample, HEADER_SECTION_IDENTITY);
	size_t length = section_size(sample, at);

	(void)state;
	memcpy(sample->body + sample->body_length, sample->body + at, length);
	sample->body_length += length;
	assert_true(reads(sample) < 0);
	sample_free(sample);
}

static void a_section_is_as_long_as_its_contents(void **state)
{
	struct sample *sample = sample_new();
	size_t at = section_at(sample, HEADER_SECTION_SO);
	uint32_t length = hsm_get_le32(sample->body + at + 4);

	(void)state;
	/* one byte more */
	memmove(sample->body + at + 9 + length, sample->body + at + 8 + length,
		sample->body_length - at - 8 - length);
	sample->body_length++;
	sample->body[at + 4]++;
	assert_int_equal(reads(sample), -EBADMSG);
	/* and one less than it needs */
	cut(sample, at + 8, 2);
	sample->body[at + 4] -= 2;
	assert_int_equal(reads(sample), -EBADMSG);
	sample_free(sample);
}

static void a_section_ends_within_the_body(void **state)
{
	static const uint32_t lengths[] = { 1U << 20, UINT32_MAX, UINT32_MAX - 7 };
	struct sample *sample;
	uint32_t length;
	size_t i, at;

	(void)state;
	for (i = 0; i < 3; i++) {
		sample = sample_new();
		at = section_at(sample, HEADER_SECTION_IDENTITY);
		length = htole32(lengths[i]);
		memcpy(sample->body + at + 4, &length, 4);
		assert_int_equal(reads(sample), -EBADMSG);
		sample->body_length = at + 5; /* half a head */
		assert_int_equal(reads(sample), -EBADMSG);
		sample_free(sample);
	}
}

static void an_unknown_section_is_left_alone(void **state)
{
	struct sample *sample = sample_new();
	const uint32_t head[] = { htole32(0x7777), htole32(4), 0 };

	(void)state;
	memcpy(sample->body + sample->body_length, head, sizeof(head));
	sample->body_length += sizeof(head);
	assert_int_equal(reads(sample), -EPROTONOSUPPORT);
	sample_free(sample);
}

static void a_body_without_sections_does_not_verify(void **state)
{
	struct sample *sample = sample_new();

	(void)state;
	sample->body_length = 0;
	assert_int_equal(reads(sample), -EBADMSG);
	sample_free(sample);
}

static void too_small_a_room_is_noticed(void **state)
{
	struct sample *sample = sample_new();
	struct partition *partition = sample->partition;
	size_t length;

	(void)state;
	assert_int_equal(header_write(partition, &partition->state, sample->blob,
				      sample->length - 1, &length),
			 -EMSGSIZE);
	assert_int_equal(header_write(partition, &partition->state, sample->blob, 20, &length),
			 -EMSGSIZE);
	sample_free(sample);
}

#define READY(name) cmocka_unit_test_setup_teardown(name, board_setup_ready, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		READY(what_was_written_is_read),
		READY(a_required_section_must_be_there),
		READY(a_section_comes_once),
		READY(a_section_is_as_long_as_its_contents),
		READY(a_section_ends_within_the_body),
		READY(an_unknown_section_is_left_alone),
		READY(a_body_without_sections_does_not_verify),
		READY(too_small_a_room_is_noticed),
	};

	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
