/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of the package of the Python cryptography project: NIST's CAVP answers and test vectors
 * of standards, most in the form that CAVP has.
 */
#ifndef TESTS_VECTORS_CAVP_H
#define TESTS_VECTORS_CAVP_H

#include "vectors.h"

struct row;

/* What a record's function gets */
struct cavp {
	struct report *report;
	const struct row *row;
};

typedef void record_fn(struct record *record, void *cavp);

struct row {
	const char *pattern;	/* of the path below the package's directory */
	record_fn *record;	/* NULL: not run, and why says for which reason */
	const char *why;
	CK_MECHANISM_TYPE type;
	CK_FLAGS use;
	CK_KEY_TYPE key_type;
	bool headings;		/* see struct record_style */
	/* The whole file is read by it, in place of records */
	void (*file)(struct report *r, const struct row *row, const char *path);
};

/* Is the section's or the file's name one that contains this? */
static inline bool in(const char *where, const char *what)
{
	return where && strstr(where, what);
}

/* The result that a line "Result = P (0 )" or F names */
static inline enum expect record_result(const struct record *record)
{
	const char *text = record_text(record, "Result");

	return text && *text == 'P' ? EXACT : REFUSED;
}

/* cavp_symmetric.c */
record_fn record_cipher, record_camellia, record_ctr, record_xts, record_gcm, record_ccm, record_chacha,
	record_chacha_poly1305, record_digest, record_monte, record_hmac, record_cmac, record_poly1305,
	record_kw, record_kwp_botan;
/* cavp_derive.c */
record_fn record_hkdf, record_shake, record_pbkdf2, record_kbkdf, record_hotp;
/* cavp_public.c */
record_fn record_rsa_pkcs, record_rsa_pss, record_ecdsa, record_ecdsa_public, record_ecdsa_pair, record_eddsa,
	record_xdh, record_oaep, record_pkcs1_crypt, record_pkcs1_sign, record_pss_text, record_oaep_label;
/* cavp_agreement.c */
record_fn record_ecdh, record_ecdh_kdf, record_ecdh_brainpool;
typedef void file_fn(struct report *r, const struct row *row, const char *path);
file_fn file_ed25519, file_rfc6979;

#endif
