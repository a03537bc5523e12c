/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of people for hsmctl (hsmctl-key.c).
 */
#ifndef HSMCTL_KEY_H
#define HSMCTL_KEY_H

#include <openssl/types.h>
#include <hsm/approval.h>
#include "hsmctl.h"

/* key_private - a private key from a file or another store; a passphrase is asked for. Return: enum ctl_exit */
int key_private(struct ctl *ctl, const char *uri, EVP_PKEY **key);

/*
 * key_public - a public key, or that of a certificate or a private key, as DER SubjectPublicKeyInfo for OPENSSL_free(). Return:
 * enum ctl_exit
 */
int key_public(struct ctl *ctl, const char *uri, uint8_t **der, size_t *length);

/* key_put - a public key as a field; "none": an empty one. Return: enum ctl_exit */
int key_put(struct ctl *ctl, struct hsm_writer *writer, enum hsm_field_tag tag, const char *uri);

/* key_id - SHA-384 of the public key's DER form, by which the device knows it. Return: false when libcrypto fails */
bool key_id(EVP_PKEY *key, uint8_t id[HSM_APPROVAL_ID_SIZE]);

#endif /* HSMCTL_KEY_H */
