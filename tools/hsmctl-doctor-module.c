// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl doctor on the PKCS#11 module, as an application meets it: found, loaded, started, its tokens, mechanisms,
 * a session, and if asked a signature with a key of the session's own. In a child: a module that crashes or hangs
 * is a finding, and not the doctor's end.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <hsm-paths.h>
#include <hsm/pkcs11.h>
#include "hsmctl-doctor.h"

#define CHILD_SECONDS 180
#define SLOTS_MAX     256

/* In the child only: what one check leaves to the next */
static struct {
	CK_FUNCTION_LIST *p11;
	CK_SLOT_ID slots[SLOTS_MAX];
	CK_ULONG count;
	CK_SLOT_ID slot; /* the first with an initialized token */
	bool found;
	CK_SESSION_HANDLE session;
} child;

const char *doctor_module_path(void)
{
	const char *named = secure_getenv("HSM_PKCS11_MODULE");

	return named && *named ? named : HSM_MODULEDIR "/hsm-pkcs11.so";
}

int doctor_module_file(struct doctor *doctor, struct doctor_finding *finding)
{
	const char *path = doctor_module_path();

	(void)doctor;
	if (!access(path, R_OK))
		return doctor_say(finding, DOCTOR_OK, "%.250s", path);
	return doctor_say(finding, DOCTOR_FAILED, "%.200s: %s", path, strerror(errno));
}

/* What a module of version 3 offers besides */
static CK_VERSION newest(void *module)
{
	CK_VERSION version = child.p11->version;
	CK_INTERFACE *interface = NULL;
	CK_C_GetInterface get;
	void *symbol = dlsym(module, "C_GetInterface");

	memcpy(&get, &symbol, sizeof(get));
	if (symbol && get(NULL, NULL, &interface, 0) == CKR_OK && interface &&
	    interface->pFunctionList)
		memcpy(&version, interface->pFunctionList, sizeof(version));
	return version;
}

int doctor_module_load(struct doctor *doctor, struct doctor_finding *finding)
{
	void *module = dlopen(doctor_module_path(), RTLD_NOW | RTLD_LOCAL);
	CK_C_GetFunctionList get;
	CK_VERSION version;
	void *symbol;

	(void)doctor;
	if (!module)
		return doctor_say(finding, DOCTOR_FAILED, "%s", dlerror() ?: "it cannot be loaded");
	symbol = dlsym(module, "C_GetFunctionList");
	memcpy(&get, &symbol, sizeof(get));
	if (!symbol || get(&child.p11) != CKR_OK || !child.p11)
		/* cppcheck-suppress resourceLeak ; it stays loaded until this process ends */
		return doctor_say(finding, DOCTOR_FAILED, "%.200s is no PKCS#11 module",
				  doctor_module_path());
	version = newest(module);
	return doctor_say(finding, DOCTOR_OK, "PKCS#11 %u.%u", version.major, version.minor);
}

static int refused(struct doctor_finding *finding, const char *call, CK_RV rv)
{
	return doctor_say(finding, DOCTOR_FAILED, "%s answers with CKR 0x%lx", call, rv);
}

int doctor_module_start(struct doctor *doctor, struct doctor_finding *finding)
{
	CK_RV rv = child.p11->C_Initialize(NULL);

	(void)doctor;
	return rv == CKR_OK ? doctor_say(finding, DOCTOR_OK, "C_Initialize")
			    : refused(finding, "C_Initialize", rv);
}

int doctor_module_slots(struct doctor *doctor, struct doctor_finding *finding)
{
	CK_RV rv;

	(void)doctor;
	child.count = SLOTS_MAX;
	rv = child.p11->C_GetSlotList(CK_TRUE, child.slots, &child.count);
	if (rv != CKR_OK)
		return refused(finding, "C_GetSlotList", rv);
	if (!child.count)
		return doctor_say(finding, DOCTOR_FAILED, "the module shows no slot with a token");
	return doctor_say(finding, DOCTOR_OK, "%lu", child.count);
}

static int padded(const unsigned char *text, int length)
{
	while (length && text[length - 1] == ' ')
		length--;
	return length;
}

int doctor_module_token(struct doctor *doctor, struct doctor_finding *finding)
{
	CK_TOKEN_INFO info;
	CK_RV rv;

	(void)doctor;
	for (CK_ULONG i = 0; i < child.count && !child.found; i++) {
		rv = child.p11->C_GetTokenInfo(child.slots[i], &info);
		if (rv != CKR_OK)
			return refused(finding, "C_GetTokenInfo", rv);
		child.slot = child.slots[i];
		child.found = info.flags & CKF_TOKEN_INITIALIZED;
	}
	if (!child.found)
		return doctor_say(finding, DOCTOR_FAILED, "no token is initialized");
	return doctor_say(finding, DOCTOR_OK, "'%.*s'", padded(info.label, sizeof(info.label)),
			  (char *)info.label);
}

int doctor_module_mechanisms(struct doctor *doctor, struct doctor_finding *finding)
{
	CK_ULONG count = 0;
	CK_RV rv = child.p11->C_GetMechanismList(child.slot, NULL, &count);

	(void)doctor;
	if (rv != CKR_OK)
		return refused(finding, "C_GetMechanismList", rv);
	if (!count)
		return doctor_say(finding, DOCTOR_FAILED,
				  "the partition's policy allows no mechanism");
	return doctor_say(finding, DOCTOR_OK, "%lu", count);
}

int doctor_module_session(struct doctor *doctor, struct doctor_finding *finding)
{
	unsigned char random[16];
	CK_RV rv = child.p11->C_OpenSession(child.slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL,
					    NULL, &child.session);

	(void)doctor;
	if (rv != CKR_OK)
		return refused(finding, "C_OpenSession", rv);
	rv = child.p11->C_GenerateRandom(child.session, random, sizeof(random));
	if (rv != CKR_OK)
		return refused(finding, "C_GenerateRandom", rv);
	return doctor_say(finding, DOCTOR_OK, "opened, and gives random bytes");
}

/* ---- a signature ---- */

static CK_RV make_pair(bool private, CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
	static unsigned char p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE, is_private = private;
	CK_ATTRIBUTE public_template[] = {
		{ CKA_EC_PARAMS, p256, sizeof(p256) },
		{ CKA_TOKEN, &no, sizeof(no) },
		{ CKA_VERIFY, &yes, sizeof(yes) },
	};
	CK_ATTRIBUTE private_template[] = {
		{ CKA_TOKEN, &no, sizeof(no) },
		{ CKA_PRIVATE, &is_private, sizeof(is_private) },
		{ CKA_SENSITIVE, &yes, sizeof(yes) },
		{ CKA_SIGN, &yes, sizeof(yes) },
	};
	CK_MECHANISM mechanism = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };

	return child.p11->C_GenerateKeyPair(child.session, &mechanism, public_template, 3,
					    private_template, 4, public_key, private_key);
}

static CK_RV sign_and_verify(CK_OBJECT_HANDLE public_key, CK_OBJECT_HANDLE private_key)
{
	CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
	unsigned char digest[32] = { 1 }, signature[128];
	CK_ULONG length = sizeof(signature);
	CK_RV rv = child.p11->C_SignInit(child.session, &mechanism, private_key);

	if (rv == CKR_OK)
		rv = child.p11->C_Sign(child.session, digest, sizeof(digest), signature, &length);
	if (rv == CKR_OK)
		rv = child.p11->C_VerifyInit(child.session, &mechanism, public_key);
	return rv == CKR_OK ? child.p11->C_Verify(child.session, digest, sizeof(digest), signature,
						  length)
			    : rv;
}

/* Session objects go with the session: nothing stays. Without a PIN the key is a public object, if the policy lets it. */
int doctor_module_sign(struct doctor *doctor, struct doctor_finding *finding)
{
	CK_OBJECT_HANDLE public_key = 0, private_key = 0;
	bool login = doctor->pin.length > 0;
	CK_RV rv = CKR_OK;

	if (login)
		rv = child.p11->C_Login(child.session, CKU_USER, (CK_UTF8CHAR_PTR)doctor->pin.text,
					doctor->pin.length);
	if (rv != CKR_OK)
		return refused(finding, "C_Login", rv);
	rv = make_pair(login, &public_key, &private_key);
	if (!login && (rv == CKR_USER_NOT_LOGGED_IN || rv == CKR_TEMPLATE_INCONSISTENT ||
		       rv == CKR_ATTRIBUTE_VALUE_INVALID || rv == CKR_ACTION_PROHIBITED)) {
		doctor_advise(finding, "hsmctl doctor --deep --pin-file FILE");
		return doctor_say(finding, DOCTOR_WARNING,
				  "not tried: this token makes keys only after a login");
	}
	if (rv != CKR_OK)
		return refused(finding, "C_GenerateKeyPair", rv);
	rv = sign_and_verify(public_key, private_key);
	if (rv != CKR_OK)
		return refused(finding, "signing", rv);
	return doctor_say(finding, DOCTOR_OK,
			  "a key of the session signs, and the signature verifies");
}

/* ---- the child ---- */

static _Noreturn void run_child(struct doctor *doctor, doctor_check_fn *const *checks, size_t count,
				int to, pid_t parent)
{
	struct doctor_finding finding;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* It goes on writing where the parent, when a signal ended it, has cleaned up. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(1);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	if (doctor->ctl->device)
		setenv("HSM_DEVICE", doctor->ctl->device, 1);
	for (size_t i = 0; i < count; i++) {
		memset(&finding, 0, sizeof(finding));
		finding.verdict = checks[i](doctor, &finding);
		if (write(to, &finding, sizeof(finding)) != (ssize_t)sizeof(finding))
			break;
		if (finding.verdict == DOCTOR_FAILED)
			break;
	}
	if (child.p11)
		child.p11->C_Finalize(NULL);
	_exit(0);
}

static int left(const struct timespec *end)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec >= end->tv_sec ? 0 : (int)(end->tv_sec - now.tv_sec) * 1000;
}

/* Whatever the module has done to its process, what comes from there is one of the verdicts, and its texts end. */
static bool read_finding(int from, const struct timespec *end, struct doctor_finding *finding)
{
	struct pollfd p = { .fd = from, .events = POLLIN };

	if (poll(&p, 1, left(end)) != 1 ||
	    read(from, finding, sizeof(*finding)) != (ssize_t)sizeof(*finding))
		return false;
	finding->text[sizeof(finding->text) - 1] = '\0';
	finding->advice[sizeof(finding->advice) - 1] = '\0';
	return finding->verdict >= DOCTOR_NOTHING && finding->verdict <= DOCTOR_SKIPPED;
}

/* The check after the last one that reported is where it ended. The pipe's end may be seen a moment before the process's. */
static void not_returned(pid_t pid, const struct timespec *end, struct doctor_finding *finding)
{
	struct pollfd p = { .fd = pidfd_open(pid, 0), .events = POLLIN };
	siginfo_t info = { 0 };

	if (p.fd >= 0) {
		poll(&p, 1, left(end));
		close(p.fd);
	}
	memset(finding, 0, sizeof(*finding));
	if (!waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) && info.si_pid == pid &&
	    info.si_code != CLD_EXITED)
		finding->verdict = doctor_say(finding, DOCTOR_FAILED,
					      "the module took its process down, by signal %d",
					      info.si_status);
	else
		finding->verdict =
			doctor_say(finding, DOCTOR_FAILED, "the module does not come back");
}

void doctor_module_run(struct doctor *doctor, doctor_check_fn *const *checks,
		       struct doctor_finding *findings, size_t count)
{
	struct timespec end;
	int ends[2];
	pid_t parent = getpid(), pid = -1;
	size_t i;

	for (i = 0; i < count; i++)
		findings[i] = (struct doctor_finding){ .verdict = DOCTOR_SKIPPED };
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += CHILD_SECONDS;
	if (pipe2(ends, O_CLOEXEC))
		return;
	pid = fork();
	if (pid == 0)
		run_child(doctor, checks, count, ends[1], parent);
	close(ends[1]);
	for (i = 0; pid > 0 && i < count; i++) {
		if (!read_finding(ends[0], &end, &findings[i])) {
			not_returned(pid, &end, &findings[i]);
			break;
		}
		if (findings[i].verdict == DOCTOR_FAILED)
			break;
	}
	close(ends[0]);
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}
