// SPDX-License-Identifier: Apache-2.0
/*
 * Self-tests: pairs that do not belong together are found, and what fails leads to the error state and stays there.
 */
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include "mech_testing.h"
#include "selftest.h"
#include "selftest_kat.h"

static unsigned int times_told;

static void on_failure(const char *test)
{
	assert_non_null(test);
	times_told++;
}

static int reset(void **state)
{
	(void)state;
	times_told = 0;
	selftest_watch(on_failure);
	selftest_reset();
	return 0;
}

static size_t octets(EVP_PKEY *pkey, const char *name, uint8_t *out, size_t room)
{
	size_t length = 0;

	assert_int_equal(EVP_PKEY_get_octet_string_param(pkey, name, out, room, &length), 1);
	return length;
}

/* The private half of one key and the public half of another */
static EVP_PKEY *mismatched_curve(const char *type, const char *group, const char *name)
{
	EVP_PKEY *one = EVP_PKEY_Q_keygen(mech_libctx(), NULL, type, group);
	EVP_PKEY *other = EVP_PKEY_Q_keygen(mech_libctx(), NULL, type, group), *pkey = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(mech_libctx(), type, NULL);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	uint8_t public_key[256], private_key[128];
	BIGNUM *number = NULL;
	OSSL_PARAM *params;

	assert_true(one && other && ctx && build);
	if (group) {
		OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
		assert_int_equal(EVP_PKEY_get_bn_param(one, OSSL_PKEY_PARAM_PRIV_KEY, &number), 1);
		OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, number);
	} else {
		OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PRIV_KEY, private_key,
						 octets(one, OSSL_PKEY_PARAM_PRIV_KEY, private_key,
							sizeof(private_key)));
	}
	OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, public_key,
					 octets(other, name, public_key, sizeof(public_key)));
	params = OSSL_PARAM_BLD_to_param(build);
	assert_true(EVP_PKEY_fromdata_init(ctx) > 0 &&
		    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) > 0);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(ctx);
	BN_free(number);
	EVP_PKEY_free(one);
	EVP_PKEY_free(other);
	return pkey;
}

static void assert_pair(EVP_PKEY *pkey, CK_RV expected)
{
	assert_non_null(pkey);
	selftest_reset();
	assert_int_equal(selftest_pairwise(pkey), expected);
	assert_int_equal(selftest_gate(), expected == CKR_OK ? CKR_OK : CKR_GENERAL_ERROR);
	EVP_PKEY_free(pkey);
}

static void test_good_pairs(void **state)
{
	static const char *const lattices[] = { "ML-DSA-44", "ML-KEM-512" };
	EVP_KEYMGMT *keymgmt;

	(void)state;
	assert_pair(EVP_PKEY_Q_keygen(mech_libctx(), NULL, "RSA", (size_t)2048), CKR_OK);
	assert_pair(EVP_PKEY_Q_keygen(mech_libctx(), NULL, "EC", "P-256"), CKR_OK);
	assert_pair(EVP_PKEY_Q_keygen(mech_libctx(), NULL, "ED25519"), CKR_OK);
	assert_pair(EVP_PKEY_Q_keygen(mech_libctx(), NULL, "ED448"), CKR_OK);
	assert_pair(EVP_PKEY_Q_keygen(mech_libctx(), NULL, "X25519"), CKR_OK);
	assert_pair(EVP_PKEY_Q_keygen(mech_libctx(), NULL, "X448"), CKR_OK);
	for (size_t i = 0; i < sizeof(lattices) / sizeof(lattices[0]); i++) {
		keymgmt = EVP_KEYMGMT_fetch(mech_libctx(), lattices[i], NULL);
		if (keymgmt)
			assert_pair(EVP_PKEY_Q_keygen(mech_libctx(), NULL, lattices[i]), CKR_OK);
		EVP_KEYMGMT_free(keymgmt);
	}
	assert_int_equal(times_told, 0);
}

static void test_bad_pairs(void **state)
{
	(void)state;
	assert_pair(mismatched_curve("EC", "P-256", OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY),
		    CKR_FIPS_SELF_TEST_FAILED);
	assert_pair(mismatched_curve("X25519", NULL, OSSL_PKEY_PARAM_PUB_KEY),
		    CKR_FIPS_SELF_TEST_FAILED);
	assert_int_equal(times_told, 2);
}

static void test_error_state_stays(void **state)
{
	(void)state;
	assert_int_equal(selftest_gate(), CKR_OK);
	assert_null(selftest_failed());
	assert_int_equal(selftest_fail("first"), CKR_FIPS_SELF_TEST_FAILED);
	assert_int_equal(selftest_fail("second"), CKR_FIPS_SELF_TEST_FAILED);
	assert_string_equal(selftest_failed(), "first");
	assert_int_equal(times_told, 1);
	assert_pair(EVP_PKEY_Q_keygen(mech_libctx(), NULL, "ED25519"), CKR_OK);
	/* A later success changes nothing. */
	selftest_fail("third");
	{
		EVP_PKEY *pkey = EVP_PKEY_Q_keygen(mech_libctx(), NULL, "ED25519");

		assert_int_equal(selftest_pairwise(pkey), CKR_OK);
		EVP_PKEY_free(pkey);
	}
	assert_int_equal(selftest_gate(), CKR_GENERAL_ERROR);
}

/* ---- known answers ---- */

static void test_all_pass(void **state)
{
	unsigned int count, offered = 0;
	const struct selftest *table;
	size_t rows = selftest_table(&table);

	(void)state;
	for (size_t i = 0; i < rows; i++) {
		if (!selftest_offered(&table[i]))
			print_message("%s: not in this libcrypto\n", table[i].name);
		else if (!selftest_known_answer(&table[i]))
			fail_msg("%s", table[i].name);
		else
			offered++;
	}
	assert_int_equal(selftest_run(&count), CKR_OK);
	assert_int_equal(count, offered);
	assert_in_range(count, 17, rows);
	assert_int_equal(times_told, 0);
}

/* Another hexadecimal digit in the middle */
static char *damaged(const char *hex)
{
	char *copy = strdup(hex), *at;

	assert_non_null(copy);
	at = copy + strlen(copy) / 2;
	*at = *at == '3' ? 'c' : '3';
	return copy;
}

/* Each row, with another answer and with another input: a test that cannot fail would be none. */
static void test_each_can_fail(void **state)
{
	const struct selftest *table;
	size_t rows = selftest_table(&table);

	(void)state;
	for (size_t i = 0; i < rows; i++) {
		struct selftest bad = table[i];
		char *text;

		if (!selftest_offered(&bad))
			continue;
		if (bad.out) {
			bad.out = text = damaged(table[i].out);
			if (selftest_known_answer(&bad))
				fail_msg("%s with a wrong answer", bad.name);
			free(text);
			bad.out = table[i].out;
		}
		if (bad.in && bad.out) {
			bad.in = text = damaged(table[i].in);
			if (selftest_known_answer(&bad))
				fail_msg("%s with another input", bad.name);
			free(text);
			bad.in = table[i].in;
		}
		/* The first part of a key: a value, a curve, a modulus */
		for (size_t j = 0; j < SELFTEST_ITEMS; j++) {
			if (!bad.key[j].hex)
				continue;
			bad.key[j].hex = "00";
			if (selftest_known_answer(&bad))
				fail_msg("%s with another key", bad.name);
			break;
		}
	}
	assert_int_equal(times_told, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_good_pairs, reset),
		cmocka_unit_test_setup(test_bad_pairs, reset),
		cmocka_unit_test_setup(test_error_state_stays, reset),
		cmocka_unit_test_setup(test_all_pass, reset),
		cmocka_unit_test_setup(test_each_can_fail, reset),
	};

	return cmocka_run_group_tests(tests, library_start, library_stop);
}
