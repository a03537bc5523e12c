// SPDX-License-Identifier: Apache-2.0
/*
 * A vector of each kind against the token. What the publisher calls invalid has to be refused by
 * one of the calls; what he calls acceptable may be refused, and if not, must be answered with
 * the text of the vector.
 */
#include "vectors.h"

/* One direction: the token refused (rv) or answered with have, and want is in the vector */
static void answer(struct report *r, const char *what, CK_RV rv, const struct buffer *have,
		   struct bytes want, enum expect expect)
{
	bool equal = rv == CKR_OK && same(of(have), want);

	if (expect == REFUSED)
		report_vector(r, rv != CKR_OK, what, rv);
	else if (expect == EITHER)
		report_vector(r, rv != CKR_OK || equal, what, rv);
	else
		report_vector(r, equal, what, rv);
}

/* The same without counting: what is wrong, or NULL */
static const char *fault(const char *what, CK_RV rv, const struct buffer *have, struct bytes want,
			 enum expect expect)
{
	bool equal = rv == CKR_OK && same(of(have), want);

	if (expect == REFUSED)
		return rv == CKR_OK ? what : NULL;
	return equal || (expect == EITHER && rv != CKR_OK) ? NULL : what;
}

static struct buffer out, joined;

/* ---- AEAD ---- */

/* CK_SALSA20_CHACHA20_POLY1305_PARAMS: headers name its members differently, old ones lack it. */
struct nonce_aad {
	CK_BYTE *nonce;
	CK_ULONG nonce_bits;
	CK_BYTE *aad;
	CK_ULONG aad_length;
};

struct aead_params {
	CK_MECHANISM mechanism;
	CK_GCM_PARAMS gcm;
	CK_CCM_PARAMS ccm;
	struct nonce_aad chacha;
};

static void aead_params(struct aead_params *params, const struct aead_vector *v)
{
	CK_BYTE *iv = (CK_BYTE *)v->iv.data, *aad = (CK_BYTE *)v->aad.data;

	memset(params, 0, sizeof(*params));
	params->gcm = (CK_GCM_PARAMS){ .pIv = iv,
				       .ulIvLen = v->iv.length,
				       .ulIvBits = v->iv.length * 8,
				       .pAAD = aad,
				       .ulAADLen = v->aad.length,
				       .ulTagBits = v->tag.length * 8 };
	params->ccm = (CK_CCM_PARAMS){ .ulDataLen = v->cipher.length,
				       .pNonce = iv,
				       .ulNonceLen = v->iv.length,
				       .pAAD = aad,
				       .ulAADLen = v->aad.length,
				       .ulMACLen = v->tag.length };
	params->chacha = (struct nonce_aad){ iv, v->iv.length * 8, aad, v->aad.length };
	params->mechanism = (CK_MECHANISM){ v->type, &params->gcm, sizeof(params->gcm) };
	if (v->type == CKM_AES_CCM)
		params->mechanism = (CK_MECHANISM){ v->type, &params->ccm, sizeof(params->ccm) };
	if (v->type == CKM_CHACHA20_POLY1305)
		params->mechanism =
			(CK_MECHANISM){ v->type, &params->chacha, sizeof(params->chacha) };
}

static void join(struct buffer *to, struct bytes a, struct bytes b)
{
	if (a.length)
		memcpy(to->data, a.data, a.length);
	if (b.length)
		memcpy(to->data + a.length, b.data, b.length);
	to->length = a.length + b.length;
}

static bool aead_policy(struct report *r, const struct aead_vector *v)
{
	if (v->type == CKM_AES_GCM && v->iv.length > 128) {
		report_left_out(r, LONG_IV);
		return true;
	}
	return false;
}

void check_aead(struct report *r, const struct aead_vector *v, enum expect expect)
{
	struct aead_params params;
	CK_OBJECT_HANDLE key;
	const char *bad = NULL;
	CK_RV rv;

	if (expect != REFUSED && aead_policy(r, v))
		return;
	rv = token_secret(v->key_type, v->key, &key);

	if (rv != CKR_OK) {
		report_vector(r, expect == REFUSED, "key", rv);
		return;
	}
	aead_params(&params, v);
	join(&joined, v->cipher, v->tag);
	if (expect != REFUSED && !v->decrypt_only) {
		rv = token_encrypt(&params.mechanism, key, v->text, &out);
		bad = fault("encrypt", rv, &out, of(&joined), expect);
	}
	if (!bad) {
		rv = token_decrypt(&params.mechanism, key, of(&joined), &out);
		bad = fault("decrypt", rv, &out, v->text, expect);
	}
	report_vector(r, !bad, bad, rv);
	token_destroy(key);
}

/* ---- ciphers, MACs, digests ---- */

/* Two neighbours among three keys undo each other. */
static bool equal_parts(struct bytes key)
{
	return key.length == 24 &&
	       (!memcmp(key.data, key.data + 8, 8) || !memcmp(key.data + 8, key.data + 16, 8));
}

void check_cipher(struct report *r, const struct cipher_vector *v, enum expect expect)
{
	CK_MECHANISM m = { v->type, (void *)v->iv.data, v->iv.length };
	CK_OBJECT_HANDLE key;
	const char *bad = NULL;
	CK_RV rv = token_secret(v->key_type, v->key, &key);

	if (v->key_type == CKK_DES3 && rv == CKR_ATTRIBUTE_VALUE_INVALID && equal_parts(v->key)) {
		report_left_out(r, "the token refuses keys of triple DES whose parts are equal");
		return;
	}
	if (rv != CKR_OK) {
		report_vector(r, expect == REFUSED, "key", rv);
		return;
	}
	if (v->encrypt && expect != REFUSED) {
		rv = token_encrypt(&m, key, v->text, &out);
		bad = fault("encrypt", rv, &out, v->cipher, expect);
	}
	if (v->decrypt && !bad) {
		rv = token_decrypt(&m, key, v->cipher, &out);
		bad = fault("decrypt", rv, &out, v->text, expect);
	}
	report_vector(r, !bad, bad, rv);
	token_destroy(key);
}

void check_mac(struct report *r, CK_MECHANISM *m, CK_KEY_TYPE key_type, struct bytes secret,
	       struct bytes text, struct bytes tag, enum expect expect)
{
	CK_OBJECT_HANDLE key;
	const char *bad = NULL;
	CK_RV rv = token_secret(key_type, secret, &key);

	if (rv != CKR_OK) {
		report_vector(r, expect == REFUSED, "key", rv);
		return;
	}
	if (expect != REFUSED) {
		rv = token_sign(m, key, text, &out);
		bad = fault("sign", rv, &out, tag, expect);
	}
	if (!bad) {
		rv = token_verify(m, key, text, tag);
		if (expect == REFUSED ? rv == CKR_OK : rv != CKR_OK && expect == EXACT)
			bad = "verify";
	}
	report_vector(r, !bad, bad, rv);
	token_destroy(key);
}

void check_digest(struct report *r, CK_MECHANISM_TYPE type, struct bytes text, struct bytes md)
{
	CK_MECHANISM m = { type, NULL, 0 };
	CK_RV rv = token_digest(&m, text, &out);

	answer(r, "digest", rv, &out, md, EXACT);
}

/* ---- wrapping and derivation ---- */

void check_wrap(struct report *r, CK_MECHANISM *m, struct bytes secret, struct bytes text,
		struct bytes cipher, enum expect expect)
{
	CK_OBJECT_HANDLE by, key = 0;
	const char *bad = NULL;
	CK_RV rv = token_secret(CKK_AES, secret, &by);

	if (rv != CKR_OK) {
		report_vector(r, expect == REFUSED, "wrapping key", rv);
		return;
	}
	if (expect != REFUSED) {
		rv = token_secret(CKK_GENERIC_SECRET, text, &key);
		if (rv == CKR_OK)
			rv = token_wrap(m, by, key, &out);
		bad = fault("wrap", rv, &out, cipher, expect);
		token_destroy(key);
	}
	if (!bad) {
		rv = token_unwrap(m, by, cipher, &out);
		bad = fault("unwrap", rv, &out, text, expect);
	}
	report_vector(r, !bad, bad, rv);
	token_destroy(by);
}

void check_hkdf(struct report *r, const struct hash *hash, struct bytes ikm, struct bytes salt,
		struct bytes info, struct bytes okm, size_t size, enum expect expect)
{
	CK_HKDF_PARAMS params = {
		.bExtract = CK_TRUE,
		.bExpand = CK_TRUE,
		.prfHashMechanism = hash->digest,
		.ulSaltType = salt.length ? CKF_HKDF_SALT_DATA : CKF_HKDF_SALT_NULL,
		.pSalt = (CK_BYTE *)salt.data,
		.ulSaltLen = salt.length,
		.pInfo = (CK_BYTE *)info.data,
		.ulInfoLen = info.length,
	};
	CK_MECHANISM m = { CKM_HKDF_DERIVE, &params, sizeof(params) };
	CK_OBJECT_HANDLE key;
	CK_RV rv = token_secret(CKK_HKDF, ikm, &key);

	if (rv == CKR_OK)
		rv = token_derive(&m, key, size, &out);
	answer(r, "derive", rv, &out, okm, expect);
	token_destroy(key);
}

void check_ecdh(struct report *r, CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE key, struct bytes point,
		struct bytes shared, enum expect expect)
{
	CK_ECDH1_DERIVE_PARAMS params = { .kdf = CKD_NULL,
					  .ulPublicDataLen = point.length,
					  .pPublicData = (CK_BYTE *)point.data };
	CK_MECHANISM m = { type, &params, sizeof(params) };
	CK_RV rv = token_derive(&m, key, shared.length ? shared.length : 16, &out);

	answer(r, "derive", rv, &out, shared, expect);
}
