// SPDX-License-Identifier: Apache-2.0
/*
 * The offsets that Documentation/hardware.rst gives, checked when this is compiled. There is nothing to
 * run here.
 */
#include <stddef.h>

#include <linux/ihsm_hw.h>

#define AT(type, field, offset) \
	_Static_assert(offsetof(struct type, field) == (offset), #type "." #field)

_Static_assert(sizeof(struct ihsm_sqe) == 64, "ihsm_sqe");
AT(ihsm_sqe, flags, 1);
AT(ihsm_sqe, cid, 2);
AT(ihsm_sqe, context, 8);
AT(ihsm_sqe, in_addr, 16);
AT(ihsm_sqe, out_addr, 24);
AT(ihsm_sqe, in_len, 32);
AT(ihsm_sqe, out_len, 36);
AT(ihsm_sqe, in_segments, 40);
AT(ihsm_sqe, out_segments, 42);
AT(ihsm_sqe, arg, 44);

_Static_assert(sizeof(struct ihsm_segment) == 16, "ihsm_segment");
AT(ihsm_segment, len, 8);

_Static_assert(sizeof(struct ihsm_cqe) == 16, "ihsm_cqe");
AT(ihsm_cqe, sq_head, 4);
AT(ihsm_cqe, sq_id, 8);
AT(ihsm_cqe, cid, 10);
AT(ihsm_cqe, status, 14);

_Static_assert(sizeof(struct ihsm_shadow_host) == 64, "ihsm_shadow_host");
AT(ihsm_shadow_host, cq_head, 4);
AT(ihsm_shadow_host, irq_event, 8);
_Static_assert(sizeof(struct ihsm_shadow_device) == 64, "ihsm_shadow_device");
AT(ihsm_shadow_device, cq_event, 4);

_Static_assert(sizeof(struct ihsm_identify) == 4096, "ihsm_identify");
AT(ihsm_identify, epoch, 4);
AT(ihsm_identify, board_id, 8);
AT(ihsm_identify, serial, 24);
AT(ihsm_identify, model, 56);
AT(ihsm_identify, firmware, 96);
AT(ihsm_identify, measurement, 128);
AT(ihsm_identify, security_version, 176);
AT(ihsm_identify, function, 180);
AT(ihsm_identify, functions, 184);
AT(ihsm_identify, max_message, 188);
AT(ihsm_identify, max_contexts, 192);
AT(ihsm_identify, partitions, 196);
AT(ihsm_identify, class_ms, 200);
AT(ihsm_identify, state, 216);
AT(ihsm_identify, flags, 220);

_Static_assert(IHSM_DOORBELL_SQ(3) == 0x10018 && IHSM_DOORBELL_CQ(3) == 0x1001c, "doorbells");
_Static_assert(IHSM_RESET_MAGIC == 0x54535248, "reset");
_Static_assert(IHSM_SHADOW_PAGE_SIZE / sizeof(struct ihsm_shadow_host) > IHSM_MAX_QUEUES,
	       "shadow pages");
