// SPDX-License-Identifier: Apache-2.0
/*
 * What hsm-bench prints: a Markdown table for people, JSON for programs.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <json-c/json.h>
#include "hsm-bench.h"

static const double percentiles[] = { 50, 90, 99 };
static const char *const percentile_names[] = { "p50_ns", "p90_ns", "p99_ns" };
#define N_PERCENTILES (sizeof(percentiles) / sizeof(percentiles[0]))

static double us(uint64_t ns)
{
	return (double)ns / 1000.0;
}

static void print_row(const struct result *result)
{
	const struct histogram *latency = &result->latency;

	printf("| %s", result->operation.name);
	if (result->operation.sized)
		printf(" %zu", result->operation.size);
	printf(" | %u | %.0f |", result->load.threads, result->rate);
	for (size_t i = 0; i < N_PERCENTILES; i++)
		printf(" %.2f |", us(histogram_percentile(latency, percentiles[i])));
	printf(" %.2f | %llu |\n", us(latency->max), (unsigned long long)latency->count);
}

int report_markdown(const struct report *report)
{
	printf("%s %s: %s\n\n", report->ops->kind, report->name, report->description);
	printf("| operation | threads | per second | p50 µs | p90 µs | p99 µs | max µs | samples |\n");
	printf("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n");
	for (size_t i = 0; i < report->count; i++)
		print_row(&report->results[i]);
	return fflush(stdout) ? -errno : 0;
}

static void add_number(struct json_object *object, const char *name, uint64_t value)
{
	json_object_object_add(object, name, json_object_new_int64((int64_t)value));
}

static void add_text(struct json_object *object, const char *name, const char *value)
{
	json_object_object_add(object, name, json_object_new_string(value));
}

static struct json_object *json_result(const struct result *result)
{
	struct json_object *object = json_object_new_object();
	const struct histogram *latency = &result->latency;

	add_text(object, "operation", result->operation.name);
	if (result->operation.sized)
		add_number(object, "size", result->operation.size);
	add_number(object, "threads", result->load.threads);
	add_number(object, "pause_us", result->load.pause_us);
	add_number(object, "samples", latency->count);
	json_object_object_add(object, "per_second", json_object_new_double(result->rate));
	add_number(object, "min_ns", latency->min);
	for (size_t i = 0; i < N_PERCENTILES; i++)
		add_number(object, percentile_names[i],
			   histogram_percentile(latency, percentiles[i]));
	add_number(object, "max_ns", latency->max);
	add_number(object, "mean_ns", latency->count ? latency->sum / latency->count : 0);
	return object;
}

/* What the kernel calls the processor; architectures without such a line have their own name. */
static void add_processor(struct json_object *object, const char *architecture)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256], *value;
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file)) {
		value = strchr(line, ':');
		found = !strncmp(line, "model name", 10) && value;
		if (!found)
			continue;
		value += 1 + strspn(value + 1, " \t");
		value[strcspn(value, "\n")] = '\0';
		add_text(object, "processor", value);
	}
	if (file)
		fclose(file);
	if (!found)
		add_text(object, "processor", architecture);
}

static void add_date(struct json_object *object)
{
	char text[32];
	time_t now = time(NULL);
	struct tm tm;

	if (gmtime_r(&now, &tm) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		add_text(object, "date", text);
}

static struct json_object *json_machine(void)
{
	struct json_object *object = json_object_new_object();
	struct utsname name;

	if (!uname(&name)) {
		add_processor(object, name.machine);
		add_text(object, "kernel", name.release);
	}
	add_number(object, "cpus", (uint64_t)sysconf(_SC_NPROCESSORS_ONLN));
	return object;
}

int report_json(const struct report *report)
{
	struct json_object *object = json_object_new_object();
	struct json_object *results = json_object_new_array();
	int ret;

	add_text(object, "hsm_bench", HSM_VERSION);
	add_text(object, "target", report->ops->kind);
	add_text(object, "name", report->name);
	add_text(object, "description", report->description);
	add_number(object, "open_ns", report->open_ns);
	add_date(object);
	json_object_object_add(object, "machine", json_machine());
	for (size_t i = 0; i < report->count; i++)
		json_object_array_add(results, json_result(&report->results[i]));
	json_object_object_add(object, "results", results);
	ret = puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY)) < 0 ? -EIO : 0;
	json_object_put(object);
	if (fflush(stdout))
		ret = -errno;
	return ret;
}
