// SPDX-License-Identifier: Apache-2.0
/*
 * Key derivation: HKDF. What comes out is never shorter than a floor (mech_secret_derived()). Agreement on a secret with
 * another party is in mech_agree.c.
 */
#include <string.h>
#include "mech_private.h"

CK_RV mech_derived_length(const struct attributes *attributes, size_t fallback, size_t *length)
{
	CK_RV rv = mech_secret_length(attributes, length);

	if (rv != CKR_OK)
		return rv;
	if (!*length)
		*length = fallback;
	if (!*length)
		return CKR_TEMPLATE_INCOMPLETE;
	return *length < MECH_DERIVED_MIN || *length > MECH_DERIVED_MAX
		       ? CKR_ATTRIBUTE_VALUE_INVALID
		       : CKR_OK;
}

CK_RV mech_kdf_run(const char *name, const OSSL_PARAM *params, uint8_t *out, size_t length)
{
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(mech_kdf(name));
	bool ok = ctx && EVP_KDF_derive(ctx, out, length, params) > 0;

	EVP_KDF_CTX_free(ctx);
	return ok ? CKR_OK : mech_failed(CKR_FUNCTION_FAILED);
}

/* ---- HKDF ---- */

static CK_RV hkdf_salt(const struct mechanism *mechanism, const uint8_t **salt, size_t *length)
{
	const struct attribute *key = NULL;

	*salt = hsm_fields_bytes(mechanism->fields, HSM_FIELD_SALT, length);
	if (!hsm_fields_find(mechanism->fields, HSM_FIELD_SALT_KEY))
		return CKR_OK;
	if (mechanism->salt_key)
		key = attributes_find(mechanism->salt_key, CKA_VALUE);
	if (!key || *length)
		return CKR_MECHANISM_PARAM_INVALID;
	*salt = key->value;
	*length = key->length;
	return CKR_OK;
}

/* CKM_HKDF_DATA gives what anybody may read. Whose key may be read from, the caller has checked. */
static CK_RV data_end(struct attributes *object, const uint8_t *out, size_t length)
{
	attributes_remove(object, CKA_VALUE_LEN);
	return attributes_set(object, CKA_VALUE, out, length);
}

static CK_RV hkdf_length(const struct mech_hash *hash, bool expand,
			 const struct attributes *attributes, size_t *length)
{
	size_t digest = (size_t)EVP_MD_get_size(mech_hash_md(hash));
	CK_RV rv;

	*length = attributes_ulong(attributes, CKA_VALUE_LEN, digest);
	if (attributes_ulong(attributes, CKA_CLASS, CKO_SECRET_KEY) == CKO_DATA)
		rv = *length && *length <= MECH_DERIVED_MAX ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID;
	else
		rv = mech_derived_length(attributes, digest, length);

	if (rv != CKR_OK)
		return rv;
	/* Extracting gives one digest; expanding up to 255 of them (RFC 5869). */
	return *length > (expand ? 255 * digest : digest) ? CKR_ATTRIBUTE_VALUE_INVALID : CKR_OK;
}

static CK_RV derive_hkdf(const struct mechanism *mechanism, struct key *base,
			 struct mech_derived *derived)
{
	struct attributes *attributes = &derived->keys[0];
	bool data = mechanism->info->mechanism == CKM_HKDF_DATA;
	const struct mech_hash *hash =
		mech_hash_find(hsm_fields_u64(mechanism->fields, HSM_FIELD_HASH, UINT64_MAX));
	bool extract = hsm_fields_u64(mechanism->fields, HSM_FIELD_EXTRACT, 0);
	bool expand = hsm_fields_u64(mechanism->fields, HSM_FIELD_EXPAND, 0);
	int mode = extract && expand ? EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND
		   : extract	     ? EVP_KDF_HKDF_MODE_EXTRACT_ONLY
				     : EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	size_t salt_length, info_length, length, made;
	const uint8_t *info = hsm_fields_bytes(mechanism->fields, HSM_FIELD_INFO, &info_length);
	const uint8_t *salt;
	uint8_t out[MECH_DERIVED_MAX];
	OSSL_PARAM params[6];
	unsigned int n = 0;
	CK_RV rv;

	if (!hash || !(extract || expand) || base->class != CKO_SECRET_KEY)
		return CKR_MECHANISM_PARAM_INVALID;
	if (data != (attributes_ulong(attributes, CKA_CLASS, CKO_SECRET_KEY) == CKO_DATA))
		return CKR_TEMPLATE_INCONSISTENT;
	rv = hkdf_salt(mechanism, &salt, &salt_length);
	if (rv == CKR_OK)
		rv = hkdf_length(hash, expand, attributes, &length);
	if (rv != CKR_OK)
		return rv;
	params[n++] =
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)hash->name, 0);
	params[n++] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
	params[n++] = OSSL_PARAM_construct_octet_string(
		OSSL_KDF_PARAM_KEY, (void *)base->value->value, base->value->length);
	if (extract && salt_length)
		params[n++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt,
								salt_length);
	if (expand && info_length)
		params[n++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info,
								info_length);
	params[n] = OSSL_PARAM_construct_end();
	/* Extracting alone writes the whole digest. */
	made = expand ? length : (size_t)EVP_MD_get_size(mech_hash_md(hash));
	rv = mech_kdf_run("HKDF", params, out, made);
	if (rv == CKR_OK)
		rv = data ? data_end(attributes, out, length)
			  : mech_secret_derived(attributes, out, made);
	OPENSSL_cleanse(out, sizeof(out));
	return rv;
}

static CK_RV derive_agreement(const struct mechanism *mechanism, struct key *base,
			      struct mech_derived *derived)
{
	return mech_agree_derive(mechanism, base, &derived->keys[0]);
}

/* ---- the families ---- */

static CK_RV (*const derivations[MECH_FAMILIES])(const struct mechanism *mechanism,
						 struct key *base, struct mech_derived *derived) = {
	[MECH_FAMILY_ECDH] = derive_agreement,
	[MECH_FAMILY_DH] = derive_agreement,
	[MECH_FAMILY_HKDF] = derive_hkdf,
	[MECH_FAMILY_DIGEST_DERIVE] = mech_derive_digest,
	[MECH_FAMILY_PIECES] = mech_derive_pieces,
	[MECH_FAMILY_ENCRYPT_DERIVE] = mech_derive_encrypt,
	[MECH_FAMILY_KBKDF] = mech_derive_kbkdf,
	[MECH_FAMILY_TLS] = mech_derive_tls,
	[MECH_FAMILY_IKE] = mech_derive_ike,
};

/* Several keys from one call are for those that say so. */
static bool gives_several(const struct mechanism *mechanism)
{
	return mechanism->info->family == MECH_FAMILY_KBKDF ||
	       mechanism->info->parameter == HSM_PARAM_TLS12_KEYS;
}

CK_RV mech_derive_all(const struct mechanism *mechanism, struct key *base,
		      struct mech_derived *derived)
{
	const struct hsm_mechanism_info *info = mechanism->info;
	CK_RV rv;

	if (!(mech_flags(info) & CKF_DERIVE) || !derivations[info->family])
		return CKR_MECHANISM_INVALID;
	rv = mech_check_key(info, base);
	if (rv == CKR_OK)
		rv = mech_check_parameters(mechanism);
	if (rv != CKR_OK)
		return rv;
	if (derivations[info->family] != derive_agreement && !base->value)
		return CKR_KEY_TYPE_INCONSISTENT;
	if (!derived->count || (derived->count > 1 && !gives_several(mechanism)))
		return CKR_MECHANISM_PARAM_INVALID;
	return derivations[info->family](mechanism, base, derived);
}

CK_RV mech_derive(const struct mechanism *mechanism, struct key *base,
		  struct attributes *attributes)
{
	struct mech_derived derived = { .keys = attributes, .count = 1 };

	return mech_derive_all(mechanism, base, &derived);
}
