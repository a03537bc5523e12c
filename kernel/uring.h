/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How this kernel hands over commands that come by io_uring. Outside the kernel's own tree compat.h
 * has said so already, for older kernels.
 */
#ifndef IHSM_URING_H
#define IHSM_URING_H

#ifndef IHSM_URING_COMPAT
#include <linux/io_uring/cmd.h>

#define IHSM_URING_CANCEL	IO_URING_F_CANCEL

/* What comes in, and what the callback calls on */
#define IHSM_URING_CALLBACK(name)	void name(struct io_tw_req request, io_tw_token_t token)
#define IHSM_URING_CALLED()		io_uring_cmd_from_tw(request)
#define IHSM_URING_CALLED_FLAGS()	IO_URING_CMD_TASK_WORK_ISSUE_FLAGS

#define IHSM_URING_ENTRY(ioucmd)	io_uring_sqe128_cmd((ioucmd)->sqe, struct ihsm_uring)

static inline void ihsm_uring_done(struct io_uring_cmd *ioucmd, int result, unsigned int flags)
{
	io_uring_cmd_done(ioucmd, result, flags);
}

#endif /* IHSM_URING_COMPAT */

/* What an entry of a ring with large ones has for a command */
struct ihsm_uring {
	struct ihsm_command command;
	u8 rest[80 - sizeof(struct ihsm_command)];
};

#endif /* IHSM_URING_H */
