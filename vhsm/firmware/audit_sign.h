/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The alias keys' signature over an audit log's head. As with attest_keys.h, partition.lock must not be held.
 */
#ifndef FIRMWARE_AUDIT_SIGN_H
#define FIRMWARE_AUDIT_SIGN_H

#include "audit.h"

/* audit_sign_alias - fingerprint of the public key of the alias that signs. Return: 0, or a negative errno: there is none. */
int audit_sign_alias(struct partition *partition, uint8_t alias[HSM_AUDIT_ALIAS_SIZE]);

/**
 * audit_sign_head - sign where the log of @state stands
 * @nonce: the reader's, @nonce_length bytes; none: a checkpoint
 * @message: set to a COSE_Sign message, for audit_sign_free()
 *
 * Return: 0, or a negative errno.
 */
int audit_sign_head(struct partition *partition, const struct partition_state *state,
		    const uint8_t *nonce, size_t nonce_length, uint8_t **message, size_t *length);
void audit_sign_free(uint8_t *message);

#endif /* FIRMWARE_AUDIT_SIGN_H */
