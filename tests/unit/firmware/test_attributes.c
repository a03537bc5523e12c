// SPDX-License-Identifier: Apache-2.0
/*
 * Sets of attributes: order, replacement by shorter and longer values, values that lie in the set itself, and what
 * attributes_load() takes for a set.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/crypto.h>
#include "attributes.h"

static void set_text(struct attributes *set, uint64_t type, const char *text)
{
	assert_int_equal(attributes_set(set, type, text, strlen(text)), CKR_OK);
}

static void assert_text(const struct attributes *set, uint64_t type, const char *text)
{
	const struct attribute *item = attributes_find(set, type);

	assert_non_null(item);
	assert_int_equal(item->length, strlen(text));
	assert_memory_equal(item->value, text, item->length);
}

/* Whatever the order in which they came, the walk is ascending and meets each once. */
static void is_sorted(void **state)
{
	static const uint64_t types[] = { 7, 3, 0x80000001, 0, 12, 0xffffffff, 5 };
	struct attributes set = { 0 };
	const struct attribute *item = NULL;
	int64_t before = -1;
	uint32_t count = 0;
	char text[4] = "x";
	size_t i;

	(void)state;
	for (i = 0; i < 7; i++) {
		text[0] = (char)('a' + i);
		assert_int_equal(attributes_set(&set, types[i], text, i % 3), CKR_OK);
	}
	while ((item = attributes_next(&set, item))) {
		assert_true(item->type > before);
		before = item->type;
		count++;
	}
	assert_int_equal(count, 7);
	for (i = 0; i < 7; i++) {
		item = attributes_find(&set, types[i]);
		assert_non_null(item);
		assert_int_equal(item->length, i % 3);
	}
	assert_null(attributes_find(&set, 6));
	assert_null(attributes_find(&set, 0x100000000));
	assert_int_equal(attributes_set(&set, 0x100000003, "a", 1), CKR_ATTRIBUTE_TYPE_INVALID);
	assert_int_equal(attributes_set(&set, 3, "a", 0x10000), CKR_ATTRIBUTE_VALUE_INVALID);
	attributes_free(&set);
	assert_null(attributes_next(&set, NULL));
}

/* Values grow and shrink in the middle; the others stay what they were, and of the old ones nothing is left. */
static void replaces(void **state)
{
	struct attributes set = { 0 };
	size_t i;

	(void)state;
	set_text(&set, 1, "first");
	set_text(&set, 2, "hidden hidden hidden");
	set_text(&set, 3, "third");
	set_text(&set, 2, "h");
	assert_text(&set, 1, "first");
	assert_text(&set, 2, "h");
	assert_text(&set, 3, "third");
	for (i = 0; i + 5 < set.room; i++)
		assert_memory_not_equal(set.data + i, "idden", 5);
	set_text(&set, 2, "a value that is longer than the first one was");
	assert_text(&set, 2, "a value that is longer than the first one was");
	assert_text(&set, 3, "third");
	attributes_remove(&set, 2);
	attributes_remove(&set, 9);
	assert_null(attributes_find(&set, 2));
	assert_text(&set, 3, "third");
	attributes_trim(&set, 0);
	assert_int_equal(set.room, set.size);
	attributes_trim(&set, 28);
	assert_int_equal(set.room, set.size + 28);
	assert_text(&set, 1, "first");
	set_text(&set, 0, "before all");
	assert_text(&set, 1, "first");
	attributes_free(&set);
}

/* A value may be copied within a set although the set moves for it. */
static void takes_its_own_value(void **state)
{
	struct attributes set = { 0 };
	const struct attribute *item;
	char text[201];

	(void)state;
	memset(text, 'v', 200);
	text[200] = 0;
	set_text(&set, 5, text);
	attributes_trim(&set, 0);
	item = attributes_find(&set, 5);
	assert_int_equal(attributes_set(&set, 1, item->value, item->length), CKR_OK);
	assert_text(&set, 1, text);
	item = attributes_find(&set, 5);
	assert_int_equal(attributes_set(&set, 5, item->value + 100, 50), CKR_OK);
	text[50] = 0;
	assert_text(&set, 5, text);
	attributes_free(&set);
}

static void loads_what_was_a_set(void **state)
{
	struct attributes set = { 0 }, again = { 0 }, copy = { 0 };
	struct attribute huge = { .type = 1, .length = 0xffff };
	uint8_t bytes[64];
	size_t size, i;

	(void)state;
	set_text(&set, 1, "one");
	set_text(&set, 2, "");
	set_text(&set, 3, "three");
	assert_int_equal(attributes_load(&again, set.data, set.size), CKR_OK);
	assert_text(&again, 3, "three");
	assert_int_equal(attributes_copy(&copy, &again), CKR_OK);
	assert_text(&copy, 1, "one");
	size = set.size;
	assert_true(size < sizeof(bytes));
	memcpy(bytes, set.data, size);
	/* Every cut but those between two attributes */
	for (i = 1; i < size; i++)
		assert_int_equal(attributes_load(&again, bytes, i),
				 i == 9 || i == 15 ? CKR_OK : CKR_GENERAL_ERROR);
	bytes[9] = 1; /* a type that comes twice */
	assert_int_equal(attributes_load(&again, bytes, size), CKR_GENERAL_ERROR);
	assert_int_equal(attributes_load(&again, (uint8_t *)&huge, sizeof(huge)),
			 CKR_GENERAL_ERROR);
	assert_int_equal(attributes_load(&again, NULL, 0), CKR_OK);
	assert_null(attributes_next(&again, NULL));
	attributes_free(&set);
	attributes_free(&again);
	attributes_free(&copy);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_sorted),
		cmocka_unit_test(replaces),
		cmocka_unit_test(takes_its_own_value),
		cmocka_unit_test(loads_what_was_a_set),
	};

	return cmocka_run_group_tests_name("attributes", tests, NULL, NULL);
}
