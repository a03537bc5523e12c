/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slot events: a partition that comes and one that goes, a token that is made anew, waited for and asked for,
 * and a wait that C_Finalize ends.
 */
#include <pthread.h>
#include "fixture.h"

/* One event at most, and then none; 0 none */
static CK_SLOT_ID ask(void)
{
	CK_SLOT_ID id = 0, none;
	CK_RV rv = p->C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, NULL);

	if (rv == CKR_NO_EVENT)
		return 0;
	OK(rv);
	RV(p->C_WaitForSlotEvent(CKF_DONT_BLOCK, &none, NULL), CKR_NO_EVENT);
	return id;
}

static int setup_device(void **state)
{
	(void)state;
	load();
	device();
	return 0;
}

static void begin(void)
{
	OK(p->C_Initialize(NULL));
	slot = first_slot();
}

static void test_arguments(void **state)
{
	CK_SLOT_ID id;

	(void)state;
	RV(p->C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
	begin();
	RV(p->C_WaitForSlotEvent(CKF_DONT_BLOCK, NULL, NULL), CKR_ARGUMENTS_BAD);
	RV(p->C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, &id), CKR_ARGUMENTS_BAD);
	RV(p->C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, NULL), CKR_NO_EVENT);
	OK(p->C_Finalize(NULL));
}

static void *wait_for_it(void *data)
{
	CK_SLOT_ID *id = data;
	CK_RV rv = p->C_WaitForSlotEvent(0, id, NULL);

	return (void *)(uintptr_t)rv;
}

static void test_new_token(void **state)
{
	CK_SLOT_ID id = ~0UL;
	pthread_t thread;
	void *rv;

	(void)state;
	begin();
	token_new();
	RV(p->C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, NULL), CKR_OK);
	assert_int_equal(id, slot);
	RV(p->C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, NULL), CKR_NO_EVENT);
	/* A wait that began before, or begins after: the event is there in both cases. */
	id = ~0UL;
	assert_int_equal(pthread_create(&thread, NULL, wait_for_it, &id), 0);
	token_new();
	assert_int_equal(pthread_join(thread, &rv), 0);
	assert_int_equal((CK_RV)(uintptr_t)rv, CKR_OK);
	assert_int_equal(id, slot);
	OK(p->C_Finalize(NULL));
}

static void test_partitions(void **state)
{
	CK_SLOT_ID id, seen = ~0UL;
	CK_ULONG before = 0, after = 0;
	pthread_t thread;
	void *rv;

	(void)state;
	if (getenv("HSM_TEST_DEVICE"))
		skip();
	begin();
	OK(p->C_GetSlotList(CK_TRUE, NULL, &before));
	assert_int_equal(pthread_create(&thread, NULL, wait_for_it, &seen), 0);
	assert_int_equal(system("hsmctl partition create second --function 1 >/dev/null"), 0);
	assert_int_equal(pthread_join(thread, &rv), 0);
	assert_int_equal((CK_RV)(uintptr_t)rv, CKR_OK);
	OK(p->C_GetSlotList(CK_TRUE, NULL, &after));
	assert_int_equal(after, before + 1);
	assert_int_not_equal(seen, slot);
	assert_int_equal(system("hsmctl partition destroy second --yes >/dev/null"), 0);
	id = ask();
	assert_int_equal(id, seen);
	OK(p->C_Finalize(NULL));
}

static void test_finalize_ends_the_wait(void **state)
{
	CK_SLOT_ID id;
	pthread_t thread;
	void *rv;

	(void)state;
	begin();
	assert_int_equal(pthread_create(&thread, NULL, wait_for_it, &id), 0);
	OK(p->C_Finalize(NULL));
	assert_int_equal(pthread_join(thread, &rv), 0);
	assert_int_equal((CK_RV)(uintptr_t)rv, CKR_CRYPTOKI_NOT_INITIALIZED);
	/* And it can begin anew. */
	begin();
	RV(p->C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, NULL), CKR_NO_EVENT);
	OK(p->C_Finalize(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_new_token),
		cmocka_unit_test(test_partitions),
		cmocka_unit_test(test_finalize_ends_the_wait),
	};

	return cmocka_run_group_tests(tests, setup_device, NULL);
}
