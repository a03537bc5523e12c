// SPDX-License-Identifier: Apache-2.0
/*
 * Connections: each client has a controller of its own on the function's partitions. A connection lives
 * until its socket has ended and the last command that came on it has.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "transport.h"

#define FINISH_MS 5000 /* as long as the host's shortest patience */
#define PARK_MS	  500 /* a client may be in the middle of a message for as long as it likes */

/* The function that this process is: set before the first connection, the list by its lock. */
static struct board_hello the_hello;
static struct pool *the_pool;
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct connection *list;

/* Numbers that other code computes with; a board that is out of its mind is not started for. */
static int check_hello(const struct board_hello *hello)
{
	if (hello->dma_bits < 32 || hello->dma_bits > 64 || !hello->max_queues ||
	    hello->max_queues > IHSM_MAX_QUEUES || !hello->incarnation)
		return -EPROTO;
	return 0;
}

/**
 * connections_start - prepare for connections
 * @hello: from the board, copied
 *
 * Return: 0 or a negative errno.
 */
int connections_start(const struct board_hello *hello)
{
	int error = check_hello(hello);

	if (error)
		return error;
	the_hello = *hello;
	the_pool = pool_create(hello->spin_us);
	return the_pool ? dma_start() : -ENOMEM;
}

const struct board_hello *connections_hello(void)
{
	return &the_hello;
}

struct pool *connections_pool(void)
{
	return the_pool;
}

struct connection *connection_get(struct connection *connection)
{
	atomic_fetch_add(&connection->references, 1);
	return connection;
}

/* connection_put - give a reference back; the last one frees the connection */
void connection_put(struct connection *connection)
{
	if (atomic_fetch_sub(&connection->references, 1) != 1)
		return;
	irq_destroy(&connection->irq);
	dma_destroy(&connection->dma);
	contexts_destroy(&connection->controller.contexts);
	pthread_mutex_destroy(&connection->controller.lock);
	pthread_mutex_destroy(&connection->step);
	record_unmap(connection->record);
	close(connection->socket);
	free(connection->request);
	free(connection);
}

/* ---- beginning ---- */

/* What the predecessor's record says, as far as this firmware could have written it. */
static void adopt_record(struct connection *connection)
{
	pci_config_adopt(connection->config, &the_hello);
	connection->version_done = connection->record->head.version_done == 1;
	controller_adopt(connection);
}

static void new_record(struct connection *connection)
{
	record_reset(connection->record);
	pci_config_init(connection->config, &the_hello);
	controller_init(connection);
}

static int set_up(struct connection *connection, const struct board_connection *who, int record)
{
	int error;

	connection->record = record_map(record);
	connection->request = malloc(sizeof(*connection->request));
	error = dma_init(&connection->dma, the_hello.dma_bits);
	if (!connection->record || !connection->request || error) {
		if (connection->record)
			record_unmap(connection->record);
		free(connection->request);
		return error ? error : -ENOMEM;
	}
	connection->config = connection->record->head.config;
	connection->owner = who->flags & BOARD_CONNECTION_OWNER;
	connection->uid = who->uid;
	/* A predecessor that died before it touched the record leaves a new connection behind. */
	connection->adopted = who->flags & BOARD_CONNECTION_ADOPTED &&
			      connection->record->head.magic == TRANSPORT_RECORD_MAGIC;
	irq_init(&connection->irq);
	if (connection->adopted)
		adopt_record(connection);
	else
		new_record(connection);
	dma_enable(&connection->dma, pci_config_bus_master(connection->config));
	return 0;
}

/**
 * connection_create - a peer has connected
 * @id: the board's number for it
 * @who: from the board
 * @socket: taken over on success
 * @record: memfd of the transport record, stays the caller's
 *
 * Return: the connection, not served yet, or NULL.
 */
struct connection *connection_create(uint32_t id, const struct board_connection *who, int socket,
				     int record)
{
	struct connection *connection = calloc(1, sizeof(*connection));

	if (!connection)
		return NULL;
	atomic_init(&connection->references, 1);
	connection->id = id;
	connection->socket = socket;
	connection->pool = the_pool;
	pthread_mutex_init(&connection->step, NULL);
	if (set_up(connection, who, record)) {
		pthread_mutex_destroy(&connection->step);
		free(connection);
		return NULL;
	}
	pthread_mutex_lock(&list_lock);
	connection->next = list;
	list = connection;
	pthread_mutex_unlock(&list_lock);
	return connection;
}

/* connection_find - by the board's number; for the thread that creates them, before they are served */
struct connection *connection_find(uint32_t id)
{
	struct connection *connection;

	pthread_mutex_lock(&list_lock);
	for (connection = list; connection && connection->id != id; connection = connection->next)
		;
	pthread_mutex_unlock(&list_lock);
	return connection;
}

/**
 * connection_adopt - take back what a predecessor had the board keep
 * @connection: not served yet
 * @keep: what it is
 * @fd: taken over, also on failure
 *
 * Return: 0 or a negative errno.
 */
int connection_adopt(struct connection *connection, const struct board_keep *keep, int fd)
{
	struct vfio_user_dma_map map = {
		.argsz = sizeof(map),
		.flags = (keep->prot & 1 ? VFIO_USER_DMA_READABLE : 0) |
			 (keep->prot & 2 ? VFIO_USER_DMA_WRITABLE : 0),
		.offset = keep->offset,
		.address = keep->key,
		.size = keep->length,
	};
	int error = -EINVAL;

	if (keep->kind == BOARD_KEEP_IRQ && keep->key < IHSM_MAX_VECTORS) {
		error = irq_wire(&connection->irq, (unsigned int)keep->key, fd);
		if (!error)
			return 0;
	}
	if (keep->kind == BOARD_KEEP_DMA)
		error = dma_add(&connection->dma, &map, fd);
	close(fd);
	return error;
}

/* ---- serving ---- */

static int serve_one(struct connection *connection)
{
	int error = vfio_user_read(connection, connection->request);

	return error ? error : vfio_user_handle(connection, connection->request);
}

/**
 * connection_serve - wait for one message and answer it
 * @connection: whose socket the caller serves
 *
 * Return: 0; then connection_work() is due. A negative errno: the connection is at its end.
 */
int connection_serve(struct connection *connection)
{
	bool resume = connection->adopted && !connection->resumed;
	int error = resume ? 0 : vfio_user_wait(connection);

	if (error)
		return error;
	pthread_mutex_lock(&connection->step);
	error = resume ? vfio_user_resume(connection, connection->request) : serve_one(connection);
	connection->resumed = true;
	vfio_request_done(connection->request);
	pthread_mutex_unlock(&connection->step);
	return error;
}

/**
 * connection_work - do what the doorbells of the last message ask for
 * @worker: the calling thread; it may have lost the socket afterwards
 * @connection: that it serves
 */
void connection_work(struct worker *worker, struct connection *connection)
{
	struct queue *queues[IHSM_MAX_QUEUES];
	unsigned int count = 0;
	uint64_t rung = connection->rung;

	connection->rung = 0;
	if (!rung)
		return;
	if (rung & 1)
		admin_queue_work(connection);
	/* Referenced first: once a command runs, another thread may serve the socket. */
	for (unsigned int i = 1; i <= IHSM_MAX_QUEUES; i++)
		if (rung >> i & 1 && connection->controller.queues[i])
			queues[count++] = queue_get(connection->controller.queues[i]);
	for (unsigned int i = 0; i < count; i++) {
		worker_doorbell(worker, queues[i]);
		queue_put(queues[i]);
	}
}

/* ---- end ---- */

/**
 * connection_abandon - the socket has ended
 * @connection: no longer to be used by the caller
 *
 * Its memory is released at once, the rest when its last command has ended.
 */
void connection_abandon(struct connection *connection)
{
	struct connection **at;

	controller_end(connection);
	dma_clear(&connection->dma);
	pthread_mutex_lock(&list_lock);
	for (at = &list; *at && *at != connection; at = &(*at)->next)
		;
	if (*at)
		*at = connection->next;
	pthread_mutex_unlock(&list_lock);
	board_closed(connection->id);
	connection_put(connection);
}

static bool all_quiet(void)
{
	bool quiet = true;

	pthread_mutex_lock(&list_lock);
	for (struct connection *c = list; c && quiet; c = c->next) {
		atomic_store(&c->controller.halted, true);
		quiet = controller_quiet(c) && !atomic_load(&c->controller.orphans);
	}
	pthread_mutex_unlock(&list_lock);
	return quiet;
}

/* Is no message half read or half answered? Whoever is found so reads no more. */
static bool all_parked(void)
{
	bool parked = true;

	pthread_mutex_lock(&list_lock);
	for (struct connection *c = list; c; c = c->next) {
		if (!c->parked)
			c->parked = !pthread_mutex_trylock(&c->step);
		parked = parked && c->parked;
	}
	pthread_mutex_unlock(&list_lock);
	return parked;
}

static void wait_for(bool (*done)(void), unsigned int limit_ms)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	for (unsigned int ms = 0; ms < limit_ms && !done(); ms++)
		nanosleep(&pause, NULL);
}

/**
 * connections_finish - let the commands that run come to their end, for a bounded time; fetch no more
 *
 * Then the sockets are left alone between two messages, so that a successor finds the next one whole.
 */
void connections_finish(void)
{
	wait_for(all_quiet, FINISH_MS);
	wait_for(all_parked, PARK_MS);
}

void firmware_event(enum ihsm_event event, uint32_t detail)
{
	pthread_mutex_lock(&list_lock);
	for (struct connection *c = list; c; c = c->next)
		controller_event(c, event, detail);
	pthread_mutex_unlock(&list_lock);
}
