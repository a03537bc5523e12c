// SPDX-License-Identifier: Apache-2.0
/*
 * The module as such: function lists and interfaces, C_Initialize and its arguments, what is
 * answered before it, slots, token information and mechanisms.
 */
#include "fixture.h"

static void every_function_is_there(void **state)
{
	const char *functions = (const char *)p + offsetof(CK_FUNCTION_LIST_3_2, C_Initialize);
	size_t count = (sizeof(*p) - offsetof(CK_FUNCTION_LIST_3_2, C_Initialize)) / sizeof(void *),
	       i;
	void *function;

	(void)state;
	assert_int_equal(p->version.major, 3);
	assert_int_equal(p->version.minor, 2);
	assert_int_equal(count, 68 + 24 + 12);
	for (i = 0; i < count; i++) {
		memcpy(&function, functions + i * sizeof(function), sizeof(function));
		assert_non_null(function);
	}
}

static void lists_agree(void **state)
{
	CK_FUNCTION_LIST *list;

	(void)state;
	OK(p->C_GetFunctionList(&list));
	assert_int_equal(list->version.major, 2);
	assert_int_equal(list->version.minor, 40);
	assert_ptr_equal(list->C_Sign, p->C_Sign);
	assert_ptr_equal(list->C_WaitForSlotEvent, p->C_WaitForSlotEvent);
	RV(p->C_GetFunctionList(NULL), CKR_ARGUMENTS_BAD);
}

static void interfaces(void **state)
{
	CK_VERSION v240 = { 2, 40 }, v30 = { 3, 0 }, v31 = { 3, 1 }, v99 = { 9, 9 };
	CK_INTERFACE list[8], *one;
	CK_ULONG count = 0;

	(void)state;
	OK(p->C_GetInterfaceList(NULL, &count));
	assert_int_equal(count, 5);
	count = 1;
	RV(p->C_GetInterfaceList(list, &count), CKR_BUFFER_TOO_SMALL);
	assert_int_equal(count, 5);
	OK(p->C_GetInterfaceList(list, &count));
	assert_string_equal(list[0].pInterfaceName, "PKCS 11");
	OK(p->C_GetInterface(NULL, NULL, &one, 0));
	assert_ptr_equal(one->pFunctionList, p);
	OK(p->C_GetInterface(TEXT("PKCS 11"), &v30, &one, 0));
	assert_int_equal(((CK_VERSION *)one->pFunctionList)->major, 3);
	assert_ptr_equal(((CK_FUNCTION_LIST_3_0 *)one->pFunctionList)->C_SessionCancel,
			 p->C_SessionCancel);
	OK(p->C_GetInterface(TEXT("PKCS 11"), &v31, &one, 0));
	assert_int_equal(((CK_VERSION *)one->pFunctionList)->minor, 1);
	assert_ptr_equal(((CK_FUNCTION_LIST_3_0 *)one->pFunctionList)->C_MessageVerifyFinal,
			 p->C_MessageVerifyFinal);
	OK(p->C_GetInterface(TEXT("PKCS 11"), &v240, &one, 0));
	assert_int_equal(((CK_VERSION *)one->pFunctionList)->minor, 40);
	assert_int_not_equal(p->C_GetInterface(TEXT("PKCS 11"), &v99, &one, 0), CKR_OK);
	assert_int_not_equal(p->C_GetInterface(TEXT("Vendor"), NULL, &one, 0), CKR_OK);
	assert_int_not_equal(p->C_GetInterface(NULL, NULL, &one, CKF_INTERFACE_FORK_SAFE), CKR_OK);
	RV(p->C_GetInterface(NULL, NULL, NULL, 0), CKR_ARGUMENTS_BAD);
}

static void before_initialize(void **state)
{
	CK_BYTE byte = 0;
	CK_ULONG n = 0;
	CK_INFO info;

	(void)state;
	RV(p->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
	RV(p->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
	RV(p->C_GetSlotList(CK_FALSE, NULL, &n), CKR_CRYPTOKI_NOT_INITIALIZED);
	RV(p->C_OpenSession(0, RO, NULL, NULL, &n), CKR_CRYPTOKI_NOT_INITIALIZED);
	RV(p->C_CloseAllSessions(0), CKR_CRYPTOKI_NOT_INITIALIZED);
	RV(p->C_Sign(1, &byte, 1, &byte, &n), CKR_CRYPTOKI_NOT_INITIALIZED);
	RV(p->C_GenerateRandom(1, &byte, 1), CKR_CRYPTOKI_NOT_INITIALIZED);
	RV(p->C_GetFunctionStatus(1), CKR_CRYPTOKI_NOT_INITIALIZED);
	RV(p->C_EncryptMessageBegin(1, NULL, 0, NULL, 0), CKR_CRYPTOKI_NOT_INITIALIZED);
}

static CK_RV no_mutex(void **mutex)
{
	(void)mutex;
	return CKR_GENERAL_ERROR;
}

static CK_RV no_lock(void *mutex)
{
	(void)mutex;
	return CKR_GENERAL_ERROR;
}

static void initialize_arguments(void **state)
{
	CK_C_INITIALIZE_ARGS args = { 0 };
	int something;

	(void)state;
	args.pReserved = &something;
	RV(p->C_Initialize(&args), CKR_ARGUMENTS_BAD);
	args.pReserved = NULL;
	args.CreateMutex = no_mutex;
	RV(p->C_Initialize(&args), CKR_ARGUMENTS_BAD);
	args.DestroyMutex = no_lock;
	args.LockMutex = no_lock;
	args.UnlockMutex = no_lock;
	args.flags = CKF_OS_LOCKING_OK;
	OK(p->C_Initialize(&args));
	RV(p->C_Initialize(&args), CKR_CRYPTOKI_ALREADY_INITIALIZED);
	RV(p->C_Finalize(&something), CKR_ARGUMENTS_BAD);
	OK(p->C_Finalize(NULL));
	memset(&args, 0, sizeof(args));
	args.flags = CKF_LIBRARY_CANT_CREATE_OS_THREADS;
	OK(p->C_Initialize(&args));
	OK(p->C_Finalize(NULL));
	RV(p->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
}

/* A wrong configuration is no reason to disturb an application that loads every module. */
static void without_a_device(void **state)
{
	CK_ULONG count = 77;

	(void)state;
	setenv("HSM_DEVICE", "vhsm:/nonexistent/no/such/place", 1);
	OK(p->C_Initialize(NULL));
	OK(p->C_GetSlotList(CK_FALSE, NULL, &count));
	assert_int_equal(count, 0);
	OK(p->C_Finalize(NULL));
	count = 77;
	setenv("HSM_DEVICE", "no such kind of name", 1);
	OK(p->C_Initialize(NULL));
	OK(p->C_GetSlotList(CK_FALSE, NULL, &count));
	assert_int_equal(count, 0);
	RV(p->C_OpenSession(0, RO, NULL, NULL, &count), CKR_SLOT_ID_INVALID);
	OK(p->C_Finalize(NULL));
}

static int setup_slot(void **state)
{
	(void)state;
	device();
	OK(p->C_Initialize(NULL));
	slot = first_slot();
	return 0;
}

static void padded(const CK_UTF8CHAR *text, size_t size)
{
	assert_null(memchr(text, 0, size));
	assert_int_not_equal(text[0], ' ');
}

static void information(void **state)
{
	CK_INFO info;
	CK_SLOT_INFO slot_info;

	(void)state;
	OK(p->C_GetInfo(&info));
	assert_int_equal(info.cryptokiVersion.major, 3);
	assert_int_equal(info.cryptokiVersion.minor, 2);
	assert_int_equal(info.flags, 0);
	padded(info.manufacturerID, sizeof(info.manufacturerID));
	padded(info.libraryDescription, sizeof(info.libraryDescription));
	RV(p->C_GetInfo(NULL), CKR_ARGUMENTS_BAD);
	OK(p->C_GetSlotInfo(slot, &slot_info));
	padded(slot_info.slotDescription, sizeof(slot_info.slotDescription));
	padded(slot_info.manufacturerID, sizeof(slot_info.manufacturerID));
	assert_true(slot_info.flags & CKF_TOKEN_PRESENT);
	RV(p->C_GetSlotInfo(slot, NULL), CKR_ARGUMENTS_BAD);
	RV(p->C_GetSlotInfo(slot + 12345, &slot_info), CKR_SLOT_ID_INVALID);
}

static void slot_list(void **state)
{
	CK_SLOT_ID ids[16];
	CK_ULONG count = 0, all;

	(void)state;
	RV(p->C_GetSlotList(CK_FALSE, NULL, NULL), CKR_ARGUMENTS_BAD);
	OK(p->C_GetSlotList(CK_FALSE, NULL, &all));
	assert_true(all >= 1);
	RV(p->C_GetSlotList(CK_FALSE, ids, &count), CKR_BUFFER_TOO_SMALL);
	assert_int_equal(count, all);
	count = COUNT(ids);
	OK(p->C_GetSlotList(CK_FALSE, ids, &count));
	assert_int_equal(count, all);
}

/* The id is the same after a restart of the module. */
static void slot_ids_are_stable(void **state)
{
	CK_SLOT_ID before = slot;

	(void)state;
	OK(p->C_Finalize(NULL));
	OK(p->C_Initialize(NULL));
	assert_int_equal(first_slot(), before);
}

static void new_token(void **state)
{
	CK_SESSION_HANDLE s = 0;
	CK_TOKEN_INFO info;

	(void)state;
	OK(p->C_GetTokenInfo(slot, &info));
	assert_false(info.flags & CKF_TOKEN_INITIALIZED);
	assert_false(info.flags & CKF_USER_PIN_INITIALIZED);
	padded(info.serialNumber, sizeof(info.serialNumber));
	padded(info.manufacturerID, sizeof(info.manufacturerID));
	padded(info.model, sizeof(info.model));
	RV(p->C_GetTokenInfo(slot, NULL), CKR_ARGUMENTS_BAD);
	RV(p->C_GetTokenInfo(slot + 12345, &info), CKR_SLOT_ID_INVALID);
	RV(p->C_OpenSession(slot + 12345, RO, NULL, NULL, &s), CKR_SLOT_ID_INVALID);
	RV(p->C_OpenSession(slot, CKF_RW_SESSION, NULL, NULL, &s),
	   CKR_SESSION_PARALLEL_NOT_SUPPORTED);
	RV(p->C_OpenSession(slot, RO, NULL, NULL, NULL), CKR_ARGUMENTS_BAD);
}

static void mechanisms(void **state)
{
	CK_MECHANISM_TYPE types[512];
	CK_MECHANISM_INFO info;
	CK_ULONG count = 0, n, i;

	(void)state;
	OK(p->C_GetMechanismList(slot, NULL, &count));
	assert_true(count > 20 && count <= COUNT(types));
	n = 1;
	RV(p->C_GetMechanismList(slot, types, &n), CKR_BUFFER_TOO_SMALL);
	assert_int_equal(n, count);
	OK(p->C_GetMechanismList(slot, types, &n));
	for (i = 0; i < n; i++) {
		OK(p->C_GetMechanismInfo(slot, types[i], &info));
		assert_true(info.ulMinKeySize <= info.ulMaxKeySize);
		assert_int_not_equal(info.flags, 0);
	}
	assert_true(has(CKM_RSA_PKCS, CKF_SIGN | CKF_VERIFY));
	assert_true(has(CKM_ECDSA, CKF_SIGN | CKF_VERIFY));
	assert_true(has(CKM_AES_GCM, CKF_ENCRYPT | CKF_DECRYPT));
	RV(p->C_GetMechanismInfo(slot, 0x7fffffffUL, &info), CKR_MECHANISM_INVALID);
	RV(p->C_GetMechanismInfo(slot, CKM_ECDSA, NULL), CKR_ARGUMENTS_BAD);
	RV(p->C_GetMechanismList(slot, NULL, NULL), CKR_ARGUMENTS_BAD);
}

static void slot_events(void **state)
{
	CK_SLOT_ID id;

	(void)state;
	RV(p->C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, NULL), CKR_NO_EVENT);
	RV(p->C_WaitForSlotEvent(CKF_DONT_BLOCK, NULL, NULL), CKR_ARGUMENTS_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_function_is_there),
		cmocka_unit_test(lists_agree),
		cmocka_unit_test(interfaces),
		cmocka_unit_test(before_initialize),
		cmocka_unit_test(initialize_arguments),
		cmocka_unit_test(without_a_device),
		cmocka_unit_test_setup(information, setup_slot),
		cmocka_unit_test(slot_list),
		cmocka_unit_test(slot_ids_are_stable),
		cmocka_unit_test(new_token),
		cmocka_unit_test(mechanisms),
		cmocka_unit_test_teardown(slot_events, teardown),
	};

	load();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
