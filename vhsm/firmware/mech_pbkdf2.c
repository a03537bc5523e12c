// SPDX-License-Identifier: Apache-2.0
/*
 * Keys from passwords: PBKDF2 (PKCS #5), by libcrypto.
 */
#include "mech_private.h"

const struct mech_hash *mech_hash_by_pbkd2(uint64_t prf)
{
	static const struct {
		uint64_t prf;
		uint64_t hash;
	} prfs[] = {
		{ CKP_PKCS5_PBKD2_HMAC_SHA1, CKM_SHA_1 },
		{ CKP_PKCS5_PBKD2_HMAC_SHA224, CKM_SHA224 },
		{ CKP_PKCS5_PBKD2_HMAC_SHA256, CKM_SHA256 },
		{ CKP_PKCS5_PBKD2_HMAC_SHA384, CKM_SHA384 },
		{ CKP_PKCS5_PBKD2_HMAC_SHA512, CKM_SHA512 },
		{ CKP_PKCS5_PBKD2_HMAC_SHA512_224, CKM_SHA512_224 },
		{ CKP_PKCS5_PBKD2_HMAC_SHA512_256, CKM_SHA512_256 },
	};

	for (size_t i = 0; i < sizeof(prfs) / sizeof(prfs[0]); i++) {
		if (prfs[i].prf == prf)
			return mech_hash_find(prfs[i].hash);
	}
	return NULL;
}

static CK_RV run(const struct mechanism *mechanism, const struct mech_hash *hash, uint8_t *out,
		 size_t length)
{
	uint64_t iterations = hsm_fields_u64(mechanism->fields, HSM_FIELD_ITERATIONS, 0);
	struct mech_part salt = mech_field(mechanism, HSM_FIELD_SALT);
	struct mech_part password = mech_field(mechanism, HSM_FIELD_PASSWORD);
	int lax = 1; /* the caller chooses salt and iterations, whatever SP 800-132 would have */
	OSSL_PARAM params[6];

	if (!iterations || iterations > MECH_PBKDF2_MAX || !salt.length || !password.length)
		return CKR_MECHANISM_PARAM_INVALID;
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)hash->name, 0);
	params[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD,
						      (void *)password.data, password.length);
	params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt.data,
						      salt.length);
	params[3] = OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_ITER, &iterations);
	params[4] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_PKCS5, &lax);
	params[5] = OSSL_PARAM_construct_end();
	return mech_kdf_run("PBKDF2", params, out, length);
}

CK_RV mech_generate_pbkdf2(const struct mechanism *mechanism, struct attributes *attributes)
{
	const struct mech_hash *hash =
		mech_hash_by_pbkd2(hsm_fields_u64(mechanism->fields, HSM_FIELD_PRF, 0));
	uint8_t out[MECH_DERIVED_MAX];
	size_t length;
	CK_RV rv;

	if (!hash)
		return CKR_MECHANISM_PARAM_INVALID;
	rv = mech_derived_length(attributes, 0, &length);
	if (rv != CKR_OK)
		return rv;
	rv = run(mechanism, hash, out, length);
	if (rv == CKR_OK)
		rv = mech_secret_leading(attributes, out, length);
	OPENSSL_cleanse(out, sizeof(out));
	return rv;
}
