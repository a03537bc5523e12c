/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Noise of our own: how long memory takes, by the processor's clock. It is an additional input of the random generator,
 * beside what the kernel gives, which no process sees raw. Here the samples are raw, and health tests see each of them
 * before anything else does (SP 800-90B, 4.4).
 */
#ifndef FIRMWARE_NOISE_H
#define FIRMWARE_NOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOISE_SAMPLES \
	1024 /* of a start-up test, and of each later one: the least that 4.3 asks for */
#define NOISE_RCT    61 /* 1 + 30 / H: a half bit per sample is claimed, false alarm once in 2^30 */
#define NOISE_APT    422 /* 1 + critbinom(NOISE_WINDOW, 2^-H, 1 - 2^-30) */
#define NOISE_WINDOW 512

/**
 * struct noise_health - both tests between two samples; start from all zeros
 * @last: sample, @repeats: how often in a row (repetition count)
 * @first: of the window, @matches: how often in its @seen samples (adaptive proportion)
 */
struct noise_health {
	uint8_t last;
	uint8_t first;
	unsigned int repeats;
	unsigned int matches;
	unsigned int seen;
};

/* noise_healthy - the next sample. Return: false when a test fails with it. */
bool noise_healthy(struct noise_health *health, uint8_t sample);

/* noise_source - where raw samples come from; @data is its own */
typedef uint8_t (*noise_source)(void *data);

/**
 * noise_gather - samples of a source, if it is healthy
 * @samples: NOISE_SAMPLES bytes, wiped on failure
 */
bool noise_gather(noise_source source, void *data, uint8_t *samples);

/**
 * noise_start - test the processor's noise and give it to the random generator
 *
 * Return: false when it fails its tests three times in a row; then nothing of it is used.
 */
bool noise_start(void);

#endif /* FIRMWARE_NOISE_H */
