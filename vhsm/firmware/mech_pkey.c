// SPDX-License-Identifier: Apache-2.0
/*
 * Key pairs between PKCS#11's attributes and libcrypto's EVP_PKEY, in both directions, for every key type.
 */
#include <string.h>
#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include "mech_private.h"

#define ML_SEED_MAX 64

/* An attribute that is a big-endian number, and libcrypto's name of it */
struct number {
	uint64_t type;
	const char *param;
	bool private;
};

static const struct number rsa_numbers[] = {
	{ CKA_MODULUS, OSSL_PKEY_PARAM_RSA_N, false },
	{ CKA_PUBLIC_EXPONENT, OSSL_PKEY_PARAM_RSA_E, false },
	{ CKA_PRIVATE_EXPONENT, OSSL_PKEY_PARAM_RSA_D, true },
	{ CKA_PRIME_1, OSSL_PKEY_PARAM_RSA_FACTOR1, true },
	{ CKA_PRIME_2, OSSL_PKEY_PARAM_RSA_FACTOR2, true },
	{ CKA_EXPONENT_1, OSSL_PKEY_PARAM_RSA_EXPONENT1, true },
	{ CKA_EXPONENT_2, OSSL_PKEY_PARAM_RSA_EXPONENT2, true },
	{ CKA_COEFFICIENT, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, true },
};

#define RSA_NUMBERS (sizeof(rsa_numbers) / sizeof(rsa_numbers[0]))

/* ---- attributes to EVP_PKEY ---- */

/* Make the key from @params, which are wiped and freed */
static EVP_PKEY *pkey_make(const char *algorithm, OSSL_PARAM *params, int selection)
{
	EVP_PKEY_CTX *ctx = params ? EVP_PKEY_CTX_new_from_name(mech_libctx(), algorithm, NULL)
				   : NULL;
	EVP_PKEY *pkey = NULL;

	if (ctx && (EVP_PKEY_fromdata_init(ctx) <= 0 ||
		    EVP_PKEY_fromdata(ctx, &pkey, selection, params) <= 0))
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	for (OSSL_PARAM *p = params; p && p->key; p++)
		OPENSSL_cleanse(p->data, p->data_size);
	OSSL_PARAM_free(params);
	return pkey;
}

static int selection_of(uint64_t class)
{
	return class == CKO_PRIVATE_KEY ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY;
}

static EVP_PKEY *rsa_from(const struct attributes *attributes, uint64_t class)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *numbers[RSA_NUMBERS] = { NULL };
	const struct attribute *attribute;
	OSSL_PARAM *params = NULL;
	bool ok = build;
	size_t i, present = 0;

	for (i = 0; ok && i < RSA_NUMBERS; i++) {
		attribute = attributes_find(attributes, rsa_numbers[i].type);
		if (!attribute || !attribute->length ||
		    (rsa_numbers[i].private && class != CKO_PRIVATE_KEY))
			continue;
		numbers[i] = BN_secure_new();
		ok = numbers[i] &&
		     BN_bin2bn(attribute->value, (int)attribute->length, numbers[i]) &&
		     OSSL_PARAM_BLD_push_BN(build, rsa_numbers[i].param, numbers[i]);
		present |= 1u << i;
	}
	/* All of them: a private key without its primes cannot be checked, and signs at a quarter of the speed. */
	if (ok && present == (class == CKO_PRIVATE_KEY ? 0xff : 0x03))
		params = OSSL_PARAM_BLD_to_param(build);
	OSSL_PARAM_BLD_free(build);
	for (i = 0; i < RSA_NUMBERS; i++)
		BN_clear_free(numbers[i]);
	return pkey_make("RSA", params, selection_of(class));
}

/* The public point of a private key; @point has room for the largest curve. Return: its length, 0: not a private key. */
static size_t ec_public(const struct mech_curve *curve, const BIGNUM *scalar, uint8_t *point,
			size_t room)
{
	EC_GROUP *group =
		EC_GROUP_new_by_curve_name_ex(mech_libctx(), NULL, OBJ_sn2nid(curve->name));
	EC_POINT *public = group ? EC_POINT_new(group) : NULL;
	BN_CTX *ctx = BN_CTX_secure_new_ex(mech_libctx());
	size_t length = 0;

	if (public && ctx && !BN_is_zero(scalar) &&
	    BN_cmp(scalar, EC_GROUP_get0_order(group)) < 0 &&
	    EC_POINT_mul(group, public, scalar, NULL, NULL, ctx))
		length = EC_POINT_point2oct(group, public, POINT_CONVERSION_UNCOMPRESSED, point,
					    room, ctx);
	BN_CTX_free(ctx);
	EC_POINT_free(public);
	EC_GROUP_free(group);
	return length;
}

static OSSL_PARAM *ec_params(const struct mech_curve *curve, const BIGNUM *scalar,
			     const uint8_t *point, size_t length)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;

	if (build &&
	    OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, curve->name, 0) &&
	    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, length) &&
	    (!scalar || OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, scalar)))
		params = OSSL_PARAM_BLD_to_param(build);
	OSSL_PARAM_BLD_free(build);
	return params;
}

static EVP_PKEY *ec_private(const struct mech_curve *curve, const struct attribute *value)
{
	uint8_t point[2 * 66 + 1];
	BIGNUM *scalar = BN_secure_new();
	OSSL_PARAM *params = NULL;
	size_t length = 0;

	if (scalar && value->length <= 2u * curve->size &&
	    BN_bin2bn(value->value, (int)value->length, scalar)) {
		BN_set_flags(scalar, BN_FLG_CONSTTIME);
		length = ec_public(curve, scalar, point, sizeof(point));
	}
	if (length)
		params = ec_params(curve, scalar, point, length);
	BN_clear_free(scalar);
	return pkey_make("EC", params, EVP_PKEY_KEYPAIR);
}

static EVP_PKEY *ec_from(const struct attributes *attributes, uint64_t class)
{
	const struct mech_curve *curve = mech_curve_of(attributes);
	const struct attribute *value;
	const uint8_t *point;
	size_t length;

	value = attributes_find(attributes, class == CKO_PRIVATE_KEY ? CKA_VALUE : CKA_EC_POINT);
	if (!curve || !value || !value->length)
		return NULL;
	if (class == CKO_PRIVATE_KEY && curve->type == CKK_EC)
		return ec_private(curve, value);
	if (class == CKO_PRIVATE_KEY) {
		if (value->length != curve->size)
			return NULL;
		return EVP_PKEY_new_raw_private_key_ex(mech_libctx(), curve->name, NULL,
						       value->value, value->length);
	}
	point = mech_curve_point(curve, value->value, value->length, &length);
	if (!point)
		return NULL;
	if (curve->type != CKK_EC)
		return EVP_PKEY_new_raw_public_key_ex(mech_libctx(), curve->name, NULL, point,
						      length);
	return pkey_make("EC", ec_params(curve, NULL, point, length), EVP_PKEY_PUBLIC_KEY);
}

/*
 * Of ML-DSA and ML-KEM the seed is the better form: all follows from it, and libcrypto checks the expanded one against it
 * when both are there.
 */
static EVP_PKEY *set_from(const struct attributes *attributes, uint64_t class)
{
	const struct mech_set *set = mech_set_of(attributes);
	const struct attribute *value = attributes_find(attributes, CKA_VALUE);
	const struct attribute *seed = attributes_find(attributes, CKA_SEED);
	const char *what = class == CKO_PRIVATE_KEY ? OSSL_PKEY_PARAM_PRIV_KEY
						    : OSSL_PKEY_PARAM_PUB_KEY;
	OSSL_PARAM params[3];
	unsigned int n = 0;
	EVP_PKEY_CTX *ctx;
	EVP_PKEY *pkey = NULL;

	if (value && value->length)
		params[n++] = OSSL_PARAM_construct_octet_string(what, (void *)value->value,
								value->length);
	if (class == CKO_PRIVATE_KEY && seed && seed->length)
		params[n++] = OSSL_PARAM_construct_octet_string("seed", (void *)seed->value,
								seed->length);
	params[n] = OSSL_PARAM_construct_end();
	ctx = set && n ? EVP_PKEY_CTX_new_from_name(mech_libctx(), set->name, NULL) : NULL;
	if (ctx && (EVP_PKEY_fromdata_init(ctx) <= 0 ||
		    EVP_PKEY_fromdata(ctx, &pkey, selection_of(class), params) <= 0))
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

EVP_PKEY *mech_pkey_from(const struct attributes *attributes)
{
	uint64_t class = attributes_ulong(attributes, CKA_CLASS, UINT64_MAX);
	uint64_t type = attributes_ulong(attributes, CKA_KEY_TYPE, UINT64_MAX);
	EVP_PKEY *pkey = NULL;

	switch (type) {
	case CKK_RSA:
		pkey = rsa_from(attributes, class);
		break;
	case CKK_EC:
	case CKK_EC_EDWARDS:
	case CKK_EC_MONTGOMERY:
		pkey = ec_from(attributes, class);
		break;
	case CKK_DH:
	case CKK_X9_42_DH:
		pkey = mech_dh_from(attributes, class, type);
		break;
	case CKK_ML_DSA:
	case CKK_ML_KEM:
	case CKK_SLH_DSA:
		pkey = set_from(attributes, class);
		break;
	default:
		break;
	}
	if (!pkey)
		ERR_clear_error();
	return pkey;
}

/* ---- EVP_PKEY to attributes ---- */

CK_RV mech_set_number(struct attributes *attributes, uint64_t type, EVP_PKEY *pkey,
		      const char *param, size_t size)
{
	uint8_t buffer[1024];
	BIGNUM *number = NULL;
	int length = -1;
	CK_RV rv = CKR_FUNCTION_FAILED;

	if (EVP_PKEY_get_bn_param(pkey, param, &number)) {
		if (!size)
			size = (size_t)BN_num_bytes(number);
		if (size <= sizeof(buffer))
			length = BN_bn2binpad(number, buffer, (int)size);
	}
	if (length >= 0)
		rv = attributes_set(attributes, type, buffer, (size_t)length);
	BN_clear_free(number);
	OPENSSL_cleanse(buffer, sizeof(buffer));
	return rv == CKR_OK ? rv : mech_failed(rv);
}

static CK_RV fill_rsa(struct attributes *attributes, EVP_PKEY *pkey, uint64_t class)
{
	CK_RV rv = CKR_OK;

	for (size_t i = 0; rv == CKR_OK && i < RSA_NUMBERS; i++) {
		if (rsa_numbers[i].private && class != CKO_PRIVATE_KEY)
			continue;
		rv = mech_set_number(attributes, rsa_numbers[i].type, pkey, rsa_numbers[i].param,
				     0);
	}
	if (rv == CKR_OK && class == CKO_PUBLIC_KEY)
		rv = attributes_set_ulong(attributes, CKA_MODULUS_BITS,
					  (uint64_t)EVP_PKEY_get_bits(pkey));
	return rv;
}

/* PKCS#11: CKA_EC_POINT of an EC key is the point in a DER OCTET STRING, of the newer curves the bytes as they are. */
static CK_RV set_point(struct attributes *attributes, const struct mech_curve *curve,
		       EVP_PKEY *pkey)
{
	uint8_t point[2 * 66 + 1];
	uint8_t der[sizeof(point) + 3];
	uint8_t *p = der;
	size_t length;

	if (!EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point),
					     &length))
		return mech_failed(CKR_FUNCTION_FAILED);
	if (curve->type != CKK_EC)
		return attributes_set(attributes, CKA_EC_POINT, point, length);
	ASN1_put_object(&p, 0, (int)length, V_ASN1_OCTET_STRING, V_ASN1_UNIVERSAL);
	memcpy(p, point, length);
	return attributes_set(attributes, CKA_EC_POINT, der, (size_t)(p - der) + length);
}

static CK_RV fill_ec(struct attributes *attributes, EVP_PKEY *pkey, uint64_t class)
{
	const struct mech_curve *curve = mech_curve_of_pkey(pkey);
	uint8_t value[66];
	size_t length = sizeof(value);
	CK_RV rv = CKR_OK;

	if (!curve)
		return CKR_CURVE_NOT_SUPPORTED;
	if (!attributes_find(attributes, CKA_EC_PARAMS))
		rv = attributes_set(attributes, CKA_EC_PARAMS, curve->oid, curve->oid_length);
	if (rv != CKR_OK)
		return rv;
	if (class == CKO_PUBLIC_KEY)
		return set_point(attributes, curve, pkey);
	if (curve->type == CKK_EC)
		return mech_set_number(attributes, CKA_VALUE, pkey, OSSL_PKEY_PARAM_PRIV_KEY,
				       curve->size);
	if (!EVP_PKEY_get_raw_private_key(pkey, value, &length))
		return mech_failed(CKR_FUNCTION_FAILED);
	rv = attributes_set(attributes, CKA_VALUE, value, length);
	OPENSSL_cleanse(value, sizeof(value));
	return rv;
}

static CK_RV fill_set(struct attributes *attributes, EVP_PKEY *pkey, uint64_t class)
{
	uint8_t buffer[5120];
	const struct mech_set *set = mech_set_of_pkey(pkey);
	const char *what = class == CKO_PRIVATE_KEY ? OSSL_PKEY_PARAM_PRIV_KEY
						    : OSSL_PKEY_PARAM_PUB_KEY;
	size_t length;
	CK_RV rv;

	if (!set)
		return CKR_PARAMETER_SET_NOT_SUPPORTED;
	rv = attributes_set_ulong(attributes, CKA_PARAMETER_SET, set->set);
	if (rv != CKR_OK)
		return rv;
	if (!EVP_PKEY_get_octet_string_param(pkey, what, buffer, sizeof(buffer), &length))
		return mech_failed(CKR_FUNCTION_FAILED);
	rv = attributes_set(attributes, CKA_VALUE, buffer, length);
	/* A key that came in expanded form has no seed. */
	if (rv == CKR_OK && class == CKO_PRIVATE_KEY &&
	    EVP_PKEY_get_octet_string_param(pkey, "seed", buffer, ML_SEED_MAX, &length))
		rv = attributes_set(attributes, CKA_SEED, buffer, length);
	OPENSSL_cleanse(buffer, sizeof(buffer));
	ERR_clear_error();
	return rv;
}

/* SubjectPublicKeyInfo; one that a template gave must be that of the key */
static CK_RV set_public_info(struct attributes *attributes, EVP_PKEY *pkey)
{
	const struct attribute *given = attributes_find(attributes, CKA_PUBLIC_KEY_INFO);
	uint8_t *der = NULL;
	int length = i2d_PUBKEY(pkey, &der);
	CK_RV rv;

	if (length <= 0)
		return mech_failed(CKR_FUNCTION_FAILED);
	if (given && given->length &&
	    (given->length != (size_t)length || memcmp(given->value, der, given->length)))
		rv = CKR_ATTRIBUTE_VALUE_INVALID;
	else
		rv = attributes_set(attributes, CKA_PUBLIC_KEY_INFO, der, (size_t)length);
	OPENSSL_free(der);
	return rv;
}

CK_RV mech_pkey_fill(struct attributes *attributes, EVP_PKEY *pkey, uint64_t class, uint64_t type)
{
	CK_RV rv;

	switch (type) {
	case CKK_RSA:
		rv = fill_rsa(attributes, pkey, class);
		break;
	case CKK_EC:
	case CKK_EC_EDWARDS:
	case CKK_EC_MONTGOMERY:
		rv = fill_ec(attributes, pkey, class);
		break;
	case CKK_DH:
	case CKK_X9_42_DH:
		rv = mech_dh_fill(attributes, pkey, class, type);
		break;
	case CKK_ML_DSA:
	case CKK_ML_KEM:
	case CKK_SLH_DSA:
		rv = fill_set(attributes, pkey, class);
		break;
	default:
		return CKR_KEY_TYPE_INCONSISTENT;
	}
	return rv == CKR_OK ? set_public_info(attributes, pkey) : rv;
}
