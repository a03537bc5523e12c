// SPDX-License-Identifier: Apache-2.0
/*
 * Key agreement: two parties, each with a key pair, come to one secret. On curves (ECDH, with and without cofactor) and in
 * prime fields (Diffie-Hellman), for deriving keys, and as key encapsulation with an ephemeral pair.
 */
#include <string.h>
#include <openssl/ec.h>
#include <openssl/dh.h>
#include "mech_private.h"

/* ---- the other party's public value ---- */

static bool is_field(uint64_t type)
{
	return type == CKK_DH || type == CKK_X9_42_DH;
}

/* What both keys have in common: the curve, or the group */
static CK_RV copy_domain(const struct attributes *from, struct attributes *to)
{
	static const uint64_t domain[] = { CKA_EC_PARAMS, CKA_PRIME, CKA_BASE, CKA_SUBPRIME };
	const struct attribute *item;
	CK_RV rv = CKR_OK;
	size_t i;

	for (i = 0; rv == CKR_OK && i < sizeof(domain) / sizeof(domain[0]); i++) {
		item = attributes_find(from, domain[i]);
		if (item)
			rv = attributes_set(to, domain[i], item->value, item->length);
	}
	return rv;
}

static bool is_point(const struct key *base, const uint8_t *data, size_t length)
{
	const struct mech_curve *curve = mech_curve_of(&base->attributes);

	return curve && mech_curve_point(curve, data, length, &(size_t){ 0 });
}

EVP_PKEY *mech_agree_peer(const struct key *base, const uint8_t *data, size_t length)
{
	uint64_t value = is_field(base->type) ? CKA_VALUE : CKA_EC_POINT;
	struct attributes peer = { 0 };
	EVP_PKEY *pkey = NULL;

	if (!data || !length || (!is_field(base->type) && !is_point(base, data, length)))
		return NULL;
	if (attributes_set_ulong(&peer, CKA_CLASS, CKO_PUBLIC_KEY) == CKR_OK &&
	    attributes_set_ulong(&peer, CKA_KEY_TYPE, base->type) == CKR_OK &&
	    copy_domain(&base->attributes, &peer) == CKR_OK &&
	    attributes_set(&peer, value, data, length) == CKR_OK)
		pkey = mech_pkey_from(&peer);
	attributes_free(&peer);
	return pkey;
}

/* ---- the secret ---- */

/*
 * Points that are not on the curve, values outside of the group, and results that are zero or one are refused by libcrypto;
 * see the tests. The cofactor of all curves here is 1, so that with and without it the secret is the same.
 */
static bool agree_setup(EVP_PKEY_CTX *ctx, EVP_PKEY *own, EVP_PKEY *peer, bool cofactor)
{
	if (EVP_PKEY_derive_init(ctx) <= 0)
		return false;
	if (EVP_PKEY_is_a(own, "EC") && EVP_PKEY_CTX_set_ecdh_cofactor_mode(ctx, cofactor) <= 0)
		return false;
	/* As long as the prime (SP 800-56A), whatever it begins with */
	if ((EVP_PKEY_is_a(own, "DH") || EVP_PKEY_is_a(own, "DHX")) &&
	    EVP_PKEY_CTX_set_dh_pad(ctx, 1) <= 0)
		return false;
	return EVP_PKEY_derive_set_peer(ctx, peer) > 0;
}

CK_RV mech_agree(EVP_PKEY *own, EVP_PKEY *peer, bool cofactor, uint8_t secret[MECH_SHARED_MAX],
		 size_t *length)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(mech_libctx(), own, NULL);
	bool ok;

	*length = MECH_SHARED_MAX;
	ok = ctx && agree_setup(ctx, own, peer, cofactor) &&
	     EVP_PKEY_derive(ctx, secret, length) > 0;
	EVP_PKEY_CTX_free(ctx);
	return ok ? CKR_OK : mech_failed(CKR_MECHANISM_PARAM_INVALID);
}

/* ---- what is made of it ---- */

/* X9.63, or the single-step function of SP 800-56A, with the same inputs */
static CK_RV shared_kdf(const struct mech_agree_kdf *kdf, const uint8_t *secret,
			size_t secret_length, uint8_t *out, size_t length)
{
	OSSL_PARAM params[4];
	unsigned int n = 0;

	params[n++] =
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)kdf->hash->name, 0);
	params[n++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret,
							secret_length);
	if (kdf->shared_length)
		params[n++] = OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_INFO, (void *)kdf->shared, kdf->shared_length);
	params[n] = OSSL_PARAM_construct_end();
	return mech_kdf_run(kdf->sp800 ? "SSKDF" : "X963KDF", params, out, length);
}

CK_RV mech_agree_kdf_take(const struct mechanism *mechanism, struct mech_agree_kdf *kdf)
{
	uint64_t wanted = hsm_fields_u64(mechanism->fields, HSM_FIELD_KDF, CKD_NULL);

	memset(kdf, 0, sizeof(*kdf));
	kdf->shared = hsm_fields_bytes(mechanism->fields, HSM_FIELD_SHARED, &kdf->shared_length);
	if (wanted == CKD_NULL)
		return kdf->shared_length ? CKR_MECHANISM_PARAM_INVALID : CKR_OK;
	if (mechanism->info->parameter != HSM_PARAM_X9_42_DH)
		kdf->hash = mech_hash_by_kdf(wanted, &kdf->sp800);
	else if (wanted == CKD_SHA1_KDF_CONCATENATE)
		/* Hash of secret, counter and info: what X9.63 does too. The ASN.1 form is not libcrypto's. */
		kdf->hash = mech_hash_find(CKM_SHA_1);
	return kdf->hash ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
}

CK_RV mech_agree_kdf(const struct mech_agree_kdf *kdf, const uint8_t *secret, size_t secret_length,
		     uint8_t *out, size_t length)
{
	if (kdf->hash)
		return shared_kdf(kdf, secret, secret_length, out, length);
	if (length > secret_length)
		return CKR_MECHANISM_PARAM_INVALID;
	memcpy(out, secret, length);
	return CKR_OK;
}

/* Without a KDF the new key takes the end of the secret, with one its output. */
static CK_RV agree_output(const struct mechanism *mechanism, const uint8_t *secret,
			  size_t secret_length, struct attributes *attributes)
{
	uint8_t out[MECH_DERIVED_MAX];
	struct mech_agree_kdf kdf;
	size_t length;
	CK_RV rv = mech_agree_kdf_take(mechanism, &kdf);

	if (rv != CKR_OK)
		return rv;
	if (!kdf.hash)
		return mech_secret_derived(attributes, secret, secret_length);
	rv = mech_derived_length(attributes, 0, &length);
	if (rv == CKR_OK)
		rv = mech_agree_kdf(&kdf, secret, secret_length, out, length);
	if (rv == CKR_OK)
		rv = mech_secret_derived(attributes, out, length);
	OPENSSL_cleanse(out, sizeof(out));
	return rv;
}

/* ---- mechanisms ---- */

static bool is_cofactor(const struct mechanism *mechanism)
{
	return mechanism->info->mechanism == CKM_ECDH1_COFACTOR_DERIVE;
}

static CK_RV derive_with(const struct mechanism *mechanism, struct key *base, const uint8_t *public,
			 size_t length, CK_RV invalid, struct attributes *attributes)
{
	EVP_PKEY *own = key_pkey(base), *peer = mech_agree_peer(base, public, length);
	uint8_t secret[MECH_SHARED_MAX];
	size_t secret_length = 0;
	CK_RV rv = CKR_FUNCTION_FAILED;

	if (!peer)
		rv = mech_failed(invalid);
	else if (own &&
		 mech_agree(own, peer, is_cofactor(mechanism), secret, &secret_length) != CKR_OK)
		rv = invalid;
	else if (own)
		rv = agree_output(mechanism, secret, secret_length, attributes);
	EVP_PKEY_free(peer);
	OPENSSL_cleanse(secret, sizeof(secret));
	return rv;
}

CK_RV mech_agree_derive(const struct mechanism *mechanism, struct key *base,
			struct attributes *attributes)
{
	size_t length;
	const uint8_t *public = hsm_fields_bytes(mechanism->fields, HSM_FIELD_PUBLIC, &length);

	if (base->class != CKO_PRIVATE_KEY)
		return CKR_KEY_TYPE_INCONSISTENT;
	return derive_with(mechanism, base, public, length, CKR_MECHANISM_PARAM_INVALID,
			   attributes);
}

/* The ephemeral pair stands for the other party, its public half is the ciphertext; PUBLIC has no place beside it. */
static CK_RV encapsulation_check(const struct mechanism *mechanism)
{
	size_t length;

	hsm_fields_bytes(mechanism->fields, HSM_FIELD_PUBLIC, &length);
	return length ? CKR_MECHANISM_PARAM_INVALID : CKR_OK;
}

EVP_PKEY *mech_agree_ephemeral(struct key *partner)
{
	EVP_PKEY *pkey = key_pkey(partner), *ephemeral = NULL;
	EVP_PKEY_CTX *ctx = pkey ? EVP_PKEY_CTX_new_from_pkey(mech_libctx(), pkey, NULL) : NULL;

	if (ctx && (EVP_PKEY_keygen_init(ctx) <= 0 || EVP_PKEY_generate(ctx, &ephemeral) <= 0))
		ephemeral = NULL;
	EVP_PKEY_CTX_free(ctx);
	return ephemeral;
}

/* Of a curve the point, as it stands in CKA_EC_POINT without DER; of a group the number, as long as the prime */
bool mech_agree_public(EVP_PKEY *pkey, uint8_t *out, size_t *length)
{
	BIGNUM *number = NULL;
	bool ok;

	if (!EVP_PKEY_is_a(pkey, "DH") && !EVP_PKEY_is_a(pkey, "DHX"))
		return EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, out, *length,
						       length) > 0;
	ok = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, &number) > 0 &&
	     BN_bn2binpad(number, out, EVP_PKEY_get_size(pkey)) > 0;
	*length = (size_t)EVP_PKEY_get_size(pkey);
	BN_free(number);
	return ok;
}

CK_RV mech_agree_encapsulate(const struct mechanism *mechanism, struct key *partner,
			     uint8_t *ciphertext, size_t *length, struct attributes *attributes)
{
	EVP_PKEY *peer = key_pkey(partner), *own;
	uint8_t secret[MECH_SHARED_MAX], public[MECH_SHARED_MAX];
	size_t secret_length, public_length = sizeof(public);
	CK_RV rv = encapsulation_check(mechanism);

	if (rv != CKR_OK)
		return rv;
	own = mech_agree_ephemeral(partner);
	if (!peer || !own || !mech_agree_public(own, public, &public_length)) {
		rv = mech_failed(CKR_FUNCTION_FAILED);
	} else if (*length < public_length) {
		*length = public_length;
		rv = CKR_BUFFER_TOO_SMALL;
	} else {
		rv = mech_agree(own, peer, is_cofactor(mechanism), secret, &secret_length);
		if (rv == CKR_OK)
			rv = agree_output(mechanism, secret, secret_length, attributes);
		memcpy(ciphertext, public, public_length);
		*length = public_length;
	}
	EVP_PKEY_free(own);
	OPENSSL_cleanse(secret, sizeof(secret));
	return rv;
}

CK_RV mech_agree_decapsulate(const struct mechanism *mechanism, struct key *private_key,
			     const uint8_t *ciphertext, size_t length,
			     struct attributes *attributes)
{
	CK_RV rv = encapsulation_check(mechanism);

	if (rv != CKR_OK)
		return rv;
	return derive_with(mechanism, private_key, ciphertext, length, CKR_ENCRYPTED_DATA_INVALID,
			   attributes);
}
