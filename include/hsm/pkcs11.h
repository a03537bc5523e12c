/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PKCS#11 3.2 numbers and structures, on top of p11-kit's header.
 *
 * p11-kit 0.24 (Debian 12) ends at PKCS#11 2.40 and 0.25 (Debian 13) at 3.0; what has come
 * since is added here, so that the module, libhsm and the firmware share one vocabulary.
 * Numbers: OASIS PKCS#11 Specification 3.2.
 */
#ifndef HSM_PKCS11_H
#define HSM_PKCS11_H

#include <p11-kit/pkcs11.h>

/* Flags */
#ifndef CKF_ERROR_STATE
#define CKF_ERROR_STATE 0x01000000UL
#endif
#ifndef CKF_SEED_RANDOM_REQUIRED
#define CKF_SEED_RANDOM_REQUIRED 0x02000000UL
#endif
#ifndef CKF_ASYNC_SESSION_SUPPORTED
#define CKF_ASYNC_SESSION_SUPPORTED 0x04000000UL
#endif
#ifndef CKF_ASYNC_SESSION
#define CKF_ASYNC_SESSION 0x00000008UL
#endif
#ifndef CKF_MESSAGE_ENCRYPT
#define CKF_MESSAGE_ENCRYPT 0x00000002UL
#endif
#ifndef CKF_MESSAGE_DECRYPT
#define CKF_MESSAGE_DECRYPT 0x00000004UL
#endif
#ifndef CKF_MESSAGE_SIGN
#define CKF_MESSAGE_SIGN 0x00000008UL
#endif
#ifndef CKF_MESSAGE_VERIFY
#define CKF_MESSAGE_VERIFY 0x00000010UL
#endif
#ifndef CKF_MULTI_MESSAGE
#define CKF_MULTI_MESSAGE 0x00000020UL
#endif
#ifndef CKF_MULTI_MESSGE
#define CKF_MULTI_MESSGE CKF_MULTI_MESSAGE
#endif
#ifndef CKF_FIND_OBJECTS
#define CKF_FIND_OBJECTS 0x00000040UL
#endif
#ifndef CKF_EC_F_2M
#define CKF_EC_F_2M 0x00200000UL
#endif
#ifndef CKF_EC_ECPARAMETERS
#define CKF_EC_ECPARAMETERS 0x00400000UL
#endif
#ifndef CKF_EC_OID
#define CKF_EC_OID 0x00800000UL
#endif
#ifndef CKF_EC_CURVENAME
#define CKF_EC_CURVENAME 0x04000000UL
#endif
#ifndef CKF_ENCAPSULATE
#define CKF_ENCAPSULATE 0x10000000UL
#endif
#ifndef CKF_DECAPSULATE
#define CKF_DECAPSULATE 0x20000000UL
#endif
#ifndef CKF_END_OF_MESSAGE
#define CKF_END_OF_MESSAGE 0x00000001UL
#endif
#ifndef CKF_INTERFACE_FORK_SAFE
#define CKF_INTERFACE_FORK_SAFE 0x00000001UL
#endif
#ifndef CKF_HKDF_SALT_NULL
#define CKF_HKDF_SALT_NULL 0x00000001UL
#endif
#ifndef CKF_HKDF_SALT_DATA
#define CKF_HKDF_SALT_DATA 0x00000002UL
#endif
#ifndef CKF_HKDF_SALT_KEY
#define CKF_HKDF_SALT_KEY 0x00000004UL
#endif

/* Object classes */
#ifndef CKO_PROFILE
#define CKO_PROFILE 0x00000009UL
#endif
#ifndef CKO_VALIDATION
#define CKO_VALIDATION 0x0000000aUL
#endif
#ifndef CKO_TRUST
#define CKO_TRUST 0x0000000bUL
#endif

/* Parameter sets and profiles */
#ifndef CKP_INVALID_ID
#define CKP_INVALID_ID 0x00000000UL
#endif
#ifndef CKP_BASELINE_PROVIDER
#define CKP_BASELINE_PROVIDER 0x00000001UL
#endif
#ifndef CKP_EXTENDED_PROVIDER
#define CKP_EXTENDED_PROVIDER 0x00000002UL
#endif
#ifndef CKP_AUTHENTICATION_TOKEN
#define CKP_AUTHENTICATION_TOKEN 0x00000003UL
#endif
#ifndef CKP_PUBLIC_CERTIFICATES_TOKEN
#define CKP_PUBLIC_CERTIFICATES_TOKEN 0x00000004UL
#endif
#ifndef CKP_COMPLETE_PROVIDER
#define CKP_COMPLETE_PROVIDER 0x00000005UL
#endif
#ifndef CKP_HKDF_TLS_TOKEN
#define CKP_HKDF_TLS_TOKEN 0x00000006UL
#endif
#ifndef CKP_VENDOR_DEFINED
#define CKP_VENDOR_DEFINED 0x80000000UL
#endif
#ifndef CKP_PKCS5_PBKD2_HMAC_SHA1
#define CKP_PKCS5_PBKD2_HMAC_SHA1 0x00000001UL
#endif
#ifndef CKP_PKCS5_PBKD2_HMAC_GOSTR3411
#define CKP_PKCS5_PBKD2_HMAC_GOSTR3411 0x00000002UL
#endif
#ifndef CKP_PKCS5_PBKD2_HMAC_SHA224
#define CKP_PKCS5_PBKD2_HMAC_SHA224 0x00000003UL
#endif
#ifndef CKP_PKCS5_PBKD2_HMAC_SHA256
#define CKP_PKCS5_PBKD2_HMAC_SHA256 0x00000004UL
#endif
#ifndef CKP_PKCS5_PBKD2_HMAC_SHA384
#define CKP_PKCS5_PBKD2_HMAC_SHA384 0x00000005UL
#endif
#ifndef CKP_PKCS5_PBKD2_HMAC_SHA512
#define CKP_PKCS5_PBKD2_HMAC_SHA512 0x00000006UL
#endif
#ifndef CKP_PKCS5_PBKD2_HMAC_SHA512_224
#define CKP_PKCS5_PBKD2_HMAC_SHA512_224 0x00000007UL
#endif
#ifndef CKP_PKCS5_PBKD2_HMAC_SHA512_256
#define CKP_PKCS5_PBKD2_HMAC_SHA512_256 0x00000008UL
#endif
#ifndef CKP_ML_DSA_44
#define CKP_ML_DSA_44 0x00000001UL
#endif
#ifndef CKP_ML_DSA_65
#define CKP_ML_DSA_65 0x00000002UL
#endif
#ifndef CKP_ML_DSA_87
#define CKP_ML_DSA_87 0x00000003UL
#endif
#ifndef CKP_SLH_DSA_SHA2_128S
#define CKP_SLH_DSA_SHA2_128S 0x00000001UL
#endif
#ifndef CKP_SLH_DSA_SHAKE_128S
#define CKP_SLH_DSA_SHAKE_128S 0x00000002UL
#endif
#ifndef CKP_SLH_DSA_SHA2_128F
#define CKP_SLH_DSA_SHA2_128F 0x00000003UL
#endif
#ifndef CKP_SLH_DSA_SHAKE_128F
#define CKP_SLH_DSA_SHAKE_128F 0x00000004UL
#endif
#ifndef CKP_SLH_DSA_SHA2_192S
#define CKP_SLH_DSA_SHA2_192S 0x00000005UL
#endif
#ifndef CKP_SLH_DSA_SHAKE_192S
#define CKP_SLH_DSA_SHAKE_192S 0x00000006UL
#endif
#ifndef CKP_SLH_DSA_SHA2_192F
#define CKP_SLH_DSA_SHA2_192F 0x00000007UL
#endif
#ifndef CKP_SLH_DSA_SHAKE_192F
#define CKP_SLH_DSA_SHAKE_192F 0x00000008UL
#endif
#ifndef CKP_SLH_DSA_SHA2_256S
#define CKP_SLH_DSA_SHA2_256S 0x00000009UL
#endif
#ifndef CKP_SLH_DSA_SHAKE_256S
#define CKP_SLH_DSA_SHAKE_256S 0x0000000aUL
#endif
#ifndef CKP_SLH_DSA_SHA2_256F
#define CKP_SLH_DSA_SHA2_256F 0x0000000bUL
#endif
#ifndef CKP_SLH_DSA_SHAKE_256F
#define CKP_SLH_DSA_SHAKE_256F 0x0000000cUL
#endif
#ifndef CKP_ML_KEM_512
#define CKP_ML_KEM_512 0x00000001UL
#endif
#ifndef CKP_ML_KEM_768
#define CKP_ML_KEM_768 0x00000002UL
#endif
#ifndef CKP_ML_KEM_1024
#define CKP_ML_KEM_1024 0x00000003UL
#endif

/* Key types */
#ifndef CKK_CAST5
#define CKK_CAST5 0x00000018UL
#endif
#ifndef CKK_CHACHA20
#define CKK_CHACHA20 0x00000033UL
#endif
#ifndef CKK_POLY1305
#define CKK_POLY1305 0x00000034UL
#endif
#ifndef CKK_AES_XTS
#define CKK_AES_XTS 0x00000035UL
#endif
#ifndef CKK_SHA3_224_HMAC
#define CKK_SHA3_224_HMAC 0x00000036UL
#endif
#ifndef CKK_SHA3_256_HMAC
#define CKK_SHA3_256_HMAC 0x00000037UL
#endif
#ifndef CKK_SHA3_384_HMAC
#define CKK_SHA3_384_HMAC 0x00000038UL
#endif
#ifndef CKK_SHA3_512_HMAC
#define CKK_SHA3_512_HMAC 0x00000039UL
#endif
#ifndef CKK_BLAKE2B_160_HMAC
#define CKK_BLAKE2B_160_HMAC 0x0000003aUL
#endif
#ifndef CKK_BLAKE2B_256_HMAC
#define CKK_BLAKE2B_256_HMAC 0x0000003bUL
#endif
#ifndef CKK_BLAKE2B_384_HMAC
#define CKK_BLAKE2B_384_HMAC 0x0000003cUL
#endif
#ifndef CKK_BLAKE2B_512_HMAC
#define CKK_BLAKE2B_512_HMAC 0x0000003dUL
#endif
#ifndef CKK_SALSA20
#define CKK_SALSA20 0x0000003eUL
#endif
#ifndef CKK_X2RATCHET
#define CKK_X2RATCHET 0x0000003fUL
#endif
#ifndef CKK_EC_MONTGOMERY
#define CKK_EC_MONTGOMERY 0x00000041UL
#endif
#ifndef CKK_HKDF
#define CKK_HKDF 0x00000042UL
#endif
#ifndef CKK_SHA512_224_HMAC
#define CKK_SHA512_224_HMAC 0x00000043UL
#endif
#ifndef CKK_SHA512_256_HMAC
#define CKK_SHA512_256_HMAC 0x00000044UL
#endif
#ifndef CKK_SHA512_T_HMAC
#define CKK_SHA512_T_HMAC 0x00000045UL
#endif
#ifndef CKK_HSS
#define CKK_HSS 0x00000046UL
#endif
#ifndef CKK_XMSS
#define CKK_XMSS 0x00000047UL
#endif
#ifndef CKK_XMSSMT
#define CKK_XMSSMT 0x00000048UL
#endif
#ifndef CKK_ML_KEM
#define CKK_ML_KEM 0x00000049UL
#endif
#ifndef CKK_ML_DSA
#define CKK_ML_DSA 0x0000004aUL
#endif
#ifndef CKK_SLH_DSA
#define CKK_SLH_DSA 0x0000004bUL
#endif

/* Attributes */
#ifndef CKA_UNIQUE_ID
#define CKA_UNIQUE_ID 0x00000004UL
#endif
#ifndef CKA_SUBPRIME_BITS
#define CKA_SUBPRIME_BITS 0x00000134UL
#endif
#ifndef CKA_PROFILE_ID
#define CKA_PROFILE_ID 0x00000601UL
#endif
#ifndef CKA_X2RATCHET_BAG
#define CKA_X2RATCHET_BAG 0x00000602UL
#endif
#ifndef CKA_X2RATCHET_BAGSIZE
#define CKA_X2RATCHET_BAGSIZE 0x00000603UL
#endif
#ifndef CKA_X2RATCHET_BOBS1STMSG
#define CKA_X2RATCHET_BOBS1STMSG 0x00000604UL
#endif
#ifndef CKA_X2RATCHET_CKR
#define CKA_X2RATCHET_CKR 0x00000605UL
#endif
#ifndef CKA_X2RATCHET_CKS
#define CKA_X2RATCHET_CKS 0x00000606UL
#endif
#ifndef CKA_X2RATCHET_DHP
#define CKA_X2RATCHET_DHP 0x00000607UL
#endif
#ifndef CKA_X2RATCHET_DHR
#define CKA_X2RATCHET_DHR 0x00000608UL
#endif
#ifndef CKA_X2RATCHET_DHS
#define CKA_X2RATCHET_DHS 0x00000609UL
#endif
#ifndef CKA_X2RATCHET_HKR
#define CKA_X2RATCHET_HKR 0x0000060aUL
#endif
#ifndef CKA_X2RATCHET_HKS
#define CKA_X2RATCHET_HKS 0x0000060bUL
#endif
#ifndef CKA_X2RATCHET_ISALICE
#define CKA_X2RATCHET_ISALICE 0x0000060cUL
#endif
#ifndef CKA_X2RATCHET_NHKR
#define CKA_X2RATCHET_NHKR 0x0000060dUL
#endif
#ifndef CKA_X2RATCHET_NHKS
#define CKA_X2RATCHET_NHKS 0x0000060eUL
#endif
#ifndef CKA_X2RATCHET_NR
#define CKA_X2RATCHET_NR 0x0000060fUL
#endif
#ifndef CKA_X2RATCHET_NS
#define CKA_X2RATCHET_NS 0x00000610UL
#endif
#ifndef CKA_X2RATCHET_PNS
#define CKA_X2RATCHET_PNS 0x00000611UL
#endif
#ifndef CKA_X2RATCHET_RK
#define CKA_X2RATCHET_RK 0x00000612UL
#endif
#ifndef CKA_HSS_LEVELS
#define CKA_HSS_LEVELS 0x00000617UL
#endif
#ifndef CKA_HSS_LMS_TYPE
#define CKA_HSS_LMS_TYPE 0x00000618UL
#endif
#ifndef CKA_HSS_LMOTS_TYPE
#define CKA_HSS_LMOTS_TYPE 0x00000619UL
#endif
#ifndef CKA_HSS_LMS_TYPES
#define CKA_HSS_LMS_TYPES 0x0000061aUL
#endif
#ifndef CKA_HSS_LMOTS_TYPES
#define CKA_HSS_LMOTS_TYPES 0x0000061bUL
#endif
#ifndef CKA_HSS_KEYS_REMAINING
#define CKA_HSS_KEYS_REMAINING 0x0000061cUL
#endif
#ifndef CKA_PARAMETER_SET
#define CKA_PARAMETER_SET 0x0000061dUL
#endif
#ifndef CKA_OBJECT_VALIDATION_FLAGS
#define CKA_OBJECT_VALIDATION_FLAGS 0x0000061eUL
#endif
#ifndef CKA_VALIDATION_TYPE
#define CKA_VALIDATION_TYPE 0x0000061fUL
#endif
#ifndef CKA_VALIDATION_VERSION
#define CKA_VALIDATION_VERSION 0x00000620UL
#endif
#ifndef CKA_VALIDATION_LEVEL
#define CKA_VALIDATION_LEVEL 0x00000621UL
#endif
#ifndef CKA_VALIDATION_MODULE_ID
#define CKA_VALIDATION_MODULE_ID 0x00000622UL
#endif
#ifndef CKA_VALIDATION_FLAG
#define CKA_VALIDATION_FLAG 0x00000623UL
#endif
#ifndef CKA_VALIDATION_AUTHORITY_TYPE
#define CKA_VALIDATION_AUTHORITY_TYPE 0x00000624UL
#endif
#ifndef CKA_VALIDATION_COUNTRY
#define CKA_VALIDATION_COUNTRY 0x00000625UL
#endif
#ifndef CKA_VALIDATION_CERTIFICATE_IDENTIFIER
#define CKA_VALIDATION_CERTIFICATE_IDENTIFIER 0x00000626UL
#endif
#ifndef CKA_VALIDATION_CERTIFICATE_URI
#define CKA_VALIDATION_CERTIFICATE_URI 0x00000627UL
#endif
#ifndef CKA_VALIDATION_VENDOR_URI
#define CKA_VALIDATION_VENDOR_URI 0x00000628UL
#endif
#ifndef CKA_VALIDATION_PROFILE
#define CKA_VALIDATION_PROFILE 0x00000629UL
#endif
#ifndef CKA_ENCAPSULATE_TEMPLATE
#define CKA_ENCAPSULATE_TEMPLATE 0x0000062aUL
#endif
#ifndef CKA_DECAPSULATE_TEMPLATE
#define CKA_DECAPSULATE_TEMPLATE 0x0000062bUL
#endif
#ifndef CKA_TRUST_SERVER_AUTH
#define CKA_TRUST_SERVER_AUTH 0x0000062cUL
#endif
#ifndef CKA_TRUST_CLIENT_AUTH
#define CKA_TRUST_CLIENT_AUTH 0x0000062dUL
#endif
#ifndef CKA_TRUST_CODE_SIGNING
#define CKA_TRUST_CODE_SIGNING 0x0000062eUL
#endif
#ifndef CKA_TRUST_EMAIL_PROTECTION
#define CKA_TRUST_EMAIL_PROTECTION 0x0000062fUL
#endif
#ifndef CKA_TRUST_IPSEC_IKE
#define CKA_TRUST_IPSEC_IKE 0x00000630UL
#endif
#ifndef CKA_TRUST_TIME_STAMPING
#define CKA_TRUST_TIME_STAMPING 0x00000631UL
#endif
#ifndef CKA_TRUST_OCSP_SIGNING
#define CKA_TRUST_OCSP_SIGNING 0x00000632UL
#endif
#ifndef CKA_ENCAPSULATE
#define CKA_ENCAPSULATE 0x00000633UL
#endif
#ifndef CKA_DECAPSULATE
#define CKA_DECAPSULATE 0x00000634UL
#endif
#ifndef CKA_HASH_OF_CERTIFICATE
#define CKA_HASH_OF_CERTIFICATE 0x00000635UL
#endif
#ifndef CKA_PUBLIC_CRC64_VALUE
#define CKA_PUBLIC_CRC64_VALUE 0x00000636UL
#endif
#ifndef CKA_SEED
#define CKA_SEED 0x00000637UL
#endif

/* Mechanisms */
#ifndef CKM_DSA_SHA3_224
#define CKM_DSA_SHA3_224 0x00000018UL
#endif
#ifndef CKM_DSA_SHA3_256
#define CKM_DSA_SHA3_256 0x00000019UL
#endif
#ifndef CKM_DSA_SHA3_384
#define CKM_DSA_SHA3_384 0x0000001aUL
#endif
#ifndef CKM_DSA_SHA3_512
#define CKM_DSA_SHA3_512 0x0000001bUL
#endif
#ifndef CKM_SHA3_256_RSA_PKCS
#define CKM_SHA3_256_RSA_PKCS 0x00000060UL
#endif
#ifndef CKM_SHA3_384_RSA_PKCS
#define CKM_SHA3_384_RSA_PKCS 0x00000061UL
#endif
#ifndef CKM_SHA3_512_RSA_PKCS
#define CKM_SHA3_512_RSA_PKCS 0x00000062UL
#endif
#ifndef CKM_SHA3_256_RSA_PKCS_PSS
#define CKM_SHA3_256_RSA_PKCS_PSS 0x00000063UL
#endif
#ifndef CKM_SHA3_384_RSA_PKCS_PSS
#define CKM_SHA3_384_RSA_PKCS_PSS 0x00000064UL
#endif
#ifndef CKM_SHA3_512_RSA_PKCS_PSS
#define CKM_SHA3_512_RSA_PKCS_PSS 0x00000065UL
#endif
#ifndef CKM_SHA3_224_RSA_PKCS
#define CKM_SHA3_224_RSA_PKCS 0x00000066UL
#endif
#ifndef CKM_SHA3_224_RSA_PKCS_PSS
#define CKM_SHA3_224_RSA_PKCS_PSS 0x00000067UL
#endif
#ifndef CKM_SHA3_256
#define CKM_SHA3_256 0x000002b0UL
#endif
#ifndef CKM_SHA3_256_HMAC
#define CKM_SHA3_256_HMAC 0x000002b1UL
#endif
#ifndef CKM_SHA3_256_HMAC_GENERAL
#define CKM_SHA3_256_HMAC_GENERAL 0x000002b2UL
#endif
#ifndef CKM_SHA3_256_KEY_GEN
#define CKM_SHA3_256_KEY_GEN 0x000002b3UL
#endif
#ifndef CKM_SHA3_224
#define CKM_SHA3_224 0x000002b5UL
#endif
#ifndef CKM_SHA3_224_HMAC
#define CKM_SHA3_224_HMAC 0x000002b6UL
#endif
#ifndef CKM_SHA3_224_HMAC_GENERAL
#define CKM_SHA3_224_HMAC_GENERAL 0x000002b7UL
#endif
#ifndef CKM_SHA3_224_KEY_GEN
#define CKM_SHA3_224_KEY_GEN 0x000002b8UL
#endif
#ifndef CKM_SHA3_384
#define CKM_SHA3_384 0x000002c0UL
#endif
#ifndef CKM_SHA3_384_HMAC
#define CKM_SHA3_384_HMAC 0x000002c1UL
#endif
#ifndef CKM_SHA3_384_HMAC_GENERAL
#define CKM_SHA3_384_HMAC_GENERAL 0x000002c2UL
#endif
#ifndef CKM_SHA3_384_KEY_GEN
#define CKM_SHA3_384_KEY_GEN 0x000002c3UL
#endif
#ifndef CKM_SHA3_512
#define CKM_SHA3_512 0x000002d0UL
#endif
#ifndef CKM_SHA3_512_HMAC
#define CKM_SHA3_512_HMAC 0x000002d1UL
#endif
#ifndef CKM_SHA3_512_HMAC_GENERAL
#define CKM_SHA3_512_HMAC_GENERAL 0x000002d2UL
#endif
#ifndef CKM_SHA3_512_KEY_GEN
#define CKM_SHA3_512_KEY_GEN 0x000002d3UL
#endif
#ifndef CKM_SHA3_256_KEY_DERIVATION
#define CKM_SHA3_256_KEY_DERIVATION 0x00000397UL
#endif
#ifndef CKM_SHA3_224_KEY_DERIVATION
#define CKM_SHA3_224_KEY_DERIVATION 0x00000398UL
#endif
#ifndef CKM_SHA3_384_KEY_DERIVATION
#define CKM_SHA3_384_KEY_DERIVATION 0x00000399UL
#endif
#ifndef CKM_SHA3_512_KEY_DERIVATION
#define CKM_SHA3_512_KEY_DERIVATION 0x0000039aUL
#endif
#ifndef CKM_SHAKE_128_KEY_DERIVATION
#define CKM_SHAKE_128_KEY_DERIVATION 0x0000039bUL
#endif
#ifndef CKM_SHAKE_256_KEY_DERIVATION
#define CKM_SHAKE_256_KEY_DERIVATION 0x0000039cUL
#endif
#ifndef CKM_SHA3_256_KEY_DERIVE
#define CKM_SHA3_256_KEY_DERIVE CKM_SHA3_256_KEY_DERIVATION
#endif
#ifndef CKM_SHA3_224_KEY_DERIVE
#define CKM_SHA3_224_KEY_DERIVE CKM_SHA3_224_KEY_DERIVATION
#endif
#ifndef CKM_SHA3_384_KEY_DERIVE
#define CKM_SHA3_384_KEY_DERIVE CKM_SHA3_384_KEY_DERIVATION
#endif
#ifndef CKM_SHA3_512_KEY_DERIVE
#define CKM_SHA3_512_KEY_DERIVE CKM_SHA3_512_KEY_DERIVATION
#endif
#ifndef CKM_SHAKE_128_KEY_DERIVE
#define CKM_SHAKE_128_KEY_DERIVE CKM_SHAKE_128_KEY_DERIVATION
#endif
#ifndef CKM_SHAKE_256_KEY_DERIVE
#define CKM_SHAKE_256_KEY_DERIVE CKM_SHAKE_256_KEY_DERIVATION
#endif
#ifndef CKM_KEA_DERIVE
#define CKM_KEA_DERIVE 0x00001012UL
#endif
#ifndef CKM_EC_KEY_PAIR_GEN_W_EXTRA_BITS
#define CKM_EC_KEY_PAIR_GEN_W_EXTRA_BITS 0x0000140bUL
#endif
#ifndef CKM_AES_XTS
#define CKM_AES_XTS 0x00001071UL
#endif
#ifndef CKM_AES_XTS_KEY_GEN
#define CKM_AES_XTS_KEY_GEN 0x00001072UL
#endif
#ifndef CKM_CHACHA20_KEY_GEN
#define CKM_CHACHA20_KEY_GEN 0x00001225UL
#endif
#ifndef CKM_CHACHA20
#define CKM_CHACHA20 0x00001226UL
#endif
#ifndef CKM_POLY1305_KEY_GEN
#define CKM_POLY1305_KEY_GEN 0x00001227UL
#endif
#ifndef CKM_POLY1305
#define CKM_POLY1305 0x00001228UL
#endif
#ifndef CKM_DSA_PROBABILISTIC_PARAMETER_GEN
#define CKM_DSA_PROBABILISTIC_PARAMETER_GEN 0x00002003UL
#endif
#ifndef CKM_DSA_FIPS_G_GEN
#define CKM_DSA_FIPS_G_GEN 0x00002005UL
#endif
#ifndef CKM_AES_KEY_WRAP_KWP
#define CKM_AES_KEY_WRAP_KWP 0x0000210bUL
#endif
#ifndef CKM_AES_KEY_WRAP_PKCS7
#define CKM_AES_KEY_WRAP_PKCS7 0x0000210cUL
#endif
#ifndef CKM_SHA_1_KEY_GEN
#define CKM_SHA_1_KEY_GEN 0x00004003UL
#endif
#ifndef CKM_SHA224_KEY_GEN
#define CKM_SHA224_KEY_GEN 0x00004004UL
#endif
#ifndef CKM_SHA256_KEY_GEN
#define CKM_SHA256_KEY_GEN 0x00004005UL
#endif
#ifndef CKM_SHA384_KEY_GEN
#define CKM_SHA384_KEY_GEN 0x00004006UL
#endif
#ifndef CKM_SHA512_KEY_GEN
#define CKM_SHA512_KEY_GEN 0x00004007UL
#endif
#ifndef CKM_SHA512_224_KEY_GEN
#define CKM_SHA512_224_KEY_GEN 0x00004008UL
#endif
#ifndef CKM_SHA512_256_KEY_GEN
#define CKM_SHA512_256_KEY_GEN 0x00004009UL
#endif
#ifndef CKM_SHA512_T_KEY_GEN
#define CKM_SHA512_T_KEY_GEN 0x0000400aUL
#endif
#ifndef CKM_NULL
#define CKM_NULL 0x0000400bUL
#endif
#ifndef CKM_BLAKE2B_160
#define CKM_BLAKE2B_160 0x0000400cUL
#endif
#ifndef CKM_BLAKE2B_160_HMAC
#define CKM_BLAKE2B_160_HMAC 0x0000400dUL
#endif
#ifndef CKM_BLAKE2B_160_HMAC_GENERAL
#define CKM_BLAKE2B_160_HMAC_GENERAL 0x0000400eUL
#endif
#ifndef CKM_BLAKE2B_160_KEY_DERIVE
#define CKM_BLAKE2B_160_KEY_DERIVE 0x0000400fUL
#endif
#ifndef CKM_BLAKE2B_160_KEY_GEN
#define CKM_BLAKE2B_160_KEY_GEN 0x00004010UL
#endif
#ifndef CKM_BLAKE2B_256
#define CKM_BLAKE2B_256 0x00004011UL
#endif
#ifndef CKM_BLAKE2B_256_HMAC
#define CKM_BLAKE2B_256_HMAC 0x00004012UL
#endif
#ifndef CKM_BLAKE2B_256_HMAC_GENERAL
#define CKM_BLAKE2B_256_HMAC_GENERAL 0x00004013UL
#endif
#ifndef CKM_BLAKE2B_256_KEY_DERIVE
#define CKM_BLAKE2B_256_KEY_DERIVE 0x00004014UL
#endif
#ifndef CKM_BLAKE2B_256_KEY_GEN
#define CKM_BLAKE2B_256_KEY_GEN 0x00004015UL
#endif
#ifndef CKM_BLAKE2B_384
#define CKM_BLAKE2B_384 0x00004016UL
#endif
#ifndef CKM_BLAKE2B_384_HMAC
#define CKM_BLAKE2B_384_HMAC 0x00004017UL
#endif
#ifndef CKM_BLAKE2B_384_HMAC_GENERAL
#define CKM_BLAKE2B_384_HMAC_GENERAL 0x00004018UL
#endif
#ifndef CKM_BLAKE2B_384_KEY_DERIVE
#define CKM_BLAKE2B_384_KEY_DERIVE 0x00004019UL
#endif
#ifndef CKM_BLAKE2B_384_KEY_GEN
#define CKM_BLAKE2B_384_KEY_GEN 0x0000401aUL
#endif
#ifndef CKM_BLAKE2B_512
#define CKM_BLAKE2B_512 0x0000401bUL
#endif
#ifndef CKM_BLAKE2B_512_HMAC
#define CKM_BLAKE2B_512_HMAC 0x0000401cUL
#endif
#ifndef CKM_BLAKE2B_512_HMAC_GENERAL
#define CKM_BLAKE2B_512_HMAC_GENERAL 0x0000401dUL
#endif
#ifndef CKM_BLAKE2B_512_KEY_DERIVE
#define CKM_BLAKE2B_512_KEY_DERIVE 0x0000401eUL
#endif
#ifndef CKM_BLAKE2B_512_KEY_GEN
#define CKM_BLAKE2B_512_KEY_GEN 0x0000401fUL
#endif
#ifndef CKM_SALSA20
#define CKM_SALSA20 0x00004020UL
#endif
#ifndef CKM_CHACHA20_POLY1305
#define CKM_CHACHA20_POLY1305 0x00004021UL
#endif
#ifndef CKM_SALSA20_POLY1305
#define CKM_SALSA20_POLY1305 0x00004022UL
#endif
#ifndef CKM_X3DH_INITIALIZE
#define CKM_X3DH_INITIALIZE 0x00004023UL
#endif
#ifndef CKM_X3DH_RESPOND
#define CKM_X3DH_RESPOND 0x00004024UL
#endif
#ifndef CKM_X2RATCHET_INITIALIZE
#define CKM_X2RATCHET_INITIALIZE 0x00004025UL
#endif
#ifndef CKM_X2RATCHET_RESPOND
#define CKM_X2RATCHET_RESPOND 0x00004026UL
#endif
#ifndef CKM_X2RATCHET_ENCRYPT
#define CKM_X2RATCHET_ENCRYPT 0x00004027UL
#endif
#ifndef CKM_X2RATCHET_DECRYPT
#define CKM_X2RATCHET_DECRYPT 0x00004028UL
#endif
#ifndef CKM_XEDDSA
#define CKM_XEDDSA 0x00004029UL
#endif
#ifndef CKM_HKDF_DERIVE
#define CKM_HKDF_DERIVE 0x0000402aUL
#endif
#ifndef CKM_HKDF_DATA
#define CKM_HKDF_DATA 0x0000402bUL
#endif
#ifndef CKM_HKDF_KEY_GEN
#define CKM_HKDF_KEY_GEN 0x0000402cUL
#endif
#ifndef CKM_SALSA20_KEY_GEN
#define CKM_SALSA20_KEY_GEN 0x0000402dUL
#endif
#ifndef CKM_ECDSA_SHA3_224
#define CKM_ECDSA_SHA3_224 0x00001047UL
#endif
#ifndef CKM_ECDSA_SHA3_256
#define CKM_ECDSA_SHA3_256 0x00001048UL
#endif
#ifndef CKM_ECDSA_SHA3_384
#define CKM_ECDSA_SHA3_384 0x00001049UL
#endif
#ifndef CKM_ECDSA_SHA3_512
#define CKM_ECDSA_SHA3_512 0x0000104aUL
#endif
#ifndef CKM_EC_MONTGOMERY_KEY_PAIR_GEN
#define CKM_EC_MONTGOMERY_KEY_PAIR_GEN 0x00001056UL
#endif
#ifndef CKM_SP800_108_COUNTER_KDF
#define CKM_SP800_108_COUNTER_KDF 0x000003acUL
#endif
#ifndef CKM_SP800_108_FEEDBACK_KDF
#define CKM_SP800_108_FEEDBACK_KDF 0x000003adUL
#endif
#ifndef CKM_SP800_108_DOUBLE_PIPELINE_KDF
#define CKM_SP800_108_DOUBLE_PIPELINE_KDF 0x000003aeUL
#endif
#ifndef CKM_IKE2_PRF_PLUS_DERIVE
#define CKM_IKE2_PRF_PLUS_DERIVE 0x0000402eUL
#endif
#ifndef CKM_IKE_PRF_DERIVE
#define CKM_IKE_PRF_DERIVE 0x0000402fUL
#endif
#ifndef CKM_IKE1_PRF_DERIVE
#define CKM_IKE1_PRF_DERIVE 0x00004030UL
#endif
#ifndef CKM_IKE1_EXTENDED_DERIVE
#define CKM_IKE1_EXTENDED_DERIVE 0x00004031UL
#endif
#ifndef CKM_HSS_KEY_PAIR_GEN
#define CKM_HSS_KEY_PAIR_GEN 0x00004032UL
#endif
#ifndef CKM_HSS
#define CKM_HSS 0x00004033UL
#endif
#ifndef CKM_XMSS_KEY_PAIR_GEN
#define CKM_XMSS_KEY_PAIR_GEN 0x00004034UL
#endif
#ifndef CKM_XMSSMT_KEY_PAIR_GEN
#define CKM_XMSSMT_KEY_PAIR_GEN 0x00004035UL
#endif
#ifndef CKM_XMSS
#define CKM_XMSS 0x00004036UL
#endif
#ifndef CKM_XMSSMT
#define CKM_XMSSMT 0x00004037UL
#endif
#ifndef CKM_ECDH_X_AES_KEY_WRAP
#define CKM_ECDH_X_AES_KEY_WRAP 0x00004038UL
#endif
#ifndef CKM_ECDH_COF_AES_KEY_WRAP
#define CKM_ECDH_COF_AES_KEY_WRAP 0x00004039UL
#endif
#ifndef CKM_PUB_KEY_FROM_PRIV_KEY
#define CKM_PUB_KEY_FROM_PRIV_KEY 0x0000403aUL
#endif
#ifndef CKM_ML_KEM_KEY_PAIR_GEN
#define CKM_ML_KEM_KEY_PAIR_GEN 0x0000000fUL
#endif
#ifndef CKM_ML_KEM
#define CKM_ML_KEM 0x00000017UL
#endif
#ifndef CKM_ML_DSA_KEY_PAIR_GEN
#define CKM_ML_DSA_KEY_PAIR_GEN 0x0000001cUL
#endif
#ifndef CKM_ML_DSA
#define CKM_ML_DSA 0x0000001dUL
#endif
#ifndef CKM_HASH_ML_DSA
#define CKM_HASH_ML_DSA 0x0000001fUL
#endif
#ifndef CKM_HASH_ML_DSA_SHA224
#define CKM_HASH_ML_DSA_SHA224 0x00000023UL
#endif
#ifndef CKM_HASH_ML_DSA_SHA256
#define CKM_HASH_ML_DSA_SHA256 0x00000024UL
#endif
#ifndef CKM_HASH_ML_DSA_SHA384
#define CKM_HASH_ML_DSA_SHA384 0x00000025UL
#endif
#ifndef CKM_HASH_ML_DSA_SHA512
#define CKM_HASH_ML_DSA_SHA512 0x00000026UL
#endif
#ifndef CKM_HASH_ML_DSA_SHA3_224
#define CKM_HASH_ML_DSA_SHA3_224 0x00000027UL
#endif
#ifndef CKM_HASH_ML_DSA_SHA3_256
#define CKM_HASH_ML_DSA_SHA3_256 0x00000028UL
#endif
#ifndef CKM_HASH_ML_DSA_SHA3_384
#define CKM_HASH_ML_DSA_SHA3_384 0x00000029UL
#endif
#ifndef CKM_HASH_ML_DSA_SHA3_512
#define CKM_HASH_ML_DSA_SHA3_512 0x0000002aUL
#endif
#ifndef CKM_HASH_ML_DSA_SHAKE128
#define CKM_HASH_ML_DSA_SHAKE128 0x0000002bUL
#endif
#ifndef CKM_HASH_ML_DSA_SHAKE256
#define CKM_HASH_ML_DSA_SHAKE256 0x0000002cUL
#endif
#ifndef CKM_SLH_DSA_KEY_PAIR_GEN
#define CKM_SLH_DSA_KEY_PAIR_GEN 0x0000002dUL
#endif
#ifndef CKM_SLH_DSA
#define CKM_SLH_DSA 0x0000002eUL
#endif
#ifndef CKM_HASH_SLH_DSA
#define CKM_HASH_SLH_DSA 0x00000034UL
#endif
#ifndef CKM_HASH_SLH_DSA_SHA224
#define CKM_HASH_SLH_DSA_SHA224 0x00000036UL
#endif
#ifndef CKM_HASH_SLH_DSA_SHA256
#define CKM_HASH_SLH_DSA_SHA256 0x00000037UL
#endif
#ifndef CKM_HASH_SLH_DSA_SHA384
#define CKM_HASH_SLH_DSA_SHA384 0x00000038UL
#endif
#ifndef CKM_HASH_SLH_DSA_SHA512
#define CKM_HASH_SLH_DSA_SHA512 0x00000039UL
#endif
#ifndef CKM_HASH_SLH_DSA_SHA3_224
#define CKM_HASH_SLH_DSA_SHA3_224 0x0000003aUL
#endif
#ifndef CKM_HASH_SLH_DSA_SHA3_256
#define CKM_HASH_SLH_DSA_SHA3_256 0x0000003bUL
#endif
#ifndef CKM_HASH_SLH_DSA_SHA3_384
#define CKM_HASH_SLH_DSA_SHA3_384 0x0000003cUL
#endif
#ifndef CKM_HASH_SLH_DSA_SHA3_512
#define CKM_HASH_SLH_DSA_SHA3_512 0x0000003dUL
#endif
#ifndef CKM_HASH_SLH_DSA_SHAKE128
#define CKM_HASH_SLH_DSA_SHAKE128 0x0000003eUL
#endif
#ifndef CKM_HASH_SLH_DSA_SHAKE256
#define CKM_HASH_SLH_DSA_SHAKE256 0x0000003fUL
#endif
#ifndef CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE
#define CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE 0x00000056UL
#endif
#ifndef CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE_DH
#define CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE_DH 0x00000057UL
#endif

/* Return values */
#ifndef CKR_AEAD_DECRYPT_FAILED
#define CKR_AEAD_DECRYPT_FAILED 0x00000042UL
#endif
#ifndef CKR_TOKEN_RESOURCE_EXCEEDED
#define CKR_TOKEN_RESOURCE_EXCEEDED 0x00000201UL
#endif
#ifndef CKR_OPERATION_CANCEL_FAILED
#define CKR_OPERATION_CANCEL_FAILED 0x00000202UL
#endif
#ifndef CKR_KEY_EXHAUSTED
#define CKR_KEY_EXHAUSTED 0x00000203UL
#endif
#ifndef CKR_PENDING
#define CKR_PENDING 0x00000204UL
#endif
#ifndef CKR_SESSION_ASYNC_NOT_SUPPORTED
#define CKR_SESSION_ASYNC_NOT_SUPPORTED 0x00000205UL
#endif
#ifndef CKR_SEED_RANDOM_REQUIRED
#define CKR_SEED_RANDOM_REQUIRED 0x00000206UL
#endif
#ifndef CKR_OPERATION_NOT_VALIDATED
#define CKR_OPERATION_NOT_VALIDATED 0x00000207UL
#endif
#ifndef CKR_TOKEN_NOT_INITIALIZED
#define CKR_TOKEN_NOT_INITIALIZED 0x00000208UL
#endif
#ifndef CKR_PARAMETER_SET_NOT_SUPPORTED
#define CKR_PARAMETER_SET_NOT_SUPPORTED 0x00000209UL
#endif

/* Generators and mask generation functions */
#ifndef CKG_MGF1_SHA3_224
#define CKG_MGF1_SHA3_224 0x00000006UL
#endif
#ifndef CKG_MGF1_SHA3_256
#define CKG_MGF1_SHA3_256 0x00000007UL
#endif
#ifndef CKG_MGF1_SHA3_384
#define CKG_MGF1_SHA3_384 0x00000008UL
#endif
#ifndef CKG_MGF1_SHA3_512
#define CKG_MGF1_SHA3_512 0x00000009UL
#endif
#ifndef CKG_NO_GENERATE
#define CKG_NO_GENERATE 0x00000000UL
#endif
#ifndef CKG_GENERATE
#define CKG_GENERATE 0x00000001UL
#endif
#ifndef CKG_GENERATE_COUNTER
#define CKG_GENERATE_COUNTER 0x00000002UL
#endif
#ifndef CKG_GENERATE_RANDOM
#define CKG_GENERATE_RANDOM 0x00000003UL
#endif
#ifndef CKG_GENERATE_COUNTER_XOR
#define CKG_GENERATE_COUNTER_XOR 0x00000004UL
#endif

/* Key derivation functions */
#ifndef CKD_SHA3_224_KDF
#define CKD_SHA3_224_KDF 0x0000000aUL
#endif
#ifndef CKD_SHA3_256_KDF
#define CKD_SHA3_256_KDF 0x0000000bUL
#endif
#ifndef CKD_SHA3_384_KDF
#define CKD_SHA3_384_KDF 0x0000000cUL
#endif
#ifndef CKD_SHA3_512_KDF
#define CKD_SHA3_512_KDF 0x0000000dUL
#endif
#ifndef CKD_SHA1_KDF_SP800
#define CKD_SHA1_KDF_SP800 0x0000000eUL
#endif
#ifndef CKD_SHA224_KDF_SP800
#define CKD_SHA224_KDF_SP800 0x0000000fUL
#endif
#ifndef CKD_SHA256_KDF_SP800
#define CKD_SHA256_KDF_SP800 0x00000010UL
#endif
#ifndef CKD_SHA384_KDF_SP800
#define CKD_SHA384_KDF_SP800 0x00000011UL
#endif
#ifndef CKD_SHA512_KDF_SP800
#define CKD_SHA512_KDF_SP800 0x00000012UL
#endif
#ifndef CKD_SHA3_224_KDF_SP800
#define CKD_SHA3_224_KDF_SP800 0x00000013UL
#endif
#ifndef CKD_SHA3_256_KDF_SP800
#define CKD_SHA3_256_KDF_SP800 0x00000014UL
#endif
#ifndef CKD_SHA3_384_KDF_SP800
#define CKD_SHA3_384_KDF_SP800 0x00000015UL
#endif
#ifndef CKD_SHA3_512_KDF_SP800
#define CKD_SHA3_512_KDF_SP800 0x00000016UL
#endif
#ifndef CKD_BLAKE2B_160_KDF
#define CKD_BLAKE2B_160_KDF 0x00000017UL
#endif
#ifndef CKD_BLAKE2B_256_KDF
#define CKD_BLAKE2B_256_KDF 0x00000018UL
#endif
#ifndef CKD_BLAKE2B_384_KDF
#define CKD_BLAKE2B_384_KDF 0x00000019UL
#endif
#ifndef CKD_BLAKE2B_512_KDF
#define CKD_BLAKE2B_512_KDF 0x0000001aUL
#endif

/* Encoding parameter sources */
#ifndef CKZ_SALT_SPECIFIED
#define CKZ_SALT_SPECIFIED 0x00000001UL
#endif

/* States */
#ifndef CKS_LAST_VALIDATION_OK
#define CKS_LAST_VALIDATION_OK 0x00000001UL
#endif

/* Validation */
#ifndef CKV_AUTHORITY_TYPE_UNSPECIFIED
#define CKV_AUTHORITY_TYPE_UNSPECIFIED 0x00000000UL
#endif
#ifndef CKV_AUTHORITY_TYPE_NIST_CMVP
#define CKV_AUTHORITY_TYPE_NIST_CMVP 0x00000001UL
#endif
#ifndef CKV_AUTHORITY_TYPE_COMMON_CRITERIA
#define CKV_AUTHORITY_TYPE_COMMON_CRITERIA 0x00000002UL
#endif
#ifndef CKV_TYPE_UNSPECIFIED
#define CKV_TYPE_UNSPECIFIED 0x00000000UL
#endif
#ifndef CKV_TYPE_SOFTWARE
#define CKV_TYPE_SOFTWARE 0x00000001UL
#endif
#ifndef CKV_TYPE_HARDWARE
#define CKV_TYPE_HARDWARE 0x00000002UL
#endif
#ifndef CKV_TYPE_FIRMWARE
#define CKV_TYPE_FIRMWARE 0x00000003UL
#endif
#ifndef CKV_TYPE_HYBRID
#define CKV_TYPE_HYBRID 0x00000004UL
#endif

/* Hedging and hardware features */
#ifndef CKH_HEDGE_PREFERRED
#define CKH_HEDGE_PREFERRED 0x00000000UL
#endif
#ifndef CKH_HEDGE_REQUIRED
#define CKH_HEDGE_REQUIRED 0x00000001UL
#endif
#ifndef CKH_DETERMINISTIC_REQUIRED
#define CKH_DETERMINISTIC_REQUIRED 0x00000002UL
#endif

/* Trust */
#ifndef CK_CERTIFICATE_CATEGORY_OTHER_ENTITY
#define CK_CERTIFICATE_CATEGORY_OTHER_ENTITY 3UL
#endif
#ifndef CK_SECURITY_DOMAIN_THIRD_PARTY
#define CK_SECURITY_DOMAIN_THIRD_PARTY 3UL
#endif
#ifndef CKT_TRUST_UNKNOWN
#define CKT_TRUST_UNKNOWN 0x00000000UL
#endif
#ifndef CKT_TRUSTED
#define CKT_TRUSTED 0x00000001UL
#endif
#ifndef CKT_TRUST_ANCHOR
#define CKT_TRUST_ANCHOR 0x00000002UL
#endif
#ifndef CKT_NOT_TRUSTED
#define CKT_NOT_TRUSTED 0x00000003UL
#endif
#ifndef CKT_TRUST_MUST_VERIFY_TRUST
#define CKT_TRUST_MUST_VERIFY_TRUST 0x00000004UL
#endif

/*
 * Structures and functions since 2.40. Each block is left out where p11-kit's header has it: 0.25
 * brings those of 3.0.
 */
#ifdef __cplusplus
extern "C" {
#endif

/* The type CK_name of a pointer to the function, and its prototype */
#define HSM_FUNCTION(name, arguments) \
	typedef CK_RV (*CK_##name) arguments; \
	CK_RV name arguments

/* Head of every function list */
#define HSM_FUNCTIONS_2_40 \
	CK_VERSION version; \
	CK_C_Initialize C_Initialize; \
	CK_C_Finalize C_Finalize; \
	CK_C_GetInfo C_GetInfo; \
	CK_C_GetFunctionList C_GetFunctionList; \
	CK_C_GetSlotList C_GetSlotList; \
	CK_C_GetSlotInfo C_GetSlotInfo; \
	CK_C_GetTokenInfo C_GetTokenInfo; \
	CK_C_GetMechanismList C_GetMechanismList; \
	CK_C_GetMechanismInfo C_GetMechanismInfo; \
	CK_C_InitToken C_InitToken; \
	CK_C_InitPIN C_InitPIN; \
	CK_C_SetPIN C_SetPIN; \
	CK_C_OpenSession C_OpenSession; \
	CK_C_CloseSession C_CloseSession; \
	CK_C_CloseAllSessions C_CloseAllSessions; \
	CK_C_GetSessionInfo C_GetSessionInfo; \
	CK_C_GetOperationState C_GetOperationState; \
	CK_C_SetOperationState C_SetOperationState; \
	CK_C_Login C_Login; \
	CK_C_Logout C_Logout; \
	CK_C_CreateObject C_CreateObject; \
	CK_C_CopyObject C_CopyObject; \
	CK_C_DestroyObject C_DestroyObject; \
	CK_C_GetObjectSize C_GetObjectSize; \
	CK_C_GetAttributeValue C_GetAttributeValue; \
	CK_C_SetAttributeValue C_SetAttributeValue; \
	CK_C_FindObjectsInit C_FindObjectsInit; \
	CK_C_FindObjects C_FindObjects; \
	CK_C_FindObjectsFinal C_FindObjectsFinal; \
	CK_C_EncryptInit C_EncryptInit; \
	CK_C_Encrypt C_Encrypt; \
	CK_C_EncryptUpdate C_EncryptUpdate; \
	CK_C_EncryptFinal C_EncryptFinal; \
	CK_C_DecryptInit C_DecryptInit; \
	CK_C_Decrypt C_Decrypt; \
	CK_C_DecryptUpdate C_DecryptUpdate; \
	CK_C_DecryptFinal C_DecryptFinal; \
	CK_C_DigestInit C_DigestInit; \
	CK_C_Digest C_Digest; \
	CK_C_DigestUpdate C_DigestUpdate; \
	CK_C_DigestKey C_DigestKey; \
	CK_C_DigestFinal C_DigestFinal; \
	CK_C_SignInit C_SignInit; \
	CK_C_Sign C_Sign; \
	CK_C_SignUpdate C_SignUpdate; \
	CK_C_SignFinal C_SignFinal; \
	CK_C_SignRecoverInit C_SignRecoverInit; \
	CK_C_SignRecover C_SignRecover; \
	CK_C_VerifyInit C_VerifyInit; \
	CK_C_Verify C_Verify; \
	CK_C_VerifyUpdate C_VerifyUpdate; \
	CK_C_VerifyFinal C_VerifyFinal; \
	CK_C_VerifyRecoverInit C_VerifyRecoverInit; \
	CK_C_VerifyRecover C_VerifyRecover; \
	CK_C_DigestEncryptUpdate C_DigestEncryptUpdate; \
	CK_C_DecryptDigestUpdate C_DecryptDigestUpdate; \
	CK_C_SignEncryptUpdate C_SignEncryptUpdate; \
	CK_C_DecryptVerifyUpdate C_DecryptVerifyUpdate; \
	CK_C_GenerateKey C_GenerateKey; \
	CK_C_GenerateKeyPair C_GenerateKeyPair; \
	CK_C_WrapKey C_WrapKey; \
	CK_C_UnwrapKey C_UnwrapKey; \
	CK_C_DeriveKey C_DeriveKey; \
	CK_C_SeedRandom C_SeedRandom; \
	CK_C_GenerateRandom C_GenerateRandom; \
	CK_C_GetFunctionStatus C_GetFunctionStatus; \
	CK_C_CancelFunction C_CancelFunction; \
	CK_C_WaitForSlotEvent C_WaitForSlotEvent;

#if CRYPTOKI_VERSION_MAJOR < 3

typedef struct CK_INTERFACE {
	char *pInterfaceName;
	void *pFunctionList;
	CK_FLAGS flags;
} CK_INTERFACE, *CK_INTERFACE_PTR, **CK_INTERFACE_PTR_PTR;

HSM_FUNCTION(C_GetInterfaceList, (CK_INTERFACE_PTR pInterfacesList, CK_ULONG_PTR pulCount));
HSM_FUNCTION(C_GetInterface, (CK_UTF8CHAR_PTR pInterfaceName, CK_VERSION_PTR pVersion,
		CK_INTERFACE_PTR_PTR ppInterface, CK_FLAGS flags));
HSM_FUNCTION(C_LoginUser, (CK_SESSION_HANDLE hSession, CK_USER_TYPE userType, CK_UTF8CHAR_PTR pPin,
		CK_ULONG ulPinLen, CK_UTF8CHAR_PTR pUsername, CK_ULONG ulUsernameLen));
HSM_FUNCTION(C_SessionCancel, (CK_SESSION_HANDLE hSession, CK_FLAGS flags));
HSM_FUNCTION(C_MessageEncryptInit, (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism,
		CK_OBJECT_HANDLE hKey));
HSM_FUNCTION(C_EncryptMessage, (CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen,
		CK_BYTE_PTR pAssociatedData, CK_ULONG ulAssociatedDataLen, CK_BYTE_PTR pPlaintext,
		CK_ULONG ulPlaintextLen, CK_BYTE_PTR pCiphertext, CK_ULONG_PTR pulCiphertextLen));
HSM_FUNCTION(C_EncryptMessageBegin, (CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter,
		CK_ULONG ulParameterLen, CK_BYTE_PTR pAssociatedData, CK_ULONG ulAssociatedDataLen));
HSM_FUNCTION(C_EncryptMessageNext, (CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter,
		CK_ULONG ulParameterLen, CK_BYTE_PTR pPlaintextPart, CK_ULONG ulPlaintextPartLen,
		CK_BYTE_PTR pCiphertextPart, CK_ULONG_PTR pulCiphertextPartLen, CK_FLAGS flags));
HSM_FUNCTION(C_MessageEncryptFinal, (CK_SESSION_HANDLE hSession));
HSM_FUNCTION(C_MessageDecryptInit, (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism,
		CK_OBJECT_HANDLE hKey));
HSM_FUNCTION(C_DecryptMessage, (CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen,
		CK_BYTE_PTR pAssociatedData, CK_ULONG ulAssociatedDataLen, CK_BYTE_PTR pCiphertext,
		CK_ULONG ulCiphertextLen, CK_BYTE_PTR pPlaintext, CK_ULONG_PTR pulPlaintextLen));
HSM_FUNCTION(C_DecryptMessageBegin, (CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter,
		CK_ULONG ulParameterLen, CK_BYTE_PTR pAssociatedData, CK_ULONG ulAssociatedDataLen));
HSM_FUNCTION(C_DecryptMessageNext, (CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter,
		CK_ULONG ulParameterLen, CK_BYTE_PTR pCiphertextPart, CK_ULONG ulCiphertextPartLen,
		CK_BYTE_PTR pPlaintextPart, CK_ULONG_PTR pulPlaintextPartLen, CK_FLAGS flags));
HSM_FUNCTION(C_MessageDecryptFinal, (CK_SESSION_HANDLE hSession));
HSM_FUNCTION(C_MessageSignInit, (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism,
		CK_OBJECT_HANDLE hKey));
HSM_FUNCTION(C_SignMessage, (CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen,
		CK_BYTE_PTR pData, CK_ULONG ulDataLen, CK_BYTE_PTR pSignature, CK_ULONG_PTR pulSignatureLen));
HSM_FUNCTION(C_SignMessageBegin, (CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter,
		CK_ULONG ulParameterLen));
HSM_FUNCTION(C_SignMessageNext, (CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen,
		CK_BYTE_PTR pData, CK_ULONG ulDataLen, CK_BYTE_PTR pSignature, CK_ULONG_PTR pulSignatureLen));
HSM_FUNCTION(C_MessageSignFinal, (CK_SESSION_HANDLE hSession));
HSM_FUNCTION(C_MessageVerifyInit, (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism,
		CK_OBJECT_HANDLE hKey));
HSM_FUNCTION(C_VerifyMessage, (CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen,
		CK_BYTE_PTR pData, CK_ULONG ulDataLen, CK_BYTE_PTR pSignature, CK_ULONG ulSignatureLen));
HSM_FUNCTION(C_VerifyMessageBegin, (CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter,
		CK_ULONG ulParameterLen));
HSM_FUNCTION(C_VerifyMessageNext, (CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter,
		CK_ULONG ulParameterLen, CK_BYTE_PTR pData, CK_ULONG ulDataLen, CK_BYTE_PTR pSignature,
		CK_ULONG ulSignatureLen));
HSM_FUNCTION(C_MessageVerifyFinal, (CK_SESSION_HANDLE hSession));

typedef struct _CK_FUNCTION_LIST_3_0 {
	HSM_FUNCTIONS_2_40
	CK_C_GetInterfaceList C_GetInterfaceList;
	CK_C_GetInterface C_GetInterface;
	CK_C_LoginUser C_LoginUser;
	CK_C_SessionCancel C_SessionCancel;
	CK_C_MessageEncryptInit C_MessageEncryptInit;
	CK_C_EncryptMessage C_EncryptMessage;
	CK_C_EncryptMessageBegin C_EncryptMessageBegin;
	CK_C_EncryptMessageNext C_EncryptMessageNext;
	CK_C_MessageEncryptFinal C_MessageEncryptFinal;
	CK_C_MessageDecryptInit C_MessageDecryptInit;
	CK_C_DecryptMessage C_DecryptMessage;
	CK_C_DecryptMessageBegin C_DecryptMessageBegin;
	CK_C_DecryptMessageNext C_DecryptMessageNext;
	CK_C_MessageDecryptFinal C_MessageDecryptFinal;
	CK_C_MessageSignInit C_MessageSignInit;
	CK_C_SignMessage C_SignMessage;
	CK_C_SignMessageBegin C_SignMessageBegin;
	CK_C_SignMessageNext C_SignMessageNext;
	CK_C_MessageSignFinal C_MessageSignFinal;
	CK_C_MessageVerifyInit C_MessageVerifyInit;
	CK_C_VerifyMessage C_VerifyMessage;
	CK_C_VerifyMessageBegin C_VerifyMessageBegin;
	CK_C_VerifyMessageNext C_VerifyMessageNext;
	CK_C_MessageVerifyFinal C_MessageVerifyFinal;
} CK_FUNCTION_LIST_3_0, *CK_FUNCTION_LIST_3_0_PTR, **CK_FUNCTION_LIST_3_0_PTR_PTR;

typedef struct CK_CHACHA20_PARAMS {
	CK_BYTE *pBlockCounter;
	CK_ULONG blockCounterBits;
	CK_BYTE *pNonce;
	CK_ULONG ulNonceBits;
} CK_CHACHA20_PARAMS;

#endif /* before 3.0 */

#if CRYPTOKI_VERSION_MAJOR < 3 || (CRYPTOKI_VERSION_MAJOR == 3 && CRYPTOKI_VERSION_MINOR < 2)

typedef CK_ULONG CK_HEDGE_TYPE;
typedef CK_ULONG CK_SESSION_VALIDATION_FLAGS_TYPE;
typedef CK_FLAGS *CK_FLAGS_PTR;
typedef CK_ULONG CK_MAC_GENERAL_PARAMS;

typedef struct CK_CCM_PARAMS {
	CK_ULONG ulDataLen;
	CK_BYTE *pNonce;
	CK_ULONG ulNonceLen;
	CK_BYTE *pAAD;
	CK_ULONG ulAADLen;
	CK_ULONG ulMACLen;
} CK_CCM_PARAMS;

typedef struct CK_EDDSA_PARAMS {
	CK_BBOOL phFlag;
	CK_ULONG ulContextDataLen;
	CK_BYTE *pContextData;
} CK_EDDSA_PARAMS;

typedef struct CK_HKDF_PARAMS {
	CK_BBOOL bExtract;
	CK_BBOOL bExpand;
	CK_MECHANISM_TYPE prfHashMechanism;
	CK_ULONG ulSaltType;
	CK_BYTE *pSalt;
	CK_ULONG ulSaltLen;
	CK_OBJECT_HANDLE hSaltKey;
	CK_BYTE *pInfo;
	CK_ULONG ulInfoLen;
} CK_HKDF_PARAMS;

typedef struct CK_SIGN_ADDITIONAL_CONTEXT {
	CK_HEDGE_TYPE hedgeVariant;
	CK_BYTE *pContext;
	CK_ULONG ulContextLen;
} CK_SIGN_ADDITIONAL_CONTEXT;

typedef struct CK_HASH_SIGN_ADDITIONAL_CONTEXT {
	CK_HEDGE_TYPE hedgeVariant;
	CK_BYTE *pContext;
	CK_ULONG ulContextLen;
	CK_MECHANISM_TYPE hash;
} CK_HASH_SIGN_ADDITIONAL_CONTEXT;

typedef struct CK_ASYNC_DATA {
	CK_ULONG ulVersion;
	CK_BYTE *pValue;
	CK_ULONG ulValue;
	CK_OBJECT_HANDLE hObject;
	CK_OBJECT_HANDLE hAdditionalObject;
} CK_ASYNC_DATA, *CK_ASYNC_DATA_PTR;

HSM_FUNCTION(C_EncapsulateKey, (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism,
		CK_OBJECT_HANDLE hPublicKey, CK_ATTRIBUTE_PTR pTemplate, CK_ULONG ulAttributeCount,
		CK_BYTE_PTR pCiphertext, CK_ULONG_PTR pulCiphertextLen, CK_OBJECT_HANDLE_PTR phKey));
HSM_FUNCTION(C_DecapsulateKey, (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism,
		CK_OBJECT_HANDLE hPrivateKey, CK_ATTRIBUTE_PTR pTemplate, CK_ULONG ulAttributeCount,
		CK_BYTE_PTR pCiphertext, CK_ULONG ulCiphertextLen, CK_OBJECT_HANDLE_PTR phKey));
HSM_FUNCTION(C_VerifySignatureInit, (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism,
		CK_OBJECT_HANDLE hKey, CK_BYTE_PTR pSignature, CK_ULONG ulSignatureLen));
HSM_FUNCTION(C_VerifySignature, (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pData, CK_ULONG ulDataLen));
HSM_FUNCTION(C_VerifySignatureUpdate, (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pPart, CK_ULONG ulPartLen));
HSM_FUNCTION(C_VerifySignatureFinal, (CK_SESSION_HANDLE hSession));
HSM_FUNCTION(C_GetSessionValidationFlags, (CK_SESSION_HANDLE hSession, CK_SESSION_VALIDATION_FLAGS_TYPE type,
		CK_FLAGS_PTR pFlags));
HSM_FUNCTION(C_AsyncComplete, (CK_SESSION_HANDLE hSession, CK_UTF8CHAR_PTR pFunctionName,
		CK_ASYNC_DATA_PTR pResult));
HSM_FUNCTION(C_AsyncGetID, (CK_SESSION_HANDLE hSession, CK_UTF8CHAR_PTR pFunctionName, CK_ULONG_PTR pulID));
HSM_FUNCTION(C_AsyncJoin, (CK_SESSION_HANDLE hSession, CK_UTF8CHAR_PTR pFunctionName, CK_ULONG ulID,
		CK_BYTE_PTR pData, CK_ULONG ulData));
HSM_FUNCTION(C_WrapKeyAuthenticated, (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism,
		CK_OBJECT_HANDLE hWrappingKey, CK_OBJECT_HANDLE hKey, CK_BYTE_PTR pAssociatedData,
		CK_ULONG ulAssociatedDataLen, CK_BYTE_PTR pWrappedKey, CK_ULONG_PTR pulWrappedKeyLen));
HSM_FUNCTION(C_UnwrapKeyAuthenticated, (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism,
		CK_OBJECT_HANDLE hUnwrappingKey, CK_BYTE_PTR pWrappedKey, CK_ULONG ulWrappedKeyLen,
		CK_ATTRIBUTE_PTR pTemplate, CK_ULONG ulAttributeCount, CK_BYTE_PTR pAssociatedData,
		CK_ULONG ulAssociatedDataLen, CK_OBJECT_HANDLE_PTR phKey));

typedef struct _CK_FUNCTION_LIST_3_2 {
	HSM_FUNCTIONS_2_40
	CK_C_GetInterfaceList C_GetInterfaceList;
	CK_C_GetInterface C_GetInterface;
	CK_C_LoginUser C_LoginUser;
	CK_C_SessionCancel C_SessionCancel;
	CK_C_MessageEncryptInit C_MessageEncryptInit;
	CK_C_EncryptMessage C_EncryptMessage;
	CK_C_EncryptMessageBegin C_EncryptMessageBegin;
	CK_C_EncryptMessageNext C_EncryptMessageNext;
	CK_C_MessageEncryptFinal C_MessageEncryptFinal;
	CK_C_MessageDecryptInit C_MessageDecryptInit;
	CK_C_DecryptMessage C_DecryptMessage;
	CK_C_DecryptMessageBegin C_DecryptMessageBegin;
	CK_C_DecryptMessageNext C_DecryptMessageNext;
	CK_C_MessageDecryptFinal C_MessageDecryptFinal;
	CK_C_MessageSignInit C_MessageSignInit;
	CK_C_SignMessage C_SignMessage;
	CK_C_SignMessageBegin C_SignMessageBegin;
	CK_C_SignMessageNext C_SignMessageNext;
	CK_C_MessageSignFinal C_MessageSignFinal;
	CK_C_MessageVerifyInit C_MessageVerifyInit;
	CK_C_VerifyMessage C_VerifyMessage;
	CK_C_VerifyMessageBegin C_VerifyMessageBegin;
	CK_C_VerifyMessageNext C_VerifyMessageNext;
	CK_C_MessageVerifyFinal C_MessageVerifyFinal;
	CK_C_EncapsulateKey C_EncapsulateKey;
	CK_C_DecapsulateKey C_DecapsulateKey;
	CK_C_VerifySignatureInit C_VerifySignatureInit;
	CK_C_VerifySignature C_VerifySignature;
	CK_C_VerifySignatureUpdate C_VerifySignatureUpdate;
	CK_C_VerifySignatureFinal C_VerifySignatureFinal;
	CK_C_GetSessionValidationFlags C_GetSessionValidationFlags;
	CK_C_AsyncComplete C_AsyncComplete;
	CK_C_AsyncGetID C_AsyncGetID;
	CK_C_AsyncJoin C_AsyncJoin;
	CK_C_WrapKeyAuthenticated C_WrapKeyAuthenticated;
	CK_C_UnwrapKeyAuthenticated C_UnwrapKeyAuthenticated;
} CK_FUNCTION_LIST_3_2, *CK_FUNCTION_LIST_3_2_PTR, **CK_FUNCTION_LIST_3_2_PTR_PTR;

#endif /* before 3.2 */

#undef HSM_FUNCTION

/*
 * Ours. CKA_HSM_USE_LIMIT, given to a private or secret key when it is made, is how many operations it may start; it can
 * be lowered. CKA_HSM_USE_COUNT is how many it has started. Afterwards: CKR_KEY_EXHAUSTED. See Documentation/policy.rst.
 */
#define CKA_HSM_USE_LIMIT (CKA_VENDOR_DEFINED | 0x00485301UL)
#define CKA_HSM_USE_COUNT (CKA_VENDOR_DEFINED | 0x00485302UL)

#ifdef __cplusplus
}
#endif

#endif /* HSM_PKCS11_H */
