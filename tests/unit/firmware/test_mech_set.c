// SPDX-License-Identifier: Apache-2.0
/*
 * ML-DSA, ML-KEM and SLH-DSA by published answers: every parameter set's signatures, keys from seeds, decapsulation; and
 * what HashSLH-DSA and HashML-DSA sign, byte for byte. Skipped where libcrypto does not have them.
 */
#include "mech_testing.h"
#include "vectors_set.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool have_sets(void)
{
	return mech_available(hsm_mechanism_find(CKM_SLH_DSA));
}

static void digest_of(const void *data, size_t length, char hex[65])
{
	uint8_t digest[32];

	assert_true(EVP_Digest(data, length, digest, NULL, EVP_sha256(), NULL));
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

static void assert_digest(const void *data, size_t length, const char *wanted)
{
	char hex[65];

	digest_of(data, length, hex);
	assert_string_equal(hex, wanted);
}

static struct key *private_key(uint64_t type, uint64_t set, uint64_t what, const char *hex,
			       struct attributes *attributes)
{
	uint8_t value[8192];
	struct key *key;

	set_head(attributes, CKO_PRIVATE_KEY, type);
	attributes_set_ulong(attributes, CKA_PARAMETER_SET, set);
	attributes_set(attributes, what, value, from_hex(hex, value, sizeof(value)));
	assert_int_equal(mech_import(attributes), CKR_OK);
	key = key_new(attributes);
	assert_non_null(key);
	return key;
}

/* The public half, from the private one's SubjectPublicKeyInfo, whose last bytes it is */
static struct key *public_key(const struct attributes *private_attributes, uint64_t type,
			      uint64_t set, size_t length)
{
	const struct attribute *info = attributes_find(private_attributes, CKA_PUBLIC_KEY_INFO);
	struct attributes attributes = { 0 };
	struct key *key;

	set_head(&attributes, CKO_PUBLIC_KEY, type);
	attributes_set_ulong(&attributes, CKA_PARAMETER_SET, set);
	attributes_set(&attributes, CKA_VALUE, info->value + info->length - length, length);
	assert_int_equal(mech_import(&attributes), CKR_OK);
	key = key_new(&attributes);
	attributes_free(&attributes);
	return key;
}

static const struct mechanism *with_context(struct call *call, uint64_t mechanism,
					    const void *context, size_t length, uint64_t hash)
{
	call_start(call, mechanism);
	hsm_put_u64(&call->writer, HSM_FIELD_HEDGE, CKH_DETERMINISTIC_REQUIRED);
	hsm_put_bytes(&call->writer, HSM_FIELD_CONTEXT, context, length);
	if (hash)
		hsm_put_u64(&call->writer, HSM_FIELD_HASH, hash);
	return call_end(call);
}

static void test_signatures(void **state)
{
	static uint8_t signature[MECH_SIGNATURE_MAX];
	uint8_t context[256] = { 0 }, message[2048];
	struct attributes attributes = { 0 };
	const struct mechanism *mechanism;
	struct key *key, *verifier;
	struct call call;
	size_t length, made;

	(void)state;
	if (!have_sets())
		skip();
	for (size_t i = 0; i < COUNT(set_sign_vectors); i++) {
		const struct set_sign_vector *vector = &set_sign_vectors[i];

		key = private_key(vector->type, vector->set, CKA_VALUE, vector->key, &attributes);
		verifier = public_key(&attributes, vector->type, vector->set, key->size);
		mechanism = with_context(&call,
					 vector->type == CKK_ML_DSA ? CKM_ML_DSA : CKM_SLH_DSA,
					 context,
					 from_hex(vector->context, context, sizeof(context)), 0);
		length = from_hex(vector->message, message, sizeof(message));
		made = sizeof(signature);
		assert_int_equal(run(MECH_SIGN, mechanism, key, message, length, signature, &made),
				 CKR_OK);
		assert_digest(signature, made, vector->digest);
		assert_int_equal(run_verify(mechanism, verifier, message, length, signature, made),
				 CKR_OK);
		context[0] ^= 1;
		mechanism = with_context(&call,
					 vector->type == CKK_ML_DSA ? CKM_ML_DSA : CKM_SLH_DSA,
					 context, strlen(vector->context) / 2, 0);
		assert_int_equal(run_verify(mechanism, verifier, message, length, signature, made),
				 CKR_SIGNATURE_INVALID);
		attributes_free(&attributes);
		key_put(key);
		key_put(verifier);
	}
}

static void test_seeds(void **state)
{
	struct attributes attributes = { 0 };
	const struct attribute *info;
	struct key *key;

	(void)state;
	if (!have_sets())
		skip();
	for (size_t i = 0; i < COUNT(seed_vectors); i++) {
		const struct seed_vector *vector = &seed_vectors[i];

		key = private_key(vector->type, vector->set, CKA_SEED, vector->seed, &attributes);
		info = attributes_find(&attributes, CKA_PUBLIC_KEY_INFO);
		assert_digest(info->value + info->length - key->size, key->size,
			      vector->public_digest);
		info = attributes_find(&attributes, CKA_VALUE);
		assert_digest(info->value, info->length, vector->private_digest);
		attributes_free(&attributes);
		key_put(key);
	}
}

static void test_decapsulation(void **state)
{
	uint8_t ciphertext[2048], secret[32];
	struct attributes attributes = { 0 }, got = { 0 };
	struct call call;
	struct key *key;
	size_t length;

	(void)state;
	if (!have_sets())
		skip();
	call_plain(&call, CKM_ML_KEM);
	for (size_t i = 0; i < COUNT(decapsulate_vectors); i++) {
		key = private_key(CKK_ML_KEM, decapsulate_vectors[i].set, CKA_VALUE,
				  decapsulate_vectors[i].key, &attributes);
		length =
			from_hex(decapsulate_vectors[i].ciphertext, ciphertext, sizeof(ciphertext));
		from_hex(decapsulate_vectors[i].secret, secret, sizeof(secret));
		set_head(&got, CKO_SECRET_KEY, CKK_GENERIC_SECRET);
		assert_int_equal(mech_decapsulate(&call.mechanism, key, ciphertext, length, &got),
				 CKR_OK);
		assert_memory_equal(attributes_find(&got, CKA_VALUE)->value, secret,
				    sizeof(secret));
		attributes_free(&attributes);
		attributes_free(&got);
		key_put(key);
	}
}

/* ---- over a hash ---- */

/* FIPS 204, algorithm 4, and FIPS 205, algorithm 23: 1, length of the context, context, OID of the hash, hash */
static size_t representative(const char *name, uint8_t arc, size_t digest_length, uint8_t *out)
{
	static const uint8_t head[] = "\x01\x03"
				      "ctx\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02";
	EVP_MD *md = EVP_MD_fetch(mech_libctx(), name, NULL);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t at = sizeof(head) - 1;

	memcpy(out, head, at);
	out[at++] = arc;
	assert_true(EVP_DigestInit_ex(ctx, md, NULL) && EVP_DigestUpdate(ctx, "message", 7));
	if (EVP_MD_get_flags(md) & EVP_MD_FLAG_XOF)
		assert_true(EVP_DigestFinalXOF(ctx, out + at, digest_length));
	else
		assert_true(EVP_DigestFinal_ex(ctx, out + at, NULL));
	EVP_MD_CTX_free(ctx);
	EVP_MD_free(md);
	return at + digest_length;
}

/* libcrypto's deterministic signature of exactly these bytes */
static size_t sign_raw(struct key *key, const uint8_t *bytes, size_t length, uint8_t *signature)
{
	int encoding = 0, deterministic = 1;
	OSSL_PARAM params[] = { OSSL_PARAM_construct_int("message-encoding", &encoding),
				OSSL_PARAM_construct_int("deterministic", &deterministic),
				OSSL_PARAM_construct_end() };
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t made = MECH_SIGNATURE_MAX;

	assert_true(EVP_DigestSignInit_ex(ctx, NULL, NULL, mech_libctx(), NULL, key_pkey(key),
					  params) > 0);
	assert_true(EVP_DigestSign(ctx, signature, &made, bytes, length) > 0);
	EVP_MD_CTX_free(ctx);
	return made;
}

static void try_hash(struct pair *pair, uint64_t generic, uint64_t mechanism, uint64_t hash,
		     const char *name, uint8_t arc, size_t digest_length)
{
	static uint8_t wanted[MECH_SIGNATURE_MAX], signature[MECH_SIGNATURE_MAX];
	uint8_t bytes[256];
	size_t length = representative(name, arc, digest_length, bytes);
	size_t wanted_length = sign_raw(pair->private_key, bytes, length, wanted);
	size_t made = sizeof(signature);
	const struct mechanism *with;
	struct call call;

	with = with_context(&call, mechanism, "ctx", 3, 0);
	assert_int_equal(run(MECH_SIGN, with, pair->private_key, "message", 7, signature, &made),
			 CKR_OK);
	assert_int_equal(made, wanted_length);
	assert_memory_equal(signature, wanted, made);
	assert_int_equal(run_verify(with, pair->public_key, "message", 7, signature, made), CKR_OK);
	assert_int_equal(run_verify(with, pair->public_key, "massage", 7, signature, made),
			 CKR_SIGNATURE_INVALID);
	if (!hash)
		return;
	/* The same with a hash made elsewhere */
	with = with_context(&call, generic, "ctx", 3, hash);
	assert_int_equal(run_verify(with, pair->public_key, bytes + length - digest_length,
				    digest_length, signature, made),
			 CKR_OK);
	assert_int_equal(run_verify(with, pair->public_key, bytes, digest_length - 1, signature,
				    made),
			 CKR_DATA_LEN_RANGE);
}

static void test_hashes(void **state)
{
	static const struct {
		uint64_t ml_dsa;
		uint64_t slh_dsa;
		uint64_t hash;
		const char *name;
		uint8_t arc;
		uint8_t length;
	} hashes[] = {
		{ CKM_HASH_ML_DSA_SHA224, CKM_HASH_SLH_DSA_SHA224, CKM_SHA224, "SHA2-224", 4, 28 },
		{ CKM_HASH_ML_DSA_SHA256, CKM_HASH_SLH_DSA_SHA256, CKM_SHA256, "SHA2-256", 1, 32 },
		{ CKM_HASH_ML_DSA_SHA384, CKM_HASH_SLH_DSA_SHA384, CKM_SHA384, "SHA2-384", 2, 48 },
		{ CKM_HASH_ML_DSA_SHA512, CKM_HASH_SLH_DSA_SHA512, CKM_SHA512, "SHA2-512", 3, 64 },
		{ CKM_HASH_ML_DSA_SHA3_224, CKM_HASH_SLH_DSA_SHA3_224, CKM_SHA3_224, "SHA3-224", 7,
		  28 },
		{ CKM_HASH_ML_DSA_SHA3_256, CKM_HASH_SLH_DSA_SHA3_256, CKM_SHA3_256, "SHA3-256", 8,
		  32 },
		{ CKM_HASH_ML_DSA_SHA3_384, CKM_HASH_SLH_DSA_SHA3_384, CKM_SHA3_384, "SHA3-384", 9,
		  48 },
		{ CKM_HASH_ML_DSA_SHA3_512, CKM_HASH_SLH_DSA_SHA3_512, CKM_SHA3_512, "SHA3-512", 10,
		  64 },
		{ CKM_HASH_ML_DSA_SHAKE128, CKM_HASH_SLH_DSA_SHAKE128, 0, "SHAKE128", 11, 32 },
		{ CKM_HASH_ML_DSA_SHAKE256, CKM_HASH_SLH_DSA_SHAKE256, 0, "SHAKE256", 12, 64 },
	};
	uint64_t dsa = htole64(CKP_ML_DSA_65), slh = htole64(CKP_SLH_DSA_SHA2_128F);
	struct pair ml_dsa, slh_dsa;

	(void)state;
	if (!have_sets())
		skip();
	assert_int_equal(pair_generate(&ml_dsa, CKM_ML_DSA_KEY_PAIR_GEN, CKK_ML_DSA,
				       CKA_PARAMETER_SET, &dsa, sizeof(dsa)),
			 CKR_OK);
	assert_int_equal(pair_generate(&slh_dsa, CKM_SLH_DSA_KEY_PAIR_GEN, CKK_SLH_DSA,
				       CKA_PARAMETER_SET, &slh, sizeof(slh)),
			 CKR_OK);
	for (size_t i = 0; i < COUNT(hashes); i++) {
		try_hash(&ml_dsa, CKM_HASH_ML_DSA, hashes[i].ml_dsa, hashes[i].hash, hashes[i].name,
			 hashes[i].arc, hashes[i].length);
		try_hash(&slh_dsa, CKM_HASH_SLH_DSA, hashes[i].slh_dsa, hashes[i].hash,
			 hashes[i].name, hashes[i].arc, hashes[i].length);
	}
	pair_free(&ml_dsa);
	pair_free(&slh_dsa);
}

/* ---- parameter sets ---- */

static void test_unknown_sets(void **state)
{
	static const struct {
		uint64_t mechanism;
		uint64_t type;
		uint64_t set;
	} cases[] = {
		{ CKM_ML_DSA_KEY_PAIR_GEN, CKK_ML_DSA, CKP_ML_DSA_87 + 1 },
		{ CKM_ML_KEM_KEY_PAIR_GEN, CKK_ML_KEM, 0 },
		{ CKM_SLH_DSA_KEY_PAIR_GEN, CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_256F + 1 },
	};
	struct attributes attributes = { 0 };
	struct pair pair;
	uint64_t set;

	(void)state;
	if (!have_sets())
		skip();
	for (size_t i = 0; i < COUNT(cases); i++) {
		set = htole64(cases[i].set);
		assert_int_equal(pair_generate(&pair, cases[i].mechanism, cases[i].type,
					       CKA_PARAMETER_SET, &set, sizeof(set)),
				 CKR_PARAMETER_SET_NOT_SUPPORTED);
		pair_free(&pair);
		set_head(&attributes, CKO_PUBLIC_KEY, cases[i].type);
		attributes_set_ulong(&attributes, CKA_PARAMETER_SET, cases[i].set);
		attributes_set(&attributes, CKA_VALUE, "value", 5);
		assert_int_equal(mech_import(&attributes), CKR_PARAMETER_SET_NOT_SUPPORTED);
		attributes_free(&attributes);
	}
	/* Of another set's length */
	set_head(&attributes, CKO_PUBLIC_KEY, CKK_SLH_DSA);
	attributes_set_ulong(&attributes, CKA_PARAMETER_SET, CKP_SLH_DSA_SHA2_128S);
	attributes_set(&attributes, CKA_VALUE, cases, 48);
	assert_int_equal(mech_import(&attributes), CKR_ATTRIBUTE_VALUE_INVALID);
	attributes_free(&attributes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signatures),    cmocka_unit_test(test_seeds),
		cmocka_unit_test(test_decapsulation), cmocka_unit_test(test_hashes),
		cmocka_unit_test(test_unknown_sets),
	};

	return cmocka_run_group_tests(tests, library_start, library_stop);
}
