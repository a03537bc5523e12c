// SPDX-License-Identifier: Apache-2.0
/*
 * Devices: opening by name, what they say of themselves, and finding them again after they were
 * lost.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <openssl/crypto.h>
#include "transport.h"
#include "trust.h"

#define EXCHANGE_MS 20000

/* ---- messages in the clear ---- */

void message_header(uint8_t *message, unsigned int kind, uint32_t channel, uint64_t sequence,
		    size_t length)
{
	struct hsm_message_header header = {
		.version = HSM_PROTOCOL_VERSION,
		.kind = (uint8_t)kind,
		.channel = htole32(channel),
		.sequence = htole64(sequence),
		.length = htole32((uint32_t)length),
	};

	memcpy(message, &header, sizeof(header));
}

static int check_answer(const uint8_t *request, const uint8_t *response, size_t length)
{
	struct hsm_message_header asked, header;

	if (length < sizeof(header))
		return -EPROTO;
	memcpy(&asked, request, sizeof(asked));
	memcpy(&header, response, sizeof(header));
	if (header.version != HSM_PROTOCOL_VERSION || header.kind != asked.kind ||
	    header.reserved || header.reserved2 ||
	    le32toh(header.length) != length - sizeof(header))
		return -EPROTO;
	return 0;
}

int device_exchange(struct hsm_device *device, uint32_t instance, const uint8_t *request,
		    size_t length, uint8_t *response, const char *what, struct hsm_error *error)
{
	struct transport *transport = device->transport;
	struct transfer transfer = {
		.in = request,
		.in_length = length,
		.out = response,
		.out_capacity = HSM_MESSAGE_MAX,
		.instance = instance,
		.limit_ms = EXCHANGE_MS + transport->class_ms[IHSM_TIME_LONG],
		.time_class = IHSM_TIME_LONG,
	};
	int err;

	err = transport->ops->submit(transport, &transfer, error);
	if (err)
		return err;
	transport->ops->wait(transport, &transfer);
	if (transfer.result || transfer.status == IHSM_SC_ABORTED)
		return set_error(error, transfer.result ? transfer.result : -ETIMEDOUT,
				 HSM_LAYER_TRANSPORT, "%s: %s", what,
				 transfer.timed_out ? "the device did not answer in time"
						    : "the connection to the device was lost");
	if (transfer.status != IHSM_SC_SUCCESS)
		return set_status_error(error, transfer.status, what);
	if (check_answer(request, response, transfer.out_length))
		return set_error(error, -EPROTO, HSM_LAYER_CHANNEL, "%s: the answer is malformed",
				 what);
	return (int)transfer.out_length;
}

/* ---- opening ---- */

unsigned long transport_spin_us(unsigned long otherwise)
{
	const char *text = secure_getenv("HSM_SPIN_US");

	return text && *text ? strtoul(text, NULL, 10) : otherwise;
}

static int open_transport(const struct device_name *name, unsigned int flags,
			  struct transport **transport, struct hsm_error *error)
{
	if (name->kind == NAME_DRIVER)
		return driver_open(name, flags & HSM_OPEN_ADMIN, transport, error);
	return vfio_user_open(name, !(flags & HSM_OPEN_NO_START), transport, error);
}

static int open_named(struct hsm_device *device, unsigned int flags, struct hsm_error *error)
{
	struct device_name name;
	int err = name_parse(device->name, &name, error);

	if (!err && (flags & HSM_OPEN_ADMIN))
		err = name_admin(&name, error);
	if (!err)
		err = trust_new(device->name, &device->trust, error);
	if (!err)
		err = open_transport(&name, flags, &device->transport, error);
	return err;
}

static int choose_name(const char *name, char out[256], struct hsm_error *error)
{
	char **names = NULL;
	int count = 1;

	if (!name)
		count = hsm_default_devices(&names, error);
	if (count < 0)
		return count;
	if (count == 0) {
		hsm_free_names(names);
		return set_error(
			error, -ENODEV, HSM_LAYER_CONFIG,
			"no device: set HSM_DEVICE (for example vhsm:DIR) or write a 'device' line into hsm.conf");
	}
	if (!name)
		name = names[0];
	count = snprintf(out, 256, "%s", name) < 256 ? 0 : -EINVAL;
	hsm_free_names(names);
	return count ? set_error(error, count, HSM_LAYER_CONFIG,
				 "the device's name is longer than 255 bytes")
		     : 0;
}

int hsm_open(const char *name, unsigned int flags, struct hsm_device **device,
	     struct hsm_error *error)
{
	struct hsm_device *new;
	int err;

	clear_error(error);
	*device = NULL;
	new = calloc(1, sizeof(*new));
	if (!new)
		return set_error(error, -ENOMEM, HSM_LAYER_SYSTEM, "out of memory");
	pthread_mutex_init(&new->lock, NULL);
	err = guard_init(&new->guard);
	if (err)
		set_error(error, err, HSM_LAYER_SYSTEM, "no memory that a fork wipes: %s",
			  strerrordesc_np(-err));
	if (!err)
		err = choose_name(name, new->name, error);
	if (!err)
		err = open_named(new, flags, error);
	if (err) {
		hsm_close(new);
		return err;
	}
	*device = new;
	return 0;
}

void hsm_close(struct hsm_device *device)
{
	bool forked;

	if (!device)
		return;
	forked = device->guard.page && guard_forked(&device->guard);
	if (device->transport)
		device->transport->ops->close(device->transport, forked);
	trust_free(device->trust, forked);
	guard_destroy(&device->guard);
	if (!forked)
		pthread_mutex_destroy(&device->lock);
	free(device);
}

int device_ready(struct hsm_device *device, struct hsm_error *error)
{
	int err = 0;

	if (!atomic_load(&device->transport->lost))
		return 0;
	pthread_mutex_lock(&device->lock);
	if (atomic_load(&device->transport->lost))
		err = device->transport->ops->recover(device->transport, error);
	pthread_mutex_unlock(&device->lock);
	return err;
}

static int check_fork(struct hsm_device *device, struct hsm_error *error)
{
	if (!guard_forked(&device->guard))
		return 0;
	return set_error(error, -ECHILD, HSM_LAYER_SYSTEM,
			 "this process is a fork of the one that opened the device; open it anew");
}

/* ---- what a device says ---- */

static void copy_text(char *to, size_t size, const char *from, size_t length)
{
	size_t n = length < size - 1 ? length : size - 1;

	memcpy(to, from, n);
	to[n] = '\0';
	for (char *p = to; *p; p++) {
		if (*p < ' ' || *p > '~')
			*p = '?';
	}
}

void identify_to_info(const struct ihsm_identify *id, struct hsm_device_info *info)
{
	copy_text(info->serial, sizeof(info->serial), id->serial, sizeof(id->serial));
	copy_text(info->model, sizeof(info->model), id->model, sizeof(id->model));
	copy_text(info->firmware, sizeof(info->firmware), id->firmware, sizeof(id->firmware));
	memcpy(info->board_id, id->board_id, sizeof(info->board_id));
	memcpy(info->measurement, id->measurement, sizeof(info->measurement));
	info->version = le32toh(id->version);
	info->security_version = le32toh(id->security_version);
	info->min_security_version = le32toh(id->min_security_version);
	info->function = le32toh(id->function);
	info->functions = le32toh(id->functions);
	info->partitions = le32toh(id->partitions);
	info->state = le32toh(id->state);
	info->flags = le32toh(id->flags);
	for (unsigned int i = 0; i < IHSM_TIME_CLASSES; i++)
		info->class_ms[i] = le32toh(id->class_ms[i]);
}

int hsm_device_info(struct hsm_device *device, struct hsm_device_info *info,
		    struct hsm_error *error)
{
	int err;

	clear_error(error);
	memset(info, 0, sizeof(*info));
	err = check_fork(device, error);
	if (!err)
		err = device_ready(device, error);
	if (err)
		return err;
	strcpy(info->name, device->name);
	pthread_mutex_lock(&device->lock);
	err = device->transport->ops->info(device->transport, info, error);
	pthread_mutex_unlock(&device->lock);
	return err;
}

static void copy_record(struct hsm_partition_info *info, const uint8_t *data)
{
	struct hsm_partition_record record;

	memcpy(&record, data, sizeof(record));
	memset(info, 0, sizeof(*info));
	memcpy(info->id, record.id, sizeof(info->id));
	info->slot = le32toh(record.slot);
	info->flags = le32toh(record.flags);
	info->changes = le32toh(record.changes);
	memcpy(info->name, record.name, sizeof(record.name));
}

static int discover(struct hsm_device *device, uint8_t *response, const uint8_t **records,
		    size_t *count, struct hsm_error *error)
{
	uint8_t request[sizeof(struct hsm_message_header)];
	struct hsm_fields fields;
	size_t length;
	int n;

	message_header(request, HSM_MESSAGE_DISCOVER, 0, 0, 0);
	n = device_exchange(device, atomic_load(&device->transport->instance), request,
			    sizeof(request), response, "listing partitions", error);
	if (n < 0)
		return n;
	if (hsm_fields_parse(&fields, response + sizeof(request), (size_t)n - sizeof(request)))
		return set_error(error, -EPROTO, HSM_LAYER_CHANNEL,
				 "listing partitions: the answer is malformed");
	*records = hsm_fields_bytes(&fields, HSM_FIELD_PARTITIONS, &length);
	*count = length / sizeof(struct hsm_partition_record);
	if (length % sizeof(struct hsm_partition_record))
		return set_error(error, -EPROTO, HSM_LAYER_CHANNEL,
				 "listing partitions: the answer is malformed");
	return 0;
}

/* A device that was lost is found again, and asked once more: the question changes nothing. */
static int discover_again(struct hsm_device *device, uint8_t *response, const uint8_t **records,
			  size_t *count, struct hsm_error *error)
{
	int err = -ECONNRESET;

	for (int i = 0; i < 3 && err == -ECONNRESET; i++) {
		err = device_ready(device, error);
		if (!err)
			err = discover(device, response, records, count, error);
	}
	return err;
}

int hsm_partitions(struct hsm_device *device, struct hsm_partition_info *list, size_t *count,
		   struct hsm_error *error)
{
	const uint8_t *records = NULL;
	size_t room = *count;
	uint8_t *response;
	int err;

	clear_error(error);
	*count = 0;
	err = check_fork(device, error);
	if (err)
		return err;
	response = malloc(HSM_MESSAGE_MAX);
	if (!response)
		return set_error(error, -ENOMEM, HSM_LAYER_SYSTEM, "out of memory");
	err = discover_again(device, response, &records, count, error);
	for (size_t i = 0; !err && i < *count && i < room; i++)
		copy_record(&list[i], records + i * sizeof(struct hsm_partition_record));
	free(response);
	if (!err && *count > room)
		return set_error(error, -ENOSPC, HSM_LAYER_CONFIG,
				 "the function has %zu partitions", *count);
	return err;
}

/* ---- event loops ---- */

int hsm_poll_fd(struct hsm_device *device)
{
	if (guard_forked(&device->guard))
		return -ECHILD;
	return device->transport->ops->poll_fd(device->transport);
}

int hsm_poll_arm(struct hsm_device *device)
{
	if (guard_forked(&device->guard))
		return -ECHILD;
	return device->transport->ops->poll_arm(device->transport);
}

/* ---- events ---- */

/* All descriptors there are, and the one that ends the wait */
static nfds_t gather(struct hsm_device *const *devices, size_t count, int wake, struct pollfd *fds)
{
	int own[TRANSPORT_EVENT_FDS];
	nfds_t used = 0;

	fds[used++] = (struct pollfd){ .fd = wake, .events = POLLIN };
	for (size_t i = 0; i < count; i++) {
		struct transport *transport = devices[i]->transport;
		unsigned int n = transport->ops->event_fds(transport, own);

		for (unsigned int k = 0; k < n; k++)
			fds[used++] = (struct pollfd){ .fd = own[k], .events = POLLIN | POLLRDHUP };
	}
	return used;
}

static bool take(struct hsm_device *const *devices, size_t count)
{
	bool changed = false;

	for (size_t i = 0; i < count; i++)
		changed = devices[i]->transport->ops->event_take(devices[i]->transport) || changed;
	return changed;
}

int hsm_wait_events(struct hsm_device *const *devices, size_t count, int wake, int timeout_ms)
{
	struct pollfd *fds;

	for (size_t i = 0; i < count; i++)
		if (guard_forked(&devices[i]->guard))
			return -ECHILD;
	if (take(devices, count))
		return 1;
	fds = calloc(1 + count * TRANSPORT_EVENT_FDS, sizeof(*fds));
	if (!fds)
		return -ENOMEM;
	poll(fds, gather(devices, count, wake, fds), timeout_ms);
	free(fds);
	return take(devices, count);
}
