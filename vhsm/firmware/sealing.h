/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealing under keys of the partition, and the sum over its rows: what libcrypto's parts are put together to.
 */
#ifndef FIRMWARE_SEALING_H
#define FIRMWARE_SEALING_H

#include <stddef.h>
#include <stdint.h>

#define SECRET_SIZE	32
#define SALT_SIZE	16
#define AEAD_NONCE_SIZE 12
#define AEAD_TAG_SIZE	16
#define AEAD_OVERHEAD	(AEAD_NONCE_SIZE + AEAD_TAG_SIZE)

/* ---- aead.c ---- */

int aead_start(void);
void aead_stop(void);

/* aead_seal - @out gets nonce, ciphertext and tag, AEAD_OVERHEAD more than @length. Return: 0 or -EIO. */
int aead_seal(const uint8_t key[SECRET_SIZE], const void *aad, size_t aad_length, const void *in,
	      size_t length, uint8_t *out);

/* aead_open - the reverse; @out gets @length - AEAD_OVERHEAD bytes. Return: 0 or -EBADMSG, @out wiped. */
int aead_open(const uint8_t key[SECRET_SIZE], const void *aad, size_t aad_length, const void *in,
	      size_t length, uint8_t *out);

/* derive_key - HKDF-SHA-256 of @secret with @salt and a label. Return: 0 or -EIO. */
int derive_key(const uint8_t secret[SECRET_SIZE], const uint8_t *salt, size_t salt_length,
	       const char *label, uint8_t key[SECRET_SIZE]);

/* Many openings under one key, whose schedule is made once. For one thread at a time. NULL: out of memory. */
struct aead_opener *aead_opener_new(const uint8_t key[SECRET_SIZE]);
int aead_opener_run(struct aead_opener *opener, const void *aad, size_t aad_length, const void *in,
		    size_t length, uint8_t *out);
void aead_opener_free(struct aead_opener *opener);
/* Likewise for sealing */
struct aead_sealer *aead_sealer_new(const uint8_t key[SECRET_SIZE]);
int aead_sealer_run(struct aead_sealer *sealer, const void *aad, size_t aad_length, const void *in,
		    size_t length, uint8_t *out);
void aead_sealer_free(struct aead_sealer *sealer);

/* hash_row - share of one row in the multiset hash (HMAC-SHA-256). Return: 0 or -EIO. */
int hash_row(const uint8_t key[SECRET_SIZE], uint64_t id, uint64_t generation, const uint8_t *tag,
	     uint8_t digest[32]);
/* The same for many rows */
struct row_hasher *row_hasher_new(const uint8_t key[SECRET_SIZE]);
int row_hasher_run(struct row_hasher *hasher, uint64_t id, uint64_t generation, const uint8_t *tag,
		   uint8_t digest[32]);
void row_hasher_free(struct row_hasher *hasher);
void hash_add(uint8_t sum[32], const uint8_t digest[32]);
void hash_subtract(uint8_t sum[32], const uint8_t digest[32]);

#endif /* FIRMWARE_SEALING_H */
