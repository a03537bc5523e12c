// SPDX-License-Identifier: Apache-2.0
/*
 * COSE_Sign: what one side signs the other verifies, for every kind of key; no bit of a message may
 * change; and CBOR that lies about its lengths is not believed.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <hsm/cose.h>

#define TYPE	     "application/vnd.ihsm.test+cbor"
#define TEXT	     ((const uint8_t *)"attack at dawn")
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *type, *group;
	int algorithm;
} kinds[] = {
	{ "EC", "P-256", HSM_COSE_ES256 },	   { "EC", "P-384", HSM_COSE_ES384 },
	{ "EC", "P-521", HSM_COSE_ES512 },	   { "ED25519", NULL, HSM_COSE_EDDSA },
	{ "ML-DSA-44", NULL, HSM_COSE_ML_DSA_44 }, { "ML-DSA-65", NULL, HSM_COSE_ML_DSA_65 },
	{ "ML-DSA-87", NULL, HSM_COSE_ML_DSA_87 },
};

static EVP_PKEY *make_key(size_t kind)
{
	if (kinds[kind].group)
		return EVP_PKEY_Q_keygen(NULL, NULL, kinds[kind].type, kinds[kind].group);
	return EVP_PKEY_Q_keygen(NULL, NULL, kinds[kind].type);
}

static X509 *certificate(EVP_PKEY *key)
{
	X509 *cert = X509_new();

	assert_non_null(cert);
	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 7);
	ASN1_TIME_set_string(X509_getm_notBefore(cert), "20250101000000Z");
	ASN1_TIME_set_string(X509_getm_notAfter(cert), "99991231235959Z");
	assert_int_equal(X509_set_pubkey(cert, key), 1);
	assert_true(X509_sign(cert, key, EVP_PKEY_is_a(key, "EC") ? EVP_sha384() : NULL) > 0);
	return cert;
}

static void sign(const struct hsm_cose_signer *signers, size_t count, uint8_t **bytes,
		 size_t *length)
{
	assert_int_equal(
		hsm_cose_sign(NULL, signers, count, TYPE, TEXT, 14, TEXT, 6, bytes, length), 0);
}

static void test_every_kind(void **state)
{
	struct hsm_cose *message;
	uint8_t *bytes;
	size_t i, length;
	unsigned int done = 0;

	(void)state;
	for (i = 0; i < COUNT(kinds); i++) {
		EVP_PKEY *key = make_key(i), *other;
		struct hsm_cose_signer signer = { .key = key };

		if (!key)
			continue; /* an older libcrypto */
		other = make_key(i);
		sign(&signer, 1, &bytes, &length);
		assert_int_equal(hsm_cose_read(bytes, length, TYPE, &message), 0);
		assert_int_equal(hsm_cose_signer_algorithm(message, 0), kinds[i].algorithm);
		assert_int_equal(hsm_cose_verify(message, 0, NULL, key, TEXT, 6), 0);
		assert_int_equal(hsm_cose_verify(message, 0, NULL, key, TEXT, 5), -EBADMSG);
		assert_int_equal(hsm_cose_verify(message, 0, NULL, key, NULL, 0), -EBADMSG);
		assert_int_equal(hsm_cose_verify(message, 0, NULL, other, TEXT, 6), -EBADMSG);
		assert_int_equal(hsm_cose_verify(message, 1, NULL, key, TEXT, 6), -EBADMSG);
		hsm_cose_free(message);
		free(bytes);
		EVP_PKEY_free(other);
		EVP_PKEY_free(key);
		done++;
	}
	assert_true(done >= 4);
}

static void test_no_algorithm(void **state)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	struct hsm_cose_signer signer = { .key = key };
	uint8_t *bytes;
	size_t length;

	(void)state;
	assert_int_equal(hsm_cose_algorithm(key), 0);
	assert_int_equal(hsm_cose_sign(NULL, &signer, 1, TYPE, TEXT, 14, NULL, 0, &bytes, &length),
			 -EINVAL);
	assert_int_equal(hsm_cose_sign(NULL, &signer, 0, TYPE, TEXT, 14, NULL, 0, &bytes, &length),
			 -EINVAL);
	EVP_PKEY_free(key);
}

static void test_two_signers_with_chains(void **state)
{
	EVP_PKEY *one = make_key(1), *two = make_key(3);
	STACK_OF(X509) *chain = sk_X509_new_null(), *back;
	struct hsm_cose_signer signers[] = {
		{ .key = one, .chain = chain, .kid = TEXT, .kid_length = 6 },
		{ .key = two },
	};
	struct hsm_cose *message;
	uint8_t *bytes;
	size_t length;

	(void)state;
	sk_X509_push(chain, certificate(one));
	sign(signers, 2, &bytes, &length);
	assert_int_equal(hsm_cose_read(bytes, length, TYPE, &message), 0);
	assert_int_equal(hsm_cose_signatures(message), 2);
	assert_memory_equal(hsm_cose_payload(message, &length), TEXT, 14);
	assert_int_equal(length, 14);
	assert_memory_equal(hsm_cose_signer_kid(message, 0, &length), TEXT, 6);
	assert_int_equal(length, 6);
	assert_null(hsm_cose_signer_kid(message, 1, &length));
	assert_null(hsm_cose_signer_chain(message, 1, NULL));
	assert_int_equal(hsm_cose_verify(message, 0, NULL, one, TEXT, 6), 0);
	assert_int_equal(hsm_cose_verify(message, 1, NULL, two, TEXT, 6), 0);
	assert_int_equal(hsm_cose_verify(message, 0, NULL, two, TEXT, 6), -EBADMSG);
	back = hsm_cose_signer_chain(message, 0, NULL);
	assert_int_equal(sk_X509_num(back), 1);
	assert_int_equal(X509_cmp(sk_X509_value(back, 0), sk_X509_value(chain, 0)), 0);
	sk_X509_pop_free(back, X509_free);
	hsm_cose_free(message);
	free(bytes);

	/* More than one: an array */
	sk_X509_push(chain, certificate(two));
	sign(signers, 1, &bytes, &length);
	assert_int_equal(hsm_cose_read(bytes, length, TYPE, &message), 0);
	back = hsm_cose_signer_chain(message, 0, NULL);
	assert_int_equal(sk_X509_num(back), 2);
	assert_int_equal(X509_cmp(sk_X509_value(back, 1), sk_X509_value(chain, 1)), 0);
	sk_X509_pop_free(back, X509_free);
	hsm_cose_free(message);
	free(bytes);
	sk_X509_pop_free(chain, X509_free);
	EVP_PKEY_free(one);
	EVP_PKEY_free(two);
}

/* Every bit, one at a time: the message is refused, or says the same to whoever verifies it. */
static void test_every_bit(void **state)
{
	EVP_PKEY *key = make_key(0);
	struct hsm_cose_signer signer = { .key = key };
	struct hsm_cose *message;
	uint8_t *bytes;
	size_t length, bit;

	(void)state;
	sign(&signer, 1, &bytes, &length);
	for (bit = 0; bit < 8 * length; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (hsm_cose_read(bytes, length, TYPE, &message) == 0) {
			assert_int_equal(hsm_cose_verify(message, 0, NULL, key, TEXT, 6), -EBADMSG);
			hsm_cose_free(message);
		}
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (bit = 0; bit < length; bit++)
		assert_int_equal(hsm_cose_read(bytes, bit, TYPE, &message), -EBADMSG);
	assert_int_equal(hsm_cose_read(bytes, length, "application/other", &message), -EBADMSG);
	assert_int_equal(hsm_cose_read(bytes, length, NULL, &message), -EBADMSG);
	free(bytes);
	EVP_PKEY_free(key);
}

static void test_cbor_lies(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
	} lies[] = {
		{ "", 0 },
		{ "\x9b\x00\x00\x00\x00\x40\x00\x00\x00", 9 },    /* an array of 2^30 items */
		{ "\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10 },
		{ "\xbb\x7f\xff\xff\xff\xff\xff\xff\xff\x01", 10 },
		{ "\x5b\x00\x00\x00\x00\x40\x00\x00\x00", 9 },    /* a string as long */
		{ "\x5f\x41\x01\xff", 4 },	   /* indefinite lengths */
		{ "\x9f\x01\xff", 3 },
		{ "\xbf\x01\x01\xff", 4 },
		{ "\x01\x01", 2 },	   /* something behind */
		{ "\x82\x01", 2 },	   /* something missing */
		{ "\xa1\x01", 2 },
		{ "\xc1", 1 },
		{ "\xff", 1 },
	};
	uint8_t deep[64];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(lies); i++)
		assert_null(hsm_cbor_read((const uint8_t *)lies[i].bytes, lies[i].length));
	memset(deep, 0x81, sizeof(deep));
	deep[sizeof(deep) - 1] = 1;
	assert_null(hsm_cbor_read(deep, sizeof(deep)));
}

static void test_cbor_values(void **state)
{
	static const int64_t numbers[] = { 0,	  23,	     24, 255,  256,
					   65536, INT64_MAX, -1, -256, INT64_MIN };
	cbor_item_t *map = cbor_new_definite_map(COUNT(numbers) + 2), *back;
	uint8_t *bytes;
	int64_t value;
	uint64_t positive;
	const char *text;
	size_t i, length;

	(void)state;
	for (i = 0; i < COUNT(numbers); i++)
		assert_true(hsm_cbor_put(map, (int64_t)i, hsm_cbor_int(numbers[i])));
	assert_true(hsm_cbor_put_text(map, "name", cbor_build_string("value")));
	assert_true(hsm_cbor_put(map, 3, cbor_build_bool(true))); /* twice */
	assert_false(hsm_cbor_put(map, 99, cbor_build_bool(true)));
	assert_int_equal(hsm_cbor_write(map, &bytes, &length), 0);
	back = hsm_cbor_read(bytes, length);
	assert_non_null(back);
	for (i = 0; i < COUNT(numbers); i++) {
		if (i == 3) {
			assert_null(hsm_cbor_get(back, 3));
			continue;
		}
		assert_true(hsm_cbor_as_int(hsm_cbor_get(back, (int64_t)i), &value));
		assert_true(value == numbers[i]);
	}
	assert_true(hsm_cbor_as_uint(hsm_cbor_get(back, 6), &positive));
	assert_true(positive == INT64_MAX);
	assert_false(hsm_cbor_as_uint(hsm_cbor_get(back, 7), &positive));
	assert_true(hsm_cbor_as_text(hsm_cbor_get_text(back, "name"), &text, &length));
	assert_int_equal(length, 5);
	assert_memory_equal(text, "value", 5);
	assert_null(hsm_cbor_get_text(back, "names"));
	assert_false(hsm_cbor_as_int(NULL, &value));
	cbor_decref(&back);
	cbor_decref(&map);
	free(bytes);
	/* More than a number of ours holds */
	back = hsm_cbor_read((const uint8_t *)"\x3b\xff\xff\xff\xff\xff\xff\xff\xff", 9);
	assert_non_null(back);
	assert_false(hsm_cbor_as_int(back, &value));
	cbor_decref(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind),
		cmocka_unit_test(test_no_algorithm),
		cmocka_unit_test(test_two_signers_with_chains),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_cbor_lies),
		cmocka_unit_test(test_cbor_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
