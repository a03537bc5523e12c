// SPDX-License-Identifier: Apache-2.0
/*
 * Elliptic curves: ECDSA, Ed25519 and Ed448, and key generation. PKCS#11 writes an ECDSA signature as r and s one after the
 * other, libcrypto as DER.
 */
#include <string.h>
#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include "mech_private.h"

#define ECDSA_DER_MAX 144 /* two integers of 67 bytes and their headers */

/* Bytes of r and of s, which is what a field element takes on these curves */
static size_t half_size(const struct mech_operation *operation)
{
	return (operation->key->size + 7) / 8;
}

/* ---- ECDSA ---- */

static CK_RV ecdsa_begin(struct mech_operation *operation, const struct mechanism *mechanism)
{
	EVP_PKEY *pkey;
	int ok;

	(void)mechanism;
	if (operation->prepared)
		return CKR_OK;
	pkey = key_pkey(operation->key);
	if (!pkey)
		return CKR_FUNCTION_FAILED;
	operation->pkey_ctx = EVP_PKEY_CTX_new_from_pkey(mech_libctx(), pkey, NULL);
	if (!operation->pkey_ctx)
		return mech_failed(CKR_HOST_MEMORY);
	if (operation->use == MECH_SIGN)
		ok = EVP_PKEY_sign_init(operation->pkey_ctx);
	else
		ok = EVP_PKEY_verify_init(operation->pkey_ctx);
	if (ok <= 0)
		return mech_failed(CKR_FUNCTION_FAILED);
	operation->prepared = true;
	return CKR_OK;
}

/*
 * One INTEGER of libcrypto's DER form, to the right of @half bytes. Read by hand: to have it parsed into
 * big numbers and written out again takes a tenth as long as to sign with P-256.
 */
static bool take_integer(const uint8_t **der, const uint8_t *end, uint8_t *raw, size_t half)
{
	const uint8_t *p = *der;
	size_t length;

	if (end - p < 2 || p[0] != V_ASN1_INTEGER || p[1] > end - p - 2)
		return false;
	length = p[1];
	p += 2;
	*der = p + length;
	for (; length && !*p; length--)
		p++;
	if (length > half)
		return false;
	memset(raw, 0, half - length);
	memcpy(raw + half - length, p, length);
	return true;
}

/* A SEQUENCE of two; with the largest curve its length takes a byte more. */
static CK_RV raw_from_der(const uint8_t *der, size_t length, uint8_t *raw, size_t half)
{
	const uint8_t *end = der + length;
	size_t head = length > 2 && der[1] == 0x81 ? 3 : 2;

	if (length < head || der[0] != (V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED) ||
	    der[head - 1] != length - head)
		return CKR_FUNCTION_FAILED;
	der += head;
	if (!take_integer(&der, end, raw, half) || !take_integer(&der, end, raw + half, half) ||
	    der != end)
		return CKR_FUNCTION_FAILED;
	return CKR_OK;
}

static CK_RV ecdsa_finish(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			  uint8_t *out, size_t *out_length)
{
	uint8_t der[ECDSA_DER_MAX];
	size_t length = sizeof(der);

	if (!in_length || in_length > MECH_RAW_MAX)
		return CKR_DATA_LEN_RANGE;
	if (EVP_PKEY_sign(operation->pkey_ctx, der, &length, in, in_length) <= 0)
		return mech_failed(CKR_FUNCTION_FAILED);
	*out_length = 2 * half_size(operation);
	return raw_from_der(der, length, out, half_size(operation));
}

/* Return: length of the DER form, 0 when out of memory */
static size_t der_from_raw(const uint8_t *raw, size_t half, uint8_t der[ECDSA_DER_MAX])
{
	ECDSA_SIG *signature = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(raw, (int)half, NULL);
	BIGNUM *s = BN_bin2bn(raw + half, (int)half, NULL);
	int length = 0;

	if (!signature || !r || !s || !ECDSA_SIG_set0(signature, r, s)) {
		BN_free(r);
		BN_free(s);
	} else if (i2d_ECDSA_SIG(signature, NULL) <= ECDSA_DER_MAX) {
		length = i2d_ECDSA_SIG(signature, &der);
	}
	ECDSA_SIG_free(signature);
	return length > 0 ? (size_t)length : 0;
}

static CK_RV ecdsa_verify(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			  const uint8_t *signature, size_t length)
{
	uint8_t der[ECDSA_DER_MAX];
	size_t half = half_size(operation);

	if (!in_length || in_length > MECH_RAW_MAX)
		return CKR_DATA_LEN_RANGE;
	/* Both halves may have lost leading zeros, equally many (PKCS#11 3.2, 6.3.1). */
	if (!length || length % 2 || length > 2 * half)
		return CKR_SIGNATURE_LEN_RANGE;
	length = der_from_raw(signature, length / 2, der);
	if (!length)
		return mech_failed(CKR_HOST_MEMORY);
	if (EVP_PKEY_verify(operation->pkey_ctx, der, length, in, in_length) <= 0)
		return mech_failed(CKR_SIGNATURE_INVALID);
	return CKR_OK;
}

static size_t ecdsa_size(const struct mech_operation *operation, size_t in_length)
{
	(void)in_length;
	return operation->use == MECH_VERIFY ? 0 : 2 * half_size(operation);
}

const struct mech_ops mech_ecdsa_ops = {
	.begin = ecdsa_begin,
	.finish = ecdsa_finish,
	.verify = ecdsa_verify,
	.size = ecdsa_size,
	.hold_max = MECH_RAW_MAX,
	.exact = true,
	.digest = true,
};

/* ---- Ed25519 and Ed448 ---- */

/* The variants of RFC 8032 other than pure EdDSA came to libcrypto with 3.2, under these names. */
static const char *eddsa_instance(const struct mech_operation *operation, bool prehash,
				  bool context)
{
	if (operation->key->size == 448)
		return prehash ? "Ed448ph" : "Ed448";
	if (prehash)
		return "Ed25519ph";
	return context ? "Ed25519ctx" : "Ed25519";
}

static bool eddsa_has_instances(EVP_PKEY_CTX *ctx)
{
	const OSSL_PARAM *settable = EVP_PKEY_CTX_settable_params(ctx);

	return settable && OSSL_PARAM_locate_const(settable, "instance");
}

static CK_RV eddsa_parameters(struct mech_operation *operation, const struct mechanism *mechanism,
			      EVP_PKEY_CTX *ctx)
{
	uint64_t prehash = hsm_fields_u64(mechanism->fields, HSM_FIELD_PREHASH, 0);
	size_t length;
	const uint8_t *context = hsm_fields_bytes(mechanism->fields, HSM_FIELD_CONTEXT, &length);
	OSSL_PARAM params[3];
	unsigned int n = 0;

	if (prehash > 1 || length > 255)
		return CKR_MECHANISM_PARAM_INVALID;
	if (!prehash && !length)
		return CKR_OK;
	if (!eddsa_has_instances(ctx))
		return CKR_MECHANISM_PARAM_INVALID;
	params[n++] = OSSL_PARAM_construct_utf8_string(
		"instance", (char *)eddsa_instance(operation, prehash, length), 0);
	if (length)
		params[n++] = OSSL_PARAM_construct_octet_string("context-string", (void *)context,
								length);
	params[n] = OSSL_PARAM_construct_end();
	return EVP_PKEY_CTX_set_params(ctx, params) > 0 ? CKR_OK
							: mech_failed(CKR_MECHANISM_PARAM_INVALID);
}

static CK_RV eddsa_begin(struct mech_operation *operation, const struct mechanism *mechanism)
{
	EVP_PKEY *pkey = key_pkey(operation->key);
	EVP_PKEY_CTX *ctx = NULL;
	int ok;

	if (!pkey)
		return CKR_FUNCTION_FAILED;
	/* Contexts of this kind take one message each and are made anew: beside the signature that is little. */
	operation->sign_ctx = EVP_MD_CTX_new();
	if (!operation->sign_ctx)
		return CKR_HOST_MEMORY;
	if (operation->use == MECH_SIGN)
		ok = EVP_DigestSignInit_ex(operation->sign_ctx, &ctx, NULL, mech_libctx(), NULL,
					   pkey, NULL);
	else
		ok = EVP_DigestVerifyInit_ex(operation->sign_ctx, &ctx, NULL, mech_libctx(), NULL,
					     pkey, NULL);
	if (ok <= 0)
		return mech_failed(CKR_FUNCTION_FAILED);
	return eddsa_parameters(operation, mechanism, ctx);
}

static size_t eddsa_size(const struct mech_operation *operation, size_t in_length)
{
	(void)in_length;
	if (operation->use == MECH_VERIFY)
		return 0;
	return operation->key->size == 448 ? 114 : 64;
}

static CK_RV eddsa_finish(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			  uint8_t *out, size_t *out_length)
{
	if (EVP_DigestSign(operation->sign_ctx, out, out_length, in, in_length) <= 0)
		return mech_failed(CKR_FUNCTION_FAILED);
	return CKR_OK;
}

static CK_RV eddsa_verify(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			  const uint8_t *signature, size_t length)
{
	if (length != (operation->key->size == 448 ? 114 : 64))
		return CKR_SIGNATURE_LEN_RANGE;
	if (EVP_DigestVerify(operation->sign_ctx, signature, length, in, in_length) <= 0)
		return mech_failed(CKR_SIGNATURE_INVALID);
	return CKR_OK;
}

const struct mech_ops mech_eddsa_ops = {
	.begin = eddsa_begin,
	.finish = eddsa_finish,
	.verify = eddsa_verify,
	.size = eddsa_size,
	.exact = true,
};

/* ---- generation ---- */

CK_RV mech_ec_generate(const struct mechanism *mechanism, const struct attributes *public_key,
		       EVP_PKEY **pkey)
{
	const struct attribute *params = attributes_find(public_key, CKA_EC_PARAMS);
	uint64_t type = mechanism->info->key_type;
	const struct mech_curve *curve;
	EVP_PKEY_CTX *ctx;
	bool is_ec;
	CK_RV rv;

	if (!params)
		return CKR_TEMPLATE_INCOMPLETE;
	rv = mech_curve_check(type, params->value, params->length);
	if (rv != CKR_OK)
		return rv;
	curve = mech_curve_find(type, params->value, params->length);
	is_ec = type == CKK_EC;
	ctx = EVP_PKEY_CTX_new_from_name(mech_libctx(), is_ec ? "EC" : curve->name, NULL);
	if (!ctx || EVP_PKEY_keygen_init(ctx) <= 0 ||
	    (is_ec && EVP_PKEY_CTX_set_group_name(ctx, curve->name) <= 0)) {
		EVP_PKEY_CTX_free(ctx);
		return mech_failed(CKR_CURVE_NOT_SUPPORTED);
	}
	return mech_generate_run(mechanism, ctx, pkey);
}
