// SPDX-License-Identifier: Apache-2.0
/*
 * Attacks 6, 7 and 9 of Documentation/policy.rst by way of DERIVE, at the device's own commands: each test first takes the
 * steps where they are let through, then where they are not. And what DERIVE answers when it gives several keys.
 */
#include "object_testing.h"

#define COMPATIBLE 0
#define STRICT	   1

#define OK(call)     assert_int_equal(call, CKR_OK)
#define RV(call, rv) assert_int_equal(call, rv)

#define AS_GENERIC(...)                                                                         \
	A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY), A_NUMBER(CKA_KEY_TYPE, CKK_GENERIC_SECRET), \
	       __VA_ARGS__)
#define BASE(length, ...) \
	AS_GENERIC(A_BYTES(CKA_VALUE, value, length), A_TRUE(CKA_DERIVE), __VA_ARGS__)
#define LENGTH(n) A_NUMBER(CKA_VALUE_LEN, n)

static const char value[] = "a base key that is long enough for all that there is to be tried";

static struct hsm_writer *writing;
static char data[64];
static size_t data_length;
static uint64_t first_bit, second_key;

static void put_data(struct hsm_writer *out)
{
	hsm_put_bytes(out, HSM_FIELD_SHARED, data, data_length);
}

static void put_first_bit(struct hsm_writer *out)
{
	hsm_put_u64(out, HSM_FIELD_FIRST_BIT, first_bit);
}

static void put_second_key(struct hsm_writer *out)
{
	hsm_put_u64(out, HSM_FIELD_SECOND_KEY, second_key);
}

static void put_hkdf(struct hsm_writer *out)
{
	hsm_put_u64(out, HSM_FIELD_EXTRACT, 0);
	hsm_put_u64(out, HSM_FIELD_EXPAND, 1);
	hsm_put_u64(out, HSM_FIELD_HASH, CKM_SHA256);
}

static void put_ike(struct hsm_writer *out)
{
	hsm_put_u64(out, HSM_FIELD_PRF, CKM_SHA256_HMAC);
}

static const struct test_mechanism data_and_base = { CKM_CONCATENATE_DATA_AND_BASE, put_data },
				   base_and_data = { CKM_CONCATENATE_BASE_AND_DATA, put_data },
				   base_and_key = { CKM_CONCATENATE_BASE_AND_KEY, put_second_key },
				   xor = { CKM_XOR_BASE_AND_DATA, put_data },
				   extract = { CKM_EXTRACT_KEY_FROM_KEY, put_first_bit },
				   hkdf = { CKM_HKDF_DERIVE, put_hkdf },
				   hkdf_data = { CKM_HKDF_DATA, put_hkdf },
				   ike1_extended = { CKM_IKE1_EXTENDED_DERIVE, put_ike },
				   sha256 = { CKM_SHA256_KEY_DERIVATION, NULL };

static void use_data(const char *text)
{
	data_length = strlen(text);
	memcpy(data, text, data_length);
}

static uint64_t imported(struct peer *peer, const struct test_attribute *template)
{
	uint64_t handle = 0;

	OK(create(peer, template, &handle));
	return handle;
}

/* ---- 9 ---- */

/* Thirteen bytes that one knows and one that one does not are searched in 256 steps: byte after byte, the key is known. */
static void attack_9_one_byte_at_a_time(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	uint64_t base, key, other;

	(void)state;
	base = imported(peer, BASE(16, A_TRUE(CKA_SENSITIVE)));
	use_data("thirteen byte");
	/* All of it: what the caller does not know of it is the base, whole. */
	OK(derive_by(peer, data_and_base, base, AS_GENERIC(A_TRUE(CKA_DERIVE)), &key));
	/* Cut, it would hold one byte of the base. */
	RV(derive_by(peer, data_and_base, base, AS_GENERIC(LENGTH(14)), &other),
	   CKR_ATTRIBUTE_VALUE_INVALID);
	RV(derive_by(peer, data_and_base, base, AS_GENERIC(LENGTH(26)), &other),
	   CKR_ATTRIBUTE_VALUE_INVALID);
	OK(derive_by(peer, data_and_base, base, AS_GENERIC(LENGTH(27)), &other));
	OK(derive_by(peer, base_and_data, base, AS_GENERIC(LENGTH(14)), &other));
	/* Nor by cutting what has been put together, in any way that cuts */
	first_bit = 0;
	RV(derive_by(peer, extract, key, AS_GENERIC(LENGTH(14)), &other),
	   CKR_KEY_FUNCTION_NOT_PERMITTED);
	first_bit = 8 * 12;
	RV(derive_by(peer, extract, key, AS_GENERIC(LENGTH(16)), &other),
	   CKR_KEY_FUNCTION_NOT_PERMITTED);
	use_data("\1\1\1\1\1\1\1\1\1\1\1\1\1\1");
	RV(derive_by(peer, xor, key, AS_GENERIC(LENGTH(14)), &other),
	   CKR_KEY_FUNCTION_NOT_PERMITTED);
	RV(derive_by(peer, base_and_data, key, AS_GENERIC(LENGTH(14)), &other),
	   CKR_KEY_FUNCTION_NOT_PERMITTED);
	RV(derive_by(peer, ike1_extended, key, AS_GENERIC(LENGTH(14)), &other),
	   CKR_KEY_FUNCTION_NOT_PERMITTED);
	/* It stays so when it is put together again, turned round or copied. */
	first_bit = 3;
	OK(derive_by(peer, extract, key, AS_GENERIC(LENGTH(29), A_TRUE(CKA_DERIVE)), &other));
	RV(derive_by(peer, extract, other, AS_GENERIC(LENGTH(14)), &other),
	   CKR_KEY_FUNCTION_NOT_PERMITTED);
	OK(change(peer, HSM_OP_OBJECT_COPY, key, A_LIST(A_TEXT(CKA_LABEL, "copy"))));
	other = peer_u64(peer, HSM_FIELD_HANDLE);
	RV(derive_by(peer, extract, other, AS_GENERIC(LENGTH(14)), &other),
	   CKR_KEY_FUNCTION_NOT_PERMITTED);
	assert_true(get_bool(peer, key, CKA_HSM_COMPOSED));
	/* A one-way function takes it. */
	OK(derive_by(peer, sha256, key, AS_GENERIC(LENGTH(16)), &other));
	peer_free(peer);
}

/* Wrapped and unwrapped, it would be a key that nobody knows to be put together, and be cut after all. */
static void attack_9_put_together_and_unwrapped(void **state)
{
	static const struct test_mechanism kwp = { CKM_AES_KEY_WRAP_KWP, NULL };
	struct peer *peer = peer_user(COMPATIBLE);
	uint64_t base, key, kek, back = 0;
	uint8_t wrapped[1024];
	size_t length;

	(void)state;
	kek = imported(peer, A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY),
				    A_NUMBER(CKA_KEY_TYPE, CKK_AES), A_BYTES(CKA_VALUE, value, 32),
				    A_TRUE(CKA_WRAP), A_TRUE(CKA_UNWRAP), A_TRUE(CKA_SENSITIVE)));
	base = imported(peer, BASE(16, A_TRUE(CKA_SENSITIVE), A_TRUE(CKA_EXTRACTABLE)));
	use_data("thirteen byte");
	OK(derive_by(peer, data_and_base, base,
		     AS_GENERIC(A_TRUE(CKA_DERIVE), A_TRUE(CKA_EXTRACTABLE)), &key));
	OK(wrap_by(peer, kwp, kek, key, wrapped, &length));
	OK(unwrap_by(peer, kwp, kek, wrapped, length, AS_GENERIC(A_TRUE(CKA_DERIVE)), &back));
	first_bit = 0;
	RV(derive_by(peer, extract, back, AS_GENERIC(LENGTH(14)), &key),
	   CKR_KEY_FUNCTION_NOT_PERMITTED);
	/* As any other, it goes into one-way functions, and whole into what is put together. */
	OK(derive_by(peer, sha256, back, AS_GENERIC(LENGTH(16)), &key));
	OK(derive_by(peer, base_and_data, back, AS_GENERIC(LENGTH(42)), &key));
	peer_free(peer);
}

static void attack_9_short_pieces(void **state)
{
	static const struct test_mechanism *const pieces[] = { &xor,	       &extract,
							       &base_and_data, &data_and_base,
							       &base_and_key,  &sha256,
							       &ike1_extended };
	struct peer *peer = peer_user(COMPATIBLE);
	uint64_t base, key;
	unsigned int n, i;

	(void)state;
	base = second_key = imported(peer, BASE(32, A_TRUE(CKA_SENSITIVE)));
	first_bit = 1;
	use_data("0123456789abcdef0123456789abcdef");
	for (i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		OK(derive_by(peer, *pieces[i], base,
			     AS_GENERIC(LENGTH(pieces[i] == &data_and_base ? 46 : 14)), &key));
		for (n = 1; n < 14; n++)
			RV(derive_by(peer, *pieces[i], base, AS_GENERIC(LENGTH(n)), &key),
			   CKR_ATTRIBUTE_VALUE_INVALID);
	}
	peer_free(peer);
}

static void attack_9_readable_pieces(void **state)
{
	static const struct test_mechanism *const pieces[] = { &xor,	       &extract,
							       &base_and_data, &data_and_base,
							       &base_and_key,  &sha256 };
	struct peer *peer = peer_user(COMPATIBLE);
	struct hsm_attribute_view view;
	uint64_t open, closed, key;
	unsigned int i;

	(void)state;
	open = imported(peer, BASE(16, A_FALSE(CKA_SENSITIVE), A_TRUE(CKA_EXTRACTABLE)));
	closed = imported(peer, BASE(16, A_TRUE(CKA_SENSITIVE), A_TRUE(CKA_EXTRACTABLE)));
	first_bit = 0;
	use_data("0123456789abcdef");
	second_key = open;
	for (i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		OK(derive_by(peer, *pieces[i], open,
			     AS_GENERIC(LENGTH(16 + 16 * (pieces[i] == &data_and_base)),
					A_FALSE(CKA_SENSITIVE), A_TRUE(CKA_EXTRACTABLE)),
			     &key));
		OK(read_one(peer, key, CKA_VALUE, &view));
		RV(derive_by(peer, *pieces[i], closed,
			     AS_GENERIC(LENGTH(16), A_FALSE(CKA_SENSITIVE),
					A_TRUE(CKA_EXTRACTABLE)),
			     &key),
		   CKR_TEMPLATE_INCONSISTENT);
	}
	/* The second key counts as the base does. */
	second_key = closed;
	RV(derive_by(peer, base_and_key, open,
		     AS_GENERIC(A_FALSE(CKA_SENSITIVE), A_TRUE(CKA_EXTRACTABLE)), &key),
	   CKR_TEMPLATE_INCONSISTENT);
	OK(derive_by(peer, base_and_key, open, AS_GENERIC(A_TRUE(CKA_SENSITIVE)), &key));
	assert_false(get_bool(peer, key, CKA_ALWAYS_SENSITIVE));
	peer_free(peer);
}

/* What may not leave does not leave as a piece, or as a clone that a known mask was added to. */
static void attack_9_clones_that_leave(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	uint64_t free_one, bound, limited, key;

	(void)state;
	use_data("0123456789abcdef");
	free_one = imported(peer, BASE(16, A_TRUE(CKA_SENSITIVE), A_TRUE(CKA_EXTRACTABLE)));
	bound = imported(peer, BASE(16, A_TRUE(CKA_SENSITIVE)));
	OK(derive_by(peer, xor, free_one, AS_GENERIC(A_TRUE(CKA_EXTRACTABLE)), &key));
	RV(derive_by(peer, xor, bound, AS_GENERIC(A_TRUE(CKA_EXTRACTABLE)), &key),
	   CKR_TEMPLATE_INCONSISTENT);
	OK(derive_by(peer, xor, bound, AS_GENERIC(A_FALSE(CKA_EXTRACTABLE)), &key));
	/* What a one-way function makes is a key of its own. */
	OK(derive_by(peer, sha256, bound, AS_GENERIC(A_TRUE(CKA_EXTRACTABLE)), &key));
	second_key = bound;
	RV(derive_by(peer, base_and_key, free_one, AS_GENERIC(A_TRUE(CKA_EXTRACTABLE)), &key),
	   CKR_TEMPLATE_INCONSISTENT);
	/* A key whose uses are counted has no clone that counts for itself. */
	limited = imported(peer, BASE(16, A_TRUE(CKA_SENSITIVE), A_NUMBER(CKA_HSM_USE_LIMIT, 100)));
	RV(derive_by(peer, xor, limited, AS_GENERIC(A_TRUE(CKA_SENSITIVE)), &key),
	   CKR_KEY_FUNCTION_NOT_PERMITTED);
	OK(derive_by(peer, hkdf, limited, AS_GENERIC(LENGTH(16)), &key));
	peer_free(peer);
}

static void attack_9_data_from_a_sensitive_key(void **state)
{
	static const uint64_t both[] = { CKM_HKDF_DATA, CKM_HKDF_DERIVE };
	struct peer *peer = peer_user(COMPATIBLE);
	struct hsm_attribute_view view;
	uint64_t open, closed, data_only, either, object;

	(void)state;
	open = imported(peer, BASE(32, A_FALSE(CKA_SENSITIVE), A_TRUE(CKA_EXTRACTABLE)));
	closed = imported(peer, BASE(32, A_TRUE(CKA_SENSITIVE)));
	data_only = imported(peer, BASE(32, A_TRUE(CKA_SENSITIVE),
					A_BYTES(CKA_ALLOWED_MECHANISMS, both, 8)));
	either = imported(peer, BASE(32, A_TRUE(CKA_SENSITIVE),
				     A_BYTES(CKA_ALLOWED_MECHANISMS, both, 16)));
	OK(derive_by(peer, hkdf_data, open, A_LIST(LENGTH(20), A_TEXT(CKA_LABEL, "iv")), &object));
	OK(read_one(peer, object, CKA_VALUE, &view));
	assert_int_equal(view.length, 20);
	assert_int_equal(get_ulong(peer, object, CKA_CLASS), CKO_DATA);
	/* The same output would be another key's value. */
	RV(derive_by(peer, hkdf_data, closed, A_LIST(LENGTH(20)), &object),
	   CKR_KEY_FUNCTION_NOT_PERMITTED);
	RV(derive_by(peer, hkdf_data, either, A_LIST(LENGTH(20)), &object),
	   CKR_KEY_FUNCTION_NOT_PERMITTED);
	/* A key that was made for data gives nothing else. */
	OK(derive_by(peer, hkdf_data, data_only, A_LIST(LENGTH(20)), &object));
	RV(derive_by(peer, hkdf, data_only, AS_GENERIC(LENGTH(20)), &object),
	   CKR_MECHANISM_INVALID);
	peer_free(peer);
}

static void attack_9_not_in_strict(void **state)
{
	static const struct test_mechanism *const pieces[] = { &xor,	       &extract,
							       &base_and_data, &data_and_base,
							       &base_and_key,  &ike1_extended };
	struct peer *peer = peer_user(STRICT);
	uint64_t base, key;
	unsigned int i;

	(void)state;
	base = second_key = imported(peer, BASE(32, A_TRUE(CKA_SENSITIVE)));
	first_bit = 0;
	use_data("0123456789abcdef0123456789abcdef");
	for (i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		RV(derive_by(peer, *pieces[i], base, AS_GENERIC(LENGTH(32)), &key),
		   CKR_MECHANISM_INVALID);
	OK(derive_by(peer, hkdf, base, AS_GENERIC(LENGTH(32)), &key));
	peer_free(peer);
}

/* ---- 6, 7 ---- */

static void attack_6_pieces_of_a_key_for_trusted_wrapping(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	uint64_t base, key;

	(void)state;
	use_data("0123456789abcdef");
	base = imported(peer, BASE(16, A_TRUE(CKA_SENSITIVE), A_TRUE(CKA_EXTRACTABLE)));
	OK(derive_by(peer, xor, base, AS_GENERIC(A_FALSE(CKA_WRAP_WITH_TRUSTED)), &key));
	base = imported(peer, BASE(16, A_TRUE(CKA_SENSITIVE), A_TRUE(CKA_EXTRACTABLE),
				   A_TRUE(CKA_WRAP_WITH_TRUSTED)));
	RV(derive_by(peer, xor, base, AS_GENERIC(A_FALSE(CKA_WRAP_WITH_TRUSTED)), &key),
	   CKR_TEMPLATE_INCONSISTENT);
	OK(derive_by(peer, xor, base, AS_GENERIC(A_TRUE(CKA_EXTRACTABLE)), &key));
	assert_true(get_bool(peer, key, CKA_WRAP_WITH_TRUSTED));
	peer_free(peer);
}

/*
 * A key that encrypts what the caller likes into a key is a way out for what it wraps (the key stream of GCM for example)
 * as soon as the outputs can be read.
 */
static void attack_6_encrypted_data_that_can_be_read(void **state)
{
	static const struct test_mechanism encrypt = { CKM_AES_ECB_ENCRYPT_DATA, put_data };
	static const uint64_t only_wrap[] = { CKM_AES_KEY_WRAP };
	struct peer *peer = peer_user(COMPATIBLE);
	struct hsm_attribute_view view;
	uint64_t base, key;

	(void)state;
#define AES_BASE(...)                                                                \
	A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY), A_NUMBER(CKA_KEY_TYPE, CKK_AES), \
	       A_BYTES(CKA_VALUE, value, 32), A_TRUE(CKA_DERIVE), __VA_ARGS__)
#define READABLE AS_GENERIC(A_FALSE(CKA_SENSITIVE), A_TRUE(CKA_EXTRACTABLE))
	use_data("0123456789abcdef");
	base = imported(peer, AES_BASE(A_FALSE(CKA_SENSITIVE), A_TRUE(CKA_EXTRACTABLE)));
	OK(derive_by(peer, encrypt, base, READABLE, &key));
	OK(read_one(peer, key, CKA_VALUE, &view));
	assert_int_equal(view.length, 16);
	base = imported(peer, AES_BASE(A_TRUE(CKA_SENSITIVE), A_TRUE(CKA_EXTRACTABLE),
				       A_TRUE(CKA_WRAP), A_TRUE(CKA_WRAP_WITH_TRUSTED)));
	RV(derive_by(peer, encrypt, base, READABLE, &key), CKR_TEMPLATE_INCONSISTENT);
	OK(derive_by(peer, encrypt, base, AS_GENERIC(A_TRUE(CKA_SENSITIVE)), &key));
	RV(read_one(peer, key, CKA_VALUE, &view), CKR_ATTRIBUTE_SENSITIVE);
	base = imported(peer,
			AES_BASE(A_TRUE(CKA_WRAP), A_BYTES(CKA_ALLOWED_MECHANISMS, only_wrap, 8)));
	RV(derive_by(peer, encrypt, base, READABLE, &key), CKR_MECHANISM_INVALID);
	peer_free(peer);

	peer = peer_user(STRICT);
	base = imported(peer, AES_BASE(A_TRUE(CKA_SENSITIVE)));
	RV(derive_by(peer, encrypt, base, AS_GENERIC(A_TRUE(CKA_SENSITIVE)), &key),
	   CKR_MECHANISM_INVALID);
	peer_free(peer);
}

static uint64_t generated_ec(struct peer *peer)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_EC_KEY_PAIR_GEN);
	put_template(&out, HSM_FIELD_TEMPLATE, A_LIST(A_BYTES(CKA_EC_PARAMS, p256, sizeof(p256))));
	put_template(&out, HSM_FIELD_PRIVATE_TEMPLATE, A_LIST(A_TRUE(CKA_DERIVE)));
	OK(peer_call(peer, HSM_OP_GENERATE_PAIR, &out));
	return peer_u64(peer, HSM_FIELD_OTHER_HANDLE);
}

static void attack_7_mechanisms_that_are_not_allowed(void **state)
{
	static const uint64_t only_hkdf[] = { CKM_HKDF_DERIVE };
	struct peer *peer = peer_user(COMPATIBLE);
	uint64_t any, bound, key;

	(void)state;
	use_data("0123456789abcdef");
	any = imported(peer, BASE(16, A_TRUE(CKA_SENSITIVE)));
	bound = imported(peer, BASE(16, A_TRUE(CKA_SENSITIVE),
				    A_BYTES(CKA_ALLOWED_MECHANISMS, only_hkdf, 8)));
	OK(derive_by(peer, xor, any, AS_GENERIC(A_TRUE(CKA_SENSITIVE)), &key));
	RV(derive_by(peer, xor, bound, AS_GENERIC(A_TRUE(CKA_SENSITIVE)), &key),
	   CKR_MECHANISM_INVALID);
	OK(derive_by(peer, hkdf, bound, AS_GENERIC(LENGTH(16)), &key));
	/* Also when it is the second key, which must be one that derives, too. */
	second_key = bound;
	RV(derive_by(peer, base_and_key, any, AS_GENERIC(A_TRUE(CKA_SENSITIVE)), &key),
	   CKR_MECHANISM_INVALID);
	second_key = imported(peer, AS_GENERIC(A_BYTES(CKA_VALUE, value, 16)));
	RV(derive_by(peer, base_and_key, any, AS_GENERIC(A_TRUE(CKA_SENSITIVE)), &key),
	   CKR_KEY_FUNCTION_NOT_PERMITTED);
	/* Nor is a private key's value anything to derive from. */
	second_key = generated_ec(peer);
	RV(derive_by(peer, base_and_key, any, AS_GENERIC(A_TRUE(CKA_SENSITIVE)), &key),
	   CKR_KEY_TYPE_INCONSISTENT);
	second_key = 12345;
	RV(derive_by(peer, base_and_key, any, AS_GENERIC(A_TRUE(CKA_SENSITIVE)), &key),
	   CKR_KEY_HANDLE_INVALID);
	peer_free(peer);
}

/* ---- several keys ---- */

static void put_records(enum hsm_field_tag tag, const struct hsm_record *heads,
			const void *const *bodies, size_t count)
{
	size_t mark = hsm_put_begin(writing, tag);

	for (size_t i = 0; i < count; i++) {
		struct hsm_record head = { htole32(heads[i].type), htole32(heads[i].length) };

		hsm_put_raw(writing, &head, sizeof(head));
		hsm_put_raw(writing, bodies[i], heads[i].length);
	}
	hsm_put_end(writing, mark);
}

/* Two further keys, one of them a token object; @cut: the second one's template is too short by so much */
static CK_RV derive_three(struct peer *peer, uint64_t base, size_t cut, const uint8_t **handles,
			  size_t *length)
{
	static const struct hsm_number_form form = { 0, 0, 16 };
	struct hsm_writer out = peer_fields(peer), one, two;
	uint8_t first[256], second[256];
	const void *bodies[2] = { &form, NULL };
	struct hsm_record heads[2] = { { CK_SP800_108_ITERATION_VARIABLE, sizeof(form) } };
	CK_RV rv;

	hsm_writer_init(&one, first, sizeof(first));
	hsm_put_attribute(&one, CKA_VALUE_LEN, 0, &(uint64_t){ htole64(16) }, 8);
	hsm_put_attribute(&one, CKA_TOKEN, 0, "\1", 1);
	hsm_put_attribute(&one, CKA_LABEL, 0, "further", 7);
	hsm_writer_init(&two, second, sizeof(second));
	hsm_put_attribute(&two, CKA_VALUE_LEN, 0, &(uint64_t){ htole64(32) }, 8);
	hsm_put_attribute(&two, CKA_LABEL, 0, "further", 7);
	writing = &out;
	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_SP800_108_COUNTER_KDF);
	hsm_put_u64(&out, HSM_FIELD_PRF, CKM_SHA256_HMAC);
	hsm_put_u64(&out, HSM_FIELD_KEY, base);
	put_records(HSM_FIELD_PRF_DATA, heads, bodies, 1);
	heads[0] = (struct hsm_record){ 0, (uint32_t)one.length };
	heads[1] = (struct hsm_record){ 0, (uint32_t)(two.length - cut) };
	bodies[0] = first;
	bodies[1] = second;
	put_records(HSM_FIELD_MORE_KEYS, heads, bodies, 2);
	put_template(&out, HSM_FIELD_TEMPLATE, AS_GENERIC(LENGTH(20)));
	rv = peer_call(peer, HSM_OP_DERIVE, &out);
	*handles = hsm_fields_bytes(&peer->fields, HSM_FIELD_HANDLES, length);
	return rv;
}

static void several_keys(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	const uint8_t *list;
	uint64_t base, handles[2];
	size_t length;

	(void)state;
	base = imported(peer, BASE(32, A_FALSE(CKA_SENSITIVE), A_TRUE(CKA_EXTRACTABLE)));
	OK(derive_three(peer, base, 0, &list, &length));
	assert_int_equal(length, 16);
	handles[0] = hsm_get_le64(list);
	handles[1] = hsm_get_le64(list + 8);
	assert_int_equal(get_ulong(peer, handles[0], CKA_VALUE_LEN), 16);
	assert_int_equal(get_ulong(peer, handles[1], CKA_VALUE_LEN), 32);
	/* Where the template is silent, they are as readable as the base (PKCS#11 3.2, 6.42). */
	assert_false(get_bool(peer, handles[1], CKA_SENSITIVE));
	assert_int_equal(FIND(peer, A_TEXT(CKA_LABEL, "further")), 2);
	/* One bad template, no key at all */
	assert_int_not_equal(derive_three(peer, base, 3, &list, &length), CKR_OK);
	assert_int_equal(FIND(peer, A_TEXT(CKA_LABEL, "further")), 2);
	base = imported(peer, BASE(32, A_TRUE(CKA_SENSITIVE)));
	OK(derive_three(peer, base, 0, &list, &length));
	assert_true(get_bool(peer, hsm_get_le64(list + 8), CKA_SENSITIVE));
	peer_free(peer);
}

static uint64_t iv_bits;

static void put_tls(struct hsm_writer *out)
{
	hsm_put_bytes(out, HSM_FIELD_SEED, "client", 6);
	hsm_put_bytes(out, HSM_FIELD_OTHER_SEED, "server", 6);
	hsm_put_u64(out, HSM_FIELD_PRF, CKM_SHA256);
	hsm_put_u64(out, HSM_FIELD_MAC_BITS, 0);
	hsm_put_u64(out, HSM_FIELD_KEY_BITS, 128);
	hsm_put_u64(out, HSM_FIELD_IV_BITS, iv_bits);
}

/* Without a handle of its own in the answer */
static CK_RV derive_keys(struct peer *peer, struct test_mechanism mechanism, uint64_t base,
			 const struct test_attribute *template)
{
	struct hsm_writer out = peer_fields(peer);

	put_mechanism(&out, mechanism);
	hsm_put_u64(&out, HSM_FIELD_KEY, base);
	put_template(&out, HSM_FIELD_TEMPLATE, template);
	return peer_call(peer, HSM_OP_DERIVE, &out);
}

static void tls_keys(void **state)
{
	static const struct test_mechanism with = { CKM_TLS12_KEY_AND_MAC_DERIVE, put_tls },
					   safe = { CKM_TLS12_KEY_SAFE_DERIVE, put_tls };
	struct peer *peer = peer_user(COMPATIBLE);
	const uint8_t *list;
	uint64_t master, key;
	size_t length;

	(void)state;
	master = imported(peer, BASE(48, A_TRUE(CKA_SENSITIVE)));
	iv_bits = 32;
	OK(derive_keys(peer, with, master, A_LIST(A_NUMBER(CKA_KEY_TYPE, CKK_AES))));
	list = hsm_fields_bytes(&peer->fields, HSM_FIELD_HANDLES, &length);
	assert_int_equal(length, 32);
	assert_int_equal(hsm_get_le64(list), 0);
	assert_int_equal(hsm_get_le64(list + 8), 0);
	key = hsm_get_le64(list + 16);
	hsm_fields_bytes(&peer->fields, HSM_FIELD_IV, &length);
	assert_int_equal(length, 8);
	assert_true(get_bool(peer, key, CKA_ENCRYPT));
	assert_true(get_bool(peer, key, CKA_SENSITIVE));
	/* What the base key has, the template cannot take. */
	RV(derive_keys(peer, with, master,
		       A_LIST(A_NUMBER(CKA_KEY_TYPE, CKK_AES), A_FALSE(CKA_SENSITIVE))),
	   CKR_TEMPLATE_INCONSISTENT);
	RV(derive_keys(peer, with, master,
		       A_LIST(A_NUMBER(CKA_KEY_TYPE, CKK_AES), A_TRUE(CKA_EXTRACTABLE))),
	   CKR_TEMPLATE_INCONSISTENT);
	/* IVs are a part of the block, which shorter keys would move: the safe way gives none, and strict has it alone. */
	OK(derive_keys(peer, safe, master, A_LIST(A_NUMBER(CKA_KEY_TYPE, CKK_AES))));
	hsm_fields_bytes(&peer->fields, HSM_FIELD_IV, &length);
	assert_int_equal(length, 0);
	peer_free(peer);
	peer = peer_user(STRICT);
	master = imported(peer, BASE(48, A_TRUE(CKA_SENSITIVE)));
	RV(derive_keys(peer, with, master, A_LIST(A_NUMBER(CKA_KEY_TYPE, CKK_AES))),
	   CKR_MECHANISM_INVALID);
	OK(derive_keys(peer, safe, master, A_LIST(A_NUMBER(CKA_KEY_TYPE, CKK_AES))));
	peer_free(peer);
}

#define READY(test) cmocka_unit_test_setup_teardown(test, board_setup_ready, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		READY(attack_9_one_byte_at_a_time),
		READY(attack_9_put_together_and_unwrapped),
		READY(attack_9_short_pieces),
		READY(attack_9_readable_pieces),
		READY(attack_9_clones_that_leave),
		READY(attack_9_data_from_a_sensitive_key),
		READY(attack_9_not_in_strict),
		READY(attack_6_pieces_of_a_key_for_trusted_wrapping),
		READY(attack_6_encrypted_data_that_can_be_read),
		READY(attack_7_mechanisms_that_are_not_allowed),
		READY(several_keys),
		READY(tls_keys),
	};

	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
