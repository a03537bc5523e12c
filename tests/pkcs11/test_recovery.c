// SPDX-License-Identifier: Apache-2.0
/*
 * The device dies under a program that goes on: its firmware process, then everything. Old
 * sessions answer with an error, new ones work, and no key is lost. With a device that the caller
 * names there is nothing to kill: skipped.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/types.h>
#include "fixture.h"

static CK_BYTE digest[32] = "what is signed, 32 bytes long..";

static bool file_has(const char *path, const char *word)
{
	char text[4096];
	FILE *file = fopen(path, "r");
	size_t length, i;

	if (!file)
		return false;
	length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	/* Arguments are separated by NULs. */
	for (i = 0; i < length; i++)
		if (!text[i])
			text[i] = ' ';
	text[length] = '\0';
	return strstr(text, word) != NULL;
}

static pid_t parent_of(pid_t pid)
{
	char path[64], *end;
	char text[512];
	FILE *file;
	int parent = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (!file)
		return 0;
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	end = strrchr(text, ')');
	if (end)
		sscanf(end + 1, " %*c %d", &parent);
	return parent;
}

/* The next process with this parent, or, with parent 0, with the directory among its arguments */
static pid_t next_process(DIR *proc, pid_t parent, const char *directory)
{
	struct dirent *entry;
	char path[300];
	pid_t pid;

	/* One thread, a stream of its own. */
	// cppcheck-suppress readdirCalled
	while ((entry = readdir(proc))) {
		pid = atoi(entry->d_name);
		if (pid <= 1 || pid == getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/%s/cmdline", entry->d_name);
		if (parent ? parent_of(pid) == parent : file_has(path, directory))
			return pid;
	}
	return 0;
}

static DIR *processes(void)
{
	DIR *proc = opendir("/proc");

	if (!proc)
		fail_msg("/proc: %s", strerror(errno));
	return proc;
}

static pid_t board(void)
{
	const char *directory = strchr(getenv("HSM_DEVICE"), ':') + 1;
	DIR *proc = processes();
	pid_t pid = next_process(proc, 0, directory);

	closedir(proc);
	assert_true(pid > 1);
	return pid;
}

static int kill_firmware(void)
{
	DIR *proc = processes();
	pid_t parent = board(), pid;
	int count = 0;

	while ((pid = next_process(proc, parent, NULL))) {
		assert_int_equal(kill(pid, SIGKILL), 0);
		count++;
	}
	closedir(proc);
	return count;
}

static CK_RV sign(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key)
{
	CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
	CK_BYTE signature[64];
	CK_ULONG length = sizeof(signature);
	CK_RV rv = p->C_SignInit(s, &mechanism, key);

	return rv == CKR_OK ? p->C_Sign(s, digest, sizeof(digest), signature, &length) : rv;
}

static CK_OBJECT_HANDLE private_key(CK_SESSION_HANDLE s)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE attributes[] = { A(CKA_CLASS, class), STRING(CKA_LABEL, "survivor") };
	CK_OBJECT_HANDLE key = 0;

	assert_int_equal(find(s, attributes, COUNT(attributes), &key, 1), 1);
	return key;
}

/*
 * Each answer on the way is an error that the documentation names; the end of it is that things
 * work again.
 */
static void works_again(CK_SESSION_HANDLE old, CK_OBJECT_HANDLE key)
{
	CK_SESSION_HANDLE s = 0;
	CK_RV rv = sign(old, key);

	assert_true(rv == CKR_DEVICE_ERROR || rv == CKR_DEVICE_REMOVED ||
		    rv == CKR_SESSION_HANDLE_INVALID);
	/* The first to come may be the one who finds out that the device is gone. */
	rv = p->C_OpenSession(slot, RW, NULL, NULL, &s);
	if (rv == CKR_DEVICE_REMOVED || rv == CKR_DEVICE_ERROR)
		rv = p->C_OpenSession(slot, RW, NULL, NULL, &s);
	OK(rv);
	rv = sign(old, key);
	assert_true(rv == CKR_DEVICE_REMOVED || rv == CKR_SESSION_HANDLE_INVALID);
	OK(p->C_Login(s, CKU_USER, PIN(USER_PIN)));
	OK(sign(s, private_key(s)));
	p->C_CloseSession(old);
}

static int skip_with_given_device(void)
{
	return getenv("HSM_TEST_DEVICE") != NULL;
}

static void firmware_dies(void **state)
{
	CK_SESSION_HANDLE s;
	CK_OBJECT_HANDLE key;

	(void)state;
	if (skip_with_given_device())
		skip();
	s = user_session();
	p256_pair(s, CK_TRUE, "survivor");
	key = private_key(s);
	OK(sign(s, key));
	assert_true(kill_firmware() >= 1);
	works_again(s, key);
}

static void everything_dies(void **state)
{
	CK_SESSION_HANDLE s;
	CK_OBJECT_HANDLE key;
	pid_t pid;

	(void)state;
	if (skip_with_given_device())
		skip();
	s = user_session();
	key = private_key(s);
	pid = board();
	kill_firmware();
	assert_int_equal(kill(pid, SIGKILL), 0);
	works_again(s, key);
}

/* A program that was not looking: the slot list finds the device again. */
static void dies_between_calls(void **state)
{
	CK_SESSION_HANDLE s;
	pid_t pid;

	(void)state;
	if (skip_with_given_device())
		skip();
	pid = board();
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(first_slot(), slot);
	s = user_session();
	OK(sign(s, private_key(s)));
}

static CK_SESSION_HANDLE session_after_death(void)
{
	CK_SESSION_HANDLE s = 0;
	CK_RV rv;
	int tries;

	for (tries = 0, rv = CKR_DEVICE_REMOVED; rv != CKR_OK && tries < 3; tries++)
		rv = p->C_OpenSession(slot, RW, NULL, NULL, &s);
	OK(rv);
	OK(p->C_Login(s, CKU_USER, PIN(USER_PIN)));
	return s;
}

/* A key of 40 uses signs 40 times at most, however often its device is killed; and most of the 40. */
static void killed_with_a_limited_key(void **state)
{
	CK_MECHANISM mechanism = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	CK_ULONG limit = 40, signatures = 0, runs = 0, i;
	CK_ATTRIBUTE public_key[] = { { CKA_EC_PARAMS, (void *)oid_p256, sizeof(oid_p256) } };
	CK_ATTRIBUTE attributes[] = { YES(CKA_TOKEN), YES(CKA_SIGN), STRING(CKA_LABEL, "limited"),
				      A(CKA_HSM_USE_LIMIT, limit) };
	CK_OBJECT_HANDLE key, other;
	CK_SESSION_HANDLE s;
	CK_RV rv = CKR_OK;

	(void)state;
	if (skip_with_given_device())
		skip();
	s = user_session();
	OK(p->C_GenerateKeyPair(s, &mechanism, public_key, 1, attributes, COUNT(attributes), &other,
				&key));
	while (rv != CKR_KEY_EXHAUSTED) {
		for (i = 0; i < 12 && rv == CKR_OK; i++) {
			rv = sign(s, key);
			signatures += rv == CKR_OK;
		}
		if (rv == CKR_OK)
			kill_firmware();
		/* What was under way finds out. */
		if (rv == CKR_OK)
			assert_int_not_equal(sign(s, key), CKR_OK);
		if (rv == CKR_KEY_EXHAUSTED)
			break;
		s = session_after_death();
		assert_int_equal(find(s, &attributes[2], 1, &key, 1), 1);
		assert_true(++runs < 10);
	}
	assert_in_range(signatures, 30, limit);
	assert_int_equal(sign(s, key), CKR_KEY_EXHAUSTED);
	OK(p->C_DestroyObject(s, key));
}

#define TEST(f) cmocka_unit_test_teardown(f, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(firmware_dies),
		TEST(everything_dies),
		TEST(dies_between_calls),
		TEST(killed_with_a_limited_key),
	};

	return cmocka_run_group_tests(tests, setup_token, teardown);
}
