// SPDX-License-Identifier: Apache-2.0
/*
 * The vendor that new boards are fused with: whose keys signed the firmware of this build.
 */
#include <hsm-vendor.h>
#include "internal.h"

const uint8_t vendor_hash[BOARD_HASH_SIZE] = { HSM_VENDOR_HASH };
const bool vendor_development = HSM_VENDOR_DEVELOPMENT;
