/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firmware's manifest: what hsm-fw-sign makes and the board's ROM believes. CBOR under COSE_Sign with
 * the vendor's two keys; Documentation/board.rst, "Firmware", has its form.
 */
#ifndef HSM_FW_MANIFEST_H
#define HSM_FW_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/evp.h>

#define HSM_FW_TYPE	    "application/vnd.ihsm.firmware+cbor"
#define HSM_FW_TARGET	    "ihsm-vhsm" /* the board that the firmware is for */
#define HSM_FW_HASH_SIZE    48  /* SHA-384 */
#define HSM_FW_FILES_MAX    32
#define HSM_FW_MESSAGE_MAX  65536 /* bytes of a signed manifest */
#define HSM_FW_VERSION_MAX  32
#define HSM_FW_SECURITY_MAX 255 /* highest security version that there will ever be */

/* An image is this, the length of the signed manifest as 32 bits little-endian, the manifest, the files. */
#define HSM_FW_IMAGE_MAGIC "IHSMFWIM"
#define HSM_FW_IMAGE_HEAD  12

/* The vendor's keys, in the order of their signatures */
enum hsm_fw_key_index {
	HSM_FW_ES384,
	HSM_FW_ML_DSA_87,
	HSM_FW_KEYS,
};

struct hsm_fw_file {
	char role[12];
	char name[64];
	uint8_t hash[HSM_FW_HASH_SIZE];
	uint64_t size;
};

/**
 * struct hsm_fw_manifest - a manifest's contents
 * @version: for people
 * @security_version: 1 .. HSM_FW_SECURITY_MAX; moves on when older firmware must not run any more
 * @development: signed with keys that a build made for itself
 * @keys: number of vendor keys: HSM_FW_KEYS, or 1 where the signer's libcrypto has no ML-DSA
 * @vendor: SHA-384 over the keys' SubjectPublicKeyInfo, one after the other
 * @post_quantum: both signatures were verified, not ES384 alone
 * @measurement: SHA-384 over the signed payload
 */
struct hsm_fw_manifest {
	char version[HSM_FW_VERSION_MAX];
	uint32_t security_version;
	bool development;
	unsigned int keys;
	uint8_t vendor[HSM_FW_HASH_SIZE];
	bool post_quantum;
	uint8_t measurement[HSM_FW_HASH_SIZE];
	unsigned int count;
	struct hsm_fw_file files[HSM_FW_FILES_MAX];
};

/**
 * hsm_fw_sign - make the signed manifest
 * @manifest: version, security version, development and files; the rest is filled in
 * @keys: the vendor's private keys, in order; the second may be NULL where libcrypto has no ML-DSA
 * @message: to be freed with free()
 *
 * Return: 0, -EINVAL when files, numbers or keys are not what a board takes, or another negative errno.
 */
int hsm_fw_sign(OSSL_LIB_CTX *libctx, struct hsm_fw_manifest *manifest,
		EVP_PKEY *const keys[HSM_FW_KEYS], uint8_t **message, size_t *length);

/**
 * hsm_fw_verify - take a signed manifest apart and verify it
 * @vendor: the hash that its keys must have; NULL: whoever's keys they are, @manifest->vendor tells
 * @reason: set to what is wrong, a constant
 *
 * Both signatures must be there and right. Where libcrypto has no ML-DSA a manifest of two keys is refused, and
 * one of a single key taken: a board without ML-DSA has a vendor, and fuses, of its own. Then
 * @manifest->post_quantum is false.
 *
 * Return: 0, -EBADMSG, -EKEYREJECTED for another vendor's, -ENOMEM.
 */
int hsm_fw_verify(OSSL_LIB_CTX *libctx, const uint8_t *message, size_t length,
		  const uint8_t *vendor, struct hsm_fw_manifest *manifest, const char **reason);

/* hsm_fw_vendor - hash of the vendor's public halves; 0 or a negative errno */
int hsm_fw_vendor(OSSL_LIB_CTX *libctx, EVP_PKEY *const keys[HSM_FW_KEYS],
		  uint8_t hash[HSM_FW_HASH_SIZE]);

/* hsm_fw_has_ml_dsa - can this libcrypto make and verify the second signature? */
bool hsm_fw_has_ml_dsa(OSSL_LIB_CTX *libctx);

#endif /* HSM_FW_MANIFEST_H */
