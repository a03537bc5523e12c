/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of known-answer tests, and what runs one row of it. The tests of this table change an answer, a key or an
 * input of each row and see it fail.
 */
#ifndef FIRMWARE_SELFTEST_KAT_H
#define FIRMWARE_SELFTEST_KAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SELFTEST_ITEMS 8

enum selftest_kind {
	SELFTEST_DIGEST,
	SELFTEST_CIPHER,	 /* @in becomes @out, and @out becomes @in again */
	SELFTEST_DECRYPT,	  /* @in becomes @out */
	SELFTEST_SIGN, /* @in gives the signature @out, which verifies, and which a flipped bit spoils */
	SELFTEST_VERIFY, /* @out is a signature of @in, and with a flipped bit is not */
	SELFTEST_DERIVE, /* the key gives the secret @out */
	SELFTEST_DECAPSULATE, /* @in opens to @out */
	SELFTEST_RANDOM, /* the generator with the entropy @in gives @out, in its second block of output */
};

/* An attribute of the key, or a field of the parameters: bytes in hexadecimal, or with NULL a number */
struct selftest_item {
	uint64_t type;
	const char *hex;
	uint64_t number;
};

/**
 * struct selftest - one known answer
 * @name: shown when it fails
 * @class: CKO_ of the key, with @key_type; 0 and no @key: none
 * @hashed: @out is the SHA-256 of the answer
 * @in: hexadecimal
 * @out: hexadecimal; NULL: the signature is different each time
 */
struct selftest {
	const char *name;
	enum selftest_kind kind;
	bool hashed;
	uint64_t mechanism;
	uint64_t class;
	uint64_t key_type;
	struct selftest_item key[SELFTEST_ITEMS];
	struct selftest_item parameters[SELFTEST_ITEMS];
	const char *in;
	const char *out;
};

/* selftest_table - all rows; returns their number */
size_t selftest_table(const struct selftest **table);

/* selftest_offered - is there anything here to test? */
bool selftest_offered(const struct selftest *test);

/* selftest_known_answer - does the mechanism give the row's answer? */
bool selftest_known_answer(const struct selftest *test);

#endif /* FIRMWARE_SELFTEST_KAT_H */
