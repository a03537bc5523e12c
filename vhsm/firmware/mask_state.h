/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a partition keeps of the keys that live outside of it: an epoch and the ids that were destroyed in it.
 */
#ifndef FIRMWARE_MASK_STATE_H
#define FIRMWARE_MASK_STATE_H

#include <stdint.h>

#define MASK_REVOKED_MAX 128 /* of one epoch: 8 bytes of the header each */

struct mask_list {
	uint32_t count;
	uint64_t id[MASK_REVOKED_MAX];
};

/**
 * struct mask_state - see mask.h; all zeros: nothing was ever revoked
 * @epoch: keys are masked in this one and loaded from this one
 * @grace: 1: what was masked in the epoch before can be masked again
 * @revoked: in @epoch
 * @former: in the epoch before, while @grace stands
 */
struct mask_state {
	uint64_t epoch;
	uint32_t grace;
	struct mask_list revoked;
	struct mask_list former;
};

#endif /* FIRMWARE_MASK_STATE_H */
