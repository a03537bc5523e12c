/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of the vfio-user protocol, as far as this device speaks it: the firmware's server and
 * libhsm's client share this header. Both ends run on one machine: numbers are in its byte order.
 * What the messages mean for this device is in Documentation/hardware.rst.
 *
 * Every message is a struct vfio_user_header and a body. A reply repeats message_id and command,
 * and one with VFIO_USER_FLAG_ERROR consists of the header alone.
 */
#ifndef HSM_VFIO_USER_H
#define HSM_VFIO_USER_H

#include <stdint.h>
#include <linux/vfio.h>

#define VFIO_USER_MAJOR			0
#define VFIO_USER_MINOR			1	/* newest minor version that is spoken */
#define VFIO_USER_MAX_FDS		16	/* descriptors in one message, either way */
#define VFIO_USER_MAX_TRANSFER		4096	/* bytes of one REGION_READ or REGION_WRITE */
#define VFIO_USER_MAX_MESSAGE		16384	/* header and body of any message that is accepted */
#define VFIO_USER_MAX_DMA_MAPS		4096	/* mappings of one connection */

enum vfio_user_command {
	VFIO_USER_VERSION		= 1,
	VFIO_USER_DMA_MAP		= 2,
	VFIO_USER_DMA_UNMAP		= 3,
	VFIO_USER_DEVICE_GET_INFO	= 4,
	VFIO_USER_GET_REGION_INFO	= 5,
	VFIO_USER_GET_REGION_IO_FDS	= 6,
	VFIO_USER_GET_IRQ_INFO		= 7,
	VFIO_USER_SET_IRQS		= 8,
	VFIO_USER_REGION_READ		= 9,
	VFIO_USER_REGION_WRITE		= 10,
	VFIO_USER_DMA_READ		= 11,	/* server to client; not used */
	VFIO_USER_DMA_WRITE		= 12,	/* server to client; not used */
	VFIO_USER_DEVICE_RESET		= 13,
	VFIO_USER_REGION_WRITE_MULTI	= 15,
};

/* struct vfio_user_header.flags */
#define VFIO_USER_TYPE_MASK		0x0fU
#define VFIO_USER_TYPE_COMMAND		0x00U
#define VFIO_USER_TYPE_REPLY		0x01U
#define VFIO_USER_FLAG_NO_REPLY		0x10U
#define VFIO_USER_FLAG_ERROR		0x20U

/**
 * struct vfio_user_header - head of every message
 * @message_id: the sender's own number, repeated in the reply
 * @command: enum vfio_user_command
 * @size: of the whole message, this header included
 * @flags: VFIO_USER_TYPE_* and VFIO_USER_FLAG_*
 * @error: in replies with VFIO_USER_FLAG_ERROR a positive errno
 */
struct vfio_user_header {
	uint16_t message_id;
	uint16_t command;
	uint32_t size;
	uint32_t flags;
	uint32_t error;
};

/* VFIO_USER_VERSION, both ways. JSON text, NUL-terminated, follows. */
struct vfio_user_version {
	uint16_t major;
	uint16_t minor;
};

/* struct vfio_user_dma_map.flags */
#define VFIO_USER_DMA_READABLE		(1U << 0)
#define VFIO_USER_DMA_WRITABLE		(1U << 1)

/* VFIO_USER_DMA_MAP, with at most one descriptor; the reply has no body. */
struct vfio_user_dma_map {
	uint32_t argsz;		/* size of this structure */
	uint32_t flags;
	uint64_t offset;	/* into the file of the descriptor */
	uint64_t address;
	uint64_t size;
};

/* VFIO_USER_DMA_UNMAP, both ways. Address and size are those of a mapping. */
struct vfio_user_dma_unmap {
	uint32_t argsz;
	uint32_t flags;
	uint64_t address;
	uint64_t size;
};

/* VFIO_USER_DEVICE_GET_INFO, both ways */
struct vfio_user_device_info {
	uint32_t argsz;
	uint32_t flags;		/* VFIO_DEVICE_FLAGS_* */
	uint32_t regions;
	uint32_t irqs;
};

/* VFIO_USER_GET_REGION_INFO, both ways: laid out as struct vfio_region_info */
struct vfio_user_region_info {
	uint32_t argsz;
	uint32_t flags;		/* VFIO_REGION_INFO_FLAG_* */
	uint32_t index;		/* VFIO_PCI_*_REGION_INDEX */
	uint32_t cap_offset;
	uint64_t size;
	uint64_t offset;
};

/* VFIO_USER_GET_IRQ_INFO, both ways: laid out as struct vfio_irq_info */
struct vfio_user_irq_info {
	uint32_t argsz;
	uint32_t flags;		/* VFIO_IRQ_INFO_* */
	uint32_t index;		/* VFIO_PCI_*_IRQ_INDEX */
	uint32_t count;
};

/*
 * VFIO_USER_SET_IRQS: laid out as struct vfio_irq_set; DATA_BOOL bytes follow. No body in the
 * reply.
 */
struct vfio_user_irq_set {
	uint32_t argsz;
	uint32_t flags;		/* VFIO_IRQ_SET_* */
	uint32_t index;
	uint32_t start;
	uint32_t count;
};

/*
 * VFIO_USER_REGION_READ and _WRITE, both ways. Data follow in the reply of a read and in a write.
 */
struct vfio_user_region_access {
	uint64_t offset;
	uint32_t region;
	uint32_t count;
};

_Static_assert(sizeof(struct vfio_user_header) == 16, "vfio_user_header");
_Static_assert(sizeof(struct vfio_user_version) == 4, "vfio_user_version");
_Static_assert(sizeof(struct vfio_user_dma_map) == 32, "vfio_user_dma_map");
_Static_assert(sizeof(struct vfio_user_dma_unmap) == 24, "vfio_user_dma_unmap");
_Static_assert(sizeof(struct vfio_user_device_info) == 16, "vfio_user_device_info");
_Static_assert(sizeof(struct vfio_user_region_info) == sizeof(struct vfio_region_info), "region_info");
_Static_assert(sizeof(struct vfio_user_irq_info) == sizeof(struct vfio_irq_info), "irq_info");
_Static_assert(sizeof(struct vfio_user_irq_set) == sizeof(struct vfio_irq_set), "irq_set");
_Static_assert(sizeof(struct vfio_user_region_access) == 16, "vfio_user_region_access");

#endif /* HSM_VFIO_USER_H */
