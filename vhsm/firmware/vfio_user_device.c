// SPDX-License-Identifier: Apache-2.0
/*
 * What the vfio-user messages do to the device. A handler returns 0 with the reply's body, or a negative
 * errno, which becomes a header-only error reply.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "transport.h"

/* Takes a structure off the head of the body; the rest of the body must be checked by the caller. */
static bool take(const struct vfio_request *request, void *to, uint32_t size)
{
	if (request->length < size)
		return false;
	memcpy(to, request->body, size);
	return true;
}

static int reply_with(struct vfio_reply *reply, const void *from, uint32_t size)
{
	memcpy(reply->body, from, size);
	reply->length = size;
	return 0;
}

/* ---- version ---- */

/* A capability is confirmed when the client has named it, and not mentioned otherwise. */
static size_t offer(char *text, size_t room, const char *proposal, const char *name,
		    unsigned int value, bool first)
{
	char quoted[40];

	snprintf(quoted, sizeof(quoted), "\"%s\"", name);
	if (!strstr(proposal, quoted))
		return 0;
	return (size_t)snprintf(text, room, "%s%s:%u", first ? "" : ",", quoted, value);
}

static size_t write_capabilities(char *text, size_t room, const char *proposal)
{
	static const struct {
		const char *name;
		unsigned int value;
	} ours[] = {
		{ "max_msg_fds", VFIO_USER_MAX_FDS },
		{ "max_data_xfer_size", VFIO_USER_MAX_TRANSFER },
		{ "max_dma_maps", VFIO_USER_MAX_DMA_MAPS },
		{ "pgsizes", 4096 },
	};
	size_t used = (size_t)snprintf(text, room, "{\"capabilities\":{");
	bool first = true;

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		size_t more = offer(text + used, room - used, proposal, ours[i].name, ours[i].value,
				    first);

		used += more;
		first = first && !more;
	}
	used += (size_t)snprintf(text + used, room - used, "}}");
	return used + 1;
}

static int do_version(struct connection *connection, struct vfio_request *request,
		      struct vfio_reply *reply)
{
	struct vfio_user_version version;
	const char *text = (const char *)request->body + sizeof(version);
	uint32_t length;
	char *out = (char *)reply->body + sizeof(version);

	if (!take(request, &version, sizeof(version)) || version.major != VFIO_USER_MAJOR)
		return -EINVAL;
	if (connection->version_done && !request->replay)
		return -EINVAL;
	/* The text may be missing; when it is there it is an object, and ends with its only NUL. */
	length = request->length - (uint32_t)sizeof(version);
	if (length && (strnlen(text, length) != length - 1 || text[0] != '{'))
		return -EINVAL;
	if (version.minor > VFIO_USER_MINOR)
		version.minor = VFIO_USER_MINOR;
	memcpy(reply->body, &version, sizeof(version));
	reply->length = (uint32_t)(sizeof(version) + write_capabilities(out, 512, text));
	connection->version_done = true;
	connection->record->head.version_done = 1;
	return 0;
}

/* ---- memory ---- */

static int map_prot(uint32_t flags)
{
	return (flags & VFIO_USER_DMA_READABLE ? PROT_READ : 0) |
	       (flags & VFIO_USER_DMA_WRITABLE ? PROT_WRITE : 0);
}

static int do_dma_map(struct connection *connection, struct vfio_request *request,
		      struct vfio_reply *reply)
{
	struct vfio_user_dma_map map;
	struct board_keep keep = { .kind = BOARD_KEEP_DMA };
	int fd = request->fd_count ? request->fds[0] : -1;
	int error;

	(void)reply;
	if (request->length != sizeof(map) || !take(request, &map, sizeof(map)) ||
	    map.argsz < sizeof(map) || request->fd_count > 1)
		return -EINVAL;
	/* The predecessor got as far as keeping the file; the client need not know. */
	if (request->replay && dma_has(&connection->dma, map.address, map.size))
		return 0;
	if (request->replay)
		return -EIO;
	error = dma_add(&connection->dma, &map, fd);
	if (error || fd < 0)
		return error;
	keep.prot = (uint32_t)map_prot(map.flags);
	keep.key = map.address;
	keep.length = map.size;
	keep.offset = map.offset;
	error = board_keep(connection->id, &keep, fd);
	if (error)
		dma_remove(&connection->dma, map.address, map.size);
	return error;
}

static int do_dma_unmap(struct connection *connection, struct vfio_request *request,
			struct vfio_reply *reply)
{
	struct vfio_user_dma_unmap unmap;
	struct board_keep keep = { .kind = BOARD_KEEP_DMA };
	int error;

	if (request->length != sizeof(unmap) || !take(request, &unmap, sizeof(unmap)) ||
	    unmap.argsz < sizeof(unmap) || unmap.flags)
		return -EINVAL;
	error = dma_remove(&connection->dma, unmap.address, unmap.size);
	/* A predecessor may have known mappings without a file, which leave no trace. */
	if (error && !connection->adopted)
		return error;
	keep.key = unmap.address;
	keep.length = unmap.size;
	if (!error)
		board_forget(connection->id, &keep);
	return reply_with(reply, &unmap, sizeof(unmap));
}

/* ---- what the device is ---- */

static int do_device_info(struct connection *connection, struct vfio_request *request,
			  struct vfio_reply *reply)
{
	struct vfio_user_device_info info;

	(void)connection;
	if (!take(request, &info, sizeof(info)) || info.argsz < sizeof(info))
		return -EINVAL;
	info = (struct vfio_user_device_info){
		.argsz = sizeof(info),
		.flags = VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI,
		.regions = VFIO_PCI_NUM_REGIONS,
		.irqs = VFIO_PCI_NUM_IRQS,
	};
	return reply_with(reply, &info, sizeof(info));
}

static uint64_t region_size(uint32_t index)
{
	switch (index) {
	case VFIO_PCI_BAR0_REGION_INDEX + IHSM_BAR_REGS:
		return IHSM_BAR_REGS_SIZE;
	case VFIO_PCI_BAR0_REGION_INDEX + IHSM_BAR_MSIX:
		return IHSM_BAR_MSIX_SIZE;
	case VFIO_PCI_CONFIG_REGION_INDEX:
		return PCI_CONFIG_SIZE;
	default:
		return 0;
	}
}

static int do_region_info(struct connection *connection, struct vfio_request *request,
			  struct vfio_reply *reply)
{
	struct vfio_user_region_info info;

	(void)connection;
	if (!take(request, &info, sizeof(info)) || info.argsz < sizeof(info) ||
	    info.index >= VFIO_PCI_NUM_REGIONS)
		return -EINVAL;
	info.argsz = sizeof(info);
	info.cap_offset = 0;
	info.offset = 0;
	info.size = region_size(info.index);
	info.flags = info.size ? VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE : 0;
	return reply_with(reply, &info, sizeof(info));
}

static int do_irq_info(struct connection *connection, struct vfio_request *request,
		       struct vfio_reply *reply)
{
	struct vfio_user_irq_info info;
	bool msix, error;

	(void)connection;
	if (!take(request, &info, sizeof(info)) || info.argsz < sizeof(info) ||
	    info.index >= VFIO_PCI_NUM_IRQS)
		return -EINVAL;
	/* Without VFIO_IRQ_INFO_NORESIZE: with it QEMU disarms all vectors to arm one more. */
	msix = info.index == VFIO_PCI_MSIX_IRQ_INDEX;
	/* There to be connected, since QEMU offers error recovery only then; never raised. */
	error = info.index == VFIO_PCI_ERR_IRQ_INDEX;
	info.argsz = sizeof(info);
	info.flags = msix || error ? VFIO_IRQ_INFO_EVENTFD : 0;
	info.count = msix ? IHSM_MAX_VECTORS : error;
	return reply_with(reply, &info, sizeof(info));
}

/* ---- interrupts ---- */

static int wire_vector(struct connection *connection, uint32_t vector, int *fd)
{
	struct board_keep keep = { .kind = BOARD_KEEP_IRQ, .key = vector };
	int error = 0;

	if (*fd < 0) {
		irq_wire(&connection->irq, vector, -1);
		board_forget(connection->id, &keep);
		return 0;
	}
	board_forget(connection->id, &keep);
	error = board_keep(connection->id, &keep, *fd);
	if (!error)
		error = irq_wire(&connection->irq, vector, *fd);
	if (!error)
		*fd = -1;
	return error;
}

/* As many descriptors as vectors, or none, which disarms them. */
static int wire_vectors(struct connection *connection, struct vfio_request *request,
			const struct vfio_user_irq_set *set)
{
	int none = -1, error = 0;

	if (request->fd_count && request->fd_count != set->count)
		return -EINVAL;
	for (uint32_t i = 0; i < set->count && !error; i++)
		error = wire_vector(connection, set->start + i,
				    request->fd_count ? &request->fds[i] : &none);
	return error;
}

static int trigger(struct connection *connection, const struct vfio_request *request,
		   const struct vfio_user_irq_set *set, bool all)
{
	const uint8_t *wanted = request->body + sizeof(*set);

	if (!all && request->length - sizeof(*set) < set->count)
		return -EINVAL;
	for (uint32_t i = 0; i < set->count; i++)
		if (all || wanted[i])
			irq_raise(&connection->irq, set->start + i);
	return 0;
}

static int do_set_irqs(struct connection *connection, struct vfio_request *request,
		       struct vfio_reply *reply)
{
	struct vfio_user_irq_set set;
	int none = -1;

	(void)reply;
	if (!take(request, &set, sizeof(set)) || set.argsz < sizeof(set) ||
	    set.index >= VFIO_PCI_NUM_IRQS)
		return -EINVAL;
	if ((set.flags & VFIO_IRQ_SET_ACTION_TYPE_MASK) != VFIO_IRQ_SET_ACTION_TRIGGER)
		return -EINVAL;
	if (set.index == VFIO_PCI_ERR_IRQ_INDEX)
		return set.start || set.count > 1 ? -EINVAL : 0;
	if (set.index != VFIO_PCI_MSIX_IRQ_INDEX)
		return set.count ? -EINVAL : 0;
	if (set.start > IHSM_MAX_VECTORS || set.count > IHSM_MAX_VECTORS - set.start)
		return -EINVAL;
	switch (set.flags & VFIO_IRQ_SET_DATA_TYPE_MASK) {
	case VFIO_IRQ_SET_DATA_NONE:
		for (uint32_t i = 0; !set.count && i < IHSM_MAX_VECTORS; i++)
			wire_vector(connection, i, &none);
		return trigger(connection, request, &set, true);
	case VFIO_IRQ_SET_DATA_BOOL:
		return trigger(connection, request, &set, false);
	case VFIO_IRQ_SET_DATA_EVENTFD:
		/* Descriptors do not survive the process that read them. */
		return request->replay ? -EIO : wire_vectors(connection, request, &set);
	default:
		return -EINVAL;
	}
}

/* ---- regions ---- */

static void follow_command(struct connection *connection)
{
	bool on = pci_config_bus_master(connection->config);

	if (on == connection->dma.enabled)
		return;
	dma_enable(&connection->dma, on);
	/* What was submitted while it was off rang doorbells that nobody could follow. */
	if (on)
		connection->rung = UINT64_MAX;
}

static void function_reset(struct connection *connection)
{
	controller_reset(connection);
	pci_config_init(connection->config, connections_hello());
	memset(connection->table, 0, sizeof(connection->table));
	follow_command(connection);
}

static void write_config_space(struct connection *connection, uint32_t offset, const uint8_t *data,
			       uint32_t count)
{
	if (pci_config_write(connection->config, offset, data, count) & PCI_ACTION_FLR)
		function_reset(connection);
	follow_command(connection);
}

/* The client keeps the vector table; here it is memory. The pending bits are real. */
static void read_msix(struct connection *connection, uint64_t offset, uint8_t *data, uint32_t count)
{
	uint8_t image[IHSM_BAR_MSIX_SIZE] = { 0 };
	uint32_t pending = irq_pending(&connection->irq);

	memcpy(image + IHSM_MSIX_TABLE_OFFSET, connection->table, sizeof(connection->table));
	for (unsigned int i = 0; i < 4; i++)
		image[IHSM_MSIX_PBA_OFFSET + i] = (uint8_t)(pending >> (8 * i));
	memcpy(data, image + offset, count);
}

static void write_msix(struct connection *connection, uint64_t offset, const uint8_t *data,
		       uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (offset + i < sizeof(connection->table))
			connection->table[offset + i] = data[i];
}

static int take_access(const struct vfio_request *request, struct vfio_user_region_access *access)
{
	uint64_t size;

	if (!take(request, access, sizeof(*access)))
		return -EINVAL;
	size = access->region < VFIO_PCI_NUM_REGIONS ? region_size(access->region) : 0;
	if (!access->count || access->count > VFIO_USER_MAX_TRANSFER || access->offset > size ||
	    access->count > size - access->offset)
		return -EINVAL;
	return 0;
}

static int do_region_read(struct connection *connection, struct vfio_request *request,
			  struct vfio_reply *reply)
{
	struct vfio_user_region_access access;
	uint8_t *data = reply->body + sizeof(access);
	int error = take_access(request, &access);

	if (error)
		return error;
	if (access.region == VFIO_PCI_CONFIG_REGION_INDEX)
		memcpy(data, connection->config + access.offset, access.count);
	else if (!pci_config_memory_enabled(connection->config))
		memset(data, 0xff, access.count);
	else if (access.region == VFIO_PCI_BAR0_REGION_INDEX + IHSM_BAR_REGS)
		controller_read(connection, access.offset, data, access.count);
	else
		read_msix(connection, access.offset, data, access.count);
	memcpy(reply->body, &access, sizeof(access));
	reply->length = (uint32_t)sizeof(access) + access.count;
	return 0;
}

static int do_region_write(struct connection *connection, struct vfio_request *request,
			   struct vfio_reply *reply)
{
	struct vfio_user_region_access access;
	const uint8_t *data = request->body + sizeof(access);
	int error = take_access(request, &access);

	if (error)
		return error;
	if (request->length != sizeof(access) + access.count)
		return -EINVAL;
	if (access.region == VFIO_PCI_CONFIG_REGION_INDEX)
		write_config_space(connection, (uint32_t)access.offset, data, access.count);
	else if (!pci_config_memory_enabled(connection->config))
		(void)data;
	else if (access.region == VFIO_PCI_BAR0_REGION_INDEX + IHSM_BAR_REGS)
		controller_write(connection, access.offset, data, access.count);
	else
		write_msix(connection, access.offset, data, access.count);
	return reply_with(reply, &access, sizeof(access));
}

static int do_reset(struct connection *connection, struct vfio_request *request,
		    struct vfio_reply *reply)
{
	(void)request;
	(void)reply;
	function_reset(connection);
	return 0;
}

/* ---- dispatch ---- */

typedef int (*handler)(struct connection *connection, struct vfio_request *request,
		       struct vfio_reply *reply);

static const handler handlers[] = {
	[VFIO_USER_VERSION] = do_version,
	[VFIO_USER_DMA_MAP] = do_dma_map,
	[VFIO_USER_DMA_UNMAP] = do_dma_unmap,
	[VFIO_USER_DEVICE_GET_INFO] = do_device_info,
	[VFIO_USER_GET_REGION_INFO] = do_region_info,
	[VFIO_USER_GET_IRQ_INFO] = do_irq_info,
	[VFIO_USER_SET_IRQS] = do_set_irqs,
	[VFIO_USER_REGION_READ] = do_region_read,
	[VFIO_USER_REGION_WRITE] = do_region_write,
	[VFIO_USER_DEVICE_RESET] = do_reset,
};

/**
 * vfio_device_handle - execute a request
 * @connection: it came on
 * @request: as read
 * @reply: its body is filled in
 *
 * Return: 0 or a negative errno for the error reply.
 */
int vfio_device_handle(struct connection *connection, struct vfio_request *request,
		       struct vfio_reply *reply)
{
	uint16_t command = request->header.command;

	if (command >= sizeof(handlers) / sizeof(handlers[0]) || !handlers[command])
		return -EOPNOTSUPP;
	if (command != VFIO_USER_VERSION && !connection->version_done)
		return -EPROTO;
	return handlers[command](connection, request, reply);
}
