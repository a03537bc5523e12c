// SPDX-License-Identifier: Apache-2.0
/*
 * Elliptic curves as PKCS#11 names them (CKA_EC_PARAMS: an OID, or for newer curves a printable name) and how their public
 * values are written.
 */
#include <string.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include "mech_private.h"

#define ASN1_OCTET_STRING     0x04
#define ASN1_PRINTABLE_STRING 0x13

static const struct mech_curve curves[] = {
	{ "P-256",
	  NULL,
	  CKK_EC,
	  256,
	  32,
	  10,
	  { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 } },
	{ "P-384", NULL, CKK_EC, 384, 48, 7, { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22 } },
	{ "P-521", NULL, CKK_EC, 521, 66, 7, { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23 } },
	{ "ED25519", "edwards25519", CKK_EC_EDWARDS, 255, 32, 5, { 0x06, 0x03, 0x2b, 0x65, 0x70 } },
	{ "ED448", "edwards448", CKK_EC_EDWARDS, 448, 57, 5, { 0x06, 0x03, 0x2b, 0x65, 0x71 } },
	{ "X25519", "curve25519", CKK_EC_MONTGOMERY, 255, 32, 5, { 0x06, 0x03, 0x2b, 0x65, 0x6e } },
	{ "X448", "curve448", CKK_EC_MONTGOMERY, 448, 56, 5, { 0x06, 0x03, 0x2b, 0x65, 0x6f } },
};

#define CURVES (sizeof(curves) / sizeof(curves[0]))

static bool names_curve(const struct mech_curve *curve, const uint8_t *params, size_t length)
{
	size_t name;

	if (length == curve->oid_length && !memcmp(params, curve->oid, length))
		return true;
	if (!curve->curve_name)
		return false;
	name = strlen(curve->curve_name);
	return length == name + 2 && params[0] == ASN1_PRINTABLE_STRING && params[1] == name &&
	       !memcmp(params + 2, curve->curve_name, name);
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
		if (curves[i].type == CKK_EC &&
		    OBJ_sn2nid(group) == EC_curve_nist2nid(curves[i].name))
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
