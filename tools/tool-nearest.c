// SPDX-License-Identifier: Apache-2.0
/*
 * The nearest of some words: by letters that are missing, too many, others, or two in the wrong order, whatever
 * their case.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "tool-nearest.h"

#define WRONG_MAX 3 /* letters: more are another word */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static int is_same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Optimal string alignment, row by row */
static size_t distance(const char *a, const char *b)
{
	size_t rows[3][NEAREST_MAX + 1];
	size_t *two = rows[0], *one = rows[1], *now = rows[2], *free_row;
	size_t long_a = strlen(a), long_b = strlen(b);

	if (long_a > NEAREST_MAX || long_b > NEAREST_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= long_b; j++)
		one[j] = two[j] = j;
	for (size_t i = 1; i <= long_a; i++) {
		now[0] = i;
		for (size_t j = 1; j <= long_b; j++) {
			now[j] = least(one[j], now[j - 1]) + 1;
			now[j] = least(now[j], one[j - 1] + !is_same(a[i - 1], b[j - 1]));
			if (i > 1 && j > 1 && is_same(a[i - 1], b[j - 2]) &&
			    is_same(a[i - 2], b[j - 1]))
				now[j] = least(now[j], two[j - 2] + 1);
		}
		free_row = two;
		two = one;
		one = now;
		now = free_row;
	}
	return one[long_b];
}

void nearest_begin(struct nearest *nearest, const char *word)
{
	*nearest = (struct nearest){ .distance = SIZE_MAX };
	/* Of one that is too long nothing is near. */
	if (strlen(word) <= NEAREST_MAX)
		snprintf(nearest->word, sizeof(nearest->word), "%s", word);
}

void nearest_try(struct nearest *nearest, const char *candidate)
{
	size_t far = distance(nearest->word, candidate);

	if (far >= nearest->distance)
		return;
	nearest->distance = far;
	snprintf(nearest->best, sizeof(nearest->best), "%s", candidate);
}

/* One letter of three may be wrong, one in any case, but never all of a short word. */
const char *nearest_word(const struct nearest *nearest)
{
	size_t length = strlen(nearest->word);
	size_t most = length < 6 ? 1 + (length > 3) : least(length / 3, WRONG_MAX);

	return nearest->distance <= most && nearest->distance < length ? nearest->best : NULL;
}

const char *nearest_hint(const struct nearest *nearest, char *text, size_t size)
{
	const char *word = nearest_word(nearest);

	if (word)
		snprintf(text, size, "; did you mean '%s'?", word);
	else
		snprintf(text, size, ";");
	return text;
}
