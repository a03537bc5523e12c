// SPDX-License-Identifier: Apache-2.0
/*
 * Wycheproof's forms of key agreement: points in DER, PEM, JSON web keys and as they are. The
 * token takes points; what is around them is read here, and a fault in it left out.
 */
#include "wycheproof.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#define IN_ENCODING "the fault is in the encoding around the key, which PKCS#11 does not carry"

struct context {
	const struct row *row;
	const struct curve *curve;
	const char *encoding;
	CK_OBJECT_HANDLE key;
	struct buffer *last; /* private key of the handle */
};

static struct bytes pem_bytes(const char *text, const char *name)
{
	BIO *bio = BIO_new_mem_buf(text, -1);
	char *found = NULL, *header = NULL;
	unsigned char *data = NULL;
	struct bytes bytes = { NULL, 0 };
	long length = 0;

	if (bio && PEM_read_bio(bio, &found, &header, &data, &length) == 1 && !strcmp(found, name))
		bytes = keep((struct bytes){ data, (size_t)length });
	OPENSSL_free(found);
	OPENSSL_free(header);
	OPENSSL_free(data);
	BIO_free(bio);
	return bytes;
}

/*
 * The point of a SubjectPublicKeyInfo of the curve, in canonical DER; libcrypto is not asked
 * whether it lies on the curve.
 */
static struct bytes spki_point(const struct curve *curve, struct bytes der)
{
	const unsigned char *at = der.data, *point = NULL;
	X509_PUBKEY *key = d2i_X509_PUBKEY(NULL, &at, (long)der.length);
	unsigned char *again = NULL;
	int length = key ? i2d_X509_PUBKEY(key, &again) : 0, size = 0, type = 0;
	struct bytes bytes = { NULL, 0 };
	ASN1_OBJECT *algorithm = NULL;
	X509_ALGOR *parameters = NULL;
	const void *value = NULL;
	const ASN1_OBJECT *name = NULL;

	if (length > 0 && (size_t)length == der.length && !memcmp(again, der.data, der.length) &&
	    X509_PUBKEY_get0_param(&algorithm, &point, &size, &parameters, key) == 1) {
		X509_ALGOR_get0(&name, &type, &value, parameters);
		if (OBJ_obj2nid(name) == NID_X9_62_id_ecPublicKey)
			name = type == V_ASN1_OBJECT ? value : NULL;
		if (name && OBJ_obj2nid(name) == OBJ_txt2nid(curve->evp))
			bytes = keep((struct bytes){ point, (size_t)size });
	}
	OPENSSL_free(again);
	X509_PUBKEY_free(key);
	return bytes;
}

static struct bytes pkcs8_private(struct bytes der)
{
	const unsigned char *at = der.data;
	EVP_PKEY *pkey = d2i_AutoPrivateKey(NULL, &at, (long)der.length);
	unsigned char raw[80];
	size_t length = sizeof(raw);
	BIGNUM *value = NULL;
	struct bytes bytes = { NULL, 0 };

	if (pkey && EVP_PKEY_get_raw_private_key(pkey, raw, &length) == 1)
		bytes = keep((struct bytes){ raw, length });
	else if (pkey && EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_PRIV_KEY, &value) == 1)
		bytes = keep((struct bytes){ raw, (size_t)BN_bn2binpad(value, raw, 66) });
	BN_clear_free(value);
	EVP_PKEY_free(pkey);
	return bytes;
}

/* A point of a JSON web key: of the curve, coordinates of full length */
static struct bytes jwk_point(const struct curve *curve, json_object *jwk)
{
	const char *name = json_text(jwk, "crv"), *kty = json_text(jwk, "kty");
	struct bytes x = json_base64url(jwk, "x"), y = json_base64url(jwk, "y");
	size_t size = (curve->bits + 7) / 8;
	uint8_t point[140] = { 4 };
	const struct curve *given = curve_named(name);

	if (name && !strcmp(name, "X25519"))
		given = curve_named("curve25519");
	if (name && !strcmp(name, "X448"))
		given = curve_named("curve448");
	kty = given && kty && !strcmp(kty, json_text(jwk, "y") ? "EC" : "OKP") ? kty : NULL;
	if (given != curve || x.length != size || !kty)
		return (struct bytes){ NULL, 0 };
	if (!json_text(jwk, "y"))
		return x;
	if (y.length != size)
		return (struct bytes){ NULL, 0 };
	memcpy(point + 1, x.data, size);
	memcpy(point + 1 + size, y.data, size);
	return keep((struct bytes){ point, 1 + 2 * size });
}

static struct bytes public_point(const struct context *c, json_object *test)
{
	if (!strcmp(c->encoding, "asn"))
		return spki_point(c->curve, json_hex(test, "public"));
	if (!strcmp(c->encoding, "pem"))
		return spki_point(c->curve, pem_bytes(json_text(test, "public"), "PUBLIC KEY"));
	if (!strcmp(c->encoding, "webcrypto"))
		return jwk_point(c->curve, json_member(test, "public"));
	return json_hex(test, "public");
}

static struct bytes private_value(const struct context *c, json_object *test)
{
	bool montgomery = c->row->key_type == CKK_EC_MONTGOMERY;

	if (!strcmp(c->encoding, "pem"))
		return pkcs8_private(pem_bytes(json_text(test, "private"), "PRIVATE KEY"));
	if (!strcmp(c->encoding, "webcrypto"))
		return json_base64url(json_member(test, "private"), "d");
	if (!strcmp(c->encoding, "asn") && montgomery)
		return pkcs8_private(json_hex(test, "private"));
	return json_hex(test, "private");
}

/* Tests that follow each other often have one private key. */
static CK_RV use_private(struct context *c, struct bytes value)
{
	CK_RV rv;

	if (c->key && same(of(c->last), value))
		return CKR_OK;
	token_destroy(c->key);
	rv = key_ec_private(c->row->key_type, curve_oid(c->curve), value, &c->key);
	memcpy(c->last->data, value.data, value.length);
	c->last->length = value.length;
	return rv;
}

static void agreement(struct report *r, json_object *test, enum expect expect, void *context)
{
	struct context *c = context;
	struct bytes point = public_point(c, test), value = private_value(c, test);
	bool raw = !strcmp(c->encoding, "ecpoint") || !strcmp(c->encoding, "raw");
	CK_RV rv;

	if (!value.length || (!raw && !point.length)) {
		if (expect == EXACT)
			report_vector(r, false, "encoding", 0);
		else
			report_left_out(r, IN_ENCODING);
		return;
	}
	rv = use_private(c, value);
	if (rv != CKR_OK) {
		report_vector(r, expect == REFUSED, "private key", rv);
		return;
	}
	check_ecdh(r, CKM_ECDH1_DERIVE, c->key, point, json_hex(test, "shared"), expect);
}

static void no_curve(struct report *r, json_object *test, enum expect expect, void *context)
{
	(void)test;
	(void)expect;
	(void)context;
	report_left_out(r, NO_SUCH_CURVE);
}

static struct buffer last;

static void agreement_group(struct report *r, const struct row *row, json_object *group,
			    const char *encoding)
{
	const char *name = json_text(group, "curve");
	bool montgomery = row->key_type == CKK_EC_MONTGOMERY;
	struct context c = { row, montgomery ? curve_named(name) : curve_offered(name), encoding, 0,
			     &last };

	if (c.curve)
		each_test(r, group, agreement, &c);
	else
		each_test(r, group, no_curve, NULL);
	token_destroy(c.key);
}

void group_ecdh(struct report *r, const struct row *row, json_object *group)
{
	agreement_group(r, row, group, json_text(group, "encoding"));
}

/* The encoding is in the file's name alone. */
void group_xdh(struct report *r, const struct row *row, json_object *group)
{
	const char *encoding = "raw";

	if (strstr(r->file, "_asn_"))
		encoding = "asn";
	else if (strstr(r->file, "_pem_"))
		encoding = "pem";
	else if (strstr(r->file, "_jwk_"))
		encoding = "webcrypto";
	agreement_group(r, row, group, encoding);
}
