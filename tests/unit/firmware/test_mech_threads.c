// SPDX-License-Identifier: Apache-2.0
/*
 * Several threads on the same keys: operations that end in one thread are parked and taken up by another, mechanisms change
 * on one key, and every result is checked by the other half.
 */
#include "mech_testing.h"

#define THREADS 6
#define ROUNDS	60

static struct pair rsa, p256;
static struct key *aes;

static bool sign_and_verify(struct pair *pair, uint64_t number, uint8_t seed)
{
	uint8_t text[32], signature[512];
	size_t length = sizeof(signature);
	struct hsm_fields none = { 0 };
	struct mechanism mechanism = { .info = hsm_mechanism_find(number), .fields = &none };

	memset(text, seed, sizeof(text));
	return run(MECH_SIGN, &mechanism, pair->private_key, text, sizeof(text), signature,
		   &length) == CKR_OK &&
	       run_verify(&mechanism, pair->public_key, text, sizeof(text), signature, length) ==
		       CKR_OK;
}

static bool there_and_back(uint64_t number, uint8_t seed, size_t iv_length)
{
	static const uint64_t bits = 128;
	uint8_t iv[16], plain[100], cipher[132], back[132];
	uint8_t le[8];
	size_t length = sizeof(cipher), back_length = sizeof(back);
	struct hsm_fields fields = { .count = 1,
				     .field = { { HSM_FIELD_IV, (uint32_t)iv_length, iv } } };
	struct mechanism mechanism = { .info = hsm_mechanism_find(number), .fields = &fields };
	uint64_t value = htole64(bits);

	memcpy(le, &value, sizeof(le));
	if (number == CKM_AES_GCM)
		fields.field[fields.count++] = (struct hsm_field){ HSM_FIELD_TAG_BITS, 8, le };
	memset(iv, seed, sizeof(iv));
	memset(plain, seed + 1, sizeof(plain));
	return run(MECH_ENCRYPT, &mechanism, aes, plain, sizeof(plain), cipher, &length) ==
		       CKR_OK &&
	       run(MECH_DECRYPT, &mechanism, aes, cipher, length, back, &back_length) == CKR_OK &&
	       back_length == sizeof(plain) && !memcmp(back, plain, sizeof(plain));
}

/* Return: NULL, or anything else when something was wrong. cmocka's assertions belong to the main thread alone. */
static void *work(void *arg)
{
	uint8_t seed = (uint8_t)(uintptr_t)arg;
	bool ok = true;

	for (int i = 0; ok && i < ROUNDS; i++, seed = (uint8_t)(seed + THREADS)) {
		ok = sign_and_verify(&p256, CKM_ECDSA, seed) &&
		     sign_and_verify(&p256, CKM_ECDSA_SHA256, seed) &&
		     sign_and_verify(&rsa, i % 2 ? CKM_SHA256_RSA_PKCS : CKM_RSA_PKCS, seed) &&
		     there_and_back(CKM_AES_GCM, seed, 12) &&
		     there_and_back(CKM_AES_GCM, seed, 16) &&
		     there_and_back(CKM_AES_CBC_PAD, seed, 16);
	}
	return ok ? NULL : arg;
}

static void test_shared_keys(void **state)
{
	pthread_t thread[THREADS];
	void *failed;

	(void)state;
	assert_int_equal(pair_rsa(&rsa, 2048), CKR_OK);
	assert_int_equal(pair_p256(&p256), CKR_OK);
	aes = secret_key(CKK_AES, "0123456789abcdef", 16);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, work, (void *)(i + 1)), 0);
	for (unsigned int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(thread[i], &failed), 0);
		assert_null(failed);
	}
	/* What is parked at a key does not keep it. */
	assert_int_equal(atomic_load(&aes->references), 1);
	pair_free(&rsa);
	pair_free(&p256);
	key_put(aes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared_keys),
	};

	return cmocka_run_group_tests(tests, library_start, library_stop);
}
