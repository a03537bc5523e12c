// SPDX-License-Identifier: Apache-2.0
/*
 * Sealing of messages: every bit counts, directions are apart, numbers are accepted once, a fork's child has no key.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <pthread.h>
#include <cmocka.h>
#include <hsm/seal.h>

#define TEXT "attack at dawn"
#define HEAD sizeof(struct hsm_message_header)

static int setup(void **state)
{
	uint8_t material[88];
	size_t i;

	for (i = 0; i < sizeof(material); i++)
		material[i] = (uint8_t)i;
	*state = hsm_seal_from_keys(NULL, material);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	hsm_seal_free(*state);
	return 0;
}

static int seal_text(struct hsm_seal *seal, uint8_t *message, uint64_t sequence)
{
	memcpy(message + HEAD, TEXT, sizeof(TEXT));
	return hsm_seal_message(seal, HSM_TO_DEVICE, 9, sequence, message, sizeof(TEXT));
}

static void test_round_trip(void **state)
{
	uint8_t message[128];
	size_t length;
	int size;

	size = seal_text(*state, message, 1);
	assert_int_equal(size, HEAD + sizeof(TEXT) + HSM_TAG_SIZE);
	assert_memory_not_equal(message + HEAD, TEXT, sizeof(TEXT));
	assert_int_equal(hsm_open_message(*state, HSM_TO_DEVICE, message, size, &length), 0);
	assert_int_equal(length, sizeof(TEXT));
	assert_memory_equal(message + HEAD, TEXT, sizeof(TEXT));
}

static void test_every_bit(void **state)
{
	uint8_t message[128], changed[128];
	size_t length, bit;
	int size;

	size = seal_text(*state, message, 1);
	for (bit = 0; bit < (size_t)size * 8; bit++) {
		memcpy(changed, message, sizeof(message));
		changed[bit / 8] ^= 1 << (bit % 8);
		assert_int_equal(hsm_open_message(*state, HSM_TO_DEVICE, changed, size, &length),
				 -EBADMSG);
	}
	for (length = 0; length < (size_t)size; length++) {
		size_t plain;

		memcpy(changed, message, sizeof(message));
		assert_int_equal(hsm_open_message(*state, HSM_TO_DEVICE, changed, length, &plain),
				 -EBADMSG);
	}
}

/* A message sent back to its sender is not a response. */
static void test_direction(void **state)
{
	uint8_t message[128];
	size_t length;
	int size;

	size = seal_text(*state, message, 1);
	assert_int_equal(hsm_open_message(*state, HSM_TO_HOST, message, size, &length), -EBADMSG);
	assert_memory_not_equal(message + HEAD, TEXT, sizeof(TEXT));
}

/* The nonce depends on the sequence number: the same text twice gives two messages that differ. */
static void test_sequence(void **state)
{
	uint8_t one[128] = { 0 }, two[128] = { 0 };

	seal_text(*state, one, 1);
	seal_text(*state, two, 2);
	assert_memory_not_equal(one + HEAD, two + HEAD, sizeof(TEXT));
	seal_text(*state, two, 1);
	assert_memory_equal(one + HEAD, two + HEAD, sizeof(TEXT));
}

static void test_too_long(void **state)
{
	uint8_t *message = calloc(1, HSM_MESSAGE_MAX);
	size_t most = HSM_MESSAGE_MAX - HEAD - HSM_TAG_SIZE;

	assert_int_equal(hsm_seal_message(*state, HSM_TO_DEVICE, 1, 1, message, most + 1),
			 -EMSGSIZE);
	assert_int_equal(hsm_seal_message(*state, HSM_TO_DEVICE, 1, 1, message, most),
			 HSM_MESSAGE_MAX);
	free(message);
}

static void test_fork(void **state)
{
	uint8_t message[128];
	int status;
	pid_t pid;

	seal_text(*state, message, 1);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(seal_text(*state, message, 2) == -ECHILD ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(seal_text(*state, message, 2) > 0);
}

static void *seal_many(void *seal)
{
	uint8_t message[128];
	uint64_t i;
	size_t length;
	int size;

	for (i = 0; i < 2000; i++) {
		size = seal_text(seal, message, i);
		if (size < 0 || hsm_open_message(seal, HSM_TO_DEVICE, message, size, &length) ||
		    memcmp(message + HEAD, TEXT, sizeof(TEXT)))
			return seal;
	}
	return NULL;
}

/* More threads than kept contexts */
static void test_threads(void **state)
{
	pthread_t thread[12];
	void *bad;
	int i;

	for (i = 0; i < 12; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, seal_many, *state), 0);
	for (i = 0; i < 12; i++) {
		pthread_join(thread[i], &bad);
		assert_null(bad);
	}
}

static void test_window(void **state)
{
	struct hsm_window window = { 0 };
	uint64_t n;

	(void)state;
	for (n = 0; n < 3000; n += 3)
		assert_true(hsm_window_accept(&window, n));
	assert_false(hsm_window_accept(&window, 2997));
	assert_true(hsm_window_accept(&window, 2998));
	assert_false(hsm_window_accept(&window, 2998));
	assert_true(hsm_window_accept(&window, 2998 - 1022 - 1));
	assert_false(hsm_window_accept(&window, 2998 - 1022 - 1));
	assert_false(hsm_window_accept(&window, 2998 - 1024));
	assert_false(hsm_window_accept(&window, 1));
	assert_true(hsm_window_accept(&window, 1000000));
	assert_true(hsm_window_accept(&window, 999999 - 1022));
	assert_false(hsm_window_accept(&window, 999999 - 1023));
	assert_false(hsm_window_accept(&window, UINT64_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_bit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_direction, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sequence, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fork, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
		cmocka_unit_test(test_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
