// SPDX-License-Identifier: Apache-2.0
/*
 * Shared memory is hostile to both sides: a thread flips bits in the pages that libhsm and the device share, or the
 * pages are truncated, while commands run. Every answer is right or an error, a wrong one never comes under a
 * valid tag, and a neighbour with a connection of its own to the same firmware notices nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
/* For the place of everything in the shared pages. */
#include "../../libhsm/vfio_user.h"
#include "fixture.h"

#define SIZES	     3
#define LARGEST	     4096
#define TAG	     16
#define THREADS	     2
#define GOOD_WANTED  1000 /* right answers to have seen, and */
#define BAD_WANTED   10 /* refused ones, before an attack has shown anything */
#define RINGS_WANTED 2 /* likewise, each of which costs a reset */
#define ROUNDS_MAX   200000
#define TRUNCATIONS  8

/* What is computed, and the answers, had while nobody disturbed. */
static const CK_ULONG sizes[SIZES] = { 32, 900, LARGEST };
static CK_BYTE plain[LARGEST], iv[12] = "fixed nonce";
static CK_BYTE sealed[SIZES][LARGEST + TAG], signature[256];

/* Between the processes of this test */
static struct {
	_Atomic unsigned long rounds; /* the neighbour's */
	atomic_bool stop;
} *common;
static pid_t neighbour;

/* ---- the shared memory ---- */

/*
 * libhsm seals its memory against truncation. A client that does not do so is had by a filter that lets
 * the kernel say it was done.
 */
static bool leave_unsealed(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fcntl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, F_ADD_SEALS, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { .len = COUNT(code), .filter = code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/* The descriptor of the memory that the module shares with the device, or -1 */
static int shared_descriptor(void)
{
	for (int fd = 3; fd < 1024; fd++) {
		char link[64], name[64];
		ssize_t length;

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		length = readlink(link, name, sizeof(name) - 1);
		if (length <= 0)
			continue;
		name[length] = '\0';
		if (!strncmp(name, "/memfd:hsm-rings", 16))
			return fd;
	}
	return -1;
}

/* ---- work with known answers ---- */

struct work {
	CK_SESSION_HANDLE session; /* 0: none */
	CK_OBJECT_HANDLE aes, rsa;
	unsigned int step;
};

static CK_RV find_one(CK_SESSION_HANDLE s, CK_OBJECT_CLASS class, CK_OBJECT_HANDLE *object)
{
	CK_ATTRIBUTE attributes[] = { STRING(CKA_LABEL, "shared"), A(CKA_CLASS, class) };
	CK_ULONG count = 0;
	CK_RV rv = p->C_FindObjectsInit(s, attributes, COUNT(attributes));

	if (rv == CKR_OK)
		rv = p->C_FindObjects(s, object, 1, &count);
	if (rv == CKR_OK)
		rv = p->C_FindObjectsFinal(s);
	if (rv == CKR_OK && count != 1)
		rv = CKR_USER_NOT_LOGGED_IN;
	return rv;
}

static CK_RV work_open(struct work *work)
{
	CK_RV rv = p->C_OpenSession(slot, RW, NULL, NULL, &work->session);

	if (rv != CKR_OK) {
		work->session = 0;
		return rv;
	}
	rv = p->C_Login(work->session, CKU_USER, PIN(USER_PIN));
	if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN)
		rv = find_one(work->session, CKO_SECRET_KEY, &work->aes);
	if (rv == CKR_OK)
		rv = find_one(work->session, CKO_PRIVATE_KEY, &work->rsa);
	return rv;
}

/* A session in which something went wrong may have an operation half done. */
static void work_close(struct work *work)
{
	if (work->session)
		p->C_CloseSession(work->session);
	work->session = 0;
}

/* CKR_GENERAL_ERROR: the answer is wrong. No call of the module returns that by itself. */
#define WRONG CKR_GENERAL_ERROR

static CK_RV work_sign(const struct work *work)
{
	CK_MECHANISM mechanism = { CKM_RSA_PKCS, NULL, 0 };
	CK_BYTE out[sizeof(signature)];
	CK_ULONG length = sizeof(out);
	CK_RV rv = p->C_SignInit(work->session, &mechanism, work->rsa);

	if (rv == CKR_OK)
		rv = p->C_Sign(work->session, plain, 32, out, &length);
	if (rv == CKR_OK && (length != sizeof(out) || memcmp(out, signature, length) != 0))
		rv = WRONG;
	return rv;
}

static CK_RV work_cipher(const struct work *work, unsigned int size, bool encrypt)
{
	CK_GCM_PARAMS parameters = { iv, sizeof(iv), 96, NULL, 0, TAG * 8 };
	CK_MECHANISM mechanism = { CKM_AES_GCM, &parameters, sizeof(parameters) };
	CK_BYTE *in = encrypt ? plain : sealed[size], *right = encrypt ? sealed[size] : plain;
	CK_ULONG in_length = sizes[size] + (encrypt ? 0 : TAG);
	CK_ULONG right_length = sizes[size] + (encrypt ? TAG : 0);
	CK_BYTE out[LARGEST + TAG] = { 0 };
	CK_ULONG length = sizeof(out);
	CK_RV rv;

	rv = (encrypt ? p->C_EncryptInit : p->C_DecryptInit)(work->session, &mechanism, work->aes);
	if (rv == CKR_OK)
		rv = (encrypt ? p->C_Encrypt : p->C_Decrypt)(work->session, in, in_length, out,
							     &length);
	if (rv == CKR_OK && (length != right_length || memcmp(out, right, length) != 0))
		rv = WRONG;
	return rv;
}

static CK_RV work_step(struct work *work)
{
	unsigned int step = work->step++;

	if (step % 32 == 31)
		return work_sign(work);
	return work_cipher(work, step % SIZES, step & 1);
}

/*
 * What a damaged message may lead to: a refusal, a session that is gone, an operation whose beginning or
 * end was lost; a damaged ring entry, which no tag guards, also to an answer that does not fit. Any other code
 * says that the device took damaged bytes for a command.
 */
static bool is_refusal(CK_RV rv)
{
	switch (rv) {
	case CKR_DATA_LEN_RANGE: /* out_len was less */
	case CKR_DEVICE_ERROR:
	case CKR_DEVICE_MEMORY:
	case CKR_DEVICE_REMOVED:
	case CKR_FUNCTION_CANCELED:
	case CKR_SESSION_HANDLE_INVALID:
	case CKR_SESSION_COUNT:
	case CKR_USER_NOT_LOGGED_IN:
	case CKR_OPERATION_ACTIVE:
	case CKR_OPERATION_NOT_INITIALIZED:
	case CKR_TOKEN_NOT_PRESENT:
		return true;
	default:
		return false;
	}
}

/* ---- the neighbour ---- */

/* Its session lives as long as the firmware does, so it also tells that the firmware was never replaced. */
static int neighbour_run(void)
{
	struct work work = { 0 };
	CK_RV rv = p->C_Initialize(NULL);

	if (rv == CKR_OK)
		rv = work_open(&work);
	while (rv == CKR_OK && !atomic_load(&common->stop)) {
		rv = work_step(&work);
		atomic_fetch_add(&common->rounds, 1);
	}
	if (rv != CKR_OK)
		fprintf(stderr, "neighbour: 0x%lx\n", rv);
	p->C_Finalize(NULL);
	return rv != CKR_OK;
}

static void neighbour_goes_on(void)
{
	unsigned long before = atomic_load(&common->rounds);

	while (atomic_load(&common->rounds) < before + 2 * SIZES) {
		assert_int_equal(waitpid(neighbour, NULL, WNOHANG), 0);
		sched_yield();
	}
}

/* ---- the attacker ---- */

struct attack {
	pthread_t thread;
	atomic_bool stop;
	uint8_t *base;
	size_t size;
	uint32_t tail[QUEUES_MAX]; /* of each submission queue when it was last looked at */
	unsigned int queue; /* whose tail has moved since */
	size_t (*place)(const struct attack *attack, uint64_t random);
	unsigned int hold,
		pause; /* how often others get the processor while a bit is flipped, and after that */
};

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static const volatile struct ihsm_shadow_host *shadow_host(const struct attack *attack,
							   unsigned int queue)
{
	return (const volatile struct ihsm_shadow_host *)(attack->base + SHARED_SHADOW_HOST) + 1 +
	       queue;
}

/* A session's commands go by one queue, and each session's by another: the attack goes where the commands are. */
static void look_at_queue(struct attack *attack, unsigned int queue)
{
	uint32_t tail = shadow_host(attack, queue)->sq_tail;

	if (tail != attack->tail[queue])
		attack->queue = queue;
	attack->tail[queue] = tail;
}

/* The request or the answer in the slot that is next in use */
static size_t place_message(const struct attack *attack, uint64_t random)
{
	unsigned int answer = random >> 8 & 1;

	return slot_offset(attack->queue, 0) + answer * SLOT_ROOM +
	       (random >> 16) % (sizes[random >> 32 & 1] + 100);
}

/* The entries of both rings that are next in use, and the queue's words in the shadow doorbell pages */
static size_t place_ring(const struct attack *attack, uint64_t random)
{
	uint32_t tail = shadow_host(attack, attack->queue)->sq_tail;
	size_t into = random >> 16;

	switch (random % 8) {
	case 0:
		return SHARED_SHADOW_HOST + (1 + attack->queue) * sizeof(struct ihsm_shadow_host) +
		       into % sizeof(struct ihsm_shadow_host);
	case 1:
		return SHARED_SHADOW_DEVICE +
		       (1 + attack->queue) * sizeof(struct ihsm_shadow_device) +
		       into % sizeof(struct ihsm_shadow_device);
	case 2:
	case 3:
	case 4:
		return queue_offset(attack->queue) + QUEUE_SQ + tail % SQ_ENTRIES * IHSM_SQE_SIZE +
		       into % IHSM_SQE_SIZE;
	default:
		/* Not the phase: a completion that is never seen only tests the patience of whoever waits. */
		return queue_offset(attack->queue) + QUEUE_CQ +
		       (tail - (random >> 8 & 1)) % CQ_ENTRIES * IHSM_CQE_SIZE +
		       into % offsetof(struct ihsm_cqe, status);
	}
}

static void yield_times(unsigned int count)
{
	while (count--)
		sched_yield();
}

static void *flip(void *argument)
{
	struct attack *attack = argument;
	uint64_t random = 88172645463325252ULL;

	for (unsigned int n = 0; !atomic_load_explicit(&attack->stop, memory_order_relaxed); n++) {
		volatile uint8_t *victim;
		uint8_t bit;

		look_at_queue(attack, n % QUEUES_MAX);
		victim = attack->base + attack->place(attack, next_random(&random));
		bit = (uint8_t)(1U << (random >> 60 & 7));
		*victim ^= bit;
		for (unsigned int wait = random >> 40 & 63; wait; wait--)
			__asm__ volatile("" ::: "memory");
		yield_times(attack->hold);
		*victim ^= bit;
		yield_times(attack->pause);
	}
	return NULL;
}

static void attack_start(struct attack *attack)
{
	struct stat info;
	int fd = shared_descriptor();

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &info), 0);
	attack->size = (size_t)info.st_size;
	/* A mapping of its own: it stays when the module gives up the other. */
	attack->base = mmap(NULL, attack->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(attack->base, MAP_FAILED);
	atomic_store(&attack->stop, false);
	assert_int_equal(pthread_create(&attack->thread, NULL, flip, attack), 0);
}

static void attack_stop(struct attack *attack)
{
	atomic_store(&attack->stop, true);
	assert_int_equal(pthread_join(attack->thread, NULL), 0);
	munmap(attack->base, attack->size);
}

/* ---- its victims ---- */

struct tally {
	_Atomic unsigned long good, bad, rounds;
	unsigned long bad_wanted;
	_Atomic CK_RV wrong; /* the first answer that must not be */
};

static bool tally_enough(struct tally *tally)
{
	return (tally->good >= GOOD_WANTED && tally->bad >= tally->bad_wanted) ||
	       tally->wrong != CKR_OK || tally->rounds >= ROUNDS_MAX;
}

static CK_RV tally_step(struct tally *tally, struct work *work)
{
	CK_RV rv = work->session ? CKR_OK : work_open(work);

	if (rv == CKR_OK)
		rv = work_step(work);
	tally->rounds++;
	if (rv == CKR_OK) {
		tally->good++;
		return rv;
	}
	tally->bad++;
	if (!is_refusal(rv) && tally->wrong == CKR_OK)
		tally->wrong = rv;
	work_close(work);
	return rv;
}

static void *victim(void *argument)
{
	struct tally *tally = argument;
	struct work work = { 0 };

	while (!tally_enough(tally))
		tally_step(tally, &work);
	work_close(&work);
	return NULL;
}

static void tally_check(struct tally *tally)
{
	print_message("%lu right answers, %lu refusals\n", tally->good, tally->bad);
	assert_int_equal(tally->wrong, CKR_OK);
	assert_true(tally->good >= GOOD_WANTED);
	assert_true(tally->bad >= tally->bad_wanted);
}

/* Nothing is left of the attack: a new session works at once. */
static void works_again(void)
{
	struct work work = { 0 };

	OK(work_open(&work));
	for (unsigned int i = 0; i < 64; i++)
		OK(work_step(&work));
	work_close(&work);
}

/* ---- tests ---- */

static void flipped_messages(void **state)
{
	struct attack attack = { .place = place_message };
	struct tally tally = { .bad_wanted = BAD_WANTED };
	pthread_t threads[THREADS];
	unsigned int i;

	(void)state;
	OK(p->C_Initialize(NULL));
	works_again();
	attack_start(&attack);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, victim, &tally), 0);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	attack_stop(&attack);
	tally_check(&tally);
	neighbour_goes_on();
	works_again();
	OK(p->C_Finalize(NULL));
}

/* A ring that holds nonsense takes the connection down; the module connects again, or after C_Initialize. */
static void flipped_rings(void **state)
{
	struct attack attack = { .place = place_ring, .hold = 8, .pause = 2 };
	struct tally tally = { .bad_wanted = RINGS_WANTED };
	struct work work = { 0 };

	(void)state;
	OK(p->C_Initialize(NULL));
	works_again();
	attack_start(&attack);
	while (!tally_enough(&tally)) {
		if (tally_step(&tally, &work) != CKR_DEVICE_REMOVED)
			continue;
		attack_stop(&attack);
		OK(p->C_Finalize(NULL));
		OK(p->C_Initialize(NULL));
		work.session = 0;
		attack_start(&attack);
	}
	attack_stop(&attack);
	work_close(&work);
	tally_check(&tally);
	neighbour_goes_on();
	OK(p->C_Finalize(NULL));
	OK(p->C_Initialize(NULL));
	works_again();
	OK(p->C_Finalize(NULL));
}

/* Whoever truncates its own memory may die of it. */
static void on_sigbus(int number)
{
	(void)number;
	_exit(0);
}

static int truncate_run(off_t size)
{
	struct tally tally = { .bad_wanted = ROUNDS_MAX };
	pthread_t threads[THREADS];
	int fd;

	signal(SIGBUS, on_sigbus);
	if (!leave_unsealed() || p->C_Initialize(NULL) != CKR_OK)
		return 2;
	for (unsigned int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, victim, &tally))
			return 1;
	while (tally.good < 100 && !tally.wrong)
		sched_yield();
	fd = shared_descriptor();
	if (tally.wrong || fd < 0 || ftruncate(fd, size)) {
		fprintf(stderr, "truncated: 0x%lx, descriptor %d, %s\n", tally.wrong, fd,
			strerror(errno));
		return 3;
	}
	/* The threads find out: by a signal, which ends the process, or by errors. */
	while (!tally.bad && !tally.wrong)
		sched_yield();
	if (tally.wrong)
		fprintf(stderr, "truncated: 0x%lx\n", tally.wrong);
	return tally.wrong ? 4 : 0;
}

static void truncated(void **state)
{
	/* Everything, all but the rings, and all but the first queue's slots for requests */
	static const size_t kept[] = { 0, SHARED_QUEUES + QUEUE_SLOTS,
				       SHARED_QUEUES + QUEUE_SLOTS + SLOT_ROOM };

	(void)state;
	for (unsigned int i = 0; i < TRUNCATIONS; i++) {
		pid_t pid = fork();
		int status;

		assert_true(pid >= 0);
		if (!pid)
			_exit(truncate_run((off_t)kept[i % COUNT(kept)]));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		neighbour_goes_on();
	}
	OK(p->C_Initialize(NULL));
	works_again();
	OK(p->C_Finalize(NULL));
}

static void neighbour_noticed_nothing(void **state)
{
	int status;

	(void)state;
	neighbour_goes_on();
	atomic_store(&common->stop, true);
	assert_int_equal(waitpid(neighbour, &status, 0), neighbour);
	neighbour = 0;
	assert_int_equal(status, 0);
}

/* ---- setting up ---- */

static void make_keys(CK_SESSION_HANDLE s)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_BYTE value[32] = "a key that everybody may know..";
	CK_ATTRIBUTE attributes[] = {
		A(CKA_CLASS, class),
		A(CKA_KEY_TYPE, type),
		A(CKA_VALUE, value),
		YES(CKA_TOKEN),
		YES(CKA_ENCRYPT),
		YES(CKA_DECRYPT),
		STRING(CKA_LABEL, "shared"),
	};
	CK_OBJECT_HANDLE key;

	OK(p->C_CreateObject(s, attributes, COUNT(attributes), &key));
	rsa_pair(s, 2048, CK_TRUE, "shared");
}

/* The module's own answers, checked against one another: what was encrypted decrypts, the signature verifies. */
static void make_answers(struct work *work)
{
	CK_GCM_PARAMS parameters = { iv, sizeof(iv), 96, NULL, 0, TAG * 8 };
	CK_MECHANISM gcm = { CKM_AES_GCM, &parameters, sizeof(parameters) };
	CK_MECHANISM rsa = { CKM_RSA_PKCS, NULL, 0 };
	CK_OBJECT_HANDLE public_key;
	CK_ULONG length;

	for (unsigned int i = 0; i < LARGEST; i++)
		plain[i] = (CK_BYTE)(i * 31 + i / 256);
	for (unsigned int i = 0; i < SIZES; i++) {
		length = sizeof(sealed[i]);
		OK(p->C_EncryptInit(work->session, &gcm, work->aes));
		OK(p->C_Encrypt(work->session, plain, sizes[i], sealed[i], &length));
		assert_int_equal(length, sizes[i] + TAG);
		OK(work_cipher(work, i, false));
	}
	length = sizeof(signature);
	OK(p->C_SignInit(work->session, &rsa, work->rsa));
	OK(p->C_Sign(work->session, plain, 32, signature, &length));
	OK(find_one(work->session, CKO_PUBLIC_KEY, &public_key));
	OK(p->C_VerifyInit(work->session, &rsa, public_key));
	OK(p->C_Verify(work->session, plain, 32, signature, length));
}

static int setup(void **state)
{
	struct work work = { 0 };

	setup_token(state);
	if (shared_descriptor() < 0) {
		print_message("the device shares no memory with this process\n");
		return -1;
	}
	work.session = user_session();
	make_keys(work.session);
	work_close(&work);
	OK(work_open(&work));
	make_answers(&work);
	OK(p->C_Finalize(NULL));
	common = mmap(NULL, sizeof(*common), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	assert_ptr_not_equal(common, MAP_FAILED);
	neighbour = fork();
	assert_true(neighbour >= 0);
	if (!neighbour)
		_exit(neighbour_run());
	return 0;
}

static int end(void **state)
{
	(void)state;
	if (neighbour > 0)
		kill(neighbour, SIGKILL);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flipped_messages),
		cmocka_unit_test(flipped_rings),
		cmocka_unit_test(truncated),
		cmocka_unit_test(neighbour_noticed_nothing),
	};

	return cmocka_run_group_tests(tests, setup, end);
}
