// SPDX-License-Identifier: Apache-2.0
/*
 * The transport over /dev/ihsmN. A command is one ioctl of the thread that waits for it; commands
 * that were only submitted are carried by others (driver_carry.c). An open file is a context of the
 * device (linux/ihsm.h): what was lost in a reset comes back by opening the file again.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "driver_private.h"

#define PAUSE_MS 20 /* between two looks whether a reset has ended */
#define RESET_MS 60000

static struct driver *to_driver(struct transport *transport)
{
	return (struct driver *)((char *)transport - offsetof(struct driver, transport));
}

/* ---- the kernel ---- */

static int system_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return fd;
}

static int system_ioctl(int fd, unsigned long request, void *argument)
{
	return ioctl(fd, request, argument) < 0 ? -errno : 0;
}

static void system_close(int fd)
{
	close(fd);
}

static const struct driver_calls system_calls = {
	.open = system_open,
	.ioctl = system_ioctl,
	.close = system_close,
	.uring = true,
	.reset_ms = RESET_MS,
};

/* ---- files ---- */

/* With the lock held, or nobody else there */
static void file_put(struct driver *driver, struct file *file)
{
	if (!file || --file->users > 0)
		return;
	driver->calls->close(file->fd);
	free(file);
}

struct file *driver_file_get_locked(struct driver *driver, uint32_t instance)
{
	struct file *file = driver->file;

	if (atomic_load(&driver->transport.lost) || !file || file->instance != instance)
		return NULL;
	file->users++;
	return file;
}

struct file *driver_file_get(struct driver *driver, uint32_t instance)
{
	struct file *file;

	pthread_mutex_lock(&driver->lock);
	file = driver_file_get_locked(driver, instance);
	pthread_mutex_unlock(&driver->lock);
	return file;
}

void driver_file_drop(struct driver *driver, struct file *file)
{
	pthread_mutex_lock(&driver->lock);
	file_put(driver, file);
	pthread_mutex_unlock(&driver->lock);
}

/* What a file of the past has to say takes nothing away from the present one. */
static void lose(struct driver *driver, uint32_t instance)
{
	pthread_mutex_lock(&driver->lock);
	if (atomic_load(&driver->transport.instance) == instance) {
		atomic_store(&driver->transport.lost, true);
		atomic_fetch_add(&driver->transport.instance, 1);
	}
	pthread_mutex_unlock(&driver->lock);
}

static void nap(unsigned int ms)
{
	struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&pause, NULL);
}

static int open_error(const char *path, int err, struct hsm_error *error)
{
	switch (err) {
	case -ENOENT:
		return set_error(
			error, -ENODEV, HSM_LAYER_TRANSPORT,
			"there is no %.100s: hsmctl driver status tells what the driver has found",
			path);
	case -ENODEV:
	case -ENXIO:
		return set_error(
			error, -ENODEV, HSM_LAYER_TRANSPORT,
			"the device %.100s is gone: unplugged, unbound from its driver, or dead",
			path);
	case -EACCES:
	case -EPERM:
		return set_error(error, -EACCES, HSM_LAYER_TRANSPORT, "%.100s is not for this user",
				 path);
	case -EAGAIN:
	case -ESTALE:
	case -ECANCELED:
		return set_error(error, -ETIMEDOUT, HSM_LAYER_TRANSPORT,
				 "the reset of %.100s does not end", path);
	case -EUSERS:
		return set_error(error, -EBUSY, HSM_LAYER_TRANSPORT,
				 "%.100s is open as often as the device allows", path);
	case -ENOTTY:
	case -EINVAL:
		return set_error(error, -ENODEV, HSM_LAYER_TRANSPORT,
				 "%.100s is not a device of the HSM driver", path);
	default:
		return set_error(error, err, HSM_LAYER_SYSTEM, "cannot open %.100s: %s", path,
				 strerrordesc_np(-err));
	}
}

static int query(struct driver *driver, int fd, struct ihsm_info *info,
		 struct ihsm_identify *identify)
{
	int err;

	do {
		memset(identify, 0, sizeof(*identify));
		*info = (struct ihsm_info){
			.size = sizeof(*info),
			.identify = (uintptr_t)identify,
			.identify_len = sizeof(*identify),
		};
		err = driver->calls->ioctl(fd, IHSM_IOC_INFO, info);
	} while (err == -EINTR);
	if (err)
		return err;
	if (info->state == IHSM_DRIVER_DEAD || info->state == IHSM_DRIVER_DELETING)
		return -ENODEV;
	/* A context of before a reset, or one that is going to be */
	if (info->state != IHSM_DRIVER_LIVE || info->epoch != (uint32_t)(info->context >> 32))
		return -ESTALE;
	return 0;
}

/* Return: a descriptor that works, or a negative errno */
static int open_once(struct driver *driver, struct ihsm_info *info, struct ihsm_identify *identify)
{
	int fd = driver->calls->open(driver->name.path);
	int err;

	if (fd < 0)
		return fd;
	err = query(driver, fd, info, identify);
	if (!err)
		return fd;
	driver->calls->close(fd);
	return err;
}

/* A reset came while the file was opened, or is under way. */
static bool is_reset(int err)
{
	return err == -EAGAIN || err == -ESTALE || err == -ECANCELED;
}

static int open_waiting(struct driver *driver, struct ihsm_info *info,
			struct ihsm_identify *identify)
{
	unsigned int waited = 0;
	int fd;

	for (;;) {
		fd = open_once(driver, info, identify);
		if (fd == -EINTR)
			continue;
		if (!is_reset(fd) || waited >= driver->calls->reset_ms)
			return fd;
		nap(PAUSE_MS);
		waited += PAUSE_MS;
	}
}

static int check_device(struct driver *driver, const struct ihsm_info *info,
			const struct ihsm_identify *identify, struct hsm_error *error)
{
	if (info->abi < IHSM_ABI_VERSION)
		return set_error(error, -EPROTO, HSM_LAYER_TRANSPORT,
				 "the driver's interface has version %u, this library needs %u",
				 info->abi, IHSM_ABI_VERSION);
	if (info->hw_version >> 16 != IHSM_VERSION >> 16)
		return set_error(error, -EPROTO, HSM_LAYER_TRANSPORT,
				 "the device's interface has version %u.%u, this library knows %u",
				 info->hw_version >> 16, info->hw_version & 0xffff,
				 IHSM_VERSION >> 16);
	if (driver->admin && le32toh(identify->function) != 0)
		return set_error(
			error, -EINVAL, HSM_LAYER_CONFIG,
			"%.100s is function %u of its board: name the device of function 0 for administration",
			driver->name.path, le32toh(identify->function));
	return 0;
}

static void adopt(struct driver *driver, struct file *file, const struct ihsm_info *info,
		  const struct ihsm_identify *identify)
{
	struct transport *transport = &driver->transport;

	transport->epoch = (uint32_t)(info->context >> 32);
	memcpy(transport->board_id, identify->board_id, sizeof(transport->board_id));
	for (unsigned int i = 0; i < IHSM_TIME_CLASSES; i++)
		transport->class_ms[i] = le32toh(identify->class_ms[i]);
	pthread_mutex_lock(&driver->lock);
	file_put(driver, driver->file);
	file->instance = atomic_load(&transport->instance);
	driver->file = file;
	driver->max_message = info->max_message;
	atomic_store(&transport->lost, false);
	pthread_mutex_unlock(&driver->lock);
}

/* A new context, in the place of the one there was */
static int renew(struct driver *driver, struct hsm_error *error)
{
	struct file *file = calloc(1, sizeof(*file));
	struct ihsm_identify identify;
	struct ihsm_info info;
	int err;

	if (!file)
		return set_error(error, -ENOMEM, HSM_LAYER_SYSTEM, "out of memory");
	file->users = 1;
	file->fd = open_waiting(driver, &info, &identify);
	if (file->fd < 0) {
		err = open_error(driver->name.path, file->fd, error);
		free(file);
		return err;
	}
	err = check_device(driver, &info, &identify, error);
	if (err)
		file_put(driver, file);
	else
		adopt(driver, file, &info, &identify);
	return err;
}

static int driver_recover(struct transport *transport, struct hsm_error *error)
{
	struct driver *driver = to_driver(transport);

	if (!atomic_load(&transport->lost))
		return 0;
	/* The old context goes first: the device may have no other to give. */
	pthread_mutex_lock(&driver->lock);
	file_put(driver, driver->file);
	driver->file = NULL;
	pthread_mutex_unlock(&driver->lock);
	return renew(driver, error);
}

static void driver_abandon(struct transport *transport)
{
	lose(to_driver(transport), atomic_load(&transport->instance));
}

/* ---- one command ---- */

struct ihsm_command driver_command(const struct transfer *transfer)
{
	return (struct ihsm_command){
		.size = sizeof(struct ihsm_command),
		.time_class = transfer->time_class,
		.in = (uintptr_t)transfer->in,
		.out = (uintptr_t)transfer->out,
		.in_len = (uint32_t)transfer->in_length,
		.out_len = (uint32_t)transfer->out_capacity,
	};
}

void driver_settle(struct driver *driver, struct file *file, struct transfer *transfer,
		   const struct ihsm_command *command, int err)
{
	transfer->result = err ? -ECONNRESET : 0;
	switch (err) {
	case 0:
		transfer->status = command->status;
		if (command->status == IHSM_SC_SUCCESS)
			transfer->out_length = command->written;
		if (transfer->out_length > transfer->out_capacity)
			transfer->out_length = 0;
		return;
	case -ETIMEDOUT:
		transfer->result = err;
		transfer->timed_out = true;
		return;
	case -ESTALE:
	case -EAGAIN:
		transfer->unsent = true;
		lose(driver, file->instance);
		return;
	case -ENODEV:
	case -ECANCELED:
	case -EIO:
		lose(driver, file->instance);
		return;
	case -EINVAL:
	case -E2BIG:
	case -EMSGSIZE:
	case -ENOMEM:
	case -EPERM:
	case -ENOTTY:
		transfer->result = err;
		transfer->unsent = true;
		return;
	default:
		/* Interrupted, or a fault when the answer was written: it may have been executed. */
		return;
	}
}

/* ---- the operations ---- */

static int driver_submit(struct transport *transport, struct transfer *transfer,
			 struct hsm_error *error)
{
	struct driver *driver = to_driver(transport);
	bool worker;
	int err = 0;

	transfer->result = 0;
	transfer->out_length = 0;
	transfer->timed_out = false;
	transfer->unsent = false;
	transfer->slot = CARRIED_BY_WAITER;
	pthread_mutex_lock(&driver->lock);
	if (atomic_load(&transport->lost) ||
	    atomic_load(&transport->instance) != transfer->instance)
		err = -ECONNRESET;
	else if (transfer->in_length > driver->max_message)
		err = -EMSGSIZE;
	if (err) {
		pthread_mutex_unlock(&driver->lock);
		return set_error(error, err, HSM_LAYER_TRANSPORT,
				 err == -EMSGSIZE ? "the message is longer than the device takes"
						  : "the connection to the device was lost");
	}
	atomic_store(&transfer->state, TRANSFER_PENDING);
	worker = transfer->notify || driver_queue_used(driver, transfer->queue);
	if (worker) {
		transfer->slot = CARRIED_BY_OTHERS;
		worker = driver_hand_over(driver, transfer);
	}
	pthread_mutex_unlock(&driver->lock);
	/* A process that may have no more threads gets its answer all the same, only not beside others. */
	if (!worker && transfer->slot == CARRIED_BY_OTHERS)
		driver_carry(driver, transfer);
	return 0;
}

static void futex_sleep(_Atomic uint32_t *word, uint32_t value)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void driver_wait(struct transport *transport, struct transfer *transfer)
{
	uint32_t pending;

	if (transfer_done(transfer))
		return;
	if (transfer->slot == CARRIED_BY_WAITER) {
		driver_carry(to_driver(transport), transfer);
		return;
	}
	while (!transfer_done(transfer)) {
		pending = TRANSFER_PENDING;
		atomic_compare_exchange_strong(&transfer->state, &pending, TRANSFER_SLEEPING);
		futex_sleep(&transfer->state, TRANSFER_SLEEPING);
	}
}

/* Whoever carries a transfer ends it: there is nothing to look for. */
static void driver_poll(struct transport *transport)
{
	(void)transport;
}

static int driver_poll_fd(struct transport *transport)
{
	return to_driver(transport)->event;
}

static int driver_poll_arm(struct transport *transport)
{
	eventfd_t count;

	eventfd_read(to_driver(transport)->event, &count);
	return 0;
}

static unsigned int driver_event_fds(struct transport *transport, int *fds)
{
	struct driver *driver = to_driver(transport);
	struct file *file = driver_file_get(driver, atomic_load(&transport->instance));

	if (!file)
		return 0;
	fds[0] = file->fd;
	driver_file_drop(driver, file);
	return 1;
}

/* A driver that knows no events answers with an error, and then there are none. */
static bool driver_event_take(struct transport *transport)
{
	struct driver *driver = to_driver(transport);
	uint32_t instance = atomic_load(&transport->instance);
	struct file *file = driver_file_get(driver, instance);
	struct ihsm_events events = { .size = sizeof(events) };
	int err;

	if (!file)
		return true;
	err = driver->calls->ioctl(file->fd, IHSM_IOC_EVENTS, &events);
	driver_file_drop(driver, file);
	if (err == -ENODEV)
		lose(driver, instance);
	if (err)
		return err == -ENODEV;
	return events.events & (1U << IHSM_NOTICE_PARTITIONS | 1U << IHSM_NOTICE_RESET);
}

static int ask(struct driver *driver, struct ihsm_identify *identify)
{
	uint32_t instance = atomic_load(&driver->transport.instance);
	struct file *file = driver_file_get(driver, instance);
	struct ihsm_info info;
	int err;

	if (!file)
		return -ESTALE;
	err = query(driver, file->fd, &info, identify);
	driver_file_drop(driver, file);
	if (err)
		lose(driver, instance);
	return err;
}

static int driver_info(struct transport *transport, struct hsm_device_info *info,
		       struct hsm_error *error)
{
	struct driver *driver = to_driver(transport);
	struct ihsm_identify identify;
	int err = ask(driver, &identify);

	if (err) {
		err = driver_recover(transport, error);
		if (err)
			return err;
		err = ask(driver, &identify);
	}
	if (err)
		return open_error(driver->name.path, err, error);
	identify_to_info(&identify, info);
	return 0;
}

static void driver_close(struct transport *transport, bool forked)
{
	struct driver *driver = to_driver(transport);

	/* A child has none of the threads, and a lock may have been held when it was made. */
	if (!forked) {
		driver_dismiss(driver);
		pthread_cond_destroy(&driver->work);
		pthread_mutex_destroy(&driver->lock);
	}
	driver_ring_free(driver->ring);
	if (driver->file)
		driver->calls->close(driver->file->fd);
	free(driver->file);
	if (driver->event >= 0)
		close(driver->event);
	free(driver);
}

static const struct transport_ops driver_ops = {
	.submit = driver_submit,
	.wait = driver_wait,
	.poll = driver_poll,
	.poll_fd = driver_poll_fd,
	.poll_arm = driver_poll_arm,
	.event_fds = driver_event_fds,
	.event_take = driver_event_take,
	.recover = driver_recover,
	.abandon = driver_abandon,
	.info = driver_info,
	.close = driver_close,
};

/* ---- opening ---- */

/* HSM_SPIN_US as the driver's structure has it. Not set: as the driver's own parameter says. */
static uint32_t poll_setting(void)
{
	unsigned long us = transport_spin_us(ULONG_MAX);

	if (us == ULONG_MAX)
		return 0;
	if (us == 0)
		return IHSM_POLL_NEVER;
	return us < IHSM_POLL_NEVER ? (uint32_t)us : IHSM_POLL_NEVER - 1;
}

int driver_open_with(const struct device_name *name, bool admin, const struct driver_calls *calls,
		     struct transport **transport, struct hsm_error *error)
{
	struct driver *driver = calloc(1, sizeof(*driver));
	int err;

	if (!driver)
		return set_error(error, -ENOMEM, HSM_LAYER_SYSTEM, "out of memory");
	driver->transport.ops = &driver_ops;
	driver->calls = calls;
	driver->name = *name;
	driver->admin = admin;
	driver->poll_us = poll_setting();
	driver->last = &driver->first;
	pthread_mutex_init(&driver->lock, NULL);
	pthread_cond_init(&driver->work, NULL);
	atomic_store(&driver->transport.instance, 1);
	driver->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (driver->event < 0)
		err = set_errno_error(error, HSM_LAYER_SYSTEM,
				      "no descriptors left for the device");
	else
		err = renew(driver, error);
	if (err) {
		driver_close(&driver->transport, false);
		return err;
	}
	*transport = &driver->transport;
	return 0;
}

int driver_open(const struct device_name *name, bool admin, struct transport **transport,
		struct hsm_error *error)
{
	return driver_open_with(name, admin, &system_calls, transport, error);
}
