// SPDX-License-Identifier: Apache-2.0
/*
 * The index of objects: searches by label, by id and by both, while objects come and go in any order, many of them
 * under one label.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "commands.h"

#define MANY 3000

static struct client client = { .login = CKU_USER };

static struct object *make(uint64_t handle, const char *label, const char *id)
{
	struct object *object = object_new();

	assert_non_null(object);
	object->token = true;
	object->handle = handle;
	if (label)
		assert_int_equal(attributes_set(&object->attributes, CKA_LABEL, label,
						strlen(label)),
				 CKR_OK);
	if (id)
		assert_int_equal(attributes_set(&object->attributes, CKA_ID, id, strlen(id)),
				 CKR_OK);
	return object;
}

static void insert(struct object_index *index, uint64_t handle, const char *label, const char *id)
{
	struct object *object = make(handle, label, id);

	assert_int_equal(index_insert(index, object), 0);
	object_put(object);
}

/* Number of matches; @first: the lowest handle */
static size_t search(struct object_index *index, const char *label, const char *id, uint64_t *first)
{
	struct attributes template = { 0 };
	uint64_t *handles = NULL;
	size_t count = 0, i;

	if (label)
		attributes_set(&template, CKA_LABEL, label, strlen(label));
	if (id)
		attributes_set(&template, CKA_ID, id, strlen(id));
	assert_int_equal(index_match(index, &template, &client, &handles, &count), CKR_OK);
	*first = count ? handles[0] : 0;
	for (i = 1; i < count; i++)
		assert_true(handles[i - 1] < handles[i]);
	OPENSSL_free(handles);
	attributes_free(&template);
	return count;
}

/* Half of them share a label, each has an id of its own but for the last, which have none. */
static void fill(struct object_index *index)
{
	char label[16], id[16];
	uint64_t i;

	for (i = 1; i <= MANY; i++) {
		snprintf(label, sizeof(label), "own %u", (unsigned int)i);
		snprintf(id, sizeof(id), "%u", (unsigned int)i);
		insert(index, i, i % 2 ? "shared" : label, i > MANY - 10 ? NULL : id);
	}
}

static void finds_by_either_name(void **state)
{
	struct object_index index = { 0 };
	uint64_t first;

	(void)state;
	assert_int_equal(search(&index, "shared", NULL, &first), 0);
	fill(&index);
	assert_int_equal(index.count, MANY);
	assert_int_equal(search(&index, "shared", NULL, &first), MANY / 2);
	assert_int_equal(first, 1);
	assert_int_equal(search(&index, "own 42", NULL, &first), 1);
	assert_int_equal(first, 42);
	assert_int_equal(search(&index, NULL, "43", &first), 1);
	assert_int_equal(first, 43);
	assert_int_equal(search(&index, "shared", "43", &first), 1);
	assert_int_equal(search(&index, "own 42", "42", &first), 1);
	assert_int_equal(search(&index, "shared", "42", &first), 0);
	assert_int_equal(search(&index, NULL, NULL, &first), MANY);
	/* What has no id, or an empty one, is in no table: the search for an empty one looks at all. */
	insert(&index, MANY + 1, "", "");
	assert_int_equal(search(&index, "", NULL, &first), 1);
	assert_int_equal(first, MANY + 1);
	index_clear(&index);
	assert_int_equal(search(&index, NULL, NULL, &first), 0);
}

/* From both ends and from the middle of the chain of one label */
static void removes_in_any_order(void **state)
{
	struct object_index index = { 0 };
	uint64_t first, handle, i;
	struct object *object;

	(void)state;
	fill(&index);
	for (i = 0; i < MANY; i++) {
		handle = (i * 7919) % MANY +
			 1; /* each once: 7919 has no factor in common with MANY */
		object = index_find(&index, handle);
		assert_non_null(object);
		index_remove(&index, object);
		assert_null(index_find(&index, handle));
		if (i % 100)
			continue;
		assert_int_equal(search(&index, NULL, NULL, &first), MANY - 1 - i);
		assert_true(search(&index, "shared", NULL, &first) <= MANY - 1 - i);
	}
	assert_int_equal(index.count, 0);
	assert_int_equal(search(&index, "shared", NULL, &first), 0);
	insert(&index, 5, "shared", "5");
	assert_int_equal(search(&index, "shared", "5", &first), 1);
	index_clear(&index);
}

/* An object whose attributes go, and come back, as at a logout and a login */
static void names_come_and_go(void **state)
{
	struct object_index index = { 0 };
	struct object *object;
	uint64_t first;

	(void)state;
	assert_int_equal(index_reserve(&index, MANY), 0);
	fill(&index);
	object = index_find(&index, 43);
	index_unname(object);
	index_unname(object);
	assert_int_equal(search(&index, NULL, "43", &first), 0);
	assert_int_equal(search(&index, "shared", NULL, &first), MANY / 2 - 1);
	assert_ptr_equal(index_find(&index, 43), object);
	index_name(&index, object);
	assert_int_equal(search(&index, NULL, "43", &first), 1);
	assert_int_equal(search(&index, "shared", NULL, &first), MANY / 2);
	index_clear(&index);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_by_either_name),
		cmocka_unit_test(removes_in_any_order),
		cmocka_unit_test(names_come_and_go),
	};

	return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
