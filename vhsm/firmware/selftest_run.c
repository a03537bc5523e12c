// SPDX-License-Identifier: Apache-2.0
/*
 * Running the known answers (selftest_kat.c) through the same code as a tenant's commands: keys come in by mech_import(),
 * operations run by mech_begin() and its kin.
 */
#include <stdlib.h>
#include <string.h>
#include <openssl/core_names.h>
#include <openssl/rand.h>
#include "mech_private.h"
#include "selftest.h"
#include "selftest_kat.h"

#define BYTES_MAX      4096 /* of any key part, input or answer */
#define PARAMETERS_MAX 1024
#define DRBG_STRENGTH  256

/* Bytes of a row, in memory of their own */
struct bytes {
	size_t length;
	uint8_t data[BYTES_MAX];
};

static unsigned int digit(char c)
{
	return (unsigned int)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void unhex(const char *hex, struct bytes *bytes)
{
	for (bytes->length = 0; hex && hex[0] && hex[1] && bytes->length < BYTES_MAX; hex += 2)
		bytes->data[bytes->length++] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
}

static bool used(const struct selftest_item *item)
{
	return item->hex || item->type;
}

/* ---- what a row needs ---- */

/**
 * struct trial - one row, made ready
 * @scratch: of hexadecimal
 * @got: what the mechanism gave
 */
struct trial {
	struct mechanism mechanism;
	struct hsm_fields fields;
	uint8_t parameters[PARAMETERS_MAX];
	struct attributes attributes;
	struct key *key;
	struct bytes scratch;
	struct bytes in;
	struct bytes out;
	struct bytes got;
};

static bool make_parameters(struct trial *trial, const struct selftest *test)
{
	const struct selftest_item *item;
	struct hsm_writer writer;

	hsm_writer_init(&writer, trial->parameters, sizeof(trial->parameters));
	for (item = test->parameters; item < test->parameters + SELFTEST_ITEMS && used(item);
	     item++) {
		unhex(item->hex, &trial->scratch);
		if (item->hex)
			hsm_put_bytes(&writer, item->type, trial->scratch.data,
				      trial->scratch.length);
		else
			hsm_put_u64(&writer, item->type, item->number);
	}
	trial->mechanism.info = hsm_mechanism_find(test->mechanism);
	trial->mechanism.fields = &trial->fields;
	return !writer.error && !hsm_fields_parse(&trial->fields, trial->parameters, writer.length);
}

static CK_RV set_item(struct trial *trial, const struct selftest_item *item)
{
	if (!item->hex)
		return attributes_set_ulong(&trial->attributes, item->type, item->number);
	unhex(item->hex, &trial->scratch);
	return attributes_set(&trial->attributes, item->type, trial->scratch.data,
			      trial->scratch.length);
}

static bool make_key(struct trial *trial, const struct selftest *test)
{
	const struct selftest_item *item;
	CK_RV rv;

	if (!used(test->key))
		return true;
	rv = attributes_set_ulong(&trial->attributes, CKA_CLASS, test->class);
	if (rv == CKR_OK)
		rv = attributes_set_ulong(&trial->attributes, CKA_KEY_TYPE, test->key_type);
	for (item = test->key; rv == CKR_OK && item < test->key + SELFTEST_ITEMS && used(item);
	     item++)
		rv = set_item(trial, item);
	/* That the primes of an RSA key are primes takes 30 ms to find out, and those in the table are. */
	if (rv == CKR_OK && test->key_type != CKK_RSA)
		rv = mech_import(&trial->attributes);
	if (rv == CKR_OK)
		trial->key = key_new(&trial->attributes);
	return trial->key != NULL;
}

static bool expected(struct trial *trial, const struct selftest *test)
{
	struct bytes *got = &trial->got;
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned int length;

	if (test->hashed) {
		if (!EVP_Digest(got->data, got->length, hash, &length,
				mech_hash_md(mech_hash_find(CKM_SHA256)), NULL))
			return false;
		memcpy(got->data, hash, length);
		got->length = length;
	}
	return got->length == trial->out.length && !memcmp(got->data, trial->out.data, got->length);
}

/* ---- one function for each kind ---- */

static CK_RV whole(struct trial *trial, enum mech_use use, struct key *key, const struct bytes *in,
		   struct bytes *out)
{
	struct mech_operation *operation;
	CK_RV rv = mech_begin(&operation, use, &trial->mechanism, key);

	if (rv != CKR_OK)
		return rv;
	out->length = sizeof(out->data);
	rv = mech_single(operation, in->data, in->length, out->data, &out->length);
	mech_free(operation);
	return rv;
}

static CK_RV verify(struct trial *trial, struct key *key, const struct bytes *signature)
{
	struct mech_operation *operation;
	CK_RV rv = mech_begin(&operation, MECH_VERIFY, &trial->mechanism, key);

	if (rv != CKR_OK)
		return rv;
	rv = mech_verify(operation, trial->in.data, trial->in.length, signature->data,
			 signature->length);
	mech_free(operation);
	return rv;
}

/* It verifies, and with one bit turned over it does not. */
static bool verifies(struct trial *trial, struct key *key, struct bytes *signature)
{
	if (!signature->length || verify(trial, key, signature) != CKR_OK)
		return false;
	signature->data[signature->length / 2] ^= 1;
	return verify(trial, key, signature) == CKR_SIGNATURE_INVALID;
}

static bool try_digest(struct trial *trial, const struct selftest *test)
{
	return whole(trial, MECH_DIGEST, NULL, &trial->in, &trial->got) == CKR_OK &&
	       expected(trial, test);
}

static bool try_decrypt(struct trial *trial, const struct selftest *test)
{
	return whole(trial, MECH_DECRYPT, trial->key, &trial->in, &trial->got) == CKR_OK &&
	       expected(trial, test);
}

static bool try_cipher(struct trial *trial, const struct selftest *test)
{
	struct bytes *back = &trial->scratch;

	if (whole(trial, MECH_ENCRYPT, trial->key, &trial->in, &trial->got) != CKR_OK ||
	    !expected(trial, test))
		return false;
	return whole(trial, MECH_DECRYPT, trial->key, &trial->got, back) == CKR_OK &&
	       back->length == trial->in.length &&
	       !memcmp(back->data, trial->in.data, back->length);
}

/* The other half of a private key; a reference to a secret key itself */
static struct key *verifier(struct trial *trial, const struct selftest *test)
{
	struct attributes half = { 0 };
	const struct attribute *curve = attributes_find(&trial->attributes, CKA_EC_PARAMS);
	EVP_PKEY *pkey;
	struct key *key = NULL;
	CK_RV rv;

	if (test->class == CKO_SECRET_KEY)
		return key_get(trial->key);
	pkey = key_pkey(trial->key);
	rv = pkey ? attributes_set_ulong(&half, CKA_CLASS, CKO_PUBLIC_KEY) : CKR_FUNCTION_FAILED;
	if (rv == CKR_OK)
		rv = attributes_set_ulong(&half, CKA_KEY_TYPE, test->key_type);
	if (rv == CKR_OK && curve)
		rv = attributes_set(&half, CKA_EC_PARAMS, curve->value, curve->length);
	if (rv == CKR_OK)
		rv = mech_pkey_fill(&half, pkey, CKO_PUBLIC_KEY, test->key_type);
	if (rv == CKR_OK)
		key = key_new(&half);
	attributes_free(&half);
	return key;
}

static bool try_sign(struct trial *trial, const struct selftest *test)
{
	struct bytes *signature = &trial->scratch;
	struct key *key;
	bool ok;

	if (whole(trial, MECH_SIGN, trial->key, &trial->in, &trial->got) != CKR_OK)
		return false;
	*signature = trial->got;
	if (test->out && !expected(trial, test))
		return false;
	key = verifier(trial, test);
	ok = key && verifies(trial, key, signature);
	key_put(key);
	return ok;
}

static bool try_verify(struct trial *trial, const struct selftest *test)
{
	(void)test;
	return verifies(trial, trial->key, &trial->out);
}

/* The value of the secret that came out */
static bool take_secret(struct trial *trial, const struct attributes *secret)
{
	const struct attribute *value = attributes_find(secret, CKA_VALUE);

	if (!value || value->length > BYTES_MAX)
		return false;
	memcpy(trial->got.data, value->value, value->length);
	trial->got.length = value->length;
	return true;
}

static bool try_secret(struct trial *trial, const struct selftest *test)
{
	struct attributes secret = { 0 };
	bool ok;
	CK_RV rv = attributes_set_ulong(&secret, CKA_CLASS, CKO_SECRET_KEY);

	if (rv == CKR_OK)
		rv = attributes_set_ulong(&secret, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
	if (rv == CKR_OK)
		rv = attributes_set_ulong(&secret, CKA_VALUE_LEN, trial->out.length);
	if (rv == CKR_OK && test->kind == SELFTEST_DERIVE)
		rv = mech_derive(&trial->mechanism, trial->key, &secret);
	else if (rv == CKR_OK)
		rv = mech_decapsulate(&trial->mechanism, trial->key, trial->in.data,
				      trial->in.length, &secret);
	ok = rv == CKR_OK && take_secret(trial, &secret) && expected(trial, test);
	attributes_free(&secret);
	return ok;
}

/* CTR_DRBG with AES-256 and without a derivation function, on entropy that is given (SP 800-90A, 10.2.1) */
static EVP_RAND_CTX *make_generator(EVP_RAND_CTX *source)
{
	EVP_RAND *type = EVP_RAND_fetch(mech_libctx(), "CTR-DRBG", NULL);
	EVP_RAND_CTX *generator = type ? EVP_RAND_CTX_new(type, source) : NULL;
	char cipher[] = "AES-256-CTR";
	int derivation = 0;
	OSSL_PARAM params[3];

	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_DRBG_PARAM_CIPHER, cipher, 0);
	params[1] = OSSL_PARAM_construct_int(OSSL_DRBG_PARAM_USE_DF, &derivation);
	params[2] = OSSL_PARAM_construct_end();
	EVP_RAND_free(type);
	if (generator && EVP_RAND_CTX_set_params(generator, params) > 0)
		return generator;
	EVP_RAND_CTX_free(generator);
	return NULL;
}

static EVP_RAND_CTX *make_source(struct bytes *entropy)
{
	/* The source of known bytes is no approved generator, so the property is set aside for it. */
	EVP_RAND *type = EVP_RAND_fetch(mech_libctx(), "TEST-RAND", "-fips");
	EVP_RAND_CTX *source = type ? EVP_RAND_CTX_new(type, NULL) : NULL;
	unsigned int strength = DRBG_STRENGTH;
	OSSL_PARAM params[3];

	params[0] = OSSL_PARAM_construct_uint(OSSL_RAND_PARAM_STRENGTH, &strength);
	params[1] = OSSL_PARAM_construct_octet_string(OSSL_RAND_PARAM_TEST_ENTROPY, entropy->data,
						      entropy->length);
	params[2] = OSSL_PARAM_construct_end();
	EVP_RAND_free(type);
	if (source && EVP_RAND_instantiate(source, strength, 0, NULL, 0, params) > 0)
		return source;
	EVP_RAND_CTX_free(source);
	return NULL;
}

static bool try_random(struct trial *trial, const struct selftest *test)
{
	EVP_RAND_CTX *source = make_source(&trial->in);
	EVP_RAND_CTX *generator = source ? make_generator(source) : NULL;
	struct bytes *got = &trial->got;
	bool ok;

	unhex(test->parameters[0].hex, &trial->scratch);
	got->length = trial->out.length;
	ok = generator &&
	     EVP_RAND_instantiate(generator, DRBG_STRENGTH, 0, trial->scratch.data,
				  trial->scratch.length, NULL) > 0 &&
	     EVP_RAND_generate(generator, got->data, got->length, DRBG_STRENGTH, 0, NULL, 0) > 0 &&
	     EVP_RAND_generate(generator, got->data, got->length, DRBG_STRENGTH, 0, NULL, 0) > 0;
	EVP_RAND_CTX_free(generator);
	EVP_RAND_CTX_free(source);
	return ok && expected(trial, test);
}

/* ---- all of them ---- */

static bool run(struct trial *trial, const struct selftest *test)
{
	static bool (*const kinds[])(struct trial *, const struct selftest *) = {
		[SELFTEST_DIGEST] = try_digest,	  [SELFTEST_CIPHER] = try_cipher,
		[SELFTEST_DECRYPT] = try_decrypt, [SELFTEST_SIGN] = try_sign,
		[SELFTEST_VERIFY] = try_verify,	  [SELFTEST_DERIVE] = try_secret,
		[SELFTEST_RANDOM] = try_random,	  [SELFTEST_DECAPSULATE] = try_secret,
	};

	unhex(test->in, &trial->in);
	unhex(test->out, &trial->out);
	if (test->kind != SELFTEST_RANDOM &&
	    !(make_parameters(trial, test) && make_key(trial, test)))
		return false;
	return kinds[test->kind](trial, test);
}

bool selftest_offered(const struct selftest *test)
{
	return test->kind == SELFTEST_RANDOM || mech_available(hsm_mechanism_find(test->mechanism));
}

bool selftest_known_answer(const struct selftest *test)
{
	struct trial *trial = calloc(1, sizeof(*trial));
	bool ok;

	if (!trial)
		return false;
	ok = run(trial, test);
	key_put(trial->key);
	attributes_free(&trial->attributes);
	free(trial);
	mech_failed(CKR_OK);
	return ok;
}

CK_RV selftest_run(unsigned int *count)
{
	const struct selftest *table;
	size_t rows = selftest_table(&table);

	*count = 0;
	for (size_t i = 0; i < rows; i++) {
		if (!selftest_offered(&table[i]))
			continue;
		if (!selftest_known_answer(&table[i]))
			return selftest_fail(table[i].name);
		(*count)++;
	}
	return CKR_OK;
}
