/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this process says of the device, of a partition and of a key (hsm/evidence.h), for EVIDENCE,
 * KEY_EVIDENCE and CKA_HSM_EVIDENCE.
 */
#ifndef FIRMWARE_EVIDENCE_H
#define FIRMWARE_EVIDENCE_H

#include <hsm/evidence.h>
#include "commands.h"

/* Bytes that a caller wants in the evidence; @nonce NULL: none */
struct evidence_request {
	const uint8_t *nonce;
	size_t nonce_length;
	const uint8_t *binding;
	size_t binding_length;
};

/**
 * evidence_make - evidence of a device, a partition or a key, signed
 * @object: the key, with HSM_EVIDENCE_KEY
 * @message: for free()
 *
 * Asks the board and takes partition.lock: the caller holds none. Return: CKR_OK, CKR_KEY_HANDLE_INVALID for an object
 * that is no key, CKR_ARGUMENTS_BAD for a nonce or a binding of a wrong length, CKR_HOST_MEMORY, CKR_DEVICE_ERROR.
 */
CK_RV evidence_make(struct partition *partition, enum hsm_evidence_kind kind, struct object *object,
		    const struct evidence_request *request, uint8_t **message, size_t *length);

/* evidence_attributes - all attributes of a key but key material, as a map; NULL: out of memory */
cbor_item_t *evidence_attributes(struct object *object);

/**
 * attribute_value - an attribute as it is read: also one that is not stored, or that changes without a commit
 * @number: room for a value that is computed
 *
 * Return: its bytes, NULL: the object has none. Whether it may leave the device is not asked.
 */
const uint8_t *attribute_value(struct object *object, uint64_t type, uint64_t *number, size_t *length);

#endif /* FIRMWARE_EVIDENCE_H */
