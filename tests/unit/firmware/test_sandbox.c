// SPDX-License-Identifier: Apache-2.0
/*
 * The sandbox, in children that enter it: what must work works, and everything that would reach out ends
 * the process with a line that says why.
 */
#include "transport_harness.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <openssl/rand.h>

#define ALLOWED 0
#define REFUSED (128 + SIGSYS)

static char said[512];

/* What a call that must not return gave; nobody gets to look. */
static volatile int result;
static void *volatile page;

/* Runs @what in a sandboxed child and returns its exit status; its standard error goes to @said. */
static int sandboxed(void (*what)(void))
{
	int ends[2], status;
	size_t used = 0;
	ssize_t got;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (!child) {
		/* cmocka's handlers are not the child's. */
		for (int s = 1; s < 32; s++)
			signal(s, SIG_DFL);
		dup2(ends[1], STDERR_FILENO);
		if (sandbox_warm_up() || sandbox_enter())
			_exit(99);
		what();
		_exit(ALLOWED);
	}
	close(ends[1]);
	while ((got = read(ends[0], said + used, sizeof(said) - 1 - used)) > 0)
		used += (size_t)got;
	said[used] = 0;
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

#ifndef HSM_SANITIZED
static void refuse(void (*what)(void))
{
	assert_int_equal(sandboxed(what), REFUSED);
	assert_non_null(strstr(said, "is not allowed in the sandbox"));
}

static void do_open(void)
{
	result = open("/etc/hostname", O_RDONLY);
}

static void do_create(void)
{
	result = creat("/tmp/hsm-sandbox-test", 0600);
}

static void do_stat(void)
{
	struct stat info;

	if (!stat("/", &info))
		_exit(1);
}

static void do_socket(void)
{
	result = socket(AF_UNIX, SOCK_STREAM, 0);
}

static void do_connect(void)
{
	const struct sockaddr_in address = { .sin_family = AF_INET };

	connect(0, (const struct sockaddr *)&address, sizeof(address));
}

static void do_exec(void)
{
	char *const none[] = { NULL };

	execve("/bin/true", none, none);
}

static void do_fork(void)
{
	if (fork() == 0)
		_exit(0);
}

static void do_map_code(void)
{
	page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void do_make_code(void)
{
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static void do_kill(void)
{
	kill(getppid(), 0);
}

static void do_ptrace(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void test_refused(void **state)
{
	(void)state;
	refuse(do_open);
	refuse(do_create);
	refuse(do_stat);
	refuse(do_socket);
	refuse(do_connect);
	refuse(do_exec);
	/* Newer C libraries fork with all signals blocked: the kernel ends the process, without a line. */
	assert_int_equal(sandboxed(do_fork), REFUSED);
	refuse(do_map_code);
	refuse(do_make_code);
	refuse(do_kill);
	refuse(do_ptrace);
}
#else
/* With a sanitizer the filter only logs. */
static void test_refused(void **state)
{
	(void)state;
	skip();
}
#endif

static void *some_thread(void *argument)
{
	uint8_t *random = argument;

	RAND_bytes(random, 32);
	return malloc(1 << 20);
}

/* Many pieces, which a thread's own heap grows for, and shrinks when all of them have gone */
static void *heap_thread(void *argument)
{
	static void *pieces[1024];

	(void)argument;
	for (size_t i = 0; i < 1024; i++)
		pieces[i] = malloc(4000);
	for (size_t i = 1024; i-- > 0;)
		free(pieces[i]);
	return NULL;
}

static void do_shrink_heap(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, heap_thread, NULL) || pthread_join(thread, NULL))
		_exit(1);
}

/* Threads, each with its memory and random bytes; descriptors; sizes of files. */
static void do_work(void)
{
	uint8_t random[8][32];
	pthread_t threads[8];
	struct stat info;

	for (int i = 0; i < 8; i++)
		if (pthread_create(&threads[i], NULL, some_thread, random[i]))
			_exit(1);
	for (int i = 0; i < 8; i++)
		if (pthread_join(threads[i], NULL))
			_exit(2);
	if (fstat(STDERR_FILENO, &info) || fcntl(STDERR_FILENO, F_GETFL) < 0)
		_exit(3);
	log_line("fine");
}

static void test_allowed(void **state)
{
	(void)state;
	assert_int_equal(sandboxed(do_shrink_heap), ALLOWED);
	assert_int_equal(sandboxed(do_work), ALLOWED);
	assert_string_equal(said, "hsm-firmware: fine\n");
}

/* abort() must end in its signal, not in the filter. */
static void test_abort(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	if (!child) {
		signal(SIGABRT, SIG_DFL);
		if (sandbox_warm_up() || sandbox_enter())
			_exit(99);
		abort();
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_false(WCOREDUMP(status));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_abort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
