// SPDX-License-Identifier: Apache-2.0
/*
 * Pseudo-random functions for the derivations that libcrypto lacks or has in another form: its HMAC and CMAC, keyed
 * once and run over pieces of input. Which further keys a derivation takes is read here too.
 */
#include "mech_private.h"

static const struct hsm_mechanism_info *prf_row(uint64_t mechanism)
{
	const struct hsm_mechanism_info *info = hsm_mechanism_find(mechanism);
	const struct mech_hash *hash;

	if (!info || !mech_available(info) || info->parameter != HSM_PARAM_NONE)
		return NULL;
	if (info->family == MECH_FAMILY_CMAC)
		return info;
	hash = mech_hash_of_row(info);
	return info->family == MECH_FAMILY_HMAC && !hash->size ? info : NULL;
}

uint64_t mech_prf_key_type(uint64_t prf)
{
	const struct hsm_mechanism_info *info = prf_row(prf);
	const struct mech_hash *hash = info ? mech_hash_of_row(info) : NULL;

	if (hash && hash->hmac_key)
		return hash->hmac_key;
	return info ? info->key_type : CKK_GENERIC_SECRET;
}

static CK_RV prf_set(struct mech_prf *prf, const struct hsm_mechanism_info *info,
		     const uint8_t *key, size_t length)
{
	const struct mech_hash *hash = mech_hash_of_row(info);
	const EVP_CIPHER *cipher = hash ? NULL : mech_cipher(info, length);
	OSSL_PARAM params[2] = { OSSL_PARAM_construct_end(), OSSL_PARAM_construct_end() };

	if (!hash && !cipher)
		return CKR_KEY_SIZE_RANGE;
	if (hash)
		params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
							     (char *)hash->name, 0);
	else
		params[0] = OSSL_PARAM_construct_utf8_string(
			OSSL_MAC_PARAM_CIPHER, (char *)EVP_CIPHER_get0_name(cipher), 0);
	prf->size = hash ? mech_hash_size(hash) : (size_t)EVP_CIPHER_get_block_size(cipher);
	prf->ctx = EVP_MAC_CTX_new(hash ? mech_mac_hmac() : mech_mac_cmac());
	if (!prf->ctx)
		return CKR_HOST_MEMORY;
	if (!EVP_MAC_init(prf->ctx, key, length, params))
		return mech_failed(CKR_FUNCTION_FAILED);
	return CKR_OK;
}

CK_RV mech_prf_begin(struct mech_prf *prf, uint64_t mechanism, const uint8_t *key, size_t length)
{
	const struct hsm_mechanism_info *info = prf_row(mechanism);

	*prf = (struct mech_prf){ 0 };
	if (!info)
		return CKR_MECHANISM_PARAM_INVALID;
	return length ? prf_set(prf, info, key, length) : CKR_KEY_SIZE_RANGE;
}

CK_RV mech_prf_begin_key(struct mech_prf *prf, uint64_t mechanism, struct key *key)
{
	const struct hsm_mechanism_info *info = prf_row(mechanism);
	CK_RV rv = CKR_MECHANISM_PARAM_INVALID;

	*prf = (struct mech_prf){ 0 };
	if (info)
		rv = mech_check_key(info, key);
	return rv == CKR_OK ? prf_set(prf, info, key->value->value, key->value->length) : rv;
}

CK_RV mech_prf_run(struct mech_prf *prf, const struct mech_part *parts, size_t count,
		   uint8_t out[EVP_MAX_MD_SIZE])
{
	size_t length = EVP_MAX_MD_SIZE;
	bool ok = EVP_MAC_init(prf->ctx, NULL, 0, NULL);

	for (size_t i = 0; i < count && ok; i++)
		ok = !parts[i].length || EVP_MAC_update(prf->ctx, parts[i].data, parts[i].length);
	ok = ok && EVP_MAC_final(prf->ctx, out, &length, EVP_MAX_MD_SIZE) && length == prf->size;
	return ok ? CKR_OK : mech_failed(CKR_FUNCTION_FAILED);
}

void mech_prf_end(struct mech_prf *prf)
{
	EVP_MAC_CTX_free(prf->ctx);
	prf->ctx = NULL;
}

/* ---- input ---- */

struct mech_part mech_field(const struct mechanism *mechanism, enum hsm_field_tag tag)
{
	struct mech_part part;

	part.data = hsm_fields_bytes(mechanism->fields, tag, &part.length);
	return part;
}

struct mech_part mech_other(const struct mechanism *mechanism, unsigned int index)
{
	const struct attribute *value = NULL;

	if (index < mechanism->others)
		value = attributes_find(mechanism->other[index], CKA_VALUE);
	if (!value)
		return (struct mech_part){ NULL, 0 };
	return (struct mech_part){ value->value, value->length };
}

static CK_RV add_handle(uint64_t handle, uint64_t handles[MECH_OTHER_KEYS], unsigned int *count)
{
	if (*count == MECH_OTHER_KEYS)
		return CKR_MECHANISM_PARAM_INVALID;
	handles[(*count)++] = handle;
	return CKR_OK;
}

CK_RV mech_other_handles(const struct hsm_fields *fields, uint64_t handles[MECH_OTHER_KEYS],
			 unsigned int *count)
{
	static const enum hsm_field_tag tags[] = { HSM_FIELD_SECOND_KEY, HSM_FIELD_THIRD_KEY };
	const uint8_t *cursor, *end, *data;
	struct hsm_record record;
	CK_RV rv = CKR_OK;
	size_t length, i;
	int more = 1;

	*count = 0;
	for (i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		if (hsm_fields_find(fields, tags[i]))
			add_handle(hsm_fields_u64(fields, tags[i], 0), handles, count);
	}
	cursor = hsm_fields_bytes(fields, HSM_FIELD_PRF_DATA, &length);
	if (!cursor)
		return CKR_OK;
	for (end = cursor + length; more > 0 && rv == CKR_OK;) {
		more = hsm_records_next(&cursor, end, &record, &data);
		if (more < 0)
			return CKR_MECHANISM_PARAM_INVALID;
		if (!more || record.type != CK_SP800_108_KEY_HANDLE)
			continue;
		if (record.length != 8)
			return CKR_MECHANISM_PARAM_INVALID;
		rv = add_handle(hsm_get_le64(data), handles, count);
	}
	return rv;
}
