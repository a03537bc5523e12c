// SPDX-License-Identifier: Apache-2.0
/*
 * Options of the tools, by their tables: help, getopt_long(), and which do not belong to a subcommand.
 */
#include <stdio.h>
#include <string.h>
#include "tool-nearest.h"
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

static const struct option_row *row_of(const struct option_table *options, int value)
{
	for (size_t i = 0; i < options->count; i++)
		if (options->row[i].value == value)
			return &options->row[i];
	return NULL;
}

/* @word: without hyphens, and without what follows an equals sign; several begin so, or none */
static void unknown_option(const struct option_table *options, const char *word, char *text,
			   size_t size)
{
	struct nearest nearest;
	char hint[96];
	size_t used, found = 0;

	used = (size_t)snprintf(text, size, "--%s is short for more than one:", word);
	for (size_t i = 0; i < options->count && used < size; i++) {
		if (strncmp(options->row[i].name, word, strlen(word)))
			continue;
		found++;
		used += (size_t)snprintf(text + used, size - used, " --%s", options->row[i].name);
	}
	if (found)
		return;
	nearest_begin(&nearest, word);
	for (size_t i = 0; i < options->count; i++)
		nearest_try(&nearest, options->row[i].name);
	if (nearest_word(&nearest))
		snprintf(hint, sizeof(hint), "; did you mean --%s?", nearest_word(&nearest));
	else
		snprintf(hint, sizeof(hint), "; --help lists them");
	snprintf(text, size, "there is no option --%s%s", word, hint);
}

void options_wrong(const struct option_table *options, int value, char **argv, char *text,
		   size_t size)
{
	const struct option_row *row = optopt ? row_of(options, optopt) : NULL;
	const char *typed = argv[optind - 1];
	char word[64];

	if (row && value == ':')
		snprintf(text, size, "--%s needs an argument: %s", row->name, row->arg);
	else if (row)
		snprintf(text, size, "--%s takes no argument", row->name);
	else if (optopt)
		snprintf(text, size, "there is no option -%c; --help lists them", optopt);
	else {
		snprintf(word, sizeof(word), "%.*s", (int)strcspn(typed + 2, "="), typed + 2);
		unknown_option(options, word, text, size);
	}
}
