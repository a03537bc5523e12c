// SPDX-License-Identifier: Apache-2.0
/*
 * hsm-bench on libcrypto itself: what the machine can do when nothing lies between the caller and
 * the algorithm. Contexts are prepared once a thread, in a library context of its own, as a device
 * would.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include "hsm-bench.h"

#define IV_SIZE	 12
#define TAG_SIZE 16

struct target {
	OSSL_LIB_CTX *library;
	struct operation operation;
	EVP_PKEY *key;
	EVP_CIPHER *cipher;
	EVP_MD *digest;
};

struct worker {
	struct target *target;
	int (*run)(struct worker *worker);
	EVP_PKEY_CTX *key;
	EVP_CIPHER_CTX *cipher;
	EVP_MD_CTX *digest;
	struct partner *partner;
	struct handshake *handshake;
	unsigned char *in, *out;
	unsigned char iv[IV_SIZE];
	int fd;
};

static int raw_open(const struct target_config *config, struct target **target)
{
	(void)config;
	*target = calloc(1, sizeof(**target));
	if (!*target)
		return -ENOMEM;
	(*target)->library = OSSL_LIB_CTX_new();
	if ((*target)->library)
		return 0;
	free(*target);
	return -ENOMEM;
}

static void raw_close(struct target *target)
{
	OSSL_LIB_CTX_free(target->library);
	free(target);
}

static const char *raw_describe(struct target *target)
{
	(void)target;
	return OpenSSL_version(OPENSSL_VERSION);
}

static void raw_finish(struct target *target)
{
	EVP_PKEY_free(target->key);
	EVP_CIPHER_free(target->cipher);
	EVP_MD_free(target->digest);
	target->key = NULL;
	target->cipher = NULL;
	target->digest = NULL;
}

static int raw_prepare(struct target *target, const struct operation *operation)
{
	bool made = true;

	target->operation = *operation;
	switch (operation->kind) {
	case BENCH_AES_GCM:
		target->cipher = EVP_CIPHER_fetch(target->library, "AES-256-GCM", NULL);
		made = target->cipher;
		break;
	case BENCH_P256_SIGN:
		target->key = EVP_PKEY_Q_keygen(target->library, NULL, "EC", "P-256");
		made = target->key;
		break;
	case BENCH_RSA2048_SIGN:
		target->key = EVP_PKEY_Q_keygen(target->library, NULL, "RSA", (size_t)2048);
		made = target->key;
		break;
	case BENCH_DIGEST:
		target->digest = EVP_MD_fetch(target->library, "SHA256", NULL);
		made = target->digest;
		break;
	case BENCH_RANDOM:
	case BENCH_P256_KEYGEN:
	case BENCH_FDATASYNC:
	case BENCH_CONNECT:
	case BENCH_RESUME:
	case BENCH_PING:
	case BENCH_WAKE:
		break;
	default:
		return -ENOTSUP;
	}
	if (made)
		return 0;
	complain("libcrypto cannot make what %s needs", operation->name);
	return -EIO;
}

/* ---- one operation ---- */

/* Different for each message under one key, as GCM demands */
static void next_iv(unsigned char *iv)
{
	for (size_t i = 0; i < IV_SIZE && !++iv[i]; i++)
		;
}

static int run_aes_gcm(struct worker *worker)
{
	size_t size = worker->target->operation.size;
	int n, last;

	next_iv(worker->iv);
	if (EVP_EncryptInit_ex2(worker->cipher, NULL, NULL, worker->iv, NULL) != 1 ||
	    EVP_EncryptUpdate(worker->cipher, worker->out, &n, worker->in, (int)size) != 1 ||
	    EVP_EncryptFinal_ex(worker->cipher, worker->out + n, &last) != 1)
		return -EIO;
	return EVP_CIPHER_CTX_ctrl(worker->cipher, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE,
				   worker->out + n) == 1
		       ? 0
		       : -EIO;
}

static int run_sign(struct worker *worker)
{
	size_t length = 256, in = 32;

	if (worker->target->operation.kind == BENCH_RSA2048_SIGN)
		in = 51; /* a DigestInfo of SHA-256 */
	return EVP_PKEY_sign(worker->key, worker->out, &length, worker->in, in) == 1 ? 0 : -EIO;
}

static int run_digest(struct worker *worker)
{
	const struct target *target = worker->target;
	unsigned int length;

	if (EVP_DigestInit_ex2(worker->digest, target->digest, NULL) != 1 ||
	    EVP_DigestUpdate(worker->digest, worker->in, target->operation.size) != 1)
		return -EIO;
	return EVP_DigestFinal_ex(worker->digest, worker->out, &length) == 1 ? 0 : -EIO;
}

static int run_random(struct worker *worker)
{
	const struct target *target = worker->target;

	return RAND_bytes_ex(target->library, worker->out, target->operation.size, 0) == 1 ? 0
											   : -EIO;
}

/* Generation alone: nothing here keeps the key, fdatasync is an operation of its own. */
static int run_keygen(struct worker *worker)
{
	EVP_PKEY *key = NULL;
	int ret = EVP_PKEY_generate(worker->key, &key) == 1 ? 0 : -EIO;

	EVP_PKEY_free(key);
	return ret;
}

static int run_fdatasync(struct worker *worker)
{
	size_t size = worker->target->operation.size;

	if (write(worker->fd, worker->in, size) != (ssize_t)size)
		return -EIO;
	return fdatasync(worker->fd) ? -errno : 0;
}

static int run_partner(struct worker *worker)
{
	return partner_run(worker->partner);
}

/* ---- one thread ---- */

static int run_handshake(struct worker *worker)
{
	return handshake_run(worker->handshake);
}

static bool start_cipher(struct worker *worker)
{
	unsigned char key[32];
	bool made;

	worker->run = run_aes_gcm;
	worker->cipher = EVP_CIPHER_CTX_new();
	made = worker->cipher && RAND_bytes_ex(worker->target->library, key, sizeof(key), 0) == 1 &&
	       EVP_EncryptInit_ex2(worker->cipher, worker->target->cipher, key, worker->iv, NULL) ==
		       1;
	OPENSSL_cleanse(key, sizeof(key));
	return made;
}

static bool start_sign(struct worker *worker)
{
	const struct target *target = worker->target;

	worker->run = run_sign;
	worker->key = EVP_PKEY_CTX_new_from_pkey(target->library, target->key, NULL);
	if (!worker->key || EVP_PKEY_sign_init(worker->key) != 1)
		return false;
	return target->operation.kind != BENCH_RSA2048_SIGN ||
	       EVP_PKEY_CTX_set_rsa_padding(worker->key, RSA_PKCS1_PADDING) == 1;
}

static bool start_keygen(struct worker *worker)
{
	worker->run = run_keygen;
	worker->key = EVP_PKEY_CTX_new_from_name(worker->target->library, "EC", NULL);
	return worker->key && EVP_PKEY_keygen_init(worker->key) == 1 &&
	       EVP_PKEY_CTX_set_group_name(worker->key, "P-256") == 1;
}

/* On the file system of the working directory, which the caller chooses. */
static bool start_file(struct worker *worker)
{
	char path[] = "hsm-bench.XXXXXX";

	worker->run = run_fdatasync;
	worker->fd = mkstemp(path);
	if (worker->fd < 0)
		return false;
	unlink(path);
	return true;
}

static bool start_kind(struct worker *worker)
{
	switch (worker->target->operation.kind) {
	case BENCH_AES_GCM:
		return start_cipher(worker);
	case BENCH_P256_SIGN:
	case BENCH_RSA2048_SIGN:
		return start_sign(worker);
	case BENCH_DIGEST:
		worker->run = run_digest;
		worker->digest = EVP_MD_CTX_new();
		return worker->digest;
	case BENCH_P256_KEYGEN:
		return start_keygen(worker);
	case BENCH_FDATASYNC:
		return start_file(worker);
	case BENCH_CONNECT:
	case BENCH_RESUME:
		worker->run = run_handshake;
		worker->handshake = handshake_start(worker->target->operation.kind == BENCH_RESUME);
		return worker->handshake != NULL;
	case BENCH_PING:
	case BENCH_WAKE:
		worker->run = run_partner;
		worker->partner = partner_start(worker->target->operation.kind == BENCH_PING);
		return worker->partner;
	default:
		worker->run = run_random;
		return true;
	}
}

static void raw_stop(void *arg)
{
	struct worker *worker = arg;

	EVP_PKEY_CTX_free(worker->key);
	EVP_CIPHER_CTX_free(worker->cipher);
	EVP_MD_CTX_free(worker->digest);
	partner_stop(worker->partner);
	handshake_stop(worker->handshake);
	if (worker->fd >= 0)
		close(worker->fd);
	free(worker->in);
	free(worker->out);
	free(worker);
}

static void *raw_start(struct target *target, unsigned int thread)
{
	struct worker *worker = calloc(1, sizeof(*worker));

	(void)thread;
	if (!worker)
		return NULL;
	worker->target = target;
	worker->fd = -1;
	worker->in = calloc(1, target->operation.size + 64);
	worker->out = calloc(1, target->operation.size + 512);
	if (worker->in && worker->out && start_kind(worker))
		return worker;
	complain("libcrypto: %s cannot be started", target->operation.name);
	raw_stop(worker);
	return NULL;
}

static int raw_run(void *arg)
{
	struct worker *worker = arg;
	int ret = worker->run(worker);

	if (ret)
		complain("libcrypto: %s failed", worker->target->operation.name);
	return ret;
}

const struct target_ops target_raw = {
	.kind = "libcrypto",
	.open = raw_open,
	.close = raw_close,
	.describe = raw_describe,
	.prepare = raw_prepare,
	.finish = raw_finish,
	.start = raw_start,
	.run = raw_run,
	.stop = raw_stop,
};
