// SPDX-License-Identifier: Apache-2.0
/*
 * Options of the tools, by their tables: help, getopt_long(), and which do not belong to a subcommand.
 */
#include <stdio.h>
#include "tool-options.h"

static void print_option(const struct option_row *row)
{
	char left[64];
	char letter[8] = "    ";

	if (row->value < 256)
		snprintf(letter, sizeof(letter), "-%c, ", row->value);
	snprintf(left, sizeof(left), "%s--%s%s%s", letter, row->name, row->arg ? " " : "",
		 row->arg ? row->arg : "");
	printf("  %-30s%s%s\n", left, row->help ? " " : "", row->help ? row->help : "");
}

void options_print(const struct option_table *options, unsigned int mask)
{
	for (size_t i = 0; i < options->count; i++)
		if (!options->row[i].needs || (options->row[i].needs & mask))
			print_option(&options->row[i]);
}

void options_long(const struct option_table *options, struct option *table)
{
	for (size_t i = 0; i < options->count; i++)
		table[i] = (struct option){
			.name = options->row[i].name,
			.has_arg = options->row[i].arg ? required_argument : no_argument,
			.val = options->row[i].value,
		};
	table[options->count] = (struct option){ 0 };
}

unsigned int options_needs(const struct option_table *options, int value)
{
	unsigned int needs = 0;

	for (size_t i = 0; i < options->count; i++)
		if (options->row[i].value == value)
			needs |= options->row[i].needs;
	return needs;
}

const char *options_stray(const struct option_table *options, unsigned int given,
			  unsigned int allowed)
{
	for (size_t i = 0; i < options->count; i++)
		if (options->row[i].needs & given & ~allowed)
			return options->row[i].name;
	return NULL;
}
