/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COSE_Sign (RFC 9052, 4.1) over libcrypto's signatures, and careful reading of CBOR: what signed
 * bundles, evidence, audit exports, approvals and receipts have in common.
 */
#ifndef HSM_COSE_H
#define HSM_COSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cbor.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#define HSM_COSE_MAX	     (1U << 20) /* bytes of a message that is read */
#define HSM_COSE_MAX_SIGNERS 16
#define HSM_COSE_MAX_CHAIN   10 /* certificates of one signer */

/* COSE algorithms (IANA registry; ML-DSA: RFC 9964) */
enum hsm_cose_algorithm {
	HSM_COSE_ES256 = -7,
	HSM_COSE_EDDSA = -8,
	HSM_COSE_ES384 = -35,
	HSM_COSE_ES512 = -36,
	HSM_COSE_ML_DSA_44 = -48,
	HSM_COSE_ML_DSA_65 = -49,
	HSM_COSE_ML_DSA_87 = -50,
};

/**
 * struct hsm_cose_signer - who signs
 * @key: private key; its type decides the algorithm
 * @chain: certificates, the signer's own first, for header x5chain (RFC 9360); NULL: none
 * @kid: for header kid; NULL: none
 * @kid_length: bytes of it
 */
struct hsm_cose_signer {
	EVP_PKEY *key;
	STACK_OF(X509) * chain;
	const uint8_t *kid;
	size_t kid_length;
};

/**
 * hsm_cose_algorithm - the algorithm by which a key signs here
 * Return: a negative number of enum hsm_cose_algorithm, or 0 when there is none.
 */
int hsm_cose_algorithm(EVP_PKEY *key);

/* hsm_cose_algorithm_name - for people; "unknown" when it is none of the above */
const char *hsm_cose_algorithm_name(int algorithm);

/**
 * hsm_cose_sign - make a COSE_Sign message (tag 98)
 * @libctx: library context
 * @signers: @count of them, 1 to HSM_COSE_MAX_SIGNERS
 * @type: media type for the protected header "content type"; NULL: none. It keeps a message of one
 *	kind from being taken for another: give one, and have it checked
 * @payload: @length bytes
 * @aad: external data that is signed and not carried, @aad_length bytes; NULL with 0
 * @message: the message, to be freed with free()
 *
 * Return: 0, -EINVAL for a key that has no algorithm here, -ENOMEM, or -EIO from libcrypto.
 */
int hsm_cose_sign(OSSL_LIB_CTX *libctx, const struct hsm_cose_signer *signers, size_t count,
		  const char *type, const uint8_t *payload, size_t length, const uint8_t *aad,
		  size_t aad_length, uint8_t **message, size_t *message_length);

struct hsm_cose;

/**
 * hsm_cose_read - take a message apart; nothing is verified yet
 * @bytes: copied
 * @type: what the protected header "content type" must be; NULL: there must be none
 *
 * Return: 0, -EBADMSG when it is no COSE_Sign message of this type, -ENOMEM.
 */
int hsm_cose_read(const uint8_t *bytes, size_t length, const char *type, struct hsm_cose **message);

void hsm_cose_free(struct hsm_cose *message);

/* hsm_cose_payload - the payload, owned by the message. Believe it after hsm_cose_verify() alone. */
const uint8_t *hsm_cose_payload(const struct hsm_cose *message, size_t *length);

/* hsm_cose_signatures - how many there are */
size_t hsm_cose_signatures(const struct hsm_cose *message);

/* hsm_cose_signer_algorithm - of signature @index, from its protected header */
int hsm_cose_signer_algorithm(const struct hsm_cose *message, size_t index);

/* hsm_cose_signer_kid - header kid of signature @index, or NULL. Not protected. */
const uint8_t *hsm_cose_signer_kid(const struct hsm_cose *message, size_t index, size_t *length);

/**
 * hsm_cose_signer_chain - certificates of signature @index, the signer's own first
 * Return: a new stack for sk_X509_pop_free(), or NULL when there are none, one does not parse, or there are more
 * than HSM_COSE_MAX_CHAIN.
 */
STACK_OF(X509) *
	hsm_cose_signer_chain(const struct hsm_cose *message, size_t index, OSSL_LIB_CTX *libctx);

/**
 * hsm_cose_verify - is signature @index by @key?
 *
 * The algorithm is the key's; a header that names another one is an error.
 *
 * Return: 0, -EBADMSG when it is not, -ENOMEM.
 */
int hsm_cose_verify(const struct hsm_cose *message, size_t index, OSSL_LIB_CTX *libctx,
		    EVP_PKEY *key, const uint8_t *aad, size_t aad_length);

/* ---- CBOR ---- */

/**
 * hsm_cbor_read - one item that fills @bytes
 *
 * Lengths are compared with what is there before anything is reserved; only definite lengths, and at
 * most 16 levels.
 *
 * Return: a new item for cbor_decref(), or NULL.
 */
cbor_item_t *hsm_cbor_read(const uint8_t *bytes, size_t length);

/* hsm_cbor_write - serialize; bytes for free(). Return: 0, or -ENOMEM. Does not take @item over. */
int hsm_cbor_write(const cbor_item_t *item, uint8_t **bytes, size_t *length);

/* New items in the shortest form (RFC 8949, 4.2.1); NULL when memory is short */
cbor_item_t *hsm_cbor_int(int64_t value);
cbor_item_t *hsm_cbor_uint(uint64_t value);

/*
 * Put into a map or to the end of a definite array made for so many, taking @value over, also on
 * failure and when it is NULL. Keys of a map are put in the order of their encoding by the caller.
 * Return: true, or false when memory or room is short.
 */
bool hsm_cbor_put(cbor_item_t *map, int64_t key, cbor_item_t *value);
bool hsm_cbor_put_text(cbor_item_t *map, const char *key, cbor_item_t *value);
bool hsm_cbor_push(cbor_item_t *array, cbor_item_t *value);

/* Look up in a map; borrowed, or NULL when it is not there, there twice, or @map is no map */
cbor_item_t *hsm_cbor_get(const cbor_item_t *map, int64_t key);
cbor_item_t *hsm_cbor_get_text(const cbor_item_t *map, const char *key);

/* Read values; false when the item is NULL or of another type. Bytes and text are borrowed. */
bool hsm_cbor_as_uint(const cbor_item_t *item, uint64_t *value);
bool hsm_cbor_as_int(const cbor_item_t *item, int64_t *value);
bool hsm_cbor_as_bool(const cbor_item_t *item, bool *value);
bool hsm_cbor_as_bytes(const cbor_item_t *item, const uint8_t **bytes, size_t *length);
bool hsm_cbor_as_text(const cbor_item_t *item, const char **text, size_t *length);

#endif /* HSM_COSE_H */
