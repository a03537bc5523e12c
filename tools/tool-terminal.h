/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tools do on a terminal and nowhere else (tool-terminal.c): colours, and bars of long work.
 */
#ifndef TOOL_TERMINAL_H
#define TOOL_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/*
 * colours_when - "always", "never" or "auto" (what holds without a call): on a terminal that is not dumb, unless NO_COLOR is
 * set. Return: false: none of these
 */
bool colours_when(const char *when);

enum colour { COLOUR_NONE, COLOUR_HEADING, COLOUR_GOOD, COLOUR_WARNING, COLOUR_BAD };

/* colour_begin, colour_end - the codes around a text for @stream, "" where it has no colours */
const char *colour_begin(FILE *stream, enum colour colour);
const char *colour_end(FILE *stream, enum colour colour);

/* colour_of_word - what a word such as "locked" or "passed" in a result deserves */
enum colour colour_of_word(const char *word);

/*
 * progress_show - how far long work has come, on standard error when it is a terminal: from @before to @done of @all.
 * At its end the line is left; whoever fails in between calls progress_clear() before a message.
 */
void progress_show(const char *what, uint64_t before, uint64_t done, uint64_t all);
void progress_clear(void);

#endif /* TOOL_TERMINAL_H */
