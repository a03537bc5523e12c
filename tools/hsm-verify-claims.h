/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence as JSON, for the report and for conditions on it (hsm-verify-claims.c).
 */
#ifndef HSM_VERIFY_CLAIMS_H
#define HSM_VERIFY_CLAIMS_H

#include <hsm/evidence.h>
#include "tool-output.h"

/* claims_result - the claims by their names in the table; hashes and ids in hexadecimal */
struct json_object *claims_result(const struct hsm_evidence *evidence);

#endif /* HSM_VERIFY_CLAIMS_H */
