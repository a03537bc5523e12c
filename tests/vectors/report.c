// SPDX-License-Identifier: Apache-2.0
/*
 * Report of a run of vectors, in TAP: a point for each file, how many vectors of it were run, how
 * many were left out and for which reasons, and the sum at the end.
 */
#include "vectors.h"

/* Messages about single vectors of one file: the first ones say enough */
#define SHOWN 8

void report_file(struct report *r, const char *name)
{
	r->file = name;
	r->id = "";
	r->file_run = r->file_failed = 0;
	memset(r->reason, 0, sizeof(r->reason));
	memset(r->reasons, 0, sizeof(r->reasons));
}

void report_vector(struct report *r, bool good, const char *what, CK_RV rv)
{
	r->file_run++;
	if (good)
		return;
	if (r->file_failed++ < SHOWN)
		printf("# %s: %s: %s (0x%lx)\n", r->file, r->id, what, rv);
}

void report_left_out(struct report *r, const char *why)
{
	size_t i = 0;

	while (i + 1 < REASONS && r->reason[i] && strcmp(r->reason[i], why))
		i++;
	r->reason[i] = why;
	r->reasons[i]++;
}

void report_point(struct report *r, bool good, const char *what)
{
	printf("%sok %u - %s: %s\n", good ? "" : "not ", ++r->points, r->suite, what);
	if (!good)
		r->failed_points++;
	fflush(stdout);
}

void report_file_end(struct report *r)
{
	unsigned int out = 0;
	char line[512];
	size_t i;

	for (i = 0; i < REASONS && r->reason[i]; i++)
		out += r->reasons[i];
	snprintf(line, sizeof(line), "%s: %u run, %u failed, %u left out", r->file, r->file_run,
		 r->file_failed, out);
	/* A file that the table says is run and of which nothing came has not been read. */
	report_point(r, !r->file_failed && (r->file_run || out), line);
	for (i = 0; i < REASONS && r->reason[i]; i++)
		printf("#   %u left out: %s\n", r->reasons[i], r->reason[i]);
	r->files++;
	r->run += r->file_run;
	r->failed += r->file_failed;
	r->left_out += out;
}

void report_skip(struct report *r, const char *name, const char *why)
{
	printf("ok %u - %s: %s # SKIP %s\n", ++r->points, r->suite, name, why);
}

int report_end(struct report *r)
{
	printf("1..%u\n# %s: total %lu run, %lu failed, %lu left out, of %u files\n", r->points,
	       r->suite, r->run, r->failed, r->left_out, r->files);
	return r->failed_points ? 1 : 0;
}

/* ** takes everything, * everything but a slash. */
bool name_matches(const char *pattern, const char *name)
{
	bool deep;

	while (*pattern && *pattern != '*') {
		if (*pattern++ != *name++)
			return false;
	}
	if (!*pattern)
		return !*name;
	deep = pattern[1] == '*';
	pattern += deep ? 2 : 1;
	for (;; name++) {
		if (name_matches(pattern, name))
			return true;
		if (!*name || (*name == '/' && !deep))
			return false;
	}
}
