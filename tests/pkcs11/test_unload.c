// SPDX-License-Identifier: Apache-2.0
/*
 * The end of the module: unloaded and loaded again, a process that exits in the middle of its
 * sessions, another user of libcrypto that has cleaned up before, and a process that only loads
 * it.
 */
#include <sys/wait.h>
#include <openssl/crypto.h>
#include "fixture.h"

static void *module;

static void open_module(void)
{
	CK_C_GetFunctionList get_list;
	CK_FUNCTION_LIST *list;

	module = dlopen(getenv("HSM_PKCS11_MODULE"), RTLD_NOW | RTLD_LOCAL);
	if (!module)
		fail_msg("%s", dlerror());
	*(void **)&get_list = dlsym(module, "C_GetFunctionList");
	assert_non_null(get_list);
	OK(get_list(&list));
	p = (CK_FUNCTION_LIST_3_2 *)list;
}

static void close_module(void)
{
	int ret = dlclose(module);

	module = NULL;
	assert_int_equal(ret, 0);
}

static CK_SESSION_HANDLE work(void)
{
	CK_SESSION_HANDLE s;
	CK_BYTE random[16];

	OK(p->C_Initialize(NULL));
	slot = first_slot();
	s = session(RO);
	OK(p->C_GenerateRandom(s, random, sizeof(random)));
	return s;
}

static void unloaded_and_loaded(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 5; i++) {
		open_module();
		work();
		OK(p->C_Finalize(NULL));
		close_module();
	}
}

/* What an application does that forgets C_Finalize */
static void unloaded_in_use(void **state)
{
	(void)state;
	open_module();
	work();
	close_module();
	open_module();
	work();
	OK(p->C_Finalize(NULL));
	close_module();
}

/* Endings of a process: each in a child, which shows by its status that it came to its end. */
enum ending {
	WITH_SESSIONS,
	CRYPTO_FIRST,
	NEVER_USED,
	FINALIZED_LATE
};

static void finalize_at_exit(void)
{
	p->C_Finalize(NULL);
}

static void end(enum ending ending)
{
	open_module();
	if (ending == FINALIZED_LATE)
		atexit(finalize_at_exit);
	if (ending != NEVER_USED)
		work();
	if (ending == CRYPTO_FIRST) {
		OPENSSL_cleanup();
		p->C_Finalize(NULL);
	}
	exit(7);
}

static void endings(void **state)
{
	enum ending ending;
	int status;
	pid_t pid;

	(void)state;
	for (ending = WITH_SESSIONS; ending <= FINALIZED_LATE; ending++) {
		pid = fork();
		assert_true(pid >= 0);
		if (!pid)
			end(ending);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 7);
	}
}

/*
 * What is in use when a process ends is not lost; the leak checker would say so of what a module
 * left behind.
 */
int __lsan_is_turned_off(void);

__attribute__((visibility("default"))) int __lsan_is_turned_off(void)
{
	return 1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endings),
		cmocka_unit_test(unloaded_and_loaded),
		cmocka_unit_test(unloaded_in_use),
	};

	device();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
