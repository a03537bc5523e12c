// SPDX-License-Identifier: Apache-2.0
/*
 * Elliptic curves as PKCS#11 names them (CKA_EC_PARAMS: an OID, or for newer curves a printable name) and how their public
 * values are written.
 */
#include <string.h>
#include "mech_private.h"

#define ASN1_OCTET_STRING     0x04
#define ASN1_PRINTABLE_STRING 0x13

#define ASN1_OID 0x06

/* clang-format off */
#define CURVE(group, text, type, bits, size, approved, ...) \
	{ group, text, type, bits, size, approved, sizeof((const uint8_t[]){ __VA_ARGS__ }), { __VA_ARGS__ } }
#define SECG(group, bits, size, approved, last) \
	CURVE(group, group, CKK_EC, bits, size, approved, ASN1_OID, 5, 0x2b, 0x81, 0x04, 0x00, last)
#define BRAINPOOL(group, bits, last) \
	CURVE(group, group, CKK_EC, bits, bits / 8, false, ASN1_OID, 9, 0x2b, 0x24, 3, 3, 2, 8, 1, 1, last)
#define RFC8410(group, text, type, bits, size, approved, last) \
	CURVE(group, text, type, bits, size, approved, ASN1_OID, 3, 0x2b, 0x65, last)

/* Approved: SP 800-186, with P-521 by its name of SEC 2; brainpool and secp256k1 are none of the curves for government. */
static const struct mech_curve curves[] = {
	CURVE("prime256v1", "secp256r1", CKK_EC, 256, 32, true,
	      ASN1_OID, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07),
	SECG("secp384r1", 384, 48, true, 34),
	SECG("secp521r1", 521, 66, true, 35),
	SECG("secp224r1", 224, 28, true, 33),
	SECG("secp256k1", 256, 32, false, 10),
	BRAINPOOL("brainpoolP224r1", 224, 5),
	BRAINPOOL("brainpoolP224t1", 224, 6),
	BRAINPOOL("brainpoolP256r1", 256, 7),
	BRAINPOOL("brainpoolP256t1", 256, 8),
	BRAINPOOL("brainpoolP320r1", 320, 9),
	BRAINPOOL("brainpoolP320t1", 320, 10),
	BRAINPOOL("brainpoolP384r1", 384, 11),
	BRAINPOOL("brainpoolP384t1", 384, 12),
	BRAINPOOL("brainpoolP512r1", 512, 13),
	BRAINPOOL("brainpoolP512t1", 512, 14),
	RFC8410("ED25519", "edwards25519", CKK_EC_EDWARDS, 255, 32, true, 112),
	RFC8410("ED448", "edwards448", CKK_EC_EDWARDS, 448, 57, true, 113),
	RFC8410("X25519", "curve25519", CKK_EC_MONTGOMERY, 255, 32, false, 110),
	RFC8410("X448", "curve448", CKK_EC_MONTGOMERY, 448, 56, false, 111),
};
/* clang-format on */

#define CURVES (sizeof(curves) / sizeof(curves[0]))

static bool is_printable(const uint8_t *params, size_t length)
{
	return length > 2 && params[0] == ASN1_PRINTABLE_STRING && params[1] == length - 2;
}

static bool has_name(const char *name, const uint8_t *params, size_t length)
{
	return is_printable(params, length) && strlen(name) == length - 2 &&
	       !memcmp(params + 2, name, length - 2);
}

/* By its OID, by the name of RFC 7748, RFC 8032, SEC 2 or RFC 5639, or by that of X9.62 (P-256) */
static bool names_curve(const struct mech_curve *curve, const uint8_t *params, size_t length)
{
	if (length == curve->oid_length && !memcmp(params, curve->oid, length))
		return true;
	return has_name(curve->curve_name, params, length) ||
	       (curve->type == CKK_EC && has_name(curve->name, params, length));
}

CK_RV mech_curve_check(uint64_t type, const uint8_t *params, size_t length)
{
	if (mech_curve_find(type, params, length))
		return CKR_OK;
	if (is_printable(params, length) ||
	    (length > 2 && params[0] == ASN1_OID && params[1] == length - 2))
		return CKR_CURVE_NOT_SUPPORTED;
	/* implicitlyCA, and parameters written out, among which there are curves made to be weak */
	return CKR_DOMAIN_PARAMS_INVALID;
}

const struct mech_curve *mech_curve_find(uint64_t type, const uint8_t *params, size_t length)
{
	for (size_t i = 0; i < CURVES; i++) {
		if (curves[i].type == type && names_curve(&curves[i], params, length))
			return &curves[i];
	}
	return NULL;
}

const struct mech_curve *mech_curve_of(const struct attributes *attributes)
{
	const struct attribute *params = attributes_find(attributes, CKA_EC_PARAMS);
	uint64_t type = attributes_ulong(attributes, CKA_KEY_TYPE, UINT64_MAX);

	return params && params->length ? mech_curve_find(type, params->value, params->length)
					: NULL;
}

const struct mech_curve *mech_curve_of_pkey(EVP_PKEY *pkey)
{
	char group[32];
	size_t i;

	for (i = 0; i < CURVES; i++) {
		if (curves[i].type != CKK_EC && EVP_PKEY_is_a(pkey, curves[i].name))
			return &curves[i];
	}
	if (!EVP_PKEY_is_a(pkey, "EC") ||
	    !EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL))
		return NULL;
	for (i = 0; i < CURVES; i++) {
		if (curves[i].type == CKK_EC && !strcmp(group, curves[i].name))
			return &curves[i];
	}
	return NULL;
}

/* DER of an OCTET STRING that is all of the data: its contents */
static const uint8_t *octet_string(const uint8_t *data, size_t length, size_t *inner)
{
	size_t head = 2;

	if (length < 2 || data[0] != ASN1_OCTET_STRING)
		return NULL;
	*inner = data[1];
	if (data[1] == 0x81 && length > 2) {
		*inner = data[2];
		head = 3;
		if (*inner < 0x80)
			return NULL;
	} else if (data[1] >= 0x80) {
		return NULL;
	}
	return *inner && length - head == *inner ? data + head : NULL;
}

/* By its length first: the raw point of P-256 also begins with 04. */
static bool is_point(const struct mech_curve *curve, const uint8_t *data, size_t length)
{
	if (curve->type != CKK_EC)
		return length == curve->size;
	if (length == 2 * (size_t)curve->size + 1)
		return data[0] == 4;
	return length == (size_t)curve->size + 1 && (data[0] == 2 || data[0] == 3);
}

const uint8_t *mech_curve_point(const struct mech_curve *curve, const uint8_t *data, size_t length,
				size_t *point_length)
{
	const uint8_t *inner;

	*point_length = length;
	if (is_point(curve, data, length))
		return data;
	inner = octet_string(data, length, point_length);
	return inner && is_point(curve, inner, *point_length) ? inner : NULL;
}
