/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The validation that the board was told of (vhsm --validation), if any. PKCS#11 3.2, 4.15.
 */
#ifndef FIRMWARE_VALIDATION_H
#define FIRMWARE_VALIDATION_H

#include "attributes.h"

/* The bit that stands for it in CKA_VALIDATION_FLAG and CKA_OBJECT_VALIDATION_FLAGS */
#define VALIDATION_FLAG 1U

/* validation_start - ask the board. Return: 0 or a negative errno. */
int validation_start(void);
void validation_stop(void);

/*
 * validation_attributes - those of the validation object, NULL: none is configured, and nothing may claim one:
 * CKS_LAST_VALIDATION_OK is not given then either
 */
const struct attributes *validation_attributes(void);

#endif /* FIRMWARE_VALIDATION_H */
