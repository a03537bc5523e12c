/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport half of the firmware: what its files offer each other. From the outside in:
 *
 *   main.c         start; sandbox.c what it may do afterwards; log.c lines for the log
 *   board_link.c   messages from and to the board: connections come and go
 *   connection.c   life of a connection; the loop that serves its socket
 *   vfio_user.c    messages on that socket, vfio_user_device.c what they do
 *   record.c       what a successor of this process needs to go on
 *   pci_config.c   configuration space, irq.c interrupts, dma.c the client's memory
 *   controller.c   registers and reset, admin_queue.c admin commands, context.c contexts
 *   queue.c        rings, task.c one command, worker.c the threads that run them
 *
 * Locks, outermost first: connection list, controller.lock, contexts.lock, pool.lock, queue.lock,
 * dma.lock. None is held while a command executes or a context closes.
 */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <hsm/board.h>
#include <hsm/vfio_user.h>
#include <hsm/wire.h>
#include <linux/ihsm_hw.h>

#include "firmware.h"

struct connection;
struct controller;
struct queue;
struct worker;

/* ---- dma.c: the client's memory, as it mapped it ---- */

struct dma_region;

/**
 * struct dma_map - memory that a client has mapped for its device
 * @lock: readers touch the memory, the writer changes the map
 * @regions: sorted by address, without overlap
 * @count: of @regions
 * @room: for @regions
 * @limit: first bus address that is too wide for the device, 0: none
 * @enabled: bus mastering is on
 */
struct dma_map {
	pthread_rwlock_t lock;
	struct dma_region *regions;
	unsigned int count;
	unsigned int room;
	uint64_t limit;
	bool enabled;
};

int dma_start(void);
int dma_init(struct dma_map *map, unsigned int address_bits);
void dma_destroy(struct dma_map *map);
int dma_add(struct dma_map *map, const struct vfio_user_dma_map *what, int fd);
int dma_remove(struct dma_map *map, uint64_t address, uint64_t size);
bool dma_has(struct dma_map *map, uint64_t address, uint64_t size);
void dma_clear(struct dma_map *map);
void dma_enable(struct dma_map *map, bool on);
void dma_quiesce(struct dma_map *map);

/* Between dma_enter() and dma_leave() the map does not change. Not to be nested. */
void dma_enter(struct dma_map *map);
void dma_leave(struct dma_map *map);
int dma_read(struct dma_map *map, uint64_t address, void *to, size_t length);
int dma_write(struct dma_map *map, uint64_t address, const void *from, size_t length);
int dma_load32(struct dma_map *map, uint64_t address, uint32_t *value);
int dma_store32(struct dma_map *map, uint64_t address, uint32_t value);
int dma_store64(struct dma_map *map, uint64_t address, uint64_t value);

/* ---- pci_config.c ---- */

#define PCI_CONFIG_SIZE	4096

/* What a write to configuration space asks of the function beyond the stored bits. */
#define PCI_ACTION_FLR		(1U << 0)

void pci_config_init(uint8_t *config, const struct board_hello *hello);
void pci_config_adopt(uint8_t *config, const struct board_hello *hello);
unsigned int pci_config_write(uint8_t *config, uint32_t offset, const uint8_t *data, uint32_t length);
bool pci_config_memory_enabled(const uint8_t *config);
bool pci_config_bus_master(const uint8_t *config);

/* ---- irq.c ---- */

/**
 * struct irq_set - MSI-X vectors as the client wired them
 * @lock: of all
 * @fd: eventfd of each vector, -1: disarmed
 * @pending: vectors raised while disarmed
 */
struct irq_set {
	pthread_mutex_t lock;
	int fd[IHSM_MAX_VECTORS];
	uint32_t pending;
};

void irq_init(struct irq_set *irq);
void irq_destroy(struct irq_set *irq);
int irq_wire(struct irq_set *irq, unsigned int vector, int fd);
void irq_raise(struct irq_set *irq, unsigned int vector);
uint32_t irq_pending(struct irq_set *irq);

/* ---- record.c ---- */

#define RECORD_BODY_MAX		64
#define RECORD_REPLY_MAX	1024

/**
 * struct record_page - the memfd that the board keeps, as this firmware lays it out
 * @head: as include/hsm/board.h has it
 * @body_length: bytes of @body; 0: the request's body did not fit
 * @body: of the request being handled
 * @reply_length: bytes of @reply; 0: the reply did not fit (only reads are that long)
 * @reply: as it is being sent
 */
struct record_page {
	struct transport_record head;
	uint32_t body_length;
	uint32_t reply_length;
	uint8_t body[RECORD_BODY_MAX];
	uint8_t reply[RECORD_REPLY_MAX];
};

struct record_page *record_map(int fd);
void record_unmap(struct record_page *record);
void record_reset(struct record_page *record);
void record_header_part(struct record_page *record, const void *bytes, uint32_t got);
void record_reading(struct record_page *record, const struct vfio_user_header *header);
void record_remaining(struct record_page *record, uint32_t remaining);
void record_handling(struct record_page *record, const void *body, uint32_t length);
void record_replying(struct record_page *record, const void *reply, uint32_t length);
void record_sent(struct record_page *record, uint32_t sent);
void record_idle(struct record_page *record);

/**
 * struct record_debt - what the predecessor owed its client, taken out of a record and checked
 * @phase: enum transport_phase
 * @header: of the message at hand; with TRANSPORT_IDLE its first @header_got bytes
 * @header_got: bytes of @header that were read
 * @remaining: bytes of the body still to be read
 * @body: of the message
 * @body_length: 0: not known
 * @reply: being sent
 * @reply_length: 0: not known
 * @reply_total: bytes of the whole reply
 * @sent: bytes of the reply that were sent
 */
struct record_debt {
	enum transport_phase phase;
	struct vfio_user_header header;
	uint32_t header_got;
	uint32_t remaining;
	uint8_t body[RECORD_BODY_MAX];
	uint32_t body_length;
	uint8_t reply[RECORD_REPLY_MAX];
	uint32_t reply_length;
	uint32_t reply_total;
	uint32_t sent;
};

int record_take_debt(const struct record_page *record, struct record_debt *debt);

/* ---- context.c ---- */

#define CONTEXTS_MAX	256

/**
 * struct context - one opener; lives until its last command has ended
 * @id: epoch << 32 | number, never given out twice
 * @references: the table's, and one for each command
 * @dead: destroyed; its commands are cancelled
 * @executor: command execution's side of it
 * @admin: admin queue that waits for its end, or NULL
 * @admin_cid: of the waiting command
 */
struct context {
	uint64_t id;
	atomic_uint references;
	atomic_bool dead;
	struct firmware_context *executor;
	struct queue *admin;
	uint16_t admin_cid;
};

struct context_table {
	pthread_mutex_t lock;
	struct context *slot[CONTEXTS_MAX];
	uint32_t round[CONTEXTS_MAX];	/* times that a slot was used in this epoch */
};

void contexts_init(struct context_table *table);
void contexts_clear(struct context_table *table);
void contexts_destroy(struct context_table *table);
enum ihsm_status contexts_create(struct context_table *table, const struct connection *connection,
				 uint32_t epoch, uint64_t *id);
bool contexts_remove(struct context_table *table, uint64_t id, struct queue *admin, uint16_t cid);
struct context *context_get(struct context_table *table, uint64_t id);
void context_put(struct context *context);

/* ---- task.c ---- */

/**
 * struct task - one command from its fetch to its completion
 * @queue: that it came from; referenced by the task
 * @worker: the thread that executes it
 * @context: that it runs in, for IHSM_IO_MESSAGE
 * @next: in the queue's list of running commands
 * @previous: likewise
 * @sqe: private copy
 * @time_class: as told by task_set_class()
 * @cancelled: aborted, or its queue is gone
 * @aborted_early: aborted before it was fetched
 * @overloaded: refused for want of a place for long commands
 * @more: there were more commands behind it when it was fetched
 */
struct task {
	struct queue *queue;
	struct worker *worker;
	struct context *context;
	struct task *next;
	struct task *previous;
	struct ihsm_sqe sqe;
	enum ihsm_time_class time_class;
	atomic_bool cancelled;
	bool aborted_early;
	bool overloaded;
	bool more;
};

void task_run(struct worker *worker, struct task *task);

/* ---- queue.c ---- */

/**
 * struct queue - a submission ring with its completion ring
 * @connection: referenced by the queue
 * @references: the controller's, the hot list's, one for each task
 * @lock: of the fields below up to @aborted
 * @dead: deleted, or the controller was reset; its memory is not touched any more
 * @id: 0 for the admin queue
 * @vector: of the completion ring, or IHSM_NO_VECTOR
 * @sq_address: bus address of the submission ring
 * @cq_address: bus address of the completion ring
 * @sq_entries: a power of two
 * @cq_entries: a power of two
 * @head: of the submission ring
 * @cq_tail: of the completion ring
 * @cq_head: as far as the host is known to have read
 * @running: commands fetched and not completed
 * @tasks: those commands
 * @aborted: by slot: aborted before it was fetched
 * @put_off: completions since an interrupt was put off, 0: none is owed
 * @doorbell_tail: last value written to the submission doorbell
 * @doorbell_head: last value written to the completion doorbell
 * @shadow_host: bus address of the queue's slot in the host's shadow page, 0: none
 * @shadow_device: likewise in the device's page
 * @hot: polled; this and what follows belongs to worker_poll.c, under the pool's lock
 * @window: how long to poll after the last command, nanoseconds
 * @last: when the last command was completed
 * @misses: polling windows that ended without a command, in a row
 * @fresh: made hot by a doorbell, and nothing fetched since
 */
struct queue {
	struct connection *connection;
	atomic_uint references;
	pthread_mutex_t lock;
	atomic_bool dead;
	uint16_t id;
	uint16_t vector;
	uint64_t sq_address;
	uint64_t cq_address;
	uint32_t sq_entries;
	uint32_t cq_entries;
	_Atomic uint32_t head;
	uint32_t cq_tail;
	uint32_t cq_head;
	uint32_t running;
	struct task *tasks;
	uint64_t aborted[(1U << IHSM_MAX_ENTRIES_LOG2) / 64];
	unsigned int put_off;
	_Atomic uint32_t doorbell_tail;
	_Atomic uint32_t doorbell_head;
	uint64_t shadow_host;
	uint64_t shadow_device;

	bool hot;
	_Atomic uint64_t window;
	_Atomic uint64_t last;
	unsigned int misses;
	bool fresh;
};

/**
 * struct queue_setup - how a queue is made
 * @id: 0 for the admin queue
 * @vector: or IHSM_NO_VECTOR
 * @sq_address: of the submission ring
 * @cq_address: of the completion ring
 * @sq_log2: of its entries
 * @cq_log2: likewise
 */
struct queue_setup {
	uint16_t id;
	uint16_t vector;
	uint64_t sq_address;
	uint64_t cq_address;
	unsigned int sq_log2;
	unsigned int cq_log2;
};

struct queue *queue_create(struct connection *connection, const struct queue_setup *setup);
struct queue *queue_get(struct queue *queue);
void queue_put(struct queue *queue);
void queue_set_shadow(struct queue *queue, uint64_t host_page, uint64_t device_page);
uint32_t queue_kill(struct queue *queue, bool complete);
bool queue_pending(struct queue *queue);
bool queue_fetch(struct queue *queue, struct task *task, bool *more);
void queue_complete(struct queue *queue, struct task *task, enum ihsm_status status, uint32_t result);
void queue_signal(struct queue *queue);
void queue_complete_cid(struct queue *queue, uint16_t cid, enum ihsm_status status, uint32_t result);
bool queue_abort(struct queue *queue, uint16_t cid);
void queue_disarm(struct queue *queue);
bool queue_arm(struct queue *queue);

/* ---- worker.c ---- */

struct pool;

struct pool *pool_create(unsigned int spin_us);
int pool_serve(struct pool *pool, struct connection *connection);
struct connection *worker_serving(const struct worker *worker);
uint8_t *worker_request(struct worker *worker);
uint8_t *worker_response(struct worker *worker);
void worker_doorbell(struct worker *worker, struct queue *queue);
int worker_set_class(struct worker *worker, struct task *task, enum ihsm_time_class time_class);
void worker_wait_begin(struct worker *worker, struct task *task);
void worker_wait_end(struct worker *worker, struct task *task);
void worker_task_ending(struct worker *worker, struct task *task);
bool worker_put_off(struct worker *worker, struct queue *queue);
void pool_forget(struct pool *pool, struct queue *queue);
void pool_wake_waiters(struct pool *pool);

/* ---- controller.c, admin_queue.c ---- */

/**
 * struct controller - registers and what hangs on them
 * @lock: of all but @orphans and @contexts
 * @queues: by id; 0 is the admin queue
 * @contexts: of this connection
 * @shadow_host: page of struct ihsm_shadow_host, with @shadow_set
 * @shadow_device: page of struct ihsm_shadow_device
 * @shadow_set: IHSM_ADMIN_SET_SHADOW was accepted
 * @config: IHSM_REG_CONFIG
 * @fatal: controller reset needed
 * @halted: nothing is fetched: @fatal, or shutting down
 * @exhausted: no epoch is left
 * @epoch: of the contexts
 * @state: enum ihsm_device_state
 * @event_cids: asynchronous event requests that wait
 * @event_waiting: of them
 * @events: bit for each enum ihsm_event that nobody has fetched
 * @event_detail: by event
 * @orphans: commands of before a reset that still run
 */
struct controller {
	pthread_mutex_t lock;
	struct queue *queues[IHSM_MAX_QUEUES + 1];
	struct context_table contexts;
	uint64_t shadow_host;
	uint64_t shadow_device;
	bool shadow_set;
	uint32_t config;
	atomic_bool fatal;
	atomic_bool halted;
	bool exhausted;
	uint32_t epoch;
	_Atomic uint32_t state;
	uint16_t event_cids[IHSM_MAX_ASYNC_EVENTS];
	unsigned int event_waiting;
	uint32_t events;
	uint32_t event_detail[32];
	_Atomic uint32_t orphans;
};

void controller_init(struct connection *connection);
void controller_adopt(struct connection *connection);
void controller_end(struct connection *connection);
void controller_reset(struct connection *connection);
void controller_fatal(struct connection *connection, const char *why);
void controller_read(struct connection *connection, uint64_t offset, uint8_t *data, uint32_t length);
void controller_write(struct connection *connection, uint64_t offset, const uint8_t *data,
		      uint32_t length);
void controller_event(struct connection *connection, enum ihsm_event event, uint32_t detail);
bool controller_quiet(struct connection *connection);
void admin_queue_work(struct connection *connection);
void admin_post_events(struct connection *connection);

/* ---- vfio_user.c, vfio_user_device.c ---- */

/**
 * struct vfio_request - one request, read in full
 * @header: checked
 * @body: its bytes, then NUL
 * @length: of @body
 * @fds: that came with it; a handler that takes one sets it to -1
 * @fd_count: of @fds
 * @replay: the predecessor may have handled it already
 */
struct vfio_request {
	struct vfio_user_header header;
	uint8_t body[VFIO_USER_MAX_MESSAGE + 1];
	uint32_t length;
	int fds[VFIO_USER_MAX_FDS];
	unsigned int fd_count;
	bool replay;
};

/* struct vfio_reply - a reply being built: the header's room, then @length bytes */
struct vfio_reply {
	struct vfio_user_header header;
	uint8_t body[VFIO_USER_MAX_TRANSFER + 64];
	uint32_t length;
};

int vfio_user_wait(struct connection *connection);
int vfio_user_read(struct connection *connection, struct vfio_request *request);
int vfio_user_resume(struct connection *connection, struct vfio_request *request);
int vfio_user_handle(struct connection *connection, struct vfio_request *request);
void vfio_request_done(struct vfio_request *request);
int vfio_device_handle(struct connection *connection, struct vfio_request *request,
		       struct vfio_reply *reply);

/* ---- connection.c ---- */

/**
 * struct connection - one client: a controller of its own
 * @next: in the list of connections, under its lock
 * @references: the list's, the socket server's, one for each queue
 * @id: the board's number for it
 * @owner: the peer owns the state directory
 * @uid: of the peer
 * @adopted: a predecessor served it
 * @resumed: what the predecessor owed is paid
 * @socket: to the client
 * @step: held by who serves the socket from the first byte that is read to the last that is answered
 * @parked: @step is held for good: the rest is a successor's
 * @version_done: versions have been agreed on
 * @record: for a successor
 * @config: configuration space, in @record
 * @table: MSI-X table, which the client keeps: plain memory
 * @dma: its memory
 * @irq: its interrupts
 * @controller: its registers
 * @rung: queues whose doorbell was rung by the message at hand
 * @eager: commands before which the socket is passed to another thread, see worker_socket.c
 * @request: the message at hand, of the thread that serves the socket
 * @pool: of the function
 */
struct connection {
	struct connection *next;
	atomic_uint references;
	uint32_t id;
	bool owner;
	uint32_t uid;
	bool adopted;
	bool resumed;
	int socket;
	pthread_mutex_t step;
	bool parked;
	bool version_done;
	struct record_page *record;
	uint8_t *config;
	uint8_t table[IHSM_MAX_VECTORS * 16];
	struct dma_map dma;
	struct irq_set irq;
	struct controller controller;
	uint64_t rung;
	unsigned int eager;
	struct vfio_request *request;
	struct pool *pool;
};

int connections_start(const struct board_hello *hello);
const struct board_hello *connections_hello(void);
void connections_finish(void);
struct pool *connections_pool(void);
struct connection *connection_create(uint32_t id, const struct board_connection *who, int socket,
				     int record);
struct connection *connection_find(uint32_t id);
int connection_adopt(struct connection *connection, const struct board_keep *keep, int fd);
int connection_serve(struct connection *connection);
void connection_work(struct worker *worker, struct connection *connection);
void connection_abandon(struct connection *connection);
struct connection *connection_get(struct connection *connection);
void connection_put(struct connection *connection);

/* ---- board_link.c ---- */

int board_link_start(struct board_hello *hello);
int board_link_ready(void);
#define BOARD_LINK_AT_ONCE 1 /* of board_link_run(): end without waiting for anybody */

int board_link_run(void);
int board_keep(uint32_t connection, const struct board_keep *keep, int fd);
void board_forget(uint32_t connection, const struct board_keep *keep);
void board_closed(uint32_t connection);

/* ---- sandbox.c ---- */

int sandbox_warm_up(void);
int sandbox_enter(void);

/* log_line - one line on standard error, which is the board's log; never a payload */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* TRANSPORT_H */
