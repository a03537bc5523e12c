// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl metrics: what devices, partitions and the driver count, as OpenMetrics text for a scraper: on standard
 * output, or with --http as the answer to one HTTP request on standard input, for a socket unit with Accept=yes.
 */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <hsm/pkcs11.h>
#include "hsmctl-watch.h"

#define REQUEST_MAX	8192
#define REQUEST_SECONDS 10
#define CONTENT_TYPE	"application/openmetrics-text; version=1.0.0; charset=utf-8"

/* ---- text ---- */

/* A label's value: quotes, backslashes and ends of lines are escaped, what is no text becomes '?' */
static void put_label(FILE *out, const char *name, const char *value, const char *before)
{
	fprintf(out, "%s%s=\"", before, name);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			fprintf(out, "\\%c", *value);
		else
			fputc((unsigned char)*value < ' ' || *value == 0x7f ||
					      (unsigned char)*value >= 0x80
				      ? '?'
				      : *value,
			      out);
	}
	fputc('"', out);
}

/* struct place - whose number it is: the labels of a sample */
struct place {
	const struct watch_device *device;
	const struct watch_partition *partition;
	const char *name[2];
	const char *value[2];
};

static void put_labels(FILE *out, const struct place *place)
{
	const char *before = "";

	if (place->device) {
		put_label(out, "device", place->device->name, before);
		before = ",";
	}
	if (place->partition) {
		put_label(out, "partition", place->partition->name, before);
		before = ",";
	}
	for (size_t i = 0; i < 2; i++) {
		if (!place->name[i])
			continue;
		put_label(out, place->name[i], place->value[i], before);
		before = ",";
	}
}

static void put_sample(FILE *out, const char *name, const struct place *place, uint64_t value)
{
	fprintf(out, "%s{", name);
	put_labels(out, place);
	fprintf(out, "} %lu\n", (unsigned long)value);
}

/* ---- samples of each family ---- */

typedef void family_fn(const struct watch *watch, const char *name, FILE *out);

typedef void device_fn(const struct watch_device *device, const char *name, FILE *out);
typedef void partition_fn(const struct place *place, const char *name, FILE *out);

static void of_devices(const struct watch *watch, const char *name, FILE *out, bool down,
		       device_fn *put)
{
	for (size_t i = 0; i < watch->devices; i++)
		if (watch->device[i].up || down)
			put(&watch->device[i], name, out);
}

static void of_partitions(const struct watch *watch, const char *name, FILE *out, partition_fn *put)
{
	for (size_t i = 0; i < watch->devices; i++)
		for (size_t k = 0; k < watch->device[i].count; k++) {
			struct place place = { .device = &watch->device[i],
					       .partition = &watch->device[i].partition[k] };

			if (place.partition->known)
				put(&place, name, out);
		}
}

static void put_up(const struct watch_device *device, const char *name, FILE *out)
{
	put_sample(out, name, &(struct place){ .device = device }, device->up);
}

static void family_up(const struct watch *watch, const char *name, FILE *out)
{
	of_devices(watch, name, out, true, put_up);
}

static void put_info(const struct watch_device *device, const char *name, FILE *out)
{
	fprintf(out, "%s_info{", name);
	put_label(out, "device", device->name, "");
	put_label(out, "model", device->info.model, ",");
	put_label(out, "serial", device->info.serial, ",");
	put_label(out, "firmware", device->info.firmware, ",");
	put_label(out, "hardware", device->info.flags & IHSM_IDENTIFY_VIRTUAL ? "virtual" : "card",
		  ",");
	fprintf(out, "} 1\n");
}

static void family_info(const struct watch *watch, const char *name, FILE *out)
{
	of_devices(watch, name, out, false, put_info);
}

static void put_state(const struct watch_device *device, const char *name, FILE *out)
{
	for (uint32_t state = IHSM_STATE_UNCLAIMED; state <= IHSM_STATE_RETIRED; state++)
		put_sample(out, name,
			   &(struct place){ .device = device,
					    .name = { name },
					    .value = { state_name(state) } },
			   device->info.state == state);
}

static void family_state(const struct watch *watch, const char *name, FILE *out)
{
	of_devices(watch, name, out, false, put_state);
}

static void put_function(const struct watch_device *device, const char *name, FILE *out)
{
	put_sample(out, name, &(struct place){ .device = device }, device->info.function);
}

static void family_function(const struct watch *watch, const char *name, FILE *out)
{
	of_devices(watch, name, out, false, put_function);
}

static void put_histogram(const struct place *of, const char *name, FILE *out)
{
	struct place place = *of;

	place.name[0] = "kind";
	for (unsigned int k = 0; k < HSM_STATISTICS_KIND_COUNT; k++) {
		const struct hsm_statistics_of *kind = &of->partition->statistics.kind[k];
		uint64_t sum = 0;

		place.value[0] = watch_kind(k);
		for (unsigned int b = 0; b < HSM_STATISTICS_BUCKETS; b++) {
			sum += kind->bucket[b];
			fprintf(out, "%s_bucket{", name);
			put_labels(out, &place);
			if (b + 1 < HSM_STATISTICS_BUCKETS)
				fprintf(out, ",le=\"%.6f\"} %lu\n",
					(double)hsm_statistics_bound(b) / 1e6, (unsigned long)sum);
			else
				fprintf(out, ",le=\"+Inf\"} %lu\n", (unsigned long)sum);
		}
		fprintf(out, "%s_count{", name);
		put_labels(out, &place);
		fprintf(out, "} %lu\n%s_sum{", (unsigned long)sum, name);
		put_labels(out, &place);
		fprintf(out, "} %.6f\n", (double)kind->microseconds / 1e6);
	}
}

static void family_histogram(const struct watch *watch, const char *name, FILE *out)
{
	of_partitions(watch, name, out, put_histogram);
}

static void put_refused(const struct place *of, const char *name, FILE *out)
{
	struct place place = *of;
	char total[64];

	snprintf(total, sizeof(total), "%s_total", name);
	place.name[0] = "kind";
	for (unsigned int k = 0; k < HSM_STATISTICS_KIND_COUNT; k++) {
		place.value[0] = watch_kind(k);
		put_sample(out, total, &place, of->partition->statistics.kind[k].refused);
	}
}

static void family_refused(const struct watch *watch, const char *name, FILE *out)
{
	of_partitions(watch, name, out, put_refused);
}

#define NUMBER(word, expression)                                                          \
	static void put_##word(const struct place *place, const char *name, FILE *out)    \
	{                                                                                 \
		const struct watch_partition *of = place->partition;                      \
                                                                                          \
		put_sample(out, name, place, expression);                                 \
	}                                                                                 \
                                                                                          \
	static void family_##word(const struct watch *watch, const char *name, FILE *out) \
	{                                                                                 \
		of_partitions(watch, name, out, put_##word);                              \
	}

NUMBER(connections, of->statistics.clients)
NUMBER(sessions, of->statistics.sessions)
NUMBER(most_sessions, of->statistics.most_sessions)
NUMBER(bytes, of->statistics.bytes)
NUMBER(most_bytes, of->statistics.most_bytes)
NUMBER(since, of->statistics.since / 1000)
NUMBER(initialized, !!(of->flags & CKF_TOKEN_INITIALIZED))

static void put_locked(const struct place *of, const char *name, FILE *out)
{
	static const struct {
		const char *user;
		uint64_t flag;
	} pins[] = { { "user", CKF_USER_PIN_LOCKED }, { "so", CKF_SO_PIN_LOCKED } };
	struct place place = *of;

	place.name[0] = "user";
	for (size_t i = 0; i < sizeof(pins) / sizeof(pins[0]); i++) {
		place.value[0] = pins[i].user;
		put_sample(out, name, &place, !!(of->partition->flags & pins[i].flag));
	}
}

static void family_locked(const struct watch *watch, const char *name, FILE *out)
{
	of_partitions(watch, name, out, put_locked);
}

/* ---- the driver's ---- */

static void family_live(const struct watch *watch, const char *name, FILE *out)
{
	for (size_t i = 0; i < watch->functions; i++)
		put_sample(out, name,
			   &(struct place){ .name = { "function" },
					    .value = { watch->function[i].node } },
			   !strcmp(watch->function[i].state, "live"));
}

static void of_queues(const struct watch *watch, const char *name, FILE *out, unsigned int counter)
{
	char number[16], total[64];

	snprintf(total, sizeof(total), "%s_total", name);
	for (size_t i = 0; i < watch->functions; i++)
		for (size_t q = 0; q < watch->function[i].queues; q++) {
			snprintf(number, sizeof(number), "%u", watch->function[i].queue[q].number);
			put_sample(out, total,
				   &(struct place){ .name = { "function", "queue" },
						    .value = { watch->function[i].node, number } },
				   watch->function[i].queue[q].counter[counter]);
		}
}

#define QUEUE(number, file, meaning)                                                      \
	static void family_##file(const struct watch *watch, const char *name, FILE *out) \
	{                                                                                 \
		of_queues(watch, name, out, number);                                      \
	}

WATCH_COUNTERS(QUEUE)

static void of_function(const char *name, const char *node, uint64_t value, FILE *out)
{
	char total[64];

	snprintf(total, sizeof(total), "%s_total", name);
	put_sample(out, total, &(struct place){ .name = { "function" }, .value = { node } }, value);
}

static void family_bogus(const struct watch *watch, const char *name, FILE *out)
{
	for (size_t i = 0; i < watch->functions; i++)
		of_function(name, watch->function[i].node, watch->function[i].bogus, out);
}

static void family_missed(const struct watch *watch, const char *name, FILE *out)
{
	for (size_t i = 0; i < watch->functions; i++)
		of_function(name, watch->function[i].node, watch->function[i].missed, out);
}

/* ---- all of them ---- */

#define DRIVER(number, file, meaning) \
	{ "ihsm_driver_" #file, "counter", "", meaning, family_##file },

static const struct {
	const char *name;
	const char *type;
	const char *unit;
	const char *help;
	family_fn *put;
} families[] = {
	{ "ihsm_up", "gauge", "", "1: the device answers", family_up },
	{ "ihsm_device", "info", "", "Identity of the device, as its transport tells it",
	  family_info },
	{ "ihsm_device_state", "stateset", "", "What the device says about itself", family_state },
	{ "ihsm_device_function", "gauge", "", "Number of the function behind the name",
	  family_function },
	{ "ihsm_command_seconds", "histogram", "seconds", "Time of commands inside of the device",
	  family_histogram },
	{ "ihsm_commands_refused", "counter", "", "Commands that were refused", family_refused },
	{ "ihsm_connections", "gauge", "", "Connections of applications to the partition",
	  family_connections },
	{ "ihsm_sessions", "gauge", "", "Open sessions", family_sessions },
	{ "ihsm_sessions_limit", "gauge", "", "Sessions that the partition may have",
	  family_most_sessions },
	{ "ihsm_token_bytes", "gauge", "bytes", "Bytes that token objects take", family_bytes },
	{ "ihsm_token_limit_bytes", "gauge", "bytes", "Bytes that they may take",
	  family_most_bytes },
	{ "ihsm_start_time_seconds", "gauge", "seconds",
	  "When the function's firmware began to count", family_since },
	{ "ihsm_token_initialized", "gauge", "", "1: the token has a label and an SO PIN",
	  family_initialized },
	{ "ihsm_pin_locked", "gauge", "", "1: locked after wrong PINs", family_locked },
	{ "ihsm_driver_live", "gauge", "", "1: the driver calls the function live", family_live },
	WATCH_COUNTERS(DRIVER){ "ihsm_driver_bogus", "counter", "",
				"Completions that made no sense", family_bogus },
	{ "ihsm_driver_missed", "counter", "",
	  "Completions that were found before an interrupt told of them", family_missed },
};

void metrics_print(const struct watch *watch, FILE *out)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		fprintf(out, "# TYPE %s %s\n", families[i].name, families[i].type);
		if (*families[i].unit)
			fprintf(out, "# UNIT %s %s\n", families[i].name, families[i].unit);
		fprintf(out, "# HELP %s %s\n", families[i].name, families[i].help);
		families[i].put(watch, families[i].name, out);
	}
	fprintf(out, "# EOF\n");
}

/* ---- HTTP ---- */

/* Of the clock that nobody sets */
static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* The head of a request, whole, within its time. Return: false: there is none */
static bool read_request(char request[REQUEST_MAX])
{
	time_t end = seconds() + REQUEST_SECONDS;
	size_t length = 0;
	ssize_t n;

	while (length + 1 < REQUEST_MAX) {
		struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
		time_t now = seconds();

		if (now >= end || poll(&p, 1, (int)(end - now) * 1000) != 1)
			return false;
		n = read(STDIN_FILENO, request + length, REQUEST_MAX - 1 - length);
		if (n <= 0)
			return false;
		length += (size_t)n;
		request[length] = '\0';
		if (strstr(request, "\r\n\r\n"))
			return true;
	}
	return false;
}

static const char *status_of(const char *request)
{
	if (strncmp(request, "GET ", 4))
		return "405 Method Not Allowed";
	if (strncmp(request, "GET /metrics ", 13) && strncmp(request, "GET / ", 6))
		return "404 Not Found";
	return NULL;
}

static void respond(const char *status, const char *type, const char *body, size_t length)
{
	printf("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
	       status, type, length);
	fwrite(body, 1, length, stdout);
}

/* All of it as one text, to be freed; NULL, reported, when out of memory */
static char *metrics_text(struct ctl *ctl, const struct watch *watch, size_t *length)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, length);

	if (out) {
		metrics_print(watch, out);
		fclose(out);
	}
	if (!text)
		fail(ctl, CTL_DEVICE, "out of memory");
	return text;
}

static int show(struct ctl *ctl, const struct watch *watch)
{
	size_t length;
	char *text = metrics_text(ctl, watch, &length);

	if (!text)
		return CTL_DEVICE;
	if (ctl->http)
		respond("200 OK", CONTENT_TYPE, text, length);
	else if (ctl->json)
		put_string(ctl->result, "text", text);
	else
		fwrite(text, 1, length, stdout);
	free(text);
	return CTL_OK;
}

/* Nobody is asked anything for a request that is none. */
static int refuse(struct ctl *ctl)
{
	char request[REQUEST_MAX];
	const char *status = read_request(request) ? status_of(request) : "400 Bad Request";

	if (!status)
		return CTL_OK;
	respond(status, "text/plain", status, strlen(status));
	return fail(ctl, CTL_USAGE, "refused: %s", status);
}

int verb_metrics(struct ctl *ctl, char **args)
{
	struct watch watch = { 0 };
	int code = CTL_OK;

	(void)args;
	if (ctl->once || ctl->batch || ctl->interval)
		return fail(ctl, CTL_USAGE,
			    "metrics are OpenMetrics text, of now: there is no option but --http");
	ctl->shown = !ctl->json || ctl->http;
	if (ctl->http)
		code = refuse(ctl);
	if (!code)
		code = watch_take(ctl, "/sys", &watch);
	if (!code)
		code = show(ctl, &watch);
	watch_free(&watch);
	if (fflush(stdout) || ferror(stdout))
		code = fail(ctl, CTL_DEVICE, "standard output cannot be written: %s",
			    strerror(errno));
	return code;
}
