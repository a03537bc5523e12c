/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DICE chains for tests: boards, aliases and identities made as the real ones, and certificates bent
 * afterwards. Included by one file of each test program.
 */
#ifndef CHAIN_TESTING_H
#define CHAIN_TESTING_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/x509v3.h>
#include <hsm/dice.h>

#define MAYBE_UNUSED __attribute__((unused))

static const uint8_t test_partition[HSM_DICE_ID_SIZE] = { 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5,
							  0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5,
							  0xa5, 0xa5, 0xa5, 0xa5 };
MAYBE_UNUSED static const uint8_t other_partition[HSM_DICE_ID_SIZE] = { 0xb6, 1, 2, 3 };

static const struct hsm_tcb_info good_tcb = {
	.vendor = "Integrated HSM",
	.model = "test",
	.version = "1.2.3",
	.security_version = 7,
	.function = 2,
	.measurement = { 0x4d, 0x45 },
	.lifecycle = HSM_LIFECYCLE_PRODUCTION,
	.rollback_protected = true,
};

/* One board with one function, and a partition's identity */
struct chain_fixture {
	enum hsm_dice_algorithm algorithm;
	struct hsm_dice_keys device_keys;
	struct hsm_dice_keys alias_keys;
	EVP_PKEY *identity_key;
	X509 *device;
	X509 *alias;
	X509 *leaf;
};

static EVP_PKEY *device_key(const struct chain_fixture *c)
{
	return c->device_keys.key[c->algorithm];
}

static EVP_PKEY *alias_key(const struct chain_fixture *c)
{
	return c->alias_keys.key[c->algorithm];
}

/* @board: whose secret; @function: whose alias. Return: false when libcrypto has no such algorithm. */
static bool chain_make(struct chain_fixture *c, enum hsm_dice_algorithm algorithm, uint8_t board,
		       const struct hsm_tcb_info *tcb, const uint8_t *partition)
{
	const uint8_t secret[HSM_CDI_SIZE] = { board };
	const struct hsm_dice_device device = { .board_id = { board }, .serial = "TEST" };
	uint8_t cdi[HSM_CDI_SIZE];

	memset(c, 0, sizeof(*c));
	c->algorithm = algorithm;
	assert_int_equal(hsm_dice_keys_derive(NULL, secret, &c->device_keys), 0);
	assert_int_equal(hsm_dice_derive(NULL, secret, "function", &tcb->function,
					 sizeof(tcb->function), cdi),
			 0);
	assert_int_equal(hsm_dice_keys_derive(NULL, cdi, &c->alias_keys), 0);
	if (!device_key(c)) {
		hsm_dice_keys_free(&c->device_keys);
		hsm_dice_keys_free(&c->alias_keys);
		return false;
	}
	c->identity_key = EVP_EC_gen("P-384");
	c->device = hsm_dice_device_certificate(NULL, &device, device_key(c));
	assert_non_null(c->device);
	c->alias = hsm_dice_alias_certificate(NULL, c->device, device_key(c), alias_key(c), tcb,
					      partition);
	assert_non_null(c->alias);
	c->leaf = hsm_dice_partition_certificate(NULL, c->alias, alias_key(c), c->identity_key,
						 partition);
	assert_non_null(c->leaf);
	return true;
}

static void chain_free(struct chain_fixture *c)
{
	hsm_dice_keys_free(&c->device_keys);
	hsm_dice_keys_free(&c->alias_keys);
	EVP_PKEY_free(c->identity_key);
	X509_free(c->device);
	X509_free(c->alias);
	X509_free(c->leaf);
}

static void sign_again(X509 *cert, EVP_PKEY *key)
{
	assert_true(X509_sign(cert, key, EVP_PKEY_is_a(key, "EC") ? EVP_sha384() : NULL) > 0);
}

/* Take an extension out; 0 for TCBInfo, which has no number */
MAYBE_UNUSED static void strip(X509 *cert, int nid)
{
	ASN1_OBJECT *oid = nid ? OBJ_nid2obj(nid) : OBJ_txt2obj(HSM_TCB_INFO_OID, 1);
	int at = X509_get_ext_by_OBJ(cert, oid, -1);

	assert_true(at >= 0);
	X509_EXTENSION_free(X509_delete_ext(cert, at));
	ASN1_OBJECT_free(oid);
}

MAYBE_UNUSED static void add_tcb(X509 *cert, const struct hsm_tcb_info *tcb)
{
	ASN1_OBJECT *oid = OBJ_txt2obj(HSM_TCB_INFO_OID, 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION *extension;
	uint8_t *der;
	int length = hsm_tcb_info_encode(tcb, &der);

	assert_true(length > 0);
	ASN1_OCTET_STRING_set(value, der, length);
	extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value);
	assert_int_equal(X509_add_ext(cert, extension, -1), 1);
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(oid);
	OPENSSL_free(der);
}

MAYBE_UNUSED static void add_extension(X509 *cert, int nid, const char *text)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, text);

	assert_non_null(extension);
	assert_int_equal(X509_add_ext(cert, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

/* A vendor's CA; @constraints as for basicConstraints */
MAYBE_UNUSED static X509 *make_ca(EVP_PKEY *key, const char *constraints)
{
	X509 *cert = X509_new();

	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
				   (const uint8_t *)"vendor", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509_set_pubkey(cert, key);
	add_extension(cert, NID_basic_constraints, constraints);
	add_extension(cert, NID_key_usage, "critical,keyCertSign");
	sign_again(cert, key);
	return cert;
}

/* Have the vendor certify a device: another issuer's name and signature, no authority key id */
MAYBE_UNUSED static void certify_device(struct chain_fixture *c, X509 *ca, EVP_PKEY *ca_key)
{
	strip(c->device, NID_authority_key_identifier);
	assert_int_equal(X509_set_issuer_name(c->device, X509_get_subject_name(ca)), 1);
	sign_again(c->device, ca_key);
}

#endif /* CHAIN_TESTING_H */
