// SPDX-License-Identifier: Apache-2.0
/*
 * Colours and progress. What is written into a file or a pipe never has either, unless colours are asked for.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tool-terminal.h"

#define BAR_CELLS 30

/* The one setting of the whole program: 1 always, -1 never, 0 by the stream */
static int forced;

bool colours_when(const char *when)
{
	if (!strcmp(when, "always"))
		forced = 1;
	else if (!strcmp(when, "never"))
		forced = -1;
	else if (!strcmp(when, "auto"))
		forced = 0;
	else
		return false;
	return true;
}

static bool is_terminal(FILE *stream)
{
	const char *term = getenv("TERM");

	return term && *term && strcmp(term, "dumb") && isatty(fileno(stream));
}

/* no-color.org: set and not empty */
static bool has_colours(FILE *stream)
{
	const char *no = getenv("NO_COLOR");

	if (forced)
		return forced > 0;
	return !(no && *no) && is_terminal(stream);
}

const char *colour_begin(FILE *stream, enum colour colour)
{
	static const char *const codes[] = {
		[COLOUR_NONE] = "",	    [COLOUR_HEADING] = "\033[1m",
		[COLOUR_GOOD] = "\033[32m", [COLOUR_WARNING] = "\033[33m",
		[COLOUR_BAD] = "\033[31m",
	};

	return colour && has_colours(stream) ? codes[colour] : "";
}

const char *colour_end(FILE *stream, enum colour colour)
{
	return colour && has_colours(stream) ? "\033[0m" : "";
}

enum colour colour_of_word(const char *word)
{
	static const struct {
		const char *word;
		enum colour colour;
	} words[] = {
		{ "ok", COLOUR_GOOD },		{ "passed", COLOUR_GOOD },
		{ "operational", COLOUR_GOOD }, { "imported", COLOUR_GOOD },
		{ "warning", COLOUR_WARNING },	{ "wrong tries", COLOUR_WARNING },
		{ "last try", COLOUR_WARNING }, { "expired", COLOUR_WARNING },
		{ "refused", COLOUR_WARNING },	{ "recovery", COLOUR_WARNING },
		{ "broken", COLOUR_BAD },	{ "damaged", COLOUR_BAD },
		{ "failed", COLOUR_BAD },	{ "locked", COLOUR_BAD },
		{ "tampered", COLOUR_BAD },	{ "error", COLOUR_BAD },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(words[i].word, word))
			return words[i].colour;
	return COLOUR_NONE;
}

/* ---- progress ---- */

void progress_show(const char *what, uint64_t before, uint64_t done, uint64_t all)
{
	unsigned int percent = all ? (unsigned int)(done * 100 / all) : 100;
	unsigned int cells = percent * BAR_CELLS / 100;
	char bar[BAR_CELLS + 1];

	if (!all || !is_terminal(stderr) || (done < all && before * 100 / all == percent && before))
		return;
	memset(bar, '.', BAR_CELLS);
	memset(bar, '#', cells < BAR_CELLS ? cells : BAR_CELLS);
	bar[BAR_CELLS] = '\0';
	fprintf(stderr, "\r%s [%s] %3u %%%s", what, bar, percent, done >= all ? "\n" : "");
}

void progress_clear(void)
{
	if (is_terminal(stderr))
		fputs("\r\033[K", stderr);
}
