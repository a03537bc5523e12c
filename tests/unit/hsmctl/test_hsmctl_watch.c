// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl top and metrics before the worst moments: a signal between the last look at whether one came and the wait,
 * and a wall clock that somebody sets while a request comes in.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
/* cmocka has a macro of the name of hsmctl's fail(). */
#include "hsmctl-driver.h"
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NOWHERE "vfio-user:/nonexistent/fn1.sock"

/* In the place of libc's: hsmctl is in this program. The names in C differ, since headers have inline ones. */
struct pollfd;
int test_ppoll(struct pollfd *fds, unsigned long count, const struct timespec *limit,
	       const sigset_t *mask) __asm__("ppoll");
time_t test_time(time_t *at) __asm__("time");

static unsigned int waits;
static bool leaping;

int test_ppoll(struct pollfd *fds, unsigned long count, const struct timespec *limit,
	       const sigset_t *mask)
{
	struct timespec rest = *limit;

	if (!waits++)
		raise(SIGINT);
	return (int)syscall(SYS_ppoll, fds, count, &rest, mask, (size_t)_NSIG / 8);
}

/* Set an hour forward with each look */
time_t test_time(time_t *at)
{
	static time_t hours;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	now.tv_sec += leaping ? 3600 * ++hours : 0;
	if (at)
		*at = now.tv_sec;
	return now.tv_sec;
}

static void test_signal_before_the_wait(void **state)
{
	struct ctl ctl = { .device = NOWHERE,
			   .batch = "1",
			   .interval = "3600",
			   .result = json_object_new_object() };

	/* Without the wait's own mask it would last an hour. */
	alarm(60);
	assert_int_equal(verb_top(&ctl, NULL), CTL_OK);
	alarm(0);
	assert_int_equal(waits, 1);
	json_object_put(ctl.result);
	(void)state;
}

/* What is written to standard output meanwhile, without cmocka's own */
struct captured {
	int before;
	FILE *file;
};

static void capture(struct captured *captured)
{
	fflush(stdout);
	captured->file = tmpfile();
	assert_non_null(captured->file);
	captured->before = dup(STDOUT_FILENO);
	dup2(fileno(captured->file), STDOUT_FILENO);
}

static void captured_line(struct captured *captured, char line[128])
{
	fflush(stdout);
	dup2(captured->before, STDOUT_FILENO);
	close(captured->before);
	rewind(captured->file);
	if (!fgets(line, 128, captured->file))
		line[0] = '\0';
	fclose(captured->file);
}

static void test_clock_that_is_set(void **state)
{
	static const char request[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
	struct ctl ctl = { .device = NOWHERE, .http = true, .result = json_object_new_object() };
	struct captured captured;
	int ends[2], code;
	char line[128];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], request, strlen(request)), strlen(request));
	dup2(ends[0], STDIN_FILENO);
	leaping = true;
	capture(&captured);
	code = verb_metrics(&ctl, NULL);
	captured_line(&captured, line);
	leaping = false;
	close(ends[0]);
	close(ends[1]);
	assert_string_equal(line, "HTTP/1.1 200 OK\r\n");
	assert_int_equal(code, CTL_OK);
	json_object_put(ctl.result);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signal_before_the_wait),
		cmocka_unit_test(test_clock_that_is_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
