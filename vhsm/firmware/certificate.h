/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates, and the objects that say how far one is trusted. The token keeps them and attaches no meaning to them;
 * what the standard demands of their attributes together is looked at when they are made.
 */
#ifndef FIRMWARE_CERTIFICATE_H
#define FIRMWARE_CERTIFICATE_H

#include "attributes.h"

/**
 * certificate_settle - is a new certificate consistent? Adds its check value.
 * Return: CKR_OK, CKR_ATTRIBUTE_VALUE_INVALID, CKR_TEMPLATE_INCOMPLETE, CKR_HOST_MEMORY.
 */
CK_RV certificate_settle(struct attributes *object);

/* trust_settle - the same for a trust object, also after a change */
CK_RV trust_settle(struct attributes *object);

#endif /* FIRMWARE_CERTIFICATE_H */
