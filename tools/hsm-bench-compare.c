// SPDX-License-Identifier: Apache-2.0
/*
 * hsm-bench compare: two saved runs side by side. A run is what hsm-bench --json or scripts/bench wrote. A row is one
 * operation with its size, threads and pause on one target; its samples are the rounds.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>
#include "hsm-bench.h"

#define SAMPLES_MAX 256
#define KEY_MAX	    160

/**
 * struct row - samples of operations a second
 * @key: what was measured, as it is printed
 */
struct row {
	char key[KEY_MAX];
	double rate[SAMPLES_MAX];
	size_t count;
};

struct run {
	struct json_object *root;
	struct row *rows;
	size_t count;
};

/**
 * struct comparison - options
 * @threshold: share of the rate that does not matter
 */
struct comparison {
	double threshold;
	bool json;
	const char *names[2];
	struct run run[2];
};

/* ---- reading ---- */

static const char *text_of(struct json_object *object, const char *name, const char *otherwise)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, name, &value) ||
	    !json_object_is_type(value, json_type_string))
		return otherwise;
	return json_object_get_string(value);
}

static int64_t number_of(struct json_object *object, const char *name, int64_t otherwise)
{
	struct json_object *value;

	return json_object_object_get_ex(object, name, &value) ? json_object_get_int64(value)
							       : otherwise;
}

static struct row *row_find(struct run *run, const char *key)
{
	for (size_t i = 0; i < run->count; i++)
		if (!strcmp(run->rows[i].key, key))
			return &run->rows[i];
	return NULL;
}

static struct row *row_of(struct run *run, const char *key)
{
	struct row *row = row_find(run, key), *more;

	if (row)
		return row;
	more = realloc(run->rows, (run->count + 1) * sizeof(*more));
	if (!more)
		return NULL;
	run->rows = more;
	row = &more[run->count++];
	row->count = 0;
	snprintf(row->key, sizeof(row->key), "%s", key);
	return row;
}

/* "ours aes-gcm:1024, 4 threads, 20000 us before each"; a size may be in the operation already */
static void key_of(struct json_object *result, const char *target, char key[KEY_MAX])
{
	int64_t size = number_of(result, "size", -1), pause = number_of(result, "pause_us", 0);
	int64_t threads = number_of(result, "threads", 1);
	char sized[32] = "", paused[48] = "";

	if (size >= 0)
		snprintf(sized, sizeof(sized), ":%lld", (long long)size);
	if (pause)
		snprintf(paused, sizeof(paused), ", %lld us before each", (long long)pause);
	snprintf(key, KEY_MAX, "%s %s%s, %lld thread%s%s", text_of(result, "target", target),
		 text_of(result, "operation", "?"), sized, (long long)threads,
		 threads == 1 ? "" : "s", paused);
}

static int add_sample(struct row *row, struct json_object *sample)
{
	struct json_object *value;
	double rate;

	if (!json_object_object_get_ex(sample, "per_second", &value))
		return -EBADMSG;
	rate = json_object_get_double(value);
	if (!(rate > 0) || row->count == SAMPLES_MAX)
		return -EBADMSG;
	row->rate[row->count++] = rate;
	return 0;
}

/* One result is a sample itself, or has them in "rounds". */
static int add_result(struct run *run, struct json_object *result, const char *target)
{
	struct json_object *rounds;
	char key[KEY_MAX];
	struct row *row;
	int err = 0;

	key_of(result, target, key);
	row = row_of(run, key);
	if (!row)
		return -ENOMEM;
	if (!json_object_object_get_ex(result, "rounds", &rounds))
		return add_sample(row, result);
	if (!json_object_is_type(rounds, json_type_array) || !json_object_array_length(rounds))
		return -EBADMSG;
	for (size_t i = 0; i < json_object_array_length(rounds) && !err; i++)
		err = add_sample(row, json_object_array_get_idx(rounds, i));
	return err;
}

static int run_read(struct run *run, const char *path)
{
	struct json_object *results;
	int err = 0;

	run->root = json_object_from_file(path);
	if (!run->root) {
		complain("%s: %s", path, json_util_get_last_err());
		return -EBADMSG;
	}
	if (!json_object_object_get_ex(run->root, "results", &results) ||
	    !json_object_is_type(results, json_type_array))
		err = -EBADMSG;
	for (size_t i = 0; !err && i < json_object_array_length(results); i++)
		err = add_result(run, json_object_array_get_idx(results, i),
				 text_of(run->root, "target", "?"));
	if (err || !run->count) {
		complain("%s is no saved run of hsm-bench or scripts/bench", path);
		return err ? err : -EBADMSG;
	}
	return 0;
}

static void run_free(struct run *run)
{
	json_object_put(run->root);
	free(run->rows);
}

/* ---- comparing ---- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts the samples. */
static double median(struct row *row)
{
	size_t half = row->count / 2;

	qsort(row->rate, row->count, sizeof(row->rate[0]), by_value);
	return row->count % 2 ? row->rate[half] : (row->rate[half - 1] + row->rate[half]) / 2;
}

/**
 * struct verdict - of a row
 * @ratio: of the medians, new by old
 * @low, @high: of the new rounds' slowest by the old ones' fastest, and the other way round
 */
struct verdict {
	double before, after;
	double ratio, low, high;
	const char *word;
};

/* Beyond noise is what differs by more than the threshold, and in every pair of rounds the same way. */
static struct verdict judge(const struct comparison *comparison, struct row *old, struct row *new)
{
	struct verdict v = { .before = median(old), .after = median(new), .word = "" };

	v.ratio = v.after / v.before;
	v.low = new->rate[0] / old->rate[old->count - 1];
	v.high = new->rate[new->count - 1] / old->rate[0];
	if (v.ratio < 1 - comparison->threshold && v.high < 1)
		v.word = "slower";
	if (v.ratio > 1 + comparison->threshold && v.low > 1)
		v.word = "faster";
	return v;
}

static void print_machine(const char *which, const char *name, const struct run *run)
{
	struct json_object *machine;

	if (!json_object_object_get_ex(run->root, "machine", &machine))
		machine = NULL;
	printf("%s: %s, %s, %lld processors, Linux %s\n", which, name,
	       text_of(machine, "processor", "unknown processor"),
	       (long long)number_of(machine, "cpus", 0), text_of(machine, "kernel", "?"));
}

static bool same_machine(const struct comparison *comparison)
{
	struct json_object *machine[2] = { NULL, NULL };

	for (int i = 0; i < 2; i++)
		json_object_object_get_ex(comparison->run[i].root, "machine", &machine[i]);
	return number_of(machine[0], "cpus", 0) == number_of(machine[1], "cpus", 0) &&
	       !strcmp(text_of(machine[0], "processor", ""), text_of(machine[1], "processor", ""));
}

static void print_row(const char *key, const struct verdict *v)
{
	printf("| %s | %.0f | %.0f | %.3f | %.3f to %.3f | %s |\n", key, v->before, v->after,
	       v->ratio, v->low, v->high, v->word);
}

static struct json_object *json_row(const char *key, const struct verdict *v)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "row", json_object_new_string(key));
	json_object_object_add(object, "old", json_object_new_double(v->before));
	json_object_object_add(object, "new", json_object_new_double(v->after));
	json_object_object_add(object, "ratio", json_object_new_double(v->ratio));
	json_object_object_add(object, "low", json_object_new_double(v->low));
	json_object_object_add(object, "high", json_object_new_double(v->high));
	json_object_object_add(object, "verdict",
			       json_object_new_string(*v->word ? v->word : "same"));
	return object;
}

static void print_head(const struct comparison *comparison)
{
	print_machine("old", comparison->names[0], &comparison->run[0]);
	print_machine("new", comparison->names[1], &comparison->run[1]);
	if (!same_machine(comparison))
		printf("These are two machines: what differs need not be the program's doing.\n");
	printf("\n| operation | old per second | new per second | ratio | between | |\n"
	       "| --- | ---: | ---: | ---: | --- | --- |\n");
}

static int print_json(struct json_object *rows)
{
	int ret = puts(json_object_to_json_string_ext(rows, JSON_C_TO_STRING_PRETTY)) < 0 ? -EIO
											  : 0;

	return fflush(stdout) ? -EIO : ret;
}

static int compare(struct comparison *comparison)
{
	struct run *old = &comparison->run[0], *new = &comparison->run[1];
	struct json_object *rows = json_object_new_array();
	size_t both = 0, slower = 0;
	int err = 0;

	if (!comparison->json)
		print_head(comparison);
	for (size_t i = 0; i < old->count; i++) {
		struct row *other = row_find(new, old->rows[i].key);
		struct verdict v;

		if (!other)
			continue;
		both++;
		v = judge(comparison, &old->rows[i], other);
		slower += !strcmp(v.word, "slower");
		if (comparison->json)
			json_object_array_add(rows, json_row(other->key, &v));
		else
			print_row(other->key, &v);
	}
	if (comparison->json)
		err = print_json(rows);
	json_object_put(rows);
	if (!both)
		complain("the two runs have no operation in common");
	if (err || !both)
		return BENCH_FAILED;
	return slower ? BENCH_SLOWER : BENCH_OK;
}

/* ---- options ---- */

static int parse_threshold(const char *text, double *threshold)
{
	char *end;
	double percent = strtod(text, &end);

	if (end == text || *end || !(percent >= 0 && percent < 100)) {
		complain("--threshold: '%s' is no percentage", text);
		return -EINVAL;
	}
	*threshold = percent / 100;
	return 0;
}

static int parse(struct comparison *comparison, int argc, char **argv)
{
	static const struct option options[] = {
		{ "threshold", required_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'j')
			comparison->json = true;
		else if (option != 't' || parse_threshold(optarg, &comparison->threshold))
			return -EINVAL;
	}
	if (argc - optind != 2) {
		complain("compare: give two files, OLD and NEW");
		return -EINVAL;
	}
	comparison->names[0] = argv[optind];
	comparison->names[1] = argv[optind + 1];
	return 0;
}

int bench_compare(int argc, char **argv)
{
	struct comparison comparison = { .threshold = 0.05 };
	int code = BENCH_TARGET;

	if (parse(&comparison, argc, argv))
		return BENCH_USAGE;
	if (!run_read(&comparison.run[0], comparison.names[0]) &&
	    !run_read(&comparison.run[1], comparison.names[1]))
		code = compare(&comparison);
	run_free(&comparison.run[0]);
	run_free(&comparison.run[1]);
	return code;
}
