/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The states of a board's life, for the board, for what it says of itself, and for who verifies that.
 */
#ifndef HSM_LIFECYCLE_H
#define HSM_LIFECYCLE_H

#include <stdint.h>

/* A board's life. There is a way to a higher number only; what each allows: Documentation/board.rst */
enum hsm_lifecycle {
	HSM_LIFECYCLE_DEVELOPMENT	= 1,
	HSM_LIFECYCLE_PRODUCTION	= 2,
	HSM_LIFECYCLE_RETURNED		= 3,
	HSM_LIFECYCLE_DECOMMISSIONED	= 4,
};

/* hsm_lifecycle_name - "development" ... ; "unknown" for no such number */
const char *hsm_lifecycle_name(uint32_t lifecycle);

/* hsm_lifecycle_parse - the number of a name, 0: there is none */
uint32_t hsm_lifecycle_parse(const char *name);

#endif /* HSM_LIFECYCLE_H */
