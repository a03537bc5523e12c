/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published test vectors through the PKCS#11 module: what the programs of this directory share.
 * A vector is run by calls of the module alone; libcrypto is only asked to read encodings that
 * PKCS#11 does not carry, and for a digest where the standard has no mechanism with it.
 *
 *   token.c	the token: keys from values, one operation on one text
 *   report.c	what came of each vector and each file, in TAP
 *   hashes.c	names of digests and curves, as vectors and as PKCS#11 have them
 *   checks.c	a vector of each kind, in numbers and bytes, whatever file it came from
 *   records.c	text files of NAME = VALUE lines
 */
#ifndef TESTS_VECTORS_H
#define TESTS_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <hsm/pkcs11.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct bytes {
	const uint8_t *data;
	size_t length;
};

/* Large enough for every text of the packages */
struct buffer {
	size_t length;
	uint8_t data[1 << 17];
};

static inline struct bytes of(const struct buffer *buffer)
{
	return (struct bytes){ buffer->data, buffer->length };
}

static inline bool same(struct bytes a, struct bytes b)
{
	return a.length == b.length && (!a.length || !memcmp(a.data, b.data, a.length));
}

/* Leading zeros off a number; at least one byte stays */
static inline struct bytes number(struct bytes b)
{
	while (b.length > 1 && !b.data[0])
		b = (struct bytes){ b.data + 1, b.length - 1 };
	return b;
}

/* ---- report.c ---- */

/* What the publisher says of a vector. EITHER: it may be refused, but never answered wrongly. */
enum expect { REFUSED, EXACT, EITHER };

#define REASONS 16

#define NO_SUCH_CURVE	"the token does not offer the curve"
#define SMALL_EXPONENT	"the token refuses public exponents below 65537"
#define LONG_IV		"libcrypto takes at most 1024 bits of IV"

struct report {
	const char *suite;
	unsigned int points, files, failed_points;
	unsigned long run, failed, left_out;
	/* the file at hand */
	const char *file;
	const char *id;		/* name of the vector at hand, for messages */
	unsigned int file_run, file_failed;
	const char *reason[REASONS];
	unsigned int reasons[REASONS];
};

void report_file(struct report *r, const char *name);
/* The vector at hand was run; when it failed, @what says in which step and rv what the token said. */
void report_vector(struct report *r, bool good, const char *what, CK_RV rv);
/* The vector at hand is not for a token of PKCS#11, or this one's policy leaves it out. A literal. */
void report_left_out(struct report *r, const char *why);
void report_file_end(struct report *r);
void report_skip(struct report *r, const char *name, const char *why);
void report_point(struct report *r, bool good, const char *what);
int report_end(struct report *r);

/* ---- token.c ---- */

void token_open(void);
void token_close(void);
bool token_has(CK_MECHANISM_TYPE type, CK_FLAGS use);
/* The mechanism's largest and least key, in the unit that it has */
CK_ULONG token_min_key(CK_MECHANISM_TYPE type);
CK_ULONG token_max_key(CK_MECHANISM_TYPE type);
CK_RV token_object(CK_ATTRIBUTE *attributes, CK_ULONG count, CK_OBJECT_HANDLE *object);
CK_RV token_secret(CK_KEY_TYPE type, struct bytes value, CK_OBJECT_HANDLE *key);
CK_RV token_otp(CK_KEY_TYPE type, struct bytes value, CK_OBJECT_HANDLE *key);
void token_destroy(CK_OBJECT_HANDLE object);
CK_RV token_encrypt(CK_MECHANISM *m, CK_OBJECT_HANDLE key, struct bytes in, struct buffer *out);
CK_RV token_decrypt(CK_MECHANISM *m, CK_OBJECT_HANDLE key, struct bytes in, struct buffer *out);
CK_RV token_sign(CK_MECHANISM *m, CK_OBJECT_HANDLE key, struct bytes in, struct buffer *out);
CK_RV token_verify(CK_MECHANISM *m, CK_OBJECT_HANDLE key, struct bytes in, struct bytes signature);
CK_RV token_digest(CK_MECHANISM *m, struct bytes in, struct buffer *out);
/* Derive a generic secret of @length bytes and read it */
CK_RV token_derive(CK_MECHANISM *m, CK_OBJECT_HANDLE base, CK_ULONG length, struct buffer *out);
/* The same by C_GenerateKey, for a mechanism that has its secret in the parameter */
CK_RV token_generate(CK_MECHANISM *m, CK_ULONG length, struct buffer *out);
CK_RV token_wrap(CK_MECHANISM *m, CK_OBJECT_HANDLE by, CK_OBJECT_HANDLE key, struct buffer *out);
/* Unwrap as a generic secret and read it */
CK_RV token_unwrap(CK_MECHANISM *m, CK_OBJECT_HANDLE by, struct bytes in, struct buffer *out);

/* ---- hashes.c ---- */

#define ABSENT_MECHANISM ((CK_MECHANISM_TYPE) - 1)

struct hash {
	const char *name;		/* as Wycheproof has it, "SHA-512/224" */
	const char *evp;		/* as libcrypto has it */
	CK_MECHANISM_TYPE digest;
	CK_MECHANISM_TYPE hmac;		/* of general length */
	CK_KEY_TYPE hmac_key;		/* the key type made for it */
	CK_MECHANISM_TYPE pkcs, pss, ecdsa;	/* ABSENT_MECHANISM: none in the standard */
	CK_ULONG mgf;			/* 0: none in the standard */
	CK_ULONG pbkd2;			/* CKP_PKCS5_PBKD2_HMAC_*, 0: none */
	CK_ULONG size;
};

/* By name, whatever its punctuation and case: SHA256, SHA-256, sha3_256. NULL: unknown */
const struct hash *hash_named(const char *name);
/* Digest by libcrypto; false when it has none of that name */
bool hash_compute(const char *evp, struct bytes in, struct buffer *out);

struct curve {
	const char *name;	/* as Wycheproof has it */
	const char *other;	/* as CAVP has it, or NULL */
	const char *evp;	/* as libcrypto has it */
	unsigned int bits;	/* of the order */
	bool offered;		/* by the token, for ECDSA and ECDH */
};

const struct curve *curve_named(const char *name);
/* The same, NULL also when the token does not offer the curve for ECDSA and ECDH */
const struct curve *curve_offered(const char *name);
/* DER of its OID, for CKA_EC_PARAMS; NULL when libcrypto does not know it */
struct bytes curve_oid(const struct curve *curve);

/* ---- checks.c ---- */

struct aead_vector {
	CK_MECHANISM_TYPE type;
	CK_KEY_TYPE key_type;
	struct bytes key, iv, aad, text, cipher, tag;
	bool decrypt_only;
};

struct cipher_vector {
	CK_MECHANISM_TYPE type;
	CK_KEY_TYPE key_type;
	struct bytes key, iv, text, cipher;
	bool encrypt, decrypt;
};

void check_aead(struct report *r, const struct aead_vector *v, enum expect expect);
void check_cipher(struct report *r, const struct cipher_vector *v, enum expect expect);
/* parameter: of the mechanism; the tag is computed and verified */
void check_mac(struct report *r, CK_MECHANISM *m, CK_KEY_TYPE key_type, struct bytes key,
	       struct bytes text, struct bytes tag, enum expect expect);
void check_digest(struct report *r, CK_MECHANISM_TYPE type, struct bytes text, struct bytes md);
void check_wrap(struct report *r, CK_MECHANISM *m, struct bytes key, struct bytes text,
		struct bytes cipher, enum expect expect);
void check_hkdf(struct report *r, const struct hash *hash, struct bytes ikm, struct bytes salt,
		struct bytes info, struct bytes okm, size_t size, enum expect expect);

/* Public keys: the handle, or a refusal in *rv */
CK_RV key_rsa_public(struct bytes n, struct bytes e, CK_OBJECT_HANDLE *key);
struct rsa_private {
	struct bytes n, e, d, p, q, dp, dq, qi;
};
CK_RV key_rsa_private(const struct rsa_private *rsa, CK_OBJECT_HANDLE *key);
CK_RV key_ec_public(CK_KEY_TYPE type, struct bytes oid, struct bytes point, CK_OBJECT_HANDLE *key);
CK_RV key_ec_private(CK_KEY_TYPE type, struct bytes oid, struct bytes value, CK_OBJECT_HANDLE *key);

/* Was an RSA key refused for its exponent alone? */
bool small_exponent(struct bytes e, CK_RV rv);

/* A signature of any kind under a public key of the token */
void check_verify(struct report *r, CK_MECHANISM *m, CK_OBJECT_HANDLE key, struct bytes text,
		  struct bytes signature, enum expect expect);
/* ECDSA of a text whose digest may have no mechanism; signature is r and s, each as long as the order */
void check_ecdsa(struct report *r, const char *hash, CK_OBJECT_HANDLE key, struct bytes text,
		 struct bytes signature, enum expect expect);
/* r and s as numbers; false when one is longer than the order */
bool ecdsa_signature(const struct curve *curve, struct bytes r, struct bytes s, struct buffer *out);
/* RSA, PKCS#1 v1.5, also with a digest that has no mechanism */
void check_rsa_pkcs(struct report *r, const char *hash, CK_OBJECT_HANDLE key, struct bytes text,
		    struct bytes signature, enum expect expect);
void check_rsa_pss(struct report *r, const char *hash, const char *mgf, unsigned long salt,
		   CK_OBJECT_HANDLE key, struct bytes text, struct bytes signature, enum expect expect);
void check_rsa_decrypt(struct report *r, CK_MECHANISM *m, CK_OBJECT_HANDLE key, struct bytes cipher,
		       struct bytes text, enum expect expect);
/* false: the standard has no code for the hash or the mask generation with it */
bool oaep_parameter(CK_RSA_PKCS_OAEP_PARAMS *params, const char *hash, const char *mgf, struct bytes label);
void check_ecdh(struct report *r, CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE key, struct bytes point,
		struct bytes shared, enum expect expect);

/* ---- records.c ---- */

#define VALUES 48

struct record {
	struct {
		char name[48];
		char *text;
		bool fresh;	/* set since the record before */
	} value[VALUES];
	unsigned int values;
	char section[256];	/* last line [ ... ] that is no assignment */
	struct buffer *scratch;	/* decoded values, until the record ends */
	size_t used;
};

struct record_style {
	bool headings;	/* values are the lines of hex below "# Name:" */
};

/* Calls @use for each record: at an empty line, a section, a name that comes again. -1: no such file */
int records_read(const char *path, const struct record_style *style,
		 void (*use)(struct record *record, void *context), void *context);
/* Text of a value, NULL when it has never been set */
const char *record_text(const struct record *record, const char *name);
bool record_fresh(const struct record *record, const char *name);
/* Bytes of a value in hex; no bytes when it is not set or no hex */
struct bytes record_hex(struct record *record, const char *name);
struct bytes record_string(const struct record *record, const char *name);
unsigned long record_number(const struct record *record, const char *name);
/* Hex of any text into the record's scratch */
struct bytes record_decode(struct record *record, const char *text);

/* ---- the suites ---- */

/* Is the file's name of the pattern, in which * is everything but / and ** everything? */
bool name_matches(const char *pattern, const char *name);

#endif
