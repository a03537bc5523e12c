// SPDX-License-Identifier: Apache-2.0
/*
 * Key encapsulation: ML-KEM, RSASVE (SP 800-56B, by RSA without padding), and key agreement with an ephemeral pair, which is
 * in mech_agree.c.
 */
#include <openssl/rsa.h>
#include "mech_private.h"

#define SECRET_MAX 1024 /* RSASVE's is as long as the modulus, at most 8192 bits */

static CK_RV kem_check(const struct mechanism *mechanism, uint64_t use, const struct key *key,
		       uint64_t class)
{
	CK_RV rv = mech_check_parameters(mechanism);

	if (!(mech_flags(mechanism->info) & use))
		return CKR_MECHANISM_INVALID;
	if (rv != CKR_OK)
		return rv;
	if (key->class != class)
		return CKR_KEY_TYPE_INCONSISTENT;
	return mech_check_key(mechanism->info, key);
}

static bool is_agreement(const struct mechanism *mechanism)
{
	return mechanism->info->family == MECH_FAMILY_ECDH ||
	       mechanism->info->family == MECH_FAMILY_DH;
}

/* A context for one encapsulation or decapsulation; NULL when there is none */
static EVP_PKEY_CTX *context_for(struct key *key)
{
	EVP_PKEY *pkey = key_pkey(key);
	EVP_PKEY_CTX *ctx = pkey ? EVP_PKEY_CTX_new_from_pkey(mech_libctx(), pkey, NULL) : NULL;
	int ok;

	if (!ctx)
		return NULL;
	if (key->class == CKO_PUBLIC_KEY)
		ok = EVP_PKEY_encapsulate_init(ctx, NULL);
	else
		ok = EVP_PKEY_decapsulate_init(ctx, NULL);
	/* The only one for RSA, but it must be named. */
	if (ok > 0 && key->type == CKK_RSA)
		ok = EVP_PKEY_CTX_set_kem_op(ctx, "RSASVE");
	if (ok > 0)
		return ctx;
	EVP_PKEY_CTX_free(ctx);
	return NULL;
}

static size_t ciphertext_size(const struct key *key)
{
	const struct mech_set *set = mech_set_of(&key->attributes);

	return set ? set->output : (key->size + 7) / 8;
}

CK_RV mech_encapsulate(const struct mechanism *mechanism, struct key *public_key,
		       uint8_t *ciphertext, size_t *length, struct attributes *attributes)
{
	uint8_t secret[SECRET_MAX];
	size_t secret_length = sizeof(secret);
	EVP_PKEY_CTX *ctx;
	CK_RV rv = kem_check(mechanism, CKF_ENCAPSULATE, public_key, CKO_PUBLIC_KEY);

	if (rv != CKR_OK)
		return rv;
	if (is_agreement(mechanism))
		return mech_agree_encapsulate(mechanism, public_key, ciphertext, length,
					      attributes);
	if (*length < ciphertext_size(public_key)) {
		*length = ciphertext_size(public_key);
		return CKR_BUFFER_TOO_SMALL;
	}
	ctx = context_for(public_key);
	if (!ctx || EVP_PKEY_encapsulate(ctx, ciphertext, length, secret, &secret_length) <= 0)
		rv = mech_failed(CKR_FUNCTION_FAILED);
	else
		rv = mech_secret_derived(attributes, secret, secret_length);
	EVP_PKEY_CTX_free(ctx);
	OPENSSL_cleanse(secret, sizeof(secret));
	return rv;
}

CK_RV mech_decapsulate(const struct mechanism *mechanism, struct key *private_key,
		       const uint8_t *ciphertext, size_t length, struct attributes *attributes)
{
	uint8_t secret[SECRET_MAX];
	size_t secret_length = sizeof(secret);
	EVP_PKEY_CTX *ctx;
	CK_RV rv = kem_check(mechanism, CKF_DECAPSULATE, private_key, CKO_PRIVATE_KEY);

	if (rv != CKR_OK)
		return rv;
	if (is_agreement(mechanism))
		return mech_agree_decapsulate(mechanism, private_key, ciphertext, length,
					      attributes);
	if (length != ciphertext_size(private_key))
		return CKR_ENCRYPTED_DATA_LEN_RANGE;
	ctx = context_for(private_key);
	if (!ctx)
		rv = mech_failed(CKR_FUNCTION_FAILED);
	else if (EVP_PKEY_decapsulate(ctx, secret, &secret_length, ciphertext, length) <= 0)
		rv = mech_failed(CKR_ENCRYPTED_DATA_INVALID);
	else
		rv = mech_secret_derived(attributes, secret, secret_length);
	EVP_PKEY_CTX_free(ctx);
	OPENSSL_cleanse(secret, sizeof(secret));
	return rv;
}
