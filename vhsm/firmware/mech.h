/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mechanisms: the seam between the token's semantics (sessions, objects, attribute rules: who may do what with which key)
 * and the cryptography, all of it libcrypto's. Below this line nobody checks a role or a usage attribute;
 * above it nobody touches an EVP_ function for a tenant's key.
 */
#ifndef FIRMWARE_MECH_H
#define FIRMWARE_MECH_H

#include <stdbool.h>
#include <openssl/evp.h>
#include <hsm/mechanisms.h>
#include "attributes.h"

struct task;

#define MECH_OTHER_KEYS 8	/* keys beside the base that one derivation takes */
#define MECH_MORE_KEYS	7	/* keys that one derivation gives beside the first */
#define MECH_TLS_IV_MAX 16	/* bytes of an IV that a derivation gives */

/**
 * struct mechanism - a mechanism with its parameters, as one command names it
 * @info: row of the table
 * @fields: of the command; parameter fields are read from it
 * @task: for task_cancelled() and task_set_class()
 * @salt_key: value of the key that SALT_KEY names, looked up by the caller; NULL: none
 * @other: attributes of the keys that mech_other_handles() names, in its order, looked up by the caller
 * @others: how many
 * @counter: of a one-time password, the key's own; @counted: there is one
 */
struct mechanism {
	const struct hsm_mechanism_info *info;
	const struct hsm_fields *fields;
	struct task *task;
	const struct attributes *salt_key;
	const struct attributes *other[MECH_OTHER_KEYS];
	unsigned int others;
	uint64_t counter;
	bool counted;
};

/* mech_otp_given - do the parameters of a one-time password name a counter? Return: CKR_OK, CKR_MECHANISM_PARAM_INVALID. */
CK_RV mech_otp_given(const struct hsm_fields *fields, bool *given);

/**
 * mech_other_handles - handles of keys that the parameters of a derivation name
 * Return: CKR_OK, or CKR_MECHANISM_PARAM_INVALID when there are too many or the field that names them is malformed.
 */
CK_RV mech_other_handles(const struct hsm_fields *fields, uint64_t handles[MECH_OTHER_KEYS], unsigned int *count);

/**
 * struct key - key material ready for use: the attributes and what libcrypto made of them
 *
 * Part of an object. Made lazily by mech.c, shared by operations through a reference count, freed with the last.
 */
struct key;

/* key_new - @attributes are copied. NULL when out of memory. */
struct key *key_new(const struct attributes *attributes);
struct key *key_get(struct key *key);
void key_put(struct key *key);

/* mech_start - set up the library context of the mechanisms; before the sandbox closes. Return: 0 or -EIO. */
int mech_start(void);
void mech_stop(void);

/* mech_libctx - the firmware's one OSSL_LIB_CTX: default provider, or FIPS provider, no configuration file of the system */
OSSL_LIB_CTX *mech_libctx(void);

/**
 * mech_approve - before mech_start(): use the FIPS provider, and offer what it approves
 * @module: descriptor of fips.so
 * @config: descriptor of what `openssl fipsinstall` wrote for it
 *
 * Both are read by mech_start() alone.
 */
void mech_approve(int module, int config);
bool mech_approved_mode(void);

/* mech_approved - is this mode approved, and in it the use (CKF_) of the mechanism? */
bool mech_approved(const struct hsm_mechanism_info *info, uint64_t use);

/* mech_available - does libcrypto here have the mechanism? */
bool mech_available(const struct hsm_mechanism_info *info);

/* mech_flags - CKF_ flags of what can be done with the mechanism here; 0 when it is not available */
uint64_t mech_flags(const struct hsm_mechanism_info *info);

/* ---- operations in a session ---- */

enum mech_use {
	MECH_ENCRYPT = 1, MECH_DECRYPT, MECH_DIGEST, MECH_SIGN, MECH_VERIFY, MECH_SIGN_RECOVER, MECH_VERIFY_RECOVER,
};

#define MECH_USES (MECH_VERIFY_RECOVER + 1)

struct mech_operation;

/**
 * mech_begin - start an operation
 * @operation: set on success; end it with mech_free()
 * @key: NULL for digests; a reference is taken
 *
 * Checks parameters, key type and size. Return: CKR_OK, CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID,
 * CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_SIZE_RANGE, CKR_FUNCTION_FAILED, CKR_HOST_MEMORY.
 */
CK_RV mech_begin(struct mech_operation **operation, enum mech_use use, const struct mechanism *mechanism, struct key *key);

/* mech_fits - may the key be used so at all? As mech_begin(), which reads the parameters too. */
CK_RV mech_fits(enum mech_use use, const struct hsm_mechanism_info *info, const struct key *key);

/**
 * mech_update - next part of the input
 * @out: room for the output, unused with sign, verify and digest
 * @out_length: in: room; out: bytes written, or needed with CKR_BUFFER_TOO_SMALL (then nothing has happened)
 *
 * Decryption with AEAD releases nothing before mech_final(): the plaintext is held back, within a quota.
 * Return: CKR_OK, CKR_BUFFER_TOO_SMALL, CKR_DATA_LEN_RANGE, CKR_FUNCTION_FAILED, ...
 */
CK_RV mech_update(struct mech_operation *operation, const uint8_t *in, size_t in_length, uint8_t *out, size_t *out_length);

#define MECH_IV_SIZE  16
#define MECH_TAIL_MAX 64

/**
 * mech_position - where a cipher without authentication has come to
 * @iv: with this IV, if the mechanism has one, and the last @tail bytes of the input, at most
 *	MECH_TAIL_MAX, a new operation goes on as this one does
 *
 * Return: false when libcrypto does not tell, or another operation could do what this one must not.
 */
bool mech_position(const struct mech_operation *operation, uint8_t iv[MECH_IV_SIZE], size_t *tail);

/* mech_digest_key - a secret key's value as next part of a digest */
CK_RV mech_digest_key(struct mech_operation *operation, struct key *key);

/* mech_final - end; for sign the signature, for verify use mech_verify_final(). As mech_update(). */
CK_RV mech_final(struct mech_operation *operation, uint8_t *out, size_t *out_length);
CK_RV mech_verify_final(struct mech_operation *operation, const uint8_t *signature, size_t length);

/*
 * mech_single - all input in one piece. The input of MECH_VERIFY_RECOVER is the signature, its output what was signed.
 * Return: as mech_update(), CKR_ENCRYPTED_DATA_INVALID, CKR_ENCRYPTED_DATA_LEN_RANGE.
 */
CK_RV mech_single(struct mech_operation *operation, const uint8_t *in, size_t in_length, uint8_t *out, size_t *out_length);
CK_RV mech_verify(struct mech_operation *operation, const uint8_t *in, size_t in_length, const uint8_t *signature,
		  size_t length);

/* mech_output_size - an upper bound of what final or single writes for @in_length more bytes of input */
size_t mech_output_size(const struct mech_operation *operation, size_t in_length);

/* mech_info - its mechanism */
const struct hsm_mechanism_info *mech_info(const struct mech_operation *operation);

/* mech_time_class - how long the operation's end may take (enum ihsm_time_class); more than short with private keys */
unsigned int mech_time_class(const struct mech_operation *operation);

/* mech_is_approved - mech_approved() of an operation */
bool mech_is_approved(const struct mech_operation *operation);

/* mech_free - wipe and free. NULL is allowed. */
void mech_free(struct mech_operation *operation);

/* ---- keys ---- */

/*
 * Each of these completes @attributes of an object whose template, defaults and rules the caller has settled: it adds
 * CKA_VALUE, CKA_MODULUS, CKA_EC_POINT and so on. On failure the attributes may be partly filled in; the caller frees them.
 */
CK_RV mech_generate_key(const struct mechanism *mechanism, struct attributes *attributes);
CK_RV mech_generate_pair(const struct mechanism *mechanism, struct attributes *public_key, struct attributes *private_key);

/* mech_import - check the material of C_CreateObject and add what follows from it (sizes, public parts, check value) */
CK_RV mech_import(struct attributes *attributes);

/* mech_wrap - *out_length as in mech_update(). The caller has checked that key may leave. */
CK_RV mech_wrap(const struct mechanism *mechanism, struct key *wrapping, struct key *key, uint8_t *out, size_t *out_length);

/* mech_unwrap - fills in @attributes, whose CKA_CLASS and CKA_KEY_TYPE say what to expect, then does as mech_import() */
CK_RV mech_unwrap(const struct mechanism *mechanism, struct key *wrapping, const uint8_t *in, size_t in_length,
		  struct attributes *attributes);

/* mech_public_half - into @attributes class, type and key material of the public half of a private key */
CK_RV mech_public_half(struct key *private_key, struct attributes *attributes);

/* mech_derive - fills in CKA_VALUE of a secret key, length from CKA_VALUE_LEN or the key type */
CK_RV mech_derive(const struct mechanism *mechanism, struct key *base, struct attributes *attributes);

/**
 * struct mech_derived - what a derivation gives
 * @keys: of the keys to be, settled as in mech_derive(); filled in
 * @count: of @keys
 * @iv: client's and server's, one after the other (TLS)
 * @iv_length: of both
 * @version: of the protocol that the base key names (TLS), zero: none
 */
struct mech_derived {
	struct attributes *keys;
	unsigned int count;
	uint8_t iv[2 * MECH_TLS_IV_MAX];
	size_t iv_length;
	uint8_t version[2];
};

/* mech_derive_all - mech_derive() for mechanisms that give several keys, or more than keys */
CK_RV mech_derive_all(const struct mechanism *mechanism, struct key *base, struct mech_derived *derived);

/* mech_tls_keys - which of client's and server's MAC key and key the parameters of a TLS key derivation ask for */
struct mech_tls_keys {
	bool mac;
	bool key;
};
CK_RV mech_tls_keys(const struct mechanism *mechanism, struct mech_tls_keys *keys);

/* mech_prf_key_type - type of keys for a pseudo-random function named by CKM_, which derived ones have by default */
uint64_t mech_prf_key_type(uint64_t prf);

CK_RV mech_encapsulate(const struct mechanism *mechanism, struct key *public_key, uint8_t *ciphertext, size_t *length,
		       struct attributes *attributes);
CK_RV mech_decapsulate(const struct mechanism *mechanism, struct key *private_key, const uint8_t *ciphertext, size_t length,
		       struct attributes *attributes);

/* mech_digest - @out, of EVP_MAX_MD_SIZE, gets the digest by a CKM_ of digests; false when libcrypto does not have it */
bool mech_digest(uint64_t hash, const void *in, size_t length, uint8_t *out);

/* mech_digest_size - its length, 0: no such digest */
size_t mech_digest_size(uint64_t hash);

/* ---- nonces of messages (mech_iv.c) ---- */

#define MECH_IV_MAX HSM_IV_MAX

/**
 * struct mech_iv - how a nonce comes to be
 * @generator: CKG_
 * @fixed_bits: leading bits that the caller gives
 * @length: bytes in all
 * @lasting: the key outlives the firmware
 */
struct mech_iv {
	uint64_t generator;
	uint64_t fixed_bits;
	size_t length;
	bool lasting;
};

/**
 * mech_iv_fill - make the next nonce of a key from the caller's, in place
 *
 * Return: CKR_OK, CKR_MECHANISM_PARAM_INVALID when no such nonce can be unique (too short, used up, of
 * another form than the key's before, or counted from zero for a key that lasts), CKR_DEVICE_MEMORY.
 */
CK_RV mech_iv_fill(const struct mech_iv *request, struct key *key, uint8_t *iv);

/* mech_random, mech_seed */
CK_RV mech_random(uint8_t *out, size_t length);
CK_RV mech_seed(const uint8_t *in, size_t length);

#endif /* FIRMWARE_MECH_H */
