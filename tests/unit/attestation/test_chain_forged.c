// SPDX-License-Identifier: Apache-2.0
/*
 * DICE chains of people who have some of the keys: a device that plays vendor, a certificate by a weaker key,
 * extensions that nobody knows, uses that a key is not for, names of other boards, and two chains of which each is
 * good.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <openssl/rsa.h>
#include "chain_testing.h"

/* ---- certificates ---- */

static void rename_device(X509 *cert, const char *common, const char *serial)
{
	X509_NAME *name = X509_NAME_new();

	if (common)
		X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)common, -1,
					   -1, 0);
	if (serial)
		X509_NAME_add_entry_by_txt(name, "serialNumber", MBSTRING_UTF8,
					   (const uint8_t *)serial, -1, -1, 0);
	X509_set_subject_name(cert, name);
	X509_NAME_free(name);
}

/* The aliases again, below the device's certificate as it is now */
static void certify_again(struct chain_fixture *c)
{
	X509_free(c->alias);
	X509_free(c->leaf);
	c->alias = hsm_dice_alias_certificate(NULL, c->device, device_key(c), alias_key(c),
					      &good_tcb, test_partition);
	assert_non_null(c->alias);
	c->leaf = hsm_dice_partition_certificate(NULL, c->alias, alias_key(c), c->identity_key,
						 test_partition, NULL);
	assert_non_null(c->leaf);
}

static void refused_by_both(struct chain_fixture *c, X509 *root, const char *words)
{
	struct verify v = { .kind = HSM_DICE_LEAF_PARTITION };

	refused(&v, c, root, words);
	v.kind = HSM_DICE_LEAF_ALIAS;
	refused(&v, c, root, words);
}

/* ---- who certifies ---- */

/*
 * Board 1, whose key somebody has, certifies a "board 2" of his own: alias, false device, device 1, vendor. All path
 * lengths of a chain that ends with an alias are kept.
 */
static void test_device_below_device(void **state)
{
	struct verify v = { .kind = HSM_DICE_LEAF_ALIAS };
	EVP_PKEY *ca_key = EVP_EC_gen("P-384");
	X509 *ca = make_ca(ca_key, "critical,CA:TRUE");
	struct chain_fixture mine, other;
	uint8_t revoked[1][HSM_FINGERPRINT_SIZE];

	(void)state;
	chain_make(&mine, HSM_DICE_P384, 1, &good_tcb, test_partition);
	chain_make(&other, HSM_DICE_P384, 2, &good_tcb, test_partition);
	certify_device(&mine, ca, ca_key);
	certify_device(&other, mine.device, device_key(&mine));
	{
		X509 *const more[] = { other.alias, other.device, mine.device, NULL };

		assert_int_equal(verify(&v, ca, other.alias, more), -EKEYREJECTED);
		assert_non_null(strstr(v.reason, "path length"));
		/* Also when the board's own certificate is what is believed */
		assert_int_equal(verify(&v, mine.device, other.alias, more), -EKEYREJECTED);
		assert_non_null(strstr(v.reason, "path length"));
		v.kind = HSM_DICE_LEAF_PARTITION;
		assert_int_equal(verify(&v, ca, other.leaf, more), -EKEYREJECTED);
	}
	/* A vendor's intermediate certificate in the same place may, and is revoked by its key. */
	v.kind = HSM_DICE_LEAF_ALIAS;
	certify_device(&other, ca, ca_key);
	assert_int_equal(verify_chain(&v, &other, ca), 0);
	hsm_dice_fingerprint(NULL, ca_key, revoked[0]);
	v.policy.revoked_devices.list = (const uint8_t(*)[HSM_FINGERPRINT_SIZE])revoked;
	v.policy.revoked_devices.count = 1;
	refused(&v, &other, ca, "certifier sha256:");
	chain_free(&mine);
	chain_free(&other);
	X509_free(ca);
	EVP_PKEY_free(ca_key);
}

static void test_device_path_length(void **state)
{
	static const char *const bad[] = { "critical,CA:TRUE", "critical,CA:TRUE,pathlen:2" };
	struct chain_fixture c;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		chain_make(&c, HSM_DICE_P384, 1, &good_tcb, test_partition);
		strip(c.device, NID_basic_constraints);
		add_extension(c.device, NID_basic_constraints, bad[i]);
		sign_again(c.device, device_key(&c));
		refused_by_both(&c, c.device, "none that a board has");
		chain_free(&c);
	}
}

/* The device by the vendor's key, with this hash */
static void certify_with(struct chain_fixture *c, EVP_PKEY *key, const EVP_MD *hash)
{
	assert_true(X509_sign(c->device, key, hash) > 0);
	read_again(&c->device);
}

/* What a vendor's date says is not looked at: attestation.rst. What he signs weakly is not believed. */
static void test_vendor(void **state)
{
	struct verify v = { .kind = HSM_DICE_LEAF_ALIAS };
	EVP_PKEY *key = EVP_EC_gen("P-384"), *weak = EVP_RSA_gen(2048);
	X509 *root = make_ca(key, "critical,CA:TRUE"), *weak_root;
	struct chain_fixture c;

	(void)state;
	chain_make(&c, HSM_DICE_P384, 1, &good_tcb, test_partition);
	X509_gmtime_adj(X509_getm_notBefore(root), -86400);
	X509_gmtime_adj(X509_getm_notAfter(root), -3600);
	sign_again(root, key);
	certify_device(&c, root, key);
	assert_int_equal(verify_chain(&v, &c, root), 0);
	certify_with(&c, key, EVP_sha256());
	assert_int_equal(verify_chain(&v, &c, root), 0);
	/* A hash that is broken */
	certify_with(&c, key, EVP_sha1());
	refused(&v, &c, root, "too weak");
	/* A key of 112 bits */
	weak_root = X509_dup(root);
	X509_set_pubkey(weak_root, weak);
	X509_sign(weak_root, weak, EVP_sha256());
	certify_with(&c, weak, EVP_sha256());
	refused(&v, &c, weak_root, "too weak");
	chain_free(&c);
	X509_free(root);
	X509_free(weak_root);
	EVP_PKEY_free(key);
	EVP_PKEY_free(weak);
}

/* A key of ML-DSA under P-384: who breaks the latter has both signatures. */
static void test_weaker_certifier(void **state)
{
	struct verify v = { .kind = HSM_DICE_LEAF_ALIAS };
	struct chain_fixture lasting, classic;
	EVP_PKEY *ca_key = EVP_EC_gen("P-384");
	X509 *ca = make_ca(ca_key, "critical,CA:TRUE"), *alias;

	(void)state;
	if (!chain_make(&lasting, HSM_DICE_ML_DSA_87, 1, &good_tcb, test_partition)) {
		X509_free(ca);
		EVP_PKEY_free(ca_key);
		skip();
	}
	chain_make(&classic, HSM_DICE_P384, 1, &good_tcb, test_partition);
	assert_int_equal(verify_chain(&v, &lasting, lasting.device), 0);
	/* The alias by the device's other key */
	alias = lasting.alias;
	lasting.alias = hsm_dice_alias_certificate(NULL, classic.device, device_key(&classic),
						   alias_key(&lasting), &good_tcb, test_partition);
	{
		X509 *const more[] = { lasting.alias, classic.device, NULL };

		assert_int_equal(verify(&v, classic.device, lasting.alias, more), -EKEYREJECTED);
		assert_non_null(strstr(v.reason, "different kinds"));
	}
	X509_free(lasting.alias);
	lasting.alias = alias;
	/* The device by a vendor of P-384, who is believed for the other chain */
	certify_device(&lasting, ca, ca_key);
	refused(&v, &lasting, ca, "certified by one that is none");
	chain_free(&lasting);
	chain_free(&classic);
	X509_free(ca);
	EVP_PKEY_free(ca_key);
}

/* ---- what a certificate says ---- */

static void test_unknown_critical(void **state)
{
	struct chain_fixture c;
	struct verify v = { 0 };

	(void)state;
	for (int where = 0; where < 3; where++) {
		chain_make(&c, HSM_DICE_P384, 1, &good_tcb, test_partition);
		X509 *cert = where == 0 ? c.leaf : where == 1 ? c.alias : c.device;
		ASN1_OBJECT *oid = OBJ_txt2obj("1.2.3.4.5", 1);
		ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
		X509_EXTENSION *extension;

		ASN1_OCTET_STRING_set(value, (const uint8_t *)"\x05", 2);
		extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, value);
		X509_add_ext(cert, extension, -1);
		sign_again(cert, where == 0 ? alias_key(&c) : device_key(&c));
		refused(&v, &c, c.device, "unhandled critical extension");
		X509_EXTENSION_free(extension);
		ASN1_OCTET_STRING_free(value);
		ASN1_OBJECT_free(oid);
		chain_free(&c);
	}
}

static void test_key_usage(void **state)
{
	static const struct {
		int where; /* 0 the partition's, 1 the alias's, 2 the device's */
		const char *usage; /* NULL: none */
		const char *words;
	} bad[] = {
		{ 0, "critical,keyAgreement", "not for signatures" },
		{ 0, NULL, "not for signatures" },
		{ 1, "critical,keyCertSign", "none that a board makes" },
		{ 1, "critical,digitalSignature", "no trusted root" },
		{ 1, NULL, "none that a board makes" },
		{ 2, "critical,digitalSignature", "no trusted root" },
	};
	struct verify v = { 0 };
	struct chain_fixture c;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		chain_make(&c, HSM_DICE_P384, 1, &good_tcb, test_partition);
		X509 *cert = bad[i].where == 0 ? c.leaf : bad[i].where == 1 ? c.alias : c.device;

		strip(cert, NID_key_usage);
		if (bad[i].usage)
			add_extension(cert, NID_key_usage, bad[i].usage);
		sign_again(cert, bad[i].where ? device_key(&c) : alias_key(&c));
		refused(&v, &c, c.device, bad[i].words);
		chain_free(&c);
	}
}

static void test_device_name(void **state)
{
	static const struct {
		const char *common, *serial;
	} bad[] = {
		{ "ihsm device 01000000000000000000000000000000", NULL },
		{ NULL, "TEST" },
		{ "ihsm device 0100000000000000000000000000000", "TEST" },
		{ "ihsm device 010000000000000000000000000000000", "TEST" },
		{ "ihsm device 01000000000000000000000000000ABC", "TEST" },
		{ "ihsm device 01:00000000000000000000000000000", "TEST" },
		{ "ihsm device", "TEST" },
		{ "vendor", "TEST" },
		{ "ihsm device 01000000000000000000000000000000",
		  "a serial number that is longer than any is" },
	};
	struct verify v = { 0 };
	struct chain_fixture c;
	X509_NAME *name;

	(void)state;
	chain_make(&c, HSM_DICE_P384, 1, &good_tcb, test_partition);
	assert_int_equal(verify_chain(&v, &c, c.device), 0);
	assert_memory_equal(v.facts.board_id, "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0", HSM_DICE_ID_SIZE);
	assert_string_equal(v.facts.serial, "TEST");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		rename_device(c.device, bad[i].common, bad[i].serial);
		sign_again(c.device, device_key(&c));
		certify_again(&c);
		refused_by_both(&c, c.device, "names no board");
	}
	/* More of the vendor's is no harm; a second name of a board is. */
	rename_device(c.device, "ihsm device 01000000000000000000000000000000", "TEST");
	name = X509_NAME_dup(X509_get_subject_name(c.device));
	X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const uint8_t *)"Vendor", -1, -1, 0);
	X509_set_subject_name(c.device, name);
	sign_again(c.device, device_key(&c));
	certify_again(&c);
	assert_int_equal(verify_chain(&v, &c, c.device), 0);
	X509_NAME_add_entry_by_txt(name, "serialNumber", MBSTRING_ASC, (const uint8_t *)"TWO", -1,
				   -1, 0);
	X509_set_subject_name(c.device, name);
	sign_again(c.device, device_key(&c));
	certify_again(&c);
	refused_by_both(&c, c.device, "names no board");
	X509_NAME_free(name);
	chain_free(&c);
}

/* The unit stands behind what the alias may certify, and makes no other partition of it. */
static void test_passing(void **state)
{
	struct verify v = { 0 };
	struct chain_fixture c;

	(void)state;
	chain_make(&c, HSM_DICE_P384, 1, &good_tcb, test_partition);
	assert_false(hsm_dice_is_passing(c.leaf));
	X509_free(c.leaf);
	c.leaf = hsm_dice_partition_certificate(NULL, c.alias, alias_key(&c), c.identity_key,
						test_partition, HSM_DICE_PASSING);
	assert_true(hsm_dice_is_passing(c.leaf));
	assert_int_equal(verify_chain(&v, &c, c.device), 0);
	chain_free(&c);
}

/* ---- TCBInfo that says more than is understood ---- */

static void test_tcb_more(void **state)
{
	struct hsm_tcb_info tcb = good_tcb, out;
	uint8_t *der, *at;
	int length;

	(void)state;
	tcb.debug = true;
	length = hsm_tcb_info_encode(&tcb, &der);
	assert_true(length > 0);
	at = memmem(der, length, "\x87\x02\x04\x10", 4);
	assert_non_null(at);
	assert_int_equal(hsm_tcb_info_decode(der, length, &out), 0);
	/* Bit 2, recovery; bit 0, notConfigured: a flag that is not looked at */
	at[3] = 0x30;
	assert_int_equal(hsm_tcb_info_decode(der, length, &out), -EBADMSG);
	at[3] = 0x90;
	assert_int_equal(hsm_tcb_info_decode(der, length, &out), -EBADMSG);
	OPENSSL_free(der);
	tcb.lifecycle = 5;
	length = hsm_tcb_info_encode(&tcb, &der);
	assert_int_equal(hsm_tcb_info_decode(der, length, &out), -EBADMSG);
	OPENSSL_free(der);
}

/* ---- two chains ---- */

static void test_same_signer(void **state)
{
	const struct hsm_dice_facts one = { .tcb = good_tcb, .board_id = { 1 }, .serial = "A" };
	struct hsm_dice_facts other = one;

	(void)state;
	/* Keys differ between the two chains; they are no difference. */
	other.device[0] = other.alias[0] = 1;
	assert_null(hsm_dice_same_signer(&one, &other));
#define DIFFERS(change)                                              \
	do {                                                         \
		other = one;                                         \
		change;                                              \
		assert_non_null(hsm_dice_same_signer(&one, &other)); \
	} while (0)
	DIFFERS(other.board_id[HSM_DICE_ID_SIZE - 1] ^= 1);
	DIFFERS(other.serial[0] = 'B');
	DIFFERS(other.tcb.vendor[0] ^= 1);
	DIFFERS(other.tcb.model[0] ^= 1);
	DIFFERS(other.tcb.version[0] ^= 1);
	DIFFERS(other.tcb.security_version++);
	DIFFERS(other.tcb.function++);
	DIFFERS(other.tcb.measurement[HSM_MEASUREMENT_SIZE - 1] ^= 1);
	DIFFERS(other.tcb.lifecycle = HSM_LIFECYCLE_RETURNED);
	DIFFERS(other.tcb.debug = !other.tcb.debug);
	DIFFERS(other.tcb.approved = !other.tcb.approved);
	DIFFERS(other.tcb.rollback_protected = !other.tcb.rollback_protected);
#undef DIFFERS
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_device_below_device),
		cmocka_unit_test(test_device_path_length),
		cmocka_unit_test(test_vendor),
		cmocka_unit_test(test_weaker_certifier),
		cmocka_unit_test(test_unknown_critical),
		cmocka_unit_test(test_key_usage),
		cmocka_unit_test(test_device_name),
		cmocka_unit_test(test_passing),
		cmocka_unit_test(test_tcb_more),
		cmocka_unit_test(test_same_signer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
