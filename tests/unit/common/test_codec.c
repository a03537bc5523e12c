// SPDX-License-Identifier: Apache-2.0
/*
 * The field reader and writer: what is written is read again, and nothing malformed is accepted.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>
#include <hsm/operations.h>
#include <hsm/pkcs11.h>

static void test_round_trip(void **state)
{
	static const uint64_t list[] = { 1, 0x123456789abcdef0ULL };
	struct hsm_attribute_view view;
	struct hsm_writer writer;
	struct hsm_fields fields;
	const uint8_t *cursor;
	uint8_t buffer[512];
	size_t mark, length;

	(void)state;
	hsm_writer_init(&writer, buffer, sizeof(buffer));
	hsm_put_u32(&writer, HSM_FIELD_FUNCTION, 7);
	hsm_put_u64(&writer, HSM_FIELD_KEY, 1ULL << 40);
	hsm_put_bytes(&writer, HSM_FIELD_DATA, "abc", 3);
	hsm_put_list(&writer, HSM_FIELD_TYPES, list, 2);
	mark = hsm_put_begin(&writer, HSM_FIELD_TEMPLATE);
	hsm_put_attribute(&writer, CKA_LABEL, 0, "key", 3);
	hsm_put_attribute(&writer, CKA_VALUE, CKR_ATTRIBUTE_SENSITIVE, NULL, 0);
	hsm_put_end(&writer, mark);
	assert_int_equal(writer.error, 0);
	assert_int_equal(hsm_fields_parse(&fields, buffer, writer.length), 0);
	assert_int_equal(fields.count, 5);
	assert_int_equal(hsm_fields_u64(&fields, HSM_FIELD_FUNCTION, 0), 7);
	assert_true(hsm_fields_u64(&fields, HSM_FIELD_KEY, 0) == 1ULL << 40);
	assert_true(hsm_fields_u64(&fields, HSM_FIELD_HANDLE, 5) == 5);
	assert_memory_equal(hsm_fields_bytes(&fields, HSM_FIELD_DATA, &length), "abc", 3);
	assert_int_equal(length, 3);
	cursor = hsm_fields_bytes(&fields, HSM_FIELD_TYPES, &length);
	assert_int_equal(length, 16);
	assert_true(hsm_get_le64(cursor + 8) == list[1]);
	cursor = hsm_fields_bytes(&fields, HSM_FIELD_TEMPLATE, &length);
	mark = length;
	assert_true(hsm_attributes_next(&cursor, cursor + mark, &view));
	assert_int_equal(view.type, CKA_LABEL);
	assert_memory_equal(view.value, "key", 3);
	assert_true(
		hsm_attributes_next(&cursor, cursor + sizeof(struct hsm_attribute_header), &view));
	assert_int_equal(view.status, CKR_ATTRIBUTE_SENSITIVE);
	assert_null(view.value);
}

/* Every length from nothing to whole: only the message that ends where a field ends is good. */
static void test_truncated(void **state)
{
	struct hsm_writer writer;
	struct hsm_fields fields;
	uint8_t buffer[64];
	size_t length;

	(void)state;
	hsm_writer_init(&writer, buffer, sizeof(buffer));
	hsm_put_u64(&writer, HSM_FIELD_KEY, 1);
	hsm_put_bytes(&writer, HSM_FIELD_DATA, "0123456789", 10);
	for (length = 1; length < writer.length; length++)
		if (length != 16)
			assert_int_equal(hsm_fields_parse(&fields, buffer, length), -EBADMSG);
	assert_int_equal(hsm_fields_parse(&fields, buffer, 0), 0);
	assert_int_equal(hsm_fields_parse(&fields, buffer, 16), 0);
	assert_int_equal(hsm_fields_parse(&fields, buffer, writer.length), 0);
}

static int parse_raw(uint16_t tag, uint16_t reserved, uint32_t length, size_t bytes)
{
	struct hsm_field_header header = { htole16(tag), htole16(reserved), htole32(length) };
	uint8_t buffer[128] = { 0 };
	struct hsm_fields fields;

	memcpy(buffer, &header, sizeof(header));
	return hsm_fields_parse(&fields, buffer, sizeof(header) + bytes);
}

static void test_malformed(void **state)
{
	(void)state;
	assert_int_equal(parse_raw(HSM_FIELD_KEY, 0, 8, 8), 0);
	assert_int_equal(parse_raw(HSM_FIELD_KEY, 0, 4, 4), -EBADMSG);
	assert_int_equal(parse_raw(HSM_FIELD_KEY, 1, 8, 8), -EBADMSG);
	assert_int_equal(parse_raw(0x7000, 0, 8, 8), -EBADMSG);
	assert_int_equal(parse_raw(HSM_FIELD_FUNCTION, 0, 8, 8), -EBADMSG);
	assert_int_equal(parse_raw(HSM_FIELD_TYPES, 0, 12, 12), -EBADMSG);
	assert_int_equal(parse_raw(HSM_FIELD_DATA, 0, 0xffffffff, 64), -EBADMSG);
	assert_int_equal(parse_raw(HSM_FIELD_LABEL, 0, 33, 33), -EBADMSG);
	assert_int_equal(parse_raw(HSM_FIELD_TEMPLATE, 0, 15, 15), -EBADMSG);
}

static void test_twice(void **state)
{
	struct hsm_writer writer;
	struct hsm_fields fields;
	uint8_t buffer[64];

	(void)state;
	hsm_writer_init(&writer, buffer, sizeof(buffer));
	hsm_put_u64(&writer, HSM_FIELD_KEY, 1);
	hsm_put_u64(&writer, HSM_FIELD_KEY, 2);
	assert_int_equal(hsm_fields_parse(&fields, buffer, writer.length), -EBADMSG);
}

/* A template in a template in a template ... ends at the depth that the reader allows. */
static void test_nesting(void **state)
{
	static const int levels[] = { 1, 5, 6 };
	static const int expected[] = { 0, 0, -EBADMSG };
	struct hsm_attribute_header header;
	struct hsm_writer writer;
	struct hsm_fields fields;
	uint8_t buffer[256];
	size_t i, mark;
	int level;

	(void)state;
	for (i = 0; i < 3; i++) {
		hsm_writer_init(&writer, buffer, sizeof(buffer));
		mark = hsm_put_begin(&writer, HSM_FIELD_TEMPLATE);
		for (level = levels[i]; level > 0; level--) {
			header.type = htole64(level > 1 ? CKA_WRAP_TEMPLATE : CKA_LABEL);
			header.length = htole32((level - 1) * sizeof(header));
			header.status = 0;
			hsm_put_raw(&writer, &header, sizeof(header));
		}
		hsm_put_end(&writer, mark);
		assert_int_equal(hsm_fields_parse(&fields, buffer, writer.length), expected[i]);
	}
}

static void test_writer_full(void **state)
{
	struct hsm_writer writer;
	uint8_t buffer[20];

	(void)state;
	hsm_writer_init(&writer, buffer, sizeof(buffer));
	hsm_put_u64(&writer, HSM_FIELD_KEY, 1);
	hsm_put_u64(&writer, HSM_FIELD_HANDLE, 1);
	assert_int_equal(writer.error, -EMSGSIZE);
	assert_int_equal(writer.length, 16);
	hsm_put_raw(&writer, "x", 1);
	assert_int_equal(writer.length, 16);
	assert_null(hsm_put_reserve(&writer, HSM_FIELD_DATA, SIZE_MAX));
}

/* Each row is found by its code, its fields exist, and its own required fields satisfy the check. */
static void test_operations(void **state)
{
	const struct hsm_operation_info *info;
	struct hsm_fields fields;
	size_t i, j;

	(void)state;
	for (i = 0; (info = hsm_operation_at(i)); i++) {
		assert_ptr_equal(hsm_operation_find(info->code), info);
		fields.count = 0;
		for (j = 0; j < HSM_OPERATION_FIELDS && info->request[j]; j++) {
			if (info->request[j] == HSM_FIELD_PARAMETERS ||
			    info->request[j] == HSM_FIELD_POLICY)
				continue;
			assert_string_not_equal(
				hsm_field_name(info->request[j] & ~HSM_FIELD_REQUIRED), "unknown");
			if (info->request[j] & HSM_FIELD_REQUIRED)
				fields.field[fields.count++].tag = info->request[j] &
								   ~HSM_FIELD_REQUIRED;
		}
		assert_int_equal(hsm_operation_check(info, &fields), 0);
		if (fields.count) {
			fields.count--;
			assert_int_equal(hsm_operation_check(info, &fields), -EBADMSG);
			fields.count++;
		}
		fields.field[fields.count++].tag = HSM_FIELD_TLS;
		assert_int_equal(hsm_operation_check(info, &fields), -EBADMSG);
	}
	assert_true(i > 50);
	assert_null(hsm_operation_find(0));
	assert_null(hsm_operation_find(0xffff));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_malformed),  cmocka_unit_test(test_twice),
		cmocka_unit_test(test_nesting),	   cmocka_unit_test(test_writer_full),
		cmocka_unit_test(test_operations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
