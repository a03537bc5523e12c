// SPDX-License-Identifier: Apache-2.0
/*
 * Wycheproof's forms of signatures and of decryption with RSA. The key is that of a group.
 */
#include "wycheproof.h"

#include <openssl/bn.h>
#include <openssl/ec.h>

struct context {
	json_object *group;
	const struct curve *curve;
	CK_OBJECT_HANDLE key;
	CK_MECHANISM *mechanism;
};

static void wrong_key(struct report *r, json_object *test, enum expect expect, void *context)
{
	CK_RV rv = *(CK_RV *)context;

	(void)test;
	if (rv == CKR_CURVE_NOT_SUPPORTED)
		report_left_out(r, NO_SUCH_CURVE);
	else
		report_vector(r, expect == REFUSED, "key", rv);
}

/* ---- ECDSA ---- */

/* PKCS#11 lets r and s be shorter than the order, in halves of one length; the publisher does not. */
static void p1363(struct report *r, json_object *test, enum expect expect, void *context)
{
	struct context *c = context;
	struct bytes signature = json_hex(test, "sig");

	if (expect == REFUSED && signature.length && signature.length % 2 == 0 &&
	    signature.length < 2 * ((c->curve->bits + 7) / 8)) {
		report_left_out(r, "r and s are shorter than the order, which PKCS#11 allows");
		return;
	}
	check_ecdsa(r, json_text(c->group, "sha"), c->key, json_hex(test, "msg"), signature,
		    expect);
}

/* PKCS#11 has r and s as they are: of a DER signature they are taken out, when it is one. */
static bool from_der(const struct curve *curve, struct bytes der, struct buffer *to,
		     const char **why)
{
	const unsigned char *at = der.data;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)der.length);
	unsigned char r[80], s[80], *again = NULL;
	int length = sig ? i2d_ECDSA_SIG(sig, &again) : 0;
	bool good = length > 0 && (size_t)length == der.length &&
		    !memcmp(again, der.data, der.length);

	*why = "the fault is in the DER encoding, which PKCS#11 signatures do not have";
	if (good) {
		*why = "r or s is negative or longer than the order: PKCS#11 signatures have no room";
		good = !BN_is_negative(ECDSA_SIG_get0_r(sig)) &&
		       !BN_is_negative(ECDSA_SIG_get0_s(sig)) &&
		       BN_bn2binpad(ECDSA_SIG_get0_r(sig), r, sizeof(r)) > 0 &&
		       BN_bn2binpad(ECDSA_SIG_get0_s(sig), s, sizeof(s)) > 0 &&
		       ecdsa_signature(curve, (struct bytes){ r, sizeof(r) },
				       (struct bytes){ s, sizeof(s) }, to);
	}
	OPENSSL_free(again);
	ECDSA_SIG_free(sig);
	return good;
}

static struct buffer plain;

static void der(struct report *r, json_object *test, enum expect expect, void *context)
{
	struct context *c = context;
	const char *why;

	if (!from_der(c->curve, json_hex(test, "sig"), &plain, &why)) {
		report_left_out(r, why);
		return;
	}
	check_ecdsa(r, json_text(c->group, "sha"), c->key, json_hex(test, "msg"), of(&plain),
		    expect);
}

static void ecdsa_group(struct report *r, json_object *group,
			void (*use)(struct report *, json_object *, enum expect, void *))
{
	json_object *key = json_member(group, "publicKey");
	struct context c = { group, curve_offered(json_text(key, "curve")), 0, NULL };
	CK_RV rv = CKR_CURVE_NOT_SUPPORTED;

	if (c.curve)
		rv = key_ec_public(CKK_EC, curve_oid(c.curve), json_hex(key, "uncompressed"),
				   &c.key);
	if (rv != CKR_OK)
		each_test(r, group, wrong_key, &rv);
	else
		each_test(r, group, use, &c);
	token_destroy(c.key);
}

void group_ecdsa(struct report *r, const struct row *row, json_object *group)
{
	(void)row;
	ecdsa_group(r, group, der);
}

void group_ecdsa_p1363(struct report *r, const struct row *row, json_object *group)
{
	(void)row;
	ecdsa_group(r, group, p1363);
}

/* ---- signatures by one mechanism ---- */

static void eddsa(struct report *r, json_object *test, enum expect expect, void *context)
{
	struct context *c = context;

	check_verify(r, c->mechanism, c->key, json_hex(test, "msg"), json_hex(test, "sig"), expect);
}

void group_eddsa(struct report *r, const struct row *row, json_object *group)
{
	json_object *key = json_member(group, "publicKey");
	CK_MECHANISM m = { row->type, NULL, 0 };
	struct context c = { group, curve_named(json_text(key, "curve")), 0, &m };
	CK_RV rv = CKR_CURVE_NOT_SUPPORTED;

	if (c.curve)
		rv = key_ec_public(CKK_EC_EDWARDS, curve_oid(c.curve), json_hex(key, "pk"), &c.key);
	if (rv != CKR_OK)
		each_test(r, group, wrong_key, &rv);
	else
		each_test(r, group, eddsa, &c);
	token_destroy(c.key);
}

static void rsa_pkcs(struct report *r, json_object *test, enum expect expect, void *context)
{
	struct context *c = context;

	check_rsa_pkcs(r, json_text(c->group, "sha"), c->key, json_hex(test, "msg"),
		       json_hex(test, "sig"), expect);
}

static void rsa_pss(struct report *r, json_object *test, enum expect expect, void *context)
{
	struct context *c = context;

	check_rsa_pss(r, json_text(c->group, "sha"), json_text(c->group, "mgfSha"),
		      json_number(c->group, "sLen"), c->key, json_hex(test, "msg"),
		      json_hex(test, "sig"), expect);
}

static void small_key(struct report *r, json_object *test, enum expect expect, void *context)
{
	(void)test;
	(void)expect;
	(void)context;
	report_left_out(r, "the size of the RSA key is not one of the token's");
}

static void weak_exponent(struct report *r, json_object *test, enum expect expect, void *context)
{
	(void)test;
	(void)expect;
	(void)context;
	report_left_out(r, SMALL_EXPONENT);
}

static bool rsa_size(json_object *group, CK_MECHANISM_TYPE type)
{
	unsigned long bits = json_number(group, "keySize");

	return bits >= token_min_key(type) && bits <= token_max_key(type);
}

static void rsa_verify_group(struct report *r, const struct row *row, json_object *group,
			     void (*use)(struct report *, json_object *, enum expect, void *))
{
	json_object *key = json_member(group, "publicKey");
	struct context c = { group, NULL, 0, NULL };
	struct bytes e;
	CK_RV rv;

	if (!rsa_size(group, row->type)) {
		each_test(r, group, small_key, NULL);
		return;
	}
	e = json_hex(key, "publicExponent");
	rv = key_rsa_public(json_hex(key, "modulus"), e, &c.key);
	if (small_exponent(e, rv))
		each_test(r, group, weak_exponent, NULL);
	else if (rv != CKR_OK)
		each_test(r, group, wrong_key, &rv);
	else
		each_test(r, group, use, &c);
	token_destroy(c.key);
}

void group_rsa_pkcs(struct report *r, const struct row *row, json_object *group)
{
	rsa_verify_group(r, row, group, rsa_pkcs);
}

void group_rsa_pss(struct report *r, const struct row *row, json_object *group)
{
	rsa_verify_group(r, row, group, rsa_pss);
}

/* ---- decryption ---- */

static void oaep(struct report *r, json_object *test, enum expect expect, void *context)
{
	struct context *c = context;
	CK_RSA_PKCS_OAEP_PARAMS params;
	CK_MECHANISM m = { CKM_RSA_PKCS_OAEP, &params, sizeof(params) };

	if (!oaep_parameter(&params, json_text(c->group, "sha"), json_text(c->group, "mgfSha"),
			    json_hex(test, "label"))) {
		report_left_out(r, "the standard has no mask generation with this digest");
		return;
	}
	check_rsa_decrypt(r, &m, c->key, json_hex(test, "ct"), json_hex(test, "msg"), expect);
}

static void pkcs1(struct report *r, json_object *test, enum expect expect, void *context)
{
	struct context *c = context;
	CK_MECHANISM m = { CKM_RSA_PKCS, NULL, 0 };

	check_rsa_decrypt(r, &m, c->key, json_hex(test, "ct"), json_hex(test, "msg"), expect);
}

static void three_primes(struct report *r, json_object *test, enum expect expect, void *context)
{
	(void)test;
	(void)expect;
	(void)context;
	report_left_out(
		r, "PKCS#11 has no attribute for a third prime, and the token asks for the primes");
}

/* The token checks a private key when it comes, which takes its time: it stays while it is the same. */
static CK_RV rsa_private(const struct rsa_private *rsa, CK_OBJECT_HANDLE *key)
{
	static CK_OBJECT_HANDLE last_key;
	static struct buffer last;
	CK_RV rv = CKR_OK;

	if (!last_key || !same(of(&last), rsa->n)) {
		token_destroy(last_key);
		rv = key_rsa_private(rsa, &last_key);
		memcpy(last.data, rsa->n.data, rsa->n.length);
		last.length = rsa->n.length;
	}
	*key = last_key;
	return rv;
}

static void rsa_decrypt_group(struct report *r, const struct row *row, json_object *group,
			      void (*use)(struct report *, json_object *, enum expect, void *))
{
	json_object *key = json_member(group, "privateKey");
	bool more = json_member(key, "otherPrimeInfos") != NULL;
	struct context c = { group, NULL, 0, NULL };
	struct rsa_private rsa = {
		.n = json_hex(key, "modulus"),
		.e = json_hex(key, "publicExponent"),
		.d = json_hex(key, "privateExponent"),
		.p = json_hex(key, "prime1"),
		.q = json_hex(key, "prime2"),
		.dp = json_hex(key, "exponent1"),
		.dq = json_hex(key, "exponent2"),
		.qi = json_hex(key, "coefficient"),
	};
	CK_RV rv;

	if (!rsa_size(group, row->type)) {
		each_test(r, group, small_key, NULL);
		return;
	}
	if (more)
		rsa.p.length = 0;
	rv = rsa_private(&rsa, &c.key);
	if (rv == CKR_OK)
		each_test(r, group, use, &c);
	else if (more && rv == CKR_TEMPLATE_INCOMPLETE)
		each_test(r, group, three_primes, NULL);
	else
		each_test(r, group, wrong_key, &rv);
}

void group_oaep(struct report *r, const struct row *row, json_object *group)
{
	rsa_decrypt_group(r, row, group, oaep);
}

void group_rsa_decrypt(struct report *r, const struct row *row, json_object *group)
{
	rsa_decrypt_group(r, row, group, pkcs1);
}
