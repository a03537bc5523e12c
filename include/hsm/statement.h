/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a board says of its own life, signed by the aliases of function 0: which state it is in, what was
 * erased and when. On a board that was decommissioned it is the certificate of its erase. One table from
 * which firmware, verifier and document follow; Documentation/board.rst, "Statements", is normative.
 */
#ifndef HSM_STATEMENT_H
#define HSM_STATEMENT_H

#include <stddef.h>
#include <stdint.h>

#define HSM_STATEMENT_KIND	"statement"
#define HSM_STATEMENT_TYPE	"application/vnd.ihsm.statement+cbor"
#define HSM_STATEMENT_VERSION	1
#define HSM_STATEMENT_MAX	512	/* bytes of a payload */
#define HSM_STATEMENT_NONCE_MAX 64

/* Keys of the map that hold no number */
#define HSM_STATEMENT_KEY_BOARD	 2
#define HSM_STATEMENT_KEY_SERIAL 3
#define HSM_STATEMENT_KEY_NONCE	 14

/* X(key, member, meaning): numbers, all of which are there */
#define HSM_STATEMENT_TABLE(X) \
	X(4, lifecycle, "state of life: 1 development, 2 production, 3 returned, 4 decommissioned") \
	X(5, tampered, "1: a sensor tripped and no officer has recovered the board") \
	X(6, tampers, "how often the board was tampered with") \
	X(7, recoveries, "how often an old copy of the state was accepted") \
	X(8, counter, "fuse counter") \
	X(9, erased, "fuse counter when all partitions were erased last; 0: never") \
	X(10, erased_time, "when that was, seconds since 1970, by the board's clock") \
	X(11, erased_partitions, "partitions that it destroyed") \
	X(12, partitions, "partitions that the board has now") \
	X(13, time, "when this was said, seconds since 1970, by the board's clock")

#define HSM_STATEMENT_MEMBER(key, member, meaning) uint64_t member;

/**
 * struct hsm_statement - a statement taken apart
 * @nonce: of whoever asked; @nonce_length 0: none
 */
struct hsm_statement {
	uint8_t board[16];
	char serial[32];
	uint8_t nonce[HSM_STATEMENT_NONCE_MAX];
	size_t nonce_length;
	HSM_STATEMENT_TABLE(HSM_STATEMENT_MEMBER)
};
#undef HSM_STATEMENT_MEMBER

/* hsm_statement_encode - the one encoding; bytes for free(). Return: 0 or -ENOMEM */
int hsm_statement_encode(const struct hsm_statement *statement, uint8_t **bytes, size_t *length);

/* hsm_statement_decode - only what hsm_statement_encode() gives is taken. Return: 0, -EBADMSG, -ENOMEM */
int hsm_statement_decode(const uint8_t *bytes, size_t length, struct hsm_statement *statement);

#endif /* HSM_STATEMENT_H */
