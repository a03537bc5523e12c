/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Life of the module: C_Initialize, C_Finalize, what happens over fork, and C_GetInfo. The one
 * piece of process-wide state that PKCS#11 asks for is here; it is reached by the functions of
 * internal.h alone.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "internal.h"

/*
 * The life word is in a page that a child of fork finds zeroed: a child sees the module as not
 * initialized without a handler in fork and without a system call each time it looks. Where the
 * kernel has no such pages, the pid decides.
 */
struct life {
	_Atomic uint32_t running;
	_Atomic uint32_t finalizing;
};

static struct life no_life;
static struct life *_Atomic life = &no_life;
static _Atomic pid_t life_pid;  /* 0: the page is wiped by fork */

static pthread_mutex_t init_lock =
	PTHREAD_MUTEX_INITIALIZER; /* C_Initialize and C_Finalize, one at a time */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t left = PTHREAD_COND_INITIALIZER;
static _Atomic unsigned int callers;
static bool initialized;	 /* here or in the parent: what lies about is from then */

static struct life *life_word(void)
{
	return atomic_load_explicit(&life, memory_order_relaxed);
}

bool module_running(void)
{
	pid_t pid = atomic_load_explicit(&life_pid, memory_order_relaxed);

	if (!atomic_load(&life_word()->running))
		return false;
	return !pid || pid == getpid();
}

CK_RV module_enter(void)
{
	atomic_fetch_add(&callers, 1);
	if (module_running())
		return CKR_OK;
	module_leave();
	return CKR_CRYPTOKI_NOT_INITIALIZED;
}

void module_leave(void)
{
	/*
	 * In a child of fork the lock may be held by a thread that is not there: only a
	 * C_Finalize that waits is told.
	 */
	if (atomic_fetch_sub(&callers, 1) == 1 && atomic_load(&life_word()->finalizing))
		module_left();
}

void module_left(void)
{
	pthread_mutex_lock(&lock);
	pthread_cond_broadcast(&left);
	pthread_mutex_unlock(&lock);
}

void module_lock(void)
{
	pthread_mutex_lock(&lock);
}

void module_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

/* The page stays for the life of the process; the allocation is made once. */
static CK_RV life_begin(void)
{
	struct life *page = atomic_load(&life);

	if (page == &no_life) {
		page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (page == MAP_FAILED)
			return CKR_HOST_MEMORY;
		if (madvise(page, sizeof(*page), MADV_WIPEONFORK) < 0)
			atomic_store(&life_pid, getpid());
		atomic_store(&life, page);
	}
	if (atomic_load(&life_pid))
		atomic_store(&life_pid, getpid());
	atomic_store(&page->running, 1);
	return CKR_OK;
}

/*
 * A child that initializes anew: threads of the parent may have held any lock and any count at
 * the fork, and do not exist here. What the parent had is dropped as memory only.
 */
static void drop_parents(void)
{
	pthread_mutex_init(&lock, NULL);
	pthread_cond_init(&left, NULL);
	atomic_store(&callers, 0);
	sessions_forget();
	events_end(true);
	slots_free(true);
	initialized = false;
}

static CK_RV check_arguments(const CK_C_INITIALIZE_ARGS *args)
{
	unsigned int functions;

	if (!args)
		return CKR_OK;
	if (args->pReserved)
		return CKR_ARGUMENTS_BAD;
	/*
	 * All four or none. Locks of the system do for every kind of thread there is on Linux, so
	 * callbacks are not called.
	 */
	functions = !!args->CreateMutex + !!args->DestroyMutex + !!args->LockMutex +
		    !!args->UnlockMutex;
	if (functions && functions != 4)
		return CKR_ARGUMENTS_BAD;
	return CKR_OK;
}

/*
 * init_lock itself may have been held by another thread at a fork. A child can tell, as its life
 * page is wiped while `initialized` is set, and only its one thread is there when it comes here
 * first.
 */
static void init_lock_take(void)
{
	static _Atomic pid_t owner;
	pid_t pid = getpid();
	pid_t before = atomic_load(&owner);

	if (before != pid && atomic_compare_exchange_strong(&owner, &before, pid) && before)
		pthread_mutex_init(&init_lock, NULL);
	pthread_mutex_lock(&init_lock);
}

MODULE_API CK_RV C_Initialize(void *init_args)
{
	CK_RV rv = check_arguments(init_args);

	if (rv != CKR_OK)
		return rv;
	init_lock_take();
	if (module_running()) {
		rv = CKR_CRYPTOKI_ALREADY_INITIALIZED;
		goto out;
	}
	if (initialized)
		drop_parents();
	rv = life_begin();
	initialized = rv == CKR_OK;
out:
	pthread_mutex_unlock(&init_lock);
	return rv;
}

/* First those who may still open a session, then the sessions. */
static void wait_until_left(void)
{
	pthread_mutex_lock(&lock);
	while (atomic_load(&callers))
		pthread_cond_wait(&left, &lock);
	pthread_mutex_unlock(&lock);
	sessions_close(NULL);
	pthread_mutex_lock(&lock);
	while (sessions_open())
		pthread_cond_wait(&left, &lock);
	pthread_mutex_unlock(&lock);
}

MODULE_API CK_RV C_Finalize(void *reserved)
{
	CK_RV rv = CKR_CRYPTOKI_NOT_INITIALIZED;

	if (reserved)
		return CKR_ARGUMENTS_BAD;
	init_lock_take();
	if (!module_running())
		goto out;
	/*
	 * From here on every call ends with an error; those under way are waited for, as they use
	 * what is freed.
	 */
	atomic_store(&life_word()->finalizing, 1);
	atomic_store(&life_word()->running, 0);
	events_wake();
	wait_until_left();
	events_end(false);
	atomic_store(&life_word()->finalizing, 0);
	slots_free(false);
	initialized = false;
	rv = CKR_OK;
out:
	pthread_mutex_unlock(&init_lock);
	return rv;
}

void pad_text(unsigned char *to, size_t size, const char *text)
{
	memset(to, ' ', size);
	memcpy(to, text, strnlen(text, size));
}

/* "1.2.3" -> 1.2; what cannot be read is 0 */
static CK_VERSION library_version(void)
{
	CK_VERSION version = { 0, 0 };
	const char *p = HSM_VERSION;

	for (; *p >= '0' && *p <= '9'; p++)
		version.major = version.major * 10 + (*p - '0');
	for (p += *p == '.'; *p >= '0' && *p <= '9'; p++)
		version.minor = version.minor * 10 + (*p - '0');
	return version;
}

MODULE_API CK_RV C_GetInfo(CK_INFO *info)
{
	CK_RV rv = module_enter();

	if (rv != CKR_OK)
		return rv;
	if (!info) {
		module_leave();
		return CKR_ARGUMENTS_BAD;
	}
	memset(info, 0, sizeof(*info));
	info->cryptokiVersion.major = 3;
	info->cryptokiVersion.minor = 2;
	pad_text(info->manufacturerID, sizeof(info->manufacturerID), "Integrated HSM");
	pad_text(info->libraryDescription, sizeof(info->libraryDescription),
		 "PKCS#11 module of the HSM");
	info->libraryVersion = library_version();
	module_leave();
	return CKR_OK;
}
