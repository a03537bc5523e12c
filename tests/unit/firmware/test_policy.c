// SPDX-License-Identifier: Apache-2.0
/*
 * Policies at the device command: every mechanism in every profile and every use, lists of allowed mechanisms, key sizes,
 * curves, rates; and how an officer changes them.
 */
#include "commands_testing.h"

/* ---- every row, every use, every profile ---- */

/* How each use is asked for; the rest of the fields makes the command fail once the mechanism has been accepted. */
static const struct use {
	uint64_t can;
	enum hsm_operation operation;
	bool template, pair, key, other, data, ciphertext, out_max;
} uses[] = {
	{ CKF_ENCRYPT, HSM_OP_ENCRYPT_INIT, .key = true },
	{ CKF_DECRYPT, HSM_OP_DECRYPT_INIT, .key = true },
	{ CKF_DIGEST, HSM_OP_DIGEST_INIT, .key = false },
	{ CKF_SIGN, HSM_OP_SIGN_INIT, .key = true },
	{ CKF_VERIFY, HSM_OP_VERIFY_INIT, .key = true },
	{ CKF_SIGN_RECOVER, HSM_OP_SIGN_RECOVER_INIT, .key = true },
	{ CKF_VERIFY_RECOVER, HSM_OP_VERIFY_RECOVER_INIT, .key = true },
	{ CKF_GENERATE, HSM_OP_GENERATE_KEY, .template = true },
	{ CKF_GENERATE_KEY_PAIR, HSM_OP_GENERATE_PAIR, .template = true, .pair = true },
	{ CKF_WRAP, HSM_OP_WRAP, .key = true, .other = true, .out_max = true },
	{ CKF_UNWRAP, HSM_OP_UNWRAP, .template = true, .other = true, .data = true },
	{ CKF_DERIVE, HSM_OP_DERIVE, .template = true, .key = true },
	{ CKF_ENCAPSULATE, HSM_OP_ENCAPSULATE, .template = true, .key = true, .out_max = true },
	{ CKF_DECAPSULATE, HSM_OP_DECAPSULATE, .template = true, .key = true, .ciphertext = true },
};

static const struct {
	struct use ask;
	uint64_t use;
} messages[] = {
	{ { CKF_MESSAGE_ENCRYPT, HSM_OP_MESSAGE_ENCRYPT_INIT, .key = true }, CKF_ENCRYPT },
	{ { CKF_MESSAGE_DECRYPT, HSM_OP_MESSAGE_DECRYPT_INIT, .key = true }, CKF_DECRYPT },
	{ { CKF_MESSAGE_SIGN, HSM_OP_MESSAGE_SIGN_INIT, .key = true }, CKF_SIGN },
	{ { CKF_MESSAGE_VERIFY, HSM_OP_MESSAGE_VERIFY_INIT, .key = true }, CKF_VERIFY },
};

#define MESSAGES (sizeof(messages) / sizeof(messages[0]))

#define USES (sizeof(uses) / sizeof(uses[0]))

static CK_RV ask(struct peer *peer, const struct use *use, uint64_t mechanism)
{
	struct hsm_writer out = peer_fields(peer);
	CK_RV rv;

	hsm_put_u64(&out, HSM_FIELD_MECHANISM, mechanism);
	if (use->template)
		put_template(&out, HSM_FIELD_TEMPLATE, A_LIST(A_NUMBER(0x12345678, 1)));
	if (use->pair)
		put_template(&out, HSM_FIELD_PRIVATE_TEMPLATE, A_LIST(A_NUMBER(0x12345678, 1)));
	if (use->key)
		hsm_put_u64(&out, HSM_FIELD_KEY, 1ULL << 40);
	if (use->other)
		hsm_put_u64(&out, HSM_FIELD_OTHER_KEY, 1ULL << 40);
	if (use->data)
		hsm_put_bytes(&out, HSM_FIELD_DATA, "x", 1);
	if (use->ciphertext)
		hsm_put_bytes(&out, HSM_FIELD_CIPHERTEXT, "x", 1);
	if (use->out_max)
		hsm_put_u64(&out, HSM_FIELD_OUT_MAX, 16);
	rv = peer_call(peer, use->operation, &out);
	if (use->operation == HSM_OP_DIGEST_INIT && rv == CKR_OK) {
		out = peer_fields(peer);
		hsm_put_u64(&out, HSM_FIELD_FLAGS, CKF_DIGEST);
		assert_int_equal(peer_call(peer, HSM_OP_SESSION_CANCEL, &out), CKR_OK);
	}
	return rv;
}

/* What the document says of the profiles, in its own words */
static uint64_t documented(unsigned int profile, const struct hsm_mechanism_info *info)
{
	switch (profile) {
	case HSM_PROFILE_STRICT:
		return info->approved & ~info->legacy;
	case HSM_PROFILE_COMPATIBLE:
		return info->flags & ~info->legacy;
	default:
		return info->flags;
	}
}

static uint64_t info_flags(struct peer *peer, uint64_t mechanism)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_MECHANISM, mechanism);
	if (peer_call(peer, HSM_OP_MECHANISM_INFO, &out) == CKR_MECHANISM_INVALID)
		return 0;
	return peer_u64(peer, HSM_FIELD_FLAGS);
}

static bool listed(struct peer *peer, uint64_t mechanism)
{
	const uint8_t *list;
	size_t length, i;

	assert_int_equal(peer_call(peer, HSM_OP_MECHANISM_LIST, NULL), CKR_OK);
	list = hsm_fields_bytes(&peer->fields, HSM_FIELD_TYPES, &length);
	for (i = 0; i < length / 8; i++)
		if (hsm_get_le64(list + i * 8) == mechanism)
			return true;
	return false;
}

static void check_row(struct peer *peer, const struct hsm_mechanism_info *info, uint64_t may)
{
	bool any = false, allowed;
	CK_RV rv;
	size_t i;

	for (i = 0; i < USES; i++) {
		allowed = may & mech_flags(info) & uses[i].can;
		any = any || allowed;
		rv = ask(peer, &uses[i], info->mechanism);
		if (allowed != (rv != CKR_MECHANISM_INVALID))
			fail_msg("%s, use %llx: %lx", info->name, (unsigned long long)uses[i].can,
				 rv);
		assert_int_equal(!!(info_flags(peer, info->mechanism) & uses[i].can), allowed);
	}
	assert_int_equal(listed(peer, info->mechanism), any);
	/* Messages go with the use that they are. */
	for (i = 0; i < MESSAGES; i++) {
		rv = ask(peer, &messages[i].ask, info->mechanism);
		allowed = may & mech_flags(info) & messages[i].use &&
			  mech_flags(info) & messages[i].ask.can;
		assert_int_equal(allowed, rv != CKR_MECHANISM_INVALID);
		assert_int_equal(!!(info_flags(peer, info->mechanism) & messages[i].ask.can),
				 allowed);
	}
}

static void set_profile(int partition, unsigned int profile)
{
	static const uint32_t flags[] = { 0, BOARD_PARTITION_STRICT, BOARD_PARTITION_LEGACY };

	board.partition[partition].info.flags = flags[profile];
	commands_partition_changed(board.partition[partition].info.id);
}

static void every_row_in_every_profile(void **state)
{
	struct peer *peer = peer_user(0);
	const struct hsm_mechanism_info *info;
	unsigned int profile;
	size_t i;

	(void)state;
	for (profile = 0; profile < HSM_PROFILES; profile++) {
		set_profile(0, profile);
		for (i = 0; (info = hsm_mechanism_at(i)); i++)
			check_row(peer, info, documented(profile, info));
	}
	peer_free(peer);
}

static void an_allowed_list_leaves_nothing_else(void **state)
{
	static const uint64_t list[] = { CKM_AES_GCM, CKM_SHA256, CKM_MD5 /* not this board's */ };
	struct peer *peer = peer_user(0);
	const struct hsm_mechanism_info *info;
	uint8_t bytes[128];
	struct hsm_writer out;
	size_t i;

	(void)state;
	hsm_writer_init(&out, bytes, sizeof(bytes));
	hsm_put_list(&out, HSM_FIELD_MECHANISMS, list, 2);
	board_set_policy(0, &out);
	for (i = 0; (info = hsm_mechanism_at(i)); i++)
		check_row(peer, info,
			  info->mechanism == CKM_AES_GCM || info->mechanism == CKM_SHA256
				  ? documented(HSM_PROFILE_COMPATIBLE, info)
				  : 0);
	peer_free(peer);
}

/* A policy that does not read stops the partition: there is none that could be assumed. */
static void a_policy_that_makes_no_sense_stops_the_partition(void **state)
{
	struct peer *peer = peer_user(0), *other = peer_user(1);
	struct hsm_writer out;
	uint8_t bytes[64];

	(void)state;
	hsm_writer_init(&out, bytes, sizeof(bytes));
	hsm_put_u32(&out, HSM_FIELD_PIN_TRIES, 0);
	board_set_policy(0, &out);
	assert_int_equal(peer_call(peer, HSM_OP_TOKEN_INFO, NULL), CKR_DEVICE_ERROR);
	assert_int_equal(peer_call(other, HSM_OP_TOKEN_INFO, NULL), CKR_OK);
	peer_free(peer);
	peer_free(other);
}

/* ---- parameters and keys ---- */

static CK_RV make_aes(struct peer *peer, size_t length, uint64_t *handle)
{
	static const uint8_t value[32] = { 1 };
	struct hsm_writer out = peer_fields(peer);
	CK_RV rv;

	put_template(&out, HSM_FIELD_TEMPLATE,
		     A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY), A_NUMBER(CKA_KEY_TYPE, CKK_AES),
			    A_TRUE(CKA_ENCRYPT), A_BYTES(CKA_VALUE, value, length)));
	rv = peer_call(peer, HSM_OP_OBJECT_CREATE, &out);
	if (rv == CKR_OK)
		*handle = peer_u64(peer, HSM_FIELD_HANDLE);
	return rv;
}

static CK_RV encrypt_init(struct peer *peer, uint64_t key)
{
	struct hsm_writer out = peer_fields(peer);
	CK_RV rv;

	hsm_put_u64(&out, HSM_FIELD_KEY, key);
	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_AES_ECB);
	rv = peer_call(peer, HSM_OP_ENCRYPT_INIT, &out);
	if (rv == CKR_OK) {
		out = peer_fields(peer);
		hsm_put_u64(&out, HSM_FIELD_FLAGS, CKF_ENCRYPT);
		assert_int_equal(peer_call(peer, HSM_OP_SESSION_CANCEL, &out), CKR_OK);
	}
	return rv;
}

static void small_keys_neither_come_nor_work(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t small, large;
	struct hsm_writer out;

	(void)state;
	assert_int_equal(make_aes(peer, 16, &small), CKR_OK);
	assert_int_equal(make_aes(peer, 32, &large), CKR_OK);
	board_set_value(0, HSM_POLICY_MIN_AES, 256);
	assert_int_equal(encrypt_init(peer, small), CKR_KEY_SIZE_RANGE);
	assert_int_equal(encrypt_init(peer, large), CKR_OK);
	assert_int_equal(make_aes(peer, 24, &small), CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(make_aes(peer, 32, &large), CKR_OK);
	out = peer_fields(peer);
	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_AES_ECB);
	assert_int_equal(peer_call(peer, HSM_OP_MECHANISM_INFO, &out), CKR_OK);
	assert_int_equal(peer_u64(peer, HSM_FIELD_MIN), 32);
	peer_free(peer);
}

static CK_RV make_pair(struct peer *peer, uint64_t mechanism, const struct test_attribute *template)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_MECHANISM, mechanism);
	put_template(&out, HSM_FIELD_TEMPLATE, template);
	put_template(&out, HSM_FIELD_PRIVATE_TEMPLATE, A_LIST(A_TRUE(CKA_SIGN)));
	return peer_call(peer, HSM_OP_GENERATE_PAIR, &out);
}

static void the_least_size_is_each_type_s_own(void **state)
{
	static const uint8_t p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
	static const uint8_t p384[] = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22 };
	struct peer *peer = peer_user(0);
	uint64_t handle;

	(void)state;
	board_set_value(0, HSM_POLICY_MIN_EC, 384);
	assert_int_equal(make_pair(peer, CKM_EC_KEY_PAIR_GEN,
				   A_LIST(A_BYTES(CKA_EC_PARAMS, p256, sizeof(p256)))),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(make_pair(peer, CKM_EC_KEY_PAIR_GEN,
				   A_LIST(A_BYTES(CKA_EC_PARAMS, p384, sizeof(p384)))),
			 CKR_OK);
	assert_int_equal(make_aes(peer, 16, &handle), CKR_OK);
	board_set_value(0, HSM_POLICY_MIN_RSA, 3072);
	assert_int_equal(make_pair(peer, CKM_RSA_PKCS_KEY_PAIR_GEN,
				   A_LIST(A_NUMBER(CKA_MODULUS_BITS, 2048))),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	peer_free(peer);
}

static CK_RV import_x25519(struct peer *peer)
{
	static const uint8_t x25519[] = { 0x06, 0x03, 0x2b, 0x65, 0x6e };
	struct hsm_writer out = peer_fields(peer);

	put_template(&out, HSM_FIELD_TEMPLATE,
		     A_LIST(A_NUMBER(CKA_CLASS, CKO_PUBLIC_KEY),
			    A_NUMBER(CKA_KEY_TYPE, CKK_EC_MONTGOMERY),
			    A_BYTES(CKA_EC_PARAMS, x25519, sizeof(x25519)),
			    A_BYTES(CKA_EC_POINT, "0123456789abcdef0123456789abcdef", 32)));
	return peer_call(peer, HSM_OP_OBJECT_CREATE, &out);
}

static void strict_keeps_to_approved_curves(void **state)
{
	struct peer *peer = peer_user(0);

	(void)state;
	assert_int_equal(import_x25519(peer), CKR_OK);
	set_profile(0, HSM_PROFILE_STRICT);
	assert_int_equal(import_x25519(peer), CKR_CURVE_NOT_SUPPORTED);
	peer_free(peer);
}

/* A hash within the parameters is as good as the mechanism of that name. */
static void strict_keeps_to_approved_hashes(void **state)
{
	const struct hsm_mechanism_info *row = hsm_mechanism_find(CKM_RSA_PKCS_OAEP), *hash;
	struct partition *strict = partition_find(board.partition[1].info.id);
	struct partition *compatible = partition_find(board.partition[0].info.id);
	struct hsm_fields fields;
	struct hsm_writer out;
	uint8_t bytes[32];
	bool approved;
	size_t i;

	(void)state;
	for (i = 0; (hash = hsm_mechanism_at(i)); i++) {
		if (!(hash->flags & CKF_DIGEST))
			continue;
		hsm_writer_init(&out, bytes, sizeof(bytes));
		hsm_put_u64(&out, HSM_FIELD_HASH, hash->mechanism);
		assert_int_equal(hsm_fields_parse(&fields, bytes, out.length), 0);
		approved = hash->approved & CKF_DIGEST;
		assert_int_equal(policy_mechanism(strict, row, CKF_DECRYPT, &fields),
				 approved ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
		assert_int_equal(policy_mechanism(compatible, row, CKF_DECRYPT, &fields), CKR_OK);
	}
	partition_put(strict);
	partition_put(compatible);
}

static CK_RV with_number(unsigned int profile, uint64_t mechanism, uint64_t can,
			 enum hsm_field_tag tag, uint64_t value)
{
	struct partition *p;
	struct hsm_fields fields;
	struct hsm_writer out;
	uint8_t bytes[32];
	CK_RV rv;

	set_profile(0, profile);
	p = partition_find(board.partition[0].info.id);
	hsm_writer_init(&out, bytes, sizeof(bytes));
	hsm_put_u64(&out, tag, value);
	assert_int_equal(hsm_fields_parse(&fields, bytes, out.length), 0);
	rv = policy_mechanism(p, hsm_mechanism_find(mechanism), can, &fields);
	partition_put(p);
	return rv;
}

static void parameters_obey_the_policy(void **state)
{
	static const struct {
		uint64_t mechanism;
		uint64_t can;
		enum hsm_field_tag tag;
		uint64_t value;
		bool fine[HSM_PROFILES];
	} cases[] = {
#define PARAMETER(mechanism, can, tag, value, ...)                  \
	{                                                           \
		CKM_##mechanism, CKF_##can, HSM_FIELD_##tag, value, \
		{                                                   \
			__VA_ARGS__                                 \
		}                                                   \
	}
		PARAMETER(SP800_108_COUNTER_KDF, DERIVE, PRF, CKM_AES_CMAC, 1, 1, 1),
		PARAMETER(SP800_108_COUNTER_KDF, DERIVE, PRF, CKM_DES3_CMAC, 0, 0, 1),
		PARAMETER(SP800_108_FEEDBACK_KDF, DERIVE, PRF, CKM_BLAKE2B_256_HMAC, 1, 0, 1),
		PARAMETER(PKCS5_PBKD2, GENERATE, PRF, CKP_PKCS5_PBKD2_HMAC_SHA256, 1, 1, 1),
		PARAMETER(HKDF_DERIVE, DERIVE, HASH, CKM_BLAKE2B_256, 1, 0, 1),
		PARAMETER(HKDF_DERIVE, DERIVE, HASH, CKM_SHA_1, 1, 1, 1),
		PARAMETER(RSA_PKCS_PSS, SIGN, HASH, CKM_SHA_1, 1, 0, 1),
		PARAMETER(RSA_PKCS_PSS, VERIFY, HASH, CKM_SHA_1, 1, 1, 1),
		PARAMETER(RSA_PKCS_PSS, SIGN, HASH, CKM_SHA256, 1, 1, 1),
		PARAMETER(AES_GCM, ENCRYPT, TAG_BITS, 96, 1, 1, 1),
		PARAMETER(AES_GCM, ENCRYPT, TAG_BITS, 64, 1, 0, 1),
		PARAMETER(AES_GMAC, SIGN, TAG_BITS, 64, 1, 0, 1),
		PARAMETER(AES_CCM, DECRYPT, TAG_BITS, 64, 1, 1, 1),
		PARAMETER(AES_CCM, DECRYPT, TAG_BITS, 48, 1, 0, 1),
#undef PARAMETER
	};
	unsigned int profile;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (profile = 0; profile < HSM_PROFILES; profile++)
			assert_int_equal(with_number(profile, cases[i].mechanism, cases[i].can,
						     cases[i].tag, cases[i].value),
					 cases[i].fine[profile] ? CKR_OK
								: CKR_MECHANISM_PARAM_INVALID);
}

/* ---- rate ---- */

static CK_RV random_once(struct peer *peer)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_LENGTH, 4);
	return peer_call(peer, HSM_OP_RANDOM, &out);
}

static unsigned int burst(struct peer *peer)
{
	unsigned int n = 0;

	while (n < 100 && random_once(peer) == CKR_OK)
		n++;
	return n;
}

static void a_second_has_so_many_operations(void **state)
{
	struct peer *peer = peer_user(0), *other = peer_user(0), *neighbour = peer_user(1);

	(void)state;
	board_set_value(0, HSM_POLICY_MAX_RATE, 5);
	assert_int_equal(burst(peer), 5);
	assert_int_equal(random_once(peer), CKR_DEVICE_MEMORY);
	assert_int_equal(peer_u64(peer, HSM_FIELD_RETRY_AFTER), 200);
	/* It is the partition's, not the application's; and nobody else's. */
	assert_int_equal(random_once(other), CKR_DEVICE_MEMORY);
	assert_int_equal(burst(neighbour), 100);
	/* What ends or tells something goes on. */
	assert_int_equal(peer_call(peer, HSM_OP_SESSION_INFO, NULL), CKR_OK);
	assert_int_equal(peer_call(peer, HSM_OP_LOGOUT, NULL), CKR_OK);
	test_time += 199;
	assert_int_equal(random_once(peer), CKR_DEVICE_MEMORY);
	test_time += 1;
	assert_int_equal(burst(peer), 1);
	test_time += 3600 * 1000;
	assert_int_equal(burst(peer), 5);
	peer_free(peer);
	peer_free(other);
	peer_free(neighbour);
}

/* ---- the officer ---- */

static int officer_setup(void **state)
{
	(void)state;
	board_clear();
	memcpy(board.code, "claimed!", 8);
	board.partition[0].exists = true;
	board.partition[0].info = (struct board_partition){ .name = "device" };
	board.hello = (struct board_hello){ .functions = 4, .flags = BOARD_HELLO_EMBEDDED };
	return commands_start(&board.hello);
}

static struct peer *officer_new(void)
{
	struct peer *peer = peer_new(0);
	struct hsm_writer out = peer_fields(peer);

	hsm_put_bytes(&out, HSM_FIELD_NEW_PIN, SO_PIN, strlen(SO_PIN));
	assert_int_equal(peer_call(peer, HSM_OP_CLAIM, &out), CKR_OK);
	return peer;
}

static struct hsm_writer named(struct peer *peer, const uint8_t *id)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_bytes(&out, HSM_FIELD_PARTITION, id, PARTITION_ID_SIZE);
	return out;
}

static void create_with(struct peer *officer, uint32_t profile, uint8_t id[PARTITION_ID_SIZE])
{
	struct hsm_writer out = peer_fields(officer);
	const uint64_t list[] = { CKM_SHA256, CKM_AES_GCM, CKM_SHA256 };
	const uint8_t *field;
	size_t length;

	hsm_put_bytes(&out, HSM_FIELD_NAME, "tenant", 6);
	hsm_put_u32(&out, HSM_FIELD_PROFILE, profile);
	hsm_put_u32(&out, HSM_FIELD_MIN_RSA, 3072);
	hsm_put_u32(&out, HSM_FIELD_MAX_RATE, 100);
	hsm_put_list(&out, HSM_FIELD_MECHANISMS, list, 3);
	assert_int_equal(peer_call(officer, HSM_OP_PARTITION_CREATE, &out), CKR_OK);
	field = hsm_fields_bytes(&officer->fields, HSM_FIELD_PARTITION, &length);
	memcpy(id, field, PARTITION_ID_SIZE);
}

static void the_officer_sees_what_was_set(void **state)
{
	struct peer *officer = officer_new();
	uint8_t id[PARTITION_ID_SIZE], first[POLICY_FINGERPRINT];
	const uint8_t *field;
	struct hsm_writer out;
	size_t length;

	(void)state;
	create_with(officer, HSM_PROFILE_STRICT, id);
	out = named(officer, id);
	assert_int_equal(peer_call(officer, HSM_OP_PARTITION_POLICY, &out), CKR_OK);
	assert_int_equal(peer_u64(officer, HSM_FIELD_PROFILE), HSM_PROFILE_STRICT);
	assert_int_equal(peer_u64(officer, HSM_FIELD_MIN_RSA), 3072);
	assert_int_equal(peer_u64(officer, HSM_FIELD_MIN_EC), 224);
	assert_int_equal(peer_u64(officer, HSM_FIELD_MAX_OBJECTS), 100);
	field = hsm_fields_bytes(&officer->fields, HSM_FIELD_MECHANISMS, &length);
	assert_int_equal(length, 16);
	assert_true(hsm_get_le64(field) < hsm_get_le64(field + 8));
	field = hsm_fields_bytes(&officer->fields, HSM_FIELD_FINGERPRINT, &length);
	assert_int_equal(length, POLICY_FINGERPRINT);
	memcpy(first, field, length);
	/* One number more or less is another fingerprint; the same policy is the same one. */
	out = named(officer, id);
	hsm_put_u32(&out, HSM_FIELD_MAX_RATE, 99);
	assert_int_equal(peer_call(officer, HSM_OP_PARTITION_UPDATE, &out), CKR_OK);
	out = named(officer, id);
	assert_int_equal(peer_call(officer, HSM_OP_PARTITION_POLICY, &out), CKR_OK);
	field = hsm_fields_bytes(&officer->fields, HSM_FIELD_FINGERPRINT, &length);
	assert_memory_not_equal(field, first, length);
	out = named(officer, id);
	hsm_put_u32(&out, HSM_FIELD_MAX_RATE, 100);
	hsm_put_u64(&out, HSM_FIELD_FLAGS, HSM_UPDATE_RELAX);
	assert_int_equal(peer_call(officer, HSM_OP_PARTITION_UPDATE, &out), CKR_OK);
	out = named(officer, id);
	assert_int_equal(peer_call(officer, HSM_OP_PARTITION_POLICY, &out), CKR_OK);
	field = hsm_fields_bytes(&officer->fields, HSM_FIELD_FINGERPRINT, &length);
	assert_memory_equal(field, first, length);
	peer_free(officer);
}

static CK_RV update(struct peer *officer, const uint8_t *id, unsigned int tag, uint64_t value,
		    uint64_t flags)
{
	struct hsm_writer out = named(officer, id);

	if (tag == HSM_FIELD_MECHANISMS)
		hsm_put_list(&out, tag, &value, value != 0);
	else
		hsm_put_number(&out, tag, value);
	hsm_put_u64(&out, HSM_FIELD_FLAGS, flags);
	return peer_call(officer, HSM_OP_PARTITION_UPDATE, &out);
}

/* Every value in its strict direction without a word, in the other one only when it is said. */
static void a_policy_is_loosened_only_on_purpose(void **state)
{
	static const struct {
		unsigned int tag;
		uint64_t tighter, looser;
	} changes[] = {
		{ HSM_FIELD_MAX_OBJECTS, 50, 51 },
		{ HSM_FIELD_MAX_BYTES, 5000, 5001 },
		{ HSM_FIELD_MAX_SESSIONS, 5, 6 },
		{ HSM_FIELD_MAX_RATE, 20, 0 },
		{ HSM_FIELD_MIN_RSA, 4096, 4095 },
		{ HSM_FIELD_MIN_EC, 256, 0 },
		{ HSM_FIELD_MIN_DH, 3072, 2048 },
		{ HSM_FIELD_MIN_AES, 192, 128 },
		{ HSM_FIELD_MIN_SECRET, 200, 112 },
		{ HSM_FIELD_MIN, 12, 11 },
		{ HSM_FIELD_MAX, 100, 101 },
		{ HSM_FIELD_PIN_HISTORY, 4, 3 },
		{ HSM_FIELD_PIN_DAYS, 90, 0 },
		{ HSM_FIELD_PIN_TRIES, 5, 6 },
		{ HSM_FIELD_PIN_DELAY, 9, 8 },
		{ HSM_FIELD_MIGRATION_VERSION, 3, 2 },
		{ HSM_FIELD_MIGRATION_ROLLBACK, 1, 0 },
		{ HSM_FIELD_MIGRATION_PRODUCTION, 1, 0 },
		{ HSM_FIELD_BACKUP, 0, 1 },
		{ HSM_FIELD_MECHANISMS, CKM_SHA256, 0 },
		{ HSM_FIELD_MECHANISMS, CKM_SHA256, CKM_SHA384 },
		{ HSM_FIELD_PROFILE, HSM_PROFILE_STRICT, HSM_PROFILE_COMPATIBLE },
		{ HSM_FIELD_PROFILE, HSM_PROFILE_COMPATIBLE, HSM_PROFILE_LEGACY },
	};
	struct peer *officer = officer_new();
	uint8_t id[PARTITION_ID_SIZE];
	size_t i;

	(void)state;
	create_with(officer, HSM_PROFILE_LEGACY, id);
	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		assert_int_equal(update(officer, id, changes[i].tag, changes[i].tighter, 0),
				 CKR_OK);
		assert_int_equal(update(officer, id, changes[i].tag, changes[i].looser, 0),
				 CKR_ACTION_PROHIBITED);
		assert_int_equal(update(officer, id, changes[i].tag, changes[i].looser,
					HSM_UPDATE_RELAX),
				 CKR_OK);
	}
	peer_free(officer);
}

static CK_RV update_hashes(struct peer *officer, const uint8_t *id, unsigned int tag,
			   const char *hashes, uint64_t flags)
{
	uint8_t bytes[HSM_POLICY_HASHES * HSM_POLICY_HASH];
	struct hsm_writer out = named(officer, id);
	size_t i;

	for (i = 0; hashes[i]; i++)
		memset(bytes + i * HSM_POLICY_HASH, hashes[i], HSM_POLICY_HASH);
	hsm_put_bytes(&out, tag, bytes, i * HSM_POLICY_HASH);
	hsm_put_u64(&out, HSM_FIELD_FLAGS, flags);
	return peer_call(officer, HSM_OP_PARTITION_UPDATE, &out);
}

/* No root: nowhere, so that each one more is looser. No measurement: to any firmware, so that the first is stricter. */
static void where_it_may_move_is_loosened_only_on_purpose(void **state)
{
	struct peer *officer = officer_new();
	const unsigned int roots = HSM_FIELD_MIGRATION_ROOTS;
	const unsigned int measurements = HSM_FIELD_MIGRATION_MEASUREMENTS;
	uint8_t id[PARTITION_ID_SIZE];
	const uint8_t *shown;
	struct hsm_writer out;
	size_t length;

	(void)state;
	create_with(officer, HSM_PROFILE_STRICT, id);
	assert_int_equal(update_hashes(officer, id, roots, "b", 0), CKR_ACTION_PROHIBITED);
	assert_int_equal(update_hashes(officer, id, roots, "cb", HSM_UPDATE_RELAX), CKR_OK);
	assert_int_equal(update_hashes(officer, id, roots, "bd", 0), CKR_ACTION_PROHIBITED);
	assert_int_equal(update_hashes(officer, id, roots, "c", 0), CKR_OK);
	assert_int_equal(update_hashes(officer, id, measurements, "xy", 0), CKR_OK);
	assert_int_equal(update_hashes(officer, id, measurements, "xz", 0), CKR_ACTION_PROHIBITED);
	assert_int_equal(update_hashes(officer, id, measurements, "", 0), CKR_ACTION_PROHIBITED);
	assert_int_equal(update_hashes(officer, id, measurements, "y", 0), CKR_OK);
	out = named(officer, id);
	assert_int_equal(peer_call(officer, HSM_OP_PARTITION_POLICY, &out), CKR_OK);
	shown = hsm_fields_bytes(&officer->fields, roots, &length);
	assert_int_equal(length, HSM_POLICY_HASH);
	assert_int_equal(shown[47], 'c');
	shown = hsm_fields_bytes(&officer->fields, measurements, &length);
	assert_int_equal(length, HSM_POLICY_HASH);
	assert_int_equal(shown[0], 'y');
	assert_int_equal(update_hashes(officer, id, roots, "", 0), CKR_OK);
	peer_free(officer);
}

static void values_out_of_range_are_refused(void **state)
{
	struct peer *officer = officer_new();
	const struct hsm_policy_info *info;
	uint8_t id[PARTITION_ID_SIZE];
	size_t i;

	(void)state;
	create_with(officer, HSM_PROFILE_COMPATIBLE, id);
	for (i = HSM_POLICY_KEPT; (info = hsm_policy_at(i)); i++) {
		assert_int_equal(update(officer, id, info->tag, (uint64_t)info->largest + 1,
					HSM_UPDATE_RELAX),
				 CKR_ARGUMENTS_BAD);
		if (info->least)
			assert_int_equal(update(officer, id, info->tag, info->least - 1,
						HSM_UPDATE_RELAX),
					 CKR_ARGUMENTS_BAD);
	}
	assert_int_equal(update(officer, id, HSM_FIELD_PROFILE, HSM_PROFILES, 1),
			 CKR_ARGUMENTS_BAD);
	assert_int_equal(update(officer, id, HSM_FIELD_MIN_RSA, 1024, 2), CKR_ARGUMENTS_BAD);
	assert_int_equal(update(officer, id, HSM_FIELD_MECHANISMS, 0x7fffffff, 0),
			 CKR_MECHANISM_INVALID);
	assert_int_equal(update(officer, id, HSM_FIELD_MAX, 4, 0), CKR_OK);
	assert_int_equal(update(officer, id, HSM_FIELD_MIN, 5, 0), CKR_ARGUMENTS_BAD);
	memset(id, 0x99, sizeof(id));
	assert_int_equal(update(officer, id, HSM_FIELD_MIN_RSA, 4096, 0),
			 CKR_OBJECT_HANDLE_INVALID);
	memset(id, 0, sizeof(id));
	assert_int_equal(update(officer, id, HSM_FIELD_MIN_RSA, 4096, 0), CKR_ARGUMENTS_BAD);
	peer_free(officer);
}

static void nobody_else_changes_a_policy(void **state)
{
	static const uint8_t id[PARTITION_ID_SIZE] = { 0x22 };
	struct peer *peer = peer_user(0);

	(void)state;
	assert_int_equal(update(peer, id, HSM_FIELD_MIN_RSA, 4096, 0), CKR_FUNCTION_NOT_SUPPORTED);
	assert_int_equal(peer_call(peer, HSM_OP_POLICY, NULL), CKR_OK);
	assert_int_equal(peer_u64(peer, HSM_FIELD_PROFILE), HSM_PROFILE_COMPATIBLE);
	peer_free(peer);
}

static void an_application_that_is_no_officer_does_not_either(void **state)
{
	const struct context_info info = { .id = 2, .epoch = 3, .owner = false };
	struct peer *officer = officer_new(), *peer = peer_alloc();
	uint8_t id[PARTITION_ID_SIZE];
	struct hsm_writer out;

	(void)state;
	create_with(officer, HSM_PROFILE_COMPATIBLE, id);
	assert_int_equal(context_open(&info, &peer->context), 0);
	assert_int_equal(peer_connect(peer, board.partition[0].info.id), IHSM_SC_SUCCESS);
	assert_int_equal(update(peer, id, HSM_FIELD_MIN_RSA, 4096, 0), CKR_USER_NOT_LOGGED_IN);
	out = named(peer, id);
	assert_int_equal(peer_call(peer, HSM_OP_PARTITION_POLICY, &out), CKR_USER_NOT_LOGGED_IN);
	peer_free(peer);
	peer_free(officer);
}

#define READY(name)   cmocka_unit_test_setup_teardown(name, board_setup_ready, board_teardown)
#define OFFICER(name) cmocka_unit_test_setup_teardown(name, officer_setup, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		READY(every_row_in_every_profile),
		READY(an_allowed_list_leaves_nothing_else),
		READY(a_policy_that_makes_no_sense_stops_the_partition),
		READY(small_keys_neither_come_nor_work),
		READY(the_least_size_is_each_type_s_own),
		READY(strict_keeps_to_approved_curves),
		READY(strict_keeps_to_approved_hashes),
		READY(parameters_obey_the_policy),
		READY(a_second_has_so_many_operations),
		READY(nobody_else_changes_a_policy),
		OFFICER(the_officer_sees_what_was_set),
		OFFICER(a_policy_is_loosened_only_on_purpose),
		OFFICER(where_it_may_move_is_loosened_only_on_purpose),
		OFFICER(values_out_of_range_are_refused),
		OFFICER(an_application_that_is_no_officer_does_not_either),
	};

	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
