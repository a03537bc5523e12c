// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl top: operations per second and latency of each partition, and the driver's queues, as they change between two
 * looks. On a terminal it draws itself anew until q or ^C; elsewhere, or with --batch, one table after the other.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include "hsmctl-watch.h"

#define INTERVAL_S     2
#define INTERVAL_MAX_S 3600
#define LEAST_MS       (HSM_STATISTICS_FRESH_MS + 50) /* before that a partition says the same again */

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static uint64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- what happened between two looks ---- */

/* A counter that went back began anew. */
static uint64_t more(uint64_t now, uint64_t before)
{
	return now >= before ? now - before : now;
}

static double per_second(uint64_t count, uint64_t ms)
{
	return ms ? (double)count * 1000 / (double)ms : 0;
}

static const struct watch_partition *same_partition(const struct watch *before,
						    const struct watch_device *device,
						    const struct watch_partition *partition)
{
	for (size_t i = 0; i < before->devices; i++)
		for (size_t k = 0; k < before->device[i].count; k++)
			if (!strcmp(before->device[i].name, device->name) &&
			    !strcmp(before->device[i].partition[k].id, partition->id))
				return &before->device[i].partition[k];
	return NULL;
}

/* Of all kinds but OTHER, whose commands an operation consists of: what took at most so long, by its bucket's bound */
static double quantile(const uint64_t bucket[HSM_STATISTICS_BUCKETS], double part)
{
	uint64_t all = 0, sum = 0;

	for (unsigned int b = 0; b < HSM_STATISTICS_BUCKETS; b++)
		all += bucket[b];
	for (unsigned int b = 0; b < HSM_STATISTICS_BUCKETS; b++) {
		sum += bucket[b];
		if (sum && (double)sum >= part * (double)all)
			return (double)hsm_statistics_bound(
				       b < HSM_STATISTICS_BUCKETS - 1 ? b : b - 1) /
			       1000;
	}
	return 0;
}

static void put_rate(struct json_object *row, const char *key, double value)
{
	char text[32];

	snprintf(text, sizeof(text), "%.1f", value);
	json_object_object_add(row, key, json_object_new_double_s(value, text));
}

static void put_rates(struct json_object *row, const struct hsm_statistics *now,
		      const struct hsm_statistics *before)
{
	uint64_t bucket[HSM_STATISTICS_BUCKETS] = { 0 }, count = 0, refused = 0, ms;
	double rate[HSM_STATISTICS_KIND_COUNT];

	ms = now->since == before->since ? now->at - before->at : now->at;
	for (unsigned int k = 0; k < HSM_STATISTICS_KIND_COUNT; k++) {
		rate[k] = per_second(more(now->kind[k].count, before->kind[k].count), ms);
		if (k == HSM_STATISTICS_OTHER)
			continue;
		count += more(now->kind[k].count, before->kind[k].count);
		refused += more(now->kind[k].refused, before->kind[k].refused);
		for (unsigned int b = 0; b < HSM_STATISTICS_BUCKETS; b++)
			bucket[b] += more(now->kind[k].bucket[b], before->kind[k].bucket[b]);
	}
	put_rate(row, "ops/s", per_second(count, ms));
	for (unsigned int k = 0; k <= HSM_STATISTICS_KEY; k++)
		put_rate(row, watch_kind(k), rate[k]);
	put_rate(row, "refused", per_second(refused, ms));
	put_rate(row, "p50_ms", quantile(bucket, 0.5));
	put_rate(row, "p99_ms", quantile(bucket, 0.99));
}

static void put_partition(struct json_object *rows, const struct watch *before,
			  const struct watch_device *device,
			  const struct watch_partition *partition)
{
	const struct watch_partition *old = same_partition(before, device, partition);
	const struct hsm_statistics none = { .since = partition->statistics.since };
	struct json_object *row;

	if (!partition->known)
		return;
	row = json_object_new_object();
	put_string(row, "device", device->name);
	put_string(row, "partition", partition->name);
	put_number(row, "connections", partition->statistics.clients);
	put_number(row, "sessions", partition->statistics.sessions);
	put_rates(row, &partition->statistics, old && old->known ? &old->statistics : &none);
	json_object_array_add(rows, row);
}

static void put_device(struct json_object *rows, const struct watch_device *device)
{
	struct json_object *row = json_object_new_object();

	put_string(row, "device", device->name);
	put_string(row, "state", device->up ? state_name(device->info.state) : "not there");
	put_number(row, "function", device->info.function);
	put_string(row, "firmware", device->info.firmware);
	put_string(row, "error", device->error);
	json_object_array_add(rows, row);
}

static void put_queue(struct json_object *rows, const struct watch_function *function,
		      const struct watch_queue *now, const struct watch_queue *before, uint64_t ms)
{
	struct json_object *row = json_object_new_object();

	put_string(row, "function", function->node);
	put_string(row, "state", function->state);
	put_number(row, "queue", now->number);
	put_rate(row, "commands/s", per_second(more(now->counter[1], before->counter[1]), ms));
	put_number(row, "unanswered",
		   now->counter[0] > now->counter[1] ? now->counter[0] - now->counter[1] : 0);
	put_number(row, "errors", now->counter[2]);
	put_number(row, "timeouts", now->counter[3]);
	json_object_array_add(rows, row);
}

static void put_queues(struct json_object *rows, const struct watch *now,
		       const struct watch *before, uint64_t ms)
{
	static const struct watch_queue none;

	for (size_t i = 0; i < now->functions; i++)
		for (size_t q = 0; q < now->function[i].queues; q++) {
			bool same = i < before->functions && q < before->function[i].queues &&
				    !strcmp(before->function[i].node, now->function[i].node);

			put_queue(rows, &now->function[i], &now->function[i].queue[q],
				  same ? &before->function[i].queue[q] : &none, ms);
		}
}

static struct json_object *picture(const struct watch *now, const struct watch *before, uint64_t ms)
{
	struct json_object *result = json_object_new_object();
	struct json_object *devices = json_object_new_array();
	struct json_object *partitions = json_object_new_array();
	struct json_object *queues = json_object_new_array();

	for (size_t i = 0; i < now->devices; i++) {
		put_device(devices, &now->device[i]);
		for (size_t k = 0; k < now->device[i].count; k++)
			put_partition(partitions, before, &now->device[i],
				      &now->device[i].partition[k]);
	}
	put_queues(queues, now, before, ms);
	json_object_object_add(result, "devices", devices);
	json_object_object_add(result, "partitions", partitions);
	json_object_object_add(result, "queues", queues);
	return result;
}

/* ---- the terminal ---- */

/* Keys come one by one and are not shown; signals stay what they are. */
static bool terminal_begin(struct termios *before)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, before))
		return false;
	raw = *before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw))
		return false;
	/* The alternate screen, no cursor */
	fputs("\033[?1049h\033[?25l", stdout);
	return true;
}

static void terminal_end(const struct termios *before)
{
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, before);
}

/* Signals are let in only while it waits: one that comes between the look at @stopped and the wait ends the wait. */
static bool wait_for(uint64_t ms, bool keys, const sigset_t *open)
{
	uint64_t now = clock_ms(), end = now + ms;

	for (; !stopped && now < end; now = clock_ms()) {
		struct pollfd p = { .fd = keys ? STDIN_FILENO : -1, .events = POLLIN };
		/* One look at the clock for both: less than nothing would be for ever. */
		struct timespec left = { .tv_sec = (time_t)((end - now) / 1000),
					 .tv_nsec = (long)((end - now) % 1000 * 1000000) };
		char key = 0;

		if (ppoll(&p, 1, &left, open) <= 0)
			continue;
		if (read(STDIN_FILENO, &key, 1) <= 0)
			return false;
		if (key == 'q' || key == 'Q')
			return false;
	}
	return !stopped;
}

/* Return: false when the user wants to end */
static bool pause_for(uint64_t ms, bool keys)
{
	sigset_t ends, before;
	bool on;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, &before);
	on = wait_for(ms, keys, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return on;
}

/* ---- the verb ---- */

/**
 * struct view - how it is shown
 * @looks: how many pictures, 0: without end
 * @ms: between two
 * @terminal: drawn over each other
 */
struct view {
	uint64_t looks;
	uint64_t ms;
	bool terminal;
};

static int show(struct ctl *ctl, const struct view *view, struct json_object *result)
{
	int err;

	if (view->terminal)
		printf("\033[H\033[2Jhsmctl top: every %.1f s; q ends\n\n",
		       (double)view->ms / 1000);
	err = output_result("hsmctl", result, ctl->json);
	return err ? CTL_DEVICE : CTL_OK;
}

static int watch_on(struct ctl *ctl, const struct view *view)
{
	struct watch before, now;
	struct json_object *result;
	uint64_t at = clock_ms(), then;
	int code = watch_take(ctl, "/sys", &before);

	for (uint64_t i = 0; !code && (!view->looks || i < view->looks); i++) {
		if (!pause_for(view->ms, view->terminal))
			break;
		then = at;
		at = clock_ms();
		code = watch_take(ctl, "/sys", &now);
		if (!code) {
			result = picture(&now, &before, at - then);
			code = show(ctl, view, result);
			json_object_put(result);
		}
		watch_free(&before);
		before = now;
	}
	watch_free(&before);
	return code;
}

static int take_view(struct ctl *ctl, struct view *view)
{
	uint32_t seconds = INTERVAL_S;

	if (ctl->http)
		return fail(ctl, CTL_USAGE, "top takes no option like --http");
	if (ctl->interval &&
	    (parse_u32(ctl->interval, &seconds) || !seconds || seconds > INTERVAL_MAX_S))
		return fail(ctl, CTL_USAGE, "--interval takes 1 to %d seconds", INTERVAL_MAX_S);
	if (ctl->batch && (parse_u64(ctl->batch, &view->looks) || !view->looks))
		return fail(ctl, CTL_USAGE, "--batch takes a number of looks, 1 or more");
	if (ctl->once)
		view->looks = 1;
	view->ms = (uint64_t)seconds * 1000;
	if (view->ms < LEAST_MS)
		view->ms = LEAST_MS;
	view->terminal = !view->looks && !ctl->json && isatty(STDIN_FILENO) &&
			 isatty(STDOUT_FILENO);
	return CTL_OK;
}

int verb_top(struct ctl *ctl, char **args)
{
	struct sigaction action = { .sa_handler = stop };
	struct view view = { 0 };
	struct termios before;
	int code = take_view(ctl, &view);

	(void)args;
	if (code)
		return code;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (view.terminal && !terminal_begin(&before))
		view.terminal = false;
	code = watch_on(ctl, &view);
	if (view.terminal)
		terminal_end(&before);
	ctl->shown = true;
	return code;
}
