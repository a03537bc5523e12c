// SPDX-License-Identifier: Apache-2.0
/*
 * Identities seen before: remembered once, found again, never changed by themselves.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "temporary.h"
#include "trust.h"

static char directory[TEMPORARY_PATH];
static char path[TEMPORARY_FILE];
static const uint8_t one[IDENTITY_HASH_SIZE] = { 1 };
static const uint8_t two[IDENTITY_HASH_SIZE] = { 2 };

static int setup(void **state)
{
	if (!mkdtemp(temporary_name(directory, "hsm-pins")))
		return -1;
	snprintf(path, sizeof(path), "%s/state/hsm/known-partitions", directory);
	(void)state;
	return 0;
}

static int teardown(void **state)
{
	char command[TEMPORARY_FILE];

	snprintf(command, sizeof(command), "rm -rf %s", directory);
	(void)state;
	return system(command);
}

static void test_first_and_again(void **state)
{
	struct stat st;

	assert_int_equal(pins_check(path, "a", one, false), PIN_UNKNOWN);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(pins_check(path, "a", one, true), PIN_UNKNOWN);
	assert_int_equal(pins_check(path, "a", one, true), PIN_MATCH);
	assert_int_equal(pins_check(path, "a", two, true), PIN_MISMATCH);
	assert_int_equal(pins_check(path, "b", two, true), PIN_UNKNOWN);
	assert_int_equal(pins_check(path, "a", one, false), PIN_MATCH);
	assert_int_equal(pins_check(path, "b", two, false), PIN_MATCH);
	/* A key is not the beginning of another. */
	assert_int_equal(pins_check(path, "ab", two, false), PIN_UNKNOWN);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	(void)state;
}

static void write_text(const char *text)
{
	int fd;

	assert_int_equal(pins_check(path, "x", one, true), PIN_UNKNOWN);
	fd = open(path, O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void test_damaged(void **state)
{
	/* Cut off in the middle: that key is known, but no identity is good enough any more. */
	write_text("# note\na sha256:0100");
	assert_int_equal(pins_check(path, "a", one, true), PIN_MISMATCH);
	assert_int_equal(pins_check(path, "b", one, true), PIN_UNKNOWN);
	assert_int_equal(pins_check(path, "b", one, true), PIN_MATCH);
	assert_int_equal(pins_check(path, "a", one, true), PIN_MISMATCH);
	(void)state;
}

static void test_not_writable(void **state)
{
	assert_true(pins_check("/proc/hsm/known-partitions", "a", one, true) < 0);
	assert_int_equal(symlink("/nonexistent", strcat(strcpy(path, directory), "/link")), 0);
	assert_true(pins_check(path, "a", one, true) < 0);
	(void)state;
}

/* Processes that learn at the same time lose nothing of each other's. */
static void test_processes(void **state)
{
	char key[16];
	int status;

	for (int i = 0; i < 8; i++) {
		if (fork() == 0) {
			snprintf(key, sizeof(key), "key-%d", i);
			_exit(pins_check(path, key, one, true) == PIN_UNKNOWN ? 0 : 1);
		}
	}
	for (int i = 0; i < 8; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	for (int i = 0; i < 8; i++) {
		snprintf(key, sizeof(key), "key-%d", i);
		assert_int_equal(pins_check(path, key, one, false), PIN_MATCH);
	}
	(void)state;
}

static void test_place(void **state)
{
	char place[256];

	setenv("XDG_STATE_HOME", "/s", 1);
	assert_int_equal(pins_path(place, sizeof(place)), 0);
	assert_string_equal(place, "/s/hsm/known-partitions");
	setenv("XDG_STATE_HOME", "relative", 1);
	setenv("HOME", "/h", 1);
	assert_int_equal(pins_path(place, sizeof(place)), 0);
	assert_string_equal(place, "/h/.local/state/hsm/known-partitions");
	/* A service without HOME has its user's. */
	unsetenv("HOME");
	unsetenv("XDG_STATE_HOME");
	assert_int_equal(pins_path(place, sizeof(place)), 0);
	assert_int_equal(place[0], '/');
	assert_int_equal(pins_path(place, 4), -ENOENT);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_first_and_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_writable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_processes, setup, teardown),
		cmocka_unit_test(test_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
