// SPDX-License-Identifier: Apache-2.0
/*
 * hsm-bench on a PKCS#11 module, any one: only functions and mechanisms of version 2.40 are used,
 * and keys are made as common programs make them. One session a thread, one login.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <hsm/pkcs11.h>
#include "hsm-bench.h"
#include "hsm-bench-pkcs11.h"

#define IV_SIZE	 12
#define TAG_SIZE 16

/* Token key pairs that a thread keeps before it destroys them, untimed */
#define PAIRS_KEPT 64U

struct target {
	void *module;
	CK_FUNCTION_LIST *p11;
	CK_SLOT_ID slot;
	CK_SESSION_HANDLE session;
	bool initialized;
	struct operation operation;
	CK_OBJECT_HANDLE key;
	CK_OBJECT_HANDLE public_key;
	CK_OBJECT_HANDLE *keys; /* for find: operation.size of them */
	size_t key_count;
	char description[128];
};

struct worker;
typedef CK_RV (*run_function)(struct worker *worker);

struct worker {
	struct target *target;
	CK_FUNCTION_LIST *p11;
	CK_SESSION_HANDLE session;
	run_function run;
	unsigned char *in, *out;
	CK_ULONG room;
	unsigned char iv[IV_SIZE];
	unsigned int number;
	unsigned int next;
	unsigned int pairs;
	CK_OBJECT_HANDLE *made;
	size_t made_count, made_room;
	CK_OBJECT_HANDLE pair[PAIRS_KEPT][2];
};

static CK_BBOOL yes = CK_TRUE;
static CK_BBOOL no = CK_FALSE;

/* DER of the object identifier of P-256 */
static unsigned char p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };

#define FLAG(type, value)  { type, &(value), sizeof(CK_BBOOL) }
#define BYTES(type, array) { type, array, sizeof(array) }
#define COUNT(array)	   (sizeof(array) / sizeof((array)[0]))

static int failed(const char *what, CK_RV rv)
{
	complain("%s failed with 0x%lx", what, rv);
	return -EIO;
}

/* ---- opening ---- */

static bool right_slot(struct target *target, const struct target_config *config, CK_SLOT_ID slot)
{
	CK_TOKEN_INFO info;
	size_t length = config->token ? strlen(config->token) : 0;

	if (config->slot && slot != strtoul(config->slot, NULL, 0))
		return false;
	if (target->p11->C_GetTokenInfo(slot, &info) != CKR_OK)
		return false;
	if (!config->token)
		return config->slot || (info.flags & CKF_TOKEN_INITIALIZED);
	if (length > sizeof(info.label) || memcmp(info.label, config->token, length))
		return false;
	while (length < sizeof(info.label))
		if (info.label[length++] != ' ')
			return false;
	return true;
}

static int find_slot(struct target *target, const struct target_config *config)
{
	CK_SLOT_ID slots[256];
	CK_ULONG count = COUNT(slots);
	CK_RV rv = target->p11->C_GetSlotList(CK_TRUE, slots, &count);

	if (rv != CKR_OK)
		return failed("C_GetSlotList", rv);
	for (CK_ULONG i = 0; i < count; i++) {
		if (right_slot(target, config, slots[i])) {
			target->slot = slots[i];
			return 0;
		}
	}
	complain("%s: no such token among %lu", config->module, count);
	return -ENODEV;
}

static int load_module(struct target *target, const char *path)
{
	CK_C_GetFunctionList get;

	/* A module that was closed must not leave its threads without code. */
	target->module = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!target->module) {
		complain("%s", dlerror());
		return -ENOENT;
	}
	*(void **)&get = dlsym(target->module, "C_GetFunctionList");
	if (!get || get(&target->p11) != CKR_OK) {
		complain("%s is not a PKCS#11 module", path);
		return -ENOEXEC;
	}
	return 0;
}

static int open_session(struct target *target, CK_SESSION_HANDLE *session)
{
	CK_RV rv = target->p11->C_OpenSession(target->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION,
					      NULL, NULL, session);

	return rv == CKR_OK ? 0 : failed("C_OpenSession", rv);
}

static int log_in(struct target *target, const struct target_config *config)
{
	CK_RV rv;

	if (!config->pin)
		return 0;
	rv = target->p11->C_Login(target->session, CKU_USER, (CK_UTF8CHAR *)config->pin,
				  config->pin_length);
	return rv == CKR_OK ? 0 : failed("C_Login", rv);
}

static int open_token(struct target *target, const struct target_config *config)
{
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
	CK_RV rv = target->p11->C_Initialize(&args);
	int ret;

	if (rv != CKR_OK)
		return failed("C_Initialize", rv);
	target->initialized = true;
	ret = find_slot(target, config);
	if (!ret)
		ret = open_session(target, &target->session);
	return ret ? ret : log_in(target, config);
}

static void pkcs11_close(struct target *target)
{
	if (target->initialized)
		target->p11->C_Finalize(NULL);
	if (target->module)
		dlclose(target->module);
	free(target);
}

static int pkcs11_open(const struct target_config *config, struct target **target)
{
	int ret;

	*target = calloc(1, sizeof(**target));
	if (!*target)
		return -ENOMEM;
	ret = load_module(*target, config->module);
	if (!ret)
		ret = open_token(*target, config);
	if (ret)
		pkcs11_close(*target);
	return ret;
}

/* PKCS#11 pads with spaces, and some modules with zeros. */
static int padded(const CK_UTF8CHAR *text, size_t size)
{
	size_t length = strnlen((const char *)text, size);

	while (length && text[length - 1] == ' ')
		length--;
	return (int)length;
}

static const char *pkcs11_describe(struct target *target)
{
	CK_INFO info;

	if (target->p11->C_GetInfo(&info) != CKR_OK)
		return "unknown";
	snprintf(target->description, sizeof(target->description), "%.*s, %.*s %u.%u",
		 padded(info.manufacturerID, sizeof(info.manufacturerID)), info.manufacturerID,
		 padded(info.libraryDescription, sizeof(info.libraryDescription)),
		 info.libraryDescription, info.libraryVersion.major, info.libraryVersion.minor);
	return target->description;
}

/* ---- keys ---- */

static CK_RV make_aes(struct target *target, const char *label, CK_OBJECT_HANDLE *key)
{
	CK_MECHANISM mechanism = { .mechanism = CKM_AES_KEY_GEN };
	CK_ULONG length = 32;
	CK_ATTRIBUTE template[] = {
		FLAG(CKA_TOKEN, no),
		FLAG(CKA_PRIVATE, yes),
		FLAG(CKA_SENSITIVE, yes),
		FLAG(CKA_EXTRACTABLE, no),
		FLAG(CKA_ENCRYPT, yes),
		FLAG(CKA_DECRYPT, yes),
		{ CKA_VALUE_LEN, &length, sizeof(length) },
		{ CKA_LABEL, (void *)label, strlen(label) },
	};

	return target->p11->C_GenerateKey(target->session, &mechanism, template, COUNT(template),
					  key);
}

/* Session keys for signing. */
static CK_RV make_rsa(struct target *target)
{
	CK_MECHANISM mechanism = { .mechanism = CKM_RSA_PKCS_KEY_PAIR_GEN };
	CK_ULONG bits = 2048;
	unsigned char exponent[] = { 1, 0, 1 };
	CK_ATTRIBUTE public_key[] = {
		FLAG(CKA_TOKEN, no),
		FLAG(CKA_VERIFY, yes),
		{ CKA_MODULUS_BITS, &bits, sizeof(bits) },
		BYTES(CKA_PUBLIC_EXPONENT, exponent),
	};
	CK_ATTRIBUTE private_key[] = {
		FLAG(CKA_TOKEN, no),
		FLAG(CKA_PRIVATE, yes),
		FLAG(CKA_SENSITIVE, yes),
		FLAG(CKA_SIGN, yes),
	};

	return target->p11->C_GenerateKeyPair(target->session, &mechanism, public_key,
					      COUNT(public_key), private_key, COUNT(private_key),
					      &target->public_key, &target->key);
}

static CK_RV make_p256(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session, bool token,
		       CK_OBJECT_HANDLE *public_handle, CK_OBJECT_HANDLE *private_handle)
{
	CK_MECHANISM mechanism = { .mechanism = CKM_EC_KEY_PAIR_GEN };
	CK_BBOOL stays = token ? CK_TRUE : CK_FALSE;
	CK_ATTRIBUTE public_key[] = {
		FLAG(CKA_TOKEN, stays),
		FLAG(CKA_VERIFY, yes),
		BYTES(CKA_EC_PARAMS, p256),
	};
	CK_ATTRIBUTE private_key[] = {
		FLAG(CKA_TOKEN, stays),
		FLAG(CKA_PRIVATE, yes),
		FLAG(CKA_SENSITIVE, yes),
		FLAG(CKA_SIGN, yes),
	};

	return p11->C_GenerateKeyPair(session, &mechanism, public_key, COUNT(public_key),
				      private_key, COUNT(private_key), public_handle,
				      private_handle);
}

static void find_label(char label[32], size_t number)
{
	snprintf(label, 32, "hsm-bench-%zu", number);
}

/* The keys among which one is found; finish destroys what was made. */
static CK_RV make_many(struct target *target)
{
	char label[32];
	CK_RV rv = CKR_OK;

	target->keys = calloc(target->operation.size, sizeof(*target->keys));
	if (!target->keys)
		return CKR_HOST_MEMORY;
	for (size_t i = 0; i < target->operation.size && rv == CKR_OK; i++) {
		find_label(label, i);
		rv = make_aes(target, label, &target->keys[i]);
		if (rv == CKR_OK)
			target->key_count++;
	}
	return rv;
}

static void pkcs11_finish(struct target *target)
{
	if (target->key)
		target->p11->C_DestroyObject(target->session, target->key);
	if (target->public_key)
		target->p11->C_DestroyObject(target->session, target->public_key);
	for (size_t i = 0; i < target->key_count; i++)
		target->p11->C_DestroyObject(target->session, target->keys[i]);
	free(target->keys);
	target->keys = NULL;
	target->key_count = 0;
	target->key = 0;
	target->public_key = 0;
}

static int pkcs11_prepare(struct target *target, const struct operation *operation)
{
	CK_RV rv = CKR_OK;

	target->operation = *operation;
	switch (operation->kind) {
	case BENCH_AES_GCM:
		rv = make_aes(target, "hsm-bench", &target->key);
		break;
	case BENCH_P256_SIGN:
		rv = make_p256(target->p11, target->session, false, &target->public_key,
			       &target->key);
		break;
	case BENCH_RSA2048_SIGN:
		rv = make_rsa(target);
		break;
	case BENCH_FIND:
		if (!operation->size)
			return -EINVAL;
		rv = make_many(target);
		break;
	case BENCH_KEY_FIND:
		if (!operation->size)
			return -EINVAL;
		rv = objects_fill(target->p11, target->slot, operation->size);
		break;
	case BENCH_DIGEST:
	case BENCH_RANDOM:
	case BENCH_P256_KEYGEN:
	case BENCH_DATA_CREATE:
		break;
	default:
		return -ENOTSUP;
	}
	if (rv == CKR_OK)
		return 0;
	pkcs11_finish(target);
	complain("%s: the key cannot be made, 0x%lx", operation->name, rv);
	return -EIO;
}

/* ---- one operation ---- */

/* Different for each message under one key, also between threads */
static void next_iv(unsigned char *iv)
{
	for (size_t i = 1; i < IV_SIZE && !++iv[i]; i++)
		;
}

static CK_RV run_aes_gcm(struct worker *worker)
{
	CK_GCM_PARAMS gcm = {
		.pIv = worker->iv,
		.ulIvLen = IV_SIZE,
		.ulIvBits = 8 * IV_SIZE,
		.ulTagBits = 8 * TAG_SIZE,
	};
	CK_MECHANISM mechanism = { CKM_AES_GCM, &gcm, sizeof(gcm) };
	CK_ULONG length = worker->room;
	CK_RV rv;

	next_iv(worker->iv);
	rv = worker->p11->C_EncryptInit(worker->session, &mechanism, worker->target->key);
	if (rv != CKR_OK)
		return rv;
	return worker->p11->C_Encrypt(worker->session, worker->in, worker->target->operation.size,
				      worker->out, &length);
}

static CK_RV run_sign(struct worker *worker)
{
	bool rsa = worker->target->operation.kind == BENCH_RSA2048_SIGN;
	CK_MECHANISM mechanism = { .mechanism = rsa ? CKM_RSA_PKCS : CKM_ECDSA };
	CK_ULONG length = worker->room;
	CK_RV rv = worker->p11->C_SignInit(worker->session, &mechanism, worker->target->key);

	if (rv != CKR_OK)
		return rv;
	/* 51 bytes are a DigestInfo of SHA-256. */
	return worker->p11->C_Sign(worker->session, worker->in, rsa ? 51 : 32, worker->out,
				   &length);
}

static CK_RV run_digest(struct worker *worker)
{
	CK_MECHANISM mechanism = { .mechanism = CKM_SHA256 };
	CK_ULONG length = worker->room;
	CK_RV rv = worker->p11->C_DigestInit(worker->session, &mechanism);

	if (rv != CKR_OK)
		return rv;
	return worker->p11->C_Digest(worker->session, worker->in, worker->target->operation.size,
				     worker->out, &length);
}

static CK_RV run_random(struct worker *worker)
{
	return worker->p11->C_GenerateRandom(worker->session, worker->out,
					     worker->target->operation.size);
}

static CK_RV run_keygen(struct worker *worker)
{
	CK_OBJECT_HANDLE *pair = worker->pair[worker->pairs];
	CK_RV rv = make_p256(worker->p11, worker->session, true, &pair[0], &pair[1]);

	if (rv == CKR_OK)
		worker->pairs++;
	return rv;
}

static CK_RV run_find(struct worker *worker)
{
	char label[32];
	CK_ATTRIBUTE template[] = { { CKA_LABEL, label, 0 } };
	CK_OBJECT_HANDLE found[2];
	CK_ULONG count = 0;
	CK_RV rv;

	find_label(label, worker->next++ % worker->target->operation.size);
	template[0].ulValueLen = strlen(label);
	rv = worker->p11->C_FindObjectsInit(worker->session, template, 1);
	if (rv == CKR_OK)
		rv = worker->p11->C_FindObjects(worker->session, found, COUNT(found), &count);
	if (rv == CKR_OK)
		rv = worker->p11->C_FindObjectsFinal(worker->session);
	return rv == CKR_OK && count != 1 ? CKR_GENERAL_ERROR : rv;
}

static CK_RV run_key_find(struct worker *worker)
{
	size_t size = worker->target->operation.size, number;
	CK_ULONG count;
	CK_RV rv;

	/* All over the token, in an order that no cache foresees; two numbers differ in which they are looked up by. */
	worker->next = worker->next * 1664525U + 1013904223U;
	number = (size_t)((uint64_t)worker->next * size >> 32);
	rv = objects_find(worker->p11, worker->session, number, worker->next >> 8 & 1, &count);
	return rv == CKR_OK && count != 1 ? CKR_GENERAL_ERROR : rv;
}

/* Destroyed when the measurement is over: a destruction is a commit too. */
static CK_RV run_data_create(struct worker *worker)
{
	CK_OBJECT_HANDLE *more;
	CK_RV rv;

	if (worker->made_count == worker->made_room) {
		worker->made_room = worker->made_room * 2 + 1024;
		more = realloc(worker->made, worker->made_room * sizeof(*more));
		if (!more)
			return CKR_HOST_MEMORY;
		worker->made = more;
	}
	rv = objects_create_data(worker->p11, worker->session, &worker->made[worker->made_count]);
	worker->made_count += rv == CKR_OK;
	return rv;
}

/* ---- one thread ---- */

static run_function function_of(enum bench_kind kind)
{
	switch (kind) {
	case BENCH_AES_GCM:
		return run_aes_gcm;
	case BENCH_P256_SIGN:
	case BENCH_RSA2048_SIGN:
		return run_sign;
	case BENCH_DIGEST:
		return run_digest;
	case BENCH_P256_KEYGEN:
		return run_keygen;
	case BENCH_FIND:
		return run_find;
	case BENCH_KEY_FIND:
		return run_key_find;
	case BENCH_DATA_CREATE:
		return run_data_create;
	default:
		return run_random;
	}
}

static int destroy_pairs(struct worker *worker)
{
	CK_RV rv = CKR_OK;

	for (unsigned int i = 0; i < worker->pairs && rv == CKR_OK; i++)
		for (unsigned int j = 0; j < 2 && rv == CKR_OK; j++)
			rv = worker->p11->C_DestroyObject(worker->session, worker->pair[i][j]);
	worker->pairs = 0;
	return rv == CKR_OK ? 0 : failed("C_DestroyObject", rv);
}

static void pkcs11_stop(void *arg)
{
	struct worker *worker = arg;

	if (worker->session) {
		destroy_pairs(worker);
		while (worker->made_count)
			worker->p11->C_DestroyObject(worker->session,
						     worker->made[--worker->made_count]);
		worker->p11->C_CloseSession(worker->session);
	}
	free(worker->made);
	free(worker->in);
	free(worker->out);
	free(worker);
}

static void *pkcs11_start(struct target *target, unsigned int thread)
{
	struct worker *worker = calloc(1, sizeof(*worker));

	if (!worker)
		return NULL;
	worker->target = target;
	worker->p11 = target->p11;
	worker->number = thread;
	worker->iv[0] = (unsigned char)thread;
	worker->next = thread;
	worker->run = function_of(target->operation.kind);
	worker->room = target->operation.size + 512;
	worker->in = calloc(1, target->operation.size + 64);
	worker->out = calloc(1, worker->room);
	if (worker->in && worker->out && !open_session(target, &worker->session))
		return worker;
	pkcs11_stop(worker);
	return NULL;
}

static int pkcs11_run(void *arg)
{
	struct worker *worker = arg;
	CK_RV rv = worker->run(worker);

	return rv == CKR_OK ? 0 : failed(worker->target->operation.name, rv);
}

static int pkcs11_rest(void *arg)
{
	struct worker *worker = arg;

	return worker->pairs == PAIRS_KEPT ? destroy_pairs(worker) : 0;
}

const struct target_ops target_pkcs11 = {
	.kind = "pkcs11",
	.open = pkcs11_open,
	.close = pkcs11_close,
	.describe = pkcs11_describe,
	.prepare = pkcs11_prepare,
	.finish = pkcs11_finish,
	.start = pkcs11_start,
	.run = pkcs11_run,
	.rest = pkcs11_rest,
	.stop = pkcs11_stop,
};
