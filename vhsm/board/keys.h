/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys.c: derivation and sealing.
 */
#ifndef BOARD_KEYS_H
#define BOARD_KEYS_H

#include <openssl/types.h>
#include "fuses.h"

#define SEAL_OVERHEAD 28 /* nonce and tag */
#define LADDER_TOP    255 /* highest security version that there will ever be */

struct keys;

/**
 * keys_new - an own libcrypto context without configuration
 * Return: 0 or a negative errno.
 */
int keys_new(struct keys **keys);
void keys_free(struct keys *keys);

/* keys_libctx - the context, for what else the board asks of libcrypto */
OSSL_LIB_CTX *keys_libctx(struct keys *keys);

int keys_random(struct keys *keys, void *bytes, size_t length);

/* keys_hash - SHA-384 */
int keys_hash(struct keys *keys, const void *bytes, size_t length, uint8_t hash[BOARD_HASH_SIZE]);

/* keys_platform - KDF(device secret, vendor key hash, lifecycle, debug state) */
int keys_platform(struct keys *keys, const struct fuse_values *values, uint8_t key[BOARD_KEY_SIZE]);

/* keys_ladder - the platform key's derivate for firmware of @version: 1 .. LADDER_TOP */
int keys_ladder(struct keys *keys, const uint8_t platform[BOARD_KEY_SIZE], uint32_t version,
		uint8_t key[BOARD_KEY_SIZE]);

/* keys_ladder_down - from the key of @version to the key of the version below it */
int keys_ladder_down(struct keys *keys, uint32_t version, uint8_t key[BOARD_KEY_SIZE]);

/* keys_root - the key that seals the root record */
int keys_root(struct keys *keys, const uint8_t platform[BOARD_KEY_SIZE],
	      const uint8_t root[BOARD_SECRET_SIZE], uint8_t key[BOARD_KEY_SIZE]);

/* keys_partition - what BOARD_OPEN hands out */
int keys_partition(struct keys *keys, const uint8_t ladder[BOARD_KEY_SIZE],
		   const uint8_t wrapping[BOARD_SECRET_SIZE], const uint8_t id[PARTITION_ID_SIZE],
		   uint64_t generation, uint8_t key[BOARD_KEY_SIZE]);

/**
 * keys_seal - AES-256-GCM under a random nonce
 * @out: @length + SEAL_OVERHEAD bytes
 */
int keys_seal(struct keys *keys, const uint8_t key[BOARD_KEY_SIZE], const void *bound,
	      size_t bound_length, const void *plain, size_t length, uint8_t *out);

/**
 * keys_unseal - undo keys_seal()
 * @plain: @length - SEAL_OVERHEAD bytes; wiped when the tag is wrong
 *
 * Return: 0, -EBADMSG when it does not verify, or another negative errno.
 */
int keys_unseal(struct keys *keys, const uint8_t key[BOARD_KEY_SIZE], const void *bound,
		size_t bound_length, const uint8_t *sealed, size_t length, void *plain);

#endif /* BOARD_KEYS_H */
