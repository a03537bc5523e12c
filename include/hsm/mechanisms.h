/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of mechanisms, one row each. The firmware takes from it what it offers and with which family of code,
 * the PKCS#11 module how the parameter structure becomes fields, the tools the names.
 *
 * X(mechanism, family, libcrypto name, parameter, key type, least key, largest key, flags)
 *   family	MECH_FAMILY_*: which code in vhsm/firmware/ runs it
 *   name	what libcrypto calls the algorithm or digest; a mechanism that libcrypto does not have is not offered
 *   parameter	HSM_PARAM_*: form of CK_MECHANISM.pParameter and the fields that it becomes
 *   key type	CKK_ of its keys, HSM_NO_KEY: none
 *   sizes	in the unit of CK_MECHANISM_INFO: bits for RSA and EC, bytes for AES and generic secrets
 *   flags	CKF_ of CK_MECHANISM_INFO, without the prefix, combined by HSM_CAN()
 */
#ifndef HSM_MECHANISMS_H
#define HSM_MECHANISMS_H

#include <stddef.h>
#include <stdint.h>
#include <hsm/pkcs11.h>

/* How a mechanism's parameter structure is carried in fields (hsm/wire.h). NULL and absent are told apart. */
enum hsm_parameter {
	HSM_PARAM_NONE,		/* no parameter; none is accepted */
	HSM_PARAM_IV,		/* bytes: IV */
	HSM_PARAM_CTR,		/* CK_AES_CTR_PARAMS: IV, COUNTER_BITS */
	HSM_PARAM_GCM,		/* CK_GCM_PARAMS: IV, AAD, TAG_BITS */
	HSM_PARAM_CCM,		/* CK_CCM_PARAMS: LENGTH, IV, AAD, TAG_BITS */
	HSM_PARAM_OPTIONAL_IV,	/* bytes or none: IV */
	HSM_PARAM_PSS,		/* CK_RSA_PKCS_PSS_PARAMS: HASH, MGF, SALT_LENGTH */
	HSM_PARAM_OAEP,		/* CK_RSA_PKCS_OAEP_PARAMS: HASH, MGF, SOURCE */
	HSM_PARAM_ECDH,		/* CK_ECDH1_DERIVE_PARAMS: KDF, SHARED, PUBLIC */
	HSM_PARAM_EDDSA,	/* CK_EDDSA_PARAMS or none: PREHASH, CONTEXT */
	HSM_PARAM_SIGN_CONTEXT,	/* CK_SIGN_ADDITIONAL_CONTEXT or none: HEDGE, CONTEXT */
	HSM_PARAM_HASH_SIGN_CONTEXT,	/* CK_HASH_SIGN_ADDITIONAL_CONTEXT: HEDGE, CONTEXT, HASH */
	HSM_PARAM_MAC_LENGTH,	/* CK_MAC_GENERAL_PARAMS: LENGTH */
	HSM_PARAM_HKDF,		/* CK_HKDF_PARAMS: EXTRACT, EXPAND, HASH, SALT or SALT_KEY, INFO */
	HSM_PARAM_DATA,		/* CK_KEY_DERIVATION_STRING_DATA: SHARED */
	HSM_PARAM_CBC_DATA,	/* CK_AES_CBC_ENCRYPT_DATA_PARAMS: IV, SHARED */
};

enum mech_family {
	MECH_FAMILY_RSA_GENERATE, MECH_FAMILY_RSA_PKCS, MECH_FAMILY_RSA_RAW, MECH_FAMILY_RSA_OAEP, MECH_FAMILY_RSA_PSS,
	MECH_FAMILY_EC_GENERATE, MECH_FAMILY_ECDSA, MECH_FAMILY_ECDH, MECH_FAMILY_EDDSA,
	MECH_FAMILY_ML_DSA_GENERATE, MECH_FAMILY_ML_DSA, MECH_FAMILY_ML_KEM_GENERATE, MECH_FAMILY_ML_KEM,
	MECH_FAMILY_SECRET_GENERATE, MECH_FAMILY_CIPHER, MECH_FAMILY_AEAD, MECH_FAMILY_KEY_WRAP, MECH_FAMILY_HMAC,
	MECH_FAMILY_CMAC, MECH_FAMILY_DIGEST, MECH_FAMILY_HKDF, MECH_FAMILY_CONCATENATE,
};

#define HSM_NO_KEY	(~0ULL)

/* Rows: see the head of this file. Sorted by family. */
#define HSM_MECHANISM_TABLE(X) \
	X(CKM_RSA_PKCS_KEY_PAIR_GEN, RSA_GENERATE, "RSA", NONE, CKK_RSA, 2048, 4096, GENERATE_KEY_PAIR) \
	X(CKM_RSA_PKCS, RSA_PKCS, "", NONE, CKK_RSA, 2048, 4096, SIGN | VERIFY | ENCRYPT | DECRYPT | WRAP | UNWRAP) \
	X(CKM_SHA256_RSA_PKCS, RSA_PKCS, "SHA256", NONE, CKK_RSA, 2048, 4096, SIGN | VERIFY)

/* libhsm, the firmware and the tools share the rows through these (common/mechanisms.c) */
struct hsm_mechanism_info {
	uint64_t mechanism;
	const char *name;	/* "CKM_..." */
	const char *algorithm;	/* libcrypto's name, "" for none */
	uint64_t key_type;
	uint64_t flags;
	uint32_t min;
	uint32_t max;
	uint8_t family;		/* enum mech_family */
	uint8_t parameter;	/* enum hsm_parameter */
};

/* hsm_mechanism_find - row of a mechanism, or NULL */
const struct hsm_mechanism_info *hsm_mechanism_find(uint64_t mechanism);

/* hsm_mechanism_at - row by index; NULL past the end */
const struct hsm_mechanism_info *hsm_mechanism_at(size_t index);

#endif /* HSM_MECHANISMS_H */
