// SPDX-License-Identifier: Apache-2.0
/*
 * The sandbox: from here on the process has its descriptors, memory and threads, and nothing else. No
 * file can be opened, no socket made, no program executed, no memory made executable.
 */
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "transport.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif

/* Their run times open files and write reports at exit: there the filter only logs. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(HSM_COVERAGE) || \
	defined(HSM_SANITIZED) || __has_feature(address_sanitizer) ||                         \
	__has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANDBOX_REFUSE	 SCMP_ACT_LOG
#define SANDBOX_LOG_ONLY 1
#else
#define SANDBOX_REFUSE	 SCMP_ACT_TRAP
#define SANDBOX_LOG_ONLY 0
#endif

/* Allowed whatever their arguments. */
static const int plain[] = {
	SCMP_SYS(brk),
	SCMP_SYS(clock_getres),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(close),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(fcntl),
	SCMP_SYS(fstat),
	SCMP_SYS(futex),
	SCMP_SYS(getpid),
	SCMP_SYS(getrandom),
	SCMP_SYS(getrusage),
	SCMP_SYS(gettid),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(lseek),
	SCMP_SYS(madvise),
	SCMP_SYS(membarrier),
	SCMP_SYS(mlock),
	SCMP_SYS(mremap),
	SCMP_SYS(munlock),
	SCMP_SYS(munmap),
	SCMP_SYS(nanosleep),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rseq),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(sysinfo), /* qsort() of some C libraries */
	SCMP_SYS(write),
	SCMP_SYS(writev),
};

/**
 * sandbox_warm_up - have libraries do now what needs files, or takes long the first time
 *
 * Return: 0 or a negative errno.
 */
int sandbox_warm_up(void)
{
	uint8_t random[16];
	SSL_CTX *tls;

	/* Otherwise malloc() counts the processors in /sys when the threads become many. */
	mallopt(M_ARENA_MAX, 8);
	/* Before it shrinks a thread's heap, glibc reads /proc/sys/vm/overcommit_memory: none shrinks. */
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	if (!OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_NO_LOAD_CONFIG,
				 NULL) ||
	    RAND_bytes(random, sizeof(random)) != 1 || RAND_priv_bytes(random, sizeof(random)) != 1)
		return -EIO;
	tls = SSL_CTX_new(TLS_method());
	if (!tls)
		return -EIO;
	SSL_CTX_free(tls);
	OPENSSL_cleanse(random, sizeof(random));
	return 0;
}

#if !SANDBOX_LOG_ONLY
static char *put_number(char *at, unsigned int number)
{
	if (number >= 10)
		at = put_number(at, number / 10);
	*at = (char)('0' + number % 10);
	return at + 1;
}

/* Only calls that a signal handler may make. */
static void on_violation(int signal_number, siginfo_t *info, void *context)
{
	static const char head[] = "hsm-firmware: system call ";
	static const char tail[] = " is not allowed in the sandbox, the process ends\n";
	char line[sizeof(head) + sizeof(tail) + 16];
	char *at = line;
	ssize_t written;

	(void)signal_number;
	(void)context;
	memcpy(at, head, sizeof(head) - 1);
	at = put_number(at + sizeof(head) - 1, (unsigned int)info->si_syscall);
	memcpy(at, tail, sizeof(tail) - 1);
	written = write(STDERR_FILENO, line, (size_t)(at - line) + sizeof(tail) - 1);
	(void)written;
	_exit(128 + SIGSYS);
}

static int catch_violations(void)
{
	struct sigaction action = { .sa_sigaction = on_violation, .sa_flags = SA_SIGINFO };

	sigemptyset(&action.sa_mask);
	return sigaction(SIGSYS, &action, NULL) ? -errno : 0;
}
#else
static int catch_violations(void)
{
	return 0;
}
#endif

static int add_plain(scmp_filter_ctx filter)
{
	int error = 0;

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]) && !error; i++)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, plain[i], 0);
	return error;
}

/* Memory that is never executable; threads, but no processes. */
static int add_conditional(scmp_filter_ctx filter)
{
	const uint32_t allow = SCMP_ACT_ALLOW;
	int error;

	error = seccomp_rule_add(filter, allow, SCMP_SYS(mmap), 1,
				 SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!error)
		error = seccomp_rule_add(filter, allow, SCMP_SYS(mprotect), 1,
					 SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* Where the calling thread runs, and no other. */
	if (!error)
		error = seccomp_rule_add(filter, allow, SCMP_SYS(sched_setaffinity), 1,
					 SCMP_A0(SCMP_CMP_EQ, 0));
	if (!error)
		error = seccomp_rule_add(filter, allow, SCMP_SYS(clone), 1,
					 SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	/* Its flags are in memory, where no filter can read them. */
	if (!error)
		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	/* fstat() of newer C libraries. */
	if (!error)
		error = seccomp_rule_add(filter, allow, SCMP_SYS(newfstatat), 1,
					 SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH, 0));
	/* abort() */
	if (!error)
		error = seccomp_rule_add(filter, allow, SCMP_SYS(tgkill), 1,
					 SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
	return error;
}

static int enter_filter(void)
{
	scmp_filter_ctx filter = seccomp_init(SANDBOX_REFUSE);
	int error;

	if (!filter)
		return -ENOMEM;
	error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!error)
		error = add_plain(filter);
	if (!error)
		error = add_conditional(filter);
	if (!error)
		error = seccomp_load(filter);
	seccomp_release(filter);
	return error;
}

static int drop_capabilities(void)
{
	bool bounding = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);

	capng_clear(CAPNG_SELECT_BOTH);
	return capng_apply(bounding ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) ? -EPERM : 0;
}

/**
 * sandbox_enter - close the sandbox, for all threads
 *
 * Return: 0 or a negative errno.
 */
int sandbox_enter(void)
{
	const struct rlimit none = { 0, 0 };
	int error = catch_violations();

	if (error)
		return error;
	if (setrlimit(RLIMIT_CORE, &none) || prctl(PR_SET_DUMPABLE, 0) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	error = drop_capabilities();
	return error ? error : enter_filter();
}
