// SPDX-License-Identifier: Apache-2.0
/*
 * Work for a device that is disturbed meanwhile: signs with a key of the token until it is told by
 * SIGUSR1 that the disturbance is over, then as often again as shows that work goes on. Whatever
 * fails is counted as lost and the session is made anew, as an application would do it.
 *
 * load MODULE PIN-FILE KEY-LABEL
 *
 * Prints "began" after the first signature, at the end "signed N lost N". Status 0 unless nothing
 * works for a minute.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <hsm/pkcs11.h>

#define AFTERWARDS 50
#define PATIENCE   60 /* seconds without one signature */

static volatile sig_atomic_t over;

struct load {
	void *module;
	CK_FUNCTION_LIST *p;
	const char *label;
	char pin[64];
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE key;
	unsigned long signed_, lost, afterwards;
	CK_RV last;
};

static void on_signal(int signal)
{
	(void)signal;
	over = 1;
}

static int read_pin(struct load *load, const char *path)
{
	FILE *file = fopen(path, "r");
	int ok = file && fgets(load->pin, sizeof(load->pin), file);

	if (file)
		fclose(file);
	load->pin[strcspn(load->pin, "\n")] = 0;
	return ok ? 0 : -1;
}

static int load_module(struct load *load, const char *path)
{
	CK_C_GetFunctionList get_list = NULL;

	load->module = dlopen(path, RTLD_NOW);
	if (load->module)
		*(void **)&get_list = dlsym(load->module, "C_GetFunctionList");
	if (!get_list || get_list(&load->p) != CKR_OK) {
		fprintf(stderr, "%s\n", load->module ? path : dlerror());
		return -1;
	}
	return 0;
}

static CK_RV find_key(struct load *load)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE template[] = {
		{ CKA_CLASS, &class, sizeof(class) },
		{ CKA_LABEL, (void *)load->label, strlen(load->label) },
	};
	CK_ULONG count = 0;
	CK_RV rv = load->p->C_FindObjectsInit(load->session, template, 2);

	if (!rv)
		rv = load->p->C_FindObjects(load->session, &load->key, 1, &count);
	if (!rv)
		rv = load->p->C_FindObjectsFinal(load->session);
	return rv ?: (count ? CKR_OK : CKR_KEY_HANDLE_INVALID);
}

static CK_RV start(struct load *load)
{
	CK_SLOT_ID slot;
	CK_ULONG count = 1;
	CK_RV rv = load->p->C_Initialize(NULL);

	if (!rv)
		rv = load->p->C_GetSlotList(CK_TRUE, &slot, &count);
	if (!rv && !count)
		rv = CKR_TOKEN_NOT_PRESENT;
	if (!rv)
		rv = load->p->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &load->session);
	if (!rv)
		rv = load->p->C_Login(load->session, CKU_USER, (CK_UTF8CHAR *)load->pin,
				      strlen(load->pin));
	return rv ?: find_key(load);
}

static CK_RV sign(struct load *load)
{
	CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
	CK_BYTE digest[32] = { 1, 2, 3 }, signature[128];
	CK_ULONG length = sizeof(signature);
	CK_RV rv = load->p->C_SignInit(load->session, &mechanism, load->key);

	if (!rv)
		rv = load->p->C_Sign(load->session, digest, sizeof(digest), signature, &length);
	return rv ?: (length == 64 ? CKR_OK : CKR_GENERAL_ERROR);
}

static void one(struct load *load, bool *up)
{
	const struct timespec moment = { 0, 20000000 };
	CK_RV rv = *up ? sign(load) : start(load);

	if (rv) {
		if (rv != load->last)
			fprintf(stderr, "%s: 0x%lx\n", *up ? "sign" : "start", rv);
		load->last = rv;
		load->lost += *up;
		load->p->C_Finalize(NULL);
		*up = false;
		nanosleep(&moment, NULL);
		return;
	}
	if (!*up) {
		*up = true;
		return;
	}
	if (!load->signed_++)
		puts("began");
	load->afterwards += over;
}

int main(int argc, char **argv)
{
	struct load load = { 0 };
	time_t last = time(NULL);
	bool up = false;

	if (argc != 4 || read_pin(&load, argv[2]) || load_module(&load, argv[1]))
		return 2;
	load.label = argv[3];
	signal(SIGUSR1, on_signal);
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (load.afterwards < AFTERWARDS) {
		unsigned long before = load.signed_;

		one(&load, &up);
		if (load.signed_ != before)
			last = time(NULL);
		if (time(NULL) - last > PATIENCE)
			return 1;
	}
	printf("signed %lu lost %lu\n", load.signed_, load.lost);
	load.p->C_Finalize(NULL);
	return 0;
}
