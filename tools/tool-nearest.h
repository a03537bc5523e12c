/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody may have meant who typed a word that there is not (tool-nearest.c).
 */
#ifndef TOOL_NEAREST_H
#define TOOL_NEAREST_H

#include <stddef.h>

#define NEAREST_MAX 64 /* bytes of a word; longer ones are near to none */

/**
 * struct nearest - a search among words
 * @word: what was typed
 * @best: the nearest so far, "" before there is one
 */
struct nearest {
	char word[NEAREST_MAX + 1];
	char best[NEAREST_MAX + 1];
	size_t distance;
};

/* nearest_begin, nearest_try - for @word, among the candidates that are tried one after the other */
void nearest_begin(struct nearest *nearest, const char *word);
void nearest_try(struct nearest *nearest, const char *candidate);

/* nearest_word - the one that is near enough to be meant; NULL: none is */
const char *nearest_word(const struct nearest *nearest);

/*
 * nearest_hint - "; did you mean '...'?" or ";" into @text, for what follows. Return: @text
 */
const char *nearest_hint(const struct nearest *nearest, char *text, size_t size);

#endif /* TOOL_NEAREST_H */
