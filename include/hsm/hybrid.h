/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealing to a key pair of P-384 and ML-KEM-1024 together: whoever wants to open it has to break both.
 * HPKE (RFC 9180) of libcrypto, mode PSK, whose pre-shared key is the secret that ML-KEM encapsulates.
 * Used for import keys of partitions and for the custodians of backups.
 */
#ifndef HSM_HYBRID_H
#define HSM_HYBRID_H

#include <stddef.h>
#include <stdint.h>
#include <openssl/evp.h>

#define HSM_HYBRID_EC_PUBLIC	97	/* a point of P-384, uncompressed */
#define HSM_HYBRID_KEM_PUBLIC	1568	/* FIPS 203, ML-KEM-1024; a ciphertext is as long */
#define HSM_HYBRID_PUBLIC	(HSM_HYBRID_EC_PUBLIC + HSM_HYBRID_KEM_PUBLIC)
#define HSM_HYBRID_EC_PRIVATE	48
#define HSM_HYBRID_KEM_SEED	64	/* d and z */
#define HSM_HYBRID_PRIVATE	(HSM_HYBRID_EC_PRIVATE + HSM_HYBRID_KEM_SEED)

/* What sealing adds: HPKE's encapsulated key, the ciphertext of ML-KEM, a tag */
#define HSM_HYBRID_OVERHEAD	(HSM_HYBRID_EC_PUBLIC + HSM_HYBRID_KEM_PUBLIC + 16)

/* struct hsm_hybrid - both keys, private or public */
struct hsm_hybrid {
	EVP_PKEY *ec;
	EVP_PKEY *kem;
};

/*
 * All return 0 or a negative errno: -EOPNOTSUPP where libcrypto has no HPKE (before 3.2) or no ML-KEM (before 3.5),
 * -EINVAL for a key that is none, -EIO. hsm_hybrid_free() is due after each that fills in a key.
 */
int hsm_hybrid_generate(OSSL_LIB_CTX *libctx, struct hsm_hybrid *key);
int hsm_hybrid_from_public(OSSL_LIB_CTX *libctx, const uint8_t bytes[HSM_HYBRID_PUBLIC], struct hsm_hybrid *key);
int hsm_hybrid_from_private(OSSL_LIB_CTX *libctx, const uint8_t bytes[HSM_HYBRID_PRIVATE], struct hsm_hybrid *key);
int hsm_hybrid_public(const struct hsm_hybrid *key, uint8_t bytes[HSM_HYBRID_PUBLIC]);
int hsm_hybrid_private(const struct hsm_hybrid *key, uint8_t bytes[HSM_HYBRID_PRIVATE]);
void hsm_hybrid_free(struct hsm_hybrid *key);

/* hsm_hybrid_available - 0, or -EOPNOTSUPP: what libcrypto has here does not suffice */
int hsm_hybrid_available(OSSL_LIB_CTX *libctx);

/**
 * hsm_hybrid_seal - seal to a public key
 * @info: what it is about; opens with the same alone. At most 1024 bytes
 * @out: @length + HSM_HYBRID_OVERHEAD bytes
 */
int hsm_hybrid_seal(OSSL_LIB_CTX *libctx, const struct hsm_hybrid *key, const uint8_t *info, size_t info_length,
		    const uint8_t *plain, size_t length, uint8_t *out);

/**
 * hsm_hybrid_open - undo hsm_hybrid_seal()
 * @plain: @length - HSM_HYBRID_OVERHEAD bytes, wiped when it fails
 *
 * Return: also -EBADMSG: not sealed to this key and @info, or changed.
 */
int hsm_hybrid_open(OSSL_LIB_CTX *libctx, const struct hsm_hybrid *key, const uint8_t *info, size_t info_length,
		    const uint8_t *sealed, size_t length, uint8_t *plain);

#endif /* HSM_HYBRID_H */
