// SPDX-License-Identifier: Apache-2.0
/*
 * Receipts of exports at the device command: what is wrapped while one is open is in it, and nothing else.
 */
#include "commands_testing.h"
#include <hsm/cose.h>
#include <hsm/receipt.h>

static CK_RV create_key(struct peer *peer, const char *label, bool wraps, uint64_t *handle)
{
	struct hsm_writer out = peer_fields(peer);
	CK_RV rv;

	put_template(&out, HSM_FIELD_TEMPLATE,
		     A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY), A_NUMBER(CKA_KEY_TYPE, CKK_AES),
			    A_BYTES(CKA_WRAP, wraps ? "\1" : "\0", 1),
			    A_BYTES(CKA_EXTRACTABLE, wraps ? "\0" : "\1", 1),
			    A_TEXT(CKA_LABEL, label), A_TEXT(CKA_ID, "id"),
			    A_TEXT(CKA_VALUE, "0123456789abcdef")));
	rv = peer_call(peer, HSM_OP_OBJECT_CREATE, &out);
	if (rv == CKR_OK)
		*handle = peer_u64(peer, HSM_FIELD_HANDLE);
	return rv;
}

struct wrapped {
	uint8_t bytes[64];
	size_t length;
};

static CK_RV wrap(struct peer *peer, uint64_t wrapping, uint64_t key, struct wrapped *wrapped)
{
	struct hsm_writer out = peer_fields(peer);
	const uint8_t *data;
	CK_RV rv;

	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_AES_KEY_WRAP);
	hsm_put_u64(&out, HSM_FIELD_OTHER_KEY, wrapping);
	hsm_put_u64(&out, HSM_FIELD_KEY, key);
	hsm_put_u64(&out, HSM_FIELD_OUT_MAX, sizeof(wrapped->bytes));
	rv = peer_call(peer, HSM_OP_WRAP, &out);
	if (rv == CKR_OK) {
		data = hsm_fields_bytes(&peer->fields, HSM_FIELD_DATA, &wrapped->length);
		memcpy(wrapped->bytes, data, wrapped->length);
	}
	return rv;
}

static CK_RV begin(struct peer *peer, const char *nonce)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_FLAGS, HSM_RECEIPT_BEGIN);
	if (nonce)
		hsm_put_bytes(&out, HSM_FIELD_NONCE, nonce, strlen(nonce));
	return peer_call(peer, HSM_OP_EXPORT_RECEIPT, &out);
}

static CK_RV end(struct peer *peer, struct hsm_receipt *receipt)
{
	struct hsm_writer out = peer_fields(peer);
	struct hsm_cose *message;
	STACK_OF(X509) * chain;
	const uint8_t *bytes;
	size_t length;
	CK_RV rv;

	hsm_put_u64(&out, HSM_FIELD_FLAGS, 0);
	rv = peer_call(peer, HSM_OP_EXPORT_RECEIPT, &out);
	if (rv != CKR_OK)
		return rv;
	bytes = hsm_fields_bytes(&peer->fields, HSM_FIELD_DATA, &length);
	assert_int_equal(hsm_cose_read(bytes, length, HSM_RECEIPT_TYPE, &message), 0);
	for (size_t i = 0; i < hsm_cose_signatures(message); i++) {
		chain = hsm_cose_signer_chain(message, i, mech_libctx());
		assert_non_null(chain);
		assert_int_equal(hsm_cose_verify(message, i, mech_libctx(),
						 X509_get0_pubkey(sk_X509_value(chain, 0)), NULL,
						 0),
				 0);
		sk_X509_pop_free(chain, X509_free);
	}
	bytes = hsm_cose_payload(message, &length);
	assert_int_equal(hsm_receipt_decode(bytes, length, receipt), 0);
	hsm_cose_free(message);
	return CKR_OK;
}

static void assert_listed(const struct hsm_receipt_entry *entry, const char *label,
			  const struct wrapped *wrapped)
{
	uint8_t hash[HSM_RECEIPT_HASH];

	assert_int_equal(
		EVP_Digest(wrapped->bytes, wrapped->length, hash, NULL, EVP_sha384(), NULL), 1);
	assert_memory_equal(entry->wrapped, hash, sizeof(hash));
	assert_int_equal(entry->label.length, strlen(label));
	assert_memory_equal(entry->label.bytes, label, strlen(label));
	assert_int_equal(entry->object_class, CKO_SECRET_KEY);
	assert_int_equal(entry->key_type, CKK_AES);
	assert_int_equal(entry->mechanism, CKM_AES_KEY_WRAP);
	assert_true(entry->unique.length);
}

static void what_is_wrapped_is_listed(void **state)
{
	struct peer *peer = peer_user(0), *other = peer_user(0);
	static struct hsm_receipt receipt;
	struct wrapped first, second, unseen;
	uint64_t kek, other_kek, one, two, stays;

	(void)state;
	assert_int_equal(create_key(peer, "kek", true, &kek), CKR_OK);
	assert_int_equal(create_key(other, "kek", true, &other_kek), CKR_OK);
	assert_int_equal(create_key(peer, "one", false, &one), CKR_OK);
	assert_int_equal(create_key(peer, "two", false, &two), CKR_OK);
	assert_int_equal(end(peer, &receipt), CKR_OPERATION_NOT_INITIALIZED);
	assert_int_equal(wrap(peer, kek, two, &unseen), CKR_OK);
	assert_int_equal(begin(peer, "a nonce of mine"), CKR_OK);
	assert_int_equal(wrap(peer, kek, one, &first), CKR_OK);
	assert_int_equal(wrap(peer, kek, kek, &unseen), CKR_KEY_UNEXTRACTABLE);
	assert_int_equal(create_key(other, "stays", false, &stays), CKR_OK);
	assert_int_equal(wrap(other, other_kek, stays, &unseen), CKR_OK);
	assert_int_equal(wrap(peer, kek, two, &second), CKR_OK);
	assert_int_equal(end(peer, &receipt), CKR_OK);
	assert_int_equal(receipt.count, 2);
	assert_listed(&receipt.entry[0], "one", &first);
	assert_listed(&receipt.entry[1], "two", &second);
	assert_int_equal(receipt.nonce_length, strlen("a nonce of mine"));
	assert_memory_equal(receipt.nonce, "a nonce of mine", receipt.nonce_length);
	assert_memory_equal(receipt.partition, board.partition[0].info.id, PARTITION_ID_SIZE);
	assert_int_equal(receipt.time, test_time);
	/* It has ended. */
	assert_int_equal(end(peer, &receipt), CKR_OPERATION_NOT_INITIALIZED);
	peer_free(peer);
	peer_free(other);
}

/* What has left while it was open would be on no receipt. */
static void a_new_beginning_does_not_forget(void **state)
{
	struct peer *peer = peer_user(0);
	static struct hsm_receipt receipt;
	struct hsm_writer out;
	struct wrapped wrapped;
	uint64_t kek, key;

	(void)state;
	assert_int_equal(create_key(peer, "kek", true, &kek), CKR_OK);
	assert_int_equal(create_key(peer, "key", false, &key), CKR_OK);
	assert_int_equal(begin(peer, NULL), CKR_OK);
	assert_int_equal(wrap(peer, kek, key, &wrapped), CKR_OK);
	assert_int_equal(begin(peer, NULL), CKR_OPERATION_ACTIVE);
	assert_int_equal(end(peer, &receipt), CKR_OK);
	assert_int_equal(receipt.count, 1);
	assert_listed(&receipt.entry[0], "key", &wrapped);
	out = peer_fields(peer);
	hsm_put_u64(&out, HSM_FIELD_FLAGS, 2);
	assert_int_equal(peer_call(peer, HSM_OP_EXPORT_RECEIPT, &out), CKR_ARGUMENTS_BAD);
	peer_free(peer);
}

/* The record of an export comes first: where it cannot be written nothing leaves, and nothing is listed. */
static void what_is_not_recorded_is_not_listed(void **state)
{
	struct peer *peer = peer_user(0);
	static struct hsm_receipt receipt;
	struct wrapped wrapped;
	uint64_t kek, key;

	(void)state;
	assert_int_equal(create_key(peer, "kek", true, &kek), CKR_OK);
	assert_int_equal(create_key(peer, "key", false, &key), CKR_OK);
	assert_int_equal(begin(peer, NULL), CKR_OK);
	board.fail_commit = ENOSPC;
	assert_int_equal(wrap(peer, kek, key, &wrapped), CKR_DEVICE_MEMORY);
	assert_null(hsm_fields_find(&peer->fields, HSM_FIELD_DATA));
	board.fail_commit = 0;
	assert_int_equal(wrap(peer, kek, key, &wrapped), CKR_OK);
	assert_int_equal(end(peer, &receipt), CKR_OK);
	assert_int_equal(receipt.count, 1);
	assert_listed(&receipt.entry[0], "key", &wrapped);
	peer_free(peer);
}

/* A key that the receipt had no room for would have left unlisted. */
static void what_does_not_fit_does_not_leave(void **state)
{
	struct peer *peer = peer_user(0);
	static struct hsm_receipt receipt;
	struct wrapped wrapped;
	uint64_t kek, key;

	(void)state;
	assert_int_equal(create_key(peer, "kek", true, &kek), CKR_OK);
	assert_int_equal(create_key(peer, "key", false, &key), CKR_OK);
	assert_int_equal(begin(peer, NULL), CKR_OK);
	for (int i = 0; i < HSM_RECEIPT_MAX; i++)
		assert_int_equal(wrap(peer, kek, key, &wrapped), CKR_OK);
	assert_int_equal(wrap(peer, kek, key, &wrapped), CKR_DEVICE_MEMORY);
	assert_int_equal(end(peer, &receipt), CKR_OK);
	assert_int_equal(receipt.count, HSM_RECEIPT_MAX);
	assert_int_equal(wrap(peer, kek, key, &wrapped), CKR_OK);
	peer_free(peer);
}

static void only_receipts_are_read(void **state)
{
	static struct hsm_receipt receipt, read;
	uint8_t *bytes;
	size_t length, i;

	(void)state;
	memset(&receipt, 0, sizeof(receipt));
	receipt.count = 1;
	receipt.nonce_length = 8;
	receipt.entry[0].label = (struct hsm_receipt_text){ .length = 3, .bytes = "one" };
	assert_int_equal(hsm_receipt_encode(&receipt, &bytes, &length), 0);
	/* An entry about no bytes */
	assert_int_equal(hsm_receipt_decode(bytes, length, &read), -EBADMSG);
	free(bytes);
	memset(receipt.entry[0].wrapped, 7, sizeof(receipt.entry[0].wrapped));
	assert_int_equal(hsm_receipt_encode(&receipt, &bytes, &length), 0);
	assert_int_equal(hsm_receipt_decode(bytes, length, &read), 0);
	assert_memory_equal(&read, &receipt, sizeof(read));
	for (i = 0; i < length; i++)
		assert_int_equal(hsm_receipt_decode(bytes, i, &read), -EBADMSG);
	free(bytes);
}

#define READY(name) cmocka_unit_test_setup_teardown(name, board_setup_ready, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		READY(what_is_wrapped_is_listed),
		READY(a_new_beginning_does_not_forget),
		READY(what_is_not_recorded_is_not_listed),
		READY(what_does_not_fit_does_not_leave),
		READY(only_receipts_are_read),
	};

	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
