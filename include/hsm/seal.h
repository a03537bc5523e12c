/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protection of a channel's messages, used by both ends: keys from the TLS exporter, AES-256-GCM by
 * libcrypto. Rules: Documentation/commands.rst, "Channel".
 */
#ifndef HSM_SEAL_H
#define HSM_SEAL_H

#include <openssl/ssl.h>
#include <hsm/wire.h>

#define HSM_EXPORTER_LABEL	"EXPORTER-hsm"
#define HSM_TLS_CIPHERS		"TLS_AES_256_GCM_SHA384"

enum hsm_direction {
	HSM_TO_DEVICE	= 0,
	HSM_TO_HOST	= 1,
};

struct hsm_seal;	/* keys of one channel, both directions; in memory that fork wipes and core dumps leave out */

/**
 * hsm_seal_new - derive the keys of a channel from its finished handshake
 * @libctx: OpenSSL library context of the caller
 * @ssl: handshake finished
 * @partition: the partition's id, part of the exporter's context
 * @epoch: of the context, likewise
 *
 * Return: NULL when out of memory or when libssl refuses.
 */
struct hsm_seal *hsm_seal_new(OSSL_LIB_CTX *libctx, SSL *ssl, const uint8_t partition[HSM_PARTITION_ID_SIZE],
			      uint32_t epoch);

/* hsm_seal_from_keys - the same from 88 bytes of key material, for tests and fuzzers */
struct hsm_seal *hsm_seal_from_keys(OSSL_LIB_CTX *libctx, const uint8_t material[88]);

/* hsm_seal_free - wipes the keys */
void hsm_seal_free(struct hsm_seal *seal);

/**
 * hsm_seal_message - seal a message in place in private memory
 * @message: header, then @length bytes of plaintext, then room for HSM_TAG_SIZE
 * @length: bytes of plaintext
 *
 * Fills in the header (channel and sequence as given). The caller never uses a sequence twice in
 * one direction with different bytes. Any thread, several at a time. Never called on memory that
 * another side can write.
 * Return: bytes of the whole message, or -EIO.
 */
int hsm_seal_message(struct hsm_seal *seal, enum hsm_direction direction, uint32_t channel, uint64_t sequence,
		     uint8_t *message, size_t length);

/**
 * hsm_open_message - check and open a sealed message in place in private memory
 * @message: the whole message
 * @size: its bytes
 * @length: set to the bytes of plaintext, which begin behind the header
 *
 * Return: 0, -EBADMSG when the header is malformed or the tag wrong. Nothing of the plaintext is
 * left then.
 */
int hsm_open_message(struct hsm_seal *seal, enum hsm_direction direction, uint8_t *message, size_t size,
		     size_t *length);

/**
 * struct hsm_window - which sequence numbers were seen, a sliding window as RFC 4303 3.4.3 has it
 */
struct hsm_window {
	uint64_t top;			/* highest seen + 1 */
	uint64_t seen[HSM_SEQUENCE_WINDOW / 64];
};

/*
 * hsm_window_accept - true exactly once for each number inside the window. The caller holds a lock.
 */
bool hsm_window_accept(struct hsm_window *window, uint64_t sequence);

/*
 * hsm_secret_alloc, hsm_secret_free - pages that a fork's child sees zeroed, core dumps leave out,
 * and that are wiped when freed
 */
void *hsm_secret_alloc(size_t size);
void hsm_secret_free(void *p, size_t size);

#endif /* HSM_SEAL_H */
