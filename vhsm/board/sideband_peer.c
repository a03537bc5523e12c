// SPDX-License-Identifier: Apache-2.0
/*
 * The sideband's own process: a controller's messages in CBOR on one side, the board's structures on the
 * other. It is forked before the board has read fuses, keys or anything of the state, and then shuts
 * itself in: it can read, write, accept and end.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <hsm/cose.h>
#include "sideband.h"

#define PEERS	   8
#define FIRST_FREE 10 /* above the numbers that its descriptors get */

struct message {
	uint64_t id;
	bool has_id;
	struct sideband_request request;
};

/* ---- CBOR ---- */

static bool take_number(const cbor_item_t *map, enum hsm_sideband_key key, uint32_t *number)
{
	uint64_t value;

	if (!hsm_cbor_as_uint(hsm_cbor_get(map, key), &value) || value > UINT32_MAX)
		return false;
	*number = (uint32_t)value;
	return true;
}

static bool take_piece(const cbor_item_t *map, struct sideband_request *request)
{
	const uint8_t *data;
	size_t length;

	if (!take_number(map, HSM_SIDEBAND_KEY_OFFSET, &request->number) ||
	    !take_number(map, HSM_SIDEBAND_KEY_SIZE, &request->size) ||
	    !hsm_cbor_as_bytes(hsm_cbor_get(map, HSM_SIDEBAND_KEY_DATA), &data, &length) ||
	    length > sizeof(request->data))
		return false;
	memcpy(request->data, data, length);
	request->length = (uint32_t)length;
	return true;
}

/* What belongs to the newer commands */
static bool parse_more(const cbor_item_t *map, struct sideband_request *request)
{
	switch (request->command) {
	case HSM_SIDEBAND_HEADS:
		return !hsm_cbor_get(map, HSM_SIDEBAND_KEY_FROM) ||
		       take_number(map, HSM_SIDEBAND_KEY_FROM, &request->number);
	case HSM_SIDEBAND_RECOVER:
		return take_number(map, HSM_SIDEBAND_KEY_PLACE, &request->number);
	case HSM_SIDEBAND_IMAGE:
		return take_piece(map, request);
	default:
		return true;
	}
}

static bool parse(const uint8_t *bytes, size_t length, struct message *message)
{
	cbor_item_t *map = hsm_cbor_read(bytes, length);
	uint64_t command, kind = 0;
	int64_t value = 0;
	bool ok;

	memset(message, 0, sizeof(*message));
	if (!map)
		return false;
	ok = hsm_cbor_as_uint(hsm_cbor_get(map, HSM_SIDEBAND_KEY_COMMAND), &command) &&
	     command <= UINT32_MAX;
	message->has_id = hsm_cbor_as_uint(hsm_cbor_get(map, HSM_SIDEBAND_KEY_ID), &message->id);
	if (ok && command == HSM_SIDEBAND_INJECT)
		ok = hsm_cbor_as_uint(hsm_cbor_get(map, HSM_SIDEBAND_KEY_KIND), &kind) &&
		     kind <= UINT32_MAX &&
		     hsm_cbor_as_int(hsm_cbor_get(map, HSM_SIDEBAND_KEY_VALUE), &value) &&
		     value >= INT32_MIN && value <= INT32_MAX;
	message->request.command = (uint32_t)command;
	message->request.kind = (uint32_t)kind;
	message->request.value = (int32_t)value;
	ok = ok && parse_more(map, &message->request);
	cbor_decref(&map);
	return ok;
}

static bool put_number(cbor_item_t *map, enum hsm_sideband_key key, uint64_t value)
{
	return hsm_cbor_put(map, key, hsm_cbor_uint(value));
}

static bool put_inventory(cbor_item_t *map, const struct sideband_reply *reply)
{
	return put_number(map, HSM_SIDEBAND_KEY_VERSION, HSM_SIDEBAND_VERSION) &&
	       hsm_cbor_put(map, HSM_SIDEBAND_KEY_MODEL, cbor_build_string("Virtual HSM")) &&
	       hsm_cbor_put(map, HSM_SIDEBAND_KEY_SERIAL, cbor_build_string(reply->serial)) &&
	       hsm_cbor_put(map, HSM_SIDEBAND_KEY_BOARD,
			    cbor_build_bytestring(reply->board_id, sizeof(reply->board_id))) &&
	       hsm_cbor_put(map, HSM_SIDEBAND_KEY_FIRMWARE, cbor_build_string(HSM_VERSION)) &&
	       put_number(map, HSM_SIDEBAND_KEY_SECURITY_VERSION, reply->security_version) &&
	       hsm_cbor_put(map, HSM_SIDEBAND_KEY_MEASUREMENT,
			    cbor_build_bytestring(reply->measurement,
						  sizeof(reply->measurement))) &&
	       put_number(map, HSM_SIDEBAND_KEY_FUNCTIONS, reply->functions);
}

static bool put_health(cbor_item_t *map, const struct sideband_reply *reply)
{
	return put_number(map, HSM_SIDEBAND_KEY_STATE, reply->state) &&
	       put_number(map, HSM_SIDEBAND_KEY_LIFECYCLE, reply->condition.lifecycle) &&
	       put_number(map, HSM_SIDEBAND_KEY_TAMPERS, reply->condition.tampers) &&
	       put_number(map, HSM_SIDEBAND_KEY_RECOVERIES, reply->condition.recoveries) &&
	       put_number(map, HSM_SIDEBAND_KEY_COUNTER, reply->condition.counter) &&
	       put_number(map, HSM_SIDEBAND_KEY_RUNNING, reply->running) &&
	       put_number(map, HSM_SIDEBAND_KEY_STARTS, reply->starts) &&
	       put_number(map, HSM_SIDEBAND_KEY_CONNECTIONS, reply->connections);
}

static cbor_item_t *sensor_item(const struct board_sensor *sensor)
{
	cbor_item_t *item = cbor_new_definite_array(6);
	char label[sizeof(sensor->label) + 1] = "";

	memcpy(label, sensor->label, sizeof(sensor->label));
	if (item && hsm_cbor_push(item, hsm_cbor_uint(sensor->kind)) &&
	    hsm_cbor_push(item, cbor_build_string(label)) &&
	    hsm_cbor_push(item, hsm_cbor_int(sensor->value)) &&
	    hsm_cbor_push(item, hsm_cbor_int(sensor->min)) &&
	    hsm_cbor_push(item, hsm_cbor_int(sensor->max)) &&
	    hsm_cbor_push(item, hsm_cbor_uint(sensor->flags)))
		return item;
	if (item)
		cbor_decref(&item);
	return NULL;
}

static bool put_sensors(cbor_item_t *map, const struct sideband_reply *reply)
{
	cbor_item_t *list = cbor_new_definite_array(TAMPER_SENSORS);
	bool ok = list != NULL;
	size_t i;

	for (i = 0; ok && i < TAMPER_SENSORS; i++)
		ok = hsm_cbor_push(list, sensor_item(&reply->sensors[i]));
	return hsm_cbor_put(map, HSM_SIDEBAND_KEY_SENSORS, list) && ok;
}

static cbor_item_t *head_item(const struct board_log_head *head)
{
	cbor_item_t *item = cbor_new_definite_array(3);

	if (item &&
	    hsm_cbor_push(item, cbor_build_bytestring(head->partition, sizeof(head->partition))) &&
	    hsm_cbor_push(item, hsm_cbor_uint(head->sequence)) &&
	    hsm_cbor_push(item, cbor_build_bytestring(head->head, sizeof(head->head))))
		return item;
	if (item)
		cbor_decref(&item);
	return NULL;
}

static cbor_item_t *slot_item(const struct board_firmware *slot)
{
	cbor_item_t *item = cbor_new_definite_array(5);
	char version[sizeof(slot->version) + 1] = "";

	memcpy(version, slot->version, sizeof(slot->version));
	if (item && hsm_cbor_push(item, hsm_cbor_uint(slot->place)) &&
	    hsm_cbor_push(item, hsm_cbor_uint(slot->flags)) &&
	    hsm_cbor_push(item, hsm_cbor_uint(slot->security_version)) &&
	    hsm_cbor_push(item, cbor_build_string(version)) &&
	    hsm_cbor_push(item,
			  cbor_build_bytestring(slot->measurement, sizeof(slot->measurement))))
		return item;
	if (item)
		cbor_decref(&item);
	return NULL;
}

static bool put_heads(cbor_item_t *map, const struct sideband_reply *reply)
{
	cbor_item_t *list = cbor_new_definite_array(reply->count);
	bool ok = list != NULL;
	size_t i;

	for (i = 0; ok && i < reply->count; i++)
		ok = hsm_cbor_push(list, head_item(&reply->extra.heads[i]));
	ok = hsm_cbor_put(map, HSM_SIDEBAND_KEY_HEADS, list) && ok;
	return ok && put_number(map, HSM_SIDEBAND_KEY_TOTAL, reply->total);
}

static bool put_slots(cbor_item_t *map, const struct sideband_reply *reply)
{
	cbor_item_t *list = cbor_new_definite_array(reply->count);
	bool ok = list != NULL;
	size_t i;

	for (i = 0; ok && i < reply->count; i++)
		ok = hsm_cbor_push(list, slot_item(&reply->extra.slots[i]));
	return hsm_cbor_put(map, HSM_SIDEBAND_KEY_SLOTS, list) && ok;
}

/* In the units of the command: all that the board gave is in the union. */
static bool count_fits(uint32_t command, uint32_t count)
{
	const struct sideband_reply *reply = NULL;

	switch (command) {
	case HSM_SIDEBAND_HEADS:
		return count <= SIDEBAND_HEADS;
	case HSM_SIDEBAND_SLOTS:
		return count <= BOARD_PLACES;
	default:
		return count <= sizeof(reply->extra.message);
	}
}

static bool put_body(cbor_item_t *map, uint32_t command, const struct sideband_reply *reply)
{
	if (reply->status)
		return true;
	switch (command) {
	case HSM_SIDEBAND_INVENTORY:
		return put_inventory(map, reply);
	case HSM_SIDEBAND_HEALTH:
		return put_health(map, reply);
	case HSM_SIDEBAND_SENSORS:
		return put_sensors(map, reply);
	case HSM_SIDEBAND_HEADS:
		return put_heads(map, reply);
	case HSM_SIDEBAND_SLOTS:
		return put_slots(map, reply);
	case HSM_SIDEBAND_SIGNED_HEAD:
		return hsm_cbor_put(map, HSM_SIDEBAND_KEY_SIGNED,
				    cbor_build_bytestring(reply->extra.message, reply->count));
	default:
		return true;
	}
}

static size_t body_pairs(uint32_t command, const struct sideband_reply *reply)
{
	if (reply->status)
		return 0;
	switch (command) {
	case HSM_SIDEBAND_INVENTORY:
	case HSM_SIDEBAND_HEALTH:
		return 8;
	case HSM_SIDEBAND_HEADS:
		return 2;
	case HSM_SIDEBAND_SENSORS:
	case HSM_SIDEBAND_SLOTS:
	case HSM_SIDEBAND_SIGNED_HEAD:
		return 1;
	default:
		return 0;
	}
}

static void answer(int peer, const struct message *message, const struct sideband_reply *reply)
{
	uint32_t command = message->request.command;
	cbor_item_t *map = cbor_new_definite_map(2 + message->has_id + body_pairs(command, reply));
	uint8_t *bytes = NULL;
	size_t length;

	if (map && put_number(map, HSM_SIDEBAND_KEY_COMMAND, command) &&
	    (!message->has_id || put_number(map, HSM_SIDEBAND_KEY_ID, message->id)) &&
	    put_number(map, HSM_SIDEBAND_KEY_STATUS, reply->status) &&
	    put_body(map, command, reply) && hsm_cbor_write(map, &bytes, &length) == 0)
		(void)!send(peer, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	free(bytes);
	if (map)
		cbor_decref(&map);
}

/* ---- the process ---- */

/* One message of a peer. Return: false: it has gone, or the board has. */
static bool serve(int peer, int board)
{
	uint8_t bytes[HSM_SIDEBAND_MAX + 1];
	struct sideband_reply reply = { 0 };
	struct message message;
	ssize_t n = recv(peer, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	if (n > HSM_SIDEBAND_MAX || !parse(bytes, (size_t)n, &message)) {
		reply.status = HSM_SIDEBAND_MALFORMED;
		message.request.command = 0;
	} else if (send(board, &message.request, sizeof(message.request), MSG_NOSIGNAL) < 0 ||
		   recv(board, &reply, sizeof(reply), 0) != sizeof(reply) ||
		   !count_fits(message.request.command, reply.count)) {
		_exit(0);
	}
	answer(peer, &message, &reply);
	return true;
}

static void add_peer(struct pollfd *fds, int listener)
{
	int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	size_t i;

	for (i = 2; peer >= 0 && i < 2 + PEERS; i++)
		if (fds[i].fd < 0) {
			fds[i] = (struct pollfd){ .fd = peer, .events = POLLIN };
			return;
		}
	if (peer >= 0)
		close(peer);
}

static bool shut_in(void)
{
	static const int allowed[] = {
		SCMP_SYS(poll),	  SCMP_SYS(ppoll),	SCMP_SYS(recvfrom),  SCMP_SYS(sendto),
		SCMP_SYS(close),  SCMP_SYS(accept4),	SCMP_SYS(brk),	     SCMP_SYS(mmap),
		SCMP_SYS(munmap), SCMP_SYS(mremap),	SCMP_SYS(madvise),   SCMP_SYS(futex),
		SCMP_SYS(exit),	  SCMP_SYS(exit_group), SCMP_SYS(getrandom), SCMP_SYS(rt_sigreturn),
	};
	scmp_filter_ctx filter = seccomp_init(
#ifdef HSM_SANITIZED
		SCMP_ACT_LOG
#else
		SCMP_ACT_KILL_PROCESS
#endif
	);
	bool ok = filter != NULL;
	size_t i;

	for (i = 0; ok && i < sizeof(allowed) / sizeof(allowed[0]); i++)
		ok = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0) == 0;
	ok = ok && seccomp_load(filter) == 0;
	if (filter)
		seccomp_release(filter);
	return ok;
}

static void run(int listener, int board)
{
	struct pollfd fds[2 + PEERS] = {
		{ .fd = listener, .events = POLLIN },
		{ .fd = board, .events = 0 },
	};
	size_t i;

	for (i = 2; i < 2 + PEERS; i++)
		fds[i].fd = -1;
	if (!shut_in())
		_exit(1);
	for (;;) {
		if (poll(fds, 2 + PEERS, -1) < 0 && errno != EINTR)
			_exit(1);
		if (fds[1].revents)
			_exit(0); /* the board has gone */
		for (i = 2; i < 2 + PEERS; i++)
			if (fds[i].fd >= 0 && fds[i].revents && !serve(fds[i].fd, board)) {
				close(fds[i].fd);
				fds[i].fd = -1;
			}
		if (fds[0].revents)
			add_peer(fds, listener);
	}
}

/* What the board was started with is not for it either; the numbers stay taken. */
static void take_standard(void)
{
	int null = open("/dev/null", O_RDWR), fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			_exit(1);
}

/* Of the board's descriptors, its lock among them, it keeps the two that it works with. */
static void begin(int listener, int board)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_NAME, "vhsm-sideband", 0, 0, 0);
	signal(SIGPIPE, SIG_IGN);
	listener = fcntl(listener, F_DUPFD, FIRST_FREE);
	board = fcntl(board, F_DUPFD, FIRST_FREE);
	if (listener < 0 || board < 0 || dup2(listener, 3) < 0 || dup2(board, 4) < 0)
		_exit(1);
	take_standard();
	close_range(5, ~0U, 0);
	run(3, 4);
}

/*
 * What a board that was killed left there may go: a socket of this user that nobody listens on. Return: 0, also when there
 * is nothing, or a negative errno.
 */
static int clear_path(const struct sockaddr_un *address)
{
	struct stat st;
	int fd, ret;

	if (lstat(address->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	ret = connect(fd, (const struct sockaddr *)address, sizeof(*address)) ? -errno : 0;
	close(fd);
	if (ret != -ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(address->sun_path) ? -errno : 0;
}

static int listen_on(const char *path, struct error *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t mask;
	int fd, ret;

	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(error, -ENAMETOOLONG, "--sideband %s: the path is too long", path);
	memcpy(address.sun_path, path, strlen(path));
	ret = clear_path(&address);
	if (ret)
		return error_set(error, ret, "--sideband %s: %s", path,
				 ret == -EEXIST ? "is there, and no socket of this user"
						: strerror(-ret));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(error, -errno, "--sideband %s: %s", path, strerror(errno));
	mask = umask(0177);
	ret = bind(fd, (const struct sockaddr *)&address, sizeof(address)) || listen(fd, PEERS)
		      ? -errno
		      : 0;
	umask(mask);
	if (!ret)
		return fd;
	close(fd);
	return error_set(error, ret, "--sideband %s: %s", path, strerror(-ret));
}

int sideband_start(const char *path, struct error *error)
{
	int pair[2], listener;
	pid_t pid;

	listener = listen_on(path, error);
	if (listener < 0)
		return listener;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		close(listener);
		return error_set(error, -errno, "--sideband %s: %s", path, strerror(errno));
	}
	pid = fork();
	if (pid == 0)
		begin(listener, pair[1]);
	close(listener);
	close(pair[1]);
	if (pid > 0)
		return pair[0];
	close(pair[0]);
	return error_set(error, -EAGAIN, "--sideband %s: no process for it", path);
}
