// SPDX-License-Identifier: Apache-2.0
/*
 * PINs. None is stored: a PIN unwraps the partition's private key, under which private objects are sealed, and a
 * PIN is right when that key unwraps. Argon2id where libcrypto has it, else PBKDF2; the record says
 * which, so that a state directory moves between versions of libcrypto.
 */
#include <errno.h>
#include <string.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include "commands.h"

#define ARGON2_MEMORY	  (64 * 1024) /* KiB */
#define ARGON2_ITERATIONS 1
#define ARGON2_MEMORY_MAX (1024 * 1024)
#define PBKDF2_ITERATIONS 210000 /* OWASP's figure for HMAC-SHA-512 */

CK_RV pin_length(size_t length)
{
	return length < PIN_MIN || length > PIN_MAX ? CKR_PIN_LEN_RANGE : CKR_OK;
}

static int run_kdf(EVP_KDF *kdf, const OSSL_PARAM *params, uint8_t key[SECRET_SIZE])
{
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	int ret = ctx && EVP_KDF_derive(ctx, key, SECRET_SIZE, params) == 1 ? 0 : -EIO;

	EVP_KDF_CTX_free(ctx);
	return ret;
}

static int argon2(EVP_KDF *kdf, const struct credential *credential, const uint8_t *pin,
		  size_t length, uint8_t key[SECRET_SIZE])
{
	/* libcrypto's names of these parameters are newer than OpenSSL 3.0. */
	uint32_t memory = credential->memory, iterations = credential->iterations, lanes = 1;
	OSSL_PARAM params[6];

	if (memory > ARGON2_MEMORY_MAX)
		return -EINVAL;
	params[0] = OSSL_PARAM_construct_octet_string("pass", (void *)pin, length);
	params[1] = OSSL_PARAM_construct_octet_string("salt", (void *)credential->salt, SALT_SIZE);
	params[2] = OSSL_PARAM_construct_uint32("iter", &iterations);
	params[3] = OSSL_PARAM_construct_uint32("memcost", &memory);
	params[4] = OSSL_PARAM_construct_uint32("lanes", &lanes);
	params[5] = OSSL_PARAM_construct_end();
	return run_kdf(kdf, params, key);
}

static int pbkdf2(EVP_KDF *kdf, const struct credential *credential, const uint8_t *pin,
		  size_t length, uint8_t key[SECRET_SIZE])
{
	uint32_t iterations = credential->iterations;
	char digest[] = "SHA512";
	OSSL_PARAM params[5];

	params[0] = OSSL_PARAM_construct_octet_string("pass", (void *)pin, length);
	params[1] = OSSL_PARAM_construct_octet_string("salt", (void *)credential->salt, SALT_SIZE);
	params[2] = OSSL_PARAM_construct_uint32("iter", &iterations);
	params[3] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
	params[4] = OSSL_PARAM_construct_end();
	return run_kdf(kdf, params, key);
}

static int stretch(const struct credential *credential, const uint8_t *pin, size_t length,
		   uint8_t key[SECRET_SIZE])
{
	bool memory_hard = credential->kdf == PIN_KDF_ARGON2ID;
	EVP_KDF *kdf = EVP_KDF_fetch(mech_libctx(), memory_hard ? "ARGON2ID" : "PBKDF2", NULL);
	int ret;

	if (!kdf)
		return -EIO;
	if (memory_hard)
		ret = argon2(kdf, credential, pin, length, key);
	else
		ret = pbkdf2(kdf, credential, pin, length, key);
	EVP_KDF_free(kdf);
	return ret;
}

static bool have_argon2(void)
{
	EVP_KDF *kdf = EVP_KDF_fetch(mech_libctx(), "ARGON2ID", NULL);

	EVP_KDF_free(kdf);
	return kdf != NULL;
}

CK_RV pin_make(struct credential *credential, const uint8_t *pin, size_t length,
	       const uint8_t private_key[SECRET_SIZE])
{
	bool memory_hard = have_argon2();
	uint8_t key[SECRET_SIZE];
	int ret;

	memset(credential, 0, sizeof(*credential));
	if (pin_length(length) != CKR_OK)
		return CKR_PIN_LEN_RANGE;
	credential->set = 1;
	credential->kdf = memory_hard ? PIN_KDF_ARGON2ID : PIN_KDF_PBKDF2;
	credential->iterations = memory_hard ? ARGON2_ITERATIONS : PBKDF2_ITERATIONS;
	credential->memory = memory_hard ? ARGON2_MEMORY : 0;
	if (RAND_bytes_ex(mech_libctx(), credential->salt, SALT_SIZE, 0) != 1)
		return CKR_DEVICE_ERROR;
	ret = stretch(credential, pin, length, key);
	if (!ret)
		ret = aead_seal(key, credential->salt, SALT_SIZE, private_key, SECRET_SIZE,
				credential->wrapped);
	OPENSSL_cleanse(key, sizeof(key));
	return ret < 0 ? CKR_DEVICE_ERROR : CKR_OK;
}

static struct credential *credential_of(struct partition_state *state, int user)
{
	return user == CKU_USER ? &state->user : &state->so;
}

/* Put one more failure on disk; what was there before is the credential to try. */
static CK_RV count_try(struct partition *partition, int user, struct credential *credential)
{
	struct partition_state next;
	CK_RV rv;

	pthread_mutex_lock(&partition->commit_lock);
	next = partition->state;
	*credential = *credential_of(&next, user);
	if (!credential->set)
		rv = CKR_USER_PIN_NOT_INITIALIZED;
	else if (credential->failures >= PIN_TRIES)
		rv = CKR_PIN_LOCKED;
	else
		rv = CKR_OK;
	if (rv == CKR_OK) {
		credential_of(&next, user)->failures++;
		rv = store_commit(partition, &next, NULL, 0, true);
	}
	pthread_mutex_unlock(&partition->commit_lock);
	OPENSSL_cleanse(&next, sizeof(next));
	return rv;
}

static CK_RV forgive(struct partition *partition, int user, const struct credential *credential)
{
	struct partition_state next;
	CK_RV rv = CKR_OK;

	pthread_mutex_lock(&partition->commit_lock);
	next = partition->state;
	if (CRYPTO_memcmp(credential_of(&next, user)->salt, credential->salt, SALT_SIZE)) {
		rv = CKR_PIN_INCORRECT; /* changed meanwhile */
	} else {
		credential_of(&next, user)->failures = 0;
		rv = store_commit(partition, &next, NULL, 0, false);
	}
	pthread_mutex_unlock(&partition->commit_lock);
	OPENSSL_cleanse(&next, sizeof(next));
	return rv;
}

CK_RV pin_check(struct partition *partition, int user, const uint8_t *pin, size_t length,
		uint8_t private_key[SECRET_SIZE])
{
	struct credential credential;
	uint8_t key[SECRET_SIZE];
	CK_RV rv;
	int ret;

	if (pin_length(length) != CKR_OK)
		return CKR_PIN_INCORRECT;
	rv = count_try(partition, user, &credential);
	if (rv != CKR_OK)
		return rv;
	ret = stretch(&credential, pin, length, key);
	if (ret < 0)
		rv = CKR_DEVICE_ERROR;
	else if (aead_open(key, credential.salt, SALT_SIZE, credential.wrapped,
			   sizeof(credential.wrapped), private_key) < 0)
		rv = CKR_PIN_INCORRECT;
	else
		rv = forgive(partition, user, &credential);
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(&credential, sizeof(credential));
	if (rv != CKR_OK)
		OPENSSL_cleanse(private_key, SECRET_SIZE);
	return rv;
}
