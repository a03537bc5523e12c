/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DICE: the keys of each layer derived from the secret of the layer below, the certificates that tie them
 * together, and the check of such a chain. Board, firmware, libhsm and hsm-verify share it. Form and rules:
 * Documentation/attestation.rst, "Certificates".
 *
 *   vendor CA (or none: then the device's certificate is self-signed)
 *     device	CA, path length 1: the board's own, for its life
 *	 alias	CA, path length 0, TCBInfo, one partition: of one function under one firmware
 *	   partition	the stable identity of the partition, for TLS
 *
 * Each of it twice, with P-384 and ML-DSA-87; the partition's has P-384 alone.
 */
#ifndef HSM_DICE_H
#define HSM_DICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <hsm/lifecycle.h>

#define HSM_CDI_SIZE		32 /* compound device identifier: the secret of a layer */
#define HSM_MEASUREMENT_SIZE	48 /* SHA-384 */
#define HSM_FINGERPRINT_SIZE	32 /* SHA-256 of a SubjectPublicKeyInfo */
#define HSM_DICE_REASON_MAX	192
#define HSM_DICE_CHAIN_MAX	8 /* certificates of a chain that is read */

#define HSM_TCB_INFO_OID	"2.23.133.5.4.1" /* tcg-dice-TcbInfo */

/* ---- secrets and keys ---- */

/**
 * hsm_dice_derive - the secret of the next layer: HKDF-SHA384
 * @label: which use; no two uses of a secret can meet
 * @info: what the next layer is, @length bytes
 *
 * Return: 0 or -EIO.
 */
int hsm_dice_derive(OSSL_LIB_CTX *libctx, const uint8_t secret[HSM_CDI_SIZE], const char *label,
		    const void *info, size_t length, uint8_t next[HSM_CDI_SIZE]);

enum hsm_dice_algorithm {
	HSM_DICE_P384		= 0,
	HSM_DICE_ML_DSA_87	= 1,
};

#define HSM_DICE_ALGORITHMS	2

/* "P-384", "ML-DSA-87" */
const char *hsm_dice_algorithm_name(enum hsm_dice_algorithm algorithm);

/* struct hsm_dice_keys - the key pairs of one layer; NULL where libcrypto has no such algorithm */
struct hsm_dice_keys {
	EVP_PKEY *key[HSM_DICE_ALGORITHMS];
};

/**
 * hsm_dice_keys_derive - the same secret gives the same keys
 *
 * P-384: FIPS 186-5, A.2.1, from 56 bytes; ML-DSA-87: from its seed of 32 bytes. Return: 0 or -EIO.
 */
int hsm_dice_keys_derive(OSSL_LIB_CTX *libctx, const uint8_t cdi[HSM_CDI_SIZE],
			 struct hsm_dice_keys *keys);
void hsm_dice_keys_free(struct hsm_dice_keys *keys);

/* hsm_dice_fingerprint - SHA-256 of the key's SubjectPublicKeyInfo. Return: 0 or -EIO. */
int hsm_dice_fingerprint(OSSL_LIB_CTX *libctx, EVP_PKEY *key,
			 uint8_t fingerprint[HSM_FINGERPRINT_SIZE]);

/* ---- TCBInfo ---- */

/**
 * struct hsm_tcb_info - what the board measured and knows about the firmware that an alias stands for
 * @version: of the firmware, as text
 * @function: that the process serves
 * @lifecycle: enum hsm_lifecycle
 * @debug: the debug state is open
 * @approved: runs in approved mode
 * @rollback_protected: fuses lie apart from the state
 */
struct hsm_tcb_info {
	char vendor[32];
	char model[32];
	char version[32];
	uint32_t security_version;
	uint32_t function;
	uint8_t measurement[HSM_MEASUREMENT_SIZE];
	uint32_t lifecycle;
	bool debug;
	bool approved;
	bool rollback_protected;
};

/* hsm_tcb_info_encode - value of the extension (DER), for OPENSSL_free(). Return: its length or -EIO. */
int hsm_tcb_info_encode(const struct hsm_tcb_info *tcb, uint8_t **der);

/* hsm_tcb_info_decode - Return: 0, or -EBADMSG when it is not the form that this project writes. */
int hsm_tcb_info_decode(const uint8_t *der, size_t length, struct hsm_tcb_info *tcb);

/* hsm_tcb_info_find - of a certificate. Return: 0, -ENOENT when it has none, -EBADMSG. */
int hsm_tcb_info_find(const X509 *cert, struct hsm_tcb_info *tcb);

/* ---- making certificates ---- */

#define HSM_DICE_ID_SIZE	16 /* of a board and of a partition */

/* struct hsm_dice_device - how the device is named in certificates */
struct hsm_dice_device {
	uint8_t board_id[HSM_DICE_ID_SIZE];
	const char *serial;
};

/* Each is new, or NULL. Certificates have no end: a device has no clock (RFC 5280, 4.1.2.5). */
X509 *hsm_dice_device_certificate(OSSL_LIB_CTX *libctx, const struct hsm_dice_device *device,
				  EVP_PKEY *key);
X509_REQ *hsm_dice_device_request(OSSL_LIB_CTX *libctx, const struct hsm_dice_device *device,
				  EVP_PKEY *key);

/**
 * hsm_dice_alias_certificate - for one partition; name constraints keep it from certifying another
 * @issuer: the device's certificate, with its private key @issuer_key
 */
X509 *hsm_dice_alias_certificate(OSSL_LIB_CTX *libctx, X509 *issuer, EVP_PKEY *issuer_key,
				 EVP_PKEY *alias, const struct hsm_tcb_info *tcb,
				 const uint8_t partition[HSM_DICE_ID_SIZE]);

/* What a partition's certificate says of its key: NULL, that it is the partition's; or that it is not yet */
#define HSM_DICE_PASSING	"passing"

/* hsm_dice_partition_certificate - @unit: in its subject, behind the partition's name; NULL or HSM_DICE_PASSING */
X509 *hsm_dice_partition_certificate(OSSL_LIB_CTX *libctx, X509 *issuer, EVP_PKEY *issuer_key,
				     EVP_PKEY *identity, const uint8_t partition[HSM_DICE_ID_SIZE],
				     const char *unit);

/* hsm_dice_is_passing - is the certificate that of a partition that waits to be filled from elsewhere? */
bool hsm_dice_is_passing(const X509 *cert);

/* As hsm_dice_device has it: what a certificate says of the board */
#define HSM_DICE_SERIAL_MAX	32

/**
 * hsm_dice_device_name - the board that a device's certificate is for
 * @serial: as text, empty in no certificate
 *
 * Whoever certifies a device may add to its name and may not change it. Return: 0, or -EBADMSG when the
 * subject is none that names one board.
 */
int hsm_dice_device_name(const X509 *cert, uint8_t board_id[HSM_DICE_ID_SIZE],
			 char serial[HSM_DICE_SERIAL_MAX + 1]);

/* hsm_dice_names_partition - has the certificate the partition's id, urn:uuid:, among its names? */
bool hsm_dice_names_partition(const X509 *cert, const uint8_t partition[HSM_DICE_ID_SIZE]);

/* ---- checking a chain ---- */

/* struct hsm_fingerprints - a list; borrowed */
struct hsm_fingerprints {
	const uint8_t (*list)[HSM_FINGERPRINT_SIZE];
	size_t count;
};

/**
 * struct hsm_trust_policy - whom to believe
 * @roots: certificates that are believed: vendors' roots or intermediates, or devices' own
 * @minimum_version: security version, 0: any
 * @measurements: that are allowed; @measurement_count 0: any
 * @revoked_devices: by their keys, and whoever has certified them by theirs
 * @revoked_aliases: by their keys
 * @lifecycle: enum hsm_lifecycle that is required, 0: any. HSM_LIFECYCLE_PRODUCTION also requires that the
 *	debug state is closed
 * @approved: approved mode is required
 * @rollback_protected: is required
 */
struct hsm_trust_policy {
	X509_STORE *roots;
	uint32_t minimum_version;
	const uint8_t (*measurements)[HSM_MEASUREMENT_SIZE];
	size_t measurement_count;
	struct hsm_fingerprints revoked_devices;
	struct hsm_fingerprints revoked_aliases;
	uint32_t lifecycle;
	bool approved;
	bool rollback_protected;
};

/**
 * struct hsm_dice_facts - what a verified chain proves
 * @tcb: from the alias's certificate
 * @board_id, @serial: from the device's
 * @device, @alias: fingerprints of their keys
 */
struct hsm_dice_facts {
	struct hsm_tcb_info tcb;
	uint8_t board_id[HSM_DICE_ID_SIZE];
	char serial[HSM_DICE_SERIAL_MAX + 1];
	uint8_t device[HSM_FINGERPRINT_SIZE];
	uint8_t alias[HSM_FINGERPRINT_SIZE];
};

/* hsm_dice_store - an empty store for roots, with the flags that chains of devices need; NULL: out of memory */
X509_STORE *hsm_dice_store(void);

/* Whose certificate a chain begins with */
enum hsm_dice_leaf {
	HSM_DICE_LEAF_PARTITION	= 0,	/* channel */
	HSM_DICE_LEAF_ALIAS	= 1,	/* what an alias has signed: evidence, statements */
};

/**
 * hsm_dice_verify - check a chain of certificates
 * @kind: what @leaf has to be
 * @others: the rest in any order; may hold @leaf too
 * @partition: that it has to be for
 * @facts: set when it is good
 * @reason: set to what did not match, HSM_DICE_REASON_MAX bytes
 *
 * Return: 0; -EKEYREJECTED with @reason; -ENOMEM or -EIO, also with @reason.
 */
int hsm_dice_verify(OSSL_LIB_CTX *libctx, const struct hsm_trust_policy *policy,
		    enum hsm_dice_leaf kind, X509 *leaf, STACK_OF(X509) *others,
		    const uint8_t partition[HSM_DICE_ID_SIZE], struct hsm_dice_facts *facts,
		    char *reason);

/**
 * hsm_dice_same_signer - do two verified chains, of two algorithms, stand for one alias of one board?
 *
 * Each chain may be good and the two from different boards under one vendor: then one broken board, or one broken
 * algorithm, would do for both signatures. The partition is the one that both were verified for.
 *
 * Return: NULL, or in what they differ.
 */
const char *hsm_dice_same_signer(const struct hsm_dice_facts *one, const struct hsm_dice_facts *other);

/**
 * hsm_dice_one_strength - can no certificate of a chain be broken more easily than its first?
 *
 * A signature by ML-DSA-87 under a certificate by ECDSA is worth what the latter is: above a key of ML-DSA there are
 * only such keys and SLH-DSA's.
 */
bool hsm_dice_one_strength(STACK_OF(X509) *chain);

#endif /* HSM_DICE_H */
