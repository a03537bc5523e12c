/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON Schema of what hsmctl prints (hsmctl-schema.c).
 */
#ifndef HSMCTL_SCHEMA_H
#define HSMCTL_SCHEMA_H

#include "hsmctl.h"

/* schema_of_verb - of what @verb prints; @approved: with --request it prints a request for approval */
struct json_object *schema_of_verb(const char *verb, bool approved);

/* schema_of_error - of what every verb prints when it fails */
struct json_object *schema_of_error(void);

#endif /* HSMCTL_SCHEMA_H */
