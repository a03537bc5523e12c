// SPDX-License-Identifier: Apache-2.0
/*
 * Approved mode at the device's commands, with the FIPS provider of the build's bundle: what is offered, what is
 * refused, and what each response says of itself. Skipped where the build has no such provider.
 */
#include <fcntl.h>
#include "object_testing.h"
#include "selftest.h"
#include "validation.h"

static int bundle_file(const char *name)
{
	const char *build = getenv("HSM_BUILD");
	char path[512];

	snprintf(path, sizeof(path), "%s/firmware/%s", build ? build : "build", name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* The flag in the last response's header */
static bool indicated(const struct peer *peer)
{
	return hsm_get_le16(peer->response + 24 + 2) & HSM_RESPONSE_APPROVED;
}

static CK_RV begin(struct peer *peer, unsigned int operation, uint64_t key, uint64_t mechanism)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_KEY, key);
	hsm_put_u64(&out, HSM_FIELD_MECHANISM, mechanism);
	return peer_call(peer, operation, &out);
}

static CK_RV data(struct peer *peer, unsigned int operation)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_bytes(&out, HSM_FIELD_DATA, "0123456789abcdef", 16);
	hsm_put_u64(&out, HSM_FIELD_OUT_MAX, 1024);
	return peer_call(peer, operation, &out);
}

static void each_response_says_what_it_was(void **state)
{
	struct peer *peer = peer_user(0);
	struct hsm_writer out;
	uint64_t key[2], aes = 0;

	(void)state;
	assert_int_equal(peer_call(peer, HSM_OP_TOKEN_INFO, NULL), CKR_OK);
	assert_false(indicated(peer));
	assert_int_equal(
		generate_aes(peer, A_LIST(A_NUMBER(CKA_VALUE_LEN, 32), A_TRUE(CKA_ENCRYPT)), &aes),
		CKR_OK);
	assert_true(indicated(peer));
	assert_int_equal(begin(peer, HSM_OP_ENCRYPT_INIT, aes, CKM_AES_ECB), CKR_OK);
	assert_true(indicated(peer));
	assert_int_equal(data(peer, HSM_OP_ENCRYPT), CKR_OK);
	assert_true(indicated(peer));
	assert_int_equal(generate_ec(peer, false, A_LIST(A_TRUE(CKA_SIGN)), key), CKR_OK);
	assert_true(indicated(peer));
	assert_int_equal(begin(peer, HSM_OP_SIGN_INIT, key[1], CKM_ECDSA_SHA256), CKR_OK);
	out = peer_fields(peer);
	hsm_put_bytes(&out, HSM_FIELD_DATA, "part", 4);
	assert_int_equal(peer_call(peer, HSM_OP_SIGN_UPDATE, &out), CKR_OK);
	assert_true(indicated(peer));
	out = peer_fields(peer);
	hsm_put_u64(&out, HSM_FIELD_OUT_MAX, 1024);
	assert_int_equal(peer_call(peer, HSM_OP_SIGN_FINAL, &out), CKR_OK);
	assert_true(indicated(peer));
	out = peer_fields(peer);
	hsm_put_u64(&out, HSM_FIELD_LENGTH, 16);
	assert_int_equal(peer_call(peer, HSM_OP_RANDOM, &out), CKR_OK);
	assert_true(indicated(peer));
	/* What fails was no service at all. */
	assert_int_equal(begin(peer, HSM_OP_ENCRYPT_INIT, key[1], CKM_AES_ECB),
			 CKR_KEY_FUNCTION_NOT_PERMITTED);
	assert_false(indicated(peer));
	peer_free(peer);
}

static void what_is_not_approved_is_not_there(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t key[2];

	(void)state;
	assert_int_equal(generate_ec(peer, false, A_LIST(A_TRUE(CKA_SIGN)), key), CKR_OK);
	assert_int_equal(begin(peer, HSM_OP_SIGN_INIT, key[1], CKM_ECDSA_SHA1),
			 CKR_MECHANISM_INVALID);
	assert_int_equal(mech_flags(hsm_mechanism_find(CKM_EC_MONTGOMERY_KEY_PAIR_GEN)), 0);
	assert_int_equal(mech_flags(hsm_mechanism_find(CKM_RSA_PKCS)) & (CKF_ENCRYPT | CKF_WRAP),
			 0);
	assert_true(mech_flags(hsm_mechanism_find(CKM_ECDSA_SHA1)) & CKF_VERIFY);
	/* Nothing but what is approved can be fetched at all. */
	assert_null(EVP_CIPHER_fetch(mech_libctx(), "ChaCha20-Poly1305", NULL));
	assert_null(EVP_MD_fetch(mech_libctx(), "MD5", NULL));
	assert_null(EVP_KEYMGMT_fetch(mech_libctx(), "X25519", NULL));
	for (size_t i = 0; i < HSM_MECHANISM_ROWS; i++) {
		const struct hsm_mechanism_info *info = hsm_mechanism_at(i);

		if (mech_available(info) && !info->approved)
			fail_msg("%s", info->name);
	}
	peer_free(peer);
}

static uint64_t session_flags(struct peer *peer)
{
	assert_int_equal(peer_call(peer, HSM_OP_VALIDATION_FLAGS, NULL), CKR_OK);
	return peer_u64(peer, HSM_FIELD_FLAGS);
}

/* With a validation, a key says of itself what the session says of the service that made it. */
static void keys_are_true_to_the_validation(void **state)
{
	struct hsm_writer out;
	uint64_t level = htole64(1), made = 0, given = 0, copy;
	struct peer *peer = peer_user(0);

	(void)state;
	assert_int_equal(generate_aes(peer, A_LIST(A_NUMBER(CKA_VALUE_LEN, 32)), &made), CKR_OK);
	assert_int_equal(session_flags(peer), 0);
	assert_int_equal(get_ulong(peer, made, CKA_OBJECT_VALIDATION_FLAGS), 0);
	peer_free(peer);
	hsm_writer_init(&out, board.validation, sizeof(board.validation));
	hsm_put_attribute(&out, CKA_VALIDATION_LEVEL, 0, &level, 8);
	board.validation_length = out.length;
	board_restart();
	peer = peer_user(0);
	assert_int_equal(generate_aes(peer,
				      A_LIST(A_NUMBER(CKA_VALUE_LEN, 32), A_TRUE(CKA_TOKEN),
					     A_TEXT(CKA_LABEL, "made")),
				      &made),
			 CKR_OK);
	assert_int_equal(session_flags(peer), VALIDATION_FLAG);
	assert_int_equal(get_ulong(peer, made, CKA_OBJECT_VALIDATION_FLAGS), VALIDATION_FLAG);
	/* Of what comes from outside nobody knows how it was made. */
	assert_int_equal(create(peer, KEY(A_TRUE(CKA_ENCRYPT)), &given), CKR_OK);
	assert_int_equal(get_ulong(peer, given, CKA_OBJECT_VALIDATION_FLAGS), 0);
	assert_int_equal(change(peer, HSM_OP_OBJECT_COPY, made, A_LIST(A_FALSE(CKA_TOKEN))),
			 CKR_OK);
	copy = peer_u64(peer, HSM_FIELD_HANDLE);
	assert_int_equal(get_ulong(peer, copy, CKA_OBJECT_VALIDATION_FLAGS), VALIDATION_FLAG);
	assert_int_equal(change(peer, HSM_OP_OBJECT_COPY, given, A_LIST(A_FALSE(CKA_TOKEN))),
			 CKR_OK);
	copy = peer_u64(peer, HSM_FIELD_HANDLE);
	assert_int_equal(get_ulong(peer, copy, CKA_OBJECT_VALIDATION_FLAGS), 0);
	peer_free(peer);
	/* Without the validation the bit means nothing, and is not shown. */
	board.validation_length = 0;
	board_restart();
	peer = peer_user(0);
	made = found_one(peer, "made");
	assert_int_equal(get_ulong(peer, made, CKA_OBJECT_VALIDATION_FLAGS), 0);
	peer_free(peer);
}

static void known_answers_pass(void **state)
{
	struct peer *peer = peer_new(0);

	(void)state;
	assert_int_equal(peer_call(peer, HSM_OP_SELF_TEST, NULL), CKR_OK);
	assert_true(peer_u64(peer, HSM_FIELD_TESTS) >= 20);
	peer_free(peer);
}

#define READY(name) cmocka_unit_test_setup_teardown(name, board_setup_ready, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		READY(each_response_says_what_it_was),
		READY(what_is_not_approved_is_not_there),
		READY(keys_are_true_to_the_validation),
		READY(known_answers_pass),
	};
	int module = bundle_file("fips.so"), config = bundle_file("fips.cnf");

	if (module < 0 || config < 0) {
		puts("1..0 # SKIP this build has no FIPS provider");
		return 0;
	}
	mech_approve(module, config);
	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
