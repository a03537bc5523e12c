// SPDX-License-Identifier: Apache-2.0
/*
 * Bringing a device up and down: it plays the driver's part of Documentation/hardware.rst, with
 * registers that are messages on a socket.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include "vfio_user.h"

#define BAR0	     VFIO_PCI_BAR0_REGION_INDEX
#define ADMIN_MS     10000 /* an admin command that takes longer has been lost */
#define EVENT_CID    0xffffU
#define ADMIN_VECTOR 0

_Static_assert(sizeof(struct ihsm_identify) == 4096, "ihsm_identify");

/* ---- registers ---- */

static int read32(struct vfio_user *vu, unsigned int reg, uint32_t *value)
{
	int err = wire_read(&vu->socket, BAR0, reg, value, sizeof(*value));

	*value = le32toh(*value);
	return err;
}

static int read64(struct vfio_user *vu, unsigned int reg, uint64_t *value)
{
	int err = wire_read(&vu->socket, BAR0, reg, value, sizeof(*value));

	*value = le64toh(*value);
	return err;
}

static int write32(struct vfio_user *vu, unsigned int reg, uint32_t value)
{
	value = htole32(value);
	return wire_write(&vu->socket, BAR0, reg, &value, sizeof(value));
}

static int write64(struct vfio_user *vu, unsigned int reg, uint64_t value)
{
	value = htole64(value);
	return wire_write(&vu->socket, BAR0, reg, &value, sizeof(value));
}

static uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/*
 * Wait until the bits of @mask in the status register are @value, as long as the device says it
 * may take.
 */
static int wait_status(struct vfio_user *vu, uint32_t mask, uint32_t value, const char *what,
		       struct hsm_error *error)
{
	uint64_t limit = ((vu->cap >> IHSM_CAP_TIMEOUT_SHIFT & IHSM_CAP_TIMEOUT_MASK) + 1) * 500;
	uint64_t start = clock_ms();
	struct timespec pause = { .tv_nsec = 50000 };
	uint32_t status = 0;
	int err;

	do {
		err = read32(vu, IHSM_REG_STATUS, &status);
		if (err || status == UINT32_MAX)
			return set_error(error, -ENODEV, HSM_LAYER_TRANSPORT,
					 "the device went away during its %s", what);
		if ((status & mask) == value)
			return 0;
		if (mask & IHSM_STATUS_READY && value & IHSM_STATUS_READY &&
		    status & IHSM_STATUS_FATAL)
			return set_error(error, -EIO, HSM_LAYER_TRANSPORT,
					 "the device reports a fatal error during its %s", what);
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 5000000)
			pause.tv_nsec *= 2;
	} while (clock_ms() - start < limit);
	return set_error(error, -ETIMEDOUT, HSM_LAYER_TRANSPORT,
			 "the device did not end its %s in time (status 0x%x)", what, status);
}

bool controller_alive(struct vfio_user *vu)
{
	uint32_t status = 0;

	if (read32(vu, IHSM_REG_STATUS, &status) || status == UINT32_MAX)
		return false;
	return (status & (IHSM_STATUS_READY | IHSM_STATUS_FATAL)) == IHSM_STATUS_READY;
}

/* ---- admin queue; its lock is held ---- */

/*
 * Take one completion. @event is set when it was the event request's. Return: false when there
 * is none.
 */
static bool admin_take(struct vfio_user *vu, uint16_t cid, struct ihsm_cqe *found, uint32_t *event)
{
	struct ihsm_cqe *ring = (struct ihsm_cqe *)(vu->shared.base + SHARED_ADMIN_CQ);
	struct ihsm_cqe *shared = &ring[vu->admin_head & (ADMIN_ENTRIES - 1)];
	struct ihsm_cqe entry;
	uint64_t half[2];

	half[1] = __atomic_load_n((uint64_t *)(void *)shared + 1, __ATOMIC_ACQUIRE);
	if ((le64toh(half[1]) >> 48 & IHSM_CQE_PHASE) != ring_phase(vu->admin_head, ADMIN_LOG2))
		return false;
	half[0] = __atomic_load_n((uint64_t *)(void *)shared, __ATOMIC_RELAXED);
	memcpy(&entry, half, sizeof(entry));
	vu->admin_head++;
	wire_post(&vu->socket, IHSM_DOORBELL_CQ(0), vu->admin_head);
	if (le16toh(entry.cid) == EVENT_CID) {
		vu->event_asked = false;
		if (le16toh(entry.status) >> IHSM_CQE_STATUS_SHIFT == IHSM_SC_SUCCESS)
			*event = le32toh(entry.result);
		/* Tampering takes the partitions with it. */
		if ((*event & 0xff) == IHSM_EVENT_PARTITIONS ||
		    (*event & 0xff) == IHSM_EVENT_TAMPER)
			eventfd_write(vu->changed, 1);
	} else if (le16toh(entry.cid) == cid) {
		*found = entry;
	}
	return true;
}

static int admin_send(struct vfio_user *vu, struct ihsm_sqe *entry)
{
	struct ihsm_sqe *ring = (struct ihsm_sqe *)(vu->shared.base + SHARED_ADMIN_SQ);

	memcpy(&ring[vu->admin_tail & (ADMIN_ENTRIES - 1)], entry, sizeof(*entry));
	vu->admin_tail++;
	atomic_thread_fence(memory_order_seq_cst);
	return wire_post(&vu->socket, IHSM_DOORBELL_SQ(0), vu->admin_tail);
}

static void admin_sleep(struct vfio_user *vu)
{
	struct pollfd fds[] = {
		{ .fd = vu->admin_event, .events = POLLIN },
		{ .fd = vu->socket.fd, .events = POLLRDHUP },
	};
	uint64_t count;

	if (poll(fds, ARRAY_SIZE(fds), 100) > 0 && fds[0].revents &&
	    read(vu->admin_event, &count, sizeof(count)) < 0)
		return;
}

/**
 * admin - run an admin command
 * @entry: without its cid
 * @what: for messages
 * @result: may be NULL
 */
static int admin(struct vfio_user *vu, struct ihsm_sqe *entry, const char *what, uint32_t *result,
		 struct hsm_error *error)
{
	uint16_t cid = vu->admin_cid++ & 0x7fff;
	struct ihsm_cqe found = { .cid = htole16(EVENT_CID) };
	uint64_t start = clock_ms();
	uint32_t event = 0;

	entry->cid = htole16(cid);
	if (admin_send(vu, entry))
		return set_error(error, -ENODEV, HSM_LAYER_TRANSPORT,
				 "%s: the device closed the connection", what);
	while (le16toh(found.cid) != cid) {
		if (admin_take(vu, cid, &found, &event))
			continue;
		admin_sleep(vu);
		if (admin_take(vu, cid, &found, &event))
			continue;
		if (!controller_alive(vu))
			return set_error(error, -ENODEV, HSM_LAYER_TRANSPORT,
					 "%s: the device went away or needs a reset", what);
		if (clock_ms() - start > ADMIN_MS)
			return set_error(error, -ETIMEDOUT, HSM_LAYER_TRANSPORT,
					 "%s: no answer within %u s", what, ADMIN_MS / 1000);
	}
	if (le16toh(found.status) >> IHSM_CQE_STATUS_SHIFT != IHSM_SC_SUCCESS)
		return set_status_error(error, le16toh(found.status) >> IHSM_CQE_STATUS_SHIFT,
					what);
	if (result)
		*result = le32toh(found.result);
	return 0;
}

/* One request for events is always with the device. */
static void ask_for_event(struct vfio_user *vu)
{
	struct ihsm_sqe entry = { .opcode = IHSM_ADMIN_ASYNC_EVENT, .cid = htole16(EVENT_CID) };

	if (!vu->event_asked && admin_send(vu, &entry) == 0)
		vu->event_asked = true;
}

bool controller_events(struct vfio_user *vu)
{
	struct ihsm_cqe ignored;
	uint32_t event = 0;
	uint64_t count;
	bool reset = false;

	/* Whoever has the lock runs an admin command, and takes up what comes. */
	if (pthread_mutex_trylock(&vu->admin))
		return false;
	if (read(vu->admin_event, &count, sizeof(count)) < 0)
		count = 0;
	while (!atomic_load(&vu->transport.lost) && admin_take(vu, EVENT_CID, &ignored, &event))
		reset = reset || (event & 0xff) == IHSM_EVENT_RESET_NEEDED;
	if (!reset && !atomic_load(&vu->transport.lost))
		ask_for_event(vu);
	pthread_mutex_unlock(&vu->admin);
	return reset || (count > 0 && !controller_alive(vu));
}

int controller_abort(struct vfio_user *vu, unsigned int queue, unsigned int cid)
{
	struct ihsm_sqe entry = { .opcode = IHSM_ADMIN_ABORT,
				  .arg = { htole32(queue), htole32(cid) } };
	int err = -ENODEV;

	pthread_mutex_lock(&vu->admin);
	if (!atomic_load(&vu->transport.lost))
		err = admin(vu, &entry, "aborting a command", NULL, NULL);
	pthread_mutex_unlock(&vu->admin);
	return err;
}

/* ---- a new connection ---- */

static int check_regions(struct vfio_user *vu, struct hsm_error *error)
{
	struct vfio_user_device_info device = { .argsz = sizeof(device) };
	struct vfio_user_region_info region = { .argsz = sizeof(region), .index = BAR0 };
	int err;

	err = wire_call(&vu->socket, VFIO_USER_DEVICE_GET_INFO, &device, sizeof(device), NULL, 0,
			&device, sizeof(device));
	if (!err && device.regions <= VFIO_PCI_CONFIG_REGION_INDEX)
		err = -EPROTO;
	if (!err)
		err = wire_call(&vu->socket, VFIO_USER_GET_REGION_INFO, &region, sizeof(region),
				NULL, 0, &region, sizeof(region));
	if (!err && region.size < IHSM_BAR_REGS_SIZE)
		err = -EPROTO;
	return err ? set_error(error, err, HSM_LAYER_TRANSPORT,
			       "the device does not describe itself as a PCI function")
		   : 0;
}

static int check_identity(struct vfio_user *vu, struct hsm_error *error)
{
	uint16_t id[2] = { 0, 0 };
	int err =
		wire_read(&vu->socket, VFIO_PCI_CONFIG_REGION_INDEX, PCI_VENDOR_ID, id, sizeof(id));

	if (err)
		return set_error(error, err, HSM_LAYER_TRANSPORT,
				 "the device's configuration space cannot be read");
	id[0] = le16toh(id[0]);
	id[1] = le16toh(id[1]);
	if (id[0] != IHSM_PCI_VENDOR_ID ||
	    (id[1] != IHSM_PCI_DEVICE_ID_PF && id[1] != IHSM_PCI_DEVICE_ID_VF))
		return set_error(error, -ENODEV, HSM_LAYER_TRANSPORT,
				 "%s is not an HSM: PCI id %04x:%04x", vu->name.path, id[0], id[1]);
	return 0;
}

/*
 * Memory decoding and bus mastering: without them registers read as all ones, and no ring is
 * read
 */
static int enable_function(struct vfio_user *vu)
{
	uint16_t command = htole16(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);

	return wire_write(&vu->socket, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, &command,
			  sizeof(command));
}

static int map_memory(struct vfio_user *vu)
{
	struct vfio_user_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_USER_DMA_READABLE | VFIO_USER_DMA_WRITABLE,
		.address = SHARED_ADDRESS,
		.size = vu->shared.size,
	};

	return wire_call(&vu->socket, VFIO_USER_DMA_MAP, &map, sizeof(map), &vu->shared.fd, 1, NULL,
			 0);
}

/* Vector 0 is the admin queue's, vector n queue n's, as far as there are so many. */
static unsigned int vector_of(const struct vfio_user *vu, unsigned int queue)
{
	unsigned int vectors = vu->cap >> IHSM_CAP_VECTORS_SHIFT & IHSM_CAP_VECTORS_MASK;

	return queue < vectors ? queue : IHSM_NO_VECTOR;
}

static int wire_interrupts(struct vfio_user *vu)
{
	struct vfio_user_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_MSIX_IRQ_INDEX,
		.start = 0,
		.count = 1,
	};
	int fds[1 + QUEUES_MAX];

	fds[0] = vu->admin_event;
	for (unsigned int i = 0; i < vu->queues; i++, set.count++)
		fds[1 + i] = vu->queue[i].event;
	return wire_call(&vu->socket, VFIO_USER_SET_IRQS, &set, sizeof(set), fds, set.count, NULL,
			 0);
}

/*
 * How many queues: one for each processor, as far as device and vectors go. Fixed with the
 * first connection.
 */
static int choose_queues(struct vfio_user *vu, struct hsm_error *error)
{
	unsigned int queues = vu->cap >> IHSM_CAP_MAX_QUEUES_SHIFT & IHSM_CAP_MAX_QUEUES_MASK;
	unsigned int vectors = vu->cap >> IHSM_CAP_VECTORS_SHIFT & IHSM_CAP_VECTORS_MASK;
	unsigned int entries = vu->cap & IHSM_CAP_MAX_ENTRIES_MASK;

	if (vectors < 2 || queues < 1 || entries < CQ_LOG2)
		return set_error(
			error, -EPROTO, HSM_LAYER_TRANSPORT,
			"the device has too little to offer: %u queues, %u vectors, rings of 2^%u entries",
			queues, vectors, entries);
	if (queues > vectors - 1)
		queues = vectors - 1;
	if (queues > vu->cpus)
		queues = vu->cpus;
	if (queues > QUEUES_MAX)
		queues = QUEUES_MAX;
	if (vu->queues == 0)
		vu->queues = queues;
	if (queues < vu->queues)
		return set_error(error, -EPROTO, HSM_LAYER_TRANSPORT,
				 "the device has fewer queues than before; open it anew");
	return 0;
}

static int setup_memory(struct vfio_user *vu, struct hsm_error *error)
{
	int err;

	if (vu->shared.base)
		return 0;
	err = shared_init(&vu->shared, vu->queues);
	if (err) {
		errno = -err;
		return set_errno_error(error, HSM_LAYER_SYSTEM, "memory for the rings");
	}
	for (unsigned int i = 0; i < vu->queues; i++)
		queue_init(vu, i);
	return 0;
}

int controller_connect(struct vfio_user *vu, struct hsm_error *error)
{
	uint32_t version = 0;
	int err = wire_version(&vu->socket, error);

	if (!err)
		err = check_regions(vu, error);
	if (!err)
		err = check_identity(vu, error);
	if (err)
		return err;
	err = enable_function(vu);
	if (!err)
		err = read64(vu, IHSM_REG_CAP, &vu->cap);
	if (!err)
		err = read32(vu, IHSM_REG_VERSION, &version);
	if (err)
		return set_error(error, err, HSM_LAYER_TRANSPORT,
				 "the device's registers cannot be read");
	if (version >> 16 != IHSM_VERSION >> 16)
		return set_error(error, -EPROTO, HSM_LAYER_TRANSPORT,
				 "the device's interface has version %u.%u, this library knows %u",
				 version >> 16, version & 0xffff, IHSM_VERSION >> 16);
	err = choose_queues(vu, error);
	if (!err)
		err = setup_memory(vu, error);
	if (err)
		return err;
	vu->shadow = vu->cap & IHSM_CAP_SHADOW;
	err = map_memory(vu);
	if (!err)
		err = wire_interrupts(vu);
	return err ? set_error(error, err, HSM_LAYER_TRANSPORT,
			       "the device refused memory or interrupts")
		   : 0;
}

/* ---- bringing it up ---- */

static int enable(struct vfio_user *vu, struct hsm_error *error)
{
	uint32_t sizes = ADMIN_LOG2 << IHSM_ADMIN_ATTR_SQ_SHIFT |
			 ADMIN_LOG2 << IHSM_ADMIN_ATTR_CQ_SHIFT;
	int err;

	memset(vu->shared.base, 0, SHARED_QUEUES);
	vu->admin_tail = 0;
	vu->admin_head = 0;
	vu->event_asked = false;
	err = write32(vu, IHSM_REG_ADMIN_ATTR, sizes);
	if (!err)
		err = write64(vu, IHSM_REG_ADMIN_SQ, SHARED_ADDRESS + SHARED_ADMIN_SQ);
	if (!err)
		err = write64(vu, IHSM_REG_ADMIN_CQ, SHARED_ADDRESS + SHARED_ADMIN_CQ);
	if (!err)
		err = write32(vu, IHSM_REG_CONFIG, IHSM_CONFIG_ENABLE);
	if (err)
		return set_error(error, err, HSM_LAYER_TRANSPORT,
				 "the device's registers cannot be written");
	return wait_status(vu, IHSM_STATUS_READY, IHSM_STATUS_READY, "start", error);
}

static int identify(struct vfio_user *vu, struct hsm_error *error)
{
	struct ihsm_sqe entry = {
		.opcode = IHSM_ADMIN_IDENTIFY,
		.out_addr = htole64(SHARED_ADDRESS + SHARED_ADMIN_DATA),
		.out_len = htole32(sizeof(struct ihsm_identify)),
	};
	int err = admin(vu, &entry, "identify", NULL, error);

	if (err)
		return err;
	memcpy(&vu->identify, vu->shared.base + SHARED_ADMIN_DATA, sizeof(vu->identify));
	memcpy(vu->transport.board_id, vu->identify.board_id, sizeof(vu->transport.board_id));
	for (unsigned int i = 0; i < IHSM_TIME_CLASSES; i++)
		vu->transport.class_ms[i] = le32toh(vu->identify.class_ms[i]);
	return 0;
}

static int create_context(struct vfio_user *vu, struct hsm_error *error)
{
	struct ihsm_sqe entry = {
		.opcode = IHSM_ADMIN_CREATE_CONTEXT,
		.out_addr = htole64(SHARED_ADDRESS + SHARED_ADMIN_DATA),
		.out_len = htole32(sizeof(uint64_t)),
	};
	int err = admin(vu, &entry, "opening a context", NULL, error);

	if (err)
		return err;
	vu->context = hsm_get_le64(vu->shared.base + SHARED_ADMIN_DATA);
	vu->transport.epoch = (uint32_t)(vu->context >> 32);
	return 0;
}

static int set_shadow(struct vfio_user *vu, struct hsm_error *error)
{
	struct ihsm_sqe entry = {
		.opcode = IHSM_ADMIN_SET_SHADOW,
		.in_addr = htole64(SHARED_ADDRESS + SHARED_SHADOW_HOST),
		.out_addr = htole64(SHARED_ADDRESS + SHARED_SHADOW_DEVICE),
	};

	return vu->shadow ? admin(vu, &entry, "setting shadow doorbells", NULL, error) : 0;
}

static int create_queue(struct vfio_user *vu, unsigned int index, struct hsm_error *error)
{
	uint64_t bus = SHARED_ADDRESS + queue_offset(index);
	struct ihsm_sqe entry = {
		.opcode = IHSM_ADMIN_CREATE_QUEUE,
		.in_addr = htole64(bus + QUEUE_SQ),
		.out_addr = htole64(bus + QUEUE_CQ),
		.arg = {
			htole32(index + 1),
			htole32(SQ_LOG2 | CQ_LOG2 << 8),
			htole32(vector_of(vu, index + 1)),
		},
	};

	queue_start(vu, &vu->queue[index]);
	return admin(vu, &entry, "creating a queue", NULL, error);
}

int controller_start(struct vfio_user *vu, struct hsm_error *error)
{
	int err = enable(vu, error);

	if (!err)
		err = identify(vu, error);
	if (!err)
		err = set_shadow(vu, error);
	for (unsigned int i = 0; i < vu->queues && !err; i++)
		err = create_queue(vu, i, error);
	if (!err)
		err = create_context(vu, error);
	if (!err)
		ask_for_event(vu);
	return err;
}

int controller_reset(struct vfio_user *vu, struct hsm_error *error)
{
	int err = write32(vu, IHSM_REG_RESET, IHSM_RESET_MAGIC);

	if (err)
		return set_error(error, err, HSM_LAYER_TRANSPORT, "the device cannot be reset");
	return wait_status(vu, IHSM_STATUS_RESETTING | IHSM_STATUS_READY | IHSM_STATUS_FATAL, 0,
			   "reset", error);
}
