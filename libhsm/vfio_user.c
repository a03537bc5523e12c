// SPDX-License-Identifier: Apache-2.0
/*
 * The transport over a vfio-user socket: opening, losing and finding the device again, and what
 * event loops need.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "vfio_user.h"

#define SPIN_US_DEFAULT 400 /* longer than an RSA-2048 signature takes */
#define SPIN_US_MAX	1000
#define CONNECT_SECONDS 15
#define TICK_MS		1000
#define START_TRIES	3

/* ---- sockets ---- */

/* A path that does not fit is reached through a descriptor of its directory. */
static int socket_address(const char *path, struct sockaddr_un *address, int *directory)
{
	const char *slash = strrchr(path, '/');
	char parent[NAME_PATH_MAX];
	int n;

	*directory = -1;
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (strlen(path) < sizeof(address->sun_path)) {
		strcpy(address->sun_path, path);
		return 0;
	}
	if (!slash || (size_t)(slash - path) >= sizeof(parent))
		return -ENAMETOOLONG;
	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = '\0';
	*directory = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*directory < 0)
		return -errno;
	n = snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d%s", *directory,
		     slash);
	return n < (int)sizeof(address->sun_path) ? 0 : -ENAMETOOLONG;
}

/* A listener whose queue is full is not waited for without end. */
static int connect_within(int fd, const struct sockaddr_un *address)
{
	struct timeval limit = { .tv_sec = CONNECT_SECONDS };

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	while (connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0) {
		if (errno == EAGAIN)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

int socket_connect(const char *path)
{
	struct sockaddr_un address;
	int directory;
	int fd = -1;
	int err = socket_address(path, &address, &directory);

	if (!err) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		err = fd < 0 ? -errno : connect_within(fd, &address);
	}
	if (directory >= 0)
		close(directory);
	if (!err)
		return fd;
	if (fd >= 0)
		close(fd);
	return err;
}

/*
 * The peer is the caller's own process: it runs as the same user. Who connects to a stranger
 * must know whom to trust.
 */
static bool is_own(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
	       peer.uid == geteuid();
}

static int open_socket(struct vfio_user *vu, struct hsm_error *error)
{
	int fd;

	if (vu->name.kind == NAME_EMBEDDED)
		return embedded_connect(&vu->name, vu->start, error);
	fd = socket_connect(vu->name.path);
	if (fd >= 0)
		return fd;
	if (fd == -ENOENT || fd == -ECONNREFUSED)
		return set_error(error, -ENODEV, HSM_LAYER_TRANSPORT, "no device at %s: %s",
				 vu->name.path,
				 fd == -ENOENT ? "the socket does not exist; start vhsm"
					       : "nobody listens; start vhsm again");
	if (fd == -EACCES || fd == -EPERM)
		return set_error(error, -EACCES, HSM_LAYER_TRANSPORT,
				 "the socket %s is not for this user", vu->name.path);
	return set_error(error, fd, HSM_LAYER_SYSTEM, "cannot connect to %s: %s", vu->name.path,
			 strerrordesc_np(-fd));
}

/* ---- up, down, and up again ---- */

/*
 * What the device had answered before it went counts: a command that has the board start its firmware
 * anew is not left in doubt.
 */
static void take_last_words(struct vfio_user *vu)
{
	for (unsigned int i = 0; i < vu->queues; i++)
		queue_reap(vu, &vu->queue[i]);
}

void vfio_user_lost(struct vfio_user *vu, int result)
{
	if (result == -ECONNRESET && !atomic_load(&vu->transport.lost))
		take_last_words(vu);
	if (atomic_exchange(&vu->transport.lost, true))
		return;
	atomic_fetch_add(&vu->transport.instance, 1);
	for (unsigned int i = 0; i < vu->queues; i++)
		queue_fail_all(vu, &vu->queue[i], result);
	if (atomic_load(&vu->armed))
		eventfd_write(vu->notify, 1);
}

/* A board that ends just when we come is started once more. */
static int connect_and_start(struct vfio_user *vu, struct hsm_error *error)
{
	int tries = vu->name.kind == NAME_EMBEDDED && vu->start ? START_TRIES : 1;
	int err;

	do {
		int fd = open_socket(vu, error);

		if (fd < 0)
			return fd;
		vu->transport.own = is_own(fd);
		wire_attach(&vu->socket, fd);
		err = controller_connect(vu, error);
		if (!err)
			err = controller_start(vu, error);
		if (err)
			wire_attach(&vu->socket, -1);
	} while (err == -ENODEV && --tries > 0);
	return err;
}

static bool socket_alive(struct vfio_user *vu)
{
	struct pollfd fd = { .fd = vu->socket.fd, .events = POLLRDHUP };

	return vu->socket.fd >= 0 && poll(&fd, 1, 0) == 0;
}

static int vu_recover(struct transport *transport, struct hsm_error *error)
{
	struct vfio_user *vu = to_vfio_user(transport);
	int err = -ENODEV;

	pthread_mutex_lock(&vu->admin);
	if (!atomic_load(&transport->lost)) {
		pthread_mutex_unlock(&vu->admin);
		return 0;
	}
	if (socket_alive(vu))
		err = controller_reset(vu, error);
	if (!err)
		err = controller_start(vu, error);
	if (err)
		err = connect_and_start(vu, error);
	if (!err)
		atomic_store(&transport->lost, false);
	pthread_mutex_unlock(&vu->admin);
	return err;
}

static void vu_abandon(struct transport *transport)
{
	vfio_user_lost(to_vfio_user(transport), -ECONNRESET);
}

/* ---- the operations ---- */

static int vu_submit(struct transport *transport, struct transfer *transfer,
		     struct hsm_error *error)
{
	return queue_submit(to_vfio_user(transport), transfer, error);
}

static void vu_wait(struct transport *transport, struct transfer *transfer)
{
	queue_wait(to_vfio_user(transport), transfer);
}

static uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/*
 * What a sleeping waiter does, for an event loop: is the device there, does anything take too long?
 */
static void look_after(struct vfio_user *vu)
{
	uint64_t now = clock_ms();
	uint64_t last = atomic_load(&vu->looked_ms);

	if (now - last < TICK_MS / 2 || !atomic_compare_exchange_strong(&vu->looked_ms, &last, now))
		return;
	if (!socket_alive(vu) || !controller_alive(vu)) {
		vfio_user_lost(vu, -ECONNRESET);
		return;
	}
	for (unsigned int i = 0; i < vu->queues; i++)
		queue_enforce(vu, &vu->queue[i]);
}

static void set_tick(struct vfio_user *vu)
{
	struct itimerspec next = { .it_value = { .tv_sec = TICK_MS / 1000 } };
	bool busy = false;

	for (unsigned int i = 0; i < vu->queues; i++) {
		pthread_mutex_lock(&vu->queue[i].lock);
		busy = busy || vu->queue[i].free_count < SQ_ENTRIES;
		pthread_mutex_unlock(&vu->queue[i].lock);
	}
	if (!busy)
		next.it_value.tv_sec = 0;
	timerfd_settime(vu->tick, 0, &next, NULL);
}

static void vu_poll(struct transport *transport)
{
	struct vfio_user *vu = to_vfio_user(transport);
	int found = 0;

	for (unsigned int i = 0; i < vu->queues && found >= 0; i++) {
		int n = queue_reap(vu, &vu->queue[i]);

		found = n < 0 ? n : found + n;
	}
	if (found < 0)
		vfio_user_lost(vu, -EPROTO);
	if (found == 0 && atomic_load(&vu->armed) && !atomic_load(&transport->lost))
		look_after(vu);
}

static int vu_poll_fd(struct transport *transport)
{
	return to_vfio_user(transport)->loop;
}

static int vu_poll_arm(struct transport *transport)
{
	struct vfio_user *vu = to_vfio_user(transport);
	eventfd_t count;
	bool ready = atomic_load(&transport->lost);

	atomic_store(&vu->armed, true);
	eventfd_read(vu->notify, &count);
	set_tick(vu);
	for (unsigned int i = 0; i < vu->queues; i++) {
		eventfd_read(vu->queue[i].event, &count);
		ready = queue_arm(&vu->queue[i]) || ready;
	}
	if (ready)
		eventfd_write(vu->notify, 1);
	return 0;
}

static unsigned int vu_event_fds(struct transport *transport, int *fds)
{
	struct vfio_user *vu = to_vfio_user(transport);

	fds[0] = vu->changed;
	fds[1] = vu->admin_event;
	fds[2] = vu->socket.fd;
	return 3;
}

/* Whoever reads the admin queue says on @changed what it has found there. */
static bool vu_event_take(struct transport *transport)
{
	struct vfio_user *vu = to_vfio_user(transport);
	eventfd_t count;

	if (!atomic_load(&transport->lost) && (!socket_alive(vu) || controller_events(vu)))
		vfio_user_lost(vu, -ECONNRESET);
	return eventfd_read(vu->changed, &count) == 0 || atomic_load(&transport->lost);
}

/* What can change is read again. */
static int refresh(struct vfio_user *vu, struct hsm_device_info *info, struct hsm_error *error)
{
	uint32_t status = 0;

	if (wire_read(&vu->socket, VFIO_PCI_BAR0_REGION_INDEX, IHSM_REG_STATUS, &status,
		      sizeof(status)))
		return set_error(error, -ENODEV, HSM_LAYER_TRANSPORT, "the device went away");
	info->state = le32toh(status) >> IHSM_STATUS_STATE_SHIFT & IHSM_STATUS_STATE_MASK;
	return 0;
}

static int vu_info(struct transport *transport, struct hsm_device_info *info,
		   struct hsm_error *error)
{
	struct vfio_user *vu = to_vfio_user(transport);

	identify_to_info(&vu->identify, info);
	return refresh(vu, info, error);
}

static void vu_close(struct transport *transport, bool forked)
{
	struct vfio_user *vu = to_vfio_user(transport);

	/*
	 * Closing the connection ends the context with all that belongs to it; in a child only
	 * descriptors go.
	 */
	if (!forked && vu->queues > 0)
		vfio_user_lost(vu, -ECONNRESET);
	wire_destroy(&vu->socket);
	shared_destroy(&vu->shared, forked);
	for (unsigned int i = 0; i < QUEUES_MAX; i++) {
		if (vu->queue[i].event >= 0)
			close(vu->queue[i].event);
		pthread_mutex_destroy(&vu->queue[i].lock);
	}
	if (vu->admin_event >= 0)
		close(vu->admin_event);
	if (vu->notify >= 0)
		close(vu->notify);
	if (vu->changed >= 0)
		close(vu->changed);
	if (vu->tick >= 0)
		close(vu->tick);
	if (vu->loop >= 0)
		close(vu->loop);
	pthread_mutex_destroy(&vu->admin);
	free(vu);
}

static const struct transport_ops vfio_user_ops = {
	.submit = vu_submit,
	.wait = vu_wait,
	.poll = vu_poll,
	.poll_fd = vu_poll_fd,
	.poll_arm = vu_poll_arm,
	.event_fds = vu_event_fds,
	.event_take = vu_event_take,
	.recover = vu_recover,
	.abandon = vu_abandon,
	.info = vu_info,
	.close = vu_close,
};

/* ---- opening ---- */

static unsigned int usable_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
		return (unsigned int)CPU_COUNT(&set);
	return 1;
}

/* On one processor nobody spins. */
static uint32_t spin_bound(unsigned int cpus)
{
	unsigned long us = transport_spin_us(SPIN_US_DEFAULT);

	if (cpus < 2)
		return 0;
	return (uint32_t)(us < SPIN_US_MAX ? us : SPIN_US_MAX) * 1000;
}

static int watch(struct vfio_user *vu, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(vu->loop, EPOLL_CTL_ADD, fd, &event);
}

static int make_descriptors(struct vfio_user *vu)
{
	int err;

	vu->admin_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	vu->notify = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	vu->changed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	vu->tick = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	vu->loop = epoll_create1(EPOLL_CLOEXEC);
	if (vu->admin_event < 0 || vu->notify < 0 || vu->changed < 0 || vu->tick < 0 ||
	    vu->loop < 0)
		return -errno;
	err = watch(vu, vu->notify);
	if (!err)
		err = watch(vu, vu->tick);
	for (unsigned int i = 0; i < QUEUES_MAX && !err; i++) {
		vu->queue[i].event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		err = vu->queue[i].event < 0 ? -1 : watch(vu, vu->queue[i].event);
	}
	return err ? -errno : 0;
}

static struct vfio_user *make(const struct device_name *name, bool start)
{
	struct vfio_user *vu = aligned_alloc(64, sizeof(*vu));

	if (!vu)
		return NULL;
	memset(vu, 0, sizeof(*vu));
	vu->transport.ops = &vfio_user_ops;
	vu->name = *name;
	vu->start = start;
	vu->shared.fd = -1;
	vu->admin_event = -1;
	vu->notify = -1;
	vu->changed = -1;
	vu->tick = -1;
	vu->loop = -1;
	vu->cpus = usable_cpus();
	vu->spin_ns = spin_bound(vu->cpus);
	wire_init(&vu->socket);
	pthread_mutex_init(&vu->admin, NULL);
	for (unsigned int i = 0; i < QUEUES_MAX; i++) {
		pthread_mutex_init(&vu->queue[i].lock, NULL);
		vu->queue[i].event = -1;
	}
	return vu;
}

int vfio_user_open(const struct device_name *name, bool start, struct transport **transport,
		   struct hsm_error *error)
{
	struct vfio_user *vu = make(name, start);
	int err;

	if (!vu)
		return set_error(error, -ENOMEM, HSM_LAYER_SYSTEM, "out of memory");
	err = make_descriptors(vu);
	if (err)
		set_error(error, err, HSM_LAYER_SYSTEM, "no descriptors left for the device: %s",
			  strerrordesc_np(-err));
	if (!err) {
		pthread_mutex_lock(&vu->admin);
		err = connect_and_start(vu, error);
		pthread_mutex_unlock(&vu->admin);
	}
	if (err) {
		vu_close(&vu->transport, false);
		return err;
	}
	atomic_store(&vu->transport.instance, 1);
	*transport = &vu->transport;
	return 0;
}
