// SPDX-License-Identifier: Apache-2.0
/*
 * Wrapping by a key pair: a fresh AES key wraps the key (RFC 5649), and is itself encrypted by RSA-OAEP (CKM_RSA_AES_KEY_WRAP)
 * or agreed upon with an ephemeral pair (CKM_ECDH_AES_KEY_WRAP, CKM_ECDH_COF_AES_KEY_WRAP, CKM_ECDH_X_AES_KEY_WRAP).
 */
#include <string.h>
#include <openssl/asn1.h>
#include "mech_private.h"

#define KEK_MAX	  32
#define POINT_MAX (2 * 66 + 1 + 3) /* P-521, in a DER OCTET STRING */
#define DER_HEAD  3	    /* at most, of such an OCTET STRING */
#define BLOCK	  8	    /* AES key wrap gives a multiple of this, */
#define KWP_MIN	  16     /* and at least this */

/* AES_BITS into params.length, in bytes */
static CK_RV take_kek_length(struct mech_operation *operation, const struct mechanism *mechanism)
{
	uint64_t bits = hsm_fields_u64(mechanism->fields, HSM_FIELD_AES_BITS, 0);

	if (bits != 128 && bits != 192 && bits != 256)
		return CKR_MECHANISM_PARAM_INVALID;
	operation->params.length = (uint32_t)bits / 8;
	return CKR_OK;
}

static size_t wrapped_size(size_t length)
{
	return (length + BLOCK - 1) / BLOCK * BLOCK + BLOCK;
}

/* Could so many bytes be a wrapped key behind @head others? */
static bool leaves_wrapped(size_t length, size_t head)
{
	return length >= head + KWP_MIN && (length - head) % BLOCK == 0;
}

/* ---- RSA ---- */

static size_t modulus_bytes(const struct mech_operation *operation)
{
	return (operation->key->size + 7) / 8;
}

static CK_RV rsa_aes_begin(struct mech_operation *operation, const struct mechanism *mechanism)
{
	CK_RV rv = mech_rsa_oaep_ops.begin(operation, mechanism);

	return rv == CKR_OK ? take_kek_length(operation, mechanism) : rv;
}

static size_t rsa_aes_size(const struct mech_operation *operation, size_t in_length)
{
	return operation->use == MECH_ENCRYPT ? modulus_bytes(operation) + wrapped_size(in_length)
					      : in_length;
}

static CK_RV rsa_aes_wrap(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			  uint8_t *out, size_t *out_length)
{
	size_t head = modulus_bytes(operation), length = *out_length - head;
	uint8_t kek[KEK_MAX];
	CK_RV rv = mech_random(kek, operation->params.length);

	if (rv == CKR_OK &&
	    EVP_PKEY_encrypt(operation->pkey_ctx, out, &head, kek, operation->params.length) <= 0)
		rv = mech_failed(CKR_MECHANISM_PARAM_INVALID);
	if (rv == CKR_OK)
		rv = mech_key_wrap_kwp(true, kek, operation->params.length, in, in_length,
				       out + head, &length);
	OPENSSL_cleanse(kek, sizeof(kek));
	*out_length = head + length;
	return rv;
}

/*
 * Bad padding, an AES key of another length and a bad wrapping give one answer, and take the same steps: with anything
 * else the RSA key could be asked about ciphertexts of somebody else's, as OAEP's padding was in 2001.
 */
static CK_RV rsa_aes_unwrap(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			    uint8_t *out, size_t *out_length)
{
	uint8_t plain[MECH_SHARED_MAX], kek[KEK_MAX];
	size_t head = modulus_bytes(operation), length = sizeof(plain);
	bool opened;
	CK_RV rv;

	if (!leaves_wrapped(in_length, head))
		return CKR_ENCRYPTED_DATA_LEN_RANGE;
	rv = mech_random(kek, sizeof(kek));
	if (rv != CKR_OK)
		return rv;
	opened = EVP_PKEY_decrypt(operation->pkey_ctx, plain, &length, in, head) > 0;
	if (opened && length == operation->params.length)
		memcpy(kek, plain, length);
	rv = mech_key_wrap_kwp(false, kek, operation->params.length, in + head, in_length - head,
			       out, out_length);
	OPENSSL_cleanse(plain, sizeof(plain));
	OPENSSL_cleanse(kek, sizeof(kek));
	return rv == CKR_OK ? rv : mech_failed(CKR_ENCRYPTED_DATA_INVALID);
}

static CK_RV rsa_aes_finish(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			    uint8_t *out, size_t *out_length)
{
	return operation->use == MECH_ENCRYPT
		       ? rsa_aes_wrap(operation, in, in_length, out, out_length)
		       : rsa_aes_unwrap(operation, in, in_length, out, out_length);
}

const struct mech_ops mech_rsa_aes_ops = {
	.begin = rsa_aes_begin,
	.finish = rsa_aes_finish,
	.size = rsa_aes_size,
	.exact = true,
};

/* ---- ECDH ---- */

static CK_RV ecdh_aes_begin(struct mech_operation *operation, const struct mechanism *mechanism)
{
	struct mech_agree_kdf kdf;
	CK_RV rv = mech_agree_kdf_take(mechanism, &kdf);

	if (rv != CKR_OK)
		return rv;
	operation->params.hash = kdf.hash;
	operation->params.sp800 = kdf.sp800;
	rv = mech_hold(&operation->extra, kdf.shared, kdf.shared_length);
	return rv == CKR_OK ? take_kek_length(operation, mechanism) : rv;
}

/* The first bytes of what is derived are the AES key. */
static CK_RV agree_kek(struct mech_operation *operation, EVP_PKEY *own, EVP_PKEY *peer,
		       uint8_t kek[KEK_MAX])
{
	struct mech_agree_kdf kdf = {
		.hash = operation->params.hash,
		.sp800 = operation->params.sp800,
		.shared = operation->extra.data,
		.shared_length = operation->extra.length,
	};
	uint8_t secret[MECH_SHARED_MAX];
	size_t length;
	CK_RV rv = mech_agree(own, peer, operation->info->mechanism == CKM_ECDH_COF_AES_KEY_WRAP,
			      secret, &length);

	if (rv == CKR_OK)
		rv = mech_agree_kdf(&kdf, secret, length, kek, operation->params.length);
	OPENSSL_cleanse(secret, sizeof(secret));
	return rv;
}

/* The cofactor form has the ephemeral point as DER, the others have it as it is. */
static bool is_der(const struct mech_operation *operation)
{
	return operation->info->mechanism == CKM_ECDH_COF_AES_KEY_WRAP;
}

static size_t point_size(const struct mech_operation *operation)
{
	const struct mech_curve *curve = mech_curve_of(&operation->key->attributes);

	if (!curve)
		return 0;
	return curve->type == CKK_EC ? 2 * (size_t)curve->size + 1 : curve->size;
}

static size_t head_size(size_t point)
{
	return point < 0x80 ? 2 : DER_HEAD;
}

static size_t ecdh_aes_size(const struct mech_operation *operation, size_t in_length)
{
	size_t point = point_size(operation);

	if (operation->use != MECH_ENCRYPT)
		return in_length;
	return point + (is_der(operation) ? head_size(point) : 0) + wrapped_size(in_length);
}

static bool put_point(const struct mech_operation *operation, EVP_PKEY *ephemeral, uint8_t *out,
		      size_t *length)
{
	size_t point = point_size(operation);
	uint8_t *p = out;

	if (is_der(operation))
		ASN1_put_object(&p, 0, (int)point, V_ASN1_OCTET_STRING, V_ASN1_UNIVERSAL);
	*length = (size_t)(p - out) + point;
	return mech_agree_public(ephemeral, p, &point);
}

static CK_RV ecdh_aes_wrap(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			   uint8_t *out, size_t *out_length)
{
	EVP_PKEY *peer = key_pkey(operation->key);
	EVP_PKEY *own = mech_agree_ephemeral(operation->key);
	size_t head = 0, length = 0;
	uint8_t kek[KEK_MAX];
	CK_RV rv = CKR_FUNCTION_FAILED;

	if (peer && own && put_point(operation, own, out, &head))
		rv = agree_kek(operation, own, peer, kek);
	if (rv == CKR_OK) {
		length = *out_length - head;
		rv = mech_key_wrap_kwp(true, kek, operation->params.length, in, in_length,
				       out + head, &length);
	}
	EVP_PKEY_free(own);
	OPENSSL_cleanse(kek, sizeof(kek));
	*out_length = head + length;
	return rv == CKR_OK ? rv : mech_failed(rv);
}

/*
 * How many bytes the ephemeral point takes. CKM_ECDH_AES_KEY_WRAP does not say whether it is DER, and others write either:
 * what follows has a length that tells.
 */
static size_t find_point(const struct mech_operation *operation, const uint8_t *in,
			 size_t in_length)
{
	const struct mech_curve *curve = mech_curve_of(&operation->key->attributes);
	size_t point = point_size(operation), length = point + head_size(point);

	if (!is_der(operation) && leaves_wrapped(in_length, point))
		return point;
	if (curve && curve->type == CKK_EC && leaves_wrapped(in_length, length) &&
	    mech_curve_point(curve, in, length, &(size_t){ 0 }))
		return length;
	return 0;
}

/* A point that is none of the curve and a bad wrapping are not told apart; that it lacks bytes is no secret. */
static CK_RV ecdh_aes_unwrap(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			     uint8_t *out, size_t *out_length)
{
	size_t head = find_point(operation, in, in_length);
	EVP_PKEY *own, *peer;
	uint8_t kek[KEK_MAX];
	CK_RV rv = CKR_ENCRYPTED_DATA_INVALID;

	if (!head)
		return CKR_ENCRYPTED_DATA_LEN_RANGE;
	own = key_pkey(operation->key);
	peer = mech_agree_peer(operation->key, in, head);
	if (own && peer)
		rv = agree_kek(operation, own, peer, kek);
	if (rv == CKR_OK)
		rv = mech_key_wrap_kwp(false, kek, operation->params.length, in + head,
				       in_length - head, out, out_length);
	EVP_PKEY_free(peer);
	OPENSSL_cleanse(kek, sizeof(kek));
	return rv == CKR_OK ? rv : mech_failed(CKR_ENCRYPTED_DATA_INVALID);
}

static CK_RV ecdh_aes_finish(struct mech_operation *operation, const uint8_t *in, size_t in_length,
			     uint8_t *out, size_t *out_length)
{
	return operation->use == MECH_ENCRYPT
		       ? ecdh_aes_wrap(operation, in, in_length, out, out_length)
		       : ecdh_aes_unwrap(operation, in, in_length, out, out_length);
}

const struct mech_ops mech_ecdh_aes_ops = {
	.begin = ecdh_aes_begin,
	.finish = ecdh_aes_finish,
	.size = ecdh_aes_size,
	.exact = true,
};
