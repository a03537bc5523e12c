// SPDX-License-Identifier: Apache-2.0
/*
 * Vectors of public-key mechanisms: keys from their numbers, signatures, decryption. Where a
 * digest has no mechanism of its own, libcrypto makes it and the raw mechanism is used.
 */
#include "vectors.h"

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

#define A(type, value)	   { (type), &(value), sizeof(value) }
#define YES(type)	   { (type), &yes, sizeof(yes) }
#define NO(type)	   { (type), &no, sizeof(no) }
#define BYTES(type, value) { (type), (void *)(value).data, (value).length }

static struct buffer digest, encoded;

/* ---- keys ---- */

static CK_OBJECT_CLASS public_class = CKO_PUBLIC_KEY, private_class = CKO_PRIVATE_KEY;
static CK_KEY_TYPE rsa_type = CKK_RSA;

CK_RV key_rsa_public(struct bytes n, struct bytes e, CK_OBJECT_HANDLE *key)
{
	struct bytes modulus = number(n), exponent = number(e);
	CK_ATTRIBUTE attributes[] = {
		A(CKA_CLASS, public_class),
		A(CKA_KEY_TYPE, rsa_type),
		NO(CKA_TOKEN),
		YES(CKA_VERIFY),
		YES(CKA_ENCRYPT),
		BYTES(CKA_MODULUS, modulus),
		BYTES(CKA_PUBLIC_EXPONENT, exponent),
	};

	*key = 0;
	return token_object(attributes, COUNT(attributes), key);
}

bool small_exponent(struct bytes e, CK_RV rv)
{
	return rv == CKR_ATTRIBUTE_VALUE_INVALID && number(e).length < 3;
}

CK_RV key_rsa_private(const struct rsa_private *rsa, CK_OBJECT_HANDLE *key)
{
	struct bytes part[] = { number(rsa->n), number(rsa->e),	 number(rsa->d),  number(rsa->p),
				number(rsa->q), number(rsa->dp), number(rsa->dq), number(rsa->qi) };
	CK_ATTRIBUTE attributes[] = {
		A(CKA_CLASS, private_class),
		A(CKA_KEY_TYPE, rsa_type),
		NO(CKA_TOKEN),
		NO(CKA_SENSITIVE),
		YES(CKA_SIGN),
		YES(CKA_DECRYPT),
		BYTES(CKA_MODULUS, part[0]),
		BYTES(CKA_PUBLIC_EXPONENT, part[1]),
		BYTES(CKA_PRIVATE_EXPONENT, part[2]),
		BYTES(CKA_PRIME_1, part[3]),
		BYTES(CKA_PRIME_2, part[4]),
		BYTES(CKA_EXPONENT_1, part[5]),
		BYTES(CKA_EXPONENT_2, part[6]),
		BYTES(CKA_COEFFICIENT, part[7]),
	};
	/* Without the primes: the three numbers that a key must have */
	CK_ULONG count = rsa->p.length ? COUNT(attributes) : COUNT(attributes) - 5;

	*key = 0;
	return token_object(attributes, count, key);
}

/* EC points in the DER OCTET STRING that the standard has for them, others as they are */
CK_RV key_ec_public(CK_KEY_TYPE type, struct bytes oid, struct bytes point, CK_OBJECT_HANDLE *key)
{
	uint8_t der[256];
	size_t head = 0;
	CK_ATTRIBUTE attributes[] = {
		A(CKA_CLASS, public_class),
		A(CKA_KEY_TYPE, type),
		NO(CKA_TOKEN),
		YES(CKA_VERIFY),
		BYTES(CKA_EC_PARAMS, oid),
		{ CKA_EC_POINT, der, 0 },
	};

	*key = 0;
	if (point.length > 0xff || point.length + 3 > sizeof(der))
		return CKR_ARGUMENTS_BAD;
	if (type == CKK_EC) {
		der[head++] = 4;
		if (point.length > 0x7f)
			der[head++] = 0x81;
		der[head++] = (uint8_t)point.length;
	}
	if (point.length)
		memcpy(der + head, point.data, point.length);
	attributes[5].ulValueLen = head + point.length;
	return token_object(attributes, COUNT(attributes), key);
}

CK_RV key_ec_private(CK_KEY_TYPE type, struct bytes oid, struct bytes value, CK_OBJECT_HANDLE *key)
{
	struct bytes scalar = type == CKK_EC ? number(value) : value;
	CK_ATTRIBUTE attributes[] = {
		A(CKA_CLASS, private_class), A(CKA_KEY_TYPE, type), NO(CKA_TOKEN),
		NO(CKA_SENSITIVE),	     YES(CKA_EXTRACTABLE),  BYTES(CKA_EC_PARAMS, oid),
		BYTES(CKA_VALUE, scalar),    YES(CKA_DERIVE),
	};

	if (type == CKK_EC_EDWARDS)
		attributes[7].type = CKA_SIGN;
	*key = 0;
	return token_object(attributes, COUNT(attributes), key);
}

/* ---- signatures ---- */

void check_verify(struct report *r, CK_MECHANISM *m, CK_OBJECT_HANDLE key, struct bytes text,
		  struct bytes signature, enum expect expect)
{
	CK_RV rv = token_verify(m, key, text, signature);
	bool refusal = rv == CKR_SIGNATURE_INVALID || rv == CKR_SIGNATURE_LEN_RANGE;

	if (expect == REFUSED)
		report_vector(r, refusal, "verify", rv);
	else
		report_vector(r, rv == CKR_OK || (expect == EITHER && refusal), "verify", rv);
}

void check_ecdsa(struct report *r, const char *hash, CK_OBJECT_HANDLE key, struct bytes text,
		 struct bytes signature, enum expect expect)
{
	const struct hash *h = hash_named(hash);
	CK_MECHANISM m = { h ? h->ecdsa : ABSENT_MECHANISM, NULL, 0 };

	if (token_has(m.mechanism, CKF_VERIFY)) {
		check_verify(r, &m, key, text, signature, expect);
		return;
	}
	if (!hash_compute(hash, text, &digest)) {
		report_left_out(r, "libcrypto has no such digest");
		return;
	}
	m.mechanism = CKM_ECDSA;
	check_verify(r, &m, key, of(&digest), signature, expect);
}

static void place(struct buffer *to, size_t at, size_t room, struct bytes value)
{
	memset(to->data + at, 0, room);
	memcpy(to->data + at + room - value.length, value.data, value.length);
}

bool ecdsa_signature(const struct curve *curve, struct bytes r, struct bytes s, struct buffer *to)
{
	size_t size = (curve->bits + 7) / 8;

	r = number(r);
	s = number(s);
	if (!r.length || !s.length || r.length > size || s.length > size)
		return false;
	place(to, 0, size, r);
	place(to, size, size, s);
	to->length = 2 * size;
	return true;
}

/* DigestInfo of the two that have no mechanism: the OIDs 2.16.840.1.101.3.4.2.5 and .6 */
static bool digest_info(const char *hash, struct bytes text, struct buffer *to)
{
	static const uint8_t oid[] = {
		0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 0 /* last arc */, 5, 0, 4
	};
	const struct hash *h = hash_named(hash);
	uint8_t arc = h && !strcmp(h->name, "SHA-512/224") ? 5 : 6;

	if (!h || !hash_compute(hash, text, &digest))
		return false;
	to->data[0] = 0x30;
	to->data[1] = (uint8_t)(sizeof(oid) + 1 + h->size);
	memcpy(to->data + 2, oid, sizeof(oid));
	to->data[2 + 12] = arc;
	to->data[2 + sizeof(oid)] = (uint8_t)h->size;
	memcpy(to->data + 3 + sizeof(oid), digest.data, digest.length);
	to->length = 3 + sizeof(oid) + digest.length;
	return true;
}

void check_rsa_pkcs(struct report *r, const char *hash, CK_OBJECT_HANDLE key, struct bytes text,
		    struct bytes signature, enum expect expect)
{
	const struct hash *h = hash_named(hash);
	CK_MECHANISM m = { h ? h->pkcs : ABSENT_MECHANISM, NULL, 0 };

	if (token_has(m.mechanism, CKF_VERIFY)) {
		check_verify(r, &m, key, text, signature, expect);
		return;
	}
	if (!digest_info(hash, text, &encoded)) {
		report_left_out(r, "libcrypto has no such digest");
		return;
	}
	m.mechanism = CKM_RSA_PKCS;
	check_verify(r, &m, key, of(&encoded), signature, expect);
}

void check_rsa_pss(struct report *r, const char *hash, const char *mgf, unsigned long salt,
		   CK_OBJECT_HANDLE key, struct bytes text, struct bytes signature,
		   enum expect expect)
{
	const struct hash *h = hash_named(hash), *g = hash_named(mgf);
	CK_RSA_PKCS_PSS_PARAMS params = { 0, 0, salt };
	CK_MECHANISM m = { ABSENT_MECHANISM, &params, sizeof(params) };

	if (!h || !g || !g->mgf) {
		report_left_out(r, "the standard has no mask generation with this digest");
		return;
	}
	params.hashAlg = h->digest;
	params.mgf = g->mgf;
	m.mechanism = h->pss;
	if (token_has(m.mechanism, CKF_VERIFY)) {
		check_verify(r, &m, key, text, signature, expect);
		return;
	}
	hash_compute(hash, text, &digest);
	m.mechanism = CKM_RSA_PKCS_PSS;
	check_verify(r, &m, key, of(&digest), signature, expect);
}

/* ---- decryption ---- */

bool oaep_parameter(CK_RSA_PKCS_OAEP_PARAMS *params, const char *hash, const char *mgf,
		    struct bytes label)
{
	const struct hash *h = hash_named(hash), *g = hash_named(mgf);

	if (!h || !g || !g->mgf || h->digest == ABSENT_MECHANISM)
		return false;
	*params = (CK_RSA_PKCS_OAEP_PARAMS){ h->digest, g->mgf, CKZ_DATA_SPECIFIED,
					     label.length ? (void *)label.data : NULL,
					     label.length };
	return true;
}

/*
 * Padding of version 1.5 is refused implicitly: a wrong one gives some other text, so that what
 * an attacker sees is the same for each.
 */
void check_rsa_decrypt(struct report *r, CK_MECHANISM *m, CK_OBJECT_HANDLE key, struct bytes cipher,
		       struct bytes text, enum expect expect)
{
	CK_RV rv = token_decrypt(m, key, cipher, &encoded);
	bool equal = rv == CKR_OK && same(of(&encoded), text);

	if (expect == EXACT)
		report_vector(r, equal, "decrypt", rv);
	else if (expect == REFUSED && m->mechanism == CKM_RSA_PKCS)
		report_vector(r, !equal, "decrypt", rv);
	else
		report_vector(r, rv != CKR_OK || (expect == EITHER && equal), "decrypt", rv);
}
