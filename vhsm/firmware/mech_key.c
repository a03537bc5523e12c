// SPDX-License-Identifier: Apache-2.0
/*
 * Keys: their life, and what comes in from outside. Secret values: mech_secret.c. Pairs: mech_pair.c; how their attributes
 * become libcrypto's object and the other way round: mech_pkey.c.
 */
#include <stdlib.h>
#include <string.h>
#include <openssl/x509.h>
#include "mech_private.h"

/* ---- life ---- */

/* Bits of a big-endian number without its leading zeros */
static size_t number_bits(const struct attribute *number)
{
	size_t skip = 0;
	unsigned int top;

	while (number && skip < number->length && !number->value[skip])
		skip++;
	if (!number || skip == number->length)
		return 0;
	for (top = 8; !(number->value[skip] >> (top - 1)); top--)
		;
	return (number->length - skip - 1) * 8 + top;
}

static size_t key_size(const struct key *key)
{
	const struct mech_curve *curve;
	const struct mech_set *set;

	if (key->value)
		return key->value->length;
	switch (key->type) {
	case CKK_RSA:
		return number_bits(attributes_find(&key->attributes, CKA_MODULUS));
	case CKK_DH:
	case CKK_X9_42_DH:
		return number_bits(attributes_find(&key->attributes, CKA_PRIME));
	case CKK_ML_DSA:
	case CKK_ML_KEM:
	case CKK_SLH_DSA:
		set = mech_set_of(&key->attributes);
		return set ? set->public_size : 0;
	default:
		curve = mech_curve_of(&key->attributes);
		return curve ? curve->bits : 0;
	}
}

struct key *key_new(const struct attributes *attributes)
{
	struct key *key = calloc(1, sizeof(*key));

	if (!key)
		return NULL;
	if (attributes_copy(&key->attributes, attributes) != CKR_OK) {
		attributes_free(&key->attributes);
		free(key);
		return NULL;
	}
	atomic_init(&key->references, 1);
	pthread_mutex_init(&key->lock, NULL);
	key->class = attributes_ulong(attributes, CKA_CLASS, UINT64_MAX);
	key->type = attributes_ulong(attributes, CKA_KEY_TYPE, UINT64_MAX);
	if (key->class == CKO_SECRET_KEY || key->class == CKO_OTP_KEY)
		key->value = attributes_find(&key->attributes, CKA_VALUE);
	key->size = key_size(key);
	return key;
}

struct key *key_get(struct key *key)
{
	atomic_fetch_add_explicit(&key->references, 1, memory_order_relaxed);
	return key;
}

void key_put(struct key *key)
{
	if (!key || atomic_fetch_sub_explicit(&key->references, 1, memory_order_acq_rel) != 1)
		return;
	key_drop_parked(key);
	EVP_PKEY_free(atomic_load(&key->pkey));
	attributes_free(&key->attributes);
	pthread_mutex_destroy(&key->lock);
	free(key);
}

EVP_PKEY *key_pkey(struct key *key)
{
	EVP_PKEY *pkey = atomic_load_explicit(&key->pkey, memory_order_acquire);

	if (pkey)
		return pkey;
	pthread_mutex_lock(&key->lock);
	pkey = atomic_load_explicit(&key->pkey, memory_order_relaxed);
	if (!pkey) {
		pkey = mech_pkey_from(&key->attributes);
		atomic_store_explicit(&key->pkey, pkey, memory_order_release);
	}
	pthread_mutex_unlock(&key->lock);
	return pkey;
}

/* ---- import ---- */

CK_RV mech_import(struct attributes *attributes)
{
	const struct attribute *value = attributes_find(attributes, CKA_VALUE);
	uint64_t class = attributes_ulong(attributes, CKA_CLASS, UINT64_MAX);
	uint64_t type = attributes_ulong(attributes, CKA_KEY_TYPE, UINT64_MAX);
	uint8_t copy[MECH_SECRET_MAX];
	size_t length;
	CK_RV rv;

	if (class == CKO_PUBLIC_KEY || class == CKO_PRIVATE_KEY)
		return mech_import_pair(attributes, class, type);
	if (class == CKO_DOMAIN_PARAMETERS)
		return mech_dh_import(attributes, type);
	if (class != CKO_SECRET_KEY && class != CKO_OTP_KEY)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	if (!value)
		return CKR_TEMPLATE_INCOMPLETE;
	length = value->length;
	if (!mech_secret_valid(type, value->value, length) ||
	    length != attributes_ulong(attributes, CKA_VALUE_LEN, length))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	/* Setting an attribute may move the others. */
	memcpy(copy, value->value, length);
	rv = mech_secret_fill(attributes, copy, length);
	OPENSSL_cleanse(copy, sizeof(copy));
	return rv;
}
