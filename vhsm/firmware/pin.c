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
#include "audit.h"
#include "clock.h"
#include "users.h"

#define ARGON2_MEMORY	  (64 * 1024) /* KiB */
#define ARGON2_ITERATIONS 1
#define ARGON2_MEMORY_MAX (1024 * 1024)
#define DAY_MS		  86400000ULL
#define DELAY_FROM	  2 /* the first failure is free */
#define DELAY_MAX_MS	  3600000ULL
#define PBKDF2_ITERATIONS 210000 /* OWASP's figure for HMAC-SHA-512 */

CK_RV pin_length(const struct partition *partition, size_t length)
{
	const struct policy *policy = policy_of(partition);

	return length < policy->value[HSM_POLICY_PIN_MIN] ||
			       length > policy->value[HSM_POLICY_PIN_MAX]
		       ? CKR_PIN_LEN_RANGE
		       : CKR_OK;
}

/* ---- from a PIN to a key ---- */

static int run_kdf(EVP_KDF *kdf, const OSSL_PARAM *params, uint8_t key[SECRET_SIZE])
{
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	int ret = ctx && EVP_KDF_derive(ctx, key, SECRET_SIZE, params) == 1 ? 0 : -EIO;

	EVP_KDF_CTX_free(ctx);
	return ret;
}

static int argon2(EVP_KDF *kdf, const struct stretch *how, const uint8_t *pin, size_t length,
		  uint8_t key[SECRET_SIZE])
{
	/* libcrypto's names of these parameters are newer than OpenSSL 3.0. */
	uint32_t memory = how->memory, iterations = how->iterations, lanes = 1;
	OSSL_PARAM params[6];

	if (memory > ARGON2_MEMORY_MAX)
		return -EINVAL;
	params[0] = OSSL_PARAM_construct_octet_string("pass", (void *)pin, length);
	params[1] = OSSL_PARAM_construct_octet_string("salt", (void *)how->salt, SALT_SIZE);
	params[2] = OSSL_PARAM_construct_uint32("iter", &iterations);
	params[3] = OSSL_PARAM_construct_uint32("memcost", &memory);
	params[4] = OSSL_PARAM_construct_uint32("lanes", &lanes);
	params[5] = OSSL_PARAM_construct_end();
	return run_kdf(kdf, params, key);
}

static int pbkdf2(EVP_KDF *kdf, const struct stretch *how, const uint8_t *pin, size_t length,
		  uint8_t key[SECRET_SIZE])
{
	uint32_t iterations = how->iterations;
	char digest[] = "SHA512";
	OSSL_PARAM params[5];

	params[0] = OSSL_PARAM_construct_octet_string("pass", (void *)pin, length);
	params[1] = OSSL_PARAM_construct_octet_string("salt", (void *)how->salt, SALT_SIZE);
	params[2] = OSSL_PARAM_construct_uint32("iter", &iterations);
	params[3] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
	params[4] = OSSL_PARAM_construct_end();
	return run_kdf(kdf, params, key);
}

static int stretch(const struct stretch *how, const uint8_t *pin, size_t length,
		   uint8_t key[SECRET_SIZE])
{
	bool memory_hard = how->kdf == PIN_KDF_ARGON2ID;
	EVP_KDF *kdf = EVP_KDF_fetch(mech_libctx(), memory_hard ? "ARGON2ID" : "PBKDF2", NULL);
	int ret;

	if (!kdf)
		return -EIO;
	if (memory_hard)
		ret = argon2(kdf, how, pin, length, key);
	else
		ret = pbkdf2(kdf, how, pin, length, key);
	EVP_KDF_free(kdf);
	return ret;
}

static bool have_argon2(void)
{
	EVP_KDF *kdf = EVP_KDF_fetch(mech_libctx(), "ARGON2ID", NULL);

	EVP_KDF_free(kdf);
	return kdf != NULL;
}

/* The best that libcrypto here has, with a new salt */
static int stretch_new(struct stretch *how)
{
	bool memory_hard = have_argon2();

	how->kdf = memory_hard ? PIN_KDF_ARGON2ID : PIN_KDF_PBKDF2;
	how->iterations = memory_hard ? ARGON2_ITERATIONS : PBKDF2_ITERATIONS;
	how->memory = memory_hard ? ARGON2_MEMORY : 0;
	return RAND_bytes_ex(mech_libctx(), how->salt, SALT_SIZE, 0) == 1 ? 0 : -EIO;
}

/* ---- making ---- */

/* Is it the PIN that is set now? For one that was set before there was a history */
static bool is_present(const struct credential *old, const uint8_t *pin, size_t length)
{
	uint8_t key[SECRET_SIZE], opened[SECRET_SIZE];
	bool same;

	if (!old || !old->set || stretch(&old->stretch, pin, length, key) < 0)
		return false;
	same = aead_open(key, old->stretch.salt, SALT_SIZE, old->wrapped, sizeof(old->wrapped),
			 opened) == 0;
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(opened, sizeof(opened));
	return same;
}

/*
 * The last PINs are kept as keys under one salt of their own, so that one derivation tells whether the new one is among
 * them. Nothing is kept where the policy asks for no history.
 */
static CK_RV remember(const struct partition *partition, const struct credential *old,
		      struct credential *credential, const uint8_t *pin, size_t length)
{
	uint32_t keep = policy_value(partition, HSM_POLICY_PIN_HISTORY), known = 0, i;
	uint8_t key[SECRET_SIZE];
	CK_RV rv = CKR_OK;

	if (!keep)
		return CKR_OK;
	if (old && old->history_count) {
		known = old->history_count;
		credential->past = old->past;
	} else if (stretch_new(&credential->past) < 0) {
		return CKR_DEVICE_ERROR;
	}
	if (!known && is_present(old, pin, length))
		return CKR_PIN_INVALID;
	if (stretch(&credential->past, pin, length, key) < 0)
		return CKR_DEVICE_ERROR;
	for (i = 0; i < known && i < keep; i++)
		if (!CRYPTO_memcmp(old->history[i], key, SECRET_SIZE))
			rv = CKR_PIN_INVALID;
	memcpy(credential->history[0], key, SECRET_SIZE);
	for (i = 0; i < known && i + 1 < keep; i++)
		memcpy(credential->history[i + 1], old->history[i], SECRET_SIZE);
	credential->history_count = i + 1;
	OPENSSL_cleanse(key, sizeof(key));
	return rv;
}

CK_RV pin_make(const struct partition *partition, const struct credential *old,
	       struct credential *credential, const uint8_t *pin, size_t length,
	       const uint8_t private_key[SECRET_SIZE])
{
	uint8_t key[SECRET_SIZE];
	CK_RV rv;
	int ret;

	memset(credential, 0, sizeof(*credential));
	if (pin_length(partition, length) != CKR_OK)
		return CKR_PIN_LEN_RANGE;
	rv = remember(partition, old, credential, pin, length);
	if (rv != CKR_OK)
		return rv;
	credential->set = 1;
	credential->changed_at = clock_now();
	ret = stretch_new(&credential->stretch);
	if (!ret)
		ret = stretch(&credential->stretch, pin, length, key);
	if (!ret)
		ret = aead_seal(key, credential->stretch.salt, SALT_SIZE, private_key, SECRET_SIZE,
				credential->wrapped);
	OPENSSL_cleanse(key, sizeof(key));
	return ret < 0 ? CKR_DEVICE_ERROR : CKR_OK;
}

/* ---- time ---- */

bool pin_expired(const struct partition *partition, const struct credential *credential)
{
	uint64_t days = policy_value(partition, HSM_POLICY_PIN_DAYS), now = clock_now();

	return days && credential->set && now > credential->changed_at &&
	       now - credential->changed_at > days * DAY_MS;
}

/*
 * After the second wrong PIN in a row the delay begins, and doubles with each further one. A failure that lies in
 * the future, since the clock was set back, counts from the start of this process.
 */
uint64_t pin_wait(const struct partition *partition, const struct credential *credential)
{
	uint64_t delay = policy_value(partition, HSM_POLICY_PIN_DELAY) * 1000ULL;
	uint64_t now = clock_now(), since = credential->failed_at;
	uint32_t i;

	if (!delay || credential->failures < DELAY_FROM)
		return 0;
	for (i = DELAY_FROM; i < credential->failures && delay < DELAY_MAX_MS; i++)
		delay *= 2;
	if (delay > DELAY_MAX_MS)
		delay = DELAY_MAX_MS;
	if (since > now)
		since = clock_start();
	return now - since < delay ? delay - (now - since) : 0;
}

/* ---- in the partition's state ---- */

const struct credential *credential_of(const struct partition_state *state, uint32_t account)
{
	const struct named_user *user;

	if (account == CKU_SO)
		return &state->so;
	if (account == CKU_USER)
		return &state->user;
	user = user_by_account(state->users, account);
	return user ? &user->credential : NULL;
}

/* Put another credential in its place in @next, and commit. The caller holds commit_lock. */
static CK_RV replace(struct partition *partition, struct partition_state *next, uint32_t account,
		     const struct credential *credential, bool advance)
{
	struct named_user *user;

	if (account == CKU_SO || account == CKU_USER) {
		*(account == CKU_SO ? &next->so : &next->user) = *credential;
		return store_commit(partition, next, NULL, 0, advance);
	}
	next->users = users_copy(next->users);
	if (!next->users)
		return CKR_HOST_MEMORY;
	user = (struct named_user *)user_by_account(next->users, account);
	if (!user) {
		users_free(next->users);
		return CKR_USER_TYPE_INVALID;
	}
	user->credential = *credential;
	return users_commit(partition, next, advance);
}

CK_RV credential_store(struct command *command, uint32_t account,
		       const struct credential *credential)
{
	char actor[AUDIT_ACTOR_MAX], subject[AUDIT_ACTOR_MAX];
	struct hsm_audit_record record = audit_begin(command, HSM_AUDIT_PIN_SET, actor);
	struct partition *partition = command->partition;
	struct partition_state next;
	CK_RV rv;

	record.subject = subject;
	/* Who knows the PIN and is not logged in changes its own. */
	if (!strcmp(actor, AUDIT_PUBLIC))
		record.actor = subject;
	pthread_mutex_lock(&partition->commit_lock);
	next = partition->state;
	audit_account(partition, &next, account, subject);
	rv = audit_record(partition, &next, &record);
	/* The old PIN must not come back with an older copy. */
	if (rv == CKR_OK)
		rv = replace(partition, &next, account, credential, true);
	pthread_mutex_unlock(&partition->commit_lock);
	OPENSSL_cleanse(&next, sizeof(next));
	return rv;
}

/* ---- trying ---- */

/* May it be tried now? */
static CK_RV may_try(struct command *command, const struct credential *credential)
{
	uint64_t wait;

	if (!credential || !credential->set)
		return CKR_USER_PIN_NOT_INITIALIZED;
	if (credential->failures >= policy_value(command->partition, HSM_POLICY_PIN_TRIES))
		return CKR_PIN_LOCKED;
	wait = pin_wait(command->partition, credential);
	if (!wait)
		return CKR_OK;
	hsm_put_u64(&command->out, HSM_FIELD_RETRY_AFTER, wait);
	return CKR_PIN_LOCKED;
}

/* Put one more failure on disk; @credential is what it then is, to be tried. */
static CK_RV count_try(struct command *command, uint32_t account, struct credential *credential)
{
	struct partition *partition = command->partition;
	struct partition_state next;
	CK_RV rv;

	pthread_mutex_lock(&partition->commit_lock);
	next = partition->state;
	rv = may_try(command, credential_of(&next, account));
	if (rv == CKR_OK) {
		*credential = *credential_of(&next, account);
		credential->failures++;
		credential->failed_at = clock_now();
		rv = audit_try(partition, &next, account);
	}
	if (rv == CKR_OK)
		rv = replace(partition, &next, account, credential, true);
	pthread_mutex_unlock(&partition->commit_lock);
	OPENSSL_cleanse(&next, sizeof(next));
	return rv;
}

static CK_RV forgive(struct command *command, uint32_t account, struct credential *credential)
{
	struct partition *partition = command->partition;
	const struct credential *now;
	struct partition_state next;
	CK_RV rv;

	pthread_mutex_lock(&partition->commit_lock);
	next = partition->state;
	now = credential_of(&next, account);
	if (!now || CRYPTO_memcmp(now->stretch.salt, credential->stretch.salt, SALT_SIZE)) {
		rv = CKR_PIN_INCORRECT; /* changed meanwhile */
	} else {
		credential->failures = 0;
		credential->failed_at = 0;
		rv = audit_right(command, &next, account);
		if (rv == CKR_OK)
			rv = replace(partition, &next, account, credential, false);
	}
	pthread_mutex_unlock(&partition->commit_lock);
	OPENSSL_cleanse(&next, sizeof(next));
	return rv;
}

CK_RV pin_check(struct command *command, uint32_t account, const uint8_t *pin, size_t length,
		uint8_t private_key[SECRET_SIZE])
{
	struct credential credential;
	uint8_t key[SECRET_SIZE];
	CK_RV rv;
	int ret;

	if (!length || length > PIN_MAX)
		return CKR_PIN_INCORRECT;
	atomic_store(&command->partition->trying, true);
	rv = count_try(command, account, &credential);
	if (rv != CKR_OK) {
		atomic_store(&command->partition->trying, false);
		return rv;
	}
	ret = stretch(&credential.stretch, pin, length, key);
	if (ret < 0)
		rv = CKR_DEVICE_ERROR;
	else if (aead_open(key, credential.stretch.salt, SALT_SIZE, credential.wrapped,
			   sizeof(credential.wrapped), private_key) < 0)
		rv = CKR_PIN_INCORRECT;
	else
		rv = forgive(command, account, &credential);
	atomic_store(&command->partition->trying, false);
	if (rv == CKR_PIN_INCORRECT &&
	    credential.failures >= policy_value(command->partition, HSM_POLICY_PIN_TRIES))
		(void)audit_wrong(command->partition);
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(&credential, sizeof(credential));
	if (rv != CKR_OK)
		OPENSSL_cleanse(private_key, SECRET_SIZE);
	return rv;
}

/* ---- on disk ---- */

static void write_stretch(struct header_cursor *cursor, const struct stretch *how)
{
	header_put32(cursor, how->kdf);
	header_put32(cursor, how->iterations);
	header_put32(cursor, how->memory);
	header_put(cursor, how->salt, sizeof(how->salt));
}

static void read_stretch(struct header_cursor *cursor, struct stretch *how)
{
	how->kdf = header_get32(cursor);
	how->iterations = header_get32(cursor);
	how->memory = header_get32(cursor);
	header_get(cursor, how->salt, sizeof(how->salt));
}

void credential_write(struct header_cursor *cursor, const struct credential *credential)
{
	uint32_t i;

	header_put32(cursor, credential->set);
	header_put32(cursor, credential->failures);
	header_put64(cursor, credential->failed_at);
	header_put64(cursor, credential->changed_at);
	write_stretch(cursor, &credential->stretch);
	header_put(cursor, credential->wrapped, sizeof(credential->wrapped));
	header_put32(cursor, credential->history_count);
	if (credential->history_count)
		write_stretch(cursor, &credential->past);
	for (i = 0; i < credential->history_count; i++)
		header_put(cursor, credential->history[i], SECRET_SIZE);
}

void credential_read(struct header_cursor *cursor, struct credential *credential)
{
	uint32_t i;

	credential->set = header_get32(cursor);
	credential->failures = header_get32(cursor);
	credential->failed_at = header_get64(cursor);
	credential->changed_at = header_get64(cursor);
	read_stretch(cursor, &credential->stretch);
	header_get(cursor, credential->wrapped, sizeof(credential->wrapped));
	credential->history_count = header_get32(cursor);
	if (credential->history_count > PIN_HISTORY_MAX) {
		credential->history_count = 0;
		cursor->error = cursor->error ? cursor->error : -EBADMSG;
	}
	if (credential->history_count)
		read_stretch(cursor, &credential->past);
	for (i = 0; i < credential->history_count; i++)
		header_get(cursor, credential->history[i], SECRET_SIZE);
}
