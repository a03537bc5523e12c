// SPDX-License-Identifier: Apache-2.0
/*
 * Virtual sensors: each has a value, from a file that the operator names (in the units of the kernel's
 * hwmon files, which it may be) or its usual one, and limits. A value outside of them is a breach:
 * the partitions' keys are destroyed before anything else is done, and the fuses say so.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <linux/ihsm_hw.h>
#include "tamper.h"

#define LOOK_SECONDS 1

/* Usual values are those of a machine room; limits are what common parts are made for. */
static const struct board_sensor usual[TAMPER_SENSORS] = {
	{ IHSM_SENSOR_TEMPERATURE, 0, 35000, -10000, 95000, "temperature" },
	{ IHSM_SENSOR_VOLTAGE, 0, 3300, 2970, 3630, "voltage" },
	{ IHSM_SENSOR_CLOCK, 0, 0, -500, 500, "clock" },
	{ IHSM_SENSOR_ENCLOSURE, 0, 0, 0, 0, "enclosure" },
};

static struct tamper_sensor *find(struct tamper *tamper, uint32_t kind)
{
	size_t i;

	for (i = 0; i < TAMPER_SENSORS; i++)
		if (tamper->sensors[i].now.kind == kind)
			return &tamper->sensors[i];
	return NULL;
}

uint32_t tamper_kind(const char *name)
{
	size_t i;

	for (i = 0; i < TAMPER_SENSORS; i++)
		if (!strcmp(usual[i].label, name))
			return usual[i].kind;
	return 0;
}

void tamper_init(struct tamper *tamper)
{
	size_t i;

	memset(tamper, 0, sizeof(*tamper));
	for (i = 0; i < TAMPER_SENSORS; i++)
		tamper->sensors[i].now = usual[i];
}

/* The sensor before the equal sign; *value is what follows */
static struct tamper_sensor *named(struct tamper *tamper, const char *text, const char **value)
{
	const char *equal = strchr(text, '=');
	char name[sizeof(usual->label)];

	if (!equal || (size_t)(equal - text) >= sizeof(name) || !equal[1])
		return NULL;
	snprintf(name, sizeof(name), "%.*s", (int)(equal - text), text);
	*value = equal + 1;
	return find(tamper, tamper_kind(name));
}

int tamper_source(struct tamper *tamper, const char *text)
{
	const char *value;
	struct tamper_sensor *sensor = named(tamper, text, &value);

	if (!sensor)
		return -EINVAL;
	sensor->source = value;
	return 0;
}

static int take_number(const char **text, char end, int32_t *number)
{
	char *stop;
	long value;

	errno = 0;
	value = strtol(*text, &stop, 10);
	if (stop == *text || *stop != end || errno || value < INT32_MIN || value > INT32_MAX)
		return -EINVAL;
	*text = stop + (end != '\0');
	*number = (int32_t)value;
	return 0;
}

int tamper_limits(struct tamper *tamper, const char *text)
{
	const char *value;
	struct tamper_sensor *sensor = named(tamper, text, &value);

	if (!sensor || take_number(&value, ':', &sensor->now.min) ||
	    take_number(&value, '\0', &sensor->now.max) || sensor->now.min > sensor->now.max)
		return -EINVAL;
	return 0;
}

/* ---- looking ---- */

static int read_source(const char *path, int32_t *value)
{
	char text[32];
	const char *at = text;
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -EIO;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return take_number(&at, '\0', value);
}

/*
 * A sensor that does not answer has left no limits: keys are not destroyed for a file that moved. It
 * is an alarm, though, which everybody sees who looks.
 */
static bool look_at(struct tamper_sensor *sensor)
{
	bool lost = false, breach;
	int32_t value;

	if (sensor->source && !sensor->injected) {
		lost = read_source(sensor->source, &value) != 0;
		if (!lost)
			sensor->now.value = value;
	}
	breach = !lost &&
		 (sensor->now.value < sensor->now.min || sensor->now.value > sensor->now.max);
	if (lost && !(sensor->now.flags & IHSM_SENSOR_ALARM))
		board_log("sensor %s: %s gives no value", sensor->now.label, sensor->source);
	sensor->now.flags &= ~(uint32_t)IHSM_SENSOR_ALARM;
	if (lost || breach)
		sensor->now.flags |= IHSM_SENSOR_ALARM;
	return breach;
}

/* Look at all. Return: 1 << place of each that is outside of its limits and has not tripped yet */
static uint32_t look(struct tamper *tamper)
{
	struct tamper_sensor *sensor;
	uint32_t tripped = 0;
	unsigned int i;

	pthread_mutex_lock(&tamper->lock);
	for (i = 0; i < TAMPER_SENSORS; i++) {
		sensor = &tamper->sensors[i];
		if (!look_at(sensor) || sensor->now.flags & IHSM_SENSOR_TRIPPED)
			continue;
		sensor->now.flags |= IHSM_SENSOR_TRIPPED;
		tripped |= 1U << i;
	}
	pthread_mutex_unlock(&tamper->lock);
	return tripped;
}

/* What the fuses say that tripped: after a start, and after officers recovered the board. */
static void take_condition(struct board *board)
{
	struct board_condition condition;
	uint32_t tripped;
	unsigned int i;

	state_condition(board->state, &condition);
	tripped = condition.flags & BOARD_HELLO_TAMPERED ? condition.tamper : 0;
	pthread_mutex_lock(&board->tamper.lock);
	tripped |= board->tamper.unnoted;
	for (i = 0; i < TAMPER_SENSORS; i++) {
		board->tamper.sensors[i].now.flags &= ~(uint32_t)IHSM_SENSOR_TRIPPED;
		if (tripped >> i & 1)
			board->tamper.sensors[i].now.flags |= IHSM_SENSOR_TRIPPED;
	}
	pthread_mutex_unlock(&board->tamper.lock);
}

static void tell(const struct board *board, uint32_t tripped)
{
	const struct board_sensor *sensor;
	unsigned int i;

	for (i = 0; i < TAMPER_SENSORS; i++) {
		sensor = &board->tamper.sensors[i].now;
		if (tripped >> i & 1)
			board_log("tampered: %s is %d, limits %d to %d", sensor->label,
				  sensor->value, sensor->min, sensor->max);
	}
}

static uint32_t unnoted(struct tamper *tamper)
{
	uint32_t value;

	pthread_mutex_lock(&tamper->lock);
	value = tamper->unnoted;
	pthread_mutex_unlock(&tamper->lock);
	return value;
}

bool tamper_unnoted(struct board *board)
{
	return unnoted(&board->tamper) != 0;
}

static void arm(struct tamper *tamper)
{
	const struct itimerspec when = {
		.it_interval = { .tv_sec = LOOK_SECONDS },
		.it_value = { .tv_nsec = 1 },
	};

	timerfd_settime(tamper->look.fd, 0, &when, NULL);
}

/* Where nothing can be written now it may be later: there are keys on the disk until then. */
static void note(struct board *board, uint32_t tripped, uint32_t before)
{
	struct tamper *tamper = &board->tamper;
	int ret = state_tamper(board->state, tripped | before);

	pthread_mutex_lock(&tamper->lock);
	tamper->unnoted = ret ? tripped | before : 0;
	pthread_mutex_unlock(&tamper->lock);
	if (ret && !before) {
		board_log("tampered: erasing failed: %s; nothing is served any more, and it is "
			  "tried again each second",
			  strerror(-ret));
		arm(tamper);
	} else if (!ret) {
		board_log("tampered: all partitions are destroyed");
	}
}

static void check(struct board *board)
{
	uint32_t tripped, before;

	take_condition(board);
	before = unnoted(&board->tamper);
	tripped = look(&board->tamper);
	if (!tripped && !before)
		return;
	note(board, tripped, before);
	if (!tripped)
		return;
	tell(board, tripped);
	restart_all(board);
}

static void look_ready(struct watch *watch, uint32_t events)
{
	uint64_t count;

	(void)events;
	if (read(watch->fd, &count, sizeof(count)) == sizeof(count))
		check(watch->board);
}

static bool has_source(const struct tamper *tamper)
{
	size_t i;

	for (i = 0; i < TAMPER_SENSORS; i++)
		if (tamper->sensors[i].source)
			return true;
	return false;
}

int tamper_open(struct board *board)
{
	struct tamper *tamper = &board->tamper;
	int ret;

	tamper_init(tamper);
	if (board->options->tamper)
		*tamper = *board->options->tamper;
	pthread_mutex_init(&tamper->lock, NULL);
	tamper->look =
		(struct watch){ look_ready, board,
				timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK) };
	take_condition(board);
	ret = board_watch(board, &tamper->look, EPOLLIN);
	/* Values that nobody gives do not change: a board without sources sleeps when it is idle. */
	if (!ret && has_source(tamper))
		arm(tamper);
	return ret;
}

void tamper_close(struct board *board)
{
	close(board->tamper.look.fd);
	pthread_mutex_destroy(&board->tamper.lock);
}

size_t tamper_list(struct board *board, struct board_sensor list[TAMPER_SENSORS])
{
	size_t i;

	take_condition(board);
	pthread_mutex_lock(&board->tamper.lock);
	for (i = 0; i < TAMPER_SENSORS; i++)
		list[i] = board->tamper.sensors[i].now;
	pthread_mutex_unlock(&board->tamper.lock);
	return TAMPER_SENSORS;
}

bool tamper_alarm(struct board *board)
{
	struct board_sensor list[TAMPER_SENSORS];
	size_t i, count = tamper_list(board, list);

	for (i = 0; i < count; i++)
		if (list[i].flags & IHSM_SENSOR_ALARM)
			return true;
	return false;
}

int tamper_inject(struct board *board, uint32_t kind, int32_t value)
{
	struct tamper_sensor *sensor;
	struct board_condition condition;

	state_condition(board->state, &condition);
	if (!board->options->inject || condition.lifecycle != HSM_LIFECYCLE_DEVELOPMENT)
		return -EACCES;
	sensor = find(&board->tamper, kind);
	if (!sensor)
		return -EINVAL;
	pthread_mutex_lock(&board->tamper.lock);
	sensor->injected = true;
	sensor->now.value = value;
	pthread_mutex_unlock(&board->tamper.lock);
	board_log("sensor %s: %d is injected, for a test", sensor->now.label, value);
	check(board);
	return 0;
}
