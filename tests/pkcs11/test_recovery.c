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
#include <sys/wait.h>
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

/* Firmware that has lost its board ends by itself, and until then answers what needs no board. */
static void await_end(pid_t pid)
{
	char path[64];
	int tries;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	/* Without memory it has ended, whether or not somebody has asked how. */
	for (tries = 0; tries < 3000 && file_has(path, "-"); tries++)
		usleep(10000);
	assert_true(tries < 3000);
}

/* A program that was not looking: the slot list finds the device again. */
static void dies_between_calls(void **state)
{
	CK_SESSION_HANDLE s;
	pid_t pid, firmware;
	DIR *proc;

	(void)state;
	if (skip_with_given_device())
		skip();
	pid = board();
	proc = processes();
	firmware = next_process(proc, pid, NULL);
	closedir(proc);
	assert_int_equal(kill(pid, SIGKILL), 0);
	if (firmware)
		await_end(firmware);
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

/* Kill the firmware from aside, at some instant of what comes next. Return: to be waited for */
static pid_t kill_soon(unsigned int round)
{
	pid_t victim, parent = board(), killer;
	DIR *proc = processes();
	pid_t victims[8];
	unsigned int count = 0;

	while (count < COUNT(victims) && (victim = next_process(proc, parent, NULL)))
		victims[count++] = victim;
	closedir(proc);
	assert_true(count >= 1);
	killer = fork();
	assert_true(killer >= 0);
	if (killer)
		return killer;
	usleep(round * 7919 % 40000);
	while (count)
		kill(victims[--count], SIGKILL);
	_exit(0);
}

/* A one-time password, as a number; 0: there was none */
static unsigned long one_time_password(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key)
{
	CK_MECHANISM mechanism = { CKM_HOTP, NULL, 0 };
	union {
		CK_OTP_SIGNATURE_INFO info;
		CK_BYTE bytes[512];
	} out;
	CK_ULONG length = sizeof(out);
	char digits[9] = { 0 };

	if (p->C_SignInit(s, &mechanism, key) != CKR_OK ||
	    p->C_Sign(s, NULL, 0, out.bytes, &length) != CKR_OK)
		return 0;
	assert_int_equal(out.info.pParams[0].ulValueLen, 8);
	memcpy(digits, out.info.pParams[0].pValue, 8);
	return strtoul(digits, NULL, 10) + 1;
}

/* However often its device is killed, no password comes twice. */
static void killed_with_one_time_passwords(void **state)
{
	CK_OBJECT_CLASS class = CKO_OTP_KEY;
	CK_KEY_TYPE type = CKK_HOTP;
	CK_ULONG digits = 8;
	CK_ATTRIBUTE template[] = { A(CKA_CLASS, class),
				    A(CKA_KEY_TYPE, type),
				    YES(CKA_TOKEN),
				    YES(CKA_SIGN),
				    STRING(CKA_VALUE, "12345678901234567890"),
				    A(CKA_OTP_LENGTH, digits),
				    STRING(CKA_LABEL, "passwords") };
	static unsigned long seen[4000];
	unsigned long one;
	unsigned int count = 0, round, i;
	CK_OBJECT_HANDLE key;
	CK_SESSION_HANDLE s;
	pid_t killer;

	(void)state;
	if (skip_with_given_device())
		skip();
	s = user_session();
	OK(p->C_CreateObject(s, template, COUNT(template), &key));
	for (round = 0; round < 6; round++) {
		/* However slow the machine is, some come in each life of the firmware. */
		for (i = 0; i < 4 && count < COUNT(seen); i++)
			assert_true((seen[count++] = one_time_password(s, key)) != 0);
		killer = kill_soon(round);
		while (count < COUNT(seen) && (one = one_time_password(s, key)))
			seen[count++] = one;
		assert_int_equal(waitpid(killer, NULL, 0), killer);
		s = session_after_death();
		assert_int_equal(find(s, &template[6], 1, &key, 1), 1);
	}
	assert_true(count < COUNT(seen));
	for (i = 0; i < count; i++)
		for (round = i + 1; round < count; round++)
			assert_true(seen[i] != seen[round]);
	OK(p->C_DestroyObject(s, key));
}

/* A masked key that was destroyed stays so, at whatever instant its device is killed. */
static void killed_while_revoking(void **state)
{
	CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ULONG size = 32, length, round;
	CK_ATTRIBUTE template[] = { A(CKA_VALUE_LEN, size), YES(CKA_ENCRYPT), YES(CKA_PRIVATE) };
	CK_HSM_FUNCTION_LIST *v;
	CK_INTERFACE *interface;
	CK_OBJECT_HANDLE key;
	CK_SESSION_HANDLE s;
	CK_BYTE masked[2048];
	pid_t killer;
	CK_RV rv;

	(void)state;
	if (skip_with_given_device())
		skip();
	OK(p->C_GetInterface(TEXT(CK_HSM_INTERFACE), NULL, &interface, 0));
	v = interface->pFunctionList;
	s = user_session();
	for (round = 0; round < 6; round++) {
		OK(p->C_GenerateKey(s, &mechanism, template, COUNT(template), &key));
		length = sizeof(masked);
		OK(v->C_HsmMaskKey(s, key, masked, &length));
		killer = kill_soon((unsigned int)round);
		usleep(round * 7919 % 40000);
		rv = v->C_HsmRevokeKey(s, masked, length);
		assert_int_equal(waitpid(killer, NULL, 0), killer);
		/* Answered with an error it may have happened or not. */
		p->C_OpenSession(slot, RW, NULL, NULL, &s);
		s = session_after_death();
		if (rv != CKR_OK)
			rv = v->C_HsmRevokeKey(s, masked, length);
		assert_true(rv == CKR_OK || rv == CKR_WRAPPED_KEY_INVALID);
		RV(v->C_HsmUnmaskKey(s, masked, length, &key), CKR_WRAPPED_KEY_INVALID);
	}
}

#define TEST(f) cmocka_unit_test_teardown(f, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(firmware_dies),
		TEST(everything_dies),
		TEST(dies_between_calls),
		TEST(killed_with_a_limited_key),
		TEST(killed_with_one_time_passwords),
		TEST(killed_while_revoking),
	};

	return cmocka_run_group_tests(tests, setup_token, teardown);
}
