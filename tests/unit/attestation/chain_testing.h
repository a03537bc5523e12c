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
#include <errno.h>
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
						 partition, NULL);
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

/* The same bytes read anew: libcrypto keeps what it has found out about a certificate, also when that changes. */
MAYBE_UNUSED static void read_again(X509 **cert)
{
	uint8_t *der = NULL;
	const uint8_t *at;
	int length = i2d_X509(*cert, &der);

	assert_true(length > 0);
	at = der;
	X509_free(*cert);
	*cert = d2i_X509(NULL, &at, length);
	assert_non_null(*cert);
	OPENSSL_free(der);
}

/* Have the vendor certify a device: another issuer's name and signature, no authority key id */
MAYBE_UNUSED static void certify_device(struct chain_fixture *c, X509 *ca, EVP_PKEY *ca_key)
{
	if (X509_get_ext_by_NID(c->device, NID_authority_key_identifier, -1) >= 0)
		strip(c->device, NID_authority_key_identifier);
	assert_int_equal(X509_set_issuer_name(c->device, X509_get_subject_name(ca)), 1);
	sign_again(c->device, ca_key);
	read_again(&c->device);
}

/* ---- the check ---- */

struct verify {
	struct hsm_trust_policy policy;
	enum hsm_dice_leaf kind;
	struct hsm_dice_facts facts;
	char reason[HSM_DICE_REASON_MAX];
};

/* Verify @leaf with @more (ended by NULL) at hand; @root is what is believed. */
MAYBE_UNUSED static int verify(struct verify *v, X509 *root, X509 *leaf, X509 *const *more)
{
	STACK_OF(X509) *others = sk_X509_new_null();
	int ret;

	v->policy.roots = hsm_dice_store();
	X509_STORE_add_cert(v->policy.roots, root);
	for (; *more; more++)
		sk_X509_push(others, *more);
	ret = hsm_dice_verify(NULL, &v->policy, v->kind, leaf, others, test_partition, &v->facts,
			      v->reason);
	sk_X509_free(others);
	X509_STORE_free(v->policy.roots);
	return ret;
}

MAYBE_UNUSED static int verify_chain(struct verify *v, struct chain_fixture *c, X509 *root)
{
	X509 *const more[] = { c->alias, c->device, NULL };

	return verify(v, root, v->kind == HSM_DICE_LEAF_ALIAS ? c->alias : c->leaf, more);
}

/* It is refused, and the reason has @words. */
#define refused(v, c, root, words)                                                   \
	do {                                                                         \
		assert_int_equal(verify_chain(v, c, root), -EKEYREJECTED);           \
		if (!strstr((v)->reason, words))                                     \
			print_error("'%s' does not say '%s'\n", (v)->reason, words); \
		assert_non_null(strstr((v)->reason, words));                         \
	} while (0)

#endif /* CHAIN_TESTING_H */
