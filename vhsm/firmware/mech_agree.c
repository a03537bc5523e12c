// SPDX-License-Identifier: Apache-2.0
/*
 * Key agreement: two parties, each with a key pair, come to one secret. On curves (ECDH, with and without cofactor) and in
 * prime fields (Diffie-Hellman), for deriving keys and as key encapsulation with an ephemeral pair.
 */
#include <string.h>
#include "mech_private.h"

#define SHARED_MAX 66 /* bytes of a P-521 field element */

/* ---- ECDH ---- */

/* Points that are not on the curve, and results that are zero, are refused by libcrypto; see the tests. */
static EVP_PKEY *peer_from(struct key *base, const uint8_t *data, size_t length)
{
	const struct mech_curve *curve = mech_curve_of(&base->attributes);
	const struct attribute *params = attributes_find(&base->attributes, CKA_EC_PARAMS);
	struct attributes peer = { 0 };
	EVP_PKEY *pkey = NULL;

	if (!curve || !data || !mech_curve_point(curve, data, length, &(size_t){ 0 }))
		return NULL;
	if (attributes_set_ulong(&peer, CKA_CLASS, CKO_PUBLIC_KEY) == CKR_OK &&
	    attributes_set_ulong(&peer, CKA_KEY_TYPE, base->type) == CKR_OK &&
	    attributes_set(&peer, CKA_EC_PARAMS, params->value, params->length) == CKR_OK &&
	    attributes_set(&peer, CKA_EC_POINT, data, length) == CKR_OK)
		pkey = mech_pkey_from(&peer);
	attributes_free(&peer);
	return pkey;
}

static CK_RV agree(struct key *base, EVP_PKEY *peer, uint8_t secret[SHARED_MAX], size_t *length)
{
	EVP_PKEY *pkey = key_pkey(base);
	EVP_PKEY_CTX *ctx = pkey ? EVP_PKEY_CTX_new_from_pkey(mech_libctx(), pkey, NULL) : NULL;
	bool ok;

	*length = SHARED_MAX;
	ok = ctx && EVP_PKEY_derive_init(ctx) > 0 && EVP_PKEY_derive_set_peer(ctx, peer) > 0 &&
	     EVP_PKEY_derive(ctx, secret, length) > 0;
	EVP_PKEY_CTX_free(ctx);
	return ok ? CKR_OK : mech_failed(CKR_MECHANISM_PARAM_INVALID);
}

/* X9.63, or the single-step function of SP 800-56A, with the same inputs */
static CK_RV shared_kdf(const struct mech_hash *hash, bool sp800, const uint8_t *secret,
			size_t secret_length, const uint8_t *info, size_t info_length, uint8_t *out,
			size_t length)
{
	OSSL_PARAM params[4];
	unsigned int n = 0;

	params[n++] =
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)hash->name, 0);
	params[n++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret,
							secret_length);
	if (info_length)
		params[n++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info,
								info_length);
	params[n] = OSSL_PARAM_construct_end();
	return mech_kdf_run(sp800 ? "SSKDF" : "X963KDF", params, out, length);
}

static CK_RV ecdh_output(const struct mechanism *mechanism, const uint8_t *secret,
			 size_t secret_length, struct attributes *attributes)
{
	uint64_t kdf = hsm_fields_u64(mechanism->fields, HSM_FIELD_KDF, 0);
	size_t shared_length, length;
	const uint8_t *shared =
		hsm_fields_bytes(mechanism->fields, HSM_FIELD_SHARED, &shared_length);
	const struct mech_hash *hash;
	uint8_t out[MECH_DERIVED_MAX];
	bool sp800;
	CK_RV rv;

	if (kdf == CKD_NULL)
		return shared_length ? CKR_MECHANISM_PARAM_INVALID
				     : mech_secret_derived(attributes, secret, secret_length);
	hash = mech_hash_by_kdf(kdf, &sp800);
	if (!hash)
		return CKR_MECHANISM_PARAM_INVALID;
	rv = mech_derived_length(attributes, 0, &length);
	if (rv != CKR_OK)
		return rv;
	rv = shared_kdf(hash, sp800, secret, secret_length, shared, shared_length, out, length);
	if (rv == CKR_OK)
		rv = mech_secret_derived(attributes, out, length);
	OPENSSL_cleanse(out, sizeof(out));
	return rv;
}

CK_RV mech_agree_ecdh(const struct mechanism *mechanism, struct key *base,
		      struct attributes *attributes)
{
	size_t length, secret_length;
	const uint8_t *public = hsm_fields_bytes(mechanism->fields, HSM_FIELD_PUBLIC, &length);
	uint8_t secret[SHARED_MAX];
	EVP_PKEY *peer;
	CK_RV rv;

	if (base->class != CKO_PRIVATE_KEY)
		return CKR_KEY_TYPE_INCONSISTENT;
	peer = peer_from(base, public, length);
	if (!peer)
		return CKR_MECHANISM_PARAM_INVALID;
	rv = agree(base, peer, secret, &secret_length);
	EVP_PKEY_free(peer);
	if (rv == CKR_OK)
		rv = ecdh_output(mechanism, secret, secret_length, attributes);
	OPENSSL_cleanse(secret, sizeof(secret));
	return rv;
}
