// SPDX-License-Identifier: Apache-2.0
/*
 * Start and end of command execution.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "attest_keys.h"
#include "audit.h"
#include "commands.h"
#include "noise.h"
#include "selftest.h"
#include "validation.h"

static void tell_failure(const char *test)
{
	fprintf(stderr, "self-test failed: %s; no service until the firmware starts anew\n", test);
	firmware_event(IHSM_EVENT_STATE, IHSM_STATE_ERROR);
	board_report(HSM_AUDIT_SELF_TEST_FAILED, test);
}

/*
 * The noise is an additional input: without it the generator still has the kernel's. Approved mode does not go on with a
 * source that fails its tests.
 */
static void noise_failed(void)
{
	fprintf(stderr, "the processor's timing is no noise: it is not used as such\n");
	if (mech_approved_mode())
		selftest_fail("health of the noise source");
}

int commands_start(const struct board_hello *hello)
{
	unsigned int tests;
	int ret = mech_start();

	selftest_watch(tell_failure);
	if (ret < 0) {
		fprintf(stderr, "libcrypto: its %s provider does not work\n",
			mech_approved_mode() ? "FIPS" : "default");
		return ret;
	}
	/* A failure does not end the process: somebody has to say what has failed. */
	selftest_run(&tests);
	if (!noise_start())
		noise_failed();
	ret = aead_start();
	if (ret < 0)
		fprintf(stderr, "libcrypto: AES-256-GCM, HKDF or HMAC is missing\n");
	if (!ret && validation_start() < 0)
		fprintf(stderr,
			"the board's validation is not shown: it is none that is understood\n");
	if (!ret)
		ret = partitions_start(hello);
	/* What happened before this function's firmware ran */
	if (!ret && !hello->function)
		commands_board_events();
	if (ret < 0) {
		fprintf(stderr, "partitions cannot be opened: %s\n", strerror(-ret));
		commands_stop();
	}
	return ret;
}

enum ihsm_self_test commands_self_test(void)
{
	return selftest_failed() ? IHSM_SELF_TEST_FAILED : IHSM_SELF_TEST_PASSED;
}

void commands_wipe(void)
{
	partitions_wipe();
}

int commands_random(uint8_t *out, size_t length)
{
	return mech_random(out, length) == CKR_OK ? 0 : -EIO;
}

void commands_stop(void)
{
	partitions_stop();
	attest_stop();
	validation_stop();
	aead_stop();
	mech_stop();
	selftest_watch(NULL);
	selftest_reset();
}
