// SPDX-License-Identifier: Apache-2.0
/*
 * The noise of memory and clock, its health tests, and its way into the random generator.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include "mech.h"
#include "noise.h"

#define WALK_BYTES 65536 /* more than a first-level cache holds */
#define WALK_STEPS 64
#define TRIES	   3

/* ---- health ---- */

static bool repetition(struct noise_health *health, uint8_t sample)
{
	health->repeats = health->repeats && sample == health->last ? health->repeats + 1 : 1;
	health->last = sample;
	return health->repeats < NOISE_RCT;
}

static bool proportion(struct noise_health *health, uint8_t sample)
{
	if (!health->seen) {
		health->first = sample;
		health->matches = 0;
	}
	health->matches += sample == health->first;
	health->seen = (health->seen + 1) % NOISE_WINDOW;
	return health->matches < NOISE_APT;
}

bool noise_healthy(struct noise_health *health, uint8_t sample)
{
	bool good = repetition(health, sample);

	return proportion(health, sample) && good;
}

bool noise_gather(noise_source source, void *data, uint8_t *samples)
{
	struct noise_health health = { 0 };
	bool good = true;

	for (size_t i = 0; i < NOISE_SAMPLES; i++) {
		samples[i] = source(data);
		good = noise_healthy(&health, samples[i]) && good;
	}
	if (!good)
		OPENSSL_cleanse(samples, NOISE_SAMPLES);
	return good;
}

/* ---- the source ---- */

struct walk {
	uint64_t then;
	uint32_t at;
	volatile uint8_t *memory;
};

static uint64_t clock_now(void)
{
#if defined(__x86_64__) || defined(__i386__)
	return __builtin_ia32_rdtsc();
#else
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
#endif
}

/* The time that some steps through memory took: its low bits, as they are */
static uint8_t walk(void *data)
{
	struct walk *walk = data;
	uint64_t before = walk->then;

	for (int i = 0; i < WALK_STEPS; i++) {
		walk->at =
			(walk->at * 1664525U + 1013904223U + walk->memory[walk->at % WALK_BYTES]);
		walk->memory[walk->at % WALK_BYTES]++;
	}
	walk->then = clock_now();
	return (uint8_t)(walk->then - before);
}

/* Beside fresh entropy of the kernel's: it can add to the generator's state, not decide it. */
static bool add(const uint8_t *samples)
{
	EVP_RAND_CTX *generator = RAND_get0_primary(mech_libctx());

	return generator && EVP_RAND_reseed(generator, 0, NULL, 0, samples, NOISE_SAMPLES) > 0;
}

bool noise_start(void)
{
	struct walk state = { .memory = calloc(1, WALK_BYTES) };
	uint8_t samples[NOISE_SAMPLES] = { 0 };
	bool good = false;

	if (!state.memory)
		return false;
	walk(&state);
	for (int i = 0; i < TRIES && !good; i++)
		good = noise_gather(walk, &state, samples);
	good = good && add(samples);
	OPENSSL_cleanse(samples, sizeof(samples));
	free((void *)state.memory);
	return good;
}
