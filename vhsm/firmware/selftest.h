/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Self-tests: known answers at start and on demand, a pairwise check of each generated key pair, health tests of raw
 * noise, and the error state that any failure leads to. What each is for: Documentation/policy.rst, "Self-tests".
 */
#ifndef FIRMWARE_SELFTEST_H
#define FIRMWARE_SELFTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/evp.h>
#include <hsm/pkcs11.h>

/**
 * selftest_gate - may the device serve?
 *
 * Return: CKR_OK, or CKR_GENERAL_ERROR in the error state (PKCS#11, CKR_FIPS_SELF_TEST_FAILED: what comes after it).
 */
CK_RV selftest_gate(void);

/**
 * selftest_fail - enter the error state; only a new firmware process leaves it
 * @test: name of what failed, a constant
 *
 * Return: CKR_FIPS_SELF_TEST_FAILED, for the command that found out.
 */
CK_RV selftest_fail(const char *test);

/* selftest_failed - name of the first test that failed; NULL: none has */
const char *selftest_failed(void);

/**
 * selftest_pairwise - do the halves of a key pair just generated belong together?
 * @pkey: with both halves: signs and verifies, encapsulates and opens, or agrees with a second key
 *
 * Return: CKR_OK, or CKR_FIPS_SELF_TEST_FAILED, and then the device is in the error state.
 */
CK_RV selftest_pairwise(EVP_PKEY *pkey);

/**
 * selftest_run - all known-answer tests that libcrypto here has the mechanisms for
 * @count: set to the number that passed
 *
 * Return: CKR_OK, or CKR_FIPS_SELF_TEST_FAILED, and then the device is in the error state.
 */
CK_RV selftest_run(unsigned int *count);

/**
 * selftest_watch - have the error state told
 * @told: called once, by whichever thread entered it; NULL: nobody
 */
void selftest_watch(void (*told)(const char *test));

/* selftest_reset - out of the error state, at the end of command execution */
void selftest_reset(void);

#endif /* FIRMWARE_SELFTEST_H */
