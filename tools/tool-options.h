/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of the tools (tool-options.c): one table per tool, from which getopt's, help and the check of what belongs
 * together are made.
 */
#ifndef TOOL_OPTIONS_H
#define TOOL_OPTIONS_H

#include <getopt.h>
#include <stddef.h>

/**
 * struct option_row - one option
 * @value: what getopt_long() returns for it; below 256 also its letter
 * @needs: a bit of the tool's: only subcommands that have it take the option. 0: all of them do
 * @arg: what follows it, for help; NULL: nothing
 * @help: NULL: said in the row before
 */
struct option_row {
	const char *name;
	int value;
	unsigned int needs;
	const char *arg;
	const char *help;
};

/* struct option_table - all of a tool's */
struct option_table {
	const struct option_row *row;
	size_t count;
};

/* options_print - help for the options that every subcommand takes, and for those of @mask */
void options_print(const struct option_table *options, unsigned int mask);

/* options_long - for getopt_long(); @table has room for one more than there are rows */
void options_long(const struct option_table *options, struct option *table);

/* options_needs - the bit of the option with this value, 0: none */
unsigned int options_needs(const struct option_table *options, int value);

/**
 * options_wrong - what getopt_long() did not take, in words; it was called with opterr 0 and a leading ':'
 * @value: its answer, '?' or ':'
 * @argv: its words
 */
void options_wrong(const struct option_table *options, int value, char **argv, char *text, size_t size);

/* options_stray - the name of an option whose bit is in @given and not in @allowed; NULL: there is none */
const char *options_stray(const struct option_table *options, unsigned int given, unsigned int allowed);

#endif /* TOOL_OPTIONS_H */
