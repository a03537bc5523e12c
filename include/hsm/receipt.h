/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receipts of exports: what a device says it has wrapped, and under which key. Made in a session that wraps keys,
 * signed by the alias keys, checked by hsm-verify. Normative text: Documentation/policy.rst, "Leaving".
 */
#ifndef HSM_RECEIPT_H
#define HSM_RECEIPT_H

#include <stddef.h>
#include <stdint.h>

#define HSM_RECEIPT_KIND   "receipt"
#define HSM_RECEIPT_TYPE   "application/vnd.ihsm.receipt+cbor"
#define HSM_RECEIPT_MAX	   100 /* keys in one receipt */
#define HSM_RECEIPT_HASH   48 /* SHA-384 */
#define HSM_RECEIPT_TEXT   64 /* bytes of a label or an id; what is longer is cut */
#define HSM_RECEIPT_NONCE  64

#define HSM_RECEIPT_BEGIN  (1U << 0) /* FLAGS of EXPORT_RECEIPT */

struct hsm_receipt_text {
	uint32_t length;
	uint8_t bytes[HSM_RECEIPT_TEXT];
};

/*
 * X(key, member, kind, meaning): of one key that was wrapped, by its key in the CBOR map. Kinds: NUMBER, TEXT (bytes; left out
 * when there are none), HASH (left out when it is zeros).
 */
#define HSM_RECEIPT_ENTRY_TABLE(X) \
	X(1, unique, TEXT, "CKA_UNIQUE_ID") \
	X(2, object_class, NUMBER, "CKA_CLASS") \
	X(3, key_type, NUMBER, "CKA_KEY_TYPE") \
	X(4, label, TEXT, "CKA_LABEL") \
	X(5, id, TEXT, "CKA_ID") \
	X(6, mechanism, NUMBER, "CKM number by which it was wrapped") \
	X(7, public_key, HASH, "SHA-384 of its public key, SubjectPublicKeyInfo") \
	X(8, wrapping_key, HASH, "SHA-384 of the wrapping public key, SubjectPublicKeyInfo; none: a secret key wrapped it") \
	X(9, wrapped, HASH, "SHA-384 of the wrapped bytes")

#define HSM_RECEIPT_TYPE_NUMBER(member) uint64_t member;
#define HSM_RECEIPT_TYPE_TEXT(member)	struct hsm_receipt_text member;
#define HSM_RECEIPT_TYPE_HASH(member)	uint8_t member[HSM_RECEIPT_HASH];
#define HSM_RECEIPT_MEMBER(key, member, kind, meaning) HSM_RECEIPT_TYPE_##kind(member)
struct hsm_receipt_entry {
	HSM_RECEIPT_ENTRY_TABLE(HSM_RECEIPT_MEMBER)
};
#undef HSM_RECEIPT_MEMBER

/**
 * struct hsm_receipt - all of it
 * @time: milliseconds since 1970, by the board's clock
 * @nonce: whoever asked has chosen it
 */
struct hsm_receipt {
	uint8_t board[16];
	uint8_t partition[16];
	uint8_t nonce[HSM_RECEIPT_NONCE];
	size_t nonce_length;
	uint64_t time;
	size_t count;
	struct hsm_receipt_entry entry[HSM_RECEIPT_MAX];
};

/* hsm_receipt_encode - as CBOR, for free(). Return: 0 or -ENOMEM. */
int hsm_receipt_encode(const struct hsm_receipt *receipt, uint8_t **bytes, size_t *length);

/* hsm_receipt_decode - Return: 0, or -EBADMSG. */
int hsm_receipt_decode(const uint8_t *bytes, size_t length, struct hsm_receipt *receipt);

#endif /* HSM_RECEIPT_H */
