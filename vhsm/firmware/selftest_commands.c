// SPDX-License-Identifier: Apache-2.0
/*
 * SELF_TEST: the known answers on demand, for whoever asks; and what led to the error state, once it is there.
 */
#include <string.h>
#include "audit.h"
#include "commands.h"
#include "noise.h"
#include "selftest.h"

CK_RV command_self_test(struct command *command)
{
	unsigned int count = 0;
	const char *failed;

	if (!selftest_failed() && selftest_run(&count) == CKR_OK) {
		if (noise_start())
			count++;
		else if (mech_approved_mode())
			selftest_fail("health of the noise source");
	}
	hsm_put_u64(&command->out, HSM_FIELD_TESTS, count);
	failed = selftest_failed();
	if (!failed) {
		board_report(HSM_AUDIT_SELF_TEST, NULL);
		return CKR_OK;
	}
	hsm_put_bytes(&command->out, HSM_FIELD_FAILED_TEST, failed, strlen(failed));
	return CKR_FIPS_SELF_TEST_FAILED;
}
