// SPDX-License-Identifier: Apache-2.0
/*
 * What is near enough to a word to be meant, and what is not.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "tool-nearest.h"

static const char *nearest(struct nearest *search, const char *word)
{
	static const char *const words[] = { "list", "status", "partition list", "pin set", "no" };

	nearest_begin(search, word);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		nearest_try(search, words[i]);
	return nearest_word(search);
}

static void finds_what_is_meant(void **state)
{
	static const char *const pairs[][2] = {
		{ "list", "list" },	  { "lits", "list" },
		{ "lst", "list" },	  { "lisst", "list" },
		{ "LIST", "list" },	  { "statsu", "status" },
		{ "tsatus", "status" },	  { "partiton lits", "partition list" },
		{ "pni set", "pin set" },
	};
	struct nearest search;

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		const char *word = nearest(&search, pairs[i][0]);

		assert_non_null(word);
		assert_string_equal(word, pairs[i][1]);
	}
}

static void leaves_others_alone(void **state)
{
	static const char *const words[] = { "", "x", "keys", "rotate", "partition destroy" };
	char longest[200];
	struct nearest search;

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_null(nearest(&search, words[i]));
	memset(longest, 'l', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_null(nearest(&search, longest));
	nearest_begin(&search, "list");
	assert_null(nearest_word(&search));
	nearest_try(&search, longest);
	assert_null(nearest_word(&search));
}

static void keeps_the_word_itself(void **state)
{
	struct nearest search;
	char candidate[] = "list", hint[64];

	(void)state;
	nearest_begin(&search, "lits");
	nearest_try(&search, candidate);
	memset(candidate, 'x', 4);
	assert_string_equal(nearest_word(&search), "list");
	assert_string_equal(nearest_hint(&search, hint, sizeof(hint)), "; did you mean 'list'?");
	nearest_begin(&search, "zzzz");
	assert_string_equal(nearest_hint(&search, hint, sizeof(hint)), ";");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_is_meant),
		cmocka_unit_test(leaves_others_alone),
		cmocka_unit_test(keeps_the_word_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
