// SPDX-License-Identifier: Apache-2.0
/*
 * Threads and processes: parallel work, C_Finalize in the middle of it, fork, two processes on
 * one token, kill -9.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include "fixture.h"

#define THREADS 8
#define ROUNDS	40

static CK_BYTE digest[32] = "what is signed, 32 bytes long..";

static CK_RV sign_and_verify(CK_SESSION_HANDLE s, struct pair pair)
{
	CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
	CK_BYTE signature[64];
	CK_ULONG length = sizeof(signature);
	CK_RV rv;

	rv = p->C_SignInit(s, &mechanism, pair.private_key);
	if (rv == CKR_OK)
		rv = p->C_Sign(s, digest, sizeof(digest), signature, &length);
	if (rv == CKR_OK)
		rv = p->C_VerifyInit(s, &mechanism, pair.public_key);
	if (rv == CKR_OK)
		rv = p->C_Verify(s, digest, sizeof(digest), signature, length);
	return rv;
}

struct worker {
	pthread_t thread;
	struct pair pair;
	_Atomic CK_RV rv;
	_Atomic int rounds;
};

static struct pair found_pair(CK_SESSION_HANDLE s, const char *label)
{
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
	CK_ATTRIBUTE attributes[] = { STRING(CKA_LABEL, label), A(CKA_CLASS, class) };
	struct pair pair = { 0, 0 };

	assert_int_equal(find(s, attributes, 2, &pair.public_key, 1), 1);
	class = CKO_PRIVATE_KEY;
	assert_int_equal(find(s, attributes, 2, &pair.private_key, 1), 1);
	return pair;
}

/* A session of its own, opened and closed again and again */
static void *work(void *argument)
{
	struct worker *worker = argument;
	CK_SESSION_HANDLE s;
	int i;

	for (i = 0; i < ROUNDS && worker->rv == CKR_OK; i++) {
		worker->rv = p->C_OpenSession(slot, RW, NULL, NULL, &s);
		if (worker->rv != CKR_OK)
			break;
		worker->rv = sign_and_verify(s, worker->pair);
		if (worker->rv == CKR_OK)
			worker->rv = p->C_CloseSession(s);
		worker->rounds++;
	}
	return NULL;
}

static void threads_sign(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	struct pair pair = p256_pair(s, CK_TRUE, "threads");
	struct worker workers[THREADS];
	int i;

	(void)state;
	memset(workers, 0, sizeof(workers));
	for (i = 0; i < THREADS; i++) {
		workers[i].pair = pair;
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		RV(workers[i].rv, CKR_OK);
		assert_int_equal(workers[i].rounds, ROUNDS);
	}
}

/*
 * One session for all of them is the application's mistake: answers may be wrong, nothing may
 * break.
 */
static void *misuse(void *argument)
{
	CK_SESSION_HANDLE s = *(CK_SESSION_HANDLE *)argument;
	CK_MECHANISM sha = { CKM_SHA256, NULL, 0 };
	static __thread CK_BYTE data[70000];
	CK_BYTE out[32];
	CK_ULONG n;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		n = sizeof(out);
		p->C_DigestInit(s, &sha);
		p->C_Digest(s, data, sizeof(data), out, &n);
		p->C_GenerateRandom(s, out, sizeof(out));
	}
	return NULL;
}

static void threads_share_a_session(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	pthread_t threads[4];
	CK_BYTE byte;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, misuse, &s), 0);
	for (i = 0; i < COUNT(threads); i++)
		pthread_join(threads[i], NULL);
	OK(p->C_GenerateRandom(s, &byte, 1));
}

static void *until_it_ends(void *argument)
{
	struct worker *worker = argument;
	CK_SESSION_HANDLE s;

	while (worker->rv == CKR_OK) {
		worker->rv = p->C_OpenSession(slot, RO, NULL, NULL, &s);
		if (worker->rv == CKR_OK)
			worker->rv = sign_and_verify(s, worker->pair);
		worker->rounds++;
	}
	return NULL;
}

static bool ended_by_finalize(CK_RV rv)
{
	return rv == CKR_CRYPTOKI_NOT_INITIALIZED || rv == CKR_SESSION_HANDLE_INVALID;
}

/* Each worker is known to be in the middle of it, by its count, when C_Finalize comes. */
static void finalize_in_the_middle(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	struct pair pair = found_pair(s, "threads");
	struct worker workers[4];
	size_t i;

	(void)state;
	memset(workers, 0, sizeof(workers));
	for (i = 0; i < COUNT(workers); i++) {
		workers[i].pair = pair;
		assert_int_equal(
			pthread_create(&workers[i].thread, NULL, until_it_ends, &workers[i]), 0);
	}
	for (i = 0; i < COUNT(workers); i++)
		while (workers[i].rounds < 3 && workers[i].rv == CKR_OK)
			sched_yield();
	OK(p->C_Finalize(NULL));
	for (i = 0; i < COUNT(workers); i++) {
		pthread_join(workers[i].thread, NULL);
		assert_true(ended_by_finalize(workers[i].rv));
	}
	OK(p->C_Initialize(NULL));
	slot = first_slot();
}

/* ---- processes: a child answers by its exit status, 0 or the line that failed ---- */

#define CHECK(condition)                           \
	do {                                       \
		if (!(condition))                  \
			_exit(__LINE__ % 255 + 1); \
	} while (0)

static int child_of(void (*function)(CK_SESSION_HANDLE), CK_SESSION_HANDLE parents)
{
	pid_t pid = fork();
	int status = -1;

	assert_true(pid >= 0);
	if (!pid) {
		function(parents);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static CK_SESSION_HANDLE child_login(void)
{
	CK_SESSION_HANDLE s = 0;
	CK_SLOT_ID ids[16];
	CK_ULONG count = COUNT(ids);

	CHECK(p->C_Initialize(NULL) == CKR_OK);
	CHECK(p->C_GetSlotList(CK_TRUE, ids, &count) == CKR_OK && count >= 1 && ids[0] == slot);
	CHECK(p->C_OpenSession(slot, RW, NULL, NULL, &s) == CKR_OK);
	CHECK(p->C_Login(s, CKU_USER, PIN(USER_PIN)) == CKR_OK);
	return s;
}

static void forked(CK_SESSION_HANDLE parents)
{
	CK_SESSION_HANDLE s;
	CK_ULONG n = 0;
	CK_BYTE byte;

	CHECK(p->C_GenerateRandom(parents, &byte, 1) == CKR_CRYPTOKI_NOT_INITIALIZED);
	CHECK(p->C_GetSlotList(CK_TRUE, NULL, &n) == CKR_CRYPTOKI_NOT_INITIALIZED);
	CHECK(p->C_Finalize(NULL) == CKR_CRYPTOKI_NOT_INITIALIZED);
	s = child_login();
	CHECK(p->C_GenerateRandom(parents, &byte, 1) == CKR_SESSION_HANDLE_INVALID || parents == s);
	CHECK(sign_and_verify(s, found_pair(s, "threads")) == CKR_OK);
	CHECK(p->C_Finalize(NULL) == CKR_OK);
}

static void fork_initializes_anew(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	struct pair pair = found_pair(s, "threads");
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		assert_int_equal(child_of(forked, s), 0);
		OK(sign_and_verify(s, pair));
	}
}

/*
 * Pages with the parent's secrets are wiped in a child, and with them the pointers that they
 * held: a leak checker takes what these pointed to for lost.
 */
int __lsan_is_turned_off(void);
static int is_child;

__attribute__((visibility("default"))) int __lsan_is_turned_off(void)
{
	return is_child;
}

/* A child that never looks at the module must not disturb it by its end. */
static void just_exits(CK_SESSION_HANDLE parents)
{
	(void)parents;
	is_child = 1;
	exit(0);
}

static void fork_and_exit(void **state)
{
	CK_SESSION_HANDLE s = user_session();

	(void)state;
	fflush(NULL);
	assert_int_equal(child_of(just_exits, s), 0);
	OK(sign_and_verify(s, found_pair(s, "threads")));
}

/* A fork while other threads are inside calls: their locks must not be the child's. */
static void fork_among_threads(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	struct worker workers[2];
	size_t i;

	(void)state;
	memset(workers, 0, sizeof(workers));
	for (i = 0; i < COUNT(workers); i++) {
		workers[i].pair = found_pair(s, "threads");
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (i = 0; i < 3; i++)
		assert_int_equal(child_of(forked, s), 0);
	for (i = 0; i < COUNT(workers); i++) {
		pthread_join(workers[i].thread, NULL);
		RV(workers[i].rv, CKR_OK);
	}
}

/*
 * What another process stores is there at once, what it destroys is gone, and its login is its
 * own.
 */
static void makes_and_destroys(CK_SESSION_HANDLE parents)
{
	CK_SESSION_HANDLE s = child_login();
	struct pair gone = found_pair(s, "goes");

	(void)parents;
	p256_pair(s, CK_TRUE, "from the other");
	CHECK(p->C_DestroyObject(s, gone.private_key) == CKR_OK);
	CHECK(p->C_DestroyObject(s, gone.public_key) == CKR_OK);
	CHECK(p->C_Logout(s) == CKR_OK);
	CHECK(p->C_Finalize(NULL) == CKR_OK);
}

static void two_processes(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	struct pair gone = p256_pair(s, CK_TRUE, "goes");
	CK_BYTE id[8];
	CK_ATTRIBUTE attribute = { CKA_ID, id, sizeof(id) };

	(void)state;
	assert_int_equal(child_of(makes_and_destroys, s), 0);
	assert_int_equal(find_label(s, "from the other"), 2);
	assert_int_equal(find_label(s, "goes"), 0);
	RV(p->C_GetAttributeValue(s, gone.public_key, &attribute, 1), CKR_OBJECT_HANDLE_INVALID);
	OK(sign_and_verify(s, found_pair(s, "from the other")));
}

/*
 * A client that is killed leaves no session object and no session behind, and what it was
 * answered for is there.
 */
static void killed(CK_SESSION_HANDLE parents)
{
	CK_SESSION_HANDLE s = child_login();

	(void)parents;
	p256_pair(s, CK_TRUE, "of the dead");
	p256_pair(s, CK_FALSE, "session of the dead");
	kill(getpid(), SIGKILL);
}

static void kill_a_client(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	int status = child_of(killed, s);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(find_label(s, "of the dead"), 2);
	assert_int_equal(find_label(s, "session of the dead"), 0);
	OK(sign_and_verify(s, found_pair(s, "of the dead")));
}

#define TEST(f) cmocka_unit_test_teardown(f, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(threads_sign),	      TEST(threads_share_a_session),
		TEST(finalize_in_the_middle), TEST(fork_initializes_anew),
		TEST(fork_and_exit),	      TEST(fork_among_threads),
		TEST(two_processes),	      TEST(kill_a_client),
	};

	return cmocka_run_group_tests(tests, setup_token, teardown);
}
