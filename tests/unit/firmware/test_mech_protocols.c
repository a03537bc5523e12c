// SPDX-License-Identifier: Apache-2.0
/*
 * Derivations of protocols, TLS 1.2 and IKE: known answers, whose source stands with them, and what must be refused.
 */
#include "derive_testing.h"

/* ---- TLS 1.2 ---- */

#define PREMASTER                                                          \
	"f8938ecc9edebc5030c0c6a441e213cd24e6f770a50dda07876f8d55da062bca" \
	"db386b411fd4fe4313a604fce6c17fbc"
#define MASTER                                                             \
	"202c88c00f84a17a20027079604787461176455539e705be730890602c289a50" \
	"01e34eeb3a043e5d52a65e66125188bf"

static void tls_start(struct call *call, uint64_t mechanism, const char *client, const char *server)
{
	call_start(call, mechanism);
	put_hex(call, HSM_FIELD_SEED, client);
	if (server)
		put_hex(call, HSM_FIELD_OTHER_SEED, server);
	hsm_put_u64(&call->writer, HSM_FIELD_PRF, CKM_SHA256);
}

/* CAVP, TLS 1.2 with SHA-256: the premaster secret there begins with no version, so that none comes out. */
static void test_tls_master(void **state)
{
	struct key *base = secret_hex(CKK_GENERIC_SECRET, PREMASTER);
	struct attributes key;
	struct mech_derived derived = { .keys = &key, .count = 1 };
	struct call call;

	(void)state;
	for (int dh = 0; dh < 2; dh++) {
		tls_start(&call, dh ? CKM_TLS12_MASTER_KEY_DERIVE_DH : CKM_TLS12_MASTER_KEY_DERIVE,
			  "36c129d01a3200894b9179faac589d9835d58775f9b5ea3587cb8fd0364cae8c",
			  "f6c9575ed7ddd73e1f7d16eca115415812a43c2b747daaaae043abfb50053fce");
		wish(&key, CKK_GENERIC_SECRET, 0);
		assert_int_equal(mech_derive_all(call_end(&call), base, &derived), CKR_OK);
		assert_value(&key, MASTER);
		assert_int_equal(attributes_find(&key, CKA_ALLOWED_MECHANISMS)->length, 6 * 8);
		assert_int_equal(derived.version[0], 0);
		attributes_free(&key);
	}
	wish(&key, CKK_GENERIC_SECRET, 47);
	assert_int_equal(mech_derive_all(&call.mechanism, base, &derived),
			 CKR_TEMPLATE_INCONSISTENT);
	attributes_free(&key);
	wish(&key, CKK_GENERIC_SECRET, 48);
	attributes_set(&key, CKA_ALLOWED_MECHANISMS, "\x31\x02\0\0\0\0\0\0", 8);
	assert_int_equal(mech_derive_all(&call.mechanism, base, &derived),
			 CKR_TEMPLATE_INCONSISTENT);
	attributes_free(&key);
	key_put(base);
}

static void test_tls_version(void **state)
{
	struct key *base =
		secret_hex(CKK_GENERIC_SECRET,
			   "0303000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e"
			   "1f202122232425262728292a2b2c2d");
	struct attributes key;
	struct mech_derived derived = { .keys = &key, .count = 1 };
	struct call call;

	(void)state;
	tls_start(&call, CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE, "aabb", NULL);
	wish(&key, CKK_GENERIC_SECRET, 0);
	assert_int_equal(mech_derive_all(call_end(&call), base, &derived), CKR_OK);
	assert_int_equal(derived.version[0], 3);
	assert_int_equal(derived.version[1], 3);
	attributes_free(&key);
	memset(derived.version, 0, 2);
	tls_start(&call, CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE_DH, "aabb", NULL);
	wish(&key, CKK_GENERIC_SECRET, 0);
	assert_int_equal(mech_derive_all(call_end(&call), base, &derived), CKR_OK);
	assert_int_equal(derived.version[0], 0);
	attributes_free(&key);
	key_put(base);
}

/* RFC 7627: the label and the session's hash */
static void test_tls_extended(void **state)
{
	struct key *base = secret_hex(CKK_GENERIC_SECRET, PREMASTER);
	struct attributes one, two;
	struct call call;

	(void)state;
	wish(&one, CKK_GENERIC_SECRET, 0);
	wish(&two, CKK_GENERIC_SECRET, 48);
	tls_start(&call, CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE, "00112233445566778899aabbccddeeff",
		  NULL);
	assert_int_equal(mech_derive(call_end(&call), base, &one), CKR_OK);
	/* The same by the exporter, which takes any label */
	tls_start(&call, CKM_TLS_KDF, "0011223344556677", "8899aabbccddeeff");
	hsm_put_bytes(&call.writer, HSM_FIELD_PRF_LABEL, "extended master secret", 22);
	assert_int_equal(mech_derive(call_end(&call), base, &two), CKR_OK);
	assert_memory_equal(attributes_find(&one, CKA_VALUE)->value,
			    attributes_find(&two, CKA_VALUE)->value, 48);
	attributes_free(&one);
	attributes_free(&two);
	key_put(base);
}

/* CAVP, the key block of that master secret: 128 bytes, here as MAC keys, keys and IVs */
static void test_tls_keys(void **state)
{
	struct key *base = secret_hex(CKK_GENERIC_SECRET, MASTER);
	struct attributes keys[4];
	struct mech_derived derived = { .keys = keys, .count = 4 };
	struct bytes iv = hex("0be68985add6c38445ad9f8c64bf8068bf9a6679485d966f1ad6f68b43495b10");
	struct mech_tls_keys wanted;
	struct call call;

	(void)state;
	for (int safe = 0; safe < 2; safe++) {
		tls_start(&call, safe ? CKM_TLS12_KEY_SAFE_DERIVE : CKM_TLS12_KEY_AND_MAC_DERIVE,
			  "62e1fd91f23f558a605f28478c58cf72637b89784d959df7e946d3f07bd1b616",
			  "ae6c806f8ad4d80784549dff28a4b58fd837681a51d928c3e30ee5ff14f39868");
		hsm_put_u64(&call.writer, HSM_FIELD_MAC_BITS, 160);
		hsm_put_u64(&call.writer, HSM_FIELD_KEY_BITS, 128);
		hsm_put_u64(&call.writer, HSM_FIELD_IV_BITS, 128);
		call_end(&call);
		for (int i = 0; i < 4; i++)
			wish(&keys[i], i < 2 ? CKK_GENERIC_SECRET : CKK_AES, 0);
		assert_int_equal(mech_tls_keys(&call.mechanism, &wanted), CKR_OK);
		assert_true(wanted.mac && wanted.key);
		assert_int_equal(mech_derive_all(&call.mechanism, base, &derived), CKR_OK);
		assert_value(&keys[0], "d06139889fffac1e3a71865f504aa5d0d2a2e895");
		assert_value(&keys[1], "06c6f2279b670c3e1b74f531016a2530c51a3a0f");
		assert_value(&keys[2], "7e1d6590d0f0566b2f387f8d11fd4f73");
		assert_value(&keys[3], "1cdd572d2eae927f6f2f81410b25e696");
		assert_int_equal(derived.iv_length, safe ? 0 : 32);
		if (!safe)
			assert_memory_equal(derived.iv, iv.data, 32);
		for (int i = 0; i < 4; i++)
			attributes_free(&keys[i]);
	}
	key_put(base);
}

static void test_tls_key_parameters(void **state)
{
	static const struct {
		uint64_t mac, key, iv;
	} bad[] = {
		{ 0, 0, 0 },	  { 0, 0, 128 },    { 160, 0, 128 },  { 8, 128, 0 },
		{ 160, 8, 0 },	  { 161, 128, 0 },  { 160, 132, 0 },  { 160, 128, 136 },
		{ 1024, 128, 0 }, { 160, 1024, 0 }, { 160, 128, 33 }, { UINT64_MAX, 128, 0 },
	};
	struct key *base = secret_hex(CKK_GENERIC_SECRET, MASTER);
	struct call call;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		tls_start(&call, CKM_TLS12_KEY_AND_MAC_DERIVE, "00", "01");
		hsm_put_u64(&call.writer, HSM_FIELD_MAC_BITS, bad[i].mac);
		hsm_put_u64(&call.writer, HSM_FIELD_KEY_BITS, bad[i].key);
		hsm_put_u64(&call.writer, HSM_FIELD_IV_BITS, bad[i].iv);
		assert_int_equal(attempt(&call, base, CKK_GENERIC_SECRET, 0),
				 CKR_MECHANISM_PARAM_INVALID);
	}
	key_put(base);
}

/* By the label of the key block the exporter gives CAVP's. */
static void test_tls_export(void **state)
{
	struct key *base = secret_hex(CKK_GENERIC_SECRET, MASTER);
	struct attributes one, two;
	struct key *short_key = secret_hex(CKK_GENERIC_SECRET, "9bbe436ba940f017b17652849a71db35");
	struct call call;

	(void)state;
	tls_start(&call, CKM_TLS_KDF, "a0ba9f936cda3118", "27a6f796ffd5198c");
	hsm_put_bytes(&call.writer, HSM_FIELD_PRF_LABEL, "test label", 10);
	assert_int_equal(attempt(&call, short_key, CKK_GENERIC_SECRET, 100), CKR_KEY_SIZE_RANGE);
	/* CAVP's key block again, by its label */
	tls_start(&call, CKM_TLS12_KDF,
		  "ae6c806f8ad4d80784549dff28a4b58fd837681a51d928c3e30ee5ff14f39868",
		  "62e1fd91f23f558a605f28478c58cf72637b89784d959df7e946d3f07bd1b616");
	hsm_put_bytes(&call.writer, HSM_FIELD_PRF_LABEL, "key expansion", 13);
	expect(&call, base,
	       "d06139889fffac1e3a71865f504aa5d0d2a2e89506c6f2279b670c3e1b74f531"
	       "016a2530c51a3a0f7e1d6590d0f0566b2f387f8d11fd4f731cdd572d2eae927f"
	       "6f2f81410b25e6960be68985add6c38445ad9f8c64bf8068bf9a6679485d966f"
	       "1ad6f68b43495b10a683755ea2b858d70ccac7ec8b053c6bd41ca299d4e51928");
	/* A context, also an empty one, makes another key (RFC 5705). */
	wish(&one, CKK_GENERIC_SECRET, 32);
	wish(&two, CKK_GENERIC_SECRET, 32);
	tls_start(&call, CKM_TLS_KDF, "00", "01");
	hsm_put_bytes(&call.writer, HSM_FIELD_PRF_LABEL, "EXPERIMENTAL", 12);
	assert_int_equal(mech_derive(call_end(&call), base, &one), CKR_OK);
	tls_start(&call, CKM_TLS_KDF, "00", "01");
	hsm_put_bytes(&call.writer, HSM_FIELD_PRF_LABEL, "EXPERIMENTAL", 12);
	hsm_put_bytes(&call.writer, HSM_FIELD_INFO, "", 0);
	assert_int_equal(mech_derive(call_end(&call), base, &two), CKR_OK);
	assert_memory_not_equal(attributes_find(&one, CKA_VALUE)->value,
				attributes_find(&two, CKA_VALUE)->value, 32);
	attributes_free(&one);
	attributes_free(&two);
	key_put(base);
	key_put(short_key);
}

/* Finished is the same function with another label: what the exporter gives for it */
static void test_tls_mac(void **state)
{
	struct key *base = secret_hex(CKK_GENERIC_SECRET, MASTER);
	struct attributes key;
	struct call call;

	(void)state;
	for (uint64_t side = 0; side <= 3; side++) {
		uint8_t mac[64], hash[32];
		size_t n = sizeof(mac);

		memset(hash, 0x5a, sizeof(hash));
		call_start(&call, side % 2 ? CKM_TLS_MAC : CKM_TLS12_MAC);
		hsm_put_u64(&call.writer, HSM_FIELD_PRF, CKM_SHA256);
		hsm_put_u64(&call.writer, HSM_FIELD_LENGTH, 14);
		hsm_put_u64(&call.writer, HSM_FIELD_NUMBER, side);
		assert_int_equal(run(MECH_SIGN, call_end(&call), base, hash, 32, mac, &n),
				 side == 1 || side == 2 ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
		if (side != 1 && side != 2)
			continue;
		assert_int_equal(n, 14);
		assert_int_equal(run_verify(&call.mechanism, base, hash, 32, mac, 14), CKR_OK);
		hash[0] ^= 1;
		assert_int_equal(run_verify(&call.mechanism, base, hash, 32, mac, 14),
				 CKR_SIGNATURE_INVALID);
		hash[0] ^= 1;
		call_start(&call, CKM_TLS_KDF);
		hsm_put_bytes(&call.writer, HSM_FIELD_SEED, hash, 32);
		hsm_put_u64(&call.writer, HSM_FIELD_PRF, CKM_SHA256);
		hsm_put_bytes(&call.writer, HSM_FIELD_PRF_LABEL,
			      side == 1 ? "server finished" : "client finished", 15);
		wish(&key, CKK_GENERIC_SECRET, 14);
		assert_int_equal(mech_derive(call_end(&call), base, &key), CKR_OK);
		assert_memory_equal(attributes_find(&key, CKA_VALUE)->value, mac, 14);
		attributes_free(&key);
	}
	call_start(&call, CKM_TLS_MAC);
	hsm_put_u64(&call.writer, HSM_FIELD_PRF, CKM_SHA256);
	hsm_put_u64(&call.writer, HSM_FIELD_LENGTH, 11);
	hsm_put_u64(&call.writer, HSM_FIELD_NUMBER, 1);
	assert_int_equal(run(MECH_SIGN, call_end(&call), base, "", 0, (uint8_t[16]){ 0 },
			     &(size_t){ 16 }),
			 CKR_MECHANISM_PARAM_INVALID);
	key_put(base);
}

/* ---- IKE ---- */

/* CAVP, IKEv2 with HMAC-SHA1 */
static void test_ike2(void **state)
{
	static const char ni[] = "32b50d5f4a3763f3", nr[] = "9206a04b26564cb1";
	static const char skeyseed[] = "a9a7b222b59f8f48645f28a1db5b5f5d7479cba7";
	struct key *shared =
		secret_hex(CKK_GENERIC_SECRET,
			   "4b2c1f971981a8ad8d0abeafabf38cf75fc8349c148142465ed9c8b516b8be52");
	struct key *shared_new =
		secret_hex(CKK_GENERIC_SECRET,
			   "863f3c9d06efd39d2b907b97f8699e5dd5251ef64a2a176f36ee40c87d4f9330");
	struct key *seed = secret_hex(CKK_SHA_1_HMAC, skeyseed);
	struct key *sk_d = secret_hex(CKK_SHA_1_HMAC, "a14293677cc80ff8f9cc0eee30d895da9d8f4056");
	struct call call;

	(void)state;
	call_start(&call, CKM_IKE_PRF_DERIVE);
	hsm_put_u64(&call.writer, HSM_FIELD_PRF, CKM_SHA_1_HMAC);
	hsm_put_u64(&call.writer, HSM_FIELD_NUMBER, HSM_IKE_DATA_AS_KEY);
	put_hex(&call, HSM_FIELD_SEED, ni);
	put_hex(&call, HSM_FIELD_OTHER_SEED, nr);
	expect(&call, shared, skeyseed);
	assert_int_equal(attempt(&call, shared, CKK_GENERIC_SECRET, 19), CKR_KEY_SIZE_RANGE);
	assert_int_equal(attempt(&call, shared, CKK_GENERIC_SECRET, 21), CKR_KEY_SIZE_RANGE);
	assert_int_equal(attempt(&call, shared, CKK_SHA_1_HMAC, 0), CKR_OK);

	call_start(&call, CKM_IKE2_PRF_PLUS_DERIVE);
	hsm_put_u64(&call.writer, HSM_FIELD_PRF, CKM_SHA_1_HMAC);
	put_hex(&call, HSM_FIELD_SHARED,
		"32b50d5f4a3763f39206a04b26564cb134c9e7c1888687853ff77d760d2b2199");
	expect(&call, seed,
	       "a14293677cc80ff8f9cc0eee30d895da9d8f405666e30ef0dfcb63c634a46002"
	       "a2a63080e514a062768b76606f9fa5e992204fc5a670bde3f10d6b027113936a"
	       "5c55b648a194ae587b0088d52204b702c979fa280870d2ed41efa9c549fd1119"
	       "8af1670b143d384bd275c5f594cf266b05ebadca855e4249520a441a81157435"
	       "a7a56cc4");
	assert_int_equal(attempt(&call, seed, CKK_GENERIC_SECRET, 0), CKR_TEMPLATE_INCOMPLETE);
	assert_int_equal(attempt(&call, seed, CKK_GENERIC_SECRET, 4096), CKR_OK);

	call_start(&call, CKM_IKE_PRF_DERIVE);
	hsm_put_u64(&call.writer, HSM_FIELD_PRF, CKM_SHA_1_HMAC);
	hsm_put_u64(&call.writer, HSM_FIELD_NUMBER, HSM_IKE_REKEY);
	hsm_put_u64(&call.writer, HSM_FIELD_SECOND_KEY, 1);
	put_hex(&call, HSM_FIELD_SEED, ni);
	put_hex(&call, HSM_FIELD_OTHER_SEED, nr);
	call.mechanism.other[0] = &shared_new->attributes;
	call.mechanism.others = 1;
	expect(&call, sk_d, "63e81194946ebd05df7df5ebf5d8750056bf1f1d");
	/* Both flags at once; a rekey without the new key */
	call_start(&call, CKM_IKE_PRF_DERIVE);
	hsm_put_u64(&call.writer, HSM_FIELD_PRF, CKM_SHA_1_HMAC);
	hsm_put_u64(&call.writer, HSM_FIELD_NUMBER, HSM_IKE_REKEY | HSM_IKE_DATA_AS_KEY);
	put_hex(&call, HSM_FIELD_SEED, ni);
	assert_int_equal(attempt(&call, shared, CKK_GENERIC_SECRET, 20),
			 CKR_MECHANISM_PARAM_INVALID);
	call_start(&call, CKM_IKE_PRF_DERIVE);
	hsm_put_u64(&call.writer, HSM_FIELD_PRF, CKM_SHA_1_HMAC);
	hsm_put_u64(&call.writer, HSM_FIELD_NUMBER, HSM_IKE_REKEY);
	put_hex(&call, HSM_FIELD_SEED, ni);
	assert_int_equal(attempt(&call, sk_d, CKK_GENERIC_SECRET, 20), CKR_MECHANISM_PARAM_INVALID);
	key_put(shared);
	key_put(shared_new);
	key_put(seed);
	key_put(sk_d);
}

#define SKEYID_D "e1657d5ed060aa353846b7e13416025c6ae532025b2b2e4ec462e96647aed624"
#define SKEYID_A "68195b79b376fa081dffda51b7a6d33eb47adc27ed9115f38d5890d8f4a59a1f"
#define SKEYID_E "8864b579e170e453dc8e5da049f629db68a6f5e89469ba83536e490e52c024e9"

/* RFC 2409, 5 and appendix B, made with Python's hmac: key 00.. to 1f, g^xy 64.. to a3, cookies 00.. and 08.. */
static void test_ike1(void **state)
{
	struct key *skeyid =
		secret_hex(CKK_SHA256_HMAC,
			   "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
	struct key *skeyid_d = secret_hex(CKK_SHA256_HMAC, SKEYID_D);
	struct key *skeyid_a = secret_hex(CKK_SHA256_HMAC, SKEYID_A);
	struct key *skeyid_e = secret_hex(CKK_SHA256_HMAC, SKEYID_E);
	const char *made[] = { SKEYID_D, SKEYID_A, SKEYID_E };
	struct key *previous[] = { NULL, skeyid_d, skeyid_a };
	uint8_t value[64];
	struct key *gxy;
	struct call call;

	(void)state;
	for (int i = 0; i < 64; i++)
		value[i] = (uint8_t)(100 + i);
	gxy = secret_key(CKK_GENERIC_SECRET, value, sizeof(value));
	for (unsigned int i = 0; i < 3; i++) {
		call_start(&call, CKM_IKE1_PRF_DERIVE);
		hsm_put_u64(&call.writer, HSM_FIELD_PRF, CKM_SHA256_HMAC);
		hsm_put_u64(&call.writer, HSM_FIELD_NUMBER, i);
		hsm_put_u64(&call.writer, HSM_FIELD_SECOND_KEY, 1);
		put_hex(&call, HSM_FIELD_SEED, "0001020304050607");
		put_hex(&call, HSM_FIELD_OTHER_SEED, "08090a0b0c0d0e0f");
		call.mechanism.other[call.mechanism.others++] = &gxy->attributes;
		if (previous[i]) {
			hsm_put_u64(&call.writer, HSM_FIELD_THIRD_KEY, 2);
			call.mechanism.other[call.mechanism.others++] = &previous[i]->attributes;
		}
		expect(&call, skeyid, made[i]);
		assert_int_equal(attempt(&call, skeyid, CKK_GENERIC_SECRET, 33),
				 CKR_KEY_SIZE_RANGE);
	}
	call_start(&call, CKM_IKE1_EXTENDED_DERIVE);
	hsm_put_u64(&call.writer, HSM_FIELD_PRF, CKM_SHA256_HMAC);
	expect(&call, skeyid_e,
	       "fab414c07984140b19f7be9bfae13559be1bdcc25b6856195a65d337cdd2537c"
	       "176a03eeaa08a634796dc4a2213a18e4");
	/* Where SKEYID_e is long enough the key is cut from it. */
	call_start(&call, CKM_IKE1_EXTENDED_DERIVE);
	hsm_put_u64(&call.writer, HSM_FIELD_PRF, CKM_SHA256_HMAC);
	expect(&call, skeyid_e, "8864b579e170e453dc8e5da049f629db68a6f5e89469ba83");
	call_start(&call, CKM_IKE1_EXTENDED_DERIVE);
	hsm_put_u64(&call.writer, HSM_FIELD_PRF, CKM_SHA256_HMAC);
	hsm_put_u64(&call.writer, HSM_FIELD_SECOND_KEY, 1);
	put_hex(&call, HSM_FIELD_SHARED, "0301020304");
	call.mechanism.other[call.mechanism.others++] = &gxy->attributes;
	expect(&call, skeyid_d,
	       "a06a9909408f97da708471a2d9a891b9d54a8b796cfbf5b8f72c74b2039e0d7a"
	       "4ae7369f41e6bef9fe3bf54d694444be");
	key_put(skeyid);
	key_put(skeyid_d);
	key_put(skeyid_a);
	key_put(skeyid_e);
	key_put(gxy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tls_master),
		cmocka_unit_test(test_tls_version),
		cmocka_unit_test(test_tls_extended),
		cmocka_unit_test(test_tls_keys),
		cmocka_unit_test(test_tls_key_parameters),
		cmocka_unit_test(test_tls_export),
		cmocka_unit_test(test_tls_mac),
		cmocka_unit_test(test_ike2),
		cmocka_unit_test(test_ike1),
	};

	return cmocka_run_group_tests(tests, library_start, library_stop);
}
