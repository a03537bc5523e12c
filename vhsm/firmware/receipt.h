/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session's receipt of what it wraps: begun and ended by EXPORT_RECEIPT, written by WRAP.
 */
#ifndef FIRMWARE_RECEIPT_H
#define FIRMWARE_RECEIPT_H

#include "commands.h"

/* receipt_room - may another key be wrapped in this session? CKR_OK, also without a receipt, or CKR_DEVICE_MEMORY. */
CK_RV receipt_room(const struct session *session);

/* receipt_add - note what was wrapped; nothing without a receipt. Return: CKR_OK or CKR_FUNCTION_FAILED. */
CK_RV receipt_add(struct command *command, const struct object *wrapping, const struct object *key,
		  const uint8_t *wrapped, size_t length);

#endif /* FIRMWARE_RECEIPT_H */
