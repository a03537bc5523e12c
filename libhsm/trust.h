/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom to believe: the identity that a device proves in the handshake, against hsm.conf or what was
 * seen the first time. Holds the OpenSSL library context that everything cryptographic here uses.
 */
#ifndef LIBHSM_TRUST_H
#define LIBHSM_TRUST_H

#include <openssl/provider.h>
#include <openssl/ssl.h>
#include <hsm/dice.h>
#include "internal.h"

struct resume;

#define IDENTITY_HASH_SIZE CONF_PIN_SIZE	/* SHA-256 of the SubjectPublicKeyInfo */

/**
 * struct trust - of one device
 * @libctx: its own, with the default @provider and no configuration
 * @tls: for handshakes
 * @policy: of chains of certificates; its roots are NULL when hsm.conf names none
 * @revoked: what @policy's lists of revoked keys point to, devices first
 * @resume: sessions that can be taken up again
 * @conf: hsm.conf
 * @section: the device's own, or NULL
 */
struct trust {
	OSSL_LIB_CTX *libctx;
	OSSL_PROVIDER *provider;
	SSL_CTX *tls;
	struct hsm_trust_policy policy;
	uint8_t (*revoked)[HSM_FINGERPRINT_SIZE];
	struct resume *resume;
	struct conf conf;
	const struct conf_section *section;
};

/**
 * trust_new - read hsm.conf and make what handshakes need
 * @device: name as the user gave it
 *
 * Takes no lock of ours: libssl may read the application's configuration here, which may load
 * anything.
 */
int trust_new(const char *device, struct trust **trust, struct hsm_error *error);

/*
 * trust_free - @forked: leave the library context alone, another thread may have held its locks
 * at the fork
 */
void trust_free(struct trust *trust, bool forked);

/**
 * struct identity_check - one handshake's question
 * @partition: that must prove itself
 * @board_id: tells device partitions (id 0) apart in the pins file
 * @may_pin: a first sight may be believed
 * @error: filled in when the answer is no; @failed set then
 * @hash: set to the identity, once the peer has named itself as the partition
 */
struct identity_check {
	struct trust *trust;
	const uint8_t *partition;
	const uint8_t *board_id;
	bool may_pin;
	struct hsm_error *error;
	int failed;
	uint8_t hash[IDENTITY_HASH_SIZE];
};

/* trust_verify - for SSL_CTX_set_cert_verify_callback(); the argument is found by trust_attach() */
int trust_verify(X509_STORE_CTX *store, void *arg);

/* trust_attach - let a handshake's verification answer @check, which outlives the handshake */
int trust_attach(SSL *ssl, struct identity_check *check);

/* ---- trust_chain.c: chains of certificates ---- */

/* chain_policy - roots and what else hsm.conf demands of chains. Return: 0 or a negative errno. */
int chain_policy(struct trust *trust, struct hsm_error *error);
void chain_policy_free(struct trust *trust);

/* chain_check - a partition's chain against that. Return: 0, or a negative errno with what did not match. */
int chain_check(struct identity_check *check, X509 *cert, STACK_OF(X509) *others);

/* chain_client - have @trust.tls show the client certificate of hsm.conf, if there is one. Return: as above. */
int chain_client(struct trust *trust, struct hsm_error *error);

/* ---- resume.c: sessions that can be taken up again ---- */

struct resume *resume_new(void);
void resume_free(struct resume *resume);

/* resume_watch - have sessions of a context kept */
void resume_watch(SSL_CTX *tls);

/**
 * resume_offer - have a handshake offer the partition's last session
 * @hash: set to the identity that was proven when the session began; valid when it is taken up
 */
void resume_offer(struct identity_check *check, SSL *ssl, uint8_t hash[IDENTITY_HASH_SIZE]);

/* ---- pins.c: identities seen before ---- */

enum pin_answer {
	PIN_UNKNOWN	= 0,
	PIN_MATCH	= 1,
	PIN_MISMATCH	= 2,
};

/* pins_path - the file of the user. Return: 0 or -ENOENT when no place is known. */
int pins_path(char *path, size_t size);

/**
 * pins_check - was this identity seen before?
 * @path: of the file; it need not exist
 * @key: what the identity belongs to
 * @hash: the identity's
 * @remember: when nothing is known of @key, write it down
 *
 * Locked against other processes; written to a new file that takes the old one's place.
 * Return: enum pin_answer (with @remember PIN_UNKNOWN means that it is known from now on), or a
 * negative errno.
 */
int pins_check(const char *path, const char *key, const uint8_t hash[IDENTITY_HASH_SIZE],
	       bool remember);

#endif /* LIBHSM_TRUST_H */
