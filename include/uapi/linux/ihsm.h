/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note OR Apache-2.0 */
/*
 * What the driver of integrated HSMs offers on /dev/ihsmN. Every open file is a
 * context of the device (linux/ihsm_hw.h, Documentation/hardware.rst): nobody can
 * name another's, and what belongs to it goes with the last descriptor.
 * Documentation/driver.rst is the manual.
 */
#ifndef _UAPI_LINUX_IHSM_H
#define _UAPI_LINUX_IHSM_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: Conventions
 *
 * Every structure begins with its size as the caller knows it. The driver accepts
 * shorter ones, of an older header, down to the first version's, and longer ones as
 * long as what it does not know is zero (else E2BIG). Reserved fields and unknown
 * flags must be zero (else EINVAL). Pointers are in 64-bit fields, so that 32-bit
 * programs use the same layout.
 *
 * errno tells what went wrong in the driver:
 *
 * ========== ================================================================
 * ENODEV     the device is gone: unplugged, unbound, or dead
 * ESTALE     the context is from before a reset; open the device again
 * ETIMEDOUT  the command did not end in its time; it may have been executed
 * EMSGSIZE   longer than the device's largest message
 * ECANCELED  a reset ended the command; it may have been executed
 * ========== ================================================================
 *
 * beside EINVAL, EFAULT, E2BIG, ENOMEM (also: RLIMIT_MEMLOCK), EPERM, ENOTTY as usual. A device
 * that answers is success, whatever it answers: see @status of &struct ihsm_command.
 */

#define IHSM_ABI_VERSION	1

/* Not used by others in Documentation/userspace-api/ioctl/ioctl-number.rst: 00-0F */
#define IHSM_IOC_TYPE		0xED

/* What the driver thinks of the device */
enum ihsm_driver_state {
	IHSM_DRIVER_NEW		= 0,
	IHSM_DRIVER_LIVE	= 1,	/* works */
	IHSM_DRIVER_RESETTING	= 2,	/* works again soon, or is dead */
	IHSM_DRIVER_DEAD	= 3,	/* gone, or beyond help; only unbinding changes this */
	IHSM_DRIVER_DELETING	= 4,
};

/**
 * struct ihsm_info - what is behind this descriptor
 * @size: of this structure
 * @flags: zero
 * @abi: out, IHSM_ABI_VERSION of the driver; higher ones contain the lower
 * @state: out, enum ihsm_driver_state
 * @context: out, id of this file's context; its upper half is the epoch of its making
 * @epoch: out, present epoch of the device. Another than the context's: open it again.
 * @max_message: out, largest request or response message in bytes
 * @cap: out, the device's capability register
 * @hw_version: out, the device's interface version, major << 16 | minor
 * @queues: out, I/O queue pairs in use
 * @identify: where the device's struct ihsm_identify of its last start goes, or zero
 * @identify_len: room there; at most 4,096 bytes are written. Zero if @identify is.
 * @reserved: zero
 */
struct ihsm_info {
	__u32 size;
	__u32 flags;
	__u32 abi;
	__u32 state;
	__u64 context;
	__u32 epoch;
	__u32 max_message;
	__u64 cap;
	__u32 hw_version;
	__u32 queues;
	__u64 identify;
	__u32 identify_len;
	__u32 reserved;
};

/**
 * struct ihsm_command - one request message and its response
 * @size: of this structure
 * @flags: zero
 * @time_class: enum ihsm_time_class of the operation, from which its time limit follows
 * @status: out, enum ihsm_status of the device
 * @in: request message
 * @out: where the response goes
 * @in_len: bytes at @in, not zero, at most the device's largest message
 * @out_len: room at @out. More than the largest message is no use and no harm.
 * @written: out, bytes of the response; zero unless @status is success
 * @poll_us: how many microseconds to look for the answer before sleeping, while nobody else wants
 *	the processor; at most 1,000 are heeded. Zero: as the driver's parameter of that name
 *	says; %IHSM_POLL_NEVER: not at all. Zero on a ring, whose own flags say it.
 *
 * The driver reads nothing in the messages and never sends one twice. A wait ends early
 * only with the process (SIGKILL); the device then drops the command.
 */
struct ihsm_command {
	__u32 size;
	__u32 flags;
	__u32 time_class;
	__u32 status;
	__u64 in;
	__u64 out;
	__u32 in_len;
	__u32 out_len;
	__u32 written;
	__u32 poll_us;
};

#define IHSM_POLL_NEVER		0xffffffffU

/**
 * struct ihsm_reset - reset the controller, for all its users
 * @size: of this structure
 * @flags: zero
 *
 * Needs CAP_SYS_ADMIN. Every context ends, this file's too; the partitions and what is
 * in them stay. Returns when the device works again.
 */
struct ihsm_reset {
	__u32 size;
	__u32 flags;
};

/* What a program can be told of: bits of @events of &struct ihsm_events */
enum ihsm_notice {
	IHSM_NOTICE_RESET	= 0,	/* the controller was reset: contexts of before are over */
	IHSM_NOTICE_PARTITIONS	= 1,	/* a partition appeared, vanished or was zeroized */
	IHSM_NOTICE_TAMPER	= 2,	/* a sensor of the device was set off */
	IHSM_NOTICE_FIRMWARE	= 3,	/* another firmware was activated */
	IHSM_NOTICE_STATE	= 4,	/* the device's own state has changed */
	IHSM_NOTICES		= 5,
};

/**
 * struct ihsm_events - what happened since the file was opened, or since this was last asked
 * @size: of this structure
 * @flags: zero
 * @events: out, bit n is set when event n of enum ihsm_notice happened at least once
 * @reserved: zero
 *
 * Never waits. poll() reports POLLIN when there is something to tell, and POLLHUP and POLLERR
 * when the device is dead or gone.
 */
struct ihsm_events {
	__u32 size;
	__u32 flags;
	__u32 events;
	__u32 reserved;
};

/**
 * DOC: io_uring
 *
 * An IORING_OP_URING_CMD entry of a ring with IORING_SETUP_SQE128 carries a command: cmd_op is
 * IHSM_IOC_COMMAND, and its cmd field is a &struct ihsm_command, behind which the entry is zero
 * (else E2BIG). The structure is taken over when the entry is submitted; what it points to is the
 * ring's until the completion has come. The completion's result is a negative errno as of the
 * ioctl, or else tells what the output fields would; the response is there then. On a ring with
 * IORING_SETUP_IOPOLL nobody is interrupted. When a ring ends or its process dies, the device is
 * asked to drop what it has of it.
 */
#define IHSM_URING_STATUS_SHIFT	24
#define IHSM_URING_STATUS_MOST	0x7f	/* a status beyond is told as this one */
#define IHSM_URING_STATUS(res)	((__u32)(res) >> IHSM_URING_STATUS_SHIFT)
#define IHSM_URING_WRITTEN(res)	((__u32)(res) & ((1U << IHSM_URING_STATUS_SHIFT) - 1))

#define IHSM_IOC_INFO		_IO(IHSM_IOC_TYPE, 0x00)
#define IHSM_IOC_COMMAND	_IO(IHSM_IOC_TYPE, 0x01)
#define IHSM_IOC_RESET		_IO(IHSM_IOC_TYPE, 0x02)
#define IHSM_IOC_EVENTS		_IO(IHSM_IOC_TYPE, 0x03)

#endif /* _UAPI_LINUX_IHSM_H */
