/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note OR Apache-2.0 */
/*
 * Hardware interface of the integrated HSM: PCI identity, registers, rings and
 * admin commands. The normative text is Documentation/hardware.rst; the driver,
 * the virtual device and libhsm's user-space transport share this header.
 *
 * All fields in memory and in registers are little-endian.
 */
#ifndef _UAPI_LINUX_IHSM_HW_H
#define _UAPI_LINUX_IHSM_HW_H

#include <linux/types.h>

/* PCI identity. 1af4:10f0..10ff is set aside for experiments. */
#define IHSM_PCI_VENDOR_ID		0x1af4
#define IHSM_PCI_DEVICE_ID_PF		0x10f0
#define IHSM_PCI_DEVICE_ID_VF		0x10f1
#define IHSM_PCI_CLASS			0x108000	/* encryption controller, other */
#define IHSM_PCI_REVISION		0x01

/* BAR 0: registers and doorbells, 64-bit memory, not prefetchable */
#define IHSM_BAR_REGS			0
#define IHSM_BAR_REGS_SIZE		0x20000
#define IHSM_DOORBELL_OFFSET		0x10000		/* shares no page of up to 64 KiB */
/* BAR 2: MSI-X table and pending bits, 64-bit memory */
#define IHSM_BAR_MSIX			2
#define IHSM_BAR_MSIX_SIZE		0x1000
#define IHSM_MSIX_TABLE_OFFSET		0x0
#define IHSM_MSIX_PBA_OFFSET		0x800
#define IHSM_MAX_VECTORS		32

/* Registers in BAR 0. Access is by the register's own width. */
#define IHSM_REG_CAP			0x00	/* ro, 64: capabilities */
#define IHSM_REG_VERSION		0x08	/* ro, 32: interface version, major << 16 | minor */
#define IHSM_REG_CONFIG			0x0c	/* rw, 32: controller configuration */
#define IHSM_REG_STATUS			0x10	/* ro, 32: controller status */
#define IHSM_REG_ADMIN_ATTR		0x14	/* rw, 32: admin queue sizes */
#define IHSM_REG_ADMIN_SQ		0x18	/* rw, 64: admin submission ring, bus address */
#define IHSM_REG_ADMIN_CQ		0x20	/* rw, 64: admin completion ring, bus address */
#define IHSM_REG_RESET			0x28	/* wo, 32: controller reset */
#define IHSM_REG_EPOCH			0x2c	/* ro, 32: counts resets and firmware starts */
#define IHSM_REG_END			0x30

#define IHSM_VERSION			0x00010000

/* IHSM_REG_CAP */
#define IHSM_CAP_MAX_ENTRIES_SHIFT	0	/* log2 of the largest ring: bits 3:0 */
#define IHSM_CAP_MAX_ENTRIES_MASK	0xfULL
#define IHSM_CAP_MAX_QUEUES_SHIFT	8	/* 8 bits: I/O queue pairs, at most 63 */
#define IHSM_CAP_MAX_QUEUES_MASK	0xffULL
#define IHSM_CAP_TIMEOUT_SHIFT		16	/* 8 bits: longest reset or enable, 500 ms */
#define IHSM_CAP_TIMEOUT_MASK		0xffULL
#define IHSM_CAP_DMA_BITS_SHIFT		24	/* 7 bits: width of a bus address, 32 to 64 */
#define IHSM_CAP_DMA_BITS_MASK		0x7fULL
#define IHSM_CAP_VECTORS_SHIFT		32	/* 8 bits: MSI-X vectors that it can raise */
#define IHSM_CAP_VECTORS_MASK		0xffULL
#define IHSM_CAP_SHADOW			(1ULL << 40)	/* shadow doorbells */
#define IHSM_CAP_VF			(1ULL << 41)	/* tenant function */
#define IHSM_CAP_VIRTUAL		(1ULL << 42)	/* a device made of software */

/* IHSM_REG_CONFIG */
#define IHSM_CONFIG_ENABLE		(1U << 0)
#define IHSM_CONFIG_SHUTDOWN		(1U << 1)	/* finish what runs, fetch nothing more */

/* IHSM_REG_STATUS. A read of all ones means that the device is gone. */
#define IHSM_STATUS_READY		(1U << 0)
#define IHSM_STATUS_FATAL		(1U << 1)	/* controller reset needed */
#define IHSM_STATUS_SHUTDOWN_DONE	(1U << 2)
#define IHSM_STATUS_RESETTING		(1U << 3)
#define IHSM_STATUS_STATE_SHIFT		8		/* 4 bits: enum ihsm_device_state */
#define IHSM_STATUS_STATE_MASK		0xfU

enum ihsm_device_state {
	IHSM_STATE_UNCLAIMED	= 0,	/* no officer yet */
	IHSM_STATE_OPERATIONAL	= 1,
	IHSM_STATE_TAMPERED	= 2,	/* keys are gone, only zeroize and status work */
	IHSM_STATE_RECOVERY	= 3,	/* firmware or storage does not verify */
	IHSM_STATE_ERROR	= 4,	/* a self-test failed: no service until a new start */
	IHSM_STATE_RETIRED	= 5,	/* its life with keys is over */
};

/* IHSM_REG_ADMIN_ATTR: log2 of the entries */
#define IHSM_ADMIN_ATTR_SQ_SHIFT	0	/* 4 bits */
#define IHSM_ADMIN_ATTR_CQ_SHIFT	8	/* 4 bits */
#define IHSM_ADMIN_ATTR_MASK		0xfU

#define IHSM_RESET_MAGIC		0x54535248U	/* "HRST" */

/*
 * Rings. Heads and tails are free-running 32-bit counters; the slot is the
 * counter modulo the ring's entries, a power of two. A tail is valid when
 * (u32)(tail - head) <= entries.
 */
#define IHSM_MIN_ENTRIES_LOG2		1
#define IHSM_MAX_ENTRIES_LOG2		12
#define IHSM_MAX_QUEUES			63	/* I/O queue pairs; queue 0 is the admin queue */

/* Doorbells: 32 bits each, at IHSM_DOORBELL_OFFSET */
#define IHSM_DOORBELL_SQ(qid)		(IHSM_DOORBELL_OFFSET + (qid) * 8)
#define IHSM_DOORBELL_CQ(qid)		(IHSM_DOORBELL_OFFSET + (qid) * 8 + 4)

#define IHSM_SQE_SIZE			64
#define IHSM_CQE_SIZE			16
#define IHSM_RING_ALIGN			4096

/* struct ihsm_sqe.flags */
#define IHSM_SQE_IN_SEGMENTS		(1U << 0)	/* in_addr: struct ihsm_segment[] */
#define IHSM_SQE_OUT_SEGMENTS		(1U << 1)
#define IHSM_SQE_FLAGS			(IHSM_SQE_IN_SEGMENTS | IHSM_SQE_OUT_SEGMENTS)
#define IHSM_MAX_SEGMENTS		64

/**
 * struct ihsm_sqe - submission entry, 64 bytes
 * @opcode: enum ihsm_admin_opcode on queue 0, enum ihsm_io_opcode elsewhere
 * @flags: IHSM_SQE_*
 * @cid: command identifier, unique among the queue's outstanding commands
 * @reserved: zero
 * @context: id of the context that the command runs in; zero on the admin queue
 * @in_addr: bus address of the bytes that the device reads
 * @out_addr: bus address of the bytes that the device writes
 * @in_len: bytes at @in_addr
 * @out_len: room at @out_addr
 * @in_segments: entries of the segment list, with IHSM_SQE_IN_SEGMENTS
 * @out_segments: likewise for @out_addr
 * @arg: arguments of admin commands, zero elsewhere
 */
struct ihsm_sqe {
	__u8	opcode;
	__u8	flags;
	__le16	cid;
	__le32	reserved;
	__le64	context;
	__le64	in_addr;
	__le64	out_addr;
	__le32	in_len;
	__le32	out_len;
	__le16	in_segments;
	__le16	out_segments;
	__le32	arg[5];
};

/**
 * struct ihsm_segment - one piece of a scattered buffer
 * @addr: bus address
 * @len: bytes
 * @reserved: zero
 */
struct ihsm_segment {
	__le64	addr;
	__le32	len;
	__le32	reserved;
};

/**
 * struct ihsm_cqe - completion entry, 16 bytes
 * @result: bytes written to @out_addr, or an admin command's result
 * @sq_head: submission queue head, free-running: entries before it may be written again
 * @sq_id: submission queue
 * @cid: the command's identifier
 * @status: enum ihsm_status << 1 | phase. The phase of the first pass is 1 and
 *	turns over each time the ring wraps. Written last.
 * @reserved: zero
 */
struct ihsm_cqe {
	__le32	result;
	__le32	sq_head;
	__le16	sq_id;
	__le16	cid;
	__le16	reserved;
	__le16	status;
};

#define IHSM_CQE_PHASE			1U
#define IHSM_CQE_STATUS_SHIFT		1

/*
 * Shadow doorbells, set by IHSM_ADMIN_SET_SHADOW: two pages, one written by the
 * host and one by the device, each with a 64-byte slot for every queue pair.
 *
 * A submitter stores sq_tail, then, after a full barrier, reads sq_event and
 * rings the doorbell if sq_event lies in [old tail, new tail). A device that
 * goes to sleep stores sq_event = the tail that it has seen and looks at sq_tail
 * once more, after a full barrier. irq_event and cq_event work the same way in
 * the other direction. Queue 0 does not take part.
 */
struct ihsm_shadow_host {
	__le32	sq_tail;
	__le32	cq_head;
	__le32	irq_event;	/* interrupt when this completion is posted */
	__le32	reserved[13];
};

struct ihsm_shadow_device {
	__le32	sq_event;	/* ring when the entry with this index is submitted */
	__le32	cq_event;	/* ring when this completion is consumed; the ring was full */
	__le32	reserved[14];
};

#define IHSM_SHADOW_PAGE_SIZE		4096

enum ihsm_admin_opcode {
	IHSM_ADMIN_IDENTIFY		= 0x01,	/* out: struct ihsm_identify */
	IHSM_ADMIN_CREATE_QUEUE		= 0x02,	/* a completion ring and its submission ring */
	IHSM_ADMIN_DELETE_QUEUE		= 0x03,
	IHSM_ADMIN_SET_SHADOW		= 0x04,
	IHSM_ADMIN_ABORT		= 0x05,
	IHSM_ADMIN_ASYNC_EVENT		= 0x06,	/* completes when something happens */
	IHSM_ADMIN_CREATE_CONTEXT	= 0x07,	/* out: __le64 id */
	IHSM_ADMIN_DESTROY_CONTEXT	= 0x08,
	IHSM_ADMIN_RANDOM		= 0x09,	/* out: random bytes */
	IHSM_ADMIN_SENSORS		= 0x0a,	/* out: struct ihsm_sensors */
	IHSM_ADMIN_STAGE		= 0x0b,	/* a piece of a firmware image */
	IHSM_ADMIN_VF_SHARE		= 0x0c,	/* vectors, and so queues, of a virtual function */
};

enum ihsm_io_opcode {
	IHSM_IO_MESSAGE			= 0x81,	/* in: request message, out: response message */
	IHSM_IO_NOP			= 0x82,
};

/*
 * Admin arguments, in struct ihsm_sqe:
 *   IDENTIFY		out
 *   CREATE_QUEUE	in_addr: submission ring, out_addr: completion ring,
 *			arg[0]: queue id, arg[1]: log2 entries of the submission ring in bits 3:0,
 *			of the completion ring in bits 11:8, arg[2]: MSI-X vector or IHSM_NO_VECTOR
 *   DELETE_QUEUE	arg[0]: queue id
 *   SET_SHADOW		in_addr: page of ihsm_shadow_host, out_addr: page of ihsm_shadow_device
 *   ABORT		arg[0]: queue id, arg[1]: cid. result: 1 when it was found and will end
 *			with IHSM_SC_ABORTED, 0 when there is no such command any more
 *   ASYNC_EVENT	result: enum ihsm_event | detail << 8
 *   CREATE_CONTEXT	out: __le64
 *   DESTROY_CONTEXT	context
 *   RANDOM		out: as many bytes as out_len, at most IHSM_RANDOM_MAX
 *   SENSORS		out
 *   STAGE		arg[0]: enum ihsm_stage, arg[1]: total bytes with BEGIN, offset with WRITE;
 *			in: bytes with WRITE, at most IHSM_STAGE_MAX
 *   VF_SHARE		arg[0]: virtual function, from 0, arg[1]: interrupt vectors; only where
 *			IHSM_IDENTIFY_VF_SHARE is set
 */
#define IHSM_NO_VECTOR			0xffffU
#define IHSM_MAX_ASYNC_EVENTS		4

#define IHSM_RANDOM_MAX			4096U
#define IHSM_STAGE_MAX			4096U
#define IHSM_IMAGE_MAX			(64U * 1024 * 1024)

/*
 * Staging of a firmware image. An image that is wholly there replaces the one staged before; it is
 * neither checked nor run until officers of the device approve it. Function 0 only.
 */
enum ihsm_stage {
	IHSM_STAGE_BEGIN	= 0,	/* what was not ended is forgotten */
	IHSM_STAGE_WRITE	= 1,	/* in order, without a gap */
	IHSM_STAGE_END		= 2,
	IHSM_STAGE_ABORT	= 3,
};

/* Kinds of sensors, and the unit of their values */
enum ihsm_sensor_kind {
	IHSM_SENSOR_TEMPERATURE	= 1,	/* thousandths of a degree Celsius, signed */
	IHSM_SENSOR_VOLTAGE	= 2,	/* millivolts */
	IHSM_SENSOR_CLOCK	= 3,	/* parts per million off, signed */
	IHSM_SENSOR_ENCLOSURE	= 4,	/* 0: closed, 1: opened */
};

#define IHSM_SENSOR_ALARM		(1U << 0)	/* outside its limits now */
#define IHSM_SENSOR_TRIPPED		(1U << 1)	/* has been: keys were erased */

/**
 * struct ihsm_sensor - one sensor
 * @kind: enum ihsm_sensor_kind
 * @flags: IHSM_SENSOR_*
 * @reserved: zero
 * @label: printable, NUL-padded
 * @value: now
 * @min: least value that is no alarm
 * @max: largest value that is no alarm
 */
struct ihsm_sensor {
	__u8	kind;
	__u8	flags;
	__le16	reserved;
	char	label[16];
	__le32	value;
	__le32	min;
	__le32	max;
};

#define IHSM_MAX_SENSORS		16

/**
 * struct ihsm_sensors - answer to IHSM_ADMIN_SENSORS, 520 bytes
 * @count: of @sensor
 * @reserved: zero
 * @sensor: the sensors, in an order that does not change
 */
struct ihsm_sensors {
	__le32	count;
	__le32	reserved;
	struct ihsm_sensor sensor[IHSM_MAX_SENSORS];
};

enum ihsm_event {
	IHSM_EVENT_RESET_NEEDED		= 1,
	IHSM_EVENT_PARTITIONS		= 2,	/* one appeared, vanished or was zeroized */
	IHSM_EVENT_TAMPER		= 3,
	IHSM_EVENT_FIRMWARE		= 4,	/* another one, or a higher least version */
	IHSM_EVENT_STATE		= 5,	/* enum ihsm_device_state changed */
};

/* Status codes of completions. The name and the sentence serve every layer's messages. */
#define IHSM_STATUS_TABLE(X) \
	X(0x00, SUCCESS,	0,		"success") \
	X(0x01, INVALID_OPCODE,	EOPNOTSUPP,	"unknown operation code") \
	X(0x02, INVALID_FIELD,	EINVAL,		"a field of the command is out of range") \
	X(0x03, DATA_TRANSFER,	EFAULT,		"an address of the command is not mapped") \
	X(0x04, INTERNAL,	EIO,		"the device failed inside") \
	X(0x05, ABORTED,	ECANCELED,	"aborted on request") \
	X(0x06, QUEUE_DELETED,	ECANCELED,	"aborted because its queue was deleted") \
	X(0x07, INVALID_QUEUE,	EINVAL,		"no such queue, or it exists already") \
	X(0x08, INVALID_VECTOR,	EINVAL,		"no such interrupt vector") \
	X(0x09, EVENT_LIMIT,	EBUSY,		"too many asynchronous event requests") \
	X(0x0a, INVALID_CONTEXT, ESTALE,	"no such context; it may be from before a reset") \
	X(0x0b, NO_CONTEXT,	EUSERS,		"no context left") \
	X(0x10, INVALID_MESSAGE, EBADMSG,	"the message is malformed") \
	X(0x11, NO_CHANNEL,	ENOTCONN,	"no such channel in this context") \
	X(0x12, AUTHENTICATION,	EBADMSG,	"the message does not authenticate") \
	X(0x13, REPLAYED,	EALREADY,	"the sequence number was used before or is outside the window") \
	X(0x14, TOO_SMALL,	EMSGSIZE,	"no room for the response") \
	X(0x15, HANDSHAKE,	EPROTO,		"the channel's handshake failed") \
	X(0x16, NO_PARTITION,	ENODEV,		"no such partition on this function") \
	X(0x17, BUSY,		EBUSY,		"too many commands or channels")

#define IHSM_STATUS_ENUM(code, name, error, text) IHSM_SC_##name = (code),
enum ihsm_status {
	IHSM_STATUS_TABLE(IHSM_STATUS_ENUM)
};

#undef IHSM_STATUS_ENUM

/**
 * struct ihsm_partition_entry - a partition of this function
 * @id: its identity
 * @slot: PKCS#11 slot number
 * @flags: zero
 */
struct ihsm_partition_entry {
	__u8	id[16];
	__le32	slot;
	__le32	flags;
};

#define IHSM_IDENTIFY_PARTITIONS	64

/**
 * struct ihsm_identify - answer to IHSM_ADMIN_IDENTIFY, 4096 bytes
 * @version: interface version, as IHSM_REG_VERSION
 * @epoch: as IHSM_REG_EPOCH
 * @board_id: the board's identity
 * @serial: printable, NUL-padded
 * @model: printable, NUL-padded
 * @firmware: version of the running firmware, printable, NUL-padded
 * @measurement: SHA-384 over the firmware bundle's manifest
 * @security_version: of the running firmware
 * @function: number of this function; 0 is device administration
 * @functions: of the board, function 0 included
 * @max_message: largest request or response message in bytes
 * @max_contexts: contexts that can be open at a time
 * @partitions: assigned to this function now
 * @class_ms: longest time that a command of each time class takes, in milliseconds
 * @state: enum ihsm_device_state
 * @flags: IHSM_IDENTIFY_*
 * @self_test: enum ihsm_self_test
 * @sensors: how many there are
 * @min_security_version: of firmware that the fuses let run
 * @reserved: zero
 * @partition: the first of those assigned to this function, by slot
 */
struct ihsm_identify {
	__le32	version;
	__le32	epoch;
	__u8	board_id[16];
	char	serial[32];
	char	model[40];
	char	firmware[32];
	__u8	measurement[48];
	__le32	security_version;
	__le32	function;
	__le32	functions;
	__le32	max_message;
	__le32	max_contexts;
	__le32	partitions;
	__le32	class_ms[4];
	__le32	state;
	__le32	flags;
	__le32	self_test;
	__le32	sensors;
	__le32	min_security_version;
	__u8	reserved[2324];
	struct ihsm_partition_entry partition[IHSM_IDENTIFY_PARTITIONS];
};

/* Result of the last self-test */
enum ihsm_self_test {
	IHSM_SELF_TEST_NONE	= 0,	/* none has run */
	IHSM_SELF_TEST_PASSED	= 1,
	IHSM_SELF_TEST_FAILED	= 2,
};

#define IHSM_IDENTIFY_VIRTUAL		(1U << 0)	/* a device made of software */
#define IHSM_IDENTIFY_ROLLBACK_SAFE	(1U << 1)	/* the fuses are apart from the state */
#define IHSM_IDENTIFY_APPROVED		(1U << 2)	/* approved algorithms, not validated */
#define IHSM_IDENTIFY_RANDOM		(1U << 3)	/* has IHSM_ADMIN_RANDOM */
#define IHSM_IDENTIFY_STAGE		(1U << 4)	/* has IHSM_ADMIN_STAGE */
#define IHSM_IDENTIFY_VF_SHARE		(1U << 5)	/* has IHSM_ADMIN_VF_SHARE */

/* Time classes: an index of ihsm_identify.class_ms */
enum ihsm_time_class {
	IHSM_TIME_SHORT		= 0,	/* microseconds: symmetric work, sessions, attributes */
	IHSM_TIME_MEDIUM	= 1,	/* up to tens of milliseconds: signatures, storage */
	IHSM_TIME_LONG		= 2,	/* up to a second: PIN checks, RSA-2048 generation */
	IHSM_TIME_VERY_LONG	= 3,	/* up to minutes: large RSA keys */
};

#define IHSM_TIME_CLASSES		4

#endif /* _UAPI_LINUX_IHSM_HW_H */
