// SPDX-License-Identifier: Apache-2.0
/*
 * Attacks by attributes and roles, at the device's own commands, where no library is in the way: each test is named after
 * its line in Documentation/policy.rst, first takes the steps where the policy lets them through, and then where it does
 * not.
 */
#include "object_testing.h"

#define COMPATIBLE 0
#define STRICT	   1

#define OK(call)     assert_int_equal(call, CKR_OK)
#define RV(call, rv) assert_int_equal(call, rv)

#define AES(n, ...) A_LIST(A_NUMBER(CKA_VALUE_LEN, n), __VA_ARGS__)
#define KNOWN(...)                                                                             \
	A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY), A_NUMBER(CKA_KEY_TYPE, CKK_AES),           \
	       A_BYTES(CKA_VALUE, secret, 16), A_TRUE(CKA_SENSITIVE), A_TRUE(CKA_EXTRACTABLE), \
	       __VA_ARGS__)
#define AS_AES(...) \
	A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY), A_NUMBER(CKA_KEY_TYPE, CKK_AES), __VA_ARGS__)
#define AS_GENERIC(...)                                                                         \
	A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY), A_NUMBER(CKA_KEY_TYPE, CKK_GENERIC_SECRET), \
	       __VA_ARGS__)
#define SET(handle, ...)  change(peer, HSM_OP_ATTRIBUTES_SET, handle, A_LIST(__VA_ARGS__))
#define COPY(handle, ...) change(peer, HSM_OP_OBJECT_COPY, handle, A_LIST(__VA_ARGS__))

static const char secret[] = "a secret in here";

static void put_gcm(struct hsm_writer *out)
{
	hsm_put_bytes(out, HSM_FIELD_IV, "twelve bytes", 12);
	hsm_put_u64(out, HSM_FIELD_TAG_BITS, 128);
}

static void put_ccm(struct hsm_writer *out)
{
	hsm_put_u64(out, HSM_FIELD_LENGTH, 32);
	hsm_put_bytes(out, HSM_FIELD_IV, "twelve bytes", 12);
	hsm_put_u64(out, HSM_FIELD_TAG_BITS, 128);
}

/* A nonce that the token makes, as C_WrapKeyAuthenticated asks for it */
static void put_made_gcm(struct hsm_writer *out)
{
	hsm_put_u64(out, HSM_FIELD_GENERATOR, CKG_GENERATE_RANDOM);
	put_gcm(out);
}

static void put_oaep(struct hsm_writer *out)
{
	hsm_put_u64(out, HSM_FIELD_HASH, CKM_SHA256);
	hsm_put_u64(out, HSM_FIELD_MGF, CKG_MGF1_SHA256);
}

static const struct test_mechanism gcm = { CKM_AES_GCM, put_gcm }, kw = { CKM_AES_KEY_WRAP, NULL },
				   kwp = { CKM_AES_KEY_WRAP_KWP, NULL },
				   oaep = { CKM_RSA_PKCS_OAEP, put_oaep };

static uint64_t made(struct peer *peer, const struct test_attribute *template)
{
	uint64_t handle;

	OK(generate_aes(peer, template, &handle));
	return handle;
}

static uint64_t imported(struct peer *peer, const struct test_attribute *template)
{
	uint64_t handle = 0;

	OK(create(peer, template, &handle));
	return handle;
}

static uint64_t last(struct peer *peer)
{
	return peer_u64(peer, HSM_FIELD_HANDLE);
}

/* The bytes of a wrapped key, decrypted as if they were data: is the secret in them? */
static void decrypt_wrapped(struct peer *peer, struct test_mechanism mechanism, uint64_t kek,
			    uint64_t decrypts)
{
	uint8_t blob[1024], text[1024];
	size_t length, n;

	OK(wrap_by(peer, mechanism, kek, imported(peer, KNOWN(A_FALSE(CKA_TOKEN))), blob, &length));
	OK(crypt_by(peer, HSM_OP_DECRYPT, mechanism, decrypts, blob, length, text, &n));
	assert_int_equal(n, 16);
	assert_memory_equal(text, secret, 16);
}

/* ---- 1 ---- */

static void attack_1_one_key_wraps_and_decrypts(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	uint8_t text[1024], blob[1024];
	size_t n, length;
	uint64_t kek, key;

	(void)state;
	kek = made(peer, AES(32, A_TRUE(CKA_WRAP), A_TRUE(CKA_DECRYPT)));
	decrypt_wrapped(peer, gcm, kek, kek);
	/* The other way round a key of the attacker's choice gets in. */
	kek = made(peer, AES(32, A_TRUE(CKA_UNWRAP), A_TRUE(CKA_ENCRYPT)));
	OK(crypt_by(peer, HSM_OP_ENCRYPT, gcm, kek, secret, 16, text, &n));
	OK(unwrap_by(peer, gcm, kek, text, n, AS_AES(A_TRUE(CKA_ENCRYPT)), &key));
	peer_free(peer);

	peer = peer_user(STRICT);
	RV(generate_aes(peer, AES(32, A_TRUE(CKA_WRAP), A_TRUE(CKA_DECRYPT)), &key),
	   CKR_TEMPLATE_INCONSISTENT);
	RV(generate_aes(peer, AES(32, A_TRUE(CKA_UNWRAP), A_TRUE(CKA_ENCRYPT)), &key),
	   CKR_TEMPLATE_INCONSISTENT);
	RV(create(peer, KNOWN(A_TRUE(CKA_WRAP), A_TRUE(CKA_DECRYPT)), &key),
	   CKR_TEMPLATE_INCONSISTENT);
	kek = made(peer, AES(32, A_TRUE(CKA_WRAP), A_TRUE(CKA_UNWRAP), A_TRUE(CKA_TOKEN),
			     A_FALSE(CKA_PRIVATE)));
	so_trusts(peer, kek);
	OK(wrap_by(peer, kw, kek, made(peer, AES(16, A_TRUE(CKA_EXTRACTABLE))), blob, &length));
	RV(unwrap_by(peer, kw, kek, blob, length, AS_AES(A_TRUE(CKA_WRAP), A_TRUE(CKA_DECRYPT)),
		     &key),
	   CKR_TEMPLATE_INCONSISTENT);
	RV(unwrap_by(peer, kw, kek, blob, length, AS_AES(A_TRUE(CKA_UNWRAP), A_TRUE(CKA_ENCRYPT)),
		     &key),
	   CKR_TEMPLATE_INCONSISTENT);
	RV(SET(kek, A_TRUE(CKA_DECRYPT)), CKR_ATTRIBUTE_READ_ONLY);
	RV(COPY(kek, A_TRUE(CKA_DECRYPT)), CKR_ATTRIBUTE_READ_ONLY);
	RV(COPY(kek, A_TRUE(CKA_ENCRYPT)), CKR_ATTRIBUTE_READ_ONLY);
	RV(crypt_by(peer, HSM_OP_DECRYPT, gcm, kek, blob, length, text, &n),
	   CKR_KEY_FUNCTION_NOT_PERMITTED);
	peer_free(peer);
}

/* ---- 2 ---- */

#define RSA_PUBLIC(...) A_LIST(A_NUMBER(CKA_MODULUS_BITS, 2048), __VA_ARGS__)

static void attack_2_the_conflict_in_two_halves(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	uint64_t pair[2] = { 0 };

	(void)state;
	OK(generate_rsa(peer, RSA_PUBLIC(A_TRUE(CKA_WRAP)), A_LIST(A_TRUE(CKA_DECRYPT)), pair));
	decrypt_wrapped(peer, oaep, pair[0], pair[1]);
	peer_free(peer);

	peer = peer_user(STRICT);
	RV(generate_rsa(peer, RSA_PUBLIC(A_TRUE(CKA_WRAP)), A_LIST(A_TRUE(CKA_DECRYPT)), pair),
	   CKR_TEMPLATE_INCONSISTENT);
	RV(generate_rsa(peer, RSA_PUBLIC(A_TRUE(CKA_ENCRYPT)), A_LIST(A_TRUE(CKA_UNWRAP)), pair),
	   CKR_TEMPLATE_INCONSISTENT);
	OK(generate_rsa(peer, RSA_PUBLIC(A_TRUE(CKA_WRAP)), A_LIST(A_TRUE(CKA_UNWRAP)), pair));
	RV(SET(pair[1], A_TRUE(CKA_DECRYPT)), CKR_ATTRIBUTE_READ_ONLY);
	RV(COPY(pair[1], A_FALSE(CKA_UNWRAP), A_TRUE(CKA_DECRYPT)), CKR_ATTRIBUTE_READ_ONLY);
	RV(SET(pair[0], A_TRUE(CKA_ENCRYPT)), CKR_ATTRIBUTE_READ_ONLY);
	peer_free(peer);
}

static void attack_2_the_conflict_over_time_and_copies(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	uint8_t blob[1024], text[1024];
	size_t length, n;
	uint64_t kek, decrypts;

	(void)state;
	/* Wrap first, decrypt later, with the key or with a copy of it */
	kek = made(peer, AES(32, A_TRUE(CKA_WRAP), A_FALSE(CKA_DECRYPT)));
	OK(COPY(kek, A_FALSE(CKA_WRAP), A_TRUE(CKA_DECRYPT)));
	decrypt_wrapped(peer, gcm, kek, last(peer));
	OK(wrap_by(peer, gcm, kek, imported(peer, KNOWN(A_FALSE(CKA_TOKEN))), blob, &length));
	OK(SET(kek, A_FALSE(CKA_WRAP)));
	OK(SET(kek, A_TRUE(CKA_DECRYPT)));
	OK(crypt_by(peer, HSM_OP_DECRYPT, gcm, kek, blob, length, text, &n));
	assert_memory_equal(text, secret, 16);
	peer_free(peer);

	peer = peer_user(STRICT);
	kek = made(peer, AES(32, A_TRUE(CKA_WRAP)));
	RV(COPY(kek, A_FALSE(CKA_WRAP), A_TRUE(CKA_DECRYPT)), CKR_ATTRIBUTE_READ_ONLY);
	OK(SET(kek, A_FALSE(CKA_WRAP)));
	RV(SET(kek, A_TRUE(CKA_DECRYPT)), CKR_ATTRIBUTE_READ_ONLY);
	RV(SET(kek, A_TRUE(CKA_WRAP)), CKR_ATTRIBUTE_READ_ONLY);
	/* One that leaves wrapped would come back as one that decrypts. */
	RV(generate_aes(peer, AES(32, A_TRUE(CKA_WRAP), A_TRUE(CKA_EXTRACTABLE)), &decrypts),
	   CKR_TEMPLATE_INCONSISTENT);
	peer_free(peer);
}

/* ---- 3 ---- */

static void attack_3_protection_taken_back(void **state)
{
	struct peer *peer;
	struct hsm_attribute_view view;
	uint64_t key;
	int profile;

	(void)state;
	for (profile = COMPATIBLE; profile <= STRICT; profile++) {
		peer = peer_user(profile);
		/* Readable, as long as nobody has protected it */
		OK(create(peer,
			  AS_AES(A_BYTES(CKA_VALUE, secret, 16), A_FALSE(CKA_SENSITIVE),
				 A_TRUE(CKA_EXTRACTABLE)),
			  &key));
		OK(read_one(peer, key, CKA_VALUE, &view));
		OK(COPY(key, A_TRUE(CKA_SENSITIVE)));
		RV(read_one(peer, last(peer), CKA_VALUE, &view), CKR_ATTRIBUTE_SENSITIVE);
		OK(SET(key, A_TRUE(CKA_SENSITIVE), A_FALSE(CKA_EXTRACTABLE),
		       A_TRUE(CKA_WRAP_WITH_TRUSTED)));
		RV(SET(key, A_FALSE(CKA_SENSITIVE)), CKR_ATTRIBUTE_READ_ONLY);
		RV(SET(key, A_TRUE(CKA_EXTRACTABLE)), CKR_ATTRIBUTE_READ_ONLY);
		RV(SET(key, A_FALSE(CKA_WRAP_WITH_TRUSTED)), CKR_ATTRIBUTE_READ_ONLY);
		RV(COPY(key, A_FALSE(CKA_SENSITIVE)), CKR_ATTRIBUTE_READ_ONLY);
		RV(COPY(key, A_TRUE(CKA_EXTRACTABLE)), CKR_ATTRIBUTE_READ_ONLY);
		RV(COPY(key, A_FALSE(CKA_WRAP_WITH_TRUSTED)), CKR_ATTRIBUTE_READ_ONLY);
		RV(COPY(key, A_FALSE(CKA_PRIVATE)), CKR_ATTRIBUTE_READ_ONLY);
		RV(read_one(peer, key, CKA_VALUE, &view), CKR_ATTRIBUTE_SENSITIVE);
		/* A refused template changes nothing, not even what of it was allowed. */
		RV(SET(key, A_TEXT(CKA_LABEL, "new"), A_FALSE(CKA_SENSITIVE)),
		   CKR_ATTRIBUTE_READ_ONLY);
		assert_int_equal(FIND(peer, A_TEXT(CKA_LABEL, "new")), 0);
		peer_free(peer);
	}
}

/* ---- 4 ---- */

static void attack_4_unwrapped_to_be_read(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	struct hsm_attribute_view view;
	uint64_t kek, key;
	uint8_t blob[1024];
	size_t length;

	(void)state;
	/* With a wrapping key that its owner knows anyway, the standard lets it pass. */
	kek = imported(peer, AS_AES(A_BYTES(CKA_VALUE, "known to its own", 16),
				    A_FALSE(CKA_SENSITIVE), A_TRUE(CKA_WRAP), A_TRUE(CKA_UNWRAP)));
	OK(wrap_by(peer, kw, kek, imported(peer, KNOWN(A_FALSE(CKA_TOKEN))), blob, &length));
	OK(unwrap_by(peer, kw, kek, blob, length,
		     AS_AES(A_FALSE(CKA_SENSITIVE), A_TRUE(CKA_EXTRACTABLE)), &key));
	OK(read_one(peer, key, CKA_VALUE, &view));
	assert_memory_equal(view.value, secret, 16);
	/* With one that nobody knows it does not, be it sensitive or only never extractable. */
	kek = made(peer, AES(32, A_TRUE(CKA_WRAP), A_TRUE(CKA_UNWRAP)));
	OK(wrap_by(peer, kw, kek, imported(peer, KNOWN(A_FALSE(CKA_TOKEN))), blob, &length));
	RV(unwrap_by(peer, kw, kek, blob, length,
		     AS_AES(A_FALSE(CKA_SENSITIVE), A_TRUE(CKA_EXTRACTABLE)), &key),
	   CKR_TEMPLATE_INCONSISTENT);
	peer_free(peer);

	peer = peer_user(STRICT);
	kek = made(peer, AES(32, A_TRUE(CKA_WRAP), A_TRUE(CKA_UNWRAP), A_TRUE(CKA_TOKEN),
			     A_FALSE(CKA_PRIVATE)));
	so_trusts(peer, kek);
	OK(wrap_by(peer, kw, kek, imported(peer, KNOWN(A_FALSE(CKA_TOKEN))), blob, &length));
	RV(unwrap_by(peer, kw, kek, blob, length, AS_AES(A_FALSE(CKA_SENSITIVE)), &key),
	   CKR_TEMPLATE_INCONSISTENT);
	OK(unwrap_by(peer, kw, kek, blob, length, AS_AES(A_TRUE(CKA_ENCRYPT)), &key));
	assert_true(get_bool(peer, key, CKA_SENSITIVE));
	peer_free(peer);
}

static void attack_4_a_forged_history(void **state)
{
	static const uint64_t history[] = { CKA_LOCAL, CKA_ALWAYS_SENSITIVE,
					    CKA_NEVER_EXTRACTABLE };
	struct peer *peer = peer_user(COMPATIBLE);
	uint64_t kek, key, honest;
	uint8_t blob[1024];
	size_t length, i;

	(void)state;
	honest = made(peer, AES(16, A_TRUE(CKA_SENSITIVE)));
	kek = made(peer, AES(32, A_TRUE(CKA_WRAP), A_TRUE(CKA_UNWRAP)));
	OK(wrap_by(peer, kw, kek, imported(peer, KNOWN(A_FALSE(CKA_TOKEN))), blob, &length));
	for (i = 0; i < 3; i++) {
		assert_true(get_bool(peer, honest, history[i]));
		RV(create(peer, KNOWN(A_TRUE(history[i])), &key), CKR_ATTRIBUTE_READ_ONLY);
		RV(generate_aes(peer, AES(16, A_TRUE(history[i])), &key), CKR_ATTRIBUTE_READ_ONLY);
		RV(unwrap_by(peer, kw, kek, blob, length, AS_AES(A_TRUE(history[i])), &key),
		   CKR_ATTRIBUTE_READ_ONLY);
		OK(unwrap_by(peer, kw, kek, blob, length, AS_AES(A_TRUE(CKA_SENSITIVE)), &key));
		assert_false(get_bool(peer, key, history[i]));
		RV(SET(key, A_TRUE(history[i])), CKR_ATTRIBUTE_READ_ONLY);
		RV(COPY(key, A_TRUE(history[i])), CKR_ATTRIBUTE_READ_ONLY);
	}
	peer_free(peer);
}

/* ---- 5 ---- */

static void attack_5_unwrapped_as_another_type(void **state)
{
	struct peer *peer;
	uint64_t kek, key, type = htole64(CKK_AES);
	uint8_t blob[1024], demand[64];
	size_t length, n = nest(demand, sizeof(demand), CKA_KEY_TYPE, &type, 8);
	int profile;

	(void)state;
	for (profile = COMPATIBLE; profile <= STRICT; profile++) {
		peer = peer_user(profile);
		/* The wrapped form does not tell the type. */
		kek = made(peer, AES(32, A_TRUE(CKA_WRAP), A_TRUE(CKA_UNWRAP), A_TRUE(CKA_TOKEN),
				     A_FALSE(CKA_PRIVATE)));
		so_trusts(peer, kek);
		OK(wrap_by(peer, kw, kek, imported(peer, KNOWN(A_FALSE(CKA_TOKEN))), blob,
			   &length));
		OK(unwrap_by(peer, kw, kek, blob, length, AS_GENERIC(A_TRUE(CKA_SIGN)), &key));
		/* So the unwrapping key says it. */
		kek = made(peer,
			   AES(32, A_TRUE(CKA_WRAP), A_TRUE(CKA_UNWRAP), A_TRUE(CKA_TOKEN),
			       A_FALSE(CKA_PRIVATE), A_BYTES(CKA_UNWRAP_TEMPLATE, demand, n)));
		so_trusts(peer, kek);
		OK(wrap_by(peer, kw, kek, imported(peer, KNOWN(A_FALSE(CKA_TOKEN))), blob,
			   &length));
		RV(unwrap_by(peer, kw, kek, blob, length, AS_GENERIC(A_TRUE(CKA_SIGN)), &key),
		   CKR_TEMPLATE_INCONSISTENT);
		OK(unwrap_by(peer, kw, kek, blob, length, AS_AES(A_TRUE(CKA_ENCRYPT)), &key));
		peer_free(peer);
	}
}

/* ---- 6 ---- */

static void attack_6_trust_of_ones_own(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	uint64_t key, pair[2], kek;
	uint8_t blob[1024];
	size_t length;

	(void)state;
	RV(generate_aes(peer, AES(32, A_TRUE(CKA_TRUSTED)), &key), CKR_ATTRIBUTE_READ_ONLY);
	RV(create(peer, KNOWN(A_TRUE(CKA_TRUSTED)), &key), CKR_ATTRIBUTE_READ_ONLY);
	RV(generate_rsa(peer, RSA_PUBLIC(A_TRUE(CKA_TRUSTED)), A_LIST(A_TRUE(CKA_SIGN)), pair),
	   CKR_ATTRIBUTE_READ_ONLY);
	kek = made(peer, AES(32, A_TRUE(CKA_WRAP), A_TRUE(CKA_UNWRAP), A_TRUE(CKA_TOKEN),
			     A_FALSE(CKA_PRIVATE), A_TEXT(CKA_LABEL, "kek")));
	OK(wrap_by(peer, kw, kek, imported(peer, KNOWN(A_FALSE(CKA_TOKEN))), blob, &length));
	RV(unwrap_by(peer, kw, kek, blob, length, AS_AES(A_TRUE(CKA_TRUSTED)), &key),
	   CKR_ATTRIBUTE_READ_ONLY);
	RV(SET(kek, A_TRUE(CKA_TRUSTED)), CKR_ATTRIBUTE_READ_ONLY);
	RV(COPY(kek, A_TRUE(CKA_TRUSTED)), CKR_ATTRIBUTE_READ_ONLY);
	/* The SO can; then nobody else adds to the uses that he has vouched for. */
	OK(peer_call(peer, HSM_OP_LOGOUT, NULL));
	OK(peer_login(peer, CKU_SO, SO_PIN));
	OK(SET(kek, A_FALSE(CKA_DECRYPT)));
	OK(SET(kek, A_TRUE(CKA_TRUSTED)));
	OK(peer_call(peer, HSM_OP_LOGOUT, NULL));
	OK(peer_login(peer, CKU_USER, USER_PIN));
	RV(SET(kek, A_TRUE(CKA_DECRYPT)), CKR_ATTRIBUTE_READ_ONLY);
	RV(COPY(kek, A_TRUE(CKA_DECRYPT)), CKR_ATTRIBUTE_READ_ONLY);
	peer_free(peer);
}

/* Every mechanism that wraps, by every command that wraps */
static void attack_6_wrapped_without_trust(void **state)
{
	static const struct test_mechanism secret_ways[] = {
		{ CKM_AES_KEY_WRAP, NULL },	{ CKM_AES_KEY_WRAP_PAD, NULL },
		{ CKM_AES_KEY_WRAP_KWP, NULL }, { CKM_AES_GCM, put_gcm },
		{ CKM_AES_GCM, put_made_gcm },	{ CKM_AES_CCM, put_ccm }
	};
	static const struct test_mechanism public_ways[] = { { CKM_RSA_PKCS, NULL },
							     { CKM_RSA_PKCS_OAEP, put_oaep } };
	struct peer *peer = peer_user(COMPATIBLE);
	uint64_t kek, free_key, bound, pair[2] = { 0 };
	uint8_t blob[1024];
	size_t length, i;

	(void)state;
	kek = made(peer, AES(32, A_TRUE(CKA_WRAP)));
	OK(generate_rsa(peer, RSA_PUBLIC(A_TRUE(CKA_WRAP)), A_LIST(A_TRUE(CKA_UNWRAP)), pair));
	free_key = made(peer, AES(32, A_TRUE(CKA_EXTRACTABLE)));
	bound = made(peer, AES(32, A_TRUE(CKA_EXTRACTABLE), A_TRUE(CKA_WRAP_WITH_TRUSTED)));
	for (i = 0; i < sizeof(secret_ways) / sizeof(secret_ways[0]); i++) {
		OK(wrap_by(peer, secret_ways[i], kek, free_key, blob, &length));
		RV(wrap_by(peer, secret_ways[i], kek, bound, blob, &length), CKR_KEY_NOT_WRAPPABLE);
	}
	for (i = 0; i < 2; i++) {
		OK(wrap_by(peer, public_ways[i], pair[0], free_key, blob, &length));
		RV(wrap_by(peer, public_ways[i], pair[0], bound, blob, &length),
		   CKR_KEY_NOT_WRAPPABLE);
	}
	/* The demand stays with copies. */
	OK(COPY(bound, A_TEXT(CKA_LABEL, "copy")));
	RV(wrap_by(peer, kw, kek, last(peer), blob, &length), CKR_KEY_NOT_WRAPPABLE);
	peer_free(peer);
}

/* ---- 7 ---- */

static void attack_7_templates_of_wrapping_keys(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	uint8_t blob[1024], demand[256], inner[64];
	uint64_t kek, key, other;
	size_t length, n;

	(void)state;
	/* Byte strings count as booleans do. */
	n = nest(demand, sizeof(demand), CKA_ID, "mine", 4);
	kek = made(peer, AES(32, A_TRUE(CKA_WRAP), A_TRUE(CKA_UNWRAP),
			     A_BYTES(CKA_WRAP_TEMPLATE, demand, n),
			     A_BYTES(CKA_UNWRAP_TEMPLATE, demand, n)));
	key = made(peer, AES(32, A_TRUE(CKA_EXTRACTABLE), A_TEXT(CKA_ID, "your")));
	RV(wrap_by(peer, kw, kek, key, blob, &length), CKR_KEY_HANDLE_INVALID);
	OK(SET(key, A_TEXT(CKA_ID, "mine")));
	OK(wrap_by(peer, kw, kek, key, blob, &length));
	RV(unwrap_by(peer, kw, kek, blob, length, AS_AES(A_TEXT(CKA_ID, "your")), &other),
	   CKR_TEMPLATE_INCONSISTENT);
	OK(unwrap_by(peer, kw, kek, blob, length, AS_AES(A_TRUE(CKA_SIGN)), &other));
	assert_int_equal(FIND(peer, A_TEXT(CKA_ID, "mine")), 2);
	/* So do templates in templates: what is unwrapped unwraps only keys of that kind. */
	n = nest(inner, sizeof(inner), CKA_LABEL, "leaf", 4);
	n = nest(demand, sizeof(demand), CKA_UNWRAP_TEMPLATE, inner, n);
	kek = made(peer, AES(32, A_TRUE(CKA_WRAP), A_TRUE(CKA_UNWRAP),
			     A_BYTES(CKA_UNWRAP_TEMPLATE, demand, n)));
	key = made(peer, AES(32, A_TRUE(CKA_EXTRACTABLE)));
	OK(wrap_by(peer, kw, kek, key, blob, &length));
	OK(unwrap_by(peer, kw, kek, blob, length, AS_AES(A_TRUE(CKA_UNWRAP), A_TRUE(CKA_WRAP)),
		     &other));
	OK(wrap_by(peer, kw, other, key, blob, &length));
	RV(unwrap_by(peer, kw, other, blob, length, AS_AES(A_TEXT(CKA_LABEL, "twig")), &key),
	   CKR_TEMPLATE_INCONSISTENT);
	OK(unwrap_by(peer, kw, other, blob, length, AS_AES(A_TRUE(CKA_SIGN)), &key));
	assert_int_equal(FIND(peer, A_TEXT(CKA_LABEL, "leaf")), 1);
	/* A template is fixed when the key is made. */
	RV(SET(kek, A_BYTES(CKA_UNWRAP_TEMPLATE, inner, 0)), CKR_ATTRIBUTE_READ_ONLY);
	RV(COPY(kek, A_BYTES(CKA_UNWRAP_TEMPLATE, inner, 0)), CKR_ATTRIBUTE_READ_ONLY);
	peer_free(peer);
}

static void put_hkdf(struct hsm_writer *out)
{
	hsm_put_u64(out, HSM_FIELD_EXTRACT, 0);
	hsm_put_u64(out, HSM_FIELD_EXPAND, 1);
	hsm_put_u64(out, HSM_FIELD_HASH, CKM_SHA256);
}

static void attack_7_templates_of_base_keys(void **state)
{
	static const struct test_mechanism hkdf = { CKM_HKDF_DERIVE, put_hkdf };
	struct peer *peer = peer_user(COMPATIBLE);
	uint64_t base, key;
	uint8_t demand[64];
	size_t n = nest(demand, sizeof(demand), CKA_ID, "mine", 4);

	(void)state;
	base = imported(peer, A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY),
				     A_NUMBER(CKA_KEY_TYPE, CKK_HKDF),
				     A_BYTES(CKA_VALUE, "a base key of thirty-two bytes..", 32),
				     A_TRUE(CKA_DERIVE), A_TRUE(CKA_SENSITIVE),
				     A_BYTES(CKA_DERIVE_TEMPLATE, demand, n)));
	RV(derive_by(peer, hkdf, base,
		     AS_GENERIC(A_NUMBER(CKA_VALUE_LEN, 32), A_TEXT(CKA_ID, "your")), &key),
	   CKR_TEMPLATE_INCONSISTENT);
	OK(derive_by(peer, hkdf, base, AS_GENERIC(A_NUMBER(CKA_VALUE_LEN, 32)), &key));
	assert_int_equal(FIND(peer, A_TEXT(CKA_ID, "mine")), 1);
	peer_free(peer);
}

static void attack_7_mechanisms_that_are_not_allowed(void **state)
{
	static const struct test_mechanism hkdf = { CKM_HKDF_DERIVE, put_hkdf },
					   ecb = { CKM_AES_ECB, NULL };
	struct peer *peer = peer_user(COMPATIBLE);
	uint64_t allowed = htole64(CKM_AES_KEY_WRAP_KWP), kek, key, base;
	uint8_t blob[1024];
	size_t length;

	(void)state;
	key = made(peer, AES(32, A_TRUE(CKA_EXTRACTABLE)));
	kek = made(peer, AES(32, A_TRUE(CKA_WRAP), A_TRUE(CKA_UNWRAP), A_TRUE(CKA_ENCRYPT),
			     A_BYTES(CKA_ALLOWED_MECHANISMS, &allowed, 8)));
	RV(wrap_by(peer, kw, kek, key, blob, &length), CKR_MECHANISM_INVALID);
	OK(wrap_by(peer, kwp, kek, key, blob, &length));
	RV(unwrap_by(peer, kw, kek, blob, length, AS_AES(A_TRUE(CKA_SIGN)), &key),
	   CKR_MECHANISM_INVALID);
	OK(unwrap_by(peer, kwp, kek, blob, length, AS_AES(A_TRUE(CKA_SIGN)), &key));
	RV(begin_by(peer, HSM_OP_ENCRYPT_INIT, ecb, kek), CKR_MECHANISM_INVALID);
	base = imported(
		peer, A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY), A_NUMBER(CKA_KEY_TYPE, CKK_HKDF),
			     A_BYTES(CKA_VALUE, "a base key of thirty-two bytes..", 32),
			     A_TRUE(CKA_DERIVE), A_BYTES(CKA_ALLOWED_MECHANISMS, &allowed, 8)));
	RV(derive_by(peer, hkdf, base, AS_GENERIC(A_NUMBER(CKA_VALUE_LEN, 32)), &key),
	   CKR_MECHANISM_INVALID);
	/* Nor is the list made longer. */
	RV(SET(kek, A_BYTES(CKA_ALLOWED_MECHANISMS, "", 0)), CKR_ATTRIBUTE_READ_ONLY);
	RV(COPY(kek, A_BYTES(CKA_ALLOWED_MECHANISMS, "", 0)), CKR_ATTRIBUTE_READ_ONLY);
	peer_free(peer);
}

/* ---- 8 ---- */

static void attack_8_what_must_stay_is_changed(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	uint64_t key;

	(void)state;
	key = made(peer, AES(16, A_TRUE(CKA_TOKEN)));
	OK(COPY(key, A_TEXT(CKA_LABEL, "copy")));
	OK(SET(key, A_TEXT(CKA_LABEL, "changed"), A_FALSE(CKA_COPYABLE), A_FALSE(CKA_DESTROYABLE)));
	RV(COPY(key, A_TEXT(CKA_LABEL, "copy")), CKR_ACTION_PROHIBITED);
	RV(with_key(peer, HSM_OP_OBJECT_DESTROY, key), CKR_ACTION_PROHIBITED);
	RV(SET(key, A_TRUE(CKA_COPYABLE)), CKR_ATTRIBUTE_READ_ONLY);
	RV(SET(key, A_TRUE(CKA_DESTROYABLE)), CKR_ATTRIBUTE_READ_ONLY);
	key = made(peer, AES(16, A_FALSE(CKA_MODIFIABLE)));
	RV(SET(key, A_TEXT(CKA_LABEL, "changed")), CKR_ACTION_PROHIBITED);
	RV(COPY(key, A_TRUE(CKA_MODIFIABLE)), CKR_ATTRIBUTE_READ_ONLY);
	peer_free(peer);
}

static void attack_8_private_objects_of_another_login(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	uint64_t key, other;
	int i;

	(void)state;
	key = made(peer, AES(16, A_TRUE(CKA_TOKEN), A_TRUE(CKA_ENCRYPT), A_TEXT(CKA_LABEL, "own")));
	OK(with_key(peer, HSM_OP_OBJECT_SIZE, key));
	OK(peer_call(peer, HSM_OP_LOGOUT, NULL));
	for (i = 0; i < 2; i++) {
		if (i)
			OK(peer_login(peer, CKU_SO, SO_PIN));
		RV(with_key(peer, HSM_OP_OBJECT_SIZE, key), CKR_OBJECT_HANDLE_INVALID);
		RV(with_key(peer, HSM_OP_OBJECT_DESTROY, key), CKR_OBJECT_HANDLE_INVALID);
		RV(COPY(key, A_FALSE(CKA_PRIVATE)), CKR_OBJECT_HANDLE_INVALID);
		RV(SET(key, A_TEXT(CKA_LABEL, "mine")), CKR_OBJECT_HANDLE_INVALID);
		RV(begin_by(peer, HSM_OP_ENCRYPT_INIT, (struct test_mechanism){ CKM_AES_ECB, NULL },
			    key),
		   CKR_KEY_HANDLE_INVALID);
		assert_int_equal(FIND(peer, A_TEXT(CKA_LABEL, "own")), 0);
		RV(generate_aes(peer, AES(16, A_TRUE(CKA_PRIVATE)), &other),
		   CKR_USER_NOT_LOGGED_IN);
	}
	peer_free(peer);
	/* A session's objects are nobody else's, whoever is logged in. */
	peer = peer_user(COMPATIBLE);
	key = made(peer, AES(16, A_FALSE(CKA_PRIVATE), A_TEXT(CKA_LABEL, "fleeting")));
	assert_int_equal(FIND(peer, A_TEXT(CKA_LABEL, "fleeting")), 1);
	{
		struct peer *neighbour = peer_user(COMPATIBLE);

		assert_int_equal(FIND(neighbour, A_TEXT(CKA_LABEL, "fleeting")), 0);
		RV(with_key(neighbour, HSM_OP_OBJECT_DESTROY, key), CKR_OBJECT_HANDLE_INVALID);
		peer_free(neighbour);
	}
	peer_free(peer);
}

#define READY(test) cmocka_unit_test_setup_teardown(test, board_setup_ready, board_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		READY(attack_1_one_key_wraps_and_decrypts),
		READY(attack_2_the_conflict_in_two_halves),
		READY(attack_2_the_conflict_over_time_and_copies),
		READY(attack_3_protection_taken_back),
		READY(attack_4_unwrapped_to_be_read),
		READY(attack_4_a_forged_history),
		READY(attack_5_unwrapped_as_another_type),
		READY(attack_6_trust_of_ones_own),
		READY(attack_6_wrapped_without_trust),
		READY(attack_7_templates_of_wrapping_keys),
		READY(attack_7_templates_of_base_keys),
		READY(attack_7_mechanisms_that_are_not_allowed),
		READY(attack_8_what_must_stay_is_changed),
		READY(attack_8_private_objects_of_another_login),
	};

	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
