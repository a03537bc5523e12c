// SPDX-License-Identifier: Apache-2.0
/*
 * Sealing to P-384 and ML-KEM-1024 together: what is sealed opens with both private keys and the same
 * information alone, no bit of it may change, and keys survive their way through bytes.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/crypto.h>
#include <hsm/hybrid.h>

#define INFO ((const uint8_t *)"what it is about")
#define TEXT ((const uint8_t *)"a key of thirty-two bytes, or so")
#define LONG (32 + HSM_HYBRID_OVERHEAD)

static int setup(void **state)
{
	struct hsm_hybrid *key = calloc(1, sizeof(*key));

	*state = key;
	if (!key)
		return -1;
	if (!hsm_hybrid_available(NULL))
		return hsm_hybrid_generate(NULL, key);
	assert_int_equal(hsm_hybrid_generate(NULL, key), -EOPNOTSUPP);
	return 0;
}

static int teardown(void **state)
{
	hsm_hybrid_free(*state);
	free(*state);
	return 0;
}

#define NEED_IT                                 \
	do {                                    \
		if (hsm_hybrid_available(NULL)) \
			skip();                 \
	} while (0)

static void what_is_sealed_opens(void **state)
{
	const struct hsm_hybrid *key = *state;
	uint8_t sealed[LONG], again[LONG], plain[32];

	NEED_IT;
	assert_int_equal(hsm_hybrid_seal(NULL, key, INFO, 10, TEXT, 32, sealed), 0);
	assert_int_equal(hsm_hybrid_open(NULL, key, INFO, 10, sealed, LONG, plain), 0);
	assert_memory_equal(plain, TEXT, 32);
	assert_int_equal(hsm_hybrid_seal(NULL, key, INFO, 10, TEXT, 32, again), 0);
	assert_memory_not_equal(sealed, again, LONG);
	assert_int_equal(hsm_hybrid_open(NULL, key, INFO, 9, sealed, LONG, plain), -EBADMSG);
	assert_int_equal(hsm_hybrid_open(NULL, key, INFO, 10, sealed, LONG - 1, plain), -EBADMSG);
	assert_int_equal(hsm_hybrid_open(NULL, key, INFO, 10, sealed, 16, plain), -EBADMSG);
}

/* A bit of every tenth byte: the point, both ciphertexts, the tag */
static void no_bit_may_change(void **state)
{
	const struct hsm_hybrid *key = *state;
	uint8_t sealed[LONG], plain[32];
	size_t i;

	NEED_IT;
	assert_int_equal(hsm_hybrid_seal(NULL, key, INFO, 10, TEXT, 32, sealed), 0);
	for (i = 0; i < LONG; i += i < LONG - 60 ? 10 : 1) {
		sealed[i] ^= 4;
		assert_int_equal(hsm_hybrid_open(NULL, key, INFO, 10, sealed, LONG, plain),
				 -EBADMSG);
		sealed[i] ^= 4;
	}
	assert_int_equal(hsm_hybrid_open(NULL, key, INFO, 10, sealed, LONG, plain), 0);
}

/* Half of the key is not enough, whichever half it is. */
static void both_halves_are_needed(void **state)
{
	const struct hsm_hybrid *key = *state;
	struct hsm_hybrid other, mixed;
	uint8_t sealed[LONG], plain[32];

	NEED_IT;
	assert_int_equal(hsm_hybrid_generate(NULL, &other), 0);
	assert_int_equal(hsm_hybrid_seal(NULL, key, INFO, 10, TEXT, 32, sealed), 0);
	mixed = (struct hsm_hybrid){ key->ec, other.kem };
	assert_int_equal(hsm_hybrid_open(NULL, &mixed, INFO, 10, sealed, LONG, plain), -EBADMSG);
	mixed = (struct hsm_hybrid){ other.ec, key->kem };
	assert_int_equal(hsm_hybrid_open(NULL, &mixed, INFO, 10, sealed, LONG, plain), -EBADMSG);
	hsm_hybrid_free(&other);
}

static void keys_as_bytes(void **state)
{
	const struct hsm_hybrid *key = *state;
	uint8_t public[HSM_HYBRID_PUBLIC], again[HSM_HYBRID_PUBLIC], private[HSM_HYBRID_PRIVATE];
	uint8_t sealed[LONG], plain[32];
	struct hsm_hybrid sender, receiver;

	NEED_IT;
	assert_int_equal(hsm_hybrid_public(key, public), 0);
	assert_int_equal(hsm_hybrid_private(key, private), 0);
	assert_int_equal(hsm_hybrid_from_public(NULL, public, &sender), 0);
	assert_int_equal(hsm_hybrid_from_private(NULL, private, &receiver), 0);
	assert_int_equal(hsm_hybrid_public(&receiver, again), 0);
	assert_memory_equal(again, public, sizeof(public));
	assert_int_equal(hsm_hybrid_seal(NULL, &sender, INFO, 10, TEXT, 32, sealed), 0);
	assert_int_equal(hsm_hybrid_open(NULL, &receiver, INFO, 10, sealed, LONG, plain), 0);
	assert_memory_equal(plain, TEXT, 32);
	hsm_hybrid_free(&sender);
	hsm_hybrid_free(&receiver);
	public[40] ^= 1; /* a point that is not on the curve */
	assert_int_equal(hsm_hybrid_from_public(NULL, public, &sender), -EINVAL);
	OPENSSL_cleanse(private, sizeof(private));
}

static void keys_that_are_none(void **state)
{
	struct hsm_hybrid key = { 0 };
	uint8_t public[HSM_HYBRID_PUBLIC];

	(void)state;
	assert_int_equal(hsm_hybrid_public(&key, public), -EINVAL);
	key.ec = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	key.kem = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
	assert_int_equal(hsm_hybrid_public(&key, public), -EINVAL);
	hsm_hybrid_free(&key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sealed_opens),	  cmocka_unit_test(no_bit_may_change),
		cmocka_unit_test(both_halves_are_needed), cmocka_unit_test(keys_as_bytes),
		cmocka_unit_test(keys_that_are_none),
	};

	return cmocka_run_group_tests_name("hybrid", tests, setup, teardown);
}
