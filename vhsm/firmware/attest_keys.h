/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The alias keys of this process and what they sign: everything that a verifier checks against the board's
 * certificates (evidence, audit checkpoints, receipts, statements), and the partitions' own certificates.
 */
#ifndef FIRMWARE_ATTEST_KEYS_H
#define FIRMWARE_ATTEST_KEYS_H

#include <hsm/cose.h>
#include <hsm/dice.h>
#include "commands.h"

/*
 * All of these ask the board the first time that the partition needs its aliases' certificates: not to be called
 * between storage_begin() and storage_finish(), nor under partition.lock.
 */

/**
 * attest_sign - sign what this process says about a partition
 * @partition: that it is about (the device partition: about the device); the aliases' certificates name it
 * @kind: content type application/vnd.ihsm.KIND+cbor
 * @payload: @length bytes of CBOR
 * @aad: external data that is signed and not carried, @aad_length bytes; NULL with 0
 * @message: COSE_Sign, for free(): one signature by the P-384 alias and, where libcrypto has it, one by the
 *	ML-DSA-87 alias, each with its chain of certificates in x5chain, the alias's first
 *
 * Return: 0 or a negative errno.
 */
int attest_sign(struct partition *partition, const char *kind, const uint8_t *payload, size_t length,
		const uint8_t *aad, size_t aad_length, uint8_t **message, size_t *message_length);

/* attest_chain - a copy of the chain, the alias's certificate first, for sk_X509_pop_free(). -ENOENT: no such algorithm. */
int attest_chain(struct partition *partition, enum hsm_dice_algorithm algorithm,
		 STACK_OF(X509) **chain);

/* attest_tcb - what the board says of this process in the aliases' certificates. Return: 0 or a negative errno. */
int attest_tcb(struct partition *partition, struct hsm_tcb_info *tcb);

/**
 * attest_certify - certify a partition's identity key by the P-384 alias
 * @identity: the partition's key
 * @cert: new certificate, to be shown with the chain of attest_chain()
 */
int attest_certify(struct partition *partition, EVP_PKEY *identity, X509 **cert);

/* attest_renew - the board's certificates have changed: they are asked for anew with the next use */
void attest_renew(struct partition *partition);

/* attest_forget - with the partition's end. attest_stop - wipe the aliases' keys. */
struct attest_chains;
void attest_forget(struct attest_chains *chains);
void attest_stop(void);

#endif /* FIRMWARE_ATTEST_KEYS_H */
