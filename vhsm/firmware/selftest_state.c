// SPDX-License-Identifier: Apache-2.0
/*
 * The error state: a flag that the first failed self-test sets, that every command asks for, and that nothing clears but
 * a new process.
 */
#include <stdatomic.h>
#include <stddef.h>
#include "selftest.h"

/* One for the process, like the library context that is tested. */
static _Atomic(const char *) failed_test;
static void (*_Atomic watcher)(const char *test);

CK_RV selftest_gate(void)
{
	return selftest_failed() ? CKR_GENERAL_ERROR : CKR_OK;
}

const char *selftest_failed(void)
{
	return atomic_load_explicit(&failed_test, memory_order_acquire);
}

CK_RV selftest_fail(const char *test)
{
	void (*told)(const char *) = atomic_load(&watcher);
	const char *none = NULL;

	if (atomic_compare_exchange_strong(&failed_test, &none, test) && told)
		told(test);
	return CKR_FIPS_SELF_TEST_FAILED;
}

void selftest_watch(void (*told)(const char *test))
{
	atomic_store(&watcher, told);
}

void selftest_reset(void)
{
	atomic_store(&failed_test, NULL);
}
