// SPDX-License-Identifier: Apache-2.0
/*
 * Operations of mechanisms: begin, parts, end. What is common to all stands here; what an algorithm does is in the
 * family's file, found through the table at the end of this one.
 *
 * An operation that ends is not freed but parked at its key, with the libcrypto contexts that it has set up: the next
 * one of the same mechanism starts from there. Taking and putting back is one atomic exchange, without a lock.
 */
#include <stdlib.h>
#include <string.h>
#include "mech_private.h"

static const struct mech_ops *const families[MECH_FAMILIES] = {
	[MECH_FAMILY_RSA_PKCS] = &mech_rsa_pkcs_ops,
	[MECH_FAMILY_RSA_PSS] = &mech_rsa_pss_ops,
	[MECH_FAMILY_RSA_RAW] = &mech_rsa_raw_ops,
	[MECH_FAMILY_RSA_OAEP] = &mech_rsa_oaep_ops,
	[MECH_FAMILY_ECDSA] = &mech_ecdsa_ops,
	[MECH_FAMILY_EDDSA] = &mech_eddsa_ops,
	[MECH_FAMILY_SET_SIGN] = &mech_set_sign_ops,
	[MECH_FAMILY_CIPHER] = &mech_cipher_ops,
	[MECH_FAMILY_AEAD] = &mech_aead_ops,
	[MECH_FAMILY_KEY_WRAP] = &mech_key_wrap_ops,
	[MECH_FAMILY_RSA_AES_WRAP] = &mech_rsa_aes_ops,
	[MECH_FAMILY_ECDH_AES_WRAP] = &mech_ecdh_aes_ops,
	[MECH_FAMILY_HMAC] = &mech_hmac_ops,
	[MECH_FAMILY_CMAC] = &mech_cmac_ops,
	[MECH_FAMILY_DIGEST] = &mech_digest_ops,
	[MECH_FAMILY_GMAC] = &mech_gmac_ops,
	[MECH_FAMILY_TLS_MAC] = &mech_tls_mac_ops,
	[MECH_FAMILY_OTP] = &mech_otp_ops,
	[MECH_FAMILY_POLY1305] = &mech_poly1305_ops,
	[MECH_FAMILY_CBC_MAC] = &mech_cbc_mac_ops,
	[MECH_FAMILY_CIPHER_WHOLE] = &mech_cipher_whole_ops,
};

CK_RV mech_failed(CK_RV rv)
{
	ERR_clear_error();
	return rv;
}

/* ---- held input ---- */

static CK_RV held_grow(struct mech_held *held, size_t need)
{
	size_t room = held->room ? held->room : 512;
	uint8_t *data;

	while (room < need)
		room *= 2;
	data = malloc(room);
	if (!data)
		return CKR_HOST_MEMORY;
	if (held->length)
		memcpy(data, held->data, held->length);
	if (held->data) {
		OPENSSL_cleanse(held->data, held->room);
		free(held->data);
	}
	held->data = data;
	held->room = room;
	return CKR_OK;
}

CK_RV mech_hold(struct mech_held *held, const uint8_t *in, size_t length)
{
	CK_RV rv;

	if (length > MECH_HELD_MAX - held->length)
		return CKR_DATA_LEN_RANGE;
	if (held->length + length > held->room) {
		rv = held_grow(held, held->length + length);
		if (rv != CKR_OK)
			return rv;
	}
	if (length)
		memcpy(held->data + held->length, in, length);
	held->length += length;
	return CKR_OK;
}

void mech_held_free(struct mech_held *held)
{
	if (held->data) {
		OPENSSL_cleanse(held->data, held->room);
		free(held->data);
	}
	memset(held, 0, sizeof(*held));
}

/* ---- parked operations ---- */

static void operation_destroy(struct mech_operation *operation)
{
	mech_held_free(&operation->held);
	mech_held_free(&operation->extra);
	EVP_MD_CTX_free(operation->md_ctx);
	EVP_MD_CTX_free(operation->sign_ctx);
	EVP_PKEY_CTX_free(operation->pkey_ctx);
	EVP_CIPHER_CTX_free(operation->cipher_ctx);
	EVP_MAC_CTX_free(operation->mac_ctx);
	OPENSSL_cleanse(operation, sizeof(*operation));
	free(operation);
}

/* A parked operation has no reference to its key: the key owns it. */
static void operation_park(struct mech_operation *operation)
{
	_Atomic(struct mech_operation *) *slots = operation->key->parked[operation->use];
	unsigned int i;

	for (i = 0; i < KEY_PARKED; i++) {
		struct mech_operation *empty = NULL;

		if (atomic_compare_exchange_strong(&slots[i], &empty, operation))
			return;
	}
	operation_destroy(operation);
}

static struct mech_operation *operation_unpark(struct key *key, enum mech_use use,
					       const struct hsm_mechanism_info *info)
{
	_Atomic(struct mech_operation *) *slots = key->parked[use];
	struct mech_operation *operation;
	unsigned int i;

	for (i = 0; i < KEY_PARKED; i++) {
		if (!atomic_load_explicit(&slots[i], memory_order_relaxed))
			continue;
		operation = atomic_exchange(&slots[i], NULL);
		if (!operation)
			continue;
		if (operation->info == info)
			return operation;
		/* A key that changes mechanisms makes room for what it does now. */
		operation_destroy(operation);
	}
	return NULL;
}

/* key_drop_parked - when the key goes; nobody else has it any more */
void key_drop_parked(struct key *key)
{
	struct mech_operation *operation;
	unsigned int use, i;

	for (use = 0; use < MECH_USES; use++) {
		for (i = 0; i < KEY_PARKED; i++) {
			operation = atomic_exchange(&key->parked[use][i], NULL);
			if (operation)
				operation_destroy(operation);
		}
	}
}

void mech_free(struct mech_operation *operation)
{
	struct key *key;

	if (!operation)
		return;
	key = operation->key;
	if (!key || operation->broken || !operation->prepared) {
		operation_destroy(operation);
	} else {
		mech_held_free(&operation->held);
		mech_held_free(&operation->extra);
		OPENSSL_cleanse(operation->tail, sizeof(operation->tail));
		operation_park(operation);
	}
	key_put(key);
}

/* ---- begin ---- */

/* Parameter fields that each form allows, one bit for each tag from HSM_FIELD_PARAMETER_FIRST */
#define BIT(field) (1ULL << (HSM_FIELD_##field - HSM_FIELD_PARAMETER_FIRST))

static const uint64_t parameter_fields[] = {
	[HSM_PARAM_NONE] = 0,
	[HSM_PARAM_IV] = BIT(IV),
	[HSM_PARAM_CTR] = BIT(IV) | BIT(COUNTER_BITS),
	[HSM_PARAM_CHACHA20] = BIT(IV) | BIT(COUNTER_BITS),
	[HSM_PARAM_GCM] = BIT(IV) | BIT(AAD) | BIT(TAG_BITS),
	[HSM_PARAM_CCM] = BIT(LENGTH) | BIT(IV) | BIT(AAD) | BIT(TAG_BITS),
	[HSM_PARAM_NONCE_AAD] = BIT(IV) | BIT(AAD),
	[HSM_PARAM_OPTIONAL_IV] = BIT(IV),
	[HSM_PARAM_PSS] = BIT(HASH) | BIT(MGF) | BIT(SALT_LENGTH),
	[HSM_PARAM_OAEP] = BIT(HASH) | BIT(MGF) | BIT(SOURCE),
	[HSM_PARAM_ECDH] = BIT(KDF) | BIT(SHARED) | BIT(PUBLIC),
	[HSM_PARAM_RSA_AES] = BIT(AES_BITS) | BIT(HASH) | BIT(MGF) | BIT(SOURCE),
	[HSM_PARAM_ECDH_AES] = BIT(AES_BITS) | BIT(KDF) | BIT(SHARED),
	[HSM_PARAM_PUBLIC] = BIT(PUBLIC),
	[HSM_PARAM_X9_42_DH] = BIT(KDF) | BIT(SHARED) | BIT(PUBLIC),
	[HSM_PARAM_EDDSA] = BIT(PREHASH) | BIT(CONTEXT),
	[HSM_PARAM_SIGN_CONTEXT] = BIT(HEDGE) | BIT(CONTEXT),
	[HSM_PARAM_HASH_SIGN_CONTEXT] = BIT(HEDGE) | BIT(CONTEXT) | BIT(HASH),
	[HSM_PARAM_MAC_LENGTH] = BIT(LENGTH),
	[HSM_PARAM_HKDF] = BIT(EXTRACT) | BIT(EXPAND) | BIT(HASH) | BIT(SALT) | BIT(SALT_KEY) |
			   BIT(INFO),
	[HSM_PARAM_OTP] = BIT(OTP_DATA),
	[HSM_PARAM_KEY] = BIT(SECOND_KEY),
	[HSM_PARAM_DATA] = BIT(SHARED),
	[HSM_PARAM_CBC_DATA] = BIT(IV) | BIT(SHARED),
	[HSM_PARAM_DES_CBC_DATA] = BIT(IV) | BIT(SHARED),
	[HSM_PARAM_FIRST_BIT] = BIT(FIRST_BIT),
	[HSM_PARAM_SP800_108] = BIT(PRF) | BIT(PRF_DATA) | BIT(MORE_KEYS),
	[HSM_PARAM_SP800_108_FEEDBACK] = BIT(PRF) | BIT(PRF_DATA) | BIT(MORE_KEYS) | BIT(SEED),
	[HSM_PARAM_PBKD2] = BIT(SALT) | BIT(ITERATIONS) | BIT(PRF) | BIT(PASSWORD),
	[HSM_PARAM_TLS12_MASTER] = BIT(SEED) | BIT(OTHER_SEED) | BIT(PRF),
	[HSM_PARAM_TLS12_EXTENDED] = BIT(SEED) | BIT(PRF),
	[HSM_PARAM_TLS12_KEYS] = BIT(SEED) | BIT(OTHER_SEED) | BIT(PRF) | BIT(MAC_BITS) |
				 BIT(KEY_BITS) | BIT(IV_BITS),
	[HSM_PARAM_TLS_KDF] = BIT(SEED) | BIT(OTHER_SEED) | BIT(PRF) | BIT(PRF_LABEL) | BIT(INFO),
	[HSM_PARAM_TLS_MAC] = BIT(PRF) | BIT(LENGTH) | BIT(NUMBER),
	[HSM_PARAM_IKE_PRF] = BIT(PRF) | BIT(NUMBER) | BIT(SEED) | BIT(OTHER_SEED) |
			      BIT(SECOND_KEY),
	[HSM_PARAM_IKE1_PRF] = BIT(PRF) | BIT(NUMBER) | BIT(SEED) | BIT(OTHER_SEED) |
			       BIT(SECOND_KEY) | BIT(THIRD_KEY),
	[HSM_PARAM_IKE1_EXTENDED] = BIT(PRF) | BIT(SECOND_KEY) | BIT(SHARED),
	[HSM_PARAM_IKE2_PRF_PLUS] = BIT(PRF) | BIT(SECOND_KEY) | BIT(SHARED),
};

CK_RV mech_check_parameters(const struct mechanism *mechanism)
{
	const struct hsm_fields *fields = mechanism->fields;
	uint64_t allowed = 0;
	unsigned int i, tag;

	if (mechanism->info->parameter < sizeof(parameter_fields) / sizeof(parameter_fields[0]))
		allowed = parameter_fields[mechanism->info->parameter];
	for (i = 0; i < fields->count; i++) {
		tag = fields->field[i].tag;
		if (tag < HSM_FIELD_PARAMETER_FIRST || tag > HSM_FIELD_PARAMETER_LAST)
			continue;
		if (!(allowed >> (tag - HSM_FIELD_PARAMETER_FIRST) & 1))
			return CKR_MECHANISM_PARAM_INVALID;
	}
	return CKR_OK;
}

static bool key_type_fits(const struct hsm_mechanism_info *info, const struct key *key)
{
	const struct mech_hash *hash;

	if (key->type == info->key_type)
		return true;
	switch (info->family) {
	case MECH_FAMILY_HMAC:
		hash = mech_hash_of_row(info);
		return hash && hash->hmac_key && key->type == hash->hmac_key;
	case MECH_FAMILY_HKDF:
		return key->type == CKK_GENERIC_SECRET;
	case MECH_FAMILY_DIGEST_DERIVE:
	case MECH_FAMILY_PIECES:
	case MECH_FAMILY_KBKDF:
	case MECH_FAMILY_IKE:
		/* Any secret; where a pseudo-random function is keyed with it, that one's types are asked for. */
		return key->class == CKO_SECRET_KEY;
	case MECH_FAMILY_ECDH:
		return key->type == CKK_EC_MONTGOMERY && info->mechanism == CKM_ECDH1_DERIVE;
	case MECH_FAMILY_ECDH_AES_WRAP:
		return key->type == CKK_EC_MONTGOMERY && info->mechanism == CKM_ECDH_AES_KEY_WRAP;
	case MECH_FAMILY_CIPHER:
	case MECH_FAMILY_CMAC:
	case MECH_FAMILY_CBC_MAC:
	case MECH_FAMILY_ENCRYPT_DERIVE:
		return info->key_type == CKK_DES3 && key->type == CKK_DES2;
	default:
		return false;
	}
}

CK_RV mech_check_key(const struct hsm_mechanism_info *info, const struct key *key)
{
	if (!key_type_fits(info, key))
		return CKR_KEY_TYPE_INCONSISTENT;
	if (key->size < info->min || key->size > info->max)
		return CKR_KEY_SIZE_RANGE;
	return CKR_OK;
}

/* A secret key serves both directions; of a pair each use has its half. */
static CK_RV check_class(enum mech_use use, const struct key *key)
{
	if (key->class == CKO_SECRET_KEY || key->class == CKO_OTP_KEY)
		return CKR_OK;
	if (key->class != (CK_ULONG)(mech_is_private_use(use) ? CKO_PRIVATE_KEY : CKO_PUBLIC_KEY))
		return CKR_KEY_TYPE_INCONSISTENT;
	return CKR_OK;
}

CK_RV mech_fits(enum mech_use use, const struct hsm_mechanism_info *info, const struct key *key)
{
	CK_RV rv;

	if (!mech_available(info) || !families[info->family])
		return CKR_MECHANISM_INVALID;
	if (!key != (info->key_type == HSM_NO_KEY))
		return CKR_KEY_TYPE_INCONSISTENT;
	if (!key)
		return CKR_OK;
	rv = mech_check_key(info, key);
	return rv == CKR_OK ? check_class(use, key) : rv;
}

static CK_RV begin_checks(enum mech_use use, const struct mechanism *mechanism, struct key *key)
{
	CK_RV rv = mech_fits(use, mechanism->info, key);

	return rv == CKR_OK ? mech_check_parameters(mechanism) : rv;
}

static CK_RV begin_hash(struct mech_operation *operation)
{
	const struct mech_hash *hash = operation->ops->digest ? mech_hash_of_row(operation->info)
							      : NULL;

	operation->hash = hash;
	if (!hash)
		return CKR_OK;
	if (!operation->md_ctx)
		operation->md_ctx = EVP_MD_CTX_new();
	if (!operation->md_ctx)
		return CKR_HOST_MEMORY;
	if (!mech_hash_init(operation->md_ctx, hash))
		return mech_failed(CKR_FUNCTION_FAILED);
	return CKR_OK;
}

CK_RV mech_begin_any(struct mech_operation **out, enum mech_use use,
		     const struct mechanism *mechanism, struct key *key)
{
	struct mech_operation *operation;
	CK_RV rv = begin_checks(use, mechanism, key);

	if (rv != CKR_OK)
		return rv;
	operation = key ? operation_unpark(key, use, mechanism->info) : NULL;
	if (!operation) {
		operation = calloc(1, sizeof(*operation));
		if (!operation)
			return CKR_HOST_MEMORY;
		operation->info = mechanism->info;
		operation->use = use;
		operation->ops = families[mechanism->info->family];
	}
	operation->key = key ? key_get(key) : NULL;
	operation->started = false;
	operation->count = 0;
	operation->limit = UINT64_MAX;
	operation->tail_length = 0;
	rv = operation->ops->begin(operation, mechanism);
	if (rv == CKR_OK)
		rv = begin_hash(operation);
	if (rv != CKR_OK) {
		operation->broken = true;
		mech_free(operation);
		return rv;
	}
	*out = operation;
	return CKR_OK;
}

/* The uses as CKF_ of CK_MECHANISM_INFO */
static const uint64_t use_flags[] = {
	[MECH_ENCRYPT] = CKF_ENCRYPT,
	[MECH_DECRYPT] = CKF_DECRYPT,
	[MECH_DIGEST] = CKF_DIGEST,
	[MECH_SIGN] = CKF_SIGN,
	[MECH_VERIFY] = CKF_VERIFY,
	[MECH_SIGN_RECOVER] = CKF_SIGN_RECOVER,
	[MECH_VERIFY_RECOVER] = CKF_VERIFY_RECOVER,
};

CK_RV mech_begin(struct mech_operation **operation, enum mech_use use,
		 const struct mechanism *mechanism, struct key *key)
{
	if (!(mech_flags(mechanism->info) & use_flags[use]))
		return CKR_MECHANISM_INVALID;
	return mech_begin_any(operation, use, mechanism, key);
}

bool mech_is_approved(const struct mech_operation *operation)
{
	return mech_approved(operation->info, use_flags[operation->use]);
}

/* ---- parts and end ---- */

/* In place of NULL where there is no input: neither memcpy() nor libcrypto need then be asked what they make of it. */
static const uint8_t no_input[1];

static CK_RV result(struct mech_operation *operation, CK_RV rv)
{
	if (rv != CKR_OK && rv != CKR_BUFFER_TOO_SMALL)
		operation->broken = true;
	return rv;
}

static CK_RV update(struct mech_operation *operation, const uint8_t *in, size_t in_length,
		    uint8_t *out, size_t *out_length)
{
	if (operation->ops->update)
		return operation->ops->update(operation, in, in_length, out, out_length);
	*out_length = 0;
	if (!operation->hash && operation->ops->hold_max &&
	    in_length > operation->ops->hold_max - operation->held.length)
		return CKR_DATA_LEN_RANGE;
	if (!operation->hash)
		return mech_hold(&operation->held, in, in_length);
	if (!EVP_DigestUpdate(operation->md_ctx, in, in_length))
		return mech_failed(CKR_FUNCTION_FAILED);
	return CKR_OK;
}

bool mech_position(const struct mech_operation *operation, uint8_t iv[MECH_IV_SIZE], size_t *tail)
{
	return operation->ops->position && operation->ops->position(operation, iv, tail);
}

CK_RV mech_update(struct mech_operation *operation, const uint8_t *in, size_t in_length,
		  uint8_t *out, size_t *out_length)
{
	CK_RV rv;

	/* Signing and digests write nothing, and callers may say so with NULL. */
	size_t none = 0;

	operation->started = true;
	rv = update(operation, in_length ? in : no_input, in_length, out,
		    out_length ? out_length : &none);
	return result(operation, rv);
}

CK_RV mech_digest_key(struct mech_operation *operation, struct key *key)
{
	size_t none = 0;

	if (operation->use != MECH_DIGEST)
		return CKR_OPERATION_NOT_INITIALIZED;
	if (!key->value)
		return CKR_KEY_INDIGESTIBLE;
	return mech_update(operation, key->value->value, key->value->length, NULL, &none);
}

/* The input as the family's end wants it: as it is, all that was held, or its digest in @digest. */
static CK_RV gather(struct mech_operation *operation, const uint8_t **in, size_t *in_length,
		    uint8_t digest[EVP_MAX_MD_SIZE])
{
	unsigned int length = 0;
	CK_RV rv;

	if (operation->hash) {
		if ((*in_length && !EVP_DigestUpdate(operation->md_ctx, *in, *in_length)) ||
		    !EVP_DigestFinal_ex(operation->md_ctx, digest, &length))
			return mech_failed(CKR_FUNCTION_FAILED);
		*in = digest;
		*in_length = length;
		return CKR_OK;
	}
	if (operation->ops->update || !operation->held.length)
		return CKR_OK;
	rv = mech_hold(&operation->held, *in, *in_length);
	*in = operation->held.data;
	*in_length = operation->held.length;
	return rv;
}

size_t mech_output_size(const struct mech_operation *operation, size_t in_length)
{
	if (!operation->ops->size)
		return 0;
	return operation->ops->size(operation, operation->held.length + in_length);
}

static CK_RV finish(struct mech_operation *operation, const uint8_t *in, size_t in_length,
		    uint8_t *out, size_t *out_length)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	size_t held = operation->held.length;
	CK_RV rv;

	/* Nothing may have happened when the room is too small: a digest is finished only once. */
	if (operation->ops->exact || operation->hash) {
		size_t need = mech_output_size(operation, in_length);

		if (*out_length < need) {
			*out_length = need;
			return CKR_BUFFER_TOO_SMALL;
		}
	}
	rv = gather(operation, &in, &in_length, digest);
	if (rv == CKR_OK)
		rv = operation->ops->finish(operation, in, in_length, out, out_length);
	if (rv == CKR_BUFFER_TOO_SMALL)
		operation->held.length = held;
	if (operation->hash)
		OPENSSL_cleanse(digest, sizeof(digest));
	return rv;
}

CK_RV mech_single(struct mech_operation *operation, const uint8_t *in, size_t in_length,
		  uint8_t *out, size_t *out_length)
{
	return result(operation,
		      finish(operation, in_length ? in : no_input, in_length, out, out_length));
}

CK_RV mech_final(struct mech_operation *operation, uint8_t *out, size_t *out_length)
{
	return result(operation, finish(operation, no_input, 0, out, out_length));
}

CK_RV mech_verify(struct mech_operation *operation, const uint8_t *in, size_t in_length,
		  const uint8_t *signature, size_t length)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	CK_RV rv;

	if (!operation->ops->verify)
		return CKR_FUNCTION_FAILED;
	if (!in_length)
		in = no_input;
	rv = gather(operation, &in, &in_length, digest);
	if (rv == CKR_OK)
		rv = operation->ops->verify(operation, in, in_length, signature, length);
	/* A signature that is not right says nothing against the contexts. */
	if (rv == CKR_SIGNATURE_INVALID || rv == CKR_SIGNATURE_LEN_RANGE)
		return rv;
	return result(operation, rv);
}

CK_RV mech_verify_final(struct mech_operation *operation, const uint8_t *signature, size_t length)
{
	return mech_verify(operation, NULL, 0, signature, length);
}

const struct hsm_mechanism_info *mech_info(const struct mech_operation *operation)
{
	return operation->info;
}

unsigned int mech_time_class(const struct mech_operation *operation)
{
	if (!operation->key || operation->key->class != CKO_PRIVATE_KEY)
		return IHSM_TIME_SHORT;
	switch (operation->info->family) {
	case MECH_FAMILY_ECDSA:
		return operation->key->size > 256 ? IHSM_TIME_MEDIUM : IHSM_TIME_SHORT;
	case MECH_FAMILY_EDDSA:
		return operation->key->size > 255 ? IHSM_TIME_MEDIUM : IHSM_TIME_SHORT;
	case MECH_FAMILY_SET_SIGN:
		return mech_set_of(&operation->key->attributes)->slow ? IHSM_TIME_LONG
								      : IHSM_TIME_MEDIUM;
	default:
		return IHSM_TIME_MEDIUM;
	}
}
