// SPDX-License-Identifier: Apache-2.0
/*
 * DICE: keys that come again and are no other layer's, TCBInfo there and back, and chains that have to be
 * refused, each with the reason that names what did not match.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <openssl/pem.h>
#include "chain_testing.h"

/* Computed from FIPS 186-5, A.2.1, and RFC 5869 by another program than this one: secret 00 01 ... 1f */
static const char known_point[] =
	"04f6057db8996afac0786f520fdc55c4c458ab997f1d549c94c6168633fdccf97b"
	"0b2ca267281c94a6903acc9498603ee5db52ade0b27de0ad6ff62b46efe4e554"
	"8870d6f308a540095a3e13b9379ab9d215283e8dc9da1b49126c0ef24b8161f0";

/* ---- keys ---- */

static void test_p384_known(void **state)
{
	uint8_t secret[HSM_CDI_SIZE], *point = NULL;
	struct hsm_dice_keys keys;
	char text[2 * 97 + 1];
	size_t length, i;

	for (i = 0; i < sizeof(secret); i++)
		secret[i] = i;
	assert_int_equal(hsm_dice_keys_derive(NULL, secret, &keys), 0);
	length = EVP_PKEY_get1_encoded_public_key(keys.key[HSM_DICE_P384], &point);
	assert_int_equal(length, 97);
	for (i = 0; i < length; i++)
		snprintf(text + 2 * i, 3, "%02x", point[i]);
	assert_string_equal(text, known_point);
	OPENSSL_free(point);
	hsm_dice_keys_free(&keys);
	(void)state;
}

static void test_keys_differ(void **state)
{
	uint8_t secret[HSM_CDI_SIZE] = { 1 };
	struct hsm_dice_keys a, again, b;

	assert_int_equal(hsm_dice_keys_derive(NULL, secret, &a), 0);
	assert_int_equal(hsm_dice_keys_derive(NULL, secret, &again), 0);
	secret[HSM_CDI_SIZE - 1] = 1;
	assert_int_equal(hsm_dice_keys_derive(NULL, secret, &b), 0);
	for (int i = 0; i < HSM_DICE_ALGORITHMS; i++) {
		if (!a.key[i])
			continue;
		assert_int_equal(EVP_PKEY_eq(a.key[i], again.key[i]), 1);
		assert_int_equal(EVP_PKEY_eq(a.key[i], b.key[i]), 0);
	}
	hsm_dice_keys_free(&a);
	hsm_dice_keys_free(&again);
	hsm_dice_keys_free(&b);
	(void)state;
}

static void test_derive_differs(void **state)
{
	const uint8_t secret[HSM_CDI_SIZE] = { 1 };
	uint8_t out[3][HSM_CDI_SIZE];

	assert_int_equal(hsm_dice_derive(NULL, secret, "a", "x", 1, out[0]), 0);
	assert_int_equal(hsm_dice_derive(NULL, secret, "b", "x", 1, out[1]), 0);
	assert_int_equal(hsm_dice_derive(NULL, secret, "a", "y", 1, out[2]), 0);
	assert_memory_not_equal(out[0], out[1], HSM_CDI_SIZE);
	assert_memory_not_equal(out[0], out[2], HSM_CDI_SIZE);
	assert_memory_not_equal(out[1], out[2], HSM_CDI_SIZE);
	(void)state;
}

/* ---- TCBInfo ---- */

static void test_tcb_round_trip(void **state)
{
	struct hsm_tcb_info in = good_tcb, out;
	uint8_t *der;
	int length;

	for (unsigned int i = 0; i < 16; i++) {
		in.debug = i & 1;
		in.approved = i & 2;
		in.rollback_protected = i & 4;
		in.lifecycle = i & 8 ? HSM_LIFECYCLE_RETURNED : HSM_LIFECYCLE_PRODUCTION;
		length = hsm_tcb_info_encode(&in, &der);
		assert_true(length > 0);
		assert_int_equal(hsm_tcb_info_decode(der, length, &out), 0);
		assert_string_equal(out.vendor, in.vendor);
		assert_string_equal(out.model, in.model);
		assert_string_equal(out.version, in.version);
		assert_int_equal(out.security_version, in.security_version);
		assert_int_equal(out.function, in.function);
		assert_memory_equal(out.measurement, in.measurement, sizeof(in.measurement));
		assert_int_equal(out.lifecycle, in.lifecycle);
		assert_int_equal(out.debug, in.debug);
		assert_int_equal(out.approved, in.approved);
		assert_int_equal(out.rollback_protected, in.rollback_protected);
		OPENSSL_free(der);
	}
	(void)state;
}

/* Cut, longer, and with every bit changed: refused, or other values, and nothing read beyond its end. */
static void test_tcb_damaged(void **state)
{
	struct hsm_tcb_info tcb;
	uint8_t *der, *copy;
	size_t length, i;
	int n = hsm_tcb_info_encode(&good_tcb, &der);

	assert_true(n > 0);
	length = n;
	for (i = 0; i < length; i++) {
		copy = malloc(i + 1);
		assert_non_null(copy);
		memcpy(copy, der, i);
		assert_int_equal(hsm_tcb_info_decode(copy, i, &tcb), -EBADMSG);
		free(copy);
	}
	copy = malloc(length + 1);
	assert_non_null(copy);
	memcpy(copy, der, length);
	copy[length] = 0;
	assert_int_equal(hsm_tcb_info_decode(copy, length + 1, &tcb), -EBADMSG);
	for (i = 0; i < 8 * length; i++) {
		memcpy(copy, der, length);
		copy[i / 8] ^= 1 << (i % 8);
		hsm_tcb_info_decode(copy, length, &tcb);
	}
	free(copy);
	OPENSSL_free(der);
	(void)state;
}

/* The form that others read: [3] svn, [5] index, [6] fwids with SHA-384's object identifier, [7] flags */
static void test_tcb_form(void **state)
{
	static const uint8_t fwid[] = { 0xa6, 0x3f, 0x30, 0x3d, 0x06, 0x09, 0x60, 0x86, 0x48,
					0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x04, 0x30 };
	static const uint8_t numbers[] = { 0x83, 0x01, 0x07, 0x85, 0x01, 0x02 };
	struct hsm_tcb_info tcb = good_tcb;
	uint8_t *der, *at;
	int length;

	tcb.debug = true;
	length = hsm_tcb_info_encode(&tcb, &der);
	at = memmem(der, length, numbers, sizeof(numbers));
	assert_non_null(at);
	assert_memory_equal(at + sizeof(numbers), fwid, sizeof(fwid));
	/* debug is bit 3 */
	at += sizeof(numbers) + sizeof(fwid) + 48;
	assert_memory_equal(at, "\x87\x02\x04\x10", 4);
	OPENSSL_free(der);
	(void)state;
}

static void test_lifecycle_names(void **state)
{
	for (uint32_t i = 1; i <= 4; i++)
		assert_int_equal(hsm_lifecycle_parse(hsm_lifecycle_name(i)), i);
	assert_int_equal(hsm_lifecycle_parse("Production"), 0);
	assert_string_equal(hsm_lifecycle_name(0), "unknown");
	assert_string_equal(hsm_lifecycle_name(5), "unknown");
	(void)state;
}

/* ---- chains ---- */

static void test_good(void **state)
{
	struct chain_fixture c;
	uint8_t fingerprint[HSM_FINGERPRINT_SIZE];

	for (int i = 0; i < HSM_DICE_ALGORITHMS; i++) {
		struct verify v = { 0 };

		if (!chain_make(&c, i, 1, &good_tcb, test_partition))
			continue;
		assert_int_equal(verify_chain(&v, &c, c.device), 0);
		assert_int_equal(v.facts.tcb.security_version, good_tcb.security_version);
		hsm_dice_fingerprint(NULL, device_key(&c), fingerprint);
		assert_memory_equal(v.facts.device, fingerprint, sizeof(fingerprint));
		hsm_dice_fingerprint(NULL, alias_key(&c), fingerprint);
		assert_memory_equal(v.facts.alias, fingerprint, sizeof(fingerprint));
		v.kind = HSM_DICE_LEAF_ALIAS;
		assert_int_equal(verify_chain(&v, &c, c.device), 0);
		chain_free(&c);
	}
	(void)state;
}

static void test_policy(void **state)
{
	struct verify v = { 0 };
	struct chain_fixture c;
	uint8_t allowed[2][HSM_MEASUREMENT_SIZE] = { { 1 }, { 2 } };
	uint8_t revoked[2][HSM_FINGERPRINT_SIZE] = { { 1 }, { 2 } };

	chain_make(&c, HSM_DICE_P384, 1, &good_tcb, test_partition);
	v.policy.minimum_version = 7;
	assert_int_equal(verify_chain(&v, &c, c.device), 0);
	v.policy.minimum_version = 8;
	refused(&v, &c, c.device, "security version 7 is below 8");
	v.policy.minimum_version = 0;

	v.policy.measurements = (const uint8_t(*)[HSM_MEASUREMENT_SIZE])allowed;
	v.policy.measurement_count = 2;
	refused(&v, &c, c.device, "measurement sha384:4d45");
	memcpy(allowed[1], good_tcb.measurement, HSM_MEASUREMENT_SIZE);
	assert_int_equal(verify_chain(&v, &c, c.device), 0);

	v.policy.revoked_devices.list = (const uint8_t(*)[HSM_FINGERPRINT_SIZE])revoked;
	v.policy.revoked_devices.count = 2;
	assert_int_equal(verify_chain(&v, &c, c.device), 0);
	hsm_dice_fingerprint(NULL, device_key(&c), revoked[1]);
	refused(&v, &c, c.device, "device sha256:");
	hsm_dice_fingerprint(NULL, alias_key(&c), revoked[1]);
	assert_int_equal(verify_chain(&v, &c, c.device), 0);
	v.policy.revoked_aliases = v.policy.revoked_devices;
	refused(&v, &c, c.device, "alias sha256:");
	v.policy.revoked_aliases.count = 1;

	v.policy.lifecycle = HSM_LIFECYCLE_PRODUCTION;
	assert_int_equal(verify_chain(&v, &c, c.device), 0);
	v.policy.lifecycle = HSM_LIFECYCLE_DEVELOPMENT;
	refused(&v, &c, c.device, "lifecycle is production, required is development");
	v.policy.lifecycle = 0;
	v.policy.rollback_protected = true;
	assert_int_equal(verify_chain(&v, &c, c.device), 0);
	v.policy.approved = true;
	refused(&v, &c, c.device, "approved mode");
	chain_free(&c);
	(void)state;
}

static void test_open_device(void **state)
{
	struct verify v = { .policy.lifecycle = HSM_LIFECYCLE_PRODUCTION };
	struct hsm_tcb_info tcb = good_tcb;
	struct chain_fixture c;

	tcb.debug = true;
	chain_make(&c, HSM_DICE_P384, 1, &tcb, test_partition);
	refused(&v, &c, c.device, "debug");
	chain_free(&c);
	tcb.debug = false;
	tcb.rollback_protected = false;
	v.policy.rollback_protected = true;
	chain_make(&c, HSM_DICE_P384, 1, &tcb, test_partition);
	refused(&v, &c, c.device, "old copies");
	chain_free(&c);
	(void)state;
}

static void test_other_board(void **state)
{
	struct chain_fixture mine, other;
	struct verify v = { 0 };

	chain_make(&mine, HSM_DICE_P384, 1, &good_tcb, test_partition);
	chain_make(&other, HSM_DICE_P384, 2, &good_tcb, test_partition);
	refused(&v, &other, mine.device, "no trusted root");
	/* The other board's alias under this one's device */
	X509_set_issuer_name(other.alias, X509_get_subject_name(mine.device));
	refused(&v, &other, mine.device, "no trusted root");
	v.kind = HSM_DICE_LEAF_ALIAS;
	refused(&v, &other, mine.device, "no trusted root");
	chain_free(&mine);
	chain_free(&other);
	(void)state;
}

static void test_no_tcb_info(void **state)
{
	struct verify v = { 0 };
	struct chain_fixture c;

	chain_make(&c, HSM_DICE_P384, 1, &good_tcb, test_partition);
	strip(c.alias, 0);
	sign_again(c.alias, device_key(&c));
	refused(&v, &c, c.device, "no certificate has a TCBInfo");
	v.kind = HSM_DICE_LEAF_ALIAS;
	refused(&v, &c, c.device, "no certificate has a TCBInfo");
	chain_free(&c);
	(void)state;
}

/* Another TCBInfo than the board's, at every place that firmware can write to */
static void test_forged_tcb_info(void **state)
{
	struct hsm_tcb_info forged = good_tcb;
	struct verify v = { .policy.minimum_version = 99 };
	struct chain_fixture c;

	forged.security_version = 99;
	chain_make(&c, HSM_DICE_P384, 1, &good_tcb, test_partition);
	/* In the alias's certificate, which it cannot sign */
	strip(c.alias, 0);
	add_tcb(c.alias, &forged);
	sign_again(c.alias, alias_key(&c));
	refused(&v, &c, c.device, "no trusted root");
	chain_free(&c);
	/* Twice there: the board would have to do that */
	chain_make(&c, HSM_DICE_P384, 1, &good_tcb, test_partition);
	add_tcb(c.alias, &forged);
	sign_again(c.alias, device_key(&c));
	refused(&v, &c, c.device, "makes no sense");
	chain_free(&c);
	/* In its own certificate below */
	chain_make(&c, HSM_DICE_P384, 1, &good_tcb, test_partition);
	add_tcb(c.leaf, &forged);
	sign_again(c.leaf, alias_key(&c));
	refused(&v, &c, c.device, "more than one");
	chain_free(&c);
	(void)state;
}

/* An alias that plays device: its own child as the alias, also with the alias itself as the root */
static void test_child_of_alias(void **state)
{
	struct hsm_tcb_info forged = good_tcb;
	struct verify v = { .kind = HSM_DICE_LEAF_ALIAS };
	struct chain_fixture c;
	X509 *child;

	chain_make(&c, HSM_DICE_P384, 1, &good_tcb, test_partition);
	child = hsm_dice_partition_certificate(NULL, c.alias, alias_key(&c), c.identity_key,
					       test_partition, NULL);
	strip(child, NID_basic_constraints);
	strip(child, NID_key_usage);
	add_extension(child, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
	add_tcb(child, &forged);
	sign_again(child, alias_key(&c));
	{
		X509 *const more[] = { c.alias, c.device, NULL };

		assert_int_equal(verify(&v, c.device, child, more), -EKEYREJECTED);
		assert_non_null(strstr(v.reason, "more than one"));
		assert_int_equal(verify(&v, c.alias, child, more), -EKEYREJECTED);
		assert_non_null(strstr(v.reason, "more than one"));
	}
	X509_free(child);
	/* What the partition's key signs is none of the alias's */
	{
		X509 *const more[] = { c.alias, c.device, NULL };

		assert_int_equal(verify(&v, c.device, c.leaf, more), -EKEYREJECTED);
		assert_non_null(strstr(v.reason, "not in the alias's certificate"));
	}
	/* And the alias is no partition */
	v.kind = HSM_DICE_LEAF_PARTITION;
	{
		X509 *const more[] = { c.device, NULL };

		assert_int_equal(verify(&v, c.device, c.alias, more), -EKEYREJECTED);
	}
	/* An alias that is believed for itself, with no device above it */
	v.kind = HSM_DICE_LEAF_ALIAS;
	{
		X509 *const more[] = { c.leaf, NULL };

		assert_int_equal(verify(&v, c.alias, c.alias, more), -EKEYREJECTED);
		assert_non_null(strstr(v.reason, "device's certificate is missing"));
	}
	chain_free(&c);
	(void)state;
}

static void test_path_length(void **state)
{
	EVP_PKEY *ca_key = EVP_EC_gen("P-384");
	struct verify v = { 0 };
	struct chain_fixture c;
	X509 *ca, *sub;

	/* A vendor that allows devices, but no aliases below them */
	chain_make(&c, HSM_DICE_P384, 1, &good_tcb, test_partition);
	ca = make_ca(ca_key, "critical,CA:TRUE,pathlen:1");
	certify_device(&c, ca, ca_key);
	refused(&v, &c, ca, "path length");
	X509_free(ca);
	ca = make_ca(ca_key, "critical,CA:TRUE,pathlen:2");
	assert_int_equal(verify_chain(&v, &c, ca), 0);
	chain_free(&c);
	/* An alias that makes a CA, which makes the partition's certificate */
	chain_make(&c, HSM_DICE_P384, 1, &good_tcb, test_partition);
	certify_device(&c, ca, ca_key);
	sub = hsm_dice_partition_certificate(NULL, c.alias, alias_key(&c), ca_key, test_partition,
					     NULL);
	strip(sub, NID_basic_constraints);
	strip(sub, NID_key_usage);
	add_extension(sub, NID_basic_constraints, "critical,CA:TRUE");
	sign_again(sub, alias_key(&c));
	X509_free(c.leaf);
	c.leaf = hsm_dice_partition_certificate(NULL, sub, ca_key, c.identity_key, test_partition,
						NULL);
	{
		X509 *const more[] = { sub, c.alias, c.device, NULL };

		assert_int_equal(verify(&v, ca, c.leaf, more), -EKEYREJECTED);
		assert_non_null(strstr(v.reason, "path length"));
	}
	X509_free(sub);
	X509_free(ca);
	EVP_PKEY_free(ca_key);
	chain_free(&c);
	(void)state;
}

/* The firmware of a function speaks for a partition that is another's */
static void test_neighbour(void **state)
{
	struct verify v = { 0 };
	struct chain_fixture c;
	X509_NAME *empty;

	chain_make(&c, HSM_DICE_P384, 1, &good_tcb, other_partition);
	refused(&v, &c, c.device, "another partition");
	X509_free(c.leaf);
	c.leaf = hsm_dice_partition_certificate(NULL, c.alias, alias_key(&c), c.identity_key,
						test_partition, NULL);
	refused(&v, &c, c.device, "no trusted root (permitted subtree violation)");
	/* Without the name in the subject the constraint is met, the alias is the other's all the same. */
	empty = X509_NAME_new();
	X509_set_subject_name(c.leaf, empty);
	X509_NAME_free(empty);
	sign_again(c.leaf, alias_key(&c));
	refused(&v, &c, c.device, "alias's certificate is for another partition");
	v.kind = HSM_DICE_LEAF_ALIAS;
	refused(&v, &c, c.device, "alias's certificate is for another partition");
	chain_free(&c);
	/* A leaf with no name of a partition */
	v.kind = HSM_DICE_LEAF_PARTITION;
	chain_make(&c, HSM_DICE_P384, 1, &good_tcb, test_partition);
	strip(c.leaf, NID_subject_alt_name);
	sign_again(c.leaf, alias_key(&c));
	refused(&v, &c, c.device, "that of another partition");
	chain_free(&c);
	(void)state;
}

static void test_swapped_key(void **state)
{
	struct verify v = { 0 };
	struct chain_fixture c;

	chain_make(&c, HSM_DICE_P384, 1, &good_tcb, test_partition);
	X509_set_pubkey(c.leaf, alias_key(&c));
	refused(&v, &c, c.device, "no trusted root");
	chain_free(&c);
	chain_make(&c, HSM_DICE_P384, 1, &good_tcb, test_partition);
	X509_set_pubkey(c.alias, c.identity_key);
	refused(&v, &c, c.device, "no trusted root");
	chain_free(&c);
	(void)state;
}

static void test_ca_as_partition(void **state)
{
	struct verify v = { 0 };
	struct chain_fixture c;

	chain_make(&c, HSM_DICE_P384, 1, &good_tcb, test_partition);
	strip(c.leaf, NID_basic_constraints);
	strip(c.leaf, NID_key_usage);
	add_extension(c.leaf, NID_basic_constraints, "critical,CA:TRUE");
	sign_again(c.leaf, alias_key(&c));
	refused(&v, &c, c.device, "that of a CA");
	chain_free(&c);
	(void)state;
}

static void test_request(void **state)
{
	const struct hsm_dice_device device = { .board_id = { 1 }, .serial = "S1" };
	const uint8_t secret[HSM_CDI_SIZE] = { 1 };
	struct hsm_dice_keys keys;
	STACK_OF(X509_EXTENSION) * list;
	X509_REQ *request;

	assert_int_equal(hsm_dice_keys_derive(NULL, secret, &keys), 0);
	for (int i = 0; i < HSM_DICE_ALGORITHMS; i++) {
		if (!keys.key[i])
			continue;
		request = hsm_dice_device_request(NULL, &device, keys.key[i]);
		assert_non_null(request);
		assert_int_equal(X509_REQ_verify(request, keys.key[i]), 1);
		list = X509_REQ_get_extensions(request);
		assert_int_equal(sk_X509_EXTENSION_num(list), 2);
		sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
		X509_REQ_free(request);
	}
	hsm_dice_keys_free(&keys);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_p384_known),	cmocka_unit_test(test_keys_differ),
		cmocka_unit_test(test_derive_differs),	cmocka_unit_test(test_tcb_round_trip),
		cmocka_unit_test(test_tcb_damaged),	cmocka_unit_test(test_tcb_form),
		cmocka_unit_test(test_lifecycle_names), cmocka_unit_test(test_good),
		cmocka_unit_test(test_policy),		cmocka_unit_test(test_open_device),
		cmocka_unit_test(test_other_board),	cmocka_unit_test(test_no_tcb_info),
		cmocka_unit_test(test_forged_tcb_info), cmocka_unit_test(test_child_of_alias),
		cmocka_unit_test(test_path_length),	cmocka_unit_test(test_neighbour),
		cmocka_unit_test(test_swapped_key),	cmocka_unit_test(test_ca_as_partition),
		cmocka_unit_test(test_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
