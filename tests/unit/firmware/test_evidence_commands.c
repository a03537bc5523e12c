// SPDX-License-Identifier: Apache-2.0
/*
 * Evidence at the device command: what it says is what the board, the policy and the object are;
 * every way in which a key comes into a partition has its origin, which no template sets; and no
 * key material is in it.
 */
#include "object_testing.h"
#include "evidence.h"

/* Evidence of the last answer, verified as a stranger does who has the device's certificate */
struct told {
	struct hsm_cose *message;
	struct hsm_evidence evidence;
};

static void told_free(struct told *told)
{
	hsm_evidence_free(&told->evidence);
	hsm_cose_free(told->message);
}

static void verify_chain(const struct hsm_cose *message, size_t index, const uint8_t *partition)
{
	STACK_OF(X509) *chain = hsm_cose_signer_chain(message, index, NULL);
	struct hsm_trust_policy policy = { .roots = hsm_dice_store() };
	struct hsm_dice_facts facts;
	char reason[HSM_DICE_REASON_MAX];
	X509 *leaf;

	assert_non_null(chain);
	leaf = sk_X509_value(chain, 0);
	for (int i = 0; i < HSM_DICE_ALGORITHMS; i++)
		if (test_device_root(i))
			X509_STORE_add_cert(policy.roots, test_device_root(i));
	assert_int_equal(hsm_dice_verify(NULL, &policy, HSM_DICE_LEAF_ALIAS, leaf, chain, partition,
					 &facts, reason),
			 0);
	assert_int_equal(hsm_cose_verify(message, index, NULL, X509_get0_pubkey(leaf), NULL, 0), 0);
	X509_STORE_free(policy.roots);
	sk_X509_pop_free(chain, X509_free);
}

static void take(const uint8_t *bytes, size_t length, struct told *told)
{
	const uint8_t *payload;
	const char *wrong;
	size_t size;

	assert_int_equal(hsm_cose_read(bytes, length, HSM_EVIDENCE_TYPE, &told->message), 0);
	payload = hsm_cose_payload(told->message, &size);
	assert_int_equal(hsm_evidence_decode(payload, size, &told->evidence, &wrong), 0);
	assert_int_equal(hsm_cose_signatures(told->message),
			 1 + !!test_device_root(HSM_DICE_ML_DSA_87));
	for (size_t i = 0; i < hsm_cose_signatures(told->message); i++)
		verify_chain(told->message, i, told->evidence.claim[HSM_CLAIM_PARTITION].bytes);
}

static void take_answer(struct peer *peer, struct told *told)
{
	size_t length;
	const uint8_t *bytes = hsm_fields_bytes(&peer->fields, HSM_FIELD_EVIDENCE, &length);

	assert_non_null(bytes);
	take(bytes, length, told);
}

static CK_RV ask(struct peer *peer, uint32_t kind, size_t nonce, size_t binding)
{
	static const uint8_t bytes[100] = { 7, 8, 9 };
	struct hsm_writer out = peer_fields(peer);
	uint32_t session = peer->session;
	CK_RV rv;

	peer->session = 0;
	hsm_put_u32(&out, HSM_FIELD_KIND, kind);
	if (nonce)
		hsm_put_bytes(&out, HSM_FIELD_NONCE, bytes, nonce);
	if (binding)
		hsm_put_bytes(&out, HSM_FIELD_BINDING, bytes, binding);
	rv = peer_call(peer, HSM_OP_EVIDENCE, &out);
	peer->session = session;
	return rv;
}

static CK_RV ask_key(struct peer *peer, uint64_t handle)
{
	return with_key(peer, HSM_OP_KEY_EVIDENCE, handle);
}

static void tell_key(struct peer *peer, uint64_t handle, struct told *told)
{
	assert_int_equal(ask_key(peer, handle), CKR_OK);
	take_answer(peer, told);
}

static uint64_t number_of(const struct told *told, enum hsm_claim claim)
{
	assert_true(told->evidence.claim[claim].present);
	return told->evidence.claim[claim].number;
}

static void bytes_are(const struct told *told, enum hsm_claim claim, const void *bytes,
		      size_t length)
{
	const struct hsm_claim_value *value = &told->evidence.claim[claim];

	assert_true(value->present);
	assert_int_equal(value->length, length);
	assert_memory_equal(value->bytes, bytes, length);
}

/* ---- device and partition ---- */

static void test_device_evidence(void **state)
{
	struct peer *peer = peer_user(0);
	struct told told;

	(void)state;
	assert_int_equal(ask(peer, HSM_EVIDENCE_DEVICE, 8, 64), CKR_OK);
	take_answer(peer, &told);
	bytes_are(&told, HSM_CLAIM_NONCE, "\7\10\11\0\0\0\0\0", 8);
	assert_int_equal(told.evidence.claim[HSM_CLAIM_BINDING].length, 64);
	bytes_are(&told, HSM_CLAIM_MEASUREMENT, test_tcb.measurement, HSM_MEASUREMENT_SIZE);
	bytes_are(&told, HSM_CLAIM_MODEL, test_tcb.model, strlen(test_tcb.model));
	assert_int_equal(number_of(&told, HSM_CLAIM_SECURITY_VERSION), test_tcb.security_version);
	assert_int_equal(number_of(&told, HSM_CLAIM_LIFECYCLE), test_tcb.lifecycle);
	assert_int_equal(number_of(&told, HSM_CLAIM_FUNCTION), board.hello.function);
	assert_int_equal(number_of(&told, HSM_CLAIM_HARDWARE), 0);
	assert_int_equal(number_of(&told, HSM_CLAIM_TAMPERED), 0);
	assert_int_equal(number_of(&told, HSM_CLAIM_RECOVERED), 0);
	bytes_are(&told, HSM_CLAIM_PARTITION, board.partition[0].info.id, PARTITION_ID_SIZE);
	assert_memory_equal(told.evidence.claim[HSM_CLAIM_UEID].bytes + 1, board.hello.board_id,
			    BOARD_ID_SIZE);
	assert_false(told.evidence.claim[HSM_CLAIM_POLICY].present);
	told_free(&told);
	peer_free(peer);
}

static void test_tampered(void **state)
{
	struct peer *peer = peer_user(0);
	struct told told;

	(void)state;
	board.hello.flags |= BOARD_HELLO_TAMPERED;
	assert_int_equal(ask(peer, HSM_EVIDENCE_DEVICE, 0, 0), CKR_OK);
	take_answer(peer, &told);
	assert_int_equal(number_of(&told, HSM_CLAIM_TAMPERED), 1);
	assert_int_equal(number_of(&told, HSM_CLAIM_RECOVERED), 0);
	told_free(&told);
	board.hello.flags |= BOARD_HELLO_RECOVERED;
	assert_int_equal(ask(peer, HSM_EVIDENCE_DEVICE, 0, 0), CKR_OK);
	take_answer(peer, &told);
	assert_int_equal(number_of(&told, HSM_CLAIM_RECOVERED), 1);
	told_free(&told);
	peer_free(peer);
}

static void test_partition(void **state)
{
	struct peer *peer = peer_user(0);
	struct hsm_fields policy;
	uint8_t hash[48];
	struct told told;
	size_t length;

	(void)state;
	assert_int_equal(ask(peer, HSM_EVIDENCE_PARTITION, 64, 1), CKR_OK);
	take_answer(peer, &told);
	bytes_are(&told, HSM_CLAIM_NAME, "partition 0", 11);
	assert_int_equal(hsm_fields_parse(&policy, told.evidence.claim[HSM_CLAIM_POLICY].bytes,
					  told.evidence.claim[HSM_CLAIM_POLICY].length),
			 0);
	assert_int_equal(hsm_fields_u64(&policy, HSM_FIELD_PROFILE, 99),
			 number_of(&told, HSM_CLAIM_POLICY_PROFILE));
	assert_int_equal(hsm_fields_u64(&policy, HSM_FIELD_MAX_OBJECTS, 0), 200);
	peer->session = 0;
	assert_int_equal(peer_call(peer, HSM_OP_POLICY, NULL), CKR_OK);
	memcpy(hash, hsm_fields_bytes(&peer->fields, HSM_FIELD_FINGERPRINT, &length), 48);
	bytes_are(&told, HSM_CLAIM_FINGERPRINT, hash, sizeof(hash));
	assert_false(told.evidence.claim[HSM_CLAIM_ORIGIN].present);
	told_free(&told);
	/* A policy that changes is another one in the next evidence. */
	board_set_value(0, HSM_POLICY_MIN_RSA, 3072);
	assert_int_equal(ask(peer, HSM_EVIDENCE_PARTITION, 0, 0), CKR_OK);
	take_answer(peer, &told);
	assert_memory_not_equal(told.evidence.claim[HSM_CLAIM_FINGERPRINT].bytes, hash, 48);
	told_free(&told);
	peer_free(peer);
}

static void test_wrong_requests(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t data = 0, key = 0;

	(void)state;
	assert_int_equal(ask(peer, 0, 0, 0), CKR_ARGUMENTS_BAD);
	assert_int_equal(ask(peer, HSM_EVIDENCE_KEY, 0, 0), CKR_ARGUMENTS_BAD);
	assert_int_equal(ask(peer, 4, 0, 0), CKR_ARGUMENTS_BAD);
	assert_int_equal(ask(peer, HSM_EVIDENCE_DEVICE, 7, 0), CKR_ARGUMENTS_BAD);
	assert_int_not_equal(ask(peer, HSM_EVIDENCE_DEVICE, 65, 0), CKR_OK);
	assert_int_not_equal(ask(peer, HSM_EVIDENCE_DEVICE, 0, 65), CKR_OK);
	assert_int_equal(create(peer, DATA(A_TEXT(CKA_LABEL, "d")), &data), CKR_OK);
	assert_int_equal(ask_key(peer, data), CKR_KEY_HANDLE_INVALID);
	assert_int_equal(ask_key(peer, 0), CKR_KEY_HANDLE_INVALID);
	/* A private key is nobody's who is not logged in. */
	assert_int_equal(create(peer, KEY(A_TRUE(CKA_PRIVATE)), &key), CKR_OK);
	assert_int_equal(ask_key(peer, key), CKR_OK);
	assert_int_equal(peer_call(peer, HSM_OP_LOGOUT, NULL), CKR_OK);
	assert_int_equal(ask_key(peer, key), CKR_KEY_HANDLE_INVALID);
	peer_free(peer);
}

/* ---- keys ---- */

static void origin_is(struct peer *peer, uint64_t handle, uint64_t origin, bool unmasked)
{
	struct told told;

	tell_key(peer, handle, &told);
	assert_int_equal(number_of(&told, HSM_CLAIM_ORIGIN), origin);
	assert_int_equal(number_of(&told, HSM_CLAIM_UNMASKED), unmasked);
	assert_int_equal(get_ulong(peer, handle, CKA_HSM_ORIGIN),
			 origin | (unmasked ? CK_HSM_ORIGIN_UNMASKED : 0));
	told_free(&told);
}

static uint64_t some_aes(struct peer *peer)
{
	uint64_t handle = 0;

	assert_int_equal(generate_aes(peer,
				      A_LIST(A_NUMBER(CKA_VALUE_LEN, 32), A_TRUE(CKA_WRAP),
					     A_TRUE(CKA_UNWRAP), A_TRUE(CKA_DERIVE),
					     A_TRUE(CKA_EXTRACTABLE)),
				      &handle),
			 CKR_OK);
	return handle;
}

static void test_made_here_or_not(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t handle = some_aes(peer), copy, pair[2];

	(void)state;
	origin_is(peer, handle, CK_HSM_ORIGIN_GENERATED, false);
	assert_int_equal(change(peer, HSM_OP_OBJECT_COPY, handle, A_LIST(A_TRUE(CKA_TOKEN))),
			 CKR_OK);
	copy = peer_u64(peer, HSM_FIELD_HANDLE);
	origin_is(peer, copy, CK_HSM_ORIGIN_GENERATED, false);
	assert_int_equal(generate_ec(peer, false, A_LIST(A_TRUE(CKA_SIGN)), pair), CKR_OK);
	origin_is(peer, pair[0], CK_HSM_ORIGIN_GENERATED, false);
	origin_is(peer, pair[1], CK_HSM_ORIGIN_GENERATED, false);
	assert_int_equal(create(peer, KEY(A_TRUE(CKA_ENCRYPT)), &handle), CKR_OK);
	origin_is(peer, handle, CK_HSM_ORIGIN_IMPORTED, false);
	assert_int_equal(change(peer, HSM_OP_OBJECT_COPY, handle, A_LIST(A_TEXT(CKA_LABEL, "c"))),
			 CKR_OK);
	origin_is(peer, peer_u64(peer, HSM_FIELD_HANDLE), CK_HSM_ORIGIN_IMPORTED, false);
	peer_free(peer);
}

static void test_unwrapped_and_derived(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t kek = some_aes(peer), key = some_aes(peer);
	struct hsm_writer out = peer_fields(peer);
	uint8_t wrapped[1024];
	size_t length;

	(void)state;
	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_AES_KEY_WRAP);
	hsm_put_u64(&out, HSM_FIELD_OTHER_KEY, kek);
	hsm_put_u64(&out, HSM_FIELD_KEY, key);
	hsm_put_u64(&out, HSM_FIELD_OUT_MAX, 512);
	assert_int_equal(peer_call(peer, HSM_OP_WRAP, &out), CKR_OK);
	take_bytes(peer, HSM_FIELD_DATA, wrapped, &length);
	out = peer_fields(peer);
	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_AES_KEY_WRAP);
	hsm_put_u64(&out, HSM_FIELD_OTHER_KEY, kek);
	hsm_put_bytes(&out, HSM_FIELD_DATA, wrapped, length);
	put_template(&out, HSM_FIELD_TEMPLATE,
		     A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY), A_NUMBER(CKA_KEY_TYPE, CKK_AES)));
	assert_int_equal(peer_call(peer, HSM_OP_UNWRAP, &out), CKR_OK);
	origin_is(peer, peer_u64(peer, HSM_FIELD_HANDLE), CK_HSM_ORIGIN_UNWRAPPED, false);
	out = peer_fields(peer);
	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_AES_ECB_ENCRYPT_DATA);
	hsm_put_u64(&out, HSM_FIELD_KEY, key);
	hsm_put_bytes(&out, HSM_FIELD_SHARED, "0123456789abcdef0123456789abcdef", 32);
	put_template(&out, HSM_FIELD_TEMPLATE,
		     A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY), A_NUMBER(CKA_KEY_TYPE, CKK_AES),
			    A_NUMBER(CKA_VALUE_LEN, 32)));
	assert_int_equal(peer_call(peer, HSM_OP_DERIVE, &out), CKR_OK);
	origin_is(peer, peer_u64(peer, HSM_FIELD_HANDLE), CK_HSM_ORIGIN_DERIVED, false);
	peer_free(peer);
}

/* A password is somebody's, whatever the standard calls the mechanism. */
static void test_password(void **state)
{
	struct peer *peer = peer_user(0);
	struct hsm_writer out = peer_fields(peer);

	(void)state;
	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_PKCS5_PBKD2);
	hsm_put_bytes(&out, HSM_FIELD_SALT, "0123456789abcdef", 16);
	hsm_put_u64(&out, HSM_FIELD_ITERATIONS, 1000);
	hsm_put_u64(&out, HSM_FIELD_PRF, CKP_PKCS5_PBKD2_HMAC_SHA256);
	hsm_put_bytes(&out, HSM_FIELD_PASSWORD, "password", 8);
	put_template(&out, HSM_FIELD_TEMPLATE,
		     A_LIST(A_NUMBER(CKA_KEY_TYPE, CKK_AES), A_NUMBER(CKA_VALUE_LEN, 32)));
	assert_int_equal(peer_call(peer, HSM_OP_GENERATE_KEY, &out), CKR_OK);
	origin_is(peer, peer_u64(peer, HSM_FIELD_HANDLE), CK_HSM_ORIGIN_DERIVED, false);
	peer_free(peer);
}

static void test_public_half(void **state)
{
	struct peer *peer = peer_user(0);
	struct hsm_writer out;
	uint64_t pair[2];

	(void)state;
	assert_int_equal(generate_ec(peer, false, A_LIST(A_TRUE(CKA_SIGN)), pair), CKR_OK);
	out = peer_fields(peer);
	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_PUB_KEY_FROM_PRIV_KEY);
	hsm_put_u64(&out, HSM_FIELD_KEY, pair[1]);
	put_template(&out, HSM_FIELD_TEMPLATE, A_LIST(A_TEXT(CKA_LABEL, "p")));
	assert_int_equal(peer_call(peer, HSM_OP_DERIVE, &out), CKR_OK);
	origin_is(peer, peer_u64(peer, HSM_FIELD_HANDLE), CK_HSM_ORIGIN_GENERATED, false);
	peer_free(peer);
}

static void test_encapsulated(void **state)
{
	struct peer *peer = peer_user(0);
	struct hsm_writer out = peer_fields(peer);
	uint64_t pair[2];
	CK_RV rv;

	(void)state;
	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_ML_KEM_KEY_PAIR_GEN);
	put_template(&out, HSM_FIELD_TEMPLATE,
		     A_LIST(A_NUMBER(CKA_PARAMETER_SET, CKP_ML_KEM_768), A_TRUE(CKA_ENCAPSULATE)));
	put_template(&out, HSM_FIELD_PRIVATE_TEMPLATE, A_LIST(A_TRUE(CKA_DECAPSULATE)));
	rv = peer_call(peer, HSM_OP_GENERATE_PAIR, &out);
	if (rv == CKR_MECHANISM_INVALID) {
		peer_free(peer);
		skip();
	}
	assert_int_equal(rv, CKR_OK);
	pair[0] = peer_u64(peer, HSM_FIELD_HANDLE);
	out = peer_fields(peer);
	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_ML_KEM);
	hsm_put_u64(&out, HSM_FIELD_KEY, pair[0]);
	hsm_put_u64(&out, HSM_FIELD_OUT_MAX, 4096);
	put_template(&out, HSM_FIELD_TEMPLATE,
		     A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY), A_NUMBER(CKA_KEY_TYPE, CKK_AES),
			    A_NUMBER(CKA_VALUE_LEN, 32)));
	assert_int_equal(peer_call(peer, HSM_OP_ENCAPSULATE, &out), CKR_OK);
	origin_is(peer, peer_u64(peer, HSM_FIELD_HANDLE), CK_HSM_ORIGIN_ENCAPSULATED, false);
	peer_free(peer);
}

static void test_unmasked(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t handle = some_aes(peer);
	struct hsm_writer out;
	uint8_t masked[1024];
	size_t length;

	(void)state;
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_MASK, handle), CKR_OK);
	take_bytes(peer, HSM_FIELD_MASKED, masked, &length);
	out = peer_fields(peer);
	hsm_put_bytes(&out, HSM_FIELD_MASKED, masked, length);
	assert_int_equal(peer_call(peer, HSM_OP_OBJECT_UNMASK, &out), CKR_OK);
	origin_is(peer, peer_u64(peer, HSM_FIELD_HANDLE), CK_HSM_ORIGIN_GENERATED, true);
	peer_free(peer);
}

static void test_attack_origin_in_a_template(void **state)
{
	const struct test_attribute claim = A_NUMBER(CKA_HSM_ORIGIN, CK_HSM_ORIGIN_GENERATED);
	struct peer *peer = peer_user(0);
	uint64_t handle = 0;

	(void)state;
	assert_int_equal(create(peer, KEY(claim), &handle), CKR_ATTRIBUTE_READ_ONLY);
	assert_int_equal(generate_aes(peer, A_LIST(A_NUMBER(CKA_VALUE_LEN, 16), claim), &handle),
			 CKR_ATTRIBUTE_READ_ONLY);
	assert_int_equal(create(peer, KEY(A_TRUE(CKA_ENCRYPT)), &handle), CKR_OK);
	assert_int_equal(change(peer, HSM_OP_ATTRIBUTES_SET, handle, A_LIST(claim)),
			 CKR_ATTRIBUTE_READ_ONLY);
	assert_int_equal(change(peer, HSM_OP_OBJECT_COPY, handle, A_LIST(claim)),
			 CKR_ATTRIBUTE_READ_ONLY);
	origin_is(peer, handle, CK_HSM_ORIGIN_IMPORTED, false);
	peer_free(peer);
}

static bool has(const struct told *told, uint64_t attribute)
{
	return hsm_cbor_get(told->evidence.attributes, (int64_t)attribute);
}

/* Also of a key that everybody may read: evidence is for strangers. */
static void test_attack_no_material(void **state)
{
	static const char value[] = "0123456789abcdef"; /* as KEY() has it */
	struct peer *peer = peer_user(0);
	uint64_t handle = 0;
	struct told told;
	const uint8_t *payload;
	size_t length;

	(void)state;
	assert_int_equal(create(peer,
				KEY(A_FALSE(CKA_SENSITIVE), A_TRUE(CKA_EXTRACTABLE),
				    A_TEXT(CKA_LABEL, "open")),
				&handle),
			 CKR_OK);
	tell_key(peer, handle, &told);
	payload = hsm_cose_payload(told.message, &length);
	assert_null(memmem(payload, length, value, 16));
	assert_non_null(memmem(payload, length, "open", 4));
	assert_false(has(&told, CKA_VALUE));
	assert_true(has(&told, CKA_SENSITIVE));
	assert_true(has(&told, CKA_OBJECT_VALIDATION_FLAGS));
	told_free(&told);
	peer_free(peer);
}

/* Every attribute of the table that the object has and that is no material, with the value that is read */
static void test_attributes_are_those_read(void **state)
{
	struct peer *peer = peer_user(0);
	struct hsm_attribute_view view;
	const struct cbor_pair *pair;
	uint64_t handle = 0, number;
	struct told told;

	(void)state;
	assert_int_equal(create(peer,
				KEY(A_TEXT(CKA_LABEL, "k"), A_TRUE(CKA_ENCRYPT), A_TRUE(CKA_TOKEN),
				    A_BYTES(CKA_ALLOWED_MECHANISMS, "\x87\x10\0\0\0\0\0\0", 8)),
				&handle),
			 CKR_OK);
	tell_key(peer, handle, &told);
	pair = cbor_map_handle(told.evidence.attributes);
	assert_true(cbor_map_size(told.evidence.attributes) > 20);
	for (size_t i = 0; i < cbor_map_size(told.evidence.attributes); i++) {
		assert_true(hsm_cbor_as_uint(pair[i].key, &number));
		assert_non_null(hsm_attribute_name(number));
		assert_int_equal(read_one(peer, handle, number, &view), CKR_OK);
		if (cbor_isa_uint(pair[i].value))
			assert_int_equal(cbor_get_int(pair[i].value), hsm_get_le64(view.value));
		if (cbor_isa_float_ctrl(pair[i].value))
			assert_int_equal(cbor_get_bool(pair[i].value), *view.value);
		if (cbor_isa_array(pair[i].value))
			assert_int_equal(cbor_array_size(pair[i].value), view.length / 8);
		if (cbor_isa_bytestring(pair[i].value))
			assert_memory_equal(cbor_bytestring_handle(pair[i].value), view.value,
					    view.length);
	}
	told_free(&told);
	peer_free(peer);
}

static void test_attribute_is_evidence(void **state)
{
	static const uint64_t types[] = { CKA_HSM_EVIDENCE, CKA_KEY_TYPE };
	struct peer *peer = peer_user(0);
	struct hsm_attribute_view view;
	uint64_t handle = some_aes(peer), data = 0;
	struct told told;

	(void)state;
	assert_int_equal(get(peer, handle, types, 2, 1, &view), CKR_OK);
	assert_int_equal(hsm_get_le64(view.value), CKK_AES);
	assert_int_equal(get(peer, handle, types, 2, 0, &view), CKR_OK);
	take(view.value, view.length, &told);
	assert_int_equal(number_of(&told, HSM_CLAIM_KIND), HSM_EVIDENCE_KEY);
	assert_false(told.evidence.claim[HSM_CLAIM_NONCE].present);
	told_free(&told);
	assert_int_equal(create(peer, DATA(A_TEXT(CKA_LABEL, "d")), &data), CKR_OK);
	assert_int_equal(read_one(peer, data, CKA_HSM_EVIDENCE, &view), CKR_ATTRIBUTE_TYPE_INVALID);
	peer_free(peer);
}

#define READY(name) cmocka_unit_test_setup_teardown(name, board_setup_ready, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		READY(test_device_evidence),
		READY(test_tampered),
		READY(test_partition),
		READY(test_wrong_requests),
		READY(test_made_here_or_not),
		READY(test_unwrapped_and_derived),
		READY(test_password),
		READY(test_public_half),
		READY(test_encapsulated),
		READY(test_unmasked),
		READY(test_attack_origin_in_a_template),
		READY(test_attack_no_material),
		READY(test_attributes_are_those_read),
		READY(test_attribute_is_evidence),
	};

	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
