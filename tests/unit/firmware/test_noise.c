// SPDX-License-Identifier: Apache-2.0
/*
 * Health tests of raw noise: where the cut-offs of SP 800-90B lie, sources that break in different ways, and the
 * processor's own.
 */
#include "mech_testing.h"
#include "noise.h"

/* How many samples pass before one fails; at most @most */
static unsigned int passes(uint8_t (*sample)(unsigned int i), unsigned int most)
{
	struct noise_health health = { 0 };
	unsigned int i;

	for (i = 0; i < most; i++)
		if (!noise_healthy(&health, sample(i)))
			return i;
	return most;
}

static uint8_t stuck(unsigned int i)
{
	(void)i;
	return 7;
}

static uint8_t stuck_at_zero(unsigned int i)
{
	(void)i;
	return 0;
}

static uint8_t sticks_later(unsigned int i)
{
	return i < 1000 ? (uint8_t)i : 1;
}

static uint8_t counts(unsigned int i)
{
	return (uint8_t)i;
}

/* Never long enough in a row, but five times in six the same */
static uint8_t biased(unsigned int i)
{
	return i % 6 == 5 ? (uint8_t)(i + 1) : 3;
}

/* Three times in four: a claim of half a bit allows that */
static uint8_t less_biased(unsigned int i)
{
	return i % 4 == 3 ? (uint8_t)(i | 0x80) : 3;
}

static void test_cut_offs(void **state)
{
	(void)state;
	assert_int_equal(passes(stuck, 2000), NOISE_RCT - 1);
	assert_int_equal(passes(stuck_at_zero, 2000), NOISE_RCT - 1);
	assert_int_equal(passes(sticks_later, 2000), 1000 + NOISE_RCT - 1);
	assert_in_range(passes(biased, 2000), NOISE_APT, NOISE_WINDOW);
	assert_int_equal(passes(less_biased, 100000), 100000);
	assert_int_equal(passes(counts, 100000), 100000);
}

/* One less than the cut-off in every window is all right: with the window the count starts anew. */
static uint8_t at_the_cut_off(unsigned int i)
{
	unsigned int at = i % NOISE_WINDOW;
	unsigned int others = NOISE_WINDOW - (NOISE_APT - 1);

	/* The others are spread so that nothing repeats too long. */
	if ((at + 1) * others / NOISE_WINDOW != at * others / NOISE_WINDOW)
		return (uint8_t)(100 + at % 50);
	return 9;
}

static void test_window(void **state)
{
	unsigned int nines = 0;

	(void)state;
	for (unsigned int i = 0; i < NOISE_WINDOW; i++)
		nines += at_the_cut_off(i) == 9;
	assert_int_equal(nines, NOISE_APT - 1);
	assert_int_equal(passes(at_the_cut_off, 10 * NOISE_WINDOW), 10 * NOISE_WINDOW);
}

static uint8_t broken_source(void *data)
{
	unsigned int *calls = data;

	(*calls)++;
	return *calls > 500 ? 5 : (uint8_t)*calls;
}

static uint8_t good_source(void *data)
{
	unsigned int *calls = data;

	return (uint8_t)((*calls)++ * 37);
}

static void test_gather(void **state)
{
	uint8_t samples[NOISE_SAMPLES], zero[NOISE_SAMPLES] = { 0 };
	unsigned int calls = 0;

	(void)state;
	memset(samples, 1, sizeof(samples));
	assert_false(noise_gather(broken_source, &calls, samples));
	/* All of them were looked at, none is left. */
	assert_int_equal(calls, NOISE_SAMPLES);
	assert_memory_equal(samples, zero, sizeof(zero));
	calls = 0;
	assert_true(noise_gather(good_source, &calls, samples));
	assert_memory_not_equal(samples, zero, sizeof(zero));
}

static void test_processor(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		assert_true(noise_start());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_offs),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_gather),
		cmocka_unit_test(test_processor),
	};

	return cmocka_run_group_tests(tests, library_start, library_stop);
}
