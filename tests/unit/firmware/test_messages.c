// SPDX-License-Identifier: Apache-2.0
/*
 * Messages, wrapping with the token's nonce and saved states at the commands: what a client that keeps to
 * no module's manners gets. Attack 14 of the list of attacks that a token must refuse is here.
 */
#include "object_testing.h"

static uint64_t aes(struct peer *peer, bool wraps, bool encrypts, bool alone)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_AES_KEY_GEN);
	put_template(
		&out, HSM_FIELD_TEMPLATE,
		A_LIST(A_NUMBER(CKA_VALUE_LEN, 32), wraps ? A_TRUE(CKA_WRAP) : A_FALSE(CKA_WRAP),
		       encrypts ? A_TRUE(CKA_ENCRYPT) : A_FALSE(CKA_ENCRYPT),
		       encrypts ? A_TRUE(CKA_DECRYPT) : A_FALSE(CKA_DECRYPT), A_FALSE(CKA_SIGN),
		       A_FALSE(CKA_VERIFY), A_FALSE(CKA_DERIVE), A_TRUE(CKA_SENSITIVE),
		       wraps ? A_FALSE(CKA_EXTRACTABLE) : A_TRUE(CKA_EXTRACTABLE),
		       alone ? A_FALSE(CKA_COPYABLE) : A_TRUE(CKA_COPYABLE),
		       wraps ? A_TRUE(CKA_TOKEN) : A_FALSE(CKA_TOKEN),
		       wraps ? A_FALSE(CKA_PRIVATE) : A_TRUE(CKA_PRIVATE)));
	assert_int_equal(peer_call(peer, HSM_OP_GENERATE_KEY, &out), CKR_OK);
	return peer_u64(peer, HSM_FIELD_HANDLE);
}

static CK_RV message_init(struct peer *peer, unsigned int operation, uint64_t key)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_KEY, key);
	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_AES_GCM);
	return peer_call(peer, operation, &out);
}

static const uint8_t zero[16], text[] = "what nobody may read before its tag";

/* One part; @tag and @iv as they are wanted, NULL: left out */
static CK_RV part(struct peer *peer, unsigned int operation, uint64_t flags, const void *data,
		  size_t length, const uint8_t *iv, const uint8_t *tag, uint64_t room)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_FLAGS, flags);
	if (length)
		hsm_put_bytes(&out, HSM_FIELD_DATA, data, length);
	hsm_put_u64(&out, HSM_FIELD_OUT_MAX, room);
	if (iv) {
		hsm_put_bytes(&out, HSM_FIELD_IV, iv, 12);
		hsm_put_u64(&out, HSM_FIELD_TAG_BITS, 128);
	}
	if (tag)
		hsm_put_bytes(&out, HSM_FIELD_TAG, tag, 16);
	return peer_call(peer, operation, &out);
}

#define WHOLE (HSM_PART_FIRST | HSM_PART_LAST)

/* Attack 14: text before its tag, by parts, by a wrong tag, by no tag, by leaving the process */
static void attack_14_text_before_tag(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t key = aes(peer, false, true, false);
	uint8_t sealed[sizeof(text)], tag[16];
	size_t length;

	(void)state;
	assert_int_equal(message_init(peer, HSM_OP_MESSAGE_ENCRYPT_INIT, key), CKR_OK);
	assert_int_equal(message_init(peer, HSM_OP_MESSAGE_DECRYPT_INIT, key), CKR_OK);
	assert_int_equal(part(peer, HSM_OP_MESSAGE_ENCRYPT, WHOLE, text, sizeof(text), zero, NULL,
			      100),
			 CKR_OK);
	memcpy(sealed, hsm_fields_bytes(&peer->fields, HSM_FIELD_DATA, &length), sizeof(sealed));
	memcpy(tag, hsm_fields_bytes(&peer->fields, HSM_FIELD_TAG, &length), 16);
	/* The steps of it that are allowed: with its tag the text comes. */
	assert_int_equal(part(peer, HSM_OP_MESSAGE_DECRYPT, WHOLE, sealed, sizeof(sealed), zero,
			      tag, 100),
			 CKR_OK);
	assert_memory_equal(hsm_fields_bytes(&peer->fields, HSM_FIELD_DATA, &length), text,
			    sizeof(text));
	assert_int_equal(part(peer, HSM_OP_MESSAGE_DECRYPT, HSM_PART_FIRST, sealed, 20, zero, NULL,
			      100),
			 CKR_OK);
	hsm_fields_bytes(&peer->fields, HSM_FIELD_DATA, &length);
	assert_int_equal(length, 0);
	assert_int_equal(part(peer, HSM_OP_MESSAGE_DECRYPT, HSM_PART_LAST, sealed + 20,
			      sizeof(sealed) - 20, NULL, zero, 100),
			 CKR_AEAD_DECRYPT_FAILED);
	assert_null(hsm_fields_find(&peer->fields, HSM_FIELD_DATA));
	/* The message is over: another tag cannot be tried on what was held back. */
	assert_int_equal(part(peer, HSM_OP_MESSAGE_DECRYPT, HSM_PART_LAST, NULL, 0, NULL, tag, 100),
			 CKR_OPERATION_NOT_INITIALIZED);
	assert_int_equal(part(peer, HSM_OP_MESSAGE_DECRYPT, WHOLE, sealed, sizeof(sealed), zero,
			      NULL, 100),
			 CKR_MECHANISM_PARAM_INVALID);
	assert_null(hsm_fields_find(&peer->fields, HSM_FIELD_DATA));
	peer_free(peer);
}

static void parts_in_wrong_order(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t key = aes(peer, false, true, false);

	(void)state;
	assert_int_equal(part(peer, HSM_OP_MESSAGE_ENCRYPT, WHOLE, text, 5, zero, NULL, 100),
			 CKR_OPERATION_NOT_INITIALIZED);
	assert_int_equal(message_init(peer, HSM_OP_MESSAGE_ENCRYPT_INIT, key), CKR_OK);
	assert_int_equal(message_init(peer, HSM_OP_MESSAGE_ENCRYPT_INIT, key),
			 CKR_OPERATION_ACTIVE);
	assert_int_equal(part(peer, HSM_OP_MESSAGE_ENCRYPT, 0, text, 5, NULL, NULL, 100),
			 CKR_OPERATION_NOT_INITIALIZED);
	assert_int_equal(part(peer, HSM_OP_MESSAGE_ENCRYPT, 4, text, 5, zero, NULL, 100),
			 CKR_ARGUMENTS_BAD);
	/* Not even asked for */
	assert_int_equal(part(peer, HSM_OP_MESSAGE_ENCRYPT, WHOLE, text, 5, zero, NULL, 4),
			 CKR_BUFFER_TOO_SMALL);
	assert_int_equal(peer_u64(peer, HSM_FIELD_NEEDED), 5);
	assert_null(hsm_fields_find(&peer->fields, HSM_FIELD_IV));
	assert_int_equal(part(peer, HSM_OP_MESSAGE_ENCRYPT, HSM_PART_FIRST, NULL, 0, zero, NULL, 0),
			 CKR_OK);
	assert_int_equal(part(peer, HSM_OP_MESSAGE_ENCRYPT, WHOLE, text, 5, zero, NULL, 100),
			 CKR_OPERATION_ACTIVE);
	assert_int_equal(peer_call(peer, HSM_OP_LOGOUT, NULL), CKR_OK);
	peer_free(peer);
}

static CK_RV wrap(struct peer *peer, uint64_t kek, uint64_t key, uint64_t generator)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_AES_GCM);
	hsm_put_u64(&out, HSM_FIELD_OTHER_KEY, kek);
	hsm_put_u64(&out, HSM_FIELD_KEY, key);
	hsm_put_u64(&out, HSM_FIELD_OUT_MAX, 200);
	hsm_put_bytes(&out, HSM_FIELD_IV, zero, 12);
	hsm_put_u64(&out, HSM_FIELD_TAG_BITS, 128);
	if (generator) {
		hsm_put_u64(&out, HSM_FIELD_GENERATOR, generator);
		hsm_put_u64(&out, HSM_FIELD_FIXED_BITS, 0);
	}
	return peer_call(peer, HSM_OP_WRAP, &out);
}

/* Attack 14, strict: a nonce of the caller's, or a key that gives the key stream for a known one, wraps nothing */
static void attack_14_nonces_of_wrapping(void **state)
{
	struct peer *peer = peer_user(1);
	uint64_t alone = aes(peer, true, false, true), copied = aes(peer, true, false, false);
	static const uint64_t others[] = { CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY,
					   CKA_DERIVE };
	uint64_t key;
	size_t i;

	(void)state;
	so_trusts(peer, copied);
	so_trusts(peer, alone);
	key = aes(peer, false, true, false);
	assert_int_equal(wrap(peer, alone, key, CKG_NO_GENERATE), CKR_MECHANISM_INVALID);
	assert_int_equal(wrap(peer, copied, key, CKG_GENERATE), CKR_MECHANISM_INVALID);
	assert_int_equal(wrap(peer, alone, key, CKG_GENERATE), CKR_OK);
	assert_non_null(hsm_fields_find(&peer->fields, HSM_FIELD_IV));
	/* Nor will the key do for the known nonce what gives its key stream. */
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(change(peer, HSM_OP_ATTRIBUTES_SET, alone,
					A_LIST(A_TRUE(others[i]))),
				 CKR_ATTRIBUTE_READ_ONLY);
	peer_free(peer);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, board_setup_ready, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(attack_14_text_before_tag),
		TEST(parts_in_wrong_order),
		TEST(attack_14_nonces_of_wrapping),
	};

	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
